"""Economies that cannot be: parties that nobody declared, values counted twice, effects that outlast the horizon."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ..errors import ProgrammeError, VirkningError, did_you_mean
from ..estimates import Estimates
from .persistence import Constant, Measured
from .prices import Library, find_price, in_prices_of
from .specification import Consequence, Cost, EconomySpecification, Passed

Where = Callable[[tuple[str | int, ...]], str]
RESERVED = frozenset({"society", "tax_distortion"})
# From this level of the Maryland scale on, an effect is a difference from what would have happened anyway.
_HAS_COMPARISON = 3


def structure_problems(
    said: EconomySpecification, costs: Mapping[str, Cost], library: Library, where: Where
) -> Iterator[VirkningError]:
    """Give every reason why the document contradicts itself, whatever the effects are.

    Parameters
    ----------
    said : EconomySpecification
        The document.
    costs : mapping of str to Cost
        With those of the table.
    library : mapping
        The price library.
    where : callable
        From a path to how messages call it.
    """
    if not costs and not said.consequences:
        yield ProgrammeError(
            "programme.empty_economy",
            "There are neither costs nor consequences.",
            where=where(()),
            why="Nothing can be said of a programme that costs nothing and changes nothing.",
            do="Write at least one line under costs.",
        )
    for name in sorted(RESERVED & set(said.parties)):
        yield ProgrammeError(
            "programme.reserved_party",
            f"«{name}» cannot be the name of a party.",
            where=where(("parties", name)),
            why="It is what all parties together are called, or the loss from taxation.",
            do="Choose another name.",
        )
    yield from _in_parties(said, costs, where)
    yield from _in_time(said, costs, where)
    yield from _in_prices(said, costs, library, where)
    yield from _counted_twice(said, library, where)
    yield from _in_incomes(said, where)


def _in_parties(said: EconomySpecification, costs: Mapping[str, Cost], where: Where) -> Iterator[VirkningError]:
    named: list[tuple[tuple[str | int, ...], str | None]] = []
    for name, cost in costs.items():
        named += [(("costs", name, "payer"), cost.payer), (("costs", name, "recipient"), cost.recipient)]
    for name, line in said.consequences.items():
        named += [(("consequences", name, "gains"), line.gains), (("consequences", name, "loses"), line.loses)]
        if line.displacement is not None:
            others, place = line.displacement.party, ("consequences", name, "displacement", "party")
            named.append((place, others))
            if others in said.parties and said.parties[others].kind == "participant":
                yield ProgrammeError(
                    "programme.displaced_participants",
                    "Those who lose the job are said to be the participants themselves.",
                    where=where(place),
                    why="What participants gain and what others lose must be seen apart.",
                    do="Name a party of the kind «other».",
                )
    passed = list(_passed(said, costs))
    for steps, item, _ in passed:
        named += [((*steps, "party"), item.party), ((*steps, "of"), item.of)]
    for path, party in named:
        if party is not None and party not in said.parties:
            yield ProgrammeError(
                "programme.unknown_party",
                f"«{party}» is not among the parties.",
                where=where(path),
                why="Who pays and who gains would not add up.",
                do=did_you_mean(party, said.parties),
            )
    totals: dict[tuple[tuple[str | int, ...], str], np.ndarray] = defaultdict(lambda: np.zeros(said.horizon_years + 1))
    for steps, item, sides in passed:
        whose = item.of or sides[0]
        if whose not in sides or item.party == whose:
            yield ProgrammeError(
                "programme.passed_on",
                f"A share of the stream of «{whose}» cannot be passed on to «{item.party}» here.",
                where=where(steps),
                why="A reimbursement or tax moves a share from a party of this line to another one.",
                do=f"Say under «of» whose stream it is: {' or '.join(sides)}.",
            )
        totals[steps[:2], whose] += by_year(item, said.horizon_years + 1)
    for (steps, whose), total in totals.items():
        if total.max() > 1 + 1e-12:
            yield ProgrammeError(
                "programme.passed_on_too_much",
                f"Taxes and reimbursements together take more than the whole stream of «{whose}».",
                where=where(steps),
                why="No more than all of it can be passed on.",
                do="Correct the shares.",
            )


def _passed(
    said: EconomySpecification, costs: Mapping[str, Cost]
) -> Iterator[tuple[tuple[str | int, ...], Passed, tuple[str, ...]]]:
    """Give every share that is passed on: its place, itself, and the parties of its line."""
    for name, cost in costs.items():
        sides = (cost.payer,) if cost.recipient is None else (cost.payer, cost.recipient)
        for index, item in enumerate(cost.reimbursements):
            yield ("costs", name, "reimbursements", index), item, sides
    for name, line in said.consequences.items():
        both = tuple(party for party in (line.gains, line.loses) if party is not None)
        for key, items in (("taxes", line.taxes), ("reimbursements", line.reimbursements)):
            for index, item in enumerate(items):
                yield ("consequences", name, key, index), item, both


def by_year(item: Passed, n_years: int) -> np.ndarray:
    """Return the share that is passed on in each year since the stream began, shape (n_years,).

    Parameters
    ----------
    item : Passed
        One share for all years, or one for each, of which the last holds on.
    n_years : int
        Number of years.
    """
    given = item.share if isinstance(item.share, tuple) else (item.share,)
    return np.array([given[min(year, len(given) - 1)] for year in range(n_years)])


def _in_time(said: EconomySpecification, costs: Mapping[str, Cost], where: Where) -> Iterator[VirkningError]:
    last_intake = max(said.people.intake)
    if last_intake > said.horizon_years:
        yield _beyond(f"People start in year {last_intake}", said.horizon_years, where(("people", "intake")))
    for name, cost in costs.items():
        last = cost.year + cost.years - 1 + (last_intake if cost.per == "participant" else 0)
        if last > said.horizon_years:
            yield _beyond(f"The cost «{name}» falls in year {last}", said.horizon_years, where(("costs", name)))
    for name, line in said.consequences.items():
        longest = line.duration_high or line.duration_years
        last = last_intake + line.start_year + int(np.ceil(longest)) - 1
        if last > said.horizon_years:
            words = f"The effect behind «{name}» lasts to year {last}"
            yield _beyond(words, said.horizon_years, where(("consequences", name, "duration_years")))
        if isinstance(line.persistence, Measured) and longest > line.persistence.years:
            yield ProgrammeError(
                "programme.measured_path",
                f"The path was measured for {line.persistence.years} years, the effect lasts {longest:g}.",
                where=where(("consequences", name, "duration_years")),
                why="What was not measured is an assumption, and must be declared as one.",
                do="Shorten the duration, or choose constant, linear or exponential persistence.",
            )


def _beyond(what: str, horizon: int, where: str) -> ProgrammeError:
    return ProgrammeError(
        "programme.horizon",
        f"{what}, the horizon ends in year {horizon}.",
        where=where,
        why="A result that leaves out the later years without saying so is too low, or too high.",
        do="Lengthen horizon_years, or shorten what is assumed.",
    )


def _in_prices(
    said: EconomySpecification, costs: Mapping[str, Cost], library: Library, where: Where
) -> Iterator[VirkningError]:
    for name, cost in costs.items():
        place = where(("costs", name))
        try:
            in_prices_of(
                cost.amount, cost.price_year, said.price_year, (cost.currency, said.currency), said.index, place
            )
        except ProgrammeError as problem:
            yield problem
    for name, line in said.consequences.items():
        place = where(("consequences", name, "price"))
        try:
            price = find_price(line.price, said.prices, library, place)
            in_prices_of(
                price.value, price.price_year, said.price_year, (price.currency, said.currency), said.index, place
            )
        except ProgrammeError as problem:
            yield problem
            continue
        longest = line.duration_high or line.duration_years
        if price.every == "once" and (longest > 1 or not isinstance(line.persistence, Constant)):
            yield ProgrammeError(
                "programme.once",
                f"The value «{line.price}» comes once, and the effect is said to last {longest:g} years.",
                where=where(("consequences", name, "duration_years")),
                why="A value that comes once would be counted again in every year.",
                do="Write duration_years: 1, or give the value per year.",
            )


def _counted_twice(said: EconomySpecification, library: Library, where: Where) -> Iterator[VirkningError]:
    lines = list(said.consequences.items())
    for position, (name, line) in enumerate(lines):
        for other_name, other in lines[:position]:
            if line.subject == other.subject and _overlap(line, other):
                yield _twice(name, f"«{line.subject}» is valued in «{other_name}» already, in the same years", where)
        for other_name, other in lines:
            price = said.prices.get(other.price, library.get(other.price))
            covered = () if price is None or isinstance(price, str) else price.covers
            if other_name != name and line.subject in covered:
                yield _twice(name, f"the value of «{other_name}» holds «{line.subject}» already", where)
            if line.link is None or other_name == name:
                continue
            if other.link is None and other.outcome == line.link.outcome:
                words = f"«{line.link.outcome}» is measured and valued in «{other_name}»; it may not be inferred too"
                yield _twice(name, words, where)
            elif other.link is not None and other.link.outcome == line.link.outcome and other.outcome != line.outcome:
                yield _twice(
                    name, f"«{line.link.outcome}» is inferred from another outcome in «{other_name}» too", where
                )


def _overlap(one: Consequence, other: Consequence) -> bool:
    """Tell whether two consequences have a year in common."""
    ends = [line.start_year + (line.duration_high or line.duration_years) for line in (one, other)]
    return max(one.start_year, other.start_year) < min(ends)


def _twice(name: str, what: str, where: Where) -> ProgrammeError:
    return ProgrammeError(
        "programme.counted_twice",
        f"«{name}» would be counted twice: {what}.",
        where=where(("consequences", name)),
        why="The same gain would be added up through two outcomes, and the programme would look better than it is.",
        do="Keep the line whose value is known best, or give them different subjects if they are different things.",
    )


def _in_incomes(said: EconomySpecification, where: Where) -> Iterator[VirkningError]:
    with_income = [name for name, party in said.parties.items() if party.income is not None]
    if with_income and said.welfare.median_income is None:
        yield ProgrammeError(
            "programme.no_median_income",
            f"The income of «{with_income[0]}» is known, the median income is not.",
            where=where(("welfare", "median_income")),
            why="A distributional weight compares the two.",
            do="Say welfare.median_income, in the same currency and prices, or leave incomes out.",
        )


def effect_problems(
    said: EconomySpecification, library: Library, effects: Estimates, where: Where
) -> Iterator[VirkningError]:
    """Give every reason why the document does not fit the effects.

    Parameters
    ----------
    said : EconomySpecification
        The document.
    library : mapping
        The price library.
    effects : Estimates
        What was estimated.
    where : callable
        From a path to how messages call it.
    """
    for name, line in said.consequences.items():
        steps = ("consequences", name)
        if line.outcome not in effects:
            yield ProgrammeError(
                "programme.unknown_outcome",
                f"There is no effect on «{line.outcome}».",
                where=where((*steps, "outcome")),
                why="Only what was estimated can be valued.",
                do=did_you_mean(line.outcome, effects),
            )
            continue
        estimate = effects[line.outcome]
        if not estimate.is_available:
            yield ProgrammeError(
                "programme.no_effect",
                f"There is no estimate of the effect on «{line.outcome}»: {estimate.unavailable_reason}",
                where=where((*steps, "outcome")),
                why="An effect that is not known is not zero: leaving it out in silence would be a number too.",
                do="Take the line out, and name the outcome under not_valued.",
            )
            continue
        price = find_price(line.price, said.prices, library, where((*steps, "price")))
        unit = estimate.estimand.unit if line.link is None else line.link.unit
        if price.per != unit:
            yield ProgrammeError(
                "programme.unit_mismatch",
                f"The value «{line.price}» is for one of «{price.per}», the outcome is in «{unit}».",
                where=where((*steps, "price")),
                why="A value per month against an effect per year is wrong by a factor of twelve.",
                do="Take a value for that unit; «every» says how long one unit lasts.",
            )
        if estimate.estimand.kind == "log":
            yield ProgrammeError(
                "programme.log_outcome",
                f"The effect on «{line.outcome}» is a difference of logarithms.",
                where=where((*steps, "outcome")),
                why="A percentage has no value per unit.",
                do="Value the same outcome in its own unit.",
            )
        if estimate.evidence_level.level >= _HAS_COMPARISON and (line.deadweight_share or line.attribution_share):
            yield ProgrammeError(
                "programme.deadweight",
                "The effect has a comparison group, and is reduced for what would have happened anyway once more.",
                where=where(steps),
                why="The comparison group shows what happens anyway and what others bring about: it is subtracted.",
                do="Leave out deadweight_share and attribution_share.",
            )
        if isinstance(line.persistence, Measured):
            known = set(estimate.effects["term"])
            for term in sorted({term for year in line.persistence.terms_by_year for term in year} - known):
                yield ProgrammeError(
                    "programme.unknown_term",
                    f"The estimate has no term «{term}».",
                    where=where((*steps, "persistence", "terms")),
                    why="A year of the path would be missing.",
                    do=did_you_mean(term, known),
                )
