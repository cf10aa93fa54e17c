"""The five parts, each graded from what the data, the estimate and the checks tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from .. import language
from ..checks import CheckResult, Checks
from ..checks.attrition import is_lost
from ..data import Tables
from ..designs import Duration, EvaluationDesign
from ..designs.steps import is_step
from ..estimates import Estimate
from ..numerics.power import minimum_detectable_effect
from . import rule
from .rule import Part, PartName

# A check belongs to the part whose words its name begins with; every other check is about robustness.
_BEGINNINGS: Mapping[PartName, tuple[str, ...]] = {
    "sample": ("power", "instrument_strength"),
    "attrition": ("attrition", "missing"),
    "balance": ("balance", "overlap", "density", "parallel_trends", "hausman"),
}
# Estimates without what the design is for, shown so that a reader sees what it does.
_NAIVE = frozenset({"unadjusted", "ordinary_least_squares", "pooled_least_squares", "two-way fixed effects"})
# Estimates adjusted for traits known before.
_ADJUSTED = frozenset({"ancova", "lin", "adjusted"})
LOTTERY = 5
# Estimates of another effect.
_OTHER_QUESTION = ("compliers", "arm «", "complier")


def part_of(check: str) -> PartName:
    """Return the part to which a check belongs, by its name.

    >>> part_of("attrition_bounds"), part_of("overlap"), part_of("placebo_outcome")
    ('attrition', 'balance', 'robustness')
    """
    for part, beginnings in _BEGINNINGS.items():
        if check.startswith(beginnings):
            return part
    return "robustness"


def parts(design: EvaluationDesign, tables: Tables, estimate: Estimate, checks: Checks) -> tuple[Part, ...]:
    """Return the five parts of how sure one can be of an estimate that is available."""
    by_part: dict[PartName, list[CheckResult]] = {name: [] for name in rule.TITLES}
    for name, result in checks.items():
        by_part[part_of(name)].append(result)
    left_out: dict[PartName, list[str]] = {name: [] for name in rule.TITLES}
    for name in checks.omitted:
        left_out[part_of(name)].append(name.replace("_", " "))
    level = estimate.evidence_level
    found = (
        Part("design", rule.OF_DESIGN[level.level], f"Level {level.level} of 5 on the Maryland scale. {level.reason}"),
        _sample(design, tables, estimate, by_part["sample"]),
        _attrition(design, tables, estimate.estimand.measure, by_part["attrition"]),
        _balance(by_part["balance"], is_adjusted=level.level == LOTTERY and _adjusted_agrees(estimate)),
        _robustness(estimate, by_part["robustness"]),
    )
    return tuple(_without(part, left_out[part.name]) for part in found)


def _without(part: Part, left_out: list[str]) -> Part:
    """Return the part when checks of it were left out: it cannot be better than what was not looked at."""
    if not left_out:
        return part
    names = language.join([f"«{name}»" for name in left_out])
    return Part(part.name, min(part.counts_as, rule.NOT_LOOKED_AT), f"{part.reason} The programme left out {names}.")


def spread(design: EvaluationDesign, tables: Tables, measure: str) -> float | None:
    """Return the standard deviation of the outcome within the two groups, in its unit; None when it is not known.

    Where rows are places, the spread between persons is not in the data.
    """
    if (design.persons_in_rows(tables) != 1).any():
        return None
    values = tables.analysis(measure)["value"].to_numpy(dtype=float)
    treated = design.is_in_programme(tables, measure)
    groups = [values[arm & ~np.isnan(values)] for arm in (treated, ~treated)]
    freedom = sum(len(group) - 1 for group in groups if len(group) > 1)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups if len(group) > 1)
    return float(np.sqrt(squares / freedom)) if freedom > 0 and squares > 0 else None


def smallest_seen(estimate: Estimate) -> float:
    """Return the effect that is seen in 80% of such studies at the 5% level, whatever level the programme chose."""
    std_error = float(estimate.effects["std_error"].iloc[0])
    return minimum_detectable_effect(std_error, estimate.degrees_of_freedom, rule.SIGNIFICANCE, rule.POWER)


def lost(design: EvaluationDesign, tables: Tables, measure: str) -> tuple[float, float]:
    """Return the share of persons without an outcome, and how far the two groups differ in it; both 0 to 1.

    The first exclusion of every design is that of those without the outcome; of a duration, those who could not be
    followed to its horizon count too.
    """
    followed = isinstance(design, Duration)
    missing = is_lost(design, tables, measure) if followed else design.exclusions(tables, measure)[0].persons
    sizes = design.persons_in_rows(tables)
    treated = design.is_in_programme(tables, measure)
    shares = [
        float(np.average(missing[arm], weights=sizes[arm])) for arm in (treated, ~treated) if sizes[arm].sum() > 0
    ]
    everyone = float(np.average(missing, weights=sizes))
    return everyone, abs(shares[0] - shares[1]) if len(shares) == 2 else 0.0


def _sample(design: EvaluationDesign, tables: Tables, estimate: Estimate, checks: Iterable[CheckResult]) -> Part:
    seen, about = smallest_seen(estimate), estimate.estimand
    said = f"An effect of {estimate.in_words(seen)} is seen in {rule.POWER:.0%} of such studies"
    if about.smallest_relevant is not None:
        grade: int | None = rule.up_to(seen / about.smallest_relevant, rule.RELEVANT_LIMITS)
        times = language.number(seen / about.smallest_relevant, 1)
        argued = tables.measures[about.measure].smallest_relevant_reason
        said += f": {times} times the smallest effect that matters, {estimate.in_words(about.smallest_relevant)}."
        said += f" {argued}" if argued else ""
    else:
        width = spread(design, tables, about.measure)
        grade = None if width is None else rule.up_to(seen / width, rule.SPREAD_LIMITS)
        said += (
            "; the spread of the outcome between persons, to hold it against, is not in the data."
            if width is None
            else f": {language.number(seen / width, 2)} standard deviations of the outcome."
        )
    if estimate.n_clusters is not None and getattr(design, "clusters", None) is not None:
        groups = rule.of_clusters(estimate.n_clusters)
        grade = rule.weakest([grade, groups])
        few = (
            f", fewer than {rule.CLUSTER_LIMITS[0]}, so the error itself is known badly"
            if groups < max(rule.WORDS)
            else ""
        )
        said += f" It rests on {language.plural(estimate.n_clusters, 'group', 'groups')}{few}."
    return _with_checks(Part("sample", grade, said), checks)


def _attrition(design: EvaluationDesign, tables: Tables, measure: str, checks: Iterable[CheckResult]) -> Part:
    share, gap = lost(design, tables, measure)
    grades = rule.up_to(share, rule.LOST_LIMITS), rule.up_to(gap, rule.GAP_LIMITS)
    if share == 0:
        said = "The outcome is known for everybody."
    else:
        # Bands, since the numbers themselves may rest on few persons.
        said = (
            f"{_band(share, rule.LOST_LIMITS, '%')} of the persons have no outcome; the groups differ in that share by "
            f"{_band(gap, rule.GAP_LIMITS, ' percentage points').lower()}."
        )
    return _with_checks(Part("attrition", min(grades), said), checks)


def _balance(checks: list[CheckResult], *, is_adjusted: bool) -> Part:
    verdicts = [check.passed for check in checks]
    if not checks:
        return Part("balance", None, "No check says whether the groups were alike before the start.")
    if rule.of_verdicts(verdicts) is None:
        is_open = any(check.numbers for check in checks)
        return Part("balance", None, " ".join(check.reason for check in checks), is_open)
    part = _with_checks(Part("balance", None, ""), checks)
    if part.grade == 2 and is_adjusted:
        aside = "A lottery made the groups, and adjusting for what was known before does not change the answer."
        return Part("balance", 3, f"{part.reason} {aside}")
    return part


def _adjusted_agrees(estimate: Estimate) -> bool:
    """Tell whether estimates adjusted for traits were declared, and all lie in the headline's interval."""
    frame = estimate.effects
    first, others = frame.iloc[0], frame.iloc[1:]
    values = others.loc[[term.partition(",")[0] in _ADJUSTED for term in others["term"]], "value"]
    return len(values) > 0 and bool(values.between(float(first["lower"]), float(first["upper"])).all())


