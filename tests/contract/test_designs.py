"""What holds for every design, whatever it estimates."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from virkning.data import Tables
from virkning.designs import DESIGNS, DesignWords, EvaluationDesign, estimate, problems
from virkning.errors import EstimationError
from virkning.estimates import EFFECT_COLUMNS, Estimate, Estimates


@pytest.fixture
def effects(design: EvaluationDesign, tables: Tables) -> Estimates:
    return estimate(design, tables, seed=3)


def available(effects: Estimates) -> list[Estimate]:
    found = [item for item in effects.values() if item.is_available]
    assert found
    return found


def test_every_design_has_an_example(design: EvaluationDesign) -> None:
    assert type(design) in DESIGNS.values()


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_type_in_a_specification_is_the_name(name: str) -> None:
    assert DESIGNS[name].model_fields["type"].default == name


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_words(name: str) -> None:
    words = DESIGNS[name].words
    assert isinstance(words, DesignWords)
    assert words.chapter == name
    assert words.title
    assert words.question.endswith("?")
    assert words.estimand
    assert words.notation
    assert words.citation
    assert words.can_conclude
    assert words.cannot_conclude
    assert 1 <= words.evidence_level.level <= 5
    assert words.evidence_level.reason
    assert words.assumptions
    assert all(item.name and item.words.endswith(".") and item.notation for item in words.assumptions)


def test_sound_data_have_no_problems(design: EvaluationDesign, tables: Tables) -> None:
    assert problems(design, tables) == ()


def test_columns_and_terms(design: EvaluationDesign, tables: Tables, effects: Estimates) -> None:
    assert list(effects) == list(design.outcomes(tables))
    for result in effects.values():
        frame = result.effects
        assert tuple(frame.columns) == EFFECT_COLUMNS
        assert frame["term"].is_unique
        assert (frame["period"] == result.estimand.period).all()
        assert result.covariance.shape == (len(frame), len(frame))
        assert (frame["n_treated"] + frame["n_comparison"] == result.n_units).all()
        assert frame["n_treated"].dtype == np.int64


def test_interval_contains_the_value(effects: Estimates) -> None:
    for result in available(effects):
        frame = result.effects
        assert (frame["std_error"] > 0).all()
        assert (frame["lower"] < frame["value"]).all()
        assert (frame["value"] < frame["upper"]).all()
        assert frame["p_value"].between(0, 1).all()
        again = result.interval(result.level)
        assert again.lower == pytest.approx(result.headline().lower, rel=1e-12)
        wider = result.interval(0.999)
        assert wider.lower < again.lower < again.value < again.upper < wider.upper


def test_covariance_agrees_with_the_printed_errors(effects: Estimates) -> None:
    for result in available(effects):
        np.testing.assert_array_equal(np.diag(result.covariance), result.effects["std_error"].to_numpy() ** 2)
        np.testing.assert_array_equal(result.covariance, result.covariance.T)
        scale = np.diag(result.covariance).max()
        assert np.linalg.eigvalsh(result.covariance).min() > -1e-9 * scale
    joint = effects.covariance()
    errors = np.array([result.effects["std_error"].iloc[0] for result in available(effects)])
    np.testing.assert_array_equal(np.diag(joint), errors**2)


def test_changing_what_is_returned_changes_nothing(effects: Estimates) -> None:
    before = effects.to_json()
    for result in effects.values():
        for name in ("effects", "frame"):
            frame = getattr(result, name)
            frame["value"] = -1.0
            frame.loc[len(frame)] = [*["x"] * 2, *[0.0] * 5, 1, 1]
        flat = result.to_frame()
        flat["value"] = -1.0
        with pytest.raises(ValueError, match="read-only"):
            result.covariance[...] = 0.0
        with pytest.raises(AttributeError):
            result.level = 0.5
        if result.influence is not None:
            with pytest.raises(ValueError, match="read-only"):
                result.influence[...] = 0.0
        view = result.effects["value"].to_numpy()
        if len(view):
            with pytest.raises(ValueError, match="read-only"):
                view[0] = 0.0
    with pytest.raises(TypeError):
        effects.estimates["earnings"] = None
    effects.covariance()[...] = 0.0
    assert effects.to_json() == before


def test_json_gives_the_same_bits(effects: Estimates) -> None:
    text = effects.to_json()
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    again = Estimates.from_json(text)
    assert again.to_json() == text
    assert list(again) == list(effects)
    for measure, result in effects.items():
        copy = again[measure]
        pd.testing.assert_frame_equal(copy.effects, result.effects, check_exact=True)
        assert copy.covariance.tobytes() == result.covariance.tobytes()
        assert copy.estimand == result.estimand
        assert copy.warnings == result.warnings
        assert copy.degrees_of_freedom == result.degrees_of_freedom
        assert copy.influence_ids == result.influence_ids


def test_same_seed_same_bits(design: EvaluationDesign, make_tables: Callable[[], Tables], effects: Estimates) -> None:
    # From data that were built again, so that nothing can have been kept.
    assert estimate(design, make_tables(), seed=3).to_json() == effects.to_json()
    first, second = (effects.draws(50, np.random.default_rng(9)) for _ in range(2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_input_is_unchanged(design: EvaluationDesign, tables: Tables) -> None:
    participants, outcomes = tables.participants.copy(deep=True), tables.outcomes.copy(deep=True)
    checksum, fields = tables.checksum, design.model_dump_json()
    estimate(design, tables)
    pd.testing.assert_frame_equal(tables.participants, participants, check_exact=True)
    pd.testing.assert_frame_equal(tables.outcomes, outcomes, check_exact=True)
    assert tables.checksum == checksum
    assert design.model_dump_json() == fields


def test_unavailable_says_why(effects: Estimates) -> None:
    result = effects["constant"]
    assert not result.is_available
    assert result.unavailable_reason.endswith(".")
    assert len(result.effects) == 0
    for call in (result.headline, lambda: result.interval(0.9), lambda: result.draws(1, np.random.default_rng(0))):
        with pytest.raises(EstimationError) as error:
            call()
        assert result.unavailable_reason in str(error.value)
    assert "constant" not in effects.draws(2, np.random.default_rng(0)).columns


def test_draws_are_joint(effects: Estimates) -> None:
    draws = effects.draws(40_000, np.random.default_rng(1))
    covariance = effects.covariance()
    scale = np.sqrt(np.diag(covariance))
    # The standard error of a correlation from 40,000 draws is at most .005.
    np.testing.assert_allclose(draws.corr().to_numpy(), covariance / np.outer(scale, scale), atol=0.02)
    np.testing.assert_allclose(draws.std().to_numpy(), scale, rtol=0.02)
    result = effects.primary
    terms = result.draws(40_000, np.random.default_rng(1))
    scale = np.sqrt(np.diag(result.covariance))
    np.testing.assert_allclose(np.corrcoef(terms, rowvar=False), result.covariance / np.outer(scale, scale), atol=0.02)


def test_persons_without_an_outcome_are_mentioned_without_a_count(effects: Estimates) -> None:
    assert not any("no outcome" in text for text in effects["earnings"].warnings)
    mentioned = [text for text in effects["job"].warnings if "no outcome" in text]
    assert len(mentioned) == 1
    assert not any(character.isdigit() for character in mentioned[0])


def test_ids_of_persons_do_not_travel(effects: Estimates, tables: Tables) -> None:
    text = effects.to_json()
    assert not any(person in text for person in tables.participants["participant_id"])


def test_provenance(effects: Estimates, tables: Tables) -> None:
    for result in effects.values():
        assert result.provenance.data_checksum == tables.checksum
        assert result.provenance.seed == 3
        assert result.provenance.schema
        assert result.method.chapter in DESIGNS


def test_group_of_persons(design: EvaluationDesign, tables: Tables) -> None:
    everyone = estimate(design, tables, persons=np.ones(len(tables.participants), dtype=bool))
    assert everyone.to_json() == estimate(design, tables).to_json()
    half = np.arange(len(tables.participants)) % 2 == 0
    assert estimate(design, tables, persons=half).primary.n_units == half.sum()
