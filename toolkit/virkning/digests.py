"""Digests of content: files, folders, and what everything depends on (code, schemas, packages, Python); quick to make.

Nothing heavy is imported here, so that a command can find out at once that nothing has changed.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path

from .provenance import checksum
from .resources import folder as resource

TOOLKIT, SCHEMAS, TABLES, PACKAGES, PYTHON = "toolkit", "data schemas", "tables of the book", "packages", "Python"
_PACKAGE = Path(__file__).parent
# These stand above the chapters: no chapter can depend on them, which the import contract makes sure of.
_ABOVE = frozenset(
    {
        "__pycache__",
        "shipped",
        "book",
        "cli",
        "gate",
        "publication",
        "record",
        "starter",
        "sweep",
        "typesetting",
        "unchanged",
    }
)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content; within one process an untouched file is read once."""
    seen = path.stat()
    return _digest(path, seen.st_size, seen.st_mtime_ns, seen.st_ino)


@lru_cache(maxsize=4096)
def _digest(path: Path, size: int, changed: int, number: int) -> str:
    return checksum(path.read_bytes())


def folder_digest(root: Path, *, without: frozenset[str] = frozenset()) -> str:
    """Return the SHA-256 of all files below a folder by relative name and content; hidden files do not count."""
    parts = []
    for path in _files(root, without):
        parts += [path.relative_to(root).as_posix(), file_digest(path)]
    return checksum(*parts)


def _files(root: Path, without: frozenset[str]) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in without or path.stem in without or path.suffix == ".pyc":
            continue
        if path.is_dir():
            yield from _files(path, frozenset({"__pycache__"}))
        elif path.is_file():
            yield path


@cache
def surroundings() -> Mapping[str, str]:
    """Return what every chapter depends on: code, schemas, shared tables, packages and Python.

    Of the code that is what chapters can reach. It is looked at once in a process, since a process that works goes on
    with the code that it has loaded.
    """
    book = resource("book")
    tables = [*sorted(book.glob("*.csv")), *_files(book / "contracts", frozenset())]
    return {
        TOOLKIT: folder_digest(_PACKAGE, without=_ABOVE),
        SCHEMAS: folder_digest(resource("data_schemas")),
        TABLES: checksum(*(part for path in tables for part in (path.name, file_digest(path)))),
        PACKAGES: checksum(*installed()),
        PYTHON: platform.python_version(),
    }


def installed() -> list[str]:
    """Return every installed distribution with its version, as its folder is called: quicker than asking each."""
    found = set()
    for place in sys.path:
        try:
            names = [path.name for path in Path(place or ".").iterdir()]
        except OSError:
            continue
        found |= {name for name in names if name.endswith((".dist-info", ".egg-info"))}
    return sorted(found)
