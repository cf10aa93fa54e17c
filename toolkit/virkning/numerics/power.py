"""The power of a t-test, and the smallest effect that it finds with a given chance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Array = NDArray[np.float64]


def power(effect: Array, std_error: float, degrees_of_freedom: float, significance: float) -> Array:
    """Return the chance that a two-sided t-test rejects when the true effect is ``effect``, shape of ``effect``.

    Parameters
    ----------
    effect : ndarray
        True effects, in the outcome's unit.
    std_error : float
        Standard error of the estimate, same unit, positive.
    degrees_of_freedom : float
        Of the t distribution; ``inf`` means normal.
    significance : float
        Two-sided level of the test, 0 to 1.
    """
    shift = np.asarray(effect, dtype=float) / std_error
    if math.isinf(degrees_of_freedom):
        limit = float(stats.norm.isf(significance / 2))
        return np.asarray(stats.norm.sf(limit - shift) + stats.norm.cdf(-limit - shift))
    limit = float(stats.t.isf(significance / 2, degrees_of_freedom))
    size = np.abs(shift)
    # The tail on the other side is the mirror image; nct is accurate for positive shifts.
    tails = stats.nct.sf(limit, degrees_of_freedom, size) + stats.nct.cdf(-limit, degrees_of_freedom, size)
    return np.asarray(tails, dtype=float)


def minimum_detectable_effect(std_error: float, degrees_of_freedom: float, significance: float, target: float) -> float:
    """Return the smallest true effect that the test finds with chance ``target``, in the unit of ``std_error``."""

    def gap(multiple: float) -> float:
        return float(power(np.array([multiple]), 1.0, degrees_of_freedom, significance)[0]) - target

    upper = 2.0
    while gap(upper) < 0:
        upper *= 2
    return std_error * float(optimize.brentq(gap, 0.0, upper, xtol=1e-12))
