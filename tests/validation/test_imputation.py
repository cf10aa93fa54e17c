"""Multiple imputation: Rubin's rules by hand, and bias and coverage where traits explain who is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm

from virkning.numerics.imputation import completed, line_draws, matched_draws, pool


def test_rubins_rules_by_hand() -> None:
    # Three estimates 1, 2, 3 with error 1: within 1, between 1 × 4/3, total 7/3; λ 4/7, so ν = 2 / λ² = 6.125.
    found = pool([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    assert found.value == 2.0
    assert found.std_error == pytest.approx(math.sqrt(7 / 3), rel=1e-12)
    assert found.degrees_of_freedom == pytest.approx(2 / (4 / 7) ** 2, rel=1e-12)
    ratio = 4 / 3
    assert found.missing_information == pytest.approx((ratio + 2 / (6.125 + 3)) / (1 + ratio), rel=1e-12)


def test_small_samples_have_fewer_degrees_of_freedom() -> None:
    # Barnard and Rubin 1999: ν_obs = (ν + 1) / (ν + 3) × ν × (1 - λ), joined with the other harmonically.
    found = pool([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], 10.0)
    observed = 11 / 13 * 10 * (1 - 4 / 7)
    assert found.degrees_of_freedom == pytest.approx(1 / (1 / 6.125 + 1 / observed), rel=1e-12)
    same = pool([1.0, 1.0], [2.0, 2.0], 20.0)
    assert same.degrees_of_freedom == pytest.approx(21 / 23 * 20, rel=1e-12)
    assert same.std_error == 2.0
    assert same.missing_information == 0.0
    assert pool([1.0, 1.0], [2.0, 2.0]).degrees_of_freedom == math.inf


def test_draws_around_the_line_have_its_mean_and_spread() -> None:
    generator = np.random.default_rng(1)
    known = generator.normal(size=(4000, 1))
    values = 1 + 2 * known[:, 0] + 0.5 * generator.normal(size=4000)
    drawn = line_draws(values, known, np.full((4000, 1), 3.0), generator)
    assert drawn.mean() == pytest.approx(7.0, abs=0.1)
    assert drawn.std() == pytest.approx(0.5, abs=0.03)


def test_matched_draws_are_values_that_occur_among_the_nearest() -> None:
    generator = np.random.default_rng(2)
    known = np.arange(100.0)[:, None]
    values = np.arange(100.0)
    drawn = matched_draws(values, known, np.full((200, 1), 50.2), generator)
    assert set(drawn) <= set(values)
    assert abs(drawn - 50.2).max() < 5
    assert len(set(drawn)) > 2
    few = matched_draws(np.array([1.0, 2.0, 3.0]), np.zeros((3, 0)), np.zeros((5, 0)), generator)
    assert set(few) <= {1.0, 2.0, 3.0}


def test_known_values_stay_and_draws_differ() -> None:
    generator = np.random.default_rng(3)
    values = generator.normal(size=(60, 2))
    values[:10, 0], values[5:20, 1] = np.nan, np.nan
    known = ~np.isnan(values)
    found = list(completed(values, np.zeros((60, 0)), np.arange(60) % 2 == 0, 3, generator))
    for each in found:
        assert np.isfinite(each).all()
        np.testing.assert_array_equal(each[known], values[known])
    assert (found[0][~known] != found[1][~known]).any()
    again = next(completed(values, np.zeros((60, 0)), np.arange(60) % 2 == 0, 1, np.random.default_rng(9)))
    same = next(completed(values, np.zeros((60, 0)), np.arange(60) % 2 == 0, 1, np.random.default_rng(9)))
    np.testing.assert_array_equal(again, same)


def _effect(outcome: np.ndarray, treated: np.ndarray) -> tuple[float, float]:
    arms = outcome[treated], outcome[~treated]
    return float(arms[0].mean() - arms[1].mean()), math.sqrt(sum(arm.var(ddof=1) / len(arm) for arm in arms))


def test_bias_and_coverage_where_traits_explain_the_loss() -> None:
    generator, rows, inside, n = np.random.default_rng(4), [], 0, 300
    for _ in range(100):
        trait = generator.normal(size=n)
        treated = generator.random(n) < 0.5
        outcome = 0.5 * treated + trait + generator.normal(size=n)
        lost = generator.random(n) < 1 / (1 + np.exp(1 - trait * np.where(treated, 1.0, -1.0)))
        seen = np.where(lost, np.nan, outcome)
        is_amount = np.array([True])
        draws = completed(seen[:, None], trait[:, None], treated, 10, generator, is_amount=is_amount)
        found = pool(*zip(*(_effect(each[:, 0], treated) for each in draws), strict=True), n - 2)
        lower, upper = found.interval(0.95)
        inside += lower <= 0.5 <= upper
        rows.append((found.value, found.std_error, _effect(outcome[~lost], treated[~lost])[0]))
    values, errors, naive = np.array(rows).T
    assert abs(values.mean() - 0.5) < 0.05
    assert naive.mean() < 0.1
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)
    assert 0.88 < inside / 100 <= 1


def test_outcome_filled_in_from_its_own_regression_adds_nothing() -> None:
    """Theory: filled in from the model that is then fitted, the complete cases' coefficient and error must come out."""
    generator, n = np.random.default_rng(5), 500
    trait = generator.normal(size=n)
    outcome = 1 + 2 * trait + generator.normal(size=n)
    seen = np.where(generator.random(n) < 1 / (1 + np.exp(1 - trait)), np.nan, outcome)
    known = np.isfinite(seen)
    cases = sm.OLS(seen[known], sm.add_constant(trait[known])).fit()
    everybody, is_amount = np.ones(n, dtype=bool), np.array([True])
    draws = completed(seen[:, None], trait[:, None], everybody, 400, generator, is_amount=is_amount)
    fits = [sm.OLS(each[:, 0], sm.add_constant(trait)).fit() for each in draws]
    ours = pool([float(fit.params[1]) for fit in fits], [float(fit.bse[1]) for fit in fits])
    assert ours.value == pytest.approx(float(cases.params[1]), abs=0.01)
    assert ours.std_error == pytest.approx(float(cases.bse[1]), rel=0.06)
