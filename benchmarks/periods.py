"""Rows of the table whose data have several periods: panels, cohorts, places and series."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from virkning.designs import (
    BeforeAfter,
    DifferenceInDifferences,
    InterruptedTimeSeries,
    Panel,
    StaggeredAdoption,
    SyntheticControl,
)

from .contest import NUMERICS, OURS, Call, Contestant, Numbers, Row, estimate
from .made_up import LAST, panel, tables

WORDS = {"population": "the persons", "comparison": "the others"}
YEARS = tuple(str(year) for year in range(2011, 2021))
COHORTS = partial(panel, starts=(3, 5, 7))


def _tables(data: pd.DataFrame, *, start: bool = False, **more: pd.Series) -> Any:
    """Return tables with the outcome, and more measures of the same rows."""
    people = data.drop_duplicates("person")[["person", "trait", "ever", "start"]].reset_index(drop=True)
    texts = pd.Series(np.where(people["ever"], people["start"].astype(str), None), dtype=object)
    people = people.drop(columns="start").assign(first_treated_period=texts) if start else people.drop(columns="start")
    rows = data[["person"]].assign(period=data["year"])
    outcomes = {name: rows.assign(value=values) for name, values in {"value": data["value"], **more}.items()}
    return tables(people, outcomes, treatment="ever")


def _pair(value: Any, std_error: Any) -> Numbers:
    return {"value": float(value), "std_error": float(std_error)}


# Two groups, ten periods: effects of persons and periods, clustered by person.


def _two_groups(data: pd.DataFrame) -> Call:
    design = DifferenceInDifferences(**WORDS, sampling="panel", before=YEARS[:5], after=YEARS[5:])
    return estimate(design, _tables(data))


def _pyfixest(data: pd.DataFrame) -> Call:
    import pyfixest

    frame = data.astype({"on": float})

    def call() -> Numbers:
        fitted = pyfixest.feols("value ~ on | person + year", frame, vcov={"CRV1": "person"})
        return _pair(fitted.coef()["on"], fitted.se()["on"])

    return call


def _linearmodels(data: pd.DataFrame) -> Call:
    from linearmodels.panel import PanelOLS

    frame = data.astype({"on": float}).set_index(["person", "year"])

    def call() -> Numbers:
        model = PanelOLS(frame["value"], frame[["on"]], entity_effects=True, time_effects=True)
        fitted = model.fit(cov_type="clustered", cluster_entity=True)
        return {"value": float(fitted.params["on"])}

    return call


def _statspai_regression(data: pd.DataFrame) -> Call:
    import statspai

    frame = data.astype({"on": float})

    def call() -> Numbers:
        fitted = statspai.feols("value ~ on | person + year", frame, vcov={"CRV1": "person"})
        return _pair(fitted.params["on"], fitted.std_errors["on"])

    return call


def _two_groups_diff_diff(data: pd.DataFrame) -> Call:
    import diff_diff

    frame = data.assign(ever=data["ever"].astype(int), post=(data["year"] >= 2016).astype(int))

    def call() -> Numbers:
        model = diff_diff.TwoWayFixedEffects(cluster="person")
        fitted = model.fit(frame, "value", "ever", post="post", unit="person")
        return {"value": float(fitted.att)}

    return call


# Cohorts: the effects of Callaway and Sant'Anna, averaged over cohorts and periods.


def _cohorts(*covariates: str) -> Contestant:
    def prepare(data: pd.DataFrame) -> Call:
        design = StaggeredAdoption(**WORDS, covariates=covariates, two_way_fixed_effects=False)
        return estimate(design, _tables(data, start=True))

    return prepare


def _cohorts_numbers(*covariates: str) -> Contestant:
    def prepare(data: pd.DataFrame) -> Call:
        from virkning.numerics.group_time import Panel as Followed
        from virkning.numerics.group_time import Rules, aggregate, group_time_effects

        first = data.drop_duplicates("person")
        outcome = data["value"].to_numpy().reshape(len(first), -1)
        place = np.where(first["ever"], first["start"] - data["year"].min(), outcome.shape[1]).astype(np.int64)
        followed = Followed(outcome, place, first[list(covariates)].to_numpy(dtype=float).reshape(len(first), -1))

        def call() -> Numbers:
            effects = group_time_effects(followed, Rules("never_treated", "doubly_robust"))
            found = aggregate(effects, "simple")
            return _pair(found.overall, np.sqrt((found.overall_influence**2).sum()) / len(first))

        return call

    return prepare


def _cohorts_diff_diff(*covariates: str) -> Contestant:
    def prepare(data: pd.DataFrame) -> Call:
        import diff_diff

        def call() -> Numbers:
            model = diff_diff.CallawaySantAnna(pscore_trim=1e-6)
            fitted = model.fit(data, "value", "person", "year", "start", covariates=list(covariates) or None)
            return _pair(fitted.overall_att, fitted.overall_se)

        return call

    return prepare


def _cohorts_csdid(*covariates: str) -> Contestant:
    def prepare(data: pd.DataFrame) -> Call:
        import contextlib
        import io

        from csdid.att_gt import ATTgt

        frame = data[["person", "year", "start", "value", "trait"]]

        def call() -> Numbers:
            model = ATTgt(
                "value",
                "year",
                "person",
                "start",
                frame.copy(),
                control_group="nevertreated",
                xformla=f"value ~ {' + '.join(covariates) or '1'}",
            )
            with contextlib.redirect_stdout(io.StringIO()):
                found = model.fit(est_method="dr", bstrap=False).aggte("simple", bstrap=False, cband=False).atte
            return _pair(found["overall_att"], np.ravel(found["overall_se"])[0])

        return call

    return prepare


def _cohorts_statspai(*covariates: str) -> Contestant:
    def prepare(data: pd.DataFrame) -> Call:
        import statspai

        def call() -> Numbers:
            fitted = statspai.callaway_santanna(
                data, "value", "start", "year", "person", x=list(covariates) or None, base_period="varying"
            )
            return _pair(fitted.estimate, fitted.se)

        return call

    return prepare


# A treatment that comes and goes: fixed effects of persons and periods.


def comes_and_goes(n: int) -> pd.DataFrame:
    """Return a panel in which the treatment of each person changes from year to year."""
    data = panel(n, share=0.0)
    generator = np.random.default_rng(23)
    on = generator.random(len(data)) < 0.4
    return data.assign(on=on, value=data["value"] + 0.3 * on, ever=True)


def _panel(data: pd.DataFrame) -> Call:
    design = Panel(**WORDS, treatment_measure="attends")
    return estimate(design, _tables(data, attends=data["on"].astype(float)))


# Places: synthetic difference in differences with the jackknife's error.


def places(n: int) -> pd.DataFrame:
    """Return places over forty years that swing with common tides; a few start in the last ten."""
    n_places, n_years = max(n // 40, 30), 40
    generator = np.random.default_rng(24)
    tides = np.cumsum(generator.normal(size=(2, n_years)), axis=1)
    value = 50 + generator.uniform(0, 2, (n_places, 2)) @ tides + generator.normal(0, 0.5, (n_places, n_years))
    ever = np.arange(n_places) < max(n_places // 50, 3)
    years = np.arange(2020 - n_years + 1, 2021)
    on = ever[:, None] & (years >= 2011)
    return pd.DataFrame(
        {
            "person": np.repeat(np.arange(n_places), n_years),
            "year": np.tile(years, n_places),
            "trait": 0.0,
            "ever": np.repeat(ever, n_years),
            "start": np.repeat(np.where(ever, 2011, 0), n_years),
            "on": on.ravel(),
            "value": (value + 2 * on).ravel(),
        }
    )


def _places(data: pd.DataFrame) -> Call:
    design = SyntheticControl(
        **WORDS, start="2011", estimator="synthetic_differences", standard_errors="jackknife", solver="frank_wolfe"
    )
    return estimate(design, _tables(data))


def _places_synthdid(data: pd.DataFrame) -> Call:
    import synthdid

    frame = data[["person", "year", "value"]].assign(on=data["on"].astype(int))

    def call() -> Numbers:
        setup = synthdid.panel_matrices(frame, "person", "year", "value", "on")
        found = synthdid.synthdid_estimate(setup.Y, setup.N0, setup.T0)
        return _pair(found, synthdid.jackknife_se(found))

    return call


# One series: the mean of everybody over time, a change of level, errors of Newey and West.


def _series(data: pd.DataFrame) -> Call:
    design = InterruptedTimeSeries(
        population="the persons", start="2011", changes="level", estimator="newey_west", lag=1
    )
    return estimate(design, _tables(data.assign(ever=True)))


def _series_statsmodels(data: pd.DataFrame) -> Call:
    import statsmodels.api as sm

    def call() -> Numbers:
        means = data.groupby("year")["value"].mean()
        regressors = np.column_stack([np.ones(len(means)), np.arange(len(means)), means.index >= 2011]).astype(float)
        fitted = sm.OLS(means.to_numpy(), regressors).fit(
            cov_type="HAC", cov_kwds={"maxlags": 1, "use_correction": True}
        )
        return _pair(fitted.params[2], fitted.bse[2])

    return call


def _before_after(data: pd.DataFrame) -> Call:
    return estimate(BeforeAfter(population="the persons", before=("2019",)), _tables(data.assign(ever=True)))


def _before_after_statsmodels(data: pd.DataFrame) -> Call:
    from statsmodels.stats.weightstats import DescrStatsW

    def call() -> Numbers:
        wide = data.pivot_table(index="person", columns="year", values="value")
        found = DescrStatsW((wide[int(LAST)] - wide[int(LAST) - 1]).to_numpy())
        return _pair(found.mean, found.std_mean)

    return call


ROWS = (
    Row(
        "two groups over ten periods, clustered",
        panel,
        {
            OURS: _two_groups,
            "pyfixest": _pyfixest,
            "statspai": _statspai_regression,
            "linearmodels": _linearmodels,
            "diff-diff": _two_groups_diff_diff,
        },
        words="linearmodels' clustered errors are too large beside effects of persons and periods, so its effect is "
        "compared alone.",
    ),
    Row(
        "cohorts: Callaway and Sant'Anna",
        COHORTS,
        {
            OURS: _cohorts(),
            NUMERICS: _cohorts_numbers(),
            "diff-diff": _cohorts_diff_diff(),
            "statspai": _cohorts_statspai(),
            "csdid": _cohorts_csdid(),
        },
    ),
    Row(
        "cohorts: doubly robust with a trait",
        COHORTS,
        {
            OURS: _cohorts("trait"),
            NUMERICS: _cohorts_numbers("trait"),
            "diff-diff": _cohorts_diff_diff("trait"),
            "statspai": _cohorts_statspai("trait"),
            "csdid": _cohorts_csdid("trait"),
        },
        looser={"diff-diff": 2e-3},
        words="diff-diff stops its propensity score early; in small samples it shows in the fourth digit.",
    ),
    Row(
        "panel: fixed effects, clustered",
        comes_and_goes,
        {OURS: _panel, "pyfixest": _pyfixest, "statspai": _statspai_regression, "linearmodels": _linearmodels},
    ),
    Row(
        "places: synthetic differences, jackknife",
        places,
        {OURS: _places, "synthdid-py": _places_synthdid},
        sizes=(2_000, 10_000, 100_000),
        words="Rows are places times forty years.",
    ),
    Row(
        "series: change of level, Newey and West",
        partial(panel, n_periods=20, starts=(10,), share=1.0),
        {OURS: _series, "statsmodels": _series_statsmodels},
    ),
    Row(
        "before and after: mean change",
        partial(panel, n_periods=2, starts=(1,), share=1.0),
        {OURS: _before_after, "statsmodels": _before_after_statsmodels},
    ),
)
