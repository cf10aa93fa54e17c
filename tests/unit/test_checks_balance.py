"""Balance before the start."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.checks import CheckSettings, run_checks
from virkning.designs import estimate
from virkning.disclosure import DisclosureRule, clear

FEW = {"permutations": 500}


def balance(design, tables, **settings):
    return run_checks(design, tables, estimate(design, tables), settings=CheckSettings(**{**FEW, **settings}))[
        "balance"
    ]


def test_numbers_by_hand(trial, make_tables, people, earnings):
    design = trial(covariates=["age", "is_parent"])
    found = balance(design, make_tables(people, {"earnings": earnings}))
    treated = people["is_treated"]
    one, two = people.loc[treated, "age"], people.loc[~treated, "age"]
    row = found.table.frame.set_index("covariate").loc["age"]
    assert row["treated_mean"] == pytest.approx(one.mean(), rel=1e-12)
    assert row["comparison_mean"] == pytest.approx(two.mean(), rel=1e-12)
    expected = (one.mean() - two.mean()) / np.sqrt((one.var() + two.var()) / 2)
    assert row["standardised_difference"] == pytest.approx(expected, rel=1e-12)
    assert found.table.frame["label"].tolist() == ["Age", "Is parent"]


def test_weights_are_used(trial, make_tables, people, earnings):
    found = balance(trial(covariates=["age"], weights="weight"), make_tables(people, {"earnings": earnings}))
    chosen = people[people["is_treated"]]
    expected = np.average(chosen["age"], weights=chosen["weight"])
    assert found.table.frame["treated_mean"].iloc[0] == pytest.approx(expected, rel=1e-12)


def test_alike_groups_pass(trial, make_tables, people, earnings):
    # Each person has a twin of the same age in the other group.
    alike = people.assign(age=np.where(people.index % 4 < 2, 30.0, 50.0), is_treated=people.index % 2 == 0)
    found = balance(trial(covariates=["age"]), make_tables(alike, {"earnings": earnings}))
    assert found.passed is True
    assert "alike" in found.sentence


def test_unlike_groups_fail(trial, make_tables, people, earnings):
    unlike = people.assign(age=people["age"] + 40 * people["is_treated"])
    found = balance(trial(covariates=["age", "is_parent"]), make_tables(unlike, {"earnings": earnings}))
    assert found.passed is False
    assert "«Age»" in found.sentence
    assert found.numbers["joint_p_value"] <= 1 / 501 + 1e-12
    # The figure and the table can be drawn although the difference is beyond anything usual.
    assert np.isfinite(found.table.frame["standardised_difference"]).all()


def test_differences_that_chance_explains_inform(trial, make_tables, people, earnings):
    found = balance(
        trial(covariates=["age", "is_parent"]), make_tables(people, {"earnings": earnings}), balance_threshold=1e-6
    )
    assert found.numbers["joint_p_value"] > 0.05
    assert found.passed is None


def test_trait_that_separates_the_groups_has_a_finite_difference(trial, make_tables, people, earnings):
    frame = people.assign(is_local=people["is_treated"])
    found = balance(trial(covariates=["is_local"]), make_tables(frame, {"earnings": earnings}))
    assert found.table.frame["standardised_difference"].iloc[0] == pytest.approx(2.0)
    assert found.passed is False


def test_no_covariates(trial, make_tables, people, earnings):
    found = balance(trial(), make_tables(people, {"earnings": earnings}))
    assert found.passed is None
    assert len(found.table.frame) == 0
    assert clear(found.table, DisclosureRule()).n_hidden == 0


@pytest.mark.parametrize(("n_with", "is_hidden"), [(4, True), (5, False), (6, False)])
@pytest.mark.parametrize("is_inverse", [True, False])
def test_rare_traits_are_hidden_with_their_difference(
    trial, make_tables, people, earnings, n_with, is_hidden, is_inverse
):
    # Thirty treated and fifty others; in one arm n_with persons have (or lack) the trait, in the other half of them.
    treated = people.index < 30
    rare = np.where(treated, people.index < n_with, people.index < 55)
    frame = people.assign(is_treated=treated, is_rare=rare ^ is_inverse)
    found = balance(trial(covariates=["is_rare", "age"]), make_tables(frame, {"earnings": earnings}))
    cleared = clear(found.table, DisclosureRule(threshold=5))
    row = cleared.hidden.iloc[0]
    assert bool(row["treated_mean"]) is is_hidden
    assert bool(row["standardised_difference"]) is is_hidden
    assert not row["comparison_mean"]
    assert not cleared.hidden.iloc[1].any()


def test_strata_and_clusters_shape_the_lottery(trial, make_tables, people, earnings):
    tables = make_tables(people, {"earnings": earnings})
    persons = balance(trial(covariates=["age"]), tables)
    design = trial(covariates=["age"], clusters="group", strata="town", standard_errors="clustered")
    groups = balance(design, tables)
    # The same difference, but another distribution of what the lottery could have given.
    assert groups.numbers["largest"] == persons.numbers["largest"]
    assert groups.numbers["joint_p_value"] != persons.numbers["joint_p_value"]
