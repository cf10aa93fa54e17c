"""Typed YAML: one strict base class, a reader that remembers line numbers, and changes by dotted path.

Nothing is guessed from text: a changed value is read by the type of the field that it goes into, so that a municipality
code ``0301`` stays text and a price becomes a number.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, TypeAdapter, ValidationError

from .errors import ProgrammeError, UsageError, did_you_mean
from .fields import words_of_fields

Model = TypeVar("Model", bound="Specification")
Steps = tuple[str | int, ...]


class Specification(BaseModel):
    """Base of everything that can be written in ``programme.yml``: immutable, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, made: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the schema with what is written below each field."""
        schema = handler(made)
        shown = handler.resolve_ref_schema(schema).get("properties", {})
        for name, words in words_of_fields(cls).items():
            field = shown.get(cls.model_fields[name].alias or name)
            if field is not None:
                field.setdefault("description", words)
        return schema


@dataclass(frozen=True)
class Document:
    """The values of one YAML file and the line on which each of them stands."""

    file: str
    values: dict[str, Any]
    lines: Mapping[Steps, int]

    def where(self, steps: Steps) -> str:
        """Return «file, line n, path» for a path in the document, or for its nearest parent that has a line."""
        known = steps
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known)
        path = ".".join(str(step) for step in steps)
        return ", ".join(part for part in (self.file, f"line {line}" if line else "", path) if part)


# In C where the library was built with it: pure Python takes ten times as long, and every chapter reads the file.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _ExactLoader(_Loader):  # type: ignore[misc]
    """Keeps a number as it is written: a whole number, a decimal, or else the text, which then fits no number field.

    YAML itself would make 0.1 the nearest binary fraction, 010 the number 8 and 12:30 the number 750.
    """


def _exact_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | Decimal | str:
    text = node.value
    if re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", text):
        return int(text)
    return Decimal(text) if re.fullmatch(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+", text) else str(text)


for _tag in ("int", "float"):
    _ExactLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _exact_number)


def read_document(file: Path, name: str, *, exact: bool = False) -> Document:
    """Read a YAML file.

    Parameters
    ----------
    file : Path
        The file to read, UTF-8.
    name : str
        How messages call the file.
    exact : bool
        Keep numbers as they are written, as whole numbers and decimals, never as binary fractions: for money.

    Raises
    ------
    ProgrammeError
        The file cannot be read, is not YAML, repeats a key, or is not a mapping.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ProgrammeError(
            "programme.missing_file",
            f"There is no {file.name} in this folder.",
            where=name,
            why="A programme is a folder with a specification; without it nothing can be read.",
            do="Name a folder that has one, or start one with: virkning init FOLDER",
        ) from None
    except UnicodeDecodeError:
        raise ProgrammeError(
            "programme.encoding", "The file is not UTF-8 text.", where=name, do="Save it again as UTF-8."
        ) from None
    return _parsed(text, name, exact)


