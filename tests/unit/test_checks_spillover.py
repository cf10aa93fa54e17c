"""Spillover: what is declared is printed, and what can be tested is tested."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.spillover import check_spillover
from virkning.designs import estimate
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError

SAID = "Participants and others lived in different towns."


def spillover(design, tables, **settings):
    return check_spillover(
        design, tables, estimate(design, tables), CheckSettings(**settings), np.random.default_rng(0)
    )


def world(reach: float, n: int = 400, seed: int = 1):
    """Return persons with the share of their neighbours who were offered the programme, and an outcome it moves."""
    generator = np.random.default_rng(seed)
    people = pd.DataFrame(
        {
            "is_treated": np.arange(n) % 2 == 0,
            "neighbours": generator.random(n),
            "age": generator.normal(size=n),
            "group": np.arange(n) // 2 % 40,
        }
    )
    others = ~people["is_treated"].to_numpy()
    outcome = people["age"].to_numpy() + reach * people["neighbours"].to_numpy() * others + generator.normal(size=n)
    return people, outcome


def test_programme_that_reaches_the_comparison_group_raises_concern(trial, make_tables):
    people, outcome = world(reach=2.0)
    design = trial(covariates=("age",))
    found = spillover(design, make_tables(people, {"earnings": outcome}), spillover_exposure="neighbours")
    assert found.passed is False
    others = ~people["is_treated"].to_numpy()
    assert found.numbers["value"] == pytest.approx(2.0 * people.loc[others, "neighbours"].std(), abs=0.25)
    assert "«Neighbours»" in found.reason


def test_no_reach_is_no_proof(trial, make_tables):
    people, outcome = world(reach=0.0)
    tables = make_tables(people, {"earnings": outcome})
    found = spillover(trial(), tables, spillover_exposure="neighbours", spillover=SAID)
    assert found.passed is None
    assert found.sentence.startswith(SAID)
    assert "no sign" in found.reason


def test_false_alarms_and_detection_over_seeds(trial, make_tables):
    alarms = {
        reach: sum(
            spillover(trial(), make_tables(people, {"earnings": outcome}), spillover_exposure="neighbours").passed
            is False
            for people, outcome in (world(reach, 200, seed) for seed in range(40))
        )
        for reach in (0.0, 2.0)
    }
    assert alarms[0.0] <= 6
    assert alarms[2.0] >= 30


def test_declared_is_printed_and_silence_is_said(trial, make_tables):
    people, outcome = world(reach=0.0)
    tables = make_tables(people, {"earnings": outcome})
    declared = spillover(trial(), tables, spillover=SAID)
    assert (declared.passed, declared.sentence) == (None, SAID)
    assert "not tested" in declared.reason
    assert "does not say" in spillover(trial(), tables).reason
    assert clear(declared.table, DisclosureRule()).n_hidden == 0


def test_clusters_widen_the_error(trial, make_tables):
    people, outcome = world(reach=0.0)
    shock = 2 * np.random.default_rng(3).normal(size=40)
    groups = people["group"].to_numpy()
    people = people.assign(neighbours=groups / 40, is_treated=groups % 2 == 0, town=[f"town {g}" for g in groups])
    tables = make_tables(people.drop(columns="group"), {"earnings": outcome + shock[groups]})
    alone = spillover(trial(), tables, spillover_exposure="neighbours")
    together = spillover(trial(clusters="town", standard_errors="clustered"), tables, spillover_exposure="neighbours")
    assert together.numbers["value"] == pytest.approx(alone.numbers["value"], rel=1e-9)
    assert together.numbers["std_error"] > 1.3 * alone.numbers["std_error"]


@pytest.mark.parametrize(("column", "code"), [("neighbour", "design.unknown_column"), ("town", "design.not_a_number")])
def test_unfit_exposure_is_refused(trial, make_tables, column, code):
    people, outcome = world(reach=0.0)
    with pytest.raises(DesignError) as caught:
        spillover(trial(), make_tables(people.assign(town="x"), {"earnings": outcome}), spillover_exposure=column)
    assert caught.value.code == code
    assert "checks.spillover_exposure" in str(caught.value)


def test_exposure_that_is_the_same_for_all_cannot_be_tested(trial, make_tables):
    people, outcome = world(reach=0.0)
    tables = make_tables(people.assign(neighbours=0.5), {"earnings": outcome})
    found = spillover(trial(), tables, spillover_exposure="neighbours", spillover=SAID)
    assert found.passed is None
    assert "cannot be tested" in found.sentence
