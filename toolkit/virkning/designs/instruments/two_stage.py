"""The fits behind instrumental variables: two stages or LIML, beside least squares and the intention to treat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ... import language
from ...disclosure import Column, Table
from ...estimand import Estimand
from ...numerics.f_tail import f_tail
from ...numerics.instruments import (
    ConfidenceSet,
    Errors,
    ReducedForms,
    Strength,
    anderson_rubin,
    effect_of,
    liml_k,
    partial_out,
    reduced_forms,
    strength,
)
from .. import degrees_of_freedom as counting
from ..assembly import Term
from ..degrees_of_freedom import Freedom, Rule

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
InstrumentEstimator = Literal["two_stage_least_squares", "liml"]
BesideEstimator = Literal["two_stage_least_squares", "liml", "ordinary_least_squares", "intention_to_treat"]


@dataclass(frozen=True)
class InstrumentSample:
    """The persons with an outcome, as arrays.

    Attributes
    ----------
    outcome, treatment : ndarray, shape (n,)
        In their units; a yes/no treatment is 0 or 1.
    instruments : ndarray, shape (n, L)
        What moves the treatment from outside.
    controls : ndarray, shape (n, p)
        The constant and the covariates.
    clusters : ndarray of int, shape (n,), or None
        Codes from zero.
    """

    outcome: Array
    treatment: Array
    instruments: Array
    controls: Array
    clusters: Codes | None = None

    @cached_property
    def left(self) -> tuple[Array, Array]:
        """What the controls leave of outcome and treatment, shape (n, 2), and of the instruments, shape (n, L)."""
        moved, shifts = partial_out(self.controls, np.array([self.outcome, self.treatment]).T, self.instruments)
        return moved, shifts

    def only(self, place: int) -> InstrumentSample:
        """Return the sample with one of its instruments."""
        return replace(self, instruments=self.instruments[:, [place]])


@dataclass(frozen=True)
class SpecificationTest:
    """A test of the specification: its name, statistic, degrees of freedom and p-value."""

    name: str
    statistic: float
    degrees_of_freedom: int
    p_value: float


@dataclass(frozen=True)
class Diagnosis:
    """What a reader must know about the instruments.

    Attributes
    ----------
    strength : Strength
        First stage.
    robust_set : ConfidenceSet
        Effects that Anderson and Rubin's test does not reject.
    overidentification : SpecificationTest or None
        Sargan's or Hansen's test; None with a single instrument, which nothing can contradict.
    endogeneity : SpecificationTest
        Wu and Hausman's test that least squares would do.
    n_persons : int
        Persons behind all of it.
    """

    strength: Strength
    robust_set: ConfidenceSet
    overidentification: SpecificationTest | None
    endogeneity: SpecificationTest
    n_persons: int

    def table(self, measure: str) -> Table:
        """Return the numbers as a table to be cleared, one test a row."""
        rows: list[tuple[str, float, float | None]] = [
            ("First stage, F", self.strength.f_statistic, self.strength.p_value),
            ("First stage, effective F", self.strength.effective_f, None),
            ("… should exceed (bias below a tenth)", self.strength.critical_value, None),
            ("First stage, partial R²", self.strength.partial_r_squared, None),
        ]
        for test in (self.overidentification, self.endogeneity):
            if test is not None:
                rows.append((test.name, test.statistic, test.p_value))
        frame = pd.DataFrame(rows, columns=["what", "value", "p_value"]).assign(persons=self.n_persons)
        columns = (
            Column("what", "Test"),
            Column("value", "Value", "number", digits=3, persons="persons"),
            Column("p_value", "p-value", "p_value", persons="persons"),
        )
        return Table(f"instruments-{measure}", "How far the instruments can be trusted", columns, frame)


def fit_term(sample: InstrumentSample, estimator: BesideEstimator, errors: Errors, rule: Rule = "standard") -> Term:
    """Return one effect: of the treatment, or of the single instrument for the intention to treat.

    All are k-class estimators of one coefficient, the controls taken out: least squares with k = 0, two stages with
    k = 1, LIML with the k that :func:`virkning.numerics.instruments.liml_k` finds. The numbers are our own, since
    linearmodels, which gives the same to the last digits, needs three seconds for each at a million persons. Small
    samples are corrected for: n - k in the classical variance, n / (n - k) for HC1, G / (G - 1) × (n - 1) / (n - k) for
    clustered errors.
    """
    is_exogenous = estimator in ("ordinary_least_squares", "intention_to_treat")
    moved, shifts = sample.left
    cause = shifts[:, 0] if estimator == "intention_to_treat" else moved[:, 1]
    share = liml_k(moved, shifts) if estimator == "liml" else 1.0
    found = effect_of(moved[:, 0], cause, None if is_exogenous else shifts, share)
    n_coefficients = sample.controls.shape[1] + 1
    freedom = _freedom(sample, errors, rule, n_coefficients)
    return Term(
        name=f"{estimator}, {errors}",
        value=found.value,
        std_error=math.sqrt(found.variance(errors, n_coefficients, sample.clusters)),
        degrees_of_freedom=freedom.count,
        rule=freedom.words,
        influence=found.influence,
    )


def _covariance_options(sample: InstrumentSample, errors: Errors) -> Mapping[str, Any]:
    if errors == "clustered":
        return {"cov_type": "clustered", "clusters": sample.clusters}
    return {"cov_type": "unadjusted" if errors == "classical" else "robust"}


def _freedom(sample: InstrumentSample, errors: Errors, rule: Rule, n_coefficients: int) -> Freedom:
    clusters = None
    if errors == "clustered" and sample.clusters is not None:
        clusters = counting.clusters_less_one(int(np.count_nonzero(np.bincount(sample.clusters))))
    residual = counting.rows_less_coefficients(len(sample.outcome), n_coefficients)
    return counting.degrees_of_freedom(rule, residual, clusters)


def forms_of(sample: InstrumentSample, errors: Errors, rule: Rule = "standard") -> ReducedForms:
    """Return the regressions of outcome and treatment on the instruments."""
    found = reduced_forms(
        sample.outcome, sample.treatment, sample.instruments, sample.controls, errors=errors, clusters=sample.clusters
    )
    n_coefficients = sample.controls.shape[1] + sample.instruments.shape[1]
    return replace(found, degrees_of_freedom=_freedom(sample, errors, rule, n_coefficients).count)


def diagnose(sample: InstrumentSample, errors: Errors, level: float, rule: Rule = "standard") -> Diagnosis:
    """Return first-stage strength, weak-instrument-robust set, over-identification and endogeneity tests."""
    forms = forms_of(sample, errors, rule)
    return Diagnosis(
        strength=strength(forms),
        robust_set=anderson_rubin(forms, level),
        overidentification=_overidentification(sample, errors),
        endogeneity=_endogeneity(sample, errors, rule),
        n_persons=len(sample.outcome),
    )


def _overidentification(sample: InstrumentSample, errors: Errors) -> SpecificationTest | None:
    """Return Sargan's test for classical errors, else Hansen's J of the two-step GMM; None with one instrument."""
    from linearmodels.iv import IV2SLS, IVGMM

    n_extra = sample.instruments.shape[1] - 1
    if n_extra == 0:
        return None
    arrays = (sample.outcome, sample.controls, sample.treatment[:, None], sample.instruments)
    if errors == "classical":
        fitted: Any = IV2SLS(*arrays).fit(cov_type="unadjusted")
        found, name = fitted.sargan, "Over-identification, Sargan"
    else:
        options: dict[str, Any] = {"weight_type": "robust"}
        if errors == "clustered":
            options = {"weight_type": "clustered", "clusters": sample.clusters}
        fitted = IVGMM(*arrays, **options).fit(**_covariance_options(sample, errors))
        found, name = fitted.j_stat, "Over-identification, Hansen's J"
    return SpecificationTest(name, float(found.stat), n_extra, float(found.pval))


def _endogeneity(sample: InstrumentSample, errors: Errors, rule: Rule) -> SpecificationTest:
    """Return the test that the first stage's residual adds nothing to least squares (Wu 1973, Hausman 1978)."""
    moved, shifts = sample.left
    treatment = moved[:, 1]
    left = treatment - shifts @ np.linalg.solve(shifts.T @ shifts, shifts.T @ treatment)
    # Beside the treatment; what the treatment explains of either is taken out first.
    moved = np.array([moved[:, 0], left]).T
    moved -= np.outer(treatment, treatment @ moved) / (treatment @ treatment)
    found = effect_of(moved[:, 0], moved[:, 1], None)
    statistic = found.value**2 / found.variance(errors, sample.controls.shape[1] + 2, sample.clusters)
    freedom = _freedom(sample, errors, rule, sample.controls.shape[1] + 2)
    return SpecificationTest("Endogeneity, Wu-Hausman F", statistic, 1, f_tail(statistic, 1, freedom.count))


