"""The record of a sweep as a Process Run Crate: every run as an action with its parameters and how it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..provenance import write_atomically
from ..sweep import Store, Sweep, Swept
from ..sweep.single_run import FINISHED
from ..sweep.store import JOBS, PAGE, PARQUET, RECORD, RUNS, TABLE
from .actions import COMPLETED, FAILED
from .crate import CONTEXT, CRATE, CRATE_PROFILE, references
from .inputs import TABLES, file_entities, table_entities
from .journal import FORMAT, JOURNAL, now, read_journal
from .software import environment_identifiers, software_entities
from .stored import StoredRun
from .surroundings import role, surroundings

PROCESS_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
Entity = dict[str, Any]
_FILES = {
    TABLE: ("text/csv", "Every run: its parameters and its answers, cleared of small groups"),
    PARQUET: ("application/vnd.apache.parquet", "The same table"),
    PAGE: ("text/html", "All runs as a page"),
    RECORD: ("application/json", "What the sweep was made of"),
    JOBS: ("application/jsonl", "The runs that were asked for, one a line"),
}


def write_sweep_crate(swept: Swept, started: str = "") -> Path:
    """Write the record of a sweep into its folder, and return where it is.

    Parameters
    ----------
    swept : Swept
        Also one with runs that failed or were not performed.
    started : str
        When it began, in UTC; what an earlier call noted stays, since it went on from there.

    Raises
    ------
    UsageError
        The role in ``VIRKNING_ROLE`` is not a role in plain words.
    VirkningError
        The disk is full or the folder cannot be written.
    """
    before = read_journal(swept.folder)
    notes = {
        "format": FORMAT,
        "status": "finished" if not swept.failures and not swept.n_missing else "failed",
        "started": before.get("started") or started or now(),
        "ended": before.get("ended") if before and not swept.n_performed else now(),
        "surroundings": surroundings(),
        "chapters": {},
    }
    write_atomically(swept.folder / JOURNAL, json.dumps(notes, indent=2, ensure_ascii=False) + "\n")
    text = json.dumps(sweep_crate(swept), indent=1, ensure_ascii=False)
    write_atomically(swept.folder / CRATE, text + "\n")
    return swept.folder / CRATE


def sweep_crate(swept: Swept) -> dict[str, Any]:
    """Return the record of a sweep as JSON-LD.

    Parameters
    ----------
    swept : Swept
        Its folder holds the notes of when and where it was made.
    """
    sweep, notes = swept.sweep, StoredRun(swept.folder)
    programme = sweep.programme
    inputs = [*table_entities(programme), *file_entities(programme)]
    runs = list(_runs(swept))
    files = [*_made(swept.folder), *(entity for entity in runs if entity["@type"] == "File")]
    actions = [entity["@id"] for entity in runs if entity["@type"] == "CreateAction"]
    graph = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": CRATE_PROFILE},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"{programme.specification.title}: a sweep of {programme.name}, {sweep.n} runs",
            "description": sweep.command,
            "identifier": sweep.mark,
            "datePublished": notes.journal["ended"],
            "license": {"@id": "#licence"},
            "conformsTo": {"@id": PROCESS_PROFILE},
            "hasPart": references(entity["@id"] for entity in files),
            "mentions": references(["#sweep", *actions, "#machine"]),
        },
        {
            "@id": "#licence",
            "@type": "CreativeWork",
            "name": "Terms",
            "description": "Results belong to the programme's authors; the data are not here.",
        },
        {"@id": PROCESS_PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {
            "@id": "#agent",
            "@type": "Person",
            "name": role().capitalize(),
            "description": "A role: the record names no person.",
        },
        _whole(swept, notes, [entity["@id"] for entity in inputs if entity["@type"] == "CreativeWork"]),
        *_parameters(sweep),
        *inputs,
        *software_entities(notes),
        *_made(swept.folder),
        *runs,
    ]
    return {"@context": CONTEXT, "@graph": graph}


def _whole(swept: Swept, notes: StoredRun, inputs: list[str]) -> Entity:
    done: Entity = {
        "@id": "#sweep",
        "@type": "CreateAction",
        "name": f"A sweep of {swept.sweep.programme.name}",
        "description": swept.sweep.command,
        "agent": {"@id": "#agent"},
        "instrument": {"@id": "#virkning"},
        "object": references(inputs),
        "result": references(name for name in _FILES if (swept.folder / name).is_file()),
        "environment": references(environment_identifiers(notes)),
        "startTime": notes.journal["started"],
        "endTime": notes.journal["ended"],
        "actionStatus": COMPLETED if not swept.failures and not swept.n_missing else FAILED,
    }
    if done["actionStatus"] == FAILED:
        done["error"] = f"{len(swept.failures)} of {swept.sweep.n} runs failed, {swept.n_missing} were not performed."
    return done


def _runs(swept: Swept) -> Iterator[Entity]:
    """Give each run that was performed as an action, and the file that it left."""
    sweep = swept.sweep
    tables = [] if sweep.programme.is_planned else [f"#data/{name}" for name in TABLES]
    for job, values, result in zip(sweep.jobs, sweep.values, Store(swept.folder).results(sweep), strict=True):
        if result is None:
            continue
        name = f"{RUNS}/{job.number:06d}.json"
        file = swept.folder / name
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC).replace(microsecond=0)
        done: Entity = {
            "@id": f"#run/{job.number}",
            "@type": "CreateAction",
            "name": f"Run {job.number} of {sweep.n}",
            "agent": {"@id": "#agent"},
            "instrument": {"@id": "#virkning"},
            "object": references([*tables, *(_identifier(path, values[path]) for path in sweep.paths)]),
            "endTime": written.isoformat().replace("+00:00", "Z"),
            "actionStatus": COMPLETED if result["status"] == FINISHED else FAILED,
        }
        if result["status"] == FINISHED:
            done["result"] = {"@id": name}
            yield {
                "@id": name,
                "@type": "File",
                "name": f"What run {job.number} answered",
                "encodingFormat": "application/json",
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "conditionsOfAccess": f"Not cleared of small groups: share {TABLE} instead.",
            }
        else:
            done["error"] = f"{result['error']['code']}: {result['error']['what']}"
        yield done


def _identifier(path: str, value: Any) -> str:
    return f"#value/{path}={hashlib.sha256(_said(value).encode()).hexdigest()[:12]}"


def _said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _parameters(sweep: Sweep) -> Iterator[Entity]:
    """Give each varied parameter with its declared value, and each value that some run gave it."""
    from ..sweep.single_run import lookup

    declared: Mapping[str, Any] = sweep.programme.resolved()
    for path in sweep.paths:
        default = lookup(declared, path)
        parameter: Entity = {"@id": f"#parameter/{path}", "@type": "FormalParameter", "name": path}
        parameter |= {"additionalType": "Text", "valueRequired": False}
        yield parameter if default is None else {**parameter, "defaultValue": _plain(default)}
        for value in {_said(values[path]): values[path] for values in sweep.values}.values():
            yield {
                "@id": _identifier(path, value),
                "@type": "PropertyValue",
                "name": path,
                "value": _plain(value),
                "exampleOfWork": {"@id": f"#parameter/{path}"},
            }


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else _said(value)


def _made(folder: Path) -> Iterator[Entity]:
    """Give the files that the sweep as a whole left."""
    for name, (kind, words) in _FILES.items():
        if (folder / name).is_file():
            content = (folder / name).read_bytes()
            yield {
                "@id": name,
                "@type": "File",
                "name": name,
                "description": words,
                "encodingFormat": kind,
                "contentSize": str(len(content)),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
