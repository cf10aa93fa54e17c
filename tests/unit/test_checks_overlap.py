"""Overlap, and balance where there was no lottery: the checks say when the groups cannot be compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.balance import check_balance
from virkning.checks.overlap import check_overlap
from virkning.designs import DifferenceInDifferences, MatchedComparison, estimate
from virkning.disclosure import DisclosureRule, clear


def matched(**fields) -> MatchedComparison:
    words = {"population": "the men", "comparison": "the others", "covariates": ("trait",)}
    return MatchedComparison(**{**words, "estimator": "weighting", **fields})


def run(check, design, tables, **settings):
    found = estimate(design, tables)
    return check(design, tables, found, CheckSettings(**{"permutations": 200, **settings}), np.random.default_rng(0))


def world(gap: float, n: int = 600, seed: int = 1):
    """Return persons whose groups lie a gap of standard deviations apart in one trait, and an outcome."""
    generator = np.random.default_rng(seed)
    treated = np.arange(n) % 3 == 0
    people = pd.DataFrame({"is_treated": treated, "trait": generator.normal(size=n) + gap * treated})
    return people, people["trait"].to_numpy() + generator.normal(size=n)


def test_groups_apart_raise_concern_and_groups_together_none(make_tables):
    for gap, passed in ((0.3, True), (3.0, False)):
        people, outcome = world(gap)
        found = run(check_overlap, matched(), make_tables(people, {"earnings": outcome}))
        assert found.passed is passed
        assert (found.numbers["outside"] > 0.05) is not passed
        assert (found.numbers["heaviest"] > 0.5) is not passed
        assert clear(found.table, DisclosureRule()).n_hidden >= 0


def test_those_outside_by_hand(make_tables):
    people, outcome = world(2.0)
    found = run(check_overlap, matched(), make_tables(people, {"earnings": outcome}))
    treated = people["is_treated"]
    # One trait: the score rises with it, so the range of the one is the range of the other.
    outside = people.loc[treated, "trait"] > people.loc[~treated, "trait"].max()
    outside |= people.loc[treated, "trait"] < people.loc[~treated, "trait"].min()
    assert found.numbers["outside"] == pytest.approx(outside.mean(), rel=1e-12)


def test_limits_are_settings_and_trimming_is_an_answer(make_tables):
    people, outcome = world(1.5)
    tables = make_tables(people, {"earnings": outcome})
    strict = run(check_overlap, matched(), tables, overlap_heaviest=0.1)
    assert strict.passed is False
    loose = run(check_overlap, matched(), tables, overlap_heaviest=1.0, overlap_outside=1.0)
    assert loose.passed is True
    people, outcome = world(2.5)
    tables = make_tables(people, {"earnings": outcome})
    assert run(check_overlap, matched(), tables, overlap_heaviest=1.0).passed is False
    trimmed = run(check_overlap, matched(trimming={"rule": "common_support"}), tables, overlap_heaviest=1.0)
    assert trimmed.passed is True
    assert "left out" in trimmed.reason


def test_overlap_that_cannot_be_told(trial, make_tables):
    people, outcome = world(0.3)
    tables = make_tables(people, {"earnings": outcome})
    assert run(check_overlap, trial(), tables).passed is None
    assert run(check_overlap, matched(estimator="unadjusted", covariates=()), tables).passed is None


def test_balance_is_that_of_the_compared(make_tables):
    people, outcome = world(0.8)
    tables = make_tables(people, {"earnings": outcome})
    weighted = run(check_balance, matched(), tables)
    plain = run(check_balance, matched(estimator="unadjusted"), tables)
    adjusted = run(check_balance, matched(estimator="regression"), tables)
    # Weights bring the groups together; without them the gap is a concern; what a regression does is not judged.
    assert (weighted.passed, plain.passed, adjusted.passed) == (True, False, None)
    assert plain.numbers["largest"] == pytest.approx(adjusted.numbers["largest"]) == pytest.approx(0.8, abs=0.25)
    assert "joint_p_value" not in weighted.numbers


def test_balance_of_groups_whose_changes_are_compared(make_tables):
    people, outcome = world(0.8)
    tables = make_tables(people, {"earnings": outcome})
    before = tables.outcomes.assign(period="before")
    both = type(tables).of(
        tables.participants,
        pd.concat([before, tables.outcomes.assign(value=2 * outcome)]),
        tables.measures,
        tables.schemas,
    )
    words = {"population": "a", "comparison": "b", "sampling": "panel", "covariates": ("trait",)}
    design = DifferenceInDifferences(**words, before=("before",), after=("after",))
    found = run(check_balance, design, both)
    assert found.passed is None
    assert "changes" in found.reason
    assert run(check_balance, design, both, balance_threshold=2.0).passed is True
