"""Why a specification with a cutoff cannot be honoured by its data; nothing is fitted here.

Messages name columns and rules and count rows; they never hold a person's value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from pandas.api import types

from ...errors import DesignError
from ...numerics.bandwidth import LEAST_DIFFERENT
from ...numerics.least_squares import dependent_column
from ...numerics.local_polynomial import Errors
from ..refusals import RESERVED, double_roles, missing_values, not_numbers, unfit_treatment, unknown_column
from .fit import Sample, Settings, TreatedSide, lacking


class CutoffFields(Protocol):
    """The fields of the design that are checked here."""

    @property
    def running(self) -> str: ...
    @property
    def treatment(self) -> str: ...
    @property
    def treated_side(self) -> TreatedSide: ...
    @property
    def sharpness(self) -> Literal["sharp", "fuzzy"]: ...
    @property
    def standard_errors(self) -> Errors: ...
    @property
    def bias_bandwidth(self) -> float | None: ...
    @property
    def covariates(self) -> tuple[str, ...]: ...
    @property
    def clusters(self) -> str | None: ...
    @property
    def settings(self) -> Settings: ...


def in_words(design: CutoffFields) -> Iterator[DesignError]:
    """Give the contradictions in the specification itself."""
    if design.bias_bandwidth is not None and design.settings.fixed_bandwidths() is None:
        yield DesignError(
            "design.bias_bandwidth_alone",
            "A bandwidth for the bias is given, but the bandwidth itself is to be chosen from the data.",
            where="design.bias_bandwidth",
            why="The data choose both together.",
            do="Give design.bandwidth as a number too, or leave the bandwidth of the bias out.",
        )
    needs = design.standard_errors == "clustered"
    if needs != (design.clusters is not None):
        yield DesignError(
            "design.no_clusters" if needs else "design.ignores_clusters",
            "Clustered errors need to know the clusters."
            if needs
            else f"«{design.standard_errors}» would ignore that persons belong to clusters.",
            where="design.clusters" if needs else "design.standard_errors",
            why="Persons of one cluster are alike; the errors must count clusters, and know them.",
            do="Name design.clusters and write «clustered» for standard_errors, or neither.",
        )
    roles = [("running", design.running), ("treatment", design.treatment)]
    roles += [("covariates", name) for name in design.covariates]
    yield from double_roles(roles, "A column is either what decides, what is decided, or what is held constant.")


def in_columns(design: CutoffFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns that the specification names, one by one."""
    named = [("running", design.running), ("treatment", design.treatment)]
    named += [("covariates", name) for name in dict.fromkeys(design.covariates)]
    named += [("clusters", design.clusters)] if design.clusters is not None else []
    for field, name in named:
        if name not in frame.columns or name in RESERVED:
            yield unknown_column(name, frame, f"design.{field}")
        elif field == "treatment":
            yield from unfit_treatment(frame[name], name)
        elif field == "clusters":
            if frame[name].isna().any():
                yield missing_values(frame[name], name, field, "Find out where those persons belong.")
        elif field == "running" and types.is_bool_dtype(frame[name].dtype):
            yield _few_values(name)
        else:
            yield from not_numbers(
                frame[name], name, field, "Find the values, or leave those persons out of the participants and say so."
            )


def in_sides(design: CutoffFields, sample: Sample) -> Iterator[DesignError]:
    """Give what is wrong with how persons stand around the cutoff; the columns are sound.

    Parameters
    ----------
    design : CutoffFields
        The specification.
    sample : Sample
        All persons, whether their outcome is known or not.
    """
    if sample.is_meant.all() or not sample.is_meant.any():
        yield DesignError(
            "design.cutoff_outside",
            f"Everybody's «{design.running}» lies on the same side of the cutoff.",
            where="design.cutoff",
            why="The effect is the difference between the two sides; one of them is empty.",
            do="Check the cutoff, its unit, and design.treated_side.",
        )
        return
    yield from _treatment(design, sample)
    sides = sample.sides(design.settings.cutoff, with_taken=False)
    if min(len(side.distinct_distances) for side in sides) < LEAST_DIFFERENT:
        yield _few_values(design.running)
        return
    fixed = design.settings.fixed_bandwidths()
    reason = "" if fixed is None else lacking(design.settings, sides, fixed)
    if reason:
        yield DesignError(
            "design.bandwidth_too_narrow",
            reason,
            where="design.bandwidth",
            why="Two curves and the spread around them cannot be judged from so few.",
            do="Give a wider bandwidth, or let the data choose it.",
        )
    yield from _covariates(design, sample)


def _few_values(name: str) -> DesignError:
    return DesignError(
        "design.few_values",
        f"On one side of the cutoff «{name}» has fewer than {LEAST_DIFFERENT} different values.",
        where="design.running",
        why="A curve that leads to the cutoff cannot be followed from so few points, whatever the number of persons.",
        do="Use the variable before it was rounded or grouped; without it, this design cannot be used.",
    )


def _treatment(design: CutoffFields, sample: Sample) -> Iterator[DesignError]:
    """Refuse a treatment that does not fit a sharp design, or one that fits it when the design is said to be fuzzy."""
    differs = sample.taken != sample.is_meant
    n_wrong = int(differs.sum())
    where = f"design.treatment, column «{design.treatment}»"
    if sample.taken.all() or not sample.taken.any():
        yield DesignError(
            "design.one_arm",
            f"Everybody has the same value of «{design.treatment}»: there is nobody to compare with.",
            where=where,
            why="The cutoff must have changed who had the treatment.",
            do="Check the column.",
        )
    elif design.sharpness == "sharp" and differs.all():
        yield DesignError(
            "design.other_side",
            f"«{design.treatment}» is the opposite of what the cutoff says, for everybody.",
            where="design.treated_side",
            why="The programme was for the other side.",
            do=f"The side is now «{design.treated_side}»; name the other one.",
        )
    elif design.sharpness == "sharp" and n_wrong:
        yield DesignError(
            "design.not_sharp",
            f"In {n_wrong} row{'s' * (n_wrong != 1)} «{design.treatment}» is not what the cutoff says.",
            where=where,
            why="In a sharp design the cutoff alone decides; the effect of the side is not that of the treatment.",
            do="Correct the data or design.treated_side, or write «sharpness: fuzzy» if the rule was not always kept.",
        )
    elif design.sharpness == "fuzzy" and not n_wrong:
        yield DesignError(
            "design.not_fuzzy",
            f"«{design.treatment}» is what the cutoff says, for everybody.",
            where="design.sharpness",
            why="A sharp design estimates the same effect with fewer assumptions.",
            do="Write «sharpness: sharp», or name the column of the treatment that was really taken.",
        )


def _covariates(design: CutoffFields, sample: Sample) -> Iterator[DesignError]:
    if not design.covariates:
        return
    dependent = dependent_column(np.column_stack([np.ones(len(sample.running)), sample.covariates]))
    if dependent is not None:
        name = ("the constant", *design.covariates)[dependent]
        yield DesignError(
            "design.collinear",
            f"«{name}» does not vary, or follows exactly from the covariates before it.",
            where="design.covariates",
            why="It adds nothing, so its coefficient is not determined by the data.",
            do=f"Remove «{name}» from design.covariates.",
        )
