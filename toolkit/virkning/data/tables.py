"""The data of a programme: validated, typed and frozen. Nothing later in the way reads a file again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

import numpy as np
import pandas as pd

from ..errors import DataError, Problem, ProgrammeError, did_you_mean
from ..estimand import Outcome
from ..provenance import checksum, frame_checksum
from ..specification import Specification
from .keys import Keys, Places, Values
from .read import TableSource, broken_rules, displayed, read_cells
from .schema import TableSchema, load_schema
from .validation import ABSENT, conform


class DataSpecification(Specification):
    """The tables of a programme, under ``data`` in ``programme.yml``."""

    participants: TableSource
    """One row per person."""
    outcomes: TableSource
    """One row per person, period and measure."""
    source: str
    """Where the data come from: who collected them, when, and where they are kept."""
    license: str
    """Under which terms they may be used."""


class HasData(Protocol):
    """What :func:`read_data` needs of a programme."""

    @property
    def name(self) -> str:
        """How messages call the programme."""

    @property
    def folder(self) -> Path:
        """The programme's folder."""

    @property
    def data(self) -> DataSpecification:
        """Where the tables are."""

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """The declared measures."""


_VALIDATED = object()


class Tables:
    """Validated tables of one programme: made by :func:`read_data` or :meth:`Tables.of` only, and never changed.

    The frames that the properties return are copies; writing into them changes nothing here.
    """

    __slots__ = ("_checksum", "_keys", "_measures", "_outcomes", "_participants", "_schemas", "_values")
    _participants: pd.DataFrame
    _outcomes: pd.DataFrame
    _measures: Mapping[str, Outcome]
    _schemas: Mapping[str, TableSchema]
    _checksum: str
    _keys: Keys
    _values: dict[str, Values]

    def __init__(
        self,
        frames: Mapping[str, pd.DataFrame],
        measures: Mapping[str, Outcome],
        schemas: Mapping[str, TableSchema],
        token: object = None,
    ) -> None:
        if token is not _VALIDATED:
            raise DataError(
                "data.not_validated",
                "Tables were made from data that nobody has checked.",
                why="Everything that follows relies on the rules of the schema.",
                do="Use vk.read_data(programme), or Tables.of(participants, outcomes, measures, schemas).",
            )
        ordered = dict(sorted(measures.items(), key=lambda item: not item[1].primary))
        values: tuple[object, ...] = (
            frames["participants"],
            frames["outcomes"],
            MappingProxyType(ordered),
            MappingProxyType(dict(schemas)),
            checksum(*(frame_checksum(frames[name]) for name in ("participants", "outcomes"))),
            Keys.of(frames["participants"], frames["outcomes"]),
            {},
        )
        slots = ("_participants", "_outcomes", "_measures", "_schemas", "_checksum", "_keys", "_values")
        for slot, value in zip(slots, values, strict=True):
            object.__setattr__(self, slot, value)

    @classmethod
    def of(
        cls,
        participants: pd.DataFrame,
        outcomes: pd.DataFrame,
        measures: Mapping[str, Outcome],
        schemas: Mapping[str, TableSchema] | None = None,
    ) -> Tables:
        """Return tables from frames in memory, under the same rules as tables from files.

        Parameters
        ----------
        participants : DataFrame
            One row per person.
        outcomes : DataFrame
            One row per person, period and measure.
        measures : mapping of str to Outcome
            The declared outcomes, by measure.
        schemas : mapping of str to TableSchema, optional
            Of ``participants`` and ``outcomes``; by default the standard ones without own columns.

        Raises
        ------
        DataError
            The frames break rules: all of them are listed.
        """
        raw = {"participants": participants, "outcomes": outcomes}
        all_schemas = {name: (schemas or {}).get(name) or load_schema(name) for name in raw}
        readers = {name: partial(conform, frame, all_schemas[name], name) for name, frame in raw.items()}
        return _validated(readers, measures, all_schemas, "tables in memory")

    @property
    def participants(self) -> pd.DataFrame:
        """One row per person, in the order of the file: the standard columns and the programme's own."""
        return self._participants.copy(deep=False)

    @property
    def outcomes(self) -> pd.DataFrame:
        """One row per person, period and measure, with its ``value`` in the unit of the measure."""
        return self._outcomes.copy(deep=False)

    @property
    def measures(self) -> Mapping[str, Outcome]:
        """The declared outcomes by measure, the primary one first."""
        return self._measures

    @property
    def schemas(self) -> Mapping[str, TableSchema]:
        """The schema of each table, with the programme's own columns."""
        return self._schemas

    @property
    def checksum(self) -> str:
        """SHA-256 of the typed content, rows in their order; 64 hex digits.

        The same values give the same checksum whether they stood in CSV, Parquet or Excel. The order of rows counts,
        since a result that draws random numbers depends on it.
        """
        return self._checksum

    def analysis(self, measure: str) -> pd.DataFrame:
        """Return one row per person with the outcome at the period that the measure declares.

        Parameters
        ----------
        measure : str
            A declared measure.

        Returns
        -------
        DataFrame
            The columns and rows of ``participants``, and ``value`` in the unit of the measure: NaN where there is none.

        Raises
        ------
        DataError
            The measure is not declared.
        """
        return self._participants.assign(value=self.values_of(measure))

    def values_of(self, measure: str) -> Values:
        """Return the outcome at its own period, in the order of ``participants``; NaN where there is none, read-only.

        Parameters
        ----------
        measure : str
            A declared measure.

        Raises
        ------
        DataError
            The measure is not declared.
        """
        if measure not in self._measures:
            raise DataError(
                "data.unknown_measure",
                f"There is no measure «{measure}».",
                where="outcomes",
                do=did_you_mean(measure, self._measures),
            )
        if measure not in self._values:
            person, _, value = self.known_values(measure, (self._measures[measure].period,))
            values = np.full(len(self._participants), np.nan)
            values[person] = value
            values.setflags(write=False)
            self._values[measure] = values
        return self._values[measure]

    def known_values(self, measure: str, periods: Sequence[str]) -> tuple[Places, Places, Values]:
        """Return the outcomes that are known in some periods, by numbers instead of names.

        Looking up the names of a million rows takes longer than most estimates, so it is done once, when the tables are
        made.

        Parameters
        ----------
        measure : str
            A declared measure.
        periods : sequence of str
            As they stand in the outcomes table; one that is not there has no rows.

        Returns
        -------
        person : ndarray of int, shape (n,)
            Row of ``participants``; rows are sorted by it, then by period.
        period : ndarray of int, shape (n,)
            Place in ``periods``.
        value : ndarray, shape (n,)
            In the unit of the measure.
        """
        return self._keys.known(measure, periods, self._outcomes["value"].to_numpy(np.float64))

    def periods_of(self, measure: str | None = None, *, needs_value: bool = True) -> tuple[str, ...]:
        """Return the periods that an outcome has in the data, in the order of the file.

        Parameters
        ----------
        measure : str, optional
            A declared measure; by default all of them.
        needs_value : bool
            Leave out a period in which no value is known.
        """
        return self._keys.periods_of(measure, self._outcomes["value"].to_numpy(np.float64) if needs_value else None)

    def __repr__(self) -> str:
        n_persons, n_rows = len(self._participants), len(self._outcomes)
        return f"Tables({n_persons} participants, {n_rows} rows of outcomes, measures: {', '.join(self._measures)})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("Tables cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("Tables cannot be changed")

    def __reduce__(self) -> tuple[Callable[..., Tables], tuple[Any, ...]]:
        """Pickle as what goes in, so that a copy in another process is validated too."""
        return Tables.of, (self._participants, self._outcomes, dict(self._measures), dict(self._schemas))


