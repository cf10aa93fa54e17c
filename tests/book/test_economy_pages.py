"""The pages on money in a published book: the first screen answers the finance officer, and nobody else is asked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from bs4 import BeautifulSoup

import virkning as vk
from virkning.run.chapters import CHAPTERS

METHODS = sorted(next(entry.methods for entry in CHAPTERS if entry.name == "economy"))


def article(nsw, page):
    return BeautifulSoup(nsw.text(page), "html.parser").select_one("article")


@pytest.fixture(scope="module")
def found(nsw):
    programme = vk.Programme.read("nsw")
    return vk.cost_benefit(programme.economy, nsw.published.run.effects, seed=programme.specification.seed)


@pytest.mark.parametrize("name", METHODS)
def test_chapter_has_what_every_chapter_on_a_method_has(nsw, name):
    page = article(nsw, f"methods/{name}")
    assert len(page.select(".math")) >= 4, "notation"
    assert page.select(".vk-table, .vk-figure"), "live results"
    assert len(page.select(".admonition.dropdown")) >= 2, "two exercises with hidden solutions"
    assert page.select("a[href*='references']"), "citations"
    levels = [int(heading.name[1]) for heading in page.select("h1, h2, h3, h4")]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_payer_is_answered_in_one_sentence(nsw, found):
    said = article(nsw, "economy").select_one(".vk-answer").get_text(" ", strip=True)
    assert said.startswith("What does it cost, and when is it earned back?")
    assert found.sentence("government") in said
    for sentence in found.sentences():
        assert sentence in article(nsw, "economy").get_text(" ", strip=True)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 900)])
def test_answer_stands_on_the_first_screen(width, height, nsw, address, browser):
    browser.size(width, height)
    browser.driver.get(f"{address}/economy.html")
    box = browser.driver.execute_script(
        "return document.querySelector('.vk-answer li').getBoundingClientRect().toJSON()"
    )
    assert 0 < box["top"] < box["bottom"] <= height
    assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_front_page_says_whether_it_pays(nsw, found):
    page = article(nsw, "index")
    said = page.get_text(" ", strip=True)
    assert "Does it pay?" in said
    assert found.sentence("government") in said
    assert found.sentence() in said
    assert page.select_one("a[href='economy.html']")
    assert any("balance so far" in image["alt"] for image in page.select("img"))


@pytest.mark.parametrize("width", [390, 1280])
def test_assumptions_move_in_the_published_page(width, nsw, address, browser, found):
    browser.size(width, 900)
    browser.requests()
    browser.driver.get(f"{address}/sensitivity.html")
    value = "return Number(document.querySelector('tr[data-party=society] [data-view=welfare]').dataset.value)"
    assert browser.driver.execute_script(value) == pytest.approx(found.net_present_value(), rel=1e-9)
    browser.driver.execute_script(
        "const field = document.querySelector('input[type=number][data-input=\"duration:earnings\"]');"
        "field.value = 5; field.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    longer = found.economy.changed({"consequences.earnings.duration_years": 5})
    expected = vk.cost_benefit(longer, found.effects, draws=1_000).net_present_value()
    assert browser.driver.execute_script(value) == pytest.approx(expected, rel=1e-9)
    assert [url for url in browser.requests() if not url.startswith(address)] == []
    assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width
    # The theme has things to say too; what goes wrong in our script names the page itself.
    assert [entry for entry in browser.driver.get_log("browser") if "sensitivity.html" in entry["message"]] == []


def test_every_assumption_has_its_source(nsw, found):
    table = article(nsw, "economy").select_one("#table-assumptions")
    heads = [head.get_text(" ", strip=True) for head in table.select("thead th")]
    assert "Source" in heads
    assert "Grade" in heads
    assert len(table.select("tbody tr")) == len(found.assumptions().frame)
    assert "not stated" not in table.get_text()
