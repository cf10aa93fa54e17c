"""Tables are checked alone and against each other, all problems come at once, and nothing can be changed afterwards."""

import copy
import json
import pickle
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from virkning.data import BASELINE_FIELDS, DataSpecification, Field, Tables, TableSource, load_schema, read_data
from virkning.data import synthetic_programme_tables as made_up
from virkning.errors import DataError, ProgrammeError
from virkning.estimand import Outcome
from virkning.specification import read_document, validate

MARKS = ("87654321", "1203851234", "Vestergade", "Ødegaard")
MEASURES = {
    "is_employed": Outcome(label="Employed", unit="share", kind="share", period="1978"),
    "earnings_usd": Outcome(label="Earnings", unit="USD", kind="amount", period="1978", primary=True),
}
AGE = Field(name="age_years", type="integer", title="Age", unit="years")
PEOPLE = "participant_id,is_treated,age_years\na,1,20\nb,0,30\nc,1,\n"
OUTCOMES = (
    "participant_id,period,measure,value\nb,1978,earnings_usd,2.5\na,1978,earnings_usd,1\na,1975,earnings_usd,9\n"
    "c,1978,earnings_usd,\na,1978,is_employed,1\nb,1978,is_employed,0\n"
)


@dataclass(frozen=True)
class Programme:
    folder: Path
    data: DataSpecification
    outcomes: dict[str, Outcome] = field(default_factory=lambda: dict(MEASURES))
    name: str = "nsw"


@pytest.fixture
def programme(tmp_path: Path) -> Programme:
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "outcomes.csv").write_text(OUTCOMES)
    people = TableSource(path="people.csv", fields=(AGE,))
    data = DataSpecification(participants=people, outcomes=TableSource(path="outcomes.csv"), source="s", license="l")
    return Programme(tmp_path, data)


def refused(programme: Programme) -> DataError:
    with pytest.raises(DataError) as caught:
        read_data(programme)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    words = "\n".join([str(error), repr(error), json.dumps(error.to_dict(), ensure_ascii=False), repr(vars(error))])
    words += "".join(traceback.format_exception(error))
    assert not [mark for mark in MARKS if mark in words]
    assert str(programme.folder) not in str(error)
    return error


def rules(error: DataError) -> dict[tuple[str, str, str], int]:
    return {(problem.table, problem.column, problem.rule): problem.n_rows for problem in error.problems}


def test_tables_of_a_programme(programme: Programme) -> None:
    tables = read_data(programme)
    assert tables.participants["participant_id"].tolist() == ["a", "b", "c"]
    assert tables.participants.dtypes.astype(str).tolist() == ["str", "bool", "Int64"]
    assert tables.outcomes.dtypes.astype(str).tolist() == ["str", "str", "str", "float64"]
    assert list(tables.measures) == ["earnings_usd", "is_employed"]
    assert tables.schemas["participants"].names == ("participant_id", "is_treated", "age_years")
    assert repr(tables) == "Tables(3 participants, 6 rows of outcomes, measures: earnings_usd, is_employed)"


def test_specification_is_read_from_yaml(tmp_path: Path) -> None:
    text = """
participants:
  path: data/people.csv
  decimal: ","
  fields:
    - {name: age_years, type: integer, title: Age, unit: years, role: covariate, constraints: {minimum: 18}}
    - {name: is_late, type: boolean, title: Late, trueValues: [ja], falseValues: [nej]}
    - {name: start, type: date, title: Start, constraints: {minimum: 2020-01-01}}
outcomes: {path: data/outcomes.csv}
source: s
license: CC0
"""
    (tmp_path / "data.yml").write_text(text)
    data = validate(read_document(tmp_path / "data.yml", "data.yml"), DataSpecification)
    assert [own.name for own in data.participants.fields] == ["age_years", "is_late", "start"]
    (tmp_path / "data.yml").write_text(text.replace("trueValues", "trueValue").replace(", unit: years", ""))
    with pytest.raises(ProgrammeError) as caught:
        validate(read_document(tmp_path / "data.yml", "data.yml"), DataSpecification)
    assert "needs a unit" in str(caught.value)
    assert "line 7" in str(caught.value)


def test_analysis_keeps_persons_and_their_order(programme: Programme) -> None:
    tables = read_data(programme)
    frame = tables.analysis("earnings_usd")
    assert frame["participant_id"].tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(frame["value"], [1.0, 2.5, np.nan])
    np.testing.assert_array_equal(tables.analysis("is_employed")["value"], [1.0, 0.0, np.nan])
    assert frame.columns.tolist() == ["participant_id", "is_treated", "age_years", "value"]
    with pytest.raises(DataError, match="no measure") as caught:
        tables.analysis("earning_usd")
    assert "«earnings_usd»" in caught.value.do


