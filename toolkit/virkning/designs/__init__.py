"""Evaluation designs: one file for each, with its words, its specification and how it estimates.

To add a design, write four things: its module here (a subclass of ``EvaluationDesign``) with a line in ``DESIGNS``, its
chapter in ``book/methods/``, its validation test, and the checks that apply to it in ``virkning.checks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from ..data import Tables
from ..errors import DesignError
from ..estimates import Estimates
from .before_after import BeforeAfter
from .difference_in_differences import DifferenceInDifferences
from .duration import Duration
from .evaluation import EvaluationDesign, Persons
from .instrumental_variables import InstrumentalVariables
from .interrupted_time_series import InterruptedTimeSeries
from .matched_comparison import MatchedComparison
from .panel import Panel
from .randomised_trial import Alternative, RandomisedTrial
from .regression_discontinuity import RegressionDiscontinuity
from .remembered import remembering
from .staggered_adoption import StaggeredAdoption
from .synthetic_control import SyntheticControl
from .words import Assumption, DesignWords

# The most convincing first.
DESIGNS: Mapping[str, type[EvaluationDesign]] = MappingProxyType(
    {
        "randomised_trial": RandomisedTrial,
        "duration": Duration,
        "regression_discontinuity": RegressionDiscontinuity,
        "staggered_adoption": StaggeredAdoption,
        "synthetic_control": SyntheticControl,
        "difference_in_differences": DifferenceInDifferences,
        "instrumental_variables": InstrumentalVariables,
        "panel": Panel,
        "matched_comparison": MatchedComparison,
        "interrupted_time_series": InterruptedTimeSeries,
        "before_after": BeforeAfter,
    }
)

Design = Annotated[
    RandomisedTrial
    | Duration
    | RegressionDiscontinuity
    | StaggeredAdoption
    | SyntheticControl
    | DifferenceInDifferences
    | InstrumentalVariables
    | Panel
    | MatchedComparison
    | InterruptedTimeSeries
    | BeforeAfter,
    Field(discriminator="type"),
]


def problems(design: EvaluationDesign, tables: Tables) -> tuple[DesignError, ...]:
    """Return every reason why these data cannot honour the design, without fitting anything; empty when all is well."""
    return tuple(design.problems(tables))


def require_sound(design: EvaluationDesign, tables: Tables, persons: Persons | None = None) -> None:
    """Refuse a design that these data cannot honour; nothing is fitted.

    Raises
    ------
    DesignError
        With its own code when there is one reason, else with all reasons and the code ``design.several``.
    """
    found = list(design.problems(tables, persons))
    if len(found) == 1:
        raise found[0]
    if found:
        reasons = "\n".join(f"  - {error.what} ({error.where}) {error.do}" for error in found)
        raise DesignError(
            "design.several",
            f"The data cannot honour the design, for {len(found)} reasons:\n{reasons}",
            where="design",
            why="An estimate that silently differs from its specification must not be believed.",
            do="Correct each of them.",
        )


def estimate(design: EvaluationDesign, tables: Tables, *, seed: int = 0, persons: Persons | None = None) -> Estimates:
    """Return the effect on each outcome.

    Parameters
    ----------
    design : EvaluationDesign
        From ``programme.yml``, or built by hand.
    tables : Tables
        Validated data.
    seed : int
        Start of every random number, for designs that need some; kept in the provenance.
    persons : ndarray of bool, shape (participants,), optional
        Estimate for these participants only, in the order of ``tables.participants``.

    Returns
    -------
    Estimates
        One per outcome, the primary one first; measures that serve as treatment or are held constant have none. An
        outcome without an estimate says why.

    Raises
    ------
    DesignError
        The specification cannot be honoured by these data; nothing was fitted.
    """
    with remembering():
        require_sound(design, tables, persons)
        return Estimates(
            {
                measure: design.estimate_outcome(tables, measure, seed=seed, persons=persons)
                for measure in design.outcomes(tables)
            }
        )


__all__ = [
    "DESIGNS",
    "Alternative",
    "Assumption",
    "BeforeAfter",
    "Design",
    "DesignWords",
    "DifferenceInDifferences",
    "Duration",
    "EvaluationDesign",
    "InstrumentalVariables",
    "InterruptedTimeSeries",
    "MatchedComparison",
    "Panel",
    "RandomisedTrial",
    "RegressionDiscontinuity",
    "StaggeredAdoption",
    "SyntheticControl",
    "estimate",
    "problems",
    "require_sound",
]
