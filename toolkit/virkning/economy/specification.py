"""What ``economy.yml`` can say: who is concerned, what the programme costs, and what each effect is worth to whom."""

from __future__ import annotations

from math import inf
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ..data import TableSource
from ..specification import Specification
from .discounting import ConstantRate, Discounting
from .persistence import Constant, Persistence

Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Year = Annotated[int, Field(ge=1900, le=2200)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
Grade = Literal["A", "B", "C", "D"]
Every = Literal["year", "half_year", "quarter", "month", "week", "once"]

GRADES = {
    "A": "an official or audited figure for these people and this place",
    "B": "an official figure for similar people or another place",
    "C": "an estimate from a study",
    "D": "an assumption",
}
TIMES_A_YEAR = {"year": 1.0, "half_year": 2.0, "quarter": 4.0, "month": 12.0, "week": 52.0, "once": 1.0}


class Uncertain(Specification):
    """Anything with a range: how low and how high it could be."""

    low: float | None = Field(default=None, allow_inf_nan=False, description="As low as it could be.")
    high: float | None = Field(default=None, allow_inf_nan=False, description="As high as it could be.")
    shape: Literal["triangular", "uniform"] = Field(
        default="triangular", description="triangular: the value is the likeliest; uniform: all between are as likely."
    )

    def check_range(self, value: float, what: str, smallest: float = -inf, largest: float = inf) -> None:
        """Refuse half a range, and a range that leaves the value out.

        Parameters
        ----------
        value : float
            What lies inside.
        what : str
            How messages call it.
        smallest, largest : float
            No range reaches beyond.
        """
        if (self.low is None) != (self.high is None):
            raise ValueError(f"The range of {what} has one end only: say low and high, or neither.")
        if self.low is None or self.high is None:
            return
        if not self.low <= value <= self.high:
            raise ValueError(f"The range of {what} does not hold the value itself: low <= value <= high.")
        if self.low < smallest or self.high > largest:
            raise ValueError(f"The range of {what} reaches below {smallest:g} or above {largest:g}.")


class Party(Specification):
    """Somebody who pays or gains: a municipality, the state, the participants, others."""

    label: str = Field(min_length=1, description="Name in a sentence, such as «the municipality».")
    kind: Literal["public", "participant", "other"] = Field(
        description="public: its accounts are the budget; participant: those on the programme; other: everybody else."
    )
    income: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Typical yearly income, in the economy's currency and prices, for distributional weights.",
    )


class Passed(Specification):
    """A share of a stream that is passed on to another party: a reimbursement, or a tax."""

    party: str = Field(description="Who takes over the share: the state that reimburses, or that gets the tax.")
    share: Share | tuple[Share, ...] = Field(
        description="0 to 1; or one share for each year since the stream began, of which the last holds on."
    )
    of: str | None = Field(
        default=None, description="Whose stream; by default the party that gains (of a cost: the payer)."
    )
    source: str = Field(default="", description="The law or statistic that says so.")


class Price(Uncertain):
    """What one unit of an outcome is worth, with its source."""

    label: str = Field(min_length=1)
    value: Money
    per: str = Field(min_length=1, description="The outcome's unit, written as the outcome writes it: «months».")
    every: Every = Field(
        description="How long one unit lasts for this value: 12,000 per month of work is «month»; for an outcome that "
        "is counted anew in each half-year, such as months of work in it, «half_year»; once: no repetition."
    )
    currency: Currency
    price_year: Year
    source: str = Field(min_length=1, description="Where the figure comes from.")
    grade: Grade = Field(description="; ".join(f"{letter}: {words}" for letter, words in GRADES.items()))
    covers: tuple[str, ...] = Field(
        default=(), description="Subjects that this value holds already, so that nothing else may count them."
    )

    @model_validator(mode="after")
    def _range(self) -> Self:
        self.check_range(self.value, "the price", 0.0)
        return self


class OptimismBias(Specification):
    """By how much costs of this kind have turned out higher than planned: cost x (1 + share x (1 - mitigated))."""

    share: float = Field(ge=0, le=10, allow_inf_nan=False, description="0.2 for 20 per cent.")
    mitigated_share: Share = Field(default=0.0, description="Part of it that is under control by now, 0 to 1.")
    source: str = Field(min_length=1)

    @property
    def factor(self) -> float:
        """What the planned cost is multiplied with."""
        return 1 + self.share * (1 - self.mitigated_share)


class Cost(Uncertain):
    """One line of what the programme costs."""

    label: str = Field(min_length=1)
    kind: Literal["start_up", "running", "capital", "volunteer"] = Field(
        description="volunteer: time that nobody pays for; it counts for society and in no budget."
    )
    amount: Money = Field(description="In each of its years; per participant or for the programme as a whole.")
    per: Literal["programme", "participant"]
    currency: Currency
    price_year: Year
    payer: str
    recipient: str | None = Field(
        default=None, description="Who gets the money as a gift, such as a stipend: a transfer, no use of resources."
    )
    year: int = Field(
        default=0, ge=0, description="First year: since the start (0 is now); per participant: since that person began."
    )
    years: int = Field(default=1, ge=1, description="How many years running.")
    optimism_bias: OptimismBias | None = None
    reimbursements: tuple[Passed, ...] = ()
    at_factor_prices: bool = Field(default=False, description="Lifted to market prices in the welfare view.")
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _range(self) -> Self:
        self.check_range(self.amount, "the cost", 0.0)
        return self


