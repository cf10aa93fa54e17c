"""Rows of the table whose data have one row per person: trials, cutoffs, instruments, matching and durations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from virkning.designs import (
    Duration,
    InstrumentalVariables,
    MatchedComparison,
    RandomisedTrial,
    RegressionDiscontinuity,
)

from .contest import NUMERICS, OURS, Call, Contestant, Numbers, Row, estimate
from .made_up import TRAITS, persons, spells, tables

WORDS = {"population": "the persons", "comparison": "the others"}
HORIZON = 52.0


def _tables(data: pd.DataFrame, outcome: str, treatment: str, *columns: str) -> Any:
    people = data[["person", treatment, *TRAITS, *columns]]
    return tables(people, {outcome: data[["person"]].assign(value=data[outcome])}, treatment=treatment)


def _pair(value: Any, std_error: Any) -> Numbers:
    return {"value": float(value), "std_error": float(std_error)}


# A lottery: the difference in means with HC2 errors, and ANCOVA with clustered ones.


def _trial(data: pd.DataFrame) -> Call:
    return estimate(RandomisedTrial(**WORDS), _tables(data, "by_lottery", "offered"))


def _trial_statsmodels(data: pd.DataFrame) -> Call:
    import statsmodels.formula.api as smf

    frame = data.astype({"offered": float})

    def call() -> Numbers:
        fitted = smf.ols("by_lottery ~ offered", frame).fit(cov_type="HC2")
        return _pair(fitted.params["offered"], fitted.bse["offered"])

    return call


def _pyfixest(formula: str, name: str, errors: Any, *, is_corrected: bool = True) -> Contestant:
    def prepare(data: pd.DataFrame) -> Call:
        import pyfixest

        frame = data.astype(dict.fromkeys(data.select_dtypes("bool").columns, float))

        def call() -> Numbers:
            # Without it, HC2 errors get the factor n / (n - k) on top.
            factors = pyfixest.ssc(k_adj=is_corrected)
            fitted = pyfixest.feols(formula, frame, vcov=errors, ssc=factors)
            return _pair(fitted.coef()[name], fitted.se()[name])

        return call

    return prepare


def _ancova(data: pd.DataFrame) -> Call:
    data = _drawn_by_office(data)
    design = RandomisedTrial(
        **WORDS, estimator="ancova", standard_errors="clustered", covariates=TRAITS, clusters="office"
    )
    return estimate(design, _tables(data, "by_lottery", "offered", "office"))


def _drawn_by_office(data: pd.DataFrame) -> pd.DataFrame:
    """Return the same persons, of whom whole offices were drawn."""
    offered = data["office"] % 2 == 0
    return data.assign(offered=offered, by_lottery=data["by_lottery"] - 0.2 * data["offered"] + 0.2 * offered)


def _ancova_statsmodels(data: pd.DataFrame) -> Call:
    import statsmodels.formula.api as smf

    frame = _drawn_by_office(data).astype({"offered": float})

    def call() -> Numbers:
        model = smf.ols(f"by_lottery ~ offered + {' + '.join(TRAITS)}", frame)
        fitted = model.fit(cov_type="cluster", cov_kwds={"groups": frame["office"]})
        return _pair(fitted.params["offered"], fitted.bse["offered"])

    return call


def _ancova_linearmodels(data: pd.DataFrame) -> Call:
    from linearmodels.iv import IV2SLS

    frame = _drawn_by_office(data).astype({"offered": float}).assign(constant=1.0)

    def call() -> Numbers:
        model = IV2SLS(frame["by_lottery"], frame[["constant", "offered", *TRAITS]], None, None)
        fitted = model.fit(cov_type="clustered", clusters=frame["office"], debiased=True)
        return _pair(fitted.params["offered"], fitted.std_errors["offered"])

    return call


# An instrument: two-stage least squares with robust errors.


def _instrument(data: pd.DataFrame) -> Call:
    design = InstrumentalVariables(
        **WORDS, treatment="joined", instruments=("offered",), covariates=TRAITS, standard_errors="hc1"
    )
    people = data[["person", "joined", "offered", *TRAITS]].assign(treated=data["joined"])
    outcome = {"by_joining": data[["person"]].assign(value=data["by_joining"])}
    return estimate(design, tables(people, outcome, treatment="treated"))


def _instrument_linearmodels(data: pd.DataFrame) -> Call:
    from linearmodels.iv import IV2SLS

    frame = data.astype({"offered": float, "joined": float}).assign(constant=1.0)

    def call() -> Numbers:
        model = IV2SLS(frame["by_joining"], frame[["constant", *TRAITS]], frame["joined"], frame["offered"])
        fitted = model.fit(cov_type="robust", debiased=True)
        return _pair(fitted.params["joined"], fitted.std_errors["joined"])

    return call


# A cutoff: local linear regression with robust errors.


def _cutoff(data: pd.DataFrame) -> Call:
    design = RegressionDiscontinuity(**WORDS, running="score", cutoff=0.0)
    return estimate(design, _tables(data.assign(above=data["score"] >= 0), "by_score", "above", "score"))


def _cutoff_rdrobust(data: pd.DataFrame) -> Call:
    from rdrobust import rdrobust

    outcome, score = data["by_score"].to_numpy(), data["score"].to_numpy()

    def call() -> Numbers:
        fitted = rdrobust(outcome, score, c=0.0)
        return _pair(fitted.coef.iloc[1, 0], fitted.se.iloc[2, 0])

    return call


def _cutoff_statspai(data: pd.DataFrame) -> Call:
    import statspai

    def call() -> Numbers:
        fitted = statspai.rdrobust(data, y="by_score", x="score", c=0.0, manipulation_test=False)
        robust = fitted.model_info["robust"]
        return _pair(robust["estimate"], robust["se"])

    return call


# A comparison group: matching, weighting and the doubly robust estimate, all for those who joined.


def _matched(estimator: str) -> Contestant:
    def prepare(data: pd.DataFrame) -> Call:
        kind: dict[str, Any] = {"matching": {"tie_tolerance": 0.0}} if estimator == "matching" else {}
        design = MatchedComparison(**WORDS, covariates=TRAITS, estimator=estimator, **kind)
        has_error = estimator != "matching"
        return estimate(design, _tables(data, "by_choice", "chose"), has_error=has_error)

    return prepare


def _matched_numbers(estimator: str) -> Contestant:
    def prepare(data: pd.DataFrame) -> Call:
        from virkning.numerics.logit import fit_binary
        from virkning.numerics.matching import Rules, nearest
        from virkning.numerics.weighting import weighting

        traits, treated, outcome = _arrays(data)
        matrix = np.column_stack([np.ones(len(traits)), traits])
        cells = np.zeros(int(treated.sum()), dtype=np.int64), np.zeros(int((~treated).sum()), dtype=np.int64)

        def call() -> Numbers:
            score = fit_binary(matrix, treated)
            if estimator == "weighting":
                found = weighting(outcome, matrix, treated, score, "att")
                return _pair(found.value, np.sqrt((found.influence**2).sum()))
            chance = score.probability
            matches = nearest(chance[treated], chance[~treated], Rules(tolerance=0.0), cells, float(chance.std(ddof=1)))
            return {"value": float((outcome[treated] - matches.mean_of(outcome[~treated])).mean())}

        return call

    return prepare


def _arrays(data: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return data[list(TRAITS)].to_numpy(), data["chose"].to_numpy(), data["by_choice"].to_numpy()


def _score(traits: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """Return the propensity score as scikit-learn has it without its usual penalty, to the last digit."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
    return model.fit(traits, treated).predict_proba(traits)[:, 1]


