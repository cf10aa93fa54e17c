"""What is compared: rows of the table, each with data, our estimate and the peers' ways to the same number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

import virkning as vk
from virkning.data import Tables

# What somebody found: «value», and «std_error» where the peer gives one.
Numbers = Mapping[str, float]
Call = Callable[[], Numbers]
# From the data to the call that is timed; what comes before the call is not.
Contestant = Callable[[pd.DataFrame], Call]

OURS = "virkning"
NUMERICS = "virkning, numbers only"


@dataclass(frozen=True)
class Row:
    """One line of the table: the same question to the same data.

    Attributes
    ----------
    name : str
        Design, estimator and errors.
    data : callable
        From a number of rows to the data as anybody would hold them.
    contestants : mapping of str to callable
        Ours first. Names are those of the packages.
    sizes : tuple of int
        Rows of data: the smallest is for tests.
    tolerance : float
        By how much the values may differ, in standard errors, and the standard errors relatively.
    looser : mapping of str to float
        The same for single peers, where ``words`` says why.
    words : str
        What a reader must know about this row.
    """

    name: str
    data: Callable[[int], pd.DataFrame]
    contestants: Mapping[str, Contestant]
    sizes: tuple[int, ...] = (2_000, 10_000, 1_000_000)
    tolerance: float = 1e-6
    looser: Mapping[str, float] = field(default_factory=dict)
    words: str = ""

    def tolerance_of(self, contestant: str) -> float:
        """Return by how much a contestant may differ from ours."""
        return self.looser.get(contestant, self.tolerance)


def estimate(design: vk.Design, tables: Tables, *, has_error: bool = True) -> Call:
    """Return the call that makes our estimate, everything that belongs to it included."""

    def call() -> Numbers:
        first = vk.estimate(design, tables).primary.effects.iloc[0]
        found = {"value": float(first["value"])}
        return {**found, "std_error": float(first["std_error"])} if has_error else found

    return call


def disagreement(ours: Numbers, theirs: Numbers) -> float:
    """Return by how much two results differ: of values in standard errors (else relatively), of errors relatively."""
    scale = ours.get("std_error") or abs(ours["value"])
    found = [abs(ours["value"] - theirs["value"]) / scale]
    if "std_error" in ours and "std_error" in theirs:
        found.append(abs(theirs["std_error"] / ours["std_error"] - 1))
    return max(found)
