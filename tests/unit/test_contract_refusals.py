"""Nothing is paid on a guess: each mistake in a contract or its results is refused with where, why and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from virkning.contract import Contract, ContractFile, Results, settle
from virkning.contract.acceptance import require_estimable
from virkning.contract.results import ResultRow
from virkning.contract.statement import settle_files
from virkning.errors import DataError, ProgrammeError, UsageError, VirkningError
from virkning.money import parse
from virkning.specification import read_document

from .contract_examples import contract, metric, price, row, rows, terms

CENTS = {"type": "round", "digits": 2, "method": "half_up"}
PEOPLE = {"type": "people"}
PART = {"share": "0.4", "after_months": 0}


def cap(name: str = "c", **values: Any) -> dict[str, Any]:
    return {"type": "cap", "name": name, "scope": "contract", "most": 100, "spread": "in_order", **values}


def jobs(*prices: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {"metrics": {"jobs": metric(*prices, **values)}}


def overlapping(kind: str, key: str, second: int) -> dict[str, Any]:
    each = {"steps": "amount", "marginal": "price"}[kind]
    extra = {"edge_belongs": "above"} if kind == "steps" else {}
    return jobs(price(kind, **{key: [{"at": 10, each: 1}, {"at": second, each: 2}]}, **extra))


BOTH = {"payers": {"city": "0.5", "state": "0.5"}, "remainder_to": "city"}
TRIGGER = price("trigger", threshold=1, at_threshold="reached", amount=5)
CONTRACTS: dict[str, tuple[dict[str, Any], str]] = {
    "overlapping steps": (overlapping("steps", "tiers", 10), "tiers overlap"),
    "overlapping slices": (overlapping("marginal", "slices", 9), "tiers overlap"),
    "a tier that pays less": (
        jobs(price("steps", tiers=[{"at": 1, "amount": 5}, {"at": 2, "amount": 4}], edge_belongs="above")),
        "must not pay less",
    ),
    "a ramp that falls": (
        jobs(price("ramp", low={"result": 2, "amount": 5}, high={"result": 1, "amount": 9}, at_low="reached")),
        "upper point",
    ),
    "no rule for the edge": (jobs(price("trigger", threshold=1, amount=5)), "at_threshold"),
    "no rule for rounding the result": (jobs(TRIGGER, result_rounding=None), "jumps at an edge"),
    "no price": ({"metrics": {"jobs": {**metric(), "prices": []}}}, "prices"),
    "two prices in one": (jobs(price(price=1, prices_by_group={"a": 1})), "either"),
    "price for an unknown group": (jobs(price(prices_by_group={"a": 1})), "no group"),
    "price version inside a period": (
        jobs(price(), {**price(), "version": "2", "since": "2021-07-01"}),
        "would have two prices",
    ),
    "unknown index": (
        jobs(
            price(price=1, indexation={"index": "cpi", "base_year": 2021, "rounding": {"digits": 2, "method": "down"}})
        ),
        "no index «cpi»",
    ),
    "unknown currency": ({"currency": "Swedish"}, "not a currency code"),
    "unknown party": (jobs(payers={"citty": 1}), "Did you mean «city»"),
    "payer without the role": (jobs(payers={"fund": 1}), "role payer"),
    "shares that do not add up": (jobs(payers={"city": "0.9"}), "add up to 1"),
    "nobody bears the rest": (jobs(payers=BOTH["payers"]), "remainder_to"),
    "payers without a split": (jobs(**BOTH), "type split"),
    "no rounding": ({"order": [cap()]}, "how amounts are rounded"),
    "rounding too fine": ({"order": [{**CENTS, "digits": 3}]}, "decimals of DKK"),
    "rounding up after a cap": ({"order": [CENTS, cap(), CENTS]}, "could exceed it"),
    "rounding after a floor": (
        {"order": [CENTS, {"type": "floor", "name": "f", "scope": "period", "least": 5}, {**CENTS, "method": "down"}]},
        "fall below it",
    ),
    "cap below floor": (
        {"order": [CENTS, {"type": "floor", "name": "f", "scope": "period", "least": 500}, cap(scope="period")]},
        "lies below the floor",
    ),
    "floor after cap": (
        {"order": [CENTS, cap(), {"type": "floor", "name": "f", "scope": "period", "least": 5}]},
        "last word",
    ),
    "person cap after the contract's": (
        {**jobs(kind=PEOPLE), "order": [CENTS, cap(), {"type": "person_cap", "name": "p", "most": 5}]},
        "must stand before",
    ),
    "person cap on what nobody claims": (
        {"order": [{"type": "person_cap", "name": "p", "most": 5}, {**CENTS, "method": "down"}]},
        "not paid per person",
    ),
    "narrow cap after the contract's": ({"order": [CENTS, cap(), cap("d", scope="metric")]}, "narrower"),
    "two caps of one name": ({"order": [CENTS, cap(scope="metric"), cap()]}, "two steps are called"),
    "cap of an unknown metric": ({"order": [CENTS, cap(scope="metric", of="jops")]}, "Did you mean «jobs»"),
    "payer's cap before the split": (
        {**jobs(**BOTH), "order": [CENTS, cap(scope="payer"), {"type": "split"}]},
        "after",
    ),
    "cap versions that begin too late": (
        {"order": [CENTS, cap(most=[{"version": "1", "since": "2030-01-01", "most": 5}])]},
        "no version of the cap",
    ),
    "cap with fractions of an øre": ({"order": [CENTS, cap(most="1.005")]}, "more decimals"),
    "periods that overlap": (
        {
            "periods": {
                "first": {"start": "2021-01-01", "end": "2021-12-31"},
                "second": {"start": "2021-12-31", "end": "2022-01-31"},
            }
        },
        "without overlap",
    ),
    "a period that ends before it starts": (
        {"periods": {"first": {"start": "2021-02-01", "end": "2021-01-01"}}},
        "ends",
    ),
    "people against a baseline": (
        jobs(kind=PEOPLE, counterfactual={"type": "matched_group", "direction": "increase", "form": "difference"}),
        "paid as they are",
    ),
    "an effect without its comparison": (
        jobs(kind={"type": "effect", "measure": "m", "form": "level", "direction": "increase", "period": "first"}),
        "type estimated",
    ),
    "a sample rule without a rule": (jobs(sample={"otherwise": "pays_nothing"}), "neither"),
    "a condition on nothing": (
        jobs({**TRIGGER, "only_if": {"metric": "m", "threshold": 1, "at_threshold": "reached", "must_be": "reached"}}),
        "no metric «m»",
    ),
    "a condition on itself": (
        jobs(
            {**TRIGGER, "only_if": {"metric": "jobs", "threshold": 1, "at_threshold": "reached", "must_be": "reached"}}
        ),
        "own condition",
    ),
    "instalments that do not add up": (jobs(instalments=[PART, {**PART, "after_months": 12}]), "add up to 1"),
    "instalments out of order": (
        jobs(instalments=[{"share": "0.5", "after_months": 12}, {"share": "0.5", "after_months": 12}]),
        "follow each other in time",
    ),
    "a price per day for jobs": (jobs(price("per_day", price=1)), "type days"),
    "an amount in jobs": (jobs(price("as_given", version="1")), "metric's unit"),
    "a negative price": (jobs(price(price=-1)), "greater than or equal to 0"),
    "a date that is a number": (jobs({**price(), "since": 2021}), "year-month-day"),
    "an unknown key": ({"discount": 1}, "Extra inputs"),
    "a waterfall with a rest": (
        {"waterfall": {"account": "provider", "steps": [{"type": "fee", "name": "f", "to": "city", "amount": 1}]}},
        "type residual",
    ),
    "a tranche of somebody who does not invest": (
        {
            "waterfall": {
                "account": "provider",
                "tranches": {"t": {"investor": "city", "rate": 0, "interest": "none"}},
                "steps": [{"type": "residual", "shares": {"city": 1}, "remainder_to": "city"}],
            }
        },
        "role investor",
    ),
}


@pytest.mark.parametrize("case", CONTRACTS)
def test_contract_is_refused(case: str) -> None:
    changes, says = CONTRACTS[case]
    with pytest.raises(ValidationError) as caught:
        contract(**changes)
    assert says in str(caught.value)


def test_contract_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "contract.yml"
    broken = terms(order=[CENTS, cap(scope="metric", of="jops")])
    file.write_text(yaml.safe_dump({"contract": broken}, sort_keys=False), encoding="utf-8")
    with pytest.raises(ProgrammeError) as caught:
        Contract.read(tmp_path)
    assert "contract.order.1.of" in caught.value.where
    assert "line" in caught.value.where
    assert "virkning schema contract" in caught.value.do


PAIRED = {"type": "matched_group", "direction": "decrease", "form": "relative_percent"}
COHORTS = {"one": {"label": "One", "start": "2020-01-01", "end": "2020-12-31"}}
CLAIMS = {"type": "claims", "most_per_person": 2}
RESULTS: dict[str, tuple[dict[str, Any], list[ResultRow], str]] = {
    "nothing": ({}, [], "nothing to settle"),
    "unknown metric": ({}, [row(metric="job")], "Did you mean «jobs»"),
    "unknown period": (
        {},
        [row(period="third", accepted_on=date(2021, 1, 1))],
        "no such period. Known names: first, second",
    ),
    "a cohort that does not exist": ({}, [row(cohort="2019")], "no cohorts at all"),
    "a missing cohort": ({"cohorts": COHORTS, **jobs(cohorts="each")}, [row()], "cohort is missing"),
    "unknown group": ({}, [row(group="young")], "no such group"),
    "a missing group": ({"groups": {"a": "A"}, **jobs(price(prices_by_group={"a": 1}))}, [row()], "group is missing"),
    "a negative count": (jobs(kind=CLAIMS), [row(-1, person_id="p")], "negative"),
    "half a person": (jobs(kind=PEOPLE), [row("0.5")], "whole numbers"),
    "two people in one": (jobs(kind=PEOPLE), [row(2, person_id="p")], "counts as 1 or 0"),
    "nobody behind a limited claim": (jobs(kind=CLAIMS), [row()], "the person is missing"),
    "some with a person": (jobs(kind=PEOPLE), [row(person_id="p"), row(result_id="b")], "some do not"),
    "a figure of a person": ({}, [row(person_id="p")], "belongs to nobody"),
    "two figures for one line": ({}, [row(), row(result_id="b")], "2 figures"),
    "no comparison": (jobs(counterfactual=PAIRED), [row()], "comparison group's figure is missing"),
    "a comparison that nobody agreed on": ({}, [row(comparison=Decimal(1))], "something else"),
    "zero comparator": (jobs(counterfactual=PAIRED), [row(comparison=Decimal(0))], "not above zero"),
    "accepted, but when": ({}, [row(accepted_on=None)], "not when"),
    "accepted too late": ({}, [row(accepted_on=date(2022, 6, 1))], "after the payment date"),
    "a share of persons without people": (
        jobs(kind={"type": "share", "bar": 1, "at_bar": "reached", "direction": "increase"}),
        [row()],
        "the person is missing",
    ),
    "a person twice in a share": (
        jobs(kind={"type": "share", "bar": 1, "at_bar": "reached", "direction": "increase"}),
        [row(person_id="p"), row(result_id="b", person_id="p")],
        "stands twice",
    ),
    "a sample without its size": (
        jobs(sample={"least_people": 60, "otherwise": "pays_nothing"}),
        [row()],
        "number of people",
    ),
    "a correction of nothing": ({}, [row(restates="r0")], "does not exist"),
    "a correction without a rule": ({}, [row(), row(2, result_id="b", restates="r1")], "does not say"),
    "corrections in a circle": (
        jobs(restatement={"upwards": "paid", "downwards": "kept"}),
        [row(), row(result_id="a", restates="b"), row(result_id="b", restates="a")],
        "circle",
    ),
    "two corrections of one row": (
        jobs(restatement={"upwards": "paid", "downwards": "kept"}),
        [row(), row(result_id="a", restates="r1"), row(result_id="b", restates="r1")],
        "restated twice",
    ),
    "a condition without a result": (
        {
            "metrics": {
                "jobs": metric(
                    {
                        **TRIGGER,
                        "only_if": {"metric": "b", "threshold": 1, "at_threshold": "reached", "must_be": "reached"},
                    }
                ),
                "b": metric(),
            }
        },
        [row()],
        "depends on «b»",
    ),
    "an effect from a file": (
        jobs(
            kind={"type": "effect", "measure": "m", "form": "level", "direction": "increase", "period": "first"},
            counterfactual={"type": "estimated", "design": "randomised_trial"},
            result_rounding={"digits": 2, "method": "half_up"},
        ),
        [row()],
        "not by a file",
    ),
}


@pytest.mark.parametrize("case", RESULTS)
def test_results_are_refused(case: str) -> None:
    changes, found, says = RESULTS[case]
    with pytest.raises(DataError) as caught:
        settle(contract(**changes), rows(*found))
    assert says in str(caught.value)
    assert caught.value.where
    assert caught.value.why
    assert caught.value.do


def test_repeated_result_is_refused() -> None:
    with pytest.raises(DataError, match=r"result_id: value stands more than once"):
        rows(row(), row())


def test_missing_index_year_is_refused() -> None:
    follow = {"index": "cpi", "base_year": 2021, "rounding": {"digits": 2, "method": "down"}}
    index = {"cpi": {"label": "CPI", "source": "made up", "values": {2021: 100}}}
    agreed = contract(indexes=index, **jobs(price(price=1, indexation=follow)))
    with pytest.raises(ProgrammeError, match="no value for 2022"):
        settle(agreed, rows(row(period="second")))


def waterfall(**values: Any) -> dict[str, Any]:
    return {
        "account": "provider",
        "steps": [{"type": "residual", "shares": {"fund": 1}, "remainder_to": "fund"}],
        **values,
    }


DRAWN = {
    "tranches": {"t": {"investor": "fund", "rate": 0, "interest": "none"}},
    "drawdowns": [{"tranche": "t", "on": "2021-01-01", "amount": 100, "to": "provider", "source": "plan"}],
}
IN_FRANCS = {**terms()["parties"], "fund": {"label": "Fund", "roles": ["investor"], "currency": "CHF"}}
FLOWS: dict[str, tuple[dict[str, Any], Callable[[Any], object], type[VirkningError], str]] = {
    "no waterfall": ({}, lambda s: s.waterfall(), ProgrammeError, "does not say how payments flow"),
    "no drawdowns": (
        {"waterfall": waterfall()},
        lambda s: s.waterfall().returns("fund"),
        ProgrammeError,
        "no dated drawdowns",
    ),
    "unknown party": ({"waterfall": waterfall()}, lambda s: s.waterfall().of("fond"), UsageError, "no party"),
    "no rate": (
        {"waterfall": waterfall(**DRAWN), "parties": IN_FRANCS},
        lambda s: s.waterfall(),
        ProgrammeError,
        "no exchange rate for CHF",
    ),
    "an unpublished price": (
        {"waterfall": waterfall(), **jobs(price(price="unpublished"))},
        lambda s: s.waterfall(),
        ProgrammeError,
        "not public",
    ),
}


@pytest.mark.parametrize("case", FLOWS)
def test_cash_flows_are_refused(case: str) -> None:
    changes, ask, kind, says = FLOWS[case]
    settled = settle(contract(**changes), rows(row()))
    with pytest.raises(kind, match=re.escape(says)):
        ask(settled)


def test_clawback_that_nobody_funds_is_refused() -> None:
    agreed = contract(waterfall=waterfall(), **jobs(restatement={"upwards": "paid", "downwards": "clawed_back"}))
    settled = settle(agreed, rows(row(5), row(2, result_id="b", period="second", restates="r1")))
    assert settled.total.amount == 200
    with pytest.raises(ProgrammeError, match="after they had been passed on"):
        settled.waterfall()


@pytest.mark.parametrize(
    "written",
    ["$11.712M", "1,600", "12e3", "010", "", "1.2.3", ".5", "5.", 0.1, True, None, Decimal("NaN"), Decimal("Infinity")],
)
def test_no_amount_is_guessed(written: object) -> None:
    with pytest.raises(ValueError, match=r"amount|number"):
        parse(written)


def test_numbers_in_yaml_are_kept_as_written(tmp_path: Path) -> None:
    file = tmp_path / "contract.yml"
    file.write_text("a: 0.1\nb: 0.2\nc: 010\nd: 12:30\ne: 1_000\nf: 1.0e+3\ng: 15.120\nh: 7\n", encoding="utf-8")
    values = read_document(file, "contract.yml", exact=True).values
    assert values["a"] + values["b"] == Decimal("0.3")
    assert (str(values["g"]), values["h"]) == ("15.120", 7)
    for name in "cdef":
        with pytest.raises(ValueError, match="plainly written"):
            parse(values[name])


def test_binary_numbers_are_refused_in_results() -> None:
    with pytest.raises(DataError, match="binary number"):
        Results.of([{"result_id": "a", "value": 0.1}])


def test_contract_in_memory_refuses_binary_numbers() -> None:
    with pytest.raises(ValidationError, match="binary number"):
        ContractFile.model_validate({"contract": terms(**jobs(price(price=0.1)))})


EFFECT = {"type": "effect", "measure": "employed", "form": "level", "direction": "increase", "period": "first"}
BY_EFFECT = {
    "kind": EFFECT,
    "counterfactual": {"type": "estimated", "design": "randomised_trial"},
    "result_rounding": {"digits": 1, "method": "half_even"},
}


@pytest.mark.parametrize(
    ("measures", "design", "says"),
    [(("employed_12",), "randomised_trial", "not among"), (("employed",), "panel", "agreed on the design")],
)
def test_contract_that_the_programme_cannot_estimate_is_refused_before_it_runs(
    measures: tuple[str, ...], design: str, says: str
) -> None:
    agreed = contract(**jobs(**BY_EFFECT))
    require_estimable(agreed, ("employed",), "randomised_trial")
    with pytest.raises(ProgrammeError, match=says):
        require_estimable(agreed, measures, design)


def test_contract_that_pays_for_effects_needs_its_programme(tmp_path: Path) -> None:
    values = yaml.safe_dump({"contract": terms(**jobs(**BY_EFFECT))})
    (tmp_path / "contract.yml").write_text(values, encoding="utf-8")
    with pytest.raises(UsageError, match="no programme is named"):
        settle_files(tmp_path)
