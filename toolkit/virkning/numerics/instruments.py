"""How strong instruments are, and what can be said about an effect however weak they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, stats

from .f_tail import f_limit, f_tail
from .least_squares import orthonormal_turn
from .within import sums_by_group

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Errors = Literal["classical", "hc1", "clustered"]
Shape = Literal["interval", "rays", "line", "empty", "pieces"]

# Directions at which the test is evaluated before its crossings are found exactly.
_DIRECTIONS = 4_000


@dataclass(frozen=True)
class ReducedForms:
    """The regressions of outcome and treatment on L instruments, after the covariates were taken out of all of them.

    Attributes
    ----------
    outcome, treatment : ndarray, shape (L,)
        Coefficients of the instruments.
    covariance : ndarray, shape (2 L, 2 L)
        Of both, those of the outcome first.
    gram : ndarray, shape (L, L)
        Cross product of the instruments.
    treatment_variation : float
        Sum of squares of the treatment.
    degrees_of_freedom : float
        Of the errors: n minus coefficients, or clusters minus one.
    """

    outcome: Array
    treatment: Array
    covariance: Array
    gram: Array
    treatment_variation: float
    degrees_of_freedom: float

    @property
    def n_instruments(self) -> int:
        """Number of instruments, L."""
        return len(self.treatment)


@dataclass(frozen=True)
class Strength:
    """How strongly the instruments move the treatment.

    Attributes
    ----------
    f_statistic, p_value : float
        Test that no instrument moves it, with the errors in use.
    effective_f : float
        Montiel Olea and Pflueger (2013).
    critical_value : float
        What the effective F must exceed, at 5%, for the bias of two-stage least squares to be below a tenth of the
        worst case; their simplified, cautious procedure.
    partial_r_squared : float
        Share of the treatment's variation, left by the covariates, that the instruments explain.
    """

    f_statistic: float
    p_value: float
    effective_f: float
    critical_value: float
    partial_r_squared: float


@dataclass(frozen=True)
class ConfidenceSet:
    """The effects that a test does not reject.

    Attributes
    ----------
    pieces : tuple of (float, float)
        Closed intervals in rising order; ends may be infinite. Empty when every effect is rejected.
    level : float
        0 to 1.
    """

    pieces: tuple[tuple[float, float], ...]
    level: float

    @property
    def shape(self) -> Shape:
        """One interval (perhaps with one infinite end), two rays, the whole line, nothing, or several pieces."""
        if not self.pieces:
            return "empty"
        if len(self.pieces) == 1:
            return "line" if all(math.isinf(end) for end in self.pieces[0]) else "interval"
        outer = (self.pieces[0][0], self.pieces[-1][1])
        return "rays" if len(self.pieces) == 2 and all(math.isinf(end) for end in outer) else "pieces"

    def __contains__(self, effect: float) -> bool:
        return any(lower <= effect <= upper for lower, upper in self.pieces)


def partial_out(controls: Array, *columns: Array) -> tuple[Array, ...]:
    """Return what least squares on the controls, shape (n, p), leaves of each array, shape (n,) or (n, q)."""
    kept, back = orthonormal_turn(controls)
    turn = back @ back.T if kept is controls else np.eye(len(back))
    return tuple(column - kept @ (turn @ (kept.T @ column)) for column in columns)


@dataclass(frozen=True)
class Effect:
    """A k-class estimate of one coefficient.

    Attributes
    ----------
    value : float
        Unit of the outcome per unit of the cause.
    residuals, influence : ndarray, shape (n,)
        What the effect leaves of the outcome, and each person's share in the error.
    scale : float
        Inverse of the classical variance over that of the residuals.
    """

    value: float
    residuals: Array
    influence: Array
    scale: float

    def variance(self, errors: Errors, n_coefficients: int, clusters: Codes | None = None) -> float:
        """Return the variance of the effect, unit²; ``clusters`` are codes from zero, for clustered errors."""
        n = len(self.residuals)
        freedom = n - n_coefficients
        if errors == "classical":
            return float(self.residuals @ self.residuals) / freedom / self.scale
        if errors == "hc1":
            return float(self.influence @ self.influence) * n / freedom
        if clusters is None:
            raise ValueError("clustered errors need clusters")
        n_clusters = int(np.count_nonzero(np.bincount(clusters)))
        summed = np.bincount(clusters, weights=self.influence)
        return float(summed @ summed) * n_clusters / (n_clusters - 1) * (n - 1) / freedom


def effect_of(outcome: Array, cause: Array, instruments: Array | None, k: float = 1.0) -> Effect:
    """Return the effect of a cause, all controls taken out of everything.

    Parameters
    ----------
    outcome, cause : ndarray, shape (n,)
        In their units.
    instruments : ndarray, shape (n, L), optional
        What moves the cause from outside; None for least squares.
    k : float
        One for two stages, that of :func:`liml_k` for LIML.
    """
    predicted = cause
    if instruments is not None:
        predicted = instruments @ np.linalg.solve(instruments.T @ instruments, instruments.T @ cause)
    scale = float((1 - k) * (cause @ cause) + k * (predicted @ cause))
    value = float((1 - k) * (cause @ outcome) + k * (predicted @ outcome)) / scale
    residuals = outcome - value * cause
    return Effect(value, residuals, predicted * residuals / scale, scale)


def liml_k(moved: Array, instruments: Array) -> float:
    """Return the k of limited-information maximum likelihood (Anderson and Rubin 1949), one or more.

    Parameters
    ----------
    moved : ndarray, shape (n, 2)
        Outcome and treatment, the controls taken out.
    instruments : ndarray, shape (n, L)
        The controls taken out.
    """
    products = moved.T @ moved
    crossed = instruments.T @ moved
    unexplained = products - crossed.T @ np.linalg.solve(instruments.T @ instruments, crossed)
    return float(linalg.eigh(products, unexplained, eigvals_only=True)[0])


def reduced_forms(
    outcome: Array,
    treatment: Array,
    instruments: Array,
    controls: Array,
    *,
    errors: Errors,
    clusters: Codes | None = None,
) -> ReducedForms:
    """Return both regressions on the instruments.

    Parameters
    ----------
    outcome, treatment : ndarray, shape (n,)
        The treatment may be an amount.
    instruments : ndarray, shape (n, L)
        Together with the controls of full rank.
    controls : ndarray, shape (n, p)
        The constant among them.
    errors : str
        ``classical``; ``hc1``: White's covariance × n / (n - L - p); ``clustered``: summed within clusters,
        × G / (G - 1) × (n - 1) / (n - L - p).
    clusters : ndarray of int, shape (n,), optional
        Codes from zero, for clustered errors.
    """
    n, n_coefficients = len(outcome), instruments.shape[1] + controls.shape[1]
    moved = np.array([outcome, treatment]).T
    left, shifts = partial_out(controls, moved, instruments)
    gram = shifts.T @ shifts
    coefficients = np.asarray(np.linalg.solve(gram, shifts.T @ left), dtype=np.float64)
    residuals = left - shifts @ coefficients
    freedom = float(n - n_coefficients)
    if errors == "classical":
        covariance = np.kron(residuals.T @ residuals / freedom, np.linalg.inv(gram))
    else:
        bread = shifts @ np.linalg.inv(gram)
        scores = np.column_stack([bread * residuals[:, [0]], bread * residuals[:, [1]]])
        scale = n / freedom
        if errors == "clustered":
            if clusters is None:
                raise ValueError("clustered errors need clusters")
            scores = sums_within(scores, clusters)
            scale = len(scores) / (len(scores) - 1) * (n - 1) / freedom
            freedom = float(len(scores) - 1)
        covariance = scale * scores.T @ scores
    return ReducedForms(
        outcome=coefficients[:, 0],
        treatment=coefficients[:, 1],
        covariance=covariance,
        gram=gram,
        treatment_variation=float((left[:, 1] ** 2).sum()),
        degrees_of_freedom=freedom,
    )


def sums_within(rows: Array, codes: Codes) -> Array:
    """Return the sums of the rows, shape (n, k), that share a code from zero; shape (G, k)."""
    return sums_by_group(rows, codes, int(codes.max()) + 1)


def strength(forms: ReducedForms, *, tolerated_bias: float = 0.1) -> Strength:
    """Return how strongly the instruments move the treatment.

    With errors of one variance the effective F equals F; with one instrument it equals F with whichever errors are in
    use. The critical value is the 95th percentile of a noncentral χ² divided by its effective degrees of freedom
    (Montiel Olea and Pflueger 2013, simplified procedure): 23.1 for one instrument and a tolerated bias of a tenth.
    """
    n_instruments, first = forms.n_instruments, forms.treatment
    covariance = forms.covariance[n_instruments:, n_instruments:]
    wald = float(first @ np.linalg.solve(covariance, first))
    statistic = wald / n_instruments
    explained = float(first @ forms.gram @ first)
    root = linalg.sqrtm(forms.gram).real
    spread = root @ covariance @ root
    trace, largest = float(np.trace(spread)), float(np.linalg.eigvalsh(spread)[-1])
    x = 1 / tolerated_bias
    effective = trace**2 * (1 + 2 * x) / (float((spread**2).sum()) + 2 * x * trace * largest)
    return Strength(
        f_statistic=statistic,
        p_value=f_tail(statistic, n_instruments, forms.degrees_of_freedom),
        effective_f=explained / trace,
        critical_value=float(stats.ncx2.ppf(0.95, effective, x * effective)) / effective,
        partial_r_squared=explained / forms.treatment_variation,
    )


def anderson_rubin(forms: ReducedForms, level: float) -> ConfidenceSet:
    """Return the effects that Anderson and Rubin's (1949) test does not reject.

    If the effect were b, the instruments would not move ``outcome - b × treatment``. The test of that is exact with
    normal errors of one variance, and right in large samples with the other errors, however weak the instruments are.

    The statistic depends on the direction (cos t, sin t) of (1, b) only, and infinity is a direction like any other.
    So the half circle is searched instead of the line, and the crossings of the critical value are found by bisection:
    an unbounded set is found as surely as a bounded one.
    """
    limit = f_limit(level, forms.n_instruments, forms.degrees_of_freedom)
    k = forms.n_instruments
    # In units in which outcome and treatment are known equally well, the half circle is searched evenly.
    unit = math.sqrt(float(np.trace(forms.covariance[:k, :k])) / float(np.trace(forms.covariance[k:, k:])))
    scale = np.repeat([1 / unit, 1.0], k)
    q, covariance = np.concatenate([forms.outcome, forms.treatment]) * scale, forms.covariance * np.outer(scale, scale)

    crossed = covariance[:k, k:] + covariance[k:, :k]

    def excess(angles: Array) -> Array:
        cos, sin = np.cos(angles)[:, None], -np.sin(angles)[:, None]
        moved = cos * q[:k] + sin * q[k:]
        squares = (cos**2)[:, :, None] * covariance[:k, :k] + (sin**2)[:, :, None] * covariance[k:, k:]
        spread = squares + (cos * sin)[:, :, None] * crossed
        result: Array = (moved * np.linalg.solve(spread, moved[:, :, None])[:, :, 0]).sum(axis=1) / k - limit
        return result

    def at(angle: float) -> float:
        return float(excess(np.array([angle]))[0])

    roots = _crossings(excess, at)
    if not roots:
        return ConfidenceSet(((-math.inf, math.inf),) if at(0.0) <= 0 else (), level)
    pieces = []
    edges = [-math.pi / 2, *roots, math.pi / 2]
    for start, end in pairwise(edges):
        if at((start + end) / 2) <= 0:
            pieces.append(
                (
                    -math.inf if start == edges[0] else unit * math.tan(start),
                    math.inf if end == edges[-1] else unit * math.tan(end),
                )
            )
    return ConfidenceSet(tuple(pieces), level)


def anderson_rubin_p_values(forms: ReducedForms, effects: Array) -> Array:
    """Return the p-value of Anderson and Rubin's test for each effect, shape (m,) as ``effects``; 0 to 1."""
    k = forms.n_instruments
    outcome, treatment = forms.covariance[:k, :k], forms.covariance[k:, k:]
    crossed = forms.covariance[:k, k:] + forms.covariance[k:, :k]
    found = []
    for effect in effects:
        moved = forms.outcome - effect * forms.treatment
        spread = outcome - effect * crossed + effect**2 * treatment
        statistic = float(moved @ np.linalg.solve(spread, moved)) / k
        found.append(f_tail(statistic, k, forms.degrees_of_freedom))
    return np.array(found)


def _crossings(excess: Callable[[Array], Array], at: Callable[[float], float]) -> list[float]:
    """Return where a smooth function of an angle, with period π, changes sign between -π/2 and π/2.

    ``excess`` takes many angles, ``at`` one.
    """
    grid = np.linspace(-math.pi / 2, math.pi / 2, _DIRECTIONS + 1)
    values = excess(grid)
    # A set narrower than the grid shows as a low point above zero: look for its bottom.
    low = [
        position
        for position in range(1, _DIRECTIONS)
        if 0 < values[position] <= min(values[position - 1], values[position + 1])
    ]
    for position in low:
        found = optimize.minimize_scalar(at, bounds=(grid[position - 1], grid[position + 1]), method="bounded")
        if found.fun < 0:
            grid, values = np.append(grid, found.x), np.append(values, found.fun)
    order = np.argsort(grid)
    grid, values = grid[order], values[order]
    return [
        float(optimize.brentq(at, grid[position], grid[position + 1], xtol=1e-15))
        for position in np.flatnonzero(np.signbit(values[:-1]) != np.signbit(values[1:]))
    ]
