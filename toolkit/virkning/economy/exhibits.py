"""Tables of a cost–benefit analysis that are made from its parts: lines, costs, assumptions, sensitivity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..disclosure import Column, Table, persons_behind_difference
from ..estimates import Estimate, Estimates
from .discounting import distributional_weight
from .inputs import HIGH_SHARE, LOW_SHARE
from .model import DISTORTION, Model
from .reading import Economy
from .sensitivity import Swing, Switch, Target
from .sentences import title
from .specification import EconomySpecification

Array = NDArray[np.float64]


def lines_table(
    model: Model, totals: Mapping[str, Array], lost: float, currency: str, n_persons: int, note: str
) -> Table:
    """Return each line by party, budget and welfare side by side.

    Parameters
    ----------
    model : Model
        Its lines and parties.
    totals : mapping of str to ndarray, shape (lines, parties)
        Present values of each line, by view.
    lost : float
        The loss from taxation, below zero where there is one.
    currency : str
        Of the amounts.
    n_persons : int
        On how many the effects rest.
    note : str
        Below the table.
    """
    rows = []
    for position, line in enumerate(model.lines):
        for place, party in enumerate(model.parties.values()):
            budget, welfare = float(totals["budget"][position][place]), float(totals["welfare"][position][place])
            if budget or welfare:
                kind = "cost" if line.is_cost else "consequence"
                rows.append((line.label, kind, party.label, budget, welfare))
    if lost:
        rows.append(("Loss from taxation", "both", model.parties[DISTORTION].label, 0.0, lost))
    columns = (
        Column("line", "Line"),
        Column("kind", "Kind"),
        Column("party", "Who"),
        Column("budget", "Budget", "number", currency, 0, "n_persons"),
        Column("welfare", "Welfare", "number", currency, 0, "n_persons"),
    )
    frame = pd.DataFrame(rows, columns=[column.name for column in columns]).assign(n_persons=n_persons)
    return Table("lines", "Every line by payer", columns, frame, note=note)


def cost_table(economy: Economy, model: Model, effects: Estimates, level: float) -> Table:
    """Return what the programme costs in all and per head, and per unit by which each outcome changed.

    Parameters
    ----------
    economy : Economy
        People and currency.
    model : Model
        The lines.
    effects : Estimates
        Every outcome, priced or not.
    level : float
        Of the interval of the cost per unit.
    """
    said = economy.specification
    values, total = model.central(), 0.0
    for line in model.lines:
        if line.is_cost and line.is_cash and line.fixed is not None:
            total += float(line.quantity(values)[0] * (line.fixed @ line.shifted).sum())
    people = said.people.participants
    rows: list[dict[str, object]] = [
        {"what": "All that is paid for the programme", "number": 1.0, "cost": total, "reason": ""},
        {"what": "Per participant", "number": people, "cost": total / people},
    ]
    if said.people.completers is not None:
        rows.append({"what": "Per completer", "number": said.people.completers, "cost": total / said.people.completers})
    for estimate in effects.values():
        # Of what is neither good nor bad, such as an amount that is spent, there is no improvement to pay for.
        if estimate.is_available and estimate.estimand.better != "neither":
            rows.append(_per_outcome(estimate, people, total, level))
    columns = (
        Column("what", "What"),
        Column("number", "How many", "number", digits=2, persons="n_persons"),
        Column("cost", "Cost of each", "number", said.currency, 0, "n_persons"),
        Column("lower", "from", "number", said.currency, 0, "n_persons"),
        Column("upper", "to", "number", said.currency, 0, "n_persons"),
        Column("reason", "Remark"),
    )
    frame = pd.DataFrame(rows).reindex(columns=[*(column.name for column in columns), "n_persons"])
    frame["reason"] = frame["reason"].fillna("")
    # What does not rest on an effect rests on nobody's data.
    frame["n_persons"] = frame["n_persons"].fillna(10**9).astype("int64")
    note = f"Not discounted, prices of {said.price_year}; {said.currency}. What participants gain is not subtracted."
    return Table("cost-effectiveness", "What it costs", columns, frame, note=note)


def _per_outcome(estimate: Estimate, people: float, total: float, level: float) -> dict[str, object]:
    """Return the cost of one unit of improvement; no figure where the outcome did not improve."""
    first = estimate.effects.iloc[[0]]
    found = estimate.interval(level)
    sign = -1.0 if estimate.estimand.better == "lower" else 1.0
    better, ends = sign * found.value * people, sorted(sign * end * people for end in (found.lower, found.upper))
    one = ("one person fewer" if sign < 0 else "one person more") if estimate.estimand.kind == "share" else ""
    one = one or f"one {'less' if sign < 0 else 'more'} ({estimate.estimand.unit})"
    row: dict[str, object] = {
        "what": f"{estimate.estimand.outcome}: {one}",
        "number": better,
        "n_persons": int(persons_behind_difference(first["n_treated"], first["n_comparison"]).iloc[0]),
    }
    if better <= 0:
        return {**row, "reason": "It did not improve: there is no cost of an improvement."}
    row |= {"cost": total / better, "lower": total / ends[1]}
    if ends[0] <= 0:
        return {**row, "reason": "No upper end: it may not have improved at all."}
    return {**row, "upper": total / ends[0], "reason": ""}


def assumptions_table(economy: Economy, model: Model) -> Table:
    """Return every number that goes in, with its range, source and grade.

    Parameters
    ----------
    economy : Economy
        What is not an input of the model: shares that are passed on, rates.
    model : Model
        Its inputs.
    """
    said = economy.specification
    rows: list[dict[str, object]] = []
    for item in model.inputs.values():
        low, high = (item.quantile(LOW_SHARE), item.quantile(HIGH_SHARE)) if item.is_uncertain else (np.nan, np.nan)
        rows.append(
            {
                "what": item.label,
                "value": item.central,
                "low": low,
                "high": high,
                "unit": item.unit,
                "source": item.source or "not stated",
                "grade": item.grade,
                "words": "",
            }
        )
    for line in said.consequences.values():
        parts = [f"From year {line.start_year} after the start, {line.persistence.words}."]
        parts += [_passed("tax", item.share, item.party) for item in line.taxes]
        parts += [_passed("reimbursement", item.share, item.party) for item in line.reimbursements]
        if line.displacement is not None:
            parts.append(f"{100 * line.displacement.share:g}% displaces others ({line.displacement.source}).")
        if line.deadweight_share or line.attribution_share:
            parts.append(f"Deadweight {line.deadweight_share:g}, due to others {line.attribution_share:g}.")
        rows.append({"what": line.label, "words": " ".join(parts), "source": line.note or "not stated"})
    for cost in economy.costs.values():
        if cost.optimism_bias is not None:
            words = f"Raised by {100 * (cost.optimism_bias.factor - 1):g}% for optimism."
            rows.append({"what": cost.label, "words": words, "source": cost.optimism_bias.source})
    rows.append({"what": "Discounting", "words": said.discounting.words, "source": ""})
    if said.index is not None:
        rows.append({"what": "Price index", "words": said.index.name, "source": said.index.source})
    columns = (
        Column("what", "Assumption"),
        Column("value", "Value", "number"),
        Column("low", "Low (5%)", "number"),
        Column("high", "High (95%)", "number"),
        Column("unit", "Unit"),
        Column("words", "In words"),
        Column("source", "Source"),
        Column("grade", "Grade"),
    )
    frame = pd.DataFrame(rows).reindex(columns=[column.name for column in columns])
    text = ["unit", "words", "source", "grade"]
    frame[text] = frame[text].fillna("")
    return Table("assumptions", "Every assumption", columns, frame)


def _passed(kind: str, share: float | tuple[float, ...], party: str) -> str:
    shares = share if isinstance(share, tuple) else (share,)
    return f"{kind.capitalize()} {', '.join(f'{100 * part:g}%' for part in shares)} ({party})."


def swings_table(swings: Sequence[Swing], whose: str, aim: Target, currency: str, n_persons: int) -> Table:
    """Return how far each input moves the result.

    Parameters
    ----------
    swings : sequence of Swing
        The widest first.
    whose : str
        Whose result, in words.
    aim : Target
        Which result.
    currency : str
        Of the result.
    n_persons : int
        On how many the effects rest.
    """
    rows = [(swing.label, swing.unit, swing.low, swing.high, swing.at_low, swing.at_high) for swing in swings]
    columns = (
        Column("what", "What moves"),
        Column("unit", "Unit"),
        Column("low", "from", "number"),
        Column("high", "to", "number"),
        Column("at_low", "Result there", "number", currency, 0, "n_persons"),
        Column("at_high", "and there", "number", currency, 0, "n_persons"),
    )
    frame = pd.DataFrame(rows, columns=[column.name for column in columns]).assign(n_persons=n_persons)
    title = f"What the result hangs on: {whose}, {aim.view} view"
    note = "Each moves from the 5th to the 95th percentile of what is believed of it, the discount rates by one point."
    return Table("tornado", title, columns, frame, note=note)


def switches_table(switches: Sequence[Switch], whose: str, aim: Target, n_persons: int) -> Table:
    """Return where each input turns the result.

    Parameters
    ----------
    switches : sequence of Switch
        One for each input.
    whose : str
        Whose result, in words.
    aim : Target
        Which result.
    n_persons : int
        On how many the effects rest.
    """
    rows = [
        (
            switch.item.label,
            switch.item.unit,
            switch.item.central,
            np.nan if switch.value is None else switch.value,
            switch.reason,
        )
        for switch in switches
    ]
    columns = (
        Column("what", "What"),
        Column("unit", "Unit"),
        Column("central", "Assumed", "number"),
        Column("value", "Turns at", "number", persons="n_persons"),
        Column("reason", "Remark"),
    )
    frame = pd.DataFrame(rows, columns=[column.name for column in columns]).assign(n_persons=n_persons)
    return Table("switching-values", f"Where the result turns: {whose}, {aim.view} view", columns, frame)


def weights_table(said: EconomySpecification, model: Model, totals: Array, n_persons: int, note: str) -> Table:
    """Return the welfare view without and with distributional weights.

    Parameters
    ----------
    said : EconomySpecification
        Incomes, median income and elasticity; a party without an income has the weight one.
    model : Model
        Its parties.
    totals : ndarray, shape (parties,)
        Net present values, welfare view.
    n_persons : int
        On how many the effects rest.
    note : str
        Below the table.
    """
    welfare, rows = said.welfare, []
    for net, (name, party) in zip(totals.tolist(), model.parties.items(), strict=True):
        income = said.parties[name].income if name in said.parties else None
        weight = 1.0
        if income is not None and welfare.median_income is not None:
            weight = distributional_weight(income, welfare.median_income, welfare.elasticity)
        rows.append((title(party.label), net, weight, weight * net, (weight - 1) * net))
    columns = (
        Column("party", "Who"),
        Column("net", "Efficiency: net", "number", said.currency, 0, "n_persons"),
        Column("weight", "Weight", "number", "", 4),
        Column("weighted", "Weighted", "number", said.currency, 0, "n_persons"),
        Column("equity", "Equity: difference", "number", said.currency, 0, "n_persons"),
    )
    names = [column.name for column in columns]
    sums = np.array([[row[1], row[3], row[4]] for row in rows]).sum(axis=0)
    frame = pd.DataFrame([*rows, ("Society", sums[0], np.nan, sums[1], sums[2])], columns=names)
    frame = frame.assign(n_persons=n_persons)
    return Table("distributional-weights", "Efficiency and equity", columns, frame, note=note)


def not_valued_table(said: EconomySpecification, effects: Estimates) -> Table:
    """Return what matters and is not in any amount: outcomes without a price, and what the programme names.

    Parameters
    ----------
    said : EconomySpecification
        Consequences, and what is said to have no price.
    effects : Estimates
        Every outcome.
    """
    valued = {line.outcome for line in said.consequences.values()}
    rows = [
        (estimate.estimand.outcome, said.not_valued.get(name, "No price was given."))
        for name, estimate in effects.items()
        if name not in valued
    ]
    rows += [(name.replace("_", " "), why) for name, why in said.not_valued.items() if name not in effects]
    columns = (Column("what", "What"), Column("why", "Why it is not valued"))
    return Table("not-valued", "What is not valued", columns, pd.DataFrame(rows, columns=["what", "why"]))
