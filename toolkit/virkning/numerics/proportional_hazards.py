"""Two groups' hazards: the log-rank test, the hazard ratio, and whether it stays the same over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .within import sums_by_group

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]

# A coefficient that is so uncertain, for a regressor of standard deviation one, has run off to infinity.
_RUNAWAY = 50.0
# Newton's method needs four to eight steps; the last one moves no coefficient by more than this.
_MOST_STEPS, _TOLERANCE, _SMALLEST_STEP = 50, 1e-9, 2.0**-30


class NoRatioError(ValueError):
    """The data do not determine the hazard ratio: in some group nobody has the event, or nobody else has it."""


@dataclass(frozen=True)
class ChiSquared:
    """A test whose statistic is chi-squared when the hypothesis is true."""

    statistic: float
    degrees_of_freedom: int

    @property
    def p_value(self) -> float:
        """Chance of a statistic at least as large when the hypothesis is true."""
        return float(stats.chi2.sf(self.statistic, self.degrees_of_freedom))


@dataclass(frozen=True)
class HazardRatios:
    """A proportional-hazards regression with k regressors.

    Attributes
    ----------
    coefficients : ndarray, shape (k,)
        Logarithms of the hazard ratios.
    covariance : ndarray, shape (k, k)
        Inverse information; the sandwich by cluster where clusters are given.
    information_inverse : ndarray, shape (k, k)
        Inverse information in both cases.
    log_likelihood : float
        Efron's partial log-likelihood at its maximum.
    """

    coefficients: Array
    covariance: Array
    information_inverse: Array
    log_likelihood: float


def log_rank(time: Array, happened: Booleans, treated: Booleans, clusters: Codes | None = None) -> ChiSquared | None:
    """Return the test that two groups have the same hazard at all times; None when it has no variance.

    Parameters
    ----------
    time : ndarray, shape (n,)
        How long each person was followed.
    happened : ndarray of bool, shape (n,)
        Whether that ended with the event.
    treated : ndarray of bool, shape (n,)
        The group.
    clusters : ndarray of int, shape (n,), optional
        Groups of persons who share their luck; the variance is then that of their summed score residuals (Lin and Wei
        1989) instead of the hypergeometric one.
    """
    times, place = np.unique(time[happened], return_inverse=True)
    events = np.bincount(place, minlength=len(times)).astype(np.float64)
    at_risk, of_treated = (
        (len(each) - np.searchsorted(np.sort(each), times, side="left")).astype(np.float64)
        for each in (time, time[treated])
    )
    share = of_treated / at_risk
    score = float(treated[happened].sum() - (events * share).sum())
    if clusters is None:
        spare = np.divide(at_risk - events, at_risk - 1, out=np.zeros_like(at_risk), where=at_risk > 1)
        variance = float((events * share * (1 - share) * spare).sum())
    else:
        hazard = np.concatenate([[0.0], np.cumsum(events / at_risk)])
        weighted = np.concatenate([[0.0], np.cumsum(share * events / at_risk)])
        last = np.searchsorted(times, time, side="right")
        residual = -(treated * hazard[last] - weighted[last])
        residual[happened] += treated[happened] - share[place]
        variance = float((np.bincount(clusters, weights=residual) ** 2).sum())
    return ChiSquared(score**2 / variance, 1) if variance > 0 else None


def hazard_ratios(time: Array, happened: Booleans, regressors: Array, clusters: Codes | None = None) -> HazardRatios:
    """Return the hazard ratios of regressors (Cox 1972), ties by Efron's rule, fitted by Newton's method.

    Parameters
    ----------
    time : ndarray, shape (n,)
        How long each person was followed.
    happened : ndarray of bool, shape (n,)
        Whether that ended with the event.
    regressors : ndarray, shape (n, k)
        Without a constant, which the model does not have.
    clusters : ndarray of int, shape (n,), optional
        Groups of persons who share their luck.

    Raises
    ------
    NoRatioError
        The likelihood has no maximum.
    """
    centre, spread = regressors.mean(axis=0), regressors.std(axis=0)
    if not happened.any() or (spread == 0).any():
        raise NoRatioError("no event, or a regressor that does not vary")
    events = _Events.of(time, happened, (regressors - centre) / spread)
    position = np.zeros(regressors.shape[1])
    here = _likelihood(events, position)
    for _ in range(_MOST_STEPS):
        try:
            step = np.linalg.solve(here.information, here.score)
        except np.linalg.LinAlgError:
            raise NoRatioError("no maximum") from None
        share = 1.0
        there = _likelihood(events, position + step)
        while not there.value >= here.value - 1e-12 * abs(here.value) and share > _SMALLEST_STEP:
            share /= 2
            there = _likelihood(events, position + share * step)
        position, here = position + share * step, there
        if not np.isfinite(position).all() or np.abs(position).max() > _RUNAWAY:
            raise NoRatioError("no maximum")
        if np.abs(step).max() < _TOLERANCE:
            break
    else:
        raise NoRatioError("no maximum")
    bread = np.linalg.inv(here.information)
    if not np.isfinite(bread).all() or not 0 < np.diag(bread).min() <= np.diag(bread).max() <= _RUNAWAY:
        raise NoRatioError("no maximum")
    coefficients: Array = position / spread
    inverse: Array = bread / np.outer(spread, spread)
    covariance = inverse
    if clusters is not None:
        residuals = score_residuals(time, happened, regressors, coefficients)
        sums = sums_by_group(residuals, clusters, int(clusters.max()) + 1)
        covariance = inverse @ (sums.T @ sums) @ inverse
    return HazardRatios(coefficients, covariance, inverse, here.value)


@dataclass(frozen=True)
class _Events:
    """Who has the event when, for the likelihood.

    Attributes
    ----------
    counts : ndarray of int, shape (m,)
        Events at each of the distinct times of events.
    place, lost_place : ndarray of int, shapes (d,) and (n - d,)
        At how many of these times each of those with and without the event is at risk.
    regressors, lost_regressors : ndarray, shapes (d, k) and (n - d, k)
        Of the same persons, with mean zero and standard deviation one; each column in one piece.
    """

    counts: Codes
    place: Codes
    lost_place: Codes
    regressors: Array
    lost_regressors: Array

    @classmethod
    def of(cls, time: Array, happened: Booleans, regressors: Array) -> _Events:
        times, place, counts = np.unique(time[happened], return_inverse=True, return_counts=True)
        return cls(
            counts,
            place.astype(np.int64) + 1,
            np.searchsorted(times, time[~happened], side="right").astype(np.int64),
            np.asfortranarray(regressors[happened]),
            np.asfortranarray(regressors[~happened]),
        )


@dataclass(frozen=True)
class _Likelihood:
    """Efron's partial log-likelihood with its first derivative, shape (k,), and minus its second, shape (k, k)."""

    value: float
    score: Array
    information: Array


