"""Checks of persons who are followed: who was lost before the horizon, their traits, the lottery drawn again."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from virkning.certainty.parts import lost
from virkning.checks import CheckSettings
from virkning.checks.attrition import check_attrition, is_lost
from virkning.checks.balance import check_balance
from virkning.checks.randomisation_inference import check_randomisation_inference
from virkning.data import Tables
from virkning.designs import Duration, estimate
from virkning.estimand import Outcome

HORIZON = 20.0
MEASURES = {
    "weeks": Outcome(label="Weeks without work", unit="weeks", kind="amount", period="end", primary=True),
    "found": Outcome(label="Found work", unit="share", kind="share", period="end"),
    "moved": Outcome(label="Moved away", unit="share", kind="share", period="end"),
}
FEW = CheckSettings(permutations=500)


def design(**fields: object) -> Duration:
    given: dict[str, object] = {
        "assignment": "lottery",
        "follow_up": {"weeks": {"event": "found", "competing": ["moved"], "horizon": HORIZON}},
    }
    return Duration(population="the young", comparison="the others", **{**given, **fields})


def tables_of(make_tables, treated, weeks, found, moved=None, **traits) -> Tables:
    people = pd.DataFrame({"is_treated": treated, **traits})
    values = {"weeks": weeks, "found": found, "moved": np.zeros(len(people)) if moved is None else moved}
    made = make_tables(people, {name: np.asarray(value, dtype=float) for name, value in values.items()})
    outcomes = made.outcomes.assign(period="end")
    return Tables.of(made.participants, outcomes, MEASURES, made.schemas)


def followed(make_tables, n: int = 400, *, lost_treated: float = 0.0, **traits) -> Tables:
    """Return persons of whom some of those offered the programme are lost in the first week."""
    generator = np.random.default_rng(3)
    treated = np.arange(n) % 2 == 0
    weeks = generator.exponential(np.where(treated, 10.0, 16.0))
    is_lost_early = treated & (generator.random(n) < lost_treated)
    found = (weeks <= 30) & ~is_lost_early
    return tables_of(make_tables, treated, np.where(is_lost_early, 1.0, np.minimum(weeks, 30.0)), found, **traits)


def test_whoever_is_lost_before_the_horizon_counts_as_lost(make_tables) -> None:
    weeks = [5.0, 5.0, 5.0, 19.0, 20.0, 25.0, np.nan, 8.0]
    found = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, np.nan, 1.0]
    moved = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, np.nan, 0.0]
    tables = tables_of(make_tables, np.arange(8) % 2 == 0, weeks, found, moved)
    for measure in MEASURES:
        assert is_lost(design(), tables, measure).tolist() == [False, True, False, True, False, False, True, False]


def test_losses_of_a_tenth_of_one_group_raise_concern(make_tables) -> None:
    for share, verdict in ((0.0, True), (0.15, False)):
        tables = followed(make_tables, lost_treated=share)
        effects = estimate(design(), tables)
        found = check_attrition(design(), tables, effects, FEW, np.random.default_rng(0))
        assert found.passed is verdict
        assert "horizon" in found.table.note
    assert found.numbers["p_value"] < 0.01
    assert lost(design(), tables, "weeks")[1] == pytest.approx(found.numbers["difference"])


def test_traits_of_the_groups_are_compared_by_the_lottery(make_tables) -> None:
    treated = np.arange(400) % 2 == 0
    for shift, verdict in ((0.0, (True, None)), (0.5, (False,))):
        age = np.random.default_rng(4).normal(0, 1, 400) + shift * treated
        tables = followed(make_tables, age=age)
        used = design(covariates=("age",))
        found = check_balance(used, tables, estimate(used, tables), FEW, np.random.default_rng(0))
        assert found.passed in verdict
        assert found.numbers["joint_p_value"] <= 1


def test_without_a_lottery_traits_apart_are_a_concern_unless_they_are_adjusted_for(make_tables) -> None:
    treated = np.arange(400) % 2 == 0
    tables = followed(make_tables, age=np.random.default_rng(4).normal(0, 1, 400) + 0.5 * treated)
    for estimator, verdict in (("difference_in_means", False), ("ancova", None)):
        used = design(assignment="comparison", covariates=("age",), estimator=estimator)
        found = check_balance(used, tables, estimate(used, tables), FEW, np.random.default_rng(0))
        assert found.passed is verdict
        assert "joint_p_value" not in found.numbers


def test_all_lotteries_of_ten_are_tried(make_tables) -> None:
    weeks = np.array([2.0, 4, 5, 6, 7, 9, 11, 12, 15, 25])
    treated = np.array([1, 1, 1, 0, 1, 0, 0, 1, 0, 0], dtype=bool)
    tables = tables_of(make_tables, treated, weeks, weeks < HORIZON)
    found = check_randomisation_inference(design(), tables, estimate(design(), tables), FEW, np.random.default_rng(0))
    counted = np.minimum(weeks, HORIZON)
    gaps = []
    for chosen in combinations(range(10), 5):
        arm = np.isin(np.arange(10), chosen)
        gaps.append(counted[arm].mean() - counted[~arm].mean())
    seen = counted[treated].mean() - counted[~treated].mean()
    assert found.numbers["n_assignments"] == 252
    assert found.numbers["value"] == pytest.approx(seen)
    assert found.numbers["p_value"] == pytest.approx(np.mean(np.abs(gaps) >= abs(seen) - 1e-9))


def test_with_losses_the_lottery_and_the_curves_agree(make_tables) -> None:
    tables = followed(make_tables, lost_treated=0.1)
    found = check_randomisation_inference(design(), tables, estimate(design(), tables), FEW, np.random.default_rng(0))
    assert found.passed is None
    assert set(found.table.frame["measure"]) == {"weeks", "found"}
    assert found.numbers["p_value"] < 0.05


def test_no_lottery_is_not_drawn_again(make_tables) -> None:
    used = design(assignment="comparison")
    tables = followed(make_tables)
    found = check_randomisation_inference(used, tables, estimate(used, tables), FEW, np.random.default_rng(0))
    assert found.passed is None
    assert "No lottery" in found.reason