def _matching_sklearn(data: pd.DataFrame) -> Call:
    from sklearn.neighbors import NearestNeighbors

    traits, treated, outcome = _arrays(data)

    def call() -> Numbers:
        score = _score(traits, treated)[:, None]
        nearest = NearestNeighbors(n_neighbors=1).fit(score[~treated])
        found = nearest.kneighbors(score[treated], return_distance=False)[:, 0]
        return {"value": float((outcome[treated] - outcome[~treated][found]).mean())}

    return call


def _weighting_sklearn(data: pd.DataFrame) -> Call:
    traits, treated, outcome = _arrays(data)

    def call() -> Numbers:
        score = _score(traits, treated)
        odds = (score / (1 - score))[~treated]
        return {"value": float(outcome[treated].mean() - np.average(outcome[~treated], weights=odds))}

    return call


def _weighting_statsmodels(data: pd.DataFrame) -> Call:
    import statsmodels.api as sm
    from statsmodels.treatment.treatment_effects import TreatmentEffect

    traits, treated, outcome = _arrays(data)
    regressors = sm.add_constant(traits)

    def call() -> Numbers:
        score = sm.Logit(treated.astype(float), regressors).fit(disp=False, tol=1e-12)
        outcomes = sm.OLS(outcome, regressors)
        found = TreatmentEffect(outcomes, treated.astype(float), results_select=score)
        return {"value": float(found.ipw(return_results=False, effect_group=1)[0])}

    return call


# Time to an event: the restricted mean, and the hazard ratio.


def _spell_tables(data: pd.DataFrame) -> Any:
    people = data[["person", "offered", *TRAITS]]
    outcomes = {
        "week": data[["person"]].assign(value=data["week"]),
        "found": data[["person"]].assign(value=data["found"].astype(float)),
    }
    return tables(people, outcomes, treatment="offered", kinds={"week": "count", "found": "share"})


def _duration(data: pd.DataFrame) -> Call:
    follow_up: Any = {"week": {"event": "found", "horizon": HORIZON}}
    return estimate(Duration(**WORDS, assignment="lottery", follow_up=follow_up), _spell_tables(data))


def _duration_numbers(data: pd.DataFrame) -> Call:
    from virkning.numerics.survival import time_without

    time, cause, offered = (
        data["week"].to_numpy(),
        data["found"].to_numpy().astype(np.int64),
        data["offered"].to_numpy(),
    )

    def call() -> Numbers:
        one, zero = (time_without(time[arm], cause[arm], HORIZON) for arm in (offered, ~offered))
        return _pair(one.value - zero.value, np.sqrt((one.influence**2).sum() + (zero.influence**2).sum()))

    return call


