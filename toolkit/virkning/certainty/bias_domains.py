"""The seven domains of ROBINS-I: which the data and the checks tell something of, and which a person must judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from ..checks import Checks
from ..disclosure import Column, Table
from ..estimates import Estimate
from .padlocks import A_PERSON
from .parts import part_of
from .rule import Part

_ORDER = ("low", "moderate", "serious", "critical")
_OF_ATTRITION = MappingProxyType({4: "low", 3: "moderate", 2: "serious", 1: "critical"})
LOTTERY, UNOBSERVED, OBSERVED = 5, 4, 3


@dataclass(frozen=True)
class Domain:
    """One way in which a result can be wrong.

    Attributes
    ----------
    title : str
        The domain.
    judgement : str
        low, moderate, serious or critical; empty where a person must judge.
    reason : str
        Why, or what the person should look at.
    """

    title: str
    judgement: str
    reason: str

    @property
    def is_computed(self) -> bool:
        """Tell whether numbers give a judgement."""
        return bool(self.judgement)


def bias_domains(estimate: Estimate, checks: Checks, parts: Sequence[Part]) -> tuple[Domain, ...]:
    """Return the seven domains in their order."""
    attrition = next(part for part in parts if part.name == "attrition")
    return (
        _confounding(estimate, checks),
        Domain("Selection of participants", "", "Was anybody left out because of what happened after the start?"),
        Domain("Classification of the programme", "", "Was it written down who was offered what, before the outcomes?"),
        Domain("Deviations from the programme", "", "Did people get something else than planned, and unevenly so?"),
        Domain("Missing data", _OF_ATTRITION[attrition.counts_as], attrition.reason),
        Domain("Measurement of outcomes", "", "Was the outcome measured in the same way in both groups?"),
        Domain(
            "Selection of the reported result",
            "",
            "Every declared outcome, estimate and check is printed here; were they declared before the data were seen?",
        ),
    )


def _confounding(estimate: Estimate, checks: Checks) -> Domain:
    """Return the judgement on confounding: of the design, and of the checks that look for it."""
    level = estimate.evidence_level.level
    failed = [check.title for name, check in checks.items() if check.passed is False and part_of(name) != "attrition"]
    concern = f" {len(failed)} of the checks raise concern." if failed else ""
    hidden = checks["hidden_confounding"].passed if "hidden_confounding" in checks else None
    if level == LOTTERY:
        unlike = any(part_of(name) == "balance" and check.passed is False for name, check in checks.items())
        aside = " But they differ by more than a lottery usually explains." if unlike else ""
        return Domain("Confounding", "moderate" if unlike else "low", estimate.evidence_level.reason + aside)
    if level == UNOBSERVED:
        words = "The design rules out what stays the same, or what a rule decides, but it rests on an assumption."
        return Domain("Confounding", "serious" if failed else "moderate", words + concern)
    if level == OBSERVED:
        words = "Groups are alike in what was measured; what was not measured can differ."
        return Domain("Confounding", "moderate" if hidden is True and not failed else "serious", words + concern)
    return Domain("Confounding", "critical" if level == 1 else "serious", estimate.evidence_level.reason)


def worst(domains: Sequence[Domain]) -> str:
    """Return the worst judgement that numbers give."""
    return max((domain.judgement for domain in domains if domain.is_computed), key=_ORDER.index)


def domains_table(domains: Sequence[Domain]) -> Table:
    """Return the domains, ready to be cleared: they hold no number of persons."""
    rows = [(each.title, each.judgement or A_PERSON, each.reason) for each in domains]
    columns = (Column("domain", "Domain"), Column("judgement", "Risk of bias"), Column("reason", "Why, or what to ask"))
    return Table(
        name="bias-domains",
        title="Domains of ROBINS-I",
        columns=columns,
        frame=pd.DataFrame(rows, columns=[column.name for column in columns]),
        note=f"As a whole the risk is that of the worst domain: by what can be computed, at least {worst(domains)}.",
    )
