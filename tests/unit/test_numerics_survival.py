"""Groups whose different endings are counted once have the estimates of each group by itself."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.numerics.survival import Endings, share_by, time_without


@pytest.mark.parametrize("is_whole", [True, False])
def test_endings_of_two_groups_give_the_estimates_of_each(is_whole: bool) -> None:
    generator = np.random.default_rng(8)
    time = generator.exponential(20, 400)
    time = np.ceil(time) if is_whole else time
    cause, group = generator.integers(0, 3, 400), (generator.random(400) < 0.4).astype(np.int64)
    endings = Endings.of(time, cause)
    by_time = endings.means(group, lambda times: np.maximum(30 - times, 0.0))
    by_share = endings.means(group, lambda times: (times <= 30).astype(float))
    for code, (lost, share) in enumerate(zip(by_time, by_share, strict=True)):
        rows = group == code
        alone, other = time_without(time[rows], cause[rows], 30), share_by(time[rows], cause[rows], 30)
        assert 30 - lost.value == alone.value
        assert share.value == other.value
        assert (-lost.influence[endings.code[rows]] == alone.influence).all()
        assert (share.influence[endings.code[rows]] == other.influence).all()
