"""The flow of participants: every reason counted once, counts that add up, and small losses that stay hidden."""

import numpy as np
import pandas as pd
import pytest

from virkning.data import Field, Tables, load_schema
from virkning.description import FlowStep
from virkning.designs.evaluation import EvaluationDesign
from virkning.designs.exclusions import Exclusion
from virkning.designs.randomised_trial import RandomisedTrial
from virkning.disclosure import DisclosureRule, Table, clear
from virkning.estimand import Outcome
from virkning.participants import assigned, participant_flow

N = 60
FIRST = "Without the outcome «M»"


def trial(n_lost: int) -> Tables:
    """Half of the persons treated; the first n_lost of the treated have no outcome."""
    ids = [f"P{number:04d}" for number in range(N)]
    participants = pd.DataFrame({"participant_id": ids, "is_treated": [number < N // 2 for number in range(N)]})
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


def design(**fields: object) -> RandomisedTrial:
    return RandomisedTrial(population="persons", comparison="the others", **fields)


class Choosy(RandomisedTrial):
    """A design that leaves out some persons for two more reasons; persons may have several."""

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        place = np.arange(N)
        return (
            *super().exclusions(tables, measure),
            Exclusion("Too old", place < 10),
            Exclusion("Too young", place < 0),
            Exclusion("Too far away", (place < 15) | (place >= 52)),
        )


class Opposite(RandomisedTrial):
    """A design that forms its groups itself."""

    def is_in_programme(self, tables: Tables, measure: str) -> np.ndarray:
        return np.arange(N) >= 20


def flow(tables: Tables, which: EvaluationDesign, steps: tuple[FlowStep, ...] = ()) -> Table:
    return participant_flow(steps, which, tables, comparison="Comparison")


def test_counts_add_up() -> None:
    tables = trial(8)
    start = assigned(design(), tables, "m")
    assert (start.everyone, start.treated, start.comparison) == (60, 30, 30)
    frame = flow(tables, design(), (FlowStep(label="Applied", n=100),)).frame
    assert frame["step"].tolist() == ["Applied", "In the data", "Assigned", FIRST, "Analysed"]
    assert frame["everyone"].dropna().tolist() == [100, 60]
    assert frame["treated"].dropna().tolist() == [30, 8, 22]
    assert frame["comparison"].dropna().tolist() == [30, 0, 30]


def test_the_first_reason_is_shown_when_it_hits_nobody() -> None:
    frame = flow(trial(0), design()).frame.set_index("step")
    assert frame.loc[FIRST, ["treated", "comparison"]].tolist() == [0, 0]


def test_whoever_is_left_out_is_counted_once_at_the_first_reason() -> None:
    frame = flow(trial(4), Choosy(population="persons", comparison="the others")).frame.set_index("step")
    assert "Too young" not in frame.index
    assert frame["treated"].dropna().to_dict() == {
        "Assigned": 30,
        FIRST: 4,
        "Too old": 6,
        "Too far away": 5,
        "Analysed": 15,
    }
    assert frame["comparison"].dropna().tolist() == [30, 0, 0, 8, 22]


def test_groups_that_a_design_forms_itself() -> None:
    which = Opposite(population="persons", comparison="the others")
    frame = flow(trial(8), which).frame.set_index("step")
    assert frame.loc["Assigned", ["treated", "comparison"]].tolist() == [40, 20]
    assert frame.loc[FIRST, ["treated", "comparison"]].tolist() == [0, 8]


def test_an_amount_of_treatment_is_more_than_the_least() -> None:
    tables = trial(0)
    people = tables.participants.assign(hours=[float(number % 3) for number in range(N)])
    hours = Field(name="hours", type="number", title="Hours", unit="hours")
    schemas = {"participants": load_schema("participants", [hours]), "outcomes": load_schema("outcomes")}
    amounts = Tables.of(people, tables.outcomes, tables.measures, schemas)
    assert design(treatment="hours").is_in_programme(amounts, "m").sum() == 40


@pytest.mark.parametrize(("n_lost", "is_hidden"), [(0, False), (1, True), (4, True), (5, False)])
def test_a_small_loss_is_hidden_with_the_number_that_would_give_it_away(n_lost: int, is_hidden: bool) -> None:
    cleared = clear(flow(trial(n_lost), design()), DisclosureRule())
    assert cleared.hidden["treated"].tolist()[-3:] == [False, is_hidden, is_hidden]


def test_a_small_loss_among_several_is_not_told_by_the_number_analysed() -> None:
    """The number analysed stands in other tables too, so a second reason is hidden beside a small one."""
    cleared = clear(flow(trial(4), Choosy(population="persons", comparison="the others")), DisclosureRule())
    hidden = dict(zip(cleared.frame["step"], cleared.hidden["treated"], strict=True))
    assert hidden[FIRST]
    assert hidden["Too old"] or hidden["Too far away"]
