"""Could those whose outcome is not known change the conclusion?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign, RandomisedTrial
from ..designs.comparison.terms import with_constant
from ..designs.findings import Drawing
from ..designs.paths import PERSONS, value_columns
from ..disclosure import Column, Table
from ..estimand import Outcome
from ..estimates import Estimate, Estimates
from ..numerics.attrition import Bounds, Reweighted, lee_bounds, reweighted_difference
from ..numerics.concentration import persons_behind_mean
from ..numerics.least_squares import dependent_column
from ..numerics.logit import SeparationError
from .results import CheckResult, CheckSettings, percent
from .two_groups import TELLABLE, numeric_traits

NAME = "attrition_bounds"
_COLUMNS = ("number", "what", "value", "lower", "upper", PERSONS)
_NO_LOTTERY = "The bounds need a lottery, which this design does not have."


def check_attrition_bounds(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Bound the effect on the primary outcome whatever the lost outcomes were, and weight for who was found.

    Lee's (2009) bounds need the lottery and that the offer moved nobody's being found against its direction for others.
    ``passed`` is False when the headline is clear and the interval of the bounds (Imbens and Manski 2004) holds zero,
    True when it holds none, None when nobody was lost, the headline is unclear, or there was no lottery.
    """
    estimate = effects.primary
    outcome = tables.measures[estimate.estimand.measure]
    empty = pd.DataFrame(columns=list(_COLUMNS))
    if not isinstance(design, RandomisedTrial):
        return _result(empty, outcome, None, _NO_LOTTERY, f"It cannot be told. {_NO_LOTTERY}", {})
    if not estimate.is_available:
        return _result(empty, outcome, None, estimate.unavailable_reason, "It cannot be told.", {})
    values = tables.analysis(estimate.estimand.measure)["value"].to_numpy(dtype=np.float64)
    found = np.isfinite(values)
    if found.all():
        return _result(empty, outcome, None, "Nobody was lost.", "Nobody was lost, so there is nothing to bound.", {})
    people = tables.participants
    treated = people[design.treatment].to_numpy(dtype=bool)
    # What was drawn together varies together.
    drawn = design.clusters or design.pairs
    codes = None if drawn is None else pd.factorize(people[drawn], sort=True)[0].astype(np.int64)
    weights = None if design.weights is None else people[design.weights].to_numpy(dtype=np.float64)
    bounds = lee_bounds(values, found, treated, weights=weights, clusters=codes)
    matrix = _traits(design, tables, treated)
    reweighted: Reweighted | None = None
    if matrix is not None:
        try:
            reweighted = reweighted_difference(values, found, treated, matrix, weights=weights, clusters=codes)
        except SeparationError:
            reweighted = None
    n_lost = [int((~found & arm).sum()) for arm in (treated, ~treated)]
    n_known = [persons_behind_mean(values[found & arm]) for arm in (treated, ~treated)]
    behind = min(*n_known, *(n for n in n_lost if n))
    frame = _frame(estimate, bounds, reweighted, behind)
    passed, reason = _verdict(estimate, bounds)
    lower, upper = bounds.interval(estimate.level)
    numbers = {
        "lower": bounds.lower,
        "upper": bounds.upper,
        "lower_error": bounds.lower_error,
        "upper_error": bounds.upper_error,
        "interval_lower": lower,
        "interval_upper": upper,
        "trimmed": bounds.trimmed,
    }
    if reweighted is not None:
        numbers |= {"reweighted": reweighted.value, "reweighted_error": reweighted.std_error}
    return _result(frame, outcome, passed, reason, _sentence(estimate, bounds, reweighted, behind), numbers)


def _traits(design: RandomisedTrial, tables: Tables, treated: np.ndarray) -> np.ndarray | None:
    """Return the constant and the traits that may tell who was found; None without any, or where they are dependent."""
    names = numeric_traits(tables, design.covariates)
    if not names:
        return None
    matrix = with_constant(tables.participants[list(names)].to_numpy(dtype=np.float64))
    if any(dependent_column(matrix[arm]) is not None for arm in (treated, ~treated)):
        return None
    return matrix


