"""Were the two groups alike before the start, or made alike by the way they are compared?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import (
    DifferenceInDifferences,
    Duration,
    EvaluationDesign,
    MatchedComparison,
    RandomisedTrial,
    StaggeredAdoption,
)
from ..disclosure import Column, Table
from ..estimates import Estimates
from ..numerics import permutation
from ..numerics.assignment import Lottery
from ..numerics.balance import difference
from ..numerics.concentration import persons_behind_mean
from .lotteries import lottery_of
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
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Compare the covariates of everybody who was assigned, by arm; of those compared, where there was no lottery.

    The verdict is True when every standardised difference is within ``settings.balance_threshold``. With a lottery it
    is otherwise False when differences as large as these, taken together, are surprising (omnibus test of Hansen and
    Bowers 2008 by permutation, at 5%), and None when chance explains them. A matched comparison is judged as the
    headline compares the groups: what matching or weighting left apart is a concern, what a regression adjusts for is
    not judged. Where changes are compared, lasting differences drop out, so they inform.
    """
    if not isinstance(
        design, RandomisedTrial | Duration | MatchedComparison | DifferenceInDifferences | StaggeredAdoption
    ):
        reason = "This design does not compare two whole groups of persons."
        return _result(_compare((), tables, np.zeros(0, dtype=bool), None, None), None, reason, reason, {})
    primary = effects.primary
    treated = tables.participants[design.treatment].to_numpy(dtype=bool)
    weights, known = None, None
    if isinstance(design, MatchedComparison) and primary.is_available:
        measure = primary.estimand.measure
        weights = design.weights_of(tables, measure, seed=primary.provenance.seed)
        known = None if weights is None else tables.analysis(measure)["value"].notna().to_numpy(dtype=bool)
    elif isinstance(design, RandomisedTrial) and design.weights is not None:
        weights = tables.participants[design.weights].to_numpy(dtype=float)
    is_whole = [not tables.participants[name].isna().any() for name in design.covariates]
    names = tuple(name for name, whole in zip(design.covariates, is_whole, strict=True) if whole)
    frame = _compare(names, tables, treated, weights, known)
    n = len(frame)
    if n == 0:
        return _result(
            frame, None, "The programme names no covariates.", "No traits were named, so balance was not looked at.", {}
        )
    outside = frame["standardised_difference"].abs() > settings.balance_threshold
    numbers = {
        "n_covariates": float(n),
        "n_outside": float(outside.sum()),
        "largest": float(frame["standardised_difference"].abs().max()),
    }
    limit = f"{settings.balance_threshold:g} standard deviations"
    names_outside = language.join([f"«{label}»" for label in frame.loc[outside, "label"]])
    counted = f"{int(outside.sum())} of {language.plural(n, 'trait', 'traits')}"
    lottery = lottery_of(design, tables.participants)
    if lottery is not None:
        traits = tables.participants[list(names)].to_numpy(dtype=float)
        joint = _joint_p_value(lottery, treated, traits, settings.permutations, generator)
        numbers["joint_p_value"] = joint
        chance = f"Taken together, differences at least as large as these arise in {percent(joint)} of such lotteries."
        alike = f"The two groups were alike before the start: all {n} traits differ by at most {limit}. {chance}"
        sentence = f"Before the start, {counted} differed by more than {limit}: {names_outside}. {chance}"
        passed, reason = _with_lottery(joint, limit)
    else:
        how = "As the headline compares them" if isinstance(design, MatchedComparison) else "Before the start"
        alike = f"{how}, the two groups are alike: all {n} traits differ by at most {limit}."
        sentence = f"{how}, {counted} differ by more than {limit}: {names_outside}."
        passed, reason = _without_lottery(design, weights is not None)
    if not outside.any():
        return _result(frame, True, f"No trait differs by more than {limit}.", alike, numbers)
    return _result(frame, passed, reason, sentence, numbers)


def _with_lottery(joint: float, limit: str) -> tuple[bool | None, str]:
    """Return the verdict on differences beyond the limit between groups that were drawn."""
    if joint < _SURPRISING:
        return False, "The groups differ by more than a lottery usually explains."
    return None, f"Some traits differ by more than {limit}, but no more than a lottery of this size usually gives."


def _without_lottery(design: EvaluationDesign, is_weighted: bool) -> tuple[bool | None, str]:
    """Return the verdict on differences beyond the limit between groups that were not drawn."""
    if isinstance(design, Duration) and design.estimator == "difference_in_means":
        return False, "No lottery made the groups, and nothing adjusts for what sets them apart."
    if isinstance(design, MatchedComparison | Duration):
        if is_weighted:
            return False, "The way the groups are compared leaves some traits apart."
        return None, "A regression adjusts for what sets the groups apart; how well is a matter of its form."
    return None, "Lasting differences drop out of changes; traits that make the groups move apart do not."


def _compare(
    names: tuple[str, ...],
    tables: Tables,
    treated: permutation.Booleans,
    weights: permutation.Array | None,
    known: permutation.Booleans | None,
) -> pd.DataFrame:
    """Return one row per covariate: means by arm, standardised difference, and the persons behind each.

    ``known`` tells, for a comparison that weighs persons, who could be compared at all.
    """
    counts = np.ones(len(treated), dtype=bool) if weights is None else weights > 0
    participants, rows = tables.participants, []
    for name in names:
        values = participants[name].to_numpy(dtype=float)
        # Where weights make groups alike, distances before and after are measured by the same yardstick.
        spread = None if known is None else difference(values[known], treated[known]).spread
        found = difference(values, treated, weights, spread=spread)
        behind = [persons_behind_mean(values[arm & counts]) for arm in (treated, ~treated)]
        described = tables.schemas["participants"].field(name)
        means = (found.treated, found.comparison, found.standardised)
        rows.append((name, described.title, described.unit, *means, *behind, min(behind)))
    columns = ["covariate", "label", "unit", "treated_mean", "comparison_mean", "standardised_difference"]
    return pd.DataFrame(rows, columns=[*columns, "n_treated_behind", "n_comparison_behind", "n_behind"])


def _joint_p_value(
    lottery: Lottery, treated: permutation.Booleans, traits: permutation.Array, n: int, generator: np.random.Generator
) -> float:
    """Return the share of lotteries whose groups are at least as far apart on all traits together."""
    strata = lottery.strata[lottery.unit]
    observed = float(permutation.imbalance(treated[None, :], traits, strata)[0])
    others = np.concatenate([permutation.imbalance(batch, traits, strata) for batch in lottery.batches(n, generator)])
    return permutation.p_value(observed, others, is_exact=lottery.is_listed, alternative="greater")


def _result(
    frame: pd.DataFrame, passed: bool | None, reason: str, sentence: str, numbers: dict[str, float]
) -> CheckResult:
    return CheckResult(
        name=NAME,
        title="Balance before the start",
        question="Were the two groups alike before the programme began?",
        explanation="A lottery makes groups alike on average, and any one lottery leaves some difference by chance; "
        "without a lottery they must be found or made alike. What was known before the start shows how far that went.",
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
