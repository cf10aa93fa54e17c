"""Small trials in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.designs import RandomisedTrial
from virkning.estimand import Outcome

MakeTables = Callable[..., Tables]


def _tables(people: pd.DataFrame, outcomes: Mapping[str, object], kinds: Mapping[str, str] | None = None) -> Tables:
    people = people.reset_index(drop=True)
    people = people.assign(participant_id=[f"person-{row:04d}" for row in range(len(people))])
    types = {"b": "boolean", "i": "integer", "f": "number"}
    fields = [
        Field(
            name=name,
            type=types.get(people[name].dtype.kind, "string"),
            title=name.replace("_", " ").capitalize(),
            unit="units",
            constraints=Constraints(required=not people[name].isna().any()),
        )
        for name in people.columns
        if name not in ("participant_id", "is_treated")
    ]
    rows = [
        pd.DataFrame(
            {
                "participant_id": people["participant_id"],
                "period": "after",
                "measure": name,
                "value": np.asarray(values),
            }
        )
        for name, values in outcomes.items()
    ]
    measures = {
        name: Outcome(
            label=name.capitalize(),
            unit="USD",
            kind=(kinds or {}).get(name, "amount"),
            period="after",
            primary=not rank,
        )
        for rank, name in enumerate(outcomes)
    }
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    values = pd.concat(rows, ignore_index=True)
    return Tables.of(people, values[values["value"].notna()], measures, schemas)


@pytest.fixture
def make_tables() -> MakeTables:
    """Return the function that makes tables from a frame of persons (with ``is_treated``) and the outcomes' values."""
    return _tables


@pytest.fixture
def trial() -> Callable[..., RandomisedTrial]:
    """Return the function that makes a randomised trial with given fields."""
    return lambda **fields: RandomisedTrial(population="the men", comparison="those not offered it", **fields)


@pytest.fixture
def people() -> pd.DataFrame:
    """Eighty persons in twenty groups and two strata, with traits before the start."""
    generator = np.random.default_rng(8)
    n = 80
    group = np.repeat(np.arange(20), 4)
    return pd.DataFrame(
        {
            "is_treated": (group // 2) % 2 == 0,
            "age": generator.integers(18, 65, size=n).astype(float),
            "is_parent": generator.random(n) < 0.4,
            "town": np.where(group % 2 == 0, "north", "south"),
            "group": [f"group {number}" for number in group],
            "weight": generator.uniform(0.5, 2.0, size=n),
        }
    )


@pytest.fixture
def earnings(people: pd.DataFrame) -> np.ndarray:
    """Return outcomes with an effect of 10."""
    generator = np.random.default_rng(9)
    return (
        50 + 10.0 * people["is_treated"].to_numpy() + 0.5 * people["age"].to_numpy() + generator.normal(0, 8, size=80)
    )
