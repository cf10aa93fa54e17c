"""The built NSW book in a real browser: what it loads, how it looks on a phone, in the dark and on paper."""

from __future__ import annotations

import base64
import csv
import io
import itertools
import re
import time
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PHONE, DESKTOP = (390, 844), (1280, 900)


def test_every_part_of_the_book_is_there(nsw) -> None:
    expected = {"index", "what", "why", "how", "programme", "data", "effects", "checks", "subgroups", "record"}
    expected |= {
        "economy",
        "sensitivity",
        "how_to_read",
        "methods/randomised_trial",
        "methods/checks",
        "glossary",
        "references",
        "search",
    }
    assert expected <= set(nsw.pages)


def test_front_page_says_the_published_result(nsw) -> None:
    page = BeautifulSoup(nsw.text("index"), "html.parser")
    assert page.h1.get_text().startswith("National Supported Work")
    answer = page.select_one(".vk-answer").get_text(" ")
    best = nsw.published.run.effects.headline()
    assert f"{best.value:,.0f} USD higher" in answer
    assert f"{best.lower:,.0f} to {best.upper:,.0f}" in answer
    assert "Evidence level 5 of 5" in page.get_text()


def test_effects_page_prints_the_published_digits_beside_the_robust_ones(nsw) -> None:
    rows = download(nsw.text("effects"), "effects-earnings_usd")
    by_term = {row["label"]: row for row in rows}
    first = rows[0]
    assert (round(float(first["value"])), round(float(first["std_error"]))) == (1794, 633)
    assert len([label for label in by_term if "Adjusted" in label and "HC2" in label]) == 2
    assert "1,794" in BeautifulSoup(nsw.text("effects"), "html.parser").get_text()


def test_method_chapter_reproduces_the_published_result_live(nsw) -> None:
    text = BeautifulSoup(nsw.text("methods/randomised_trial"), "html.parser").get_text(" ")
    assert re.search(r"Computed here:\s+1,794\s+USD \(standard error 633\)", re.sub(r"\s+", " ", text))


def download(page: str, name: str) -> list[dict[str, str]]:
    link = BeautifulSoup(page, "html.parser").find("a", download=f"{name}.csv")
    data = base64.b64decode(link["href"].split("base64,")[1]).decode()
    return list(csv.DictReader(io.StringIO(data)))


def test_every_table_can_be_downloaded(nsw) -> None:
    n_tables = 0
    for name in nsw.pages:
        page = BeautifulSoup(nsw.text(name), "html.parser")
        # A live table shows what the reader has just chosen.
        for table in page.select("figure.vk-table:not(.vk-live)"):
            n_tables += 1
            link = table.find("a", class_="vk-download")
            rows = download(nsw.text(name), link["download"].removesuffix(".csv"))
            # A check that had nothing to compute says so in words, without a table of headings.
            assert rows, (name, table["id"])
            assert table.select("tbody tr"), (name, table["id"])
    assert n_tables >= 12


def test_only_our_own_tables_are_printed(nsw) -> None:
    for name in nsw.pages:
        assert not BeautifulSoup(nsw.text(name), "html.parser").select("table.dataframe"), name


def test_headings_and_figures_can_be_read_aloud(nsw) -> None:
    for name in nsw.pages:
        page = BeautifulSoup(nsw.text(name), "html.parser")
        assert page.html["lang"] == "en"
        levels = [int(heading.name[1]) for heading in page.select("article h1, article h2, article h3, article h4")]
        assert levels.count(1) == 1 or name in ("search", "genindex"), name
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), name
        for image in page.select("article img"):
            assert len(image.get("alt", "")) > 20, name


def test_no_page_asks_another_host(nsw, browser, address) -> None:
    browser.requests()
    for name in nsw.pages:
        browser.driver.get(f"{address}/{name}.html")
        time.sleep(0.3)
        asked = browser.requests()
        assert asked, name
        assert {urlsplit(url).netloc for url in asked} == {urlsplit(address).netloc}, name


