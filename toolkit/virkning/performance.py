"""How quick the toolkit was when it was last measured, kept beside the chapters: a book shows it without measuring.

Seconds are those of the processor, which a machine that is busy with something else hardly changes; and what counts are
ratios of contestants who took turns, since seconds tell of one machine only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from . import language
from .disclosure import ClearedTable, Column, DisclosureRule, Table, clear
from .errors import BookError
from .resources import folder
from .simulation.recorded import read_rows, write_rows

FILE = "performance.csv"
OURS, NUMERICS = "virkning", "virkning, numbers only"
# One chapter that is run many times, and one whole book.
PIPELINE, BOOK = "pipeline", "book"
N_RUNS = 100
STOCK, TUNED, FLOOR = "papermill", "papermill, one thread", "plain script, forked"
STOCK_BOOK, TUNED_BOOK = "papermill, jupyter-book", "papermill, jupyter-book, one thread"
RUNNING, CHANGED = "virkning, servers running", "virkning, one parameter changed"
UNCHANGED, START = "virkning, nothing changed", "an empty Python"
# What a command that has anything to do pays before and after its chapters, however few of them it runs.
FIXED = {
    "virkning, only the command's imports": "the imports of the command",
    "virkning, only the kernels": "the kernels, which run an empty notebook",
    "virkning, only the build's imports": "the imports of the build",
    "virkning, only the pages": "the pages, which are all made and looked at anew",
}
# Within a tenth, who is quicker changes from one measurement to the next.
_ALIKE = 0.1


@dataclass(frozen=True)
class Measured:
    """What one contestant took for one row of the benchmarks.

    Attributes
    ----------
    row, contestant : str
        What was done, and by whom.
    size : int
        Rows of data, draws, or runs.
    version : str
        Of the contestant; «none» where it is no package.
    cpu_seconds, wall_seconds : float
        Of the processor and of the clock, medians; missing where it failed.
    memory_mb : float
        Of an estimator the most that it held; of a run in the pipeline what it shares with nobody.
    difference : float
        By how much its numbers are other than ours, in standard errors.
    agrees : bool
        Whether that is within what the row allows.
    n_rounds : int
        Processes over which medians were taken.
    date, python, machine : str
        When and on what.
    """

    row: str
    contestant: str
    size: int
    version: str
    cpu_seconds: float
    wall_seconds: float
    memory_mb: float
    difference: float
    agrees: bool
    n_rounds: int
    date: str
    python: str
    machine: str


def write_performance(found: Iterable[Measured], file: Path) -> None:
    """Write what was measured into the record, in place of what stood there for the same rows and sizes.

    Parameters
    ----------
    found : iterable of Measured
        All contestants of some rows and sizes.
    file : Path
    """
    new = list(found)
    replaced = {(item.row, item.size) for item in new}
    kept = [
        item for item in (read_performance(file) if file.is_file() else ()) if (item.row, item.size) not in replaced
    ]
    write_rows(sorted([*kept, *new], key=lambda item: (item.row, item.size)), Measured, file)


def read_performance(file: Path | None = None) -> tuple[Measured, ...]:
    """Return what was measured last, by row and size.

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
        raise BookError("book.no_performance", "No benchmarks are recorded.", where=FILE, do="make bench")
    return read_rows(Measured, place)


_ESTIMATORS = (
    Column("row", "Estimate"),
    Column("size", "Rows", "number", digits=0),
    Column("cpu_seconds", "Ours", "number", "seconds", 3),
    Column("peer", "Best of the others"),
    Column("ratio", "Its time ÷ ours", "number", digits=2),
    Column("verdict", "Ours is"),
)


