"""One made-up world for each design: a truth, assumptions that hold, and persons to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..data import Tables
from ..designs import (
    BeforeAfter,
    DifferenceInDifferences,
    Duration,
    EvaluationDesign,
    InstrumentalVariables,
    InterruptedTimeSeries,
    MatchedComparison,
    Panel,
    RandomisedTrial,
    RegressionDiscontinuity,
    StaggeredAdoption,
    SyntheticControl,
)
from ..estimand import Outcome
from .made_up_tables import MEASURE, made_up, one_outcome

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator], Tables]

EFFECT = 5.0


@dataclass(frozen=True)
class World:
    """A made-up world.

    Attributes
    ----------
    name : str
        Its name; a part of the seed of every draw.
    words : str
        What it is like, for the reader.
    design : EvaluationDesign
        How it is evaluated.
    truths : mapping of str to float
        The true effect, in points, for each term that is looked at.
    draw : callable
        Takes a generator, returns tables of persons.
    misled : tuple of str
        Terms whose assumptions this world breaks; shown so that the reader sees what then happens.
    """

    name: str
    words: str
    design: EvaluationDesign
    truths: Mapping[str, float]
    draw: Draw = field(repr=False)
    misled: tuple[str, ...] = ()


WORDS = {"population": "the persons of this made-up world", "comparison": "those not offered the programme"}


def _lot(generator: np.random.Generator, n: int) -> NDArray[np.bool_]:
    """Return an assignment of half of n persons by lot."""
    return generator.permutation(np.arange(n) < n // 2)


def _trial(generator: np.random.Generator) -> Tables:
    """Effects differ between persons, and so does the spread of the two groups."""
    n = 160
    trait = generator.normal(0, 1, n)
    treated = _lot(generator, n)
    effect = EFFECT + 2 * trait + generator.normal(0, 3, n)
    value = 50 + 6 * trait + effect * treated + generator.normal(0, 8, n)
    return made_up(treated, {MEASURE: value[:, None]}, ["end"], {"trait": trait})


_STARTS = np.repeat([3, 4, 5, 99], 60)
_YEARS = np.arange(1, 7)


def _after_start(start: NDArray[np.int64]) -> Array:
    """Return the effect by person and year: it grows by one point a year."""
    years_on = _YEARS[None, :] - start[:, None]
    return np.where(years_on >= 0, EFFECT + years_on, 0.0)


def _staggered(generator: np.random.Generator) -> Tables:
    """Cohorts differ in level; a common trend; the effect grows, which misleads two-way fixed effects."""
    start = generator.permutation(_STARTS)
    level = 0.5 * np.minimum(start, 6) + generator.normal(0, 5, len(start))
    noise = generator.normal(0, 4, (len(start), len(_YEARS)))
    value = 50 + level[:, None] + 1.5 * _YEARS + _after_start(start) + noise
    first = np.array([str(year) if year < 99 else None for year in start], dtype=object)
    return made_up(start < 99, {MEASURE: value}, [str(year) for year in _YEARS], {"first_treated_period": first})


def _staggered_truth() -> float:
    effects = _after_start(_STARTS)
    return float(effects[effects > 0].mean())


def _two_groups(generator: np.random.Generator) -> Tables:
    """The groups differ in level and share a trend; a person's outcomes are correlated over time."""
    n, years = 160, 4
    treated = _lot(generator, n)
    person = generator.normal(0, 6, n) + 4 * treated
    noise = np.cumsum(generator.normal(0, 2.5, (n, years)), axis=1)
    value = 50 + person[:, None] + 1.2 * np.arange(years) + noise
    value[:, 2:] += EFFECT * treated[:, None]
    return made_up(treated, {MEASURE: value}, [str(year) for year in range(years)])


