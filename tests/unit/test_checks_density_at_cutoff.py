"""Density at the cutoff: persons who moved across it are found, and a smooth density is not suspected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.density_at_cutoff import check_density_at_cutoff
from virkning.checks.results import CheckResult
from virkning.data import Tables
from virkning.designs.regression_discontinuity import RegressionDiscontinuity
from virkning.disclosure import DisclosureRule, clear
from virkning.estimates import Estimates
from virkning.numerics.density_at_cutoff import TooFewNearCutoffError, density_jump

CUTOFF = 50.0


def scores(n: int, seed: int, moved: float = 0.0) -> np.ndarray:
    """Return scores of which a share just below fifty was lifted to just above it."""
    generator = np.random.default_rng(seed)
    score = generator.normal(52, 12, size=n)
    lifted = (score < CUTOFF) & (score > CUTOFF - 5) & (generator.random(n) < moved)
    return np.where(lifted, 2 * CUTOFF - score, score)


def check(make_tables, score: np.ndarray, treated_side: str = "at_or_above") -> CheckResult:
    people = pd.DataFrame({"score": score, "is_treated": score >= CUTOFF})
    tables: Tables = make_tables(people, {"gain": score})
    design = RegressionDiscontinuity(
        population="all", comparison="others", running="score", cutoff=CUTOFF, treated_side=treated_side
    )
    return check_density_at_cutoff(design, tables, Estimates({}), CheckSettings(), np.random.default_rng(0))


def test_half_of_those_just_below_moved(make_tables) -> None:
    found = check(make_tables, scores(2000, 1, moved=0.5))
    assert found.passed is False
    assert found.numbers["above"] > 1.5 * found.numbers["below"]
    assert "jumps" in found.reason


def test_nobody_moved(make_tables) -> None:
    found = check(make_tables, scores(6000, 2))
    assert found.passed is True
    assert found.numbers["p_value"] > 0.05


def test_few_persons_show_little(make_tables) -> None:
    found = check(make_tables, scores(120, 3))
    assert found.passed is None


def test_false_alarms_are_one_in_twenty_and_movers_are_mostly_found() -> None:
    calm = [density_jump(scores(600, seed), CUTOFF).p_value < 0.05 for seed in range(100, 300)]
    # Of 200, twenty or more come with a chance below one in two hundred.
    assert sum(calm) <= 19
    moved = [density_jump(scores(1000, seed, moved=0.6), CUTOFF).p_value < 0.05 for seed in range(300, 340)]
    assert np.mean(moved) > 0.7


def test_mirror_image_turns_the_sign_only() -> None:
    score = scores(800, 4, moved=0.3)
    one, other = density_jump(score, CUTOFF), density_jump(-score, -CUTOFF)
    assert one.statistic == pytest.approx(-other.statistic, rel=0.02)
    assert one.bandwidths == pytest.approx(other.bandwidths[::-1], rel=0.02)


def test_side_of_those_at_the_cutoff_follows_the_rule(make_tables) -> None:
    # Some stand exactly at the cutoff; they belong to the side that had the programme.
    score = scores(1500, 5)
    score[::100] = CUTOFF
    above, below = (check(make_tables, score, side).numbers["statistic"] for side in ("at_or_above", "at_or_below"))
    assert above == density_jump(score, CUTOFF).statistic
    assert below == -density_jump(-score, -CUTOFF).statistic


def test_densities_are_those_of_the_normal_distribution() -> None:
    found = density_jump(scores(50_000, 6), CUTOFF)
    expected = np.exp(-((CUTOFF - 52) ** 2) / (2 * 144)) / np.sqrt(2 * np.pi * 144)
    assert found.below == pytest.approx(expected, rel=0.05)
    assert found.above == pytest.approx(expected, rel=0.05)


def test_few_different_values_and_no_cutoff(make_tables, trial, people, earnings) -> None:
    with pytest.raises(TooFewNearCutoffError):
        density_jump(np.array([49.0, 49.0, 48.0] * 20 + [51.0, 52.0, 53.0, 54.0, 55.0, 56.0] * 20), CUTOFF)
    generator = np.random.default_rng(0)
    tables = make_tables(people, {"earnings": earnings})
    found = check_density_at_cutoff(trial(), tables, Estimates({}), CheckSettings(), generator)
    assert (found.passed, "no cutoff" in found.reason) == (None, True)


def test_numbers_that_many_share_are_no_evidence(make_tables) -> None:
    found = check(make_tables, np.round(scores(6000, 2), 1))
    assert found.passed is None
    assert "share" in found.reason


def test_bins_with_few_persons_are_hidden(make_tables) -> None:
    found = check(make_tables, scores(300, 7))
    cleared = clear(found.table, DisclosureRule(threshold=5))
    few = found.table.frame["persons"].between(1, 4)
    assert cleared.hidden["density"].equals(few)
