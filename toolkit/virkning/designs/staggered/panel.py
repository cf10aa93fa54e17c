"""From tables to the persons, periods and cohorts of a programme that starts at different times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from ...data import Tables
from ...data.timeline import Timeline, timeline
from ...numerics.group_time import Aggregation, GroupTimeEffects, Panel, Rules, group_time_effects
from ..evaluation import Persons
from ..periods import rows_of
from ..steps import COHORT, EVENT, PERIOD

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
    effects : GroupTimeEffects
        What comparing their cohorts gives.
    periods : tuple of str
        Names of the periods, in order.
    rows : ndarray of int, shape (n,)
        Positions of these persons among the participants.
    started_before, without_outcome, not_compared : ndarray of bool, shape (participants,)
        Who is left out: started in the first period, or so soon that no period before is left; of the others, too few
        outcomes are known; of the others, no comparison has a place for them.
    """

    panel: Panel
    effects: GroupTimeEffects
    periods: tuple[str, ...]
    rows: Whole
    started_before: Booleans
    without_outcome: Booleans
    not_compared: Booleans

    @property
    def has_gap(self) -> Booleans:
        """Who is used where both periods of a comparison are known, and lacks others; shape (n,)."""
        return np.asarray(~np.isfinite(self.panel.outcome).all(axis=1), dtype=np.bool_)

    @property
    def is_treated(self) -> Booleans:
        """Who belongs to a cohort with an effect from the start on; shape (n,)."""
        return np.asarray(np.isin(self.panel.cohort, self.effects.cohort[self.effects.is_after]), dtype=np.bool_)

    def without_gaps(self) -> Panel:
        """Return the persons whose outcome is known in every period."""
        return _only(self.panel, ~self.has_gap)


def _only(panel: Panel, chosen: Booleans) -> Panel:
    return Panel(panel.outcome[chosen], panel.cohort[chosen], panel.covariates[chosen])


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
    return timeline(tables.periods_of(measure), design.periods)


def start_positions(design: StaggeredFields, participants: pd.DataFrame, line: Timeline) -> Array:
    """Return the position of each person's start, the number of periods for none in them, NaN where it is not known."""
    # Many persons start in few periods, so each start is read once.
    starts = participants[design.cohort]
    codes, distinct = pd.factorize(starts)
    places = [line.position(text) for text in start_texts(pd.Series(distinct, dtype=starts.dtype))]
    numbers = [np.nan if place is None else float(place) for place in places]
    return np.array([*numbers, float(len(line.names))])[codes]  # The last is for no start, whose code is -1.


def follow(design: StaggeredFields, tables: Tables, measure: str, persons: Persons | None = None) -> Followed:
    """Return who is compared, and who is not, and what comparing them gives.

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
    covariates = participants[list(design.covariates)].to_numpy(dtype=np.float64).reshape(len(participants), -1)
    panel = Panel(outcome[used], start[used], covariates[used])
    effects = group_time_effects(panel, design.rules)
    not_compared = np.zeros(len(participants), dtype=bool)
    # Where nothing can be compared at all, that is what the estimate says.
    if effects.takes_part.any():
        not_compared[used] = ~effects.takes_part
        panel, effects = _only(panel, effects.takes_part), effects.among_those_taking_part()
    return Followed(
        panel=panel,
        effects=effects,
        periods=line.names,
        rows=np.flatnonzero(used & ~not_compared),
        started_before=chosen & too_early,
        without_outcome=chosen & ~too_early & ~is_known,
        not_compared=not_compared,
    )


def path_names(aggregation: Aggregation, labels: Whole, periods: Sequence[str]) -> tuple[str, ...]:
    """Return what the steps of a path are called: «event +1», «cohort 2004», «period 2006»."""
    if aggregation == "group":
        return tuple(f"{COHORT} {periods[label]}" for label in labels)
    if aggregation == "calendar":
        return tuple(f"{PERIOD} {periods[label]}" for label in labels)
    return tuple(f"{EVENT} {label:+d}" if label else f"{EVENT} 0" for label in labels)
