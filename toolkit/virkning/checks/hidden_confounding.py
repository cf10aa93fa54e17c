"""How strong would something unmeasured have to be to change the conclusion?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign, MatchedComparison
from ..designs.comparison import terms
from ..designs.findings import Drawing
from ..designs.paths import PERSONS, value_columns
from ..disclosure import Column, Table
from ..errors import DesignError
from ..estimand import Outcome
from ..estimates import Estimate, Estimates
from ..numerics.concentration import persons_behind_mean
from ..numerics.hidden_confounding import (
    AdjustedEffect,
    SignedRanks,
    adjusted_effect,
    bound,
    e_value,
    largest_gamma,
    ratio_of_difference,
    robustness_value,
)
from ..numerics.least_squares import dependent_column
from ..numerics.matching import Rules, nearest_few
from .benchmarks import WHERE, refuse_benchmarks
from .results import CheckResult, CheckSettings, percent
from .two_groups import TELLABLE, Groups, groups_of, label_of, numeric_traits, score_of

NAME = "hidden_confounding"
# How many times as strong as a benchmark a confounder is taken to be.
_TIMES = (1, 2, 3)
_TIMES_WORDS = {1: "As strong as", 2: "Twice as strong as", 3: "Three times as strong as"}
AS_MEASURED = "Nothing unmeasured"


@dataclass(frozen=True)
class _Regression:
    """The regression against which confounding is measured: its effect, its covariates, and those that are benchmarks.

    ``persons`` has one number for each benchmark: how many persons it rests on.
    """

    effect: AdjustedEffect
    benchmarks: dict[str, int]
    persons: dict[str, int]
    groups: Groups


def check_hidden_confounding(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Return how strong hidden confounding of the primary outcome would have to be, and hold it against traits.

    Robustness values and bounds are those of Cinelli and Hazlett (2020), of the least-squares regression on the
    covariates; E-values rest on the headline and its interval; Γ, for a matched comparison, on Wilcoxon's test in pairs
    (Rosenbaum 2002). ``passed`` is False when a confounder as strong as a benchmark would make a clear effect unclear,
    True when none would, None when the effect is unclear anyway or there is no benchmark.

    Raises
    ------
    DesignError
        A declared benchmark is no column, no number, or follows from the other covariates.
    """
    estimate = effects.primary
    outcome = tables.measures[estimate.estimand.measure]
    if not estimate.is_available:
        return _result(_empty(), outcome, None, estimate.unavailable_reason, "It cannot be told.", {})
    groups = groups_of(design, tables, estimate.estimand.measure)
    if groups is None:
        reason = "This design compares no two groups of persons in one number per person."
        return _result(_empty(), outcome, None, reason, f"It cannot be told. {reason}", {})
    regression = _regression(design, tables, settings, groups)
    if regression is None:
        reason = "The design has no covariates that a regression could adjust for."
        return _result(_empty(), outcome, None, reason, f"It cannot be told. {reason}", {})
    significance = 1 - estimate.level
    found = regression.effect
    numbers = {
        "value": found.value,
        "std_error": found.std_error,
        "partial_r_squared": found.partial_r_squared,
        "robustness_value": robustness_value(found.value, found.std_error, found.degrees_of_freedom),
        "robustness_value_of_significance": robustness_value(
            found.value, found.std_error, found.degrees_of_freedom, significance=significance
        ),
        **_e_values(estimate, groups),
        **_gamma(design, tables, estimate, groups),
    }
    frame = _frame(tables, regression, estimate, numbers)
    passed, reason = _verdict(frame)
    return _result(frame, outcome, passed, reason, _sentence(frame, numbers, groups), numbers)


def _regression(
    design: EvaluationDesign, tables: Tables, settings: CheckSettings, groups: Groups
) -> _Regression | None:
    """Return the regression on the design's covariates and the benchmarks; None without any."""
    people = tables.participants
    refuse_benchmarks(design, tables, settings)
    declared = getattr(design, "covariates", ())
    own = [name for name in numeric_traits(tables, declared) if name not in settings.benchmark_covariates]
    names = [*own, *dict.fromkeys(settings.benchmark_covariates)]
    columns = people.loc[groups.rows, names].to_numpy(dtype=np.float64).reshape(len(groups.outcome), len(names))
    matrix = np.column_stack([np.ones(len(columns)), groups.treated, terms.standardised(columns)])
    while (place := dependent_column(matrix)) is not None:
        if place < 2 or place >= len(matrix):
            return None
        name = names[place - 2]
        if name in settings.benchmark_covariates:
            raise DesignError(
                "design.collinear",
                f"The benchmark «{name}» does not vary, or follows exactly from treatment and other covariates.",
                where=WHERE,
                why="What it explains beyond them is nothing, so nothing can be compared with it.",
                do=f"Remove «{name}», or the covariates from which it follows.",
            )
        # A covariate of the design that adds nothing among these persons changes nothing either.
        names.remove(name)
        matrix = np.delete(matrix, place, axis=1)
    if not names or len(matrix) <= matrix.shape[1] + 1:
        return None
    effect = adjusted_effect(groups.outcome, groups.treated.astype(float), np.delete(matrix, 1, axis=1))
    benchmarks = settings.benchmark_covariates or tuple(names)
    values = people.loc[groups.rows]
    return _Regression(
        effect=effect,
        benchmarks={name: 1 + names.index(name) for name in dict.fromkeys(benchmarks)},
        persons={name: persons_behind_mean(values[name].to_numpy(dtype=float)) for name in benchmarks},
        groups=groups,
    )


