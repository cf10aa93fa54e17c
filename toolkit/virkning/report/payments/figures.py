"""Figures of the payment chapter: the waterfall, money over time, and how payments spread over the draws."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import seaborn as sns

from ... import language
from ...contract import CashFlows, Contract
from ...disclosure import ClearedTable
from ...money import ZERO, exact, in_words
from ..exhibit import Exhibit, prose
from ..figures import GREY, HEADLINE, OTHER, PALETTE, drawing_board, finish
from ..tables import require_cleared
from .tables import FLOWS, label

WIDE = 22
# Money paid in goes straight to delivery, a guarantee straight to the investor: neither passes through the waterfall.
INFLOW = "outcome_payment"
OUTFLOWS = frozenset(FLOWS) - {INFLOW, "drawdown", "guarantee"}


def _size(largest: float) -> tuple[float, str]:
    """Return what amounts are divided by on an axis, and the word for it."""
    return (1e6, "million ") if largest >= 2e6 else (1e3, "thousand ") if largest >= 2e3 else (1.0, "")


def waterfall(contract: Contract, flows: CashFlows, cleared: ClearedTable) -> Exhibit:
    """Return how the payments come in, payer by payer, and flow out again, step by step, down to nothing.

    Parameters
    ----------
    contract : Contract
        With a waterfall.
    flows : CashFlows
        Of the settlement.
    cleared : ClearedTable
        The same sums, for download.
    """
    require_cleared(cleared)
    steps = _steps(contract, flows)
    if not steps:
        return prose("waterfall", "There is no figure: no payment flows.")
    factor, word = _size(float(max(amount for _, amount, _ in steps)))
    with drawing_board(0.8 + 0.5 * len(steps)) as (figure, axes):
        held = 0.0
        names = []
        for place, (name, amount, is_in) in enumerate(steps):
            size = float(amount) / factor
            left = held if is_in else held - size
            axes.barh(-place, size, left=left, height=0.62, color=HEADLINE if is_in else OTHER)
            held = held + size if is_in else held - size
            axes.annotate(
                in_words(amount, contract.currency).removesuffix(".00"),
                (left + size, -place),
                textcoords="offset points",
                xytext=(4, 0),
                va="center",
                fontsize="small",
            )
            names.append(textwrap.fill(name, WIDE))
        axes.set_yticks([-place for place in range(len(steps))], names)
        top = max(sum(float(amount) for _, amount, is_in in steps if is_in) / factor, 1e-9)
        axes.set_xlim(0, top * 1.3)
        axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel(f"{word}{contract.currency}")
        axes.grid(axis="y", visible=False)
        sns.despine(ax=axes, left=True)
        said = "; ".join(
            f"{name}: {in_words(amount, contract.currency)} {'in' if is_in else 'out'}" for name, amount, is_in in steps
        )
        return finish(
            figure,
            "waterfall",
            "The waterfall over the whole contract: outcome payments come in (blue), and each step takes its part "
            "(orange) until nothing is left.",
            f"Waterfall, amounts in {contract.currency}. {said}.",
            cleared,
        )


def _steps(contract: Contract, flows: CashFlows) -> list[tuple[str, Decimal, bool]]:
    """Return name, amount and direction of each bar: payers in the order of the contract, then the steps."""
    sums: dict[tuple[str, bool], Decimal] = {}
    order: dict[tuple[str, bool], tuple[int, int]] = {}
    parties = list(contract.parties)
    with exact():
        for flow in flows.flows:
            if flow.kind == INFLOW:
                key, rank = (f"{label(contract, flow.payer)} pays", True), (0, parties.index(flow.payer))
            elif flow.kind in OUTFLOWS:
                what = FLOWS[flow.kind]
                key, rank = (f"{what.capitalize()}: {label(contract, flow.payee)}", False), (1, _step_of(flow.term))
            else:
                continue
            sums[key] = sums.get(key, ZERO) + flow.amount
            order.setdefault(key, rank)
    return [(name, sums[name, is_in], is_in) for name, is_in in sorted(sums, key=lambda key: order[key])]


def _step_of(term: str) -> int:
    """Return where a step stands in the waterfall; a payment taken back stands first."""
    digits = term.removeprefix("contract.waterfall.steps.").partition(" ")[0]
    return int(digits) if digits.isdigit() else -1


def over_time(contract: Contract, cleared: ClearedTable, *, payers: Sequence[str], funders: Sequence[str]) -> Exhibit:
    """Return what payers pay each year as bars, and each investor's money so far as a line.

    Parameters
    ----------
    contract : Contract
    cleared : ClearedTable
        One row for each year, one column for each payer and funder.
    payers, funders : sequence of str
        Columns to draw: payers as bars on top of each other; funders, added up over time, as lines.
    """
    require_cleared(cleared)
    rows = cleared.frame.dropna(subset=[*payers, *funders])
    if rows.empty or len(rows) < len(cleared.frame):
        return prose("over-time", "There is no figure: some years rest on too few people to be shown.")
    years = rows["year"].tolist()
    bars = {name: rows[name].to_numpy(dtype=float) for name in payers}
    lines = {name: rows[name].to_numpy(dtype=float).cumsum() for name in funders}
    largest = max(float(np.abs(values).max(initial=0.0)) for values in (sum(bars.values()), *lines.values()))
    factor, word = _size(largest)
    with drawing_board(3.6) as (figure, axes):
        below = np.zeros(len(years))
        for colour, (name, values) in zip([*PALETTE[:1], *PALETTE[2:]], bars.items(), strict=False):
            axes.bar(
                years, values / factor, bottom=below, color=colour, width=0.6, label=f"{label(contract, name)} pays"
            )
            below = below + values / factor
        for style, (name, values) in zip(("-", "--", ":"), lines.items(), strict=False):
            said = f"{label(contract, name)}, so far"
            axes.plot(years, values / factor, color=OTHER, linestyle=style, marker="o", linewidth=2.4, label=said)
        axes.axhline(0, color=GREY, linewidth=1.2)
        axes.yaxis.set_major_formatter(lambda value, _: language.number(value, 0 if float(value).is_integer() else 1))
        axes.set_ylabel(f"{word}{contract.currency}")
        axes.grid(axis="x", visible=False)
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=1, fontsize="small")
        sns.despine(ax=axes)
        said = "; ".join(
            f"{label(contract, name)}: "
            + ", ".join(f"{y} {language.number(v)}" for y, v in zip(years, values, strict=True))
            for name, values in {**bars, **lines}.items()
        )
        return finish(
            figure,
            "over-time",
            "Year by year: what the payers pay (bars), and what investors and guarantors have got so far, less what "
            "they have paid in (line).",
            f"Payments by year, and money of investors so far, in {contract.currency}. {said}.",
            cleared,
        )


def spread(
    cleared: ClearedTable, *, name: str, estimate: float, unit: str, caption: str, digits: int, zero: bool
) -> Exhibit:
    """Return how often each amount or return comes out over the draws, with the best estimate.

    Parameters
    ----------
    cleared : ClearedTable
        Columns ``lower``, ``upper`` and ``share`` (of 100).
    name : str
    estimate : float
        In the same unit as the classes.
    unit : str
    caption : str
    digits : int
        Decimals that are read aloud.
    zero : bool
        Draw the line between loss and gain.
    """
    require_cleared(cleared)
    rows = cleared.frame.astype(float)
    factor, word = _size(float(rows["upper"].abs().max())) if unit != "%" else (1.0, "")
    lower, upper = rows["lower"].to_numpy() / factor, rows["upper"].to_numpy() / factor
    with drawing_board(2.9) as (figure, axes):
        axes.bar(lower, rows["share"], width=upper - lower, align="edge", color=HEADLINE, edgecolor="white")
        axes.axvline(estimate / factor, color=OTHER, linewidth=2.4, linestyle=":", label="best estimate")
        if zero:
            axes.axvline(0, color=GREY, linewidth=1.2, linestyle="--")
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter(lambda value, _: language.number(value, 0 if float(value).is_integer() else 1))
        axes.set_xlabel(f"{word}{unit}" if unit != "%" else "per cent a year")
        axes.set_ylabel("Draws, of 100")
        axes.legend(frameon=False, fontsize="small")
        sns.despine(ax=axes)
        best = int(rows["share"].to_numpy().argmax())
        said = (
            f"Best estimate {language.number(estimate, digits)}. Most frequent class: "
            f"{language.number(rows['lower'].iloc[best], digits)} to "
            f"{language.number(rows['upper'].iloc[best], digits)}, "
            f"{language.number(rows['share'].iloc[best], 1)} of 100 draws."
        )
        return finish(figure, name, caption, f"{caption} {said}", cleared)
