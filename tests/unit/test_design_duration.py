"""A duration that the data cannot honour is refused; what it leaves out, it says; no step tells of a person."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.designs import estimate, problems
from virkning.designs.duration import Duration
from virkning.designs.findings import Finding
from virkning.designs.survival.curves import moments
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError
from virkning.estimand import Outcome
from virkning.estimates import Estimate
from virkning.numerics import proportional_hazards, survival
from virkning.report import curves

N = 160
HORIZON = 20.0
MEASURES = {
    "weeks": Outcome(
        label="Weeks without work", unit="weeks", kind="amount", period="end", primary=True, better="lower"
    ),
    "found": Outcome(label="Found work", unit="share", kind="share", period="end"),
    "moved": Outcome(label="Moved away", unit="share", kind="share", period="end"),
    "income": Outcome(label="Income", unit="EUR", kind="amount", period="end"),
}


def design(**fields: object) -> Duration:
    given: dict[str, object] = {
        "assignment": "lottery",
        "follow_up": {"weeks": {"event": "found", "competing": ["moved"], "horizon": HORIZON}},
    }
    return Duration(population="the young", comparison="the others", **{**given, **fields})


@pytest.fixture
def people() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    place = np.arange(N) // 4
    return pd.DataFrame(
        {
            "participant_id": [f"person-{row:03d}" for row in range(N)],
            "is_treated": place % 2 == 0,
            "age": generator.normal(25, 4, size=N),
            "town": [f"town {code}" for code in place],
        }
    )


@pytest.fixture
def values(people: pd.DataFrame) -> pd.DataFrame:
    """Return what is known of each: the programme halves the time until work; some move, some are lost."""
    generator = np.random.default_rng(2)
    work = generator.exponential(np.where(people["is_treated"], 8.0, 16.0))
    away, lost = generator.exponential(60.0, N), generator.uniform(15.0, 40.0, N)
    first = np.minimum(np.minimum(work, away), lost)
    return pd.DataFrame(
        {
            "weeks": first,
            "found": (work == first).astype(float),
            "moved": (away == first).astype(float),
            "income": generator.normal(100, 10, N) + 5 * people["is_treated"],
        }
    )


def tables_of(people: pd.DataFrame, values: pd.DataFrame, **measures: Outcome) -> Tables:
    types = {"b": "boolean", "i": "integer", "f": "number"}
    fields = [
        Field(
            name=name,
            type=types.get(people[name].dtype.kind, "string"),
            title=name.capitalize(),
            unit="units",
            constraints=Constraints(required=not people[name].isna().any()),
        )
        for name in people.columns
        if name not in ("participant_id", "is_treated")
    ]
    outcomes = values.assign(participant_id=people["participant_id"]).melt("participant_id", var_name="measure")
    declared = {name: {**MEASURES, **measures}[name] for name in values.columns}
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes.assign(period="end").dropna(subset="value"), declared, schemas)


@pytest.fixture
def tables(people: pd.DataFrame, values: pd.DataFrame) -> Tables:
    return tables_of(people, values)


def refusal(tables: Tables, code: str, **fields: object) -> DesignError:
    found = problems(design(**fields), tables)
    assert [error.code for error in found] == [code]
    assert found[0].where
    assert found[0].why
    assert found[0].do
    with pytest.raises(DesignError) as raised:
        estimate(design(**fields), tables)
    assert raised.value.code == code
    return found[0]


def finding(found: tuple[Finding, ...], name: str) -> Finding:
    assert [item.name for item in found].count(name) == 1
    return next(item for item in found if item.name == name)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"clusters": "town"},
        {"estimator": "ancova", "covariates": ["age"], "assignment": "comparison"},
        {"alternatives": ["ancova", "lin"], "covariates": ["age"], "clusters": "town"},
        {"follow_up": {"weeks": {"event": "found", "horizon": HORIZON}}},
    ],
)
def test_sound_designs_find_the_effect(tables: Tables, fields: dict[str, object]) -> None:
    assert problems(design(**fields), tables) == ()
    found = estimate(design(**fields), tables)
    assert found["weeks"].headline().upper < 0
    assert found["found"].headline().lower > 0
    assert abs(found["income"].headline().value - 5) < 5
    asked = 1 + len(fields.get("alternatives", ()))
    assert all(len(item.effects) == asked for item in found.values())


def test_names_of_terms(tables: Tables) -> None:
    fields = {"alternatives": ["ancova", "lin"], "covariates": ["age"]}
    names = {name: item.effects["term"].tolist() for name, item in estimate(design(**fields), tables).items()}
    assert names["weeks"] == ["difference_in_means, greenwood", "ancova, hc2", "lin, hc2"]
    assert names["income"] == ["difference_in_means, hc2", "ancova, hc2", "lin, hc2"]
    clustered = estimate(design(clusters="town"), tables)
    assert {item.effects["term"].iloc[0] for item in clustered.values()} == {"difference_in_means, clustered"}
    assert clustered["weeks"].degrees_of_freedom == N / 4 - 1


def test_the_lottery_decides_the_level(tables: Tables) -> None:
    by_lot, by_choice = (estimate(design(assignment=how), tables).primary for how in ("lottery", "comparison"))
    assert by_lot.evidence_level.level == 5
    assert by_choice.evidence_level.level == 3
    assert by_lot.headline() == by_choice.headline()
    assert any("No lottery" in text for text in by_choice.warnings)
    assert not any("No lottery" in text for text in by_lot.warnings)
    with pytest.raises(ValidationError):
        Duration(population="a", comparison="b", follow_up={"weeks": {"event": "found", "horizon": 5}})


def test_comparison_mean_is_that_of_the_curve(tables: Tables, people: pd.DataFrame, values: pd.DataFrame) -> None:
    found = estimate(design(), tables)
    others = ~people["is_treated"].to_numpy()
    time, cause = values["weeks"].to_numpy()[others], (values["found"] + 2 * values["moved"]).to_numpy(int)[others]
    assert found["weeks"].comparison_mean == pytest.approx(survival.time_without(time, cause, HORIZON).value, rel=1e-12)
    assert found["found"].comparison_mean == pytest.approx(survival.share_by(time, cause, HORIZON).value, rel=1e-12)
    swapped = np.choose(cause, [0, 2, 1])
    assert found["moved"].comparison_mean == pytest.approx(survival.share_by(time, swapped, HORIZON).value, rel=1e-12)


# Bad input


def test_negative_times(people: pd.DataFrame, values: pd.DataFrame) -> None:
    values.loc[[3, 8], "weeks"] = -1.5
    error = refusal(tables_of(people, values), "design.negative_time")
    assert "2 rows" in error.what
    assert "1.5" not in str(error)


def test_missing_indicator(people: pd.DataFrame, values: pd.DataFrame) -> None:
    values.loc[[1, 2, 3], "found"] = np.nan
    assert "3 rows" in refusal(tables_of(people, values), "design.missing_event").what


def test_indicator_without_a_time_is_left_out(people: pd.DataFrame, values: pd.DataFrame) -> None:
    values.loc[[1, 2, 3], "weeks"] = np.nan
    tables = tables_of(people, values)
    for measure in ("weeks", "found", "moved"):
        found = estimate(design(), tables)[measure]
        assert found.n_units == N - 3
        assert sum("no outcome" in text for text in found.warnings) == 1
        (exclusion,) = design().exclusions(tables, measure)
        assert exclusion.persons.sum() == 3
        assert "Weeks without work" in exclusion.reason
    assert estimate(design(), tables)["income"].n_units == N
    assert design().exclusions(tables, "income")[0].persons.sum() == 0


def test_unknown_event_code(people: pd.DataFrame, values: pd.DataFrame) -> None:
    values.loc[values.index[values["found"] == 1][:4], "found"] = 0.5
    assert "4 rows" in refusal(tables_of(people, values), "design.unknown_event_code").what


def test_two_endings(people: pd.DataFrame, values: pd.DataFrame) -> None:
    values.loc[values.index[values["found"] == 1][:4], "moved"] = 1.0
    assert "4 rows" in refusal(tables_of(people, values), "design.two_endings").what


def test_horizon_beyond_the_follow_up_names_a_possible_one(people: pd.DataFrame, values: pd.DataFrame) -> None:
    values.loc[values["weeks"] > 23.4, ["found", "moved"]] = 0.0
    values["weeks"] = values["weeks"].clip(upper=23.4)
    follow_up = {"weeks": {"event": "found", "competing": ["moved"], "horizon": 30.0}}
    tables = tables_of(people, values)
    error = refusal(tables, "design.horizon_beyond_follow_up", follow_up=follow_up)
    assert "at most 23." in error.do
    follow_up["weeks"]["horizon"] = 23.4
    assert problems(design(follow_up=follow_up), tables) == ()


def test_possible_horizon_is_nobodys_own_time(people: pd.DataFrame, values: pd.DataFrame) -> None:
    longest = values["weeks"].to_numpy().argmax()
    values.loc[longest, ["weeks", "found", "moved"]] = [123.456, 0.0, 0.0]
    others = values[~people["is_treated"]].drop(index=longest, errors="ignore")
    follow_up = {"weeks": {"event": "found", "competing": ["moved"], "horizon": 500.0}}
    error = refusal(tables_of(people, values), "design.horizon_beyond_follow_up", follow_up=follow_up)
    told = float(error.do.removesuffix(".").rsplit(" ", 1)[1])
    assert told <= others["weeks"].max()
    assert told not in values["weeks"].to_numpy()


def test_a_curve_that_has_come_down_needs_no_follow_up(people: pd.DataFrame, values: pd.DataFrame) -> None:
    values = values.assign(found=1.0, moved=0.0)
    follow_up = {"weeks": {"event": "found", "horizon": 1000.0}}
    tables = tables_of(people, values)
    assert problems(design(follow_up=follow_up), tables) == ()
    found = estimate(design(follow_up=follow_up), tables)["weeks"]
    means = values["weeks"].groupby(people["is_treated"]).mean()
    assert found.headline().value == pytest.approx(means[True] - means[False], rel=1e-12)


def test_nobody_has_the_event(people: pd.DataFrame, values: pd.DataFrame) -> None:
    tables = tables_of(people, values.assign(found=0.0, moved=0.0, weeks=25.0))
    found = estimate(design(), tables)
    for measure in ("weeks", "found", "moved"):
        assert not found[measure].is_available
        assert "nobody" in found[measure].unavailable_reason
        assert design().findings(tables, found[measure]) == ()
    assert found["income"].is_available


def test_nobody_has_the_event_before_the_horizon(tables: Tables, values: pd.DataFrame) -> None:
    early = {"weeks": {"event": "found", "horizon": float(values["weeks"].min()) / 2}}
    assert not estimate(design(follow_up=early), tables)["weeks"].is_available


def test_one_group_without_events(people: pd.DataFrame, values: pd.DataFrame) -> None:
    values.loc[people["is_treated"], ["found", "moved", "weeks"]] = [0.0, 0.0, 30.0]
    tables = tables_of(people, values)
    found = estimate(design(), tables)["weeks"]
    assert any("hardly anybody" in text for text in found.warnings)
    table = finding(design().findings(tables, found), "hazard-ratio").table
    assert table.frame.empty
    assert "no ratio" in table.note


def test_zero_times_are_mentioned(people: pd.DataFrame, values: pd.DataFrame) -> None:
    assert not any("zero" in text for text in estimate(design(), tables_of(people, values))["weeks"].warnings)
    values.loc[[0, 4], "weeks"] = 0.0
    found = estimate(design(), tables_of(people, values))["weeks"]
    (text,) = [text for text in found.warnings if "zero" in text]
    assert not any(character.isdigit() for character in text)


def test_losses_are_mentioned(people: pd.DataFrame, values: pd.DataFrame) -> None:
    found = estimate(design(), tables_of(people, values))["weeks"]
    assert any("could not be followed" in text for text in found.warnings)
    values.loc[values["found"] + values["moved"] == 0, "weeks"] = HORIZON
    found = estimate(design(), tables_of(people, values))["weeks"]
    assert not any("could not be followed" in text for text in found.warnings)


def test_measures_that_are_not_there(tables: Tables) -> None:
    error = refusal(tables, "design.unknown_measure", follow_up={"weeks": {"event": "fuond", "horizon": 5}})
    assert "«found»" in error.do
    refusal(tables, "design.unknown_measure", follow_up={"wekks": {"event": "found", "horizon": 5}})
    follow_up = {"weeks": {"event": "found", "competing": ["died"], "horizon": 5}}
    refusal(tables, "design.unknown_measure", follow_up=follow_up)


def test_measures_named_twice(tables: Tables) -> None:
    follow_up = {"weeks": {"event": "found", "competing": ["found"], "horizon": 5}}
    refusal(tables, "design.measure_named_twice", follow_up=follow_up)
    follow_up = {"weeks": {"event": "found", "horizon": 5}, "income": {"event": "found", "horizon": 5}}
    refusal(tables, "design.event_of_two_durations", follow_up=follow_up)


def test_kinds(people: pd.DataFrame, values: pd.DataFrame) -> None:
    refusal(
        tables_of(people, values, found=Outcome(label="Found", unit="yes", kind="count", period="end")),
        "design.event_kind",
    )
    refusal(tables_of(people, values), "design.duration_kind", follow_up={"moved": {"event": "found", "horizon": 1}})


@pytest.mark.parametrize("horizon", [0, -3, float("inf"), float("nan")])
def test_horizon_is_a_time(horizon: float) -> None:
    with pytest.raises(ValidationError):
        design(follow_up={"weeks": {"event": "found", "horizon": horizon}})


def test_columns_and_groups(tables: Tables, people: pd.DataFrame, values: pd.DataFrame) -> None:
    refusal(tables, "design.no_covariates", estimator="lin")
    refusal(tables, "design.duplicate_term", alternatives=["difference_in_means"])
    refusal(tables, "design.unknown_column", covariates=["agee"])
    refusal(tables, "design.not_a_number", covariates=["town"])
    refusal(tables, "design.covariate_is_treatment", covariates=["is_treated"])
    refusal(tables_of(people.assign(is_treated=True), values), "design.one_arm")
    refusal(
        tables_of(people.assign(is_treated=np.arange(N) % 3 == 0), values),
        "design.treatment_varies_in_cluster",
        clusters="town",
    )
    twin = people.assign(twin=2 * people["age"])
    refusal(tables_of(twin, values), "design.collinear", estimator="ancova", covariates=["age", "twin"])


def test_too_few_with_an_outcome(people: pd.DataFrame, values: pd.DataFrame) -> None:
    values.loc[people["is_treated"], "weeks"] = np.nan
    found = estimate(design(), tables_of(people, values))
    assert found["weeks"].unavailable_reason == "Nobody offered the programme has this outcome."
    assert found["found"].unavailable_reason == found["weeks"].unavailable_reason


def test_inside_a_group(tables: Tables, people: pd.DataFrame) -> None:
    whole = design(estimator="lin", covariates=["age"], alternatives=["ancova"])
    alike = people.assign(age=30.0)
    assert whole.within(people).estimator == "lin"
    assert whole.within(people).alternatives == ()
    assert whole.within(alike).estimator == "difference_in_means"
    assert whole.within(alike).covariates == ()
    half = np.arange(N) % 8 < 6
    assert whole.within(people[half]).estimate_outcome(tables, "weeks", seed=0, persons=half).n_units == half.sum()


# What is shown beside the estimate


@pytest.fixture
def shown(tables: Tables) -> tuple[Estimate, tuple[Finding, ...]]:
    chosen = design(covariates=["age"])
    found = estimate(chosen, tables)["weeks"]
    return found, chosen.findings(tables, found, seed=3)


def test_findings(shown: tuple[Estimate, tuple[Finding, ...]]) -> None:
    _, found = shown
    assert [item.name for item in found] == [
        "time-until", "by-group", "persons-followed", "competing-events", "hazard-ratio"
    ]  # fmt: skip
    for item in found:
        assert item.question.endswith("?")
        assert item.sentence.endswith(".")
        cleared = clear(item.table, DisclosureRule())
        numbers = [column for column in item.table.columns if column.kind not in ("text", "count")]
        assert all(column.persons for column in numbers if column.name != "time")
        if item.drawing is not None:
            assert curves.curve(cleared, item.drawing).kind == "figure"


def test_findings_stand_with_the_time_and_are_not_repeated_for_the_event(tables: Tables) -> None:
    chosen = design()
    effects = estimate(chosen, tables)
    assert chosen.findings(tables, effects["weeks"], seed=3)
    assert chosen.findings(tables, effects["found"], seed=3) == ()
    assert chosen.findings(tables, effects["income"]) == ()


def test_by_group_agrees_with_the_estimate(shown: tuple[Estimate, tuple[Finding, ...]]) -> None:
    estimated, found = shown
    last = finding(found, "by-group").table.frame.iloc[-1]
    best = estimated.headline()
    assert [last["mean"], last["mean_lower"], last["mean_upper"]] == pytest.approx([best.value, best.lower, best.upper])


def test_band_is_wider_than_the_limits(shown: tuple[Estimate, tuple[Finding, ...]]) -> None:
    frame = finding(shown[1], "time-until").table.frame
    later = frame[frame["time"] > 0]
    assert (later["band_lower"] < later["lower"]).all()
    assert (later["lower"] < later["free"]).all()
    assert (later["free"] < later["upper"]).all()
    assert (later["upper"] < later["band_upper"]).all()
    assert later["band_upper"].lt(1).all()
    first = frame[frame["time"] == 0]
    assert (first[["free", "lower", "upper", "band_lower", "band_upper"]] == 1).all(axis=None)


def test_no_step_tells_of_fewer_persons_than_declared(
    shown: tuple[Estimate, tuple[Finding, ...]], people: pd.DataFrame, values: pd.DataFrame
) -> None:
    frame = finding(shown[1], "time-until").table.frame
    for name, side in (("Offered the programme", True), ("Comparison group", False)):
        times = frame.loc[frame["group"] == name, "time"].to_numpy()
        assert times[0] == 0
        assert times[-1] == HORIZON
        happened = values.loc[(people["is_treated"] == side) & (values["found"] == 1), "weeks"].to_numpy()
        between = np.diff((happened[:, None] <= times).sum(axis=0))
        assert (between[:-1] >= 5).all()
        assert between[-1] == 0 or between[-1] >= 5


def test_moments() -> None:
    time = np.arange(1.0, 13.0)
    happened = np.ones(12, dtype=np.int64)
    places, steps = moments(time, happened, 20.0, 5)
    assert places.tolist() == [0, 5, 20]  # the last two events are too few for a step of their own
    assert steps == [12, 5, 7]
    places, steps = moments(time, happened, 10.0, 5)
    assert places.tolist() == [0, 5, 10]
    places, steps = moments(time, np.zeros(12, dtype=np.int64), 20.0, 5)
    assert places.tolist() == [0, 20]
    assert steps == [12, 0]
    many = np.arange(1.0, 5001.0)
    assert len(moments(many, np.ones(5000, dtype=np.int64), 5000.0, 5)[0]) <= 102


def test_persons_followed_add_up(shown: tuple[Estimate, tuple[Finding, ...]], people: pd.DataFrame) -> None:
    frame = finding(shown[1], "persons-followed").table.frame
    sizes = people["is_treated"].value_counts()
    for name, side in (("Offered the programme", True), ("Comparison group", False)):
        rows = frame[frame["group"] == name]
        assert (rows[["left", "events", "competing", "lost"]].sum(axis=1) == sizes[side]).all()
        assert rows["left"].is_monotonic_decreasing


def test_small_numbers_followed_are_hidden(people: pd.DataFrame, values: pd.DataFrame) -> None:
    values.loc[values["weeks"] < 5, ["found", "moved"]] = 0.0
    values.loc[values["weeks"] < 5, "weeks"] = 25.0
    values.loc[[0, 1], ["weeks", "found", "moved"]] = [2.0, 1.0, 0.0]
    tables = tables_of(people, values)
    table = finding(design().findings(tables, estimate(design(), tables)["weeks"]), "persons-followed").table
    cleared = clear(table, DisclosureRule())
    first = table.frame.index[(table.frame["group"] == "Offered the programme") & (table.frame["time"] == 5)][0]
    assert table.frame.loc[first, "events"] == 2
    assert cleared.hidden.loc[first, ["left", "events"]].all()


# Numbers


def test_everything_lost_gives_a_flat_curve() -> None:
    found = survival.incidence_of(np.array([1.0, 2.0, 3.0]), np.zeros(3, dtype=np.int64))
    assert found.times.size == 0
    assert found.by(np.array([0.0, 5.0])).tolist() == [0, 0]
    average = survival.time_without(np.array([1.0, 2.0, 3.0]), np.zeros(3, dtype=np.int64), 3.0)
    assert average.value == 3
    assert average.std_error == 0


def test_lost_at_the_time_of_an_event_counts_as_followed() -> None:
    found = survival.incidence_of(np.array([2.0, 2.0, 3.0]), np.array([0, 1, 0]))
    assert found.at_risk.tolist() == [3]
    assert found.incidence == pytest.approx([1 / 3])


def test_interval_stays_between_zero_and_one() -> None:
    lower, upper = survival.interval(np.array([1.0, 0.99, 0.01, 0.0]), np.array([0.0, 0.01, 0.01, 0.0]), 1.96)
    assert (lower[0], upper[0]) == (1, 1)
    assert ((lower[1:3] > 0) & (upper[1:3] < 1)).all()
    assert np.isnan([lower[3], upper[3]]).all()


@pytest.mark.parametrize("regressor", [np.ones(20), np.arange(20.0) < 10])
def test_no_ratio(regressor: np.ndarray) -> None:
    # Constant; and a group in which everybody has the event before anybody in the other has.
    with pytest.raises(proportional_hazards.NoRatioError):
        proportional_hazards.hazard_ratios(np.arange(1.0, 21.0), np.arange(20) < 10, regressor.astype(float)[:, None])


def test_log_rank_without_variance() -> None:
    time, happened = np.array([1.0, 2.0]), np.array([False, True])
    assert proportional_hazards.log_rank(time, happened, np.array([True, False])) is None


def test_proportionality_needs_several_times() -> None:
    assert proportional_hazards.proportionality(np.ones((3, 1)), np.ones(3), np.eye(1)) == ()
