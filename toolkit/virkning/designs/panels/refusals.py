"""Why a panel specification cannot be honoured by its data; nothing is fitted here.

Messages name columns, measures and rules and count rows; they never hold a person's value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import pandas as pd
from pandas.api import types

from ...data import Tables
from ...errors import DesignError, did_you_mean
from ..refusals import RESERVED, duplicate_terms, unknown_column
from .fits import WITHIN, PanelErrors, PanelEstimator, PanelSample, first_undetermined

LEAST_CLUSTERS = 2


class PanelFields(Protocol):
    """The fields of the design that are checked here."""

    @property
    def treatment_measure(self) -> str: ...
    @property
    def covariate_measures(self) -> tuple[str, ...]: ...
    @property
    def covariates(self) -> tuple[str, ...]: ...
    @property
    def clusters(self) -> str | None: ...
    @property
    def periods(self) -> tuple[str, ...]: ...
    @property
    def period_effects(self) -> bool: ...
    @property
    def terms(self) -> tuple[tuple[PanelEstimator, PanelErrors], ...]: ...


def in_words(design: PanelFields, tables: Tables) -> Iterator[DesignError]:
    """Give the contradictions in the specification, and the measures and periods that the data lack."""
    yield from duplicate_terms(", ".join(item) for item in design.terms)
    if design.clusters is not None:
        for estimator, errors in dict.fromkeys(design.terms):
            if errors == "classical":
                yield DesignError(
                    "design.ignores_clusters",
                    f"«{estimator}, {errors}» would ignore the clusters that are named.",
                    where="design.standard_errors",
                    why="Persons of one cluster are alike; errors that ignore it are too small.",
                    do="Write clustered or two_way, or remove design.clusters.",
                )
    named = [("treatment_measure", design.treatment_measure)]
    named += [("covariate_measures", name) for name in design.covariate_measures]
    names = [name for _, name in named]
    for field, name in named:
        if name not in tables.measures:
            yield DesignError(
                "design.unknown_measure",
                f"There is no measure «{name}» in the outcomes table.",
                where=f"design.{field}",
                why="What changes from period to period must stand there, one value per person and period.",
                do=did_you_mean(name, tables.measures),
            )
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield DesignError(
            "design.double_role",
            f"The measure «{name}» is named more than once.",
            where="design.covariate_measures",
            why="Its coefficient would not be determined.",
            do="Name it once.",
        )
    if set(names) >= set(tables.measures):
        yield DesignError(
            "design.no_outcome",
            "Every declared measure is the treatment or a covariate; none is left to be an outcome.",
            where="outcomes",
            why="There is nothing whose change could be explained.",
            do="Declare the outcome under outcomes.",
        )
    elif next(iter(tables.measures)) in names:
        yield DesignError(
            "design.no_primary_outcome",
            f"The primary outcome «{next(iter(tables.measures))}» is the treatment or a covariate.",
            where="outcomes",
            why="The headline of the book is the effect on the primary outcome.",
            do="Write «primary: true» at a measure that is neither.",
        )
    yield from _periods(design, tables)


def _periods(design: PanelFields, tables: Tables) -> Iterator[DesignError]:
    present = tables.periods_of(design.treatment_measure, needs_value=False)
    if design.periods and (set(present) - set(design.periods) or len(set(design.periods)) < len(design.periods)):
        yield DesignError(
            "design.periods",
            "design.periods does not name each period of the treatment exactly once.",
            where="design.periods",
            why="Differences and gaps depend on the order of the periods.",
            do=f"The data have {len(present)} periods: list them in order, or leave design.periods out.",
        )
    if design.treatment_measure in tables.measures and len(present) < 2:
        yield DesignError(
            "design.one_period",
            "The treatment is known in fewer than two periods.",
            where=f"outcomes, measure «{design.treatment_measure}»",
            why="A panel compares persons with themselves over time.",
            do="Add periods, or use a design for a single period.",
        )


def in_columns(design: PanelFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns of participants that the specification names."""
    for name in design.covariates:
        if name not in frame.columns or name in RESERVED:
            yield unknown_column(name, frame, "design.covariates")
        elif not (types.is_numeric_dtype(frame[name].dtype) or types.is_bool_dtype(frame[name].dtype)):
            yield DesignError(
                "design.not_a_number",
                f"The column «{name}» holds text or dates, not numbers.",
                where="design.covariates",
                why="A regression needs numbers, and nothing is coded behind your back.",
                do=f"Code «{name}» as one or more yes/no columns in the data.",
            )
        else:
            numbers = frame[name].to_numpy(dtype=float, na_value=np.nan)
            n_wrong = int((~np.isfinite(numbers)).sum())
            if n_wrong:
                yield DesignError(
                    "design.missing_values",
                    f"The column «{name}» is empty or infinite in {n_wrong} row{'s' * (n_wrong != 1)}.",
                    where="design.covariates",
                    why="Leaving those persons out silently would change on whom the effect is estimated.",
                    do="Leave the covariate out, or find the values.",
                )
    if design.clusters is None:
        return
    if design.clusters not in frame.columns or design.clusters in RESERVED:
        yield unknown_column(design.clusters, frame, "design.clusters")
    elif frame[design.clusters].isna().any():
        yield DesignError(
            "design.missing_values",
            f"The column «{design.clusters}» is empty in {int(frame[design.clusters].isna().sum())} rows.",
            where="design.clusters",
            why="A person without a cluster cannot be counted.",
            do="Find out where those persons belong.",
        )


