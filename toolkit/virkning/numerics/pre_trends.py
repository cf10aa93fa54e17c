"""What a joint test of the periods before a start can see: the steady drift that it finds with a given chance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from .f_tail import f_limit

Array = NDArray[np.float64]


def joint_power(noncentrality: float, n_effects: int, degrees_of_freedom: float, significance: float) -> float:
    """Return the chance, 0 to 1, that Wald's test rejects that several effects are zero.

    >>> round(joint_power(0.0, 3, math.inf, 0.05), 3), round(joint_power(9.0, 1, math.inf, 0.05), 3)
    (0.05, 0.851)

    Parameters
    ----------
    noncentrality : float
        The true effects' quadratic form in the inverse of their estimates' covariance; 0 when all are zero.
    n_effects : int
        How many effects are tested.
    degrees_of_freedom : float
        Of the denominator; ``inf`` means that the test uses the chi-squared distribution.
    significance : float
        Level of the test, 0 to 1.
    """
    limit = f_limit(1 - significance, n_effects, degrees_of_freedom)
    if noncentrality == 0:
        return significance
    if math.isinf(degrees_of_freedom):
        return float(stats.ncx2.sf(limit * n_effects, n_effects, noncentrality))
    return float(stats.ncf.sf(limit, n_effects, degrees_of_freedom, noncentrality))


def detectable_drift(
    drift: Array, covariance: Array, degrees_of_freedom: float, significance: float, power: float
) -> float:
    """Return how many times the drift the true effects must be for the joint test to reject with a chance of ``power``.

    Roth (2022) asks for it where trends were not rejected: a smaller drift would mostly have gone unseen.

    Parameters
    ----------
    drift : ndarray, shape (k,)
        What the tested effects are when the drift is one unit per period.
    covariance : ndarray, shape (k, k)
        Of their estimates, positive definite, unit².
    degrees_of_freedom, significance
        As for :func:`joint_power`.
    power : float
        Above ``significance``, below 1.
    """
    n_effects = len(drift)

    def gap(noncentrality: float) -> float:
        return joint_power(noncentrality, n_effects, degrees_of_freedom, significance) - power

    upper = 8.0
    while gap(upper) < 0:
        upper *= 2
    needed = float(optimize.brentq(gap, 0.0, upper, xtol=1e-10))
    return math.sqrt(needed / float(drift @ np.linalg.solve(covariance, drift)))
