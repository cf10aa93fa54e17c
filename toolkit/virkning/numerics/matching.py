"""Nearest neighbours on one score, and the errors that matching leaves behind (Abadie and Imbens 2006)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .ranking import rising

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Whole = NDArray[np.int64]
Ties = Literal["all", "first", "random"]
Order = Literal["largest", "smallest", "data"]

# Two equal scores must count as tied whatever the rounding of their difference.
_ROUNDING = 1e-12
# Targets that are worked on together.
_BLOCK = 8_192


@dataclass(frozen=True)
class Rules:
    """How neighbours are chosen.

    Attributes
    ----------
    neighbours : int
        How many for each person, at least 1.
    caliper : float, optional
        Largest distance, in standard deviations of the score.
    ties : str
        ``all``: everybody whose squared standardised distance is within ``tolerance`` of the last neighbour's counts
        too, with equal shares (Sekhon 2011). ``first``: the earlier row wins. ``random``: a draw decides.
    tolerance : float
        In squared standard deviations of the score.
    order : str
        Without replacement: who chooses first, by score or by row.
    """

    neighbours: int = 1
    caliper: float | None = None
    ties: Ties = "all"
    tolerance: float = 1e-5
    order: Order = "largest"


@dataclass(frozen=True)
class Matches:
    """The neighbours of some persons, the targets, among others, the pool.

    Attributes
    ----------
    flat : ndarray of int
        Rows of the pool, laid out so that the neighbours of a target stand together.
    lower, upper : ndarray of int, shape (targets,)
        The neighbours of target t are ``flat[lower[t]:upper[t]]``, with equal shares; none when both are equal.
    n_pool : int
        Size of the pool.
    """

    flat: Whole
    lower: Whole
    upper: Whole
    n_pool: int

    @cached_property
    def counts(self) -> Whole:
        """Neighbours of each target, shape (targets,)."""
        return self.upper - self.lower

    @cached_property
    def _share(self) -> Array:
        """The share of each of a target's neighbours; zero without neighbours."""
        result: Array = np.where(self.counts > 0, 1.0 / np.maximum(self.counts, 1), 0.0)
        return result

    @cached_property
    def _is_covered(self) -> Booleans:
        """Which places of ``flat`` are anybody's neighbour."""
        size = len(self.flat) + 1
        steps = np.bincount(self.lower, minlength=size) - np.bincount(self.upper, minlength=size)
        return np.cumsum(steps)[:-1] > 0

    def mean_of(self, values: Array) -> Array:
        """Return the mean of a value of the pool over each target's neighbours; zero without neighbours."""
        # Sums of deviations, since differences of large running sums would lose digits.
        centre = float(values.mean())
        running = np.zeros(len(self.flat) + 1)
        np.cumsum(values[self.flat] - centre, out=running[1:])
        means: Array = (running[self.upper] - running[self.lower]) * self._share
        means[self.counts > 0] += centre
        return means

    def used(self, power: int = 1) -> Array:
        """Return the sum, over the targets, of the shares (to a power) with which each of the pool is used."""
        return self.spread(self._share ** (power - 1))

    def spread(self, values: Array) -> Array:
        """Return what each of the pool gets when every target divides its value among its neighbours, shape (pool,).

        Products with it are those with :meth:`mean_of`: ``values @ mean_of(other)`` is ``spread(values) @ other``.
        """
        size, parts = len(self.flat) + 1, values * self._share
        by_place = np.bincount(self.lower, weights=parts, minlength=size)
        by_place -= np.bincount(self.upper, weights=parts, minlength=size)
        # A running sum leaves dust where nobody is used.
        covering = np.where(self._is_covered, np.cumsum(by_place)[:-1], 0.0)
        return np.bincount(self.flat, weights=covering, minlength=self.n_pool).astype(np.float64, copy=False)


