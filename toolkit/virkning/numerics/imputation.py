"""Missing values filled in many times over, so that the uncertainty of not knowing them is kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]

# Observed persons from whom a missing value is drawn; rounds of the chain; a touch that keeps dependent columns apart.
_DONORS, _CYCLES, _RIDGE = 5, 10, 1e-5
# A group of its own is filled in by itself where it has so many observed persons more than there are columns.
_SPARE = 10


@dataclass(frozen=True)
class Pooled:
    """One number from several completed data sets.

    Attributes
    ----------
    value, std_error : float
        Mean of the estimates, and Rubin's error: within and between the completed data sets.
    degrees_of_freedom : float
        Barnard and Rubin's (1999).
    missing_information : float
        Share of the information about the value that is missing with the data, 0 to 1.
    """

    value: float
    std_error: float
    degrees_of_freedom: float
    missing_information: float

    def interval(self, level: float) -> tuple[float, float]:
        """Return the confidence interval, 0 < level < 1."""
        reach = float(stats.t.ppf(0.5 + level / 2, self.degrees_of_freedom)) * self.std_error
        return self.value - reach, self.value + reach


def pool(values: Sequence[float], std_errors: Sequence[float], complete_freedom: float = math.inf) -> Pooled:
    """Return what several completed data sets say together (Rubin 1987).

    Parameters
    ----------
    values, std_errors : sequence of float
        One of each per completed data set; at least two.
    complete_freedom : float
        Degrees of freedom if nothing were missing; ``inf`` means normal.

    Examples
    --------
    >>> found = pool([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    >>> round(found.value, 2), round(found.std_error, 4), round(found.degrees_of_freedom, 3)
    (2.0, 1.5275, 6.125)
    """
    m = len(values)
    within = float(np.mean(np.square(std_errors)))
    between = float(np.var(values, ddof=1)) * (1 + 1 / m)
    total = within + between
    share = between / total
    observed = complete_freedom
    if math.isfinite(complete_freedom):
        observed = (complete_freedom + 1) / (complete_freedom + 3) * complete_freedom * (1 - share)
    of_draws = (m - 1) / share**2 if share > 0 else math.inf
    freedom = 1 / (1 / of_draws + 1 / observed) if of_draws < math.inf or observed < math.inf else math.inf
    ratio = between / within
    information = (ratio + 2 / (freedom + 3)) / (1 + ratio) if between > 0 else 0.0
    return Pooled(float(np.mean(values)), math.sqrt(total), freedom, information)


def completed(
    columns: Array,
    complete: Array,
    groups: Booleans,
    imputations: int,
    generator: np.random.Generator,
    *,
    is_amount: Booleans | None = None,
) -> Iterator[Array]:
    """Give the columns with their missing values filled in, again and again; each of shape (n, k).

    Chained equations: each column is regressed on all others, and the coefficients are drawn from what the regression
    leaves possible. An amount is drawn from the line with its spread. Of other columns whoever lacks the value gets
    that of one of the five observed persons who are nearest in what is predicted (predictive mean matching, van Buuren
    2018, section 3.4), so that a filled-in value is one that occurs; where nobody alike is observed, that falls short.

    Parameters
    ----------
    columns : ndarray, shape (n, k)
        NaN where missing; each column has observed values.
    complete : ndarray, shape (n, q)
        Further columns that help to predict, without missing values.
    groups : ndarray of bool, shape (n,)
        The two groups; each is filled in from its own persons where there are enough, so that an effect that differs
        between persons is kept.
    imputations : int
        How many times.
    generator : Generator
        Source of the draws.
    is_amount : ndarray of bool, shape (k,), optional
        Which columns may take any value; by default none.
    """
    missing = np.isnan(columns)
    may_vary = np.zeros(columns.shape[1], dtype=bool) if is_amount is None else is_amount
    # From the column with the fewest missing values to the one with the most.
    order = [int(place) for place in np.argsort(missing.sum(axis=0), kind="stable") if missing[:, place].any()]
    width = columns.shape[1] + complete.shape[1]
    arms = [groups, ~groups]
    if any(int((arm & ~missing[:, place]).sum()) < width + _SPARE for place in order for arm in arms):
        arms, complete = [np.ones(len(groups), dtype=bool)], np.column_stack([complete, groups])
    for _ in range(imputations):
        filled = columns.copy()
        for place in order:
            for arm in arms:
                lost, known = arm & missing[:, place], arm & ~missing[:, place]
                filled[lost, place] = generator.choice(columns[known, place], size=int(lost.sum()))
        for _cycle in range(_CYCLES if len(order) > 1 else 1):
            for place in order:
                others = np.column_stack([np.delete(filled, place, axis=1), complete])
                for arm in arms:
                    lost, known = arm & missing[:, place], arm & ~missing[:, place]
                    if lost.any():
                        draws = line_draws if may_vary[place] else matched_draws
                        filled[lost, place] = draws(columns[known, place], others[known], others[lost], generator)
        yield filled


@dataclass(frozen=True)
class _Line:
    """What a regression predicts for those who have a value and, with drawn coefficients, for those who lack it."""

    known: Array
    lost: Array
    deviation: float


def _drawn_line(values: Array, known: Array, lost: Array, generator: np.random.Generator) -> _Line:
    """Return the predictions of one draw from what the regression leaves possible; parameters as for the draws."""
    centre, spread = known.mean(axis=0), known.std(axis=0)
    scale = np.where(spread > 1e-12 * (1 + np.abs(centre)), spread, np.inf)
    matrix = np.column_stack([np.ones(len(known)), (known - centre) / scale])
    cross = matrix.T @ matrix
    inverse = np.linalg.inv(cross + _RIDGE * np.diag(np.maximum(np.diag(cross), 1.0)))
    coefficients = inverse @ matrix.T @ values
    freedom = max(len(values) - matrix.shape[1], 1)
    residuals = values - matrix @ coefficients
    deviation = math.sqrt(float(residuals @ residuals) / float(generator.chisquare(freedom)))
    drawn = coefficients + deviation * np.linalg.cholesky(inverse) @ generator.standard_normal(len(coefficients))
    wanted = np.column_stack([np.ones(len(lost)), (lost - centre) / scale]) @ drawn
    return _Line(matrix @ coefficients, wanted, deviation)


def line_draws(values: Array, known: Array, lost: Array, generator: np.random.Generator) -> Array:
    """Return values for those who lack one, drawn around the line on which they lie.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Of those who have one.
    known, lost : ndarray, shapes (n, k) and (m, k)
        What is known of those who have one, and of those who lack it.
    generator : Generator
        Source of the draws.
    """
    line = _drawn_line(values, known, lost, generator)
    return line.lost + line.deviation * generator.standard_normal(len(lost))


def matched_draws(values: Array, known: Array, lost: Array, generator: np.random.Generator) -> Array:
    """Return values for those who lack one, from observed persons who are alike in what is predicted.

    Parameters
    ----------
    values, known, lost, generator
        As for :func:`line_draws`.
    """
    line = _drawn_line(values, known, lost, generator)
    order = np.argsort(line.known, kind="stable")
    predicted = line.known[order]
    donors = min(_DONORS, len(values))
    # The nearest in a sorted list lie in a window around the place where the wanted one would stand.
    start = np.clip(np.searchsorted(predicted, line.lost) - donors, 0, max(len(values) - 2 * donors, 0))
    window = start[:, None] + np.arange(min(2 * donors, len(values)))
    distance = np.abs(predicted[window] - line.lost[:, None])
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :donors]
    chosen = nearest[np.arange(len(lost)), generator.integers(donors, size=len(lost))]
    result: Array = values[order][window[np.arange(len(lost)), chosen]]
    return result
