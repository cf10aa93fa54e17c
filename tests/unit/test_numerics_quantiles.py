"""Quantiles that are nobody's own value, and the difference between two groups."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.numerics.quantiles import harrell_davis, quantile_differences

QUANTILES = np.array([0.1, 0.5, 0.9])


def differences(outcome, treated, *, unit=None, stratum=None, weights=None, draws=600, seed=1):
    n = len(outcome)
    return quantile_differences(
        np.asarray(outcome, dtype=float),
        treated,
        QUANTILES,
        unit=np.arange(n) if unit is None else unit,
        stratum=np.zeros(n, dtype=np.int64) if stratum is None else stratum,
        weights=weights,
        level=0.95,
        draws=draws,
        generator=np.random.default_rng(seed),
    )


@pytest.fixture
def groups():
    generator = np.random.default_rng(3)
    return np.concatenate([generator.normal(3, 2, 150), generator.normal(0, 1, 200)]), np.arange(350) < 150


def test_no_quantile_is_a_value_of_one_person(groups):
    outcome, _ = groups
    assert not np.isin(harrell_davis(outcome, QUANTILES), outcome).any()


def test_equal_weights_change_nothing_and_a_heavy_person_pulls(groups):
    outcome, _ = groups
    plain = harrell_davis(outcome, QUANTILES)
    np.testing.assert_allclose(harrell_davis(outcome, QUANTILES, np.full(350, 3.0)), plain, rtol=1e-9)
    weights = np.where(outcome > 2, 5.0, 1.0)
    assert (harrell_davis(outcome, QUANTILES, weights) > plain).all()


def test_shift_and_scale_pass_through(groups):
    outcome, _ = groups
    np.testing.assert_allclose(
        harrell_davis(10 * outcome - 4, QUANTILES), 10 * harrell_davis(outcome, QUANTILES) - 4, rtol=1e-12
    )


def test_wider_spread_shows_in_the_outer_quantiles(groups):
    found = differences(*groups)
    # Means 3 and 0, standard deviations 2 and 1: 3 - 1.2816, 3 and 3 + 1.2816.
    assert np.abs(found.value - [1.718, 3.0, 4.282]).max() < 0.7
    assert (found.lower < found.value).all()
    assert (found.value < found.upper).all()
    assert (np.diff(found.value) > 0).all()


def test_same_seed_same_bits_and_whole_clusters_are_less_certain(groups):
    outcome, treated = groups
    one, two = differences(outcome, treated), differences(outcome, treated)
    np.testing.assert_array_equal(one.std_error, two.std_error)
    unit = np.arange(350) // 10
    common = np.repeat(np.random.default_rng(5).normal(0, 3, 35), 10)
    separate = differences(outcome + common, treated)
    together = differences(outcome + common, treated, unit=unit)
    assert together.std_error[1] > 1.5 * separate.std_error[1]


def test_strata_take_out_what_they_explain():
    generator = np.random.default_rng(7)
    stratum = np.repeat(np.arange(4), 60)
    outcome, treated = 20.0 * stratum + generator.normal(0, 1, 240), np.arange(240) % 2 == 0
    mixed, within = differences(outcome, treated), differences(outcome, treated, stratum=stratum)
    assert within.std_error[1] < 0.7 * mixed.std_error[1]
