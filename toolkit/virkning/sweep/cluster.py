"""Runs on a Dask cluster: the same function on many machines, each with the package and the programme's folder.

Dask gives a run that was lost with its worker to another one; one that takes several workers with it is given up, and
stands among the failures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from ..errors import SweepError
from .processes import lost
from .single_run import Job, Result, WarmProcess

CONNECT_SECONDS = 15
# So long may a cluster be without any worker, while others are started.
PATIENCE_SECONDS = 60.0
# Submitted at once for each thread of the cluster; the rest waits here, so that a long sweep is not held twice.
_AHEAD = 4


def perform(jobs: Sequence[Job], address: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[Result]:
    """Perform runs on a cluster and give each result as it is finished.

    Parameters
    ----------
    jobs : sequence of Job
        What to run.
    address : str
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    patience_seconds : float
        How long to wait while there is no worker.

    Raises
    ------
    SweepError
        Dask is not installed, the scheduler does not answer, no worker is there, or one has another version.
    """
    client = _connected(address)
    try:
        _require_workers(client, patience_seconds)
        _require_same_code(client)
        yield from _results(client, jobs, patience_seconds)
    finally:
        client.close()


def _connected(address: str) -> Any:
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise SweepError(
            "sweep.no_dask",
            "Dask is not installed.",
            where="--dask",
            why="It is an extra: most sweeps run on one machine.",
            do="pip install 'virkning[dask]'",
        ) from None
    try:
        return distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError):
        raise SweepError(
            "sweep.no_scheduler",
            f"No Dask scheduler answers at «{address}».",
            where="--dask",
            do="Start one with «dask scheduler», and name the address that it prints.",
        ) from None


def _n_threads(client: Any) -> int:
    return int(sum(client.nthreads().values()))


def _require_workers(client: Any, patience_seconds: float) -> None:
    until = time.monotonic() + patience_seconds
    while not _n_threads(client):
        if time.monotonic() > until:
            raise SweepError(
                "sweep.no_workers",
                f"The cluster has had no worker for {patience_seconds:g} seconds.",
                where="--dask",
                why="Nobody performs the runs; those that are finished are kept.",
                do="Start workers with «dask worker ADDRESS --nthreads 1», and call the same command again.",
            )
        time.sleep(0.2)


def _version_reporter() -> Any:
    """Return a function that travels whole, so that a worker without this module can answer it too."""

    def report() -> dict[str, str]:
        import hashlib
        import platform
        from importlib import metadata, util
        from pathlib import Path

        found = {"python": platform.python_version()}
        for name in ("virkning", "numpy", "scipy", "pandas", "statsmodels", "linearmodels", "duckdb"):
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                found[name] = "not installed"
        place = util.find_spec("virkning")
        digest = hashlib.sha256()
        if place is not None and place.origin is not None:
            folder = Path(place.origin).parent
            for file in sorted(folder.rglob("*.py")):
                digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
        found["code"] = digest.hexdigest()[:16]
        return found

    return report


def _require_same_code(client: Any) -> None:
    """Refuse a cluster on which any worker would compute with other code than this process."""
    report = _version_reporter()
    own = report()
    for worker, theirs in sorted(client.run(report).items()):
        other = [name for name in own if theirs.get(name) != own[name]]
        if other:
            name = other[0]
            raise SweepError(
                "sweep.other_version",
                f"A worker has {name} {theirs.get(name)}; here it is {own[name]}.",
                where=str(worker),
                why="Results of two versions would stand in one table.",
                do="Install the same version on it, or take it out of the cluster.",
            )


@cache
def _process() -> WarmProcess:
    """Return the memory of this worker, kept from run to run."""
    return WarmProcess()


def perform_one(values: dict[str, Any]) -> Result:
    """Perform one run on a worker.

    Parameters
    ----------
    values : dict
        A job as plain values.
    """
    return _process().perform(Job(**values))


def _results(client: Any, jobs: Sequence[Job], patience_seconds: float) -> Iterator[Result]:
    distributed = import_module("distributed")
    waiting = list(reversed(jobs))
    running: dict[Any, Job] = {}
    while waiting or running:
        while waiting and len(running) < _AHEAD * max(_n_threads(client), 1):
            job = waiting.pop()
            key = f"virkning-{job.sweep[:16]}-{job.number}-{time.monotonic_ns()}"
            running[client.submit(perform_one, job.to_dict(), key=key, pure=False)] = job
        try:
            with client.as_current():
                done = distributed.wait(list(running), timeout=2, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            _require_workers(client, patience_seconds)
            continue
        for future in done:
            job = running.pop(future)
            yield _result_of(future, job)
            future.release()


def _result_of(future: Any, job: Job) -> Result:
    """Return what a run gave; one that was lost with several workers is a failure of its own."""
    if future.status == "finished":
        found: Result = future.result()
        return found
    return lost(job, "The workers that performed the run died.")
