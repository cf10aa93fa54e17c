"""How likely each design finds an effect of a given size, from its plan alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..errors import DesignError
from ..numerics import precision as variances
from ..numerics.power import power, smallest_found
from .donors import placebo_draws
from .plan import Plan
from .setting import Setting

Array = NDArray[np.float64]
Chance = Callable[[float], float]

_BY_FORMULA = "a formula"
PER_HUNDRED = 100.0
# A share cannot reach 1 or 0 exactly: nobody would differ any more.
_NEARLY = 1 - 1e-9


@dataclass(frozen=True)
class Precision:
    """What a plan can tell.

    Attributes
    ----------
    std_error : float
        Of the estimate when there is no effect, in the outcome's unit.
    degrees_of_freedom : float
        Of the test.
    chance : callable
        Takes the size of an effect, in the outcome's unit; returns the chance that the interval leaves out zero.
    largest : float
        The largest effect that is possible.
    method : str
        By what it was computed.
    source : str
        Citation keys.
    notes : tuple of str
        What the reader must know, in sentences.
    """

    std_error: float
    degrees_of_freedom: float
    chance: Chance
    largest: float
    source: str
    method: str = _BY_FORMULA
    notes: tuple[str, ...] = ()


def precision_of(plan: Plan, setting: Setting) -> Precision:
    """Return what a plan can tell; the plan was found sound.

    Parameters
    ----------
    plan : Plan
        For one outcome.
    setting : Setting
        The design, and which changes are looked for.

    Raises
    ------
    DesignError
        So few people or clusters that nothing can be estimated.
    """
    found = _DESIGNS[setting.kind](plan, setting)
    if not found.degrees_of_freedom >= 1:
        raise DesignError(
            "design.plan_too_small",
            "There are too few people, or clusters, to estimate anything.",
            where="plan",
            why="What is left after counting groups, strata and covariates says how far chance may reach.",
            do="Plan for more, or for fewer strata and covariates.",
        )
    return found


def _largest(plan: Plan, setting: Setting, dilution: float = 1.0) -> float:
    """Return the largest possible effect: a share has room up to 1 or down to 0."""
    if plan.baseline_share is None:
        return math.inf
    room = 1 - plan.baseline_share if setting.direction > 0 else plan.baseline_share
    return min(room * _NEARLY / dilution, 1.0)


def _constant(
    plan: Plan, setting: Setting, variance: float, freedom: float, source: str, notes: tuple[str, ...] = ()
) -> Precision:
    """Return the precision of an estimate whose error does not change with the effect."""
    std_error = plan.spread * math.sqrt(variance)

    def chance(effect: float) -> float:
        return float(power(np.array([effect]), std_error, freedom, setting.significance)[0])

    return Precision(std_error, freedom, chance, _largest(plan, setting), source, notes=notes)


def _arms(plan: Plan) -> tuple[float, float]:
    """Return the people offered and compared whose outcome will be known."""
    known = plan.n_people * (1 - plan.attrition_share)
    return known * plan.offered_share, known * (1 - plan.offered_share)


def _two_groups(
    plan: Plan, setting: Setting, inflation: float, freedom: float, source: str, dilution: float = 1.0
) -> Precision:
    """Return the precision of a difference between two groups; a share's spread changes with it.

    ``dilution`` is by how much of an effect the groups differ: those who do not take part have none.
    """
    offered, compared = _arms(plan)
    if freedom < 1:
        return Precision(math.nan, freedom, lambda _: math.nan, math.inf, source)

    def error(effect: float) -> float:
        without, with_effect = plan.spread**2, plan.spread**2
        if plan.baseline_share is not None:
            share = plan.baseline_share + setting.direction * effect * dilution
            with_effect = max(share * (1 - share), 0.0)
        return math.sqrt(inflation * (with_effect / offered + without / compared)) / dilution

    def chance(effect: float) -> float:
        return float(power(np.array([effect]), error(effect), freedom, setting.significance)[0])

    return Precision(error(0.0), freedom, chance, _largest(plan, setting, dilution), source)


def _inflation(plan: Plan) -> float:
    return variances.cluster_inflation(
        plan.cluster_size,
        plan.intra_cluster_correlation or 0.0,
        plan.cluster_size_variation,
        plan.covariate_r2,
        plan.cluster_covariate_r2,
    )


def _known(plan: Plan) -> float:
    """Return the number of units that are independent of each other: clusters, or people with a known outcome."""
    return plan.n_clusters if plan.is_clustered else plan.n_people * (1 - plan.attrition_share)


def _over_time(plan: Plan) -> tuple[float, float]:
    """Return the inflation by clusters in one period, and the correlation over time of the independent units."""
    correlation = plan.period_correlation or 0.0
    if not plan.is_clustered:
        return 1.0, correlation
    within = plan.intra_cluster_correlation or 0.0
    size = plan.cluster_size * (1 + plan.cluster_size_variation**2)
    alike = variances.correlation_of_means(size, within, plan.cluster_period_correlation or 0.0, correlation)
    return variances.cluster_inflation(plan.cluster_size, within, plan.cluster_size_variation), alike


def _trial(plan: Plan, setting: Setting) -> Precision:
    before, after = plan.periods_before or 0, plan.periods_after or 1
    inflation = _inflation(plan)
    source = "Bloom1995,DongMaynard2013"
    if before or after > 1:
        in_one, alike = _over_time(plan)
        inflation = in_one * variances.adjusted_mean_after(before, after, alike)
        source = "FrisonPocock1992,McKenzie2012"
    lost = 1 + plan.strata + plan.covariates + bool(before)
    return _two_groups(plan, setting, inflation * (1 - plan.strata_r2), _known(plan) - lost, source)


def _instrument(plan: Plan, setting: Setting) -> Precision:
    freedom = _known(plan) - 2 - plan.covariates
    return _two_groups(plan, setting, _inflation(plan), freedom, "Bloom1984", dilution=plan.taking_part)


def _matched(plan: Plan, setting: Setting) -> Precision:
    offered, compared = _arms(plan)
    left = compared * plan.effective_share
    variance = (1 - plan.covariate_r2) * (1 / offered + 1 / left)
    freedom = offered + left - 2 - plan.covariates
    note = "How many of the comparison group are left is known only when the groups have been made alike."
    return _constant(plan, setting, variance, freedom, "Kish1965", (note,))


def _change(plan: Plan, setting: Setting) -> Precision:
    offered, compared = _arms(plan)
    inflation, alike = _over_time(plan)
    of_change = variances.change_of_means(plan.periods_before or 1, plan.periods_after or 1, alike)
    notes: tuple[str, ...] = ()
    if not setting.same_people:
        # New people in each period share nothing but their cluster.
        inflation, alike = _over_time(plan.model_copy(update={"period_correlation": _of_strangers(plan)}))
        of_change = variances.change_of_means(plan.periods_before or 1, plan.periods_after or 1, alike)
        notes = ("Each period has new people, so the plan's people are those of one period.",)
    variance = inflation * of_change * (1 / offered + 1 / compared)
    return _constant(plan, setting, variance, _known(plan) - 1, "McKenzie2012,Teerenstra2012", notes)


def _of_strangers(plan: Plan) -> float:
    return (plan.intra_cluster_correlation or 0.0) * (plan.cluster_period_correlation or 0.0)


def _staggered(plan: Plan, setting: Setting) -> Precision:
    waves, before = plan.waves or 1, plan.periods_before or 1
    periods = before + waves - 1 + (plan.periods_after or 1)
    inflation, alike = _over_time(plan)
    known = plan.n_people * (1 - plan.attrition_share)
    start = [before + wave for wave in range(waves)]
    sizes = [known * plan.offered_share / waves] * waves
    never = known * (1 - plan.offered_share)
    control = setting.control if never else "not_yet_treated"
    variance = inflation * variances.starts_one_after_another(start, sizes, never, periods, alike, control)
    return _constant(plan, setting, variance, _known(plan) - 1, "CallawaySantAnna2021")


def _cutoff(plan: Plan, setting: Setting) -> Precision:
    near = plan.n_people * (1 - plan.attrition_share) * (plan.near_cutoff_share or 1.0)
    inflation = variances.local_polynomial_inflation(setting.kernel, setting.order + 1)
    variance = (1 - plan.covariate_r2) * inflation * 4 / near
    freedom = math.inf if near - plan.covariates >= 2 * (setting.order + 3) else 0.0
    note = (
        "People are taken to stand evenly on both sides within the bandwidth; the interval is the one that is "
        f"corrected for bias, which needs {inflation:.1f} times as many people as a lottery among those near the "
        "cutoff."
    )
    return _constant(plan, setting, variance, freedom, "Schochet2009,CalonicoCattaneoTitiunik2014", (note,))


def _before_after(plan: Plan, setting: Setting) -> Precision:
    known = plan.n_people * (1 - plan.attrition_share)
    variance = variances.change_of_means(1, 1, plan.period_correlation or 0.0) / known
    note = "This is the power to see a change; whether the programme made it, this design cannot tell."
    return _constant(plan, setting, variance, known - 1, "Student1908", (note,))


def _series(plan: Plan, setting: Setting) -> Precision:
    before, after = plan.periods_before or 0, plan.periods_after or 0
    variance, freedom = variances.break_in_series(before, after, plan.period_correlation or 0.0, at_end=setting.at_end)
    note = "A straight line before and after the start, without seasons; a season costs precision."
    return _constant(plan, setting, _of_period(plan) * variance, freedom, "Wagner2002,Turner2021", (note,))


def _of_period(plan: Plan) -> float:
    """Return the variance of a period's mean: of its people, and of what moves them all at once."""
    known = plan.n_people * (1 - plan.attrition_share)
    return variances.cluster_inflation(known, plan.intra_cluster_correlation or 0.0) / known


