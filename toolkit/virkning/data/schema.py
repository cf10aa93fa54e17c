"""One table, described once: what each column holds, in which unit, under which rules.

The file in ``data_schemas/`` is the only source: checks, empty template, codebook and synthetic data all come from it.
Key names in the files are those of Frictionless Table Schema, with ``unit``, ``role`` and ``disclosure`` added.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pandas as pd
from pydantic import BeforeValidator, ConfigDict, model_validator
from pydantic import Field as Attribute
from pydantic.alias_generators import to_camel

from ..disclosure import Column, Table
from ..errors import ProgrammeError, UsageError, did_you_mean
from ..resources import folder
from ..specification import Document, Specification, validate

if TYPE_CHECKING:
    import pandera.pandas as pandera

FieldType = Literal["string", "integer", "number", "boolean", "date", "year"]
Role = (
    Literal["identifier", "treatment", "period", "measure", "value", "covariate", "outcome"]
    | Literal["stratum", "cluster", "weight", "other"]
)
DisclosureClass = Literal["identifier", "quasi", "sensitive", "open"]
Value = bool | int | float | dt.date | str

_BOUNDED = {"integer", "number", "date", "year"}
_FORBIDDEN_RULES: dict[str, set[str]] = {
    "string": {"minimum", "maximum"},
    "boolean": {"minimum", "maximum", "enum", "pattern", "min_length", "max_length"},
    **{kind: {"pattern", "min_length", "max_length"} for kind in _BOUNDED},
}


def _as_tuple(value: Any) -> Any:
    """Return one name as a tuple; Table Schema allows both forms."""
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


class _Described(Specification):
    """Part of a schema: Table Schema's own camelCase keys in files, Python names in code."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


class Constraints(_Described):
    """What the values of one column must satisfy."""

    required: bool = False
    """Every row has a value."""
    unique: bool = False
    """No value stands twice."""
    minimum: Value | None = None
    """Smallest value allowed."""
    maximum: Value | None = None
    """Largest value allowed."""
    enum: Annotated[tuple[Value, ...], Attribute(min_length=1)] | None = None
    """The only values allowed."""
    pattern: str | None = None
    """Regular expression that the whole text must match."""
    min_length: int | None = Attribute(default=None, ge=0)
    """Fewest characters."""
    max_length: int | None = Attribute(default=None, ge=0)
    """Most characters."""


class Field(_Described):
    """One column of a table: a field of Table Schema with a unit, a role and a disclosure class."""

    name: str = Attribute(pattern=r"^\S(.*\S)?$", max_length=64)
    """The column's name in the file; numbers carry their unit (``earnings_usd``), booleans start with is_ or has_."""
    type: FieldType
    """What the column holds."""
    title: str = Attribute(min_length=1)
    """What a reader sees instead of the name."""
    description: str = ""
    """How it was measured, and when."""
    unit: str = ""
    """Unit of one value, such as USD, years or share; required for numbers and integers."""
    format: str = "default"
    """For dates only: how they are written, such as %d-%m-%Y; by default YYYY-MM-DD."""
    true_values: tuple[str, ...] = ("true", "True", "TRUE", "1")
    """For booleans: the texts that mean yes."""
    false_values: tuple[str, ...] = ("false", "False", "FALSE", "0")
    """For booleans: the texts that mean no."""
    missing_values: tuple[str, ...] | None = None
    """The texts that mean that no value is known; by default those of the table."""
    constraints: Constraints = Constraints()
    """What the values must satisfy."""
    role: Role = "other"
    """What the column is for; a covariate is measured before assignment, an outcome after it."""
    disclosure: DisclosureClass = "sensitive"
    """How far the column could tell who somebody is, or tell something about somebody."""

    @model_validator(mode="after")
    def _fits(self) -> Field:
        if self.type in ("number", "integer") and not self.unit.strip():
            raise ValueError(f"the column «{self.name}» holds numbers and needs a unit, such as USD, years or share")
        if self.type != "date" and self.format != "default":
            raise ValueError(f"the column «{self.name}» is not a date, so it has no format")
        if set(self.true_values) & set(self.false_values):
            raise ValueError(f"a text of the column «{self.name}» means both yes and no")
        self._check_constraints()
        return self

    def _check_constraints(self) -> None:
        """Refuse a rule that the type cannot have, or that no value could satisfy."""
        rules = self.constraints
        given = {name for name in Constraints.model_fields if getattr(rules, name) is not None}
        for name in sorted(given & _FORBIDDEN_RULES[self.type]):
            raise ValueError(f"the column «{self.name}» of type {self.type} cannot have the rule «{to_camel(name)}»")
        bounds = [self.typed(bound) for bound in (rules.minimum, rules.maximum) if bound is not None]
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise ValueError(f"the column «{self.name}» has a minimum above its maximum")
        if rules.min_length is not None and rules.max_length is not None and rules.min_length > rules.max_length:
            raise ValueError(f"the column «{self.name}» has a minLength above its maxLength")
        for value in rules.enum or ():
            self.typed(value)
        if rules.pattern is not None:
            try:
                re.compile(rules.pattern)
            except re.error:
                raise ValueError(f"the pattern of the column «{self.name}» is not a regular expression") from None

    def typed(self, value: Value) -> Any:
        """Return a value that stands in the schema in the type of the column.

        Raises
        ------
        ValueError
            It has another type, such as the number 301 among the values of a text column.
        """
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if self.type == "string" and isinstance(value, str):
            return value
        if self.type == "number" and number:
            return float(value)  # type: ignore[arg-type]
        if self.type in ("integer", "year") and number and value == int(value):  # type: ignore[arg-type]
            return int(value)  # type: ignore[arg-type]
        if self.type == "date":
            try:
                return pd.Timestamp(value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value)))
            except ValueError:
                pass
        hint = "; put text in quotation marks" if self.type == "string" else ""
        raise ValueError(f"a value in the rules of the column «{self.name}» is not of type {self.type}{hint}")


