"""A synthetic control that the data cannot honour is refused before anything is fitted; what is left out is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.designs import estimate, problems
from virkning.designs.synthetic_control import SyntheticControl
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DesignError
from virkning.estimand import Outcome
from virkning.estimates import Estimates
from virkning.numerics.donor_weights import fit_importance, nearest_mix
from virkning.numerics.synthetic_differences import sets_of

YEARS = tuple(str(year) for year in range(2006, 2022))
START = "2018"
EFFECT = 4.0


def design(**fields: object) -> SyntheticControl:
    return SyntheticControl(**{"population": "the places", "comparison": "a mix of others", "start": START, **fields})


def values_of(n: int = 20, n_treated: int = 1, seed: int = 3) -> np.ndarray:
    """Return outcomes (n, 16) with two common factors; the first places gain 4 from 2018 on."""
    generator = np.random.default_rng(seed)
    factors = np.cumsum(generator.normal(size=(2, len(YEARS))), axis=1)
    loadings = generator.uniform(0, 2, size=(n, 2))
    loadings[:n_treated] = 1.0
    values = 50 + loadings @ factors + generator.normal(scale=0.5, size=(n, len(YEARS)))
    values[:n_treated, YEARS.index(START) :] += EFFECT
    return values


def tables_of(values: np.ndarray, n_treated: int = 1, period: str = "2021", **columns: object) -> Tables:
    """Return tables of one outcome, NaN where it is not known, and of a constant one."""
    ids = [f"place-{row:03d}" for row in range(len(values))]
    people = pd.DataFrame({"participant_id": ids, "is_treated": np.arange(len(ids)) < n_treated, **columns})
    wide = pd.DataFrame(values, columns=list(YEARS)).assign(participant_id=ids)
    rows = wide.melt("participant_id", var_name="period").assign(measure="rate").dropna()
    same = rows.assign(measure="constant", value=1.0)
    measures = {
        "rate": Outcome(label="Rate", unit="units", kind="amount", period=period, primary=True),
        "constant": Outcome(label="Constant", unit="units", kind="amount", period=period),
    }
    kinds = {"b": "boolean", "i": "integer", "f": "number"}
    fields = [
        Field(
            name=name,
            type=kinds.get(people[name].dtype.kind, "string"),
            title=name,
            unit="units",
            constraints=Constraints(required=False),
        )
        for name in columns
    ]
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, pd.concat([rows, same]), measures, schemas)


def refusal(tables: Tables, code: str, **fields: object) -> DesignError:
    """Return the one error that the design gives."""
    chosen = design(**fields)
    assert [error.code for error in problems(chosen, tables)] == [code]
    with pytest.raises(DesignError) as raised:
        estimate(chosen, tables)
    assert raised.value.code == code
    assert raised.value.where
    assert raised.value.why
    assert raised.value.do
    assert "place-0" not in str(raised.value)
    return raised.value


def warned(effects: Estimates, words: str) -> bool:
    return any(words in text for text in effects.primary.warnings)


@pytest.fixture(scope="module")
def tables() -> Tables:
    values = values_of()
    residents = np.random.default_rng(1).integers(500, 90_000, size=len(values))
    trait = values[:, 0] + np.random.default_rng(2).normal(size=len(values))
    names = [f"Town {row}" for row in range(len(values))]
    return tables_of(values, residents=residents, trait=trait, town=names, flat=np.ones(len(values)))


PREDICTORS = [{"column": "trait"}, {"first": "2006", "last": "2011"}, {"first": "2012"}]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"estimator": "synthetic_differences"},
        {"estimator": "difference_in_differences", "degrees_of_freedom": "large_sample"},
        {"predictors": PREDICTORS},
        {"predictors": PREDICTORS, "importance": "fit"},
        {"predictors": [{**each, "importance": 2.0} for each in PREDICTORS], "importance": "declared"},
        {"solver": "frank_wolfe"},
        {"periods": YEARS},
    ],
)
def test_sound_designs_find_the_effect(tables: Tables, fields: dict[str, object]) -> None:
    chosen = design(**fields)
    assert problems(chosen, tables) == ()
    effects = estimate(chosen, tables)
    best = effects.primary.headline()
    assert best.lower < EFFECT < best.upper
    names = effects.primary.effects["term"].tolist()
    assert names == [f"{chosen.estimator}, placebo", *(f"event, {year}" for year in YEARS[12:])]
    assert effects.primary.effects["value"].iloc[0] == pytest.approx(effects.primary.effects["value"].iloc[1:].mean())
    assert not effects["constant"].is_available
    assert effects["constant"].unavailable_reason == "This outcome never varies."


def test_only_until_the_outcomes_own_period() -> None:
    values = values_of()
    effects = estimate(design(), tables_of(values, period="2018"))
    assert len(effects.primary.effects) == 1
    assert warned(effects, "they are not used")
    cut = values.copy()
    cut[:, -3:] = 0.0
    assert estimate(design(), tables_of(cut, period="2018")).primary.headline() == effects.primary.headline()


def test_order_of_units_and_rows_does_not_matter() -> None:
    values = values_of()
    order = np.r_[0, np.random.default_rng(5).permutation(np.arange(1, 20))]
    first = estimate(design(estimator="synthetic_differences"), tables_of(values)).primary.headline()
    second = estimate(design(estimator="synthetic_differences"), tables_of(values[order])).primary.headline()
    assert second.value == pytest.approx(first.value, abs=1e-8)
    assert second.lower == pytest.approx(first.lower, abs=1e-8)


def test_degrees_of_freedom_are_named(tables: Tables) -> None:
    standard, large = (
        estimate(design(degrees_of_freedom=rule), tables).primary for rule in ("standard", "large_sample")
    )
    assert standard.degrees_of_freedom == 18
    assert np.isinf(large.degrees_of_freedom)
    assert standard.headline().lower < large.headline().lower


def test_nobody_treated_and_no_donors() -> None:
    values = values_of()
    refusal(tables_of(values, n_treated=0), "design.nobody_treated")
    refusal(tables_of(values, n_treated=20), "design.no_donors")
    refusal(tables_of(values[:2]), "design.one_donor")
    refusal(tables_of(values[:7], n_treated=4), "design.too_few_donors")


def test_no_period_before(tables: Tables) -> None:
    refusal(tables, "design.no_period_before", start="2006")
    refusal(tables, "design.one_period_before", start="2007")
    refusal(tables, "design.unknown_period", start="autumn")
    refusal(tables_of(values_of(), period="2015"), "design.period_not_after")


def test_periods_without_an_order() -> None:
    tables = tables_of(values_of())
    names = dict(zip(YEARS, "abcdefghijklmnop", strict=True))
    outcomes = tables.outcomes.assign(period=tables.outcomes["period"].map(names).astype("str"))
    measures = {name: each.model_copy(update={"period": "p"}) for name, each in tables.measures.items()}
    lettered = Tables.of(tables.participants, outcomes, measures, tables.schemas)
    refusal(lettered, "design.periods_unordered", start="m")
    refusal(lettered, "design.period_not_listed", start="m", periods=tuple("bcdefghijklmnop"))
    found = estimate(design(start="m", periods=tuple(names.values())), lettered).primary.headline()
    assert found.value == pytest.approx(estimate(design(), tables).primary.headline().value, rel=1e-12)


def test_gap_in_time_leaves_the_donor_out_and_counts_it() -> None:
    values = values_of()
    with_gap = values.copy()
    with_gap[5, 3] = with_gap[9, 14] = np.nan
    tables = tables_of(with_gap)
    effects = estimate(design(), tables)
    assert effects.primary.n_units == 18
    mentioned = [text for text in effects.primary.warnings if "no outcome" in text]
    assert len(mentioned) == 1
    assert not any(character.isdigit() for character in mentioned[0])
    (excluded,) = design().exclusions(tables, "rate")
    assert np.flatnonzero(excluded.persons).tolist() == [5, 9]
    fewer = estimate(design(), tables_of(np.delete(values, [5, 9], axis=0))).primary
    assert fewer.headline().value == pytest.approx(effects.primary.headline().value, abs=1e-9)


def test_gap_of_the_only_treated_is_no_estimate() -> None:
    values = values_of()
    values[0, 2] = np.nan
    result = estimate(design(), tables_of(values)).primary
    assert not result.is_available
    assert "No treated unit" in result.unavailable_reason


def test_donor_without_a_predictor_is_counted() -> None:
    values = values_of()
    trait = values[:, 0].copy()
    trait[4] = np.nan
    tables = tables_of(values, trait=trait)
    chosen = design(predictors=[{"column": "trait"}, {"first": "2012"}])
    assert estimate(chosen, tables).primary.n_units == 19
    assert [int(each.persons.sum()) for each in chosen.exclusions(tables, "rate")] == [0, 1]
    assert warned(estimate(chosen, tables), "lack one of the predictors")


def test_treated_beyond_every_donor() -> None:
    values = values_of()
    values[0] += 30.0
    effects = estimate(design(), tables_of(values))
    assert warned(effects, "In 12 of 12 periods before the start the treated lie above every donor")
    assert warned(effects, "less than half as closely")
    # A constant distance does not matter to the methods that look at changes.
    moved = estimate(design(estimator="synthetic_differences"), tables_of(values)).primary.headline()
    assert moved.value == pytest.approx(
        estimate(design(estimator="synthetic_differences"), tables_of(values_of())).primary.headline().value, abs=1e-7
    )
    assert not warned(estimate(design(), tables_of(values_of())), "above every donor")


def test_an_exact_fit_is_no_evidence() -> None:
    values = values_of(n=60)
    values[0] = values[1:31].mean(axis=0)
    assert warned(estimate(design(), tables_of(values)), "meets the treated exactly")


def test_few_donors_and_few_periods_are_said() -> None:
    assert warned(estimate(design(), tables_of(values_of(n=12))), "so few donors")
    assert not warned(estimate(design(), tables_of(values_of(n=20))), "so few donors")
    assert warned(estimate(design(start="2010"), tables_of(values_of())), "fewer than 6 periods")


def with_treatment(values: np.ndarray, on: np.ndarray) -> Tables:
    """Return tables in which a measure tells who had the programme when; ``on`` has the shape of the values."""
    tables = tables_of(values)
    wide = pd.DataFrame(on.astype(float), columns=list(YEARS)).assign(
        participant_id=tables.participants["participant_id"].to_numpy()
    )
    rows = wide.melt("participant_id", var_name="period").assign(measure="has_it")
    measures = {**tables.measures, "has_it": Outcome(label="Has it", unit="share", kind="share", period="2021")}
    return Tables.of(tables.participants, pd.concat([tables.outcomes, rows]), measures, tables.schemas)


def test_treatment_that_switches() -> None:
    values = values_of()
    on = np.zeros(values.shape, dtype=bool)
    on[0, 12:] = True
    named = {"treatment_measure": "has_it"}
    effects = estimate(design(**named), with_treatment(values, on))
    assert effects.primary.is_available
    assert effects["has_it"].unavailable_reason == "This measure is the treatment itself."
    off = on.copy()
    off[0, 14] = False
    assert (
        "leave the programme again" in refusal(with_treatment(values, off), "design.treatment_switches", **named).what
    )
    late = on.copy()
    late[7, 14:] = True
    assert "2 rows" in refusal(with_treatment(values, late), "design.several_starts", **named).what
    refusal(tables_of(values), "design.unknown_measure", **named)


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("design.no_predictors", {"importance": "fit"}),
        ("design.unknown_column", {"predictors": [{"column": "trayt"}]}),
        ("design.not_a_number", {"predictors": [{"column": "town"}]}),
        ("design.constant_predictor", {"predictors": [{"column": "flat"}]}),
        ("design.unknown_measure", {"predictors": [{"measure": "rat"}]}),
        ("design.predictor_not_before", {"predictors": [{"last": "2019"}]}),
        ("design.predictor_not_before", {"predictors": [{"first": "2010", "last": "2008"}]}),
        ("design.predictor_of_two_kinds", {"predictors": [{"column": "trait", "first": "2008"}]}),
        ("design.importance", {"predictors": [{"column": "trait", "importance": 1.0}, {"first": "2008"}]}),
        ("design.importance", {"predictors": [{"column": "trait"}], "importance": "declared"}),
        ("design.unused_predictors", {"predictors": [{"column": "trait"}], "estimator": "synthetic_differences"}),
        ("design.solver_without_predictors", {"predictors": [{"column": "trait"}], "solver": "frank_wolfe"}),
        ("design.duplicate_term", {"alternatives": [{"estimator": "synthetic_control"}]}),
        ("design.duplicate_period", {"periods": (*YEARS, "2021")}),
        ("design.unknown_column", {"persons_per_row": "people"}),
        ("design.unknown_column", {"treatment": "is_treatd"}),
        ("design.treatment_not_boolean", {"treatment": "town"}),
        ("design.jackknife_of_synthetic_control", {"standard_errors": "jackknife"}),
        ("design.jackknife_of_one", {"estimator": "synthetic_differences", "standard_errors": "jackknife"}),
    ],
)
def test_specifications_that_cannot_be_honoured(tables: Tables, code: str, fields: dict[str, object]) -> None:
    refusal(tables, code, **fields)


def test_several_treated_units() -> None:
    values = values_of(n=20, n_treated=3)
    tables = tables_of(values, n_treated=3)
    chosen = design(
        estimator="synthetic_differences",
        alternatives=[{"estimator": "synthetic_differences", "standard_errors": "jackknife"}],
    )
    first, again, other = (estimate(chosen, tables, seed=seed) for seed in (1, 1, 2))
    assert first.to_json() == again.to_json()
    errors = [each.primary.effects["std_error"].iloc[0] for each in (first, other)]
    assert errors[0] == pytest.approx(errors[1], rel=0.1)
    assert errors[0] != errors[1]
    for _, row in first.primary.effects.iloc[:2].iterrows():
        assert row["lower"] < EFFECT < row["upper"]
    assert not warned(first, "One place alone")


def test_findings(tables: Tables) -> None:
    chosen = design(predictors=PREDICTORS, importance="fit", persons_per_row="residents", names="town")
    result = estimate(chosen, tables).primary
    found = {each.name: each for each in chosen.findings(tables, result)}
    assert list(found) == [
        "synthetic-path",
        "synthetic-gap",
        "donor-weights",
        "predictor-fit",
        "placebos-in-space",
        "placebo-in-time",
    ]
    gap = found["synthetic-gap"].table.frame.set_index("place")
    assert gap.loc[2018:, "value"].tolist() == result.effects["value"].tolist()[1:]
    assert gap.loc[2018:, "lower"].tolist() == pytest.approx(result.effects["lower"].tolist()[1:], rel=1e-12)
    path = found["synthetic-path"].table.frame
    assert path.groupby("series")["value"].size().tolist() == [16, 16]
    weights = found["donor-weights"].table.frame
    assert weights["weight"].sum() == pytest.approx(1.0, abs=0.02)
    assert weights["weight"].is_monotonic_decreasing
    assert set(weights["donor"]) <= {f"Town {row}" for row in range(1, 20)}
    assert found["predictor-fit"].table.frame["importance"].sum() == pytest.approx(1.0)
    ranks = found["placebos-in-space"].table.frame
    assert len(ranks) == 20
    assert ranks.loc[ranks["rank"] == 1, "unit"].tolist() == ["Town 0"]
    assert "rank 1 of 20 places, p = 0.050" in found["placebos-in-space"].sentence
    for each in found.values():
        cleared = clear(each.table, DisclosureRule())
        assert cleared.n_hidden == 0
        assert each.drawing is None or {each.drawing.x, each.drawing.y} <= set(cleared.frame.columns)
        assert "place-0" not in cleared.frame.to_string() + each.sentence


def test_weights_of_periods_are_shown(tables: Tables) -> None:
    chosen = design(estimator="synthetic_differences", persons_per_row="residents")
    found = {each.name: each for each in chosen.findings(tables, estimate(chosen, tables).primary)}
    assert found["time-weights"].table.frame["weight"].sum() == pytest.approx(1.0)
    assert found["donor-weights"].table.frame["donor"].str.startswith("unit ").all()


def test_a_unit_counts_as_one_person_unless_told_otherwise(tables: Tables) -> None:
    chosen = design()
    for each in chosen.findings(tables, estimate(chosen, tables).primary):
        numbers = [column.name for column in each.table.columns if column.persons]
        assert numbers
        assert clear(each.table, DisclosureRule()).frame[numbers].isna().all(axis=None)


def test_made_up_start_is_the_one_declared(tables: Tables) -> None:
    chosen = design(placebo_start="2012")
    found = {each.name: each for each in chosen.findings(tables, estimate(chosen, tables).primary)}
    assert "in 2012" in found["placebo-in-time"].sentence
    assert "holds zero" in found["placebo-in-time"].sentence


def test_within_a_group(tables: Tables) -> None:
    chosen = design(
        predictors=[{"column": "trait"}], importance="fit", alternatives=[{"estimator": "synthetic_differences"}]
    )
    inside = chosen.within(tables.participants.assign(trait=1.0))
    assert (inside.predictors, inside.importance, inside.alternatives) == ((), "equal", ())
    kept = chosen.within(tables.participants)
    assert kept.predictors == chosen.predictors
    half = np.arange(20) % 2 == 0
    assert estimate(kept, tables, persons=half).primary.n_units == 10


def test_twins_among_the_donors_share_the_weight() -> None:
    donors = np.array([[1.0, 1.0, 4.0], [2.0, 2.0, 0.0]])
    target = np.array([1.6, 1.6])
    fit = nearest_mix(donors, target, 1e-9)
    np.testing.assert_allclose(fit.weights[0], fit.weights[1], atol=1e-6)
    np.testing.assert_allclose(donors @ fit.weights, target, atol=1e-6)


def test_importance_finds_the_predictor_that_matters() -> None:
    generator = np.random.default_rng(8)
    level = generator.normal(size=31)
    noise = generator.normal(size=31)
    outcome = level + 0.05 * generator.normal(size=(12, 31))
    predictors = np.vstack([noise, level])
    found = fit_importance(predictors[:, 1:], predictors[:, 0], outcome[:, 1:], outcome[:, 0])
    equal = nearest_mix(predictors[:, 1:], predictors[:, 0], 1e-9).weights
    misfit = [float(((outcome[:, 1:] @ each - outcome[:, 0]) ** 2).mean()) for each in (found.weights, equal)]
    assert misfit[0] <= misfit[1]
    assert found.shares.sum() == pytest.approx(1.0)
    again = fit_importance(predictors[:, 1:], predictors[:, 0], outcome[:, 1:], outcome[:, 0])
    assert again.weights.tobytes() == found.weights.tobytes()


def test_sets_are_all_or_random() -> None:
    sets, is_all = sets_of(5, 2, 10, np.random.default_rng(0))
    assert is_all
    assert len({tuple(each) for each in sets}) == 10
    sets, is_all = sets_of(30, 3, 50, np.random.default_rng(0))
    assert not is_all
    assert sets.shape == (50, 3)
    assert (np.diff(sets, axis=1) > 0).all()
