"""Read one table of a programme: CSV, Parquet or Excel, and never a value in a message.

The file must lie inside the programme's folder. Text is read as text; :mod:`virkning.data.validation` gives it types.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field as Attribute
from pydantic import field_validator

from ..errors import DataError, Problem
from ..specification import Specification
from .schema import Field, TableSchema
from .validation import UNCLEAR_DECIMAL, conform

_DELIMITERS = (",", ";", "\t", "|")
_CHUNK_ROWS, _LONGEST_HEADER = 50_000, 100_000
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_NUMBER_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
# What is wrong with a file as a whole, why it matters (where it is not plain) and what to do, by the end of its code.
_FILE_ERRORS = {
    "format": ("The table is in a kind of file that cannot be read.", "", "Save it as .csv, .parquet or .xlsx."),
    "outside_folder": (
        "The path leads out of the programme's folder.",
        "A programme must hold all it needs, so that others can run it, and must not read what is not its own.",
        "Copy the file into the programme's folder and give its path from there, such as data/participants.csv.",
    ),
    "missing_file": ("The file of a table is missing.", "", "Check the path and its spelling."),
    "not_a_file": ("The path of a table names {kind}.", "", "Give the path of the file with the table."),
    "cannot_read": ("The file cannot be read: {reason}.", "", "Check its permissions."),
    "empty_file": ("The file is empty.", "", "Export it again."),
    "malformed_csv": (
        "The file is not a well-formed table: quotation marks do not match at or before line {line}.",
        "Cells after that place would be read wrongly.",
        'Put a cell that holds a quotation mark, delimiter or line break in "…", and double the marks in it.',
    ),
    "ragged_rows": (
        "Some rows have more or fewer cells than there are column names.",
        "Their values would land in the wrong columns.",
        'Check the delimiter, and put cells that hold it (a decimal comma, an address) in "…".',
    ),
    "encoding": ("The file is not text in {encoding}.", "", "Save it as UTF-8, or declare data.{table}.encoding."),
    "not_text": (
        "The file holds NUL characters: it is not plain text, or it is in another encoding.",
        "",
        "Save it as CSV in UTF-8, or declare data.{table}.encoding.",
    ),
    "unclear_delimiter": (
        "The line with the column names can be divided in more than one way.",
        "A wrong division would put values in the wrong columns.",
        "Declare data.{table}.delimiter.",
    ),
    "damaged_file": (
        "The file is not a readable {kind} file: it is damaged, protected by a password, or of another kind.",
        "",
        "Open it in the program that made it, save it again, and check that the ending of its name is right.",
    ),
    "pattern_in_path": (
        "The path of a Parquet file holds one of * ? [ ] {{ }}, which the reader takes for a pattern.",
        "It could read other files than the one that is meant.",
        "Rename the file or the folder.",
    ),
    "unclear_sheet": ("The workbook has {sheets}.", "", "Give the name of the right one as data.{table}.sheet."),
    "empty_sheet": ("The sheet is empty.", "", "Check data.{table}.sheet."),
    "uncalculated_formula": (
        "Some rows hold a formula whose result was never stored.",
        "They would be read as missing values.",
        "Open the file in a spreadsheet program, let it calculate, and save it; or store values, not formulas.",
    ),
}


class TableSource(Specification):
    """Where one table of a programme is, and how it is written, under ``data`` in ``programme.yml``."""

    path: str = Attribute(min_length=1)
    """File inside the programme's folder: .csv, .tsv, .txt, .parquet or .xlsx."""
    delimiter: str | None = Attribute(default=None, pattern=r'^([^\w\s".]|\t| )$')
    """CSV: the character between two cells; found from the column names when absent."""
    decimal: Literal[".", ","] | None = None
    """The decimal sign of numbers written as text; found when the numbers leave no doubt."""
    encoding: str | None = None
    """CSV: how characters are coded, such as cp865; by default UTF-8, else Windows-1252, which covers Latin-1."""
    sheet: str | None = None
    """Excel: name of the sheet; not needed when there is only one."""
    fields: tuple[Field, ...] = ()
    """The programme's own columns."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            b"a".decode(value or "utf-8")
        except UnicodeError:
            return value  # One character alone is too little for UTF-16.
        except (LookupError, ValueError):
            raise ValueError(f"«{value}» is not a known encoding; common ones are utf-8, latin-1 and cp1252") from None
        return value


def read_table(folder: Path, source: TableSource, schema: TableSchema, name: str) -> pd.DataFrame:
    """Read one table, convert it to the types of its schema and check every rule that concerns this table alone.

    Parameters
    ----------
    folder : Path
        The programme's folder.
    source : TableSource
        Which file in it, and how it is written.
    schema : TableSchema
    name : str
        How messages call the table.

    Returns
    -------
    DataFrame
        The columns of the schema, in its order and types; rows as in the file.

    Raises
    ------
    DataError
        The file cannot be read, or breaks rules: all of them are listed, with numbers of rows and never a value.
    """
    frame, problems = conform(read_cells(folder, source, schema, name), schema, name, source.decimal)
    if problems:
        raise broken_rules(problems, displayed(source.path))
    return frame


def broken_rules(problems: Sequence[Problem], where: str, advice: str = "") -> DataError:
    """Return the error that lists everything that is wrong with the data, and ends with what can be done about it."""
    unclear = sorted({problem.table for problem in problems if problem.rule == UNCLEAR_DECIMAL})
    advice += "".join(f" Declare data.{table}.decimal as «.» or «,»." for table in unclear)
    one = len(problems) == 1
    return DataError(
        "data.invalid",
        "The data break a rule of their schema:" if one else f"The data break {len(problems)} rules of their schema:",
        where=where,
        why="A result from data that break their own rules could be wrong without showing it.",
        do="Correct the files, or the description of the programme's own columns." + advice,
        problems=problems,
    )


def read_cells(folder: Path, source: TableSource, schema: TableSchema, name: str) -> pd.DataFrame:
    """Return the cells of a file as they stand in it: text, or what the file itself holds as numbers, dates and yes/no.

    Raises
    ------
    DataError
        The file is outside the folder, missing, empty, damaged or not a table.
    """
    file = _inside(folder, source, name)
    readers: dict[str, Callable[[Path, TableSource, str], pd.DataFrame]] = {
        **dict.fromkeys((".csv", ".tsv", ".txt"), partial(_read_csv, known=frozenset(schema.names))),
        **dict.fromkeys((".parquet", ".pq"), _read_parquet),
        **dict.fromkeys((".xlsx", ".xlsm"), _read_excel),
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise _file_error("format", source, name)
    return reader(file, source, name)


def displayed(path: str) -> str:
    """Return how messages call a file: relative to the programme's folder, and never a path of this machine."""
    absolute = PurePosixPath(path).is_absolute() or PureWindowsPath(path).anchor != ""
    return PureWindowsPath(path).name if absolute else path


