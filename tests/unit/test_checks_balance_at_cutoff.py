"""Balance at the cutoff: a trait that jumps where nothing had been decided yet is found; a bend is no jump."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.balance_at_cutoff import check_balance_at_cutoff
from virkning.checks.results import CheckResult
from virkning.data import Tables
from virkning.designs.regression_discontinuity import RegressionDiscontinuity
from virkning.disclosure import DisclosureRule, clear
from virkning.estimates import Estimates

CUTOFF = 50.0


def design_of(**fields: object) -> RegressionDiscontinuity:
    return RegressionDiscontinuity(
        population="applicants", comparison="the same without it", running="score", cutoff=CUTOFF, **fields
    )


def applicants(n: int, *, jump: float = 0.0) -> pd.DataFrame:
    """Return persons whose age and schooling go with the score, age along a curve; age may jump at fifty."""
    generator = np.random.default_rng(5)
    score = generator.uniform(0, 100, size=n)
    age = 30 + 0.002 * (score - 20) ** 2 + jump * (score >= CUTOFF) + generator.normal(0, 4, size=n)
    schooling = 10 + 0.02 * score + generator.normal(0, 2, size=n)
    return pd.DataFrame({"score": score, "is_treated": score >= CUTOFF, "age": age, "schooling": schooling})


def run(tables: Tables, design: RegressionDiscontinuity, **settings: object) -> CheckResult:
    effects = Estimates({name: design.estimate_outcome(tables, name, seed=0) for name in tables.measures})
    return check_balance_at_cutoff(design, tables, effects, CheckSettings(**settings), np.random.default_rng(0))


@pytest.fixture
def tables_of(make_tables):
    def make(people: pd.DataFrame) -> Tables:
        gain = 5.0 * people["is_treated"] + np.random.default_rng(6).normal(0, 2, size=len(people))
        return make_tables(people, {"gain": gain})

    return make


def test_traits_that_bend_and_do_not_jump(tables_of) -> None:
    found = run(tables_of(applicants(4000)), design_of(covariates=("age", "schooling")))
    assert found.passed is True
    assert found.table.frame["label"].tolist() == ["Age", "Schooling"]
    assert found.numbers["smallest_p_value"] > 0.05


def test_jump_of_one_standard_deviation_is_found(tables_of) -> None:
    found = run(tables_of(applicants(4000, jump=4.0)), design_of(covariates=("age", "schooling")))
    assert found.passed is False
    assert "«Age» jumps" in found.reason
    frame = found.table.frame.set_index("label")
    # Within the bandwidth the jump itself adds to the spread that it is measured in.
    assert frame.loc["Age", "value"] == pytest.approx(0.9, abs=0.35)
    assert frame.loc["Schooling", "p_value_holm"] > 0.05


def test_few_persons_leave_it_open(tables_of) -> None:
    found = run(tables_of(applicants(250)), design_of(covariates=("schooling",)))
    assert found.passed is None
    assert "unseen" in found.reason


def test_traits_may_be_named_for_the_check_alone(tables_of) -> None:
    found = run(tables_of(applicants(1500, jump=4.0)), design_of(), benchmark_covariates=("age",))
    assert found.passed is False
    assert len(found.table.frame) == 1


def test_no_traits(tables_of) -> None:
    found = run(tables_of(applicants(600)), design_of())
    assert found.passed is None
    assert "names no traits" in found.reason


def test_outcome_of_the_programme_plays_no_part(tables_of) -> None:
    people = applicants(1000)
    one, other = tables_of(people), tables_of(people)
    moved = other.outcomes.assign(value=other.outcomes["value"] * 7 - 3)
    other = Tables.of(other.participants, moved, other.measures, other.schemas)
    design = design_of(covariates=("age",))
    pd.testing.assert_frame_equal(run(one, design).table.frame, run(other, design).table.frame)


def test_takers_may_differ_from_those_it_was_meant_for(tables_of) -> None:
    """In a fuzzy design the jump is that along the rule, whoever took part."""
    people = applicants(1500, jump=4.0)
    took = np.where(np.random.default_rng(1).random(len(people)) < 0.2, ~people["is_treated"], people["is_treated"])
    fuzzy = tables_of(people.assign(is_treated=took))
    sharp = run(tables_of(people), design_of(covariates=("age",)))
    found = run(fuzzy, design_of(covariates=("age",), sharpness="fuzzy"))
    pd.testing.assert_frame_equal(found.table.frame, sharp.table.frame)


def test_few_at_the_cutoff_are_hidden(tables_of) -> None:
    people = applicants(1500)
    people["is_rare"] = (people["score"] >= CUTOFF) & (people["score"] < CUTOFF + 0.2)
    found = run(tables_of(people), design_of(), benchmark_covariates=("is_rare",))
    assert clear(found.table, DisclosureRule()).n_hidden > 0
