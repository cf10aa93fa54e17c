"""Files of every kind come in exactly, and what is wrong with one is said without a value of any person."""

import datetime as dt
import json
import os
import time
import traceback
import warnings
from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from virkning.data import Field, TableSchema, TableSource, load_schema, read_table, template_csv
from virkning.errors import DataError

MARKS = ("87654321", "1203851234", "Vestergade", "Ødegaard")


def _field(name: str, kind: str, **more: object) -> Field:
    return Field.model_validate({"name": name, "type": kind, "title": name, "unit": "u", **more})


SCHEMA = TableSchema(
    name="t",
    fields=(
        _field("id", "string", role="identifier"),
        _field("text", "string"),
        _field("whole", "integer"),
        _field("amount", "number"),
        _field("is_on", "boolean"),
        _field("day", "date"),
        _field("year", "year"),
    ),
    missing_values=("", "NA", "-9"),
    primary_key=("id",),
)
EXPECTED = pd.DataFrame(
    {
        "id": pd.Series(["001", "002", "003"], dtype="str"),
        "text": pd.Series(["blå, grøn", "0301", None], dtype="str"),
        "whole": pd.array([7, -12, None], dtype="Int64"),
        "amount": [0.1, -1234.5, np.nan],
        "is_on": pd.array([True, False, None], dtype="boolean"),
        "day": pd.Series(["2020-02-29", "1999-12-31", None], dtype="datetime64[s]"),
        "year": pd.array([1978, 2024, None], dtype="Int64"),
    }
)
LINES = (
    'id;text;whole;amount;is_on;day;year\n001;"blå, grøn";7;0,1;true;2020-02-29;1978\n'
    "002;0301;-12;-1234,5;0;1999-12-31;2024\n003;NA;;NA;;-9;\n"
)


def _read(
    folder: Path, content: str | bytes, name: str = "t.csv", schema: TableSchema = SCHEMA, **how: object
) -> pd.DataFrame:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(folder, TableSource.model_validate({"path": name, **how}), schema, "t")


def said(error: DataError) -> str:
    """Return everything that an error could show anywhere, for a search of values in it."""
    chain: list[BaseException | None] = [error, error.__cause__, error.__context__]
    assert chain[1:] == [None, None], "another error, with its own words, hangs on this one"
    parts = [str(error), repr(error), repr(error.args), json.dumps(error.to_dict(), ensure_ascii=False)]
    return "\n".join([*parts, repr(vars(error)), *traceback.format_exception(error)])


def refused(
    folder: Path, content: str | bytes, name: str = "t.csv", schema: TableSchema = SCHEMA, **how: object
) -> DataError:
    with pytest.raises(DataError) as caught:
        _read(folder, content, name, schema, **how)
    words = said(caught.value)
    assert not [mark for mark in MARKS if mark in words]
    assert str(folder) not in caught.value.where + caught.value.what + caught.value.do
    assert caught.value.exit_code == 11
    assert caught.value.do
    return caught.value


def rules(error: DataError) -> dict[tuple[str, str], int]:
    return {(problem.column, problem.rule): problem.n_rows for problem in error.problems}


# --- CSV that can be read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_text_codings_and_line_ends(tmp_path: Path, encoding: str, newline: str) -> None:
    frame = _read(tmp_path, LINES.replace("\n", newline).encode(encoding))
    pd.testing.assert_frame_equal(frame, EXPECTED)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("declared", [True, False])
def test_delimiters(tmp_path: Path, delimiter: str, declared: bool) -> None:
    frame = EXPECTED.assign(day=["2020-02-29", "1999-12-31", ""])
    text = frame.to_csv(index=False, sep=delimiter)
    how = {"delimiter": delimiter} if declared else {}
    pd.testing.assert_frame_equal(_read(tmp_path, text, **how), EXPECTED)


