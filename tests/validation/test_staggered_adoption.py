"""Staggered adoption against published numbers and other software.

Printed numbers must agree to half a unit of their last digit; software to rtol 1e-6 or better. Data: mpdta of the R
package did (reference/mpdta.csv), the castle-doctrine laws (causaldata), and a synthetic panel made here.
Numbers of other software stand in reference/staggered_adoption.csv, whose head says how they were made.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import causaldata
import numpy as np
import pandas as pd
import pytest
from linearmodels.panel import PanelOLS
from scipy import stats

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.designs import estimate
from virkning.designs.staggered_adoption import StaggeredAdoption
from virkning.estimand import Outcome
from virkning.estimates import Estimate
from virkning.numerics.group_time import (
    Panel,
    Rules,
    aggregate,
    group_time_effects,
    simultaneous_critical_value,
)
from virkning.numerics.two_way_fixed_effects import goodman_bacon, two_way_fixed_effects

REFERENCE = Path(__file__).parent / "reference"
SOFTWARE = 1e-6
# csdid and we maximise the same likelihood to the last digits; both were printed with twelve.
CLOSE = 1e-9


def tables_of(people: pd.DataFrame, outcome: pd.DataFrame) -> Tables:
    """Return tables from persons (column ``start``: text or missing) and their outcomes, one column per period."""
    ids = [f"unit {row:05d}" for row in range(len(people))]
    people = people.reset_index(drop=True).assign(participant_id=ids, is_treated=people["start"].notna().to_numpy())
    types = {"b": "boolean", "i": "integer", "f": "number"}
    fields = [
        Field(
            name=name,
            type=types.get(people[name].dtype.kind, "string"),
            title=name,
            unit="units",
            constraints=Constraints(required=name != "start"),
        )
        for name in people.columns
        if name not in ("participant_id", "is_treated")
    ]
    rows = outcome.assign(participant_id=ids).melt("participant_id", var_name="period").assign(measure="y")
    rows["period"] = rows["period"].astype("str")
    measures = {
        "y": Outcome(label="Outcome", unit="units", kind="amount", period=str(outcome.columns[-1]), primary=True)
    }
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, rows.dropna(), measures, schemas)


def design(**fields: object) -> StaggeredAdoption:
    return StaggeredAdoption(population="them", comparison="those not yet in it", cohort="start", **fields)


def agrees_with_print(value: float, printed: str) -> None:
    digits = len(printed.partition(".")[2])
    assert np.isfinite(value)
    assert abs(value - float(printed)) <= 0.5 * 10.0**-digits + 1e-12


def same(ours: object, theirs: object, rtol: float = SOFTWARE) -> None:
    """Compare, and make sure that there is something to compare."""
    a, b = np.atleast_1d(np.asarray(ours, dtype=float)), np.atleast_1d(np.asarray(theirs, dtype=float))
    assert a.shape == b.shape
    assert a.size > 0
    assert np.isfinite(a).all()
    assert np.isfinite(b).all()
    np.testing.assert_allclose(a, b, rtol=rtol, atol=0)


def term(result: Estimate, name: str) -> pd.Series:
    rows = result.effects
    assert (rows["term"] == name).sum() == 1
    return rows[rows["term"] == name].iloc[0]


def agrees(result: Estimate, name: str, value: str, std_error: str) -> None:
    row = term(result, name)
    agrees_with_print(row["value"], value)
    agrees_with_print(row["std_error"], std_error)


def starts(values: pd.Series | np.ndarray) -> pd.Series:
    """Return periods as text, missing for zero."""
    return pd.Series([str(int(value)) if value else None for value in np.asarray(values)], dtype="str")


@pytest.fixture(scope="module")
def mpdta() -> Tables:
    data = pd.read_csv(REFERENCE / "mpdta.csv", comment="#")
    assert data.shape == (500, 8)
    people = pd.DataFrame({"start": starts(data["first_treated"]), "covariate": data["log_population"]})
    return tables_of(people, data[["2003", "2004", "2005", "2006", "2007"]])


def synthetic_arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return outcomes (400, 8), positions of the starts (8: never), a covariate and clusters of five persons."""
    generator = np.random.default_rng(20240)
    n, n_periods = 400, 8
    covariate = generator.normal(size=n)
    cluster = np.repeat(np.arange(80), 5)
    place = generator.uniform(size=n) + 0.15 * covariate
    start = np.select([place < 0.2, place < 0.45, place < 0.7], [3, 5, 6], 8)
    time = np.arange(n_periods)
    on = time[None, :] >= start[:, None]
    outcome = (
        generator.normal(size=n)[:, None]
        + generator.normal(size=80)[cluster][:, None] * time * 0.1
        + 0.3 * time[None, :] * (1 + 0.2 * covariate[:, None])
        + np.where(on, 1 + 0.4 * (time[None, :] - start[:, None]), 0)
        + generator.normal(size=(n, n_periods))
    )
    return outcome, start, covariate, cluster


