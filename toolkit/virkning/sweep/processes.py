"""Runs on this machine, in processes forked from one that has imported everything.

Each process takes a share of the runs, keeps data and effects in memory for them, and ends; so nothing can grow. One
that dies, or is silent longer than the limit, costs the run that it was performing, which is tried once more elsewhere.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence

from ..engine import ForkServer
from ..errors import BookError, SweepError, VirkningError
from .single_run import FAILED, Job, Result

LIMIT_SECONDS = 600.0
# Imported once, before any process is forked: what a run imports.
PRELOAD = (
    "virkning.sweep.worker",
    "virkning.data.validation",
    "virkning.certainty",
    "virkning.contract",
    "virkning.economy",
    "pandera.pandas",
    "duckdb",
    "linearmodels",
    "babel.dates",
)
_ATTEMPTS = 2
# A process reads the data once for its share; a small last share lets all processes end together.
_LARGEST_SHARE = 64
_WORTH_SECONDS = 2.0
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
        self._n_finished, self._seconds = 0, 0.0
        self._lost: Counter[int] = Counter()
        self._changed = threading.Condition()

    def station(self, server: ForkServer) -> None:
        """Hand shares to one process after the other until all runs are finished."""
        try:
            while not self.is_stopped and (share := self._share()):
                self._perform(server, share)
        except BaseException as error:  # noqa: BLE001 - raised again where the results are read
            if not self.is_stopped:
                self.done.put(error)

    def _share(self) -> list[Job]:
        """Return the next runs; wait while others still perform some, since a run that is lost comes back."""
        with self._changed:
            while not self._waiting and self._left and not self.is_stopped:
                self._changed.wait(timeout=0.2)
            waiting = len(self._waiting)
            # Long runs go out one by one at the end; of quick ones a process gets some seconds' worth, since its first
            # run takes longer than the others.
            worth = int(_WORTH_SECONDS / max(self._seconds / max(self._n_finished, 1), 1e-3)) if self._n_finished else 1
            n = max(waiting // (2 * self._n), min(worth, -(-waiting // self._n)))
            return [self._waiting.popleft() for _ in range(min(n, _LARGEST_SHARE, waiting))]

    def _perform(self, server: ForkServer, share: Sequence[Job]) -> None:
        open_jobs = {job.number: job for job in share}

        def receive(result: Result) -> None:
            del open_jobs[int(result["number"])]
            self._finished(result)

        try:
            server.call(
                "virkning.sweep.worker:perform_all",
                [job.to_dict() for job in share],
                timeout_seconds=self._limit,
                report=receive,
            )
        except BookError as error:
            if error.code not in _LOST or self.is_stopped:
                raise
            self._take_back(list(open_jobs.values()), _LOST[error.code].format(limit=self._limit))

    def _finished(self, result: Result) -> None:
        with self._changed:
            self._left -= 1
            self._n_finished += 1
            self._seconds += float(result["seconds"])
            self._changed.notify_all()
        self.done.put(result)

    def _take_back(self, jobs: Sequence[Job], reason: str) -> None:
        """Give the runs of a lost process to others; the first of them is the one that it was performing."""
        for position, job in enumerate(jobs):
            self._lost[job.number] += position == 0
            if self._lost[job.number] < _ATTEMPTS:
                with self._changed:
                    self._waiting.append(job)
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
