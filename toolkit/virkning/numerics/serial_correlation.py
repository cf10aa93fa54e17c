"""Errors that follow each other in time: how they are correlated, and what that does to the uncertainty of a fit.

Every function takes the places of the rows in time, whole numbers that increase, so that a period that was left out is
a gap of its true length: rows on either side of it are never taken for neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Places = NDArray[np.int64]
LagRule = Literal["newey_west_1994", "stock_watson"]


@dataclass(frozen=True)
class Wobble:
    """How uncertain a covariance is that rests on two estimated numbers, the variance of a shock and the correlation.

    Attributes
    ----------
    slope : ndarray, shape (k, k)
        Derivative of the coefficients' covariance with respect to the correlation.
    covariance : ndarray, shape (2, 2)
        Of the logarithm of the variance and the correlation.
    """

    slope: Array
    covariance: Array


@dataclass(frozen=True)
class SerialFit:
    """A regression of a series on k columns.

    Attributes
    ----------
    coefficients : ndarray, shape (k,)
        In the order of the columns.
    covariance : ndarray, shape (k, k)
        Of the coefficients.
    influence : ndarray, shape (m, k)
        Shares in the error. For Newey-West errors ``influence.T @ influence`` is the covariance.
    residuals : ndarray, shape (n,)
        Outcome less fitted value.
    lag : int
        How many periods apart errors may be correlated; 0 where that is not how the errors are computed.
    correlation : float
        First-order correlation that the fit uses; 0 where it uses none.
    wobble : Wobble, optional
        How uncertain the covariance itself is; None where nothing is said of that.
    """

    coefficients: Array
    covariance: Array
    influence: Array
    residuals: Array
    lag: int
    correlation: float
    wobble: Wobble | None = None

    def degrees_of_freedom(self, weights: Array) -> float | None:
        """Return Satterthwaite's degrees of freedom of a weighted sum of the coefficients, or None without a wobble.

        Parameters
        ----------
        weights : ndarray, shape (k,)
            What the coefficients are multiplied by.
        """
        if self.wobble is None:
            return None
        variance = float(weights @ self.covariance @ weights)
        slope = np.array([variance, float(weights @ self.wobble.slope @ weights)])
        return 2 * variance**2 / float(slope @ self.wobble.covariance @ slope)


@dataclass(frozen=True)
class SerialTest:
    """A test that errors do not follow each other.

    Attributes
    ----------
    statistic : float
        Chi-squared under independence.
    lag : int
        Degrees of freedom: correlations up to so many periods apart are tested together.
    p_value : float
        Of a value at least as large.
    """

    statistic: float
    lag: int
    p_value: float


def lag_by_rule(rule: LagRule, n: int) -> int:
    """Return how many periods apart errors may be correlated, for a series of ``n`` periods.

    Parameters
    ----------
    rule : str
        ``newey_west_1994``: the whole part of 4 (n / 100)^(2/9) (NeweyWest1994); ``stock_watson``: 0.75 n^(1/3),
        rounded up (StockWatson2020).
    n : int
        Number of periods.

    Examples
    --------
    >>> lag_by_rule("newey_west_1994", 31), lag_by_rule("stock_watson", 31)
    (3, 3)
    """
    if rule == "newey_west_1994":
        return math.floor(4.0 * math.pow(n / 100, 2 / 9))
    return math.ceil(0.75 * math.pow(n, 1 / 3))


def bartlett_windows(scores: Array, places: Places, lag: int) -> Array:
    """Return sums over moving windows whose cross product is Newey and West's (1987) weighted sum of the scores.

    A window of ``lag + 1`` periods holds two scores that are l periods apart in lag + 1 - l of its places, which is
    Bartlett's weight 1 - l / (lag + 1) once the sums are divided by the root of ``lag + 1``.

    Parameters
    ----------
    scores : ndarray, shape (n, k)
        Residual times regressors.
    places : ndarray of int, shape (n,)
        Where each row lies in time.
    lag : int
        How many periods apart scores may be correlated.

    Returns
    -------
    ndarray, shape (span + lag, k)
        ``span`` is the number of periods from the first to the last, gaps among them.
    """
    span = int(places[-1] - places[0]) + 1
    padded = np.zeros((span + 2 * lag, scores.shape[1]))
    padded[places - places[0] + lag] = scores
    total = np.vstack([np.zeros(scores.shape[1]), padded.cumsum(axis=0)])
    result: Array = (total[lag + 1 :] - total[: -(lag + 1)]) / np.sqrt(lag + 1)
    return result


def newey_west(outcome: Array, regressors: Array, places: Places, lag: int) -> SerialFit:
    """Fit by least squares, with errors that may be correlated up to ``lag`` periods apart.

    The covariance is multiplied by n / (n - k), as in Stata's ``newey``.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        The series.
    regressors : ndarray, shape (n, k)
        Of full column rank, the constant among them.
    places : ndarray of int, shape (n,)
        Where each row lies in time.
    lag : int
        At least 0, which is White's covariance.
    """
    n, k = regressors.shape
    inverse = cross_inverse(regressors)
    coefficients = inverse @ regressors.T @ outcome
    residuals = outcome - regressors @ coefficients
    windows = bartlett_windows(regressors * residuals[:, None], places, lag)
    influence = np.sqrt(n / (n - k)) * windows @ inverse
    return SerialFit(coefficients, influence.T @ influence, influence, residuals, lag, 0.0)


def least_squares(outcome: Array, regressors: Array) -> SerialFit:
    """Fit by least squares as if the errors were independent and of one variance.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        The series.
    regressors : ndarray, shape (n, k)
        Of full column rank, the constant among them.
    """
    n, k = regressors.shape
    inverse = cross_inverse(regressors)
    coefficients = inverse @ regressors.T @ outcome
    residuals = outcome - regressors @ coefficients
    variance = float(residuals @ residuals) / (n - k)
    return SerialFit(coefficients, variance * inverse, regressors * residuals[:, None] @ inverse, residuals, 0, 0.0)


def first_correlation(residuals: Array, places: Places) -> float:
    """Return the slope of the residuals on those one period before; 0 where no two rows are neighbours.

    Parameters
    ----------
    residuals : ndarray, shape (n,)
        Of a fit with a constant.
    places : ndarray of int, shape (n,)
        Where each row lies in time.
    """
    near = np.diff(places) == 1
    before, after = residuals[:-1][near], residuals[1:][near]
    size = float(before @ before)
    return float(before @ after) / size if size > 0 else 0.0


def durbin_watson(residuals: Array, places: Places) -> float:
    """Return Durbin and Watson's (1950) statistic: near 2 without correlation, near 0 with a strong positive one.

    Parameters
    ----------
    residuals : ndarray, shape (n,)
        Not all zero.
    places : ndarray of int, shape (n,)
        Where each row lies in time; only neighbours are compared.
    """
    steps = np.diff(residuals)[np.diff(places) == 1]
    return float(steps @ steps) / float(residuals @ residuals)


def ljung_box(residuals: Array, places: Places, lag: int) -> SerialTest:
    """Test that residuals up to ``lag`` periods apart are uncorrelated (Ljung and Box 1978).

    Parameters
    ----------
    residuals : ndarray, shape (n,)
        Not all zero.
    places : ndarray of int, shape (n,)
        Where each row lies in time.
    lag : int
        From 1 to less than the number of periods.
    """
    n = len(residuals)
    grid = _grid(residuals[:, None], places)[:, 0]
    variance = float(grid @ grid)
    parts = [(float(grid[apart:] @ grid[:-apart]) / variance) ** 2 / (n - apart) for apart in range(1, lag + 1)]
    statistic = n * (n + 2) * sum(parts)
    return SerialTest(statistic, lag, float(stats.chi2.sf(statistic, lag)))


def breusch_godfrey(residuals: Array, regressors: Array, places: Places, lag: int) -> SerialTest:
    """Test that errors up to ``lag`` periods apart are uncorrelated, with the regressors taken into account.

    The number of rows times the share of the residuals' variance that the regressors and the residuals before explain;
    residuals from before the series, and from periods that were left out, count as zero (Godfrey 1978).

    Parameters
    ----------
    residuals : ndarray, shape (n,)
        Of the least-squares fit on ``regressors``; not all zero.
    regressors : ndarray, shape (n, k)
        The constant among them.
    places : ndarray of int, shape (n,)
        Where each row lies in time.
    lag : int
        At least 1.
    """
    grid = _grid(residuals[:, None], places)[:, 0]
    earlier = np.column_stack(
        [np.concatenate([np.zeros(apart), grid[:-apart]])[places - places[0]] for apart in range(1, lag + 1)]
    )
    columns = np.column_stack([regressors, earlier])
    explained = columns @ np.linalg.lstsq(columns, residuals, rcond=None)[0]
    statistic = len(residuals) * float(explained @ explained) / float(residuals @ residuals)
    return SerialTest(statistic, lag, float(stats.chi2.sf(statistic, lag)))


def cross_inverse(regressors: Array) -> Array:
    """Return (X'X)^-1 from the triangle of X, which keeps more digits than the cross product.

    Parameters
    ----------
    regressors : ndarray, shape (n, k)
        Of full column rank.
    """
    triangle = np.linalg.inv(np.linalg.qr(regressors, mode="r"))
    result: Array = triangle @ triangle.T
    return result


def _grid(values: Array, places: Places) -> Array:
    """Return the rows on all periods from the first to the last; zero where a period was left out."""
    grid = np.zeros((int(places[-1] - places[0]) + 1, values.shape[1]))
    grid[places - places[0]] = values
    return grid
