"""What it changes in a matched effect that its score was estimated (Abadie and Imbens 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .logit import BinaryFit
from .matching import Rules, nearest

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
    """
    e, slope, order = score.probability, score.slope, np.argsort(score.probability, kind="stable")
    covariances, means = {}, {}
    for arm, side in ((True, treated), (False, ~treated)):
        rules = Rules(neighbours=neighbours + 1)
        inside = (np.cumsum(side) - 1)[order[side[order]]]
        near = nearest(e, e[side], rules, (cells, cells[side]), float(e.std(ddof=1)) or 1.0, (order, inside))
        means[arm] = near.mean_of(outcome[side])
        factor = slope * near.counts / np.maximum(near.counts - 1, 1)
        apart, shares = outcome[side] - outcome.mean(), []
        mean_apart = near.mean_of(apart)
        for column in matrix.T:
            centred = column[side] - column.mean()
            product = near.mean_of(centred * apart) - near.mean_of(centred) * mean_apart
            shares.append(factor * product)
        covariances[arm] = np.column_stack(shares)
    if on_everybody:
        common = (covariances[True] / e[:, None] + covariances[False] / (1 - e)[:, None]).mean(axis=0)
        moved = np.zeros(len(common))
    else:
        base = matrix * (slope * (means[True] - means[False] - value))[:, None] + covariances[True]
        common = (base + covariances[False] * (e / (1 - e))[:, None]).mean(axis=0) / e.mean()
        moved = (base - covariances[False]).mean(axis=0) / e.mean()
    covariance = np.linalg.inv(score.information)
    return ScoreCorrection(
        variance=float(moved @ covariance @ moved - common @ covariance @ common),
        influence=score.influence @ (moved - common),
    )