def _likelihood(events: _Events, position: Array) -> _Likelihood:
    """Return the likelihood from sums over those at risk; the tied leave one by one, each with a share of all."""
    k, m = len(position), len(events.counts)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        tied = _sums(events.place, events.regressors, position, m)
        at_risk = (tied + _sums(events.lost_place, events.lost_regressors, position, m))[:, ::-1].cumsum(axis=1)[
            :, ::-1
        ]
        # One column for each event: those still at risk when so many of the tied have gone.
        when = np.repeat(np.arange(m), events.counts)
        gone = np.arange(len(when)) - np.repeat(np.cumsum(events.counts) - events.counts, events.counts)
        share = gone / events.counts[when]
        rest = np.stack([all_of[when] - share * those[when] for all_of, those in zip(at_risk, tied, strict=True)])
        means = rest[1 : 1 + k] / rest[0]
        value = float((events.regressors @ position).sum() - np.log(rest[0]).sum())
        information = np.zeros((k, k))
        information[np.triu_indices(k)] = rest[1 + k :] @ (1 / rest[0])
        information = information + np.triu(information, 1).T - means @ means.T
        return _Likelihood(value, events.regressors.sum(axis=0) - means.sum(axis=1), information)


def _sums(place: Codes, regressors: Array, position: Array, m: int) -> Array:
    """Return sums of the risk, of risk × regressors, and of risk × their products, at each time; shape (q, m).

    Whoever leaves before the first event stands at place zero, and counts nowhere.
    """
    risk = np.exp(regressors @ position)
    weighted = [risk * column for column in regressors.T]
    products = (
        weighted[first] * regressors[:, second] for first, second in zip(*np.triu_indices(len(position)), strict=True)
    )
    return np.stack([np.bincount(place, weights=each, minlength=m + 1)[1:] for each in (risk, *weighted, *products)])


@dataclass(frozen=True)
class _AtRisk:
    """Sums over those at risk at the m distinct times of events, ties by Efron's rule: those tied leave one by one.

    Attributes
    ----------
    times : ndarray, shape (m,)
        When.
    place : ndarray of int, shape (d,)
        Which of the times each event has.
    expected : ndarray, shape (m, k)
        Mean regressors that the model expects of whoever has the event.
    hazard, hazard_tied : ndarray, shape (m, 1 + k)
        Baseline hazard, and the same times the mean regressors, for those who stay and for those who have the event.
    """

    times: Array
    place: Codes
    expected: Array
    hazard: Array
    hazard_tied: Array