def test_tables_cannot_be_changed(programme: Programme) -> None:
    tables = read_data(programme)
    before = tables.checksum
    frame = tables.participants
    frame.loc[0, "is_treated"] = False
    analysis = tables.analysis("earnings_usd")
    analysis.loc[:, "participant_id"] = "x"
    outcomes = tables.outcomes
    outcomes["value"] = 0.0
    assert tables.participants["is_treated"].tolist() == [True, False, True]
    assert tables.outcomes["value"].sum() == 13.5
    for name in ("participants", "_participants", "new"):
        with pytest.raises(AttributeError):
            setattr(tables, name, frame)
    with pytest.raises(AttributeError):
        del tables._participants
    with pytest.raises(TypeError):
        tables.measures["x"] = MEASURES["is_employed"]  # type: ignore[index]
    assert tables.checksum == before


def test_tables_come_from_validation_only(programme: Programme) -> None:
    tables = read_data(programme)
    with pytest.raises(DataError) as caught:
        Tables({"participants": tables.participants, "outcomes": tables.outcomes}, MEASURES, tables.schemas)
    assert caught.value.code == "data.not_validated"


def test_copies_are_equal(programme: Programme) -> None:
    tables = read_data(programme)
    for other in (pickle.loads(pickle.dumps(tables)), copy.copy(tables), copy.deepcopy(tables)):
        assert other.checksum == tables.checksum
        assert list(other.measures) == list(tables.measures)
        pd.testing.assert_frame_equal(other.participants, tables.participants)
        pd.testing.assert_frame_equal(other.outcomes, tables.outcomes)


def test_tables_from_memory_are_the_same_as_from_files(programme: Programme) -> None:
    tables = read_data(programme)
    people = pd.DataFrame({"age_years": [20.0, 30.0, np.nan], "is_treated": [1, 0, 1], "participant_id": list("abc")})
    people = people.astype({"is_treated": "int8", "participant_id": "category"}).set_axis([7, 7, 7])
    other = Tables.of(people, tables.outcomes, MEASURES, tables.schemas)
    assert other.checksum == tables.checksum
    pd.testing.assert_frame_equal(other.participants, tables.participants)
    assert people.index.tolist() == [7, 7, 7]


def test_checksum_depends_on_values_and_their_order(programme: Programme) -> None:
    tables = read_data(programme)
    people, outcomes = tables.participants, tables.outcomes
    seen = {tables.checksum}
    for changed in (
        (people.iloc[::-1], outcomes),
        (people.assign(is_treated=[True, True, False]), outcomes),
        (people.assign(age_years=[20, 30, 0]), outcomes),
        (people, outcomes.assign(value=outcomes["value"].fillna(0.0))),
        (people, outcomes.assign(value=outcomes["value"].replace(9.0, np.nextafter(9, 10)))),
        (people, outcomes.iloc[:-1]),
    ):
        checksum = Tables.of(*changed, MEASURES, tables.schemas).checksum
        assert checksum not in seen
        seen.add(checksum)
    zero = outcomes.assign(value=outcomes["value"].replace(0.0, -0.0))
    assert Tables.of(people, zero, MEASURES, tables.schemas).checksum == tables.checksum


def test_checksum_is_that_of_the_content_whatever_the_file(programme: Programme) -> None:
    before = read_data(programme).checksum
    (programme.folder / "people.csv").write_text(PEOPLE.replace(",", ";"), encoding="utf-16")
    assert read_data(programme).checksum == before


def test_problems_of_all_tables_come_at_once(programme: Programme) -> None:
    (programme.folder / "people.csv").write_text(
        "participant_id,is_treated,age_years\n87654321,1,old\n87654321,,3\nc,1,\n"
    )
    lines = [
        "participant_id,period,measure,value",
        "1203851234,1978,earnings_usd,1",
        "87654321,1978,earnings_usd,Vestergade 12",
        "87654321,1978,Vestergade,3",
        "c,1978,is_employed,87654321",
        "c,1975,is_employed,-0.1",
        "c,1978,is_employed,0.5",
    ]
    (programme.folder / "outcomes.csv").write_text("\n".join(lines))
    error = refused(programme)
    assert error.where == "programme nsw: people.csv, outcomes.csv"
    assert rules(error) == {
        ("participants", "age_years", "not a whole number"): 1,
        ("participants", "participant_id", "more than one row with the same participant_id"): 2,
        ("participants", "is_treated", "missing value where one is required"): 1,
        ("outcomes", "value", "not a number"): 1,
        (
            "outcomes",
            "participant_id, period, measure",
            "more than one row with the same participant_id, period, measure",
        ): 2,
        ("outcomes", "participant_id", "no such participant_id in participants"): 1,
        ("outcomes", "measure", "not one of the declared measures (is_employed, earnings_usd)"): 1,
        ("outcomes", "value", "a share («is_employed») outside 0 to 1"): 2,
    }


def test_measure_or_period_that_is_declared_and_absent(programme: Programme) -> None:
    more = {name: Outcome(label="L", unit="u", kind="amount", period="1978") for name in ("debt_usd", "health")}
    old = MEASURES["earnings_usd"].model_copy(update={"period": "1999"})
    (programme.folder / "outcomes.csv").write_text(OUTCOMES + "a,1978,health,\n")
    error = refused(replace(programme, outcomes={**MEASURES, **more, "earnings_usd": old}))
    assert rules(error) == {
        ("outcomes", "measure", "no row of the declared measure «debt_usd»"): 0,
        ("outcomes", "period", "no row of «earnings_usd» at its period «1999»"): 0,
        ("outcomes", "period", "no value of «health» at its period «1978»"): 0,
    }


