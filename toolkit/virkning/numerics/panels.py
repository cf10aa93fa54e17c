"""Persons followed over several periods: transformations, covariances by one or two kinds of cluster, and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .f_tail import f_tail
from .least_squares import inverse_of_products, project

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
NestedEffects = Literal["not_counted", "counted"]


@dataclass(frozen=True)
class PanelFit:
    """Least squares on transformed rows.

    Attributes
    ----------
    coefficients : ndarray, shape (k,)
        In the order of the regressors.
    scores : ndarray, shape (n, s)
        Each row's share in the error of each coefficient that is wanted.
    residuals : ndarray, shape (n,)
        Of the transformed regression.
    inverse : ndarray, shape (k, k)
        Of the regressors' cross products.
    """

    coefficients: Array
    scores: Array
    residuals: Array
    inverse: Array


@dataclass(frozen=True)
class WaldTest:
    """A test that several coefficients are zero together."""

    statistic: float
    numerator: int
    denominator: float
    p_value: float


def means_by(codes: Codes, rows: Array) -> Array:
    """Return each row's mean over the rows with its code; shape as ``rows``, (n,) or (n, k)."""
    columns = rows.reshape(len(rows), -1)
    sizes = np.maximum(np.bincount(codes), 1)
    sums = np.stack([np.bincount(codes, weights=column) for column in columns.T], axis=1)
    result: Array = (sums / sizes[:, None])[codes].reshape(rows.shape)
    return result


def without_means(codes: Codes, rows: Array, share: Array | None = None) -> Array:
    """Return rows less (a share of) their mean over the rows with their code; shape as ``rows``, (n,) or (n, k).

    One column after the other, and each in one piece: a million rows of many columns are then written once only.
    """
    sizes = np.maximum(np.bincount(codes), 1)
    columns = rows.reshape(len(rows), -1).T
    result = np.empty(columns.shape)
    for place, column in enumerate(columns):
        means = (np.bincount(codes, weights=column) / sizes)[codes]
        np.subtract(column, means if share is None else share * means, out=result[place])
    return result.T.reshape(rows.shape)


def fit_rows(outcome: Array, regressors: Array, slopes: NDArray[np.int64] | slice = slice(None)) -> PanelFit:
    """Return least squares of transformed rows, shape (n,), on regressors of full rank, shape (n, k).

    Parameters
    ----------
    outcome, regressors
        The rows.
    slopes : ndarray of int, shape (s,), optional
        The regressors whose scores are wanted.
    """
    inverse = inverse_of_products(regressors)
    if inverse is not None:
        coefficients = inverse @ (regressors.T @ outcome)
        residuals = outcome - regressors @ coefficients
        return PanelFit(coefficients, (regressors @ inverse[:, slopes]) * residuals[:, None], residuals, inverse)
    projection = project(regressors)
    coefficients = projection.rows.T @ outcome
    residuals = outcome - regressors @ coefficients
    return PanelFit(
        coefficients, projection.rows[:, slopes] * residuals[:, None], residuals, projection.rows.T @ projection.rows
    )


def clustered_covariance(scores: Array, clusterings: Sequence[Codes], factor: float) -> Array:
    """Return the covariance that allows rows of one cluster to move together, shape (k, k).

    One clustering: Liang and Zeger (1986). Two: the sum of both less that of their intersection (Cameron, Gelbach and
    Miller 2011); negative variances, which that difference can give, are set to zero along their directions.

    Parameters
    ----------
    scores : ndarray, shape (n, k)
        From :func:`fit_rows`.
    clusterings : sequence of one or two ndarray of int, shape (n,)
        Codes from zero without gaps.
    factor : float
        Correction for small samples, from :func:`small_sample_factor`.
    """
    total = sum((_cross(scores, codes) for codes in clusterings), np.zeros((scores.shape[1],) * 2))
    if len(clusterings) == 2:
        first, second = clusterings
        both = numbered(first * (int(second.max()) + 1) + second)
        total = _without_negative(total - _cross(scores, both))
    result: Array = total * factor
    return result


def small_sample_factor(n: int, n_coefficients: int, n_clusters: int, nested: NestedEffects) -> float:
    """Return what a clustered covariance of n rows is multiplied by.

    G / (G - 1) × (n - 1) / (n - K) with G the smaller number of clusters, as in fixest and Stata; n / (n - K) where
    nested effects are ``counted``, which is linearmodels' whole rule.
    """
    if nested == "counted":
        return n / (n - n_coefficients)
    return n_clusters / (n_clusters - 1) * (n - 1) / (n - n_coefficients)


def smallest(clusterings: Sequence[Codes]) -> int:
    """Return the smaller number of clusters."""
    return min(int(codes.max()) + 1 for codes in clusterings)


def _cross(scores: Array, codes: Codes) -> Array:
    sums = np.stack([np.bincount(codes, weights=column) for column in scores.T], axis=1)
    return np.asarray(sums.T @ sums, dtype=np.float64)


def _without_negative(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    if values.min() >= 0:
        return matrix
    result: Array = (vectors * np.maximum(values, 0)) @ vectors.T
    return result


def is_nested(inner: Codes, outer: Codes) -> bool:
    """Tell whether all rows with one inner code share one outer code."""
    one_of_them = np.zeros(int(inner.max()) + 1, dtype=np.int64)
    one_of_them[inner] = outer
    return bool((one_of_them[inner] == outer).all())


def numbered(codes: Codes) -> Codes:
    """Return codes, none negative, as the numbers from zero to their number less one, in the same order."""
    used = np.bincount(codes) > 0
    return (np.cumsum(used) - 1)[codes]


def count_coefficients(
    n_slopes: int, effects: Sequence[Codes], clusterings: Sequence[Codes], nested: NestedEffects
) -> int:
    """Return K, the number of coefficients that a clustered covariance is corrected for.

    Parameters
    ----------
    n_slopes : int
        Regressors other than the effects of persons and periods.
    effects : sequence of ndarray of int
        The effects (of persons, of periods) in the regression.
    clusterings : sequence of ndarray of int
        What the errors are clustered by.
    nested : str
        ``not_counted``: effects that are nested in the clusters are not counted, as in fixest and in Stata's reghdfe;
        the clusters already allow for them. ``counted``: all are counted, as linearmodels does when there are effects
        of persons and of periods. One level of each effect beyond the first is the constant's.
    """
    counted = [
        codes
        for codes in effects
        if nested == "counted" or not any(is_nested(codes, clusters) for clusters in clusterings)
    ]
    levels = sum(int(np.count_nonzero(np.bincount(codes))) - 1 for codes in counted)
    return n_slopes + levels + 1


def difference_positions(persons: Codes, periods: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of rows and of the same person's rows one period earlier, by person and period."""
    order = np.lexsort((periods, persons))
    later, earlier = order[1:], order[:-1]
    adjacent = (persons[later] == persons[earlier]) & (periods[later] == periods[earlier] + 1)
    return later[adjacent], earlier[adjacent]


def wald(coefficients: Array, covariance: Array, denominator: float) -> WaldTest:
    """Return the test that all coefficients, shape (q,), are zero, against F with q and ``denominator`` degrees."""
    q = len(coefficients)
    statistic = float(coefficients @ np.linalg.solve(covariance, coefficients)) / q
    return WaldTest(statistic, q, denominator, f_tail(statistic, q, denominator))
