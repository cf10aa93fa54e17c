"""How the degrees of freedom behind an interval are counted: three rules, one of them the standard, each with a name.

A design whose intervals come from a t distribution has the field ``degrees_of_freedom`` with one of these rules. It
hands over what can be counted, takes the number that the rule names, and stores the words beside it in
:class:`~virkning.designs.assembly.Term`, so that every estimate says how wide its interval is, and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Rule = Literal["standard", "residual", "large_sample"]

# What the field ``degrees_of_freedom`` of a design is described as.
DESCRIPTION = (
    "How the interval's degrees of freedom are counted: standard (clusters less one where errors are clustered, else "
    "observations less coefficients), residual (observations less coefficients) or large_sample (normal distribution)."
)


@dataclass(frozen=True)
class Freedom:
    """Degrees of freedom, and how they were counted.

    Attributes
    ----------
    count : float
        Of a t distribution; infinite for the normal distribution.
    words : str
        How they were counted, to be read after «Degrees of freedom:».
    """

    count: float
    words: str


LARGE_SAMPLE = Freedom(float("inf"), "those of the normal distribution, since these errors hold in large samples")


def rows_less_coefficients(n_observations: int, n_coefficients: int, *, of: str = "persons") -> Freedom:
    """Return observations less coefficients.

    Parameters
    ----------
    n_observations, n_coefficients : int
        Of the regression.
    of : str
        What an observation is, in the plural: persons, rows, outcomes.

    Examples
    --------
    >>> rows_less_coefficients(445, 2)
    Freedom(count=443.0, words='the number of persons minus the 2 coefficients of the regression')
    """
    return Freedom(
        float(n_observations - n_coefficients),
        f"the number of {of} minus the {n_coefficients} coefficients of the regression",
    )


def clusters_less_one(n_clusters: int, *, of: str = "clusters") -> Freedom:
    """Return clusters less one.

    Parameters
    ----------
    n_clusters : int
        Groups within which errors may move together; with two kinds of clusters, the smaller number.
    of : str
        What a cluster is, in the plural.

    Examples
    --------
    >>> clusters_less_one(20, of="villages")
    Freedom(count=19.0, words='the number of villages minus one')
    """
    return Freedom(float(n_clusters - 1), f"the number of {of} minus one")


def degrees_of_freedom(rule: Rule, residual: Freedom, clusters: Freedom | None = None) -> Freedom:
    """Return the degrees of freedom that a rule names.

    Parameters
    ----------
    rule : str
        ``standard``: clusters less one where errors are clustered, else observations less coefficients; ``residual``:
        always the latter; ``large_sample``: the normal distribution.
    residual : Freedom
        From :func:`rows_less_coefficients`, or the design's own words for it.
    clusters : Freedom, optional
        From :func:`clusters_less_one` where the errors are clustered, else None.

    Examples
    --------
    >>> degrees_of_freedom("standard", rows_less_coefficients(445, 2), clusters_less_one(20)).count
    19.0
    >>> degrees_of_freedom("residual", rows_less_coefficients(445, 2), clusters_less_one(20)).count
    443.0
    """
    if rule == "large_sample":
        return LARGE_SAMPLE
    if rule == "standard" and clusters is not None:
        return clusters
    return residual
