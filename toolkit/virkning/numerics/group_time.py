"""Effects by cohort and period when a programme starts at different times, and their averages.

Callaway and Sant'Anna (2021): each cohort, those who start in one period, is compared with persons who have not
started, over two periods at a time. Every number comes with its influence function, so that averages of them
need no resampling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .two_periods import Adjustment, Groups, NotComparableError, difference_between

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Comparison = Literal["never_treated", "not_yet_treated"]
BasePeriod = Literal["varying", "universal"]
Aggregation = Literal["simple", "dynamic", "group", "calendar"]

# Draws that are held in memory at once when bands are made.
_BATCH = 200
# Mammen's (1993) two-point weights: mean zero, variance one, third moment one.
_LOW, _HIGH = (1 - np.sqrt(5)) / 2, (1 + np.sqrt(5)) / 2
_LOW_SHARE = _HIGH / np.sqrt(5)


@dataclass(frozen=True)
class Panel:
    """Persons over periods.

    Attributes
    ----------
    outcome : ndarray, shape (n, periods)
        In the outcome's unit; NaN where nothing was measured.
    cohort : ndarray of int, shape (n,)
        Position of the period in which each person started, from 1; the number of periods for those who did not start
        in any of them.
    covariates : ndarray, shape (n, p)
        Traits from before, without a constant.
    """

    outcome: Array
    cohort: Whole
    covariates: Array

    @property
    def n_periods(self) -> int:
        """How many periods there are."""
        return int(self.outcome.shape[1])


@dataclass(frozen=True)
class Rules:
    """How cohorts are compared.

    Attributes
    ----------
    comparison : str
        never_treated, or not_yet_treated: all who have not started by the later of the two periods.
    adjustment : str
        What is done with covariates.
    anticipation : int
        Periods before the start in which the outcome may react already.
    base_period : str
        What the periods before the start are compared with: the period just before (varying) or the last one before the
        start, less the anticipation (universal). Later periods are always compared with the latter.
    """

    comparison: Comparison
    adjustment: Adjustment
    anticipation: int = 0
    base_period: BasePeriod = "varying"


@dataclass(frozen=True)
class GroupTimeEffects:
    """Effects by cohort and period.

    Attributes
    ----------
    cohort, period : ndarray of int, shape (k,)
        Positions of the period of the start and of the period looked at.
    value : ndarray, shape (k,)
        In the outcome's unit.
    influence : ndarray, shape (n, k)
        The variance of a value is the sum of squares of its column, over n².
    members : ndarray of int, shape (n,)
        Each person's cohort, as in :class:`Panel`.
    n_treated, n_comparison : ndarray of int, shape (k,)
        Persons behind each effect.
    left_out : tuple of (int, int, str)
        Cohort, period and reason of what could not be estimated.
    takes_part : ndarray of bool, shape (n,)
        Who belongs to a cohort with an effect, or is compared with one.
    """

    cohort: Whole
    period: Whole
    value: Array
    influence: Array
    members: Whole
    n_treated: Whole
    n_comparison: Whole
    left_out: tuple[tuple[int, int, str], ...]
    takes_part: NDArray[np.bool_]

    @property
    def is_after(self) -> NDArray[np.bool_]:
        """Which effects are of periods from the start on, shape (k,)."""
        return self.period >= self.cohort

    def among_those_taking_part(self) -> GroupTimeEffects:
        """Return the same effects as they come out without those who take no part in any of them."""
        chosen = self.takes_part
        share = chosen.mean() if len(chosen) else 1.0
        return replace(
            self, influence=self.influence[chosen] * share, members=self.members[chosen], takes_part=chosen[chosen]
        )


@dataclass(frozen=True)
class Path:
    """An average over cohorts and periods, and the averages along one dimension that it is made of.

    Attributes
    ----------
    labels : ndarray of int, shape (m,)
        Periods since the start (dynamic and simple), positions of cohorts (group) or of periods (calendar).
    values : ndarray, shape (m,)
        In the outcome's unit.
    influence : ndarray, shape (n, m)
        As in :class:`GroupTimeEffects`.
    n_treated : ndarray of int, shape (m,)
        Persons of the cohorts behind each of them.
    overall : float
        The average.
    overall_influence : ndarray, shape (n,)
        Its influence function.
    """

    labels: Whole
    values: Array
    influence: Array
    n_treated: Whole
    overall: float
    overall_influence: Array


def treated_cohorts(cohort: Whole, n_periods: int, rules: Rules) -> list[int]:
    """Return the positions of the cohorts with an effect: a period before the start and somebody to compare with.

    Without anybody who never starts, the last cohort is only compared with.
    """
    found = sorted(int(each) for each in np.unique(cohort) if rules.anticipation < each < n_periods)
    if (cohort >= n_periods).any():
        return found
    last = max(found, default=0)
    return [each for each in found if rules.comparison == "not_yet_treated" and each + rules.anticipation < last]


def group_time_effects(panel: Panel, rules: Rules) -> GroupTimeEffects:
    """Return the effect for each cohort and period that can be compared.

    A comparison uses the persons who have an outcome in both of its periods. Persons who started in the first period,
    or so soon after it that anticipation reaches it, take no part.

    Parameters
    ----------
    panel : Panel
        Persons over periods.
    rules : Rules
        How cohorts are compared.
    """
    n = len(panel.cohort)
    cells: list[tuple[int, int, float, int, int]] = []
    columns: list[Array] = []
    left_out: list[tuple[int, int, str]] = []
    takes_part = np.zeros(n, dtype=bool)
    for cohort in treated_cohorts(panel.cohort, panel.n_periods, rules):
        # Mostly the same persons are compared in one period after the other.
        compared, groups = np.zeros(n, dtype=bool), None
        for period in range(panel.n_periods):
            base = _base(cohort, period, rules)
            theirs = _comparison(panel, cohort, max(period, -1 if base is None else base), rules)
            if base is None or base == period or not theirs.any():
                continue
            change = panel.outcome[:, period] - panel.outcome[:, base]
            chosen = np.isfinite(change) & ((panel.cohort == cohort) | theirs)
            if groups is None or not np.array_equal(chosen, compared):
                compared = chosen
                groups = Groups(panel.cohort[chosen] == cohort, panel.covariates[chosen])
            treated = groups.treated
            if treated.all() or not treated.any():
                left_out.append((cohort, period, "Nobody has an outcome in both of the periods that are compared."))
                continue
            try:
                found = difference_between(change[chosen], groups, rules.adjustment)
            except NotComparableError as error:
                left_out.append((cohort, period, str(error)))
                continue
            column = np.zeros(n)
            column[chosen] = found.influence * (n / len(treated))
            columns.append(column)
            takes_part |= chosen | (panel.cohort == cohort)
            cells.append((cohort, period, found.value, int(treated.sum()), int((~treated).sum())))
    whole = np.array([(cell[0], cell[1], cell[3], cell[4]) for cell in cells], dtype=np.int64).reshape(-1, 4)
    return GroupTimeEffects(
        cohort=whole[:, 0],
        period=whole[:, 1],
        value=np.array([cell[2] for cell in cells], dtype=np.float64),
        influence=np.column_stack(columns) if columns else np.zeros((n, 0)),
        members=panel.cohort,
        n_treated=whole[:, 2],
        n_comparison=whole[:, 3],
        left_out=tuple(left_out),
        takes_part=takes_part,
    )


def _base(cohort: int, period: int, rules: Rules) -> int | None:
    """Return the position of the period that a period is compared with; None for the first one of a varying base."""
    if period >= cohort or rules.base_period == "universal":
        return cohort - rules.anticipation - 1
    return period - 1 if period > 0 else None


def _comparison(panel: Panel, cohort: int, latest: int, rules: Rules) -> NDArray[np.bool_]:
    """Tell who can stand in for the cohort up to the position of the latest period used, shape (n,)."""
    if rules.comparison == "never_treated":
        return panel.cohort >= panel.n_periods
    later = (panel.cohort >= panel.n_periods) | (panel.cohort > latest + rules.anticipation)
    return np.asarray(later & (panel.cohort != cohort), dtype=np.bool_)


def aggregate(effects: GroupTimeEffects, how: Aggregation) -> Path:
    """Return an average of the effects from the start on, and the path that belongs to it.

    Cohorts count by their number of persons. ``simple``: every cohort and period counts by it; ``dynamic``: first for
    each time since the start, then those from zero on alike; ``group``: the mean over each cohort's periods, then over
    cohorts; ``calendar``: first for each period, then the periods alike.

    Parameters
    ----------
    effects : GroupTimeEffects
        With at least one period from the start on.
    how : str
        simple, dynamic, group or calendar.
    """
    after = effects.is_after
    labels_of = {"group": effects.cohort, "calendar": effects.period}.get(how, effects.period - effects.cohort)
    in_path = after if how in ("group", "calendar") else np.ones(len(after), dtype=bool)
    labels = np.unique(labels_of[in_path])
    steps = [_weighted(effects, in_path & (labels_of == label)) for label in labels]
    values = np.array([value for value, _ in steps])
    influence = np.column_stack([column for _, column in steps])
    cohorts = [np.unique(effects.cohort[in_path & (labels_of == label)]) for label in labels]
    if how == "simple":
        overall, overall_influence = _weighted(effects, after)
    elif how == "group":
        overall, overall_influence = _over_cohorts(effects.members, labels, values, influence)
    else:
        counted = labels >= 0 if how == "dynamic" else np.ones(len(labels), dtype=bool)
        overall, overall_influence = float(values[counted].mean()), influence[:, counted].mean(axis=1)
    n_treated = np.array([np.isin(effects.members, each).sum() for each in cohorts], dtype=np.int64)
    return Path(labels, values, influence, n_treated, overall, overall_influence)


def _weighted(effects: GroupTimeEffects, chosen: NDArray[np.bool_]) -> tuple[float, Array]:
    """Return the average of chosen effects, each counting by the size of its cohort, with its influence function."""
    return _over_cohorts(effects.members, effects.cohort[chosen], effects.value[chosen], effects.influence[:, chosen])


def _over_cohorts(members: Whole, cohorts: Whole, values: Array, influence: Array) -> tuple[float, Array]:
    """Return the average of values by the sizes of their cohorts, whose being estimated is part of the error."""
    times = {int(cohort): int((cohorts == cohort).sum()) for cohort in np.unique(cohorts)}
    sizes = np.array([(members == cohort).mean() for cohort in cohorts])
    weights = sizes / sizes.sum()
    overall = float(weights @ values)
    # A person of a cohort raises its weight: sum over its values of (value - overall), relative to all sizes.
    excess = {each: float((values[cohorts == each] - overall).sum()) for each in times}
    of_sizes = np.zeros(len(members))
    for each, amount in excess.items():
        of_sizes[members == each] = amount
    # The mean of what persons add is sum(sizes * (values - overall)) = 0, so nothing needs to be taken off.
    return overall, influence @ weights + of_sizes / sizes.sum()


def cluster_sums(influence: Array, clusters: Whole) -> Array:
    """Return influence summed within clusters, one row per cluster; ``clusters`` has shape (n,)."""
    names, codes = np.unique(clusters, return_inverse=True)
    sums = np.zeros((len(names), influence.shape[1]))
    np.add.at(sums, codes, influence)
    return sums


@dataclass(frozen=True)
class WaldTest:
    """A joint test that several effects are zero: the statistic, its degrees of freedom and the p-value."""

    statistic: float
    degrees_of_freedom: int
    p_value: float


def wald_test(values: Array, influence: Array) -> WaldTest | None:
    """Return the test that all values are zero, or None when their covariance has not full rank.

    Parameters
    ----------
    values : ndarray, shape (k,)
        Estimates.
    influence : ndarray, shape (units, k)
        Independent units' shares in the errors: the covariance is the cross product.
    """
    covariance = influence.T @ influence
    if not len(values) or np.linalg.matrix_rank(covariance, hermitian=True) < len(values):
        return None
    statistic = float(values @ np.linalg.solve(covariance, values))
    return WaldTest(statistic, len(values), float(stats.chi2.sf(statistic, len(values))))


def simultaneous_critical_value(
    influence: Array, level: float, generator: np.random.Generator, *, n_draws: int = 2000
) -> float:
    """Return how many standard errors wide bands must be to hold all estimates together.

    The multiplier bootstrap: shares in the errors are multiplied by random weights of mean zero and variance one, and
    the largest of the standardised sums is noted, many times over (Callaway and Sant'Anna 2021, algorithm 1).

    Parameters
    ----------
    influence : ndarray, shape (units, k)
        Independent units' shares in the errors, none of them all zero.
    level : float
        Confidence level, 0 to 1.
    generator : Generator
        Source of the random weights.
    n_draws : int
        How often.
    """
    scaled = influence / np.sqrt((influence**2).sum(axis=0))
    largest = []
    for start in range(0, n_draws, _BATCH):
        low = generator.random((min(_BATCH, n_draws - start), len(scaled))) < _LOW_SHARE
        largest.append(np.abs(np.where(low, _LOW, _HIGH) @ scaled).max(axis=1))
    # A band is never narrower than the interval for a single one.
    return max(float(np.quantile(np.concatenate(largest), level)), float(stats.norm.ppf(0.5 + level / 2)))
