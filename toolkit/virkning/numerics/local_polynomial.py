"""Polynomials fitted near a point: what a curve's value and its slopes are just there, and how uncertain they are.

All persons stand on one side of the point, nearest first, so that whoever is within a bandwidth is a leading slice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .neighbours import Neighbours

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Kernel = Literal["triangular", "epanechnikov", "uniform"]
Errors = Literal["nearest_neighbour", "hc1", "hc2", "hc3", "clustered"]

# A share below this is a zero that was rounded.
_NOTHING = 1e-9


@dataclass(frozen=True)
class Side:
    """The persons on one side of the point.

    Attributes
    ----------
    position : ndarray, shape (n,)
        Where each stands, in the running variable's unit; sorted by distance from the point, nearest first.
    offset : ndarray, shape (n,)
        The same, counted from the point; all of one sign or zero.
    values : ndarray, shape (n, m)
        Outcomes whose curves are fitted: the outcome, then the treatment taken and covariates where there are any.
    clusters : ndarray of int, shape (n,), optional
        Which persons belong together.
    order : ndarray of int, shape (n,)
        Place of each person in the order in which the caller gave them.
    """

    position: Array
    offset: Array
    values: Array
    clusters: Codes | None
    order: Codes

    @classmethod
    def of(cls, position: Array, point: float, values: Array, clusters: Codes | None, members: Codes) -> Side:
        """Return the persons ``members`` of the whole sample, sorted by their distance from the point."""
        offset = position[members] - point
        order = members[np.argsort(np.abs(offset))]
        return cls(
            position=position[order],
            offset=position[order] - point,
            values=values[order],
            clusters=None if clusters is None else clusters[order],
            order=order,
        )

    def __len__(self) -> int:
        return len(self.offset)

    @cached_property
    def distance(self) -> Array:
        """How far from the point each stands, in rising order."""
        return np.abs(self.offset)

    @property
    def farthest(self) -> float:
        """Distance of the person who stands farthest away."""
        return float(self.distance[-1])

    @cached_property
    def neighbours(self) -> Neighbours:
        """Who stands nearest to whom."""
        return Neighbours.of(self.position)

    @cached_property
    def distinct_distances(self) -> Array:
        """Return the distances that occur, each once, in rising order."""
        return self.distance[np.r_[True, self.distance[1:] != self.distance[:-1]]]

    def n_within(self, bandwidth: float, kernel: Kernel) -> int:
        """Return how many persons have a weight; at the edge itself only the uniform kernel gives one."""
        edge: Literal["right", "left"] = "right" if kernel == "uniform" else "left"
        return int(np.searchsorted(self.distance, bandwidth, side=edge))


@dataclass(frozen=True)
class LocalFit:
    """A polynomial of order o, fitted to the n persons within a bandwidth.

    Distances are counted in bandwidths: the coefficient of power j is that of the unscaled polynomial times the
    bandwidth to the power j, which keeps the sums well conditioned however wide the bandwidth.

    Attributes
    ----------
    bandwidth : float
        In the running variable's unit.
    basis, weighted : ndarray, shape (n, o + 1)
        Powers of the scaled distance, and the same times the kernel's weight.
    inverse : ndarray, shape (o + 1, o + 1)
        Of the weighted cross product of the basis.
    coefficients : ndarray, shape (o + 1, m)
        One column per fitted outcome.
    drift : ndarray, shape (o + 1,)
        What one unit of the first power left out adds to each coefficient: how curvature becomes bias.
    """

    bandwidth: float
    basis: Array = field(repr=False)
    weighted: Array = field(repr=False)
    inverse: Array
    coefficients: Array
    drift: Array

    @property
    def n(self) -> int:
        """Persons with a weight."""
        return len(self.basis)

    @property
    def order(self) -> int:
        """Highest power."""
        return len(self.inverse) - 1

    def shares(self, power: int) -> Array:
        """Return how much each outcome counts in the coefficient of a power, shape (n,)."""
        result: Array = self.weighted @ self.inverse[:, power]
        return result

    def leverage(self) -> Array:
        """Return how much each outcome counts in its own fitted value, shape (n,)."""
        result: Array = np.einsum("ij,ij->i", self.basis @ self.inverse, self.weighted)
        return result


def kernel_weights(scaled: Array, kernel: Kernel) -> Array:
    """Return the weight at each distance, counted in bandwidths, up to a constant factor; shape as given."""
    if kernel == "uniform":
        return (np.abs(scaled) <= 1).astype(np.float64)
    fall = np.abs(scaled) if kernel == "triangular" else scaled**2
    result: Array = np.maximum(1 - fall, 0.0)
    return result


def fit_local(side: Side, bandwidth: float, order: int, kernel: Kernel) -> LocalFit:
    """Fit a weighted polynomial to the persons within a bandwidth.

    Parameters
    ----------
    side : Side
        Persons on one side of the point.
    bandwidth : float
        In the running variable's unit, above zero.
    order : int
        Highest power.
    kernel : str
        How weight falls with distance.

    Raises
    ------
    numpy.linalg.LinAlgError
        There are too few different distances within the bandwidth.
    """
    n = side.n_within(bandwidth, kernel)
    if not has_different_distances(side, n, order + 1):
        raise np.linalg.LinAlgError("too few different distances")
    scaled = side.offset[:n] / bandwidth
    basis: Array = np.empty((n, order + 1), order="F")
    basis[:, 0] = 1.0
    for power in range(order):
        np.multiply(basis[:, power], scaled, out=basis[:, power + 1])
    weighted = basis * kernel_weights(scaled, kernel)[:, None]
    cross = basis.T @ weighted
    if np.linalg.cond(cross) > 1 / _NOTHING**1.5:
        raise np.linalg.LinAlgError("the distances are almost too few")
    inverse = np.asarray(np.linalg.inv(cross), dtype=np.float64)
    return LocalFit(
        bandwidth=bandwidth,
        basis=basis,
        weighted=weighted,
        inverse=inverse,
        coefficients=inverse @ (weighted.T @ side.values[:n]),
        drift=inverse @ (weighted.T @ (basis[:, -1] * scaled)),
    )


def has_different_distances(side: Side, n: int, least: int) -> bool:
    """Tell whether there are at least ``least`` different distances among the ``n`` persons who stand nearest."""
    steps = side.distance[1:n] != side.distance[: max(n - 1, 0)]
    return n > 0 and 1 + int(np.count_nonzero(steps)) >= least


def scores(side: Side, fit: LocalFit, shares: Array, mix: Array, errors: Errors, n_window: int) -> Array:
    """Return each person's share in the error of a linear estimate; their squares, or cluster sums, give its variance.

    Parameters
    ----------
    side : Side
        The persons.
    fit : LocalFit
        The polynomial whose residuals are taken; not used by the nearest neighbours.
    shares : ndarray, shape (k,)
        How much each of the k nearest persons' outcomes counts in the estimate.
    mix : ndarray, shape (m,)
        How the side's values are added up to the one whose error is asked for.
    errors : str
        How the spread at each place is measured.
    n_window : int
        Persons among whom neighbours are looked for, and whom the corrections for small samples count.

    Raises
    ------
    numpy.linalg.LinAlgError
        There are too few persons or clusters to see a spread.
    """
    k = len(shares)
    mixed = side.values[:n_window] @ mix
    if errors == "nearest_neighbour":
        return shares * side.neighbours.residuals(mixed)[:k]
    scaled = side.offset[:k] / fit.bandwidth
    residual = mixed[:k] - np.polynomial.polynomial.polyval(scaled, fit.coefficients @ mix)
    left_over = n_window - fit.order - 1
    if left_over < 1:
        raise np.linalg.LinAlgError("no spread is left")
    if errors == "hc1":
        residual *= np.sqrt(n_window / left_over)
    elif errors == "clustered" and side.clusters is not None:
        n_clusters = len(np.unique(side.clusters[:n_window]))
        if n_clusters < 2:
            raise np.linalg.LinAlgError("one cluster has no spread")
        residual *= np.sqrt((n_window - 1) / left_over * n_clusters / (n_clusters - 1))
    elif errors in ("hc2", "hc3"):
        kept = 1 - fit.leverage()[:k]
        if kept.min() < _NOTHING:
            raise np.linalg.LinAlgError("a person has a coefficient of his own")
        residual[: len(kept)] /= np.sqrt(kept) if errors == "hc2" else kept
    return shares * residual


def summed_square(found: Array, clusters: Codes | None) -> float:
    """Return the variance that scores give: the sum of their squares, of persons or of whole clusters.

    Parameters
    ----------
    found : ndarray, shape (n,)
        From :func:`scores`.
    clusters : ndarray of int, shape (n,), optional
        Which persons belong together, from 0 on.
    """
    whole = found if clusters is None else np.bincount(clusters, found)
    return float(np.sum(whole**2))
