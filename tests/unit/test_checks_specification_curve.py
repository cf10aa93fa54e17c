"""Specification curve: all declared choices are estimated and shown, and the check says when they disagree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from virkning.checks import CheckSettings
from virkning.checks.results import SampleRule
from virkning.checks.specification_curve import DECLARED, check_specification_curve
from virkning.designs import MatchedComparison, estimate
from virkning.errors import DesignError


def curve(design, tables, **specifications):
    settings = CheckSettings(specifications=specifications)
    return check_specification_curve(design, tables, estimate(design, tables), settings, np.random.default_rng(0))


def matched(**fields) -> MatchedComparison:
    words = {"population": "the men", "comparison": "the others", "estimator": "regression", "covariates": ("trait",)}
    return MatchedComparison(**{**words, **fields})


@pytest.fixture
def people() -> pd.DataFrame:
    """Four hundred persons, of whom those with much of a trait took part, in two towns."""
    generator, n = np.random.default_rng(1), 400
    trait, age = generator.normal(size=(2, n))
    return pd.DataFrame(
        {
            "is_treated": trait + generator.normal(size=n) > 0,
            "trait": trait,
            "age": 40 + 10 * age,
            "town": np.where(np.arange(n) % 2 == 0, "north", "south"),
            "is_local": np.arange(n) % 4 == 0,
        }
    )


@pytest.fixture
def outcome(people) -> np.ndarray:
    noise = np.random.default_rng(2).normal(size=len(people))
    return 1.0 * people["is_treated"].to_numpy() - 2 * people["trait"].to_numpy() + noise


CHOICES = {
    "covariates": {"with age": ("trait", "age"), "age only": ("age",)},
    "samples": {"north": {"column": "town", "equals": "north"}, "under 50": {"column": "age", "at_most": 50}},
}


def test_every_combination_stands_in_the_table(make_tables, people, outcome):
    design = matched(alternatives=[{"estimator": "regression_adjustment"}, {"estimator": "regression_adjustment"}])
    design = design.model_copy(update={"alternatives": design.alternatives[:1]})
    found = curve(design, make_tables(people, {"earnings": outcome}), **CHOICES)
    frame = found.table.frame
    # Two estimators, three sets of covariates, three samples.
    assert len(frame) == found.numbers["n_specifications"] == 18
    assert not frame.duplicated(["estimator", "covariates", "sample"]).any()
    assert (frame["series"] == DECLARED).sum() == 1
    assert frame["value"].is_monotonic_increasing
    assert frame["rank"].tolist() == list(range(1, 19))


def test_each_row_is_the_estimate_of_its_choices(make_tables, people, outcome):
    tables = make_tables(people, {"earnings": outcome})
    frame = curve(matched(), tables, **CHOICES).table.frame.set_index(["covariates", "sample"])
    headline = estimate(matched(), tables).headline()
    assert frame.loc[("the declared ones", "everybody"), "value"] == headline.value
    north = people["town"].to_numpy() == "north"
    alone = estimate(matched(covariates=("age",)), tables, persons=north).headline()
    row = frame.loc[("age only", "north")]
    assert (row["value"], row["lower"], row["upper"]) == (alone.value, alone.lower, alone.upper)


def test_answer_that_turns_with_a_choice_raises_concern(make_tables, people, outcome):
    """With the trait the effect is 1; without it the trait's harm makes it clearly negative."""
    found = curve(matched(), make_tables(people, {"earnings": outcome}), **CHOICES)
    assert found.passed is False
    assert found.numbers["smallest"] < 0 < found.numbers["largest"]
    assert "other sign" in found.reason


def test_answer_that_holds_raises_none(make_tables, people, outcome):
    choices = {**CHOICES, "covariates": {"with age": ("trait", "age")}}
    found = curve(matched(), make_tables(people, {"earnings": outcome}), **choices)
    assert found.passed is True
    assert found.numbers["share_clear"] == 1
    assert found.drawing is not None


def test_what_cannot_be_estimated_is_shown_with_its_reason(make_tables, people, outcome):
    people = people.assign(is_twin=people["is_local"])
    choices = {
        "covariates": {"twins": ("is_local", "is_twin")},
        "samples": {"locals": {"column": "is_local", "equals": True}},
    }
    found = curve(matched(), make_tables(people, {"earnings": outcome}), **choices)
    frame = found.table.frame
    failed = frame[frame["value"].isna()]
    assert set(failed["covariates"]) == {"twins"}
    assert (failed["reason"] != "").all()
    assert found.numbers["n_not_estimated"] == len(failed) > 0
    assert "cannot be estimated" in found.sentence


def test_no_other_choice_or_no_clear_effect_is_not_judged(make_tables, people, outcome):
    tables = make_tables(people, {"earnings": outcome})
    assert curve(matched(), tables).passed is None
    noise = np.random.default_rng(3).normal(size=len(people))
    assert curve(matched(), make_tables(people, {"earnings": noise}), **CHOICES).passed is None


@pytest.mark.parametrize(
    ("choices", "code"),
    [
        ({"covariates": {"x": ("ages",)}}, "design.unknown_column"),
        ({"covariates": {"x": ("town",)}}, "design.not_a_number"),
        ({"samples": {"x": {"column": "towns", "equals": "north"}}}, "design.unknown_column"),
        ({"samples": {"x": {"column": "town", "at_least": 3}}}, "design.not_a_number"),
        ({"samples": {"x": {"column": "age", "at_least": 1000}}}, "design.empty_sample"),
    ],
)
def test_impossible_choice_is_refused_with_its_place(make_tables, people, outcome, choices, code):
    with pytest.raises(DesignError) as caught:
        curve(matched(), make_tables(people, {"earnings": outcome}), **choices)
    assert caught.value.code == code
    assert "checks.specifications" in str(caught.value)


@pytest.mark.parametrize("fields", [{}, {"equals": 1.0, "at_least": 0.0}])
def test_sample_rule_says_one_thing(fields):
    with pytest.raises(ValidationError, match="at_least"):
        SampleRule(column="age", **fields)


def test_trial_with_several_errors(trial, make_tables, people, outcome):
    design = trial(
        covariates=("trait",),
        alternatives=[
            {"estimator": "ancova", "standard_errors": "hc2"},
            {"estimator": "lin", "standard_errors": "hc3"},
        ],
    )
    frame = curve(design, make_tables(people, {"earnings": outcome})).table.frame
    assert set(frame["estimator"]) == {"difference in means, hc2", "ancova, hc2", "lin, hc3"}
