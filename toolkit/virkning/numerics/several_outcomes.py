"""Several outcomes at once: p-values that allow for how many were looked at, and an index of them all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
# So many random numbers are held at a time.
_BATCH = 4_000_000


def holm(p_values: Array) -> Array:
    """Return the p-values adjusted for their number (Holm 1979), shape (m,), 0 to 1.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    m = len(p_values)
    stepped = np.maximum.accumulate((m - np.arange(m)) * p_values[order])
    result = np.empty(m)
    result[order] = np.minimum(stepped, 1.0)
    return result


def romano_wolf(p_values: Array, influence: Array, draws: int, generator: np.random.Generator) -> Array:
    """Return the p-values adjusted for their number and for how the outcomes go together, shape (m,), 0 to 1.

    The step-down of Romano and Wolf (2005) with a multiplier bootstrap: each unit's influence on all the effects is
    multiplied by one normal draw, so outcomes that go together are drawn together. A p-value stands for the normal
    deviate that it belongs to, so that small samples' own distributions are kept.

    Parameters
    ----------
    p_values : ndarray, shape (m,)
        Two-sided, of each outcome alone.
    influence : ndarray, shape (n, m)
        Of each independent unit on each effect; zero where a unit has no such outcome.
    draws : int
        Number of draws.
    generator : Generator
        Source of the draws.
    """
    m = len(p_values)
    deviates = np.asarray(stats.norm.isf(np.clip(p_values, 1e-300, 1.0) / 2), dtype=np.float64)
    order = np.argsort(-deviates, kind="stable")
    scaled = influence / np.sqrt((influence**2).sum(axis=0))
    exceeded = np.zeros(m)
    done = 0
    while done < draws:
        size = min(draws - done, max(1, _BATCH // len(scaled)))
        sizes = np.abs(generator.standard_normal((size, len(scaled))) @ scaled)[:, order]
        # The largest among an outcome and those behind it.
        largest = np.maximum.accumulate(sizes[:, ::-1], axis=1)[:, ::-1]
        exceeded += (largest >= deviates[order] * (1 - 1e-12)).sum(axis=0)
        done += size
    adjusted = np.maximum.accumulate((1 + exceeded) / (1 + draws))
    result = np.empty(m)
    # Chance alone can draw an adjusted p-value below the one of the outcome alone.
    result[order] = np.maximum(adjusted, np.maximum.accumulate(p_values[order]))
    return result


def mean_index(standardised: Array) -> Array:
    """Return the mean of the standardised outcomes that are known (Kling, Liebman and Katz 2007), shape (n,).

    Parameters
    ----------
    standardised : ndarray, shape (n, m)
        Outcomes turned so that more is better, in standard deviations; NaN where unknown. NaN where none is known.
    """
    known = np.isfinite(standardised)
    total = np.where(known, standardised, 0.0).sum(axis=1)
    result: Array = np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
    return result


def weighted_index(standardised: Array, reference: NDArray[np.bool_]) -> Array | None:
    """Return the index that counts outcomes less that say the same (Anderson 2008), shape (n,).

    The generalised-least-squares mean of what is known of a person: weights are sums of rows of the inverse covariance.
    None where the outcomes' covariance cannot be inverted: one follows from the others.

    Parameters
    ----------
    standardised : ndarray, shape (n, m)
        As for :func:`mean_index`.
    reference : ndarray of bool, shape (n,)
        On whom, of those with all outcomes known, the covariance rests.
    """
    known = np.isfinite(standardised)
    whole = standardised[reference & known.all(axis=1)]
    m = standardised.shape[1]
    if len(whole) <= m:
        return None
    covariance = np.atleast_2d(np.cov(whole, rowvar=False))
    if np.linalg.cond(covariance) > 1e10:
        return None
    result = np.full(len(standardised), np.nan)
    patterns, codes = np.unique(known, axis=0, return_inverse=True)
    for code, pattern in enumerate(patterns):
        if pattern.any():
            rows = codes.reshape(-1) == code
            weights = np.linalg.inv(covariance[np.ix_(pattern, pattern)]).sum(axis=1)
            result[rows] = standardised[np.ix_(rows, pattern)] @ weights / weights.sum()
    return result
