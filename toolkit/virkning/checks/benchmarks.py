"""Measured traits that a check compares with, as a programme names them."""

from __future__ import annotations

from ..data import Tables
from ..designs import EvaluationDesign
from ..designs.refusals import not_numbers, unknown_column
from ..errors import DesignError
from .results import CheckSettings

WHERE = "checks.benchmark_covariates"


def refuse_benchmarks(design: EvaluationDesign, tables: Tables, settings: CheckSettings) -> None:
    """Refuse a benchmark that is no column, no number, incomplete, or the treatment itself.

    Raises
    ------
    DesignError
        The first one that is.
    """
    people, treatment = tables.participants, design.treatment
    for name in settings.benchmark_covariates:
        if name not in people.columns or name in ("participant_id", treatment):
            raise unknown_column(name, people.drop(columns=[treatment], errors="ignore"), WHERE)
        for error in not_numbers(people[name], name, "covariates", "Name a trait that is known of everybody."):
            raise DesignError(error.code, error.what, where=WHERE, why=error.why, do=error.do)
