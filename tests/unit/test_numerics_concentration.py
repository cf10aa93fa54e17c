"""On how many persons a mean rests: the quick way counts as counting every value does."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from virkning.numerics.concentration import persons_behind_mean


@example([2, 0, 1, 2])
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_quick_count_is_the_full_count(values: list[int]) -> None:
    n, most = len(values), int(np.unique(values, return_counts=True)[1].max())
    assert persons_behind_mean(values) == (n - most if n <= 2 * most < 2 * n else n)


def test_half_that_alternate_are_found() -> None:
    assert persons_behind_mean([0, 5, 0, 7, 0, 9]) == 3
    assert persons_behind_mean([4, 0, 0, 5]) == 2
    assert persons_behind_mean([1, 2]) == 1