def test_declared_encoding(tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(_read(tmp_path, LINES.encode("cp865"), encoding="cp865"), EXPECTED)


def test_columns_in_another_order_blank_lines_and_blanks_around_cells(tmp_path: Path) -> None:
    text = "\n whole , id\n 5 , 01 \n\n7,02\n\n"
    schema = SCHEMA.model_copy(update={"fields": (SCHEMA.field("id"), SCHEMA.field("whole"))})
    frame = _read(tmp_path, text, schema=schema)
    assert frame.columns.tolist() == ["id", "whole"]
    assert frame["id"].tolist() == ["01", "02"]
    assert frame["whole"].tolist() == [5, 7]


def test_one_column_and_an_unnamed_empty_one(tmp_path: Path) -> None:
    schema = SCHEMA.model_copy(update={"fields": (SCHEMA.field("id"),)})
    assert _read(tmp_path, "id\na\nb\n", schema=schema)["id"].tolist() == ["a", "b"]
    assert _read(tmp_path, "id;\na;\nb;\n", schema=schema)["id"].tolist() == ["a", "b"]


def test_other_texts_for_yes_no_dates_and_missing(tmp_path: Path) -> None:
    fields = (
        _field("id", "string", missingValues=["?"]),
        _field("is_on", "boolean", trueValues=["ja"], falseValues=["nej"]),
        _field("day", "date", format="%d-%m-%Y"),
    )
    schema = TableSchema(name="t", fields=fields, missing_values=("NA",))
    frame = _read(tmp_path, "id,is_on,day\nNA,ja,31-12-2020\n?,nej,NA\n", schema=schema)
    assert frame["id"].tolist()[0] == "NA"
    assert frame["id"].isna().tolist() == [False, True]
    assert frame["is_on"].tolist() == [True, False]
    assert frame["day"].tolist() == [pd.Timestamp(2020, 12, 31), pd.NaT]


def test_required_columns_have_plain_types(tmp_path: Path) -> None:
    frame = _read(tmp_path, "participant_id,is_treated\na,1\nb,0\n", schema=load_schema("participants"))
    assert frame.dtypes.astype(str).to_dict() == {"participant_id": "str", "is_treated": "bool"}


# --- Decimal signs --------------------------------------------------------------------------------------------------

AMOUNTS = TableSchema(
    name="t", fields=(_field("amount", "number"), _field("other", "number"), _field("whole", "integer"))
)


@pytest.mark.parametrize(
    ("cells", "declared", "values"),
    [
        (["1,5", "1,234"], None, [1.5, 1.234]),
        (["0,234"], None, [0.234]),
        (["1234,567"], None, [1234.567]),
        (["1.5", "1.234"], None, [1.5, 1.234]),
        ([".5", "-0.25", "+1e3", "2.E-1"], None, [0.5, -0.25, 1000.0, 0.2]),
        (["12", "1234"], None, [12.0, 1234.0]),
        (["1,234"], ",", [1.234]),
        (["1.234"], ".", [1.234]),
        (["0.1", "0.30000000000000004", "123456789.123456789"], None, [0.1, 0.30000000000000004, 123456789.123456789]),
    ],
)
def test_decimal_sign_is_found_or_declared(
    tmp_path: Path, cells: list[str], declared: str | None, values: list[float]
) -> None:
    text = "amount;other;whole\n" + "".join(f"{cell};;\n" for cell in cells)
    how = {"decimal": declared} if declared else {}
    assert _read(tmp_path, text, schema=AMOUNTS, **how)["amount"].tolist() == values


@pytest.mark.parametrize(
    "rows",
    [
        ["1,234;;", "12,345;;"],  # could be thousands
        ["1.234;;"],
        ["1,5;;", "2.5;;"],  # both signs in a column
        ["1,5;2.5;"],  # in two columns
        ["1.5;;", "1,234;;"],
        [";;1.000"],  # a thousand, or one
    ],
)
def test_unclear_decimal_sign_is_never_guessed(tmp_path: Path, rows: list[str]) -> None:
    error = refused(tmp_path, "amount;other;whole\n" + "\n".join(rows), schema=AMOUNTS)
    assert {problem.rule for problem in error.problems} == {"the decimal sign could be «.» or «,»"}
    assert sum(problem.n_rows for problem in error.problems) == "".join(rows).count(",") + "".join(rows).count(".")
    assert "data.t.decimal" in error.do


@pytest.mark.parametrize(
    ("cell", "decimal"),
    [
        ("1.234,5", ","),
        ("1,234.5", "."),
        ("1,5", "."),
        ("1.5", ","),
        ("1 000", "."),
        ("1_000", "."),
        ("0x1F", "."),
        ("१", "."),
    ],
)
def test_number_written_otherwise_is_no_number(tmp_path: Path, cell: str, decimal: str) -> None:
    error = refused(tmp_path, f"amount;other;whole\n{cell};;\n", schema=AMOUNTS, decimal=decimal)
    assert rules(error) == {("amount", "not a number"): 1}


@pytest.mark.parametrize(
    "cell", ["inf", "-inf", "Infinity", "nan", "NaN", "1e999", "--1", "1e", ".", "twelve", "12 kr"]
)
def test_text_in_a_number_column(tmp_path: Path, cell: str) -> None:
    error = refused(tmp_path, f"amount;other;whole\n{cell};;\n1;1;1\n", schema=AMOUNTS)
    assert rules(error) == {("amount", "not a number"): 1}


@pytest.mark.parametrize("cell", ["1.5", "1e3", "1234567890123456789", "one", "nan"])
def test_what_is_no_whole_number(tmp_path: Path, cell: str) -> None:
    error = refused(tmp_path, f"amount;other;whole\n0.5;;{cell}\n", schema=AMOUNTS)
    assert rules(error) == {("whole", "not a whole number"): 1}


def test_whole_numbers_that_another_program_wrote_with_decimals(tmp_path: Path) -> None:
    text = "amount;other;whole\n0.5;;12.0\n;;-3.\n;;007\n;;999999999999999999\n"
    assert _read(tmp_path, text, schema=AMOUNTS)["whole"].tolist() == [12, -3, 7, 999999999999999999]


# --- Excel and Parquet ----------------------------------------------------------------------------------------------


def _workbook(folder: Path, rows: list[list[object]], name: str = "t.xlsx", **sheets: list[list[object]]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for title, content in sheets.items():
        sheet = book.create_sheet(title)
        for row in content:
            sheet.append(row)
    book.save(folder / name)


def _read_book(folder: Path, schema: TableSchema = SCHEMA, **how: object) -> pd.DataFrame:
    return _read(folder, (folder / "t.xlsx").read_bytes(), "t.xlsx", schema, **how)


def test_excel_cells_come_in_exactly(tmp_path: Path) -> None:
    rows = [
        [*EXPECTED.columns, None],
        ["001", "blå, grøn", 7.0, 0.1, True, dt.datetime(2020, 2, 29), 1978],
        [None] * 7,
        ["002", "0301", "-12", -1234.5, 0, dt.date(1999, 12, 31), "2024"],
        ["003", None, -9, "NA", None, None, None],
    ]
    _workbook(tmp_path, rows)
    pd.testing.assert_frame_equal(_read_book(tmp_path), EXPECTED)
    pd.testing.assert_frame_equal(_read_book(tmp_path, decimal=","), EXPECTED)


def test_excel_numbers_in_text_columns(tmp_path: Path) -> None:
    _workbook(tmp_path, [["id", "text"], [301, 1978.0], ["0302", 0.1], [303, True], [304, dt.datetime(2020, 1, 2)]])
    schema = SCHEMA.model_copy(update={"fields": SCHEMA.fields[:2]})
    frame = _read_book(tmp_path, schema)
    assert frame["id"].tolist() == ["301", "0302", "303", "304"]
    assert frame["text"].tolist() == ["1978", "0.1", "true", "2020-01-02"]


def test_excel_sheet_by_name(tmp_path: Path) -> None:
    schema = SCHEMA.model_copy(update={"fields": SCHEMA.fields[:1]})
    _workbook(tmp_path, [["nothing"]], people=[["id"], ["a"]])
    assert _read_book(tmp_path, schema, sheet="people")["id"].tolist() == ["a"]
    for how, words in (({}, "2 sheets"), ({"sheet": "persons"}, "no sheet «persons»")):
        error = refused(tmp_path, (tmp_path / "t.xlsx").read_bytes(), "t.xlsx", schema, **how)
        assert error.code == "data.unclear_sheet"
        assert words in error.what


def test_excel_cells_that_do_not_fit(tmp_path: Path) -> None:
    rows = [
        list(EXPECTED.columns),
        ["a", "#N/A", 1.5, True, 2, dt.datetime(2020, 1, 1, 10), 78.5],
        ["b", "x", True, "Vestergade 1", "Vestergade", 87654321, dt.date(1978, 1, 1)],
        ["c", dt.time(10), 87654321.5, dt.date(2020, 1, 1), 0.5, "01/02/2020", 87654321],
    ]
    _workbook(tmp_path, rows)
    assert rules(refused(tmp_path, (tmp_path / "t.xlsx").read_bytes(), "t.xlsx")) == {
        ("text", "not text"): 2,
        ("whole", "not a whole number"): 3,
        ("amount", "not a number"): 3,
        ("is_on", "neither one of the texts for true nor one of those for false"): 3,
        ("day", "not a date of the declared format"): 3,
        ("year", "not a year"): 3,
    }


def test_date_outside_the_calendar_is_not_quoted_in_a_warning(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "day"])
    book.active.append(["a", 87654321])
    book.active["B2"].number_format = "yyyy-mm-dd"
    book.save(tmp_path / "t.xlsx")
    schema = SCHEMA.model_copy(update={"fields": (SCHEMA.field("id"), SCHEMA.field("day"))})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        error = refused(tmp_path, (tmp_path / "t.xlsx").read_bytes(), "t.xlsx", schema)
    assert rules(error) == {("day", "not a date of the declared format"): 1}
    assert not [warning for warning in caught if any(mark in str(warning.message) for mark in MARKS)]


def test_formula_that_was_never_calculated_is_refused(tmp_path: Path) -> None:
    schema = SCHEMA.model_copy(update={"fields": (SCHEMA.field("id"), SCHEMA.field("whole"))})
    _workbook(tmp_path, [["id", "whole"], ["a", "=1+1"], ["b", 3]])
    error = refused(tmp_path, (tmp_path / "t.xlsx").read_bytes(), "t.xlsx", schema)
    assert error.code == "data.uncalculated_formula"
    assert error.problems[0].n_rows == 1


def test_parquet_types_come_in_exactly(tmp_path: Path) -> None:
    duckdb.execute(
        f"""COPY (SELECT * FROM (VALUES
            ('001', 'blå, grøn', 7::TINYINT, 0.1::DOUBLE, true, DATE '2020-02-29', 1978::USMALLINT),
            ('002', '0301', -12, -1234.5, false, DATE '1999-12-31', 2024),
            ('003', NULL, NULL, NULL, NULL, NULL, NULL)
            ) AS t(id, text, whole, amount, is_on, day, "year")) TO '{tmp_path}/t.parquet' (FORMAT parquet)"""
    )
    frame = _read(tmp_path, (tmp_path / "t.parquet").read_bytes(), "t.parquet")
    pd.testing.assert_frame_equal(frame, EXPECTED)


def test_parquet_numbers_of_every_width(tmp_path: Path) -> None:
    duckdb.execute(
        f"""COPY (SELECT 9007199254740993::BIGINT AS id, 'x'::ENUM('x') AS text, 12::DOUBLE AS whole,
            0.1::FLOAT AS amount, 1::TINYINT AS is_on, TIMESTAMP '2020-01-01' AS day, '1978' AS year
            UNION ALL SELECT 2, NULL, NULL, 1.25::DECIMAL(9, 2)::FLOAT, NULL, NULL, NULL
            ) TO '{tmp_path}/t.parquet' (FORMAT parquet)"""
    )
    frame = _read(tmp_path, (tmp_path / "t.parquet").read_bytes(), "t.parquet")
    assert frame["id"].tolist() == ["9007199254740993", "2"]
    assert frame["whole"].tolist()[0] == 12
    assert frame["amount"].dtype == np.float64
    assert frame["amount"].tolist() == [float(np.float32(0.1)), 1.25]
    assert frame["is_on"].tolist()[0] is True
    assert frame["day"].tolist()[0] == pd.Timestamp(2020, 1, 1)
    assert frame["year"].tolist()[0] == 1978


def test_parquet_cells_that_do_not_fit(tmp_path: Path) -> None:
    duckdb.execute(
        f"""COPY (SELECT 'a' AS id, ['Vestergade'] AS text, 87654321.5::DOUBLE AS whole, 'inf'::DOUBLE AS amount,
            'Vestergade' AS is_on, TIMESTAMPTZ '2020-01-01' AS day, 87654321 AS year, 1 AS "Vestergade 12", 2 AS yaer
            ) TO '{tmp_path}/t.parquet' (FORMAT parquet)"""
    )
    assert rules(refused(tmp_path, (tmp_path / "t.parquet").read_bytes(), "t.parquet")) == {
        ("text", "not text"): 1,
        ("whole", "not a whole number"): 1,
        ("amount", "not a number"): 1,
        ("is_on", "neither one of the texts for true nor one of those for false"): 1,
        ("day", "not a date of the declared format"): 1,
        ("year", "not a year"): 1,
        ("column number 8", "unknown column; describe it under data.t.fields, or remove it"): 0,
        ("yaer", "unknown column; did you mean «year»?"): 0,
    }


def test_parquet_name_that_is_a_pattern_reads_no_other_file(tmp_path: Path) -> None:
    duckdb.execute(f"COPY (SELECT 1 AS id) TO '{tmp_path}/a.parquet' (FORMAT parquet)")
    error = refused(tmp_path, (tmp_path / "a.parquet").read_bytes(), "[a].parquet")
    assert error.code == "data.pattern_in_path"


# --- Rules ----------------------------------------------------------------------------------------------------------

PEOPLE = load_schema(
    "participants",
    [
        _field("age_years", "integer", constraints={"required": True, "minimum": 18, "maximum": 65}),
        _field("ward", "string", constraints={"enum": ["north", "south"]}),
        _field("code", "string", constraints={"pattern": "[A-Z]\\d", "minLength": 2, "maxLength": 2, "unique": True}),
        _field("earnings_usd", "number", constraints={"minimum": 0}),
        _field("start", "date", constraints={"maximum": "2020-12-31"}),
    ],
)
HEADER = "participant_id,is_treated,age_years,ward,code,earnings_usd,start\n"


def test_every_broken_rule_is_reported_at_once_as_numbers_of_rows(tmp_path: Path) -> None:
    rows = [
        "87654321,true,30,north,A1,1.5,2020-01-01",
        "87654321,false,17,Vestergade,A1,-87654321,2020-12-31",
        ",maybe,70,south,a11,Vestergade 12,2021-01-01",
        "p4,,,south,Vestergade,,31-12-2020",
        "p5,,old,,,,",
        "p6,true,20,,,,",
    ]
    error = refused(tmp_path, HEADER + "\n".join(rows), schema=PEOPLE)
    assert error.code == "data.invalid"
    assert {problem.table for problem in error.problems} == {"t"}
    assert rules(error) == {
        ("participant_id", "missing value where one is required"): 1,
        ("participant_id", "more than one row with the same participant_id"): 2,
        ("is_treated", "neither one of the texts for true nor one of those for false"): 1,
        ("is_treated", "missing value where one is required"): 2,
        ("age_years", "not a whole number"): 1,
        ("age_years", "missing value where one is required"): 1,
        ("age_years", "below the minimum 18"): 1,
        ("age_years", "above the maximum 65"): 1,
        ("ward", "not among the allowed values"): 1,
        ("code", "value stands more than once"): 2,
        ("code", "does not match the pattern"): 2,
        ("code", "longer than 2 characters"): 2,
        ("earnings_usd", "not a number"): 1,
        ("earnings_usd", "below the minimum 0"): 1,
        ("start", "not a date of the declared format"): 1,
        ("start", "above the maximum 2020-12-31"): 1,
    }
    assert "t.age_years: below the minimum 18 (1 row)" in str(error)


def test_columns_that_are_missing_unknown_or_twice(tmp_path: Path) -> None:
    text = "participant_id,is_treated,age_yaers,ward,ward,Vestergade 12,87654321,earnings_usd,\na,1,20,x,x,1,2,3,4\n"
    assert rules(refused(tmp_path, text, schema=PEOPLE)) == {
        ("age_years", "the column is missing"): 0,
        ("code", "the column is missing"): 0,
        ("start", "the column is missing"): 0,
        ("age_yaers", "unknown column; did you mean «age_years»?"): 0,
        ("ward", "the column name stands more than once"): 0,
        ("column number 6", "unknown column; describe it under data.t.fields, or remove it"): 0,
        ("column number 7", "unknown column; describe it under data.t.fields, or remove it"): 0,
        ("column number 9", "the column has no name"): 0,
        ("ward", "not among the allowed values"): 1,
    }


@pytest.mark.parametrize("text", ["Ødegaard,1,30,north,A1,5,2020-01-01\n", "participant_id#is_treated\nØdegaard#1\n"])
def test_first_line_that_holds_no_known_name_is_not_quoted(tmp_path: Path, text: str) -> None:
    error = refused(tmp_path, text, schema=PEOPLE)
    assert [problem.column for problem in error.problems] == [""]
    assert "none of the column names is known" in error.problems[0].rule


def test_template_alone_is_an_empty_table(tmp_path: Path) -> None:
    assert rules(refused(tmp_path, template_csv(PEOPLE), schema=PEOPLE)) == {("", "the table has no rows"): 0}


# --- Files that cannot be read --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "empty_file"),
        (" \n\r\n", "empty_file"),
        ("\ufeff", "empty_file"),
        ("id,text\n1203851234,Vestergade 1, 2. sal\nb\nc,d\n", "ragged_rows"),
        ('id,text\na,"Vestergade 1203851234\n', "malformed_csv"),
        ('id,text\na,"Vestergade" 12\n', "malformed_csv"),
        ("id,text\na,Vester\0gade\n", "not_text"),
        ("number,name;x\na,Vestergade;b\n", "unclear_delimiter"),
        ("id,text\na," + "1203851234" * 20_000 + "\n", "malformed_csv"),
        (b"id,text\na,Vestergade\x81\n", "encoding"),
    ],
)
def test_file_that_is_no_table(tmp_path: Path, content: str | bytes, code: str) -> None:
    schema = SCHEMA.model_copy(update={"fields": SCHEMA.fields[:2]})
    assert refused(tmp_path, content, schema=schema).code == f"data.{code}"


