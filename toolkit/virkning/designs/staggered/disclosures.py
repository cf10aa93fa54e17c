"""What a book shows about a staggered adoption beside its effects: tables that must still be cleared."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ... import language
from ...disclosure import Column, Table
from ...estimand import Outcome
from ...numerics.two_way_fixed_effects import KINDS, goodman_bacon
from .panel import Followed
from .terms import TWO_WAY, FittedFields, pre_trend_test

Units = NDArray[np.int64]

_VERDICTS = {
    KINDS[0]: "sound: with persons who never start",
    KINDS[1]: "sound: with persons who have not started yet",
    KINDS[2]: "misleading: with persons who are in the programme already",
}


def pre_trends(design: FittedFields, followed: Followed, units: Units, outcome: Outcome) -> Table:
    """Return the joint test of the effects before the start.

    Parameters
    ----------
    design : FittedFields
        How cohorts are compared.
    followed : Followed
        Persons with outcomes.
    units : ndarray of int, shape (n,)
        Each person's cluster, or the person.
    outcome : Outcome
        As declared.
    """
    test = pre_trend_test(design, followed.effects, units)
    hypothesis = (
        "Their mean is zero" if test is not None and test.is_of_mean else "All effects before the start are zero"
    )
    rows = [] if test is None else [(hypothesis, test.statistic, test.n_effects, test.p_value, len(units))]
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
    panel = followed.without_gaps()
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
    unit = "share, 0 to 1" if outcome.kind == "share" else outcome.unit
    pair = (Column("treated", "Start of the treated"), Column("control", "Start of those compared with"))
    return Table(
        "decomposition",
        f"{outcome.label}: what the coefficient with {TWO_WAY} is made of, in {unit}",
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
        ("Left out: had started by the first period", int(persons.started_before.sum())),
        ("Left out: too few outcomes known", int(persons.without_outcome.sum())),
        ("Left out: nobody to be compared with", int(persons.not_compared.sum())),
    ]
    total = sum(n for _, n in rows)
    n_cohorts = len(rows)
    rows += [("All persons", total), ("Of those used, without an outcome in some period", int(persons.has_gap.sum()))]
    return Table(
        "followed",
        f"{outcome.label}: persons followed, by the period of their start",
        (Column("group", "Persons"), Column("n", "Number", "count")),
        pd.DataFrame(rows, columns=["group", "n"]),
        sums_down=((*range(n_cohorts), n_cohorts),),
    )
