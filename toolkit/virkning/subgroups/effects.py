"""The effect in any group of participants, and how the effects of several groups vary together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data import Tables
from ..designs import EvaluationDesign
from ..disclosure import persons_behind_difference
from ..estimates import Estimate, Estimates
from ..numerics.concentration import persons_behind_mean
from .definitions import Booleans

Array = NDArray[np.float64]
NUMBERS = ("comparison_mean", "value", "std_error", "lower", "upper")
_BEHIND = ("n_treated_behind", "n_comparison_behind")


@dataclass(frozen=True)
class Cases:
    """The participants of one analysis.

    Attributes
    ----------
    treated : ndarray of bool, shape (participants,)
        Who is in the programme's group.
    outcome : ndarray, shape (participants,)
        In the outcome's unit, NaN where it is not known.
    sizes : ndarray of int, shape (participants,)
        Persons that each row stands for.
    """

    treated: Booleans
    outcome: Array
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, design: EvaluationDesign, tables: Tables, measure: str) -> Cases:
        """Return the participants of a design that is sound for these tables."""
        return cls(
            design.is_in_programme(tables, measure),
            tables.analysis(measure)["value"].to_numpy(dtype=float),
            design.persons_in_rows(tables),
        )

    @property
    def has_outcome(self) -> Booleans:
        """Whose outcome is known; shape (participants,)."""
        return ~np.isnan(self.outcome)

    def counts(self, members: Booleans) -> tuple[int, int]:
        """Return the persons with an outcome, in the programme and in the comparison group."""
        known = members & self.has_outcome
        return int(self.sizes[known & self.treated].sum()), int(self.sizes[known & ~self.treated].sum())

    def behind(self, members: Booleans) -> tuple[int, int]:
        """Return the persons on whom the means of the two groups rest."""
        known = members & self.has_outcome
        arms = (known & self.treated, known & ~self.treated)
        if (self.sizes != 1).any():  # Rows are places: each mean rests on all who live there.
            return self.counts(members)
        return persons_behind_mean(self.outcome[arms[0]]), persons_behind_mean(self.outcome[arms[1]])


def effect_among(
    design: EvaluationDesign, tables: Tables, measure: str, members: Booleans, seed: int
) -> Estimate | str:
    """Return the estimate in a group, or the reason why there is none."""
    own = design.within(tables.participants[members])
    for problem in own.problems(tables, members):
        return problem.what
    result = own.estimate_outcome(tables, measure, seed=seed, persons=members)
    return result if result.is_available else result.unavailable_reason


def rows_of(found: Estimate | str, counts: tuple[int, int], behind: tuple[int, int]) -> tuple[object, ...]:
    """Return one group's row: counts, numbers, reason, and the persons behind."""
    if isinstance(found, str):
        return (*counts, *[np.nan] * len(NUMBERS), found, *behind)
    row = found.effects.iloc[0]
    return (*counts, found.comparison_mean, *(float(row[name]) for name in NUMBERS[1:]), "", *behind)


def with_persons(rows: Sequence[tuple[object, ...]], names: Sequence[str]) -> pd.DataFrame:
    """Return the rows with the persons behind their numbers, as :func:`guarded` counts them.

    Parameters
    ----------
    rows : sequence of tuple
        Own columns, then what :func:`rows_of` returns.
    names : sequence of str
        The own columns.
    """
    frame = pd.DataFrame(list(rows), columns=[*names, "n_treated", "n_comparison", *NUMBERS, "reason", *_BEHIND])
    for name in _BEHIND:
        frame[name] = guarded(frame[name].tolist())
    treated, comparison = frame["n_treated_behind"], frame["n_comparison_behind"]
    return frame.assign(
        # With one group only, what is said of the other rests on that one too.
        n_comparison_behind=comparison.mask(comparison == 0, treated),
        n_behind=persons_behind_difference(treated, comparison),
    )


def guarded(persons: Sequence[int]) -> list[int]:
    """Return how many persons each group's number rests on when the number for everybody is published too.

    What is published for all groups but one gives away that one. So the second smallest group is as delicate as the
    smallest, and every larger one as delicate as all smaller ones together. Groups without persons give nothing away.

    >>> guarded([3, 90, 40]), guarded([1, 2, 50])
    ([3, 43, 3], [1, 1, 3])
    """
    result = list(persons)
    order = sorted((position for position, n in enumerate(persons) if n > 0), key=lambda position: persons[position])
    for rank, position in enumerate(order[1:], start=1):
        result[position] = min(persons[position], sum(persons[smaller] for smaller in order[:rank]))
    return result


def covariance_between(found: Mapping[str, Estimate]) -> Array | None:
    """Return the covariance of the groups' effects, shape (groups, groups), unit².

    None where the design does not tell how its estimates vary together: no influence of single units is known.
    """
    if any(estimate.influence is None for estimate in found.values()):
        return None
    return Estimates(found).covariance()


def freedom_of(found: Mapping[str, Estimate]) -> float:
    """Return the degrees of freedom behind a comparison of groups: clusters less one, or those of all groups."""
    if all(estimate.n_clusters is None for estimate in found.values()):
        return float(sum(estimate.degrees_of_freedom for estimate in found.values()))
    return float(len({unit for estimate in found.values() for unit in estimate.influence_ids}) - 1)
