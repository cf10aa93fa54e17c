"""Is it the cutoff that makes the jump: does one show where nothing changes, and does it stay without those just there?

Both checks estimate again with the same design: at cutoffs that decided nothing, and without those nearest to the real
one, who are the first to be placed on the side that somebody wants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign, require_sound
from ..designs.findings import Drawing
from ..designs.paths import PERSONS, value_columns
from ..designs.regression_discontinuity import RegressionDiscontinuity
from ..disclosure import Column, Table
from ..errors import VirkningError
from ..estimates import Estimate, Estimates
from ..numerics.several_outcomes import holm
from .claims import claimed, is_clear, persons_behind
from .results import CheckResult, CheckSettings

PLACEBO_NAME, DONUT_NAME = "placebo_cutoffs", "donut"
_SURPRISING = 0.05
# Where cutoffs are not named: these shares of the persons on each side, counted from the real cutoff outwards.
_SHARES = (1 / 3, 2 / 3)
# Where widths are not named: these parts of the narrower bandwidth.
_PARTS = (0.02, 0.05, 0.1)
_NOT_CUT = "This design has no cutoff."
_COLUMNS = ("place", "value", "std_error", "lower", "upper", "p_value", PERSONS)
_LABELS = {"value": "Jump", "std_error": "Standard error", "lower": "From", "upper": "To"}

Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class _Words:
    """What one of the two checks is called, asks and explains, and how its places are named."""

    name: str
    title: str
    question: str
    explanation: str
    place: str
    table: str


_PLACEBO = _Words(
    PLACEBO_NAME,
    "Placebo cutoffs",
    "Does the outcome jump where nothing changes?",
    "The same design is used at numbers that decided nothing, with the persons of one side of the real cutoff only. A "
    "jump there is no effect of the programme.",
    "Made-up cutoff",
    "jump at made-up cutoffs",
)
_DONUT = _Words(
    DONUT_NAME,
    "Without those at the cutoff",
    "Does the jump rest on those who stand just at the cutoff?",
    "Whoever could choose the side would stand just beyond the cutoff. The jump is estimated again without those "
    "nearest to it.",
    "Left out on each side of the cutoff, up to",
    "jump without those nearest to the cutoff",
)


def check_placebo_cutoffs(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Return the jump of the primary outcome at numbers that decided nothing.

    The verdict is False when a jump differs from zero at 5% (Holm's rule over the made-up cutoffs); True when none
    does, and one is precise enough to have shown one of the headline's size; else None.

    Parameters
    ----------
    design : EvaluationDesign
        A regression discontinuity.
    tables, effects
        The data, and the estimates made from them.
    settings : CheckSettings
        ``placebo_cutoffs``: made-up cutoffs; by default a third and two thirds of the way through each side's persons.
    generator : Generator
        Not used: nothing is drawn.
    """
    estimate = effects.primary
    if not isinstance(design, RegressionDiscontinuity) or not estimate.is_available:
        return _unknown(_PLACEBO, estimate.unavailable_reason or _NOT_CUT)
    running = tables.participants[design.running].to_numpy(dtype=np.float64)
    above = running >= design.cutoff
    cutoffs: Sequence[float] = settings.placebo_cutoffs or sorted(
        {
            float(np.quantile(running[side], 1 - share if side is not above else share))
            for side in (~above, above)
            for share in _SHARES
            if side.any()
        }
    )
    rows = []
    for cutoff in cutoffs:
        if cutoff == design.cutoff:
            continue
        again = _sharp_at(design, cutoff)
        row = _row(again, _assigned(tables, again, running), estimate, cutoff, above == (cutoff > design.cutoff))
        if row is not None:
            rows.append(row)
    if not rows:
        return _unknown(_PLACEBO, "At no made-up cutoff can a jump be estimated.")
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    frame["p_value_holm"] = holm(frame["p_value"].to_numpy(dtype=np.float64))
    smallest = float(frame["p_value_holm"].min())
    reach = float(((frame["upper"] - frame["lower"]) / 2).min())
    passed, reason = None, "There is no clear jump elsewhere, but one as large as the headline could have gone unseen."
    if smallest < _SURPRISING:
        passed, reason = False, "The outcome jumps where nothing changes."
    elif reach < claimed(estimate):
        passed, reason = True, "At no made-up cutoff is there a jump, and one of the headline's size would have shown."
    largest = frame.iloc[int(np.argmax(frame["value"].abs().to_numpy()))]
    sentence = (
        f"Of {language.plural(len(frame), 'made-up cutoff', 'made-up cutoffs')} the largest jump is "
        f"{estimate.in_words(float(largest['value']))} "
        f"({estimate.in_words(float(largest['lower']), float(largest['upper']))}); the smallest p, adjusted for their "
        f"number, is {language.p_value(smallest)}."
    )
    numbers = {"n_cutoffs": float(len(frame)), "smallest_p_value": smallest}
    return _result(_PLACEBO, passed, reason, sentence, _table(_PLACEBO, frame, estimate, design, tables), numbers)


