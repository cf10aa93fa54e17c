"""Contracts in the public record: the INDIGO data standard (Government Outcomes Lab, version 4.1), written and read.

The standard holds what a reader of the public record wants to know: outcome metrics, prices, results, payments and
transactions. It cannot hold what a settlement needs; ``LEFT_OUT`` says what. The executable terms stay in
``contract.yml``, and the ids of the metrics are the same in both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import DataError
from ..money import currencies, exact, parse, plain
from ..provenance import write_atomically
from .pricing import PerUnit
from .settlement import Settlement
from .terms import Contract, Metric
from .words import price_in_words

STANDARD = "INDIGO data standard 4.1"
LEFT_OUT = (
    "thresholds and tiers as numbers (in words only)",
    "caps by person, metric, period and payer, and the order of limits",
    "weights, and shares of several payers",
    "the counterfactual's figure, and the estimate with its interval",
    "claims beside persons, and where each claim stands with the verifier",
    "tranches, and the order of the waterfall",
    "INDIGO's ids of organisations, countries and sources: parties stand under our own names",
    "corrections as such: they are payments of their own, and may be negative",
)
# The standard's own words for how outcomes are validated.
VALIDATION = {
    "none": "Simple ex-post verification",
    "fixed_baseline": "Historical comparison",
    "historical_cohort": "Historical comparison",
    "matched_group": "Quasi-experimental study",
    "randomised_control": "Randomised Control Trial",
    "estimated": "Quasi-experimental study",
}
TRANSACTIONS = {"interest": "Interest Payment", "principal": "Capital Repayment", "outcome_payment": "Outcome Payment"}
Values = dict[str, Any]


def to_indigo(settlement: Settlement) -> Values:
    """Return a contract and its settlement as a project of the standard; amounts are decimal.

    Parameters
    ----------
    settlement : Settlement
    """
    contract = settlement.contract
    project: Values = {"name": _value(contract.title), "overall_project_finance": _finance(settlement)}
    project["outcome_metrics"] = [_metric(name, metric) for name, metric in contract.metrics.items()]
    project["outcome_pricings"] = [
        _pricing(contract, name, position)
        for name, metric in contract.metrics.items()
        for position in range(len(metric.prices))
    ]
    project["results"] = list(_results(settlement))
    project["outcome_payments"] = list(_payments(settlement))
    project["transactions"] = list(_transactions(settlement))
    return project


def write_indigo(settlement: Settlement, file: Path) -> None:
    """Write a contract and its settlement as a project of the standard (JSON), with exact amounts.

    Raises
    ------
    VirkningError
        The file cannot be written; what was there before is kept.
    """
    text = json.dumps(
        to_indigo(settlement), indent=2, ensure_ascii=False, default=lambda number: f"\0{plain(number)}\0"
    )
    # JSON's own writer turns decimal numbers into binary ones; their digits are put in as they are.
    write_atomically(file, re.sub(r'"\\u0000(-?[0-9.]+)\\u0000"', r"\1", text) + "\n")


def _value(value: Any) -> Values:
    return {"value": value}


def _money(amount: Decimal, currency: str) -> Values:
    return {"currency": _value(currency), "amount": _value(amount)}


def _period(contract: Contract, name: str) -> Values:
    period = contract.periods[name]
    return {"start_date": _value(period.start.isoformat()), "end_date": _value(period.end.isoformat())}


def _finance(settlement: Settlement) -> Values:
    contract = settlement.contract
    finance: Values = {}
    caps = contract.caps("contract")
    if caps:
        most = min(cap.largest for cap in caps)
        finance["maximum_potential_outcome_payment_v2"] = _money(most, contract.currency)
    if settlement.is_complete:
        finance["total_outcome_payments_made"] = _money(settlement.total.amount, contract.currency)
    if settlement.is_complete and contract.waterfall is not None and contract.waterfall.drawdowns:
        with exact():
            drawn = settlement.waterfall().total("drawdown")
        commitment = {"currency": _value(contract.currency), "amount": {"exact": _value(drawn)}}
        finance["total_investment_commitment"] = commitment
    return {**finance, "notes": contract.source}


def _metric(name: str, metric: Metric) -> Values:
    against = metric.counterfactual
    validation = VALIDATION[against.type]
    if getattr(against, "design", "") == "randomised_trial":
        validation = VALIDATION["randomised_control"]
    definition = f"{metric.label}, counted in {metric.unit}" + (f"; {metric.window}" if metric.window else "")
    return {
        "id": name,
        "definition": _value(definition),
        "outcome_validation_method": _value(validation),
        "data_source_for_outcome_validation": _value("; ".join(metric.evidence.needs)),
    }


def _pricing(contract: Contract, name: str, position: int) -> Values:
    price = contract.metrics[name].prices[position]
    found: Values = {
        "outcome_metric_id": _value(name),
        "currency": _value(contract.currency),
        "price_description": _value(price_in_words(price, contract)),
        "notes": f"Version {price.version}, since {price.since.isoformat()}; {price.standing}: {price.source}",
    }
    # The standard knows prices of one unit only; anything else stands in words, and is not turned into such a price.
    if isinstance(price, PerUnit) and price.units == 1 and isinstance(price.price, Decimal):
        found["price_per_unit"] = {"amount": _value(price.price)}
    if isinstance(price, PerUnit) and price.indexation:
        label = contract.indexes[price.indexation.index].label
        found["contracted_increases_to_outcome_pricing"] = _value(f"Follows the index {label}")
    return found


def _results(settlement: Settlement) -> Iterable[Values]:
    contract, ledger = settlement.contract, settlement.ledger
    last = list(contract.periods)[-1]
    for row in ledger[ledger["kind"] == "result"].to_dict("records"):
        name, period = str(row["metric"]), str(row["period"])
        yield {
            "outcome_metric_id": _value(name),
            "result_level": _value("Outcome level"),
            "result_type": _value("Final" if period == last else "Interim"),
            "period": _period(contract, period),
            "outcomes_achieved": _value(str(row["rule"])),
            "outcomes_validator_organisation_ids": _value(contract.metrics[name].evidence.verifier),
            "notes": str(row["source"]),
        }


def _payments(settlement: Settlement) -> Iterable[Values]:
    contract = settlement.contract
    recipient = contract.waterfall.account if contract.waterfall else ""
    for payment in settlement.payments:
        if payment.amount is None:
            continue
        yield {
            "outcome_metric_id": _value(payment.metric),
            "period": _period(contract, payment.period),
            "payer_organisation_id": _value(payment.payer),
            "recipient_organisation_id": _value(recipient),
            "type": _value("Actual"),
            "money": _money(payment.amount, contract.currency),
            "notes": f"Payable on {payment.payable_on.isoformat()}",
        }


def _transactions(settlement: Settlement) -> Iterable[Values]:
    if not settlement.is_complete or settlement.contract.waterfall is None:
        return
    for flow in settlement.waterfall().flows:
        yield {
            "date": _value(flow.on.isoformat()),
            "sending_organisation_id": _value(flow.payer),
            "receiving_organisation_id": _value(flow.payee),
            "transaction_type": _value(TRANSACTIONS.get(flow.kind, "Other")),
            "money": _money(flow.amount, settlement.contract.currency),
            "notes": flow.kind.replace("_", " "),
        }


# What each list gives: column, path in the standard, and kind of value.
_FIELDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "outcome_metrics": (
        ("id", "id", "text"),
        ("definition", "definition", "text"),
        ("outcome_validation_method", "outcome_validation_method", "text"),
    ),
    "outcome_pricings": (
        ("outcome_metric_id", "outcome_metric_id", "metric"),
        ("currency", "currency", "currency"),
        ("price_per_unit", "price_per_unit.amount", "amount"),
        ("maximum_price", "maximum_price_if_all_targets_achieved.amount", "amount"),
        ("price_description", "price_description", "text"),
    ),
    "results": (
        ("outcome_metric_id", "outcome_metric_id", "metric"),
        ("start", "period.start_date", "date"),
        ("end", "period.end_date", "date"),
        ("outcomes_achieved", "outcomes_achieved", "text"),
        ("number_with_positive_social_outcomes", "number_with_positive_social_outcomes", "amount"),
    ),
    "outcome_payments": (
        ("outcome_metric_id", "outcome_metric_id", "metric"),
        ("start", "period.start_date", "date"),
        ("end", "period.end_date", "date"),
        ("payer", "payer_organisation_id", "text"),
        ("type", "type", "text"),
        ("currency", "money.currency", "currency"),
        ("amount", "money.amount", "amount"),
    ),
}
# What the project as a whole says: name, path in the standard, and kind of value.
_OVERALL = (
    ("title", "name", "text"),
    ("currency", "overall_project_finance.maximum_potential_outcome_payment_v2.currency", "currency"),
    ("most_paid", "overall_project_finance.maximum_potential_outcome_payment_v2.amount", "amount"),
)
# A field that version 4 has replaced; what stands in it is told, and not read.
_OLDER = "overall_project_finance.maximum_potential_outcome_payment"
SHOWN_CHARACTERS = 40


@dataclass(frozen=True, repr=False)
class IndigoProject:
    """A project as it was read: what could be read without a guess, and everything that could not.

    Attributes
    ----------
    overall : dict
        ``title``, ``currency`` and ``most_paid`` (the most that all payers together may pay); None where not said.
    metrics, pricings, results, payments : DataFrame
        Amounts are decimal; None where the file holds none, or something else than a number.
    problems : DataFrame
        One row for each value that was not taken: ``list, row, field, problem, written``.
    """

    overall: Values = field(repr=False)
    metrics: pd.DataFrame = field(repr=False)
    pricings: pd.DataFrame = field(repr=False)
    results: pd.DataFrame = field(repr=False)
    payments: pd.DataFrame = field(repr=False)
    problems: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        return f"IndigoProject({len(self.metrics)} metrics, {len(self.problems)} problems)"


def read_indigo(file: str | Path) -> IndigoProject:
    """Read a project of the standard; nothing in it is interpreted.

    Parameters
    ----------
    file : str or Path
        JSON, one project.

    Raises
    ------
    DataError
        The file is not JSON, or not one project. Single values that cannot be read are listed as problems instead.
    """
    path = Path(file)
    if not path.is_file():
        raise DataError(
            "contract.no_record",
            "There is no such file.",
            where=path.name,
            why="A record is read from a file.",
            do="Name a project of the INDIGO data standard as JSON.",
        )
    try:
        project = json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal, parse_int=Decimal)
    except (OSError, ValueError, RecursionError):
        project = None
    if not isinstance(project, dict) or not set(project) & set(_FIELDS):
        raise DataError(
            "contract.not_indigo",
            "The file is not a project of the INDIGO data standard.",
            where=path.name,
            why=f"It holds none of the lists {', '.join(_FIELDS)}.",
            do="Export one project as JSON.",
        )
    reading = _Reading(_repeated(project))
    overall = {name: reading.take(_at(project, place), kind, ("project", 1, name)) for name, place, kind in _OVERALL}
    frames = {name: reading.frame(project, name) for name in _FIELDS}
    older = _at(project, f"{_OLDER}.amount")
    if older is not None:
        problem = "a field of an older version of the standard"
        reading.problems.append(("project", 1, _OLDER.rpartition(".")[2], problem, _text(older)[:SHOWN_CHARACTERS]))
    problems = pd.DataFrame(reading.problems, columns=["list", "row", "field", "problem", "written"])
    metrics, pricings, results, payments = (frames[name] for name in _FIELDS)
    return IndigoProject(overall, metrics, pricings, results, payments, problems)


def _repeated(project: Values) -> dict[str, int]:
    """Return how often each id stands among the metrics."""
    counts: dict[str, int] = {}
    for item in _items(project, "outcome_metrics"):
        name = _text(_at(item, "id"))
        counts[name] = counts.get(name, 0) + 1
    return counts


def _items(project: Values, name: str) -> list[Any]:
    items = project.get(name) or []
    return items if isinstance(items, list) else list(items.values()) if isinstance(items, dict) else []


def _at(item: Any, path: str) -> Any:
    """Return the value at a path; in the standard most values stand under a key of their own, ``value``."""
    for step in path.split("."):
        item = item.get(step) if isinstance(item, dict) else None
    return item.get("value") if isinstance(item, dict) else item


def _text(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else "" if value is None else str(value).strip()


@dataclass
class _Reading:
    """A project that is being read."""

    known: dict[str, int]
    problems: list[tuple[str, int, str, str, str]] = field(default_factory=list)

    def frame(self, project: Values, name: str) -> pd.DataFrame:
        rows = [
            {column: self.take(_at(item, path), kind, (name, position, column)) for column, path, kind in _FIELDS[name]}
            for position, item in enumerate(_items(project, name), start=1)
        ]
        columns = [column for column, _, _ in _FIELDS[name]]
        return pd.DataFrame({column: pd.Series([row[column] for row in rows], dtype=object) for column in columns})

    def take(self, value: Any, kind: str, where: tuple[str, int, str]) -> Any:
        """Return a value that is what it should be; None, with a problem noted, where it is something else."""
        text = _text(value)
        if not text:
            return None
        problem = ""
        if kind == "amount":
            try:
                return parse(value if isinstance(value, Decimal) else text)
            except ValueError:
                problem = "not a plainly written number"
        elif kind == "currency" and text not in currencies():
            problem = "not a currency code"
        elif kind == "date" and not _is_date(text):
            problem = "not a date"
        elif kind == "metric" and self.known.get(text, 0) != 1:
            problem = "refers to an id that stands more than once" if text in self.known else "refers to no metric"
        elif where[0] == "outcome_metrics" and where[2] == "id" and self.known[text] > 1:
            problem = "the id stands more than once"
        if not problem:
            return text
        self.problems.append((*where, problem, text[:SHOWN_CHARACTERS]))
        return None


def _is_date(text: str) -> bool:
    """Tell whether a text is a year, a month or a day, as the standard allows."""
    if not re.fullmatch(r"[0-9]{4}(-[0-9]{2}){0,2}", text):
        return False
    try:
        date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return False
    return True
