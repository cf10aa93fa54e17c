"""All runs as one tidy table: parameters beside answers, cleared of small groups, as CSV and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from ..disclosure import Column, DisclosureRule, Table, clear
from ..provenance import write_atomically
from .answers import COLUMNS
from .definition import Sweep
from .single_run import FINISHED, Result

MISSING = "not run"
_COUNTS = ("n_treated", "n_comparison", "n_persons")
_NUMBERS = ("value", "std_error", "lower", "upper", "p_value")
_TYPES = (
    dict.fromkeys(COLUMNS, "str") | dict.fromkeys((*_NUMBERS, "level"), "float64") | dict.fromkeys(_COUNTS, "Int64")
)
_TYPES |= {"is_headline": "bool"}


def parameter_column(path: str) -> str:
    """Return the column of a parameter: its path, unless an answer has that name already.

    >>> parameter_column("design.confidence"), parameter_column("period")
    ('design.confidence', 'parameter.period')
    """
    return f"parameter.{path}" if path in {*COLUMNS, "run", "status", "is_hidden"} else path


def tidy(sweep: Sweep, results: Iterable[Result | None]) -> pd.DataFrame:
    """Return the table: a row for each answer of each run; a run without answers has one row with its reason.

    Parameters
    ----------
    sweep : Sweep
        What was run.
    results : iterable of dict or None
        Each run's result, in the order of the runs.

    Returns
    -------
    DataFrame
        ``run``, ``status``, a column for each parameter, and ``COLUMNS``; numbers that rest on fewer persons than the
        programme's threshold are left out, and ``is_hidden`` says so. It does not depend on the order of execution.
    """
    rows: list[dict[str, Any]] = []
    for job, values, result in zip(sweep.jobs, sweep.values, results, strict=True):
        status = MISSING if result is None else str(result["status"])
        head = {"run": job.number, "status": status, **{parameter_column(path): values[path] for path in sweep.paths}}
        answers = result["rows"] if result is not None and status == FINISHED else []
        reason = "" if result is None or not result.get("error") else str(result["error"]["what"])
        rows += [head | answer for answer in answers] or [head | {"reason": reason}]
    frame = pd.DataFrame(rows).reindex(columns=["run", "status", *map(parameter_column, sweep.paths), *COLUMNS])
    frame["is_headline"] = frame["is_headline"].eq(True)
    texts = [column for column, kind in _TYPES.items() if kind == "str"]
    frame[texts] = frame[texts].astype(object).where(frame[texts].notna(), "")
    frame = frame.astype(_TYPES)
    for path in sweep.paths:
        frame[parameter_column(path)] = _typed(frame[parameter_column(path)].tolist())
    return _cleared(frame, sweep.programme.disclosure)


def _typed(values: Sequence[Any]) -> pd.Series:
    """Return a parameter's values as one type: numbers, yes or no, or text; lists and mappings as JSON."""
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, bool) for value in present):
        return pd.Series(values, dtype="boolean")
    if present and all(isinstance(value, int) and not isinstance(value, bool) for value in present):
        return pd.Series(values, dtype="Int64")
    if present and all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return pd.Series(values, dtype="float64")
    texts = [
        value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False) for value in values
    ]
    return pd.Series(["" if text is None else text for text in texts], dtype="str")


def _cleared(frame: pd.DataFrame, rule: DisclosureRule) -> pd.DataFrame:
    """Return the table without numbers that rest on too few persons: it is made to be sent to others."""
    columns = [Column(name, name, "number", persons="n_persons") for name in _NUMBERS]
    columns += [Column(name, name, "count") for name in _COUNTS]
    shown = frame.assign(**{name: frame[name].astype("float64") for name in _COUNTS})
    cleared = clear(Table("sweep", "All runs", tuple(columns), shown), rule)
    found = frame.copy()
    for name in (*_NUMBERS, *_COUNTS):
        found[name] = found[name].mask(cleared.hidden[name].to_numpy(bool))
    return found.assign(is_hidden=cleared.hidden.any(axis="columns").to_numpy(bool))


def to_csv(frame: pd.DataFrame) -> str:
    """Return the table as CSV text, every number with all its digits.

    Parameters
    ----------
    frame : DataFrame
        As :func:`tidy` returns it.
    """
    texts = {
        # A spreadsheet would run such a text as a formula.
        name: frame[name].mask(frame[name].str[:1].isin(["=", "+", "@"]), "'" + frame[name])
        for name in frame.columns
        if frame[name].dtype == "str"
    }
    return str(frame.assign(**texts).to_csv(index=False, lineterminator="\n"))


def write_parquet(frame: pd.DataFrame, file: Path) -> None:
    """Write the table as Parquet.

    Parameters
    ----------
    frame : DataFrame
        As :func:`tidy` returns it.
    file : Path
        Replaced whole.

    Raises
    ------
    VirkningError
        The disk is full or the folder cannot be written.
    """
    import duckdb

    with TemporaryDirectory() as place, duckdb.connect(config={"threads": 1}) as connection:
        made = Path(place) / "table.parquet"
        connection.register("runs", frame)
        connection.execute("COPY (SELECT * FROM runs) TO ? (FORMAT PARQUET)", [str(made)])
        write_atomically(file, made.read_bytes())


def read_parquet(file: Path) -> pd.DataFrame:
    """Return a table that :func:`write_parquet` wrote, in its order.

    Parameters
    ----------
    file : Path
        The table.
    """
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        return connection.execute("SELECT * FROM read_parquet(?)", [str(file)]).df()


def failures(results: Iterable[Result | None]) -> tuple[Mapping[str, Any], ...]:
    """Return the runs that failed, each with its number and its error.

    Parameters
    ----------
    results : iterable of dict or None
        Each run's result.
    """
    return tuple(
        {"run": result["number"], **result["error"]} for result in results if result and result["status"] != FINISHED
    )
