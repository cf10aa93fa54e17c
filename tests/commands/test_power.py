"""``virkning power``: from options, from a programme, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from virkning.resources import example


def test_from_plain_options(virkning) -> None:
    done = virkning("power", "--people", "120", "--share", "0.4")
    assert done.returncode == 0, done.stderr
    assert "With 120 people we can see a change of 25 per 100 or more" in done.stdout


def test_from_a_planned_programme_with_another_number_of_people(virkning) -> None:
    planned, larger = virkning("power", "trappen"), virkning("power", "trappen", "--people", "600")
    assert "With 300 people" in planned.stdout
    assert "Weeks of work:" in planned.stdout
    assert "With 600 people" in larger.stdout
    changed = virkning("power", "trappen", "-p", "plan.people=600")
    assert changed.stdout == larger.stdout


def test_as_json(virkning) -> None:
    found = json.loads(virkning("power", "trappen", "--json").stdout)["outcomes"]
    assert [each["outcome"] for each in found] == ["In work or education", "Weeks of work"]
    assert 0 < found[0]["minimum_detectable_effect"] < 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "neither a programme nor a number"),
        (("-p", "plan.people=5"), 2, "no programme"),
        (("--people", "many"), 2, "people"),
        (("--people", "1", "--share", "0.4"), 2, "plan.people"),
        (("--people", "120", "--share", "0.4", "--design", "panl"), 2, "Did you mean «panel»"),
        (("--people", "120", "--share", "0.4", "--take-up", "0"), 12, "take_up_share"),
        (("--people", "120", "--share", "0.4", "--attrition", "1"), 12, "attrition_share"),
        (("--clusters", "1", "--people-per-cluster", "9", "--sd", "1"), 12, "fewer than two clusters"),
        (
            ("--clusters", "9", "--people-per-cluster", "9", "--sd", "1", "--intra-cluster-correlation", "2"),
            12,
            "intra_cluster_correlation",
        ),
        (("nsw",), 10, "has no plan"),
        (("trappen", "--take-up", "0"), 12, "take_up_share"),
    ],
)
def test_refusals(virkning, arguments: tuple[str, ...], code: int, says: str) -> None:
    done = virkning("power", *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_check_of_a_planned_programme(virkning) -> None:
    done = virkning("check", "trappen")
    assert done.returncode == 0, done.stderr
    assert "Data: none yet" in done.stdout
    assert "With 300 people" in done.stdout


def test_table_of_a_planned_programme_has_no_columns_of_its_own(virkning) -> None:
    done = virkning("schema", "participants", "--programme", "trappen")
    assert done.returncode == 10
    assert "no data yet" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("plan:\n", "plans:\n", "plan"),
        ("    weeks_worked: {standard", "    weeks_work: {standard", "Did you mean «weeks_worked»"),
        ("  people: 300", "  people: none", "people"),
        ("  take_up_share: 0.8", "  take_up_share: 0", "take_up_share"),
    ],
)
def test_mistake_in_a_plan_is_told(virkning, tmp_path: Path, old: str, new: str, says: str) -> None:
    (tmp_path / "mine").mkdir()
    for file in example("trappen").iterdir():
        text = file.read_text(encoding="utf-8")
        if file.name == "programme.yml":
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / "mine" / file.name).write_text(text, encoding="utf-8")
    done = virkning("check", "mine")
    assert done.returncode in (10, 12), done.stderr
    assert says in done.stderr
