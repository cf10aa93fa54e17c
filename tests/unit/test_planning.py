"""Plans: what they take, what they refuse, and what they say."""

from __future__ import annotations

import math

import pytest

import virkning as vk
from virkning.designs import DESIGNS, RandomisedTrial, StaggeredAdoption
from virkning.errors import DesignError, UsageError
from virkning.estimand import Outcome
from virkning.planning import OutcomePlan, Plan, power, powers
from virkning.planning.refusals import NEEDED, USED

LOTTERY = {"people": 120, "baseline_share": 0.4}
OVER_TIME = {"people": 120, "standard_deviation": 1.0, "periods_before": 2, "periods_after": 2}
CLUSTERS = {"clusters": 20, "people_per_cluster": 10, "standard_deviation": 1.0}


def smallest(kind: str = "randomised_trial", **fields: object) -> float:
    found = power(Plan(**fields), kind).minimum_detectable_effect
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "fields", "names"),
    [
        ("randomised_trial", {"baseline_share": 0.4}, "people"),
        ("randomised_trial", {"people": 120}, "baseline_share"),
        ("randomised_trial", {**LOTTERY, "standard_deviation": 0.5}, "standard_deviation"),
        ("randomised_trial", {**LOTTERY, "baseline_share": 40.0}, "baseline_share"),
        ("randomised_trial", {"people": 120, "standard_deviation": 0.0}, "standard_deviation"),
        ("randomised_trial", {**LOTTERY, "take_up_share": 0.0}, "take_up_share"),
        ("randomised_trial", {**LOTTERY, "take_up_share": 0.5, "crossover_share": 0.5}, "crossover_share"),
        ("randomised_trial", {**LOTTERY, "attrition_share": 1.0}, "attrition_share"),
        ("randomised_trial", {**LOTTERY, "covariate_r2": 1.0}, "covariate_r2"),
        ("randomised_trial", {**LOTTERY, "comparison_ratio": 0.0}, "comparison_ratio"),
        ("randomised_trial", {**LOTTERY, "waves": 3}, "waves"),
        ("randomised_trial", CLUSTERS, "intra_cluster_correlation"),
        ("randomised_trial", {**CLUSTERS, "intra_cluster_correlation": 1.2}, "intra_cluster_correlation"),
        ("randomised_trial", {**CLUSTERS, "intra_cluster_correlation": -0.1}, "intra_cluster_correlation"),
        ("randomised_trial", {**CLUSTERS, "clusters": 1, "intra_cluster_correlation": 0.1}, "clusters"),
        ("randomised_trial", {**CLUSTERS, "people": 100, "intra_cluster_correlation": 0.1}, "people"),
        ("randomised_trial", {**LOTTERY, "intra_cluster_correlation": 0.1}, "clusters"),
        ("randomised_trial", {**OVER_TIME, "period_correlation": 0.5, "covariate_r2": 0.3}, "covariate_r2"),
        ("difference_in_differences", OVER_TIME, "period_correlation"),
        ("difference_in_differences", {**OVER_TIME, "period_correlation": 1.0}, "period_correlation"),
        ("difference_in_differences", {**OVER_TIME, "period_correlation": -0.5}, "period_correlation"),
        (
            "difference_in_differences",
            {**OVER_TIME, "period_correlation": 0.5, "periods_before": 0},
            "periods_before",
        ),
        (
            "difference_in_differences",
            {
                **OVER_TIME,
                "clusters": 20,
                "period_correlation": 0.05,
                "intra_cluster_correlation": 0.5,
                "cluster_period_correlation": 0.9,
            },
            "period_correlation",
        ),
        (
            "staggered_adoption",
            {**OVER_TIME, "period_correlation": 0.5, "waves": 1, "comparison_ratio": 0.0},
            "comparison_ratio",
        ),
        ("regression_discontinuity", {"people": 500, "standard_deviation": 1.0}, "near_cutoff_share"),
        ("matched_comparison", {**LOTTERY, "effective_share": 0.0}, "effective_share"),
        ("synthetic_control", {**OVER_TIME, "period_correlation": 0.2, "donors": 2}, "donors"),
        ("interrupted_time_series", {**OVER_TIME, "period_correlation": 0.2}, "periods_before"),
        ("duration", {"people": 200, "standard_deviation": 1.0}, "baseline_share"),
    ],
)
def test_impossible_plan_is_refused_by_name(kind: str, fields: dict[str, object], names: str) -> None:
    with pytest.raises(DesignError) as caught:
        power(Plan(**fields), kind)
    error = caught.value
    assert f"plan.{names}" in str(error) or names in str(error)
    assert error.exit_code == 12
    assert error.why
    assert error.do


