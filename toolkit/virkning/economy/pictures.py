"""Tables behind the figures of a cost–benefit analysis: a payer's waterfall and balance, the spread of results."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..disclosure import Column, Table
from .figures import break_even, money
from .model import DISTORTION
from .results import PUBLIC, CostBenefit
from .sensitivity import SOCIETY, target
from .sentences import title
from .uncertainty import interval

Array = NDArray[np.float64]
PERSONS = "n_persons"


def payers(found: CostBenefit) -> tuple[str, ...]:
    """Return the names of the public parties, and of all of them together where there are several."""
    names = [name for name, party in found.model.parties.items() if party.kind == "public"]
    return (*names, PUBLIC) if len(names) > 1 else tuple(names)


def others(found: CostBenefit) -> tuple[str, ...]:
    """Return the names of everybody else who is concerned; the loss from taxation is nobody."""
    return tuple(name for name, party in found.model.parties.items() if party.kind != "public" and name != DISTORTION)


def called(found: CostBenefit, party: str) -> str:
    """Return how a party is called at the beginning of a sentence.

    Parameters
    ----------
    found : CostBenefit
        Whose parties.
    party : str
        Name of one, or ``public_accounts`` or ``society``.
    """
    known = {PUBLIC: "All public accounts", SOCIETY: "Society"}
    return known.get(party) or title(found.model.parties[party].label)


def _positions(found: CostBenefit, party: str) -> list[int]:
    """Return where the party (or each public party) stands in the arrays."""
    if party == PUBLIC:
        return np.flatnonzero(found.model.is_public).tolist()
    return [list(found.model.parties).index(party)]


def _view(found: CostBenefit, party: str) -> str:
    return "budget" if party == PUBLIC else target(found.model, party).view


def waterfall_table(found: CostBenefit, party: str) -> Table:
    """Return what one party pays and gets line by line, each beginning where the one before it ended, and the sum.

    Parameters
    ----------
    found : CostBenefit
        Its central case, discounted.
    party : str
        Name of a party: a public one in the budget view, anybody else in the welfare view; or ``public_accounts``.
    """
    view = _view(found, party)
    amounts = found.model.by_line()[view][:, _positions(found, party)].sum(axis=1)
    moved = [(line.label, amount) for line, amount in zip(found.model.lines, amounts.tolist(), strict=True) if amount]
    ends = np.cumsum([amount for _, amount in moved])
    rows = [(label, amount, end - amount, end) for (label, amount), end in zip(moved, ends.tolist(), strict=True)]
    total = float(ends[-1]) if rows else 0.0
    rows.append(("In all", total, 0.0, total))
    columns = (
        Column("line", "What"),
        Column("amount", "Amount", "number", found.currency, 0, PERSONS),
        Column("start", "from", "number", found.currency, 0, PERSONS),
        Column("end", "to", "number", found.currency, 0, PERSONS),
    )
    frame = pd.DataFrame(rows, columns=[column.name for column in columns]).assign(n_persons=found.n_persons)
    heading = f"{called(found, party)}: what is paid and what comes back ({view} view)"
    return Table(f"waterfall-{party}", heading, columns, frame, note=found.note)


def balance_table(found: CostBenefit, party: str) -> Table:
    """Return the cumulative discounted budget of one payer by year: central, middle and ends of the draws.

    Parameters
    ----------
    found : CostBenefit
        Central case and draws.
    party : str
        Name of a party, or ``public_accounts``.
    """
    where = _positions(found, party)
    drawn = found.draws.balance[:, where].sum(axis=1)
    lower, upper = interval(drawn, found.level)
    first = break_even(drawn)
    years = np.arange(found.model.n_years)
    frame = pd.DataFrame(
        {
            "year": found.economy.specification.start_year + years,
            "net": found.undiscounted.budget[0, where].sum(axis=0),
            "balance": np.cumsum(found.streams.budget[0, where].sum(axis=0)),
            "middle": np.median(drawn, axis=0),
            "lower": lower,
            "upper": upper,
            "earned_back": [100 * float(((first >= 0) & (first <= year)).mean()) for year in years],
            PERSONS: found.n_persons,
        }
    )
    columns = (
        Column("year", "Year"),
        Column("net", "In that year", "number", found.currency, 0, PERSONS),
        Column("balance", "Balance so far", "number", found.currency, 0, PERSONS),
        Column("middle", "Middle of the draws", "number", found.currency, 0, PERSONS),
        Column("lower", "from", "number", found.currency, 0, PERSONS),
        Column("upper", "to", "number", found.currency, 0, PERSONS),
        Column("earned_back", "Earned back by then", "number", "of 100 draws", 0, PERSONS),
    )
    heading = f"{called(found, party)}: balance so far, year by year"
    note = f"The balance is discounted, the amount in a year is not. {found.note}"
    return Table(f"balance-{party}", heading, columns, frame, note=note)


_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


def spread_table(found: CostBenefit) -> Table:
    """Return how the result of everybody spreads over the draws: quantiles, central case, how often above zero.

    Parameters
    ----------
    found : CostBenefit
        Its draws. Public parties in the budget view, anybody else and society in the welfare view.
    """
    rows = []
    for party in (*payers(found), *others(found), SOCIETY):
        drawn, central = _drawn(found, party)
        quantiles = np.quantile(drawn, _SHARES).tolist()
        view = "welfare" if party == SOCIETY else _view(found, party)
        rows.append((called(found, party), view, central, *quantiles, 100 * float((drawn > 0).mean())))
    names = [f"q{round(100 * share):02d}" for share in _SHARES]
    columns = (
        Column("party", "Who"),
        Column("view", "View"),
        Column("central", "As assumed", "number", found.currency, 0, PERSONS),
        *(
            Column(name, f"{round(100 * share)} of 100 below", "number", found.currency, 0, PERSONS)
            for name, share in zip(names, _SHARES, strict=True)
        ),
        Column("pays", "Above zero", "number", "of 100 draws", 0, PERSONS),
    )
    frame = pd.DataFrame(rows, columns=[column.name for column in columns]).assign(n_persons=found.n_persons)
    return Table("spread", "How the result spreads, and how often it is above zero", columns, frame, note=found.note)


def _drawn(found: CostBenefit, party: str) -> tuple[Array, float]:
    """Return the net present value of a party in each draw, and in the central case."""
    if party == SOCIETY:
        return found.draws.society, float(found.streams.welfare.sum())
    where, is_budget = _positions(found, party), _view(found, party) == "budget"
    drawn = found.draws.budget if is_budget else found.draws.welfare
    central = found.streams.budget if is_budget else found.streams.welfare
    return drawn[:, where].sum(axis=1), float(central[0, where].sum())


def surprise(found: CostBenefit, party: str) -> str:
    """Return a sentence where the likeliest values say one thing and most draws another; empty where they agree.

    Parameters
    ----------
    found : CostBenefit
        Central case and draws.
    party : str
        Name of a party, or ``society``.
    """
    drawn, central = _drawn(found, party)
    middle = float(np.median(drawn))
    if not middle or not central or (middle > 0) == (central > 0):
        return ""
    return f"{money(central, found.currency)} as assumed, {money(middle, found.currency)} in the middle of the draws."
