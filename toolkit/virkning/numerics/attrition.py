"""What can still be said when some outcomes are lost: bounds on the effect, and weights for who was found."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from .logit import fit_binary

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Bounds:
    """The effect on those whose outcome would be known either way (Lee 2009), between its smallest and largest value.

    Attributes
    ----------
    lower, upper : float
        In the outcome's unit.
    lower_error, upper_error : float
        Their standard errors.
    trimmed : float
        Share of the outcomes that is left out at one end, in the arm in which more are known; 0 to 1.
    is_treated_trimmed : bool
        Whether that is the treated arm.
    """

    lower: float
    upper: float
    lower_error: float
    upper_error: float
    trimmed: float
    is_treated_trimmed: bool

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval that holds the effect itself with probability ``level`` (Imbens and Manski 2004)."""
        width, largest = self.upper - self.lower, max(self.lower_error, self.upper_error)
        if largest == 0:
            return self.lower, self.upper

        def excess(reach: float) -> float:
            return float(stats.norm.cdf(reach + width / largest) - stats.norm.cdf(-reach)) - level

        reach = float(optimize.brentq(excess, 0.0, float(stats.norm.ppf(0.5 + level / 2)) + 1e-9))
        return self.lower - reach * self.lower_error, self.upper + reach * self.upper_error


def lee_bounds(
    outcome: Array,
    found: Booleans,
    treated: Booleans,
    *,
    weights: Array | None = None,
    clusters: Codes | None = None,
) -> Bounds:
    """Return Lee's bounds on the effect: the arm in which more outcomes are known is trimmed at either end.

    Where the treatment raised the share of known outcomes, the treated are trimmed; where it lowered it, the others.
    As in Lee's definition, whoever lies on the edge stays. Of several with the same outcome on the edge, so many are
    left out that no more than the surplus is gone: with a yes/no outcome all would be on the edge. Errors allow for the
    trimmed share being estimated (Lee 2009, proposition 3).

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        In the outcome's unit; anything where it is not known.
    found : ndarray of bool, shape (n,)
        Whether the outcome is known; for some in each arm.
    treated : ndarray of bool, shape (n,)
        The arms.
    weights : ndarray, shape (n,), optional
        Positive sampling weights.
    clusters : ndarray of int, shape (n,), optional
        Codes from zero of what was assigned together.
    """
    weight = np.ones(len(outcome)) if weights is None else weights
    shares = {arm: float(np.average(found[treated == arm], weights=weight[treated == arm])) for arm in (True, False)}
    more = shares[True] >= shares[False]
    trimmed = 1 - shares[not more] / shares[more]
    rows = treated == more
    whole, whole_part = _mean(outcome, found & ~rows, weight)
    # How the trimmed share moves with the two shares of known outcomes, per person.
    moved = (1 - trimmed) * (
        np.where(rows, weight * (found - shares[more]) / (shares[more] * weight[rows].sum()), 0.0)
        - np.where(~rows, weight * (found - shares[not more]) / (shares[not more] * weight[~rows].sum()), 0.0)
    )
    ends = []
    for is_low_end_left_out in (True, False):
        sign = 1.0 if is_low_end_left_out else -1.0
        mean, part = _trimmed_mean(sign * outcome, found & rows, weight, trimmed, moved)
        ends.append((sign * mean, sign * part))
    effects = []
    for mean, part in ends:
        difference, share = (mean - whole, part - whole_part) if more else (whole - mean, whole_part - part)
        summed = share if clusters is None else np.bincount(clusters, weights=share)
        effects.append((difference, math.sqrt(float((summed**2).sum()))))
    (low, low_error), (high, high_error) = sorted(effects)
    return Bounds(low, high, low_error, high_error, trimmed, more)


def _mean(outcome: Array, rows: Booleans, weight: Array) -> tuple[float, Array]:
    """Return the weighted mean over some rows, and each person's share in its error, shape (n,)."""
    mean = float(np.average(outcome[rows], weights=weight[rows]))
    return mean, np.where(rows, weight * (np.where(rows, outcome, mean) - mean) / weight[rows].sum(), 0.0)


def _trimmed_mean(outcome: Array, rows: Booleans, weight: Array, trimmed: float, moved: Array) -> tuple[float, Array]:
    """Return the mean over some rows without their lowest share, and each person's share in its error, shape (n,).

    ``moved`` is each person's share in the error of the trimmed share itself.
    """
    values, masses = outcome[rows], weight[rows]
    order = np.argsort(values, kind="stable")
    total = float(masses.sum())
    before = np.concatenate([[0.0], np.cumsum(masses[order])[:-1]])
    kept = np.empty_like(masses)
    kept[order] = np.where(before + masses[order] > trimmed * total * (1 + 1e-12), masses[order], 0.0)
    mean = float(np.average(values, weights=kept))
    edge = float(values[kept > 0].min())
    part = np.zeros(len(outcome))
    above = np.maximum(values - edge, 0.0)
    part[rows] = masses * (above - (1 - trimmed) * (mean - edge)) / ((1 - trimmed) * total)
    return mean, part + (mean - edge) / (1 - trimmed) * moved


@dataclass(frozen=True)
class Reweighted:
    """The difference between the arms when those who were found also stand for others like them who were not.

    Attributes
    ----------
    value, std_error : float
        In the outcome's unit.
    largest_weight : float
        For how many persons the one stands who stands for most.
    """

    value: float
    std_error: float
    largest_weight: float


def reweighted_difference(
    outcome: Array,
    found: Booleans,
    treated: Booleans,
    matrix: Array,
    *,
    weights: Array | None = None,
    clusters: Codes | None = None,
) -> Reweighted:
    """Return the difference of means, each person weighted by one over the chance of being found.

    The chance comes from a logit on the traits, in each arm by itself; the error allows for its being estimated.

    Parameters
    ----------
    outcome, found, treated
        As for :func:`lee_bounds`.
    matrix : ndarray, shape (n, k)
        The constant and traits; of full column rank in each arm.
    weights, clusters
        As for :func:`lee_bounds`.

    Raises
    ------
    SeparationError
        In an arm the traits tell for certain who was found.
    """
    weight = np.ones(len(outcome)) if weights is None else weights
    total = np.zeros(len(outcome))
    value, largest = 0.0, 1.0
    for arm, sign in ((True, 1.0), (False, -1.0)):
        rows = np.flatnonzero(treated == arm)
        known, columns, mass = found[rows], matrix[rows], weight[rows]
        chance = np.ones(len(rows))
        if not known.all():
            chance = fit_binary(columns, known).probability
        use = np.where(known, mass / chance, 0.0)
        values = np.where(known, outcome[rows], 0.0)
        mean = float(use @ values / use.sum())
        part = use * (values - mean) / use.sum()
        if not known.all():
            curvature = (columns * (chance * (1 - chance))[:, None]).T @ columns
            slope = columns.T @ (part * (1 - chance))
            part = part - (columns @ np.linalg.solve(curvature, slope)) * (known - chance)
        value += sign * mean
        total[rows] = sign * part
        largest = max(largest, float((1 / chance[known]).max()))
    summed = total if clusters is None else np.bincount(clusters, weights=total)
    return Reweighted(value, math.sqrt(float((summed**2).sum())), largest)
