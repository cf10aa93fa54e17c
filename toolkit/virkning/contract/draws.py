"""A contract under uncertain effects: the same draws that the rest of the book rests on, settled one by one.

Caps and thresholds bend what uncertainty does to payments: the payment at the best estimate is not the average payment.
So each draw of the effects goes through the whole contract, and the payments are looked at afterwards.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import UsageError
from ..estimates import Estimate, Estimates
from ..money import ZERO, Rounding, exact
from .measures import EffectResult
from .pricing import PerUnit, amount_of, conditions_of
from .results import Results, from_effects, scale_of
from .returns import Returns
from .settlement import Settlement, settle
from .terms import Contract
from .waterfall import CashFlows

Array = NDArray[np.float64]


DRAWS = 10_000


@dataclass(frozen=True, repr=False)
class DrawnSettlements:
    """A contract settled once for each draw of the effects.

    Attributes
    ----------
    contract : Contract
    settlements : tuple of Settlement
        The different ones.
    of_draw : ndarray of int, shape (draws,)
        Which of them each draw has.
    without : DrawnSettlements, optional
        The same draws around no effect: what would be paid if the programme had made no difference.
    """

    contract: Contract
    settlements: tuple[Settlement, ...]
    of_draw: NDArray[np.int64]
    without: DrawnSettlements | None = None

    @property
    def n(self) -> int:
        """Number of draws."""
        return len(self.of_draw)

    @cached_property
    def totals(self) -> Array:
        """What all payers pay together in each draw, in the contract's currency; shape (draws,)."""
        return self._each([float(settled.total.amount) for settled in self.settlements])

    def paid_by(self, payer: str) -> Array:
        """Return what one payer pays in each draw; shape (draws,)."""
        return self._each([_sum(settled, "payer", payer) for settled in self.settlements])

    def paid_for(self, metric: str) -> Array:
        """Return what is paid for one metric in each draw; shape (draws,)."""
        return self._each([_sum(settled, "metric", metric) for settled in self.settlements])

    def is_capped(self, name: str) -> NDArray[np.bool_]:
        """Tell in which draws a cap or floor of the contract's order changes an amount; shape (draws,)."""
        changed = [settled.is_bound_by(name) for settled in self.settlements]
        return np.array(changed, dtype=bool)[self.of_draw]

    @cached_property
    def cash_flows(self) -> tuple[CashFlows, ...]:
        """The cash flows of each different settlement.

        Raises
        ------
        ProgrammeError
            The contract has no waterfall.
        """
        return tuple(settled.waterfall() for settled in self.settlements)

    def returns(self, investor: str) -> tuple[Returns, ...]:
        """Return an investor's result for each different settlement; ``of_draw`` tells which draw has which."""
        return tuple(flows.returns(investor) for flows in self.cash_flows)

    def moved(self, kind: str, payer: str) -> Array:
        """Return what one party pays by flows of a kind, such as ``guarantee``, in each draw; shape (draws,)."""
        with exact():
            sums = [
                float(sum((flow.amount for flow in found.flows if (flow.kind, flow.payer) == (kind, payer)), ZERO))
                for found in self.cash_flows
            ]
        return self._each(sums)

    def payments(self) -> pd.DataFrame:
        """Return what each payer pays in each calendar year: ``draw, payer, year, amount``."""
        parts = [
            [(payment.payer, payment.payable_on.year, payment.known) for payment in settled.payments]
            for settled in self.settlements
        ]
        return self._by_year(parts, "payer")

    def flows(self) -> pd.DataFrame:
        """Return each party's net cash flow in each calendar year: ``draw, party, year, amount``.

        Amounts are in the contract's currency; what a party pays is negative.
        """
        parts = [
            [
                (party, flow.on.year, amount)
                for flow in found.flows
                for party, amount in ((flow.payer, -flow.amount), (flow.payee, flow.amount))
            ]
            for found in self.cash_flows
        ]
        return self._by_year(parts, "party")

    def _by_year(self, parts: list[list[tuple[str, int, Decimal]]], column: str) -> pd.DataFrame:
        with exact():
            rows = []
            for which, found in enumerate(parts):
                sums: dict[tuple[str, int], Decimal] = {}
                for name, year, amount in found:
                    sums[name, year] = sums.get((name, year), ZERO) + amount
                rows += [(which, name, year, float(total)) for (name, year), total in sums.items()]
        different = pd.DataFrame(rows, columns=["which", column, "year", "amount"])
        draws = pd.DataFrame({"draw": np.arange(self.n), "which": self.of_draw})
        return draws.merge(different, on="which").drop(columns="which")

    def _each(self, values: list[float]) -> Array:
        return np.asarray(values, dtype=np.float64)[self.of_draw]

    def __repr__(self) -> str:
        return f"DrawnSettlements({self.contract.id}: {self.n} draws, {len(self.settlements)} different)"


