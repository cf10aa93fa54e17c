"""Who takes part, given what was known before: logit and probit by Newton's method, without any penalty.

Matching picks the nearest person, so a score that is a little off picks another one. Libraries for prediction shrink
the coefficients, or stop early; here the likelihood is maximised until nobody's index moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .least_squares import orthonormal_turn

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
_BLOCK = 4_096
# Among so many rows, every so manieth is fitted first.
_MANY, _SPREAD = 50_000, 16
# So many numbers up to two can be multiplied without overflow.
_PRODUCT = 64


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
    basis = _Basis.of(matrix)
    near = _of_some(basis, response, link)
    # At zero, everybody's chance is a half.
    if near is not None and near.value > len(response) * np.log(0.5):
        # It leads to the same maximum; that there is none is told by steps from zero only.
        with suppress(SeparationError):
            return _fit(basis, _maximum(basis, near, response, link), response, link)
    at_zero = _likelihood(basis, np.zeros(matrix.shape[1]), response, link)
    return _fit(basis, _maximum(basis, at_zero, response, link), response, link)


def _of_some(basis: _Basis, response: Booleans, link: Link) -> _Likelihood | None:
    """Return the likelihood where a small share of many rows has its maximum; None if they are few, or have none."""
    some = slice(None, None, _SPREAD)
    if len(response) < _MANY:
        return None
    part = replace(basis, columns=basis.columns[some].copy(order="F"))
    try:
        found = _maximum(part, _likelihood(part, np.zeros(len(basis.turn)), response[some], link), response[some], link)
    except SeparationError:
        return None
    return _likelihood(basis, found.position, response, link)


def _maximum(basis: _Basis, here: _Likelihood, response: Booleans, link: Link) -> _Likelihood:
    """Return the maximum of the likelihood by Newton's method, beginning here."""
    for _ in range(_MOST_STEPS):
        step = _inverse(here.information, len(response)) @ here.score
        here = _uphill(basis, here, step, response, link)
        if _largest(basis, step) < TOLERANCE:
            return here
    raise SeparationError


def _fit(basis: _Basis, here: _Likelihood, response: Booleans, link: Link) -> BinaryFit:
    """Return everything about the maximum."""
    index, probability, slope = np.empty((3, len(response)))
    # By column, as the regressors mostly are; it is what one multiplies by.
    influence = np.empty((len(basis.turn), len(response)))
    spread = basis.turn @ _inverse(here.information, len(response)) @ basis.back.T
    for place, rows in basis.blocks():
        index[place] = rows @ (basis.turn @ here.position)
        probability[place] = special.expit(index[place]) if link == "logit" else special.ndtr(index[place])
        _, gradient, curvature = _derivatives(index[place], response[place], link)
        slope[place] = curvature if link == "logit" else _density(index[place])
        influence[:, place] = (spread.T @ rows.T) * gradient
    forward = np.linalg.inv(basis.back)
    information = forward.T @ here.information @ forward
    return BinaryFit(basis.back @ here.position, index, probability, slope, influence.T, information)


@dataclass(frozen=True)
class _Basis:
    """Orthonormal columns, times the root of n, as a product that need not be carried out.

    Attributes
    ----------
    columns : ndarray, shape (n, k)
        The regressors, or what a decomposition makes of them when they are nearly dependent.
    turn : ndarray, shape (k, k)
        ``columns @ turn`` is orthonormal.
    back : ndarray, shape (k, k)
        What makes coefficients of the regressors from those of the orthonormal columns.
    """

    columns: Array
    turn: Array
    back: Array

    @classmethod
    def of(cls, matrix: Array) -> _Basis:
        columns, back = orthonormal_turn(matrix)
        root = np.sqrt(len(matrix))
        return cls(columns, (back if columns is matrix else np.eye(len(back))) * root, back * root)

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Give some rows at a time: numbers that were just made lie near the processor."""
        for start in range(0, len(self.columns), _BLOCK):
            place = slice(start, start + _BLOCK)
            yield place, self.columns[place]


@dataclass(frozen=True)
class _Likelihood:
    """The log likelihood at a position, with its first derivative, shape (k,), and minus its second, shape (k, k)."""

    position: Array
    value: float
    score: Array
    information: Array


def _likelihood(basis: _Basis, position: Array, response: Booleans, link: Link) -> _Likelihood:
    k, turned = len(position), basis.turn @ position
    value, score, information = 0.0, np.zeros(k), np.zeros((k, k))
    for place, rows in basis.blocks():
        each, gradient, curvature = _derivatives(rows @ turned, response[place], link)
        value += each
        score += gradient @ rows
        information += (rows * curvature[:, None]).T @ rows
    return _Likelihood(position, value, basis.turn.T @ score, basis.turn.T @ information @ basis.turn)


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
        value = -float(_sum_of_logarithms(tail) + distance @ ~is_likelier)
        return value, np.where(response, gradient, -gradient), likelier * other
    sign = np.where(response, 1.0, -1.0)
    logarithm = special.log_ndtr(sign * index)
    # From logarithms: far in the tail, density and probability are both too small to divide.
    gradient = sign * np.exp(-0.5 * index**2 - 0.5 * np.log(2 * np.pi) - logarithm)
    return float(logarithm.sum()), gradient, gradient * (gradient + index)


def _sum_of_logarithms(above_one: Array) -> float:
    """Return the sum of the logarithms of one plus numbers from zero to one: those of products, which are fewer."""
    whole = len(above_one) // _PRODUCT * _PRODUCT
    products = np.multiply.reduce(1 + above_one[:whole].reshape(_PRODUCT, -1), axis=0)
    found = float(np.log(products).sum() + np.log1p(above_one[whole:]).sum())
    # Next to one, a number has lost the digits of which its logarithm is made.
    return found if found > 1e-3 * len(above_one) else float(np.log1p(above_one).sum())


def _largest(basis: _Basis, step: Array) -> float:
    """Return the largest change that a step makes in anybody's index."""
    turned = basis.turn @ step
    return max(float(np.abs(rows @ turned).max()) for _, rows in basis.blocks())


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


def _uphill(basis: _Basis, here: _Likelihood, step: Array, response: Booleans, link: Link) -> _Likelihood:
    """Return the likelihood after the share of a step that does not lower it."""
    share, least = 1.0, here.value - 1e-12 * abs(here.value)
    there = _likelihood(basis, here.position + step, response, link)
    while there.value < least and share > _SMALLEST_STEP:
        share /= 2
        there = _likelihood(basis, here.position + share * step, response, link)
    return there
