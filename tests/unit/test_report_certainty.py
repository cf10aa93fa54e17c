"""What a reader sees of how sure one can be, and of effects that are too small to matter."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from virkning import report
from virkning.certainty import Certainty
from virkning.certainty.rule import Part
from virkning.estimand import Estimand, Outcome
from virkning.estimates import Estimate

GOOD = [Part(name, 4, f"The {name} is fine.") for name in ("design", "sample", "attrition", "balance", "robustness")]


@pytest.fixture
def with_interval(trial, make_tables, people, earnings):
    """Return the function that gives an estimate another interval and a smallest effect that matters."""
    from virkning.designs import estimate

    found = estimate(trial(), make_tables(people, {"earnings": earnings})).primary

    def make(lower: float, upper: float, matters: float | None, better: str = "higher") -> Estimate:
        frame = found.effects.assign(value=(lower + upper) / 2, lower=lower, upper=upper)
        return replace(found, frame=frame, estimand=replace(found.estimand, smallest_relevant=matters, better=better))

    return make


@pytest.mark.parametrize(
    ("interval", "matters", "verdict", "words"),
    [
        ((-5, 5), None, "unclear", "No clear effect"),
        ((-5, 5), 10.0, "negligible", "No effect worth the name"),
        ((1, 5), 10.0, "negligible", "No effect worth the name"),
        ((-5, 15), 10.0, "unclear", "Too uncertain to say"),
        ((-15, 5), 10.0, "unclear", "Too uncertain to say"),
        ((-10, 5), 10.0, "unclear", "Too uncertain to say"),
        ((5, 15), 10.0, "better", "An effect was found"),
        ((12, 15), 10.0, "better", "An effect was found"),
        ((-15, -5), 10.0, "worse", "A harmful effect was found"),
        ((5, 15), None, "better", "An effect was found"),
    ],
)
def test_verdict(with_interval, interval, matters, verdict, words):
    found = with_interval(*interval, matters)
    assert report.verdict(found) == verdict
    assert report.sentences.verdict_text(found) == words


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((-5, 5), "the whole interval lies below it"),
        ((-5, 15), "the question stays open"),
        ((5, 15), "this one may be smaller"),
        ((12, 15), "all of the interval is at least that"),
        ((-15, -12), "all of the interval is at least that"),
    ],
)
def test_sentence_holds_the_effect_against_what_matters(with_interval, interval, words):
    text = report.headline_text(with_interval(*interval, 10.0))
    assert "The smallest effect that matters was declared as 10.0 USD" in text
    assert words in text
    assert "matters" not in report.headline_text(with_interval(*interval, None))


def test_small_effect_that_is_clear_is_not_said_to_be_unclear(with_interval):
    text = report.headline_text(with_interval(1, 5, 10.0))
    assert "no clear difference" not in text
    assert "3.00 USD higher" in text


def test_estimand_keeps_what_matters():
    outcome = Outcome(label="Work", unit="share", kind="share", period="1", smallest_relevant=0.05)
    about = Estimand.of("work", outcome, quantity="effect", population="all", comparison="others")
    assert Estimand.from_dict(about.to_dict()) == about
    assert about.smallest_relevant == 0.05


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("inf")])
def test_what_matters_is_a_positive_number(wrong):
    with pytest.raises(ValueError, match="smallest_relevant"):
        Outcome(label="Work", unit="USD", kind="amount", period="1", smallest_relevant=wrong)


def test_box_marks_what_pulls_it_down():
    weak = [*GOOD[:1], Part("sample", 2, "Few <persons>."), *GOOD[2:]]
    shown = report.how_sure(Certainty(parts=tuple(weak)))
    page = BeautifulSoup(shown.content, "html.parser")
    assert page.select_one(".vk-verdict").get_text(" ").startswith("How sure: low")
    marked = page.select("li.vk-weak")
    assert [item.strong.get_text() for item in marked] == ["Sample"]
    assert "pulls it down" in marked[0].get_text()
    assert "Few <persons>." in marked[0].get_text()
    assert len(page.select("li")) == 5
    assert "Sample: Low" in shown.text


def test_box_without_an_estimate():
    shown = report.how_sure(Certainty(reason="Nobody has this outcome."))
    assert "Nobody has this outcome." in shown.content
    assert "<li" not in shown.content


def test_box_of_the_best_answer_marks_nothing():
    assert "vk-weak" not in report.how_sure(Certainty(parts=tuple(GOOD))).content
