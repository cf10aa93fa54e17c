"""Did the lottery give two groups that were alike before the start?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import RandomisedTrial
from ..disclosure import Column, Table
from ..estimates import Estimates
from ..numerics import permutation
from ..numerics.balance import difference
from ..numerics.concentration import persons_behind_mean
from .results import COMPARISON, OFFERED, CheckResult, CheckSettings, percent

NAME = "balance"
# Below this share of lotteries, chance is no good explanation of the differences.
_SURPRISING = 0.05

_COLUMNS = (
    Column("label", "Before the start"),
    Column("unit", "Unit"),
    Column("treated_mean", OFFERED, "number", "mean", persons="n_treated_behind"),
    Column("comparison_mean", COMPARISON, "number", "mean", persons="n_comparison_behind"),
    Column("standardised_difference", "Difference", "number", "standard deviations", persons="n_behind"),
)


def check_balance(
    design: RandomisedTrial, tables: Tables, effects: Estimates, settings: CheckSettings, generator: np.random.Generator
) -> CheckResult:
    """Compare the covariates of everybody who was assigned, by arm.

    The verdict is True when every standardised difference is within ``settings.balance_threshold``. Otherwise it is
    False when differences as large as these, taken together, are surprising for a lottery (omnibus test of Hansen
    and Bowers 2008 by permutation, at 5%), and None when chance explains them.
    """
    participants = tables.participants
    frame = _compare(design, tables)
    n = len(frame)
    if n == 0:
        return _result(
            frame, None, "The programme names no covariates.", "No traits were named, so balance was not looked at.", {}
        )
    outside = frame["standardised_difference"].abs() > settings.balance_threshold
    joint = _joint_p_value(design, participants, settings.permutations, generator)
    numbers = {
        "n_covariates": float(n),
        "n_outside": float(outside.sum()),
        "largest": float(frame["standardised_difference"].abs().max()),
        "joint_p_value": joint,
    }
    limit = f"{settings.balance_threshold:g} standard deviations"
    chance = f"Taken together, differences at least as large as these arise in {percent(joint)} of such lotteries."
    if not outside.any():
        sentence = f"The two groups were alike before the start: all {n} traits differ by at most {limit}. {chance}"
        return _result(frame, True, f"No trait differs by more than {limit}.", sentence, numbers)
    names = language.join([f"«{label}»" for label in frame.loc[outside, "label"]])
    counted = f"{int(outside.sum())} of {language.plural(n, 'trait', 'traits')}"
    sentence = f"Before the start, {counted} differed by more than {limit}: {names}. {chance}"
    if joint < _SURPRISING:
        return _result(frame, False, "The groups differ by more than a lottery usually explains.", sentence, numbers)
    reason = f"Some traits differ by more than {limit}, but no more than a lottery of this size usually gives."
    return _result(frame, None, reason, sentence, numbers)


def _compare(design: RandomisedTrial, tables: Tables) -> pd.DataFrame:
    """Return one row per covariate: means by arm, standardised difference, and the persons behind each."""
    participants = tables.participants
    treated = participants[design.treatment].to_numpy(dtype=bool)
    weights = None if design.weights is None else participants[design.weights].to_numpy(dtype=float)
    rows = []
    for name in design.covariates:
        values = participants[name].to_numpy(dtype=float)
        found = difference(values, treated, weights)
        behind = persons_behind_mean(values[treated]), persons_behind_mean(values[~treated])
        described = tables.schemas["participants"].field(name)
        rows.append(
            (
                name,
                described.title,
                described.unit,
                found.treated,
                found.comparison,
                found.standardised,
                *behind,
                min(behind),
            )
        )
    columns = ["covariate", "label", "unit", "treated_mean", "comparison_mean", "standardised_difference"]
    return pd.DataFrame(rows, columns=[*columns, "n_treated_behind", "n_comparison_behind", "n_behind"])


def _joint_p_value(
    design: RandomisedTrial, participants: pd.DataFrame, n: int, generator: np.random.Generator
) -> float:
    """Return the share of lotteries whose groups are at least as far apart on all covariates together."""
    covariates = participants[list(design.covariates)].to_numpy(dtype=float)
    treated = participants[design.treatment].to_numpy(dtype=bool)
    lottery = design.lottery(participants)
    strata = lottery.strata[lottery.unit]
    observed = float(permutation.imbalance(treated[None, :], covariates, strata)[0])
    others = np.concatenate(
        [permutation.imbalance(batch, covariates, strata) for batch in lottery.batches(n, generator)]
    )
    return permutation.p_value(observed, others, is_exact=lottery.is_listed, alternative="greater")


def _result(
    frame: pd.DataFrame, passed: bool | None, reason: str, sentence: str, numbers: dict[str, float]
) -> CheckResult:
    return CheckResult(
        name=NAME,
        title="Balance before the start",
        question="Were the two groups alike before the programme began?",
        explanation="A lottery makes groups alike on average, and any one lottery leaves some difference by chance. "
        "What was known before the start shows how far this one came.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title="Traits before the start, by group",
            columns=_COLUMNS,
            frame=frame,
            note="Yes/no traits are shares between 0 and 1. A standardised difference is the difference of the means "
            "over the standard deviation within the groups.",
        ),
        chart=None,
        numbers=numbers,
    )
