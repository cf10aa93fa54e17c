"""What a before-and-after comparison shows beside its change: the mean by period, and what was to be expected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from .. import language
from ..disclosure import Column, Table
from ..estimand import Outcome
from ..estimates import Estimate
from ..numerics.before_and_after import mean_of
from ..numerics.concentration import persons_behind_mean
from .findings import Drawing, Finding
from .paths import PERSONS, axis_of, value_columns
from .steps import RETURN

Array = NDArray[np.float64]

_WAYS = {"two periods": "by the period before the last", "declared": "by the declared reliability"}


def path(wide: Array, periods: Sequence[str], estimate: Estimate, outcome: Outcome) -> Finding:
    """Return the mean of those who were followed, by period.

    Parameters
    ----------
    wide : ndarray, shape (n, periods)
        Outcomes of those whom the change is taken from, in the outcome's unit; NaN where an earlier one is not known.
    periods : sequence of str
        Names of the periods, those before the start first, then one after it.
    estimate : Estimate
        The change.
    outcome : Outcome
        As declared.
    """
    axis = axis_of(periods, len(periods) - 1)
    rows = []
    for name, column in zip(periods, wide.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known) > 1:
            mean = mean_of(known)
            reach = float(stats.t.ppf(0.5 + estimate.level / 2, mean.degrees_of_freedom)) * mean.std_error
            rows.append((name, mean.value, mean.value - reach, mean.value + reach, persons_behind_mean(known)))
    numbers = pd.DataFrame(rows, columns=["period", "mean", "lower", "upper", PERSONS])
    frame = axis.frame(numbers["period"].tolist()).merge(numbers, on="period", validate="1:1")
    labels = {"mean": "Mean", "lower": "From", "upper": "To"}
    level = language.number(estimate.level * 100)
    before = estimate.comparison_mean
    after = before + estimate.headline().value
    caption = f"{outcome.label}: mean of the participants by period, with {level}% confidence intervals"
    return Finding(
        name="mean-by-period",
        question="How did the participants fare over time?",
        explanation="The mean outcome in each period, of those whose outcome is known before and after. A dip just "
        "before the start is a sign of a bad spell that would have passed by itself.",
        sentence=f"From {periods[-2]} to {periods[-1]} the mean went from {estimate.in_words(before)} to "
        f"{estimate.in_words(after)}. Nobody shows where it would have gone without the programme.",
        table=Table(
            "mean-by-period",
            caption,
            (
                *axis.columns,
                *value_columns(outcome, float(frame["mean"].abs().max()), labels, are_differences=False),
            ),
            frame,
        ),
        drawing=Drawing(
            axis.x,
            "mean",
            f"{caption}. Dotted line: the start of the programme.",
            lower="lower",
            upper="upper",
            start=axis.start,
            names_x=True,
        ),
    )


def parts(wide: Array, estimate: Estimate, outcome: Outcome) -> Finding | None:
    """Return the change and the part of it that regression to the mean could explain; None where nothing tells it.

    Parameters
    ----------
    wide : ndarray, shape (n, periods)
        As for :func:`path`.
    estimate : Estimate
        Holds the terms ``return, …`` and ``change beyond return, …``.
    outcome : Outcome
        As declared.
    """
    effects = estimate.effects.set_index("term")
    ways = [way for way in _WAYS if f"{RETURN}, {way}" in effects.index]
    if not ways:
        return None
    labels = {"value": "Value", "lower": "From", "upper": "To"}
    rows: list[tuple[str, str, float, float | None, float | None, int]] = []
    said = []
    for way in ways:
        # The level before the last period is not known for everybody.
        part = np.isfinite(wide[:, -3]) if way == "two periods" else np.ones(len(wide), dtype=bool)
        change = float((wide[part, -1] - wide[part, -2]).mean())
        rows.append((_WAYS[way], "Change", change, None, None, int(part.sum())))
        for term, label in ((f"{RETURN}, {way}", "Return to be expected"), (f"change beyond return, {way}", "Left")):
            value, lower, upper = (float(effects[name].loc[term]) for name in labels)
            rows.append((_WAYS[way], label, value, lower, upper, int(part.sum())))
        said.append(f"{_WAYS[way][:1].upper()}{_WAYS[way][1:]}, {_share(rows[-2][2], change, estimate)}.")
    frame = pd.DataFrame(rows, columns=["way", "part", *labels, PERSONS])
    level = language.number(estimate.level * 100)
    return Finding(
        name="regression-to-the-mean",
        question="How much of the change was to be expected without any programme?",
        explanation="People often enter when things are unusually bad, and come back by themselves: regression to the "
        "mean. The return to be expected is told from the period before the last one, if there is one, and from a "
        "declared reliability and usual level, if they are named.",
        sentence=" ".join([*said, "Whatever else changed meanwhile is in what is left, and no figure here tells it."]),
        table=Table(
            "regression-to-the-mean",
            f"{outcome.label}: the change and the part of it that regression to the mean could explain, with {level}% "
            "confidence intervals",
            (
                Column("way", "How it is known"),
                Column("part", "Part"),
                *value_columns(outcome, float(frame["value"].abs().max()), labels, are_differences=True),
            ),
            frame,
        ),
    )


def _share(expected: float, change: float, estimate: Estimate) -> str:
    """Return in words how much of the change the expected return could explain."""
    amounts = f"{estimate.in_words(expected)} of {estimate.in_words(change)}"
    if expected * change <= 0:
        return (
            f"a change of {estimate.in_words(expected)} was to be expected, against {estimate.in_words(change)} that "
            "was seen: regression to the mean explains none of it"
        )
    if abs(expected) >= abs(change):
        return f"regression to the mean could explain the whole change ({amounts})"
    return f"regression to the mean could explain {expected / change:.0%} of the change ({amounts})"
