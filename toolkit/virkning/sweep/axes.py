"""Which values a sweep tries: lists, ranges in exact decimals, tables of parameter sets; crossed, or side by side.

How many runs a grid has is counted before any of them is made, so that a million by mistake costs nothing.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from ..errors import UsageError

_EXAMPLE = "design.confidence=0.8,0.9 or economy.discounting.rate=0.01:0.07:0.01"


@dataclass(frozen=True)
class Relative:
    """A value relative to the declared one: ``*`` multiplies it, ``+`` adds to it."""

    sign: str
    number: Decimal

    def of(self, declared: Decimal) -> str:
        """Return the value, in exact decimals.

        Parameters
        ----------
        declared : Decimal
            What the programme says.
        """
        found = declared * self.number if self.sign == "*" else declared + self.number
        return f"{found.normalize():f}"


Value = str | Relative
Cell = dict[str, Value]


@dataclass(frozen=True)
class Steps:
    """Evenly spaced numbers, exact: ``start``, ``start + step``, and so on, ``n`` of them.

    A sign ``*`` or ``+`` makes them relative to the value that the programme declares.
    """

    start: Decimal
    step: Decimal
    n: int
    sign: str = ""

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Value]:
        for k in range(self.n):
            number = self.start + k * self.step
            yield Relative(self.sign, number) if self.sign else f"{number:f}"


@dataclass(frozen=True)
class Axis:
    """One parameter and the values that it takes, in order.

    Attributes
    ----------
    path : str
        Dotted path, as of ``virkning run -p``.
    pieces : tuple
        Single values and ranges. A value that begins with ``*`` or ``+`` is relative to the declared one.
    text : str
        As it was written.
    """

    path: str
    pieces: tuple[Sequence[str] | Steps, ...]
    text: str = ""

    @property
    def n(self) -> int:
        """Number of values."""
        return sum(len(piece) for piece in self.pieces)

    def __iter__(self) -> Iterator[Value]:
        for piece in self.pieces:
            yield from piece


@dataclass(frozen=True)
class Grid:
    """All parameter sets of a sweep.

    Attributes
    ----------
    axes : tuple of Axis
        The parameters that are varied.
    sets : tuple of mapping
        Parameter sets from a table; each is tried with each combination of the axes.
    is_zipped : bool
        The axes go side by side, first with first, instead of each value with each.
    """

    axes: tuple[Axis, ...] = ()
    sets: tuple[Cell, ...] = ({},)
    is_zipped: bool = False

    @classmethod
    def of(cls, over: Sequence[str], sets: Sequence[Cell] = (), *, is_zipped: bool = False) -> Grid:
        """Return the grid of texts such as ``design.confidence=0.8,0.9``.

        Parameters
        ----------
        over : sequence of str
            ``path=values``: values separated by commas; ``from:to:step`` is a range that includes its end; ``*0.9`` and
            ``+-2`` are relative to the declared value; a text with commas or colons stands in quotation marks.
        sets : sequence of mapping of str to str
            Parameter sets, as of :func:`read_sets`.
        is_zipped : bool
            As of the class.

        Raises
        ------
        UsageError
            A text cannot be read, a parameter is named twice, there is nothing to vary, or axes that go side by side
            differ in length.
        """
        grid = cls(tuple(_axis(text) for text in over), tuple(sets) or ({},), is_zipped)
        names = [axis.path for axis in grid.axes]
        names += list(dict.fromkeys(path for cell in grid.sets for path in cell))
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise UsageError(
                "usage.repeated_path",
                f"The parameter «{twice[0]}» is varied twice.",
                where="--over and --table",
                why="One of the two would win in silence.",
                do="Give all its values in one place.",
            )
        if not names:
            raise UsageError("usage.nothing_varied", "Nothing is varied.", where="--over", do=f"Say {_EXAMPLE}")
        lengths = {axis.path: axis.n for axis in grid.axes}
        if is_zipped and len(set(lengths.values())) > 1:
            said = ", ".join(f"{path}: {n}" for path, n in lengths.items())
            raise UsageError(
                "usage.zip_lengths",
                f"With --zip all parameters need as many values ({said}).",
                where="--over",
                do="Give as many values, or leave --zip out to cross them.",
            )
        return grid

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the command line says to get this grid; a table is called ``sets.csv``."""
        table = ("--table", "sets.csv") if self.sets != ({},) else ()
        over = tuple(part for axis in self.axes for part in ("--over", axis.text))
        return (*table, *over, *(("--zip",) if self.is_zipped else ()))

    @property
    def paths(self) -> tuple[str, ...]:
        """The parameters that are varied, in the order in which they were named."""
        return tuple(dict.fromkeys([*(path for cell in self.sets for path in cell), *(a.path for a in self.axes)]))

    @property
    def n(self) -> int:
        """Number of runs."""
        if not self.axes:
            return len(self.sets)
        return len(self.sets) * (self.axes[0].n if self.is_zipped else math.prod(axis.n for axis in self.axes))

    def __iter__(self) -> Iterator[Cell]:
        """Give each parameter set, the last parameter changing fastest."""
        names = [axis.path for axis in self.axes]
        for given in self.sets:
            values = zip(*self.axes, strict=True) if self.is_zipped and self.axes else itertools.product(*self.axes)
            for combination in values:
                yield {**given, **dict(zip(names, combination, strict=True))}


