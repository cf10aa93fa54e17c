"""What is followed until when: the declaration of a duration, and the persons with what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from ...data import Tables
from ...numerics import survival
from ...specification import Specification
from ..evaluation import Persons

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Role = Literal["duration", "event", "competing", "plain"]


class FollowUp(Specification):
    """How one duration ended, and up to when it is looked at."""

    event: str = Field(description="Measure that is 1 if the event happened at that time and 0 if it had not by then.")
    competing: tuple[str, ...] = Field(
        default=(), description="Measures that are 1 if something else happened that makes the event impossible."
    )
    horizon: float = Field(gt=0, allow_inf_nan=False, description="Up to when, in the unit of the duration.")


class DurationFields(Protocol):
    """The fields that say what is followed."""

    @property
    def treatment(self) -> str: ...
    @property
    def follow_up(self) -> Mapping[str, FollowUp]: ...


@dataclass(frozen=True)
class Place:
    """Where a measure stands in the design.

    Attributes
    ----------
    role : str
        A duration, the event that ends one, a competing event, or none of these.
    duration : str
        The duration that it belongs to; empty when it is none.
    """

    role: Role
    duration: str = ""


@dataclass(frozen=True)
class Followed:
    """Persons of whom is known how long they were followed, and how that ended.

    Attributes
    ----------
    frame : DataFrame
        Their rows of the participants.
    time : ndarray, shape (n,)
        In the unit of the duration.
    cause : ndarray of int, shape (n,)
        0 lost, 1 the event, 2 a competing event.
    treated : ndarray of bool, shape (n,)
        Who was offered the programme.
    horizon : float
        As declared.
    """

    frame: pd.DataFrame
    time: Array
    cause: NDArray[np.int64]
    treated: Booleans
    horizon: float

    def arm(self, is_treated: bool) -> tuple[Array, NDArray[np.int64]]:
        """Return time and cause of one group."""
        chosen = np.flatnonzero(self.treated == is_treated)
        return self.time[chosen], self.cause[chosen]

    @cached_property
    def by_horizon(self) -> tuple[Array, NDArray[np.int64]]:
        """Time and cause as they were known at the horizon."""
        return survival.until(self.time, self.cause, self.horizon)


def place_of(follow_up: Mapping[str, FollowUp], measure: str) -> Place:
    """Return where a measure stands in a design.

    Parameters
    ----------
    follow_up : mapping of str to FollowUp
        The design's durations.
    measure : str
        A declared measure.
    """
    if measure in follow_up:
        return Place("duration", measure)
    for name, spell in follow_up.items():
        if spell.event == measure:
            return Place("event", name)
    for name, spell in follow_up.items():
        if measure in spell.competing:
            return Place("competing", name)
    return Place("plain")


def values_of(tables: Tables, measure: str, persons: Persons | None = None) -> Array:
    """Return a measure at its own period, NaN where it is missing; shape (persons,)."""
    values = tables.values_of(measure)
    return values if persons is None or persons.all() else values[persons]


def is_known(design: DurationFields, tables: Tables, measure: str) -> Booleans:
    """Return of whom the estimate of an outcome can use something; shape (participants,).

    Parameters
    ----------
    design : DurationFields
        A design whose data are sound, so that whoever has a time has its indicators too.
    tables : Tables
        Validated data.
    measure : str
        A declared measure; an event is known of those whose time is.
    """
    place = place_of(design.follow_up, measure)
    known: Booleans = ~np.isnan(values_of(tables, place.duration or measure))
    return known


def follow(
    design: DurationFields, tables: Tables, place: Place, measure: str, persons: Persons | None = None
) -> Followed:
    """Return the persons with a time.

    Parameters
    ----------
    design : DurationFields
        A design whose data are sound.
    tables : Tables
        Validated data.
    place : Place
        Of the measure; not plain.
    measure : str
        The duration, its event, or a competing event, which then is the one that counts.
    persons : ndarray of bool, shape (participants,), optional
        These only.
    """
    spell = design.follow_up[place.duration]
    chosen = is_known(design, tables, place.duration)
    if persons is not None:
        chosen = chosen & persons
    main = measure if place.role == "competing" else spell.event
    others = [name for name in (spell.event, *spell.competing) if name != main]
    cause = survival.EVENT * (values_of(tables, main, chosen) == 1).astype(np.int64)
    for name in others:
        cause[values_of(tables, name, chosen) == 1] = survival.COMPETING
    frame = tables.participants if chosen.all() else tables.participants[chosen]
    return Followed(
        frame=frame,
        time=values_of(tables, place.duration, chosen),
        cause=cause,
        treated=frame[design.treatment].to_numpy(dtype=bool),
        horizon=spell.horizon,
    )
