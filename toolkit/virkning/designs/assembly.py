"""From the terms that a design fitted to the one result type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ..estimand import Estimand
from ..estimates import EFFECT_COLUMNS, Estimate, EvidenceLevel, Method, Provenance
from ..numerics.within import sums_by_group
from ..provenance import Digests

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Term:
    """One fitted effect.

    Attributes
    ----------
    name : str
        What the row of ``effects`` is called.
    value, std_error : float
        In the outcome's unit.
    degrees_of_freedom : float
        Of the t distribution behind the interval.
    rule : str
        How they were counted, as words after «Degrees of freedom:».
    influence : ndarray, shape (n,)
        Each person's share in the error.
    """

    name: str
    value: float
    std_error: float
    degrees_of_freedom: float
    rule: str
    influence: Array


@dataclass(frozen=True)
class Analysed:
    """Who an estimate rests on.

    Attributes
    ----------
    n_treated, n_comparison : int
        Persons with an outcome, by arm.
    n_clusters : int, optional
        Groups that were assigned together.
    comparison_mean : float
        Mean outcome of the comparison group, in the outcome's unit.
    ids : sequence of str
        Opaque digest of each person's cluster, or of the person.
    """

    n_treated: int
    n_comparison: int
    n_clusters: int | None
    comparison_mean: float
    ids: Sequence[str]


@dataclass(frozen=True)
class Question:
    """What a design asks of the data about one outcome; it becomes the estimate, or the reason why there is none.

    Attributes
    ----------
    estimand : Estimand
        Effect of what, on whom, on which outcome.
    level : float
        Confidence level, 0 to 1.
    evidence_level : EvidenceLevel
        Maryland scale, with the reason.
    method : Method
        How the headline is estimated.
    provenance : Provenance
        What it is made from.
    """

    estimand: Estimand
    level: float
    evidence_level: EvidenceLevel
    method: Method
    provenance: Provenance

    def unavailable(self, reason: str, *, n_units: int) -> Estimate:
        """Return the object that stands for an estimate that cannot be made."""
        return Estimate.unavailable(
            reason,
            estimand=self.estimand,
            level=self.level,
            evidence_level=self.evidence_level,
            method=self.method,
            provenance=self.provenance,
            n_units=n_units,
        )

    def answered(self, terms: Sequence[Term], analysed: Analysed, warnings: Sequence[str]) -> Estimate:
        """Return the estimate whose headline is the first of the terms.

        The covariance of the terms has the reported variances on its diagonal; the correlations are those of the
        influence functions, summed within clusters.
        """
        rows = []
        for term in terms:
            reach = float(stats.t.ppf(0.5 + self.level / 2, term.degrees_of_freedom)) * term.std_error
            p_value = 2 * float(stats.t.sf(abs(term.value) / term.std_error, term.degrees_of_freedom))
            numbers = (term.value, term.std_error, term.value - reach, term.value + reach, p_value)
            rows.append((term.name, self.estimand.period, *numbers, analysed.n_treated, analysed.n_comparison))
        influence = np.column_stack([term.influence for term in terms])
        return Estimate(
            estimand=self.estimand,
            level=self.level,
            evidence_level=self.evidence_level,
            method=self.method,
            frame=pd.DataFrame(rows, columns=list(EFFECT_COLUMNS)),
            covariance=_covariance(influence, analysed.ids, np.array([term.std_error for term in terms])),
            degrees_of_freedom=terms[0].degrees_of_freedom,
            degrees_of_freedom_rule=terms[0].rule,
            n_units=analysed.n_treated + analysed.n_comparison,
            n_clusters=analysed.n_clusters,
            comparison_mean=analysed.comparison_mean,
            provenance=self.provenance,
            influence=influence,
            influence_ids=analysed.ids,
            warnings=tuple(warnings),
        )


def _covariance(influence: Array, ids: Sequence[str], std_errors: Array) -> Array:
    """Return the covariance of the terms, shape (k, k), unit²."""
    codes = ids.codes() if isinstance(ids, Digests) else pd.factorize(np.asarray(ids))[0]
    summed = influence if codes is None else sums_by_group(influence, codes, int(codes.max()) + 1)
    cross = summed.T @ summed
    scale = np.sqrt(np.diag(cross))
    result: Array = cross / np.outer(scale, scale) * np.outer(std_errors, std_errors)
    result = (result + result.T) / 2
    np.fill_diagonal(result, std_errors**2)
    return result
