"""What a matched comparison shows beside its estimate: overlap, who is left out, balance, and the cost of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ... import language
from ...disclosure import Column, Table
from ...numerics.balance import difference
from ...numerics.concentration import persons_behind_mean
from ...numerics.overlap import effective_size, overlap
from ..exclusions import Exclusion
from ..findings import Drawing, Finding

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]

OFFERED, COMPARISON = "Offered the programme", "Comparison group"
BEFORE, AFTER = "Before", "As the headline compares them"
# A sentence is not cleared, so it tells of no number that rests on fewer persons than any usual threshold.
_TELLABLE = 20
# Differences beyond this many standard deviations are worth a thought (Stuart 2010).
_CLOSE = 0.1


@dataclass(frozen=True)
class Compared:
    """The persons with an outcome, and how the headline uses them.

    Attributes
    ----------
    treated : ndarray of bool, shape (n,)
        Who was offered the programme.
    score : ndarray, shape (n,), or None
        Chance of that, 0 to 1, before anybody is left out; None when no score can be fitted.
    traits : ndarray, shape (n, p)
        What was known before.
    labels : tuple of str, length p
        What the reader calls the traits.
    weights : ndarray, shape (n,), or None
        How much each counts in the headline, zero for whoever is left out; None when a regression decides.
    """

    treated: Booleans
    score: Array | None
    traits: Array
    labels: tuple[str, ...]
    weights: Array | None

    @property
    def is_reweighted(self) -> bool:
        """Whether some persons count otherwise than others of their group."""
        return self.weights is not None and any(np.ptp(self.weights[arm]) > 0 for arm in (self.treated, ~self.treated))


def findings_of(compared: Compared, exclusions: Sequence[Exclusion], treated: Booleans) -> tuple[Finding, ...]:
    """Return the findings that the design's choices give rise to.

    Parameters
    ----------
    compared : Compared
        The persons with an outcome.
    exclusions : sequence of Exclusion
        Who is left out, in order; the first of them lack the outcome.
    treated : ndarray of bool, shape (participants,)
        Who was offered the programme, of all participants.
    """
    found = []
    if compared.score is not None:
        found.append(_overlap(compared.score, compared.treated))
    if len(exclusions) > 1:
        found.append(_left_out(exclusions, treated))
    if compared.labels:
        found.append(_balance(compared))
    if compared.is_reweighted and compared.weights is not None:
        found.append(_weights(compared.weights, compared.treated))
    return tuple(found)


def _overlap(score: Array, treated: Booleans) -> Finding:
    found = overlap(score, treated)
    parts = [(OFFERED, found.treated), (COMPARISON, found.comparison)]
    frame = pd.concat(
        pd.DataFrame({"group": name, "score": found.middles, "n": counts, "share": counts / counts.sum()})
        for name, counts in parts
    )
    bins = len(found.middles)
    return Finding(
        name="overlap",
        question="Is there somebody alike to compare with?",
        explanation="From what was known before, each person has a chance of having been offered the programme, the "
        "propensity score. Where only one group has persons, nobody can be compared. Nobody is left out here yet.",
        sentence=f"The scores of the two groups have {language.number(100 * found.common_area)} per cent of their "
        "distribution in common.",
        table=Table(
            "overlap",
            "Propensity scores by group",
            (
                Column("group", "Group"),
                Column("score", "Score, middle of the class", "number", digits=3),
                Column("n", "Persons", "count"),
                Column("share", "Share of the group", "share", persons="n"),
            ),
            frame,
            sums_down=(tuple(range(bins)), tuple(range(bins, 2 * bins))),
        ),
        drawing=Drawing(
            x="score",
            y="share",
            series="group",
            styles={OFFERED: "line", COMPARISON: "line"},
            caption="How the propensity scores of the two groups are spread. Classes with few persons are not drawn.",
        ),
    )


def _left_out(exclusions: Sequence[Exclusion], treated: Booleans) -> Finding:
    rows, seen = [], np.zeros(len(treated), dtype=bool)
    for exclusion in exclusions:
        fresh = exclusion.persons & ~seen
        seen |= fresh
        rows.append((exclusion.reason, int((fresh & treated).sum()), int((fresh & ~treated).sum())))
    left_out = bool((exclusions[0].persons != seen).any())
    rows.append(("Analysed", int((~seen & treated).sum()), int((~seen & ~treated).sum())))
    return Finding(
        name="left-out",
        question="Who is left out, and why?",
        explanation="Some persons have nobody in the other group who is like them by the rules of the design. Each is "
        "counted once, by the first reason that applies.",
        sentence="The effect is that on those who remain."
        if left_out
        else "The rules of the design leave nobody out who has the outcome.",
        table=Table(
            "left-out",
            "Persons left out, by reason and group",
            (
                Column("reason", "Reason"),
                Column("treated", OFFERED, "count"),
                Column("comparison", COMPARISON, "count"),
            ),
            pd.DataFrame(rows, columns=["reason", "treated", "comparison"]),
            sums_down=(tuple(range(len(rows))),),
        ),
    )


def _balance(compared: Compared) -> Finding:
    rows = [row for number, label in enumerate(compared.labels) for row in _of_trait(compared, number, label)]
    columns = ["number", "trait", "when", "treated_mean", "comparison_mean", "difference"]
    frame = pd.DataFrame(rows, columns=[*columns, "n_treated", "n_comparison", "n_behind"])
    return Finding(
        name="balance",
        question="Are the groups alike in what was known before?",
        explanation="Differences of the means are measured in standard deviations, before and after, so traits of "
        "different units can be compared; beyond a tenth they are worth a thought. Traits that nobody named, or "
        "measured, cannot be seen here.",
        sentence=_balance_sentence(frame[frame["n_behind"] >= _TELLABLE]),
        table=Table(
            "balance-of-traits",
            "Traits before the start, by group",
            (
                Column("trait", "Before the start"),
                Column("number", "No.", "number", digits=0),
                Column("when", "Compared"),
                Column("treated_mean", OFFERED, "number", digits=2, persons="n_treated"),
                Column("comparison_mean", COMPARISON, "number", digits=2, persons="n_comparison"),
                Column("difference", "Difference", "number", "standard deviations", digits=2, persons="n_behind"),
            ),
            frame,
            note="Yes/no traits are shares between 0 and 1. Differences are divided by the standard deviation within "
            "the groups before anybody was left out or weighted.",
        ),
        drawing=Drawing(
            x="number",
            y="difference",
            series="when",
            styles={BEFORE: "points", AFTER: "points"},
            caption="Standardised differences of the traits. Zero means alike.",
            has_zero_line=True,
            x_labels="trait",
        ),
    )


def _of_trait(compared: Compared, number: int, label: str) -> list[tuple[object, ...]]:
    """Return the rows of one trait: before, and as the headline compares the groups where weights say so."""
    values, treated = compared.traits[:, number], compared.treated
    before = difference(values, treated)
    uses = [(BEFORE, before, np.ones(len(values), dtype=bool))]
    if compared.weights is not None and compared.is_reweighted:
        after = difference(values, treated, compared.weights, spread=before.spread)
        uses.append((AFTER, after, compared.weights > 0))
    rows: list[tuple[object, ...]] = []
    for when, found, counts in uses:
        behind = [persons_behind_mean(values[arm & counts]) for arm in (treated, ~treated)]
        numbers = (found.treated, found.comparison, found.standardised)
        rows.append((number + 1, label, when, *numbers, *behind, min(behind)))
    return rows


def _balance_sentence(rows: pd.DataFrame) -> str:
    """Return the largest differences, of traits that many persons have and many lack."""
    if rows.empty:
        return "No trait is common enough to name its difference in a sentence."

    def largest(when: str) -> str:
        part = rows[rows["when"] == when]
        if part.empty:
            return ""
        row = part.iloc[int(part["difference"].abs().to_numpy().argmax())]
        return f"{language.number(abs(row['difference']), 2)} standard deviations («{row['trait']}»)"

    before, after = largest(BEFORE), largest(AFTER)
    if not before:
        return "No trait is common enough to name its difference in a sentence."
    said = f"Before, the two groups lay up to {before} apart"
    if not after:
        close = (rows["difference"].abs() <= _CLOSE).all()
        return said + (", which is close." if close else ".")
    return f"{said}; as the headline compares them, up to {after}."


def _weights(weights: Array, treated: Booleans) -> Finding:
    rows = []
    for name, arm in ((OFFERED, treated), (COMPARISON, ~treated)):
        used = np.sort(weights[arm & (weights > 0)])[::-1]
        heaviest = int(np.ceil(len(used) / 10))
        share = float(used[:heaviest].sum() / used.sum())
        rows.append((name, len(used), int(arm.sum()) - len(used), effective_size(used), share, heaviest))
    frame = pd.DataFrame(rows, columns=["group", "used", "unused", "effective", "share", "n_heaviest"])
    last = frame.iloc[-1]
    worth = language.number(100 * last["effective"] / last["used"])
    sentence = (
        f"The persons of the comparison group who count are worth {worth} per cent of as many with equal weights."
        if last["used"] >= _TELLABLE
        else "So few persons of the comparison group count that the table must say the rest."
    )
    return Finding(
        name="weights",
        question="How many persons does the comparison rest on?",
        explanation="Weights make the groups alike and cost precision: where few persons carry much of the weight, the "
        "group is worth as little as a smaller one of equal weights (Kish's effective size).",
        sentence=sentence,
        table=Table(
            "weights",
            "Persons and weights by group",
            (
                Column("group", "Group"),
                Column("used", "Persons who count", "count"),
                Column("unused", "who do not", "count"),
                Column("effective", "Effective size", "number", "persons", digits=1, persons="used"),
                Column("share", "Weight of the heaviest tenth", "share", persons="n_heaviest"),
            ),
            frame,
            sums_across=(("used", "unused"),),
        ),
    )
