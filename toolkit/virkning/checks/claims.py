"""What an estimate claims: how large an error would undo it, and whether a check could have seen such an error."""

from __future__ import annotations

from ..data import Tables
from ..designs import EvaluationDesign
from ..estimates import Estimate


def is_clear(estimate: Estimate) -> bool:
    """Tell whether the headline's interval lies on one side of zero; the estimate is available."""
    best = estimate.headline()
    return best.lower > 0 or best.upper < 0


def claimed(estimate: Estimate) -> float:
    """Return the size of a false effect that would matter, in the outcome's unit.

    Where the headline is clear of zero that is the headline itself: an error of this size explains all of it. Where it
    is not, the larger end of its interval: an error of this size would hide or make the largest effect still possible.
    """
    best = estimate.headline()
    return abs(best.value) if is_clear(estimate) else max(abs(best.lower), abs(best.upper))


def persons_behind(design: EvaluationDesign, tables: Tables, estimate: Estimate) -> int:
    """Return the persons in the smaller of the two groups, or in the only one.

    Parameters
    ----------
    design : EvaluationDesign
        May name the column with the number of persons behind a row.
    tables : Tables
        The data.
    estimate : Estimate
        Made from them.
    """
    column = getattr(design, "residents", None) or getattr(design, "persons_per_row", None)
    if column is not None:
        people = tables.participants
        groups = people.groupby(design.treatment)[column].sum()
        return int(groups.min())
    sides = [int(estimate.effects[name].iloc[0]) for name in ("n_treated", "n_comparison")]
    return min((side for side in sides if side > 0), default=0)
