"""Arrays that a world drew become tables of made-up persons, under the same rules as tables from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data import Constraints, Field, Tables, load_schema
from ..estimand import Outcome

Array = NDArray[np.float64]
MEASURE = "score"

_TYPES: Mapping[str, Literal["boolean", "integer", "number", "string"]] = {
    "b": "boolean",
    "i": "integer",
    "f": "number",
}


def one_outcome(period: str) -> dict[str, Outcome]:
    """Return the declaration of the one outcome that worlds have, a score in points, at a period."""
    return {MEASURE: Outcome(label="Score", unit="points", kind="amount", period=period, primary=True)}


def made_up(
    is_treated: NDArray[np.bool_],
    values: Mapping[str, Array],
    periods: Sequence[str],
    columns: Mapping[str, NDArray[Any]] | None = None,
    measures: Mapping[str, Outcome] | None = None,
) -> Tables:
    """Return validated tables.

    Parameters
    ----------
    is_treated : ndarray of bool, shape (n,)
        Who was offered the programme.
    values : mapping of str to ndarray, shape (n, periods)
        Outcomes by measure; NaN where a person has none.
    periods : sequence of str
        Names of the periods, in the order of time.
    columns : mapping of str to ndarray, shape (n,), optional
        Further columns of the participants; text may be missing (None).
    measures : mapping of str to Outcome, optional
        Declarations; by default of one score, at the last period.
    """
    n = len(is_treated)
    ids = pd.Series([f"P{number:06d}" for number in range(n)], dtype="str")
    own = dict(columns or {})
    people = pd.DataFrame({"participant_id": ids, "is_treated": is_treated, **own})
    fields = tuple(
        Field(
            name=name,
            type=_TYPES.get(array.dtype.kind, "string"),
            title=name.replace("_", " ").capitalize(),
            unit="points" if array.dtype.kind in "if" else "",
            constraints=Constraints(required=array.dtype.kind in _TYPES),
        )
        for name, array in own.items()
    )
    parts = [
        pd.DataFrame(
            {
                "participant_id": np.repeat(ids.to_numpy(), len(periods)),
                "period": np.tile(np.asarray(periods, dtype=object), n),
                "measure": measure,
                "value": array.reshape(-1),
            }
        )
        for measure, array in values.items()
    ]
    outcomes = pd.concat(parts, ignore_index=True).dropna(subset="value")
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes, measures or one_outcome(periods[-1]), schemas)