@pytest.fixture(scope="module")
def synthetic() -> Tables:
    outcome, start, covariate, cluster = synthetic_arrays()
    people = pd.DataFrame(
        {
            "start": starts(np.where(start == 8, 0, start + 1)),
            "covariate": covariate,
            "cluster": [f"cluster {each}" for each in cluster],
        }
    )
    return tables_of(people, pd.DataFrame(outcome, columns=range(1, 9)))


# did 2.5.1 (reference file of csdid, generated by R; the README of did prints bootstrapped errors).
@pytest.mark.parametrize(
    ("aggregation", "value", "std_error"),
    [
        ("simple", "-.0399512752", ".0120340128"),
        ("group", "-.0310182822", ".0124460593"),
        ("dynamic", "-.0772398", ".0199650"),
        ("calendar", "-.0417004321", ".0159718519"),
    ],
)
def test_minimum_wage(mpdta: Tables, aggregation: str, value: str, std_error: str) -> None:
    agrees(estimate(design(aggregation=aggregation), mpdta)["y"], aggregation, value, std_error)


# Help file of Stata's csdid, and its README.
@pytest.mark.parametrize(
    ("aggregation", "name", "value", "std_error"),
    [
        ("simple", "simple", "-.0417518", ".0115028"),
        ("calendar", "period 2004", "-.0145297", ".0221292"),
        ("group", "cohort 2004", "-.0845759", ".0245649"),
        ("group", "cohort 2006", "-.0201666", ".0174696"),
        ("group", "cohort 2007", "-.0287814", ".016239"),
        ("dynamic", "event 0", "-.0210604", ".0114942"),
        ("dynamic", "event +1", "-.0530032", ".0163465"),
        ("dynamic", "event +2", "-.1404483", ".0353782"),
        ("dynamic", "event +3", "-.1069039", ".0328865"),
    ],
)
def test_minimum_wage_given_population(mpdta: Tables, aggregation: str, name: str, value: str, std_error: str) -> None:
    result = estimate(design(aggregation=aggregation, covariates=["covariate"]), mpdta)["y"]
    agrees(result, name, value, std_error)


def test_minimum_wage_by_outcome_regression(mpdta: Tables) -> None:
    fields = {"covariates": ["covariate"], "estimator": "outcome_regression"}
    agrees(estimate(design(**fields), mpdta)["y"], "simple", "-.0419686124", ".0114448298")
    result = estimate(design(aggregation="calendar", **fields), mpdta)["y"]
    agrees(result, "calendar", "-.0445323", ".0148850")


@pytest.mark.parametrize(
    ("aggregation", "value", "std_error"),
    [
        ("simple", "-.0397636256", ".0120524248"),
        ("group", "-.0304622", ".0125751"),
        ("calendar", "-.0442671", ".0155709"),
    ],
)
def test_minimum_wage_against_those_not_yet_treated(
    mpdta: Tables, aggregation: str, value: str, std_error: str
) -> None:
    result = estimate(design(aggregation=aggregation, control_group="not_yet_treated"), mpdta)["y"]
    agrees(result, aggregation, value, std_error)


