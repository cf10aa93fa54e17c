"""What one run answers, as rows of one tidy table: effects, payments, the economy, or a plan's power.

Every row has the same columns, so that runs of different programmes and parameters stand in one table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from ..chapter import Chapter
from ..disclosure import persons_behind_difference
from ..estimates import Estimates
from ..planning.results import PEOPLE

EFFECTS, PAYMENT, ECONOMY, PLAN = "effects", "payment", "economy", "plan"
# Of one row; a run adds its number and parameters.
COLUMNS = (
    "part", "measure", "label", "term", "period", "value", "std_error", "lower", "upper", "p_value", "n_treated",
    "n_comparison", "n_persons", "unit", "kind", "level", "is_headline", "reason",
)  # fmt: skip
# Nobody's group can be too small where no persons stand behind a number.
NOBODY = 10**9
Row = dict[str, Any]


def effect_rows(effects: Estimates) -> list[Row]:
    """Return what the estimates answer.

    Parameters
    ----------
    effects : Estimates
        Of one run.

    Returns
    -------
    list of dict
        As of :func:`answers_of`.
    """
    return list(_effects(effects))


def answers_of(chapter: Chapter, rows_of: Callable[[Estimates], list[Row]] = effect_rows) -> list[Row]:
    """Return everything that a run answers.

    Parameters
    ----------
    chapter : Chapter
        Of the programme with the changes of the run.
    rows_of : callable
        Gives the rows of the estimates; a process that has made them already passes its memory.

    Returns
    -------
    list of dict
        Rows with the keys ``COLUMNS``; missing numbers are None. ``is_headline`` marks the rows that figures show.

    Raises
    ------
    VirkningError
        Of the kind that tells why the run gives nothing.
    """
    if chapter.programme.is_planned:
        return list(_plan(chapter))
    rows = list(rows_of(chapter.effects))
    if chapter.programme.has_contract:
        rows += _payment(chapter)
    if chapter.programme.has_economy:
        rows += _economy(chapter)
    return rows


def _row(part: str, measure: str, label: str, **values: Any) -> Row:
    row: Row = dict.fromkeys(COLUMNS) | {"term": "", "period": "", "unit": "", "reason": "", "is_headline": False}
    row["kind"] = "amount"
    for name, value in values.items():
        is_number = isinstance(value, float) and not isinstance(value, bool)
        row[name] = None if is_number and not math.isfinite(value) else value
    return row | {"part": part, "measure": measure, "label": label}


def _effects(effects: Estimates) -> Iterator[Row]:
    found = [estimate.effects for estimate in effects.values() if estimate.is_available]
    # One frame, and its columns as lists: a frame for each outcome takes longer than the numbers in it.
    frame = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
    if found:
        frame["n_persons"] = persons_behind_difference(frame["n_treated"], frame["n_comparison"])
    names = [str(name) for name in frame]
    values = zip(*(frame[name].tolist() for name in frame), strict=True)
    lengths = map(len, found)
    for measure, estimate in effects.items():
        about = {"unit": estimate.estimand.unit, "kind": estimate.estimand.kind, "level": estimate.level}
        label = estimate.estimand.outcome
        if not estimate.is_available:
            yield _row(EFFECTS, measure, label, **about, reason=estimate.unavailable_reason, is_headline=True)
            continue
        for position, row in enumerate(islice(values, next(lengths))):
            named = dict(zip(names, row, strict=True))
            yield _row(EFFECTS, measure, label, **about, **named, is_headline=position == 0)


def _payment(chapter: Chapter) -> Iterator[Row]:
    settled = chapter.settlement
    contract = settled.contract
    behind = [payment.n_people for payment in settled.payments if payment.n_people is not None]
    about = {"unit": contract.currency, "n_persons": min(behind, default=NOBODY)}
    if not settled.is_complete:
        reason = "A price is not public, so there is no total."
        yield _row(PAYMENT, "payments", "Payments", **about, term="all payers", reason=reason, is_headline=True)
        return
    total = float(settled.total.amount)
    yield _row(PAYMENT, "payments", "Payments", **about, term="all payers", value=total, is_headline=True)
    sums = settled.by("payer")
    for payer, amount in zip(sums["payer"], sums["amount"], strict=True):
        yield _row(PAYMENT, "payments", "Payments", **about, term=str(payer), value=float(amount))


def _economy(chapter: Chapter) -> Iterator[Row]:
    found = chapter.cost_benefit
    about = {"n_persons": found.n_persons, "level": found.level}
    lower, upper = _ends(found.draws.society, found.level)
    for figure in found.figures():
        ends = {"lower": lower, "upper": upper} if figure.name == "net_present_value" else {}
        value = figure.value
        shown = value is not None and math.isfinite(value)
        yield _row(
            ECONOMY,
            figure.name,
            figure.title,
            **about,
            term="society",
            value=value,
            unit=figure.unit,
            reason="" if shown else figure.sentence,
            is_headline=figure.name == "net_present_value",
            **ends,
        )
    share = found.probability_that_it_pays()
    yield _row(
        ECONOMY,
        "probability_that_it_pays",
        "Share of draws in which it pays",
        **about,
        term="society",
        value=share,
        kind="share",
    )
    for position, name in enumerate(found.model.parties):
        if name not in found.economy.specification.parties:
            continue  # The cost of raising taxes: nobody's budget.
        lower, upper = _ends(found.draws.budget[:, position], found.level)
        yield _row(
            ECONOMY,
            "net_present_value_of_budget",
            "Net present value of the budget",
            **about,
            term=name,
            value=found.net_present_value(name, "budget"),
            lower=lower,
            upper=upper,
            unit=found.currency,
        )


def _ends(drawn: Any, level: float) -> tuple[float, float]:
    lower, upper = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return float(lower), float(upper)


def _plan(chapter: Chapter) -> Iterator[Row]:
    for measure, found in chapter.planned.items():
        smallest = found.minimum_detectable_effect
        yield _row(
            PLAN,
            measure,
            f"{found.label}: smallest effect that is found",
            term="minimum detectable effect",
            value=smallest,
            std_error=found.std_error,
            unit=found.unit,
            kind="share" if found.unit == PEOPLE else "amount",
            n_persons=NOBODY,
            reason="" if smallest is not None else "No effect would be found with the wanted chance.",
            is_headline=True,
        )
