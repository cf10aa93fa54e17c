"""What went wrong, where, why it matters and what to do: one family of errors for the whole package.

A message never holds a value that belongs to a person: it names tables, columns, rules and numbers of rows.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


class VirkningError(Exception):
    """Base of every error that the package raises on purpose.

    Parameters
    ----------
    code : str
        Stable name of the mistake, such as ``data.missing_file``; scripts may rely on it.
    what, where, why, do : str
        What happened; the file, the path in it and the column; why it matters; what the reader can do now.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, what: str, *, where: str = "", why: str = "", do: str = "") -> None:
        super().__init__(what)
        self.code, self.what, self.where, self.why, self.do = code, what, where, why, do

    def __str__(self) -> str:
        lines = [self.what]
        for label, text in (("where", self.where), ("why", self.why), ("do", self.do)):
            if text:
                lines.append(f"  {label + ':':<7}{text}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the error as plain values, for ``--json``."""
        return {
            "code": self.code,
            "exit_code": self.exit_code,
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "do": self.do,
        }


class UsageError(VirkningError):
    """The call itself cannot be understood."""

    exit_code = 2


class ProgrammeError(VirkningError):
    """The programme's folder or specification is wrong."""

    exit_code = 10


@dataclass(frozen=True)
class Problem:
    """One rule that the data break: which table and column, which rule, in how many rows."""

    table: str
    column: str
    rule: str
    n_rows: int

    def __str__(self) -> str:
        rows = "" if self.n_rows == 0 else f" ({self.n_rows} row{'' if self.n_rows == 1 else 's'})"
        return f"{self.table}.{self.column}: {self.rule}{rows}" if self.column else f"{self.table}: {self.rule}{rows}"


class DataError(VirkningError):
    """The data cannot be read or break their schema; carries every problem found, not only the first."""

    exit_code = 11

    def __init__(
        self,
        code: str,
        what: str,
        *,
        where: str = "",
        why: str = "",
        do: str = "",
        problems: Iterable[Problem] = (),
    ) -> None:
        super().__init__(code, what, where=where, why=why, do=do)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  - {problem}" for problem in self.problems)])

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "problems": [asdict(problem) for problem in self.problems]}


class DesignError(VirkningError):
    """The design asks for something that the data or the method cannot honour."""

    exit_code = 12


class EstimationError(VirkningError):
    """An estimate could not be computed."""

    exit_code = 13


class DisclosureError(VirkningError):
    """Something would be published that could tell of a single person."""

    exit_code = 14


class BookError(VirkningError):
    """The notebooks or the book could not be made."""

    exit_code = 15


class SweepError(VirkningError):
    """Some runs of a sweep failed, or whoever was to perform them cannot; carries every failure found."""

    exit_code = 16

    def __init__(
        self,
        code: str,
        what: str,
        *,
        where: str = "",
        why: str = "",
        do: str = "",
        failures: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(code, what, where=where, why=why, do=do)
        self.failures = tuple(failures)

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "failures": [dict(failure) for failure in self.failures]}


class VerificationError(VirkningError):
    """A run was made again, and something that it had published came out differently; carries the whole comparison."""

    exit_code = 17

    def __init__(
        self,
        code: str,
        what: str,
        *,
        where: str = "",
        why: str = "",
        do: str = "",
        report: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, what, where=where, why=why, do=do)
        self.report = dict(report or {})

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "report": self.report}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like ``name``, or None when none is close."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return advice that names the nearest known name, or all known names when none is close.

    >>> did_you_mean("confidense", ["confidence", "treatment"])
    'Did you mean «confidence»?'
    """
    names = sorted(known)
    guess = nearest(name, names)
    if guess:
        return f"Did you mean «{guess}»?"
    return "Known names: " + ", ".join(names) + "." if names else ""
