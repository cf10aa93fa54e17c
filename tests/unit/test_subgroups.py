"""Effects in declared groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from virkning.designs import estimate
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError
from virkning.subgroups import Component, Subgroup, Vulnerability, estimate_subgroups

AGE = Subgroup(label="Age", column="age", cut=40)
PARENT = Subgroup(label="Parent", column="is_parent")
TOWN = Subgroup(label="Town", column="town", values={"North": "north", "South": "south"})


def index(needed=2, **changes):
    fields = {
        "label": "Most in need",
        "components": [
            {"label": "Young", "column": "age", "at_most": 35},
            {"label": "Parent", "column": "is_parent", "equals": True},
            {"label": "From the north", "column": "town", "equals": "north"},
        ],
        "most_vulnerable_from": needed,
    }
    return Vulnerability(**{**fields, **changes})


@pytest.fixture
def tables(make_tables, people, earnings):
    return make_tables(people, {"earnings": earnings, "job": (earnings > 75).astype(float)}, {"job": "share"})


def test_groups_of_each_kind(trial, tables, people):
    results = estimate_subgroups(trial(), tables, {"age": AGE, "parent": PARENT, "town": TOWN})
    frame = results.frame
    assert frame["group"].tolist() == ["Below 40", "40 or above", "Yes", "No", "North", "South"]
    assert frame["subgroup"].tolist() == ["Age", "Age", "Parent", "Parent", "Town", "Town"]
    totals = frame.groupby("name", sort=False)[["n_treated", "n_comparison"]].sum()
    assert (totals == 40).all().all()
    assert frame.loc[0, "n_treated"] == ((people["age"] < 40) & people["is_treated"]).sum()
    assert results.n_comparisons == 3


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"standard_errors": "classical"},
        {"weights": "weight"},
        {"estimator": "lin", "covariates": ("age",)},
        {"clusters": "group", "standard_errors": "clustered"},
    ],
)
def test_effect_in_a_group_is_the_estimate_on_the_group(trial, make_tables, people, earnings, fields):
    results = estimate_subgroups(trial(**fields), make_tables(people, {"earnings": earnings}), {"town": TOWN})
    north = people["town"] == "north"
    alone = estimate(trial(**fields), make_tables(people[north], {"earnings": earnings[north]})).primary
    row = results.frame.iloc[0]
    assert row["group"] == "North"
    expected = alone.effects.iloc[0][["value", "std_error", "lower", "upper"]].to_numpy(dtype=float)
    np.testing.assert_allclose(row[["value", "std_error", "lower", "upper"]].to_numpy(dtype=float), expected, rtol=1e-9)
    assert row["comparison_mean"] == pytest.approx(alone.comparison_mean, rel=1e-12)


def test_overall_effect_uses_the_same_estimator(trial, tables):
    design = trial(estimator="ancova", covariates=["age"])
    results = estimate_subgroups(design, tables, {"age": AGE})
    assert results.overall.headline().value == pytest.approx(estimate(design, tables).headline().value, rel=1e-12)


def test_covariate_that_makes_the_groups_is_left_out_inside_them(trial, tables):
    results = estimate_subgroups(trial(estimator="ancova", covariates=["is_parent", "age"]), tables, {"p": PARENT})
    assert results.frame["value"].notna().all()
    alone = estimate_subgroups(trial(estimator="ancova", covariates=["is_parent"]), tables, {"p": PARENT})
    plain = estimate_subgroups(trial(), tables, {"p": PARENT})
    np.testing.assert_allclose(alone.frame["value"], plain.frame["value"], rtol=1e-9)


def test_difference_between_clustered_groups_counts_what_they_share(trial, make_tables, people, earnings):
    # Parents and others live in the same groups, so their effects move together and the difference is more certain.
    common = np.repeat(np.random.default_rng(4).normal(0, 30, size=20), 4)
    design = trial(clusters="group", standard_errors="clustered")
    frame = people.assign(is_parent=people.index % 2 == 0)
    results = estimate_subgroups(design, make_tables(frame, {"earnings": earnings + common}), {"parent": PARENT})
    separate = np.sqrt((results.frame["std_error"] ** 2).sum())
    assert results.interactions["std_error"].iloc[0] < 0.5 * separate


def test_three_groups_are_tested_together(trial, make_tables, people, earnings):
    place = np.select([people.index % 3 == 0, people.index % 3 == 1], ["a", "b"], "c")
    tables = make_tables(
        people.assign(place=place), {"earnings": earnings + 60 * (place == "b") * people["is_treated"]}
    )
    three = Subgroup(label="Place", column="place", values={"A": "a", "B": "b", "C": "c"})
    results = estimate_subgroups(trial(), tables, {"place": three})
    row = results.interactions.iloc[0]
    assert row["p_value"] < 1e-6
    assert np.isnan(row["difference"])
    assert row["contrast"] == "All groups alike: A, B and C"
    assert "«Place»" in results.comparisons_text


def test_holm(trial, tables):
    results = estimate_subgroups(trial(), tables, {"age": AGE, "parent": PARENT, "town": TOWN}, index())
    assert results.n_comparisons == 4
    raw = results.interactions["p_value"].to_numpy()
    order = np.argsort(raw)
    expected = np.empty(4)
    expected[order] = np.minimum(1, np.maximum.accumulate(raw[order] * np.arange(4, 0, -1)))
    np.testing.assert_allclose(results.interactions["p_value_holm"], expected, rtol=1e-12)
    assert "4 times" in results.comparisons_text


def test_index_counts_signs(trial, tables, people):
    signs = (people["age"] <= 35).astype(int) + people["is_parent"] + (people["town"] == "north")
    for needed in (1, 2, 3):
        results = estimate_subgroups(trial(), tables, {}, index(needed))
        row = results.frame.iloc[0]
        assert (row["name"], row["group"]) == ("vulnerability", "Yes")
        assert row["n_treated"] + row["n_comparison"] == (signs >= needed).sum()
    assert "all of these 3" in results.index_text
    assert "«Young», «Parent» and «From the north»" in results.index_text


def test_unknown_signs_leave_out_only_whom_they_could_decide(trial, make_tables, people, earnings):
    frame = people.assign(age=people["age"].where(people.index > 5))
    results = estimate_subgroups(trial(), make_tables(frame, {"earnings": earnings}), {}, index(2))
    known = people["is_parent"].astype(int) + (people["town"] == "north")
    undecided = ((people.index <= 5) & (known == 1)).sum()
    rest = results.frame[results.frame["group"] == "Other or not known"]
    assert undecided > 0
    assert int(rest[["n_treated", "n_comparison"]].sum(axis=1).iloc[0]) == undecided
    assert rest["value"].isna().all()


def test_missing_values_form_a_counted_row_without_an_effect(trial, make_tables, people, earnings):
    frame = people.assign(age=people["age"].where(people.index > 3))
    results = estimate_subgroups(trial(), make_tables(frame, {"earnings": earnings}), {"age": AGE})
    assert results.frame["group"].tolist() == ["Below 40", "40 or above", "Other or not known"]
    assert results.frame[["n_treated", "n_comparison"]].to_numpy().sum() == 80
    assert results.frame["reason"].iloc[2]


@pytest.mark.parametrize("n", [3, 5])
def test_group_too_small_for_the_estimator_says_why(trial, make_tables, people, earnings, n):
    frame = people.assign(is_parent=people.index < n)
    results = estimate_subgroups(trial(), make_tables(frame, {"earnings": earnings}), {"parent": PARENT})
    row = results.frame.iloc[0]
    assert row["n_treated"] + row["n_comparison"] == n
    assert np.isnan(row["value"])
    assert "fewer than 2" in row["reason"] or "same value" in row["reason"]
    assert results.n_comparisons == 0
    assert "No groups are large enough" in results.comparisons_text
    assert results.effects_table().note


@pytest.mark.parametrize(("n", "is_hidden"), [(4, True), (5, False), (6, False)])
def test_small_group_is_hidden_with_its_complement(trial, make_tables, people, earnings, n, is_hidden):
    rank = people.groupby("is_treated").cumcount()
    few = np.where(people["is_treated"], rank < n, rank < 20)
    results = estimate_subgroups(
        trial(), make_tables(people.assign(is_parent=few), {"earnings": earnings}), {"parent": PARENT}
    )
    cleared = clear(results.effects_table(), DisclosureRule(threshold=5))
    for column in ("n_treated", "value", "std_error", "lower", "upper"):
        assert cleared.hidden[column].tolist() == [is_hidden, is_hidden]
    assert not cleared.hidden["comparison_mean"].any()
    tests = clear(results.interactions_table(), DisclosureRule(threshold=5))
    assert tests.hidden["p_value"].tolist() == [is_hidden]
    assert tests.hidden["difference"].tolist() == [is_hidden]


def test_share_rests_on_those_with_and_without(trial, make_tables, people):
    # Forty in each arm and twenty in each group, but only three of a group's comparison arm have a job.
    generator = np.random.default_rng(3)
    job = (generator.random(80) < 0.5).astype(float)
    rank = people.groupby(["is_treated", "town"]).cumcount()
    chosen = ~people["is_treated"] & (people["town"] == "north")
    job = np.where(chosen, (rank < 3).astype(float), job)
    results = estimate_subgroups(trial(), make_tables(people, {"job": job}, {"job": "share"}), {"town": TOWN})
    cleared = clear(results.effects_table(), DisclosureRule(threshold=5))
    assert cleared.hidden["comparison_mean"].all()
    assert cleared.hidden["value"].all()
    assert not cleared.hidden["n_comparison"].any()


def test_sentence_of_the_most_vulnerable(trial, make_tables, people, earnings):
    doubled = pd.concat([people] * 4, ignore_index=True)
    outcome = np.tile(earnings, 4)
    results = estimate_subgroups(trial(), make_tables(doubled, {"earnings": outcome}), {}, index())
    row = results.frame.iloc[0]
    assert f"{row['value']:.1f} USD" in results.sentence or f"{row['value']:.2f} USD" in results.sentence
    assert "higher with the offer" in results.sentence
    assert "95% confidence interval" in results.sentence


def test_sentence_is_silent_about_few(trial, tables):
    text = estimate_subgroups(trial(), tables, {}, index(3)).sentence
    assert "too few" in text
    assert not any(character.isdigit() for character in text)


def test_no_index(trial, tables):
    results = estimate_subgroups(trial(), tables, {"age": AGE})
    assert "declares no index" in results.sentence
    assert "declares no index" in results.index_text


def test_nothing_declared(trial, tables):
    results = estimate_subgroups(trial(), tables, {})
    assert len(results.frame) == 0
    assert results.n_comparisons == 0
    assert clear(results.effects_table(), DisclosureRule()).n_hidden == 0


@pytest.mark.parametrize(
    ("subgroup", "code"),
    [
        ({"column": "agee", "cut": 40}, "design.unknown_column"),
        ({"column": "participant_id"}, "design.unknown_column"),
        ({"column": "town", "cut": 3}, "design.not_a_number"),
        ({"column": "is_parent", "cut": 1}, "design.not_a_number"),
        ({"column": "age"}, "design.no_groups"),
        ({"column": "town"}, "design.no_groups"),
        ({"column": "town", "values": {"North": "north", "East": "east"}}, "design.empty_group"),
        ({"column": "age", "values": {"Young": "18", "Old": "64"}}, "design.empty_group"),
        ({"column": "is_parent", "values": {"Yes": 1, "No": 0}}, "design.empty_group"),
    ],
)
def test_impossible_divisions(trial, tables, subgroup, code):
    with pytest.raises(DesignError) as error:
        estimate_subgroups(trial(), tables, {"mine": Subgroup(label="Mine", **subgroup)})
    assert error.value.code == code
    assert "subgroups.mine" in error.value.where
    assert error.value.do


def test_impossible_signs(trial, tables):
    for component in (
        {"column": "town", "at_most": 3},
        {"column": "is_parent", "equals": 1},
        {"column": "x", "equals": 1},
    ):
        declared = index(1, components=[{"label": "Sign", **component}])
        with pytest.raises(DesignError) as error:
            estimate_subgroups(trial(), tables, {}, declared)
        assert "vulnerability.components.0" in error.value.where


def test_name_of_the_index_is_taken(trial, tables):
    with pytest.raises(DesignError) as error:
        estimate_subgroups(trial(), tables, {"vulnerability": AGE}, index())
    assert error.value.code == "design.reserved_name"


def test_contradictory_declarations():
    with pytest.raises(ValidationError):
        Subgroup(label="Age", column="age", cut=3, values={"A": 1, "B": 2})
    for values in ({"A": 1}, {"A": 1, "B": 1}):
        with pytest.raises(ValidationError):
            Subgroup(label="Age", column="age", values=values)
    for rules in ({}, {"at_least": 1, "at_most": 2}):
        with pytest.raises(ValidationError):
            Component(label="Sign", column="age", **rules)
    for needed in (0, 4):
        with pytest.raises(ValidationError):
            index(needed)


def test_yes_stays_yes():
    # A yes/no in a specification must not become the number one.
    declared = Component(label="Sign", column="is_parent", equals=True)
    assert declared.equals is True
    assert Subgroup(label="Code", column="code", values={"A": "01", "B": 1}).values == {"A": "01", "B": 1}


def test_results_cannot_be_changed(trial, tables):
    results = estimate_subgroups(trial(), tables, {"age": AGE})
    frame = results.frame
    frame["value"] = 0.0
    assert (results.frame["value"] != 0).all()
    with pytest.raises(AttributeError):
        results.n_comparisons = 0