def nearest(
    targets: Array,
    pool: Array,
    rules: Rules,
    cells: tuple[Whole, Whole],
    scale: float,
    orders: tuple[Whole, Whole] | None = None,
) -> Matches:
    """Return each target's nearest neighbours, every one of the pool as often as needed (with replacement).

    Parameters
    ----------
    targets, pool : ndarray, shapes (t,) and (p,)
        Scores.
    rules : Rules
        With ``ties="all"``; see :func:`nearest_few` for the others.
    cells : tuple of ndarray of int
        Codes of the exact cells of the targets and of the pool; neighbours have the same code.
    scale : float
        The standard deviation of the score, which distances are measured in.
    orders : tuple of ndarray of int, optional
        Rows of the targets and of the pool by rising score, equal scores by row, where somebody has sorted them before.
    """
    if orders is None:
        of_pool = rising(pool)
        orders = (of_pool if targets is pool else rising(targets), of_pool)
    lower, upper = np.zeros(len(targets), dtype=np.int64), np.zeros(len(targets), dtype=np.int64)
    flat: list[Whole] = []
    start = 0
    for ascending, chosen in _by_cell(orders, cells):
        flat.append(chosen)
        if len(chosen):
            low, high = _ranges(targets[ascending] / scale, pool[chosen] / scale, rules)
            lower[ascending], upper[ascending] = start + low, start + high
        start += len(chosen)
    return Matches(np.concatenate(flat) if flat else np.zeros(0, dtype=np.int64), lower, upper, len(pool))


def _by_cell(orders: tuple[Whole, Whole], cells: tuple[Whole, Whole]) -> Iterator[tuple[Whole, Whole]]:
    """Give, for each exact cell, the rows of its targets and of its pool by rising score."""
    if len(cells[0]) and all((of == cells[0][0]).all() for of in cells):
        yield orders
        return
    for code in np.unique(cells[0]):
        ascending, chosen = (order[of[order] == code] for order, of in zip(orders, cells, strict=True))
        yield ascending, chosen


def _ranges(wanted: Array, sorted_scores: Array, rules: Rules) -> tuple[Whole, Whole]:
    """Return the first place among rising scores that each target takes in, and the place after the last one.

    Targets rise too, so those who are worked on together lie near each other, and so does whatever they need.
    """
    m = min(rules.neighbours, len(sorted_scores))
    edge = np.full(m, np.inf)
    padded = np.concatenate([-edge, sorted_scores, edge])
    low, high = np.empty((2, len(wanted)), dtype=np.int64)
    for start in range(0, len(wanted), _BLOCK):
        block = slice(start, start + _BLOCK)
        some = wanted[block]
        reach = _reach(some, padded, m, _places(sorted_scores, some, "left"), rules)
        low[block] = _places(sorted_scores, some - reach, "left")
        high[block] = np.maximum(low[block], _places(sorted_scores, some + reach, "right"))
    return low, high


def _places(ascending: Array, keys: Array, side: Literal["left", "right"]) -> Whole:
    """Return where keys, which are near each other, belong among rising numbers: looked up in the part between."""
    first, last = np.searchsorted(ascending, [keys.min(), keys.max()], side=side)
    result: Whole = first + np.searchsorted(ascending[first:last], keys, side=side)
    return result


def _reach(wanted: Array, padded: Array, m: int, place: Whole, rules: Rules) -> Array:
    """Return how far each target looks, in standard deviations: to its last neighbour and those tied with it.

    ``padded`` holds the rising scores between ``m`` infinite ones on either side; ``place`` is where a target belongs
    among the scores.
    """
    place = place + m
    below = [np.abs(padded[place - 1 - step] - wanted) for step in range(m)]
    above = [np.abs(padded[place + step] - wanted) for step in range(m)]
    furthest = _smallest_of_two(below, above, m)
    if rules.caliper is not None:
        # Within a caliper there may be fewer than wanted: then the last one there is.
        limit = rules.caliper * (1 + _ROUNDING)
        for count in range(m - 1, 0, -1):
            furthest = np.where(furthest <= limit, furthest, _smallest_of_two(below, above, count))
        furthest = np.where(furthest <= limit, furthest, np.inf)
    found = np.isfinite(furthest)
    reach = np.sqrt(np.where(found, furthest, 0.0) ** 2 + rules.tolerance) * (1 + _ROUNDING) + _ROUNDING
    if rules.caliper is not None:
        reach = np.minimum(reach, rules.caliper * (1 + _ROUNDING))
    result: Array = np.where(found, reach, -1.0)
    return result


