"""The contract beside the economy: what a payer pays for outcomes against what it saves, on the same draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ...contract.draws import DrawnSettlements
from ...disclosure import ClearedTable, Column, Table
from ...economy import CostBenefit
from ...economy.figures import money, of_hundred
from ...economy.pictures import called
from ...economy.uncertainty import by_year, draw_inputs, interval
from ...errors import UsageError
from ..exhibit import Exhibit, prose
from ..figures import GREY, HEADLINE, OTHER, drawing_board, finish
from ..tables import require_cleared, table
from . import figures
from .answer import Clear, is_shown

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PayerAccount:
    """What one payer pays and saves, year by year, in each draw of the effects; amounts as they fall, not discounted.

    Attributes
    ----------
    found : CostBenefit
        What the effects are worth.
    party : str
        A public party of the economy that the contract calls by the same name and has among its payers.
    years : ndarray of int, shape (years,)
        Calendar years.
    paid : ndarray, shape (draws, years)
        What the contract makes it pay, less what flows back to it.
    saved : ndarray, shape (draws, years)
        What the consequences of the effects bring its budget.
    outside : ndarray, shape (draws, years)
        What it pays of the programme itself beside the contract: its costs, less its part of what the contract brings
        those who carry the programme out.
    """

    found: CostBenefit
    party: str
    years: NDArray[np.int64]
    paid: Array
    saved: Array
    outside: Array

    @cached_property
    def factors(self) -> Array:
        """What one unit of each year is worth in year 0, shape (years,)."""
        return self.found.model.discounting.factors(len(self.years) - 1)

    @cached_property
    def worth(self) -> tuple[Array, Array, Array]:
        """Present values of what is paid, saved, and paid outside the contract, each of shape (draws,)."""
        return self.paid @ self.factors, self.saved @ self.factors, self.outside @ self.factors

    @property
    def share_at_a_loss(self) -> float:
        """Share of draws in which more is paid under the contract than saved, 0 to 1."""
        paid, saved, _ = self.worth
        return float((paid > saved).mean())

    @property
    def share_at_a_loss_in_all(self) -> float:
        """Share of draws in which more is paid, under the contract and outside it, than saved; 0 to 1."""
        paid, saved, outside = self.worth
        return float((paid + outside > saved).mean())

    @property
    def sentence(self) -> str:
        """What is paid, what is saved, and how often the first exceeds the second: under the contract, and in all."""
        paid, saved, outside = self.worth
        effects = f"save it {self._words(saved)}" if saved.mean() >= 0 else f"cost it {self._words(-saved)}"
        words = (
            f"{called(self.found, self.party)} pays {self._words(paid)} under the contract, and the effects {effects} "
            f"by {self.years[-1]}. Under the contract it pays more than it saves in {of_hundred(self.share_at_a_loss)} "
            "of 100 draws."
        )
        if not outside.any():
            return words
        beside = money(float(outside.mean()), self.found.currency)
        without = self.found.probability_that_it_pays(self.party)
        return (
            f"{words} Of the programme itself it pays {beside} beside the contract; with that, it pays more than it "
            f"saves in {of_hundred(self.share_at_a_loss_in_all)} of 100. Without a contract, and paying for the "
            f"programme as assumed, that would be {of_hundred(1 - without)} of 100."
        )

    def _words(self, values: Array) -> str:
        low, high = (money(float(end)) for end in interval(values, self.found.level))
        mean = money(float(values.mean()), self.found.currency)
        return f"{mean} on average ({self.found.level:.0%} of the draws between {low} and {high})"

    def table(self) -> Table:
        """Return what is paid and saved by year: means with the ends of their intervals, and how often it is behind.

        The last column counts the draws in which, by the end of that year, more has been paid in all than saved.
        """
        level, persons = self.found.level, self.found.n_persons
        paid_ends, saved_ends = interval(self.paid, level), interval(self.saved, level)
        so_far = ((self.paid + self.outside - self.saved) * self.factors).cumsum(axis=1)
        frame = pd.DataFrame(
            {
                "year": self.years,
                "paid": self.paid.mean(axis=0),
                "paid_lower": paid_ends[0],
                "paid_upper": paid_ends[1],
                "outside": self.outside.mean(axis=0),
                "saved": self.saved.mean(axis=0),
                "saved_lower": saved_ends[0],
                "saved_upper": saved_ends[1],
                "behind": 100 * (so_far > 0).mean(axis=0),
                "n_persons": persons,
            }
        )
        unit = self.found.currency
        columns = (
            Column("year", "Year"),
            Column("paid", "Pays under the contract", "number", unit, 0, "n_persons"),
            Column("paid_lower", "from", "number", unit, 0, "n_persons"),
            Column("paid_upper", "to", "number", unit, 0, "n_persons"),
            Column("outside", "Pays beside it", "number", unit, 0, "n_persons"),
            Column("saved", "Saves", "number", unit, 0, "n_persons"),
            Column("saved_lower", "from", "number", unit, 0, "n_persons"),
            Column("saved_upper", "to", "number", unit, 0, "n_persons"),
            Column("behind", "Behind so far", "number", "of 100 draws", 0, "n_persons"),
        )
        heading = f"{called(self.found, self.party)}: paid under the contract, and saved, by year"
        note = (
            f"Means of {len(self.paid):,} draws with {level:.0%} intervals; amounts of each year as they fall. Behind "
            "so far: all that was paid exceeds all that was saved, discounted. Payments are as agreed in the contract, "
            f"savings in prices of {self.found.economy.specification.price_year}."
        )
        return Table(f"contract-{self.party}", heading, columns, frame, note=note)


def accounts(found: CostBenefit, settled: DrawnSettlements, seed: int) -> tuple[PayerAccount, ...]:
    """Return the account of each public party that pays under the contract; draw by draw the same effects.

    Parameters
    ----------
    found : CostBenefit
        Its draws rest on ``effects.draws`` with this seed.
    settled : DrawnSettlements
        The contract for the same draws.
    seed : int
        The run's seed.

    Raises
    ------
    UsageError
        The two have not the same number of draws, or not the same currency.
    """
    contract = settled.contract
    if settled.n != found.draws.n or contract.currency != found.currency:
        raise UsageError(
            "usage.contract_and_economy",
            "The contract and the economy do not rest on the same draws, or are in two currencies.",
            where="contract.currency, economy.currency",
            why="What is paid and what is saved could not be held against each other.",
            do=f"Settle the contract for {found.draws.n} draws, and write both in one currency.",
        )
    said = found.economy.specification
    values = draw_inputs(found.model, found.effects, found.draws.n, seed)
    payments = settled.payments().rename(columns={"payer": "party"})
    has_flows = contract.waterfall is not None
    # What each party ends up with, where the contract says how money flows on; else what it pays.
    moved = settled.flows() if has_flows else payments.assign(amount=-payments["amount"])
    last = max([said.start_year + found.model.horizon, *moved["year"].tolist()])
    years = np.arange(said.start_year, last + 1)
    providers = [name for name, party in contract.parties.items() if "provider" in party.roles]
    delivered = _by_draw_and_year(moved[moved["party"].isin(providers)], found.draws.n, years)
    public = [name for name, party in said.parties.items() if party.kind == "public"]
    budgets = {party: by_year(found.model, values, party) for party in public}
    cost = {party: float(-costs.sum(axis=1).mean()) for party, (costs, _) in budgets.items()}
    return tuple(
        PayerAccount(
            found,
            party,
            years,
            -_by_draw_and_year(moved[moved["party"] == party], found.draws.n, years),
            _until(gains, len(years)),
            # A party is relieved of the programme's costs in proportion to what it would have paid of them.
            _until(-costs, len(years)) - delivered * (cost[party] / sum(cost.values()) if cost[party] else 0.0),
        )
        for party, (costs, gains) in budgets.items()
        if (payments["party"] == party).any()
    )


def _by_draw_and_year(moved: pd.DataFrame, n: int, years: NDArray[np.int64]) -> Array:
    """Return amounts as an array (draws, years); what falls before year 0 counts in it."""
    amounts = np.zeros((n, len(years)))
    places = np.clip(moved["year"].to_numpy() - years[0], 0, None)
    np.add.at(amounts, (moved["draw"].to_numpy(), places), moved["amount"].to_numpy())
    return amounts


def _until(amounts: Array, n_years: int) -> Array:
    """Return amounts with zeros for the years beyond the horizon."""
    return np.pad(amounts, ((0, 0), (0, max(n_years - amounts.shape[1], 0))))


def contract_exhibits(found: CostBenefit, settled: DrawnSettlements | None, seed: int, clear: Clear) -> list[Exhibit]:
    """Return, for each payer under the contract, the sentence, the years as a figure, and the table.

    Parameters
    ----------
    found : CostBenefit
        As of :func:`accounts`.
    settled : DrawnSettlements or None
        None where there is no contract.
    seed : int
        As of :func:`accounts`.
    clear : callable
        The programme's rule of disclosure control.
    """
    if settled is None:
        return [prose("contract-and-economy", "There is no contract: nobody pays by results.")]
    known = accounts(found, settled, seed)
    if not known:
        words = "No public party of the economy pays under the contract: the two do not meet in any name."
        return [prose("contract-and-economy", words)]
    if not is_shown(found, clear):
        return [prose("contract-and-economy", "No amount may be shown: too few persons stand behind the effects.")]
    shown: list[Exhibit] = [prose("contract-and-economy", "\n\n".join(account.sentence for account in known))]
    for account in known:
        cleared = clear(account.table())
        shown += [picture(cleared, found.currency), table(cleared)]
    return shown


def picture(cleared: ClearedTable, currency: str) -> Exhibit:
    """Return what is paid and what is saved in each year, with their intervals.

    Parameters
    ----------
    cleared : ClearedTable
        Of :meth:`PayerAccount.table`.
    currency : str
        Of the amounts.
    """
    require_cleared(cleared)
    numbers = ["paid", "paid_lower", "paid_upper", "saved", "saved_lower", "saved_upper"]
    rows = cleared.frame.dropna(subset=numbers)
    by, unit = figures.shown_in(rows[numbers], currency)
    drawn, years = rows[numbers].astype(float) / by, rows["year"].astype(int)
    with drawing_board(3.1) as (figure, axes):
        for name, words, colour in (("paid", "paid under the contract", OTHER), ("saved", "saved", HEADLINE)):
            axes.fill_between(
                years, drawn[f"{name}_lower"], drawn[f"{name}_upper"], color=colour, alpha=0.18, linewidth=0
            )
            axes.plot(years, drawn[name], color=colour, linewidth=2.4, marker="o", markersize=4, label=words)
        axes.axhline(0, color=GREY, linewidth=1.2, linestyle="--", zorder=1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
        axes.yaxis.set_major_formatter(figures.amount)
        axes.set_ylabel(f"{unit}, in that year")
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, fontsize="small")
        said = "; ".join(
            f"{year}: pays {figures.said(row.paid)}, saves {figures.said(row.saved)}"
            for year, row in zip(years, figures.each(drawn), strict=True)
        )
        caption = f"{cleared.title}: mean and interval of the draws."
        return finish(figure, f"{cleared.name}-figure", caption, f"{cleared.title}, {unit}. {said}.", cleared)
