"""What goes into a run as the record tells it: every setting with its default, and the tables by their checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..programme import Programme
from ..report.record import is_changed, settings

Entity = dict[str, Any]
TABLES = ("participants", "outcomes")


def settings_and_defaults(programme: Programme) -> dict[str, tuple[Any, Any, bool]]:
    """Return every setting that decides what is computed: its value, its value unchanged, and whether it was changed.

    Parameters
    ----------
    programme : Programme
        With the changes of the run; what holds without them is read from its folder.
    """
    now = settings(programme.resolved())
    before = settings(Programme.read(programme.folder).resolved()) if programme.changes else now
    paths = {**now, **before}
    return {path: (now.get(path), before.get(path), is_changed(path, programme.changes)) for path in paths}


def parameter_entities(programme: Programme) -> list[Entity]:
    """Return each setting as a parameter with its default, and the value that this run gave it."""
    entities: list[Entity] = []
    for path, (value, default, changed) in settings_and_defaults(programme).items():
        parameter: Entity = {
            "@id": f"#parameter/{path}",
            "@type": "FormalParameter",
            "name": path,
            "additionalType": _data_type(default if value is None else value),
            "valueRequired": False,
        }
        if default is not None:
            parameter["defaultValue"] = _plain(default)
        entities.append(parameter)
        if value is not None:
            given: Entity = {
                "@id": f"#value/{path}",
                "@type": "PropertyValue",
                "name": path,
                "value": _plain(value),
                "exampleOfWork": {"@id": parameter["@id"]},
            }
            if changed:
                given["description"] = "Changed for this run."
            entities.append(given)
    return entities


def value_identifiers(programme: Programme) -> list[str]:
    """Return the identifiers of the values that a run was given."""
    return [f"#value/{path}" for path, (value, _, _) in settings_and_defaults(programme).items() if value is not None]


def table_entities(programme: Programme) -> list[Entity]:
    """Return the tables by name and checksum of their files, with source and terms; none for a planned programme."""
    entities: list[Entity] = []
    for name in TABLES if not programme.is_planned else ():
        specification = programme.data
        source = getattr(specification, name)
        file = programme.folder / source.path
        entities += [
            {"@id": f"#input/{name}", "@type": "FormalParameter", "additionalType": "File", "name": name},
            {
                "@id": f"#data/{name}",
                "@type": "CreativeWork",
                "name": name,
                "alternateName": source.path,
                "description": "Not in this record: one row tells of one person. "
                + " ".join(specification.source.split()),
                "conditionsOfAccess": " ".join(specification.license.split()),
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "exampleOfWork": {"@id": f"#input/{name}"},
            },
        ]
    return entities


def file_entities(programme: Programme) -> list[Entity]:
    """Return every other file of the programme's folder by name and checksum: its words, terms, costs and results."""
    tables = set() if programme.is_planned else {getattr(programme.data, name).path for name in TABLES}
    names = [path.relative_to(programme.folder).as_posix() for path in sorted(programme.folder.rglob("*"))]
    return [
        {
            "@id": f"#programme/{name}",
            "@type": "CreativeWork",
            "name": name,
            "sha256": hashlib.sha256((programme.folder / name).read_bytes()).hexdigest(),
        }
        for name in names
        if name not in tables
        and (programme.folder / name).is_file()
        and not any(part.startswith((".", "__")) for part in name.split("/"))
    ]


def _data_type(value: Any) -> str:
    """Return schema.org's name for a kind of value; a list is told as JSON text."""
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    return "Float" if isinstance(value, float) else "Text"


def _plain(value: Any) -> str | bool | float:
    if isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, ensure_ascii=False)


def changed_settings(programme: Programme) -> Mapping[str, tuple[Any, Any]]:
    """Return the settings that this run changed: value, and value without the change."""
    found = settings_and_defaults(programme)
    return {path: (value, default) for path, (value, default, changed) in found.items() if changed}
