"""Sensitivity to violations of parallel trends: the Medicaid expansion, as the authors' R package HonestDiD prints it.

Data: insurance of low-income adults by state, in the wheel of moderndid. States that expanded in 2015 are left out, and
years from 2016 on; a state that expands later counts as one that does not.
"""

from __future__ import annotations

import math
import warnings
from functools import cache
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy import special

from virkning.checks import CheckSettings
from virkning.checks.event_paths import around
from virkning.checks.parallel_trends import check_parallel_trends
from virkning.checks.trend_sensitivity import check_trend_sensitivity
from virkning.data import Tables
from virkning.designs import DifferenceInDifferences, estimate
from virkning.estimand import Outcome
from virkning.numerics.pre_trends import detectable_drift
from virkning.numerics.trend_violations import (
    Bounds,
    EventStudy,
    _bracket,
    _inequalities,
    _is_accepted,
    relative,
    smooth,
)

# README of HonestDiD: the effect in 2014, the first year of the expansion.
SMOOTH = {0.0: (0.0259, 0.0607), 0.01: (0.0132, 0.0787), 0.02: (0.00286, 0.0907), 0.03: (-0.00714, 0.101)}
RELATIVE = {0.5: (0.0241, 0.0673), 1.0: (0.0171, 0.0720), 1.5: (0.00859, 0.0796), 2.0: (-0.00107, 0.0883)}
# moderndid 0.2.0 (its part for this needs cvxpy), on the same estimates.
SMOOTH_PEER = {
    0.0: (0.025967, 0.060711),
    0.01: (0.013175, 0.078684),
    0.02: (0.002834, 0.090739),
    0.03: (-0.007165, 0.100738),
}
RELATIVE_PEER = {0.5: (0.02413, 0.06689), 1.0: (0.01709, 0.07196), 1.5: (0.00859, 0.07960), 2.0: (-0.00067, 0.08795)}
YEARS = tuple(str(year) for year in range(2008, 2016))


@pytest.fixture(scope="module")
def states() -> pd.DataFrame:
    moderndid: ModuleType = pytest.importorskip("moderndid")
    data = pd.DataFrame(moderndid.load_ehec().to_dict(as_series=False))
    return data[(data["year"] < 2016) & (data["yexp2"] != 2015)].reset_index(drop=True)


@pytest.fixture(scope="module")
def tables(states: pd.DataFrame) -> Tables:
    start = states.groupby("stfips")["yexp2"].first()
    names = {code: f"state-{code:02d}" for code in start.index}
    people = pd.DataFrame({"participant_id": list(names.values()), "is_treated": (start == 2014).to_numpy()})
    outcomes = pd.DataFrame(
        {
            "participant_id": states["stfips"].map(names),
            "period": states["year"].astype(str),
            "measure": "insured",
            "value": states["dins"],
        }
    )
    measures = {"insured": Outcome(label="Insured", unit="share", kind="share", period="2015", primary=True)}
    return Tables.of(people, outcomes, measures)


@cache
def design() -> DifferenceInDifferences:
    return DifferenceInDifferences(
        population="states that expanded", comparison="the others", sampling="panel", before=YEARS[:6], after=YEARS[6:]
    )


@pytest.fixture(scope="module")
def study(tables: Tables) -> EventStudy:
    """Return the event study with the effect of 2014 as the one asked about, as in the README."""
    found = around(design(), tables, estimate(design(), tables).primary, 0)
    assert not isinstance(found, str)
    one = found.study
    return EventStudy(one.before, one.after, one.covariance, np.array([1.0, 0.0]))


def test_event_study(study: EventStudy) -> None:
    np.testing.assert_allclose(study.before, [-0.00529, -0.01130, -0.00268, -0.00142, 0.00034], atol=5e-6)
    np.testing.assert_allclose(study.after, [0.04645, 0.06921], atol=5e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(study.covariance))[-2:], [0.00915, 0.01035], atol=5e-6)


@pytest.mark.parametrize("bend", SMOOTH)
def test_smoothness(study: EventStudy, bend: float) -> None:
    ends = smooth(study, bend, 0.95)
    # Half a unit of the last of three printed digits, and 5e-5 by which R's search stops short of the shortest one.
    for ours, printed in zip((ends.lower, ends.upper), SMOOTH[bend], strict=True):
        unit = 10.0 ** (math.floor(math.log10(abs(printed))) - 2)
        assert ours == pytest.approx(printed, abs=unit / 2 + 5e-5)
    assert (ends.lower, ends.upper) == pytest.approx(SMOOTH_PEER[bend], abs=1e-6 if bend else 5e-6)


