"""What chapters leave for later ones, compared file by file between two runs.

Estimates hold one number for each person, so a difference is told by its place and its size, and never by a value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..run.chapters import CHAPTERS
from .exhibits import Compared, relative_difference
from .stored import StoredRun

KIND = "result file"
_MOST_NAMED = 3
_OWNERS = {f"results/{file}": entry.name for entry in CHAPTERS for file in entry.results}


def compare_result_files(first: StoredRun, second: StoredRun, names: list[str]) -> list[Compared]:
    """Return what became of every result that some chapters left, in two runs.

    Parameters
    ----------
    first, second : StoredRun
        The run as it lies there, and as it was made again.
    names : list of str
        The chapters.
    """
    before, after = _files(first, names), _files(second, names)
    return [_compare(name, before.get(name), after.get(name)) for name in sorted({*before, *after})]


def _files(run: StoredRun, names: list[str]) -> dict[str, Path]:
    found = sorted(path for path in (run.folder / "results").rglob("*") if path.is_file())
    files = {path.relative_to(run.folder).as_posix(): path for path in found if not path.name.startswith(".")}
    return {name: path for name, path in files.items() if _OWNERS.get(name, names[0]) in names}


def _compare(name: str, first: Path | None, second: Path | None) -> Compared:
    which = (_OWNERS.get(name, "results"), KIND, name.removeprefix("results/"), f"What is passed on in {name}")
    if first is None or second is None:
        only = "second" if first is None else "first"
        return Compared(*which, "new" if first is None else "missing", f"only in the {only} run")
    here, there = first.read_bytes(), second.read_bytes()
    if here == there:
        return Compared(*which, "same")
    try:
        before, after = (dict(_leaves(json.loads(content), "")) for content in (here, there))
    except ValueError:
        return Compared(*which, "differs", "it is damaged, or of another kind")
    places = [path for path in dict.fromkeys([*before, *after]) if before.get(path) != after.get(path)]
    more = f", and {len(places) - _MOST_NAMED} more" if len(places) > _MOST_NAMED else ""
    apart = max((_apart(before, after, path) for path in places), default=None)
    detail = "at " + "; ".join(places[:_MOST_NAMED]) + more if places else "written differently"
    return Compared(*which, "differs", detail, len(before), len(places), apart)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Give the place of every single value, with the value."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value
        return
    for key, below in items:
        yield from _leaves(below, f"{path}.{key}" if path else str(key))


def _apart(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> float:
    return relative_difference(str(before.get(path)), str(after.get(path)))
