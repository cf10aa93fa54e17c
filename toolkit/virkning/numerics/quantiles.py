"""Quantiles that rest on many persons, and how uncertain their difference between two groups is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Booleans = NDArray[np.bool_]

# Points of the table from which the bootstrap reads the Beta distribution; it is smooth between them.
_LEAST_POINTS = 4_000


@dataclass(frozen=True)
class QuantileDifferences:
    """Quantiles of two groups, and their differences.

    Attributes
    ----------
    quantiles : ndarray, shape (q,)
        Which quantiles, 0 to 1.
    treated, comparison : ndarray, shape (q,)
        In the outcome's unit.
    value, std_error, lower, upper : ndarray, shape (q,)
        Treated minus comparison, with bootstrap error and percentile interval, same unit.
    """

    quantiles: Array
    treated: Array
    comparison: Array
    value: Array
    std_error: Array
    lower: Array
    upper: Array


def harrell_davis(values: Array, quantiles: Array, weights: Array | None = None) -> Array:
    """Return quantiles as means of all values, weighted by how likely each is to be the quantile; shape (q,).

    No quantile is the value of one person (Harrell and Davis 1982). With weights, the number of values is the effective
    one of Kish, ``(sum w)² / sum w²``.

    Parameters
    ----------
    values : ndarray, shape (n,)
        In the outcome's unit, n at least 1.
    quantiles : ndarray, shape (q,)
        Between 0 and 1, both excluded.
    weights : ndarray, shape (n,), optional
        Positive.
    """
    order = np.argsort(values, kind="stable")
    given = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    n = float(given.sum() ** 2 / (given**2).sum())
    reached = np.concatenate([[0.0], np.cumsum(given[order]) / given.sum()])
    chance = special.betainc((n + 1) * quantiles[:, None], (n + 1) * (1 - quantiles[:, None]), np.minimum(reached, 1.0))
    result: Array = np.diff(chance, axis=1) @ values[order]
    return result


def quantile_differences(
    outcome: Array,
    treated: Booleans,
    quantiles: Array,
    *,
    unit: Codes,
    stratum: Codes,
    weights: Array | None,
    level: float,
    draws: int,
    generator: np.random.Generator,
) -> QuantileDifferences:
    """Return the difference between the two groups at each quantile, with bootstrap errors.

    The bootstrap draws, with replacement, what was assigned together, within stratum and group.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        In its own unit.
    treated : ndarray of bool, shape (n,)
        Who was offered the programme.
    quantiles : ndarray, shape (q,)
        Between 0 and 1.
    unit : ndarray of int, shape (n,)
        Cluster of each person, or the person's own number.
    stratum : ndarray of int, shape (n,)
        Stratum in which the unit was drawn.
    weights : ndarray, shape (n,), optional
        Sampling weights.
    level : float
        Of the interval, 0 to 1.
    draws : int
        Of the bootstrap.
    generator : Generator
        Source of the draws.
    """
    levels, drawn = [], []
    for arm in (treated, ~treated):
        own = None if weights is None else weights[arm]
        levels.append(harrell_davis(outcome[arm], quantiles, own))
        drawn.append(_drawn(outcome[arm], quantiles, unit[arm], stratum[arm], own, draws, generator))
    gaps = drawn[0] - drawn[1]
    lower, upper = np.quantile(gaps, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    return QuantileDifferences(
        quantiles, levels[0], levels[1], levels[0] - levels[1], gaps.std(axis=0, ddof=1), lower, upper
    )


def _drawn(
    values: Array,
    quantiles: Array,
    unit: Codes,
    stratum: Codes,
    weights: Array | None,
    draws: int,
    generator: np.random.Generator,
) -> Array:
    """Return the quantiles of each bootstrap sample of one group, shape (draws, q)."""
    n = len(values)
    order = np.argsort(values, kind="stable")
    ordered, given = values[order], (np.ones(n) if weights is None else weights)[order]
    names, first, codes = np.unique(unit[order], return_index=True, return_inverse=True)
    members = [np.flatnonzero(stratum[order][first] == each) for each in np.unique(stratum)]
    size = float(given.sum() ** 2 / (given**2).sum())
    grid = np.linspace(0.0, 1.0, max(4 * n, _LEAST_POINTS) + 1)
    tables = [special.betainc((size + 1) * each, (size + 1) * (1 - each), grid) for each in quantiles]
    result = np.empty((draws, len(quantiles)))
    times = np.zeros(len(names))
    for draw in range(draws):
        for inside in members:
            times[inside] = np.bincount(generator.integers(0, len(inside), len(inside)), minlength=len(inside))
        total = np.cumsum(times[codes] * given)
        reached = np.concatenate([[0.0], total / total[-1]])
        for place, table in enumerate(tables):
            result[draw, place] = np.diff(np.interp(reached, grid, table)) @ ordered
    return result
