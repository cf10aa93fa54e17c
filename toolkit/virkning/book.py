"""From an executed run to one Jupyter Book: stage the pages, look at them, build them, put them in place whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode

from .digests import file_digest, folder_digest
from .engine import ForkServer
from .errors import BookError
from .gate import check_notebooks, check_pages
from .language import Participants
from .programme import PROSE, Programme
from .provenance import cannot_write, checksum, exclusive, is_alive, write_atomically
from .report import MARK
from .resources import folder as resource
from .run import Run
from .run.chapters import LOOK_UP, METHODS, PLANNED_METHODS, PROGRAMME, RESULTS, TEXTS_TO_LOOK_UP
from .typesetting import build_html

MATHJAX = "sphinx-mathjax-offline"
BUILT = "built.json"
_PAGE_LINK = re.compile(r"\{doc\}`(?:(?P<words>[^`<]+?)\s*<)?/?(?P<target>\w+(?:/\w+)*)>?`")
Contents = dict[str, Any]
_SAID = {
    "text/markdown": Participants.speak_of,
    "text/html": Participants.speak_of_html,
    "text/plain": Participants.speak_of,
}


@dataclass(frozen=True)
class Book:
    """A published book.

    Attributes
    ----------
    index : Path
        The front page.
    is_new : bool
        False when the same book was there already.
    """

    index: Path
    is_new: bool


def build(
    programme: Programme,
    run: Run,
    *,
    root: Path = Path("_build"),
    server: ForkServer | None = None,
    further: Mapping[str, NotebookNode] | None = None,
) -> Book:
    """Build a programme's book from an executed run.

    The pages are always built from nothing, since incremental builds leave old titles and values in other pages; and
    they replace the old book only when all of them are there.

    Parameters
    ----------
    programme, run
        What to publish; the run's tables tell which identifiers must not appear.
    root : Path
        The book comes to ``<root>/<programme>/html``.
    server : ForkServer, optional
        Of :func:`virkning.typesetting.open_server`; by default one is opened for this book.
    further : mapping of str to NotebookNode, optional
        Executed pages that are no chapters of the run; they stand last among the results, or among the methods.

    Raises
    ------
    DisclosureError
        Something that must not be published was found; the old book stays.
    BookError
        The build failed or warned; the old book stays.
    """
    place, mark = (root / programme.name).resolve(), book_mark(run.fingerprint, further)
    try:
        place.mkdir(parents=True, exist_ok=True)
        # One process at a time makes a book; who waited finds it made.
        with exclusive(place / ".lock"):
            _recover(place)
            if is_built(place, mark):
                return Book(place / "html" / "index.html", False)
            _make(programme, run, place, server, further or {})
    except OSError as error:
        raise cannot_write(error, f"{root.name}/{programme.name}") from None
    write_atomically(place / BUILT, json.dumps({"book": mark, "pages": folder_digest(place / "html")}))
    return Book(place / "html" / "index.html", True)


def book_mark(fingerprint: str, further: Mapping[str, NotebookNode] | None = None) -> str:
    """Return the SHA-256 of all that a book depends on.

    Parameters
    ----------
    fingerprint : str
        Of the run that it shows.
    further : mapping of str to NotebookNode, optional
        As of :func:`build`.
    """
    pages = [part for name, page in (further or {}).items() for part in (name, nbformat.writes(page))]
    code = (Path(__file__).parent / f"{name}.py" for name in ("book", "gate", "typesetting"))
    return checksum(fingerprint, file_digest(resource("_config.yml")), *(file_digest(path) for path in code), *pages)


def _make(
    programme: Programme, run: Run, place: Path, server: ForkServer | None, further: Mapping[str, NotebookNode]
) -> None:
    """Look at the executed pages, build them beside the old book, look at what came out, and put it in place."""
    notebooks = {**{name: run.notebook(name) for name in run.pages}, **further}
    check_notebooks(notebooks, run.identifiers)
    with _workplace(place) as work:
        _stage(programme, notebooks, _contents(run, tuple(further)), work / "source")
        build_html(work / "source", work / "out", server)
        fresh = work / "out" / "_build" / "html"
        _remove_sources(fresh)
        check_pages(fresh, run.identifiers, _machine_paths(programme, work))
        _swap(fresh, place / "html", place / ".old")


def is_built(place: Path, mark: str) -> bool:
    """Tell whether exactly this book stands there, whole and unchanged.

    Parameters
    ----------
    place : Path
        Folder of the programme's book.
    mark : str
        Of :func:`book_mark`.
    """
    try:
        built = json.loads((place / BUILT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    html = place / "html"
    return bool(built.get("book") == mark and html.is_dir() and built.get("pages") == folder_digest(html))


@contextmanager
def _workplace(place: Path) -> Iterator[Path]:
    """Give a folder beside the book that is gone afterwards; clear away what a killed build left."""
    for left in place.glob(".building-*"):
        owner = left.name.removeprefix(".building-").split("-")[0]
        if not (owner.isdigit() and is_alive(int(owner))):
            shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".building-{os.getpid()}-", dir=place))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _swap(fresh: Path, html: Path, old: Path) -> None:
    """Put the new book in the place of the old one; :func:`_recover` mends a kill between the two steps."""
    if html.exists():
        html.rename(old)
    fresh.rename(html)
    shutil.rmtree(old, ignore_errors=True)


def _recover(place: Path) -> None:
    old, html = place / ".old", place / "html"
    if old.exists() and not html.exists():
        old.rename(html)
    shutil.rmtree(old, ignore_errors=True)


def _machine_paths(programme: Programme, work: Path) -> list[str]:
    return [str(programme.folder), str(work), str(Path.home()), str(Path(__file__).parent), sys.prefix]


def _stage(programme: Programme, notebooks: dict[str, NotebookNode], contents: Contents, source: Path) -> None:
    """Write every page of the book, its settings and its table of contents into one folder."""
    chapters = resource("book")
    pages = {"index", *(entry["file"] for part in contents["parts"] for entry in part["chapters"])}
    source.mkdir(parents=True)
    for name, notebook in notebooks.items():
        target = source / f"{name}.ipynb"
        target.parent.mkdir(exist_ok=True)
        nbformat.write(_page(notebook, name, programme, pages), target)
    for page in (*(programme.folder / name for name in PROSE), *sorted(chapters.glob("*.md"))):
        if page.stem in pages - set(notebooks):
            text = _without_dead_links(page.read_text(encoding="utf-8"), pages)
            (source / page.name).write_text(text, encoding="utf-8")
    shutil.copyfile(chapters / "references.bib", source / "references.bib")
    own = programme.folder / "references.bib"
    if own.is_file():
        shutil.copyfile(own, source / "programme.bib")
    shutil.copytree(chapters / "_static", source / "_static")
    # Not in _static: Jupyter Book puts every script that it finds there into every page.
    _copy_mathjax(source / "_extra" / "mathjax")
    (source / "_config.yml").write_text(
        yaml.safe_dump(_config(programme, own.is_file()), allow_unicode=True), encoding="utf-8"
    )
    (source / "_toc.yml").write_text(yaml.safe_dump(contents, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _copy_mathjax(target: Path) -> None:
    """Take the one file of MathJax that is needed; the extension of that package would copy twelve times as much."""
    from importlib import metadata

    for file in metadata.files(MATHJAX) or []:
        if file.name == "tex-svg.js":
            target.mkdir(parents=True)
            shutil.copyfile(str(file.locate()), target / file.name)
            return
    raise BookError(
        "book.no_mathjax",
        "MathJax is not installed.",
        where=MATHJAX,
        why="Formulas would be unreadable.",
        do="Install the packages again.",
    )


def _config(programme: Programme, has_own_references: bool) -> dict[str, Any]:
    """Return the settings shared by all books with the programme's title, authors and notice."""
    settings: dict[str, Any] = yaml.safe_load(resource("_config.yml").read_text(encoding="utf-8"))
    specification = programme.specification
    settings["title"] = specification.title
    settings["author"] = ", ".join(specification.publication.authors) or "Not stated"
    if has_own_references:
        settings["bibtex_bibfiles"].append("programme.bib")
    if specification.publication.notice:
        settings["sphinx"]["config"]["html_theme_options"]["announcement"] = specification.publication.notice
    return settings


