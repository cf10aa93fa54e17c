"""Lee's bounds on the NSW's wages, in both directions, and weights for who was found: their bias and coverage."""

from __future__ import annotations

import causaldata
import numpy as np
import pandas as pd
import pytest

from virkning.numerics.attrition import lee_bounds, reweighted_difference


@pytest.fixture(scope="module")
def wages() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log earnings of those who earned anything in 1978, who did, and who was offered the programme."""
    data = causaldata.nsw_mixtape.load_pandas().data
    earnings, treated = data["re78"].to_numpy(dtype=float), data["treat"].to_numpy() == 1
    found = earnings > 0
    return np.where(found, np.log(np.where(found, earnings, 1.0)), np.nan), found, treated


def test_bounds_of_wages(wages) -> None:
    bounds = lee_bounds(*wages)
    assert bounds.lower == pytest.approx(-0.13949, abs=5e-6)
    assert bounds.upper == pytest.approx(0.40404, abs=5e-6)
    assert bounds.trimmed == pytest.approx(0.14615, abs=5e-6)
    assert bounds.is_treated_trimmed


def test_bounds_turn_with_the_direction(wages) -> None:
    """Call the treated comparison and the comparison treated: the bounds must change sign and ends, nothing else."""
    outcome, found, treated = wages
    one, other = lee_bounds(outcome, found, treated), lee_bounds(outcome, found, ~treated)
    assert not other.is_treated_trimmed
    assert (other.lower, other.upper) == pytest.approx((-one.upper, -one.lower), rel=1e-12)
    assert (other.lower_error, other.upper_error) == pytest.approx((one.upper_error, one.lower_error), rel=1e-12)
    turned = lee_bounds(-outcome, found, treated)
    assert (turned.lower, turned.upper) == pytest.approx((-one.upper, -one.lower), rel=1e-12)


def test_second_implementation(wages) -> None:
    statspai = pytest.importorskip("statspai")
    outcome, found, treated = wages
    data = pd.DataFrame({"y": outcome, "treat": treated.astype(int), "found": found.astype(int)})
    theirs = statspai.lee_bounds(data, y="y", treat="treat", selection="found", se_method="analytic", n_bootstrap=10)
    ours = lee_bounds(outcome, found, treated)
    info = theirs.model_info
    np.testing.assert_allclose((ours.lower, ours.upper), (info["lower_bound"], info["upper_bound"]), rtol=1e-6)
    # They divide by n - 1 where we divide by n.
    np.testing.assert_allclose((ours.lower_error, ours.upper_error), (info["se_lower"], info["se_upper"]), rtol=5e-3)
    lower, upper = ours.interval(0.95)
    assert (lower, upper) == pytest.approx(
        (ours.lower - 1.644854 * ours.lower_error, ours.upper + 1.644854 * ours.upper_error), abs=1e-3
    )


def test_interval_without_width_is_the_usual_one() -> None:
    generator = np.random.default_rng(3)
    outcome, treated = generator.normal(size=400), np.arange(400) % 2 == 0
    bounds = lee_bounds(outcome, np.ones(400, dtype=bool), treated)
    assert bounds.trimmed == 0
    assert bounds.lower == bounds.upper == pytest.approx(outcome[treated].mean() - outcome[~treated].mean(), rel=1e-12)
    lower, upper = bounds.interval(0.95)
    assert (upper - lower) / 2 == pytest.approx(1.959964 * bounds.lower_error, rel=1e-5)
    plain = np.sqrt(outcome[treated].var() / 200 + outcome[~treated].var() / 200)
    assert bounds.lower_error == pytest.approx(plain, rel=1e-10)


@pytest.mark.parametrize("raises", [True, False])
def test_errors_are_the_spread_over_many_trials(raises: bool) -> None:
    generator, rows, inside = np.random.default_rng(4), [], 0
    n = 800
    for _ in range(300):
        treated = generator.random(n) < 0.5
        quiet = generator.random(n)
        # A fifth answers only when offered (or only when not): the rest answers either way or never.
        found = np.where(treated == raises, quiet < 0.9, quiet < 0.7)
        outcome = 0.5 * treated + generator.normal(size=n) - 1.0 * (quiet > 0.7)
        bounds = lee_bounds(outcome, found, treated)
        assert bounds.is_treated_trimmed == raises
        lower, upper = bounds.interval(0.95)
        inside += lower <= 0.5 <= upper
        rows.append((bounds.lower, bounds.upper, bounds.lower_error, bounds.upper_error))
    table = np.array(rows)
    np.testing.assert_allclose(table[:, 2:].mean(axis=0), table[:, :2].std(axis=0), rtol=0.12)
    # The effect on those who answer either way lies inside; it is not at an end of the bounds, so coverage is larger.
    assert inside / 300 >= 0.93


def test_yes_no_outcome_is_trimmed_although_all_are_on_the_edge() -> None:
    # Of 100 treated 80 are known, 60 of them with a one; of 100 others 40 are known, 20 with a one. Half of the treated
    # is trimmed: 40 ones of 40 at most, 20 of 40 at least.
    treated = np.repeat([True, False], 100)
    found = np.concatenate([np.arange(100) < 80, np.arange(100) < 40])
    outcome = np.concatenate([np.arange(100) < 60, np.arange(100) < 20]).astype(float)
    bounds = lee_bounds(outcome, found, treated)
    assert bounds.trimmed == pytest.approx(0.5)
    assert (bounds.lower, bounds.upper) == pytest.approx((0.5 - 0.5, 1.0 - 0.5))


def test_weights_and_clusters() -> None:
    generator = np.random.default_rng(5)
    outcome, treated, found = generator.normal(size=120), np.arange(120) % 2 == 0, np.arange(120) % 5 != 0
    found &= treated | (np.arange(120) % 3 != 0)
    twice = np.repeat(np.arange(120), 2)
    plain = lee_bounds(outcome, found, treated)
    # A weight of two everywhere changes nothing; a row written twice and clustered by its person neither.
    doubled = lee_bounds(outcome, found, treated, weights=np.full(120, 2.0))
    assert doubled == plain
    written = lee_bounds(outcome[twice], found[twice], treated[twice], clusters=twice)
    assert written.lower_error == pytest.approx(plain.lower_error, rel=0.05)
    assert written.lower == pytest.approx(plain.lower, abs=0.05)


def test_reweighting_removes_what_the_traits_explain() -> None:
    generator, rows, inside, n = np.random.default_rng(6), [], 0, 600
    for _ in range(300):
        trait = generator.normal(size=n)
        treated = generator.random(n) < 0.5
        outcome = 0.5 * treated + trait + generator.normal(size=n)
        chance = 1 / (1 + np.exp(-(1 + trait * np.where(treated, 1.0, -1.0))))
        found = generator.random(n) < chance
        weighted = reweighted_difference(outcome, found, treated, np.column_stack([np.ones(n), trait]))
        naive = outcome[found & treated].mean() - outcome[found & ~treated].mean()
        inside += abs(weighted.value - 0.5) < 1.96 * weighted.std_error
        rows.append((weighted.value, weighted.std_error, naive))
    values, errors, naive = np.array(rows).T
    assert abs(values.mean() - 0.5) < 0.03
    assert naive.mean() > 0.9
    assert errors.mean() == pytest.approx(values.std(), rel=0.1)
    assert 0.91 < inside / 300 < 0.98


def test_reweighting_by_cells_is_what_one_computes_by_hand() -> None:
    # Two kinds of persons: half of the first kind is found, three quarters of the second.
    kind = np.tile(np.repeat([0.0, 1.0], 20), 2)
    treated = np.repeat([True, False], 40)
    place = np.arange(80)
    found = np.where(kind == 1, place % 4 != 0, place % 2 == 0)
    outcome = np.sin(place) + treated
    weighted = reweighted_difference(outcome, found, treated, np.column_stack([np.ones(80), kind]))
    by_hand = [
        np.mean([outcome[found & (treated == arm) & (kind == one)].mean() for one in (0.0, 1.0)])
        for arm in (True, False)
    ]
    assert weighted.value == pytest.approx(by_hand[0] - by_hand[1], rel=1e-8)
    assert weighted.largest_weight == pytest.approx(2.0, rel=1e-8)
