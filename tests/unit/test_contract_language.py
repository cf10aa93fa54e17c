"""Each construct of the contract language on figures that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

import virkning as vk
from virkning.contract import Contract, ContractFile, contract_in_words, from_effects, settle
from virkning.contract.results import Results
from virkning.disclosure import DisclosureRule
from virkning.errors import DataError, EstimationError
from virkning.money import Money, Rounding, in_words, parse

from .contract_examples import contract, metric, price, row, rows, terms

CENTS = {"type": "round", "digits": 2, "method": "half_up"}


def paid(value: object, *prices: dict[str, Any], **changes: Any) -> Decimal:
    """Return what one figure is paid at a price."""
    return settle(contract(metrics={"jobs": metric(*prices, **changes)}), rows(row(value))).total.amount


STEPS = [{"at": 10, "amount": 1000}, {"at": 20, "amount": 3000}]
SLICES = [{"at": 20, "price": 160}, {"at": 30, "price": 80}]
RAMP = {"low": {"result": 10, "amount": 100}, "high": {"result": 20, "amount": 300}}


@pytest.mark.parametrize(
    ("form", "value", "amount"),
    [
        (price(price="15.12"), 258858, "3913932.96"),
        (price(price=10_000_000, units=1600), 500, "3125000"),
        (price("share_of_saving", share="0.95", saving=281000, units=109), 109, "266950"),
        (price("share_of_saving", share="0.95", saving="0.1", units=3), 1, "0.03"),
        (price("steps", tiers=STEPS, edge_belongs="above"), "9.99", "0"),
        (price("steps", tiers=STEPS, edge_belongs="above"), 10, "1000"),
        (price("steps", tiers=STEPS, edge_belongs="below"), 10, "0"),
        (price("steps", tiers=STEPS, edge_belongs="below"), 20, "1000"),
        (price("steps", tiers=STEPS, edge_belongs="above"), 20, "3000"),
        (price("marginal", slices=SLICES), 20, "0"),
        (price("marginal", slices=SLICES), 25, "800"),
        (price("marginal", slices=SLICES), 30, "1600"),
        (price("marginal", slices=SLICES), "33.8", "1904"),
        (price("ramp", **RAMP, at_low="reached"), 10, "100"),
        (price("ramp", **RAMP, at_low="not_reached"), 10, "0"),
        (price("ramp", **RAMP, at_low="reached"), 15, "200"),
        (price("ramp", **RAMP, at_low="reached"), 99, "300"),
        (price("trigger", threshold="7.5", at_threshold="reached", amount=50), "7.5", "50"),
        (price("trigger", threshold="7.5", at_threshold="not_reached", amount=50), "7.5", "0"),
        (price("trigger", threshold="7.5", at_threshold="not_reached", amount=50), "7.51", "50"),
        (price(), -4, "0"),
    ],
)
def test_price(form: dict[str, Any], value: object, amount: str) -> None:
    assert paid(value, form) == Decimal(amount)


@pytest.mark.parametrize(("rounding", "amount"), [("exact", 0), ({"digits": 0, "method": "half_up"}, 50)])
def test_rounding_before_the_test_decides(rounding: object, amount: int) -> None:
    form = price("trigger", threshold=10, at_threshold="reached", amount=50)
    assert paid("9.6", form, result_rounding=rounding) == amount


def test_weight_scales_the_amount() -> None:
    assert paid(3, price(), weight="0.8") == 240


def test_price_version_of_the_period_applies() -> None:
    later = {**price(price=150), "version": "2", "since": "2022-01-01"}
    agreed = contract(metrics={"jobs": metric(price(), later)})
    found = settle(agreed, rows(row(1), row(1, result_id="r2", period="second")))
    assert [payment.amount for payment in found.payments] == [100, 150]


def test_indexed_price_is_rounded_by_its_own_rule() -> None:
    follow = {"index": "wages", "base_year": 2021, "rounding": {"digits": 0, "method": "down"}}
    index = {"label": "Wages", "source": "made up", "values": {2021: "104.2", 2022: "107.9"}}
    agreed = contract(indexes={"wages": index}, metrics={"jobs": metric(price(price=1000, indexation=follow))})
    found = settle(agreed, rows(row(2, period="second")))
    assert found.total.amount == 2 * 1035  # 1000 × 107.9 ÷ 104.2 = 1035.508...


def test_group_has_its_own_price() -> None:
    prices = price(prices_by_group={"young": 300, "old": 200})
    agreed = contract(groups={"young": "Under 25", "old": "25 or older"}, metrics={"jobs": metric(prices)})
    found = settle(agreed, rows(row(2, group="young"), row(1, result_id="r2", group="old")))
    assert {payment.group: payment.amount for payment in found.payments} == {"young": 600, "old": 200}


CONDITION = {"metric": "stays", "threshold": 5, "at_threshold": "reached", "must_be": "reached"}


@pytest.mark.parametrize(("stays", "amount"), [(4, 1000), (5, 3000)])
def test_slice_opens_only_if_another_metric_succeeds(stays: int, amount: int) -> None:
    slices = [{"at": 0, "price": 100}, {"at": 10, "price": 200, "only_if": CONDITION}]
    metrics = {"jobs": metric(price("marginal", slices=slices)), "stays": metric(price(price=0))}
    found = settle(contract(metrics=metrics), rows(row(20), row(stays, result_id="r2", metric="stays")))
    assert found.total.amount == amount


@pytest.mark.parametrize(("stays", "amount"), [(4, 50), (5, 0)])
def test_price_applies_only_if_another_metric_failed(stays: int, amount: int) -> None:
    second = price(
        "trigger", threshold=1, at_threshold="reached", amount=50, only_if={**CONDITION, "must_be": "not_reached"}
    )
    metrics = {"jobs": metric(second), "stays": metric(price(price=0))}
    found = settle(contract(metrics=metrics), rows(row(1), row(stays, result_id="r2", metric="stays")))
    assert found.total.amount == amount


COMPARED = {"direction": "decrease", "form": "relative_percent"}


@pytest.mark.parametrize(
    ("against", "values", "amount"),
    [
        ({"type": "matched_group", **COMPARED}, {"value": 142, "comparison": 155}, "838.71"),
        ({"type": "randomised_control", **COMPARED, "form": "difference"}, {"value": 142, "comparison": 155}, "1300"),
        ({"type": "fixed_baseline", **COMPARED, "baseline": 200, "source": "s"}, {"value": 150}, "2500"),
        (
            {
                "type": "historical_cohort",
                "direction": "increase",
                "form": "difference",
                "baseline": 40,
                "baseline_year": 2018,
                "trend_per_year": "1.5",
                "source": "s",
            },
            {"value": 50},
            "550",
        ),
        ({"type": "fixed_baseline", **COMPARED, "baseline": 200, "source": "s"}, {"value": 250}, "0"),
    ],
)
def test_counterfactual(against: dict[str, Any], values: dict[str, Any], amount: str) -> None:
    numbers = {name: Decimal(value) for name, value in values.items()}
    agreed = contract(metrics={"jobs": metric(counterfactual=against)})
    assert settle(agreed, rows(replace(row(), **numbers))).total.amount == Decimal(amount)


def test_cohorts_are_pooled_by_their_people() -> None:
    cohorts = {name: {"label": name, "start": "2020-01-01", "end": "2020-12-31"} for name in ("one", "two")}
    pooled = metric(counterfactual={"type": "matched_group", **COMPARED}, cohorts="pooled")
    first = row(142, cohort="one", comparison=Decimal(155), n_people=936)
    second = row(140, result_id="r2", cohort="two", comparison=Decimal(155), n_people=846)
    found = settle(contract(cohorts=cohorts, metrics={"jobs": pooled}), rows(first, second))
    mean = Decimal(142 * 936 + 140 * 846) / 1782
    assert found.total.amount == round(100 * 100 * (155 - mean) / 155, 2)


def test_people_count_once_and_claims_up_to_the_limit() -> None:
    found = [
        row(1, result_id=f"r{i}", person_id=who, period=when)
        for i, (who, when) in enumerate([("p", "first"), ("p", "first"), ("p", "second"), ("q", "second")])
    ]
    for kind, expected in (
        ({"type": "people"}, [100, 100]),
        ({"type": "claims", "most_per_person": 2}, [200, 100]),
        ({"type": "claims", "most_per_person": None}, [200, 200]),
    ):
        settled = settle(contract(metrics={"jobs": metric(kind=kind)}), rows(*found))
        assert [payment.amount for payment in settled.payments] == expected


@pytest.mark.parametrize(("at_bar", "share"), [("reached", "0.75"), ("not_reached", "0.5")])
def test_share_of_people_over_a_bar(at_bar: str, share: str) -> None:
    kind = {"type": "share", "bar": 25, "at_bar": at_bar, "direction": "increase"}
    hours = [row(h, result_id=f"r{h}", person_id=f"p{h}") for h in (10, 25, 30, 37)]
    found = settle(contract(metrics={"jobs": metric(price(price=1000), kind=kind)}), rows(*hours))
    assert found.total.amount == 1000 * Decimal(share)


def test_who_is_not_accepted_has_not_reached_the_bar() -> None:
    kind = {"type": "share", "bar": 1, "at_bar": "reached", "direction": "increase"}
    people = [
        row(1, result_id="a", person_id="p"),
        row(1, result_id="b", person_id="q", evidence="rejected", accepted_on=None),
    ]
    found = settle(contract(metrics={"jobs": metric(price(price=1000), kind=kind)}), rows(*people))
    assert found.total.amount == 500


def test_frequency_and_share_may_disagree_and_the_settlement_says_so() -> None:
    """Transforming Rehabilitation, first year: fewer people reoffended, those who did so more often."""
    against = {"type": "matched_group", "direction": "decrease", "form": "relative_percent"}
    agreed = contract(metrics={"jobs": metric(kind="frequency", counterfactual=against)})
    shares = {"binary_share": Decimal("0.454"), "comparison_binary_share": Decimal("0.475")}
    found = settle(agreed, rows(row("2.13", comparison=Decimal("1.995"), **shares)))
    assert found.total.amount == 0
    assert "disagree in sign" in found.warnings[0]


@pytest.mark.parametrize(
    ("otherwise", "amount"), [({"otherwise": "pays_nothing"}, 0), ({"otherwise": "pays_amount", "amount": 7}, 7)]
)
def test_sample_rule(otherwise: dict[str, Any], amount: int) -> None:
    agreed = contract(metrics={"jobs": metric(sample={"least_people": 60, **otherwise})})
    assert settle(agreed, rows(row(3, n_people=59))).total.amount == amount
    assert settle(agreed, rows(row(3, n_people=60))).total.amount == 300


def test_unmet_sample_may_refuse_the_settlement() -> None:
    agreed = contract(metrics={"jobs": metric(sample={"least_matched_share": "0.9", "otherwise": "refused"})})
    with pytest.raises(DataError, match="less than 90%"):
        settle(agreed, rows(row(3, matched_share=Decimal("0.89"))))
    assert settle(agreed, rows(row(3, matched_share=Decimal("0.9")))).total.amount == 300


def test_only_accepted_evidence_pays_and_the_rest_stands_in_the_ledger() -> None:
    kind = {"type": "claims", "most_per_person": None}
    claims = [row(1, result_id=s, evidence=s, accepted_on=None) for s in ("claimed", "resubmitted", "rejected")]
    found = settle(contract(metrics={"jobs": metric(kind=kind)}), rows(*claims, row(2, result_id="ok")))
    assert found.total.amount == 200
    rule = found.ledger.loc[found.ledger["kind"] == "evidence", "rule"].item()
    assert rule == "not payable: 1 claimed, 1 rejected, 1 resubmitted"
    assert found.payments[0].payable_on == date(2022, 1, 30)


@pytest.mark.parametrize(
    ("up", "down", "restated", "amount"),
    [
        ("paid", "clawed_back", 7, 400),
        ("paid", "clawed_back", 1, -200),
        ("not_paid", "clawed_back", 7, 0),
        ("paid", "kept", 1, 0),
    ],
)
def test_true_up_and_clawback(up: str, down: str, restated: int, amount: int) -> None:
    agreed = contract(metrics={"jobs": metric(restatement={"upwards": up, "downwards": down})})
    found = settle(agreed, rows(row(3), row(restated, result_id="r2", period="second", restates="r1")))
    assert [payment.amount for payment in found.payments] == [300, amount]
    assert found.payments[1].kind == "true_up"
    assert found.payments[1].payable_on == date(2023, 1, 30)
    assert found.ledger.iloc[-1]["rule"].startswith("corrects r1, first")


def cap(name: str, **values: Any) -> dict[str, Any]:
    return {"type": "cap", "name": name, "spread": "in_order", **values}


@pytest.mark.parametrize(
    ("limit", "amounts"),
    [
        (cap("c", scope="contract", most=500), [300, 200, 0]),
        (cap("c", scope="contract", most=500, spread="pro_rata"), [250, 250, 0]),
        (cap("c", scope="contract", most="100.01", spread="pro_rata"), ["50.01", "50.00", 0]),
        (cap("c", scope="metric", most=400), [300, 300, 100]),
        (cap("c", scope="metric", of="stays", most=50), [300, 50, 300]),
        (cap("c", scope="period", of="first", most=350), [300, 50, 300]),
        (
            cap(
                "c",
                scope="contract",
                most=[
                    {"version": "1", "since": "2021-01-01", "most": 500},
                    {"version": "2", "since": "2023-01-01", "most": 600},
                ],
            ),
            [300, 200, 100],
        ),
        ({"type": "floor", "name": "f", "scope": "period", "least": 650}, [300, 350, 650]),
        ({"type": "floor", "name": "f", "scope": "contract", "least": 1000}, [300, 300, 400]),
    ],
)
def test_limit(limit: dict[str, Any], amounts: list[object]) -> None:
    agreed = contract(metrics={"jobs": metric(), "stays": metric()}, order=[CENTS, limit])
    found = settle(
        agreed,
        rows(row(3), row(3, result_id="r2", metric="stays"), row(3, result_id="r3", period="second")),
    )
    assert [payment.amount for payment in found.payments] == [Decimal(str(amount)) for amount in amounts]


def test_payers_have_shares_and_caps_of_their_own_and_one_bears_the_rest() -> None:
    shared = metric(price(price="0.05"), payers={"city": "0.5", "state": "0.5"}, remainder_to="state")
    order = [CENTS, {"type": "split"}, cap("state only", scope="payer", of="state", most="0.02")]
    found = settle(contract(metrics={"jobs": shared}, order=order), rows(row(1)))
    assert dict(found.by("payer")[["payer", "amount"]].to_numpy()) == {
        "city": Decimal("0.02"),
        "state": Decimal("0.02"),
    }
    kinds = found.ledger[["kind", "payer"]].fillna("").to_records(index=False).tolist()
    assert kinds == [
        ("result", ""),
        ("price", ""),
        ("round", ""),
        ("split", "city"),
        ("split", "state"),
        ("cap", "state"),
    ]


@pytest.fixture(scope="module")
def effects() -> vk.Estimates:
    programme = vk.Programme.read("nsw")
    return vk.estimate(programme.design, vk.read_data(programme))


def effect_contract(form: str = "level", **changes: Any) -> Contract:
    measure = {
        "type": "effect",
        "measure": "earnings_1978_usd",
        "form": form,
        "direction": "increase",
        "period": "first",
    }
    against = {"type": "estimated", "design": "randomised_trial"}
    rounding = {"digits": 0, "method": "half_up"}
    given = metric(price(price=1), kind={**measure, **changes}, counterfactual=against, result_rounding=rounding)
    return contract(metrics={"earnings": given})


@pytest.fixture(scope="module")
def measure(effects: vk.Estimates) -> str:
    return next(iter(effects))


@pytest.mark.parametrize("form", ["level", "relative_percent", "total"])
def test_an_effect_of_the_run_is_settled(effects: vk.Estimates, measure: str, form: str) -> None:
    best = effects.primary.headline().value
    n_treated = int(effects.primary.effects["n_treated"].iloc[0])
    expected = {
        "level": best,
        "relative_percent": 100 * best / effects.primary.comparison_mean,
        "total": best * n_treated,
    }[form]
    found = settle(effect_contract(form, measure=measure), effects)
    assert found.total.amount == round(Decimal(expected))
    assert float(found.ledger.iloc[0]["input"]) == pytest.approx(expected, rel=1e-12)
    assert "this run" in found.ledger.iloc[0]["source"]


def test_another_design_than_the_agreed_one_is_refused(effects: vk.Estimates, measure: str) -> None:
    values = effect_contract(measure=measure).model_dump(mode="json", exclude_unset=True)
    values["metrics"]["earnings"]["counterfactual"]["design"] = "matched_comparison"
    other = ContractFile.model_validate({"contract": values}).contract
    with pytest.raises(DataError, match="agreed on the design"):
        settle(other, effects)


def test_unknown_measure_and_term_are_refused(effects: vk.Estimates, measure: str) -> None:
    with pytest.raises(EstimationError, match="no estimate"):
        from_effects(effect_contract(measure="earnings"), effects)
    with pytest.raises(DataError, match="no estimate called"):
        from_effects(effect_contract(measure=measure, term="lucky"), effects)


def test_waterfall_by_hand() -> None:
    """1,000 at 10% simple for 365 days; 1,250 paid: fee 50, interest 100, principal 1,000, bonus half of 100."""
    flows = settle(
        contract(
            periods={"first": {"start": "2021-01-01", "end": "2021-12-02"}},
            metrics={"jobs": metric(price("as_given", version="1"), unit="DKK")},
            waterfall={
                "account": "provider",
                "tranches": {"loan": {"investor": "fund", "rate": "0.1", "interest": "simple"}},
                "drawdowns": [
                    {"tranche": "loan", "on": "2021-01-01", "amount": 1000, "to": "provider", "source": "plan"}
                ],
                "steps": [
                    {"type": "fee", "name": "manager", "to": "guard", "amount": 50},
                    {"type": "tranche", "tranche": "loan", "first": "interest"},
                    {"type": "bonus", "name": "bonus", "to": "provider", "share": "0.5"},
                    {"type": "residual", "shares": {"city": 1}, "remainder_to": "city"},
                ],
                "guarantees": [
                    {"guarantor": "guard", "tranches": ["loan"], "share": "0.6", "most": 500, "on": "2022-06-01"}
                ],
            },
        ),
        rows(row(1250, accepted_on=date(2021, 12, 1))),
    ).waterfall()
    kinds = ("fee", "interest", "principal", "bonus", "residual", "guarantee")
    assert [flows.total(kind) for kind in kinds] == [50, 100, 1000, 50, 50, 0]
    returns = flows.returns("fund", discount_rate="0.1")
    assert returns.irr == pytest.approx(0.1, abs=1e-12)
    assert (returns.multiple, returns.gain) == (Decimal("1.1"), 100)
    assert returns.net_present_value == 0
    assert returns.loss_given_failure == 500  # 1,000 less the guarantee: 60%, at most 500.


def test_investor_counts_in_its_own_currency_at_dated_rates() -> None:
    parties = terms()["parties"]
    parties["fund"]["currency"] = "CHF"
    waterfall = {
        "account": "provider",
        "tranches": {"loan": {"investor": "fund", "rate": 0, "interest": "none"}},
        "drawdowns": [{"tranche": "loan", "on": "2021-01-01", "amount": 100, "to": "provider", "source": "plan"}],
        "steps": [{"type": "residual", "shares": {"fund": 1}, "remainder_to": "fund"}],
        "exchange_rates": [
            {"currency": "CHF", "on": "2021-01-01", "rate": "7.00", "source": "bank"},
            {"currency": "CHF", "on": "2022-01-30", "rate": "7.50", "source": "bank"},
        ],
    }
    found = settle(contract(parties=parties, waterfall=waterfall), rows(row("7.5"))).waterfall()
    assert found.flows[0].amount == 700
    assert list(found.of("fund")["amount"]) == [-100, 100]
    assert found.returns("fund").currency == "CHF"
    in_francs = settle(contract(parties=parties, waterfall=waterfall), rows(row("7.5"))).waterfall("CHF").frame
    assert list(in_francs["amount_chf"]) == [100, 100, 100]


def test_an_investor_who_also_pays_earns_on_the_investment_only() -> None:
    parties = terms()["parties"]
    parties["fund"]["roles"] = ["investor", "payer"]
    waterfall = {
        "account": "provider",
        "tranches": {"loan": {"investor": "fund", "rate": 0, "interest": "none"}},
        "drawdowns": [{"tranche": "loan", "on": "2021-01-01", "amount": 100, "to": "provider", "source": "plan"}],
        "steps": [{"type": "residual", "shares": {"fund": 1}, "remainder_to": "fund"}],
    }
    shared = metric(price(price=120), payers={"fund": 1})
    returns = settle(contract(parties=parties, metrics={"jobs": shared}, waterfall=waterfall), rows(row(1))).waterfall()
    assert returns.returns("fund").gain == 20


def test_contract_in_words_names_every_term() -> None:
    sentences = " ".join(contract_in_words(contract()))
    for part in ("City: payer and verifier", "100.00 DKK a unit", "rounded to 2 decimals", "30 days after"):
        assert part in sentences


def test_payments_must_be_cleared_before_they_are_published() -> None:
    found = settle(contract(), rows(row(3, n_people=4)))
    cleared = vk.clear(found.table(), DisclosureRule(threshold=5))
    assert cleared.n_hidden == 1


def test_nothing_of_a_person_stands_in_texts_and_ledger() -> None:
    kind = {"type": "claims", "most_per_person": 3}
    person = row(1, person_id="070790-1234")
    found = settle(contract(metrics={"jobs": metric(kind=kind)}), rows(person))
    everything = repr(rows(person)) + repr(person) + repr(found) + found.ledger.to_csv() + repr(found._parts)
    assert "070790" not in everything


def test_money_is_exact_and_keeps_its_currency() -> None:
    assert Money(parse("0.1"), "DKK") + Money(parse("0.2"), "DKK") == Money(parse("0.3"), "DKK")
    assert str(Money(parse("1234.5"), "DKK")) == "1,234.50 DKK"
    assert in_words(parse("5"), "JPY") == "5"
    assert Rounding(digits=-3, method="half_up").of(parse("266950")) == 267_000
    with pytest.raises(vk.VirkningError, match="cannot be added"):
        _ = Money(parse("1"), "DKK") + Money(parse("1"), "USD")


def test_results_are_read_from_plain_values() -> None:
    values = {
        "result_id": "r1",
        "metric": "jobs",
        "period": "first",
        "value": Decimal("0.3"),
        "evidence": "accepted",
        "accepted_on": date(2021, 12, 1),
        "standing": "synthetic",
        "source": "made up",
    }
    assert settle(contract(), Results.of([values])).total.amount == 30
