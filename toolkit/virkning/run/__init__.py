"""A run: one programme, one specification, one folder named by the content of everything that went into it.

Nothing is done twice: a chapter that was made of the same inputs before, in this run or another, is copied from the
store (:mod:`.store`), so a run that was interrupted goes on from its last finished chapter, going back to earlier
parameters costs nothing, and a change of one part runs only the chapters that read that part (:mod:`.chapters`).
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import Tables, read_data
from ..digests import folder_digest, surroundings
from ..disclosure import names_of_persons
from ..engine import kernels as open_kernels
from ..errors import UsageError, did_you_mean
from ..estimates import Estimates
from ..programme import Programme
from ..provenance import checksum, code_version, package_versions, write_atomically
from ..resources import EFFECTS, RECORD
from ..resources import folder as resource
from .chapters import TEXTS_OF_PLANS, TEXTS_TO_LOOK_UP, Entry, chapters_of
from .soundness import Facts, require_sound_programme
from .store import Store, read_json
from .texts import method_chapter, read_method, read_notebook, read_text, require_method
from .work import Kernels, Task, Work

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = [
    "Entry",
    "Kernels",
    "Progress",
    "Run",
    "chapters_of",
    "fingerprint",
    "method_chapter",
    "pages_of",
    "read_method",
    "read_notebook",
    "read_text",
    "require_sound_programme",
    "run",
]

Progress = Callable[[str, int, int, float], None]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    programme : Programme
        With the changes of this run.
    folder : Path
        Holds ``notebooks/`` (executed), ``results/`` and the record.
    fingerprint : str
        SHA-256 of all inputs, 64 hex digits.
    entries : tuple of Entry
        Chapters about the programme.
    methods : tuple of str
        Method chapters that the results use.
    texts : tuple of str
        Other pages of text with live results.
    reasons : mapping of str to str
        Why each page was made, or not.
    n_executed : int
        Pages that were made now; the others were there already.
    """

    programme: Programme = field(repr=False)
    folder: Path
    fingerprint: str
    entries: tuple[Entry, ...] = field(repr=False)
    methods: tuple[str, ...]
    texts: tuple[str, ...]
    reasons: Mapping[str, str] = field(repr=False)
    n_executed: int

    @cached_property
    def tables(self) -> Tables | None:
        """The validated data; None when the programme is only planned."""
        return None if self.programme.is_planned else read_data(self.programme)

    @property
    def effects(self) -> Estimates:
        """The estimates of the run."""
        return Estimates.from_json((self.folder / EFFECTS).read_text(encoding="utf-8"))

    @property
    def chapters(self) -> tuple[str, ...]:
        """Names of the chapters about the programme, and of other pages of text."""
        return (*(entry.name for entry in self.entries), *self.texts)

    @property
    def pages(self) -> tuple[str, ...]:
        """The executed pages of the book."""
        return (*self.chapters, *(f"methods/{name}" for name in self.methods))

    @property
    def identifiers(self) -> frozenset[str]:
        """The persons' identifiers, which must not appear anywhere."""
        if self.tables is None:
            return frozenset()
        return names_of_persons(self.tables.participants["participant_id"])

    def notebook(self, name: str) -> NotebookNode:
        """Return an executed chapter."""
        import nbformat

        return nbformat.read(self.folder / "notebooks" / f"{name}.ipynb", as_version=4)


def fingerprint(programme: Programme) -> str:
    """Return the SHA-256 of all that a run depends on: programme, notebooks, chapters, schemas, code, packages."""
    return checksum(
        json.dumps(programme.resolved(), sort_keys=True),
        folder_digest(programme.folder),
        folder_digest(resource("notebooks")),
        folder_digest(resource("book")),
        json.dumps(surroundings()),
    )


