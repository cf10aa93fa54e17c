"""What a staggered adoption shows beside its estimate: cohorts, path, effect by cohort, and the regression's parts."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ... import language
from ...disclosure import Column, Table
from ...estimand import Outcome
from ...estimates import Estimate
from ...numerics.group_time import Path, aggregate, simultaneous_critical_value
from ..findings import Drawing, Finding
from ..paths import PERSONS, axis_of, value_columns
from . import disclosures
from .panel import Followed
from .terms import TWO_WAY, FittedFields, freedom_of, pre_trend_test, shares_of, wrong_share

Array = NDArray[np.float64]
Units = NDArray[np.int64]

_VALUE = {"value": "Effect", "std_error": "Standard error", "lower": "From", "upper": "To"}
_BAND = {"band_lower": "Whole path: from", "band_upper": "to"}


class ConfidenceFields(FittedFields, Protocol):
    """The fields that intervals need."""

    @property
    def confidence(self) -> float: ...


def cohorts(followed: Followed, outcome: Outcome) -> Finding:
    """Return how many persons start when.

    Parameters
    ----------
    followed : Followed
        Persons with outcomes.
    outcome : Outcome
        As declared.
    """
    starts = [followed.periods[place] for place in np.unique(followed.panel.cohort) if place < len(followed.periods)]
    n_shown = 10
    named = language.join(starts) if len(starts) <= n_shown else f"{len(starts)} periods"
    never = (followed.panel.cohort >= len(followed.periods)).any()
    rest = (
        "Others do not start in any of the periods, and show what would have happened without it."
        if never
        else "Everybody starts sooner or later, so those who start later have to show what would have happened."
    )
    return Finding(
        name="cohorts",
        question="Who started when?",
        explanation="A cohort is everybody whose programme starts in the same period. Those who had started by the "
        "first period cannot be seen before their start, and are left out.",
        sentence=f"The programme starts in {named}. {rest}",
        table=disclosures.followed(followed, outcome),
    )


def path(
    design: ConfidenceFields, followed: Followed, units: Units, outcome: Outcome, generator: np.random.Generator
) -> Finding | None:
    """Return the effects by time since the start, each with its interval, and a band that holds them all together.

    Parameters
    ----------
    design : ConfidenceFields
        How cohorts are compared.
    followed : Followed
        Persons with outcomes.
    units : ndarray of int, shape (n,)
        Each person's cluster, or the person.
    outcome : Outcome
        As declared.
    generator : Generator
        Source of the random weights.
    """
    steps = aggregate(followed.effects, "dynamic")
    frame, shares = _steps(design, steps, units)
    if frame.empty:
        return None
    reach = frame["std_error"] * simultaneous_critical_value(shares, design.confidence, generator)
    frame = frame.assign(band_lower=frame["value"] - reach, band_upper=frame["value"] + reach)
    level = language.number(design.confidence * 100)
    title = f"{outcome.label}: effect by periods since the start"
    start = -0.5 - design.rules.anticipation
    return Finding(
        name="path-since-start",
        question="Did the cohorts move like their comparison groups before the start, and how did the effect grow?",
        explanation="The average over the cohorts at the same distance from their start. Before the start (minus) it "
        "should lie about zero. An interval holds one step; the wider band holds the whole path at once.",
        sentence=_verdict(design, followed, units),
        table=Table(
            "path-since-start",
            f"{title}, with {level}% confidence",
            (
                Column("step", "Periods since the start", "number", digits=0, persons=PERSONS),
                *value_columns(outcome, float(frame["value"].abs().max()), _VALUE | _BAND, are_differences=True),
            ),
            frame,
        ),
        drawing=Drawing(
            "step",
            "value",
            f"{title}. Bars: {level}% interval of each step; shaded: {level}% band for the whole path; "
            "dashed line: no effect.",
            lower="lower",
            upper="upper",
            band=("band_lower", "band_upper"),
            start=start,
            start_label="start" if not design.rules.anticipation else "reaction may begin",
            has_zero_line=True,
            names_x=True,
        ),
    )


def by_cohort(
    design: ConfidenceFields, followed: Followed, units: Units, estimate: Estimate, outcome: Outcome
) -> Finding | None:
    """Return the average effect on each cohort; None when there is one cohort only.

    Parameters
    ----------
    design : ConfidenceFields
        How cohorts are compared.
    followed : Followed
        Persons with outcomes.
    units : ndarray of int, shape (n,)
        Each person's cluster, or the person.
    estimate : Estimate
        Says amounts in words.
    outcome : Outcome
        As declared.
    """
    groups = aggregate(followed.effects, "group")
    frame, _ = _steps(design, groups, units)
    if len(frame) < 2:
        return None
    axis = axis_of(followed.periods, label="Start")
    frame = axis.frame([followed.periods[place] for place in frame["step"]]).join(frame)
    level = language.number(design.confidence * 100)
    title = f"{outcome.label}: average effect on each cohort, with {level}% confidence intervals"
    return Finding(
        name="effect-by-cohort",
        question="Was the effect the same for those who started early and those who started late?",
        explanation="The average, over the periods since its start, of the effect on each cohort. An early cohort is "
        "followed for longer, so a difference may be one of time and not of people.",
        sentence="Averaged over the cohorts, each counting by its number of persons, the effect is "
        f"{estimate.in_words(groups.overall)}.",
        table=Table(
            "effect-by-cohort",
            title,
            (*axis.columns, *value_columns(outcome, float(frame["value"].abs().max()), _VALUE, are_differences=True)),
            frame,
        ),
        drawing=Drawing(
            axis.x,
            "value",
            f"{title}, by the period of its start. Dashed line: no effect.",
            lower="lower",
            upper="upper",
            has_zero_line=True,
            names_x=True,
            x_labels=axis.names,
        ),
    )


def regression(followed: Followed, estimate: Estimate, outcome: Outcome) -> Finding | None:
    """Return what the regression with effects of persons and periods gives, and what it compares; None without it.

    Parameters
    ----------
    followed : Followed
        Persons with outcomes.
    estimate : Estimate
        Holds the regression's term.
    outcome : Outcome
        As declared.
    """
    rows = estimate.effects.set_index("term")
    share = wrong_share(followed)
    if TWO_WAY not in rows.index or share is None:
        return None
    value, best = float(rows["value"].loc[TWO_WAY]), estimate.headline().value
    reading = (
        "None of its weight rests on comparisons with persons who are in the programme already."
        if round(share, 2) == 0
        else f"{share:.0%} of its weight rests on forbidden comparisons: with persons in the programme already, "
        "whose own change is then subtracted as if it were no effect."
    )
    return Finding(
        name="two-way-fixed-effects",
        question="What would the usual regression have said, and whom does it compare?",
        explanation="The regression with an effect of each person and each period is a weighted mean of every "
        "comparison of two cohorts over time (the decomposition of Goodman-Bacon).",
        sentence=f"It gives {estimate.in_words(value)}, beside the declared {estimate.in_words(best)}. {reading}",
        table=disclosures.decomposition(followed, outcome, by_pair=False),
    )


def _steps(design: ConfidenceFields, steps: Path, units: Units) -> tuple[pd.DataFrame, Array]:
    """Return one row per step that may be shown, with its own interval, and the units' shares in their errors."""
    shares = shares_of(design, steps.influence, units)
    errors = np.sqrt((shares**2).sum(axis=0))
    kept = (steps.n_treated >= design.smallest_cohort) & (errors > 0)
    reach = errors[kept] * float(stats.t.ppf(0.5 + design.confidence / 2, freedom_of(design, units)))
    frame = pd.DataFrame(
        {
            "step": steps.labels[kept],
            "value": steps.values[kept],
            "std_error": errors[kept],
            "lower": steps.values[kept] - reach,
            "upper": steps.values[kept] + reach,
            PERSONS: steps.n_treated[kept],
        }
    )
    return frame, shares[:, kept]


def _verdict(design: ConfidenceFields, followed: Followed, units: Units) -> str:
    """Return what the joint test of the effects before the start says, and what it cannot say."""
    test = pre_trend_test(design, followed.effects, units)
    if test is None:
        return "There are no effects before the start that could be tested together."
    p_value = language.p_value(test.p_value)
    value = language.number(test.statistic / test.n_effects if test.is_of_mean else test.statistic, 2)
    numbers = (
        f"F = {value} with 1 and {language.number(test.freedom)} degrees of freedom"
        if test.is_of_mean
        else f"chi-squared = {value} with {test.n_effects} degrees of freedom"
    ) + f", p {p_value if p_value.startswith('<') else f'= {p_value}'}"
    opening = f"{test.what[0].upper()}{test.what[1:]}"
    if test.p_value < 0.05:
        return (
            f"{opening} rejects at 5% ({numbers}): the cohorts moved apart from their comparison groups already, and "
            "parallel trends are in doubt."
        )
    return (
        f"{opening} does not reject at 5% ({numbers}). That is no evidence against parallel trends, and it is not "
        "evidence for them: a drift that the test is too weak to see can still matter. The width of the band before "
        "the start shows how large it could be."
    )
