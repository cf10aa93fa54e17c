"""Marked values planted in the data appear in no page, message or log, whether all goes well or not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

NAME, PERSON, STREET = "Zacharias-Quist", "0101704321", "Egernvej 17"
AMOUNT, AGE = "87654321", "63"
MARKS = (NAME, PERSON, STREET, AMOUNT, "87,654,321", "87654321.0")


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new programme in which one person has values that nobody else has."""
    place = tmp_path_factory.mktemp("marked")
    virkning(place, "init", "marked")
    people, outcomes = place / "marked/data/participants.csv", place / "marked/data/outcomes.csv"
    frame = pd.read_csv(people, dtype=str)
    first = frame.loc[0, "participant_id"]
    frame.loc[0, "participant_id"] = PERSON
    frame["address"] = "Vestergade"
    frame.loc[0, "address"] = STREET
    frame["contact"] = "unknown"
    frame.loc[0, "contact"] = NAME
    frame["debt_dkk"] = "1000"
    frame.loc[0, "debt_dkk"] = AMOUNT
    frame.to_csv(people, index=False)
    long = pd.read_csv(outcomes, dtype=str)
    long["participant_id"] = long["participant_id"].replace({first: PERSON})
    long.to_csv(outcomes, index=False)
    specification = place / "marked/programme.yml"
    own = "".join(
        f"      - {{name: {name}, type: {kind}, title: {name}, description: x, disclosure: {secret}{unit}}}\n"
        for name, kind, secret, unit in (
            ("address", "string", "identifier", ""),
            ("contact", "string", "identifier", ""),
            ("debt_dkk", "number", "sensitive", ", unit: DKK"),
        )
    )
    text = specification.read_text(encoding="utf-8")
    specification.write_text(text.replace("    fields:\n", f"    fields:\n{own}"), encoding="utf-8")
    return place


def virkning(place: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "virkning.cli", *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def assert_unmarked(text: str, where: str) -> None:
    for mark in MARKS:
        assert mark not in text, f"a marked value stands in {where}"


def test_no_page_message_or_record_holds_a_marked_value(marked: Path) -> None:
    done = virkning(marked, "book", "marked")
    assert done.returncode == 0, done.stderr
    assert_unmarked(done.stdout + done.stderr, "the messages")
    files = [path for folder in ("_build", "runs") for path in (marked / folder).rglob("*") if path.is_file()]
    assert len(files) > 50
    for path in files:
        assert_unmarked(path.name, "a file name")
        assert_unmarked(path.read_bytes().decode("utf-8", errors="replace"), path.name)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("is_treated", NAME),
        ("age_years", AMOUNT),
        ("age_years", STREET),
        ("participant_id", ""),
        ("is_previously_employed", NAME),
        ("debt_dkk", f"{AMOUNT} kr"),
        ("is_previously_employed", ""),
    ],
)
def test_no_message_about_bad_data_holds_a_marked_value(marked: Path, tmp_path: Path, column: str, value: str) -> None:
    shutil.copytree(marked / "marked", tmp_path / "marked")
    people = tmp_path / "marked/data/participants.csv"
    frame = pd.read_csv(people, dtype=str)
    frame.loc[0, column] = value
    frame.to_csv(people, index=False)
    # Both read the data by the same code, so the slower command is asked about one column only.
    calls = [("check", "marked"), *([("book", "marked", "--json")] if column == "debt_dkk" else [])]
    for arguments in calls:
        done = virkning(tmp_path, *arguments)
        assert done.returncode == 11, done.stderr
        assert "Traceback" not in done.stderr
        assert column in done.stdout + done.stderr
        assert_unmarked(done.stdout + done.stderr, "the message")
    assert not (tmp_path / "_build").exists()
