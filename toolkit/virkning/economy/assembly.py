"""From the specification and the effects to the model: parties' shares, inputs and their distributions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..estimates import Estimate, Estimates
from .inputs import Input
from .model import DISTORTION, Line, MeasuredPath, Model
from .persistence import Exponential, Measured
from .prices import find_price, in_prices_of
from .reading import Economy
from .refusals import by_year, effect_problems
from .specification import TIMES_A_YEAR, Consequence, Cost, EconomySpecification, Party, Passed, Price

Array = NDArray[np.float64]


def model_of(economy: Economy, effects: Estimates) -> Model:
    """Return everything that is needed to compute streams.

    Parameters
    ----------
    economy : Economy
        What things cost and what effects are worth.
    effects : Estimates
        What was estimated.

    Raises
    ------
    ProgrammeError
        The two do not fit each other.
    """
    said = economy.specification
    for problem in effect_problems(said, economy.library, effects, lambda steps: economy.where(*steps)):
        raise problem
    parties = dict(said.parties)
    if said.welfare.tax_distortion_share:
        parties[DISTORTION] = Party(label="the loss from taxation", kind="other")
    order = {name: position for position, name in enumerate(parties)}
    inputs: dict[str, Input] = {}
    lines = [_cost_line(name, cost, economy, order, inputs) for name, cost in economy.costs.items()]
    lines += [
        _consequence_line(name, line, economy, effects[line.outcome], order, inputs)
        for name, line in said.consequences.items()
    ]
    return Model(parties, tuple(lines), inputs, said.discounting, said.horizon_years, said.welfare.tax_distortion_share)


def _intake(said: EconomySpecification) -> Array:
    """Return how many people start in each year, shape (years,)."""
    people = np.zeros(said.horizon_years + 1)
    for year, number in said.people.intake.items():
        people[year] += number
    return people


def _pass_on(shares: Array, items: tuple[Passed, ...], order: Mapping[str, int], default: str) -> None:
    """Move shares of the streams of a line's parties to others, in place; every share is of the stream as it began."""
    before = shares.copy()
    for item in items:
        whose, part = order[item.of or default], by_year(item, shares.shape[1])
        shares[whose] -= part * before[whose]
        shares[order[item.party]] += part * before[whose]


def _cost_line(name: str, cost: Cost, economy: Economy, order: Mapping[str, int], inputs: dict[str, Input]) -> Line:
    said = economy.specification
    n_years = said.horizon_years + 1
    convert = in_prices_of(
        1.0, cost.price_year, said.price_year, (cost.currency, said.currency), said.index, economy.where("costs", name)
    )
    bias = 1.0 if cost.optimism_bias is None else cost.optimism_bias.factor
    key = f"cost:{name}"
    per = "" if cost.per == "programme" else " per participant"
    inputs[key] = Input(
        key,
        cost.label,
        f"{said.currency}{per}{' a year' if cost.years > 1 else ''}",
        cost.amount * convert * bias,
        None if cost.low is None else cost.low * convert * bias,
        None if cost.high is None else cost.high * convert * bias,
        cost.shape,
        source=cost.source,
    )
    shares = np.zeros((len(order), n_years))
    shares[order[cost.payer]] -= 1.0
    if cost.recipient is not None:
        shares[order[cost.recipient]] += 1.0
    _pass_on(shares, cost.reimbursements, order, cost.payer)
    fixed = np.zeros(n_years)
    fixed[cost.year : cost.year + cost.years] = 1.0
    once = np.zeros(n_years)
    once[0] = 1.0
    return Line(
        name,
        cost.label,
        None,
        (key,),
        1.0,
        shares,
        once if cost.per == "programme" else _intake(said),
        fixed=fixed,
        is_cash=cost.kind != "volunteer",
        welfare_factor=said.welfare.market_price_factor if cost.at_factor_prices else 1.0,
    )


def _consequence_line(
    name: str,
    line: Consequence,
    economy: Economy,
    estimate: Estimate,
    order: Mapping[str, int],
    inputs: dict[str, Input],
) -> Line:
    said = economy.specification
    price = find_price(line.price, said.prices, economy.library, economy.where("consequences", name, "price"))
    path = _measured_path(line, estimate)
    names = _value_inputs(name, line, price, economy, inputs) + _effect_input(line, estimate, inputs)
    if path is not None:
        names = tuple(item for item in names if not item.startswith("effect:"))
    duration, drop = _time_inputs(name, line, inputs)
    return Line(
        name,
        line.label,
        line.outcome,
        names,
        TIMES_A_YEAR[price.every] * (1 - line.deadweight_share) * (1 - line.attribution_share),
        _shares(line, said, order),
        _intake(said),
        persistence=line.persistence,
        start=line.start_year,
        duration=duration,
        drop=drop,
        path=path,
        is_cash=line.is_cash,
        is_health=line.is_health,
        welfare_factor=said.welfare.market_price_factor if line.at_factor_prices else 1.0,
    )


