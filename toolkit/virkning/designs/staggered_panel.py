"""From tables to the persons, periods and cohorts of a programme that starts at different times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from ..data import Tables
from ..data.timeline import Timeline, timeline
from ..numerics.group_time import Aggregation, Panel, Rules
from .evaluation import Persons
from .periods import rows_of

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Booleans = NDArray[np.bool_]


class StaggeredFields(Protocol):
    """The fields of a staggered adoption that are needed here."""

    @property
    def treatment(self) -> str: ...
    @property
    def cohort(self) -> str: ...
    @property
    def periods(self) -> tuple[str, ...]: ...
    @property
    def covariates(self) -> tuple[str, ...]: ...
    @property
    def clusters(self) -> str | None: ...
    @property
    def aggregation(self) -> Aggregation: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def needs_every_period(self) -> bool: ...


@dataclass(frozen=True)
class Followed:
    """The persons that an estimate rests on, and what was left out.

    Attributes
    ----------
    panel : Panel
        Their outcomes and cohorts.
    periods : tuple of str
        Names of the periods, in order.
    rows : ndarray of int, shape (n,)
        Positions of these persons among the participants.
    n_started_before : int
        Persons left out because they started in the first period, or so soon that no period before is left.
    n_without_outcome : int
        Persons left out because too few of their outcomes are known.
    n_with_gaps : int
        Persons who are used where both periods of a comparison are known, and lack others.
    """

    panel: Panel
    periods: tuple[str, ...]
    rows: Whole
    n_started_before: int
    n_without_outcome: int
    n_with_gaps: int

    def only(self, chosen: Booleans) -> Followed:
        """Return some of the persons; ``chosen`` has shape (n,)."""
        panel = self.panel
        kept = Panel(panel.outcome[chosen], panel.cohort[chosen], panel.covariates[chosen])
        return replace(self, panel=kept, rows=self.rows[chosen])


def start_texts(values: pd.Series) -> pd.Series:
    """Return the period of each start as text, missing where there is none; whole numbers lose their decimals."""
    if types.is_numeric_dtype(values.dtype):
        numbers = values.astype("Float64")
        is_whole = bool((numbers.dropna() % 1 == 0).all())
        return numbers.astype("Int64").astype("string") if is_whole else numbers.astype("string")
    return values.astype("string").str.strip()


def timeline_of(design: StaggeredFields, tables: Tables, measure: str) -> Timeline:
    """Return the periods in which this measure is known for anybody, in order.

    Raises
    ------
    UnorderedPeriodsError
        Their names do not tell the order, and none is declared.
    """
    outcomes = tables.outcomes
    known = outcomes[(outcomes["measure"] == measure) & outcomes["value"].notna()]
    return timeline(known["period"].unique(), design.periods)


def start_positions(design: StaggeredFields, participants: pd.DataFrame, line: Timeline) -> Array:
    """Return the position of each person's start, the number of periods for none in them, NaN where it is not known."""
    texts = start_texts(participants[design.cohort])
    places = {text: line.position(text) for text in texts.dropna().unique()}
    numbers = {text: np.nan if place is None else float(place) for text, place in places.items()}
    found = texts.map(numbers).astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(np.where(texts.isna().to_numpy(dtype=bool), float(len(line.names)), found), dtype=np.float64)


def follow(design: StaggeredFields, tables: Tables, measure: str, persons: Persons | None = None) -> Followed:
    """Return who is compared, and count who is not.

    Parameters
    ----------
    design : StaggeredFields
        Found sound for these tables.
    tables : Tables
        Validated data.
    measure : str
        A declared measure.
    persons : ndarray of bool, shape (participants,), optional
        Look at these only.
    """
    participants = tables.participants
    line = timeline_of(design, tables, measure)
    n_periods = len(line.names)
    outcome = np.full((len(participants), n_periods), np.nan)
    rows = rows_of(tables, measure, line.names, persons)
    outcome[rows.person, rows.period] = rows.value
    start = start_positions(design, participants, line).astype(np.int64)
    chosen = np.ones(len(participants), dtype=bool) if persons is None else persons
    too_early = start <= design.rules.anticipation
    n_known = np.isfinite(outcome).sum(axis=1)
    is_known = n_known >= (n_periods if design.needs_every_period else 2)
    used = chosen & ~too_early & is_known
    covariates = participants[list(design.covariates)].to_numpy(dtype=np.float64)
    return Followed(
        panel=Panel(outcome[used], start[used], covariates.reshape(len(participants), -1)[used]),
        periods=line.names,
        rows=np.flatnonzero(used),
        n_started_before=int((chosen & too_early).sum()),
        n_without_outcome=int((chosen & ~too_early & ~is_known).sum()),
        n_with_gaps=int((used & (n_known < n_periods)).sum()),
    )


def without_gaps(followed: Followed) -> Followed:
    """Return the persons whose outcome is known in every period."""
    return followed.only(np.asarray(np.isfinite(followed.panel.outcome).all(axis=1), dtype=np.bool_))


def path_names(aggregation: Aggregation, labels: Whole, periods: Sequence[str]) -> tuple[str, ...]:
    """Return what the steps of a path are called: «event +1», «cohort 2004», «period 2006»."""
    if aggregation == "group":
        return tuple(f"cohort {periods[label]}" for label in labels)
    if aggregation == "calendar":
        return tuple(f"period {periods[label]}" for label in labels)
    return tuple("event 0" if label == 0 else f"event {label:+d}" for label in labels)
