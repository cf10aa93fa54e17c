"""What no settlement may ever break, whatever the contract and the results."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from virkning.contract import Contract, ResultRow, Results, settle
from virkning.contract.returns import internal_rate, present_value
from virkning.contract.settlement import Settlement
from virkning.money import ZERO, Rounding, exact

from .contract_examples import contract, metric, price, row

PERIODS = ("first", "second")
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
amounts = st.decimals(min_value=0, max_value=5000, places=2).map(str)
quantities = st.decimals(min_value=0, max_value=60, places=1)


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    edges = draw(st.lists(st.integers(0, 50), min_size=1, max_size=4, unique=True).map(sorted))
    paid = draw(st.lists(amounts, min_size=len(edges), max_size=len(edges)).map(lambda each: sorted(each, key=Decimal)))
    edge = draw(st.sampled_from(["reached", "not_reached"]))
    kind = draw(st.sampled_from(["per_unit", "share_of_saving", "trigger", "steps", "marginal", "ramp"]))
    match kind:
        case "per_unit":
            return price(price=paid[0], units=draw(st.integers(1, 7)))
        case "share_of_saving":
            return price(kind, share="0.35", saving=paid[0], units=3)
        case "trigger":
            return price(kind, threshold=edges[0], at_threshold=edge, amount=paid[0])
        case "steps":
            tiers = [{"at": at, "amount": amount} for at, amount in zip(edges, paid, strict=True)]
            return price(kind, tiers=tiers, edge_belongs=draw(st.sampled_from(["above", "below"])))
        case "marginal":
            # Slices may become cheaper: a better result still never pays less.
            return price(kind, slices=[{"at": at, "price": each} for at, each in zip(edges, paid[::-1], strict=True)])
    low, high = {"result": edges[0], "amount": paid[0]}, {"result": edges[-1] + 3, "amount": paid[-1]}
    return price("ramp", low=low, high=high, at_low=edge)


@st.composite
def payers(draw: st.DrawFn) -> dict[str, Any]:
    share = draw(st.integers(1, 99))
    if draw(st.booleans()):
        return {"payers": {"city": 1}}
    both = {"city": str(Decimal(share) / 100), "state": str(1 - Decimal(share) / 100)}
    return {"payers": both, "remainder_to": draw(st.sampled_from(["city", "state"]))}


@st.composite
def instalments(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return no instalments, or two to four of them whose shares add up to 1."""
    cuts = sorted(draw(st.lists(st.integers(1, 99), max_size=3, unique=True)))
    if not cuts:
        return []
    shares = [Decimal(high - low) / 100 for low, high in pairwise([0, *cuts, 100])]
    return [{"share": str(share), "after_months": 12 * i} for i, share in enumerate(shares)]


def cap(name: str, most: str, spread: str, **terms: Any) -> dict[str, Any]:
    return {"type": "cap", "name": name, "most": most, "spread": spread, **terms}


@st.composite
def orders(draw: st.DrawFn, *, nested: bool) -> list[dict[str, Any]]:
    """An order of limits; nested ones never cross, since a person, a metric and a period may compete for one amount."""
    spread = draw(st.sampled_from(["in_order", "pro_rata"]))
    scopes = ["metric", "period", "payer"]
    chosen = [draw(st.sampled_from(scopes))] if nested else draw(st.lists(st.sampled_from(scopes), unique=True))
    steps: list[dict[str, Any]] = [{"type": "round", "digits": 2, "method": draw(st.sampled_from(["half_up", "up"]))}]
    if draw(st.booleans()):
        steps.append({"type": "floor", "name": "least", "scope": "period", "least": "50"})
    steps.append({"type": "split"})
    steps += [
        cap(scope, draw(amounts.map(lambda most: str(Decimal(most) + 50))), spread, scope=scope) for scope in chosen
    ]
    if draw(st.booleans()):
        steps.append(cap("all", draw(amounts.map(lambda most: str(2 * Decimal(most) + 50))), spread, scope="contract"))
    return steps


