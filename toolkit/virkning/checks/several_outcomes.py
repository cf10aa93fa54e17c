"""Is an outcome clear only because many were looked at?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import Duration, EvaluationDesign
from ..designs.findings import Drawing
from ..designs.paths import PERSONS
from ..disclosure import Column, Table
from ..errors import VirkningError
from ..estimand import Outcome
from ..estimates import Estimate, Estimates
from ..numerics.concentration import persons_behind_mean
from ..numerics.several_outcomes import holm, mean_index, romano_wolf, weighted_index
from .results import CheckResult, CheckSettings

NAME = "several_outcomes"
INDEXES = {
    "index_of_outcomes": "All outcomes in one, each counting alike",
    "index_of_outcomes_weighted": "All outcomes in one, those that say the same counting less",
}
_COLUMNS = ("number", "outcome", "value", "lower", "upper", "p_value", "p_holm", "p_romano_wolf", PERSONS)


def check_several_outcomes(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Adjust the p-values of all outcomes for their number, and estimate the effect on an index of them.

    Adjusted by Holm's (1979) rule, which holds whatever the outcomes have to do with each other, and by Romano and Wolf
    (2005), which uses what they have. ``passed`` is False when an outcome that is clear alone is not after Romano and
    Wolf, True when all that are clear stay so, None when none is clear or there is only one outcome.
    """
    measures = [measure for measure, estimate in effects.items() if estimate.is_available]
    if len(measures) < 2:
        reason = "There is only one outcome with an estimate."
        return _result(
            pd.DataFrame(columns=list(_COLUMNS)), None, reason, f"{reason} Nothing needs to be adjusted.", {}
        )
    chosen = [effects[measure] for measure in measures]
    p_values = np.array([float(estimate.effects["p_value"].iloc[0]) for estimate in chosen])
    adjusted = {
        "p_holm": holm(p_values),
        "p_romano_wolf": romano_wolf(p_values, stacked(chosen), settings.several_outcomes_draws, generator),
    }
    rows = [_row(design, tables, effects[measure]) for measure in measures]
    frame = pd.DataFrame(rows, columns=["outcome", "value", "lower", "upper", "p_value", PERSONS]).assign(**adjusted)
    numbers = {
        f"{kind}_{measure}": float(values[place])
        for kind, values in adjusted.items()
        for place, measure in enumerate(measures)
    }
    for name, estimate in _index_estimates(design, tables, measures, effects).items():
        part = _row(design, tables, estimate, spread=1.0, persons=int(frame[PERSONS].min()))
        frame.loc[len(frame)] = dict(zip(["outcome", "value", "lower", "upper", "p_value", PERSONS], part, strict=True))
        numbers |= {name: part[1], f"{name}_p_value": part[4]}
    frame.insert(0, "number", np.arange(1, len(frame) + 1))
    passed, reason = _verdict(chosen, p_values, adjusted["p_romano_wolf"])
    sentence = (
        f"With {language.number(len(measures))} outcomes, one would look clear by chance in about "
        f"{language.number(100 * (1 - chosen[0].level ** len(measures)))} of 100 programmes without any effect, if the "
        f"outcomes had nothing to do with each other. {reason}"
    )
    return _result(frame, passed, reason, sentence, numbers)


def stacked(estimates: Sequence[Estimate]) -> np.ndarray:
    """Return each unit's influence on each headline, shape (units, outcomes); units that lack an outcome have zero.

    An estimate without influence functions is taken to have nothing to do with the others.

    Parameters
    ----------
    estimates : sequence of Estimate
        All of them available.
    """
    columns = []
    for estimate in estimates:
        if estimate.influence is None:
            values, units = [float(estimate.effects["std_error"].iloc[0])], [f"only {estimate.estimand.measure}"]
            columns.append(pd.Series(values, index=units))
        else:
            series = pd.Series(estimate.influence[:, 0], index=list(estimate.influence_ids))
            columns.append(series.groupby(level=0).sum())
    return pd.concat(columns, axis=1).fillna(0.0).to_numpy(dtype=np.float64)


def _row(
    design: EvaluationDesign,
    tables: Tables,
    estimate: Estimate,
    *,
    spread: float | None = None,
    persons: int | None = None,
) -> tuple[str, float, float, float, float, int]:
    """Return label, effect and interval in standard deviations of the comparison group, p-value, persons behind."""
    best, first = estimate.headline(), estimate.effects.iloc[0]
    if spread is None or persons is None:
        values = tables.analysis(estimate.estimand.measure)["value"].to_numpy(dtype=np.float64)
        known, treated = np.isfinite(values), _treated(design, tables)
        compared = known & ~treated if (known & ~treated).sum() > 1 else known
        spread = float(values[compared].std(ddof=1))
        groups = [values[known & arm] for arm in (treated, ~treated) if (known & arm).any()]
        counts = [int(first[name]) for name in ("n_treated", "n_comparison") if first[name] > 0]
        persons = min(*(persons_behind_mean(group) for group in groups), *counts)
    scale = 1 / spread if spread > 0 else np.nan
    ends = (best.value * scale, best.lower * scale, best.upper * scale)
    return (estimate.estimand.outcome, *ends, float(first["p_value"]), persons)


def _treated(design: EvaluationDesign, tables: Tables) -> np.ndarray:
    people = tables.participants
    if design.treatment not in people:
        return np.zeros(len(people), dtype=bool)
    return people[design.treatment].to_numpy(dtype=bool)