def _contents(run: Run, further: Sequence[str] = ()) -> Contents:
    """Return the table of contents: the questions in the order in which a reader asks them."""
    found: dict[str, list[str]] = {
        part: [entry.name for entry in run.entries if entry.part == part] for part in (PROGRAMME, RESULTS, LOOK_UP)
    }
    methods = [f"methods/{name}" for name in run.methods]
    methods += [name for name in further if name.startswith("methods/")]
    texts = [name for name in run.texts if name not in TEXTS_TO_LOOK_UP]
    looked_up = [name for name in run.texts if name in TEXTS_TO_LOOK_UP]
    planned = run.programme.is_planned
    parts = {
        PROGRAMME: ["what", "why", "how", *found[PROGRAMME]],
        RESULTS: [*found[RESULTS], *(name for name in further if name not in methods)],
        PLANNED_METHODS if planned else METHODS: [*methods, *texts, *([] if planned else ["how_to_read"])],
        LOOK_UP: [*found[LOOK_UP], *looked_up, "glossary", "references"],
    }
    return {
        "format": "jb-book",
        "root": "index",
        "parts": [
            {"caption": caption, "chapters": [{"file": name} for name in names]}
            for caption, names in parts.items()
            if names
        ],
    }


def _without_dead_links(text: str, pages: Set[str]) -> str:
    """Return text in which links to pages that this book does not have are plain words.

    A method chapter speaks of the effects; the book about a plan has none yet.
    """

    def words(found: re.Match[str]) -> str:
        target = found["target"]
        return found[0] if target in pages else found["words"] or target.rpartition("/")[2].replace("_", " ")

    return _PAGE_LINK.sub(words, text)


