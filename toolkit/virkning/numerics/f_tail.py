"""The F distribution, also where the denominator has no end: scipy's own has no value there."""

from __future__ import annotations

import math

from scipy import stats


def f_tail(statistic: float, numerator: int, denominator: float) -> float:
    """Return the chance, 0 to 1, that an F statistic is exceeded when nothing is there.

    With infinite denominator degrees of freedom ``numerator`` times the statistic has a chi-square distribution.

    Parameters
    ----------
    statistic : float
        A Wald statistic divided by ``numerator``.
    numerator : int
        Number of restrictions.
    denominator : float
        Degrees of freedom of the errors; may be infinite.

    Examples
    --------
    >>> round(f_tail(3.84, 1, math.inf), 3), round(f_tail(3.84, 1, 10), 3)
    (0.05, 0.078)
    """
    if math.isinf(denominator):
        return float(stats.chi2.sf(numerator * statistic, numerator))
    return float(stats.f.sf(statistic, numerator, denominator))


def f_limit(level: float, numerator: int, denominator: float) -> float:
    """Return what an F statistic exceeds with chance ``1 - level`` when nothing is there.

    Parameters
    ----------
    level : float
        0 to 1.
    numerator, denominator
        As for :func:`f_tail`.

    Examples
    --------
    >>> round(f_limit(0.95, 1, math.inf), 2), round(f_limit(0.95, 1, 10), 2)
    (3.84, 4.96)
    """
    if math.isinf(denominator):
        return float(stats.chi2.ppf(level, numerator)) / numerator
    return float(stats.f.ppf(level, numerator, denominator))
