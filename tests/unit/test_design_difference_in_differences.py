"""A difference in differences that the data cannot honour is refused; what it leaves out or doubts, it says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.designs import estimate, problems
from virkning.designs.difference_in_differences import DifferenceInDifferences
from virkning.designs.findings import Finding
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError
from virkning.estimand import Outcome
from virkning.numerics.joint_test import all_zero
from virkning.numerics.within import centred_within

YEARS = ("2019", "2020", "2021", "2022")
N = 60


def design(**fields: object) -> DifferenceInDifferences:
    given = {"sampling": "panel", "before": YEARS[:2], "after": YEARS[2:]} | fields
    return DifferenceInDifferences(population="the young", comparison="the others", **given)


@pytest.fixture
def people() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    place = np.arange(N) // 5
    return pd.DataFrame(
        {
            "participant_id": [f"person-{row:03d}" for row in range(N)],
            "is_treated": place % 2 == 0,
            "age": generator.normal(25, 4, size=N),
            "town": [f"town {code}" for code in place],
        }
    )


@pytest.fixture
def income(people: pd.DataFrame) -> pd.DataFrame:
    """Return an effect of 5 in every year after the start."""
    generator = np.random.default_rng(2)
    own = generator.normal(100, 10, size=N)
    rows = [
        pd.DataFrame(
            {
                "participant_id": people["participant_id"],
                "period": year,
                "measure": "income",
                "value": own + 2 * place + 5 * people["is_treated"] * (place > 1) + generator.normal(size=N),
            }
        )
        for place, year in enumerate(YEARS)
    ]
    return pd.concat(rows, ignore_index=True)


def tables_of(people: pd.DataFrame, outcomes: pd.DataFrame, period: str = "2022") -> Tables:
    types = {"b": "boolean", "i": "integer", "f": "number"}
    fields = [
        Field(
            name=name,
            type=types.get(people[name].dtype.kind, "string"),
            title=name,
            unit="units",
            constraints=Constraints(required=not people[name].isna().any()),
        )
        for name in people.columns
        if name not in ("participant_id", "is_treated")
    ]
    measures = {
        name: Outcome(label=name, unit="kr.", kind="amount", period=period, primary=not rank)
        for rank, name in enumerate(outcomes["measure"].unique())
    }
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes, measures, schemas)


def seen_once(income: pd.DataFrame) -> pd.DataFrame:
    """Return one period for each person, the same number in each."""
    person = income["participant_id"].str[-3:].astype(int)
    return income[income["period"] == np.array(YEARS)[person % 4]]


@pytest.fixture
def tables(people: pd.DataFrame, income: pd.DataFrame) -> Tables:
    return tables_of(people, income)


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


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"clusters": "town"},
        {"estimator": "adjusted", "covariates": ["age"]},
        {"alternatives": [{"estimator": "adjusted", "standard_errors": "clustered"}], "covariates": ["age"]},
        {"standard_errors": "classical", "base_period": "2019"},
    ],
)
def test_sound_designs_find_the_effect(tables: Tables, fields: dict[str, object]) -> None:
    assert problems(design(**fields), tables) == ()
    found = estimate(design(**fields), tables).primary
    assert abs(found.headline().value - 5) < 1
    assert [name for name in found.effects["term"] if name.startswith("event")] == [
        f"event, {year}" for year in YEARS if year != fields.get("base_period", "2020")
    ]


def test_cross_sections(people: pd.DataFrame, income: pd.DataFrame) -> None:
    tables = tables_of(people, seen_once(income))
    fields = {"sampling": "repeated_cross_sections", "estimator": "adjusted", "covariates": ["age"]}
    found = estimate(design(**fields, standard_errors="hc1"), tables).primary
    assert found.n_units == N
    assert found.influence.shape == (N, 4)
    assert found.degrees_of_freedom == N - 7


def test_effect_does_not_depend_on_the_order_of_rows(
    people: pd.DataFrame, income: pd.DataFrame, tables: Tables
) -> None:
    mixed = tables_of(people, income.sample(frac=1, random_state=3).reset_index(drop=True))
    assert estimate(design(), mixed).headline() == estimate(design(), tables).headline()


@pytest.mark.parametrize("field", ["before", "after"])
def test_periods_must_be_named(field: str) -> None:
    with pytest.raises(ValidationError):
        design(**{field: []})


def test_unknown_period(tables: Tables) -> None:
    error = refusal(tables, "design.unknown_period", before=["2019", "202O"])
    assert "2019, 2020, 2021, 2022" in error.do


def test_period_named_twice(tables: Tables) -> None:
    refusal(tables, "design.duplicate_period", before=["2019", "2021"])


def test_outcome_from_before_the_start(people: pd.DataFrame, income: pd.DataFrame) -> None:
    error = refusal(tables_of(people, income, "2020"), "design.period_not_after")
    assert "«2020»" in error.what


def test_base_period_after_the_start(tables: Tables) -> None:
    refusal(tables, "design.base_period_not_before", base_period="2021")


def test_the_same_persons_are_not_cross_sections(tables: Tables) -> None:
    refusal(tables, "design.not_cross_sections", sampling="repeated_cross_sections")


def test_persons_seen_once_are_no_panel(people: pd.DataFrame, income: pd.DataFrame) -> None:
    refusal(tables_of(people, seen_once(income)), "design.not_a_panel")


def test_robust_errors_that_ignore_persons(tables: Tables) -> None:
    refusal(tables, "design.ignores_persons", standard_errors="hc1")


def test_errors_that_ignore_clusters(tables: Tables) -> None:
    refusal(tables, "design.ignores_clusters", standard_errors="classical", clusters="town")


def test_adjustment_without_covariates(tables: Tables) -> None:
    refusal(tables, "design.no_covariates", estimator="adjusted")


def test_alternative_that_repeats_the_headline(tables: Tables) -> None:
    refusal(
        tables,
        "design.duplicate_term",
        alternatives=[{"estimator": "two_by_two", "standard_errors": "clustered"}],
    )


def test_unknown_covariate_and_cluster(tables: Tables) -> None:
    found = problems(design(estimator="adjusted", covariates=["agee"], clusters="twon"), tables)
    assert [error.code for error in found] == ["design.unknown_column", "design.unknown_column"]


def test_covariate_with_missing_values(people: pd.DataFrame, income: pd.DataFrame) -> None:
    tables = tables_of(people.assign(age=people["age"].where(people.index > 2)), income)
    assert "3 rows" in refusal(tables, "design.missing_values", estimator="adjusted", covariates=["age"]).what


def test_collinear_covariate_is_named(people: pd.DataFrame, income: pd.DataFrame) -> None:
    tables = tables_of(people.assign(age_months=people["age"] * 12 + 3), income)
    error = refusal(tables, "design.collinear", estimator="adjusted", covariates=["age", "age_months"])
    assert "«age_months»" in error.what


def test_covariate_that_is_the_same_for_all(people: pd.DataFrame, income: pd.DataFrame) -> None:
    tables = tables_of(people.assign(year=3.5), income)
    assert "«year»" in refusal(tables, "design.collinear", estimator="adjusted", covariates=["year"]).what


@pytest.mark.parametrize("value", [True, False])
def test_nobody_to_compare_with(people: pd.DataFrame, income: pd.DataFrame, value: bool) -> None:
    refusal(tables_of(people.assign(is_treated=value), income), "design.one_arm")


def test_one_cluster_on_each_side(people: pd.DataFrame, income: pd.DataFrame) -> None:
    tables = tables_of(people.assign(town=np.where(people["is_treated"], "east", "west")), income)
    assert "single cluster" in refusal(tables, "design.too_few", clusters="town").what


def test_few_treated_clusters_are_told_without_their_number(people: pd.DataFrame, income: pd.DataFrame) -> None:
    people = people.assign(is_treated=people["town"] == "town 0")
    found = estimate(design(clusters="town"), tables_of(people, income)).primary
    told = [text for text in found.warnings if "Very few independent units are in the programme" in text]
    assert len(told) == 1
    assert not any(character.isdigit() for character in told[0])


def test_lost_persons_are_told_without_their_number(people: pd.DataFrame, income: pd.DataFrame) -> None:
    lost = income["participant_id"].isin(people["participant_id"].head(3)) & (income["period"] > "2020")
    gap = (income["participant_id"] == "person-010") & (income["period"] == "2021")
    found = estimate(design(), tables_of(people, income[~lost & ~gap].reset_index(drop=True))).primary
    assert found.n_units == N - 3
    told = [text for text in found.warnings if "no outcome" in text or "every period" in text]
    assert len(told) == 2
    assert not any(character.isdigit() for text in told for character in text)


def test_outcomes_of_other_periods_are_told(tables: Tables) -> None:
    found = estimate(design(before=["2020"], after=["2022"]), tables).primary
    assert found.effects["term"].tolist() == ["two_by_two, clustered"]
    assert any("periods that the design does not name" in text for text in found.warnings)
    assert any("only one period before" in text for text in found.warnings)


def second(income: pd.DataFrame, **columns: object) -> pd.DataFrame:
    return pd.concat([income, income.assign(measure="debt", **columns)], ignore_index=True)


def test_outcome_that_is_the_same_for_everybody(people: pd.DataFrame, income: pd.DataFrame) -> None:
    result = estimate(design(), tables_of(people, second(income, value=7.0)))["debt"]
    assert "the same for everybody" in result.unavailable_reason


def test_outcome_without_spread_within_the_groups(people: pd.DataFrame, income: pd.DataFrame) -> None:
    treated = income["participant_id"].map(people.set_index("participant_id")["is_treated"])
    result = estimate(design(), tables_of(people, second(income, value=treated.astype(float))))["debt"]
    assert "no spread" in result.unavailable_reason


def test_outcome_unknown_before(people: pd.DataFrame, income: pd.DataFrame) -> None:
    outcomes = second(income)
    late = outcomes[(outcomes["measure"] == "income") | (outcomes["period"] > "2020")]
    sampled = design(before=["2019", "2020"], sampling="panel")
    result = estimate(sampled, tables_of(people, late.reset_index(drop=True)))["debt"]
    assert "before and after" in result.unavailable_reason


def test_outcome_not_measured_in_a_period(people: pd.DataFrame, income: pd.DataFrame) -> None:
    outcomes = second(income)
    outcomes = outcomes[(outcomes["measure"] == "income") | (outcomes["period"] != "2020")].reset_index(drop=True)
    tables = tables_of(people, outcomes)
    found = estimate(design(), tables)["debt"]
    assert found.effects["term"].tolist()[1:] == ["event, 2021", "event, 2022"]
    assert any("not measured in 2020" in text for text in found.warnings)
    named = estimate(design(base_period="2020"), tables)["debt"]
    assert len(named.effects) == 1
    assert any("path is left out" in text for text in named.warnings)


def test_outcome_of_one_group_only(people: pd.DataFrame, income: pd.DataFrame) -> None:
    treated = income["participant_id"].map(people.set_index("participant_id")["is_treated"]).to_numpy(bool)
    outcomes = pd.concat([income, income[treated].assign(measure="debt")], ignore_index=True)
    result = estimate(design(), tables_of(people, outcomes))["debt"]
    assert "nobody of one of the two groups" in result.unavailable_reason


def test_too_few_in_a_cell_of_cross_sections(people: pd.DataFrame, income: pd.DataFrame) -> None:
    once = seen_once(income)
    first = once[once["period"] == "2022"].merge(people)
    lone = first[first["is_treated"]]["participant_id"].iloc[1:]
    tables = tables_of(people, once[~once["participant_id"].isin(lone)].reset_index(drop=True))
    result = estimate(design(sampling="repeated_cross_sections"), tables).primary
    assert "Too few" in result.unavailable_reason
    assert not any(character.isdigit() for character in result.unavailable_reason)


def test_within_a_group_only_the_headline_is_left(people: pd.DataFrame) -> None:
    whole = design(estimator="adjusted", covariates=["age"])
    assert whole.within(people).estimator == "adjusted"
    assert whole.within(people.assign(age=30.0)).estimator == "two_by_two"


def test_messages_hold_no_value_of_a_person(people: pd.DataFrame, income: pd.DataFrame) -> None:
    frame = people.assign(
        age=people["age"].where(people.index != 0, 87654.5).where(people.index != 1),
        town=np.where(people.index == 0, "Secretville", people["town"]),
    )
    found = problems(
        design(estimator="adjusted", covariates=["age", "town"], clusters="town"), tables_of(frame, income)
    )
    assert found
    text = "\n".join(str(error) for error in found)
    assert not any(secret in text for secret in ("87654", "Secretville", "person-0"))


def test_values_within_groups_are_exactly_zero_when_nothing_varies() -> None:
    values = np.column_stack([np.repeat([0.1, 1e8 / 3], 3), np.arange(6.0)])
    centred = centred_within(values, np.repeat([0, 1], 3))
    assert (centred[:, 0] == 0).all()
    np.testing.assert_allclose(centred[:, 1], [-1, 0, 1, -1, 0, 1])


def test_joint_test_needs_a_full_covariance() -> None:
    assert all_zero(np.ones(2), np.ones((2, 2)), 10) is None
    assert all_zero(np.ones(1), np.zeros((1, 1)), 10) is None
    test = all_zero(np.array([2.0]), np.array([[1.0]]), 10)
    assert test is not None
    assert test.statistic == pytest.approx(4.0)


def findings(tables: Tables, which: DifferenceInDifferences) -> dict[str, Finding]:
    return {item.name: item for item in which.findings(tables, estimate(which, tables).primary)}


def test_findings_hold_the_same_numbers_as_the_estimate(people: pd.DataFrame, income: pd.DataFrame) -> None:
    tables = tables_of(people, income)
    result = estimate(design(), tables).primary
    found = findings(tables, design())
    assert list(found) == ["group-means", "gap-by-period"]
    effects = result.effects.set_index("term")
    path = found["gap-by-period"].table.frame.set_index("place")
    assert path.index.tolist() == [int(year) for year in YEARS]
    for year in (2019, 2021, 2022):
        row = effects.loc[f"event, {year}", ["value", "std_error", "lower", "upper"]]
        np.testing.assert_allclose(path.loc[year, list(row.index)].astype(float), row.astype(float), rtol=1e-12)
    assert path.loc[2020, "value"] == 0
    assert np.isnan(path.loc[2020, "std_error"])
    drawing = found["gap-by-period"].drawing
    assert drawing is not None
    assert (drawing.start, drawing.has_zero_line) == (2020.5, True)
    means = found["group-means"].table.frame.pivot_table(index="place", columns="group", values="mean")
    gaps = means["Offered the programme"] - means["Comparison group"]
    # A complete panel: the estimate is the gap after the start less the gap before it.
    assert gaps.loc[2021:].mean() - gaps.loc[:2020].mean() == pytest.approx(result.headline().value, rel=1e-10)
    np.testing.assert_allclose(gaps - gaps.loc[2020], path["value"].astype(float), atol=1e-10)
    assert result.in_words(result.headline().value) in found["group-means"].sentence


def test_path_without_years_is_counted_from_the_start(people: pd.DataFrame, income: pd.DataFrame) -> None:
    names = {year: f"{year} spring" for year in YEARS}
    tables = tables_of(people, income.assign(period=income["period"].map(names)), "2022 spring")
    which = design(before=[names[year] for year in YEARS[:2]], after=[names[year] for year in YEARS[2:]])
    finding = findings(tables, which)["gap-by-period"]
    assert finding.table.frame["place"].tolist() == [-2, -1, 0, 1]
    assert finding.table.frame["period"].tolist() == list(names.values())
    assert finding.drawing is not None
    assert finding.drawing.start == -0.5


def test_test_of_the_gaps_before_is_no_proof(people: pd.DataFrame, income: pd.DataFrame) -> None:
    first = income[income["period"] == YEARS[0]].assign(period="2018")
    noise = np.random.default_rng(3).normal(size=N)
    outcomes = pd.concat([income, first.assign(value=first["value"] - 2 + noise)], ignore_index=True)
    which = design(before=("2018", *YEARS[:2]))
    sentence = findings(tables_of(people, outcomes), which)["gap-by-period"].sentence
    assert sentence.startswith("The joint test that all gaps before the start are zero does not reject")
    assert "not evidence for them" in sentence
    assert "with 2 and 59 degrees of freedom" in sentence
    large = findings(tables_of(people, outcomes), which.model_copy(update={"degrees_of_freedom": "large_sample"}))
    assert "with 2 degrees of freedom, p = 0." in large["gap-by-period"].sentence
    drift = outcomes["participant_id"].map(people.set_index("participant_id")["is_treated"]) * (
        outcomes["period"].astype(int) - 2018
    )
    apart = tables_of(people, outcomes.assign(value=outcomes["value"] + 3 * drift))
    assert "rejects at 5%" in findings(apart, which)["gap-by-period"].sentence


def test_one_period_before_shows_nothing_and_two_periods_have_no_path(
    people: pd.DataFrame, income: pd.DataFrame
) -> None:
    tables = tables_of(people, income)
    one = findings(tables, design(before=YEARS[1:2]))
    assert "cannot show" in one["gap-by-period"].sentence
    assert list(findings(tables, design(before=YEARS[1:2], after=YEARS[3:]))) == ["group-means"]
    flat = tables_of(people, income.assign(value=1.0))
    assert design().findings(flat, estimate(design(), flat).primary) == ()


def test_small_groups_are_hidden_in_the_findings(people: pd.DataFrame, income: pd.DataFrame) -> None:
    few = people.assign(is_treated=np.arange(N) < 3)
    for finding in findings(tables_of(few, income), design()).values():
        cleared = clear(finding.table, DisclosureRule())
        numbers = [column.name for column in finding.table.columns if column.persons and column.name != "place"]
        rows = cleared.frame
        if "group" in rows:
            rows = rows[rows["group"] == "Offered the programme"]
        assert len(rows) == len(YEARS)
        assert rows[numbers].isna().all(axis=None)


def test_exclusions_say_which_side_of_the_start_is_missing(people: pd.DataFrame, income: pd.DataFrame) -> None:
    outcomes = income[~((income["participant_id"] == "person-000") & (income["period"] > "2020"))]
    lost = ["person-001", "person-002"]
    outcomes = outcomes[~(outcomes["participant_id"].isin(lost) & (outcomes["period"] < "2021"))]
    outcomes = outcomes[~((outcomes["participant_id"] == "person-003") & (outcomes["period"] == "2019"))]
    tables = tables_of(people, outcomes)
    found = design().exclusions(tables, "income")
    assert [item.reason for item in found] == [
        "Without the outcome «income» after the start",
        "Without the outcome «income» before the start",
    ]
    assert np.flatnonzero(found[0].persons).tolist() == [0]
    assert np.flatnonzero(found[0].persons | found[1].persons).tolist() == [0, 1, 2]
    assert estimate(design(), tables).primary.n_units == N - 3
    one_each = income[income["period"] == np.array(YEARS)[income["participant_id"].str[-3:].astype(int) % 4]]
    sections = tables_of(people, one_each[one_each["participant_id"] != "person-007"])
    (only,) = design(sampling="repeated_cross_sections").exclusions(sections, "income")
    assert np.flatnonzero(only.persons).tolist() == [7]


@pytest.mark.parametrize(
    ("fields", "rule", "count"),
    [
        ({}, "standard", N - 1),
        ({"clusters": "town"}, "standard", 11),
        # 240 outcomes less 60 persons, three periods and one effect.
        ({"clusters": "town"}, "residual", 240 - 60 - 4),
        ({"standard_errors": "classical"}, "standard", 240 - 60 - 4),
        ({"standard_errors": "classical"}, "residual", 240 - 60 - 4),
        ({}, "large_sample", np.inf),
    ],
)
def test_rules_for_degrees_of_freedom(
    people: pd.DataFrame, income: pd.DataFrame, fields: dict[str, object], rule: str, count: float
) -> None:
    tables = tables_of(people, income)
    result = estimate(design(degrees_of_freedom=rule, **fields), tables).primary
    standard = estimate(design(**fields), tables).primary
    assert result.degrees_of_freedom == count
    assert (result.effects["std_error"] == standard.effects["std_error"]).all()
    first = result.effects.iloc[0]
    assert first["upper"] - first["value"] == pytest.approx(stats.t.ppf(0.975, count) * first["std_error"], rel=1e-12)
