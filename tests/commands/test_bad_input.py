"""Each mistake of a careless or hostile user gets what, where and what to do; no traceback, no value, no book."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import virkning as vk


def people(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        file = folder / "data/participants.csv"
        change(pd.read_csv(file, dtype=str)).to_csv(file, index=False)

    return apply


def specification(old: str, new: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        file = folder / "programme.yml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    return apply


def outside(folder: Path) -> None:
    shutil.move(folder / "data/participants.csv", folder.parent / "participants.csv")
    (folder / "data/participants.csv").symlink_to(folder.parent / "participants.csv")


CASES: dict[str, tuple[Callable[[Path], object], int, tuple[str, ...]]] = {
    "missing file": (lambda f: (f / "data/outcomes.csv").unlink(), 11, ("data/outcomes.csv",)),
    "unknown column": (people(lambda d: d.rename(columns={"age_years": "age_yers"})), 11, ("age_yers", "age_years")),
    "treatment with one value": (people(lambda d: d.assign(is_treated="true")), 12, ("is_treated",)),
    "duplicated person": (people(lambda d: pd.concat([d, d.iloc[:2]])), 11, ("participant_id", "4 rows")),
    "text in a number column": (
        people(lambda d: d.assign(age_years=["forty", *d["age_years"][1:]])),
        11,
        ("age_years", "1 row"),
    ),
    "empty table": (people(lambda d: d.iloc[:0]), 11, ("participants",)),
    "file with nothing in it": (lambda f: (f / "data/outcomes.csv").write_text(""), 11, ("data/outcomes.csv",)),
    "YAML syntax": (specification("title:", "title: ["), 10, ("line", "YAML")),
    "misspelt key": (specification("summary:", "sumary:"), 10, ("Did you mean «summary»", "line")),
    "wrong type": (specification("confidence: 0.95", "confidence: high"), 10, ("confidence", "line")),
    "repeated key": (specification("seed: 1", "seed: 1\nseed: 2"), 10, ("seed", "twice")),
    "no specification": (lambda f: (f / "programme.yml").unlink(), 10, ("programme.yml",)),
    "no prose": (lambda f: (f / "why.md").unlink(), 10, ("why.md",)),
    "path that leaves the folder": (
        specification("path: data/participants.csv", "path: ../mine/../participants.csv"),
        11,
        ("outside",),
    ),
    "absolute path": (specification("path: data/participants.csv", "path: /etc/hostname"), 11, ("outside",)),
    "link that leaves the folder": (outside, 11, ("outside",)),
    "unknown covariate": (
        specification("covariates: [age_years", "covariates: [age_year"),
        12,
        ("Did you mean «age_years»",),
    ),
    "unknown outcome in the theory": (
        specification("measure: days_worked", "measure: days_work"),
        10,
        ("days_worked",),
    ),
    "two primary outcomes": (
        specification("label: Days in work", "label: Days in work\n    primary: true"),
        10,
        ("primary",),
    ),
    "placebo outcome that is the outcome": (
        specification("seed: 1", "seed: 1\nchecks: {placebo_outcomes: [is_employed]}"),
        12,
        ("is_employed", "cannot be its placebo", "checks.placebo_outcomes"),
    ),
    "benchmark that nobody measured": (
        specification("seed: 1", "seed: 1\nchecks: {add: [hidden_confounding], benchmark_covariates: [age_yers]}"),
        12,
        ("age_yers", "age_years", "checks.benchmark_covariates"),
    ),
    "sample that keeps nobody": (
        specification(
            "seed: 1",
            "seed: 1\nchecks: {specifications: {samples: {old: {column: age_years, at_least: 200}}}}",
        ),
        12,
        ("keeps nobody", "age_years"),
    ),
    "threshold of one": (specification("threshold: 5", "threshold: 1"), 10, ("threshold", "line")),
}


@pytest.mark.parametrize("case", CASES)
def test_mistake_is_told(virkning, tmp_path: Path, case: str) -> None:
    break_it, exit_code, says = CASES[case]
    assert virkning("init", "mine").returncode == 0
    break_it(tmp_path / "mine")
    for command in ("check", "book"):
        done = virkning(command, "mine")
        assert done.returncode == exit_code, done.stderr
        for part in says:
            assert part in done.stderr
        for label in ("where:", "do:"):
            assert label in done.stderr
        assert "Traceback" not in done.stderr
        assert str(tmp_path) not in done.stderr
        assert done.stdout == ""
    assert not (tmp_path / "_build").exists()


def test_every_problem_of_the_data_is_told_at_once(virkning, tmp_path: Path) -> None:
    virkning("init", "mine")
    people(lambda d: d.assign(age_years="x", surplus="1", is_treated=["maybe", *d["is_treated"][1:]]))(
        tmp_path / "mine"
    )
    said = virkning("check", "mine").stderr
    for column in ("age_years", "surplus", "is_treated"):
        assert f"participants.{column}" in said


def test_leaving_a_step_out_is_an_error_and_not_a_wrong_number() -> None:
    programme = vk.Programme.read("nsw")
    with pytest.raises((TypeError, AttributeError, vk.VirkningError)):
        vk.estimate(programme, vk.read_data(programme))  # type: ignore[arg-type]
    with pytest.raises((TypeError, AttributeError, vk.VirkningError)):
        vk.estimate(programme.design, vk.read_data(programme).participants)  # type: ignore[arg-type]
