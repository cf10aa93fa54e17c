"""What a contract says must fit together: parties, metrics, prices, limits. The first misfit refuses the whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import did_you_mean
from ..money import digits, in_words
from .finance import Bonus, Fee, Recycling, RepayTranche, Residual, UpToReturn
from .measures import (
    ClaimsResult,
    DaysResult,
    EffectResult,
    EstimatedByRun,
    FrequencyResult,
    NoCounterfactual,
    PeopleResult,
    ShareResult,
)
from .order import Cap, Floor, PersonCap, Round, Split, Step
from .pricing import HAS_EDGES, PerUnit, ShareOfSaving, conditions_of

if TYPE_CHECKING:
    from .terms import Contract, Metric

COUNTED = (PeopleResult, ClaimsResult, DaysResult)


def first_problem(contract: Contract) -> str:
    """Return the first thing that does not fit, as a sentence with advice; empty when everything does."""
    return next(_problems(contract), "")


def _problems(contract: Contract) -> Iterator[str]:
    yield from _in_periods(contract)
    for name, metric in contract.metrics.items():
        yield from _in_metric(contract, name, metric)
        yield from _in_prices(contract, name, metric)
        yield from _in_payers(contract, name, metric)
    yield from _in_order(contract)
    yield from _in_cap_and_floor(contract)
    yield from _in_waterfall(contract)


def _unknown(name: str, known: Collection[str], what: str, where: str) -> Iterator[str]:
    if name not in known:
        yield f"{where}: there is no {what} «{name}». {did_you_mean(name, known)}".strip()


def _party(contract: Contract, name: str, role: str, where: str) -> Iterator[str]:
    if name not in contract.parties:
        yield from _unknown(name, contract.parties, "party", where)
    elif role and role not in contract.parties[name].roles:
        yield f"{where}: the party «{name}» does not have the role {role}; add it to its roles, or name another party"


def _in_periods(contract: Contract) -> Iterator[str]:
    for (one, first), (other, second) in pairwise(contract.periods.items()):
        if second.start <= first.end:
            yield f"periods: «{other}» begins before «{one}» has ended; write them first to last, without overlap"


def _in_metric(contract: Contract, name: str, metric: Metric) -> Iterator[str]:
    where = f"metrics.{name}"
    result, against = metric.result, metric.counterfactual
    if isinstance(result, EffectResult):
        if not isinstance(against, EstimatedByRun):
            yield f"{where}: a result of type effect has a counterfactual of type estimated"
        if metric.result_rounding in (None, "exact"):
            yield f"{where}.result_rounding: an estimate is a binary number; say how many of its decimals count"
        yield from _unknown(result.period, contract.periods, "period", f"{where}.result.period")
    elif isinstance(against, EstimatedByRun):
        yield f"{where}: a counterfactual of type estimated needs a result of type effect"
    if isinstance(result, COUNTED) and not isinstance(against, NoCounterfactual):
        yield (
            f"{where}: people, claims and days are paid as they are; for a comparison, settle the audited total with "
            "a result of type figure"
        )
    if contract.cohorts and metric.cohorts is None and not isinstance(result, EffectResult):
        yield f"{where}.cohorts: the contract has cohorts; say each or pooled"
    if metric.cohorts == "pooled" and isinstance(result, (*COUNTED, ShareResult, EffectResult)):
        yield f"{where}.cohorts: only figures and frequencies of cohorts can be pooled by their people"
    jumps = any(isinstance(price, HAS_EDGES) or price.only_if for price in metric.prices)
    if jumps and metric.result_rounding is None:
        yield f"{where}.result_rounding: the price jumps at an edge; say how the result is rounded before it, or exact"
    parts = metric.instalments
    if parts and sum(part.share for part in parts) != 1:
        yield f"{where}.instalments: the shares do not add up to 1"
    if any(one.after_months >= other.after_months for one, other in pairwise(parts)):
        yield f"{where}.instalments: they must follow each other in time"
    if metric.sample:
        sample = metric.sample
        if sample.least_people is None and sample.least_matched_share is None:
            yield f"{where}.sample: it says neither least_people nor least_matched_share"
        if (sample.otherwise == "pays_amount") != (sample.amount is not None):
            yield f"{where}.sample: «amount» belongs to «otherwise: pays_amount», and to nothing else"
    yield from _party(contract, metric.evidence.verifier, "", f"{where}.evidence.verifier")


def _in_prices(contract: Contract, name: str, metric: Metric) -> Iterator[str]:
    where = f"metrics.{name}.prices"
    for one, other in pairwise(metric.prices):
        if one.since >= other.since:
            yield f"{where}: the versions must follow each other in time"
    for price in metric.prices:
        for label, period in contract.periods.items():
            if period.start < price.since <= period.end:
                yield f"{where}: a version begins inside the period «{label}», which would have two prices; divide it"
        if isinstance(price, PerUnit):
            for group in price.prices_by_group or ():
                yield from _unknown(group, contract.groups, "group", where)
            missing = sorted(set(contract.groups) - set(price.prices_by_group or contract.groups))
            if missing:
                yield f"{where}: the group «{missing[0]}» has no price"
            if price.indexation:
                yield from _unknown(price.indexation.index, contract.indexes, "index", f"{where}.indexation")
        if isinstance(price, PerUnit) and price.type == "per_day" and not isinstance(metric.result, DaysResult):
            yield f"{where}: a price per day needs a result of type days"
        if isinstance(price, ShareOfSaving) and price.saving is None and metric.unit != contract.currency:
            yield f"{where}: without «saving» the result is itself the saving, so its unit is {contract.currency}"
        if price.type == "as_given" and metric.unit != contract.currency:
            yield f"{where}: an amount as given is in {contract.currency}, so that is the metric's unit"
    for condition in conditions_of(metric.prices):
        yield from _unknown(condition.metric, contract.metrics, "metric", f"{where}.only_if")
        other_metric = contract.metrics.get(condition.metric)
        if condition.metric == name:
            yield f"{where}.only_if: a metric cannot be its own condition"
        elif other_metric is not None and other_metric.result_rounding is None:
            yield f"metrics.{condition.metric}.result_rounding: another price tests it at an edge; say it, or exact"


def _in_payers(contract: Contract, name: str, metric: Metric) -> Iterator[str]:
    where = f"metrics.{name}.payers"
    for payer in metric.payers:
        yield from _party(contract, payer, "payer", where)
    if sum(metric.payers.values()) != 1:
        yield f"{where}: the shares do not add up to 1"
    if len(metric.payers) > 1 and metric.remainder_to not in metric.payers:
        yield f"metrics.{name}.remainder_to: with several payers, name the one who bears what rounding leaves"


def _in_order(contract: Contract) -> Iterator[str]:
    steps = contract.order
    kinds = [step.type for step in steps]
    if "round" not in kinds:
        yield "order: say how amounts are rounded, with a step of type round"
    if kinds.count("split") > 1:
        yield "order: the step split can stand once only"
    if contract.several_payers and "split" not in kinds:
        yield "order: a metric has several payers; say with a step of type split where the amounts are divided"
    names = [step.name for step in steps if isinstance(step, PersonCap | Cap | Floor)]
    for label in names:
        if names.count(label) > 1:
            yield f"order: two steps are called «{label}»"
    persons_known = True
    for position, step in enumerate(steps):
        where = f"order.{position}"
        if isinstance(step, PersonCap):
            if not persons_known:
                yield f"{where}: a cap per person must stand before what is done to whole lines"
            yield from _in_person_cap(contract, step, where)
        else:
            persons_known = False
        if isinstance(step, Cap):
            yield from _in_cap(contract, step, where, is_split="split" in kinds[:position])
            if any(isinstance(earlier, Cap) and earlier.scope == "contract" for earlier in steps[:position]):
                yield f"{where}: the contract's cap stands before a narrower one, and could cut more than both need"
        if isinstance(step, Round | Floor):
            yield from _in_rounding(steps[:position], step, where)
    rounds = [step.digits for step in steps if isinstance(step, Round)]
    if rounds and min(rounds) > digits(contract.currency):
        yield f"order: no rounding goes down to the decimals of {contract.currency}"


def _in_rounding(before: Sequence[Step], step: Round | Floor, where: str) -> Iterator[str]:
    after_cap = any(isinstance(earlier, Cap | PersonCap) for earlier in before)
    if isinstance(step, Round):
        if after_cap and step.method != "down":
            yield f"{where}: rounding after a cap could exceed it; round before the cap, or round down"
        if any(isinstance(earlier, Floor) for earlier in before):
            yield f"{where}: rounding after a floor could fall below it; round before the floor"
    else:
        if not any(isinstance(earlier, Round) for earlier in before):
            yield f"{where}: the floor «{step.name}» must stand after a step of type round"
        if any(isinstance(earlier, Cap | Split) for earlier in before):
            yield f"{where}: the floor «{step.name}» must stand before the split and the caps, which have the last word"


def _in_person_cap(contract: Contract, step: PersonCap, where: str) -> Iterator[str]:
    for name in step.metrics or ():
        yield from _unknown(name, contract.metrics, "metric", f"{where}.metrics")
    for name in step.metrics or contract.metrics:
        metric = contract.metrics.get(name)
        if metric is None:
            continue
        if not isinstance(metric.result, COUNTED) or not all(isinstance(price, PerUnit) for price in metric.prices):
            yield (
                f"{where}: «{name}» is not paid per person, so no person's payments can be added up; list the metrics "
                "that are, under «metrics»"
            )
        elif any(isinstance(price, PerUnit) and price.price == "unpublished" for price in metric.prices):
            yield f"{where}: the price of «{name}» is not public, so nobody knows whether a person reaches the cap"


def _in_cap(contract: Contract, step: Cap, where: str, *, is_split: bool) -> Iterator[str]:
    known: dict[str, Collection[str]] = {
        "metric": contract.metrics,
        "period": contract.periods,
        "payer": [name for name, party in contract.parties.items() if "payer" in party.roles],
    }
    if step.of is not None:
        yield from _unknown(step.of, known[step.scope], step.scope, f"{where}.of")
    if step.scope == "payer" and contract.several_payers and not is_split:
        yield f"{where}: a payer's cap must stand after the step split"
    if isinstance(step.most, tuple):
        first = min(contract.payable_on(metric, period) for metric in contract.metrics for period in contract.periods)
        if step.most[0].since > first:
            yield f"{where}: no version of the cap is in force on {first.isoformat()}, the first possible payment date"
    amounts = [step.most] if isinstance(step.most, Decimal) else [version.most for version in step.most]
    for amount in amounts:
        if round(amount, digits(contract.currency)) != amount:
            yield f"{where}: the cap has more decimals than {contract.currency}"


def _in_cap_and_floor(contract: Contract) -> Iterator[str]:
    for floor in (step for step in contract.order if isinstance(step, Floor)):
        if round(floor.least, digits(contract.currency)) != floor.least:
            yield f"order: the floor «{floor.name}» has more decimals than {contract.currency}"
        for cap in (step for step in contract.order if isinstance(step, Cap)):
            if cap.scope not in ("contract", floor.scope):
                continue
            amounts = [cap.most] if isinstance(cap.most, Decimal) else [version.most for version in cap.most]
            if min(amounts) < floor.least:
                yield (
                    f"order: the cap «{cap.name}» ({in_words(min(amounts), contract.currency)}) lies below the floor "
                    f"«{floor.name}» ({in_words(floor.least, contract.currency)}); both cannot hold"
                )


def _in_waterfall(contract: Contract) -> Iterator[str]:
    terms = contract.waterfall
    if terms is None:
        return
    yield from _party(contract, terms.account, "", "waterfall.account")
    for name, tranche in terms.tranches.items():
        yield from _party(contract, tranche.investor, "investor", f"waterfall.tranches.{name}")
        if (tranche.interest == "none") != (tranche.rate == 0):
            yield f"waterfall.tranches.{name}: «interest: none» and a rate of 0 belong together"
    for position, drawn in enumerate(terms.drawdowns):
        yield from _unknown(drawn.tranche, terms.tranches, "tranche", f"waterfall.drawdowns.{position}")
        yield from _party(contract, drawn.to, "", f"waterfall.drawdowns.{position}.to")
    for position, step in enumerate(terms.steps):
        where = f"waterfall.steps.{position}"
        if isinstance(step, Residual) != (position == len(terms.steps) - 1):
            yield f"{where}: the last step, and only the last, is of type residual: nothing may be left over"
        match step:
            case Fee() | Recycling() | Bonus():
                yield from _party(contract, step.to, "", where)
            case RepayTranche():
                yield from _unknown(step.tranche, terms.tranches, "tranche", where)
            case UpToReturn():
                yield from _party(contract, step.investor, "investor", where)
            case Residual():
                for name in (*step.shares, step.remainder_to):
                    yield from _party(contract, name, "", where)
                if sum(step.shares.values()) != 1 or step.remainder_to not in step.shares:
                    yield f"{where}: the shares do not add up to 1, or the remainder goes to nobody among them"
    for position, guarantee in enumerate(terms.guarantees):
        yield from _party(contract, guarantee.guarantor, "guarantor", f"waterfall.guarantees.{position}")
        for name in guarantee.tranches:
            yield from _unknown(name, terms.tranches, "tranche", f"waterfall.guarantees.{position}")


def has_pairs(metric: Metric) -> bool:
    """Tell whether each result of a metric needs the comparison's figure beside it."""
    return metric.counterfactual.type in ("matched_group", "randomised_control")


def is_frequency(metric: Metric) -> bool:
    """Tell whether a metric's results come with a yes/no share beside them."""
    return isinstance(metric.result, FrequencyResult)
