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
from . import attrition, balance, power, randomisation_inference
from .results import CheckResult, Checks, CheckSettings

# A check takes the designs that it belongs to; one that is added to another design says what it lacks there.
Check = Callable[[Any, Tables, Estimates, CheckSettings, np.random.Generator], CheckResult]

# In the order in which a reader needs them.
CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        balance.NAME: balance.check_balance,
        attrition.NAME: attrition.check_attrition,
        randomisation_inference.NAME: randomisation_inference.check_randomisation_inference,
        power.NAME: power.check_power,
    }
)

BELONGING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "randomised_trial": (balance.NAME, attrition.NAME, randomisation_inference.NAME, power.NAME),
        "staggered_adoption": (power.NAME,),
        "difference_in_differences": (power.NAME,),
        "matched_comparison": (power.NAME,),
        # These three have no two groups of persons that the checks above could compare; their own are still to come.
        "instrumental_variables": (),
        "panel": (),
        "before_after": (),
    }
)


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
    wanted = {*BELONGING[kind], *settings.add} - set(settings.omit)
    return tuple(name for name in CHECKS if name in wanted)


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


__all__ = ["BELONGING", "CHECKS", "CheckResult", "CheckSettings", "Checks", "chosen", "run_checks"]
