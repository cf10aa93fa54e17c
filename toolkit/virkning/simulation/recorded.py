"""What the last full validation found: kept beside the chapters, so that a book shows it without a thousand runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from ..disclosure import ClearedTable, Column, DisclosureRule, Table, clear
from ..errors import BookError
from ..provenance import write_atomically
from ..resources import folder
from .coverage import Reliability
from .worlds import WORLDS

FILE = "reliability.csv"
Row = TypeVar("Row")

COLUMNS = (
    Column("term", "Way to estimate"),
    Column("truth", "True effect", "number", "points"),
    Column("bias", "Bias", "number", "points", digits=3),
    Column("chance", "Chance error of the bias", "number", "points", digits=3),
    Column("spread", "Spread of the estimates", "number", "points", digits=3),
    Column("mean_std_error", "Standard error reported", "number", "points", digits=3),
    Column("coverage", "Intervals that hold the truth", "share"),
    Column("verdict", "Within the limits"),
)


def write_record(found: Iterable[Reliability], file: Path) -> None:
    """Write a validation to a CSV file, all at once.

    Parameters
    ----------
    found : iterable of Reliability
    file : Path
    """
    write_rows(found, Reliability, file)


def write_rows(found: Iterable[Any], kind: type[Any], file: Path) -> None:
    """Write dataclasses of one kind to a CSV file, a row each, all at once.

    Parameters
    ----------
    found : iterable of dataclass
    kind : type
        Their class; its fields are the columns.
    file : Path
    """
    frame = pd.DataFrame([asdict(item) for item in found], columns=[field.name for field in fields(kind)])
    write_atomically(file, frame.to_csv(index=False, lineterminator="\n"))


def read_rows(kind: type[Row], file: Path, *, keep_default_na: bool = True) -> tuple[Row, ...]:
    """Return what :func:`write_rows` wrote.

    Parameters
    ----------
    kind : type
        Class of each row.
    file : Path
    keep_default_na : bool
        Whether empty cells and words such as «NA» are missing, as pandas has it, or text.
    """
    frame = pd.read_csv(file, keep_default_na=keep_default_na)
    columns = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return tuple(kind(*row) for row in frame[columns].astype(object).itertuples(index=False, name=None))


def read_record(file: Path | None = None) -> tuple[Reliability, ...]:
    """Return the last full validation.

    Parameters
    ----------
    file : Path, optional
        By default the file that is shipped with the chapters.

    Raises
    ------
    BookError
        There is no such file.
    """
    place = file or folder("book") / FILE
    if not place.is_file():
        raise BookError(
            "book.no_reliability", "No validation has been recorded.", where=FILE, do="Make it: make validate"
        )
    return read_rows(Reliability, place)


def reliability(chapter: str) -> tuple[ClearedTable, ...]:
    """Return one table per made-up world of a method, failures included; nobody stands behind its numbers.

    Parameters
    ----------
    chapter : str
        Name of the method's chapter, such as ``panel``.

    Raises
    ------
    BookError
        No validation has been recorded.
    """
    found = [item for item in read_record() if WORLDS[item.world].design.words.chapter == chapter]
    names = dict.fromkeys(item.world for item in found)
    tables = (_table(name, [item for item in found if item.world == name]) for name in names)
    return tuple(clear(table, DisclosureRule()) for table in tables)


def _table(name: str, found: list[Reliability]) -> Table:
    world, first = WORLDS[name], found[0]
    rows = [
        {
            "term": item.term,
            "truth": item.truth,
            "bias": item.bias,
            "chance": item.monte_carlo_error,
            "spread": item.spread,
            "mean_std_error": item.mean_std_error,
            "coverage": item.coverage,
            "verdict": _verdict(item, is_misled=item.term in world.misled),
        }
        for item in found
    ]
    return Table(
        f"reliability-{name.replace(' ', '-')}",
        f"A made-up world, {name}: {first.n_runs:,} draws with a known effect",
        COLUMNS,
        pd.DataFrame(rows, columns=[column.name for column in COLUMNS]),
        note=f"{world.words} Limits: a bias within two of its chance errors, and {first.level:.0%} intervals that hold "
        "the truth that often, give or take 1.7 percentage points.",
    )


def _verdict(item: Reliability, *, is_misled: bool) -> str:
    failed = [name for name, is_fine in (("bias", item.is_unbiased), ("coverage", item.has_coverage)) if not is_fine]
    missing = item.n_runs - item.n_estimated
    words = f"no: {' and '.join(failed)}" if failed else "yes"
    if is_misled:
        words += "; this world breaks its assumptions"
    return words + (f"; no estimate in {missing} draws" if missing else "")
