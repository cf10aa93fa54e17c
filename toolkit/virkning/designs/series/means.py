"""The series of an interrupted time series: the mean of the programme's rows, and of the comparison's, by period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...data import Tables
from ...data.timeline import Timeline, timeline
from ...numerics.concentration import persons_behind_mean
from .. import periods
from ..evaluation import Persons

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Booleans = NDArray[np.bool_]


class SeriesFields(Protocol):
    """The fields of an interrupted time series that say which series there are."""

    @property
    def treatment(self) -> str: ...
    @property
    def periods(self) -> tuple[str, ...]: ...
    @property
    def start(self) -> str: ...
    @property
    def transition(self) -> tuple[str, ...]: ...
    @property
    def has_comparison_series(self) -> bool: ...
    @property
    def needs_every_period(self) -> bool: ...
    @property
    def persons_per_row(self) -> str | None: ...


@dataclass(frozen=True)
class MeanSeries:
    """The mean of one group by period.

    Attributes
    ----------
    means : ndarray, shape (n,)
        In the outcome's unit.
    persons : ndarray of int, shape (n,)
        On how many persons each mean rests, as disclosure control counts them.
    n_persons : int
        Persons with an outcome in any of the periods.
    """

    means: Array
    persons: Places
    n_persons: int


@dataclass(frozen=True)
class SeriesPair:
    """What is fitted: the programme's series and, where there is one, the comparison's, in the periods that are used.

    Attributes
    ----------
    periods : tuple of str
        Names of the n periods that are used, in the order of time.
    places : ndarray of int, shape (n,)
        Where each lies among all periods, from 0; a period that is left out leaves a gap.
    start : int
        Place of the first period with the programme that is used.
    treated : MeanSeries
        The programme's.
    comparison : MeanSeries, optional
        The comparison's.
    is_incomplete : bool
        Whether some row lacks the outcome in some period, so that means rest on changing rows.
    leaves_out : bool
        Whether some row is left out altogether.
    """

    periods: tuple[str, ...]
    places: Places
    start: int
    treated: MeanSeries
    comparison: MeanSeries | None
    is_incomplete: bool
    leaves_out: bool

    @property
    def outcome(self) -> Array:
        """What is regressed on time, shape (n,): the series, or its distance from the comparison's."""
        return self.treated.means if self.comparison is None else self.treated.means - self.comparison.means

    @property
    def persons(self) -> Places:
        """On how many persons the outcome of each period rests, shape (n,): the fewer of the two groups."""
        if self.comparison is None:
            return self.treated.persons
        return np.minimum(self.treated.persons, self.comparison.persons)

    @property
    def n_before(self) -> int:
        """Number of periods before the start that are used."""
        return int((self.places < self.start).sum())


def timeline_of(design: SeriesFields, tables: Tables, measure: str) -> Timeline:
    """Return the periods of one outcome in their order.

    Parameters
    ----------
    design : SeriesFields
        May declare the order.
    tables : Tables
        Validated data.
    measure : str
        A declared measure.

    Raises
    ------
    UnorderedPeriodsError
        The order is neither declared nor told by the names.
    """
    found = tables.periods_of(measure)
    line = timeline(found, design.periods)
    # A period of transition may well be one without outcomes; it takes its place in time all the same.
    unmeasured = [name for name in design.transition if name in line.missing]
    return timeline([*found, *unmeasured], design.periods) if unmeasured else line


def used_periods(design: SeriesFields, line: Timeline) -> tuple[tuple[str, ...], Places, int]:
    """Return the names and places of the periods that are used, and the place of the first with the programme.

    Parameters
    ----------
    design : SeriesFields
        Its start is among the periods.
    line : Timeline
        From :func:`timeline_of`.
    """
    places = np.array([code for code, name in enumerate(line.names) if name not in design.transition], dtype=np.int64)
    begin = line.names.index(design.start)
    after = places[places >= begin]
    return tuple(line.names[code] for code in places), places, int(after[0]) if len(after) else len(line.names)


