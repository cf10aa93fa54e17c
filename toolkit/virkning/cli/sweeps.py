"""The command about many runs: one programme under many parameter sets."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .options import answering, change_option, relative

if TYPE_CHECKING:
    from ..sweep import Plan, Step, Sweep, Swept

# On a terminal nobody reads more than this many lines a second.
_SECONDS_BETWEEN_LINES = 1.0


@click.command()
@click.argument("programme", metavar="[PROGRAMME]", required=False)
@click.option(
    "--over",
    multiple=True,
    metavar="PATH=VALUES",
    help="Vary a parameter: values between commas; from:to:step; *0.9 or +-2 relative to the declared value.",
)
@click.option("--table", type=click.Path(path_type=Path), help="CSV file of parameter sets: a column for each path.")
@click.option("--zip", "is_zipped", is_flag=True, help="Take the values of --over side by side instead of crossed.")
@change_option
@click.option("--plan", "is_plan", is_flag=True, help="Only say what would run, and how long.")
@click.option("--yes", "is_large", is_flag=True, help="A grid of more than 10,000 runs is meant.")
@click.option("--workers", type=click.IntRange(1), help="Processes on this machine; by default one for each processor.")
@click.option("--limit", type=click.IntRange(1), default=600, show_default=True, help="Seconds that one run may take.")
@click.option("--dask", metavar="ADDRESS", help="Run on the Dask cluster with this scheduler instead.")
@click.option("--emit", type=click.Path(path_type=Path), help="Run nothing; write one job a line to this file.")
@click.option(
    "--collect", type=click.Path(path_type=Path), help="Run nothing; gather the results of this file of jobs."
)
@answering
def sweep(
    programme: str | None,
    over: tuple[str, ...],
    table: Path | None,
    changes: dict[str, str],
    is_zipped: bool,
    is_plan: bool,
    is_large: bool,
    workers: int | None,
    limit: int,
    dask: str | None,
    emit: Path | None,
    collect: Path | None,
    quiet: bool,
) -> tuple[dict[str, Any], list[str]]:
    """Run a programme under many parameter sets; one table and one page show all of them.

    virkning sweep nsw --over design.confidence=0.8,0.9,0.95 --over seed=1:5:1
    """
    from .. import sweep as sweeps
    from ..provenance import write_atomically
    from ..record.journal import now
    from ..record.surroundings import role

    started = now()
    role()  # One that is no role is refused before anything runs.
    if collect is not None:
        found = sweeps.Sweep.read(collect)
        return _answer(sweeps.gather(found, sweeps.Store.of(found.programme.name, found.mark)), started)
    if programme is None:
        raise UsageError("usage.no_programme", "There is no programme.", where="virkning sweep", do="Name one.")
    grid = sweeps.Grid.of(over, sweeps.read_sets(table) if table else (), is_zipped=is_zipped)
    found = sweeps.Sweep.of(programme, grid, changes, is_large=is_large)
    if emit is not None:
        write_atomically(emit, sweeps.jobs_text(found))
        lines = [
            f"Jobs: {relative(emit.resolve())} ({found.n} lines)",
            f"Run:  virkning run {programme} --job {emit}:K",
        ]
        lines.append(f"      for each K from 1 to {found.n}; then virkning sweep --collect {emit}")
        return {"jobs": str(emit), "n_runs": found.n, "sweep": found.mark}, lines
    n_workers = workers or os.cpu_count() or 1
    if is_plan:
        return _planned(found, sweeps.plan(found, workers=n_workers), n_workers)
    swept = sweeps.conduct(found, performer=_performer(n_workers, limit, dask), progress=_progress(quiet))
    return _answer(swept, started)


def performed(programme: str, job: str, changes: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Perform one line of a file of jobs, and return the command's answer.

    Parameters
    ----------
    programme : str
        Folder or name of the programme on this machine.
    job : str
        File and line, such as ``jobs.jsonl:12``.
    changes : mapping of str to str
        Of ``-p``: a job has its own.

    Raises
    ------
    UsageError
        There is no such job, or it was to be changed.
    SweepError
        The run failed.
    """
    from dataclasses import replace

    from .. import sweep as sweeps
    from ..programme import Programme

    file, _, line = job.rpartition(":")
    jobs = sweeps.read_jobs(Path(file))
    if not line.isdigit() or not 1 <= int(line) <= len(jobs) or changes:
        raise UsageError(
            "usage.job",
            "A job is not changed by -p." if changes else f"There is no job «{line}»; the file has 1 to {len(jobs)}.",
            where=f"--job {job}",
            do="Write the file and the number of the job: jobs.jsonl:1",
        )
    found = replace(jobs[int(line) - 1], programme=programme)
    done = sweeps.perform_job(found, name=Programme.read(programme).name)
    values = {"run": found.number, "seconds": done["seconds"], "answers": done["rows"]}
    return values, [f"Run {found.number} of {len(jobs)}: finished in {done['seconds']:.1f} s"]


