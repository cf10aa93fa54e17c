"""Curves are drawn from cleared tables only, in every style, with the numbers in their alternative text."""

import base64
import re

import pandas as pd
import pytest

from virkning.designs.findings import Drawing, Style
from virkning.disclosure import Column, DisclosureRule, Table, clear
from virkning.errors import DisclosureError
from virkning.report import Exhibit, curves

COLUMNS = (
    Column("year", "Year", "number", digits=0),
    Column("group", "Group"),
    Column("share", "In work", "share", persons="n"),
    Column("lower", "From", "share", persons="n"),
    Column("upper", "To", "share", persons="n"),
)


def path(n: int = 20) -> Table:
    years, groups = [2000, 2001, 2002] * 2, ["before"] * 3 + ["after"] * 3
    share = [0.1, 0.2, 0.3, 0.2, 0.3, 0.5]
    frame = pd.DataFrame({"year": years, "group": groups, "share": share, "n": [20] * 5 + [n]})
    return Table("path", "Path", COLUMNS, frame.assign(lower=frame["share"] - 0.05, upper=frame["share"] + 0.05))


def drawn(table: Table, **changes: object) -> Exhibit:
    drawing = Drawing("year", "share", "A path.", "group", "lower", "upper", names_x=True, **changes)  # type: ignore[arg-type]
    return curves.curve(clear(table, DisclosureRule()), drawing)


def image(exhibit: Exhibit) -> bytes:
    found = re.search(r'base64,([^"]+)"', exhibit.content)
    assert found
    return base64.b64decode(found[1])


def test_alternative_text_holds_first_and_last_values_of_each_series() -> None:
    text = drawn(path()).text
    assert "before: Year 2000: 10.0 %; Year 2002: 30.0 %" in text
    assert "after: Year 2000: 20.0 %; Year 2002: 50.0 %" in text


@pytest.mark.parametrize("style", ["points", "line", "dashed", "step"])
def test_every_style_gives_its_own_picture_with_the_same_bytes_each_time(style: Style) -> None:
    exhibit = drawn(path(), styles={"after": style}, start=2001.0, has_zero_line=True)
    assert image(exhibit).startswith(b"<?xml")
    assert exhibit.content == drawn(path(), styles={"after": style}, start=2001.0, has_zero_line=True).content
    others = [other for other in ("points", "line", "dashed", "step") if other != style]
    assert all(image(exhibit) != image(drawn(path(), styles={"after": other}, start=2001.0)) for other in others)


def test_a_hidden_value_is_not_drawn() -> None:
    hidden = drawn(path(n=2))
    assert "50.0" not in hidden.text
    assert image(hidden) != image(drawn(path()))


def test_an_empty_table_says_that_there_is_no_figure() -> None:
    table = path()
    empty = Table(table.name, table.title, table.columns, table.frame.iloc[:0])
    assert "no figure" in drawn(empty).text


def test_a_table_that_was_not_cleared_is_refused() -> None:
    with pytest.raises(DisclosureError):
        curves.curve(path(), Drawing("year", "share", "A path."))  # type: ignore[arg-type]
