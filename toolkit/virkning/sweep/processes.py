"""Runs on this machine, in processes forked from one that has imported everything.

Each process brings a result and gets the next run, so all end together however long the runs take; it keeps data and
effects in memory, and is replaced after many runs, so that nothing can grow. One that dies, or is silent longer than
the limit, costs the run that it was performing, which is tried once more elsewhere.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

from ..engine import ForkServer
from ..errors import BookError, SweepError, VirkningError
from .single_run import FAILED, Job, Result

LIMIT_SECONDS = 600.0
# Imported once, before any process is forked: what a run imports.
PRELOAD = (
    *("virkning.sweep.worker", "virkning.data.validation", "virkning.certainty", "virkning.contract"),
    *("virkning.economy", "pandera.pandas", "duckdb", "linearmodels", "babel.dates"),
    # These pandera imports when it validates for the first time.
    *("pandera.backends.pandas.builtin_checks", "pandera.backends.pandas.builtin_hypotheses"),
    *("pandera.backends.pandas.register", "pandera.accessors.pandas_accessor", "pandera.api.geopandas"),
)
_ATTEMPTS = 2
# What a library keeps for itself cannot add up for longer than this.
_MOST_RUNS = 1000
_LOST = {"engine.died": "died", "engine.time_limit": "took longer than {limit:g} seconds"}


def perform(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    limit_seconds: float = LIMIT_SECONDS,
    server: ForkServer | None = None,
) -> Iterator[Result]:
    """Perform runs in forked processes and give each result as it is finished.

    Parameters
    ----------
    jobs : sequence of Job
        What to run.
    workers : int, optional
        Processes at once; by default one for each processor.
    limit_seconds : float
        A run that takes longer is stopped.
    server : ForkServer, optional
        One that is open already; by default one is opened for this call, and closed at its end.

    Returns
    -------
    iterator of dict
        Closing it stops the processes.
    """
    n = max(1, min(workers or os.cpu_count() or 1, len(jobs)))
    own = ForkServer(PRELOAD) if server is None else server
    work = _Work(jobs, n, limit_seconds)
    stations = [threading.Thread(target=work.station, args=(own,), daemon=True) for _ in range(n)]
    for station in stations:
        station.start()
    try:
        for _ in jobs:
            found = work.done.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        work.is_stopped = True
        if server is None:
            own.close()
        for station in stations:
            station.join()


class _Work:
    """What is still to do, shared by the threads that each hold one process."""

    def __init__(self, jobs: Sequence[Job], n: int, limit_seconds: float) -> None:
        self.done: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
        self.is_stopped = False
        self._waiting, self._n, self._limit = deque(jobs), n, limit_seconds
        self._left = len(jobs)
        self._lost: Counter[int] = Counter()
        self._changed = threading.Condition()

    def station(self, server: ForkServer) -> None:
        """Keep one process after the other at work until all runs are finished."""
        try:
            while job := self._next():
                self._perform(server, job)
        except BaseException as error:  # noqa: BLE001 - raised again where the results are read
            if not self.is_stopped:
                self.done.put(error)

    def _next(self) -> Job | None:
        """Return the next run; wait while others still perform some, since a run that is lost comes back."""
        with self._changed:
            while not self._waiting and self._left and not self.is_stopped:
                self._changed.wait(timeout=0.2)
            return self._waiting.popleft() if self._waiting and not self.is_stopped else None

    def _perform(self, server: ForkServer, first: Job) -> None:
        """Hold one process: give it a run for each result that it brings, until it is to be replaced."""
        handed: Job | None = first
        n_handed = 1

        def receive(result: Result) -> dict[str, Any] | None:
            nonlocal handed, n_handed
            self._finished(result)
            handed = self._next() if n_handed < _MOST_RUNS else None
            n_handed += 1
            return handed.to_dict() if handed else None

        try:
            server.call(
                "virkning.sweep.worker:perform_all", first.to_dict(), timeout_seconds=self._limit, report=receive
            )
        except BookError as error:
            if error.code not in _LOST or self.is_stopped:
                raise
            if handed is not None:
                self._take_back(handed, _LOST[error.code].format(limit=self._limit))

    def _finished(self, result: Result) -> None:
        with self._changed:
            self._left -= 1
            self._changed.notify_all()
        self.done.put(result)

    def _take_back(self, job: Job, reason: str) -> None:
        """Give the run of a lost process to another one, or give it up."""
        self._lost[job.number] += 1
        if self._lost[job.number] < _ATTEMPTS:
            with self._changed:
                self._waiting.append(job)
                self._changed.notify_all()
        else:
            self._finished(lost(job, f"The process that performed the run {reason}, {_ATTEMPTS} times."))


def lost(job: Job, what: str) -> Result:
    """Return the result of a run whose process is gone.

    Parameters
    ----------
    job : Job
        The run.
    what : str
        What happened.
    """
    error: VirkningError = SweepError(
        "sweep.worker_lost",
        what,
        where=f"run {job.number}",
        why="Most often memory ran out, or the run never ends.",
        do="Try this run alone: virkning run with the same -p.",
    )
    found: Result = {"number": job.number, "sweep": job.sweep, "status": FAILED, "rows": []}
    return found | {"error": error.to_dict(), "seconds": 0.0}
