"""Does one ratio describe how the programme changed the rate at which something happens?"""

from __future__ import annotations

import numpy as np

from .. import language
from ..data import Tables
from ..designs import Duration, EvaluationDesign
from ..estimates import Estimates
from .found import Words, finding_of, judged, not_made
from .results import CheckResult, CheckSettings

NAME = "proportional_hazards"
WORDS = Words(
    NAME,
    "Proportional hazards",
    "Does one ratio describe the difference between the curves?",
    "A hazard ratio sums up two curves only if it stays the same over time. The test of Grambsch and Therneau "
    "{cite:p}`GrambschTherneau1994` asks whether it changes.",
)


def check_proportional_hazards(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Test whether the hazard ratio of the primary outcome stays the same over time.

    ``passed`` is False when it changes; None otherwise, since finding no change is no proof. The headline, a difference
    in mean time, does not rest on the ratio.
    """
    estimate = effects.primary
    if not isinstance(design, Duration):
        return not_made(WORDS, "This design does not follow persons until something happens.")
    finding = finding_of(design, tables, estimate, "hazard-ratio")
    if finding is None:
        return not_made(WORDS, estimate.unavailable_reason or "The primary outcome is no time until something happens.")
    tested = finding.table.frame.dropna(subset=["constant_p"])
    if tested.empty:
        return not_made(WORDS, "So few had the event that no ratio can be tested.")
    p_value = float(tested["constant_p"].min())
    numbers = {"p_value": p_value, "ratio": float(tested["ratio"].iloc[0])}
    if p_value < 1 - estimate.level:
        reason = f"The hazard ratio changes over time (smallest p-value {language.p_value(p_value)})."
        return judged(
            WORDS, finding.table, False, reason, f"{reason} Trust the curves and the mean time instead.", numbers
        )
    reason = f"No change of the hazard ratio over time was found (smallest p-value {language.p_value(p_value)})."
    return judged(WORDS, finding.table, None, reason, f"{reason} That is no proof that there is none.", numbers)
