"""From the least to the most vulnerable: the effect by number of signs, and how much reaches those most in need."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..data import Tables
from ..designs import EvaluationDesign
from ..estimates import Estimate
from ..numerics.ratio import fieller
from .definitions import Booleans, Signs, Vulnerability, count_signs
from .effects import Cases, covariance_between, effect_among, freedom_of, rows_of, with_persons
from .level_results import NOT_KNOWN, LevelResults, Mean, Quarter, Trend

Array = NDArray[np.float64]
QUARTER = 0.25
# Levels with fewer persons in a group, or whose means rest on fewer of them (those whose outcome is not the commonest
# one), are put together with a neighbour: a sum over levels then gives nobody away.
LEAST_PERSONS, LEAST_BEHIND = 20, 10
_NO_LEVELS = "There are too few persons to tell levels of vulnerability apart."
_GAP = "At least one level has no estimate of its own, so the levels cannot be added up."
_ALONE = "This design does not tell how the effects of two groups vary together, so they cannot be added up."


@dataclass(frozen=True)
class _Sums:
    """The effects of the levels, ready to be added up with any weights."""

    values: Array
    covariance: Array
    freedom: float
    level: float

    @classmethod
    def of(cls, found: Mapping[str, Estimate], covariance: Array, level: float) -> _Sums:
        values = np.array([estimate.headline().value for estimate in found.values()])
        return cls(values, covariance, freedom_of(found), level)

    @property
    def reach(self) -> float:
        """Standard errors on each side of an interval."""
        chance = 0.5 + self.level / 2
        return float(stats.norm.ppf(chance) if math.isinf(self.freedom) else stats.t.ppf(chance, self.freedom))

    def mean(self, weights: Array) -> Mean:
        """Return the weighted mean of the effects with its interval."""
        share = weights / weights.sum()
        value, error = float(share @ self.values), math.sqrt(float(share @ self.covariance @ share))
        return Mean(value, error, value - self.reach * error, value + self.reach * error)


def estimate_levels(
    design: EvaluationDesign, tables: Tables, vulnerability: Vulnerability, overall: Estimate, *, seed: int = 0
) -> LevelResults:
    """Estimate the effect on the primary outcome by number of signs of vulnerability.

    Sums over levels count the persons in the programme's group who have an outcome; their numbers are taken as given.

    Parameters
    ----------
    design, tables
        A sound design and its data.
    vulnerability : Vulnerability
        The declared index.
    overall : Estimate
        The effect on everybody.
    seed : int
        For designs that need random numbers.
    """
    measure = next(iter(tables.measures))
    cases, signs = Cases.of(design, tables, measure), count_signs(tables.participants, vulnerability)
    bins = _bins(cases, signs, len(vulnerability.components))
    rows: list[tuple[object, ...]] = []
    found: dict[str, Estimate] = {}
    for name, members in bins.items():
        result = effect_among(design, tables, measure, members, seed)
        if isinstance(result, Estimate):
            found[name] = result
        rows.append((name, *rows_of(result, cases.counts(members), cases.behind(members))))
    unknown = (signs.n_unknown > 0) & cases.has_outcome
    if unknown.any():
        reason = "Some of their signs are not known."
        rows.append((NOT_KNOWN, *rows_of(reason, cases.counts(unknown), cases.behind(unknown))))
    frame = with_persons(rows, ["level"])
    is_whole = len(found) == len(bins) >= 2
    covariance = covariance_between(found) if is_whole else None
    if covariance is None:
        why = _NO_LEVELS if len(bins) < 2 else _GAP if len(found) < len(bins) else _ALONE
        return LevelResults(frame=frame, overall=overall, vulnerability=vulnerability, reason=why)
    sums = _Sums.of(found, covariance, design.confidence)
    in_programme = [members & cases.has_outcome & cases.treated for members in bins.values()]
    reached = np.array([cases.sizes[each].sum() for each in in_programme], dtype=float)
    return LevelResults(
        frame=frame,
        overall=overall,
        vulnerability=vulnerability,
        trend=_trend(sums, reached, [_mean(signs.n[each], cases.sizes[each]) for each in in_programme]),
        everyone=sums.mean(reached),
        quarter=_quarter(sums, reached),
        need=_need(sums, reached, [(signs.n[each], cases.sizes[each]) for each in in_programme], vulnerability),
    )


def _bins(cases: Cases, signs: Signs, most: int) -> dict[str, Booleans]:
    """Return who belongs to each level, from no sign upwards; small levels are joined with a neighbour.

    The persons on whom the means rest decide, never which outcomes they have. The neighbour is the one nearer to the
    middle. Whoever has a sign of which nobody knows is in no level.
    """
    known = signs.n_unknown == 0
    bins = [(low, low) for low in range(most + 1)]

    def members(low: int, high: int) -> Booleans:
        chosen: Booleans = known & (signs.n >= low) & (signs.n <= high)
        return chosen

    arms = [arm for arm, n in enumerate(cases.counts(known)) if n > 0]

    def smallest(each: tuple[int, int]) -> float:
        counts, behind = cases.counts(members(*each)), cases.behind(members(*each))
        return min((min(counts[arm] / LEAST_PERSONS, behind[arm] / LEAST_BEHIND) for arm in arms), default=0.0)

    while len(bins) > 1:
        sizes = [smallest(each) for each in bins]
        place = int(np.argmin(sizes))
        if sizes[place] >= 1:
            break
        is_upper = place > (len(bins) - 1) / 2 or place == len(bins) - 1
        first = place - 1 if is_upper else place
        bins[first : first + 2] = [(bins[first][0], bins[first + 1][1])]
    return {_name(low, high, most): members(low, high) for low, high in bins}


def _name(low: int, high: int, most: int) -> str:
    """Return what a level is called.

    >>> _name(0, 0, 5), _name(1, 1, 5), _name(2, 3, 5), _name(4, 5, 5), _name(3, 3, 3)
    ('No sign', '1 sign', '2 to 3 signs', '4 or more signs', '3 signs')
    """
    if low == high:
        return "No sign" if low == 0 else f"{low} sign" if low == 1 else f"{low} signs"
    if low == 0:
        return "Any number of signs" if high == most else f"At most {high} sign{'' if high == 1 else 's'}"
    return f"{low} or more signs" if high == most else f"{low} to {high} signs"


def _mean(values: NDArray[np.int64], sizes: NDArray[np.int64]) -> float:
    return float(np.average(values, weights=sizes)) if len(values) else 0.0


def _trend(sums: _Sums, reached: Array, n_signs: Sequence[float]) -> Trend | None:
    """Return how much the effect grows with one more sign: a line through the levels' effects, weighted by persons."""
    x = np.asarray(n_signs, dtype=float)
    distance = reached * (x - np.average(x, weights=reached))
    scale = float(distance @ x)
    if scale <= 0:
        return None
    slope = distance / scale
    value, error = float(slope @ sums.values), math.sqrt(float(slope @ sums.covariance @ slope))
    distance_in_errors = abs(value) / error
    tail = (
        stats.norm.sf(distance_in_errors) if math.isinf(sums.freedom) else stats.t.sf(distance_in_errors, sums.freedom)
    )
    return Trend(value, error, value - sums.reach * error, value + sums.reach * error, 2 * float(tail))


def _quarter(sums: _Sums, reached: Array) -> Quarter:
    """Return what reaches the quarter of the programme's persons who have most signs.

    A level that lies across the border counts with the part of its persons that fills the quarter: within a level the
    index ranks nobody above another.
    """
    inside, left = np.zeros(len(reached)), QUARTER * float(reached.sum())
    for place in range(len(reached) - 1, -1, -1):
        inside[place] = min(float(reached[place]), left)
        left -= inside[place]
    both = np.vstack([inside, reached])
    upper_part, lower_part = (both @ sums.values).tolist()
    share = fieller(upper_part, lower_part, both @ sums.covariance @ both.T, sums.level, sums.freedom)
    return Quarter(sums.mean(inside), share)


def _need(
    sums: _Sums,
    reached: Array,
    persons: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    vulnerability: Vulnerability,
) -> Mean | None:
    """Return the mean effect when persons count by their need; None when no weights are declared, or all are zero."""
    if vulnerability.need_weights is None:
        return None
    declared = np.asarray(vulnerability.need_weights, dtype=float)
    weights = np.array([float((declared[n] * sizes).sum()) for n, sizes in persons])
    return sums.mean(weights) if weights.sum() > 0 and reached.sum() > 0 else None
