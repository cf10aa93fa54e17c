"""A run with its record: what happened is noted while it goes, and described when it ends, well or badly."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import VirkningError
from ..programme import Programme
from ..run import Progress, Run, require_sound_programme, run
from ..run.store import Store
from .crate import README, read_crate, write_crate
from .journal import Journal, Status
from .readme import write_readme
from .stored import WORKFLOW, StoredRun
from .surroundings import role


def recorded(
    programme: Programme, *, root: Path = Path("runs"), progress: Progress | None = None, **options: Any
) -> Run:
    """Run every chapter of a programme, and leave its record beside the results.

    Parameters
    ----------
    programme : Programme
        With the changes of this run.
    root : Path
        Where run folders are.
    progress : callable, optional
        As for :func:`virkning.run.run`.
    options : dict
        Passed on to :func:`virkning.run.run`.

    Raises
    ------
    VirkningError
        As for :func:`virkning.run.run`; what failed is noted in the run folder first.
    """
    role()  # One that is no role is refused before anything runs.
    journals: list[Journal] = []

    def noted(name: str, position: int, n: int, seconds: float) -> None:
        journals[0].chapter(name, position, n, seconds)
        if progress:
            progress(name, position, n, seconds)

    def opened(folder: Path) -> None:
        journals.append(Journal(folder, programme))
        if journals[0].was != "finished":
            journals[0].write()  # So that even a run that is killed in its first chapter says so.

    try:
        done = run(programme, root=root, progress=noted, opened=opened, **options)
    except KeyboardInterrupt:
        _close_badly(programme, journals, "interrupted")
        raise
    except Exception as error:
        _close_badly(programme, journals, "failed", error)
        raise
    journal = journals[0]
    for name, why in done.reasons.items():
        if not journal.notes["chapters"][name].get("why"):
            journal.notes["chapters"][name]["why"] = why
    if journal.is_touched or journal.was != "finished" or not _is_described(done.folder):
        facts = require_sound_programme(programme, Store(root))
        journal.notes["data"] = {name: facts[name] for name in ("participants", "outcomes")}
        _close(programme, journals, "finished")
    return done


def _is_described(folder: Path) -> bool:
    """Tell whether the record and the README are there, and can be read."""
    return (folder / README).is_file() and (folder / WORKFLOW).is_file() and bool(read_crate(folder))


def _close_badly(programme: Programme, journals: list[Journal], status: Status, error: Exception | None = None) -> None:
    """Note what went wrong; where even that is not possible (a full disk), what went wrong first is what is told."""
    with suppress(VirkningError):
        _close(programme, journals, status, error)


def _close(programme: Programme, journals: list[Journal], status: Status, error: Exception | None = None) -> None:
    """Note how a run ended, and describe it; a call that was refused before there was a folder leaves nothing."""
    for journal in journals:
        journal.end(status, error)
        run = StoredRun(journal.folder)
        write_crate(programme, run)
        write_readme(run)
