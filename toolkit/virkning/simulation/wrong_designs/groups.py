"""Scenes for checks of groups: alike before the start, lost on the way, reached by the programme without an offer."""

from __future__ import annotations

import numpy as np

from ...data import Tables
from ...designs import Duration, MatchedComparison, RandomisedTrial
from ...estimand import Outcome
from ..made_up_tables import MEASURE, made_up, one_outcome
from ..worlds import WORDS
from .scene import QUICK, SPREAD, Array, Booleans, Scene, by_lot, by_trait

TRAITS = ("first", "second", "third")


def _noise(generator: np.random.Generator, n: int, share: float = 1.0) -> Array:
    return 50 + generator.normal(0, SPREAD * np.sqrt(share), n)


def _after_lots(generator: np.random.Generator, treated: Booleans, value: Array, **columns: Array) -> Tables:
    return made_up(treated, {MEASURE: value[:, None]}, ["end"], columns)


# How much higher a trait is, in standard deviations, among those offered the programme.
_TRAIT_HIGHER = 0.5


def _lottery(generator: np.random.Generator, is_broken: bool) -> Tables:
    n = 200
    treated = by_lot(generator, n)
    traits = {name: generator.normal(0, 1, n) for name in TRAITS}
    traits["first"] += _TRAIT_HIGHER * is_broken * treated
    return _after_lots(generator, treated, _noise(generator, n), **traits)


_PULL, _STRONG_PULL = 0.5, 4.0


def _choice(generator: np.random.Generator, is_broken: bool) -> Tables:
    n = 400
    traits = {name: generator.normal(0, 1, n) for name in ("first", "second")}
    took = by_trait(generator, traits["first"], _STRONG_PULL if is_broken else _PULL)
    return _after_lots(generator, took, _noise(generator, n), **traits)


_LOST, _LOST_MORE = 0.1, 0.12


def _losses(generator: np.random.Generator, is_broken: bool) -> Tables:
    n = 1000
    treated = by_lot(generator, n)
    lost = generator.random(n) < _LOST + _LOST_MORE * is_broken * ~treated
    return _after_lots(generator, treated, np.where(lost, np.nan, _noise(generator, n)))


_EFFECT = 8.0


