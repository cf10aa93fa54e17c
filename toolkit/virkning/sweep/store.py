"""Where a sweep's results lie: one small file for each run, written whole or not at all.

A sweep that was interrupted goes on from them; several processes, or machines that share a disk, may write at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SweepError
from ..provenance import cannot_write, write_atomically
from .definition import Sweep, jobs_text
from .single_run import FINISHED, Job, Result

SWEEPS, RUNS, JOBS, RECORD, LOCK = "sweeps", "runs", "jobs.jsonl", "sweep.json", ".lock"
TABLE, PARQUET, PAGE = "results.csv", "results.parquet", "sweep.html"


@dataclass(frozen=True)
class Store:
    """The folder of one sweep."""

    folder: Path

    @classmethod
    def of(cls, name: str, mark: str, root: Path = Path("runs")) -> Store:
        """Return the store of a sweep.

        Parameters
        ----------
        name, mark : str
            Of the programme and of the sweep.
        root : Path
            Where run folders are.
        """
        return cls((root / name / SWEEPS / mark[:16]).resolve())

    def open(self, sweep: Sweep) -> None:
        """Make the folder and write down what the sweep is.

        Parameters
        ----------
        sweep : Sweep
            Whose store this is.

        Raises
        ------
        VirkningError
            The disk is full or the folder cannot be written.
        """
        if not (self.folder / JOBS).is_file():
            write_atomically(self.folder / JOBS, jobs_text(sweep))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the sweep for this process; a crash lets go of it.

        Raises
        ------
        SweepError
            Another process performs the same sweep now.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise cannot_write(error, self.folder.name) from None
        try:
            _hold(handle)
        except OSError:
            os.close(handle)
            raise SweepError(
                "sweep.under_way",
                "Another process performs the same sweep now.",
                where=self.folder.name,
                why="Two would do everything twice.",
                do="Wait for it; its results will be there. Another sweep of the same programme may run beside it.",
            ) from None
        try:
            yield
        finally:
            os.close(handle)

    def _file(self, number: int) -> Path:
        return self.folder / RUNS / f"{number:06d}.json"

    def write(self, result: Result) -> None:
        """Keep the result of one run.

        Parameters
        ----------
        result : dict
            As :meth:`~virkning.sweep.single_run.WarmProcess.perform` gives it.

        Raises
        ------
        VirkningError
            The disk is full or the folder cannot be written; what was kept before stays.
        """
        text = json.dumps(result, ensure_ascii=False, sort_keys=True, allow_nan=False)
        write_atomically(self._file(int(result["number"])), text)

    def read(self, job: Job) -> Result | None:
        """Return the result of a run; None when there is none, or not one of this sweep.

        Parameters
        ----------
        job : Job
            The run.
        """
        try:
            found: Result = json.loads(self._file(job.number).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if found.get("sweep") == job.sweep and found.get("number") == job.number else None

    def missing(self, sweep: Sweep) -> list[Job]:
        """Return the runs that have no result yet; those that failed count as missing, and are tried again.

        Parameters
        ----------
        sweep : Sweep
            Whose store this is.
        """
        return [job for job in sweep.jobs if (found := self.read(job)) is None or found["status"] != FINISHED]

    def results(self, sweep: Sweep) -> Iterator[Result | None]:
        """Give each run's result in the order of the runs; None where there is none.

        Parameters
        ----------
        sweep : Sweep
            Whose store this is.
        """
        return (self.read(job) for job in sweep.jobs)


def _hold(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def earlier_seconds(name: str, root: Path = Path("runs"), most: int = 200) -> list[float]:
    """Return how long runs of earlier sweeps of a programme took, in seconds, the latest sweep first.

    Parameters
    ----------
    name : str
        Of the programme.
    root : Path
        Where run folders are.
    most : int
        So many are enough.
    """
    seconds: list[float] = []
    folders = sorted((root / name / SWEEPS).glob("*"), key=lambda each: each.stat().st_mtime, reverse=True)
    for folder in folders:
        for file in sorted((folder / RUNS).glob("*.json"))[: most - len(seconds)]:
            try:
                found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if found.get("status") == FINISHED:
                seconds.append(float(found["seconds"]))
    return seconds