class Link(Uncertain):
    """An outcome that nobody measured, and that follows from a measured one."""

    outcome: str = Field(min_length=1, description="The outcome that follows.")
    unit: str = Field(min_length=1)
    change: float = Field(allow_inf_nan=False, description="By how many of its units it rises with one of the other.")
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _range(self) -> Self:
        self.check_range(self.change, "the link")
        return self


class Displacement(Specification):
    """Jobs that others lose because a participant got one."""

    share: Share
    party: str = Field(description="Who those others are.")
    source: str = Field(min_length=1)


class Consequence(Uncertain):
    """What one outcome's effect means in money, to whom and for how long."""

    label: str = Field(min_length=1)
    outcome: str = Field(description="Measure whose effect is valued.")
    subject: Name = Field(description="What is valued: earnings, income_support, health. Each is counted once.")
    price: str = Field(description="Name of a price: under «prices», in the programme's own file, or in the library.")
    gains: str | None = Field(default=None, description="Who gains when the outcome rises by one unit.")
    loses: str | None = Field(default=None, description="Who loses then; with «gains» it is a transfer.")
    start_year: int = Field(default=0, ge=0, description="Years from a person's start until the effect begins.")
    duration_years: float = Field(gt=0, allow_inf_nan=False, description="How long it lasts.")
    duration_low: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    duration_high: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    persistence: Persistence = Constant(type="constant")
    probability: Share = Field(default=1.0, description="That the consequence follows; low and high are its range.")
    link: Link | None = None
    taxes: tuple[Passed, ...] = ()
    reimbursements: tuple[Passed, ...] = ()
    displacement: Displacement | None = None
    deadweight_share: Share = Field(
        default=0.0, description="What would have happened anyway; only for designs without a comparison group."
    )
    attribution_share: Share = Field(
        default=0.0, description="What others brought about; only for designs without a comparison group."
    )
    is_cash: bool = Field(default=True, description="Whether accounts show it; well-being, health and time are not.")
    is_health: bool = Field(default=False, description="Discounted as health, where the table has its own rates.")
    at_factor_prices: bool = Field(default=False, description="Lifted to market prices in the welfare view.")
    note: str = Field(default="", description="Why these years and this persistence; a source.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.check_range(self.probability, "the probability", 0.0, 1.0)
        ends = (self.duration_low, self.duration_high)
        if (ends[0] is None) != (ends[1] is None):
            raise ValueError("The range of the duration has one end only: say duration_low and duration_high.")
        if ends[0] is not None and ends[1] is not None and not ends[0] <= self.duration_years <= ends[1]:
            raise ValueError("The range of the duration does not hold duration_years itself.")
        if self.gains is None and self.loses is None:
            raise ValueError("Say who gains, or who loses, when the outcome rises by one unit.")
        if self.gains == self.loses:
            raise ValueError("The same party gains and loses: nothing changes hands.")
        return self


class PriceIndex(Specification):
    """A named price index, to bring every amount to one price year."""

    name: str = Field(min_length=1, description="Such as «Consumer price index, all items, Statistics Denmark».")
    source: str = Field(min_length=1)
    values: dict[Year, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(min_length=1)


class Scenario(Specification):
    """Other assumptions, all at once."""

    label: str = Field(min_length=1)
    changes: dict[str, Any] = Field(
        min_length=1, description="Dotted paths in economy.yml and the values there: discounting.rate: 0.01"
    )


class Welfare(Specification):
    """What holds in the welfare view only."""

    market_price_factor: float = Field(
        default=1.0,
        ge=1,
        le=2,
        description="Lifts lines «at_factor_prices» to market prices; the Danish Ministry of Finance uses 1.28 (2023).",
    )
    tax_distortion_share: float = Field(
        default=0.0,
        ge=0,
        le=2,
        description="Loss to society per unit of net public cost; 0 in the Danish guide of 2023 and the Green Book of "
        "2026, 0.2 in the Green Book of 2022.",
    )
    median_income: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    elasticity: float = Field(
        default=1.3, ge=0, le=5, description="Of marginal utility: the weight is (median / income) to this power."
    )


class People(Specification):
    """Who starts, and when; who gets through."""

    intake: dict[Annotated[int, Field(ge=0)], Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        min_length=1,
        description="People who start, by year; 0 is now. Those on whom the effect was estimated: all offered.",
    )
    completers: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="Of them, who get through.")

    @property
    def participants(self) -> float:
        """All who start."""
        return sum(self.intake.values())

    @model_validator(mode="after")
    def _completers(self) -> Self:
        if self.completers is not None and self.completers > self.participants:
            raise ValueError("More people complete the programme than start it.")
        return self


class EconomySpecification(Specification):
    """Everything that ``economy.yml`` can say."""

    currency: Currency
    price_year: Year = Field(description="Every result is in prices of this year.")
    start_year: Year = Field(description="The calendar year of year 0.")
    horizon_years: int = Field(ge=1, le=300, description="The last year that counts; year 0 is now.")
    people: People
    parties: dict[Name, Party] = Field(min_length=1)
    discounting: Discounting = Field(default=ConstantRate(type="constant", rate=0.035))
    index: PriceIndex | None = None
    prices: dict[Name, Price] = Field(default={}, description="Own prices; each replaces the library's line.")
    price_library: TableSource | None = Field(default=None, description="The programme's own file of prices.")
    costs: dict[Name, Cost] = {}
    costs_table: TableSource | None = Field(default=None, description="A file of costs, besides those written here.")
    consequences: dict[Name, Consequence] = {}
    welfare: Welfare = Welfare()
    scenarios: dict[Name, Scenario] = {}
    not_valued: dict[str, str] = Field(
        default={}, description="What matters and has no price here, and why: {self_esteem: no source}."
    )
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Level of the intervals.")
