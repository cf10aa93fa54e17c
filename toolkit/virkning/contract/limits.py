"""Caps, floors, rounding and split: each step of the contract's order, applied to all lines before the next one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby

from ..language import plural
from ..money import ZERO, Rounding, digits, in_words, percent
from .lines import Part
from .order import Cap, Floor, PersonCap, Round, Split, Step
from .terms import Contract


def apply(contract: Contract, step: Step, term: str, parts: list[Part]) -> list[Part]:
    """Return the lines after one step, each with an entry that says what the step did, even where it did nothing.

    Parameters
    ----------
    contract : Contract
    step : Step
    term : str
        Where the step stands in the contract, such as ``order.2``.
    parts : list of Part
        In the order of payment; changed in place, except by the split.
    """
    match step:
        case PersonCap():
            _person_cap(contract, step, term, parts)
        case Cap():
            _cap(contract, step, term, parts)
        case Floor():
            _floor(contract, step, term, parts)
        case Round():
            for part in parts:
                part.becomes(step.rule.of(part.known), "round", term, step.rule.in_words())
        case Split():
            return _split(contract, term, parts)
    return parts


def _person_cap(contract: Contract, step: PersonCap, term: str, parts: Sequence[Part]) -> None:
    paid: dict[str, Decimal] = {}
    for part in parts:
        if part.figure.key.metric not in (step.metrics or contract.metrics) or not part.persons:
            continue
        kept: list[tuple[str, Decimal]] = []
        reached: set[str] = set()
        for person, amount in part.persons:
            allowed = min(amount, step.most - paid.get(person, ZERO))
            paid[person] = paid.get(person, ZERO) + allowed
            kept.append((person, allowed))
            if allowed < amount:
                reached.add(person)
        part.persons = kept
        most = in_words(step.most, contract.currency)
        rule = f"«{step.name}»: at most {most} a person; reached by {plural(len(reached), 'person', 'people')}"
        part.becomes(sum((amount for _, amount in kept), ZERO), "person_cap", term, rule)


def _cap(contract: Contract, step: Cap, term: str, parts: Sequence[Part]) -> None:
    used: dict[str, Decimal] = {}
    for day, payments in groupby(parts, key=lambda part: part.payable_on):
        today = [(part, name) for part in payments if (name := _scope(step, part)) is not None]
        most, version = _most(step, day)
        for name in dict.fromkeys(name for _, name in today):
            mine = [part for part, own in today if own == name]
            room = max(most - used.get(name, ZERO), ZERO)
            allowed = _spread([part.known for part in mine], room, step.spread, digits(contract.currency))
            used[name] = used.get(name, ZERO) + sum(allowed, ZERO)
            for part, amount in zip(mine, allowed, strict=True):
                rule = (
                    f"«{step.name}»{version}: at most {in_words(most, contract.currency)} for {name}, "
                    f"{in_words(room, contract.currency)} left"
                )
                part.becomes(amount, "cap", term, rule)


def _scope(step: Cap, part: Part) -> str | None:
    """Return for what a cap holds, seen from one line; None when it does not concern the line."""
    names = {
        "metric": part.figure.key.metric,
        "period": part.figure.key.period,
        "payer": part.payer,
        "contract": "the contract",
    }
    name = names[step.scope]
    return name if step.of in (None, name) else None


def _most(step: Cap, day: date) -> tuple[Decimal, str]:
    if isinstance(step.most, Decimal):
        return step.most, ""
    version = next(version for version in reversed(step.most) if version.since <= day)
    return version.most, f", version {version.version}"


def _spread(amounts: Sequence[Decimal], room: Decimal, spread: str, places: int) -> list[Decimal]:
    """Return what is left of amounts that share a limited room; together never more than it."""
    total = sum(amounts, ZERO)
    if total <= room:
        return list(amounts)
    down = Rounding(digits=places, method="down")
    given = [ZERO] * len(amounts)
    if spread == "pro_rata":
        given = [down.of(amount * room / total) for amount in amounts]
    left = room - sum(given, ZERO)
    # In order, or the cents that rounding the shares down has left.
    for position, amount in enumerate(amounts):
        more = min(amount - given[position], left)
        given[position] += more
        left -= more
    return given


def _floor(contract: Contract, step: Floor, term: str, parts: Sequence[Part]) -> None:
    last = list(contract.periods)[-1]
    if step.scope == "period":
        groups = [[part for part in parts if part.figure.key.period == period] for period in contract.periods]
    else:
        groups = [list(parts) if any(part.figure.key.period == last for part in parts) else []]
    for group in groups:
        settled = [part for part in group if part.amount is not None]
        if not settled:
            continue
        missing = max(step.least - sum((part.known for part in settled), ZERO), ZERO)
        rule = f"«{step.name}»: at least {in_words(step.least, contract.currency)} for the {step.scope}"
        for part in settled:
            part.becomes(part.known + (missing if part is settled[-1] else ZERO), "floor", term, rule)


def _split(contract: Contract, term: str, parts: Sequence[Part]) -> list[Part]:
    """Return one part for each payer of each line; shares are rounded down, and one payer bears the rest."""
    down = Rounding(digits=digits(contract.currency), method="down")
    divided: list[Part] = []
    for line in parts:
        metric = contract.metrics[line.figure.key.metric]
        bearer = metric.remainder_to or next(iter(metric.payers))
        amounts = {payer: down.of(line.known * share) for payer, share in metric.payers.items()}
        amounts[bearer] += line.known - sum(amounts.values(), ZERO)
        for payer, share in metric.payers.items():
            part = Part(line.figure, line.payable_on, line.amount, payer, [], line.entries)
            rest = " and what rounding leaves" if payer == bearer and len(amounts) > 1 else ""
            rule = f"{contract.parties[payer].label} pays {percent(share)}{rest}"
            part.becomes(amounts[payer], "split", term, rule)
            divided.append(part)
    return divided
