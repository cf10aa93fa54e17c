"""The last look before publication: what a chapter printed, and what the built pages hold and load.

Each finding names chapter and cell, or page, and never the value that was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from nbformat import NotebookNode

from .errors import BookError, DisclosureError
from .report import MARK

PUBLISHED_SUFFIXES = frozenset(
    {
        ".html",
        ".css",
        ".js",
        ".map",
        ".png",
        ".svg",
        ".ico",
        ".woff",
        ".woff2",
        ".ttf",
        ".eot",
        ".json",
        ".inv",
        ".csv",
        ".txt",
        ".jpg",
        ".gif",
    }
)
TEXT_SUFFIXES = frozenset({".html", ".css", ".js", ".svg", ".json", ".csv", ".txt"})
# Tags and attributes that make a browser fetch something by itself; a link that a reader clicks does not.
FETCHING = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
}
# Kinds of links that a browser follows by itself.
_FETCHED = frozenset({"stylesheet", "preload", "icon", "prefetch", "modulepreload"})
_TOKEN = re.compile(r"[\w@.+-]+")


@dataclass(frozen=True)
class Finding:
    """One thing that must not be published, and where it is."""

    what: str
    where: str


def check_notebooks(notebooks: Mapping[str, NotebookNode], identifiers: frozenset[str]) -> None:
    """Refuse chapters that print anything but exhibits, or that print an identifier of a person.

    Parameters
    ----------
    notebooks : mapping of str to NotebookNode
        Executed chapters by name.
    identifiers : frozenset of str
        The persons' identifiers.

    Raises
    ------
    BookError
        A cell has an error.
    DisclosureError
        A cell printed something that the toolkit did not make, or an identifier.
    """
    findings = [
        finding
        for name, notebook in notebooks.items()
        for position, cell in enumerate(notebook.cells, start=1)
        for output in cell.get("outputs", [])
        for finding in _look_at(output, f"chapter {name}, cell {position}", identifiers)
    ]
    _raise(findings)


def _look_at(output: NotebookNode, where: str, identifiers: frozenset[str]) -> Iterable[Finding]:
    if output.output_type == "error":
        raise BookError(
            "book.failed_cell",
            "A chapter holds a failed cell.",
            where=where,
            why="It is never published.",
            do="Run the chapter again.",
        )
    if output.output_type == "stream":
        yield Finding(f"a cell prints to {output.name} by itself", where)
        return
    if MARK not in output.data:
        kinds = ", ".join(sorted(output.data))
        yield Finding(f"a cell shows something that is not an exhibit of the toolkit ({kinds})", where)
    if has_identifier("\n".join(str(value) for value in output.data.values()), identifiers):
        yield Finding("a cell shows an identifier of a person", where)


def has_identifier(text: str, identifiers: frozenset[str]) -> bool:
    """Tell whether any identifier stands in the text as a whole word."""
    if not identifiers:
        return False
    plain = [identifier for identifier in identifiers if _TOKEN.fullmatch(identifier)]
    if not identifiers.isdisjoint(_TOKEN.findall(text)) or not identifiers.isdisjoint(
        re.findall(r"\w+(?:[-.]\w+)*", text)
    ):
        return True
    return len(plain) < len(identifiers) and any(identifier in text for identifier in identifiers.difference(plain))


def check_pages(html: Path, identifiers: frozenset[str], machine_paths: Iterable[str]) -> None:
    """Refuse pages that load from another host, name a path or an identifier, or have a figure without a text.

    Parameters
    ----------
    html : Path
        The folder that would be published.
    identifiers : frozenset of str
        The persons' identifiers.
    machine_paths : iterable of str
        Folders of this machine that must not be named.

    Raises
    ------
    DisclosureError
        Something was found.
    """
    paths = [path for path in machine_paths if len(path) > 1]
    findings: list[Finding] = []
    for file in sorted(path for path in html.rglob("*") if path.is_file()):
        where = file.relative_to(html).as_posix()
        if file.suffix not in PUBLISHED_SUFFIXES and file.name not in (".buildinfo", ".nojekyll"):
            findings.append(Finding(f"a file of the kind «{file.suffix}», which is not published", where))
        if file.suffix not in TEXT_SUFFIXES or "mathjax" in where:
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        if any(path in text for path in paths):
            findings.append(Finding("a path of the machine on which the book was made", where))
        if "_static" not in where and has_identifier(text, identifiers):
            findings.append(Finding("an identifier of a person", where))
        if file.suffix == ".html":
            findings += _look_at_page(text, where)
    _raise(findings)


def _look_at_page(text: str, where: str) -> Iterable[Finding]:
    page = _Page()
    page.feed(text)
    page.close()
    yield from (Finding(what, where) for what in page.found)


class _Page(HTMLParser):
    """Looks at every tag of a page as it comes; a tree of all of them would take longer than writing the page did."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Of an attribute that is given twice, browsers take the first; here none may do what must not be done.
        given = [(name, value or "") for name, value in attrs]
        words = {name: value.split() for name, value in reversed(given)}
        if tag in FETCHING and (tag != "link" or not _FETCHED.isdisjoint(words.get("rel", []))):
            addresses = (value for name, value in given if name == FETCHING[tag])
            self.found += ["something that is loaded from another host" for each in addresses if urlsplit(each).netloc]
        if tag == "img" and "logo" not in " ".join(words.get("class", [])):
            alternative = " ".join(words.get("alt", []))
            if not alternative or alternative.endswith((".png", ".svg")):
                self.found.append("a figure without a text for those who cannot see it")


def _raise(findings: list[Finding]) -> None:
    if not findings:
        return
    listed = "".join(f"\n  - {finding.where}: {finding.what}" for finding in findings[:20])
    more = f"\n  … and {len(findings) - 20} more" if len(findings) > 20 else ""
    raise DisclosureError(
        "disclosure.gate",
        f"The book was not published, since it would hold:{listed}{more}",
        where=findings[0].where,
        why="What a chapter prints is a publication, and it cannot be taken back.",
        do="Show tables with chapter.table(...), figures and sentences with vk.report; remove other output.",
    )
