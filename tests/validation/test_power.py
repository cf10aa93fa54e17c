"""Power before the start: printed values, other software, independent computation, and made-up data."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.power import NormalIndPower, TTestIndPower, TTestPower

from virkning.designs import DESIGNS
from virkning.numerics import precision
from virkning.numerics.power import minimum_detectable_effect
from virkning.planning import Plan, power
from virkning.planning.draws import simulated_power
from virkning.planning.refusals import USED
from virkning.planning.verified import CASES, EARLY, LIMIT, SEED, read_verified

STANDARD = {"standard_deviation": 1.0}


# --- Printed values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("significance", "target", "printed"), [(0.10, 0.8, 2.49), (0.05, 0.8, 2.80)])
def test_multiples_of_bloom(significance: float, target: float, printed: float) -> None:
    """Bloom (1995): 2.49 standard errors for a one-sided test at 5% (two-sided at 10%), 2.8 for a two-sided one."""
    assert minimum_detectable_effect(1.0, math.inf, significance, target) == pytest.approx(printed, abs=0.005)


@pytest.mark.parametrize(
    ("plan", "printed", "freedom", "std_error"),
    [
        # mdes.ira1r1(n=250)
        (Plan(people=250, **STANDARD), 0.356, 248, 0.126),
        # mdes.bira2c1(n=15, J=20)
        (Plan(people=300, strata=20, **STANDARD), 0.325, 279, 0.115),
        # mdes.cra2r2(rho2=.17, n=15, J=20)
        (Plan(clusters=20, people_per_cluster=15, intra_cluster_correlation=0.17, **STANDARD), 0.629, 18, 0.212),
        # mdes.bcra3f2(rho2=.10, n=20, J=44, K=5): there the five blocks have an effect each, and 210 degrees of freedom
        (
            Plan(clusters=220, people_per_cluster=20, intra_cluster_correlation=0.1, strata=5, **STANDARD),
            0.145,
            214,
            0.051,
        ),
    ],
)
def test_powerup(plan: Plan, printed: float, freedom: float, std_error: float) -> None:
    """Output of R's PowerUpR (Dong and Maynard 2013), as quoted in the tests of its Python port, pyPowerUp.

    The tolerance is the last printed digit: PowerUpR adds two quantiles of the central t distribution, which at 18
    degrees of freedom differs from the noncentral t by 0.0006.
    """
    found = power(plan)
    assert found.minimum_detectable_effect == pytest.approx(printed, abs=0.001)
    assert found.degrees_of_freedom == freedom
    assert found.std_error == pytest.approx(std_error, abs=0.0005)


@pytest.mark.parametrize(
    ("distribution", "printed"), [("normal", (2.75, 2.46, 2.17, 1.52)), ("uniform", (4.00, 2.97, 2.29))]
)
def test_design_effects_of_a_cutoff(distribution: str, printed: tuple[float, ...]) -> None:
    """Schochet (2008), NCEE 2008-4026, table 4.2, for shares of 0.50, 0.33, 0.25 and 0.10 on one side.

    For uniform scores and 0.10 the table prints 1.35; the report's own formula gives 1.37, as does its row for a normal
    distribution cut off so closely that it is almost uniform.
    """
    for share, value in zip((0.50, 0.33, 0.25, 0.10), printed, strict=False):
        assert precision.score_inflation(share, distribution) == pytest.approx(value, abs=0.005)
    assert precision.score_inflation(0.10, "uniform") == pytest.approx(1.37, abs=0.005)


def test_a_line_on_each_side_needs_what_one_line_needs() -> None:
    """With scores spread evenly about the cutoff both give Schochet's 4.00."""
    assert precision.local_polynomial_inflation("uniform", 1) == pytest.approx(4.0, abs=1e-6)
    assert precision.score_inflation(0.5, "uniform") == pytest.approx(4.0)


@pytest.mark.parametrize(("ratio", "events"), [(0.7, 331), (1 / 1.8, 122)])
def test_events_of_schoenfeld(ratio: float, events: int) -> None:
    """The vignette of R's gsDesign on survival (331 for 0.7), and the SUSTAIN-6 trial (122 for 1.8); power 90%."""
    error = abs(math.log(ratio)) / minimum_detectable_effect(1.0, math.inf, 0.05, 0.9)
    assert precision.log_hazard_ratio(events, 0.5) <= error**2 < precision.log_hazard_ratio(events - 1, 0.5)


# --- Other software -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("people", "ratio"), [(40, 1.0), (120, 1.0), (90, 2.0), (1000, 0.5)])
def test_t_test_of_statsmodels(people: int, ratio: float) -> None:
    found = power(Plan(people=people, comparison_ratio=ratio, **STANDARD))
    # Their solver stops early; their power at our effect is exact.
    theirs = TTestIndPower().power(found.minimum_detectable_effect, people / (1 + ratio), alpha=0.05, ratio=ratio)
    assert theirs == pytest.approx(0.8, rel=1e-6)