def test_book_works_from_a_folder_without_a_server(nsw, browser) -> None:
    browser.driver.get((nsw.html / "methods" / "randomised_trial.html").as_uri())
    WebDriverWait(browser.driver, 20).until(lambda d: d.find_elements(By.CSS_SELECTOR, "mjx-container svg"))
    assert all(url.startswith("file:") for url in browser.requests())


def test_search_finds_a_word_in_prose(nsw, browser, address) -> None:
    browser.driver.get(f"{address}/search.html?q=lottery")
    found = WebDriverWait(browser.driver, 20).until(
        lambda d: d.find_elements(By.CSS_SELECTOR, "#search-results ul li a")
    )
    assert len(found) >= 3


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_no_page_is_wider_than_the_screen(nsw, browser, address, size) -> None:
    browser.size(*size)
    for name in nsw.pages:
        browser.driver.get(f"{address}/{name}.html")
        width = browser.driver.execute_script("return document.documentElement.scrollWidth")
        assert width <= size[0] + 1, name


def luminance(rgb: str) -> float:
    parts = [int(float(x)) / 255 for x in re.findall(r"[\d.]+", rgb)[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser, address, theme) -> None:
    browser.size(*DESKTOP)
    script = """
    document.documentElement.dataset.theme = arguments[0];
    const background = node => { for (let n = node; n; n = n.parentElement) {
        const c = getComputedStyle(n).backgroundColor; if (!/rgba\\(0, 0, 0, 0\\)|transparent/.test(c)) return c; }
        return 'rgb(255, 255, 255)'; };
    const looked = 'article p, .vk-table :is(td, th, caption), figcaption, .vk-facts :is(span, strong)';
    return [...document.querySelectorAll(looked)].filter(n => n.textContent.trim() && n.offsetParent)
        .map(n => [getComputedStyle(n).color, background(n), n.textContent.slice(0, 40)]);
    """
    for name in ("index", "effects", "data"):
        browser.driver.get(f"{address}/{name}.html")
        looked = browser.driver.execute_script(script, theme)
        assert looked
        for colour, ground, text in looked:
            light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{name}: {text}"


def test_code_is_hidden_until_asked_for(browser, address) -> None:
    browser.size(*DESKTOP)
    browser.driver.get(f"{address}/effects.html")
    blocks = browser.driver.find_elements(
        By.CSS_SELECTOR, "article .highlight-ipython3, article .cell_input .highlight"
    )
    assert blocks
    assert not any(block.is_displayed() for block in blocks)
    toggle = browser.driver.find_element(By.CSS_SELECTOR, "article details.hide summary")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", toggle)
    toggle.click()
    WebDriverWait(browser.driver, 5).until(lambda _: any(block.is_displayed() for block in blocks))


def test_solutions_are_hidden_until_asked_for(browser, address) -> None:
    browser.size(*DESKTOP)
    browser.driver.get(f"{address}/methods/randomised_trial.html")
    solutions = browser.driver.find_elements(By.CSS_SELECTOR, ".admonition.dropdown")
    assert len(solutions) >= 2
    assert not any(
        p.is_displayed() for s in solutions for p in s.find_elements(By.CSS_SELECTOR, "p:not(.admonition-title)")
    )


def test_paper_shows_the_page_without_navigation(browser, address) -> None:
    browser.driver.get(f"{address}/index.html")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        for selector in (".bd-sidebar-primary", ".bd-header-article", ".prev-next-footer", ".vk-download"):
            for element in browser.driver.find_elements(By.CSS_SELECTOR, selector):
                assert not element.is_displayed(), selector
        assert browser.driver.find_element(By.CSS_SELECTOR, ".vk-answer").is_displayed()
        pdf = base64.b64decode(browser.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
        assert pdf.startswith(b"%PDF")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_pages_raise_no_script_errors(browser, address) -> None:
    browser.driver.get_log("browser")
    for name in ("index", "effects", "methods/randomised_trial"):
        browser.driver.get(f"{address}/{name}.html")
        time.sleep(0.5)
        entries = browser.driver.get_log("browser")
        severe = [e for e in entries if e["level"] == "SEVERE" and e["source"] != "console-api"]
        assert [e for e in severe if "favicon" not in e["message"]] == [], name
