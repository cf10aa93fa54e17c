"""A contract in words, generated from its terms: what the computer settles is what the reader reads."""

from __future__ import annotations

from decimal import Decimal

from ..language import join, plural
from ..money import Rounding, in_words, percent, plain
from .measures import (
    ClaimsResult,
    DaysResult,
    EffectResult,
    FixedBaseline,
    HistoricalCohort,
    NoCounterfactual,
    PeopleResult,
    ShareResult,
)
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
from .steps_in_words import step_in_words, waterfall_in_words
from .terms import Contract, Metric

_FORMS = {
    "level": "",
    "relative_percent": ", in per cent of the comparison group's mean",
    "per_100": ", per 100 people",
    "total": ", times the persons in the programme",
}


def contract_in_words(contract: Contract) -> tuple[str, ...]:
    """Return the contract as sentences, one for each term, in the order in which they apply.

    Parameters
    ----------
    contract : Contract
    """
    return tuple(sentence for sentences in sections_in_words(contract).values() for sentence in sentences)


def sections_in_words(contract: Contract) -> dict[str, tuple[str, ...]]:
    """Return the contract as sentences, section by section: parties, each outcome, limits in their order, waterfall.

    Parameters
    ----------
    contract : Contract
    """
    periods = [f"{name} ({period.start} to {period.end})" for name, period in contract.periods.items()]
    sections = {
        "The parties": (
            f"{contract.title}: amounts in {contract.currency}. Source: {contract.source}.",
            *(f"{party.label}: {join(party.roles)}." for party in contract.parties.values()),
            f"Results are settled for {plural(len(periods), 'period', 'periods')}: {join(periods)}.",
            *(f"Cohort {cohort.label}: starts {cohort.start} to {cohort.end}." for cohort in contract.cohorts.values()),
        )
    }
    for metric in contract.metrics.values():
        sections[metric.label] = tuple(_metric(contract, metric))
    sections["Limits, in this order"] = tuple(
        f"Step {position}: {step_in_words(step, contract)}" for position, step in enumerate(contract.order, start=1)
    )
    if contract.waterfall:
        sections["Where the money goes"] = waterfall_in_words(contract, contract.waterfall)
    return sections


def _metric(contract: Contract, metric: Metric) -> list[str]:
    who = join([f"{contract.parties[name].label} ({percent(share)})" for name, share in metric.payers.items()])
    verifier = contract.parties[metric.evidence.verifier].label
    window = f" Observed: {metric.window[:1].lower()}{metric.window[1:]}." if metric.window else ""
    weight = "" if metric.weight is None else f" Weight: {percent(metric.weight)}."
    rounding = metric.result_rounding
    before = f" Before it is priced, the result is {rounding.in_words()}." if isinstance(rounding, Rounding) else ""
    return [
        f"{metric.label} is counted in {metric.unit} and {_compared(metric)}.{_result(metric)}{window}{weight}{before}",
        *(
            f"Since {price.since.isoformat()} (version {price.version}, {price.standing}): "
            f"{price_in_words(price, contract)}."
            for price in metric.prices
        ),
        *_rules(metric, contract),
        f"It needs {join(metric.evidence.needs)}, is verified by {verifier}, and is payable "
        f"{metric.evidence.lag_days} days after the end of the period by {who}{_instalments(metric)}.",
    ]


def _compared(metric: Metric) -> str:
    against = metric.counterfactual
    if isinstance(metric.result, EffectResult):
        design = str(getattr(against, "design", "")).replace("_", " ")
        return f"is the effect that the programme's own evaluation estimates ({design})"
    if isinstance(against, NoCounterfactual):
        return "compared with nothing: the result is paid for as it is, whether or not the programme caused it"
    form = "the difference" if getattr(against, "form", "") == "difference" else "the change in per cent"
    change = f"; {form} is paid for, where it is {'an increase' if _is_more(metric) else 'a decrease'}"
    if isinstance(against, FixedBaseline | HistoricalCohort):
        kind = against.type.replace("_", " ")
        return f"compared with a {kind}, {plain(against.baseline)} {metric.unit} ({against.source}){change}"
    return f"compared with a {against.type.replace('_', ' ')}{change}"


def _is_more(metric: Metric) -> bool:
    return getattr(metric.counterfactual, "direction", "increase") == "increase"


def _result(metric: Metric) -> str:
    match metric.result:
        case EffectResult() as result:
            which = "the headline" if result.term == "headline" else f"the estimate «{result.term}»"
            less = "" if result.direction == "increase" else "; less of it is paid for"
            measure = result.measure.replace("_", " ")
            return f" It is {which} of «{measure}»{_FORMS[result.form]}, settled in {result.period}{less}."
        case PeopleResult():
            return " Each person counts once."
        case ClaimsResult(most_per_person=int(most)) | DaysResult(most_per_person=int(most)):
            return f" One person counts at most {plural(most, 'time', 'times')}."
        case ShareResult() as result:
            side = "at least" if result.direction == "increase" else "at most"
            return (
                f" It is the share of people with {side} {plain(result.bar)} (exactly there: "
                f"{result.at_bar.replace('_', ' ')})."
            )
    return ""


def _rules(metric: Metric, contract: Contract) -> list[str]:
    """Return what happens to weak samples and to restated results."""
    said = []
    if metric.sample:
        needs = []
        if metric.sample.least_people is not None:
            needs.append(f"at least {plural(metric.sample.least_people, 'person', 'people')}")
        if metric.sample.least_matched_share is not None:
            needs.append(f"a match for {percent(metric.sample.least_matched_share)} of them")
        amount = "" if metric.sample.amount is None else f" ({in_words(metric.sample.amount, contract.currency)})"
        otherwise = metric.sample.otherwise.replace("_", " ")
        said.append(f"A result rests on {join(needs)}; otherwise it {_OTHERWISE.get(otherwise, otherwise)}{amount}.")
    if metric.restatement:
        up = metric.restatement.upwards.replace("_", " ")
        down = metric.restatement.downwards.replace("_", " ")
        said.append(f"When a result is restated, what is missing is {up}, and what was too much is {down}.")
    return said


_OTHERWISE = {"refused": "is refused", "pays amount": "pays an agreed amount"}


def _instalments(metric: Metric) -> str:
    parts = [
        f"{percent(part.share)} {f'{part.after_months} months later' if part.after_months else 'at once'}"
        for part in metric.instalments
    ]
    return f", in {len(parts)} instalments: {join(parts)}" if parts else ""


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
