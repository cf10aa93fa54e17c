"""Whom the programme reached, of those whom it was meant for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from pandas.api import types

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign
from ..designs.refusals import unknown_column
from ..disclosure import Column, Table
from ..errors import DesignError, did_you_mean
from ..estimates import Snapshot
from .definitions import Booleans, Reach, Subgroup, Vulnerability, divide, most_vulnerable

EVERYBODY, VULNERABILITY = "Everybody", "vulnerability"
_SENTENCE_PERSONS = 30
# Fewer than these whom a sentence and a table together would tell apart; no programme's threshold is as high.
_TOLD_APART = 10
_NOT_DOCUMENTED = (
    "How many were eligible is not documented, so nobody can tell whom the programme passed over. What is found here "
    "holds for those it reached."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class ReachResults:
    """Those eligible and those reached, by group.

    Attributes
    ----------
    frame : DataFrame
        One row for everybody and one per group: name, subgroup, group, eligible, reached, not_reached (persons),
        share_eligible, share_reached (of all eligible, of all reached), reached_share (of the eligible in the group),
        each 0 to 1, and ``behind``: the fewest persons who could be counted by holding a number of the same division
        against what other tables tell of its groups. Empty when nothing is documented.
    sentence : str
        What it says.
    """

    frame: pd.DataFrame = cast(pd.DataFrame, Snapshot())
    sentence: str
    source: str = ""

    @property
    def _source(self) -> str:
        return f"Source: {self.source.rstrip('.')}." if self.source else ""

    def table(self) -> Table:
        """Return those eligible and those reached, ready to be cleared.

        The effects by group tell of how many in each the outcome is known. So a division is shown whole or not at all:
        not where the difference of two tables would tell of fewer persons than the threshold.
        """
        columns = (
            Column("subgroup", "Divided by"),
            Column("group", "Group"),
            Column("eligible", "Eligible", "count", "persons", persons="behind_eligible"),
            Column("reached", "Reached", "count", "persons", persons="behind"),
            Column("not_reached", "Not reached", "count", "persons", persons="behind"),
            Column("share_eligible", "Of all eligible", "share", "%", 1, persons="behind_eligible"),
            Column("share_reached", "Of all reached", "share", "%", 1, persons="behind"),
            Column("reached_share", "Reached, of the eligible in the group", "share", "%", 1, persons="behind"),
        )
        blocks = [tuple(int(row) for row in rows) for rows in self.frame.groupby("name", sort=False).indices.values()]
        return Table(
            name="reach",
            title="Who was reached, of those who were eligible",
            columns=columns,
            frame=self.frame,
            sums_down=tuple(blocks),
            sums_across=(("reached", "not_reached"),),
            note=f"{self._source} A division is shown whole or not at all, since other tables tell of the same groups.",
        )


def who_was_reached(
    reach: Reach | None,
    design: EvaluationDesign,
    tables: Tables,
    subgroups: Mapping[str, Subgroup],
    vulnerability: Vulnerability | None = None,
) -> ReachResults:
    """Hold those reached against those eligible, for everybody and by declared group.

    Parameters
    ----------
    reach : Reach, optional
        What the programme documents.
    design, tables
        A sound design and its data.
    subgroups, vulnerability
        As for :func:`virkning.estimate_subgroups`.

    Raises
    ------
    DesignError
        A group is not one of those declared, the column of those reached is no yes/no column, or more persons were
        reached than were eligible.
    """
    if reach is None:
        return ReachResults(frame=_frame([], is_counted=False), sentence=_NOT_DOCUMENTED)
    reached = _reached(reach, design, tables)
    sizes = design.persons_in_rows(tables)
    measure = next(iter(tables.measures))
    has_outcome = tables.analysis(measure)["value"].notna().to_numpy(dtype=bool)
    in_programme = design.is_in_programme(tables, measure)
    # Whom tables count apart: those reached or not, in the programme or not, with an outcome or without.
    apart = [
        one & other & third
        for one in (reached, ~reached)
        for other in (in_programme, ~in_programme)
        for third in (has_outcome, ~has_outcome)
    ]
    groups = _groups(tables.participants, subgroups, vulnerability)
    everybody = np.ones(len(reached), dtype=bool)
    counted = [("", EVERYBODY, "", everybody, sizes.sum() if reach.eligible == "participants" else reach.eligible)]
    if reach.eligible == "participants":
        for name, (label, members) in groups.items():
            counted += [(name, label, group, each, sizes[each].sum()) for group, each in members.items()]
    else:
        for name, declared in reach.groups.items():
            label, members = _known(name, declared, groups)
            counted += [(name, label, group, members[group], n) for group, n in declared.items()]
    rows = [
        (
            name,
            label,
            group,
            int(n),
            int(sizes[each & reached].sum()),
            _fewest([sizes[each & part].sum() for part in apart]),
        )
        for name, label, group, each, n in counted
    ]
    for name, _, group, n_eligible, n_reached, _ in rows:
        if n_reached > n_eligible:
            raise DesignError(
                "design.more_reached",
                f"More persons were reached than were eligible{f', in «{group}» of «{name}»' if group else ''}.",
                where=f"reach.groups.{name}" if name else "reach.eligible",
                why="Whoever was reached was eligible, or the numbers count different things.",
                do="Count those eligible over the same time and place as those in the data.",
            )
    frame = _frame(rows, is_counted=reach.eligible == "participants")
    return ReachResults(frame=frame, sentence=_sentence(frame, vulnerability), source=reach.source)


def _reached(reach: Reach, design: EvaluationDesign, tables: Tables) -> Booleans:
    if reach.reached is None:
        return design.is_in_programme(tables, next(iter(tables.measures)))
    participants = tables.participants
    if reach.reached not in participants.columns:
        raise unknown_column(reach.reached, participants, "reach.reached")
    values = participants[reach.reached]
    if not types.is_bool_dtype(values.dtype) or values.isna().any():
        raise DesignError(
            "design.not_yes_or_no",
            f"The column «{reach.reached}» is not a yes/no column that is known for everybody.",
            where="reach.reached",
            why="It must be plain who was reached.",
            do="Make it a required boolean field in the schema.",
        )
    return values.to_numpy(dtype=bool)


def _groups(
    participants: pd.DataFrame, subgroups: Mapping[str, Subgroup], vulnerability: Vulnerability | None
) -> dict[str, tuple[str, dict[str, Booleans]]]:
    found = {name: (item.label, divide(participants, item, name)) for name, item in subgroups.items()}
    if vulnerability is not None:
        found[VULNERABILITY] = (vulnerability.label, most_vulnerable(participants, vulnerability))
    return found


def _known(
    name: str, declared: Mapping[str, int], groups: Mapping[str, tuple[str, dict[str, Booleans]]]
) -> tuple[str, dict[str, Booleans]]:
    """Return a subgroup's label and members, or refuse names that are not declared."""
    if name not in groups:
        wrong, known, where = name, list(groups), "reach.groups"
    else:
        missing = [group for group in declared if group not in groups[name][1]]
        if not missing:
            return groups[name]
        wrong, known, where = missing[0], list(groups[name][1]), f"reach.groups.{name}"
    raise DesignError(
        "design.unknown_group",
        f"There is no group «{wrong}».",
        where=where,
        why="Those eligible can only be held against those reached in groups that both know.",
        do=did_you_mean(wrong, known),
    )


