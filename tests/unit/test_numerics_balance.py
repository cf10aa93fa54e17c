"""Standardised differences, and the persons behind a mean."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.numerics.balance import difference
from virkning.numerics.concentration import persons_behind_mean


def test_difference_by_hand():
    found = difference(np.array([1.0, 3.0, 0.0, 4.0]), np.array([True, True, False, False]))
    assert (found.treated, found.comparison) == (2.0, 2.0)
    assert found.standardised == 0.0
    found = difference(np.array([3.0, 5.0, 0.0, 4.0]), np.array([True, True, False, False]))
    assert found.standardised == pytest.approx(2.0 / np.sqrt((2 + 8) / 2))


def test_equal_weights_change_nothing():
    values, treated = np.random.default_rng(0).normal(size=20), np.arange(20) % 2 == 0
    assert difference(values, treated, np.full(20, 3.0)).standardised == pytest.approx(
        difference(values, treated).standardised
    )


def test_trait_without_variation():
    treated = np.array([True, True, False, False])
    assert difference(np.ones(4), treated).standardised == 0.0
    assert difference(treated.astype(float), treated).standardised == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 0, 0, 0], 1),
        ([1, 1, 1, 0], 1),
        ([1, 1, 1, 1], 4),
        ([0, 0, 5, 7], 2),
        ([], 0),
        ([2.5], 1),
        ([1, 2, 3], 3),
        ([1, 1, 2, 3, 4], 5),
    ],
)
def test_persons_behind_a_mean(values, expected):
    assert persons_behind_mean(values) == expected
