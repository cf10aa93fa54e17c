"""Where two groups overlap: the common support of a score, who lies outside it, and what weighting costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Counts = NDArray[np.int64]
Target = Literal["att", "ate"]

# Bins of a score in which the two arms are held side by side, from a rounded lowest to a rounded highest score: the
# extremes themselves would be single persons' values.
_N_BINS = 10
_ROUNDED_TO = 0.05


@dataclass(frozen=True)
class Overlap:
    """How far the scores of two arms lie over each other.

    Attributes
    ----------
    middles : ndarray, shape (bins,)
        The score in the middle of each bin, 0 to 1.
    treated, comparison : ndarray of int, shape (bins,)
        Persons in each bin.
    common_area : float
        Share of the two distributions that they have in common; 0 to 1.
    """

    middles: Array
    treated: Counts
    comparison: Counts
    common_area: float


def overlap(score: Array, treated: Booleans) -> Overlap:
    """Return the overlap of a score, 0 to 1, between the arms; both arguments have shape (n,)."""
    lowest = np.floor(float(score.min()) / _ROUNDED_TO) * _ROUNDED_TO
    highest = np.ceil(float(score.max()) / _ROUNDED_TO) * _ROUNDED_TO
    edges = np.linspace(lowest, max(highest, lowest + _ROUNDED_TO), _N_BINS + 1)
    # A score on the outermost edge must not fall out because of rounding.
    inside = np.clip(score, edges[0], edges[-1])
    counts = [np.histogram(inside[arm], bins=edges)[0] for arm in (treated, ~treated)]
    return Overlap(
        middles=(edges[:-1] + edges[1:]) / 2,
        treated=counts[0].astype(np.int64),
        comparison=counts[1].astype(np.int64),
        common_area=float(np.minimum(counts[0] / treated.sum(), counts[1] / (~treated).sum()).sum()),
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
