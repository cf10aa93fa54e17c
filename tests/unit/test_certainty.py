"""How sure: the rule, held against worked cases, and what it does with whatever checks there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from virkning.certainty import Certainty, domains_table, how_sure, rule_table
from virkning.certainty.padlocks import Padlocks
from virkning.certainty.parts import lost, part_of, smallest_seen, spread
from virkning.certainty.rule import CLUSTER_LIMITS, LOST_LIMITS, RELEVANT_LIMITS, SPREAD_LIMITS, Part
from virkning.checks import CheckResult, Checks
from virkning.data import Tables
from virkning.designs import BeforeAfter, estimate
from virkning.disclosure import DisclosureRule, Table, clear

NAMES = ("design", "sample", "attrition", "balance", "robustness")


def check(name: str, passed: bool | None) -> CheckResult:
    title = name.replace("_", " ").capitalize()
    empty = Table(name, title, (), pd.DataFrame())
    return CheckResult(
        name=name,
        title=title,
        question="Is it?",
        passed=passed,
        reason="So it is.",
        sentence="So.",
        table=empty,
        chart=None,
    )


def checks(omitted: dict[str, str] | None = None, **verdicts: bool | None) -> Checks:
    return Checks([check(name, passed) for name, passed in verdicts.items()], omitted=omitted)


WELL = {"balance": True, "attrition": True, "randomisation_inference": True}


@pytest.fixture
def case(trial, make_tables):
    """Return the function that makes one worked case: so many persons, so much lost, so large an effect."""

    def make(n=2_000, *, effect=20.0, lost_treated=0.0, lost_comparison=0.0, noise=50.0, found=None, **design):
        generator = np.random.default_rng(1)
        people = pd.DataFrame({"is_treated": np.arange(n) % 2 == 0, "age": generator.normal(40, 10, n)})
        values = (
            100 + effect * people["is_treated"].to_numpy() + people["age"].to_numpy() + generator.normal(0, noise, n)
        )
        rank = people.groupby("is_treated").cumcount().to_numpy() / (n / 2)
        share = np.where(people["is_treated"], lost_treated, lost_comparison)
        values = np.where(rank < share, np.nan, values)
        tables = make_tables(people, {"earnings": values})
        design = trial(
            **{"covariates": ["age"], "alternatives": [{"estimator": "ancova", "standard_errors": "hc2"}], **design}
        )
        effects = estimate(design, tables)
        return how_sure(design, tables, effects, found or checks(**WELL)), design, tables, effects

    return make


def grades(found: Certainty) -> dict[str, int]:
    return {part.name: part.counts_as for part in found.parts}


def test_large_clean_trial_is_high(case):
    found, *_ = case()
    assert grades(found) == dict.fromkeys(NAMES, 4)
    assert found.grade == 4
    assert found.pulled_down_by == ()
    assert "pulls it down" not in found.sentence


@pytest.mark.parametrize(
    ("changes", "weakest", "grade"),
    [
        ({"n": 300}, "sample", 3),  # 2.8 standard errors of 2 / sqrt(300) standard deviations each: 0.32
        ({"n": 120}, "sample", 2),  # 0.51
        ({"n": 60}, "sample", 1),  # 0.73
        ({"lost_treated": 0.15, "lost_comparison": 0.15}, "attrition", 3),
        ({"lost_treated": 0.08, "lost_comparison": 0.0}, "attrition", 3),
        ({"lost_treated": 0.30, "lost_comparison": 0.28}, "attrition", 2),
        ({"lost_treated": 0.14, "lost_comparison": 0.0}, "attrition", 2),
        ({"lost_treated": 0.20, "lost_comparison": 0.0}, "attrition", 1),
        ({"lost_treated": 0.45, "lost_comparison": 0.45}, "attrition", 1),
        ({"found": checks(**{**WELL, "placebo_outcome": False})}, "robustness", 2),
        ({"found": checks(**{**WELL, "placebo_outcome": False, "leave_one_out": False})}, "robustness", 1),
        ({"found": checks(**{**WELL, "attrition_bounds": False})}, "attrition", 2),
        ({"found": checks(**{**WELL, "balance": None})}, "balance", 3),
        ({"found": checks(attrition=True, balance=True), "alternatives": ()}, "robustness", 3),
        # A lottery made the groups, and the adjusted estimate agrees: chance, and no longer in the way.
        ({"found": checks(**{**WELL, "balance": False})}, "balance", 3),
        ({"found": checks(**{**WELL, "balance": False}), "alternatives": ()}, "balance", 2),
    ],
)
def test_weakest_part_decides(case, changes, weakest, grade):
    found, *_ = case(**changes)
    assert found.grade == grade
    assert grades(found)[weakest] == grade
    assert weakest in {part.name for part in found.pulled_down_by}
    assert found.pulled_down_by[0].title.lower() in found.sentence


def test_how_large_the_effect_is_plays_no_part(case):
    for effect in (0.0, 20.0, -200.0):
        assert grades(case(effect=effect)[0]) == dict.fromkeys(NAMES, 4)


def test_confidence_level_of_the_programme_plays_no_part(case):
    assert grades(case(n=300, confidence=0.8)[0])["sample"] == grades(case(n=300)[0])["sample"] == 3


def test_another_estimate_that_disagrees(case):
    _, design, tables, effects = case()
    best = effects.primary
    far = best.effects.iloc[[0]].assign(term="lin, hc2", value=best.headline().upper + 1)
    frame = pd.concat([best.effects, far.assign(lower=0.0, upper=200.0)], ignore_index=True)
    changed = replace(best, frame=frame, covariance=np.eye(3), influence=None)
    found = how_sure(design, tables, type(effects)({"earnings": changed}), checks(**WELL))
    # One of two lies within the interval: more than a third, less than two thirds.
    assert grades(found)["robustness"] == 2
    assert "1 of 2" in {part.name: part.reason for part in found.parts}["robustness"]


@pytest.mark.parametrize("term", ["unadjusted, hc2", "event 2", "compliers, hc2", "arm «north», hc2"])
def test_answers_to_other_questions_are_not_held_against_the_headline(case, term):
    _, design, tables, effects = case()
    best = effects.primary
    far = best.effects.iloc[[0]].assign(term=term, value=1e6, lower=0.0, upper=1e7)
    frame = pd.concat([best.effects, far], ignore_index=True)
    changed = replace(best, frame=frame, covariance=np.eye(3), influence=None)
    found = how_sure(design, tables, type(effects)({"earnings": changed}), checks(**WELL))
    assert grades(found)["robustness"] == 4


def test_check_that_nobody_has_heard_of_counts_under_robustness(case):
    assert part_of("something_new") == "robustness"
    assert part_of("missing_data") == "attrition"
    assert part_of("density") == "balance"
    assert grades(case(found=checks(**WELL, something_new=False))[0])["robustness"] == 2
    assert grades(case(found=checks(**WELL, something_new=None))[0])["robustness"] == 4


def test_what_was_left_out_counts_as_moderate(case):
    found, *_ = case(found=checks({"attrition": "No time."}, balance=True, randomisation_inference=True))
    assert grades(found)["attrition"] == 3
    assert "left out «attrition»" in found.pulled_down_by[0].reason


def test_smallest_effect_that_matters_is_the_yardstick_of_the_sample(case, trial):
    _, design, tables, effects = case(n=300)
    seen = smallest_seen(effects.primary)
    for times, grade in ((1.0, 4), (1.4, 3), (2.4, 2), (2.6, 1)):
        measures = {"earnings": tables.measures["earnings"].model_copy(update={"smallest_relevant": seen / times})}
        again = Tables.of(tables.participants, tables.outcomes, measures, tables.schemas)
        found = how_sure(design, again, estimate(design, again), checks(**WELL))
        assert grades(found)["sample"] == grade


def test_before_and_after_is_a_hint(make_tables, people, earnings):
    everybody = people.assign(is_treated=True)
    tables = make_tables(everybody, {"earnings": earnings})
    earlier = tables.outcomes.assign(period="before", value=np.random.default_rng(1).permutation(earnings))
    tables = Tables.of(tables.participants, pd.concat([tables.outcomes, earlier]), tables.measures, tables.schemas)
    design = BeforeAfter(population="the men", comparison="themselves before", before=("before",))
    found = how_sure(design, tables, estimate(design, tables), checks())
    assert found.grade == 1
    assert "design" in {part.name for part in found.pulled_down_by}
    assert found.domains[0].judgement == "critical"
    assert found.padlocks.start == 0


def test_no_estimate_is_nothing_to_be_sure_of(trial, make_tables, people):
    tables = make_tables(people, {"earnings": np.ones(80)})
    found = how_sure(trial(), tables, estimate(trial(), tables), checks())
    assert found.grade is None
    assert found.word == "Nothing to be sure of"
    assert found.reason in found.sentence
    assert found.parts == ()


def test_few_lost_are_told_as_a_band(case):
    found, *_ = case(n=400, lost_treated=0.01)
    reason = {part.name: part.reason for part in found.parts}["attrition"]
    assert reason.startswith("At most 10% of the persons")
    assert "0.5%" not in reason


def test_numbers_behind_the_parts(case):
    _, design, tables, effects = case(n=400, lost_treated=0.2, lost_comparison=0.1)
    assert lost(design, tables, "earnings") == (pytest.approx(0.15), pytest.approx(0.1))
    frame = tables.analysis("earnings").dropna()
    arms = [group["value"] for _, group in frame.groupby("is_treated")]
    pooled = np.sqrt(sum(((arm - arm.mean()) ** 2).sum() for arm in arms) / (len(frame) - 2))
    assert spread(design, tables, "earnings") == pytest.approx(pooled)
    std_error = effects.primary.effects["std_error"].iloc[0]
    # Bloom (1995): 2.8 standard errors.
    assert smallest_seen(effects.primary) / std_error == pytest.approx(2.8, abs=0.02)


@pytest.mark.parametrize(("n_groups", "grade"), [(100, 4), (40, 4), (38, 3), (20, 3), (18, 2), (10, 2), (8, 1)])
def test_few_groups_that_were_assigned_as_one_pull_the_sample_down(trial, make_tables, n_groups, grade):
    n = 8_000
    group = np.arange(n) % n_groups
    generator = np.random.default_rng(2)
    people = pd.DataFrame({"is_treated": group % 2 == 0, "town": [f"town {code}" for code in group]})
    tables = make_tables(people, {"earnings": 100 + generator.normal(0, 50, n)})
    design = trial(clusters="town", standard_errors="clustered")
    found = how_sure(design, tables, estimate(design, tables), checks(**WELL))
    part = {part.name: part for part in found.parts}["sample"]
    assert part.grade == grade
    assert f"{n_groups} groups" in part.reason
    assert ("fewer than 40" in part.reason) is (n_groups < 40)


def test_the_reason_of_the_smallest_effect_that_matters_is_printed(case, trial):
    _, design, tables, _ = case(n=300)
    argued = {"smallest_relevant": 15.0, "smallest_relevant_reason": "An assumption: a week's pay."}
    measures = {"earnings": tables.measures["earnings"].model_copy(update=argued)}
    again = Tables.of(tables.participants, tables.outcomes, measures, tables.schemas)
    found = how_sure(design, again, estimate(design, again), checks(**WELL))
    assert "15.0 USD. An assumption: a week's pay." in {part.name: part.reason for part in found.parts}["sample"]


def test_what_was_looked_at_and_not_decided_is_left_open(case):
    looked = replace(check("balance", None), numbers={"n_covariates": 3.0})
    found, *_ = case(found=Checks([looked, check("attrition", True), check("randomisation_inference", True)]))
    part = {part.name: part for part in found.parts}["balance"]
    assert part.word == "Left open (counts as moderate)"
    assert found.grade == 3


def test_printed_rule_holds_the_limits_in_use():
    frame = rule_table().frame.set_index("part")
    words = ["grade_4", "grade_3", "grade_2"]
    for column, spread_limit, relevant, share in zip(words, SPREAD_LIMITS, RELEVANT_LIMITS, LOST_LIMITS, strict=True):
        assert f"At most {spread_limit} standard deviations, or {relevant} times" in frame.loc["Sample", column]
        assert f"At most {100 * share:.0f}% lost" in frame.loc["Attrition", column]
    for column, groups in zip(words, CLUSTER_LIMITS, strict=True):
        assert f"at least {groups} groups" in frame.loc["Sample", column]
    assert frame.loc["Design", words].tolist() == ["5", "4", "3"]
    assert "weakest" in rule_table().note


@pytest.mark.parametrize(
    ("parts", "start", "possible"),
    [
        # Randomised, 0.15 standard deviations could be seen, 8% lost.
        ((5, 5, 5), 5, (3, 5)),
        # Randomised, 0.27, nobody lost: NSW.
        ((5, 4, 5), 4, (2, 4)),
        # Randomised and large, but 45% lost.
        ((5, 5, 1), 1, (0, 1)),
        # No comparison.
        ((0, 5, 5), 0, (0, 0)),
        ((3, None, 5), None, None),
    ],
)
def test_padlocks_of_worked_cases(parts, start, possible):
    rating = Padlocks(*parts)
    assert rating.start == start
    assert rating.range == possible
    table = clear(rating.table(), DisclosureRule())
    assert (table.frame["how"] == "a person must judge").sum() == 7
    assert "threats" in rating.sentence() or start is None


def test_domains_say_what_a_person_must_judge(case):
    found, *_ = case(found=checks(**{**WELL, "balance": False}))
    assert [domain.title for domain in found.domains if domain.is_computed] == ["Confounding", "Missing data"]
    assert [domain.judgement for domain in found.domains if domain.is_computed] == ["moderate", "low"]
    table = domains_table(found.domains)
    assert len(table.frame) == 7
    assert "at least moderate" in table.note


def test_parts_can_be_read_and_cannot_be_changed(case):
    found, *_ = case()
    assert clear(found.table(), DisclosureRule()).n_hidden == 0
    with pytest.raises(AttributeError):
        found.parts[0].grade = 1
    assert Part("sample", None, "x").word == "Not looked at (counts as moderate)"