def _page(notebook: NotebookNode, name: str, programme: Programme, pages: Set[str]) -> NotebookNode:
    """Return an executed chapter as it is published: code behind a toggle, the programme's title on the front page.

    Where the participants are no persons, every generated word says so; the programme's own words stay as they are.
    """
    page = nbformat.from_dict(notebook)
    waiting: list[str] = []
    participants, own = programme.specification.participants, frozenset(_passages(programme.resolved()))
    for cell in page.cells:
        if cell.cell_type != "code":
            cell.source = participants.speak_of(_without_dead_links(cell.source, pages), own)
            continue
        tags = set(cell.metadata.get("tags", []))
        if "parameters" in tags:
            cell.source = f'programme = "{programme.name}"\nchanges = {programme.changes!r}\nrun = ""'
        if not cell.outputs:
            # Code that shows nothing stands with the next that does, so that a page has no empty toggles.
            waiting.append(cell.source)
            cell.metadata["tags"] = sorted(tags | {"remove-cell"})
            continue
        cell.source = "\n\n".join([*waiting, cell.source])
        waiting = []
        cell.metadata["tags"] = sorted(tags | {"hide-input"})
        for output in cell.outputs:
            output.get("data", {}).pop(MARK, None)
            output.get("metadata", {}).pop(MARK, None)
            for kind, say in _SAID.items():
                if kind in output.get("data", {}):
                    output["data"][kind] = say(participants, output["data"][kind], own)
    if name == "index":
        first = page.cells[0]
        first.source = re.sub(r"\A# .*", lambda _: f"# {programme.specification.title}", first.source, count=1)
    return page


def _passages(values: object) -> Iterator[str]:
    """Give every text of a specification."""
    if isinstance(values, str):
        yield values
    elif isinstance(values, dict):
        for value in values.values():
            yield from _passages(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _passages(value)


def _remove_sources(html: Path) -> None:
    """Remove what Sphinx leaves behind beside the pages: sources, translations, build information."""
    for name in ("_sources", "_static/locales", "_static/sbt-webpack-macros.html", "_static/webpack-macros.html"):
        path = html / name
        if path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)
    for name in (".buildinfo", "objects.inv"):
        (html / name).unlink(missing_ok=True)