def _index_estimates(
    design: EvaluationDesign, tables: Tables, measures: Sequence[str], effects: Estimates
) -> dict[str, Estimate]:
    """Return the effects on both indexes, estimated as the headline is; those that cannot be estimated are left out."""
    if isinstance(design, Duration):
        return {}  # A time that ended before anything happened is no number that could be averaged with others.
    # A treatment that is itself a measure is no outcome, and the book does not say which way is good for some.
    used = [
        name
        for name in measures
        if tables.measures[name].better != "neither" and name != getattr(design, "treatment_measure", None)
    ]
    if len(used) < 2:
        return {}
    found = {}
    try:
        wider = with_indexes(tables, used, _treated(design, tables))
        for name in INDEXES:
            if name in wider.measures:
                estimate = design.estimate_outcome(wider, name, seed=effects.primary.provenance.seed)
                if estimate.is_available:
                    found[name] = estimate
    except VirkningError:
        return {}
    return found


def with_indexes(tables: Tables, measures: Sequence[str], treated: np.ndarray) -> Tables:
    """Return the tables with the indexes of some outcomes as further outcomes, in standard deviations.

    Each outcome is turned so that more is better, and measured from the comparison group's mean in units of its
    standard deviation at the outcome's own period. Where all outcomes have one period, there is an index in every
    period; else one person's outcomes of several periods make one index.

    Parameters
    ----------
    tables : Tables
        Validated data.
    measures : sequence of str
        The outcomes; each varies.
    treated : ndarray of bool, shape (participants,)
        Who is not in the comparison group; where that is everybody, everybody is compared with.
    """
    period = tables.measures[measures[0]].period
    people = tables.participants["participant_id"]
    own = np.column_stack([tables.analysis(name)["value"].to_numpy(dtype=np.float64) for name in measures])
    reference = ~treated if (~treated).any() else np.ones(len(treated), dtype=bool)
    signs = np.array([1.0 if tables.measures[name].better == "higher" else -1.0 for name in measures])
    centre, spread = np.nanmean(own[reference], axis=0), np.nanstd(own[reference], axis=0, ddof=1)
    places = pd.DataFrame({"participant_id": people, "period": period})
    values = own
    if {tables.measures[name].period for name in measures} == {period}:
        chosen = tables.outcomes[tables.outcomes["measure"].isin(list(measures))]
        wide = chosen.pivot_table(
            index=["participant_id", "period"], columns="measure", values="value", aggfunc="first"
        )
        places = wide.index.to_frame(index=False)
        values = wide[list(measures)].to_numpy(dtype=np.float64)
    standardised = signs * (values - centre) / np.where(spread > 0, spread, np.nan)
    is_reference = places["participant_id"].isin(people[reference]) & (places["period"] == period)
    indexes = [mean_index(standardised), weighted_index(standardised, is_reference.to_numpy())]
    declared, parts = dict(tables.measures), [tables.outcomes]
    for (name, label), index in zip(INDEXES.items(), indexes, strict=True):
        if index is None:
            continue
        declared[name] = Outcome(label=label, unit="standard deviations", kind="amount", period=period)
        part = places.assign(measure=name, value=index)
        parts.append(part[part["value"].notna()])
    return Tables.of(tables.participants, pd.concat(parts, ignore_index=True), declared, tables.schemas)


def _verdict(estimates: Sequence[Estimate], alone: np.ndarray, adjusted: np.ndarray) -> tuple[bool | None, str]:
    limit = 1 - estimates[0].level
    clear = [place for place in range(len(alone)) if alone[place] < limit]
    if not clear:
        return None, "No outcome is clear even on its own."
    lost = [f"«{estimates[place].estimand.outcome}»" for place in clear if adjusted[place] >= limit]
    if lost:
        return (
            False,
            f"Once their number is allowed for, {language.join(lost)} {'is' if len(lost) == 1 else 'are'} unclear.",
        )
    return True, "Every outcome that is clear on its own stays so once their number is allowed for."


def _result(
    frame: pd.DataFrame, passed: bool | None, reason: str, sentence: str, numbers: dict[str, float]
) -> CheckResult:
    unit = "standard deviations"
    return CheckResult(
        name=NAME,
        title="Several outcomes",
        question="Is an outcome clear only because many were looked at?",
        explanation="Whoever looks at many outcomes finds some that moved by chance. Adjusted p-values allow for their "
        "number {cite:p}`Holm1979,RomanoWolf2005`; an index asks one question of all of them "
        "{cite:p}`KlingLiebmanKatz2007,Anderson2008`.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title="All outcomes: effects in standard deviations of the comparison group, and p-values",
            columns=(
                Column("outcome", "Outcome"),
                Column("number", "No.", "number", digits=0),
                Column("value", "Effect", "number", unit, persons=PERSONS),
                Column("lower", "From", "number", persons=PERSONS),
                Column("upper", "To", "number", persons=PERSONS),
                Column("p_value", "p, alone", "p_value", persons=PERSONS),
                Column("p_holm", "p, Holm", "p_value", persons=PERSONS),
                Column("p_romano_wolf", "p, Romano–Wolf", "p_value", persons=PERSONS),
            ),
            frame=frame,
            note="In an index, each outcome is turned so that more is better for people. The primary outcome was "
            "declared beforehand: for the question about it alone, its own p-value holds.",
        ),
        drawing=Drawing(
            x="number",
            y="value",
            lower="lower",
            upper="upper",
            caption="Effects in standard deviations of the comparison group, numbered as in the table.",
            has_zero_line=True,
            names_x=True,
        )
        if len(frame)
        else None,
        chart=None,
        numbers=numbers,
    )
