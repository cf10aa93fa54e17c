"""``python -m virkning.simulation.wrong_designs``: ask every check in both its worlds; ``make validate`` calls it."""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click

from . import SCENES
from .measure import Alarms, measure_alarms
from .recorded import write_alarms

RUNS = 200


@click.command()
@click.option("--runs", default=RUNS, show_default=True, type=click.IntRange(min=5), help="Draws of each world.")
@click.option("--seed", default=0, show_default=True, help="Start of the random numbers.")
@click.option("--scene", "chosen", multiple=True, type=click.Choice(list(SCENES)), help="Only this one; repeatable.")
@click.option("--workers", default=None, type=click.IntRange(min=1), help="Processes at once; by default all cores.")
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="CSV file to write.")
def main(runs: int, seed: int, chosen: tuple[str, ...], workers: int | None, file: Path | None) -> None:
    """Draw worlds in which a check's assumption fails, and others in which all is well; count what it says."""
    # A scene per process; each process calculates on one thread.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    scenes = [SCENES[name] for name in chosen or SCENES]
    found: list[Alarms] = []
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for well, broken in pool.map(partial(measure_alarms, n_runs=runs, seed=seed), scenes):
            found += (well, broken)
            click.echo(
                f"{well.check:26} caught {broken.share_of_concern:6.1%}  false alarms {well.share_of_concern:6.1%}  "
                f"left open {broken.n_undecided / broken.n_runs:6.1%}"
            )
    if file:
        write_alarms(found, file)
        click.echo(f"Written: {file.name}")


if __name__ == "__main__":
    sys.exit(main())
