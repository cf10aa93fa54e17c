"""What the payers owe, line by line: results are priced, limited in the written order, and divided among payers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from ..disclosure import Table
from ..errors import DataError, ProgrammeError
from ..estimates import Estimates
from ..language import join
from ..money import ZERO, Money, Rounding, digits, exact, in_words, percent, plain
from . import ledger as books
from .acceptance import require_fitting
from .corrections import true_ups
from .figures import Figure, figures
from .ledger import Payment
from .limits import apply
from .lines import Entry, Part
from .measures import Sample
from .pricing import PerUnit, Price, amount_of, conditions_of
from .results import ResultRow, Results, from_effects
from .terms import Contract

if TYPE_CHECKING:
    from .waterfall import CashFlows


@dataclass(frozen=True, repr=False)
class Settlement:
    """What each payer owes for each line; immutable.

    Attributes
    ----------
    contract : Contract
    payments : tuple of Payment
        Each payer's part of each line, corrections included, in the order of payment.
    warnings : tuple of str
        What the reader must know, in sentences.
    """

    contract: Contract
    payments: tuple[Payment, ...]
    _parts: tuple[Part, ...] = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every line's price is public."""
        return all(payment.amount is not None for payment in self.payments)

    @property
    def total(self) -> Money:
        """What all payers pay together.

        Raises
        ------
        ProgrammeError
            A price is not public.
        """
        self._require_prices()
        with exact():
            return Money(sum((payment.known for payment in self.payments), ZERO), self.contract.currency)

    def _require_prices(self) -> None:
        if not self.is_complete:
            unknown = next(payment.metric for payment in self.payments if payment.amount is None)
            raise ProgrammeError(
                "contract.unpublished_price",
                f"The price of «{unknown}» is not public, so there is no total.",
                where=f"contract.metrics.{unknown}.prices",
                why="A sum without it would look like the whole.",
                do="Look at the single lines, or put the price into the contract.",
            )

    @cached_property
    def _ledger(self) -> pd.DataFrame:
        return books.ledger(self.contract, self._parts, self.payments)

    @property
    def ledger(self) -> pd.DataFrame:
        """Everything that happened to every line; columns of ``data_schemas/ledger.json``, amounts decimal; a copy."""
        return self._ledger.copy(deep=False)

    def by(self, column: str) -> pd.DataFrame:
        """Return what is paid for each payer, period, metric, or payment date.

        Parameters
        ----------
        column : {'payer', 'period', 'metric', 'payable_on'}

        Raises
        ------
        ProgrammeError
            A price is not public.
        """
        self._require_prices()
        return books.summed(self.payments, column, self.contract)

    def is_bound_by(self, name: str) -> bool:
        """Tell whether a cap or floor of the contract's order changes an amount."""
        terms = {
            f"contract.order.{position} ({step.type})"
            for position, step in enumerate(self.contract.order)
            if getattr(step, "name", None) == name
        }
        entries = (entry for part in self._parts for entry in part.entries)
        return any(entry.term in terms and entry.before != entry.after for entry in entries)

    def table(self) -> Table:
        """Return the payments as a table that must be cleared before it is published: it rests on people."""
        return books.payments_table(self.contract, self.payments)

    def waterfall(self, currency: str | None = None) -> CashFlows:
        """Return every party's dated cash flows.

        Parameters
        ----------
        currency : str, optional
            Also state the amounts in this currency, by the contract's dated rates.

        Raises
        ------
        ProgrammeError
            The contract has no waterfall, a price is not public, or a rate is missing.
        """
        from .waterfall import cash_flows

        self._require_prices()
        return cash_flows(self.contract, self.payments, currency)

    def __repr__(self) -> str:
        total = str(self.total) if self.is_complete else "no total, a price is not public"
        return f"Settlement({self.contract.id}: {len(self.payments)} payments, {total})"


