"""Effects under other assignments, and p-values."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.numerics import permutation


def test_p_values():
    effects = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    assert permutation.p_value(3.0, effects, is_exact=True) == 2 / 5
    assert permutation.p_value(3.0, effects, is_exact=True, alternative="greater") == 1 / 5
    assert permutation.p_value(-1.0, effects, is_exact=True, alternative="less") == 2 / 5
    assert permutation.p_value(9.0, effects, is_exact=False) == 1 / 6
    assert permutation.p_value(0.0, effects, is_exact=False) == 1.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_rounding_does_not_break_ties(sign):
    effects = np.full(10, sign * (1 + 3e-16)) - sign * 5e-16
    for alternative in ("two-sided", "greater" if sign > 0 else "less"):
        assert permutation.p_value(sign, effects, is_exact=True, alternative=alternative) == 1.0


def test_difference_is_weighted_by_size_of_strata():
    outcome = np.array([1.0, 0.0, 5.0, 5.0, 1.0, 1.0])
    strata = np.array([0, 0, 1, 1, 1, 1])
    assigned = np.array([[True, False, True, True, False, False]])
    assert permutation.differences(assigned, outcome, strata=strata)[0] == pytest.approx((2 * 1 + 4 * 4) / 6)


def test_rare_trait_absent_from_an_arm_gives_a_finite_effect():
    generator = np.random.default_rng(1)
    rare = (np.arange(12) == 0).astype(float)
    controls = (rare - rare.mean())[:, None]
    assigned = np.array([np.arange(12) >= 6, np.arange(12) < 6])
    found = permutation.adjusted_by_arm(assigned, generator.normal(size=12), controls)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 100


def test_imbalance_ignores_differences_between_strata():
    strata = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    covariate = np.where(strata == 0, 0.0, 10.0)[:, None] + np.array([1.0, -1.0] * 4)[:, None]
    apart = np.array([[True, False, True, False, True, False, True, False]])
    alike = np.array([[True, True, False, False, True, True, False, False]])
    assert permutation.imbalance(apart, covariate, strata)[0] == pytest.approx(2.0)
    assert permutation.imbalance(alike, covariate, strata)[0] == pytest.approx(0.0, abs=1e-12)


def test_imbalance_of_constant_covariates_is_nothing():
    assert permutation.imbalance(np.array([[True, False, True]]), np.ones((3, 2))).tolist() == [0.0]
