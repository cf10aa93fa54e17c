"""Did the programme reach those it was not offered to?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign
from ..designs.paths import PERSONS, value_columns
from ..designs.refusals import not_numbers, unknown_column
from ..disclosure import Column, Table
from ..errors import DesignError
from ..estimand import Outcome
from ..estimates import Estimates
from ..numerics.concentration import persons_behind_mean
from ..numerics.exposure import slope
from .results import CheckResult, CheckSettings
from .two_groups import groups_of, label_of, numeric_traits

NAME = "spillover"
WHERE = "checks.spillover_exposure"
_SIGNIFICANT = 0.05
_COLUMNS = ("exposure", "value", "lower", "upper", "p_value", PERSONS)


def check_spillover(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Print what the programme declares about spillover, and test it in the comparison group where exposure is known.

    Within the comparison group, the primary outcome is regressed on how near each person was to the programme, with the
    design's covariates held constant. ``passed`` is False when the two go together at 5%; else None, since finding
    nothing is no proof, and what is only declared is not tested.

    Raises
    ------
    DesignError
        The column of the exposure does not exist or holds no numbers.
    """
    estimate = effects.primary
    outcome = tables.measures[estimate.estimand.measure]
    empty = pd.DataFrame(columns=list(_COLUMNS))
    declared = settings.spillover.strip()
    name = settings.spillover_exposure
    if name is None:
        reason = (
            "It is declared, not tested."
            if declared
            else "The programme does not say whether one person's programme could reach others."
        )
        return _result(empty, outcome, None, reason, declared or reason, {})
    refuse_unfit(design, tables, settings)
    groups = groups_of(design, tables, estimate.estimand.measure) if estimate.is_available else None
    if groups is None:
        reason = estimate.unavailable_reason or "This design has no comparison group of persons."
        return _result(empty, outcome, None, reason, f"{declared} It cannot be tested. {reason}".strip(), {})
    rows = np.flatnonzero(groups.rows)[~groups.treated]
    people = tables.participants.iloc[rows]
    exposure = people[name].to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.isfinite(exposure)
    values, exposure = groups.outcome[~groups.treated][known], exposure[known]
    if len(exposure) < 2 or np.ptp(exposure) == 0:
        reason = f"«{label_of(tables, name)}» is the same for everybody in the comparison group."
        return _result(empty, outcome, None, reason, f"{declared} It cannot be tested. {reason}".strip(), {})
    traits = [item for item in numeric_traits(tables, getattr(design, "covariates", ())) if item != name]
    controls = people.loc[known, traits].to_numpy(dtype=np.float64).reshape(len(values), len(traits))
    controls = controls[:, np.ptp(controls, axis=0) > 0] if traits else controls
    column = getattr(design, "clusters", None)
    codes = None if column is None else pd.factorize(people.loc[known, column], sort=True)[0].astype(np.int64)
    found = slope(values, exposure, controls, codes)
    if found is None:
        reason = "The comparison group's outcomes do not determine it."
        return _result(empty, outcome, None, reason, f"{declared} It cannot be tested. {reason}".strip(), {})
    lower, upper = found.interval(estimate.level)
    behind = min(persons_behind_mean(values), persons_behind_mean(exposure))
    row = (label_of(tables, name), found.value, lower, upper, found.p_value, behind)
    frame = pd.DataFrame([row], columns=list(_COLUMNS))
    together = found.p_value < _SIGNIFICANT
    said = language.p_value(found.p_value)
    p_value = said if said.startswith("<") else f"= {said}"
    reason = (
        f"In the comparison group, the outcome goes with «{row[0]}» (p {p_value}): the programme may have reached it."
        if together
        else f"In the comparison group, there is no sign that the outcome goes with «{row[0]}» (p {p_value})."
    )
    numbers = {"value": found.value, "std_error": found.std_error, "p_value": found.p_value}
    return _result(frame, outcome, False if together else None, reason, f"{declared} {reason}".strip(), numbers)


def refuse_unfit(design: EvaluationDesign, tables: Tables, settings: CheckSettings) -> None:
    """Refuse an exposure that is no column of numbers.

    Raises
    ------
    DesignError
        The column does not exist, or holds no numbers.
    """
    people, name = tables.participants, settings.spillover_exposure
    if name is None:
        return
    if name not in people.columns or name == "participant_id":
        raise unknown_column(name, people, WHERE)
    for error in not_numbers(people[name].dropna(), name, "exposure", ""):
        raise DesignError(error.code, error.what, where=WHERE, why=error.why, do="Name a distance or a share.")


def _result(
    frame: pd.DataFrame,
    outcome: Outcome,
    passed: bool | None,
    reason: str,
    sentence: str,
    numbers: dict[str, float],
) -> CheckResult:
    labels = {"value": "Difference", "lower": "From", "upper": "To"}
    size = float(frame["value"].abs().max()) if len(frame) else 0.0
    return CheckResult(
        name=NAME,
        title="Spillover",
        question="Did the programme reach those it was not offered to?",
        explanation="If one person's programme changes another's outcome, the comparison group shows no longer what "
        "would have happened without it. Where it is known how near each of its persons was to the programme, those "
        "who were nearer can be compared with the others.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title=f"{outcome.label}, comparison group only: difference that goes with one standard deviation more",
            columns=(
                Column("exposure", "How near"),
                *value_columns(outcome, size, labels, are_differences=True),
                Column("p_value", "p-value", "p_value", persons=PERSONS),
            ),
            frame=frame,
        ),
        chart=None,
        numbers=numbers,
    )
