"""Effects from weights and regressions, each with its influence function; what was estimated first is accounted for.

Every function takes arrays of one row per person and returns a :class:`WeightedEffect`. The square root of the sum of
squared influences is the sandwich error of the stacked estimating equations, without a small-sample factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .least_squares import influence, project
from .logit import BinaryFit

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Target = Literal["att", "ate"]

# Newton's method has arrived when its step moves no logarithm of a weight by more than this.
_STILL = 1e-10
_MOST_STEPS = 200
_SMALLEST_STEP = 2.0**-40
# Relative to the largest: directions in which nobody varies, and in which the dual has no minimum.
_FLAT, _NO_CURVATURE = 1e-10, 1e-11


class InfeasibleBalanceError(ArithmeticError):
    """No weights of this group bring its means to the wanted ones: these lie outside what the group covers."""


@dataclass(frozen=True)
class WeightedEffect:
    """What weighting or regression estimates.

    Attributes
    ----------
    value, comparison_mean : float
        Effect, and the mean that the persons of the estimand would have had without the programme.
    influence : ndarray, shape (n,)
        Each person's share in the error of the effect.
    weights : ndarray, shape (n,), or None
        With which outcomes enter the means of the arms (each arm adds up to one); None when a regression decides.
    """

    value: float
    comparison_mean: float
    influence: Array
    weights: Array | None

    @property
    def std_error(self) -> float:
        """Sandwich error, in the outcome's unit."""
        return float(np.sqrt((self.influence**2).sum()))


@dataclass(frozen=True)
class ScoreWeights:
    """The weights of the two arms that a score gives, with their derivative by the index; shapes (n,)."""

    one: Array
    zero: Array
    one_slope: Array
    zero_slope: Array


def score_weights(treated: Booleans, score: BinaryFit, target: Target) -> ScoreWeights:
    """Return inverse probabilities: 1/e and 1/(1-e) for everybody, 1 and e/(1-e) for those treated."""
    e, slope, one = score.probability, score.slope, treated.astype(np.float64)
    zero = 1.0 - one
    if target == "ate":
        return ScoreWeights(one / e, zero / (1 - e), -one * slope / e**2, zero * slope / (1 - e) ** 2)
    return ScoreWeights(one, zero * e / (1 - e), np.zeros_like(e), zero * slope / (1 - e) ** 2)


def weighting(outcome: Array, matrix: Array, treated: Booleans, score: BinaryFit, target: Target) -> WeightedEffect:
    """Return the effect by inverse-probability weights that add up to one in each arm (Hájek).

    Parameters
    ----------
    outcome : ndarray, shape (n,)
    matrix : ndarray, shape (n, k)
        The regressors of the score.
    treated : ndarray of bool, shape (n,)
    score : BinaryFit
    target : str
        ``att`` or ``ate``.
    """
    found = score_weights(treated, score, target)
    means, parts = [], []
    for weight, slope in ((found.one, found.one_slope), (found.zero, found.zero_slope)):
        total = weight.sum()
        mean = float((weight * outcome).sum() / total)
        drift = matrix.T @ (slope * (outcome - mean)) / total
        parts.append(weight * (outcome - mean) / total + score.influence @ drift)
        means.append(mean)
    weights = found.one / found.one.sum() + found.zero / found.zero.sum()
    return WeightedEffect(means[0] - means[1], means[1], parts[0] - parts[1], weights)


@dataclass(frozen=True)
class _Arm:
    """A regression within one arm: predictions for everybody, and the influence of its coefficients."""

    predicted: Array
    influence: Array


def _regress(outcome: Array, matrix: Array, arm: Booleans) -> _Arm:
    projection = project(matrix[arm])
    coefficients = projection.rows.T @ outcome[arm]
    predicted = matrix @ coefficients
    spread = np.zeros(matrix.shape)
    spread[arm] = influence(projection, (outcome - predicted)[arm])
    return _Arm(predicted, spread)


def regression_adjustment(outcome: Array, matrix: Array, treated: Booleans, target: Target) -> WeightedEffect:
    """Return the effect from a least-squares line in each arm, averaged over the persons of the estimand.

    ``matrix`` has shape (n, q) and holds the constant; it must have full rank within each arm that is used.
    """
    chosen = np.ones(len(outcome), dtype=bool) if target == "ate" else treated
    n = int(chosen.sum())
    average = matrix[chosen].mean(axis=0)
    zero = _regress(outcome, matrix, ~treated)
    base = float(zero.predicted[chosen].mean())
    base_part = np.where(chosen, zero.predicted - base, 0.0) / n + zero.influence @ average
    # A line with a constant goes through the mean of its own arm.
    one = _regress(outcome, matrix, treated) if target == "ate" else _Arm(outcome, np.zeros(matrix.shape))
    level = float(one.predicted[chosen].mean())
    level_part = np.where(chosen, one.predicted - level, 0.0) / n + one.influence @ average
    return WeightedEffect(level - base, base, level_part - base_part, None)


