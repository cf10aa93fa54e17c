"""The terms of a randomised trial: the effect of the offer, on compliers, and of each arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DesignError, EstimationError
from ...estimates import Estimate
from ...numerics.wild_bootstrap import multipliers, wild_bootstrap
from ..assembly import Term
from ..degrees_of_freedom import Rule
from ..regression import (
    TREATMENT,
    Array,
    Booleans,
    Estimator,
    Sample,
    StandardErrors,
    controls_of,
    fit,
    matrix_of,
    refuse_impossible,
)

COMPLIERS = "compliers"
# Errors that linearmodels has for two-stage least squares.
_OF_TWO_STAGES = {"classical": "unadjusted", "hc1": "robust", "clustered": "clustered"}
_FROM_BOOTSTRAP = "the number of clusters minus one; interval and p-value come from the wild bootstrap instead"
_UNBOUNDED = "With so few clusters the wild bootstrap rules out no effect, however large, so there is no interval."


@dataclass(frozen=True)
class Settings:
    """What all terms of one estimate share.

    Attributes
    ----------
    rule : str
        How degrees of freedom are counted.
    level : float
        Of the intervals, 0 to 1.
    seed : int
        Start of the bootstrap's draws.
    """

    rule: Rule = "standard"
    level: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class OwnTerm(Term):
    """A term with an interval of its own, or about some of the persons only.

    Attributes
    ----------
    bounds : tuple of float, optional
        Ends of the interval, in the outcome's unit.
    p_value : float, optional
        Goes with the bounds.
    n_treated : int, optional
        Persons offered that this term is about, when not all of them are.
    """

    bounds: tuple[float, float] | None = None
    p_value: float | None = None
    n_treated: int | None = None


def fit_offer(sample: Sample, estimator: Estimator, errors: StandardErrors, settings: Settings) -> Term:
    """Return the effect of the offer.

    Parameters
    ----------
    sample, estimator, errors
        As for :func:`virkning.designs.regression.fit`.
    settings : Settings
        Rule, level and seed.

    Raises
    ------
    EstimationError
        The wild bootstrap gives no bounded interval.
    """
    term = fit(sample, estimator, errors, rule=settings.rule)
    if errors != "wild_bootstrap":
        return term
    return _bootstrapped(term, sample, estimator, sample.treated.astype(np.float64), settings)


def fit_compliers(sample: Sample, estimator: Estimator, errors: StandardErrors, settings: Settings) -> Term:
    """Return the effect of taking part on those who do so because of the offer.

    The effect of the offer on the outcome over its effect on taking part: two-stage least squares with the regression
    of the headline (Angrist, Imbens and Rubin 1996). linearmodels fits it. Errors that it lacks (HC2, HC3, CR2, pairs)
    are those of the offer's effect on ``outcome - effect * taken``, over the effect on taking part: the same residuals.
    The wild bootstrap tests that this effect is zero, which holds however few the offer moved.

    Raises
    ------
    EstimationError
        The wild bootstrap gives no bounded interval.
    """
    if sample.taken is None:
        raise ValueError("compliers need to know who took part")
    name = f"{COMPLIERS}, {errors}"
    first = fit(replace(sample, outcome=sample.taken), estimator, errors, rule=settings.rule).value
    if errors in _OF_TWO_STAGES:
        value, std_error = _two_stages(sample, estimator, errors)
    else:
        value = fit(sample, estimator, errors, rule=settings.rule).value / first
        std_error = float("nan")
    rest = fit(replace(sample, outcome=sample.outcome - value * sample.taken), estimator, errors, rule=settings.rule)
    term = replace(
        rest,
        name=name,
        value=value,
        std_error=std_error if errors in _OF_TWO_STAGES else rest.std_error / abs(first),
        influence=rest.influence / first,
    )
    return term if errors != "wild_bootstrap" else _bootstrapped(term, sample, estimator, sample.taken, settings)


def _two_stages(sample: Sample, estimator: Estimator, errors: StandardErrors) -> tuple[float, float]:
    from linearmodels.iv import IV2SLS

    matrix, names = matrix_of(sample, controls_of(sample, estimator))
    position = names.index(TREATMENT)
    model = IV2SLS(
        sample.outcome,
        np.delete(matrix, position, axis=1),
        sample.taken,
        matrix[:, position],
        weights=sample.weights,
    )
    more = {"clusters": sample.clusters} if errors == "clustered" else {}
    fitted = model.fit(cov_type=_OF_TWO_STAGES[errors], debiased=True, **more)
    return float(fitted.params.iloc[-1]), float(fitted.std_errors.iloc[-1])


def _bootstrapped(term: Term, sample: Sample, estimator: Estimator, shift: Array, settings: Settings) -> OwnTerm:
    """Return the term with the interval and the p-value of the wild cluster bootstrap."""
    if sample.clusters is None:
        raise ValueError("the wild bootstrap needs clusters")
    codes = np.unique(sample.clusters, return_inverse=True)[1].astype(np.int64)
    matrix, names = matrix_of(sample, controls_of(sample, estimator))
    drawn = multipliers(int(codes.max()) + 1, np.random.default_rng(settings.seed))
    found = wild_bootstrap(sample.outcome, shift, matrix, names.index(TREATMENT), codes, drawn, sample.weights)
    bounds = found.interval(settings.level)
    if bounds is None:
        raise EstimationError("estimation.unbounded", _UNBOUNDED, do="Use cr2, or add clusters.")
    return OwnTerm(**{**vars(term), "rule": _FROM_BOOTSTRAP}, bounds=bounds, p_value=found.p_value())


def fit_or_reason(
    sample: Sample, estimator: Estimator, errors: StandardErrors, settings: Settings, *, is_complier: bool = False
) -> tuple[Term | None, str]:
    """Return the fitted term, or why these persons' outcomes do not allow it; the reason is published.

    Parameters
    ----------
    sample, estimator, errors, settings
        As for :func:`fit_offer`.
    is_complier : bool
        The effect on compliers instead.
    """
    try:
        refuse_impossible(sample, estimator, errors)
    except DesignError:
        return None, "Among those with this outcome, its covariates and strata do not determine the effect."
    try:
        term = (fit_compliers if is_complier else fit_offer)(sample, estimator, errors, settings)
    except EstimationError as error:
        return None, error.what
    if term.std_error > 1e-10 * float(np.abs(sample.outcome).max()):
        return term, ""
    return None, "Within the groups this outcome does not vary, so there is no spread to judge a difference by."


def of_persons(sample: Sample, chosen: Booleans) -> Sample:
    """Return the chosen persons; clusters that none of them belongs to no longer count."""
    arrays: dict[str, Any] = {
        name: value[chosen] for name, value in vars(sample).items() if isinstance(value, np.ndarray)
    }
    for name in ("strata", "clusters", "pairs"):
        if name in arrays:
            arrays[name] = np.unique(arrays[name], return_inverse=True)[1].astype(np.int64)
    return replace(sample, **arrays)


def for_arm(term: Term, name: str, chosen: Booleans, n_treated: int) -> OwnTerm:
    """Return the term of one arm, fitted to the chosen persons, with the influence of everybody.

    Parameters
    ----------
    term : Term
        Fitted to the chosen persons.
    name : str
        Of the term.
    chosen : ndarray of bool, shape (n,)
        Those in the arm or in the comparison group.
    n_treated : int
        Persons in the arm.
    """
    influence = np.zeros(len(chosen))
    influence[chosen] = term.influence
    return OwnTerm(**{**vars(term), "name": name, "influence": influence, "n_treated": n_treated})


def with_own_rows(estimate: Estimate, terms: Sequence[Term]) -> Estimate:
    """Return the estimate in which terms with intervals or persons of their own keep them.

    Parameters
    ----------
    estimate : Estimate
        Made from the terms, in their order.
    terms : sequence of Term
        Some of them :class:`OwnTerm`.
    """
    own = [term for term in terms if isinstance(term, OwnTerm)]
    if not own:
        return estimate
    frame = estimate.effects.set_index("term", drop=False)
    for term in own:
        if term.bounds is not None and term.p_value is not None:
            frame.loc[term.name, ["lower", "upper", "p_value"]] = [*term.bounds, term.p_value]
        if term.n_treated is not None:
            frame.loc[term.name, "n_treated"] = term.n_treated
    return replace(estimate, frame=pd.DataFrame(frame.reset_index(drop=True)))
