"""Neighbours on a score: the quick ways find what looking at everybody finds."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.numerics.matching import Rules, nearest
from virkning.numerics.ranking import among, rising


def scores(n: int, n_different: int | None = None) -> np.ndarray:
    generator = np.random.default_rng(n)
    return generator.random(n) if n_different is None else generator.integers(0, n_different, n) / n_different


@pytest.mark.parametrize("n_different", [None, 7])
def test_rows_rise_and_equal_ones_keep_their_order(n_different: int | None) -> None:
    values = scores(1000, n_different)
    order = rising(values)
    assert (order == np.argsort(values, kind="stable")).all()
    rows = np.random.default_rng(1).random(1000) < 0.3
    assert (among(order, rows) == np.argsort(values[rows], kind="stable")).all()


@pytest.mark.parametrize(
    "rules",
    [Rules(), Rules(3), Rules(2, caliper=1e-4), Rules(2, tolerance=0.0)],
    ids=["one", "three", "caliper", "few"],
)
def test_neighbours_among_many_are_those_that_all_distances_give(rules: Rules) -> None:
    """More targets than are worked on together, and exact cells."""
    targets, pool, scale = scores(20_000), scores(9_000), 0.3
    cells = np.arange(20_000) % 2, np.arange(9_000) % 2
    found = nearest(targets, pool, rules, cells, scale)
    for row in np.random.default_rng(2).integers(0, 20_000, 200):
        distance = np.where(cells[1] == cells[0][row], np.abs(pool - targets[row]) / scale, np.inf)
        within = distance if rules.caliper is None else np.where(distance <= rules.caliper, distance, np.inf)
        last = np.sort(within[np.isfinite(within)])[: rules.neighbours]
        wanted = np.flatnonzero(within**2 <= last[-1] ** 2 + rules.tolerance) if len(last) else []
        assert sorted(found.flat[found.lower[row] : found.upper[row]]) == list(wanted)


def test_what_targets_share_out_is_what_the_pool_gets() -> None:
    targets, pool = scores(300), scores(200)
    cells = np.arange(300) % 3, np.arange(200) % 2  # The third cell has nobody in the pool.
    found = nearest(targets, pool, Rules(2), cells, 0.3)
    values, other = scores(301)[:300], scores(201)[:200]
    got = found.spread(values)
    assert values @ found.mean_of(other) == pytest.approx(got @ other, rel=1e-12)
    assert got.sum() == pytest.approx(values[found.counts > 0].sum(), rel=1e-12)
    assert (found.mean_of(other)[found.counts == 0] == 0).all()
