"""Whether the density of a running variable jumps at a cutoff (Cattaneo, Jansson and Ma 2020).

On each side, the distribution function of everybody is followed by a local polynomial to the cutoff; its slope there is
the density. No bins need to be chosen, and the edge of the data needs no correction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import eval_hermitenorm

Array = NDArray[np.float64]

# A curve is fitted to at least so many persons, and as many different values, beyond its power plus one.
_LEAST_BEYOND = 20
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_U, _W = (_NODES + 1) / 2, _WEIGHTS / 2


class TooFewNearCutoffError(ValueError):
    """One side has too few different values for the curve."""


@dataclass(frozen=True)
class DensityJump:
    """The densities on both sides of a cutoff, and the test that they are equal.

    Attributes
    ----------
    below, above : float
        Density just below and just above, per unit of the running variable.
    below_error, above_error : float
        Their standard errors (jackknife).
    bandwidths : tuple of float
        How far was looked below and above, in the running variable's unit.
    n_below, n_above : int
        Persons within the bandwidths.
    statistic, p_value : float
        Difference over its standard error, and the two-sided normal p-value.
    """

    below: float
    above: float
    below_error: float
    above_error: float
    bandwidths: tuple[float, float]
    n_below: int
    n_above: int
    statistic: float
    p_value: float


@dataclass(frozen=True)
class _Slope:
    """Coefficients of a curve to the cutoff, and the variance of the density there."""

    coefficients: Array
    variance: float
    n: int


def density_jump(
    running: Array, cutoff: float, *, order: int = 2, bandwidths: tuple[float, float] | None = None
) -> DensityJump:
    """Return the test that the density does not jump at the cutoff.

    The curve has one power more than the bandwidths are chosen for, which takes care of the bias.

    Parameters
    ----------
    running : ndarray, shape (n,)
        Everybody's running variable; persons at the cutoff count as above it.
    cutoff : float
        Where the rule changes.
    order : int
        Power of the curve for which the bandwidths are best, at least 1.
    bandwidths : tuple of float, optional
        How far to look below and above; chosen from the data when left out.

    Raises
    ------
    TooFewNearCutoffError
        One side has too few different values.
    """
    values = np.sort(np.asarray(running, dtype=np.float64) - cutoff)
    height = _distribution(values)
    for side in (values < 0, values >= 0):
        if len(np.unique(values[side])) < order + 3:
            raise TooFewNearCutoffError
    chosen = bandwidths or choose_bandwidths(running, cutoff, order=order)
    below = _fit(values, height, -1, chosen[0], order + 1)
    above = _fit(values, height, 1, chosen[1], order + 1)
    difference = float(above.coefficients[1] - below.coefficients[1])
    statistic = difference / math.sqrt(below.variance + above.variance)
    return DensityJump(
        below=float(below.coefficients[1]),
        above=float(above.coefficients[1]),
        below_error=math.sqrt(below.variance),
        above_error=math.sqrt(above.variance),
        bandwidths=chosen,
        n_below=below.n,
        n_above=above.n,
        statistic=statistic,
        p_value=2 * float(stats.norm.sf(abs(statistic))),
    )


def _distribution(values: Array) -> Array:
    """Return the share of the others at or below each of the sorted values; repeated ones share the largest."""
    last = np.searchsorted(values, values, side="right") - 1
    return np.asarray(last / (len(values) - 1), dtype=np.float64)


def _fit(values: Array, height: Array, side: int, bandwidth: float, order: int) -> _Slope:
    """Return the curve on one side, with triangular weights.

    Each person is a point of the curve, and a step of the distribution function below all points to the right. The
    variance is the sum of squares of what the steps of those within the bandwidth do to the slope (jackknife).
    """
    on_side = (values < 0) if side < 0 else (values >= 0)
    near = np.flatnonzero(on_side & (np.abs(values) <= bandwidth))
    scaled = values[near] / bandwidth
    weights = 1 - np.abs(scaled)
    powers = scaled[:, None] ** np.arange(order + 1)
    weighted = powers * weights[:, None]
    try:
        inverse = np.linalg.inv(powers.T @ weighted)
    except np.linalg.LinAlgError as error:
        raise TooFewNearCutoffError from error
    coefficients = inverse @ (weighted.T @ height[near])
    loads = inverse[1] @ weighted.T  # what a point adds to the slope, per unit of its height
    # A person's step lifts all points at or to the right; sums from the right give what each step does to the slope.
    from_right = np.append(np.cumsum(loads[::-1])[::-1], 0.0)
    steps = from_right[np.searchsorted(values[near], values[near], side="left")] / (len(values) - 1)
    spread = float((steps**2).sum()) / bandwidth**2
    scale = bandwidth ** -np.arange(order + 1.0)
    return _Slope(coefficients * scale, spread, len(near))


def choose_bandwidths(running: Array, cutoff: float, *, order: int = 2) -> tuple[float, float]:
    """Return how far to look below and above, each the middle one of three that are best in mean squared error.

    The three are those for the density on that side, for the difference of both, and for their sum. Variance and bias
    come from pilot curves, whose own bandwidths are best if the running variable were normally distributed.

    Parameters
    ----------
    running, cutoff, order
        As for :func:`density_jump`.
    """
    values = np.sort(np.asarray(running, dtype=np.float64) - cutoff)
    height = _distribution(values)
    n = len(values)
    pilot_bias = _pilot(values, order + 2, order + 1)
    pilot_spread = _pilot(values, order, 1)
    load = _bias_load(order)
    bias, spread = [], []
    for side in (-1, 1):
        curve = _fit(values, height, side, pilot_bias, order + 2)
        bias.append(float(curve.coefficients[order + 1]) * load * (1 if side > 0 else (-1) ** order))
        spread.append(n * pilot_spread * _fit(values, height, side, pilot_spread, order).variance)

    def best(variance: float, slope: float) -> float:
        return math.inf if slope == 0 else (variance / (2 * order * n * slope**2)) ** (1 / (2 * order + 1))

    total, reach = spread[0] + spread[1], np.abs([values[0], values[-1]])
    least = [_least(values, side, order) for side in (-1, 1)]
    both = [min(max(best(total, each), *least), float(reach.max())) for each in (bias[1] - bias[0], bias[1] + bias[0])]
    alone = [min(max(best(spread[k], bias[k]), least[k]), float(reach[k])) for k in (0, 1)]
    left, right = (float(np.median([each, *both])) for each in alone)
    return left, right


def _least(values: Array, side: int, order: int) -> float:
    """Return how far one must look on one side to see enough persons, and enough different values."""
    distances = np.sort(np.abs(values[values < 0] if side < 0 else values[values >= 0]))
    count = _LEAST_BEYOND + order + 1
    return float(max(each[min(count, len(each)) - 1] for each in (distances, np.unique(distances))))


def _pilot(values: Array, order: int, derivative: int) -> float:
    """Return the best bandwidth for a derivative of a normal distribution function at the cutoff, flat weights."""
    deviation = float(values.std(ddof=1))
    place = float(values.mean()) / deviation
    curvature = float(eval_hermitenorm(order, place)) ** 2 * float(stats.norm.pdf(place))
    powers = _U[:, None] ** np.arange(order + 1)
    inverse = np.linalg.inv(1 / (np.arange(order + 1)[:, None] + np.arange(order + 1)[None, :] + 1.0))
    load = powers @ inverse[derivative]
    lost = float(_W @ (load * _U ** (order + 1)))
    # The variance of the load against a Brownian path: by parts, the integral of the square of what lies to the right.
    grown = np.array([_right_of(inverse[derivative], u) for u in _U])
    variance = float(_W @ grown**2)
    constant = variance / (lost / math.factorial(order + 1)) ** 2
    lift = (2 * derivative - 1) / (2 * (order + 1 - derivative))
    best = deviation * (lift * constant / curvature / len(values)) ** (1 / (2 * order + 1)) if curvature > 0 else np.inf
    longest = float(np.abs(values).max())
    return max(min(best, longest), _least(values, -1, order), _least(values, 1, order))


def _right_of(load: Array, place: float) -> float:
    """Return the integral of a polynomial from a place to one; ``load`` has its coefficients."""
    powers = np.arange(len(load)) + 1.0
    return float((load * (1 - place**powers) / powers).sum())


def _bias_load(order: int) -> float:
    """Return how much of the next power goes into the slope at the edge, with triangular weights."""
    powers = _U[:, None] ** np.arange(order + 1)
    weighted = powers * ((1 - _U) * _W)[:, None]
    return float(np.linalg.solve(powers.T @ weighted, weighted.T @ _U ** (order + 1))[1])
