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

# Each check takes the designs that it says; the table below never gives it another.
Check = Callable[[Any, Tables, Estimates, CheckSettings, np.random.Generator], CheckResult]

_WITHOUT_LOTTERY: Mapping[str, Check] = MappingProxyType({power.NAME: power.check_power})

CHECKS: Mapping[str, Mapping[str, Check]] = MappingProxyType(
    {
        "randomised_trial": MappingProxyType(
            {
                balance.NAME: balance.check_balance,
                attrition.NAME: attrition.check_attrition,
                randomisation_inference.NAME: randomisation_inference.check_randomisation_inference,
                power.NAME: power.check_power,
            }
        ),
        "staggered_adoption": _WITHOUT_LOTTERY,
        "difference_in_differences": _WITHOUT_LOTTERY,
        "matched_comparison": _WITHOUT_LOTTERY,
        # These three have no two groups of persons that the checks above could compare; their own are still to come.
        "instrumental_variables": MappingProxyType({}),
        "panel": MappingProxyType({}),
        "before_after": MappingProxyType({}),
    }
)


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
        There are no checks for this type of design.
    """
    kind = design.words.chapter
    if kind not in CHECKS:
        raise DesignError(
            "design.no_checks",
            f"There are no checks for the design «{kind}».",
            where="design.type",
            why="An estimate without its checks must not be believed.",
            do=did_you_mean(kind, CHECKS),
        )
    chosen = settings or CheckSettings()
    return Checks(
        [
            check(design, tables, effects, chosen, np.random.default_rng([seed, zlib.crc32(name.encode())]))
            for name, check in CHECKS[kind].items()
        ]
    )


__all__ = ["CHECKS", "CheckResult", "CheckSettings", "Checks", "run_checks"]