def _file_error(code: str, source: TableSource, name: str, n_rows: int = 0, **words: object) -> DataError:
    """Return the error about a whole file; ``n_rows`` tells how many rows it concerns, where only some do."""
    what, why, do = (text.format(table=name, **words) for text in _FILE_ERRORS[code])
    return DataError(
        f"data.{code}",
        what,
        where=f"{displayed(source.path)} (data.{name}.path)",
        why=why or "Without this table nothing can be estimated.",
        do=do,
        problems=[Problem(name, "", what.rstrip("."), n_rows)] if n_rows else [],
    )


def _inside(folder: Path, source: TableSource, name: str) -> Path:
    """Return the file that a path means; refuse what lies outside the programme's folder, by name or through a link."""
    path, file, kind = source.path, folder, "nothing"
    inside = not PurePosixPath(path).is_absolute() and not PureWindowsPath(path).anchor
    try:
        root = folder.resolve()
        file = (root / path).resolve()
        inside = inside and file.is_relative_to(root)
        kind = "a folder" if file.is_dir() else "file" if file.is_file() else "no plain file" if file.exists() else kind
    except (OSError, ValueError, RuntimeError):  # A circle of links, or a character that no file name has.
        kind = "nothing"
    if not inside:
        raise _file_error("outside_folder", source, name)
    if kind == "nothing":
        raise _file_error("missing_file", source, name)
    if kind != "file":
        raise _file_error("not_a_file", source, name, kind=kind)
    return file


