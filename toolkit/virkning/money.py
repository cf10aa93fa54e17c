"""Money and other exact numbers: decimal as written, never binary, and rounded only where a rule says so.

``0.1 + 0.2`` is 0.3 here. A binary number (``float``) is refused, since the text that somebody wrote cannot be won back
from it. An estimate is binary by nature; the contract says how many of its decimals count.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal

from babel.numbers import get_currency_precision, list_currencies
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from .errors import ProgrammeError, did_you_mean
from .specification import Specification

ZERO = Decimal(0)
Method = Literal["half_up", "half_even", "down", "up"]
_METHODS: dict[str, str] = {
    "half_up": decimal.ROUND_HALF_UP,
    "half_even": decimal.ROUND_HALF_EVEN,
    "down": decimal.ROUND_DOWN,
    "up": decimal.ROUND_UP,
}
_WRITTEN = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?")
# Sixty digits: a product of amount, weight, index and share keeps every digit that can reach a cent.
_CONTEXT = decimal.Context(
    prec=60,
    rounding=decimal.ROUND_HALF_EVEN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.FloatOperation],
)


@contextmanager
def exact() -> Iterator[None]:
    """Compute with sixty digits, and refuse any mixture with binary numbers."""
    with decimal.localcontext(_CONTEXT):
        yield


def parse(value: object) -> Decimal:
    """Return a number exactly as it is written.

    Parameters
    ----------
    value : str, int or Decimal
        Text has digits with at most one decimal point: no separators of thousands, no currency sign, no exponent.

    Raises
    ------
    ValueError
        The value is binary, or not a plainly written number.

    >>> parse("0.1") + parse("0.2")
    Decimal('0.3')
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        kind = "a binary number" if isinstance(value, float) else "not a number"
        raise ValueError(f"an amount is decimal, and this is {kind}; write its digits, such as 15.12")
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("an amount is a finite number")
        return value
    text = str(value).strip()
    if not _WRITTEN.fullmatch(text):
        raise ValueError(
            "this is not a plainly written number; write digits with at most one decimal point, such as 11712000 "
            "or 15.12, without separators, currency signs or words"
        )
    return Decimal(text)


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("a date is written year-month-day, such as 2024-03-31")
    return date.fromisoformat(value)


_NUMBER_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string"}]}
Number = Annotated[Decimal, BeforeValidator(parse), PlainSerializer(str), WithJsonSchema(_NUMBER_SCHEMA)]
"""A decimal number in a specification, such as a result, a weight or a threshold."""
Amount = Annotated[Number, Field(ge=0)]
"""An amount of money in a specification; never negative."""
Share = Annotated[Number, Field(ge=0, le=1)]
"""A share in a specification, 0 to 1, never a percentage."""
Day = Annotated[date, BeforeValidator(_day)]
"""A date in a specification, year-month-day."""


class Rounding(Specification):
    """How a number is rounded."""

    digits: int = Field(ge=-6, le=12, description="Decimals kept; -3 keeps whole thousands.")
    method: Method = Field(description="half_up (0.5 becomes 1), half_even (to the even neighbour), down, or up.")

    def of(self, value: Decimal) -> Decimal:
        """Return a number rounded by this rule.

        >>> Rounding(digits=0, method="half_up").of(Decimal("2.5"))
        Decimal('3')
        """
        # Without «+ 0» a whole-thousands rounding would keep its exponent: 3E+3.
        rounded = value.quantize(Decimal(1).scaleb(-self.digits), rounding=_METHODS[self.method], context=_CONTEXT)
        return rounded if self.digits >= 0 else rounded.quantize(Decimal(1), context=_CONTEXT)

    def in_words(self) -> str:
        """Return the rule as it is read aloud."""
        places = f"{self.digits} decimals" if self.digits >= 0 else f"{10**-self.digits}s"
        return f"rounded to {places}, {self.method.replace('_', ' ')}"


@cache
def currencies() -> frozenset[str]:
    """Return the codes of all currencies (ISO 4217)."""
    return frozenset(list_currencies())


@cache
def digits(currency: str) -> int:
    """Return how many decimals a currency has: 2 for DKK, 0 for JPY."""
    return int(get_currency_precision(currency))


def _currency(value: str) -> str:
    if value not in currencies():
        advice = did_you_mean(value.upper(), currencies()) if len(value) == 3 else "Such as DKK, EUR, GBP or USD."
        raise ValueError(f"«{value}» is not a currency code of three letters (ISO 4217). {advice[:40]}")
    return value


Currency = Annotated[str, BeforeValidator(_currency)]
"""A currency in a specification: its code of three letters."""


@dataclass(frozen=True, order=False)
class Money:
    """An exact amount in one currency.

    Attributes
    ----------
    amount : Decimal
        In whole units of the currency.
    currency : str
        Code of three letters.
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "amount", parse(self.amount))
            _currency(self.currency)
        except ValueError as error:
            raise ProgrammeError("money.invalid", f"This is not an amount of money: {error}.") from None

    def __add__(self, other: Money) -> Money:
        with exact():
            return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        with exact():
            return Money(self.amount - self._same(other), self.currency)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise ProgrammeError(
                "money.currencies",
                f"{self.currency} and {other.currency} cannot be added.",
                why="The sum would depend on a rate that nobody named.",
                do="Convert one of them with a dated rate first.",
            )
        return other.amount

    def rounded(self, rounding: Rounding) -> Money:
        """Return the amount rounded by a rule."""
        return Money(rounding.of(self.amount), self.currency)

    def __str__(self) -> str:
        return f"{in_words(self.amount, self.currency)} {self.currency}"


def in_words(amount: Decimal, currency: str) -> str:
    """Return an amount with separators, in the decimals of its currency or in all that it has.

    >>> in_words(Decimal("3913932.96"), "USD")
    '3,913,932.96'
    """
    exponent = amount.normalize().as_tuple().exponent
    places = max(digits(currency), -exponent if isinstance(exponent, int) else 0)
    return f"{amount:,.{places}f}"


def plain(number: Decimal) -> str:
    """Return a number as text without superfluous zeros or exponent, for rules in words and for files.

    >>> plain(Decimal("6.2500E+3"))
    '6250'
    """
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def percent(share: Decimal) -> str:
    """Return a share as it is read aloud.

    >>> percent(Decimal("0.95"))
    '95%'
    """
    return plain(100 * share) + "%"


def json_value(value: Any) -> Any:
    """Return a value for JSON: decimal numbers and dates as text."""
    if isinstance(value, Decimal):
        return plain(value)
    return value.isoformat() if isinstance(value, date) else value