def _lost_by_outcome(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, the programme does nothing, and a fifth of those offered it, with the lowest outcomes, leave."""
    n = 500
    treated = by_lot(generator, n)
    value = _noise(generator, n)
    lost = generator.random(n) < _LOST / 2
    if is_broken:
        lost = treated & (value < np.quantile(value[treated], 2 * _LOST))
    else:
        value = value + _EFFECT * treated
    return _after_lots(generator, treated, np.where(lost, np.nan, value))


_LOST_OF_LOW = 0.8


def _lost_by_trait(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, the programme does nothing, and most of those offered it who are low on a trait are lost."""
    n = 500
    treated = by_lot(generator, n)
    trait = generator.normal(0, 1, n)
    value = _noise(generator, n, 0.36) + 0.8 * SPREAD * trait
    lost = generator.random(n) < _LOST
    if is_broken:
        lost = treated & (trait < 0) & (generator.random(n) < _LOST_OF_LOW)
    else:
        value = value + _EFFECT * treated
    return _after_lots(generator, treated, np.where(lost, np.nan, value), first=trait)


_SCHOOLS, _FEW_SCHOOLS = 24, 4


def _drawn_clusters(generator: np.random.Generator, is_broken: bool) -> Tables:
    n_schools, size = _FEW_SCHOOLS if is_broken else _SCHOOLS, 40
    drawn = by_lot(generator, n_schools)
    school = np.repeat(np.arange(n_schools), size)
    value = _noise(generator, len(school)) + generator.normal(0, 3, n_schools)[school] + SPREAD * drawn[school]
    names = np.array([f"school {number}" for number in school], dtype=object)
    return made_up(drawn[school], {MEASURE: value[:, None]}, ["end"], {"school": names})


_REACHED = 3.0


def _neighbours(generator: np.random.Generator, is_broken: bool) -> Tables:
    n = 300
    treated, near = by_lot(generator, n), generator.normal(0, 1, n)
    value = _noise(generator, n) + _EFFECT * treated + _REACHED * is_broken * near * ~treated
    return _after_lots(generator, treated, value, nearness=near)


_FEW, _GAIN, _COST = 10, 300.0, 1.0


def _a_handful(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, ten of a thousand persons gain much, and everybody else who is offered the programme loses."""
    n = 1000
    treated = by_lot(generator, n)
    value = _noise(generator, n)
    if is_broken:
        value = value - _COST * treated
        value[generator.choice(np.flatnonzero(treated), _FEW, replace=False)] += _GAIN
    else:
        value = value + _EFFECT * treated
    return _after_lots(generator, treated, value)


_MANY = 10


def _many_outcomes(generator: np.random.Generator, is_broken: bool) -> Tables:
    n = 200
    treated = by_lot(generator, n)
    names = [MEASURE, *(f"score_{number}" for number in range(2, _MANY + 1))]
    shared = generator.normal(0, SPREAD * np.sqrt(0.3), n)
    values = {
        name: (_noise(generator, n, 0.7) + shared + _EFFECT * (not is_broken) * treated)[:, None] for name in names
    }
    others = {
        name: Outcome(label=f"Score {number}", unit="points", kind="amount", period="end")
        for number, name in enumerate(names[1:], start=2)
    }
    return made_up(treated, values, ["end"], measures={**one_outcome("end"), **others})


_RATE, _RATIO, _LATER_RATIO, _TURN = 1 / 50, 1.8, 0.5, 26.0


def _rates(generator: np.random.Generator, is_broken: bool) -> Tables:
    """Jobs come 1.8 times as fast with the programme; when broken, after half a year half as fast instead."""
    n = 600
    offered = by_lot(generator, n)
    needed = generator.exponential(1.0, n)
    early = _RATE * np.where(offered, _RATIO, 1.0)
    later = _RATE * np.where(offered, _LATER_RATIO if is_broken else _RATIO, 1.0)
    weeks = np.where(needed < early * _TURN, needed / early, _TURN + (needed - early * _TURN) / later)
    followed = np.minimum(weeks, 60.0)
    measures = {**one_outcome("end"), "has_job": Outcome(label="Found a job", unit="share", kind="share", period="end")}
    values = {MEASURE: followed[:, None], "has_job": (weeks <= 60.0).astype(np.float64)[:, None]}
    return made_up(offered, values, ["end"], measures=measures)


_TRIAL = RandomisedTrial(**WORDS, standard_errors="hc2")

SCENES = (
    Scene(
        "a lottery",
        "balance",
        "200 persons, half drawn by lot; three traits are known.",
        f"One trait is {_TRAIT_HIGHER:g} standard deviations higher among those offered the programme.",
        "Traits that nobody measured.",
        _TRIAL.model_copy(update={"covariates": TRAITS}),
        _lottery,
    ),
    Scene(
        "a choice",
        "overlap",
        f"400 persons choose; one standard deviation more of a trait multiplies the odds by {np.exp(_PULL):.1f}.",
        f"It multiplies them by {np.exp(_STRONG_PULL):.0f}, so that few who are alike chose otherwise.",
        "Groups that overlap on what was measured, and not on what was not.",
        MatchedComparison(**WORDS, estimator="weighting", covariates=("first", "second")),
        _choice,
    ),
    Scene(
        "lost in both groups",
        "attrition",
        f"1,000 persons, half drawn by lot; {_LOST:.0%} of both groups are lost.",
        f"{100 * _LOST_MORE:.0f} percentage points more of the comparison group are lost.",
        "Losses that are as many in both groups, and of different persons.",
        _TRIAL,
        _losses,
    ),
    Scene(
        "lost by how they fared",
        "attrition_bounds",
        f"500 persons, half drawn by lot; an effect of {_EFFECT:g} points; {_LOST / 2:.0%} are lost by chance.",
        f"No effect, and the {2 * _LOST:.0%} of those offered the programme who fare worst are lost.",
        "Offers that make some stay and others leave.",
        _TRIAL,
        _lost_by_outcome,
    ),
    Scene(
        "lost by a trait",
        "missing_data",
        f"500 persons, half drawn by lot; an effect of {_EFFECT:g} points; {_LOST:.0%} of the outcomes are missing.",
        f"No effect, and of those offered the programme who are below the mean of a known trait {_LOST_OF_LOW:.0%} "
        "have no outcome.",
        "Losses that hang on the outcome itself.",
        _TRIAL.model_copy(update={"covariates": ("first",)}),
        _lost_by_trait,
    ),
    Scene(
        "schools drawn by lot",
        "randomisation_inference",
        f"Half of {_SCHOOLS} schools of 40 pupils are drawn; the effect is one standard deviation.",
        f"Half of {_FEW_SCHOOLS} schools are drawn: too few for clustered errors.",
        "Errors that are a little wrong: two p-values must contradict each other.",
        RandomisedTrial(**WORDS, clusters="school", standard_errors="clustered"),
        _drawn_clusters,
    ),
    Scene(
        "some live near",
        "spillover",
        "300 persons, half drawn by lot; how near the others are to the programme does not matter.",
        f"Each standard deviation nearer adds {_REACHED:g} points for those who were not offered it.",
        "A programme that reaches the whole comparison group alike.",
        _TRIAL,
        _neighbours,
        QUICK.model_copy(update={"spillover_exposure": "nearness"}),
    ),
    Scene(
        "a handful gains",
        "leave_one_out",
        f"1,000 persons, half drawn by lot; everybody gains {_EFFECT:g} points.",
        f"{_FEW} persons gain {_GAIN:g} points, and everybody else who is offered the programme loses {_COST:g}.",
        "An effect that rests on more than a few.",
        _TRIAL,
        _a_handful,
    ),
    Scene(
        "many outcomes",
        "several_outcomes",
        f"200 persons, half drawn by lot; all of {_MANY} outcomes gain {_EFFECT:g} points.",
        "No outcome gains anything.",
        "Outcomes that were looked at and not declared.",
        _TRIAL,
        _many_outcomes,
    ),
    Scene(
        "weeks until a job",
        "proportional_hazards",
        f"600 persons, half drawn by lot; jobs come {_RATIO:g} times as fast with the programme.",
        f"After {_TURN:g} weeks they come {_LATER_RATIO:g} times as fast instead.",
        "Curves that part and meet again within a short time.",
        Duration(**WORDS, assignment="lottery", follow_up={MEASURE: {"event": "has_job", "horizon": 52.0}}),
        _rates,
    ),
)
