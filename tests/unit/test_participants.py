"""The flow of participants: counts that add up, and small losses that stay hidden."""

import pandas as pd
import pytest

from virkning.data import Tables, load_schema
from virkning.disclosure import DisclosureRule, clear
from virkning.estimand import Outcome
from virkning.participants import assigned, participant_flow, with_outcome


def trial(n_lost: int, n: int = 60) -> Tables:
    """Half of n persons treated; the first n_lost of the treated have no outcome."""
    ids = [f"P{number:04d}" for number in range(n)]
    participants = pd.DataFrame({"participant_id": ids, "is_treated": [number < n // 2 for number in range(n)]})
    kept = ids[n_lost:]
    outcomes = pd.DataFrame(
        {"participant_id": kept, "period": "1", "measure": "m", "value": [float(i % 7) for i in range(len(kept))]}
    )
    schemas = {name: load_schema(name) for name in ("participants", "outcomes")}
    return Tables.of(
        participants,
        outcomes,
        {"m": Outcome(label="M", unit="points", kind="amount", period="1", primary=True)},
        schemas,
    )


def test_counts_add_up() -> None:
    tables = trial(8)
    start, end = assigned("is_treated", tables), with_outcome("is_treated", "m", tables)
    assert (start.everyone, start.treated, start.comparison) == (60, 30, 30)
    assert (end.treated, end.comparison) == (22, 30)
    frame = participant_flow((), "is_treated", tables, comparison="Comparison").frame
    assert frame["treated"].iloc[-3] == frame["treated"].iloc[-2] + frame["treated"].iloc[-1]


@pytest.mark.parametrize(("n_lost", "is_hidden"), [(0, False), (1, True), (4, True), (5, False)])
def test_a_small_loss_is_hidden_with_the_number_that_would_give_it_away(n_lost: int, is_hidden: bool) -> None:
    cleared = clear(participant_flow((), "is_treated", trial(n_lost), comparison="Comparison"), DisclosureRule())
    assert cleared.hidden["treated"].tolist()[-3:] == [False, is_hidden, is_hidden]
