"""Many rows are fitted from where a few of them lead; the maximum is the same."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.numerics import logit

N = 60_000


def rows(pull: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    trait = generator.normal(size=N)
    matrix = np.column_stack([np.ones(N), trait])
    return matrix, generator.random(N) < 1 / (1 + np.exp(2 - pull * trait))


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_a_start_from_some_rows_leads_to_the_same_maximum(link: logit.Link, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, response = rows()
    quick = logit.fit_binary(matrix, response, link)
    monkeypatch.setattr(logit, "_MANY", N + 1)
    usual = logit.fit_binary(matrix, response, link)
    np.testing.assert_allclose(quick.coefficients, usual.coefficients, rtol=1e-12)
    np.testing.assert_allclose(quick.influence, usual.influence, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(quick.information, usual.information, rtol=1e-9)


def test_separation_among_some_rows_is_not_separation_of_all() -> None:
    matrix, response = rows()
    response[::16] = matrix[::16, 1] > 0
    response[1::16] = matrix[1::16, 1] < 0
    found = logit.fit_binary(matrix, response)
    score = matrix.T @ (response - found.probability)
    np.testing.assert_allclose(score, 0, atol=1e-6)
    with pytest.raises(logit.SeparationError):
        logit.fit_binary(matrix, matrix[:, 1] > 0)


@pytest.mark.parametrize("size", [64, 100, 4096, 5000])
@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_logarithms_of_products_are_sums_of_logarithms(size: int, scale: float) -> None:
    numbers = np.random.default_rng(size).random(size) * scale
    assert logit._sum_of_logarithms(numbers) == pytest.approx(np.log1p(numbers).sum(), rel=1e-13)
