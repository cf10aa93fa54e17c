"""What one can choose when there is a comparison group and no lottery: estimator, errors, matching and trimming."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...numerics.matching import Order, Rules, Ties
from ...specification import Specification

Estimator = Literal[
    "unadjusted",
    "regression",
    "regression_adjustment",
    "matching",
    "weighting",
    "entropy_balancing",
    "doubly_robust",
]
StandardErrors = Literal["ai_score", "ai_robust", "ai_homoskedastic", "sandwich", "classical", "hc1", "hc2", "hc3"]
Target = Literal["att", "ate"]

# The errors that each estimator can have, the default first.
ERRORS: dict[Estimator, tuple[StandardErrors, ...]] = {
    "unadjusted": ("hc2", "classical", "hc1", "hc3"),
    "regression": ("hc2", "classical", "hc1", "hc3"),
    "regression_adjustment": ("sandwich",),
    "matching": ("ai_score", "ai_robust", "ai_homoskedastic"),
    "weighting": ("sandwich",),
    "entropy_balancing": ("sandwich",),
    "doubly_robust": ("sandwich",),
}
NEEDS_SCORE: frozenset[Estimator] = frozenset({"matching", "weighting", "doubly_robust"})
HAS_OUTCOME_LINES: frozenset[Estimator] = frozenset({"regression_adjustment", "doubly_robust"})


class Matching(Specification):
    """How neighbours are chosen on the propensity score."""

    neighbours: int = Field(default=1, ge=1, le=100, description="Comparison persons for each treated person.")
    replacement: bool = Field(default=True, description="May a comparison person serve more than once?")
    caliper: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Largest distance, in standard deviations of the score."
    )
    exact: tuple[str, ...] = Field(default=(), description="Key columns on which matched persons must be equal.")
    distance: Literal["score", "log_odds"] = Field(
        default="score", description="Measure distance on the probability itself or on its index (log odds)."
    )
    ties: Ties = Field(
        default="all",
        description="Equally near persons: all of them count with equal shares; the first row; or a random one.",
    )
    tie_tolerance: float = Field(
        default=1e-5,
        ge=0,
        le=1,
        description="Squared standardised distances that differ by no more than this are tied (as in R's Matching).",
    )
    order: Order = Field(
        default="largest", description="Without replacement, who chooses first: largest, smallest score, or data order."
    )
    variance_neighbours: int = Field(
        default=2,
        ge=1,
        le=100,
        description="Persons of the same group that measure spread near a person (ai_robust, ai_score).",
    )

    @property
    def rules(self) -> Rules:
        """The same as the numerics take it."""
        return Rules(self.neighbours, self.caliper, self.ties, self.tie_tolerance, self.order)

    @property
    def words(self) -> str:
        """What sets this matching apart, as it stands in the name of a term; empty for the default."""
        parts = [
            f"{self.neighbours} to 1" if self.neighbours > 1 else "",
            "" if self.replacement else "without replacement",
            f"within {self.caliper:g} SD" if self.caliper is not None else "",
            f"exact on {' and '.join(self.exact)}" if self.exact else "",
            "on log odds" if self.distance == "log_odds" else "",
            f"ties {self.ties}" if self.ties != "all" and self.replacement else "",
            f"tolerance {self.tie_tolerance:g}" if self.tie_tolerance != 1e-5 else "",
            f"{self.order} first" if not self.replacement and self.order != "largest" else "",
            f"spread by {self.variance_neighbours}" if self.variance_neighbours != 2 else "",
        ]
        return " ".join(part for part in parts if part)


class Trimming(Specification):
    """Who is left out because nobody in the other group is like them; the score is then estimated again."""

    rule: Literal["none", "common_support", "bounds"] = Field(
        default="none",
        description="none; common_support: outside the other group's range of scores; bounds: outside lower to upper.",
    )
    lower: float = Field(default=0.1, ge=0, lt=1, description="Smallest score that is kept by the rule «bounds».")
    upper: float = Field(default=0.9, gt=0, le=1, description="Largest score that is kept by the rule «bounds».")

    @property
    def reason(self) -> str:
        """Why somebody is left out, as a line of the flow."""
        if self.rule == "bounds":
            return f"With a propensity score below {self.lower:g} or above {self.upper:g}"
        return "Outside the other group's range of propensity scores (common support)"


class Choice(Specification):
    """A way to estimate the effect, shown beside the headline."""

    estimator: Estimator = Field(description="One of the estimators of a matched comparison.")
    standard_errors: StandardErrors | None = Field(
        default=None, description="Kind of errors; left out, the estimator's own default."
    )
    matching: Matching | None = Field(default=None, description="Only for matching: other than the design's.")

    @property
    def errors(self) -> StandardErrors:
        """The kind of errors, the estimator's default when none is named.

        Without replacement nobody serves twice, and the theory of the estimated score does not hold: ``ai_robust``.
        """
        if self.standard_errors is None and self.matching is not None and not self.matching.replacement:
            return "ai_robust"
        return self.standard_errors or ERRORS[self.estimator][0]

    @property
    def name(self) -> str:
        """What the row of the effects is called."""
        words = self.matching.words if self.estimator == "matching" and self.matching else ""
        return f"{self.estimator}{' ' if words else ''}{words}, {self.errors}"
