"""Key figures of a stream: break-even, internal rate of return, ratios, marginal value of public funds.

A figure that makes no sense is not a number but its reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from .. import language

Array = NDArray[np.float64]
NEVER = -1
_LOWEST_RATE, _HIGHEST_RATE = -0.9, 100.0
_TINY = 1e-9


@dataclass(frozen=True)
class Figure:
    """One key figure, or why there is none.

    Attributes
    ----------
    name, title : str
        Short name, and what a reader sees.
    value : float or None
        None when it makes no sense; may be infinite.
    unit : str
        Currency, years, or nothing.
    sentence : str
        What it says, or why there is none.
    """

    name: str
    title: str
    value: float | None
    unit: str
    sentence: str


_MILLION = 1e6


def money(amount: float, currency: str = "") -> str:
    """Return an amount with its currency, as it is read: whole from a hundred on, in millions from a million on.

    >>> money(-1234.5, "DKK")
    'DKK −1,234'
    >>> money(62_884_368, "DKK")
    'DKK 62.9 million'
    """
    if abs(amount) >= _MILLION:
        said = f"{language.number(amount / _MILLION, language.digits_for('amount', amount / _MILLION))} million"
    else:
        said = language.number(amount, language.digits_for("amount", amount))
    return f"{currency} {said}".strip()


def of_hundred(share: float) -> str:
    """Return a share of draws as so many of 100; never all or none, which no chance is.

    >>> of_hundred(0.9999)
    'more than 99'
    """
    count = round(share * 100)
    return "fewer than 1" if count < 1 else "more than 99" if count > 99 else str(count)


def break_even(balance: Array) -> NDArray[np.int_]:
    """Return the first year from which the cumulative balance stays at or above zero; ``NEVER`` (−1) if it ends below.

    Parameters
    ----------
    balance : ndarray, shape (..., years)
        Cumulative.

    Returns
    -------
    ndarray of int, shape (...)
        0 when the balance is never below zero.
    """
    tolerance = _TINY * np.abs(balance).max(axis=-1, keepdims=True, initial=0.0)
    is_below = balance < -tolerance
    n_years = balance.shape[-1]
    after_last = n_years - np.argmax(is_below[..., ::-1], axis=-1)
    years = np.where(is_below.any(axis=-1), after_last, 0)
    return np.where(years == n_years, NEVER, years)


def internal_rate_of_return(net: Array, *, half_year: bool = False) -> tuple[float | None, str]:
    """Return the constant yearly rate at which a net stream is worth nothing, or None and the reason.

    Parameters
    ----------
    net : ndarray, shape (years,)
        Not discounted; the first is year 0.
    half_year : bool
        Amounts of later years fall in their middle.
    """
    times = np.maximum(np.arange(len(net)) - 0.5, 0.0) if half_year else np.arange(len(net), dtype=float)
    largest = float(np.abs(net).max(initial=0.0))
    running = net[np.abs(net) > _TINY * largest]
    turns = int((np.diff(np.sign(running)) != 0).sum())
    if turns == 0:
        return None, "There is no internal rate of return: the stream never changes sign."
    if turns > 1:
        return None, f"There is no single internal rate of return: the stream changes sign {turns} times."

    def worth(rate: float) -> float:
        return float((net / largest * (1 + rate) ** -times).sum())

    if worth(_LOWEST_RATE) * worth(_HIGHEST_RATE) > 0:
        return None, "There is no internal rate of return between −90% and 10,000%."
    return float(brentq(worth, _LOWEST_RATE, _HIGHEST_RATE, xtol=1e-12)), ""


def ratio(gains: float, costs: float, denominator: str, name: str, title: str) -> Figure:
    """Return gains per unit of costs, with the denominator named.

    Parameters
    ----------
    gains, costs : float
        Present values; costs count as positive.
    denominator : str
        What the costs are, in words that follow «for each unit of».
    name, title : str
        As of :class:`Figure`.
    """
    if costs <= _TINY * max(abs(gains), 1.0):
        return Figure(name, title, None, "", f"There is no ratio: {denominator} is not above zero.")
    value = gains / costs
    words = f"For each unit of {denominator} there is {language.number(value, 2)} in benefits."
    return Figure(name, title, value, "", words)


@dataclass(frozen=True)
class MarginalValue:
    """The marginal value of public funds: what people would pay for it, per unit of net public cost.

    Attributes
    ----------
    willingness_to_pay : float
        What everybody outside the public accounts gains, present value.
    net_cost : float
        What it takes from the public accounts after all that comes back; below zero when more comes back than went out.
    """

    willingness_to_pay: float
    net_cost: float

    @property
    def _signs(self) -> tuple[int, int]:
        scale = _TINY * max(abs(self.willingness_to_pay), abs(self.net_cost))
        sign = [0 if abs(x) <= scale else int(math.copysign(1, x)) for x in (self.willingness_to_pay, self.net_cost)]
        return sign[0], sign[1]

    @property
    def value(self) -> float | None:
        """The ratio; infinite when it pays for itself, None when the ratio would not say what happens."""
        gains, cost = self._signs
        if cost > 0:
            return self.willingness_to_pay / self.net_cost
        return math.inf if gains > 0 else None

    @property
    def sentence(self) -> str:
        """What it means, for every combination of signs."""
        gains, cost = self._signs
        if cost > 0:
            per = language.number(self.willingness_to_pay / self.net_cost, 2)
            if gains > 0:
                return f"Each unit of net public cost gives people {per}."
            if gains == 0:
                return "It costs public money, and people gain nothing from it."
            return f"It costs public money, and people lose by it: {per} for each unit of net public cost."
        comes_back = "more comes back to the public accounts than went out" if cost else "all public money comes back"
        if gains > 0:
            return f"It pays for itself: people gain, and {comes_back}. The marginal value is infinite."
        if gains < 0 and cost < 0:
            per = language.number(self.willingness_to_pay / self.net_cost, 2)
            return f"It saves public money at people's expense: they lose {per} for each unit that is saved."
        if gains < 0:
            return "People lose by it, and it neither costs nor saves public money: nothing speaks for it."
        if cost < 0:
            return "It saves public money, and people neither gain nor lose: nothing speaks against it."
        return "It neither costs public money nor changes anything for people."

    def figure(self) -> Figure:
        """Return it beside the other key figures."""
        return Figure(
            "marginal_value", "Marginal value of public funds", self.value, "per unit of net public cost", self.sentence
        )
