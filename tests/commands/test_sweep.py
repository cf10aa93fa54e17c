"""``virkning sweep`` as a user calls it: one command, one table; bad input is refused before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest


def test_plan_says_what_would_run(virkning, tmp_path: Path) -> None:
    done = virkning("sweep", "jtrain", "--over", "design.confidence=0.8,0.9", "--over", "seed=1:10:1", "--plan")
    assert done.returncode == 0, done.stderr
    assert "Runs: 20, of which 0 are finished already" in done.stdout
    assert "seed: 1, 2, 3, 4, 5, 6, … 10" in done.stdout
    assert "not known" in done.stdout
    assert not (tmp_path / "runs").exists()
    values = json.loads(virkning("sweep", "jtrain", "--over", "seed=1:10:1", "--plan", "--json").stdout)
    assert (values["n_runs"], values["n_missing"], values["seconds"]) == (10, 10, None)


def test_a_sweep_from_command_to_table_and_once_more(virkning, tmp_path: Path) -> None:
    command = ("sweep", "jtrain", "--over", "design.confidence=0.8,0.95", "--over", "design.standard_errors=classical")
    done = virkning(*command)
    assert done.returncode == 0, done.stderr
    assert "Runs:  2 of 2 finished, 2 performed now" in done.stdout
    assert "[2/2] " in done.stderr
    (table,) = tmp_path.glob("runs/jtrain/sweeps/*/results.csv")
    frame = pd.read_csv(table)
    assert frame.groupby("run")["design.confidence"].first().tolist() == [0.8, 0.95]
    assert (table.parent / "sweep.html").is_file()
    again = virkning(*command, "--json")
    assert json.loads(again.stdout)["n_performed"] == 0
    planned = virkning("sweep", "jtrain", "--over", "seed=1:8:1", "--plan", "--workers", "2")
    assert "by 2 earlier runs" in planned.stdout


def test_jobs_run_anywhere_and_are_collected(virkning, tmp_path: Path) -> None:
    sets = tmp_path / "sets.csv"
    sets.write_text("design.confidence,seed\n0.8,1\n0.9,\n", encoding="utf-8")
    emitted = virkning("sweep", "jtrain", "--table", "sets.csv", "--emit", "jobs.jsonl")
    assert emitted.returncode == 0, emitted.stderr
    assert len((tmp_path / "jobs.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    first = virkning("run", "jtrain", "--job", "jobs.jsonl:2")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("Run 2 of 2: finished")
    early = virkning("sweep", "--collect", "jobs.jsonl")
    assert early.returncode == 16
    assert "1 not performed" in early.stderr
    assert virkning("run", "jtrain", "--job", "jobs.jsonl:1").returncode == 0
    collected = virkning("sweep", "--collect", "jobs.jsonl")
    assert collected.returncode == 0, collected.stderr
    (table,) = tmp_path.glob("runs/jtrain/sweeps/*/results.csv")
    assert pd.read_csv(table).groupby("run")["design.confidence"].first().tolist() == [0.8, 0.9]
    # The same sweep without jobs finds everything there.
    assert "0 performed now" in virkning("sweep", "jtrain", "--table", "sets.csv").stdout


def test_a_failed_run_has_its_exit_code_and_its_reason(virkning) -> None:
    done = virkning("sweep", "jtrain", "--over", 'design.covariate_measures=["nobody"]', "--json")
    assert done.returncode == 16
    assert "0 of 1 finished" in done.stderr
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["exit_code"], len(error["failures"])) == ("sweep.incomplete", 16, 1)
    assert error["failures"][0]["run"] == 1
    assert "«nobody»" in error["what"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "no programme"),
        (("jtrain",), 2, "Nothing is varied"),
        (("jtrain", "--over", "design.confidense=0.8"), 2, "Did you mean «confidence»"),
        (("jtrain", "--over", "design.confidence=0.8,much"), 2, "run 2"),
        (("jtrain", "--over", "design.confidence=0.8,1.5"), 10, "run 2"),
        (("jtrain", "--over", "seed=1:1000000:1"), 2, "--yes"),
        (("jtrain", "--over", "seed=1,2", "--over", "design.confidence=0.8", "--zip"), 2, "as many values"),
        (("jtrain", "--over", "seed=1", "-p", "seed=2"), 2, "both varied and fixed"),
        (("jtrain", "--table", "none.csv"), 2, "none.csv"),
        (("jtrane", "--over", "seed=1"), 10, "Did you mean «jtrain»"),
        (("--collect", "none.jsonl"), 2, "not a file of jobs"),
        (("jtrain", "--over", "seed=1", "--workers", "0"), 2, "workers"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(
    virkning, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = virkning("sweep", *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("job", ["jobs.jsonl", "jobs.jsonl:0", "jobs.jsonl:2", "jobs.jsonl:x", "none.jsonl:1"])
def test_a_job_that_does_not_exist_is_refused(virkning, job: str) -> None:
    assert virkning("sweep", "jtrain", "--over", "seed=1", "--emit", "jobs.jsonl").returncode == 0
    done = virkning("run", "jtrain", "--job", job)
    assert done.returncode == 2
    assert "job" in done.stderr
    assert done.stdout == ""