def check_donut(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Return the primary outcome's jump without those who stand nearest to the cutoff.

    The verdict is False when the jump is no longer clear of zero, and clear of the headline; None when it was not clear
    before, or is neither clear of zero nor of the headline; else True.

    Parameters
    ----------
    design : EvaluationDesign
        A regression discontinuity.
    tables, effects
        The data, and the estimates made from them.
    settings : CheckSettings
        ``donut_widths``: how far from the cutoff persons are left out, in the running variable's unit; by default
        parts of the bandwidth. ``leave_one_out_persons``: fewest who are left out together.
    generator : Generator
        Not used: nothing is drawn.
    """
    estimate = effects.primary
    if not isinstance(design, RegressionDiscontinuity) or not estimate.is_available:
        return _unknown(_DONUT, estimate.unavailable_reason or _NOT_CUT)
    running = tables.participants[design.running].to_numpy(dtype=np.float64)
    distance = np.abs(running - design.cutoff)
    widths = settings.donut_widths or _default_widths(design, tables, estimate, distance)
    rows = []
    for width in widths:
        if (found := _row(design, tables, estimate, width, distance >= width)) is not None:
            n_left_out = int((distance < width).sum())
            if n_left_out < settings.leave_one_out_persons:
                continue
            # What is shown with and without them would tell of few: a line rests on those left out, too.
            rows.append((*found[:-1], min(int(found[-1]), n_left_out)))
    if not rows:
        return _unknown(
            _DONUT, "There are too few persons nearest to the cutoff, or no jump can be estimated without them."
        )
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    passed, reason = _donut_verdict(frame, estimate)
    low, high = float(frame["value"].min()), float(frame["value"].max())
    best = estimate.headline()
    tried = language.plural(len(frame), "width", "widths")
    sentence = (
        f"With everybody the jump is {estimate.in_words(best.value)}; with {tried} of a gap around the cutoff it lies "
        f"between {estimate.in_words(low)} and {estimate.in_words(high)}. {reason}"
    )
    numbers = {"n_widths": float(len(frame)), "lowest": low, "highest": high}
    return _result(_DONUT, passed, reason, sentence, _table(_DONUT, frame, estimate, design, tables), numbers)


def _sharp_at(design: RegressionDiscontinuity, cutoff: float) -> RegressionDiscontinuity:
    """Return the design for the jump of the outcome itself at another number."""
    return design.model_copy(update={"cutoff": cutoff, "sharpness": "sharp"})


def _assigned(tables: Tables, design: RegressionDiscontinuity, running: NDArray[np.float64]) -> Tables:
    """Return the tables as if the made-up cutoff had decided."""
    sides = {
        "at_or_above": running >= design.cutoff,
        "above": running > design.cutoff,
        "at_or_below": running <= design.cutoff,
        "below": running < design.cutoff,
    }
    people = tables.participants.assign(**{design.treatment: sides[design.treated_side]})
    return Tables.of(people, tables.outcomes, dict(tables.measures), tables.schemas)


def _row(
    design: RegressionDiscontinuity, tables: Tables, estimate: Estimate, place: float, persons: Booleans
) -> tuple[float, ...] | None:
    """Return the jump among some persons, or None where there is no estimate."""
    measure, seed = estimate.estimand.measure, estimate.provenance.seed
    try:
        require_sound(design, tables, persons)
    except VirkningError:
        return None
    found = design.estimate_outcome(tables, measure, seed=seed, persons=persons)
    if not found.is_available:
        return None
    first = found.effects.iloc[0]
    numbers = [float(first[name]) for name in ("value", "std_error", "lower", "upper", "p_value")]
    return (place, *numbers, float(persons_behind(design, tables, found)))


def _default_widths(
    design: RegressionDiscontinuity, tables: Tables, estimate: Estimate, distance: NDArray[np.float64]
) -> tuple[float, ...]:
    """Return parts of the distance within which persons count."""
    left_out = np.zeros(len(distance), dtype=bool)
    for exclusion in design.exclusions(tables, estimate.estimand.measure):
        left_out |= exclusion.persons
    used = distance[~left_out]
    return tuple(part * float(used.max()) for part in _PARTS) if len(used) else ()


def _donut_verdict(frame: pd.DataFrame, estimate: Estimate) -> tuple[bool | None, str]:
    best = estimate.headline()
    if not is_clear(estimate):
        return None, "The jump is not clear of zero with everybody, so there is nothing to overturn."
    # Without the nearest a jump is known less well, so it must be told apart from the headline, not only be unclear.
    is_other = (frame["lower"] > best.value) | (frame["upper"] < best.value)
    unclear = np.minimum(frame["lower"] * np.sign(best.value), frame["upper"] * np.sign(best.value)) <= 0
    if bool((is_other & unclear).any()):
        return False, "Without those nearest to the cutoff the jump is gone."
    if unclear.any():
        return None, "Without those nearest to the cutoff the jump is alike, but no longer clear of zero."
    return True, "The jump stays clear of zero without those nearest to the cutoff."


def _table(
    words: _Words, frame: pd.DataFrame, estimate: Estimate, design: RegressionDiscontinuity, tables: Tables
) -> Table:
    outcome = tables.measures[estimate.estimand.measure]
    running = tables.schemas["participants"].field(design.running)
    level = language.number(estimate.level * 100)
    p_values = [Column("p_value", "p", "p_value", persons=PERSONS)]
    if "p_value_holm" in frame:
        p_values.append(Column("p_value_holm", "p, adjusted", "p_value", persons=PERSONS))
    return Table(
        name=words.name,
        title=f"{outcome.label}: {words.table}, with {level}% confidence intervals",
        columns=(
            Column("place", words.place, "number", running.unit or "", digits=2, persons=PERSONS),
            *value_columns(outcome, float(frame["value"].abs().max()), _LABELS, are_differences=True),
            *p_values,
        ),
        frame=frame.sort_values("place", ignore_index=True),
    )


def _unknown(words: _Words, reason: str) -> CheckResult:
    table = Table(words.name, words.title, (Column("place", words.place),), pd.DataFrame({"place": []}))
    return _result(words, None, reason, f"It cannot be told. {reason}", table, {})


def _result(
    words: _Words, passed: bool | None, reason: str, sentence: str, table: Table, numbers: dict[str, float]
) -> CheckResult:
    drawing = Drawing("place", "value", f"{table.title}.", lower="lower", upper="upper", has_zero_line=True)
    return CheckResult(
        name=words.name,
        title=words.title,
        question=words.question,
        explanation=words.explanation,
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=table,
        drawing=drawing if numbers else None,
        chart=None,
        numbers=numbers,
    )
