"""Could the lottery alone have given a difference as large as the one seen?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import Duration, EvaluationDesign, RandomisedTrial
from ..designs.regression import Sample, effects_under
from ..designs.survival.follow_up import follow, is_known, place_of
from ..disclosure import Column, Table
from ..estimates import Estimate, Estimates
from ..numerics import survival
from ..numerics.concentration import persons_behind_mean
from ..numerics.permutation import Array, p_value
from .lotteries import lottery_of
from .results import CheckResult, CheckSettings, percent

NAME = "randomisation_inference"
_BINS = 40
_NONE_HELD = "No lottery was held."

_COLUMNS = (
    Column("outcome", "Outcome"),
    Column("unit", "Unit"),
    Column("value", "Effect", "number", persons="n_behind"),
    Column("p_value_model", "p, from the model", "p_value", persons="n_behind"),
    Column("p_value", "p, from the lottery", "p_value", persons="n_behind"),
    Column("n_assignments", "Assignments tried", "number", digits=0),
)
_FRAME = (
    "measure", "outcome", "unit", "value", "p_value_model", "p_value", "n_assignments", "is_exact", "n_behind"
)  # fmt: skip


def check_randomisation_inference(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Draw the lottery again, as it was held, and see how often chance alone gives an effect at least as large.

    The null hypothesis is Fisher's: the offer changed nobody's outcome. Strata, pairs and clusters are respected; all
    assignments are tried when they are few, else ``settings.permutations`` random ones. The check informs (``passed``
    is None) unless it contradicts the model: then one p-value is below the level of the test, the other is more than
    twice that level, and ``passed`` is False. Where persons were followed until something happened, what each adds to
    the curve of everybody together is compared.
    """
    rows, draws = [], {}
    if lottery_of(design, tables.participants) is None or not isinstance(design, RandomisedTrial | Duration):
        return _result(
            pd.DataFrame(columns=list(_FRAME)), None, _NONE_HELD, f"It cannot be told. {_NONE_HELD}", None, {}
        )
    for measure, estimate in effects.items():
        if not estimate.is_available:
            continue
        observed, others, is_exact, behind = _redraw(design, tables, measure, settings.permutations, generator)
        draws[measure] = others
        model = float(estimate.effects["p_value"].iloc[0])
        ours = p_value(observed, others, is_exact=is_exact)
        about = estimate.estimand
        rows.append((measure, about.outcome, about.unit, observed, model, ours, len(others), is_exact, behind))
    frame = pd.DataFrame(rows, columns=list(_FRAME))
    primary = effects.primary
    if not primary.is_available:
        return _result(
            frame, None, primary.unavailable_reason, f"It cannot be told. {primary.unavailable_reason}", None, {}
        )
    first = frame.iloc[0]
    passed, reason = _verdict(primary, float(first["p_value"]), float(first["p_value_model"]))
    how = (
        "all possible lotteries"
        if first["is_exact"]
        else f"{language.number(first['n_assignments'])} lotteries drawn at random"
    )
    sentence = (
        f"If the programme had changed nobody's outcome, the lottery alone would give a difference at least as large "
        f"as the one seen for «{primary.estimand.outcome}» in {percent(float(first['p_value']))} of cases ({how})."
    )
    numbers = {name: float(first[name]) for name in ("value", "p_value", "p_value_model", "n_assignments")}
    return _result(frame, passed, reason, sentence, _histogram(draws[primary.estimand.measure]), numbers)


def _redraw(
    design: RandomisedTrial | Duration, tables: Tables, measure: str, n: int, generator: np.random.Generator
) -> tuple[float, Array, bool, int]:
    """Return the observed effect, those under other assignments, whether these are all, and the persons behind."""
    if isinstance(design, RandomisedTrial):
        frame = design.analysed(tables, measure)
        sample = design.sample(frame)
    else:
        frame = tables.analysis(measure)[is_known(design, tables, measure)]
        sample = _followed(design, tables, measure, frame)
    lottery, estimator = lottery_of(design, frame), design.estimator
    assert lottery is not None  # narrowed by the caller
    observed = effects_under(sample, estimator, [sample.treated[None, :]])[0]
    others = effects_under(sample, estimator, lottery.batches(n, generator))
    behind = min(persons_behind_mean(sample.outcome[arm]) for arm in (sample.treated, ~sample.treated))
    return float(observed), others, lottery.is_listed, behind


def _followed(design: Duration, tables: Tables, measure: str, frame: pd.DataFrame) -> Sample:
    """Return the persons with what each adds to the curve of everybody: had the offer changed nothing, these stay."""
    place = place_of(design.follow_up, measure)
    values = frame["value"].to_numpy(dtype=np.float64)
    if place.role != "plain":
        found = follow(design, tables, place, measure)
        average = survival.time_without if place.role == "duration" else survival.share_by
        values = average(found.time, found.cause, found.horizon).pseudo_values
    covariates = frame[list(design.covariates)].to_numpy(dtype=np.float64).reshape(len(frame), len(design.covariates))
    return Sample(values, frame[design.treatment].to_numpy(dtype=bool), covariates, design.covariates)


def _verdict(estimate: Estimate, ours: float, model: float) -> tuple[bool | None, str]:
    significance = 1 - estimate.level
    if min(ours, model) < significance and max(ours, model) > 2 * significance:
        return False, "The lottery and the model of the headline disagree on whether chance explains the difference."
    return None, "The lottery and the model of the headline agree on how surprising the difference is."


def _histogram(values: Array) -> pd.DataFrame:
    """Return the distribution of the effects under chance: ``lower`` and ``upper`` edge and ``share`` of each bar."""
    heights, edges = np.histogram(values, bins=_BINS)
    return pd.DataFrame({"lower": edges[:-1], "upper": edges[1:], "share": heights / heights.sum()})


def _result(
    frame: pd.DataFrame,
    passed: bool | None,
    reason: str,
    sentence: str,
    chart: pd.DataFrame | None,
    numbers: dict[str, float],
) -> CheckResult:
    return CheckResult(
        name=NAME,
        title="Randomisation inference",
        question="Could the lottery alone have given a difference this large?",
        explanation="The lottery is drawn again many times in the computer, as if the programme did nothing; the "
        "p-value is the share of draws with a difference at least as large as the one found {cite:p}`Fisher1935`.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title="Chance of a difference at least this large when nobody is affected",
            columns=_COLUMNS,
            frame=frame,
        ),
        chart=chart,
        numbers=numbers,
    )
