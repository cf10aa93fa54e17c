"""Figures of what a design shows beside its estimate: paths over time, curves and fitted lines, from cleared tables."""

from __future__ import annotations

import textwrap
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .. import language
from ..designs.findings import Drawing
from ..disclosure import ClearedTable, Column
from .exhibit import Exhibit, prose
from .figures import GREY, LABEL_CHARACTERS, PALETTE, drawing_board, finish
from .tables import formatted, require_cleared

PER_HUNDRED = 100.0
# More letters than this do not stand side by side along the axis of a narrow figure.
LETTERS_ACROSS = 42


def curve(cleared: ClearedTable, drawing: Drawing) -> Exhibit:
    """Return a cleared table as points, lines or steps.

    Parameters
    ----------
    cleared : ClearedTable
        Holds the columns that the drawing names; rows with a hidden or missing value are left out.
    drawing : Drawing
        How the rows are drawn.
    """
    require_cleared(cleared)
    columns = {column.name: column for column in cleared.columns}
    needed = [name for name in (drawing.x, drawing.y, drawing.lower, drawing.upper, *(drawing.band or ())) if name]
    rows = cleared.frame.dropna(subset=[drawing.x, drawing.y]).copy()
    name = f"{cleared.name}-figure"
    if rows.empty:
        return prose(name, "There is no figure: no row may be shown.")
    rows[needed] = rows[needed].astype(float)
    across, up = columns[drawing.x], columns[drawing.y]
    for value in needed[1:]:
        rows[value] *= PER_HUNDRED if up.kind == "share" else 1.0
    with drawing_board(3.4) as (figure, axes):
        parts = rows.groupby(drawing.series, sort=False) if drawing.series else [("", rows)]
        for colour, (label, part) in zip(PALETTE * 3, parts, strict=False):
            _draw(axes, part, drawing, str(label), colour)
        if drawing.has_zero_line:
            axes.axhline(0, color=GREY, linewidth=1.2, linestyle="--", zorder=1)
        if drawing.start is not None:
            axes.axvline(drawing.start, color=GREY, linewidth=1.4, linestyle=":", zorder=1)
            axes.annotate(
                f" {drawing.start_label}", (drawing.start, 1), xycoords=("data", "axes fraction"), va="top", color=GREY
            )
        axes.yaxis.set_major_formatter(lambda value, _: language.number(value, 0 if float(value).is_integer() else 2))
        _write_x_axis(axes, rows, drawing, across)
        axes.set_ylabel("per 100" if up.kind == "share" and not up.unit else _axis(up))
        axes.margins(x=0.03)
        if drawing.series and rows[drawing.series].nunique() > 1:
            axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize="small")
        return finish(figure, name, drawing.caption, _alternative(cleared, rows.index, drawing, columns), cleared)


def _write_x_axis(axes: Axes, rows: pd.DataFrame, drawing: Drawing, column: Column) -> None:
    """Write what stands along the x axis: names of places, whole numbers, or amounts."""
    if drawing.x_labels:
        named = rows.drop_duplicates(drawing.x)
        labels = [textwrap.fill(str(label), LABEL_CHARACTERS) for label in named[drawing.x_labels]]
        axes.set_xticks(named[drawing.x], labels)
        if max(map(len, labels)) * len(labels) > LETTERS_ACROSS:
            for text in axes.get_xticklabels():
                text.set(rotation=35, ha="right", rotation_mode="anchor")
        return
    if drawing.names_x:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}".replace("-", "−"))
    axes.set_xlabel(_axis(column))


def _draw(axes: Axes, rows: pd.DataFrame, drawing: Drawing, label: str, colour: str) -> None:
    """Draw one series in its own style."""
    style = drawing.styles.get(label, "points")
    x, y = rows[drawing.x].to_numpy(), rows[drawing.y].to_numpy()
    step: Literal["post"] | None = "post" if style == "step" else None
    if drawing.band:
        outer = [rows[name].to_numpy() for name in drawing.band]
        axes.fill_between(x, outer[0], outer[1], color=colour, alpha=0.18, linewidth=0)
    if drawing.lower and drawing.upper:
        lower, upper = rows[drawing.lower].to_numpy(), rows[drawing.upper].to_numpy()
        if style == "points":
            axes.vlines(x, lower, upper, color=colour, linewidth=2.4, alpha=0.8)
        else:
            axes.fill_between(x, lower, upper, step=step, color=colour, alpha=0.18, linewidth=0)
    if style == "points":
        axes.plot(x, y, linestyle="", marker="o", markersize=6.5, color=colour, markeredgecolor="white", label=label)
    else:
        dashes = "--" if style == "dashed" else "-"
        draw = "steps-post" if step else "default"
        axes.plot(x, y, color=colour, linewidth=2.4, linestyle=dashes, drawstyle=draw, label=label)


def _place(row: pd.Series, drawing: Drawing, columns: dict[str, Column]) -> str:
    if drawing.x_labels:
        return str(row[drawing.x_labels])
    name = columns[drawing.x].label
    value = row[drawing.x]
    return f"{name} {value:.0f}" if drawing.names_x else f"{name} {formatted(value, columns[drawing.x])}"


def _axis(column: Column) -> str:
    return f"{column.label}, {column.unit}" if column.unit and column.unit not in column.label else column.label


def _alternative(cleared: ClearedTable, shown: pd.Index, drawing: Drawing, columns: dict[str, Column]) -> str:
    """Return the ends of every series in words; the table below the figure holds all rows."""
    said = []
    frame = cleared.frame.loc[shown]
    parts = frame.groupby(drawing.series, sort=False) if drawing.series else [("", frame)]
    for label, part in parts:
        ends = part.iloc[[0, -1]] if len(part) > 1 else part.iloc[[0]]
        words = "; ".join(
            f"{_place(row, drawing, columns)}: {formatted(row[drawing.y], columns[drawing.y])}"
            for _, row in ends.iterrows()
        )
        said.append(f"{label!s}: {words}" if drawing.series else words)
    return f"{drawing.caption} First and last values. {'. '.join(said)}. The table holds all values."
