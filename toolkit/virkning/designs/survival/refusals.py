"""Why a duration's specification cannot be honoured by its data; nothing is fitted here.

Messages name measures and columns and count rows; they never hold a person's value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from ... import language
from ...data import Tables
from ...errors import DesignError, did_you_mean
from ...numerics import survival
from .. import refusals
from ..evaluation import Persons
from ..regression import Estimator, StandardErrors
from .follow_up import Followed, FollowUp, values_of

# A longest time that so many persons share is the end of the study, not anybody's own.
_SHARED_BY = 10


class DurationFields(Protocol):
    """The fields of a duration design that are checked here."""

    @property
    def treatment(self) -> str: ...
    @property
    def covariates(self) -> tuple[str, ...]: ...
    @property
    def clusters(self) -> str | None: ...
    @property
    def follow_up(self) -> Mapping[str, FollowUp]: ...


@dataclass(frozen=True)
class Comparison:
    """What every comparison of two groups is checked for: the columns, and the terms asked for."""

    treatment: str
    covariates: tuple[str, ...]
    clusters: str | None
    terms: tuple[tuple[Estimator, StandardErrors], ...]
    strata: str | None = None
    weights: str | None = None


def in_measures(design: DurationFields, tables: Tables) -> Iterator[DesignError]:
    """Give what is wrong with the measures that the specification names.

    Parameters
    ----------
    design : DurationFields
        The design.
    tables : Tables
        Validated data.
    """
    measures = tables.measures
    ended_by: dict[str, str] = {}
    for duration, spell in design.follow_up.items():
        where = f"design.follow_up.{duration}"
        named = [(where, duration), (f"{where}.event", spell.event)]
        named += [(f"{where}.competing", name) for name in spell.competing]
        unknown = [(place, name) for place, name in named if name not in measures]
        for place, name in unknown:
            yield DesignError(
                "design.unknown_measure",
                f"There is no measure «{name}» among the outcomes.",
                where=place,
                why="Nothing is guessed: every measure must be named as it is declared.",
                do=did_you_mean(name, measures),
            )
        names = [name for _, name in named]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield DesignError(
                "design.measure_named_twice",
                f"«{name}» has two parts in the same duration.",
                where=where,
                why="A time, its event and each competing event are different things.",
                do="Name each measure once.",
            )
        if spell.event in ended_by:
            yield DesignError(
                "design.event_of_two_durations",
                f"«{spell.event}» is named as the event of two durations.",
                where=f"{where}.event",
                why="Its own effect could be estimated along either time.",
                do="Declare a yes/no measure for each of the durations.",
            )
        ended_by[spell.event] = duration
        if not unknown:
            yield from _kinds(tables, duration, spell, where)


def _kinds(tables: Tables, duration: str, spell: FollowUp, where: str) -> Iterator[DesignError]:
    if tables.measures[duration].kind not in ("amount", "count"):
        yield DesignError(
            "design.duration_kind",
            f"The duration «{duration}» is declared as «{tables.measures[duration].kind}».",
            where=where,
            why="A duration is a time in a unit, such as weeks.",
            do="Declare it as an amount or a count, with its unit.",
        )
    for name in (spell.event, *spell.competing):
        if tables.measures[name].kind != "share":
            yield DesignError(
                "design.event_kind",
                f"The measure «{name}» tells whether something happened, but is not declared as a share.",
                where=where,
                why="What is estimated of it is how many it happened to.",
                do="Declare it with kind: share, with 1 for yes and 0 for no.",
            )


def in_values(design: DurationFields, tables: Tables, persons: Persons | None) -> Iterator[DesignError]:
    """Give what is wrong with times and indicators; the measures are known.

    Parameters
    ----------
    design : DurationFields
        The design.
    tables : Tables
        Validated data.
    persons : ndarray of bool, shape (participants,), optional
        Look at these only.
    """
    for duration, spell in design.follow_up.items():
        where = f"design.follow_up.{duration}"
        time = values_of(tables, duration, persons)
        known = ~np.isnan(time)
        n_negative = int((time < 0).sum())
        if n_negative:
            yield DesignError(
                "design.negative_time",
                f"The duration «{duration}» is negative in {_rows(n_negative)}.",
                where=where,
                why="Nobody can have the event before being followed.",
                do="Measure the time from the same start for everybody, and correct these rows.",
            )
        happened = np.zeros(len(time), dtype=np.int64)
        for name in (spell.event, *spell.competing):
            flag = values_of(tables, name, persons)
            yield from _flags(flag, known, name, duration, where)
            happened += flag == 1
        n_twice = int(((happened > 1) & known).sum())
        if n_twice:
            yield DesignError(
                "design.two_endings",
                f"In {_rows(n_twice)} of «{duration}» two events end the same time.",
                where=where,
                why="A follow-up ends in one way: the first thing that happened.",
                do="Keep the event that came first, and write 0 for the other.",
            )


def _flags(
    flag: np.ndarray[tuple[int], np.dtype[np.float64]],
    known: np.ndarray[tuple[int], np.dtype[np.bool_]],
    name: str,
    duration: str,
    where: str,
) -> Iterator[DesignError]:
    is_missing = np.isnan(flag)
    n_missing = int((is_missing & known).sum())
    if n_missing:
        yield DesignError(
            "design.missing_event",
            f"«{duration}» is known but «{name}» is missing in {_rows(n_missing)}.",
            where=where,
            why="A time without its ending says neither when the event came nor that it had not come.",
            do=f"Write 1 or 0 for «{name}», or remove the time.",
        )
    n_other = int((known & ~is_missing & (flag != 0) & (flag != 1)).sum())
    if n_other:
        yield DesignError(
            "design.unknown_event_code",
            f"«{name}» is neither 0 nor 1 in {_rows(n_other)}.",
            where=where,
            why="It must be plain whether the event happened.",
            do="Write 1 for yes and 0 for no; give each kind of event a measure of its own.",
        )


def in_groups(comparison: Comparison, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns and the two groups."""
    for found in (
        refusals.in_words(comparison),
        refusals.in_columns(comparison, frame),
        refusals.in_arms(comparison, frame),
    ):
        errors = list(found)
        yield from errors
        if errors:
            return


def beyond_follow_up(followed: Followed, duration: str) -> DesignError | None:
    """Return the refusal of a horizon that a group's follow-up does not reach.

    Parameters
    ----------
    followed : Followed
        Persons in both groups.
    duration : str
        How the duration is called.
    """
    reach = []
    for is_treated in (True, False):
        time, cause = followed.arm(is_treated)
        longest = survival.largest_horizon(time, cause)
        is_shared = int((time == time.max()).sum()) >= _SHARED_BY
        reach.append((longest, longest if is_shared or math.isinf(longest) else _rounded_down(longest)))
    if followed.horizon <= min(longest for longest, _ in reach):
        return None
    possible = min(told for _, told in reach)
    return DesignError(
        "design.horizon_beyond_follow_up",
        f"In one of the groups nobody's «{duration}» was followed as far as the horizon.",
        where=f"design.follow_up.{duration}.horizon",
        why="Beyond the last person's follow-up the curve is unknown, and so is the area under it.",
        do=f"Choose a horizon of at most {language.number(possible, 0 if possible >= 10 else 2)}."
        if possible > 0
        else "These persons were followed too briefly for any horizon.",
    )


def _rounded_down(value: float) -> float:
    """Return a number with two digits at most, so that it is nobody's own time."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / unit) * unit


def _rows(n: int) -> str:
    return f"{n} row{'' if n == 1 else 's'}"
