"""Would the answer be another if the missing values were known?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import DifferenceInDifferences, EvaluationDesign, MatchedComparison, RandomisedTrial
from ..designs.findings import Drawing
from ..designs.paths import PERSONS, value_columns
from ..disclosure import Column, Table
from ..errors import VirkningError
from ..estimand import Outcome
from ..estimates import Estimate, Estimates
from ..numerics.imputation import Pooled, completed, pool
from .results import CheckResult, CheckSettings, percent
from .two_groups import TELLABLE

NAME = "missing_data"
COMPLETE, IMPUTED = "Complete cases", "Filled in"
_COLUMNS = ("number", "what", "value", "lower", "upper", "information", PERSONS)
# Each column that helps to predict costs about so many persons.
_PERSONS_PER_COLUMN = 10


def check_missing_data(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Estimate the effect on the primary outcome with missing values filled in, beside complete cases.

    Values are filled in ``settings.missing_data_imputations`` times from what is known of a person: traits, other
    outcomes, other periods; Rubin's rules with Barnard and Rubin's (1999) degrees of freedom. ``passed`` is False when
    this makes a clear effect unclear, an unclear one clear, or turns its sign; True when a clear one stays clear; None
    when it is unclear both ways or nothing is missing.
    """
    estimate = effects.primary
    measure = estimate.estimand.measure
    outcome = tables.measures[measure]
    empty = pd.DataFrame(columns=list(_COLUMNS))
    if not estimate.is_available:
        return _result(empty, outcome, None, estimate.unavailable_reason, "It cannot be told.", {})
    periods = _periods(design, outcome)
    if not periods:
        reason = "Values are filled in only where each person has one outcome, or one in each of the periods."
        return _result(empty, outcome, None, reason, f"It cannot be told. {reason}", {})
    values = _cells(tables, measure, periods)
    lost = np.isnan(values).any(axis=1)
    if not lost.any():
        return _result(empty, outcome, None, "Nothing is missing.", "Nothing is missing, so nothing is filled in.", {})
    if np.isnan(values).all(axis=0).any():
        reason = "In one of the periods nobody has this outcome."
        return _result(empty, outcome, None, reason, f"It cannot be told. {reason}", {})
    pooled = _imputed(design, tables, measure, periods, settings.missing_data_imputations, generator)
    if pooled is None:
        reason = "With the values filled in, the effect cannot be estimated."
        return _result(empty, outcome, None, reason, f"It cannot be told. {reason}", {})
    best, (lower, upper) = estimate.headline(), pooled.interval(estimate.level)
    behind = min(int(lost.sum()), int((~lost).sum()))
    rows = [
        (1, COMPLETE, best.value, best.lower, best.upper, np.nan, behind),
        (2, IMPUTED, pooled.value, lower, upper, pooled.missing_information, behind),
    ]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    passed, reason = _verdict(estimate, pooled)
    sentence = reason
    if behind >= TELLABLE:
        level = language.number(estimate.level * 100)
        sentence = (
            f"With the missing values filled in, the effect on «{outcome.label}» is {estimate.in_words(pooled.value)} "
            f"({level}% interval {estimate.in_words(lower, upper)}). {percent(pooled.missing_information)} of the "
            f"information is missing with the values. {reason}"
        )
    numbers = {
        "value": pooled.value,
        "std_error": pooled.std_error,
        "degrees_of_freedom": pooled.degrees_of_freedom,
        "missing_information": pooled.missing_information,
    }
    return _result(frame, outcome, passed, reason, sentence, numbers)


def _periods(design: EvaluationDesign, outcome: Outcome) -> tuple[str, ...]:
    """Return the periods whose outcomes the estimate rests on, one of each per person; none for other designs."""
    if isinstance(design, RandomisedTrial | MatchedComparison):
        return (outcome.period,)
    if isinstance(design, DifferenceInDifferences) and design.sampling == "panel":
        return (*design.before, *design.after)
    return ()


def _cells(tables: Tables, measure: str, periods: tuple[str, ...]) -> np.ndarray:
    """Return one row per participant and one column per period, NaN where the outcome is missing."""
    outcomes = tables.outcomes
    chosen = outcomes[(outcomes["measure"] == measure) & outcomes["period"].isin(list(periods))]
    wide = chosen.pivot_table(index="participant_id", columns="period", values="value", aggfunc="first")
    return wide.reindex(index=tables.participants["participant_id"], columns=list(periods)).to_numpy(dtype=np.float64)


