"""Randomisation inference, and how the checks are run."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from virkning.checks import BELONGING, CheckSettings, run_checks
from virkning.designs import estimate
from virkning.errors import UsageError
from virkning.estimates import Estimate, Estimates


def run(design, tables, seed=0, **settings):
    chosen = CheckSettings(**{"permutations": 500, **settings})
    return run_checks(design, tables, estimate(design, tables), settings=chosen, seed=seed)


@pytest.fixture
def few(make_tables):
    """Twelve persons in six groups and two strata."""
    outcome = np.array([3.0, 5, 1, 2, 8, 9, 2, 2, 6, 4, 7, 7])
    frame = pd.DataFrame(
        {
            "is_treated": np.repeat([True, False, True, False, True, False], 2),
            "group": np.repeat(list("abcdef"), 2),
            "stratum": np.repeat(["one", "one", "one", "two", "two", "two"], 2),
            "x": np.sin(np.arange(12)),
        }
    )
    return frame, outcome, make_tables(frame, {"earnings": outcome})


def test_every_assignment_of_persons(trial, few):
    frame, outcome, tables = few
    found = run(trial(), tables)["randomisation_inference"]
    treated = frame["is_treated"].to_numpy()
    observed = abs(outcome[treated].mean() - outcome[~treated].mean())
    extreme, n = 0, 0
    for chosen in itertools.combinations(range(12), 6):
        mask = np.isin(np.arange(12), chosen)
        extreme += abs(outcome[mask].mean() - outcome[~mask].mean()) >= observed - 1e-12
        n += 1
    assert n == 924
    assert found.numbers["n_assignments"] == 924
    assert found.numbers["p_value"] == extreme / n
    assert "all possible lotteries" in found.sentence


def test_groups_are_drawn_within_strata(trial, few):
    # Two of three groups in one stratum and one of three in the other: nine lotteries.
    _, _, tables = few
    design = trial(
        estimator="ancova", covariates=["x"], clusters="group", strata="stratum", standard_errors="clustered"
    )
    found = run(design, tables)["randomisation_inference"]
    assert found.numbers["n_assignments"] == 9
    assert round(found.numbers["p_value"] * 9, 9) in range(1, 10)


@pytest.mark.parametrize("estimator", ["difference_in_means", "ancova", "lin"])
def test_observed_effect_is_the_headline(trial, make_tables, people, earnings, estimator):
    design = trial(estimator=estimator, covariates=["age"], strata="town", weights="weight")
    tables = make_tables(people, {"earnings": earnings})
    found = run(design, tables)["randomisation_inference"]
    assert found.numbers["value"] == pytest.approx(estimate(design, tables).headline().value, rel=1e-9)
    assert found.numbers["n_assignments"] == 500


def test_sampled_p_value_is_never_zero(trial, make_tables, people):
    outcome = 100.0 * people["is_treated"] + np.arange(80)
    found = run(trial(), make_tables(people, {"earnings": outcome.to_numpy()}))["randomisation_inference"]
    assert found.numbers["p_value"] == 1 / 501


def test_agreement_informs_and_contradiction_fails(trial, make_tables, people, earnings):
    tables = make_tables(people, {"earnings": earnings})
    agreed = run(trial(), tables)["randomisation_inference"]
    assert agreed.passed is None
    # Persons who were assigned in groups, analysed as the groups they are, against a result that ignored them.
    design = trial(clusters="group", standard_errors="clustered")
    common = np.repeat(np.random.default_rng(4).normal(0, 30, size=20), 4) + earnings
    effects = estimate(design, make_tables(people, {"earnings": common}))
    row = effects.primary.effects.assign(p_value=1e-9)
    fields = {name: getattr(effects.primary, name) for name in Estimate.__dataclass_fields__}
    wrong = Estimates({"earnings": Estimate(**{**fields, "frame": row})})
    settings = CheckSettings(permutations=500)
    found = run_checks(design, make_tables(people, {"earnings": common}), wrong, settings=settings)
    result = found["randomisation_inference"]
    assert result.numbers["p_value"] > 0.1
    assert result.passed is False
    assert "disagree" in result.reason


def test_histogram_holds_every_assignment(trial, make_tables, people, earnings):
    chart = run(trial(), make_tables(people, {"earnings": earnings}))["randomisation_inference"].chart
    assert chart is not None
    assert chart["share"].sum() == pytest.approx(1.0)
    assert (chart["lower"] < chart["upper"]).all()


def test_outcome_without_an_estimate(trial, make_tables, people):
    tables = make_tables(people, {"earnings": np.ones(80)})
    checks = run(trial(covariates=["age"]), tables)
    for name in ("randomisation_inference", "power"):
        assert checks[name].passed is None
        assert "same for everybody" in checks[name].reason
        assert len(checks[name].table.frame) == 0
    assert checks["balance"].numbers["n_covariates"] == 1


def test_order_names_and_overview(trial, make_tables, people, earnings):
    checks = run(trial(covariates=["age"]), make_tables(people, {"earnings": earnings}))
    assert list(checks) == list(BELONGING["randomised_trial"])
    for name, result in checks.items():
        assert result.name == result.table.name == name
        assert result.question.endswith("?")
        assert result.sentence.endswith(".")
        assert result.reason.endswith(".")
    table = checks.table()
    assert table.frame["check"].tolist() == [result.title for result in checks.values()]
    assert set(table.frame["verdict"]) <= {"no concern", "concern", "for information"}
    assert {result.name for result in checks.failed} == {name for name in checks if checks[name].passed is False}


def test_unknown_check(trial, make_tables, people, earnings):
    checks = run(trial(), make_tables(people, {"earnings": earnings}))
    with pytest.raises(UsageError) as error:
        checks["blance"]
    assert "Did you mean «balance»?" in error.value.do
    assert "blance" not in checks


def test_same_seed_same_numbers(trial, make_tables, people, earnings):
    design, tables = trial(covariates=["age"]), make_tables(people, {"earnings": earnings})
    first, second, other = (run(design, tables, seed) for seed in (5, 5, 6))
    for name in first:
        assert dict(first[name].numbers) == dict(second[name].numbers)
        pd.testing.assert_frame_equal(first[name].table.frame, second[name].table.frame, check_exact=True)
    assert first["balance"].numbers["joint_p_value"] != other["balance"].numbers["joint_p_value"]


def test_results_cannot_be_changed(trial, make_tables, people, earnings):
    result = run(trial(), make_tables(people, {"earnings": earnings}))["power"]
    chart = result.chart
    chart["power"] = 0.0
    assert result.chart["power"].max() > 0.9
    with pytest.raises(TypeError):
        result.numbers["power"] = 1.0
    with pytest.raises(AttributeError):
        result.passed = True
