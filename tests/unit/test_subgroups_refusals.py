"""What may not divide the participants, because the programme may have changed it."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.data import Field, Tables, load_schema
from virkning.errors import DesignError
from virkning.subgroups import Subgroup, Vulnerability, estimate_subgroups


def index(*columns):
    parts = [{"label": name, "column": name, "at_most": 0.5} for name in columns]
    return Vulnerability(label="Worst off", components=parts, most_vulnerable_from=1)


def with_role(tables, column, role):
    """Return the tables with another role of one column."""
    schema = tables.schemas["participants"]
    own = [
        Field(**{**field.model_dump(), "role": role}) if field.name == column else field
        for field in schema.fields
        if field.name not in ("participant_id", "is_treated")
    ]
    schemas = {"participants": load_schema("participants", own), "outcomes": tables.schemas["outcomes"]}
    return Tables.of(tables.participants, tables.outcomes, tables.measures, schemas)


def refused(design, tables, subgroups, vulnerability):
    with pytest.raises(DesignError) as error:
        estimate_subgroups(design, tables, subgroups, vulnerability)
    assert error.value.code == "design.after_the_start"
    assert error.value.why
    assert error.value.do
    return error.value


def test_outcome_by_its_name(trial, make_tables, people, earnings):
    tables = make_tables(people.assign(earnings=earnings), {"earnings": earnings})
    error = refused(trial(), tables, {}, index("age", "earnings"))
    assert "«earnings», which is the outcome «Earnings»" in error.what
    assert "«age»" not in error.what
    assert error.where == "vulnerability.components.1.column"


def test_column_declared_as_an_outcome(trial, make_tables, people, earnings):
    tables = with_role(
        make_tables(people.assign(income_after=earnings), {"earnings": earnings}), "income_after", "outcome"
    )
    error = refused(trial(), tables, {}, index("income_after"))
    assert "«income_after», which is declared as measured after the start" in error.what
    estimate_subgroups(trial(), tables, {}, index("age"))


def test_all_of_them_are_named(trial, make_tables, people, earnings):
    frame = people.assign(earnings=earnings, is_later=np.arange(80) % 3 == 0)
    tables = with_role(make_tables(frame, {"earnings": earnings}), "is_later", "outcome")
    parts = [
        {"label": "Low", "column": "earnings", "at_most": 60},
        {"label": "Later", "column": "is_later", "equals": True},
    ]
    declared = Vulnerability(label="Worst off", components=parts, most_vulnerable_from=1)
    error = refused(trial(), tables, {}, declared)
    assert "«earnings»" in error.what
    assert "«is_later»" in error.what
    assert "components.0" in error.where
    assert "components.1" in error.where


def test_the_offer_and_taking_it_up(trial, make_tables, people, earnings):
    took = people["is_treated"] & (np.arange(80) % 2 == 0)
    tables = make_tables(people.assign(took_part=took), {"earnings": earnings})
    declared = Vulnerability(
        label="Worst off",
        components=[{"label": "Took part", "column": "took_part", "equals": True}],
        most_vulnerable_from=1,
    )
    assert "takes_part" in refused(trial(takes_part="took_part"), tables, {}, declared).what
    subgroup = {"offer": Subgroup(label="Offer", column="is_treated")}
    error = refused(trial(), tables, subgroup, None)
    assert "A subgroup" in error.what
    assert error.where == "subgroups.offer.column"


def test_message_holds_no_value_of_a_person(trial, make_tables, people, earnings):
    tables = make_tables(people.assign(earnings=earnings), {"earnings": earnings})
    text = str(refused(trial(), tables, {}, index("earnings")))
    assert not any(f"{value:.2f}" in text for value in earnings)


def test_check_of_a_programme_refuses_before_anything_runs(tmp_path):
    import yaml

    from virkning.programme import Programme
    from virkning.publication import check
    from virkning.starter import start

    start(tmp_path / "mine")
    file = tmp_path / "mine/programme.yml"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    measure = next(iter(values["outcomes"]))
    values["vulnerability"] = {
        "label": "Worst off",
        "components": [{"label": "Low", "column": measure, "at_most": 0}],
        "most_vulnerable_from": 1,
    }
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(DesignError) as error:
        check(Programme.read(tmp_path / "mine"))
    assert error.value.code == "design.after_the_start"
    assert f"«{measure}»" in error.value.what
