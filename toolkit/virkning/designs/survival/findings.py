"""What a duration shows beside its estimate: curves, persons followed, hazard ratios, and competing events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ... import language
from ...disclosure import Column, Table
from ...numerics import survival
from ...numerics.proportional_hazards import (
    ChiSquared,
    HazardRatios,
    NoRatioError,
    hazard_ratios,
    log_rank,
    proportionality,
    schoenfeld_residuals,
    share_had_before,
)
from ..findings import Drawing, Finding, Style
from .curves import ARMS, COMPARED, OFFERED, PERSONS, Shown, events_of, points, summed

Array = NDArray[np.float64]

# A sentence is not cleared, so it tells of no number that rests on fewer persons than any usual threshold.
_TELLABLE = 20
_QUARTERS = (0.25, 0.5, 0.75, 1.0)
_DIFFERENCE = "Difference"


def findings_of(shown: Shown, generator: np.random.Generator) -> tuple[Finding, ...]:
    """Return the findings that the data give rise to.

    Parameters
    ----------
    shown : Shown
        What is followed.
    generator : Generator
        Source of the random weights behind the bands.
    """
    found = [_curves(shown, generator), _by_group(shown), _followed(shown)]
    if any(events_of(shown.followed, survival.COMPETING).values()):
        found.append(_competing(shown, generator))
    found.append(_hazards(shown))
    return tuple(found)


def _per_hundred(share: float) -> str:
    return language.number(100 * share, 1)


def _curves(shown: Shown, generator: np.random.Generator) -> Finding:
    parts = [points(shown, side, generator).assign(group=name) for side, name in ARMS]
    frame = pd.concat(parts, ignore_index=True)
    last = {name: float(part["free"].iloc[-1]) for (_, name), part in zip(ARMS, parts, strict=True)}
    level = language.number(shown.level * 100)
    columns = {"free": "Without it so far", "lower": "From", "upper": "to"}
    columns |= {"band_lower": "Band from", "band_upper": "to"}
    has_others = any(events_of(shown.followed, survival.COMPETING).values())
    estimator = "Aalen and Johansen's" if has_others else "Kaplan and Meier's"
    return Finding(
        name="time-until",
        question=f"«{shown.event.label}»: when does it happen?",
        explanation=f"The share of each group to whom it has not happened yet, by {estimator} estimator: whoever is "
        "lost counts as long as they were followed. The area between the curves is the difference in mean time.",
        sentence=f"By {shown.horizon} it had not happened to {_per_hundred(last[OFFERED])} per 100 of those offered "
        f"the programme, and to {_per_hundred(last[COMPARED])} per 100 of the comparison group."
        if _is_tellable(shown)
        else f"The table shows the shares, by {shown.horizon} and before.",
        table=Table(
            "time-until",
            f"{shown.event.label}: per 100 persons, those to whom it had not happened yet",
            (
                Column("group", "Group"),
                shown.time_column,
                *(Column(name, label, "share", persons=PERSONS) for name, label in columns.items()),
            ),
            frame,
            note=f"The limits hold for one point at a time, the band for all points of a curve at once; both with "
            f"{level}% confidence. The curve is given where at least {shown.smallest_step} more persons have had the "
            "event, and drawn straight in between: single steps would tell of single persons.",
        ),
        drawing=Drawing(
            x="time",
            y="free",
            series="group",
            lower="band_lower",
            upper="band_upper",
            styles=dict.fromkeys((OFFERED, COMPARED), _style(shown)),
            caption=f"{shown.event.label}: those to whom it had not happened yet, with bands that hold the whole curve "
            f"with {level}% confidence.",
        ),
    )


def _style(shown: Shown) -> Style:
    """Return how a curve is drawn: in its own steps if each is shown, else straight from point to point."""
    return "step" if shown.smallest_step == 1 else "line"


def _is_tellable(shown: Shown) -> bool:
    """Whether many in both groups had the event by the horizon, and many had not."""
    events = events_of(shown.followed)
    sizes = {side: int((shown.followed.treated == side).sum()) for side, _ in ARMS}
    return all(min(events[side], sizes[side] - events[side]) >= _TELLABLE for side, _ in ARMS)


def _by_group(shown: Shown) -> Finding:
    """Return mean time and share of each group, and their differences, with intervals."""
    rows: list[tuple[object, ...]] = []
    averages, persons = [], []
    events = events_of(shown.followed)
    for side, name in ARMS:
        time, cause = shown.followed.arm(side)
        behind = min(n for n in (events[side], len(time) - events[side]) if n)
        pair = []
        for average in (
            survival.time_without(time, cause, shown.followed.horizon),
            survival.share_by(time, cause, shown.followed.horizon),
        ):
            units = summed(average.influence[:, None], shown.clusters_of(side))
            pair.append((average.value, float((units**2).sum())))
        averages.append(pair)
        persons.append(behind)
        rows.append((name, *_limits(pair, shown.critical), behind))
    between = [(one[0] - two[0], one[1] + two[1]) for one, two in zip(*averages, strict=True)]
    rows.append((_DIFFERENCE, *_limits(between, shown.critical), min(persons)))
    names = ["mean", "mean_lower", "mean_upper", "share", "share_lower", "share_upper"]
    frame = pd.DataFrame(rows, columns=["group", *names, PERSONS])
    digits = language.digits_for("amount", float(frame["mean"].abs().max()))
    unit = shown.time.unit
    return Finding(
        name="by-group",
        question="What do the curves come to?",
        explanation=f"The mean time without the event, counted up to {shown.horizon}, is the area under a curve. "
        "Beside it stands how far the curve has come down by then.",
        sentence="Both differences, not adjusted for anything, are in the last line.",
        table=Table(
            "by-group",
            f"{shown.event.label}: mean time without it up to {shown.horizon}, and per 100 persons those who had it",
            (
                Column("group", "Group"),
                Column("mean", "Mean time without", "number", unit, digits, PERSONS),
                Column("mean_lower", "From", "number", unit, digits, PERSONS),
                Column("mean_upper", "to", "number", unit, digits, PERSONS),
                *(Column(name, label, "share", persons=PERSONS) for name, label in zip(names[3:], _HAD, strict=True)),
            ),
            frame,
        ),
    )


_HAD = ("Had it by then", "From", "to")


def _limits(pairs: list[tuple[float, float]], critical: float) -> list[float]:
    """Return value and limits of each of some numbers with their variances."""
    return [limit for value, variance in pairs for limit in (value, *_around(value, critical * np.sqrt(variance)))]


def _around(value: float, reach: float) -> tuple[float, float]:
    return value - float(reach), value + float(reach)


def _followed(shown: Shown) -> Finding:
    """Return how many are still followed, have had the event, or are lost, at four moments."""
    rows: list[tuple[object, ...]] = []
    for side, name in ARMS:
        time, cause = survival.until(*shown.followed.arm(side), shown.followed.horizon)
        before = np.zeros(3, dtype=np.int64)
        for quarter in _QUARTERS:
            moment = quarter * shown.followed.horizon
            # At the horizon everybody who was not lost before was followed to the end.
            is_over = (time <= moment) & ((cause != survival.LOST) | (time < shown.followed.horizon))
            ended = np.array([int((is_over & (cause == kind)).sum()) for kind in (1, 2, 0)])
            fresh = ended - before
            left = len(time) - int(ended.sum())
            # What happened between two lines can be worked out, so it must be large enough too.
            behind = min(n for n in (*fresh.tolist(), left, len(time)) if n)
            rows.append((name, moment, left, *ended.tolist(), behind))
            before = ended
    counts = {"left": "Still without, followed", "events": "Had it", "competing": "Had another event", "lost": "Lost"}
    frame = pd.DataFrame(rows, columns=["group", "time", *counts, PERSONS])
    kept = [name for name in counts if name != "competing" or frame["competing"].any()]
    return Finding(
        name="persons-followed",
        question="How many persons do the curves rest on?",
        explanation="How many of each group were still followed at a few moments, and how the others had left until "
        "then. Where few are still followed, a curve is uncertain whatever it shows.",
        sentence=_loss_sentence(shown),
        table=Table(
            "persons-followed",
            f"{shown.event.label}: persons by what had become of them",
            (
                Column("group", "Group"),
                replace(shown.time_column, digits=max(shown.time_column.digits, _digits_of(frame["time"]))),
                *(Column(name, counts[name], "count", persons=PERSONS) for name in kept),
            ),
            frame,
            sums_across=(tuple(kept),),
        ),
    )


def _digits_of(values: pd.Series) -> int:
    return next((digits for digits in range(2) if np.allclose(values, values.round(digits))), 2)


def _loss_sentence(shown: Shown) -> str:
    time, cause = shown.followed.by_horizon
    lost = (cause == survival.LOST) & (time < shown.followed.horizon)
    if not lost.any():
        return f"Nobody was lost before {shown.horizon}."
    return f"Some persons could not be followed to {shown.horizon}; the last column counts them."


def _competing(shown: Shown, generator: np.random.Generator) -> Finding:
    """Return the share of each group that has had each kind of event, as curves that rise."""
    followed = shown.followed
    swapped = np.choose(followed.cause, [survival.LOST, survival.COMPETING, survival.EVENT]).astype(np.int64)
    parts = []
    for label, cause in (("the event", followed.cause), ("another first", swapped)):
        kind = replace(shown, followed=replace(followed, cause=cause))
        for side, name in ((True, "Offered"), (False, "Comparison")):
            part = points(kind, side, generator)
            part = part.assign(series=f"{name}, {label}", had=1 - part["free"])
            parts.append(part.assign(had_lower=1 - part["upper"], had_upper=1 - part["lower"]))
    frame = pd.concat(parts, ignore_index=True)
    columns = {"had": "Had it", "had_lower": "From", "had_upper": "to"}
    return Finding(
        name="competing-events",
        question="What happened to the others?",
        explanation="Another event can come first and make this one impossible. The curves show how many have had each "
        "by when; nobody is counted as if the other event could be wished away.",
        sentence="A programme can lower one curve merely by raising another, so they must be read together.",
        table=Table(
            "competing-events",
            f"{shown.event.label}, or another event first: per 100 persons, those who have had it",
            (
                Column("series", "Event and group"),
                shown.time_column,
                *(Column(name, label, "share", persons=PERSONS) for name, label in columns.items()),
            ),
            frame,
        ),
        drawing=Drawing(
            x="time",
            y="had",
            series="series",
            styles=dict.fromkeys(frame["series"].unique(), _style(shown)),
            caption=f"{shown.event.label}, or another event first: per 100 persons of each group, those who had it.",
        ),
    )


def _hazards(shown: Shown) -> Finding:
    """Return the log-rank test, and hazard ratios with the test that they stay the same over time."""
    followed = shown.followed
    time, cause = followed.by_horizon
    happened = cause == survival.EVENT
    behind = min((n for n in events_of(followed).values() if n), default=0)
    level = language.number(shown.level * 100)
    treated = followed.treated.astype(np.float64)[:, None]
    fits = [("Not adjusted", treated)]
    if shown.labels:
        fits.append(("Adjusted for covariates", np.column_stack([treated, shown.covariates])))
    rows: list[tuple[object, ...]] = []
    for name, regressors in fits:
        found = _fitted(time, happened, regressors, shown)
        if found is not None:
            rows.append((name, *found, behind))
    test = log_rank(time, happened, followed.treated, shown.clusters)
    columns = ["fit", "ratio", "lower", "upper", "log_ratio", "std_error", "p_value", "constant_p", "all_constant_p"]
    frame = pd.DataFrame(rows, columns=[*columns, PERSONS])
    tests = ("p, ratio constant", "p, all constant")
    return Finding(
        name="hazard-ratio",
        question="How much more often does it happen to those who are still without it?",
        explanation="The hazard is the rate at which it happens among those still without it. Its ratio between "
        "the groups (Cox) has no unit, and sums up the curves only if it stays the same over time: the last columns "
        "test that (Grambsch and Therneau). It is shown beside the effect in time, not instead of it.",
        sentence=_hazard_sentence(test, frame, behind, shown),
        table=Table(
            "hazard-ratio",
            f"{shown.event.label}: hazard of those offered the programme as a multiple of the comparison group's",
            (
                Column("fit", "Hazard ratio"),
                Column("ratio", "Ratio", "number", digits=2, persons=PERSONS),
                Column("lower", "From", "number", digits=2, persons=PERSONS),
                Column("upper", "to", "number", digits=2, persons=PERSONS),
                Column("log_ratio", "Logarithm", "number", digits=3, persons=PERSONS),
                Column("std_error", "Its standard error", "number", digits=3, persons=PERSONS),
                *(Column(name, "p-value", "p_value", persons=PERSONS) for name in ("p_value",)),
                *(
                    Column(name, label, "p_value", persons=PERSONS)
                    for name, label in zip(columns[-2:], tests, strict=True)
                ),
            ),
            frame,
            note=f"{level}% confidence intervals; ties by Efron's rule; persons with another event count as lost then."
            if rows
            else "In one of the groups nobody had the event, or the covariates decide it: no ratio can be given.",
        ),
    )


def _fitted(time: Array, happened: NDArray[np.bool_], regressors: Array, shown: Shown) -> tuple[float, ...] | None:
    """Return ratio, limits, logarithm, its error, p-value, and the p-values of the tests of proportionality."""
    try:
        fit: HazardRatios = hazard_ratios(time, happened, regressors, shown.clusters)
    except NoRatioError:
        return None
    value, error = float(fit.coefficients[0]), float(np.sqrt(fit.covariance[0, 0]))
    lower, upper = _around(value, shown.critical * error)
    residuals = schoenfeld_residuals(time, happened, regressors, fit.coefficients)
    tests = proportionality(residuals, share_had_before(time, happened), fit.information_inverse)
    constant = (tests[0].p_value, tests[-1].p_value) if tests else (float("nan"), float("nan"))
    p_value = 2 * float(stats.norm.sf(abs(value) / error))
    return float(np.exp(value)), float(np.exp(lower)), float(np.exp(upper)), value, error, p_value, *constant


def _hazard_sentence(test: ChiSquared | None, frame: pd.DataFrame, behind: int, shown: Shown) -> str:
    if behind < _TELLABLE or test is None:
        return "So few had the event that the table must say what can be said."
    said = (
        f"If the two curves were the same, chance would set them apart as much as here with probability "
        f"{language.p_value(test.p_value)} (log-rank test{'' if shown.clusters is None else ' by cluster'}, "
        f"chi-squared {language.number(test.statistic, 2)})."
    )
    if frame.empty or frame["constant_p"].isna().any():
        return said
    doubtful = frame["constant_p"].min() < 1 - shown.level
    verdict = (
        "The ratio changes over time, so no single number describes it: trust the curves and the mean time instead."
        if doubtful
        else "The test finds no change of the ratio over time, which is not proof that there is none."
    )
    return f"{said} {verdict}"
