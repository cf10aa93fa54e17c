"""The lottery that made two groups, where one did."""

from __future__ import annotations

import pandas as pd

from ..designs import Duration, EvaluationDesign, RandomisedTrial
from ..numerics.assignment import Lottery


def lottery_of(design: EvaluationDesign, persons: pd.DataFrame) -> Lottery | None:
    """Return how chance decided among some persons; None where it did not.

    Parameters
    ----------
    design : EvaluationDesign
        A trial, or persons who were followed after a lottery.
    persons : DataFrame
        Rows of participants.
    """
    if isinstance(design, RandomisedTrial):
        return design.lottery(persons)
    if isinstance(design, Duration) and design.assignment == "lottery":
        codes = None if design.clusters is None else pd.factorize(persons[design.clusters], sort=True)[0]
        return Lottery.of(persons[design.treatment].to_numpy(dtype=bool), clusters=codes)
    return None
