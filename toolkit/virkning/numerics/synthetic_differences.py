"""Synthetic control, synthetic difference in differences and plain difference in differences, as one comparison.

All three set the treated units' mean against a mix of donors, and the periods after the start against a mix of the
periods before; they differ in who chooses the two mixes (Arkhangelsky et al. 2021). Units are rows, periods columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .donor_weights import SimplexFit, fit_importance, frank_wolfe_mix, nearest_mix, weigh_by_predictors

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Estimator = Literal["synthetic_control", "synthetic_differences", "difference_in_differences"]
Solver = Literal["exact", "frank_wolfe"]
ImportanceRule = Literal["equal", "fit", "declared"]

# Where the method as published has no ridge, one too small to show makes its weights unique.
_NO_RIDGE = 1e-6


@dataclass(frozen=True)
class Block:
    """Units that are known in every period, some of which are treated from one common start on.

    Attributes
    ----------
    outcome : ndarray, shape (n, t)
        In the outcome's unit.
    treated : ndarray of bool, shape (n,)
        Which units are treated.
    n_before : int
        Periods before the start.
    predictors : ndarray, shape (n, k)
        What donors should resemble the treated in; without columns, the outcome in every period before the start.
    """

    outcome: Array
    treated: Booleans
    n_before: int
    predictors: Array

    def only(self, chosen: Booleans | Whole) -> Block:
        """Return some of the units."""
        return replace(
            self, outcome=self.outcome[chosen], treated=self.treated[chosen], predictors=self.predictors[chosen]
        )

    def assigned(self, places: Whole) -> Block:
        """Return the same units, of which others count as treated."""
        treated = np.zeros(len(self.treated), dtype=bool)
        treated[places] = True
        return replace(self, treated=treated)

    def until(self, n_periods: int, n_before: int) -> Block:
        """Return the first periods only, with another start, and with the outcomes before it as predictors."""
        return replace(
            self, outcome=self.outcome[:, :n_periods], n_before=n_before, predictors=np.zeros((len(self.outcome), 0))
        )

    @property
    def noise(self) -> float:
        """Standard deviation of the donors' changes from one period before the start to the next."""
        changes = np.diff(self.outcome[~self.treated, : self.n_before], axis=1)
        return float(changes.std(ddof=1)) if changes.size > 1 else 0.0


@dataclass(frozen=True)
class Recipe:
    """How the weights are chosen.

    Attributes
    ----------
    estimator : str
        ``synthetic_control``, ``synthetic_differences`` or ``difference_in_differences``.
    solver : str
        ``exact``, or ``frank_wolfe`` as the R package synthdid stops.
    importance : str
        Of the predictors: ``equal``, ``fit`` or ``declared``.
    declared : ndarray, shape (k,)
        Declared importance, positive.
    noise : float, optional
        Scale of the ridge; the block's own when left out. Placebo runs keep that of the estimate.
    """

    estimator: Estimator
    solver: Solver = "exact"
    importance: ImportanceRule = "equal"
    declared: Array | None = None
    noise: float | None = None


@dataclass(frozen=True)
class Contrast:
    """The treated against the mix of donors.

    Attributes
    ----------
    donor_weights : ndarray, shape (n donors,)
        Sum to one.
    time_weights : ndarray, shape (n_before,)
        Sum to one, or all zero where the level of the donors is to be met too.
    importance : ndarray, shape (k,)
        Of the predictors, sum to one; empty without predictors.
    treated, synthetic : ndarray, shape (t,)
        Mean of the treated, and mix of the donors.
    path : ndarray, shape (t,)
        Gap between the two less the gap before the start (weighted over time): after the start, the effect by period.
    effect : float
        Mean of the path after the start.
    """

    donor_weights: Array
    time_weights: Array
    importance: Array
    treated: Array
    synthetic: Array
    path: Array
    effect: float

    @property
    def n_before(self) -> int:
        """Periods before the start."""
        return len(self.time_weights)

    @property
    def misfit_before(self) -> float:
        """Root mean square of the path before the start."""
        return float(np.sqrt(np.mean(self.path[: self.n_before] ** 2)))

    @property
    def misfit_after(self) -> float:
        """Root mean square of the path after the start."""
        return float(np.sqrt(np.mean(self.path[self.n_before :] ** 2)))


def contrast(block: Block, recipe: Recipe) -> Contrast:
    """Return the comparison of the treated with a mix of donors.

    Parameters
    ----------
    block : Block
        At least one treated unit, one donor, and two periods before the start.
    recipe : Recipe
        How the weights are chosen.

    Notes
    -----
    ``synthetic_differences`` is Algorithm 1 of Arkhangelsky et al. (2021): the ridge of the donors' weights is
    (treated units × periods after the start)^(1/4) times the noise; that of the time weights, and of a synthetic
    control of all outcomes before the start, is 1e-6 times the noise.
    """
    donors, n_before = block.outcome[~block.treated], block.n_before
    target = block.outcome[block.treated].mean(axis=0)
    noise = block.noise if recipe.noise is None else recipe.noise
    importance = np.zeros(0)
    n_donors, n_after = len(donors), block.outcome.shape[1] - n_before
    if recipe.estimator == "difference_in_differences":
        weights, times = np.full(n_donors, 1.0 / n_donors), np.full(n_before, 1.0 / n_before)
    elif recipe.estimator == "synthetic_differences":
        ridge = (block.treated.sum() * n_after) ** 0.25 * noise
        weights = _mix(donors[:, :n_before].T, target[:n_before], ridge, recipe, noise, is_centred=True)
        after = donors[:, n_before:].mean(axis=1)
        times = _mix(donors[:, :n_before], after, _NO_RIDGE * noise, recipe, noise, is_centred=True)
    else:
        times = np.zeros(n_before)
        if block.predictors.shape[1]:
            weights, importance = _by_predictors(block, recipe)
        else:
            ridge = _NO_RIDGE * noise
            weights = _mix(donors[:, :n_before].T, target[:n_before], ridge, recipe, noise, is_centred=False)
    synthetic = weights @ donors
    gap = target - synthetic
    path = gap - times @ gap[:n_before]
    return Contrast(weights, times, importance, target, synthetic, path, float(path[n_before:].mean()))