def r_normals(n: int, seed: int) -> np.ndarray:
    """Return what R's ``rnorm`` gives after ``set.seed(seed)``: its own scrambling, and two numbers for each draw."""
    word, state = seed, []
    for place in range(50 + 625):
        word = (69069 * word + 1) & 0xFFFFFFFF
        if place >= 51:
            state.append(word)
    bits = np.random.MT19937()
    bits.state = {"bit_generator": "MT19937", "state": {"key": np.array(state, dtype=np.uint32), "pos": 624}}
    uniform = bits.random_raw(2 * n).astype(np.float64) * 2.3283064365386963e-10
    big = 134217728
    return np.asarray(special.ndtri((np.floor(big * uniform[::2]) + uniform[1::2]) / big))


def relative_as_in_r(study: EventStudy, magnitude: float, *, is_simulated: bool) -> Bounds:
    """Return the first and the last value of HonestDiD's grid that our test accepts; the effect is the first year's.

    Its grid has a thousand values around the estimate. Its first stage takes the critical value from a thousand draws,
    the same ones for every step and sign; ours integrates.
    """
    p, q = len(study.before), len(study.after)
    assert q == 2
    assert study.weights.tolist() == [1.0, 0.0]
    largest = np.abs(np.diff([*study.before, 0.0])).max()
    reach = magnitude * largest + 20 * study.std_error
    grid = np.linspace(study.value - reach, study.value + reach, 1000)
    draws = r_normals(4000, 0).reshape(1000, 4)
    steps = np.delete(np.diff(np.eye(p + q + 1), axis=0), p, axis=1)
    accepted = np.zeros(len(grid), dtype=bool)
    for step in range(p):
        for sign in (1.0, -1.0):
            bound = magnitude * sign * steps[step]
            rows = np.array([steps[p] - bound, steps[p + 1] - bound, -steps[p] - bound, -steps[p + 1] - bound])
            covariance = rows @ study.covariance @ rows.T
            roots, vectors = np.linalg.eigh(covariance)
            drawn = draws @ (vectors * np.sqrt(np.maximum(roots, 0))) @ vectors.T
            spread = np.sqrt(np.diag(covariance))
            # The effect of the second year is free, so only the sum of its two bounds counts.
            pair = (drawn[:, 1] + drawn[:, 3]) / (spread[1] + spread[3])
            simulated = np.quantile(np.maximum.reduce([drawn[:, 0] / spread[0], drawn[:, 2] / spread[2], pair]), 0.995)
            system = _inequalities(study, magnitude, step, sign)
            limit = simulated if is_simulated else _bracket(system, 0.95).limit
            accepted |= _is_accepted(system, grid, float(limit), 0.95)
    return Bounds(float(grid[accepted][0]), float(grid[accepted][-1]))


def test_r_begins_its_normals_with_these() -> None:
    """As every introduction to R prints them: set.seed(0); rnorm(5)."""
    np.testing.assert_allclose(r_normals(5, 0), [1.2629543, -0.3262334, 1.3297993, 1.2724293, 0.4146414], atol=5e-8)


@pytest.mark.parametrize("magnitude", RELATIVE)
def test_relative_magnitudes_are_the_digits_that_r_prints(study: EventStudy, magnitude: float) -> None:
    """With R's grid and R's random numbers for the first stage, our test accepts what R's accepts: all eight ends."""
    ends = relative_as_in_r(study, magnitude, is_simulated=True)
    assert (float(f"{ends.lower:.3g}"), float(f"{ends.upper:.3g}")) == RELATIVE[magnitude]


def test_without_draws_two_ends_lie_one_step_of_the_grid_away(study: EventStudy) -> None:
    """With the first stage integrated, six of eight printed ends are the same; see DIFFERENCES_EXPLAINED."""
    exact = {times: relative_as_in_r(study, times, is_simulated=False) for times in RELATIVE}
    drawn = {times: relative_as_in_r(study, times, is_simulated=True) for times in RELATIVE}
    away = {
        (times, side): getattr(exact[times], side) - getattr(drawn[times], side)
        for times in RELATIVE
        for side in ("lower", "upper")
        if getattr(exact[times], side) != getattr(drawn[times], side)
    }
    assert away == {
        (1.5, "lower"): pytest.approx(-0.00039233, abs=1e-8),
        (2.0, "lower"): pytest.approx(0.00040096, abs=1e-8),
    }


