"""The page on which a reader moves assumptions: its numbers are the toolkit's, and it asks nobody for anything."""

from __future__ import annotations

import numpy as np
import pytest

import virkning as vk
from virkning.disclosure import DisclosureRule
from virkning.economy import Economy, EconomySpecification
from virkning.economy.figures import money
from virkning.economy.pictures import payers
from virkning.economy.results import PUBLIC

SHAPES = {"currency": "DKK", "price_year": 2024, "source": "a test"}


def price(value, per, **given):
    return {"label": per, "value": value, "per": per, "every": "year", "grade": "D", **SHAPES, **given}


def line(outcome, subject, **given):
    return {"label": subject, "outcome": outcome, "subject": subject, "price": f"{outcome}_unit", **given}


DOCUMENT = {
    "currency": "DKK",
    "price_year": 2024,
    "start_year": 2025,
    "horizon_years": 40,
    "people": {"intake": {0: 60, 2: 40}},
    "parties": {
        "municipality": {"label": "the municipality", "kind": "public"},
        "state": {"label": "the state", "kind": "public"},
        "participants": {"label": "the participants", "kind": "participant"},
        "others": {"label": "others", "kind": "other"},
    },
    "discounting": {"type": "green_book", "convention": "half_year"},
    "prices": {
        "work_unit": price(1_000, "months", low=500, high=1_200),
        "health_unit": price(9_000, "points"),
        "assistance_unit": price(700, "kroner"),
    },
    "costs": {
        "start": {
            "label": "start", "kind": "start_up", "amount": 20_000, "per": "programme", "payer": "state", **SHAPES
        },
        "mentor": {
            "label": "mentor",
            "kind": "running",
            "amount": 1_500,
            "low": 1_200,
            "high": 2_500,
            "per": "participant",
            "years": 2,
            "payer": "municipality",
            "reimbursements": [{"party": "state", "share": [0.8, 0.3]}],
            **SHAPES,
        },
        "volunteers": {
            "label": "volunteers", "kind": "volunteer", "amount": 90, "per": "participant", "payer": "others", **SHAPES
        },
    },
    "consequences": {
        "measured": line(
            "work",
            "earnings",
            gains="participants",
            duration_years=2,
            persistence={"type": "measured", "terms": ["year 1", "year 2"]},
            taxes=[{"party": "municipality", "share": 0.25}, {"party": "state", "share": 0.1}],
            displacement={"share": 0.3, "party": "others", "source": "a test"},
        ),
        "later": line(
            "work",
            "earnings",
            gains="participants",
            start_year=2,
            duration_years=8.5,
            duration_low=4,
            duration_high=12,
            persistence={"type": "exponential", "yearly_drop_share": 0.2, "low": 0.1, "high": 0.4},
            probability=0.8,
        ),
        "assistance": line(
            "assistance",
            "assistance",
            gains="participants",
            loses="municipality",
            duration_years=6,
            persistence={"type": "linear"},
            reimbursements=[{"party": "state", "share": [0.8, 0.4, 0.2], "of": "municipality"}],
        ),
        "health": line(
            "health",
            "health",
            gains="participants",
            start_year=1,
            duration_years=30,
            is_cash=False,
            is_health=True,
            at_factor_prices=True,
        ),
        "study": line(
            "assistance",
            "courses",
            loses="state",
            duration_years=3,
            persistence={"type": "measured", "shares": [1.0, 0.5, -0.2], "source": "a study"},
            link={"outcome": "courses", "unit": "kroner", "change": 0.4, "source": "a study"},
        ),
    },
    "welfare": {"tax_distortion_share": 0.2, "market_price_factor": 1.28},
}  # fmt: skip

# What the reader moves in the page, and the same change in the specification.
MOVES = {
    "nothing": ({}, {}),
    "prices and costs": (
        {"price:work_unit": "1137.5", "cost:mentor": "900"},
        {"prices.work_unit.value": 1137.5, "costs.mentor": {**DOCUMENT["costs"]["mentor"], "amount": 900, "low": 0}},
    ),
    "durations and drop": (
        {"duration:later": "11.25", "drop:later": "0.35", "duration:measured": "1.5", "duration:assistance": "2.75"},
        {
            "consequences.later.duration_years": 11.25,
            "consequences.later.persistence.yearly_drop_share": 0.35,
            "consequences.measured.duration_years": 1.5,
            "consequences.assistance.duration_years": 2.75,
        },
    ),
    "chances and links": (
        {"probability:later": "0.3", "link:study": "-0.7"},
        {"consequences.later.probability": 0.3, "consequences.study.link.change": -0.7},
    ),
    "the Danish rates": ({"rates": "danish"}, {"discounting": {"type": "danish", "convention": "half_year"}}),
    "one rate": (
        {"rates": "constant", "rate": "4.5"},
        {"discounting": {"type": "constant", "rate": 0.045, "convention": "half_year"}},
    ),
    "they stay": (
        {"fade": "constant"},
        {f"consequences.{name}.persistence": {"type": "constant"} for name in ("later", "assistance", "study")},
    ),
    "a straight line": (
        {"fade": "linear"},
        {f"consequences.{name}.persistence": {"type": "linear"} for name in ("later", "assistance", "health", "study")},
    ),
    "a share each year": (
        {"fade": "exponential", "drop": "15"},
        {
            f"consequences.{name}.persistence": {"type": "exponential", "yearly_drop_share": 0.15}
            for name in ("later", "assistance", "health", "study")
        },
    ),
}


