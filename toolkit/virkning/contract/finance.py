"""Who puts money in, on which dates, and in which order it flows back: the terms of the waterfall."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from ..money import Amount, Currency, Day, Number, Share
from ..specification import Specification


class Drawdown(Specification):
    """Money that an investor pays in on a date."""

    tranche: str = Field(description="The tranche that it belongs to.")
    on: Day
    amount: Amount = Field(description="In the investor's currency.")
    to: str = Field(description="The party that receives it.")
    source: str = Field(min_length=1, description="Where date and amount come from.")


class Tranche(Specification):
    """What one investor lent or paid in under the same terms."""

    investor: str
    rate: Number = Field(ge=0, le=1, description="Interest a year as a share; 0 for none.")
    interest: Literal["simple", "compound", "none"] = Field(
        description="On the principal outstanding, by days ÷ 365; compound: unpaid interest bears interest."
    )


class Fee(Specification):
    """A party is paid a fixed amount out of every payment, first come."""

    type: Literal["fee"]
    name: str = Field(min_length=1)
    to: str
    amount: Amount = Field(description="On each payment date.")
    most: Amount | None = Field(default=None, description="Over the whole contract.")


class Recycling(Specification):
    """Early payments go back into delivery, so that investors need to pay in less."""

    type: Literal["recycling"]
    name: str = Field(min_length=1)
    to: str = Field(description="The party that delivers.")
    share: Share = Field(description="Of what is left at this step.")
    until: Day = Field(description="Last payment date on which it happens.")
    most: Amount | None = Field(default=None, description="Over the whole contract.")


class RepayTranche(Specification):
    """A tranche is repaid; who stands earlier in the list is senior."""

    type: Literal["tranche"]
    tranche: str
    first: Literal["interest", "principal"] = Field(description="What is paid first.")


class UpToReturn(Specification):
    """An investor is paid until the money paid in has earned a return; what is above goes on down the list."""

    type: Literal["up_to_return"]
    name: str = Field(min_length=1)
    investor: str
    rate: Number = Field(ge=0, le=10, description="Internal rate of return a year, as a share, on the dated flows.")


class Bonus(Specification):
    """A share of what is left."""

    type: Literal["bonus"]
    name: str = Field(min_length=1)
    to: str
    share: Share
    most: Amount | None = Field(default=None, description="Over the whole contract.")


class Residual(Specification):
    """Everything that is left, in shares; always the last step."""

    type: Literal["residual"]
    shares: dict[str, Share] = Field(min_length=1, description="Party: share; together 1.")
    remainder_to: str = Field(description="Who gets what is left after rounding the shares down.")


WaterfallStep = Annotated[Fee | Recycling | RepayTranche | UpToReturn | Bonus | Residual, Field(discriminator="type")]


class Guarantee(Specification):
    """Somebody bears the first loss: principal that is still missing on a date is paid, up to an amount."""

    guarantor: str
    tranches: tuple[str, ...] = Field(min_length=1, description="Whose principal it covers, in this order.")
    share: Share = Field(description="Of the missing principal.")
    most: Amount
    on: Day = Field(description="The date on which it is called; payments after it do not undo it.")


class ExchangeRate(Specification):
    """What one unit of a currency cost on a date."""

    currency: Currency
    on: Day
    rate: Annotated[Number, Field(gt=Decimal(0))] = Field(description="In the contract's currency.")
    source: str = Field(min_length=1)


class Waterfall(Specification):
    """How payments flow to the parties, and what was paid in before."""

    account: str = Field(description="The party that receives the payments and passes them on.")
    tranches: dict[str, Tranche] = {}
    drawdowns: tuple[Drawdown, ...] = Field(default=(), description="Needed for every return.")
    steps: tuple[WaterfallStep, ...] = Field(min_length=1, description="From the first paid to the last.")
    guarantees: tuple[Guarantee, ...] = ()
    exchange_rates: tuple[ExchangeRate, ...] = ()
