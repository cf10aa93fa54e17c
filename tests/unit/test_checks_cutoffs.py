"""Placebo cutoffs and donut: a jump that is elsewhere too, and one that rests on those just there, are found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.cutoffs import check_donut, check_placebo_cutoffs
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


def applicants(n: int, seed: int) -> pd.DataFrame:
    score = np.random.default_rng(seed).uniform(0, 100, size=n)
    return pd.DataFrame({"score": score, "is_treated": score >= CUTOFF})


def outcome(people: pd.DataFrame, seed: int, *, jump: float = 5.0, elsewhere: float = 0.0) -> np.ndarray:
    """Return outcomes with a jump at fifty, and another at 75."""
    score = people["score"].to_numpy()
    noise = np.random.default_rng(seed).normal(0, 2, size=len(score))
    return 10 + 0.05 * score + jump * (score >= CUTOFF) + elsewhere * (score >= 75) + noise


def run(check, design, tables: Tables, **settings: object) -> CheckResult:
    effects = Estimates({name: design.estimate_outcome(tables, name, seed=0) for name in tables.measures})
    return check(design, tables, effects, CheckSettings(**settings), np.random.default_rng(0))


def test_jump_at_the_cutoff_alone(make_tables) -> None:
    people = applicants(1500, 1)
    found = run(check_placebo_cutoffs, design_of(), make_tables(people, {"gain": outcome(people, 2)}))
    assert found.passed is True
    assert found.numbers["n_cutoffs"] == 4
    places = found.table.frame["place"]
    assert ((places - CUTOFF).abs() > 10).all()


def test_jump_of_five_at_another_number_is_found(make_tables) -> None:
    people = applicants(1500, 1)
    tables = make_tables(people, {"gain": outcome(people, 2, elsewhere=5.0)})
    found = run(check_placebo_cutoffs, design_of(), tables, placebo_cutoffs=(25.0, 75.0))
    assert found.passed is False
    frame = found.table.frame.set_index("place")
    assert frame.loc[75.0, "value"] == pytest.approx(5.0, abs=1.5)
    assert frame.loc[25.0, "p_value_holm"] > 0.05


def test_only_one_side_is_used(make_tables) -> None:
    # The jump at the real cutoff is near enough to 55 to be taken for one there, if both sides were used.
    people = applicants(1500, 3)
    tables = make_tables(people, {"gain": outcome(people, 4, jump=50.0)})
    found = run(check_placebo_cutoffs, design_of(), tables, placebo_cutoffs=(60.0,))
    assert abs(found.table.frame["value"].iloc[0]) < 3


def test_fuzzy_design_is_asked_for_the_outcome_itself(make_tables) -> None:
    people = applicants(1500, 5)
    took = np.random.default_rng(6).random(len(people)) < np.where(people["is_treated"], 0.8, 0.1)
    tables = make_tables(people.assign(took_part=took), {"gain": outcome(people, 7)})
    found = run(check_placebo_cutoffs, design_of(sharpness="fuzzy", treatment="took_part"), tables)
    assert found.passed is True


def heaped(people: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return persons of whom a tenth of those below had themselves placed just above, and are unlike the others."""
    generator = np.random.default_rng(seed)
    movers = (people["score"] < CUTOFF) & (people["score"] > 40) & (generator.random(len(people)) < 0.5)
    score = people["score"].where(~movers, CUTOFF + generator.uniform(0, 0.5, size=len(people)))
    changed = pd.DataFrame({"score": score, "is_treated": score >= CUTOFF})
    return changed, outcome(changed, seed + 1, jump=0.0) + 8.0 * movers.to_numpy()


def test_jump_that_rests_on_those_just_above_is_gone_without_them(make_tables) -> None:
    people, gain = heaped(applicants(2000, 8), 9)
    tables = make_tables(people, {"gain": gain})
    found = run(check_donut, design_of(bandwidth=15.0), tables, donut_widths=(0.6, 1.5))
    assert found.passed is False
    assert "gone" in found.reason


def test_real_jump_stays_without_those_nearest(make_tables) -> None:
    people = applicants(1500, 10)
    found = run(check_donut, design_of(), make_tables(people, {"gain": outcome(people, 11)}))
    assert found.passed is True
    assert len(found.table.frame) >= 1
    assert found.table.frame["place"].is_monotonic_increasing


def test_row_is_the_estimate_without_them(make_tables) -> None:
    people = applicants(1500, 10)
    tables = make_tables(people, {"gain": outcome(people, 11)})
    found = run(check_donut, design_of(bandwidth=20.0), tables, donut_widths=(2.0,))
    far = ((people["score"] - CUTOFF).abs() >= 2.0).to_numpy()
    best = design_of(bandwidth=20.0).estimate_outcome(tables, "gain", seed=0, persons=far).headline()
    row = found.table.frame.iloc[0]
    assert (row["value"], row["lower"], row["upper"]) == (best.value, best.lower, best.upper)


def test_nobody_is_left_out_alone(make_tables) -> None:
    people = applicants(1500, 10)
    tables = make_tables(people, {"gain": outcome(people, 11)})
    few = float(np.sort((people["score"] - CUTOFF).abs())[8])
    found = run(check_donut, design_of(), tables, donut_widths=(few,))
    assert found.passed is None
    assert "too few persons" in found.reason
    shown = run(check_donut, design_of(), tables, donut_widths=(2.0,))
    assert clear(shown.table, DisclosureRule(threshold=1500)).hidden["value"].all()


def test_jump_that_is_not_there_cannot_be_overturned(make_tables) -> None:
    people = applicants(1500, 12)
    found = run(check_donut, design_of(), make_tables(people, {"gain": outcome(people, 13, jump=0.0)}))
    assert found.passed is None
    assert "nothing to overturn" in found.reason


@pytest.mark.parametrize("check", [check_donut, check_placebo_cutoffs])
def test_design_without_a_cutoff_and_outcome_without_an_estimate(trial, make_tables, people, earnings, check) -> None:
    found = run(check, trial(), make_tables(people, {"earnings": earnings}))
    assert (found.passed, "no cutoff" in found.reason) == (None, True)
    some = applicants(300, 14)
    flat = run(check, design_of(), make_tables(some, {"gain": np.ones(300)}))
    assert (flat.passed, "same for everybody" in flat.reason) == (None, True)