class Reference(_Described):
    """Where a foreign key points."""

    resource: str
    """Name of the other table."""
    fields: Names
    """Its columns."""


class ForeignKey(_Described):
    """Columns whose values must exist in another table."""

    fields: Names
    """Columns of this table."""
    reference: Reference
    """Columns of the other table, in the same order."""


class TableSchema(_Described):
    """Everything that is known in advance about one table."""

    name: str
    """Name of the table."""
    title: str = ""
    """What a reader sees instead of the name."""
    description: str = ""
    """What one row is."""
    fields: tuple[Field, ...] = Attribute(min_length=1)
    """The columns. A file has exactly these, in any order."""
    missing_values: tuple[str, ...] = ("",)
    """The texts that mean that no value is known."""
    primary_key: Names = ()
    """Columns that together name a row; never missing, never repeated."""
    foreign_keys: tuple[ForeignKey, ...] = ()
    """Columns whose values must exist in another table."""

    @model_validator(mode="after")
    def _fits(self) -> TableSchema:
        names = self.names
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the column «{name}» is described twice")
        for key in (self.primary_key, *(foreign.fields for foreign in self.foreign_keys)):
            for name in key:
                if name not in names:
                    raise ValueError(f"the key column «{name}» is not among the columns")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field:
        """Return one column's description; KeyError when there is none."""
        return {field.name: field for field in self.fields}[name]

    def is_required(self, field: Field) -> bool:
        """Tell whether every row must have a value in the column."""
        return field.constraints.required or field.name in self.primary_key

    def missing(self, field: Field) -> frozenset[str]:
        """Return the texts that mean «no value» in a column; an empty cell always does."""
        return frozenset(self.missing_values if field.missing_values is None else field.missing_values) | {""}


@cache
def _standard(name: str) -> TableSchema:
    """Return a shipped schema."""
    file = folder("data_schemas") / f"{name}.json"
    known = [path.stem for path in file.parent.glob("*.json")]
    if name not in known:
        raise UsageError("usage.unknown_table", f"There is no table «{name}».", do=did_you_mean(name, known))
    values = json.loads(file.read_text(encoding="utf-8"))
    return validate(Document(f"data_schemas/{name}.json", values, {}), TableSchema)


def load_schema(name: str, fields: Iterable[Field] = ()) -> TableSchema:
    """Return a table's schema with a programme's own columns added.

    Parameters
    ----------
    name : str
        ``participants`` or ``outcomes``: a file in ``data_schemas/``.
    fields : iterable of Field
        The programme's own columns.

    Raises
    ------
    UsageError
        There is no such table.
    ProgrammeError
        A programme describes a column twice, or describes a standard column anew.
    """
    schema = _standard(name)
    own = tuple(fields)
    seen = set(schema.names)
    for field in own:
        if field.name in seen:
            standard = field.name in schema.names
            raise ProgrammeError(
                "programme.field_redefined",
                f"The column «{field.name}» is described {'by the standard already' if standard else 'twice'}.",
                where=f"data.{name}.fields",
                why="Every programme's standard columns mean the same; two descriptions of one column could differ.",
                do="Remove it there, or give the column another name." if standard else "Remove one of them.",
            )
        seen.add(field.name)
    return schema.model_copy(update={"fields": (*schema.fields, *own)})


