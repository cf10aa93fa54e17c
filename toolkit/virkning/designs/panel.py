"""Panel: persons followed over several periods, whose treatment changes while we look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from ..data import Tables
from ..errors import DesignError
from ..estimates import Estimate, EvidenceLevel, Method
from ..numerics.panels import NestedEffects, WaldTest, numbered
from ..provenance import Digests
from ..specification import Specification
from .assembly import Analysed, Term
from .degrees_of_freedom import DESCRIPTION, Rule
from .evaluation import EvaluationDesign, Persons
from .exclusions import Exclusion
from .findings import Finding
from .panels import refusals
from .panels.findings import Shown, findings_of
from .panels.fits import (
    PanelErrors,
    PanelEstimator,
    PanelSample,
    entering,
    fit_regression,
    hausman,
    regression_of,
    term_of,
)
from .panels.rows import PERSON, rows_of
from .words import Assumption, DesignWords

# Below about this many clusters their covariance is known to be too small (Cameron, Gelbach and Miller 2008).
_MANY_CLUSTERS = 40
_SIGNIFICANT = 0.05

WORDS = DesignWords(
    title="Panel",
    question="How does a person's outcome change when the treatment of that same person changes?",
    estimand=(
        "The average change in the outcome when the treatment rises by one unit in the same period, over the persons "
        "whose treatment changes, given what changes for everybody"
    ),
    notation=r"Y_{it} = \tau D_{it} + \beta' X_{it} + \alpha_i + \lambda_t + \varepsilon_{it}",
    assumptions=(
        Assumption(
            name="Strict exogeneity",
            words="In no period do the things we do not see and that change go together with the treatment: past "
            "outcomes do not decide who is treated later.",
            notation=r"\mathbb{E}[\varepsilon_{it} \mid D_{i1}, \dots, D_{iT}, X_i, \alpha_i] = 0",
        ),
        Assumption(
            name="Lasting traits",
            words="What does not change in a person may go with the treatment, and works alike in all periods.",
            notation=r"\alpha_{it} = \alpha_i",
        ),
        Assumption(
            name="Same effect at once",
            words="The effect comes in the same period, ends with the treatment, and does not differ with its timing.",
            notation=r"Y_{it}(d_1, \dots, d_T) = Y_{it}(d_t), \quad \tau_{it} = \tau",
        ),
        Assumption(
            name="No interference",
            words="One person's treatment does not change another's outcome.",
            notation=r"Y_{it}(d_{1t}, \dots, d_{nt}) = Y_{it}(d_{it})",
        ),
    ),
    can_conclude=(
        "How the outcome moved with the treatment inside persons, free of everything lasting that sets them apart.",
        "Whether lasting differences between persons go together with the treatment (the robust Hausman test).",
    ),
    cannot_conclude=(
        "That nothing else changed for those persons at the same time.",
        "What the treatment does to persons who had it all the time, or never.",
        "The effect of something that started at different times and grows with time; use staggered adoption.",
    ),
    evidence_level=EvidenceLevel(
        level=3,
        reason="Each person is compared with that same person, and with others in the same period, but what else "
        "changed for those who changed treatment is not seen.",
        raise_by="Knowing why the treatment changed when it did, by a rule or by lot, would raise it.",
    ),
    chapter="panel",
    citation="Wooldridge2010",
)

METHODS: dict[PanelEstimator, Method] = {
    "fixed_effects": Method("fixed effects", "Mundlak1978", WORDS.chapter),
    "first_differences": Method("first differences", "Wooldridge2010", WORDS.chapter),
    "random_effects": Method("random effects", "SwamyArora1972", WORDS.chapter),
    "correlated_random_effects": Method("correlated random effects", "Mundlak1978", WORDS.chapter),
    "pooled_least_squares": Method("pooled least squares", "Wooldridge2010", WORDS.chapter),
}


# Estimators that say nothing of some persons, and why.
ONE_PERIOD: dict[PanelEstimator, str] = {
    "fixed_effects": "Seen in one period only, so without a change",
    "first_differences": "Not seen in two periods that follow each other",
}


class PanelAlternative(Specification):
    """Another way to estimate the same effect, shown beside the headline."""

    estimator: PanelEstimator = Field(
        description="fixed_effects, first_differences, random_effects, correlated_random_effects or "
        "pooled_least_squares."
    )
    standard_errors: PanelErrors = Field(description="classical, clustered or two_way.")


class Panel(EvaluationDesign):
    """An evaluation that follows persons over several periods in which their treatment changes.

    Measures of the outcomes table that serve as treatment or covariate have no estimate of their own. In ``effects``,
    ``n_treated`` counts persons with more than the lowest amount of treatment in some period.
    """

    words: ClassVar[DesignWords] = WORDS

    type: Literal["panel"] = "panel"
    treatment: str = Field(
        default="is_treated",
        description="Column of participants, not used by this design: the treatment changes, see treatment_measure.",
    )
    treatment_measure: str = Field(
        description="Measure in the outcomes table that holds the treatment of each person in each period."
    )
    estimator: PanelEstimator = Field(default="fixed_effects", description="How the headline is estimated.")
    standard_errors: PanelErrors = Field(
        default="clustered", description="How the headline's uncertainty is measured; clustered is by person."
    )
    degrees_of_freedom: Rule = Field(default="standard", description=DESCRIPTION)
    nested_effects: NestedEffects = Field(
        default="not_counted",
        description="Whether clustered errors of fixed effects count the effects that are nested in the clusters as "
        "coefficients: not_counted (fixest, reghdfe) or counted (linearmodels).",
    )
    period_effects: bool = Field(default=True, description="Whether each period has a level of its own.")
    periods: tuple[str, ...] = Field(
        default=(), description="The periods in order; by default sorted as numbers, or else as text."
    )
    covariate_measures: tuple[str, ...] = Field(
        default=(), description="Measures that change over time and are held constant."
    )
    covariates: tuple[str, ...] = Field(
        default=(),
        description="Lasting traits, columns of participants; used by pooled_least_squares and both random effects.",
    )
    clusters: str | None = Field(default=None, description="Column of groups of persons, in place of the person.")
    alternatives: tuple[PanelAlternative, ...] = Field(
        default=(), description="Estimates that are shown beside the headline."
    )

    @property
    def terms(self) -> tuple[tuple[PanelEstimator, PanelErrors], ...]:
        """The estimators with their standard errors, the headline first."""
        return ((self.estimator, self.standard_errors), *((a.estimator, a.standard_errors) for a in self.alternatives))

    def problems(self, tables: Tables, persons: Persons | None = None) -> Iterator[DesignError]:
        """Give every reason why these data cannot honour the specification; nothing is fitted."""
        people = _chosen(tables.participants, persons)
        early = [*refusals.in_words(self, tables), *refusals.in_columns(self, people)]
        yield from early
        if not early:
            rows = self.rows(tables, None, persons)
            yield from refusals.in_rows(self, self.sample(rows.assign(value=0.0)))

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome over all its periods; :meth:`problems` found the specification sound."""
        people = _chosen(tables.participants, persons)
        question = self.question(
            tables,
            measure,
            quantity="average effect of one unit of the treatment in the same period, over all periods",
            method=METHODS[self.estimator],
            seed=seed,
        )
        rows, terms, warnings = pd.DataFrame(), list[Term](), list[str]()
        if measure in self._measures:
            role = "treatment" if measure == self.treatment_measure else "covariate of a regression"
            reason = f"This measure is the {role}, not an outcome."
        else:
            rows, lost = self._complete(tables, measure, persons)
            terms, reason, warnings = self._fitted(rows)
            warnings = lost + warnings
        if reason:
            return question.unavailable(reason, n_units=rows[PERSON].nunique() if len(rows) else 0)
        if rows[PERSON].nunique() < len(people):
            warnings.insert(
                0, "Some persons have no outcome in a period with treatment and covariates, and are left out."
            )
        return question.answered(
            terms,
            self._analysed(rows, tables.checksum),
            warnings,
        )

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: the headline only, without traits that do not vary there."""
        varying = tuple(name for name in self.covariates if participants[name].nunique(dropna=False) > 1)
        return self.model_copy(update={"alternatives": (), "covariates": varying})

    def outcomes(self, tables: Tables) -> tuple[str, ...]:
        """Return the measures that are neither the treatment nor held constant."""
        return tuple(measure for measure in tables.measures if measure not in self._measures)

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return who is left out: without outcome, without treatment beside it, or without what is compared."""
        everyone = tables.participants["participant_id"]
        outcomes, rows = tables.outcomes, self.rows(tables, measure)
        known = outcomes.loc[(outcomes["measure"] == measure) & outcomes["value"].notna(), "participant_id"]
        label = tables.measures[measure].label
        found = [
            Exclusion(f"Without the outcome «{label}» in any period", ~everyone.isin(known).to_numpy(dtype=bool)),
            Exclusion(
                "Without treatment or covariates in the periods of the outcome",
                ~everyone.isin(rows["participant_id"]).to_numpy(dtype=bool),
            ),
        ]
        if self.estimator in ONE_PERIOD and len(rows):
            persons = rows["participant_id"].unique()
            alone = persons[~entering(self.sample(rows), self.estimator)]
            found.append(Exclusion(ONE_PERIOD[self.estimator], everyone.isin(alone).to_numpy(dtype=bool)))
        return tuple(found)

    def is_in_programme(self, tables: Tables, measure: str) -> Persons:
        """Return who has more than the lowest amount of treatment in some period, shape (participants,).

        Of those whom the estimate rests on, in a period in which the outcome is known too.
        """
        everyone, found = tables.participants["participant_id"], np.zeros(len(tables.participants), dtype=bool)
        for rows in (self.rows(tables, None), self.rows(tables, measure)):
            ever = _is_on(rows[self.treatment_measure]).groupby(rows["participant_id"]).any()
            seen = everyone.isin(ever.index).to_numpy(dtype=bool)
            found = np.where(seen, everyone.map(ever).eq(True).to_numpy(dtype=bool), found)
        return found

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return what changes within persons, all estimators, the other coefficients, and the robust Hausman test."""
        if not estimate.is_available:
            return ()
        measure = estimate.estimand.measure
        rows, _ = self._complete(tables, measure, None)
        shown = Shown(
            outcome=tables.measures[measure],
            estimator=self.estimator,
            labels=tuple(tables.measures[name].label for name in self._measures),
            errors=self.standard_errors,
            nested=self.nested_effects,
            rule=self.degrees_of_freedom,
            period_effects=self.period_effects,
            level=self.confidence,
        )
        return findings_of(self.sample(rows), shown, {name: method.name for name, method in METHODS.items()})

    def hausman(self, tables: Tables, measure: str) -> WaldTest | None:
        """Return the robust Hausman test for one outcome; None where there is no estimate."""
        rows, _ = self._complete(tables, measure, None)
        if self._reason(rows):
            return None
        return hausman(self.sample(rows), period_effects=self.period_effects, rule=self.degrees_of_freedom)

    def rows(self, tables: Tables, measure: str | None, persons: Persons | None = None) -> pd.DataFrame:
        """Return one row per person and period with treatment, covariates and (if named) outcome in ``value``.

        Rows are ordered by participant, then period; ``period_number`` counts the periods from zero. Only rows without
        missing values are kept.
        """
        names = [*self._measures, *([measure] if measure is not None else [])]
        traits = [*self.covariates, *([self.clusters] if self.clusters is not None else [])]
        wide = rows_of(tables, _chosen(tables.participants, persons), names, traits, self.periods)
        return wide if measure is None else wide.rename(columns={measure: "value"})

    def sample(self, rows: pd.DataFrame) -> PanelSample:
        """Return the rows, all complete, as arrays."""
        persons = numbered(rows[PERSON].to_numpy(dtype=np.int64))
        clusters = persons
        if self.clusters is not None:
            clusters = pd.factorize(rows[self.clusters], sort=True)[0].astype(np.int64)
        return PanelSample(
            outcome=rows["value"].to_numpy(dtype=np.float64),
            varying=rows[list(self._measures)].to_numpy(dtype=np.float64),
            traits=rows[list(self.covariates)].to_numpy(dtype=np.float64).reshape(len(rows), len(self.covariates)),
            persons=persons,
            periods=rows["period_number"].to_numpy(dtype=np.int64),
            clusters=clusters,
            names=tuple(f"«{name}»" for name in (*self._measures, *self.covariates)),
        )

    @property
    def _measures(self) -> tuple[str, ...]:
        return (self.treatment_measure, *self.covariate_measures)

    def _complete(self, tables: Tables, measure: str, persons: Persons | None) -> tuple[pd.DataFrame, list[str]]:
        """Return the complete rows, and a warning where rows with an outcome had to be left out."""
        rows = self.rows(tables, measure, persons)
        known, _, _ = tables.known_values(measure, tables.periods_of(measure))
        n_known = len(known) if persons is None else int(persons[known].sum())
        if len(rows) == n_known:
            return rows, []
        return rows, ["Some periods in which the outcome is known lack the treatment or a covariate and are left out."]

    def _reason(self, rows: pd.DataFrame) -> str:
        if rows.empty:
            return "Nobody has this outcome together with the treatment and the covariates."
        if rows["value"].min() == rows["value"].max():
            return "This outcome is the same in every row, so there is no spread to judge an effect by."
        if next(refusals.in_rows(self, self.sample(rows)), None) is not None:
            return "Among the rows with this outcome, treatment and covariates do not determine the effect."
        return ""

    def _fitted(self, rows: pd.DataFrame) -> tuple[list[Term], str, list[str]]:
        """Return the fitted terms, or the reason why there are none, and the warnings."""
        reason = self._reason(rows)
        if reason:
            return [], reason, []
        sample = self.sample(rows)
        n_persons = int(sample.persons.max()) + 1
        terms = []
        for estimator, errors in self.terms:
            regression = regression_of(sample, estimator, period_effects=self.period_effects)
            fitted = fit_regression(regression, errors, self.nested_effects, self.degrees_of_freedom)
            kept = np.arange(n_persons)
            if estimator == "fixed_effects":
                kept = np.flatnonzero(entering(sample, estimator))
            terms.append(term_of(fitted, f"{estimator}, {errors}", kept.tolist(), n_persons))
        if min(term.std_error for term in terms) <= 1e-10 * float(np.abs(sample.outcome).max()):
            return [], "Within persons this outcome does not vary beyond the treatment, so there is no spread.", []
        return terms, "", self._warnings(sample)

    def _warnings(self, sample: PanelSample) -> list[str]:
        """Return what the reader must know; none of it counts persons."""
        result = []
        used = {estimator for estimator, _ in self.terms}
        sizes = np.bincount(sample.persons)
        if (sizes == 1).any() and used & {"fixed_effects", "first_differences"}:
            result.append("Some persons are seen in one period only; they say nothing about change within a person.")
        if "first_differences" in used:
            by_person = pd.Series(sample.periods).groupby(sample.persons)
            spans = (by_person.max() - by_person.min()).to_numpy() + 1
            if (spans > sizes).any():
                result.append("Some persons miss periods in between; first differences use neighbouring periods only.")
        if self.estimator in ("random_effects", "pooled_least_squares"):
            test = hausman(sample, period_effects=self.period_effects, rule=self.degrees_of_freedom)
            if test is not None and test.p_value < _SIGNIFICANT:
                result.append(
                    "Lasting differences between persons go together with the treatment (robust Hausman test): "
                    "fixed effects are to be believed rather than this headline."
                )
        n_clusters = int(sample.clusters.max()) + 1
        if self.standard_errors == "two_way":
            n_clusters = min(n_clusters, len(np.unique(sample.periods)))
        if self.standard_errors != "classical" and n_clusters < _MANY_CLUSTERS:
            result.append(
                f"The errors rest on fewer than about {_MANY_CLUSTERS} clusters and then tend to be too small."
            )
        return result

    def _analysed(self, rows: pd.DataFrame, salt: str) -> Analysed:
        """Return who the estimate rests on; ``salt`` makes the digests useless outside these data."""
        is_on = _is_on(rows[self.treatment_measure]).to_numpy(dtype=bool)
        sample = self.sample(rows)
        treated = np.bincount(sample.persons, weights=is_on) > 0
        enters = entering(sample, self.estimator)
        # Rows of a person follow each other.
        first = np.flatnonzero(np.diff(sample.persons, prepend=-1))
        units = rows[self.clusters or "participant_id"].iloc[first]
        return Analysed(
            n_treated=int((treated & enters).sum()),
            n_comparison=int((~treated & enters).sum()),
            n_clusters=len(units) if self.clusters is None else units.nunique(),
            comparison_mean=float(rows.loc[~is_on, "value"].mean()),
            ids=Digests(salt, units, has_repeats=self.clusters is not None),
        )


def _is_on(treatment: pd.Series[float]) -> pd.Series[bool]:
    return treatment > treatment.min()


def _chosen(frame: pd.DataFrame, persons: Persons | None) -> pd.DataFrame:
    return frame if persons is None else frame[persons]
