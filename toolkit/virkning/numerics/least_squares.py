"""What a least-squares fit leaves behind: leverage, robust covariance, influence; and columns that add nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Correction = Literal["hc2", "hc3"]

# A column whose part that the others do not explain is smaller than this, relative to its own length, adds nothing.
_COLLINEAR = 1e-9
# A leverage this close to one means that a coefficient exists for a single row.
_LEVERAGE_ONE = 1e-9
# Smallest eigenvalue of the correlations of columns (cosines) that counts as far from zero.
_FAR_FROM_DEPENDENT = 1e-3


@dataclass(frozen=True)
class Projection:
    """The linear map from outcomes to coefficients of one weighted least-squares problem.

    Attributes
    ----------
    rows : ndarray, shape (n, k)
        ``coefficients = rows.T @ (root_weights * outcome)``.
    leverage : ndarray, shape (n,)
        Diagonal of the hat matrix, 0 to 1.
    root_weights : ndarray, shape (n,)
        Square roots of the weights; ones without weights.
    """

    rows: Array
    leverage: Array
    root_weights: Array


def project(matrix: Array, weights: Array | None = None) -> Projection:
    """Return the projection of a matrix of full column rank.

    Parameters
    ----------
    matrix : ndarray, shape (n, k)
        Regressors, the constant among them.
    weights : ndarray, shape (n,), optional
        Positive weights of the rows.
    """
    root = np.ones(len(matrix)) if weights is None else np.sqrt(weights)
    weighted = matrix if weights is None else root[:, None] * matrix
    products = weighted.T @ weighted
    if _are_far_from_dependent(products):
        rows = weighted @ np.linalg.inv(products)
        return Projection(rows=rows, leverage=np.einsum("ij,ij->i", rows, weighted), root_weights=root)
    orthonormal, triangle = np.linalg.qr(weighted)
    rows = orthonormal @ np.linalg.inv(triangle).T
    return Projection(rows=rows, leverage=np.einsum("ij,ij->i", orthonormal, orthonormal), root_weights=root)


def inverse_of_products(matrix: Array) -> Array | None:
    """Return the inverse of the columns' cross products, shape (k, k); None where rounding would spoil it.

    Parameters
    ----------
    matrix : ndarray, shape (n, k)
        Of full column rank.
    """
    products = matrix.T @ matrix
    return np.asarray(np.linalg.inv(products), dtype=np.float64) if _are_far_from_dependent(products) else None


def orthonormal_turn(matrix: Array) -> tuple[Array, Array]:
    """Return columns, and the matrix that makes orthonormal columns from the given ones.

    Parameters
    ----------
    matrix : ndarray, shape (n, k)
        Of full column rank.

    Returns
    -------
    columns : ndarray, shape (n, k)
        The given matrix itself when ``matrix @ back`` is orthonormal to the last digits; else the orthonormal columns,
        because rounding would keep the product from being so.
    back : ndarray, shape (k, k)
        Upper triangular.
    """
    products = matrix.T @ matrix
    if _are_far_from_dependent(products):
        return matrix, np.asarray(np.linalg.inv(np.linalg.cholesky(products)).T, dtype=np.float64)
    columns, triangle = np.linalg.qr(matrix)
    return columns, np.asarray(np.linalg.inv(triangle), dtype=np.float64)


def _are_far_from_dependent(products: Array) -> bool:
    """Tell from cross products whether columns are so different that the products may be inverted.

    The rounding of a sum of squares is then multiplied by a thousand at most. A decomposition of the columns
    themselves, which stands any columns, takes ten times as long at a million rows.
    """
    lengths = np.sqrt(np.diag(products))
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        return False
    return bool(np.linalg.eigvalsh(products / np.outer(lengths, lengths))[0] > _FAR_FROM_DEPENDENT)


def influence(projection: Projection, residuals: Array) -> Array:
    """Return each row's share in the error of each coefficient, shape (n, k).

    The cross product ``influence.T @ influence`` is White's (1980) covariance without a small-sample correction.
    """
    result: Array = projection.rows * (projection.root_weights * residuals)[:, None]
    return result


def robust_covariance(projection: Projection, residuals: Array, correction: Correction) -> Array:
    """Return the covariance of the coefficients that allows each row its own variance, shape (k, k).

    ``hc2`` divides the squared residuals by one minus the leverage, ``hc3`` by its square (MacKinnon and White 1985).

    Raises
    ------
    ZeroDivisionError
        A row has leverage one, so that its residual is zero by construction; see :func:`has_full_leverage`.
    """
    if has_full_leverage(projection):
        raise ZeroDivisionError("A row has leverage one.")
    slack = 1 - projection.leverage
    scaled = influence(projection, residuals) / (np.sqrt(slack) if correction == "hc2" else slack)[:, None]
    result: Array = scaled.T @ scaled
    return result


def has_full_leverage(projection: Projection) -> bool:
    """Tell whether the fit goes exactly through some row because of its regressors alone."""
    return bool((projection.leverage > 1 - _LEVERAGE_ONE).any())


def may_have_full_leverage(matrix: Array, weights: Array | None = None) -> bool:
    """Tell whether some row could be such that the fit goes exactly through it; False is certain, and quick.

    A leverage is no larger than the row's sum of squares, each column divided by its length, over the smallest
    eigenvalue of the columns' correlations. Among many persons that is next to nothing.

    Parameters
    ----------
    matrix : ndarray, shape (n, k)
        Regressors of full column rank.
    weights : ndarray, shape (n,), optional
        Positive weights of the rows.
    """
    weighted = matrix if weights is None else np.sqrt(weights)[:, None] * matrix
    products = weighted.T @ weighted
    if not _are_far_from_dependent(products):
        return True
    largest = np.maximum(weighted.max(axis=0), -weighted.min(axis=0))
    return bool((largest**2 / np.diag(products)).sum() / _FAR_FROM_DEPENDENT > 1 - _LEVERAGE_ONE)


def dependent_column(matrix: Array) -> int | None:
    """Return the first column that is a combination of those before it, or None when all columns add something.

    Parameters
    ----------
    matrix : ndarray, shape (n, k)
        Regressors; their scale does not matter.
    """
    products = matrix.T @ matrix
    if len(matrix) >= matrix.shape[1] and _are_far_from_dependent(products):
        return None
    lengths = np.linalg.norm(matrix, axis=0)
    empty = np.flatnonzero(lengths == 0)
    first_empty = int(empty[0]) if empty.size else None
    if len(matrix) < matrix.shape[1]:
        return len(matrix) if first_empty is None else min(first_empty, len(matrix))
    triangle = np.linalg.qr(matrix / np.where(lengths > 0, lengths, 1.0), mode="r")
    found = np.flatnonzero(np.abs(np.diag(triangle)) < _COLLINEAR)
    return int(found[0]) if found.size else None