# A sweep reads the same files once for each of its runs, and parsing takes a hundred times as long as validating.
@lru_cache(maxsize=16)
def _parsed(text: str, name: str, exact: bool) -> Document:
    lines: dict[Steps, int] = {}
    try:
        _refuse_aliases(text, name)
        root = yaml.compose(text, Loader=_Loader)
        values = {} if root is None else _values(root, (), lines, name, _ExactLoader if exact else _Loader)
    except RecursionError:
        raise ProgrammeError(
            "programme.yaml_syntax",
            "The file is nested too deeply.",
            where=name,
            do="A specification has a handful of levels.",
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise ProgrammeError(
            "programme.yaml_syntax",
            f"The file is not valid YAML: {error.problem or 'unreadable'}.",
            where=f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name,
            why="Nothing after the mistake can be read with certainty.",
            do="Check indentation, colons and quotation marks on that line and the one before.",
        ) from None
    except yaml.YAMLError:
        raise ProgrammeError(
            "programme.yaml_syntax",
            "The file is not valid YAML text.",
            where=name,
            do="Save it again as plain UTF-8 text.",
        ) from None
    if not isinstance(values, dict):
        raise ProgrammeError(
            "programme.not_a_mapping",
            "The file is not a list of «key: value» lines.",
            where=name,
            do="Start each line with a key.",
        )
    return Document(name, values, lines)


def _refuse_aliases(text: str, name: str) -> None:
    """Refuse YAML's anchors and aliases: a few lines of them can grow to gigabytes, and a reader loses the thread."""
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise ProgrammeError(
                "programme.alias",
                "The file refers back to another place with «*».",
                where=f"{name}, line {event.start_mark.line + 1 if event.start_mark else '?'}",
                why="Each value must stand where it is used, so that it can be read, and changed for one run.",
                do="Write the value out; put text that begins with * in quotation marks.",
            )


def _values(node: yaml.Node, steps: Steps, lines: dict[Steps, int], name: str, loader: type[yaml.SafeLoader]) -> Any:
    """Return a node's value; note its line; refuse a repeated key, of which YAML would silently keep the last."""
    lines.setdefault(steps, node.start_mark.line + 1)
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        raise ProgrammeError(
            "programme.yaml_tag",
            "The file asks YAML to make something other than text, numbers, lists and mappings.",
            where=f"{name}, line {node.start_mark.line + 1}",
            do="Remove the «!» and what belongs to it.",
        )
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in result:
                raise ProgrammeError(
                    "programme.repeated_key",
                    f"The key «{key}» stands twice in the same block.",
                    where=f"{name}, line {line}",
                    why="YAML would silently use only the last one.",
                    do="Remove one of them.",
                )
            lines[(*steps, key)] = line
            result[key] = _values(value_node, (*steps, key), lines, name, loader)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_values(child, (*steps, index), lines, name, loader) for index, child in enumerate(node.value)]
    value = loader("").construct_object(node)
    # A date stays the text that was written: nothing here is a date, and it could not be written as JSON.
    return node.value if isinstance(value, date | bytes) else value


def validate(document: Document, model: type[Model]) -> Model:
    """Return the document as a typed, immutable specification.

    Raises
    ------
    ProgrammeError
        The first mistake as what and where (with its line), and how many more there are.
    """
    try:
        return model.model_validate(document.values)
    except ValidationError as error:
        problems = [_describe(detail, document, model) for detail in error.errors(include_url=False)]
    what, where, do = problems[0]
    more = [f"{other_where}: {other_what} {other_do}".rstrip() for other_what, other_where, other_do in problems[1:]]
    raise ProgrammeError(
        "programme.invalid",
        what + ("" if not more else "\n  also:  " + "\n         ".join(more)),
        where=where,
        why="A specification that is not understood in full would be run differently from what was meant.",
        do=do or "Correct the line; «virkning schema programme» prints what each key may hold.",
    )


def _describe(detail: Any, document: Document, model: type[Specification]) -> tuple[str, str, str]:
    """Return what, where and advice for one of pydantic's findings."""
    steps = tuple(step for step in detail["loc"] if not _is_union_tag(step, detail["loc"], document))
    where = document.where(steps)
    if detail["type"] == "extra_forbidden":
        siblings = _known_keys(model, steps[:-1], document.values)
        return f"Unknown key «{steps[-1]}».", where, did_you_mean(str(steps[-1]), siblings)
    if detail["type"] == "missing":
        return f"The key «{steps[-1]}» is missing.", document.where(steps), f"Add «{steps[-1]}:» there."
    message = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message[:1].upper() + message[1:] + ("" if message.endswith(".") else "."), where, ""


def _is_union_tag(step: str | int, loc: tuple[str | int, ...], document: Document) -> bool:
    """Tell whether a step in pydantic's location is the tag of a union, which does not stand in the file."""
    if not isinstance(step, str):
        return False
    value: Any = document.values
    for earlier in loc[: loc.index(step)]:
        known = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
        if earlier in known:
            value = value[earlier]
    return isinstance(value, dict) and step not in value and value.get("type") == step


def _known_keys(model: type[Specification], steps: Steps, values: Any) -> list[str]:
    """Return the keys that the model allows at a path."""
    annotation: Any = model
    for step in steps:
        annotation, values = _step(annotation, step, values)
    found = _model_of(annotation, values)
    return list(found.model_fields) if found else []


