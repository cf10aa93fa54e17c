"""How sure one can be of an answer, apart from how large the effect is: five parts, one printed rule."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .. import language
from ..checks import Checks
from ..data import Tables
from ..designs import EvaluationDesign
from ..disclosure import Column, Table
from ..estimates import Estimate, Estimates
from .bias_domains import Domain, bias_domains, domains_table
from .padlocks import Padlocks, padlocks
from .parts import parts
from .rule import MEANING, WORDS, Part, rule_table


@dataclass(frozen=True)
class Certainty:
    """How sure one can be of the primary outcome's estimate.

    Attributes
    ----------
    parts : tuple of Part
        Design, sample, attrition, balance and robustness; empty when there is no estimate.
    padlocks : Padlocks or None
        Where that rating starts.
    domains : tuple of Domain
        Those of ROBINS-I.
    evidence : str
        The level on the Maryland scale, in words.
    reason : str
        Why there is nothing to be sure of; empty when there is.
    """

    parts: tuple[Part, ...] = ()
    padlocks: Padlocks | None = None
    domains: tuple[Domain, ...] = ()
    evidence: str = ""
    reason: str = ""

    @property
    def grade(self) -> int | None:
        """4 (high) to 1 (very low): that of the weakest part; None without an estimate."""
        return min((part.counts_as for part in self.parts), default=None)

    @property
    def word(self) -> str:
        """The grade in words."""
        return "Nothing to be sure of" if self.grade is None else WORDS[self.grade]

    @property
    def pulled_down_by(self) -> tuple[Part, ...]:
        """The parts without which the grade would be higher; none when it is the highest."""
        if self.grade is None or self.grade == max(WORDS):
            return ()
        return tuple(part for part in self.parts if part.counts_as == self.grade)

    @property
    def sentence(self) -> str:
        """The grade, what it means, and what pulled it down."""
        if self.grade is None:
            return f"There is no estimate to be sure of. {self.reason}"
        weak = self.pulled_down_by
        pulled = f" What pulls it down: {language.join([part.title.lower() for part in weak])}." if weak else ""
        return f"{self.word}. {MEANING[self.grade]}{pulled}"

    def table(self) -> Table:
        """Return the parts with their grade and reason; they hold no number of persons."""
        weak = set(self.pulled_down_by)
        rows = [
            (part.title, f"{part.word}{', pulls it down' if part in weak else ''}", part.reason) for part in self.parts
        ]
        columns = (
            Column("part", "Part"),
            Column("grade", "Grade"),
            Column("reason", "Why"),
        )
        frame = pd.DataFrame(rows, columns=[column.name for column in columns])
        return Table(name="how-sure", title=f"How sure: {self.word.lower()}", columns=columns, frame=frame)


def how_sure(design: EvaluationDesign, tables: Tables, effects: Estimates, checks: Checks) -> Certainty:
    """Return how sure one can be of the estimate of the primary outcome.

    Five parts are graded from high to very low: the design, the sample, attrition, whether the groups were alike, and
    robustness. The answer is as sure as the weakest of them. No part looks at how large the effect is.

    Parameters
    ----------
    design, tables, effects
        The design, the data, and what :func:`virkning.estimate` made of them.
    checks : Checks
        What :func:`virkning.run_checks` found.

    Raises
    ------
    DesignError
        The design cannot be honoured by these data.
    """
    primary: Estimate = effects.primary
    if not primary.is_available:
        return Certainty(reason=primary.unavailable_reason)
    found, level = parts(design, tables, primary, checks), primary.evidence_level
    return Certainty(
        parts=found,
        padlocks=padlocks(design, tables, primary),
        domains=bias_domains(primary, checks, found),
        evidence=f"Level {level.level} of 5 on the Maryland scale. {level.reason}",
    )


GRADES = tuple(WORDS)

__all__ = ["GRADES", "Certainty", "Domain", "Padlocks", "Part", "domains_table", "how_sure", "rule_table"]
