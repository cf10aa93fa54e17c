"""Two groups' hazards: the log-rank test, the hazard ratio, and whether it stays the same over time."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]

# A coefficient that is so uncertain, for a regressor of standard deviation one, has run off to infinity.
_RUNAWAY = 50.0


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
    """Return the hazard ratios of regressors (Cox 1972), ties by Efron's rule, fitted by statsmodels.

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
    # Imported here: most of what is done with durations does not need it.
    from statsmodels.duration.hazard_regression import PHReg
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    centre, spread = regressors.mean(axis=0), regressors.std(axis=0)
    if not happened.any() or (spread == 0).any():
        raise NoRatioError("no event, or a regressor that does not vary")
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = PHReg(time, (regressors - centre) / spread, status=happened.astype(np.int64), ties="efron")
        try:
            fitted = model.fit(disp=0)
            found = np.concatenate([fitted.params, np.diag(fitted.cov_params())])
        except (np.linalg.LinAlgError, ConvergenceWarning):
            raise NoRatioError("no maximum") from None
    if not np.isfinite(found).all() or np.abs(found).max() > _RUNAWAY:
        raise NoRatioError("no maximum")
    coefficients: Array = fitted.params / spread
    inverse: Array = fitted.cov_params() / np.outer(spread, spread)
    covariance = inverse
    if clusters is not None:
        # Our own, since those of statsmodels take tied events for ordered ones.
        residuals = score_residuals(time, happened, regressors, coefficients)
        sums = np.zeros((int(clusters.max()) + 1, residuals.shape[1]))
        np.add.at(sums, clusters, residuals)
        covariance = inverse @ (sums.T @ sums) @ inverse
    return HazardRatios(coefficients, covariance, inverse, float(fitted.llf))


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
