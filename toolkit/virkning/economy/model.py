"""From assumptions to streams: every line of costs and consequences as arrays, for one set of values or many draws.

A value is what each input is in each draw: an effect, a price, a duration. The same code computes the central case (one
draw), the Monte Carlo (many) and the tornado chart (two for each input). Amounts are expected values in prices of one
year, so floating point (float64) is exact enough; what is paid under a contract is reckoned elsewhere, in decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .discounting import Discounting
from .inputs import Input
from .persistence import Persistence, inside, profile
from .specification import Party

Array = NDArray[np.float64]
Values = Mapping[str, Array]
DISTORTION = "tax_distortion"


@dataclass(frozen=True)
class MeasuredPath:
    """The terms of an estimate as a path over the years, given the draw of its headline.

    Attributes
    ----------
    headline : float
        The estimate's first term.
    values, slopes : ndarray, shape (years,)
        The terms, and by how much each rises with the headline.
    spread : ndarray, shape (years, years)
        What turns independent normal draws into what is left of the terms' variation, given the headline.
    """

    headline: float
    values: Array
    slopes: Array
    spread: Array

    def draw(self, effect: Array, noise: Array | None) -> Array:
        """Return the path in each draw, shape (draws, years).

        Parameters
        ----------
        effect : ndarray, shape (draws,)
            The headline in each draw.
        noise : ndarray, shape (draws, years), optional
            Independent standard normal draws; left out, the path is its mean given the headline.
        """
        path: Array = self.values + (effect - self.headline)[:, None] * self.slopes
        return path if noise is None else path + noise @ self.spread.T


@dataclass(frozen=True)
class Line:
    """One line of costs or consequences.

    Attributes
    ----------
    name, label : str
        As ``economy.yml`` says.
    outcome : str or None
        The measure that it values; None for a cost.
    inputs : tuple of str
        The inputs that are multiplied with each other.
    scale : float
        And with this.
    shares : ndarray, shape (parties, years)
        What of one unit of the stream comes to each party, by years since a person (or the programme) began.
    intake : ndarray, shape (years,)
        How many begin in each year: people, or one programme.
    fixed : ndarray, shape (years,), or None
        The profile of a cost; a consequence computes its own.
    persistence, start, duration, drop : see :func:`virkning.economy.persistence.profile`
        ``duration`` and ``drop`` are names of inputs.
    path : MeasuredPath or None
        Takes the place of effect and profile.
    is_cash, is_health : bool
        Whether accounts show it; whether it is discounted as health.
    welfare_factor : float
        What the welfare view multiplies it with.
    """

    name: str
    label: str
    outcome: str | None
    inputs: tuple[str, ...]
    scale: float
    shares: Array
    intake: Array
    fixed: Array | None = None
    persistence: Persistence | None = None
    start: int = 0
    duration: str = ""
    drop: str = ""
    path: MeasuredPath | None = None
    is_cash: bool = True
    is_health: bool = False
    welfare_factor: float = 1.0

    @property
    def is_cost(self) -> bool:
        """Whether it belongs to the programme's own costs."""
        return self.outcome is None

    @cached_property
    def is_steady(self) -> bool:
        """Whether every party has the same share in all years."""
        return bool((self.shares == self.shares[:, :1]).all())

    @cached_property
    def shifted(self) -> Array:
        """Row *k*, column *y*: how many are in their *k*-th year since they began in year *y*; shape (years, years)."""
        n = len(self.intake)
        moved = np.zeros((n, n))
        for since in range(n):
            moved[since, since:] = self.intake[: n - since]
        return moved

    def quantity(self, values: Values) -> Array:
        """Return the product of the inputs, shape (draws,).

        Parameters
        ----------
        values : mapping of str to ndarray, shape (draws,)
            Each input in each draw.
        """
        result = np.full(_n_draws(values), self.scale)
        for name in self.inputs:
            result = result * values[name]
        return result

    def profiles(self, values: Values) -> Array:
        """Return what is left in each year since the beginning: shape (draws, years), or (1, years) if always the same.

        Parameters
        ----------
        values : mapping of str to ndarray
            Each input in each draw.
        """
        n_years = len(self.intake)
        if self.fixed is not None:
            return self.fixed[None, :]
        if self.path is not None:
            drawn = self.path.draw(values[f"effect:{self.outcome}"], values.get(f"path:{self.name}"))
            whole = np.zeros((len(drawn), n_years))
            stop = min(self.start + drawn.shape[1], n_years)
            whole[:, self.start : stop] = drawn[:, : stop - self.start]
            return whole * inside(values[self.duration], self.start, n_years)
        assert self.persistence is not None
        duration, drop = values[self.duration], values[self.drop] if self.drop else None
        if np.ptp(duration) == 0 and (drop is None or np.ptp(drop) == 0):
            duration, drop = duration[:1], None if drop is None else drop[:1]
        return profile(self.persistence, duration, drop, self.start, n_years)


