"""From cells as they stand in a file to typed columns that keep every rule; what breaks a rule is counted, never shown.

Text is converted by the type in the schema, never by what it looks like. Cells that a file itself holds as numbers,
dates or yes/no (Excel, Parquet) are taken over without a detour through text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import Problem, nearest
from .schema import Field, TableSchema, compile_schema, dtype

Array = NDArray[Any]
Mask = NDArray[np.bool_]
Kind = Literal["text", "number", "boolean", "date", "other"]
DecimalSign = Literal[".", ","]

_NUMBER = {
    sign: re.compile(rf"[+-]?([0-9]+({re.escape(sign)}[0-9]*)?|{re.escape(sign)}[0-9]+)([eE][+-]?[0-9]+)?")
    for sign in ".,"
}
_WHOLE = {sign: re.compile(rf"[+-]?[0-9]{{1,18}}({re.escape(sign)}0*)?") for sign in ".,"}
# «1.234» is 1.234 to one reader and 1234 to another; «0.234» and «1234.5» are clear.
_MAYBE_THOUSANDS = {sign: re.compile(rf"[+-]?[1-9][0-9]{{0,2}}{re.escape(sign)}[0-9]{{3}}") for sign in ".,"}
_YEAR = re.compile(r"[0-9]{4}")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SPREADSHEET_ERRORS = frozenset({"#N/A", "#DIV/0!", "#REF!", "#NAME?", "#NULL!", "#NUM!", "#VALUE!"})
_LARGEST_EXACT_FLOAT = 2.0**53
_UNREADABLE = {
    "string": "not text",
    "integer": "not a whole number",
    "number": "not a number",
    "boolean": "neither one of the texts for true nor one of those for false",
    "date": "not a date of the declared format",
    "year": "not a year",
}
REQUIRED = "missing value where one is required"
ABSENT = "the column is missing"
REPEATED = "value stands more than once"
UNCLEAR_DECIMAL = "the decimal sign could be «.» or «,»"


@dataclass(frozen=True)
class _Cells:
    """The cells of one column that a file holds in one way: their rows, and each of their values (text: each once)."""

    kind: Kind
    rows: Array
    values: Array
    codes: Array


@dataclass(frozen=True)
class _Column:
    """A converted column: values in numpy's type of the field, which are missing, and which could not be converted."""

    values: Array
    missing: Mask
    unreadable: Mask
    rule: str


