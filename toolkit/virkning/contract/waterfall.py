"""Where the money goes: drawdowns, payments, and what each party gets out of them, in the written order.

Every amount that flows in flows out: the parties' shares of the payments and guarantees add up to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from ..errors import ProgrammeError, UsageError, did_you_mean
from ..money import ZERO, Rounding, digits, exact
from .finance import Bonus, Fee, Recycling, RepayTranche, Residual, UpToReturn, Waterfall, WaterfallStep
from .ledger import Payment
from .returns import Returns, grown, returns_of, years_between
from .terms import Contract


@dataclass(frozen=True)
class Flow:
    """Money that goes from one party to another on a date; never negative, in the contract's currency."""

    on: date
    kind: str
    payer: str
    payee: str
    amount: Decimal
    term: str


@dataclass(frozen=True, repr=False)
class CashFlows:
    """Every party's dated cash flows; immutable.

    Attributes
    ----------
    contract : Contract
    flows : tuple of Flow
        In the order of time, and within a day in the order of the waterfall.
    currency : str
        In which the frames also state the amounts.
    """

    contract: Contract
    flows: tuple[Flow, ...]
    currency: str

    @property
    def frame(self) -> pd.DataFrame:
        """All flows: ``on, kind, payer, payee, amount, currency, term``; with another currency also its amounts."""
        frame = pd.DataFrame(
            [vars(flow) for flow in self.flows], columns=["on", "kind", "payer", "payee", "amount", "term"]
        )
        frame.insert(5, "currency", self.contract.currency)
        if self.currency != self.contract.currency:
            amounts = [converted(self.contract, flow.amount, flow.on, self.currency) for flow in self.flows]
            frame[f"amount_{self.currency.lower()}"] = pd.Series(amounts, dtype=object)
        return frame

    def of(self, party: str) -> pd.DataFrame:
        """Return one party's cash flows: ``on, kind, amount, currency``; what it pays is negative.

        Parameters
        ----------
        party : str
            A name under parties. Amounts are in its own currency, by the contract's dated rates.

        Raises
        ------
        UsageError
            There is no such party.
        ProgrammeError
            A rate is missing.
        """
        if party not in self.contract.parties:
            raise UsageError(
                "contract.unknown_party",
                f"There is no party «{party}».",
                where="contract.parties",
                do=did_you_mean(party, self.contract.parties),
            )
        currency = self.contract.parties[party].currency or self.contract.currency
        rows: list[dict[str, Any]] = []
        with exact():
            for flow in self.flows:
                sign = (flow.payee == party) - (flow.payer == party)
                if sign:
                    amount = sign * converted(self.contract, flow.amount, flow.on, currency)
                    rows.append({"on": flow.on, "kind": flow.kind, "amount": amount, "currency": currency})
        return pd.DataFrame(rows, columns=["on", "kind", "amount", "currency"])

    def total(self, kind: str) -> Decimal:
        """Return the sum of all flows of a kind, such as outcome_payment, interest, or residual."""
        with exact():
            return sum((flow.amount for flow in self.flows if flow.kind == kind), ZERO)

    def returns(self, investor: str, *, discount_rate: str | Decimal = "0") -> Returns:
        """Return what an investor earned on dated flows.

        Parameters
        ----------
        investor : str
            A party with the role investor.
        discount_rate : str or Decimal
            A year, as a share, for the net present value on the day of the first drawdown.

        Raises
        ------
        UsageError
            There is no such party.
        ProgrammeError
            The contract has no dated drawdowns of that party.
        """
        mine = self.of(investor)
        if not (mine["kind"] == "drawdown").any():
            raise ProgrammeError(
                "contract.no_drawdowns",
                f"The contract has no dated drawdowns of «{investor}».",
                where="contract.waterfall.drawdowns",
                why="The same payments give very different returns, depending on when the money was paid in.",
                do="Write each drawdown with its date.",
            )
        lost = cash_flows(self.contract, (), None).of(investor)
        invested = mine["kind"] == "drawdown"
        with exact():
            loss = -sum(lost["amount"], ZERO)
        # A party that invests and pays for outcomes earns on its investment only.
        own = invested | ~mine["kind"].isin(["outcome_payment", "guarantee_paid", "repaid_payment"])
        flows = list(zip(mine.loc[own, "on"], mine.loc[own, "amount"], strict=True))
        return returns_of(flows, discount_rate, max(loss, ZERO), mine["currency"].iloc[0])

    def __repr__(self) -> str:
        return f"CashFlows({self.contract.id}: {len(self.flows)} flows)"


