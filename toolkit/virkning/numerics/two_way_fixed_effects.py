"""The regression that was long used when a programme starts at different times, and what its coefficient is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Kind = Literal["treated against never treated", "earlier against later", "later against earlier"]
KINDS: tuple[Kind, ...] = ("treated against never treated", "earlier against later", "later against earlier")
# Relative to the squares of the treatment: less than this is rounding.
_NOTHING_LEFT = 1e-10


@dataclass(frozen=True)
class TwoWay:
    """The coefficient of treatment with effects of persons and periods.

    Attributes
    ----------
    value : float
        In the outcome's unit.
    influence : ndarray, shape (n,)
        Each person's share in the error: the variance, clustered by person, is the sum of squares.
    """

    value: float
    influence: Array


def is_on(cohort: Whole, n_periods: int) -> NDArray[np.bool_]:
    """Tell, by person and period, whether the programme has started, shape (n, periods)."""
    result: NDArray[np.bool_] = np.arange(n_periods)[None, :] >= cohort[:, None]
    return result


def two_way_fixed_effects(outcome: Array, cohort: Whole) -> TwoWay | None:
    """Return the coefficient of «has started» in a regression with an effect for each person and for each period.

    None when treatment does not vary beyond persons and periods.

    Parameters
    ----------
    outcome : ndarray, shape (n, periods)
        NaN where nothing was measured.
    cohort : ndarray of int, shape (n,)
        Position of the period of the start; the number of periods for those who did not start.
    """
    n, n_periods = outcome.shape
    seen = np.isfinite(outcome)
    counts = np.maximum(seen.sum(axis=1), 1)

    def without_persons(values: Array) -> Array:
        kept = np.where(seen, values, 0.0)
        return np.where(seen, kept - (kept.sum(axis=1) / counts)[:, None], 0.0).ravel()

    each_period = np.eye(n_periods)[1:]
    periods = np.column_stack([without_persons(np.tile(row, (n, 1))) for row in each_period])
    started = without_persons(is_on(cohort, n_periods).astype(float))
    length = float(started @ started)
    started = started - periods @ np.linalg.lstsq(periods, started, rcond=None)[0]
    left = float(started @ started)
    if left <= _NOTHING_LEFT * length or length == 0:
        return None
    values = without_persons(outcome)
    slope = float(started @ values) / left
    rest = values - slope * started
    rest = rest - periods @ np.linalg.lstsq(periods, rest, rcond=None)[0]
    return TwoWay(slope, (started * rest).reshape(n, n_periods).sum(axis=1) / left)


@dataclass(frozen=True)
class Comparisons:
    """The two-by-two comparisons of which the coefficient is the weighted mean (Goodman-Bacon 2021).

    Attributes
    ----------
    kind : tuple of str, length k
        Who is compared with whom.
    treated, control : ndarray of int, shape (k,)
        Positions of the cohorts.
    weight : ndarray, shape (k,)
        Sums to one.
    value : ndarray, shape (k,)
        Difference in differences, in the outcome's unit.
    """

    kind: tuple[Kind, ...]
    treated: Whole
    control: Whole
    weight: Array
    value: Array


def goodman_bacon(outcome: Array, cohort: Whole) -> Comparisons:
    """Return every two-by-two comparison behind the coefficient of :func:`two_way_fixed_effects`, with its weight.

    Parameters
    ----------
    outcome : ndarray, shape (n, periods)
        Without gaps.
    cohort : ndarray of int, shape (n,)
        Position of the period of the start, at least 1; the number of periods for those who did not start.
    """
    n_periods = outcome.shape[1]
    groups = [int(each) for each in np.unique(cohort)]
    means = {each: outcome[cohort == each].mean(axis=0) for each in groups}
    size = {each: float((cohort == each).mean()) for each in groups}
    on = {each: 1 - each / n_periods for each in groups}
    found: list[tuple[Kind, int, int, float, float]] = []

    def change(each: int, before: slice, after: slice) -> float:
        return float(means[each][after].mean() - means[each][before].mean())

    for first in groups:
        for second in groups:
            if second <= first or first >= n_periods:
                continue
            product = size[first] * size[second]
            before, after = slice(0, first), slice(first, second)
            value = change(first, before, after) - change(second, before, after)
            if second >= n_periods:
                found.append((KINDS[0], first, second, product * on[first] * (1 - on[first]), value))
                continue
            found.append((KINDS[1], first, second, product * (on[first] - on[second]) * (1 - on[first]), value))
            before, after = slice(first, second), slice(second, n_periods)
            value = change(second, before, after) - change(first, before, after)
            found.append((KINDS[2], second, first, product * on[second] * (on[first] - on[second]), value))
    weight = np.array([item[3] for item in found])
    return Comparisons(
        kind=tuple(item[0] for item in found),
        treated=np.array([item[1] for item in found], dtype=np.int64),
        control=np.array([item[2] for item in found], dtype=np.int64),
        weight=weight / weight.sum(),
        value=np.array([item[4] for item in found]),
    )
