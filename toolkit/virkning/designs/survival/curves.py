"""Curves of a duration for publication: points that are far enough apart to tell of no single person."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ... import language
from ...disclosure import Column
from ...estimand import Outcome
from ...numerics import survival
from ...numerics.group_time import simultaneous_critical_value
from .follow_up import Followed

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

OFFERED, COMPARED = "Offered the programme", "Comparison group"
ARMS = ((True, OFFERED), (False, COMPARED))
PERSONS = "persons"
# More points than this cannot be told apart in a figure.
_MOST_POINTS = 100


@dataclass(frozen=True)
class Shown:
    """What the findings of a duration are made from.

    Attributes
    ----------
    followed : Followed
        Persons with a time.
    covariates : ndarray, shape (n, p), with ``labels`` of length p
        For the adjusted hazard ratio.
    clusters : ndarray of int, shape (n,), or None
        Codes from zero.
    time, event : Outcome
        As declared: the duration, and the event that counts.
    level : float
        Confidence level, 0 to 1.
    smallest_step : int
        Events between two points of a curve.
    """

    followed: Followed
    covariates: Array
    labels: tuple[str, ...]
    clusters: Codes | None
    time: Outcome
    event: Outcome
    level: float
    smallest_step: int

    @property
    def critical(self) -> float:
        """Standard errors in half an interval."""
        return float(stats.norm.ppf(0.5 + self.level / 2))

    @property
    def horizon(self) -> str:
        """The horizon with its unit."""
        horizon = self.followed.horizon
        return f"{language.number(horizon, 0 if horizon % 1 == 0 else 2)} {self.time.unit}"

    @property
    def time_column(self) -> Column:
        """The column with the time since the start."""
        whole = self.time.kind == "count" or bool((self.followed.time % 1 == 0).all())
        digits = 0 if whole else language.digits_for("amount", self.followed.horizon)
        return Column("time", "Time since the start", "number", self.time.unit, digits)

    def clusters_of(self, is_treated: bool) -> Codes | None:
        """Return the clusters of one group."""
        return None if self.clusters is None else self.clusters[self.followed.treated == is_treated]


def moments(time: Array, cause: Codes, horizon: float, smallest: int) -> tuple[Array, list[int]]:
    """Return where a curve is shown, and how many persons had the event since the point before; two of length m.

    Between two points lie at least ``smallest`` events, so that no step tells of fewer persons, and many more where
    there are many. The last point is the horizon.

    Parameters
    ----------
    time, cause : ndarray, shape (n,)
        As known at the horizon.
    horizon : float
        The last point.
    smallest : int
        Events in a step.
    """
    happened = np.sort(time[cause == survival.EVENT])
    smallest = max(smallest, math.ceil(len(happened) / _MOST_POINTS))
    places, steps, so_far = [0.0], [len(time)], 0
    for moment, count in zip(*np.unique(happened, return_counts=True), strict=True):
        so_far += int(count)
        if so_far >= smallest and moment < horizon:
            places.append(float(moment))
            steps.append(so_far)
            so_far = 0
    if so_far and so_far < smallest and len(places) > 1:
        # Too few are left for a step of their own.
        places.pop()
        so_far += steps.pop()
    return np.array([*places, horizon]), [*steps, so_far]


def summed(influence: Array, clusters: Codes | None) -> Array:
    """Return independent units' shares in the errors, scaled for their number; shape (units, m).

    Parameters
    ----------
    influence : ndarray, shape (n, m)
        Persons' shares.
    clusters : ndarray of int, shape (n,), or None
        Codes of their clusters.
    """
    if clusters is None:
        return influence
    units, place = np.unique(clusters, return_inverse=True)
    sums = np.zeros((len(units), influence.shape[1]))
    np.add.at(sums, place, influence)
    result: Array = sums * np.sqrt(len(units) / max(len(units) - 1, 1))
    return result


def points(shown: Shown, is_treated: bool, generator: np.random.Generator) -> pd.DataFrame:
    """Return one group's curve: share that has had the event, with limits for each point and a band for all.

    Parameters
    ----------
    shown : Shown
        What is followed.
    is_treated : bool
        Which group.
    generator : Generator
        Source of the random weights behind the band.
    """
    time, cause = survival.until(*shown.followed.arm(is_treated), shown.followed.horizon)
    places, events = moments(time, cause, shown.followed.horizon, shown.smallest_step)
    shares, influence = survival.shares_by(time, cause, places.tolist())
    units = summed(influence, shown.clusters_of(is_treated))
    errors = np.sqrt((units**2).sum(axis=0))
    free = 1 - shares
    certain = (free < 1) & (errors > 0)
    level = shown.level
    wide = simultaneous_critical_value(units[:, certain], level, generator) if certain.any() else shown.critical
    lower, upper = survival.interval(free, errors, shown.critical)
    band_lower, band_upper = survival.interval(free, errors, wide)
    at_risk = (time[:, None] >= places).sum(axis=0)
    behind = [min(n for n in (step, int(left), len(time)) if n) for step, left in zip(events, at_risk, strict=True)]
    frame = pd.DataFrame(
        {
            "time": places,
            "free": free,
            "lower": lower,
            "upper": upper,
            "band_lower": band_lower,
            "band_upper": band_upper,
            PERSONS: behind,
        }
    )
    # Nobody is left where the share is zero, and there are no limits.
    return frame[frame["free"] > 1e-12].reset_index(drop=True)


def events_of(followed: Followed, cause: int = survival.EVENT) -> dict[bool, int]:
    """Return how many in each group had an event of some kind by the horizon.

    Parameters
    ----------
    followed : Followed
        Persons with a time.
    cause : int
        1 for the event, 2 for competing ones.
    """
    _, known = followed.by_horizon
    return {side: int((known[followed.treated == side] == cause).sum()) for side, _ in ARMS}
