"""Are neighbouring periods alike, and do the errors allow for it?"""

from __future__ import annotations

import numpy as np

from ..data import Tables
from ..designs import EvaluationDesign, InterruptedTimeSeries
from ..estimates import Estimates
from .found import Words, finding_of, judged, not_made
from .results import CheckResult, CheckSettings

NAME = "serial_correlation"
_SIGNIFICANT = 0.05
WORDS = Words(
    NAME,
    "Likeness of neighbouring periods",
    "Do the errors allow for periods that follow each other?",
    "Neighbouring periods of a series are often alike, so it tells less than its length suggests. The test of Breusch "
    "and Godfrey {cite:p}`Godfrey1978` looks for it in what the fitted line leaves over.",
)


def check_serial_correlation(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Judge the headline's errors by the test of serial correlation of the primary outcome.

    ``passed`` is False when neighbours are alike and the headline takes them for independent, True when its errors
    allow for likeness, None when independent errors are used and nothing was found.
    """
    estimate = effects.primary
    if not isinstance(design, InterruptedTimeSeries):
        return not_made(WORDS, "This design does not follow one series over time.")
    finding = finding_of(design, tables, estimate, "residual-autocorrelation")
    if finding is None:
        return not_made(WORDS, estimate.unavailable_reason or "The series leaves nothing over to test.")
    frame = finding.table.frame
    first = frame[frame["what"].str.startswith("Breusch")].iloc[0]
    numbers = {"statistic": float(first["statistic"]), "p_value": float(first["p_value"])}
    passed: bool | None
    if design.estimator != "least_squares":
        passed, reason = True, "The errors of the headline allow for it."
    elif numbers["p_value"] < _SIGNIFICANT:
        passed, reason = False, "Neighbouring periods are alike, and the headline's errors take them for independent."
    else:
        passed, reason = None, "The headline's errors take periods for independent; a short series seldom shows that."
    return judged(WORDS, finding.table, passed, reason, finding.sentence, numbers)