def test_ragged_rows_are_counted(tmp_path: Path) -> None:
    assert refused(tmp_path, "id,text\na\nb,c\nd,e,f\n").problems[0].n_rows == 2


def test_declared_encoding_that_does_not_fit(tmp_path: Path) -> None:
    error = refused(tmp_path, "id,text\na,Ødegaard\n", encoding="ascii")
    assert error.code == "data.encoding"
    assert "data.t.encoding" in error.do


@pytest.mark.parametrize("name", ["t.xlsx", "t.parquet"])
@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 1203851234 Vestergade", b"PAR1 Vestergade 87654321 PAR1", b"id,text\n1,Vestergade\n"]
)
def test_damaged_file(tmp_path: Path, name: str, content: bytes) -> None:
    assert refused(tmp_path, content, name).code == "data.damaged_file"


def test_truncated_files(tmp_path: Path) -> None:
    _workbook(tmp_path, [["id", "text"], *(["1203851234", f"Vestergade {number}"] for number in range(500))])
    duckdb.execute(f"COPY (SELECT 'Vestergade' AS id FROM range(9999)) TO '{tmp_path}/t.parquet' (FORMAT parquet)")
    for name in ("t.xlsx", "t.parquet"):
        content = (tmp_path / name).read_bytes()
        for keep in (10, len(content) // 2, len(content) - 5):
            assert refused(tmp_path, content[:keep], name).code == "data.damaged_file"


def test_empty_workbook(tmp_path: Path) -> None:
    _workbook(tmp_path, [])
    assert refused(tmp_path, (tmp_path / "t.xlsx").read_bytes(), "t.xlsx").code == "data.empty_sheet"


@pytest.mark.parametrize("name", ["t.xls", "t.json", "t"])
def test_kind_of_file_that_is_not_read(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, "id\n1\n", name).code == "data.format"


@pytest.fixture
def programme(tmp_path: Path) -> Path:
    folder = tmp_path / "programme"
    (folder / "data").mkdir(parents=True)
    (tmp_path / "outside.csv").write_text("id\nVestergade\n")
    (folder / "inside.csv").write_text("id\na\n")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "good_link.csv").symlink_to("inside.csv")
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    return folder


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../outside.csv", "outside_folder"),
        ("data/../../outside.csv", "outside_folder"),
        ("../nowhere.csv", "outside_folder"),
        ("link.csv", "outside_folder"),
        ("/etc/passwd", "outside_folder"),
        ("{folder}/inside.csv", "outside_folder"),
        ("C:\\inside.csv", "outside_folder"),
        ("missing.csv", "missing_file"),
        ("data/missing.csv", "missing_file"),
        ("loop.csv", "missing_file"),
        ("inside.csv\0", "missing_file"),
        ("a" * 300 + ".csv", "missing_file"),
        ("inside.csv/x.csv", "missing_file"),
        ("folder.csv", "not_a_file"),
        ("pipe.csv", "not_a_file"),
        (".", "not_a_file"),
    ],
)
def test_path_that_cannot_be_followed(programme: Path, path: str, code: str) -> None:
    schema = SCHEMA.model_copy(update={"fields": SCHEMA.fields[:1]})
    with pytest.raises(DataError) as caught:
        read_table(programme, TableSource(path=path.format(folder=programme)), schema, "t")
    assert caught.value.code == f"data.{code}"
    assert str(programme.parent) not in str(caught.value)
    assert "data.t.path" in caught.value.where
    said(caught.value)


