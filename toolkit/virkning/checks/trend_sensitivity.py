"""How far from parallel could the trends have been before the effect is no longer clear?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign
from ..designs.findings import Drawing
from ..designs.paths import PERSONS, value_columns
from ..disclosure import Column, Table
from ..estimates import Estimate, Estimates
from ..numerics import trend_violations
from ..numerics.trend_violations import Bounds, EventStudy
from .event_paths import Around, around
from .results import CheckResult, CheckSettings

NAME = "trend_sensitivity"
_PARALLEL, _STEPS, _BENDS = "parallel trends", "bounded steps", "bounded bends"
# Where bends are not named, these many times the largest one seen before the start.
_TIMES = (0.0, 0.5, 1.0, 2.0)
# Where the search for the largest bound ends, as many times what was seen before the start.
_MOST = 100.0


def check_trend_sensitivity(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Return intervals for the primary outcome's effect that allow trends not to be parallel (Rambachan and Roth 2023).

    The verdict is True when the effect stays clear of zero although steps apart after the start may be as large as the
    largest step before it; False when it does not, and would with parallel trends; None when it is not clear anyway.

    Parameters
    ----------
    design : EvaluationDesign
        A difference in differences, or a staggered adoption; others have no path.
    tables, effects
        The data, and the estimates made from them.
    settings : CheckSettings
        ``trend_sensitivity_magnitudes`` and ``trend_sensitivity_bends``: the bounds that are shown.
    generator : Generator
        Not used: nothing is drawn.
    """
    estimate = effects.primary
    if not estimate.is_available:
        return _unknown(estimate.unavailable_reason)
    found = around(design, tables, estimate, estimate.provenance.seed)
    if isinstance(found, str):
        return _unknown(found)
    study, level = found.study, estimate.level
    bend, unit = largest_bend(study)
    bends = settings.trend_sensitivity_bends or tuple(times * bend for times in _TIMES)
    shown = [(_PARALLEL, 0.0, 0.0, trend_violations.parallel(study, level))]
    shown += [
        (_STEPS, times, times * largest_step(study), trend_violations.relative(study, times, level))
        for times in settings.trend_sensitivity_magnitudes
    ]
    shown += [(_BENDS, each / bend, each, trend_violations.smooth(study, each, level)) for each in bends]
    by_steps = trend_violations.breakdown(
        lambda times: trend_violations.relative(study, times, level), start=1.0, most=_MOST
    )
    by_bends = trend_violations.breakdown(
        lambda times: trend_violations.smooth(study, times * bend, level), start=1.0, most=_MOST
    )
    numbers = {
        "value": study.value,
        "largest_step": largest_step(study),
        "largest_bend": bend,
        "breakdown_magnitude": np.nan if by_steps is None else by_steps,
        "breakdown_bend": np.nan if by_bends is None else by_bends * bend,
    }
    passed, reason = _verdict(shown[0][3], by_steps)
    return _result(
        passed,
        reason,
        _sentence(found, estimate, by_steps, None if by_bends is None else by_bends * bend),
        _table(found, shown, estimate, tables, unit),
        _drawing(estimate),
        {name: number for name, number in numbers.items() if np.isfinite(number)},
    )


def largest_step(study: EventStudy) -> float:
    """Return the largest change from one period to the next before the start, in the outcome's unit."""
    return float(np.abs(np.diff([*study.before, 0.0])).max())


def largest_bend(study: EventStudy) -> tuple[float, str]:
    """Return the unit in which bends are counted, and what it is, in words.

    That is the largest change of slope seen before the start; with a single step before it, which shows no slope that
    could change, the standard error of the effect.
    """
    bends = np.abs(np.diff([*study.before, 0.0], n=2))
    largest = float(bends.max()) if len(bends) else 0.0
    if largest > 0:
        return largest, "the largest change of slope before the start"
    return study.std_error, "the standard error of the effect"


