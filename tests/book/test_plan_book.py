"""A programme that is only planned publishes a book from its specification alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import virkning as vk
from virkning.book import _without_dead_links
from virkning.publication import Published


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Published:
    place = tmp_path_factory.mktemp("plan")
    return vk.publish(vk.Programme.read("trappen"), runs=place / "runs", books=place / "_build")


def page(plan: Published, name: str) -> BeautifulSoup:
    text = (plan.book.index.parent / f"{name}.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser")


def test_pages_of_results_are_left_out(plan: Published) -> None:
    names = {path.stem for path in plan.book.index.parent.rglob("*.html")}
    assert {"index", "what", "why", "how", "programme", "power", "randomised_trial", "record", "glossary"} <= names
    assert not {"data", "effects", "checks", "subgroups", "how_to_read"} & names


def test_front_page_says_what_could_be_seen(plan: Published) -> None:
    front = page(plan, "index")
    assert front.h1.get_text().startswith("Trappen")
    answers = front.select(".vk-answer")
    assert "With 300 people we can see a change of" in answers[0].get_text(" ")
    assert plan.headline in answers[0].get_text(" ")
    assert len(answers) == 2
    assert len(front.select("figure.vk-figure")) == 2
    words = front.get_text(" ")
    for part in ("What must be true", "will be made", "Furthest from work", "Made up; a municipality", "467 people"):
        assert part in words


def test_chapter_on_power_is_computed(plan: Published) -> None:
    words = page(plan, "power").get_text(" ")
    assert "With 120 people we can see a change of 25 per 100 or more" in words
    assert "Synthetic control" in words


def test_no_link_is_dead(plan: Published) -> None:
    html = plan.book.index.parent
    for file in html.rglob("*.html"):
        for link in BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser").select("article a.internal"):
            target = link["href"].split("#")[0]
            assert not target or (file.parent / target).exists(), (file.name, target)


def test_unchanged_plan_is_not_published_again(plan: Published) -> None:
    html = plan.book.index.parent
    again = vk.publish(vk.Programme.read("trappen"), runs=html.parents[2] / "runs", books=html.parents[1])
    assert again.run.n_executed == 0
    assert not again.book.is_new


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("See {doc}`Effects </effects>`.", "See Effects."),
        ("See {doc}`effects`.", "See effects."),
        ("See {doc}`the record </record>`.", "See {doc}`the record </record>`."),
        ("See {doc}`how_to_read`.", "See how to read."),
    ],
)
def test_links_to_absent_pages_become_words(text: str, words: str) -> None:
    assert _without_dead_links(text, {"record"}) == words


def test_source_has_neither_data_nor_plan(tmp_path: Path) -> None:
    from virkning.errors import ProgrammeError
    from virkning.resources import example

    (tmp_path / "mine").mkdir()
    for file in example("trappen").iterdir():
        text = file.read_text(encoding="utf-8")
        if file.name == "programme.yml":
            start, end = text.index("plan:\n"), text.index("design:\n")
            text = text[:start] + text[end:]
        (tmp_path / "mine" / file.name).write_text(text, encoding="utf-8")
    with pytest.raises(ProgrammeError, match="needs the key «plan»"):
        vk.Programme.read(tmp_path / "mine")
