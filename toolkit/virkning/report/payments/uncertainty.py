"""What uncertain effects do to payments and returns: tables from the draws of the effects, settled one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...contract import Contract, Settlement
from ...contract.draws import DrawnSettlements
from ...contract.measures import EffectResult
from ...contract.order import Cap, Floor, PersonCap
from ...disclosure import Column, Table
from .tables import label, total_of

Array = NDArray[np.float64]
LOW, HIGH = 0.05, 0.95
N_BINS = 24


def _of_100(is_so: NDArray[np.bool_]) -> float:
    return float(is_so.mean() * 100)


def payers_table(settlement: Settlement, drawn: DrawnSettlements) -> Table:
    """Return what each payer pays at the best estimate, on average, and at both ends of the range."""
    contract = settlement.contract
    estimate = settlement.by("payer")
    rows = [
        _spread(label(contract, payer), float(amount), drawn.paid_by(payer))
        for payer, amount in zip(estimate["payer"], estimate["amount"], strict=True)
    ]
    rows.append(_spread("All payers together", float(settlement.total.amount), drawn.totals))
    return Table(
        name="payments-under-uncertainty",
        title="What each payer may have to pay",
        columns=(
            Column("who", "Payer"),
            Column("estimate", "Best estimate", "number", contract.currency, 0),
            Column("average", "Average", "number", contract.currency, 0),
            Column("low", "Low: 5 of 100 below", "number", contract.currency, 0),
            Column("high", "High: 5 of 100 above", "number", contract.currency, 0),
            Column("nothing", "Pays nothing", "number", "of 100", 1),
        ),
        frame=pd.DataFrame(rows),
        note=f"{drawn.n:,} draws of the effects, each settled by the whole contract. What was counted is the same in "
        "every draw. The average differs from the best estimate where caps and thresholds bend the payment.",
    )


def _spread(who: str, estimate: float, amounts: Array) -> dict[str, object]:
    return {
        "who": who,
        "estimate": estimate,
        "average": float(amounts.mean()),
        "low": float(np.quantile(amounts, LOW)),
        "high": float(np.quantile(amounts, HIGH)),
        "nothing": _of_100(amounts <= 0),
    }


def metrics_table(settlement: Settlement, drawn: DrawnSettlements, without: DrawnSettlements) -> Table:
    """Return how often each outcome pays nothing, and how often it would pay although there were no effect.

    Parameters
    ----------
    settlement : Settlement
    drawn : DrawnSettlements
        Draws around the estimates.
    without : DrawnSettlements
        The same draws around zero: the programme made no difference, and the estimate is as uncertain as it is.
    """
    contract = settlement.contract
    rows = []
    for name, metric in contract.metrics.items():
        paid = [payment.known for payment in settlement.payments if payment.metric == name]
        by_effect = isinstance(metric.result, EffectResult)
        rows.append(
            {
                "outcome": metric.label,
                "settled": "the estimated effect" if by_effect else "what was counted",
                "estimate": float(total_of(paid)),
                "average": float(drawn.paid_for(name).mean()),
                "nothing": _of_100(drawn.paid_for(name) <= 0),
                "without": float(without.paid_for(name).mean()),
                "pays_without": _of_100(without.paid_for(name) > 0),
            }
        )
    return Table(
        name="outcomes-under-uncertainty",
        title="How often each outcome pays nothing, and how often it would pay for no effect at all",
        columns=(
            Column("outcome", "Outcome"),
            Column("estimate", "Best estimate", "number", contract.currency, 0),
            Column("average", "Average", "number", contract.currency, 0),
            Column("nothing", "Pays nothing", "number", "of 100", 1),
            Column("without", "Average if there were no effect", "number", contract.currency, 0),
            Column("pays_without", "Would pay all the same", "number", "of 100", 1),
            Column("settled", "Settled by"),
        ),
        frame=pd.DataFrame(rows),
        note="An outcome that is counted pays whether or not the programme caused it. Averages are after caps.",
    )


def limits_table(contract: Contract, drawn: DrawnSettlements) -> Table:
    """Return how often each cap and floor changes a payment."""
    rows = [
        {"limit": step.name, "kind": step.type.replace("_", " "), "reached": _of_100(drawn.is_capped(step.name))}
        for step in contract.order
        if isinstance(step, Cap | Floor | PersonCap)
    ]
    return Table(
        name="limits-reached",
        title="How often each limit changes a payment",
        columns=(
            Column("limit", "Limit"),
            Column("kind", "Kind"),
            Column("reached", "Is reached", "number", "of 100", 1),
        ),
        frame=pd.DataFrame(rows, columns=["limit", "kind", "reached"]),
    )


def investors_tables(settlement: Settlement, drawn: DrawnSettlements) -> list[Table]:
    """Return what investors gain or lose, and, where every draw has one, their internal rates of return.

    Each has one row for each investor: at the best estimate, on average, and at both ends of the range.
    """
    contract, flows = settlement.contract, settlement.waterfall()
    gains, rates = [], []
    for name in investors(contract):
        at_estimate, different = flows.returns(name), drawn.returns(name)
        gained = np.array([float(found.gain) for found in different])[drawn.of_draw]
        earned = np.array([np.nan if found.irr is None else found.irr * 100 for found in different])[drawn.of_draw]
        gains.append(_row(label(contract, name), float(at_estimate.gain), gained))
        if at_estimate.irr is not None and np.isfinite(earned).all():
            rates.append(_row(label(contract, name), at_estimate.irr * 100, earned))
    made = [_investors_table("gains", "What each investor may gain or lose", contract.currency, 0, gains)]
    if rates:
        made.append(_investors_table("returns", "Internal rate of return a year", "%", 1, rates))
    return made


def _investors_table(name: str, title: str, unit: str, digits: int, rows: list[dict[str, object]]) -> Table:
    return Table(
        name=f"{name}-under-uncertainty",
        title=title,
        columns=(
            Column("who", "Investor"),
            Column("estimate", "Best estimate", "number", unit, digits),
            Column("average", "Average", "number", unit, digits),
            Column("low", "Low: 5 of 100 below", "number", unit, digits),
            Column("high", "High: 5 of 100 above", "number", unit, digits),
            Column("loses", "Loses money", "number", "of 100", 0),
        ),
        frame=pd.DataFrame(rows),
        note="On the dated flows, guarantees included.",
    )


def _row(who: str, estimate: float, values: Array) -> dict[str, object]:
    return {**_spread(who, estimate, values), "loses": _of_100(values < 0)}


def investors(contract: Contract) -> tuple[str, ...]:
    """Return the parties that have dated drawdowns."""
    if contract.waterfall is None:
        return ()
    drawn = [contract.waterfall.tranches[each.tranche].investor for each in contract.waterfall.drawdowns]
    return tuple(dict.fromkeys(drawn))


def histogram_table(name: str, title: str, values: Array, unit: str, digits: int) -> Table:
    """Return how many of 100 draws fall into each class of equal width."""
    counts, edges = np.histogram(values, bins=N_BINS)
    frame = pd.DataFrame({"lower": edges[:-1], "upper": edges[1:], "share": counts / len(values) * 100})
    return Table(
        name=name,
        title=title,
        columns=(
            Column("lower", "From", "number", unit, digits),
            Column("upper", "To", "number", unit, digits),
            Column("share", "Draws", "number", "of 100", 1),
        ),
        frame=frame,
    )
