"""Whether an outcome goes with how near a person was to a programme that was not offered to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .least_squares import dependent_column, has_full_leverage, influence, project, robust_covariance

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Slope:
    """How much more of the outcome goes with one standard deviation more of the exposure.

    Attributes
    ----------
    value, std_error : float
        In the outcome's unit.
    degrees_of_freedom : float
        Of the t distribution: rows less coefficients, or clusters less one.
    """

    value: float
    std_error: float
    degrees_of_freedom: float

    @property
    def p_value(self) -> float:
        """Two-sided p-value of no slope, 0 to 1."""
        return 2 * float(stats.t.sf(abs(self.value) / self.std_error, self.degrees_of_freedom))

    def interval(self, level: float) -> tuple[float, float]:
        """Return the confidence interval, 0 < level < 1."""
        reach = float(stats.t.ppf(0.5 + level / 2, self.degrees_of_freedom)) * self.std_error
        return self.value - reach, self.value + reach


def slope(outcome: Array, exposure: Array, controls: Array, clusters: Codes | None = None) -> Slope | None:
    """Return the least-squares slope per standard deviation of the exposure; None where it is not determined.

    Parameters
    ----------
    outcome, exposure : ndarray, shape (n,)
        The exposure varies.
    controls : ndarray, shape (n, p)
        Traits that are held constant.
    clusters : ndarray of int, shape (n,), optional
        Codes from zero; then errors are CR1, else HC2.
    """
    scaled = (exposure - exposure.mean()) / exposure.std(ddof=1)
    matrix = np.column_stack([np.ones(len(outcome)), scaled, controls])
    n, k = matrix.shape
    if n <= k or dependent_column(matrix) is not None:
        return None
    projection = project(matrix)
    coefficients = projection.rows.T @ outcome
    residuals = outcome - matrix @ coefficients
    if clusters is None:
        if has_full_leverage(projection):
            return None
        variance, freedom = float(robust_covariance(projection, residuals, "hc2")[1, 1]), float(n - k)
    else:
        sums = np.bincount(clusters, weights=influence(projection, residuals)[:, 1])
        groups = len(sums)
        if groups < 2:
            return None
        variance = groups / (groups - 1) * (n - 1) / (n - k) * float(sums @ sums)
        freedom = float(groups - 1)
    return Slope(float(coefficients[1]), math.sqrt(variance), freedom) if variance > 0 else None
