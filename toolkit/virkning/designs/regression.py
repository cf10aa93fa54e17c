"""The regressions behind a randomised trial: difference in means, ANCOVA and Lin's interacted estimator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DesignError
from ..numerics import permutation
from ..numerics.least_squares import dependent_column, has_full_leverage, influence, project, robust_covariance
from .assembly import Term

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]
Estimator = Literal["difference_in_means", "ancova", "lin"]
StandardErrors = Literal["classical", "hc1", "hc2", "hc3", "clustered"]

CONSTANT, TREATMENT = "the constant", "the treatment"


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
    """

    outcome: Array
    treated: Booleans
    covariates: Array
    names: tuple[str, ...] = ()
    strata: Codes | None = None
    clusters: Codes | None = None
    weights: Array | None = None


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
    if not values.size:
        return values
    centred = values - np.average(values, axis=0, weights=weights)
    spread = centred.std(axis=0)
    varies = spread > 1e-12 * np.abs(values).max(axis=0)
    result: Array = np.where(varies, centred / np.where(varies, spread, 1.0), 0.0)
    return result


def matrix_of(sample: Sample, controls: Controls) -> tuple[Array, tuple[str, ...]]:
    """Return the regressors (constant, treatment, controls, controls by arm) with their names; shape (n, k)."""
    treated = sample.treated.astype(np.float64)
    columns = [np.ones(len(treated)), treated, *controls.values.T]
    names = [CONSTANT, TREATMENT, *controls.names]
    if controls.by_arm:
        columns += list((controls.values * treated[:, None]).T)
        names += controls.names
    return np.column_stack(columns), tuple(names)


def refuse_impossible(sample: Sample, estimator: Estimator, errors: StandardErrors) -> None:
    """Refuse a regression whose coefficients or standard errors do not exist; nothing is fitted.

    Raises
    ------
    DesignError
        A covariate is a combination of the others, there are more coefficients than persons, or a robust error is asked
        for although one person alone determines a coefficient.
    """
    matrix, names = matrix_of(sample, controls_of(sample, estimator))
    term = f"{estimator}, {errors}"
    dependent = dependent_column(matrix)
    if dependent is not None:
        raise _collinear(names[dependent], dependent == len(matrix), term)
    if len(matrix) == matrix.shape[1]:
        raise _collinear(names[-1], True, term)
    if errors in ("hc2", "hc3") and has_full_leverage(project(matrix, sample.weights)):
        raise DesignError(
            "design.leverage",
            f"Errors «{errors}» do not exist: one person alone determines a coefficient of «{estimator}».",
            where="design.standard_errors",
            why="The regression goes exactly through that person's outcome, so no spread is left to measure.",
            do="Leave out the covariate or merge the stratum that only one person has, or choose hc1.",
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


def fit(sample: Sample, estimator: Estimator, errors: StandardErrors) -> Term:
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
        Classical, HC1 and clustered (CR1: G / (G - 1) × (n - 1) / (n - k)) errors come from linearmodels; HC2 and HC3
        from the leverages.

    Returns
    -------
    Term
        With n - k degrees of freedom, or the number of clusters minus one.
    """
    # Imported here: a notebook that only describes a design need not wait for it.
    from linearmodels.iv import IV2SLS

    matrix, _ = matrix_of(sample, controls_of(sample, estimator))
    model = IV2SLS(sample.outcome, matrix, None, None, weights=sample.weights)
    if errors == "clustered":
        fitted = model.fit(cov_type="clustered", clusters=sample.clusters, debiased=True)
    else:
        fitted = model.fit(cov_type="unadjusted" if errors == "classical" else "robust", debiased=True)
    coefficients = fitted.params.to_numpy(dtype=np.float64)
    residuals = sample.outcome - matrix @ coefficients
    projection = project(matrix, sample.weights)
    variance = float(fitted.cov.to_numpy(dtype=np.float64)[1, 1])
    if errors in ("hc2", "hc3"):
        variance = float(robust_covariance(projection, residuals, "hc2" if errors == "hc2" else "hc3")[1, 1])
    freedom, rule = _degrees_of_freedom(sample, errors, matrix.shape[1])
    return Term(
        name=f"{estimator}, {errors}",
        value=float(coefficients[1]),
        std_error=float(np.sqrt(variance)),
        degrees_of_freedom=freedom,
        rule=rule,
        influence=influence(projection, residuals)[:, 1],
    )


def _degrees_of_freedom(sample: Sample, errors: StandardErrors, n_coefficients: int) -> tuple[float, str]:
    """Return the degrees of freedom, and how they were counted."""
    if errors == "clustered" and sample.clusters is not None:
        return float(len(np.unique(sample.clusters)) - 1), "the number of clusters minus one"
    return (
        float(len(sample.outcome) - n_coefficients),
        f"the number of persons minus the {n_coefficients} coefficients of the regression",
    )


def effects_under(sample: Sample, estimator: Estimator, batches: Iterable[Booleans]) -> Array:
    """Return the effect that the estimator would report under each assignment, the outcomes held fixed; shape (r,)."""
    controls = controls_of(sample, estimator).values
    results = []
    for assignments in batches:
        if estimator == "difference_in_means":
            results.append(permutation.differences(assignments, sample.outcome, sample.weights, sample.strata))
        elif estimator == "ancova":
            results.append(permutation.adjusted_pooled(assignments, sample.outcome, controls, sample.weights))
        else:
            results.append(permutation.adjusted_by_arm(assignments, sample.outcome, controls, sample.weights))
    return np.concatenate(results)
