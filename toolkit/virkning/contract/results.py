"""Results to settle: audited figures and people's claims from a file, or effects from the programme's own run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from ..data import TableSchema, TableSource, load_schema
from ..data.read import broken_rules, read_cells
from ..data.validation import conform
from ..errors import DataError, Problem
from ..estimates import Estimate, Estimates
from ..money import exact, json_value
from .measures import EffectResult, EstimatedByRun
from .terms import Contract, Metric

FILE = "results.csv"
ACCEPTED = "accepted"


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """One result as it was handed in; the columns are those of ``data_schemas/results.json``."""

    result_id: str
    metric: str
    period: str
    value: Decimal
    cohort: str = ""
    group: str = ""
    person_id: str = field(default="", repr=False)
    comparison: Decimal | None = None
    binary_share: Decimal | None = None
    comparison_binary_share: Decimal | None = None
    n_people: int | None = None
    matched_share: Decimal | None = None
    evidence: str = ACCEPTED
    accepted_on: date | None = None
    standing: str
    source: str
    restates: str = ""
    is_estimate: bool = False


@dataclass(frozen=True, repr=False)
class Results:
    """All results of a contract; immutable. Its text shows counts only, never a person's row.

    Raises
    ------
    DataError
        Two rows have the same ``result_id``.
    """

    rows: tuple[ResultRow, ...]
    name: str = "results"

    def __post_init__(self) -> None:
        repeated = len(self.rows) - len({row.result_id for row in self.rows})
        if repeated:
            problem = Problem("results", "result_id", "value stands more than once", repeated)
            raise broken_rules([problem], self.name)

    def __repr__(self) -> str:
        return f"Results({len(self.rows)} rows of {len({row.metric for row in self.rows})} metrics)"

    @classmethod
    def read(cls, file: str | Path) -> Results:
        """Return the results of a file.

        Parameters
        ----------
        file : str or Path
            A CSV file with the columns of ``virkning schema results``; optional ones may be left out. Excel keeps
            numbers in binary, so its cells must be text.

        Raises
        ------
        DataError
            The file cannot be read or breaks its schema; every broken rule with its number of rows.
        """
        path = Path(file)
        schema = load_schema("results")
        raw = read_cells(path.parent, TableSource(path=path.name), schema, "results")
        return cls(_typed(raw, schema, path.name), path.name)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], name: str = "results") -> Results:
        """Return results from plain values: text, whole numbers, decimals and dates.

        Raises
        ------
        DataError
            A number is binary, or a row breaks the schema.
        """
        written = [{key: _as_text(value, key) for key, value in row.items()} for row in rows]
        return cls(_typed(pd.DataFrame(written), load_schema("results"), name), name)

    def with_rows(self, rows: Iterable[ResultRow]) -> Results:
        """Return the results with further rows at the end."""
        return replace(self, rows=(*self.rows, *rows))


def _as_text(value: Any, column: str) -> str | None:
    if isinstance(value, float):
        raise DataError(
            "contract.binary_number",
            f"The column «{column}» holds a binary number.",
            where="results",
            why="Its written digits cannot be won back, and money is settled to the last cent.",
            do="Give it as text or decimal.Decimal.",
        )
    return None if value is None else str(json_value(value))


def _typed(raw: pd.DataFrame, schema: TableSchema, name: str) -> tuple[ResultRow, ...]:
    """Return the rows, after every rule of the schema was checked; absent optional columns count as empty."""
    if set(map(str, raw.columns)) & set(schema.names):
        for column in schema.fields:
            if column.name not in raw.columns and not schema.is_required(column):
                raw = raw.assign(**{column.name: ""})
    frame, problems = conform(raw, schema, "results")
    if problems:
        raise broken_rules(problems, name, " «virkning schema results» prints the columns.")
    return tuple(_row(values) for values in frame.to_dict("records"))


_DECIMALS = ("value", "comparison", "binary_share", "comparison_binary_share", "matched_share")


def _row(values: dict[Any, Any]) -> ResultRow:
    given = {str(key): value for key, value in values.items() if not pd.isna(value)}
    for column in _DECIMALS:
        if column in given:
            given[column] = Decimal(given[column])
    if "n_people" in given:
        given["n_people"] = int(given["n_people"])
    if "accepted_on" in given:
        given["accepted_on"] = given["accepted_on"].date()
    return ResultRow(**given)


def results_beside(folder: Path) -> Results | None:
    """Return the results that lie in a programme's folder; None where there are none.

    Raises
    ------
    DataError
        The file cannot be read or breaks its schema.
    """
    return Results.read(folder / FILE) if (folder / FILE).is_file() else None


def from_effects(contract: Contract, effects: Estimates) -> Results:
    """Return the results that a run's estimates give to the metrics of type effect.

    Parameters
    ----------
    contract : Contract
        Metrics of other types are left out.
    effects : Estimates
        Of the programme's run.

    Raises
    ------
    DataError
        An estimate is missing, unavailable, or made by another design than the one agreed on.
    """
    with exact():
        return Results(
            tuple(
                _effect_row(name, metric, metric.result, effects)
                for name, metric in contract.metrics.items()
                if isinstance(metric.result, EffectResult)
            ),
            "effects",
        )


def _effect_row(name: str, metric: Metric, result: EffectResult, effects: Estimates) -> ResultRow:
    estimate = effects[result.measure]
    _refuse_other_design(name, metric, estimate)
    effect = estimate.effects
    rows = effect.iloc[:1] if result.term == "headline" else effect[effect["term"] == result.term]
    if len(rows) != 1:
        raise DataError(
            "contract.unknown_term",
            f"The run has {'no' if len(rows) == 0 else 'more than one'} estimate called «{result.term}».",
            where=f"contract.metrics.{name}.result.term",
            why="Another estimate of the same run could pay another amount.",
            do="Known terms: " + "; ".join(dict.fromkeys(effect["term"])) + ".",
        )
    # A binary number is exact too: its decimal digits are kept here and rounded by the metric's own rule.
    value = Decimal.from_float(float(rows["value"].iloc[0]))
    scale = scale_of(name, result, estimate, int(rows["n_treated"].iloc[0]))
    return ResultRow(
        result_id=f"effect on {result.measure}",
        metric=name,
        period=result.period,
        value=value * scale,
        n_people=estimate.n_units,
        standing="derived",
        source=f"this run: {estimate.method.name}, {rows['term'].iloc[0]}, "
        f"data {estimate.provenance.data_checksum[:12]}",
        is_estimate=True,
    )


def scale_of(name: str, result: EffectResult, estimate: Estimate, n_treated: int) -> Decimal:
    """Return what an estimate is multiplied by to become the contract's result, with the sign of what is paid for.

    Parameters
    ----------
    name : str
        The metric, for messages.
    result : EffectResult
    estimate : Estimate
    n_treated : int
        Persons in the programme, for totals.

    Raises
    ------
    DataError
        The comparison group's mean is not above zero, and a relative change was agreed on.
    """
    sign = 1 if result.direction == "increase" else -1
    if result.form != "relative_percent":
        return sign * Decimal({"level": 1, "per_100": 100, "total": n_treated}[result.form])
    if estimate.comparison_mean <= 0:
        raise DataError(
            "contract.zero_comparison",
            "The comparison group's mean is not above zero, so no relative change exists.",
            where=f"contract.metrics.{name}",
            do="Agree on the level, or on the change per 100 people.",
        )
    return sign * Decimal(100) / Decimal.from_float(estimate.comparison_mean)


def _refuse_other_design(name: str, metric: Metric, estimate: Estimate) -> None:
    agreed = metric.counterfactual.design if isinstance(metric.counterfactual, EstimatedByRun) else ""
    if not estimate.is_available:
        raise DataError(
            "contract.no_estimate",
            f"There is no estimate to settle: {estimate.unavailable_reason}",
            where=f"contract.metrics.{name}",
            why="Nothing is paid on a guess.",
            do="Settle the other metrics without it, or repair the evaluation.",
        )
    if estimate.method.chapter != agreed:
        raise DataError(
            "contract.other_design",
            f"The contract agreed on the design «{agreed}»; the run used «{estimate.method.chapter}».",
            where=f"contract.metrics.{name}.counterfactual.design",
            why="Another comparison can give another effect, and another payment.",
            do="Run the agreed design, or amend the contract.",
        )
