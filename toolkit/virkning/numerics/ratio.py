"""The interval of a ratio of two estimates: Fieller's, which knows that the lower part of the fraction may be zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """A ratio with its confidence interval.

    Attributes
    ----------
    value : float
        Upper part over lower part, without a unit.
    lower, upper : float
        Ends of the interval.
    """

    value: float
    lower: float
    upper: float


def fieller(upper_part: float, lower_part: float, covariance: Array, level: float, freedom: float) -> Ratio | None:
    """Return the ratio of two estimates with Fieller's interval; None when the interval has no ends.

    It holds every ratio r for which ``upper_part - r * lower_part`` does not differ clearly from zero. When the lower
    part itself does not, no ratio is ruled out at one side, and there is no interval (Fieller 1954).

    Parameters
    ----------
    upper_part, lower_part : float
        The two estimates.
    covariance : ndarray, shape (2, 2)
        Of the two, in their order.
    level : float
        Confidence level, 0 to 1.
    freedom : float
        Degrees of freedom of the t distribution; ``inf`` means normal.
    """
    reach = float(stats.norm.ppf(0.5 + level / 2) if math.isinf(freedom) else stats.t.ppf(0.5 + level / 2, freedom))
    square = reach**2
    a = lower_part**2 - square * float(covariance[1, 1])
    b = upper_part * lower_part - square * float(covariance[0, 1])
    c = upper_part**2 - square * float(covariance[0, 0])
    inside = b**2 - a * c
    if a <= 0 or inside < 0:
        return None
    half = math.sqrt(inside) / a
    return Ratio(upper_part / lower_part, b / a - half, b / a + half)
