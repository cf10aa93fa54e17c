"""Sentences with unit, interval and comparison; a number in prose is always computed here."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .. import language
from ..errors import EstimationError
from ..estimand import Estimand
from ..estimates import Estimate, Interval
from . import benchmarks
from .exhibit import Exhibit, prose

Verdict = Literal["better", "worse", "changed", "negligible", "unclear", "unavailable"]
VERDICTS: dict[Verdict, str] = {
    "better": "An effect was found",
    "worse": "A harmful effect was found",
    "changed": "An effect was found",
    "negligible": "No effect worth the name",
    "unclear": "No clear effect",
    "unavailable": "Cannot be estimated",
}


# Levels of the Maryland scale at which the words differ.
LOTTERY, ALONE = 5, 1


@dataclass(frozen=True)
class Scale:
    """How values of an outcome are said: factor, words for the unit, decimals."""

    factor: float
    unit: str
    digits: int

    @classmethod
    def of(cls, estimand: Estimand, size: float = 0.0) -> Scale:
        """Return the scale of an estimand: shares are read as «per 100 people», amounts in their unit."""
        if estimand.kind == "share":
            return cls(100.0, "per 100 people", 1)
        return cls(1.0, estimand.unit, language.digits_for(estimand.kind, size))

    def say(self, value: float, *, signed: bool = False) -> str:
        """Return the number alone."""
        return language.number(value * self.factor, self.digits, signed=signed)

    def with_unit(self, value: float) -> str:
        """Return the number with its unit."""
        return f"{self.say(value)} {self.unit}"


def verdict(estimate: Estimate) -> Verdict:
    """Return the answer by rule: the interval lies on the good side of zero, on the bad side, or holds zero.

    Where the smallest effect that matters is declared, an interval that lies wholly below it, on both sides of zero,
    says that there is no effect worth the name.
    """
    if not estimate.is_available:
        return "unavailable"
    best, matters = estimate.headline(), estimate.estimand.smallest_relevant
    if matters is not None and -matters < best.lower and best.upper < matters:
        return "negligible"
    if best.lower <= 0 <= best.upper:
        return "unclear"
    if estimate.estimand.better == "neither":
        return "changed"
    return "better" if (best.value > 0) == (estimate.estimand.better == "higher") else "worse"


def is_lottery(estimate: Estimate) -> bool:
    """Tell whether the mean of the comparison group says what would have been without the programme.

    Only a lottery makes it so; elsewhere the groups may differ in level from the start.
    """
    return estimate.evidence_level.level == LOTTERY


def verdict_text(estimate: Estimate) -> str:
    """Return the verdict in words; without a comparison group only a change was seen, not an effect."""
    words = VERDICTS[verdict(estimate)]
    if verdict(estimate) == "unclear" and estimate.estimand.smallest_relevant is not None:
        return "Too uncertain to say"
    if estimate.evidence_level.level > ALONE:
        return words
    return (
        words.replace("A harmful effect was found", "A change for the worse was seen")
        .replace("An effect was found", "A change was seen")
        .replace("No clear effect", "No clear change")
        .replace("No effect worth the name", "No change worth the name")
    )


def relevance_text(estimate: Estimate) -> str:
    """Return how the interval lies to the smallest effect that matters; empty when none is declared."""
    matters = estimate.estimand.smallest_relevant
    if matters is None or not estimate.is_available:
        return ""
    best = estimate.headline()
    smallest = (
        f"The smallest effect that matters was declared as {Scale.of(estimate.estimand, matters).with_unit(matters)}"
    )
    found = verdict(estimate)
    if found == "negligible":
        return f"{smallest}: the whole interval lies below it."
    if found == "unclear":
        return f"{smallest}: the interval holds both that and no effect at all, so the question stays open."
    nearest = min(abs(best.lower), abs(best.upper))
    return (
        f"{smallest}: {'all of the interval is at least that.' if nearest >= matters else 'this one may be smaller.'}"
    )


def percent(estimand: Estimand, *values: float, opening: str = " (", closing: str = ")", signed: bool = True) -> str:
    """Return differences of logarithms as changes in per cent, «6% to 38%», with what goes around; else nothing.

    A difference d multiplies the quantity by exp(d), so that 0.191 means 21% more and -0.252 means 22% less.
    """
    if estimand.kind != "log":
        return ""
    changes = [100 * math.expm1(value) for value in values]
    return opening + " to ".join(f"{language.number(c if signed else abs(c))}%" for c in changes) + closing


def headline_text(estimate: Estimate) -> str:
    """Return the headline effect with unit, interval and comparison, and whether it is large enough to matter."""
    return f"{_headline(estimate)} {relevance_text(estimate)}".rstrip()


def _headline(estimate: Estimate) -> str:
    about = estimate.estimand
    if not estimate.is_available:
        return f"{about.outcome}: the effect cannot be estimated. {estimate.unavailable_reason}"
    best = estimate.headline()
    scale = Scale.of(about, best.value)
    level = language.number(best.level * 100, 0 if round(best.level * 100, 6) % 1 == 0 else 1)
    levels = Scale.of(about, estimate.comparison_mean)
    against = (
        f"compared with {about.comparison}"
        if not is_lottery(estimate)
        else f"{about.comparison} had {levels.with_unit(estimate.comparison_mean)}"
        if about.kind == "share"
        else f"the average for {about.comparison} was {levels.with_unit(estimate.comparison_mean)}"
    )
    if best.lower <= 0 <= best.upper:
        return (
            f"{about.outcome}: no clear difference. "
            f"The best estimate is {scale.say(best.value, signed=True)} {scale.unit}{percent(about, best.value)}, but "
            f"the {level}% confidence interval goes from {scale.say(best.lower)} to {scale.say(best.upper)}"
            f"{percent(about, best.lower, best.upper)}; {against}."
        )
    direction = "higher" if best.value > 0 else "lower"
    # «8 lower» has no sign, so neither has its interval; the end nearer to zero comes first.
    ends = sorted((best.lower, best.upper), key=abs)
    changes = percent(about, *ends, opening=", or ", closing="", signed=False)
    return (
        f"{about.outcome}: {scale.with_unit(abs(best.value))}{percent(about, best.value, signed=False)} {direction} "
        f"for {about.population}{' when offered the programme' if is_lottery(estimate) else ''} "
        f"({level}% confidence interval {' to '.join(scale.say(abs(end)) for end in ends)}"
        f"{'' if best.value > 0 else ' lower'}{changes}); {against}."
    )


def headline(estimate: Estimate) -> Exhibit:
    """Return the headline sentence as an exhibit."""
    return prose(f"headline-{estimate.estimand.measure}", headline_text(estimate))


def estimand_text(estimate: Estimate) -> Exhibit:
    """Return, in one sentence, what exactly is estimated."""
    about = estimate.estimand
    horizon = f", {about.horizon}" if about.horizon else ""
    unit = "share of people (shown per 100)" if about.kind == "share" else about.unit
    count = estimate.degrees_of_freedom
    freedom = (
        f"{language.number(count)} degrees of freedom: {estimate.degrees_of_freedom_rule}"
        if math.isfinite(count)
        else "the normal distribution, as errors do that hold in large samples"
    )
    return prose(
        f"estimand-{about.measure}",
        f"**What is estimated.** The {about.quantity} on *{about.outcome}* "
        f"({unit}{horizon}), among {about.population}, "
        f"compared with {about.comparison}. Method: {estimate.method.name} {{cite:p}}`{estimate.method.citation}`; "
        f"see {{doc}}`the chapter on the method <methods/{estimate.method.chapter}>`. "
        f"The interval uses {freedom}."
        + (f"\n\n{held}" if (held := benchmarks.text(estimate, _scale(estimate).with_unit)) else ""),
    )


def _scale(estimate: Estimate) -> Scale:
    """Return the scale that fits the headline."""
    return Scale.of(estimate.estimand, estimate.headline().value if estimate.is_available else 0.0)


def evidence(estimate: Estimate) -> Exhibit:
    """Return the evidence level on the Maryland scale with its reason."""
    level = estimate.evidence_level
    raised = f" {level.raise_by}" if level.raise_by else ""
    return prose("evidence-level", f"**Evidence level {level.level} of 5** (Maryland scale): {level.reason}{raised}")


def warnings(estimate: Estimate) -> Exhibit:
    """Return what the reader must know before believing the estimate, one bullet each."""
    lines = "\n".join(f"- {text}" for text in estimate.warnings) or "The method raised no warnings."
    return prose(f"warnings-{estimate.estimand.measure}", lines)


def reproduces(
    estimate: Estimate, *, term: str, published: float, published_error: float, source: str, digits: int = 0
) -> Exhibit:
    """Return a sentence that holds our numbers against published ones.

    Parameters
    ----------
    estimate : Estimate
        Holds the term.
    term : str
        The row of ``effects`` that corresponds to the published number.
    published, published_error : float
        Estimate and standard error as printed, in the estimand's unit.
    source : str
        Citation key.
    digits : int
        Decimals of the printed numbers.

    Raises
    ------
    EstimationError
        The numbers differ in a printed digit: a book that claims to reproduce must not be published then.
    """
    row = estimate.effects.set_index("term").loc[term]
    ours = np.array([row["value"], row["std_error"]], dtype=float)
    if not (np.abs(ours - [published, published_error]) <= 0.5 * 10.0**-digits).all():
        raise EstimationError(
            "estimation.not_reproduced",
            "The published result is not reproduced to its printed digits.",
            where=f"{estimate.estimand.measure}, {term}",
            why="The book says that it reproduces this result.",
            do="Compare the sample, the covariates and the kind of standard error with the publication.",
        )
    unit = estimate.estimand.unit
    say = [language.number(value, digits) for value in (published, published_error, *ours)]
    return prose(
        "reproduces",
        f"Published by {{cite:t}}`{source}`: **{say[0]}** {unit} (standard error {say[1]}). "
        f"Computed here: **{say[2]}** {unit} (standard error {say[3]}). They agree to every printed digit.",
    )


ESTIMATORS = {
    "difference_in_means": "Difference in means",
    "ancova": "Adjusted for baseline (ANCOVA)",
    "lin": "Adjusted, interacted (Lin)",
    "two_by_two": "Two groups, two periods",
    "two_stage_least_squares": "Two-stage least squares",
    "liml": "Limited-information maximum likelihood",
    "ordinary_least_squares": "Least squares",
    "bias_corrected": "Corrected for bias",
    "compliers": "Those who took part because they were offered it",
    "simple": "Average over cohorts and periods",
    "dynamic": "Average over time since the start",
    "group": "Average over cohorts",
    "calendar": "Average over calendar periods",
    "fixed_effects": "Fixed effects",
    "first_differences": "First differences",
    "random_effects": "Random effects",
    "correlated_random_effects": "Correlated random effects",
    "pooled_least_squares": "Pooled least squares",
    "unadjusted": "Not adjusted",
    "regression": "Regression",
    "regression_adjustment": "Regression adjustment",
    "weighting": "Inverse-probability weighting",
    "entropy_balancing": "Entropy balancing",
    "doubly_robust": "Doubly robust",
    "adjusted": "Adjusted for covariates",
}
ERRORS = {
    "classical": "classical errors",
    "clustered": "clustered errors",
    "two_way": "errors clustered two ways",
    "cr2": "clustered errors for few clusters (CR2)",
    "wild_bootstrap": "wild cluster bootstrap",
    "paired": "errors of pairs",
    "greenwood": "Greenwood errors",
    "sandwich": "robust errors",
    "robust": "robust interval",
    "conventional": "conventional interval",
    "ai_score": "errors for an estimated score",
    "ai_robust": "matching errors",
    "ai_homoskedastic": "matching errors, equal spread",
    **{name: f"robust errors ({name.upper()})" for name in ("hc1", "hc2", "hc3")},
}


def term_label(term: str) -> str:
    """Return a term of an estimate in words.

    >>> term_label("difference_in_means, hc2")
    'Difference in means, robust errors (HC2)'
    """
    estimator, _, error = term.partition(", ")
    # A term may name columns, such as «matching exact on is_female».
    words = re.sub(r"\b(?:is|has|had)_", "", estimator).replace("_", " ")
    name = ESTIMATORS.get(estimator, words[:1].upper() + words[1:])
    return f"{name}, {ERRORS.get(error, error)}" if error else name


def interval_words(interval: Interval, estimand: Estimand) -> str:
    """Return «551 to 3,038 USD»."""
    scale = Scale.of(estimand, interval.value)
    changes = percent(estimand, interval.lower, interval.upper, opening=", or ", closing="")
    return f"{scale.say(interval.lower)} to {scale.say(interval.upper)} {scale.unit}{changes}"
