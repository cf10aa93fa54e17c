"""The regression behind difference in differences: persons or groups, periods, and the treated after the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import DesignError
from ...numerics.least_squares import dependent_column, project
from ...numerics.within import centred_within, sums_by_group
from ..assembly import Term
from ..degrees_of_freedom import Freedom, Rule, clusters_less_one, degrees_of_freedom, rows_less_coefficients

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]
Estimator = Literal["two_by_two", "adjusted"]
StandardErrors = Literal["classical", "hc1", "clustered"]

EFFECT, EFFECTS_OF_PERIODS = "the effect", "the periods"
_LEAST_PER_CELL = 2
# Periods in which somebody is seen or not can be told by one whole number, without rounding.
_MOST_IN_A_NUMBER = 50


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
    """The matrix of a regression.

    Persons of one group who are seen in the same periods have the same rows, so without covariates a million outcomes
    have a few dozen different rows; only these are kept, each once.

    Attributes
    ----------
    values : ndarray, shape (m, k)
        The different rows; in panels less each person's mean.
    row : ndarray of int, shape (n,)
        Which of them each outcome has.
    names : tuple of str, length k
        What a message calls the columns.
    effects : tuple of int
        Columns of the effects.
    n_absorbed : int
        Coefficients that were taken out with the persons' means.
    """

    values: Array
    row: Codes
    names: tuple[str, ...]
    effects: tuple[int, ...]
    n_absorbed: int

    @property
    def counts(self) -> Array:
        """How many outcomes have each of the different rows, shape (m,)."""
        return np.bincount(self.row, minlength=len(self.values)).astype(np.float64)


def headline_effect(observed: Observed) -> Array:
    """Return what the treated have in each period for the effect: one after the start; shape (periods, 1)."""
    return (np.arange(len(observed.periods)) >= observed.n_before).astype(np.float64)[:, None]


def regressors(observed: Observed, effects: Array, *, adjusted: bool) -> Regressors:
    """Return the matrix of a regression.

    With persons followed over time: an effect of each person, of each period but the first, and the effects; a
    covariate does not change, so it enters with a slope of its own in each later period. With new persons in each
    period: a constant, the group, the periods, the effects, and the covariates as they are.

    Parameters
    ----------
    observed : Observed
        The outcomes.
    effects : ndarray, shape (periods, e)
        What the treated have in each period; the others have zeros. Their coefficients are the effects.
    adjusted : bool
        Whether the covariates enter.
    """
    is_adjusted = adjusted and bool(observed.names)
    kind, row = (np.arange(len(observed.treated)), np.arange(len(observed.value))) if is_adjusted else _alike(observed)
    first = _firsts(row)
    period, treated = observed.period[first], observed.treated_rows[first].astype(np.float64)
    later = [(period == code).astype(np.float64) for code in range(1, len(observed.periods))]
    columns = [*later]
    names = [EFFECTS_OF_PERIODS] * len(later)
    if not observed.is_panel:
        columns = [np.ones(len(first)), treated, *columns]
        names = ["the constant", "the group", *names]
    places = tuple(range(len(columns), len(columns) + effects.shape[1]))
    columns += list((treated[:, None] * effects[period]).T)
    names += [EFFECT] * effects.shape[1]
    if is_adjusted:
        traits = _standardised(observed.covariates)[observed.person]
        by_period = [trait * period for trait in traits.T for period in later] if observed.is_panel else list(traits.T)
        columns += by_period
        names += [name for name in observed.names for _ in (later if observed.is_panel else (0,))]
    values = np.column_stack(columns)
    if observed.is_panel:
        values = centred_within(values, kind[observed.person[first]])
    return Regressors(values, row, tuple(names), places, n_absorbed=int(observed.is_panel))


def _alike(observed: Observed) -> tuple[Codes, Codes]:
    """Return which persons, and which outcomes, have the same rows without covariates; shapes (persons,) and (n,)."""
    n_periods, n_persons = len(observed.periods), len(observed.treated)
    kind = observed.treated.astype(np.int64)
    if observed.is_panel and len(observed.value) < n_persons * n_periods:
        if n_periods > _MOST_IN_A_NUMBER:
            return np.arange(n_persons), np.arange(len(observed.value))
        seen = np.bincount(observed.person, weights=np.ldexp(1.0, observed.period), minlength=n_persons)
        kind = np.unique(2 * seen + kind, return_inverse=True)[1].astype(np.int64)
    row = kind[observed.person] * n_periods + observed.period
    used = np.bincount(row) > 0
    return kind, (np.cumsum(used) - 1)[row]


def _firsts(row: Codes) -> Codes:
    """Return for each code from zero the place where it stands first, shape (codes,)."""
    first = np.empty(int(row.max()) + 1, dtype=np.int64)
    first[row[::-1]] = np.arange(len(row))[::-1]
    return first


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
    n_rows, n_columns = len(matrix.row), matrix.values.shape[1]
    different = np.sqrt(matrix.counts)[:, None] * matrix.values
    missing = max(min(n_rows, n_columns) - len(different), 0)
    place = dependent_column(np.vstack([different, np.zeros((missing, n_columns))]))
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


def fit(
    observed: Observed, matrix: Regressors, errors: StandardErrors, names: tuple[str, ...], rule: Rule = "standard"
) -> list[Term]:
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
    rule : str
        How the degrees of freedom are counted.
    """
    value = observed.value
    if observed.is_panel:
        value = centred_within(value[:, None], observed.person)[:, 0]
    n, k = len(value), matrix.values.shape[1]
    n_fixed = len(observed.treated) if observed.is_panel and errors == "classical" else matrix.n_absorbed
    projection = project(matrix.values, matrix.counts)
    # What one outcome with each of the different rows adds to the coefficients.
    loads = projection.rows / projection.root_weights[:, None]
    coefficients = loads.T @ np.bincount(matrix.row, weights=value, minlength=len(loads))
    residuals = value - (matrix.values @ coefficients)[matrix.row]
    chosen = list(matrix.effects)
    shares = loads[:, chosen][matrix.row] * residuals[:, None]
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
    freedom = _freedom(observed, errors, k, rule)
    return [
        Term(
            name=name,
            value=float(coefficients[place]),
            std_error=float(np.sqrt(variances[rank])),
            degrees_of_freedom=freedom.count,
            rule=freedom.words,
            influence=by_person[:, rank],
        )
        for rank, (name, place) in enumerate(zip(names, matrix.effects, strict=True))
    ]


