"""From persons who were followed to the fitted effects: a value for each person, and the comparison of the groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import DesignError
from ...numerics import survival
from ..assembly import Term
from ..degrees_of_freedom import LARGE_SAMPLE, Rule
from ..regression import Estimator as AnyEstimator
from ..regression import Sample, StandardErrors, fit, refuse_impossible
from ..remembered import remembered
from .follow_up import Followed

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]
Estimator = Literal["difference_in_means", "ancova", "lin"]

GREENWOOD = "greenwood"
# With fewer events than this in a group, normal approximations are rough.
_FEW_EVENTS = 10
# Below about this many clusters their covariance is known to be too small (Cameron, Gelbach and Miller 2008).
_MANY_CLUSTERS = 40
NO_SPREAD = "so there is no spread to judge a difference by."


@dataclass(frozen=True)
class Compared:
    """The persons whom an estimate rests on, as arrays.

    Attributes
    ----------
    value : ndarray, shape (n,)
        What each contributes, in the outcome's unit; where persons were lost, a pseudo-value.
    influence : ndarray, shape (n,), or None
        Each person's share in the error of the own group's mean; None when the values are what was measured.
    treated : ndarray of bool, shape (n,)
        Who was offered the programme.
    covariates : ndarray, shape (n, p), with ``names`` of length p
        Traits from before the start.
    clusters : ndarray of int, shape (n,), or None
        Codes from zero.
    """

    value: Array
    influence: Array | None
    treated: Booleans
    covariates: Array
    names: tuple[str, ...]
    clusters: Codes | None

    @property
    def errors(self) -> StandardErrors:
        """How regressions measure uncertainty."""
        return "hc2" if self.clusters is None else "clustered"

    @property
    def sample(self) -> Sample:
        """The persons for a regression."""
        return Sample(self.value, self.treated, self.covariates, self.names, clusters=self.clusters)


def contributions(followed: Followed, *, counts_time: bool) -> tuple[Array, Array]:
    """Return each person's pseudo-value and share in the error, made within the own group; two of shape (n,).

    Parameters
    ----------
    followed : Followed
        Some persons in both groups.
    counts_time : bool
        The time without the event up to the horizon; otherwise whether it happened by then.
    """
    time, cause, horizon = followed.time, followed.cause, followed.horizon
    endings = remembered("endings", None, (time, cause), lambda: survival.Endings.of(time, cause))
    group = followed.treated.astype(np.int64)

    def gain(times: Array) -> Array:
        return np.maximum(horizon - times, 0.0) if counts_time else (times <= horizon).astype(np.float64)

    values, influences = [], []
    for mean, n in zip(endings.means(group, gain), np.bincount(group), strict=True):
        value, influence = (horizon - mean.value, -mean.influence) if counts_time else (mean.value, mean.influence)
        values.append(value + n * influence)
        influences.append(influence)
    place = len(values[0]) * group + endings.code
    return np.concatenate(values)[place], np.concatenate(influences)[place]


def term_name(estimator: Estimator, compared: Compared) -> str:
    """Return what a row of the effects is called: the estimator, and how its error is measured."""
    is_greenwood = estimator == "difference_in_means" and compared.influence is not None and compared.clusters is None
    return f"{estimator}, {GREENWOOD if is_greenwood else compared.errors}"


def fit_or_reason(compared: Compared, estimator: Estimator, rule: Rule) -> tuple[Term | None, str]:
    """Return the fitted term, or why these persons' outcomes do not allow it.

    Parameters
    ----------
    compared : Compared
        At least two persons in both groups.
    estimator : str
        difference_in_means, ancova or lin.
    rule : str
        How degrees of freedom are counted.
    """
    term: Term
    if term_name(estimator, compared).endswith(GREENWOOD):
        term = _difference(compared)
    else:
        adjusted: AnyEstimator = estimator
        try:
            refuse_impossible(compared.sample, adjusted, compared.errors)
        except DesignError:
            return None, "Among those with this outcome, its covariates do not determine the effect."
        term = fit(compared.sample, adjusted, compared.errors, rule=rule)
    if term.std_error > 1e-10 * float(np.abs(compared.value).max()):
        return term, ""
    return None, f"Within the groups this outcome does not vary, {NO_SPREAD}"


def _difference(compared: Compared) -> Term:
    """Return the difference of the groups' estimates with the variance that belongs to the curves."""
    own = np.zeros(len(compared.value)) if compared.influence is None else compared.influence
    influence = np.where(compared.treated, own, -own)
    # Rows by number are read off quicker than rows by yes and no.
    one, zero = (compared.value[np.flatnonzero(arm)] for arm in (compared.treated, ~compared.treated))
    return Term(
        name=term_name("difference_in_means", compared),
        value=float(one.mean() - zero.mean()),
        std_error=float(np.sqrt((influence**2).sum())),
        degrees_of_freedom=LARGE_SAMPLE.count,
        rule=LARGE_SAMPLE.words,
        influence=influence,
    )


def warnings_of(followed: Followed | None, compared: Compared) -> list[str]:
    """Return what the reader must know before believing the estimate; no count of persons is told.

    Parameters
    ----------
    followed : Followed, optional
        None when the outcome is not about a duration.
    compared : Compared
        The same persons.
    """
    found = []
    if followed is not None:
        time, cause = followed.by_horizon
        if ((cause == survival.LOST) & (time < followed.horizon)).any():
            found.append(
                "Some persons could not be followed to the horizon. The estimate takes it that they would have fared "
                "like those of their group who could; if they dropped out because of how they fared, it is biased."
            )
        if (followed.time == 0).any():
            found.append("For some persons the time is zero: something happened, or they were lost, at the very start.")
        happened = cause == survival.EVENT
        events = [int((happened & side).sum()) for side in (followed.treated, ~followed.treated)]
        if min(events) < _FEW_EVENTS:
            found.append(
                "In at least one of the groups hardly anybody had the event by the horizon, so intervals are rough."
            )
    if compared.clusters is not None and len(np.unique(compared.clusters)) < _MANY_CLUSTERS:
        found.append(
            f"There are fewer than about {_MANY_CLUSTERS} clusters; clustered standard errors then tend to be too "
            "small."
        )
    return found
