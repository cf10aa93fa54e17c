"""Schemas: what they accept, and what is generated from them."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pandera.errors
import pytest
from pydantic import ValidationError

from virkning.data import Constraints, Field, TableSchema, codebook, compile_schema, load_schema, template_csv
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import ProgrammeError, UsageError
from virkning.resources import folder

AGE = Field(name="age_years", type="integer", title="Age", unit="years", role="covariate", disclosure="quasi")


@pytest.mark.parametrize("name", ["participants", "outcomes"])
def test_shipped_schema_is_complete_and_reads_back_as_it_stands(name: str) -> None:
    values = json.loads((folder("data_schemas") / f"{name}.json").read_text(encoding="utf-8"))
    schema = load_schema(name)
    assert schema.model_dump(by_alias=True, exclude_unset=True, mode="json") == values
    assert schema.name == name
    for field in schema.fields:
        assert field.title
        assert field.description.endswith(".")
        assert {"role", "disclosure"} <= field.model_fields_set


def test_standard_columns() -> None:
    assert load_schema("participants").names == ("participant_id", "is_treated")
    assert load_schema("participants").primary_key == ("participant_id",)
    assert load_schema("outcomes").names == ("participant_id", "period", "measure", "value")
    assert load_schema("outcomes").primary_key == ("participant_id", "period", "measure")
    assert load_schema("outcomes").foreign_keys[0].reference.resource == "participants"


def test_programme_adds_columns_without_changing_the_standard() -> None:
    assert load_schema("participants", [AGE]).names == ("participant_id", "is_treated", "age_years")
    assert load_schema("participants").names == ("participant_id", "is_treated")


@pytest.mark.parametrize(
    ("fields", "word"),
    [([Field(name="is_treated", type="boolean", title="Mine")], "standard"), ([AGE, AGE], "twice")],
)
def test_column_described_twice_is_refused(fields: list[Field], word: str) -> None:
    with pytest.raises(ProgrammeError, match=word) as caught:
        load_schema("participants", fields)
    assert caught.value.code == "programme.field_redefined"
    assert caught.value.where == "data.participants.fields"


def test_unknown_table_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        load_schema("participant")
    assert "«participants»" in caught.value.do


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": ""}, "needs a unit"),
        ({"unit": "  "}, "needs a unit"),
        ({"type": "integer", "unit": ""}, "needs a unit"),
        ({"constraints": {"pattern": "a"}}, "cannot have the rule «pattern»"),
        ({"constraints": {"minLength": 1}}, "cannot have the rule «minLength»"),
        ({"type": "string", "constraints": {"minimum": 1}}, "cannot have the rule «minimum»"),
        ({"type": "boolean", "constraints": {"enum": [True]}}, "cannot have the rule «enum»"),
        ({"constraints": {"minimum": 2, "maximum": 1}}, "minimum above its maximum"),
        ({"constraints": {"minimum": "2"}}, "not of type number"),
        ({"constraints": {"minimum": float("inf")}}, "not of type number"),
        ({"type": "integer", "constraints": {"enum": [1.5]}}, "not of type integer"),
        ({"type": "string", "constraints": {"enum": [301]}}, "quotation marks"),
        ({"type": "date", "constraints": {"minimum": "31-12-2020"}}, "not of type date"),
        ({"type": "string", "constraints": {"minLength": 3, "maxLength": 2}}, "minLength above"),
        ({"type": "string", "constraints": {"pattern": "("}}, "not a regular expression"),
        ({"type": "string", "constraints": {"enum": []}}, "at least 1 item"),
        ({"format": "%d"}, "has no format"),
        ({"type": "boolean", "trueValues": ["x"], "falseValues": ["x"]}, "both yes and no"),
        ({"type": "money"}, "'string', 'integer', 'number', 'boolean', 'date' or 'year'"),
        ({"disclosure": "secret"}, "'identifier', 'quasi', 'sensitive' or 'open'"),
        ({"role": "hero"}, "'identifier', 'treatment'"),
        ({"title": ""}, "at least 1 character"),
        ({"name": " a"}, "match pattern"),
        ({"units": "USD"}, "not permitted"),
    ],
)
def test_description_that_makes_no_sense_is_refused(changes: dict[str, object], words: str) -> None:
    good = {"name": "x", "type": "number", "title": "X", "unit": "USD"}
    Field.model_validate(good)
    with pytest.raises(ValidationError) as caught:
        Field.model_validate({**good, **changes})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fields": []}, "at least 1 item"),
        ({"primaryKey": "y"}, "«y» is not among the columns"),
        ({"foreignKeys": [{"fields": "y", "reference": {"resource": "t", "fields": "y"}}]}, "«y» is not among"),
        ({"fields": [AGE, AGE]}, "described twice"),
    ],
)
def test_table_that_makes_no_sense_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TableSchema.model_validate({"name": "t", "fields": [AGE], **changes})


def test_key_names_of_table_schema_and_of_python_mean_the_same() -> None:
    common = {"name": "x", "type": "boolean", "title": "X"}
    assert Field.model_validate({**common, "trueValues": ["ja"]}) == Field.model_validate(
        {**common, "true_values": ["ja"]}
    )
    described = Field.model_json_schema(by_alias=True)
    assert {"trueValues", "falseValues", "missingValues"} <= set(described["properties"])


def test_dates_from_yaml_are_accepted_as_bounds() -> None:
    text = Field.model_validate({"name": "d", "type": "date", "title": "D", "constraints": {"minimum": "2020-01-02"}})
    assert text.typed("2020-01-02") == pd.Timestamp(2020, 1, 2)


def test_empty_cell_is_missing_whatever_the_schema_says() -> None:
    schema = TableSchema(name="t", fields=(AGE.model_copy(update={"missing_values": ("-9",)}),), missing_values=("NA",))
    assert schema.missing(schema.fields[0]) == {"", "-9"}
    assert schema.missing(AGE) == {"", "NA"}


def test_template_is_the_line_of_names() -> None:
    odd = Field(name="antal børn, i alt", type="string", title="Odd")
    text = template_csv(load_schema("participants", [AGE, odd]))
    assert list(csv.reader(io.StringIO(text))) == [["participant_id", "is_treated", "age_years", "antal børn, i alt"]]
    assert text.endswith("\n")


def test_compiled_schema_accepts_and_refuses() -> None:
    ward = Field(name="ward", type="string", title="Ward", constraints=Constraints(pattern="[A-Z]\\d", max_length=2))
    compiled = compile_schema(load_schema("participants", [AGE, ward]))
    good = pd.DataFrame(
        {
            "participant_id": pd.Series(["a", "b"], dtype="str"),
            "is_treated": [True, False],
            "age_years": pd.array([1, None], dtype="Int64"),
            "ward": pd.Series(["A1", None], dtype="str"),
        }
    )
    compiled.validate(good, lazy=True)
    for column, value in {"participant_id": "a", "ward": "A1\n"}.items():
        bad = good.copy()
        bad[column] = pd.Series([value] * 2, dtype="str")
        with pytest.raises(pandera.errors.SchemaErrors):
            compiled.validate(bad, lazy=True)
    with pytest.raises(pandera.errors.SchemaErrors):
        compiled.validate(good.drop(columns="ward"), lazy=True)
    with pytest.raises(pandera.errors.SchemaErrors):
        compiled.validate(good.assign(more=1), lazy=True)


def test_codebook_says_what_a_column_may_hold() -> None:
    fields = [
        Field(name="a", type="integer", title="A", unit="years", constraints=Constraints(minimum=0, maximum=9)),
        Field(name="b", type="number", title="B", unit="USD", constraints=Constraints(minimum=0, required=True)),
        Field(name="c", type="string", title="C", constraints=Constraints(enum=("x", "y"), unique=True)),
        Field(name="d", type="string", title="D", constraints=Constraints(pattern="P\\d", min_length=2, max_length=2)),
        Field(name="e", type="date", title="E", description="When.", constraints=Constraints(maximum="2020-01-01")),
    ]
    table = codebook(load_schema("participants", fields))
    allowed = dict(zip(table.frame["name"], table.frame["allowed"], strict=True))
    assert allowed == {
        "participant_id": "each value once; never missing",
        "is_treated": "true or false; never missing",
        "a": "0 to 9; may be missing",
        "b": "at least 0; never missing",
        "c": "x, y; each value once; may be missing",
        "d": "pattern P\\d; at least 2 characters; at most 2 characters; may be missing",
        "e": "at most 2020-01-01; may be missing",
    }
    assert table.frame["unit"].tolist() == ["", "", "years", "USD", "", "", ""]
    assert [column.name for column in table.columns] == list(table.frame.columns)
    assert all(column.kind == "text" for column in table.columns)
    clear(table, DisclosureRule())


@pytest.mark.parametrize(
    ("n_missing", "shown"), [(0, True), (1, False), (4, False), (5, True), (95, True), (96, False)]
)
def test_few_persons_with_or_without_a_value_are_hidden_together(n_missing: int, shown: bool) -> None:
    frame = pd.DataFrame(
        {
            "participant_id": [f"P{number}" for number in range(100)],
            "is_treated": True,
            "age_years": pd.array([None] * n_missing + [30] * (100 - n_missing), dtype="Int64"),
        }
    )
    cleared = clear(codebook(load_schema("participants", [AGE]), frame), DisclosureRule(threshold=5))
    counts = cleared.frame.set_index("name").loc["age_years", ["n_missing", "n_complete"]].tolist()
    assert counts == ([n_missing, 100 - n_missing] if shown else [None, None])


def test_missing_values_count_persons_not_rows() -> None:
    frame = pd.DataFrame(
        {
            "participant_id": ["a", "a", "b", "b", "c"],
            "period": ["1", "2", "1", "2", "1"],
            "measure": "m",
            "value": [np.nan, np.nan, 1.0, np.nan, 2.0],
        }
    )
    counted = codebook(load_schema("outcomes"), frame).frame.set_index("name")
    assert counted.loc["value", ["n_missing", "n_complete"]].tolist() == [2, 1]