def _some_comply(generator: np.random.Generator) -> Tables:
    """A lottery offers places; the eager take part more often and would fare better anyway."""
    n = 1000
    offered = _lot(generator, n)
    eagerness = generator.normal(0, 1, n)
    always, never = eagerness > 1.2, eagerness < -0.5
    took: NDArray[np.bool_] = np.where(always, True, np.where(never, False, offered))
    value = 50 + 5 * eagerness + EFFECT * took + generator.normal(0, 7, n)
    return made_up(took, {MEASURE: value[:, None]}, ["end"], {"is_offered": offered})


def _comes_and_goes(generator: np.random.Generator) -> Tables:
    """Persons with a higher level attend more often; attendance changes from year to year."""
    n, years = 120, 5
    person = generator.normal(0, 5, n)
    attends: NDArray[np.bool_] = generator.random((n, years)) < 1 / (1 + np.exp(-person[:, None] / 5))
    value = 50 + person[:, None] + 1.1 * np.arange(years) + EFFECT * attends
    value += generator.normal(0, 4, (n, years))
    measures = {
        **one_outcome(str(years - 1)),
        "attends": Outcome(label="Attends", unit="share", kind="share", period=str(years - 1)),
    }
    return made_up(
        np.asarray(attends.any(axis=1)),
        {MEASURE: value, "attends": attends.astype(np.float64)},
        [str(year) for year in range(years)],
        measures=measures,
    )


def _chosen(generator: np.random.Generator) -> Tables:
    """The better off take part more often; all that decided it is measured."""
    n = 500
    traits = generator.normal(0, 1, (n, 2))
    took: NDArray[np.bool_] = generator.random(n) < 1 / (1 + np.exp(0.8 - 0.7 * traits[:, 0] + 0.5 * traits[:, 1]))
    value = 50 + 4 * traits[:, 0] + 3 * traits[:, 1] + EFFECT * took + generator.normal(0, 6, n)
    return made_up(took, {MEASURE: value[:, None]}, ["end"], {"first": traits[:, 0], "second": traits[:, 1]})


def _only_participants(generator: np.random.Generator) -> Tables:
    """Nothing else changes over time, and nobody was chosen for a bad spell: what this design must take for granted."""
    n = 80
    person = generator.normal(50, 8, n)
    value = person[:, None] + generator.normal(0, 4, (n, 2)) + [0, EFFECT]
    return made_up(np.ones(n, dtype=bool), {MEASURE: value}, ["before", "after"])


def _few_clusters(generator: np.random.Generator) -> Tables:
    """Twelve schools of unequal size, five of them drawn; pupils of a school resemble each other."""
    sizes = np.array([8, 8, 10, 10, 12, 12, 14, 16, 18, 20, 26, 30])
    school = np.repeat(np.arange(len(sizes)), sizes)
    drawn = generator.permutation(len(sizes)) < 5
    value = 50 + generator.normal(0, 3, len(sizes))[school] + EFFECT * drawn[school]
    value = value + generator.normal(0, 8, len(school))
    names = np.array([f"school {number}" for number in school], dtype=object)
    return made_up(drawn[school], {MEASURE: value[:, None]}, ["end"], {"school": names})


# Weeks until a job comes, at constant rates: the difference in means up to a year follows from the rates alone.
_RATES, _HORIZON = (1 / 60, 1 / 40), 52.0


def _restricted_means() -> float:
    """Return the true difference in mean weeks without a job, up to the horizon."""
    without, offered = ((1 - np.exp(-rate * _HORIZON)) / rate for rate in _RATES)
    return float(offered - without)


def _until_a_job(generator: np.random.Generator) -> Tables:
    """A lottery; a job comes at a constant rate, sooner with the programme; a fifth are lost on the way."""
    n = 300
    offered = _lot(generator, n)
    weeks = generator.exponential(1 / np.where(offered, _RATES[1], _RATES[0]))
    lost = generator.exponential(200.0, n)
    followed = np.minimum(np.minimum(weeks, lost), 60.0)
    found = (weeks <= followed).astype(np.float64)
    measures = {
        **one_outcome("end"),
        "has_job": Outcome(label="Found a job", unit="share", kind="share", period="end"),
    }
    values = {MEASURE: followed[:, None], "has_job": found[:, None]}
    return made_up(offered, values, ["end"], measures=measures)