@dataclass(frozen=True)
class Streams:
    """What comes to each party in each year, in each draw; all of shape (draws, parties, years).

    Attributes
    ----------
    costs, gains : ndarray
        Budget view: what accounts show, from the programme's costs and from its consequences.
    welfare_costs, welfare_gains : ndarray
        Welfare view: everything, with the loss from taxation as a party of its own.
    """

    costs: Array
    gains: Array
    welfare_costs: Array
    welfare_gains: Array

    def __post_init__(self) -> None:
        for array in (self.costs, self.gains, self.welfare_costs, self.welfare_gains):
            array.setflags(write=False)

    @property
    def budget(self) -> Array:
        """Net, budget view."""
        return self.costs + self.gains

    @property
    def welfare(self) -> Array:
        """Net, welfare view."""
        return self.welfare_costs + self.welfare_gains


@dataclass(frozen=True)
class Model:
    """Everything that is needed to compute streams.

    Attributes
    ----------
    parties : mapping of str to Party
        In the order of the arrays; the loss from taxation is last, if there is one.
    lines : tuple of Line
        Costs and consequences.
    inputs : mapping of str to Input
        Everything that has a value, and perhaps a distribution.
    discounting : Discounting
        How later years count.
    horizon : int
        The last year; there are horizon + 1 of them.
    distortion : float
        Loss to society per unit of net public cost.
    """

    parties: Mapping[str, Party]
    lines: tuple[Line, ...]
    inputs: Mapping[str, Input]
    discounting: Discounting
    horizon: int
    distortion: float = 0.0

    @property
    def n_years(self) -> int:
        """Years 0 to the horizon."""
        return self.horizon + 1

    @cached_property
    def is_public(self) -> NDArray[np.bool_]:
        """Which parties are public, shape (parties,)."""
        return np.array([party.kind == "public" for party in self.parties.values()])

    def central(self) -> dict[str, Array]:
        """Return the central value of every input, each of shape (1,)."""
        return {name: np.array([item.central]) for name, item in self.inputs.items()}

    def by_line(self) -> dict[str, Array]:
        """Return each line's present value by party in the central case, by view; each of shape (lines, parties)."""
        found = [replace(self, lines=(line,), distortion=0.0).streams(self.central()) for line in self.lines]
        shape = (-1, len(self.parties))
        return {
            "budget": np.array([streams.budget[0].sum(axis=1) for streams in found]).reshape(shape),
            "welfare": np.array([streams.welfare[0].sum(axis=1) for streams in found]).reshape(shape),
        }

    def streams(self, values: Values, *, discounted: bool = True, shift: float = 0.0) -> Streams:
        """Return the streams of each party.

        Parameters
        ----------
        values : mapping of str to ndarray, shape (draws,)
            Each input in each draw.
        discounted : bool
            Whether later years count for less.
        shift : float
            Added to every discount rate.
        """
        shape = (_n_draws(values), len(self.parties), self.n_years)
        costs, gains, welfare_costs, welfare_gains = (np.zeros(shape) for _ in range(4))
        factors = {
            health: self.discounting.factors(self.horizon, health=health, shift=shift)
            if discounted
            else np.ones(self.n_years)
            for health in (False, True)
        }
        for is_cost, budget, welfare in ((True, costs, welfare_costs), (False, gains, welfare_gains)):
            lines = [line for line in self.lines if line.is_cost == is_cost]
            steady = [line for line in lines if line.is_steady]
            if steady:
                self._add_steady(steady, values, factors, budget, welfare)
            for line in lines:
                if not line.is_steady:
                    self._add(line, values, factors, budget, welfare)
        if self.distortion:
            for budget, welfare in ((costs, welfare_costs), (gains, welfare_gains)):
                welfare[:, -1] += self.distortion * budget[:, self.is_public].sum(axis=1)
        return Streams(costs, gains, welfare_costs, welfare_gains)

    def _add_steady(
        self, lines: list[Line], values: Values, factors: Mapping[bool, Array], budget: Array, welfare: Array
    ) -> None:
        """Add lines whose shares are the same in every year: one matrix product for all parties and lines."""
        n, years = len(budget), self.n_years
        streams = np.empty((len(lines), n, years))
        for stream, line in zip(streams, lines, strict=True):
            moved = line.profiles(values) @ line.shifted * factors[line.is_health]
            np.multiply(line.quantity(values)[:, None], moved, out=stream)
        shares = np.array([line.shares[:, 0] for line in lines]).T
        for total, weights in (
            (budget, [float(line.is_cash) for line in lines]),
            (welfare, [line.welfare_factor for line in lines]),
        ):
            added = (shares * weights) @ streams.reshape(len(lines), n * years)
            np.add(total, added.reshape(-1, n, years).transpose(1, 0, 2), out=total)

    def _add(self, line: Line, values: Values, factors: Mapping[bool, Array], budget: Array, welfare: Array) -> None:
        """Add a line whose shares change over the years: party by party."""
        quantity, left = line.quantity(values), line.profiles(values)
        for party in np.flatnonzero(line.shares.any(axis=1)):
            stream = quantity[:, None] * ((left * line.shares[party]) @ line.shifted * factors[line.is_health])
            budget[:, party] += float(line.is_cash) * stream
            welfare[:, party] += line.welfare_factor * stream


def _n_draws(values: Values) -> int:
    """Return the number of draws; one when nothing has a value."""
    return len(next(iter(values.values()))) if values else 1
