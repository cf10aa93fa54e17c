"""What an effect can be when trends were not parallel, but not farther from it than a bound (Rambachan and Roth 2023).

An event study estimates, for each period but the last one before the start, the effect plus the trend's violation.
Before the start the effect is zero, so what is seen there is the violation alone; a bound ties the violation after the
start to it. Two bounds: the violation's slope changes by at most so much from one period to the next (smoothness), or
its steps after the start are at most so many times the largest step before it (relative magnitudes).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Array = NDArray[np.float64]

# Of the error that a test may make, the share spent on the first stage (Rambachan and Roth 2023, section 3.3).
_FIRST_STAGE = 0.1
# The ends of a confidence set are looked for among so many values, then between two of them, and so on.
_POINTS = 301
_ROUNDS = 4
_BREAKDOWN_HALVINGS = 12
_N_NODES = 400
# The normal distribution holds nothing that counts farther out than this.
_FAR = 10.0


@dataclass(frozen=True)
class EventStudy:
    """Estimated effects around a start, each measured from the last period before it; periods are equally spaced.

    Attributes
    ----------
    before : ndarray, shape (p,)
        Estimates for the periods before, the earliest first, without the last one (which is zero); p at least one.
    after : ndarray, shape (q,)
        Estimates for the periods from the start on, in order; q at least one.
    covariance : ndarray, shape (p + q, p + q)
        Of both together, positive definite, unit².
    weights : ndarray, shape (q,)
        The effect asked about is the sum of weights times the effects after the start.
    """

    before: Array
    after: Array
    covariance: Array
    weights: Array

    @property
    def value(self) -> float:
        """The estimate if trends were parallel."""
        return float(self.weights @ self.after)

    @property
    def std_error(self) -> float:
        """Its standard error."""
        q = len(self.after)
        return math.sqrt(float(self.weights @ self.covariance[-q:, -q:] @ self.weights))


@dataclass(frozen=True)
class Bounds:
    """A confidence interval; in the outcome's unit."""

    lower: float
    upper: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the effect stays clear of zero."""
        return self.lower > 0 or self.upper < 0


def parallel(study: EventStudy, level: float) -> Bounds:
    """Return the usual interval, which takes trends for parallel; ``level`` is 0 to 1."""
    reach = float(stats.norm.ppf(0.5 + level / 2)) * study.std_error
    return Bounds(study.value - reach, study.value + reach)


def smooth(study: EventStudy, bend: float, level: float) -> Bounds:
    """Return the shortest interval of fixed length around a linear estimator that holds whatever the trends' violation.

    The violation's slope changes by at most ``bend`` from one period to the next. The estimator continues the line seen
    before the start: it adds a combination of the estimates before the start that cancels any straight line, chosen so
    that worst bias and spread together give the shortest interval (Armstrong and Kolesár 2018).

    Parameters
    ----------
    study : EventStudy
        The estimates.
    bend : float
        Largest second difference of the violation, in the outcome's unit; 0 allows any straight line.
    level : float
        Confidence level, 0 to 1.
    """
    weights, bias, spread = _best_line(study, bend, level)
    centre = float(weights @ np.concatenate([study.before, study.after]))
    reach = _folded_quantile(bias / spread, level) * spread
    return Bounds(centre - reach, centre + reach)


def _best_line(study: EventStudy, bend: float, level: float) -> tuple[Array, float, float]:
    """Return the estimator's weights, its worst bias and its standard error.

    Written in the weights that it puts on second differences before the start, the worst bias is ``bend`` times a sum
    of absolute values, and the variance a square: for each price of bias, the best weights are those of a lasso.
    """
    p, q = len(study.before), len(study.after)
    after = np.arange(1, q + 1)
    # Weight of the slope, and of each bend after the start, in the sum over the periods after it.
    slope = float(study.weights @ after)
    fixed = abs(slope) + sum(abs(float(study.weights[j:] @ (after[j:] - j))) for j in range(1, q))
    steps = np.arange(1, p + 1)
    of_bends = np.maximum(steps[None, :] - np.arange(p)[:, None], 0).astype(np.float64)
    from_bends = np.linalg.inv(of_bends)[::-1]  # the earliest period first, as the estimates are
    half = np.linalg.cholesky(study.covariance).T
    plain = half @ np.concatenate([from_bends[:, 0] * slope, study.weights])
    along = half[:, :p] @ from_bends[:, 1:]

    def at(price: float) -> tuple[Array, float, float]:
        bends = _lasso(np.asarray(along, dtype=np.float64), plain, price)
        spread = float(np.linalg.norm(plain + along @ bends))
        return bends, bend * (fixed + float(np.abs(bends).sum())), spread

    def reach(price: float) -> float:
        _, bias, spread = at(price)
        return _folded_quantile(bias / spread, level) * spread

    price = 0.0
    if bend > 0 and p > 1:
        highest = float(np.abs(along.T @ plain).max())
        found = optimize.minimize_scalar(
            reach, bounds=(0.0, highest), method="bounded", options={"xatol": 1e-9 * highest}
        )
        price = min((0.0, float(found.x), highest), key=reach)
    bends, bias, spread = at(price)
    weights = np.concatenate([from_bends @ np.concatenate([[slope], bends]), study.weights])
    return weights, bias, spread


def _lasso(along: Array, plain: Array, price: float) -> Array:
    """Return what minimises ``|plain + along z|²  + 2 price |z|₁``, from its dual, which has bounds only."""
    if along.shape[1] == 0:
        return np.zeros(0)
    triangle = np.linalg.qr(along)[1]
    target = np.linalg.solve(triangle.T, along.T @ plain)
    residual = target
    if price > 0:
        inverse = np.linalg.inv(triangle.T)
        found = optimize.lsq_linear(inverse, -target, bounds=(-price, price), method="bvls")
        residual = target + inverse @ found.x
    solved: Array = -np.linalg.solve(triangle, residual)
    # Where the price is not paid in full the solution is zero; rounding leaves a trace.
    solved[np.abs(solved) < 1e-12 * max(float(np.abs(solved).max()), 1e-300)] = 0.0
    return solved


def _folded_quantile(shift: float, level: float) -> float:
    """Return the quantile of the absolute value of a normal variable with mean ``shift`` and variance one."""
    high = shift + float(stats.norm.ppf(0.5 + level / 2))
    low = shift + float(stats.norm.ppf(level))

    def gap(value: float) -> float:
        return float(special.ndtr(value - shift) - special.ndtr(-value - shift)) - level

    return low if gap(low) >= 0 else float(optimize.brentq(gap, low, high, xtol=1e-13))


def relative(study: EventStudy, magnitude: float, level: float) -> Bounds:
    """Return the interval when steps of the violation after the start are bounded by the largest step before it.

    For each step before the start, and each sign, the set of violations in which it is the largest is a polyhedron, for
    which effects are tested by the conditional test with a least favourable first stage (Andrews, Roth and Pakes 2023).
    The interval spans the effects that are accepted for any of them.

    Parameters
    ----------
    study : EventStudy
        The estimates.
    magnitude : float
        How many times as large a step after the start may be as the largest before it, at least 0.
    level : float
        Confidence level, 0 to 1.
    """
    systems = [_inequalities(study, magnitude, step, sign) for step in range(len(study.before)) for sign in (1.0, -1.0)]
    # The widest brackets first: most of the others then cannot hold an end, and are not looked into.
    brackets = [_bracket(system, level) for system in systems]
    lower, upper = study.value, study.value
    for each in sorted(brackets, key=lambda bracket: bracket.lowest):
        if each.lowest < lower:
            lower = min(lower, _outermost(each, level, upward=False, default=lower))
    for each in sorted(brackets, key=lambda bracket: -bracket.highest):
        if each.highest > upper:
            upper = max(upper, _outermost(each, level, upward=True, default=upper))
    return Bounds(lower, upper)


@dataclass(frozen=True)
class _Inequalities:
    """What must not exceed zero if an effect is true, in the two numbers that it depends on.

    The nuisance parameters (how the effect is spread over periods) are eliminated by hand: a system of bounds on each
    step of the effects, whose weighted sum is the effect asked about, has a solution just if the largest of these
    combinations is not positive. Each is normalised by the sum of the standard errors of the bounds it combines.

    Attributes
    ----------
    position : ndarray, shape (2,)
        The largest step before the start, and the estimate of the effect.
    covariance : ndarray, shape (2, 2)
        Of both.
    loads : ndarray, shape (k, 2)
        Rows of the combinations: no step after the start may need a negative bound, the effect must not be too low,
        nor too high (the last two).
    shifts : ndarray, shape (k,)
        What is added for each unit of the effect that is tested.
    """

    position: Array
    covariance: Array
    loads: Array
    shifts: Array


def _inequalities(study: EventStudy, magnitude: float, step: int, sign: float) -> _Inequalities:
    p, q = len(study.before), len(study.after)
    path = np.concatenate([study.before, [0.0], study.after])
    differences = np.diff(np.eye(p + q + 1), axis=0)
    kept = np.delete(differences, p, axis=1)
    steps, covariance = differences @ path, kept @ study.covariance @ kept.T
    # The effect asked about as a sum over steps: a step moves all periods from then on.
    amounts = np.cumsum(study.weights[::-1])[::-1]
    ours = np.zeros((2, p + q))
    ours[0, step] = sign
    ours[1, p:] = amounts
    spreads = np.empty((q, 2))
    for period in range(q):
        for side, direction in enumerate((1.0, -1.0)):
            row = -magnitude * ours[0]
            row[p + period] += direction
            spreads[period, side] = math.sqrt(max(float(row @ covariance @ row), 0.0))
    size = float(np.abs(amounts).sum())
    upward = float(np.where(amounts > 0, spreads[:, 0], spreads[:, 1]) @ np.abs(amounts))
    downward = float(np.where(amounts > 0, spreads[:, 1], spreads[:, 0]) @ np.abs(amounts))
    loads = [(-2 * magnitude / total, 0.0) for total in spreads.sum(axis=1)]
    loads += [(-magnitude * size / upward, 1 / upward), (-magnitude * size / downward, -1 / downward)]
    shifts = np.concatenate([np.zeros(q), [-1 / upward, 1 / downward]])
    return _Inequalities(ours @ steps, ours @ covariance @ ours.T, np.array(loads), shifts)


@dataclass(frozen=True)
class _Bracket:
    """Between which effects the first stage does not reject, and above what value of the statistic it does."""

    system: _Inequalities
    limit: float
    lowest: float
    highest: float


def _bracket(system: _Inequalities, level: float) -> _Bracket:
    limit = _first_stage_limit(system, 1 - _FIRST_STAGE * (1 - level))
    low, high = system.loads[-2:] @ system.position
    lowest, highest = float((low - limit) / -system.shifts[-2]), float((limit - high) / system.shifts[-1])
    return _Bracket(system, limit, lowest, highest)


def _outermost(bracket: _Bracket, level: float, *, upward: bool, default: float) -> float:
    """Return the largest (or smallest) effect that is not rejected; ``default`` when all are."""
    inner, outer = (bracket.lowest, bracket.highest) if upward else (bracket.highest, bracket.lowest)
    found = default
    for _ in range(_ROUNDS):
        grid = np.linspace(inner, outer, _POINTS)
        accepted = np.flatnonzero(_is_accepted(bracket.system, grid, bracket.limit, level))
        if not len(accepted):
            break
        last = int(accepted[-1])
        found = float(grid[last])
        if last == _POINTS - 1:
            break
        inner, outer = found, float(grid[last + 1])
    return found


def _is_accepted(system: _Inequalities, effects: Array, limit: float, level: float) -> NDArray[np.bool_]:
    """Tell which effects the two-stage test does not reject, shape of ``effects``.

    Given which combination is largest, and what is independent of it, it has a truncated normal distribution.
    """
    values = (system.loads @ system.position)[None, :] + effects[:, None] * system.shifts[None, :]
    rows, largest = np.arange(len(effects)), values.argmax(axis=1)
    statistic = values[rows, largest]
    covariance = system.loads @ system.covariance @ system.loads.T
    variance = np.diag(covariance)[largest]
    # A combination without spread is zero or less for certain when there is an effect that fits.
    varies = variance > 1e-14 * max(float(np.diag(covariance).max()), 1e-300)
    accepted = statistic <= 0
    open_rows = (statistic > 0) & (statistic <= limit) & varies
    if not open_rows.any():
        return np.asarray(accepted)
    ratio = covariance[:, largest[open_rows]].T / variance[open_rows, None]
    rest = values[open_rows] - ratio * statistic[open_rows, None]
    slack = 1 - ratio
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = rest / slack
    lower = np.where(slack > 1e-10, ends, -np.inf).max(axis=1)
    upper = np.minimum(np.where(slack < -1e-10, ends, np.inf).min(axis=1), limit)
    spread = np.sqrt(variance[open_rows])
    size = ((1 - level) - _FIRST_STAGE * (1 - level)) / (1 - _FIRST_STAGE * (1 - level))
    # The value lies between the ends by construction; rounding must not turn them round.
    lower = np.minimum(lower, statistic[open_rows])
    upper = np.maximum(upper, statistic[open_rows])
    critical = spread * _truncated_quantile(1 - size, lower / spread, upper / spread)
    accepted[open_rows] = statistic[open_rows] <= np.maximum(critical, 0.0)
    return np.asarray(accepted)


def _truncated_quantile(share: float, lower: Array, upper: Array) -> Array:
    """Return the quantile of a standard normal variable between two ends, of which the upper one is positive."""
    # Above zero the upper tail is exact where the lower one has no digits left.
    tail = -special.ndtri(special.ndtr(-lower) - share * (special.ndtr(-lower) - special.ndtr(-upper)))
    body = special.ndtri(special.ndtr(lower) + share * (special.ndtr(upper) - special.ndtr(lower)))
    # So far out that the tail itself has no digits, it falls like an exponential.
    far = np.maximum(lower, _FAR)
    beyond = lower - np.log1p(share * np.expm1(-far * (upper - lower))) / far
    return np.asarray(np.where(lower > 3 * _FAR, beyond, np.where(lower > 0, tail, body)), dtype=np.float64)


@cache
def _nodes() -> tuple[Array, Array]:
    """Return points and weights of the integral, which take longer to find than most commands to answer."""
    nodes, weights = np.polynomial.legendre.leggauss(_N_NODES)
    return nodes, weights


def _first_stage_limit(system: _Inequalities, level: float) -> float:
    """Return the quantile of the largest combination when all of them are zero on average.

    All depend on two normal variables, so the chance is an integral over the first of that of the second.
    """
    spread = math.sqrt(float(system.covariance[0, 0]))
    slope = float(system.covariance[0, 1]) / spread
    rest = math.sqrt(max(float(system.covariance[1, 1]) - slope**2, 0.0))
    pairs = system.loads[:-2, 0]
    above, below = system.loads[-2], system.loads[-1]
    nodes, weights = _nodes()

    def chance(limit: float) -> float:
        # No step may need a negative bound: the first variable is at least this.
        steepest = float(-pairs.min()) * spread
        start = max(-limit / steepest, -_FAR) if steepest > 0 else -_FAR
        points = start + (_FAR - start) * (nodes + 1) / 2
        high = (limit - above[0] * spread * points) / above[1]
        low = (limit - below[0] * spread * points) / below[1]
        mean = slope * points
        if rest > 0:
            inside = np.maximum(special.ndtr((high - mean) / rest) - special.ndtr((low - mean) / rest), 0.0)
        else:
            inside = ((mean <= high) & (mean >= low)).astype(np.float64)
        return float((weights * np.exp(-(points**2) / 2) / math.sqrt(2 * math.pi) * inside).sum() * (_FAR - start) / 2)

    top = 2.0
    while chance(top) < level:
        top *= 2
    return float(optimize.brentq(lambda limit: chance(limit) - level, 0.0, top, xtol=1e-10))


def breakdown(interval: Callable[[float], Bounds], *, start: float, most: float) -> float | None:
    """Return the largest bound at which the interval excludes zero; None when it holds zero even without violation.

    Parameters
    ----------
    interval : callable
        The interval for a bound, which widens with the bound.
    start : float
        A bound to begin with, positive.
    most : float
        Where the search ends: this is returned when zero is excluded there.
    """
    if not interval(0.0).excludes_zero:
        return None
    low, high = 0.0, start
    while interval(high).excludes_zero:
        if high >= most:
            return most
        low, high = high, min(2 * high, most)
    for _ in range(_BREAKDOWN_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if interval(middle).excludes_zero else (low, middle)
    return low
