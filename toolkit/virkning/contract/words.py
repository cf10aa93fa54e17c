"""A contract in words, generated from its terms: what the computer settles is what the reader reads."""

from __future__ import annotations

from decimal import Decimal

from ..language import join
from ..money import in_words, percent, plain
from .finance import Bonus, Fee, Recycling, RepayTranche, Residual, UpToReturn, WaterfallStep
from .measures import FixedBaseline, HistoricalCohort, NoCounterfactual
from .order import Cap, Floor, PersonCap, Round, Step
from .pricing import (
    AsGiven,
    Condition,
    MarginalTiers,
    PerUnit,
    Price,
    Ramp,
    ShareOfSaving,
    Steps,
    Trigger,
)
from .terms import Contract, Metric


def contract_in_words(contract: Contract) -> tuple[str, ...]:
    """Return the contract as sentences, one for each term, in the order in which they apply.

    Parameters
    ----------
    contract : Contract
    """
    sentences = [f"{contract.title}: amounts in {contract.currency}. Source: {contract.source}."]
    sentences += [f"{party.label} is {join(party.roles)}." for party in contract.parties.values()]
    for metric in contract.metrics.values():
        sentences += _metric(contract, metric)
    sentences += [
        f"Step {position}: {step_in_words(step, contract)}" for position, step in enumerate(contract.order, start=1)
    ]
    if contract.waterfall:
        sentences += [
            f"From each payment, {position}: {_flow(step, contract)}"
            for position, step in enumerate(contract.waterfall.steps, start=1)
        ]
    return tuple(sentences)


def _metric(contract: Contract, metric: Metric) -> list[str]:
    against = metric.counterfactual
    if isinstance(against, NoCounterfactual):
        compared = "nothing: the result is paid for as it is, whether or not the programme caused it"
    elif isinstance(against, FixedBaseline | HistoricalCohort):
        compared = f"{against.type.replace('_', ' ')} {plain(against.baseline)} {metric.unit} ({against.source})"
    else:
        compared = f"{against.type.replace('_', ' ')}"
    who = join([f"{contract.parties[name].label} ({percent(share)})" for name, share in metric.payers.items()])
    verifier = contract.parties[metric.evidence.verifier].label
    weight = "" if metric.weight is None else f" Weight: {percent(metric.weight)}."
    return [
        f"{metric.label} is counted in {metric.unit} and compared with {compared}.{weight}",
        *(
            f"Since {price.since.isoformat()} (version {price.version}, {price.standing}): "
            f"{price_in_words(price, contract)}."
            for price in metric.prices
        ),
        f"It needs {join(metric.evidence.needs)}, is verified by {verifier}, and is payable "
        f"{metric.evidence.lag_days} days after the end of the period by {who}.",
    ]


def price_in_words(price: Price, contract: Contract, group: str = "") -> str:
    """Return a price as part of a sentence.

    Parameters
    ----------
    price : Price
    contract : Contract
        For its currency and the labels of its groups.
    group : str
        Name the price of this group only.
    """
    condition = f", {price.only_if.in_words()}" if price.only_if else ""
    return _form(price, contract, group) + condition


def _form(price: Price, contract: Contract, group: str) -> str:
    def money(amount: Decimal) -> str:
        return f"{in_words(amount, contract.currency)} {contract.currency}"

    match price:
        case PerUnit():
            return _per_unit(price, contract, group)
        case ShareOfSaving():
            saved = (
                "the saving" if price.saving is None else f"a saving of {money(price.saving)} for {plain(price.units)}"
            )
            return f"{percent(price.share)} of {saved}"
        case AsGiven():
            return "the amount as it was settled elsewhere"
        case Trigger():
            amount = "an amount that is not public" if price.amount == "unpublished" else money(price.amount)
            return f"{amount} at {plain(price.threshold)} or more" + _edge(price.at_threshold == "reached")
        case Steps():
            tiers = join([f"{money(tier.amount)} from {plain(tier.at)}" for tier in price.tiers])
            return f"the whole amount of the tier that is reached: {tiers}; edges belong {price.edge_belongs}"
        case MarginalTiers():
            slices = [
                f"{money(part.price)} for each unit above {plain(part.at)}{_if(part.only_if)}" for part in price.slices
            ]
            return f"each slice at its price: {join(slices)}"
        case Ramp():
            return (
                f"from {money(price.low.amount)} at {plain(price.low.result)} in a straight line to "
                f"{money(price.high.amount)} at {plain(price.high.result)}{_edge(price.at_low == 'reached')}"
            )


def _if(condition: Condition | None) -> str:
    return f" ({condition.in_words()})" if condition else ""


def _edge(is_reached: bool) -> str:
    return "" if is_reached else " (exactly there: nothing)"


def _per_unit(price: PerUnit, contract: Contract, group: str) -> str:
    unit = "day" if price.type == "per_day" else "unit"
    each = f"a {unit}" if price.units == 1 else f"for {plain(price.units)} {unit}s"
    if price.prices_by_group is not None:
        chosen = {name: amount for name, amount in price.prices_by_group.items() if group in ("", name)}
        return join(
            [
                f"{in_words(amount, contract.currency)} {contract.currency} {each} for {contract.groups[name]}"
                for name, amount in chosen.items()
            ]
        )
    if price.price is None or price.price == "unpublished":
        return f"a price {each} that is not public"
    indexed = f", following the index {contract.indexes[price.indexation.index].label}" if price.indexation else ""
    return f"{in_words(price.price, contract.currency)} {contract.currency} {each}{indexed}"


def step_in_words(step: Step, contract: Contract) -> str:
    """Return one step of the order as a sentence."""
    match step:
        case PersonCap():
            return f"no person is paid for beyond {in_words(step.most, contract.currency)} ({step.name})."
        case Cap():
            whom = "the contract" if step.scope == "contract" else step.of or f"each {step.scope}"
            most = (
                in_words(step.most, contract.currency)
                if isinstance(step.most, Decimal)
                else join([f"{in_words(v.most, contract.currency)} since {v.since.isoformat()}" for v in step.most])
            )
            who = "earlier payments first" if step.spread == "in_order" else "payments of one day share what is left"
            return f"at most {most} for {whom}; {who} ({step.name})."
        case Floor():
            return f"at least {in_words(step.least, contract.currency)} for the {step.scope} ({step.name})."
        case Round():
            return f"each line is {step.rule.in_words()}."
        case _:
            return "each line is divided among its payers."


def _flow(step: WaterfallStep, contract: Contract) -> str:
    label = {name: party.label for name, party in contract.parties.items()}
    match step:
        case Fee():
            return f"{label[step.to]} gets {in_words(step.amount, contract.currency)} ({step.name})."
        case Recycling():
            return f"{percent(step.share)} goes back into delivery by {label[step.to]} until {step.until}."
        case Bonus():
            return f"{label[step.to]} gets {percent(step.share)} of what is left ({step.name})."
        case RepayTranche():
            return f"the tranche {step.tranche} is repaid, {step.first} first."
        case UpToReturn():
            return f"{label[step.investor]} is paid up to a return of {percent(step.rate)} a year."
        case Residual():
            shares = [f"{label[name]} {percent(share)}" for name, share in step.shares.items()]
            return f"what is left: {join(shares)}."
