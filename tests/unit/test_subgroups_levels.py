"""From the least to the most vulnerable: levels, the most vulnerable quarter, weights of need."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from virkning.disclosure import DisclosureRule, clear
from virkning.subgroups import Vulnerability, estimate_subgroups

SIGNS = ("poor", "sick", "alone")


def index(**changes):
    fields = {
        "label": "Worst off",
        "components": [{"label": name.capitalize(), "column": name, "equals": True} for name in SIGNS],
        "most_vulnerable_from": 2,
    }
    return Vulnerability(**{**fields, **changes})


@pytest.fixture
def crowd():
    """Eight hundred persons, two hundred with each number of signs, half of them offered the programme."""
    n_signs = np.repeat([0, 1, 2, 3], 200)
    return pd.DataFrame({name: n_signs > place for place, name in enumerate(SIGNS)}).assign(
        is_treated=np.arange(800) % 2 == 0, n_signs=n_signs
    )


def outcome(crowd, effects, noise=5.0):
    generator = np.random.default_rng(2)
    effect = np.asarray(effects, dtype=float)[crowd["n_signs"]]
    return 100 + effect * crowd["is_treated"] + generator.normal(0, noise, len(crowd))


def levels_of(trial, make_tables, crowd, values, declared=None, **fields):
    tables = make_tables(crowd.drop(columns="n_signs"), {"score": values})
    return estimate_subgroups(trial(**fields), tables, {}, declared or index()).levels


def test_levels_are_numbers_of_signs(trial, make_tables, crowd):
    found = levels_of(trial, make_tables, crowd, outcome(crowd, [0, 10, 20, 30]))
    assert found.frame["level"].tolist() == ["No sign", "1 sign", "2 signs", "3 signs"]
    assert (found.frame["n_treated"] == 100).all()
    assert np.abs(found.frame["value"] - [0, 10, 20, 30]).max() < 3
    assert found.trend.lower < 10 < found.trend.upper
    assert found.trend.p_value < 1e-6
    assert "larger" in found.trend_text()


def test_quarter_gets_its_share_of_the_total(trial, make_tables, crowd):
    found = levels_of(trial, make_tables, crowd, outcome(crowd, [0, 10, 20, 30]))
    assert found.quarter.effect.value == pytest.approx(found.frame["value"].iloc[3], rel=1e-12)
    assert found.quarter.share.value == pytest.approx(30 / 60, abs=0.06)
    assert found.quarter.share.lower < 0.5 < found.quarter.share.upper
    same = levels_of(trial, make_tables, crowd, outcome(crowd, [10, 10, 10, 10]))
    assert same.quarter.share.lower < 0.25 < same.quarter.share.upper


def test_border_of_the_quarter_divides_a_level(trial, make_tables, crowd):
    """With half of the persons in the upper level, the quarter is half of that level."""
    two = crowd.assign(sick=crowd["poor"], alone=crowd["poor"], n_signs=np.where(crowd["poor"], 3, 0))
    found = levels_of(trial, make_tables, two, outcome(two, [0, 0, 0, 20]))
    assert len(found.frame) == 2
    top, all_of_them = found.frame["value"].iloc[1], found.everyone.value
    assert found.quarter.share.value == pytest.approx(0.25 * top / all_of_them, rel=1e-9)


def test_no_share_of_a_total_that_may_be_zero(trial, make_tables, crowd):
    found = levels_of(trial, make_tables, crowd, outcome(crowd, [0, 0, 0, 0], noise=50))
    assert found.quarter.share is None
    assert "no share of it can be told" in found.quarter_text()
    assert found.sums_table().frame["share"].isna().iloc[1]


def test_need_weights(trial, make_tables, crowd):
    values = outcome(crowd, [0, 10, 20, 30])
    found = levels_of(trial, make_tables, crowd, values, index(need_weights=(1, 1, 2, 4)))
    expected = np.average(found.frame["value"], weights=[1, 1, 2, 4])
    assert found.need.value == pytest.approx(expected, rel=1e-9)
    assert "counts by need" in found.need_text()
    assert "1, 1, 2 and 4" in found.sums_table().note
    equal = levels_of(trial, make_tables, crowd, values, index(need_weights=(2, 2, 2, 2)))
    assert equal.need.value == pytest.approx(equal.everyone.value, rel=1e-12)
    assert levels_of(trial, make_tables, crowd, values).need is None


@pytest.mark.parametrize("weights", [(1, 2), (2, 1, 1, 1), (0, 0, 0, 0), (1, 1, 1, float("inf")), (-1, 0, 1, 1)])
def test_impossible_need_weights(weights):
    with pytest.raises(ValidationError):
        index(need_weights=weights)


def test_number_of_signs_is_one_more_comparison(trial, make_tables, crowd):
    tables = make_tables(crowd.drop(columns="n_signs"), {"score": outcome(crowd, [0, 10, 20, 30])})
    tests = estimate_subgroups(trial(), tables, {}, index()).interactions
    assert tests["contrast"].tolist() == ["Yes minus No", "Per further sign"]
    # Holm: the smaller of two p-values is doubled.
    assert tests["p_value_holm"].min() == pytest.approx(2 * tests["p_value"].min(), rel=1e-12)


def test_small_levels_are_joined_by_persons_alone(trial, make_tables, crowd):
    """Thirty persons have all signs; two outcomes that differ give the same levels."""
    keep = crowd[(crowd["n_signs"] < 3) | (crowd.groupby("n_signs").cumcount() < 30)].reset_index(drop=True)
    one = levels_of(trial, make_tables, keep, outcome(keep, [0, 10, 20, 30]))
    two = levels_of(trial, make_tables, keep, outcome(keep, [30, 20, 10, 0]))
    assert one.frame["level"].tolist() == two.frame["level"].tolist() == ["No sign", "1 sign", "2 or more signs"]


def test_level_whose_means_rest_on_few_is_joined(trial, make_tables, crowd):
    """A hundred in each group, but all except a few of those with three signs have the same outcome."""
    values = np.array(outcome(crowd, [0, 10, 20, 30]))
    same = (crowd["n_signs"] == 3) & (crowd.groupby("n_signs").cumcount() > 8)
    values[same] = 0.0
    found = levels_of(trial, make_tables, crowd, values)
    assert found.frame["level"].tolist()[-1] == "2 or more signs"
    assert clear(found.levels_table(), DisclosureRule(threshold=5)).n_hidden == 0


def test_too_few_for_levels(trial, make_tables, crowd):
    few = crowd[crowd.groupby("n_signs").cumcount() < 8].reset_index(drop=True)
    found = levels_of(trial, make_tables, few, outcome(few, [0, 10, 20, 30]))
    assert found.frame["level"].tolist() == ["Any number of signs"]
    assert found.quarter is None
    for text in (found.trend_text(), found.quarter_text()):
        assert "too few" in text
        assert not any(character.isdigit() for character in text)


def test_unknown_signs_are_counted_apart(trial, make_tables, crowd):
    sick = crowd["sick"].astype("boolean").mask(crowd.index % 10 == 0)
    found = levels_of(trial, make_tables, crowd.assign(sick=sick), outcome(crowd, [0, 10, 20, 30]))
    assert found.frame["level"].tolist()[-1] == "Not known"
    assert found.frame["n_treated"].sum() == 400
    assert found.frame["value"].isna().iloc[-1]
    assert found.everyone is not None


def test_clusters_that_reach_into_several_levels_are_counted_together(trial, make_tables, crowd):
    group = np.arange(800) % 40
    common = np.random.default_rng(4).normal(0, 30, 40)[group]
    values = outcome(crowd, [10, 10, 10, 10]) + common
    frame = crowd.assign(group=[f"group {number:02d}" for number in group])
    design = {"clusters": "group", "standard_errors": "clustered"}
    found = levels_of(trial, make_tables, frame, values, **design)
    separate = np.sqrt((found.frame["std_error"] ** 2).sum()) / 4
    assert found.everyone.std_error > 1.5 * separate
    assert found.trend.std_error < separate
