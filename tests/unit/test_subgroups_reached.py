"""Those reached beside those eligible."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError
from virkning.subgroups import Reach, Subgroup, Vulnerability, estimate_subgroups, who_was_reached

TOWN = {"town": Subgroup(label="Town", column="town", values={"North": "north", "South": "south"})}
INDEX = Vulnerability(
    label="Parents", components=[{"label": "Parent", "column": "is_parent", "equals": True}], most_vulnerable_from=1
)


@pytest.fixture
def many(people, earnings):
    return pd.concat([people] * 4, ignore_index=True), np.tile(earnings, 4)


@pytest.fixture
def tables(make_tables, many):
    return make_tables(many[0], {"earnings": many[1]})


def test_not_documented(trial, tables):
    found = who_was_reached(None, trial(), tables, TOWN)
    assert "not documented" in found.sentence
    assert len(found.frame) == 0
    assert clear(found.table(), DisclosureRule()).n_hidden == 0


def test_declared_numbers(trial, tables, many):
    declared = Reach(eligible=1_000, groups={"town": {"North": 800, "South": 200}}, source="the register")
    frame = who_was_reached(declared, trial(), tables, TOWN).frame
    everybody, frame = frame.iloc[0], frame.set_index("group")
    offered = many[0][many[0]["is_treated"]]
    assert everybody["reached"] == len(offered)
    north = (offered["town"] == "north").sum()
    assert frame.loc["North", "reached"] == north
    assert frame.loc["North", "reached_share"] == pytest.approx(north / 800)
    assert frame.loc["North", "share_eligible"] == pytest.approx(0.8)
    assert frame.loc["North", "share_reached"] == pytest.approx(north / len(offered))


def test_everybody_in_the_data_was_eligible(trial, tables, many):
    found = who_was_reached(Reach(eligible="participants", source="the list"), trial(), tables, {}, INDEX)
    assert found.frame["eligible"].iloc[0] == len(many[0])
    parents = many[0][many[0]["is_parent"]]
    share = 100 * parents["is_treated"].mean()
    assert f"{share:.0f} of 100" in found.sentence
    assert "«Parents»" in found.sentence


def test_who_took_part(trial, make_tables, many):
    took = many[0]["is_treated"] & (many[0].index % 2 == 0)
    tables = make_tables(many[0].assign(took_part=took), {"earnings": many[1]})
    declared = Reach(eligible="participants", reached="took_part", source="the list")
    assert who_was_reached(declared, trial(), tables, {}).frame["reached"].iloc[0] == took.sum()
    with pytest.raises(DesignError) as error:
        who_was_reached(declared.model_copy(update={"reached": "town"}), trial(), tables, {})
    assert error.value.code == "design.not_yes_or_no"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"eligible": 20}, "design.more_reached"),
        ({"eligible": 1_000, "groups": {"town": {"North": 3}}}, "design.more_reached"),
        ({"eligible": 1_000, "groups": {"towns": {"North": 300}}}, "design.unknown_group"),
        ({"eligible": 1_000, "groups": {"town": {"Nord": 300}}}, "design.unknown_group"),
        ({"eligible": 1_000, "reached": "nobody_knows"}, "design.unknown_column"),
    ],
)
def test_what_cannot_be(trial, tables, fields, code):
    with pytest.raises(DesignError) as error:
        who_was_reached(Reach(**fields, source="x"), trial(), tables, TOWN)
    assert error.value.code == code
    assert error.value.do


@pytest.mark.parametrize(
    "fields",
    [
        {"eligible": 0},
        {"eligible": 10, "groups": {"town": {"North": 6, "South": 5}}},
        {"eligible": 10, "groups": {"town": {"North": -1}}},
        {"eligible": "participants", "groups": {"town": {"North": 6}}},
        {"eligible": "everybody"},
    ],
)
def test_contradictions(fields):
    with pytest.raises(ValidationError):
        Reach(**fields, source="x")


@pytest.mark.parametrize(("n", "is_hidden"), [(4, True), (5, False)])
def test_small_groups_are_hidden_with_what_gives_them_away(trial, make_tables, people, earnings, n, is_hidden):
    rank = people.groupby("is_treated").cumcount()
    few = np.where(people["is_treated"], rank < n, rank < 20)
    tables = make_tables(people.assign(is_parent=few), {"earnings": earnings})
    found = who_was_reached(Reach(eligible="participants", source="x"), trial(), tables, {}, INDEX)
    cleared = clear(found.table(), DisclosureRule(threshold=5))
    for column in ("reached", "share_reached", "reached_share"):
        assert cleared.hidden[column].tolist()[1:] == [is_hidden, is_hidden]


def test_few_lost_are_not_told_by_a_difference_between_tables(trial, make_tables, people, earnings):
    """The table of effects counts those with an outcome; the few without one must not follow from both tables."""
    values = earnings.copy()
    values[np.flatnonzero(people["is_treated"])[:2]] = np.nan
    tables = make_tables(people, {"earnings": values})
    found = who_was_reached(Reach(eligible="participants", source="x"), trial(), tables, {})
    assert clear(found.table(), DisclosureRule(threshold=5)).hidden["reached"].tolist() == [True]


@pytest.mark.parametrize("who", ["offered, lost", "comparison, known", "comparison, lost"])
@pytest.mark.parametrize(("n", "is_hidden"), [(4, True), (5, False), (6, False)])
def test_two_tables_together_tell_of_nobody(trial, make_tables, who, n, is_hidden):
    """In the north few are of one kind; whoever holds both tables side by side must not be able to count them."""
    sizes = {"offered, known": 40, "offered, lost": 20, "comparison, known": 40, "comparison, lost": 20}
    rows = [(town, kind, size) for town in ("north", "south") for kind, size in sizes.items()]
    rows = [(town, kind, n if (town, kind) == ("north", who) else size) for town, kind, size in rows]
    people = pd.DataFrame(
        [(town, "offered" in kind, "lost" in kind) for town, kind, size in rows for _ in range(size)],
        columns=["town", "is_treated", "is_lost"],
    )
    people["is_parent"] = np.arange(len(people)) % 2 == 0
    earnings = np.where(people["is_lost"], np.nan, np.random.default_rng(1).normal(size=len(people)))
    tables = make_tables(people.drop(columns="is_lost"), {"earnings": earnings})
    groups = {**TOWN, "parent": Subgroup(label="Parent", column="is_parent")}
    rule = DisclosureRule(threshold=5)
    reached = clear(who_was_reached(Reach(eligible="participants", source="x"), trial(), tables, groups).table(), rule)
    effects = clear(estimate_subgroups(trial(), tables, groups).effects_table(), rule)
    towns = reached.frame["subgroup"] == "Town"
    numbers = ["eligible", "reached", "not_reached", "share_eligible", "share_reached", "reached_share"]
    assert reached.hidden.loc[towns, numbers].to_numpy().tolist() == [[is_hidden] * len(numbers)] * 2
    # Another division of the same people, in which nobody is few, stays.
    assert not reached.hidden.loc[reached.frame["subgroup"] == "Parent", numbers].to_numpy().any()
    # What both tables tell together: no difference between two open numbers of a group is of fewer than five.
    for group in ("North", "South"):
        one = reached.frame[reached.frame["group"] == group].iloc[0]
        other = effects.frame[effects.frame["group"] == group].iloc[0]
        open_pairs = [("reached", "n_treated"), ("not_reached", "n_comparison")]
        gaps = [one[a] - other[b] for a, b in open_pairs if one[a] is not None and other[b] is not None]
        if None not in (one["eligible"], other["n_treated"], other["n_comparison"]):
            gaps.append(one["eligible"] - other["n_treated"] - other["n_comparison"])
        assert all(gap == 0 or gap >= 5 for gap in gaps)
