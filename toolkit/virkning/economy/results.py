"""What :func:`virkning.cost_benefit` returns: present values by payer, in two views, with their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import language
from ..designs.findings import Drawing
from ..disclosure import Column, Table, persons_behind_difference
from ..estimates import Estimates
from .exhibits import (
    assumptions_table,
    cost_table,
    lines_table,
    not_valued_table,
    swings_table,
    switches_table,
    weights_table,
)
from .figures import NEVER, Figure, MarginalValue, break_even, internal_rate_of_return, ratio
from .model import DISTORTION, Model, Streams
from .reading import Economy
from .sensitivity import SOCIETY, View, switching_values, target, tornado
from .sentences import Answer, title
from .uncertainty import Draws, interval

Array = NDArray[np.float64]
PUBLIC = "public_accounts"


@dataclass(frozen=True, eq=False)
class CostBenefit:
    """Who pays, who gains, when, and how sure that is; in one currency, in prices of one year.

    The budget view holds what accounts show; the welfare view holds everything, so that transfers cancel. Amounts are
    expected values in floating point.

    Attributes
    ----------
    economy : Economy
        The assumptions.
    effects : Estimates
        What was estimated.
    model : Model
        Both, as arrays.
    streams, undiscounted : Streams
        The central case, shape (1, parties, years).
    draws : Draws
        The Monte Carlo.
    """

    economy: Economy = field(repr=False)
    effects: Estimates = field(repr=False)
    model: Model = field(repr=False)
    streams: Streams = field(repr=False)
    undiscounted: Streams = field(repr=False)
    draws: Draws = field(repr=False)

    @property
    def currency(self) -> str:
        """Of every amount."""
        return self.economy.specification.currency

    @property
    def level(self) -> float:
        """Of the intervals, 0 to 1."""
        return self.economy.specification.confidence

    @property
    def participants(self) -> float:
        """People who start."""
        return self.economy.specification.people.participants

    @cached_property
    def n_persons(self) -> int:
        """The smallest number of persons in a group on whom an effect that is used here rests."""
        used = {line.outcome for line in self.model.lines if line.outcome is not None}
        firsts = pd.DataFrame([self.effects[name].effects.iloc[0] for name in used])
        return int(persons_behind_difference(firsts["n_treated"], firsts["n_comparison"]).min()) if used else 10**9

    def net_present_value(self, party: str = SOCIETY, view: View | None = None) -> float:
        """Return the net present value of a party, or of society, in the central case.

        Parameters
        ----------
        party : str
            Name of a party, or ``society``.
        view : str, optional
            ``budget`` or ``welfare``; by default a public party's budget, anybody else's welfare.

        Raises
        ------
        UsageError
            There is no such party, or society is asked for a budget.
        """
        aim = target(self.model, party, view)
        if aim.party == SOCIETY:
            return float(self.streams.welfare.sum())
        net = self.streams.budget if aim.view == "budget" else self.streams.welfare
        return float(net[0, list(self.model.parties).index(party)].sum())

    def break_even_year(self, party: str) -> int | None:
        """Return the first year from which a party's cumulative discounted budget stays at or above zero.

        Parameters
        ----------
        party : str
            Name of a party.

        Returns
        -------
        int or None
            0 is the start; None when it does not happen within the horizon.
        """
        target(self.model, party, "budget")
        net = self.streams.budget[0, list(self.model.parties).index(party)]
        year = int(break_even(np.cumsum(net)))
        return None if year == NEVER else year

    def probability_that_it_pays(self, party: str = SOCIETY, view: View | None = None) -> float:
        """Return the share of draws in which the net present value is above zero.

        Parameters
        ----------
        party, view : str
            As of :meth:`net_present_value`.
        """
        return float((self._drawn(party, view) > 0).mean())

    def _drawn(self, party: str, view: View | None) -> Array:
        aim = target(self.model, party, view)
        if aim.party == SOCIETY:
            return self.draws.society
        net = self.draws.budget if aim.view == "budget" else self.draws.welfare
        return np.asarray(net[:, list(self.model.parties).index(party)])

    @property
    def marginal_value(self) -> MarginalValue:
        """The marginal value of public funds: what all others gain, per unit of net cost to the public accounts."""
        others = [
            position
            for position, (name, party) in enumerate(self.model.parties.items())
            if party.kind != "public" and name != DISTORTION
        ]
        public = self.streams.budget[0, self.model.is_public].sum()
        return MarginalValue(float(self.streams.welfare[0, others].sum()), float(-public))

    def figures(self) -> tuple[Figure, ...]:
        """Return the key figures of society, each with what it says."""
        gains, costs = float(self.streams.welfare_gains.sum()), float(-self.streams.welfare_costs.sum())
        public = float(-self.streams.costs[0, self.model.is_public].sum())
        moved = self.model.by_line()["welfare"][[line.is_cost for line in self.model.lines]]
        put_in, given = float(-np.minimum(moved, 0.0).sum()), float(np.maximum(moved, 0.0).sum())
        half = self.economy.specification.discounting.convention == "half_year"
        rate, reason = internal_rate_of_return(self.undiscounted.welfare[0].sum(axis=0), half_year=half)
        words = (
            reason
            if rate is None
            else f"At {language.number(100 * rate, 1)}% a year society would neither gain nor lose."
        )
        net = gains - costs
        return (
            Figure("net_present_value", "Net present value to society", net, self.currency, self.sentence()),
            ratio(gains, costs, "what it costs society", "benefit_cost_ratio", "Benefit–cost ratio"),
            ratio(net + public, public, "what public accounts pay for it", "public_ratio", "Benefits per public cost"),
            Figure("internal_rate", "Internal rate of return to society", rate, "a year", words),
            self.marginal_value.figure(),
            ratio(gains + given, put_in, "all that is put in", "social_return", "Social return on investment"),
        )

    def by_payer(self) -> Table:
        """Return, for each party, what it pays and gets in its budget and what it gains in welfare, side by side."""
        rows = [self._payer_row(name) for name in self.model.parties]
        public = self.model.is_public
        if public.sum() > 1:
            costs, gains = (float(x[0, public].sum()) for x in (self.streams.costs, self.streams.gains))
            drawn = self.draws.budget[:, public].sum(axis=1)
            years = break_even(np.cumsum(self.streams.budget[0, public].sum(axis=0)))
            rows.append(self._budget_row("All public accounts", costs, gains, drawn, int(years)))
        rows.append({"party": "Society", **self._welfare_row(float(self.streams.welfare.sum()), self.draws.society)})
        persons = {"persons": "n_persons"}
        columns = [
            Column("party", "Who"),
            Column("budget_costs", "Budget: pays", "number", self.currency, 0),
            Column("budget_gains", "Budget: gets back", "number", self.currency, 0, **persons),
            Column("budget_net", "Budget: net", "number", self.currency, 0, **persons),
            Column("budget_lower", "from", "number", self.currency, 0, **persons),
            Column("budget_upper", "to", "number", self.currency, 0, **persons),
            Column("budget_pays", "Pays in so many of 100 draws", "number", "of 100", 0, **persons),
            Column("break_even_year", "Earned back in year", "text", persons="n_persons"),
            Column("welfare_net", "Welfare: net", "number", self.currency, 0, **persons),
            Column("welfare_lower", "from", "number", self.currency, 0, **persons),
            Column("welfare_upper", "to", "number", self.currency, 0, **persons),
            Column("welfare_pays", "Gains in so many of 100 draws", "number", "of 100", 0, **persons),
        ]
        frame = pd.DataFrame(rows).reindex(columns=[column.name for column in columns])
        title = f"Who pays and who gains, {self.level:.0%} intervals"
        return Table("by-payer", title, tuple(columns), frame.assign(n_persons=self.n_persons), note=self.note)

    def by_payer_in_two(self) -> tuple[Table, Table]:
        """Return the same in two tables that fit a page: what is left over in both views, and what lies behind it."""
        whole = self.by_payer()
        left_over = ("net", "lower", "upper")
        sides = ("party", *(f"{view}_{name}" for view in ("budget", "welfare") for name in left_over))
        behind = ("party", "budget_costs", "budget_gains", "budget_pays", "break_even_year", "welfare_pays")

        def part(name: str, heading: str, columns: tuple[str, ...]) -> Table:
            chosen = tuple(column for column in whole.columns if column.name in columns)
            return replace(whole, name=name, title=heading, columns=chosen, frame=whole.frame[[*columns, "n_persons"]])

        paid = part("behind-by-payer", "What is paid and got back, how often it pays, and when", behind)
        if (whole.frame["budget_costs"] < 0).any():
            paid = replace(paid, note=f"{paid.note} Below zero: the programme pays to them, wages for example.")
        return part("by-payer", whole.title, sides), paid

    def _payer_row(self, name: str) -> dict[str, object]:
        position, party = list(self.model.parties).index(name), self.model.parties[name]
        welfare = self._welfare_row(float(self.streams.welfare[0, position].sum()), self.draws.welfare[:, position])
        if name == DISTORTION:
            return {"party": title(party.label), **welfare}
        costs, gains = (float(x[0, position].sum()) for x in (self.streams.costs, self.streams.gains))
        year = self.break_even_year(name)
        return {
            **self._budget_row(
                title(party.label), costs, gains, self.draws.budget[:, position], NEVER if year is None else year
            ),
            **welfare,
        }

    def _budget_row(self, party: str, costs: float, gains: float, drawn: Array, year: int) -> dict[str, object]:
        lower, upper = interval(drawn, self.level)
        return {
            "party": party,
            "budget_costs": 0.0 - costs,
            "budget_gains": gains,
            "budget_net": costs + gains,
            "budget_lower": float(lower),
            "budget_upper": float(upper),
            "budget_pays": 100 * float((drawn > 0).mean()),
            "break_even_year": "not within the horizon" if year == NEVER else self._year(year),
        }

    def _welfare_row(self, net: float, drawn: Array) -> dict[str, object]:
        lower, upper = interval(drawn, self.level)
        share = 100 * float((drawn > 0).mean())
        return {"welfare_net": net, "welfare_lower": float(lower), "welfare_upper": float(upper), "welfare_pays": share}

    def _year(self, year: int) -> str:
        return f"{year} ({self.economy.specification.start_year + year})"

    @property
    def note(self) -> str:
        """What every amount is: present values, prices, rates, horizon, draws."""
        said = self.economy.specification
        return (
            f"Present values in {said.currency}, prices of {said.price_year}, up to year {said.horizon_years} "
            f"({said.start_year + said.horizon_years}), discounted at {said.discounting.words}. "
            f"{language.number(self.draws.n)} draws."
        )

    def balance(self) -> Table:
        """Return each party's budget year by year and its cumulative discounted balance with its interval.

        Draw it with :attr:`drawing`.
        """
        parts = []
        for position, (name, party) in enumerate(self.model.parties.items()):
            if name == DISTORTION:
                continue
            lower, upper = interval(self.draws.balance[:, position], self.level)
            parts.append(
                pd.DataFrame(
                    {
                        "party": title(party.label),
                        "year": self.economy.specification.start_year + np.arange(self.model.n_years),
                        "net": self.undiscounted.budget[0, position],
                        "discounted": self.streams.budget[0, position],
                        "balance": np.cumsum(self.streams.budget[0, position]),
                        "lower": lower,
                        "upper": upper,
                        "earned_back": 100 * self.draws.earned_back[position],
                    }
                )
            )
        persons = {"persons": "n_persons"}
        columns = (
            Column("party", "Who"),
            Column("year", "Year"),
            Column("net", "In that year", "number", self.currency, 0, **persons),
            Column("discounted", "The same, discounted", "number", self.currency, 0, **persons),
            Column("balance", "Balance so far", "number", self.currency, 0, **persons),
            Column("lower", "from", "number", self.currency, 0, **persons),
            Column("upper", "to", "number", self.currency, 0, **persons),
            Column("earned_back", "Earned back in so many of 100 draws", "number", "of 100", 0, **persons),
        )
        frame = pd.concat(parts, ignore_index=True).assign(n_persons=self.n_persons)
        return Table("balance", "Budget by payer and year", columns, frame, note=self.note)

    @property
    def drawing(self) -> Drawing:
        """How :meth:`balance` is drawn: the payback curve of each party."""
        labels = {title(party.label): "line" for name, party in self.model.parties.items() if name != DISTORTION}
        return Drawing(
            x="year",
            y="balance",
            caption=f"What each has got back so far, less what was paid ({self.level:.0%} interval).",
            series="party",
            lower="lower",
            upper="upper",
            styles=labels,  # type: ignore[arg-type]
            has_zero_line=True,
            names_x=True,
        )

    def lines(self) -> Table:
        """Return each cost and consequence by party, budget and welfare side by side; every column adds up."""
        lost = float(self.streams.welfare[0, -1].sum()) if self.model.distortion else 0.0
        return lines_table(self.model, self.model.by_line(), lost, self.currency, self.n_persons, self.note)

    def costs(self) -> Table:
        """Return what it costs in all, per participant, per completer, and per unit by which each outcome changed."""
        return cost_table(self.economy, self.model, self.effects, self.level)

    def assumptions(self) -> Table:
        """Return every number that goes in, with its range, source and grade."""
        return assumptions_table(self.economy, self.model)

    def tornado(self, party: str = SOCIETY, view: View | None = None) -> Table:
        """Return how far each uncertain input moves the result, the widest first.

        Parameters
        ----------
        party, view : str
            As of :meth:`net_present_value`.
        """
        aim = target(self.model, party, view)
        return swings_table(tornado(self.model, aim), self._whose(party), aim, self.currency, self.n_persons)

    def switching_values(self, party: str = SOCIETY, view: View | None = None) -> Table:
        """Return, for each input, the value at which the result turns.

        Parameters
        ----------
        party, view : str
            As of :meth:`net_present_value`.
        """
        aim = target(self.model, party, view)
        return switches_table(switching_values(self.model, aim), self._whose(party), aim, self.n_persons)

    def weighted(self) -> Table:
        """Return the welfare view with distributional weights: equity apart from efficiency."""
        totals = self.streams.welfare[0].sum(axis=1)
        return weights_table(self.economy.specification, self.model, totals, self.n_persons, self.note)

    def _whose(self, party: str) -> str:
        return "society" if party == SOCIETY else self.model.parties[party].label

    def not_valued(self) -> Table:
        """Return what matters and is not in any amount: outcomes without a price, and what the programme names."""
        return not_valued_table(self.economy.specification, self.effects)

    def sentence(self, party: str = SOCIETY) -> str:
        """Return the answer to «what does it cost us, and when is it earned back?» for one party, or for society.

        Parameters
        ----------
        party : str
            Name of a party, or ``society``.
        """
        aim, drawn = target(self.model, party), self._drawn(party, None)
        lower, upper = interval(drawn, self.level)
        answer = Answer(
            self._whose(party),
            self.currency,
            self.net_present_value(party),
            float(lower),
            float(upper),
            self.level,
            float((drawn > 0).mean()),
            self.participants,
        )
        if aim.view == "welfare":
            return answer.welfare()
        position, year = list(self.model.parties).index(party), self.break_even_year(party)
        costs, gains = (float(x[0, position].sum()) for x in (self.streams.costs, self.streams.gains))
        years = (self._year(year or 0), self._year(self.model.horizon))
        return answer.budget(costs, gains, year, years)

    def sentences(self) -> tuple[str, ...]:
        """Return one sentence per party, and one for society."""
        names = [name for name in self.model.parties if name != DISTORTION]
        return tuple(self.sentence(name) for name in (*names, SOCIETY))
