"""A staggered adoption that the data cannot honour is refused before anything is fitted; what is left out is said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.data.timeline import UnorderedPeriodsError, timeline
from virkning.designs import estimate, problems
from virkning.designs.findings import Finding
from virkning.designs.staggered_adoption import StaggeredAdoption
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DataError, DesignError
from virkning.estimand import Outcome
from virkning.numerics.two_periods import NotComparableError, difference

YEARS = ("2018", "2019", "2020", "2021", "2022")


def adoption(**fields: object) -> StaggeredAdoption:
    return StaggeredAdoption(population="the persons", comparison="those not yet in it", **fields)


@pytest.fixture
def people() -> pd.DataFrame:
    """Ninety persons: thirty start in 2020, thirty in 2021, thirty never."""
    generator = np.random.default_rng(3)
    start = np.repeat(np.array(["2020", "2021", None], dtype=object), 30)
    return pd.DataFrame(
        {
            "participant_id": [f"person-{row:03d}" for row in range(90)],
            "is_treated": [each is not None for each in start],
            "first_treated_period": pd.Series(start, dtype="str"),
            "age": generator.integers(18, 60, size=90).astype(float),
            "town": [f"town {row % 45}" for row in range(90)],
        }
    )


def panel(people: pd.DataFrame, periods: tuple[str, ...] = YEARS, measure: str = "weeks") -> pd.DataFrame:
    """Return outcomes in which each start adds 3 to a common rise of 1 a period."""
    generator = np.random.default_rng(4)
    values = generator.normal(size=(len(people), len(periods))) + np.arange(len(periods))
    start = people["first_treated_period"].astype("string").fillna("9999").to_numpy(dtype=str)
    values += 3.0 * (np.array(periods)[None, :] >= start[:, None])
    frame = pd.DataFrame(values, columns=list(periods)).assign(participant_id=people["participant_id"].to_numpy())
    return frame.melt("participant_id", var_name="period").assign(measure=measure)


def tables_of(people: pd.DataFrame, outcomes: pd.DataFrame, period: str = "2022", kind: str = "amount") -> Tables:
    kinds = {"b": "boolean", "i": "integer", "f": "number"}
    fields = [
        Field(
            name=name,
            type=kinds.get(people[name].dtype.kind, "string"),
            title=name,
            unit="units",
            constraints=Constraints(required=False),
        )
        for name in people.columns
        if name not in ("participant_id", "is_treated")
    ]
    measures = {
        name: Outcome(label=name.capitalize(), unit="units", kind=kind, period=period, primary=not rank)
        for rank, name in enumerate(outcomes["measure"].unique())
    }
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes, measures, schemas)


@pytest.fixture
def tables(people: pd.DataFrame) -> Tables:
    return tables_of(people, panel(people))


def refusal(tables: Tables, code: str, **fields: object) -> DesignError:
    """Return the one error that the design gives."""
    design = adoption(**fields)
    assert [error.code for error in problems(design, tables)] == [code]
    with pytest.raises(DesignError) as raised:
        estimate(design, tables)
    assert raised.value.code == code
    assert raised.value.exit_code == 12
    assert raised.value.where
    assert raised.value.why
    assert raised.value.do
    assert "person-0" not in str(raised.value)
    return raised.value


def findings(tables: Tables, design: StaggeredAdoption) -> dict[str, Finding]:
    return {item.name: item for item in design.findings(tables, estimate(design, tables).primary, seed=1)}


def with_start(people: pd.DataFrame, place: Callable[[pd.Index], np.ndarray], start: str | None) -> pd.DataFrame:
    """Return the persons with another start for some of them."""
    chosen = place(people.index)
    changed = people["first_treated_period"].where(~chosen, start)
    return people.assign(first_treated_period=changed.astype("str"), is_treated=changed.notna())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"control_group": "not_yet_treated", "base_period": "universal"},
        {"covariates": ["age"], "aggregation": "dynamic"},
        {"covariates": ["age"], "estimator": "inverse_probability_weighting", "aggregation": "group"},
        {"covariates": ["age"], "estimator": "outcome_regression", "aggregation": "calendar"},
        {"clusters": "town", "anticipation": 1},
    ],
)
def test_sound_designs_pass(tables: Tables, fields: dict[str, object]) -> None:
    design = adoption(**fields)
    assert problems(design, tables) == ()
    result = estimate(design, tables).primary
    assert result.headline().lower < 3.0 < result.headline().upper
    assert result.effects["term"].iloc[0] == design.aggregation
    assert result.effects["term"].iloc[-1] == "two-way fixed effects"


def test_names_of_the_steps(tables: Tables) -> None:
    terms = {
        name: estimate(adoption(aggregation=name), tables).primary.effects["term"].tolist()[1:-1]
        for name in ("simple", "dynamic", "group", "calendar")
    }
    assert terms["dynamic"] == ["event -2", "event -1", "event 0", "event +1", "event +2"]
    assert terms["simple"] == terms["dynamic"]
    assert terms["group"] == ["cohort 2020", "cohort 2021"]
    assert terms["calendar"] == ["period 2020", "period 2021", "period 2022"]


@pytest.mark.parametrize("field", ["treatment", "cohort", "covariates", "clusters"])
def test_unknown_column(tables: Tables, field: str) -> None:
    misspelt = {"treatment": "is_treatd", "cohort": "first_treated", "covariates": ["agee"], "clusters": "twon"}
    error = refusal(tables, "design.unknown_column", **{field: misspelt[field]})
    assert "Did you mean" in error.do
    assert field in error.where


def test_start_that_is_yes_or_no(tables: Tables) -> None:
    refusal(tables, "design.cohort_not_a_period", cohort="is_treated")


def test_start_and_treatment_contradict_each_other(people: pd.DataFrame) -> None:
    wrong = people.assign(is_treated=people["is_treated"] | (people.index == 89))
    assert "1 row." in refusal(tables_of(wrong, panel(wrong)), "design.treatment_disagrees").what


def test_start_in_no_period(people: pd.DataFrame) -> None:
    changed = with_start(people, lambda index: np.asarray(index < 2), "spring")
    error = refusal(tables_of(changed, panel(people)), "design.unknown_start")
    assert "2 rows" in error.what
    assert "spring" not in str(error)


def test_gap_in_time(people: pd.DataFrame) -> None:
    outcomes = panel(people)
    gap = tables_of(people, outcomes[outcomes["period"] != "2019"])
    error = refusal(gap, "design.gap_in_time")
    assert "«2019»" in error.what
    # Declared, the periods follow each other.
    declared = adoption(periods=["2018", "2020", "2021", "2022"])
    assert problems(declared, gap) == ()
    terms = estimate(declared, gap).primary.effects["term"].tolist()
    assert terms[1:-1] == ["event -1", "event 0", "event +1", "event +2"]


def test_period_without_any_value_is_a_gap(people: pd.DataFrame) -> None:
    outcomes = panel(people)
    outcomes["value"] = outcomes["value"].where(outcomes["period"] != "2019")
    refusal(tables_of(people, outcomes), "design.gap_in_time")


def test_declared_periods_and_data_differ(tables: Tables) -> None:
    assert "2018" in refusal(tables, "design.period_not_listed", periods=YEARS[1:]).what
    assert "«2017»" in refusal(tables, "design.gap_in_time", periods=["2017", *YEARS]).what
    refusal(tables, "design.duplicate_period", periods=["2018", *YEARS])


def test_periods_whose_names_do_not_tell_their_order(people: pd.DataFrame) -> None:
    names = dict(zip(YEARS, ("before", "baseline", "start", "later", "end"), strict=True))
    renamed = people.assign(first_treated_period=people["first_treated_period"].map(names).astype("str"))
    outcomes = panel(people).assign(period=lambda frame: frame["period"].map(names))
    tables = tables_of(renamed, outcomes, period="end")
    refusal(tables, "design.periods_unordered")
    plain = estimate(adoption(), tables_of(people, panel(people))).primary
    declared = estimate(adoption(periods=list(names.values())), tables).primary
    np.testing.assert_array_equal(declared.effects["value"], plain.effects["value"])


def test_duplicate_person_and_period(people: pd.DataFrame) -> None:
    outcomes = panel(people)
    with pytest.raises(DataError, match="2 rows"):
        tables_of(people, pd.concat([outcomes, outcomes.head(1)]))


def test_nobody_treated(people: pd.DataFrame) -> None:
    nobody = with_start(people, lambda index: np.asarray(index >= 0), None)
    refusal(tables_of(nobody, panel(nobody)), "design.nobody_treated")


def test_all_treated_in_the_first_period(people: pd.DataFrame) -> None:
    first = with_start(people, lambda index: np.asarray(index < 60), "2018")
    refusal(tables_of(first, panel(first)), "design.no_period_before")


def test_anticipation_that_leaves_no_period_before(tables: Tables) -> None:
    assert problems(adoption(anticipation=1), tables) == ()
    refusal(tables, "design.no_period_before", anticipation=3)


def test_no_never_treated(people: pd.DataFrame) -> None:
    everybody = with_start(people, lambda index: np.asarray(index >= 60), "2022")
    tables = tables_of(everybody, panel(everybody))
    refusal(tables, "design.no_never_treated")
    result = estimate(adoption(control_group="not_yet_treated"), tables).primary
    assert any("the last cohort is only compared with" in text for text in result.warnings)
    assert result.effects["n_comparison"].iloc[0] == 30


def test_all_start_together(people: pd.DataFrame) -> None:
    together = with_start(people, lambda index: np.asarray(index >= 0), "2020")
    refusal(tables_of(together, panel(together)), "design.no_comparison", control_group="not_yet_treated")


@pytest.mark.parametrize(("n_treated", "is_refused"), [(1, True), (2, False)])
def test_least_number_of_treated(people: pd.DataFrame, n_treated: int, is_refused: bool) -> None:
    few = with_start(people, lambda index: np.asarray((index >= n_treated) & (index < 60)), None)
    tables = tables_of(few, panel(few))
    if is_refused:
        refusal(tables, "design.too_few")
    else:
        assert estimate(adoption(), tables).primary.is_available


def test_one_cluster_is_too_few(people: pd.DataFrame) -> None:
    together = people.assign(town=people["town"].where(~people["is_treated"], "the town"))
    assert "clusters" in refusal(tables_of(together, panel(together)), "design.too_few", clusters="town").what


def test_cohort_of_one_person_warns_and_is_not_shown(people: pd.DataFrame) -> None:
    lonely = with_start(people, lambda index: np.asarray(index == 0), "2022")
    result = estimate(adoption(aggregation="group"), tables_of(lonely, panel(lonely))).primary
    assert "cohort 2022" not in set(result.effects["term"])
    assert {"cohort 2020", "cohort 2021"} <= set(result.effects["term"])
    text = next(text for text in result.warnings if "very small" in text)
    assert not any(character.isdigit() for character in text)


def test_covariates_that_cannot_be_used(people: pd.DataFrame) -> None:
    frame = people.assign(months=people["age"] * 12 + 1, year=2000.0)
    tables = tables_of(frame, panel(frame))
    assert "«months»" in refusal(tables, "design.collinear", covariates=["age", "months"]).what
    assert "«year»" in refusal(tables, "design.collinear", covariates=["year", "age"]).what
    refusal(tables, "design.not_a_number", covariates=["town"])
    refusal(tables, "design.duplicate_covariate", covariates=["age", "age"])
    missing = frame.assign(age=frame["age"].where(frame.index > 3))
    assert "4 rows" in refusal(tables_of(missing, panel(missing)), "design.missing_values", covariates=["age"]).what


def test_covariate_that_is_the_treatment(tables: Tables) -> None:
    found = {error.code for error in problems(adoption(covariates=["is_treated"]), tables)}
    assert "design.covariate_is_treatment" in found


def test_covariate_that_tells_cohorts_apart(people: pd.DataFrame) -> None:
    apart = people.assign(age=people["age"] + 1000.0 * (people["first_treated_period"] == "2020"))
    result = estimate(adoption(covariates=["age"], aggregation="group"), tables_of(apart, panel(apart))).primary
    assert "cohort 2020" not in set(result.effects["term"])
    assert any("could not be compared" in text for text in result.warnings)
    with pytest.raises(NotComparableError):
        difference(np.arange(6.0), np.arange(6) < 3, np.arange(6.0)[:, None], "doubly_robust")


def test_missing_outcomes_are_said_and_counted(people: pd.DataFrame) -> None:
    outcomes = panel(people)
    keep = ~((outcomes["participant_id"] == "person-000") & (outcomes["period"] != "2018"))
    keep &= ~((outcomes["participant_id"] == "person-031") & (outcomes["period"] == "2019"))
    tables = tables_of(people, outcomes[keep])
    result = estimate(adoption(), tables).primary
    said = [text for text in result.warnings if "no outcome" in text]
    assert len(said) == 1
    assert not any(character.isdigit() for character in said[0])
    assert result.n_units == 89
    frame = adoption().followed(tables, "weeks").frame.set_index("group")["n"]
    assert frame["Left out: too few outcomes known"] == 1
    assert frame["Of those used, without an outcome in some period"] == 1
    assert frame["All persons"] == 90
    assert estimate(adoption(needs_every_period=True), tables).primary.n_units == 88


def test_unavailable(people: pd.DataFrame) -> None:
    constant = panel(people).assign(value=1.0)
    result = estimate(adoption(), tables_of(people, constant)).primary
    assert "the same for everybody" in result.unavailable_reason
    # One period at a time is known for each person.
    outcomes = panel(people)
    turn = outcomes["participant_id"].str[-3:].astype(int) % 5
    single = outcomes[outcomes["period"].astype(int) - 2018 == turn]
    assert "before and after" in estimate(adoption(), tables_of(people, single)).primary.unavailable_reason
    # The programme's effect is the whole variation.
    started = outcomes["period"] >= outcomes["participant_id"].map(
        people.set_index("participant_id")["first_treated_period"].fillna("9999")
    )
    result = estimate(adoption(), tables_of(people, outcomes.assign(value=started.astype(float)))).primary
    assert "does not vary" in result.unavailable_reason


def test_trends_that_differ_before_the_start_warn(people: pd.DataFrame) -> None:
    outcomes = panel(people)
    slope = outcomes["participant_id"].map(people.set_index("participant_id")["is_treated"]).astype(float)
    outcomes["value"] += 2 * slope * (outcomes["period"].astype(int) - 2018)
    result = estimate(adoption(), tables_of(people, outcomes)).primary
    assert any("Parallel trends are in doubt" in text for text in result.warnings)


def test_few_clusters_warn(people: pd.DataFrame) -> None:
    frame = people.assign(town=[f"town {row % 12}" for row in range(90)])
    result = estimate(adoption(clusters="town"), tables_of(frame, panel(frame))).primary
    assert any("only 12 clusters" in text for text in result.warnings)
    assert (result.n_clusters, result.degrees_of_freedom) == (12, 11)
    assert len(set(result.influence_ids)) == 12


def test_regression_is_shown_with_its_share_of_wrong_comparisons(tables: Tables) -> None:
    result = estimate(adoption(), tables).primary
    parts = adoption().decomposition(tables, "weeks").frame.set_index("kind")
    share = f"{parts.loc['later against earlier', 'weight']:.0%}"
    assert any(share in text and "for comparison only" in text for text in result.warnings)
    without = estimate(adoption(two_way_fixed_effects=False), tables).primary
    assert "two-way fixed effects" not in set(without.effects["term"])
    assert not any("for comparison only" in text for text in without.warnings)


def test_tables_are_cleared_by_the_smaller_group(people: pd.DataFrame) -> None:
    few = with_start(people, lambda index: np.asarray((index >= 3) & (index < 30)), None)
    tables = tables_of(few, panel(few))
    rule = DisclosureRule(threshold=5)
    pairs = clear(adoption().decomposition(tables, "weeks", by_pair=True), rule)
    hidden = pairs.frame.loc[pairs.frame["treated"] == "2020", ["weight", "value"]]
    assert len(hidden) == 2
    assert hidden.isna().all(axis=None)
    counted = clear(adoption().followed(tables, "weeks"), rule)
    assert counted.frame.set_index("group")["n"].isna()["Start in 2020"]
    found = findings(tables, adoption(smallest_cohort=2))
    groups = clear(found["effect-by-cohort"].table, rule).frame
    assert groups.set_index("place")["value"].isna().to_dict() == {2020: True, 2021: False}
    # With a single cohort left to show there is nothing to compare.
    assert "effect-by-cohort" not in findings(tables, adoption(smallest_cohort=5))


def test_inside_a_group_only_what_varies(people: pd.DataFrame, tables: Tables) -> None:
    design = adoption(covariates=["age"]).within(people.assign(age=1.0))
    assert design.covariates == ()
    assert not design.two_way_fixed_effects
    half = np.arange(90) % 2 == 0
    assert estimate(adoption(), tables, persons=half).primary.n_units == 45


@pytest.mark.parametrize("start", ["numbers", "decimals"])
def test_start_in_a_column_of_numbers(people: pd.DataFrame, tables: Tables, start: str) -> None:
    numbers = people["first_treated_period"].astype("Float64")
    frame = people.assign(first_treated_period=numbers.astype("Int64") if start == "numbers" else numbers.astype(float))
    other = tables_of(frame, panel(people))
    assert estimate(adoption(), other).headline() == estimate(adoption(), tables).headline()


@pytest.mark.parametrize(
    ("found", "order"),
    [
        (["9", "10", "8"], ("8", "9", "10")),
        (["year 10", "year 9"], ("year 9", "year 10")),
        (["t1", "t0", "t-1"], ("t-1", "t0", "t1")),
        (["2024Q1", "2023Q4", "2024Q2"], ("2023Q4", "2024Q1", "2024Q2")),
        (["2024-01", "2023-12"], ("2023-12", "2024-01")),
        (["2010", "2000", "2005"], ("2000", "2005", "2010")),
    ],
)
def test_order_of_periods(found: list[str], order: tuple[str, ...]) -> None:
    line = timeline(found)
    assert line.names == order
    assert line.missing == ()
    assert [line.position(name) for name in order] == list(range(len(order)))


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (["1974", "1975", "1978"], ("1976", "1977")),
        (["2023Q3", "2024Q1", "2024Q2"], ("2023Q4",)),
        (["2023-11", "2024-01", "2024-02"], ("2023-12",)),
        (["week 1", "week 2", "week 4"], ("week 3",)),
    ],
)
def test_gaps_between_periods(found: list[str], missing: tuple[str, ...]) -> None:
    assert timeline(found).missing == missing


@pytest.mark.parametrize("found", [["before", "after"], ["2024Q5", "2024Q1"], ["week 1", "month 2"], ["07", "7"]])
def test_periods_without_order(found: list[str]) -> None:
    with pytest.raises(UnorderedPeriodsError):
        timeline(found)


def test_places_outside_and_between_periods() -> None:
    line = timeline(["2000", "2005", "2010"])
    assert [line.position(name) for name in ("1990", "2000", "2003", "2011", "never")] == [0, 0, None, 3, None]
    assert timeline(["b", "a"], ["b", "a"]).position("c") is None


def test_findings_hold_the_same_numbers_as_the_estimate(tables: Tables) -> None:
    design = adoption(aggregation="dynamic")
    result = estimate(design, tables).primary
    effects = result.effects.set_index("term")
    found = findings(tables, design)
    assert list(found) == ["cohorts", "path-since-start", "effect-by-cohort", "two-way-fixed-effects"]
    path = found["path-since-start"].table.frame.set_index("step")
    assert path.index.is_unique
    for step, row in path.iterrows():
        term = effects.loc["event 0" if step == 0 else f"event {step:+d}"]
        assert row["lower"] == pytest.approx(term["lower"], rel=1e-12)
        assert row["upper"] == pytest.approx(term["upper"], rel=1e-12)
    assert (path["band_upper"] - path["band_lower"] > path["upper"] - path["lower"]).all()
    groups = estimate(adoption(aggregation="group"), tables).primary.effects.set_index("term")
    cohorts = found["effect-by-cohort"].table.frame.set_index("place")
    assert cohorts.loc[2020, "value"] == pytest.approx(groups.loc["cohort 2020", "value"], rel=1e-12)
    assert "2020 and 2021" in found["cohorts"].sentence
    assert result.in_words(effects.loc["two-way fixed effects", "value"]) in found["two-way-fixed-effects"].sentence
    shares = found["two-way-fixed-effects"].table.frame.set_index("kind")["weight"]
    assert f"{shares['later against earlier']:.0%} of its weight" in found["two-way-fixed-effects"].sentence


def test_the_path_is_the_same_for_the_same_seed_and_only_the_band_moves_with_it(tables: Tables) -> None:
    design = adoption()
    result = estimate(design, tables).primary
    first, again, other = (design.findings(tables, result, seed=seed)[1].table.frame for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert (first["value"] == other["value"]).all()
    assert (first["upper"] == other["upper"]).all()
    assert (first["band_upper"] != other["band_upper"]).any()


def test_test_of_the_path_is_no_proof(people: pd.DataFrame, tables: Tables) -> None:
    sentence = findings(tables, adoption())["path-since-start"].sentence
    assert "does not reject" in sentence
    assert "not evidence for them" in sentence
    outcomes = panel(people)
    slope = outcomes["participant_id"].map(people.set_index("participant_id")["is_treated"]).astype(float)
    outcomes["value"] += 2 * slope * (outcomes["period"].astype(int) - 2018)
    sentence = findings(tables_of(people, outcomes), adoption())["path-since-start"].sentence
    assert "rejects at 5%" in sentence
    assert "p < 0.001" in sentence


def test_regression_is_a_finding_only_when_it_is_shown(tables: Tables, people: pd.DataFrame) -> None:
    assert "two-way-fixed-effects" not in findings(tables, adoption(two_way_fixed_effects=False))
    one = with_start(people, lambda index: np.asarray(index < 60), "2020")
    found = findings(tables_of(one, panel(one)), adoption())
    assert "None of its weight" in found["two-way-fixed-effects"].sentence


def test_without_an_estimate_there_are_no_findings(people: pd.DataFrame) -> None:
    tables = tables_of(people, panel(people).assign(value=1.0))
    assert adoption().findings(tables, estimate(adoption(), tables).primary) == ()


def excluded(design: StaggeredAdoption, tables: Tables) -> dict[str, int]:
    return {item.reason: int(item.persons.sum()) for item in design.exclusions(tables, "weeks")}


def test_exclusions_name_who_started_too_early_or_lacks_outcomes(people: pd.DataFrame) -> None:
    early = with_start(people, lambda index: np.asarray(index < 7), "2018")
    outcomes = panel(early)
    outcomes = outcomes[~((outcomes["participant_id"] == "person-040") & (outcomes["period"] != "2019"))]
    outcomes = outcomes[~((outcomes["participant_id"] == "person-041") & (outcomes["period"] == "2019"))]
    tables = tables_of(early, outcomes)
    assert list(excluded(adoption(), tables).values()) == [1, 7, 0]
    assert list(excluded(adoption(needs_every_period=True), tables).values()) == [2, 7, 0]
    assert list(excluded(adoption(anticipation=2), tables).values()) == [1, 30, 0]
    assert estimate(adoption(), tables).primary.n_units == 82


def test_a_cohort_without_comparison_is_left_out_and_counted(people: pd.DataFrame) -> None:
    apart = people.assign(age=people["age"] + 1000.0 * (people["first_treated_period"] == "2020"))
    tables = tables_of(apart, panel(apart))
    design = adoption(covariates=["age"])
    assert list(excluded(design, tables).values()) == [0, 0, 30]
    result = estimate(design, tables).primary
    first = result.effects.iloc[0]
    assert (first["n_treated"], first["n_comparison"]) == (30, 30)
    assert any("stand in no comparison" in text for text in result.warnings)
    # The same as never having had them in the data.
    rest = apart[apart["first_treated_period"] != "2020"].reset_index(drop=True)
    alone = estimate(
        design, tables_of(rest, panel(apart)[lambda frame: frame["participant_id"].isin(rest["participant_id"])])
    )
    columns = ["value", "std_error", "lower", "upper"]
    pd.testing.assert_frame_equal(result.effects[columns], alone.primary.effects[columns], rtol=1e-10)


def test_the_last_cohort_counts_with_those_compared_when_everybody_starts(people: pd.DataFrame) -> None:
    all_start = with_start(people, lambda index: np.asarray(index >= 60), "2022")
    tables = tables_of(all_start, panel(all_start))
    design = adoption(control_group="not_yet_treated")
    reached = design.is_in_programme(tables, "weeks")
    first = estimate(design, tables).primary.effects.iloc[0]
    assert (reached.sum(), (~reached).sum()) == (first["n_treated"], first["n_comparison"]) == (60, 30)


def test_few_clusters_test_the_mean_before_the_start_and_seldom_cry_wolf() -> None:
    """With twelve clusters and parallel trends the joint test would reject most of the time."""
    from virkning.designs.staggered import terms as staggered_terms
    from virkning.designs.staggered.panel import follow
    from virkning.simulation.made_up_tables import MEASURE, made_up

    years, rejected, n_draws = np.arange(1, 8), 0, 60
    design = StaggeredAdoption(population="the persons", comparison="the others", clusters="town")
    for seed in range(n_draws):
        generator = np.random.default_rng(seed)
        town = np.repeat(np.arange(12), 15)
        start = np.repeat([3, 4, 6, 99], 3)[town]
        luck = generator.normal(0, 1, (12, len(years)))[town]
        value = 50 + luck + years + generator.normal(0, 3, (len(town), len(years)))
        first = np.array([str(year) if year < 99 else None for year in start], dtype=object)
        names = np.array([f"town {number}" for number in town], dtype=object)
        tables = made_up(
            start < 99, {MEASURE: value}, [str(year) for year in years], {"first_treated_period": first, "town": names}
        )
        followed = follow(design, tables, MEASURE)
        units = names[followed.rows].astype(str)
        test = staggered_terms.pre_trend_test(design, followed.effects, units)
        assert test is not None
        assert test.is_of_mean
        assert test.freedom == 11
        rejected += test.p_value < 0.05
    assert rejected <= 0.2 * n_draws
