"""Typed YAML: lines in messages, nearest names, repeated keys, and changes that are read by type."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from virkning.errors import ProgrammeError, UsageError
from virkning.specification import Document, Specification, change, read_document, validate


class Cat(Specification):
    type: Literal["cat"]
    lives: int = 9


class Dog(Specification):
    type: Literal["dog"]
    tricks: tuple[str, ...] = ()


class House(Specification):
    code: str
    share: float = Field(default=0.95, gt=0, lt=1)
    is_open: bool = False
    pet: Annotated[Cat | Dog, Field(discriminator="type")]
    rooms: dict[str, Cat] = {}
    note: str | None = None


def document(tmp_path: Path, text: str) -> Document:
    file = tmp_path / "programme.yml"
    file.write_text(text, encoding="utf-8")
    return read_document(file, "programme.yml")


GOOD = 'code: "0301"\npet:\n  type: dog\n  tricks: [sit]\nrooms:\n  attic: {type: cat}\n'


def test_reads_and_freezes(tmp_path: Path) -> None:
    house = validate(document(tmp_path, GOOD), House)
    assert (house.code, house.rooms["attic"].lives) == ("0301", 9)
    with pytest.raises(ValueError, match="frozen"):
        house.code = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        (GOOD + "shar: 0.5\n", "Did you mean «share»", "line 7"),
        (GOOD.replace("tricks", "trick"), "Did you mean «tricks»", "line 4"),
        (GOOD.replace('code: "0301"\n', ""), "«code» is missing", "programme.yml"),
        (GOOD + "share: 2\n", "less than 1", "line 7"),
        (GOOD.replace('"0301"', "0301"), "valid string", "line 1"),
        (GOOD.replace("{type: cat}", "{type: cat, live: 3}"), "Did you mean «lives»", "line 6"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, what: str, line: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        validate(document(tmp_path, text), House)
    assert what in str(caught.value)
    assert line in caught.value.where


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ProgrammeError) as caught:
        validate(document(tmp_path, GOOD + "shar: 1\nnotes: x\n"), House)
    assert "«shar»" in str(caught.value)
    assert "«notes»" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [1\n", "programme.yaml_syntax"),
        ("a: 1\na: 2\n", "programme.repeated_key"),
        ("- 1\n", "programme.not_a_mapping"),
        ("a: !!python/object/apply:os.system [ls]\n", "programme.yaml_tag"),
        ("a: &x [*x]\n", "programme.alias"),
        ("[" * 2000, "programme.yaml_syntax"),
    ],
)
def test_broken_yaml_is_refused(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        document(tmp_path, text)
    assert caught.value.code == code


def test_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "programme.yml").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ProgrammeError):
        read_document(tmp_path / "programme.yml", "programme.yml")
    with pytest.raises(ProgrammeError, match="There is no"):
        read_document(tmp_path / "missing.yml", "missing.yml")


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("share", "0.90", 0.9),
        ("code", "0301", "0301"),
        ("is_open", "true", True),
        ("pet.tricks", '["roll", "sit"]', ("roll", "sit")),
        ("rooms.attic.lives", "7", 7),
        ("note", "1e3", "1e3"),
    ],
)
def test_a_change_is_read_by_the_type_of_its_field(tmp_path: Path, path: str, text: str, expected: object) -> None:
    house = validate(change(document(tmp_path, GOOD), House, {path: text}), House)
    value: object = house
    for step in path.split("."):
        value = value[step] if isinstance(value, dict) else getattr(value, step)
    assert value == expected


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("shar", "1", "Did you mean «share»"),
        ("pet.trick", "1", "Did you mean «tricks»"),
        ("pet.lives", "1", "pet.lives"),
        ("rooms.attc.lives", "1", "Did you mean «attic»"),
        ("share", "much", "does not fit"),
        ("share.x", "1", "share.x"),
        ("", "1", "There is no"),
    ],
)
def test_a_wrong_change_is_refused(tmp_path: Path, path: str, text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        change(document(tmp_path, GOOD), House, {path: text})
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_change_leaves_the_document_as_it_was(tmp_path: Path) -> None:
    before = document(tmp_path, GOOD)
    change(before, House, {"rooms.attic.lives": "1"})
    assert validate(before, House).rooms["attic"].lives == 9
