"""Who belongs to which group: as declared beforehand, from what was known at the start."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types
from pydantic import Field, model_validator

from ..designs.refusals import RESERVED, unknown_column
from ..errors import DesignError
from ..specification import Specification

Booleans = NDArray[np.bool_]
Scalar = bool | int | float | str


class Subgroup(Specification):
    """A division of the participants by one column, known before assignment."""

    label: str = Field(min_length=1, description="What the reader sees, such as «Age».")
    column: str = Field(description="Column of participants.")
    cut: float | None = Field(default=None, description="For numbers: below, and at or above, this value.")
    values: dict[str, Scalar] | None = Field(
        default=None, description="For texts and codes: label of each group, and its value."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Subgroup:
        if self.cut is not None and self.values is not None:
            raise ValueError("A subgroup is made by «cut» or by «values», not both.")
        if self.values is not None and len(set(self.values.values())) < max(2, len(self.values)):
            raise ValueError("«values» needs at least two groups, each with a value of its own.")
        return self


class Component(Specification):
    """One sign of vulnerability, counted when it holds."""

    label: str = Field(min_length=1, description="The sign in words.")
    column: str = Field(description="Column of participants, known before assignment.")
    at_least: float | None = Field(default=None, description="Holds from this value upwards.")
    at_most: float | None = Field(default=None, description="Holds up to this value.")
    equals: Scalar | None = Field(default=None, description="Holds for this value.")

    @model_validator(mode="after")
    def _one_rule(self) -> Component:
        if sum(rule is not None for rule in (self.at_least, self.at_most, self.equals)) != 1:
            raise ValueError("A component says exactly one of «at_least», «at_most» and «equals».")
        return self


class Vulnerability(Specification):
    """An index that counts signs of vulnerability at the start."""

    label: str = Field(min_length=1, description="What those are called who count as most vulnerable.")
    components: tuple[Component, ...] = Field(min_length=1)
    most_vulnerable_from: int = Field(
        ge=1, description="Number of signs from which a person counts as most vulnerable."
    )

    @model_validator(mode="after")
    def _reachable(self) -> Vulnerability:
        if self.most_vulnerable_from > len(self.components):
            raise ValueError("«most_vulnerable_from» is larger than the number of components.")
        return self


def _column(participants: pd.DataFrame, name: str, where: str) -> pd.Series:
    if name not in participants.columns or name in RESERVED:
        raise unknown_column(name, participants, where)
    return participants[name]


def _numbers(values: pd.Series, name: str, where: str) -> NDArray[np.float64]:
    if not types.is_numeric_dtype(values.dtype) or types.is_bool_dtype(values.dtype):
        raise DesignError(
            "design.not_a_number",
            f"The column «{name}» does not hold numbers, so it cannot be cut at one.",
            where=where,
            why="Nothing is coded behind your back.",
            do="Use «values» (or «equals») for texts; a yes/no column needs neither.",
        )
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _is(values: pd.Series, value: Scalar, where: str) -> Booleans:
    """Tell who has a value; a missing value is not equal to anything.

    Raises
    ------
    DesignError
        The value has another type than the column, or (but for yes and no) nobody has it.
    """
    if types.is_bool_dtype(values.dtype):
        fits = isinstance(value, bool)
    elif types.is_numeric_dtype(values.dtype):
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = isinstance(value, str)
    chosen = values.eq(value).fillna(False).to_numpy(dtype=bool) if fits else np.zeros(len(values), dtype=bool)
    if not fits or not (chosen.any() or isinstance(value, bool)):
        raise DesignError(
            "design.empty_group",
            f"Nobody has the value «{value}» in the column «{values.name}».",
            where=where,
            why="A misspelt value would silently drop a group from the book.",
            do="Check how the column is coded: numbers without quotation marks, texts with them, yes/no as true/false.",
        )
    return chosen


def divide(participants: pd.DataFrame, subgroup: Subgroup, name: str) -> dict[str, Booleans]:
    """Return who belongs to each group."""
    where = f"subgroups.{name}"
    values = _column(participants, subgroup.column, f"{where}.column")
    if subgroup.cut is not None:
        numbers = _numbers(values, subgroup.column, f"{where}.cut")
        return {
            f"Below {subgroup.cut:g}": numbers < subgroup.cut,
            f"{subgroup.cut:g} or above": numbers >= subgroup.cut,
        }
    if subgroup.values is not None:
        return {label: _is(values, value, f"{where}.values") for label, value in subgroup.values.items()}
    if types.is_bool_dtype(values.dtype):
        return {"Yes": _is(values, True, where), "No": _is(values, False, where)}
    raise DesignError(
        "design.no_groups",
        f"The column «{subgroup.column}» is not a yes/no column, so it must be said how to divide it.",
        where=where,
        why="Nothing is guessed.",
        do="Add «cut» for numbers or «values» for texts and codes.",
    )


def most_vulnerable(participants: pd.DataFrame, vulnerability: Vulnerability) -> dict[str, Booleans]:
    """Return who counts as most vulnerable; who lacks a component that could decide it belongs to neither group."""
    n_signs, n_unknown = np.zeros(len(participants), dtype=int), np.zeros(len(participants), dtype=int)
    for position, component in enumerate(vulnerability.components):
        where = f"vulnerability.components.{position}"
        values = _column(participants, component.column, f"{where}.column")
        if component.equals is not None:
            holds = _is(values, component.equals, where)
        else:
            numbers = _numbers(values, component.column, where)
            holds = (
                numbers >= component.at_least
                if component.at_least is not None
                else numbers <= cast(float, component.at_most)
            )
        n_signs += holds
        n_unknown += values.isna().to_numpy()
    limit = vulnerability.most_vulnerable_from
    return {"Yes": n_signs >= limit, "No": n_signs + n_unknown < limit}
