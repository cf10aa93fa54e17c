"""Missing data: the check says when filling in what is missing makes another answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.missing_data import check_missing_data
from virkning.designs import BeforeAfter, DifferenceInDifferences, estimate

FEW = CheckSettings(missing_data_imputations=8)


def missing(design, tables, seed=0):
    return check_missing_data(design, tables, estimate(design, tables), FEW, np.random.default_rng(seed))


def world(effect: float, pull: float, n: int = 400, seed: int = 1):
    """Return persons and outcomes; with a pull, treated who do well by a trait and others who do badly are lost."""
    generator = np.random.default_rng(seed)
    people = pd.DataFrame({"is_treated": np.arange(n) % 2 == 0, "trait": generator.normal(size=n)})
    treated, trait = people["is_treated"].to_numpy(), people["trait"].to_numpy()
    outcome = effect * treated + 2 * trait + 0.5 * generator.normal(size=n)
    lost = generator.random(n) < 1 / (1 + np.exp(1 - pull * trait * np.where(treated, 1.0, -1.0)))
    return people, np.where(lost, np.nan, outcome), outcome


def test_loss_that_a_trait_explains_is_undone(trial, make_tables):
    people, seen, _ = world(effect=1.0, pull=1.5)
    tables = make_tables(people, {"earnings": seen})
    found = missing(trial(covariates=("trait",)), tables)
    # Among complete cases the effect drowns in who was lost.
    assert estimate(trial(), tables).headline().value < 0.3
    assert found.passed is False
    assert found.numbers["value"] == pytest.approx(1.0, abs=0.35)
    assert 0 < found.numbers["missing_information"] < 1


def test_loss_at_random_changes_nothing(trial, make_tables):
    people, seen, _ = world(effect=1.0, pull=0.0)
    design, tables = trial(covariates=("trait",), estimator="ancova"), make_tables(people, {"earnings": seen})
    found = missing(design, tables)
    assert found.passed is True
    assert found.numbers["value"] == pytest.approx(estimate(design, tables).headline().value, abs=0.1)


def test_table_holds_both(trial, make_tables):
    people, seen, _ = world(effect=1.0, pull=0.5)
    tables = make_tables(people, {"earnings": seen})
    frame = missing(trial(covariates=("trait",)), tables).table.frame
    assert frame["what"].tolist() == ["Complete cases", "Filled in"]
    assert frame["value"].iloc[0] == estimate(trial(), tables).headline().value
    assert frame["persons"].iloc[0] == min(np.isnan(seen).sum(), np.isfinite(seen).sum())


def test_nothing_missing_nothing_filled_in(trial, make_tables):
    people, _, whole = world(effect=1.0, pull=0.0)
    found = missing(trial(), make_tables(people, {"earnings": whole}))
    assert found.passed is None
    assert found.reason == "Nothing is missing."
    assert len(found.table.frame) == 0


def test_same_generator_same_numbers(trial, make_tables):
    people, seen, _ = world(effect=1.0, pull=0.5)
    tables = make_tables(people, {"earnings": seen})
    assert missing(trial(), tables).numbers == missing(trial(), tables).numbers
    assert missing(trial(), tables).numbers != missing(trial(), tables, seed=1).numbers


def test_share_is_filled_in_with_zeros_and_ones(trial, make_tables):
    people, seen, _ = world(effect=2.0, pull=0.5)
    job = np.where(np.isnan(seen), np.nan, (seen > 1).astype(float))
    found = missing(trial(covariates=("trait",)), make_tables(people, {"job": job}, {"job": "share"}))
    assert found.passed is True
    assert 0 < found.numbers["value"] < 1


def test_other_outcomes_and_incomplete_traits_help(trial, make_tables):
    people, seen, whole = world(effect=1.0, pull=1.5)
    hint = whole + 0.1 * np.random.default_rng(5).normal(size=len(whole))
    people = people.assign(income=people["trait"].where(np.arange(len(people)) % 7 > 0))
    found = missing(trial(), make_tables(people.drop(columns="trait"), {"earnings": seen, "hint": hint}))
    assert found.numbers["value"] == pytest.approx(1.0, abs=0.4)


def test_periods_of_a_panel_are_filled_in(make_tables):
    people, _, whole = world(effect=1.0, pull=0.0)
    tables = make_tables(people, {"earnings": whole})
    before = tables.outcomes.assign(period="before", value=2 * people["trait"].to_numpy())
    rows = pd.concat([before, tables.outcomes], ignore_index=True)
    rows.loc[::9, "value"] = np.nan
    both = type(tables).of(tables.participants, rows[rows["value"].notna()], tables.measures, tables.schemas)
    words = {"population": "a", "comparison": "b"}
    design = DifferenceInDifferences(**words, sampling="panel", before=("before",), after=("after",))
    found = missing(design, both)
    assert found.passed is True
    assert found.numbers["value"] == pytest.approx(1.0, abs=0.3)
    other = BeforeAfter(**words, before=("before",))
    told = check_missing_data(other, both, estimate(design, both), FEW, np.random.default_rng(0))
    assert told.passed is None
