"""Does the same design find an effect at a time when there was no programme yet?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign, require_sound
from ..designs.findings import Drawing
from ..designs.paths import PERSONS, value_columns
from ..disclosure import Column, Table
from ..errors import VirkningError
from ..estimates import Estimate, Estimates
from ..numerics.several_outcomes import holm
from .claims import claimed, persons_behind
from .earlier_starts import Earlier, earlier_starts, has_start
from .results import CheckResult, CheckSettings

NAME = "placebo_in_time"
_SURPRISING = 0.05
_COLUMNS = ("start", "ahead", "value", "std_error", "lower", "upper", "p_value", PERSONS)
_LABELS = {"value": "False effect", "std_error": "Standard error", "lower": "From", "upper": "To"}


def check_placebo_in_time(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Pretend that the programme began earlier, and estimate the primary outcome's effect from what came before it.

    The verdict is False when a false effect differs from zero at 5% (Holm's rule over the made-up starts); True when
    none does, and one of them is precise enough to have shown a false effect of the headline's size; else None.

    Parameters
    ----------
    design : EvaluationDesign
        One with a start: difference in differences, staggered adoption, synthetic control, interrupted time series.
    tables, effects
        The data, and the estimates made from them.
    settings : CheckSettings
        ``placebo_in_time_starts``: made-up starts, at most.
    generator : Generator
        Not used; the design starts its random numbers as it did for the estimate.
    """
    estimate = effects.primary
    if not estimate.is_available:
        return _unknown(estimate.unavailable_reason)
    if not has_start(design):
        return _unknown("This design has no start that could be moved to an earlier period.")
    measure, seed = estimate.estimand.measure, estimate.provenance.seed
    try:
        starts = earlier_starts(design, tables, measure, settings.placebo_in_time_starts)
    except VirkningError:
        starts = []
    frame = pd.DataFrame(
        [row for each in starts if (row := _row(each, measure, seed)) is not None], columns=list(_COLUMNS)
    )
    if frame.empty:
        return _unknown("There are too few periods before the start to pretend an earlier one.")
    frame["p_value_holm"] = holm(frame["p_value"].to_numpy(dtype=np.float64))
    reach = ((frame["upper"] - frame["lower"]) / 2).min()
    passed, reason = _verdict(frame, float(reach), claimed(estimate))
    numbers = {
        "n_starts": float(len(frame)),
        "largest": float(frame["value"].abs().max()),
        "smallest_p_value": float(frame["p_value_holm"].min()),
    }
    table = _table(frame, estimate, tables)
    return _result(passed, reason, _sentence(frame, estimate), table, _drawing(estimate), numbers)


def _row(each: Earlier, measure: str, seed: int) -> tuple[object, ...] | None:
    """Return the false effect at one made-up start, or None when the shortened data do not allow it."""
    try:
        require_sound(each.design, each.tables)
    except VirkningError:
        return None
    found = each.design.estimate_outcome(each.tables, measure, seed=seed)
    if not found.is_available:
        return None
    first = found.effects.iloc[0]
    numbers = [float(first[name]) for name in ("value", "std_error", "lower", "upper", "p_value")]
    return (each.name, -each.periods_ahead, *numbers, persons_behind(each.design, each.tables, found))


def _verdict(frame: pd.DataFrame, reach: float, claim: float) -> tuple[bool | None, str]:
    if (frame["p_value_holm"] < _SURPRISING).any():
        return False, "At a time without the programme the same design finds an effect."
    if reach < claim:
        return True, "At no made-up start is there a false effect, and one of the headline's size would have shown."
    return None, "There is no clear false effect, but one as large as the headline could have gone unseen."


def _sentence(frame: pd.DataFrame, estimate: Estimate) -> str:
    largest = frame.iloc[int(np.argmax(frame["value"].abs().to_numpy()))]
    tried = language.plural(len(frame), "made-up start", "made-up starts")
    smallest = language.p_value(float(frame["p_value_holm"].min()))
    which = "the largest false effect" if len(frame) > 1 else "the false effect"
    adjusted = ", adjusted for their number," if len(frame) > 1 else ""
    return (
        f"With {tried} before the real one, {which} is {estimate.in_words(float(largest['value']))} "
        f"({estimate.in_words(float(largest['lower']), float(largest['upper']))}); the smallest p{adjusted} is "
        f"{smallest}."
    )


def _table(frame: pd.DataFrame, estimate: Estimate, tables: Tables) -> Table:
    outcome = tables.measures[estimate.estimand.measure]
    level = language.number(estimate.level * 100)
    size = float(frame["value"].abs().max())
    return Table(
        name=NAME,
        title=f"{outcome.label}: effects of made-up starts, with {level}% confidence intervals",
        columns=(
            Column("start", "Made-up start"),
            Column("ahead", "Periods from the real start", "number", digits=0, persons=PERSONS),
            *value_columns(outcome, size, _LABELS, are_differences=True),
            Column("p_value", "p", "p_value", persons=PERSONS),
            Column("p_value_holm", "p, adjusted", "p_value", persons=PERSONS),
        ),
        frame=frame,
        note="Only outcomes from before the real start are used. Adjusted by Holm's rule for the number of starts.",
    )


def _drawing(estimate: Estimate) -> Drawing:
    return Drawing(
        "ahead",
        "value",
        f"{estimate.estimand.outcome}: effects of made-up starts, by how long before the real start they lie.",
        lower="lower",
        upper="upper",
        has_zero_line=True,
        names_x=True,
    )


def _unknown(reason: str) -> CheckResult:
    frame = pd.DataFrame({"start": pd.Series([], dtype="str")})
    table = Table(NAME, "Effects of made-up starts", (Column("start", "Made-up start"),), frame)
    return _result(None, reason, f"It cannot be told. {reason}", table, None, {})


def _result(
    passed: bool | None,
    reason: str,
    sentence: str,
    table: Table,
    drawing: Drawing | None,
    numbers: dict[str, float],
) -> CheckResult:
    return CheckResult(
        name=NAME,
        title="Placebo in time",
        question="Would the same method have found an effect before there was a programme?",
        explanation="The start is moved to an earlier period, and only outcomes from before the real start are used. "
        "Whatever is found there is no effect of the programme.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=table,
        drawing=drawing,
        chart=None,
        numbers={name: number for name, number in numbers.items() if math.isfinite(number)},
    )