def refuse_unfit(design: EvaluationDesign, tables: Tables, settings: CheckSettings) -> None:
    """Refuse benchmarks that cannot be any; nothing is judged.

    Raises
    ------
    DesignError
        One is no column, no number, incomplete, or follows from treatment and covariates.
    """
    refuse_benchmarks(design, tables, settings)
    groups = groups_of(design, tables, next(iter(tables.measures))) if settings.benchmark_covariates else None
    if groups is not None:
        _regression(design, tables, settings, groups)


def _e_values(estimate: Estimate, groups: Groups) -> dict[str, float]:
    """Return the E-values of the headline and of the end of its interval that is nearer to no effect."""
    best = estimate.headline()
    nearer = best.lower if best.value > 0 else best.upper
    if nearer * best.value <= 0:
        nearer = 0.0
    if estimate.estimand.kind == "share" and not groups.is_change:
        level = estimate.comparison_mean
        if not 0 < level < 1 or level + best.value <= 0:
            return {}
        ratios = [(level + end) / level for end in (best.value, nearer)]
    else:
        spread = float(np.sqrt(np.mean([groups.outcome[arm].var(ddof=1) for arm in (groups.treated, ~groups.treated)])))
        if spread == 0:
            return {}
        ratios = [ratio_of_difference(end, spread) for end in (best.value, nearer)]
    return {"e_value": e_value(ratios[0]), "e_value_of_interval": e_value(ratios[1])}


def _gamma(design: EvaluationDesign, tables: Tables, estimate: Estimate, groups: Groups) -> dict[str, float]:
    """Return the largest Γ at which Wilcoxon's test in pairs is significant, for a matched comparison."""
    if not isinstance(design, MatchedComparison):
        return {}
    score = score_of(design, tables, groups.rows)
    if score is None:
        return {}
    differences = pair_differences(groups, score.index, design.matching.caliper)
    ranks = SignedRanks.of(differences if estimate.headline().value >= 0 else -differences)
    if not len(ranks.ranks):
        return {}
    return {
        "gamma": largest_gamma(ranks, (1 - estimate.level) / 2),
        "n_pairs": float(len(differences)),
        "pairs_p_value": ranks.p_value(),
    }


def pair_differences(groups: Groups, score: np.ndarray, caliper: float | None) -> np.ndarray:
    """Return treated less comparison in pairs that are alike in a score, nobody in two of them; shape (pairs,).

    Parameters
    ----------
    groups : Groups
        The persons.
    score : ndarray, shape (n,)
        In which they should be alike.
    caliper : float, optional
        Largest distance in standard deviations of the score.
    """
    fewer = groups.treated if 2 * groups.treated.sum() <= len(score) else ~groups.treated
    rules = Rules(neighbours=1, caliper=caliper, ties="first")
    cells = tuple(np.zeros(int(arm.sum()), dtype=np.int64) for arm in (fewer, ~fewer))
    found = nearest_few(
        score[fewer],
        score[~fewer],
        rules,
        (cells[0], cells[1]),
        float(score.std(ddof=1)) or 1.0,
        is_replaced=False,
        generator=np.random.default_rng(0),
    )
    paired = found.counts > 0
    gaps = (groups.outcome[fewer] - found.mean_of(groups.outcome[~fewer]))[paired]
    return gaps if (fewer == groups.treated).all() else -gaps


def _frame(tables: Tables, regression: _Regression, estimate: Estimate, numbers: dict[str, float]) -> pd.DataFrame:
    """Return one row for the effect as measured, one for each confounder, and one for each other measure."""
    effect, behind = regression.effect, regression.groups.n_behind
    rows: list[tuple[object, ...]] = []

    def add(
        what: str, kind: str, shares: Sequence[float], ends: Sequence[float], strength: float, persons: int
    ) -> None:
        rows.append((len(rows) + 1, what, kind, *shares, *ends, strength, persons))

    nothing, unknown = (0.0, 0.0), (np.nan, np.nan, np.nan)
    reach = effect.std_error * float(stats.t.ppf(0.5 + estimate.level / 2, effect.degrees_of_freedom))
    add(AS_MEASURED, "measured", nothing, (effect.value, effect.value - reach, effect.value + reach), np.nan, behind)
    for name, place in regression.benchmarks.items():
        for times in _TIMES:
            found = bound(effect, place, times=float(times), level=estimate.level)
            if found is not None:
                what = f"{_TIMES_WORDS[times]} «{label_of(tables, name)}»"
                shares, ends = (found.with_treatment, found.with_outcome), (found.value, found.lower, found.upper)
                add(what, f"benchmark {times}", shares, ends, np.nan, min(behind, regression.persons[name]))
    for key, what in (
        ("robustness_value", "Enough to bring the effect to zero (robustness value)"),
        ("robustness_value_of_significance", "Enough to make it unclear"),
    ):
        add(what, key, (numbers[key], numbers[key]), unknown, np.nan, behind)
    for key, what in (
        ("e_value", "E-value: by how much it would multiply both chances"),
        ("e_value_of_interval", "E-value of the interval's nearer end"),
        ("gamma", "Γ: bias in the odds of pairs up to which the test stays clear"),
    ):
        # An infinite Γ is beyond any number that one could print.
        if np.isfinite(numbers.get(key, np.nan)):
            add(what, key, (np.nan, np.nan), unknown, numbers[key], behind)
    columns = ["number", "what", "kind", "with_treatment", "with_outcome", "value", "lower", "upper", "strength"]
    return pd.DataFrame(rows, columns=[*columns, PERSONS])


