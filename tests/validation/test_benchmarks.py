"""The rows of the benchmarks give the same numbers as the peers, and what is measured can be believed."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from benchmarks import __main__ as bench  # noqa: E402
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
