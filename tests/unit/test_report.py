"""What a reader sees: only cleared tables, safe text, computed sentences."""

import base64
import dataclasses
import io

import numpy as np
import pandas as pd
import pytest

from virkning import report
from virkning.disclosure import Column, DisclosureRule, Table, clear
from virkning.errors import DisclosureError, EstimationError
from virkning.estimand import Estimand
from virkning.estimates import Estimate, Estimates, EvidenceLevel, Method, Provenance
from virkning.report import MARK

RULE = DisclosureRule()


def estimate(value: float = 1794.342, error: float = 632.853, kind: str = "amount", better: str = "higher") -> Estimate:
    about = Estimand(
        "average treatment effect", "those offered", "those not offered", "m", "Earnings", "USD", kind, "1", "", better
    )
    row = [
        "difference_in_means, classical",
        "1",
        value,
        error,
        value - 1.96 * error,
        value + 1.96 * error,
        0.01,
        185,
        260,
    ]
    names = ["term", "period", "value", "std_error", "lower", "upper", "p_value", "n_treated", "n_comparison"]
    return Estimate(
        estimand=about,
        level=0.95,
        evidence_level=EvidenceLevel(5, "Drawn by lot."),
        method=Method("difference in means", "Neyman1990", "randomised_trial"),
        frame=pd.DataFrame([row], columns=names),
        covariance=np.array([[error**2]]),
        degrees_of_freedom=443,
        degrees_of_freedom_rule="n − 2",
        n_units=445,
        n_clusters=None,
        comparison_mean=4554.8,
        provenance=Provenance("x", "y", "0", 1),
    )


def cleared(**columns: list[object]) -> object:
    frame = pd.DataFrame(columns)
    made = tuple(Column(name, name, "count" if name == "n" else "text") for name in frame)
    return clear(Table("a-table", "A table", made, frame), RULE)


@pytest.mark.parametrize("raw", [pd.DataFrame({"n": [1]}), Table("t", "t", (), pd.DataFrame()), "text", None])
def test_only_cleared_tables_are_shown(raw: object) -> None:
    with pytest.raises(DisclosureError):
        report.table(raw)  # type: ignore[arg-type]
    with pytest.raises(DisclosureError):
        report.figures.love_plot(raw, 0.1)  # type: ignore[arg-type]


def test_table_carries_mark_caption_scopes_and_download() -> None:
    bundle = report.table(cleared(name=["a", "b"], n=[3, 40]))._repr_mimebundle_()
    html = bundle["text/html"]
    assert MARK in bundle
    assert "<caption><span>A table</span></caption>" in html
    assert html.count('scope="col"') == 2
    assert html.count('scope="row"') == 2
    data = html.split("base64,")[1].split('"')[0]
    frame = pd.read_csv(io.BytesIO(base64.b64decode(data)))
    assert frame["n"].tolist() == ["hidden", "40"]


def test_hidden_number_is_nowhere_in_the_output() -> None:
    shown = report.table(cleared(name=["a"], n=[3]))
    assert ">3<" not in shown.content
    assert "3" not in shown.text.split("\n")[-1]


def test_text_cannot_become_html_or_a_formula() -> None:
    made = cleared(name=["<script>alert(1)</script>", "=1+1"])
    assert "<script>" not in report.table(made).content
    assert "'=1+1" in report.to_csv(made)


@pytest.mark.parametrize(
    ("value", "better", "verdict"),
    [(1794, "higher", "better"), (-1794, "higher", "worse"), (-1794, "lower", "better"), (100, "higher", "unclear")],
)
def test_verdict_by_rule(value: float, better: str, verdict: str) -> None:
    assert report.verdict(estimate(value, better=better)) == verdict


def test_headline_has_value_unit_interval_and_comparison() -> None:
    text = report.headline_text(estimate())
    for part in ("1,794 USD higher", "95% confidence interval 554 to 3,035", "those not offered", "4,555 USD"):
        assert part in text


def test_shares_are_said_per_hundred_people() -> None:
    text = report.headline_text(estimate(0.11, 0.04, kind="share"))
    assert "11.0 per 100 people higher" in text


def test_unclear_is_not_said_as_no_effect() -> None:
    text = report.headline_text(estimate(100, 600))
    assert "no clear difference" in text
    assert "\N{MINUS SIGN}1,076" in text


def test_reproduction_is_claimed_only_when_every_digit_agrees() -> None:
    name = "difference_in_means, classical"
    report.sentences.reproduces(estimate(), term=name, published=1794, published_error=633, source="X")
    with pytest.raises(EstimationError):
        report.sentences.reproduces(estimate(), term=name, published=1795, published_error=633, source="X")


def test_figures_are_the_same_bytes_and_carry_their_numbers_as_text() -> None:
    first, second = (report.figures.headline(estimate()) for _ in range(2))
    assert first.content == second.content
    assert 'alt="Earnings: 1,794 USD higher' in first.content


@pytest.mark.parametrize(
    ("level", "says", "never"), [(5, "when offered", "compared with"), (4, "compared with", "when")]
)
def test_only_a_lottery_lets_the_comparison_group_say_what_would_have_been(level: int, says: str, never: str) -> None:
    result = dataclasses.replace(estimate(), evidence_level=EvidenceLevel(level, "A reason."))
    text = report.headline_text(result)
    assert says in text
    assert never not in text
    assert ("Without the programme" in report.answer(result).content) == (level == 5)
    table = report.outcomes_table(Estimates({"m": result}), (185, 260)).frame
    assert ("with" in table) == (level == 5)


def test_without_a_comparison_group_a_change_is_not_called_an_effect() -> None:
    result = dataclasses.replace(estimate(), evidence_level=EvidenceLevel(1, "A reason."))
    assert "A change was seen" in report.answer(result).content
    assert "An effect was found" not in report.answer(result).content


def test_numbers_of_one_small_group_alone_are_hidden() -> None:
    """A design without a comparison group has nobody in it; its numbers rest on the one group that there is."""
    result = estimate()
    frame = result.effects.assign(n_treated=3, n_comparison=0)
    result = dataclasses.replace(result, frame=frame, evidence_level=EvidenceLevel(1, "A reason."))
    for table in (report.outcomes_table(Estimates({"m": result}), (3, 0)), report.effects_table(result, (3, 0))):
        hidden = clear(table, RULE).hidden
        assert hidden["n_treated"].all()
        assert hidden[[name for name in ("value", "std_error", "difference") if name in hidden]].to_numpy().all()