def converted(contract: Contract, amount: Decimal, on: date, currency: str) -> Decimal:
    """Return an amount of the contract's currency in another one, by the rate of that very day, rounded half up.

    Raises
    ------
    ProgrammeError
        The contract lists no rate of that day.
    """
    if currency == contract.currency:
        return amount
    with exact():
        return Rounding(digits=digits(currency), method="half_up").of(amount / _rate(contract, currency, on))


def _rate(contract: Contract, currency: str, on: date) -> Decimal:
    rates = contract.waterfall.exchange_rates if contract.waterfall else ()
    for rate in rates:
        if rate.currency == currency and rate.on == on:
            return rate.rate
    raise ProgrammeError(
        "contract.no_rate",
        f"There is no exchange rate for {currency} on {on.isoformat()}.",
        where="contract.waterfall.exchange_rates",
        why="Another day's rate would give another amount.",
        do="Add the agreed rate of that day, in the contract's currency.",
    )


@dataclass
class _Owed:
    """What a tranche is owed: principal and interest, and since when they were last brought up to date."""

    principal: Decimal = ZERO
    interest: Decimal = ZERO
    since: date | None = None


@dataclass
class _State:
    """A waterfall that is being worked through."""

    contract: Contract
    terms: Waterfall
    flows: list[Flow] = field(default_factory=list)
    owed: dict[str, _Owed] = field(default_factory=dict)
    given: dict[str, Decimal] = field(default_factory=dict)
    held: Decimal = ZERO

    @property
    def down(self) -> Rounding:
        return Rounding(digits=digits(self.contract.currency), method="down")

    def pay(self, on: date, kind: str, payer: str, payee: str, amount: Decimal, term: str) -> None:
        if amount > 0:
            self.flows.append(Flow(on, kind, payer, payee, amount, term))

    def give(self, on: date, kind: str, payee: str, due: Decimal, term: str) -> Decimal:
        """Pay out of what is held, as far as it reaches; return what was paid."""
        amount = max(min(self.held, self.down.of(due)), ZERO)
        self.pay(on, kind, self.terms.account, payee, amount, term)
        self.held -= amount
        return amount

    def give_at_most(self, on: date, kind: str, step: Fee | Recycling | Bonus, due: Decimal, term: str) -> None:
        given = self.given.get(term, ZERO)
        left = due if step.most is None else min(due, step.most - given)
        self.given[term] = given + self.give(on, kind, step.to, left, term)


def cash_flows(contract: Contract, payments: Sequence[Payment], currency: str | None) -> CashFlows:
    """Return every party's dated cash flows.

    Parameters
    ----------
    contract : Contract
        With a waterfall.
    payments : sequence of Payment
        Settled payments; none shows what happens when no outcome comes.
    currency : str, optional
        Also state the amounts in this currency.

    Raises
    ------
    ProgrammeError
        There is no waterfall, a rate is missing, or payments were clawed back that nobody still holds.
    """
    terms = contract.waterfall
    if terms is None:
        raise ProgrammeError(
            "contract.no_waterfall",
            "The contract does not say how payments flow to the parties.",
            where="contract.waterfall",
            do="Add the key waterfall.",
        )
    with exact():
        state = _State(contract, terms, owed={name: _Owed() for name in terms.tranches})
        days = {payment.payable_on for payment in payments}
        days |= {drawn.on for drawn in terms.drawdowns} | {guarantee.on for guarantee in terms.guarantees}
        for day in sorted(days):
            _accrue(state, day)
            _draw(state, day)
            _receive(state, day, [payment for payment in payments if payment.payable_on == day])
            if state.held > 0:
                for position, step in enumerate(terms.steps):
                    _step(state, day, step, f"contract.waterfall.steps.{position} ({step.type})")
            _call_guarantees(state, day)
        if state.held < 0:
            raise ProgrammeError(
                "contract.unfunded_clawback",
                "Payments were taken back after they had been passed on.",
                where="contract.waterfall",
                why="The contract does not say which party returns them.",
                do="Settle the clawback in a period with enough payments, or agree on who returns the money.",
            )
    return CashFlows(contract, tuple(state.flows), currency or contract.currency)


