"""Pairs of which a lottery drew one: the mean of the differences within pairs, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .least_squares import influence, project, robust_covariance

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """What the two halves of each pair differ by.

    Attributes
    ----------
    outcome : ndarray, shape (m,)
        Mean outcome of the half that was drawn less that of the other.
    covariates : ndarray, shape (m, q)
        The same for baseline traits.
    size : ndarray, shape (m,)
        Persons in the pair.
    """

    outcome: Array
    covariates: Array
    size: Array


@dataclass(frozen=True)
class PairedFit:
    """The effect from pairs.

    Attributes
    ----------
    value, variance : float
        In the outcome's unit, and its square.
    influence : ndarray, shape (m,)
        Each pair's share in the error.
    n_coefficients : int
        One, and one per covariate.
    """

    value: float
    variance: float
    influence: Array
    n_coefficients: int


def differences(outcome: Array, covariates: Array, treated: Booleans, pairs: Codes) -> Pairs:
    """Return the differences within pairs.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        Of each person.
    covariates : ndarray, shape (n, q)
        Of each person.
    treated : ndarray of bool, shape (n,)
        Both arms occur in each pair.
    pairs : ndarray of int, shape (n,)
        Pair of each person, from zero and without gaps.
    """
    columns = np.column_stack([outcome, covariates])
    means = []
    for arm in (treated, ~treated):
        sums = np.zeros((int(pairs.max()) + 1, columns.shape[1]))
        np.add.at(sums, pairs[arm], columns[arm])
        means.append(sums / np.bincount(pairs[arm])[:, None])
    gap = means[0] - means[1]
    return Pairs(outcome=gap[:, 0], covariates=gap[:, 1:], size=np.bincount(pairs).astype(np.float64))


def mean_difference(pairs: Pairs) -> PairedFit:
    """Return the mean of the differences, each pair weighted by its persons, with the variance of that mean.

    The variance comes from how the differences vary over the pairs (Imai, King and Nall 2009, equation 14): for pairs
    of persons that is the one of the paired t-test, a little cautious when effects differ between pairs.
    """
    n, m = float(pairs.size.sum()), len(pairs.size)
    parts = pairs.size * pairs.outcome / n
    value = float(parts.sum())
    shares = parts - value / m
    return PairedFit(value, m / (m - 1) * float(shares @ shares), shares, 1)


def adjusted_difference(pairs: Pairs) -> PairedFit:
    """Return the difference at equal covariates: the intercept of the pairs' differences on those of their covariates.

    It is the coefficient of treatment beside the covariates and an intercept for each pair; the variance is HC2 of the
    regression over pairs (Fogarty 2018). For pairs of persons.

    Raises
    ------
    ZeroDivisionError
        One pair alone determines a coefficient.
    """
    matrix = np.column_stack([np.ones(len(pairs.outcome)), pairs.covariates])
    projection = project(matrix)
    coefficients = projection.rows.T @ pairs.outcome
    residuals = pairs.outcome - matrix @ coefficients
    variance = float(robust_covariance(projection, residuals, "hc2")[0, 0])
    return PairedFit(float(coefficients[0]), variance, influence(projection, residuals)[:, 0], matrix.shape[1])


def effects_of_swaps(pairs: Pairs, signs: Array, *, is_adjusted: bool) -> Array:
    """Return the effect that would be reported if other halves had been drawn, outcomes held fixed, shape (r,).

    Parameters
    ----------
    pairs : Pairs
        As they were drawn.
    signs : ndarray, shape (r, m)
        -1 where the other half is drawn, else 1.
    is_adjusted : bool
        :func:`adjusted_difference` rather than :func:`mean_difference`.
    """
    if not is_adjusted:
        mean: Array = signs @ (pairs.size * pairs.outcome / pairs.size.sum())
        return mean
    basis = np.linalg.qr(pairs.covariates)[0]
    rest = pairs.outcome - basis @ (basis.T @ pairs.outcome)
    result: Array = (signs @ rest) / (signs.shape[1] - ((signs @ basis) ** 2).sum(axis=1))
    return result
