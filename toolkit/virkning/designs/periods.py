"""The periods of a design that looks before and after: which outcomes it uses, and why it cannot use them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data import Tables
from ..errors import DesignError
from .evaluation import Persons

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """The known outcomes of one measure, one row per person and period.

    Attributes
    ----------
    person : ndarray of int, shape (n,)
        Position of the person among the participants; rows are sorted by it, then by period.
    period : ndarray of int, shape (n,)
        Position of the period among those asked for.
    value : ndarray, shape (n,)
        In the outcome's unit.
    """

    person: Codes
    period: Codes
    value: Array

    @property
    def persons(self) -> Codes:
        """Positions of the persons who have a row, each once, in order."""
        # The rows are sorted.
        return self.person[np.concatenate([[True], np.diff(self.person) > 0])] if len(self.person) else self.person

    def only(self, chosen: Booleans) -> Rows:
        """Return some of the rows; ``chosen`` has shape (n,)."""
        return Rows(self.person[chosen], self.period[chosen], self.value[chosen])


def rows_of(tables: Tables, measure: str, periods: Sequence[str], persons: Persons | None = None) -> Rows:
    """Return the known outcomes in some periods.

    Parameters
    ----------
    tables : Tables
        Validated data.
    measure : str
        A declared measure.
    periods : sequence of str
        In the order of time.
    persons : ndarray of bool, shape (participants,), optional
        Look at these only.
    """
    rows = Rows(*tables.known_values(measure, periods))
    return rows if persons is None else rows.only(persons[rows.person])


def in_words(before: Sequence[str], after: Sequence[str]) -> Iterator[DesignError]:
    """Give the contradictions in the declared periods themselves."""
    named = [*before, *after]
    for name in sorted({name for name in named if named.count(name) > 1}):
        yield DesignError(
            "design.duplicate_period",
            f"The period «{name}» is named twice.",
            where="design.before, design.after",
            why="A period lies either before or after the start of the programme.",
            do="Name it once; leave out a period in which the programme was only just starting.",
        )


def not_measured(field: str, names: Sequence[str], tables: Tables) -> Iterator[DesignError]:
    """Give the periods named in a field of the design to which no outcome belongs."""
    known = sorted(tables.periods_of(needs_value=False))
    for name in names:
        if name not in known:
            yield DesignError(
                "design.unknown_period",
                f"No outcome belongs to the period «{name}».",
                where=f"design.{field}",
                why="Nothing is guessed: every period must be named as it stands in the data.",
                do=f"The data hold the periods {', '.join(known)}.",
            )


def in_data(before: Sequence[str], after: Sequence[str], tables: Tables) -> Iterator[DesignError]:
    """Give the declared periods that the data lack, and the outcomes whose own period is not one after the start."""
    yield from not_measured("before", before, tables)
    yield from not_measured("after", after, tables)
    for measure, outcome in tables.measures.items():
        if outcome.period not in after:
            yield DesignError(
                "design.period_not_after",
                f"The period «{outcome.period}» of the outcome «{measure}» is not among the periods after the start.",
                where=f"outcomes.{measure}.period, design.after",
                why="The effect of a programme is looked for after it began.",
                do="Name in the outcome one of the periods of design.after, or add its period there.",
            )


def unused_warning(tables: Tables, measure: str, declared: Sequence[str]) -> list[str]:
    """Return the sentence about outcomes of periods that the design does not name."""
    if set(tables.periods_of(measure, needs_value=False)) <= set(declared):
        return []
    return ["The data also hold outcomes of periods that the design does not name; they are not used."]
