"""The fits behind panel designs: fixed effects, first differences, random effects plain and correlated, and pooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...numerics import panels
from ...numerics.least_squares import dependent_column
from ...numerics.panels import NestedEffects, WaldTest
from .. import degrees_of_freedom as counting
from ..assembly import Term
from ..degrees_of_freedom import Freedom, Rule

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
PanelEstimator = Literal[
    "fixed_effects", "first_differences", "random_effects", "correlated_random_effects", "pooled_least_squares"
]
PanelErrors = Literal["classical", "clustered", "two_way"]

_PERIODS = "the periods"
# So many persons tell in most panels whether the coefficients are determined.
_ENOUGH = 2_000
# Estimators that compare a person with that same person only.
WITHIN: tuple[PanelEstimator, ...] = ("fixed_effects", "first_differences", "correlated_random_effects")
_RULES: dict[NestedEffects, str] = {
    "not_counted": "effects nested in the clusters are not counted (fixest's rule)",
    "counted": "all effects are counted (linearmodels' rule)",
}


@dataclass(frozen=True)
class PanelSample:
    """Complete rows of persons by periods, as arrays.

    Attributes
    ----------
    outcome : ndarray, shape (n,)
        In the outcome's unit.
    varying : ndarray, shape (n, 1 + p)
        The treatment, and p measures that are held constant.
    traits : ndarray, shape (n, q)
        What does not change within a person.
    persons, periods, clusters : ndarray of int, shape (n,)
        Codes from zero without gaps, except that a period without rows keeps its code.
    names : tuple of str, length 1 + p + q
        What messages call the columns of ``varying`` and ``traits``.
    """

    outcome: Array
    varying: Array
    traits: Array
    persons: Codes
    periods: Codes
    clusters: Codes
    names: tuple[str, ...]

    def rows(self, chosen: NDArray[np.bool_]) -> PanelSample:
        """Return the chosen rows, with persons and clusters numbered anew."""
        return replace(
            self,
            outcome=self.outcome[chosen],
            varying=self.varying[chosen],
            traits=self.traits[chosen],
            persons=panels.numbered(self.persons[chosen]),
            periods=self.periods[chosen],
            clusters=panels.numbered(self.clusters[chosen]),
        )


@dataclass(frozen=True)
class Regression:
    """A panel regression before it is fitted: the regressors, the treatment first, and their names.

    ``n_means`` columns from position ``first_mean`` on are person means of ``varying`` (Mundlak).
    """

    sample: PanelSample
    estimator: PanelEstimator
    matrix: Array
    names: tuple[str, ...]
    has_period_effects: bool
    first_mean: int = 0
    n_means: int = 0

    @property
    def slopes(self) -> NDArray[np.int64]:
        """Positions of the regressors that are not effects of periods."""
        return np.flatnonzero([name != _PERIODS for name in self.names]).astype(np.int64)


def entering(sample: PanelSample, estimator: PanelEstimator) -> NDArray[np.bool_]:
    """Tell which persons an estimator compares; shape (persons,).

    Fixed effects need two periods of a person, and first differences two that follow each other.
    """
    sizes = np.bincount(sample.persons)
    if estimator == "fixed_effects":
        return np.asarray(sizes > 1)
    if estimator == "first_differences":
        later, _ = panels.difference_positions(sample.persons, sample.periods)
        return np.isin(np.arange(len(sizes)), sample.persons[later])
    return np.ones(len(sizes), dtype=bool)


def regression_of(sample: PanelSample, estimator: PanelEstimator, *, period_effects: bool) -> Regression:
    """Return the regressors of an estimator; those whom it cannot compare (one period only) are left out."""
    if estimator == "fixed_effects":
        sample = sample.rows(entering(sample, estimator)[sample.persons])
    columns, names = [sample.varying], list(sample.names[: sample.varying.shape[1]])
    dummies = _period_dummies(sample.periods) if period_effects else np.zeros((len(sample.outcome), 0))
    columns.append(dummies)
    names += [_PERIODS] * dummies.shape[1]
    first_mean, n_means = 0, 0
    if estimator not in ("fixed_effects", "first_differences"):
        columns += [np.ones((len(sample.outcome), 1)), sample.traits]
        names += ["the constant", *sample.names[sample.varying.shape[1] :]]
    if estimator == "correlated_random_effects":
        first_mean = len(names)
        # Means that add nothing are left out, such as those of the periods in a balanced panel.
        for position, mean in enumerate(panels.means_by(sample.persons, np.column_stack(columns[:2])).T):
            if dependent_column(np.column_stack([*columns, mean])) is None:
                columns.append(mean[:, None])
                is_slope = position < sample.varying.shape[1]
                names.append("the person means" if is_slope else _PERIODS)
                n_means += is_slope
    return Regression(
        sample,
        estimator,
        np.concatenate([each.T for each in columns]).T,
        tuple(names),
        bool(dummies.shape[1]),
        first_mean,
        n_means,
    )


def _period_dummies(periods: Codes) -> Array:
    present = np.flatnonzero(np.bincount(periods))
    result: Array = (periods[:, None] == present[None, 1:]).astype(np.float64)
    return result


def undetermined(regression: Regression) -> str | None:
    """Return the name of a regressor that the transformed rows do not determine, or None; nothing is fitted."""
    if regression.estimator in ("random_effects", "correlated_random_effects"):
        rows = regression.matrix
    else:
        rows = _transformed(regression, None)[1]
    if len(rows) <= rows.shape[1] + (
        int(regression.sample.persons.max()) if regression.estimator == "fixed_effects" and len(rows) else 0
    ):
        return "too few rows"
    found = dependent_column(_cleaned(rows, regression.matrix))
    return None if found is None else regression.names[found]


def first_undetermined(sample: PanelSample, estimator: PanelEstimator, *, period_effects: bool) -> str | None:
    """Return the name of a regressor that an estimator's rows do not determine, or None; nothing is fitted.

    Rows that determine all coefficients still do when more are added, so some of many persons are asked first.
    """
    some = sample.persons < _ENOUGH
    if not some.all():
        part = sample.rows(some)
        present = [set(np.flatnonzero(np.bincount(each.periods)).tolist()) for each in (part, sample)]
        regression = regression_of(part, estimator, period_effects=period_effects)
        if present[0] == present[1] and undetermined(regression) is None:
            return None
    return undetermined(regression_of(sample, estimator, period_effects=period_effects))


def _cleaned(rows: Array, untransformed: Array) -> Array:
    """Return rows whose columns that are zero but for rounding are zero."""
    if not len(rows):
        return rows
    size, left = (np.maximum(each.max(axis=0), -each.min(axis=0)) for each in (untransformed, rows))
    is_zero = left <= 1e-10 * size
    return rows if not is_zero.any() else np.where(is_zero, 0.0, rows)


def _transformed(regression: Regression, theta: Array | None) -> tuple[Array, Array, Codes]:
    """Return outcome and regressors as the estimator sees them, and the positions of their rows in the sample."""
    sample, matrix = regression.sample, regression.matrix
    everything = np.arange(len(sample.outcome))
    if regression.estimator == "first_differences":
        later, earlier = panels.difference_positions(sample.persons, sample.periods)
        return sample.outcome[later] - sample.outcome[earlier], matrix[later] - matrix[earlier], later
    if regression.estimator == "pooled_least_squares":
        return sample.outcome, matrix, everything
    share = None if theta is None else theta[sample.persons]
    outcome, rows = (panels.without_means(sample.persons, each, share) for each in (sample.outcome, matrix))
    return outcome, rows, everything


@dataclass(frozen=True)
class Fitted:
    """A fitted panel regression, without the effects of periods, and what the interval needs.

    Attributes
    ----------
    coefficients, covariance : ndarray, shape (s,) and (s, s)
        Of ``regression.slopes``, the treatment first.
    freedom : Freedom
        Of the t distribution, and how they were counted.
    scores : ndarray, shape (n, s)
        Each transformed row's share in the errors.
    positions : ndarray of int, shape (n,)
        The rows of the sample that the transformed rows belong to.
    """

    regression: Regression
    coefficients: Array
    covariance: Array
    freedom: Freedom
    scores: Array
    positions: Codes


def fit_regression(
    regression: Regression, errors: PanelErrors, nested: NestedEffects = "not_counted", rule: Rule = "standard"
) -> Fitted:
    """Return a fitted regression.

    The weight of random effects, their classical covariance and degrees of freedom come from linearmodels. The other
    estimators are least squares on transformed rows, which needs no model that takes six seconds at a million rows
    (tests hold the two together). Clustered covariances are our own everywhere, because linearmodels counts effects of
    persons that are nested in the clusters, which makes the errors of two-way effects too large (see
    ``count_coefficients``).
    """
    is_random = regression.estimator in ("random_effects", "correlated_random_effects")
    model = _random_effects(regression) if is_random else None
    theta = None if model is None else model.theta.to_numpy(dtype=np.float64)[:, 0]
    outcome, matrix, positions = _transformed(regression, theta)
    slopes, k = regression.slopes, matrix.shape[1]
    found = panels.fit_rows(outcome, matrix, slopes)
    # Effects of periods stay out of the covariance: two-way clustering could make only theirs negative.
    scores, coefficients = found.scores, found.coefficients[slopes]
    n_absorbed = int(np.count_nonzero(np.bincount(regression.sample.persons)))
    n_coefficients = k + (n_absorbed if regression.estimator == "fixed_effects" else 0)
    df_resid = len(positions) - n_coefficients
    inverse = found.inverse[np.ix_(slopes, slopes)]
    classical = inverse * float(found.residuals @ found.residuals) / df_resid
    if model is not None:
        coefficients = model.params.to_numpy(dtype=np.float64)[slopes]
        df_resid = int(model.df_resid)
        classical = model.cov.to_numpy(dtype=np.float64)[np.ix_(slopes, slopes)]
    residual = counting.rows_less_coefficients(len(positions), len(positions) - df_resid, of="rows")
    if errors == "classical":
        freedom = counting.degrees_of_freedom(rule, residual)
        return Fitted(regression, coefficients, classical, freedom, scores, positions)
    sample = regression.sample
    clusterings = [panels.numbered(sample.clusters[positions])]
    if errors == "two_way":
        clusterings.append(panels.numbered(sample.periods[positions]))
    n_clusters = panels.smallest(clusterings)
    clusters = counting.clusters_less_one(n_clusters)
    if errors == "two_way":
        clusters = Freedom(clusters.count, "the smaller number of clusters (persons' or periods') minus one")
    freedom = counting.degrees_of_freedom(rule, residual, clusters)
    factor = panels.small_sample_factor(len(positions), k, n_clusters, "not_counted")
    if regression.estimator == "fixed_effects":
        effects = [sample.persons, *([sample.periods] if regression.has_period_effects else [])]
        counted = panels.count_coefficients(sample.varying.shape[1], effects, clusterings, nested)
        factor = panels.small_sample_factor(len(positions), counted, n_clusters, nested)
        freedom = Freedom(freedom.count, f"{freedom.words}; in the errors {_RULES[nested]}")
    covariance = panels.clustered_covariance(scores, clusterings, factor)
    return Fitted(regression, coefficients, covariance, freedom, scores, positions)


def _random_effects(regression: Regression) -> Any:
    # Imported here: a notebook that only describes a design need not wait for it.
    from linearmodels.panel import RandomEffects

    sample = regression.sample
    index = pd.MultiIndex.from_arrays([sample.persons, sample.periods], names=["person", "period"])
    outcome = pd.DataFrame({"outcome": sample.outcome}, index=index)
    matrix = pd.DataFrame(
        regression.matrix, index=index, columns=[f"x{number}" for number in range(regression.matrix.shape[1])]
    )
    return RandomEffects(outcome, matrix).fit(cov_type="unadjusted")


def term_of(fitted: Fitted, name: str, people: Sequence[int], n_persons: int) -> Term:
    """Return the treatment's effect.

    Parameters
    ----------
    fitted : Fitted
        Treatment first.
    name : str
        Of the term.
    people : sequence of int
        For each person code of the fitted sample, that person's position among the ``n_persons`` analysed.
    n_persons : int
        Length of the influence.
    """
    influence = np.zeros(n_persons)
    persons = fitted.regression.sample.persons[fitted.positions]
    np.add.at(influence, np.asarray(people)[persons], fitted.scores[:, 0])
    return Term(
        name=name,
        value=float(fitted.coefficients[0]),
        std_error=float(np.sqrt(fitted.covariance[0, 0])),
        degrees_of_freedom=fitted.freedom.count,
        rule=fitted.freedom.words,
        influence=influence,
    )


def hausman(sample: PanelSample, *, period_effects: bool, rule: Rule = "standard") -> WaldTest | None:
    """Return the robust Hausman test: the person means add nothing to random effects (Mundlak 1978; Arellano 1993).

    None when no mean differs between persons, or when the regression with the means is not determined.

    The covariance is clustered, so that the test needs neither equal variances nor the efficiency of random effects,
    and the statistic cannot be negative.
    """
    regression = regression_of(sample, "correlated_random_effects", period_effects=period_effects)
    if not regression.n_means or undetermined(regression) is not None:
        return None
    fitted = fit_regression(regression, "clustered", rule=rule)
    first = int(np.searchsorted(regression.slopes, regression.first_mean))
    chosen = slice(first, first + regression.n_means)
    return panels.wald(fitted.coefficients[chosen], fitted.covariance[chosen, chosen], fitted.freedom.count)
