"""Parallel trends: a drift of a stated size is found, its absence is no proof, and the test's power is right."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from virkning.checks import CheckSettings
from virkning.checks.parallel_trends import check_parallel_trends
from virkning.checks.results import CheckResult
from virkning.data import Field, Tables, load_schema
from virkning.designs import DifferenceInDifferences, EvaluationDesign, StaggeredAdoption, estimate
from virkning.disclosure import DisclosureRule, clear
from virkning.estimand import Outcome
from virkning.numerics.pre_trends import detectable_drift, joint_power

YEARS = tuple(str(year) for year in range(2015, 2023))
START = 2020
WORDS = {"population": "the persons", "comparison": "the others"}


def panel(n: int, seed: int, *, drift: float = 0.0, effect: float = 3.0, noise: float = 1.0) -> Tables:
    """Return persons over eight years, half of whom start in 2020; ``drift`` is what they gain a year by themselves."""
    generator = np.random.default_rng(seed)
    treated = np.arange(n) % 2 == 0
    time = np.arange(len(YEARS))
    values = generator.normal(50, 5, size=(n, 1)) + time + generator.normal(0, noise, size=(n, len(YEARS)))
    after = np.array([int(year) >= START for year in YEARS])
    values += treated[:, None] * (drift * time + effect * after)
    names = [f"person-{row:04d}" for row in range(n)]
    people = pd.DataFrame(
        {
            "participant_id": names,
            "is_treated": treated,
            "first_treated_period": pd.Series(np.where(treated, str(START), None), dtype="str"),
        }
    )
    outcomes = pd.DataFrame(values, columns=list(YEARS)).assign(participant_id=names)
    outcomes = outcomes.melt("participant_id", var_name="period").assign(measure="points")
    measures = {"points": Outcome(label="Points", unit="points", kind="amount", period="2022", primary=True)}
    field = Field(name="first_treated_period", type="string", title="Start")
    schemas = {"participants": load_schema("participants", [field]), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes, measures, schemas)


def two_groups(**fields: object) -> DifferenceInDifferences:
    return DifferenceInDifferences(
        **WORDS,
        sampling="panel",
        before=tuple(year for year in YEARS if int(year) < START),
        after=tuple(year for year in YEARS if int(year) >= START),
        **fields,
    )


def check(design: EvaluationDesign, tables: Tables, **settings: object) -> CheckResult:
    return check_parallel_trends(
        design, tables, estimate(design, tables), CheckSettings(**settings), np.random.default_rng(0)
    )


DESIGNS = [two_groups(), StaggeredAdoption(**WORDS), StaggeredAdoption(**WORDS, base_period="universal")]


@pytest.mark.parametrize("design", DESIGNS)
def test_drift_of_half_a_point_a_year_is_found(design: EvaluationDesign) -> None:
    found = check(design, panel(200, seed=1, drift=0.5))
    assert found.passed is False
    assert found.numbers["p_value"] < 1e-6
    assert "rejects at 5%" in found.sentence
    assert "does not" not in found.sentence


@pytest.mark.parametrize("design", DESIGNS)
def test_all_is_well_and_the_test_was_strong(design: EvaluationDesign) -> None:
    found = check(design, panel(200, seed=2))
    assert found.passed is True
    assert found.numbers["bias"] < 3.0 < found.numbers["claim"] * 1.2


def test_weak_test_is_no_evidence() -> None:
    found = check(two_groups(), panel(12, seed=3, effect=2.0, noise=3.0))
    assert found.numbers["p_value"] > 0.05
    assert found.passed is None
    assert "weak" in found.reason
    assert found.numbers["bias"] > found.numbers["claim"]


def test_false_alarms_are_one_in_twenty() -> None:
    alarms = [check(two_groups(), panel(40, seed=seed)).numbers["p_value"] < 0.05 for seed in range(100, 130)]
    # Of 30, six or more come with a chance below one in two hundred.
    assert sum(alarms) <= 5


def test_detection_is_what_the_power_promises() -> None:
    tables = panel(60, seed=4)
    promised = check(two_groups(), tables).numbers
    drift = promised["drift"]
    seen = [check(two_groups(), panel(60, seed=seed, drift=drift)).passed is False for seed in range(200, 225)]
    # Eight in ten, give or take three standard errors.
    assert np.mean(seen) >= 0.8 - 3 * 0.08


@pytest.mark.parametrize("design", DESIGNS)
def test_bias_is_what_a_drift_adds_to_the_headline(design: EvaluationDesign) -> None:
    plain, drifting = panel(100, seed=5), panel(100, seed=5, drift=0.25)
    added = estimate(design, drifting).headline().value - estimate(design, plain).headline().value
    numbers = check(design, plain).numbers
    assert numbers["bias"] / numbers["drift"] == pytest.approx(added / 0.25, rel=1e-9)
    assert numbers["bias_even"] / numbers["drift_even"] == pytest.approx(added / 0.25, rel=1e-9)


def test_base_period_in_the_middle_changes_nothing_that_is_tested() -> None:
    tables = panel(100, seed=6)
    one, other = check(two_groups(), tables), check(two_groups(base_period="2016"), tables)
    for name in ("p_value", "drift", "bias"):
        assert one.numbers[name] == pytest.approx(other.numbers[name], rel=1e-8)


def test_share_may_drift_out_of_its_range() -> None:
    tables = panel(200, seed=7, noise=1.0)
    outcomes = tables.outcomes
    outcomes["value"] = (outcomes["value"] > 53).astype(float)
    share = {"points": Outcome(label="High", unit="share", kind="share", period="2022", primary=True)}
    found = check(two_groups(), Tables.of(tables.participants, outcomes, share, tables.schemas))
    assert "per 100 people" in found.sentence
    assert found.numbers["bias"] > 0


def test_table_is_the_path_with_its_line_and_small_groups_are_hidden() -> None:
    tables = panel(8, seed=8)
    found = check(two_groups(), tables)
    assert set(found.table.frame["series"]) == {"estimated", "drift that is found with 80%"}
    cleared = clear(found.table, DisclosureRule(threshold=5))
    assert cleared.hidden["value"].all()
    frame = check(two_groups(), panel(100, seed=8)).table.frame
    line = frame[frame["series"] != "estimated"].set_index("place")["value"]
    assert line[2019] == 0
    assert line[2020] == pytest.approx(-line[2018])


@pytest.mark.parametrize(
    "design",
    [
        DifferenceInDifferences(**WORDS, sampling="panel", before=("2019",), after=("2020", "2021", "2022")),
        DifferenceInDifferences(**WORDS, sampling="panel", before=("2019",), after=("2022",)),
    ],
)
def test_one_period_before_tells_nothing(design: EvaluationDesign) -> None:
    found = check(design, panel(40, seed=9))
    assert found.passed is None
    assert "Only one period" in found.reason
    assert found.drawing is None


def test_outcome_without_an_estimate_gives_its_reason() -> None:
    tables = panel(40, seed=9)
    flat = Tables.of(tables.participants, tables.outcomes.assign(value=1.0), tables.measures, tables.schemas)
    found = check(two_groups(), flat)
    assert found.passed is None
    assert "same for everybody" in found.reason


def test_design_without_a_path(trial, make_tables, people, earnings) -> None:
    found = check(trial(), make_tables(people, {"earnings": earnings}))
    assert found.passed is None
    assert "no path" in found.reason


@pytest.mark.parametrize("freedom", [math.inf, 12.0])
def test_power_is_that_of_simulated_tests(freedom: float) -> None:
    generator = np.random.default_rng(10)
    root = generator.normal(size=(3, 3))
    covariance = root @ root.T + np.eye(3)
    drift = np.array([3.0, 2.0, 1.0])
    size = detectable_drift(drift, covariance, freedom, 0.05, 0.8)
    draws = generator.multivariate_normal(size * drift, covariance, size=20_000)
    form = np.einsum("ij,jk,ik->i", draws, np.linalg.inv(covariance), draws)
    if math.isinf(freedom):
        rejected = form > stats.chi2.ppf(0.95, 3)
    else:
        spread = generator.chisquare(freedom, size=20_000) / freedom
        rejected = form / 3 / spread > stats.f.ppf(0.95, 3, freedom)
    assert rejected.mean() == pytest.approx(0.8, abs=0.01)
    assert joint_power(0.0, 3, freedom, 0.05) == 0.05
