"""Whether the folder of a run still holds what the run left there: all of its chapters, each as it was made."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..errors import UsageError
from ..programme import Programme
from ..provenance import checksum
from ..report.record import command
from ..run import pages_of
from ..run.store import NOTEBOOK
from ..run.work import MANIFEST
from .stored import StoredRun

_MOST_NAMED = 8


def touched_files(run: StoredRun) -> tuple[str, ...]:
    """Return the chapters and results that are not as the run left them, or not there; none where nothing was noted."""
    try:
        manifest = json.loads((run.folder / MANIFEST).read_text(encoding="utf-8"))
        noted = {
            f"notebooks/{name}.ipynb" if file == NOTEBOOK else file: digest
            for name, about in manifest.items()
            for file, digest in about["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()
    return tuple(file for file, digest in noted.items() if _digest(run, file) != digest)


def _digest(run: StoredRun, file: str) -> str:
    try:
        return checksum((run.folder / file).read_bytes())
    except OSError:
        return ""


def require_finished(run: StoredRun, programme: Programme, chapters: Sequence[str] | None = None) -> None:
    """Refuse a run that lacks chapters: what was never made, or is gone, cannot be compared.

    Parameters
    ----------
    run : StoredRun
        Of any status.
    programme : Programme
        Of the run, with its changes.
    chapters : sequence of str, optional
        Only these are wanted.

    Raises
    ------
    UsageError
        It lacks some; the message names them, and says how to finish the run.
    """
    pages, there = pages_of(programme), set(run.chapters)
    wanted: Sequence[str] = chapters or (pages if run.status in ("running", "interrupted", "failed") else run.finished)
    missing = [name for name in wanted if name not in there and name in pages]
    if not missing:
        return
    named = ", ".join(missing[:_MOST_NAMED])
    more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    ended = {
        "running": "The run is still at work",
        "interrupted": "The run was interrupted before it was finished",
        "failed": f"The run failed in the chapter «{', '.join(run.failed)}»" if run.failed else "The run failed",
    }.get(run.status, "The run's folder is not whole")
    again = command("run", str(run.journal.get("programme_folder") or programme.name), run.changes)
    some = ", or verify what is there with --chapter" if there else ""
    raise UsageError(
        "usage.unfinished_run",
        f"{ended}: {len(missing)} of {len(wanted)} chapters are missing.",
        where=run.name,
        why=f"Missing: {named}{more}. What is not there cannot be compared.",
        do=f"Wait until it has finished{some}."
        if run.status == "running"
        else f"Finish it, which makes only what is missing: {again}{some}.",
    )