def test_paired_t_test_of_statsmodels() -> None:
    found = power(Plan(people=60, period_correlation=0.5, standard_deviation=1.0), "before_after")
    theirs = TTestPower().solve_power(nobs=60, alpha=0.05, power=0.8, effect_size=None)
    # With a correlation of one half, changes have the spread of the outcome itself.
    assert found.minimum_detectable_effect == pytest.approx(theirs, rel=1e-6)


def test_normal_approximation_of_statsmodels() -> None:
    theirs = NormalIndPower().power(effect_size=0.4, nobs1=60, alpha=0.05, ratio=1.0)
    error = math.sqrt(2 / 60)
    assert minimum_detectable_effect(error, math.inf, 0.05, theirs) == pytest.approx(0.4, rel=1e-6)


@pytest.mark.parametrize(("before", "after", "correlation"), [(1, 1, 0.0), (2, 2, 0.6), (3, 1, 0.4), (1, 5, 0.2)])
def test_difference_in_differences_of_diff_diff(before: int, after: int, correlation: float) -> None:
    """The formula of Burlig, Preonas and Woerman (2020); they use the normal distribution, so errors are compared."""
    theirs = (
        pytest.importorskip("diff_diff")
        .PowerAnalysis()
        .mde(n_treated=40, n_control=80, sigma=2.0, n_pre=before, n_post=after, rho=correlation)
    )
    plan = Plan(
        people=120,
        comparison_ratio=2.0,
        standard_deviation=2.0,
        periods_before=before,
        periods_after=after,
        period_correlation=correlation,
    )
    ours = power(plan, "difference_in_differences").std_error
    # Theirs adds two normal quantiles.
    assert ours == pytest.approx(theirs.mde / (1.959963984540054 + 0.8416212335729143), rel=1e-6)


# --- Independent computation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after", "correlation"), [(0, 1, 0.5), (1, 1, 0.7), (3, 2, 0.4), (2, 4, -0.1)])
def test_repeated_measures_follow_from_the_covariance_matrix(before: int, after: int, correlation: float) -> None:
    """McKenzie (2012), Frison and Pocock (1992): the same from the matrix of all correlations."""
    n = before + after
    alike = np.full((n, n), correlation) + (1 - correlation) * np.eye(n)
    late = np.r_[np.zeros(before), np.full(after, 1 / after)]
    assert precision.mean_after(after, correlation) == pytest.approx(late @ alike @ late)
    early = np.r_[np.full(before, 1 / max(before, 1)), np.zeros(after)]
    left = late @ alike @ late
    if before:
        change = late - early
        assert precision.change_of_means(before, after, correlation) == pytest.approx(change @ alike @ change)
        left -= (late @ alike @ early) ** 2 / (early @ alike @ early)
    assert precision.adjusted_mean_after(before, after, correlation) == pytest.approx(left)


def test_clusters_over_time_follow_from_the_covariance_matrix() -> None:
    """Teerenstra et al. (2012): a cluster's mean in two periods, from all its people."""
    people, within, of_cluster, of_person = 6, 0.1, 0.7, 0.5
    same_period = np.full((people, people), within) + (1 - within) * np.eye(people)
    across = np.full((people, people), within * of_cluster) + (of_person - within * of_cluster) * np.eye(people)
    mean = np.full(people, 1 / people)
    variance = mean @ same_period @ mean
    assert precision.cluster_inflation(people, within) / people == pytest.approx(variance)
    found = precision.correlation_of_means(people, within, of_cluster, of_person)
    assert found == pytest.approx(mean @ across @ mean / variance)


@pytest.mark.parametrize(("waves", "per_wave", "people", "correlation"), [(4, 6, 100, 0.02), (3, 2, 10, 0.3)])
def test_hussey_and_hughes(waves: int, per_wave: int, people: int, correlation: float) -> None:
    """Their closed form is generalised least squares, and Woertman et al. (2013) give it as a design effect."""
    periods = waves + 1
    schedule = np.array(
        [[period > wave for period in range(periods)] for wave in range(waves) for _ in range(per_wave)]
    )
    within, between = (1 - correlation) / people, correlation
    found = precision.stepped_wedge(schedule, within, between)
    columns = np.vstack([np.column_stack([np.eye(periods), cluster]) for cluster in schedule])
    alike = np.kron(np.eye(len(schedule)), within * np.eye(periods) + between)
    assert found == pytest.approx(np.linalg.inv(columns.T @ np.linalg.solve(alike, columns))[-1, -1], rel=1e-9)
    # One measurement before the first step and one after each; against a trial of as many people, once each.
    n, k = people, waves
    effect = (1 + correlation * (k * n + n - 1)) / (1 + correlation * (k * n / 2 + n - 1)) * 3 * (1 - correlation)
    effect /= 2 * (k - 1 / k)
    assert found == pytest.approx(effect * 4 / (len(schedule) * people), rel=1e-9)


