"""The power of a t-test, and the smallest effect that it finds with a given chance."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Array = NDArray[np.float64]
# In standard errors: from where the other tail is below 1e-14, and from where the simple form is exact enough.
_NO_OTHER, _FAR = 7.0, 30.0


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
    # The tail on the other side is the mirror image, nct is accurate for positive shifts; soon that tail is nothing.
    near = np.minimum(size, _FAR)
    other = np.where(size < _NO_OTHER, stats.nct.cdf(-limit, degrees_of_freedom, np.minimum(size, _NO_OTHER)), 0.0)
    # Far out nct fails, and chance in the estimate is nothing beside chance in its standard error.
    far = stats.chi2.cdf(degrees_of_freedom * (size / limit) ** 2, degrees_of_freedom)
    return np.asarray(np.where(size > _FAR, far, stats.nct.sf(limit, degrees_of_freedom, near) + other), dtype=float)


def minimum_detectable_effect(std_error: float, degrees_of_freedom: float, significance: float, target: float) -> float:
    """Return the smallest true effect that the test finds with chance ``target``, in the unit of ``std_error``."""

    def gap(multiple: float) -> float:
        return float(power(np.array([multiple]), 1.0, degrees_of_freedom, significance)[0]) - target

    upper = 2.0
    while gap(upper) < 0:
        upper *= 2
    return std_error * float(optimize.brentq(gap, 0.0, upper, xtol=1e-12))


def smallest_found(chance: Callable[[float], float], target: float, largest: float = math.inf) -> float | None:
    """Return the smallest effect that is found with chance ``target``; None when no possible effect is.

    Parameters
    ----------
    chance : callable
        Takes the size of an effect, returns the chance of finding it; grows with the size.
    target : float
        Chance that is wanted, 0 to 1.
    largest : float
        The largest effect that is possible: a share of 0.4 cannot rise by more than 0.6.
    """
    upper = min(1.0, largest)
    while chance(upper) < target:
        if upper >= largest or upper > 1e12:
            return None
        upper = min(2 * upper, largest)
    while upper > 1e-12 and chance(upper / 2) >= target:
        upper /= 2
    return float(optimize.brentq(lambda size: chance(size) - target, 0.0, upper, xtol=1e-12 * upper, rtol=1e-10))
