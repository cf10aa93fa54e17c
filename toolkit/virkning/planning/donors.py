"""What a synthetic control would show of chance alone: no formula gives it, so it is drawn many times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..numerics.synthetic_differences import Block, Estimator, Recipe, contrast, placebo_paths

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PlaceboDraws:
    """Estimates of an effect that is not there, for outcomes with variance one.

    Attributes
    ----------
    values, std_errors : ndarray, shape (draws,)
        The estimate, and its error as the placebos among the donors show it. Weights come from the periods before the
        start, so an effect is simply added to the estimate.
    """

    values: Array
    std_errors: Array


@lru_cache(maxsize=16)
def placebo_draws(
    donors: int, before: int, after: int, correlation: float, draws: int, seed: int, estimator: Estimator
) -> PlaceboDraws:
    """Return what comes of one treated place and some donors when nothing happens.

    Parameters
    ----------
    donors : int
        Places without the programme.
    before, after : int
        Periods.
    correlation : float
        Of a place's outcomes between two periods.
    draws : int
        Made-up data sets.
    seed : int
        Start of the random numbers.
    estimator : str
        As the design names it.
    """
    generator = np.random.default_rng([seed, donors, before, after])
    treated = np.arange(donors + 1) == 0
    places, recipe = np.arange(donors)[:, None], Recipe(estimator)
    values, errors = np.empty(draws), np.empty(draws)
    for draw in range(draws):
        level = np.sqrt(max(correlation, 0.0)) * generator.standard_normal((donors + 1, 1))
        outcome = level + np.sqrt(1 - max(correlation, 0.0)) * generator.standard_normal((donors + 1, before + after))
        block = Block(outcome, treated, before, np.zeros((donors + 1, 0)))
        values[draw] = contrast(block, recipe).effect
        errors[draw] = placebo_paths(block, recipe, places)[:, before:].mean(axis=1).std()
    return PlaceboDraws(values, errors)
