"""Settlements beside what others have published about the same contract."""

from __future__ import annotations

from decimal import Decimal

from ...errors import EstimationError
from ...money import in_words, parse
from ..exhibit import Exhibit, prose


def reproduces(amount: Decimal, published: str, currency: str, *, source: str, what: str = "payment") -> Exhibit:
    """Return a sentence that holds a settled amount against a published one.

    Parameters
    ----------
    amount : Decimal
        What was settled.
    published : str
        The amount as printed, such as ``"3913932.96"``; as many decimals count as it has.
    currency : str
    source : str
        Citation key.
    what : str
        What the amount is.

    Raises
    ------
    EstimationError
        The amounts differ in a printed digit: a book that claims to reproduce must not be published then.
    """
    printed = parse(published)
    exponent = printed.as_tuple().exponent
    if round(amount, -exponent if isinstance(exponent, int) else 0) != printed:
        raise EstimationError(
            "estimation.not_reproduced",
            "The published amount is not reproduced to its printed digits.",
            where=f"{what}, {source}",
            why="The book says that it reproduces this settlement.",
            do="Compare prices, results and limits with the publication.",
        )
    return prose(
        f"reproduces-{what.replace(' ', '-')}",
        f"Published by {{cite:t}}`{source}`: {what} **{in_words(printed, currency)} {currency}**. "
        f"Settled here: **{in_words(amount, currency)} {currency}**. They agree to every printed digit.",
    )
