"""``contract.yml``: everything that an outcomes contract says, as one typed document.

What is not written is refused, never assumed: edges, rounding, order of limits, and what happens to a weak sample.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ..errors import ProgrammeError, UsageError
from ..money import Currency, Number, Share
from ..money import Day as Date
from ..specification import Document, Specification, change, read_document, validate
from .finance import Waterfall
from .measures import Counterfactual, EffectResult, Evidence, Instalment, Restatement, Result, ResultRounding, Sample
from .order import Cap, Step
from .pricing import Price

FILE = "contract.yml"
ONE = Decimal(1)
Role = Literal["payer", "investor", "provider", "guarantor", "intermediary", "evaluator", "verifier"]
NAME = r"^[a-z][a-z0-9_]{0,40}$"


class Party(Specification):
    """Somebody who has a part in the contract; one party may have several roles."""

    label: str = Field(min_length=1, description="The name that a reader knows.")
    roles: tuple[Role, ...] = Field(min_length=1)
    currency: Currency | None = Field(
        default=None, description="The currency that the party counts in; by default the contract's."
    )


class Period(Specification):
    """A settlement period: results are settled together, and paid after the evidence's lag."""

    start: Date
    end: Date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("a period ends before it starts")
        return self


class Cohort(Specification):
    """People who started in the same window."""

    label: str = Field(min_length=1)
    start: Date
    end: Date


class Index(Specification):
    """A published index that prices follow."""

    label: str = Field(min_length=1)
    source: str = Field(min_length=1)
    values: dict[int, Number] = Field(min_length=1, description="Calendar year: value.")


class Metric(Specification):
    """One outcome that is paid for: what is counted, against what, at which price, by whom."""

    label: str = Field(min_length=1)
    unit: str = Field(min_length=1, description="Unit of one result, such as people, days or per cent.")
    result: Result
    counterfactual: Counterfactual
    cohorts: Literal["each", "pooled"] | None = Field(
        default=None,
        description="each: every cohort is settled by itself; pooled: the cohorts of a period together, weighted by "
        "their people. Needed where cohorts are declared.",
    )
    window: str = Field(default="", description="How long people are observed, in words.")
    result_rounding: ResultRounding | None = Field(
        default=None,
        description="How the result is rounded before it is priced, or exact. Needed where a price jumps at an edge, "
        "and for estimates.",
    )
    weight: Share | None = Field(default=None, description="The metric's part in the contract: the amount times this.")
    prices: tuple[Price, ...] = Field(min_length=1, description="Versions of the price, oldest first.")
    sample: Sample | None = None
    evidence: Evidence
    instalments: tuple[Instalment, ...] = Field(
        default=(), description="Paid in parts, first to last, shares together 1; left out: everything on one date."
    )
    restatement: Restatement | None = Field(default=None, description="Needed as soon as a result is restated.")
    payers: dict[str, Share] = Field(min_length=1, description="Party: share of this metric's payment; together 1.")
    remainder_to: str | None = Field(
        default=None, description="With several payers: who bears what is left after rounding their shares down."
    )

    @property
    def result_unit(self) -> str:
        """Unit of the result that is priced: per cent where a relative change is."""
        return "per cent" if getattr(self.counterfactual, "form", "") == "relative_percent" else self.unit

    def price_in(self, period: Period) -> Price | None:
        """Return the version of the price in force on a period's first day; None when there is none yet."""
        return next((price for price in reversed(self.prices) if price.since <= period.start), None)


