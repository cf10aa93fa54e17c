"""Instrumental variables: something from outside moved people towards the treatment, and worked through it alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pandas.api import types
from pydantic import Field

from ..data import Tables
from ..disclosure import Table
from ..errors import DesignError
from ..estimand import Estimand
from ..estimates import Estimate, EvidenceLevel, Method
from ..numerics.compliers import Compliers, describe_compliers
from ..numerics.instruments import Errors
from ..numerics.least_squares import dependent_column
from ..provenance import Digests
from ..specification import Specification
from .assembly import Analysed, Term
from .degrees_of_freedom import DESCRIPTION, Rule
from .evaluation import EvaluationDesign, Persons
from .findings import Finding
from .instruments import findings as beside
from .instruments import refusals
from .instruments.two_stage import (
    BesideEstimator,
    Diagnosis,
    InstrumentEstimator,
    InstrumentSample,
    diagnose,
    fit_term,
    forms_of,
    set_in_words,
)
from .words import Assumption, DesignWords

# Below about this many clusters their covariance is known to be too small (Cameron, Gelbach and Miller 2008).
_MANY_CLUSTERS = 40
_SIGNIFICANT = 0.05

WORDS = DesignWords(
    title="Instrumental variables",
    question="What does the treatment do to those who took it because something from outside moved them to?",
    estimand=(
        "The average, over the persons whose treatment the instrument changed (the compliers), of the difference "
        "between the outcome with and without the treatment; for an amount of treatment, per unit and weighted "
        "towards those whom the instrument moved most"
    ),
    notation=(
        r"\tau_{\text{LATE}} = \mathbb{E}\bigl[ Y_i(1) - Y_i(0) \mid D_i(1) > D_i(0) \bigr] = "
        r"\frac{\operatorname{Cov}(Y_i, Z_i)}{\operatorname{Cov}(D_i, Z_i)}"
    ),
    assumptions=(
        Assumption(
            name="Independence",
            words="Given the covariates, the instrument is as good as drawn by lot.",
            notation=r"\bigl( Y_i(d, z), D_i(z) \bigr) \perp Z_i \mid X_i",
        ),
        Assumption(
            name="Exclusion",
            words="The instrument reaches the outcome through the treatment and by no other way.",
            notation=r"Y_i(d, z) = Y_i(d)",
        ),
        Assumption(
            name="Relevance",
            words="The instrument moves the treatment, and not just a little.",
            notation=r"\mathbb{E}[D_i \mid Z_i = 1, X_i] \neq \mathbb{E}[D_i \mid Z_i = 0, X_i]",
        ),
        Assumption(
            name="Monotonicity",
            words="The instrument moves nobody away from the treatment whom its absence would have let take it.",
            notation=r"D_i(1) \ge D_i(0)",
        ),
        Assumption(
            name="No interference",
            words="One person's instrument and treatment do not change another's treatment or outcome.",
            notation=r"Y_i(d_1, \dots, d_n) = Y_i(d_i)",
        ),
    ),
    can_conclude=(
        "Whether the treatment changed the outcome, on average, among those whom the instrument moved.",
        "Which effects agree with the data however weak the instrument is.",
    ),
    cannot_conclude=(
        "What the treatment does to those who take it in any case, and to those who never do.",
        "That the instrument works through the treatment alone: no test can show it.",
        "Who, by name, the compliers are; only how many they are and what they are like on average.",
    ),
    evidence_level=EvidenceLevel(
        level=4,
        reason="Something other than people's own choice moved them, but that it works through the treatment alone "
        "must be believed.",
        raise_by="A lottery as the instrument would make its independence certain.",
    ),
    chapter="instrumental_variables",
    citation="AngristImbensRubin1996",
)

METHODS: dict[InstrumentEstimator, Method] = {
    "two_stage_least_squares": Method("two-stage least squares", "AngristImbens1995", WORDS.chapter),
    "liml": Method("limited-information maximum likelihood (LIML)", "AndersonRubin1949", WORDS.chapter),
}


class BesideInstruments(Specification):
    """An estimate shown beside the headline."""

    estimator: BesideEstimator = Field(
        description="two_stage_least_squares, liml, ordinary_least_squares (as if the treatment had been drawn by "
        "lot) or intention_to_treat (the effect of the instrument itself)."
    )
    standard_errors: Errors = Field(description="classical, hc1 or clustered.")


class InstrumentalVariables(EvaluationDesign):
    """An evaluation in which instruments, such as the offer of a place, moved people towards the treatment.

    When the one instrument and the treatment are yes/no columns, the effect of the instrument itself (intention to
    treat) always stands beside the effect on the compliers. In ``effects``, ``n_treated`` counts the persons with more
    of the treatment than the average: those who took it, when it is a yes/no column.
    """

    words: ClassVar[DesignWords] = WORDS

    type: Literal["instrumental_variables"] = "instrumental_variables"
    treatment: str = Field(
        description="Column of participants: the treatment actually taken, yes/no or an amount (years of schooling)."
    )
    instruments: tuple[str, ...] = Field(
        min_length=1, description="Columns that moved the treatment from outside, such as the offer of a place."
    )
    estimator: InstrumentEstimator = Field(
        default="two_stage_least_squares", description="How the headline is estimated."
    )
    standard_errors: Errors = Field(default="hc1", description="How the headline's uncertainty is measured.")
    degrees_of_freedom: Rule = Field(default="standard", description=DESCRIPTION)
    covariates: tuple[str, ...] = Field(default=(), description="Traits that are held constant in both stages.")
    clusters: str | None = Field(default=None, description="Column of the groups that belong together.")
    alternatives: tuple[BesideInstruments, ...] = Field(
        default=(), description="Estimates that are shown beside the headline."
    )

    @property
    def declared(self) -> tuple[tuple[BesideEstimator, Errors], ...]:
        """The estimators with their standard errors as the specification names them, the headline first."""
        return ((self.estimator, self.standard_errors), *((a.estimator, a.standard_errors) for a in self.alternatives))

    def problems(self, tables: Tables, persons: Persons | None = None) -> Iterator[DesignError]:
        """Give every reason why these data cannot honour the specification; nothing is fitted."""
        frame = _chosen(tables.participants, persons)
        early = [*refusals.in_words(self), *refusals.in_columns(self, frame)]
        yield from early
        if not early:
            yield from refusals.in_first_stage(self, self.sample(frame.assign(value=0.0)))

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome; the specification was found sound by :meth:`problems`."""
        assigned = _chosen(tables.analysis(measure), persons)
        frame = assigned[assigned["value"].notna()]
        question = self.question(
            tables,
            measure,
            quantity=self._quantity(frame),
            method=METHODS[self.estimator],
            seed=seed,
        )
        reason = self._reason(frame)
        terms: list[Term] = []
        if not reason:
            sample = self.sample(frame)
            terms = [
                fit_term(sample, estimator, errors, self.degrees_of_freedom)
                for estimator, errors in self._all_terms(frame)
            ]
            if min(term.std_error for term in terms) <= 1e-10 * float(np.abs(sample.outcome).max()):
                reason = "Among those alike this outcome does not vary, so there is no spread to judge an effect by."
        if reason:
            return question.unavailable(reason, n_units=len(frame))
        warnings = _warnings(sample, self._diagnosis(sample), question.estimand)
        if len(frame) < len(assigned):
            warnings.insert(
                0,
                "Some persons have no outcome and are left out. If the instrument changed who could be reached, the "
                "estimate is biased.",
            )
        return question.answered(
            terms,
            self._analysed(frame, tables.checksum),
            warnings,
        )

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: the headline only, without covariates that do not vary there."""
        varying = tuple(name for name in self.covariates if participants[name].nunique(dropna=False) > 1)
        return self.model_copy(update={"alternatives": (), "covariates": varying})

    def is_in_programme(self, tables: Tables, measure: str) -> Persons:
        """Return who has more of the treatment than the average of those with the outcome, shape (participants,)."""
        frame = tables.analysis(measure)
        amount = frame[self.treatment].to_numpy(dtype=np.float64)
        known = amount[frame["value"].notna().to_numpy(dtype=bool)]
        return np.asarray(amount > (known.mean() if known.size else amount.mean()))

    def diagnose(self, tables: Tables, measure: str) -> Diagnosis | None:
        """Return what is known about the instruments among those with an outcome; None where there is no estimate."""
        frame = tables.analysis(measure)
        frame = frame[frame["value"].notna()]
        return None if self._reason(frame) else self._diagnosis(self.sample(frame))

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return the first stage, the robust set, each instrument alone, and who the compliers are."""
        if not estimate.is_available:
            return ()
        measure, rule = estimate.estimand.measure, self.degrees_of_freedom
        frame = tables.analysis(measure)
        sample = self.sample(frame[frame["value"].notna()])
        diagnosis, headline = self._diagnosis(sample), fit_term(sample, self.estimator, self.standard_errors, rule)
        smaller = int(estimate.effects[["n_treated", "n_comparison"]].iloc[0].min())
        forms = forms_of(sample, self.standard_errors, rule)
        found = [
            beside.first_stage(diagnosis, measure),
            beside.robust_set(forms, diagnosis, headline, estimate.estimand, smaller),
        ]
        if len(self.instruments) > 1:
            titles = [tables.schemas["participants"].field(name).title for name in self.instruments]
            found.append(
                beside.one_by_one(
                    sample,
                    titles,
                    headline,
                    diagnosis,
                    estimate.estimand,
                    errors=self.standard_errors,
                    rule=rule,
                    n_behind=smaller,
                )
            )
        compliers = self.compliers(tables)
        if compliers is not None:
            found.append(beside.compliers(compliers, len(tables.participants), self.compliers_table(tables)))
        return tuple(found)

    def _diagnosis(self, sample: InstrumentSample) -> Diagnosis:
        return diagnose(sample, self.standard_errors, self.confidence, self.degrees_of_freedom)

    def compliers(self, tables: Tables, traits: tuple[str, ...] = ()) -> Compliers | None:
        """Return how many compliers there are and what they are like; None unless instrument and treatment are yes/no.

        Parameters
        ----------
        tables : Tables
            All participants count, whether their outcome is known or not.
        traits : tuple of str
            Columns of numbers or yes/no; by default the covariates. With covariates in the design the chance of the
            instrument is a logit of them, as in Abadie (2003); without, it is the share of those who had it.
        """
        frame = tables.participants
        names = traits or self.covariates
        if not self._is_offer(frame):
            return None
        treated = frame[self.treatment].to_numpy(dtype=bool)
        encouraged = frame[self.instruments[0]].to_numpy(dtype=bool)
        # An instrument that keeps people away encourages those who do not have it.
        if treated[encouraged].mean() < treated[~encouraged].mean():
            encouraged = ~encouraged
        values = frame[list(names)].to_numpy(dtype=np.float64).reshape(len(frame), len(names))
        chance = np.full(len(frame), encouraged.mean())
        if self.covariates:
            import statsmodels.api as sm

            controls = self.sample(frame.assign(value=0.0)).controls
            chance = sm.GLM(encouraged.astype(np.float64), controls, family=sm.families.Binomial()).fit().fittedvalues
        return describe_compliers(treated, encouraged, values, chance)

    def compliers_table(self, tables: Tables, traits: tuple[str, ...] = ()) -> Table:
        """Return the compliers as a table to be cleared: their share, and each trait beside everybody's.

        Raises
        ------
        DesignError
            The instrument or the treatment is not a yes/no column, so nobody can be called a complier.
        """
        found = self.compliers(tables, traits)
        if found is None:
            raise DesignError(
                "design.no_compliers",
                "Compliers are defined for one yes/no instrument and a yes/no treatment only.",
                where="design.instruments",
                why="An amount of treatment is moved by different steps in different persons.",
                do="Describe whom the instrument moves in words.",
            )
        return beside.compliers_table(found, tables, traits or self.covariates)

    def sample(self, frame: pd.DataFrame) -> InstrumentSample:
        """Return the persons of an analysis frame, all with an outcome in the column ``value``, as arrays."""

        def columns(names: tuple[str, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
            return frame[list(names)].to_numpy(dtype=np.float64).reshape(len(frame), len(names))

        clusters = None
        if self.clusters is not None:
            clusters = pd.factorize(frame[self.clusters], sort=True)[0].astype(np.int64)
        return InstrumentSample(
            outcome=frame["value"].to_numpy(dtype=np.float64),
            treatment=frame[self.treatment].to_numpy(dtype=np.float64),
            instruments=columns(self.instruments),
            controls=np.column_stack([np.ones(len(frame)), columns(self.covariates)]),
            clusters=clusters,
        )

    def _is_offer(self, frame: pd.DataFrame) -> bool:
        """Tell whether the one instrument and the treatment are yes/no columns."""
        names = (self.treatment, *self.instruments)
        return len(names) == 2 and all(types.is_bool_dtype(frame[name].dtype) for name in names)

    def _all_terms(self, frame: pd.DataFrame) -> tuple[tuple[BesideEstimator, Errors], ...]:
        offer: tuple[BesideEstimator, Errors] = ("intention_to_treat", self.standard_errors)
        return (*self.declared, offer) if self._is_offer(frame) and offer not in self.declared else self.declared

    def _quantity(self, frame: pd.DataFrame) -> str:
        if self._is_offer(frame):
            return "average effect of taking part on those who did because of the instrument (complier average effect)"
        return f"average effect of one unit of «{self.treatment}» on those whom the instruments moved (local effect)"

    def _reason(self, frame: pd.DataFrame) -> str:
        """Return why there is no estimate among these persons, or an empty text; it is published, so without counts."""
        if frame.empty:
            return "Nobody has this outcome."
        if frame["value"].nunique() == 1:
            return "This outcome is the same for everybody, so there is no spread to judge an effect by."
        sample = self.sample(frame)
        sound = next(refusals.in_first_stage(self, sample), None) is None
        if self.clusters is not None:
            sound = sound and frame[self.clusters].nunique() >= len(self.instruments) + 2
        regressors = np.column_stack([sample.controls, sample.treatment])
        if not sound or dependent_column(regressors) is not None:
            return "Among those with this outcome, instruments and covariates do not determine the effect."
        return ""

    def _analysed(self, frame: pd.DataFrame, salt: str) -> Analysed:
        """Return who the estimate rests on; ``salt`` makes the digests useless outside these data."""
        amount = frame[self.treatment].to_numpy(dtype=np.float64)
        treated = amount > amount.mean()
        units = frame[self.clusters or "participant_id"]
        return Analysed(
            n_treated=int(treated.sum()),
            n_comparison=int((~treated).sum()),
            n_clusters=None if self.clusters is None else units.nunique(),
            comparison_mean=float(frame["value"].to_numpy(dtype=np.float64)[~treated].mean()),
            ids=Digests(salt, units, has_repeats=self.clusters is not None),
        )


def _chosen(frame: pd.DataFrame, persons: Persons | None) -> pd.DataFrame:
    return frame if persons is None else frame[persons]


def _warnings(sample: InstrumentSample, found: Diagnosis, estimand: Estimand) -> list[str]:
    """Return what the reader must know: the robust set always, and each test that speaks against the design."""
    result = [set_in_words(found.robust_set, estimand)]
    strength = found.strength
    if strength.effective_f < strength.critical_value:
        result.append(
            f"The instruments are weak: their effective F is {strength.effective_f:.1f}, below the "
            f"{strength.critical_value:.1f} that keep the bias under a tenth of the worst case. Trust the set of "
            "Anderson and Rubin more than the interval."
        )
    test = found.overidentification
    if test is not None and test.p_value < _SIGNIFICANT:
        result.append(
            "The instruments contradict each other (test of over-identification): they move different people, or one "
            "of them reaches the outcome by another way."
        )
    if sample.clusters is not None and len(np.unique(sample.clusters)) < _MANY_CLUSTERS:
        result.append(
            f"There are fewer than about {_MANY_CLUSTERS} clusters, and clustered errors then tend to be too small."
        )
    return result
