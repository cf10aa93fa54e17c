"""What a randomised trial shows beside its estimate: who took part, each arm, each stratum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ... import language
from ...disclosure import Column, Table, persons_behind_share
from ...estimates import Estimate
from ...numerics import permutation
from ...numerics.assignment import Lottery
from ...numerics.concentration import persons_behind_mean
from ..findings import Finding
from ..regression import Booleans, Estimator, Sample, effects_under

# A sentence is not cleared, so it tells of no number that rests on fewer persons than any usual threshold.
_TELLABLE = 20
# More strata than this make no table that anybody reads.
MOST_STRATA = 30
# Shares offered that differ by no more than this between strata are alike but for rounding.
UNEVEN = 0.1
COMPARISON = "Comparison group"
_DRAWS = 10_000


@dataclass(frozen=True)
class FirstStage:
    """What the offer does to taking part, among everybody who was assigned.

    Attributes
    ----------
    difference : float
        In the share that takes part, -1 to 1.
    f_statistic : float
        Of the test that it is zero; infinite when everybody did as the lottery said.
    """

    difference: float
    f_statistic: float


def take_up(groups: Mapping[str, Booleans], taken: Booleans, first: FirstStage) -> Finding:
    """Return who took part, by arm.

    Parameters
    ----------
    groups : mapping of str to ndarray of bool, shape (n,)
        Label of each arm to its persons, the comparison group last; everybody who was assigned.
    taken : ndarray of bool, shape (n,)
        Who took part.
    first : FirstStage
        What the offer does to taking part.
    """
    rows = [(label, int(members.sum()), int((members & taken).sum())) for label, members in groups.items()]
    frame = pd.DataFrame(rows, columns=["group", "n", "n_took"])
    frame["n_not"] = frame["n"] - frame["n_took"]
    frame["share"] = frame["n_took"] / frame["n"]
    frame["n_behind"] = persons_behind_share(frame["n_took"], frame["n"])
    size = f"by {language.number(100 * first.difference)} per 100 people"
    if int(frame["n_behind"].min()) < _TELLABLE:
        size = "(how much is not told, since a group is small)"
    strength = "" if np.isinf(first.f_statistic) else f" The test that it does nothing has F = {first.f_statistic:.1f}."
    return Finding(
        name="take-up",
        question="Did those who were offered the programme take part, and the others not?",
        explanation="The lottery decides who is offered a place, not who comes. The effect on compliers, those who "
        "take part because of the offer and would not without it, is the effect of the offer over the difference in "
        "taking part. It holds if the offer does nothing to those whose taking part it does not change, and keeps "
        "nobody away {cite:p}`AngristImbensRubin1996`.",
        sentence=f"The offer raised the share that takes part {size}.{strength}",
        table=Table(
            "take-up",
            "Who took part, by what the lottery said",
            (
                Column("group", "Group"),
                Column("n", "Assigned", "count"),
                Column("n_took", "Took part", "count"),
                Column("n_not", "Did not", "count"),
                Column("share", "Share that took part", "share", "% of assigned", 1, persons="n_behind"),
            ),
            frame,
            sums_down=(tuple(range(len(frame) - 1)),) if len(frame) > 2 else (),
            sums_across=(("n_took", "n_not"),),
        ),
    )


def arms(
    estimate: Estimate, samples: Mapping[str, Sample], terms: Mapping[str, str], estimator: Estimator, seed: int
) -> Finding:
    """Return each arm against the comparison group, with p-values adjusted for their number and from the lottery.

    Parameters
    ----------
    estimate : Estimate
        Has a term for each arm.
    samples : mapping of str to Sample
        Name of the arm to those in it and in the comparison group.
    terms : mapping of str to str
        Name of the arm to its term.
    estimator : str
        How the arms are estimated.
    seed : int
        Start of the draws of the lottery.
    """
    from statsmodels.stats.multitest import multipletests

    rows = []
    for name, sample in samples.items():
        row = estimate.effects[estimate.effects["term"] == terms[name]].iloc[0]
        lottery = Lottery.of(sample.treated, sample.strata, sample.clusters)
        observed = float(effects_under(sample, estimator, [sample.treated[None, :]])[0])
        others = effects_under(sample, estimator, lottery.batches(_DRAWS, np.random.default_rng(seed)))
        behind = min(persons_behind_mean(sample.outcome[arm]) for arm in (sample.treated, ~sample.treated))
        drawn = permutation.p_value(observed, others, is_exact=lottery.is_listed)
        rows.append((name, *(float(row[key]) for key in ("value", "lower", "upper", "p_value")), drawn, behind))
    frame = pd.DataFrame(rows, columns=["arm", "value", "lower", "upper", "p_value", "p_lottery", "n_behind"])
    frame["p_holm"] = multipletests(frame["p_value"].to_numpy(dtype=float), method="holm")[1]
    clear = [f"«{name}»" for name in frame.loc[frame["p_holm"] < 1 - estimate.level, "arm"]]
    found = f"{'differs' if len(clear) == 1 else 'differ'} clearly from the comparison group"
    about = estimate.estimand
    digits = 4 if about.kind == "share" else language.digits_for(about.kind, float(frame["value"].abs().max()))
    numbers = (("value", "Difference"), ("lower", "Lower"), ("upper", "Upper"))
    tests = (("p_value", "p-value"), ("p_holm", "p, adjusted"), ("p_lottery", "p, from the lottery"))
    return Finding(
        name="arms",
        question="What did each arm do?",
        explanation="Each arm is compared with the comparison group alone, so that no arm's result depends on "
        "another's. With several arms one may look good by luck: the adjusted p-values allow for their number "
        "{cite:p}`Holm1979`. Those from the lottery draw again between the two groups, as if the arm did nothing "
        "{cite:p}`Fisher1935`.",
        sentence=f"Of {len(frame)} arms, after adjustment for their number, "
        + (
            f"{len(clear)} {found}: {language.join(clear)}."
            if clear
            else "none differs clearly from the comparison group."
        ),
        table=Table(
            f"arms-{about.measure}",
            f"{about.outcome}: each arm against the comparison group",
            (
                Column("arm", "Arm"),
                *(Column(key, label, "number", digits=digits, persons="n_behind") for key, label in numbers),
                *(Column(key, label, "p_value", persons="n_behind") for key, label in tests),
            ),
            frame,
        ),
    )


def strata(
    labels: pd.Series, treated: Booleans, frame: pd.DataFrame, sample: Sample, estimate: Estimate
) -> Finding | None:
    """Return each stratum with its difference and weight; None when they are too many to read.

    Parameters
    ----------
    labels : Series, shape (participants,)
        Stratum of everybody who was assigned.
    treated : ndarray of bool, shape (participants,)
        Who was offered the programme.
    frame : DataFrame
        Those analysed, with the column of the strata under the name of ``labels``.
    sample : Sample
        The same as arrays.
    estimate : Estimate
        For the outcome's name and unit.
    """
    names = sorted(labels.astype(str).unique())
    if len(names) > MOST_STRATA:
        return None
    weights = np.ones(len(frame)) if sample.weights is None else sample.weights
    place, everybody = frame[labels.name].astype(str).to_numpy(), labels.astype(str).to_numpy()
    rows = []
    for name in names:
        members = place == name
        halves = [members & sample.treated, members & ~sample.treated]
        means = [float(np.average(sample.outcome[half], weights=weights[half])) for half in halves]
        counts = [int((everybody == name)[arm].sum()) for arm in (treated, ~treated)]
        behind = min(persons_behind_mean(sample.outcome[half]) for half in halves)
        share = float(weights[members].sum() / weights.sum())
        rows.append((name, *counts, means[0] - means[1], share, behind, int(members.sum())))
    columns = ["stratum", "n_treated", "n_comparison", "value", "weight", "n_behind", "n"]
    table = pd.DataFrame(rows, columns=columns)
    offered = table["n_treated"] / (table["n_treated"] + table["n_comparison"])
    spread = "much the same" if float(np.ptp(offered)) <= UNEVEN else "not the same"
    about = estimate.estimand
    digits = 4 if about.kind == "share" else language.digits_for(about.kind, float(table["value"].abs().max()))
    return Finding(
        name="strata",
        question="Was the lottery held alike in every stratum, and did they come out alike?",
        explanation="The difference in means compares within each stratum and weights by its persons. Fixed effects "
        "weight by how evenly a stratum was split as well, which matters when the shares offered differ and effects "
        "do too.",
        sentence=f"The lottery was held in {language.plural(len(table), 'stratum', 'strata')}; the share that was "
        f"offered the programme is {spread} in all of them.",
        table=Table(
            f"strata-{about.measure}",
            f"{about.outcome}: differences within strata",
            (
                Column("stratum", "Stratum"),
                Column("n_treated", "Offered", "count"),
                Column("n_comparison", COMPARISON, "count"),
                Column("value", "Difference", "number", digits=digits, persons="n_behind"),
                Column("weight", "Weight", "share", persons="n"),
            ),
            table,
            sums_down=(tuple(range(len(table))),),
        ),
    )
