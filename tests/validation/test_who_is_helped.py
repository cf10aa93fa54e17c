"""Quantiles, shares of an effect and sums over levels against other software and independent computation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.stats import mstats

import virkning as vk
from virkning.numerics.quantiles import harrell_davis
from virkning.numerics.ratio import fieller
from virkning.subgroups import estimate_quantiles, estimate_subgroups

QUANTILES = np.array([0.1, 0.25, 0.5, 0.75, 0.9])


@pytest.fixture(scope="module")
def nsw():
    programme = vk.Programme.read("nsw")
    return programme, vk.read_data(programme)


@pytest.fixture(scope="module")
def quantiles(nsw):
    programme, tables = nsw
    return estimate_quantiles(programme.design, tables, seed=1).frame.set_index("percentile")


def test_quantiles_are_those_of_scipy(nsw):
    """Other software: scipy.stats.mstats.hdquantiles (Harrell and Davis 1982), on the earnings of NSW."""
    frame = nsw[1].analysis("earnings_usd")
    for arm in (True, False):
        earnings = frame.loc[frame["is_treated"] == arm, "value"].to_numpy()
        ours = harrell_davis(earnings, QUANTILES)
        np.testing.assert_allclose(ours, mstats.hdquantiles(earnings, QUANTILES).data, rtol=1e-9, atol=1e-9)


def test_quantiles_are_near_quantile_regression(nsw, quantiles):
    """Other software: a quantile regression on the offer is the difference of plain sample quantiles."""
    from statsmodels.regression.quantile_regression import QuantReg

    frame = nsw[1].analysis("earnings_usd")
    matrix = np.column_stack([np.ones(len(frame)), frame["is_treated"].to_numpy(dtype=float)])
    for quantile in (0.25, 0.5, 0.75):
        theirs = QuantReg(frame["value"].to_numpy(), matrix).fit(q=quantile, max_iter=5_000).params[1]
        row = quantiles.loc[round(100 * quantile)]
        # Two estimators of the same quantile: less than a standard error apart, not equal.
        assert abs(row["value"] - theirs) < row["std_error"]


def test_bootstrap_error_is_near_the_jackknife_of_scipy(nsw, quantiles):
    """Other software: hdquantiles_sd; where many share the value zero, only the bootstrap is meant to hold."""
    frame = nsw[1].analysis("earnings_usd")
    for quantile in (0.5, 0.75, 0.9):
        errors = [
            mstats.hdquantiles_sd(frame.loc[frame["is_treated"] == arm, "value"].to_numpy(), [quantile])[0]
            for arm in (True, False)
        ]
        # Jackknife and bootstrap agree in large samples only.
        assert quantiles.loc[round(100 * quantile), "std_error"] == pytest.approx(np.hypot(*errors), rel=0.15)


@pytest.mark.parametrize(
    ("top", "bottom", "covariance"),
    [
        (3.0, 10.0, [[1.0, 0.4], [0.4, 2.0]]),
        (-2.0, 5.0, [[1.0, 0.0], [0.0, 0.5]]),
        (4.0, -9.0, [[1.5, -0.8], [-0.8, 3.0]]),
    ],
)
def test_ends_of_the_interval_of_a_ratio_are_where_a_test_rejects(top, bottom, covariance):
    """Independent computation: at each end, the t-test that top - r * bottom is zero has exactly the p-value 5%."""
    matrix, freedom = np.array(covariance), 40
    found = fieller(top, bottom, matrix, 0.95, freedom)
    assert found is not None
    assert found.lower < found.value < found.upper
    for end in (found.lower, found.upper):
        contrast = np.array([1.0, -end])
        t = (top - end * bottom) / np.sqrt(contrast @ matrix @ contrast)
        assert 2 * stats.t.sf(abs(t), freedom) == pytest.approx(0.05, rel=1e-9)


def test_ratio_with_a_lower_part_near_zero_has_no_interval():
    assert fieller(3.0, 1.0, np.eye(2), 0.95, np.inf) is None
    assert fieller(3.0, 1.97, np.eye(2), 0.95, np.inf) is not None


def test_interval_of_a_ratio_covers():
    generator = np.random.default_rng(11)
    covariance = np.array([[1.0, 0.6], [0.6, 1.5]])
    drawn = generator.multivariate_normal([2.0, 6.0], covariance, size=2_000)
    found = [fieller(*pair, covariance, 0.95, np.inf) for pair in drawn]
    inside = [each is None or each.lower <= 1 / 3 <= each.upper for each in found]
    # Four standard errors of a share of 0.95 among 2,000.
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


def test_levels_add_up_as_a_regression_with_all_levels_does(nsw):
    """Independent computation: one regression with each level and its interaction, and sums of its coefficients."""
    import statsmodels.api as sm

    programme, tables = nsw
    design = programme.design.model_copy(update={"standard_errors": "hc2", "alternatives": ()})
    settings = programme.specification
    levels = estimate_subgroups(design, tables, {}, settings.vulnerability, seed=1).levels
    frame = tables.analysis("earnings_usd")
    signs = (
        frame["has_no_degree"].astype(int) + (frame["earnings_1974_usd"] <= 0) + (frame["earnings_1975_usd"] <= 0)
    ).clip(lower=1)
    treated = frame["is_treated"].to_numpy(dtype=float)
    dummies = np.column_stack([(signs == each).to_numpy(dtype=float) for each in (1, 2, 3)])
    fit = sm.OLS(frame["value"].to_numpy(), np.column_stack([dummies, dummies * treated[:, None]])).fit(cov_type="HC2")
    effects, covariance = fit.params[3:], fit.cov_params()[3:, 3:]
    np.testing.assert_allclose(levels.frame["value"], effects, rtol=1e-9)
    counts = np.array([(treated[signs == each]).sum() for each in (1, 2, 3)])
    share = counts / counts.sum()
    assert levels.everyone.value == pytest.approx(share @ effects, rel=1e-9)
    assert levels.everyone.std_error == pytest.approx(np.sqrt(share @ covariance @ share), rel=1e-9)
    # More than a quarter of those offered have all three signs, so the quarter is a part of that level.
    assert levels.quarter.effect.value == pytest.approx(effects[2], rel=1e-9)
    assert levels.quarter.share.value == pytest.approx(0.25 * effects[2] / (share @ effects), rel=1e-9)
