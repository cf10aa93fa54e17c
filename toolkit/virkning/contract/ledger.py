"""The ledger as a validated table: one row for each thing that happened, with term, figure, source and amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from ..data import load_schema
from ..data.validation import conform
from ..disclosure import Column, Table
from ..errors import DataError
from ..money import ZERO, exact, json_value, plain
from .lines import Part
from .terms import Contract

AMOUNTS = ("input", "before", "after")


@dataclass(frozen=True, kw_only=True)
class Payment:
    """One payer's part of one line, or of one correction.

    Attributes
    ----------
    line, metric, period, cohort, group, payer : str
    kind : {'payment', 'true_up'}
    amount : Decimal or None
        In the contract's currency; negative only where a correction is clawed back; None where a price is not public.
    payable_on : date
    n_people : int or None
        People behind it, where known.
    source, corrects : str
        Of a correction: where it comes from, and which row of which period it replaces.
    figure : Decimal or None
        Of a correction: the corrected figure.
    """

    line: str
    kind: str
    metric: str
    period: str
    cohort: str
    group: str
    payer: str
    amount: Decimal | None
    payable_on: date
    n_people: int | None
    source: str = ""
    figure: Decimal | None = None
    corrects: str = ""

    @property
    def known(self) -> Decimal:
        """The amount, 0 where the price is not public."""
        return ZERO if self.amount is None else self.amount


def ledger(contract: Contract, parts: Sequence[Part], payments: Sequence[Payment]) -> pd.DataFrame:
    """Return the ledger.

    Parameters
    ----------
    contract : Contract
    parts : sequence of Part
        The settled lines; parts of one line share their entries.
    payments : sequence of Payment
        Of which the corrections get rows of their own.

    Raises
    ------
    DataError
        The ledger breaks its own schema, which is a mistake of ours.
    """
    rows: list[dict[str, Any]] = []
    seen: set[int] = set()
    for part in parts:
        if id(part.entries) in seen:
            continue
        seen.add(id(part.entries))
        rows += _line(contract, part)
    rows += _corrections(contract, [payment for payment in payments if payment.kind == "true_up"])
    with exact():
        return _validated(pd.DataFrame(rows, columns=list(load_schema("ledger").names)))


def _line(contract: Contract, part: Part) -> list[dict[str, Any]]:
    key, figure = part.figure.key, part.figure
    about = {
        "line": key.line,
        "metric": key.metric,
        "period": key.period,
        "cohort": key.cohort,
        "group": key.group,
        "unit": contract.metrics[key.metric].result_unit,
        "source": figure.source,
        "n_people": figure.n_people,
        "currency": contract.currency,
        "payable_on": part.payable_on,
    }
    return [
        about
        | {
            "step": step,
            "kind": entry.kind,
            "payer": entry.payer,
            "term": entry.term,
            "rule": entry.rule,
            "input": figure.unrounded if entry.kind == "result" else figure.quantity,
            "before": entry.before,
            "after": entry.after,
        }
        for step, entry in enumerate(part.entries, start=1)
    ]


def _corrections(contract: Contract, payments: Sequence[Payment]) -> list[dict[str, Any]]:
    steps: dict[str, int] = {}
    rows = []
    for payment in payments:
        steps[payment.line] = steps.get(payment.line, 0) + 1
        rows.append(
            {
                "line": payment.line,
                "step": steps[payment.line],
                "kind": "true_up",
                "metric": payment.metric,
                "period": payment.period,
                "cohort": payment.cohort,
                "group": payment.group,
                "payer": payment.payer,
                "term": f"contract.metrics.{payment.metric}.restatement",
                "rule": f"corrects {payment.corrects}: what is due with it, less what was paid so far",
                "input": payment.figure,
                "unit": contract.metrics[payment.metric].unit,
                "source": payment.source,
                "n_people": payment.n_people,
                "before": ZERO,
                "after": payment.amount,
                "currency": contract.currency,
                "payable_on": payment.payable_on,
            }
        )
    return rows


def _validated(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame in its schema's types, with decimal amounts, after every rule of the schema was checked."""
    written = frame.copy()
    for column in AMOUNTS:
        written[column] = [None if value is None else plain(_finite(value)) for value in frame[column]]
    written["payable_on"] = [json_value(day) for day in frame["payable_on"]]
    written["n_people"] = [None if n is None or pd.isna(n) else str(int(n)) for n in frame["n_people"]]
    written["step"] = [str(step) for step in frame["step"]]
    checked, problems = conform(written.astype(object), load_schema("ledger"), "ledger")
    if problems:
        raise DataError("contract.ledger", "The ledger breaks its own schema.", where="ledger", problems=problems)
    for column in AMOUNTS:
        checked[column] = pd.Series(list(frame[column]), dtype=object, index=checked.index)
    return checked


def _finite(value: Decimal) -> Decimal:
    """Return a number for a file: at most 30 decimals, which is more than any rule can ask for."""
    exponent = value.as_tuple().exponent
    return round(value, 30) if isinstance(exponent, int) and exponent < -30 else value


def summed(payments: Sequence[Payment], column: str, contract: Contract) -> pd.DataFrame:
    """Return payments summed by one of their columns, in the order of the contract.

    Parameters
    ----------
    payments : sequence of Payment
    column : {'payer', 'period', 'metric', 'payable_on'}
    contract : Contract

    Returns
    -------
    DataFrame
        Columns: the one asked for, ``amount`` (decimal) and ``currency``.
    """
    order: dict[str, Sequence[Any]] = {
        "payer": list(contract.parties),
        "period": list(contract.periods),
        "metric": list(contract.metrics),
        "payable_on": sorted({payment.payable_on for payment in payments}),
    }
    with exact():
        sums: dict[Any, Decimal] = {}
        for payment in payments:
            key = getattr(payment, column)
            sums[key] = sums.get(key, ZERO) + payment.known
    names = [name for name in order[column] if name in sums]
    amounts = pd.Series([sums[name] for name in names], dtype=object)
    return pd.DataFrame({column: names, "amount": amounts, "currency": contract.currency})


def payments_table(contract: Contract, payments: Sequence[Payment]) -> Table:
    """Return the payments as a table to be cleared: amounts rest on the people behind them."""
    frame = pd.DataFrame(
        {
            "period": [payment.period for payment in payments],
            "metric": [contract.metrics[payment.metric].label for payment in payments],
            "payer": [contract.parties[payment.payer].label for payment in payments],
            "amount": [None if payment.amount is None else float(payment.amount) for payment in payments],
            "payable_on": [payment.payable_on.isoformat() for payment in payments],
            # Where nobody counted people, there is no group of persons that could be too small.
            "n_people": [10**9 if payment.n_people is None else payment.n_people for payment in payments],
        }
    )
    return Table(
        name="payments",
        title=f"Payments under {contract.title}",
        columns=(
            Column("period", "Period"),
            Column("metric", "Outcome"),
            Column("payer", "Payer"),
            Column("amount", "Amount", "number", contract.currency, 2, persons="n_people"),
            Column("payable_on", "Payable on"),
        ),
        frame=frame,
        note=" ".join(contract.notes),
    )