def settle(contract: Contract, results: Results | Estimates, *, effects: Estimates | None = None) -> Settlement:
    """Settle a contract.

    Parameters
    ----------
    contract : Contract
        The terms.
    results : Results or Estimates
        Audited figures and claims; or the estimates of the programme's run, where the contract pays for effects only.
    effects : Estimates, optional
        Beside results: the estimates for the metrics of type effect.

    Returns
    -------
    Settlement
        Amounts in the contract's currency, exact. The same input gives the same ledger, whatever the order of the rows.

    Raises
    ------
    DataError
        Results do not fit the contract, or could only be settled by a guess.
    """
    if isinstance(results, Estimates):
        results = from_effects(contract, results)
    elif effects is not None:
        results = results.with_rows(from_effects(contract, effects).rows)
    require_fitting(contract, results)
    with exact():
        first = [row for row in results.rows if not row.restates]
        parts, warnings = _settled(contract, first)
        payments = tuple(payment for part in parts for payment in _payments(contract, part))
        corrected = true_ups(
            contract,
            results.rows,
            payments,
            lambda rows: [payment for part in _settled(contract, rows)[0] for payment in _payments(contract, part)],
        )
    return Settlement(contract, (*payments, *corrected), tuple(parts), warnings)


def settle_programme(contract: Contract, results: Results | None, effects: Callable[[], Estimates]) -> Settlement:
    """Settle a contract by what was counted, and by the effects where it pays for any.

    Parameters
    ----------
    contract : Contract
    results : Results, optional
        Audited figures and claims.
    effects : callable
        Returns the estimates; called only if the contract pays for effects, since estimating takes time.

    Raises
    ------
    DataError
        There is nothing to settle, or results do not fit the contract.
    """
    given = Results(()) if results is None else results
    return settle(contract, given, effects=effects() if contract.pays_for_effects else None)


def _settled(contract: Contract, rows: Sequence[ResultRow]) -> tuple[list[Part], tuple[str, ...]]:
    """Return the lines after all steps, in the order of payment, and the warnings."""
    found = figures(contract, rows)
    parts = [_priced(contract, figure, found) for figure in found]
    for position, step in enumerate(contract.order):
        parts = apply(contract, step, f"contract.order.{position} ({step.type})", parts)
    if not any(step.type == "split" for step in contract.order):
        parts = [replace(part, payer=next(iter(contract.metrics[part.figure.key.metric].payers))) for part in parts]
    for part in parts:
        _divide_in_time(contract, part)
    warnings = tuple(dict.fromkeys(figure.warning for figure in found if figure.warning))
    return parts, warnings


def _priced(contract: Contract, figure: Figure, found: Iterable[Figure]) -> Part:
    """Return a line with its amount before limits; the payer stands in it from the start where there is only one."""
    key = figure.key
    metric = contract.metrics[key.metric]
    part = Part(figure, contract.payable_on(key.metric, key.period), ZERO)
    if len(metric.payers) == 1 and not any(step.type == "split" for step in contract.order):
        part.payer = next(iter(metric.payers))
    term = f"contract.metrics.{key.metric}"
    part.entries.append(Entry("result", f"{term}.result", figure.rule, ZERO, ZERO, part.payer))
    if figure.withheld:
        rule = f"not payable: {figure.withheld}"
        part.entries.append(Entry("evidence", f"{term}.evidence", rule, ZERO, ZERO, part.payer))
    if not figure.is_payable:
        return part
    if figure.weakness and metric.sample is not None:
        part.becomes(
            _weak(contract, figure, metric.sample), "sample", f"{term}.sample", _weak_words(figure, metric.sample)
        )
        part.persons = []
        return part
    price = metric.price_in(contract.periods[key.period])
    if price is None:
        raise ProgrammeError("contract.no_price", f"No price of «{key.metric}» is in force yet.", where=term)
    _price(contract, part, price, found)
    return part


def _price(contract: Contract, part: Part, price: Price, found: Iterable[Figure]) -> None:
    key, figure = part.figure.key, part.figure
    metric = contract.metrics[key.metric]
    indexed = _indexed(contract, price, key.period)
    others = _others(contract, figure, price, found)
    amount = amount_of(price, figure.quantity, key.group, indexed, others)
    term = f"contract.metrics.{key.metric}.prices ({price.type}, version {price.version}, {price.standing})"
    part.entries.append(
        Entry("price", term, _price_words(contract, price, key.group, indexed), ZERO, amount, part.payer)
    )
    part.amount = amount
    if isinstance(price, PerUnit) and amount is not None:
        # Each claim by itself: rounding of the result concerns whole lines, which have no persons.
        part.persons = [
            (claim.person, amount_of(price, claim.units, key.group, indexed, others) or ZERO) for claim in figure.claims
        ]
    if metric.weight is not None and amount is not None:
        weight = metric.weight
        part.becomes(amount * weight, "weight", f"contract.metrics.{key.metric}.weight", f"weight {percent(weight)}")
        part.persons = [(person, each * weight) for person, each in part.persons]


