"""Hidden confounding: the published sensitivity analyses of Darfur, of children's lead, and the E-value of 3.9."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from virkning.numerics.hidden_confounding import (
    AdjustedEffect,
    SignedRanks,
    adjusted_effect,
    beside_confounder,
    bound,
    e_value,
    largest_gamma,
    ratio_of_difference,
    robustness_value,
)

REFERENCE = Path(__file__).parent / "reference"
# Lead in the blood of 33 children of workers exposed to lead, and of 33 neighbours' children of the same age (Morton
# and others 1982): the example of Rosenbaum 2002, chapter 4, and of R's rbounds.
EXPOSED = [38, 23, 41, 18, 37, 36, 23, 62, 31, 34, 24, 14, 21, 17, 16, 20, 15, 10, 45, 39, 22, 35, 49, 48, 44, 35, 43]
EXPOSED += [39, 34, 13, 73, 25, 27]
CONTROL = [16, 18, 18, 24, 19, 11, 10, 15, 16, 18, 18, 13, 19, 10, 16, 16, 24, 13, 9, 14, 21, 19, 7, 18, 19, 12, 11, 22]
CONTROL += [25, 16, 13, 11, 13]
LEAD = np.array(EXPOSED, dtype=float) - np.array(CONTROL, dtype=float)


@pytest.fixture(scope="module")
def darfur() -> AdjustedEffect:
    """Return the regression of Cinelli and Hazlett's table 1: its data have the cross products of the real ones."""
    table = pd.read_csv(REFERENCE / "darfur_cross_products.csv").set_index("column")
    rows = np.linalg.cholesky(table.to_numpy()).T
    # 1,276 persons less the means of 486 villages, the treatment and six traits.
    return adjusted_effect(rows[:, 0], rows[:, 1], rows[:, 2:], degrees_of_freedom=1276.0 - 486 - 7)


def test_darfur_minimal_reporting(darfur: AdjustedEffect) -> None:
    # Cinelli and Hazlett 2020, table 1: .097 (.023), t 4.18, R² 2.2%, RV 13.9%, RV at 5% 7.6%, df 783.
    assert darfur.degrees_of_freedom == 783
    assert round(darfur.value, 3) == 0.097
    assert round(darfur.std_error, 3) == 0.023
    assert round(darfur.value / darfur.std_error, 2) == 4.18
    assert round(100 * darfur.partial_r_squared, 1) == 2.2
    given = (darfur.value, darfur.std_error, darfur.degrees_of_freedom)
    assert round(100 * robustness_value(*given), 1) == 13.9
    assert round(100 * robustness_value(*given, significance=0.05), 1) == 7.6


@pytest.mark.parametrize(
    ("times", "value", "error"), [(1.0, 0.0752, 0.0219), (2.0, 0.0529, 0.0204), (3.0, 0.0304, 0.0187)]
)
def test_darfur_bounds_by_female(darfur: AdjustedEffect, times: float, value: float, error: float) -> None:
    found = bound(darfur, 0, times=times)
    assert found is not None
    assert round(found.value, 4) == value
    assert round(found.std_error, 4) == error


def test_darfur_bound_as_printed_by_sensemakr(darfur: AdjustedEffect) -> None:
    # The first row of the bounds in the vignette of R's sensemakr: 1x female .0092 .1246 .0752 .0219 .0323 .1182.
    found = bound(darfur, 0)
    assert found is not None
    printed = (found.with_treatment, found.with_outcome, found.value, found.std_error, found.lower, found.upper)
    assert [round(number, 4) for number in printed] == [0.0092, 0.1246, 0.0752, 0.0219, 0.0323, 0.1182]


def test_partial_r_squared_is_that_of_a_second_library() -> None:
    generator = np.random.default_rng(1)
    traits = generator.normal(size=(200, 3))
    treated = (traits[:, 0] + generator.normal(size=200) > 0).astype(float)
    outcome = traits @ [1.0, 0.5, 0.0] + treated + generator.normal(size=200)
    found = adjusted_effect(outcome, treated, np.column_stack([np.ones(200), traits]))
    whole = sm.OLS(outcome, sm.add_constant(np.column_stack([treated, traits]))).fit()
    np.testing.assert_allclose((found.value, found.std_error), (whole.params[1], whole.bse[1]), rtol=1e-10)
    for place in range(3):
        others = np.delete(traits, place, axis=1)
        less = sm.OLS(outcome, sm.add_constant(np.column_stack([treated, others]))).fit()
        assert found.with_outcome[1 + place] == pytest.approx(1 - whole.ssr / less.ssr, rel=1e-8)
        full = sm.OLS(treated, sm.add_constant(traits)).fit()
        short = sm.OLS(treated, sm.add_constant(others)).fit()
        assert found.with_treatment[1 + place] == pytest.approx(1 - full.ssr / short.ssr, rel=1e-8)


