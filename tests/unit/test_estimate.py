"""The one result type: what it refuses, what it says, and how outcomes hang together."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from virkning.designs import estimate
from virkning.errors import EstimationError
from virkning.estimates import EFFECT_COLUMNS, Estimate, Estimates


@pytest.fixture
def effects(trial, make_tables, people, earnings) -> Estimates:
    generator = np.random.default_rng(1)
    outcomes = {
        "earnings": earnings,
        "double": 2 * earnings,
        "less": -earnings,
        "noise": generator.normal(size=80),
        "job": (earnings > 75).astype(float),
    }
    return estimate(trial(covariates=["age"]), make_tables(people, outcomes, {"job": "share"}))


def change(result: Estimate, **fields: object) -> Estimate:
    return Estimate(**{**{item.name: getattr(result, item.name) for item in dataclasses.fields(result)}, **fields})


def test_not_finite_is_refused(effects):
    for column in ("value", "std_error", "lower", "upper", "p_value"):
        with pytest.raises(EstimationError) as error:
            change(effects.primary, frame=effects.primary.effects.assign(**{column: math.nan}))
        assert error.value.code == "estimation.not_finite"


def test_other_columns_are_refused(effects):
    with pytest.raises(EstimationError) as error:
        change(effects.primary, frame=effects.primary.effects.rename(columns={"lower": "ci_lower"}))
    assert error.value.code == "estimation.columns"


def test_unavailable_needs_a_reason(effects):
    result = effects.primary
    fields = {name: getattr(result, name) for name in ("estimand", "level", "evidence_level", "method", "provenance")}
    with pytest.raises(EstimationError) as error:
        Estimate.unavailable(" ", **fields)
    assert error.value.code == "estimation.no_reason"
    empty = Estimate.unavailable("Nobody was asked.", **fields)
    assert tuple(empty.effects.columns) == EFFECT_COLUMNS
    again = Estimate.from_json(empty.to_json())
    assert again.to_json() == empty.to_json()
    pd.testing.assert_frame_equal(again.effects, empty.effects)
    assert math.isinf(again.degrees_of_freedom)
    assert "Nobody was asked." in str(empty)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, -0.1])
def test_level_of_an_interval(effects, level):
    with pytest.raises(EstimationError) as error:
        effects.primary.interval(level)
    assert error.value.code == "estimation.level"


def test_interval_uses_the_t_distribution(effects):
    result = effects.primary
    assert result.degrees_of_freedom == 78
    found = result.interval(0.9)
    std_error = result.effects["std_error"].iloc[0]
    assert found.upper - found.value == pytest.approx(stats.t.ppf(0.95, 78) * std_error, rel=1e-12)
    assert found.value - found.lower == pytest.approx(found.upper - found.value, rel=1e-12)


def test_infinite_degrees_of_freedom_travel_as_null(effects):
    result = change(effects.primary, degrees_of_freedom=math.inf)
    assert '"degrees_of_freedom": null' in result.to_json()
    assert math.isinf(Estimate.from_json(result.to_json()).degrees_of_freedom)


def test_unknown_measure(effects):
    with pytest.raises(EstimationError) as error:
        effects["earnigns"]
    assert "Did you mean «earnings»?" in error.value.do
    assert "earnigns" not in effects
    assert "earnings" in effects


def test_correlation_between_outcomes(effects):
    covariance = effects.covariance()
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    # The same outcome in another unit, and its mirror image.
    assert correlation[0, 1] == pytest.approx(1.0, abs=1e-12)
    assert correlation[0, 2] == pytest.approx(-1.0, abs=1e-12)
    # An outcome that has nothing to do with it: within four standard errors of zero.
    assert abs(correlation[0, 3]) < 4 / math.sqrt(80)
    draws = effects.draws(100, np.random.default_rng(0))
    np.testing.assert_allclose(draws["double"], 2 * draws["earnings"], rtol=1e-6)


def test_outcomes_of_different_persons_are_uncorrelated(trial, make_tables, people, earnings):
    one, two = (np.where(people.index % 2 == half, earnings, np.nan) for half in (0, 1))
    covariance = estimate(trial(), make_tables(people, {"one": one, "two": two})).covariance()
    assert covariance[0, 1] == 0.0
    assert (np.diag(covariance) > 0).all()


def test_clusters_align_outcomes_of_different_persons(trial, make_tables, people, earnings):
    # Two persons of each group have the first outcome and the other two the second: what groups share still correlates.
    common = np.repeat(np.random.default_rng(2).normal(0, 50, size=20), 4)
    one, two = (np.where(people.index % 2 == half, earnings + common, np.nan) for half in (0, 1))
    design = trial(clusters="group", standard_errors="clustered")
    covariance = estimate(design, make_tables(people, {"one": one, "two": two})).covariance()
    scale = np.sqrt(np.diag(covariance))
    assert covariance[0, 1] / scale.prod() > 0.8


def test_estimate_without_influence_stands_alone(effects):
    mixed = Estimates({"a": effects["earnings"], "b": change(effects["double"], influence=None, influence_ids=())})
    covariance = mixed.covariance()
    assert covariance[0, 1] == 0.0
    np.testing.assert_array_equal(
        np.sqrt(np.diag(covariance)), [item.effects["std_error"].iloc[0] for item in mixed.values()]
    )


def test_words(effects):
    result = effects.primary
    assert result.in_words(1234.5) == "1,234 USD"
    assert result.in_words(-12.34, 3456.7) == "−12 to 3,457 USD"
    assert effects["job"].in_words(0.1234) == "12.3 per 100 people"
    assert str(result).startswith("Earnings: ")
    assert repr(effects) == "Estimates(earnings, double, less, noise, job)"
    assert "USD" in repr(result)


def test_html_is_escaped(effects):
    estimand = dataclasses.replace(effects.primary.estimand, outcome="<b>Earnings</b> & more")
    assert "&lt;b&gt;Earnings&lt;/b&gt; &amp; more" in change(effects.primary, estimand=estimand)._repr_html_()


def test_frames_name_measure_and_unit(effects):
    frame = effects.to_frame()
    assert frame["measure"].unique().tolist() == list(effects)
    assert {"unit", "level", *EFFECT_COLUMNS} <= set(frame.columns)


def test_comparison_mean(trial, make_tables, people, earnings):
    result = estimate(trial(), make_tables(people, {"earnings": earnings})).primary
    untreated = ~people["is_treated"].to_numpy()
    assert result.comparison_mean == pytest.approx(earnings[untreated].mean(), rel=1e-12)
    weighted = estimate(trial(weights="weight"), make_tables(people, {"earnings": earnings})).primary
    expected = np.average(earnings[untreated], weights=people["weight"][untreated])
    assert weighted.comparison_mean == pytest.approx(expected, rel=1e-12)


def test_headline_is_the_declared_term(trial, make_tables, people, earnings):
    alternatives = [{"estimator": "difference_in_means", "standard_errors": "classical"}]
    design = trial(estimator="lin", covariates=["age"], standard_errors="hc3", alternatives=alternatives)
    result = estimate(design, make_tables(people, {"earnings": earnings})).primary
    assert result.effects["term"].tolist() == ["lin, hc3", "difference_in_means, classical"]
    assert result.headline().value == result.effects["value"].iloc[0]
    assert result.method.citation == "Lin2013"
    assert "4 coefficients" in result.degrees_of_freedom_rule
