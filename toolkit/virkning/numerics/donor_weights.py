"""Weights that are not negative and sum to one: least squares over the simplex, and how much each predictor counts.

The first solver is exact (Wolfe's algorithm for the point of a polytope that is nearest to the origin); the second is
the approximate one of the R package synthdid, step for step, for whoever needs its printed numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

# The objective is exact to this share of the largest squared distance between a donor and the target.
_GAP = 1e-13
# Weights below this are zero up to rounding.
_ZERO = 1e-14
# No predictor counts for less than this share: without it the donors' weights would jump between equally good ones.
_LEAST_IMPORTANCE = 1e-4
_LEAST_SEARCHED = 1e-6
_FACTORS = (10.0, 3.0, 1.5)
_UNIQUE = 1e-9


@dataclass(frozen=True)
class SimplexFit:
    """Weights over the simplex.

    Attributes
    ----------
    weights : ndarray, shape (n,)
        Not negative, sum to one.
    objective : float
        Squared distance to the target plus the ridge times the sum of squared weights.
    gap : float
        The objective lies at most this far above its minimum.
    """

    weights: Array
    objective: float
    gap: float


def nearest_mix(donors: Array, target: Array, ridge: float = 0.0, start: Array | None = None) -> SimplexFit:
    r"""Return the weights that bring the donors' mix nearest to the target.

    Minimises :math:`\lVert A w - b \rVert^2 + r \lVert w \rVert^2` over :math:`w \ge 0, \sum w = 1`.

    Parameters
    ----------
    donors : ndarray, shape (m, n)
        One column per donor.
    target : ndarray, shape (m,)
        What is to be reached.
    ridge : float
        Not negative; above zero the weights are unique.
    start : ndarray, shape (n,), optional
        Weights from which to start; the result does not depend on them where it is unique.
    """
    points = donors - target[:, None]
    products = points.T @ points
    products[np.diag_indices_from(products)] += ridge
    return _nearest_to_origin(products, start)


def _nearest_to_origin(products: Array, start: Array | None) -> SimplexFit:
    """Return the convex combination of points with the least length, from the points' inner products, shape (n, n).

    Wolfe (1976): keep a set of points whose affine nearest point is a proper mix of them; add the point that lies
    farthest ahead of it, until none does.
    """
    scale = max(float(np.abs(np.diag(products)).max()), np.finfo(float).tiny)
    chosen, weights = _beginning(products, scale, start)
    while True:
        forces = products[:, chosen] @ weights
        length = float(weights @ forces[chosen])
        ahead = int(np.argmin(forces))
        gap = length - float(forces[ahead])
        if gap <= _GAP * scale or ahead in chosen:
            break
        try:
            found = _shed(products, scale, [*chosen, ahead], np.append(weights, 0.0))
        except np.linalg.LinAlgError:  # The new point lies, up to rounding, among those there are: nothing to gain.
            break
        if found is None:
            break
        chosen, weights = found
    full = np.zeros(len(products))
    full[chosen] = weights
    return SimplexFit(full, max(length, 0.0), max(2.0 * gap, 0.0))


def _beginning(products: Array, scale: float, start: Array | None) -> tuple[list[int], Array]:
    """Return the points and weights to begin with: those of the start when they can be used, else the shortest."""
    if start is not None:
        chosen = [int(place) for place in np.flatnonzero(start > _ZERO)]
        if chosen:
            try:
                found = _shed(products, scale, chosen, start[chosen] / start[chosen].sum())
            except np.linalg.LinAlgError:
                found = None
            if found is not None:
                return found
    return [int(np.argmin(np.diag(products)))], np.ones(1)


def _shed(products: Array, scale: float, chosen: list[int], weights: Array) -> tuple[list[int], Array] | None:
    """Return the affine nearest point of the chosen ones, after leaving out those that it gives no weight.

    None when rounding leaves no point at all.
    """
    while chosen:
        block = products[np.ix_(chosen, chosen)] / scale + 1.0
        affine = np.asarray(np.linalg.solve(block, np.ones(len(chosen))), dtype=np.float64)
        affine /= affine.sum()
        if (affine > _ZERO).all():
            return chosen, affine
        leaving = affine <= _ZERO
        steps = np.full(len(chosen), np.inf)
        steps[leaving] = weights[leaving] / np.maximum(weights[leaving] - affine[leaving], np.finfo(float).tiny)
        last = int(np.argmin(steps))
        weights = weights + min(1.0, float(steps[last])) * (affine - weights)
        weights[last] = 0.0
        kept = weights > _ZERO
        chosen = [place for place, keeps in zip(chosen, kept, strict=True) if keeps]
        weights = weights[kept] / weights[kept].sum()
    return None


def frank_wolfe_mix(donors: Array, target: Array, ridge: float, smallest_decrease: float) -> SimplexFit:
    """Return the weights at which the R package synthdid stops (Arkhangelsky et al. 2021, ``sc.weight.fw``).

    A hundred Frank-Wolfe steps with exact line search from equal weights; weights up to a quarter of the largest are
    set to zero; then up to ten thousand steps more. It stops near the minimum of :func:`nearest_mix`, not at it.

    Parameters
    ----------
    donors : ndarray, shape (m, n)
        One column per donor.
    target : ndarray, shape (m,)
        What is to be reached.
    ridge : float
        Multiplies the sum of squared weights.
    smallest_decrease : float
        Stop when a step lowers the objective, divided by m, by no more than the square of this.
    """
    n = donors.shape[1]
    weights = _frank_wolfe(donors, target, ridge, np.full(n, 1.0 / n), smallest_decrease, 100)
    weights = np.where(weights <= weights.max() / 4, 0.0, weights)
    weights = _frank_wolfe(donors, target, ridge, weights / weights.sum(), smallest_decrease, 10_000)
    error = donors @ weights - target
    force = error @ donors + ridge * weights
    objective = float(error @ error + ridge * weights @ weights)
    return SimplexFit(weights, objective, 2 * float(weights @ force - force.min()))


def _frank_wolfe(
    donors: Array, target: Array, ridge: float, weights: Array, smallest_decrease: float, most: int
) -> Array:
    before = np.inf
    for step in range(most):
        error = donors @ weights - target
        force = error @ donors + ridge * weights
        towards = -weights
        towards[int(np.argmin(force))] += 1.0
        change = donors @ towards
        curvature = float(change @ change + ridge * towards @ towards)
        if curvature > 0:
            weights = weights + min(1.0, max(0.0, -float(force @ towards) / curvature)) * towards
            error = donors @ weights - target
        value = float(error @ error + ridge * weights @ weights) / len(target)
        if step > 0 and before - value <= smallest_decrease**2:
            break
        before = value
    return weights


@dataclass(frozen=True)
class Importance:
    """How much each predictor counts, and the weights that follow.

    Attributes
    ----------
    shares : ndarray, shape (k,)
        Importance of the predictors, after each was divided by its standard deviation; sum to one.
    weights : ndarray, shape (n,)
        Of the donors.
    """

    shares: Array
    weights: Array


def weigh_by_predictors(donors: Array, target: Array, shares: Array, start: Array | None = None) -> Array:
    """Return the donors' weights, shape (n,), for predictors of given importance.

    Parameters
    ----------
    donors : ndarray, shape (k, n)
        Standardised predictors.
    target : ndarray, shape (k,)
        Those of the treated unit.
    shares : ndarray, shape (k,)
        Importance, sum to one.
    start : ndarray, shape (n,), optional
        Weights from which to start.
    """
    root = np.sqrt(shares)[:, None]
    points = root * (donors - target[:, None])
    # Of mixes that are equally near, the most even one: a ridge too small to show makes the weights unique.
    ridge = _UNIQUE * float((points**2).sum()) / points.shape[1]
    return nearest_mix(points, np.zeros(len(target)), ridge, start).weights


def fit_importance(donors: Array, target: Array, donors_before: Array, target_before: Array) -> Importance:
    """Return the importance whose weights fit the outcome before the start best (Abadie and Gardeazabal 2003).

    Many importances give nearly the same fit, so they are not identified, and a search may end in one of several
    places. To end in the same place every time it has no random part: it begins once at equal importance and once at
    the squared coefficients of a regression of the outcomes on the predictors, and multiplies or divides one importance
    at a time by ten, then by three, then by one and a half, as long as that improves the fit. The better end counts.

    Parameters
    ----------
    donors : ndarray, shape (k, n)
        Standardised predictors.
    target : ndarray, shape (k,)
        Those of the treated unit.
    donors_before : ndarray, shape (t, n)
        Outcomes before the start.
    target_before : ndarray, shape (t,)
        Those of the treated unit.
    """
    k, warm = len(target), np.full(donors.shape[1], 1.0 / donors.shape[1])

    def misfit(logarithms: Array) -> float:
        nonlocal warm
        warm = weigh_by_predictors(donors, target, _shares(logarithms), warm)
        error = donors_before @ warm - target_before
        return float(error @ error)

    design = np.column_stack([np.ones(donors.shape[1] + 1), np.column_stack([donors, target]).T])
    slopes = np.linalg.lstsq(design, np.column_stack([donors_before, target_before]).T, rcond=None)[0][1:]
    squares = (slopes**2).sum(axis=1)
    starts = [np.zeros(k), np.log(np.maximum(squares / max(squares.sum(), _ZERO), _LEAST_SEARCHED))]
    ends = [_climb(misfit, start) for start in starts]
    shares = _shares(min(ends, key=lambda end: end[0])[1])
    # From a fixed start, so that the weights do not depend on the way the search took.
    return Importance(shares, weigh_by_predictors(donors, target, shares))


def _climb(misfit: Callable[[Array], float], place: Array) -> tuple[float, Array]:
    """Return the least misfit found by changing one logarithm at a time, and where it is."""
    best = misfit(place)
    for factor in _FACTORS:
        improved = len(place) > 1
        while improved:
            improved = False
            for axis in range(len(place)):
                for step in (np.log(factor), -np.log(factor)):
                    moved = place.copy()
                    moved[axis] += step
                    moved = np.maximum(moved - moved.max(), np.log(_LEAST_SEARCHED))
                    value = misfit(moved)
                    if value < best * (1 - 1e-6):
                        place, best, improved = moved, value, True
                        break
    return best, place


def _shares(logarithms: Array) -> Array:
    powers = np.exp(logarithms - logarithms.max())
    result: Array = _LEAST_IMPORTANCE + (1 - len(powers) * _LEAST_IMPORTANCE) * powers / powers.sum()
    return result
