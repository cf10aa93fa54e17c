"""Did the groups move alike before the start, and could these data have shown it if they did not?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign
from ..designs.findings import Drawing
from ..designs.paths import value_columns
from ..disclosure import Column, Table
from ..estimates import Estimate, Estimates
from ..numerics.pre_trends import detectable_drift
from .claims import claimed
from .event_paths import PreTrend, pre_trend
from .results import CheckResult, CheckSettings, percent

NAME = "parallel_trends"
_SURPRISING = 0.05
_EVEN = 0.5
_ESTIMATED = "estimated"
_LABELS = {"value": "Difference", "std_error": "Standard error", "lower": "From", "upper": "To"}


def check_parallel_trends(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Return the joint test of the primary outcome's path before the start, and what this test can see (Roth 2022).

    The verdict is False when the test rejects at 5%; True when it does not, and a steady drift that would explain the
    headline would have been found with the chance ``settings.power``; None when such a drift would often go unseen.

    Parameters
    ----------
    design : EvaluationDesign
        A difference in differences, or a staggered adoption; others have no path.
    tables, effects
        The data, and the estimates made from them.
    settings : CheckSettings
        ``power``: the chance asked of the test.
    generator : Generator
        Not used: nothing is drawn.
    """
    estimate = effects.primary
    if not estimate.is_available:
        return _unknown(estimate.unavailable_reason)
    found = pre_trend(design, tables, estimate, estimate.provenance.seed)
    if isinstance(found, str):
        return _unknown(found)
    drifts = {
        power: detectable_drift(found.drift, found.covariance, found.degrees_of_freedom, _SURPRISING, power)
        for power in (_EVEN, settings.power)
    }
    biases = {power: abs(found.bias) * drift for power, drift in drifts.items()}
    claim = claimed(estimate)
    numbers = {
        "statistic": found.statistic,
        "p_value": found.p_value,
        "n_effects": float(len(found.values)),
        "drift_even": drifts[_EVEN],
        "drift": drifts[settings.power],
        "bias_even": biases[_EVEN],
        "bias": biases[settings.power],
        "claim": claim,
    }
    passed, reason = _verdict(found, biases[settings.power], claim, settings.power)
    return _result(
        passed,
        reason,
        _sentence(found, estimate, drifts, biases, settings.power),
        _table(found, drifts[settings.power], estimate, tables, settings.power),
        _drawing(found, estimate, settings.power),
        numbers,
    )


def _verdict(found: PreTrend, bias: float, claim: float, power: float) -> tuple[bool | None, str]:
    if found.p_value < _SURPRISING:
        return False, "Before the start the groups did not move alike; the joint test rejects at 5%."
    if bias < claim:
        return True, (
            "Nothing speaks against parallel trends, and a steady drift large enough to explain the effect would have "
            f"been found with a chance of at least {percent(power)}."
        )
    return None, (
        "Nothing speaks against parallel trends, but the test is weak: a steady drift large enough to explain the "
        f"effect would be missed with a chance of more than {percent(1 - power)}."
    )


def _sentence(
    found: PreTrend, estimate: Estimate, drifts: dict[float, float], biases: dict[float, float], power: float
) -> str:
    p_value = language.p_value(found.p_value)
    several = language.plural(len(found.values), "difference", "differences")
    tested = (
        f"The joint test that the {several} before the start are zero"
        if len(found.values) > 1
        else ("The test that the difference before the start is zero")
    )
    rejects = "rejects" if found.p_value < _SURPRISING else "does not reject"
    return (
        f"{tested} {rejects} at 5% (p {p_value if p_value.startswith('<') else f'= {p_value}'}). It finds a steady "
        f"drift of {estimate.in_words(drifts[_EVEN])} per period with a chance of {percent(_EVEN)}, and one of "
        f"{estimate.in_words(drifts[power])} with a chance of {percent(power)}. Such drifts, if they went on, would "
        f"make errors of {estimate.in_words(biases[_EVEN])} and {estimate.in_words(biases[power])} in the estimate."
    )


def _table(found: PreTrend, drift: float, estimate: Estimate, tables: Tables, power: float) -> Table:
    outcome = tables.measures[estimate.estimand.measure]
    level = language.number(estimate.level * 100)
    frame = found.frame
    reach = float(stats.t.ppf(0.5 + estimate.level / 2, found.degrees_of_freedom)) * frame["std_error"]
    path = frame.assign(series=_ESTIMATED, lower=frame["value"] - reach, upper=frame["value"] + reach)
    line = frame.assign(
        series=_drift_name(power), value=drift * found.drift_in_path, std_error=np.nan, lower=np.nan, upper=np.nan
    )
    whole = pd.concat([path, line], ignore_index=True)
    # Places are whole numbers, such as years: written without a separator, and measured along the axis all the same.
    whole["place"] = pd.Series([int(place) for place in whole["place"]], dtype=object)
    return Table(
        name=NAME,
        title=f"{outcome.label}: difference between the groups by period, with {level}% intervals, and the steady "
        f"drift that the test finds with a chance of {percent(power)}",
        columns=(
            Column("place", found.axis),
            Column("series", "What"),
            *value_columns(outcome, float(frame["value"].abs().max()), _LABELS, are_differences=True),
        ),
        frame=whole,
    )


def _drift_name(power: float) -> str:
    return f"drift that is found with {percent(power)}"


def _drawing(found: PreTrend, estimate: Estimate, power: float) -> Drawing:
    return Drawing(
        "place",
        "value",
        f"{estimate.estimand.outcome}: difference between the groups by period. Dotted line: the start; dashed: a "
        f"drift that the test before the start finds with a chance of {percent(power)}.",
        series="series",
        lower="lower",
        upper="upper",
        styles={_drift_name(power): "dashed"},
        start=found.start,
        has_zero_line=True,
        names_x=True,
    )


def _unknown(reason: str) -> CheckResult:
    table = Table(
        NAME, "Difference between the groups by period", (Column("place", "Period"),), pd.DataFrame({"place": []})
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
        title="Parallel trends",
        question="Did the groups move alike before the programme began, and would we have seen it if not?",
        explanation="What would have happened without the programme is read off a comparison group, so the two must "
        "have moved alike. Before the start that can be tested; but a test that finds nothing shows little if it could "
        "not have found much. So its power is shown: the steady drift that it would find, and the error that such a "
        "drift would make {cite:p}`Roth2022`.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=table,
        drawing=drawing,
        chart=None,
        numbers=numbers,
    )
