"""The rule: five parts are graded by printed limits, and the answer is as sure as the weakest of them.

How sure one is has nothing to do with how large the effect is; no limit below looks at its size or its direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pandas as pd

from .. import language
from ..disclosure import Column, Table

PartName = Literal["design", "sample", "attrition", "balance", "robustness"]
WORDS = MappingProxyType({4: "High", 3: "Moderate", 2: "Low", 1: "Very low"})
MEANING = MappingProxyType(
    {
        4: "It would take a surprise to change this answer.",
        3: "The answer is probably close to the truth, but better evidence could change it.",
        2: "The answer may well change with better evidence.",
        1: "This is a hint, not an answer.",
    }
)
TITLES: dict[PartName, str] = {
    "design": "Design",
    "sample": "Sample",
    "attrition": "Attrition",
    "balance": "Alike before the start",
    "robustness": "Robustness",
}
# What nobody looked at may be good or bad, so it cannot make an answer more than moderately sure.
NOT_LOOKED_AT = 3

# Grades 4, 3 and 2 up to these limits; above the last it is 1.
SPREAD_LIMITS = (0.2, 0.4, 0.6)
RELEVANT_LIMITS = (1.0, 1.5, 2.5)
# At least so many groups that were assigned or followed as one, for grades 4, 3 and 2: with fewer, the error itself is
# known badly (Cameron, Gelbach and Miller 2008; Cameron and Miller 2015).
CLUSTER_LIMITS = (40, 20, 10)
LOST_LIMITS = (0.10, 0.20, 0.40)
GAP_LIMITS = (0.05, 0.10, 0.15)
# The same from above: the share of the other estimates that lie within the headline's interval.
AGREEMENT_LIMITS = (1.0, 2 / 3, 1 / 3)
# Level on the Maryland scale to grade.
OF_DESIGN = MappingProxyType({5: 4, 4: 3, 3: 2, 2: 1, 1: 1})
SIGNIFICANCE, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Part:
    """One part of how sure one can be.

    Attributes
    ----------
    name : str
        design, sample, attrition, balance or robustness.
    grade : int or None
        4 (high) to 1 (very low); None when it was not looked at.
    reason : str
        Why, in a sentence that tells of no small group.
    is_open : bool
        Whether it was looked at, and could not be decided; without a grade only.
    """

    name: PartName
    grade: int | None
    reason: str
    is_open: bool = False

    @property
    def title(self) -> str:
        """What a reader sees."""
        return TITLES[self.name]

    @property
    def counts_as(self) -> int:
        """The grade with which it enters the rule."""
        return NOT_LOOKED_AT if self.grade is None else self.grade

    @property
    def word(self) -> str:
        """The grade in words."""
        if self.grade is not None:
            return WORDS[self.grade]
        said = "Left open" if self.is_open else "Not looked at"
        return f"{said} (counts as {WORDS[NOT_LOOKED_AT].lower()})"


def up_to(value: float, limits: Sequence[float]) -> int:
    """Return the grade of a value of which less is better.

    >>> up_to(0.2, (0.2, 0.4, 0.6)), up_to(0.41, (0.2, 0.4, 0.6)), up_to(9, (0.2, 0.4, 0.6))
    (4, 2, 1)
    """
    return next((grade for grade, limit in zip((4, 3, 2), limits, strict=True) if value <= limit + 1e-12), 1)


def of_clusters(n: int) -> int:
    """Return the grade of a number of groups.

    >>> of_clusters(40), of_clusters(39), of_clusters(10), of_clusters(9)
    (4, 3, 2, 1)
    """
    return next((grade for grade, limit in zip((4, 3, 2), CLUSTER_LIMITS, strict=True) if n >= limit), 1)


def of_agreement(share: float) -> int:
    """Return the grade of the share of other estimates that agree, 0 to 1."""
    return next((grade for grade, limit in zip((4, 3, 2), AGREEMENT_LIMITS, strict=True) if share >= limit - 1e-12), 1)


def of_verdicts(verdicts: Sequence[bool | None]) -> int | None:
    """Return the grade of the verdicts of checks: none raised concern, one did, or several did.

    >>> of_verdicts([True, None]), of_verdicts([True, False]), of_verdicts([False, False]), of_verdicts([None])
    (4, 2, 1, None)
    """
    n_failed = sum(verdict is False for verdict in verdicts)
    if n_failed:
        return 2 if n_failed == 1 else 1
    return 4 if any(verdict is True for verdict in verdicts) else None


def weakest(grades: Sequence[int | None]) -> int | None:
    """Return the lowest of the grades that are known; None when none is."""
    known = [grade for grade in grades if grade is not None]
    return min(known) if known else None


def rule_table() -> Table:
    """Return the rule as it is printed in every book; made from the limits that are used, so the two cannot differ."""

    def percents(limits: Sequence[float]) -> list[str]:
        return [f"{language.number(100 * limit)}" for limit in limits]

    lost, gap = percents(LOST_LIMITS), percents(GAP_LIMITS)
    both = [f"At most {a}% lost, groups at most {b} points apart" for a, b in zip(lost, gap, strict=True)]
    levels = [
        ", ".join(str(level) for level, grade in sorted(OF_DESIGN.items()) if grade == each) for each in (4, 3, 2, 1)
    ]
    seen = [
        f"At most {language.number(spread, 1)} standard deviations, or {language.number(relevant, 1)} times the "
        "smallest effect that matters"
        for spread, relevant in zip(SPREAD_LIMITS, RELEVANT_LIMITS, strict=True)
    ]
    seen = [f"{said}; at least {n} groups" for said, n in zip(seen, CLUSTER_LIMITS, strict=True)]
    rows = [
        (TITLES["design"], "Level on the Maryland scale", *levels),
        (
            TITLES["sample"],
            f"Effect that is seen in {POWER:.0%} of such studies; groups assigned as one",
            *seen,
            "Else",
        ),
        (TITLES["attrition"], "Persons without an outcome; checks of attrition", *both, "More, or several concerns"),
        (
            TITLES["balance"],
            "Checks that the groups were alike",
            "No concern",
            "Not looked at, or left open; or one concern after a lottery, when adjusting does not change the answer",
            "One concern",
            "Several concerns",
        ),
        (
            TITLES["robustness"],
            "Other ways to estimate the same; all other checks",
            "All within the interval, no concern",
            "At least two thirds within it, or not looked at",
            "At least a third within it, or one concern",
            "Fewer, or several concerns",
        ),
    ]
    columns = (
        Column("part", "Part"),
        Column("about", "What is looked at"),
        *(Column(f"grade_{grade}", WORDS[grade]) for grade in (4, 3, 2, 1)),
    )
    return Table(
        name="how-sure-rule",
        title="How sure: the rule",
        columns=columns,
        frame=pd.DataFrame(rows, columns=[column.name for column in columns]),
        note="The answer is as sure as its weakest part. What was not looked at, left open or left out counts as "
        "moderate. Groups count where persons were assigned, or outcomes are alike, by group. "
        "One concern of attrition makes that part low.",
    )
