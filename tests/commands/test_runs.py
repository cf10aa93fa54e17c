"""``virkning runs``, ``verify``, ``compare`` and ``rerun``: what they say, what they refuse, and their exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from virkning.programme import Programme
from virkning.record import recorded


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, in_this_process: Any) -> Path:
    """A folder with two runs of one chapter each, made without a kernel."""
    root = tmp_path_factory.mktemp("made") / "runs"
    for changes in ({}, {"plan.people": "600"}):
        programme = Programme.read("trappen", changes)
        recorded(programme, root=root, kernels=in_this_process(), chapters=["programme"])
    return root


@pytest.fixture
def here(made: Path, tmp_path: Path) -> Path:
    """The two runs, below the folder in which the command is called."""
    shutil.copytree(made, tmp_path / "runs")
    return tmp_path / "runs"


def names(virkning: Any) -> list[str]:
    return [run["run"] for run in json.loads(virkning("runs", "--json").stdout)["runs"]]


def test_without_runs(virkning) -> None:
    done = virkning("runs")
    assert done.returncode == 0
    assert "no runs yet" in done.stdout
    assert json.loads(virkning("runs", "--json").stdout) == {"runs": []}


def test_list_of_runs(virkning, here: Path) -> None:
    lines = virkning("runs", "trappen").stdout.splitlines()
    assert len(lines) == 2
    assert all("finished" in line and "1 of 1 chapters" in line for line in lines)
    assert sum("plan.people=600" in line for line in lines) == 1
    (run,) = [run for run in json.loads(virkning("runs", "--json").stdout)["runs"] if run["changes"]]
    assert run["changes"] == {"plan.people": "600"}
    assert run["status"] == "finished"
    assert len(run["fingerprint"]) == 64


def test_sweeps_and_hidden_folders_are_no_runs(virkning, here: Path) -> None:
    (here / "trappen" / "sweeps" / "abc").mkdir(parents=True)
    assert (here / ".store").is_dir()
    assert len(names(virkning)) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("runs", "trapen"), "Did you mean «trappen»"),
        (("verify", "trappen/zzzz"), "no run"),
        (("compare", "trappen", "nothing"), "no run"),
        (("verify", "trappen", "--chapter", "programe"), "Did you mean «programme»"),
        (("verify", "trappen", "--programme", "nowhere"), "There is no programme «nowhere»"),
        (("rerun", "trappen", "-p", "plan.peple=5"), "Did you mean «people»"),
    ],
)
def test_refusals(virkning, here: Path, arguments: tuple[str, ...], says: str) -> None:
    done = virkning(*arguments)
    assert done.returncode in (2, 10)
    assert says in done.stderr
    assert done.stdout == ""


def test_two_runs_with_the_same_first_letters(virkning, here: Path) -> None:
    (one, _) = sorted((here / "trappen").iterdir())
    shutil.copytree(one, one.with_name(one.name[:-1] + ("0" if one.name[-1] != "0" else "1")))
    done = virkning("verify", f"trappen/{one.name[:12]}")
    assert done.returncode == 2
    assert "several runs" in done.stderr


def test_verify_gives_every_value_again(virkning, here: Path, without_kernels: None) -> None:
    name = names(virkning)[0]
    done = virkning("verify", name, "--chapter", "programme", "--json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["verified"] is True
    assert report["inputs_that_differ"] == []
    assert report["exhibits"] >= 4
    assert report["verdicts"] == {"same": report["exhibits"]}


def test_forged_run_is_not_verified(virkning, here: Path, forged: Any, without_kernels: None) -> None:
    run = next(iter(sorted((here / "trappen").glob("[0-9a-f]*"))))
    forged(run, here, "programme", "Target group", "Target grope")
    done = virkning("verify", f"trappen/{run.name}", "--chapter", "programme")
    assert done.returncode == 17
    assert "1 of" in done.stderr
    assert "grope → group" in done.stderr
    assert "Changed since the run, by somebody or by damage: notebooks/programme.ipynb" in done.stderr
    assert "Put back what the run made: virkning run trappen" in done.stderr
    error = json.loads(virkning("verify", f"trappen/{run.name}", "--chapter", "programme", "--json").stdout)["error"]
    assert error["code"] == "verification.differs"
    assert error["report"]["different"][0]["chapter"] == "programme"


def test_compare_as_lines_values_and_page(virkning, here: Path) -> None:
    second, first = names(virkning)
    done = virkning("compare", first, second, "--page", "page.html")
    assert done.returncode == 0, done.stderr
    assert "plan.people" in done.stdout
    assert "Exhibits that differ: 0 of" in done.stdout
    page = Path("page.html").read_text(encoding="utf-8")
    assert "plan.people" in page
    assert str(here) not in page
    values = json.loads(virkning("compare", first, second, "--json").stdout)
    assert [row["item"] for row in values["settings"]] == ["plan.people"]
    assert values["same"] is True


def test_rerun_goes_on_from_the_changes_of_an_earlier_run(virkning, here: Path, without_kernels: None) -> None:
    (earlier,) = [run["run"] for run in json.loads(virkning("runs", "--json").stdout)["runs"] if run["changes"]]
    done = virkning("rerun", earlier, "-p", "plan.baseline_share=0.2", "--page", "what_if.html", "--json")
    assert done.returncode == 0, done.stdout
    compared = json.loads(done.stdout)["comparison"]
    assert compared["second"]["changes"] == {"plan.people": "600", "plan.baseline_share": "0.2"}
    assert [row["item"] for row in compared["settings"]] == ["plan.baseline_share"]
    assert Path("what_if.html").is_file()


def run_folder(here: Path) -> Path:
    return next(iter(sorted((here / "trappen").glob("[0-9a-f]*"))))


def test_unfinished_run_is_not_verified_but_finished(virkning, here: Path, without_kernels: None) -> None:
    run = run_folder(here)
    journal = json.loads((run / "journal.json").read_text(encoding="utf-8"))
    (run / "journal.json").write_text(json.dumps({**journal, "status": "interrupted"}), encoding="utf-8")
    done = virkning("verify", f"trappen/{run.name}")
    assert done.returncode == 2
    assert "was interrupted before it was finished" in done.stderr
    assert "Missing: index, record, power" in done.stderr
    assert "methods/randomised_trial" in done.stderr
    assert "Finish it, which makes only what is missing: virkning run trappen" in done.stderr.replace("programmes/", "")
    assert virkning("verify", f"trappen/{run.name}", "--chapter", "index").returncode == 2
    assert virkning("verify", f"trappen/{run.name}", "--chapter", "programme").returncode == 0


def test_chapter_that_is_gone_or_damaged_is_told_before_anything_runs(virkning, here: Path) -> None:
    run = run_folder(here)
    chapter = run / "notebooks/programme.ipynb"
    chapter.write_text('{"cells": [', encoding="utf-8")
    for words in (("verify", f"trappen/{run.name}"), ("compare", f"trappen/{run.name}", names(virkning)[0])):
        done = virkning(*words)
        assert done.returncode == 2
        assert "«programme» of the run cannot be read" in done.stderr
        assert "virkning run trappen" in done.stderr
    chapter.unlink()
    done = virkning("verify", f"trappen/{run.name}")
    assert done.returncode == 2
    assert "Missing: programme." in done.stderr


def test_run_with_a_damaged_record_is_no_start_for_another(virkning, here: Path) -> None:
    (earlier,) = [run["run"] for run in json.loads(virkning("runs", "--json").stdout)["runs"] if run["changes"]]
    run = next((here / "trappen").glob(f"{earlier.rpartition('/')[2]}*"))
    (run / "record.json").write_text("{", encoding="utf-8")
    assert virkning("runs").returncode == 0
    for verb in ("verify", "rerun"):
        done = virkning(verb, earlier)
        assert done.returncode == 2
        assert "record of the run cannot be read" in done.stderr
        assert "virkning run trappen -p plan.people=600" in done.stderr, "its workflow tells how it was made"


def test_other_programme_of_the_same_name_is_not_taken_for_it(virkning, here: Path, without_kernels: None) -> None:
    run = run_folder(here)
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    record["specification"]["title"] = "A programme that stood elsewhere"
    (run / "record.json").write_text(json.dumps(record), encoding="utf-8")
    journal = json.loads((run / "journal.json").read_text(encoding="utf-8"))
    journal["programme_folder"] = "ours/trappen"
    (run / "journal.json").write_text(json.dumps(journal), encoding="utf-8")
    for verb in ("verify", "rerun"):
        done = virkning(verb, f"trappen/{run.name}")
        assert done.returncode == 10
        assert "There is another programme called trappen" in done.stderr
        assert "--programme FOLDER" in done.stderr