def _content(file: Path, source: TableSource, name: str, limit: int = -1) -> bytes:
    """Return a file's bytes, or the first of them."""
    content, reason = b"", ""
    try:
        with file.open("rb") as stream:
            content = stream.read(limit)
    except OSError as error:
        reason = error.strerror or "unknown reason"
    if reason:
        raise _file_error("cannot_read", source, name, reason=reason)
    if not content.strip():
        raise _file_error("empty_file", source, name)
    return content


def _read_csv(file: Path, source: TableSource, name: str, *, known: AbstractSet[str]) -> pd.DataFrame:
    text = _decode(_content(file, source, name), source, name)
    delimiter = source.delimiter or _delimiter(text, known, source, name)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    parts: list[list[Any]] = []
    n_ragged, damaged = 0, False
    try:
        header = next((row for row in reader if row), None)
        parts.append([np.empty(0, dtype=object)] * len(header or ()))
        while lines := list(islice(reader, _CHUNK_ROWS)):  # In pieces: a million small lists at once are slow.
            rows = [row for row in lines if row]
            n_ragged += sum(len(row) != len(parts[0]) for row in rows)
            if rows and not n_ragged:
                parts.append([np.array(column, dtype=object) for column in zip(*rows, strict=True)])
    except csv.Error:
        damaged = True
    if damaged:
        raise _file_error("malformed_csv", source, name, line=reader.line_num)
    if header is None:
        raise _file_error("empty_file", source, name)
    if n_ragged:
        raise _file_error("ragged_rows", source, name, n_ragged)
    return _frame(header, [np.concatenate(pieces) for pieces in zip(*parts, strict=True)])


def _frame(names: Sequence[str], columns: Sequence[Any]) -> pd.DataFrame:
    """Return columns under their names, which may repeat: that is reported with everything else."""
    return pd.DataFrame(dict(enumerate(columns))).set_axis([str(name).strip() for name in names], axis=1)


def _decode(content: bytes, source: TableSource, name: str) -> str:
    """Return the text of a file: as declared, else by its mark, else UTF-8, else Windows-1252."""
    candidates = [source.encoding] if source.encoding else ["utf-8-sig", "cp1252"]
    if content.startswith(_UTF16_MARKS) and not source.encoding:
        candidates = ["utf-16"]
    text: str | None = None
    for encoding in candidates:
        try:
            text = content.decode(encoding).removeprefix("\ufeff")
            break
        except ValueError:  # UnicodeError is one of them.
            continue
    if text is None:
        raise _file_error("encoding", source, name, encoding=source.encoding or "UTF-8 or Windows-1252")
    if "\0" in text:
        raise _file_error("not_text", source, name)
    return text


def _delimiter(text: str, known: AbstractSet[str], source: TableSource, name: str) -> str:
    """Return the delimiter under which the first line holds most known column names, and then most cells.

    Where no delimiter gives two cells, the table has one column and any delimiter will do.
    """
    beginning = text[:_LONGEST_HEADER]
    found: dict[str, tuple[int, int]] = {}
    for delimiter in _DELIMITERS:
        reader = csv.reader(io.StringIO(beginning, newline=""), delimiter=delimiter, strict=True)
        try:
            header = next((row for row in reader if row), [])
        except csv.Error:
            continue
        found[delimiter] = (sum(cell.strip() in known for cell in header), len(header))
    best = max(found.values(), default=(0, 1))
    chosen = [delimiter for delimiter, score in found.items() if score == best]
    if best[1] > 1 and len(chosen) > 1:
        raise _file_error("unclear_delimiter", source, name)
    return chosen[0] if chosen else ","


def _read_parquet(file: Path, source: TableSource, name: str) -> pd.DataFrame:
    import duckdb  # Only those who use Parquet wait for it.

    _content(file, source, name, limit=4)
    if set(str(file)) & set("*?[]{}"):
        raise _file_error("pattern_in_path", source, name)
    described: list[Any] = []
    columns: dict[str, Any] = {}
    damaged = False
    offline: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    query, values = "FROM read_parquet($file, hive_partitioning = false)", {"file": str(file)}
    try:
        with duckdb.connect(config=offline) as connection:
            described = connection.execute(f"DESCRIBE {query}", values).fetchall()
            chosen = ", ".join(f"{_selected(row[0], row[1])} AS c{index}" for index, row in enumerate(described))
            columns = connection.execute(f"SELECT {chosen} {query}", values).fetchnumpy()
    except (duckdb.Error, ValueError):
        damaged = True
    if damaged:
        raise _file_error("damaged_file", source, name, kind="Parquet")
    cells = [_typed(columns[f"c{index}"], supported=_is_supported(row[1])) for index, row in enumerate(described)]
    return _frame([row[0] for row in described], cells)


