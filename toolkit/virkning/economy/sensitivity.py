"""What the result hangs on: tornado chart, switching values, scenarios."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ..errors import UsageError, did_you_mean
from .inputs import HIGH_SHARE, LOW_SHARE, Input
from .model import Model

Array = NDArray[np.float64]
View = Literal["budget", "welfare"]
SOCIETY = "society"
DISCOUNT_STEP = 0.01
# A quantity in which the result is a straight line; duration and drop bend it.
_STRAIGHT = frozenset({"effect", "price", "cost", "probability", "link"})


@dataclass(frozen=True)
class Target:
    """Whose net present value is looked at: a party's or society's, in one view.

    Attributes
    ----------
    view : str
        ``budget`` or ``welfare``; of society there is only welfare.
    party : str
        Name of a party, or ``society``.
    """

    view: View
    party: str

    def of(self, model: Model, values: dict[str, Array], shift: float = 0.0) -> Array:
        """Return the net present value in each draw, shape (draws,).

        Parameters
        ----------
        model : Model
            What is computed.
        values : dict of str to ndarray, shape (draws,)
            Each input in each draw.
        shift : float
            Added to every discount rate.
        """
        found = model.streams(values, shift=shift)
        if self.party == SOCIETY:
            return np.asarray(found.welfare.sum(axis=(1, 2)))
        net = found.budget if self.view == "budget" else found.welfare
        return np.asarray(net[:, list(model.parties).index(self.party)].sum(axis=1))


def target(model: Model, party: str, view: View | None = None) -> Target:
    """Return a party's net present value as a target: a public party's budget, anybody else's welfare.

    Parameters
    ----------
    model : Model
        Whose parties.
    party : str
        Name of a party, or ``society``.
    view : str, optional
        ``budget`` or ``welfare``.

    Raises
    ------
    UsageError
        There is no such party, or society is asked for a budget.
    """
    if party == SOCIETY and view in (None, "welfare"):
        return Target("welfare", SOCIETY)
    if party not in model.parties:
        raise UsageError(
            "usage.unknown_party",
            "Society has no budget." if party == SOCIETY else f"There is no party «{party}».",
            where="party",
            why="Budget and welfare are never mixed." if party == SOCIETY else "",
            do=did_you_mean(party, [*model.parties, SOCIETY]),
        )
    usual: View = "budget" if model.parties[party].kind == "public" else "welfare"
    return Target(view or usual, party)


@dataclass(frozen=True)
class Swing:
    """How far one input moves the result."""

    label: str
    unit: str
    low: float
    high: float
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """The distance between both results."""
        return abs(self.at_high - self.at_low)


def tornado(model: Model, aim: Target) -> tuple[Swing, ...]:
    """Return how far each uncertain input moves the result, the widest first; all others stay central.

    Inputs move from the 5th to the 95th percentile of their distribution, discount rates by a percentage point.

    Parameters
    ----------
    model : Model
        What is computed.
    aim : Target
        The result.
    """
    moving = [item for item in model.inputs.values() if item.is_uncertain]
    central = model.central()
    values = {name: np.repeat(value, 2 * len(moving)) for name, value in central.items()}
    for position, item in enumerate(moving):
        values[item.name][2 * position : 2 * position + 2] = item.quantile(LOW_SHARE), item.quantile(HIGH_SHARE)
    found = aim.of(model, values) if moving else np.empty(0)
    swings = [
        Swing(
            item.label,
            item.unit,
            item.quantile(LOW_SHARE),
            item.quantile(HIGH_SHARE),
            float(found[2 * position]),
            float(found[2 * position + 1]),
        )
        for position, item in enumerate(moving)
    ]
    bands = [*model.discounting.bands]
    if any(line.is_health for line in model.lines):
        bands += model.discounting.health_bands
    lowest = min(rate for _, rate in bands)
    steps = (-min(DISCOUNT_STEP, lowest), DISCOUNT_STEP)
    ends = [float(aim.of(model, central, shift=step)[0]) for step in steps]
    swings.append(Swing("Discount rates", "percentage points", 100 * steps[0], 100 * steps[1], ends[0], ends[1]))
    return tuple(sorted(swings, key=lambda swing: -swing.width))


@dataclass(frozen=True)
class Switch:
    """The value of one input at which the result turns.

    Attributes
    ----------
    item : Input
        Which input.
    value : float or None
        Where the net present value is zero; None when nowhere that is possible.
    reason : str
        Why there is none.
    """

    item: Input
    value: float | None
    reason: str = ""


def switching_values(model: Model, aim: Target) -> tuple[Switch, ...]:
    """Return, for each input, the value at which the net present value is zero while all others stay central.

    Parameters
    ----------
    model : Model
        What is computed.
    aim : Target
        The result.
    """
    return tuple(_switch(model, aim, item) for item in model.inputs.values())


def _switch(model: Model, aim: Target, item: Input) -> Switch:
    central = model.central()

    def at(*points: float) -> Array:
        values = {name: np.repeat(value, len(points)) for name, value in central.items()}
        values[item.name] = np.array(points)
        return aim.of(model, values)

    if item.group in _STRAIGHT:
        # From zero to twice the value, so that the slope is not a difference of two nearly equal numbers.
        reach = item.central or 1.0
        here, there = at(0.0, 2 * reach)
        if abs(there - here) <= 1e-12 * max(abs(here), abs(there), 1.0):
            return Switch(item, None, "The result does not depend on it.")
        value = float(-here * 2 * reach / (there - here))
        if item.group != "effect" and (
            (value < 0 and item.group != "link") or (item.group == "probability" and value > 1)
        ):
            return Switch(item, None, "No possible value turns the result.")
        return Switch(item, value)
    most = 1.0 - 1e-9 if item.group == "drop" else longest(model, item)
    here, there = at(1e-9, most)
    if here * there > 0:
        return Switch(item, None, f"No value up to {most:g} turns the result.")
    return Switch(item, float(brentq(lambda point: float(at(point)[0]), 1e-9, most, xtol=1e-10)))


def longest(model: Model, item: Input) -> float:
    """Return how long an effect could last inside the horizon, or as it was measured.

    Parameters
    ----------
    model : Model
        Horizon and lines.
    item : Input
        The duration of one of its lines.
    """
    (line,) = (line for line in model.lines if line.duration == item.name)
    last_intake = int(np.flatnonzero(line.intake)[-1])
    inside = float(model.n_years - last_intake - line.start)
    measured = getattr(line.persistence, "years", None)
    return inside if measured is None else min(inside, float(measured))
