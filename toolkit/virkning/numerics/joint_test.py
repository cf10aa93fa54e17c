"""Whether several estimates could all be zero at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .f_tail import f_tail

Array = NDArray[np.float64]


@dataclass(frozen=True)
class JointTest:
    """Wald's test that all of some effects are zero, in its F form.

    Attributes
    ----------
    statistic : float
        Quadratic form of the estimates divided by their number; no unit.
    n_effects : int
        Numerator degrees of freedom.
    degrees_of_freedom : float
        Denominator degrees of freedom.
    p_value : float
        0 to 1.
    """

    statistic: float
    n_effects: int
    degrees_of_freedom: float
    p_value: float


def all_zero(values: Array, covariance: Array, degrees_of_freedom: float) -> JointTest | None:
    """Test whether all effects are zero; None when the covariance does not tell the effects apart.

    Parameters
    ----------
    values : ndarray, shape (q,)
        Estimates, q at least one.
    covariance : ndarray, shape (q, q)
        Their covariance, unit².
    degrees_of_freedom : float
        Of the t distribution behind each estimate; may be infinite.
    """
    errors = np.sqrt(np.diag(covariance))
    if not (errors > 0).all():
        return None
    correlation = covariance / np.outer(errors, errors)
    # With fewer clusters than effects the covariance has a direction without any spread.
    if np.linalg.eigvalsh(correlation).min() < 1e-9:
        return None
    scaled = values / errors
    statistic = float(scaled @ np.linalg.solve(correlation, scaled)) / len(values)
    p_value = f_tail(statistic, len(values), degrees_of_freedom)
    return JointTest(statistic, len(values), degrees_of_freedom, p_value)
