"""The terms of a synthetic control: each estimator with its error, the path of the headline, and what to warn of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ...numerics.synthetic_differences import (
    Contrast,
    Estimator,
    contrast,
    leave_one_out,
    outside_range,
    placebo_paths,
    sets_of,
)
from ..assembly import Term
from ..degrees_of_freedom import LARGE_SAMPLE, Freedom
from ..steps import EVENT
from .panel import DonorFields, StandardErrors, Units, recipe_of

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
FreedomRule = Literal["standard", "large_sample"]

# Fewer periods before the start than this are met by many mixes, by luck.
_ENOUGH_BEFORE = 6
# A mix that meets the treated this closely, as a share of the usual change between periods, meets them exactly.
_EXACT = 1e-3


class FittedFields(DonorFields, Protocol):
    """The fields that intervals need."""

    @property
    def degrees_of_freedom(self) -> FreedomRule: ...


@dataclass(frozen=True)
class Spread:
    """How uncertain a path is.

    Attributes
    ----------
    effect_error : float
        Standard error of the average effect.
    path_errors : ndarray, shape (t,)
        Standard error of each period's gap.
    effect_influence : ndarray, shape (n,)
        Each unit's share in the error of the effect; its squares sum to the variance.
    path_influence : ndarray, shape (n, t)
        The same for each period.
    placebo_misfits : ndarray, shape (r,)
        Root mean square of the placebo paths before the start; empty for the jackknife.
    """

    effect_error: float
    path_errors: Array
    effect_influence: Array
    path_influence: Array
    placebo_misfits: Array


@dataclass(frozen=True)
class Fitted:
    """Terms, or the reason why there are none.

    Attributes
    ----------
    terms : list of Term
        The headline first.
    headline : Contrast, optional
        The treated against the mix of donors, by the headline's estimator.
    spread : Spread, optional
        Of the headline.
    reason : str
        Not empty when there is no headline.
    warnings : list of str
        Sentences.
    """

    terms: list[Term]
    headline: Contrast | None
    spread: Spread | None
    reason: str
    warnings: list[str]


def cannot_compare(design: DonorFields, units: Units) -> str:
    """Return why these units cannot be compared, as a sentence; empty when they can.

    Parameters
    ----------
    design : DonorFields
        How they would be compared.
    units : Units
        Those with outcomes and predictors.
    """
    block = units.block
    needed = units.n_treated + 1 if any(errors == "placebo" for _, errors in design.terms) else 2
    if units.n_treated == 0:
        return "No treated unit has an outcome in every period and every predictor."
    if units.n_treated < 2 and any(errors == "jackknife" for _, errors in design.terms):
        return "Fewer than two treated units have an outcome in every period, too few for the jackknife."
    if units.n_donors < max(2, needed):
        return "Too few donors have an outcome in every period, and every predictor, to compare with."
    if np.ptp(block.outcome) == 0:
        return "This outcome never varies."
    if any((block.predictors.std(axis=0) == 0).tolist()):
        return "Among the units with outcomes a predictor never varies."
    if block.noise == 0:
        return "The outcome of the donors does not vary from period to period before the start."
    return ""


def fit(design: FittedFields, units: Units, generator: np.random.Generator) -> Fitted:
    """Return the terms: headline, alternatives, and the headline's effect by period.

    Parameters
    ----------
    design : FittedFields
        How units are compared.
    units : Units
        Those with outcomes and predictors.
    generator : Generator
        Source of random placebo sets, where there are too many to take all.
    """
    warnings = list(_warnings_about_data(design, units))
    reason = cannot_compare(design, units)
    if reason:
        return Fitted([], None, None, reason, warnings)
    terms: list[Term] = []
    headline, headline_spread = None, None
    sets, _ = sets_of(units.n_donors, units.n_treated, design.placebo_runs, generator)
    for estimator, errors in design.terms:
        found = contrast(units.block, recipe_of(design, estimator))
        spread = spread_of(design, units, found, estimator, errors, sets)
        freedom = freedom_of(design, units, errors)
        make = partial(Term, degrees_of_freedom=freedom.count, rule=freedom.words)
        if not (spread.effect_error > 0 and (spread.path_errors[found.n_before :] > 0).all()):
            if not terms:
                return Fitted([], None, None, "The comparisons show no spread to judge the effect by.", warnings)
            warnings.append(f"«{estimator}, {errors}» is left out for this outcome: it shows no spread to judge it by.")
            continue
        terms.append(
            make(f"{estimator}, {errors}", found.effect, spread.effect_error, influence=spread.effect_influence)
        )
        if headline is None:
            headline, headline_spread = found, spread
            path = _path(make, units, found, spread)
            warnings += _warnings_about_fit(estimator, units, found, spread)
    return Fitted(terms + path, headline, headline_spread, "", warnings)


def _path(make: partial[Term], units: Units, found: Contrast, spread: Spread) -> list[Term]:
    """Return the effect in each period after the start; none when there is one period, which is the headline."""
    after = range(found.n_before, len(units.periods))
    if len(after) < 2:
        return []
    return [
        make(
            f"{EVENT}, {units.periods[place]}",
            float(found.path[place]),
            float(spread.path_errors[place]),
            influence=spread.path_influence[:, place],
        )
        for place in after
    ]


def freedom_of(design: FittedFields, units: Units, errors: StandardErrors) -> Freedom:
    """Return the degrees of freedom behind an interval."""
    if design.degrees_of_freedom == "large_sample":
        return LARGE_SAMPLE
    if errors == "placebo":
        return Freedom(units.n_donors - 1, "donors less one, since each donor's placebo shows the spread once")
    fewest = min(units.n_treated, units.n_donors)
    return Freedom(fewest - 1, "treated units, or donors when there are fewer, less one")


def spread_of(
    design: DonorFields, units: Units, found: Contrast, estimator: Estimator, errors: StandardErrors, sets: Whole
) -> Spread:
    """Return how uncertain a comparison is.

    Placebo (Algorithm 4 of Arkhangelsky et al. 2021): donors in the place of the treated, as many as there are of them,
    compared with the other donors; the standard deviation of what they show, about its mean and over the number of
    runs. With one treated unit every donor has its turn, and nothing is random. Jackknife: Algorithm 3.

    Parameters
    ----------
    design : DonorFields
        How weights are chosen.
    units : Units
        The units.
    found : Contrast
        Their comparison.
    estimator, errors : str
        How it was estimated, and how uncertainty is measured.
    sets : ndarray of int, shape (r, treated units)
        Donors that take the place of the treated in each run.
    """
    block, after = units.block, slice(found.n_before, None)
    n = len(units.rows)
    if errors == "jackknife":
        paths = leave_one_out(block, found)
        factor, owners = (n - 1) / n, np.arange(n)
        return _spread(paths, paths, after, n, owners, factor * n, np.zeros(0))
    recipe = recipe_of(design, estimator)
    paths = placebo_paths(block, recipe, sets)
    alone = paths
    if units.n_treated > 1:  # One donor at a time tells how much each has to do with the error.
        alone = placebo_paths(block, recipe, np.arange(units.n_donors)[:, None])
    misfits = np.sqrt((paths[:, : found.n_before] ** 2).mean(axis=1))
    return _spread(paths, alone, after, n, np.flatnonzero(~block.treated), 1.0, misfits)


def _spread(paths: Array, alone: Array, after: slice, n: int, owners: Whole, factor: float, misfits: Array) -> Spread:
    """Return errors from the variance of the paths, shape (r, t), and shares of the units from one path for each."""
    effects = paths[:, after].mean(axis=1)
    path_errors = np.sqrt(factor * paths.var(axis=0))
    effect_error = float(np.sqrt(factor * effects.var()))
    own = alone - alone.mean(axis=0)
    own_effects = own[:, after].mean(axis=1)
    path_influence, effect_influence = np.zeros((n, paths.shape[1])), np.zeros(n)
    lengths = np.linalg.norm(own, axis=0)
    path_influence[owners] = own * np.divide(path_errors, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    length = float(np.linalg.norm(own_effects))
    effect_influence[owners] = own_effects * (effect_error / length if length > 0 else 0.0)
    # Rounding alone is no spread.
    scale = 1e-12 * float(np.abs(paths).max(initial=0.0))
    return Spread(
        effect_error if effect_error > scale else 0.0,
        np.where(path_errors > scale, path_errors, 0.0),
        effect_influence,
        path_influence,
        misfits,
    )


def _warnings_about_data(design: DonorFields, units: Units) -> Iterator[str]:
    """Give what the reader must know about who and what is compared."""
    if units.without_outcome.any():
        yield (
            "Some units have no outcome in a period that is needed; they are left out. If they went missing because of "
            "what happened there, the estimate is biased."
        )
    if units.without_predictor.any():
        yield "Some units lack one of the predictors and are left out."
    if units.n_later:
        yield "The data also hold periods after the outcome's own; they are not used."
    if units.n_treated == 1:
        yield (
            "One place alone is treated: whatever else happened there at the same time, and nowhere else, counts as "
            "effect."
        )
        if (units.n_donors + 1) * (1 - design.confidence) < 1 - 1e-9:
            yield (
                "There are so few donors that even the most extreme rank among the placebos could come about by chance "
                "more often than the level of confidence allows; the interval rests on the shape of a t distribution."
            )
    if any(errors == "jackknife" for _, errors in design.terms):
        yield "The jackknife needs a good number of treated units; with few, it is a rough guide."
    if units.block.n_before < _ENOUGH_BEFORE:
        yield (
            f"There are fewer than {_ENOUGH_BEFORE} periods before the start: a mix that fits them may do so by luck, "
            "and shows little about what would have followed."
        )


def _warnings_about_fit(estimator: Estimator, units: Units, found: Contrast, spread: Spread) -> Iterator[str]:
    """Give what the periods before the start say about the mix."""
    block = units.block
    if estimator == "synthetic_control":
        outside = outside_range(block)
        if outside.n_outside:
            yield (
                f"In {outside.n_outside} of {block.n_before} periods before the start the treated lie above every "
                f"donor or below every donor, by up to {outside.farthest / block.noise:.1f} times a donor's usual "
                "change from one period to the next: no mix of donors can reach them there."
            )
        if found.misfit_before < _EXACT * block.noise:
            yield (
                "Some mix of donors meets the treated exactly in every period before the start. With so many donors "
                "for so few periods that is bound to happen, and no evidence that the mix is right."
            )
    if len(spread.placebo_misfits) and found.misfit_before > 2 * float(np.median(spread.placebo_misfits)):
        yield (
            "Before the start the mix follows the treated less than half as closely as it follows the usual donor in "
            "its placebo run. The placebos then understate the uncertainty, and the effect may be a gap that was there "
            "all along."
        )