def test_several_reasons_are_told_at_once() -> None:
    with pytest.raises(DesignError, match="2 reasons") as caught:
        power(Plan(people=120, baseline_share=1.5, take_up_share=0.0))
    assert caught.value.code == "design.several"


def test_too_few_people_for_anything() -> None:
    with pytest.raises(DesignError, match="too few"):
        power(Plan(people=8, strata=7, standard_deviation=1.0))


def test_unknown_design() -> None:
    with pytest.raises(UsageError, match="panl"):
        power(Plan(**LOTTERY), "panl")


def test_every_design_says_what_it_uses() -> None:
    assert set(DESIGNS) <= set(USED)
    fields = set(Plan.model_fields)
    assert set().union(*USED.values()) <= fields
    assert all(set(names) <= USED[kind] | fields for kind, names in NEEDED.items())


# --- What makes it better or worse ----------------------------------------------------------------------------------


def test_four_times_as_many_people_halve_the_smallest_effect() -> None:
    many, few = (smallest(people=n, standard_deviation=1.0) for n in (40_000, 10_000))
    assert few / many == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize(
    "worse",
    [
        {"comparison_ratio": 4.0},
        {"attrition_share": 0.3},
        {"strata": 20},
        {"power": 0.95},
        {"confidence": 0.99},
    ],
)
def test_each_of_these_makes_it_worse(worse: dict[str, object]) -> None:
    assert smallest(people=120, standard_deviation=1.0, **worse) > smallest(people=120, standard_deviation=1.0)


@pytest.mark.parametrize("better", [{"covariate_r2": 0.3, "covariates": 2}, {"strata": 3, "strata_r2": 0.3}])
def test_each_of_these_makes_it_better(better: dict[str, object]) -> None:
    assert smallest(people=120, standard_deviation=1.0, **better) < smallest(people=120, standard_deviation=1.0)


def test_clusters_of_one_person_are_people() -> None:
    alone = smallest(people=200, standard_deviation=1.0)
    together = smallest(clusters=200, people_per_cluster=1.0, standard_deviation=1.0, intra_cluster_correlation=0.3)
    assert together == pytest.approx(alone)


def test_take_up_divides_the_effect_on_compliers_and_not_that_of_the_offer() -> None:
    fields = {"people": 300, "standard_deviation": 1.0, "take_up_share": 0.8, "crossover_share": 0.2}
    offer = power(Plan(**fields))
    compliers = power(Plan(**fields), "instrumental_variables")
    assert offer.minimum_detectable_effect == pytest.approx(smallest(people=300, standard_deviation=1.0))
    assert compliers.minimum_detectable_effect == pytest.approx(offer.minimum_detectable_effect / 0.6)
    assert offer.effect_on_participants == pytest.approx(compliers.minimum_detectable_effect)


def test_a_rise_has_room_up_to_one_and_a_fall_down_to_zero() -> None:
    plan = Plan(people=30, baseline_share=0.1)
    lower = Outcome(label="Arrests", unit="share", kind="share", period="12", better="lower")
    assert power(plan).minimum_detectable_effect is not None
    fall = power(plan, outcome=lower)
    assert fall.minimum_detectable_effect is None
    assert "no possible change" in fall.sentence
    assert math.isnan(fall.chance(0.2))


def test_confidence_of_the_design_counts() -> None:
    strict = RandomisedTrial(population="people", comparison="others", confidence=0.99)
    assert power(Plan(**LOTTERY), strict).minimum_detectable_effect > power(Plan(**LOTTERY)).minimum_detectable_effect


def test_design_with_clusters_needs_a_plan_with_clusters() -> None:
    design = RandomisedTrial(population="people", comparison="others", clusters="town", standard_errors="cr2")
    with pytest.raises(DesignError, match="has clusters"):
        power(Plan(**LOTTERY), design)


