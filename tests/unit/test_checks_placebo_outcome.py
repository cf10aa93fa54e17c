"""Placebo outcomes: what the programme cannot have moved shows nothing, unless the groups were never alike."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.checks import CheckSettings
from virkning.checks.placebo_outcome import check_placebo_outcome
from virkning.checks.results import CheckResult
from virkning.data import Tables
from virkning.designs import EvaluationDesign, estimate
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError


def check(design: EvaluationDesign, tables: Tables, *names: str) -> CheckResult:
    settings = CheckSettings(placebo_outcomes=names)
    return check_placebo_outcome(design, tables, estimate(design, tables), settings, np.random.default_rng(0))


def outcomes(people, earnings, *, moved: float = 0.0, seed: int = 1):
    """Return the earnings and two earlier ones, of which the first differs between the arms by ``moved``."""
    generator = np.random.default_rng(seed)
    treated = people["is_treated"].to_numpy()
    return {
        "earnings": earnings,
        "earlier": 50 + moved * treated + generator.normal(0, 8, size=len(people)),
        "height": generator.normal(170, 10, size=len(people)),
    }


def test_difference_of_ten_where_there_can_be_none(trial, make_tables, people, earnings) -> None:
    found = check(trial(), make_tables(people, outcomes(people, earnings, moved=10.0)), "earlier", "height")
    assert found.passed is False
    assert "«Earlier»" in found.reason
    assert "«Height»" not in found.reason
    assert found.numbers["smallest_p_value"] < 0.001


def test_nothing_where_there_can_be_nothing(trial, make_tables, people, earnings) -> None:
    # An effect of ten on earnings, whose spread is about ten: a false one of that size would show.
    found = check(trial(), make_tables(people, outcomes(people, earnings)), "earlier", "height")
    assert found.passed is True
    assert found.table.frame["p_value_holm"].min() > 0.05


def test_imprecise_placebo_is_no_evidence(trial, make_tables, people, earnings) -> None:
    # Known for one in five only, so a false effect of the headline's size could go unseen.
    values = outcomes(people, earnings - 4.0 * people["is_treated"].to_numpy(), seed=2)
    values["height"] = np.where(np.arange(len(people)) % 5 == 0, values["height"], np.nan)
    found = check(trial(), make_tables(people, values), "height")
    assert found.passed is None
    assert "unseen" in found.reason


def test_numbers_are_those_of_the_estimate(trial, make_tables, people, earnings) -> None:
    tables = make_tables(people, outcomes(people, earnings))
    row = check(trial(), tables, "earlier").table.frame.iloc[0]
    best = estimate(trial(), tables)["earlier"].headline()
    assert (row["value"], row["lower"], row["upper"]) == (best.value, best.lower, best.upper)


def test_false_alarms_are_one_in_twenty(trial, make_tables, people, earnings) -> None:
    verdicts = [
        check(trial(), make_tables(people, outcomes(people, earnings, seed=seed)), "earlier", "height").passed
        for seed in range(100, 110)
    ]
    # Of 10, four or more come with a chance below one in five hundred.
    assert verdicts.count(False) <= 3


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("earnings", "checks.placebo_is_outcome"),
        ("same", "checks.placebo_is_outcome"),
        ("earlyer", "checks.unknown_placebo_outcome"),
    ],
)
def test_outcome_that_is_no_placebo_is_refused(trial, make_tables, people, earnings, name, code) -> None:
    values = {**outcomes(people, earnings), "same": 2 * earnings + 5}
    with pytest.raises(DesignError) as caught:
        check(trial(), make_tables(people, values), name)
    error = caught.value
    assert error.code == code
    assert error.where == "checks.placebo_outcomes"
    assert error.why
    assert error.do
    if name == "earlyer":
        assert "«earlier»" in error.do


def test_without_a_declared_one_nothing_is_claimed(trial, make_tables, people, earnings) -> None:
    found = check(trial(), make_tables(people, outcomes(people, earnings)))
    assert found.passed is None
    assert "declares no outcome" in found.reason
    assert found.table.frame.empty


def test_placebo_without_an_estimate(trial, make_tables, people, earnings) -> None:
    tables = make_tables(people, {"earnings": earnings, "constant": np.ones(len(people))})
    found = check(trial(), tables, "constant")
    assert found.passed is None
    assert "No placebo outcome has an estimate" in found.reason


def test_small_groups_are_hidden(trial, make_tables, people, earnings) -> None:
    few = people.groupby("is_treated").head(4)
    values = {name: np.asarray(each)[few.index] for name, each in outcomes(people, earnings).items()}
    found = check(trial(), make_tables(few, values), "earlier")
    assert clear(found.table, DisclosureRule(threshold=5)).hidden["value"].all()
