"""Are there more persons just on one side of the cutoff than chance gives?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign
from ..designs.findings import Drawing
from ..designs.paths import PERSONS
from ..designs.regression_discontinuity import RegressionDiscontinuity
from ..disclosure import Column, Table
from ..estimates import Estimates
from ..numerics.density_at_cutoff import DensityJump, TooFewNearCutoffError, density_jump
from .results import CheckResult, CheckSettings, percent

NAME = "density_at_cutoff"
_SURPRISING = 0.05
_LEVEL = 0.95
# A jump of this share of the density is one that a reader should hear of; a test that cannot see it says little.
_LARGE = 0.5
# Below this share of different values the distribution is one of heaps.
_DIFFERENT = 0.5
_BINS = 8
_COUNTED, _BELOW, _ABOVE = "persons counted", "curve from below", "curve from above"


def check_density_at_cutoff(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Return the test that the density of the running variable does not jump (Cattaneo, Jansson and Ma 2020).

    The verdict is False when it does at 5%; True when it does not, and a jump by half would have shown; else None.

    Parameters
    ----------
    design : EvaluationDesign
        A regression discontinuity.
    tables : Tables
        The data; everybody counts, with an outcome or without.
    effects : Estimates
        Not used: the check looks at nobody's outcome.
    settings : CheckSettings
        Not used.
    generator : Generator
        Not used: nothing is drawn.
    """
    if not isinstance(design, RegressionDiscontinuity):
        return _result(None, "This design has no cutoff.", "", _empty(), None, {})
    running = tables.participants[design.running].to_numpy(dtype=np.float64)
    # Persons at the cutoff belong to the side above it, unless the programme was for those at or below.
    turned = design.treated_side in ("at_or_below", "above")
    try:
        found = density_jump(-running if turned else running, -design.cutoff if turned else design.cutoff)
    except TooFewNearCutoffError:
        return _result(
            None, "One side of the cutoff has too few different values to follow a curve.", "", _empty(), None, {}
        )
    found = _turned_back(found) if turned else found
    mean = (found.below + found.above) / 2
    reach = float(stats.norm.ppf(0.5 + _LEVEL / 2)) * float(np.hypot(found.below_error, found.above_error))
    if found.p_value < _SURPRISING:
        passed, reason = False, "The number of persons jumps at the cutoff: some may have been placed on one side."
    elif len(np.unique(running)) < _DIFFERENT * len(running):
        passed, reason = (
            None,
            "No jump is seen, but many persons share the same number, for which the test is not made.",
        )
    elif reach < _LARGE * mean:
        passed, reason = True, "The number of persons does not jump at the cutoff."
    else:
        passed, reason = None, "No jump is seen, but one by half would often go unseen among so few persons."
    ratio = found.above / found.below if found.below > 0 else np.inf
    sentence = (
        f"Just above the cutoff there are {percent(ratio)} as many persons as just below it (p = "
        f"{language.p_value(found.p_value)}). {reason}"
    )
    numbers = {
        "statistic": found.statistic,
        "p_value": found.p_value,
        "below": found.below,
        "above": found.above,
        "bandwidth_below": found.bandwidths[0],
        "bandwidth_above": found.bandwidths[1],
    }
    table = _table(found, running, design, tables)
    return _result(passed, reason, sentence.replace("= <", "<"), table, _drawing(design), numbers)


def _turned_back(found: DensityJump) -> DensityJump:
    """Return what was found on the mirrored line as it stands on the real one."""
    return DensityJump(
        below=found.above,
        above=found.below,
        below_error=found.above_error,
        above_error=found.below_error,
        bandwidths=(found.bandwidths[1], found.bandwidths[0]),
        n_below=found.n_above,
        n_above=found.n_below,
        statistic=-found.statistic,
        p_value=found.p_value,
    )


def _table(found: DensityJump, running: NDArray[np.float64], design: RegressionDiscontinuity, tables: Tables) -> Table:
    """Return persons per unit of the running variable: counted in bins near the cutoff, and where the curves end."""
    n, described = len(running), tables.schemas["participants"].field(design.running)
    rows: list[tuple[float, str, float, float, float, int]] = []
    for side, width in ((-1, found.bandwidths[0]), (1, found.bandwidths[1])):
        edges = design.cutoff + side * np.linspace(0, width, _BINS + 1)
        for one, other in pairwise(edges):
            low, high = min(one, other), max(one, other)
            count = int(((running >= low) & (running < high)).sum())
            rows.append(((low + high) / 2, _COUNTED, count / (high - low), np.nan, np.nan, count))
    factor = float(stats.norm.ppf(0.5 + _LEVEL / 2))
    ends = (
        (_BELOW, found.below, found.below_error, found.n_below),
        (_ABOVE, found.above, found.above_error, found.n_above),
    )
    for series, value, error, persons in ends:
        reach = factor * error
        rows.append((design.cutoff, series, n * value, n * (value - reach), n * (value + reach), persons))
    frame = pd.DataFrame(rows, columns=["place", "series", "density", "lower", "upper", PERSONS])
    labels = {"density": "Persons per unit", "lower": "From", "upper": "To"}
    return Table(
        name=NAME,
        title=f"Persons along «{described.title}» near the cutoff",
        columns=(
            Column("place", described.title, "number", described.unit or "", digits=2, persons=PERSONS),
            Column("series", "What"),
            *(Column(name, label, "number", digits=2, persons=PERSONS) for name, label in labels.items()),
        ),
        frame=frame.sort_values("place", kind="stable", ignore_index=True),
        note="Counted persons are divided by the width of their bin. The curves end at the cutoff, with 95% intervals.",
    )


def _drawing(design: RegressionDiscontinuity) -> Drawing:
    return Drawing(
        "place",
        "density",
        "Persons per unit of the running variable near the cutoff, and where the curves from both sides end.",
        series="series",
        lower="lower",
        upper="upper",
        start=design.cutoff,
        start_label="cutoff",
    )


def _empty() -> Table:
    frame = pd.DataFrame({"series": pd.Series([], dtype="str")})
    return Table(NAME, "Persons near the cutoff", (Column("series", "What"),), frame)


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
        title="Density at the cutoff",
        question="Did some place themselves, or others, on the side that they wanted?",
        explanation="If nobody could choose the side, about as many stand just above the cutoff as just below it. A "
        "curve through the numbers of persons is followed to the cutoff from both sides "
        "{cite:p}`CattaneoJanssonMa2020`.",
        passed=passed,
        reason=reason,
        sentence=sentence or f"It cannot be told. {reason}",
        table=table,
        drawing=drawing,
        chart=None,
        numbers=numbers,
    )
