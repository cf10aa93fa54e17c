"""Bounds for attrition: the check says when those who were lost could overturn a clear effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.attrition import check_attrition
from virkning.checks.attrition_bounds import check_attrition_bounds
from virkning.designs import MatchedComparison, estimate
from virkning.disclosure import DisclosureRule, clear


def bounds(design, tables):
    found = estimate(design, tables)
    return check_attrition_bounds(design, tables, found, CheckSettings(), np.random.default_rng(0))


def world(effect: float, lost_treated: float, lost_comparison: float, *, by_outcome: bool = False, seed: int = 1):
    """Return persons and outcomes of which shares are lost: at random, or the lowest of the treated first."""
    generator, n = np.random.default_rng(seed), 600
    people = pd.DataFrame({"is_treated": np.arange(n) % 2 == 0, "trait": generator.normal(size=n)})
    treated = people["is_treated"].to_numpy()
    outcome = 5 + effect * treated + people["trait"].to_numpy() + generator.normal(size=n)
    lost = np.zeros(n, dtype=bool)
    for arm, share in ((treated, lost_treated), (~treated, lost_comparison)):
        rows = np.flatnonzero(arm)
        order = rows[np.argsort(outcome[rows])] if by_outcome else generator.permutation(rows)
        lost[order[: round(share * len(rows))]] = True
    return people, np.where(lost, np.nan, outcome)


def test_few_lost_change_nothing(trial, make_tables):
    people, outcome = world(effect=1.0, lost_treated=0.1, lost_comparison=0.1)
    found = bounds(trial(covariates=("trait",)), make_tables(people, {"earnings": outcome}))
    assert found.passed is True
    assert found.numbers["trimmed"] == 0
    assert found.numbers["lower"] == pytest.approx(found.numbers["upper"])


@pytest.mark.parametrize(("treated", "comparison"), [(0.35, 0.1), (0.1, 0.35)])
def test_effect_that_loss_alone_could_make_raises_concern(trial, make_tables, treated, comparison):
    """Without any effect, the worst off of one group are lost: the difference is clear, and the bounds hold zero."""
    people, outcome = world(effect=0.0, lost_treated=treated, lost_comparison=comparison, by_outcome=True)
    tables = make_tables(people, {"earnings": outcome})
    best = estimate(trial(), tables).headline()
    assert not best.lower < 0 < best.upper
    found = bounds(trial(), tables)
    assert found.passed is False
    assert found.numbers["interval_lower"] < 0 < found.numbers["interval_upper"]
    arm = "the comparison group, of whom" if treated > comparison else "those offered the programme, of whom"
    assert arm in found.sentence


def test_table_holds_headline_weights_and_bounds(trial, make_tables):
    people, outcome = world(effect=1.0, lost_treated=0.1, lost_comparison=0.2)
    design, tables = trial(covariates=("trait",)), make_tables(people, {"earnings": outcome})
    found = bounds(design, tables)
    frame, best = found.table.frame, estimate(design, tables).headline()
    assert frame["value"].iloc[0] == best.value
    assert frame["value"].iloc[1] == found.numbers["reweighted"]
    assert frame["value"].tolist()[2:4] == [found.numbers["lower"], found.numbers["upper"]]
    assert frame["lower"].iloc[4] == found.numbers["interval_lower"]
    assert frame["lower"].iloc[4] < frame["value"].iloc[2] < frame["value"].iloc[3] < frame["upper"].iloc[4]
    without = bounds(trial(), tables)
    assert len(without.table.frame) == 4
    assert "reweighted" not in without.numbers


def test_weights_bring_back_those_like_the_lost(trial, make_tables):
    generator = np.random.default_rng(3)
    people, outcome = world(effect=0.0, lost_treated=0.0, lost_comparison=0.0)
    chance = 1 / (1 + np.exp(-2 * people["trait"]))
    outcome = np.where(people["is_treated"] & (generator.random(600) > chance), np.nan, outcome)
    tables = make_tables(people, {"earnings": outcome})
    design = trial(covariates=("trait",))
    found = bounds(design, tables)
    assert abs(found.numbers["reweighted"]) < 0.3 < estimate(design, tables).headline().value


def test_not_judged_without_loss_lottery_or_clear_effect(trial, make_tables):
    people, outcome = world(effect=1.0, lost_treated=0.0, lost_comparison=0.0)
    tables = make_tables(people, {"earnings": outcome})
    assert bounds(trial(), tables).reason == "Nobody was lost."
    matched = MatchedComparison(population="a", comparison="b", estimator="unadjusted")
    assert "lottery" in bounds(matched, tables).reason
    people, outcome = world(effect=0.0, lost_treated=0.1, lost_comparison=0.1)
    found = bounds(trial(), make_tables(people, {"earnings": outcome}))
    assert found.passed is None
    assert "unclear" in found.reason


def test_clusters_widen_the_bounds(trial, make_tables):
    people, outcome = world(effect=1.0, lost_treated=0.1, lost_comparison=0.2)
    # Thirty groups that were assigned together and share a shock.
    group = np.where(people["is_treated"], 0, 15) + np.arange(600) // 2 % 15
    people = people.assign(group=[f"group {code}" for code in group])
    outcome = outcome + 3 * np.random.default_rng(4).normal(size=30)[group]
    tables = make_tables(people, {"earnings": outcome})
    alone = bounds(trial(), tables)
    together = bounds(trial(clusters="group", standard_errors="clustered"), tables)
    assert together.numbers["lower_error"] > 2 * alone.numbers["lower_error"]


def test_few_lost_are_hidden_and_not_told(trial, make_tables):
    people, outcome = world(effect=1.0, lost_treated=0.01, lost_comparison=0.01)
    found = bounds(trial(), make_tables(people, {"earnings": outcome}))
    assert not any(character.isdigit() for character in found.sentence)
    cleared = clear(found.table, DisclosureRule(threshold=5))
    assert cleared.hidden["value"].all()


def test_attrition_by_group_without_a_lottery(make_tables):
    people, outcome = world(effect=1.0, lost_treated=0.3, lost_comparison=0.1)
    tables = make_tables(people, {"earnings": outcome})
    design = MatchedComparison(population="a", comparison="b", estimator="unadjusted")
    found = check_attrition(design, tables, estimate(design, tables), CheckSettings(), np.random.default_rng(0))
    assert found.passed is False
    assert found.numbers["difference"] == pytest.approx(0.2)
    assert found.numbers["p_value"] < 1e-6