def in_rows(design: PanelFields, sample: PanelSample) -> Iterator[DesignError]:
    """Give why the rows with treatment and covariates do not determine an effect; the columns are sound."""
    if not len(sample.outcome):
        yield DesignError(
            "design.no_rows",
            "No person has the treatment and all covariates in any period.",
            where="outcomes",
            why="There is nothing to compare.",
            do="Check that the measures are known for the same persons and periods.",
        )
        return
    n_clusters = int(sample.clusters.max()) + 1
    if n_clusters < LEAST_CLUSTERS:
        yield DesignError(
            "design.too_few_clusters",
            "All persons belong to one cluster.",
            where="design.clusters",
            why="Clustered errors treat each cluster as one observation; one shows no spread.",
            do="Cluster at a finer level, or do not use this design.",
        )
    yield from _treatment(design, sample)


def _treatment(design: PanelFields, sample: PanelSample) -> Iterator[DesignError]:
    treatment = sample.varying[:, 0]
    where = f"outcomes, measure «{design.treatment_measure}»"
    if np.ptp(treatment) == 0:
        yield DesignError(
            "design.no_variation",
            f"The treatment «{design.treatment_measure}» has the same value in every row.",
            where=where,
            why="There is nothing to compare with.",
            do="Check the measure, or add the persons and periods without the treatment.",
        )
        return
    # Each person's first value, since of several values for one place the last one stays.
    first = np.empty(int(sample.persons.max()) + 1)
    first[sample.persons[::-1]] = treatment[::-1]
    changes = bool((treatment != first[sample.persons]).any())
    within = [estimator for estimator, _ in design.terms if estimator in WITHIN]
    if within and not changes:
        yield DesignError(
            "design.treatment_never_changes",
            f"The treatment «{design.treatment_measure}» never changes within a person.",
            where=where,
            why=f"«{within[0]}» compares each person with that same person, so nothing is left to compare.",
            do="Choose random_effects or pooled_least_squares if you believe the groups alike, or another design.",
        )
        return
    for estimator in dict.fromkeys(estimator for estimator, _ in design.terms):
        name = first_undetermined(sample, estimator, period_effects=design.period_effects)
        if name is not None:
            yield DesignError(
                "design.collinear",
                f"In «{estimator}» the rows do not determine the coefficient of {name}.",
                where="design.covariate_measures",
                why="It does not vary in what this estimator compares, or follows exactly from the rest.",
                do=f"Remove {name}, or another measure that moves with it.",
            )
