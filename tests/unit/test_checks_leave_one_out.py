"""Leave one out: an effect that rests on one cluster, or on a handful of persons, is found; nobody is told of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.leave_one_out import check_leave_one_out
from virkning.checks.results import CheckResult
from virkning.data import Tables
from virkning.designs import EvaluationDesign, estimate
from virkning.disclosure import DisclosureRule, clear


def check(design: EvaluationDesign, tables: Tables, **settings: object) -> CheckResult:
    return check_leave_one_out(
        design, tables, estimate(design, tables), CheckSettings(**settings), np.random.default_rng(0)
    )


def towns(
    n_towns: int, size: int, seed: int, *, everywhere: float, in_one: float = 0.0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return persons in towns, every other of them in the programme; one town may have an effect of its own."""
    generator = np.random.default_rng(seed)
    town = np.repeat(np.arange(n_towns), size)
    treated = town % 2 == 0
    level = generator.normal(0, 1, size=n_towns)
    outcome = 50 + level[town] + everywhere * treated + in_one * (town == 0) + generator.normal(0, 5, size=len(town))
    return pd.DataFrame({"is_treated": treated, "town": [f"Town {each}" for each in town]}), outcome


def clustered(trial):
    return trial(clusters="town", standard_errors="clustered")


def test_effect_of_one_town_alone_is_found(trial, make_tables) -> None:
    people, outcome = towns(30, 20, 18, everywhere=0.9, in_one=5.0)
    found = check(clustered(trial), make_tables(people, {"earnings": outcome}))
    assert estimate(clustered(trial), make_tables(people, {"earnings": outcome})).headline().lower > 0
    assert found.passed is False
    assert "rests on few" in found.reason
    assert found.numbers["n_left_out"] == 30


def test_effect_that_is_everywhere_stays(trial, make_tables) -> None:
    people, outcome = towns(30, 20, 2, everywhere=6.0)
    found = check(clustered(trial), make_tables(people, {"earnings": outcome}))
    assert found.passed is True
    best = estimate(clustered(trial), make_tables(people, {"earnings": outcome})).headline()
    assert found.numbers["lowest"] < best.value < found.numbers["highest"]


def test_every_row_is_the_estimate_without_one_town(trial, make_tables) -> None:
    people, outcome = towns(12, 15, 3, everywhere=4.0)
    tables = make_tables(people, {"earnings": outcome})
    rows = check(clustered(trial), tables).table.frame
    expected = [
        estimate(clustered(trial), tables, persons=(people["town"] != town).to_numpy()).headline().value
        for town in people["town"].unique()
    ]
    np.testing.assert_allclose(rows["value"].iloc[1:], np.sort(expected))
    assert rows["value"].iloc[0] == estimate(clustered(trial), tables).headline().value


def test_no_town_and_no_person_is_named(trial, make_tables) -> None:
    people, outcome = towns(12, 15, 3, everywhere=4.0)
    tables = make_tables(people, {"earnings": outcome})
    for found in (check(clustered(trial), tables), check(trial(), tables)):
        text = found.sentence + found.reason + found.table.frame.to_csv()
        assert "Town" not in text
        assert "person-" not in text


def test_most_influential_towns_come_when_there_are_many(trial, make_tables) -> None:
    people, outcome = towns(30, 20, 18, everywhere=0.9, in_one=5.0)
    found = check(clustered(trial), make_tables(people, {"earnings": outcome}), leave_one_out_clusters=3)
    assert found.numbers["n_left_out"] == 3
    assert found.passed is False


def test_small_towns_are_not_left_out_alone(trial, make_tables) -> None:
    people, outcome = towns(20, 6, 4, everywhere=5.0)
    found = check(clustered(trial), make_tables(people, {"earnings": outcome}))
    assert found.passed is None
    assert "fewer than 10 persons" in found.reason
    allowed = check(clustered(trial), make_tables(people, {"earnings": outcome}), leave_one_out_persons=5)
    assert allowed.numbers["n_left_out"] == 20


def persons(
    n: int, seed: int, *, few: int = 0, gain: float = 0.0, effect: float = 0.0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return persons without clusters, of whom a few in the programme gain much."""
    generator = np.random.default_rng(seed)
    treated = np.arange(n) % 2 == 0
    outcome = generator.normal(0, 1, size=n) + effect * treated
    outcome[np.flatnonzero(treated)[:few]] += gain
    return pd.DataFrame({"is_treated": treated}), outcome


def test_ten_winners_among_thousand_make_the_effect(trial, make_tables) -> None:
    people, outcome = persons(1000, 5, few=10, gain=15.0, effect=-0.05)
    tables = make_tables(people, {"earnings": outcome})
    assert estimate(trial(), tables).headline().lower > 0
    found = check(trial(), tables)
    assert found.passed is False
    assert found.numbers["lowest"] < 0
    assert "changes its sign" in found.reason


def test_effect_of_all_stays_without_ten(trial, make_tables) -> None:
    people, outcome = persons(1000, 6, effect=0.8)
    found = check(trial(), make_tables(people, {"earnings": outcome}))
    assert found.passed is True
    assert found.table.frame["persons"].tolist() == [1000, 10, 10]


def test_persons_left_out_are_those_of_whom_the_effect_depends_most(trial, make_tables) -> None:
    people, outcome = persons(1000, 7, effect=0.5)
    tables = make_tables(people, {"earnings": outcome})
    treated = people["is_treated"].to_numpy()
    # The influence of a person on a difference in means is the distance from the mean of the arm over its size.
    influence = np.where(treated, outcome - outcome[treated].mean(), -(outcome - outcome[~treated].mean())) / 500
    keep = np.ones(1000, dtype=bool)
    keep[np.argsort(-influence)[:10]] = False
    expected = outcome[keep & treated].mean() - outcome[keep & ~treated].mean()
    assert check(trial(), tables).numbers["lowest"] == pytest.approx(expected)


def test_few_persons_and_an_unclear_effect(trial, make_tables) -> None:
    people, outcome = persons(30, 8, effect=2.0)
    assert "too few persons" in check(trial(), make_tables(people, {"earnings": outcome})).reason
    people, outcome = persons(200, 10)
    found = check(trial(), make_tables(people, {"earnings": outcome}))
    assert found.passed is None
    assert "nothing to overturn" in found.reason


def test_outcome_without_an_estimate(trial, make_tables) -> None:
    people, _ = persons(80, 9)
    found = check(trial(), make_tables(people, {"earnings": np.ones(80)}))
    assert found.passed is None
    assert "same for everybody" in found.reason


def test_lines_that_rest_on_few_are_hidden_where_the_programme_asks_for_more(trial, make_tables) -> None:
    people, outcome = towns(12, 15, 3, everywhere=4.0)
    found = check(clustered(trial), make_tables(people, {"earnings": outcome}))
    cleared = clear(found.table, DisclosureRule(threshold=20))
    assert not cleared.hidden["value"].iloc[0]
    assert cleared.hidden["value"].iloc[1:].all()
