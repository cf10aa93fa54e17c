"""The jump of an outcome at a cutoff: local polynomials on both sides, corrected for bias, with robust errors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .bandwidth import Bandwidths
from .local_polynomial import Errors, Kernel, LocalFit, Side, fit_local, scores, summed_square

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Jump:
    """One estimate.

    Attributes
    ----------
    value, std_error : float
        In the unit of what jumps.
    scores : ndarray, shape (n,)
        Each person's share in the error, in the order of the whole sample; zero beyond the bandwidths.
    """

    value: float
    std_error: float
    scores: Array = field(repr=False)


@dataclass(frozen=True)
class Discontinuity:
    """What happens at the cutoff.

    Attributes
    ----------
    conventional : Jump
        The local polynomial as it is, with the errors that take its bias for nothing.
    robust : Jump
        The same less its estimated bias, with errors that count the uncertainty of that correction.
    offer : Jump
        As ``robust``, of the outcome itself; the same as ``robust`` in a sharp design.
    take_up : Jump, optional
        As ``robust``, of the treatment taken, in a fuzzy design.
    limits : tuple of float
        The outcome's local polynomial just at the cutoff, without and with the treatment; not adjusted for covariates.
    fits : tuple of LocalFit
        The local polynomials, without and with the treatment.
    n_main, n_bias : tuple of int
        Persons within the main bandwidth, and within that of the bias.
    """

    conventional: Jump
    robust: Jump
    offer: Jump
    take_up: Jump | None
    limits: tuple[float, float]
    fits: tuple[LocalFit, LocalFit] = field(repr=False)
    n_main: tuple[int, int]
    n_bias: tuple[int, int]


@dataclass(frozen=True)
class _Half:
    """One side, fitted: what the jump takes from it."""

    side: Side
    fit: LocalFit
    curvature: LocalFit
    n_window: int
    shares: Array
    limit: Array
    corrected: Array


def sides_of(
    running: Array, point: float, treated: NDArray[np.bool_], values: Array, clusters: Codes | None
) -> tuple[Side, Side]:
    """Return the sides without and with the treatment.

    Parameters
    ----------
    running : ndarray, shape (n,)
        The running variable.
    point : float
        The cutoff.
    treated : ndarray of bool, shape (n,)
        Who stands on the side that the programme was for.
    values : ndarray, shape (n, m)
        Outcome, treatment taken where the design is fuzzy, covariates last.
    clusters : ndarray of int, shape (n,), optional
        Which persons belong together.
    """
    without, having = (Side.of(running, point, values, clusters, np.flatnonzero(treated == on)) for on in (False, True))
    return without, having


def estimate_jump(
    sides: tuple[Side, Side],
    bandwidths: Bandwidths,
    *,
    order: int = 1,
    kernel: Kernel = "triangular",
    errors: Errors = "nearest_neighbour",
    is_fuzzy: bool = False,
) -> Discontinuity:
    """Return the jump at the cutoff with robust bias-corrected inference (Calonico, Cattaneo and Titiunik 2014).

    Covariates enter both sides with the same coefficients (Calonico, Cattaneo, Farrell and Titiunik 2019). A fuzzy
    effect is the jump of the outcome over that of the treatment; its bias and its errors are those of the ratio's
    linear approximation.

    Parameters
    ----------
    sides : tuple of Side
        Without and with the treatment, from :func:`sides_of`.
    bandwidths : Bandwidths
        How far to look.
    order : int
        Power of the polynomial; its bias is estimated with the next one.
    kernel, errors : str
        How weight falls with distance, and how the spread is measured.
    is_fuzzy : bool
        The second of the values is the treatment taken.

    Raises
    ------
    numpy.linalg.LinAlgError
        Too few different values within a bandwidth, or covariates that depend on each other there.
    """
    halves = tuple(
        _half(side, main, bias, order, kernel)
        for side, main, bias in zip(sides, bandwidths.main, bandwidths.bias, strict=True)
    )
    m = sides[0].values.shape[1]
    n_outcomes = 2 if is_fuzzy else 1
    mixes: Array = np.eye(m)[:n_outcomes]
    if m > n_outcomes:
        mixes[:, n_outcomes:] = -_coefficients(halves, n_outcomes)
    conventional = mixes @ (halves[1].limit - halves[0].limit)
    corrected = mixes @ (halves[1].corrected - halves[0].corrected)
    mix, value = mixes[0], float(conventional[0])
    if is_fuzzy:
        value = float(conventional[0] / conventional[1])
        mix = (mixes[0] - value * mixes[1]) / conventional[1]
        gap = corrected - conventional
        robust_value = value + float((gap[0] - value * gap[1]) / conventional[1])
    else:
        robust_value = float(corrected[0])
    robust = _jump(halves, robust_value, mix, errors, is_robust=True)
    return Discontinuity(
        conventional=_jump(halves, value, mix, errors, is_robust=False),
        robust=robust,
        offer=_jump(halves, float(corrected[0]), mixes[0], errors, is_robust=True) if is_fuzzy else robust,
        take_up=_jump(halves, float(corrected[1]), mixes[1], errors, is_robust=True) if is_fuzzy else None,
        limits=(float(halves[0].limit[0]), float(halves[1].limit[0])),
        fits=(halves[0].fit, halves[1].fit),
        n_main=(halves[0].fit.n, halves[1].fit.n),
        n_bias=(halves[0].curvature.n, halves[1].curvature.n),
    )


def _half(side: Side, main: float, bias: float, order: int, kernel: Kernel) -> _Half:
    fit = fit_local(side, main, order, kernel)
    curvature = fit_local(side, bias, order + 1, kernel)
    n_window = max(fit.n, curvature.n)
    # The bias of the limit is the first curvature left out times the drift that it causes.
    weight = (main / bias) ** (order + 1) * float(fit.drift[0])
    shares = np.zeros(n_window)
    shares[: fit.n] += fit.shares(0)
    shares[: curvature.n] -= weight * curvature.shares(order + 1)
    return _Half(
        side=side,
        fit=fit,
        curvature=curvature,
        n_window=n_window,
        shares=shares,
        limit=fit.coefficients[0],
        corrected=fit.coefficients[0] - weight * curvature.coefficients[order + 1],
    )


def _coefficients(halves: tuple[_Half, ...], first: int) -> Array:
    """Return how outcome and treatment move with the covariates near the cutoff, shape (outcomes, covariates)."""
    m = halves[0].side.values.shape[1]
    cross: Array = np.zeros((m, m))
    for half in halves:
        residual = half.side.values[: half.fit.n] - half.fit.basis @ half.fit.coefficients
        cross = cross + residual.T @ (residual * half.fit.weighted[:, :1]) / half.fit.bandwidth
    solved = np.linalg.solve(cross[first:, first:], cross[first:, :first])
    return np.asarray(solved.T, dtype=np.float64)


def _jump(halves: tuple[_Half, ...], value: float, mix: Array, errors: Errors, *, is_robust: bool) -> Jump:
    """Return a jump with the error of the linear combination ``mix`` of the values."""
    n = sum(len(half.side) for half in halves)
    total, clusters = np.zeros(n), None
    if halves[0].side.clusters is not None:
        clusters = np.zeros(n, dtype=np.int64)
    for half, sign in zip(halves, (-1.0, 1.0), strict=True):
        shares = half.shares if is_robust else half.fit.shares(0)
        fit = half.curvature if is_robust else half.fit
        found = scores(half.side, fit, shares, mix, errors, half.n_window)
        total[half.side.order[: len(found)]] = sign * found
        if clusters is not None and half.side.clusters is not None:
            clusters[half.side.order] = half.side.clusters
    return Jump(value, float(np.sqrt(summed_square(total, clusters))), total)
