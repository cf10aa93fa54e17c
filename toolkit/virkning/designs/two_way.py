"""The regression behind difference in differences: persons or groups, periods, and the treated after the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DesignError
from ..numerics.joint_test import all_zero
from ..numerics.least_squares import dependent_column, influence, project
from ..numerics.within import centred_within, sums_by_group
from .assembly import Term

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]
Estimator = Literal["two_by_two", "adjusted"]
StandardErrors = Literal["classical", "hc1", "clustered"]

EFFECT, EFFECTS_OF_PERIODS = "the effect", "the periods"
_SURPRISING = 0.05
_LEAST_PER_CELL = 2


@dataclass(frozen=True)
class Observed:
    """The outcomes that are compared, one row per person and period.

    Attributes
    ----------
    value : ndarray, shape (n,)
        In the outcome's unit.
    person, period : ndarray of int, shape (n,)
        Codes from zero; every code has a row. Codes of periods are in the order of time.
    periods : tuple of str
        Names of the periods.
    n_before : int
        How many of the periods lie before the start.
    treated : ndarray of bool, shape (persons,)
        Who was offered the programme.
    covariates : ndarray, shape (persons, p), with ``names`` of length p
        Traits measured before the start.
    clusters : ndarray of int, shape (persons,)
        Codes from zero; the person's own code without clusters.
    is_panel : bool
        Whether persons are followed over time, so that each has an effect of their own.
    """

    value: Array
    person: Codes
    period: Codes
    periods: tuple[str, ...]
    n_before: int
    treated: Booleans
    covariates: Array
    names: tuple[str, ...]
    clusters: Codes
    is_panel: bool

    @property
    def treated_rows(self) -> Booleans:
        """Whether the row is that of a treated person, shape (n,)."""
        return self.treated[self.person]

    @property
    def after_rows(self) -> Booleans:
        """Whether the row lies after the start, shape (n,)."""
        return self.period >= self.n_before


@dataclass(frozen=True)
class Regressors:
    """The matrix of a regression, its effects first named.

    Attributes
    ----------
    values : ndarray, shape (n, k)
        In panels less each person's mean.
    names : tuple of str, length k
        What a message calls the columns.
    effects : tuple of int
        Columns of the effects.
    n_absorbed : int
        Coefficients that were taken out with the persons' means.
    """

    values: Array
    names: tuple[str, ...]
    effects: tuple[int, ...]
    n_absorbed: int


def headline_effect(observed: Observed) -> Array:
    """Return the column that is one for the treated after the start; shape (n, 1)."""
    return (observed.treated_rows & observed.after_rows).astype(np.float64)[:, None]


def path_effects(observed: Observed, base: int) -> Array:
    """Return one column for the treated in each period but the base period; shape (n, periods - 1)."""
    others = [code for code in range(len(observed.periods)) if code != base]
    return np.column_stack([observed.treated_rows & (observed.period == code) for code in others]).astype(np.float64)


def regressors(observed: Observed, effects: Array, *, adjusted: bool) -> Regressors:
    """Return the matrix of a regression.

    With persons followed over time: an effect of each person, of each period but the first, and the effects; a
    covariate does not change, so it enters with a slope of its own in each later period. With new persons in each
    period: a constant, the group, the periods, the effects, and the covariates as they are.

    Parameters
    ----------
    observed : Observed
        The outcomes.
    effects : ndarray, shape (n, e)
        Columns whose coefficients are the effects.
    adjusted : bool
        Whether the covariates enter.
    """
    n = len(observed.value)
    later = [(observed.period == code).astype(np.float64) for code in range(1, len(observed.periods))]
    columns = [*later]
    names = [EFFECTS_OF_PERIODS] * len(later)
    if not observed.is_panel:
        columns = [np.ones(n), observed.treated_rows.astype(np.float64), *columns]
        names = ["the constant", "the group", *names]
    places = tuple(range(len(columns), len(columns) + effects.shape[1]))
    columns += list(effects.T)
    names += [EFFECT] * effects.shape[1]
    if adjusted and observed.names:
        traits = _standardised(observed.covariates)[observed.person]
        by_period = [trait * period for trait in traits.T for period in later] if observed.is_panel else list(traits.T)
        columns += by_period
        names += [name for name in observed.names for _ in (later if observed.is_panel else (0,))]
    values = np.column_stack(columns)
    if observed.is_panel:
        return Regressors(centred_within(values, observed.person), tuple(names), places, n_absorbed=1)
    return Regressors(values, tuple(names), places, n_absorbed=0)


def _standardised(values: Array) -> Array:
    """Return columns with mean zero and standard deviation one, which keeps the arithmetic exact."""
    centred = centred_within(values, np.zeros(len(values), dtype=np.int64))
    spread = centred.std(axis=0)
    result: Array = centred / np.where(spread > 0, spread, 1.0)
    return result


def refuse_impossible(matrix: Regressors, term: str) -> None:
    """Refuse a regression whose coefficients do not exist; nothing is fitted.

    Raises
    ------
    DesignError
        A column follows from the others, or there are as many coefficients as rows.
    """
    place = dependent_column(matrix.values)
    n_rows, n_columns = matrix.values.shape
    if place is None and n_rows > n_columns + matrix.n_absorbed:
        return
    name = None if place is None or place >= n_columns else matrix.names[place]
    if name is None or name in (EFFECT, EFFECTS_OF_PERIODS, "the constant", "the group"):
        what = f"«{term}» has as many coefficients as the outcomes can carry, or more."
        do = "Name fewer periods or covariates, or add data."
    else:
        what = f"The covariate «{name}» does not vary, or follows exactly from the rest of the regression."
        do = f"Remove «{name}» from design.covariates."
    raise DesignError(
        "design.collinear",
        what,
        where="design.covariates" if "covariate «" in what else "design.before, design.after",
        why="Its coefficient, and the effect beside it, would not be determined by the data.",
        do=do,
    )


def fit(observed: Observed, matrix: Regressors, errors: StandardErrors, names: tuple[str, ...]) -> list[Term]:
    """Return the effects of one regression and their standard errors.

    The numbers are our own. The panel regression of linearmodels counts the persons among the coefficients although
    each lies inside its cluster, so its clustered errors are too large; and at a million rows one decomposition serves
    for everything here.

    Parameters
    ----------
    observed : Observed
        The outcomes.
    matrix : Regressors
        One that :func:`refuse_impossible` lets through.
    errors : str
        Clustered is CR1: G / (G - 1) × (n - 1) / (n - k) for n rows, G clusters, and k coefficients without those of
        the persons.
    names : tuple of str
        One for each effect.
    """
    value = observed.value
    if observed.is_panel:
        value = centred_within(value[:, None], observed.person)[:, 0]
    n, k = matrix.values.shape
    n_fixed = len(observed.treated) if observed.is_panel and errors == "classical" else matrix.n_absorbed
    projection = project(matrix.values)
    coefficients = projection.rows.T @ value
    residuals = value - matrix.values @ coefficients
    chosen = list(matrix.effects)
    shares = influence(projection, residuals)[:, chosen]
    by_person = sums_by_group(shares, observed.person, len(observed.treated))
    if errors == "classical":
        spread = float(residuals @ residuals) / (n - k - n_fixed)
        variances = spread * (projection.rows[:, chosen] ** 2).sum(axis=0)
    elif errors == "hc1":
        variances = (shares**2).sum(axis=0) * n / (n - k)
    else:
        n_clusters = int(observed.clusters.max()) + 1
        by_cluster = sums_by_group(by_person, observed.clusters, n_clusters)
        correction = n_clusters / (n_clusters - 1) * (n - 1) / (n - k - n_fixed)
        variances = (by_cluster**2).sum(axis=0) * correction
    freedom, rule = _degrees_of_freedom(observed, errors, k, n_fixed)
    return [
        Term(
            name=name,
            value=float(coefficients[place]),
            std_error=float(np.sqrt(variances[rank])),
            degrees_of_freedom=freedom,
            rule=rule,
            influence=by_person[:, rank],
        )
        for rank, (name, place) in enumerate(zip(names, matrix.effects, strict=True))
    ]


def _degrees_of_freedom(observed: Observed, errors: StandardErrors, k: int, n_fixed: int) -> tuple[float, str]:
    """Return the degrees of freedom, and how they were counted."""
    n_clusters, n_persons = int(observed.clusters.max()) + 1, len(observed.treated)
    if errors == "clustered":
        return float(n_clusters - 1), f"the number of {'persons' if n_clusters == n_persons else 'clusters'} minus one"
    if observed.is_panel:
        return (
            float(len(observed.value) - k - n_fixed),
            f"the number of outcomes minus one effect of each person and the {k} other coefficients of the regression",
        )
    return float(len(observed.value) - k), f"the number of persons minus the {k} coefficients of the regression"


def cannot_compare(observed: Observed) -> str:
    """Return why these outcomes cannot be compared, or nothing; the reason is published, so it counts nobody."""
    cells = np.zeros((len(observed.periods), 2), dtype=int)
    np.add.at(cells, (observed.period, observed.treated_rows.astype(int)), 1)
    if (cells == 0).any():
        return "In some period nobody of one of the two groups has this outcome."
    if not observed.is_panel and (cells < _LEAST_PER_CELL).any():
        return "Too few of those with this outcome are left in a group and period to compare them."
    if np.ptp(observed.value) == 0:
        return "This outcome is the same for everybody, so there is no spread to judge a difference by."
    return ""


def fit_or_none(
    observed: Observed, effects: Array, estimator: Estimator, errors: StandardErrors, names: tuple[str, ...]
) -> list[Term]:
    """Return the fitted terms; none when the outcomes do not determine them or show no spread."""
    matrix = regressors(observed, effects, adjusted=estimator == "adjusted")
    try:
        refuse_impossible(matrix, names[0])
    except DesignError:
        return []
    terms = fit(observed, matrix, errors, names)
    least = 1e-10 * float(np.abs(observed.value).max())
    return terms if all(term.std_error > least for term in terms) else []


def parallel_warning(leads: list[Term], observed: Observed) -> list[str]:
    """Return the sentence that is due when the groups did not move alike before the start."""
    if not leads:
        return []
    shares = np.column_stack([term.influence for term in leads])
    summed = sums_by_group(shares, observed.clusters, int(observed.clusters.max()) + 1)
    cross = summed.T @ summed
    scale = np.array([term.std_error for term in leads]) / np.sqrt(np.diag(cross))
    test = all_zero(
        np.array([term.value for term in leads]), cross * np.outer(scale, scale), leads[0].degrees_of_freedom
    )
    if test is None:
        return ["There are too few independent units to test whether the groups moved alike before the start."]
    if test.p_value >= _SURPRISING:
        return []
    return [
        "Before the start the two groups did not move alike (the joint test of all earlier periods rejects at 5%), so "
        "the estimate may show a difference that was already on its way."
    ]