def _donors(plan: Plan, setting: Setting) -> Precision:
    donors = plan.donors or 0
    drawn = placebo_draws(
        donors,
        plan.periods_before or 1,
        plan.periods_after or 1,
        plan.period_correlation or 0.0,
        plan.draws,
        setting.seed,
        setting.donor_estimator,
    )
    unit = plan.spread * math.sqrt(_of_period(plan))
    limit = float(stats.t.isf(setting.significance / 2, donors - 1))

    def chance(effect: float) -> float:
        return float((np.abs(drawn.values + effect / unit) > limit * drawn.std_errors).mean())

    note = (
        "People is the number in each place and period. Places differ by a level that lasts and by chance; where they "
        "also move differently for years, power is lower."
    )
    return Precision(
        float(unit * drawn.std_errors.mean()),
        donors - 1,
        chance,
        _largest(plan, setting),
        "AbadieDiamondHainmueller2010",
        method=f"{plan.draws} made-up data sets",
        notes=(note,),
    )


def _duration(plan: Plan, setting: Setting) -> Precision:
    """Return the precision of the difference in mean time, in shares to whom it has happened by the end.

    It happens at a constant rate in each group.
    """
    offered, compared = _arms(plan)
    without = plan.baseline_share or 0.0
    mean, variance = variances.restricted_mean(without)
    largest = _largest(plan, setting)

    def chance(effect: float) -> float:
        other, spread = variances.restricted_mean(without + setting.direction * effect)
        error = math.sqrt(spread / offered + variance / compared)
        return float(power(np.array([mean - other]), error, math.inf, setting.significance)[0])

    def by_events(effect: float) -> float:
        share = without + setting.direction * effect
        error = math.sqrt(variances.log_hazard_ratio(offered * share + compared * without, plan.offered_share))
        return float(power(np.array([hazard_ratio_log(without, share)]), error, math.inf, setting.significance)[0])

    step = 1e-6
    slope = abs(mean - variances.restricted_mean(without + setting.direction * step)[0]) / step
    smallest = smallest_found(by_events, plan.power, largest)
    said = "no possible change" if smallest is None else f"a change of {PER_HUNDRED * smallest:.0f} per 100"
    note = (
        "It is taken to happen at a constant rate, and groups are compared by their mean time up to the end. By the "
        f"number of events, a log-rank test would find {said}."
    )
    error = math.sqrt(variance / offered + variance / compared) / slope
    return Precision(error, math.inf, chance, largest, "Uno2014,Schoenfeld1981", notes=(note,))


def hazard_ratio_log(without: float, share: float) -> float:
    """Return the logarithm of the ratio of constant hazards that gives two shares by the same time."""
    return math.log(math.log1p(-share) / math.log1p(-without))


_DESIGNS: Mapping[str, Callable[[Plan, Setting], Precision]] = MappingProxyType(
    {
        "randomised_trial": _trial,
        "duration": _duration,
        "regression_discontinuity": _cutoff,
        "staggered_adoption": _staggered,
        "difference_in_differences": _change,
        "instrumental_variables": _instrument,
        "panel": _change,
        "matched_comparison": _matched,
        "synthetic_control": _donors,
        "interrupted_time_series": _series,
        "before_after": _before_after,
    }
)
