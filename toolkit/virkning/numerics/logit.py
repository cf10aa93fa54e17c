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

from .least_squares import orthonormal

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
# Rows that are worked on together.
_BLOCK = 16_384


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
    columns, back = orthonormal(matrix)
    columns, back = columns * np.sqrt(len(matrix)), back * np.sqrt(len(matrix))
    here = _likelihood(columns, np.zeros(matrix.shape[1]), response, link)
    for _ in range(_MOST_STEPS):
        step = _inverse(here.information, len(columns)) @ here.score
        here = _uphill(columns, here, step, response, link)
        if _largest(columns, step) < TOLERANCE:
            break
    else:
        raise SeparationError
    index = columns @ here.position
    _, gradient, slope = _derivatives(index, response, link)
    return BinaryFit(
        coefficients=back @ here.position,
        index=index,
        probability=np.asarray(special.expit(index) if link == "logit" else special.ndtr(index)),
        slope=slope if link == "logit" else _density(index),
        influence=columns @ (_inverse(here.information, len(columns)) @ back.T) * gradient[:, None],
        information=np.linalg.inv(back).T @ here.information @ np.linalg.inv(back),
    )


@dataclass(frozen=True)
class _Likelihood:
    """The log likelihood at a position, with its first derivative, shape (k,), and minus its second, shape (k, k)."""

    position: Array
    value: float
    score: Array
    information: Array


def _likelihood(columns: Array, position: Array, response: Booleans, link: Link) -> _Likelihood:
    """Return the likelihood, summed over blocks of rows: numbers that are just made lie near the processor."""
    k = len(position)
    value, score, information = 0.0, np.zeros(k), np.zeros((k, k))
    for start in range(0, len(columns), _BLOCK):
        rows = columns[start : start + _BLOCK]
        each, gradient, curvature = _derivatives(rows @ position, response[start : start + _BLOCK], link)
        value += each
        score += gradient @ rows
        information += (rows * curvature[:, None]).T @ rows
    return _Likelihood(position, value, score, information)


def _derivatives(index: Array, response: Booleans, link: Link) -> tuple[float, Array, Array]:
    """Return the log likelihood, and each person's first and minus second derivative of it by the index, (n,)."""
    if link == "logit":
        # One exponential of minus the distance from zero gives all, without overflow and exact in both tails.
        distance = np.abs(index)
        tail = np.exp(-distance)
        likelier = 1 / (1 + tail)
        other = tail * likelier
        is_likelier = (index >= 0) == response
        gradient = np.where(is_likelier, other, likelier)
        value = -float(np.log1p(tail).sum() + distance @ ~is_likelier)
        return value, np.where(response, gradient, -gradient), likelier * other
    sign = np.where(response, 1.0, -1.0)
    logarithm = special.log_ndtr(sign * index)
    # From logarithms: far in the tail, density and probability are both too small to divide.
    gradient = sign * np.exp(-0.5 * index**2 - 0.5 * np.log(2 * np.pi) - logarithm)
    return float(logarithm.sum()), gradient, gradient * (gradient + index)


def _largest(columns: Array, step: Array) -> float:
    """Return the largest change that a step makes in anybody's index."""
    blocks = (columns[start : start + _BLOCK] @ step for start in range(0, len(columns), _BLOCK))
    return max(float(np.abs(change).max()) for change in blocks)


def _density(index: Array) -> Array:
    return np.asarray(np.exp(-0.5 * index**2) / np.sqrt(2 * np.pi), dtype=np.float64)


def _inverse(information: Array, n: int) -> Array:
    """Return the inverse of the information of n persons on orthonormal columns, shape (k, k)."""
    if not np.isfinite(information).all():
        raise SeparationError
    values, vectors = np.linalg.eigh(information)
    if values[0] <= _NO_INFORMATION * max(values[-1], n * 1e-12):
        raise SeparationError
    return np.asarray((vectors / values) @ vectors.T, dtype=np.float64)


def _uphill(columns: Array, here: _Likelihood, step: Array, response: Booleans, link: Link) -> _Likelihood:
    """Return the likelihood after the share of a step that does not lower it."""
    share, least = 1.0, here.value - 1e-12 * abs(here.value)
    there = _likelihood(columns, here.position + step, response, link)
    while there.value < least and share > _SMALLEST_STEP:
        share /= 2
        there = _likelihood(columns, here.position + share * step, response, link)
    return there
