"""From handed-in rows to one figure for each line: counted, compared with the counterfactual, and rounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NoReturn

from ..errors import DataError
from ..language import plural
from ..money import ZERO, Rounding, plain
from .consistency import COUNTED, has_pairs
from .measures import (
    ClaimsResult,
    DaysResult,
    FixedBaseline,
    HistoricalCohort,
    MatchedGroup,
    PeopleResult,
    RandomisedControl,
    ShareResult,
)
from .results import ACCEPTED, ResultRow
from .terms import Contract, Metric


@dataclass(frozen=True)
class Key:
    """What a line of the settlement is about; empty cohort or group: the contract has none."""

    metric: str
    period: str
    cohort: str = ""
    group: str = ""

    @property
    def line(self) -> str:
        """The line's name in the ledger."""
        return " / ".join(part for part in (self.period, self.metric, self.cohort, self.group) if part)


@dataclass(frozen=True)
class Claim:
    """How many units of one person are payable; an empty person stands for an audited count."""

    person: str = field(repr=False)
    units: Decimal


@dataclass(frozen=True)
class Figure:
    """The result of one line.

    Attributes
    ----------
    key : Key
    quantity : Decimal
        What is priced: after counterfactual and rounding, in the metric's unit or in per cent.
    unrounded : Decimal
        The same before rounding.
    rule : str
        How it came about, in words.
    source : str
        Where the rows come from, with their standing.
    n_people : int or None
        People behind it, where known.
    claims : tuple of Claim
        For results that count people, claims or days.
    withheld : str
        Rows that the verifier has not accepted, in words; empty when there are none.
    weakness : str
        Why the sample rule is not met; empty when it is.
    warning : str
        What the reader must know.
    is_payable : bool
        Whether any row was accepted.
    """

    key: Key
    quantity: Decimal
    unrounded: Decimal
    rule: str
    source: str
    n_people: int | None
    claims: tuple[Claim, ...] = ()
    withheld: str = ""
    weakness: str = ""
    warning: str = ""
    is_payable: bool = True


def figures(contract: Contract, rows: Sequence[ResultRow]) -> tuple[Figure, ...]:
    """Return one figure for each line, in the order of payment: date, metric, cohort, group.

    Parameters
    ----------
    contract : Contract
    rows : sequence of ResultRow
        Checked rows without corrections; their order does not matter.

    Raises
    ------
    DataError
        A figure cannot be told without a guess.
    """
    places = {name: position for position, name in enumerate(contract.periods)}
    used: dict[tuple[str, str], Decimal] = {}
    lines: dict[Key, list[ResultRow]] = {}
    for row in sorted(rows, key=lambda row: (places[row.period], str(row.accepted_on or ""), row.result_id)):
        lines.setdefault(_key(contract.metrics[row.metric], row), []).append(row)
    made = [_figure(contract, key, lines[key], used) for key in sorted(lines, key=lambda key: places[key.period])]
    rank = [
        {name: i for i, name in enumerate(names)} for names in (contract.metrics, contract.cohorts, contract.groups)
    ]
    return tuple(
        sorted(
            made,
            key=lambda figure: (
                contract.payable_on(figure.key.metric, figure.key.period),
                places[figure.key.period],
                rank[0][figure.key.metric],
                rank[1].get(figure.key.cohort, -1),
                rank[2].get(figure.key.group, -1),
            ),
        )
    )


def _key(metric: Metric, row: ResultRow) -> Key:
    return Key(row.metric, row.period, "" if metric.cohorts == "pooled" else row.cohort, row.group)


def _figure(contract: Contract, key: Key, rows: list[ResultRow], used: dict[tuple[str, str], Decimal]) -> Figure:
    metric = contract.metrics[key.metric]
    accepted = [row for row in rows if row.evidence == ACCEPTED]
    claims: tuple[Claim, ...] = ()
    missing = Counter(row.evidence for row in rows if row.evidence != ACCEPTED)
    withheld = ", ".join(f"{n} {status}" for status, n in sorted(missing.items()))
    source = "; ".join(dict.fromkeys(f"{row.source} ({row.standing})" for row in rows))
    if not accepted:
        return Figure(key, ZERO, ZERO, "nothing accepted", source, None, withheld=withheld, is_payable=False)
    if isinstance(metric.result, COUNTED):
        claims = tuple(_claims(metric, accepted, used))
        value = sum((claim.units for claim in claims), ZERO)
        rule = f"{plain(value)} {metric.unit}, added up from {plural(len(accepted), 'accepted row', 'accepted rows')}"
        n_people = _people(metric, claims, value)
    elif isinstance(metric.result, ShareResult):
        value, rule, n_people = _share(metric.result, rows, key)
    else:
        value, rule, n_people = _compared(contract, key, metric, accepted)
    rounded, words = _rounded(metric, value)
    return Figure(
        key=key,
        quantity=rounded,
        unrounded=value,
        rule=rule + words,
        source=source,
        n_people=n_people,
        claims=claims,
        withheld=withheld,
        weakness=_weakness(metric, n_people, accepted),
        warning=_conflict(metric, accepted),
    )


def _claims(metric: Metric, rows: Sequence[ResultRow], used: dict[tuple[str, str], Decimal]) -> Iterator[Claim]:
    """Give the payable units of each row; what one person has claimed before counts against the limit per person."""
    result = metric.result
    most = 1 if isinstance(result, PeopleResult) else None
    if isinstance(result, ClaimsResult | DaysResult):
        most = result.most_per_person
    for row in rows:
        units = row.value
        if most is not None and row.person_id:
            before = used.get((row.metric, row.person_id), ZERO)
            units = min(units, max(most - before, ZERO))
            used[row.metric, row.person_id] = before + units
        yield Claim(row.person_id, units)