def estimators(file: Path | None = None) -> tuple[ClearedTable, ...]:
    """Return each estimator beside the quickest peer that gives the same numbers: one table for few rows, one for many.

    Parameters
    ----------
    file : Path, optional
        By default the record that is shipped with the chapters.
    """
    found = [item for item in read_performance(file) if item.row not in (PIPELINE, BOOK)]
    sizes: dict[str, list[int]] = {}
    for item in found:
        sizes.setdefault(item.row, [])
        sizes[item.row] += [item.size] if item.size not in sizes[item.row] else []
    tables = []
    for name, title, choose in (("few", "Few rows", min), ("many", "Many rows", max)):
        chosen = {row: choose(known) for row, known in sizes.items() if choose is min or len(known) > 1}
        lines = [_beside_best([item for item in found if (item.row, item.size) == pair]) for pair in chosen.items()]
        if lines:
            frame = pd.DataFrame(lines, columns=[column.name for column in _ESTIMATORS])
            note = "For the row on money, rows are draws."
            table = Table(
                f"performance-{name}", f"{title}: every estimate beside its best peer", _ESTIMATORS, frame, note=note
            )
            tables.append(clear(table, DisclosureRule()))
    return tuple(tables)


def _beside_best(found: Sequence[Measured]) -> dict[str, object]:
    """Return the line of one row and size; where no peer gave the same numbers, with nobody beside ours."""
    ours, *others = found
    peers = [item for item in others if item.agrees and not item.contestant.startswith(OURS)]
    best = min(peers, key=lambda item: item.cpu_seconds, default=None)
    line = {"row": ours.row, "size": ours.size, "cpu_seconds": ours.cpu_seconds}
    if best is None:
        return {**line, "peer": "none gave the same numbers", "ratio": math.nan, "verdict": "alone"}
    ratio = best.cpu_seconds / ours.cpu_seconds
    verdict = "slower" if ratio < 1 - _ALIKE else "quicker" if ratio > 1 + _ALIKE else "as quick"
    return {**line, "peer": best.contestant, "ratio": ratio, "verdict": verdict}


Seconds = Mapping[tuple[str, str], Measured]


@dataclass(frozen=True)
class Goal:
    """What the pipeline is to reach.

    Attributes
    ----------
    words : str
        What is measured.
    limit : float
        It is reached up to here, or from here on.
    is_least : bool
        Whether more is better.
    measured : callable
        From the record to the value.
    unit : str
        Of both numbers.
    digits : int
        Decimals shown.
    """

    words: str
    limit: float
    is_least: bool
    measured: Callable[[Seconds], float]
    unit: str = "times"
    digits: int = 1

    def line(self, record: Seconds) -> dict[str, str]:
        """Return the goal's line of the table; who is within the limit only when rounded has not reached it."""
        try:
            value = self.measured(record)
        except KeyError:
            value = math.nan
        goal = f"{'at least' if self.is_least else 'at most'} {self._said(self.limit)}"
        if math.isnan(value):
            return {"what": self.words, "measured": "not measured", "goal": goal, "reached": "not measured"}
        is_reached = value >= self.limit if self.is_least else value <= self.limit
        return {
            "what": self.words,
            "measured": self._said(value),
            "goal": goal,
            "reached": "yes" if is_reached else "no",
        }

    def _said(self, value: float) -> str:
        return f"{language.number(value, self.digits)} {self.unit}"


def _ratio(row: str, above: str, below: str) -> Callable[[Seconds], float]:
    return lambda record: record[row, above].cpu_seconds / record[row, below].cpu_seconds


def _share(contestant: str) -> Callable[[Seconds], float]:
    return lambda record: 100 * record[BOOK, contestant].cpu_seconds / record[BOOK, OURS].cpu_seconds


GOALS = (
    Goal(f"A chapter, {N_RUNS} runs: less than stock papermill", 6.5, True, _ratio(PIPELINE, STOCK, OURS)),
    Goal(f"A chapter, {N_RUNS} runs: less than papermill tuned to one thread", 5, True, _ratio(PIPELINE, TUNED, OURS)),
    Goal(f"A chapter, {N_RUNS} runs: beside the floor", 1.2, False, _ratio(PIPELINE, OURS, FLOOR), digits=2),
    Goal(
        "Memory of one more run at once",
        100,
        False,
        lambda record: record[PIPELINE, OURS].memory_mb,
        unit="MB",
        digits=0,
    ),
    Goal("A book from nothing: less than papermill and jupyter-book", 3.5, True, _ratio(BOOK, STOCK_BOOK, OURS)),
    Goal("The same, with servers running", 5.5, True, _ratio(BOOK, STOCK_BOOK, RUNNING)),
    Goal(
        "Nothing changed: beyond Python's start",
        0.5,
        False,
        lambda record: record[BOOK, UNCHANGED].cpu_seconds - record[BOOK, START].cpu_seconds,
        unit="seconds",
        digits=2,
    ),
    Goal("Nothing changed: of the book from nothing", 5, False, _share(UNCHANGED), unit="%"),
    Goal(
        "One parameter of the economy changed: of the book from nothing", 35, False, _share(CHANGED), unit="%", digits=0
    ),
)
_GOALS = (
    Column("what", "What"),
    Column("measured", "Measured"),
    Column("goal", "Goal"),
    Column("reached", "Reached"),
)
_PIPELINE = (
    Column("what", "What"),
    Column("contestant", "By whom"),
    Column("cpu_seconds", "Processor", "number", "seconds", 1),
    Column("memory_mb", "Own memory", "number", "MB", 0),
)


