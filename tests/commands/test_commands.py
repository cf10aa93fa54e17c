"""Every command has help and an executed example; exit codes tell the kinds of failure apart."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from virkning.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help_and_stands_in_the_readme(virkning, name: str) -> None:
    done = virkning(name, "--help")
    assert done.returncode == 0
    assert main.commands[name].help.splitlines()[0].rstrip(".") in " ".join(done.stdout.split())
    assert f"virkning {name}" in README


def test_version(virkning) -> None:
    assert re.fullmatch(r"virkning, version \d+\.\d+\.\d+\n", virkning("--version").stdout)


def test_designs(virkning) -> None:
    text = virkning("designs").stdout
    assert "randomised_trial" in text
    assert "Maryland scale 5" in text
    listed = json.loads(virkning("designs", "--json").stdout)["designs"]
    assert listed[0]["chapter"] == "methods/randomised_trial"


def test_check(virkning) -> None:
    done = virkning("check", "nsw")
    assert done.returncode == 0
    assert "445 participants" in done.stdout
    assert "Checks: 11 will run." in done.stdout
    assert "Economy: valid, 2 cost(s)" in done.stdout
    assert "Contract: valid, 4 metric(s)" in virkning("check", "ungevej").stdout


@pytest.mark.parametrize("key", ["add", "omit"])
def test_check_looks_at_the_chosen_checks(virkning, key: str) -> None:
    value = '["powr"]' if key == "add" else '{"powr": "not needed"}'
    done = virkning("check", "nsw", "-p", f"checks.{key}={value}")
    assert done.returncode == 12
    assert "Did you mean «power»" in done.stderr


def test_schema_of_a_programme_is_json_schema(virkning) -> None:
    schema = json.loads(virkning("schema", "programme").stdout)
    assert schema["properties"]["design"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("form", ["json", "template", "synthetic"])
def test_schema_of_a_table(virkning, form: str) -> None:
    done = virkning("schema", "participants", "--as", form, "--programme", "nsw", "--rows", "7")
    assert done.returncode == 0
    assert "earnings_1974_usd" in done.stdout
    if form == "synthetic":
        assert len(done.stdout.splitlines()) == 8
        assert (
            done.stdout == virkning("schema", "participants", "--as", form, "--programme", "nsw", "--rows", "7").stdout
        )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(virkning, shell: str) -> None:
    done = virkning("completion", shell)
    assert done.returncode == 0
    assert "_VIRKNING_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("bok", "nsw"), 2, "Did you mean «book»"),
        (("book", "nsv"), 10, "Did you mean «nsw»"),
        (("check", "nsw", "-p", "design.confidense=0.9"), 2, "Did you mean «confidence»"),
        (("check", "nsw", "-p", "design.confidence=much"), 2, "does not fit"),
        (("check", "nsw", "-p", "design.confidence"), 2, "path=value"),
        (("check", "nsw", "-p", "seed=1", "-p", "seed=2"), 2, "given twice"),
        (("check", "nsw", "-p", "design.confidence=1.5"), (2, 10), "confidence"),
        (("check", "nsw", "-p", "design.treatment=is_treted"), 12, "Did you mean «is_treated»"),
        (("check", "nsw", "-p", "data.participants.path=../../../etc/passwd"), 11, "outside"),
        (("check", "nsw", "-p", "data.participants.path=data/none.csv"), 11, "none.csv"),
        (("check", "."), 10, "programme.yml"),
        (("schema", "participant"), 2, "Did you mean «participants»"),
        (("check",), 2, "PROGRAMME"),
    ],
)
def test_exit_codes_and_messages(virkning, arguments, code, says) -> None:
    done = virkning(*arguments)
    assert done.returncode in (code if isinstance(code, tuple) else (code,)), done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_errors_as_json(virkning) -> None:
    done = virkning("check", "nsv", "--json")
    error = json.loads(done.stdout)["error"]
    assert (error["exit_code"], error["code"]) == (10, "programme.not_found")
    assert done.returncode == 10


def test_init_refuses_a_folder_that_holds_something(virkning, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me", encoding="utf-8")
    done = virkning("init", "mine")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["My Programme", "0301", "Æblehave", "a"])
def test_init_makes_a_valid_programme_of_any_folder_name(virkning, name: str) -> None:
    assert virkning("init", name).returncode == 0
    done = virkning("check", name)
    assert done.returncode == 0, done.stderr


def test_run_prints_progress_and_result_apart(virkning) -> None:
    done = virkning("run", "nsw", "-p", "design.confidence=0.90")
    assert done.returncode == 0, done.stderr
    assert "90% confidence interval" in done.stdout
    assert re.search(r"^\[1/(\d+)\] .*\[\1/\1\] ", done.stderr, re.DOTALL)
    again = virkning("run", "nsw", "-p", "design.confidence=0.90", "--json")
    assert again.stderr == ""
    values = json.loads(again.stdout)
    assert values["chapters_executed"] == 0
    assert round(values["effects"][0]["value"]) == 1794
    assert set(values["why"].values()) == {"unchanged"}
    assert "\neffects: unchanged\n" in virkning("run", "nsw", "-p", "design.confidence=0.90", "--why").stdout