def _by_a_score(generator: np.random.Generator) -> Tables:
    """Whoever scores 0 or more is offered the programme; the outcome bends gently with the score."""
    n = 1000
    score = generator.uniform(-1, 1, n)
    offered = score >= 0
    value = 50 + 6 * score - 3 * score**2 + 2 * score**3 + EFFECT * offered + generator.normal(0, 6, n)
    return made_up(offered, {MEASURE: value[:, None]}, ["end"], {"test_score": score})


def _places(generator: np.random.Generator) -> Tables:
    """Places moved by two common tides; those where a tide is high start in the eighth year more often."""
    n, years, start = 22, 10, 7
    loading = generator.uniform(0.6, 1.4, (n, 2))
    treated = np.zeros(n, dtype=bool)
    treated[generator.choice(n, 4, replace=False, p=loading[:, 0] / loading[:, 0].sum())] = True
    tides = np.cumsum(generator.normal(0.3, 1, (2, years)), axis=1)
    value = 50 + loading @ tides + generator.normal(0, 1.5, (n, years))
    value[treated, start:] += EFFECT
    return made_up(treated, {MEASURE: value}, [f"{year:02d}" for year in range(years)])


def _one_series(generator: np.random.Generator) -> Tables:
    """One place over 48 months, a straight line before the start, and months that resemble the one before."""
    months, start = 48, 30
    noise = np.zeros(months)
    shocks = generator.normal(0, 2, months)
    noise[0] = shocks[0] / np.sqrt(1 - 0.4**2)
    for month in range(1, months):
        noise[month] = 0.4 * noise[month - 1] + shocks[month]
    value = 50 + 0.2 * np.arange(months) + EFFECT * (np.arange(months) >= start) + noise
    names = [f"{month:02d}" for month in range(months)]
    return made_up(np.ones(1, dtype=bool), {MEASURE: value[None, :]}, names, {"n_persons": np.array([50])})


def _same(*terms: str) -> Mapping[str, float]:
    return dict.fromkeys(terms, EFFECT)


def _alternatives(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"estimator": estimator, "standard_errors": errors} for estimator, errors in pairs]


