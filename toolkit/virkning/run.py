"""A run: one programme, one specification, one folder named by the content of everything that went into it.

The same content gives the same folder, so nothing that is finished is done again, and a run that was interrupted goes
on from its last finished chapter.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from .chapter import EFFECTS, RECORD
from .data import Tables, read_data
from .designs import require_sound
from .disclosure import names_of_persons
from .engine import execute
from .errors import BookError
from .estimates import Estimates
from .planning import require_sound_plan
from .programme import Programme
from .provenance import checksum, code_version, package_versions, tree_checksum, write_atomically
from .resources import folder as resource
from .subgroups import require_before_start

# The order of work: a chapter that others build on comes first; the front page comes last, since it sums up.
CHAPTERS: tuple[str, ...] = ("effects", "programme", "data", "checks", "subgroups", "record", "index")

# A programme that is only planned has no results; its plan is the front page.
PLANNED: tuple[str, ...] = ("programme", "record", "index")
PLAN = "plan"
# Text with live results that belongs to a book about a plan.
PLANNED_TEXTS: tuple[str, ...] = ("power",)

# Each kernel takes about 200 MB.
MOST_AT_ONCE = 4

Progress = Callable[[str, int, int, float], None]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    folder : Path
        Holds ``notebooks/`` (executed), ``results/`` and the record.
    fingerprint : str
        SHA-256 of all inputs, 64 hex digits.
    chapters : tuple of str
        Chapters about the programme.
    methods : tuple of str
        Method chapters that the results use.
    n_executed : int
        Chapters that ran now; the others were there already.
    tables : Tables, optional
        The validated data; None when the programme is only planned.
    """

    folder: Path
    fingerprint: str
    chapters: tuple[str, ...]
    methods: tuple[str, ...]
    n_executed: int
    tables: Tables | None = field(repr=False)

    @property
    def effects(self) -> Estimates:
        """The estimates of the run."""
        return Estimates.from_json((self.folder / EFFECTS).read_text(encoding="utf-8"))

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
        return nbformat.read(self.folder / "notebooks" / f"{name}.ipynb", as_version=4)


def fingerprint(programme: Programme) -> str:
    """Return the SHA-256 of all that a run depends on: programme, notebooks, chapters, schemas, code, packages."""
    return checksum(
        programme.checksum(),
        tree_checksum(resource("notebooks")),
        tree_checksum(resource("book")),
        tree_checksum(resource("data_schemas")),
        tree_checksum(Path(__file__).parent, sorted(Path(__file__).parent.rglob("*.py"))),
        json.dumps(package_versions()),
        platform.python_version(),
    )


def run(programme: Programme, *, root: Path = Path("runs"), progress: Progress | None = None) -> Run:
    """Run every chapter of a programme.

    Parameters
    ----------
    programme : Programme
        With the changes of this run.
    root : Path
        Where run folders are.
    progress : callable, optional
        Called when a chapter is finished, with its name, how many are finished, how many there are, and its seconds:
        0.0 when it was there already.

    Raises
    ------
    DataError, DesignError
        The data break their schema, the design cannot be honoured, or a plan cannot be; found before any chapter runs.
    BookError
        A chapter failed.
    """
    tables = None if programme.is_planned else read_data(programme)
    if tables is None:
        require_sound_plan(programme.plan, programme.design.type, programme.design)
    else:
        require_sound(programme.design, tables)
        settings = programme.specification
        require_before_start(programme.design, tables, settings.subgroups, settings.vulnerability)
    methods = (method_chapter(programme),)
    mark = fingerprint(programme)
    place = (root / programme.name / mark[:16]).resolve()
    if not (place / RECORD).is_file():
        write_atomically(place / RECORD, json.dumps(_record(programme, mark, tables), indent=2, ensure_ascii=False))
    parameters = {"programme": str(programme.folder), "changes": programme.changes, "run": str(place)}
    chapters = PLANNED if programme.is_planned else CHAPTERS
    shipped = {"index": PLAN} if programme.is_planned else {}
    work: Work = [(name, read_notebook(shipped.get(name, name)), parameters) for name in chapters]
    texts = PLANNED_TEXTS if programme.is_planned else ()
    work += [(name, read_text(f"{name}.md"), {}) for name in texts]
    work += [(f"methods/{name}", read_method(name), {}) for name in methods]
    n_executed = 0
    for position, (name, seconds) in enumerate(_execute_all(work, place / "notebooks", programme.folder), start=1):
        n_executed += seconds > 0
        if progress:
            progress(name, position, len(work), seconds)
    return Run(place, mark, (*chapters, *texts), methods, n_executed, tables)


Work = list[tuple[str, NotebookNode, Mapping[str, Any]]]


def _execute_all(work: Work, notebooks: Path, folder: Path) -> Iterator[tuple[str, float]]:
    """Execute the chapters that are not there yet, side by side, and give each with its seconds as it is finished.

    A chapter that fails stops those that have not begun; those that are under way are finished and kept.
    """
    import papermill  # noqa: F401 - imported once here, since two threads must not import it at the same time

    def one(name: str, source: NotebookNode, values: Mapping[str, Any]) -> tuple[str, float]:
        target = notebooks / f"{name}.ipynb"
        if target.is_file():
            return name, 0.0
        start = time.monotonic()
        write_atomically(target, nbformat.writes(_without_traces(execute(source, name, values, folder))))
        return name, time.monotonic() - start

    with ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        futures = [pool.submit(one, *item) for item in work]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def read_notebook(name: str) -> NotebookNode:
    """Return a shipped results chapter as it was written, without outputs."""
    return nbformat.read(resource("notebooks") / f"{name}.ipynb", as_version=4)


def method_chapter(programme: Programme) -> str:
    """Return the name of the method chapter that the programme's results use.

    Raises
    ------
    BookError
        The method has no chapter: a result that nobody can look up is not published.
    """
    name = type(programme.design).words.chapter
    if not (resource("book") / "methods" / f"{name}.md").is_file():
        raise BookError(
            "book.no_method_chapter",
            f"The method «{name}» has no chapter.",
            where=f"book/methods/{name}.md",
            why="A reader must be able to look up how each result was made.",
            do="Write the chapter.",
        )
    return name


def read_method(name: str) -> NotebookNode:
    """Return a method chapter as a notebook."""
    return read_text(f"methods/{name}.md")


def read_text(file: str) -> NotebookNode:
    """Return a chapter that is written in MyST Markdown as a notebook."""
    from myst_nb.core.read import read_myst_markdown_notebook
    from myst_parser.config.main import MdParserConfig

    path = resource("book") / file
    settings = MdParserConfig(enable_extensions={"colon_fence", "dollarmath"})
    notebook = read_myst_markdown_notebook(path.read_text(encoding="utf-8"), config=settings, path=str(path))
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{position}"
    return notebook


def _record(programme: Programme, mark: str, tables: Tables | None) -> dict[str, Any]:
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
        "data_checksum": "no data yet" if tables is None else tables.checksum,
        "specification": programme.resolved(),
        "packages": package_versions(),
    }


def _without_traces(notebook: NotebookNode) -> NotebookNode:
    """Return an executed notebook without times, paths and random ids, so that the same run gives the same bytes."""
    notebook.metadata.pop("papermill", None)
    cells = []
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            continue
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        cells.append(cell)
    for position, cell in enumerate(cells):
        cell["id"] = f"cell-{position}"
    notebook.cells = cells
    return notebook
