"""Residuals from nearest neighbours: how far each outcome lies from those of the persons most like it on one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

LEAST_NEIGHBOURS = 3


@dataclass(frozen=True)
class Neighbours:
    """Who is nearest to whom, for persons in the order of where they stand.

    The neighbours of a person are all others at the same place, and then the next places, nearest first and both when
    they are equally near, until there are at least three (Abadie and Imbens 2006; Calonico, Cattaneo and Titiunik
    2014).

    Attributes
    ----------
    place : ndarray, shape (places,)
        Where somebody stands, each once, in rising or falling order.
    starts : ndarray of int, shape (places + 1,)
        The first person at each place, and the number of persons.
    low, high : ndarray of int, shape (places,)
        First and last place among the neighbours of those at each place.
    """

    place: Array
    starts: Codes
    low: Codes
    high: Codes

    @classmethod
    def of(cls, position: Array) -> Neighbours:
        """Return the neighbours of persons whose positions, shape (n,), rise or fall throughout."""
        first = np.flatnonzero(np.r_[True, position[1:] != position[:-1]])
        place, starts = position[first], np.r_[first, len(position)]
        low, high = np.arange(len(place)), np.arange(len(place))
        _widen(place, starts, low, high, min(LEAST_NEIGHBOURS, len(position) - 1))
        return cls(place, starts, low, high)

    def residuals(self, values: Array) -> Array:
        """Return each value less the mean of its nearest neighbours', scaled so that its square estimates the variance.

        Parameters
        ----------
        values : ndarray, shape (n,)
            Of the first n persons; the others count for nothing. All persons of a place must be among them, or none.

        Returns
        -------
        ndarray, shape (n,)
            The difference times the root of J / (J + 1), for J neighbours; zero for a person who is alone.
        """
        n = len(values)
        if n < 2:
            return np.zeros_like(values)
        n_places = int(np.searchsorted(self.starts, n))
        place, starts = self.place[:n_places], self.starts[: n_places + 1]
        low, high = self.low[:n_places].copy(), self.high[:n_places].copy()
        # Only those near the end had neighbours beyond it; they look again.
        again = high >= n_places
        low[again] = high[again] = np.flatnonzero(again)
        _widen(place, starts, low, high, min(LEAST_NEIGHBOURS, n - 1))
        size = np.diff(starts)
        first, last = np.repeat(starts[low], size), np.repeat(starts[high + 1], size)
        # Sums over runs of persons are differences of running sums; centred values keep these small.
        centred = values - values.mean()
        running = np.r_[0.0, np.cumsum(centred)]
        count = (last - first - 1).astype(np.float64)
        others = (running[last] - running[first] - centred) / count
        result: Array = np.sqrt(count / (count + 1)) * (centred - others)
        return result


def _widen(place: Array, starts: Codes, low: Codes, high: Codes, least: int) -> None:
    """Move the first and last place outwards, in place, until each range holds ``least`` persons beside oneself."""
    n_places = len(place)
    # Each round takes in at least one more person for every place, so ``least`` rounds are enough.
    active = np.flatnonzero(starts[high + 1] - starts[low] - 1 < least)
    while len(active):
        here, down, up = place[active], low[active] - 1, high[active] + 1
        to_down = np.where(down >= 0, np.abs(here - place[down]), np.inf)
        to_up = np.where(up < n_places, np.abs(place[np.minimum(up, n_places - 1)] - here), np.inf)
        low[active] -= to_down <= to_up
        high[active] += to_up <= to_down
        active = active[starts[high[active] + 1] - starts[low[active]] - 1 < least]