def _robustness(estimate: Estimate, checks: list[CheckResult]) -> Part:
    share, n = _agreement(estimate)
    said, grade = "No other way to estimate the same effect was declared.", None
    if n:
        grade = rule.of_agreement(share)
        said = (
            f"{round(share * n)} of {language.plural(n, 'other estimate lies', 'other estimates lie')} "
            "within the interval of the declared one."
        )
    return _with_checks(Part("robustness", grade, said), checks)


def _agreement(estimate: Estimate) -> tuple[float, int]:
    """Return the share of other estimates of the same effect that lie in the headline's interval, and their number."""
    frame = estimate.effects
    first = frame.iloc[0]
    others = frame.iloc[1:]
    keep = [
        not is_step(term) and term.partition(",")[0] not in _NAIVE and not term.startswith(_OTHER_QUESTION)
        for term in others["term"]
    ]
    values = others.loc[keep, "value"].to_numpy(dtype=float)
    inside = (values >= float(first["lower"])) & (values <= float(first["upper"]))
    return (float(inside.mean()) if len(values) else 1.0), len(values)


def _with_checks(part: Part, checks: Iterable[CheckResult]) -> Part:
    """Return the part after the verdicts of its checks: concerns pull it down, and none of them lifts it."""
    found = list(checks)
    verdict = rule.of_verdicts([check.passed for check in found])
    failed = [check.title for check in found if check.passed is False]
    n_decided = sum(check.passed is not None for check in found)
    said = part.reason
    if failed:
        concern = "raises concern" if len(failed) == 1 else "raise concern"
        said = f"{said} {language.join([f'«{title}»' for title in failed])} {concern}.".strip()
    elif n_decided:
        no_concern = "The check of it raises" if n_decided == 1 else f"All {n_decided} checks of it raise"
        said = f"{said} {no_concern} no concern.".strip()
    return Part(part.name, rule.weakest([part.grade, verdict]), said)


def _band(share: float, limits: tuple[float, float, float], unit: str) -> str:
    """Return a share as a band that tells of no single person.

    >>> _band(0.004, (0.1, 0.2, 0.4), "%"), _band(0.15, (0.1, 0.2, 0.4), "%"), _band(0.5, (0.1, 0.2, 0.4), "%")
    ('At most 10%', '10 to 20%', 'More than 40%')
    """
    said = [language.number(100 * limit) for limit in limits]
    if share <= limits[0] + 1e-12:
        return f"At most {said[0]}{unit}"
    for low, high, limit in zip(said[:-1], said[1:], limits[1:], strict=True):
        if share <= limit + 1e-12:
            return f"{low} to {high}{unit}"
    return f"More than {said[-1]}{unit}"
