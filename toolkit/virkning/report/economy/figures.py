"""Figures of a cost–benefit analysis: waterfall, balance over time, spread of the results, what the result hangs on."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ... import language
from ...disclosure import ClearedTable
from ..exhibit import Exhibit, prose
from ..figures import GREY, HEADLINE, LABEL_CHARACTERS, OTHER, PALETTE, drawing_board, finish
from ..tables import require_cleared

_THOUSAND, _MILLION = 1e3, 1e6
_HIDDEN = "There is no figure: too few persons stand behind the numbers."


def shown_in(amounts: pd.DataFrame | pd.Series, currency: str) -> tuple[float, str]:
    """Return by what amounts are divided in a figure, and what then stands at the axis.

    Parameters
    ----------
    amounts : DataFrame or Series
        All that is drawn.
    currency : str
        Of the amounts.
    """
    largest = float(np.abs(amounts.to_numpy(dtype=float)).max(initial=0.0))
    if largest >= _MILLION:
        return _MILLION, f"{currency}, millions"
    return (_THOUSAND, f"{currency}, thousands") if largest >= 10 * _THOUSAND else (1.0, currency)


def said(value: float) -> str:
    """Return a number as it stands in a figure and in its text.

    Parameters
    ----------
    value : float
        In the unit of the axis.
    """
    digits = 0 if abs(value) >= 100 or float(value).is_integer() else 1 if abs(value) >= 10 else 2
    return language.number(value, digits)


def each(rows: pd.DataFrame) -> list[Any]:
    """Return the rows with their columns as attributes.

    Parameters
    ----------
    rows : DataFrame
        Numbers and texts.
    """
    return list(rows.itertuples())


def amount(value: float, _: object = None) -> str:
    """Return a number as it stands at an axis.

    Parameters
    ----------
    value : float
        In the unit of the axis.
    """
    return language.number(value, 0 if float(value).is_integer() else 1 if abs(value) >= 1 else 2)


def _rows(cleared: ClearedTable, *names: str) -> pd.DataFrame:
    """Return the rows whose numbers may be shown, as numbers."""
    require_cleared(cleared)
    rows = cleared.frame.dropna(subset=list(names)).copy()
    rows[list(names)] = rows[list(names)].astype(float)
    return rows


def _labels(axes: Axes, places: np.ndarray, labels: pd.Series) -> None:
    axes.set_yticks(places, [textwrap.fill(str(label), LABEL_CHARACTERS) for label in labels])
    axes.grid(axis="y", visible=False)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(amount)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.axvline(0, color=GREY, linewidth=1.2, linestyle="--", zorder=1)


def _height(labels: pd.Series) -> float:
    lines = [1 + textwrap.fill(str(label), LABEL_CHARACTERS).count("\n") for label in labels]
    return 0.9 + sum(max(0.42, 0.2 * n + 0.12) for n in lines)


def waterfall(cleared: ClearedTable, currency: str) -> Exhibit:
    """Return what is paid and what comes back as bars, each beginning where the one before it ended.

    Parameters
    ----------
    cleared : ClearedTable
        Of :func:`virkning.economy.pictures.waterfall_table`.
    currency : str
        Of the amounts.
    """
    rows, name = _rows(cleared, "amount", "start", "end"), f"{cleared.name}-figure"
    if rows.empty:
        return prose(name, _HIDDEN)
    by, unit = shown_in(rows[["start", "end"]], currency)
    drawn = rows[["amount", "start", "end"]] / by
    places = np.arange(len(rows))[::-1]
    last = len(rows) - 1
    with drawing_board(_height(rows["line"])) as (figure, axes):
        low, high = min(0.0, drawn[["start", "end"]].min().min()), max(0.0, drawn[["start", "end"]].max().max())
        for index, (place, row) in enumerate(zip(places, each(drawn), strict=True)):
            colour = PALETTE[7] if index == last else HEADLINE if row.amount >= 0 else OTHER
            left, right = min(row.start, row.end), max(row.start, row.end)
            axes.barh(place, right - left, left=left, color=colour, height=0.62, zorder=2)
            _write_amount(axes, said(row.amount), (left, right), (low, high), place, is_sum=index == last)
            if index < last:
                axes.plot([row.end] * 2, [place - 0.31, place - 0.69], color=GREY, linewidth=0.8, zorder=1)
        _labels(axes, places, rows["line"])
        axes.margins(x=0.08)
        axes.set_xlabel(unit)
        words = "; ".join(f"{row.line}: {said(row.amount / by)}" for row in each(rows))
        return finish(
            figure,
            name,
            f"{cleared.title}. Blue comes in, orange goes out, the last bar is the sum; present values.",
            f"{cleared.title}, {unit}. {words}.",
            cleared,
        )


def _write_amount(
    axes: Axes, words: str, bar: tuple[float, float], ends: tuple[float, float], place: float, *, is_sum: bool
) -> None:
    """Write a number into its bar where it is long, else beside it on the side where there is room."""
    (left, right), width = bar, ends[1] - ends[0]
    weight = "bold" if is_sum else "normal"
    if right - left > 0.25 * width:
        middle = (left + right) / 2
        axes.text(middle, place, words, ha="center", va="center", fontsize="small", fontweight=weight, color="black")
        return
    is_left = right > ends[0] + 0.72 * width
    axes.annotate(
        words,
        (left if is_left else right, place),
        xytext=(-3 if is_left else 3, 0),
        textcoords="offset points",
        ha="right" if is_left else "left",
        va="center",
        fontsize="small",
        fontweight=weight,
    )


def balance(cleared: ClearedTable, currency: str, level: float) -> Exhibit:
    """Return the cumulative balance of one payer over the years, with its interval.

    Parameters
    ----------
    cleared : ClearedTable
        Of :func:`virkning.economy.pictures.balance_table`.
    currency : str
        Of the amounts.
    level : float
        Of the interval.
    """
    numbers = ("balance", "middle", "lower", "upper", "earned_back")
    rows, name = _rows(cleared, *numbers), f"{cleared.name}-figure"
    if rows.empty:
        return prose(name, _HIDDEN)
    by, unit = shown_in(rows[["balance", "lower", "upper"]], currency)
    drawn, years = rows[["balance", "middle", "lower", "upper"]] / by, rows["year"].astype(int)
    with drawing_board(3.1) as (figure, axes):
        axes.fill_between(years, drawn["lower"], drawn["upper"], color=HEADLINE, alpha=0.18, linewidth=0)
        axes.plot(years, drawn["balance"], color=HEADLINE, linewidth=2.4, marker="o", markersize=4, label="as assumed")
        axes.plot(years, drawn["middle"], color=GREY, linewidth=1.4, linestyle=":", label="middle of the draws")
        axes.axhline(0, color=GREY, linewidth=1.2, linestyle="--", zorder=1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
        axes.yaxis.set_major_formatter(amount)
        axes.set_ylabel(unit)
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, fontsize="small")
        words = "; ".join(
            f"{year}: {said(row.balance)} ({said(row.lower)} to {said(row.upper)})"
            for year, row in zip(years, each(drawn), strict=True)
        )
        return finish(
            figure,
            name,
            f"{cleared.title}, discounted, with the {level:.0%} interval. Above the dashed line it is earned back.",
            f"{cleared.title}, {unit}. {words}.",
            cleared,
        )


def spread(cleared: ClearedTable, currency: str) -> Exhibit:
    """Return how everybody's result spreads over the draws, with how often it is above zero.

    Parameters
    ----------
    cleared : ClearedTable
        Of :func:`virkning.economy.pictures.spread_table`.
    currency : str
        Of the amounts.
    """
    numbers = ("central", "q05", "q25", "q50", "q75", "q95", "pays")
    rows = _rows(cleared, *numbers)
    if rows.empty:
        return prose("spread-figure", _HIDDEN)
    by, unit = shown_in(rows[["q05", "q95"]], currency)
    places = np.arange(len(rows))[::-1]
    labels = pd.Series([f"{row.party}: above zero in {_share(row.pays)} of 100" for row in each(rows)])
    with drawing_board(_height(labels)) as (figure, axes):
        for place, row in zip(places, each(rows), strict=True):
            colour = HEADLINE if row.view == "budget" else PALETTE[2]
            axes.plot([row.q05 / by, row.q95 / by], [place] * 2, color=colour, linewidth=2, alpha=0.55)
            axes.plot([row.q25 / by, row.q75 / by], [place] * 2, color=colour, linewidth=7, solid_capstyle="butt")
            axes.plot(row.q50 / by, place, marker="|", color="white", markersize=8, markeredgewidth=2)
            axes.plot(row.central / by, place, marker="D", color=colour, markersize=6, markeredgecolor="white")
        _labels(axes, places, labels)
        axes.set_xlabel(unit)
        words = "; ".join(
            f"{row.party} ({row.view} view): {said(row.central / by)} as assumed, half of the draws between "
            f"{said(row.q25 / by)} and {said(row.q75 / by)}, above zero in {_share(row.pays)} of 100"
            for row in each(rows)
        )
        return finish(
            figure,
            "spread-figure",
            "Net present values. Thick line: the middle half of the draws, with a white mark at their middle; thin "
            "line: nine in ten of them; diamond: as assumed. Blue is the budget view, green the welfare view.",
            f"Net present values, {unit}. {words}.",
            cleared,
        )


def _share(pays: float) -> str:
    count = round(pays)
    return "fewer than 1" if count < 1 else "more than 99" if count > 99 else str(count)


def tornado(cleared: ClearedTable, central: float, currency: str, most: int = 10) -> Exhibit:
    """Return how far each uncertain input moves the result, the widest first.

    Parameters
    ----------
    cleared : ClearedTable
        Of :meth:`virkning.economy.CostBenefit.tornado`.
    central : float
        The result as assumed.
    currency : str
        Of the result.
    most : int
        How many inputs are drawn; the table holds all.
    """
    rows = _rows(cleared, "low", "high", "at_low", "at_high").head(most)
    name = f"{cleared.name}-figure"
    if rows.empty:
        return prose(name, _HIDDEN)
    by, unit = shown_in(rows[["at_low", "at_high"]], currency)
    places = np.arange(len(rows))[::-1]
    with drawing_board(_height(rows["what"])) as (figure, axes):
        for place, row in zip(places, each(rows), strict=True):
            for value, colour in ((row.at_low, OTHER), (row.at_high, HEADLINE)):
                axes.barh(place, (value - central) / by, left=central / by, color=colour, height=0.6, zorder=2)
        _labels(axes, places, rows["what"])
        axes.axvline(central / by, color="black", linewidth=1.2, zorder=3)
        axes.set_xlabel(unit)
        words = "; ".join(f"{row.what}: {said(row.at_low / by)} to {said(row.at_high / by)}" for row in each(rows))
        return finish(
            figure,
            name,
            f"{cleared.title}. Orange: the input at its low end; blue: at its high end; black line: as assumed; dashed "
            "line: zero.",
            f"{cleared.title}, {unit}; {said(central / by)} as assumed. {words}.",
            cleared,
        )
