"""What an executed chapter shows, exhibit by exhibit, and how two showings of it differ.

Tables and text are the same when every character is, full precision included: the file that a table offers for
download is inside the page. Of a figure the drawing counts; when that differs, the data behind it tell whether only
the drawing does. What was written beforehand, text and code, counts as one more exhibit of its chapter.
"""

from __future__ import annotations

import base64
import csv
import difflib
import hashlib
import html
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ..report import MARK

if TYPE_CHECKING:
    from nbformat import NotebookNode

Verdict = Literal["same", "drawn differently", "differs", "missing", "new"]
_DOWNLOAD = re.compile(r'download="([^"]*)\.csv" href="data:text/csv;charset=utf-8;base64,([A-Za-z0-9+/=]*)"')
_IMAGE = re.compile(r'src="data:image/[\w+.-]+;base64,([A-Za-z0-9+/=]*)"')
_ALTERNATIVE = re.compile(r'<img[^>]* alt="([^"]*)"')
_CAPTION = re.compile(r"<figcaption><p>(.*?)</p>", re.DOTALL)
_LONGEST_TITLE = 120
_MOST_NAMED = 3
_FEW_DIGITS = 5
# Text and code of a chapter, as they stand in it.
WRITTEN = "text"
# A number with its sign, its digits and its percent sign, or a word, or a sign that stands alone.
_WORD = re.compile(r"[−-]?\d(?:[\d.,]*\d)?%?|\w+|[^\w\s]")


@dataclass(frozen=True)
class Shown:
    """One exhibit as it stands in an executed chapter.

    Attributes
    ----------
    chapter, kind, name : str
        Where it stands and what it is called.
    copy : int
        0 for the first of that name in its chapter, 1 for the second.
    data : mapping of str to str
        Kind of content to content, without the toolkit's mark.
    """

    chapter: str
    kind: str
    name: str
    copy: int
    data: Mapping[str, str] = field(repr=False)

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells it from all others of a run."""
        return (self.chapter, self.kind, self.name, self.copy)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of all that it shows."""
        digest = hashlib.sha256()
        for kind in sorted(self.data):
            digest.update(f"{kind}\n{self.data[kind]}\n".encode())
        return digest.hexdigest()

    @property
    def markup(self) -> str:
        """The HTML of it; empty for prose."""
        return self.data.get("text/html", "")

    @cached_property
    def files(self) -> dict[str, list[list[str]]]:
        """The tables in it, by name, as rows of cells in full precision; the first row names the columns."""
        found = {name: base64.b64decode(code).decode() for name, code in _DOWNLOAD.findall(self.markup)}
        return {html.unescape(name): list(csv.reader(io.StringIO(text))) for name, text in found.items()}

    @property
    def words(self) -> str:
        """The same in plain words, without its drawings and files."""
        return self.data.get("text/plain", "")

    @property
    def title(self) -> str:
        """What a list of exhibits calls it."""
        if self.kind == WRITTEN:
            return "Text and code of the chapter"
        caption = _CAPTION.search(self.markup) if self.kind == "figure" else None
        said = html.unescape(re.sub(r"<[^>]+>", "", caption[1])) if caption else self.words.strip().partition("\n")[0]
        said = " ".join(re.sub(r"```\{\w+\}|[*`]", "", said).split())
        return said if len(said) <= _LONGEST_TITLE else f"{said[:_LONGEST_TITLE].rsplit(' ', 1)[0]} …"


