"""Estimates held against a benchmark, logarithms said in per cent, and outcomes that are neither good nor bad."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from virkning import report
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import ProgrammeError
from virkning.estimand import Benchmark, Estimand
from virkning.estimates import Estimate, EvidenceLevel, Method, Provenance
from virkning.report import benchmarks
from virkning.report.figures import _thousands
from virkning.report.sentences import percent, term_label
from virkning.specification import Document, validate

BENCHMARK = Benchmark(label="The lottery", value=1794, std_error=633, source="DehejiaWahba1999")


def estimate(values: list[float], *, kind: str = "amount", unit: str = "USD", better: str = "higher") -> Estimate:
    """Return an estimate with one term per value and standard errors of a tenth of the first."""
    error = abs(values[0]) / 10
    frame = pd.DataFrame(
        {
            "term": [f"term {rank}" for rank in range(len(values))],
            "period": "1",
            "value": values,
            "std_error": error,
            "lower": np.array(values) - 2 * error,
            "upper": np.array(values) + 2 * error,
            "p_value": 0.01,
            "n_treated": 185,
            "n_comparison": 15992,
        }
    )
    return Estimate(
        estimand=Estimand("effect", "them", "the others", "m", "Earnings", unit, kind, "1", "", better),
        level=0.95,
        evidence_level=EvidenceLevel(3, "Alike in what was measured."),
        method=Method("matching", "AbadieImbens2006", "matched_comparison"),
        frame=frame,
        covariance=np.eye(len(values)) * error**2,
        degrees_of_freedom=math.inf,
        degrees_of_freedom_rule="normal",
        n_units=16177,
        n_clusters=None,
        comparison_mean=14000.0,
        provenance=Provenance("x", "y", "0", 1),
    )


def held(values: list[float], **options: str) -> Estimate:
    made = estimate(values, **options)
    return dataclasses.replace(made, estimand=dataclasses.replace(made.estimand, benchmark=BENCHMARK))


def test_words_hold_every_estimate_against_the_benchmark() -> None:
    said = str(report.sentences.estimand_text(held([1858.1, -8497.5, 793.6, 2270.3])))
    assert "The lottery found 1,794 USD, with a standard error of 633 USD {cite:p}`DehejiaWahba1999`" in said
    assert "The declared estimate lies 64 USD above that." in said
    assert "Of the 4 estimates shown, 2 lie within one standard error" in said
    assert "the lowest lies 10,292 USD below it, the highest 476 USD above it" in said


def test_an_estimate_alone_is_not_counted() -> None:
    said = str(report.sentences.estimand_text(held([1700.0])))
    assert "lies 94 USD below that." in said
    assert "estimates shown" not in said


def test_table_and_figure_show_the_distance() -> None:
    result = held([1858.1, 793.6])
    table = report.effects_table(result, (185, 15992))
    np.testing.assert_allclose(table.frame[benchmarks.DISTANCE], [64.1, -1000.4], rtol=1e-9)
    cleared = clear(table, DisclosureRule())
    assert "Benchmark: The lottery, 1,794 (standard error 633)." in report.table(cleared).content
    figure = report.figures.effects(result, cleared)
    assert "It is the dotted line, its interval the band." in figure.content
    assert "Benchmark: The lottery, 1,794 USD" in figure.text
    assert "The lottery" in report.answer(result).content


def test_without_a_benchmark_nothing_is_said_of_one() -> None:
    result = estimate([1858.1, 793.6])
    cleared = clear(report.effects_table(result, (185, 15992)), DisclosureRule())
    shown = [
        str(report.sentences.estimand_text(result)),
        report.table(cleared).content,
        report.figures.effects(result, cleared).content,
        report.answer(result).content,
    ]
    assert not any("enchmark" in text for text in shown)


def test_the_benchmark_travels_with_the_estimate() -> None:
    result = held([1858.1])
    again = Estimate.from_json(result.to_json())
    assert again.estimand == result.estimand
    assert again.estimand.benchmark == BENCHMARK
    assert Estimate.from_json(estimate([1.0]).to_json()).estimand.benchmark is None


@pytest.mark.parametrize(
    "wrong", [{"std_error": 0}, {"std_error": -1}, {"value": "nan"}, {"label": ""}, {"source": ""}]
)
def test_a_benchmark_needs_all_its_parts(wrong: dict[str, object]) -> None:
    values = BENCHMARK.model_dump() | wrong
    with pytest.raises(ProgrammeError):
        validate(Document("programme.yml", values, {}), Benchmark)


def test_differences_of_logarithms_are_said_in_per_cent() -> None:
    about = estimate([0.191], kind="log", unit="log points").estimand
    assert percent(about, 0.191) == " (21%)"
    assert percent(about, -0.252) == " (−22%)"
    assert percent(about, -0.252, signed=False) == " (22%)"
    assert percent(about, 0.0563, 0.3249) == " (6% to 38%)"
    assert percent(estimate([0.191]).estimand, 0.191) == ""
    said = report.headline_text(estimate([-0.252], kind="log", unit="log points", better="lower"))
    assert "0.25 log points (22%) lower" in said
    assert "(95% confidence interval 0.20 to 0.30 lower, or 18% to 26%)" in said


@pytest.mark.parametrize(
    ("better", "value", "verdict"),
    [("neither", 2.0, "changed"), ("neither", -2.0, "changed"), ("higher", 2.0, "better"), ("lower", 2.0, "worse")],
)
def test_an_outcome_may_be_neither_good_nor_bad(better: str, value: float, verdict: str) -> None:
    result = estimate([value], better=better)
    assert report.verdict(result) == verdict
    assert ("harmful" in report.answer(result).content) == (verdict == "worse")


def test_names_of_columns_are_read_as_words() -> None:
    assert term_label("matching exact on is_black and has_no_degree, ai_score").startswith(
        "Matching exact on black and no degree, "
    )


def test_labels_of_an_axis_differ() -> None:
    ticks = [0.0, 0.05, 0.1, 0.15000000000000002, 0.25, -0.5, 1000.0, 2.5]
    assert [_thousands(tick, 0) for tick in ticks] == ["0", "0.05", "0.1", "0.15", "0.25", "−0.5", "1,000", "2.5"]