def _smallest_of_two(below: Sequence[Array], above: Sequence[Array], count: int) -> Array:
    """Return the distance of the last of the ``count`` nearest, of whom some are below and the others above.

    Both lists rise. Whatever the number from below, the furthest of those taken is no nearer than the answer, and for
    the right number it is the answer.
    """
    found = np.minimum(below[count - 1], above[count - 1])
    for step in range(1, count):
        found = np.minimum(found, np.maximum(below[step - 1], above[count - step - 1]))
    return found


def nearest_few(
    targets: Array,
    pool: Array,
    rules: Rules,
    cells: tuple[Whole, Whole],
    scale: float,
    *,
    is_replaced: bool,
    generator: np.random.Generator,
) -> Matches:
    """Return at most ``neighbours`` for each target, ties broken by row or by a draw; parameters as in :func:`nearest`.

    Without replacement the targets choose in the order of the rules, greedily: nobody's choice is undone for another.
    """
    lottery = generator.permutation(len(pool)) if rules.ties == "random" else np.arange(len(pool))
    free = np.ones(len(pool), dtype=bool)
    chosen: list[Whole] = [np.zeros(0, dtype=np.int64)] * len(targets)
    places_of = {code: np.flatnonzero(cells[1] == code) for code in np.unique(cells[0])}
    for row in _turns(targets, rules.order):
        places = places_of[cells[0][row]]
        places = places[free[places]]
        squared = ((pool[places] - targets[row]) / scale) ** 2
        if rules.caliper is not None:
            inside = squared <= rules.caliper**2 * (1 + _ROUNDING)
            places, squared = places[inside], squared[inside]
        if not len(places):
            continue
        m = min(rules.neighbours, len(places))
        last = np.partition(squared, m - 1)[m - 1]
        # Nearer than the last one by more than the tolerance is certain; the rest of the places go by the tie rule.
        tied = np.abs(squared - last) <= rules.tolerance * (1 + _ROUNDING)
        certain = places[(squared < last) & ~tied]
        others = places[tied]
        chosen[row] = np.concatenate([certain, others[np.argsort(lottery[others])][: m - len(certain)]])
        if not is_replaced:
            free[chosen[row]] = False
    ends = np.cumsum([len(rows) for rows in chosen], dtype=np.int64)
    return Matches(np.concatenate(chosen), np.concatenate([[0], ends[:-1]]).astype(np.int64), ends, len(pool))


def _turns(targets: Array, order: Order) -> Whole:
    if order == "data":
        return np.arange(len(targets))
    return np.argsort(-targets if order == "largest" else targets, kind="stable")


@dataclass(frozen=True)
class MatchedEffect:
    """What matching estimates.

    Attributes
    ----------
    value, std_error : float
        In the outcome's unit.
    comparison_mean : float
        What the persons of the estimand would have had without the programme.
    influence : ndarray, shape (n,)
        Each person's share in the error; the squares add up to the squared error.
    weights : ndarray, shape (n,)
        With which each person's outcome enters the two means; zero for those who are not used.
    n_pairs : int
        Pairs, ties counted singly.
    unmatched : ndarray of bool, shape (n,)
        Persons for whom somebody was sought and nobody was near enough.
    """

    value: float
    std_error: float
    comparison_mean: float
    influence: Array
    weights: Array
    n_pairs: int
    unmatched: Booleans


