"""The same programme with a made-up start, from the periods before the real one only; one way for each design."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from .. import language
from ..data import Tables
from ..data.timeline import UnorderedPeriodsError, timeline
from ..designs.difference_in_differences import DifferenceInDifferences
from ..designs.evaluation import EvaluationDesign
from ..designs.interrupted_time_series import InterruptedTimeSeries
from ..designs.staggered.panel import start_positions, timeline_of
from ..designs.staggered_adoption import StaggeredAdoption
from ..designs.synthetic_control import SyntheticControl

# A line, or a mix of places, needs at least so many periods before a made-up start, and after it.
_LEAST_BEFORE, _LEAST_AFTER = 3, 1


@dataclass(frozen=True)
class Earlier:
    """A made-up start.

    Attributes
    ----------
    name : str
        Where it lies, as a reader sees it.
    periods_ahead : int
        How many of the periods with outcomes it lies before the real start.
    design : EvaluationDesign
        The same design with that start, its headline alone.
    tables : Tables
        The outcome before the real start.
    """

    name: str
    periods_ahead: int
    design: EvaluationDesign
    tables: Tables


def earlier_starts(design: EvaluationDesign, tables: Tables, measure: str, most: int) -> list[Earlier]:
    """Return made-up starts, the earliest first; none where the design has no such notion or too few periods.

    Parameters
    ----------
    design : EvaluationDesign
        Of any type.
    tables : Tables
        Validated data.
    measure : str
        The outcome.
    most : int
        How many made-up starts at most, spread over those that there are.

    Raises
    ------
    VirkningError
        The shortened data break a rule.
    """
    for kind, make in _WAYS.items():
        if isinstance(design, kind):
            return list(make(design, tables, measure, most))
    return []


def has_start(design: EvaluationDesign) -> bool:
    """Tell whether the design has a start that can be moved."""
    return isinstance(design, tuple(_WAYS))


def _spread(places: range, most: int) -> list[int]:
    """Return at most so many of the places, as evenly as they allow."""
    if not len(places):
        return []
    return sorted({places[round(float(each))] for each in np.linspace(0, len(places) - 1, min(most, len(places)))})


def _only(
    tables: Tables, measure: str, outcomes: pd.DataFrame, last: str, participants: pd.DataFrame | None = None
) -> Tables:
    """Return the tables with some outcomes of one measure, asked about in the last of their periods."""
    outcome = tables.measures[measure].model_copy(update={"period": last, "primary": True})
    people = tables.participants if participants is None else participants
    return Tables.of(people, outcomes, {measure: outcome}, tables.schemas)


def _of(tables: Tables, measure: str) -> pd.DataFrame:
    outcomes = tables.outcomes
    return outcomes[(outcomes["measure"] == measure) & outcomes["value"].notna()]


def _two_groups(design: DifferenceInDifferences, tables: Tables, measure: str, most: int) -> Iterator[Earlier]:
    outcomes = _of(tables, measure)
    known = [name for name in design.before if (outcomes["period"] == name).any()]
    if len(known) < 2:
        return
    early = _only(tables, measure, outcomes[outcomes["period"].isin(known)], known[-1])
    for place in _spread(range(1, len(known)), most):
        changes = {
            "before": tuple(known[:place]),
            "after": tuple(known[place:]),
            "base_period": None,
            "alternatives": (),
        }
        yield Earlier(known[place], len(known) - place, design.model_copy(update=changes), early)


def _cohorts(design: StaggeredAdoption, tables: Tables, measure: str, most: int) -> Iterator[Earlier]:
    """Give starts some periods ahead of each cohort's own; outcomes from the real start, or its anticipation, on go."""
    participants, line = tables.participants, timeline_of(design, tables, measure)
    start = start_positions(design, participants, line)
    starts = start < len(line.names)
    # A made-up start needs a period before it, and one more for each of anticipation.
    latest = int(start[starts].max()) if starts.any() else 0
    furthest = latest - 2 * design.anticipation - 1
    if furthest < 1:
        return
    names = line.names[: latest - design.anticipation]
    place_of = {name: place for place, name in enumerate(names)}
    ends = dict(zip(participants["participant_id"], np.where(starts, start - design.anticipation, np.inf), strict=True))
    outcomes = _of(tables, measure)
    kept = outcomes[outcomes["period"].map(place_of) < outcomes["participant_id"].map(ends)]
    changes: dict[str, Any] = {"two_way_fixed_effects": False, "periods": names if design.periods else ()}
    for ahead in _spread(range(1, furthest + 1), most)[::-1]:
        moved = np.maximum(start[starts] - ahead - design.anticipation, 0).astype(np.int64)
        column = participants[design.cohort].copy()
        texts = [names[place] for place in moved]
        column[starts] = [float(text) for text in texts] if is_numeric_dtype(column.dtype) else texts
        early = _only(tables, measure, kept, names[-1], participants.assign(**{design.cohort: column}))
        said = f"{language.plural(ahead, 'period', 'periods')} before each cohort's own"
        yield Earlier(said, ahead, design.model_copy(update=changes), early)


def _before_start(tables: Tables, measure: str, start: str, declared: tuple[str, ...]) -> list[str]:
    """Return the periods before the start in which the outcome is known."""
    try:
        names = timeline(_of(tables, measure)["period"].unique(), declared).names
    except UnorderedPeriodsError:
        return []
    return list(names[: names.index(start)]) if start in names else []


def _places(design: SyntheticControl, tables: Tables, measure: str, most: int) -> Iterator[Earlier]:
    """Give starts in the later half of the periods; predictors go, as theirs may lie after a made-up start."""
    periods = _before_start(tables, measure, design.start, design.periods)
    changes: dict[str, Any] = {
        "predictors": (),
        "importance": "equal",
        "alternatives": (),
        "placebo_start": None,
        "treatment_measure": None,
    }
    yield from _along_one_line(design, tables, measure, periods, most, changes)


def _series(design: InterruptedTimeSeries, tables: Tables, measure: str, most: int) -> Iterator[Earlier]:
    transition = set(design.transition)
    periods = [name for name in _before_start(tables, measure, design.start, design.periods) if name not in transition]
    yield from _along_one_line(design, tables, measure, periods, most, {"transition": (), "alternatives": ()})


def _along_one_line(
    design: EvaluationDesign,
    tables: Tables,
    measure: str,
    periods: list[str],
    most: int,
    changes: dict[str, Any],
) -> Iterator[Earlier]:
    first = max(_LEAST_BEFORE, (len(periods) + 1) // 2)
    chosen = _spread(range(first, len(periods) - _LEAST_AFTER + 1), most)
    if not chosen:
        return
    outcomes = _of(tables, measure)
    early = _only(tables, measure, outcomes[outcomes["period"].isin(periods)], periods[-1])
    for place in chosen:
        # Where the order was declared, it is declared for what is left.
        declared = {"periods": tuple(periods)} if getattr(design, "periods", ()) else {}
        again = design.model_copy(update={**changes, **declared, "start": periods[place]})
        yield Earlier(periods[place], len(periods) - place, again, early)


_WAYS: Mapping[type, Callable[[Any, Tables, str, int], Iterator[Earlier]]] = MappingProxyType(
    {
        DifferenceInDifferences: _two_groups,
        StaggeredAdoption: _cohorts,
        SyntheticControl: _places,
        InterruptedTimeSeries: _series,
    }
)
