"""Why the specification of a matched comparison cannot be honoured by its data.

Messages name columns and rules and count rows; they never hold a person's value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from ...errors import DesignError
from .. import refusals
from ..regression import Estimator, StandardErrors
from .choices import ERRORS, Choice, Target, Trimming


class ComparisonFields(Protocol):
    """The fields of a matched comparison that are checked here."""

    @property
    def treatment(self) -> str: ...
    @property
    def estimand(self) -> Target: ...
    @property
    def covariates(self) -> tuple[str, ...]: ...
    @property
    def outcome_covariates(self) -> tuple[str, ...] | None: ...
    @property
    def trimming(self) -> Trimming: ...
    @property
    def choices(self) -> tuple[Choice, ...]: ...


@dataclass(frozen=True)
class _Columns:
    """What the refusals of a randomised trial need to know to look at treatment and covariates."""

    treatment: str
    covariates: tuple[str, ...]
    strata: str | None = None
    clusters: str | None = None
    weights: str | None = None
    terms: tuple[tuple[Estimator, StandardErrors], ...] = ()


def in_words(design: ComparisonFields) -> Iterator[DesignError]:
    """Give the contradictions in the specification itself."""
    yield from refusals.duplicate_terms(choice.name for choice in design.choices)
    for choice in design.choices:
        yield from _in_choice(choice, design)
    if design.trimming.rule == "bounds" and design.trimming.lower >= design.trimming.upper:
        yield DesignError(
            "design.trimming_bounds",
            "The lower bound of the trimming is not below the upper one.",
            where="design.trimming",
            why="Nobody would be kept.",
            do="Write a smaller share for lower than for upper.",
        )
    for field, covariates in (("covariates", design.covariates), ("outcome_covariates", design.outcome_covariates)):
        yield from _in_names(covariates or (), field, design.treatment)


def _in_choice(choice: Choice, design: ComparisonFields) -> Iterator[DesignError]:
    """Give what is wrong with one way to estimate."""
    estimator = choice.estimator
    if choice.errors not in ERRORS[estimator]:
        yield DesignError(
            "design.errors_of_estimator",
            f"«{estimator}» has no standard errors of the kind «{choice.errors}».",
            where="design.standard_errors",
            why="Errors must account for how the estimate was made.",
            do=f"Choose {' or '.join(ERRORS[estimator])}, or leave it out.",
        )
    lines = design.outcome_covariates if design.outcome_covariates is not None else design.covariates
    uses_lines = estimator in ("regression", "regression_adjustment", "doubly_robust")
    uses_traits = estimator in ("matching", "weighting", "entropy_balancing", "doubly_robust")
    if (uses_lines and not lines) or (uses_traits and not design.covariates):
        yield DesignError(
            "design.no_covariates",
            f"«{estimator}» compares persons who are alike, but no covariates say in what.",
            where="design.covariates",
            why="Without covariates it would silently be the unadjusted difference.",
            do="Name what was known before about who took part, or choose unadjusted.",
        )
    settings = choice.matching
    if settings is None:
        return
    if estimator != "matching":
        yield DesignError(
            "design.matching_not_used",
            f"«{estimator}» does not match, but an alternative of that name says how to.",
            where="design.alternatives",
            why="A setting without effect misleads its reader.",
            do="Remove «matching» from that alternative.",
        )
    elif not settings.replacement and design.estimand == "ate":
        yield DesignError(
            "design.replacement_needed",
            "The effect on everybody cannot be had by matching without replacement.",
            where="design.matching.replacement",
            why="Each person of the larger group would need a partner of their own in the smaller one.",
            do="Match with replacement, or estimate the effect on the treated (att).",
        )
    if not settings.replacement and choice.errors == "ai_score":
        yield DesignError(
            "design.errors_of_estimator",
            "Errors «ai_score» do not exist for matching without replacement.",
            where="design.standard_errors",
            why="How the estimated score changes the error is known for matching with replacement only.",
            do="Write ai_robust.",
        )
    if not settings.replacement and settings.ties == "all":
        yield DesignError(
            "design.ties_without_replacement",
            "Without replacement, tied persons cannot all be used.",
            where="design.matching.ties",
            why="Whoever chooses next would find nobody left.",
            do="Write ties: first, or ties: random.",
        )


def _in_names(names: tuple[str, ...], field: str, treatment: str) -> Iterator[DesignError]:
    if treatment in names:
        yield DesignError(
            "design.covariate_is_treatment",
            f"«{treatment}» is both the treatment and a covariate.",
            where=f"design.{field}",
            why="An effect cannot be adjusted for itself.",
            do=f"Remove «{treatment}» from it.",
        )
    yield from refusals.duplicate_covariates(names, f"design.{field}")


def in_columns(design: ComparisonFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns that the specification names, one by one."""
    covariates = (*design.covariates, *(design.outcome_covariates or ()))
    yield from refusals.in_columns(_Columns(design.treatment, tuple(dict.fromkeys(covariates))), frame)
    keys = [name for choice in design.choices if choice.matching for name in choice.matching.exact]
    for name in dict.fromkeys(keys):
        if name not in frame.columns or name in refusals.RESERVED or name == design.treatment:
            yield refusals.unknown_column(name, frame.drop(columns=design.treatment), "design.matching.exact")
        elif frame[name].isna().any():
            yield DesignError(
                "design.missing_values",
                f"The column «{name}» is empty in {int(frame[name].isna().sum())} of the rows.",
                where="design.matching.exact",
                why="Persons can only be equal on what is known of them.",
                do="Give those persons a value of their own, or leave the column out.",
            )


def in_arms(design: ComparisonFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the size of the two groups; the columns are sound."""
    return refusals.in_arms(_Columns(design.treatment, ()), frame)
