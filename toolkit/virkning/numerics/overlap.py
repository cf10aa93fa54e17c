"""Where two groups overlap: the common support of a score, who lies outside it, and what weighting costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Target = Literal["att", "ate"]

QUANTILES: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Overlap:
    """How far the scores of two arms lie over each other.

    Attributes
    ----------
    treated_quantiles, comparison_quantiles : ndarray, shape (5,)
        The scores at ``QUANTILES``. Extremes are left out: each would be one person's value.
    treated_outside, comparison_outside : int
        Persons whose score lies outside the range of the other arm.
    common_area : float
        Share of the two distributions, in 20 bins, that they have in common; 0 to 1.
    """

    treated_quantiles: Array
    comparison_quantiles: Array
    treated_outside: int
    comparison_outside: int
    common_area: float


def overlap(score: Array, treated: Booleans) -> Overlap:
    """Return the overlap of a score, 0 to 1, between the arms; both arguments have shape (n,)."""
    one, zero = score[treated], score[~treated]
    shares = [np.histogram(part, bins=20, range=(0.0, 1.0))[0] / len(part) for part in (one, zero)]
    return Overlap(
        treated_quantiles=np.quantile(one, QUANTILES),
        comparison_quantiles=np.quantile(zero, QUANTILES),
        treated_outside=int(((one < zero.min()) | (one > zero.max())).sum()),
        comparison_outside=int(((zero < one.min()) | (zero > one.max())).sum()),
        common_area=float(np.minimum(*shares).sum()),
    )


def in_common_support(score: Array, treated: Booleans, target: Target) -> Booleans:
    """Tell who has a score that the other arm covers, from its smallest to its largest; shape (n,).

    For the effect on the treated only they are judged: a comparison person whom nobody resembles does no harm.
    """
    one, zero = score[treated], score[~treated]
    low, high = np.where(treated, zero.min(), one.min()), np.where(treated, zero.max(), one.max())
    inside: Booleans = (score >= low) & (score <= high)
    return inside | ~treated if target == "att" else inside


def effective_size(weights: Array) -> float:
    """Return how many equally weighted persons would be as precise (Kish 1965), for weights of shape (n,)."""
    return float(weights.sum() ** 2 / (weights**2).sum())
