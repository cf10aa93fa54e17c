"""``python -m virkning.planning``: hold every formula against made-up data."""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click

from .verified import CASES, verify, write_verified


@click.command()
@click.option("--draws", default=300, show_default=True, type=click.IntRange(min=10), help="Data sets of each case.")
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="CSV file to write.")
def main(draws: int, file: Path | None) -> None:
    """Draw made-up data of a plan for each design, and say how often the effect is found."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        found = []
        for item in pool.map(partial(verify, draws=draws), CASES):
            found.append(item)
            verdict = "" if item.agrees else "  differs"
            click.echo(f"{item.kind:28} {item.name:26} {item.formula:6.1%} {item.simulated:6.1%}{verdict}")
    if file:
        write_verified(found, file)
        click.echo(f"Written: {file.name}")


if __name__ == "__main__":
    sys.exit(main())
