"""What was made for the same numbers is made once within an estimate, and nowhere else."""

from __future__ import annotations

import numpy as np

from virkning.designs.remembered import remembered, remembering


def test_made_once_for_equal_numbers_and_choices() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    numbers = np.arange(3.0)
    with remembering():
        assert remembered("score", "logit", (numbers,), make) == 0
        assert remembered("score", "logit", (numbers.copy(),), make) == 0
        assert remembered("score", "probit", (numbers,), make) == 1
        assert remembered("score", "probit", (numbers + 1,), make) == 2
        assert remembered("matches", "probit", (numbers + 1,), make) == 3
        assert remembered("score", "probit", (numbers + 1,), make) == 2
    # Afterwards nothing is kept.
    assert remembered("score", "probit", (numbers + 1,), make) == 4
    assert remembered("score", "probit", (numbers + 1,), make) == 5
