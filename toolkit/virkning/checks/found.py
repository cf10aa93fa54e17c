"""Checks that judge what a design already shows beside its estimate: its finding becomes the check's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from ..data import Tables
from ..designs import EvaluationDesign
from ..designs.findings import Drawing, Finding
from ..disclosure import Column, Table
from ..estimates import Estimate
from .results import CheckResult


@dataclass(frozen=True)
class Words:
    """What a check is called, what its reader asks, and what it does."""

    name: str
    title: str
    question: str
    explanation: str


def finding_of(design: EvaluationDesign, tables: Tables, estimate: Estimate, name: str) -> Finding | None:
    """Return one of the findings that the design shows beside an estimate; None where it has none of that name.

    Parameters
    ----------
    design, tables
        The design and its data.
    estimate : Estimate
        What the design returned; its own seed is used, so that the numbers are those of the chapter on effects.
    name : str
        Of the finding.
    """
    if not estimate.is_available:
        return None
    shown = design.findings(tables, estimate, seed=estimate.provenance.seed)
    return next((item for item in shown if item.name == name), None)


def judged(
    words: Words,
    table: Table,
    passed: bool | None,
    reason: str,
    sentence: str,
    numbers: Mapping[str, float],
    drawing: Drawing | None = None,
) -> CheckResult:
    """Return the check whose table is that of a finding, under the check's own name."""
    return CheckResult(
        name=words.name,
        title=words.title,
        question=words.question,
        explanation=words.explanation,
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=replace(table, name=words.name),
        drawing=drawing,
        chart=None,
        numbers=numbers,
    )


def not_made(words: Words, reason: str) -> CheckResult:
    """Return the check that cannot be made, with the reason."""
    columns = (Column("what", "What"), Column("value", "Value"))
    table = Table(words.name, words.title, columns, pd.DataFrame(columns=["what", "value"]))
    return judged(words, table, None, reason, f"It cannot be told. {reason}", {})