@pytest.mark.parametrize("path", ["inside.csv", "data/../inside.csv", "good_link.csv", "./inside.csv"])
def test_path_that_stays_inside(programme: Path, path: str) -> None:
    schema = SCHEMA.model_copy(update={"fields": SCHEMA.fields[:1]})
    assert read_table(programme, TableSource(path=path), schema, "t")["id"].tolist() == ["a"]


def test_file_without_permission(programme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(programme / "inside.csv"))

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(DataError, match="Permission denied") as caught:
        read_table(programme, TableSource(path="inside.csv"), SCHEMA, "t")
    assert caught.value.code == "data.cannot_read"
    assert str(programme) not in str(caught.value)
    said(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"encoding": "utf-99"},
        {"encoding": "rot13"},
        {"delimiter": ";;"},
        {"delimiter": "a"},
        {"decimal": ";"},
        {"path": ""},
    ],
)
def test_source_that_makes_no_sense(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        TableSource.model_validate({"path": "t.csv", **values})


# --- Whatever comes -------------------------------------------------------------------------------------------------

CELLS = st.sampled_from(
    [
        "",
        "NA",
        "1",
        "-9",
        "1,5",
        "1.5",
        "Vestergade",
        "1203851234",
        '"',
        "\n",
        "true",
        "2020-02-30",
        "inf",
        "0301",
        "\x1f",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELLS, min_size=1, max_size=8), max_size=6), st.booleans(), st.sampled_from([",", ";", "\t"]))