def _accrue(state: _State, day: date) -> None:
    """Bring interest up to a day."""
    for name, owed in state.owed.items():
        tranche = state.terms.tranches[name]
        if owed.since is not None and tranche.interest == "simple":
            owed.interest += owed.principal * tranche.rate * years_between(owed.since, day)
        elif owed.since is not None and tranche.interest == "compound":
            both = owed.principal + owed.interest
            owed.interest += grown(both, tranche.rate, owed.since, day) - both
        owed.since = day


def _draw(state: _State, day: date) -> None:
    for position, drawn in enumerate(state.terms.drawdowns):
        if drawn.on != day:
            continue
        investor = state.terms.tranches[drawn.tranche].investor
        currency = state.contract.parties[investor].currency or state.contract.currency
        amount = drawn.amount
        if currency != state.contract.currency:
            places = Rounding(digits=digits(state.contract.currency), method="half_up")
            amount = places.of(drawn.amount * _rate(state.contract, currency, day))
        state.pay(day, "drawdown", investor, drawn.to, amount, f"contract.waterfall.drawdowns.{position}")
        state.owed[drawn.tranche].principal += amount


def _receive(state: _State, day: date, payments: Sequence[Payment]) -> None:
    """Take in each payer's payments of a day; a payer whose corrections outweigh them is paid back."""
    for payer in dict.fromkeys(payment.payer for payment in payments):
        net = sum((payment.known for payment in payments if payment.payer == payer), ZERO)
        state.pay(day, "outcome_payment", payer, state.terms.account, net, "contract.metrics")
        state.pay(day, "repaid_payment", state.terms.account, payer, -net, "contract.metrics")
        state.held += net


def _step(state: _State, day: date, step: WaterfallStep, term: str) -> None:
    match step:
        case Fee():
            state.give_at_most(day, "fee", step, step.amount, term)
        case Recycling():
            if day <= step.until:
                state.give_at_most(day, "recycling", step, state.held * step.share, term)
        case Bonus():
            state.give_at_most(day, "bonus", step, state.held * step.share, term)
        case RepayTranche():
            owed, investor = state.owed[step.tranche], state.terms.tranches[step.tranche].investor
            for kind in ("interest", "principal") if step.first == "interest" else ("principal", "interest"):
                paid = state.give(day, kind, investor, getattr(owed, kind), term)
                setattr(owed, kind, getattr(owed, kind) - paid)
        case UpToReturn():
            state.give(day, "return", step.investor, _missing_return(state, step, day), term)
        case Residual():
            whole = state.held
            for party, share in step.shares.items():
                if party != step.remainder_to:
                    state.give(day, "residual", party, whole * share, term)
            state.give(day, "residual", step.remainder_to, state.held, term)


def _missing_return(state: _State, step: UpToReturn, day: date) -> Decimal:
    """Return what the investor must still get on a day for the flows so far to earn the rate."""
    missing = ZERO
    for flow in state.flows:
        if step.investor not in (flow.payer, flow.payee) or flow.kind in ("outcome_payment", "repaid_payment"):
            continue
        sign = (flow.payer == step.investor) - (flow.payee == step.investor)
        missing += sign * grown(flow.amount, step.rate, flow.on, day)
    return max(missing, ZERO)


def _call_guarantees(state: _State, day: date) -> None:
    for position, guarantee in enumerate(state.terms.guarantees):
        if guarantee.on != day:
            continue
        left = guarantee.most
        for name in guarantee.tranches:
            owed = state.owed[name]
            amount = min(state.down.of(owed.principal * guarantee.share), left)
            term = f"contract.waterfall.guarantees.{position}"
            state.pay(day, "guarantee", guarantee.guarantor, state.terms.tranches[name].investor, amount, term)
            owed.principal -= amount
            left -= amount
