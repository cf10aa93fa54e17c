"""What a later amount is worth now: the tables of two ministries, a constant rate, or one's own table.

Year 0 is now. With the convention ``year_end`` the amounts of year *t* fall *t* years from now; with ``half_year`` they
fall in the middle of the year, *t* − ½ years from now, and those of year 0 still now.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from ..specification import Specification

Array = NDArray[np.float64]
Bands = tuple[tuple[int | None, float], ...]

# Last year of each band, and the rate in it.
DANISH: Bands = ((35, 0.035), (70, 0.025), (None, 0.015))
GREEN_BOOK: Bands = ((30, 0.035), (75, 0.03), (125, 0.025), (200, 0.02), (300, 0.015), (None, 0.01))
GREEN_BOOK_HEALTH: Bands = ((30, 0.015), (75, 0.0129), (125, 0.0107), (200, 0.0086), (300, 0.0064), (None, 0.0043))


class _Rates(Specification):
    """What every way of discounting has."""

    convention: Literal["year_end", "half_year"] = Field(
        default="year_end", description="When in a year its amounts fall; those of year 0 always fall now."
    )

    @property
    def bands(self) -> Bands:
        """Last year and rate of each band; None is for ever."""
        raise NotImplementedError

    @property
    def health_bands(self) -> Bands:
        """The same for health."""
        return self.bands

    @property
    def reading(self) -> Literal["chained", "whole_period"]:
        """Whether a later rate holds for the later years only, or for the whole time until then."""
        return "chained"

    @property
    def words(self) -> str:
        """The rates in a sentence's words."""
        raise NotImplementedError

    def factors(self, last_year: int, *, health: bool = False, shift: float = 0.0) -> Array:
        """Return the factors of the years 0 to ``last_year``, shape (last_year + 1,).

        Parameters
        ----------
        last_year : int
            The horizon.
        health : bool
            Take the rates for health.
        shift : float
            Added to every rate: 0.01 is one percentage point.
        """
        bands = self.health_bands if health else self.bands
        years = np.arange(last_year + 1)
        times = years if self.convention == "year_end" else np.maximum(years - 0.5, 0.0)
        return discount_factors(times, bands, chained=self.reading == "chained", shift=shift)


class DanishMinistry(_Rates):
    """The Danish Ministry of Finance (2021, 2023): 3.5% to year 35, 2.5% to year 70, 1.5% after."""

    type: Literal["danish"]
    years_36_on: Literal["chained", "whole_period"] = Field(
        default="chained",
        description="chained: 2.5% holds for the years after 35 only, so that the factor never rises. whole_period: an "
        "amount in year 36 is discounted at 2.5% all the way, which the ministry's wording also admits.",
    )

    @property
    def bands(self) -> Bands:
        return DANISH

    @property
    def reading(self) -> Literal["chained", "whole_period"]:
        return self.years_36_on

    @property
    def words(self) -> str:
        how = "each rate in its own years" if self.reading == "chained" else "each rate for the whole time until then"
        return f"3.5% to year 35, 2.5% to year 70 and 1.5% after (Danish Ministry of Finance; {how})"


class GreenBook(_Rates):
    """HM Treasury's Green Book (2022): from 3.5% to year 30 down to 1% after year 300; health from 1.5%."""

    type: Literal["green_book"]

    @property
    def bands(self) -> Bands:
        return GREEN_BOOK

    @property
    def health_bands(self) -> Bands:
        return GREEN_BOOK_HEALTH

    @property
    def words(self) -> str:
        return "3.5% to year 30, 3% to year 75 and less after (HM Treasury, Green Book); health from 1.5%"


class ConstantRate(_Rates):
    """One rate for all years."""

    type: Literal["constant"]
    rate: float = Field(ge=0, lt=1, allow_inf_nan=False, description="0.03 for 3 per cent.")

    @property
    def bands(self) -> Bands:
        return ((None, self.rate),)

    @property
    def words(self) -> str:
        return f"{100 * self.rate:g}% in every year"


class Band(Specification):
    """One rate of one's own table."""

    last_year: int | None = Field(default=None, ge=1, description="The last year of this rate; left out: for ever.")
    rate: float = Field(ge=0, lt=1, allow_inf_nan=False)


class OwnTable(_Rates):
    """One's own table of rates."""

    type: Literal["table"]
    rates: tuple[Band, ...] = Field(min_length=1)
    source: str = Field(min_length=1)

    @field_validator("rates")
    @classmethod
    def _in_order(cls, rates: tuple[Band, ...]) -> tuple[Band, ...]:
        ends = [band.last_year for band in rates]
        if ends[-1] is not None or None in ends[:-1]:
            raise ValueError("The last rate, and only that, has no last_year: it holds for ever.")
        years = [end for end in ends if end is not None]
        if years != sorted(set(years)):
            raise ValueError("The rates do not stand in the order of their years.")
        return rates

    @property
    def bands(self) -> Bands:
        return tuple((band.last_year, band.rate) for band in self.rates)

    @property
    def words(self) -> str:
        parts = [
            f"{100 * band.rate:g}%" + ("" if band.last_year is None else f" to year {band.last_year}")
            for band in self.rates
        ]
        return f"{', '.join(parts)} ({self.source})"


Discounting = Annotated[DanishMinistry | GreenBook | ConstantRate | OwnTable, Field(discriminator="type")]


def discount_factors(
    times: Array | NDArray[np.int_], bands: Bands, *, chained: bool = True, shift: float = 0.0
) -> Array:
    """Return what one unit at each time is worth now; shape as given.

    Parameters
    ----------
    times : ndarray
        Years from now, 0 or more; may be fractions.
    bands : tuple of (int or None, float)
        Last year and rate of each band, in order.
    chained : bool
        True: each rate in its own years. False: the rate of the band in which an amount falls, for the whole time.
    shift : float
        Added to every rate.
    """
    when = np.asarray(times, dtype=np.float64)
    logs = np.zeros_like(when)
    begins = 0.0
    for last, rate in bands:
        ends = np.inf if last is None else float(last)
        growth = np.log1p(rate + shift)
        if chained:
            logs -= growth * np.clip(np.minimum(when, ends) - begins, 0.0, None)
        else:
            logs = np.where((when > begins) & (when <= ends), -growth * when, logs)
        begins = ends
    result: Array = np.exp(logs)
    return result


def distributional_weight(income: float, median_income: float, elasticity: float = 1.3) -> float:
    """Return how much an extra unit of money counts for somebody with this income: (median / income) to the elasticity.

    Parameters
    ----------
    income, median_income : float
        Above 0, in the same currency and prices.
    elasticity : float
        Of the marginal utility of income.
    """
    return float((median_income / income) ** elasticity)
