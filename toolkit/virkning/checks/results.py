"""What a check returns: a verdict with its reason, a sentence, a table and the numbers of its figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

import pandas as pd
from pydantic import Field, model_validator

from .. import language
from ..designs.findings import Drawing
from ..disclosure import Column, Table
from ..errors import UsageError, did_you_mean
from ..estimates import Snapshot
from ..specification import Specification

_VERDICTS = {True: "no concern", False: "concern", None: "for information"}
OFFERED, COMPARISON = "Offered the programme", "Comparison group"


class SampleRule(Specification):
    """Which persons a sample keeps: those whose value lies between limits, or equals one."""

    column: str = Field(min_length=1, description="Column of participants.")
    at_least: float | None = Field(default=None, allow_inf_nan=False, description="Smallest value that is kept.")
    at_most: float | None = Field(default=None, allow_inf_nan=False, description="Largest value that is kept.")
    equals: bool | float | str | None = Field(default=None, description="The only value that is kept.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> SampleRule:
        limits = (self.at_least, self.at_most)
        if (self.equals is None) == (limits == (None, None)):
            raise ValueError("name at_least, at_most or both, or equals alone")
        return self


class Specifications(Specification):
    """Choices of the analyst that are all tried, under ``checks.specifications`` in ``programme.yml``."""

    covariates: dict[str, tuple[str, ...]] = Field(
        default={}, description="Other sets of covariates, by a name that the book prints."
    )
    samples: dict[str, SampleRule] = Field(
        default={}, description="Parts of the participants, by a name that the book prints."
    )


class CheckSettings(Specification):
    """Which checks are made, and their limits, under ``checks`` in ``programme.yml``."""

    add: tuple[str, ...] = Field(default=(), description="Checks to make beside those that belong to the design.")
    omit: dict[str, str] = Field(
        default={}, description="Checks to leave out, each with the reason; the book prints both."
    )

    balance_threshold: float = Field(
        default=0.1,
        gt=0,
        description="Largest difference between the groups that needs no comment, in standard deviations.",
    )
    attrition_threshold: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Largest difference between the groups in the share without an outcome, 0 to 1.",
    )
    permutations: int = Field(
        default=10_000, ge=100, description="Number of random assignments when not all are tried."
    )
    power: float = Field(
        default=0.8, gt=0.05, lt=1, description="Chance with which the minimum detectable effect is found, 0 to 1."
    )
    trend_sensitivity_magnitudes: tuple[float, ...] = Field(
        default=(0.5, 1.0, 1.5, 2.0),
        description="How many times as large as the largest step before the start the groups may move apart per "
        "period after it.",
    )
    trend_sensitivity_bends: tuple[float, ...] = Field(
        default=(),
        description="Largest change of slope from one period to the next, in the outcome's unit; by default 0, 0.5, 1 "
        "and 2 times the largest seen before the start.",
    )
    placebo_in_time_starts: int = Field(default=3, ge=1, le=20, description="Made-up starts that are tried, at most.")
    placebo_outcomes: tuple[str, ...] = Field(
        default=(), description="Declared outcomes that the programme cannot have moved; never the primary one."
    )
    leave_one_out_persons: int = Field(
        default=10,
        ge=5,
        description="Fewest persons that are left out together, so that nobody's outcome can be worked out.",
    )
    leave_one_out_clusters: int = Field(
        default=200, ge=2, description="Clusters that are left out one by one, at most: those with most influence."
    )
    placebo_cutoffs: tuple[float, ...] = Field(
        default=(),
        description="Numbers that decided nothing, in the running variable's unit; by default a third and two thirds "
        "of the way through the persons on each side.",
    )
    donut_widths: tuple[float, ...] = Field(
        default=(),
        description="How far from the cutoff persons are left out, in the running variable's unit; by default 2, 5 "
        "and 10 per cent of the bandwidth.",
    )
    benchmark_covariates: tuple[str, ...] = Field(
        default=(),
        description="Measured traits that hidden confounding is compared with; left out, all covariates of the design.",
    )
    overlap_outside: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Largest share of those offered the programme whom nobody in the comparison group is like, 0 to 1.",
    )
    overlap_heaviest: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Largest share of the comparison group's weight that its heaviest tenth may carry, 0 to 1.",
    )
    missing_data_imputations: int = Field(
        default=20, ge=2, le=1_000, description="How many times missing values are filled in."
    )
    several_outcomes_draws: int = Field(
        default=9_999, ge=99, le=1_000_000, description="Random draws behind p-values adjusted for several outcomes."
    )
    specifications: Specifications = Field(
        default_factory=Specifications,
        description="Other covariates and samples that are tried, with every declared alternative.",
    )
    spillover: str = Field(
        default="", description="Why one person's programme did, or did not, reach others: a sentence for the book."
    )
    spillover_exposure: str | None = Field(
        default=None,
        description="Column of participants that says how near each was to the programme: a distance, or a share.",
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class CheckResult:
    """One check.

    Attributes
    ----------
    name, title, question : str
        Short name, heading, and the question that the reader has.
    passed : bool or None
        True or False; None when the check informs without judging, or cannot be made.
    reason : str
        Why, in a sentence.
    sentence : str
        What was found, in words that are safe to publish: no number in it rests on few persons.
    table : Table
        The numbers; to be cleared before it is printed.
    explanation : str
        What the check does, for a reader who meets it for the first time: MyST Markdown, may cite.
    drawing : Drawing or None
        How the table is drawn; a table alone when left out.
    chart : DataFrame or None
        What a figure needs beyond the table; describes no persons. Reading it gives a copy.
    numbers : mapping of str to float
        Results by name, for later stages; not for printing.
    """

    name: str
    title: str
    question: str
    passed: bool | None
    reason: str
    sentence: str
    table: Table = field(repr=False)
    drawing: Drawing | None = None
    chart: pd.DataFrame | None = cast("pd.DataFrame | None", Snapshot())
    explanation: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))


class Checks(Mapping[str, CheckResult]):
    """The checks of one result by name, in the order in which a reader needs them; immutable."""

    def __init__(
        self, results: Iterator[CheckResult] | list[CheckResult], *, omitted: Mapping[str, str] | None = None
    ) -> None:
        self._results = MappingProxyType({result.name: result for result in results})
        self._omitted = MappingProxyType(dict(omitted or {}))

    def __getitem__(self, name: str) -> CheckResult:
        try:
            return self._results[name]
        except KeyError:
            raise UsageError(
                "usage.unknown_check",
                f"There is no check «{name}».",
                where="checks",
                do=did_you_mean(name, self._results),
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._results

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return (
            "Checks(" + ", ".join(f"{name}: {_VERDICTS[result.passed]}" for name, result in self._results.items()) + ")"
        )

    def table(self) -> Table:
        """Return one line per check: the verdict and why; those left out stand last, with the reason."""
        rows = [(item.title, _VERDICTS[item.passed], item.reason) for item in self._results.values()]
        rows += [(name.replace("_", " ").capitalize(), "left out", reason) for name, reason in self._omitted.items()]
        columns = (
            Column("check", "Check"),
            Column("verdict", "Verdict"),
            Column("reason", "Why"),
        )
        frame = pd.DataFrame(rows, columns=[column.name for column in columns])
        return Table(name="checks", title="The checks in one view", columns=columns, frame=frame)

    @property
    def omitted(self) -> Mapping[str, str]:
        """Name and reason of each check that the programme left out."""
        return self._omitted

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that did not pass."""
        return tuple(result for result in self._results.values() if result.passed is False)


def percent(share: float) -> str:
    """Return a share as a percentage in words, never as zero when it is not.

    >>> percent(0.8), percent(0.00437), percent(0.0001)
    ('80%', '0.4%', 'less than 0.1%')
    """
    value = share * 100
    if 0 < value < 0.1:
        return f"less than {language.number(0.1, 1)}%"
    return f"{language.number(value, 0 if value >= 10 or round(value, 1) == round(value) else 1)}%"
