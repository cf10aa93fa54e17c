"""What the findings of a synthetic control are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ... import language
from ...estimand import Outcome
from ...numerics.synthetic_differences import Contrast
from ..paths import Axis, axis_of
from .panel import Units
from .terms import FittedFields, Spread

Whole = NDArray[np.int64]

TREATED, MIX = "treated places", "mix of donors"
# Weights below this are not listed, and no table lists more rows than this.
LISTED, MOST_LISTED = 0.001, 40


@dataclass(frozen=True)
class Shown:
    """What the findings are made of.

    Attributes
    ----------
    design : FittedFields
        How units were compared.
    units : Units
        The units.
    outcome : Outcome
        As declared.
    names : list of str, optional
        Of the units, when they may be published.
    residents : ndarray of int, shape (n,)
        Persons behind each unit.
    found : Contrast
        The headline.
    spread : Spread
        How uncertain it is.
    """

    design: FittedFields
    units: Units
    outcome: Outcome
    names: Sequence[str] | None
    residents: Whole
    found: Contrast
    spread: Spread

    @property
    def axis(self) -> Axis:
        """Where the periods lie."""
        return axis_of(self.units.periods, self.found.n_before)

    @property
    def persons(self) -> int:
        """Persons behind the treated, or behind the donors in the mix when these are fewer."""
        treated = self.units.block.treated
        in_mix = self.residents[~treated][self.found.donor_weights >= LISTED]
        return int(min(self.residents[treated].sum(), in_mix.sum()))

    def name(self, place: int) -> str:
        """Return what a unit is called in a table."""
        return f"unit {place + 1}" if self.names is None else self.names[place]

    def say(self, value: float) -> str:
        """Return a value of the outcome with its unit."""
        if self.outcome.kind == "share":
            return f"{language.number(value * 100, 1)} per 100 people"
        digits = language.digits_for(self.outcome.kind, value)
        return f"{language.number(value, digits)} {self.outcome.unit}"