@st.composite
def agreements(draw: st.DrawFn, *, nested: bool = False) -> Contract:
    both_ways = {"upwards": "paid", "downwards": "clawed_back"}
    metrics = {
        name: metric(draw(prices()), **draw(payers()), restatement=both_ways, instalments=draw(instalments()))
        for name in ("a", "b", "c")[: draw(st.integers(1, 3))]
    }
    return contract(metrics=metrics, order=draw(orders(nested=nested)))


@st.composite
def cases(draw: st.DrawFn, *, nested: bool = False) -> tuple[Contract, list[ResultRow]]:
    terms = draw(agreements(nested=nested))
    places = [(name, period) for name in terms.metrics for period in PERIODS]
    chosen = draw(st.lists(st.sampled_from(places), min_size=1, unique=True))
    return terms, [
        row(draw(quantities), result_id=f"r{i}", metric=name, period=period) for i, (name, period) in enumerate(chosen)
    ]


def sums(settled: Settlement, *columns: str) -> dict[tuple[str, ...], Decimal]:
    found: dict[tuple[str, ...], Decimal] = defaultdict(lambda: ZERO)
    for payment in settled.payments:
        found[tuple(getattr(payment, column) for column in columns)] += payment.known
    return found


@relaxed
@given(cases())
def test_payment_is_never_negative_nor_above_any_cap(case: tuple[Contract, list[ResultRow]]) -> None:
    terms, found = case
    settled = settle(terms, Results(tuple(found)))
    assert all(payment.known >= 0 for payment in settled.payments)
    for scope in ("metric", "period", "payer"):
        for limit in terms.caps(scope):
            assert all(amount <= limit.largest for amount in sums(settled, scope).values())
    assert all(settled.total.amount <= limit.largest for limit in terms.caps("contract"))


@relaxed
@given(cases(nested=True), st.data())
def test_more_of_a_good_result_never_pays_less(case: tuple[Contract, list[ResultRow]], data: st.DataObject) -> None:
    terms, found = case
    position = data.draw(st.integers(0, len(found) - 1))
    better = list(found)
    better[position] = replace(found[position], value=found[position].value + data.draw(quantities))
    worse = settle(terms, Results(tuple(found))).total.amount
    assert settle(terms, Results(tuple(better))).total.amount >= worse


@relaxed
@given(cases())
def test_payers_metrics_and_periods_add_up_to_the_total(case: tuple[Contract, list[ResultRow]]) -> None:
    settled = settle(case[0], Results(tuple(case[1])))
    for column in ("payer", "metric", "period", "payable_on"):
        assert sum(sums(settled, column).values()) == settled.total.amount
        assert sum(settled.by(column)["amount"]) == settled.total.amount


@relaxed
@given(cases())
def test_instalments_add_up_to_the_line_and_never_come_before_it(case: tuple[Contract, list[ResultRow]]) -> None:
    terms, found = case
    settled = settle(terms, Results(tuple(found)))
    paid = sums(settled, "line", "payer")
    assert all(paid[part.figure.key.line, part.payer] == part.amount for part in settled._parts)
    for payment in settled.payments:
        dates = [day for _, day in terms.instalments_of(payment.metric, payment.period)]
        assert payment.payable_on in dates
        assert payment.payable_on >= terms.payable_on(payment.metric, payment.period)
        assert payment.known >= 0


@relaxed
@given(cases(), st.randoms(use_true_random=False))
def test_same_input_gives_the_same_ledger_in_any_order(case: tuple[Contract, list[ResultRow]], chance: Any) -> None:
    terms, found = case
    once = settle(terms, Results(tuple(found)))
    chance.shuffle(found)
    again = settle(terms, Results(tuple(found)))
    assert once.payments == again.payments
    assert [part.entries for part in once._parts] == [part.entries for part in again._parts]


@relaxed
@given(cases())
def test_each_entry_begins_where_the_one_before_it_ended(case: tuple[Contract, list[ResultRow]]) -> None:
    settled = settle(case[0], Results(tuple(case[1])))
    for part in settled._parts:
        whole = [entry for entry in part.entries if entry.payer == ""]
        own = [entry for entry in part.entries if entry.payer == part.payer]
        for chain in (whole, own):
            assert all(one.after == other.before for one, other in pairwise(chain))
        assert own[-1].after == part.amount
        assert own[0].before == whole[-1].after


