"""Effects under other assignments, all assignments of a batch at once, and the p-value that follows from them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]
Alternative = Literal["two-sided", "greater", "less"]

# Effects that differ by less than this, relative to the observed one, are ties that differ by rounding only.
_TIE = 1e-10


def differences(
    assignments: Booleans, outcome: Array, weights: Array | None = None, strata: Codes | None = None
) -> Array:
    """Return the difference in means under each assignment, within strata and weighted by their size, shape (r,).

    Parameters
    ----------
    assignments : ndarray of bool, shape (r, n)
        One assignment per row; both arms occur in each stratum.
    outcome, weights : ndarray, shape (n,)
        Outcome, and weight of each person.
    strata : ndarray of int, shape (n,), optional
        Codes from zero.
    """
    weight = np.ones(len(outcome)) if weights is None else weights
    codes = np.zeros(len(outcome), dtype=np.int64) if strata is None else strata
    member = (codes[:, None] == np.unique(codes)[None, :]) * weight[:, None]
    chosen = assignments.astype(np.float64)
    size, total = member.sum(axis=0), (member * outcome[:, None]).sum(axis=0)
    size_treated, total_treated = chosen @ member, chosen @ (member * outcome[:, None])
    gap = total_treated / size_treated - (total - total_treated) / (size - size_treated)
    result: Array = gap @ (size / size.sum())
    return result


def adjusted_pooled(assignments: Booleans, outcome: Array, controls: Array, weights: Array | None = None) -> Array:
    """Return the coefficient of treatment beside controls without interactions (ANCOVA), per assignment, shape (r,).

    ``controls`` has shape (n, q), without the constant.
    """
    root = np.ones(len(outcome)) if weights is None else np.sqrt(weights)
    basis = np.linalg.qr(root[:, None] * np.column_stack([np.ones(len(outcome)), controls]))[0]
    rest = root * outcome
    rest = rest - basis @ (basis.T @ rest)
    scaled = assignments * root
    result: Array = (scaled @ rest) / (np.einsum("ij,ij->i", scaled, scaled) - ((scaled @ basis) ** 2).sum(axis=1))
    return result


def adjusted_by_arm(assignments: Booleans, outcome: Array, controls: Array, weights: Array | None = None) -> Array:
    """Return Lin's (2013) interacted estimate under each assignment, shape (r,).

    ``controls`` has shape (n, q), centred at their (weighted) mean: then the effect is the difference of the two arms'
    intercepts.
    """
    weight = np.ones(len(outcome)) if weights is None else weights
    matrix = np.column_stack([np.ones(len(outcome)), controls])
    n, k = matrix.shape
    squares = (weight[:, None, None] * matrix[:, :, None] * matrix[:, None, :]).reshape(n, k * k)
    products = (weight * outcome)[:, None] * matrix
    chosen = assignments.astype(np.float64)
    intercepts = []
    for share in (chosen, 1.0 - chosen):
        # A pseudo-inverse, since a rare trait may be absent from an arm in some assignments.
        inverse = np.linalg.pinv((share @ squares).reshape(-1, k, k), rcond=1e-12, hermitian=True)
        intercepts.append(np.einsum("rj,rj->r", inverse[:, 0, :], share @ products))
    result: Array = intercepts[0] - intercepts[1]
    return result


def imbalance(assignments: Booleans, covariates: Array, strata: Codes | None = None) -> Array:
    """Return how well the covariates jointly tell the arms apart under each assignment, shape (r,).

    The squared length of the assignment's projection on the covariates, within strata: the omnibus statistic of Hansen
    and Bowers (2008) up to a factor that is the same for all assignments. ``covariates`` has shape (n, q).
    """
    codes = np.zeros(len(covariates), dtype=np.int64) if strata is None else strata
    member = (codes[:, None] == np.unique(codes)[None, :]).astype(np.float64)
    within = covariates - member @ ((member.T @ covariates) / member.sum(axis=0)[:, None])
    scale = np.linalg.norm(within, axis=0)
    left, sizes, _ = np.linalg.svd(within[:, scale > 0] / scale[scale > 0], full_matrices=False)
    basis = left[:, sizes > 1e-9 * max(1.0, float(sizes.max(initial=0.0)))]
    result: Array = ((assignments.astype(np.float64) @ basis) ** 2).sum(axis=1)
    return result


def p_value(observed: float, permuted: Array, *, is_exact: bool, alternative: Alternative = "two-sided") -> float:
    """Return the share of assignments that give an effect at least as extreme as the observed one.

    When ``permuted`` holds all assignments (the observed one among them) the share is exact. For a random sample the
    observed assignment is counted in: (r + 1) / (n + 1), which never is zero (Phipson and Smyth 2010).
    """
    margin = _TIE * max(abs(observed), float(np.abs(permuted).max(initial=0.0)))
    if alternative == "two-sided":
        extreme = np.abs(permuted) >= abs(observed) - margin
    elif alternative == "greater":
        extreme = permuted >= observed - margin
    else:
        extreme = permuted <= observed + margin
    r, n = int(extreme.sum()), len(permuted)
    return r / n if is_exact else (r + 1) / (n + 1)