def template_csv(schema: TableSchema) -> str:
    """Return an empty table as CSV text: the line with the column names."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(schema.names)
    return text.getvalue()


def dtype(field: Field, *, required: bool) -> str:
    """Return the pandas type of a column: depends on the schema only, never on the data.

    Whole numbers and booleans that may be missing use pandas' nullable types.
    """
    if field.type in ("integer", "year"):
        return "int64" if required else "Int64"
    if field.type == "boolean":
        return "bool" if required else "boolean"
    return {"string": "str", "number": "float64", "date": "datetime64[s]"}[field.type]


def compile_schema(schema: TableSchema) -> pandera.DataFrameSchema:
    """Return the pandera schema that checks a typed frame: exactly these columns, in any order.

    The error text of each check is the rule in words. Errors that pandera itself raises print values of persons; use
    :func:`virkning.data.validation.conform`, which counts rows instead.
    """
    import pandera.pandas as pandera  # Takes a second, which most commands need not wait for.

    columns = {
        field.name: pandera.Column(
            dtype(field, required=schema.is_required(field)),
            checks=_checks(field),
            nullable=not schema.is_required(field),
            unique=field.constraints.unique and schema.primary_key != (field.name,),
        )
        for field in schema.fields
    }
    keys = list(schema.primary_key)
    rule = f"more than one row with the same {', '.join(keys)}"
    key_check = pandera.Check(
        lambda frame: ~frame.duplicated(keys, keep=False) | frame[keys].isna().any(axis=1), error=rule, ignore_na=False
    )
    return pandera.DataFrameSchema(columns, checks=[key_check] if keys else [], strict=True, name=schema.name)


def _checks(field: Field) -> list[pandera.Check]:
    """Return the checks of one column; missing values are let through, since another rule decides about them."""
    import pandera.pandas as pandera

    rules, check = field.constraints, pandera.Check
    checks: list[pandera.Check] = []
    if rules.minimum is not None:
        checks.append(check.ge(field.typed(rules.minimum), error=f"below the minimum {rules.minimum}"))
    if rules.maximum is not None:
        checks.append(check.le(field.typed(rules.maximum), error=f"above the maximum {rules.maximum}"))
    if rules.enum is not None:
        checks.append(check.isin([field.typed(value) for value in rules.enum], error="not among the allowed values"))
    if rules.pattern is not None:
        whole = re.compile(rules.pattern)
        checks.append(check(lambda texts: texts.map(whole.fullmatch).notna(), error="does not match the pattern"))
    if rules.min_length is not None:
        shortest = rules.min_length
        checks.append(check(lambda texts: texts.str.len() >= shortest, error=f"shorter than {shortest} characters"))
    if rules.max_length is not None:
        longest = rules.max_length
        checks.append(check(lambda texts: texts.str.len() <= longest, error=f"longer than {longest} characters"))
    return checks


def codebook(schema: TableSchema, frame: pd.DataFrame | None = None) -> Table:
    """Return the codebook of a table: one line per column, from the schema alone.

    Parameters
    ----------
    schema : TableSchema
    frame : DataFrame, optional
        The typed table, such as ``tables.participants``. Adds how many persons lack a value in each column (with
        several rows per person: in at least one). With those who lack none they add up to all persons, so that clearing
        the table hides both numbers when one of them is small.

    Returns
    -------
    disclosure.Table
        To be cleared before it is printed. No value of any person is in it, only counts of persons.
    """
    copied = ("title", "type", "unit", "description")
    rows = pd.DataFrame({name: [getattr(field, name) for field in schema.fields] for name in ("name", *copied)})
    rows["allowed"] = [_allowed(field, schema) for field in schema.fields]
    rows["disclosure"] = [field.disclosure for field in schema.fields]
    labels = ("Column", "Title", "Type", "Unit", "Description", "Allowed values", "Disclosure class")
    columns = tuple(Column(name, label) for name, label in zip(rows.columns, labels, strict=True))
    title = f"Codebook: {(schema.title or schema.name).lower()}"
    if frame is None:
        return Table(f"codebook_{schema.name}", title, columns, rows)
    lacking, n_persons = _persons_lacking(schema, frame)
    rows["n_missing"] = lacking
    rows["n_complete"] = [n_persons - n for n in lacking]
    counts = (Column("n_missing", "Persons without a value", "count"), Column("n_complete", "Persons with", "count"))
    return Table(f"codebook_{schema.name}", title, columns + counts, rows, sums_across=(("n_missing", "n_complete"),))


def _persons_lacking(schema: TableSchema, frame: pd.DataFrame) -> tuple[list[int], int]:
    """Return, per column, how many persons lack a value somewhere, and how many persons there are."""
    person = next((field.name for field in schema.fields if field.role == "identifier"), None)
    persons = frame[person] if person else pd.Series(range(len(frame)), index=frame.index)
    return [int(persons[frame[name].isna()].nunique()) for name in schema.names], int(persons.nunique())


def _allowed(field: Field, schema: TableSchema) -> str:
    """Return what a column may hold, in words."""
    rules = field.constraints
    parts = [] if rules.enum is None else [", ".join(str(value) for value in rules.enum)]
    if rules.minimum is not None and rules.maximum is not None:
        parts.append(f"{rules.minimum} to {rules.maximum}")
    words: dict[str, Value | None] = {
        "at least {}": rules.minimum if rules.maximum is None else None,
        "at most {}": rules.maximum if rules.minimum is None else None,
        "true or false": True if field.type == "boolean" else None,
        "pattern {}": rules.pattern,
        "at least {} characters": rules.min_length,
        "at most {} characters": rules.max_length,
        "each value once": rules.unique or None,
    }
    parts += [text.format(value) for text, value in words.items() if value is not None]
    parts.append("never missing" if schema.is_required(field) else "may be missing")
    return "; ".join(parts)
