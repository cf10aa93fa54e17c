"""Numbers and dates as readers of a language write them; lists and plurals for sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from babel.numbers import format_decimal

Code = Literal["en", "da"]
MINUS = "\N{MINUS SIGN}"


def number(value: float, digits: int = 0, language: Code = "en", *, signed: bool = False) -> str:
    """Return a number with the language's separators and a true minus sign.

    >>> number(-1794.342, 0)
    '−1,794'
    >>> number(1794.342, 1, "da")
    '1.794,3'
    """
    rounded = round(float(value), digits) + 0.0
    if math.isclose(rounded, 0.0, abs_tol=10 ** (-digits - 6)):
        rounded = 0.0
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    text = format_decimal(abs(rounded), format=pattern, locale=language)
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return sign + text


def digits_for(kind: str, value: float = 0.0) -> int:
    """Return how many decimals a reader needs: none for large amounts, one for shares, up to two else."""
    if kind == "share":
        return 1
    size = abs(value)
    return 0 if size >= 100 else 1 if size >= 10 else 2


def p_value(value: float, language: Code = "en") -> str:
    """Return a p-value with three decimals, never as zero.

    >>> p_value(0.00001)
    '< 0.001'
    """
    return "< " + number(0.001, 3, language) if value < 0.001 else number(value, 3, language)


def join(items: Sequence[str], word: str = "and") -> str:
    """Return the items as a list in a sentence.

    >>> join(["what", "why", "how"])
    'what, why and how'
    """
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + f" {word} {items[-1]}"


def plural(n: int, one: str, many: str) -> str:
    """Return the number with the noun in its right form."""
    return f"{number(n)} {one if n == 1 else many}"
