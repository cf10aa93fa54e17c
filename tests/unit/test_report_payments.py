"""The payment chapter: every party finds its number, small groups stay hidden, and every exhibit is one of ours."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

import virkning as vk
from virkning.contract import Contract, Results, settle
from virkning.contract.draws import settle_run
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import EstimationError
from virkning.estimates import Estimates
from virkning.report import Exhibit
from virkning.report.payments import PaymentPage, reproduces, tables

from .contract_examples import contract, metric, price, row, rows
from .test_contract_draws import RAMP, TERMS, WATERFALL

ROOT = Path(__file__).parents[2]
RULE = DisclosureRule(threshold=5)
SECTIONS = ("answer", "parties", "in_words", "lines", "money", "over_time", "how_sure")
PARTIES = {
    "city": {"label": "City", "roles": ["payer", "verifier"]},
    "state": {"label": "State", "roles": ["payer"]},
    "fund": {"label": "Fund", "roles": ["investor"]},
    "guard": {"label": "Guard", "roles": ["guarantor"]},
    "provider": {"label": "Provider", "roles": ["provider"]},
}


def text_of(exhibits: list[Exhibit]) -> str:
    return "\n".join(exhibit.text + exhibit.content for exhibit in exhibits)


@pytest.fixture(scope="module")
def page(made_up_effects: Callable[..., Estimates]) -> PaymentPage:
    effects = made_up_effects({"is_employed": (0.03, 0.02, "share")}, kind="share")
    shared = {"payers": {"city": "0.6", "state": "0.4"}, "remainder_to": "city"}
    order = [
        {"type": "round", "digits": 2, "method": "half_up"},
        {"type": "split"},
        {"type": "cap", "name": "most", "scope": "contract", "most": 1150, "spread": "in_order"},
    ]
    agreed = contract(
        parties=PARTIES,
        metrics={
            "jobs": metric(RAMP, label="Jobs by effect", **TERMS, **shared),
            "homes": metric(label="Homes", unit="homes"),
        },
        order=order,
        waterfall=WATERFALL,
    )
    given = rows(row(2, metric="homes"))
    settled = settle(agreed, given, effects=effects)
    return PaymentPage.of(settled, RULE, lambda: settle_run(agreed, given, effects, 1, n=1000))


def test_every_section_is_made_of_exhibits(page: PaymentPage) -> None:
    shown = {section: getattr(page, section)() for section in SECTIONS}
    assert all(shown.values())
    exhibits = [exhibit for section in shown.values() for exhibit in section]
    assert all(isinstance(exhibit, Exhibit) for exhibit in exhibits)
    names = [exhibit.name for exhibit in exhibits]
    assert len(names) == len(set(names))


def test_payer_and_investor_find_their_number(page: PaymentPage) -> None:
    """By the effect 500 and for homes 200: the city bears 0.6 · 500 + 200, the state the rest; the fund put in 600."""
    answer = text_of(page.answer())
    for number in ("The payers owe 700 DKK", "500 DKK", "200 DKK", "100 DKK"):
        assert number in answer
    parties = text_of(page.parties())
    assert "To pay: 500 DKK" in parties
    assert "To pay: 200 DKK" in parties
    assert "Paid in 600 DKK, got back 700 DKK" in parties
    assert "If no outcome were paid for, 300 DKK would be lost" in parties


def test_uncertainty_tells_what_is_paid_for_no_effect(page: PaymentPage) -> None:
    shown = text_of(page.how_sure())
    assert re.search(r"Jobs by effect \| 500 \| .* \| the estimated effect", shown)
    assert re.search(r"Homes \| 200 \| \d+ \| 0\.0 \| \d+ \| 100\.0 \| what was counted", shown)
    assert "Had the programme made no difference, they would still pay" in shown


def test_made_up_contract_and_assumed_prices_are_marked(page: PaymentPage) -> None:
    answer = text_of(page.answer())
    assert "This contract is made up" in answer
    assert "are assumptions; whoever uses this contract must replace them" in answer


def small() -> tuple[Contract, Results]:
    """Two persons in one line, many in the others."""
    agreed = contract(
        parties=PARTIES,
        metrics={
            name: metric(price(price=1000), kind={"type": "people"}, label=name.capitalize(), unit="people")
            for name in ("jobs", "homes", "schools")
        },
    )
    found = [
        row(1, result_id=f"{name}{i}", metric=name, person_id=f"person-{i}")
        for name, n in (("jobs", 2), ("homes", 7), ("schools", 40))
        for i in range(n)
    ]
    return agreed, Results(tuple(found))


def test_a_line_of_two_persons_is_hidden_with_what_would_give_it_away() -> None:
    settled = settle(*small())
    made = tables.lines_table(settled)
    cleared = clear(made, RULE)
    assert cleared.hidden["paid"].tolist() == [True, True, False]
    assert tables.hidden_lines(settled, RULE) == {"first / jobs", "first / homes"}
    page = PaymentPage(settled, RULE)
    for section in ("parties", "lines"):
        shown = text_of(getattr(page, section)())
        assert "2,000" not in shown
        assert "7,000" not in shown
        assert "2 people" not in shown
        assert "person-" not in shown


def test_large_groups_are_shown() -> None:
    agreed, found = small()
    shown = text_of(PaymentPage(settle(agreed, Results(found.rows[9:])), RULE).lines())
    assert "40,000" in shown


def test_persons_who_reach_their_cap_are_not_counted_in_public() -> None:
    agreed, found = small()
    order = [
        {"type": "person_cap", "name": "person", "most": 1500},
        {"type": "round", "digits": 2, "method": "down"},
    ]
    settled = settle(contract(metrics=agreed.model_dump(mode="json")["metrics"], order=order), Results(found.rows[9:]))
    assert settled.ledger["rule"].str.contains("reached by").any()
    shown = text_of(PaymentPage(settled, RULE).lines())
    assert "reached by" not in shown


def test_unpublished_price_has_no_total_anywhere() -> None:
    agreed = contract(metrics={"jobs": metric(price(price="unpublished"))})
    page = PaymentPage.of(settle(agreed, rows(row(3))), RULE, lambda: pytest.fail("nothing may be drawn"))
    for section in SECTIONS:
        assert "owe 0" not in text_of(getattr(page, section)())
    assert "There is no total" in text_of(page.answer())


def test_reproduction_fails_on_another_digit() -> None:
    assert "agree" in reproduces(Decimal("3125000"), "3125000", "USD", source="GOLab2023").text
    with pytest.raises(EstimationError, match="not reproduced"):
        reproduces(Decimal("3125000.4"), "3125000.3", "USD", source="GOLab2023")


@pytest.mark.parametrize("chapter", ["outcomes_contracts", "settlement", "waterfall_and_returns"])
def test_method_chapter_has_what_every_chapter_has(chapter: str) -> None:
    text = (ROOT / "book" / "methods" / f"{chapter}.md").read_text(encoding="utf-8")
    assert text.count("```{math}") >= 4
    assert text.count("```{code-cell}") >= 3
    assert text.count(":class: dropdown") == 2
    assert "reproduces(" in text
    for part in ("## The question it answers", "## What goes wrong in practice", "## Exercises", "## Further reading"):
        assert part in text


def test_ungevej_settles_as_its_effects_say(made_up_effects: Callable[..., Estimates]) -> None:
    """The counted part is 865 people in work and 789 in education, whatever the effects are."""
    agreed = Contract.read(ROOT / "programmes" / "ungevej")
    given = Results.read(ROOT / "programmes" / "ungevej" / "results.csv")
    counted = {name: sum(row.value for row in given.rows if row.metric == name) for name in agreed.metrics}
    assert counted["employment_3_months"] == 865
    assert counted["education_started"] == 789
    assert {price.standing for each in agreed.metrics.values() for price in each.prices} == {"assumed"}
    settled = settle(agreed, given)
    assert settled.total.amount == 865 * 5000 + 789 * 3000
    assert isinstance(vk.clear(tables.lines_table(settled), RULE).n_hidden, int)
