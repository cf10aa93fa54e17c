"""Sensitivity to trends that were not parallel: the intervals, the bound at which they reach zero, and the verdict."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from virkning.checks import CheckSettings
from virkning.checks.results import CheckResult
from virkning.checks.trend_sensitivity import check_trend_sensitivity, largest_bend, largest_step
from virkning.data import Field, Tables, load_schema
from virkning.designs import DifferenceInDifferences, EvaluationDesign, StaggeredAdoption, estimate
from virkning.disclosure import DisclosureRule, clear
from virkning.estimand import Outcome
from virkning.numerics import trend_violations
from virkning.numerics.trend_violations import EventStudy, breakdown, parallel, relative, smooth

WORDS = {"population": "the persons", "comparison": "the others"}
PERIODS = tuple(str(number) for number in range(1, 8))
START = 5


def study(p: int = 4, q: int = 2, seed: int = 0, effect: float = 1.0) -> EventStudy:
    """Return estimates with a correlated error of about 0.2 each."""
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(p + q, p + q))
    covariance = 0.02 * (np.eye(p + q) + 0.5 + 0.1 * root @ root.T)
    drawn = generator.multivariate_normal(np.zeros(p + q), covariance)
    return EventStudy(drawn[:p], drawn[p:] + effect, covariance, np.full(q, 1 / q))


@pytest.mark.parametrize(("p", "q"), [(1, 1), (1, 3), (2, 1), (5, 2), (8, 6)])
def test_straight_lines_cost_nothing_when_bends_are_zero(p: int, q: int) -> None:
    # With no bend allowed, the interval is that of the effect less the line through the periods before, by GLS.
    found = study(p, q, seed=p + q)
    line = np.concatenate([np.arange(-p, 0), np.arange(1, q + 1)]).astype(float)
    matrix = np.column_stack([line, np.vstack([np.zeros((p, q)), np.eye(q)])])
    inverse = np.linalg.inv(found.covariance)
    variance = np.linalg.inv(matrix.T @ inverse @ matrix)
    fitted = variance @ matrix.T @ inverse @ np.concatenate([found.before, found.after])
    value = fitted[1:] @ found.weights
    error = np.sqrt(found.weights @ variance[1:, 1:] @ found.weights)
    ends = smooth(found, 0.0, 0.95)
    assert ends.lower == pytest.approx(value - 1.959963985 * error, abs=1e-8)
    assert ends.upper == pytest.approx(value + 1.959963985 * error, abs=1e-8)


def test_no_other_weights_give_a_shorter_interval() -> None:
    found, bend = study(4, 2, seed=3), 0.08
    ends = smooth(found, bend, 0.95)
    ours = (ends.upper - ends.lower) / 2
    second = np.diff(np.eye(7), n=2, axis=0)

    def half_length(weights: np.ndarray) -> float:
        """Return the half length for weights on the periods before; infinite bias is paid for dearly."""
        whole = np.concatenate([weights, found.weights])
        spread = np.sqrt(whole @ found.covariance @ whole)
        # The worst violation by linear programming, independent of how the module eliminates it.
        kept = np.delete(second, 4, axis=1)
        worst = optimize.linprog(
            -whole, A_ub=np.vstack([kept, -kept]), b_ub=np.full(2 * len(kept), bend), bounds=(None, None)
        )
        if worst.status != 0:
            return 1e3
        return trend_violations._folded_quantile(-worst.fun / spread, 0.95) * spread

    steps = np.arange(4, 0, -1).astype(float)  # from the earliest to the one before the base
    slope = float(found.weights @ np.array([1.0, 2.0]))

    def free(chosen: np.ndarray) -> float:
        # The last weight follows from the others, so that straight lines cancel.
        return half_length(np.append(chosen, slope - steps[:3] @ chosen))

    best = optimize.minimize(free, np.zeros(3), method="Nelder-Mead", options={"maxiter": 400, "xatol": 1e-5})
    assert ours <= best.fun + 1e-6
    assert ours == pytest.approx(best.fun, abs=2e-3)


def test_statistic_is_that_of_the_linear_programme() -> None:
    # The largest combination equals the smallest slack over all ways to spread an effect over the periods.
    found, magnitude, effect = study(3, 3, seed=5), 0.7, 0.9
    differences = np.diff(np.eye(7), axis=0)
    kept = np.delete(differences, 3, axis=1)
    beta = np.concatenate([found.before, found.after])
    for step, sign in itertools.product(range(3), (1.0, -1.0)):
        bound = np.vstack([magnitude * sign * kept[step]] * 3)
        rows = np.vstack([kept[3:] - bound, -kept[3:] - bound])
        spreads = np.sqrt(np.diag(rows @ found.covariance @ rows.T))
        # Variables: the slack, then the three effects, whose weighted sum is fixed.
        on_effects = rows[:, 3:]
        solved = optimize.linprog(
            np.array([1.0, 0, 0, 0]),
            A_ub=np.column_stack([-spreads, -on_effects]),
            b_ub=-rows @ beta,
            A_eq=np.array([[0.0, *found.weights]]),
            b_eq=[effect],
            bounds=(None, None),
            method="highs",
        )
        system = trend_violations._inequalities(found, magnitude, step, sign)
        ours = (system.loads @ system.position + effect * system.shifts).max()
        assert ours == pytest.approx(solved.fun, abs=1e-9)


def test_first_stage_limit_is_the_simulated_quantile() -> None:
    system = trend_violations._inequalities(study(3, 2, seed=6), 0.8, 1, 1.0)
    draws = np.random.default_rng(7).multivariate_normal(np.zeros(2), system.covariance, size=400_000)
    largest = (draws @ system.loads.T).max(axis=1)
    limit = trend_violations._first_stage_limit(system, 0.95)
    assert (largest <= limit).mean() == pytest.approx(0.95, abs=0.0015)


def test_intervals_widen_with_the_bound_and_hold_the_estimate() -> None:
    found = study(5, 3, seed=8)
    for interval in (relative, smooth):
        ends = [interval(found, bound, 0.95) for bound in (0.0, 0.25, 0.5, 1.0, 2.0)]
        widths = [each.upper - each.lower for each in ends]
        assert (np.diff(widths) > 0).all()
    assert all(each.lower < found.value < each.upper for each in (relative(found, 0.5, 0.95), parallel(found, 0.95)))


def test_mirror_image_gives_the_mirrored_interval() -> None:
    found = study(4, 2, seed=9)
    other = EventStudy(-found.before, -found.after, found.covariance, found.weights)
    for interval in (relative, smooth):
        one, two = interval(found, 0.6, 0.95), interval(other, 0.6, 0.95)
        assert (one.lower, one.upper) == pytest.approx((-two.upper, -two.lower), abs=1e-6)


@pytest.mark.parametrize(("p", "q", "magnitude"), [(2, 1, 1.0), (3, 2, 0.5), (3, 2, 1.5)])
def test_intervals_cover_whatever_the_violation(p: int, q: int, magnitude: float) -> None:
    # The worst allowed violation: every step after the start as large as the bound lets it be.
    base = study(p, q, seed=11)
    violation = np.zeros(p)
    violation[0] = -0.5  # the first step before the start is half a unit, the others none
    violation[1:] = 0.0
    after = np.cumsum(np.full(q, magnitude * 0.5))
    generator = np.random.default_rng(12)
    truth = np.concatenate([violation, after + 1.0])
    covered = 0
    n = 60
    for drawn in generator.multivariate_normal(truth, base.covariance, size=n):
        ends = relative(EventStudy(drawn[:p], drawn[p:], base.covariance, base.weights), magnitude, 0.95)
        covered += ends.lower <= 1.0 <= ends.upper
    # At least 95%; three standard errors of the simulation allowed for.
    assert covered / n >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / n)


def test_breakdown_lies_where_the_interval_reaches_zero() -> None:
    found = study(4, 2, seed=13)
    at = breakdown(lambda bound: relative(found, bound, 0.95), start=0.5, most=100.0)
    assert at is not None
    assert relative(found, at, 0.95).excludes_zero
    assert not relative(found, at * 1.01, 0.95).excludes_zero
    nothing = study(4, 2, seed=13, effect=0.0)
    assert breakdown(lambda bound: smooth(nothing, bound, 0.95), start=0.5, most=100.0) is None


def panel(n: int, seed: int, *, steps: tuple[float, ...] = (), effect: float = 3.0) -> Tables:
    """Return persons over seven periods, half of whom start in the fifth; ``steps`` is what they gain anyway."""
    generator = np.random.default_rng(seed)
    treated = np.arange(n) % 2 == 0
    time = np.arange(len(PERIODS))
    values = generator.normal(50, 5, size=(n, 1)) + time + generator.normal(0, 1, size=(n, len(PERIODS)))
    own = np.concatenate([[0.0], np.cumsum(steps)]) if steps else np.zeros(len(PERIODS))
    values += treated[:, None] * (own + effect * (time + 1 >= START))
    names = [f"person-{row:04d}" for row in range(n)]
    people = pd.DataFrame(
        {
            "participant_id": names,
            "is_treated": treated,
            "first_treated_period": pd.Series(np.where(treated, str(START), None), dtype="str"),
        }
    )
    outcomes = pd.DataFrame(values, columns=list(PERIODS)).assign(participant_id=names)
    outcomes = outcomes.melt("participant_id", var_name="period").assign(measure="points")
    measures = {"points": Outcome(label="Points", unit="points", kind="amount", period="7", primary=True)}
    field = Field(name="first_treated_period", type="string", title="Start")
    schemas = {"participants": load_schema("participants", [field]), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes, measures, schemas)


def two_groups(**fields: object) -> DifferenceInDifferences:
    return DifferenceInDifferences(**WORDS, sampling="panel", **{"before": PERIODS[:4], "after": PERIODS[4:], **fields})


def check(design: EvaluationDesign, tables: Tables, **settings: object) -> CheckResult:
    return check_trend_sensitivity(
        design, tables, estimate(design, tables), CheckSettings(**settings), np.random.default_rng(0)
    )


DESIGNS = [two_groups(), StaggeredAdoption(**WORDS), StaggeredAdoption(**WORDS, aggregation="dynamic")]


@pytest.mark.parametrize("design", DESIGNS)
def test_large_effect_after_quiet_years_stays_clear(design: EvaluationDesign) -> None:
    found = check(design, panel(200, seed=1))
    assert found.passed is True
    assert found.numbers["breakdown_magnitude"] > 1
    assert found.table.frame.loc[0, "kind"] == "parallel trends"


@pytest.mark.parametrize("design", DESIGNS)
def test_steps_of_two_before_the_start_can_explain_an_effect_of_two(design: EvaluationDesign) -> None:
    found = check(design, panel(200, seed=2, steps=(2.0, -2.0, 2.0, 0.0, 0.0, 0.0), effect=2.0))
    assert found.passed is False
    assert found.numbers["breakdown_magnitude"] < 1
    assert found.numbers["largest_step"] == pytest.approx(2.0, abs=0.6)


def test_effect_that_is_not_there_cannot_be_overturned() -> None:
    found = check(two_groups(), panel(60, seed=3, effect=0.0))
    assert found.passed is None
    assert "breakdown_magnitude" not in found.numbers


def test_rows_are_the_bounds_that_were_asked_for() -> None:
    found = check(two_groups(), panel(100, seed=4), trend_sensitivity_magnitudes=(0.3,), trend_sensitivity_bends=(0.1,))
    assert found.table.frame["bound"].iloc[2] == 0.1
    assert found.table.frame["times"].iloc[1] == 0.3
    assert len(found.table.frame) == 3


def test_base_period_does_not_matter_and_nothing_is_drawn_at_random() -> None:
    tables = panel(100, seed=5)
    one, other = check(two_groups(), tables), check(two_groups(base_period="2"), tables)
    pd.testing.assert_frame_equal(one.table.frame, other.table.frame, check_exact=False, rtol=1e-6)
    pd.testing.assert_frame_equal(one.table.frame, check(two_groups(), tables).table.frame, check_exact=True)


def test_small_groups_are_hidden() -> None:
    found = check(two_groups(), panel(8, seed=6))
    assert clear(found.table, DisclosureRule(threshold=5)).hidden[["lower", "upper"]].all().all()


def test_uneven_periods_one_period_and_no_path(trial, make_tables, people, earnings) -> None:
    tables = panel(40, seed=7)
    uneven = check(two_groups(before=("1", "2", "4"), after=("5", "6", "7")), tables)
    assert (uneven.passed, "equally far apart" in uneven.reason) == (None, True)
    one = check(two_groups(before=("4",)), tables)
    assert (one.passed, "Only one period" in one.reason) == (None, True)
    none = check(trial(), make_tables(people, {"earnings": earnings}))
    assert (none.passed, "no path" in none.reason) == (None, True)


def test_too_few_units_to_tell_errors_apart() -> None:
    found = check(two_groups(), panel(6, seed=8))
    assert found.passed is None
    assert "too few independent units" in found.reason


def test_largest_step_and_bend_by_hand() -> None:
    found = EventStudy(np.array([0.3, 0.1]), np.array([1.0]), np.eye(3), np.ones(1))
    assert largest_step(found) == pytest.approx(0.2)
    assert largest_bend(found)[0] == pytest.approx(0.1)
    single = EventStudy(np.array([0.3]), np.array([1.0]), np.eye(2), np.ones(1))
    assert largest_bend(single) == (1.0, "the standard error of the effect")
