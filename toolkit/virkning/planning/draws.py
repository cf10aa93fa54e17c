"""Made-up data of a plan, estimated as real data would be: how often the effect is found.

The formulas rest on what textbooks take for granted. Here the design's own estimator, with its own intervals, meets
people drawn as the plan expects them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..data import Tables
from ..designs import (
    BeforeAfter,
    DifferenceInDifferences,
    Duration,
    EvaluationDesign,
    InstrumentalVariables,
    InterruptedTimeSeries,
    MatchedComparison,
    Panel,
    RandomisedTrial,
    StaggeredAdoption,
    estimate,
)
from ..designs.regression_discontinuity import RegressionDiscontinuity
from ..designs.synthetic_control import SyntheticControl
from ..estimand import Outcome
from ..simulation.made_up_tables import MEASURE, made_up, one_outcome
from .answers import require_sound_plan
from .plan import Plan

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Drawn = tuple[EvaluationDesign, Tables]
_WORDS = {"population": "made-up people", "comparison": "those not offered the programme"}
_HORIZON = 52.0


def simulated_power(plan: Plan, kind: str, effect: float, *, draws: int, seed: int = 0) -> float:
    """Return how often the design's own estimate finds an effect in made-up data of a plan.

    Parameters
    ----------
    plan : Plan
        What is expected.
    kind : str
        Type of the design.
    effect : float
        A rise, in the outcome's unit; a share from 0 to 1. Of a duration: of the share to whom it has happened.
    draws : int
        Made-up data sets.
    seed : int
        Start of the random numbers.

    Returns
    -------
    float
        Share of the data sets, 0 to 1, in which the interval of the headline leaves out zero.

    Raises
    ------
    DesignError
        The plan cannot be.
    """
    require_sound_plan(plan, kind)
    n_found = 0
    for draw in range(draws):
        design, tables = _DRAWS[kind](plan, effect, np.random.default_rng([seed, draw]))
        if plan.confidence is not None:
            design = design.model_copy(update={"confidence": plan.confidence})
        found = estimate(design, tables, seed=draw).primary
        if found.is_available:
            best = found.headline()
            n_found += not best.lower <= 0 <= best.upper
    return n_found / draws


def _offered(plan: Plan, n: int, generator: np.random.Generator) -> Booleans:
    """Return who is offered the programme; whole clusters together."""
    units = plan.n_clusters if plan.is_clustered else n
    drawn = generator.permutation(np.arange(units) < round(units * plan.offered_share))
    return np.asarray(drawn[_cluster(plan, n)] if plan.is_clustered else drawn)


def _cluster(plan: Plan, n: int) -> NDArray[np.int64]:
    return np.arange(n) * plan.n_clusters // n


def _levels(plan: Plan, n: int, periods: int, generator: np.random.Generator) -> Array:
    """Return what sets people apart in each period, shape (n, periods), with variance one."""
    within = (plan.intra_cluster_correlation or 0.0) if plan.is_clustered else 0.0
    lasting = within * (plan.cluster_period_correlation or 0.0)
    own = max((plan.period_correlation or 0.0) - lasting, 0.0)
    cluster = _cluster(plan, n) if plan.is_clustered else np.zeros(n, dtype=np.int64)
    of_cluster = generator.standard_normal((cluster.max() + 1, 1)) * np.sqrt(lasting)
    of_cluster = of_cluster + generator.standard_normal((cluster.max() + 1, periods)) * np.sqrt(within - lasting)
    of_person = generator.standard_normal((n, 1)) * np.sqrt(own)
    of_person = of_person + generator.standard_normal((n, periods)) * np.sqrt(1 - within - own)
    return np.asarray(of_cluster[cluster] + of_person)


def _lose(plan: Plan, values: Array, generator: np.random.Generator) -> Array:
    """Return the values without those of the people who are lost, in every period."""
    lost = generator.random(len(values)) < plan.attrition_share
    return np.where(lost[:, None], np.nan, values)


def _columns(plan: Plan, n: int) -> dict[str, NDArray[np.generic]]:
    if not plan.is_clustered:
        return {}
    return {"place": np.array([f"place {number}" for number in _cluster(plan, n)], dtype=object)}


def _clustered(plan: Plan) -> dict[str, str]:
    return {"clusters": "place"} if plan.is_clustered else {}


def _names(periods: int) -> list[str]:
    return [f"{number:03d}" for number in range(periods)]


def _trial(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    n, before, after = round(plan.n_people), plan.periods_before or 0, plan.periods_after or 1
    offered, columns = _offered(plan, n, generator), _columns(plan, n)
    if plan.baseline_share is not None and not plan.is_clustered:
        values = (generator.random(n) < plan.baseline_share + effect * offered).astype(np.float64)
    else:
        levels = _levels(plan, n, before + after, generator)
        trait = generator.standard_normal(n)
        levels *= np.sqrt(1 - plan.covariate_r2)
        values = plan.spread * (levels[:, before:].mean(axis=1) + np.sqrt(plan.covariate_r2) * trait)
        values += effect * offered
        columns["earlier"] = levels[:, :before].mean(axis=1) if before else trait
    adjusted = bool(before or plan.covariate_r2)
    design = RandomisedTrial(
        **_WORDS,
        **_clustered(plan),
        estimator="ancova" if adjusted else "difference_in_means",
        covariates=("earlier",) if adjusted else (),
        standard_errors="cr2" if plan.is_clustered else "hc2",
    )
    return design, made_up(offered, {MEASURE: _lose(plan, values[:, None], generator)}, ["end"], columns)


def _instrument(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    n = round(plan.n_people)
    offered = _offered(plan, n, generator)
    eager = generator.random(n)
    takes = np.where(offered, eager < plan.take_up_share, eager < plan.crossover_share)
    values = plan.spread * _levels(plan, n, 1, generator) + (effect * takes)[:, None]
    columns = {"is_offered": offered, **_columns(plan, n)}
    errors = "clustered" if plan.is_clustered else "hc1"
    design = InstrumentalVariables(
        **_WORDS, **_clustered(plan), treatment="is_treated", instruments=("is_offered",), standard_errors=errors
    )
    return design, made_up(takes, {MEASURE: _lose(plan, values, generator)}, ["end"], columns)


def _two_groups(plan: Plan, effect: float, generator: np.random.Generator) -> tuple[Booleans, Array, list[str]]:
    """Return who is offered, and the outcomes of a group with and one without the programme, before and after."""
    n, before = round(plan.n_people), plan.periods_before or 1
    periods = before + (plan.periods_after or 1)
    offered = _offered(plan, n, generator)
    values = plan.spread * _levels(plan, n, periods, generator)
    values[:, before:] += effect * offered[:, None]
    return offered, _lose(plan, values, generator), _names(periods)


def _change(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    offered, values, names = _two_groups(plan, effect, generator)
    before = plan.periods_before or 1
    design = DifferenceInDifferences(
        **_WORDS, **_clustered(plan), sampling="panel", before=tuple(names[:before]), after=tuple(names[before:])
    )
    return design, made_up(offered, {MEASURE: values}, names, _columns(plan, len(offered)))


def _panel(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    offered, values, names = _two_groups(plan, effect, generator)
    attends = np.zeros_like(values)
    attends[:, plan.periods_before or 1 :] = offered[:, None]
    measures = {
        **one_outcome(names[-1]),
        "attends": Outcome(label="Attends", unit="share", kind="share", period=names[-1]),
    }
    design = Panel(**_WORDS, **_clustered(plan), treatment_measure="attends")
    columns = _columns(plan, len(offered))
    return design, made_up(offered, {MEASURE: values, "attends": attends}, names, columns, measures)


def _staggered(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    n, before, waves = round(plan.n_people), plan.periods_before or 1, plan.waves or 1
    periods = before + waves - 1 + (plan.periods_after or 1)
    units = plan.n_clusters if plan.is_clustered else n
    wave = np.arange(units) * waves // max(round(units * plan.offered_share), 1)
    wave = generator.permutation(np.where(wave < waves, wave, periods))
    start = before + (wave[_cluster(plan, n)] if plan.is_clustered else wave)
    values = plan.spread * _levels(plan, n, periods, generator)
    values += effect * (np.arange(periods)[None, :] >= start[:, None])
    names = _names(periods)
    first = np.array([names[place] if place < periods else None for place in start], dtype=object)
    control = "never_treated" if plan.comparison_ratio else "not_yet_treated"
    design = StaggeredAdoption(**_WORDS, **_clustered(plan), control_group=control)
    columns = {"first_treated_period": first, **_columns(plan, n)}
    return design, made_up(start < periods, {MEASURE: _lose(plan, values, generator)}, names, columns)


def _matched(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    n = round(plan.n_people)
    took = _offered(plan, n, generator)
    # With groups this far apart, weights that make them alike leave the effective share.
    trait = generator.standard_normal(n) + np.sqrt(-np.log(plan.effective_share)) * took
    values = plan.spread * generator.standard_normal((n, 1)) + (effect * took)[:, None]
    design = MatchedComparison(**_WORDS, estimator="weighting", covariates=("trait",))
    return design, made_up(took, {MEASURE: _lose(plan, values, generator)}, ["end"], {"trait": trait})


def _before_after(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    n = round(plan.n_people)
    values = plan.spread * _levels(plan, n, 2, generator) + [0.0, effect]
    values = _lose(plan, values, generator)
    design = BeforeAfter(population="made-up people", before=("before",))
    return design, made_up(np.ones(n, dtype=bool), {MEASURE: values}, ["before", "after"])


def _cutoff(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    n = round(plan.n_people)
    score = generator.uniform(-1, 1, n)
    above = score >= 0
    values = plan.spread * generator.standard_normal((n, 1)) + (effect * above)[:, None]
    design = RegressionDiscontinuity(
        **_WORDS, running="score", cutoff=0.0, bandwidth=plan.near_cutoff_share or 1.0, standard_errors="hc2"
    )
    return design, made_up(above, {MEASURE: _lose(plan, values, generator)}, ["end"], {"score": score})


def _autoregression(periods: int, correlation: float, generator: np.random.Generator) -> Array:
    noise = generator.standard_normal(periods)
    for place in range(1, periods):
        noise[place] = correlation * noise[place - 1] + np.sqrt(1 - correlation**2) * noise[place]
    return noise


def _of_period(plan: Plan) -> float:
    """Return the standard deviation of the mean of the people of one period."""
    n = plan.n_people * (1 - plan.attrition_share)
    shared = plan.intra_cluster_correlation or 0.0
    return float(plan.spread * np.sqrt((1 + (n - 1) * shared) / n))


def _series(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    before, periods = plan.periods_before or 3, (plan.periods_before or 3) + (plan.periods_after or 3)
    values = _of_period(plan) * _autoregression(periods, plan.period_correlation or 0.0, generator)
    values += effect * (np.arange(periods) >= before)
    names = _names(periods)
    design = InterruptedTimeSeries(population="made-up people", start=names[before], persons_per_row="n_persons")
    columns = {"n_persons": np.array([round(plan.n_people)])}
    return design, made_up(np.ones(1, dtype=bool), {MEASURE: values[None, :]}, names, columns)


def _donors(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    before, places = plan.periods_before or 1, (plan.donors or 0) + 1
    periods = before + (plan.periods_after or 1)
    alone = plan.model_copy(update={"clusters": None, "people_per_cluster": None})
    values = _of_period(plan) * _levels(alone, places, periods, generator)
    treated = np.arange(places) == 0
    values[0, before:] += effect
    names = _names(periods)
    design = SyntheticControl(**_WORDS, start=names[before], periods=tuple(names))
    return design, made_up(treated, {MEASURE: values}, names)


def _duration(plan: Plan, effect: float, generator: np.random.Generator) -> Drawn:
    n, without = round(plan.n_people), plan.baseline_share or 0.0
    offered = _offered(plan, n, generator)
    rates = -np.log1p(-(without + effect * offered)) / _HORIZON
    time = generator.exponential(1 / rates)
    followed = np.minimum(time, _HORIZON)
    happened = (time <= _HORIZON).astype(np.float64)
    measures = {**one_outcome("end"), "happened": Outcome(label="Happened", unit="share", kind="share", period="end")}
    design = Duration(**_WORDS, assignment="lottery", follow_up={MEASURE: {"event": "happened", "horizon": _HORIZON}})
    known = ~(generator.random(n) < plan.attrition_share)
    values = {
        MEASURE: np.where(known, followed, np.nan)[:, None],
        "happened": np.where(known, happened, np.nan)[:, None],
    }
    return design, made_up(offered, values, ["end"], measures=measures)


_DRAWS: Mapping[str, Callable[[Plan, float, np.random.Generator], Drawn]] = MappingProxyType(
    {
        "randomised_trial": _trial,
        "duration": _duration,
        "regression_discontinuity": _cutoff,
        "staggered_adoption": _staggered,
        "difference_in_differences": _change,
        "instrumental_variables": _instrument,
        "panel": _panel,
        "matched_comparison": _matched,
        "synthetic_control": _donors,
        "interrupted_time_series": _series,
        "before_after": _before_after,
    }
)
