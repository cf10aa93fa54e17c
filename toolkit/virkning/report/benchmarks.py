"""How far estimates land from what a stronger design found: in words, in a table's column and behind a figure."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING

import pandas as pd

from .. import language
from ..disclosure import Column
from ..estimand import Benchmark
from ..estimates import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DISTANCE = "from_benchmark"


def column(estimate: Estimate, frame: pd.DataFrame, digits: int) -> tuple[pd.DataFrame, tuple[Column, ...]]:
    """Return the frame of an effects table with each value's distance from the benchmark, and the column to show.

    Parameters
    ----------
    estimate : Estimate
        Without a benchmark the frame comes back as it is, with no column.
    frame : DataFrame
        Columns ``value`` and ``persons`` (how many persons a value rests on).
    digits : int
        Decimals of the values.
    """
    benchmark = estimate.estimand.benchmark
    if benchmark is None:
        return frame, ()
    shown = Column(DISTANCE, "From the benchmark", "number", digits=digits, persons="persons")
    return frame.assign(**{DISTANCE: frame["value"] - benchmark.value}), (shown,)


def note(estimate: Estimate, say: Callable[[float], str]) -> str:
    """Return a line below a table or a figure that names the benchmark; empty without one."""
    benchmark = estimate.estimand.benchmark
    if benchmark is None:
        return ""
    return f" Benchmark: {benchmark.label}, {say(benchmark.value)} (standard error {say(benchmark.std_error)})."


def text(estimate: Estimate, with_unit: Callable[[float], str]) -> str:
    """Return how far the estimates lie from the benchmark, as a paragraph of Markdown; empty without one.

    Parameters
    ----------
    estimate : Estimate
        Every term is held against the benchmark.
    with_unit : callable
        Says a value in the outcome's unit.
    """
    benchmark = estimate.estimand.benchmark
    if benchmark is None or not estimate.is_available:
        return ""
    distances = estimate.effects["value"].astype(float) - benchmark.value
    n, near = len(distances), int((distances.abs() <= benchmark.std_error).sum())

    def side(distance: float) -> str:
        return f"{with_unit(abs(distance))} {'above' if distance >= 0 else 'below'}"

    lines = (
        f" Of the {language.number(n)} estimates shown, {language.number(near)} lie within one standard error of the "
        f"benchmark; the lowest lies {side(distances.min())} it, the highest {side(distances.max())} it."
        if n > 1
        else ""
    )
    return (
        f"**Held against a benchmark.** {benchmark.label} found {with_unit(benchmark.value)}, with a standard error of "
        f"{with_unit(benchmark.std_error)} {{cite:p}}`{benchmark.source}`. The declared estimate lies "
        f"{side(distances.iloc[0])} that.{lines}"
    )


def reach(benchmark: Benchmark, level: float) -> tuple[float, float]:
    """Return the benchmark's confidence interval, by the normal distribution.

    >>> [round(end) for end in reach(Benchmark(label="B", value=1794, std_error=633, source="B"), 0.95)]
    [553, 3035]
    """
    half = NormalDist().inv_cdf(0.5 + level / 2) * benchmark.std_error
    return benchmark.value - half, benchmark.value + half


def draw(axes: Axes, estimate: Estimate, factor: float, colour: str) -> None:
    """Draw the benchmark as a dotted line with its interval as a band; nothing without one."""
    benchmark = estimate.estimand.benchmark
    if benchmark is None:
        return
    lower, upper = reach(benchmark, estimate.level)
    axes.axvspan(lower * factor, upper * factor, color=colour, alpha=0.15, linewidth=0, zorder=0)
    axes.axvline(benchmark.value * factor, color=colour, linewidth=2.2, linestyle=":", zorder=1)
