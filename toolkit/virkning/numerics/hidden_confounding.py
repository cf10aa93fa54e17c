"""How strong something unmeasured would have to be to change a conclusion: robustness value, bounds, E-value, Γ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from .least_squares import project

Array = NDArray[np.float64]

# No search for a bias in the odds goes beyond this.
LARGEST_GAMMA = 1_000.0


@dataclass(frozen=True)
class AdjustedEffect:
    """The coefficient of a treatment in a least-squares regression, with what hidden confounding is measured against.

    Attributes
    ----------
    value, std_error : float
        In the outcome's unit; the error is the classical one.
    degrees_of_freedom : float
        Rows less coefficients.
    with_treatment : ndarray, shape (p,)
        Partial R² of each covariate with the treatment, given the other covariates; 0 to 1.
    with_outcome : ndarray, shape (p,)
        Partial R² of each covariate with the outcome, given the treatment and the other covariates; 0 to 1.
    """

    value: float
    std_error: float
    degrees_of_freedom: float
    with_treatment: Array
    with_outcome: Array

    @property
    def partial_r_squared(self) -> float:
        """Share of the outcome's variation, left by the covariates, that the treatment explains."""
        squared = (self.value / self.std_error) ** 2
        return squared / (squared + self.degrees_of_freedom)


@dataclass(frozen=True)
class Bound:
    """The effect that would be found if a confounder of a given strength were known too.

    Attributes
    ----------
    with_treatment, with_outcome : float
        Partial R² of the confounder with the treatment and with the outcome; 0 to 1.
    value, std_error, lower, upper : float
        In the outcome's unit.
    """

    with_treatment: float
    with_outcome: float
    value: float
    std_error: float
    lower: float
    upper: float


def adjusted_effect(
    outcome: Array, treatment: Array, covariates: Array, *, degrees_of_freedom: float | None = None
) -> AdjustedEffect:
    """Return the effect of the treatment by least squares, and how strongly each covariate goes with either.

    Parameters
    ----------
    outcome, treatment : ndarray, shape (n,)
        The regression's left side, and the column that matters.
    covariates : ndarray, shape (n, p)
        Of full column rank together with the treatment; the constant is among them unless it was taken out before.
    degrees_of_freedom : float, optional
        Rows less coefficients, where some were taken out before; by default n - p - 1.
    """
    n, p = covariates.shape
    freedom = float(n - p - 1) if degrees_of_freedom is None else degrees_of_freedom
    squared_t = _squared_t(np.column_stack([treatment, covariates]), outcome, freedom)
    value, std_error = squared_t[0][0], squared_t[1][0]
    of_outcome = squared_t[2][1:]
    of_treatment = _squared_t(covariates, treatment, freedom + 1)[2]
    return AdjustedEffect(
        value=float(value),
        std_error=float(std_error),
        degrees_of_freedom=freedom,
        with_treatment=of_treatment / (of_treatment + freedom + 1),
        with_outcome=of_outcome / (of_outcome + freedom),
    )


def _squared_t(matrix: Array, outcome: Array, freedom: float) -> tuple[Array, Array, Array]:
    """Return coefficients, classical errors and squared t statistics, each of shape (k,)."""
    rows = project(matrix).rows
    coefficients = rows.T @ outcome
    residuals = outcome - matrix @ coefficients
    errors = np.sqrt(float(residuals @ residuals) / freedom * (rows**2).sum(axis=0))
    return coefficients, errors, (coefficients / errors) ** 2


def robustness_value(value: float, std_error: float, degrees_of_freedom: float, *, significance: float = 1.0) -> float:
    """Return the strength of confounding that would just overturn a conclusion (Cinelli and Hazlett 2020), 0 to 1.

    A confounder that explains this share of what is left of both the treatment and the outcome would bring the effect
    to zero, or its interval to include zero; a weaker one in both cannot.

    Parameters
    ----------
    value, std_error : float
        Effect and its classical error.
    degrees_of_freedom : float
        Of the regression.
    significance : float
        One: the strength that brings the effect itself to zero. Less: that which makes it insignificant at this level.
    """
    strength = abs(value / std_error) / math.sqrt(degrees_of_freedom)
    limit = 0.0
    if significance < 1:
        limit = float(stats.t.isf(significance / 2, degrees_of_freedom - 1)) / math.sqrt(degrees_of_freedom - 1)
    excess = strength - limit
    if excess <= 0:
        return 0.0
    if limit > 0 and strength > 1 / limit:
        return (strength**2 - limit**2) / (1 + strength**2)
    return (math.sqrt(excess**4 + 4 * excess**2) - excess**2) / 2


