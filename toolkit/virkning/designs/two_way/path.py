"""The gap between two groups in every period, and whether it was already opening before the start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...numerics.joint_test import JointTest, all_zero
from ...numerics.within import sums_by_group
from ..assembly import Term
from ..degrees_of_freedom import Rule
from ..steps import EVENT
from .fits import Estimator, Observed, StandardErrors, fit_or_none

Array = NDArray[np.float64]

_SURPRISING = 0.05


@dataclass(frozen=True)
class GapPath:
    """The gap between the groups in each period but one, less their gap in that one.

    Attributes
    ----------
    base : int
        Code of the period that the others are measured from.
    codes : tuple of int
        Codes of the other periods, in the order of time.
    terms : tuple of Term
        The gaps, in the same order; empty when they cannot be had.
    reason : str
        Why there are none, as a sentence; empty when there are, or when no path was to be expected.
    n_leads : int
        How many of them lie before the start; these come first unless the base period is an early one.
    test : JointTest, optional
        That all gaps before the start are zero; None when there are none, or too few independent units to test them.
    """

    base: int = 0
    codes: tuple[int, ...] = ()
    terms: tuple[Term, ...] = ()
    reason: str = ""
    n_leads: int = 0
    test: JointTest | None = None

    @property
    def is_apart(self) -> bool:
        """Whether the groups moved apart before the start, by the joint test at 5%."""
        return self.test is not None and self.test.p_value < _SURPRISING


def gap_path(
    observed: Observed, base_period: str | None, estimator: Estimator, errors: StandardErrors, rule: Rule
) -> GapPath:
    """Return the path; without terms when there are only two periods, or the reason why it cannot be had.

    Parameters
    ----------
    observed : Observed
        The outcomes.
    base_period : str, optional
        Period from which the path is measured; by default the last before the start.
    estimator, errors, rule
        As for the headline.
    """
    if len(observed.periods) <= 2:
        return GapPath()
    base = base_period or observed.periods[observed.n_before - 1]
    if base not in observed.periods:
        return GapPath(reason=f"The path is left out: this outcome was not measured in its base period {base}.")
    place = observed.periods.index(base)
    codes = tuple(code for code in range(len(observed.periods)) if code != place)
    names = tuple(f"{EVENT}, {observed.periods[code]}" for code in codes)
    terms = fit_or_none(observed, _effects(observed, codes), estimator, errors, names, rule)
    if not terms:
        return GapPath(reason="The path is left out: these outcomes do not determine it, or show no spread.")
    leads = [term for term, code in zip(terms, codes, strict=True) if code < observed.n_before]
    return GapPath(place, codes, tuple(terms), "", len(leads), _joint_test(leads, observed))


def _effects(observed: Observed, codes: tuple[int, ...]) -> Array:
    """Return one column for each of these periods: what the treated have in every period; shape (periods, codes)."""
    effects: Array = np.eye(len(observed.periods))[:, list(codes)]
    return effects


def _joint_test(leads: list[Term], observed: Observed) -> JointTest | None:
    if not leads:
        return None
    shares = np.column_stack([term.influence for term in leads])
    summed = sums_by_group(shares, observed.clusters, int(observed.clusters.max()) + 1)
    cross = summed.T @ summed
    scale = np.array([term.std_error for term in leads]) / np.sqrt(np.diag(cross))
    freedom = leads[0].degrees_of_freedom
    return all_zero(np.array([term.value for term in leads]), cross * np.outer(scale, scale), freedom)


def path_warnings(path: GapPath, observed: Observed) -> list[str]:
    """Return what the periods before the start tell a reader of the estimate."""
    warnings = []
    if observed.n_before == 1:
        warnings.append(
            "There is only one period before the start, so these data cannot show whether the groups were moving alike."
        )
    if path.reason:
        warnings.append(path.reason)
    if path.n_leads and path.test is None:
        warnings.append("There are too few independent units to test whether the groups moved alike before the start.")
    if path.is_apart:
        warnings.append(
            "Before the start the two groups did not move alike (the joint test of all earlier periods rejects at 5%), "
            "so the estimate may show a difference that was already on its way."
        )
    return warnings
