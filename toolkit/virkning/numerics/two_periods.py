"""One difference in differences between two periods, adjusted for covariates, with its influence function.

Outcome regression, weighting by the inverse propensity score, and both at once (doubly robust, plain and improved), as
set out by Sant'Anna and Zhao (2020). Without covariates all are the same difference of mean changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .least_squares import dependent_column
from .logit import BinaryFit, SeparationError, fit_binary
from .weighting import InfeasibleBalanceError, balancing_weights

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Adjustment = Literal["doubly_robust", "improved_doubly_robust", "outcome_regression", "inverse_probability_weighting"]

# A person of the comparison group who resembles the treated this much would count for a thousand others.
HIGHEST_PROPENSITY = 0.999
_TOLD_APART = "The covariates tell the cohort and its comparison group apart, wholly or almost."


class NotComparableError(ArithmeticError):
    """The covariates do not let these two groups be compared; the message says why, in a sentence without counts."""


@dataclass(frozen=True)
class Difference:
    """A difference in differences.

    Attributes
    ----------
    value : float
        Average effect on the treated, in the outcome's unit.
    influence : ndarray, shape (n,)
        Each person's influence; the variance of ``value`` is ``(influence ** 2).sum() / n ** 2``.
    """

    value: float
    influence: Array


@dataclass(frozen=True)
class Groups:
    """Two groups with their traits; what does not depend on the outcome is computed once for all periods.

    Attributes
    ----------
    treated : ndarray of bool, shape (n,)
        Treated in between; both kinds must be there.
    covariates : ndarray, shape (n, p)
        Traits from before, without a constant; p may be zero.
    """

    treated: Booleans
    covariates: Array

    @cached_property
    def traits(self) -> Array:
        """A constant, and the covariates with mean zero and standard deviation one, shape (n, 1 + p).

        Raises
        ------
        NotComparableError
            They are collinear in the comparison group.
        """
        scale = self.covariates.std(axis=0)
        centred = (self.covariates - self.covariates.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
        traits = np.column_stack([np.ones(len(centred)), centred])
        if dependent_column(traits[~self.treated]) is not None:
            raise NotComparableError("In its comparison group the covariates do not vary independently of each other.")
        return traits

    @cached_property
    def score(self) -> BinaryFit:
        """The propensity score.

        Raises
        ------
        NotComparableError
            The covariates tell the groups apart, wholly or almost.
        """
        try:
            fitted = fit_binary(self.traits, self.treated)
        except SeparationError:
            raise NotComparableError(_TOLD_APART) from None
        if fitted.probability[~self.treated].max() >= HIGHEST_PROPENSITY:
            raise NotComparableError(_TOLD_APART)
        return fitted


def difference(change: Array, treated: Booleans, covariates: Array, adjustment: Adjustment) -> Difference:
    """Return the average effect on the treated of what happened between two periods.

    Parameters
    ----------
    change : ndarray, shape (n,)
        Outcome in the later period minus that in the earlier one.
    treated, covariates
        As in :class:`Groups`.
    adjustment : str
        doubly_robust, improved_doubly_robust, outcome_regression or inverse_probability_weighting.

    Raises
    ------
    NotComparableError
        The covariates are collinear in the comparison group, or tell the groups apart almost perfectly.
    """
    return difference_between(change, Groups(treated, covariates), adjustment)


def difference_between(change: Array, groups: Groups, adjustment: Adjustment) -> Difference:
    """Return the same as :func:`difference`, for groups of which several changes are looked at."""
    treated = groups.treated
    if groups.covariates.shape[1] == 0:
        return _of_weights(change, treated.astype(float), (~treated).astype(float))
    if adjustment == "outcome_regression":
        return _outcome_regression(change, treated, groups.traits)
    if adjustment == "improved_doubly_robust":
        return _improved(change, treated, groups.traits)
    return _weighted(change, groups, with_outcome_model=adjustment == "doubly_robust")


def _of_weights(change: Array, ours: Array, theirs: Array) -> Difference:
    """Return the difference of two weighted means, the weights taken as known."""
    parts = []
    for weights in (ours, theirs):
        mean = float((weights * change).sum() / weights.sum())
        parts.append((mean, weights * (change - mean) / weights.mean()))
    return Difference(parts[0][0] - parts[1][0], parts[0][1] - parts[1][1])


def _fit_comparison(change: Array, treated: Booleans, traits: Array) -> tuple[Array, Array]:
    """Return the residuals from the comparison group's regression, and the influence on its coefficients, (n, k)."""
    untreated = ~treated
    coefficients = np.linalg.lstsq(traits[untreated], change[untreated], rcond=None)[0]
    residuals: Array = change - traits @ coefficients
    inverse = np.linalg.inv(traits[untreated].T @ traits[untreated] / len(change))
    return residuals, (untreated * residuals)[:, None] * traits @ inverse


def _outcome_regression(change: Array, treated: Booleans, traits: Array) -> Difference:
    residuals, of_coefficients = _fit_comparison(change, treated, traits)
    share = treated.mean()
    value = float(residuals[treated].mean())
    influence = treated * (residuals - value) - of_coefficients @ (treated[:, None] * traits).mean(axis=0)
    return Difference(value, influence / share)


def _weighted(change: Array, groups: Groups, *, with_outcome_model: bool) -> Difference:
    """Return the estimate by inverse propensity weights, of changes or of what a regression leaves of them."""
    treated, traits, fitted = groups.treated, groups.traits, groups.score
    propensity, of_scores = fitted.probability, fitted.influence * len(change)
    odds = np.where(treated, 0.0, propensity / (1 - propensity))
    if with_outcome_model:
        rest, of_coefficients = _fit_comparison(change, treated, traits)
    else:
        rest, of_coefficients = change, np.zeros_like(traits)
    plain = _of_weights(rest, treated.astype(float), odds)
    mean_of_theirs = float((odds * rest).sum() / odds.sum())
    by_scores = of_scores @ ((odds * (rest - mean_of_theirs))[:, None] * traits).mean(axis=0) / odds.mean()
    means = np.average(traits, axis=0, weights=treated) - np.average(traits, axis=0, weights=odds)
    return Difference(plain.value, plain.influence - by_scores - of_coefficients @ means)


def _improved(change: Array, treated: Booleans, traits: Array) -> Difference:
    """Return Sant'Anna and Zhao's improved estimate, whose error does not depend on how the first steps err.

    Their odds come from inverse probability tilting (Graham, Pinto and Egel 2012): Σ odds × traits over the comparison
    group equals Σ traits over the treated. These are the weights of entropy balancing, so the regression with these
    weights, which they put beside it, takes the same sum from both groups and leaves the value alone; it matters to the
    influence, in which neither the odds nor the coefficients then appear.
    """
    share = treated.mean()
    try:
        tilted = balancing_weights((traits - traits[treated].mean(axis=0))[~treated][:, 1:])
    except InfeasibleBalanceError:
        raise NotComparableError(_TOLD_APART) from None
    odds = np.zeros(len(change))
    odds[~treated] = tilted * treated.sum()
    if (odds / (1 + odds)).max() >= HIGHEST_PROPENSITY:
        raise NotComparableError(_TOLD_APART)
    root = np.sqrt(odds[~treated])
    line = np.linalg.lstsq(root[:, None] * traits[~treated], root * change[~treated], rcond=None)[0]
    rest = change - traits @ line
    value = float((treated * rest - odds * rest).mean() / share)
    return Difference(value, (treated * (rest - value) - odds * rest) / share)
