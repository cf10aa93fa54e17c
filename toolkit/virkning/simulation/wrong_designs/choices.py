"""Scenes for checks of how persons came to the programme: by choice, by a score, by an offer that moves few."""

from __future__ import annotations

import numpy as np

from ...data import Tables
from ...designs import InstrumentalVariables, MatchedComparison, RegressionDiscontinuity
from ...estimand import Outcome
from ..made_up_tables import MEASURE, made_up, one_outcome
from ..worlds import WORDS
from .scene import QUICK, SPREAD, Scene, by_lot, by_trait

_EFFECT = 10.0
_PULL, _WEIGHT = 0.8, 5.0


def _hidden(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, the programme does nothing, and a trait that nobody measured decides as much as the known one."""
    n = 500
    known, hidden = generator.normal(0, 1, (2, n))
    took = by_trait(generator, _PULL * known + _PULL * is_broken * hidden, 1.0)
    value = 50 + _WEIGHT * known + generator.normal(0, SPREAD * np.sqrt(0.5), n)
    value += _WEIGHT * hidden if is_broken else _EFFECT * took
    return made_up(took, {MEASURE: value[:, None]}, ["end"], {"known": known})


def _placebo(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, a trait that nobody measured decides who takes part, and moves both outcomes."""
    n = 500
    known, hidden = generator.normal(0, 1, (2, n))
    took = by_trait(generator, _PULL * known + _PULL * is_broken * hidden, 1.0)
    noise = generator.normal(0, SPREAD * np.sqrt(0.5), (2, n))
    value = 50 + _WEIGHT * (known + hidden) + noise[0] + _EFFECT * took
    untouched = 50 + _WEIGHT * (known + hidden) + noise[1]
    measures = {
        **one_outcome("end"),
        "untouched": Outcome(label="Untouched", unit="points", kind="amount", period="end"),
    }
    values = {MEASURE: value[:, None], "untouched": untouched[:, None]}
    return made_up(took, values, ["end"], {"known": known}, measures)


def _measured(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, the programme does nothing, and the known trait makes the groups differ."""
    n = 500
    known = generator.normal(0, 1, n)
    took = by_trait(generator, known, _PULL * is_broken)
    value = 50 + _WEIGHT * known + generator.normal(0, SPREAD * np.sqrt(0.75), n) + _EFFECT * (not is_broken) * took
    return made_up(took, {MEASURE: value[:, None]}, ["end"], {"known": known})


_MOVED, _MOVED_FEW = 0.5, 0.04


def _offers(generator: np.random.Generator, is_broken: bool) -> Tables:
    """A lottery offers places; it makes half of the persons take part, or hardly anybody."""
    n = 500
    offered = by_lot(generator, n)
    eagerness = generator.random(n)
    moved = _MOVED_FEW if is_broken else _MOVED
    took = np.where(eagerness < 0.3, True, np.where(eagerness > 0.3 + moved, False, offered))
    value = 50 - 10 * eagerness + _EFFECT * took + generator.normal(0, SPREAD * np.sqrt(0.9), n)
    return made_up(took, {MEASURE: value[:, None]}, ["end"], {"is_offered": offered})


_PUSHED, _NEAR = 0.5, 0.1


def _score(generator: np.random.Generator, n: int) -> np.ndarray:
    return generator.uniform(-1, 1, n)


def _placed(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, half of those just below the cutoff are placed just above it."""
    n = 1000
    score = _score(generator, n)
    if is_broken:
        below = (score < 0) & (score > -_NEAR) & (generator.random(n) < _PUSHED)
        score = np.where(below, -score, score)
    return _jumps(generator, score, np.zeros(n))


def _jumps(generator: np.random.Generator, score: np.ndarray, more: np.ndarray, effect: float = 10.0) -> Tables:
    offered = score >= 0
    value = 50 + 6 * score - 3 * score**2 + effect * offered + more
    value += generator.normal(0, SPREAD * np.sqrt(0.5), len(score))
    return made_up(offered, {MEASURE: value[:, None]}, ["end"], {"test_score": score})


_OTHER_JUMP, _ELSEWHERE = 10.0, 1 / 3


def _other_rule(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, something else begins where a third of those above the cutoff are passed."""
    score = _score(generator, 2000)
    second = np.quantile(score[score >= 0], _ELSEWHERE)
    return _jumps(generator, score, _OTHER_JUMP * is_broken * (score >= second))


_BEST, _CLOSE = 0.5, 0.02


def _best_placed(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, the programme does nothing, and those of a small strip below who would fare best go above."""
    n = 6000
    score, better = _score(generator, n), generator.normal(0, 1, n)
    if is_broken:
        pushed = (score < 0) & (score > -_CLOSE) & (better > 0)
        score = np.where(pushed, -score, score)
    return _jumps(generator, score, _WEIGHT * 2 * better * is_broken, 0.0 if is_broken else 10.0)


_TRAIT_JUMPS = 1.0


def _unlike(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, one of two traits from before the decision jumps at the cutoff."""
    score = _score(generator, 2000)
    first, second = 0.5 * score + generator.normal(0, 1, (2, len(score)))
    first = first + _TRAIT_JUMPS * is_broken * (score >= 0)
    value = 50 + _WEIGHT * first + generator.normal(0, SPREAD * np.sqrt(0.5), len(score))
    columns = {"test_score": score, "first": first, "second": second}
    return made_up(score >= 0, {MEASURE: value[:, None]}, ["end"], columns)


_RULE = RegressionDiscontinuity(**WORDS, running="test_score", cutoff=0.0)

SCENES = (
    Scene(
        "a hidden trait",
        "hidden_confounding",
        f"500 persons choose, by a trait that is known; an effect of {_EFFECT:g} points.",
        "No effect, and a trait that nobody measured pulls as much, and matters as much for the outcome.",
        "Hidden traits stronger than any that was measured.",
        MatchedComparison(**WORDS, estimator="regression", covariates=("known",)),
        _hidden,
    ),
    Scene(
        "an outcome that cannot move",
        "placebo_outcome",
        f"500 persons choose, by a trait that is known; an effect of {_EFFECT:g} points on one of two outcomes.",
        "A trait that nobody measured pulls too, and matters for both outcomes.",
        "Hidden traits that do not matter for the placebo outcome.",
        MatchedComparison(**WORDS, estimator="regression", covariates=("known",)),
        _placebo,
        QUICK.model_copy(update={"placebo_outcomes": ("untouched",)}),
    ),
    Scene(
        "several ways to compare",
        "specification_curve",
        f"500 persons; who takes part is chance; an effect of {_EFFECT:g} points. The headline adjusts for nothing.",
        "No effect; a known trait, for which the other ways adjust, makes the groups differ.",
        "A fault that all declared ways share.",
        MatchedComparison(
            **WORDS,
            estimator="unadjusted",
            covariates=("known",),
            alternatives=[{"estimator": name} for name in ("regression", "weighting", "entropy_balancing")],
        ),
        _measured,
    ),
    Scene(
        "an offer",
        "instrument_strength",
        f"500 persons, half offered a place by lot; the offer moves {_MOVED:.0%} of them.",
        f"The offer moves {_MOVED_FEW:.0%} of them.",
        "Offers that work in another way than by the treatment.",
        InstrumentalVariables(**WORDS, treatment="is_treated", instruments=("is_offered",)),
        _offers,
    ),
    Scene(
        "a score with a cutoff",
        "density_at_cutoff",
        "1,000 persons; nobody can choose the side of the cutoff.",
        f"{_PUSHED:.0%} of those up to {_NEAR:g} below the cutoff, of scores from -1 to 1, are placed above it.",
        "As many moved down as up.",
        _RULE,
        _placed,
    ),
    Scene(
        "traits at a cutoff",
        "balance_at_cutoff",
        "2,000 persons; two traits from before the decision go with the score, and do not jump at the cutoff.",
        f"One of them jumps by {_TRAIT_JUMPS:g} standard deviation.",
        "Traits that nobody measured.",
        _RULE,
        _unlike,
        QUICK.model_copy(update={"benchmark_covariates": ("first", "second")}),
    ),
    Scene(
        "a second rule",
        "placebo_cutoffs",
        "2,000 persons; the outcome jumps by one standard deviation at the cutoff, and nowhere else.",
        "It jumps as much once more, where a third of those above the cutoff are passed.",
        "Jumps elsewhere than at the numbers that are tried.",
        _RULE,
        _other_rule,
    ),
    Scene(
        "the best placed above",
        "donut",
        "6,000 persons; the outcome jumps by one standard deviation at the cutoff.",
        f"No effect; of those up to {_CLOSE:g} below the cutoff, the better half is placed above it.",
        "Placing by more than the widths that are left out.",
        _RULE,
        _best_placed,
    ),
)