@pytest.mark.parametrize("magnitude", RELATIVE)
def test_relative_magnitudes(study: EventStudy, magnitude: float) -> None:
    """What the book prints needs no grid; it lies within a step and a half of R's, and of what moderndid gives."""
    ends = relative(study, magnitude, 0.95)
    reach = magnitude * np.abs(np.diff([*study.before, 0.0])).max() + 20 * study.std_error
    step = 2 * reach / 999
    for printed in (RELATIVE[magnitude], RELATIVE_PEER[magnitude]):
        assert (ends.lower, ends.upper) == pytest.approx(printed, abs=1.5 * step)
    assert ends.excludes_zero is (RELATIVE[magnitude][0] > 0)


def test_breakdown_lies_below_two_as_in_r(tables: Tables, study: EventStudy) -> None:
    assert relative(study, 1.9, 0.95).excludes_zero
    assert not relative(study, 2.0, 0.95).excludes_zero


def test_one_peer_excludes_zero_where_r_does_not(states: pd.DataFrame, study: EventStudy) -> None:
    honest = pytest.importorskip("diff_diff.honest_did")
    fitted = peer_fit(states)
    theirs = honest.compute_honest_did(fitted, "relative_magnitude", 2.0, l_vec=np.array([1.0, 0.0]))
    assert theirs.ci_lb == pytest.approx(0.0113, abs=1e-4)
    assert theirs.ci_ub == pytest.approx(0.0816, abs=1e-4)
    ours = relative(study, 2.0, 0.95)
    assert ours.lower < 0 < theirs.ci_lb
    assert RELATIVE[2.0][0] < 0


def peer_fit(states: pd.DataFrame) -> object:
    """Return diff-diff's event study; it counts the coefficients otherwise, so its errors are .16% larger."""
    diff_diff = pytest.importorskip("diff_diff")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return diff_diff.MultiPeriodDiD(cluster="stfips", vcov_type="hc1").fit(
            states.assign(expanded=(states["yexp2"] == 2014).astype(int)),
            outcome="dins",
            treatment="expanded",
            time="year",
            post_periods=[2014, 2015],
            reference_period=2013,
            unit="stfips",
        )


@pytest.mark.parametrize("bend", SMOOTH)
def test_smoothness_of_a_third_software(states: pd.DataFrame, study: EventStudy, bend: float) -> None:
    honest = pytest.importorskip("diff_diff.honest_did")
    fitted = peer_fit(states)
    theirs = honest.compute_honest_did(fitted, "smoothness", bend, l_vec=np.array([1.0, 0.0]))
    scale = (fitted.period_effects[2014].se / study.std_error) ** 2
    ours = smooth(EventStudy(study.before, study.after, study.covariance * scale, study.weights), bend, 0.95)
    assert (ours.lower, ours.upper) == pytest.approx((theirs.ci_lb, theirs.ci_ub), abs=1e-5)


@pytest.mark.parametrize("power", [0.5, 0.8])
def test_drift_that_the_joint_test_finds(states: pd.DataFrame, study: EventStudy, power: float) -> None:
    pretrends = pytest.importorskip("diff_diff.pretrends")
    fitted = peer_fit(states)
    theirs = pretrends.PreTrendsPower(power=power, pretest_form="wald").fit(fitted).mdv
    p = len(study.before)
    scale = (fitted.period_effects[2014].se / study.std_error) ** 2
    ours = detectable_drift(np.arange(-p, 0).astype(float), study.covariance[:p, :p] * scale, math.inf, 0.05, power)
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_the_checks_say_so(tables: Tables) -> None:
    effects, settings = estimate(design(), tables), CheckSettings()
    generator = np.random.default_rng(0)
    assert check_parallel_trends(design(), tables, effects, settings, generator).passed is True
    found = check_trend_sensitivity(design(), tables, effects, settings, generator)
    # The average over both years, which is the headline, breaks down earlier than the effect of the first.
    assert found.passed is True
    assert 1 < found.numbers["breakdown_magnitude"] < 2
