"""Degrees of freedom: three rules, each with its count and its words."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from virkning.designs.degrees_of_freedom import (
    LARGE_SAMPLE,
    Freedom,
    Rule,
    clusters_less_one,
    degrees_of_freedom,
    rows_less_coefficients,
)

ROWS = rows_less_coefficients(120, 4)
CLUSTERS = clusters_less_one(12)


@pytest.mark.parametrize(
    ("rule", "clusters", "expected"),
    [
        ("standard", None, ROWS),
        ("standard", CLUSTERS, CLUSTERS),
        ("residual", None, ROWS),
        ("residual", CLUSTERS, ROWS),
        ("large_sample", None, LARGE_SAMPLE),
        ("large_sample", CLUSTERS, LARGE_SAMPLE),
    ],
)
def test_rule_chooses(rule: Rule, clusters: Freedom | None, expected: Freedom) -> None:
    assert degrees_of_freedom(rule, ROWS, clusters) == expected


def test_counts_and_words() -> None:
    assert Freedom(116.0, "the number of persons minus the 4 coefficients of the regression") == ROWS
    assert Freedom(11.0, "the number of clusters minus one") == CLUSTERS
    assert (
        rows_less_coefficients(120, 4, of="rows").words
        == "the number of rows minus the 4 coefficients of the regression"
    )
    assert clusters_less_one(12, of="persons").words == "the number of persons minus one"


def test_large_sample_is_the_normal_distribution() -> None:
    assert math.isinf(LARGE_SAMPLE.count)
    assert stats.t.ppf(0.975, LARGE_SAMPLE.count) == pytest.approx(stats.norm.ppf(0.975), abs=1e-12)
    assert "normal distribution" in LARGE_SAMPLE.words


def test_fewer_clusters_widen_the_interval() -> None:
    reach = [stats.t.ppf(0.975, degrees_of_freedom(rule, ROWS, CLUSTERS).count) for rule in ("standard", "residual")]
    assert reach[0] > reach[1] > stats.norm.ppf(0.975)
