"""How an effect lasts: the share of it that is left in each year, or a path that was measured.

A year counts with the part of it that lies inside the duration, so that 2.5 years are two years and a half.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ..specification import Specification

Array = NDArray[np.float64]


class Constant(Specification):
    """As large in the last year as in the first."""

    type: Literal["constant"]

    @property
    def words(self) -> str:
        """How it lasts, in a sentence's words."""
        return "stays as large as measured"


class Linear(Specification):
    """Falls on a straight line to nothing at the end of the duration."""

    type: Literal["linear"]

    @property
    def words(self) -> str:
        return "falls on a straight line to nothing"


class Exponential(Specification):
    """Loses the same share each year: the drop-off of a social return on investment."""

    type: Literal["exponential"]
    yearly_drop_share: float = Field(ge=0, lt=1, allow_inf_nan=False, description="Lost each year, 0 to 1.")
    low: float | None = Field(default=None, ge=0, lt=1, allow_inf_nan=False)
    high: float | None = Field(default=None, ge=0, lt=1, allow_inf_nan=False)

    @model_validator(mode="after")
    def _range(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("The range of the yearly drop has one end only: say low and high, or neither.")
        if self.low is not None and self.high is not None and not self.low <= self.yearly_drop_share <= self.high:
            raise ValueError("The range of the yearly drop does not hold yearly_drop_share itself.")
        return self

    @property
    def words(self) -> str:
        return f"loses {100 * self.yearly_drop_share:g}% of what is left each year"


class Measured(Specification):
    """A path that was measured: terms of the estimate itself, or shares of the effect from another study."""

    type: Literal["measured"]
    terms: tuple[str | tuple[str, ...], ...] = Field(
        default=(),
        description="Terms of the estimate, one for each year, in order; where a year has several (half-years), a list "
        "of them, which counts with its mean.",
    )
    shares: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = Field(
        default=(), description="The effect in each year as a share of the headline."
    )
    source: str = ""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.terms) == bool(self.shares):
            raise ValueError("A measured path has either terms of the estimate or shares.")
        if any(not terms for terms in self.terms):
            raise ValueError("A year of the measured path has no terms.")
        if self.shares and not self.source:
            raise ValueError("Shares from another study need its source.")
        return self

    @property
    def terms_by_year(self) -> tuple[tuple[str, ...], ...]:
        """The terms of each year."""
        return tuple((terms,) if isinstance(terms, str) else terms for terms in self.terms)

    @property
    def years(self) -> int:
        """For how many years the path was measured."""
        return len(self.terms or self.shares)

    @property
    def words(self) -> str:
        return "follows the path that was measured"


Persistence = Annotated[Constant | Linear | Exponential | Measured, Field(discriminator="type")]


def inside(duration: Array, start: int, n_years: int) -> Array:
    """Return the part of each year since a person's start that lies inside the duration, shape (draws, years).

    Parameters
    ----------
    duration : ndarray, shape (draws,)
        Years; may be fractions.
    start : int
        Years until the effect begins.
    n_years : int
        Number of years, the first being that of the start.
    """
    years = np.arange(n_years) - start
    parts: Array = np.where(years >= 0, np.clip(duration[:, None] - years, 0.0, 1.0), 0.0)
    return parts


def profile(persistence: Persistence, duration: Array, drop: Array | None, start: int, n_years: int) -> Array:
    """Return how much of the effect is left in each year since a person's start, shape (draws, years).

    Of a straight line, each year has its mean over the year; of an exponential, its first year is whole.

    Parameters
    ----------
    persistence : Persistence
        Not a path of terms of the estimate: that is no share of anything.
    duration : ndarray, shape (draws,)
        Years.
    drop : ndarray, shape (draws,), optional
        Yearly drop of an exponential; by default the declared one.
    start, n_years : int
        As of :func:`inside`.
    """
    parts = inside(duration, start, n_years)
    since = np.clip(np.arange(n_years) - start, 0, None)
    if isinstance(persistence, Linear):
        # The mean of 1 - t / duration between the beginning of the year and its end (or that of the effect).
        middle = since + parts / 2
        return np.asarray(parts * (1 - middle / duration[:, None]))
    if isinstance(persistence, Exponential):
        share = np.full_like(duration, persistence.yearly_drop_share) if drop is None else drop
        return np.asarray(parts * np.exp(np.outer(np.log1p(-share), since)))
    if isinstance(persistence, Measured):
        path = np.zeros(n_years)
        stop = min(start + len(persistence.shares), n_years)
        path[start:stop] = persistence.shares[: stop - start]
        return parts * path
    return parts