def rows_used(
    design: SeriesFields, tables: Tables, measure: str, persons: Persons | None = None
) -> tuple[periods.Rows, Booleans]:
    """Return the outcomes that the means are taken over, and which participants are left out.

    Parameters
    ----------
    design : SeriesFields
        Whether a row needs every period.
    tables : Tables
        Validated data.
    measure : str
        A declared measure.
    persons : ndarray of bool, shape (participants,), optional
        Look at these only; the others count as left out.
    """
    names, _, _ = used_periods(design, timeline_of(design, tables, measure))
    return _rows_of(design, tables, measure, names, persons)


def _rows_of(
    design: SeriesFields, tables: Tables, measure: str, names: Sequence[str], persons: Persons | None
) -> tuple[periods.Rows, Booleans]:
    rows = periods.rows_of(tables, measure, names, persons)
    counts = np.bincount(rows.person, minlength=len(tables.participants))
    kept = counts == len(names) if design.needs_every_period else counts > 0
    if kept[counts > 0].all():
        return rows, ~kept
    return rows.only(kept[rows.person]), ~kept


def series_of(
    design: SeriesFields, tables: Tables, measure: str, persons: Persons | None = None
) -> tuple[SeriesPair | None, str]:
    """Return the series of one outcome, or the reason why there is none; the reason counts nobody.

    Parameters
    ----------
    design : SeriesFields
        Found sound by its refusals.
    tables : Tables
        Validated data.
    measure : str
        A declared measure.
    persons : ndarray of bool, shape (participants,), optional
        Look at these only.
    """
    names, places, start = used_periods(design, timeline_of(design, tables, measure))
    rows, left_out = _rows_of(design, tables, measure, names, persons)
    n_used = int((~left_out).sum())
    people = tables.participants
    treated = people[design.treatment].to_numpy(dtype=bool)
    sizes = None if design.persons_per_row is None else people[design.persons_per_row].to_numpy(dtype=np.int64)
    is_treated = treated[rows.person]
    both = [(rows if each.all() else rows.only(each)) for each in (is_treated, ~is_treated)]
    arms = [_means(each, len(names), sizes) for each in both]
    if arms[0] is None:
        return None, "In some periods nobody's outcome is known, so the series has gaps."
    if design.has_comparison_series and arms[1] is None:
        return None, "In some periods nobody's outcome in the comparison group is known, so its series has gaps."
    n_asked = len(people) if persons is None else int(persons.sum())
    pair = SeriesPair(
        periods=names,
        places=places,
        start=start,
        treated=arms[0],
        comparison=arms[1] if design.has_comparison_series else None,
        is_incomplete=len(rows.value) < n_used * len(names),
        leaves_out=n_used < n_asked,
    )
    return pair, ""


def _means(rows: periods.Rows, n_periods: int, sizes: Places | None) -> MeanSeries | None:
    """Return the mean by period; None where a period has no value."""
    counts = np.bincount(rows.period, minlength=n_periods)
    if (counts == 0).any():
        return None
    persons = np.flatnonzero(np.bincount(rows.person))
    if sizes is None:
        behind = np.array([persons_behind_mean(values) for values in _by_period(rows, counts, len(persons))])
        n_persons = len(persons)
    else:
        behind = np.bincount(rows.period, weights=sizes[rows.person], minlength=n_periods)
        n_persons = int(sizes[persons].sum())
    means = np.bincount(rows.period, weights=rows.value, minlength=n_periods) / counts
    return MeanSeries(means, behind.astype(np.int64), n_persons)


def _by_period(rows: periods.Rows, counts: Places, n_persons: int) -> Iterable[Array]:
    """Return the values of each period; ``counts`` says how many there are."""
    if len(rows.value) == n_persons * len(counts):
        # Sorted by person, then period: a table without gaps.
        return np.ascontiguousarray(rows.value.reshape(n_persons, len(counts)).T)
    return np.split(rows.value[np.argsort(rows.period, kind="stable")], np.cumsum(counts)[:-1])
