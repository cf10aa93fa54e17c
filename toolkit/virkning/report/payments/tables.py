"""Tables of a settlement: its lines, its ledger, each party's money; small groups stay hidden in all of them alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from ...contract import Contract, Settlement
from ...contract.ledger import Payment
from ...disclosure import Column, DisclosureRule, Table, clear
from ...money import ZERO, exact, plain

# Where nobody counted people, there is no group of persons that could be too small.
NOBODY_COUNTED = 10**9
KINDS = {
    "result": "Result",
    "evidence": "Evidence",
    "sample": "Sample rule",
    "price": "Price",
    "weight": "Weight",
    "person_cap": "Cap per person",
    "cap": "Cap",
    "floor": "Floor",
    "round": "Rounding",
    "split": "Shared",
    "instalments": "Instalments",
    "true_up": "Correction",
}
FLOWS = {
    "drawdown": "paid in",
    "outcome_payment": "outcome payment",
    "repaid_payment": "payment taken back",
    "fee": "fee",
    "recycling": "back into delivery",
    "interest": "interest",
    "principal": "repayment",
    "return": "return",
    "bonus": "bonus",
    "residual": "what is left",
    "guarantee": "guarantee",
}


def label(contract: Contract, party: str) -> str:
    """Return the name that a reader knows."""
    return contract.parties[party].label


def total_of(amounts: Sequence[Decimal]) -> Decimal:
    """Return an exact sum."""
    with exact():
        return sum(amounts, ZERO)


def lines_table(settlement: Settlement) -> Table:
    """Return one row for each line: its result, what it is worth by its price, and what is paid for it.

    The numbers of people stand among the columns whose sums are published, so that a hidden line cannot be worked out
    from the totals.
    """
    contract, ledger = settlement.contract, settlement.ledger
    rows = []
    for name, entries in ledger.groupby("line", sort=False):
        first = entries.iloc[0]
        own = [payment for payment in settlement.payments if payment.line == name]
        metric = contract.metrics[str(first["metric"])]
        known = all(payment.amount is not None for payment in own)
        priced = [row.after for row in entries.itertuples() if row.kind in ("price", "weight", "sample")]
        is_correction = first["kind"] == "true_up"
        rows.append(
            {
                "line": name,
                "outcome": f"{metric.label}, {', '.join(_where(first))}{' (correction)' if is_correction else ''}",
                "metric": first["metric"],
                "period": first["period"],
                "result": f"{_short(first['input'])} {metric.result_unit}",
                "n_people": _persons(first, metric.result.type),
                "priced": _float(priced[-1]) if priced else None,
                "paid": float(total_of([payment.known for payment in own])) if known else None,
                "payable_on": min(payment.payable_on for payment in own).isoformat(),
            }
        )
    frame = pd.DataFrame(rows)
    known_people = frame["n_people"].notna()
    groups = [known_people]
    for column in ("metric", "period", "payable_on"):
        groups += [known_people & (frame[column] == value) for value in dict.fromkeys(frame[column])]
    return Table(
        name="payment-lines",
        title="What each result is worth by its price, and what is paid for it",
        columns=(
            Column("outcome", "Outcome"),
            Column("result", "Result", persons="n_people"),
            Column("paid", "Paid", "number", contract.currency, 0, "n_people"),
            Column("priced", "By its price", "number", contract.currency, 0, "n_people"),
            Column("n_people", "People", "count"),
            Column("payable_on", "First on"),
        ),
        frame=frame,
        sums_down=tuple(tuple(frame.index[mask]) for mask in groups if mask.sum() > 1),
        note="Paid: after rounding, shares and caps, all payers together.",
    )


def _short(value: Decimal) -> str:
    """Return a result as a reader sees it: two decimals at most."""
    exponent = value.as_tuple().exponent
    return plain(round(value, 2) if isinstance(exponent, int) and exponent < -2 else value)


def _float(amount: object) -> float | None:
    """Return an amount of the ledger as a number for a page; None where a price is not public."""
    return float(amount) if isinstance(amount, Decimal) else None


def _where(row: Any) -> list[str]:
    """Return period, cohort and group of a line, as far as it has them."""
    return [
        str(row[name]).replace("_", " ")
        for name in ("period", "cohort", "group")
        if isinstance(row[name], str) and row[name]
    ]


def _persons(row: Any, kind: str) -> float:
    """Return the smallest group that a result rests on: of a share, the smaller side of the bar."""
    if row["n_people"] is None or pd.isna(row["n_people"]):
        return float("nan")
    n = float(row["n_people"])
    if kind != "share":
        return n
    reached = round(float(row["input"]) * n)
    return float(min(reached, n - reached) or n)


def hidden_lines(settlement: Settlement, rule: DisclosureRule) -> frozenset[str]:
    """Return the lines that rest on too few people, or would give such a line away."""
    table = lines_table(settlement)
    cleared = clear(table, rule)
    hidden = cleared.hidden["paid"].to_numpy(dtype=bool)
    return frozenset(table.frame["line"][hidden])


def hidden_dates(settlement: Settlement, rule: DisclosureRule) -> frozenset[date]:
    """Return the dates on which a hidden line is paid: what moves on such a day could tell of it."""
    secret = hidden_lines(settlement, rule)
    return frozenset(payment.payable_on for payment in settlement.payments if payment.line in secret)


def ledger_table(settlement: Settlement, rule: DisclosureRule) -> Table:
    """Return everything that happened to every line, in the order of the contract."""
    contract, secret = settlement.contract, hidden_lines(settlement, rule)
    rows: list[dict[str, Any]] = [
        {
            "line": row.line,
            "step": str(row.step),
            "kind": KINDS[str(row.kind)],
            "rule": _published(str(row.kind), str(row.rule), bool(secret)),
            "term": str(row.term).removeprefix("contract."),
            "payer": label(contract, str(row.payer)) if isinstance(row.payer, str) and row.payer else "",
            "before": _float(row.before),
            "after": _float(row.after),
            "persons": 1 if row.line in secret else NOBODY_COUNTED,
        }
        for row in settlement.ledger.itertuples()
    ]
    decimals = digits_of([row["after"] for row in rows])
    return Table(
        name="payment-ledger",
        title="The ledger: what happened to each line, step by step",
        columns=(
            Column("line", "Line"),
            Column("step", "Step"),
            Column("kind", "What"),
            Column("rule", "How", persons="persons"),
            Column("payer", "Payer"),
            Column("before", "Before", "number", contract.currency, decimals, "persons"),
            Column("after", "After", "number", contract.currency, decimals, "persons"),
            Column("term", "Term of the contract"),
        ),
        frame=pd.DataFrame(rows),
        note="Every step is listed, also where it changes nothing.",
    )


def _published(kind: str, rule: str, is_any_hidden: bool) -> str:
    """Return a rule without the counts in it that could be too small, or that could give a hidden line away."""
    if kind == "person_cap":
        return rule.partition("; reached by")[0]
    if kind == "evidence":
        return "not payable: rows that the verifier has not accepted"
    if kind in ("cap", "floor") and is_any_hidden:
        return rule.partition("»")[0] + "»"
    return rule


def digits_of(amounts: Sequence[float | None]) -> int:
    """Return the decimals that amounts need: none where all are whole."""
    return 0 if all(amount is None or float(amount).is_integer() for amount in amounts) else 2


def payer_table(settlement: Settlement, payer: str, rule: DisclosureRule) -> Table:
    """Return what one payer pays, for what and when."""
    contract, secret = settlement.contract, hidden_lines(settlement, rule)
    own = sorted(
        (payment for payment in settlement.payments if payment.payer == payer), key=lambda payment: payment.payable_on
    )
    rows: list[dict[str, Any]] = [
        {
            "payable_on": payment.payable_on.isoformat(),
            "outcome": f"{contract.metrics[payment.metric].label}, {_period(payment)}{_part(payment, own)}",
            "amount": None if payment.amount is None else float(payment.amount),
            "persons": 1 if payment.line in secret else NOBODY_COUNTED,
        }
        for payment in own
        if payment.amount != ZERO or _is_first(payment, own)
    ]
    return Table(
        name=f"payments-of-{payer}",
        title=f"{label(contract, payer)}: payment by payment",
        columns=(
            Column("payable_on", "Payable on"),
            Column("amount", "Amount", "number", contract.currency, digits_of([r["amount"] for r in rows]), "persons"),
            Column("outcome", "For"),
        ),
        frame=pd.DataFrame(rows),
    )


def _is_first(payment: Payment, own: Sequence[Payment]) -> bool:
    """Tell whether this is the first of a line's instalments: later ones of nothing need no row."""
    return payment is next(other for other in own if (other.line, other.kind) == (payment.line, payment.kind))


def _period(payment: Payment) -> str:
    return payment.period.replace("_", " ")


def _part(payment: Payment, own: Sequence[Payment]) -> str:
    same = [other.payable_on for other in own if other.line == payment.line and other.kind == payment.kind]
    if payment.kind == "true_up":
        return " (correction)"
    return f", part {same.index(payment.payable_on) + 1} of {len(same)}" if len(same) > 1 else ""
