"""Periods are text in the outcomes table; here they are put in order, and what is missing between them is found."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

# «1978», «year 3», «t-2»: the same words, then a whole number.
_NUMBERED = re.compile(r"([^\d+-]*)([+-]?\d+)")
# «2024Q3», «2024-05», «2024M5», «2024 H1»: a year and a part of it.
_PART_OF_YEAR = re.compile(r"(\d{4})([ -]?[QqMmHhSs]|-)(\d{1,2})")
_PARTS = {"Q": 4, "M": 12, "H": 2, "S": 2, "": 12}


class UnorderedPeriodsError(ValueError):
    """The names of the periods do not tell their order."""


@dataclass(frozen=True)
class Timeline:
    """Periods in order.

    Attributes
    ----------
    names : tuple of str
        As they stand in the data, the earliest first.
    missing : tuple of str
        Periods between the first and the last that the data lack.
    declared : bool
        Whether the order was declared; then no distance between periods is known.
    """

    names: tuple[str, ...]
    missing: tuple[str, ...]
    declared: bool

    def position(self, name: str) -> int | None:
        """Return where a period stands: 0 for the first or anything earlier, their number for anything later.

        None when it is not one of a declared order, cannot be read, or lies between two periods.
        """
        if name in self.names:
            return self.names.index(name)
        if self.declared:
            return None
        try:
            numbers, _ = _numbers([*self.names, name])
        except UnorderedPeriodsError:
            return None
        *known, wanted = numbers
        if wanted < known[0]:
            return 0
        return len(known) if wanted > known[-1] else None


def timeline(found: Iterable[str], declared: Sequence[str] = ()) -> Timeline:
    """Return the periods in their order.

    Parameters
    ----------
    found : iterable of str
        The periods in the data, in any order.
    declared : sequence of str
        The order, when the names do not tell it; periods then count as following each other. What the data have beyond
        it is left out.

    Raises
    ------
    UnorderedPeriodsError
        Nothing is declared, and the names are neither numbers, nor the same words with a number, nor parts of years.
    """
    names = set(found)
    if declared:
        return Timeline(
            tuple(each for each in declared if each in names),
            tuple(each for each in declared if each not in names),
            True,
        )
    listed = sorted(names)
    numbers, name_of = _numbers(listed)
    order = sorted(zip(numbers, listed, strict=True))
    step = math.gcd(*(later[0] - earlier[0] for earlier, later in pairwise(order))) if len(order) > 1 else 1
    if len(set(numbers)) < len(numbers):
        raise UnorderedPeriodsError
    lacking = sorted(set(range(order[0][0], order[-1][0] + 1, step)) - set(numbers)) if order else []
    return Timeline(tuple(name for _, name in order), tuple(name_of(number) for number in lacking), False)


def _numbers(names: Sequence[str]) -> tuple[list[int], Callable[[int], str]]:
    """Return the number of each period, and the function that names the period of a number."""
    numbered = [match for name in names if (match := _NUMBERED.fullmatch(name.strip()))]
    if len(numbered) == len(names) and len({match[1] for match in numbered}) <= 1:
        words = numbered[0][1] if numbered else ""
        return [int(match[2]) for match in numbered], lambda number: f"{words}{number}"
    parts = [match for name in names if (match := _PART_OF_YEAR.fullmatch(name.strip()))]
    kinds = {match[2] for match in parts}
    if len(parts) != len(names) or len(kinds) != 1:
        raise UnorderedPeriodsError
    mark = kinds.pop()
    per_year = _PARTS[mark.strip(" -").upper()]
    if not all(1 <= int(match[3]) <= per_year for match in parts):
        raise UnorderedPeriodsError
    width = max(len(match[3]) for match in parts)
    return (
        [int(match[1]) * per_year + int(match[3]) - 1 for match in parts],
        lambda number: f"{number // per_year}{mark}{number % per_year + 1:0{width}d}",
    )