@pytest.mark.parametrize(
    ("covariates", "statistic", "p_value"), [([], "7.79124", ".16812"), (["covariate"], "6.8418", ".23267")]
)
def test_pre_trends(mpdta: Tables, covariates: list[str], statistic: str, p_value: str) -> None:
    row = design(covariates=covariates).pre_trends(mpdta, "y").frame.iloc[0]
    agrees_with_print(row["statistic"], statistic)
    agrees_with_print(row["p_value"], p_value)
    assert row["degrees_of_freedom"] == 5


SETTINGS = ["data", "software", "control", "method", "covariate", "anticipation", "base", "cluster"]
PRINTED = pd.read_csv(REFERENCE / "staggered_adoption.csv", comment="#", keep_default_na=False)
GROUPS = [(key, rows.reset_index(drop=True)) for key, rows in PRINTED.groupby(SETTINGS)]


def test_reference_is_complete() -> None:
    assert len(PRINTED) == 410
    assert len(GROUPS) == 33


@pytest.mark.parametrize(("key", "rows"), GROUPS, ids=["-".join(map(str, key)) for key, _ in GROUPS])
def test_other_software(
    request: pytest.FixtureRequest, key: tuple[str, str, str, str, str, int, str, str], rows: pd.DataFrame
) -> None:
    data, software, control, method, covariate, anticipation, base, cluster = key
    common = {
        "control_group": control,
        "estimator": method,
        "covariates": [covariate] if covariate else [],
        "anticipation": anticipation,
        "base_period": base,
        "clusters": cluster or None,
        "two_way_fixed_effects": False,
    }
    tables = request.getfixturevalue(data)
    found: dict[str, tuple[float, float]] = {}
    for aggregation in ("simple", "group", "dynamic", "calendar"):
        frame = estimate(design(aggregation=aggregation, **common), tables)["y"].effects
        found |= dict(zip(frame["term"], zip(frame["value"], frame["std_error"], strict=True), strict=True))
    same([found[name] for name in rows["term"]], rows[["value", "std_error"]], rtol=CLOSE)
    # Every effect by time since the start is held against the other software, and none is left over.
    ours = {name for name in found if name.startswith("event")}
    assert ours == {name for name in rows["term"] if name.startswith("event")}
    assert software.split()[0] in ("csdid", "diff-diff")


@pytest.fixture(scope="module")
def castle() -> tuple[pd.DataFrame, np.ndarray]:
    """Return log homicides by state and year, and the position of the year in which the law came in."""
    data = causaldata.castle.load_pandas().data
    assert data.shape == (550, 139)
    outcome = data.pivot_table(index="sid", columns="year", values="l_homicide").astype("float64")
    # In this file «post» begins in the year after the law; the published decomposition counts from the law.
    first = data[data["post"] == 1].groupby("sid")["year"].min().reindex(outcome.index) - 1
    start = (first - outcome.columns[0]).fillna(outcome.shape[1]).to_numpy(dtype=np.int64)
    return outcome, start


def castle_tables(castle: tuple[pd.DataFrame, np.ndarray]) -> Tables:
    outcome, start = castle
    years = np.array([*outcome.columns, 0])
    return tables_of(pd.DataFrame({"start": starts(years[start])}), outcome)


