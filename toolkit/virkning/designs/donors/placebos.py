"""Made-up programmes: in places that had none, and at a time when there was none yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ... import language
from ...disclosure import Column, Table
from ...numerics.permutation import p_value
from ...numerics.synthetic_differences import contrast, placebos, sets_of
from ..findings import Drawing, Finding
from ..paths import PERSONS, value_columns
from .panel import DonorFields, Units, recipe_of
from .shown import MOST_LISTED, TREATED, Shown
from .terms import freedom_of, spread_of

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_LEAST_PLACEBO_BEFORE = 3
# A mix that meets its unit exactly would make any ratio infinite; no fit counts as closer than this share of the noise.
_CLOSEST = 1e-6


@dataclass(frozen=True)
class PlaceboTest:
    """The treated among all units (or sets of units) that could have been treated instead.

    Attributes
    ----------
    sets : ndarray of int, shape (r, treated units)
        Units in the place of the treated, by position in the block; the treated themselves are the first row.
    misfit_before, misfit_after : ndarray, shape (r,)
        Root mean square of the gap before and after the start, in the outcome's unit.
    effects : ndarray, shape (r,)
        Average gap after the start.
    ratios : ndarray, shape (r,)
        After over before.
    rank : int
        Of the treated by ratio, the largest first; ties count against it.
    p_value, effect_p_value : float
        Share of the sets with at least as large a ratio, and as large an effect, as the treated.
    is_exact : bool
        Whether the sets are all there are.
    """

    sets: Whole
    misfit_before: Array
    misfit_after: Array
    effects: Array
    ratios: Array
    rank: int
    p_value: float
    effect_p_value: float
    is_exact: bool


def in_space_test(design: DonorFields, units: Units, generator: np.random.Generator) -> PlaceboTest:
    """Return the permutation test of no effect on anybody (Abadie, Diamond and Hainmueller 2010).

    Every unit takes the place of the treated, which then are among the donors, so that under the hypothesis all
    assignments are alike and the p-value is exact if the programme could have come to any of the units.

    Parameters
    ----------
    design : DonorFields
        How weights are chosen; the headline's estimator is used.
    units : Units
        The units.
    generator : Generator
        Source of random sets, where there are too many to take all.
    """
    block, recipe = units.block, recipe_of(design, design.terms[0][0])
    observed = np.flatnonzero(block.treated)
    sets, is_exact = sets_of(len(units.rows), units.n_treated, design.placebo_runs, generator)
    if is_exact:
        sets = sets[(sets != observed).any(axis=1)]
    sets = np.vstack([observed, sets])
    found = list(placebos(block, recipe, sets))
    before = np.array([each.misfit_before for each in found])
    after = np.array([each.misfit_after for each in found])
    effects = np.array([each.effect for each in found])
    ratios = after / np.maximum(before, _CLOSEST * block.noise)
    # All assignments hold the observed one; of a random sample it is counted in by the p-value itself.
    drawn = slice(None) if is_exact else slice(1, None)
    return PlaceboTest(
        sets=sets,
        misfit_before=before,
        misfit_after=after,
        effects=effects,
        ratios=ratios,
        rank=int((ratios >= ratios[0] * (1 - 1e-10)).sum()),
        p_value=p_value(float(ratios[0]), ratios[drawn], is_exact=is_exact, alternative="greater"),
        effect_p_value=p_value(float(effects[0]), effects[drawn], is_exact=is_exact),
        is_exact=is_exact,
    )


@dataclass(frozen=True)
class TimePlacebo:
    """What a made-up start before the real one shows, from the periods before the real one only.

    Attributes
    ----------
    start : str
        The made-up start.
    n_periods : int
        Periods from it to the real start.
    effect, std_error : float
        Average gap in these periods, which should be zero, and its placebo error.
    """

    start: str
    n_periods: int
    effect: float
    std_error: float


def in_time_test(design: DonorFields, units: Units, generator: np.random.Generator) -> TimePlacebo | None:
    """Return the effect of a start at which nothing began; None where the periods before the start are too few.

    Predictors are left aside, since their periods may lie after the made-up start: donors are to follow the treated in
    every period before it.

    Parameters
    ----------
    design : DonorFields
        How weights are chosen; the headline's estimator is used.
    units : Units
        The units.
    generator : Generator
        Source of random sets of donors.
    """
    n_before = units.block.n_before
    if design.placebo_start in units.periods[:n_before]:
        start = units.periods.index(design.placebo_start)
    else:
        start = (2 * n_before + 2) // 3
    if not _LEAST_PLACEBO_BEFORE <= start < n_before or units.n_donors <= units.n_treated:
        return None
    estimator = design.terms[0][0]
    early = Units(
        block=units.block.until(n_before, start),
        periods=units.periods[:n_before],
        rows=units.rows,
        without_outcome=units.without_outcome,
        without_predictor=units.without_predictor,
        n_later=0,
    )
    if early.block.noise == 0:
        return None
    found = contrast(early.block, recipe_of(design, estimator))
    sets, _ = sets_of(units.n_donors, units.n_treated, design.placebo_runs, generator)
    spread = spread_of(design, early, found, estimator, "placebo", sets)
    if spread.effect_error == 0:
        return None
    return TimePlacebo(units.periods[start], n_before - start, found.effect, spread.effect_error)


def placebos_in_space(shown: Shown, test: PlaceboTest) -> Finding:
    """Return where the treated rank among all places that could have been treated."""
    order = np.argsort(-test.ratios, kind="stable")[:MOST_LISTED]
    order = order if 0 in order else np.append(order, 0)
    alone = test.sets.shape[1] == 1
    ranks = [int((test.ratios > test.ratios[row]).sum()) + 1 for row in order]
    frame = pd.DataFrame(
        {
            "rank": ranks,
            "unit": [shown.name(int(test.sets[row, 0])) if alone else "a set of places" for row in order],
            "series": [TREATED if row == 0 else "placebo" for row in order],
            "before": test.misfit_before[order],
            "after": test.misfit_after[order],
            "ratio": test.ratios[order],
            PERSONS: [int(shown.residents[test.sets[row]].sum()) for row in order],
        }
    )
    n = len(test.sets)
    what = "places" if alone else "sets of places"
    how = "Exact" if test.is_exact else "From random sets of places, the treated counted in"
    size = float(test.misfit_after.max())
    columns = value_columns(shown.outcome, size, {"before": "Gap before", "after": "Gap after"}, are_differences=True)
    return Finding(
        name="placebos-in-space",
        question="Would such a gap show up where no programme came?",
        explanation="Every place in turn counts as treated, with a mix of all others. A gap that is large after the "
        "start counts only if it was small before, so the two (root mean squares) are divided. If the programme had "
        "no effect, and could have come to any of the places, each rank is equally likely.",
        sentence=f"The treated rank {test.rank} of {n} {what}, p = {language.p_value(test.p_value)}; by the size of "
        f"the average gap alone, p = {language.p_value(test.effect_p_value)}. {how}; with {n} {what} no p-value can be "
        f"below {language.p_value(1 / n)}.",
        table=Table(
            "placebos-in-space",
            "Gap after the start over gap before it, the largest first",
            (
                Column("rank", "Rank", "number", digits=0, persons=PERSONS),
                Column("unit", "Place"),
                Column("series", "Kind"),
                *columns,
                Column("ratio", "Ratio", "number", digits=2, persons=PERSONS),
            ),
            frame,
            note="" if n <= MOST_LISTED else f"The {MOST_LISTED} largest ratios, and the treated.",
        ),
        drawing=Drawing(
            "rank",
            "ratio",
            "Gap after the start over gap before it, by rank.",
            series="series",
            names_x=True,
        ),
    )


def placebo_in_time(shown: Shown, test: TimePlacebo) -> Finding:
    """Return what a start before the real one shows."""
    freedom = freedom_of(shown.design, shown.units, "placebo").count
    reach = float(stats.t.ppf(0.5 + shown.design.confidence / 2, freedom)) * test.std_error
    frame = pd.DataFrame(
        {
            "start": [test.start],
            "value": [test.effect],
            "std_error": [test.std_error],
            "lower": [test.effect - reach],
            "upper": [test.effect + reach],
            PERSONS: [shown.persons],
        }
    )
    level = language.number(shown.design.confidence * 100)
    verdict = (
        "holds zero, as it should"
        if abs(test.effect) <= reach
        else "leaves out zero: the treated parted from their mix before any programme"
    )
    labels = {"value": "Average gap", "std_error": "Standard error", "lower": "From", "upper": "To"}
    return Finding(
        name="placebo-in-time",
        question="Would such a gap show up before there was a programme?",
        explanation="The start is moved back, and only periods before the real start are used. Donors are to follow "
        "the treated in every period before the made-up start; predictors are left aside.",
        sentence=f"A made-up start in {test.start} shows an average gap of {shown.say(test.effect)} until the real "
        f"one; its {level}% interval {verdict}.",
        table=Table(
            "placebo-in-time",
            "Average gap after a made-up start",
            (
                Column("start", "Made-up start"),
                *value_columns(shown.outcome, test.effect, labels, are_differences=True),
            ),
            frame,
        ),
    )
