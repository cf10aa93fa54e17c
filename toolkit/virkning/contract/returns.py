"""What an investor earned: internal rate of return on dated flows, multiple, net present value, loss given failure.

Payments ÷ investment is not among them: outcome payments also pay for delivery, so that ratio is nobody's return.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate, groupby, pairwise

from scipy.optimize import brentq

from ..money import ZERO, exact, parse

DAYS_A_YEAR = 365
Dated = Sequence[tuple[date, Decimal]]


@dataclass(frozen=True)
class Returns:
    """An investor's result.

    Attributes
    ----------
    currency : str
    drawn, received, gain : Decimal
        Paid in, got back (guarantees included), and the difference.
    multiple : Decimal
        Got back for each unit paid in.
    irr : float or None
        Internal rate of return a year, as a share, days ÷ 365; None where there is none, or more than one.
    irr_reason : str
        Why there is none.
    net_present_value : Decimal
        On the day of the first drawdown, at ``discount_rate`` a year.
    discount_rate : Decimal
    loss_given_failure : Decimal
        What is lost when no outcome is paid for; guarantees have been taken off.
    """

    currency: str
    drawn: Decimal
    received: Decimal
    gain: Decimal
    multiple: Decimal
    irr: float | None
    irr_reason: str
    net_present_value: Decimal
    discount_rate: Decimal
    loss_given_failure: Decimal


def returns_of(flows: Dated, discount_rate: str | Decimal, loss_given_failure: Decimal, currency: str) -> Returns:
    """Return an investor's result.

    Parameters
    ----------
    flows : sequence of (date, Decimal)
        What is paid in is negative; at least one is.
    discount_rate : str or Decimal
        A year, as a share.
    loss_given_failure : Decimal
    currency : str
    """
    rate = parse(discount_rate)
    found, reason = internal_rate(flows)
    with exact():
        drawn = -sum((amount for _, amount in flows if amount < 0), ZERO)
        received = sum((amount for _, amount in flows if amount > 0), ZERO)
        return Returns(
            currency=currency,
            drawn=drawn,
            received=received,
            gain=received - drawn,
            multiple=received / drawn,
            irr=found,
            irr_reason=reason,
            net_present_value=present_value(flows, rate),
            discount_rate=rate,
            loss_given_failure=loss_given_failure,
        )


def years_between(start: date, end: date) -> Decimal:
    """Return the time between two days in years of 365 days."""
    with exact():
        return Decimal((end - start).days) / DAYS_A_YEAR


def grown(amount: Decimal, rate: Decimal, start: date, end: date) -> Decimal:
    """Return what an amount has become at a yearly rate with compound interest.

    >>> grown(Decimal(100), Decimal("0.15"), date(2021, 1, 1), date(2022, 1, 1)).normalize()
    Decimal('115')
    """
    with exact():
        return amount * (1 + rate) ** years_between(start, end)


def present_value(flows: Dated, rate: Decimal) -> Decimal:
    """Return the value of dated flows on the first day, at a yearly rate."""
    first = min(day for day, _ in flows)
    with exact():
        return sum((amount / (1 + rate) ** years_between(first, day) for day, amount in flows), ZERO)


def internal_rate(flows: Dated) -> tuple[float | None, str]:
    """Return the rate at which dated flows are worth nothing today, or None with the reason.

    Parameters
    ----------
    flows : sequence of (date, Decimal)
        In any order. Days are counted as in spreadsheets' XIRR: days ÷ 365.

    Returns
    -------
    float or None
        A year, as a share, above -1.
    str
        Why there is no rate, or no single one; empty when there is.
    """
    with exact():
        days = sorted(flows, key=lambda flow: flow[0])
        daily = [(day, sum((a for _, a in same), ZERO)) for day, same in groupby(days, key=lambda flow: flow[0])]
        daily = [(day, amount) for day, amount in daily if amount]
    if not any(amount < 0 for _, amount in daily) or not any(amount > 0 for _, amount in daily):
        return None, "money flows in one direction only"
    changes = sum((one > 0) != (other > 0) for (_, one), (_, other) in pairwise(daily))
    with exact():
        sums = list(accumulate(amount for _, amount in daily))
    # One change of sign: one rate (Descartes). Several: still one positive rate where the running sum changes sign once
    # and ends above zero (Norstrøm 1972). Otherwise nobody can tell which of several rates is meant.
    positive_only = changes > 1
    if positive_only and (daily[0][1] > 0 or sums[-1] <= 0 or sum((a > 0) != (b > 0) for a, b in pairwise(sums)) != 1):
        return None, "the flows change direction more than once, so more than one rate could be meant"
    largest = max(abs(amount) for _, amount in daily)
    times = [(day - daily[0][0]).days / DAYS_A_YEAR for day, _ in daily]
    sizes = [float(amount / largest) for _, amount in daily]

    def worth(log_rate: float) -> float:
        # Divided by its largest term, which keeps the sign and avoids overflow.
        powers = [-log_rate * time for time in times]
        top = max(powers)
        return math.fsum(size * math.exp(power - top) for size, power in zip(sizes, powers, strict=True))

    low, high = (0.0, 1.0) if positive_only else (-1.0, 1.0)
    while worth(low) * worth(high) > 0:
        low, high = low if positive_only else 2 * low, 2 * high
        if high > 2.0**20:
            return None, "no rate makes the flows worth nothing"
    if high > 500:
        return None, "the rate is beyond any meaning: the money came back within days"
    return math.expm1(brentq(worth, low, high, xtol=1e-14, rtol=1e-14)), ""
