"""Leverage, influence and columns that add nothing."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.numerics.least_squares import dependent_column, has_full_leverage, influence, project, robust_covariance


@pytest.fixture
def problem():
    generator = np.random.default_rng(2)
    matrix = np.column_stack([np.ones(30), generator.normal(size=(30, 3))])
    return matrix, generator.normal(size=30), generator.uniform(0.5, 2, size=30)


def test_projection_solves_the_normal_equations(problem):
    matrix, outcome, weights = problem
    projection = project(matrix, weights)
    ours = projection.rows.T @ (projection.root_weights * outcome)
    theirs = np.linalg.solve(matrix.T @ (weights[:, None] * matrix), matrix.T @ (weights * outcome))
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    assert projection.leverage.sum() == pytest.approx(4, rel=1e-12)


def test_influence_is_the_change_when_a_row_gets_more_weight(problem):
    matrix, outcome, weights = problem
    projection = project(matrix, weights)

    def solve(changed):
        return np.linalg.lstsq(np.sqrt(changed)[:, None] * matrix, np.sqrt(changed) * outcome, rcond=None)[0]

    coefficients, step = solve(weights), 1e-6
    residuals = outcome - matrix @ coefficients
    more = weights.copy()
    more[7] *= 1 + step
    numeric = (solve(more) - coefficients) / step
    np.testing.assert_allclose(influence(projection, residuals)[7], numeric, rtol=1e-4)


def test_influence_sums_to_zero(problem):
    matrix, outcome, _ = problem
    projection = project(matrix)
    residuals = outcome - matrix @ (projection.rows.T @ outcome)
    np.testing.assert_allclose(influence(projection, residuals).sum(axis=0), 0, atol=1e-12)


def test_full_leverage_is_an_error_not_a_number():
    matrix = np.column_stack([np.ones(5), np.arange(5) == 0]).astype(float)
    projection = project(matrix)
    assert has_full_leverage(projection)
    with pytest.raises(ZeroDivisionError):
        robust_covariance(projection, np.zeros(5), "hc2")


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_dependent_column(problem, scale):
    matrix, *_ = problem
    assert dependent_column(matrix) is None
    matrix[:, 2] *= scale
    assert dependent_column(matrix) is None
    assert dependent_column(np.column_stack([matrix, matrix[:, 1] + matrix[:, 2] / scale])) == 4
    assert dependent_column(np.column_stack([matrix[:, :2], np.zeros(30), matrix[:, 2]])) == 2


def test_more_columns_than_rows():
    assert dependent_column(np.eye(3, 5) + 1.0) == 3