@pytest.fixture(scope="module")
def effects(made_up_effects):
    found = {"work": (2.0, 0.5, "months"), "assistance": (-3.0, 0.4, "kroner"), "health": (0.1, 0.05, "points")}
    return made_up_effects(found, path=((3.0, 1.0), np.array([[0.25, 0.1, 0.05], [0.1, 0.3, 0.1], [0.05, 0.1, 0.4]])))


@pytest.fixture(scope="module")
def economy():
    return Economy.of(EconomySpecification.model_validate(DOCUMENT))


def cleared(table, threshold=5):
    return vk.clear(table, DisclosureRule(threshold=threshold))


def answer(case, effects):
    return vk.cost_benefit(case, effects, draws=1_000)


@pytest.fixture(scope="module")
def page(economy, effects, browser, tmp_path_factory):
    """The page alone, opened from a file."""
    shown = vk.report.economy.sensitivity(answer(economy, effects), cleared)
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text("<!doctype html><meta charset='utf-8'>" + "".join(item.content for item in shown), encoding="utf-8")
    browser.requests()
    browser.driver.get(file.as_uri())
    return browser


def move(page, moves):
    """Move fields as a reader would, from what is assumed."""
    page.driver.execute_script("document.querySelector('.vk-sensitivity button').click()")
    for name, value in moves.items():
        kind = "input" if ":" in name else "choice"
        page.driver.execute_script(
            'const field = [...document.querySelectorAll(`[data-${arguments[0]}="${arguments[1]}"]`)].at(-1);'
            "field.value = arguments[2]; field.dispatchEvent(new Event('input', {bubbles: true}));",
            kind,
            name,
            value,
        )


def results(page):
    """Return what stands in the table: party to budget, welfare and year, in full precision."""
    return page.driver.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('tr[data-party]')].map(row => [row.dataset.party,"
        "[...row.querySelectorAll('[data-value]')].map(cell => [cell.dataset.view || 'year', cell.dataset.value])]))"
    )


def expected(found):
    """Return what the toolkit finds, in the same form."""
    model, told = found.model, {}
    for position, name in enumerate(model.parties):
        told[name] = {"welfare": found.streams.welfare[0, position].sum()}
        if name != "tax_distortion":
            told[name]["budget"] = found.streams.budget[0, position].sum()
    told["society"] = {"welfare": found.net_present_value()}
    told[PUBLIC] = {"budget": found.streams.budget[0, model.is_public].sum()}
    return told


@pytest.mark.parametrize("name", MOVES)
def test_page_finds_what_the_toolkit_finds(name, page, economy, effects):
    moves, changes = MOVES[name]
    if name == "they stay":
        changes = {**changes, "consequences.health.persistence": {"type": "constant"}}
    found = answer(economy.changed(changes) if changes else economy, effects)
    move(page, moves)
    shown, told = results(page), expected(found)
    assert set(shown) == set(told)
    scale = max(abs(value) for values in told.values() for value in values.values())
    for party, cells in shown.items():
        numbers = {view: float(value) for view, value in cells if view != "year"}
        assert numbers == pytest.approx(told[party], rel=1e-9, abs=1e-9 * scale), party
        if party in payers(found) and party != PUBLIC:
            year = found.break_even_year(party)
            assert dict(cells)["year"] == ("never" if year is None else str(year))


def test_rates_move_together(page, economy, effects):
    found = answer(economy, effects)
    move(page, {"shift": "1.5"})
    streams = found.model.streams(found.model.central(), shift=0.015)
    assert float(dict(results(page)["society"])["welfare"]) == pytest.approx(streams.welfare.sum(), rel=1e-9)


def test_effect_moves_its_path_too(page, economy, effects):
    found = answer(economy, effects)
    move(page, {"effect:work": "1.25"})
    values = {**found.model.central(), "effect:work": np.array([1.25])}
    told = found.model.streams(values).welfare[0].sum(axis=1)
    shown = results(page)
    for position, party in enumerate(found.model.parties):
        assert float(dict(shown[party])["welfare"]) == pytest.approx(told[position], rel=1e-9)


def test_impossible_value_changes_nothing(page):
    move(page, {})
    before = results(page)
    move(page, {"probability:later": "1.4", "price:work_unit": "-3", "duration:later": "80"})
    assert results(page) == before


def test_slider_and_field_are_one(page):
    move(page, {})
    page.driver.execute_script(
        "const slider = document.querySelector('input[type=range][data-input=\"price:work_unit\"]');"
        "slider.value = 250; slider.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    field = "return document.querySelector('input[type=number][data-input=\"price:work_unit\"]').value"
    assert page.driver.execute_script(field) == "250"


def test_amounts_are_said_as_in_the_book(page, economy, effects):
    found = answer(economy, effects)
    move(page, {})
    said = page.driver.execute_script("return document.querySelector('[data-sentence]').textContent")
    assert f"The municipality: DKK {money(found.net_present_value('municipality'))} net" in said
    cell = "return document.querySelector('tr[data-party=society] [data-view=welfare]').textContent"
    assert page.driver.execute_script(cell) == money(found.net_present_value())


def test_page_asks_nobody(page):
    move(page, {"rates": "danish"})
    assert [url for url in page.requests() if not url.startswith("file:")] == []


def test_without_scripts_there_is_a_table(economy, effects):
    widget, table = vk.report.economy.sensitivity(answer(economy, effects), cleared)
    assert widget.content.startswith('<div class="vk-sensitivity" hidden>')
    assert "<noscript><p>Without scripts nothing can be moved here." in widget.content
    assert table.kind == "table"
    assert "Discount rates" in table.text


def test_small_groups_put_nothing_into_the_page(economy, effects):
    shown = vk.report.economy.sensitivity(answer(economy, effects), lambda table: cleared(table, 101))
    assert [item.kind for item in shown] == ["prose"]
