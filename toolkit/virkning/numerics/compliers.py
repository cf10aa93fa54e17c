"""Who the compliers are: those whom a yes/no instrument brought to take a yes/no treatment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Compliers:
    """Shares of the three groups, and baseline means of the compliers.

    Attributes
    ----------
    share, always_share, never_share : float
        Compliers, those who take the treatment in any case and those who never do; 0 to 1, together one.
    means : ndarray, shape (p,)
        Means of p traits among compliers, in each trait's unit.
    everyone : ndarray, shape (p,)
        Means among all persons.
    """

    share: float
    always_share: float
    never_share: float
    means: Array
    everyone: Array


def kappa(treated: Booleans, encouraged: Booleans, chance: Array | float) -> Array:
    """Return Abadie's (2003) weights, shape (n,), which single out the compliers on average.

    Parameters
    ----------
    treated, encouraged : ndarray of bool, shape (n,)
        The treatment taken, and the instrument.
    chance : float or ndarray, shape (n,)
        Each person's chance of being encouraged, strictly between 0 and 1.
    """
    taken, offered = treated.astype(np.float64), encouraged.astype(np.float64)
    result: Array = 1 - taken * (1 - offered) / (1 - chance) - (1 - taken) * offered / chance
    return result


def describe_compliers(treated: Booleans, encouraged: Booleans, traits: Array, chance: Array | float) -> Compliers:
    """Return how many compliers there are and what they are like, assuming that the instrument deters nobody.

    Parameters
    ----------
    treated, encouraged : ndarray of bool, shape (n,)
        The treatment taken, and the instrument.
    traits : ndarray, shape (n, p)
        Measured before the instrument.
    chance : float or ndarray, shape (n,)
        As for :func:`kappa`. With the share of the encouraged, the share of compliers is the difference in take-up.

    Raises
    ------
    ZeroDivisionError
        The weights sum to nothing: there are no compliers to describe.
    """
    weights = kappa(treated, encouraged, chance)
    share = float(weights.mean())
    if abs(share) < 1e-12:
        raise ZeroDivisionError("There are no compliers.")
    always = float((treated * ~encouraged / (1 - chance)).mean())
    return Compliers(
        share=share,
        always_share=always,
        never_share=1 - share - always,
        means=weights @ traits / weights.sum(),
        everyone=traits.mean(axis=0),
    )
