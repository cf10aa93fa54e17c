"""How large an effect had to be for an evaluation of this size to see it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign
from ..disclosure import Column, Table
from ..estimates import Estimates
from ..numerics.concentration import persons_behind_mean
from ..numerics.power import minimum_detectable_effect, power
from .results import CheckResult, CheckSettings, percent

NAME = "power"
# The curve goes from no effect to twice the minimum detectable one.
_POINTS = 81

_COLUMNS = (
    Column("outcome", "Outcome"),
    Column("std_error_in_words", "Standard error", persons="n_behind"),
    Column("smallest_in_words", "Smallest effect that is found", persons="n_behind"),
    Column("minimum_detectable_effect_sd", "The same", "number", "standard deviations", persons="n_behind"),
)


def check_power(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Return the minimum detectable effect as realised: from the standard error that the evaluation turned out to have.

    The power of the two-sided t-test at the level of the intervals is that of the noncentral t distribution (Bloom 1995
    gives the usual approximation). The observed effect plays no part: power at the observed effect says nothing that
    the p-value does not.
    """
    rows = []
    for measure, estimate in effects.items():
        if not estimate.is_available:
            continue
        std_error = float(estimate.effects["std_error"].iloc[0])
        smallest = minimum_detectable_effect(std_error, estimate.degrees_of_freedom, 1 - estimate.level, settings.power)
        spread, behind = _comparison_group(design, tables, measure)
        relative = smallest / spread if spread > 0 else np.nan
        # Outcomes have different units, so amounts are written out.
        said = (estimate.in_words(std_error), estimate.in_words(smallest))
        about = (measure, estimate.estimand.outcome, estimate.estimand.unit)
        rows.append((*about, std_error, smallest, *said, relative, behind))
    columns = [
        "measure",
        "outcome",
        "unit",
        "std_error",
        "minimum_detectable_effect",
        "std_error_in_words",
        "smallest_in_words",
        "minimum_detectable_effect_sd",
        "n_behind",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    primary = effects.primary
    if not primary.is_available:
        return _result(
            frame, settings, primary.unavailable_reason, f"It cannot be told. {primary.unavailable_reason}", None, {}
        )
    first = frame.iloc[0]
    smallest, std_error = float(first["minimum_detectable_effect"]), float(first["std_error"])
    grid = np.linspace(0, 2 * smallest, _POINTS)
    curve = pd.DataFrame(
        {"effect": grid, "power": power(grid, std_error, primary.degrees_of_freedom, 1 - primary.level)}
    )
    in_spreads = float(first["minimum_detectable_effect_sd"])
    aside = (
        ""
        if np.isnan(in_spreads)
        else f", which is {language.number(in_spreads, 2)} standard deviations of the comparison group"
    )
    sentence = (
        f"An evaluation of this size finds a true effect on «{primary.estimand.outcome}» of "
        f"{primary.in_words(smallest)} with a chance of {percent(settings.power)}{aside}. Smaller effects are often "
        "missed."
    )
    numbers = {"minimum_detectable_effect": smallest, "std_error": std_error, "power": settings.power}
    return _result(frame, settings, "It tells how to read an unclear result.", sentence, curve, numbers)


def _comparison_group(design: EvaluationDesign, tables: Tables, measure: str) -> tuple[float, int]:
    """Return the standard deviation of the outcome in the comparison group, and the persons behind the numbers.

    Without a comparison group it is that of those in the programme.
    """
    frame = tables.analysis(measure)
    known = frame["value"].notna().to_numpy(dtype=bool)
    values = frame["value"].to_numpy(dtype=float)
    treated = design.is_in_programme(tables, measure)
    arms = [values[known & arm] for arm in (~treated, treated)]
    compared = [arm for arm in arms if len(arm) > 1]
    spread = float(compared[0].std(ddof=1)) if compared else float("nan")
    return spread, min((persons_behind_mean(arm) for arm in compared), default=len(values))


def _result(
    frame: pd.DataFrame,
    settings: CheckSettings,
    reason: str,
    sentence: str,
    chart: pd.DataFrame | None,
    numbers: dict[str, float],
) -> CheckResult:
    return CheckResult(
        name=NAME,
        title="Power",
        question="How large an effect could an evaluation of this size see?",
        explanation="The minimum detectable effect {cite:p}`Bloom1995`: a smaller true effect would probably have been "
        "missed.",
        passed=None,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title=f"Smallest effect that is found with a chance of {percent(settings.power)}",
            columns=_COLUMNS,
            frame=frame,
        ),
        chart=chart,
        numbers=numbers,
    )
