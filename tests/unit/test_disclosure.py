"""Disclosure control: the threshold on both sides, complements, and an attacker who knows every published number."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from virkning.disclosure import ClearedTable, Column, DisclosureRule, Table, clear, persons_behind_share
from virkning.errors import DisclosureError

RULE = DisclosureRule()


def counts(values: list[int], *, total_published: bool = False) -> Table:
    frame = pd.DataFrame({"group": [f"g{i}" for i in range(len(values))], "n": values})
    sums = (tuple(range(len(values))),) if total_published else ()
    return Table("t", "T", (Column("group", "Group"), Column("n", "Persons", "count")), frame, sums_down=sums)


@pytest.mark.parametrize(("n", "is_hidden"), [(0, False), (1, True), (4, True), (5, False), (6, False)])
def test_threshold_on_both_sides(n: int, is_hidden: bool) -> None:
    cleared = clear(counts([n]), RULE)
    assert cleared.hidden["n"].tolist() == [is_hidden]
    assert (cleared.frame["n"].iloc[0] is None) == is_hidden


@pytest.mark.parametrize("threshold", [2, 5, 10])
def test_threshold_is_the_programmes_own(threshold: int) -> None:
    cleared = clear(counts([threshold - 1, threshold, threshold + 1]), DisclosureRule(threshold=threshold))
    assert cleared.hidden["n"].tolist() == [True, False, False]


def test_zeros_are_hidden_on_request() -> None:
    assert clear(counts([0]), DisclosureRule(hide_zeros=True)).n_hidden == 1


def test_a_single_hidden_count_takes_its_smallest_neighbour_along() -> None:
    cleared = clear(counts([3, 40, 20, 50], total_published=True), RULE)
    assert cleared.hidden["n"].tolist() == [True, False, True, False]


def test_two_small_counts_with_a_small_sum_are_not_protection_enough() -> None:
    # 1 + 1 hidden out of a known total: both could only be 0, 1 or 2.
    cleared = clear(counts([1, 1, 30, 40], total_published=True), RULE)
    assert cleared.hidden["n"].tolist() == [True, True, True, False]


def test_sums_across_arms() -> None:
    frame = pd.DataFrame({"what": ["lost"], "treated": [2], "comparison": [30]})
    columns = (Column("what", ""), Column("treated", "T", "count"), Column("comparison", "C", "count"))
    cleared = clear(Table("t", "T", columns, frame, sums_across=(("treated", "comparison"),)), RULE)
    assert cleared.hidden[["treated", "comparison"]].to_numpy().all()


def test_a_value_goes_with_the_persons_behind_it() -> None:
    frame = pd.DataFrame({"group": ["a", "b"], "share": [0.01, 0.5], "behind": [2, 60]})
    table = Table("t", "T", (Column("group", ""), Column("share", "", "share", persons="behind")), frame)
    cleared = clear(table, RULE)
    assert cleared.hidden["share"].tolist() == [True, False]
    assert "behind" not in cleared.frame


def test_a_share_rests_on_the_smaller_side() -> None:
    assert persons_behind_share(pd.Series([2, 98]), pd.Series([100, 100])).tolist() == [2, 2]


def test_persons_column_must_exist() -> None:
    frame = pd.DataFrame({"share": [0.1]})
    with pytest.raises(DisclosureError, match="behind"):
        clear(Table("t", "T", (Column("share", "", "share", persons="behind"),), frame), RULE)


def test_a_cleared_table_cannot_be_made_by_hand() -> None:
    frame = pd.DataFrame({"n": [1]})
    with pytest.raises(DisclosureError, match="without having been cleared"):
        ClearedTable("t", "T", (Column("n", "", "count"),), frame, frame.isna(), 5)


def test_clearing_leaves_the_frame_as_it_was() -> None:
    table = counts([3, 40, 20], total_published=True)
    before = table.frame.copy()
    clear(table, RULE)
    pd.testing.assert_frame_equal(table.frame, before)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), min_size=2, max_size=3), min_size=2, max_size=5).filter(
        lambda rows: len({len(row) for row in rows}) == 1
    ),
    st.integers(2, 10),
)
def test_an_attacker_who_knows_all_totals_learns_no_hidden_count(rows: list[list[int]], threshold: int) -> None:
    names = [f"arm{i}" for i in range(len(rows[0]))]
    frame = pd.DataFrame(rows, columns=names)
    columns = tuple(Column(name, name, "count") for name in names)
    table = Table("t", "T", columns, frame, sums_down=(tuple(range(len(frame))),), sums_across=(tuple(names),))
    cleared = clear(table, DisclosureRule(threshold=threshold))
    hidden = cleared.hidden.to_numpy()
    small = (frame.to_numpy() > 0) & (frame.to_numpy() < threshold)
    assert hidden[small].all()
    if not hidden.any() or hidden.all():
        return
    truth = frame.to_numpy(dtype=float)
    n_rows, n_columns = truth.shape
    equations, totals = [], []
    for mask in [
        *(np.arange(n_rows)[:, None] == r for r in range(n_rows)),
        *(np.arange(n_columns)[None, :] == c for c in range(n_columns)),
    ]:
        chosen = np.broadcast_to(mask, truth.shape)
        equations.append((chosen & hidden)[hidden].astype(float))
        totals.append(truth[chosen & hidden].sum())
    for cell in range(int(hidden.sum())):
        aim = np.zeros(int(hidden.sum()))
        aim[cell] = 1
        low = linprog(aim, A_eq=np.array(equations), b_eq=totals, method="highs").fun
        high = -linprog(-aim, A_eq=np.array(equations), b_eq=totals, method="highs").fun
        assert high - low >= threshold - 1e-6, "a hidden count can be narrowed too far"
