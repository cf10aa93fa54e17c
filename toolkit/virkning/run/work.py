"""The work of a run: which chapters wait for which, who is made now, and who is there already."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..digests import folder_digest
from ..errors import BookError
from ..provenance import checksum, write_atomically
from ..resources import RECORD as RECORD_FILE
from ..resources import SCOPE
from .chapters import RECORD, Entry
from .inputs import Inputs, inputs_of_chapter, inputs_of_text, key
from .reasons import AGAIN, reason
from .store import NOTEBOOK, Kept, Store
from .texts import read_notebook, read_text, without_traces

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from ..programme import Programme

# Each kernel takes about 200 MB.
MOST_AT_ONCE = 4
MANIFEST = "chapters.json"


class Kernels(Protocol):
    """Something that executes a notebook; see :mod:`virkning.engine`."""

    def execute(
        self, notebook: NotebookNode, name: str, parameters: Mapping[str, Any], folder: Path, timeout_seconds: int = 600
    ) -> NotebookNode:
        """Run a notebook from top to bottom and return it with its outputs."""


@dataclass(frozen=True)
class Task:
    """One page to execute.

    Attributes
    ----------
    name : str
        Of the page.
    entry : Entry, optional
        The chapter; a page of text with live results has none.
    """

    name: str
    entry: Entry | None = None

    @property
    def after(self) -> tuple[str, ...]:
        """The chapters that must be finished first; the record of the run is there from the beginning."""
        return tuple(name for name in self.entry.after if name != RECORD) if self.entry else ()

    def source(self) -> NotebookNode:
        """Return it as it was written."""
        return read_notebook(self.entry.source) if self.entry else read_text(self.name)


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """Return pages so that each comes after those that it builds on; first those that others wait for, texts last.

    Parameters
    ----------
    tasks : sequence of Task
        In any order.
    """
    waited = {name for task in tasks for name in task.after}
    waiting = sorted(tasks, key=lambda task: (task.name not in waited, task.entry is None))
    found: list[Task] = []
    while waiting:
        behind = {task.name for task in waiting}
        ready = next(task for task in waiting if not behind & set(task.after))
        waiting.remove(ready)
        found.append(ready)
    return found


@dataclass(frozen=True)
class Finished:
    """A page that is there now.

    Attributes
    ----------
    name : str
        Of the page.
    seconds : float
        How long it took; 0.0 when it was there already.
    why : str
        Why it was made, or not.
    """

    name: str
    seconds: float
    why: str


@dataclass
class Work:
    """The pages of one run, and how far they are.

    Attributes
    ----------
    programme : Programme
        With the changes of this run.
    folder : Path
        Of the run.
    store : Store
        Where finished pages are kept.
    tasks : sequence of Task
        In the order of the book.
    kernels : Kernels, optional
        The engine; needed where :meth:`is_due`.
    """

    programme: Programme
    folder: Path
    store: Store
    tasks: Sequence[Task]
    kernels: Kernels | None = None
    inputs: dict[str, Inputs] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before = self.store.latest(self.programme.name)
        self.content = folder_digest(self.programme.folder)
        self._manifest: dict[str, Any] = {}
        try:
            self._manifest = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._manifest = {}

    def is_due(self) -> bool:
        """Tell whether any page is to be made now."""
        found: dict[str, Mapping[str, str]] = {}
        for task in in_order(self.tasks):
            if task.entry and RECORD in task.entry.after and not (self.folder / RECORD_FILE).is_file():
                return True
            mark = key(task.name, self._inputs(task, found))
            kept = None if self._is_here(task.name, mark) else self.store.find(mark)
            if kept is None and not self._is_here(task.name, mark):
                return True
            found[task.name] = kept.files if kept else self._manifest[task.name]["files"]
        return False

    def __iter__(self) -> Iterator[Finished]:
        """Make or fetch every page, those side by side that do not wait for each other; yield each when it is there.

        A page that fails stops those that have not begun; those that are under way are finished and kept.
        """
        known = {task.name for task in self.tasks}
        waiting = in_order(self.tasks)
        done: set[str] = set()
        running: dict[Future[Finished], str] = {}
        with ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
            try:
                while waiting or running:
                    for task in [task for task in waiting if set(task.after) & known <= done]:
                        waiting.remove(task)
                        running[pool.submit(self._one, task)] = task.name
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        done.add(running.pop(future))
                        yield future.result()
            finally:
                pool.shutdown(cancel_futures=True)
                self.store.note_latest(self.programme.name, {**self.before, **self.inputs})

    def _one(self, task: Task) -> Finished:
        inputs = self.inputs[task.name] = self._inputs(task, self._files())
        mark = key(task.name, inputs)
        why = reason(inputs, self.before.get(task.name))
        if self._is_here(task.name, mark):
            return Finished(task.name, 0.0, "unchanged")
        kept = self.store.find(mark)
        if kept is None:
            with self.store.making(mark) as place:
                kept = self.store.find(mark)  # Another process may have made it while this one waited.
                if kept is None:
                    start = time.monotonic()
                    self._execute(task, place)
                    self._require_untouched(task)
                    kept = self.store.put(mark, place, task.name, inputs)
                    self._install(task.name, mark, kept)
                    return Finished(task.name, time.monotonic() - start, why)
        self._install(task.name, mark, kept)
        return Finished(task.name, 0.0, AGAIN)

    def _files(self) -> dict[str, Mapping[str, str]]:
        """Return the files of the pages that lie in the run's folder, with their digests."""
        return {name: noted["files"] for name, noted in self._manifest.items()}

    def _inputs(self, task: Task, made: Mapping[str, Mapping[str, str]]) -> Inputs:
        if task.entry is None:
            return inputs_of_text(task.name)
        return inputs_of_chapter(task.entry, self.programme, self._results_before(task.entry, made))

    def _results_before(self, entry: Entry, made: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Return the files that earlier chapters left for this one, with their digests."""
        found = {}
        if RECORD in entry.after:
            found[RECORD_FILE] = checksum((self.folder / RECORD_FILE).read_bytes())
        for earlier in entry.after:
            files = made.get(earlier, {})
            found.update({file: digest for file, digest in files.items() if file.startswith("results/")})
        return found

    def _execute(self, task: Task, place: Path) -> None:
        """Execute a page in an empty folder, which gets what the page may read, and is left with what it made."""
        parameters: dict[str, Any] = {}
        entry = task.entry
        given = self._results_before(entry, self._files()) if entry else {}
        if entry is not None:
            parameters = {
                "programme": str(self.programme.folder),
                "changes": self.programme.changes,
                "run": str(place),
            }
            for file in given:
                write_atomically(place / file, (self.folder / file).read_bytes())
            scope = {"chapter": entry.name, "reads": entry.reads, "after": entry.after, "results": entry.results}
            write_atomically(place / SCOPE, json.dumps(scope))
        assert self.kernels is not None, "what is due was not seen"
        made = self.kernels.execute(task.source(), task.name, parameters, self.programme.folder)
        import nbformat

        for file in (*given, *([SCOPE] if entry else [])):
            (place / file).unlink()
        write_atomically(place / NOTEBOOK, nbformat.writes(without_traces(made)))

    def _require_untouched(self, task: Task) -> None:
        """Refuse a page when somebody edited the programme meanwhile: nobody knows which state it shows."""
        if folder_digest(self.programme.folder) != self.content:
            raise BookError(
                "book.changed_meanwhile",
                f"The programme was changed while the chapter «{task.name}» ran.",
                where=f"chapter {task.name}",
                why="Some chapters would show the state before, some the state after.",
                do="Call again; what was finished before and is not concerned is kept.",
            )

    def _install(self, name: str, mark: str, kept: Kept) -> None:
        """Put a finished page into the folder of the run."""
        for file in kept.files:
            target = self.folder / (f"notebooks/{name}.ipynb" if file == NOTEBOOK else file)
            content = kept.content(file)
            assert content is not None
            write_atomically(target, content)
        self._manifest = {**self._manifest, name: {"key": mark, "files": dict(kept.files)}}
        write_atomically(self.folder / MANIFEST, json.dumps(self._manifest, indent=2))

    def _is_here(self, name: str, mark: str | None = None) -> bool:
        """Tell whether a page lies in the run's folder, made of what it would be made of now, and untouched since."""
        noted = self._manifest.get(name)
        if noted is None or (mark is not None and noted["key"] != mark):
            return False
        for file, digest in noted["files"].items():
            path = self.folder / (f"notebooks/{name}.ipynb" if file == NOTEBOOK else file)
            if not path.is_file() or checksum(path.read_bytes()) != digest:
                return False
        return True
