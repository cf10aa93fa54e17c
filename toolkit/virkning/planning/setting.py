"""Which design is planned, with those of its choices that matter for power."""

from __future__ import annotations

from dataclasses import dataclass

from ..designs import EvaluationDesign
from ..designs.synthetic_control import SyntheticControl
from ..errors import UsageError, did_you_mean
from ..estimand import Outcome
from ..numerics.precision import Comparison, Kernel
from ..numerics.synthetic_differences import Estimator
from .plan import Plan
from .refusals import USED

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Setting:
    """A design as far as power depends on it.

    Attributes
    ----------
    kind : str
        Type of the design.
    significance : float
        Of the two-sided test, 0 to 1.
    direction : int
        1 when a rise is looked for, -1 when a fall is.
    seed : int
        Start of the random numbers, for designs without a formula.
    same_people : bool
        The same people are seen in every period.
    control : str
        Whom those who start are compared with, in staggered adoption.
    kernel, order : str, int
        How people near a cutoff are weighted, and the power of the local polynomial.
    at_end : bool
        An interrupted time series looks at its last period, not at the average.
    donor_estimator : str
        How a synthetic control is made.
    """

    kind: str
    significance: float
    direction: int = 1
    seed: int = 0
    same_people: bool = True
    control: Comparison = "never_treated"
    kernel: Kernel = "triangular"
    order: int = 1
    at_end: bool = False
    donor_estimator: Estimator = "synthetic_control"

    @classmethod
    def of(cls, plan: Plan, design: EvaluationDesign | str, outcome: Outcome | None, seed: int) -> Setting:
        """Return the setting of a design, whole or by its name alone.

        Raises
        ------
        UsageError
            There is no such design.
        """
        whole = None if isinstance(design, str) else design
        kind = design if isinstance(design, str) else design.words.chapter
        if kind not in USED:
            raise UsageError(
                "usage.unknown_design", f"There is no design «{kind}».", where="design", do=did_you_mean(kind, USED)
            )
        confidence = plan.confidence or (_CONFIDENCE if whole is None else whole.confidence)
        return cls(
            kind=kind,
            significance=1 - confidence,
            direction=-1 if outcome is not None and outcome.better == "lower" else 1,
            seed=seed,
            same_people=getattr(whole, "sampling", "panel") == "panel",
            control=getattr(whole, "control_group", cls.control),
            kernel=getattr(whole, "kernel", cls.kernel),
            order=getattr(whole, "order", cls.order),
            at_end=getattr(whole, "headline", "average") == "at_period",
            donor_estimator=whole.estimator if isinstance(whole, SyntheticControl) else cls.donor_estimator,
        )