def _mix(columns: Array, target: Array, ridge: float, recipe: Recipe, noise: float, *, is_centred: bool) -> Array:
    """Return weights of the columns, shape (m, n), whose mix is nearest to the target, up to a constant if centred."""
    if is_centred:
        columns, target = columns - columns.mean(axis=0), target - target.mean()
    squared = len(target) * ridge**2
    fit: SimplexFit
    if recipe.solver == "frank_wolfe":
        fit = frank_wolfe_mix(columns, target, squared, 1e-5 * noise)
    else:
        fit = nearest_mix(columns, target, squared)
    return fit.weights


def standardised(block: Block) -> tuple[Array, Array]:
    """Return the predictors of the donors, shape (k, donors), and of the treated, shape (k,), over their spread.

    The spread is the standard deviation over all units, the treated (as one, their mean) among them.
    """
    donors, target = block.predictors[~block.treated], block.predictors[block.treated].mean(axis=0)
    spread = np.vstack([donors, target]).std(axis=0, ddof=1)
    spread = np.where(spread > 0, spread, 1.0)
    return (donors / spread).T, target / spread


def _by_predictors(block: Block, recipe: Recipe) -> tuple[Array, Array]:
    """Return the donors' weights and the importance of the predictors."""
    donors, target = standardised(block)
    if recipe.importance == "fit":
        before = block.outcome[:, : block.n_before]
        found = fit_importance(donors, target, before[~block.treated].T, before[block.treated].mean(axis=0))
        return found.weights, found.shares
    declared = np.ones(len(target)) if recipe.importance == "equal" or recipe.declared is None else recipe.declared
    shares = declared / declared.sum()
    return weigh_by_predictors(donors, target, shares), shares


def sets_of(n_units: int, size: int, limit: int, generator: np.random.Generator) -> tuple[Whole, bool]:
    """Return sets of units that could have been treated, shape (r, size), and whether they are all there are.

    Parameters
    ----------
    n_units, size : int
        Choose ``size`` of the units.
    limit : int
        All sets when there are no more than this, else this many random ones.
    generator : Generator
        Source of the random sets.
    """
    if comb(n_units, size) <= limit:
        return np.array(list(combinations(range(n_units), size)), dtype=np.int64), True
    drawn = [np.sort(generator.choice(n_units, size=size, replace=False)) for _ in range(limit)]
    return np.array(drawn, dtype=np.int64), False


def placebos(block: Block, recipe: Recipe, sets: Whole) -> Iterator[Contrast]:
    """Give the comparison as if each of the sets of units, shape (r, size), had been treated instead."""
    for places in sets:
        yield contrast(block.assigned(places), recipe)


def placebo_paths(block: Block, recipe: Recipe, sets: Whole) -> Array:
    """Return the placebo paths among the donors alone, shape (r, t); ``sets`` counts donors only."""
    donors = block.only(~block.treated)
    kept = replace(recipe, noise=block.noise if recipe.noise is None else recipe.noise)
    return np.array([each.path for each in placebos(donors, kept, sets)])


def leave_one_out(block: Block, found: Contrast) -> Array:
    """Return the path without each unit in turn, the weights kept, shape (n, t): Algorithm 3 of the same paper.

    Parameters
    ----------
    block : Block
        At least two treated units.
    found : Contrast
        With at least two donors of positive weight.
    """
    paths = np.empty(block.outcome.shape)
    donor = 0
    for place in range(len(block.outcome)):
        kept = np.arange(len(block.outcome)) != place
        weights = found.donor_weights
        if not block.treated[place]:
            weights = np.delete(weights, donor)
            donor += 1
            weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(weights), 1.0 / len(weights))
        target = block.outcome[kept & block.treated].mean(axis=0)
        gap = target - weights @ block.outcome[kept & ~block.treated]
        paths[place] = gap - found.time_weights @ gap[: block.n_before]
    return paths


@dataclass(frozen=True)
class Range:
    """How far the treated lie outside what the donors span.

    Attributes
    ----------
    n_outside : int
        Periods before the start in which the treated lie above every donor or below every donor.
    farthest : float
        The largest distance to the nearest donor in these periods, in the outcome's unit.
    """

    n_outside: int
    farthest: float


def outside_range(block: Block) -> Range:
    """Return how far the treated lie outside the donors' range before the start: no mix of donors can get there."""
    donors, n_before = block.outcome[~block.treated], block.n_before
    target = block.outcome[block.treated].mean(axis=0)[:n_before]
    above = target - donors[:, :n_before].max(axis=0)
    below = donors[:, :n_before].min(axis=0) - target
    distance = np.maximum(np.maximum(above, below), 0.0)
    # What differs by rounding only does not lie outside.
    scale = float(np.abs(block.outcome).max(initial=0.0))
    distance[distance <= 1e-12 * scale] = 0.0
    return Range(int((distance > 0).sum()), float(distance.max(initial=0.0)))
