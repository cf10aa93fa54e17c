"""The regressions behind a randomised trial: difference in means, ANCOVA and Lin's interacted estimator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DesignError
from ..numerics import matched_pairs, permutation
from ..numerics.few_clusters import bias_reduced
from ..numerics.least_squares import (
    dependent_column,
    has_full_leverage,
    influence,
    may_have_full_leverage,
    project,
    robust_covariance,
)
from .assembly import Term
from .degrees_of_freedom import Freedom, Rule, clusters_less_one, degrees_of_freedom, rows_less_coefficients

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]
Estimator = Literal["difference_in_means", "ancova", "lin"]
StandardErrors = Literal["classical", "hc1", "hc2", "hc3", "clustered", "cr2", "wild_bootstrap", "paired"]

# Those that count groups, not persons.
BY_CLUSTER: frozenset[StandardErrors] = frozenset({"clustered", "cr2", "wild_bootstrap"})
CONSTANT, TREATMENT = "the constant", "the treatment"
_SATTERTHWAITE = "counted by Satterthwaite's rule from how persons and offers are spread over the clusters"


@dataclass(frozen=True)
class Sample:
    """The persons with an outcome, as arrays.

    Attributes
    ----------
    outcome : ndarray, shape (n,)
        In the outcome's unit.
    treated : ndarray of bool, shape (n,)
        Assignment.
    covariates : ndarray, shape (n, p), with ``names`` of length p
        Baseline traits.
    strata, clusters : ndarray of int, shape (n,), or None
        Codes from zero.
    weights : ndarray, shape (n,), or None
        Sampling weights.
    pairs : ndarray of int, shape (n,), or None
        Codes from zero; each pair has persons in both arms.
    taken : ndarray, shape (n,), or None
        One for those who took part, else zero.
    """

    outcome: Array
    treated: Booleans
    covariates: Array
    names: tuple[str, ...] = ()
    strata: Codes | None = None
    clusters: Codes | None = None
    weights: Array | None = None
    pairs: Codes | None = None
    taken: Array | None = None

    def differences(self, estimator: Estimator) -> matched_pairs.Pairs:
        """Return what the halves of each pair differ by; the covariates only when the estimator uses them."""
        covariates = self.covariates if estimator != "difference_in_means" else self.covariates[:, :0]
        pairs = np.zeros(len(self.outcome), dtype=np.int64) if self.pairs is None else self.pairs
        return matched_pairs.differences(self.outcome, covariates, self.treated, pairs)


@dataclass(frozen=True)
class Controls:
    """What stands beside the treatment in a regression.

    Attributes
    ----------
    values : ndarray, shape (n, q)
        Dummies of the strata but one, and the covariates: centred at their weighted mean and scaled to one standard
        deviation, which changes neither the effect nor its error and keeps the arithmetic exact.
    names : tuple of str, length q
        What a message calls them.
    by_arm : bool
        Whether each arm has coefficients of its own.
    """

    values: Array
    names: tuple[str, ...]
    by_arm: bool


def controls_of(sample: Sample, estimator: Estimator) -> Controls:
    """Return the controls of an estimator.

    Strata enter the difference in means and Lin's estimator by arm. The difference in means then is the mean of the
    differences within strata, weighted by the strata's sizes (Imbens and Rubin 2015, chapter 9), whatever share of a
    stratum was assigned to treatment, and HC2 is Neyman's variance for a stratified trial. In ANCOVA strata enter once,
    as fixed effects.
    """
    columns: list[Array] = []
    names: list[str] = []
    if sample.strata is not None:
        codes = np.unique(sample.strata)[1:]
        columns += [(sample.strata == code).astype(np.float64) for code in codes]
        names += ["the strata"] * len(codes)
    if estimator != "difference_in_means":
        columns += list(sample.covariates.T)
        names += list(sample.names)
    values = np.column_stack(columns) if columns else np.zeros((len(sample.outcome), 0))
    return Controls(_standardised(values, sample.weights), tuple(names), by_arm=estimator != "ancova")


def _standardised(values: Array, weights: Array | None) -> Array:
    """Return columns centred at their weighted mean with standard deviation one; one without variation becomes zero."""
    result = np.zeros(values.shape)
    for place, column in enumerate(np.ascontiguousarray(values.T)):
        if len(column):
            centred = column - np.average(column, weights=weights)
            spread = centred.std()
            if spread > 1e-12 * max(column.max(), -column.min()):
                result[:, place] = centred / spread
    return result


def matrix_of(sample: Sample, controls: Controls) -> tuple[Array, tuple[str, ...]]:
    """Return the regressors (constant, treatment, controls, controls by arm) with their names; shape (n, k)."""
    treated = sample.treated.astype(np.float64)
    columns = [np.ones(len(treated)), treated, *controls.values.T]
    names = [CONSTANT, TREATMENT, *controls.names]
    if controls.by_arm:
        columns += list((controls.values * treated[:, None]).T)
        names += controls.names
    # Each column in one piece: sums down a column are then ten times as quick.
    return np.array(columns).T, tuple(names)


def refuse_impossible(sample: Sample, estimator: Estimator, errors: StandardErrors) -> None:
    """Refuse a regression whose coefficients or standard errors do not exist; nothing is fitted.

    Raises
    ------
    DesignError
        A covariate is a combination of the others, there are more coefficients than persons, or a robust error is asked
        for although one person alone determines a coefficient.
    """
    term = f"{estimator}, {errors}"
    if errors == "paired":
        gaps = sample.differences(estimator).covariates
        matrix, names = np.column_stack([np.ones(len(gaps)), gaps]), (CONSTANT, *sample.names)
    else:
        matrix, names = matrix_of(sample, controls_of(sample, estimator))
    dependent = dependent_column(matrix)
    if dependent is not None:
        raise _collinear(names[dependent], dependent == len(matrix), term)
    if len(matrix) == matrix.shape[1]:
        raise _collinear(names[-1], True, term)
    weights = None if errors == "paired" else sample.weights
    if (
        errors in ("hc2", "hc3", "paired")
        and may_have_full_leverage(matrix, weights)
        and has_full_leverage(project(matrix, weights))
    ):
        one = "pair" if errors == "paired" else "person"
        raise DesignError(
            "design.leverage",
            f"Errors «{errors}» do not exist: one {one} alone determines a coefficient of «{estimator}».",
            where="design.standard_errors",
            why=f"The regression goes exactly through that {one}'s outcome, so no spread is left to measure.",
            do="Leave out the covariate or merge the stratum that only one person has, or choose hc1."
            if one == "person"
            else "Leave out the covariate in which only one pair differs.",
        )


def _collinear(name: str, too_many: bool, term: str) -> DesignError:
    """Return the error for a regressor that adds nothing."""
    if too_many:
        what = f"«{term}» has at least as many coefficients as there are persons."
        do = "Name fewer covariates or strata."
    elif name in ("the strata", TREATMENT, CONSTANT):
        what, do = f"In «{term}» {name} can be computed from the strata and the treatment.", "Merge strata."
    else:
        what = f"The covariate «{name}» does not vary, or follows exactly from the rest of the regression."
        do = f"Remove «{name}» from design.covariates."
    return DesignError(
        "design.collinear",
        what,
        where="design.covariates" if "covariate" in what else "design.strata",
        why="Its coefficient, and that of the treatment beside it, would not be determined by the data.",
        do=do,
    )


def fit(sample: Sample, estimator: Estimator, errors: StandardErrors, *, rule: Rule = "standard") -> Term:
    """Return the effect of treatment and its standard error.

    Parameters
    ----------
    sample : Sample
        One that :func:`refuse_impossible` lets through.
    estimator : str
        ``difference_in_means``, ``ancova`` or ``lin``. Lin's estimator centres the covariates at the mean of the
        persons analysed and reports the effect for them; the error that this mean has as an estimate of a wider
        population's is not added (Lin 2013).
    errors : str
        Classical and HC1 errors have the factor n / (n - k); clustered are CR1: G / (G - 1) × (n - 1) / (n - k); HC2,
        HC3 and CR2 come from the leverages; those of pairs from the differences within pairs. The wild bootstrap is CR1
        here: its interval is made by :func:`virkning.designs.trial_terms.fit_offer`. All are our own: linearmodels has
        three of the eight, and takes three seconds for a million persons.
    rule : str
        How degrees of freedom are counted.

    Returns
    -------
    Term
        By the standard rule with n - k degrees of freedom, the number of clusters or pairs minus one, or, for CR2,
        Satterthwaite's.
    """
    if errors == "paired":
        return _fit_pairs(sample, estimator, rule)
    matrix, _ = matrix_of(sample, controls_of(sample, estimator))
    n, k = matrix.shape
    projection = project(matrix, sample.weights)
    coefficients = projection.rows.T @ (projection.root_weights * sample.outcome)
    residuals = sample.outcome - matrix @ coefficients
    shares = influence(projection, residuals)[:, 1]
    by_cluster: Freedom | None = None
    if errors in ("hc2", "hc3"):
        variance = float(robust_covariance(projection, residuals, "hc2" if errors == "hc2" else "hc3")[1, 1])
    elif errors == "classical":
        spread = float(((projection.root_weights * residuals) ** 2).sum()) / (n - k)
        variance = spread * float((projection.rows[:, 1] ** 2).sum())
    else:
        variance = float((shares**2).sum()) * n / (n - k)
    if errors in BY_CLUSTER and sample.clusters is not None:
        n_clusters = int(np.count_nonzero(np.bincount(sample.clusters)))
        by_cluster = clusters_less_one(n_clusters)
        summed = np.bincount(sample.clusters, weights=shares)
        variance = float(summed @ summed) * n_clusters / (n_clusters - 1) * (n - 1) / (n - k)
        if errors == "cr2":
            reduced = bias_reduced(matrix, residuals, sample.clusters, 1, sample.weights)
            variance, by_cluster = reduced.variance, Freedom(reduced.degrees_of_freedom, _SATTERTHWAITE)
    freedom = degrees_of_freedom(rule, rows_less_coefficients(*matrix.shape), by_cluster)
    return Term(
        name=f"{estimator}, {errors}",
        value=float(coefficients[1]),
        std_error=float(np.sqrt(variance)),
        degrees_of_freedom=freedom.count,
        rule=freedom.words,
        influence=shares,
    )


def _fit_pairs(sample: Sample, estimator: Estimator, rule: Rule) -> Term:
    """Return the effect from the differences within pairs; each person carries a part of the pair's influence."""
    pairs = sample.differences(estimator)
    fitted = (
        matched_pairs.mean_difference(pairs)
        if estimator == "difference_in_means"
        else matched_pairs.adjusted_difference(pairs)
    )
    m, k = len(pairs.outcome), fitted.n_coefficients
    counted = clusters_less_one(m, of="pairs") if k == 1 else rows_less_coefficients(m, k, of="pairs")
    freedom = degrees_of_freedom(rule, counted)
    codes = np.zeros(len(sample.outcome), dtype=np.int64) if sample.pairs is None else sample.pairs
    return Term(
        name=f"{estimator}, paired",
        value=fitted.value,
        std_error=float(np.sqrt(fitted.variance)),
        degrees_of_freedom=freedom.count,
        rule=freedom.words,
        influence=(fitted.influence / pairs.size)[codes],
    )


def effects_under(sample: Sample, estimator: Estimator, batches: Iterable[Booleans]) -> Array:
    """Return the effect that the estimator would report under each assignment, the outcomes held fixed; shape (r,)."""
    results = []
    if sample.pairs is not None:
        pairs, first = sample.differences(estimator), np.unique(sample.pairs, return_index=True)[1]
        for assignments in batches:
            signs = np.where(assignments[:, first] == sample.treated[first], 1.0, -1.0)
            results.append(matched_pairs.effects_of_swaps(pairs, signs, is_adjusted=estimator != "difference_in_means"))
        return np.concatenate(results)
    controls = controls_of(sample, estimator).values
    for assignments in batches:
        if estimator == "difference_in_means":
            results.append(permutation.differences(assignments, sample.outcome, sample.weights, sample.strata))
        elif estimator == "ancova":
            results.append(permutation.adjusted_pooled(assignments, sample.outcome, controls, sample.weights))
        else:
            results.append(permutation.adjusted_by_arm(assignments, sample.outcome, controls, sample.weights))
    return np.concatenate(results)
