"""Several outcomes: Holm and Romano-Wolf against theory and other software; what an index is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from virkning.numerics.several_outcomes import holm, mean_index, romano_wolf, weighted_index


def test_holm_is_that_of_statsmodels() -> None:
    p_values = np.random.default_rng(1).random(12) ** 3
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-12)


def test_independent_outcomes_give_sidaks_step_down() -> None:
    generator = np.random.default_rng(2)
    influence = np.linalg.qr(generator.normal(size=(2000, 4)))[0]
    p_values = np.array([0.2, 0.01, 0.03, 0.6])
    found = romano_wolf(p_values, influence, 40_000, generator)
    theory = multipletests(p_values, method="holm-sidak")[1]
    # The standard error of a p-value of .2 from 40,000 draws is .002.
    np.testing.assert_allclose(found, theory, atol=0.008)


def test_outcomes_that_are_the_same_cost_nothing() -> None:
    generator = np.random.default_rng(3)
    influence = np.repeat(generator.normal(size=(500, 1)), 3, axis=1)
    p_values = np.array([0.01, 0.04, 0.02])
    found = romano_wolf(p_values, influence, 50_000, generator)
    np.testing.assert_allclose(found, [0.01, 0.04, 0.02], atol=0.003)
    assert (found >= p_values).all()


def test_second_implementation() -> None:
    statspai = pytest.importorskip("statspai")
    generator = np.random.default_rng(4)
    n = 400
    treated = generator.integers(0, 2, size=n).astype(float)
    noise = generator.normal(size=(n, 4)) + 1.5 * generator.normal(size=(n, 1))
    outcomes = noise + treated[:, None] * [0.6, 0.45, 0.0, 0.1]
    data = pd.DataFrame(outcomes, columns=list("abcd")).assign(treat=treated)
    theirs = statspai.romano_wolf(data, y=list("abcd"), x="treat", n_boot=500, seed=1)
    p_values, influence = [], []
    for values in outcomes.T:
        test = stats.ttest_ind(values[treated == 1], values[treated == 0])
        p_values.append(float(test.pvalue))
        share = np.zeros(n)
        for arm, sign in ((1.0, 1.0), (0.0, -1.0)):
            rows = treated == arm
            share[rows] = sign * (values[rows] - values[rows].mean()) / rows.sum()
        influence.append(share)
    ours = romano_wolf(np.array(p_values), np.column_stack(influence), 20_000, generator)
    adjusted = np.asarray(theirs.table["p_rw"] if hasattr(theirs, "table") else theirs["p_rw"], dtype=float)
    # Both draw; theirs 500 times, so that a p-value of .5 has a standard error of .022.
    np.testing.assert_allclose(ours, adjusted, atol=0.06)


def test_false_alarms_over_all_outcomes_stay_at_the_level() -> None:
    """With no effect on any of five outcomes that go together, some outcome is clear in 5 of 100 trials."""
    generator, alarms, naive, n, m = np.random.default_rng(5), 0, 0, 200, 5
    treated = np.arange(n) % 2 == 0
    for _ in range(400):
        values = generator.normal(size=(n, m)) + generator.normal(size=(n, 1))
        p_values = np.asarray(stats.ttest_ind(values[treated], values[~treated]).pvalue)
        share = np.where(
            treated[:, None], values - values[treated].mean(axis=0), -(values - values[~treated].mean(axis=0))
        ) / (n / 2)
        alarms += bool(romano_wolf(p_values, share, 199, generator).min() < 0.05)
        naive += bool(p_values.min() < 0.05)
    # The standard error of 5% over 400 trials is 1.1%.
    assert 0.02 < alarms / 400 < 0.08
    assert naive / 400 > 0.12


def test_step_down_finds_more_than_one_step() -> None:
    generator = np.random.default_rng(6)
    influence = np.linalg.qr(generator.normal(size=(1000, 3)))[0]
    found = romano_wolf(np.array([1e-6, 0.02, 0.04]), influence, 50_000, generator)
    # Once the first is rejected, the others compete with each other only.
    np.testing.assert_allclose(found[1:], [1 - 0.98**2, 0.04], atol=0.004)


def test_mean_index_uses_what_is_known() -> None:
    values = np.array([[1.0, 3.0], [np.nan, 2.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(mean_index(values), [2.0, 2.0, np.nan])


def test_weighted_index_counts_repetition_once() -> None:
    generator = np.random.default_rng(7)
    first, second = generator.normal(size=(2, 5000))
    values = np.column_stack([first, first + 0.1 * generator.normal(size=5000), second])
    found = weighted_index(values, np.ones(5000, dtype=bool))
    assert found is not None
    # Two columns that say the same count together about as much as the one that says something else.
    slope = np.linalg.lstsq(np.column_stack([first, second]), found, rcond=None)[0]
    np.testing.assert_allclose(slope, [0.5, 0.5], atol=0.03)


def test_weighted_index_is_generalised_least_squares() -> None:
    generator = np.random.default_rng(8)
    values = generator.normal(size=(300, 3)) @ np.array([[1.0, 0.4, 0.2], [0, 1, 0.3], [0, 0, 1]])
    covariance = np.cov(values[:200], rowvar=False)
    values[250:, 2] = np.nan
    found = weighted_index(values, np.arange(300) < 200)
    assert found is not None
    ones = np.ones(3)
    inverse = np.linalg.inv(covariance)
    np.testing.assert_allclose(found[0], ones @ inverse @ values[0] / (ones @ inverse @ ones), rtol=1e-10)
    short = np.linalg.inv(covariance[:2, :2])
    np.testing.assert_allclose(found[260], short.sum(axis=0) @ values[260, :2] / short.sum(), rtol=1e-10)
    twins = np.repeat(values[:, :1], 2, axis=1)
    assert weighted_index(twins, np.ones(300, dtype=bool)) is None
