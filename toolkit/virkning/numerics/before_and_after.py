"""The same persons before and after: the change, and the part of it that was to be expected without any programme."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Mean:
    """A mean over persons.

    Attributes
    ----------
    value, std_error : float
        In the unit of the values; the error is that of a t interval.
    degrees_of_freedom : float
        Persons minus one.
    influence : ndarray, shape (n,)
        Each person's share in the error; zero for those who are not part of the mean.
    """

    value: float
    std_error: float
    degrees_of_freedom: float
    influence: Array


def mean_of(values: Array, part: Booleans | None = None) -> Mean:
    """Return the mean of some persons' values with Student's (1908) standard error.

    Parameters
    ----------
    values : ndarray, shape (n,)
        One per person.
    part : ndarray of bool, shape (n,), optional
        Who takes part, at least two; by default everybody.
    """
    chosen = np.ones(len(values), dtype=bool) if part is None else part
    known = values[chosen]
    n = len(known)
    value = float(known.mean())
    influence = np.zeros(len(values))
    influence[chosen] = (known - value) / n
    return Mean(value, float(known.std(ddof=1) / np.sqrt(n)), float(n - 1), influence)


def lasting_share(earlier: Array, last: Array) -> float:
    """Return how much of a person's distance from the usual level in the last period was there in the earlier one.

    The slope of the earlier value on the last one. When the spread is the same in both periods it is their correlation,
    and it estimates the reliability: the share of the variance between persons that lasts. Choosing persons by their
    last value does not change a slope on that value, though it does change the correlation.

    Parameters
    ----------
    earlier, last : ndarray, shape (n,)
        Two periods before the start; ``last`` varies.
    """
    centred = last - last.mean()
    return float(centred @ (earlier - earlier.mean()) / (centred @ centred))


def expected_return(last: Array, usual_level: float, reliability: float) -> Array:
    """Return the change of each person that is to be expected without any programme, shape (n,).

    What does not last goes back to the usual level: (1 - reliability) × (usual level - last) (Galton 1886).

    Parameters
    ----------
    last : ndarray, shape (n,)
        The last value before the start.
    usual_level : float
        Mean of those from whom the persons were chosen, in the same unit.
    reliability : float
        Share of the variance between persons that lasts, 0 to 1.
    """
    result: Array = (1 - reliability) * (usual_level - last)
    return result