@relaxed
@given(cases(), st.data())
def test_a_restated_result_changes_only_its_true_up(
    case: tuple[Contract, list[ResultRow]], data: st.DataObject
) -> None:
    terms, found = case
    old = data.draw(st.sampled_from(found))
    new = replace(old, result_id="new", value=data.draw(quantities), restates=old.result_id, period="second")
    new = replace(new, accepted_on=date(2022, 12, 1))
    before = settle(terms, Results(tuple(found)))
    after = settle(terms, Results((*found, new)))
    assert after.payments[: len(before.payments)] == before.payments
    added = after.payments[len(before.payments) :]
    assert added
    assert {payment.line for payment in added} == {"true-up new"}
    corrected = replace(new, restates="", period=old.period, accepted_on=old.accepted_on)
    replaced = [corrected if each is old else each for each in found]
    assert after.total == settle(terms, Results(tuple(replaced))).total


@relaxed
@given(cases(), st.data())
def test_restating_and_restating_back_leaves_the_total(
    case: tuple[Contract, list[ResultRow]], data: st.DataObject
) -> None:
    terms, found = case
    old = found[0]
    there = replace(old, result_id="s1", value=data.draw(quantities), restates=old.result_id, period="second")
    back = replace(old, result_id="s2", restates="s1", period="second")
    late = {"accepted_on": date(2022, 12, 1)}
    restated = settle(terms, Results((*found, replace(there, **late), replace(back, **late))))
    assert restated.total == settle(terms, Results(tuple(found))).total


@relaxed
@given(
    st.lists(st.tuples(st.sampled_from("pqrs"), st.integers(0, 4), st.sampled_from(PERIODS)), min_size=1, max_size=25),
    st.integers(1, 5),
    st.integers(0, 900),
)
def test_no_person_is_paid_for_beyond_the_cap_nor_for_more_than_was_verified(
    claims: list[tuple[str, int, str]], most: int, person_cap: int
) -> None:
    terms = contract(
        metrics={"jobs": metric(kind={"type": "claims", "most_per_person": most})},
        order=[
            {"type": "person_cap", "name": "person", "most": person_cap},
            {"type": "round", "digits": 2, "method": "down"},
        ],
    )
    found = [row(n, result_id=f"r{i}", person_id=who, period=when) for i, (who, n, when) in enumerate(claims)]
    settled = settle(terms, Results(tuple(found)))
    paid: dict[str, Decimal] = defaultdict(lambda: ZERO)
    units: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for part in settled._parts:
        for person, amount in part.persons:
            paid[person] += amount
        for claim in part.figure.claims:
            units[claim.person] += claim.units
    verified = {who: sum(n for other, n, _ in claims if other == who) for who in units}
    assert all(units[who] == min(verified[who], most) for who in units)
    assert all(paid[who] == min(100 * units[who], person_cap) for who in units)
    assert settled.total.amount == sum(paid.values())


WATERFALL = {
    "account": "provider",
    "tranches": {
        "senior": {"investor": "fund", "rate": "0.05", "interest": "simple"},
        "junior": {"investor": "fund", "rate": "0.1", "interest": "compound"},
    },
    "drawdowns": [
        {"tranche": "senior", "on": "2021-01-01", "amount": 500, "to": "provider", "source": "plan"},
        {"tranche": "junior", "on": "2021-06-01", "amount": 300, "to": "provider", "source": "plan"},
    ],
    "guarantees": [
        {"guarantor": "guard", "tranches": ["junior", "senior"], "share": "0.8", "most": 350, "on": "2023-06-30"}
    ],
}


