"""The record of a run as a reader sees it: inputs, settings, packages, and how to make it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from ..disclosure import Column, Table
from .exhibit import Exhibit, prose

# The words about a programme stand in its own chapters; these parts decide what is computed.
COMPUTED = (
    "data",
    "plan",
    "design",
    "outcomes",
    "checks",
    "subgroups",
    "vulnerability",
    "reach",
    "contract",
    "economy",
    "publication.disclosure",
    "seed",
)
# The programme's own columns stand in the codebook.
ELSEWHERE = ("data.participants.fields", "data.outcomes.fields")


def record_table(record: Mapping[str, Any]) -> Table:
    """Return what identifies a run; empty for a notebook that was opened by hand."""
    labels = {
        "programme": "Programme",
        "fingerprint": "Fingerprint of all inputs (SHA-256)",
        "data_checksum": "Checksum of the data (SHA-256)",
        "started": "Run on",
        "virkning": "virkning",
        "python": "Python",
        "system": "System",
        "seed": "Seed of all random numbers",
    }
    rows = [(label, str(record[name])) for name, label in labels.items() if name in record]
    frame = pd.DataFrame(rows or [("Run", "opened by hand, so there is no record")], columns=["item", "value"])
    return Table("record", "What went in", (Column("item", "Item"), Column("value", "Value")), frame)


def settings(specification: Mapping[str, Any]) -> dict[str, Any]:
    """Return every setting that decides what is computed, by its dotted path; those that are not set are left out."""
    return {
        path: value
        for path, value in _flat(specification, "")
        if value not in (None, "", []) and _below(path, COMPUTED) and not _below(path, ELSEWHERE)
    }


def is_changed(path: str, changes: Iterable[str]) -> bool:
    """Tell whether a setting, what it lies in, or a part of it is among the changed paths."""
    return _below(path, changes) or any(change.startswith(f"{path}.") for change in changes)


def settings_table(specification: Mapping[str, Any], changes: Mapping[str, Any]) -> Table:
    """Return every setting that decides what is computed, by its dotted path, and whether this run changed it."""
    rows = [
        (path, _said(value), "changed" if is_changed(path, changes) else "")
        for path, value in settings(specification).items()
    ]
    frame = pd.DataFrame(rows, columns=["path", "value", "changed"])
    columns = (Column("path", "Setting"), Column("value", "Value"), Column("changed", "For this run"))
    return Table("settings", "Settings that decide what is computed", columns, frame)


def packages_table(record: Mapping[str, Any]) -> Table:
    """Return the installed packages with their versions."""
    frame = pd.DataFrame(sorted(record.get("packages", {}).items()), columns=["package", "version"])
    return Table("packages", "Installed packages", (Column("package", "Package"), Column("version", "Version")), frame)


def rerun(name: str, version: str, changes: Mapping[str, Any]) -> Exhibit:
    """Return the commands that make the same book again."""
    lines = [
        f"git checkout v{version}",
        "pip install --require-hashes -r requirements.lock",
        command("book", name, changes),
    ]
    return prose(
        "rerun",
        "In a copy of the project with the same data:\n\n```bash\n" + "\n".join(lines) + "\n```\n\n"
        "If the fingerprint above comes out again, every input was the same, and so is every result.",
    )


def proof(record: Mapping[str, Any]) -> Exhibit:
    """Return how a reader proves that the run can be made again, and where its record lies."""
    name = f"{record['programme']}/{record['fingerprint'][:8]}" if record else "RUN"
    return prose(
        "proof",
        "Called where the folder `runs/` with this run lies,\n\n"
        f"```bash\nvirkning verify {name}\n```\n\n"
        "makes every chapter again in clean kernels, reuses nothing, and compares every table to the last bit, every "
        "sentence word by word, and every figure by its drawing and the data behind it. It says which exhibits differ, "
        "if any, and what went in differently. `virkning compare` sets two runs side by side.\n\n"
        "The folder of the run also holds its record for others: `ro-crate-metadata.json`, a "
        "[Workflow Run RO-Crate](https://www.researchobject.org/workflow-run-crate/) (Provenance Run Crate 0.5) that "
        "other software reads, and `README.md`, in the form that the data editors of journals ask for. They tell who "
        "ran it as a role, when, with which code, packages, machine, threads and locale, every setting with its "
        "default, and how each chapter ended. Data are named by their checksum and the terms on which they can be had; "
        "no row of theirs is there, and no path, user or machine is named.",
    )


def command(verb: str, name: str, changes: Mapping[str, Any]) -> str:
    """Return the call of ``virkning`` that makes a run or a book with the same changes."""
    given = ((path, value if isinstance(value, str) else json.dumps(value)) for path, value in changes.items())
    return f"virkning {verb} {name}" + "".join(f" -p {shlex.quote(f'{path}={value}')}" for path, value in given)


def _below(path: str, parts: Iterable[str]) -> bool:
    return any(path == part or path.startswith(f"{part}.") for part in parts)


def _flat(values: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Give (dotted path, value) for every leaf; a list without mappings is one leaf."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(values, list) and any(isinstance(value, Mapping) for value in values):
        for index, value in enumerate(values):
            yield from _flat(value, f"{path}.{index}")
    else:
        yield path, values


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
