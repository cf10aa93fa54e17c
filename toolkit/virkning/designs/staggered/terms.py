"""The terms of a staggered adoption: the average, its path, the regression beside it, and what to be warned of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...numerics.f_tail import f_tail
from ...numerics.group_time import (
    GroupTimeEffects,
    aggregate,
    cluster_sums,
    wald_test,
)
from ...numerics.two_way_fixed_effects import KINDS, goodman_bacon, two_way_fixed_effects
from ..assembly import Term
from .panel import Followed, StaggeredFields, path_names

Array = NDArray[np.float64]
Units = NDArray[np.int64]

TWO_WAY = "two-way fixed effects"
# Below about this many clusters their covariance is known to be too small (Cameron, Gelbach and Miller 2008).
_MANY_CLUSTERS = 40
_CLUSTERS_PER_EFFECT = 10
_NO_SPREAD = "so there is no spread to judge a difference by."
# Relative to the largest outcome: an error below this is rounding.
_ROUNDING = 1e-10


class FittedFields(StaggeredFields, Protocol):
    """The fields that decide what is fitted."""

    @property
    def smallest_cohort(self) -> int: ...
    @property
    def two_way_fixed_effects(self) -> bool: ...


@dataclass(frozen=True)
class Fitted:
    """What one outcome gave.

    Attributes
    ----------
    terms : tuple of Term
        The headline first; empty when there is a reason.
    reason : str
        Why there is no estimate.
    warnings : tuple of str
        Sentences without counts of persons.
    n_treated : int
        Persons of cohorts with an effect.
    comparison_mean : float
        Mean outcome of the others from the first start on, in the outcome's unit.
    """

    terms: tuple[Term, ...] = ()
    reason: str = ""
    warnings: tuple[str, ...] = ()
    n_treated: int = 0
    comparison_mean: float = 0.0


def fit(design: FittedFields, followed: Followed, units: Units) -> Fitted:
    """Return the terms for the persons followed, or the reason why there is no headline.

    Parameters
    ----------
    design : FittedFields
        What to fit.
    followed : Followed
        Persons with outcomes.
    units : ndarray of int, shape (n,)
        Each person's cluster, or the person.
    """
    outcome = followed.panel.outcome
    known = outcome[np.isfinite(outcome)]
    if not len(known):
        return Fitted(reason="Nobody who could be compared has this outcome before and after the start.")
    if known.min() == known.max():
        return Fitted(reason=f"This outcome is the same for everybody in every period, {_NO_SPREAD}")
    effects = followed.effects
    if not effects.is_after.any():
        return Fitted(reason="Among those with this outcome no cohort can be compared before and after its start.")
    path = aggregate(effects, design.aggregation)
    smallest_error = _ROUNDING * float(np.abs(known).max())
    term = _terms_for(design, units)
    headline = term(design.aggregation, path.overall, path.overall_influence)
    if headline.std_error <= smallest_error:
        return Fitted(reason=f"Within the cohorts this outcome does not vary, {_NO_SPREAD}")
    shown = path.n_treated >= design.smallest_cohort
    names = path_names(design.aggregation, path.labels, followed.periods)
    steps = [
        term(name, float(value), column)
        for name, value, column, is_shown in zip(names, path.values, path.influence.T, shown, strict=True)
        if is_shown
    ]
    regression = two_way_fixed_effects(outcome, followed.panel.cohort) if design.two_way_fixed_effects else None
    if regression is not None:
        steps.append(term(TWO_WAY, regression.value, regression.influence * len(units)))
    cohorts = np.unique(effects.cohort[effects.is_after])
    is_treated = followed.is_treated
    later = outcome[~is_treated, cohorts.min() :]
    rest = later if np.isfinite(later).any() else outcome[~is_treated]
    return Fitted(
        terms=(headline, *(step for step in steps if step.std_error > smallest_error)),
        warnings=tuple(_warnings(design, followed, units)),
        n_treated=int(is_treated.sum()),
        comparison_mean=float(np.nanmean(rest)),
    )


def shares_of(design: StaggeredFields, influence: Array, units: Units) -> Array:
    """Return independent units' shares in the errors: the cross product is the covariance.

    Parameters
    ----------
    design : StaggeredFields
        Tells whether persons are clustered.
    influence : ndarray, shape (n, k)
        Influence functions.
    units : ndarray of int, shape (n,)
        Each person's cluster, or the person.

    Returns
    -------
    ndarray, shape (units, k)
        For clusters with the factor G / (G - 1) in the variance.
    """
    shares = influence / len(units)
    if design.clusters is None:
        return shares
    summed = cluster_sums(shares, units)
    return np.asarray(summed * np.sqrt(len(summed) / (len(summed) - 1)), dtype=np.float64)


def freedom_of(design: StaggeredFields, units: Units) -> float:
    """Return the degrees of freedom of an interval: clusters less one, or none counted where persons stand alone.

    Parameters
    ----------
    design : StaggeredFields
        Tells whether persons are clustered.
    units : ndarray of int, shape (n,)
        Each person's cluster, or the person.
    """
    return float("inf") if design.clusters is None else float(len(np.unique(units)) - 1)


class _MakesTerm(Protocol):
    def __call__(self, name: str, value: float, influence: Array) -> Term: ...


def _terms_for(design: FittedFields, units: Units) -> _MakesTerm:
    """Return the function that makes a term from a value and its influence function."""
    freedom = freedom_of(design, units)
    rule = (
        "none are counted; the interval uses the normal distribution, which the influence functions approach"
        if design.clusters is None
        else "the number of clusters minus one"
    )

    def make(name: str, value: float, influence: Array) -> Term:
        std_error = float(np.sqrt((shares_of(design, influence[:, None], units) ** 2).sum()))
        return Term(name, value, std_error, freedom, rule, influence / len(units))

    return make


def before_the_start(design: StaggeredFields, effects: GroupTimeEffects, units: Units) -> Array:
    """Return which effects before the start, and before anticipation, are tested together, shape (k, effects).

    Each row weighs the effects by cohort and period. With ten clusters or more for each effect before the start there
    is one row for each of them; with fewer their covariance is too poor for a joint test, which would find trends apart
    in most data whose trends are parallel, and the one row is their mean.

    Parameters
    ----------
    design : StaggeredFields
        How cohorts are compared.
    effects : GroupTimeEffects
        By cohort and period.
    units : ndarray of int, shape (n,)
        Each person's cluster, or the person.
    """
    chosen = np.flatnonzero(effects.period < effects.cohort - design.rules.anticipation)
    rows: Array = np.eye(len(effects.value))[chosen]
    if design.clusters is not None and len(np.unique(units)) < _CLUSTERS_PER_EFFECT * len(chosen):
        rows = rows.mean(axis=0, keepdims=True)
    return rows


@dataclass(frozen=True)
class PreTrendTest:
    """The test that the effects before the start are zero.

    Attributes
    ----------
    n_effects : int
        How many are tested together.
    statistic : float
        Chi-squared of the joint test, or the square of the mean over its standard error.
    freedom : float
        Clusters less one for a mean; infinite for the joint test.
    p_value : float
        0 to 1.
    is_of_mean : bool
        Whether only the mean of the effects is tested, since there are too few clusters for more.
    """

    n_effects: int
    statistic: float
    freedom: float
    p_value: float
    is_of_mean: bool

    @property
    def what(self) -> str:
        """The test in words, in the middle of a sentence."""
        return (
            "the test that the mean effect before the start is zero (there are too few clusters to test each of them)"
            if self.is_of_mean
            else "the joint test that all effects before the start are zero"
        )


def pre_trend_test(design: StaggeredFields, effects: GroupTimeEffects, units: Units) -> PreTrendTest | None:
    """Return the test of the effects before the start; None where there are none, or no spread to judge them by.

    Parameters
    ----------
    design : StaggeredFields
        How cohorts are compared.
    effects : GroupTimeEffects
        By cohort and period.
    units : ndarray of int, shape (n,)
        Each person's cluster, or the person.
    """
    n_before = int((effects.period < effects.cohort - design.rules.anticipation).sum())
    if not n_before:
        return None
    rows = before_the_start(design, effects, units)
    test = wald_test(rows @ effects.value, shares_of(design, effects.influence @ rows.T, units))
    if test is None:
        return None
    is_of_mean = len(rows) < n_before
    freedom = freedom_of(design, units) if is_of_mean else math.inf
    p_value = f_tail(test.statistic / len(rows), len(rows), freedom)
    return PreTrendTest(len(rows), test.statistic, freedom, p_value, is_of_mean)


def _warnings(design: FittedFields, followed: Followed, units: Units) -> Iterator[str]:
    """Give what the reader must know, without counts of persons."""
    members, n_periods, effects = followed.panel.cohort, followed.panel.n_periods, followed.effects
    if followed.without_outcome.any() or followed.has_gap.any():
        how = (
            "they are left out"
            if design.needs_every_period
            else "each comparison uses those who have both of its periods"
        )
        yield (
            f"Some persons have no outcome in a period that is needed; {how}. If the programme changed who could be "
            "reached, the estimate is biased."
        )
    if followed.started_before.any():
        yield "Persons who had started by the first period are left out: nothing is known of them before their start."
    if followed.not_compared.any():
        yield "Persons who would stand in no comparison are left out."
    if not (members >= n_periods).any():
        yield "Everybody starts sooner or later; the last cohort is only compared with, and has no effect of its own."
    if any(period >= cohort for cohort, period, _ in effects.left_out):
        yield "Some cohorts and periods could not be compared and are missing from the averages."
    sizes = np.array([(members == each).sum() for each in np.unique(effects.cohort)])
    if (sizes < design.smallest_cohort).any():
        yield (
            "At least one cohort is very small. Its spread can hardly be seen, so the standard errors are too "
            "small; steps of the path that rest on it alone are not shown."
        )
    yield from _cluster_warnings(design, units)
    test = pre_trend_test(design, effects, units)
    if test is not None and test.p_value < 0.05:
        yield (
            f"Already before the start the cohorts moved differently from their comparison group: {test.what} rejects "
            f"at 5% (p = {test.p_value:.3f}). Parallel trends are in doubt."
        )
    if design.two_way_fixed_effects:
        yield from _regression_warning(followed)


def _cluster_warnings(design: FittedFields, units: Units) -> Iterator[str]:
    if design.clusters is not None and (n_clusters := len(np.unique(units))) < _MANY_CLUSTERS:
        yield (
            f"There are only {n_clusters} clusters; with fewer than about {_MANY_CLUSTERS}, clustered standard errors "
            "tend to be too small."
        )


def wrong_share(followed: Followed) -> float | None:
    """Return the share of the regression's weight that compares with persons who are in the programme already, 0 to 1.

    None when nobody is known in every period, or all of them start at the same time.
    """
    complete = followed.without_gaps()
    if len(np.unique(complete.cohort)) < 2:
        return None
    parts = goodman_bacon(complete.outcome, complete.cohort)
    return float(parts.weight[[kind == KINDS[2] for kind in parts.kind]].sum())


def _regression_warning(followed: Followed) -> Iterator[str]:
    """Give the sentence that the regression's wrong comparisons call for."""
    share = wrong_share(followed)
    if share:
        yield (
            f"The line «{TWO_WAY}» is shown for comparison only: {share:.0%} of its weight compares with persons who "
            "are in the programme already."
        )