def read_data(programme: HasData) -> Tables:
    """Read all tables of a programme, and check them alone and against each other.

    Parameters
    ----------
    programme : HasData
        Anything with ``name``, ``folder``, ``data`` (:class:`DataSpecification`) and ``outcomes``.

    Raises
    ------
    DataError
        Files cannot be read or break rules: everything that is wrong in any table is listed, with numbers of rows and
        never a value.
    ProgrammeError
        The programme describes a column that the standard describes already.
    """
    sources = {"participants": programme.data.participants, "outcomes": programme.data.outcomes}
    schemas = {name: load_schema(name, source.fields) for name, source in sources.items()}

    def reader(name: str) -> tuple[pd.DataFrame, list[Problem]]:
        source, schema = sources[name], schemas[name]
        return conform(read_cells(programme.folder, source, schema, name), schema, name, source.decimal)

    readers = {name: partial(reader, name) for name in sources}
    where = ", ".join(displayed(source.path) for source in sources.values())
    return _validated(readers, programme.outcomes, schemas, f"programme {programme.name}: {where}")


def _validated(
    readers: Mapping[str, Callable[[], tuple[pd.DataFrame, list[Problem]]]],
    measures: Mapping[str, Outcome],
    schemas: Mapping[str, TableSchema],
    where: str,
) -> Tables:
    """Return tables when nothing is wrong with any of them; otherwise raise everything that is, at once."""
    _refuse_clash(schemas["participants"])
    frames: dict[str, pd.DataFrame] = {}
    problems: list[Problem] = []
    unread: list[DataError] = []
    for name, read in readers.items():
        try:
            frames[name], found = read()
        except DataError as error:
            unread.append(error)
            found = list(error.problems) or [Problem(name, "", error.what.rstrip("."), 0)]
        problems += found
    if len(unread) == 1 and all(problem.table not in frames for problem in problems):
        raise unread[0]  # Nothing else is wrong, and its own advice is the best.
    reliable = _reliable(frames, problems)
    for name, frame in frames.items():
        if len(frame.columns):
            problems += _foreign_key_problems(frame, schemas[name], name, reliable)
    if "outcomes" in frames and len(frames["outcomes"]):
        problems += _measure_problems(frames["outcomes"], measures, problems)
    if problems:
        raise broken_rules(problems, where, "".join(f" {error.do}" for error in unread))
    return Tables(frames, measures, schemas, token=_VALIDATED)


