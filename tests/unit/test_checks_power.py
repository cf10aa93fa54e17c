"""Power and the minimum detectable effect as realised."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.checks import CheckSettings, run_checks
from virkning.designs import estimate


def power(design, tables, **settings):
    chosen = CheckSettings(permutations=100, **settings)
    return run_checks(design, tables, estimate(design, tables), settings=chosen)["power"]


def test_minimum_detectable_effect(trial, make_tables, people, earnings):
    tables = make_tables(people, {"earnings": earnings})
    found = power(trial(), tables)
    row = estimate(trial(), tables).primary.effects.iloc[0]
    # With 78 degrees of freedom the usual rule (Bloom 1995) is 1.99 + .85 standard errors.
    multiple = found.numbers["minimum_detectable_effect"] / row["std_error"]
    assert multiple == pytest.approx(1.9908 + 0.8464, abs=0.01)
    frame = found.table.frame
    spread = earnings[~people["is_treated"].to_numpy()].std(ddof=1)
    expected = frame["minimum_detectable_effect"] / spread
    np.testing.assert_allclose(frame["minimum_detectable_effect_sd"], expected, rtol=1e-12)
    assert found.passed is None


def test_curve_passes_through_its_points(trial, make_tables, people, earnings):
    found = power(trial(), make_tables(people, {"earnings": earnings}), power=0.9)
    curve = found.chart
    assert curve["effect"].iloc[0] == 0
    assert curve["power"].iloc[0] == pytest.approx(0.05, abs=1e-9)
    assert curve["power"].is_monotonic_increasing
    at = np.interp(found.numbers["minimum_detectable_effect"], curve["effect"], curve["power"])
    assert at == pytest.approx(0.9, abs=1e-6)
    assert "90%" in found.sentence


def test_level_of_the_interval_is_that_of_the_test(trial, make_tables, people, earnings):
    tables = make_tables(people, {"earnings": earnings})
    strict, loose = (power(trial(confidence=level), tables) for level in (0.99, 0.9))
    assert strict.chart["power"].iloc[0] == pytest.approx(0.01, abs=1e-9)
    assert strict.numbers["minimum_detectable_effect"] > loose.numbers["minimum_detectable_effect"]


def test_better_estimator_finds_smaller_effects(trial, make_tables, people, earnings):
    tables = make_tables(people, {"earnings": earnings})
    plain, adjusted = power(trial(), tables), power(trial(estimator="lin", covariates=["age"]), tables)
    assert adjusted.numbers["minimum_detectable_effect"] < plain.numbers["minimum_detectable_effect"]


def test_share_is_said_per_hundred(trial, make_tables, people, earnings):
    tables = make_tables(people, {"job": (earnings > 75).astype(float)}, {"job": "share"})
    assert "per 100 people" in power(trial(), tables).sentence


def test_sentence_holds_the_number(trial, make_tables, people, earnings):
    found = power(trial(), make_tables(people, {"earnings": earnings}))
    assert f"{found.numbers['minimum_detectable_effect']:.2f} USD" in found.sentence
