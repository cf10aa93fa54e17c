"""The one question that is asked of a plan: how small a change could it see?"""

from __future__ import annotations

from collections.abc import Mapping

from ..designs import EvaluationDesign
from ..errors import DesignError
from ..estimand import Outcome
from .plan import Plan
from .precision import precision_of
from .refusals import USED, problems
from .results import PEOPLE, PlannedPower
from .setting import Setting


def power(
    plan: Plan, design: EvaluationDesign | str = "randomised_trial", outcome: Outcome | None = None, *, seed: int = 0
) -> PlannedPower:
    """Return what a planned evaluation could see, before any data exist.

    Parameters
    ----------
    plan : Plan
        How many people, how they are divided, and what is expected of the outcome.
    design : EvaluationDesign or str
        The design, or the name of its type.
    outcome : Outcome, optional
        Its label, its unit, and which direction is good; by default a rise of an outcome without a name.
    seed : int
        Start of the random numbers, for designs without a formula.

    Returns
    -------
    PlannedPower
        The smallest effect that is found, in words, as a table and as a curve over the number of people.

    Raises
    ------
    DesignError
        The plan is impossible, lacks what the design needs, or says what it has no use for.
    UsageError
        There is no such design.
    """
    setting = Setting.of(plan, design, outcome, seed)
    require_sound_plan(plan, setting.kind, design if isinstance(design, EvaluationDesign) else None)
    is_share = plan.baseline_share is not None
    unit = plan.unit or ("standard deviations" if plan.standard_deviation == 1 else "units")
    unit = PEOPLE if is_share else outcome.unit if outcome is not None else unit
    return PlannedPower(
        plan, setting, outcome.label if outcome is not None else "The outcome", unit, precision_of(plan, setting)
    )


def powers(
    plan: Plan, design: EvaluationDesign, outcomes: Mapping[str, Outcome], *, seed: int = 0
) -> dict[str, PlannedPower]:
    """Return what a planned evaluation could see of each outcome for which something is expected.

    Parameters
    ----------
    plan, design
        As for :func:`power`.
    outcomes : mapping of str to Outcome
        As declared, the primary one first.
    seed : int
        As for :func:`power`.

    Raises
    ------
    DesignError
        As for :func:`power`.
    """
    found = {}
    for position, (measure, outcome) in enumerate(outcomes.items()):
        expected = plan if position == 0 else plan.of(measure)
        if expected is not None:
            found[measure] = power(expected, design, outcome, seed=seed)
    return found


def require_sound_plan(plan: Plan, kind: str, design: EvaluationDesign | None = None) -> None:
    """Refuse a plan that cannot be, or that does not fit the design.

    Parameters
    ----------
    plan : Plan
        As written.
    kind : str
        Type of the design.
    design : EvaluationDesign, optional
        As declared: one with clusters needs a plan with clusters.

    Raises
    ------
    DesignError
        With its own code when there is one reason, else with all reasons and the code ``design.several``.
    """
    found = list(problems(plan, kind))
    if getattr(design, "clusters", None) and not plan.is_clustered and "clusters" in USED[kind]:
        found.append(
            DesignError(
                "design.plan_clusters",
                "The design has clusters, and the plan has none.",
                where="plan.clusters",
                why="People of a cluster are alike, so that so many people tell less than as many on their own.",
                do="Say clusters and intra_cluster_correlation.",
            )
        )
    if len(found) == 1:
        raise found[0]
    if found:
        reasons = "\n".join(f"  - {error.what} ({error.where}) {error.do}" for error in found)
        raise DesignError(
            "design.several",
            f"The plan cannot be, for {len(found)} reasons:\n{reasons}",
            where="plan",
            why="Power computed from it would mislead whoever decides about the programme.",
            do="Correct each of them.",
        )