def test_confounder_of_known_strength_gives_the_long_regression() -> None:
    """Leave a trait out, then put its strength in: the formula must return the regression that holds it."""
    generator = np.random.default_rng(2)
    x, z = generator.normal(size=(2, 400))
    treated = 0.5 * x + 0.7 * z + generator.normal(size=400)
    outcome = treated + x + 2 * z + generator.normal(size=400)
    ones = np.ones(400)
    short = adjusted_effect(outcome, treated, np.column_stack([ones, x]))
    long = adjusted_effect(outcome, treated, np.column_stack([ones, x, z]))
    found = beside_confounder(short, float(long.with_treatment[2]), float(long.with_outcome[2]))
    assert found.value == pytest.approx(long.value, rel=1e-10)
    assert found.std_error == pytest.approx(long.std_error, rel=1e-10)


def test_robustness_value_is_the_strength_that_just_suffices(darfur: AdjustedEffect) -> None:
    given = (darfur.value, darfur.std_error, darfur.degrees_of_freedom)
    strength = robustness_value(*given)
    assert beside_confounder(darfur, strength, strength).value == pytest.approx(0, abs=1e-12)
    strength = robustness_value(*given, significance=0.05)
    assert beside_confounder(darfur, strength, strength).lower == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize(
    ("gamma", "printed"), [(1, 0.0001), (2, 0.0018), (3, 0.0136), (4, 0.0388), (4.25, 0.0468), (5, 0.0740)]
)
def test_lead_in_children(gamma: float, printed: float) -> None:
    # Rosenbaum 2002, chapter 4, upper bounds of the signed-rank test; the first is printed as below .0001.
    found = SignedRanks.of(LEAD).p_value(gamma)
    assert found < printed if gamma == 1 else round(found, 4) == printed


def test_lead_is_sensitive_from_about_four_and_a_third() -> None:
    found = largest_gamma(SignedRanks.of(LEAD), 0.05)
    assert 4.25 < found < 5
    assert SignedRanks.of(LEAD).p_value(found) == pytest.approx(0.05, abs=1e-9)
    # In the wrong direction nothing is significant, even without bias.
    assert largest_gamma(SignedRanks.of(-LEAD), 0.05) == 1.0
    assert largest_gamma(SignedRanks.of(np.arange(1.0, 101.0)), 0.05) > 10


def test_second_implementation_of_the_bounds() -> None:
    statspai = pytest.importorskip("statspai")
    grid = [1.0, 2.0, 3.0, 4.0, 5.0]
    found = statspai.rosenbaum_bounds(EXPOSED, CONTROL, gamma_grid=grid)
    ours = [SignedRanks.of(LEAD).p_value(gamma) for gamma in grid]
    np.testing.assert_allclose(np.asarray(found.pvalue_upper, dtype=float), ours, atol=5e-5)


def test_e_values() -> None:
    # VanderWeele and Ding 2017: breastfeeding, risk ratio 3.9 (1.8 to 8.7): 7.26, and 3.0 for the limit.
    assert round(e_value(3.9), 2) == 7.26
    assert round(e_value(1.8), 1) == 3.0
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9), rel=1e-12)
    assert e_value(1.0) == 1.0
    assert ratio_of_difference(1.0, 2.0) == pytest.approx(math.exp(0.455), rel=1e-12)
    assert ratio_of_difference(-1.0, 2.0) == pytest.approx(1 / ratio_of_difference(1.0, 2.0), rel=1e-12)


def test_nothing_can_be_more_than_all() -> None:
    effect = AdjustedEffect(1.0, 0.1, 100.0, np.array([0.6]), np.array([0.5]))
    assert bound(effect, 0, times=1.0) is None
    effect = AdjustedEffect(1.0, 0.1, 100.0, np.array([0.3]), np.array([0.9]))
    found = bound(effect, 0)
    assert found is not None
    assert found.with_outcome == 1.0
    assert robustness_value(1.0, 2.0, 100.0, significance=0.05) == 0.0
    # So strong an effect that the outcome's side binds: the second branch of the definition.
    assert 0.99 < robustness_value(1.0, 0.001, 10.0, significance=0.05) < 1