@example([["Vestergade"]], True, ",")
def test_any_text_is_read_or_refused_without_a_value(
    tmp_path: Path, rows: list[list[str]], named: bool, mark: str
) -> None:
    lines = [",".join(SCHEMA.names).replace(",", mark)] if named else []
    content = "\n".join(lines + [mark.join(row) for row in rows])
    try:
        _read(tmp_path, content)
    except DataError as error:
        assert not [value for value in MARKS if value in said(error)]  # noqa: PT017


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from(["t.csv", "t.xlsx", "t.parquet"]))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, name: str) -> None:
    try:
        _read(tmp_path, content, name)
    except DataError as error:
        said(error)


def test_many_rows_are_read_in_seconds(tmp_path: Path) -> None:
    n = 300_000
    outcomes = pd.DataFrame(
        {
            "participant_id": np.char.add("P", (np.arange(n) % 60_000).astype(str)),
            "period": (np.arange(n) // 60_000).astype(str),
            "measure": "earnings_usd",
            "value": np.random.default_rng(0).normal(20_000, 5_000, n).round(2),
        }
    )
    outcomes.to_csv(tmp_path / "t.csv", index=False)
    start = time.process_time()
    frame = read_table(tmp_path, TableSource(path="t.csv"), load_schema("outcomes"), "outcomes")
    spent = time.process_time() - start
    np.testing.assert_array_equal(frame["value"].to_numpy(), outcomes["value"].to_numpy())
    assert spent < 15  # Two on a slow machine.
