"""Why a specification with instrumental variables cannot be honoured by its data; nothing is fitted here.

Messages name columns and rules and count rows; they never hold a person's value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import pandas as pd
from pandas.api import types

from ...errors import DesignError
from ...numerics.instruments import Errors, partial_out
from ...numerics.least_squares import dependent_column
from ..refusals import RESERVED, double_roles, duplicate_terms, unknown_column
from .two_stage import BesideEstimator, InstrumentSample

# What is left of a column, relative to its length, below which it counts as explained without rest.
_NOTHING_LEFT = 1e-9


class InstrumentFields(Protocol):
    """The fields of the design that are checked here."""

    @property
    def treatment(self) -> str: ...
    @property
    def instruments(self) -> tuple[str, ...]: ...
    @property
    def covariates(self) -> tuple[str, ...]: ...
    @property
    def clusters(self) -> str | None: ...
    @property
    def declared(self) -> tuple[tuple[BesideEstimator, Errors], ...]: ...


def in_words(design: InstrumentFields) -> Iterator[DesignError]:
    """Give the contradictions in the specification itself."""
    yield from duplicate_terms(", ".join(item) for item in design.declared)
    for estimator, errors in dict.fromkeys(design.declared):
        if (errors == "clustered") != (design.clusters is not None):
            needs = errors == "clustered"
            yield DesignError(
                "design.no_clusters" if needs else "design.ignores_clusters",
                f"«{estimator}, {errors}» "
                + ("needs to know the clusters." if needs else "would ignore that persons belong to clusters."),
                where="design.clusters" if needs else "design.standard_errors",
                why="Persons of one cluster are alike; the errors must count clusters, and know them.",
                do="Name design.clusters and write «clustered» for all standard errors, or neither.",
            )
        if estimator == "intention_to_treat" and len(design.instruments) > 1:
            yield DesignError(
                "design.several_offers",
                "The intention to treat is the effect of one instrument, but several are named.",
                where="design.alternatives",
                why="With several instruments there is no single offer whose effect could be told.",
                do="Remove the alternative, or keep one instrument.",
            )
    yield from _double_roles(design)


def _double_roles(design: InstrumentFields) -> Iterator[DesignError]:
    roles = [("treatment", design.treatment)]
    roles += [(role, name) for role in ("instruments", "covariates") for name in getattr(design, role)]
    yield from double_roles(
        roles, "A column is either what is caused, what moves it from outside, or what is held constant."
    )


def in_columns(design: InstrumentFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns that the specification names, one by one."""
    named = [("treatment", design.treatment)]
    named += [(role, name) for role in ("instruments", "covariates") for name in getattr(design, role)]
    for role, name in named:
        if name not in frame.columns or name in RESERVED:
            yield unknown_column(name, frame, f"design.{role}")
        else:
            yield from _numbers(frame[name], name, role)
    if design.clusters is not None:
        yield from _clusters(design, frame)


def _numbers(values: pd.Series, name: str, role: str) -> Iterator[DesignError]:
    """Give what keeps a column from being used as finite numbers."""
    if not (types.is_numeric_dtype(values.dtype) or types.is_bool_dtype(values.dtype)):
        yield DesignError(
            "design.not_a_number",
            f"The column «{name}» holds text or dates, not numbers.",
            where=f"design.{role}",
            why="A regression needs numbers, and nothing is coded behind your back.",
            do=f"Code «{name}» as one or more yes/no columns in the data.",
        )
        return
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    n_wrong = int((~np.isfinite(numbers)).sum())
    if n_wrong:
        yield DesignError(
            "design.missing_values",
            f"The column «{name}» is empty or infinite in {n_wrong} row{'s' * (n_wrong != 1)}.",
            where=f"design.{role}",
            why="Leaving those persons out silently would change on whom the effect is estimated.",
            do="Find the values, or leave those persons out of the participants and say so in the flow.",
        )


def _clusters(design: InstrumentFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    name = str(design.clusters)
    if name not in frame.columns or name in RESERVED:
        yield unknown_column(name, frame, "design.clusters")
    elif frame[name].isna().any():
        yield DesignError(
            "design.missing_values",
            f"The column «{name}» is empty in {int(frame[name].isna().sum())} rows.",
            where="design.clusters",
            why="A person without a cluster cannot be counted.",
            do="Find out where those persons belong, or give each a cluster of its own.",
        )
    elif frame[name].nunique() < len(design.instruments) + 2:
        yield DesignError(
            "design.too_few_clusters",
            f"There are only {frame[name].nunique()} clusters for {len(design.instruments)} instruments.",
            where="design.clusters",
            why="Clustered errors treat each cluster as one observation; so few leave no spread to measure.",
            do="Cluster at a finer level, or do not use this design.",
        )


def in_first_stage(design: InstrumentFields, sample: InstrumentSample) -> Iterator[DesignError]:
    """Give why the treatment, the instruments and the covariates do not determine an effect; the columns are sound."""
    n, k = len(sample.outcome), sample.controls.shape[1] + sample.instruments.shape[1] + 1
    if n <= k:
        yield DesignError(
            "design.too_few",
            f"There are {n} persons for {k} coefficients.",
            where="design.covariates",
            why="No spread is left to judge an effect by.",
            do="Name fewer covariates or instruments, or add data.",
        )
        return
    names = ("the constant", *design.covariates, *design.instruments)
    dependent = dependent_column(np.column_stack([sample.controls, sample.instruments]))
    if dependent is not None:
        role = "instruments" if names[dependent] in design.instruments else "covariates"
        yield DesignError(
            "design.collinear",
            f"«{names[dependent]}» does not vary, or follows exactly from the covariates and instruments before it.",
            where=f"design.{role}",
            why="It adds nothing, so its coefficient is not determined by the data.",
            do=f"Remove «{names[dependent]}» from design.{role}.",
        )
        return
    yield from _movement(design, sample)


def _movement(design: InstrumentFields, sample: InstrumentSample) -> Iterator[DesignError]:
    """Give why the instruments tell nothing about the treatment, or all of it."""
    treatment = sample.treatment - sample.treatment.mean()
    (left,) = partial_out(sample.controls, treatment)
    (unmoved,) = partial_out(np.column_stack([sample.controls, sample.instruments]), treatment)
    size = float(np.linalg.norm(left))
    if size <= _NOTHING_LEFT * max(1.0, float(np.abs(sample.treatment).max())) * np.sqrt(len(left)):
        yield DesignError(
            "design.no_variation",
            f"The treatment «{design.treatment}» does not vary, or follows exactly from the covariates.",
            where="design.treatment",
            why="There is nobody to compare with.",
            do="Check the column, or remove the covariate that is the treatment by another name.",
        )
    elif np.linalg.norm(unmoved) <= _NOTHING_LEFT * size:
        yield DesignError(
            "design.instrument_is_treatment",
            f"The instruments determine the treatment «{design.treatment}» exactly.",
            where="design.instruments",
            why="Then nothing is gained by an instrument: everybody complied, or the column is the treatment itself.",
            do="With full compliance use randomised_trial.",
        )
    elif np.linalg.norm(left - unmoved) <= _NOTHING_LEFT * size:
        yield DesignError(
            "design.no_first_stage",
            f"The instruments do not move the treatment «{design.treatment}» at all.",
            where="design.instruments",
            why="The effect would be a number divided by zero.",
            do="This design cannot be used with these instruments.",
        )
