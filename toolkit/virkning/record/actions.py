"""What happened in a run as the record tells it: the run, its orchestration, and one action for each chapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..programme import Programme
from ..report.record import command
from .inputs import TABLES, value_identifiers
from .software import environment_identifiers
from .steps import ordered_chapters, said_source
from .stored import WORKFLOW, StoredRun

Entity = dict[str, Any]
COMPLETED, FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"
ACTIVE = "http://schema.org/ActiveActionStatus"
_STATUS = {"finished": COMPLETED, "failed": FAILED, "interrupted": FAILED, "running": ACTIVE}


def actions(programme: Programme, run: StoredRun, files: Sequence[str]) -> list[Entity]:
    """Return the run and its chapters as actions with their status, and the role of who started them.

    A chapter that was never begun has no action.

    Parameters
    ----------
    programme, run
        What was run, and where.
    files : sequence of str
        Identifiers of the programme's own files.
    """
    notes: Mapping[str, Mapping[str, Any]] = run.journal.get("chapters", {})
    tried = [name for name in ordered_chapters(run) if name in notes]
    surroundings: dict[str, Any] = run.journal.get("surroundings") or {}
    agent = {
        "@id": "#agent",
        "@type": "Person",
        "name": str(surroundings.get("role", "evaluator")).capitalize(),
        "description": "A role: the record names no person.",
    }
    return [
        agent,
        _orchestration(run, tried),
        _whole(programme, run, notes, files),
        *(entity for name in tried for entity in _chapter(programme, name, notes[name])),
    ]


def _ended(run: StoredRun) -> Entity:
    """Return times and status of the run as a whole."""
    journal = run.journal
    times = {"startTime": journal.get("started"), "endTime": journal.get("ended")}
    status = run.status
    told: Entity = {name: value for name, value in times.items() if value}
    told["actionStatus"] = _STATUS.get(status, COMPLETED)
    if status == "interrupted":
        told["error"] = "Stopped before the end; the next call goes on from the last finished chapter."
    if status == "failed" and journal.get("error"):
        told["error"] = _words(journal["error"])
    return told


def _words(error: Mapping[str, str]) -> str:
    return f"{error['code']}: {error['what']}"


def _orchestration(run: StoredRun, tried: list[str]) -> Entity:
    return {
        "@id": "#orchestration",
        "@type": "OrganizeAction",
        "name": "virkning went through the chapters",
        "agent": {"@id": "#agent"},
        "instrument": {"@id": "#virkning"},
        "object": [{"@id": f"#control/{name}"} for name in tried],
        "result": {"@id": "#run"},
        **_ended(run),
    }


def _whole(
    programme: Programme, run: StoredRun, notes: Mapping[str, Mapping[str, Any]], files: Sequence[str]
) -> Entity:
    tables = [] if programme.is_planned else [f"#data/{name}" for name in TABLES]
    made = [f"notebooks/{name}.ipynb" for name, note in notes.items() if note["status"] == "finished"]
    results = sorted(
        path.relative_to(run.folder).as_posix() for path in (run.folder / "results").rglob("*") if path.is_file()
    )
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"A run of {programme.name}",
        "description": command("run", programme.name, programme.changes),
        "agent": {"@id": "#agent"},
        "instrument": {"@id": WORKFLOW},
        "object": [{"@id": name} for name in [*tables, *files, *value_identifiers(programme)]],
        "result": [{"@id": name} for name in [*sorted(made), *results]],
        "environment": [{"@id": name} for name in environment_identifiers(run)],
        **_ended(run),
    }


def _chapter(programme: Programme, name: str, note: Mapping[str, Any]) -> list[Entity]:
    status = _STATUS[note["status"]]
    told: Entity = {"actionStatus": status}
    if note.get("error"):
        told["error"] = _words(note["error"])
    times = {"startTime": note.get("started"), "endTime": note.get("ended")}
    done: Entity = {
        "@id": f"#chapter/{name}",
        "@type": "CreateAction",
        "name": f"The chapter {name}",
        "description": "Taken over from an earlier run with the same inputs by content."
        if note.get("is_reused")
        else f"Executed {said_source(name, programme)}",
        "agent": {"@id": "#agent"},
        "instrument": {"@id": f"#notebook/{name}"},
        "object": [{"@id": "record.json"}],
        **{key: value for key, value in times.items() if value},
        **told,
    }
    if status == COMPLETED:
        done["result"] = [{"@id": f"notebooks/{name}.ipynb"}]
    control = {
        "@id": f"#control/{name}",
        "@type": "ControlAction",
        "name": f"Had the chapter {name} executed",
        "instrument": {"@id": f"#step/{name}"},
        "object": {"@id": f"#chapter/{name}"},
        **told,
    }
    return [control, done]
