"""What an interrupted time series shows beside its estimate: the lines, the effect by period, how periods are alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ... import language
from ...disclosure import Column, Table
from ...estimand import Outcome
from ...estimates import Estimate
from ...numerics.segmented_trend import LEVEL, SLOPE
from ...numerics.serial_correlation import (
    SerialTest,
    breusch_godfrey,
    durbin_watson,
    first_correlation,
    least_squares,
    ljung_box,
)
from ..findings import Drawing, Finding, Style
from ..paths import PERSONS, Axis, axis_of, value_columns
from .means import MeanSeries, SeriesPair
from .terms import FitFields, Fitted, freedom_of, lag_of

Array = NDArray[np.float64]

OBSERVED, FITTED, CONTINUED = "Observed", "Fitted", "Trend before the start, continued"
OFFERED, COMPARED = "Offered the programme", "Comparison"
_INTERVAL = {"value": "Effect", "std_error": "Standard error", "lower": "From", "upper": "To"}


def findings(design: FitFields, fitted: Fitted, estimate: Estimate, outcome: Outcome) -> tuple[Finding, ...]:
    """Return everything that is shown, in the order in which a reader asks.

    Parameters
    ----------
    design : FitFields
        How the series were fitted.
    fitted : Fitted
        The series and their fits.
    estimate : Estimate
        Made from them.
    outcome : Outcome
        As declared.
    """
    axis = _axis(fitted.series)
    comparison = fitted.series.comparison
    both = () if comparison is None else (_both(fitted, comparison, axis, outcome),)
    return (
        _lines(fitted, axis, estimate, outcome),
        *both,
        _by_period(design, fitted, axis, estimate, outcome),
        _changes(design, fitted, estimate, outcome),
        _correlation(design, fitted, outcome, estimate),
    )


def _axis(series: SeriesPair) -> Axis:
    """Return where the periods lie; one that is left out keeps its place."""
    axis = axis_of(series.periods, series.n_before)
    if len(axis.columns) == 1:
        return axis
    since = series.places - series.start
    places = dict(zip(series.periods, since.tolist(), strict=True))
    return replace(axis, places=places, start=float(since[series.n_before - 1]) / 2)


def _lines(fitted: Fitted, axis: Axis, estimate: Estimate, outcome: Outcome) -> Finding:
    """Return the series that was fitted, its fitted line, and the line that it would have followed."""
    series, found = fitted.series, fitted.first
    line = fitted.segments.regressors @ found.coefficients
    continued = line - fitted.segments.effects @ found.coefficients
    after = fitted.segments.after
    parts = [
        _part(series, axis, OBSERVED, series.outcome),
        _part(series, axis, FITTED, line),
        _part(series, axis, CONTINUED, continued)[after],
    ]
    frame = pd.concat(parts, ignore_index=True)
    what = "mean by period" if series.comparison is None else "distance from the comparison by period"
    caption = f"{outcome.label}: {what}, with the fitted trend and its continuation without the programme"
    best = estimate.headline()
    return Finding(
        name="series",
        question="Did the outcome leave its path at the start?",
        explanation=(
            "The mean of those offered the programme in each period"
            + ("" if series.comparison is None else ", less the mean of the comparison")
            + ", the line that was fitted to it, and where the trend before the start would have led. The effect is "
            "the distance between the two lines after the start."
        ),
        sentence=f"After the start the series lies {estimate.in_words(abs(best.value))} "
        f"{'above' if best.value > 0 else 'below'} the continued trend ({_where(estimate)}).",
        table=Table(
            f"series-{estimate.estimand.measure}",
            caption,
            (*axis.columns, Column("line", "Line"), *_values(outcome, frame["value"], series.comparison is not None)),
            frame,
        ),
        drawing=Drawing(
            axis.x,
            "value",
            f"{caption}. Dotted line: the start of the programme.",
            series="line",
            styles={OBSERVED: "points", FITTED: "line", CONTINUED: "dashed"},
            start=axis.start,
            names_x=True,
        ),
    )


def _both(fitted: Fitted, comparison: MeanSeries, axis: Axis, outcome: Outcome) -> Finding:
    """Return the two series as they are, each with its own least-squares line."""
    parts = []
    styles: dict[str, Style] = {}
    for label, group in ((OFFERED, fitted.series.treated), (COMPARED, comparison)):
        line = group.means - least_squares(group.means, fitted.segments.regressors).residuals
        for name, values in ((label, group.means), (f"{label}, fitted", line)):
            parts.append(_part(fitted.series, axis, name, values).assign(**{PERSONS: group.persons}))
        styles |= {label: "points", f"{label}, fitted": "line" if label == OFFERED else "dashed"}
    frame = pd.concat(parts, ignore_index=True)
    caption = f"{outcome.label}: both series, each with its own trend before and after the start"
    return Finding(
        name="comparison-series",
        question="How did the comparison fare meanwhile?",
        explanation="Both means by period. Whatever changed for both at the start is no effect; a comparison that "
        "moved alike before the start is the more convincing.",
        sentence="The estimate is the break in the programme's series less the break in the comparison's.",
        table=Table(
            "comparison-series",
            caption,
            (*axis.columns, Column("line", "Series"), *_values(outcome, frame["value"], are_differences=False)),
            frame,
        ),
        drawing=Drawing(
            axis.x,
            "value",
            f"{caption}. Dotted line: the start of the programme.",
            series="line",
            styles=styles,
            start=axis.start,
            names_x=True,
        ),
    )


def _by_period(design: FitFields, fitted: Fitted, axis: Axis, estimate: Estimate, outcome: Outcome) -> Finding:
    """Return the effect in each period after the start."""
    after = fitted.segments.after
    periods = [name for name, is_after in zip(fitted.series.periods, after, strict=True) if is_after]
    frame = axis.frame(periods)
    frame[list(_INTERVAL)] = _intervals(design, fitted, fitted.segments.effects[after], estimate.level)
    frame[PERSONS] = fitted.series.persons[after]
    level = language.number(estimate.level * 100)
    caption = f"{outcome.label}: effect in each period after the start, with {level}% confidence intervals"
    first, last = (estimate.in_words(float(frame["value"].iloc[place])) for place in (0, -1))
    return Finding(
        name="effect-by-period",
        question="How did the effect go on?",
        explanation="The distance between the fitted line and the continued trend in each period. It is a straight "
        "line because the model says so; intervals widen with the distance from the start.",
        sentence=f"It went from {first} in {periods[0]} to {last} in {periods[-1]}."
        if len(periods) > 1
        else f"In {periods[0]} it was {first}.",
        table=Table(
            f"effect-by-period-{estimate.estimand.measure}",
            caption,
            (
                *axis.columns,
                *value_columns(outcome, float(frame["value"].abs().max()), _INTERVAL, are_differences=True),
            ),
            frame,
        ),
        drawing=Drawing(
            axis.x,
            "value",
            caption,
            lower="lower",
            upper="upper",
            styles={"": "line"},
            has_zero_line=True,
            names_x=True,
        ),
    )


def _changes(design: FitFields, fitted: Fitted, estimate: Estimate, outcome: Outcome) -> Finding:
    """Return the slopes before and after, and the changes."""
    picks = fitted.segments.picks
    weights = {"Slope before the start, per period": picks("slope")}
    if LEVEL in fitted.segments.names:
        weights["Change of level at the start"] = picks(LEVEL)
    if SLOPE in fitted.segments.names:
        weights["Change of slope, per period"] = picks(SLOPE)
        weights["Slope after the start, per period"] = picks("slope", SLOPE)
    labels = _INTERVAL | {"value": "Value"}
    frame = pd.DataFrame({"part": list(weights)})
    frame[list(labels)] = _intervals(design, fitted, np.vstack(list(weights.values())), estimate.level)
    frame[PERSONS] = int(fitted.series.persons.min())
    level = language.number(estimate.level * 100)
    distance = "" if fitted.series.comparison is None else " of the distance between the series"
    return Finding(
        name="changes",
        question="Did it jump, or did it bend?",
        explanation=f"The parts of the fitted line{distance}: its slope before the start, its jump at the start, and "
        "its slope from then on.",
        sentence="A jump is read at the first period with the programme that is used; a slope is a change per period.",
        table=Table(
            f"changes-{estimate.estimand.measure}",
            f"{outcome.label}: slopes and changes, with {level}% confidence intervals",
            (
                Column("part", "Part"),
                *value_columns(outcome, float(frame["value"].abs().min()), labels, are_differences=True),
            ),
            frame,
        ),
    )


def _correlation(design: FitFields, fitted: Fitted, outcome: Outcome, estimate: Estimate) -> Finding:
    """Return how the residuals of neighbouring periods are alike."""
    series, columns = fitted.series, fitted.segments.regressors
    n = len(series.periods)
    residuals = least_squares(series.outcome, columns).residuals
    apart = max(1, lag_of(design, None, n))
    tests = [
        (f"{name}, up to {lag} period{'s' * (lag > 1)} apart", test)
        for name, run in (("Ljung–Box", _ljung_box), ("Breusch–Godfrey", breusch_godfrey))
        for lag in sorted({1, apart})
        for test in (run(residuals, columns, series.places, lag),)
    ]
    rho = first_correlation(residuals, series.places)
    rows = [
        ("Correlation with the period before", rho, None),
        ("Durbin–Watson (2: none)", durbin_watson(residuals, series.places), None),
        *((name, test.statistic, test.p_value) for name, test in tests),
    ]
    frame = pd.DataFrame(rows, columns=["what", "statistic", "p_value"]).assign(**{PERSONS: int(series.persons.min())})
    first = next(test for name, test in tests if name.startswith("Breusch"))
    return Finding(
        name="residual-autocorrelation",
        question="Are neighbouring periods alike?",
        explanation="What the fitted line leaves over, compared with what it remaining in the periods before. Where "
        "neighbours are alike, a series tells less than its length suggests, and the errors must allow for it.",
        sentence=_verdict(first),
        table=Table(
            f"residual-autocorrelation-{estimate.estimand.measure}",
            f"{outcome.label}: correlation of the residuals over time",
            (
                Column("what", "Measure"),
                Column("statistic", "Value", "number", digits=3, persons=PERSONS),
                Column("p_value", "p-value", "p_value", persons=PERSONS),
            ),
            frame,
            note="A small p-value says that periods are alike; a large one, in a short series, says little.",
        ),
    )


def _verdict(first: SerialTest) -> str:
    p_value = language.p_value(first.p_value)
    words = p_value if p_value.startswith("<") else f"= {p_value}"
    if first.p_value < 0.05:
        return f"Neighbouring periods are alike (Breusch–Godfrey, p {words}): errors that ignore it are wrong."
    return (
        f"No likeness of neighbouring periods was found (Breusch–Godfrey, p {words}); a short series seldom shows it."
    )


def _ljung_box(residuals: Array, columns: Array, places: NDArray[np.int64], lag: int) -> SerialTest:
    return ljung_box(residuals, places, lag)


def _intervals(design: FitFields, fitted: Fitted, weights: Array, level: float) -> Array:
    """Return value, error and ends of the interval for each row of weights, shape (m, 4)."""
    found = fitted.first
    values = weights @ found.coefficients
    errors = np.sqrt(np.einsum("ij,jk,ik->i", weights, found.covariance, weights))
    freedom = [freedom_of(design, fitted, found, each).count if each.any() else 1.0 for each in weights]
    reach = stats.t.ppf(0.5 + level / 2, np.array(freedom)) * errors
    return np.column_stack([values, errors, values - reach, values + reach])


def _part(series: SeriesPair, axis: Axis, label: str, values: Array) -> pd.DataFrame:
    frame = axis.frame(series.periods).assign(line=label, value=values)
    frame[PERSONS] = series.persons
    return frame


def _values(outcome: Outcome, values: pd.Series, are_differences: bool) -> list[Column]:
    return value_columns(outcome, float(values.abs().max()), {"value": "Value"}, are_differences=are_differences)


def _where(estimate: Estimate) -> str:
    when = "on average" if estimate.effects["term"].iloc[0].startswith("average") else f"in {estimate.estimand.period}"
    best = estimate.headline()
    level = language.number(estimate.level * 100)
    return f"{when}; {level}% confidence interval of the effect {estimate.in_words(best.lower, best.upper)}"
