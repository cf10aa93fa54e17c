"""How far apart two groups lie on a trait, in standard deviations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Difference:
    """Mean of a trait by arm, and the difference in standard deviations.

    Attributes
    ----------
    treated, comparison : float
        Weighted means, in the trait's unit.
    standardised : float
        Difference over the root of the mean of the two variances (Imbens and Rubin 2015, chapter 14). When the trait
        varies in neither arm, over the standard deviation of everybody; zero when it does not vary at all.
    spread : float
        What the difference was divided by, in the trait's unit.
    """

    treated: float
    comparison: float
    standardised: float
    spread: float


def difference(
    values: Array, treated: Booleans, weights: Array | None = None, *, spread: float | None = None
) -> Difference:
    """Return the difference between the arms.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The trait.
    treated : ndarray of bool, shape (n,)
        The arms; in each, somebody counts.
    weights : ndarray, shape (n,), optional
        How much each person counts.
    spread : float, optional
        Standard deviation to divide by, such as that before weighting, so that two differences can be compared.
    """
    weight = np.ones(len(values)) if weights is None else weights
    means, variances = [], []
    for arm in (treated, ~treated):
        mean = float(np.average(values[arm], weights=weight[arm]))
        # With equal weights this is the sample variance with n - 1.
        n = int(arm.sum())
        variance = float(np.average((values[arm] - mean) ** 2, weights=weight[arm])) * n / max(n - 1, 1)
        means.append(mean)
        variances.append(variance)
    if spread is None:
        spread = float(np.sqrt(np.mean(variances))) or float(values.std()) or 1.0
    return Difference(means[0], means[1], (means[0] - means[1]) / spread, spread)
