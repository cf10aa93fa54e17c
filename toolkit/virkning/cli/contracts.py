"""The command about an outcomes contract: who is owed what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import answering, relative


@click.command()
@click.argument("contract", metavar="CONTRACT", type=click.Path(path_type=Path))
@click.option("--results", type=click.Path(path_type=Path), help="Results to settle; by default results.csv beside it.")
@click.option("--csv", type=click.Path(path_type=Path), help="Write the ledger to this CSV file, with exact amounts.")
@click.option(
    "--excel", type=click.Path(path_type=Path), help="Write payments, ledger and cash flows to this Excel file."
)
@click.option(
    "--indigo", type=click.Path(path_type=Path), help="Write metrics, prices and payments in the INDIGO data standard."
)
@answering
def settle(
    contract: Path, results: Path | None, csv: Path | None, excel: Path | None, indigo: Path | None, quiet: bool
) -> tuple[dict[str, Any], list[str]]:
    """Settle an outcomes contract: what each payer owes, line by line.

    CONTRACT is a contract.yml or the folder in which it stands; no programme is needed. A programme settles too, by its
    folder or name: effects that its contract pays for are estimated first.
    """
    from ..contract import statement
    from ..publication import settlement

    settled = settlement(contract, results)
    if csv is not None:
        statement.write_csv(settled, csv)
    if excel is not None:
        statement.write_excel(settled, excel)
    if indigo is not None:
        from ..contract.indigo import write_indigo

        write_indigo(settled, indigo)
    written = [f"Written: {relative(file)}" for file in (csv, excel, indigo) if file is not None]
    return statement.values(settled), [*statement.lines(settled), *written]
