"""A specification that the data cannot honour is refused before anything is fitted, with its code and an advice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.designs import estimate, problems, refusals, require_sound
from virkning.errors import DataError, DesignError


def refusal(trial, tables, code, **fields):
    """Return the one error that the design gives."""
    design = trial(**fields)
    found = problems(design, tables)
    assert [error.code for error in found] == [code]
    with pytest.raises(DesignError) as raised:
        estimate(design, tables)
    assert raised.value.code == code
    assert raised.value.exit_code == 12
    assert raised.value.where
    assert raised.value.why
    assert raised.value.do
    return raised.value


@pytest.fixture
def tables(make_tables, people, earnings):
    return make_tables(people, {"earnings": earnings})


def test_sound_designs_pass(trial, tables):
    for fields in (
        {},
        {"weights": "weight"},
        {"strata": "town", "covariates": ["age", "is_parent"], "estimator": "lin"},
        {"strata": "town", "clusters": "group", "standard_errors": "clustered"},
    ):
        assert problems(trial(**fields), tables) == ()
        assert estimate(trial(**fields), tables).primary.is_available


@pytest.mark.parametrize("field", ["treatment", "covariates", "strata", "clusters", "weights"])
def test_unknown_column(trial, tables, field):
    misspelt = {
        "treatment": "is_treatd",
        "covariates": ["agee"],
        "strata": "twon",
        "clusters": "gruop",
        "weights": "wieght",
    }
    more = {"standard_errors": "clustered"} if field == "clusters" else {}
    error = refusal(trial, tables, "design.unknown_column", **{field: misspelt[field]}, **more)
    assert "Did you mean" in error.do
    assert field in error.where


def test_reserved_column_is_not_a_covariate(trial, tables):
    refusal(trial, tables, "design.unknown_column", covariates=["participant_id"])


def test_treatment_that_is_not_yes_or_no(trial, tables):
    refusal(trial, tables, "design.treatment_not_boolean", treatment="age")


def test_treatment_with_missing_values(trial, make_tables, people, earnings):
    offered = people["is_parent"].astype("boolean").where(people.index > 2)
    tables = make_tables(people.assign(was_offered=offered), {"earnings": earnings})
    assert "3 rows" in refusal(trial, tables, "design.missing_values", treatment="was_offered").what


@pytest.mark.parametrize("value", [True, False])
def test_one_arm(trial, make_tables, people, earnings, value):
    tables = make_tables(people.assign(is_treated=value), {"earnings": earnings})
    refusal(trial, tables, "design.one_arm")


@pytest.mark.parametrize(("n_treated", "is_refused"), [(1, True), (2, False)])
def test_least_number_per_arm(trial, make_tables, people, earnings, n_treated, is_refused):
    tables = make_tables(people.assign(is_treated=people.index < n_treated), {"earnings": earnings})
    if is_refused:
        refusal(trial, tables, "design.too_few")
    else:
        assert estimate(trial(), tables).primary.is_available


def test_clusters_without_clustered_errors(trial, tables):
    refusal(trial, tables, "design.ignores_clusters", clusters="group")


def test_clustered_errors_without_clusters(trial, tables):
    refusal(trial, tables, "design.no_clusters", standard_errors="clustered")


@pytest.mark.parametrize("estimator", ["ancova", "lin"])
def test_adjustment_without_covariates(trial, tables, estimator):
    refusal(trial, tables, "design.no_covariates", estimator=estimator)


def test_covariate_with_missing_values(trial, make_tables, people, earnings):
    tables = make_tables(people.assign(age=people["age"].where(people.index != 4)), {"earnings": earnings})
    error = refusal(trial, tables, "design.missing_values", covariates=["age"])
    assert "«age»" in error.what
    assert "1 row." in error.what


def test_covariate_of_text(trial, tables):
    assert "Code «town»" in refusal(trial, tables, "design.not_a_number", covariates=["town"]).do


def test_covariate_that_is_the_treatment(trial, tables):
    refusal(trial, tables, "design.covariate_is_treatment", covariates=["is_treated"])


def test_covariate_named_twice(trial, tables):
    refusal(trial, tables, "design.duplicate_covariate", covariates=["age", "age"])


@pytest.mark.parametrize("estimator", ["ancova", "lin"])
def test_collinear_covariate_is_named(trial, make_tables, people, earnings, estimator):
    tables = make_tables(people.assign(age_months=people["age"] * 12 + 7), {"earnings": earnings})
    error = refusal(trial, tables, "design.collinear", estimator=estimator, covariates=["age", "age_months"])
    assert "«age_months»" in error.what


def test_constant_covariate_is_named(trial, make_tables, people, earnings):
    tables = make_tables(people.assign(year=1978.0), {"earnings": earnings})
    error = refusal(trial, tables, "design.collinear", estimator="ancova", covariates=["year", "age"])
    assert "«year»" in error.what


def test_collinear_columns_are_no_matter_when_nothing_is_adjusted(trial, make_tables, people, earnings):
    tables = make_tables(people.assign(age_months=people["age"] * 12), {"earnings": earnings})
    assert problems(trial(covariates=["age", "age_months"]), tables) == ()


def test_nearly_collinear_covariates_are_allowed(trial, make_tables, people, earnings):
    tables = make_tables(people.assign(age_squared=people["age"] ** 2 + 1e6), {"earnings": earnings})
    assert problems(trial(estimator="lin", covariates=["age", "age_squared"]), tables) == ()


def test_covariate_that_the_strata_determine(trial, make_tables, people, earnings):
    tables = make_tables(people.assign(is_north=people["town"] == "north"), {"earnings": earnings})
    error = refusal(trial, tables, "design.collinear", estimator="ancova", strata="town", covariates=["is_north"])
    assert "«is_north»" in error.what


@pytest.mark.parametrize("field", ["covariates", "weights"])
def test_infinite_value(trial, people, field):
    # Tables hold none; a frame that comes another way is refused here.
    frame = people.assign(weight=people["weight"].where(people.index != 4, np.inf))
    design = trial(**{field: ["weight"] if field == "covariates" else "weight"})
    found = list(refusals.in_columns(design, frame))
    assert [error.code for error in found] == ["design.infinite"]
    assert "1 row." in found[0].what


def test_tables_refuse_infinite_outcomes(make_tables, people, earnings):
    with pytest.raises(DataError):
        make_tables(people, {"earnings": np.where(people.index == 3, np.inf, earnings)})


@pytest.mark.parametrize("errors", ["hc2", "hc3"])
def test_leverage_of_one(trial, make_tables, people, earnings, errors):
    tables = make_tables(people.assign(is_alone=people.index == 7), {"earnings": earnings})
    fields = {"estimator": "ancova", "covariates": ["is_alone"]}
    refusal(trial, tables, "design.leverage", standard_errors=errors, **fields)
    assert problems(trial(standard_errors="hc1", **fields), tables) == ()


def test_alternative_that_repeats_the_headline(trial, tables):
    repeated = [{"estimator": "difference_in_means", "standard_errors": "hc2"}]
    refusal(trial, tables, "design.duplicate_term", alternatives=repeated)


def test_stratum_with_one_arm(trial, make_tables, people, earnings):
    frame = people.assign(block=np.where(people.index < 4, "odd", people["town"]))
    error = refusal(trial, make_tables(frame, {"earnings": earnings}), "design.stratum_one_arm", strata="block")
    assert "1 of the strata" in error.what


def test_stratum_with_a_single_person_in_an_arm(trial, make_tables, people, earnings):
    first_of_each = people.groupby("is_treated").head(1).index
    frame = people.assign(block=np.where(people.index.isin(first_of_each), "pair", people["town"]))
    tables = make_tables(frame, {"earnings": earnings})
    refusal(trial, tables, "design.stratum_too_small", strata="block")
    # Matched pairs can be fixed effects.
    pairs = {"estimator": "ancova", "covariates": ["age"], "standard_errors": "hc1", "strata": "block"}
    assert problems(trial(**pairs), tables) == ()


def test_strata_and_clusters_with_missing_values(trial, make_tables, people, earnings):
    frame = people.assign(town=people["town"].where(people.index > 1))
    refusal(trial, make_tables(frame, {"earnings": earnings}), "design.missing_values", strata="town")
    frame = people.assign(group=people["group"].where(people.index > 1))
    clustered = {"clusters": "group", "standard_errors": "clustered"}
    refusal(trial, make_tables(frame, {"earnings": earnings}), "design.missing_values", **clustered)


def test_treatment_that_varies_in_a_cluster(trial, make_tables, people, earnings):
    frame = people.assign(is_treated=people["is_treated"] ^ (people.index == 0))
    error = refusal(
        trial,
        make_tables(frame, {"earnings": earnings}),
        "design.treatment_varies_in_cluster",
        clusters="group",
        standard_errors="clustered",
    )
    assert "1 of the clusters" in error.what


def test_cluster_in_two_strata(trial, make_tables, people, earnings):
    frame = people.assign(town=np.where(people.index == 0, "south", people["town"]))
    tables = make_tables(frame, {"earnings": earnings})
    clustered = {"clusters": "group", "strata": "town", "standard_errors": "clustered"}
    refusal(trial, tables, "design.cluster_in_several_strata", **clustered)


def test_few_clusters_per_arm_count_as_few(trial, make_tables, people, earnings):
    frame = people.assign(group=np.where(people["is_treated"], "all", people["group"]))
    tables = make_tables(frame, {"earnings": earnings})
    error = refusal(trial, tables, "design.too_few", clusters="group", standard_errors="clustered")
    assert "clusters" in error.what


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_weights_that_are_not_positive(trial, make_tables, people, earnings, weight):
    tables = make_tables(
        people.assign(weight=people["weight"].where(people.index != 3, weight)), {"earnings": earnings}
    )
    refusal(trial, tables, "design.weights_not_positive", weights="weight")


def test_missing_weight(trial, make_tables, people, earnings):
    tables = make_tables(people.assign(weight=people["weight"].where(people.index != 3)), {"earnings": earnings})
    refusal(trial, tables, "design.missing_values", weights="weight")


def test_several_problems_are_told_at_once(trial, tables):
    design = trial(covariates=["town", "agee"], clusters="group")
    with pytest.raises(DesignError) as error:
        require_sound(design, tables)
    assert error.value.code == "design.several"
    for words in ("3 reasons", "«town»", "«agee»", "whole groups"):
        assert words in str(error.value)


def test_messages_hold_no_value_of_a_person(trial, make_tables, people, earnings):
    frame = people.assign(
        age=people["age"].where(people.index != 0, 87654.5).where(people.index != 1),
        town=np.where(people.index == 0, "Secretville", people["town"]),
        weight=people["weight"].where(people.index != 0, -31415.9),
        group=np.where(people.index == 0, "Hidden House", people["group"]),
    )
    tables = make_tables(frame, {"earnings": earnings})
    for fields in (
        {"covariates": ["age", "town"], "weights": "weight"},
        {"strata": "town"},
        {"strata": "town", "clusters": "group", "standard_errors": "clustered"},
    ):
        found = problems(trial(**fields), tables)
        assert found
        text = "\n".join(str(error) for error in found)
        assert not any(secret in text for secret in ("87654", "Secretville", "31415", "Hidden House", "person-0"))


def test_outcome_in_one_arm_only(trial, make_tables, people, earnings):
    only_treated = np.where(people["is_treated"], earnings, np.nan)
    result = estimate(trial(), make_tables(people, {"earnings": earnings, "wages": only_treated}))["wages"]
    assert result.unavailable_reason == "Nobody in the comparison group has this outcome."


def test_outcome_that_does_not_vary_within_the_groups(trial, make_tables, people):
    result = estimate(trial(), make_tables(people, {"offer": people["is_treated"].astype(float)})).primary
    assert "does not vary" in result.unavailable_reason


def test_outcome_known_for_one_person_of_an_arm(trial, make_tables, people, earnings):
    known = ~people["is_treated"] | (people.index == people.index[people["is_treated"]][0])
    result = estimate(trial(), make_tables(people, {"earnings": np.where(known, earnings, np.nan)})).primary
    assert "Too few" in result.unavailable_reason
    assert not any(character.isdigit() for character in result.unavailable_reason)


def test_alternative_that_the_outcome_cannot_carry_is_left_out_with_a_warning(trial, make_tables, people, earnings):
    # Nobody who has the second outcome is a parent, so that covariate is constant for it.
    second = np.where(people["is_parent"], np.nan, earnings)
    design = trial(covariates=["is_parent"], alternatives=[{"estimator": "ancova", "standard_errors": "hc1"}])
    effects = estimate(design, make_tables(people, {"earnings": earnings, "wages": second}))
    assert effects["earnings"].effects["term"].tolist() == ["difference_in_means, hc2", "ancova, hc1"]
    assert effects["wages"].effects["term"].tolist() == ["difference_in_means, hc2"]
    left_out = [text for text in effects["wages"].warnings if "«ancova, hc1» is left out" in text]
    assert len(left_out) == 1
    # That no parent has the outcome is not for publication.
    assert "parent" not in left_out[0]


def test_few_clusters_warn(trial, tables):
    result = estimate(trial(clusters="group", standard_errors="clustered"), tables).primary
    assert any("only 20 clusters" in text for text in result.warnings)
    assert result.n_clusters == 20
    assert len(set(result.influence_ids)) == 20


def test_whole_numbers_that_may_be_missing_are_numbers(trial, make_tables, people, earnings):
    # pandas' nullable types come from schemas in which a column is not required.
    tables = make_tables(people.assign(age=people["age"].astype(int)), {"earnings": earnings})
    assert isinstance(tables.participants["age"].dtype, np.dtype | pd.Int64Dtype)
    with_float = make_tables(people, {"earnings": earnings})
    design = trial(estimator="lin", covariates=["age"])
    assert estimate(design, tables).headline() == estimate(design, with_float).headline()
