"""``python -m virkning.simulation``: validate every design in its made-up worlds; ``make validate`` calls it."""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click

from .coverage import Reliability, measure_reliability
from .recorded import write_record
from .worlds import WORLDS


@click.command()
@click.option("--runs", default=1000, show_default=True, type=click.IntRange(min=2), help="Draws of each world.")
@click.option("--seed", default=0, show_default=True, help="Start of the random numbers.")
@click.option("--world", "chosen", multiple=True, type=click.Choice(list(WORLDS)), help="Only this world; repeatable.")
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="CSV file to write.")
def main(runs: int, seed: int, chosen: tuple[str, ...], file: Path | None) -> None:
    """Draw made-up worlds with a known effect, and say how often each method finds it."""
    names = chosen or tuple(WORLDS)
    # A world per process; each process calculates on one thread.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found: list[Reliability] = []
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        measured = pool.map(partial(measure_reliability, n_runs=runs, seed=seed), [WORLDS[name] for name in names])
        for rows in measured:
            found += rows
            for item in rows:
                click.echo(
                    f"{item.world:30} {item.term:34} bias {item.bias:7.3f} ({item.monte_carlo_error:.3f})  "
                    f"coverage {item.coverage:6.1%}  {item.n_estimated}/{item.n_runs}"
                )
    if file:
        write_record(found, file)
        click.echo(f"Written: {file.name}")
    unexpected = [
        item
        for item in found
        if item.term not in WORLDS[item.world].misled and not (item.is_unbiased and item.has_coverage)
    ]
    click.echo(f"{len(found) - len(unexpected)} of {len(found)} as they should be.")


if __name__ == "__main__":
    sys.exit(main())
