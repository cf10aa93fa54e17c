"""What a sweep varies: values, exact ranges, tables; how many runs there are is known before any is made."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from virkning.errors import UsageError
from virkning.sweep import Grid, read_sets
from virkning.sweep.axes import Relative


def values(text: str) -> list[object]:
    return [cell["x"] for cell in Grid.of([f"x={text}"])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.8,0.9, 0.95", ["0.8", "0.9", "0.95"]),
        # In binary fractions the last one would be 0.06999999999999999, or be lost.
        ("0.01:0.07:0.01", ["0.01", "0.02", "0.03", "0.04", "0.05", "0.06", "0.07"]),
        ("3:1:-1", ["3", "2", "1"]),
        ("0:1:0.4", ["0.0", "0.4", "0.8"]),
        ("1,10:20:5", ["1", "10", "15", "20"]),
        ("1e-2:2e-2:5e-3", ["0.010", "0.015", "0.020"]),
        ("hc1,hc2", ["hc1", "hc2"]),
        ('["a","b"],["c"]', ['["a","b"]', '["c"]']),
        ('"north, south","1:3:1"', ["north, south", "1:3:1"]),
        ("0301", ["0301"]),
        ("12:30", ["12:30"]),
    ],
)
def test_values_and_ranges_are_read_exactly(text: str, expected: list[str]) -> None:
    assert values(text) == expected


def test_relative_values_are_worked_out_in_decimals() -> None:
    assert [each.of(Decimal("0.035")) for each in values("*0.9,+-0.005,*1:2:0.5") if isinstance(each, Relative)] == [
        "0.0315",
        "0.03",
        "0.035",
        "0.0525",
        "0.07",
    ]


def test_axes_are_crossed_with_the_last_changing_fastest() -> None:
    grid = Grid.of(["a=1,2", "b=x,y"])
    assert [(cell["a"], cell["b"]) for cell in grid] == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]
    assert (grid.n, grid.paths) == (4, ("a", "b"))


def test_zipped_axes_go_side_by_side() -> None:
    grid = Grid.of(["a=1,2", "b=x,y"], is_zipped=True)
    assert [(cell["a"], cell["b"]) for cell in grid] == [("1", "x"), ("2", "y")]
    assert grid.n == 2


def test_the_number_of_runs_is_counted_without_making_them() -> None:
    assert Grid.of(["a=0:1:0.000000001", "b=0:1:0.000000001"]).n == (10**9 + 1) ** 2


def test_sets_come_from_a_table_and_are_crossed_with_axes(tmp_path: Path) -> None:
    file = tmp_path / "sets.csv"
    file.write_text("\ufeffdesign.confidence;seed\n0.9;1\n;*2\n", encoding="utf-8")
    sets = read_sets(file)
    assert sets == ({"design.confidence": "0.9", "seed": "1"}, {"seed": Relative("*", Decimal(2))})
    grid = Grid.of(["title=A,B"], sets)
    assert (grid.n, len(list(grid)), grid.paths) == (4, 4, ("design.confidence", "seed", "title"))


@pytest.mark.parametrize("text", ["", "a\n", "a,b\n1\n", "a,a\n1,2\n", ",b\n1,2\n", "a\n\n\n"])
def test_a_table_that_cannot_be_understood_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sets.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"Row|first line"):
        read_sets(file)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_sets(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("over", "is_zipped", "code"),
    [
        ([], False, "usage.nothing_varied"),
        (["a"], False, "usage.over"),
        (["a="], False, "usage.over"),
        (["=1"], False, "usage.over"),
        (["a=1,,2"], False, "usage.over"),
        (["a=1:2:0"], False, "usage.over"),
        (["a=1:2:-1"], False, "usage.over"),
        (["a=0:1e40:1e-40"], False, "usage.over"),
        (["a=*much"], False, "usage.over"),
        (['a="open'], False, "usage.over"),
        (["a=1", "a=2"], False, "usage.repeated_path"),
        (["a=1,2", "b=1"], True, "usage.zip_lengths"),
    ],
)
def test_what_cannot_be_varied_is_refused(over: list[str], is_zipped: bool, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        Grid.of(over, is_zipped=is_zipped)
    assert caught.value.code == code
    assert caught.value.do
