"""The density at a cutoff against the authors' own software, rddensity."""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np
import pytest

from virkning.numerics.density_at_cutoff import choose_bandwidths, density_jump


@pytest.fixture(scope="module")
def peer() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: ModuleType = pytest.importorskip("rddensity")
    return module


@pytest.fixture(scope="module")
def senate() -> np.ndarray:
    """Margins of victory in elections to the Senate, in the wheel of rdrobust."""
    rdrobust = pytest.importorskip("rdrobust")
    return rdrobust.rdrobust_RDsenate()["margin"].dropna().to_numpy(dtype=float)


def test_senate_as_printed(senate: np.ndarray) -> None:
    found = density_jump(senate, 0.0)
    assert found.statistic == pytest.approx(-0.8753, abs=5e-5)
    assert found.p_value == pytest.approx(0.3814, abs=5e-5)
    assert found.bandwidths == pytest.approx((19.841, 27.119), abs=5e-4)
    assert (found.n_below, found.n_above) == (408, 460)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_senate_at_other_orders(senate: np.ndarray, peer: ModuleType, order: int) -> None:
    theirs = peer.rddensity(senate, p=order)
    found = density_jump(senate, 0.0, order=order)
    assert found.bandwidths == pytest.approx(tuple(theirs.h), rel=1e-6)
    assert (found.below, found.above) == pytest.approx((theirs.hat["left"], theirs.hat["right"]), rel=1e-6)
    assert (found.below_error, found.above_error) == pytest.approx(
        (theirs.sd_jk["left"], theirs.sd_jk["right"]), rel=1e-6
    )
    assert found.statistic == pytest.approx(theirs.test["t_jk"], rel=1e-6)
    assert found.p_value == pytest.approx(theirs.test["p_jk"], rel=1e-6)


@pytest.mark.parametrize("kind", ["smooth", "moved", "repeated", "far from the middle"])
def test_made_up_data(peer: ModuleType, kind: str) -> None:
    generator = np.random.default_rng(8)
    values = generator.normal(0.3, 2, size=700)
    cutoff = 1.5 if kind == "far from the middle" else 0.0
    if kind == "moved":
        values = np.where((values < 0) & (values > -0.5) & (generator.random(700) < 0.5), -values, values)
    if kind == "repeated":
        values = np.round(values, 1)
    theirs = peer.rddensity(values, c=cutoff)
    found = density_jump(values, cutoff)
    assert choose_bandwidths(values, cutoff) == pytest.approx(tuple(theirs.h), rel=1e-6)
    assert (found.below, found.above) == pytest.approx((theirs.hat["left"], theirs.hat["right"]), rel=1e-6)
    # Where values repeat, the package counts the steps of those who share one otherwise, and its errors are 1% smaller.
    assert found.statistic == pytest.approx(theirs.test["t_jk"], rel=0.015 if kind == "repeated" else 1e-6)