def conform(
    raw: pd.DataFrame, schema: TableSchema, table: str, decimal: DecimalSign | None = None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Convert a table to the types of its schema and check every rule.

    Parameters
    ----------
    raw : DataFrame
        Cells as read: text, or values that the file itself holds as numbers, dates or booleans.
    schema : TableSchema
    table : str
        How problems call the table.
    decimal : str, optional
        The decimal sign of numbers held as text. Without it the text must leave no doubt.

    Returns
    -------
    frame : DataFrame
        All columns of the schema, in its order, with index 0 to n - 1; cells that cannot be read are missing. No
        column at all when the file has none that the schema knows.
    problems : list of Problem
        Everything that breaks a rule. Empty if and only if the frame may be used.
    """
    raw, problems = _known_columns(raw.reset_index(drop=True), schema, table)
    if len(raw.columns) == 0:
        return raw, problems
    if len(raw) == 0:
        problems.append(Problem(table, "", "the table has no rows", 0))
    cells = {name: _split(raw[name]) for name in raw.columns}
    sign = decimal or _decimal_sign(
        [part.values for name, parts in cells.items() for part in parts if _may_hold_decimals(schema.field(name), part)]
    )
    series: dict[str, pd.Series] = {}
    unreadable: dict[str, Mask] = {}
    for field in schema.fields:
        column = _convert(cells.get(field.name, []), field, schema.missing(field), sign, len(raw))
        absent = field.name not in cells
        series[field.name] = _series(column, field, required=schema.is_required(field))
        unreadable[field.name] = np.ones(len(raw), dtype=bool) if absent else column.unreadable
        if column.unreadable.any():
            problems.append(Problem(table, field.name, column.rule, int(column.unreadable.sum())))
    frame = pd.DataFrame(series, columns=list(schema.names))
    return frame, problems + _broken_rules(frame, schema, table, unreadable)


def _known_columns(raw: pd.DataFrame, schema: TableSchema, table: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the columns that the schema knows, and what is wrong with the others.

    Where no name is known, the first line probably holds a person's values, so it is not quoted.
    """
    names = [str(name).strip() for name in raw.columns]
    raw = raw.set_axis(range(len(names)), axis=1)
    unnamed = {index for index, name in enumerate(names) if not name}
    empty = {index for index in unnamed if (raw[index].isna() | raw[index].eq("")).all()}
    if not set(names) & set(schema.names):
        rule = "none of the column names is known: the line with the names is missing, or the delimiter is another"
        return raw.iloc[:, :0], [Problem(table, "", rule, 0)]
    problems = [Problem(table, name, ABSENT, 0) for name in schema.names if name not in names]
    keep: dict[str, int] = {}
    for index, name in enumerate(names):
        if index in empty:
            continue
        if name in keep:
            problems.append(Problem(table, name, "the column name stands more than once", 0))
        elif name in schema.names:
            keep[name] = index
        else:
            problems.append(_unknown_column(name, index, schema, table))
    return raw[list(keep.values())].set_axis(list(keep), axis=1), problems


def _unknown_column(name: str, index: int, schema: TableSchema, table: str) -> Problem:
    """Return the problem with a column that the schema lacks; a name that is not like a name is not quoted."""
    quotable = re.fullmatch(r"[^\W\d]\w{0,39}", name) is not None
    where = name if quotable else f"column number {index + 1}"
    if not name:
        return Problem(table, where, "the column has no name", 0)
    guess = nearest(name.lower().replace(" ", "_"), schema.names)
    advice = f"did you mean «{guess}»?" if guess else f"describe it under data.{table}.fields, or remove it"
    return Problem(table, where, f"unknown column; {advice}", 0)


def _split(column: pd.Series) -> list[_Cells]:
    """Return the cells of a column by the way in which they are held; missing cells are left out."""
    rows = np.flatnonzero(column.notna().to_numpy(bool))
    kinds = pd.api.types
    if not len(rows):
        return []
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if kinds.is_bool_dtype(column.dtype) and not kinds.is_object_dtype(column.dtype):
        return [_whole("boolean", rows, column.iloc[rows].to_numpy(bool))]
    if kinds.is_numeric_dtype(column.dtype) and not kinds.is_complex_dtype(column.dtype):
        return [_whole("number", rows, column.iloc[rows].to_numpy())]
    if kinds.is_datetime64_dtype(column.dtype):
        return [_whole("date", rows, column.iloc[rows].to_numpy().astype("datetime64[us]"))]
    values = column.to_numpy(object)[rows]
    if kinds.infer_dtype(values, skipna=False) == "string":
        return [_text(rows, values)]
    return _split_mixed(rows, values)


def _split_mixed(rows: Array, values: Array) -> list[_Cells]:
    """Return cells of mixed Python types, as spreadsheets hold them, by kind."""
    kinds = np.array([_kind(value) for value in values])
    parts = []
    for kind in np.unique(kinds):
        here = kinds == kind
        some, found = rows[here], values[here]
        if kind == "text":
            parts.append(_text(some, found))
        elif kind == "whole":
            exact = all(-(2**63) <= value < 2**63 for value in found)
            parts.append(_whole("number", some, found.astype(np.int64 if exact else np.float64)))
        elif kind == "number":
            parts.append(_whole("number", some, found.astype(np.float64)))
        elif kind == "boolean":
            parts.append(_whole("boolean", some, found.astype(bool)))
        elif kind == "date":
            parts.append(_whole("date", some, found.astype("datetime64[us]")))
        else:
            parts.append(_whole("other", some, found))
    return parts


def _kind(value: object) -> str:
    """Return how a Python value is held."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "boolean"
    if isinstance(value, int | np.integer):
        return "whole"
    if isinstance(value, float | np.floating | Decimal):
        return "number"
    # A time zone would move a date; a time of day without a date is none.
    naive = isinstance(value, dt.date) and getattr(value, "tzinfo", None) is None
    return "date" if naive else "other"


def _whole(kind: Kind, rows: Array, values: Array) -> _Cells:
    return _Cells(kind, rows, values, np.arange(len(values)))


def _text(rows: Array, values: Array) -> _Cells:
    """Return text cells without surrounding blanks, each distinct text once: columns repeat themselves."""
    codes, distinct = pd.factorize(values)
    return _Cells("text", rows, np.array([text.strip() for text in distinct], dtype=object), codes)


def _may_hold_decimals(field: Field, part: _Cells) -> bool:
    return part.kind == "text" and field.type in ("number", "integer")


def _decimal_sign(texts: Sequence[Array]) -> DecimalSign | None:
    """Return the decimal sign that all numbers of a file agree on, or None where they leave a doubt."""
    signs: list[DecimalSign] = []
    certain = True
    for sign in (".", ","):
        with_sign = [text for values in texts for text in values if sign in text and _NUMBER[sign].fullmatch(text)]
        if with_sign:
            signs.append(sign)
            certain = not all(_MAYBE_THOUSANDS[sign].fullmatch(text) for text in with_sign)
    if not signs:
        return "."
    return signs[0] if len(signs) == 1 and certain else None


def _convert(
    parts: Sequence[_Cells], field: Field, missing: frozenset[str], sign: DecimalSign | None, n: int
) -> _Column:
    """Return a whole column of ``n`` rows in the type of its field."""
    start: dict[str, Array] = {
        "string": np.full(n, None, dtype=object),
        "number": np.full(n, np.nan),
        "boolean": np.zeros(n, dtype=bool),
        "date": np.full(n, np.datetime64("NaT"), dtype="datetime64[s]"),
    }
    values = start.get(field.type, np.zeros(n, dtype=np.int64))
    absent, unreadable, rule = np.ones(n, dtype=bool), np.zeros(n, dtype=bool), _UNREADABLE[field.type]
    for part in parts:
        void = _is_missing(part, missing)
        out, readable = _read(part.kind, part.values, field, sign or ".")
        if sign is None and _may_hold_decimals(field, part):
            unclear = np.array(["." in text or "," in text for text in part.values], dtype=bool)
            if (unclear & ~void).any():
                readable, rule = readable & ~unclear, UNCLEAR_DECIMAL
        good = readable & ~void
        chosen = good[part.codes]
        values[part.rows[chosen]] = out[part.codes[chosen]]
        absent[part.rows[chosen]] = False
        unreadable[part.rows] = (~readable & ~void)[part.codes]
    return _Column(values, absent, unreadable, rule)


def _is_missing(part: _Cells, missing: frozenset[str]) -> Mask:
    """Tell which values mean «no value»; a number -9 in a spreadsheet means what the text -9 means."""
    if part.kind == "text":
        return np.array([text in missing for text in part.values], dtype=bool)
    if part.kind == "number":
        numbers = [float(text) for text in missing if _NUMBER["."].fullmatch(text)]
        return np.isin(part.values.astype(np.float64), numbers)
    if part.kind == "date":
        return np.isin(np.datetime_as_string(part.values, unit="D", casting="unsafe"), list(missing))
    return np.zeros(len(part.values), dtype=bool)


def _read(kind: Kind, values: Array, field: Field, sign: DecimalSign) -> tuple[Array, Mask]:
    """Return values in the type of the field, and which of them could be read."""
    if kind == "text":
        return _read_text(values, field, sign)
    if kind == "number":
        return _read_numbers(values, field)
    everything, nothing = np.ones(len(values), dtype=bool), np.zeros(len(values), dtype=bool)
    if kind == "boolean" and field.type == "boolean":
        return values, everything
    if kind == "boolean" and field.type == "string":
        return np.array(["true" if value else "false" for value in values], dtype=object), everything
    if kind == "date" and field.type == "date":
        return values, values == values.astype("datetime64[D]")
    if kind == "date" and field.type == "string":
        whole_days = bool((values == values.astype("datetime64[D]")).all())
        texts = np.datetime_as_string(values, unit="D" if whole_days else "s", casting="unsafe")
        return texts.astype(object), everything
    return np.full(len(values), None, dtype=object), nothing


def _read_text(texts: Array, field: Field, sign: DecimalSign) -> tuple[Array, Mask]:
    """Return distinct texts in the type of the field, and which of them could be read."""
    if field.type == "string":
        return texts, np.array([text not in _SPREADSHEET_ERRORS for text in texts], dtype=bool)
    if field.type == "boolean":
        truth = {**dict.fromkeys(field.true_values, True), **dict.fromkeys(field.false_values, False)}
        return np.array([truth.get(text, False) for text in texts]), np.array(
            [text in truth for text in texts], dtype=bool
        )
    if field.type == "date":
        iso = field.format == "default"
        shaped = [text if not iso or _ISO_DATE.fullmatch(text) else None for text in texts]
        dates = pd.to_datetime(
            pd.Series(shaped, dtype=object), format="%Y-%m-%d" if iso else field.format, errors="coerce"
        )
        found = dates.to_numpy().astype("datetime64[s]")
        return found, ~np.isnat(found) & (found == found.astype("datetime64[D]"))
    shape = {"number": _NUMBER[sign], "integer": _WHOLE[sign], "year": _YEAR}[field.type]
    readable = np.array([shape.fullmatch(text) is not None for text in texts], dtype=bool)
    if field.type == "number":
        numbers = np.full(len(texts), np.nan)
        numbers[readable] = np.array([text.replace(sign, ".") for text in texts[readable]], dtype=object).astype(
            np.float64
        )
        return numbers, readable & np.isfinite(numbers)
    whole = np.zeros(len(texts), dtype=np.int64)
    whole[readable] = [int(text.partition(sign)[0]) for text in texts[readable]]
    return whole, readable


def _read_numbers(values: Array, field: Field) -> tuple[Array, Mask]:
    """Return numbers, which a file holds as numbers, in the type of the field, and which of them could be read."""
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    if field.type == "number":
        return numbers, finite
    if values.dtype.kind in "iu":
        whole = np.asarray(values <= np.iinfo(np.int64).max)
    else:
        whole = finite & (np.floor(numbers) == numbers) & (np.abs(numbers) < _LARGEST_EXACT_FLOAT)
    integers = np.zeros(len(values), dtype=np.int64)
    integers[whole] = values[whole].astype(np.int64)
    if field.type == "integer":
        return integers, whole
    if field.type == "year":
        return integers, whole & (integers >= 0) & (integers <= 9999)
    texts = np.array(
        [str(n) if is_whole else repr(float(x)) for n, x, is_whole in zip(integers, numbers, whole, strict=True)]
    )
    texts = texts.astype(object)
    if field.type == "boolean":
        out, readable = _read_text(texts, field, ".")
        return out, readable
    return (texts, finite) if field.type == "string" else (texts, np.zeros(len(values), dtype=bool))


def _series(column: _Column, field: Field, *, required: bool) -> pd.Series:
    """Return a converted column with the pandas type of its field; nullable where a required value lacks."""
    kind = dtype(field, required=required and not column.missing.any())
    if kind in ("Int64", "boolean"):
        array = pd.arrays.IntegerArray if kind == "Int64" else pd.arrays.BooleanArray
        return pd.Series(array(column.values, column.missing))
    return pd.Series(column.values, dtype=kind)


def _broken_rules(
    frame: pd.DataFrame, schema: TableSchema, table: str, unreadable: Mapping[str, Mask]
) -> list[Problem]:
    """Return the rules that pandera finds broken, as numbers of rows; cells already reported are left out."""
    import pandera.errors

    failures: pd.DataFrame | None = None
    try:
        compile_schema(schema).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        # Only the rows are kept: the error itself prints values of persons, and ends with this block.
        failures = error.failure_cases[["schema_context", "column", "check", "index"]]
    if failures is None:
        return []
    words = {"not_nullable": REQUIRED, "field_uniqueness": REPEATED}
    problems: list[Problem] = []
    is_key = failures["schema_context"] == "DataFrameSchema"
    for rule, rows in failures[is_key].groupby("check", sort=False)["index"]:
        problems.append(Problem(table, ", ".join(schema.primary_key), str(rule), int(rows.nunique())))
    for (name, check), rows in failures[~is_key].groupby(["column", "check"], sort=False)["index"]:
        rule = words.get(str(check), str(check))
        if rule.startswith("dtype("):
            continue  # A required column with missing cells has a nullable type; it is reported as such.
        if rows.isna().any():
            # A check that could not be computed concerns no single row, and is a problem all the same.
            problems.append(Problem(table, str(name), rule, 0))
            continue
        positions = rows.unique().astype(np.int64)
        silent = unreadable[str(name)][positions]
        if check == "field_uniqueness":
            silent |= frame[str(name)].isna().to_numpy(bool)[positions]
        if not silent.all():
            problems.append(Problem(table, str(name), rule, int((~silent).sum())))
    return problems