def _performer(workers: int, limit: int, dask: str | None) -> Any:
    if dask is not None:
        from ..sweep import cluster

        return lambda jobs: cluster.perform(jobs, dask)
    from ..sweep import processes

    return lambda jobs: processes.perform(jobs, workers=workers, limit_seconds=float(limit))


def _answer(swept: Swept, started: str) -> tuple[dict[str, Any], list[str]]:
    from ..record.sweeps import write_sweep_crate
    from ..sweep.store import PAGE, PARQUET, TABLE

    crate = write_sweep_crate(swept, started)

    lines = [f"Runs:  {swept.n_finished} of {swept.sweep.n} finished, {swept.n_performed} performed now"]
    lines += [f"Table: {relative(swept.folder / TABLE)}", f"       {relative(swept.folder / PARQUET)}"]
    lines.append(f"Page:  {relative(swept.folder / PAGE)}")
    if swept.failures or swept.n_missing:
        click.echo("\n".join(lines), err=True)
    swept.require_complete()
    values = {
        "folder": relative(swept.folder),
        "sweep": swept.sweep.mark,
        "n_runs": swept.sweep.n,
        "n_performed": swept.n_performed,
        "table": relative(swept.folder / TABLE),
        "parquet": relative(swept.folder / PARQUET),
        "page": relative(swept.folder / PAGE),
        "crate": relative(crate),
    }
    return values, lines


def _planned(found: Sweep, planned: Plan, workers: int) -> tuple[dict[str, Any], list[str]]:
    lines = [f"Runs: {planned.n}, of which {planned.n - planned.n_missing} are finished already"]
    for path in found.paths:
        values = list(dict.fromkeys(str(each[path]) for each in found.values))
        shown = ", ".join(values[:6]) + (f", … {values[-1]}" if len(values) > 6 else "")
        lines.append(f"      {path}: {shown}")
    if planned.seconds is None or planned.seconds_each is None:
        lines.append("Time: not known, since no run of a sweep of this programme was measured yet")
    else:
        lines.append(
            f"Time: about {_duration(planned.seconds)} with {workers} at once "
            f"({planned.seconds_each:.2f} s each, by {planned.n_measured} earlier runs)"
        )
    return {
        "n_runs": planned.n,
        "n_missing": planned.n_missing,
        "seconds": planned.seconds,
        "seconds_each": planned.seconds_each,
        "n_measured": planned.n_measured,
    }, lines


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _progress(quiet: bool) -> Callable[[Step], None] | None:
    said_at = [float("-inf")]

    def show(step: Step) -> None:
        now = time.monotonic()
        if not step.error and step.position < step.n and now - said_at[0] < _SECONDS_BETWEEN_LINES:
            return
        said_at[0] = now
        said = " ".join(f"{path}={value}" for path, value in step.job.changes.items())
        ended = f"failed: {step.error}" if step.error else f"{step.seconds:.1f} s"
        left = "" if step.seconds_left is None or step.position == step.n else f", {_duration(step.seconds_left)} left"
        click.echo(f"[{step.position}/{step.n}] {said}: {ended}{left}", err=True)

    return None if quiet else show