def _helpers(design: EvaluationDesign, tables: Tables, measure: str) -> np.ndarray:
    """Return what else is known of the participants, in numbers, NaN where missing; shape (participants, p).

    The design's own covariates come first, then other traits, then other outcomes; not more than persons can carry.
    """
    people = tables.participants
    own = [name for name in getattr(design, "covariates", ()) if name in people]
    rest = [name for name in people.columns if name not in (*own, "participant_id", design.treatment)]
    columns = []
    for name in (*own, *rest):
        column = people[name]
        if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
            columns.append(column.to_numpy(dtype=np.float64, na_value=np.nan))
    columns += [
        tables.analysis(name)["value"].to_numpy(dtype=np.float64) for name in tables.measures if name != measure
    ]
    varying = [values for values in columns if np.unique(values[np.isfinite(values)]).size > 1]
    limit = max(1, len(people) // _PERSONS_PER_COLUMN)
    return np.column_stack(varying[:limit]) if varying else np.zeros((len(people), 0))


def _imputed(
    design: EvaluationDesign,
    tables: Tables,
    measure: str,
    periods: tuple[str, ...],
    imputations: int,
    generator: np.random.Generator,
) -> Pooled | None:
    """Return the effect over the completed data sets; None where one of them gives none."""
    values, helpers = _cells(tables, measure, periods), _helpers(design, tables, measure)
    is_whole = ~np.isnan(helpers).any(axis=0)
    columns = np.column_stack([values, helpers[:, ~is_whole]])
    treated = tables.participants[design.treatment].to_numpy(dtype=bool)
    people = tables.participants["participant_id"].to_numpy()
    outcome = tables.measures[measure].model_copy(update={"primary": True})
    found, errors, freedom = [], [], float("inf")
    # A share or a count takes the values that occur, an amount any.
    is_amount = (np.arange(columns.shape[1]) < len(periods)) & (outcome.kind in ("amount", "log"))
    draws = completed(columns, helpers[:, is_whole], treated, imputations, generator, is_amount=is_amount)
    for filled in draws:
        rows = pd.DataFrame(
            {
                "participant_id": np.tile(people, len(periods)),
                "period": np.repeat(list(periods), len(people)),
                "measure": measure,
                "value": filled[:, : len(periods)].T.reshape(-1),
            }
        )
        try:
            whole = Tables.of(tables.participants, rows, {measure: outcome}, tables.schemas)
            estimate = design.estimate_outcome(whole, measure, seed=0)
        except VirkningError:
            return None
        if not estimate.is_available:
            return None
        found.append(estimate.headline().value)
        errors.append(float(estimate.effects["std_error"].iloc[0]))
        freedom = estimate.degrees_of_freedom
    return pool(found, errors, freedom)


def _verdict(estimate: Estimate, pooled: Pooled) -> tuple[bool | None, str]:
    best, (lower, upper) = estimate.headline(), pooled.interval(estimate.level)
    was_clear, is_clear = not best.lower <= 0 <= best.upper, not lower <= 0 <= upper
    if was_clear and is_clear and (best.value > 0) == (pooled.value > 0):
        return True, "The effect is clear with and without the missing values filled in."
    if was_clear and not is_clear:
        return False, "The effect is clear among complete cases, but not with the missing values filled in."
    if is_clear and not was_clear:
        return False, "The effect is unclear among complete cases, but clear with the missing values filled in."
    if was_clear:
        return False, "With the missing values filled in, the effect has the other sign."
    return None, "The effect is unclear with and without the missing values filled in."


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
        title="Missing data",
        question="Would the answer be another if the missing values were known?",
        explanation="Each missing value is filled in many times with what persons have who are alike in all that is "
        "known, and the estimates are put together so that not knowing counts {cite:p}`Rubin1987,BarnardRubin1999`. "
        "This helps where what is known tells who was lost; it cannot help where the lost outcome itself does.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title=f"{outcome.label}: the effect among complete cases, and with missing values filled in",
            columns=(
                Column("what", "Missing values"),
                Column("number", "No.", "number", digits=0),
                *value_columns(outcome, size, labels, are_differences=True),
                Column("information", "Information missing", "share", persons=PERSONS),
            ),
            frame=frame,
        ),
        drawing=Drawing(
            x="number",
            y="value",
            series="what",
            lower="lower",
            upper="upper",
            caption="The effect among complete cases, and with missing values filled in.",
            has_zero_line=True,
            names_x=True,
        )
        if len(frame)
        else None,
        chart=None,
        numbers=numbers,
    )
