"""What happens to the priced amounts, step by step, in the order that the contract writes down."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..money import Amount, Day, Method, Rounding
from ..specification import Specification

Spread = Literal["in_order", "pro_rata"]


class PersonCap(Specification):
    """No person is paid for beyond an amount, over the whole contract; earlier claims come first."""

    type: Literal["person_cap"]
    name: str = Field(min_length=1)
    most: Amount
    metrics: tuple[str, ...] | None = Field(default=None, description="Only these metrics count; by default all.")


class CapVersion(Specification):
    """A cap that is in force from a date on."""

    version: str = Field(min_length=1)
    since: Day = Field(description="First payment date to which it applies.")
    most: Amount


class Cap(Specification):
    """No more is paid than an amount, for each metric, period or payer, or for the contract as a whole."""

    type: Literal["cap"]
    name: str = Field(min_length=1)
    scope: Literal["metric", "period", "payer", "contract"] = Field(
        description="What the cap holds for; a metric's and a payer's cap holds over the whole contract."
    )
    of: str | None = Field(
        default=None, description="The metric, period or payer; left out, the cap holds for each of them by itself."
    )
    most: Amount | tuple[CapVersion, ...] = Field(description="One amount, or versions with dates.")
    spread: Spread = Field(
        description="Who loses when the cap binds: in_order (earlier payments, then the order of the metrics, are "
        "paid in full first), or pro_rata (what falls on one payment date shares what is left)."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if isinstance(self.most, tuple):
            if not self.most:
                raise ValueError("a cap needs an amount")
            if any(one.since >= other.since for one, other in pairwise(self.most)):
                raise ValueError("the versions of a cap must follow each other in time")
        if self.scope == "contract" and self.of is not None:
            raise ValueError("the cap of the contract is not «of» anything")
        return self

    @property
    def largest(self) -> Decimal:
        """The largest amount that any version allows."""
        return self.most if isinstance(self.most, Decimal) else max(version.most for version in self.most)


class Floor(Specification):
    """At least an amount is paid in each settled period, or for the whole contract once its last period is settled."""

    type: Literal["floor"]
    name: str = Field(min_length=1)
    scope: Literal["period", "contract"]
    least: Amount


class Round(Specification):
    """Each line is rounded."""

    type: Literal["round"]
    digits: int = Field(ge=-6, le=6, description="Decimals kept; -3 keeps whole thousands.")
    method: Method

    @property
    def rule(self) -> Rounding:
        """The rule that does it."""
        return Rounding(digits=self.digits, method=self.method)


class Split(Specification):
    """Each line is divided among its payers: shares are rounded down to the currency's decimals, one bears the rest."""

    type: Literal["split"]


Step = Annotated[PersonCap | Cap | Floor | Round | Split, Field(discriminator="type")]
