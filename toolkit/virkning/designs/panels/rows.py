"""From the outcomes table to the rows of a panel: one for each person and period, complete and in the order of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...data import Tables

# The column with the place of each row's participant among the people.
PERSON = "person_number"


def in_order(periods: Sequence[str]) -> tuple[str, ...]:
    """Return the periods sorted as numbers when all of them are, else as text.

    >>> in_order(["10", "9"]), in_order(["2024Q2", "2024Q1"])
    (('9', '10'), ('2024Q1', '2024Q2'))
    """
    try:
        return tuple(sorted(periods, key=float))
    except ValueError:
        return tuple(sorted(periods))


def rows_of(
    tables: Tables, people: pd.DataFrame, measures: Sequence[str], traits: Sequence[str], periods: Sequence[str]
) -> pd.DataFrame:
    """Return one row per person and period in which all measures are known.

    Parameters
    ----------
    tables : Tables
        Validated data.
    people : DataFrame
        Those participants who count, in their order.
    measures : sequence of str
        Each becomes a column.
    traits : sequence of str
        Columns of the participants that stand beside them.
    periods : sequence of str
        In the order of time; none: all that the measures have, see :func:`in_order`.

    Returns
    -------
    DataFrame
        Ordered by participant, then period; ``period_number`` counts the periods from zero, ``person_number`` the
        people.
    """
    found = {name: None for measure in measures for name in tables.periods_of(measure, needs_value=False)}
    names = tuple(periods) or in_order(list(found))
    # Numbers of rows, for those who count; the others stand after the last.
    place_of = np.full(len(tables.participants), len(people))
    place_of[people.index] = np.arange(len(people))
    values = np.full((len(measures), len(people) + 1, len(names)), np.nan)
    for row, measure in enumerate(measures):
        person, period, value = tables.known_values(measure, names)
        values[row, place_of[person], period] = value
    place, number = np.nonzero(~np.isnan(values[:, : len(people)]).any(axis=0))
    rows = people[["participant_id", *traits]].iloc[place].reset_index(drop=True)
    rows.insert(1, "period", pd.Index(names, dtype="str").take(number))
    for row, measure in enumerate(measures):
        rows.insert(2 + row, measure, values[row, place, number])
    rows.insert(2 + len(measures), "period_number", number)
    rows.insert(3 + len(measures), PERSON, place)
    return rows
