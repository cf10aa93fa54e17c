"""Runs as they lie in their folders: which there are, what became of each, and how one is named.

A run is named ``programme/fingerprint``; the first letters of the fingerprint are enough where they are unique.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, did_you_mean
from ..resources import EFFECTS, RECORD
from .journal import is_at_work, read_journal

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from ..estimates import Estimates

WORKFLOW = "workflow.json"
SHORT = 8
# What a reader stumbles over in a file that is damaged; its own words would quote what it found.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class StoredRun:
    """One run folder, read when asked for.

    Attributes
    ----------
    folder : Path
        Holds the record, the executed chapters and the results.
    """

    folder: Path

    @property
    def name(self) -> str:
        """The run's name: programme and the first letters of its fingerprint."""
        return f"{self.folder.parent.name}/{self.folder.name[:SHORT]}"

    @cached_property
    def record(self) -> dict[str, Any]:
        """What went in; empty when it cannot be read."""
        try:
            values = json.loads((self.folder / RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}

    @cached_property
    def journal(self) -> dict[str, Any]:
        """What happened, chapter by chapter; empty for runs from before there were journals."""
        return read_journal(self.folder)

    @property
    def chapters(self) -> tuple[str, ...]:
        """The executed chapters that lie there, by name."""
        place = self.folder / "notebooks"
        found = sorted(place.rglob("*.ipynb")) if place.is_dir() else []
        names = [path.relative_to(place).with_suffix("").as_posix() for path in found]
        return tuple(name for name in names if not any(part.startswith(".") for part in name.split("/")))

    @property
    def status(self) -> str:
        """What became of it: running, finished, failed, interrupted, or unknown where there are no notes."""
        said = str(self.journal.get("status", "unknown"))
        return "interrupted" if said == "running" and not is_at_work(self.folder) else said

    @property
    def failed(self) -> tuple[str, ...]:
        """The chapters that failed."""
        return self._with_status("failed")

    @property
    def finished(self) -> tuple[str, ...]:
        """The chapters that were finished, wherever they are now."""
        return self._with_status("finished")

    def _with_status(self, status: str) -> tuple[str, ...]:
        notes: Mapping[str, Any] = self.journal.get("chapters", {})
        return tuple(name for name, note in notes.items() if note.get("status") == status)

    @property
    def changes(self) -> dict[str, Any]:
        """The dotted paths that were changed, with their values."""
        return dict(self.record.get("changes") or {})

    @property
    def when(self) -> str:
        """When it began: time in UTC, or the day alone where there are no notes."""
        return str(self.journal.get("started") or self.record.get("started") or "")

    @property
    def effects(self) -> Estimates | None:
        """The estimates, where there are any.

        Raises
        ------
        UsageError
            They cannot be read.
        """
        from ..estimates import Estimates

        file = self.folder / EFFECTS
        if not file.is_file():
            return None
        try:
            return Estimates.from_json(file.read_text(encoding="utf-8"))
        except _DAMAGED:
            damaged = UsageError(
                "usage.damaged_results",
                "The estimates of the run cannot be read: their file is damaged.",
                where=f"{self.name}, {EFFECTS}",
                do=f"Put it back, which makes nothing again that is still in the store: {self.command}",
            )
        raise damaged

    def notebook(self, name: str) -> NotebookNode:
        """Return an executed chapter.

        Raises
        ------
        UsageError
            It cannot be read.
        """
        import nbformat

        file = self.folder / "notebooks" / f"{name}.ipynb"
        try:
            notebook = nbformat.read(file, as_version=4)
            if isinstance(notebook.get("cells"), list):
                return notebook
            raise ValueError
        except _DAMAGED:
            damaged = UsageError(
                "usage.damaged_chapter",
                f"The chapter «{name}» of the run cannot be read: its file is damaged.",
                where=f"{self.name}, notebooks/{name}.ipynb",
                why="What it shows cannot be compared.",
                do=f"Put it back, which makes nothing again that is still in the store: {self.command}",
            )
        raise damaged

    @property
    def command(self) -> str:
        """The call that makes the run whole again, as the run noted it."""
        try:
            return str(json.loads((self.folder / WORKFLOW).read_text(encoding="utf-8"))["command"])
        except (OSError, ValueError, KeyError, TypeError):
            return f"virkning run {self.folder.parent.name}, with its changes"

    def to_dict(self) -> dict[str, Any]:
        """Return what a list of runs says of it."""
        return {
            "run": self.name,
            "programme": self.folder.parent.name,
            "status": self.status,
            "chapters": len(self.chapters),
            "expected": self.journal.get("expected"),
            "failed_chapters": list(self.failed),
            "started": self.when,
            "changes": self.changes,
            "version": self.record.get("virkning", ""),
            "fingerprint": self.record.get("fingerprint", ""),
        }


def stored_runs(root: Path = Path("runs"), programme: str | None = None) -> list[StoredRun]:
    """Return the runs below a folder, the latest first.

    Parameters
    ----------
    root : Path
        Where run folders are.
    programme : str, optional
        Short name, or folder, of the programme whose runs are wanted.

    Raises
    ------
    UsageError
        There is no run of that programme.
    """
    found = sorted(_all(root), key=lambda run: (run.when, run.name), reverse=True)
    if programme is None:
        return found
    name = Path(programme).name
    chosen = [run for run in found if run.folder.parent.name in (programme, name)]
    if not chosen:
        known = {run.folder.parent.name for run in found}
        raise UsageError(
            "usage.no_runs",
            f"There is no run of «{programme}».",
            where=root.name,
            do=did_you_mean(name, known) if known else f"Make one: virkning run {programme}",
        )
    return chosen


def _all(root: Path) -> Iterator[StoredRun]:
    for programme in sorted(root.iterdir()) if root.is_dir() else ():
        if programme.name.startswith(".") or not programme.is_dir():
            continue
        for folder in sorted(programme.iterdir()):
            if not folder.name.startswith(".") and (folder / RECORD).is_file():
                yield StoredRun(folder.resolve())


def find_run(said: str, root: Path = Path("runs")) -> StoredRun:
    """Return the run of that name.

    Parameters
    ----------
    said : str
        ``programme/fingerprint`` or the fingerprint alone, either with its first letters only; the programme alone,
        for its latest run; or the run's folder.
    root : Path
        Where run folders are.

    Raises
    ------
    UsageError
        There is none, there are several, or its record is damaged.
    """
    if (Path(said) / RECORD).is_file():
        return _readable(StoredRun(Path(said).resolve()))
    runs = stored_runs(root)
    latest = next((run for run in runs if run.folder.parent.name == said), None)
    if latest is not None:
        return _readable(latest)
    programme, _, mark = said.rpartition("/")
    programme = Path(programme).name
    found = [
        run for run in runs if mark and run.folder.name.startswith(mark) and programme in ("", run.folder.parent.name)
    ]
    if len(found) == 1:
        return _readable(found[0])
    listed = ", ".join(f"{run.folder.parent.name}/{run.folder.name}" for run in found[:5])
    raise UsageError(
        "usage.unclear_run" if found else "usage.no_run",
        f"There {'are several runs' if found else 'is no run'} «{said}».",
        where=root.name,
        why="Only one run can be meant." if found else "",
        do=f"Name one of them: {listed}." if found else "«virkning runs» lists them.",
    )


def _readable(run: StoredRun) -> StoredRun:
    """Refuse a run whose record cannot be read: one would go on from its programme without its changes."""
    if run.record.get("programme"):
        return run
    raise UsageError(
        "usage.damaged_record",
        "The record of the run cannot be read.",
        where=f"{run.name}, {RECORD}",
        why="Nobody knows then what went in; its programme without its changes would be another run.",
        do=f"Take its folder away and call again, which makes nothing again that is still in the store: {run.command}",
    )