def _fewest(counts: list[np.int64]) -> int:
    """Return the smallest count of somebody; a count of nobody tells of nobody."""
    return min((int(count) for count in counts if count > 0), default=0)


def _frame(rows: list[tuple[str, str, str, int, int, int]], *, is_counted: bool) -> pd.DataFrame:
    """Return the table's frame; ``is_counted`` tells whether those eligible are counted from the data themselves."""
    frame = pd.DataFrame(rows, columns=["name", "subgroup", "group", "eligible", "reached", "behind"])
    counts = ["eligible", "reached", "behind"]
    frame[counts] = frame[counts].astype(np.int64)
    # One group's hidden number follows from those of the others and the total, so a division stands or falls together.
    frame["behind"] = frame.groupby("name", sort=False)["behind"].transform("min")
    frame["behind_eligible"] = frame["behind"] if is_counted else frame["eligible"]
    all_eligible, all_reached = (max(int(frame[name].max()), 1) if len(frame) else 1 for name in counts[:2])
    return frame.assign(
        not_reached=frame["eligible"] - frame["reached"],
        share_eligible=frame["eligible"] / all_eligible,
        share_reached=frame["reached"] / all_reached,
        reached_share=frame["reached"] / frame["eligible"].clip(lower=1),
    )


def _sentence(frame: pd.DataFrame, vulnerability: Vulnerability | None) -> str:
    """Return what the table says of everybody and of the most vulnerable; no number in it rests on few persons."""
    everybody = frame.iloc[0]
    if min(everybody["reached"], everybody["not_reached"]) < _SENTENCE_PERSONS or everybody["behind"] < _TOLD_APART:
        return "The table holds those eligible beside those reached."
    said = f"Of 100 who were eligible, {_per_hundred(float(everybody['reached_share']))} were reached."
    mine = frame[frame["name"] == VULNERABILITY].set_index("group")
    if vulnerability is None or not {"Yes", "No"} <= set(mine.index):
        return said
    if mine.loc[["Yes", "No"], ["reached", "not_reached"]].to_numpy().min() < _SENTENCE_PERSONS:
        return said
    if mine["behind"].min() < _TOLD_APART:
        return said
    most, others = mine["reached_share"].loc[["Yes", "No"]].astype(float).tolist()
    return (
        f"{said} Among the most vulnerable («{vulnerability.label}») it was {_per_hundred(most)} of 100, among the "
        f"others {_per_hundred(others)}."
    )


def _per_hundred(share: float) -> str:
    return language.number(100 * share)
