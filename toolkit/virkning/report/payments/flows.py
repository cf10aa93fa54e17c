"""Tables of money that moves: each party's dated flows, from whom to whom, and year by year."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pandas as pd

from ...contract import CashFlows, Contract, Settlement
from ...disclosure import Column, DisclosureRule, Table
from ...money import ZERO, exact
from .tables import FLOWS, NOBODY_COUNTED, digits_of, hidden_dates, label, total_of


def flows_table(settlement: Settlement, flows: CashFlows, party: str, rule: DisclosureRule) -> Table:
    """Return one party's dated cash flows, in its own currency, with the sum so far."""
    contract, frame, secret = settlement.contract, flows.of(party), hidden_dates(settlement, rule)
    with exact():
        so_far = list(pd.Series(list(frame["amount"]), dtype=object).cumsum()) if len(frame) else []
    currency = contract.parties[party].currency or contract.currency
    rows = pd.DataFrame(
        {
            "on": [day.isoformat() for day in frame["on"]],
            "kind": [FLOWS[kind].capitalize() for kind in frame["kind"]],
            "amount": [float(amount) for amount in frame["amount"]],
            "so_far": [float(amount) for amount in so_far],
            "persons": [1 if day in secret else NOBODY_COUNTED for day in frame["on"]],
            # Two sums side by side tell what moved between them.
            "persons_so_far": 1 if secret else NOBODY_COUNTED,
        }
    )
    return Table(
        name=f"flows-of-{party}",
        title=f"{label(contract, party)}: money in and out",
        columns=(
            Column("on", "Date"),
            Column("amount", "Amount", "number", currency, digits_of(rows["amount"].tolist()), "persons"),
            Column("so_far", "So far", "number", currency, digits_of(rows["so_far"].tolist()), "persons_so_far"),
            Column("kind", "What"),
        ),
        frame=rows,
        note="What the party pays is negative.",
    )


def parties_table(settlement: Settlement) -> Table:
    """Return one row for each party: what it pays, what it gets, and between which dates."""
    contract = settlement.contract
    moved = _moved(settlement)
    rows = []
    for name, party in contract.parties.items():
        own = [(day, paid, got) for who, day, paid, got in moved if who == name]
        if not own:
            continue
        paid, got = total_of([each[1] for each in own]), total_of([each[2] for each in own])
        days = [day for day, _, _ in own]
        rows.append(
            {
                "party": party.label,
                "role": ", ".join(party.roles),
                "pays": float(paid),
                "gets": float(got),
                "net": float(got - paid),
                "first": min(days).isoformat(),
                "last": max(days).isoformat(),
            }
        )
    return Table(
        name="parties",
        title="Find your line: what each party pays and gets over the whole contract",
        columns=(
            Column("party", "Party"),
            Column("pays", "Pays", "number", contract.currency, 0),
            Column("gets", "Gets", "number", contract.currency, 0),
            Column("net", "Net", "number", contract.currency, 0),
            Column("role", "Role"),
            Column("first", "First on"),
            Column("last", "Last on"),
        ),
        frame=pd.DataFrame(rows),
        note="At the best estimates of the effects. What a party gets back is in it; what delivery costs is not, "
        "except for what the contract itself pays for.",
    )


def _moved(settlement: Settlement) -> list[tuple[str, Any, Decimal, Decimal]]:
    """Return party, date, amount paid and amount received, of every flow; without a waterfall, of every payment."""
    if settlement.contract.waterfall is None:
        return [(payment.payer, payment.payable_on, payment.known, ZERO) for payment in settlement.payments]
    moved = []
    for flow in settlement.waterfall().flows:
        moved += [(flow.payer, flow.on, flow.amount, ZERO), (flow.payee, flow.on, ZERO, flow.amount)]
    return moved


def from_to_table(contract: Contract, flows: CashFlows) -> Table:
    """Return where money comes from and where it goes: one row for each pair of parties and reason."""
    sums: dict[tuple[str, str, str], Decimal] = {}
    with exact():
        for flow in flows.flows:
            key = (flow.payer, flow.payee, flow.kind)
            sums[key] = sums.get(key, ZERO) + flow.amount
    rows = [
        {
            "payer": label(contract, payer),
            "payee": label(contract, payee),
            "kind": FLOWS[kind].capitalize(),
            "amount": float(amount),
        }
        for (payer, payee, kind), amount in sums.items()
    ]
    return Table(
        name="from-whom-to-whom",
        title="From whom to whom, over the whole contract",
        columns=(
            Column("payer", "From"),
            Column("payee", "To"),
            Column("amount", "Amount", "number", contract.currency, 0),
            Column("kind", "What"),
        ),
        frame=pd.DataFrame(rows, columns=["payer", "payee", "kind", "amount"]),
    )


def years_table(settlement: Settlement, rule: DisclosureRule) -> Table:
    """Return what each payer pays in each calendar year, and what investors pay in and get."""
    contract = settlement.contract
    names = {name: party.label for name, party in contract.parties.items()}
    sums: dict[tuple[int, str], Decimal] = {}
    with exact():
        for payment in settlement.payments:
            key = (payment.payable_on.year, payment.payer)
            sums[key] = sums.get(key, ZERO) + payment.known
        for year, party, amount in _invested(settlement):
            sums[year, party] = sums.get((year, party), ZERO) + amount
    shown = [name for name in names if any(party == name for _, party in sums)]
    years = range(min(year for year, _ in sums), max(year for year, _ in sums) + 1)
    secret = {day.year for day in hidden_dates(settlement, rule)}
    rows: list[Mapping[str, Any]] = [
        {
            "year": str(year),
            "persons": 1 if year in secret else NOBODY_COUNTED,
            **{name: float(sums.get((year, name), ZERO)) for name in shown},
        }
        for year in years
    ]
    return Table(
        name="payments-by-year",
        title="Year by year",
        columns=(
            Column("year", "Year"),
            *(Column(name, _heading(contract, name), "number", contract.currency, 0, "persons") for name in shown),
        ),
        frame=pd.DataFrame(rows),
        note="Of payers: what they pay. Of investors and guarantors: what they get, less what they pay in.",
    )


def _heading(contract: Contract, name: str) -> str:
    pays = "payer" in contract.parties[name].roles
    return f"{label(contract, name)} ({'pays' if pays else 'gets, net'})"


def _invested(settlement: Settlement) -> list[tuple[int, str, Decimal]]:
    contract = settlement.contract
    if contract.waterfall is None:
        return []
    funders = {
        name
        for name, party in contract.parties.items()
        if "payer" not in party.roles and {"investor", "guarantor"} & set(party.roles)
    }
    found = []
    for flow in settlement.waterfall().flows:
        found += [(flow.on.year, name, -flow.amount) for name in funders & {flow.payer}]
        found += [(flow.on.year, name, flow.amount) for name in funders & {flow.payee}]
    return found