def _indexed(contract: Contract, price: Price, period: str) -> Decimal:
    if not isinstance(price, PerUnit) or price.indexation is None:
        return Decimal(1)
    terms, year = price.indexation, contract.periods[period].start.year
    ratio = contract.index_ratio(terms.index, terms.base_year, year)
    if ratio is None:
        raise ProgrammeError(
            "contract.index_year",
            f"The index «{terms.index}» has no value for {year} or for {terms.base_year}.",
            where=f"contract.indexes.{terms.index}.values",
            why="The price of that year cannot be told without it.",
            do="Add the published value.",
        )
    return ratio


def _others(contract: Contract, figure: Figure, price: Price, found: Iterable[Figure]) -> dict[str, Decimal]:
    """Return the results of the metrics that a price tests, in the same period and, where it has any, cohort."""
    results: dict[str, Decimal] = {}
    for name in dict.fromkeys(condition.metric for condition in conditions_of([price])):
        period = [each for each in found if each.key.metric == name and each.key.period == figure.key.period]
        same = [each for each in period if each.key.cohort == figure.key.cohort] or period
        if len(same) != 1 or not same[0].is_payable:
            raise DataError(
                "contract.condition_missing",
                f"The price of «{figure.key.metric}» depends on «{name}», which has "
                f"{'no accepted result' if len(same) < 2 else 'more than one result'} in the same period.",
                where=f"results: {figure.key.line}",
                why="Whether the condition holds would be a guess.",
                do=f"Add the result of {contract.metrics[name].label}.",
            )
        results[name] = same[0].quantity
    return results


def _weak(contract: Contract, figure: Figure, sample: Sample) -> Decimal:
    if sample.otherwise == "refused":
        raise DataError(
            "contract.weak_sample",
            f"The result cannot be settled: {figure.weakness}.",
            where=f"results: {figure.key.line}",
            why="The contract refuses results that rest on too little.",
            do="Wait for more people, or agree on an amendment.",
        )
    return ZERO if sample.amount is None else sample.amount


def _weak_words(figure: Figure, sample: Sample) -> str:
    return f"{figure.weakness}: {'an agreed amount' if sample.otherwise == 'pays_amount' else 'nothing is paid'}"


def _price_words(contract: Contract, price: Price, group: str, indexed: Decimal) -> str:
    from .words import price_in_words

    words = price_in_words(price, contract, group)
    if indexed != 1 and isinstance(price, PerUnit):
        each = price.unit_price(group, indexed) or ZERO
        factor = plain(Rounding(digits=6, method="half_even").of(indexed))
        words += f", indexed by {factor} to {in_words(each, contract.currency)}"
    return f"{words} [{price.source}]"


def _divide_in_time(contract: Contract, part: Part) -> None:
    """Write down in which parts a line is paid, where the contract says so."""
    key = part.figure.key
    if contract.metrics[key.metric].instalments:
        dates = contract.instalments_of(key.metric, key.period)
        rule = join([f"{percent(share)} on {day.isoformat()}" for share, day in dates])
        part.becomes(part.known, "instalments", f"contract.metrics.{key.metric}.instalments", rule)


def _payments(contract: Contract, part: Part) -> list[Payment]:
    """Return the dated payments of one payer's part: shares are rounded down, the last one bears the rest."""
    key, down = part.figure.key, Rounding(digits=digits(contract.currency), method="down")
    dates = contract.instalments_of(key.metric, key.period)
    amounts: list[Decimal | None] = [None] * len(dates)
    if part.amount is not None:
        first = [down.of(part.amount * share) for share, _ in dates[:-1]]
        amounts = [*first, part.amount - sum(first, ZERO)]
    return [
        Payment(
            line=key.line,
            kind="payment",
            metric=key.metric,
            period=key.period,
            cohort=key.cohort,
            group=key.group,
            payer=part.payer,
            amount=amount,
            payable_on=day,
            n_people=part.figure.n_people,
        )
        for amount, (_, day) in zip(amounts, dates, strict=True)
    ]
