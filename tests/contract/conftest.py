"""One example per design: a specification, and made-up tables with missing outcomes and one that never varies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from virkning.data import BASELINE_FIELDS, Constraints, Field, Tables, load_schema, synthetic_programme_tables
from virkning.designs import DESIGNS, EvaluationDesign
from virkning.estimand import Outcome

MEASURES = {
    "earnings": Outcome(label="Earnings", unit="EUR", kind="amount", period="year 1", primary=True),
    "job": Outcome(label="In work", unit="share", kind="share", period="year 1"),
    "constant": Outcome(label="Same for all", unit="share", kind="share", period="year 1"),
}
WORDS = {"population": "the persons", "comparison": "those not offered it"}
COVARIATES = ("age_years", "education_years", "is_previously_employed")


def one_period() -> Tables:
    """Return tables of a made-up trial."""
    generator = np.random.default_rng(5)
    participants, outcomes = synthetic_programme_tables(MEASURES, {"earnings": 15.0}, generator, n=160)
    outcomes.loc[outcomes["measure"] == "constant", "value"] = 1.0
    return tables_of(participants, outcomes, generator)


def tables_of(
    participants: pd.DataFrame, outcomes: pd.DataFrame, generator: np.random.Generator, fields: tuple[Field, ...] = ()
) -> Tables:
    """Return tables in which a tenth of the secondary outcomes is missing."""
    keep = (outcomes["measure"] == "earnings") | (generator.random(len(outcomes)) > 0.1)
    schemas = {
        "participants": load_schema("participants", (*BASELINE_FIELDS, *fields)),
        "outcomes": load_schema("outcomes"),
    }
    return Tables.of(participants, outcomes[keep], MEASURES, schemas)


def three_periods() -> Tables:
    """Return tables of persons who are followed before and after, half of them offered the programme."""
    generator = np.random.default_rng(5)
    participants, last = synthetic_programme_tables(MEASURES, {"earnings": 15.0}, generator, n=160)
    parts = []
    for period in ("year -1", "year 0", "year 1"):
        part = last.assign(period=period)
        if period != "year 1":
            noise = generator.normal(0, 5, len(part))
            part["value"] = part["value"].where(part["measure"] != "earnings", part["value"] + noise)
            draws = (generator.random(len(part)) < 0.5).astype(float)
            part["value"] = part["value"].where(part["measure"] != "job", draws)
        parts.append(part)
    outcomes = pd.concat(parts, ignore_index=True)
    outcomes.loc[outcomes["measure"] == "constant", "value"] = 1.0
    return tables_of(participants, outcomes, generator)


def one_group() -> Tables:
    """Return tables of persons who were all offered the programme."""
    tables = three_periods()
    return Tables.of(tables.participants.assign(is_treated=True), tables.outcomes, MEASURES, tables.schemas)


def starts_in_three_years() -> Tables:
    """Return tables of a programme that starts in three years, and never for some."""
    generator = np.random.default_rng(5)
    years = [f"year {number}" for number in range(-3, 2)]
    participants, _ = synthetic_programme_tables(MEASURES, {"earnings": 15.0}, generator, n=160)
    treated = participants["is_treated"].to_numpy(dtype=bool)
    start = np.where(treated, generator.integers(-1, 2, size=len(participants)), 99)
    texts = pd.Series([f"year {number}" if number < 99 else None for number in start], dtype="str")
    participants = participants.assign(first_treated_period=texts.to_numpy())
    on = np.arange(-3, 2)[None, :] >= start[:, None]
    values = {
        "earnings": 100 + 5 * np.arange(5) + 15 * on + generator.normal(0, 8, size=on.shape),
        "job": (generator.random(on.shape) < 0.4 + 0.2 * on).astype(float),
        "constant": np.ones(on.shape),
    }
    outcomes = pd.concat(
        pd.DataFrame(each, columns=years)
        .assign(participant_id=participants["participant_id"].to_numpy())
        .melt("participant_id", var_name="period")
        .assign(measure=measure)
        for measure, each in values.items()
    )
    start_field = Field(name="first_treated_period", type="string", title="Year of the start")
    return tables_of(participants, outcomes, generator, (start_field,))


def many_years() -> Tables:
    """Return tables of persons who were all offered the programme, followed for twelve years."""
    generator = np.random.default_rng(5)
    years = [f"year {number}" for number in range(-10, 2)]
    participants, _ = synthetic_programme_tables(MEASURES, {"earnings": 15.0}, generator, n=40)
    on = (np.arange(-10, 2) >= -2)[None, :] * np.ones((40, 1))
    values = {
        "earnings": 100 + 2 * np.arange(12) + 15 * on + generator.normal(0, 8, size=on.shape),
        "job": (generator.random(on.shape) < 0.4 + 0.2 * on).astype(float),
        "constant": np.ones(on.shape),
    }
    outcomes = pd.concat(
        pd.DataFrame(each, columns=years)
        .assign(participant_id=participants["participant_id"].to_numpy())
        .melt("participant_id", var_name="period")
        .assign(measure=measure)
        for measure, each in values.items()
    )
    return tables_of(participants.assign(is_treated=True), outcomes, generator)


def some_comply() -> Tables:
    """Return tables of a lottery after which seven in ten did as they were told."""
    tables, generator = one_period(), np.random.default_rng(6)
    people = tables.participants
    follows = generator.random(len(people)) < 0.7
    took = np.where(follows, people["is_treated"], generator.random(len(people)) < 0.3)
    field = Field(name="took_part", type="boolean", title="Took part", constraints=Constraints(required=True))
    return Tables.of(
        people.assign(took_part=took.astype(bool)),
        tables.outcomes,
        MEASURES,
        {**tables.schemas, "participants": load_schema("participants", (*BASELINE_FIELDS, field))},
    )


def comes_and_goes() -> Tables:
    """Return tables of persons whose treatment, a measure, changes from period to period."""
    tables, generator = three_periods(), np.random.default_rng(6)
    outcomes = tables.outcomes
    attends = outcomes[outcomes["measure"] == "earnings"].assign(measure="attends")
    attends["value"] = (generator.random(len(attends)) < 0.4).astype(float)
    # Some persons have no outcome in any period, beside the tenth of the rows that is missing already.
    lost = tables.participants["participant_id"].iloc[:9]
    outcomes = outcomes[~((outcomes["measure"] == "job") & outcomes["participant_id"].isin(lost))]
    measures = {**MEASURES, "attends": Outcome(label="Attends", unit="share", kind="share", period="year 1")}
    return Tables.of(tables.participants, pd.concat([outcomes, attends]), measures, tables.schemas)


def places() -> Tables:
    """Return tables of 48 places, eight of which have a programme in the last three of nine years."""
    generator, n = np.random.default_rng(5), 48
    years = [f"year {number}" for number in range(-7, 2)]
    ids = [f"place {number}" for number in range(n)]
    treated = np.arange(n) % 12 < 2
    tides = np.cumsum(generator.normal(size=(2, 9)), axis=1)
    on = treated[:, None] & (np.arange(9) >= 6)
    values = {
        "earnings": 100 + 5 * generator.uniform(0, 2, (n, 2)) @ tides + generator.normal(0, 2, (n, 9)) + 15 * on,
        "job": (generator.random((n, 9)) < 0.4 + 0.2 * on).astype(float),
        "constant": np.ones((n, 9)),
    }
    outcomes = pd.concat(
        pd.DataFrame(each, columns=years)
        .assign(participant_id=ids)
        .melt("participant_id", var_name="period")
        .assign(measure=measure)
        for measure, each in values.items()
    )
    keep = (outcomes["measure"] == "earnings") | (generator.random(len(outcomes)) > 0.03)
    return Tables.of(pd.DataFrame({"participant_id": ids, "is_treated": treated}), outcomes[keep], MEASURES)


def by_a_score() -> Tables:
    """Return tables in which everybody from a score of 50 up was offered the programme."""
    tables, generator = one_period(), np.random.default_rng(8)
    people = tables.participants
    score = 50 + np.where(people["is_treated"], 1, -1) * generator.uniform(0, 20, len(people))
    field = Field(name="score", type="number", title="Score", unit="points", constraints=Constraints(required=True))
    return Tables.of(
        people.assign(score=score),
        tables.outcomes,
        MEASURES,
        {**tables.schemas, "participants": load_schema("participants", (*BASELINE_FIELDS, field))},
    )


def until_it_ends() -> Tables:
    """Return tables in which the time to an event was followed, and for some ended before it came."""
    tables, generator = one_period(), np.random.default_rng(7)
    outcomes = tables.outcomes
    ends = outcomes[outcomes["measure"] == "earnings"].assign(measure="ends")
    ends["value"] = (generator.random(len(ends)) < 0.7).astype(float)
    measures = {**MEASURES, "ends": Outcome(label="Ended", unit="share", kind="share", period="year 1")}
    return Tables.of(tables.participants, pd.concat([outcomes, ends]), measures, tables.schemas)


EXAMPLES: dict[str, tuple[Callable[[], Tables], dict[str, object]]] = {
    "randomised_trial": (
        one_period,
        {
            "covariates": COVARIATES,
            "alternatives": [
                {"estimator": estimator, "standard_errors": errors}
                for estimator in ("difference_in_means", "ancova", "lin")
                for errors in ("classical", "hc1", "hc3")
            ],
        },
    ),
    "staggered_adoption": (
        starts_in_three_years,
        {"covariates": ("age_years", "is_previously_employed"), "aggregation": "dynamic"},
    ),
    "difference_in_differences": (
        three_periods,
        {
            "sampling": "panel",
            "before": ("year -1", "year 0"),
            "after": ("year 1",),
            "covariates": ("age_years", "education_years"),
            "alternatives": [
                {"estimator": "adjusted", "standard_errors": "clustered"},
                {"estimator": "adjusted", "standard_errors": "classical"},
            ],
        },
    ),
    "matched_comparison": (
        one_period,
        {
            "covariates": COVARIATES,
            "alternatives": [
                *(
                    {"estimator": estimator}
                    for estimator in (
                        "unadjusted",
                        "regression",
                        "regression_adjustment",
                        "weighting",
                        "entropy_balancing",
                        "doubly_robust",
                    )
                ),
                {"estimator": "matching", "matching": {"neighbours": 3}},
                {"estimator": "matching", "standard_errors": "ai_homoskedastic"},
            ],
        },
    ),
    "instrumental_variables": (
        some_comply,
        {
            "treatment": "took_part",
            "instruments": ("is_treated",),
            "covariates": ("age_years", "education_years"),
            "alternatives": [
                {"estimator": estimator, "standard_errors": errors}
                for estimator, errors in (
                    ("liml", "hc1"),
                    ("ordinary_least_squares", "hc1"),
                    ("two_stage_least_squares", "classical"),
                )
            ],
        },
    ),
    "panel": (
        comes_and_goes,
        {
            "treatment_measure": "attends",
            "covariates": ("age_years",),
            "alternatives": [
                {"estimator": estimator, "standard_errors": "clustered"}
                for estimator in (
                    "first_differences",
                    "random_effects",
                    "correlated_random_effects",
                    "pooled_least_squares",
                )
            ],
        },
    ),
    "duration": (
        until_it_ends,
        {
            "assignment": "lottery",
            "follow_up": {"earnings": {"event": "ends", "horizon": 100}},
            "covariates": COVARIATES,
            "alternatives": ["ancova", "lin"],
        },
    ),
    "regression_discontinuity": (
        by_a_score,
        # Wide enough for everybody.
        {"running": "score", "cutoff": 50.0, "bandwidth": 25.0, "covariates": ("age_years", "education_years")},
    ),
    "synthetic_control": (
        places,
        {
            "start": "year -1",
            "estimator": "synthetic_differences",
            "alternatives": [
                {"estimator": "synthetic_differences", "standard_errors": "jackknife"},
                {"estimator": "synthetic_control"},
                {"estimator": "difference_in_differences"},
            ],
            "placebo_runs": 60,
        },
    ),
    "interrupted_time_series": (
        many_years,
        {
            "start": "year -2",
            "alternatives": [{"estimator": name} for name in ("newey_west", "prais_winsten", "least_squares")],
        },
    ),
    "before_after": (
        one_group,
        {"before": ("year -1", "year 0"), "reliability": 0.5, "usual_levels": {"earnings": 100.0}},
    ),
}


@pytest.fixture(scope="module", params=sorted(DESIGNS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def make_tables(name: str) -> Callable[[], Tables]:
    return EXAMPLES[name][0]


@pytest.fixture(scope="module")
def tables(make_tables: Callable[[], Tables]) -> Tables:
    return make_tables()


@pytest.fixture
def design(name: str) -> EvaluationDesign:
    return DESIGNS[name](**{**WORDS, **EXAMPLES[name][1]})
