"""A matched comparison that its data cannot honour is refused with its code; what it leaves out is said in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from virkning.designs import estimate, problems
from virkning.designs.matched_comparison import MatchedComparison
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DataError, DesignError
from virkning.numerics.overlap import effective_size, in_common_support, overlap

EVERY = ("unadjusted", "regression", "regression_adjustment", "weighting", "entropy_balancing", "doubly_robust")


@pytest.fixture
def people():
    """Two hundred persons of whom the older and the parents took part more often."""
    generator = np.random.default_rng(8)
    n = 200
    age, is_parent = generator.normal(40, 8, size=n), generator.random(n) < 0.4
    chance = 1 / (1 + np.exp(-(0.08 * (age - 40) + 0.8 * is_parent - 1)))
    return pd.DataFrame(
        {
            "is_treated": generator.random(n) < chance,
            "age": age,
            "is_parent": is_parent,
            "town": np.where(generator.random(n) < 0.5, "north", "south"),
        }
    )


@pytest.fixture
def earnings(people):
    noise = np.random.default_rng(9).normal(0, 8, size=len(people))
    return 50 + 10.0 * people["is_treated"].to_numpy() + 0.5 * people["age"].to_numpy() + noise


@pytest.fixture
def tables(make_tables, people, earnings):
    return make_tables(people, {"earnings": earnings})


def comparison(**fields):
    fields = {"covariates": ["age", "is_parent"], **fields}
    return MatchedComparison(population="the participants", comparison="others like them", **fields)


def refusal(tables, code, **fields):
    """Return the one error that the design gives."""
    design = comparison(**fields)
    assert [error.code for error in problems(design, tables)] == [code]
    with pytest.raises(DesignError) as raised:
        estimate(design, tables)
    assert raised.value.code == code
    assert raised.value.where
    assert raised.value.why
    assert raised.value.do
    return raised.value


@pytest.mark.parametrize("target", ["att", "ate"])
@pytest.mark.parametrize("trimming", ["none", "common_support", "bounds"])
def test_sound_designs_pass(tables, target, trimming):
    alternatives = [{"estimator": name} for name in EVERY]
    alternatives.append({"estimator": "matching", "matching": {"neighbours": 3, "caliper": 0.2, "exact": ["town"]}})
    design = comparison(estimand=target, trimming={"rule": trimming}, alternatives=alternatives)
    assert problems(design, tables) == ()
    result = estimate(design, tables).primary
    assert len(result.effects) == 8
    assert result.effects["term"].is_unique
    assert result.effects["term"].iloc[-1] == "matching 3 to 1 within 0.2 SD exact on town, ai_score"
    assert np.isfinite(result.effects["std_error"]).all()
    assert result.influence.shape == (result.n_units, 8)
    # The effect is 10; four standard errors leave no room for a mistake of sign or group.
    assert (abs(result.effects["value"] - 10) < 4 * result.effects["std_error"] + 5).all()


@pytest.mark.parametrize("field", ["treatment", "covariates", "outcome_covariates"])
def test_unknown_column(tables, field):
    misspelt = {"treatment": "is_treatd", "covariates": ["agee"], "outcome_covariates": ["agee"]}
    assert "Did you mean" in refusal(tables, "design.unknown_column", **{field: misspelt[field]}).do


@pytest.mark.parametrize("name", ["twon", "participant_id", "is_treated"])
def test_unknown_key_column(tables, name):
    refusal(tables, "design.unknown_column", matching={"exact": [name]})


def test_missing_values(make_tables, people, earnings):
    tables = make_tables(people.assign(age=people["age"].where(people.index != 4)), {"earnings": earnings})
    assert "«age»" in refusal(tables, "design.missing_values").what
    tables = make_tables(people.assign(town=people["town"].where(people.index != 4)), {"earnings": earnings})
    assert "«town»" in refusal(tables, "design.missing_values", matching={"exact": ["town"]}).what


def test_infinite_covariate(make_tables, people, earnings):
    # The schema refuses infinite numbers before any design sees them.
    with pytest.raises(DataError):
        make_tables(people.assign(age=people["age"].where(people.index != 4, np.inf)), {"earnings": earnings})


@pytest.mark.parametrize("value", [True, False])
def test_one_arm(make_tables, people, earnings, value):
    refusal(make_tables(people.assign(is_treated=value), {"earnings": earnings}), "design.one_arm")


def test_too_few(make_tables, people, earnings):
    refusal(make_tables(people.assign(is_treated=people.index < 1), {"earnings": earnings}), "design.too_few")


@pytest.mark.parametrize("estimator", ["matching", *EVERY[1:]])
def test_no_covariates(tables, estimator):
    refusal(tables, "design.no_covariates", estimator=estimator, covariates=[])


def test_unadjusted_needs_none(tables):
    assert estimate(comparison(estimator="unadjusted", covariates=[]), tables).primary.is_available


def test_covariate_that_is_the_treatment(tables):
    refusal(tables, "design.covariate_is_treatment", covariates=["age", "is_treated"])


def test_covariate_named_twice(tables):
    refusal(tables, "design.duplicate_covariate", covariates=["age", "age"])


def test_covariate_of_text(tables):
    refusal(tables, "design.not_a_number", covariates=["town"])


@pytest.mark.parametrize("estimator", ["matching", *EVERY[1:]])
def test_collinear_covariate_is_named(make_tables, people, earnings, estimator):
    tables = make_tables(people.assign(months=people["age"] * 12 + 7), {"earnings": earnings})
    error = refusal(tables, "design.collinear", estimator=estimator, covariates=["age", "is_parent", "months"])
    assert "«months»" in error.what


@pytest.mark.parametrize("estimator", ["matching", "weighting", "doubly_robust"])
@pytest.mark.parametrize("kind", ["complete", "quasi"])
def test_separation(make_tables, people, earnings, estimator, kind):
    treated = people["is_treated"]
    marker = treated if kind == "complete" else treated & people["is_parent"]
    tables = make_tables(people.assign(marker=marker.astype(float)), {"earnings": earnings})
    refusal(tables, "design.separation", estimator=estimator, covariates=["age", "marker"])


def test_separation_is_no_matter_without_a_score(make_tables, people, earnings):
    marker = (people["is_treated"] & people["is_parent"]).astype(float)
    tables = make_tables(people.assign(marker=marker), {"earnings": earnings})
    assert estimate(comparison(estimator="regression", covariates=["age", "marker"]), tables).primary.is_available


@pytest.mark.parametrize("estimator", ["regression_adjustment", "doubly_robust"])
def test_outcome_regression_that_one_group_does_not_determine(make_tables, people, earnings, estimator):
    marker = (people["is_treated"] & people["is_parent"]).astype(float)
    tables = make_tables(people.assign(marker=marker), {"earnings": earnings})
    error = refusal(tables, "design.collinear", estimator=estimator, outcome_covariates=["age", "marker"])
    assert "«marker»" in error.what


def test_balance_out_of_reach(make_tables, people, earnings):
    older = people.assign(age=people["age"] + 100 * people["is_treated"])
    refusal(make_tables(older, {"earnings": earnings}), "design.no_balance", estimator="entropy_balancing")


@pytest.mark.parametrize(
    ("estimator", "errors"),
    [("matching", "sandwich"), ("weighting", "hc2"), ("unadjusted", "sandwich"), ("doubly_robust", "ai_score")],
)
def test_errors_that_do_not_account_for_the_estimator(tables, estimator, errors):
    refusal(tables, "design.errors_of_estimator", estimator=estimator, standard_errors=errors)


def test_duplicate_term(tables):
    refusal(tables, "design.duplicate_term", alternatives=[{"estimator": "matching"}])


def test_matching_settings_of_an_estimator_that_does_not_match(tables):
    refusal(tables, "design.matching_not_used", alternatives=[{"estimator": "weighting", "matching": {}}])


def test_without_replacement(make_tables, tables, people, earnings):
    refusal(tables, "design.ties_without_replacement", matching={"replacement": False})
    once = {"replacement": False, "ties": "first"}
    refusal(tables, "design.replacement_needed", matching=once, estimand="ate")
    refusal(tables, "design.too_few_comparison", matching={**once, "neighbours": 50})
    refusal(tables, "design.errors_of_estimator", matching=once, standard_errors="ai_score")
    assert estimate(comparison(matching=once), tables).primary.effects["term"].iloc[0].endswith(", ai_robust")
    for order in ("largest", "smallest", "data"):
        assert estimate(comparison(matching={**once, "order": order}), tables).primary.is_available


def test_nobody_near_enough(tables):
    refusal(tables, "design.nobody_matched", matching={"caliper": 1e-12})


def test_nobody_equal_on_the_key(make_tables, people, earnings):
    alone = people.assign(town=np.where(people["is_treated"], "north", "south"))
    refusal(make_tables(alone, {"earnings": earnings}), "design.nobody_matched", matching={"exact": ["town"]})


@pytest.mark.parametrize(("lower", "upper", "code"), [(0.9, 0.1, "trimming_bounds"), (0.98, 0.99, "trimmed_away")])
def test_trimming_that_leaves_nobody(tables, lower, upper, code):
    refusal(tables, f"design.{code}", trimming={"rule": "bounds", "lower": lower, "upper": upper})


@pytest.mark.parametrize("settings", [{"caliper": -1}, {"caliper": float("inf")}, {"neighbours": 0}, {"ties": "some"}])
def test_impossible_settings(settings):
    with pytest.raises(ValidationError):
        comparison(matching=settings)


def test_messages_hold_no_value_of_a_person(make_tables, people, earnings):
    frame = people.assign(
        age=people["age"].where(people.index != 0, 87654.5).where(people.index != 1),
        town=people["town"].where(people.index != 0, "Secretville").where(people.index != 1),
    )
    found = problems(
        comparison(covariates=["age", "town"], matching={"exact": ["town"]}), make_tables(frame, {"e": earnings})
    )
    assert found
    text = "\n".join(str(error) for error in found)
    assert not any(secret in text for secret in ("87654", "Secretville", "person-0"))


def test_outcome_that_does_not_vary_within_the_groups(make_tables, people):
    result = estimate(comparison(), make_tables(people, {"offer": people["is_treated"].astype(float)})).primary
    assert "does not vary" in result.unavailable_reason


def test_outcome_known_in_one_arm_only(make_tables, people, earnings):
    known = np.where(people["is_treated"], earnings, np.nan)
    result = estimate(comparison(), make_tables(people, {"earnings": earnings, "wages": known}))["wages"]
    assert result.unavailable_reason == "Nobody in the comparison group has this outcome."


def test_outcome_whose_persons_are_separated_has_a_reason(make_tables, people, earnings):
    # Those with the second outcome are parents exactly when they took part.
    known = people["is_treated"] == people["is_parent"]
    result = estimate(
        comparison(), make_tables(people, {"earnings": earnings, "wages": np.where(known, earnings, np.nan)})
    )
    assert "too little in common" in result["wages"].unavailable_reason
    assert not any(character.isdigit() for character in result["wages"].unavailable_reason)


def test_alternative_that_the_outcome_cannot_carry_is_left_out_with_a_warning(make_tables, people, earnings):
    known = np.where(people["is_parent"] & ~people["is_treated"], np.nan, earnings)
    design = comparison(estimator="unadjusted", alternatives=[{"estimator": "regression_adjustment"}])
    result = estimate(design, make_tables(people, {"earnings": earnings, "wages": known}))["wages"]
    assert result.effects["term"].tolist() == ["unadjusted, hc2"]
    assert sum("is left out for this outcome" in text for text in result.warnings) == 1


def analysed(design, tables):
    """Return who is left by arm once everybody with a reason is taken out."""
    left = np.ones(len(tables.participants), dtype=bool)
    for exclusion in design.exclusions(tables, "earnings"):
        left &= ~exclusion.persons
    treated = tables.participants[design.treatment].to_numpy(dtype=bool)
    return int((left & treated).sum()), int((left & ~treated).sum())


@pytest.mark.parametrize("target", ["att", "ate"])
@pytest.mark.parametrize("rule", ["none", "common_support", "bounds"])
@pytest.mark.parametrize("matching", [{}, {"caliper": 0.01}, {"caliper": 0.05, "exact": ["town"]}])
def test_exclusions_leave_those_whom_the_estimate_counts(make_tables, people, earnings, target, rule, matching):
    tables = make_tables(people, {"earnings": np.where(people.index < 7, np.nan, earnings)})
    trimming = {"rule": rule, "lower": 0.2, "upper": 0.6} if rule == "bounds" else {"rule": rule}
    design = comparison(estimand=target, trimming=trimming, matching=matching)
    row = estimate(design, tables).primary.effects.iloc[0]
    assert analysed(design, tables) == (row["n_treated"], row["n_comparison"])
    reasons = design.exclusions(tables, "earnings")
    assert len(reasons) == 1 + (rule != "none") + bool(matching)
    assert reasons[0].persons.sum() == 7


def test_who_is_left_out_is_told_in_words(tables):
    design = comparison(trimming={"rule": "bounds", "lower": 0.2, "upper": 0.6}, matching={"caliper": 0.01})
    assert all(exclusion.persons.any() for exclusion in design.exclusions(tables, "earnings")[1:])
    result = estimate(design, tables).primary
    assert sum("left out" in text for text in result.warnings) == 1
    assert sum("near enough" in text for text in result.warnings) == 1
    assert not any(character.isdigit() for text in result.warnings for character in text)


def test_exclusions_of_an_outcome_without_an_estimate(make_tables, people, earnings):
    tables = make_tables(people, {"earnings": np.where(people["is_treated"], np.nan, earnings)})
    (only,) = comparison(trimming={"rule": "common_support"}).exclusions(tables, "earnings")
    assert (only.persons == people["is_treated"].to_numpy()).all()


def test_weights_reproduce_the_headline(tables, earnings, people):
    treated = people["is_treated"].to_numpy()
    for estimator in ("matching", "weighting", "entropy_balancing", "unadjusted"):
        design = comparison(estimator=estimator)
        weights = design.weights_of(tables, "earnings")
        one, zero = (np.average(earnings[arm], weights=weights[arm]) for arm in (treated, ~treated))
        result = estimate(design, tables).primary
        assert one - zero == pytest.approx(result.headline().value, rel=1e-9)
        assert zero == pytest.approx(result.comparison_mean, rel=1e-9)
    assert comparison(estimator="doubly_robust").weights_of(tables, "earnings") is None


def test_random_ties_follow_the_seed(make_tables, people, earnings):
    tables = make_tables(people.assign(age=people["age"].round(-1)), {"earnings": earnings})
    design = comparison(matching={"ties": "random"})
    values = {seed: estimate(design, tables, seed=seed).headline().value for seed in range(5)}
    assert len(set(values.values())) > 1
    assert estimate(design, tables, seed=3).headline().value == values[3]


def test_within_a_group(people):
    design = comparison(outcome_covariates=["age", "is_parent"], alternatives=[{"estimator": "weighting"}])
    inside = design.within(people[people["is_parent"]])
    assert inside.covariates == inside.outcome_covariates == ("age",)
    assert inside.alternatives == ()


def test_overlap():
    score, treated = np.array([0.1, 0.3, 0.5, 0.2, 0.4, 0.9]), np.array([False] * 3 + [True] * 3)
    found = overlap(score, treated)
    assert found.treated.sum() == found.comparison.sum() == 3
    assert found.common_area == 0.0
    np.testing.assert_allclose(found.middles[[0, -1]], [0.14, 0.86])
    assert overlap(np.array([0.31, 0.31]), np.array([True, False])).common_area == pytest.approx(1.0)
    assert in_common_support(score, treated, "att").tolist() == [True, True, True, True, True, False]
    assert in_common_support(score, treated, "ate").tolist() == [False, True, True, True, True, False]
    assert effective_size(np.array([1.0, 1.0, 0.0])) == 2


def shown(design, tables):
    """Return the findings about earnings by name."""
    return {found.name: found for found in design.findings(tables, estimate(design, tables)["earnings"])}


def test_findings_follow_the_design(tables):
    everything = comparison(matching={"caliper": 0.02})
    assert list(shown(everything, tables)) == ["overlap", "left-out", "balance", "weights"]
    assert list(shown(comparison(estimator="weighting"), tables)) == ["overlap", "balance", "weights"]
    assert list(shown(comparison(estimator="doubly_robust"), tables)) == ["overlap", "balance"]
    assert list(shown(comparison(estimator="unadjusted", covariates=[]), tables)) == []


def test_balance_before_and_after(tables, people):
    frame = shown(comparison(estimator="entropy_balancing"), tables)["balance"].table.frame
    assert frame["trait"].tolist() == ["Age", "Age", "Is parent", "Is parent"]
    before, after = frame.iloc[::2], frame.iloc[1::2]
    treated = people["is_treated"]
    gap = people["age"][treated].mean() - people["age"][~treated].mean()
    spread = np.sqrt((people["age"][treated].var() + people["age"][~treated].var()) / 2)
    assert before["difference"].iloc[0] == pytest.approx(gap / spread)
    np.testing.assert_allclose(after["difference"], 0, atol=1e-8)
    np.testing.assert_allclose(after["treated_mean"], before["treated_mean"])


def test_weights_cost_precision(tables, people):
    found = shown(comparison(estimator="weighting"), tables)["weights"]
    rows = found.table.frame.set_index("group")
    n = int((~people["is_treated"]).sum())
    assert rows.loc["Comparison group", ["used", "unused"]].tolist() == [n, 0]
    assert 0 < rows.loc["Comparison group", "effective"] < n
    assert rows.loc["Offered the programme", "effective"] == pytest.approx(len(people) - n)
    assert "per cent of as many" in found.sentence


def test_findings_hide_small_classes(tables):
    table = shown(comparison(), tables)["overlap"].table
    cleared = clear(table, DisclosureRule())
    small = table.frame["n"].between(1, 4).to_numpy()
    assert small.any()
    assert cleared.frame["n"][small].isna().all()
    assert cleared.frame["share"][small].isna().all()


def test_sentences_name_no_rare_trait(make_tables, people, earnings):
    rare = people.assign(is_parent=np.arange(len(people)) % 40 == 0)
    design = comparison(estimator="weighting")
    sentence = shown(design, make_tables(rare, {"earnings": earnings}))["balance"].sentence
    assert "«Age»" in sentence
    assert "parent" not in sentence


def test_degrees_of_freedom(tables):
    design = comparison(estimator="regression", alternatives=[{"estimator": "weighting"}])
    found = {
        rule: estimate(design.model_copy(update={"degrees_of_freedom": rule}), tables).primary
        for rule in ("standard", "residual", "large_sample")
    }
    assert found["standard"].degrees_of_freedom == found["residual"].degrees_of_freedom == 196
    assert np.isinf(found["large_sample"].degrees_of_freedom)
    assert found["large_sample"].headline().upper < found["standard"].headline().upper
    assert found["large_sample"].headline().value == found["standard"].headline().value
