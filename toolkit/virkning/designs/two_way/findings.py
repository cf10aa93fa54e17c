"""What a difference in differences shows beside its estimate: both groups over time, and the gap between them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ... import language
from ...disclosure import Column, Table
from ...estimand import Outcome
from ...estimates import Estimate
from ...numerics.concentration import persons_behind_mean
from ..findings import Drawing, Finding
from ..paths import PERSONS, axis_of, value_columns
from .fits import Observed
from .path import GapPath

OFFERED, COMPARED = "Offered the programme", "Comparison group"
_VALUE = {"value": "Gap", "std_error": "Standard error", "lower": "From", "upper": "To"}


def means(observed: Observed, estimate: Estimate, outcome: Outcome) -> Finding:
    """Return the mean outcome of each group in each period, as two lines.

    Parameters
    ----------
    observed : Observed
        The outcomes that are compared.
    estimate : Estimate
        Made from them.
    outcome : Outcome
        As declared.
    """
    axis = axis_of(observed.periods, observed.n_before)
    parts = []
    for side, group in ((True, OFFERED), (False, COMPARED)):
        values = [
            observed.value[(observed.period == code) & (observed.treated_rows == side)] for code in _codes(observed)
        ]
        frame = axis.frame(observed.periods).assign(group=group, mean=[each.mean() for each in values])
        parts.append(frame.assign(**{PERSONS: [persons_behind_mean(each) for each in values]}))
    frame = pd.concat(parts, ignore_index=True)
    largest = float(frame["mean"].abs().max())
    best = estimate.headline()
    table = Table(
        "group-means",
        f"{outcome.label}: mean of each group by period",
        (
            *axis.columns,
            Column("group", "Group"),
            *value_columns(outcome, largest, {"mean": "Mean"}, are_differences=False),
        ),
        frame,
    )
    return Finding(
        name="group-means",
        question="How did the two groups fare over time?",
        explanation="The mean outcome of each group in each period. What sets the groups apart all the time does no "
        "harm; the comparison group has to show how the other one would have moved without the programme.",
        sentence="The distance between the lines, after the start less before it, is what the estimate measures: "
        f"{estimate.in_words(best.value)} ({estimate.in_words(best.lower, best.upper)}).",
        table=table,
        drawing=Drawing(
            axis.x,
            "mean",
            f"{outcome.label}: mean of each group by period. Dotted line: the start of the programme.",
            series="group",
            styles={OFFERED: "line", COMPARED: "dashed"},
            start=axis.start,
            names_x=True,
        ),
    )


def path(observed: Observed, found: GapPath, estimate: Estimate, outcome: Outcome) -> Finding:
    """Return the gap between the groups in each period, less the gap in the base period.

    Parameters
    ----------
    observed : Observed
        The outcomes that are compared.
    found : GapPath
        With at least one term.
    estimate : Estimate
        Made from them.
    outcome : Outcome
        As declared.
    """
    axis = axis_of(observed.periods, observed.n_before)
    base = observed.periods[found.base]
    frame = _gaps(observed, found, estimate.level).sort_values("code", ignore_index=True)
    frame = axis.frame(observed.periods).join(frame)
    level = language.number(estimate.level * 100)
    columns = value_columns(outcome, float(frame["value"].abs().max()), _VALUE, are_differences=True)
    return Finding(
        name="gap-by-period",
        question="Did the groups move alike before the start, and how did the gap open after it?",
        explanation=f"The difference between the groups in each period, less their difference in {base}, estimated "
        "as the headline is. Before the start the points should lie about zero.",
        sentence=_verdict(found),
        table=Table(
            "gap-by-period",
            f"{outcome.label}: gap between the groups by period, less the gap in {base}, with {level}% confidence "
            "intervals",
            (*axis.columns, *columns),
            frame,
            note=f"In {base} the gap is zero because the others are measured from it.",
        ),
        drawing=Drawing(
            axis.x,
            "value",
            f"{outcome.label}: gap between the groups in each period, less the gap in {base}, with {level}% confidence "
            "intervals. Dotted line: the start; dashed line: no gap.",
            lower="lower",
            upper="upper",
            start=axis.start,
            has_zero_line=True,
            names_x=True,
        ),
    )


def _codes(observed: Observed) -> range:
    return range(len(observed.periods))


def _gaps(observed: Observed, found: GapPath, level: float) -> pd.DataFrame:
    """Return one row per period: its code, the gap with its interval, and the persons that it rests on."""
    behind = [min(_persons(observed, code, side) for side in (True, False)) for code in _codes(observed)]
    rows = [(found.base, 0.0, np.nan, np.nan, np.nan, behind[found.base])]
    for code, term in zip(found.codes, found.terms, strict=True):
        reach = float(stats.t.ppf(0.5 + level / 2, term.degrees_of_freedom)) * term.std_error
        persons = min(behind[code], behind[found.base])
        rows.append((code, term.value, term.std_error, term.value - reach, term.value + reach, persons))
    return pd.DataFrame(rows, columns=["code", *_VALUE, PERSONS])


def _persons(observed: Observed, code: int, side: bool) -> int:
    chosen: NDArray[np.bool_] = (observed.period == code) & (observed.treated_rows == side)
    return int(chosen.sum())


def _verdict(found: GapPath) -> str:
    """Return what the joint test of the gaps before the start says, and what it cannot say."""
    several = found.n_leads > 1
    gaps = "all gaps before the start are zero" if several else "the gap before the start is zero"
    test = f"The {'joint ' if several else ''}test that {gaps}"
    if not found.n_leads:
        return (
            "Only one period before the start is known, and the others are measured from it: these data cannot show "
            "whether the groups were moving alike."
        )
    if found.test is None:
        return f"There are too few independent units to test whether {gaps}."
    freedom = found.test.degrees_of_freedom
    denominator = "" if np.isinf(freedom) else f" and {language.number(freedom)}"
    numbers = (
        f"F = {language.number(found.test.statistic, 2)} with {found.test.n_effects}{denominator} degrees of freedom, "
        f"p {_is(found.test.p_value)}"
    )
    if found.is_apart:
        return (
            f"{test} rejects at 5% ({numbers}): the groups were moving apart already, so the "
            "estimate may show a difference that was on its way."
        )
    return (
        f"{test} does not reject at 5% ({numbers}). That is no evidence against parallel "
        "trends, and it is not evidence for them: a drift that the test is too weak to see can still matter. The width "
        "of the intervals before the start shows how large it could be."
    )


def _is(p_value: float) -> str:
    text = language.p_value(p_value)
    return text if text.startswith("<") else f"= {text}"
