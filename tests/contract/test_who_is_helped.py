"""Who is helped and how sure one can be: found, or said why not, for every design."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.certainty import how_sure
from virkning.checks import Checks, CheckSettings, run_checks
from virkning.data import Field, Tables, load_schema
from virkning.designs import EvaluationDesign, estimate
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError
from virkning.estimates import Estimates
from virkning.subgroups import (
    Reach,
    Subgroup,
    SubgroupResults,
    Vulnerability,
    estimate_quantiles,
    estimate_subgroups,
    who_was_reached,
)

GROUPS = {"age": Subgroup(label="Age", column="age_years", cut=40)}
RULE = DisclosureRule(threshold=5)


def index(column: str = "age_years") -> Vulnerability:
    return Vulnerability(
        label="Worst off",
        components=[
            {"label": "Young", "column": column, "at_most": 40},
            {"label": "Short schooling", "column": "education_years", "at_most": 12},
        ],
        most_vulnerable_from=2,
        need_weights=(1, 2, 3),
    )


@pytest.fixture(scope="module")
def traits(tables: Tables) -> Tables:
    """Return the tables; where rows are places without traits, with two made-up ones."""
    people = tables.participants
    if "age_years" in people.columns:
        return tables
    generator = np.random.default_rng(4)
    added = {"age_years": (25, 60), "education_years": (7, 17)}
    people = people.assign(**{name: generator.integers(*limits, len(people)) for name, limits in added.items()})
    schema = tables.schemas["participants"]
    standard = set(load_schema("participants").names)
    own = [field for field in schema.fields if field.name not in standard]
    own += [Field(name=name, type="integer", title=name.replace("_", " "), unit="years") for name in added]
    schemas = {**tables.schemas, "participants": load_schema("participants", own)}
    return Tables.of(people, tables.outcomes, tables.measures, schemas)


@pytest.fixture
def found(design: EvaluationDesign, traits: Tables) -> SubgroupResults:
    return estimate_subgroups(design, traits, GROUPS, index(), seed=3)


def test_levels_are_found_or_it_is_said_why_not(found: SubgroupResults) -> None:
    levels = found.levels
    assert levels is not None
    for text in (levels.trend_text(), levels.quarter_text(), levels.need_text()):
        assert text.endswith(".")
    if levels.reason:
        assert levels.everyone is levels.quarter is levels.need is None
    else:
        assert levels.everyone is not None
        assert levels.quarter is not None
        assert levels.need is not None
        assert levels.everyone.lower < levels.everyone.value < levels.everyone.upper
        low, high = levels.frame["value"].min(), levels.frame["value"].max()
        assert low <= levels.everyone.value <= high
        assert low <= levels.need.value <= high
    for table in (levels.levels_table(), levels.sums_table()):
        clear(table, RULE)


def test_rows_without_an_effect_have_a_reason(found: SubgroupResults) -> None:
    for frame in (found.frame, found.levels.frame if found.levels else found.frame):
        assert (frame["value"].notna() == (frame["reason"] == "")).all()


def test_quantiles_are_found_or_it_is_said_why_not(design: EvaluationDesign, tables: Tables) -> None:
    quantiles = estimate_quantiles(design, tables, seed=3)
    assert (len(quantiles.frame) > 0) == (not quantiles.reason)
    assert quantiles.text().endswith(".")
    clear(quantiles.table(), RULE)


def test_reach_of_everybody_in_the_data(design: EvaluationDesign, traits: Tables) -> None:
    reached = who_was_reached(Reach(eligible="participants", source="the data"), design, traits, GROUPS, index())
    everybody = reached.frame.iloc[0]
    assert 0 < everybody["reached"] <= everybody["eligible"]
    for _, block in reached.frame.iloc[1:].groupby("name"):
        assert block["eligible"].sum() == everybody["eligible"]
        assert block["reached"].sum() == everybody["reached"]
    clear(reached.table(), RULE)


def test_index_with_an_outcome_is_refused(design: EvaluationDesign, tables: Tables) -> None:
    with pytest.raises(DesignError) as error:
        estimate_subgroups(design, tables, {}, index("earnings"))
    assert error.value.code == "design.after_the_start"
    assert "«earnings»" in error.value.what


def test_how_sure(design: EvaluationDesign, tables: Tables) -> None:
    effects: Estimates = estimate(design, tables, seed=3)
    checks: Checks = run_checks(design, tables, effects, settings=CheckSettings(permutations=200), seed=3)
    sure = how_sure(design, tables, effects, checks)
    assert sure.grade in (1, 2, 3, 4)
    assert [part.name for part in sure.parts] == ["design", "sample", "attrition", "balance", "robustness"]
    assert all(part.reason.endswith(".") for part in sure.parts)
    assert sure.grade == min(part.counts_as for part in sure.parts)
    assert sure.word in sure.sentence
    assert len(sure.domains) == 7
    assert sure.padlocks is not None
