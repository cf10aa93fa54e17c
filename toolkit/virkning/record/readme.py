"""A README in the form that the data editors of social-science journals ask for, generated from the record of a run.

Headings and their order follow the template README of the Social Science Data Editors (Vilhuber and others). What only
the authors can state, they are asked to state; nothing is ticked for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import BookError
from ..provenance import write_atomically
from .crate import CRATE, README, read_crate
from .stored import WORKFLOW, StoredRun

Entities = Mapping[str, Mapping[str, Any]]
# The bands in which the template asks for the time.
_RUNTIMES = (
    (10, "less than 10 minutes"),
    (60, "10 to 60 minutes"),
    (120, "1 to 2 hours"),
    (480, "2 to 8 hours"),
    (1440, "8 to 24 hours"),
    (4320, "1 to 3 days"),
)
_KINDS = {"Table": "Table", "ImageObject": "Figure", "WebPageElement": "Diagram"}
# The packages that a reader looks for; the record names all.
_NAMED = ("numpy", "pandas", "scipy", "statsmodels", "linearmodels", "matplotlib", "seaborn", "papermill", "duckdb")


def write_readme(run: StoredRun) -> Path:
    """Write the README of a run beside its record; return where it is.

    Raises
    ------
    BookError
        The run has no record.
    """
    entities = read_crate(run.folder)
    if not entities:
        raise BookError(
            "book.no_crate", "The run has no record that can be read.", where=CRATE, do="Start the run again."
        )
    write_atomically(run.folder / README, readme(entities))
    return run.folder / README


def readme(entities: Entities) -> str:
    """Return the README as Markdown.

    Parameters
    ----------
    entities : mapping of str to entity
        The record, by identifiers.
    """
    sections = (
        _overview(entities),
        _availability(entities),
        _datasets(entities),
        _requirements(entities),
        _programs(entities),
        _instructions(entities),
        _exhibits(entities),
        _settings(entities),
        _references(),
    )
    return "\n\n".join(["# README", *sections]) + "\n"


def _named(entities: Entities, prefix: str) -> list[Mapping[str, Any]]:
    return [entity for identifier, entity in entities.items() if identifier.startswith(prefix)]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _status(entity: Mapping[str, Any]) -> str:
    words = {"Completed": "finished", "Failed": "failed or was stopped", "Active": "is still at work"}
    said = str(entity.get("actionStatus", "")).rpartition("/")[2].removesuffix("ActionStatus")
    return words.get(said, "finished")


def _overview(entities: Entities) -> str:
    root, whole = entities["./"], entities["#run"]
    n = sum(entity["@id"].startswith("#exhibit/") for entity in entities.values())
    steps = len(entities[WORKFLOW]["step"])
    authors = [entity["name"] for entity in _named(entities, "#author/")]
    by = f" By {', '.join(authors)}." if authors else ""
    return (
        f"## Overview\n\n{root['name']}.{by} {root['description']}\n\n"
        f"One command goes through {steps} chapters, each a notebook, and makes the {n} tables, figures and diagrams "
        f"below: `{whole['description']}`. The run of {whole.get('startTime', 'an unknown day')} {_status(whole)}. "
        f"Fingerprint of all its inputs (SHA-256): `{root['identifier']}`. What went in and what happened stands in "
        f"`{CRATE}` (a Workflow Run RO-Crate)."
    )


def _availability(entities: Entities) -> str:
    lines = ["## Data Availability and Provenance Statements"]
    data = _named(entities, "#data/")
    if not data:
        return lines[0] + "\n\nThere are no data yet: the programme is planned, and this is its plan."
    lines += [
        "### Statement about Rights\n\nTo be ticked by the authors:\n\n"
        "- [ ] We certify that the authors have legitimate access to and permission to use the data.\n"
        "- [ ] We certify that the authors have documented permission to redistribute what this package holds of them.",
        "### Summary of Availability\n\nTo be ticked by the authors, one of:\n\n"
        "- [ ] All data **are** publicly available.\n"
        "- [ ] Some data **cannot be made** publicly available.\n"
        "- [ ] **No data can be made** publicly available.",
        "### Details on each Data Source",
    ]
    said: dict[tuple[str, str], list[str]] = {}
    for entity in data:
        source = entity["description"].removeprefix("Not in this record: one row tells of one person. ")
        said.setdefault((source, entity["conditionsOfAccess"]), []).append(f"`{entity['alternateName']}`")
    for (source, terms), files in said.items():
        lines.append(
            f"- Provenance: {source}\n- Terms of access and use: {terms}\n"
            f"- Files: {', '.join(files)}; not provided here, since one row tells of one person"
        )
    return "\n\n".join(lines)


def _datasets(entities: Entities) -> str:
    rows = [
        (f"`{entity['alternateName']}`", entity["name"], f"`{entity['sha256']}`", "No")
        for entity in _named(entities, "#data/")
    ]
    if not rows:
        return "## Dataset List\n\nNone yet."
    return "## Dataset List\n\n" + _table(("Data file", "Table", "SHA-256", "Provided"), rows)


def _requirements(entities: Entities) -> str:
    toolkit, python, lock = entities["#virkning"], entities["#python"], entities["#lock"]
    packages = [entities[f"#package/{name}"] for name in _NAMED if f"#package/{name}" in entities]
    listed = ", ".join(f"{entity['name']} {entity['softwareVersion']}" for entity in packages)
    lock_words = f", SHA-256 `{lock['sha256']}`" if lock.get("sha256") else f". {lock['description']}"
    machine = {entity["name"]: entity["value"] for entity in _named(entities, "#machine/")}
    threads = {entity["name"]: entity["value"] for entity in _named(entities, "#environment/")}
    seed = entities.get("#value/seed", {}).get("value", "not set")
    environment = ", ".join(f"`{name}={value}`" for name, value in threads.items())
    kind = (
        f"{machine['system']} on {machine['architecture']}, {machine['processors']} processors, memory "
        f"{machine['memory']}, linear algebra by {machine['linear_algebra']}"
        if machine
        else "a machine that nobody noted"
    )
    day = str(entities["#run"].get("startTime", ""))[:10] or "on an unknown day"
    return (
        "## Computational Requirements\n\n### Software Requirements\n\n"
        f"- {toolkit['description']}\n- Python {python['softwareVersion']}: {listed}; all packages stand in `{CRATE}`\n"
        f"- Set up once by `requirements.lock`{lock_words}\n\n"
        "### Controlled Randomness\n\n"
        f"- The setting `seed` of the programme, here {seed}, starts every random number\n\n"
        "### Memory, Runtime, Storage Requirements\n\n"
        f"- Last run: {day}, on {kind}\n- Settings: {environment or 'not noted'}\n- Time: {_runtime(entities)}\n"
        f"- Storage: {_storage(entities)}"
    )


def _moment(entity: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(entity[name]) if entity.get(name) else None


def _runtime(entities: Entities) -> str:
    """Return the time of all chapters, added up, as the band into which it falls; a clock may jump back."""
    seconds, n_known = 0.0, 0
    for chapter in _named(entities, "#chapter/"):
        started, ended = _moment(chapter, "startTime"), _moment(chapter, "endTime")
        if started and ended:
            seconds, n_known = seconds + max((ended - started).total_seconds(), 0.0), n_known + 1
    if not n_known:
        return "not noted, since every chapter was there already"
    band = next((words for minutes, words in _RUNTIMES if seconds < 60 * minutes), "more than 3 days")
    n = len(entities[WORKFLOW]["step"])
    of = f" the {n_known} of {n} chapters that this run made (the others were there already)" if n_known < n else ""
    return f"{band}, for{of or f' {n} chapters'}, added up"


def _storage(entities: Entities) -> str:
    megabytes = sum(int(entity.get("contentSize", 0)) for entity in entities.values()) / 1e6
    return "less than 25 MB" if megabytes < 25 else f"about {megabytes:.0f} MB"


def _programs(entities: Entities) -> str:
    rows = []
    for step in entities[WORKFLOW]["step"]:
        name = entities[step["@id"]]["name"]
        action = entities.get(f"#chapter/{name}")
        rows.append((name, f"`{entities[f'#notebook/{name}']['name']}`", _status(action) if action else "not noted"))
    listed = _table(("Chapter", "Program", "In this run"), rows)
    return (
        "## Description of Programs\n\nIn the order in which they run: each stands after those on whose results it "
        f"builds.\n\n{listed}\n\n### License for Code and Data\n\n{entities['#licence']['description']}"
    )


def _instructions(entities: Entities) -> str:
    whole, toolkit = entities["#run"], entities["#virkning"]
    version = toolkit.get("identifier") or f"v{toolkit['softwareVersion']}"
    files = [f"`{entity['alternateName']}`" for entity in _named(entities, "#data/")]
    steps = [
        f"Take the project at `{version}`" + (" (it had further changes then)" if _is_changed(toolkit) else "") + ".",
        f"With Python {entities['#python']['softwareVersion'].rpartition('.')[0]}, install the packages: `pip install "
        "--require-hashes -r requirements.lock`, then `pip install --no-deps .`",
    ]
    if files:
        steps.append(
            f"Get the data on the terms above, and put {' and '.join(files)} into the programme's folder, the one that "
            f"holds `programme.yml`. The programme's other files stand in `{CRATE}` with their checksums."
        )
    steps += [
        f"Run the chapters: `{whole['description']}`. Their tables and figures lie in the executed notebooks below "
        "`runs/`.",
        "Prove it: with this run's folder below `runs/`, `virkning verify` with its name executes every chapter again "
        "and compares every published value.",
    ]
    numbered = "\n".join(f"{position}. {step}" for position, step in enumerate(steps, start=1))
    return f"## Instructions to Replicators\n\n{numbered}"


def _is_changed(toolkit: Mapping[str, Any]) -> bool:
    return str(toolkit.get("creativeWorkStatus", "")).startswith("changed")


def _exhibits(entities: Entities) -> str:
    rows = []
    for entity in _named(entities, "#exhibit/"):
        executed = entity["isPartOf"]["@id"]
        name = executed.removeprefix("notebooks/").removesuffix(".ipynb")
        program = entities[f"#notebook/{name}"]["name"]
        rows.append((_KINDS[entity["@type"]], entity["name"], f"`{program}`", f"`{entity['identifier']}`"))
    title = "## List of Tables, Figures and Programs\n\n"
    told = "Each stands in the executed notebook of that name below `notebooks/`, marked with the last column.\n\n"
    return title + (told + _table(("Kind", "Title", "Program", "Name"), rows) if rows else "None was made.")


def _settings(entities: Entities) -> str:
    rows = []
    for given in _named(entities, "#value/"):
        if given.get("description"):
            default = entities[given["exampleOfWork"]["@id"]].get("defaultValue", "not set")
            rows.append((f"`{given['name']}`", str(given["value"]), str(default)))
    told = (
        _table(("Setting", "In this run", "Without the change"), rows)
        if rows
        else "None: every setting is as declared."
    )
    return f"## Settings that were Changed\n\n{told}"


def _references() -> str:
    return (
        "## References\n\nThe sources of the data are named above and in the README beside the data; those of the "
        "methods stand in the book, under «References»."
    )
