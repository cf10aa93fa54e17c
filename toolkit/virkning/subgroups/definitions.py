"""Who belongs to which group: as declared beforehand, from what was known at the start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, cast

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
    need_weights: tuple[float, ...] | None = Field(
        default=None,
        description="How much an effect counts for a person with no sign, one sign, and so on up to all of them; "
        "never falling. Only what they are relative to each other matters.",
    )

    @model_validator(mode="after")
    def _reachable(self) -> Vulnerability:
        if self.most_vulnerable_from > len(self.components):
            raise ValueError("«most_vulnerable_from» is larger than the number of components.")
        return self

    @model_validator(mode="after")
    def _need_grows(self) -> Vulnerability:
        weights = self.need_weights
        if weights is None:
            return self
        if len(weights) != len(self.components) + 1:
            raise ValueError(
                f"«need_weights» needs {len(self.components) + 1} numbers, from no sign to all of them; it has "
                f"{len(weights)}."
            )
        if not all(math.isfinite(each) and each >= 0 for each in weights) or weights[-1] <= 0:
            raise ValueError("«need_weights» are finite, none is negative, and the last one is above zero.")
        if any(after < before for before, after in pairwise(weights)):
            raise ValueError("«need_weights» fall somewhere, but a person with more signs is not in less need.")
        return self


class Reach(Specification):
    """Who could have been reached: those eligible, counted beforehand or all of them in the data."""

    eligible: int | Literal["participants"] = Field(
        description="Number of eligible persons; or «participants»: everybody in the data was eligible."
    )
    groups: dict[str, dict[str, int]] = Field(
        default={},
        description="Eligible persons by group: name of a subgroup (or «vulnerability»), then group and number. "
        "Left out when everybody in the data was eligible, since the data tell.",
    )
    reached: str | None = Field(
        default=None,
        description="Boolean column of participants: was reached. By default those in the programme's group.",
    )
    source: str = Field(min_length=1, description="Where the numbers come from, in words.")

    @model_validator(mode="after")
    def _counts(self) -> Reach:
        if self.eligible == "participants":
            if self.groups:
                raise ValueError("«groups» contradicts «eligible: participants»: the data tell the numbers.")
            return self
        if self.eligible < 1:
            raise ValueError("«eligible» is at least one person.")
        for name, counts in self.groups.items():
            if min(counts.values(), default=0) < 0 or sum(counts.values()) > self.eligible:
                raise ValueError(f"The groups of «{name}» have a negative number, or more persons than are eligible.")
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


@dataclass(frozen=True)
class Signs:
    """How many signs of vulnerability each person has.

    Attributes
    ----------
    n : ndarray of int, shape (participants,)
        Signs that hold.
    n_unknown : ndarray of int, shape (participants,)
        Signs of which nobody knows.
    """

    n: NDArray[np.int64]
    n_unknown: NDArray[np.int64]


def count_signs(participants: pd.DataFrame, vulnerability: Vulnerability) -> Signs:
    """Count the signs of vulnerability that each person had at the start."""
    n, n_unknown = np.zeros(len(participants), dtype=np.int64), np.zeros(len(participants), dtype=np.int64)
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
        n += holds
        n_unknown += values.isna().to_numpy()
    return Signs(n, n_unknown)


def most_vulnerable(participants: pd.DataFrame, vulnerability: Vulnerability) -> dict[str, Booleans]:
    """Return who counts as most vulnerable; who lacks a component that could decide it belongs to neither group."""
    signs, limit = count_signs(participants, vulnerability), vulnerability.most_vulnerable_from
    return {"Yes": signs.n >= limit, "No": signs.n + signs.n_unknown < limit}
