"""What is found by level of vulnerability: tables ready to be cleared, a drawing, and the sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from .. import language
from ..disclosure import Column, Kind, Table
from ..estimates import Estimate, Snapshot
from ..numerics.ratio import Ratio
from .definitions import Vulnerability

NOT_KNOWN = "Not known"
# A sentence is not cleared, so it tells of no number that rests on fewer persons than any usual threshold.
_SENTENCE_PERSONS = 10


@dataclass(frozen=True)
class Mean:
    """A weighted mean of effects, in the outcome's unit, with its standard error and interval."""

    value: float
    std_error: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Trend:
    """How much the effect grows with one more sign, in the outcome's unit, with interval and p-value."""

    value: float
    std_error: float
    lower: float
    upper: float
    p_value: float


@dataclass(frozen=True)
class Quarter:
    """The most vulnerable quarter: its mean effect, and its share of the total effect.

    Attributes
    ----------
    effect : Mean
        Per person of the quarter.
    share : Ratio or None
        Of the total effect; None when the total does not differ clearly from zero, so that no share has an interval.
    """

    effect: Mean
    share: Ratio | None


@dataclass(frozen=True, eq=False, kw_only=True)
class LevelResults:
    """The effect on the primary outcome from the least to the most vulnerable.

    Attributes
    ----------
    frame : DataFrame
        One row per level: level, n_treated, n_comparison (persons with an outcome), comparison_mean, value, std_error,
        lower, upper, the reason when there is no estimate, and the persons behind. Reading it gives a copy.
    overall : Estimate
        The effect on everybody.
    vulnerability : Vulnerability
        The declared index.
    reason : str
        Why the levels cannot be added up; empty when they can.
    trend, everyone, quarter, need
        What follows from all levels together; None where there is a reason. ``need`` is None without declared weights.
    """

    frame: pd.DataFrame = cast(pd.DataFrame, Snapshot())
    overall: Estimate
    vulnerability: Vulnerability
    reason: str = ""
    trend: Trend | None = None
    everyone: Mean | None = None
    quarter: Quarter | None = None
    need: Mean | None = None

    @property
    def n_behind(self) -> int:
        """Persons on whom any sum over the levels rests."""
        behind = self.frame.loc[self.frame["level"] != NOT_KNOWN, "n_behind"]
        return int(behind[behind > 0].min()) if (behind > 0).any() else 0

    def levels_table(self) -> Table:
        """Return the effect by number of signs, ready to be cleared."""
        columns = (
            Column("subgroup", "Divided by"),
            Column("group", "Level"),
            Column("n_treated", "Offered", "count", "persons"),
            Column("n_comparison", "Comparison", "count", "persons"),
            self._number("comparison_mean", "Mean of the comparison group", "n_comparison_behind"),
            self._number("value", "Effect", "n_behind"),
            self._number("lower", "From", "n_behind"),
            self._number("upper", "To", "n_behind"),
        )
        frame = self.frame.assign(subgroup="Vulnerability", group=self.frame["level"])
        return Table(
            name="levels",
            title=f"{self.overall.estimand.outcome}: effect by number of signs, "
            f"with {self.overall.level:.0%} confidence interval",
            columns=columns,
            frame=frame,
            sums_down=(tuple(range(len(frame))),),
            note="Levels with few persons are put together with their neighbour, whatever came out for them.",
        )

    def sums_table(self) -> Table:
        """Return the effect on everybody, on the most vulnerable quarter and weighted by need, ready to be cleared."""
        rows: list[dict[str, object]] = []
        if self.everyone is not None and self.quarter is not None:
            rows.append({"who": "Everybody, each counting the same", **vars(self.everyone), "share": 1.0})
            share = self.quarter.share
            shares = (
                {} if share is None else {"share": share.value, "share_lower": share.lower, "share_upper": share.upper}
            )
            rows.append({"who": "The most vulnerable quarter", **vars(self.quarter.effect), **shares})
        if self.need is not None:
            rows.append({"who": "Everybody, weighted by need", **vars(self.need)})
        columns = (
            Column("who", "Who"),
            self._number("value", "Effect per person"),
            self._number("lower", "From"),
            self._number("upper", "To"),
            Column("share", "Share of the total effect", "share", "%", 0, "n_behind"),
            Column("share_lower", "From", "share", "%", 0, "n_behind"),
            Column("share_upper", "To", "share", "%", 0, "n_behind"),
        )
        frame = pd.DataFrame(rows, columns=[*(column.name for column in columns), "std_error"])
        numbers = [name for name in frame.columns if name != "who"]
        frame[numbers] = frame[numbers].astype(float)
        return Table(
            name="most-vulnerable-quarter",
            title=f"{self.overall.estimand.outcome}: whom the effect reaches",
            columns=columns,
            frame=frame.assign(n_behind=self.n_behind),
            note="Levels are added up by the number of persons in the programme, so the effect on everybody can differ "
            f"a little from the headline. {self._weights_words()}".strip(),
        )

    def _number(self, name: str, label: str, persons: str = "n_behind") -> Column:
        about = self.overall.estimand
        kind: Kind = "share" if about.kind == "share" else "number"
        digits = language.digits_for(about.kind, self.overall.comparison_mean)
        return Column(name, label, kind, "%" if kind == "share" else about.unit, digits, persons)

    def _weights_words(self) -> str:
        declared = self.vulnerability.need_weights
        if declared is None:
            return ""
        said = [language.number(each, 0 if each == int(each) else 2) for each in declared]
        return f"Declared weights of need, from no sign to all of them: {language.join(said)}."

    def trend_text(self) -> str:
        """Return whether the effect grows with vulnerability, in a sentence."""
        if self.trend is None or self.n_behind < _SENTENCE_PERSONS:
            return self.reason or "There are too few persons at some level to tell how the effect changes with it."
        found, words = self.trend, self.overall.in_words
        interval = f"{self.overall.level:.0%} confidence interval {words(found.lower, found.upper)}"
        if found.lower <= 0 <= found.upper:
            return (
                f"With one more sign of vulnerability the effect changes by {words(found.value)}, but that is within "
                f"what chance explains ({interval})."
            )
        more = "larger" if found.value > 0 else "smaller"
        return f"With each further sign of vulnerability the effect is {words(abs(found.value))} {more} ({interval})."

    def quarter_text(self) -> str:
        """Return how much of the total effect reaches the most vulnerable quarter, in a sentence."""
        if self.quarter is None:
            return self.reason
        if self.n_behind < _SENTENCE_PERSONS:
            return "There are too few persons at some level to tell how much reaches the most vulnerable quarter."
        words, share = self.overall.in_words, self.quarter.share
        effect = self.quarter.effect
        level = f"{self.overall.level:.0%} confidence interval"
        said = (
            f"For the quarter of those in the programme with most signs, the effect per person is "
            f"{words(effect.value)} "
            f"({level} {words(effect.lower, effect.upper)})."
        )
        if share is None:
            return f"{said} The total effect does not differ clearly from zero, so no share of it can be told."
        return (
            f"{said} {_percent(share.value)} of the total effect reaches this quarter "
            f"({level} {_percent(share.lower)} to {_percent(share.upper)}); it would be 25% if the effect were the "
            "same for all."
        )

    def need_text(self) -> str:
        """Return the effect weighted by need, in a sentence."""
        if self.vulnerability.need_weights is None:
            return "The programme declares no weights of need, so each person's effect counts the same."
        if self.need is None or self.everyone is None or self.n_behind < _SENTENCE_PERSONS:
            return self.reason or "There are too few persons at some level to weight the effect by need."
        words = self.overall.in_words
        return (
            f"When a person counts by need, the effect is {words(self.need.value)} per person "
            f"({self.overall.level:.0%} confidence interval {words(self.need.lower, self.need.upper)}), beside "
            f"{words(self.everyone.value)} when each counts the same."
        )


def _percent(share: float) -> str:
    return f"{language.number(100 * share) if np.isfinite(share) else ''}%"