def _freedom(observed: Observed, errors: StandardErrors, k: int, rule: Rule) -> Freedom:
    """Return the degrees of freedom that the rule names; ``k`` coefficients beside the effects of persons."""
    n_rows, n_persons = len(observed.value), len(observed.treated)
    residual = rows_less_coefficients(n_rows, k)
    if observed.is_panel:
        residual = Freedom(
            float(n_rows - k - n_persons),
            f"the number of outcomes minus one effect of each person and the {k} other coefficients of the regression",
        )
    n_clusters = int(observed.clusters.max()) + 1
    kind = "persons" if n_clusters == n_persons else "clusters"
    clusters = clusters_less_one(n_clusters, of=kind) if errors == "clustered" else None
    return degrees_of_freedom(rule, residual, clusters)


def cannot_compare(observed: Observed) -> str:
    """Return why these outcomes cannot be compared, or nothing; the reason is published, so it counts nobody."""
    place = 2 * observed.period + observed.treated_rows
    cells = np.bincount(place, minlength=2 * len(observed.periods)).reshape(-1, 2)
    if (cells == 0).any():
        return "In some period nobody of one of the two groups has this outcome."
    if not observed.is_panel and (cells < _LEAST_PER_CELL).any():
        return "Too few of those with this outcome are left in a group and period to compare them."
    if np.ptp(observed.value) == 0:
        return "This outcome is the same for everybody, so there is no spread to judge a difference by."
    return ""


def fit_or_none(
    observed: Observed,
    effects: Array,
    estimator: Estimator,
    errors: StandardErrors,
    names: tuple[str, ...],
    rule: Rule,
) -> list[Term]:
    """Return the fitted terms; none when the outcomes do not determine them or show no spread."""
    matrix = regressors(observed, effects, adjusted=estimator == "adjusted")
    try:
        refuse_impossible(matrix, names[0])
    except DesignError:
        return []
    terms = fit(observed, matrix, errors, names, rule)
    least = 1e-10 * float(np.abs(observed.value).max())
    return terms if all(term.std_error > least for term in terms) else []
