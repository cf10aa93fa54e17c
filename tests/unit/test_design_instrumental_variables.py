"""Instruments that the data cannot honour are refused before anything is fitted, and odd outcomes say why."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from virkning.designs.instrumental_variables import InstrumentalVariables
from virkning.designs.instruments.two_stage import set_in_words
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError
from virkning.estimand import Estimand, Outcome
from virkning.numerics.instruments import ConfidenceSet


@pytest.fixture
def takers(people: pd.DataFrame) -> pd.DataFrame:
    """Return the persons with the treatment that they took: seven in ten followed the offer."""
    generator = np.random.default_rng(3)
    follows = generator.random(len(people)) < 0.7
    took = np.where(follows, people["is_treated"], generator.random(len(people)) < 0.5)
    return people.assign(took_part=took.astype(bool), distance=generator.normal(size=len(people)))


@pytest.fixture
def tables(make_tables, takers, earnings):
    return make_tables(takers, {"earnings": earnings})


def design_of(**fields: object) -> InstrumentalVariables:
    given = {"treatment": "took_part", "instruments": ("is_treated",), **fields}
    return InstrumentalVariables(population="them", comparison="the others", **given)


def refusal(tables, code: str, **fields: object) -> DesignError:
    found = list(design_of(**fields).problems(tables))
    assert [error.code for error in found] == [code]
    assert found[0].exit_code == 12
    assert found[0].where
    assert found[0].why
    assert found[0].do
    return found[0]


def test_sound_designs_pass(tables):
    for fields in (
        {},
        {"covariates": ["age", "is_parent"], "estimator": "liml"},
        {"clusters": "group", "standard_errors": "clustered"},
        {"instruments": ["is_treated", "distance"]},
    ):
        assert list(design_of(**fields).problems(tables)) == []
        result = design_of(**fields).estimate_outcome(tables, "earnings", seed=0)
        assert result.is_available
        assert result.influence.shape == (80, len(result.effects))
        assert any("Anderson and Rubin" in text for text in result.warnings)


@pytest.mark.parametrize("field", ["treatment", "instruments", "covariates", "clusters"])
def test_unknown_column(tables, field):
    misspelt = {
        "treatment": "took_prt",
        "instruments": ["is_treatd"],
        "covariates": ["agee"],
        "clusters": "gruop",
    }
    more = {"standard_errors": "clustered"} if field == "clusters" else {}
    error = refusal(tables, "design.unknown_column", **{field: misspelt[field]}, **more)
    assert "Did you mean" in error.do
    assert field in error.where


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("design.double_role", {"covariates": ["is_treated"]}),
        ("design.double_role", {"instruments": ["took_part"]}),
        ("design.not_a_number", {"covariates": ["town"]}),
        ("design.no_clusters", {"standard_errors": "clustered"}),
        ("design.ignores_clusters", {"clusters": "group"}),
        (
            "design.duplicate_term",
            {"alternatives": [{"estimator": "two_stage_least_squares", "standard_errors": "hc1"}]},
        ),
        (
            "design.several_offers",
            {
                "instruments": ["is_treated", "distance"],
                "alternatives": [{"estimator": "intention_to_treat", "standard_errors": "hc1"}],
            },
        ),
    ],
)
def test_contradictions(tables, code, fields):
    refusal(tables, code, **fields)


def test_no_instrument_is_no_specification():
    with pytest.raises(ValueError, match="instruments"):
        design_of(instruments=())


@pytest.mark.parametrize(
    ("code", "column", "change"),
    [
        ("design.collinear", "is_treated", lambda people: True),
        ("design.no_variation", "took_part", lambda people: True),
        ("design.instrument_is_treatment", "took_part", lambda people: people["is_treated"]),
        ("design.no_first_stage", "took_part", lambda people: people.groupby("is_treated").cumcount() % 2 == 0),
        ("design.missing_values", "distance", lambda people: people["distance"].where(people.index != 3)),
    ],
)
def test_data_without_an_effect(make_tables, takers, earnings, code, column, change):
    tables = make_tables(takers.assign(**{column: change(takers)}), {"earnings": earnings})
    refusal(tables, code, **({"covariates": ["distance"]} if column == "distance" else {}))


def test_two_clusters_are_too_few(tables):
    assert "2 clusters" in refusal(tables, "design.too_few_clusters", clusters="town", standard_errors="clustered").what


def test_more_coefficients_than_persons(make_tables, takers, earnings):
    tables = make_tables(takers.head(3), {"earnings": earnings[:3]})
    refusal(tables, "design.too_few", covariates=["age"])


def test_outcomes_without_an_estimate_say_why(make_tables, takers):
    nobody_offered = np.where(takers["is_treated"], np.nan, np.arange(80.0))
    tables = make_tables(takers, {"constant": np.ones(80), "known to few": nobody_offered}, {"constant": "amount"})
    assert list(design_of().problems(tables)) == []
    for measure in ("constant", "known to few"):
        result = design_of().estimate_outcome(tables, measure, seed=0)
        assert not result.is_available
        assert result.unavailable_reason.endswith(".")
        assert design_of().diagnose(tables, measure) is None


def test_lost_outcomes_are_mentioned_without_a_count(make_tables, takers, earnings):
    tables = make_tables(takers, {"earnings": np.where(takers.index < 2, np.nan, earnings)})
    (text,) = [
        text for text in design_of().estimate_outcome(tables, "earnings", seed=0).warnings if "outcome and" in text
    ]
    assert not any(character.isdigit() for character in text)


def test_intention_to_treat_always_stands_beside_the_complier_effect(tables):
    result = design_of().estimate_outcome(tables, "earnings", seed=0)
    assert list(result.effects["term"]) == ["two_stage_least_squares, hc1", "intention_to_treat, hc1"]
    amount = design_of(instruments=["distance"]).estimate_outcome(tables, "earnings", seed=0)
    assert list(amount.effects["term"]) == ["two_stage_least_squares, hc1"]


def test_compliers_are_for_yes_and_no_only(tables):
    table = clear(design_of().compliers_table(tables, ("age",)), DisclosureRule())
    assert len(table.frame) == 4
    assert design_of(instruments=["distance"]).compliers(tables) is None
    with pytest.raises(DesignError) as error:
        design_of(instruments=["distance"]).compliers_table(tables)
    assert error.value.code == "design.no_compliers"


def test_group_design_keeps_the_headline_and_what_varies(tables):
    design = design_of(covariates=["age", "is_parent"], alternatives=[{"estimator": "liml", "standard_errors": "hc1"}])
    people = tables.participants
    inside = design.within(people[people["is_parent"]])
    assert inside.covariates == ("age",)
    assert inside.alternatives == ()


@pytest.mark.parametrize(
    ("pieces", "shape", "words"),
    [
        (((-1.0, 2.0),), "interval", "goes from \N{MINUS SIGN}1.00 to 2.00 USD."),
        (((-math.inf, -1.0), (2.0, math.inf)), "rays", "up to \N{MINUS SIGN}1.00 USD or from 2.00 USD upwards."),
        (((-math.inf, math.inf),), "line", "no end on either side"),
        (((2.0, math.inf),), "interval", "too weak to bound the effect"),
        ((), "empty", "is empty"),
        (((0.0, 1.0), (2.0, 3.0)), "pieces", "from 0.00 to 1.00 USD or from 2.00 to 3.00 USD."),
    ],
)
def test_every_shape_of_the_robust_set_has_words(pieces, shape, words):
    outcome = Outcome(label="Earnings", unit="USD", kind="amount", period="after", primary=True)
    estimand = Estimand.of("earnings", outcome, quantity="effect", population="them", comparison="others")
    found = ConfidenceSet(pieces, 0.95)
    assert found.shape == shape
    assert words in set_in_words(found, estimand)


def shown(design, tables):
    """Return the findings about earnings by name."""
    result = design.estimate_outcome(tables, "earnings", seed=0)
    return {found.name: found for found in design.findings(tables, result)}


def test_findings_follow_the_design(tables):
    assert list(shown(design_of(covariates=["age"]), tables)) == ["first-stage", "robust-set", "compliers"]
    several = design_of(instruments=["is_treated", "distance"])
    assert list(shown(several, tables)) == ["first-stage", "robust-set", "one-by-one"]


def test_curve_of_the_robust_set_crosses_its_level_at_the_ends(tables):
    design = design_of()
    frame = shown(design, tables)["robust-set"].table.frame
    (piece,) = design.diagnose(tables, "earnings").robust_set.pieces
    agrees = frame["effect"].between(*piece)
    assert 0 < agrees.sum() < len(frame)
    assert (frame["p_value"] >= 0.05).tolist() == agrees.tolist()
    assert (frame["verdict"] == "agrees").tolist() == agrees.tolist()


def test_each_instrument_alone(tables):
    design = design_of(instruments=["is_treated", "distance"])
    found = shown(design, tables)["one-by-one"]
    rows = found.table.frame.set_index("instrument")
    alone = design_of().estimate_outcome(tables, "earnings", seed=0).effects.iloc[0]
    assert rows["value"].iloc[1] == pytest.approx(alone["value"], rel=1e-9)
    assert rows["std_error"].iloc[1] == pytest.approx(alone["std_error"], rel=1e-9)
    together = design.estimate_outcome(tables, "earnings", seed=0).headline()
    assert (rows["lower"].iloc[0], rows["upper"].iloc[0]) == pytest.approx((together.lower, together.upper))
    assert "Hansen" in found.sentence


def test_instrument_that_keeps_people_away(make_tables, takers, earnings):
    turned = takers.assign(stays_away=~takers["is_treated"])
    tables = make_tables(turned, {"earnings": earnings})
    plain, kept = (design_of(instruments=[name]).compliers(tables) for name in ("is_treated", "stays_away"))
    assert plain.share > 0
    assert (kept.share, kept.always_share) == pytest.approx((plain.share, plain.always_share))


def test_degrees_of_freedom(tables):
    given = {"clusters": "group", "standard_errors": "clustered"}
    found = {
        rule: design_of(degrees_of_freedom=rule, **given).estimate_outcome(tables, "earnings", seed=0)
        for rule in ("standard", "residual", "large_sample")
    }
    assert [result.degrees_of_freedom for result in found.values()] == [19, 78, math.inf]
    assert len({result.effects["std_error"].iloc[0] for result in found.values()}) == 1
    reach = [result.headline().upper for result in found.values()]
    assert reach[0] > reach[1] > reach[2]
    # The set of Anderson and Rubin follows the same rule.
    sets = [design_of(degrees_of_freedom=rule, **given).diagnose(tables, "earnings").robust_set for rule in found]
    widths = [found.pieces[0][1] - found.pieces[0][0] for found in sets]
    assert widths[0] > widths[1] > widths[2]


def test_amount_of_treatment_divides_people_at_its_mean(make_tables, takers, earnings):
    values = np.where(takers.index < 5, np.nan, earnings)
    tables = make_tables(takers, {"earnings": values})
    design = design_of(treatment="age", instruments=["distance"])
    row = design.estimate_outcome(tables, "earnings", seed=0).effects.iloc[0]
    known = ~np.isnan(values)
    assert design.is_in_programme(tables, "earnings")[known].sum() == row["n_treated"]
    assert row["n_treated"] + row["n_comparison"] == known.sum()
