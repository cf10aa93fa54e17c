"""Few clusters, pairs, taking part and several arms: what is refused, what is said, who is left out, what is shown."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from virkning.checks import run_checks
from virkning.designs import estimate, problems, require_sound
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError
from virkning.numerics.wild_bootstrap import every_sign, multipliers, wild_bootstrap


@pytest.fixture
def persons(people: pd.DataFrame) -> pd.DataFrame:
    """The eighty persons in forty pairs of one offered and one not, with arms and with who took part."""
    generator = np.random.default_rng(4)
    pair = people.groupby("is_treated").cumcount()
    draw = generator.random(len(people))
    arm = np.where(people["is_treated"], np.where(np.arange(80) % 8 < 4, "mentor", "course"), "nothing")
    return people.assign(
        pair=[f"pair {number}" for number in pair],
        # Groups 2k and 2k + 1 are treated alike, so a pair of groups is one of each kind.
        double=[f"double {4 * (number // 4) + number % 2}" for number in np.repeat(np.arange(20), 4)],
        took=np.where(people["is_treated"], draw < 0.7, draw < 0.2),
        arm=arm,
    )


@pytest.fixture
def tables(make_tables, persons, earnings):
    return make_tables(persons, {"earnings": earnings})


PAIRED = {"pairs": "pair", "standard_errors": "paired"}
DOUBLED = {"pairs": "double", "clusters": "group", "standard_errors": "paired"}


def refusal(design, tables, code: str) -> DesignError:
    """Return the one error that the design gives."""
    found = problems(design, tables)
    assert [error.code for error in found] == [code]
    with pytest.raises(DesignError) as raised:
        require_sound(design, tables)
    assert raised.value.exit_code == 12
    assert raised.value.where
    assert raised.value.why
    assert raised.value.do
    return raised.value


@pytest.mark.parametrize(
    "fields",
    [
        PAIRED,
        DOUBLED,
        {**PAIRED, "estimator": "ancova", "covariates": ["age"], "takes_part": "took"},
        {"clusters": "group", "standard_errors": "cr2", "takes_part": "took", "strata": "town"},
        {"clusters": "group", "standard_errors": "wild_bootstrap", "takes_part": "took"},
        {"arm": "arm", "takes_part": "took", "weights": "weight"},
        {"arm": "arm", "clusters": "group", "standard_errors": "wild_bootstrap"},
    ],
)
def test_sound_designs_pass(trial, tables, fields):
    design = trial(**fields)
    assert problems(design, tables) == ()
    result = estimate(design, tables, seed=3).primary
    rows = result.effects
    assert (rows["lower"] < rows["value"]).all()
    assert (rows["value"] < rows["upper"]).all()
    assert rows["p_value"].between(0, 1).all()
    assert result.influence.shape == (80, len(rows))
    np.testing.assert_array_equal(np.diag(result.covariance), rows["std_error"].to_numpy() ** 2)
    assert estimate(design, tables, seed=3).to_json() == estimate(design, tables, seed=3).to_json()
    checks = run_checks(design, tables, estimate(design, tables, seed=3))
    assert checks["randomisation_inference"].numbers["value"] == pytest.approx(result.headline().value, rel=1e-9)


# Few clusters


@pytest.mark.parametrize("errors", ["cr2", "wild_bootstrap"])
def test_errors_by_cluster_need_clusters(trial, tables, errors):
    refusal(trial(standard_errors=errors), tables, "design.no_clusters")


@pytest.mark.parametrize("errors", ["clustered", "cr2", "wild_bootstrap"])
def test_one_cluster(trial, make_tables, persons, earnings, errors):
    one = make_tables(persons.assign(group="all", is_treated=True), {"earnings": earnings})
    refusal(trial(clusters="group", standard_errors=errors), one, "design.one_arm")
    split = make_tables(persons.assign(group="all"), {"earnings": earnings})
    refusal(trial(clusters="group", standard_errors=errors), split, "design.treatment_varies_in_cluster")


def test_bootstrap_counts_no_degrees_of_freedom(trial, tables):
    design = trial(clusters="group", standard_errors="wild_bootstrap", degrees_of_freedom="residual")
    refusal(design, tables, "design.bootstrap_freedom")


def test_bootstrap_follows_the_seed(trial, make_tables, persons, earnings):
    # Eight clusters: Webb's factors are drawn. Twenty would be drawn too; twelve to fourteen are listed.
    few = make_tables(
        persons.assign(group=[f"g{number // 10}" for number in range(80)], is_treated=np.arange(80) // 10 % 2 == 0),
        {"earnings": earnings},
    )
    design = trial(clusters="group", standard_errors="wild_bootstrap")
    first, again, other = (estimate(design, few, seed=seed).primary.effects.iloc[0] for seed in (1, 1, 2))
    assert first.equals(again)
    assert first["value"] == other["value"]
    assert first["lower"] != other["lower"]
    assert abs(first["p_value"] - other["p_value"]) < 0.03


@pytest.mark.parametrize(
    ("n_clusters", "is_exact", "n"),
    [(4, False, 50), (11, False, 50), (12, True, 4096), (14, True, 16384), (15, False, 50)],
)
def test_which_multipliers_are_drawn(n_clusters, is_exact, n):
    drawn = multipliers(n_clusters, np.random.default_rng(0), 50)
    assert drawn.is_exact == is_exact
    assert drawn.values.shape == (n, n_clusters)
    sizes = np.unique(np.abs(drawn.values))
    np.testing.assert_allclose(sizes, np.sqrt([0.5, 1, 1.5]) if n_clusters < 12 else [1.0])


def test_signs_of_five_clusters_know_no_bounds():
    # Of the 32 combinations, the two that change all signs or none are always as far out as the estimate: p >= 1/16.
    generator = np.random.default_rng(2)
    codes = np.repeat(np.arange(5), 4)
    matrix = np.column_stack([np.ones(20), codes % 2])
    drawn = dataclasses.replace(multipliers(12, generator), values=every_sign(5))
    found = wild_bootstrap(generator.normal(size=20), matrix[:, 1], matrix, 1, codes, drawn)
    assert found.interval(0.95) is None
    assert found.interval(0.8) is not None
    assert found.p_value(1e6) == 2 / 32


def test_headline_without_bounds_is_unavailable(trial, make_tables, persons, earnings):
    four = make_tables(
        persons.assign(group=[f"g{number // 20}" for number in range(80)], is_treated=np.arange(80) // 20 % 2 == 0),
        {"earnings": earnings},
    )
    design = trial(clusters="group", standard_errors="wild_bootstrap", confidence=0.999)
    assert "rules out no effect" in estimate(design, four).primary.unavailable_reason
    result = estimate(trial(clusters="group", standard_errors="wild_bootstrap"), four).primary
    assert any("fewer than 5 clusters" in text for text in result.warnings)


def test_errors_made_for_few_clusters_do_not_warn_of_them(trial, tables):
    result = estimate(trial(clusters="group", standard_errors="cr2"), tables).primary
    assert not any("clusters" in text for text in result.warnings)
    assert result.n_clusters == 20
    assert "Satterthwaite" in result.degrees_of_freedom_rule
    assert result.degrees_of_freedom < 19


@pytest.mark.parametrize(
    ("rule", "fields", "count"),
    [
        ("standard", {}, 78),
        ("residual", {}, 78),
        ("large_sample", {}, np.inf),
        ("standard", {"clusters": "group", "standard_errors": "clustered"}, 19),
        ("residual", {"clusters": "group", "standard_errors": "clustered"}, 78),
        ("large_sample", {"clusters": "group", "standard_errors": "cr2"}, np.inf),
        ("standard", PAIRED, 39),
        ("residual", PAIRED, 39),
        ("standard", DOUBLED, 9),
        ("large_sample", PAIRED, np.inf),
    ],
)
def test_rules_for_degrees_of_freedom(trial, tables, rule, fields, count):
    result = estimate(trial(degrees_of_freedom=rule, **fields), tables).primary
    standard = estimate(trial(**fields), tables).primary
    assert result.degrees_of_freedom == count
    assert result.degrees_of_freedom_rule
    assert (result.effects["std_error"] == standard.effects["std_error"]).all()


# Strata


def test_uneven_strata_are_told_when_fixed_effects_weigh_them(trial, make_tables, people, earnings):
    is_treated = np.where(people["town"] == "north", people.index % 4 < 3, people.index % 4 < 1)
    north = np.arange(80) < 40
    frame = people.assign(
        town=np.where(north, "north", "south"),
        is_treated=np.where(north, is_treated, ~north & (np.arange(80) % 4 == 0)),
    )
    uneven = make_tables(frame, {"earnings": earnings})
    ancova = trial(strata="town", estimator="ancova", covariates=["age"])
    assert any("differs between strata" in text for text in estimate(ancova, uneven).primary.warnings)
    means = trial(strata="town")
    assert not any("differs between strata" in text for text in estimate(means, uneven).primary.warnings)
    found = means.findings(uneven, estimate(means, uneven).primary)
    assert [item.name for item in found] == ["strata"]
    assert "not the same" in found[0].sentence


def test_strata_table_adds_up_to_the_headline(trial, tables):
    design = trial(strata="town")
    result = estimate(design, tables).primary
    rows = design.findings(tables, result)[0].table.frame
    assert rows["stratum"].tolist() == ["north", "south"]
    assert (rows["value"] * rows["weight"]).sum() == pytest.approx(result.headline().value, rel=1e-12)
    assert rows[["n_treated", "n_comparison"]].to_numpy().sum() == 80


# Pairs


def test_pairs_need_their_errors(trial, tables):
    refusal(trial(pairs="pair"), tables, "design.ignores_pairs")
    refusal(trial(standard_errors="paired"), tables, "design.no_pairs")


@pytest.mark.parametrize(
    "fields",
    [
        {"strata": "town"},
        {"weights": "weight"},
        {"arm": "arm"},
        {"estimator": "lin", "covariates": ["age"]},
    ],
)
def test_what_cannot_stand_beside_pairs(trial, tables, fields):
    refusal(trial(**PAIRED, **fields), tables, "design.beside_pairs")


def test_pair_with_two_treated(trial, make_tables, persons, earnings):
    swapped = persons.assign(is_treated=persons["is_treated"] | (persons["pair"] == "pair 3"))
    error = refusal(trial(**PAIRED), make_tables(swapped, {"earnings": earnings}), "design.incomplete_pairs")
    assert error.what.startswith("1 of the pairs")
    assert "pair 3" not in str(error)


def test_pair_with_a_half_missing(trial, make_tables, persons, earnings):
    frame = persons.assign(pair=persons["pair"].where(persons.index != 0, "alone"))
    error = refusal(trial(**PAIRED), make_tables(frame, {"earnings": earnings}), "design.incomplete_pairs")
    assert error.what.startswith("2 of the pairs")


def test_pair_of_three_is_a_stratum(trial, make_tables, persons, earnings):
    frame = persons.assign(pair=persons["pair"].replace({"pair 1": "pair 0"}))
    error = refusal(trial(**PAIRED), make_tables(frame, {"earnings": earnings}), "design.incomplete_pairs")
    assert "strata" in error.do


def test_cluster_in_two_pairs(trial, make_tables, persons, earnings):
    frame = persons.assign(double=persons["double"].where(persons.index != 0, "double 1"))
    refusal(trial(**DOUBLED), make_tables(frame, {"earnings": earnings}), "design.cluster_in_several_pairs")


def test_unknown_and_incomplete_columns(trial, make_tables, persons, earnings):
    tables = make_tables(persons.assign(pair=persons["pair"].where(persons.index > 0)), {"earnings": earnings})
    refusal(trial(**PAIRED), tables, "design.missing_values")
    for field in ("arm", "takes_part"):
        assert "Did you mean" in refusal(trial(**{field: "tok"}), tables, "design.unknown_column").do


def test_covariate_that_no_pair_differs_in(trial, make_tables, persons, earnings):
    tables = make_tables(persons.assign(cohort=persons["pair"].str.len().astype(float)), {"earnings": earnings})
    design = trial(**PAIRED, estimator="ancova", covariates=["cohort"])
    assert "«cohort»" in refusal(design, tables, "design.collinear").what


def test_broken_pairs_are_left_out_and_counted(trial, make_tables, persons, earnings):
    known = earnings.copy()
    known[[0, 9]] = np.nan
    tables = make_tables(persons, {"earnings": known})
    design = trial(**PAIRED)
    missing, partners = design.exclusions(tables, "earnings")
    assert missing.persons.sum() == 2
    lost = set(persons.loc[[0, 9], "pair"])
    assert set(persons.loc[partners.persons, "pair"]) == lost
    assert not (partners.persons & missing.persons).any()
    result = estimate(design, tables).primary
    assert result.n_units == 80 - missing.persons.sum() - partners.persons.sum()
    assert any("half of a pair" in text for text in result.warnings)
    assert len(set(result.influence_ids)) == result.n_units // 2


def test_pairs_inside_a_group_of_persons(trial, tables, persons):
    design = trial(**PAIRED)
    assert design.within(persons).pairs == "pair"
    half = persons[persons["age"] > persons["age"].median()]
    assert (design.within(half).pairs, design.within(half).standard_errors) == (None, "hc2")
    assert trial(**DOUBLED).within(half).standard_errors == "cr2"


# Taking part


def test_taking_part_must_be_yes_or_no(trial, tables):
    refusal(trial(takes_part="age"), tables, "design.takes_part_not_boolean")


def test_taking_part_that_is_the_offer(trial, tables):
    refusal(trial(takes_part="is_treated"), tables, "design.no_compliers")


def test_same_taking_part_in_both_groups(trial, make_tables, persons, earnings):
    same = make_tables(persons.assign(took=np.arange(80) % 2 == 0), {"earnings": earnings})
    assert "No more of those" in refusal(trial(takes_part="took"), same, "design.no_compliers").what
    nobody = make_tables(persons.assign(took=False), {"earnings": earnings})
    assert "same value" in refusal(trial(takes_part="took"), nobody, "design.no_compliers").what
    turned = make_tables(persons.assign(took=~persons["took"]), {"earnings": earnings})
    refusal(trial(takes_part="took"), turned, "design.no_compliers")


def test_same_taking_part_among_those_with_the_outcome(trial, make_tables, persons, earnings):
    # Everybody together shows a difference, those with the second outcome show none: the offer's effect stays.
    second = np.where(persons["took"], np.nan, earnings)
    tables = make_tables(persons, {"earnings": earnings, "wages": second})
    effects = estimate(trial(takes_part="took"), tables)
    assert effects["earnings"].effects["term"].tolist() == ["difference_in_means, hc2", "compliers, hc2"]
    assert effects["wages"].effects["term"].tolist() == ["difference_in_means, hc2"]
    assert any("compliers is left out" in text for text in effects["wages"].warnings)


def test_everybody_does_as_the_lottery_said(trial, make_tables, persons, earnings):
    tables = make_tables(persons.assign(took=persons["is_treated"]), {"earnings": earnings})
    design = trial(takes_part="took")
    result = estimate(design, tables).primary
    first, second = (result.effects.iloc[row] for row in (0, 1))
    for name in ("value", "std_error", "lower", "upper", "p_value"):
        assert second[name] == pytest.approx(first[name], rel=1e-10)
    assert any("exactly as the lottery said" in text for text in result.warnings)
    assert "F =" not in design.findings(tables, result)[0].sentence


def test_offer_that_hardly_moves_anybody(trial, make_tables, persons, earnings):
    took = persons["is_treated"].where(persons.index < 12, np.arange(80) % 2 == 0).astype(bool)
    result = estimate(trial(takes_part="took"), make_tables(persons.assign(took=took), {"earnings": earnings})).primary
    assert any("hardly moved" in text for text in result.warnings)


def test_take_up_is_shown_and_small_groups_are_hidden(trial, tables, make_tables, persons, earnings):
    design = trial(takes_part="took", arm="arm")
    found = {item.name: item for item in design.findings(tables, estimate(design, tables).primary)}
    rows = found["take-up"].table.frame
    assert rows["group"].tolist() == ["Arm «course»", "Arm «mentor»", "Comparison group"]
    assert rows["n"].sum() == 80
    assert rows["n_took"].sum() == persons["took"].sum()
    one = persons.assign(took=persons["is_treated"] & (persons.index != persons.index[persons["is_treated"]][0]))
    only = make_tables(one, {"earnings": earnings})
    plain = trial(takes_part="took")
    item = plain.findings(only, estimate(plain, only).primary)[0]
    cleared = clear(item.table, DisclosureRule())
    assert cleared.hidden.loc[0, ["n_took", "n_not", "share"]].all()
    assert not any(character.isdigit() for character in item.sentence.split("F =")[0])


# Several arms


def test_arms_are_terms_with_their_own_numbers(trial, tables, persons):
    design = trial(arm="arm")
    result = estimate(design, tables).primary
    rows = result.effects.set_index("term")
    assert rows.index.tolist() == ["difference_in_means, hc2", "arm «course», hc2", "arm «mentor», hc2"]
    counts = persons["arm"].value_counts()
    assert rows.loc["arm «mentor», hc2", "n_treated"] == counts["mentor"]
    assert (rows["n_comparison"] == counts["nothing"]).all()
    finding = design.findings(tables, result, seed=1)[0]
    frame = finding.table.frame
    assert frame["arm"].tolist() == ["course", "mentor"]
    assert (frame["p_holm"] >= frame["p_value"]).all()
    assert frame["p_holm"].min() == pytest.approx(min(1, 2 * frame["p_value"].min()))
    assert frame["p_lottery"].between(1e-5, 1).all()
    assert "any of the arms" in result.estimand.quantity
    again = design.findings(tables, result, seed=1)[0].table.frame
    pd.testing.assert_frame_equal(frame, again, check_exact=True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"arm": "course"}, "design.comparison_arm"),
        ({"arm": "second nothing"}, "design.comparison_arm"),
    ],
)
def test_comparison_group_is_one_arm(trial, make_tables, persons, earnings, change, code):
    first = persons.index[~persons["is_treated"]][0]
    frame = persons.assign(arm=persons["arm"].where(persons.index != first, change["arm"]))
    refusal(trial(arm="arm"), make_tables(frame, {"earnings": earnings}), code)


def test_single_arm(trial, make_tables, persons, earnings):
    frame = persons.assign(arm=persons["arm"].replace({"course": "mentor"}))
    refusal(trial(arm="arm"), make_tables(frame, {"earnings": earnings}), "design.one_treated_arm")


def test_arm_with_one_person(trial, make_tables, persons, earnings):
    first = persons.index[persons["is_treated"]][0]
    frame = persons.assign(arm=persons["arm"].where(persons.index != first, "Secret House"))
    error = refusal(trial(arm="arm"), make_tables(frame, {"earnings": earnings}), "design.too_few")
    assert error.what.startswith("In 1 of the arms")
    assert "Secret House" not in str(error)


def test_arm_without_an_outcome_is_left_out_with_its_reason(trial, make_tables, persons, earnings):
    second = np.where(persons["arm"] == "mentor", np.nan, earnings)
    tables = make_tables(persons, {"earnings": earnings, "wages": second})
    effects = estimate(trial(arm="arm"), tables)
    assert effects["wages"].effects["term"].tolist() == ["difference_in_means, hc2", "arm «course», hc2"]
    few = np.where((persons["arm"] == "mentor") & (persons.index > 0), np.nan, earnings)
    result = estimate(trial(arm="arm"), make_tables(persons, {"earnings": few})).primary
    assert any("«mentor» is left out" in text for text in result.warnings)
    design = trial(arm="arm")
    assert design.findings(make_tables(persons, {"earnings": few}), result)[0].table.frame["arm"].tolist() == ["course"]


def test_arm_of_numbers(trial, tables):
    refusal(trial(arm="age"), tables, "design.arm_not_text")


def test_groups_of_persons_have_the_headline_only(trial, tables, persons):
    own = trial(arm="arm", takes_part="took", covariates=["age"], estimator="lin").within(persons)
    assert (own.arm, own.takes_part, own.alternatives) == (None, None, ())


def test_flow_and_estimate_count_alike(trial, make_tables, persons, earnings):
    known = earnings.copy()
    known[[0, 9, 30]] = np.nan
    tables = make_tables(persons, {"earnings": known})
    design = trial(**PAIRED)
    left = ~np.any([item.persons for item in design.exclusions(tables, "earnings")], axis=0)
    assert left.sum() == estimate(design, tables).primary.n_units
