"""How far estimates can be trusted: bias and coverage over many draws of a world whose truth is known."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..designs import estimate
from ..errors import EstimationError
from .worlds import World

# A sound method stays within these limits in about 19 of 20 validations of 1,000 runs.
BIAS_LIMIT = 2.0
COVERAGE_MARGIN = 0.017
NUMBERS = ("value", "std_error", "lower", "upper")
# So many first draws are remembered.
EARLY = 5
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """What came of one way to estimate, over many draws of a world.

    Attributes
    ----------
    world, term : str
        The world's name, and the term of the estimate.
    truth : float
        The true effect, in points.
    level : float
        Confidence level of the intervals, 0 to 1.
    n_runs, n_estimated : int
        Draws, and draws for which the term could be estimated.
    mean, spread : float
        Mean and standard deviation of the estimates, in points.
    mean_std_error : float
        Mean of the reported standard errors, in points.
    coverage : float
        Share of intervals that hold the truth, 0 to 1.
    early_mean : float
        Mean of the estimates of the first draws, in points: a fingerprint by which a short run recognises a long one.
    """

    world: str
    term: str
    truth: float
    level: float
    n_runs: int
    n_estimated: int
    mean: float
    spread: float
    mean_std_error: float
    coverage: float
    early_mean: float

    @property
    def bias(self) -> float:
        """Mean estimate less the truth, in points."""
        return self.mean - self.truth

    @property
    def monte_carlo_error(self) -> float:
        """Standard error of the bias, from the finite number of draws, in points."""
        return self.spread / math.sqrt(self.n_estimated)

    @property
    def is_unbiased(self) -> bool:
        """Whether the bias is no larger than chance would make it: within two Monte Carlo errors."""
        return abs(self.bias) <= BIAS_LIMIT * self.monte_carlo_error

    @property
    def has_coverage(self) -> bool:
        """Whether the intervals hold the truth as often as they say, within 1.7 percentage points."""
        return abs(self.coverage - self.level) <= COVERAGE_MARGIN


def measure_reliability(world: World, *, n_runs: int, seed: int = 0) -> tuple[Reliability, ...]:
    """Draw a world many times, estimate each time, and say how often the truth was found.

    Parameters
    ----------
    world : World
        The truth, the design, and how data are drawn.
    n_runs : int
        Number of draws.
    seed : int
        Start of the random numbers. Draw k of a world is the same whatever the number of draws.

    Returns
    -------
    tuple of Reliability
        One per term that the world has a truth for, in that order.

    Raises
    ------
    EstimationError
        A term was never estimated.
    """
    found: dict[str, list[list[float]]] = {term: [] for term in world.truths}
    for run in range(n_runs):
        generator = np.random.default_rng([seed, zlib.crc32(world.name.encode()), run])
        effects = estimate(world.design, world.draw(generator), seed=int(generator.integers(2**31)))
        if effects.primary.is_available:
            rows = effects.primary.effects
            for term, *numbers in zip(*(rows[name] for name in ("term", *NUMBERS)), strict=True):
                if term in found:
                    found[term].append([float(number) for number in numbers])
    return tuple(_summary(world, term, np.array(rows), n_runs) for term, rows in found.items())


def _summary(world: World, term: str, rows: Array, n_runs: int) -> Reliability:
    if not len(rows):
        raise EstimationError(
            "estimation.never",
            f"In the world «{world.name}», the term «{term}» was never estimated.",
            where="simulation",
            do="Name a term that the world's design gives, and a world in which it can be estimated.",
        )
    truth = world.truths[term]
    value, std_error, lower, upper = rows.T
    return Reliability(
        world=world.name,
        term=term,
        truth=truth,
        level=world.design.confidence,
        n_runs=n_runs,
        n_estimated=len(rows),
        mean=float(value.mean()),
        spread=float(value.std(ddof=1)),
        mean_std_error=float(std_error.mean()),
        coverage=float(((lower <= truth) & (truth <= upper)).mean()),
        early_mean=float(value[:EARLY].mean()),
    )
