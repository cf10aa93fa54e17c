"""Tables for a page and for download: only cleared ones are accepted."""

from __future__ import annotations

import base64
import csv
import io
from typing import Any

import pandas as pd

from .. import language
from ..disclosure import ClearedTable, Column
from ..errors import DisclosureError
from .exhibit import Exhibit, escape

HIDDEN = "hidden"


def table(cleared: ClearedTable) -> Exhibit:
    """Return a cleared table as a page shows it, with its download.

    Parameters
    ----------
    cleared : ClearedTable
        Made by :func:`virkning.clear`.

    Raises
    ------
    DisclosureError
        Something else was given: a frame, or a table that has not been cleared.
    """
    require_cleared(cleared)
    head = "".join(_head_cell(column) for column in cleared.columns)
    body = "".join(_row(cleared, position) for position in range(len(cleared.frame)))
    content = (
        f'<figure class="vk-table" id="table-{escape(cleared.name)}">'
        f'<div class="vk-scroll" role="region" tabindex="0" aria-label="{escape(cleared.title)}">'
        f"<table><caption><span>{escape(cleared.title)}</span></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"<figcaption>{_notes(cleared)}{download(cleared)}</figcaption></figure>"
    )
    return Exhibit("table", cleared.name, content, plain(cleared))


def require_cleared(cleared: object) -> None:
    """Refuse anything that has not been through disclosure control."""
    if not isinstance(cleared, ClearedTable):
        raise DisclosureError(
            "disclosure.not_cleared",
            f"A {type(cleared).__name__} cannot be shown.",
            where="report",
            why="What a notebook prints is a publication; only cleared tables may be printed.",
            do="Make a disclosure.Table and clear it: vk.clear(table, rule).",
        )


def download(cleared: ClearedTable) -> str:
    """Return a link that saves the table as CSV; the file is inside the page, so it works offline."""
    data = base64.b64encode(to_csv(cleared).encode()).decode()
    return (
        f'<a class="vk-download" download="{escape(cleared.name)}.csv" '
        f'href="data:text/csv;charset=utf-8;base64,{data}">'
        f'Download as CSV<span class="vk-sr"> the table «{escape(cleared.title)}»</span></a>'
    )


def to_csv(cleared: ClearedTable) -> str:
    """Return the table as CSV text: UTF-8, decimal points, full precision, hidden cells as ``hidden``."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([column.name for column in cleared.columns])
    for position in range(len(cleared.frame)):
        row: list[Any] = []
        for column in cleared.columns:
            value = cleared.frame[column.name].iloc[position]
            if cleared.hidden[column.name].iloc[position]:
                row.append(HIDDEN)
            elif _is_empty(value):
                row.append("")
            elif column.kind == "count":
                row.append(int(value))
            else:
                row.append(
                    _spreadsheet_safe(value)
                    if isinstance(value, str)
                    else repr(float(value))
                    if column.kind != "text"
                    else value
                )
        writer.writerow(row)
    return stream.getvalue()


def plain(cleared: ClearedTable) -> str:
    """Return the table as plain text."""
    lines = [cleared.title, " | ".join(column.label for column in cleared.columns)]
    for position in range(len(cleared.frame)):
        lines.append(" | ".join(_text(cleared, column, position) for column in cleared.columns))
    return "\n".join(lines)


def formatted(value: Any, column: Column) -> str:
    """Return one value as a reader sees it."""
    if _is_empty(value):
        return ""
    if column.kind == "text":
        return str(value)
    if column.kind == "count":
        return language.number(float(value))
    if column.kind == "p_value":
        return language.p_value(float(value))
    if column.kind == "share":
        return language.number(float(value) * 100, column.digits if column.digits != 2 else 1) + " %"
    return language.number(float(value), column.digits)


def _is_empty(value: Any) -> bool:
    return value is None or (not isinstance(value, str) and bool(pd.isna(value)))


def _spreadsheet_safe(text: str) -> str:
    """Return text that a spreadsheet will not run as a formula."""
    return "'" + text if text[:1] in ("=", "+", "@", "\t", "\r") else text


def _head_cell(column: Column) -> str:
    unit = f' <span class="vk-unit">{escape(column.unit)}</span>' if column.unit else ""
    side = "" if column.kind == "text" else ' class="vk-number"'
    return f'<th scope="col"{side}>{escape(column.label)}{unit}</th>'


def _text(cleared: ClearedTable, column: Column, position: int) -> str:
    if cleared.hidden[column.name].iloc[position]:
        return HIDDEN
    return formatted(cleared.frame[column.name].iloc[position], column)


def _row(cleared: ClearedTable, position: int) -> str:
    cells = []
    for place, column in enumerate(cleared.columns):
        if cleared.hidden[column.name].iloc[position]:
            reason = f"Hidden: fewer than {cleared.threshold} persons, or would show such a number"
            shown = f'<abbr class="vk-hidden" title="{reason}">hidden</abbr>'
        else:
            shown = escape(formatted(cleared.frame[column.name].iloc[position], column))
        if place == 0:
            cells.append(f'<th scope="row">{shown}</th>')
        else:
            cells.append(f"<td>{shown}</td>" if column.kind == "text" else f'<td class="vk-number">{shown}</td>')
    return "<tr>" + "".join(cells) + "</tr>"


def _notes(cleared: ClearedTable) -> str:
    notes = [cleared.note] if cleared.note else []
    if cleared.n_hidden:
        notes.append(
            f"{language.plural(cleared.n_hidden, 'number is', 'numbers are')} hidden to protect persons: "
            f"each rests on fewer than {cleared.threshold} persons or would give such a number away."
        )
    return "".join(f"<p>{escape(note)}</p>" for note in notes)
