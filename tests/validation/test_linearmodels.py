"""Least squares, two stages and panels are our own numbers; linearmodels gives the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from linearmodels.iv import IV2SLS, IVLIML
from linearmodels.panel import FirstDifferenceOLS, PanelOLS, PooledOLS

from virkning.designs.instruments.two_stage import InstrumentSample, fit_term
from virkning.designs.panels.fits import PanelSample, fit_regression, regression_of
from virkning.designs.regression import Sample, controls_of, fit, matrix_of

SAME = 1e-10
OPTIONS = {
    "classical": {"cov_type": "unadjusted"},
    "hc1": {"cov_type": "robust"},
    "clustered": {"cov_type": "clustered"},
}


def options(errors: str, clusters: np.ndarray) -> dict[str, Any]:
    return OPTIONS[errors] | ({"clusters": clusters} if errors == "clustered" else {})


def persons(seed: int = 4, n: int = 400) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    traits = generator.normal(size=(n, 2)) * [1.0, 1e4] + [0.0, 1e6]
    instruments = generator.normal(size=(n, 2))
    treatment = instruments @ [0.6, 0.2] + generator.normal(size=n)
    return {
        "traits": traits,
        "instruments": instruments,
        "treatment": treatment,
        "clusters": generator.integers(0, 30, size=n),
        "weights": generator.uniform(0.5, 3.0, size=n),
        "outcome": 500 + treatment + traits @ [0.5, 1e-5] + generator.normal(size=n) * (1 + np.abs(treatment)),
    }


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("estimator", ["difference_in_means", "ancova", "lin"])
@pytest.mark.parametrize("errors", ["classical", "hc1", "clustered"])
def test_trial(errors: Any, estimator: Any, is_weighted: bool) -> None:
    data = persons()
    sample = Sample(
        data["outcome"],
        data["treatment"] > 0,
        data["traits"],
        ("a", "b"),
        clusters=data["clusters"],
        weights=data["weights"] if is_weighted else None,
    )
    ours = fit(sample, estimator, errors)
    matrix, _ = matrix_of(sample, controls_of(sample, estimator))
    model = IV2SLS(sample.outcome, matrix, None, None, weights=sample.weights)
    theirs = model.fit(debiased=True, **options(errors, data["clusters"]))
    assert ours.value == pytest.approx(theirs.params.iloc[1], rel=SAME)
    assert ours.std_error == pytest.approx(theirs.std_errors.iloc[1], rel=SAME)


@pytest.mark.parametrize("estimator", ["two_stage_least_squares", "liml", "ordinary_least_squares"])
@pytest.mark.parametrize("errors", ["classical", "hc1", "clustered"])
def test_instruments(errors: Any, estimator: Any) -> None:
    data = persons()
    controls = np.column_stack([np.ones(len(data["outcome"])), data["traits"] / [1.0, 1e6]])
    sample = InstrumentSample(data["outcome"], data["treatment"], data["instruments"], controls, data["clusters"])
    ours = fit_term(sample, estimator, errors)
    if estimator == "ordinary_least_squares":
        model = IV2SLS(sample.outcome, np.column_stack([controls, sample.treatment]), None, None)
    else:
        chosen = IVLIML if estimator == "liml" else IV2SLS
        model = chosen(sample.outcome, controls, sample.treatment, sample.instruments)
    theirs = model.fit(debiased=True, **options(errors, data["clusters"]))
    assert ours.value == pytest.approx(theirs.params.iloc[-1], rel=1e-9)
    assert ours.std_error == pytest.approx(theirs.std_errors.iloc[-1], rel=1e-9)
    assert float((ours.influence**2).sum()) > 0


@pytest.mark.parametrize("estimator", ["fixed_effects", "first_differences", "pooled_least_squares"])
def test_panel(estimator: Any) -> None:
    """With persons who miss some periods."""
    generator = np.random.default_rng(5)
    kept = generator.random(90 * 5) < 0.9
    who, when = np.repeat(np.arange(90), 5)[kept], np.tile(np.arange(5), 90)[kept]
    treatment = generator.normal(size=len(who)) + 0.1 * who
    outcome = treatment + when + 0.3 * who + generator.normal(size=len(who))
    persons_of = pd.factorize(who)[0].astype(np.int64)
    sample = PanelSample(
        outcome, treatment[:, None], np.zeros((len(who), 0)), persons_of, when.astype(np.int64), persons_of, ("x",)
    )
    is_difference = estimator == "first_differences"
    regression = regression_of(sample, estimator, period_effects=not is_difference)
    ours = fit_regression(regression, "classical")
    index = pd.MultiIndex.from_arrays([regression.sample.persons, regression.sample.periods])
    arrays = pd.DataFrame(regression.sample.outcome, index=index), pd.DataFrame(regression.matrix, index=index)
    model: Any = {
        "fixed_effects": lambda: PanelOLS(*arrays, entity_effects=True),
        "first_differences": lambda: FirstDifferenceOLS(*arrays),
        "pooled_least_squares": lambda: PooledOLS(*arrays),
    }[estimator]()
    theirs = model.fit(cov_type="unadjusted")
    assert ours.coefficients[0] == pytest.approx(theirs.params.iloc[0], rel=SAME)
    assert ours.covariance[0, 0] == pytest.approx(theirs.cov.iloc[0, 0], rel=SAME)
    assert ours.freedom.count == theirs.df_resid