@st.composite
def waterfalls(draw: st.DrawFn) -> dict[str, Any]:
    steps = [
        {"type": "fee", "name": "fee", "to": "guard", "amount": draw(amounts), "most": draw(amounts)},
        {"type": "recycling", "name": "again", "to": "state", "share": "0.3", "until": "2022-06-30"},
        {"type": "tranche", "tranche": "senior", "first": "interest"},
        {"type": "tranche", "tranche": "junior", "first": "principal"},
        {"type": "up_to_return", "name": "top", "investor": "fund", "rate": "0.12"},
        {"type": "bonus", "name": "bonus", "to": "state", "share": "0.25", "most": draw(amounts)},
    ]
    chosen = draw(st.lists(st.sampled_from(range(len(steps))), unique=True))
    left = draw(st.integers(0, 100))
    shares = {"fund": str(Decimal(left) / 100), "city": str(1 - Decimal(left) / 100)}
    residual = {"type": "residual", "shares": shares, "remainder_to": "city"}
    return {**WATERFALL, "steps": [*(steps[position] for position in chosen), residual]}


@relaxed
@given(waterfalls(), st.lists(amounts, min_size=1, max_size=2))
def test_waterfall_adds_up_to_payments_and_guarantee(terms: dict[str, Any], paid: list[str]) -> None:
    given_amounts = metric(price("as_given", version="1"), unit="DKK")
    agreed = contract(metrics={"jobs": given_amounts}, waterfall=terms)
    found = [row(value, result_id=period, period=period) for period, value in zip(PERIODS, paid, strict=False)]
    settled = settle(agreed, Results(tuple(found)))
    flows = settled.waterfall()
    assert all(flow.amount > 0 for flow in flows.flows)
    sources = ("outcome_payment", "guarantee", "drawdown")
    passed_on = sum((flow.amount for flow in flows.flows if flow.kind not in sources), ZERO)
    assert passed_on == flows.total("outcome_payment") == settled.total.amount
    assert flows.total("guarantee") <= 350
    everybody = sum((sum(flows.of(party)["amount"], ZERO) for party in agreed.parties), ZERO)
    assert everybody == 0
    assert flows.total("principal") <= 800


@relaxed
@given(
    st.integers(100, 10_000),
    st.lists(st.tuples(st.integers(30, 4000), st.integers(1, 9000)), min_size=1, max_size=8),
    st.sampled_from([1, 1000, 10**7]),
)
def test_internal_rate_makes_the_flows_worth_nothing(outlay: int, back: list[tuple[int, int]], scale: int) -> None:
    start = date(2020, 1, 1)
    flows = [(start, Decimal(-outlay * scale))]
    flows += [(start + timedelta(days=days), Decimal(amount * scale)) for days, amount in back]
    rate, reason = internal_rate(flows)
    assume(rate is not None and -0.99 < rate < 20)
    assert reason == ""
    worth = present_value(flows, Decimal(rate))
    assert abs(worth) <= Decimal("1e-8") * outlay * scale


@relaxed
@given(
    st.decimals(min_value=-(10**9), max_value=10**9, places=6),
    st.integers(-3, 4),
    st.sampled_from(["half_up", "half_even", "down", "up"]),
)
def test_rounding_moves_by_less_than_one_unit_and_only_once(value: Decimal, digits: int, method: Any) -> None:
    rule = Rounding(digits=digits, method=method)
    with exact():
        rounded = rule.of(value)
        assert abs(rounded - value) < Decimal(10) ** -digits
        assert rule.of(rounded) == rounded


@settings(parent=relaxed, max_examples=15)
@given(cases())
def test_ledger_keeps_its_own_schema(case: tuple[Contract, list[ResultRow]]) -> None:
    settled = settle(case[0], Results(tuple(case[1])))
    ledger = settled.ledger
    last = ledger.groupby(["line", "payer"], sort=False)["after"].last()
    ends = sums(settled, "line", "payer")
    assert {key: last[key] for key in ends} == ends
    assert ledger["term"].str.startswith("contract.").all()
    assert set(ledger["input"].map(type)) == {Decimal}


@pytest.mark.parametrize("fraction", ["0.1", "0.01"])
def test_money_is_decimal(fraction: str) -> None:
    """Ten payments of 0.1 are 1, which binary numbers miss."""
    n = int(1 / Decimal(fraction))
    terms = contract(metrics={"jobs": metric(price(price=fraction), kind={"type": "claims", "most_per_person": None})})
    found = [row(1, result_id=f"r{i}", person_id=f"p{i}") for i in range(n)]
    assert settle(terms, Results(tuple(found))).total.amount == 1
    assert sum([float(fraction)] * n) != 1
