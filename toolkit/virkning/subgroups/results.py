"""What is found in the groups: tables ready to be cleared, and the sentences that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pandas as pd

from .. import language
from ..disclosure import Column, Kind, Table
from ..estimates import Estimate, Snapshot
from .definitions import Vulnerability
from .level_results import LevelResults

# A sentence names an effect only when it rests on this many persons in each arm: with fewer the interval says nothing,
# and no programme's disclosure threshold is as high.
_SENTENCE_PERSONS = 30
_EMPTY = "An empty place means too few persons, or an outcome that does not vary."


@dataclass(frozen=True, eq=False, kw_only=True)
class SubgroupResults:
    """The effect on the primary outcome by group.

    Attributes
    ----------
    frame : DataFrame
        One row per group: name, subgroup, group, n_treated, n_comparison (persons with an outcome), comparison_mean,
        value, std_error, lower, upper, the reason when there is no estimate, and the persons behind the numbers.
        Reading it gives a copy.
    interactions : DataFrame
        One row per subgroup that can be tested: subgroup, contrast, difference (of two groups), std_error, p_value
        (that all groups have the same effect), p_value_holm (adjusted for their number). Reading it gives a copy.
    n_comparisons : int
        Number of tests over which is adjusted.
    overall : Estimate
        The effect on everybody, by the same estimator.
    sentence, index_text, comparisons_text : str
        The effect on the most vulnerable, how the index is counted, and what the tests say.
    levels : LevelResults, optional
        The effect from the least to the most vulnerable, where an index is declared.
    """

    frame: pd.DataFrame = cast(pd.DataFrame, Snapshot())
    interactions: pd.DataFrame = cast(pd.DataFrame, Snapshot())
    n_comparisons: int
    overall: Estimate
    sentence: str
    index_text: str
    comparisons_text: str
    levels: LevelResults | None = None

    def effects_table(self) -> Table:
        """Return the effect by group, ready to be cleared: small groups are hidden with what would give them away."""
        about = self.overall.estimand
        kind: Kind = "share" if about.kind == "share" else "number"
        unit = "%" if kind == "share" else about.unit
        digits = language.digits_for(about.kind, self.overall.comparison_mean)

        def number(name: str, label: str, persons: str) -> Column:
            return Column(name, label, kind, unit, digits, persons)

        columns = (
            Column("subgroup", "Divided by"),
            Column("group", "Group"),
            Column("n_treated", "Offered", "count", "persons"),
            Column("n_comparison", "Comparison", "count", "persons"),
            number("comparison_mean", "Mean of the comparison group", "n_comparison_behind"),
            number("value", "Effect", "n_behind"),
            number("std_error", "Standard error", "n_behind"),
            number("lower", "From", "n_behind"),
            number("upper", "To", "n_behind"),
        )
        frame = self.frame
        blocks = tuple(tuple(int(row) for row in rows) for rows in frame.groupby("name", sort=False).indices.values())
        return Table(
            name="subgroups",
            title=f"{about.outcome}: effect by group, with {self.overall.level:.0%} confidence interval",
            columns=columns,
            frame=frame,
            sums_down=blocks,
            note=_EMPTY if frame["value"].isna().any() else "",
        )

    def interactions_table(self) -> Table:
        """Return the tests of whether the effect differs between groups, ready to be cleared."""
        about = self.overall.estimand
        digits = 3 if about.kind == "share" else language.digits_for(about.kind, self.overall.comparison_mean)
        columns = (
            Column("subgroup", "Divided by"),
            Column("contrast", "Compared"),
            Column("difference", "Difference of the effects", "number", about.unit, digits, persons="n_behind"),
            Column("std_error", "Standard error", "number", about.unit, digits, persons="n_behind"),
            Column("p_value", "p", "p_value", persons="n_behind"),
            Column("p_value_holm", "p, adjusted", "p_value", persons="n_behind"),
        )
        return Table(
            name="interactions",
            title="Does the effect differ between groups?",
            columns=columns,
            frame=self.interactions,
        )


def most_vulnerable_text(
    vulnerability: Vulnerability | None, found: Mapping[str, Estimate], frame: pd.DataFrame
) -> str:
    """Return the effect on the most vulnerable in a sentence that gives away no small group."""
    if vulnerability is None:
        return "The programme declares no index of vulnerability, so the most vulnerable are not looked at separately."
    mine = frame[(frame["name"] == "vulnerability") & (frame["group"] == "Yes")]
    if "Yes" not in found or int(mine["n_behind"].iloc[0]) < _SENTENCE_PERSONS:
        return f"{vulnerability.label}: there are too few of them in the data to tell what the programme did for them."
    estimate = found["Yes"]
    best = estimate.headline()
    reach = f"{best.level:.0%} confidence interval {estimate.in_words(best.lower, best.upper)}"
    outcome = estimate.estimand.outcome
    if best.lower <= 0 <= best.upper:
        found_text = f"no clear difference in «{outcome}». The best estimate is {estimate.in_words(best.value)}"
    else:
        direction = "higher" if best.value > 0 else "lower"
        found_text = f"«{outcome}» was {estimate.in_words(abs(best.value))} {direction} with the offer"
    return f"{vulnerability.label}: {found_text} ({reach})."


def index_text(vulnerability: Vulnerability | None) -> str:
    """Return how the index is counted."""
    if vulnerability is None:
        return "The programme declares no index of vulnerability."
    signs = language.join([f"«{component.label}»" for component in vulnerability.components])
    n, limit = len(vulnerability.components), vulnerability.most_vulnerable_from
    needed = "this" if n == 1 else f"all of these {n}" if limit == n else f"at least {limit} of these {n}"
    return f"A person counts as most vulnerable when {needed} held at the start: {signs}."


def comparisons_text(interactions: pd.DataFrame, significance: float) -> str:
    """Return what the tests say, with their number."""
    n = len(interactions)
    if n == 0:
        return "No groups are large enough to be compared."
    times = "once" if n == 1 else f"{n} times"
    counted = f"The effect was compared between groups {times}. After adjustment for that number,"
    clear = interactions.loc[interactions["p_value_holm"] < significance, "subgroup"].tolist()
    if clear:
        return f"{counted} the effect differs by: {language.join([f'«{label}»' for label in clear])}."
    return f"{counted} no difference between groups is larger than chance explains."
