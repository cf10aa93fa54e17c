"""Did the instruments move people enough, and does the effect hold however weak they are?"""

from __future__ import annotations

import math

import numpy as np

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign, InstrumentalVariables
from ..designs.instruments.two_stage import Diagnosis, set_in_words
from ..estimates import Estimates
from .found import Words, judged, not_made
from .results import CheckResult, CheckSettings

NAME = "instrument_strength"
WORDS = Words(
    NAME,
    "Strength of the instruments",
    "Did the instruments move people enough?",
    "Where instruments hardly move the treatment, estimate and interval mislead. The effective F "
    "{cite:p}`MontielOleaPflueger2013` says whether they do; the set of Anderson and Rubin {cite:p}`AndersonRubin1949` "
    "holds the effects that agree with the data however weak they are.",
)


def check_instrument_strength(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Hold the effective F of the primary outcome's first stage against its critical value.

    ``passed`` is True when it is above, False when it is below; the set of Anderson and Rubin is said beside it.
    """
    estimate = effects.primary
    if not isinstance(design, InstrumentalVariables):
        return not_made(WORDS, "This design has no instruments.")
    found = design.diagnose(tables, estimate.estimand.measure) if estimate.is_available else None
    if found is None:
        return not_made(WORDS, estimate.unavailable_reason)
    strong = found.strength
    is_strong = strong.effective_f >= strong.critical_value
    effective, needed = language.number(strong.effective_f, 1), language.number(strong.critical_value, 1)
    reason = (
        f"The effective F is {effective}, and {needed} is needed."
        if is_strong
        else f"The effective F is {effective}, below the {needed} that keeps the bias under a tenth of the worst case."
    )
    sentence = f"{reason} {set_in_words(found.robust_set, estimate.estimand)}"
    return judged(WORDS, found.table(estimate.estimand.measure), is_strong, reason, sentence, _numbers(found))


def _numbers(found: Diagnosis) -> dict[str, float]:
    """Return the numbers for later stages; ends of the robust set only where it has some."""
    strong = found.strength
    numbers = {
        "effective_f": strong.effective_f,
        "critical_value": strong.critical_value,
        "f_statistic": strong.f_statistic,
        "partial_r_squared": strong.partial_r_squared,
        "robust_set_holds_zero": float(0.0 in found.robust_set),
    }
    ends = [end for piece in found.robust_set.pieces for end in piece]
    if ends and math.isfinite(ends[0]) and math.isfinite(ends[-1]):
        numbers |= {"robust_lower": ends[0], "robust_upper": ends[-1]}
    return numbers