def _of_the_pipeline(file: Path | None) -> dict[tuple[str, str], Measured]:
    sizes = {PIPELINE: N_RUNS, BOOK: 1}
    found = [item for item in read_performance(file) if sizes.get(item.row) == item.size]
    return {(item.row, item.contestant): item for item in found}


def goals(file: Path | None = None) -> ClearedTable:
    """Return what the pipeline is to reach, what it reached, and whether that is enough.

    Parameters
    ----------
    file : Path, optional
        By default the record that is shipped with the chapters.
    """
    record = _of_the_pipeline(file)
    frame = pd.DataFrame([goal.line(record) for goal in GOALS], columns=[column.name for column in _GOALS])
    return clear(Table("performance-goals", "From notebooks to a book: goals", _GOALS, frame), DisclosureRule())


def seconds(file: Path | None = None) -> ClearedTable:
    """Return the seconds and the memory behind the goals.

    Parameters
    ----------
    file : Path, optional
        By default the record that is shipped with the chapters.
    """
    words = {PIPELINE: f"{N_RUNS} runs of a chapter", BOOK: "one book"}
    lines = [
        {
            "what": words[item.row],
            "contestant": item.contestant,
            "cpu_seconds": item.cpu_seconds,
            "memory_mb": item.memory_mb,
        }
        for item in _of_the_pipeline(file).values()
    ]
    frame = pd.DataFrame(lines, columns=[column.name for column in _PIPELINE])
    return clear(
        Table("performance-seconds", "From notebooks to a book: who took what", _PIPELINE, frame), DisclosureRule()
    )


def limit(file: Path | None = None) -> str:
    """Return in words how much of a small change is the same for every change, and so cannot be saved by running less.

    Parameters
    ----------
    file : Path, optional
        By default the record that is shipped with the chapters.
    """
    record = _of_the_pipeline(file)
    if not {(BOOK, name) for name in (*FIXED, CHANGED, OURS)} <= set(record):
        return "What a small change must cost was not measured."
    parts = {words: record[BOOK, name].cpu_seconds for name, words in FIXED.items()}
    changed, cold = (record[BOOK, name].cpu_seconds for name in (CHANGED, OURS))
    said = language.join([f"{language.number(seconds, 1)} seconds for {words}" for words, seconds in parts.items()])
    return (
        f"One changed parameter takes {language.number(changed, 1)} seconds, a book from nothing "
        f"{language.number(cold, 1)}. Most of it is the same for any change: {said}. These alone "
        f"are {language.number(100 * sum(parts.values()) / cold, 0)}% of the latter. They could be saved only by "
        "processes that stay when the command has ended, or by pages that are not made anew."
    )


def when_and_where(file: Path | None = None) -> str:
    """Return in one sentence when, and on what, the record was measured.

    Parameters
    ----------
    file : Path, optional
        By default the record that is shipped with the chapters.
    """
    found = read_performance(file)
    dates = sorted({item.date for item in found})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    pythons, machines = (", ".join(sorted({getattr(item, name) for item in found})) for name in ("python", "machine"))
    versions = sorted({f"{item.contestant.split(',')[0]} {item.version}" for item in found if _is_package(item)})
    return f"Measured {when} with Python {pythons} on {machines}: {', '.join(versions)}."


def _is_package(item: Measured) -> bool:
    return item.version[:1].isdigit()
