"""What a design shows beside its estimate: a question, a sentence, a table, and how the table is drawn.

A path over the periods, a curve of those still out of work, the weights of the donors: each design has its own, and
every one has this form, so that chapters need not know which design they show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ..disclosure import Table

Style = Literal["points", "line", "dashed", "step"]


@dataclass(frozen=True)
class Drawing:
    """How the rows of a table become one figure.

    Attributes
    ----------
    x, y : str
        Columns of the table; both numbers.
    caption : str
        What the figure shows, one sentence.
    series : str, optional
        Text column; rows with the same text are drawn in one colour and named in the legend.
    lower, upper : str, optional
        Columns with the ends of the interval of ``y``: bars for points, a band for lines.
    band : tuple of str, optional
        Columns with the ends of a wider interval, drawn as a band behind the others.
    styles : mapping
        Text of the series to how it is drawn; ``points`` when not named.
    start : float, optional
        Place on the x axis of a vertical line: where the programme, or the cutoff, lies.
    start_label : str
        What lies there.
    has_zero_line : bool
        Draw the line of no effect.
    names_x : bool
        The x axis shows whole numbers without thousands separators, such as years.
    x_labels : str, optional
        Text column with what stands at each place of the x axis instead of its number.
    """

    x: str
    y: str
    caption: str
    series: str | None = None
    lower: str | None = None
    upper: str | None = None
    band: tuple[str, str] | None = None
    styles: Mapping[str, Style] = field(default_factory=lambda: MappingProxyType({}))
    start: float | None = None
    start_label: str = "start"
    has_zero_line: bool = False
    names_x: bool = False
    x_labels: str | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that a design shows beside its estimate.

    Attributes
    ----------
    name : str
        Short name, unique in a design, with hyphens.
    question : str
        What the reader asks.
    explanation : str
        What was computed, one or two plain sentences.
    sentence : str
        What came out; its numbers are computed, and tell of no small group.
    table : Table
        The numbers, not yet cleared: every column names the number of persons that it rests on.
    drawing : Drawing, optional
        How the table is drawn; a table alone when left out.
    """

    name: str
    question: str
    explanation: str
    sentence: str
    table: Table
    drawing: Drawing | None = None
