"""The record of a run as a Provenance Run Crate: ``ro-crate-metadata.json``, JSON-LD that other software reads.

Profile and terms: Workflow Run RO-Crate 0.5, on RO-Crate 1.1. What came of each chapter is an action with a status; the
data are named by checksum and by the terms on which others get them, and never by their content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..programme import Programme
from ..provenance import write_atomically
from .actions import actions
from .exhibits import exhibits
from .inputs import file_entities, parameter_entities, table_entities
from .software import software_entities
from .steps import ordered_chapters, step_entities, workflow_text
from .stored import WORKFLOW, StoredRun

CRATE = "ro-crate-metadata.json"
README = "README.md"
CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",
    {"buildInstructions": "https://codemeta.github.io/terms/buildInstructions"},
]
CRATE_PROFILE = "https://w3id.org/ro/crate/1.1"
WORKFLOW_PROFILE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    WORKFLOW_PROFILE: ("Workflow RO-Crate", "1.0"),
}
Entity = dict[str, Any]
_FORMATS = {
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
}
_DESCRIPTIONS = {
    "record.json": "What went in: the resolved specification, versions and checksums",
    "journal.json": "What happened, chapter by chapter",
    "chapters.json": "What each chapter was made of, by content, and the files that it left",
    WORKFLOW: "The order of the chapters",
    README: "How to get the data, install the software and make every exhibit again",
}
# One number for each person lies in it, under a name that says nothing.
_OF_UNITS = "results/effects.json"


def crate(programme: Programme, run: StoredRun) -> dict[str, Any]:
    """Return the record of a run as JSON-LD.

    Parameters
    ----------
    programme : Programme
        With the changes of the run.
    run : StoredRun
        Its folder, with its record and its journal.
    """
    steps = step_entities(programme, run)
    files, inputs = _file_entities(run), file_entities(programme)
    graph = [
        *_root(programme, run, [WORKFLOW, *(entity["@id"] for entity in files)]),
        *steps,
        *parameter_entities(programme),
        *table_entities(programme),
        *inputs,
        *software_entities(run),
        *actions(programme, run, [entity["@id"] for entity in inputs]),
        *files,
        *_exhibit_entities(run),
    ]
    return {"@context": CONTEXT, "@graph": graph}


def write_crate(programme: Programme, run: StoredRun) -> Path:
    """Write the order of the chapters and the record into a run's folder; return where the record is."""
    write_atomically(run.folder / WORKFLOW, workflow_text(programme, run))
    text = json.dumps(crate(programme, run), indent=2, ensure_ascii=False)
    write_atomically(run.folder / CRATE, text + "\n")
    return run.folder / CRATE


def read_crate(folder: Path) -> dict[str, Entity]:
    """Return the entities of a run's record by their identifiers; empty when there is none that can be read."""
    try:
        graph = json.loads((folder / CRATE).read_text(encoding="utf-8"))["@graph"]
        return {entity["@id"]: entity for entity in graph}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def references(identifiers: Iterable[str]) -> list[dict[str, str]]:
    """Return references to entities."""
    return [{"@id": identifier} for identifier in identifiers]


def _root(programme: Programme, run: StoredRun, files: Iterable[str]) -> list[Entity]:
    """Return the descriptor of the record, the record itself, its licence and its profiles."""
    specification = programme.specification
    journal: Mapping[str, Any] = run.journal
    authors = {f"#author/{position}": name for position, name in enumerate(specification.publication.authors, start=1)}
    return [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": references([CRATE_PROFILE, WORKFLOW_PROFILE]),
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"{specification.title}: a run of {programme.name}",
            "description": " ".join(specification.summary.split()),
            "identifier": run.record.get("fingerprint", ""),
            "datePublished": journal.get("ended") or journal.get("started") or run.when,
            "license": {"@id": "#licence"},
            "conformsTo": references(PROFILES),
            "mainEntity": {"@id": WORKFLOW},
            "hasPart": references(files),
            "mentions": references(["#run", "#orchestration", "#machine"]),
            **({"author": references(authors)} if authors else {}),
        },
        {
            "@id": "#licence",
            "@type": "CreativeWork",
            "name": "Terms, part by part",
            "description": "The data: "
            + (" ".join(programme.data.license.split()) if not programme.is_planned else "there are none yet.")
            + " The toolkit: MIT. The text of its chapters: CC BY 4.0. The programme's own text and results belong to "
            "its authors.",
        },
        *({"@id": identifier, "@type": "Person", "name": name} for identifier, name in authors.items()),
        *(
            {"@id": address, "@type": "CreativeWork", "name": name, "version": version}
            for address, (name, version) in PROFILES.items()
        ),
    ]


def _file_entities(run: StoredRun) -> list[Entity]:
    """Return the files of the run folder but workflow and record; the README is written last: it has no checksum."""
    names = [path.relative_to(run.folder).as_posix() for path in sorted(run.folder.rglob("*")) if path.is_file()]
    entities = []
    for name in names:
        path = run.folder / name
        if name in (CRATE, README, WORKFLOW) or any(part.startswith(".") for part in name.split("/")):
            continue
        content = path.read_bytes()
        entity: Entity = {
            "@id": name,
            "@type": "File",
            "name": name,
            "encodingFormat": _FORMATS.get(path.suffix, "application/octet-stream"),
            "contentSize": str(len(content)),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        if name in _DESCRIPTIONS:
            entity["description"] = _DESCRIPTIONS[name]
        if name == "journal.json":
            entity["about"] = {"@id": "#run"}
        if name == _OF_UNITS:
            entity["description"] = "The estimates, with one number for each unit under a name that says nothing"
            entity["conditionsOfAccess"] = "Share it only on the terms of the data themselves."
        entities.append(entity)
    readme = {"@id": README, "@type": "File", "name": README, "encodingFormat": _FORMATS[".md"]}
    return [{**readme, "description": _DESCRIPTIONS[README]}, *entities]


def _exhibit_entities(run: StoredRun) -> list[Entity]:
    """Return every table, figure and diagram with the checksum of what it shows."""
    kinds = {"table": "Table", "figure": "ImageObject", "diagram": "WebPageElement", "folded": "WebPageElement"}
    return [
        {
            "@id": f"#exhibit/{shown.chapter}/{shown.kind}/{shown.name}" + (f"/{shown.copy + 1}" if shown.copy else ""),
            "@type": kinds[shown.kind],
            "name": shown.title,
            "identifier": shown.name,
            "sha256": shown.checksum,
            "isPartOf": {"@id": f"notebooks/{shown.chapter}.ipynb"},
        }
        for chapter in ordered_chapters(run)
        if chapter in run.chapters
        for shown in exhibits(chapter, run.notebook(chapter))
        if shown.kind in kinds
    ]