def _unwrap(annotation: Any) -> list[Any]:
    """Return the alternatives that an annotation allows, without Annotated and None."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _unwrap(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [
            part
            for alternative in typing.get_args(annotation)
            for part in _unwrap(alternative)
            if part is not type(None)
        ]
    return [annotation]


def _model_of(annotation: Any, values: Any) -> type[Specification] | None:
    """Return the model that an annotation names; of several, the one whose ``type`` the values carry."""
    models = [part for part in _unwrap(annotation) if isinstance(part, type) and issubclass(part, Specification)]
    if len(models) > 1 and isinstance(values, Mapping):
        for candidate in models:
            field = candidate.model_fields.get("type")
            if field is not None and values.get("type") in typing.get_args(field.annotation):
                return candidate
    return models[0] if models else None


def _step(annotation: Any, step: str | int, values: Any) -> tuple[Any, Any]:
    """Go one step down an annotation and the values that belong to it; KeyError when there is no such step."""
    model = _model_of(annotation, values)
    if model is not None:
        field = model.model_fields[str(step)]
        return field.annotation, values.get(step) if isinstance(values, Mapping) else None
    for part in _unwrap(annotation):
        origin, arguments = typing.get_origin(part), typing.get_args(part)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            if not isinstance(values, Mapping) or step not in values:
                raise KeyError(step)
            return arguments[1], values[str(step)]
        if origin in (list, tuple):
            index = int(step)
            if not isinstance(values, list) or not 0 <= index < len(values):
                raise KeyError(step)
            return arguments[0], values[index]
    raise KeyError(step)


def _keys_at(annotation: Any, values: Any) -> list[str]:
    """Return what could follow at this place of a dotted path."""
    model = _model_of(annotation, values)
    if model is not None:
        return list(model.model_fields)
    if isinstance(values, Mapping):
        return [str(key) for key in values]
    return [str(index) for index in range(len(values))] if isinstance(values, list) else []


def change(document: Document, model: type[Specification], changes: Mapping[str, Any]) -> Document:
    """Return the document with the values at some dotted paths replaced.

    Parameters
    ----------
    document : Document
        As read from file.
    model : type of Specification
        The type of the whole document; it decides how a text is read.
    changes : mapping of str to value
        Dotted path to new value. A text is read by the type of the field: ``0.90`` for a number, ``true`` for a yes/no,
        JSON for lists and mappings; a field that holds text keeps it as it is.

    Raises
    ------
    UsageError
        A path does not exist (with the nearest known one), or a value does not fit its type.
    """
    values: Any = _copy(document.values)
    for path, value in changes.items():
        steps = path.split(".")
        annotation, here = typing.cast(Any, model), values
        for depth, step in enumerate(steps):
            known = _keys_at(annotation, here)
            try:
                annotation, below = _step(annotation, step, here)
            except (KeyError, ValueError):
                guess = did_you_mean(step, known)
                raise UsageError(
                    "usage.unknown_path",
                    f"There is no «{path}» in the specification.",
                    where=f"{document.file}, at «{'.'.join(steps[: depth + 1])}»",
                    why="A misspelt parameter would silently run the default.",
                    do=guess or "«virkning schema programme» prints every path.",
                ) from None
            if depth < len(steps) - 1:
                if below is None:
                    below = {}
                    here[step] = below
                here = below
        typed = _typed(annotation, value, path, document.file)
        if isinstance(here, list):
            here[int(steps[-1])] = typed
        else:
            here[steps[-1]] = typed
    return Document(document.file, values, document.lines)


def _typed(annotation: Any, value: Any, path: str, file: str) -> Any:
    """Return a value read by the type of the field that it goes into, as plain YAML values."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    try:
        if not isinstance(value, str):
            return adapter.dump_python(adapter.validate_python(value), mode="json")
        try:
            return adapter.dump_python(adapter.validate_strings(value), mode="json")
        except ValidationError as error:
            try:
                return adapter.dump_python(adapter.validate_json(value), mode="json")
            except ValidationError:
                raise error from None
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"]
        raise UsageError(
            "usage.wrong_type",
            f"The value given for «{path}» does not fit: {message}.",
            where=file,
            why="The run would not be the one that was asked for.",
            do="«virkning schema programme» prints what the key may hold; lists and mappings are written as JSON.",
        ) from None


def _copy(values: Any) -> Any:
    """Return a copy of plain YAML values that can be changed freely."""
    if isinstance(values, dict):
        return {key: _copy(value) for key, value in values.items()}
    return [_copy(value) for value in values] if isinstance(values, list) else values