_ALL = (
    World(
        "trial",
        "160 persons, half drawn by lot; the effect differs between persons, and a trait predicts the outcome.",
        RandomisedTrial(
            **WORDS,
            covariates=("trait",),
            alternatives=_alternatives(("difference_in_means", "classical"), ("ancova", "hc2"), ("lin", "hc2")),
        ),
        _same("difference_in_means, hc2", "difference_in_means, classical", "ancova, hc2", "lin, hc2"),
        _trial,
    ),
    World(
        "twelve schools",
        "Twelve schools of 8 to 30 pupils, five of them drawn by lot; pupils of a school are alike.",
        RandomisedTrial(
            **WORDS,
            clusters="school",
            standard_errors="cr2",
            alternatives=_alternatives(
                ("difference_in_means", "wild_bootstrap"),
                ("difference_in_means", "clustered"),
            ),
        ),
        _same("difference_in_means, cr2", "difference_in_means, wild_bootstrap", "difference_in_means, clustered"),
        _few_clusters,
        misled=("difference_in_means, clustered",),
    ),
    World(
        "weeks until a job",
        "300 persons, half drawn by lot; jobs come at a constant rate, sooner with the programme; some are lost.",
        Duration(**WORDS, assignment="lottery", follow_up={MEASURE: {"event": "has_job", "horizon": _HORIZON}}),
        dict.fromkeys(("difference_in_means, greenwood",), _restricted_means()),
        _until_a_job,
    ),
    World(
        "offered from a score on",
        "1,000 persons; whoever scores 0 or more is offered the programme; the outcome bends gently with the score.",
        RegressionDiscontinuity(**WORDS, running="test_score", cutoff=0.0),
        _same("bias_corrected, robust", "conventional, conventional"),
        _by_a_score,
    ),
    World(
        "places on common tides",
        "22 places in ten years, moved by two common tides; four start in the eighth, more often where a tide is high.",
        SyntheticControl(
            **WORDS,
            start="07",
            estimator="synthetic_differences",
            placebo_runs=50,
            alternatives=[{"estimator": "synthetic_control"}, {"estimator": "difference_in_differences"}],
        ),
        _same(
            *(
                f"{name}, placebo"
                for name in ("synthetic_differences", "synthetic_control", "difference_in_differences")
            )
        ),
        _places,
        misled=("difference_in_differences, placebo",),
    ),
    World(
        "one series of months",
        "One place over 48 months; the start is in month 30, and a month is like the one before.",
        InterruptedTimeSeries(
            **WORDS,
            start="30",
            persons_per_row="n_persons",
            alternatives=[{"estimator": name} for name in ("prais_winsten", "newey_west", "least_squares")],
        ),
        _same(
            *(f"average, {name}" for name in ("restricted_likelihood", "prais_winsten", "newey_west", "least_squares"))
        ),
        _one_series,
        misled=("average, least_squares",),
    ),
    World(
        "staggered start",
        "180 persons start in three different years and 60 never; the effect grows by a point a year.",
        StaggeredAdoption(**WORDS),
        dict.fromkeys(("simple", "two-way fixed effects"), _staggered_truth()),
        _staggered,
        misled=("two-way fixed effects",),
    ),
    World(
        "two groups before and after",
        "160 persons in four years; the groups differ in level and share a trend; a person's years are alike.",
        DifferenceInDifferences(**WORDS, sampling="panel", before=("0", "1"), after=("2", "3")),
        _same("two_by_two, clustered"),
        _two_groups,
    ),
    World(
        "lottery that not all obey",
        "1,000 persons, half offered a place; the eager take one anyway, the reluctant never, and both would fare "
        "differently.",
        InstrumentalVariables(
            **WORDS,
            treatment="is_treated",
            instruments=("is_offered",),
            alternatives=_alternatives(("liml", "hc1"), ("ordinary_least_squares", "hc1")),
        ),
        _same("two_stage_least_squares, hc1", "liml, hc1", "ordinary_least_squares, hc1"),
        _some_comply,
        misled=("ordinary_least_squares, hc1",),
    ),
    World(
        "attendance that comes and goes",
        "120 persons in five years; those with a higher level attend more often.",
        Panel(
            **WORDS,
            treatment_measure="attends",
            alternatives=_alternatives(("first_differences", "clustered"), ("pooled_least_squares", "clustered")),
        ),
        _same("fixed_effects, clustered", "first_differences, clustered", "pooled_least_squares, clustered"),
        _comes_and_goes,
        misled=("pooled_least_squares, clustered",),
    ),
    World(
        "chosen by measured traits",
        "500 persons; two measured traits decide who takes part, and both matter for the outcome.",
        MatchedComparison(
            **WORDS,
            estimator="doubly_robust",
            covariates=("first", "second"),
            alternatives=[
                {"estimator": name}
                for name in ("weighting", "entropy_balancing", "regression", "matching", "unadjusted")
            ],
        ),
        _same(
            "doubly_robust, sandwich",
            "weighting, sandwich",
            "entropy_balancing, sandwich",
            "regression, hc2",
            "matching, ai_score",
            "unadjusted, hc2",
        ),
        _chosen,
        misled=("unadjusted, hc2",),
    ),
    World(
        "only participants",
        "80 persons before and after, in a world where nothing else changes.",
        BeforeAfter(**WORDS, before=("before",)),
        _same("change"),
        _only_participants,
    ),
)

WORLDS: Mapping[str, World] = MappingProxyType({world.name: world for world in _ALL})
