"""What the checks said in the last full validation, kept beside the chapters: a book shows it without drawing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ...disclosure import ClearedTable, Column, DisclosureRule, Table, clear
from ...errors import BookError
from ...resources import folder
from ..recorded import read_rows, write_rows
from . import SCENES
from .measure import Alarms

FILE = "alarms.csv"

_RATES = (
    Column("check", "Check"),
    Column("detected", "Caught", "share", "% of draws", 0),
    Column("false_alarm", "False alarm", "share", "% of draws", 0),
    Column("missed", "Wrongly no concern", "share", "% of draws", 0),
    Column("cleared", "Rightly no concern", "share", "% of draws", 0),
    Column("open", "Left open, when wrong", "share", "% of draws", 0),
)
_WORLDS = (
    Column("check", "Check"),
    Column("well", "All is well"),
    Column("broken", "What is wrong in the other half"),
    Column("blind", "What it cannot see"),
)


def write_alarms(found: Iterable[Alarms], file: Path) -> None:
    """Write what was found to a CSV file, all at once.

    Parameters
    ----------
    found : iterable of Alarms
    file : Path
    """
    write_rows(found, Alarms, file)


def read_alarms(file: Path | None = None) -> tuple[Alarms, ...]:
    """Return what was found in the last full validation.

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
        raise BookError("book.no_alarms", "No validation of the checks is recorded.", where=FILE, do="make validate")
    return read_rows(Alarms, place, keep_default_na=False)


def alarms(file: Path | None = None) -> tuple[ClearedTable, ClearedTable]:
    """Return how often each check speaks up, rightly and wrongly, and the made-up worlds that it was asked about.

    Parameters
    ----------
    file : Path, optional
        By default the record that is shipped with the chapters.

    Raises
    ------
    BookError
        No validation of the checks is recorded.
    """
    found = {(item.scene, item.is_broken): item for item in read_alarms(file)}
    rates, worlds = [], []
    for scene in dict.fromkeys(name for name, _ in found):
        well, broken = found[scene, False], found[scene, True]
        title = broken.check.replace("_", " ").capitalize()
        rates.append(
            {
                "check": title,
                "detected": broken.share_of_concern,
                "missed": broken.n_no_concern / broken.n_runs,
                "open": broken.n_undecided / broken.n_runs,
                "false_alarm": well.share_of_concern,
                "cleared": well.n_no_concern / well.n_runs,
            }
        )
        about = SCENES[scene]
        worlds.append({"check": title, "well": about.well, "broken": about.broken, "blind": about.blind})
    runs = [item.n_runs for item in found.values()]
    draws = " to ".join(f"{n:,}" for n in sorted({min(runs), max(runs)}))
    tables = (
        Table(
            "alarms",
            f"How often each check speaks up: {draws} draws where something is wrong, and as many where all is well",
            _RATES,
            pd.DataFrame(rates, columns=[column.name for column in _RATES]),
            note="Caught, wrongly no concern and left open are of draws in which something is wrong; false alarm and "
            "rightly no concern of draws in which all is well. A check leaves a draw open where it could not have seen "
            "enough, or can never prove anything.",
        ),
        Table(
            "alarms-worlds",
            "The made-up worlds, and what each check is blind to",
            _WORLDS,
            pd.DataFrame(worlds, columns=[column.name for column in _WORLDS]),
            note="A standard deviation of the outcome is ten points.",
        ),
    )
    first, second = (clear(table, DisclosureRule()) for table in tables)
    return first, second
