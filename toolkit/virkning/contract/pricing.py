"""From a result to an amount: every form of price that a contract may name.

Each price is in force from a date. ``None`` as an amount means that the price is not public.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..money import ZERO, Amount, Day, Number, Rounding, Share, plain
from ..specification import Specification
from .measures import Edge

Unpublished = Literal["unpublished"]


class Condition(Specification):
    """Another metric that must reach a threshold, or must not, in the same period."""

    metric: str
    threshold: Number = Field(description="In the other metric's unit, after its counterfactual.")
    at_threshold: Edge = Field(description="Whether a result exactly at the threshold reaches it.")
    must_be: Edge = Field(description="reached, or not_reached («only if A failed»).")

    def holds(self, results: Mapping[str, Decimal]) -> bool:
        """Tell whether the condition holds, given each metric's result in the same period.

        Parameters
        ----------
        results : mapping of str to Decimal
            Holds the other metric; whether it does is checked before.
        """
        return reaches(results[self.metric], self.threshold, self.at_threshold) == (self.must_be == "reached")

    def in_words(self) -> str:
        """Return the condition as part of a sentence."""
        return (
            f"only if {self.metric} {'reaches' if self.must_be == 'reached' else 'does not reach'} "
            f"{plain(self.threshold)} (exactly there: {self.at_threshold.replace('_', ' ')})"
        )


def reaches(value: Decimal, threshold: Decimal, at_threshold: Edge) -> bool:
    """Tell whether a result reaches a threshold.

    Parameters
    ----------
    value, threshold : Decimal
        In the same unit.
    at_threshold : {'reached', 'not_reached'}
        What holds at equality.
    """
    return value > threshold or (value == threshold and at_threshold == "reached")


class Indexation(Specification):
    """The price follows a named index: price × index of the result's year ÷ index of the base year, then rounded."""

    index: str = Field(description="Name under indexes.")
    base_year: int = Field(description="The year whose prices the contract states.")
    rounding: Rounding = Field(description="How the indexed price is rounded.")


class _Price(Specification):
    version: str = Field(min_length=1, description="Name of this version of the price, such as «1» or «amendment 2».")
    since: Day = Field(description="First day of the period's results to which it applies.")
    source: str = Field(min_length=1, description="Where the price is written.")
    standing: Literal["published", "derived", "assumed", "synthetic"] = Field(
        description="published: printed in the source; derived: computed from it; assumed or synthetic: neither."
    )
    only_if: Condition | None = Field(default=None, description="Pays only if another metric also succeeds, or fails.")

    @property
    def is_per_unit(self) -> bool:
        """Whether each claim has an amount of its own."""
        return False


class PerUnit(_Price):
    """Every unit has its price: a rate card has one such line for each outcome."""

    type: Literal["per_unit", "per_day"]
    price: Amount | Unpublished | None = Field(default=None, description="Price of so many units as «units» says.")
    prices_by_group: dict[str, Amount] | None = Field(default=None, description="Instead of price: one for each group.")
    units: Number = Field(default=Decimal(1), gt=0, description="How many units the price is for; usually 1.")
    indexation: Indexation | None = None

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if (self.price is None) == (self.prices_by_group is None):
            raise ValueError("a price per unit has either «price» or «prices_by_group»")
        if self.indexation and self.price == "unpublished":
            raise ValueError("a price that is not published cannot be indexed")
        return self

    @property
    def is_per_unit(self) -> bool:
        return True

    def unit_price(self, group: str, indexed: Decimal = Decimal(1)) -> Decimal | None:
        """Return the price of ``units`` units for a group, after indexation; None when it is not public."""
        price = self.price if self.prices_by_group is None else self.prices_by_group[group]
        if price is None or price == "unpublished":
            return None
        return price if self.indexation is None else self.indexation.rounding.of(price * indexed)


class ShareOfSaving(_Price):
    """A share of what the payer saves: units × saving per unit × share; or of the saving that is itself the result."""

    type: Literal["share_of_saving"]
    share: Share
    saving: Amount | None = Field(
        default=None, description="Saved by so many units as «units» says; left out where the result is the saving."
    )
    units: Number = Field(default=Decimal(1), gt=0)


class AsGiven(_Price):
    """The result is itself an amount in the contract's currency, settled elsewhere; its source stands beside it."""

    type: Literal["as_given"]


class Trigger(_Price):
    """A fixed amount as soon as a threshold is reached."""

    type: Literal["trigger"]
    threshold: Number
    at_threshold: Edge
    amount: Amount | Unpublished


class Tier(Specification):
    """One tier: who reaches it is paid its whole amount."""

    at: Number = Field(description="Where the tier begins.")
    amount: Amount