def doubly_robust(
    outcome: Array, matrix: Array, treated: Booleans, score: BinaryFit, score_matrix: Array, target: Target
) -> WeightedEffect:
    """Return the augmented inverse-probability-weighted effect (Robins, Rotnitzky and Zhao 1994).

    Consistent when the score or the outcome regressions are right; ``matrix`` is that of the outcome regressions.
    """
    found = score_weights(treated, score, target)
    chosen = np.ones(len(outcome), dtype=bool) if target == "ate" else treated
    n = int(chosen.sum())
    means, parts = [], []
    for arm, weight, slope in ((treated, found.one, found.one_slope), (~treated, found.zero, found.zero_slope)):
        if target == "att" and arm is treated:
            means.append(float(outcome[treated].mean()))
            parts.append(np.where(treated, outcome - means[0], 0.0) / n)
            continue
        line = _regress(outcome, matrix, arm)
        residual = outcome - line.predicted
        mean = float((np.where(chosen, line.predicted, 0.0) + weight * residual).sum()) / n
        direct = (np.where(chosen, line.predicted - mean, 0.0) + weight * residual) / n
        by_line = matrix.T @ (chosen.astype(np.float64) - weight) / n
        by_score = score_matrix.T @ (slope * residual) / n
        parts.append(direct + line.influence @ by_line + score.influence @ by_score)
        means.append(mean)
    return WeightedEffect(means[0] - means[1], means[1], parts[0] - parts[1], None)


def entropy_balancing(outcome: Array, traits: Array, treated: Booleans, target: Target) -> WeightedEffect:
    """Return the effect by the least uneven weights that make the arms' means of the traits equal (Hainmueller 2012).

    Parameters
    ----------
    traits : ndarray, shape (n, p)
        Without a constant. The means aimed at are those of the treated, or of everybody.

    Raises
    ------
    InfeasibleBalanceError
        No such weights exist.
    """
    chosen = np.ones(len(outcome), dtype=bool) if target == "ate" else treated
    n = int(chosen.sum())
    centred = traits - traits[chosen].mean(axis=0)
    weights, means, parts = np.zeros(len(outcome)), [], []
    for arm in (treated, ~treated):
        is_given = target == "att" and arm is treated
        weight = np.full(n, 1.0 / n) if is_given else balancing_weights(centred[arm])
        weights[arm] = weight
        mean = float(weight @ outcome[arm])
        part = np.where(arm, weights * (outcome - mean), 0.0)
        if not is_given:
            # The weights carry the line of the outcome on the traits exactly, so only what is off the line errs.
            root = np.sqrt(weight)[:, None]
            line = np.linalg.lstsq(root * centred[arm], root[:, 0] * (outcome[arm] - mean), rcond=None)[0]
            fitted = centred @ line
            part = part - np.where(arm, weights * fitted, 0.0) + np.where(chosen, fitted, 0.0) / n
        parts.append(part)
        means.append(mean)
    return WeightedEffect(means[0] - means[1], means[1], parts[0] - parts[1], weights)


def balancing_weights(centred: Array) -> Array:
    """Return the positive weights, adding up to one, that make all weighted means zero and are nearest to equal.

    Newton's method on the dual: the minimum of log Σ exp(x'λ), a smooth convex function of p numbers; shape (n,).

    Raises
    ------
    InfeasibleBalanceError
        Zero is not inside the convex hull of the rows.
    """
    # On orthonormal columns, without directions in which nobody differs from what is aimed at.
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    rows = left[:, size > _FLAT * size.max(initial=0.0)] * np.sqrt(len(centred))
    dual, index, value = np.zeros(rows.shape[1]), np.zeros(len(rows)), float(np.log(len(rows)))
    for _ in range(_MOST_STEPS):
        weight = np.exp(index - index.max())
        weight /= weight.sum()
        gradient = rows.T @ weight
        curvature = (rows * weight[:, None]).T @ rows - np.outer(gradient, gradient)
        values, vectors = np.linalg.eigh(curvature)
        # Outside the hull, or on its edge, the weights pile up on a face and the index runs away.
        if values.min(initial=1.0) <= _NO_CURVATURE * values.max(initial=1.0):
            raise InfeasibleBalanceError
        step = -((vectors / values) @ (vectors.T @ gradient))
        if np.abs(rows @ step).max(initial=0.0) < _STILL:
            return np.asarray(weight, dtype=np.float64)
        share = 1.0
        while (new := _log_sum(rows @ (dual + share * step))) > value + 1e-13 * (1 + abs(value)):
            share /= 2
            if share < _SMALLEST_STEP:
                raise InfeasibleBalanceError
        dual, value = dual + share * step, new
        index = rows @ dual
    raise InfeasibleBalanceError


def _log_sum(index: Array) -> float:
    top = float(index.max())
    return top + float(np.log(np.exp(index - top).sum()))
