"""What a synthetic control shows beside its estimate: path, gap, donors, fit, and made-up programmes.

A row of these tables is a place. What it rests on is the number of persons behind the place's outcome.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ... import language
from ...disclosure import Column, Table
from ...estimand import Outcome
from ..findings import Drawing, Finding
from ..paths import PERSONS, value_columns
from .panel import Units
from .placebos import in_space_test, in_time_test, placebo_in_time, placebos_in_space
from .shown import LISTED, MIX, MOST_LISTED, TREATED, Shown
from .terms import FittedFields, fit, freedom_of

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


def findings_of(
    design: FittedFields,
    units: Units,
    outcome: Outcome,
    names: Sequence[str] | None,
    residents: Whole,
    seed: int,
) -> tuple[Finding, ...]:
    """Return all findings, in the order in which a reader asks.

    Parameters
    ----------
    design : FittedFields
        How units were compared.
    units : Units
        The units.
    outcome : Outcome
        As declared.
    names : sequence of str, optional
        Of the units, when they may be published.
    residents : ndarray of int, shape (n,)
        Persons behind each unit.
    seed : int
        Start of the random numbers.
    """
    fitted = fit(design, units, np.random.default_rng(seed))
    if fitted.headline is None or fitted.spread is None:
        return ()
    shown = Shown(design, units, outcome, names, residents, fitted.headline, fitted.spread)
    in_space = in_space_test(design, units, np.random.default_rng((seed, 1)))
    in_time = in_time_test(design, units, np.random.default_rng((seed, 2)))
    found: list[Finding | None] = [path(shown), gap(shown), donors(shown), predictors(shown), time_weights(shown)]
    found += [placebos_in_space(shown, in_space), None if in_time is None else placebo_in_time(shown, in_time)]
    return tuple(each for each in found if each is not None)


def path(shown: Shown) -> Finding:
    """Return the treated beside the mix of donors over the periods."""
    found, outcome = shown.found, shown.outcome
    moved = bool(found.time_weights.any())
    both = ((TREATED, found.treated), (MIX, found.treated - found.path))
    frame = pd.concat(
        [shown.axis.frame(shown.units.periods).assign(series=series, value=values) for series, values in both],
        ignore_index=True,
    ).assign(**{PERSONS: shown.persons})
    explanation = "The mean of the treated places beside the weighted mean of the donors."
    if moved:
        explanation += " The donors' line is moved up or down to the level of the treated before the start."
    title = f"{outcome.label}: treated places and their mix of donors"
    return Finding(
        name="synthetic-path",
        question="How did the treated places fare beside their mix of donors?",
        explanation=explanation,
        sentence=f"Before the start the two lines lie {shown.say(found.misfit_before)} apart (root mean square), after "
        f"it {shown.say(found.misfit_after)}.",
        table=Table(
            "synthetic-path",
            title,
            (
                *shown.axis.columns,
                Column("series", "Line"),
                *value_columns(
                    outcome, float(np.abs(found.treated).max()), {"value": outcome.label}, are_differences=False
                ),
            ),
            frame,
        ),
        drawing=Drawing(
            shown.axis.x,
            "value",
            f"{title}. The dotted line is the start.",
            series="series",
            styles={TREATED: "line", MIX: "dashed"},
            start=shown.axis.start,
            names_x=True,
        ),
    )


def gap(shown: Shown) -> Finding:
    """Return the gap between the treated and the mix, with the interval of each period."""
    found, outcome = shown.found, shown.outcome
    errors = shown.design.terms[0][1]
    freedom = freedom_of(shown.design, shown.units, errors).count
    reach = float(stats.t.ppf(0.5 + shown.design.confidence / 2, freedom)) * shown.spread.path_errors
    frame = shown.axis.frame(shown.units.periods).assign(
        value=found.path, std_error=shown.spread.path_errors, lower=found.path - reach, upper=found.path + reach
    )
    frame[PERSONS] = shown.persons
    before = np.abs(found.path[: found.n_before]) > reach[: found.n_before]
    n_out = int(before.sum())
    level = language.number(shown.design.confidence * 100)
    sentence = (
        f"In {'none' if n_out == 0 else n_out} of the {found.n_before} periods before the start the {level}% interval "
        "leaves out zero"
    )
    sentence += "." if n_out == 0 else ", although no programme was there yet."
    title = f"{outcome.label}: gap between the treated and their mix"
    labels = {"value": "Gap", "std_error": "Standard error", "lower": "From", "upper": "To"}
    return Finding(
        name="synthetic-gap",
        question="How large was the gap in each period?",
        explanation="After the start the gap is the effect. Before it, the gap should be small, and its interval "
        "should hold zero: there the weights were chosen.",
        sentence=sentence,
        table=Table(
            "synthetic-gap",
            f"{title}, with {level}% confidence",
            (
                *shown.axis.columns,
                *value_columns(outcome, float(np.abs(found.path).max()), labels, are_differences=True),
            ),
            frame,
        ),
        drawing=Drawing(
            shown.axis.x,
            "value",
            f"{title}. Shaded: {level}% interval of each period; dashed line: no gap.",
            series=None,
            lower="lower",
            upper="upper",
            styles={"": "line"},
            start=shown.axis.start,
            has_zero_line=True,
            names_x=True,
        ),
    )


def donors(shown: Shown) -> Finding:
    """Return the weights of the donors, the largest first."""
    weights, places = shown.found.donor_weights, np.flatnonzero(~shown.units.block.treated)
    order = np.argsort(-weights, kind="stable")
    listed = [rank for rank in order if weights[rank] >= LISTED][:MOST_LISTED]
    frame = pd.DataFrame(
        {
            "donor": [shown.name(int(places[rank])) for rank in listed],
            "weight": weights[listed],
            PERSONS: shown.residents[places[listed]],
        }
    )
    equal = 1.0 / float((weights**2).sum())
    return Finding(
        name="donor-weights",
        question="Which places make up the mix?",
        explanation="Weights are not negative and sum to one, so the mix never goes beyond what the donors show. A "
        "place's weight says how well it helps to follow the treated, not how alike the two are in everything.",
        sentence=f"The largest weight is {language.number(float(weights.max()), 2)}; the mix is as spread out as "
        f"{language.number(equal, 1)} donors of equal weight.",
        table=Table(
            "donor-weights",
            "Weights of the donors",
            (Column("donor", "Donor"), Column("weight", "Weight", "number", digits=3, persons=PERSONS)),
            frame,
            note=f"Weights below {language.number(LISTED, 3)} are not listed."
            + ("" if len(listed) < MOST_LISTED else f" The {MOST_LISTED} largest are listed."),
        ),
    )


def predictors(shown: Shown) -> Finding | None:
    """Return how well the mix meets the treated in each predictor, and how much each counts; None without any."""
    block, shares = shown.units.block, shown.found.importance
    if not len(shares):
        return None
    others = block.predictors[~block.treated]
    frame = pd.DataFrame(
        {
            "predictor": [each.label for each in shown.design.predictors],
            "treated": block.predictors[block.treated].mean(axis=0),
            "mix": shown.found.donor_weights @ others,
            "donors": others.mean(axis=0),
            "importance": shares,
        }
    ).assign(**{PERSONS: shown.persons})
    numbers = (("treated", "Treated"), ("mix", "Mix"), ("donors", "All donors"))
    how = {
        "equal": "Each counts alike.",
        "declared": "How much each counts was declared beforehand.",
        "fit": "How much each counts was chosen so that the mix follows the outcome before the start. Many choices do "
        "so about equally well, so the importance itself means little; the search always ends in the same place.",
    }[shown.design.importance]
    spread = np.vstack([others, block.predictors[block.treated].mean(axis=0)]).std(axis=0, ddof=1)
    distance = np.abs((frame["mix"] - frame["treated"]).to_numpy(dtype=float)) / spread
    worst = int(np.argmax(distance))
    return Finding(
        name="predictor-fit",
        question="Does the mix resemble the treated before the start?",
        explanation=f"Each predictor is divided by its standard deviation over the places. {how}",
        sentence=f"The mix is farthest from the treated in «{frame['predictor'].iloc[worst]}»: by "
        f"{language.number(float(distance[worst]), 2)} standard deviations.",
        table=Table(
            "predictor-fit",
            "Predictors: treated places, their mix, and all donors",
            (
                Column("predictor", "Predictor"),
                *(Column(name, label, "number", digits=3, persons=PERSONS) for name, label in numbers),
                Column("importance", "Importance", "number", digits=4, persons=PERSONS),
            ),
            frame,
        ),
    )


def time_weights(shown: Shown) -> Finding | None:
    """Return the weights of the periods before the start; None where there are none, or all are alike."""
    weights = shown.found.time_weights
    if np.ptp(weights) == 0:
        return None
    n_before = len(weights)
    frame = shown.axis.frame(shown.units.periods[:n_before]).assign(weight=weights)
    frame[PERSONS] = int(shown.residents[~shown.units.block.treated].sum())
    half = n_before - n_before // 2
    return Finding(
        name="time-weights",
        question="With which periods before the start is the time after it compared?",
        explanation="The weights are chosen so that, for the donors, the weighted periods before the start foretell "
        "the mean after it.",
        sentence=f"The later half of the periods before the start carries {weights[-half:].sum():.0%} of the weight.",
        table=Table(
            "time-weights",
            "Weights of the periods before the start",
            (*shown.axis.columns, Column("weight", "Weight", "number", digits=3, persons=PERSONS)),
            frame,
        ),
    )