def _at_risk(time: Array, happened: Booleans, regressors: Array, risk: Array) -> _AtRisk:
    times, place, counts = np.unique(time[happened], return_inverse=True, return_counts=True)
    order = np.argsort(time, kind="stable")
    columns = np.column_stack([risk, risk[:, None] * regressors])
    from_here = np.cumsum(columns[order][::-1], axis=0)[::-1]
    at_risk = from_here[np.searchsorted(time[order], times, side="left")]
    tied, hazard, hazard_tied = (np.zeros_like(at_risk) for _ in range(3))
    np.add.at(tied, place, columns[happened])
    expected = np.zeros((len(times), regressors.shape[1]))
    for gone in range(int(counts.max(initial=0))):
        now = counts > gone
        left = gone / counts[now, None]
        rest = at_risk[now] - left * tied[now]
        mean = rest[:, 1:] / rest[:, :1]
        step = np.column_stack([np.ones(len(mean)), mean]) / rest[:, :1]
        expected[now] += mean / counts[now, None]
        hazard[now] += step
        hazard_tied[now] += (1 - left) * step
    return _AtRisk(times, place.astype(np.int64), expected, hazard, hazard_tied)


def schoenfeld_residuals(time: Array, happened: Booleans, regressors: Array, coefficients: Array) -> Array:
    """Return, for each event in the order of the persons, the regressors less what the model expects; shape (d, k).

    Parameters
    ----------
    time, happened, regressors
        As for :func:`hazard_ratios`.
    coefficients : ndarray, shape (k,)
        Fitted.
    """
    centred = regressors - regressors.mean(axis=0)
    found = _at_risk(time, happened, centred, np.exp(centred @ coefficients))
    result: Array = centred[happened] - found.expected[found.place]
    return result


def score_residuals(time: Array, happened: Booleans, regressors: Array, coefficients: Array) -> Array:
    """Return each person's part of the score, which adds up to zero at the maximum; shape (n, k).

    Parameters
    ----------
    time, happened, regressors, coefficients
        As for :func:`schoenfeld_residuals`.
    """
    centred = regressors - regressors.mean(axis=0)
    risk = np.exp(centred @ coefficients)
    found = _at_risk(time, happened, centred, risk)
    so_far = np.vstack([np.zeros(found.hazard.shape[1]), np.cumsum(found.hazard, axis=0)])
    met = so_far[np.searchsorted(found.times, time, side="right")]
    met[happened] += (found.hazard_tied - found.hazard)[found.place]
    result: Array = -risk[:, None] * (met[:, :1] * centred - met[:, 1:])
    result[happened] += centred[happened] - found.expected[found.place]
    return result


def share_had_before(time: Array, happened: Booleans) -> Array:
    """Return, for each event in the order of the persons, the share that had the event before it; shape (d,).

    The usual scale of time for the test of proportionality: it gives each event about the same weight.
    """
    times, counts = np.unique(time[happened], return_counts=True)
    at_risk = len(time) - np.searchsorted(np.sort(time), times, side="left")
    free = np.concatenate([[1.0], np.cumprod(1 - counts / at_risk)])
    result: Array = 1 - free[np.searchsorted(times, time[happened], side="left")]
    return result


def proportionality(residuals: Array, scale: Array, information_inverse: Array) -> tuple[ChiSquared, ...]:
    """Return the tests that each regressor's hazard ratio stays the same over time, and that all do.

    Grambsch and Therneau (1994): scaled residuals have no trend along any scale of time when it does. Their information
    is taken to be the same at all events.

    Parameters
    ----------
    residuals : ndarray, shape (d, k)
        Of :func:`schoenfeld_residuals`.
    scale : ndarray, shape (d,)
        Transformed time of each event.
    information_inverse : ndarray, shape (k, k)
        Of the fit.

    Returns
    -------
    tuple of ChiSquared, length k + 1
        One for each regressor, then one for all together; empty when all events have the same time.
    """
    centred = scale - scale.mean()
    spread = float((centred**2).sum()) / len(scale) if len(scale) else 0.0
    if spread <= 0:
        return ()
    trend = centred @ residuals
    scaled = information_inverse @ trend
    each = scaled**2 / np.diag(information_inverse) / spread
    together = float(trend @ scaled) / spread
    return (*(ChiSquared(float(value), 1) for value in each), ChiSquared(together, len(each)))