class Steps(_Price):
    """Step tiers: the whole amount of the highest tier that is reached; nothing below the first."""

    type: Literal["steps"]
    tiers: tuple[Tier, ...] = Field(min_length=1)
    edge_belongs: Literal["above", "below"] = Field(
        description="A result exactly on a tier's edge: above (the tier is reached), or below (it is not)."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _increasing([tier.at for tier in self.tiers])
        if any(one.amount > other.amount for one, other in pairwise(self.tiers)):
            raise ValueError("a higher tier pays less than a lower one; a better result must not pay less")
        return self


class Slice(Specification):
    """One slice: each unit inside it has its price; the last slice has no end."""

    at: Number = Field(ge=0, description="Where the slice begins.")
    price: Amount = Field(description="For each unit inside the slice; 0 ends the payment.")
    only_if: Condition | None = Field(default=None, description="The slice is paid only if another metric succeeds.")


class MarginalTiers(_Price):
    """Marginal tiers: each slice of the result at its own price. Edges need no rule: nothing jumps there."""

    type: Literal["marginal"]
    slices: tuple[Slice, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _increasing([part.at for part in self.slices])
        return self


class Point(Specification):
    """One end of a ramp."""

    result: Number
    amount: Amount


class Ramp(_Price):
    """A straight line between two points; below the lower one nothing, above the upper one its amount."""

    type: Literal["ramp"]
    low: Point
    high: Point
    at_low: Edge = Field(description="Whether a result exactly at the lower point is paid its amount.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low.result >= self.high.result or self.low.amount > self.high.amount:
            raise ValueError("a ramp's upper point must lie to the right of its lower point, and not below it")
        return self


def _increasing(edges: list[Decimal]) -> None:
    if any(one >= other for one, other in pairwise(edges)):
        raise ValueError("the tiers overlap: each must begin above the one before it")


Price = Annotated[
    PerUnit | ShareOfSaving | AsGiven | Trigger | Steps | MarginalTiers | Ramp, Field(discriminator="type")
]
HAS_EDGES = (Trigger, Steps, Ramp)
"""Prices that jump: the rounding of the result before the test must be stated."""


def conditions_of(prices: Sequence[Price]) -> tuple[Condition, ...]:
    """Return every condition on another metric, of the prices and of their slices."""
    return tuple(
        condition
        for price in prices
        for condition in (price.only_if, *(part.only_if for part in getattr(price, "slices", ())))
        if condition is not None
    )


def amount_of(
    price: Price, quantity: Decimal, group: str, indexed: Decimal, results: Mapping[str, Decimal]
) -> Decimal | None:
    """Return what a result is worth before weights and limits; None when the price is not public.

    Parameters
    ----------
    price : Price
        The version in force.
    quantity : Decimal
        The result after its counterfactual and rounding. Below zero nothing is paid.
    group : str
        For prices by group.
    indexed : Decimal
        Index of the result's year ÷ index of the base year.
    results : mapping of str to Decimal
        All metrics' results in the same period, for conditions.
    """
    if price.only_if is not None and not price.only_if.holds(results):
        return ZERO
    good = max(quantity, ZERO)
    match price:
        case PerUnit():
            each = price.unit_price(group, indexed)
            return None if each is None and good > 0 else (each or ZERO) * good / price.units
        case ShareOfSaving():
            # Multiplied first and divided last, so that nothing is lost in thirds.
            return price.share * good * (1 if price.saving is None else price.saving) / price.units
        case AsGiven():
            return good
        case Trigger():
            amount = None if price.amount == "unpublished" else price.amount
            return amount if reaches(quantity, price.threshold, price.at_threshold) else ZERO
        case Steps():
            edge: Edge = "reached" if price.edge_belongs == "above" else "not_reached"
            return max((tier.amount for tier in price.tiers if reaches(quantity, tier.at, edge)), default=ZERO)
        case MarginalTiers():
            return _slices(price, good, results)
        case Ramp():
            return _ramp(price, quantity)


def _slices(price: MarginalTiers, quantity: Decimal, results: Mapping[str, Decimal]) -> Decimal:
    total = ZERO
    ends = [part.at for part in price.slices[1:]]
    for part, end in zip(price.slices, [*ends, None], strict=True):
        inside = (quantity if end is None else min(quantity, end)) - part.at
        if inside > 0 and (part.only_if is None or part.only_if.holds(results)):
            total += inside * part.price
    return total


def _ramp(price: Ramp, quantity: Decimal) -> Decimal:
    low, high = price.low, price.high
    if not reaches(quantity, low.result, price.at_low):
        return ZERO
    if quantity >= high.result:
        return high.amount
    return low.amount + (high.amount - low.amount) * (quantity - low.result) / (high.result - low.result)
