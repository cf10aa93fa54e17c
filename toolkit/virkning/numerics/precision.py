"""How precise an evaluation will be, before any data exist: variances per person of each design's estimate.

Every function returns a variance, or what multiplies one, for outcomes with a variance of one. Correlations over time
are the same between any two periods unless said otherwise, as in Frison and Pocock (1992) and McKenzie (2012).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kernel = Literal["triangular", "epanechnikov", "uniform"]
Comparison = Literal["never_treated", "not_yet_treated"]

# Points on one side of the cutoff at which an equivalent weight is computed; the error is of the order of 1/points.
_POINTS = 20_000


def cluster_inflation(
    people: float, correlation: float, variation: float = 0.0, explained: float = 0.0, explained_between: float = 0.0
) -> float:
    """Return by how much clusters raise the variance of a mean over that of as many independent people.

    Parameters
    ----------
    people : float
        People per cluster, on average.
    correlation : float
        Intra-cluster correlation: the share of the outcome's variance that lies between clusters.
    variation : float
        Coefficient of variation of the clusters' sizes (Eldridge, Ashby and Kerry 2006).
    explained, explained_between : float
        Shares of the variance within and between clusters that covariates explain (Bloom, Richburg-Hayes and Black
        2007).
    """
    between = correlation * (1 - explained_between) * people * (1 + variation**2)
    return between + (1 - correlation) * (1 - explained)


def correlation_of_means(people: float, within: float, clusters_over_time: float, person_over_time: float) -> float:
    """Return how a cluster's mean in one period goes together with its mean in another (Teerenstra et al. 2012).

    Parameters
    ----------
    people : float
        People per cluster.
    within : float
        Intra-cluster correlation in one period.
    clusters_over_time : float
        Correlation of a cluster's own level between two periods.
    person_over_time : float
        Correlation of one person's outcomes between two periods; that of two people when each period has new ones.
    """
    return ((people - 1) * within * clusters_over_time + person_over_time) / (1 + (people - 1) * within)


def mean_after(periods: int, correlation: float) -> float:
    """Return the variance of a person's mean over some periods, for outcomes with variance one."""
    return (1 + (periods - 1) * correlation) / periods


def change_of_means(before: int, after: int, correlation: float) -> float:
    """Return the variance of the change of a person's mean from the periods before to those after (McKenzie 2012)."""
    return (1 - correlation) * (1 / before + 1 / after)


def adjusted_mean_after(before: int, after: int, correlation: float) -> float:
    """Return the variance that is left in the mean after, given the mean before: ANCOVA (Frison and Pocock 1992)."""
    if not before:
        return mean_after(after, correlation)
    return mean_after(after, correlation) - before * correlation**2 / (1 + (before - 1) * correlation)


def stepped_wedge(schedule: NDArray[np.bool_], within: float, between: float) -> float:
    """Return the variance of the effect when clusters start one after another, by generalised least squares.

    The closed form of Hussey and Hughes (2007): a random level for each cluster, a fixed one for each period, and an
    effect that comes at once and stays the same.

    Parameters
    ----------
    schedule : ndarray of bool, shape (clusters, periods)
        Who has the programme when.
    within : float
        Variance of a cluster's mean in one period, given the cluster's level.
    between : float
        Variance of the clusters' levels.
    """
    has = np.asarray(schedule, dtype=float)
    clusters, periods = has.shape
    total = has.sum()
    by_period = (has.sum(axis=0) ** 2).sum()
    by_cluster = (has.sum(axis=1) ** 2).sum()
    numerator = clusters * within * (within + periods * between)
    first = (clusters * total - by_period) * within
    second = (total**2 + clusters * periods * total - periods * by_period - clusters * by_cluster) * between
    return float(numerator / (first + second))


def starts_one_after_another(
    starts: Sequence[int], sizes: Sequence[float], never: float, periods: int, correlation: float, control: Comparison
) -> float:
    """Return the variance of the average effect over cohorts and periods, each measured from the period before it.

    The estimate of Callaway and Sant'Anna (2021) without covariates is a sum of cells' means; its variance follows
    from what each cohort's means are multiplied by.

    Parameters
    ----------
    starts : sequence of int
        First period with the programme of each cohort, counted from 0 and rising.
    sizes : sequence of float
        People (or clusters) in each cohort.
    never : float
        Of those who never start; may be zero for ``not_yet_treated``.
    periods : int
        Number of periods.
    correlation : float
        Of one person's (or cluster's) outcomes between two periods.
    control : str
        ``never_treated``, or ``not_yet_treated``: with those who start later than the period that is looked at.
    """
    first = np.array([*starts, periods + 1])
    count = np.array([*sizes, never], dtype=float)
    factors = np.zeros((len(first), periods))
    cells = [
        (group, period)
        for group, start in enumerate(starts)
        for period in range(start, periods)
        if _controls(first, count, period, control).sum() > 0
    ]
    weights = np.array([count[group] for group, _ in cells])
    weights = weights / weights.sum()
    for (group, period), weight in zip(cells, weights, strict=True):
        controls = _controls(first, count, period, control)
        shares = controls / controls.sum()
        base = first[group] - 1
        factors[group, period] += weight
        factors[group, base] -= weight
        factors[:, period] -= weight * shares
        factors[:, base] += weight * shares
    variances = (1 - correlation) * (factors**2).sum(axis=1) + correlation * factors.sum(axis=1) ** 2
    return float((variances[count > 0] / count[count > 0]).sum())