def _people(metric: Metric, claims: Sequence[Claim], counted: Decimal) -> int | None:
    """Return how many people stand behind counted results; an audited count of claims or days does not tell."""
    if all(claim.person for claim in claims):
        return len({claim.person for claim in claims if claim.units > 0})
    return int(counted) if isinstance(metric.result, PeopleResult) else None


def _share(result: ShareResult, rows: Sequence[ResultRow], key: Key) -> tuple[Decimal, str, int]:
    """Return the share of all people whose accepted value reaches the bar: who is not accepted has not reached it."""
    if len({row.person_id for row in rows}) < len(rows):
        _refuse(
            key,
            "contract.person_twice",
            "A person stands twice in one share.",
            "Nobody said which of the two counts.",
            "Give one row for each person.",
        )
    sign = 1 if result.direction == "increase" else -1
    reached = sum(
        row.evidence == ACCEPTED
        and (sign * row.value > sign * result.bar or (row.value == result.bar and result.at_bar == "reached"))
        for row in rows
    )
    edge = "reaches" if result.at_bar == "reached" else "does not reach"
    rule = f"{reached} of {len(rows)} people reach the bar {plain(result.bar)} (exactly there {edge} it)"
    return Decimal(reached) / len(rows), rule, len(rows)


def _compared(
    contract: Contract, key: Key, metric: Metric, rows: Sequence[ResultRow]
) -> tuple[Decimal, str, int | None]:
    """Return the result against its counterfactual, in words too, and the people behind it."""
    if len(rows) > 1 and metric.cohorts != "pooled":
        _refuse(
            key,
            "contract.several_figures",
            f"{len(rows)} figures stand for the same metric, period, cohort and group.",
            "Nobody said whether they add up, or which of them counts.",
            "Give one audited figure; mark a correction with the column «restates».",
        )
    n_people = sum(row.n_people or 0 for row in rows) if all(row.n_people is not None for row in rows) else None
    value, words = _weighted([row.value for row in rows], rows), ""
    if len(rows) > 1:
        words = f", pooled over {len(rows)} cohorts weighted by their {n_people} people"
    against = metric.counterfactual
    match against:
        case MatchedGroup() | RandomisedControl():
            kind = "matched group" if isinstance(against, MatchedGroup) else "randomised control group"
            comparison = _weighted([row.comparison or ZERO for row in rows], rows)
        case FixedBaseline():
            kind, comparison = f"fixed baseline ({against.source})", against.baseline
        case HistoricalCohort():
            years = contract.periods[key.period].start.year - against.baseline_year
            kind = (
                f"earlier cohort {plain(against.baseline)} of {against.baseline_year} "
                f"with {plain(against.trend_per_year)} a year ({against.source})"
            )
            comparison = against.baseline + against.trend_per_year * years
        case _:
            return value, f"{plain(_short(value))} {metric.unit}{words}", n_people
    change = value - comparison if against.direction == "increase" else comparison - value
    pair = f"{plain(_short(value))} against {plain(_short(comparison))} {metric.unit}"
    rule = f"{against.direction}, {pair}, {kind}{words}"
    if against.form == "difference":
        return change, rule, n_people
    if comparison <= 0:
        _refuse(
            key,
            "contract.zero_comparison",
            "The comparison's figure is not above zero, so no relative change exists.",
            "Any payment would rest on a division by nothing.",
            "Correct the figure, or agree on the difference.",
        )
    return 100 * change / comparison, rule + ", in per cent of the latter", n_people


def _weighted(values: Sequence[Decimal], rows: Sequence[ResultRow]) -> Decimal:
    if len(values) == 1:
        return values[0]
    people = [Decimal(row.n_people or 0) for row in rows]
    return sum((value * n for value, n in zip(values, people, strict=True)), ZERO) / sum(people)


def _short(value: Decimal) -> Decimal:
    """Return a number for a sentence: at most six decimals."""
    exponent = value.as_tuple().exponent
    return round(value, 6) if isinstance(exponent, int) and exponent < -6 else value


def _rounded(metric: Metric, value: Decimal) -> tuple[Decimal, str]:
    if isinstance(metric.result_rounding, Rounding):
        rounded = metric.result_rounding.of(value)
        return rounded, f"; {plain(_short(value))} {metric.result_rounding.in_words()}: {plain(rounded)}"
    return value, ""


def _weakness(metric: Metric, n_people: int | None, rows: Sequence[ResultRow]) -> str:
    if metric.sample is None:
        return ""
    least, share = metric.sample.least_people, metric.sample.least_matched_share
    if least is not None and (n_people is None or n_people < least):
        return f"fewer than {least} people"
    if share is not None and any(row.matched_share is None or row.matched_share < share for row in rows):
        return f"less than {plain(100 * share)}% of the people are matched"
    return ""


def _conflict(metric: Metric, rows: Sequence[ResultRow]) -> str:
    """Return a warning where the yes/no share and the frequency point in opposite directions."""
    row = rows[0]
    if metric.result.type != "frequency" or len(rows) > 1 or not has_pairs(metric):
        return ""
    if row.binary_share is None or row.comparison_binary_share is None or row.comparison is None:
        return ""
    if (row.value - row.comparison) * (row.binary_share - row.comparison_binary_share) >= 0:
        return ""
    return (
        f"{metric.label}: frequency ({plain(row.value)} against {plain(row.comparison)}) and share with any event "
        f"({plain(100 * row.binary_share)}% against {plain(100 * row.comparison_binary_share)}%) disagree in sign. "
        "The contract pays for the frequency."
    )


def _refuse(key: Key, code: str, what: str, why: str, do: str) -> NoReturn:
    raise DataError(code, what, where=f"results: {key.line}", why=why, do=do)
