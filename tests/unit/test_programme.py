"""A programme's folder: found by name or path, read whole, changed for one run."""

import shutil
from pathlib import Path

import pytest

from virkning import language
from virkning.errors import ProgrammeError, UsageError
from virkning.programme import Programme, find
from virkning.starter import short_name, start


def test_shipped_programme_is_found_by_name_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Programme.read("nsw").name == "nsw"


def test_a_folder_here_comes_before_a_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(find("nsw"), tmp_path / "programmes" / "nsw")
    monkeypatch.chdir(tmp_path)
    assert find("nsw") == (tmp_path / "programmes" / "nsw").resolve()


def test_a_path_is_never_taken_for_a_name(tmp_path: Path) -> None:
    with pytest.raises(ProgrammeError):
        find(tmp_path / "nsw")
    with pytest.raises(ProgrammeError):
        find("../nsw/../../elsewhere")


def test_primary_outcome_comes_first_and_nothing_can_be_changed() -> None:
    programme = Programme.read("nsw")
    assert next(iter(programme.outcomes)) == "earnings_usd"
    with pytest.raises(AttributeError):
        programme.design = None  # type: ignore[misc, assignment]
    with pytest.raises(ValueError, match="frozen"):
        programme.design.confidence = 0.5  # type: ignore[misc]
    changed = programme.changes
    changed["x"] = 1
    assert programme.changes == {}


def test_change_by_dotted_path_is_typed_and_changes_the_checksum() -> None:
    plain, changed = (
        Programme.read("nsw"),
        Programme.read("nsw", {"design.confidence": "0.90", "design.alternatives.0.estimator": "lin"}),
    )
    assert changed.design.confidence == 0.9
    assert changed.design.alternatives[0].estimator == "lin"
    assert plain.checksum() != changed.checksum()
    assert plain.checksum() == Programme.read("nsw").checksum()


@pytest.mark.parametrize(
    "path", ["design.alternatives.9.estimator", "outcomes.earnings.unit", "id.x", "design..confidence"]
)
def test_change_of_what_is_not_there(path: str) -> None:
    with pytest.raises(UsageError):
        Programme.read("nsw", {path: "lin"})


def test_every_specification_key_is_explained() -> None:
    from virkning.programme import ProgrammeSpecification

    schema = ProgrammeSpecification.model_json_schema(by_alias=True)
    assert schema["additionalProperties"] is False
    assert {"id", "title", "data", "design", "outcomes"} <= set(schema["properties"])


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Æblehave 2", "aeblehave-2"),
        ("0301", "programme-0301"),
        ("a", "programme-a"),
        ("--", "programme"),
        ("Café", "cafe"),
    ],
)
def test_short_name(folder: str, name: str) -> None:
    assert short_name(folder) == name


def test_start_writes_the_same_every_time_and_never_over_something(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        start(tmp_path / folder / "mine")
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) == 6
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    with pytest.raises(UsageError):
        start(tmp_path / "one" / "mine")


@pytest.mark.parametrize(
    ("value", "digits", "code", "text"),
    [
        (1794.342, 0, "en", "1,794"),
        (-0.4, 0, "en", "0"),
        (-1234.5, 1, "en", "\N{MINUS SIGN}1,234.5"),
        (1234.5, 1, "da", "1.234,5"),
        (1e6, 0, "da", "1.000.000"),
    ],
)
def test_numbers_as_a_language_writes_them(value: float, digits: int, code: language.Code, text: str) -> None:
    assert language.number(value, digits, code) == text
