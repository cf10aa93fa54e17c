"""Every way the lottery could have come out: all of them when they are few, a random sample of them otherwise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]

# Below this many possible assignments all of them are listed, and a p-value is exact.
EXACT_LIMIT = 20_000
# Cells of one batch (assignments × persons): about 4 MB of booleans, so that large data never need the whole array.
_BATCH_CELLS = 4_000_000


@dataclass(frozen=True)
class Lottery:
    """Who drew what, and how the draw was organised.

    Attributes
    ----------
    treated : ndarray of bool, shape (m,)
        Per unit of the draw (person or cluster): whether it was assigned to treatment.
    strata : ndarray of int, shape (m,)
        Code of the stratum in which each unit was drawn; zeros without strata.
    unit : ndarray of int, shape (n,)
        The unit of the draw to which each person belongs.
    """

    treated: Booleans
    strata: Codes
    unit: Codes

    @classmethod
    def of(cls, treated: Booleans, strata: Codes | None = None, clusters: Codes | None = None) -> Lottery:
        """Return the lottery behind the persons' assignment.

        Parameters
        ----------
        treated : ndarray of bool, shape (n,)
            Assignment of each person, constant within a cluster.
        strata, clusters : ndarray of int, shape (n,), optional
            Codes from zero; a cluster lies in one stratum.
        """
        unit = (
            np.arange(len(treated))
            if clusters is None
            else np.unique(clusters, return_inverse=True)[1].astype(np.int64)
        )
        first = np.unique(unit, return_index=True)[1]
        by_person = np.zeros(len(treated), dtype=np.int64) if strata is None else strata
        return cls(treated=treated[first], strata=by_person[first], unit=unit)

    def count(self) -> int:
        """Return the number of assignments with as many treated units in each stratum as there were."""
        members = [self.treated[self.strata == code] for code in np.unique(self.strata)]
        return math.prod(math.comb(len(one), int(one.sum())) for one in members)

    @property
    def is_listed(self) -> bool:
        """Tell whether all assignments are listed rather than sampled."""
        return self.count() <= EXACT_LIMIT

    def batches(self, n: int, generator: np.random.Generator) -> Iterator[Booleans]:
        """Give the persons' assignments, shape (rows, n_persons) each: all when listed, else ``n`` random ones."""
        size = max(1, _BATCH_CELLS // max(1, len(self.unit)))
        if self.is_listed:
            listed = self._listed()
            for start in range(0, len(listed), size):
                yield listed[start : start + size][:, self.unit]
            return
        for start in range(0, n, size):
            yield self._sampled(min(size, n - start), generator)[:, self.unit]

    def _listed(self) -> Booleans:
        """Return every assignment of the units, shape (count, m)."""
        result = np.zeros((1, len(self.treated)), dtype=bool)
        for code in np.unique(self.strata):
            members = np.flatnonzero(self.strata == code)
            chosen = list(itertools.combinations(members, int(self.treated[members].sum())))
            part = np.zeros((len(chosen), len(self.treated)), dtype=bool)
            part[np.arange(len(chosen))[:, None], np.array(chosen, dtype=np.int64).reshape(len(chosen), -1)] = True
            result = (result[:, None, :] | part[None, :, :]).reshape(-1, len(self.treated))
        return result

    def _sampled(self, n: int, generator: np.random.Generator) -> Booleans:
        """Return ``n`` random assignments of the units, shape (n, m)."""
        result = np.zeros((n, len(self.treated)), dtype=bool)
        for code in np.unique(self.strata):
            members = np.flatnonzero(self.strata == code)
            result[:, members] = generator.permuted(np.tile(self.treated[members], (n, 1)), axis=1)
        return result