def test_comparison_with_those_who_start_later_is_as_the_design_says() -> None:
    # With few who never start, those who start later help most.
    fields = {**OVER_TIME, "period_correlation": 0.5, "waves": 3, "comparison_ratio": 0.1}
    words = {"population": "people", "comparison": "others"}
    never = power(Plan(**fields), StaggeredAdoption(**words))
    later = power(Plan(**fields), StaggeredAdoption(**words, control_group="not_yet_treated"))
    assert later.std_error < never.std_error


# --- What it says ---------------------------------------------------------------------------------------------------


def test_sentence_for_a_municipality() -> None:
    found = power(Plan(**LOTTERY, worthwhile_effect=0.15))
    assert found.sentence.startswith("With 120 people we can see a change of 25 per 100 or more, from 40 to 65 per 100")
    assert "80 of 100 such evaluations" in found.sentence
    assert "A change of 15 per 100 is worth knowing" in found.worthwhile_sentence
    assert str(found.people_needed) in found.worthwhile_sentence


def test_people_needed_is_the_fewest_that_suffice() -> None:
    plan = Plan(**LOTTERY, worthwhile_effect=0.15)
    needed = power(plan).people_needed
    assert needed is not None
    assert power(plan.with_people(needed)).chance(0.15) >= 0.8 > power(plan.with_people(needed - 1)).chance(0.15)


def test_no_number_of_people_makes_up_for_few_periods() -> None:
    plan = Plan(
        people=100,
        standard_deviation=1.0,
        periods_before=12,
        periods_after=6,
        period_correlation=0.2,
        intra_cluster_correlation=0.1,
        worthwhile_effect=0.1,
    )
    found = power(plan, "interrupted_time_series")
    assert found.people_needed is None
    assert "No number of people" in found.worthwhile_sentence


def test_curve_falls_and_holds_the_plan() -> None:
    found = power(Plan(**CLUSTERS, intra_cluster_correlation=0.1))
    curve = found.curve()
    values = curve.frame["minimum_detectable_effect"].to_numpy()
    assert (values[1:] < values[:-1]).all()
    planned = curve.frame.set_index("people").loc[200]
    assert planned["minimum_detectable_effect"] == pytest.approx(found.minimum_detectable_effect)
    assert planned["clusters"] == 20
    assert found.drawing.start == 200
    assert {found.drawing.x, found.drawing.y} <= {column.name for column in curve.columns}


def test_assumptions_name_their_source_and_the_favourable_defaults() -> None:
    plan = Plan(**LOTTERY, sources={"baseline_share": "last year's records"})
    rows = power(plan).assumptions().frame.set_index("name")
    assert rows.loc["baseline_share", "source"] == "last year's records"
    assert rows.loc["people", "source"] == "not stated"
    assert rows.loc["attrition_share", "value"] == "0"


def test_other_outcomes_replace_what_they_say() -> None:
    outcomes = {
        name: Outcome(
            label=name, unit="share" if name == "a" else "days", kind="amount", period="12", primary=name == "a"
        )
        for name in ("a", "b", "c")
    }
    plan = Plan(**LOTTERY, covariate_r2=0.2, other_outcomes={"b": OutcomePlan(standard_deviation=90.0)})
    design = RandomisedTrial(population="people", comparison="others")
    found = powers(plan, design, outcomes)
    assert list(found) == ["a", "b"]
    assert found["b"].plan.covariate_r2 == 0.2
    assert found["b"].plan.baseline_share is None
    assert found["b"].unit == "days"


def test_same_seed_gives_the_same_synthetic_control() -> None:
    plan = Plan(
        people=50,
        standard_deviation=1.0,
        donors=6,
        periods_before=5,
        periods_after=3,
        period_correlation=0.2,
        draws=100,
    )
    first, again, other = (power(plan, "synthetic_control", seed=seed) for seed in (1, 1, 2))
    assert first.minimum_detectable_effect == again.minimum_detectable_effect
    assert first.minimum_detectable_effect != other.minimum_detectable_effect
    assert "made-up data sets" in first.method


def test_public_entry() -> None:
    assert vk.power(vk.Plan(**LOTTERY)).to_dict()["people"] == 120
