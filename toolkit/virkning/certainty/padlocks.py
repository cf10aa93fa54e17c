"""The padlocks of the Education Endowment Foundation: where they start, as far as numbers tell."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign
from ..disclosure import Column, Table
from ..estimates import Estimate
from .parts import lost, smallest_seen, spread

MOST = 5
_OF_DESIGN = MappingProxyType({5: 5, 4: 4, 3: 3, 2: 2, 1: 0})
# Five padlocks below the first limit, four below the second, and so on.
_SEEN_LIMITS = (0.2, 0.3, 0.4, 0.5, 0.6)
# Five padlocks up to the first limit.
_LOST_LIMITS = (0.10, 0.20, 0.30, 0.40, 0.50)
THREATS = (
    "Something besides the programme that differs between the groups (confounding)",
    "Other programmes that reached one of the groups (concurrent interventions)",
    "Persons who acted differently because they were studied (experimental effects)",
    "A programme that was not given as planned (implementation fidelity)",
    "Persons whose outcome is missing for a reason that matters (missing data)",
    "An outcome that does not measure what it should (outcome measurement)",
    "Results that were left out (selective reporting)",
)
A_PERSON = "a person must judge"


@dataclass(frozen=True)
class Padlocks:
    """Where the rating starts, before anybody has judged the threats to it.

    Attributes
    ----------
    design, sample, attrition : int or None
        0 to 5 each; None when it cannot be computed.
    """

    design: int
    sample: int | None
    attrition: int

    @property
    def start(self) -> int | None:
        """The lowest of the three; None when one is not known."""
        return None if self.sample is None else min(self.design, self.sample, self.attrition)

    @property
    def range(self) -> tuple[int, int] | None:
        """What it can become: threats take away up to two, and nothing adds any."""
        return None if self.start is None else (max(self.start - 2, 0), self.start)

    def table(self) -> Table:
        """Return the rating, and the threats that a person must judge."""
        rows = [
            ("Design", str(self.design), "by the Maryland scale"),
            ("Effect that could be seen", _said(self.sample), "by its size in standard deviations, as it turned out"),
            ("Persons without an outcome", str(self.attrition), "by their share"),
            ("Start: the lowest of the three", _said(self.start), "computed"),
            *((threat, "", A_PERSON) for threat in THREATS),
        ]
        columns = (Column("part", "Part"), Column("padlocks", "Padlocks, 0 to 5"), Column("how", "How"))
        return Table(
            name="padlocks",
            title="Padlocks of the Education Endowment Foundation",
            columns=columns,
            frame=pd.DataFrame(rows, columns=[column.name for column in columns]),
            note="Threats take away at most two padlocks, and never add any: one for up to four moderate threats or "
            "one high, two for more.",
        )

    def sentence(self) -> str:
        """Return the rating in a sentence."""
        if self.start is None or self.range is None:
            return "Padlocks cannot be computed: the spread of the outcome between persons is not in the data."
        low, high = self.range
        least = f" No fewer than {low} can be left when a person has judged the threats." if high else ""
        return f"{language.plural(self.start, 'padlock', 'padlocks')} of {MOST}, before threats are judged.{least}"


def padlocks(design: EvaluationDesign, tables: Tables, estimate: Estimate) -> Padlocks:
    """Return where the rating of an available estimate starts."""
    measure = estimate.estimand.measure
    width, (share, _) = spread(design, tables, measure), lost(design, tables, measure)
    return Padlocks(
        design=_OF_DESIGN[estimate.evidence_level.level],
        sample=None if width is None else of_effect_seen(smallest_seen(estimate) / width),
        attrition=of_share_lost(share),
    )


def of_effect_seen(standard_deviations: float) -> int:
    """Return the padlocks for the effect that could be seen.

    >>> of_effect_seen(0.19), of_effect_seen(0.2), of_effect_seen(0.59), of_effect_seen(0.6)
    (5, 4, 1, 0)
    """
    return MOST - sum(standard_deviations >= limit for limit in _SEEN_LIMITS)


def of_share_lost(share: float) -> int:
    """Return the padlocks for the share of persons without an outcome, 0 to 1.

    >>> of_share_lost(0.0), of_share_lost(0.1), of_share_lost(0.11), of_share_lost(0.51)
    (5, 5, 4, 0)
    """
    return MOST - sum(share > limit + 1e-12 for limit in _LOST_LIMITS)


def _said(padlocks: int | None) -> str:
    return "cannot be computed" if padlocks is None else str(padlocks)
