"""A before-and-after comparison refuses what it cannot honour, and always says that it is no effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from virkning.data import Tables
from virkning.designs import estimate, problems
from virkning.designs.before_after import BeforeAfter
from virkning.errors import DesignError
from virkning.estimand import Outcome

YEARS = ("2019", "2020", "2021")
N = 50


def design(**fields: object) -> BeforeAfter:
    return BeforeAfter(population="the participants", **({"before": YEARS[:2]} | fields))


def tables_of(values: np.ndarray, treated: object = True, period: str = "2021", measure: str = "score") -> Tables:
    """Return tables from an array of persons by years; NaN stands for an unknown outcome."""
    codes = [f"person-{row:03d}" for row in range(len(values))]
    people = pd.DataFrame({"participant_id": codes, "is_treated": treated})
    outcomes = pd.DataFrame(
        {
            "participant_id": np.repeat(codes, values.shape[1]),
            "period": np.tile(YEARS[: values.shape[1]], len(values)),
            "measure": measure,
            "value": values.ravel(),
        }
    )
    measures = {measure: Outcome(label="Score", unit="points", kind="amount", period=period, primary=True)}
    return Tables.of(people, outcomes[outcomes["value"].notna()].reset_index(drop=True), measures)


@pytest.fixture
def values() -> np.ndarray:
    generator = np.random.default_rng(6)
    return generator.normal(50, 8, size=(N, 1)) + generator.normal(0, 3, size=(N, 3)) + [0, -4, 2]


def refusal(tables: Tables, code: str, **fields: object) -> DesignError:
    found = problems(design(**fields), tables)
    assert [error.code for error in found] == [code]
    with pytest.raises(DesignError) as raised:
        estimate(design(**fields), tables)
    assert raised.value.code == code
    assert raised.value.where
    assert raised.value.why
    assert raised.value.do
    return found[0]


def test_change_is_its_two_parts(values: np.ndarray) -> None:
    found = estimate(design(reliability=0.6, usual_levels={"score": 52.0}), tables_of(values)).primary
    value = found.effects.set_index("term")["value"]
    assert list(value.index) == [
        "change",
        "return, two periods",
        "change beyond return, two periods",
        "return, declared",
        "change beyond return, declared",
    ]
    for kind in ("two periods", "declared"):
        assert value[f"return, {kind}"] + value[f"change beyond return, {kind}"] == pytest.approx(value["change"])
    assert value["return, declared"] == pytest.approx(0.4 * (52 - values[:, 1].mean()))
    assert found.comparison_mean == pytest.approx(values[:, 1].mean())
    assert found.evidence_level.level == 1
    assert found.n_units == N
    assert "not known to be an effect" in found.warnings[0]


def test_one_period_before_is_told(values: np.ndarray) -> None:
    found = estimate(design(before=["2020"]), tables_of(values)).primary
    assert found.effects["term"].tolist() == ["change"]
    assert any("cannot be told" in text for text in found.warnings)


def test_persons_who_are_not_treated(values: np.ndarray) -> None:
    error = refusal(tables_of(values, np.arange(N) > 0), "design.has_comparison")
    assert "difference_in_differences" in error.do


def test_a_single_participant(values: np.ndarray) -> None:
    refusal(tables_of(values[:1]), "design.too_few")


def test_periods(values: np.ndarray) -> None:
    with pytest.raises(ValidationError):
        design(before=[])
    assert "2019, 2020, 2021" in refusal(tables_of(values), "design.unknown_period", before=["2018", "2020"]).do
    refusal(tables_of(values), "design.period_not_after", before=["2020", "2021"])
    refusal(tables_of(values), "design.duplicate_period", before=["2020", "2020"])


@pytest.mark.parametrize("fields", [{"reliability": 0.5}, {"usual_levels": {"score": 50.0}}])
def test_half_a_declaration(values: np.ndarray, fields: dict[str, object]) -> None:
    refusal(tables_of(values), "design.half_declared", **fields)


@pytest.mark.parametrize("reliability", [-0.1, 1.0])
def test_reliability_that_is_none(reliability: float) -> None:
    with pytest.raises(ValidationError):
        design(reliability=reliability, usual_levels={"score": 50.0})


def test_usual_level_of_an_unknown_measure(values: np.ndarray) -> None:
    error = refusal(tables_of(values), "design.unknown_measure", reliability=0.5, usual_levels={"scor": 50.0})
    assert "«score»" in error.do


def test_unknown_treatment(values: np.ndarray) -> None:
    refusal(tables_of(values), "design.unknown_column", treatment="is_treatd")


def test_lost_participants_are_told_without_their_number(values: np.ndarray) -> None:
    values[:3, 2] = np.nan
    values[5:7, 0] = np.nan
    found = estimate(design(), tables_of(values)).primary
    assert found.n_units == N - 3
    told = [text for text in found.warnings if "no outcome" in text or "not known for everybody" in text]
    assert len(told) == 2
    assert not any(character.isdigit() for text in told for character in text)


def test_no_spread(values: np.ndarray) -> None:
    same = np.column_stack([values[:, 0], values[:, 1], values[:, 1] + 2])
    assert "same amount" in estimate(design(), tables_of(np.round(same))).primary.unavailable_reason


def test_nobody_or_one_known_on_both_sides(values: np.ndarray) -> None:
    values[: N // 2, 1] = np.nan
    values[N // 2 :, 2] = np.nan
    assert "Nobody" in estimate(design(), tables_of(values)).primary.unavailable_reason
    values[0, 1] = 40.0
    assert "Too few" in estimate(design(), tables_of(values)).primary.unavailable_reason


def test_spells_that_do_not_pass_are_told(values: np.ndarray) -> None:
    values[:, 0] = 50 - 2 * (values[:, 1] - 50)
    found = estimate(design(), tables_of(values)).primary
    assert any("may mislead" in text for text in found.warnings)
    assert not any("the share" in text for text in found.warnings)


def test_within_a_group_nothing_is_declared(values: np.ndarray) -> None:
    whole = design(reliability=0.6, usual_levels={"score": 52.0})
    assert whole.within(tables_of(values).participants).usual_levels == {}


def test_findings_hold_the_same_numbers_as_the_estimate(values: np.ndarray) -> None:
    which = design(reliability=0.6, usual_levels={"score": 52.0})
    tables = tables_of(values)
    result = estimate(which, tables).primary
    path, parts = which.findings(tables, result)
    means = path.table.frame.set_index("place")["mean"]
    assert means.index.tolist() == [2019, 2020, 2021]
    np.testing.assert_allclose(means, values.mean(axis=0), rtol=1e-12)
    assert means[2021] - means[2020] == pytest.approx(result.headline().value, rel=1e-10)
    assert path.drawing is not None
    assert path.drawing.start == 2020.5
    effects = result.effects.set_index("term")["value"]
    frame = parts.table.frame.set_index(["way", "part"])["value"]
    for way, name in (
        ("by the period before the last", "two periods"),
        ("by the declared reliability", "declared"),
    ):
        assert frame[way, "Return to be expected"] == effects[f"return, {name}"]
        assert frame[way, "Left"] == effects[f"change beyond return, {name}"]
        assert frame[way, "Change"] == pytest.approx(effects["change"], rel=1e-12)
        share = effects[f"return, {name}"] / effects["change"]
        assert f"could explain {share:.0%} of the change" in parts.sentence


@pytest.mark.parametrize(
    ("steps", "words"),
    [([8, 0, 4], "the whole change"), ([-8, 0, 4], "explains none of it"), ([2, 0, 8], "% of the change")],
)
def test_share_that_was_to_be_expected(steps: list[float], words: str) -> None:
    generator = np.random.default_rng(6)
    tables = tables_of(generator.normal(50, 8, size=(N, 1)) + generator.normal(0, 0.1, size=(N, 3)) + steps)
    _, parts = design().findings(tables, estimate(design(), tables).primary)
    assert words in parts.sentence


def test_nothing_is_said_of_the_return_where_nothing_tells_it(values: np.ndarray) -> None:
    tables = tables_of(values)
    which = design(before=["2020"])
    (path,) = which.findings(tables, estimate(which, tables).primary)
    assert path.name == "mean-by-period"
    constant = tables_of(np.ones((N, 3)))
    assert design().findings(constant, estimate(design(), constant).primary) == ()


def test_exclusions_and_those_whose_earlier_period_is_not_known(values: np.ndarray) -> None:
    holes = values.copy()
    holes[0, 2], holes[1, 1], holes[2, 0] = np.nan, np.nan, np.nan
    tables = tables_of(holes)
    found = design().exclusions(tables, "score")
    assert [np.flatnonzero(item.persons).tolist() for item in found] == [[0], [1]]
    result = estimate(design(), tables).primary
    assert result.n_units == N - 2
    path, parts = design().findings(tables, result)
    assert path.table.frame["persons"].tolist() == [N - 3, N - 2, N - 2]
    assert set(parts.table.frame["persons"]) == {N - 3}


@pytest.mark.parametrize(("rule", "count"), [("standard", N - 1), ("residual", N - 1), ("large_sample", np.inf)])
def test_rules_for_degrees_of_freedom(values: np.ndarray, rule: str, count: float) -> None:
    result = estimate(design(degrees_of_freedom=rule), tables_of(values)).primary
    assert result.degrees_of_freedom == count
    first = result.effects.iloc[0]
    assert first["upper"] - first["value"] == pytest.approx(stats.t.ppf(0.975, count) * first["std_error"], rel=1e-12)
