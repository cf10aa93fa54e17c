"""What a book shows about a staggered adoption beside its effects: tables that must still be cleared."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import language
from ..disclosure import Column, Table
from ..estimand import Outcome
from ..numerics.group_time import aggregate, group_time_effects, simultaneous_critical_value
from ..numerics.two_way_fixed_effects import KINDS, goodman_bacon
from .staggered_panel import Followed, path_names, without_gaps
from .staggered_terms import TWO_WAY, FittedFields, pre_trend_test, shares_of

Texts = NDArray[np.str_]

_VERDICTS = {
    KINDS[0]: "sound: with persons who never start",
    KINDS[1]: "sound: with persons who have not started yet",
    KINDS[2]: "misleading: with persons who are in the programme already",
}
_SINCE = "Periods since the start"
_ALONG = {"simple": _SINCE, "dynamic": _SINCE, "group": "Cohort", "calendar": "Period"}


class ConfidenceFields(FittedFields, Protocol):
    """The fields that a band needs."""

    @property
    def confidence(self) -> float: ...


def pre_trends(design: FittedFields, followed: Followed, units: Texts, outcome: Outcome) -> Table:
    """Return the joint test of the effects before the start.

    Parameters
    ----------
    design : FittedFields
        How cohorts are compared.
    followed : Followed
        Persons with outcomes.
    units : ndarray of str, shape (n,)
        Each person's cluster, or the person.
    outcome : Outcome
        As declared.
    """
    effects = group_time_effects(followed.panel, design.rules)
    test = pre_trend_test(design, effects, units)
    rows = [] if test is None else [("All effects before the start are zero", *vars(test).values(), len(units))]
    return Table(
        "pre-trends",
        f"{outcome.label}: did the cohorts move in parallel before the start?",
        (
            Column("question", "Hypothesis"),
            Column("statistic", "Wald statistic (chi-squared)", "number", digits=5, persons="persons"),
            Column("degrees_of_freedom", "Degrees of freedom", "number", digits=0),
            Column("p_value", "p-value", "p_value", persons="persons"),
        ),
        pd.DataFrame(rows, columns=["question", "statistic", "degrees_of_freedom", "p_value", "persons"]),
        note="A small p-value speaks against parallel trends; a large one does not prove them."
        if rows
        else "There are no effects before the start that could be tested together.",
    )


def path(
    design: ConfidenceFields, followed: Followed, units: Texts, outcome: Outcome, generator: np.random.Generator
) -> Table:
    """Return the steps of the path with intervals for each and a band for all together.

    Parameters
    ----------
    design : ConfidenceFields
        How cohorts are compared and averaged.
    followed : Followed
        Persons with outcomes.
    units : ndarray of str, shape (n,)
        Each person's cluster, or the person.
    outcome : Outcome
        As declared.
    generator : Generator
        Source of the random weights.
    """
    steps = aggregate(group_time_effects(followed.panel, design.rules), design.aggregation)
    shares = shares_of(design, steps.influence, units)
    errors = np.sqrt((shares**2).sum(axis=0))
    shown = (steps.n_treated >= design.smallest_cohort) & (errors > 0)
    frame = pd.DataFrame(columns=["subgroup", "group", "value", "std_error", "lower", "upper", "persons"])
    if shown.any():
        reach = errors[shown] * simultaneous_critical_value(shares[:, shown], design.confidence, generator)
        names = np.array(path_names(design.aggregation, steps.labels, followed.periods))[shown]
        values = steps.values[shown]
        frame = pd.DataFrame(
            {
                "subgroup": _ALONG[design.aggregation],
                "group": [name.partition(" ")[2] for name in names],
                "value": values,
                "std_error": errors[shown],
                "lower": values - reach,
                "upper": values + reach,
                "persons": steps.n_treated[shown],
            }
        )
    largest = float(frame["value"].abs().max()) if len(frame) else 0.0
    digits = 4 if outcome.kind == "share" else language.digits_for(outcome.kind, largest)
    labels = (("value", "Effect"), ("std_error", "Standard error"), ("lower", "Band from"), ("upper", "to"))
    return Table(
        "path",
        f"{outcome.label}: effects along the path, in {outcome.unit}",
        (
            Column("subgroup", "Along"),
            Column("group", "Step"),
            *(Column(name, label, "number", digits=digits, persons="persons") for name, label in labels),
        ),
        frame,
        note=f"With {language.number(design.confidence * 100)}% confidence the band holds the whole path at once.",
    )


def decomposition(followed: Followed, outcome: Outcome, *, by_pair: bool) -> Table:
    """Return the comparisons behind the two-way fixed-effects coefficient, with their weights.

    Parameters
    ----------
    followed : Followed
        Persons with outcomes; those with a gap are left out.
    outcome : Outcome
        As declared.
    by_pair : bool
        One line for each pair of cohorts instead of each kind of comparison.
    """
    panel = without_gaps(followed).panel
    rows = []
    if len(np.unique(panel.cohort)) > 1:
        parts = goodman_bacon(panel.outcome, panel.cohort)
        names = [*followed.periods, "never"]
        size = np.bincount(panel.cohort, minlength=len(names))
        for kind, treated, control, weight, value in zip(*vars(parts).values(), strict=True):
            persons = int(min(size[treated], size[control]))
            rows.append((kind, names[treated], names[control], weight, value, persons))
    frame = pd.DataFrame(rows, columns=["kind", "treated", "control", "weight", "value", "persons"])
    if not by_pair:
        frame["product"] = frame["weight"] * frame["value"]
        sums = frame.groupby("kind", sort=False).agg({"weight": "sum", "product": "sum", "persons": "min"})
        sums = sums.reindex([kind for kind in KINDS if kind in sums.index])
        frame = sums.assign(value=sums["product"] / sums["weight"]).drop(columns="product").reset_index()
    frame["verdict"] = frame["kind"].map(_VERDICTS)
    largest = float(frame["value"].abs().max()) if len(frame) else 0.0
    digits = 4 if outcome.kind == "share" else max(language.digits_for(outcome.kind, largest), 2)
    pair = (Column("treated", "Start of the treated"), Column("control", "Start of those compared with"))
    return Table(
        "decomposition",
        f"{outcome.label}: what the coefficient with {TWO_WAY} is made of, in {outcome.unit}",
        (
            Column("kind", "Comparison"),
            *(pair if by_pair else ()),
            Column("weight", "Weight", "number", digits=4, persons="persons"),
            Column("value", "Difference in differences", "number", digits=digits, persons="persons"),
            Column("verdict", "Reading"),
        ),
        frame,
        note="The coefficient is the sum of weight times difference. "
        "Persons without an outcome in some period are left out here.",
    )


def followed(persons: Followed, outcome: Outcome) -> Table:
    """Return the number of persons by cohort, and of those who are left out.

    Parameters
    ----------
    persons : Followed
        Persons with outcomes, and what was left out.
    outcome : Outcome
        As declared.
    """
    panel = persons.panel
    size = np.bincount(panel.cohort, minlength=panel.n_periods + 1)
    rows = [(f"Start in {persons.periods[place]}", int(size[place])) for place in range(panel.n_periods) if size[place]]
    rows += [
        ("No start in these periods", int(size[panel.n_periods])),
        ("Left out: had started by the first period", persons.n_started_before),
        ("Left out: too few outcomes known", persons.n_without_outcome),
    ]
    total = sum(n for _, n in rows)
    n_cohorts = len(rows)
    rows += [("All persons", total), ("Of those used, without an outcome in some period", persons.n_with_gaps)]
    return Table(
        "followed",
        f"{outcome.label}: persons followed, by the period of their start",
        (Column("group", "Persons"), Column("n", "Number", "count")),
        pd.DataFrame(rows, columns=["group", "n"]),
        sums_down=((*range(n_cohorts), n_cohorts),),
    )
