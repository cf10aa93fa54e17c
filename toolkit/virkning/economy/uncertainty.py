"""Monte Carlo: the effects are drawn together, with their covariance; prices, durations and costs from their ranges.

The draws of the effects are those of ``Estimates.draws`` with the run's seed, so that everything in one book that is
computed from uncertain effects rests on the same ones. Every other input has its own stream of random numbers, named
after it: a new line changes no other line's draws.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import UsageError
from ..estimates import Estimates
from .figures import NEVER, break_even
from .model import Model

Array = NDArray[np.float64]
FEWEST_DRAWS = 1_000
_CHUNK = 2_000


@dataclass(frozen=True)
class Draws:
    """Present values in every draw.

    Attributes
    ----------
    costs, gains, welfare_costs, welfare_gains : ndarray, shape (draws, parties)
        As of :class:`virkning.economy.model.Streams`, added up over the years.
    balance : ndarray, shape (draws, parties, years)
        Budget view, discounted and cumulative.
    """

    costs: Array
    gains: Array
    welfare_costs: Array
    welfare_gains: Array
    balance: Array

    def __post_init__(self) -> None:
        for array in (self.costs, self.gains, self.welfare_costs, self.welfare_gains, self.balance):
            array.setflags(write=False)

    @property
    def n(self) -> int:
        """Number of draws."""
        return len(self.costs)

    @property
    def budget(self) -> Array:
        """Net present value in the budget view, shape (draws, parties)."""
        return self.costs + self.gains

    @property
    def welfare(self) -> Array:
        """Net present value in the welfare view, shape (draws, parties)."""
        return self.welfare_costs + self.welfare_gains

    @property
    def society(self) -> Array:
        """Net present value of all parties in the welfare view, shape (draws,)."""
        return np.asarray(self.welfare.sum(axis=1))

    @cached_property
    def earned_back(self) -> Array:
        """Share of draws in which a party has its money back by each year, and keeps it; shape (parties, years)."""
        years, first = np.arange(self.balance.shape[-1]), break_even(self.balance)
        is_back = [(first != NEVER) & (first <= year) for year in years]
        return np.stack([done.mean(axis=0) for done in is_back], axis=1)


def draw_inputs(
    model: Model, effects: Estimates, n: int, seed: int, effect_draws: pd.DataFrame | None = None
) -> dict[str, Array]:
    """Return each input in each draw.

    Parameters
    ----------
    model : Model
        Whose inputs.
    effects : Estimates
        What was estimated.
    n : int
        Number of draws.
    seed : int
        The run's seed.
    effect_draws : DataFrame, optional
        The draws of the effects, one column per measure, when they were drawn already.

    Raises
    ------
    UsageError
        There are too few draws, or those that were handed in are not as many.
    """
    if n < FEWEST_DRAWS:
        raise UsageError(
            "usage.draws",
            f"{n} draws are too few.",
            where="draws",
            why="The ends of an interval would be chance.",
            do=f"Take at least {FEWEST_DRAWS:,}; 10,000 is the usual number.",
        )
    drawn = effect_draws
    if drawn is None and any(item.group == "effect" for item in model.inputs.values()):
        drawn = effects.draws(n, np.random.default_rng(seed))
    if drawn is not None and len(drawn) != n:
        raise UsageError(
            "usage.effect_draws",
            f"{len(drawn)} draws of the effects were handed in for {n} draws.",
            where="effect_draws",
            why="Each draw needs its own effects.",
            do="Hand in as many.",
        )
    values: dict[str, Array] = {}
    for name, item in model.inputs.items():
        group, _, of = name.partition(":")
        if group == "effect" and drawn is not None:
            values[name] = drawn[of].to_numpy(dtype=np.float64)
        else:
            values[name] = item.draw(n, _generator(seed, name))
    for line in model.lines:
        if line.path is not None:
            name = f"path:{line.name}"
            values[name] = _generator(seed, name).standard_normal((n, len(line.path.values)))
    return values


def _generator(seed: int, name: str) -> np.random.Generator:
    """Return the stream of random numbers of one input."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def monte_carlo(model: Model, values: Mapping[str, Array]) -> Draws:
    """Return the present values in every draw.

    Parameters
    ----------
    model : Model
        What is computed.
    values : mapping of str to ndarray, shape (draws,)
        Each input in each draw.
    """
    n = len(next(iter(values.values())))
    costs, gains, welfare_costs, welfare_gains = (np.empty((n, len(model.parties))) for _ in range(4))
    balance = np.empty((n, len(model.parties), model.n_years))
    # Pieces that stay in the processor's cache are several times as fast as all draws at once.
    for first in range(0, n, _CHUNK):
        part = slice(first, first + _CHUNK)
        found = model.streams({name: value[part] for name, value in values.items()})
        found.costs.sum(axis=2, out=costs[part])
        found.gains.sum(axis=2, out=gains[part])
        found.welfare_costs.sum(axis=2, out=welfare_costs[part])
        found.welfare_gains.sum(axis=2, out=welfare_gains[part])
        np.cumsum(found.budget, axis=2, out=balance[part])
    return Draws(costs, gains, welfare_costs, welfare_gains, balance)


def interval(draws: Array, level: float) -> tuple[Array, Array]:
    """Return the ends of the middle part of the draws, each of the shape of one draw.

    Parameters
    ----------
    draws : ndarray, shape (draws, ...)
        One result in every draw.
    level : float
        Size of the middle part, 0 to 1.
    """
    ends = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    return ends[0], ends[1]


def by_year(model: Model, values: Mapping[str, Array], party: str) -> tuple[Array, Array]:
    """Return a party's budget in each year of each draw, not discounted: costs and gains, each (draws, years).

    Parameters
    ----------
    model : Model
        What is computed.
    values : mapping of str to ndarray, shape (draws,)
        Each input in each draw, as of :func:`draw_inputs`.
    party : str
        Name of a party.

    Returns
    -------
    costs, gains : ndarray
        From the programme's own costs (below zero), and from the consequences of its effects.
    """
    where, n = list(model.parties).index(party), len(next(iter(values.values())))
    costs, gains = (np.empty((n, model.n_years)) for _ in range(2))
    for first in range(0, n, _CHUNK):
        part = slice(first, first + _CHUNK)
        found = model.streams({name: value[part] for name, value in values.items()}, discounted=False)
        costs[part], gains[part] = found.costs[:, where], found.gains[:, where]
    return costs, gains
