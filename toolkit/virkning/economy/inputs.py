"""What goes in: effects, prices, durations, costs, each with its central value, its distribution, source and grade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Group = Literal["effect", "price", "cost", "duration", "drop", "probability", "link"]
# Between these two shares of its distribution the tornado chart moves an input.
LOW_SHARE, HIGH_SHARE = 0.05, 0.95


@dataclass(frozen=True)
class Input:
    """One number that the result depends on.

    Attributes
    ----------
    name : str
        ``price:prison_day``; the part before the colon is its group.
    label, unit : str
        What a reader sees.
    central : float
        The value of the central case.
    low, high : float or None
        Its range; None when it is taken as certain.
    shape : str
        ``triangular`` or ``uniform`` between low and high.
    std_error : float
        Of an effect, which is normal and is drawn together with the others.
    source, grade : str
        Where it comes from, and how far that can be believed.
    """

    name: str
    label: str
    unit: str
    central: float
    low: float | None = None
    high: float | None = None
    shape: str = "triangular"
    std_error: float = 0.0
    source: str = ""
    grade: str = ""

    @property
    def group(self) -> str:
        """Effect, price, cost, duration, drop, probability or link."""
        return self.name.partition(":")[0]

    @property
    def is_uncertain(self) -> bool:
        """Whether it has a distribution."""
        return self.std_error > 0 or (self.low is not None and self.high is not None and self.low < self.high)

    def quantile(self, share: float) -> float:
        """Return the value below which it lies with this probability; the central value if it is certain.

        Parameters
        ----------
        share : float
            0 to 1.
        """
        if self.std_error > 0:
            return float(stats.norm.ppf(share, self.central, self.std_error))
        if not self.is_uncertain or self.low is None or self.high is None:
            return self.central
        width = self.high - self.low
        if self.shape == "uniform":
            return self.low + share * width
        return float(stats.triang.ppf(share, (self.central - self.low) / width, self.low, width))

    def draw(self, n: int, generator: np.random.Generator) -> Array:
        """Return ``n`` draws from its range, shape (n,); the central value ``n`` times if it is certain.

        Parameters
        ----------
        n : int
            Number of draws.
        generator : numpy.random.Generator
            Where randomness comes from.
        """
        if not self.is_uncertain or self.low is None or self.high is None:
            return np.full(n, self.central)
        if self.shape == "uniform":
            return generator.uniform(self.low, self.high, n)
        return generator.triangular(self.low, self.central, self.high, n)
