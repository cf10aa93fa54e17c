"""What it changes in a matched effect that its score was estimated (Abadie and Imbens 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .logit import BinaryFit
from .matching import Matches, Rules, nearest
from .ranking import rising

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class ScoreCorrection:
    """What it changes that the score was estimated (Abadie and Imbens 2016).

    Attributes
    ----------
    variance : float
        To be added to the squared error; negative for the effect on everybody, of either sign for that on the treated.
    influence : ndarray, shape (n,)
        To be added to each person's share in the error.
    """

    variance: float
    influence: Array


def score_correction(
    outcome: Array,
    matrix: Array,
    treated: Booleans,
    score: BinaryFit,
    value: float,
    *,
    neighbours: int,
    cells: Whole,
    on_everybody: bool,
    order: Whole | None = None,
) -> ScoreCorrection:
    """Return the correction of a matched effect for the estimated score.

    At the true score the estimate has some covariance c with the score's own equations, and the effect moves by d when
    the score does; with V the covariance of the coefficients, d'Vd - c'Vc is added to the variance. Both come from how
    regressors and outcomes vary together among the nearest on the score within each arm; matching once more on all
    regressors, as the authors do for d, is not needed, since E[X τ(X)] splits into the mean and the covariances given
    the score.

    Parameters
    ----------
    matrix : ndarray, shape (n, k)
        Regressors of the score.
    value : float
        The matched effect.
    neighbours : int
        How many others the local covariances use, at least 1.
    cells : ndarray of int, shape (n,)
        Codes of the exact cells.
    order : ndarray of int, shape (n,), optional
        Rows by rising score, equal scores by row, where somebody has sorted them before.
    """
    # Everything in the order of the score: neighbours are then beside each other in memory too.
    order = rising(score.probability) if order is None else order
    e, slope, y = (values[order] for values in (score.probability, score.slope, outcome))
    treated, codes = treated[order], cells[order]
    places, scale = np.arange(len(e)), float(e.std(ddof=1)) or 1.0
    # c and d are sums over persons of their regressors, counted as much as these two say.
    common, moved = np.zeros(len(e)), np.zeros(len(e))
    meant = np.ones(len(e)) if on_everybody else e
    for sign, arm, chance in ((1.0, treated, e), (-1.0, ~treated, 1 - e)):
        rules, pool = Rules(neighbours=neighbours + 1), np.flatnonzero(arm)
        near = nearest(e, e[pool], rules, (codes, codes[pool]), scale, (places, places[: len(pool)]))
        apart = y[pool] - y.mean()
        mean = near.mean_of(apart)
        factor = slope * near.counts / np.maximum(near.counts - 1, 1)
        common[pool] += _of_covariances(near, apart, mean, factor * meant / chance)
        if not on_everybody:
            moved[pool] += sign * _of_covariances(near, apart, mean, factor)
            level = sign * slope * np.where(near.counts > 0, mean + y.mean(), 0.0)
            common, moved = common + level, moved + level
    if not on_everybody:
        common, moved = common - slope * value, moved - slope * value
    counted = np.empty((2, len(e)))
    counted[:, order] = common, moved
    common, moved = counted @ matrix / meant.sum()
    covariance = np.linalg.inv(score.information)
    return ScoreCorrection(
        variance=float(moved @ covariance @ moved - common @ covariance @ common),
        influence=score.influence @ (moved - common),
    )


def _of_covariances(near: Matches, apart: Array, mean: Array, weights: Array) -> Array:
    """Return how much the regressors of each of the pool count in a weighted sum of local covariances, shape (pool,).

    Those of a target are, among its neighbours, the mean of the products less the product of the means. Summed over
    all targets, each product counts as often as its person is a neighbour.

    Parameters
    ----------
    apart, mean : ndarray, shapes (pool,) and (targets,)
        What the regressors vary together with, and its mean over each target's neighbours.
    weights : ndarray, shape (targets,)
        Of the covariances.
    """
    return apart * near.spread(weights) - near.spread(weights * mean)
