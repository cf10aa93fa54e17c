"""A result that is restated changes nothing that was settled: it adds a true-up, or takes one back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from ..money import ZERO
from .ledger import Payment
from .results import ResultRow
from .terms import Contract

Account = dict[tuple[str, str], Decimal]


def true_ups(
    contract: Contract,
    rows: Sequence[ResultRow],
    payments: Sequence[Payment],
    settled: Callable[[Sequence[ResultRow]], Sequence[Payment]],
) -> tuple[Payment, ...]:
    """Return one payment for each metric and payer that a correction changes, in the order of the corrections.

    What a correction changes is the difference between what is due with it and what has been paid so far, corrections
    before it included. Where a cap binds, a correction of one metric can free room for another; that belongs to it too.

    Parameters
    ----------
    contract : Contract
    rows : sequence of ResultRow
        With the corrections among them.
    payments : sequence of Payment
        What the first results gave.
    settled : callable
        Returns the payments that rows without corrections give.
    """
    places = {name: position for position, name in enumerate(contract.periods)}
    current = {row.result_id: row for row in rows if not row.restates}
    waiting = sorted(
        (row for row in rows if row.restates),
        key=lambda row: (places[row.period], str(row.accepted_on or ""), row.result_id),
    )
    paid, made = _account(payments), list[Payment]()
    while waiting:
        row = next(row for row in waiting if row.restates in current)
        waiting.remove(row)
        old = current.pop(row.restates)
        # Counted where the first result was, so that it stands in the same line and meets the same price.
        current[row.result_id] = replace(row, period=old.period, restates="")
        due = _account(settled(list(current.values())))
        for key, change in _booked(contract, row, due, paid).items():
            paid[key] = paid.get(key, ZERO) + change
            made.append(_true_up(contract, row, old, key, change))
    return tuple(made)


def _account(payments: Sequence[Payment]) -> Account:
    account: Account = {}
    for payment in payments:
        key = (payment.metric, payment.payer)
        account[key] = account.get(key, ZERO) + payment.known
    return account


def _booked(contract: Contract, row: ResultRow, due: Account, paid: Account) -> Account:
    terms = contract.metrics[row.metric].restatement
    changes = {key: due.get(key, ZERO) - paid.get(key, ZERO) for key in {**paid, **due}}
    net = sum(changes.values(), ZERO)
    is_booked = terms is not None and (
        (net > 0 and terms.upwards == "paid") or (net < 0 and terms.downwards == "clawed_back")
    )
    own = [(row.metric, payer) for payer in contract.metrics[row.metric].payers]
    # The corrected metric always has its line, with 0 where nothing changes.
    return {key: changes.get(key, ZERO) if is_booked else ZERO for key in changes if changes[key] or key in own}


def _true_up(contract: Contract, row: ResultRow, old: ResultRow, key: tuple[str, str], change: Decimal) -> Payment:
    metric, payer = key
    return Payment(
        line=f"true-up {row.result_id}",
        kind="true_up",
        metric=metric,
        period=row.period,
        cohort=row.cohort,
        group=row.group,
        payer=payer,
        amount=change,
        payable_on=contract.payable_on(row.metric, row.period),
        # One person's correction rests on that person alone, whatever the line holds.
        n_people=1 if row.person_id else row.n_people,
        source=f"{row.source} ({row.standing})",
        figure=row.value,
        corrects=f"{old.result_id}, {old.period}",
    )