@pytest.mark.parametrize("control", ["never_treated", "not_yet_treated"])
def test_staggered_starts_follow_from_the_averages(control: str) -> None:
    """The estimate is computed from cells' means, once for a unit in each cell: that gives its coefficients."""
    starts, sizes, never, periods, correlation = [2, 3, 5], [10.0, 20.0, 15.0], 25.0, 6, 0.4
    count = np.array([*sizes, never])

    def estimate(means: np.ndarray) -> float:
        total = weight = 0.0
        for group, start in enumerate(starts):
            for period in range(start, periods):
                later = [3] if control == "never_treated" else [g for g, s in enumerate(starts) if s > period] + [3]
                compared = np.average(means[later], axis=0, weights=count[later])
                effect = means[group, period] - means[group, start - 1] - (compared[period] - compared[start - 1])
                total, weight = total + count[group] * effect, weight + count[group]
        return total / weight

    factors = np.zeros((4, periods))
    for group in range(4):
        for period in range(periods):
            unit = np.zeros((4, periods))
            unit[group, period] = 1.0
            factors[group, period] = estimate(unit)
    alike = np.full((periods, periods), correlation) + (1 - correlation) * np.eye(periods)
    expected = sum(row @ alike @ row / n for row, n in zip(factors, count, strict=True))
    found = precision.starts_one_after_another(starts, sizes, never, periods, correlation, control)
    assert found == pytest.approx(expected, rel=1e-9)


def test_one_wave_is_difference_in_differences_with_one_period_before() -> None:
    found = precision.starts_one_after_another([2], [30.0], 50.0, 4, 0.4, "never_treated")
    assert found == pytest.approx(precision.change_of_means(1, 2, 0.4) * (1 / 30 + 1 / 50))


@pytest.mark.parametrize("at_end", [False, True])
def test_break_in_a_series_is_generalised_least_squares(at_end: bool) -> None:
    before, after, correlation = 24, 12, 0.4
    place = np.arange(before + after)
    since = np.maximum(place - before, 0)
    line = np.column_stack([np.ones(len(place)), place, place >= before, since]).astype(float)
    alike = correlation ** np.abs(place[:, None] - place[None, :])
    fitted = sm.GLS(np.random.default_rng(0).normal(size=len(place)), line, sigma=alike).fit()
    effect = np.array([0, 0, 1, after - 1 if at_end else since[before:].mean()])
    expected = float(effect @ fitted.normalized_cov_params @ effect)
    variance, _ = precision.break_in_series(before, after, correlation, at_end=at_end)
    assert variance == pytest.approx(expected, rel=1e-9)


def test_mean_time_up_to_the_end_follows_from_the_curve() -> None:
    """Mean and variance by numerical integration of the survivor function."""
    share, points = 0.35, 200_000
    time = (np.arange(points) + 0.5) / points
    survivors = (1 - share) ** time
    mean, variance = precision.restricted_mean(share)
    assert mean == pytest.approx(survivors.mean(), rel=1e-9)
    assert variance == pytest.approx((2 * time * survivors).mean() - survivors.mean() ** 2, rel=1e-8)


def test_share_is_found_as_often_as_binomial_draws_say() -> None:
    """200,000 trials of 60 and 60 people: the share that has a t beyond its limit."""
    generator, n = np.random.default_rng(4), 60
    without, offered = generator.binomial(n, 0.4, 200_000) / n, generator.binomial(n, 0.65, 200_000) / n
    error = np.sqrt((without * (1 - without) + offered * (1 - offered)) / (n - 1))
    found = (np.abs(offered - without) > 1.980272 * error).mean()
    # The difference of two binomials is a step function: the formula cannot follow its steps.
    assert power(Plan(people=120, baseline_share=0.4)).chance(0.25) == pytest.approx(found, abs=0.012)


# --- Made-up data, estimated by the designs themselves --------------------------------------------------------------


def test_every_design_is_planned_and_verified() -> None:
    assert set(DESIGNS) <= set(USED)
    assert {case.kind for case in CASES} == set(USED)
    recorded = {(item.kind, item.name) for item in read_verified()}
    assert recorded == {(case.kind, case.name) for case in CASES}


@pytest.mark.parametrize("item", read_verified(), ids=lambda item: f"{item.kind}, {item.name}")
def test_formula_agrees_with_made_up_data(item) -> None:
    """Within three standard errors of the share of 300 data sets; the formula is computed anew."""
    case = next(case for case in CASES if (case.kind, case.name) == (item.kind, item.name))
    formula = power(case.plan, case.kind).chance(case.effect)
    assert formula == pytest.approx(item.formula, abs=1e-6)
    assert item.draws >= 300
    assert abs(item.simulated - formula) <= LIMIT * math.sqrt(formula * (1 - formula) / item.draws)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}, {case.name}")
def test_record_is_what_the_designs_give_today(case) -> None:
    """The first draws are made again: the same number finds the effect."""
    recorded = next(item for item in read_verified() if (item.kind, item.name) == (case.kind, case.name))
    assert simulated_power(case.plan, case.kind, case.effect, draws=EARLY, seed=SEED) == recorded.early