def _sum(settled: Settlement, column: str, name: str) -> float:
    with exact():
        return float(sum((p.known for p in settled.payments if getattr(p, column) == name), ZERO))


def settle_draws(
    contract: Contract,
    results: Results | None,
    effects: Estimates,
    draws: pd.DataFrame,
    *,
    seed: int = 0,
    around: float | None = None,
) -> DrawnSettlements:
    """Settle a contract for each draw of the effects.

    Parameters
    ----------
    contract : Contract
    results : Results or None
        Audited figures and claims, the same in every draw; None where the contract pays for effects only.
    effects : Estimates
        Of the programme's run.
    draws : DataFrame
        As ``effects.draws`` gives it: one column for each measure, one row for each draw.
    seed : int
        For metrics that are settled by another term than the headline: their draws follow the headline's, and what is
        left over has random numbers of its own.
    around : float, optional
        The value that the draws are centred on, 0 for no effect; by default on the estimates.

    Raises
    ------
    UsageError
        A measure that the contract pays for is not among the draws.
    DataError
        Results do not fit the contract.
    """
    given = Results(()) if results is None else results
    own = from_effects(contract, effects).rows
    values = {row.metric: _drawn(contract, row.metric, effects, draws, seed, around) for row in own}
    keys: dict[tuple[Decimal, ...], int] = {}
    settlements: list[Settlement] = []
    of_draw = np.zeros(len(draws), dtype=np.int64)
    names = [row.metric for row in own]
    for draw, found in enumerate(zip(*(values[name] for name in names), strict=True) if names else [()] * len(draws)):
        if found not in keys:
            keys[found] = len(settlements)
            rows = [replace(row, value=value) for row, value in zip(own, found, strict=True)]
            settlements.append(settle(contract, given.with_rows(rows)))
        of_draw[draw] = keys[found]
    of_draw.setflags(write=False)
    return DrawnSettlements(contract, tuple(settlements), of_draw)


def settle_run(
    contract: Contract, results: Results | None, effects: Estimates, seed: int, *, n: int = DRAWS
) -> DrawnSettlements:
    """Settle a contract for the draws on which a run rests: those of the economy with the same seed.

    Parameters
    ----------
    contract : Contract
    results : Results or None
    effects : Estimates
    seed : int
        The run's seed.
    n : int
        Number of draws.

    Returns
    -------
    DrawnSettlements
        With ``without``: as if the programme had made no difference, and its estimate were as uncertain as it is.
    """
    draws = effects.draws(n, np.random.default_rng(seed))
    values = pd.Series({name: effects[name].headline().value for name in draws.columns})
    without = settle_draws(contract, results, effects, draws - values, seed=seed, around=0.0)
    return replace(settle_draws(contract, results, effects, draws, seed=seed), without=without)


def payments_by_draw(
    contract: Contract, results: Results | None, effects: Estimates, draws: pd.DataFrame, *, seed: int = 0
) -> pd.DataFrame:
    """Return what each payer pays in each calendar year in each draw of the effects.

    Parameters
    ----------
    contract, results, effects, draws, seed
        As of :func:`settle_draws`.

    Returns
    -------
    DataFrame
        ``draw`` (0, 1, ...), ``payer``, ``year`` (of the payment date), ``amount`` (contract's currency).
    """
    return settle_draws(contract, results, effects, draws, seed=seed).payments()


