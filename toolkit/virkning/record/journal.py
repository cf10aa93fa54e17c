"""What happened in a run, chapter by chapter, noted while it goes: the raw material of the record.

The journal lies in the run folder as ``journal.json``. It is written whenever a chapter is finished and when the run
ends, also badly, so that even a run that was killed tells how far it came.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import VirkningError
from ..provenance import is_alive, write_atomically

if TYPE_CHECKING:
    from ..programme import Programme

JOURNAL = "journal.json"
# Holds the process that is at work in a run folder, while it is.
AT_WORK = ".at_work"
FORMAT = 1
Status = Literal["running", "finished", "failed", "interrupted"]
_CHAPTER = re.compile(r"chapter ([\w/-]+)")


def now() -> str:
    """Return the time of day in UTC, to the second."""
    return _written(datetime.now(UTC))


def _written(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")


class Journal:
    """The notes of one run, kept in its folder; notes of chapters that an earlier call finished stay.

    Parameters
    ----------
    folder : Path
        The run folder, with its record of what went in.
    programme : Programme
        With the changes of the run.
    """

    def __init__(self, folder: Path, programme: Programme) -> None:
        before = read_journal(folder)
        self.folder = folder
        self.was = before.get("status", "")
        self.is_touched = False
        self.notes: dict[str, Any] = {
            "format": FORMAT,
            "status": "running",
            "started": before.get("started") or now(),
            "ended": before.get("ended"),
            "programme_folder": said_folder(programme),
            "surroundings": before.get("surroundings"),
            "data": before.get("data"),
            "expected": before.get("expected"),
            "chapters": before.get("chapters", {}),
        }

    def chapter(self, name: str, position: int, n: int, seconds: float) -> None:
        """Note that a chapter is finished, as the progress of a run tells it."""
        self.notes["expected"] = n
        notes = self.notes["chapters"]
        if seconds <= 0 and name in notes and notes[name]["status"] == "finished":
            return
        ended = datetime.now(UTC)
        times = (
            {"started": _written(ended - timedelta(seconds=seconds)), "ended": _written(ended)} if seconds > 0 else {}
        )
        notes[name] = {
            "status": "finished",
            "seconds": round(seconds, 1) or None,
            "is_reused": seconds <= 0,
            **times,
        }
        self.is_touched = True
        self.write()

    def end(self, status: Status, error: BaseException | None = None) -> None:
        """Note how the run ended; a failure with the chapter that failed, its code and its words."""
        self.notes |= {"status": status, "ended": now()}
        self.notes.pop("error", None)
        if isinstance(error, VirkningError):
            told = {"code": error.code, "what": error.what, "where": error.where}
            self.notes["error"] = told
            found = _CHAPTER.match(error.where)
            if found:
                self.notes["chapters"][found[1]] = {"status": "failed", "ended": now(), "error": told}
        self.write()
        if _worker(self.folder) == os.getpid():
            (self.folder / AT_WORK).unlink(missing_ok=True)

    def write(self) -> None:
        """Write the notes, with what another process that works in the same folder has noted meanwhile.

        Raises
        ------
        VirkningError
            The disk is full, or the folder cannot be written.
        """
        mine = self.notes["chapters"]
        for name, note in read_journal(self.folder).get("chapters", {}).items():
            # Who made a chapter knows when; whoever found it there does not.
            if note.get("status") == "finished" and not note.get("is_reused") and mine.get(name, note).get("is_reused"):
                mine[name] = note
        # Looked at while the first chapters are at work, not before.
        if self.notes.get("surroundings") is None and (mine or self.notes["status"] != "running"):
            from .surroundings import surroundings

            self.notes["surroundings"] = surroundings()
        if self.notes["status"] == "running":
            write_atomically(self.folder / AT_WORK, str(os.getpid()))
        write_atomically(self.folder / JOURNAL, json.dumps(self.notes, indent=2, ensure_ascii=False) + "\n")


def read_journal(folder: Path) -> dict[str, Any]:
    """Return the notes of a run; empty when there are none, or none that can be read."""
    try:
        values = json.loads((folder / JOURNAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) and isinstance(values.get("chapters"), dict) else {}


def is_at_work(folder: Path) -> bool:
    """Tell whether a process that lives is at work in a run folder."""
    process = _worker(folder)
    return process is not None and is_alive(process)


def _worker(folder: Path) -> int | None:
    """Return the process that noted last that it works in a run folder."""
    try:
        return int((folder / AT_WORK).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def said_folder(programme: Programme) -> str:
    """Return what a programme is called from here: its folder where that lies below, else its name; no full path."""
    here = Path.cwd()
    below = programme.folder.relative_to(here).as_posix() if programme.folder.is_relative_to(here) else ""
    return below or programme.name
