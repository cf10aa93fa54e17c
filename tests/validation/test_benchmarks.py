"""The rows of the benchmarks give the same numbers as the peers, and what is measured can be believed."""

from __future__ import annotations

import sys
import warnings
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest

from virkning import Programme
from virkning.performance import read_performance
from virkning.run import Run, chapters_of

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from benchmarks import __main__ as bench  # noqa: E402
from benchmarks import books, processes  # noqa: E402
from benchmarks.contest import Row, disagreement  # noqa: E402
from benchmarks.measure import measure, rows  # noqa: E402

MODULES = {
    "csdid": "csdid",
    "diff-diff": "diff_diff",
    "lifelines": "lifelines",
    "pyfixest": "pyfixest",
    "rdrobust": "rdrobust",
    "scikit-learn": "sklearn",
    "statspai": "statspai",
    "synthdid-py": "synthdid",
}
ROWS = rows()
PAIRS = [(name, peer) for name, row in ROWS.items() for peer in list(row.contestants)[1:]]


@pytest.fixture(scope="module")
def made() -> dict[str, pd.DataFrame]:
    return {}


@pytest.fixture(scope="module")
def ours(made: dict[str, pd.DataFrame]) -> dict[str, dict[str, float]]:
    """Return our numbers for each row, from the data that its peers get too."""
    found = {}
    for name, row in ROWS.items():
        made[name] = row.data(row.sizes[0])
        found[name] = dict(next(iter(row.contestants.values()))(made[name])())
    return found


@pytest.mark.parametrize(("name", "peer"), PAIRS, ids=[" | ".join(pair) for pair in PAIRS])
def test_numbers_are_the_same(
    name: str, peer: str, ours: dict[str, dict[str, float]], made: dict[str, pd.DataFrame]
) -> None:
    if peer in MODULES:
        pytest.importorskip(MODULES[peer])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ROWS[name].contestants[peer](made[name])()
    assert disagreement(ours[name], theirs) <= ROWS[name].tolerance_of(peer)


def test_rows_are_complete() -> None:
    """A looser bound is explained, and every row has somebody to be compared with."""
    for row in ROWS.values():
        assert len(row.contestants) > 1
        assert not row.looser or row.words
        assert row.looser.keys() <= row.contestants.keys()


def test_other_numbers_disagree() -> None:
    assert disagreement({"value": 1.0, "std_error": 0.5}, {"value": 1.1}) == pytest.approx(0.2)
    assert disagreement({"value": 1.0, "std_error": 0.5}, {"value": 1.0, "std_error": 0.6}) == pytest.approx(0.2)
    assert disagreement({"value": 2.0}, {"value": 1.0, "std_error": 0.6}) == pytest.approx(0.5)


def test_records_tell_disagreement_and_failure() -> None:
    row = Row("a row", lambda n: pd.DataFrame(index=range(n)), {"virkning": None, "one": None, "two": None})  # type: ignore[dict-item]
    sound = {"numbers": {"value": 1.0, "std_error": 0.1}, "wall": 2.0, "cpu": 1.0, "peak": 100.0}
    other = {**sound, "numbers": {"value": 1.01, "std_error": 0.1}, "cpu": 3.0}
    records = bench._records(
        row, 5, {"virkning": [sound, {**sound, "cpu": 2.0}], "one": [other], "two": [{"failure": "no"}]}
    )
    assert [record["agrees"] for record in records] == [True, False, False]
    assert [record["cpu_seconds"] for record in records[:2]] == [1.5, 3.0]
    assert records[1]["cpu_ratio"] == 2.0
    assert records[2]["failure"] == "no"
    lines = bench._lines(row, 5, records)
    assert "DISAGREE" in lines
    assert lines.count("no") >= 1


def test_a_measurement_sees_memory_and_repeats() -> None:
    calls = []

    def call() -> dict[str, float]:
        calls.append(bytearray(60_000_000))
        if len(calls) > 1:
            calls[-1] = bytearray()
        return {"value": 1.0}

    found = measure(call)
    assert len(calls) == 4
    assert found["numbers"] == {"value": 1.0}
    assert float(str(found["peak"])) > 60


def test_only_what_was_measured_takes_its_place_in_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "RECORD", tmp_path / "performance.csv")
    first = {"size": 10, "contestant": "virkning", "cpu_seconds": 1.0, "wall_seconds": 1.0}
    bench._record([{"row": "one", **first}, {"row": "two", **first}], 3)
    bench._record([{"row": "two", **first, "cpu_seconds": 2.0}], 1)
    found = {item.row: item for item in read_performance(bench.RECORD)}
    assert [(found[name].cpu_seconds, found[name].n_rounds) for name in ("one", "two")] == [(1.0, 3), (2.0, 1)]
    assert found["one"].version == metadata.version("virkning")


def test_seconds_of_the_whole_tree_are_counted() -> None:
    burn = "sum(number * number for number in range(2_000_000))"
    within = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{burn}'])"
    before = processes.tree_seconds()
    used = processes.run(["-c", f"{within}; print('done')"])
    assert used.said.strip() == "done"
    assert used.cpu_seconds > processes.run(["-c", "pass"]).cpu_seconds
    # The system counts in hundredths.
    assert processes.tree_seconds() - before > used.cpu_seconds - 0.05
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        processes.run(["-c", "1 / 0"])


def test_books_that_differ_are_told_apart(tmp_path: Path) -> None:
    for name, words in (("one", "same"), ("two", "other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text("front", encoding="utf-8")
        (tmp_path / name / "effects.html").write_text(words, encoding="utf-8")
    (tmp_path / "two" / "more.html").write_text("", encoding="utf-8")
    one, two = (books.pages(tmp_path / name) for name in ("one", "two"))
    assert books.differences(one, two) == ["effects.html", "more.html"]
    assert books.differences(one, one) == []


def test_stock_papermill_gets_every_page_of_the_book_after_what_it_reads(tmp_path: Path) -> None:
    programme = Programme.read("nsw")
    entries = chapters_of(programme)
    done = Run(programme, tmp_path, "", entries, ("randomised_trial",), ("performance",), {}, 0)
    order = books.jobs(done, tmp_path)
    assert {job["name"] for job in order} == set(done.pages)
    for position, job in enumerate(order):
        assert set(job["after"]) <= {earlier["name"] for earlier in order[:position]}
        assert bool(job["parameters"]) == (job["name"] in {entry.name for entry in entries})
