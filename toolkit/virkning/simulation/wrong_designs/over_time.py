"""Scenes for checks of what is followed over time: groups that drift apart, alike periods, places unlike others."""

from __future__ import annotations

import numpy as np

from ...data import Tables
from ...designs import DifferenceInDifferences, InterruptedTimeSeries, Panel, SyntheticControl
from ...estimand import Outcome
from ..made_up_tables import MEASURE, made_up, one_outcome
from ..worlds import WORDS
from .scene import SPREAD, Scene, by_lot

_EFFECT, _DRIFT = 10.0, 3.0
_BEFORE, _AFTER = 4, 2


def _two_groups(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, the programme does nothing, and those offered it drift away all the time."""
    n, years = 200, np.arange(_BEFORE + _AFTER)
    treated = by_lot(generator, n)
    level = generator.normal(0, SPREAD * np.sqrt(0.5), n) + 5 * treated
    value = 50 + level[:, None] + 1.2 * years + generator.normal(0, SPREAD * np.sqrt(0.5), (n, len(years)))
    if is_broken:
        value += _DRIFT * years * treated[:, None]
    else:
        value[:, _BEFORE:] += _EFFECT * treated[:, None]
    return made_up(treated, {MEASURE: value}, [str(year) for year in years])


_TWO_GROUPS = DifferenceInDifferences(
    **WORDS,
    sampling="panel",
    before=tuple(str(year) for year in range(_BEFORE)),
    after=tuple(str(year) for year in range(_BEFORE, _BEFORE + _AFTER)),
)

_PULL = 1.0


def _comes_and_goes(generator: np.random.Generator, is_broken: bool) -> Tables:
    n, years = 120, 4
    person = generator.normal(0, SPREAD * np.sqrt(0.6), n)
    pull = _PULL * is_broken * person / person.std()
    attends = generator.random((n, years)) < 1 / (1 + np.exp(-pull[:, None]))
    value = 50 + person[:, None] + 4 * attends + generator.normal(0, SPREAD * np.sqrt(0.4), (n, years))
    last = str(years - 1)
    measures = {
        **one_outcome(last),
        "attends": Outcome(label="Attends", unit="share", kind="share", period=last),
    }
    values = {MEASURE: value, "attends": attends.astype(np.float64)}
    return made_up(np.asarray(attends.any(axis=1)), values, [str(year) for year in range(years)], measures=measures)


_MONTHS, _START, _LIKENESS = 60, 36, 0.5


def _one_series(generator: np.random.Generator, is_broken: bool) -> Tables:
    likeness = _LIKENESS * is_broken
    noise = generator.normal(0, 2, _MONTHS)
    for month in range(1, _MONTHS):
        noise[month] += likeness * noise[month - 1]
    value = 50 + 0.1 * np.arange(_MONTHS) + 5 * (np.arange(_MONTHS) >= _START) + noise
    names = [f"{month:02d}" for month in range(_MONTHS)]
    return made_up(np.ones(1, dtype=bool), {MEASURE: value[None, :]}, names, {"n_persons": np.array([500])})


_PLACES, _YEARS, _FROM, _APART = 24, 14, 10, 1.5


def _places(generator: np.random.Generator, is_broken: bool) -> Tables:
    """When broken, the programme does nothing, and its place moves away from all others, before as after."""
    treated = np.arange(_PLACES) == 0
    loading = generator.uniform(0.5, 1.5, _PLACES)
    loading[0] = 1.0
    years = np.arange(_YEARS)
    tide = np.cumsum(generator.normal(0.3, 1, _YEARS))
    value = 50 + loading[:, None] * tide + generator.normal(0, 1, (_PLACES, _YEARS))
    if is_broken:
        value[0] += _APART * (years - years.mean())
    else:
        value[0, _FROM:] += _EFFECT
    return made_up(treated, {MEASURE: value}, [f"{year:02d}" for year in years], {"residents": np.full(_PLACES, 5000)})


SCENES = (
    Scene(
        "two groups over six years",
        "parallel_trends",
        f"200 persons; {_BEFORE} years before the start and {_AFTER} after it; an effect of {_EFFECT:g} points.",
        f"No effect, and those offered the programme gain {_DRIFT:g} points more in every year.",
        "Groups that move alike until the start, and not after it.",
        _TWO_GROUPS,
        _two_groups,
    ),
    Scene(
        "two groups that may drift",
        "trend_sensitivity",
        f"200 persons; {_BEFORE} years before the start and {_AFTER} after it; an effect of {_EFFECT:g} points.",
        f"No effect, and those offered the programme gain {_DRIFT:g} points more in every year.",
        "Drifts larger than any seen before the start.",
        _TWO_GROUPS,
        _two_groups,
    ),
    Scene(
        "two groups and made-up starts",
        "placebo_in_time",
        f"200 persons; {_BEFORE} years before the start and {_AFTER} after it; an effect of {_EFFECT:g} points.",
        f"No effect, and those offered the programme gain {_DRIFT:g} points more in every year.",
        "What happens for the first time at the real start.",
        _TWO_GROUPS,
        _two_groups,
    ),
    Scene(
        "attendance that comes and goes",
        "hausman",
        "120 persons in four years; who attends has nothing to do with their level. The headline compares persons.",
        f"One standard deviation more of the level multiplies the odds of attending by {np.exp(_PULL):.1f}.",
        "What changes in a person together with the treatment.",
        Panel(**WORDS, treatment_measure="attends", estimator="random_effects"),
        _comes_and_goes,
    ),
    Scene(
        "one series of months",
        "serial_correlation",
        f"One place over {_MONTHS} months; each month stands alone. The headline takes that for granted.",
        f"Each month carries on {_LIKENESS:g} of what the month before was off.",
        "Likeness over longer times than the test looks at.",
        InterruptedTimeSeries(**WORDS, start=str(_START), persons_per_row="n_persons", estimator="least_squares"),
        _one_series,
    ),
    Scene(
        "places on a common tide",
        "placebo_in_space",
        f"{_PLACES} places over {_YEARS} years, one of which starts in the eleventh; an effect of {_EFFECT:g} points.",
        f"No effect, and the place moves {_APART:g} points a year away from all others, before as after.",
        "What happens in the treated place alone, at the time of the start.",
        SyntheticControl(**WORDS, start=f"{_FROM:02d}", persons_per_row="residents"),
        _places,
    ),
)
