"""Power of a t-test."""

from __future__ import annotations

import math

import numpy as np
import pytest

from virkning.numerics.power import minimum_detectable_effect, power


@pytest.mark.parametrize("freedom", [4.0, 78.0, 5000.0, math.inf])
def test_minimum_detectable_effect_is_found_with_its_chance(freedom):
    for target in (0.5, 0.8, 0.95):
        smallest = minimum_detectable_effect(3.0, freedom, 0.05, target)
        assert power(np.array([smallest]), 3.0, freedom, 0.05)[0] == pytest.approx(target, abs=1e-9)


@pytest.mark.parametrize("freedom", [4.0, 78.0, math.inf])
def test_no_effect_is_found_as_often_as_the_level_says(freedom):
    assert power(np.array([0.0]), 1.0, freedom, 0.05)[0] == pytest.approx(0.05, abs=1e-9)


def test_sign_does_not_matter():
    effects = np.array([0.5, 2.0])
    for freedom in (12.0, math.inf):
        np.testing.assert_allclose(power(effects, 1.0, freedom, 0.05), power(-effects, 1.0, freedom, 0.05), rtol=1e-9)


def test_many_degrees_of_freedom_are_nearly_normal():
    assert minimum_detectable_effect(1.0, math.inf, 0.05, 0.8) == pytest.approx(2.8016, abs=5e-4)
    assert minimum_detectable_effect(1.0, 1e5, 0.05, 0.8) == pytest.approx(2.8016, abs=1e-3)
