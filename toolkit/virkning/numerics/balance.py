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
    """

    treated: float
    comparison: float
    standardised: float


def difference(values: Array, treated: Booleans, weights: Array | None = None) -> Difference:
    """Return the difference between the arms; ``values``, ``treated`` and ``weights`` have shape (n,)."""
    weight = np.ones(len(values)) if weights is None else weights
    means, variances = [], []
    for arm in (treated, ~treated):
        mean = float(np.average(values[arm], weights=weight[arm]))
        # With equal weights this is the sample variance with n - 1.
        n = int(arm.sum())
        variance = float(np.average((values[arm] - mean) ** 2, weights=weight[arm])) * n / max(n - 1, 1)
        means.append(mean)
        variances.append(variance)
    gap, spread = means[0] - means[1], float(np.sqrt(np.mean(variances)))
    if spread == 0:
        spread = float(values.std()) or 1.0
    return Difference(means[0], means[1], gap / spread)
