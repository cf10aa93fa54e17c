"""Placebo in time: a drift shows up before there was a programme, and an effect of the programme does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.checks import CheckSettings
from virkning.checks.earlier_starts import earlier_starts
from virkning.checks.placebo_in_time import check_placebo_in_time
from virkning.checks.results import CheckResult
from virkning.data import Field, Tables, load_schema
from virkning.designs import DifferenceInDifferences, EvaluationDesign, StaggeredAdoption, estimate
from virkning.designs.interrupted_time_series import InterruptedTimeSeries
from virkning.designs.synthetic_control import SyntheticControl
from virkning.disclosure import DisclosureRule, clear
from virkning.estimand import Outcome

YEARS = tuple(str(year) for year in range(2001, 2021))
START = 2015
WORDS = {"population": "the persons", "comparison": "the others"}
BEFORE = tuple(year for year in YEARS if int(year) < START)
AFTER = tuple(year for year in YEARS if int(year) >= START)


def panel(
    n: int,
    seed: int,
    *,
    moved: int = 0,
    effect: float = 3.0,
    n_treated: int | None = None,
    is_staggered: bool = False,
    numeric: bool = False,
) -> Tables:
    """Return twenty years; the treated gain ``effect`` from their start on, or so many years earlier by themselves."""
    generator = np.random.default_rng(seed)
    treated = np.arange(n) < (n // 2 if n_treated is None else n_treated)
    time = np.arange(len(YEARS))
    values = generator.normal(50, 2, size=(n, 1)) + 0.3 * time + generator.normal(0, 1, size=(n, len(YEARS)))
    own = START + (np.arange(n) % 2 if is_staggered else np.zeros(n, dtype=int))
    values += effect * (treated[:, None] & (np.array(YEARS).astype(int)[None, :] >= own[:, None] - moved))
    names = [f"person-{row:04d}" for row in range(n)]
    starts = np.where(treated, own, None)
    column = pd.Series(starts, dtype="float") if numeric else pd.Series(starts).map(str, na_action="ignore")
    people = pd.DataFrame({"participant_id": names, "is_treated": treated})
    people["first_treated_period"] = column if numeric else column.astype("str")
    outcomes = pd.DataFrame(values, columns=list(YEARS)).assign(participant_id=names)
    outcomes = outcomes.melt("participant_id", var_name="period").assign(measure="points")
    measures = {"points": Outcome(label="Points", unit="points", kind="amount", period="2020", primary=True)}
    field = Field(name="first_treated_period", type="number" if numeric else "string", title="Start", unit="year")
    schemas = {"participants": load_schema("participants", [field]), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes, measures, schemas)


def two_groups(**fields: object) -> DifferenceInDifferences:
    return DifferenceInDifferences(**WORDS, sampling="panel", **{"before": BEFORE, "after": AFTER, **fields})


TWO_GROUPS = (two_groups(), 80, None)
COHORTS = (StaggeredAdoption(**WORDS, two_way_fixed_effects=False), 80, None)
ANTICIPATED = (StaggeredAdoption(**WORDS, anticipation=1, control_group="not_yet_treated"), 80, None)
PLACES = (SyntheticControl(**WORDS, start=str(START), placebo_runs=50), 16, 1)
SERIES = (InterruptedTimeSeries(population="the persons", start=str(START), has_comparison_series=True), 80, None)
EVERY = pytest.mark.parametrize(
    ("design", "n", "n_treated"),
    [TWO_GROUPS, COHORTS, ANTICIPATED, PLACES, SERIES],
    ids=["groups", "cohorts", "anticipated", "places", "series"],
)


def check(design: EvaluationDesign, tables: Tables, **settings: object) -> CheckResult:
    return check_placebo_in_time(
        design, tables, estimate(design, tables), CheckSettings(**settings), np.random.default_rng(0)
    )


@EVERY
def test_effect_of_the_programme_is_not_found_before_it(
    design: EvaluationDesign, n: int, n_treated: int | None
) -> None:
    found = check(
        design, panel(n, seed=3, n_treated=n_treated, effect=4.0, is_staggered=isinstance(design, StaggeredAdoption))
    )
    assert found.passed is True
    assert 1 <= found.numbers["n_starts"] <= 3
    assert found.numbers["largest"] < 2
    assert (found.table.frame["ahead"] < 0).all()


@EVERY
def test_gain_of_six_that_came_three_years_early_is_found(
    design: EvaluationDesign, n: int, n_treated: int | None
) -> None:
    found = check(design, panel(n, seed=2, moved=3, n_treated=n_treated, effect=6.0), placebo_in_time_starts=3)
    assert found.passed is False
    assert found.numbers["largest"] > 2
    assert "finds an effect" in found.reason


def test_false_alarms_are_one_in_twenty() -> None:
    design = two_groups(before=BEFORE[-3:], after=AFTER[:1])
    measures = {"points": panel(4, seed=1).measures["points"].model_copy(update={"period": AFTER[0]})}
    verdicts = []
    for seed in range(50, 65):
        tables = panel(30, seed=seed)
        tables = Tables.of(tables.participants, tables.outcomes, measures, tables.schemas)
        verdicts.append(check(design, tables).passed)
    # Of 15, five or more come with a chance below one in five hundred.
    assert verdicts.count(False) <= 4


def test_cohorts_move_together_and_nothing_after_the_start_is_used() -> None:
    tables = panel(40, seed=3, is_staggered=True)
    design = COHORTS[0]
    for each in earlier_starts(design, tables, "points", 3):
        people = each.tables.participants.set_index("participant_id")["first_treated_period"]
        old = tables.participants.set_index("participant_id")["first_treated_period"]
        treated = old.notna()
        assert (old[treated].astype(int) - people[treated].astype(int) == each.periods_ahead).all()
        assert people[~treated].isna().all()
        used = each.tables.outcomes
        ends = used["participant_id"].map(old)
        assert (used["period"].astype(int) < ends.fillna("9999").astype(int)).all()


def test_numbers_as_starts_give_the_same() -> None:
    design = COHORTS[0]
    text, number = (check(design, panel(40, seed=4, is_staggered=True, numeric=numeric)) for numeric in (False, True))
    pd.testing.assert_frame_equal(text.table.frame, number.table.frame)


def test_effect_is_that_of_a_design_written_by_hand() -> None:
    tables = panel(40, seed=5)
    found = check(two_groups(), tables, placebo_in_time_starts=1)
    row = found.table.frame.iloc[0]
    before = tuple(year for year in BEFORE if year < row["start"])
    by_hand = two_groups(before=before, after=BEFORE[len(before) :])
    outcomes = tables.outcomes[tables.outcomes["period"].isin(BEFORE)]
    measures = {"points": tables.measures["points"].model_copy(update={"period": "2014"})}
    best = estimate(by_hand, Tables.of(tables.participants, outcomes, measures, tables.schemas)).headline()
    assert (row["value"], row["lower"], row["upper"]) == pytest.approx((best.value, best.lower, best.upper))


def test_p_values_are_adjusted_for_their_number() -> None:
    frame = check(two_groups(), panel(40, seed=6), placebo_in_time_starts=5).table.frame
    assert len(frame) == 5
    ordered = frame.sort_values("p_value")
    assert ordered["p_value_holm"].iloc[0] == pytest.approx(min(1.0, 5 * ordered["p_value"].iloc[0]))


@pytest.mark.parametrize(
    "design",
    [
        two_groups(before=("2014",)),
        SyntheticControl(**WORDS, start="2004", estimator="synthetic_differences", standard_errors="jackknife"),
        InterruptedTimeSeries(population="the persons", start="2005", has_comparison_series=True),
    ],
    ids=["groups", "places", "series"],
)
def test_too_few_periods_before(design: EvaluationDesign) -> None:
    found = check(design, panel(40, seed=7))
    assert found.passed is None
    assert found.table.frame.empty


def test_design_without_a_start(trial, make_tables, people, earnings) -> None:
    found = check(trial(), make_tables(people, {"earnings": earnings}))
    assert found.passed is None
    assert "no start" in found.reason


def test_imprecise_placebo_is_no_evidence() -> None:
    found = check(two_groups(before=("2013", "2014"), after=AFTER), panel(12, seed=8, effect=0.7))
    assert found.passed is None
    assert "unseen" in found.reason


def test_small_groups_are_hidden() -> None:
    found = check(two_groups(), panel(8, seed=9))
    assert clear(found.table, DisclosureRule(threshold=5)).hidden["value"].all()
