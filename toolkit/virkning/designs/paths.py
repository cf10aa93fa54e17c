"""Tables and drawings of what goes along the periods: where a period lies on the axis, and how values are written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pandas as pd

from .. import language
from ..disclosure import Column
from ..estimand import Outcome

# Column of a finding's table with the smallest number of persons behind the values of its row; never shown.
PERSONS = "persons"


@dataclass(frozen=True)
class Axis:
    """How periods are written in a table, and where they lie on the x axis.

    Attributes
    ----------
    columns : tuple of Column
        What a table shows of a period.
    places : Mapping of str to int
        Name of a period to its place: the number that it is called by, or how many periods it lies after the start.
    x : str
        The column with the places.
    start : float, optional
        Place of the start, between the last period before it and the first one after.
    names : str, optional
        The column with the names of the periods, where their places do not tell them.
    """

    columns: tuple[Column, ...]
    places: Mapping[str, int]
    x: str
    start: float | None
    names: str | None = None

    def frame(self, periods: Sequence[str]) -> pd.DataFrame:
        """Return the columns for one row per period."""
        # Places are whole numbers, not text: a drawing measures by them, and a year has no thousands separator.
        places = pd.Series([self.places[period] for period in periods], dtype=object)
        return pd.DataFrame({"period": list(periods), self.x: places})


def axis_of(periods: Sequence[str], n_before: int | None = None, *, label: str = "Period") -> Axis:
    """Return the axis for some periods.

    Parameters
    ----------
    periods : sequence of str
        All periods, in the order of time.
    n_before : int, optional
        How many of them lie before the start, at least one and not all; None where there is no common start.
    label : str
        What the reader sees above the periods.
    """
    if all(re.fullmatch(r"-?\d+", name) for name in periods):
        numbers = [int(name) for name in periods]
        if all(earlier < later for earlier, later in pairwise(numbers)):
            columns: tuple[Column, ...] = (Column("place", label),)
            return Axis(columns, dict(zip(periods, numbers, strict=True)), "place", _between(numbers, n_before))
    first = n_before or 0
    numbers = [position - first for position in range(len(periods))]
    along = "Place in time" if n_before is None else "Periods since the start"
    columns = (Column("period", label), Column("place", along, "number", digits=0, persons=PERSONS))
    names = "period" if n_before is None else None
    return Axis(columns, dict(zip(periods, numbers, strict=True)), "place", _between(numbers, n_before), names)


def _between(places: Sequence[int], n_before: int | None) -> float | None:
    return None if n_before is None else (places[n_before - 1] + places[n_before]) / 2


def value_columns(outcome: Outcome, size: float, labels: Mapping[str, str], *, are_differences: bool) -> list[Column]:
    """Return columns for values of an outcome, each resting on the column :data:`PERSONS`.

    Parameters
    ----------
    outcome : Outcome
        Tells the unit; shares are written per hundred.
    size : float
        Largest value, which decides how many decimals are shown.
    labels : mapping of str to str
        Name of the column to what the reader sees, the main one first: only that one names the unit.
    are_differences : bool
        Whether the values are differences, which for a share are percentage points.
    """
    if outcome.kind == "share":
        columns = [Column(name, label, "share", persons=PERSONS) for name, label in labels.items()]
        return [replace(columns[0], unit="percentage points" if are_differences else ""), *columns[1:]]
    digits = 4 if 0 < abs(size) < 1 else language.digits_for(outcome.kind, size)
    columns = [Column(name, label, "number", digits=digits, persons=PERSONS) for name, label in labels.items()]
    return [replace(columns[0], unit=outcome.unit), *columns[1:]]
