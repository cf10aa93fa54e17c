"""An interrupted time series refuses what it cannot honour, and says what its series can and cannot tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from virkning.data import Field, Tables, load_schema
from virkning.designs import estimate, problems
from virkning.designs.findings import Finding
from virkning.designs.interrupted_time_series import InterruptedTimeSeries
from virkning.disclosure import DisclosureRule, clear
from virkning.errors import DataError, DesignError
from virkning.estimand import Outcome

YEARS = tuple(str(year) for year in range(2000, 2020))
START = "2012"
JUMP, BEND = 4.0, 0.5
N = 12


def design(**fields: object) -> InterruptedTimeSeries:
    return InterruptedTimeSeries(population="the towns", **({"start": START} | fields))


def values_of(n: int = N, n_treated: int = N, seed: int = 4, n_periods: int = len(YEARS)) -> np.ndarray:
    """Return outcomes of places by years: those in the programme jump by 4 and bend by 0.5 in the thirteenth year."""
    generator = np.random.default_rng(seed)
    time = np.arange(n_periods)
    since = np.maximum(time - 12, 0)
    effect = (time >= 12) * JUMP + BEND * since
    treated = np.arange(n)[:, None] < n_treated
    return (
        20
        + 0.3 * time
        + treated * effect
        + generator.normal(0, 0.4, n_periods)
        + generator.normal(0, 1, (n, n_periods))
    )


def tables_of(
    values: np.ndarray,
    n_treated: int | None = None,
    names: tuple[str, ...] = YEARS,
    period: str | None = None,
    sizes: object = None,
) -> Tables:
    """Return tables from an array of places by periods; NaN stands for an unknown outcome."""
    codes = [f"place-{row:03d}" for row in range(len(values))]
    treated = np.arange(len(values)) < (len(values) if n_treated is None else n_treated)
    people = pd.DataFrame({"participant_id": codes, "is_treated": treated})
    fields = ()
    if sizes is not None:
        people["inhabitants"] = sizes
        fields = (Field(name="inhabitants", type="number", title="Inhabitants", unit="persons"),)
    names = names[: values.shape[1]]
    outcomes = pd.DataFrame(
        {
            "participant_id": np.repeat(codes, values.shape[1]),
            "period": np.tile(names, len(values)),
            "measure": "score",
            "value": values.ravel(),
        }
    )
    measures = {"score": Outcome(label="Score", unit="points", kind="amount", period=period or names[-1], primary=True)}
    schemas = {"participants": load_schema("participants", fields)}
    return Tables.of(people, outcomes[outcomes["value"].notna()].reset_index(drop=True), measures, schemas)


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


def test_terms_of_one_series() -> None:
    found = estimate(design(alternatives=[{"estimator": "newey_west", "lag": 2}]), tables_of(values_of())).primary
    value = found.effects.set_index("term")["value"]
    assert list(value.index) == [
        "average, restricted_likelihood",
        "average, newey_west over 2",
        "at_period, restricted_likelihood",
        "level change, restricted_likelihood",
        "slope change, restricted_likelihood",
    ]
    level, slope = value["level change, restricted_likelihood"], value["slope change, restricted_likelihood"]
    assert value["average, restricted_likelihood"] == pytest.approx(level + 3.5 * slope)
    assert value["at_period, restricted_likelihood"] == pytest.approx(level + 7 * slope)
    row = found.effects.iloc[0]
    assert row["lower"] < JUMP + 3.5 * BEND < row["upper"]
    assert found.evidence_level.level == 2
    assert found.n_units == N
    assert "whatever else changed" in found.warnings[0]
    assert "Satterthwaite" in found.degrees_of_freedom_rule


def test_what_raises_the_evidence() -> None:
    values = values_of(n=30, n_treated=12)
    values[:, 12:] += 5.0  # Something that came to everybody at the start.
    single = estimate(design(), tables_of(values[:12])).primary
    both = estimate(design(has_comparison_series=True), tables_of(values, n_treated=12)).primary
    truth = JUMP + 3.5 * BEND
    assert single.effects["lower"].iloc[0] > truth
    assert both.effects["lower"].iloc[0] < truth < both.effects["upper"].iloc[0]
    assert (single.evidence_level.level, both.evidence_level.level) == (2, 3)
    assert "comparison series" in single.evidence_level.raise_by
    assert both.n_units == 30
    assert not any("no comparison series" in text for text in both.warnings)


def test_headline_at_a_period() -> None:
    found = estimate(design(headline="at_period"), tables_of(values_of(), period="2015")).primary
    value = found.effects.set_index("term")["value"]
    level, slope = value["level change, restricted_likelihood"], value["slope change, restricted_likelihood"]
    assert found.headline().value == pytest.approx(level + 3 * slope)
    assert "in 2015" in found.estimand.quantity


def test_what_is_asked_for_is_what_changes() -> None:
    tables = tables_of(values_of())
    level = estimate(design(changes="level"), tables).primary.effects["term"]
    assert list(level) == ["average, restricted_likelihood"]  # All the others would be the same number.
    bend = estimate(design(changes="slope"), tables).primary.effects["term"]
    assert not any(term.startswith("level change") for term in bend)


def test_transition_is_left_out_and_keeps_its_place() -> None:
    values = values_of()
    values[:, 12:14] = 99.0
    found = estimate(design(transition=["2012", "2013"]), tables_of(values)).primary
    row = found.effects.set_index("term").loc["level change, restricted_likelihood"]
    assert row["lower"] < JUMP + 2 * BEND < row["upper"]
    # Years that were not even measured are the same.
    unmeasured = tables_of(np.delete(values, [12, 13], axis=1), names=(*YEARS[:12], *YEARS[14:]))
    again = estimate(design(start="2014", transition=["2012", "2013"]), unmeasured).primary
    np.testing.assert_allclose(again.effects["value"], found.effects["value"], rtol=1e-9)
    refusal(unmeasured, "design.gap_in_time", start="2014")


def test_gap_in_time() -> None:
    values = values_of()
    values[:, 5] = np.nan
    assert "2005" in refusal(tables_of(values), "design.gap_in_time").what


def test_periods_whose_order_nobody_knows() -> None:
    names = tuple(f"{word} term" for word in "abcdefghijklmnopqrst")
    tables = tables_of(values_of(), names=names)
    refusal(tables, "design.periods_unordered", start="m term")
    assert not problems(design(start="m term", periods=names), tables)
    refusal(tables, "design.period_not_listed", start="m term", periods=(*names[:4], *names[5:]))
    refusal(tables, "design.duplicate_period", start="m term", periods=(*names, names[0]))


def test_start_and_periods() -> None:
    tables = tables_of(values_of())
    assert "2013" in refusal(tables, "design.unknown_period", start="2O13").do
    refusal(tables, "design.unknown_period", transition=["2030"])
    refusal(tables, "design.too_few_periods_before", start="2000")
    refusal(tables, "design.too_few_periods_before", start="2001")
    refusal(tables_of(values_of(), period="2003"), "design.period_not_after")
    refusal(tables, "design.period_not_after", transition=["2019"])
    refusal(tables, "design.too_few_periods_after", start="2019")
    assert not problems(design(start="2019", changes="level"), tables)
    refusal(tables_of(values_of(), period=START), "design.no_time_to_bend", changes="slope", headline="at_period")


def test_too_few_periods_for_what_is_asked() -> None:
    values = values_of(n_periods=4)
    refusal(tables_of(values), "design.not_determined", start="2002")
    refusal(tables_of(values_of()), "design.not_determined", seasonality={"period": 18})


def test_seasons() -> None:
    tables = tables_of(values_of())
    refusal(tables, "design.season_too_long", seasonality={"period": 20})
    refusal(tables, "design.too_many_waves", seasonality={"kind": "harmonics", "period": 4, "pairs": 3})
    with pytest.raises(ValidationError):
        design(seasonality={"period": 1})
    found = estimate(design(seasonality={"period": 8, "kind": "harmonics"}), tables).primary
    assert any("two full seasons" in text for text in found.warnings)
    assert not any(
        "two full seasons" in t for t in estimate(design(seasonality={"period": 4}), tables).primary.warnings
    )


def test_lags() -> None:
    tables = tables_of(values_of())
    refusal(tables, "design.lag_not_used", lag=2)
    refusal(tables, "design.lag_too_long", estimator="newey_west", lag=20)
    refusal(tables, "design.duplicate_term", alternatives=[{"estimator": "restricted_likelihood"}])
    by_rule = estimate(design(estimator="newey_west"), tables).primary
    assert "over 2 periods" in by_rule.method.name
    other = estimate(design(estimator="newey_west", lag_rule="stock_watson"), tables).primary
    assert "over 3 periods" in other.method.name
    with pytest.raises(ValidationError):
        design(estimator="newey_west", lag=-1)


def test_ways_of_starting() -> None:
    tables = tables_of(values_of())
    refusal(tables, "design.two_ways_of_starting", phase_in=3, transition=["2012"])
    refusal(tables, "design.nothing_to_phase_in", phase_in=3, changes="slope")
    with pytest.raises(ValidationError):
        design(phase_in=0)


def test_who_is_in_the_programme() -> None:
    values = values_of()
    refusal(tables_of(values), "design.no_comparison", has_comparison_series=True)
    assert "has_comparison_series" in refusal(tables_of(values, n_treated=6), "design.has_comparison").do
    refusal(tables_of(values, n_treated=0), "design.nobody_treated")
    refusal(tables_of(values), "design.unknown_column", treatment="is_treatd")


def test_infinite_values() -> None:
    values = values_of()
    values[3, 7] = np.inf
    with pytest.raises(DataError) as raised:
        tables_of(values)
    assert "not a number (1 row)" in str(raised.value)
    assert "place-003" not in str(raised.value)


@pytest.mark.parametrize(
    ("sizes", "code"), [(0.0, "design.not_a_number_of_persons"), (np.nan, "design.missing_values")]
)
def test_persons_per_row(sizes: float, code: str) -> None:
    numbers = np.full(N, 1000.0)
    numbers[0] = sizes
    refusal(tables_of(values_of(), sizes=numbers), code, persons_per_row="inhabitants")
    refusal(tables_of(values_of()), "design.unknown_column", persons_per_row="inhabitants")


def test_a_series_of_one_row_counts_its_persons() -> None:
    tables = tables_of(values_of(n=1), sizes=[2500.0])
    found = estimate(design(persons_per_row="inhabitants"), tables).primary
    assert found.n_units == 2500
    alone = design()
    hidden = clear(alone.findings(tables, estimate(alone, tables).primary)[0].table, DisclosureRule())
    assert hidden.n_hidden == len(hidden.frame)
    sized = design(persons_per_row="inhabitants")
    assert clear(sized.findings(tables, found)[0].table, DisclosureRule()).n_hidden == 0


def test_outcome_that_never_varies() -> None:
    found = estimate(design(), tables_of(np.full((N, 20), 3.0))).primary
    assert not found.is_available
    assert "never varies" in found.unavailable_reason
    assert design().findings(tables_of(np.full((N, 20), 3.0)), found) == ()


def test_series_without_spread() -> None:
    lines = np.tile(np.arange(20.0), (N, 1))
    found = estimate(design(), tables_of(lines)).primary
    assert not found.is_available
    assert "exactly on the fitted lines" in found.unavailable_reason


def test_gap_in_the_series_of_a_group() -> None:
    values = values_of(n=24, n_treated=12)
    values[12:, 8] = np.nan
    found = estimate(design(has_comparison_series=True), tables_of(values, n_treated=12)).primary
    assert not found.is_available
    assert "comparison group" in found.unavailable_reason


def test_rows_that_come_and_go() -> None:
    values = values_of()
    values[0, 3] = np.nan
    values[1, :] = np.nan
    tables = tables_of(values)
    found = estimate(design(), tables).primary
    assert found.n_units == N - 1
    assert "no outcome in some periods" in found.warnings[0]
    assert not any(character.isdigit() for character in found.warnings[0])
    whole = design(needs_every_period=True)
    again = estimate(whole, tables).primary
    assert again.n_units == N - 2
    assert "left out" in again.warnings[0]
    for each, result in ((design(), found), (whole, again)):
        (excluded,) = each.exclusions(tables, "score")
        assert N - excluded.persons.sum() == result.n_units
        assert "Score" in excluded.reason
    np.testing.assert_allclose(
        again.effects["value"], estimate(design(), tables_of(values[2:])).primary.effects["value"]
    )


def test_few_periods_and_short_series_are_told() -> None:
    tables = tables_of(values_of())
    assert any("fewer than 8 periods" in t for t in estimate(design(start="2005"), tables).primary.warnings)
    assert not any("fewer than 8 periods" in t for t in estimate(design(), tables).primary.warnings)
    newey = estimate(design(estimator="newey_west"), tables).primary
    assert any("too narrow in short series" in text for text in newey.warnings)
    assert not any("too narrow" in text for text in estimate(design(), tables).primary.warnings)


def test_alike_neighbours_and_wandering_are_told() -> None:
    generator = np.random.default_rng(1)
    walk = np.tile(generator.normal(0, 5, 60).cumsum(), (3, 1))
    names = tuple(str(year) for year in range(1960, 2020))
    tables = tables_of(walk, names=names)
    plain = estimate(design(estimator="least_squares", start="1990"), tables).primary
    assert any("Neighbouring periods are alike" in text for text in plain.warnings)
    wide = estimate(design(start="1990"), tables).primary
    widths = [result.headline().upper - result.headline().lower for result in (plain, wide)]
    assert widths[1] > 2 * widths[0]
    drift = np.tile(3 * np.arange(60.0) ** 2, (3, 1)) + walk
    edge = estimate(design(start="1990"), tables_of(drift, names=names)).primary
    assert any("random walk" in text for text in edge.warnings)


def test_series_that_drift_apart_are_told() -> None:
    values = values_of(n=24, n_treated=12)
    values[:12] += 1.5 * np.arange(20)
    found = estimate(design(has_comparison_series=True), tables_of(values, n_treated=12)).primary
    assert any("drifting apart" in text for text in found.warnings)


def test_degrees_of_freedom() -> None:
    tables = tables_of(values_of())
    by = {rule: estimate(design(degrees_of_freedom=rule), tables).primary for rule in ("residual", "large_sample")}
    assert by["residual"].degrees_of_freedom == 16
    assert np.isinf(by["large_sample"].degrees_of_freedom)
    assert estimate(design(), tables).primary.degrees_of_freedom < 16


def by_name(found: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.name: finding for finding in found}


def test_findings_of_one_series() -> None:
    tables = tables_of(values_of())
    result = estimate(design(), tables).primary
    found = by_name(design().findings(tables, result))
    assert list(found) == ["series", "effect-by-period", "changes", "residual-autocorrelation"]
    lines = found["series"].table.frame
    drawing = found["series"].drawing
    assert drawing is not None
    assert set(drawing.styles) == set(lines["line"])
    assert drawing.start == pytest.approx(2011.5)
    wide = lines.pivot_table(index="place", columns="line", values="value")
    gap = (wide["Fitted"] - wide["Trend before the start, continued"]).dropna()
    assert len(gap) == 8
    assert gap.mean() == pytest.approx(result.headline().value)
    by_period = found["effect-by-period"].table.frame
    np.testing.assert_allclose(by_period["value"].to_numpy(float), gap.to_numpy(float))
    assert (by_period["lower"] < by_period["value"]).all()
    parts = found["changes"].table.frame.set_index("part")["value"]
    assert parts["Slope after the start, per period"] == pytest.approx(
        parts["Slope before the start, per period"] + parts["Change of slope, per period"]
    )
    correlation = found["residual-autocorrelation"].table.frame
    assert correlation["p_value"].dropna().between(0, 1).all()
    assert correlation["p_value"].notna().sum() == 4
    for finding in found.values():
        assert finding.question.endswith("?")
        assert clear(finding.table, DisclosureRule()).n_hidden == 0


def test_findings_with_a_comparison() -> None:
    tables = tables_of(values_of(n=24, n_treated=12), n_treated=12)
    both = design(has_comparison_series=True)
    found = by_name(both.findings(tables, estimate(both, tables).primary))
    assert list(found)[:2] == ["series", "comparison-series"]
    lines = found["comparison-series"].table.frame
    assert lines["line"].nunique() == 4
    drawing = found["comparison-series"].drawing
    assert drawing is not None
    assert set(drawing.styles) == set(lines["line"])


def test_periods_with_words_keep_the_gap_of_the_transition() -> None:
    names = tuple(f"{year}Q{quarter}" for year in range(2000, 2005) for quarter in range(1, 5))
    tables = tables_of(values_of(), names=names)
    chosen = design(start="2003Q1", transition=["2003Q1", "2003Q2"], seasonality={"period": 4})
    lines = by_name(chosen.findings(tables, estimate(chosen, tables).primary))["series"].table.frame
    places = lines.loc[lines["line"] == "Observed", "place"].tolist()
    assert places == [*range(-14, -2), *range(6)]


def test_within_a_group() -> None:
    whole = design(alternatives=[{"estimator": "newey_west"}])
    assert whole.within(tables_of(values_of()).participants).alternatives == ()