def test_counts_are_whole_and_not_negative(programme: Programme) -> None:
    visits = Outcome(label="Visits", unit="visits", kind="count", period="1978")
    (programme.folder / "outcomes.csv").write_text(OUTCOMES + "a,1978,visits,1.5\nb,1978,visits,-1\nc,1978,visits,2\n")
    assert rules(refused(replace(programme, outcomes={**MEASURES, "visits": visits}))) == {
        ("outcomes", "value", "a count («visits») below 0"): 1,
        ("outcomes", "value", "a count («visits») that is not a whole number"): 1,
    }


def test_file_problem_comes_with_its_own_advice_when_it_is_the_only_one(programme: Programme) -> None:
    (programme.folder / "outcomes.csv").unlink()
    error = refused(programme)
    assert error.code == "data.missing_file"
    assert error.where == "outcomes.csv (data.outcomes.path)"


def test_file_problem_is_listed_among_others(programme: Programme) -> None:
    (programme.folder / "outcomes.csv").unlink()
    (programme.folder / "people.csv").write_text(PEOPLE.replace("20", "Vestergade"))
    error = refused(programme)
    assert error.code == "data.invalid"
    assert rules(error) == {
        ("participants", "age_years", "not a whole number"): 1,
        ("outcomes", "", "The file of a table is missing"): 0,
    }
    assert "Check the path" in error.do


def test_two_files_that_cannot_be_read(programme: Programme) -> None:
    (programme.folder / "outcomes.csv").unlink()
    (programme.folder / "people.csv").write_text("participant_id,is_treated,age_years\nØdegaard,1\n")
    assert rules(refused(programme)) == {
        ("participants", "", "Some rows have more or fewer cells than there are column names"): 1,
        ("outcomes", "", "The file of a table is missing"): 0,
    }


@pytest.mark.parametrize(
    "people", ["participant_id,is_treated,age_years\n", "id,is_treated,age_years\nx,1,3\n", "Ødegaard,1,5\n"]
)
def test_one_cause_is_not_reported_as_many_problems(programme: Programme, people: str) -> None:
    (programme.folder / "people.csv").write_text(people)
    assert "no such participant_id in participants" not in str(refused(programme))


def test_empty_outcomes(programme: Programme) -> None:
    (programme.folder / "outcomes.csv").write_text("participant_id,period,measure,value\n")
    assert rules(refused(programme)) == {("outcomes", "", "the table has no rows"): 0}


def test_unclear_decimal_sign_names_what_to_declare(programme: Programme) -> None:
    (programme.folder / "outcomes.csv").write_text(OUTCOMES.replace("2.5", '"2,500"'))
    error = refused(programme)
    assert [problem.rule for problem in error.problems] == ["the decimal sign could be «.» or «,»"]
    assert "data.outcomes.decimal" in error.do


def test_reserved_column_is_refused(programme: Programme) -> None:
    own = TableSource(path="people.csv", fields=(Field(name="value", type="string", title="V"),))
    with pytest.raises(ProgrammeError) as caught:
        read_data(replace(programme, data=programme.data.model_copy(update={"participants": own})))
    assert caught.value.code == "programme.reserved_column"


def test_made_up_programme_through_every_kind_of_file(tmp_path: Path) -> None:
    people, outcomes = made_up(MEASURES, {"earnings_usd": 10.0}, np.random.default_rng(0), n=40)
    expected = Tables.of(people, outcomes, MEASURES, {"participants": load_schema("participants", BASELINE_FIELDS)})
    people.to_excel(tmp_path / "people.xlsx", index=False)
    people.to_csv(tmp_path / "people.csv", index=False, sep=";")
    outcomes.to_excel(tmp_path / "outcomes.xlsx", index=False)
    outcomes.to_csv(tmp_path / "outcomes.csv", index=False, sep=";", decimal=",")
    for name in ("people", "outcomes"):
        query = f"SELECT * FROM read_csv('{tmp_path}/{name}.csv', types = {{'period': 'VARCHAR'}})"
        query = query if name == "outcomes" else f"SELECT * FROM read_csv('{tmp_path}/{name}.csv')"
        query = query.replace("})", "}, decimal_separator = ',')")
        duckdb.execute(f"COPY ({query}) TO '{tmp_path}/{name}.parquet' (FORMAT parquet)")
    for kind in ("csv", "xlsx", "parquet"):
        sources = [TableSource(path=f"people.{kind}", fields=BASELINE_FIELDS), TableSource(path=f"outcomes.{kind}")]
        data = DataSpecification(participants=sources[0], outcomes=sources[1], source="s", license="l")
        assert read_data(Programme(tmp_path, data)).checksum == expected.checksum
