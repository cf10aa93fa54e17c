"""Panels that the data cannot honour are refused before anything is fitted, and odd outcomes say why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.designs import estimate
from virkning.designs.panel import Panel
from virkning.errors import DesignError
from virkning.estimand import Outcome

PERIODS = ("8", "9", "10", "11")


def rows_of() -> pd.DataFrame:
    """Return thirty persons over four periods whose course comes and goes."""
    generator = np.random.default_rng(4)
    frame = pd.MultiIndex.from_product(
        [[f"person-{number:02d}" for number in range(30)], PERIODS], names=["participant_id", "period"]
    ).to_frame(index=False)
    lasting = np.repeat(generator.normal(size=30), 4)
    course = (lasting + generator.normal(size=120) > 0.3).astype(float)
    return frame.assign(
        wage=10 + 2 * course + lasting + generator.normal(size=120), course=course, hours=generator.normal(size=120)
    )


def tables_of(rows: pd.DataFrame) -> Tables:
    persons = rows["participant_id"].unique()
    number = np.arange(len(persons))
    people = pd.DataFrame(
        {
            "participant_id": persons,
            "is_treated": True,
            "age": 20.0 + number % 7,
            "town": np.where(number % 2 == 0, "north", "south"),
            "country": "here",
            "school": [f"school {value % 10}" for value in number],
        }
    )
    required = Constraints(required=True)
    fields = [Field(name="age", type="number", title="Age", unit="years", constraints=required)]
    fields += [
        Field(name=name, type="string", title=name, constraints=required) for name in ("town", "country", "school")
    ]
    names = [name for name in rows.columns if name not in ("participant_id", "period")]
    values = rows.melt(["participant_id", "period"], names, "measure", "value")
    measures = {
        name: Outcome(label=name, unit="units", kind="amount", period="11", primary=not rank)
        for rank, name in enumerate(names)
    }
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, values[values["value"].notna()], measures, schemas)


@pytest.fixture
def tables() -> Tables:
    return tables_of(rows_of())


def design_of(**fields: object) -> Panel:
    return Panel(population="them", comparison="themselves", **{"treatment_measure": "course", **fields})


def refusal(tables: Tables, code: str, **fields: object) -> DesignError:
    found = list(design_of(**fields).problems(tables))
    assert [error.code for error in found] == [code]
    assert found[0].exit_code == 12
    assert found[0].where
    assert found[0].why
    assert found[0].do
    return found[0]


EVERY = [
    {"estimator": estimator, "standard_errors": errors}
    for estimator in (
        "fixed_effects",
        "first_differences",
        "random_effects",
        "correlated_random_effects",
        "pooled_least_squares",
    )
    for errors in ("clustered", "two_way", "classical")
][1:]


def test_sound_designs_pass(tables):
    for fields in (
        {"alternatives": EVERY},
        {"covariate_measures": ["hours"], "covariates": ["age"], "estimator": "random_effects"},
        {"clusters": "school"},
        {"period_effects": False},
        {"periods": PERIODS},
    ):
        assert list(design_of(**fields).problems(tables)) == []
        result = design_of(**fields).estimate_outcome(tables, "wage", seed=0)
        assert result.is_available
        assert result.n_units == 30
        assert result.influence.shape == (30, len(result.effects))
        assert (result.effects["n_treated"] + result.effects["n_comparison"] == 30).all()


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("design.unknown_measure", {"treatment_measure": "coarse"}),
        ("design.unknown_measure", {"covariate_measures": ["hour"]}),
        ("design.double_role", {"covariate_measures": ["course"]}),
        ("design.no_outcome", {"covariate_measures": ["hours", "wage"]}),
        ("design.unknown_column", {"covariates": ["agee"]}),
        ("design.unknown_column", {"clusters": "twon"}),
        ("design.not_a_number", {"covariates": ["town"]}),
        ("design.too_few_clusters", {"clusters": "country"}),
        ("design.ignores_clusters", {"clusters": "school", "standard_errors": "classical"}),
        ("design.periods", {"periods": ["8", "9", "10"]}),
        ("design.periods", {"periods": ["8", "9", "10", "11", "11"]}),
        ("design.duplicate_term", {"alternatives": [{"estimator": "fixed_effects", "standard_errors": "clustered"}]}),
    ],
)
def test_contradictions(tables, code, fields):
    refusal(tables, code, **fields)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("design.no_variation", lambda rows: 1.0),
        ("design.treatment_never_changes", lambda rows: (rows["participant_id"] < "person-15").astype(float)),
        ("design.collinear", lambda rows: (rows["period"] == "9").astype(float)),
    ],
)
def test_data_without_an_effect(code, change):
    rows = rows_of()
    refusal(tables_of(rows.assign(course=change(rows))), code)


def test_one_period():
    rows = rows_of()
    refusal(tables_of(rows[rows["period"] == "11"]), "design.one_period")


def test_treatment_that_never_changes_may_be_pooled():
    rows = rows_of()
    tables = tables_of(rows.assign(course=(rows["participant_id"] < "person-15").astype(float)))
    assert list(design_of(estimator="pooled_least_squares").problems(tables)) == []
    assert list(design_of(estimator="random_effects").problems(tables)) == []


def test_periods_are_in_the_order_of_numbers():
    # As texts, 10 and 11 would come before 8, and the differences would be others.
    rows = rows_of()
    result = design_of(estimator="first_differences").estimate_outcome(tables_of(rows), "wage", seed=0)
    renamed = rows.assign(period=rows["period"].map(dict(zip(PERIODS, "abcd", strict=True))))
    outcomes = tables_of(renamed.assign(period=renamed["period"].where(renamed["period"] != "d", "11")))
    again = design_of(estimator="first_differences", periods=("a", "b", "c", "11"))
    same = again.estimate_outcome(outcomes, "wage", seed=0)
    assert same.headline().value == pytest.approx(result.headline().value, rel=1e-12)


def test_gaps_and_single_periods_are_mentioned_without_a_count():
    rows = rows_of()
    gap = (rows["participant_id"] == "person-03") & (rows["period"] == "9")
    single = (rows["participant_id"] == "person-04") & (rows["period"] != "9")
    kept = rows[~gap & ~single]
    design = design_of(estimator="first_differences")
    assert list(design.problems(tables_of(kept))) == []
    result = design.estimate_outcome(tables_of(kept), "wage", seed=0)
    assert result.n_units == 29
    for words in ("miss periods in between", "one period only"):
        (text,) = [text for text in result.warnings if words in text]
        assert not any(character.isdigit() for character in text)


def test_rows_without_treatment_are_mentioned():
    rows = rows_of()
    rows.loc[rows.index[:3], "course"] = np.nan
    result = design_of().estimate_outcome(tables_of(rows), "wage", seed=0)
    assert any("lack the treatment" in text for text in result.warnings)


def test_persons_without_an_outcome_are_mentioned():
    rows = rows_of()
    rows.loc[rows["participant_id"] == "person-07", "wage"] = np.nan
    result = design_of().estimate_outcome(tables_of(rows), "wage", seed=0)
    assert result.n_units == 29
    assert any("no outcome" in text for text in result.warnings)


def test_measures_without_an_estimate_say_why(tables):
    design = design_of(covariate_measures=["hours"])
    for measure in ("course", "hours"):
        result = design.estimate_outcome(tables, measure, seed=0)
        assert not result.is_available
        assert result.unavailable_reason.endswith("not an outcome.")
    rows = rows_of()
    constant = tables_of(rows.assign(wage=1.0))
    assert "same in every row" in design.estimate_outcome(constant, "wage", seed=0).unavailable_reason
    assert design.hausman(constant, "wage") is None


def test_hausman_warns_of_random_effects():
    rows = rows_of()
    lasting = rows.groupby("participant_id")["course"].transform("mean")
    tables = tables_of(rows.assign(wage=rows["wage"] + 20 * lasting))
    warned = design_of(estimator="random_effects").estimate_outcome(tables, "wage", seed=0)
    assert any("Hausman" in text for text in warned.warnings)
    quiet = design_of().estimate_outcome(tables, "wage", seed=0)
    assert not any("Hausman" in text for text in quiet.warnings)


def test_group_of_persons(tables):
    half = np.arange(30) % 2 == 0
    assert list(design_of().problems(tables, half)) == []
    assert design_of().estimate_outcome(tables, "wage", seed=0, persons=half).n_units == 15
    everyone = design_of().estimate_outcome(tables, "wage", seed=0, persons=np.ones(30, dtype=bool))
    assert everyone.to_json() == design_of().estimate_outcome(tables, "wage", seed=0).to_json()
    assert design_of(covariates=["age"], alternatives=EVERY).within(tables.participants.head(1)).covariates == ()


@pytest.mark.parametrize("estimator", ["fixed_effects", "first_differences", "pooled_least_squares"])
def test_exclusions_leave_those_whom_the_estimate_counts(estimator):
    rows = rows_of()
    rows.loc[rows["participant_id"] == "person-07", "wage"] = np.nan
    rows.loc[rows["participant_id"] == "person-08", "course"] = np.nan
    single = (rows["participant_id"] == "person-04") & (rows["period"] != "9")
    gaps = (rows["participant_id"] == "person-03") & rows["period"].isin(["9", "11"])
    tables, design = tables_of(rows[~single & ~gaps]), design_of(estimator=estimator)
    result = design.estimate_outcome(tables, "wage", seed=0)
    reasons = design.exclusions(tables, "wage")
    left_out = [set(np.flatnonzero(exclusion.persons)) for exclusion in reasons]
    expected = {"fixed_effects": [{4}], "first_differences": [{3, 4}], "pooled_least_squares": []}[estimator]
    assert left_out == [{7}, {7, 8}, *expected]
    assert result.n_units == 30 - len(set().union(*left_out))


def test_degrees_of_freedom():
    tables = tables_of(rows_of())
    found = {
        rule: design_of(degrees_of_freedom=rule).estimate_outcome(tables, "wage", seed=0)
        for rule in ("standard", "residual", "large_sample")
    }
    # Thirty persons; 120 rows less 30 persons, 3 periods and the treatment.
    assert [result.degrees_of_freedom for result in found.values()] == [29, 86, np.inf]
    assert len({result.headline().value for result in found.values()}) == 1
    assert len({result.effects["std_error"].iloc[0] for result in found.values()}) == 1
    reach = [result.headline().upper for result in found.values()]
    assert reach[0] > reach[1] > reach[2]
    assert all("fixest" in result.degrees_of_freedom_rule for result in found.values())
    test = design_of(degrees_of_freedom="large_sample").hausman(tables, "wage")
    assert 0 < test.p_value < 1


def shown(design, tables):
    """Return the findings about wages by name."""
    return {found.name: found for found in design.findings(tables, design.estimate_outcome(tables, "wage", seed=0))}


def test_findings(tables):
    found = shown(design_of(covariate_measures=["hours"], alternatives=EVERY[:2]), tables)
    assert list(found) == ["variation", "side-by-side", "coefficients", "hausman"]
    estimates = found["side-by-side"].table.frame.set_index("estimator")
    assert len(estimates) == 5
    result = design_of(covariate_measures=["hours"]).estimate_outcome(tables, "wage", seed=0)
    row = result.effects.iloc[0]
    for name in ("value", "std_error", "lower", "upper"):
        assert estimates.loc["Fixed effects", name] == row[name]
    assert estimates.loc["Correlated random effects", "value"] == pytest.approx(row["value"], rel=1e-9)
    coefficients = found["coefficients"].table.frame.set_index("what")
    assert list(coefficients.index) == ["course", "hours"]
    assert coefficients.loc["course", "value"] == row["value"]
    assert coefficients.loc["course", "std_error"] == row["std_error"]
    swapped = design_of(treatment_measure="hours", covariate_measures=["course"])
    row = swapped.estimate_outcome(tables, "wage", seed=0).effects.iloc[0]
    for name in ("value", "std_error", "lower", "upper"):
        assert coefficients.loc["hours", name] == pytest.approx(row[name], rel=1e-10)
    assert "coefficients" not in shown(design_of(), tables)


def test_treatment_and_covariates_are_no_outcomes(tables):
    design = design_of(covariate_measures=["hours"])
    assert design.outcomes(tables) == ("wage",)
    assert list(estimate(design, tables)) == ["wage"]
    rows = rows_of()
    first = tables_of(rows[["participant_id", "period", "course", "wage"]])
    refusal(first, "design.no_primary_outcome")


def test_variation_within_and_between(tables):
    frame = shown(design_of(), tables)["variation"].table.frame.set_index("what")
    rows = rows_of()
    course = rows["course"]
    means = rows.groupby("participant_id")["course"].transform("mean")
    assert frame.loc["course", "overall"] == pytest.approx(course.std(ddof=0))
    assert frame.loc["course", "within"] == pytest.approx((course - means).std(ddof=0))
    assert frame.loc["course", "between"] == pytest.approx(means.std(ddof=0))
    assert frame.loc["course", "share"] == pytest.approx((course - means).var(ddof=0) / course.var(ddof=0))
    changing = rows.groupby("participant_id")["course"].nunique() > 1
    assert frame.loc["course", ["changing", "constant"]].tolist() == [changing.sum(), 30 - changing.sum()]


def test_unavailable_estimates_have_no_findings(tables):
    design = design_of()
    assert design.findings(tables, design.estimate_outcome(tables, "course", seed=0)) == ()
