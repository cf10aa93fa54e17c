"""Formula against made-up data, once for each design: kept beside the chapters, so that a book shows it at once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..disclosure import Column, Table
from ..errors import BookError
from ..resources import folder
from ..simulation.recorded import read_rows, write_rows
from .answers import power
from .draws import simulated_power
from .plan import Plan

FILE = "power.csv"
# So many first draws are remembered: a fingerprint by which a short run recognises a long one.
EARLY = 8
SEED = 1
# Distance between formula and draws that chance leaves in about 1 of 370 cases.
LIMIT = 3.0


@dataclass(frozen=True)
class Case:
    """One plan, and an effect that it should find about four times in five.

    Attributes
    ----------
    name : str
        What is special about it.
    kind : str
        Type of the design.
    plan : Plan
        What is expected.
    effect : float
        The true effect in the draws.
    """

    name: str
    kind: str
    plan: Plan
    effect: float


_SPREAD = {"standard_deviation": 1.0}
_FOUR = {"periods_before": 2, "periods_after": 2}
CASES = (
    Case("Share, some are lost", "randomised_trial", Plan(people=120, baseline_share=0.4, attrition_share=0.1), 0.25),
    Case("Covariates", "randomised_trial", Plan(people=100, covariate_r2=0.4, covariates=1, **_SPREAD), 0.45),
    Case("Repeated measures", "randomised_trial", Plan(people=100, period_correlation=0.5, **_FOUR, **_SPREAD), 0.4),
    Case(
        "Twenty clusters",
        "randomised_trial",
        Plan(clusters=20, people_per_cluster=15, intra_cluster_correlation=0.17, **_SPREAD),
        0.63,
    ),
    Case("Two groups", "difference_in_differences", Plan(people=120, period_correlation=0.6, **_FOUR, **_SPREAD), 0.33),
    Case(
        "Forty clusters",
        "difference_in_differences",
        Plan(
            clusters=40,
            people_per_cluster=8,
            periods_before=1,
            periods_after=2,
            period_correlation=0.5,
            intra_cluster_correlation=0.1,
            cluster_period_correlation=0.7,
            **_SPREAD,
        ),
        0.33,
    ),
    Case(
        "Three periods after",
        "panel",
        Plan(people=120, periods_before=2, periods_after=3, period_correlation=0.6, **_SPREAD),
        0.3,
    ),
    Case(
        "Three waves", "staggered_adoption", Plan(people=180, waves=3, period_correlation=0.5, **_FOUR, **_SPREAD), 0.29
    ),
    Case(
        "Everybody starts",
        "staggered_adoption",
        Plan(
            people=180,
            waves=4,
            comparison_ratio=0,
            periods_before=2,
            periods_after=1,
            period_correlation=0.5,
            **_SPREAD,
        ),
        0.31,
    ),
    Case(
        "Not all obey",
        "instrumental_variables",
        Plan(people=300, take_up_share=0.8, crossover_share=0.1, **_SPREAD),
        0.46,
    ),
    Case("Same people", "before_after", Plan(people=60, period_correlation=0.5, **_SPREAD), 0.37),
    Case(
        "48 months",
        "interrupted_time_series",
        Plan(people=100, periods_before=30, periods_after=18, period_correlation=0.3, **_SPREAD),
        0.21,
    ),
    Case("Six of ten near", "regression_discontinuity", Plan(people=800, near_cutoff_share=0.6, **_SPREAD), 0.82),
    Case(
        "Weights leave six of ten",
        "matched_comparison",
        Plan(people=300, comparison_ratio=2, effective_share=0.6, **_SPREAD),
        0.38,
    ),
    Case("Half within a year", "duration", Plan(people=200, baseline_share=0.5), 0.19),
    Case(
        "Twelve donors",
        "synthetic_control",
        Plan(people=100, donors=12, periods_before=10, periods_after=5, period_correlation=0.2, **_SPREAD),
        0.17,
    ),
)


@dataclass(frozen=True)
class Verified:
    """What came of one case.

    Attributes
    ----------
    kind, name : str
        Of the case.
    draws : int
        Made-up data sets.
    effect, formula, simulated : float
        The true effect, the chance of finding it by the formula, and the share of data sets in which it was found.
    early : float
        The same share among the first draws.
    """

    kind: str
    name: str
    draws: int
    effect: float
    formula: float
    simulated: float
    early: float

    @property
    def monte_carlo_error(self) -> float:
        """Standard error of the simulated share, from the finite number of draws."""
        return math.sqrt(self.formula * (1 - self.formula) / self.draws)

    @property
    def agrees(self) -> bool:
        """Whether formula and draws differ by no more than chance."""
        return abs(self.simulated - self.formula) <= LIMIT * self.monte_carlo_error


def verify(case: Case, draws: int) -> Verified:
    """Return formula and made-up data side by side.

    Parameters
    ----------
    case : Case
        A plan and an effect.
    draws : int
        Made-up data sets; the first ones are the same whatever their number.
    """
    return Verified(
        kind=case.kind,
        name=case.name,
        draws=draws,
        effect=case.effect,
        formula=power(case.plan, case.kind).chance(case.effect),
        simulated=simulated_power(case.plan, case.kind, case.effect, draws=draws, seed=SEED),
        early=simulated_power(case.plan, case.kind, case.effect, draws=EARLY, seed=SEED),
    )


def write_verified(found: Iterable[Verified], file: Path) -> None:
    """Write a verification to a CSV file, all at once.

    Parameters
    ----------
    found : iterable of Verified
    file : Path
    """
    write_rows(found, Verified, file)


def read_verified(file: Path | None = None) -> tuple[Verified, ...]:
    """Return the last verification.

    Parameters
    ----------
    file : Path, optional
        By default the file that is shipped with the chapters.

    Raises
    ------
    BookError
        There is no such file.
    """
    place = file or folder("book") / FILE
    if not place.is_file():
        raise BookError(
            "book.no_verification",
            "The formulas for power have not been verified.",
            where=FILE,
            do="Do it: python -m virkning.planning --to book/power.csv",
        )
    return read_rows(Verified, place)


def verified() -> Table:
    """Return formula and made-up data side by side, one row per case.

    Raises
    ------
    BookError
        Nothing has been verified.
    """
    rows = [
        {
            "design": item.kind.replace("_", " ").capitalize(),
            "name": item.name,
            "formula": item.formula,
            "simulated": item.simulated,
            "error": item.monte_carlo_error,
            "draws": float(item.draws),
            "verdict": "yes" if item.agrees else "no",
        }
        for item in read_verified()
    ]
    columns = (
        Column("design", "Design"),
        Column("name", "Case"),
        Column("formula", "Chance by the formula", "share"),
        Column("simulated", "Found in made-up data", "share"),
        Column("error", "Chance error", "share"),
        Column("draws", "Data sets", "number", digits=0),
        Column("verdict", "Within three chance errors"),
    )
    frame = pd.DataFrame(rows, columns=[column.name for column in columns])
    return Table("power-verified", "How often an effect is found: by the formula, and in made-up data", columns, frame)
