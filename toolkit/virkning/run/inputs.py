"""What goes into a chapter, by content: digests with a name each, so that one can say which of them has changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..digests import file_digest, folder_digest, surroundings
from ..provenance import checksum
from ..resources import folder as resource
from .chapters import EVERYTHING, Entry
from .texts import notebook_file, text_file

if TYPE_CHECKING:
    from ..programme import Programme

Inputs = dict[str, str]
NOTEBOOK = "notebook"
_NAMED_PROGRAMME = re.compile(r"(?:Programme\.read|Chapter)\(\s*[\"']([\w-]+)[\"']")


def inputs_of_chapter(entry: Entry, programme: Programme, results: Mapping[str, str]) -> Inputs:
    """Return everything that goes into a chapter.

    Parameters
    ----------
    entry : Entry
        The chapter.
    programme : Programme
        With the changes of this run.
    results : mapping of str to str
        Digests of the results of earlier chapters that it reads, by file.
    """
    everything = EVERYTHING in entry.reads
    parts = sorted(programme.resolved()) if everything else ("id", *entry.reads)
    found = {NOTEBOOK: file_digest(notebook_file(entry.source)), **inputs_of_parts(programme, parts)}
    for name in entry.files:
        path = programme.folder / name
        found[name] = file_digest(path) if path.is_file() else "none"
    if everything:
        found["folder"] = folder_digest(programme.folder)
    return {**found, **{f"results of {name}": digest for name, digest in results.items()}}


def inputs_of_parts(programme: Programme, parts: Iterable[str]) -> Inputs:
    """Return parts of the specification, with the tables that they name, and what everything depends on.

    Parameters
    ----------
    programme : Programme
        With the changes of this run.
    parts : iterable of str
        Dotted paths.
    """
    found: Inputs = dict(surroundings())
    resolved = programme.resolved()
    for part in parts:
        value = _at(resolved, part)
        found[part] = checksum(json.dumps(value, sort_keys=True))
        for name, path in _named_files(value, programme.folder):
            found[name] = file_digest(path)
    return found


def inputs_of_text(page: str) -> Inputs:
    """Return everything that goes into a page of text with live results: itself, and the programmes that it names."""
    path = text_file(page)
    found: Inputs = {NOTEBOOK: file_digest(path), **surroundings()}
    for name in sorted(set(named_programmes(path.read_text(encoding="utf-8")))):
        found[f"programme {name}"] = folder_digest(resource("programmes") / name)
    return found


def named_programmes(text: str) -> list[str]:
    """Return the shipped programmes that a page's code reads, in their order; one that is read twice comes twice."""
    return _NAMED_PROGRAMME.findall(text)


def key(name: str, inputs: Inputs) -> str:
    """Return the name under which a chapter that was made of these inputs is kept."""
    return checksum(name, json.dumps(inputs, sort_keys=True))


def _at(values: Any, path: str) -> Any:
    for step in path.split("."):
        values = values.get(step) if isinstance(values, Mapping) else None
    return values


def _named_files(value: Any, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of the folder that a part of the specification names, wherever in it."""
    if isinstance(value, Mapping):
        for below in value.values():
            yield from _named_files(below, folder)
    elif isinstance(value, list):
        for below in value:
            yield from _named_files(below, folder)
    elif isinstance(value, str) and "." in value and "\n" not in value and len(value) < 200:
        try:
            if (folder / value).is_file():
                yield value, folder / value
        except (OSError, ValueError):
            return