def _is_supported(kind: str) -> bool:
    """Tell whether a column type of DuckDB is text, a number, yes/no, a date or a time without zone."""
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
        return False
    plain = kind.removeprefix("U").startswith(_NUMBER_TYPES) or kind in ("BOOLEAN", "VARCHAR", "DATE", "UUID")
    return plain or kind.startswith("ENUM") or (kind.startswith("TIMESTAMP") and "ZONE" not in kind)


def _selected(column: str, kind: str) -> str:
    """Return the SQL that reads a column in full; of an unsupported type, only where it has values."""
    quoted = '"' + column.replace('"', '""') + '"'
    if not _is_supported(kind):
        return f"({quoted} IS NOT NULL)"
    if kind.startswith(("ENUM", "UUID")):
        return f"CAST({quoted} AS VARCHAR)"
    return f"CAST({quoted} AS DOUBLE)" if kind.startswith(("FLOAT", "DECIMAL", "HUGEINT", "UHUGEINT")) else quoted


def _typed(values: Any, *, supported: bool) -> Any:
    """Return a column from DuckDB as pandas holds it, with its missing values; unsupported cells as unreadable ones."""
    data, missing = np.ma.getdata(values), np.ma.getmaskarray(values)
    if not supported:
        return [... if present else None for present in data]
    if data.dtype.kind in "iu":
        return pd.arrays.IntegerArray(data.copy(), missing.copy())
    if data.dtype.kind == "b":
        return pd.arrays.BooleanArray(data.copy(), missing.copy())
    return pd.Series(data).mask(missing)


def _read_excel(file: Path, source: TableSource, name: str) -> pd.DataFrame:
    content = _content(file, source, name)
    rows = _sheet_rows(content, source, name, results=True)
    width = max((len(row) for row in rows), default=0)
    cells = np.full((len(rows), width), None, dtype=object)
    for index, row in enumerate(rows):
        cells[index, : len(row)] = row
    blank = pd.isna(cells)
    if blank.any():
        formulas = _sheet_rows(content, source, name, results=False)
        behind = (zip(*pair, strict=False) for pair in zip(blank, formulas, strict=False))
        n_uncalculated = sum(any(empty and formula is not None for empty, formula in row) for row in behind)
        if n_uncalculated:
            raise _file_error("uncalculated_formula", source, name, n_uncalculated)
    if blank.all():
        raise _file_error("empty_sheet", source, name)
    cells = cells[~blank.all(axis=1)][:, ~blank.all(axis=0)]
    header = ["" if cell is None else str(cell) for cell in cells[0]]
    return _frame(header, [cells[1:, index] for index in range(cells.shape[1])])


def _sheet_rows(content: bytes, source: TableSource, name: str, *, results: bool) -> list[tuple[Any, ...]]:
    """Return the rows of the sheet: results as last calculated, or the formulas behind them."""
    import openpyxl  # Only those who use Excel wait for it.

    rows: list[tuple[Any, ...]] | None = None
    n_sheets = 0
    try:
        with warnings.catch_warnings(action="ignore"):  # One of them quotes the cell.
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=results, keep_links=False)
            sheets = {sheet.title: sheet for sheet in book.worksheets}
            n_sheets = len(sheets)
            wanted = source.sheet if source.sheet is not None else next(iter(sheets)) if n_sheets == 1 else None
            if wanted in sheets:
                sheets[wanted].reset_dimensions()  # Some programs write a wrong size: the rest would not be read.
                rows = list(sheets[wanted].iter_rows(values_only=True))
    except Exception:  # noqa: BLE001 - damage shows in zip, XML and openpyxl alike, and their words may hold a value
        rows, n_sheets = None, 0
    if n_sheets == 0:
        raise _file_error("damaged_file", source, name, kind="Excel")
    if rows is None:
        words = f"{n_sheets} sheets" if source.sheet is None else f"no sheet «{source.sheet}»"
        raise _file_error("unclear_sheet", source, name, sheets=words)
    return rows