def _frame(estimate: Estimate, bounds: Bounds, reweighted: Reweighted | None, behind: int) -> pd.DataFrame:
    best = estimate.headline()
    reach = float(stats.norm.ppf(0.5 + estimate.level / 2))
    rows: list[tuple[object, ...]] = [("Those whose outcome is known", best.value, best.lower, best.upper)]
    if reweighted is not None:
        wide = reach * reweighted.std_error
        rows.append(
            (
                "Weighted by the chance of being found",
                reweighted.value,
                reweighted.value - wide,
                reweighted.value + wide,
            )
        )
    for what, value, error in (
        ("Smallest effect that the lost allow", bounds.lower, bounds.lower_error),
        ("Largest effect that the lost allow", bounds.upper, bounds.upper_error),
    ):
        rows.append((what, value, value - reach * error, value + reach * error))
    rows.append(("Interval of the effect between the two", np.nan, *bounds.interval(estimate.level)))
    frame = pd.DataFrame(rows, columns=["what", "value", "lower", "upper"])
    frame.insert(0, "number", np.arange(1, len(frame) + 1))
    return frame.assign(**{PERSONS: behind})


def _verdict(estimate: Estimate, bounds: Bounds) -> tuple[bool | None, str]:
    best = estimate.headline()
    if best.lower <= 0 <= best.upper:
        return None, "The headline is unclear even without asking about the lost."
    lower, upper = bounds.interval(estimate.level)
    if lower <= 0 <= upper:
        return False, "Had those who were lost fared in the least favourable way, the effect would be unclear."
    if (lower > 0) != (best.value > 0):
        return False, "Whatever the lost outcomes were, the effect has the other sign than the headline."
    return True, "Whatever the lost outcomes were, the effect keeps its sign."


def _sentence(estimate: Estimate, bounds: Bounds, reweighted: Reweighted | None, behind: int) -> str:
    if behind < TELLABLE:
        return "Few persons were lost, or few are known, so the table must say what can be said."
    lower, upper = bounds.interval(estimate.level)
    level = language.number(estimate.level * 100)
    arm = "those offered the programme" if bounds.is_treated_trimmed else "the comparison group"
    said = (
        f"Among those whose outcome would be known either way, the effect on «{estimate.estimand.outcome}» goes "
        f"from {estimate.in_words(bounds.lower, bounds.upper)}, with {level}% confidence from "
        f"{estimate.in_words(lower, upper)}. For this, {percent(bounds.trimmed)} of the outcomes of {arm}, of whom "
        "more are known, were left out at one end and at the other."
    )
    if reweighted is not None:
        said += (
            f" With more weight for those who are like the lost, the estimate is {estimate.in_words(reweighted.value)}."
        )
    return said


def _result(
    frame: pd.DataFrame,
    outcome: Outcome,
    passed: bool | None,
    reason: str,
    sentence: str,
    numbers: dict[str, float],
) -> CheckResult:
    labels = {"value": "Effect", "lower": "From", "upper": "To"}
    size = float(frame["value"].abs().max()) if len(frame) else 0.0
    return CheckResult(
        name=NAME,
        title="Bounds for attrition",
        question="Could those whose outcome is not known change the conclusion?",
        explanation="If the offer only made more people answer, or only fewer, the surplus in one group can be taken "
        "away at its lower and at its upper end: the effect on those who would answer either way lies between "
        "{cite:p}`Lee2009,ImbensManski2004`. Beside it, those who were found stand for others like them who were not.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title=f"{outcome.label}: the effect, and what the lost could make of it",
            columns=(
                Column("what", "Estimate"),
                Column("number", "No.", "number", digits=0),
                *value_columns(outcome, size, labels, are_differences=True),
            ),
            frame=frame,
            note="The bounds and the weighted estimate are differences of means.",
        ),
        drawing=Drawing(
            x="number",
            y="value",
            lower="lower",
            upper="upper",
            caption="The effect, and what the lost could make of it, numbered as in the table.",
            has_zero_line=True,
            names_x=True,
        )
        if len(frame)
        else None,
        chart=None,
        numbers=numbers,
    )
