"""The wild cluster bootstrap with the null imposed: a test that can be trusted with few clusters, and its inversion.

Under the effect in question the residuals of each cluster keep their size and pattern and get a random sign (or one of
Webb's six factors); the statistic is computed again for each draw (Cameron, Gelbach and Miller 2008). All that a draw
needs are sums within clusters, and these are linear in the effect in question (Roodman and others 2019). So the draws
are summed up once, and any effect can be asked about at the cost of a few vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

# Below this many clusters signs give fewer than 2,048 distinct statistics, so Webb's six factors are drawn instead.
FEWEST_FOR_SIGNS = 12
# Up to this many combinations of signs all are listed.
EXACT_LIMIT = 20_000
N_DRAWS = 9_999
_WEBB = np.sqrt(np.array([0.5, 1.0, 1.5]))
# Cells of one batch (draws × clusters).
_BATCH_CELLS = 2_000_000
# Statistics that differ by less than this share are ties that differ by rounding only.
_TIE = 1e-9
# How far from the estimate, in standard errors, an end of the interval is looked for.
_FARTHEST = 1e4
_BISECTIONS = 60


@dataclass(frozen=True)
class Multipliers:
    """The factors of the clusters' residuals.

    Attributes
    ----------
    values : ndarray, shape (r, G)
        One draw per row.
    is_exact : bool
        The rows are all combinations, the one that changes nothing among them.
    """

    values: Array
    is_exact: bool


def multipliers(n_clusters: int, generator: np.random.Generator, n: int = N_DRAWS) -> Multipliers:
    """Return factors for the clusters: Webb's six below twelve clusters, else signs, all of them when they are few.

    Parameters
    ----------
    n_clusters : int
        G, at least two.
    generator : numpy Generator
        Draws, unless all combinations are listed.
    n : int
        Number of draws.
    """
    if n_clusters < FEWEST_FOR_SIGNS:
        values = np.concatenate([-_WEBB[::-1], _WEBB])
        return Multipliers(generator.choice(values, size=(n, n_clusters)), is_exact=False)
    if 2**n_clusters <= EXACT_LIMIT:
        return Multipliers(every_sign(n_clusters), is_exact=True)
    return Multipliers(generator.choice(np.array([-1.0, 1.0]), size=(n, n_clusters)), is_exact=False)


def every_sign(n_clusters: int) -> Array:
    """Return every combination of signs, shape (2 ** G, G), the one without a change of sign first."""
    bits = np.arange(2**n_clusters)[:, None] >> np.arange(n_clusters)[None, :]
    result: Array = 1.0 - 2.0 * (bits & 1).astype(np.float64)
    return result


@dataclass(frozen=True)
class WildBootstrap:
    """A bootstrapped test that can be asked about any effect.

    With d the distance of that effect from the estimate, the observed and the drawn t statistics have the numerators
    ``start - d * slope`` and the squared denominators ``squares[0] - 2 d squares[1] + d² squares[2]``; the first
    element of each array belongs to the observed one.

    Attributes
    ----------
    value, std_error : float
        The estimate and its clustered standard error (CR1).
    start, slope : ndarray, shape (r + 1,)
        See above.
    squares : ndarray, shape (3, r + 1)
        See above.
    is_exact : bool
        All combinations of signs were tried, so that the share of draws is the p-value.
    """

    value: float
    std_error: float
    start: Array
    slope: Array
    squares: Array
    is_exact: bool

    def statistics(self, effect: float) -> Array:
        """Return the drawn t statistics when the effect is as said, shape (r,), without the observed one."""
        numerator, denominator = self._fractions(effect - self.value)
        result: Array = numerator[1:] / np.sqrt(denominator[1:])
        return result

    def p_value(self, effect: float = 0.0) -> float:
        """Return how often a draw is at least as far from the effect as the estimate is, two-sided.

        Among all combinations of signs the observed one counts itself; for random draws it is counted in:
        (r + 1) / (n + 1).
        """
        return self._p_value_at(effect - self.value)

    def interval(self, level: float) -> tuple[float, float] | None:
        """Return the effects that are not rejected, from the lowest to the highest; None when they know no bound."""
        ends = [self._end(sign, 1 - level) for sign in (-1.0, 1.0)]
        return None if ends[0] is None or ends[1] is None else (self.value + ends[0], self.value + ends[1])

    def _fractions(self, distance: float) -> tuple[Array, Array]:
        numerator = self.start - distance * self.slope
        squares: Array = self.squares[0] - 2 * distance * self.squares[1] + distance**2 * self.squares[2]
        return numerator, np.maximum(squares, 0.0)

    def _p_value_at(self, distance: float) -> float:
        numerator, squares = self._fractions(distance)
        # Multiplied across, so that a draw without spread counts as infinitely far.
        drawn, observed = numerator[1:] ** 2 * squares[0], numerator[0] ** 2 * squares[1:]
        extreme = int((drawn >= observed * (1 - _TIE)).sum())
        return extreme / len(drawn) if self.is_exact else (extreme + 1) / (len(drawn) + 1)

    def _end(self, sign: float, significance: float) -> float | None:
        """Return the distance from the estimate at which the p-value falls below the significance for good."""
        steps = sign * self.std_error * np.concatenate([[0.0], np.geomspace(0.05, _FARTHEST, 150)])
        kept = [self._p_value_at(step) > significance for step in steps]
        if kept[-1]:
            return None
        last = int(np.flatnonzero(kept)[-1])
        inside, outside = float(steps[last]), float(steps[last + 1])
        for _ in range(_BISECTIONS):
            middle = (inside + outside) / 2
            if self._p_value_at(middle) > significance:
                inside = middle
            else:
                outside = middle
        return outside


def wild_bootstrap(
    outcome: Array,
    shift: Array,
    matrix: Array,
    column: int,
    codes: Codes,
    drawn: Multipliers,
    weights: Array | None = None,
) -> WildBootstrap:
    """Return the restricted wild cluster bootstrap of a (weighted) least-squares coefficient.

    The null hypothesis is that the coefficient is zero in the regression of ``outcome - effect * shift``. When the
    shift is the regressor itself, that is the usual test of its coefficient. When it is the treatment taken and the
    regressor is the offer, it is the test of Anderson and Rubin (1949) of the effect on compliers, which holds however
    few the offer moved.

    Parameters
    ----------
    outcome, shift : ndarray, shape (n,)
        See above.
    matrix : ndarray, shape (n, k)
        Regressors, of full column rank.
    column : int
        The regressor that is tested.
    codes : ndarray of int, shape (n,)
        Cluster of each row, from zero.
    drawn : Multipliers
        For these clusters, in the order of their codes.
    weights : ndarray, shape (n,), optional
        Of the rows.

    Raises
    ------
    ZeroDivisionError
        The regressor does not move the shift at all.
    """
    root = np.ones(len(outcome)) if weights is None else np.sqrt(weights)
    full, both = root[:, None] * matrix, root[:, None] * np.column_stack([outcome, shift])
    others = np.linalg.qr(np.delete(full, column, axis=1))[0]
    tested = full[:, column] - others @ (others.T @ full[:, column])
    load = tested / (tested @ tested)
    left = both - others @ (others.T @ both)
    moved = load @ left
    if abs(moved[1]) <= 1e-12 * float(np.abs(shift).max(initial=0.0)) or not np.abs(shift).any():
        raise ZeroDivisionError("The regressor does not move the shift.")
    value = float(moved[0] / moved[1])
    left = np.column_stack([left[:, 0] - value * left[:, 1], left[:, 1]])
    n_clusters, n, k = int(codes.max()) + 1, len(outcome), matrix.shape[1]
    own = _sums(load[:, None] * left, codes, n_clusters)
    spill = _sums(load[:, None] * full, codes, n_clusters) @ np.linalg.inv(full.T @ full)
    cross = [_sums(full * left[:, [part]], codes, n_clusters) for part in (0, 1)]
    start, slope, squares = [], [], []
    for batch in _batches(drawn.values):
        scores = [batch * own[:, part] - (batch @ cross[part]) @ spill.T for part in (0, 1)]
        start.append(batch @ own[:, 0])
        slope.append(batch @ own[:, 1])
        pairs = ((0, 0), (0, 1), (1, 1))
        squares.append(np.array([np.einsum("rg,rg->r", scores[one], scores[two]) for one, two in pairs]))
    correction = n_clusters / (n_clusters - 1) * (n - 1) / (n - k)
    every = correction * np.concatenate(squares, axis=1)
    return WildBootstrap(
        value=value,
        std_error=float(np.sqrt(every[0, 0])) / abs(float(moved[1])),
        start=np.concatenate(start),
        slope=np.concatenate(slope),
        squares=every,
        is_exact=drawn.is_exact,
    )


def _batches(values: Array) -> Iterator[Array]:
    """Give the draws in batches, the one that changes nothing before all others."""
    yield np.ones((1, values.shape[1]))
    size = max(1, _BATCH_CELLS // values.shape[1])
    for first in range(0, len(values), size):
        yield values[first : first + size]


def _sums(rows: Array, codes: Codes, n_clusters: int) -> Array:
    """Return sums within clusters, shape (G, columns)."""
    result = np.zeros((n_clusters, rows.shape[1]))
    np.add.at(result, codes, rows)
    return result