def _refuse_clash(participants: TableSchema) -> None:
    """Refuse a column that would hide the outcome when the two tables are joined."""
    if "value" in participants.names:
        raise ProgrammeError(
            "programme.reserved_column",
            "A column of the participants cannot be called «value».",
            where="data.participants.fields",
            why="The outcome of each person has that name.",
            do="Give the column a name that says what it holds, with its unit.",
        )


def _reliable(frames: Mapping[str, pd.DataFrame], problems: Sequence[Problem]) -> dict[str, pd.DataFrame]:
    """Return the frames that others can be compared with: those with rows and with all columns."""
    broken = {problem.table for problem in problems if not problem.column or problem.rule == ABSENT}
    return {name: frame for name, frame in frames.items() if name not in broken}


def _foreign_key_problems(
    frame: pd.DataFrame, schema: TableSchema, table: str, others: Mapping[str, pd.DataFrame]
) -> list[Problem]:
    """Return how many rows name something that the other table does not have; both frames typed."""
    problems = []
    for key in schema.foreign_keys:
        other = others.get(key.reference.resource)
        if other is None:
            continue
        child = frame[list(key.fields)].dropna()
        parent = other[list(key.reference.fields)].dropna()
        known = pd.MultiIndex.from_frame(parent) if len(key.fields) > 1 else pd.Index(parent.iloc[:, 0])
        here = pd.MultiIndex.from_frame(child) if len(key.fields) > 1 else pd.Index(child.iloc[:, 0])
        n_unknown = int((~here.isin(known)).sum())
        if n_unknown:
            rule = f"no such {', '.join(key.reference.fields)} in {key.reference.resource}"
            problems.append(Problem(table, ", ".join(key.fields), rule, n_unknown))
    return problems


def _measure_problems(
    outcomes: pd.DataFrame, measures: Mapping[str, Outcome], known_problems: Sequence[Problem]
) -> list[Problem]:
    """Return how the outcomes differ from what the programme declares."""
    about = [problem for problem in known_problems if problem.table == "outcomes"]
    if any(problem.rule == ABSENT for problem in about):
        return []
    problems: list[Problem] = []
    named = outcomes["measure"].notna()
    n_undeclared = int((named & ~outcomes["measure"].isin(list(measures))).sum())
    if n_undeclared:
        rule = f"not one of the declared measures ({', '.join(measures)})"
        problems.append(Problem("outcomes", "measure", rule, n_undeclared))
    values_are_sound = all(problem.column != "value" for problem in about)
    for measure, outcome in measures.items():
        chosen = outcomes[outcomes["measure"] == measure]
        now = chosen.loc[chosen["period"] == outcome.period, "value"]
        if chosen.empty:
            problems.append(Problem("outcomes", "measure", f"no row of the declared measure «{measure}»", 0))
        elif now.empty or (values_are_sound and now.isna().all()):
            what = "row" if now.empty else "value"
            problems.append(
                Problem("outcomes", "period", f"no {what} of «{measure}» at its period «{outcome.period}»", 0)
            )
        problems += _value_problems(chosen["value"], measure, outcome)
    return problems


def _value_problems(values: pd.Series, measure: str, outcome: Outcome) -> list[Problem]:
    """Return the values that a share or a count cannot have."""
    rules: dict[str, pd.Series] = {}
    if outcome.kind == "share":
        rules[f"a share («{measure}») outside 0 to 1"] = (values < 0) | (values > 1)
    if outcome.kind == "count":
        rules[f"a count («{measure}») below 0"] = values < 0
        rules[f"a count («{measure}») that is not a whole number"] = values.notna() & (values % 1 != 0)
    return [Problem("outcomes", "value", rule, int(broken.sum())) for rule, broken in rules.items() if broken.any()]
