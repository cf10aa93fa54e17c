"""Row on money: the Monte Carlo of a cost–benefit analysis beside the loop over draws that a user would write.

Ten outcomes, five payers, thirty years, everything uncertain. No package in Python does this, so the peer is the plain
loop, with arrays over the years. A size is a number of draws.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import virkning as vk
from virkning.designs import RandomisedTrial
from virkning.economy import Economy, EconomySpecification
from virkning.economy.assembly import model_of
from virkning.economy.model import Model
from virkning.economy.uncertainty import draw_inputs, monte_carlo
from virkning.estimates import Estimates

from .contest import OURS, Call, Numbers, Row
from .made_up import tables

N_OUTCOMES, HORIZON, N_PERSONS = 10, 30, 400
PUBLIC = ("municipality", "region", "state")
PAYERS = (*PUBLIC, "participants", "others")
_PERSISTENCE: tuple[dict[str, Any], ...] = (
    {"type": "constant"},
    {"type": "linear"},
    {"type": "exponential", "yearly_drop_share": 0.1, "low": 0.0, "high": 0.3},
)
_PRICED = {"currency": "DKK", "price_year": 2024, "source": "made up"}


def _consequence(rank: int) -> dict[str, Any]:
    """Return what one outcome is worth: its wage is taxed, and what somebody else pays is reimbursed in part."""
    return {
        "label": f"Outcome {rank}",
        "outcome": f"outcome_{rank}",
        "subject": f"subject_{rank}",
        "price": f"price_{rank}",
        "gains": "participants",
        "loses": "municipality" if rank % 2 else None,
        "start_year": rank % 3,
        "duration_years": 8,
        "duration_low": 3,
        "duration_high": 20,
        "persistence": _PERSISTENCE[rank % 3],
        "taxes": [{"party": "state", "share": 0.1, "of": "participants"}],
        "reimbursements": [{"party": "region", "share": 0.2, "of": "municipality"}] if rank % 2 else [],
    }


@cache
def _case() -> tuple[Model, Estimates]:
    """Return the model, and effects that vary together, from a made-up lottery."""
    generator = np.random.default_rng(17)
    people = pd.DataFrame({"person": np.arange(N_PERSONS), "offered": np.arange(N_PERSONS) % 2 == 0})
    luck = generator.normal(size=N_PERSONS)
    outcomes = {
        f"outcome_{rank}": people[["person"]].assign(
            value=1.0 + rank + people["offered"] * (0.5 + 0.1 * rank) + luck + generator.normal(size=N_PERSONS)
        )
        for rank in range(N_OUTCOMES)
    }
    design = RandomisedTrial(population="the persons", comparison="the others")
    effects = vk.estimate(design, tables(people, outcomes, treatment="offered"))
    said = {
        "currency": "DKK",
        "price_year": 2024,
        "start_year": 2024,
        "horizon_years": HORIZON,
        "people": {"intake": {0: 50, 1: 30, 3: 20}},
        "parties": {
            name: {
                "label": name,
                "kind": "public" if name in PUBLIC else "participant" if name in PAYERS[3:4] else "other",
            }
            for name in PAYERS
        },
        "discounting": {"type": "danish"},
        "costs": {
            "team": {
                **_PRICED,
                "label": "Team",
                "kind": "running",
                "amount": 5_000,
                "low": 4_000,
                "high": 9_000,
                "per": "programme",
                "years": 3,
                "payer": "municipality",
            }
        },
        "prices": {
            f"price_{rank}": {
                **_PRICED,
                "label": f"Price {rank}",
                "value": 10.0 * (1 + rank),
                "low": 5.0,
                "high": 20.0 * (1 + rank),
                "per": "units",
                "every": "year",
                "grade": "D",
            }
            for rank in range(N_OUTCOMES)
        },
        "consequences": {f"line_{rank}": _consequence(rank) for rank in range(N_OUTCOMES)},
    }
    return model_of(Economy.of(EconomySpecification.model_validate(said)), effects), effects


def _draws(n: int) -> pd.DataFrame:
    """Return each input in each draw, one column each: what both get."""
    model, effects = _case()
    return pd.DataFrame(draw_inputs(model, effects, max(n, 1_000), 3)).head(n)


def _numbers(net: np.ndarray) -> Numbers:
    """Return mean and spread of the net present value of all payers together; shape (draws, payers)."""
    total = net.sum(axis=1)
    return {"value": float(total.mean()), "std_error": float(total.std())}


def _arrays(data: pd.DataFrame) -> Call:
    model, _ = _case()
    values = {str(name): data[name].to_numpy(dtype=np.float64) for name in data}
    return lambda: _numbers(monte_carlo(model, values).welfare)


def _loop(data: pd.DataFrame) -> Call:
    """Return the call that goes through the draws one by one, and in each through the lines."""
    model, _ = _case()
    years = np.arange(HORIZON + 1)
    factors = np.where(years <= 35, 1.035**-years, 0.0)
    intake = model.lines[-1].intake
    place = {name: position for position, name in enumerate(PAYERS)}
    rows: list[Any] = data.to_dict("records")

    def left(rank: int, row: dict[str, float]) -> np.ndarray:
        duration, since = row[f"duration:line_{rank}"], years - rank % 3
        part = np.where(since >= 0, np.clip(duration - since, 0, 1), 0.0)
        if rank % 3 == 1:
            return np.asarray(part * (1 - (since + part / 2) / duration))
        if rank % 3 == 2:
            return np.asarray(part * (1 - row[f"drop:line_{rank}"]) ** np.clip(since, 0, None))
        return np.asarray(part)

    def call() -> Numbers:
        net = np.zeros((len(rows), len(PAYERS)))
        for draw, row in enumerate(rows):
            net[draw, place["municipality"]] -= row["cost:team"] * factors[:3].sum()
            for rank in range(N_OUTCOMES):
                stream = np.convolve(intake, left(rank, row))[: HORIZON + 1]
                worth = row[f"effect:outcome_{rank}"] * row[f"price:price_{rank}"] * (stream @ factors)
                net[draw, place["participants"]] += 0.9 * worth
                net[draw, place["state"]] += 0.1 * worth
                if rank % 2:
                    net[draw, place["municipality"]] -= 0.8 * worth
                    net[draw, place["region"]] -= 0.2 * worth
        return _numbers(net)

    return call


ROWS = (
    Row(
        "money: Monte Carlo by payer",
        _draws,
        {OURS: _arrays, "plain loop": _loop},
        sizes=(500, 10_000, 100_000),
        tolerance=1e-9,
        words="A size is a number of draws. Ours has costs and gains, both views and the balance of each year too.",
    ),
)