def _verdict(frame: pd.DataFrame) -> tuple[bool | None, str]:
    first, once = frame.iloc[0], frame[frame["kind"] == "benchmark 1"]
    if first["lower"] <= 0 <= first["upper"]:
        return None, "The effect by regression is unclear even without anything unmeasured."
    if once.empty:
        return None, "No measured trait can serve as a benchmark."
    sign = np.sign(first["value"])
    weakest = once.assign(nearest=np.where(sign > 0, once["lower"], -once["upper"])).sort_values("nearest").iloc[0]
    name = str(weakest["what"]).removeprefix(f"{_TIMES_WORDS[1]} ")
    if weakest["nearest"] <= 0:
        return False, f"Something unmeasured that is as strong as {name} would be enough to make the effect unclear."
    return True, f"Nothing as strong as any of the benchmarks would make the effect unclear, not even as {name}."


def _sentence(frame: pd.DataFrame, numbers: dict[str, float], groups: Groups) -> str:
    if groups.n_behind < TELLABLE:
        return "So few persons are compared that the table must say what can be said."
    said = (
        "To bring the effect to zero, something unmeasured would have to explain "
        f"{percent(numbers['robustness_value'])} of what the covariates leave open, both of who was offered the "
        f"programme and of the outcome; to make it unclear, {percent(numbers['robustness_value_of_significance'])}."
    )
    if "e_value" in numbers:
        said += (
            f" As a ratio: it would have to multiply both chances by {language.number(numbers['e_value'], 2)} "
            f"(E-value; {language.number(numbers['e_value_of_interval'], 2)} for the end of the interval)."
        )
    if "gamma" in numbers:
        gamma = numbers["gamma"]
        said += (
            " In pairs of persons who are alike in what was measured, the difference is unclear as it is."
            if gamma == 1
            else " In pairs of persons who are alike in what was measured, the difference stays clear until hidden "
            f"bias makes one of them {language.number(gamma, 2)} times as likely to take part as the other."
            if np.isfinite(gamma)
            else " In pairs of persons who are alike in what was measured, no hidden bias that one can think of makes "
            "the difference unclear."
        )
    return said


def _empty() -> pd.DataFrame:
    columns = ["number", "what", "kind", "with_treatment", "with_outcome", "value", "lower", "upper", "strength"]
    return pd.DataFrame(columns=[*columns, PERSONS])


def _result(
    frame: pd.DataFrame,
    outcome: Outcome,
    passed: bool | None,
    reason: str,
    sentence: str,
    numbers: dict[str, float],
) -> CheckResult:
    size = float(frame["value"].abs().max()) if len(frame) else 0.0
    labels = {"value": "Effect", "lower": "From", "upper": "To"}
    return CheckResult(
        name=NAME,
        title="Hidden confounding",
        question="How strong would something unmeasured have to be to change the conclusion?",
        explanation="Who took part may differ from the others in something that nobody measured. Whether it does "
        "cannot be seen; but how strong it would have to be can be computed, and held against traits that were "
        "measured {cite:p}`CinelliHazlett2020,VanderWeeleDing2017,Rosenbaum2002`.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title=f"{outcome.label}: the effect beside confounders of given strength",
            columns=(
                Column("what", "Something unmeasured"),
                Column("number", "No.", "number", digits=0),
                Column("with_treatment", "Explains of who took part", "share", persons=PERSONS),
                Column("with_outcome", "of the outcome", "share", persons=PERSONS),
                *value_columns(outcome, size, labels, are_differences=True),
                Column("strength", "Times", "number", digits=2, persons=PERSONS),
            ),
            frame=frame,
            note="Effects are those of the regression on the covariates, with classical errors and intervals at the "
            "level of the headline. Shares are of what the covariates (for the outcome, the treatment too) leave open.",
        ),
        drawing=Drawing(
            x="number",
            y="value",
            lower="lower",
            upper="upper",
            caption="The effect beside confounders of given strength, numbered as in the table.",
            has_zero_line=True,
            names_x=True,
        )
        if len(frame)
        else None,
        chart=None,
        numbers=numbers,
    )