def _verdict(parallel: Bounds, by_steps: float | None) -> tuple[bool | None, str]:
    if by_steps is not None and by_steps >= 1:
        return True, (
            "The effect stays clear of zero although the groups may step apart, in each period after the start, as far "
            "as they ever did before it."
        )
    if parallel.excludes_zero:
        return False, (
            "The effect is clear only if the groups would have stayed closer together after the start than they did "
            "before it."
        )
    return None, "The effect is not clear of zero even if trends were parallel, so there is nothing to overturn."


def _sentence(found: Around, estimate: Estimate, by_steps: float | None, by_bends: float | None) -> str:
    subject = f"The {found.what} ({estimate.in_words(found.study.value)})"
    if by_steps is None:
        parts = "is not clear of zero even if no step after the start may lead the groups apart"
    else:
        most = "at least " if by_steps >= _MOST else ""
        parts = (
            f"stays clear of zero as long as the groups' steps apart after the start are at most {most}"
            f"{language.number(by_steps, 2)} times as large as the largest one before it"
        )
    if by_bends is None:
        return f"{subject} {parts}. Once a straight drift is taken off, it is not clear of zero."
    return (
        f"{subject} {parts}. Once a straight drift is taken off, it stays clear as long as the drift's slope changes "
        f"by at most {estimate.in_words(by_bends)} from one period to the next."
    )


def _table(
    found: Around,
    shown: list[tuple[str, float, float, Bounds]],
    estimate: Estimate,
    tables: Tables,
    unit: str,
) -> Table:
    outcome = tables.measures[estimate.estimand.measure]
    frame = pd.DataFrame(
        [
            (kind, times, bound, (ends.lower + ends.upper) / 2, ends.lower, ends.upper)
            for kind, times, bound, ends in shown
        ],
        columns=["kind", "times", "bound", "middle", "lower", "upper"],
    )
    frame["clear"] = np.where((frame["lower"] > 0) | (frame["upper"] < 0), "yes", "no")
    frame[PERSONS] = found.persons
    labels = {"middle": "Middle", "lower": "From", "upper": "To", "bound": "Largest step, or change of slope"}
    size = float(frame[["lower", "upper"]].abs().max().max())
    level = language.number(estimate.level * 100)
    return Table(
        name=NAME,
        title=f"{outcome.label}: {level}% intervals for the {found.what}, when trends need not be parallel",
        columns=(
            Column("kind", "What is allowed"),
            Column("times", "Bound, times what was seen", "number", digits=2, persons=PERSONS),
            *value_columns(outcome, size, labels, are_differences=True),
            Column("clear", "Clear of zero"),
        ),
        frame=frame,
        note=f"«{_STEPS.capitalize()}»: each step apart after the start is at most so many times the largest one "
        f"before it. «{_BENDS.capitalize()}»: the drift's slope changes by at most so many times {unit} from one "
        "period to the next. Intervals use the normal distribution.",
    )


def _drawing(estimate: Estimate) -> Drawing:
    return Drawing(
        "times",
        "middle",
        f"{estimate.estimand.outcome}: intervals for the effect by how far from parallel the trends may have been, in "
        "multiples of what was seen before the start.",
        series="kind",
        lower="lower",
        upper="upper",
        styles={_STEPS: "line", _BENDS: "dashed"},
        has_zero_line=True,
    )


def _unknown(reason: str) -> CheckResult:
    table = Table(
        NAME,
        "Intervals when trends need not be parallel",
        (Column("kind", "What is allowed"),),
        pd.DataFrame({"kind": []}),
    )
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
        title="If trends were not parallel",
        question="How far apart could the groups have moved by themselves before the effect is no longer clear?",
        explanation="No data show how the groups would have moved after the start without the programme. Here they may "
        "move apart, within bounds that are told by how they moved before: by steps at most so many times the largest "
        "one before the start, or along a line whose slope changes at most so much. The intervals hold whatever the "
        "drift is within the bound {cite:p}`RambachanRoth2023`.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=table,
        drawing=drawing,
        chart=None,
        numbers=numbers,
    )