def test_decomposition_of_the_castle_doctrine(castle: tuple[pd.DataFrame, np.ndarray]) -> None:
    # Vignette of the R package bacondecomp: .0818; .05976 and -.00554, .03190 and .07032, .90834 and .08796.
    tables = castle_tables(castle)
    found = design().decomposition(tables, "y").frame.set_index("kind")
    printed = {
        "earlier against later": (".05976", "-.00554"),
        "later against earlier": (".03190", ".07032"),
        "treated against never treated": (".90834", ".08796"),
    }
    assert set(found.index) == set(printed)
    for kind, (weight, value) in printed.items():
        agrees_with_print(found.loc[kind, "weight"], weight)
        agrees_with_print(found.loc[kind, "value"], value)
    # diff-diff 3.13.0, BaconDecomposition(weights="exact"), prints seven decimals.
    digits = {
        "earlier against later": (".0597633", "-.0055420"),
        "later against earlier": (".0318982", ".0703206"),
        "treated against never treated": (".9083386", ".0879625"),
    }
    for kind, (weight, value) in digits.items():
        agrees_with_print(found.loc[kind, "weight"], weight)
        agrees_with_print(found.loc[kind, "value"], value)
    regression = term(estimate(design(), tables)["y"], "two-way fixed effects")
    agrees_with_print(regression["value"], ".0818116")
    same((found["weight"] * found["value"]).sum(), regression["value"], rtol=1e-12)
    pairs = design().decomposition(tables, "y", by_pair=True).frame
    same((pairs["weight"] * pairs["value"]).sum(), regression["value"], rtol=1e-12)


def by_panel_ols(outcome: np.ndarray, start: np.ndarray) -> tuple[float, float]:
    n, n_periods = outcome.shape
    index = pd.MultiIndex.from_product([range(n), range(n_periods)])
    on = (np.arange(n_periods)[None, :] >= start[:, None]).astype(float)
    frame = pd.DataFrame({"y": outcome.ravel(), "on": on.ravel()}, index=index).dropna()
    model = PanelOLS(frame["y"], frame[["on"]], entity_effects=True, time_effects=True)
    fitted = model.fit(cov_type="clustered", cluster_entity=True, debiased=False, auto_df=False, count_effects=False)
    return float(fitted.params["on"]), float(fitted.std_errors["on"])


@pytest.mark.parametrize("share_missing", [0.0, 0.15])
def test_two_way_fixed_effects(share_missing: float) -> None:
    outcome, start, _, _ = synthetic_arrays()
    outcome[np.random.default_rng(4).random(outcome.shape) < share_missing] = np.nan
    ours = two_way_fixed_effects(outcome, start)
    assert ours is not None
    same((ours.value, np.sqrt((ours.influence**2).sum())), by_panel_ols(outcome, start), rtol=1e-8)


def test_decomposition_is_the_coefficient() -> None:
    outcome, start, _, _ = synthetic_arrays()
    parts, whole = goodman_bacon(outcome, start), two_way_fixed_effects(outcome, start)
    assert whole is not None
    same((parts.weight.sum(), parts.weight @ parts.value), (1.0, whole.value), rtol=1e-12)
    # Each pair is itself a regression on its own cohorts and periods.
    for treated, control, value in zip(parts.treated, parts.control, parts.value, strict=True):
        window = slice(control, None) if control < treated else slice(None, control)
        chosen = np.isin(start, [treated, control])
        on = np.where(start[chosen] == treated, treated - (window.start or 0), 99)
        pair = two_way_fixed_effects(outcome[chosen][:, window], on)
        assert pair is not None
        same(value, pair.value, rtol=1e-10)


def with_gaps() -> tuple[np.ndarray, np.ndarray]:
    outcome, start, _, _ = synthetic_arrays()
    outcome[np.random.default_rng(6).random(outcome.shape) < 0.1] = np.nan
    return outcome, start


def gap_tables() -> Tables:
    outcome, start = with_gaps()
    people = pd.DataFrame({"start": starts(np.where(start == 8, 0, start + 1))})
    return tables_of(people, pd.DataFrame(outcome, columns=range(1, 9)))


