"""Finished chapters, kept by what went into them: one that is there is copied, never made again.

A chapter is made in a folder of its own beside the store and put into it whole, by one renaming. So whoever looks finds
all of it or nothing, also when several processes are at work, and when one of them was killed.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..provenance import cannot_write, checksum, exclusive, is_alive, write_atomically
from .inputs import Inputs

PLACE = ".store"
ABOUT = "about.json"
NOTEBOOK = "notebook.ipynb"


@dataclass(frozen=True)
class Kept:
    """A finished chapter in the store.

    Attributes
    ----------
    folder : Path
        Holds the executed notebook and ``results/``.
    files : mapping of str to str
        Each of its files with its digest.
    """

    folder: Path
    files: Mapping[str, str]

    def content(self, name: str) -> bytes | None:
        """Return a file; None when it is not what was put there."""
        try:
            content = (self.folder / name).read_bytes()
        except OSError:
            return None
        return content if checksum(content) == self.files[name] else None

    def is_whole(self) -> bool:
        """Tell whether every file is as it was put there."""
        return all(self.content(name) is not None for name in self.files)


class Store:
    """The finished chapters below a folder of runs.

    Parameters
    ----------
    runs : Path
        The folder of runs; chapters are shared between all programmes and runs in it.
    """

    def __init__(self, runs: Path) -> None:
        self.place = runs.resolve() / PLACE

    def find(self, key: str) -> Kept | None:
        """Return the chapter of that key; None when there is none, or a damaged one."""
        folder = self.place / "chapters" / key
        try:
            files = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError):
            return None
        kept = Kept(folder, files)
        return kept if kept.is_whole() else None

    @contextmanager
    def making(self, key: str) -> Iterator[Path]:
        """Give an empty folder to make a chapter in; afterwards it is gone, or in the store.

        Whoever wants to make the same chapter at the same time waits, and finds it made.
        """
        try:
            (self.place / "locks").mkdir(parents=True, exist_ok=True)
            self._clear()
            with exclusive(self.place / "locks" / key):
                folder = Path(tempfile.mkdtemp(prefix=f".{os.getpid()}-", dir=self.place))
                try:
                    yield folder
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise cannot_write(error, PLACE) from None

    def put(self, key: str, folder: Path, name: str, inputs: Inputs) -> Kept:
        """Put a folder that holds a finished chapter into the store, and return it as it lies there.

        Parameters
        ----------
        key : str
            What it was made of.
        folder : Path
            Where it was made.
        name : str
            Of the chapter.
        inputs : mapping
            What went into it.
        """
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(folder).as_posix(): checksum(path.read_bytes()) for path in paths}
        about = {"chapter": name, "inputs": inputs, "files": files}
        write_atomically(folder / ABOUT, json.dumps(about, indent=2, ensure_ascii=False))
        target = self.place / "chapters" / key
        target.parent.mkdir(exist_ok=True)
        if target.exists():  # Damaged, or it would have been found.
            shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
        return Kept(target, files)

    def _clear(self) -> None:
        """Clear away what killed processes left."""
        for left in self.place.glob(".[0-9]*-*"):
            owner = left.name[1:].partition("-")[0]
            if not (owner.isdigit() and is_alive(int(owner))):
                shutil.rmtree(left, ignore_errors=True)

    def facts(self, key: str) -> dict[str, str | int] | None:
        """Return what was found when data and design of this content were found sound; None when they never were."""
        return read_json(self.place / "sound" / f"{key}.json") or None

    def note_facts(self, key: str, facts: Mapping[str, str | int]) -> None:
        """Note that data and design of this content are sound, with facts about them."""
        write_atomically(self.place / "sound" / f"{key}.json", json.dumps(facts))

    def latest(self, programme: str) -> dict[str, Inputs]:
        """Return what went into each chapter of the programme when it was last asked for."""
        return read_json(self.place / "latest" / f"{programme}.json")

    def note_latest(self, programme: str, inputs: Mapping[str, Inputs]) -> None:
        """Note what went into each chapter of the programme."""
        if inputs != self.latest(programme):
            write_atomically(self.place / "latest" / f"{programme}.json", json.dumps(inputs, ensure_ascii=False))


def read_json(file: Path) -> dict[str, Any]:
    """Return what a file of values holds; nothing when it is missing or damaged, so that it is made again."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
