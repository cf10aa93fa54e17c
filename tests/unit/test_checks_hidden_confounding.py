"""Hidden confounding: the check says when something as strong as a measured trait would overturn the conclusion."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.hidden_confounding import check_hidden_confounding
from virkning.designs import DifferenceInDifferences, InterruptedTimeSeries, MatchedComparison, estimate
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError

WORDS = {"population": "the men", "comparison": "the others"}


def hidden(design, tables, **settings):
    found = estimate(design, tables)
    return check_hidden_confounding(design, tables, found, CheckSettings(**settings), np.random.default_rng(0))


def matched(**fields) -> MatchedComparison:
    return MatchedComparison(**{**WORDS, "estimator": "regression", "covariates": ("trait", "age"), **fields})


def world(effect: float, strength: float, n: int = 600, seed: int = 1):
    """Return persons who take part the more, and fare the better, the larger a measured trait is; and an outcome."""
    generator = np.random.default_rng(seed)
    trait, age = generator.normal(size=(2, n))
    treated = strength * trait + generator.normal(size=n) > 0
    people = pd.DataFrame({"is_treated": treated, "trait": trait, "age": age})
    return people, effect * treated + 3 * strength * trait + generator.normal(size=n)


def test_strong_effect_that_no_trait_could_explain_raises_no_concern(make_tables):
    people, outcome = world(effect=1.0, strength=0.1)
    found = hidden(matched(), make_tables(people, {"earnings": outcome}))
    assert found.passed is True
    assert found.numbers["robustness_value"] > found.numbers["robustness_value_of_significance"] > 0.1
    assert found.numbers["gamma"] > 1.5
    assert "E-value" in found.sentence


def test_effect_smaller_than_what_a_trait_does_raises_concern(make_tables):
    """With the trait left out the effect would be six times as large: another like it would make nothing of it."""
    people, outcome = world(effect=0.5, strength=0.8)
    found = hidden(matched(), make_tables(people, {"earnings": outcome}))
    assert found.passed is False
    assert "«Trait»" in found.reason
    assert hidden(matched(), make_tables(people, {"earnings": outcome}), benchmark_covariates=("age",)).passed is True


def test_unclear_effect_is_not_judged(make_tables):
    people, outcome = world(effect=0.0, strength=0.1, seed=2)
    found = hidden(matched(), make_tables(people, {"earnings": outcome}))
    assert found.passed is None
    assert found.numbers["robustness_value_of_significance"] == 0
    assert found.numbers["e_value_of_interval"] == 1


def test_numbers_of_the_table_are_the_numbers(make_tables):
    people, outcome = world(effect=1.0, strength=0.3)
    found = hidden(matched(), make_tables(people, {"earnings": outcome}), benchmark_covariates=("trait",))
    frame = found.table.frame.set_index("kind")
    assert frame.loc["measured", "value"] == pytest.approx(found.numbers["value"])
    assert frame.loc["robustness_value", "with_outcome"] == found.numbers["robustness_value"]
    # Stronger confounders leave less.
    assert frame.loc["measured", "value"] > frame.loc["benchmark 1", "value"] > frame.loc["benchmark 3", "value"]


def test_harm_is_read_like_benefit(make_tables):
    people, outcome = world(effect=1.0, strength=0.1)
    good = hidden(matched(), make_tables(people, {"earnings": outcome}))
    bad = hidden(matched(), make_tables(people, {"earnings": -outcome}))
    assert bad.passed is good.passed is True
    for name in ("robustness_value", "e_value", "e_value_of_interval", "gamma"):
        assert bad.numbers[name] == pytest.approx(good.numbers[name], rel=1e-9)


def test_share_has_the_ratio_of_its_shares(make_tables):
    people, _ = world(effect=1.0, strength=0.1)
    treated = people["is_treated"].to_numpy()
    work = np.zeros(len(people))
    for arm, share in ((treated, 0.5), (~treated, 0.25)):
        work[np.flatnonzero(arm)[: round(share * arm.sum())]] = 1.0
    design = matched(estimator="unadjusted", covariates=("age",))
    found = hidden(design, make_tables(people, {"job": work}, {"job": "share"}))
    # A ratio of two has the E-value 2 + √2.
    assert found.numbers["e_value"] == pytest.approx(2 + 2**0.5, abs=0.05)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("twice", "design.collinear", "«twice»"),
        ("is_treated", "design.unknown_column", "«is_treated»"),
        ("ages", "design.unknown_column", "«age»"),
        ("town", "design.not_a_number", "«town»"),
        ("gap", "design.missing_values", "«gap»"),
    ],
)
def test_unfit_benchmark_is_refused_with_words(make_tables, name, code, words):
    people, outcome = world(effect=1.0, strength=0.1)
    people = people.assign(
        twice=2 * people["age"] + 1, town="here", gap=people["age"].where(np.arange(len(people)) > 9)
    )
    with pytest.raises(DesignError) as caught:
        hidden(matched(), make_tables(people, {"earnings": outcome}), benchmark_covariates=(name,))
    assert caught.value.code == code
    assert words in str(caught.value)
    assert "checks.benchmark_covariates" in str(caught.value)


def test_benchmark_beside_the_covariates_is_adjusted_for(make_tables):
    people, outcome = world(effect=1.0, strength=0.5)
    tables = make_tables(people, {"earnings": outcome})
    inside = hidden(matched(), tables, benchmark_covariates=("trait",))
    beside = hidden(matched(covariates=("age",)), tables, benchmark_covariates=("trait",))
    assert beside.numbers["robustness_value"] == pytest.approx(inside.numbers["robustness_value"], rel=1e-9)


def test_difference_in_differences_looks_at_changes(make_tables):
    people, outcome = world(effect=1.0, strength=0.1)
    tables = make_tables(people, {"earnings": outcome})
    before = tables.outcomes.assign(period="before", value=50.0 * people["trait"].to_numpy())
    both = type(tables).of(
        tables.participants,
        pd.concat([before, tables.outcomes.assign(value=outcome + before["value"])]),
        tables.measures,
        tables.schemas,
    )
    design = DifferenceInDifferences(
        **WORDS, sampling="panel", before=("before",), after=("after",), covariates=("trait", "age")
    )
    change = hidden(design, both)
    level = hidden(matched(), tables)
    assert change.numbers["value"] == pytest.approx(level.numbers["value"], rel=1e-9)
    assert change.passed is True


def test_what_cannot_be_told_says_why(make_tables):
    people, outcome = world(effect=1.0, strength=0.1)
    tables = make_tables(people, {"earnings": outcome})
    none = hidden(matched(estimator="unadjusted", covariates=()), tables)
    assert none.passed is None
    assert "no covariates" in none.reason
    constant = hidden(matched(), make_tables(people, {"earnings": np.ones(len(people))}))
    assert constant.passed is None
    assert len(constant.table.frame) == 0
    series = InterruptedTimeSeries(**WORDS, start="after")
    effects = estimate(matched(), tables)
    found = check_hidden_confounding(series, tables, effects, CheckSettings(), np.random.default_rng(0))
    assert found.passed is None
    assert clear(found.table, DisclosureRule()).n_hidden == 0


def test_rare_benchmark_is_hidden(make_tables):
    people, outcome = world(effect=1.0, strength=0.1)
    people = people.assign(rare=np.arange(len(people)) < 3)
    found = hidden(matched(), make_tables(people, {"earnings": outcome}), benchmark_covariates=("rare", "age"))
    hidden_cells = clear(found.table, DisclosureRule(threshold=5)).hidden
    is_rare = found.table.frame["what"].str.contains("Rare").to_numpy()
    assert hidden_cells.loc[is_rare, "value"].all()
    assert not hidden_cells.loc[~is_rare, "value"].any()


def test_detection_and_false_alarms_over_seeds(make_tables):
    """A confounded effect is called out in nearly all of twenty worlds, a sound one in none."""
    alarms = {
        strength: sum(
            hidden(matched(), make_tables(people, {"earnings": outcome})).passed is False
            for people, outcome in (world(0.5, strength, 400, seed) for seed in range(20))
        )
        for strength in (0.05, 0.8)
    }
    assert alarms[0.8] >= 15
    assert alarms[0.05] == 0
