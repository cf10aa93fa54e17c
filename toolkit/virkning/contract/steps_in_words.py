"""The limits of a contract and its waterfall in words, generated from their terms."""

from __future__ import annotations

from decimal import Decimal

from ..language import join
from ..money import in_words, percent
from .finance import Bonus, Fee, Recycling, RepayTranche, Residual, UpToReturn, Waterfall, WaterfallStep
from .order import Cap, Floor, PersonCap, Round, Step
from .terms import Contract


def step_in_words(step: Step, contract: Contract) -> str:
    """Return one step of the order as a sentence."""
    match step:
        case PersonCap():
            return f"no person is paid for beyond {in_words(step.most, contract.currency)} ({step.name})."
        case Cap():
            who = "earlier payments first" if step.spread == "in_order" else "payments of one day share what is left"
            return f"at most {_most(step, contract)} for {_whom(step, contract)}; {who} ({step.name})."
        case Floor():
            return f"at least {in_words(step.least, contract.currency)} for the {step.scope} ({step.name})."
        case Round():
            return f"each line is {step.rule.in_words()}."
        case _:
            return "each line is divided among its payers."


def _most(step: Cap, contract: Contract) -> str:
    if isinstance(step.most, Decimal):
        return in_words(step.most, contract.currency)
    return join([f"{in_words(v.most, contract.currency)} since {v.since.isoformat()}" for v in step.most])


def _whom(step: Cap, contract: Contract) -> str:
    if step.scope == "contract":
        return "the contract"
    if step.of is None:
        return f"each {step.scope}"
    if step.scope == "payer":
        return contract.parties[step.of].label
    return contract.metrics[step.of].label if step.scope == "metric" else step.of


def waterfall_in_words(contract: Contract, terms: Waterfall) -> tuple[str, ...]:
    """Return who pays in, how payments flow on, and who guarantees what, as sentences.

    Parameters
    ----------
    contract : Contract
        For its currency and the labels of its parties.
    terms : Waterfall
    """
    label = {name: party.label for name, party in contract.parties.items()}

    def money(amount: Decimal, party: str = "") -> str:
        currency = (contract.parties[party].currency if party else None) or contract.currency
        return f"{in_words(amount, currency)} {currency}"

    sentences = []
    for drawn in terms.drawdowns:
        investor = terms.tranches[drawn.tranche].investor
        sentences.append(
            f"On {drawn.on.isoformat()} {label[investor]} pays {money(drawn.amount, investor)} to {label[drawn.to]}."
        )
    for name, tranche in terms.tranches.items():
        if tranche.interest != "none":
            sentences.append(f"The tranche {name} bears {percent(tranche.rate)} {tranche.interest} interest a year.")
    sentences.append(f"{label[terms.account]} receives every outcome payment and passes it on.")
    sentences += [
        f"From each payment, {position}: {_flow(step, contract, terms)}" for position, step in enumerate(terms.steps, 1)
    ]
    for guarantee in terms.guarantees:
        names = join([name.replace("_", " ") for name in guarantee.tranches])
        sentences.append(
            f"On {guarantee.on.isoformat()} {label[guarantee.guarantor]} pays {percent(guarantee.share)} of what is "
            f"still missing of {names}, at most {money(guarantee.most)}."
        )
    return tuple(sentences)


def _flow(step: WaterfallStep, contract: Contract, terms: Waterfall) -> str:
    label = {name: party.label for name, party in contract.parties.items()}
    most = getattr(step, "most", None)
    limit = "" if most is None else f", at most {in_words(most, contract.currency)} in all"
    match step:
        case Fee():
            return f"{label[step.to]} gets {in_words(step.amount, contract.currency)}{limit} ({step.name})."
        case Recycling():
            return (
                f"{percent(step.share)} of what is left goes back into delivery by {label[step.to]} until "
                f"{step.until}{limit} ({step.name})."
            )
        case Bonus():
            return f"{label[step.to]} gets {percent(step.share)} of what is left{limit} ({step.name})."
        case RepayTranche():
            investor = label[terms.tranches[step.tranche].investor]
            return f"{investor} is repaid the tranche {step.tranche.replace('_', ' ')}, {step.first} first."
        case UpToReturn():
            return f"{label[step.investor]} is paid up to a return of {percent(step.rate)} a year ({step.name})."
        case Residual():
            shares = [f"{label[name]} {percent(share)}" for name, share in step.shares.items()]
            return f"what is left: {join(shares)}."
