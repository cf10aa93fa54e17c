"""Cutoffs that the data cannot honour are refused before anything is fitted, and odd outcomes say why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.data import Tables
from virkning.designs.discontinuity.fit import is_on_treated_side
from virkning.designs.regression_discontinuity import RegressionDiscontinuity
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DataError, DesignError
from virkning.numerics.neighbours import Neighbours

N = 400
CUTOFF = 50.0


@pytest.fixture(scope="module")
def applicants() -> pd.DataFrame:
    """Return persons with a score, of whom those at or above fifty were treated, and most of them took it up."""
    generator = np.random.default_rng(4)
    score = generator.normal(52, 10, N)
    offered = score >= CUTOFF
    took = generator.random(N) < np.where(offered, 0.8, 0.15)
    return pd.DataFrame(
        {
            "score": score,
            "is_treated": offered,
            "took_part": took,
            "age": generator.integers(18, 65, N).astype(float),
            "is_parent": generator.random(N) < 0.4,
            "town": np.where(generator.random(N) < 0.5, "north", "south"),
            "group": [f"group {number}" for number in generator.integers(0, 60, N)],
        }
    )


@pytest.fixture(scope="module")
def gain(applicants) -> np.ndarray:
    """Return outcomes that rise by 10 at the cutoff."""
    noise = np.random.default_rng(5).normal(0, 4, N)
    return 20 + 0.3 * applicants["score"].to_numpy() + 10.0 * applicants["is_treated"].to_numpy() + noise


@pytest.fixture
def tables(make_tables, applicants, gain) -> Tables:
    return make_tables(applicants, {"gain": gain})


def design_of(**fields: object) -> RegressionDiscontinuity:
    given = {"running": "score", "cutoff": CUTOFF, **fields}
    return RegressionDiscontinuity(population="applicants", comparison="the same without it", **given)


def refusal(tables: Tables, code: str, **fields: object) -> DesignError:
    found = list(design_of(**fields).problems(tables))
    assert [error.code for error in found] == [code]
    assert found[0].exit_code == 12
    assert found[0].where
    assert found[0].why
    assert found[0].do
    return found[0]


FUZZY = {"sharpness": "fuzzy", "treatment": "took_part"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kernel": "uniform", "order": 2, "bandwidth": "certwo", "standard_errors": "hc3"},
        {"bandwidth": 12.0, "bias_bandwidth": 18.0},
        {"covariates": ["age", "is_parent"]},
        {"clusters": "group", "standard_errors": "clustered"},
        FUZZY,
        {**FUZZY, "covariates": ["age"], "clusters": "group", "standard_errors": "clustered"},
    ],
)
def test_sound_designs_pass(tables, fields):
    design = design_of(**fields)
    assert list(design.problems(tables)) == []
    result = design.estimate_outcome(tables, "gain", seed=0)
    assert result.is_available
    terms = ["bias_corrected, robust", "conventional, conventional"]
    terms += ["intention_to_treat, robust"] if fields.get("sharpness") == "fuzzy" else []
    assert list(result.effects["term"]) == terms
    assert result.influence.shape == (result.n_units, len(terms))
    errors = result.effects["std_error"].to_numpy()
    sums = pd.DataFrame(result.influence).groupby(list(result.influence_ids)).sum().to_numpy()
    np.testing.assert_allclose(np.sqrt((sums**2).sum(axis=0)), errors, rtol=1e-10)
    lost, far = design.exclusions(tables, "gain")
    assert lost.persons.sum() == 0
    assert (~far.persons).sum() == result.n_units


@pytest.mark.parametrize("field", ["running", "treatment", "covariates", "clusters"])
def test_unknown_column(tables, field):
    misspelt = {"running": "scoer", "treatment": "is_treatd", "covariates": ["agee"], "clusters": "gruop"}
    more = {"standard_errors": "clustered"} if field == "clusters" else {}
    error = refusal(tables, "design.unknown_column", **{field: misspelt[field]}, **more)
    assert "Did you mean" in error.do
    assert field in error.where


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("design.cutoff_outside", {"cutoff": 500.0}),
        ("design.cutoff_outside", {"cutoff": -5.0}),
        ("design.other_side", {"treated_side": "below"}),
        ("design.not_sharp", {"cutoff": 51.0}),
        ("design.not_sharp", {"treatment": "took_part"}),
        ("design.not_fuzzy", {"sharpness": "fuzzy"}),
        ("design.bandwidth_too_narrow", {"bandwidth": 0.01}),
        ("design.bias_bandwidth_alone", {"bias_bandwidth": 10.0}),
        ("design.no_clusters", {"standard_errors": "clustered"}),
        ("design.ignores_clusters", {"clusters": "group"}),
        ("design.double_role", {"covariates": ["score"]}),
        ("design.double_role", {"covariates": ["age", "age"]}),
        ("design.not_a_number", {"running": "town"}),
        ("design.not_a_number", {"covariates": ["town"]}),
        ("design.few_values", {"running": "is_parent"}),
        ("design.treatment_not_boolean", {"treatment": "age"}),
    ],
)
def test_contradictions(tables, code, fields):
    refusal(tables, code, **fields)


@pytest.mark.parametrize(
    "fields",
    [{"order": 0}, {"order": 4}, {"bandwidth": 0.0}, {"bandwidth": -1.0}, {"bandwidth": "best"}, {"cutoff": np.inf}],
)
def test_what_cannot_be_written(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        design_of(**fields)


@pytest.mark.parametrize(
    ("code", "column", "change"),
    [
        ("design.missing_values", "score", lambda people: people["score"].where(people.index != 3)),
        ("design.few_values", "score", lambda people: 49.0 + (people["score"] >= 50) + (people["score"] >= 60)),
        ("design.collinear", "age", lambda people: 30.0),
    ],
)
def test_data_without_an_effect(make_tables, applicants, gain, code, column, change):
    tables = make_tables(applicants.assign(**{column: change(applicants)}), {"gain": gain})
    error = refusal(tables, code, **({"covariates": ["age"]} if column == "age" else {}))
    assert column in error.what


def test_infinite_values_do_not_get_in(make_tables, applicants, gain):
    with pytest.raises(DataError) as error:
        make_tables(applicants.assign(score=applicants["score"].where(applicants.index != 3, np.inf)), {"gain": gain})
    assert "score" in str(error.value)


def test_nobody_took_it(make_tables, applicants, gain):
    tables = make_tables(applicants.assign(took_part=False), {"gain": gain})
    refusal(tables, "design.one_arm", **FUZZY)


def test_rows_against_the_rule_are_counted(make_tables, applicants, gain):
    wrong = applicants["is_treated"].where(applicants.index > 1, ~applicants["is_treated"])
    tables = make_tables(applicants.assign(is_treated=wrong), {"gain": gain})
    assert "2 rows" in refusal(tables, "design.not_sharp").what


def test_outcomes_without_an_estimate_say_why(make_tables, applicants, gain):
    above = applicants["is_treated"].to_numpy()
    near = np.abs(applicants["score"].to_numpy() - CUTOFF) < 15
    outcomes = {
        "constant": np.ones(N),
        "step": above.astype(float),
        "one side": np.where(above, gain, np.nan),
        "few": np.where(np.cumsum(~above) < 8, gain, np.nan),
        "far": np.where(near & ~above, np.nan, gain),
    }
    tables = make_tables(applicants, outcomes)
    for design in (design_of(), design_of(bandwidth=14.0)):
        assert list(design.problems(tables)) == []
        for measure in outcomes:
            if measure == "far" and design.bandwidth != 14.0:
                continue
            result = design.estimate_outcome(tables, measure, seed=0)
            assert not result.is_available, measure
            assert result.unavailable_reason.endswith(".")
            assert len(design.exclusions(tables, measure)) == 1
            assert design.findings(tables, result) == ()


def test_lost_outcomes_are_mentioned_without_a_count(make_tables, applicants, gain):
    tables = make_tables(applicants, {"gain": np.where(applicants.index < 2, np.nan, gain)})
    result = design_of().estimate_outcome(tables, "gain", seed=0)
    (text,) = result.warnings
    assert "no outcome" in text
    assert not any(character.isdigit() for character in text)
    assert design_of().exclusions(tables, "gain")[0].persons.sum() == 2


def test_repeated_and_few_values_are_warned_of(make_tables, applicants, gain):
    rounded = np.floor(applicants["score"])
    tables = make_tables(applicants.assign(score=rounded), {"gain": gain})
    texts = design_of(bandwidth=6.0).estimate_outcome(tables, "gain", seed=0).warnings
    assert len(texts) == 2
    assert "share the same value" in texts[0]
    assert "few different values" in texts[1]


def test_weak_and_reversed_take_up_are_warned_of(make_tables, applicants, gain):
    generator = np.random.default_rng(1)
    weak = generator.random(N) < np.where(applicants["is_treated"], 0.5, 0.45)
    texts = design_of(**FUZZY).estimate_outcome(
        make_tables(applicants.assign(took_part=weak), {"gain": gain}), "gain", seed=0
    )
    assert any("hardly changed" in text for text in texts.warnings)
    back = make_tables(applicants.assign(took_part=~applicants["took_part"]), {"gain": gain})
    texts = design_of(**FUZZY).estimate_outcome(back, "gain", seed=0)
    assert any("fewer had the treatment" in text for text in texts.warnings)


def test_few_clusters_are_warned_of(tables):
    texts = design_of(clusters="group", standard_errors="clustered").estimate_outcome(tables, "gain", seed=0).warnings
    assert not any("clusters" in text for text in texts)
    people = tables.participants
    fewer = people.assign(group=people["group"].str.slice(0, 7))
    again = Tables.of(fewer, tables.outcomes, tables.measures, tables.schemas)
    texts = design_of(clusters="group", standard_errors="clustered").estimate_outcome(again, "gain", seed=0).warnings
    assert any("fewer than about 40 clusters" in text for text in texts)


def test_sides():
    running = np.array([1.0, 2.0, 3.0])
    found = {side: is_on_treated_side(running, 2.0, side) for side in ("at_or_above", "above", "at_or_below", "below")}
    assert {side: values.tolist() for side, values in found.items()} == {
        "at_or_above": [False, True, True],
        "above": [False, False, True],
        "at_or_below": [True, True, False],
        "below": [True, False, False],
    }


def test_programme_for_those_below_is_the_mirror_image(make_tables, applicants, gain):
    mirrored = applicants.assign(score=-applicants["score"])
    ours = design_of().estimate_outcome(make_tables(applicants, {"gain": gain}), "gain", seed=0)
    theirs = design_of(cutoff=-CUTOFF, treated_side="at_or_below").estimate_outcome(
        make_tables(mirrored, {"gain": gain}), "gain", seed=0
    )
    np.testing.assert_allclose(theirs.effects["value"], ours.effects["value"], rtol=1e-9)
    np.testing.assert_allclose(theirs.effects["std_error"], ours.effects["std_error"], rtol=1e-9)
    assert theirs.comparison_mean == pytest.approx(ours.comparison_mean, rel=1e-9)


def test_unit_and_origin_do_not_matter(make_tables, applicants, gain):
    ours = design_of(**FUZZY).estimate_outcome(make_tables(applicants, {"gain": gain}), "gain", seed=0)
    changed = make_tables(applicants.assign(score=1000 * applicants["score"]), {"gain": 7 * gain + 1e4})
    theirs = design_of(cutoff=1000 * CUTOFF, **FUZZY).estimate_outcome(changed, "gain", seed=0)
    np.testing.assert_allclose(theirs.effects["value"], 7 * ours.effects["value"], rtol=1e-7)
    np.testing.assert_allclose(theirs.effects["std_error"], 7 * ours.effects["std_error"], rtol=1e-7)
    assert theirs.comparison_mean == pytest.approx(7 * ours.comparison_mean + 1e4, rel=1e-7)


def test_findings(tables):
    for fields in ({}, FUZZY, {"bandwidth": "msetwo", "order": 3}):
        design = design_of(**fields)
        result = design.estimate_outcome(tables, "gain", seed=0)
        found = {item.name: item for item in design.findings(tables, result)}
        names = ["curves", "bandwidths", "bandwidth-sensitivity", "other-ways"]
        assert set(found) == {*names, *(["take-up"] if fields is FUZZY else [])}
        for item in found.values():
            assert item.question.endswith("?")
            assert item.explanation.endswith(".")
            assert item.sentence.endswith(".")
            assert len(clear(item.table, DisclosureRule()).frame) > 1
            assert all(column.persons or column.kind in ("text", "count") for column in item.table.columns)
        rows = found["bandwidths"].table.frame
        lost, far = design.exclusions(tables, "gain")
        assert rows["n_beyond"].sum() == far.persons.sum() + lost.persons.sum()
        assert rows[["n_main", "n_bias"]].to_numpy().sum() == result.n_units
        for name in ("bandwidth-sensitivity", "other-ways"):
            chosen = found[name].table.frame.set_index("choice").loc["As chosen"]
            assert chosen["value"] == result.headline().value
            assert chosen["lower"] == pytest.approx(result.headline().lower, rel=1e-12)
        curves = found["curves"]
        assert curves.drawing.start == CUTOFF
        ends = curves.table.frame.query("running == @CUTOFF and line != 'Means'").set_index("line")["mean"]
        assert set(ends.index) == {"Curve: not offered", "Curve: offered"}
        if not fields:
            jump = ends["Curve: offered"] - ends["Curve: not offered"]
            assert jump == pytest.approx(result.effects["value"].iloc[1], rel=1e-10)


def test_bandwidths_that_differ_by_few_persons_are_hidden(make_tables, applicants, gain):
    tables = make_tables(applicants, {"gain": gain})
    design = design_of(bandwidth=25.0)
    result = design.estimate_outcome(tables, "gain", seed=0)
    (finding,) = [item for item in design.findings(tables, result) if item.name == "bandwidth-sensitivity"]
    frame = finding.table.frame.set_index("choice")
    step = frame.loc["1.5 times", ["n_treated", "n_comparison"]] - frame.loc["As chosen", ["n_treated", "n_comparison"]]
    assert 0 < step[step > 0].min() < 5
    shown = clear(finding.table, DisclosureRule()).frame.set_index("choice")["value"]
    assert shown["1.5 times"] is None
    assert shown["As chosen"] is not None


def test_group_design_keeps_what_varies(tables):
    people = tables.participants
    inside = design_of(covariates=["age", "is_parent"]).within(people[people["is_parent"]])
    assert inside.covariates == ("age",)


def test_persons_are_a_part_of_the_sample(tables):
    half = tables.participants["age"].to_numpy() < 40
    result = design_of().estimate_outcome(tables, "gain", seed=0, persons=half)
    assert result.n_units <= half.sum()
    assert list(design_of().problems(tables, half)) == []


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 30])
def test_neighbours_by_hand(n):
    """Against a loop that looks at all pairs of places."""
    generator = np.random.default_rng(n)
    position = np.sort(generator.integers(0, 12, 30)).astype(float)
    values = generator.normal(size=30)
    n = int(np.searchsorted(position, position[n - 1], side="right"))
    expected = np.zeros(n)
    for i in range(n if n > 1 else 0):
        gaps = np.abs(position[:n] - position[i])
        others = np.arange(n) != i
        reach = np.sort(gaps[others])[min(3, n - 1) - 1]
        near = others & (gaps <= reach)
        j = near.sum()
        expected[i] = np.sqrt(j / (j + 1)) * (values[i] - values[:n][near].mean())
    np.testing.assert_allclose(Neighbours.of(position).residuals(values[:n]), expected, atol=1e-12)