class Contract(Specification):
    """An outcomes contract: payment by results, or a social impact bond where it has a waterfall."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{1,60}$", description="Short name: small letters, digits, - and _.")
    title: str = Field(min_length=1)
    summary: str = Field(default="", description="What is paid for, in one or two sentences.")
    standing: Literal["real", "illustration", "synthetic"] = Field(
        description="real: from a public record; illustration: a real kind with assumed figures; synthetic: made up."
    )
    source: str = Field(min_length=1, description="Where the terms are written.")
    currency: Currency
    parties: dict[str, Party] = Field(min_length=1)
    periods: dict[str, Period] = Field(min_length=1, description="Settlement periods, first to last.")
    cohorts: dict[str, Cohort] = {}
    groups: dict[str, str] = Field(default={}, description="Groups of people with prices of their own: name and label.")
    indexes: dict[str, Index] = {}
    metrics: dict[str, Metric] = Field(min_length=1)
    order: tuple[Step, ...] = Field(
        min_length=1, description="What happens to the priced amounts: caps, floors, rounding, split; in this order."
    )
    waterfall: Waterfall | None = None
    notes: tuple[str, ...] = Field(default=(), description="What a reader of the settlement must know.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        from .consistency import first_problem

        problem = first_problem(self)
        if problem:
            raise ValueError(problem)
        return self

    @classmethod
    def read(cls, place: str | Path, changes: Mapping[str, Any] | None = None) -> Contract:
        """Return the contract of a file or folder.

        Parameters
        ----------
        place : str or Path
            A ``contract.yml``, or the folder in which it stands.
        changes : mapping, optional
            Dotted path to new value, such as ``contract.metrics.employment.weight``.

        Raises
        ------
        ProgrammeError
            There is no such file, or it is not a contract; with line, and what to do.
        UsageError
            A changed path does not exist.
        """
        file = contract_file(place)
        document = read_document(file, file.name, exact=True)
        try:
            return validate(change(document, ContractFile, changes or {}), ContractFile).contract
        except (ProgrammeError, UsageError) as error:
            raise _located(error, document) from None

    def payable_on(self, metric: str, period: str) -> date:
        """Return the date on which a metric's accepted results of a period are payable."""
        return self.periods[period].end + timedelta(days=self.metrics[metric].evidence.lag_days)

    def instalments_of(self, metric: str, period: str) -> list[tuple[Decimal, date]]:
        """Return the parts in which a metric's payment of a period falls due: share and date, first to last."""
        first, parts = self.payable_on(metric, period), self.metrics[metric].instalments
        return [(part.share, _months_later(first, part.after_months)) for part in parts] or [(ONE, first)]

    @property
    def pays_for_effects(self) -> bool:
        """Whether any metric is settled by an effect that the programme's own run estimates."""
        return any(isinstance(metric.result, EffectResult) for metric in self.metrics.values())

    @property
    def several_payers(self) -> bool:
        """Whether any metric's payment is divided."""
        return any(len(metric.payers) > 1 for metric in self.metrics.values())

    def caps(self, scope: str) -> tuple[Cap, ...]:
        """Return the caps of a scope, in their order."""
        return tuple(step for step in self.order if isinstance(step, Cap) and step.scope == scope)

    def index_ratio(self, index: str, base_year: int, year: int) -> Decimal | None:
        """Return index of a year ÷ index of the base year; None when one of them is not listed."""
        values = self.indexes[index].values
        return None if base_year not in values or year not in values else values[year] / values[base_year]


def _months_later(day: date, months: int) -> date:
    """Return the same day of a later month, or that month's last day where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


class ContractFile(Specification):
    """What ``contract.yml`` holds: one key."""

    contract: Contract


def _located(error: ProgrammeError | UsageError, document: Document) -> ProgrammeError | UsageError:
    """Point at the term that does not fit with the others, and at the schema of contracts."""
    error.do = error.do.replace("virkning schema programme", "virkning schema contract")
    found = re.match(r"([A-Za-z][\w.]*): (.*)", error.what, re.DOTALL)
    if found and error.where.endswith("contract"):
        path = found[1][:1].lower() + found[1][1:]
        steps = tuple(int(step) if step.isdigit() else step for step in ("contract", *path.split(".")))
        error.where, error.what = document.where(steps), found[2][:1].upper() + found[2][1:]
    return error


def contract_file(place: str | Path) -> Path:
    """Return the file in which a contract stands.

    Raises
    ------
    ProgrammeError
        There is none.
    """
    path = Path(place)
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise ProgrammeError(
            "contract.missing_file",
            "There is no contract in that place.",
            where=file.name,
            why="Nothing can be settled without its terms.",
            do=f"Name a {FILE}, or the folder in which it stands.",
        )
    return file
