"""Do lasting differences between persons go together with the treatment?"""

from __future__ import annotations

import numpy as np

from ..data import Tables
from ..designs import EvaluationDesign, Panel
from ..designs.panels.fits import WITHIN
from ..estimates import Estimates
from .found import Words, finding_of, judged, not_made
from .results import CheckResult, CheckSettings

NAME = "hausman"
_SIGNIFICANT = 0.05
WORDS = Words(
    NAME,
    "Lasting differences between persons",
    "Do lasting differences between persons count as an effect?",
    "Random effects and pooled least squares compare persons with each other. The robust Hausman test "
    "{cite:p}`Hausman1978,Mundlak1978` asks whether persons who are treated more differ from others for good.",
)


def check_hausman(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Judge the headline by the robust Hausman test of the primary outcome.

    ``passed`` is False when lasting differences go together with the treatment and the headline counts them, True when
    it compares each person with that same person, None when there is no sign of such differences or no test.
    """
    estimate = effects.primary
    if not isinstance(design, Panel):
        return not_made(WORDS, "This design does not follow persons whose treatment changes.")
    if not estimate.is_available:
        return not_made(WORDS, estimate.unavailable_reason)
    finding = finding_of(design, tables, estimate, "hausman")
    if finding is None:
        return not_made(WORDS, "Persons' means of the treatment do not differ in a way that could be tested.")
    row = finding.table.frame.iloc[0]
    numbers = {"statistic": float(row["statistic"]), "p_value": float(row["p_value"])}
    passed: bool | None
    if design.estimator in WITHIN:
        passed, reason = True, "The headline compares each person with that same person, so they cannot bias it."
    elif numbers["p_value"] < _SIGNIFICANT:
        passed, reason = False, "They go together with the treatment, and the headline counts them as effect."
    else:
        passed, reason = None, "There is no sign that they go together with the treatment, which is no proof."
    return judged(WORDS, finding.table, passed, reason, f"{finding.question} {finding.sentence}", numbers)
