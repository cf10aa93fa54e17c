"""Attrition by arm."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.checks import CheckSettings, run_checks
from virkning.designs import estimate
from virkning.disclosure import DisclosureRule, clear


def attrition(design, tables, **settings):
    chosen = CheckSettings(permutations=500, **settings)
    return run_checks(design, tables, estimate(design, tables), settings=chosen)["attrition"]


def lose(people, earnings, n_treated, n_comparison):
    """Return the outcomes without those of the first few of each arm."""
    rank = people.groupby("is_treated").cumcount()
    lost = rank < np.where(people["is_treated"], n_treated, n_comparison)
    return np.where(lost, np.nan, earnings)


def test_nobody_lost(trial, make_tables, people, earnings):
    found = attrition(trial(), make_tables(people, {"earnings": earnings}))
    assert found.passed is True
    assert found.numbers["p_value"] == 1.0
    assert found.table.frame["n_without_outcome"].tolist() == [0, 0]


def test_counts_add_up(trial, make_tables, people, earnings):
    tables = make_tables(people, {"earnings": lose(people, earnings, 10, 6), "wages": lose(people, earnings, 0, 8)})
    frame = attrition(trial(), tables).table.frame
    assert frame["n_assigned"].tolist() == [40, 40, 40, 40]
    assert frame["n_without_outcome"].tolist() == [10, 6, 0, 8]
    assert (frame["n_with_outcome"] + frame["n_without_outcome"] == frame["n_assigned"]).all()
    np.testing.assert_allclose(frame["share_without"], [10 / 40, 6 / 40, 0, 8 / 40])


@pytest.mark.parametrize(("n_treated", "passed"), [(9, True), (10, True), (11, False)])
def test_verdict_at_the_limit(trial, make_tables, people, earnings, n_treated, passed):
    # 8 of 40 lost among the others: a limit of .05 allows two more or fewer.
    found = attrition(
        trial(),
        make_tables(people, {"earnings": lose(people, earnings, n_treated, 8)}),
        attrition_threshold=0.05 + 1e-12,
    )
    assert found.passed is passed
    assert found.numbers["difference"] == pytest.approx((n_treated - 8) / 40)


def test_primary_outcome_decides(trial, make_tables, people, earnings):
    tables = make_tables(people, {"earnings": earnings, "wages": lose(people, earnings, 20, 0)})
    assert attrition(trial(), tables).passed is True


def test_test_of_differential_attrition(trial, make_tables, people, earnings):
    # Fisher's exact test of 20 of 40 against none of 40 gives a p-value below one in a million.
    found = attrition(trial(), make_tables(people, {"earnings": lose(people, earnings, 20, 0)}))
    assert found.numbers["p_value"] == 1 / 501
    balanced = attrition(trial(), make_tables(people, {"earnings": lose(people, earnings, 5, 5)}))
    assert balanced.numbers["p_value"] == 1.0


def test_sentence_gives_no_small_number_away(trial, make_tables, people, earnings):
    found = attrition(trial(), make_tables(people, {"earnings": lose(people, earnings, 1, 0)}))
    assert "5 percentage points" in found.sentence
    rest = (found.sentence + found.reason).replace("5 percentage points", "")
    assert not any(character.isdigit() for character in rest)


@pytest.mark.parametrize(("n_lost", "is_hidden"), [(4, True), (5, False), (6, False)])
def test_few_lost_are_hidden_with_what_would_give_them_away(trial, make_tables, people, earnings, n_lost, is_hidden):
    found = attrition(trial(), make_tables(people, {"earnings": lose(people, earnings, n_lost, 20)}))
    cleared = clear(found.table, DisclosureRule(threshold=5))
    row = cleared.hidden.iloc[0]
    assert bool(row["n_without_outcome"]) is is_hidden
    assert bool(row["n_with_outcome"]) is is_hidden
    assert bool(row["share_without"]) is is_hidden
    # The totals of both arms are published, so the other arm's numbers would give the hidden ones away.
    assert bool(cleared.hidden.iloc[1]["n_without_outcome"]) is is_hidden
    assert not cleared.hidden["n_assigned"].any()
