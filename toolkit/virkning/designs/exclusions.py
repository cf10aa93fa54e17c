"""Who is left out of an estimate, and why: counted in the flow of participants, so nobody is dropped in silence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..data import Tables


@dataclass(frozen=True)
class Exclusion:
    """Persons whom an estimator leaves out for one reason.

    Attributes
    ----------
    reason : str
        Why, as a line of the flow: «Without the outcome «Earnings in 1978»».
    persons : ndarray of bool, shape (participants,)
        Who, in the order of ``tables.participants``. Whoever is left out for an earlier reason is counted there.
    """

    reason: str
    persons: NDArray[np.bool_] = field(repr=False)


def without_outcome(tables: Tables, measure: str) -> Exclusion:
    """Return the persons whose outcome is missing at its own period.

    Parameters
    ----------
    tables : Tables
        Validated data.
    measure : str
        The outcome.
    """
    missing = np.isnan(tables.values_of(measure))
    return Exclusion(f"Without the outcome «{tables.measures[measure].label}»", missing)
