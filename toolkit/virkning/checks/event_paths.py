"""The path around a start, as the checks of parallel trends need it, from either of the designs that have one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data import Tables
from ..designs.difference_in_differences import DifferenceInDifferences
from ..designs.evaluation import EvaluationDesign
from ..designs.paths import axis_of
from ..designs.periods import rows_of
from ..designs.staggered.panel import Followed, follow
from ..designs.staggered.terms import before_the_start, freedom_of, shares_of
from ..designs.staggered_adoption import StaggeredAdoption
from ..designs.steps import EVENT
from ..estimand import Outcome
from ..estimates import Estimate
from ..numerics.group_time import Path, aggregate
from ..numerics.joint_test import all_zero
from ..numerics.trend_violations import EventStudy

Array = NDArray[np.float64]

NO_PATH = "This design has no path over periods before the start."
NO_EARLIER = (
    "Only one period before the start can be used, and the others are measured from it: nothing shows how the groups "
    "moved before."
)
TOO_FEW_UNITS = "There are too few independent units to tell the periods' errors apart."


@dataclass(frozen=True)
class PreTrend:
    """What is known of the time before the start.

    Attributes
    ----------
    frame : DataFrame
        The path: ``place`` (on the axis of time), ``value``, ``std_error``, ``persons`` (the smallest number behind
        the value); the base period with zero and without an error.
    start : float
        Place of the start.
    axis : str
        What the places are.
    values, covariance : ndarray, shape (k,) and (k, k)
        The effects before the start that are tested together.
    degrees_of_freedom : float
        Of the test's denominator; infinite for chi-squared.
    statistic, p_value : float
        Of the joint test, the statistic in its F form.
    drift : ndarray, shape (k,)
        What the tested effects are when the groups drift apart by one unit per period.
    drift_in_path : ndarray, shape (rows of the frame,)
        The same for the path.
    bias : float
        What such a drift adds to the headline.
    """

    frame: pd.DataFrame
    start: float
    axis: str
    values: Array
    covariance: Array
    degrees_of_freedom: float
    statistic: float
    p_value: float
    drift: Array
    drift_in_path: Array
    bias: float


@dataclass(frozen=True)
class Around:
    """The path in the form that sensitivity to violations of parallel trends needs.

    Attributes
    ----------
    study : EventStudy
        Effects by period, all measured from the last period before the start.
    persons : int
        The smallest number of persons behind any of them.
    what : str
        The effect asked about, as it stands in a sentence after «the».
    """

    study: EventStudy
    persons: int
    what: str


def pre_trend(design: EvaluationDesign, tables: Tables, estimate: Estimate, seed: int) -> PreTrend | str:
    """Return the time before the start, or the reason why nothing is known of it.

    Parameters
    ----------
    design : EvaluationDesign
        A difference in differences, or a staggered adoption.
    tables : Tables
        The data.
    estimate : Estimate
        Of one outcome, available.
    seed : int
        Passed to the design where it estimates again.
    """
    if isinstance(design, DifferenceInDifferences):
        return _of_two_groups(design, tables, estimate, seed)
    if isinstance(design, StaggeredAdoption):
        return _of_cohorts(design, tables, estimate)
    return NO_PATH


def around(design: EvaluationDesign, tables: Tables, estimate: Estimate, seed: int) -> Around | str:
    """Return the path measured from the last period before the start, or the reason why there is none.

    Parameters
    ----------
    design, tables, estimate, seed
        As for :func:`pre_trend`.
    """
    if isinstance(design, DifferenceInDifferences):
        found = _around_two_groups(design, tables, estimate, seed)
    elif isinstance(design, StaggeredAdoption):
        found = _around_cohorts(design, tables, estimate)
    else:
        return NO_PATH
    if isinstance(found, str):
        return found
    errors = np.sqrt(np.diag(found.study.covariance))
    if not (errors > 0).all() or np.linalg.eigvalsh(found.study.covariance / np.outer(errors, errors)).min() < 1e-9:
        return TOO_FEW_UNITS
    return found


@dataclass(frozen=True)
class _Gaps:
    """The gap between two groups by period: names, estimates and covariance, and the period that they start from."""

    periods: tuple[str, ...]
    base: str
    values: Array
    covariance: Array


def _gaps(design: DifferenceInDifferences, estimate: Estimate) -> _Gaps | None:
    chosen = estimate.effects["term"].str.startswith(f"{EVENT}, ").to_numpy(dtype=bool)
    if not chosen.any():
        return None
    names = tuple(name.removeprefix(f"{EVENT}, ") for name in estimate.effects.loc[chosen, "term"])
    base = design.base_period or next((name for name in reversed(design.before) if name not in names), "")
    values = estimate.effects.loc[chosen, "value"].to_numpy(dtype=np.float64)
    return _Gaps(names, base, values, estimate.covariance[np.ix_(chosen, chosen)])


def _persons_by_period(design: DifferenceInDifferences, tables: Tables, measure: str) -> Mapping[str, int]:
    """Return the smaller of the two groups, in each period."""
    declared = (*design.before, *design.after)
    rows = rows_of(tables, measure, declared)
    treated = tables.participants[design.treatment].to_numpy(dtype=bool)[rows.person]
    counts = np.zeros((len(declared), 2), dtype=np.int64)
    np.add.at(counts, (rows.period, treated.astype(int)), 1)
    return dict(zip(declared, counts.min(axis=1).tolist(), strict=True))


def _of_two_groups(design: DifferenceInDifferences, tables: Tables, estimate: Estimate, seed: int) -> PreTrend | str:
    measure = estimate.estimand.measure
    gaps = _gaps(design, estimate)
    leads = [] if gaps is None else [row for row, name in enumerate(gaps.periods) if name in design.before]
    if gaps is None or not leads:
        return NO_EARLIER
    known = [name for name in (*design.before, *design.after) if name in gaps.periods or name == gaps.base]
    axis = axis_of(known, sum(name in design.before for name in known))
    covariance = gaps.covariance[np.ix_(leads, leads)]
    freedom = estimate.degrees_of_freedom
    test = all_zero(gaps.values[leads], covariance, freedom)
    if test is None:
        return TOO_FEW_UNITS
    persons = _persons_by_period(design, tables, measure)
    values = dict(zip(gaps.periods, gaps.values, strict=True)) | {gaps.base: 0.0}
    errors = dict(zip(gaps.periods, np.sqrt(np.diag(gaps.covariance)), strict=True)) | {gaps.base: np.nan}
    frame = pd.DataFrame(
        {
            "place": [float(axis.places[name]) for name in known],
            "value": [values[name] for name in known],
            "std_error": [errors[name] for name in known],
            "persons": [min(persons[name], persons[gaps.base]) for name in known],
        }
    )
    origin = axis.places[gaps.base]
    return PreTrend(
        frame=frame,
        start=axis.start if axis.start is not None else 0.0,
        axis="Period" if axis.columns[0].name == "place" else "Periods since the start",
        values=gaps.values[leads],
        covariance=covariance,
        degrees_of_freedom=freedom,
        statistic=test.statistic,
        p_value=test.p_value,
        drift=np.array([float(axis.places[gaps.periods[row]] - origin) for row in leads]),
        drift_in_path=frame["place"].to_numpy(dtype=np.float64) - origin,
        bias=_bias(design, tables, measure, axis.places, seed),
    )


def _bias(design: DifferenceInDifferences, tables: Tables, measure: str, places: Mapping[str, int], seed: int) -> float:
    """Return what the headline gains when the treated drift by one unit per period: exact, since it is linear."""
    outcomes = tables.outcomes
    outcomes = outcomes[(outcomes["measure"] == measure) & outcomes["period"].isin(list(places))]
    treated = tables.participants.set_index("participant_id")[design.treatment].astype(bool)
    drifting = outcomes["period"].map(places).astype(float) * outcomes["participant_id"].map(treated).astype(float)
    # A share that drifts leaves 0 to 1, so the copy is called an amount.
    kept = tables.measures[measure]
    copy = {measure: Outcome(label=kept.label, unit="units", kind="amount", period=kept.period, primary=True)}
    headlines = []
    for shift in (0.0, 1.0):
        moved = outcomes.assign(value=outcomes["value"] + shift * drifting)
        again = Tables.of(tables.participants, moved, copy, tables.schemas)
        headlines.append(design.estimate_outcome(again, measure, seed=seed).headline().value)
    return headlines[1] - headlines[0]


def _around_two_groups(design: DifferenceInDifferences, tables: Tables, estimate: Estimate, seed: int) -> Around | str:
    measure = estimate.estimand.measure
    if design.base_period is not None:
        design = design.model_copy(update={"base_period": None, "alternatives": ()})
        estimate = design.estimate_outcome(tables, measure, seed=seed)
    gaps = _gaps(design, estimate) if estimate.is_available else None
    leads = [] if gaps is None else [row for row, name in enumerate(gaps.periods) if name in design.before]
    if gaps is None or not leads:
        return NO_EARLIER
    known = [name for name in (*design.before, *design.after) if name in gaps.periods or name == gaps.base]
    places = axis_of(known, 1).places
    if len({places[later] - places[earlier] for earlier, later in pairwise(known)}) > 1:
        return "The periods do not lie equally far apart, so steps from one to the next mean different things."
    if gaps.base != [name for name in known if name in design.before][-1]:
        return "The outcome was not measured in the last period before the start."
    persons = _persons_by_period(design, tables, measure)
    after = len(gaps.values) - len(leads)
    study = EventStudy(gaps.values[: len(leads)], gaps.values[len(leads) :], gaps.covariance, np.full(after, 1 / after))
    what = f"average effect over the periods after the start, measured from {gaps.base}"
    return Around(study, min(persons[name] for name in known), what)


def _units(design: StaggeredAdoption, tables: Tables, followed: Followed) -> NDArray[np.int64]:
    column = tables.participants[design.clusters or "participant_id"]
    return pd.factorize(column.iloc[followed.rows], sort=True)[0].astype(np.int64)


def _persons_of(path: Path, followed: Followed) -> NDArray[np.int64]:
    """Return the persons behind each step: those of its cohorts, or of the smallest comparison group."""
    return np.asarray(np.minimum(path.n_treated, followed.effects.n_comparison.min()), dtype=np.int64)


def _of_cohorts(design: StaggeredAdoption, tables: Tables, estimate: Estimate) -> PreTrend | str:
    followed = follow(design, tables, estimate.estimand.measure)
    effects, ahead = followed.effects, design.anticipation
    units = _units(design, tables, followed)
    before = effects.period < effects.cohort - ahead
    if not before.any():
        return NO_EARLIER
    # With few clusters only the mean of the effects before the start can be tested.
    rows = before_the_start(design, effects, units)
    freedom = freedom_of(design, units) if len(rows) < before.sum() else math.inf
    shares = shares_of(design, effects.influence @ rows.T, units)
    covariance = shares.T @ shares
    test = all_zero(rows @ effects.value, covariance, freedom)
    if test is None:
        return TOO_FEW_UNITS
    path = aggregate(effects, "dynamic")
    steps = shares_of(design, path.influence, units)
    # Since the last period before the start, or (with a base that varies) since the period before.
    since = (effects.period - (effects.cohort - 1 - ahead)).astype(np.float64)
    drift = np.where(before, 1.0, since) if design.base_period == "varying" else since
    drifting = aggregate(replace(effects, value=drift), "dynamic")
    headline = aggregate(replace(effects, value=drift), design.aggregation)
    frame = pd.DataFrame(
        {
            "place": path.labels.astype(np.float64),
            "value": path.values,
            "std_error": np.sqrt((steps**2).sum(axis=0)),
            "persons": _persons_of(path, followed),
        }
    )
    return PreTrend(
        frame=frame,
        start=-0.5 - ahead,
        axis="Periods since the start",
        values=rows @ effects.value,
        covariance=covariance,
        degrees_of_freedom=freedom,
        statistic=test.statistic,
        p_value=test.p_value,
        drift=rows @ drift,
        drift_in_path=drifting.values,
        bias=headline.overall,
    )


def _around_cohorts(design: StaggeredAdoption, tables: Tables, estimate: Estimate) -> Around | str:
    fixed = design.model_copy(update={"base_period": "universal"})
    followed = follow(fixed, tables, estimate.estimand.measure)
    path = aggregate(followed.effects, "dynamic")
    base = -1 - design.anticipation
    shown = dict(zip(path.labels.tolist(), path.n_treated >= design.smallest_cohort, strict=True))
    first = last = base
    while shown.get(first - 1, False):
        first -= 1
    while shown.get(last + 1, False):
        last += 1
    if first == base:
        return NO_EARLIER
    if last < 0:
        return "No step from the start on rests on enough persons."
    chosen = np.isin(path.labels, np.arange(first, last + 1))
    labels = path.labels[chosen]
    shares = shares_of(fixed, path.influence[:, chosen], _units(fixed, tables, followed))
    amounts = np.ones(len(labels))
    what = "average over the periods since the start"
    if design.aggregation == "simple":
        amounts = path.n_treated[chosen].astype(np.float64)
        what = "average over cohorts and periods"
    weights = np.where(labels >= 0, amounts, 0.0)[labels > base]
    study = EventStudy(
        path.values[chosen][labels < base],
        path.values[chosen][labels > base],
        shares.T @ shares,
        weights / weights.sum(),
    )
    return Around(study, int(_persons_of(path, followed)[chosen].min()), what)
