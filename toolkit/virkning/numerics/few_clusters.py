"""Standard errors that keep their promise with few clusters: bias-reduced (CR2), with their degrees of freedom.

The usual clustered covariance is too small with few clusters, because residuals are smaller than errors, most of all in
clusters with much leverage; and its t distribution is too narrow, because few clusters, unequal ones at that, tell
little about a variance (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

# Below this eigenvalue, on a scale from zero to one, the residuals of a cluster have no freedom in that direction.
_NO_FREEDOM = 1e-10


@dataclass(frozen=True)
class BiasReduced:
    """The CR2 variance of one coefficient.

    Attributes
    ----------
    variance : float
        Unit² of the coefficient.
    degrees_of_freedom : float
        Satterthwaite's, as if errors were independent with one variance; rarely above the number of clusters minus one.
    """

    variance: float
    degrees_of_freedom: float


def bias_reduced(
    matrix: Array, residuals: Array, codes: Codes, column: int, weights: Array | None = None
) -> BiasReduced:
    """Return the CR2 variance of a coefficient of a (weighted) least-squares fit, and its degrees of freedom.

    Each cluster's residuals are multiplied by the symmetric root of the inverse of what their covariance would be if
    the errors were independent with one variance; then the estimate of the variance would be unbiased. Where a cluster
    has no freedom in some direction, a pseudo-inverse is used (Pustejovsky and Tipton 2018, theorem 1).

    Parameters
    ----------
    matrix : ndarray, shape (n, k)
        Regressors, of full column rank.
    residuals : ndarray, shape (n,)
        Outcome less fitted outcome, not weighted.
    codes : ndarray of int, shape (n,)
        Cluster of each row.
    column : int
        Which coefficient.
    weights : ndarray, shape (n,), optional
        Sampling weights, not inverse variances.
    """
    weight = np.ones(len(matrix)) if weights is None else weights
    weighted = weight[:, None] * matrix
    bread: Array = np.asarray(np.linalg.inv(matrix.T @ weighted), dtype=np.float64)
    core: Array = bread @ (weighted.T @ weighted) @ bread
    load = bread[:, column]
    members = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    scores = np.zeros(len(members))
    squares, plain, by_weight = np.zeros(len(members)), [], []
    for position, rows in enumerate(members):
        multiplier = _adjusted(weighted[rows] @ load, matrix[rows], weighted[rows], bread, core)
        scores[position] = multiplier @ residuals[rows]
        squares[position] = multiplier @ multiplier
        plain.append(matrix[rows].T @ multiplier)
        by_weight.append(weighted[rows].T @ multiplier)
    x, w = np.array(plain), np.array(by_weight)
    # Covariances of the clusters' scores if errors were independent with variance one.
    covariance = np.diag(squares) - x @ bread @ w.T - w @ bread @ x.T + x @ core @ x.T
    total = float((covariance**2).sum())
    freedom = float(np.trace(covariance)) ** 2 / total if total > 0 else 0.0
    return BiasReduced(variance=float(scores @ scores), degrees_of_freedom=freedom)


def _adjusted(vector: Array, rows: Array, weighted: Array, bread: Array, core: Array) -> Array:
    """Return the inverse root of a cluster's residual covariance, times a vector, shape (m,).

    The covariance is the identity less a matrix of rank 2k at most, so its root is taken in that small space: a cluster
    of many thousand persons costs no more than a regression on them.
    """
    basis, triangle = np.linalg.qr(np.column_stack([rows, weighted]))
    k = len(bread)
    middle = np.block([[core, -bread], [-bread, np.zeros((k, k))]])
    inner = np.eye(len(triangle)) + triangle @ middle @ triangle.T
    sizes, directions = np.linalg.eigh((inner + inner.T) / 2)
    roots = np.where(sizes > _NO_FREEDOM, 1 / np.sqrt(np.maximum(sizes, _NO_FREEDOM)), 0.0)
    change = (directions * (roots - 1.0)) @ directions.T
    result: Array = vector + basis @ (change @ (basis.T @ vector))
    return result
