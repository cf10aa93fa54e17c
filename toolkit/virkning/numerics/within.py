"""What remains of values when the means of their groups are taken out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


def sums_by_group(values: Array, codes: Codes, n_groups: int) -> Array:
    """Return the sum of each column within each group, shape (n_groups, k).

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Any unit.
    codes : ndarray of int, shape (n,)
        Group of each row, from zero.
    n_groups : int
        Number of groups.
    """
    return np.column_stack([np.bincount(codes, weights=column, minlength=n_groups) for column in values.T])


def centred_within(values: Array, codes: Codes) -> Array:
    """Return values less the mean of their group, shape (n, k).

    A regression on what this returns has the coefficients of a regression with an effect of each group (Frisch and
    Waugh 1933).

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Any unit.
    codes : ndarray of int, shape (n,)
        Group of each row, from zero; every group has a row.
    """
    counts = np.bincount(codes)
    means = sums_by_group(values, codes, len(counts)) / counts[:, None]
    result: Array = values - means[codes]
    # Rounding must not look like variation: a column that is constant in every group becomes exactly zero.
    scale = np.abs(values).max(axis=0, initial=0.0)
    still = np.abs(result).max(axis=0, initial=0.0) <= 1e-12 * scale
    result[:, still] = 0.0
    return result
