"""The order of the chapters as the record tells it: one workflow, one step for each chapter, one notebook behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..programme import Programme
from ..provenance import code_version, tree_checksum
from ..report.record import command
from ..resources import folder as resource
from ..run.chapters import CHAPTERS, RECORD, chapters_of
from ..run.texts import notebook_file, text_file
from .stored import WORKFLOW, StoredRun

Entity = dict[str, Any]


def ordered_chapters(run: StoredRun) -> list[str]:
    """Return the chapters that lie in a run folder or were tried, each after those on whose results it builds."""
    before: dict[str, set[str]] = {}
    for entry in CHAPTERS:
        # The record of the run, which no chapter makes, goes by the same name as the chapter that shows it.
        before.setdefault(entry.name, set()).update(name for name in entry.after if name != RECORD)
    place = {name: rank for rank, name in enumerate(before)}

    def depth(name: str) -> int:
        return 1 + max((depth(earlier) for earlier in before[name] if earlier in before), default=0)

    depths = {name: depth(name) for name in before}
    notes: Mapping[str, Any] = run.journal.get("chapters", {})
    return sorted({*run.chapters, *notes}, key=lambda name: (depths.get(name, 1), place.get(name, len(place)), name))


def source_of(name: str, programme: Programme) -> Path:
    """Return the file behind a chapter: a notebook, or a text of the book with live results."""
    entry = next((entry for entry in chapters_of(programme) if entry.name == name), None)
    return notebook_file(entry.source) if entry else text_file(name)


def said_source(name: str, programme: Programme) -> str:
    """Return how the file behind a chapter is called in the project."""
    source = source_of(name, programme)
    return source.relative_to(resource("notebooks").parent).as_posix()


def workflow_text(programme: Programme, run: StoredRun) -> str:
    """Return the order of the chapters as JSON, with the one command that goes through it."""
    steps = [
        {"chapter": name, "source": said_source(name, programme), "executed": f"notebooks/{name}.ipynb"}
        for name in ordered_chapters(run)
    ]
    values = {"command": command("run", programme.name, programme.changes), "steps": steps}
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def step_entities(programme: Programme, run: StoredRun) -> list[Entity]:
    """Return the workflow, its steps, and the notebooks that implement them."""
    names = ordered_chapters(run)
    workflow: Entity = {
        "@id": WORKFLOW,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": f"The chapters of {programme.specification.title}",
        "description": command("run", programme.name, programme.changes),
        "encodingFormat": "application/json",
        "programmingLanguage": {"@id": "#python-notebooks"},
        "version": code_version(),
        "buildInstructions": {"@id": "#lock"},
        "hasPart": [{"@id": f"#notebook/{name}"} for name in names],
        "step": [{"@id": f"#step/{name}"} for name in names],
        "output": [{"@id": "#output/chapters"}, {"@id": "#output/results"}],
    }
    language = {
        "@id": "#python-notebooks",
        "@type": "ComputerLanguage",
        "name": "Python in Jupyter notebooks",
        "url": {"@id": "https://jupyter.org/"},
    }
    outputs = [
        _output("chapters", "The executed chapters, with every table and figure"),
        _output("results", "What chapters pass on to later ones, in full precision"),
    ]
    steps = [
        {
            "@id": f"#step/{name}",
            "@type": "HowToStep",
            "name": name,
            "position": position,
            "workExample": {"@id": f"#notebook/{name}"},
        }
        for position, name in enumerate(names, start=1)
    ]
    return [workflow, language, *outputs, *steps, *(_notebook(name, programme) for name in names)]


def _output(name: str, description: str) -> Entity:
    return {
        "@id": f"#output/{name}",
        "@type": "FormalParameter",
        "additionalType": "File",
        "name": name,
        "description": description,
    }


def _notebook(name: str, programme: Programme) -> Entity:
    source = source_of(name, programme)
    entity: Entity = {
        "@id": f"#notebook/{name}",
        "@type": ["SoftwareApplication", "SoftwareSourceCode"],
        "name": said_source(name, programme),
        "softwareVersion": code_version(),
        "programmingLanguage": {"@id": "#python-notebooks"},
    }
    if source.is_file():
        entity["identifier"] = f"sha256:{tree_checksum(source)}"
    return entity
