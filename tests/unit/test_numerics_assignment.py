"""Every way the lottery could have come out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virkning.numerics import assignment
from virkning.numerics.assignment import Lottery


def every(lottery, n=0, seed=0):
    return np.concatenate(list(lottery.batches(n, np.random.default_rng(seed))))


def test_all_assignments_of_persons():
    lottery = Lottery.of(np.array([True, False, True, False, False]))
    found = {tuple(np.flatnonzero(row)) for row in every(lottery)}
    assert found == set(itertools.combinations(range(5), 2))
    assert len(every(lottery)) == lottery.count() == 10


def test_all_assignments_in_strata():
    treated = np.array([True, False, False, True, True, False])
    strata = np.array([0, 0, 0, 1, 1, 1])
    rows = every(Lottery.of(treated, strata))
    assert len(rows) == len(np.unique(rows, axis=0)) == 9
    assert (rows[:, :3].sum(axis=1) == 1).all()
    assert (rows[:, 3:].sum(axis=1) == 2).all()


def test_clusters_stay_together_whatever_the_order_of_persons():
    clusters = np.array([2, 0, 1, 0, 2, 3, 1])
    treated = np.isin(clusters, [0, 2])
    rows = every(Lottery.of(treated, clusters=clusters))
    assert len(rows) == 6
    for row in rows:
        assert all(len(set(row[clusters == code])) == 1 for code in range(4))
    assert (rows == treated).all(axis=1).sum() == 1


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=2, max_size=40), st.integers(0, 2**32 - 1))
def test_random_assignments_keep_the_number_treated_in_each_stratum(units, seed):
    strata, treated = (np.array(column) for column in zip(*units, strict=True))
    lottery = Lottery.of(treated.astype(bool), strata.astype(np.int64))
    for row in lottery._sampled(5, np.random.default_rng(seed)):
        for code in np.unique(strata):
            assert row[strata == code].sum() == treated[strata == code].sum()


def test_batches_hold_as_many_as_asked_for(monkeypatch):
    lottery = Lottery.of(np.arange(30) < 15)
    assert not lottery.is_listed
    whole = every(lottery, 1000)
    assert whole.shape == (1000, 30)
    monkeypatch.setattr(assignment, "_BATCH_CELLS", 900)
    assert [len(part) for part in lottery.batches(100, np.random.default_rng(0))] == [30, 30, 30, 10]


def test_every_assignment_is_equally_likely():
    lottery = Lottery.of(np.array([True, True, False, False]))
    rows = lottery._sampled(60_000, np.random.default_rng(7))
    _, counts = np.unique(rows, axis=0, return_counts=True)
    assert len(counts) == 6
    # The standard error of each count is sqrt(60,000 × 1/6 × 5/6) = 91.
    assert np.abs(counts - 10_000).max() < 4 * 91.3


@pytest.mark.parametrize(("n", "is_listed"), [(16, True), (17, False)])
def test_limit_of_listing(n, is_listed):
    # 16 persons, 8 treated: 12,870 assignments; 17 persons: 24,310.
    assert Lottery.of(np.arange(n) < 8).is_listed is is_listed
