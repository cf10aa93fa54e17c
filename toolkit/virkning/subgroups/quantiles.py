"""Do those with little gain as much as those with much? The difference between two groups at each quantile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import Duration, EvaluationDesign, RandomisedTrial
from ..designs.findings import Drawing
from ..disclosure import Column, Table
from ..estimand import Outcome
from ..estimates import Snapshot
from ..numerics.quantiles import QuantileDifferences, quantile_differences

QUANTILES = (0.10, 0.25, 0.50, 0.75, 0.90)
# Fewer persons, or units that were drawn, in a group do not show how its values are spread.
LEAST_PERSONS, LEAST_UNITS = 20, 5
DRAWS = 1_999
_NO_LOTTERY = (
    "The spread of the outcomes of the two groups can only be laid side by side when a lottery made the groups. This "
    "design compares averages, so it does not tell how the programme changed the spread."
)
_CENSORED = (
    "Some persons were followed for less long than others, so low and high values are read from the curves in the "
    "chapter on the effects, which allow for it."
)
_YES_NO = "The outcome is yes or no, so it has no low and high values that could move differently."
_FEW = "There are too few persons in one of the groups to tell how their values are spread."


@dataclass(frozen=True, eq=False, kw_only=True)
class QuantileResults:
    """The difference between the groups at several quantiles of the primary outcome.

    Attributes
    ----------
    frame : DataFrame
        One row per quantile: percentile (0 to 100), treated, comparison (the outcome's unit), value, std_error, lower,
        upper, and the persons beyond the quantile in the smaller group. Empty where there is a reason.
    reason : str
        Why there are none; empty when there are.
    label, unit, kind : str
        Of the outcome.
    level : float
        Of the intervals, 0 to 1.
    """

    frame: pd.DataFrame = cast(pd.DataFrame, Snapshot())
    reason: str = ""
    label: str
    unit: str
    kind: str
    level: float

    @property
    def digits(self) -> int:
        """Decimals that a reader needs."""
        size = float(self.frame["comparison"].abs().max()) if len(self.frame) else 0.0
        return language.digits_for(self.kind, size)

    @property
    def drawing(self) -> Drawing:
        """How the table is drawn."""
        return Drawing(
            x="percentile",
            y="value",
            lower="lower",
            upper="upper",
            has_zero_line=True,
            names_x=True,
            caption=f"{self.label}: difference between the groups from the lowest to the highest values, with "
            f"{self.level:.0%} confidence intervals. Dashed line: no difference.",
        )

    def table(self) -> Table:
        """Return the quantiles of both groups and their differences, ready to be cleared."""
        labels = {
            "treated": "Offered",
            "comparison": "Comparison",
            "value": "Difference",
            "std_error": "Standard error",
            "lower": "From",
            "upper": "To",
        }
        columns = (
            Column("percentile", "Percentile", "number", "", 0),
            *(Column(name, label, "number", self.unit, self.digits, "n_behind") for name, label in labels.items()),
        )
        return Table(
            name="quantiles",
            title=f"{self.label}: low, middle and high values in both groups, "
            f"with {self.level:.0%} confidence interval of the difference",
            columns=columns,
            frame=self.frame,
            note="Each quantile is a weighted mean of all values, so that it is nobody's own.",
        )

    def text(self) -> str:
        """Return what the differences say, in two sentences, or why there are none."""
        if self.reason:
            return self.reason
        # What is zero as it is printed differs from nothing: most of a group may share the value zero.
        lower, upper = self.frame["lower"].round(self.digits), self.frame["upper"].round(self.digits)
        clear = self.frame[(lower > 0) | (upper < 0)]
        read = "At the 10th percentile, one in ten of a group has less. "
        if clear.empty:
            return read + "At no percentile do the two groups differ by more than chance explains."
        names = language.join([f"{percentile:.0f}th" for percentile in clear["percentile"]])
        which = "percentiles" if len(clear) > 1 else "percentile"
        return (
            read + f"The two groups differ clearly at the {names} {which}. This says how the spread changed, not who "
            "gained: a person may stand at another place with the programme than without it."
        )


def estimate_quantiles(design: EvaluationDesign, tables: Tables, *, seed: int = 0) -> QuantileResults:
    """Return the difference between the groups at low, middle and high values of the primary outcome.

    Parameters
    ----------
    design, tables
        A sound design and its data.
    seed : int
        Start of the bootstrap's draws.
    """
    measure, outcome = next(iter(tables.measures.items()))
    if isinstance(design, Duration):
        return _without(_CENSORED, outcome, design.confidence)
    if not isinstance(design, RandomisedTrial):
        return _without(_NO_LOTTERY, outcome, design.confidence)
    if outcome.kind == "share":
        return _without(_YES_NO, outcome, design.confidence)
    sample = design.sample(design.analysed(tables, measure))
    unit = np.arange(len(sample.outcome)) if sample.clusters is None else sample.clusters
    persons = [int(arm.sum()) for arm in (sample.treated, ~sample.treated)]
    units = [len(np.unique(unit[arm])) for arm in (sample.treated, ~sample.treated)]
    if min(persons) < LEAST_PERSONS or min(units) < LEAST_UNITS:
        return _without(_FEW, outcome, design.confidence)
    found = quantile_differences(
        sample.outcome,
        sample.treated,
        np.array(QUANTILES),
        unit=unit.astype(np.int64),
        stratum=np.zeros(len(unit), dtype=np.int64) if sample.strata is None else sample.strata,
        weights=sample.weights,
        level=design.confidence,
        draws=DRAWS,
        generator=np.random.default_rng(seed),
    )
    return _with(found, outcome, design.confidence, min(persons))


def _with(found: QuantileDifferences, outcome: Outcome, level: float, n: int) -> QuantileResults:
    names = ("treated", "comparison", "value", "std_error", "lower", "upper")
    frame = pd.DataFrame({name: getattr(found, name) for name in names})
    frame.insert(0, "percentile", 100 * found.quantiles)
    # What lies beyond a quantile in the smaller group.
    beyond = np.minimum(found.quantiles, 1 - found.quantiles) * n
    frame = frame.assign(n_behind=np.floor(beyond + 1e-9).astype(np.int64))
    return QuantileResults(frame=frame, label=outcome.label, unit=outcome.unit, kind=outcome.kind, level=level)


def _without(reason: str, outcome: Outcome, level: float) -> QuantileResults:
    names = ("percentile", "treated", "comparison", "value", "std_error", "lower", "upper", "n_behind")
    frame = pd.DataFrame({name: pd.Series(dtype=float) for name in names})
    return QuantileResults(
        frame=frame, reason=reason, label=outcome.label, unit=outcome.unit, kind=outcome.kind, level=level
    )
