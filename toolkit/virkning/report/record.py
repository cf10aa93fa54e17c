"""The record of a run as a reader sees it: inputs, settings, packages, and how to make it again."""

from __future__ import annotations

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


def settings_table(specification: Mapping[str, Any], changes: Mapping[str, Any]) -> Table:
    """Return every setting that decides what is computed, by its dotted path, and whether this run changed it."""
    rows = [
        (path, str(value), "changed" if _below(path, changes) else "")
        for path, value in _flat(specification, "")
        if value not in (None, "") and _below(path, COMPUTED) and not _below(path, ELSEWHERE)
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
    parameters = "".join(f" -p {shlex.quote(f'{path}={value}')}" for path, value in changes.items())
    lines = [
        f"git checkout v{version}",
        "pip install --require-hashes -r requirements.lock",
        f"virkning book {name}{parameters}",
    ]
    return prose(
        "rerun",
        "In a copy of the project with the same data:\n\n```bash\n" + "\n".join(lines) + "\n```\n\n"
        "If the fingerprint above comes out again, every input was the same, and so is every result.",
    )


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
        yield path, ", ".join(map(str, values)) if isinstance(values, list) else values
