"""From a sweep to its table: what is missing is performed, wherever that is, and everything is gathered."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import SweepError
from ..provenance import checksum, write_atomically
from .definition import Sweep
from .page import write_page
from .processes import perform as perform_here
from .single_run import FINISHED, OTHER_CONTENT, OTHER_VERSION, Job, Result, identity
from .store import PARQUET, RECORD, TABLE, Store, earlier_seconds
from .table import failures, tidy, to_csv, write_parquet

Performer = Callable[[Sequence[Job]], Iterator[Result]]
# Two results tell nothing yet about how long the rest takes.
_ENOUGH_TO_TELL = 3


@dataclass(frozen=True)
class Step:
    """One run is finished: which, how many are, and how long the others will take.

    Attributes
    ----------
    job : Job
    position, n : int
        Of those that were missing.
    seconds : float
        That the run took.
    seconds_left : float or None
        None while that cannot be told.
    error : str
        What failed; empty when nothing did.
    """

    job: Job
    position: int
    n: int
    seconds: float
    seconds_left: float | None
    error: str


@dataclass(frozen=True)
class Swept:
    """A sweep that was gathered.

    Attributes
    ----------
    sweep : Sweep
    folder : Path
        Holds ``results.csv``, ``results.parquet``, ``sweep.json`` and a file for each run.
    frame : DataFrame
        The tidy table.
    n_performed, n_finished, n_missing : int
        Performed now, finished in all, and neither finished nor failed.
    failures : tuple of mapping
        ``run`` and the error of each run that failed.
    """

    sweep: Sweep = field(repr=False)
    folder: Path
    frame: pd.DataFrame = field(repr=False)
    n_performed: int
    n_finished: int
    n_missing: int
    failures: tuple[Mapping[str, Any], ...]

    def require_complete(self) -> None:
        """Refuse a sweep with failed or missing runs; its table is there nevertheless.

        Raises
        ------
        SweepError
            Some runs failed, or were not performed.
        """
        if not self.failures and not self.n_missing:
            return
        said = [f"run {each['run']}: {each['what']}" for each in self.failures[:5]]
        said += [f"and {len(self.failures) - 5} more"] if len(self.failures) > 5 else []
        said += [f"{self.n_missing} not performed"] if self.n_missing else []
        raise SweepError(
            "sweep.incomplete",
            f"{self.n_finished} of {self.sweep.n} runs are finished; the others are not:\n  " + "\n  ".join(said),
            where=self.folder.name,
            why="The table holds all runs; those without numbers say why.",
            do="Mend the reason and call the same command again: only what is missing is performed.",
            failures=self.failures,
        )


def conduct(
    sweep: Sweep,
    *,
    root: Path = Path("runs"),
    performer: Performer = perform_here,
    progress: Callable[[Step], None] | None = None,
) -> Swept:
    """Perform what is missing of a sweep, and gather all of it.

    Parameters
    ----------
    sweep : Sweep
        What to run.
    root : Path
        Where run folders are.
    performer : callable
        Takes jobs and gives their results as they are finished; by default warm processes on this machine.
    progress : callable, optional
        Called with a :class:`Step` after each run.

    Returns
    -------
    Swept
        Also when runs failed; see :meth:`Swept.require_complete`.

    Raises
    ------
    SweepError
        The same sweep is under way elsewhere.
    VirkningError
        The disk is full; what is finished is kept.
    """
    store = Store.of(sweep.programme.name, sweep.mark, root)
    with store.alone():
        store.open(sweep)
        jobs = store.missing(sweep)
        by_number = {job.number: job for job in jobs}
        pace = _Pace(len(jobs))
        if jobs:
            results = performer(jobs)
            try:
                for position, result in enumerate(results, start=1):
                    _require_trust(result)
                    store.write(result)
                    if progress:
                        what = str(result["error"]["what"]) if result["status"] != FINISHED else ""
                        job = by_number[int(result["number"])]
                        progress(Step(job, position, len(jobs), float(result["seconds"]), pace.left(position), what))
            finally:
                _close(results)
        return gather(sweep, store, n_performed=len(jobs))


def _require_trust(result: Result) -> None:
    """Stop the sweep when code or data are not those with which it began: every further run would fail too."""
    error = result["error"]
    if error and error["code"] in (OTHER_VERSION, OTHER_CONTENT):
        raise SweepError(error["code"], error["what"], where=error["where"], why=error["why"], do=error["do"])


def _close(results: Iterator[Result]) -> None:
    close = getattr(results, "close", None)
    if close is not None:
        close()


class _Pace:
    """How long the rest takes, by a clock that nobody can set."""

    def __init__(self, n: int) -> None:
        self._n, self._first = n, 0.0

    def left(self, position: int) -> float | None:
        now = time.monotonic()
        if position == 1:
            # Counted from the first result, since starting the processes happens once.
            self._first = now
        if position < _ENOUGH_TO_TELL:
            return None
        return (now - self._first) / (position - 1) * (self._n - position)


def gather(sweep: Sweep, store: Store, *, n_performed: int = 0) -> Swept:
    """Return all results that are there as one table, and write it.

    Parameters
    ----------
    sweep : Sweep
        What was run.
    store : Store
        Where its results are.
    n_performed : int
        Performed just now.

    Raises
    ------
    VirkningError
        The disk is full; what is finished is kept.
    """
    results = list(store.results(sweep))
    failed = failures(results)
    n_finished = sum(result is not None and result["status"] == FINISHED for result in results)
    frame = tidy(sweep, results)
    text = to_csv(frame)
    write_atomically(store.folder / TABLE, text)
    write_parquet(frame, store.folder / PARQUET)
    found = Swept(sweep, store.folder, frame, n_performed, n_finished, sweep.n - n_finished - len(failed), failed)
    record = _record(found, text)
    write_page(store.folder, record, sweep.programme)
    # Last, since it says that the others are there.
    write_atomically(store.folder / RECORD, json.dumps(record, indent=2, ensure_ascii=False))
    return found


def _record(found: Swept, text: str) -> dict[str, Any]:
    sweep = found.sweep
    return {
        "programme": sweep.programme.name,
        "sweep": sweep.mark,
        "content": sweep.content,
        "paths": sweep.paths,
        "command": sweep.command,
        "changes": sweep.programme.changes,
        "n_runs": sweep.n,
        "n_finished": found.n_finished,
        "n_failed": len(found.failures),
        "made_with": identity(),
        "table_checksum": checksum(text),
    }


@dataclass(frozen=True)
class Plan:
    """What a sweep would do.

    Attributes
    ----------
    n, n_missing : int
        Runs, and those that are not finished yet.
    seconds_each : float or None
        Of a run, by the runs of earlier sweeps; None when there are none.
    n_measured : int
        From how many earlier runs.
    seconds : float or None
        All that is missing, with so many processes.
    """

    n: int
    n_missing: int
    seconds_each: float | None
    n_measured: int
    seconds: float | None


def plan(sweep: Sweep, *, root: Path = Path("runs"), workers: int = 1) -> Plan:
    """Return what a sweep would do and how long that takes; nothing runs.

    Parameters
    ----------
    sweep : Sweep
        What would run.
    root : Path
        Where run folders are.
    workers : int
        Runs that go side by side.
    """
    n_missing = len(Store.of(sweep.programme.name, sweep.mark, root).missing(sweep))
    measured = earlier_seconds(sweep.programme.name, root)
    each = statistics.median(measured) if measured else None
    return Plan(sweep.n, n_missing, each, len(measured), None if each is None else each * n_missing / max(workers, 1))


def perform_job(job: Job, *, root: Path = Path("runs"), name: str) -> Result:
    """Perform one run of a file of jobs in this process, and keep its result where the sweep will look for it.

    Parameters
    ----------
    job : Job
        A line of the file.
    root : Path
        Where run folders are.
    name : str
        Of the programme.

    Raises
    ------
    VirkningError
        The run failed; the failure is kept too.
    """
    from .single_run import WarmProcess

    result = WarmProcess().perform(job)
    Store.of(name, job.sweep, root).write(result)
    if result["status"] != FINISHED:
        error = result["error"]
        raise SweepError(
            error["code"], error["what"], where=error["where"], why=error["why"], do=error["do"], failures=[error]
        )
    return result