def simple_by_hand(outcome: np.ndarray, start: np.ndarray) -> float:
    """Return the average of differences of mean changes, each over those who have both periods."""
    total, weights = 0.0, 0.0
    for cohort in (3, 5, 6):
        for period in range(cohort, 8):
            change = outcome[:, period] - outcome[:, cohort - 1]
            effect = np.nanmean(change[start == cohort]) - np.nanmean(change[start == 8])
            total += effect * (start == cohort).sum()
            weights += (start == cohort).sum()
    return total / weights


def test_gaps_comparison_by_comparison() -> None:
    outcome, start = with_gaps()
    used = np.isfinite(outcome).sum(axis=1) >= 2
    outcome, start = outcome[used], start[used]
    row = term(estimate(design(), gap_tables())["y"], "simple")
    same(row["value"], simple_by_hand(outcome, start), rtol=1e-10)
    # The jackknife knows nothing of influence functions; it is larger by a share of order 1/n, here at most 2%.
    without = np.array([simple_by_hand(np.delete(outcome, i, 0), np.delete(start, i)) for i in range(len(start))])
    n = len(start)
    jackknife = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    same(row["std_error"], jackknife, rtol=0.02)


def test_gaps_leaving_persons_out() -> None:
    outcome, start = with_gaps()
    complete = np.isfinite(outcome).all(axis=1)
    people = pd.DataFrame({"start": starts(np.where(start == 8, 0, start + 1)[complete])})
    tables = tables_of(people, pd.DataFrame(outcome[complete], columns=range(1, 9)))
    ours = estimate(design(needs_every_period=True, aggregation="dynamic"), gap_tables())["y"]
    theirs = estimate(design(aggregation="dynamic"), tables)["y"]
    assert ours.n_units == complete.sum()
    same(ours.effects[["value", "std_error"]], theirs.effects[["value", "std_error"]], rtol=1e-12)
    counted = design(needs_every_period=True).followed(gap_tables(), "y").frame.set_index("group")["n"]
    assert counted["Left out: too few outcomes known"] == (~complete).sum()
    counted = design().followed(gap_tables(), "y").frame.set_index("group")["n"]
    assert counted["Of those used, without an outcome in some period"] == (~complete).sum()


def test_starts_outside_the_periods() -> None:
    """Who started by the first period is left out; who starts after the last is compared with."""
    outcome, start, _, _ = synthetic_arrays()
    columns = range(1, 9)
    plain = tables_of(
        pd.DataFrame({"start": starts(np.where(start == 8, 0, start + 1))}), pd.DataFrame(outcome, columns=columns)
    )
    early = pd.DataFrame(np.random.default_rng(1).normal(size=(30, 8)), columns=columns)
    periods = np.concatenate([np.where(start == 8, 11, start + 1), np.repeat([1, -3], 15)])
    both = tables_of(
        pd.DataFrame({"start": starts(periods)}), pd.concat([pd.DataFrame(outcome, columns=columns), early])
    )
    ours, theirs = (estimate(design(aggregation="dynamic"), tables)["y"] for tables in (both, plain))
    same(ours.effects[["value", "std_error"]], theirs.effects[["value", "std_error"]], rtol=1e-12)
    assert any("had started by the first period" in text for text in ours.warnings)


def test_last_cohort_is_compared_with_when_all_start() -> None:
    outcome, start, _, _ = synthetic_arrays()
    some = start < 8
    people = pd.DataFrame({"start": starts(start[some] + 1)})
    tables = tables_of(people, pd.DataFrame(outcome[some], columns=range(1, 9)))
    result = estimate(design(control_group="not_yet_treated", two_way_fixed_effects=False), tables)["y"]
    # The same as ending the panel before the last cohort starts, which then never does.
    cut = tables_of(
        pd.DataFrame({"start": starts(np.where(start == 6, 0, start + 1)[some])}),
        pd.DataFrame(outcome[some][:, :6], columns=range(1, 7)),
    )
    other = estimate(design(control_group="not_yet_treated", two_way_fixed_effects=False), cut)["y"]
    same(result.effects[["value", "std_error"]], other.effects[["value", "std_error"]], rtol=1e-12)
    assert any("the last cohort is only compared with" in text for text in result.warnings)


