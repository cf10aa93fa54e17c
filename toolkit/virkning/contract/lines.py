"""A line on its way from the priced result to each payer's part, with everything that happens to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from ..money import ZERO
from .figures import Figure


@dataclass(frozen=True)
class Entry:
    """One row of the ledger: what was done to a line, by which term, and the amount before and after."""

    kind: str
    term: str
    rule: str
    before: Decimal | None
    after: Decimal | None
    payer: str = ""


@dataclass
class Part:
    """A line, or from the split on one payer's part of it.

    Attributes
    ----------
    figure : Figure
        The result.
    payable_on : date
        When it is paid.
    amount : Decimal or None
        What is left of it so far; None while the price is not public.
    payer : str
        Empty before the split.
    persons : list of (str, Decimal)
        Each claim's amount, as long as claims are known.
    entries : list of Entry
        What happened, in order; parts of one line share it.
    """

    figure: Figure
    payable_on: date
    amount: Decimal | None
    payer: str = ""
    persons: list[tuple[str, Decimal]] = field(default_factory=list, repr=False)
    entries: list[Entry] = field(default_factory=list)

    @property
    def known(self) -> Decimal:
        """The amount, 0 where the price is not public."""
        return ZERO if self.amount is None else self.amount

    def becomes(self, amount: Decimal, kind: str, term: str, rule: str) -> None:
        """Change the amount, and write down why."""
        if self.amount is not None:
            self.entries.append(Entry(kind, term, rule, self.amount, amount, self.payer))
            self.amount = amount
