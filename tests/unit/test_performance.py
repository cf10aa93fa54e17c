"""The record of the benchmarks: what is measured again takes its place, and the page tells who is slower."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from virkning import performance
from virkning.errors import BookError
from virkning.performance import (
    BOOK,
    CHANGED,
    FIXED,
    FLOOR,
    GOALS,
    N_RUNS,
    NUMERICS,
    OURS,
    PIPELINE,
    RUNNING,
    START,
    STOCK,
    STOCK_BOOK,
    TUNED,
    UNCHANGED,
    Measured,
    read_performance,
    write_performance,
)

DAY, MACHINE = "2026-11-24", "2 × x86_64"


def measured(row: str, contestant: str, cpu_seconds: float, *, size: int = 1, **others: object) -> Measured:
    plain = Measured(row, contestant, size, "1.2.0", cpu_seconds, 1.0, 50.0, 0.0, True, 3, DAY, "3.11.7", MACHINE)
    return dataclasses.replace(plain, **others)  # type: ignore[arg-type]


PIPELINE_ROWS = [
    measured(PIPELINE, name, cpu, size=N_RUNS, memory_mb=40.0)
    for name, cpu in ((STOCK, 300.0), (TUNED, 250.0), (OURS, 40.0), (FLOOR, 35.0))
]
BOOK_ROWS = [
    measured(BOOK, name, cpu, memory_mb=math.nan)
    for name, cpu in (
        (OURS, 10.0),
        (UNCHANGED, 0.2),
        (START, 0.05),
        (STOCK_BOOK, 34.99),
        (RUNNING, 5.0),
        (CHANGED, 4.0),
    )
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "performance.csv"


def reached(file: Path) -> dict[str, tuple[str, str]]:
    frame = performance.goals(file).frame
    return {str(row.what): (str(row.measured), str(row.reached)) for row in frame.itertuples()}


def test_what_is_written_is_read(file: Path) -> None:
    rows = [*BOOK_ROWS, *PIPELINE_ROWS]
    write_performance(rows, file)
    for one, other in zip(read_performance(file), rows, strict=True):
        first, second = dataclasses.astuple(one), dataclasses.astuple(other)
        assert all(a == b or (a != a and b != b) for a, b in zip(first, second, strict=True))


def test_a_row_that_is_measured_again_takes_its_place_only(file: Path) -> None:
    write_performance(
        [*BOOK_ROWS, *PIPELINE_ROWS, measured("x", OURS, 1.0, size=10), measured("x", "p", 2.0, size=10)], file
    )
    write_performance([measured("x", OURS, 1.0, size=99), measured("x", "p", 3.0, size=99)], file)
    write_performance([measured("x", OURS, 7.0, size=10)], file)
    found = read_performance(file)
    assert [(item.contestant, item.cpu_seconds) for item in found if (item.row, item.size) == ("x", 10)] == [
        (OURS, 7.0)
    ]
    assert len([item for item in found if item.size == 99]) == 2
    assert len(found) == len(BOOK_ROWS) + len(PIPELINE_ROWS) + 3


def test_the_best_peer_that_agrees_stands_beside_ours_and_slower_rows_stay(file: Path) -> None:
    rows = [
        measured("slow", OURS, 1.0, size=10),
        measured("slow", NUMERICS, 0.1, size=10),
        measured("slow", "good", 0.5, size=10),
        measured("slow", "worse", 0.6, size=10),
        measured("slow", "other numbers", 0.2, size=10, agrees=False),
        measured("slow", OURS, 1.0, size=1000),
        measured("slow", "worse", 3.0, size=1000),
        measured("slow", "good", math.nan, size=1000, agrees=False),
        measured("alike", OURS, 1.0, size=10),
        measured("alike", "good", 1.05, size=10),
        measured("alone", OURS, 1.0, size=10),
        measured("alone", "other numbers", 1.0, size=10, agrees=False),
    ]
    write_performance(rows, file)
    few, many = performance.estimators(file)
    assert [(row.row, row.peer, row.verdict) for row in few.frame.itertuples()] == [
        ("alike", "good", "as quick"),
        ("alone", "none gave the same numbers", "alone"),
        ("slow", "good", "slower"),
    ]
    assert few.frame["ratio"].iloc[2] == pytest.approx(0.5)
    assert [(row.row, row.peer, row.ratio, row.verdict) for row in many.frame.itertuples()] == [
        ("slow", "worse", 3.0, "quicker")
    ]


def test_goals_are_computed_and_none_is_reached_by_rounding(file: Path) -> None:
    write_performance([*BOOK_ROWS, *PIPELINE_ROWS], file)
    verdicts = [verdict for _, verdict in reached(file).values()]
    # 7.5, 6.25, 1.14, 40 MB; 3.499, 7.0, 0.15 s, 2 %, 40 %.
    assert verdicts == ["yes", "yes", "yes", "yes", "no", "yes", "yes", "yes", "no"]
    assert reached(file)["Memory of one more run at once"] == ("40 MB", "yes")


def test_what_nobody_measured_is_not_reached(file: Path) -> None:
    write_performance([measured(PIPELINE, OURS, 4.0, size=N_RUNS - 1), *BOOK_ROWS], file)
    found = list(reached(file).values())
    assert found[:4] == [("not measured", "not measured")] * 4
    assert len(found) == len(GOALS)
    assert len(performance.seconds(file).frame) == len(BOOK_ROWS)


def test_no_record(file: Path) -> None:
    with pytest.raises(BookError, match="No benchmarks"):
        read_performance(file)


def test_shipped_record_names_versions_and_agreeing_peers() -> None:
    found = read_performance()
    assert {item.contestant for item in found if item.row not in (PIPELINE, BOOK)} > {OURS, "statsmodels"}
    assert f"{OURS} " in performance.when_and_where()
    assert all(item.cpu_seconds > 0 for item in found if item.agrees)


def test_what_a_small_change_must_cost(file: Path) -> None:
    write_performance(BOOK_ROWS, file)
    assert "not measured" in performance.limit(file)
    parts = [measured(BOOK, name, 0.75, memory_mb=math.nan) for name in FIXED]
    write_performance([*BOOK_ROWS, *parts], file)
    said = performance.limit(file)
    assert "takes 4.0 seconds" in said
    assert said.count("0.8 seconds for") == len(FIXED)
    assert "are 30% of the latter" in said