def matched_effect(
    outcome: Array,
    treated: Booleans,
    to_comparison: Matches,
    to_treated: Matches | None,
    residual_variance: tuple[Array, Array] | None = None,
) -> MatchedEffect:
    """Return the effect on the treated, or on everybody, with the error of Abadie and Imbens (2006).

    Parameters
    ----------
    outcome : ndarray, shape (n,)
    treated : ndarray of bool, shape (n,)
    to_comparison : Matches
        Neighbours of the treated in the comparison group.
    to_treated : Matches, optional
        Neighbours of the comparison group among the treated; given, the effect is that on everybody.
    residual_variance : tuple of ndarray, shapes (n,), optional
        Each person's signed residual and its square, from :func:`own_residuals`. Without, one variance for all from
        the spread of the effects over the pairs, as R's Matching has it by default.

    Returns
    -------
    MatchedEffect
        The variance is the population's: it contains how the effect differs between persons.
    """
    one, zero = np.flatnonzero(treated), np.flatnonzero(~treated)
    sides = [(one, zero, to_comparison, 1.0)] + ([] if to_treated is None else [(zero, one, to_treated, -1.0)])
    gain, is_used = np.zeros(len(outcome)), np.zeros(len(outcome), dtype=bool)
    use, use_squared = np.zeros(len(outcome)), np.zeros(len(outcome))
    pair_square = np.zeros(len(outcome))
    for rows, pool, matches, sign in sides:
        is_used[rows] = matches.counts > 0
        there = matches.mean_of(outcome[pool])
        gain[rows] = sign * (outcome[rows] - there)
        use[pool], use_squared[pool] = matches.used(), matches.used(2)
        if residual_variance is None:
            spread = matches.mean_of((outcome[pool] - outcome.mean()) ** 2)
            pair_square[rows] = spread - (there - outcome.mean()) ** 2
    n = int(is_used.sum())
    value = float(gain[is_used].mean())
    deviation = np.where(is_used, gain - value, 0.0)
    residual, variance = (
        residual_variance
        if residual_variance is not None
        else _common(outcome, treated, 0.5 * float((deviation**2 + np.where(is_used, pair_square, 0.0)).sum()) / n)
    )
    own = is_used.astype(float) if to_treated is not None else np.zeros(len(outcome))
    # For the effect on everybody a person's own outcome counts too: (1 + use)² - 1 - use².
    factor = np.maximum(use**2 + 2 * use * own - use_squared, 0.0)
    total = float((deviation**2).sum() + (factor * variance).sum()) / n**2
    side = np.where(treated, 1.0, -1.0)
    influence = (deviation + side * (np.sqrt(own + factor) - own) * residual) / n
    size = float((influence**2).sum())
    weights = use + np.where(treated | (to_treated is not None), is_used, False)
    return MatchedEffect(
        value=value,
        std_error=float(np.sqrt(total)),
        comparison_mean=float(np.average(outcome[~treated], weights=weights[~treated])),
        influence=influence * np.sqrt(total / size) if size > 0 else influence,
        weights=weights,
        n_pairs=int(sum(int(matches.counts.sum()) for _, _, matches, _ in sides)),
        unmatched=(treated | (to_treated is not None)) & ~is_used,
    )


def _common(outcome: Array, treated: Booleans, variance: float) -> tuple[Array, Array]:
    """Return residuals from the arm's mean, with one variance for all."""
    residual = outcome - np.where(treated, outcome[treated].mean(), outcome[~treated].mean())
    return residual, np.full(len(outcome), variance)


def own_residuals(
    outcome: Array,
    treated: Booleans,
    score: Array,
    neighbours: int,
    scale: float,
    tolerance: float = 1e-5,
    order: Whole | None = None,
) -> tuple[Array, Array]:
    """Return each person's residual from the nearest of the same arm, scaled so that its square is the variance.

    With J others, ties included, the variance is J / (J + 1) times the squared distance to their mean. ``order`` holds
    the rows by rising score, where somebody has sorted them before.
    """
    residual = np.zeros(len(outcome))
    order = rising(score) if order is None else order
    # The nearest of all is the person, so one more is asked for and the person taken out again.
    rules = Rules(neighbours=neighbours + 1, tolerance=tolerance)
    for arm in (treated, ~treated):
        rows = order[arm[order]]
        ascending, value = score[rows], outcome[rows]
        places, no_cells = np.arange(len(rows)), np.zeros(len(rows), dtype=np.int64)
        matches = nearest(ascending, ascending, rules, (no_cells, no_cells), scale, (places, places))
        others = np.maximum(matches.counts - 1, 1)
        mean = (matches.mean_of(value) * matches.counts - value) / others
        residual[rows] = np.sqrt(others / (others + 1)) * (value - mean)
    return residual, residual**2