@dataclass(frozen=True)
class Compared:
    """One exhibit of two runs.

    Attributes
    ----------
    chapter, kind, name, title : str
        Which exhibit.
    verdict : str
        ``same``; ``drawn differently``, with the same data; ``differs``; ``missing`` or ``new`` in the second run.
    detail : str
        How it differs, in words; only what is published is said.
    n_values, n_different : int
        Cells of its tables, and those that differ.
    largest : float or None
        Largest relative difference between two numbers, 0 to infinity.
    """

    chapter: str
    kind: str
    name: str
    title: str
    verdict: Verdict
    detail: str = ""
    n_values: int = 0
    n_different: int = 0
    largest: float | None = None

    @property
    def is_same(self) -> bool:
        """Whether every published value is the same."""
        return self.verdict in ("same", "drawn differently")

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values; a difference without limit is null."""
        values = asdict(self)
        if self.largest is not None and not math.isfinite(self.largest):
            values["largest"] = None
        return values


def exhibits(chapter: str, notebook: NotebookNode) -> Iterator[Shown]:
    """Give what a chapter shows, in its order; output that the toolkit did not make counts too."""
    seen: Counter[tuple[str, str]] = Counter()
    written = "\n".join(_text(cell.source) for cell in notebook.cells)
    yield Shown(chapter, WRITTEN, "as written", 0, {"text/plain": written})
    for position, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            data = {kind: _text(value) for kind, value in output.get("data", {}).items() if kind != MARK}
            if output.output_type in ("stream", "error"):
                data = {"text/plain": _text(output.get("text", output.get("ename", "")))}
            mark = output.get("data", {}).get(MARK) or {"kind": "other", "name": f"cell-{position}"}
            key = (str(mark["kind"]), str(mark["name"]))
            yield Shown(chapter, *key, seen[key], data)
            seen[key] += 1


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def compare_exhibits(first: Iterable[Shown], second: Iterable[Shown]) -> list[Compared]:
    """Return what became of every exhibit of two runs, in the order of the first, then what only the second has."""
    before, after = ({shown.key: shown for shown in found} for found in (first, second))
    compared = [_compare(shown, after.get(key)) for key, shown in before.items()]
    compared += [
        Compared(shown.chapter, shown.kind, shown.name, shown.title, "new", "only in the second run")
        for key, shown in after.items()
        if key not in before
    ]
    return compared


def _compare(first: Shown, second: Shown | None) -> Compared:
    which = (first.chapter, first.kind, first.name, first.title)
    n_values = sum(len(row) for rows in first.files.values() for row in rows[1:])
    if second is None:
        return Compared(*which, "missing", "only in the first run", n_values, n_values)
    if first.data == second.data:
        return Compared(*which, "same", n_values=n_values)
    if first.files != second.files:
        n_different, largest, detail = _compare_files(first.files, second.files)
        return Compared(*which, "differs", detail, n_values, n_different, largest)
    if first.words == second.words and _undrawn(first) == _undrawn(second):
        return Compared(*which, "drawn differently", "the same data, another drawing", n_values)
    detail = _compare_words(first.words, second.words) or _compare_words(*(_read(shown) for shown in (first, second)))
    return Compared(*which, "differs", detail or "what it draws", n_values)


def _read(shown: Shown) -> str:
    """Return the words that a reader of the page sees."""
    return html.unescape(re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", shown.markup, flags=re.DOTALL))


def _undrawn(shown: Shown) -> tuple[str, list[str]]:
    """Return everything but the drawings, and what is said of them to those who cannot see them."""
    return _IMAGE.sub("", shown.markup), _ALTERNATIVE.findall(shown.markup)


def _compare_files(
    first: Mapping[str, list[list[str]]], second: Mapping[str, list[list[str]]]
) -> tuple[int, float | None, str]:
    """Return how many cells differ, by how much at most, and in words where."""
    n_different, largest = 0, None
    places: list[str] = []
    for name, rows in first.items():
        others = second.get(name, [])
        if len(rows) != len(others) or [len(row) for row in rows] != [len(row) for row in others]:
            n_different += sum(len(row) for row in rows[1:])
            places.append(f"«{name}» has {_size(rows)} here and {_size(others)} there")
            continue
        for row, other in zip(rows, others, strict=True):
            for column, (cell, cell_there) in enumerate(zip(row, other, strict=True)):
                if cell != cell_there:
                    n_different += 1
                    apart = relative_difference(cell, cell_there)
                    largest = apart if largest is None else max(largest, apart)
                    places.append(f"{row[0]}, {rows[0][column]}: {' → '.join(readable(cell, cell_there))}")
    more = f", and {len(places) - _MOST_NAMED} more" if len(places) > _MOST_NAMED else ""
    return n_different, largest, "; ".join(places[:_MOST_NAMED]) + more


def _size(rows: list[list[str]]) -> str:
    return f"{len(rows) - 1} rows of {len(rows[0])} cells" if rows else "no rows"


def readable(first: str, second: str) -> tuple[str, str]:
    """Return two cells as they are read side by side: numbers with as many digits as tell them apart.

    >>> readable("0.0044995500449955", "0.0039996000399960")
    ('0.0044996', '0.0039996')
    """
    try:
        here, there = float(first), float(second)
    except ValueError:
        return first or "nothing", second or "nothing"
    for digits in range(_FEW_DIGITS, 18):
        said = f"{here:.{digits}g}", f"{there:.{digits}g}"
        if said[0] != said[1]:
            return said
    return first, second


def relative_difference(first: str, second: str) -> float:
    """Return the relative difference between two cells; without limit where one is no number."""
    try:
        here, there = float(first), float(second)
    except ValueError:
        return math.inf
    largest = max(abs(here), abs(there))
    return abs(here - there) / largest if largest else 0.0


def _compare_words(first: str, second: str) -> str:
    """Return the first words that differ."""
    here, there = _WORD.findall(first), _WORD.findall(second)
    found = [
        f"{' '.join(here[a:b]) or 'nothing'} → {' '.join(there[c:d]) or 'nothing'}"
        for tag, a, b, c, d in difflib.SequenceMatcher(None, here, there, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    more = f", and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return "; ".join(text if len(text) <= 160 else f"{text[:157]} …" for text in found[:_MOST_NAMED]) + more
