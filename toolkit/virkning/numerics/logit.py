"""Who takes part, given what was known before: logit and probit by Newton's method, without any penalty.

Matching picks the nearest person, so a score that is a little off picks another one. Libraries for prediction shrink
the coefficients, or stop early; here the likelihood is maximised until nobody's index moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Link = Literal["logit", "probit"]

# The largest change of anybody's index in the last step.
TOLERANCE = 1e-10
# Newton's method needs six to ten steps when the maximum exists. Under separation the index grows by about one a step.
_MOST_STEPS = 60
_SMALLEST_STEP = 2.0**-30
# Information below this, relative to the largest on orthonormal columns, belongs to a coefficient that runs away.
_NO_INFORMATION = 1e-12


class SeparationError(ArithmeticError):
    """The regressors tell some persons' group for certain, so the likelihood has no maximum."""


@dataclass(frozen=True)
class BinaryFit:
    """A fitted probability.

    Attributes
    ----------
    coefficients : ndarray, shape (k,)
        Of the regressors.
    index, probability : ndarray, shape (n,)
        Linear index (the log odds, under logit), and the probability that it stands for.
    slope : ndarray, shape (n,)
        Derivative of the probability with respect to the index.
    influence : ndarray, shape (n, k)
        Each person's share in the error of the coefficients; cross products give their robust covariance.
    information : ndarray, shape (k, k)
        Minus the second derivative of the log likelihood; its inverse is the usual covariance.
    """

    coefficients: Array
    index: Array
    probability: Array
    slope: Array
    influence: Array
    information: Array


def fit_binary(matrix: Array, response: Booleans, link: Link = "logit") -> BinaryFit:
    """Return the maximum-likelihood fit of a probability.

    Parameters
    ----------
    matrix : ndarray, shape (n, k)
        Regressors of full column rank, the constant among them.
    response : ndarray of bool, shape (n,)
        What the probability is of.
    link : str
        ``logit`` or ``probit``.

    Raises
    ------
    SeparationError
        No maximum exists: a combination of the regressors splits the responses, wholly or in part (Albert and Anderson
        1984), or all responses are the same.
    """
    # On orthonormal columns the information is as well conditioned as the problem allows, whatever the units.
    orthonormal, triangle = np.linalg.qr(matrix)
    columns = orthonormal * np.sqrt(len(matrix))
    back = np.linalg.inv(triangle) * np.sqrt(len(matrix))
    sign = np.where(response, 1.0, -1.0)
    index, position = np.zeros(len(matrix)), np.zeros(matrix.shape[1])
    for _ in range(_MOST_STEPS):
        gradient, curvature = _derivatives(index, sign, link)
        step = _inverse(columns, curvature) @ (columns.T @ gradient)
        change = columns @ step
        share = _uphill(index, change, sign, link)
        position, index = position + share * step, index + share * change
        if np.abs(change).max() < TOLERANCE:
            break
    else:
        raise SeparationError
    gradient, curvature = _derivatives(index, sign, link)
    return BinaryFit(
        coefficients=back @ position,
        index=index,
        probability=np.asarray(special.expit(index) if link == "logit" else special.ndtr(index)),
        slope=_density(index, link),
        influence=(columns * gradient[:, None]) @ (_inverse(columns, curvature) @ back.T),
        information=(matrix * curvature[:, None]).T @ matrix,
    )


def _derivatives(index: Array, sign: Array, link: Link) -> tuple[Array, Array]:
    """Return each person's first and minus second derivative of the log likelihood by the index; shapes (n,)."""
    if link == "logit":
        return sign * special.expit(-sign * index), special.expit(index) * special.expit(-index)
    # From logarithms: far in the tail, density and probability are both too small to divide.
    gradient = sign * np.exp(-0.5 * index**2 - 0.5 * np.log(2 * np.pi) - special.log_ndtr(sign * index))
    return gradient, gradient * (gradient + index)


def _density(index: Array, link: Link) -> Array:
    if link == "logit":
        return np.asarray(special.expit(index) * special.expit(-index), dtype=np.float64)
    return np.asarray(np.exp(-0.5 * index**2) / np.sqrt(2 * np.pi), dtype=np.float64)


def _log_likelihood(index: Array, sign: Array, link: Link) -> float:
    each = special.log_expit(sign * index) if link == "logit" else special.log_ndtr(sign * index)
    return float(each.sum())


def _inverse(columns: Array, curvature: Array) -> Array:
    """Return the inverse of the information on orthonormal columns, shape (k, k)."""
    information = (columns * curvature[:, None]).T @ columns
    values, vectors = np.linalg.eigh(information)
    if not np.isfinite(values).all() or values[0] <= _NO_INFORMATION * max(values[-1], len(columns) * 1e-12):
        raise SeparationError
    return np.asarray((vectors / values) @ vectors.T, dtype=np.float64)


def _uphill(index: Array, change: Array, sign: Array, link: Link) -> float:
    """Return the share of a step that does not lower the likelihood."""
    before, share = _log_likelihood(index, sign, link), 1.0
    while _log_likelihood(index + share * change, sign, link) < before - 1e-12 * abs(before) and share > _SMALLEST_STEP:
        share /= 2
    return share
