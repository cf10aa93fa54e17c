"""What a reader must know before believing an estimate: each check answers one question."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ..data import Tables
from ..designs import EvaluationDesign
from ..errors import DesignError, did_you_mean
from ..estimates import Estimates
from . import (
    attrition,
    attrition_bounds,
    balance,
    balance_at_cutoff,
    benchmarks,
    cutoffs,
    density_at_cutoff,
    hausman,
    hidden_confounding,
    instrument_strength,
    leave_one_out,
    missing_data,
    overlap,
    parallel_trends,
    placebo_in_space,
    placebo_in_time,
    placebo_outcome,
    power,
    proportional_hazards,
    randomisation_inference,
    serial_correlation,
    several_outcomes,
    specification_curve,
    spillover,
    trend_sensitivity,
)
from .results import CheckResult, Checks, CheckSettings

# A check takes the designs that it belongs to; one that is added to another design says what it lacks there.
Check = Callable[[Any, Tables, Estimates, CheckSettings, np.random.Generator], CheckResult]

# Refuses what a programme asks of a check and the data cannot give.
Refusal = Callable[[Any, Tables, CheckSettings], None]

# In the order in which a reader needs them.
CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        balance.NAME: balance.check_balance,
        balance_at_cutoff.NAME: balance_at_cutoff.check_balance_at_cutoff,
        overlap.NAME: overlap.check_overlap,
        attrition.NAME: attrition.check_attrition,
        attrition_bounds.NAME: attrition_bounds.check_attrition_bounds,
        missing_data.NAME: missing_data.check_missing_data,
        randomisation_inference.NAME: randomisation_inference.check_randomisation_inference,
        parallel_trends.NAME: parallel_trends.check_parallel_trends,
        trend_sensitivity.NAME: trend_sensitivity.check_trend_sensitivity,
        placebo_in_time.NAME: placebo_in_time.check_placebo_in_time,
        density_at_cutoff.NAME: density_at_cutoff.check_density_at_cutoff,
        cutoffs.PLACEBO_NAME: cutoffs.check_placebo_cutoffs,
        cutoffs.DONUT_NAME: cutoffs.check_donut,
        instrument_strength.NAME: instrument_strength.check_instrument_strength,
        hausman.NAME: hausman.check_hausman,
        serial_correlation.NAME: serial_correlation.check_serial_correlation,
        placebo_in_space.NAME: placebo_in_space.check_placebo_in_space,
        proportional_hazards.NAME: proportional_hazards.check_proportional_hazards,
        hidden_confounding.NAME: hidden_confounding.check_hidden_confounding,
        spillover.NAME: spillover.check_spillover,
        placebo_outcome.NAME: placebo_outcome.check_placebo_outcome,
        leave_one_out.NAME: leave_one_out.check_leave_one_out,
        several_outcomes.NAME: several_outcomes.check_several_outcomes,
        specification_curve.NAME: specification_curve.check_specification_curve,
        power.NAME: power.check_power,
    }
)

# The checks that belong to a design; a programme adds and omits others.
BELONGING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "randomised_trial": (
            balance.NAME,
            attrition.NAME,
            attrition_bounds.NAME,
            missing_data.NAME,
            randomisation_inference.NAME,
            spillover.NAME,
            placebo_outcome.NAME,
            leave_one_out.NAME,
            several_outcomes.NAME,
            specification_curve.NAME,
            power.NAME,
        ),
        "duration": (
            balance.NAME,
            attrition.NAME,
            randomisation_inference.NAME,
            proportional_hazards.NAME,
            placebo_outcome.NAME,
            leave_one_out.NAME,
            several_outcomes.NAME,
            specification_curve.NAME,
            power.NAME,
        ),
        "regression_discontinuity": (
            balance_at_cutoff.NAME,
            attrition.NAME,
            density_at_cutoff.NAME,
            cutoffs.PLACEBO_NAME,
            cutoffs.DONUT_NAME,
            placebo_outcome.NAME,
            leave_one_out.NAME,
            several_outcomes.NAME,
            power.NAME,
        ),
        "staggered_adoption": (
            balance.NAME,
            attrition.NAME,
            parallel_trends.NAME,
            trend_sensitivity.NAME,
            placebo_in_time.NAME,
            placebo_outcome.NAME,
            leave_one_out.NAME,
            several_outcomes.NAME,
            power.NAME,
        ),
        "synthetic_control": (
            placebo_in_time.NAME,
            placebo_in_space.NAME,
            placebo_outcome.NAME,
            several_outcomes.NAME,
            specification_curve.NAME,
            power.NAME,
        ),
        "difference_in_differences": (
            balance.NAME,
            attrition.NAME,
            missing_data.NAME,
            parallel_trends.NAME,
            trend_sensitivity.NAME,
            placebo_in_time.NAME,
            hidden_confounding.NAME,
            spillover.NAME,
            placebo_outcome.NAME,
            leave_one_out.NAME,
            several_outcomes.NAME,
            specification_curve.NAME,
            power.NAME,
        ),
        "instrumental_variables": (
            instrument_strength.NAME,
            placebo_outcome.NAME,
            leave_one_out.NAME,
            several_outcomes.NAME,
            specification_curve.NAME,
        ),
        "panel": (
            hausman.NAME,
            placebo_outcome.NAME,
            leave_one_out.NAME,
            several_outcomes.NAME,
            specification_curve.NAME,
        ),
        "matched_comparison": (
            balance.NAME,
            overlap.NAME,
            attrition.NAME,
            missing_data.NAME,
            hidden_confounding.NAME,
            spillover.NAME,
            placebo_outcome.NAME,
            leave_one_out.NAME,
            several_outcomes.NAME,
            specification_curve.NAME,
            power.NAME,
        ),
        "interrupted_time_series": (
            placebo_in_time.NAME,
            serial_correlation.NAME,
            placebo_outcome.NAME,
            several_outcomes.NAME,
            specification_curve.NAME,
        ),
        "before_after": (
            placebo_outcome.NAME,
            leave_one_out.NAME,
            several_outcomes.NAME,
        ),
    }
)
REFUSALS: Mapping[str, Refusal] = MappingProxyType(
    {
        balance_at_cutoff.NAME: benchmarks.refuse_benchmarks,
        hidden_confounding.NAME: hidden_confounding.refuse_unfit,
        spillover.NAME: spillover.refuse_unfit,
        placebo_outcome.NAME: placebo_outcome.refuse_unfit,
        specification_curve.NAME: specification_curve.refuse_unfit,
    }
)
# It repeats the lottery, so there must have been one.
_NEEDS_A_LOTTERY = randomisation_inference.NAME


def chosen(design: EvaluationDesign, settings: CheckSettings) -> tuple[str, ...]:
    """Return the names of the checks to run: those of the design and those added, less those omitted.

    Parameters
    ----------
    design : EvaluationDesign
    settings : CheckSettings

    Raises
    ------
    DesignError
        There are no checks for this type of design, or a check is added or omitted that does not exist.
    """
    kind = design.words.chapter
    if kind not in BELONGING:
        raise DesignError(
            "design.no_checks",
            f"There are no checks for the design «{kind}».",
            where="design.type",
            why="An estimate without its checks must not be believed.",
            do=did_you_mean(kind, BELONGING),
        )
    for key, names in (("add", settings.add), ("omit", tuple(settings.omit))):
        for name in names:
            if name not in CHECKS:
                raise DesignError(
                    "design.unknown_check",
                    f"There is no check «{name}».",
                    where=f"checks.{key}",
                    do=did_you_mean(name, CHECKS),
                )
    if _NEEDS_A_LOTTERY in settings.add and _NEEDS_A_LOTTERY not in BELONGING[kind]:
        raise DesignError(
            "design.check_does_not_apply",
            f"The check «{_NEEDS_A_LOTTERY}» does not apply to the design «{kind}».",
            where="checks.add",
            why="It draws the lottery of a trial again; here none was held.",
            do="Take it out.",
        )
    wanted = {*BELONGING[kind], *settings.add} - set(settings.omit)
    return tuple(name for name in CHECKS if name in wanted)


def require_sound_checks(design: EvaluationDesign, tables: Tables, settings: CheckSettings) -> None:
    """Refuse what is asked of the checks and these data cannot give, before anything is estimated.

    Parameters
    ----------
    design, tables
        The design, and data that it can honour.
    settings : CheckSettings
        As declared.

    Raises
    ------
    DesignError
        A check does not exist, a placebo outcome is the outcome, a benchmark follows from the covariates, or a column
        is missing or holds no numbers.
    """
    for name in chosen(design, settings):
        if name in REFUSALS:
            REFUSALS[name](design, tables, settings)


def run_checks(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    *,
    settings: CheckSettings | None = None,
    seed: int = 0,
) -> Checks:
    """Run every check that belongs to the design.

    Parameters
    ----------
    design, tables, effects
        The design, the data, and what :func:`virkning.estimate` made of them.
    settings : CheckSettings, optional
        Limits; the defaults when left out.
    seed : int
        Start of the random numbers. Each check has a stream of its own, so that one check never changes another.

    Returns
    -------
    Checks
        By name, in the order in which a reader needs them.

    Raises
    ------
    DesignError
        There are no checks for this type of design, or a check is added or omitted that does not exist.
    """
    limits = settings or CheckSettings()
    return Checks(
        [
            CHECKS[name](design, tables, effects, limits, np.random.default_rng([seed, zlib.crc32(name.encode())]))
            for name in chosen(design, limits)
        ],
        omitted=limits.omit,
    )


__all__ = [
    "BELONGING",
    "CHECKS",
    "CheckResult",
    "CheckSettings",
    "Checks",
    "chosen",
    "require_sound_checks",
    "run_checks",
]
