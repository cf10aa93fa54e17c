"""Difference in differences between two periods, adjusted for covariates, against Sant'Anna and Zhao's own numbers.

The men of the Supported Work experiment who drew no job, beside men of the Current Population Survey, 1975 and 1978:
nobody had the programme, so the truth is zero and what comes out is bias. The numbers are those that the package
``drdid`` of the authors prints for these data, and to more digits those of ``moderndid``, which brings the data.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from virkning.numerics.logit import fit_binary
from virkning.numerics.two_periods import Adjustment, NotComparableError, difference

TRAITS = ("age", "educ", "black", "married", "nodegree", "hisp", "re74")
FORMULA = "~ " + " + ".join(TRAITS)
# As drdid prints them: dripw, drimp, reg and stdipw.
PRINTED: dict[Adjustment, tuple[str, str]] = {
    "doubly_robust": ("-871.3271", "396.0211"),
    "improved_doubly_robust": ("-901.2703", "393.613"),
    "outcome_regression": ("-1300.645", "349.826"),
    "inverse_probability_weighting": ("-1021.61", "397.52"),
}


@pytest.fixture(scope="module")
def long() -> pd.DataFrame:
    """Return the men who drew no job and those of the survey, one row per man and year."""
    moderndid = pytest.importorskip("moderndid")
    everybody = pd.DataFrame(moderndid.load_nsw().to_dict(as_series=False))
    chosen = everybody[(everybody["treated"] == 0) | (everybody["sample"] == 2)]
    assert len(chosen) == 2 * 16_417
    return chosen


@pytest.fixture(scope="module")
def men(long: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return change of earnings, group and traits, one entry per man."""
    earnings = long.pivot_table(index="id", columns="year", values="re").astype(float)
    first = long[long["year"] == 1975].set_index("id").loc[earnings.index]
    return {
        "change": (earnings[1978] - earnings[1975]).to_numpy(),
        "treated": first["experimental"].to_numpy(dtype=bool),
        "traits": first[list(TRAITS)].to_numpy(dtype=float),
    }


def agrees_with_print(value: float, printed: str) -> None:
    digits = len(printed.partition(".")[2])
    assert np.isfinite(value)
    assert abs(value - float(printed)) <= 0.5 * 10.0**-digits + 1e-12


def estimated(men: dict[str, np.ndarray], adjustment: Adjustment) -> tuple[float, float]:
    found = difference(men["change"], men["treated"], men["traits"], adjustment)
    assert found.influence.mean() == pytest.approx(0, abs=1e-6)
    return found.value, float(np.sqrt((found.influence**2).sum())) / len(found.influence)


@pytest.mark.parametrize("adjustment", PRINTED)
def test_men_who_drew_no_job(men: dict[str, np.ndarray], adjustment: Adjustment) -> None:
    value, error = estimated(men, adjustment)
    agrees_with_print(value, PRINTED[adjustment][0])
    agrees_with_print(error, PRINTED[adjustment][1])


@pytest.mark.parametrize("adjustment", PRINTED)
def test_another_package(long: pd.DataFrame, men: dict[str, np.ndarray], adjustment: Adjustment) -> None:
    moderndid = pytest.importorskip("moderndid")
    named = {"yname": "re", "tname": "year", "idname": "id", "treatname": "experimental", "xformla": FORMULA}
    function, chosen = {
        "doubly_robust": (moderndid.drdid, {"est_method": "trad"}),
        "improved_doubly_robust": (moderndid.drdid, {"est_method": "imp"}),
        "outcome_regression": (moderndid.ordid, {}),
        "inverse_probability_weighting": (moderndid.ipwdid, {"est_method": "std_ipw"}),
    }[adjustment]
    theirs = function(data=long, **named, **chosen)
    # Their propensity score stops a little before the maximum, and their tilting before its odds balance everything.
    np.testing.assert_allclose(estimated(men, adjustment), [theirs.att, theirs.se], rtol=2e-6)


def test_weights_that_do_not_add_up_to_one(men: dict[str, np.ndarray]) -> None:
    """Abadie's (2005) weighting, -1107.872 (408.6127), needs our score only; ours make the weights add up to one."""
    change, treated = men["change"], men["treated"]
    centred = (men["traits"] - men["traits"].mean(axis=0)) / men["traits"].std(axis=0)
    matrix = np.column_stack([np.ones(len(change)), centred])
    score = fit_binary(matrix, treated)
    odds, share = np.where(treated, 0.0, score.probability / (1 - score.probability)), treated.mean()
    value = float(((treated - odds) * change).mean() / share)
    drift = ((odds * change)[:, None] * matrix).mean(axis=0) * len(change)
    influence = ((treated - odds) * change - treated * value - score.influence @ drift) / share
    agrees_with_print(value, "-1107.872")
    agrees_with_print(float(np.sqrt((influence**2).sum())) / len(change), "408.6127")


def made_up(generator: np.random.Generator, *, wrong: bool, n: int = 400) -> dict[str, np.ndarray]:
    """Return changes without any effect; ``wrong``: the outcome's line is bent, and no regression on x is right."""
    x = generator.normal(size=(n, 2))
    treated = generator.random(n) < 1 / (1 + np.exp(0.5 - 0.5 * x[:, 0] + 0.4 * x[:, 1]))
    bend = x[:, 0] ** 2 if wrong else 0.0
    return {"change": 1 + x[:, 0] + bend + generator.normal(size=n), "treated": treated, "traits": x}


@pytest.mark.parametrize("wrong", [False, True])
def test_improved_intervals_hold_the_truth_as_often_as_they_say(wrong: bool) -> None:
    generator = np.random.default_rng(20)
    values, hits = [], 0
    for _ in range(150):
        value, error = estimated(made_up(generator, wrong=wrong), "improved_doubly_robust")
        values.append(value)
        hits += abs(value) <= 1.96 * error
    spread = float(np.std(values))
    assert abs(float(np.mean(values))) < 4 * spread / np.sqrt(len(values))
    # The standard error of a share of .95 is .018.
    assert 0.91 <= hits / len(values) <= 0.99


def test_groups_that_nothing_has_in_common_are_refused() -> None:
    generator = np.random.default_rng(4)
    x = generator.normal(size=(60, 1))
    apart = {"change": generator.normal(size=60), "treated": x[:, 0] > 0, "traits": x}
    for adjustment in ("doubly_robust", "improved_doubly_robust", "inverse_probability_weighting"):
        with pytest.raises(NotComparableError):
            estimated(apart, adjustment)


def test_without_covariates_all_are_one() -> None:
    data = made_up(np.random.default_rng(5), wrong=False) | {"traits": np.zeros((400, 0))}
    plain = data["change"][data["treated"]].mean() - data["change"][~data["treated"]].mean()
    for adjustment in PRINTED:
        assert estimated(data, adjustment)[0] == pytest.approx(plain, rel=1e-12)
