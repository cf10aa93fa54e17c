"""What instrumental variables show beside their estimate: first stage, robust set, each instrument, and compliers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ... import language
from ...data import Tables
from ...disclosure import Column, Table
from ...estimand import Estimand
from ...numerics.compliers import Compliers
from ...numerics.concentration import persons_behind_mean
from ...numerics.instruments import Errors, ReducedForms, anderson_rubin_p_values, strength
from ..assembly import Term
from ..degrees_of_freedom import Rule
from ..findings import Drawing, Finding
from .two_stage import Diagnosis, InstrumentSample, fit_term, forms_of, set_in_words

Array = NDArray[np.float64]

# A sentence is not cleared, so it tells of no number that rests on fewer persons than any usual threshold.
_TELLABLE = 20
_SIGNIFICANT = 0.05
# Points of the curve of p-values.
_N_POINTS = 21
# Below this F an instrument alone says nothing of the effect, and its estimate is not shown.
_SAYS_NOTHING = 1.0


def first_stage(found: Diagnosis, measure: str) -> Finding:
    """Return how strongly the instruments move the treatment, with the tests that belong to it."""
    strong = found.strength
    effective, needed = language.number(strong.effective_f, 1), language.number(strong.critical_value, 1)
    if strong.effective_f >= strong.critical_value:
        sentence = f"They are strong enough: their effective F is {effective}, and {needed} is needed."
    else:
        sentence = (
            f"They are weak: their effective F is {effective}, and {needed} is needed to keep the bias below a tenth "
            "of the worst case. Trust the set of Anderson and Rubin more than the interval."
        )
    return Finding(
        name="first-stage",
        question="Did the instruments move people, and enough of them?",
        explanation="The effect is a ratio, of what the instruments did to the outcome and to the treatment. Where "
        "they hardly moved the treatment, its interval cannot be trusted. The effective F of Montiel Olea and Pflueger "
        "holds with the kind of errors that the headline has.",
        sentence=sentence,
        table=replace(found.table(measure), name="instruments"),
    )


def robust_set(forms: ReducedForms, found: Diagnosis, headline: Term, estimand: Estimand, n_behind: int) -> Finding:
    """Return the set of Anderson and Rubin, drawn as the p-value of every effect.

    Parameters
    ----------
    forms : ReducedForms
        The regressions on the instruments.
    found : Diagnosis
        With the set.
    headline : Term
        The estimate.
    estimand : Estimand
        What is estimated.
    n_behind : int
        Persons in the smaller group.
    """
    ends = [end for piece in found.robust_set.pieces for end in piece if math.isfinite(end)]
    value, error = headline.value, headline.std_error
    low, high = min([*ends, value - 2 * error]), max([*ends, value + 2 * error])
    effects = np.linspace(low - (high - low) / 4, high + (high - low) / 4, _N_POINTS)
    frame = pd.DataFrame({"effect": effects, "p_value": anderson_rubin_p_values(forms, effects)})
    frame["verdict"] = np.where(frame["p_value"] >= 1 - found.robust_set.level, "agrees", "rejected")
    factor, unit = (100.0, "per 100") if estimand.kind == "share" else (1.0, estimand.unit)
    digits = language.digits_for("amount", factor * float(np.abs(effects).max()))
    missed = language.number(1 - found.robust_set.level, 2)
    return Finding(
        name="robust-set",
        question="Which effects agree with the data, however weak the instruments are?",
        explanation="For each effect, Anderson and Rubin test whether the instruments still move the outcome once that "
        "effect of the treatment is taken away from it; with the right effect they do not.",
        sentence=set_in_words(found.robust_set, estimand),
        table=Table(
            "robust-set",
            f"{estimand.outcome}: p-value of Anderson and Rubin's test, by effect",
            (
                Column("verdict", "This effect", persons="persons"),
                Column("effect", "Effect", "number", unit, digits, persons="persons"),
                Column("p_value", "p-value", "p_value", persons="persons"),
            ),
            frame.assign(effect=factor * frame["effect"], persons=n_behind),
        ),
        drawing=Drawing(
            x="effect",
            y="p_value",
            styles={"": "line"},
            caption=f"The set holds the effects whose p-value is at least {missed}. Dotted: no effect.",
            start=0.0,
            start_label="no effect",
            has_zero_line=True,
        ),
    )


def one_by_one(
    sample: InstrumentSample,
    names: Sequence[str],
    together: Term,
    found: Diagnosis,
    estimand: Estimand,
    *,
    errors: Errors,
    rule: Rule,
    n_behind: int,
) -> Finding:
    """Return the effect by each instrument alone beside that by all, and the test that they agree.

    Parameters
    ----------
    sample : InstrumentSample
        With two instruments or more, called ``names``.
    together : Term
        The headline.
    found : Diagnosis
        With the test of over-identification.
    estimand : Estimand
        What is estimated.
    errors, rule : str
        Of the headline.
    n_behind : int
        Persons in the smaller group.
    """
    level = found.robust_set.level
    fitted = [("All together", together)]
    for place, name in enumerate(names):
        alone = sample.only(place)
        if strength(forms_of(alone, errors)).f_statistic >= _SAYS_NOTHING:
            fitted.append((name, fit_term(alone, "two_stage_least_squares", errors, rule)))
    rows = []
    for number, (name, term) in enumerate(fitted, start=1):
        reach = float(stats.t.ppf(0.5 + level / 2, term.degrees_of_freedom)) * term.std_error
        rows.append((number, name, term.value, term.std_error, term.value - reach, term.value + reach))
    frame = pd.DataFrame(rows, columns=["number", "instrument", "value", "std_error", "lower", "upper"])
    factor, unit = (100.0, "per 100") if estimand.kind == "share" else (1.0, estimand.unit)
    frame[["value", "std_error", "lower", "upper"]] *= factor
    largest = float(frame["value"].abs().max())
    digits = 3 if largest < 1 else language.digits_for("amount", largest)
    labels = (("value", "Effect"), ("std_error", "Standard error"), ("lower", "from"), ("upper", "to"))
    return Finding(
        name="one-by-one",
        question="Do the instruments agree with each other?",
        explanation="Each instrument gives an estimate of its own. If all of them work through the treatment alone and "
        "move the same kind of people, the estimates differ by chance only. An instrument that hardly moves the "
        "treatment by itself is not shown.",
        sentence=_agreement(found),
        table=Table(
            "one-by-one",
            f"{estimand.outcome}: effect by each instrument",
            (
                Column("instrument", "Instrument"),
                Column("number", "No.", "number", digits=0),
                *(Column(name, label, "number", unit, digits, persons="persons") for name, label in labels),
            ),
            frame.assign(persons=n_behind),
        ),
        drawing=Drawing(
            x="number",
            y="value",
            lower="lower",
            upper="upper",
            caption=f"{estimand.outcome}: effect by each instrument, with {language.number(100 * level)}% confidence "
            "intervals.",
            has_zero_line=True,
            x_labels="instrument",
        ),
    )


def _agreement(found: Diagnosis) -> str:
    test = found.overidentification
    if test is None:
        return "Whether they agree cannot be tested."
    said = language.p_value(test.p_value)
    p_value = said if said.startswith("<") else f"= {said}"
    if test.p_value < _SIGNIFICANT:
        return (
            f"They contradict each other ({test.name.partition(', ')[2]}: p {p_value}): they move different people, or "
            "one of them reaches the outcome by another way."
        )
    return (
        f"They do not contradict each other ({test.name.partition(', ')[2]}: p {p_value}). Instruments that share the "
        "same fault would agree too."
    )


def compliers(found: Compliers, n_persons: int, table: Table) -> Finding:
    """Return how many compliers there are, and what they are like."""
    smallest = min(found.share, 1 - found.share) * n_persons
    sentence = "The estimate is about the compliers alone."
    if smallest >= _TELLABLE:
        share = language.number(100 * found.share)
        sentence = f"About {share} of 100 persons are compliers: the estimate is about them alone."
    return Finding(
        name="compliers",
        question="Whom is the estimate about?",
        explanation="Compliers take the treatment with the instrument and not without it. Nobody can say who they are, "
        "but how many, and what they are like on average (Abadie 2003).",
        sentence=sentence,
        table=table,
    )


def compliers_table(found: Compliers, tables: Tables, traits: Sequence[str]) -> Table:
    """Return the compliers as a table to be cleared: their share, and each trait beside everybody's.

    Parameters
    ----------
    found : Compliers
        With the means of the traits.
    tables : Tables
        Validated data.
    traits : sequence of str
        Columns of participants.
    """
    people = tables.participants
    rows: list[tuple[str, float, float | None]] = [
        ("Compliers, share of all", found.share, None),
        ("Take it in any case, share of all", found.always_share, None),
        ("Never take it, share of all", found.never_share, None),
    ]
    titles = [tables.schemas["participants"].field(name).title for name in traits]
    rows += list(zip(titles, found.means.tolist(), found.everyone.tolist(), strict=True))
    # No number may rest on fewer persons than the smallest of the groups, or than differ in a trait.
    smallest = max(1, round(min(found.share, 1 - found.share) * len(people)))
    behind = [smallest] * 3 + [min(smallest, persons_behind_mean(people[name].to_numpy(float))) for name in traits]
    frame = pd.DataFrame(rows, columns=["what", "compliers", "everyone"]).assign(persons=behind)
    columns = (
        Column("what", "What"),
        Column("compliers", "Compliers", "number", digits=3, persons="persons"),
        Column("everyone", "Everybody", "number", digits=3, persons="persons"),
    )
    return Table("compliers", "Who the compliers are", columns, frame)