def _duration_lifelines(data: pd.DataFrame) -> Call:
    from lifelines import KaplanMeierFitter
    from lifelines.utils import restricted_mean_survival_time

    def call() -> Numbers:
        means = []
        for arm in (True, False):
            chosen = data[data["offered"] == arm]
            curve = KaplanMeierFitter().fit(chosen["week"], chosen["found"])
            means.append(float(restricted_mean_survival_time(curve, t=HORIZON)))
        return {"value": means[0] - means[1]}

    return call


def _duration_statspai(data: pd.DataFrame) -> Call:
    import statspai

    frame = data.astype({"offered": int, "found": int})

    def call() -> Numbers:
        fitted = statspai.rmst(frame, "week", "found", group="offered", tau=HORIZON)
        return _pair(fitted.contrasts["estimate"].iloc[0], fitted.contrasts["se"].iloc[0])

    return call


def _hazard(data: pd.DataFrame) -> Call:
    from virkning.numerics.proportional_hazards import hazard_ratios

    time, happened = data["week"].to_numpy(), data["found"].to_numpy()
    regressors = data[["offered", *TRAITS]].to_numpy(dtype=float)

    def call() -> Numbers:
        fitted = hazard_ratios(time, happened, regressors)
        return _pair(fitted.coefficients[0], np.sqrt(fitted.covariance[0, 0]))

    return call


def _hazard_lifelines(data: pd.DataFrame) -> Call:
    from lifelines import CoxPHFitter

    frame = data[["week", "found", "offered", *TRAITS]].astype(float)

    def call() -> Numbers:
        fitted = CoxPHFitter().fit(frame, "week", "found", fit_options={"precision": 1e-12})
        return _pair(fitted.params_["offered"], fitted.standard_errors_["offered"])

    return call


def _hazard_statsmodels(data: pd.DataFrame) -> Call:
    from statsmodels.duration.hazard_regression import PHReg

    regressors = data[["offered", *TRAITS]].to_numpy(dtype=float)

    def call() -> Numbers:
        fitted = PHReg(data["week"], regressors, status=data["found"].astype(float), ties="efron").fit()
        return _pair(fitted.params[0], fitted.bse[0])

    return call


_PLUS_TRAITS = " + ".join(TRAITS)
ROWS = (
    Row(
        "trial: difference in means, HC2",
        persons,
        {
            OURS: _trial,
            "statsmodels": _trial_statsmodels,
            "pyfixest": _pyfixest("by_lottery ~ offered", "offered", "HC2", is_corrected=False),
        },
    ),
    Row(
        "trial: ANCOVA, clustered",
        persons,
        {
            OURS: _ancova,
            "statsmodels": _ancova_statsmodels,
            "linearmodels": _ancova_linearmodels,
            "pyfixest": lambda data: _pyfixest(f"by_lottery ~ offered + {_PLUS_TRAITS}", "offered", {"CRV1": "office"})(
                _drawn_by_office(data)
            ),
        },
    ),
    Row(
        "instrument: two-stage least squares, HC1",
        persons,
        {
            OURS: _instrument,
            "linearmodels": _instrument_linearmodels,
            "pyfixest": _pyfixest(f"by_joining ~ {_PLUS_TRAITS} | joined ~ offered", "joined", "HC1"),
        },
    ),
    Row(
        "cutoff: local linear, robust",
        persons,
        {OURS: _cutoff, "rdrobust": _cutoff_rdrobust, "statspai": _cutoff_statspai},
        looser={"statspai": 2e-5},
        words="statspai's bandwidth differs in the sixth digit; ours and rdrobust's agree to ten.",
    ),
    Row(
        "comparison group: one nearest neighbour",
        persons,
        {OURS: _matched("matching"), NUMERICS: _matched_numbers("matching"), "scikit-learn": _matching_sklearn},
        tolerance=1e-9,
        words="Ours has a standard error too (Abadie and Imbens 2016); the other way has none.",
    ),
    Row(
        "comparison group: weighting",
        persons,
        {
            OURS: _matched("weighting"),
            NUMERICS: _matched_numbers("weighting"),
            "scikit-learn": _weighting_sklearn,
            "statsmodels": _weighting_statsmodels,
        },
        words="Ours has a standard error too; statsmodels' takes minutes from 20 thousand rows on.",
    ),
    Row(
        "duration: restricted mean",
        spells,
        {
            OURS: _duration,
            NUMERICS: _duration_numbers,
            "lifelines": _duration_lifelines,
            "statspai": _duration_statspai,
        },
        words="Ours estimates two outcomes, time and event; lifelines gives no standard error of the mean.",
    ),
    Row(
        "duration: hazard ratio (Cox, Efron)",
        spells,
        {NUMERICS: _hazard, "lifelines": _hazard_lifelines, "statsmodels": _hazard_statsmodels},
        sizes=(2_000, 10_000, 100_000),
        words="At a million rows, with many events tied, the peers take minutes.",
    ),
)