def run(
    programme: Programme,
    *,
    root: Path = Path("runs"),
    progress: Progress | None = None,
    kernels: Kernels | None = None,
    engine: str | None = None,
    chapters: Sequence[str] | None = None,
    opened: Callable[[Path], None] | None = None,
) -> Run:
    """Run every chapter of a programme that was not run with the same inputs before.

    Parameters
    ----------
    programme : Programme
        With the changes of this run.
    root : Path
        Where run folders are, and the store of finished chapters.
    progress : callable, optional
        Called when a chapter is finished, with its name, how many are finished, how many there are, and its seconds:
        0.0 when it was there already.
    kernels : Kernels, optional
        An open engine; by default one is opened when a chapter needs it.
    engine : str, optional
        Which engine to open: ``warm``, ``pool`` or ``stock``; see :func:`virkning.engine.kernels`.
    chapters : sequence of str, optional
        Only these, and those on whose results they build.
    opened : callable, optional
        Called with the run's folder when its record lies there and before any chapter runs.

    Raises
    ------
    DataError, DesignError
        The data break their schema, the design cannot be honoured, or a plan cannot be; found before any chapter runs.
    UsageError
        There is no such chapter.
    BookError
        A chapter failed.
    """
    entries = chapters_of(programme) if chapters is None else _chosen(chapters_of(programme), chapters)
    methods, texts = _methods(programme, entries), _texts(programme)
    tasks = [Task(entry.name, entry) for entry in entries]
    if chapters is None:
        tasks += [Task(page) for page in (*texts, *(f"methods/{require_method(name)}" for name in methods))]
    store, mark = Store(root), fingerprint(programme)
    place = (root / programme.name / mark[:16]).resolve()
    n_executed, reasons = 0, {}
    with ExitStack() as stack:
        work = Work(programme, place, store, tasks)
        if work.is_due():
            # The engine does its imports while the data are looked at.
            work.kernels = kernels or stack.enter_context(open_kernels(engine))
        facts = require_sound_programme(programme, store)
        if not read_json(place / RECORD):
            write_atomically(place / RECORD, json.dumps(_record(programme, mark, facts), indent=2, ensure_ascii=False))
        if opened:
            opened(place)
        for position, page in enumerate(work, start=1):
            n_executed += page.seconds > 0
            reasons[page.name] = page.why
            if progress:
                progress(page.name, position, len(tasks), page.seconds)
    return Run(programme, place, mark, entries, methods, texts, reasons, n_executed)


def pages_of(programme: Programme) -> tuple[str, ...]:
    """Return the pages that a whole run of a programme makes: chapters, other texts, and method chapters."""
    entries = chapters_of(programme)
    methods = (f"methods/{name}" for name in _methods(programme, entries))
    return (*(entry.name for entry in entries), *_texts(programme), *methods)


def _methods(programme: Programme, entries: Sequence[Entry]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((method_chapter(programme), *(name for entry in entries for name in entry.methods))))


def _texts(programme: Programme) -> tuple[str, ...]:
    return (*(TEXTS_OF_PLANS if programme.is_planned else ()), *TEXTS_TO_LOOK_UP)


def _chosen(entries: tuple[Entry, ...], wanted: Sequence[str]) -> tuple[Entry, ...]:
    """Return some of the chapters, with those on whose results they build."""
    known = {entry.name: entry for entry in entries}
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in known:
            raise UsageError(
                "usage.no_chapter",
                f"There is no chapter «{name}».",
                where="virkning run",
                do=did_you_mean(name, known) or f"There are {', '.join(known)}.",
            )
        if name not in found:
            found.add(name)
            waiting += [earlier for earlier in known[name].after if earlier in known]
    return tuple(entry for entry in entries if entry.name in found)


def _record(programme: Programme, mark: str, facts: Facts) -> dict[str, Any]:
    """Return what must be known to make exactly this again."""
    return {
        "programme": programme.name,
        "fingerprint": mark,
        "started": datetime.now(UTC).strftime("%Y-%m-%d"),
        "virkning": code_version(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "seed": programme.specification.seed,
        "changes": programme.changes,
        "data_checksum": facts["data_checksum"],
        "specification": programme.resolved(),
        "packages": package_versions(),
    }
