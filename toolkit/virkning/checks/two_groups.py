"""The persons of two groups as a check needs them: their outcomes, their traits, and how many a number rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data import Tables
from ..designs import DifferenceInDifferences, EvaluationDesign, MatchedComparison, RandomisedTrial
from ..designs.comparison import terms
from ..errors import DesignError
from ..numerics.concentration import persons_behind_mean
from ..numerics.logit import BinaryFit

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]

# A sentence is not cleared, so it tells of no number that rests on fewer persons than any usual threshold.
TELLABLE = 20
# Designs whose estimate is a difference between two groups of persons in one number per person.
COMPARED = (RandomisedTrial, MatchedComparison, DifferenceInDifferences)


@dataclass(frozen=True)
class Groups:
    """The persons with an outcome.

    Attributes
    ----------
    rows : ndarray of bool, shape (participants,)
        Who they are.
    outcome : ndarray, shape (n,)
        In the outcome's unit; the change from before to after where the design compares changes.
    treated : ndarray of bool, shape (n,)
        Who was offered the programme.
    is_change : bool
        Whether the outcome is a change.
    """

    rows: Booleans
    outcome: Array
    treated: Booleans
    is_change: bool

    @property
    def n_behind(self) -> int:
        """Persons on whom a difference between the groups rests."""
        return min(persons_behind_mean(self.outcome[arm]) for arm in (self.treated, ~self.treated))


def groups_of(design: EvaluationDesign, tables: Tables, measure: str) -> Groups | None:
    """Return the two groups for one outcome; None where the design compares no two groups of persons.

    Whoever the estimator leaves out is left out here too.

    Parameters
    ----------
    design, tables
        The design and its data.
    measure : str
        The outcome.
    """
    if not isinstance(design, COMPARED):
        return None
    is_change = isinstance(design, DifferenceInDifferences)
    if isinstance(design, DifferenceInDifferences):
        if design.sampling != "panel":
            return None
        values = change_of(tables, measure, design.before, design.after)
    else:
        values = tables.analysis(measure)["value"].to_numpy(dtype=np.float64)
    rows = np.isfinite(values)
    for exclusion in design.exclusions(tables, measure):
        rows &= ~exclusion.persons
    treated = tables.participants[design.treatment].to_numpy(dtype=bool)[rows]
    if treated.all() or not treated.any():
        return None
    return Groups(rows, values[rows], treated, is_change)


def change_of(tables: Tables, measure: str, before: Sequence[str], after: Sequence[str]) -> Array:
    """Return each participant's mean after less mean before, NaN where either is unknown; shape (participants,).

    Parameters
    ----------
    tables : Tables
        With outcomes in the periods.
    measure : str
        The outcome.
    before, after : sequence of str
        Periods.
    """
    outcomes = tables.outcomes
    chosen = outcomes[(outcomes["measure"] == measure) & outcomes["value"].notna()]
    ids = tables.participants["participant_id"]

    def mean(periods: Sequence[str]) -> pd.Series:
        part = chosen[chosen["period"].isin(list(periods))]
        return part.groupby("participant_id")["value"].mean().reindex(ids)

    return (mean(after) - mean(before)).to_numpy(dtype=np.float64)


def numeric_traits(tables: Tables, names: Sequence[str]) -> tuple[str, ...]:
    """Return those of the named columns that hold numbers or yes/no, complete and varying."""
    people = tables.participants
    found = []
    for name in dict.fromkeys(names):
        column = people[name]
        is_number = pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)
        if is_number and not column.isna().any() and column.nunique() > 1:
            found.append(name)
    return tuple(found)


def score_of(design: MatchedComparison, tables: Tables, rows: Booleans) -> BinaryFit | None:
    """Return the fitted chance of being offered the programme; None where the covariates allow no score.

    Parameters
    ----------
    design : MatchedComparison
        Whose covariates and form of the score are used.
    tables : Tables
        The data.
    rows : ndarray of bool, shape (participants,)
        For whom.
    """
    if not design.covariates:
        return None
    people = tables.participants[rows]
    treated = people[design.treatment].to_numpy(dtype=bool)
    traits = people[list(design.covariates)].to_numpy(dtype=np.float64)
    none = np.zeros((len(people), 0))
    persons = terms.Persons(np.zeros(len(people)), treated, traits, design.covariates, none, (), {})
    try:
        return terms.score_of(persons, design.score)
    except DesignError:
        return None


def label_of(tables: Tables, name: str) -> str:
    """Return what the reader calls a column of participants."""
    return tables.schemas["participants"].field(name).title
