"""What participants are called: generated words follow the programme, its own words stay."""

from __future__ import annotations

import pytest

from virkning.language import Participants

FIRMS = Participants(one="firm", many="firms")
OFFICES = Participants(one="office", many="offices")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Each person's own mean.", "Each firm's own mean."),
        ("Persons in whom it changes; per 100 people.", "Firms in whom it changes; per 100 firms."),
        ("The persons' shares, and people's answers", "The firms' shares, and firms' answers"),
        ("Its personal view, person_id and personnel.", "Its personal view, person_id and personnel."),
        (
            "See {doc}`what a person does <methods/person>` and `person`.",
            "See {doc}`what a person does <methods/person>` and `person`.",
        ),
        ("```{rubric} Within persons?\n```\n\nA person.", "```{rubric} Within firms?\n```\n\nA firm."),
        ("[People](people.html) count.", "[Firms](people.html) count."),
    ],
)
def test_generated_words_follow_the_programme(said: str, expected: str) -> None:
    assert FIRMS.speak_of(said) == expected
    assert Participants().speak_of(said) == said


def test_articles_fit() -> None:
    assert OFFICES.speak_of("A person, and a  person’s answer.") == "An office, and an  office’s answer."
    assert FIRMS.speak_of("a person or an person") == "a firm or a firm"


def test_own_words_stay() -> None:
    own = ["help people find work", "people", "people & places"]
    assert FIRMS.speak_of("We help people find work. 12 people.", own) == "We help people find work. 12 firms."
    assert FIRMS.speak_of_html("<td>people &amp; places</td><td>people</td>", own) == (
        "<td>people &amp; places</td><td>firms</td>"
    )


def test_only_what_is_read_changes_in_html() -> None:
    page = '<th class="person" data-x="people">Persons</th><img src="people.svg" alt="of 12 persons">'
    assert FIRMS.speak_of_html(page) == (
        '<th class="person" data-x="people">Firms</th><img src="people.svg" alt="of 12 firms">'
    )
    assert Participants().speak_of_html(page) == page
