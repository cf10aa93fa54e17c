"""The software and the machine of a run as the record tells them: versions, checksums, threads, locale."""

from __future__ import annotations

from typing import Any

from .stored import StoredRun
from .surroundings import code_words

Entity = dict[str, Any]


def software_entities(run: StoredRun) -> list[Entity]:
    """Return toolkit, Python, packages, lock, machine and settings; what no journal tells is left out."""
    found: dict[str, Any] = run.journal.get("surroundings") or {}
    packages: dict[str, str] = found.get("packages") or run.record.get("packages") or {}
    python = found.get("python") or run.record.get("python", "")
    code = found.get("code") or {"version": run.record.get("virkning", "")}
    toolkit: Entity = {
        "@id": "#virkning",
        "@type": "SoftwareApplication",
        "name": "virkning",
        "softwareVersion": code["version"],
        "description": code_words(code),
        "softwareRequirements": [
            {"@id": "#python"},
            *({"@id": f"#package/{name}"} for name in packages if name != "virkning"),
        ],
    }
    if code.get("commit"):
        toolkit["identifier"] = code["commit"]
        toolkit["creativeWorkStatus"] = "changed since the commit" if code["is_changed"] else "as committed"
    if code.get("checksum"):
        toolkit["sha256"] = code["checksum"]
    entities: list[Entity] = [
        toolkit,
        {"@id": "#python", "@type": "SoftwareApplication", "name": "Python", "softwareVersion": python},
        *(
            {"@id": f"#package/{name}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
            for name, version in packages.items()
            if name != "virkning"
        ),
        _lock(found),
        *_machine(found),
    ]
    return entities


def environment_identifiers(run: StoredRun) -> list[str]:
    """Return the identifiers of the settings that a run was under."""
    found: dict[str, Any] = run.journal.get("surroundings") or {}
    return [f"#environment/{name}" for name in found.get("environment", {})]


def _lock(found: dict[str, Any]) -> Entity:
    lock: Entity = {"@id": "#lock", "@type": "CreativeWork", "name": "requirements.lock"}
    if found.get("lock_checksum"):
        return {
            **lock,
            "description": "Every package with its version and the checksum of its file.",
            "sha256": found["lock_checksum"],
        }
    return {**lock, "description": "The project was installed without its lock; see the packages."}


def _machine(found: dict[str, Any]) -> list[Entity]:
    machine: dict[str, Any] = found.get("machine", {})
    return [
        {
            "@id": "#machine",
            "@type": "Product",
            "name": "A machine of this kind",
            "description": "Its name, its owner and its folders are not noted.",
            "additionalProperty": [{"@id": f"#machine/{name}"} for name in machine],
        },
        *(
            {"@id": f"#machine/{name}", "@type": "PropertyValue", "name": name, "value": value}
            for name, value in machine.items()
        ),
        *(
            {"@id": f"#environment/{name}", "@type": "PropertyValue", "name": name, "value": value}
            for name, value in found.get("environment", {}).items()
        ),
    ]
