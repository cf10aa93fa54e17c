"""Would such a gap show up in places where no programme came?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign, SyntheticControl
from ..designs.donors.panel import units_of
from ..designs.donors.placebos import PlaceboTest, in_space_test
from ..designs.paths import PERSONS
from ..disclosure import Column, Table
from ..estimates import Estimate, Estimates
from .found import Words, judged, not_made
from .results import CheckResult, CheckSettings

NAME = "placebo_in_space"
WORDS = Words(
    NAME,
    "Placebo in space",
    "Would such a gap show up where no programme came?",
    "Every place in turn counts as treated. If the programme had no effect, and could have come to any of the places, "
    "each rank is equally likely {cite:p}`AbadieDiamondHainmueller2010`.",
)


def check_placebo_in_space(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Rank the treated of the primary outcome among all places that could have been treated.

    ``passed`` is True when the rank is as surprising as the level of the headline asks for, False when it is not
    although the headline is clear, None when places are too few for any rank to be surprising, or the headline is
    unclear.
    """
    estimate = effects.primary
    if not isinstance(design, SyntheticControl):
        return not_made(WORDS, "This design has no donors that could take the place of the treated.")
    if not estimate.is_available:
        return not_made(WORDS, estimate.unavailable_reason)
    units = units_of(design, tables, estimate.estimand.measure)
    # The same draws as in the chapter on effects.
    test = in_space_test(design, units, np.random.default_rng((estimate.provenance.seed, 1)))
    residents = design.persons_in_rows(tables)[units.rows]
    passed, reason = _verdict(estimate, test)
    n = len(test.sets)
    sentence = (
        f"By the gap after the start over the gap before it, the treated rank {language.number(test.rank)} of "
        f"{language.number(n)} (p = {language.p_value(test.p_value)})."
    )
    rows = [
        ("Gap after the start over gap before it", test.rank, test.p_value),
        (
            "Size of the average gap",
            int((np.abs(test.effects) >= abs(test.effects[0]) * (1 - 1e-10)).sum()),
            test.effect_p_value,
        ),
    ]
    frame = pd.DataFrame(rows, columns=["what", "rank", "p_value"]).assign(n=n)
    table = Table(
        NAME,
        "The treated among all places that could have been treated",
        (
            Column("what", "Ranked by"),
            Column("rank", "Rank", "number", digits=0, persons=PERSONS),
            Column("n", "of", "number", digits=0, persons=PERSONS),
            Column("p_value", "p-value", "p_value", persons=PERSONS),
        ),
        frame.assign(**{PERSONS: int(residents[units.block.treated].sum())}),
    )
    numbers = {"rank": float(test.rank), "n": float(n), "p_value": test.p_value, "effect_p_value": test.effect_p_value}
    return judged(WORDS, table, passed, reason, sentence, numbers)


def _verdict(estimate: Estimate, test: PlaceboTest) -> tuple[bool | None, str]:
    significance, best = 1 - estimate.level, estimate.headline()
    if best.lower <= 0 <= best.upper:
        return None, "The headline is unclear, so there is no gap that other places could question."
    if test.p_value <= significance:
        return True, "Hardly any other place shows a gap like that of the treated."
    if 1 / len(test.sets) > significance:
        return None, "There are too few places for any rank to be surprising."
    return False, "The headline is clear, but places without a programme show gaps as large."
