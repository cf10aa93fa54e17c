"""A trend that a programme may break: the columns of a segmented regression, and what it says of each period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Changes = Literal["level_and_slope", "level", "slope"]
SeasonKind = Literal["dummies", "harmonics"]

LEVEL, SLOPE = "level change", "slope change"


@dataclass(frozen=True)
class Season:
    """What repeats itself.

    Attributes
    ----------
    kind : str
        ``dummies``: each season has its own level; ``harmonics``: waves.
    period : int
        After how many periods it repeats itself.
    pairs : int
        Number of waves of a harmonic season: one full turn a season, two, and so on.
    """

    kind: SeasonKind
    period: int
    pairs: int = 1


@dataclass(frozen=True)
class Segments:
    """The columns of a segmented regression.

    Attributes
    ----------
    names : tuple of str
        ``level``, ``slope``, then the changes, then the season.
    regressors : ndarray, shape (n, k)
        One row per period used.
    after : ndarray of bool, shape (n,)
        Whether the period is one with the programme.
    effects : ndarray, shape (n, k)
        What the coefficients are multiplied by to give the effect in each period; zero before the start.
    """

    names: tuple[str, ...]
    regressors: Array
    after: NDArray[np.bool_]
    effects: Array

    @property
    def average(self) -> Array:
        """What the coefficients are multiplied by to give the average effect after the start, shape (k,)."""
        result: Array = self.effects[self.after].mean(axis=0)
        return result

    def picks(self, *names: str) -> Array:
        """Return what the coefficients are multiplied by to give the sum of those named, shape (k,)."""
        return np.array([float(name in names) for name in self.names])


def segments(places: Places, start: int, changes: Changes, phase_in: int, season: Season | None) -> Segments:
    """Return the columns for the periods that are used.

    Parameters
    ----------
    places : ndarray of int, shape (n,)
        Where each period lies in time, from 0; increasing, with gaps where periods are left out.
    start : int
        Place of the first period with the programme that is used. The level changes there, and time since the start is
        0 there.
    changes : str
        What the programme may change: ``level_and_slope``, ``level`` or ``slope``.
    phase_in : int
        Over how many periods the change of level builds up in equal steps; 1 means at once.
    season : Season, optional
        What repeats itself, before and after alike.
    """
    time = places.astype(np.float64)
    after = places >= start
    since = np.where(after, time - start, 0.0)
    columns = {"level": np.ones(len(places)), "slope": time}
    if changes != "slope":
        columns[LEVEL] = np.where(after, np.minimum(1.0, (since + 1) / phase_in), 0.0)
    if changes != "level":
        columns[SLOPE] = since
    effects = {name: column for name, column in columns.items() if name in (LEVEL, SLOPE)}
    columns |= {} if season is None else _season(time, season)
    none = np.zeros(len(places))
    return Segments(
        tuple(columns),
        np.column_stack(list(columns.values())),
        after,
        np.column_stack([effects.get(name, none) for name in columns]),
    )


def is_determined(regressors: Array) -> bool:
    """Tell whether every coefficient has one value; ``regressors`` has shape (n, k)."""
    n, k = regressors.shape
    length = np.linalg.norm(regressors, axis=0)
    return bool(n >= k and (length > 0).all() and np.linalg.matrix_rank(regressors / length, tol=1e-9) == k)


def _season(time: Array, season: Season) -> dict[str, Array]:
    """Return the columns of the season, none of which is the sum of others."""
    if season.kind == "dummies":
        place = time % season.period
        return {f"season {number}": (place == number).astype(np.float64) for number in range(1, season.period)}
    columns = {}
    for turn in range(1, season.pairs + 1):
        angle = 2 * np.pi * turn * time / season.period
        columns[f"wave {turn}, cosine"] = np.cos(angle)
        if 2 * turn < season.period:  # At half the period the sine is zero in every period.
            columns[f"wave {turn}, sine"] = np.sin(angle)
    return columns
