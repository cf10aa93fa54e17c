"""Commands about an outcomes contract: who is owed what, and a contract begun from a public record."""

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


@click.command()
@click.argument("record", metavar="RECORD", type=click.Path(path_type=Path))
@click.option(
    "--contract",
    type=click.Path(path_type=Path),
    help="Begin a contract in this file or folder, from what the record says.",
)
@answering
def indigo(record: Path, contract: Path | None, quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """Read a contract's public record: one project of the INDIGO data standard (version 4.1) as JSON.

    Says what the record holds, and every value in it that cannot be read without a guess. For example:

        virkning indigo project.json --contract my_contract

    writes my_contract/contract.yml; the terms that no such record holds are left empty in it, each with a comment. The
    other way, from a contract to a record, is «virkning settle CONTRACT --indigo FILE».
    """
    from ..contract import indigo_draft
    from ..contract.indigo import read_indigo

    project = read_indigo(record)
    values, lines = indigo_draft.values(project), indigo_draft.lines(project)
    if contract is None:
        return values, lines
    file, n_empty = indigo_draft.write_draft(project, record.name, contract)
    begun = [
        f"Written: {relative(file)}",
        f"To fill in: {n_empty} terms, each with a comment that says what belongs there.",
    ]
    return {**values, "contract": str(file), "to_fill_in": n_empty}, [*lines, "", *begun]