def _shares(line: Consequence, said: EconomySpecification, order: Mapping[str, int]) -> Array:
    """Return what of one unit of the stream comes to each party, by years since a person began."""
    shares = np.zeros((len(order), said.horizon_years + 1))
    if line.gains is not None:
        shares[order[line.gains]] += 1.0
    if line.loses is not None:
        shares[order[line.loses]] -= 1.0
    _pass_on(shares, (*line.taxes, *line.reimbursements), order, line.gains or line.loses or "")
    if line.displacement is not None:
        # Those who lose the job lose what participants gain; with every other party it is as if the job had not come.
        part, others = line.displacement.share, order[line.displacement.party]
        gained = np.zeros(shares.shape[1])
        for party, position in order.items():
            if party in said.parties and said.parties[party].kind == "participant":
                gained += shares[position]
            elif position != others:
                shares[position] *= 1 - part
        shares[others] -= part * (gained + shares[others])
    return shares


def _value_inputs(
    name: str, line: Consequence, price: Price, economy: Economy, inputs: dict[str, Input]
) -> tuple[str, ...]:
    """Add price, probability and link to the inputs, and return their names."""
    said = economy.specification
    key, place = f"price:{line.price}", economy.where("consequences", name, "price")
    convert = in_prices_of(1.0, price.price_year, said.price_year, (price.currency, said.currency), said.index, place)
    lasting = "" if price.every == "once" else f" a {price.every.replace('_', '-')}"
    inputs[key] = Input(
        key,
        price.label,
        f"{said.currency} per {price.per}{lasting}",
        price.value * convert,
        None if price.low is None else price.low * convert,
        None if price.high is None else price.high * convert,
        price.shape,
        source=price.source,
        grade=price.grade,
    )
    names = [key]
    if line.probability < 1 or line.low is not None:
        key = f"probability:{name}"
        inputs[key] = Input(
            key,
            f"{line.label}: probability",
            "share",
            line.probability,
            line.low,
            line.high,
            line.shape,
            source=line.note,
        )
        names.append(key)
    if line.link is not None:
        key, link = f"link:{name}", line.link
        label, unit = f"{line.label}: link to {link.outcome}", f"{link.unit} per unit"
        inputs[key] = Input(key, label, unit, link.change, link.low, link.high, link.shape, source=link.source)
        names.append(key)
    return tuple(names)


def _effect_input(line: Consequence, estimate: Estimate, inputs: dict[str, Input]) -> tuple[str, ...]:
    """Add the effect to the inputs, and return its name."""
    key, first = f"effect:{line.outcome}", estimate.effects.iloc[0]
    inputs[key] = Input(
        key,
        f"Effect on {estimate.estimand.outcome}",
        estimate.estimand.unit,
        float(first["value"]),
        std_error=float(first["std_error"]),
        source=f"{estimate.method.name}, {first['term']}",
    )
    return (key,)


def _time_inputs(name: str, line: Consequence, inputs: dict[str, Input]) -> tuple[str, str]:
    """Add duration and yearly drop to the inputs, and return their names."""
    duration, drop = f"duration:{name}", ""
    inputs[duration] = Input(
        duration,
        f"{line.label}: duration",
        "years",
        line.duration_years,
        line.duration_low,
        line.duration_high,
        source=line.note,
    )
    if isinstance(line.persistence, Exponential):
        drop = f"drop:{name}"
        kept = line.persistence
        inputs[drop] = Input(
            drop,
            f"{line.label}: lost each year",
            "share",
            kept.yearly_drop_share,
            kept.low,
            kept.high,
            source=line.note,
        )
    return duration, drop


def _measured_path(line: Consequence, estimate: Estimate) -> MeasuredPath | None:
    """Return the path of the estimate's own terms; None when the persistence is a share of the headline."""
    if not isinstance(line.persistence, Measured) or not line.persistence.terms:
        return None
    frame = estimate.effects.set_index("term")
    names = frame.index.tolist()
    # Row by row: what turns the terms into the mean of those of one year.
    means = np.array([[(name in terms) / len(terms) for name in names] for terms in line.persistence.terms_by_year])
    values, covariance = frame["value"].to_numpy(dtype=float), estimate.covariance
    variance = float(covariance[0, 0])
    slopes = means @ covariance[:, 0] / variance if variance > 0 else np.zeros(len(means))
    left = means @ covariance @ means.T - variance * np.outer(slopes, slopes)
    roots, directions = np.linalg.eigh(left)
    return MeasuredPath(float(values[0]), means @ values, slopes, directions * np.sqrt(np.clip(roots, 0.0, None)))
