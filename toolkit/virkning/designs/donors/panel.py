"""From tables to the units, periods and predictors of a synthetic control, and who is left out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...data import Tables
from ...data.timeline import Timeline, timeline
from ...numerics.synthetic_differences import Block, Estimator, ImportanceRule, Recipe, Solver
from ...specification import Specification
from ..evaluation import Persons
from ..exclusions import Exclusion
from ..periods import rows_of

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Booleans = NDArray[np.bool_]
StandardErrors = Literal["placebo", "jackknife"]


class Predictor(Specification):
    """Something in which the donors' mix should resemble the treated before the start."""

    column: str | None = Field(default=None, description="Column of participants with a number per unit.")
    measure: str | None = Field(
        default=None, description="Measure whose mean over the periods counts; the outcome itself when left out."
    )
    first: str | None = Field(default=None, description="First period of the mean; by default the earliest known.")
    last: str | None = Field(default=None, description="Last period of the mean; by default the last before the start.")
    importance: float | None = Field(
        default=None, gt=0, description="How much it counts, when importance is declared; only the ratios matter."
    )

    @property
    def label(self) -> str:
        """What tables call it."""
        if self.column is not None:
            return self.column
        window = self.first if self.first == self.last else f"{self.first or 'first'} to {self.last or 'start'}"
        return f"{self.measure or 'the outcome'}, {window}"


class DonorFields(Protocol):
    """The fields of a synthetic control that are needed here."""

    @property
    def treatment(self) -> str: ...
    @property
    def start(self) -> str: ...
    @property
    def periods(self) -> tuple[str, ...]: ...
    @property
    def treatment_measure(self) -> str | None: ...
    @property
    def predictors(self) -> tuple[Predictor, ...]: ...
    @property
    def importance(self) -> ImportanceRule: ...
    @property
    def solver(self) -> Solver: ...
    @property
    def terms(self) -> tuple[tuple[Estimator, StandardErrors], ...]: ...
    @property
    def persons_per_row(self) -> str | None: ...
    @property
    def names(self) -> str | None: ...
    @property
    def placebo_runs(self) -> int: ...
    @property
    def placebo_start(self) -> str | None: ...
    @property
    def confidence(self) -> float: ...


@dataclass(frozen=True)
class Units:
    """The units that an estimate rests on.

    Attributes
    ----------
    block : Block
        Their outcomes up to the outcome's own period, and their predictors.
    periods : tuple of str
        Names of these periods.
    rows : ndarray of int, shape (n,)
        Positions of the units among the participants.
    without_outcome, without_predictor : ndarray of bool, shape (participants,)
        Who is left out since an outcome, or else a predictor, is not known.
    n_later : int
        Known periods after the outcome's own, which are not used.
    """

    block: Block
    periods: tuple[str, ...]
    rows: Whole
    without_outcome: Booleans
    without_predictor: Booleans
    n_later: int

    @property
    def n_treated(self) -> int:
        """Treated units."""
        return int(self.block.treated.sum())

    @property
    def n_donors(self) -> int:
        """Donors."""
        return len(self.rows) - self.n_treated

    @property
    def after(self) -> tuple[str, ...]:
        """Periods from the start on."""
        return self.periods[self.block.n_before :]


def timeline_of(design: DonorFields, tables: Tables, measure: str) -> Timeline:
    """Return the periods in which this measure is known for anybody, in order.

    Raises
    ------
    UnorderedPeriodsError
        Their names do not tell the order, and none is declared.
    """
    return timeline(tables.periods_of(measure), design.periods)


def units_of(design: DonorFields, tables: Tables, measure: str, persons: Persons | None = None) -> Units:
    """Return the units that are compared, and who is left out.

    Parameters
    ----------
    design : DonorFields
        Found sound for these tables.
    tables : Tables
        Validated data.
    measure : str
        A declared measure.
    persons : ndarray of bool, shape (participants,), optional
        Look at these only.
    """
    line = timeline_of(design, tables, measure)
    own, start = line.position(tables.measures[measure].period), line.position(design.start)
    assert own is not None
    assert start is not None
    names = line.names[: own + 1]
    outcome = _outcomes(tables, measure, names)
    predictors = _predictors(design, tables, measure, line)
    chosen = np.ones(len(outcome), dtype=bool) if persons is None else persons
    without_outcome = chosen & ~np.isfinite(outcome).all(axis=1)
    without_predictor = chosen & ~without_outcome & ~np.isfinite(predictors).all(axis=1)
    used = chosen & ~without_outcome & ~without_predictor
    treated = tables.participants[design.treatment].to_numpy(dtype=bool)
    return Units(
        block=Block(outcome[used], treated[used], start, predictors[used]),
        periods=names,
        rows=np.flatnonzero(used),
        without_outcome=without_outcome,
        without_predictor=without_predictor,
        n_later=len(line.names) - len(names),
    )


def _outcomes(tables: Tables, measure: str, names: Sequence[str]) -> Array:
    rows = rows_of(tables, measure, names)
    outcome = np.full((len(tables.participants), len(names)), np.nan)
    outcome[rows.person, rows.period] = rows.value
    return outcome


def window_of(design: DonorFields, predictor: Predictor, line: Timeline) -> tuple[int, int] | None:
    """Return the first and last position of a predictor's periods; None when they are not before the start."""
    start = line.position(design.start)
    first = 0 if predictor.first is None else line.position(predictor.first)
    last = None if start is None else start - 1
    if predictor.last is not None:
        last = line.position(predictor.last)
    if start is None or first is None or last is None or not 0 <= first <= last < start:
        return None
    return first, last


def _predictors(design: DonorFields, tables: Tables, measure: str, line: Timeline) -> Array:
    """Return the predictors of every unit, shape (participants, k), NaN where not known."""
    columns = []
    for predictor in design.predictors:
        if predictor.column is not None:
            columns.append(tables.participants[predictor.column].to_numpy(dtype=np.float64, na_value=np.nan))
            continue
        source = predictor.measure or measure
        own = line if source == measure else timeline_of(design, tables, source)
        window = window_of(design, predictor, own)
        if window is None:
            columns.append(np.full(len(tables.participants), np.nan))
        else:
            columns.append(_outcomes(tables, source, own.names[window[0] : window[1] + 1]).mean(axis=1))
    return np.column_stack(columns) if columns else np.zeros((len(tables.participants), 0))


def recipe_of(design: DonorFields, estimator: Estimator) -> Recipe:
    """Return how the weights of an estimator are chosen."""
    declared = np.array([each.importance or 1.0 for each in design.predictors])
    return Recipe(estimator, design.solver, design.importance, declared if len(declared) else None)


def exclusions_of(units: Units, label: str) -> tuple[Exclusion, ...]:
    """Return the units left out, for the flow of participants.

    Parameters
    ----------
    units : Units
        The units used, and those left out.
    label : str
        What the outcome is called.
    """
    found = [Exclusion(f"Without «{label}» in every period", units.without_outcome)]
    if units.block.predictors.shape[1]:
        found.append(Exclusion("Without one of the predictors", units.without_predictor))
    return tuple(found)
