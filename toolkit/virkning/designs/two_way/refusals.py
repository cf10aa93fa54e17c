"""Why a difference in differences cannot be had from its data; nothing is fitted here.

Messages name columns, periods and rules; they never hold a person's value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from ...data import Tables
from ...errors import DesignError, did_you_mean
from .. import periods, refusals
from ..evaluation import Persons
from ..regression import Estimator as TrialEstimator
from ..regression import StandardErrors as TrialErrors
from .fits import Estimator, StandardErrors


class TwoWayFields(Protocol):
    """The fields of a difference in differences that are checked here."""

    @property
    def treatment(self) -> str: ...
    @property
    def sampling(self) -> str: ...
    @property
    def before(self) -> tuple[str, ...]: ...
    @property
    def after(self) -> tuple[str, ...]: ...
    @property
    def base_period(self) -> str | None: ...
    @property
    def covariates(self) -> tuple[str, ...]: ...
    @property
    def clusters(self) -> str | None: ...
    @property
    def terms(self) -> tuple[tuple[Estimator, StandardErrors], ...]: ...


@dataclass(frozen=True)
class ColumnsNamed:
    """The columns that a design names, as the checks of the randomised trial want them."""

    treatment: str
    covariates: tuple[str, ...] = ()
    strata: str | None = None
    clusters: str | None = None
    weights: str | None = None
    terms: tuple[tuple[TrialEstimator, TrialErrors], ...] = ()


def in_words(design: TwoWayFields) -> Iterator[DesignError]:
    """Give the contradictions in the specification itself."""
    yield from refusals.in_words(ColumnsNamed(design.treatment, design.covariates))
    yield from periods.in_words(design.before, design.after)
    if design.base_period is not None and design.base_period not in design.before:
        yield DesignError(
            "design.base_period_not_before",
            f"The base period «{design.base_period}» is not one of the periods before the start.",
            where="design.base_period",
            why="The path is measured from a period that the programme cannot have changed.",
            do=did_you_mean(design.base_period, design.before),
        )
    yield from refusals.duplicate_terms(f"{estimator}, {errors}" for estimator, errors in design.terms)
    for estimator, errors in dict.fromkeys(design.terms):
        if estimator == "adjusted" and not design.covariates:
            yield DesignError(
                "design.no_covariates",
                f"«{estimator}, {errors}» adjusts for covariates, but none are named.",
                where="design.covariates",
                why="Without covariates it would silently be another estimator.",
                do="Name covariates that were measured before the start, or choose two_by_two.",
            )
        yield from _errors(design, estimator, errors)


def _errors(design: TwoWayFields, estimator: Estimator, errors: StandardErrors) -> Iterator[DesignError]:
    """Give what is wrong with the standard errors of one term."""
    if errors != "clustered" and design.clusters is not None:
        yield DesignError(
            "design.ignores_clusters",
            f"«{estimator}, {errors}» would ignore the clusters that are named.",
            where="design.standard_errors",
            why="Persons of one cluster share what happens to it; errors that ignore it are too small.",
            do="Write «clustered» for standard_errors and for every alternative.",
        )
    elif errors == "hc1" and design.sampling == "panel":
        yield DesignError(
            "design.ignores_persons",
            f"«{estimator}, hc1» would take the outcomes of one person in several periods for independent.",
            where="design.standard_errors",
            why="A person who is above the line in one period is so in the next; such errors are too small.",
            do="Write «clustered»: without named clusters, each person is one.",
        )


def in_columns(design: TwoWayFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns that the specification names, one by one."""
    yield from refusals.in_columns(ColumnsNamed(design.treatment, design.covariates, clusters=design.clusters), frame)


def in_groups(design: TwoWayFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with how persons are spread over the two groups; the columns are sound."""
    treated = frame[design.treatment].to_numpy(dtype=bool)
    where = f"design.treatment, column «{design.treatment}»"
    if treated.all() or not treated.any():
        yield DesignError(
            "design.one_arm",
            f"Everybody has the same value of «{design.treatment}»: there is nobody to compare with.",
            where=where,
            why="Without a comparison group, what would have happened anyway cannot be told from the effect.",
            do="Check the column, add the persons of the other group, or choose before_after and read what it lacks.",
        )
        return
    units = frame[design.clusters or "participant_id"].to_numpy()
    if max(len(np.unique(units[treated])), len(np.unique(units[~treated]))) < refusals.LEAST_PER_ARM:
        yield DesignError(
            "design.too_few",
            f"Each of the two groups is a single {'cluster' if design.clusters else 'person'}.",
            where=f"design.clusters, column «{design.clusters}»" if design.clusters else where,
            why="What happened to one of them only cannot be told from the effect, and no spread can be seen.",
            do="Nothing can be estimated from so few; add data.",
        )


def in_periods(design: TwoWayFields, tables: Tables, persons: Persons | None) -> Iterator[DesignError]:
    """Give what is wrong with how persons are spread over the periods; the declared periods are in the data."""
    for measure in tables.measures:
        rows = periods.rows_of(tables, measure, (*design.before, *design.after), persons)
        most = int(np.bincount(rows.person).max(initial=0))
        if design.sampling == "panel" and most == 1:
            yield DesignError(
                "design.not_a_panel",
                f"Nobody has the outcome «{measure}» in more than one period.",
                where="design.sampling",
                why="A panel follows the same persons over time.",
                do="Write repeated_cross_sections, or give each person one code in all periods.",
            )
        elif design.sampling == "repeated_cross_sections" and most > 1:
            yield DesignError(
                "design.not_cross_sections",
                f"Some persons have the outcome «{measure}» in more than one period.",
                where="design.sampling",
                why="In repeated cross-sections every period has persons of its own.",
                do="Write panel, or give persons a code for each period if they are not the same.",
            )