def _controls(first: NDArray[np.int64], count: Array, period: int, control: Comparison) -> Array:
    """Return the sizes of the groups that a cohort is compared with in a period, zero for the others."""
    later = first > period if control == "not_yet_treated" else np.arange(len(first)) == len(first) - 1
    return np.where(later, count, 0.0)


def break_in_series(before: int, after: int, correlation: float, *, at_end: bool = False) -> tuple[float, float]:
    """Return the variance of the effect on a series that followed a straight line, and its degrees of freedom.

    The line may change level and slope at the start; the effect is the distance between the two lines, on average over
    the periods after the start, or in the last of them. The variance is that of generalised least squares. The
    likeness of neighbouring periods must be estimated too, by restricted likelihood, which costs most of the degrees
    of freedom (Satterthwaite 1946).

    Parameters
    ----------
    before, after : int
        Periods before and after the start.
    correlation : float
        Of neighbouring periods' distances from the line (first-order autoregression).
    at_end : bool
        Look at the last period.
    """
    place = np.arange(before + after)
    since = np.maximum(place - before, 0)
    line = np.column_stack([np.ones_like(place), place, place >= before, since]).astype(float)
    apart = np.abs(place[:, None] - place[None, :])
    inverse = np.linalg.inv(correlation**apart)
    covariance = np.linalg.inv(line.T @ inverse @ line)
    effect = np.array([0.0, 0.0, 1.0, after - 1 if at_end else (after - 1) / 2])
    variance = float(effect @ covariance @ effect)
    # How variance and likelihood change with the variance of a period and with the correlation.
    change = apart * correlation ** np.maximum(apart - 1, 0)
    weights = inverse @ line @ covariance @ effect
    slope = np.array([variance, float(weights @ change @ weights)])
    project = inverse - inverse @ line @ covariance @ line.T @ inverse
    parts = [np.asarray(project @ np.linalg.inv(inverse)), np.asarray(project @ change)]
    information = np.array([[np.trace(first @ second) / 2 for second in parts] for first in parts])
    return variance, float(2 * variance**2 / (slope @ np.linalg.solve(information, slope)))


def local_polynomial_inflation(kernel: Kernel, order: int) -> float:
    """Return by how much a fit just at a cutoff raises the variance over that of a mean of the people near it.

    People stand evenly within the bandwidth. A polynomial of the next order gives the variance of the estimate that is
    corrected for its bias with the same bandwidth (Calonico, Cattaneo and Titiunik 2014).

    Parameters
    ----------
    kernel : str
        How people are weighted by their distance.
    order : int
        Highest power of the polynomial.
    """
    place = (np.arange(_POINTS) + 0.5) / _POINTS
    weight = {"triangular": 1 - place, "epanechnikov": 1 - place**2, "uniform": np.ones(_POINTS)}[kernel]
    powers = np.vander(place, order + 1, increasing=True)
    weighted = powers * weight[:, None]
    at_cutoff = np.linalg.solve(weighted.T @ powers, weighted.T)[0]
    return float(_POINTS * (at_cutoff**2).sum())


def score_inflation(share: float, distribution: Literal["normal", "uniform"]) -> float:
    """Return by how much one straight line over all scores raises the variance over that of a lottery.

    The score that decides goes together with the programme, so holding it constant costs precision (Goldberger 1972;
    Schochet 2009).

    Parameters
    ----------
    share : float
        Share of people on the programme's side of the cutoff.
    distribution : str
        How scores are spread.
    """
    spread = share * (1 - share)
    if distribution == "uniform":
        return 1 / (1 - 3 * spread)
    from scipy import stats

    return float(1 / (1 - stats.norm.pdf(stats.norm.ppf(share)) ** 2 / spread))


def log_hazard_ratio(events: float, share: float) -> float:
    """Return the variance of the logarithm of a hazard ratio (Schoenfeld 1981).

    Parameters
    ----------
    events : float
        Number of people, in both groups, to whom it happens.
    share : float
        Share of people who were offered the programme.
    """
    return 1 / (events * share * (1 - share)) if events > 0 else math.inf


def restricted_mean(share: float) -> tuple[float, float]:
    """Return mean and variance of the time until it happens, or until the end of a follow-up of length one.

    Parameters
    ----------
    share : float
        To whom it has happened by the end, at a constant rate.
    """
    rate = -math.log1p(-share)
    return share / rate, (1 - (1 - share) ** 2 - 2 * rate * (1 - share)) / rate**2