def _axis(text: str) -> Axis:
    path, sign, values = text.partition("=")
    if not sign or not path or not values.strip():
        raise UsageError(
            "usage.over", f"«{text}» is not of the form path=values.", where="--over", do=f"Such as {_EXAMPLE}"
        )
    return Axis(path.strip(), tuple(_piece(piece, text) for piece in _split(values)), text)


def _split(text: str) -> list[str]:
    """Return the parts between commas that stand in no brackets and no quotation marks."""
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "[{") - (letter in "]}")
        if letter == "," and not quoted and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _piece(piece: str, text: str) -> Sequence[str] | Steps:
    """Return one value, or the range that «from:to:step» means."""
    if piece.startswith('"'):
        try:
            return (str(json.loads(piece)),)
        except ValueError:
            raise _unreadable(text, f"the quotation marks of «{piece}» do not close") from None
    if not piece:
        raise _unreadable(text, "a value is missing between two commas")
    sign = piece[0] if piece[0] in "*+" else ""
    try:
        numbers = [Decimal(part) for part in piece[len(sign) :].split(":")]
    except InvalidOperation:
        if sign:
            raise _unreadable(text, f"«{sign}» is followed by no number") from None
        return (piece,)
    if not all(number.is_finite() for number in numbers) or len(numbers) not in (1, 3):
        return (piece,)
    if len(numbers) == 1:
        return Steps(numbers[0], Decimal(1), 1, sign) if sign else (piece,)
    start, stop, step = numbers
    if step == 0 or (stop - start) * step < 0:
        raise _unreadable(text, f"«{piece}» never gets from its start to its end")
    try:
        return Steps(start, step, int((stop - start) // step) + 1, sign)
    except InvalidOperation:
        raise _unreadable(text, f"«{piece}» has more values than can be counted") from None


def _unreadable(text: str, why: str) -> UsageError:
    return UsageError(
        "usage.over",
        f"The values in «{text}» cannot be read: {why}.",
        where="--over",
        do="A range is from:to:step; a text with commas or colons stands in quotation marks.",
    )


def read_sets(file: Path) -> tuple[Cell, ...]:
    """Return the parameter sets of a CSV table: a column for each dotted path, a row for each set.

    Parameters
    ----------
    file : Path
        UTF-8, commas or semicolons between the columns. A cell is one value; an empty one leaves the declared value.

    Raises
    ------
    UsageError
        The file cannot be read, or a row has more or fewer cells than the first line.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            "usage.table", "The table of parameter sets cannot be read.", where=file.name, do="Name a UTF-8 CSV file."
        ) from None
    head = text.partition("\n")[0]
    rows = list(csv.reader(text.splitlines(), delimiter=";" if ";" in head and "," not in head else ","))
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    paths = [name.strip() for name in rows[0]] if rows else []
    wrong = [number for number, row in enumerate(rows, start=1) if len(row) != len(paths)]
    if len(rows) < 2 or not all(paths) or len(set(paths)) < len(paths) or wrong:
        what = (
            f"Row {wrong[0]} has another number of cells than the first line."
            if wrong
            else "The table needs a first line with a different path in each column, and at least one set below."
        )
        raise UsageError("usage.table", what, where=file.name, do="Such as: design.confidence,seed / 0.9,1 / 0.95,1")
    return tuple(
        {path: next(iter(_piece(cell.strip(), cell))) for path, cell in zip(paths, row, strict=True) if cell.strip()}
        for row in rows[1:]
    )