def set_in_words(found: ConfidenceSet, estimand: Estimand) -> str:
    """Return the weak-instrument-robust set in a sentence, also when it is empty or has no end."""
    head = f"However weak the instruments are, the {found.level:.0%} set of Anderson and Rubin for «{estimand.outcome}»"
    if found.shape == "empty":
        return (
            f"{head} is empty: no effect agrees with all instruments, so at least one of them must reach the outcome "
            "by another way than the treatment."
        )
    if found.shape == "line":
        return f"{head} has no end on either side: with these instruments the data exclude no effect."
    is_endless = any(math.isinf(end) for piece in found.pieces for end in piece)
    said = " or ".join(_piece(piece, estimand) for piece in found.pieces)
    return f"{head} goes {said}." + (" It has no end: the instruments are too weak to bound the effect." * is_endless)


def _piece(piece: tuple[float, float], estimand: Estimand) -> str:
    factor, unit = (100.0, "per 100 people") if estimand.kind == "share" else (1.0, estimand.unit)
    finite = [end for end in piece if math.isfinite(end)]
    digits = language.digits_for(estimand.kind, max(abs(end) for end in finite))
    low, high = (language.number(end * factor, digits) if math.isfinite(end) else "" for end in piece)
    if not low:
        return f"up to {high} {unit}"
    return f"from {low} to {high} {unit}" if high else f"from {low} {unit} upwards"
