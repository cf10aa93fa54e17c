"""Regressions whose errors follow a first-order autoregression: each is a share of the one before, plus a new shock.

Rows carry their places in time. Over a gap of g periods the correlation is that of one period to the power g, so a
period that is left out is neither lost nor pretended.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from .serial_correlation import SerialFit, Wobble, cross_inverse, first_correlation

Array = NDArray[np.float64]
Places = NDArray[np.int64]

_SETTLED = 1e-12
_MOST_ROUNDS = 2_000
# A first-order correlation from here on means a wandering series, for which the transformation does not exist.
_WANDERS = 0.9999
# Restricted likelihood looks for the correlation between these; at the edge a series hardly differs from a random walk.
EDGE = 0.98
_FIRST_LOOKS = 29


def prais_winsten(outcome: Array, regressors: Array, places: Places) -> SerialFit | None:
    """Fit by generalised least squares with errors that follow a first-order autoregression.

    The correlation is that of the residuals on those one period before, as in Stata's ``prais``, and fit and
    correlation are repeated until both stand still (Prais and Winsten 1954). The first row is kept. Over a gap of g
    periods the correlation is that of one period to the power g.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        The series.
    regressors : ndarray, shape (n, k)
        Of full column rank, the constant among them.
    places : ndarray of int, shape (n,)
        Where each row lies in time.

    Returns
    -------
    SerialFit or None
        ``residuals`` are those of the series itself. None where the residuals wander, or nothing stands still.
    """
    coefficients = cross_inverse(regressors) @ regressors.T @ outcome
    rho = 0.0
    for _ in range(_MOST_ROUNDS):
        found = first_correlation(outcome - regressors @ coefficients, places)
        if abs(found) >= _WANDERS:
            return None
        y, x = whitened(outcome[:, None], places, found)[:, 0], whitened(regressors, places, found)
        coefficients = cross_inverse(x) @ x.T @ y
        if abs(found - rho) < _SETTLED:
            break
        rho = found
    else:
        return None
    n, k = regressors.shape
    inverse = cross_inverse(x)
    shocks = y - x @ coefficients
    return SerialFit(
        coefficients,
        float(shocks @ shocks) / (n - k) * inverse,
        x * shocks[:, None] @ inverse,
        outcome - regressors @ coefficients,
        0,
        found,
    )


def restricted_likelihood(outcome: Array, regressors: Array, places: Places) -> SerialFit:
    """Fit by generalised least squares with the correlation that has the largest restricted likelihood.

    Residuals are closer to the fitted line than errors are to the true one, so their own correlation is too small in
    short series. The restricted likelihood is that of what no line can explain, and has this fault far less
    (Patterson and Thompson 1971). The covariance is that of generalised least squares; ``wobble`` tells how uncertain
    it is.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        The series.
    regressors : ndarray, shape (n, k)
        Of full column rank, the constant among them.
    places : ndarray of int, shape (n,)
        Where each row lies in time.

    Returns
    -------
    SerialFit
        ``correlation`` lies between -``EDGE`` and ``EDGE``; ``residuals`` are those of the series itself.
    """
    looks = np.linspace(-EDGE, EDGE, _FIRST_LOOKS)
    best = int(np.argmin([_minus_restricted(rho, outcome, regressors, places) for rho in looks]))
    around = looks[max(best - 1, 0)], looks[min(best + 1, len(looks) - 1)]
    found = optimize.minimize_scalar(
        _minus_restricted,
        bounds=around,
        args=(outcome, regressors, places),
        method="bounded",
        options={"xatol": 1e-10},
    )
    rho = float(found.x)
    n, k = regressors.shape
    y, x = whitened(outcome[:, None], places, rho)[:, 0], whitened(regressors, places, rho)
    inverse = cross_inverse(x)
    coefficients = inverse @ x.T @ y
    shocks = y - x @ coefficients
    variance = float(shocks @ shocks) / (n - k)
    return SerialFit(
        coefficients,
        variance * inverse,
        x * shocks[:, None] @ inverse,
        outcome - regressors @ coefficients,
        0,
        rho,
        _wobble(regressors, places, rho, inverse, variance),
    )


def whitened(values: Array, places: Places, rho: float) -> Array:
    """Return the rows less what is expected from the row before, all with the variance of one shock.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Rows in the order of time.
    places : ndarray of int, shape (n,)
        Where each row lies in time.
    rho : float
        Correlation of neighbours, between -1 and 1.
    """
    kept = rho ** np.diff(places).astype(np.float64)
    result = np.empty_like(values)
    result[0] = np.sqrt(1 - rho**2) * values[0]
    result[1:] = (values[1:] - kept[:, None] * values[:-1]) * np.sqrt((1 - rho**2) / (1 - kept**2))[:, None]
    return result


def _minus_restricted(rho: float, outcome: Array, regressors: Array, places: Places) -> float:
    """Return minus the restricted log likelihood at its best variance, up to a constant."""
    y, x = whitened(outcome[:, None], places, rho)[:, 0], whitened(regressors, places, rho)
    orthonormal, triangle = np.linalg.qr(x)
    shocks = y - orthonormal @ (orthonormal.T @ y)
    n, k = regressors.shape
    kept = rho ** np.diff(places).astype(np.float64)
    # Minus the logarithm of the determinant of the transformation, twice, is that of the errors' covariance.
    spread = -np.log(1 - rho**2) - np.log((1 - rho**2) / (1 - kept**2)).sum()
    fit = (n - k) * np.log(shocks @ shocks) + spread + 2 * np.log(np.abs(np.diag(triangle))).sum()
    return float(fit) / 2


def _wobble(regressors: Array, places: Places, rho: float, inverse: Array, variance: float) -> Wobble:
    """Return how uncertain the covariance is, from the expected information of the restricted likelihood."""
    apart = np.abs(places[:, None] - places[None, :]).astype(np.float64)
    errors = rho**apart / (1 - rho**2)
    slope = np.where(apart > 0, apart * rho ** np.maximum(apart - 1, 0), 0.0) / (1 - rho**2)
    slope += 2 * rho * errors / (1 - rho**2)
    weighted = np.linalg.solve(errors, regressors)
    remaining = np.linalg.inv(errors) - weighted @ inverse @ weighted.T
    turned = remaining @ slope
    n, k = regressors.shape
    both = float(np.trace(turned)) / 2
    information = np.array([[(n - k) / 2, both], [both, float((turned * turned.T).sum()) / 2]])
    return Wobble(variance * inverse @ weighted.T @ slope @ weighted @ inverse, np.linalg.inv(information))
