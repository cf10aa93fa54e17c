"""From the outcomes table to the rows of a panel: one for each person and period, complete and in the order of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..data import Tables


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
        Ordered by participant, then period; ``period_number`` counts the periods from zero.
    """
    outcomes = tables.outcomes
    outcomes = outcomes[outcomes["measure"].isin(list(measures))]
    wide = outcomes.pivot(index=["participant_id", "period"], columns="measure", values="value")  # noqa: PD010
    wide = wide.reindex(columns=list(measures)).dropna().reset_index()
    number = {name: place for place, name in enumerate(periods or in_order(outcomes["period"].unique().tolist()))}
    wide = wide[wide["period"].isin(number)]
    position = pd.Series(np.arange(len(people)), index=people["participant_id"].to_numpy())
    wide = wide.assign(
        period_number=wide["period"].map(number).to_numpy(np.int64),
        person_number=wide["participant_id"].map(position),
    )
    wide = wide[wide["person_number"].notna()].sort_values(["person_number", "period_number"])
    beside = people[["participant_id", *traits]]
    return wide.drop(columns="person_number").merge(beside, on="participant_id", how="left", validate="m:1")
