"""Figures drawn with seaborn from cleared tables and estimates only, never from persons.

One palette that colour-blind readers can tell apart, an alternative text that holds the numbers, the data below.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import language
from ..disclosure import ClearedTable
from ..estimates import Estimate
from . import benchmarks
from .exhibit import Exhibit, escape, prose
from .front_page import answers
from .sentences import Scale, headline_text, term_label
from .tables import download, require_cleared

PALETTE = tuple(sns.color_palette("colorblind").as_hex())
HEADLINE, OTHER, GREY = PALETTE[0], PALETTE[1], "#595959"
# A page on a phone is about 360 pixels wide: a narrow figure keeps its letters readable there.
WIDTH_INCHES = 4.8
LABEL_CHARACTERS = 24


@contextmanager
def drawing_board(height_inches: float) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure of the house style that is on no global list, so that nothing leaks between chapters."""
    style = sns.axes_style("whitegrid") | sns.plotting_context("notebook", font_scale=0.95)
    style |= {"svg.hashsalt": "virkning", "svg.fonttype": "path", "font.family": "DejaVu Sans", "axes.edgecolor": GREY}
    with mpl.rc_context(style):
        figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained", facecolor="white")
        yield figure, figure.subplots()


def finish(figure: Figure, name: str, caption: str, alternative: str, cleared: ClearedTable | None = None) -> Exhibit:
    """Return the drawn figure as an exhibit with the same bytes every time."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    image = base64.b64encode(stream.getvalue()).decode()
    content = (
        f'<figure class="vk-figure"><img class="dark-light" alt="{escape(alternative)}" '
        f'src="data:image/svg+xml;base64,{image}">'
        f"<figcaption><p>{escape(caption)}</p>{download(cleared) if cleared else ''}</figcaption></figure>"
    )
    return Exhibit("figure", name, content, alternative)


def _thousands(value: float, _: float) -> str:
    """Return an axis label with the separators that the text uses, and with as many decimals as it needs."""
    digits = next((d for d in range(5) if abs(round(value, d) - value) < 1e-9 * max(abs(value), 1.0)), 5)
    return language.number(value, digits)


def _intervals(axes: Axes, rows: pd.DataFrame, colours: Sequence[str]) -> None:
    """Draw one point with its interval per row, the first row on top, and the line of no effect."""
    places = np.arange(len(rows))[::-1]
    axes.axvline(0, color=GREY, linewidth=1.2, linestyle="--")
    for place, colour, (_, row) in zip(places, colours, rows.iterrows(), strict=True):
        axes.plot([row["lower"], row["upper"]], [place, place], color=colour, linewidth=3.2, solid_capstyle="round")
        axes.plot(row["value"], place, marker="o", color=colour, markersize=9, markeredgecolor="white")
    axes.set_yticks(places, list(rows["label"]))
    axes.locator_params(axis="x", nbins=5)  # More of them run into each other beside long names.
    axes.xaxis.set_major_formatter(_thousands)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(axis="y", visible=False)
    sns.despine(ax=axes, left=True)


def _read_aloud(rows: pd.DataFrame, digits: int) -> str:
    """Return the rows of a picture of intervals as text."""
    said = []
    for _, row in rows.iterrows():
        value, lower, upper = (language.number(float(row[name]), digits) for name in ("value", "lower", "upper"))
        said.append(f"{' '.join(str(row['label']).split())}: {value} ({lower} to {upper})")
    return "; ".join(said)


def headline(estimate: Estimate) -> Exhibit:
    """Return the headline effect as one point with its interval against the line of no effect."""
    if not estimate.is_available:
        return prose(f"headline-{estimate.estimand.measure}", "There is no figure, since there is no estimate.")
    best = estimate.headline()
    scale = Scale.of(estimate.estimand, best.value)
    rows = pd.DataFrame([{"label": "", "value": best.value, "lower": best.lower, "upper": best.upper}])
    rows[["value", "lower", "upper"]] *= scale.factor
    with drawing_board(1.5) as (figure, axes):
        _intervals(axes, rows, [HEADLINE])
        for name in ("lower", "value", "upper"):
            axes.annotate(
                scale.say(getattr(best, name)),
                (rows[name].iloc[0], 0),
                textcoords="offset points",
                xytext=(0, 10),
                ha="center",
                fontweight="bold" if name == "value" else "normal",
            )
        axes.set_yticks([])
        axes.set_xlabel(f"Difference, {scale.unit}  (dashed line: no effect)")
        return finish(
            figure,
            f"headline-{estimate.estimand.measure}",
            f"{estimate.estimand.outcome}: best estimate (point) and {best.level:.0%} confidence interval (line).",
            headline_text(estimate),
        )


def effects(estimate: Estimate, cleared: ClearedTable) -> Exhibit:
    """Return the declared estimate and those beside it as points with their intervals.

    Parameters
    ----------
    estimate : Estimate
        Its answers, as :func:`~virkning.report.answer.answers` gives them; the first is drawn in the headline colour.
    cleared : ClearedTable
        The same numbers, for download.
    """
    require_cleared(cleared)
    if not estimate.is_available:
        return prose(f"effects-{estimate.estimand.measure}", estimate.unavailable_reason)
    scale = Scale.of(estimate.estimand, estimate.headline().value)
    shown = answers(estimate)
    rows = shown[["value", "lower", "upper"]] * scale.factor
    rows.insert(0, "label", [textwrap.fill(term_label(term), LABEL_CHARACTERS) for term in shown["term"]])
    beside = " (first line) beside the alternatives" if len(rows) > 1 else ""
    # Names of several lines need room, so that one does not run into the next.
    row_inches = max(0.62, 0.22 * (1 + max(label.count("\n") for label in rows["label"])) + 0.05)
    with drawing_board(0.9 + row_inches * len(rows)) as (figure, axes):
        benchmarks.draw(axes, estimate, scale.factor, PALETTE[2])
        _intervals(axes, rows, [HEADLINE, *[OTHER] * (len(rows) - 1)])
        axes.set_xlabel(f"Difference, {scale.unit}")
        said, known = _read_aloud(rows, scale.digits), benchmarks.note(estimate, scale.with_unit)
        return finish(
            figure,
            f"effects-{estimate.estimand.measure}",
            f"{estimate.estimand.outcome}: the declared estimate{beside}, "
            f"with {estimate.level:.0%} confidence intervals."
            + (f"{known} It is the dotted line, its interval the band." if known else ""),
            f"{estimate.estimand.outcome}, difference in {scale.unit}. {said}.{known}",
            cleared,
        )


def groups(cleared: ClearedTable, *, scale: Scale, overall: float | None, name: str, caption: str) -> Exhibit:
    """Return the effect in each group with its interval, and the effect on everybody as a dotted line.

    Parameters
    ----------
    cleared : ClearedTable
        Columns ``subgroup``, ``group``, ``value``, ``lower``, ``upper``; rows whose numbers are hidden are left out.
    scale : Scale
        How values are said.
    overall : float, optional
        Effect on everybody, in the outcome's unit; None when there is no estimate.
    """
    require_cleared(cleared)
    rows = cleared.frame.dropna(subset=["value", "lower", "upper"])
    if rows.empty:
        return prose(name, "There is no figure: no declared group has an estimate that may be shown.")
    rows = rows.assign(
        label=[textwrap.fill(f"{row.subgroup}: {row.group}", LABEL_CHARACTERS) for row in rows.itertuples()]
    )
    rows[["value", "lower", "upper"]] = rows[["value", "lower", "upper"]].astype(float) * scale.factor
    with drawing_board(1.0 + 0.5 * max(len(rows), 1)) as (figure, axes):
        _intervals(axes, rows, [HEADLINE] * len(rows))
        if overall is not None:
            axes.axvline(overall * scale.factor, color=OTHER, linewidth=1.5, linestyle=":")
        axes.set_xlabel(f"Difference, {scale.unit}")
        said = _read_aloud(rows, scale.digits)
        return finish(figure, name, caption, f"Effect by group, difference in {scale.unit}. {said}.", cleared)


def love_plot(cleared: ClearedTable, threshold: float) -> Exhibit:
    """Return the standardised difference of each baseline trait between the two groups, with the limit of concern.

    Parameters
    ----------
    cleared : ClearedTable
        Columns ``label`` and ``standardised_difference``; rows whose number is hidden are left out.
    threshold : float
        Limit of concern, in standard deviations.
    """
    require_cleared(cleared)
    rows = cleared.frame.dropna(subset=["standardised_difference"])
    if rows.empty:
        return prose("love-plot", "There is no figure: no trait was named, or none may be shown.")
    values = rows["standardised_difference"].astype(float).to_numpy()
    places = np.arange(len(rows))[::-1]
    with drawing_board(1.0 + 0.36 * max(len(rows), 1)) as (figure, axes):
        axes.axvspan(-threshold, threshold, color=PALETTE[2], alpha=0.15, linewidth=0)
        axes.axvline(0, color=GREY, linewidth=1.2, linestyle="--")
        outside = np.abs(values) > threshold
        axes.scatter(values[~outside], places[~outside], s=60, color=HEADLINE, zorder=3)
        axes.scatter(values[outside], places[outside], s=70, color=OTHER, marker="D", zorder=3)
        axes.set_yticks(places, [textwrap.fill(str(label), LABEL_CHARACTERS) for label in rows["label"]])
        reach = max(float(np.abs(values).max(initial=0.0)), threshold) * 1.25
        axes.set_xlim(-reach, reach)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("Standardised difference")
        sns.despine(ax=axes, left=True)
        said = "; ".join(f"{label}: {value:.2f}" for label, value in zip(rows["label"], values, strict=True))
        return finish(
            figure,
            "love-plot",
            f"How alike the two groups were before the start. Shaded: within {threshold:g} standard deviations; "
            "diamonds lie outside.",
            f"Standardised differences before the start. {said}.",
            cleared,
        )


def power_curve(curve: pd.DataFrame, *, scale: Scale, smallest: float, target: float, cleared: ClearedTable) -> Exhibit:
    """Return the chance of seeing an effect against its true size.

    Parameters
    ----------
    curve : DataFrame
        Columns ``effect`` (the outcome's unit) and ``power`` (0 to 1).
    scale : Scale
        How effects are said.
    smallest : float
        Minimum detectable effect, in the outcome's unit.
    target : float
        Power at which it is defined, 0 to 1.
    """
    require_cleared(cleared)
    with drawing_board(2.9) as (figure, axes):
        axes.plot(curve["effect"] * scale.factor, curve["power"] * 100, color=HEADLINE, linewidth=3)
        axes.axhline(target * 100, color=GREY, linestyle="--", linewidth=1.2)
        axes.axvline(smallest * scale.factor, color=OTHER, linestyle=":", linewidth=2)
        axes.annotate(
            f"{scale.say(smallest)}",
            (smallest * scale.factor, 4),
            textcoords="offset points",
            xytext=(6, 0),
            fontweight="bold",
        )
        axes.set_ylim(0, 100)
        axes.xaxis.set_major_formatter(_thousands)
        axes.set_xlabel(f"True effect, {scale.unit}")
        axes.set_ylabel("Chance of seeing it, %")
        sns.despine(ax=axes)
        words = f"An effect of {scale.with_unit(smallest)} would have been seen in {target:.0%} of such evaluations."
        return finish(
            figure, "power", "How large an effect had to be to be seen in an evaluation of this size.", words, cleared
        )
