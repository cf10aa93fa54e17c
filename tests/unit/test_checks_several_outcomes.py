"""Several outcomes: the check says when an outcome is clear only because many were looked at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.several_outcomes import check_several_outcomes, with_indexes
from virkning.designs import estimate
from virkning.disclosure import DisclosureRule, clear


def several(design, tables, seed=0):
    settings = CheckSettings(several_outcomes_draws=2_000)
    return check_several_outcomes(design, tables, estimate(design, tables), settings, np.random.default_rng(seed))


def world(shifts: list[float], seed: int = 1, n: int = 200):
    """Return persons and outcomes whose means differ between the groups by exactly the given standard errors."""
    generator = np.random.default_rng(seed)
    people = pd.DataFrame({"is_treated": np.arange(n) % 2 == 0})
    treated, outcomes = people["is_treated"].to_numpy(), {}
    for place, shift in enumerate(shifts):
        values = generator.normal(size=n)
        values -= np.where(treated, values[treated].mean(), values[~treated].mean())
        error = np.sqrt(values[treated].var(ddof=1) / (n / 2) + values[~treated].var(ddof=1) / (n / 2))
        outcomes[f"outcome_{place}"] = values + shift * error * treated
    return people, outcomes


def test_outcome_clear_by_number_alone_raises_concern(trial, make_tables):
    """One of six outcomes with t = 2.2: clear alone (p = .03), to be expected among six."""
    found = several(trial(), make_tables(*world([2.2, 0.5, 0.1, -0.3, 0.8, -0.6])))
    assert found.passed is False
    assert "«Outcome_0»" in found.reason
    frame = found.table.frame
    assert frame["p_value"].iloc[0] < 0.05 < frame["p_romano_wolf"].iloc[0] <= frame["p_holm"].iloc[0] + 0.02


def test_strong_outcome_stays_clear(trial, make_tables):
    found = several(trial(), make_tables(*world([5.0, 0.5, 0.1, -0.3, 0.8, -0.6])))
    assert found.passed is True


def test_nothing_clear_and_one_outcome_are_not_judged(trial, make_tables):
    assert several(trial(), make_tables(*world([1.0, 0.5]))).passed is None
    alone = several(trial(), make_tables(*world([5.0])))
    assert alone.passed is None
    assert clear(alone.table, DisclosureRule()).n_hidden == 0


def test_index_finds_what_single_outcomes_cannot(trial, make_tables):
    found = several(trial(), make_tables(*world([1.6, 1.6, 1.6, 1.6])))
    assert found.passed is None
    assert found.numbers["index_of_outcomes_p_value"] < 0.01
    assert found.numbers["index_of_outcomes_weighted_p_value"] < 0.01
    assert len(found.table.frame) == 6


def test_index_is_the_mean_of_standardised_outcomes(trial, make_tables):
    people, outcomes = world([1.0, 2.0])
    tables = make_tables(people, outcomes)
    treated = people["is_treated"].to_numpy()
    wider = with_indexes(tables, list(outcomes), treated)
    by_hand = np.mean([(v - v[~treated].mean()) / v[~treated].std(ddof=1) for v in outcomes.values()], axis=0)
    np.testing.assert_allclose(wider.analysis("index_of_outcomes")["value"], by_hand, rtol=1e-10)
    found = several(trial(), tables)
    expected = by_hand[treated].mean() - by_hand[~treated].mean()
    assert found.numbers["index_of_outcomes"] == pytest.approx(expected, rel=1e-9)


def test_outcome_of_which_less_is_better_is_turned(trial, make_tables):
    people, outcomes = world([2.0, 2.0])
    tables = make_tables(people, {"earnings": outcomes["outcome_0"], "debt": -outcomes["outcome_1"]})
    turned = {
        name: item.model_copy(update={"better": "lower" if name == "debt" else "higher"})
        for name, item in tables.measures.items()
    }
    tables = type(tables).of(tables.participants, tables.outcomes, turned, tables.schemas)
    assert several(trial(), tables).numbers["index_of_outcomes_p_value"] < 0.02
    neither = {name: item.model_copy(update={"better": "neither"}) for name, item in turned.items()}
    unsaid = several(trial(), type(tables).of(tables.participants, tables.outcomes, neither, tables.schemas))
    assert len(unsaid.table.frame) == 2


def test_same_outcome_written_twice_costs_nothing_by_romano_and_wolf(trial, make_tables):
    people, outcomes = world([2.2])
    values = outcomes["outcome_0"]
    found = several(trial(), make_tables(people, dict.fromkeys(("a", "b", "c"), values)))
    assert found.passed is True
    assert found.numbers["p_holm_a"] > 0.05 > found.numbers["p_romano_wolf_a"]
    # Outcomes that follow from each other have no inverse covariance, so only the plain index stands.
    assert "index_of_outcomes_weighted" not in found.numbers


def test_same_draws_same_numbers_and_missing_outcomes_are_no_hindrance(trial, make_tables):
    people, outcomes = world([2.2, 1.0, 0.2])
    outcomes["outcome_1"][:30] = np.nan
    tables = make_tables(people, outcomes)
    assert several(trial(), tables).numbers == several(trial(), tables).numbers
    assert "index_of_outcomes" in several(trial(), tables).numbers
