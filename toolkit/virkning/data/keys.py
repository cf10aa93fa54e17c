"""The names in the outcomes table as numbers, looked up once: that takes longer than most estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Places = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Keys:
    """Where each row of the outcomes belongs.

    Attributes
    ----------
    person : ndarray of int, shape (n,)
        Row of the participants.
    period, measure : ndarray of int, shape (n,)
        Place among ``periods`` and ``measures``.
    periods, measures : Index of str
        Each name once, in the order of the file.
    """

    person: NDArray[np.signedinteger[Any]]
    period: NDArray[np.signedinteger[Any]]
    measure: NDArray[np.signedinteger[Any]]
    periods: pd.Index
    measures: pd.Index

    @classmethod
    def of(cls, participants: pd.DataFrame, outcomes: pd.DataFrame) -> Keys:
        """Return the numbers of two validated tables.

        Parameters
        ----------
        participants, outcomes : DataFrame
            Every person of the outcomes is among the participants; nothing is missing.
        """
        person = pd.Index(participants["participant_id"]).get_indexer(pd.Index(outcomes["participant_id"]))
        period, periods = pd.factorize(outcomes["period"])
        measure, measures = pd.factorize(outcomes["measure"])
        # They lie beside the tables for as long as these do, so they are no longer than they must be.
        short = np.int16 if max(len(periods), len(measures)) < np.iinfo(np.int16).max else np.int32
        return cls(
            person.astype(np.int32), period.astype(short), measure.astype(short), pd.Index(periods), pd.Index(measures)
        )

    def known(self, measure: str, periods: Sequence[str], values: Values) -> tuple[Places, Places, Values]:
        """Return person, place in ``periods`` and value of the rows with a value, sorted by person, then period.

        Parameters
        ----------
        measure : str
            A declared measure.
        periods : sequence of str
            As they stand in the outcomes table; one that is not there has no rows.
        values : ndarray, shape (n,)
            Of all rows.
        """
        place_of = np.full(len(self.periods) + 1, -1, dtype=np.int64)
        place_of[self.periods.get_indexer(pd.Index(list(periods), dtype=self.periods.dtype))] = np.arange(len(periods))
        place_of[-1] = -1  # Here stands what is not among the periods.
        is_chosen = self._is(measure) & ~np.isnan(values)
        if (place_of[:-1] < 0).any():
            is_chosen &= (place_of >= 0)[self.period]
        if is_chosen.all():
            person, period = self.person.astype(np.int64), place_of[self.period]
        else:
            chosen = np.flatnonzero(is_chosen)
            person, period, values = self.person[chosen].astype(np.int64), place_of[self.period[chosen]], values[chosen]
        rank = person * len(periods) + period
        if (rank[1:] < rank[:-1]).any():
            order = np.argsort(rank)
            person, period, values = person[order], period[order], values[order]
        return person, period, values

    def periods_of(self, measure: str | None, values: Values | None) -> tuple[str, ...]:
        """Return the periods in which a measure has a row, or a value, for anybody, in the order of the file.

        Parameters
        ----------
        measure : str, optional
            A declared measure; None for every period that stands in the table.
        values : ndarray, shape (n,), optional
            Of all rows, when a row without a value does not count.
        """
        chosen = np.ones(len(self.period), dtype=np.bool_) if measure is None else self._is(measure)
        rows = self.period[chosen if values is None else chosen & ~np.isnan(values)]
        return tuple(self.periods[np.bincount(rows, minlength=len(self.periods)) > 0])

    def _is(self, measure: str) -> NDArray[np.bool_]:
        code = self.measures.get_indexer(pd.Index([measure], dtype=self.measures.dtype))[0]
        return np.asarray(self.measure == code, dtype=np.bool_)