def flows_by_draw(
    contract: Contract, results: Results | None, effects: Estimates, draws: pd.DataFrame, *, seed: int = 0
) -> pd.DataFrame:
    """Return each party's net cash flow in each calendar year in each draw: drawdowns, payments, repayments, guarantee.

    Parameters
    ----------
    contract, results, effects, draws, seed
        As of :func:`settle_draws`; the contract has a waterfall.

    Returns
    -------
    DataFrame
        ``draw`` (0, 1, ...), ``party``, ``year``, ``amount`` (contract's currency; what a party pays is negative).
    """
    return settle_draws(contract, results, effects, draws, seed=seed).flows()


def _drawn(
    contract: Contract, name: str, effects: Estimates, draws: pd.DataFrame, seed: int, around: float | None
) -> list[Decimal]:
    """Return a metric's result in each draw; results that are paid alike are made the same, to be settled once."""
    metric = contract.metrics[name]
    result = metric.result
    assert isinstance(result, EffectResult)
    if result.measure not in draws:
        raise UsageError(
            "usage.effect_draws",
            f"The draws of the effects lack «{result.measure}».",
            where="draws",
            why=f"The contract pays for it under «{name}».",
            do="Hand in what Estimates.draws returns.",
        )
    estimate = effects[result.measure]
    own = draws[result.measure].to_numpy(dtype=np.float64)
    drawn, n_treated = _of_term(estimate, result.term, own, seed, around)
    alike: dict[Decimal, Decimal] = {}
    rounded: list[Decimal] = []
    with exact():
        scale = scale_of(name, result, estimate, n_treated)
        for value in drawn.tolist():
            exactly = Decimal.from_float(value) * scale
            settled = metric.result_rounding.of(exactly) if isinstance(metric.result_rounding, Rounding) else exactly
            rounded.append(alike.setdefault(_paid_alike(contract, name, settled), settled))
    return rounded


def _paid_alike(contract: Contract, name: str, value: Decimal) -> Decimal:
    """Return something that two results share only if they are paid alike, such as their amount before limits."""
    metric = contract.metrics[name]
    assert isinstance(metric.result, EffectResult)
    price = metric.price_in(contract.periods[metric.result.period])
    is_tested = any(
        condition.metric == name for other in contract.metrics.values() for condition in conditions_of(other.prices)
    )
    if is_tested or price is None or conditions_of([price]):
        return value
    if isinstance(price, PerUnit):
        return max(value, ZERO)
    amount = amount_of(price, value, "", Decimal(1), {})
    return value if amount is None else amount


def _of_term(estimate: Estimate, term: str, headline: Array, seed: int, around: float | None) -> tuple[Array, int]:
    """Return the draws of a term, given those of the headline, and the persons in the programme.

    Both are jointly normal: a term's mean moves with the headline's draw, and what is left over is drawn anew.
    """
    frame = estimate.effects
    position = 0 if term == "headline" else int(np.flatnonzero(frame["term"].to_numpy() == term)[0])
    n_treated = int(frame["n_treated"].iloc[position])
    if position == 0:
        return headline, n_treated
    values, covariance = frame["value"].to_numpy(dtype=np.float64), estimate.covariance
    slope = covariance[0, position] / covariance[0, 0] if covariance[0, 0] > 0 else 0.0
    left = max(covariance[position, position] - slope * covariance[0, position], 0.0)
    generator = np.random.default_rng([seed, zlib.crc32(f"{estimate.estimand.measure}, {term}".encode())])
    chance = generator.standard_normal(len(headline)) * np.sqrt(left)
    centre = values if around is None else np.full_like(values, around)
    return centre[position] + slope * (headline - centre[0]) + chance, n_treated