def bound(effect: AdjustedEffect, covariate: int, *, times: float = 1.0, level: float = 0.95) -> Bound | None:
    """Return the effect beside a confounder that is ``times`` as strong as a measured covariate.

    The confounder pulls in the direction that brings the effect nearer to zero, and beyond. Section 4.4 of Cinelli and
    Hazlett (2020); None where nothing can be that strong: it would explain all that is left of the treatment.

    Parameters
    ----------
    effect : AdjustedEffect
        With the benchmark among its covariates.
    covariate : int
        Place of the benchmark.
    times : float
        How many times as strong with treatment and with outcome, in terms of what is explained.
    level : float
        Of the interval, 0 to 1.
    """
    own, outcome_share = float(effect.with_treatment[covariate]), float(effect.with_outcome[covariate])
    with_treatment = times * own / (1 - own)
    if with_treatment >= 1 or times * own >= 1:
        return None
    shared = times * own**2 / ((1 - times * own) * (1 - own))
    if shared >= 1:
        return None
    pull = (math.sqrt(times) + math.sqrt(shared)) / math.sqrt(1 - shared)
    # No confounder explains more than everything.
    with_outcome = min(pull**2 * outcome_share / (1 - outcome_share), 1.0)
    return beside_confounder(effect, with_treatment, with_outcome, level=level)


def beside_confounder(
    effect: AdjustedEffect, with_treatment: float, with_outcome: float, *, level: float = 0.95
) -> Bound:
    """Return the effect beside a confounder of given partial R² with treatment (below one) and outcome."""
    freedom = effect.degrees_of_freedom
    bias = effect.std_error * math.sqrt(freedom * with_outcome * with_treatment / (1 - with_treatment))
    value = math.copysign(1.0, effect.value) * (abs(effect.value) - bias)
    error = effect.std_error * math.sqrt((1 - with_outcome) / (1 - with_treatment) * freedom / (freedom - 1))
    reach = float(stats.t.ppf(0.5 + level / 2, freedom - 1)) * error
    return Bound(with_treatment, with_outcome, value, error, value - reach, value + reach)


def e_value(risk_ratio: float) -> float:
    """Return the E-value of a risk ratio (VanderWeele and Ding 2017), at least 1.

    By so much an unmeasured confounder would have to multiply both the chance of being treated and that of the outcome,
    beyond the measured covariates, to explain the ratio away.

    >>> round(e_value(3.9), 2), round(e_value(1 / 3.9), 2), e_value(1.0)
    (7.26, 7.26, 1.0)
    """
    ratio = max(risk_ratio, 1 / risk_ratio)
    return ratio + math.sqrt(ratio * (ratio - 1))


def ratio_of_difference(difference: float, spread: float) -> float:
    """Return about which risk ratio a difference of means stands for: exp(.91 d) (Chinn 2000; VanderWeele and Ding).

    Parameters
    ----------
    difference, spread : float
        Of means, and the standard deviation that makes d of it, in the outcome's unit.
    """
    return math.exp(0.91 * difference / spread)


@dataclass(frozen=True)
class SignedRanks:
    """The differences within pairs, as Wilcoxon's test sees them.

    Attributes
    ----------
    ranks : ndarray, shape (m,)
        Of the sizes of the differences that are not zero; ties share their mean.
    is_positive : ndarray of bool, shape (m,)
        In whose favour each is.
    """

    ranks: Array
    is_positive: NDArray[np.bool_]

    @classmethod
    def of(cls, differences: Array) -> SignedRanks:
        """Return the ranks of treated less comparison, shape (pairs,).

        As in Rosenbaum (2002), pairs without a difference are ranked first and then left out (Pratt 1959).
        """
        ranks = np.asarray(stats.rankdata(np.abs(differences)), dtype=np.float64)
        moved = differences != 0
        return cls(ranks[moved], differences[moved] > 0)

    def p_value(self, gamma: float = 1.0) -> float:
        """Return the largest p-value, one-sided upwards, when hidden bias moves the odds by up to ``gamma``.

        In a pair that is alike in what was measured, one was up to ``gamma`` times as likely to be the treated as the
        other (Rosenbaum 2002, section 4.3); normal approximation, without a correction for continuity.
        """
        chance = gamma / (1 + gamma)
        statistic = float(self.ranks[self.is_positive].sum())
        mean = chance * float(self.ranks.sum())
        spread = math.sqrt(chance * (1 - chance) * float((self.ranks**2).sum()))
        return float(stats.norm.sf((statistic - mean) / spread)) if spread > 0 else 1.0

    def reversed(self) -> SignedRanks:
        """Return the ranks of comparison less treated."""
        return SignedRanks(self.ranks, ~self.is_positive)


def largest_gamma(ranks: SignedRanks, significance: float) -> float:
    """Return up to which bias in the odds the one-sided test stays significant.

    One: not significant even without hidden bias. Infinite beyond ``LARGEST_GAMMA``.

    Parameters
    ----------
    ranks : SignedRanks
        In the direction of the effect.
    significance : float
        One-sided level of the test, 0 to 1.
    """

    def excess(logarithm: float) -> float:
        return ranks.p_value(math.exp(logarithm)) - significance

    if excess(0.0) >= 0:
        return 1.0
    if excess(math.log(LARGEST_GAMMA)) < 0:
        return math.inf
    return math.exp(float(optimize.brentq(excess, 0.0, math.log(LARGEST_GAMMA), xtol=1e-12)))
