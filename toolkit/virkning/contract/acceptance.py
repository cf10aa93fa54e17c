"""Rows must fit the contract before anything is settled: known names, possible values, evidence in time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ..data.read import broken_rules
from ..errors import Problem, ProgrammeError, did_you_mean, nearest
from ..money import ZERO
from .consistency import COUNTED, has_pairs
from .measures import ClaimsResult, DaysResult, EffectResult, FrequencyResult, PeopleResult, ShareResult
from .order import PersonCap
from .pricing import PerUnit
from .results import ACCEPTED, ResultRow, Results
from .terms import Contract, Metric


def require_fitting(contract: Contract, results: Results) -> None:
    """Refuse results that do not fit the contract.

    Parameters
    ----------
    contract : Contract
    results : Results

    Raises
    ------
    DataError
        Every broken rule, with the number of rows; never a person's value.
    """
    problems = list(_names(contract, results.rows))
    if not problems:
        problems = list(_values(contract, results.rows)) + list(_corrections(contract, results.rows))
    if not results.rows:
        problems = [Problem("results", "", "there is nothing to settle", 0)]
    if problems:
        raise broken_rules(problems, results.name, " Compare with contract.yml.")


def require_estimable(contract: Contract, measures: Collection[str], design: str) -> None:
    """Refuse a contract whose effects a programme cannot estimate, before anything is estimated.

    Parameters
    ----------
    contract : Contract
    measures : collection of str
        The programme's outcomes.
    design : str
        The type of its design.

    Raises
    ------
    ProgrammeError
        A measure is not among the outcomes, or another design was agreed on.
    """
    for name, metric in contract.metrics.items():
        if not isinstance(metric.result, EffectResult):
            continue
        if metric.result.measure not in measures:
            raise ProgrammeError(
                "contract.unknown_measure",
                f"The contract pays for «{metric.result.measure}», which is not among the programme's outcomes.",
                where=f"contract.metrics.{name}.result.measure",
                why="There would be no estimate to settle.",
                do=did_you_mean(metric.result.measure, measures),
            )
        agreed = getattr(metric.counterfactual, "design", design)
        if agreed != design:
            raise ProgrammeError(
                "contract.other_design",
                f"The contract agreed on the design «{agreed}»; the programme has «{design}».",
                where=f"contract.metrics.{name}.counterfactual.design",
                why="Another comparison can give another effect, and another payment.",
                do="Use the agreed design, or amend the contract.",
            )


def _count(column: str, rule: str, rows: Sequence[ResultRow]) -> Iterator[Problem]:
    if rows:
        yield Problem("results", column, rule, len(rows))


def _names(contract: Contract, rows: Sequence[ResultRow]) -> Iterator[Problem]:
    known: dict[str, Collection[str]] = {
        "metric": contract.metrics,
        "period": contract.periods,
        "cohort": contract.cohorts,
        "group": contract.groups,
    }
    for column, names in known.items():
        given = {str(getattr(row, column)) for row in rows} - {""}
        for name in sorted(given - set(names)):
            found = [row for row in rows if getattr(row, column) == name]
            # A cell that resembles no known name is not quoted: columns may be exchanged, and it could be a person's.
            written = f"{column} «{name}»" if nearest(name, names) else f"such {column}"
            advice = did_you_mean(name, names) if names else f"It has no {column}s at all."
            yield from _count(column, f"the contract has no {written}. {advice}", found)


def _values(contract: Contract, rows: Sequence[ResultRow]) -> Iterator[Problem]:
    for name, metric in contract.metrics.items():
        own = [row for row in rows if row.metric == name]
        yield from _of_kind(name, metric, own)
        yield from _of_comparison(name, metric, own)
        yield from _of_people(contract, name, metric, own)
        yield from _of_evidence(contract, name, own)
        for period in sorted({row.period for row in own}):
            if metric.price_in(contract.periods[period]) is None:
                found = [row for row in own if row.period == period]
                yield from _count("period", f"{name}: no price is in force yet in the period «{period}»", found)
        if metric.cohorts is not None:
            yield from _count("cohort", f"{name}: the cohort is missing", [row for row in own if not row.cohort])
        if any(isinstance(price, PerUnit) and price.prices_by_group for price in metric.prices):
            yield from _count("group", f"{name}: the group is missing", [row for row in own if not row.group])


def _of_kind(name: str, metric: Metric, own: Sequence[ResultRow]) -> Iterator[Problem]:
    result = metric.result
    if isinstance(result, EffectResult):
        handed_in = [row for row in own if not row.is_estimate]
        yield from _count("metric", f"{name} is settled by the run's own estimate, not by a file", handed_in)
    if isinstance(result, (*COUNTED, FrequencyResult)):
        yield from _count("value", f"{name}: a count is negative", [row for row in own if row.value < ZERO])
    if isinstance(result, PeopleResult | ClaimsResult):
        broken = [row for row in own if row.value != row.value.to_integral_value()]
        yield from _count("value", f"{name}: people and claims are whole numbers", broken)
    if isinstance(result, PeopleResult):
        broken = [row for row in own if row.person_id and row.value not in (0, 1)]
        yield from _count("value", f"{name}: one person counts as 1 or 0", broken)
    as_given = [price for price in metric.prices if price.type == "as_given"]
    if as_given:
        yield from _count("value", f"{name}: an amount is negative", [row for row in own if row.value < ZERO])
    for column in ("binary_share", "comparison_binary_share", "matched_share"):
        outside = [row for row in own if getattr(row, column) is not None and not 0 <= getattr(row, column) <= 1]
        yield from _count(column, f"{name}: a share lies between 0 and 1", outside)


def _of_comparison(name: str, metric: Metric, own: Sequence[ResultRow]) -> Iterator[Problem]:
    if has_pairs(metric):
        missing = [row for row in own if row.comparison is None]
        yield from _count("comparison", f"{name}: the comparison group's figure is missing", missing)
    else:
        given = [row for row in own if row.comparison is not None]
        rule = f"{name}: a comparison is given, but the contract compares with something else, or with nothing"
        yield from _count("comparison", rule, given)
    if isinstance(metric.result, FrequencyResult):
        yield from _count(
            "binary_share",
            f"{name}: beside a frequency stands the share of people with any event",
            [row for row in own if row.binary_share is None],
        )


def _of_people(contract: Contract, name: str, metric: Metric, own: Sequence[ResultRow]) -> Iterator[Problem]:
    result = metric.result
    capped = any(
        isinstance(step, PersonCap) and (step.metrics is None or name in step.metrics) for step in contract.order
    )
    limited = isinstance(result, ClaimsResult | DaysResult) and result.most_per_person is not None
    anonymous = [row for row in own if not row.person_id]
    if capped or limited or isinstance(result, ShareResult):
        yield from _count("person_id", f"{name}: payments are counted by person, and the person is missing", anonymous)
    elif isinstance(result, PeopleResult) and len(anonymous) not in (0, len(own)):
        yield from _count("person_id", f"{name}: some rows name a person and some do not", anonymous)
    if not isinstance(result, (*COUNTED, ShareResult)):
        yield from _count("person_id", f"{name}: a figure belongs to nobody", [row for row in own if row.person_id])
    pooled = metric.cohorts == "pooled"
    needs_people = pooled or (metric.sample is not None and metric.sample.least_people is not None)
    if needs_people and not isinstance(result, (*COUNTED, ShareResult)):
        missing = [row for row in own if row.n_people is None or (pooled and row.n_people == 0)]
        yield from _count("n_people", f"{name}: the number of people behind the figure is missing", missing)
    if metric.sample is not None and metric.sample.least_matched_share is not None:
        yield from _count(
            "matched_share", f"{name}: the matched share is missing", [row for row in own if row.matched_share is None]
        )


def _of_evidence(contract: Contract, name: str, own: Sequence[ResultRow]) -> Iterator[Problem]:
    accepted = [row for row in own if row.evidence == ACCEPTED and not row.is_estimate]
    yield from _count(
        "accepted_on", f"{name}: accepted, but not when", [row for row in accepted if row.accepted_on is None]
    )
    late = [row for row in accepted if row.accepted_on and row.accepted_on > contract.payable_on(name, row.period)]
    rule = f"{name}: accepted after the payment date of its period; name the period in which it was accepted"
    yield from _count("accepted_on", rule, late)
    early = [row for row in own if row.evidence != ACCEPTED and row.accepted_on is not None]
    yield from _count("accepted_on", f"{name}: not accepted, but with a date of acceptance", early)


def _corrections(contract: Contract, rows: Sequence[ResultRow]) -> Iterator[Problem]:
    known = {row.result_id: row for row in rows}
    places = {name: position for position, name in enumerate(contract.periods)}
    given = [row for row in rows if row.restates]
    unknown = [row for row in given if row.restates not in known]
    yield from _count("restates", "the row that is restated does not exist", unknown)
    others = [(row, known[row.restates]) for row in given if row.restates in known]
    same = ("metric", "cohort", "group", "person_id")
    broken = [row for row, old in others if any(getattr(row, column) != getattr(old, column) for column in same)]
    yield from _count("restates", "the restated row has another metric, cohort, group or person", broken)
    early = [row for row, old in others if places[row.period] < places[old.period] or row is old]
    yield from _count("period", "a correction is settled before what it corrects", early)
    targets = [row.restates for row in given]
    twice = [row for row in given if targets.count(row.restates) > 1]
    yield from _count("restates", "a row is restated twice; restate the correction instead", twice)
    reached = {row.result_id for row in rows if not row.restates}
    for _ in given:
        reached |= {row.result_id for row in given if row.restates in reached}
    circle = [row for row in given if row.result_id not in reached and row.restates in known]
    yield from _count("restates", "corrections restate each other in a circle", circle)
    silent = [row for row in given if contract.metrics[row.metric].restatement is None]
    yield from _count("restates", "the contract does not say what a restated result changes (restatement)", silent)
    waiting = [row for row in given if row.evidence != ACCEPTED]
    yield from _count("restates", "a correction that is not accepted cannot be settled", waiting)
