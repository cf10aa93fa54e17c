"""Do we know the outcome of as many in one group as in the other?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from ..data import Tables
from ..designs import Duration, EvaluationDesign
from ..designs.survival.follow_up import follow, place_of
from ..disclosure import Column, Table, persons_behind_share
from ..estimates import Estimates
from ..numerics import permutation, survival
from ..numerics.permutation import Array, Booleans
from .lotteries import lottery_of
from .results import COMPARISON, OFFERED, CheckResult, CheckSettings

NAME = "attrition"
_FOLLOWED = "Of a duration, whoever could not be followed up to the horizon counts as without."
_ONE_GROUP = "There are no two groups of persons to compare."

_COLUMNS = (
    Column("outcome", "Outcome"),
    Column("arm", "Group"),
    Column("n_assigned", "Assigned", "count", "persons"),
    Column("n_with_outcome", "With outcome", "count", "persons"),
    Column("n_without_outcome", "Without", "count", "persons"),
    Column("share_without", "Share without", "share", "% of assigned", 1, persons="n_behind"),
)


def check_attrition(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Count, for each outcome and arm, those assigned, with and without an outcome; the primary one decides.

    With a lottery, the test of differential attrition is a permutation test of the difference in shares, so that it
    holds with strata, clusters and few persons; without one it is Fisher's exact test. Where everybody was offered the
    programme, or nobody, there are no groups to compare and ``passed`` is None.
    """
    measures = list(tables.measures)
    participants = tables.participants
    if design.treatment not in participants or participants[design.treatment].nunique() < 2:
        return _result(_count(np.zeros(0, bool), np.zeros((0, 0), bool), []), None, _ONE_GROUP, _ONE_GROUP, {})
    treated = participants[design.treatment].to_numpy(dtype=bool)
    lost = np.column_stack([is_lost(design, tables, measure) for measure in measures])
    frame = _count(treated, lost, [tables.measures[measure].label for measure in measures])
    gap = float(lost[treated, 0].mean() - lost[~treated, 0].mean())
    numbers = {
        "difference": gap,
        "share_without_treated": float(lost[treated, 0].mean()),
        "share_without_comparison": float(lost[~treated, 0].mean()),
        "p_value": _p_value(design, participants, lost[:, 0].astype(float), settings.permutations, generator),
    }
    limit = f"{settings.attrition_threshold * 100:g} percentage points"
    label = f"«{tables.measures[measures[0]].label}»"
    passed = abs(gap) <= settings.attrition_threshold
    # The sentence holds no count and no share: they may rest on few persons, and only a cleared table may show those.
    if not lost[:, 0].any():
        reason, sentence = "Nobody was lost.", f"The outcome {label} is known for everybody who was assigned."
    elif passed:
        reason = f"The groups lost nearly the same share of their persons: the difference is at most {limit}."
        sentence = f"The share of persons without the outcome {label} differs between the groups by at most {limit}."
    else:
        reason = f"The groups lost different shares of their persons: the difference is larger than {limit}."
        sentence = (
            f"The share of persons without the outcome {label} differs between the groups by more than {limit}. "
            "Those lost may differ from those found, so the effect may be biased."
        )
    found = _result(frame, passed, reason, sentence, numbers)
    return replace(found, table=replace(found.table, note=_FOLLOWED)) if isinstance(design, Duration) else found


def is_lost(design: EvaluationDesign, tables: Tables, measure: str) -> Booleans:
    """Return who has no outcome; of a duration, also who could not be followed to its horizon. Shape (participants,).

    Parameters
    ----------
    design, tables
        The design and its data.
    measure : str
        A declared outcome.
    """
    lost: Booleans = tables.analysis(measure)["value"].isna().to_numpy(dtype=bool)
    place = place_of(design.follow_up, measure) if isinstance(design, Duration) else None
    if not isinstance(design, Duration) or place is None or place.role == "plain":
        return lost
    lost = tables.analysis(place.duration)["value"].isna().to_numpy(dtype=bool, copy=True)
    time, cause = follow(design, tables, place, measure).by_horizon
    lost[~lost] = (cause == survival.LOST) & (time < design.follow_up[place.duration].horizon)
    return lost


def _result(
    frame: pd.DataFrame, passed: bool | None, reason: str, sentence: str, numbers: dict[str, float]
) -> CheckResult:
    return CheckResult(
        name=NAME,
        title="Attrition",
        question="Is the outcome known for as many in one group as in the other?",
        explanation="Persons whose outcome nobody knows are left out. If the programme changed who could be found, "
        "those who remain are no longer comparable.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title="Persons with and without an outcome, by group",
            columns=_COLUMNS,
            frame=frame,
            sums_down=tuple((2 * position, 2 * position + 1) for position in range(len(frame) // 2)),
            sums_across=(("n_with_outcome", "n_without_outcome"),),
        ),
        numbers=numbers,
        chart=None,
    )


def _count(treated: Booleans, lost: Booleans, labels: list[str]) -> pd.DataFrame:
    """Return two rows per outcome; ``treated`` has shape (n,) and ``lost`` (n, outcomes)."""
    rows = [
        (
            label,
            arm,
            int(chosen.sum()),
            int((chosen & ~lost[:, position]).sum()),
            int((chosen & lost[:, position]).sum()),
        )
        for position, label in enumerate(labels)
        for arm, chosen in ((OFFERED, treated), (COMPARISON, ~treated))
    ]
    frame = pd.DataFrame(rows, columns=["outcome", "arm", "n_assigned", "n_with_outcome", "n_without_outcome"])
    return frame.assign(
        share_without=frame["n_without_outcome"] / frame["n_assigned"],
        n_behind=persons_behind_share(frame["n_without_outcome"], frame["n_assigned"]),
    )


def _p_value(
    design: EvaluationDesign, participants: pd.DataFrame, lost: Array, n: int, generator: np.random.Generator
) -> float:
    """Return how often chance gives as large a difference in the share lost; one when nobody is lost."""
    if lost.min() == lost.max():
        return 1.0
    lottery = lottery_of(design, participants)
    if lottery is None:
        treated = participants[design.treatment].to_numpy(dtype=bool)
        counts = np.array([[(lost[arm] == state).sum() for state in (1.0, 0.0)] for arm in (treated, ~treated)])
        return float(stats.fisher_exact(counts)[1])
    observed = float(permutation.differences(lottery.treated[lottery.unit][None, :], lost)[0])
    others = np.concatenate([permutation.differences(batch, lost) for batch in lottery.batches(n, generator)])
    return permutation.p_value(observed, others, is_exact=lottery.is_listed)