def test_band_of_independent_estimates() -> None:
    # Of three independent estimates the largest stays below the 1 - .05/3 (Sidak) point of the normal distribution.
    # 20,000 draws give the 95% point with a standard error of about .011; four of them are allowed.
    generator = np.random.default_rng(2)
    shares = np.kron(np.eye(3), np.ones((300, 1))) * generator.choice([-1.0, 1.0], size=(900, 1))
    found = simultaneous_critical_value(shares, 0.95, np.random.default_rng(3), n_draws=20_000)
    assert found == pytest.approx(stats.norm.ppf((1 + 0.95 ** (1 / 3)) / 2), abs=0.045)
    again = simultaneous_critical_value(shares, 0.95, np.random.default_rng(3), n_draws=20_000)
    assert again == found


def test_band_is_wider_than_the_intervals(mpdta: Tables) -> None:
    dynamic = design(aggregation="dynamic")
    result = estimate(dynamic, mpdta)["y"]
    found = {item.name: item for item in dynamic.findings(mpdta, result)}["path-since-start"].table.frame
    path = found.set_index("step")
    assert list(path.index) == [-3, -2, -1, 0, 1, 2, 3]
    for step, row in path.iterrows():
        single = term(result, f"event {step:+d}" if step else "event 0")
        columns = ["value", "std_error", "lower", "upper"]
        same(row[columns], single[columns], rtol=1e-12)
        assert row["band_lower"] < single["lower"] < single["upper"] < row["band_upper"]


def simulated(generator: np.random.Generator, n: int = 300) -> tuple[np.ndarray, np.ndarray, float]:
    """Return a panel whose effects grow by 1 a period, and the true simple average for these persons."""
    start = generator.choice([2, 4, 6], size=n, p=[0.4, 0.3, 0.3])
    time = np.arange(6)
    effect = np.where(time[None, :] >= start[:, None], 1.0 + (time[None, :] - start[:, None]), 0.0)
    noise = generator.normal(size=(n, 6)).cumsum(axis=1) + 2 * generator.normal(size=n)[:, None]
    reached = time[None, :] >= start[:, None]
    return noise + 0.5 * time + 0.3 * start[:, None] + effect, start, float(effect[reached].mean())


def simulate() -> Mapping[str, np.ndarray]:
    errors: dict[str, list[float]] = {"ours": [], "covered": [], "regression": []}
    rules = Rules("never_treated", "doubly_robust")
    for seed in range(80):
        outcome, start, truth = simulated(np.random.default_rng(seed))
        path = aggregate(group_time_effects(Panel(outcome, start, np.zeros((len(start), 0))), rules), "simple")
        std_error = np.sqrt((path.overall_influence**2).sum()) / len(start)
        # The truth of the population: cohorts count by their expected sizes.
        expected = (0.4 * (1 + 2 + 3 + 4) + 0.3 * (1 + 2)) / (0.4 * 4 + 0.3 * 2)
        regression = two_way_fixed_effects(outcome, start)
        assert regression is not None
        errors["ours"].append(path.overall - expected)
        errors["covered"].append(float(abs(path.overall - expected) < stats.norm.ppf(0.975) * std_error))
        errors["regression"].append(regression.value - truth)
    return {name: np.array(values) for name, values in errors.items()}


def test_bias_and_coverage() -> None:
    found = simulate()
    n = len(found["ours"])
    # Four standard errors of the simulation itself; the seeds are fixed. Another world is drawn a thousand times in
    # book/reliability.csv.
    assert abs(found["ours"].mean()) < 4 * found["ours"].std() / np.sqrt(n)
    assert abs(found["covered"].mean() - 0.95) < 4 * np.sqrt(0.95 * 0.05 / n)
    # The regression is wrong by far more than chance, and always downwards when effects grow.
    assert found["regression"].mean() < -20 * found["regression"].std() / np.sqrt(n)
