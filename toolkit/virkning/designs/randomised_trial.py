"""Randomised trial: a lottery decided who was offered the programme."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from .. import provenance
from ..data import Tables
from ..errors import DesignError
from ..estimates import Estimate, EvidenceLevel, Method
from ..numerics.assignment import Lottery
from ..specification import Specification
from . import refusals
from .assembly import Analysed, Term
from .evaluation import EvaluationDesign, Persons
from .regression import Estimator, Sample, StandardErrors, fit, refuse_impossible
from .words import Assumption, DesignWords

# Below about this many clusters their covariance is known to be too small (Cameron, Gelbach and Miller 2008).
_MANY_CLUSTERS = 40
_NO_SPREAD = "so there is no spread to judge a difference by."

WORDS = DesignWords(
    title="Randomised trial",
    question="What difference does it make, on average, to be offered the programme?",
    estimand=(
        "The average, over the persons in the trial, of the difference between the outcome when offered the programme "
        "and the outcome when not offered it"
    ),
    notation=r"\tau = \frac{1}{n} \sum_{i=1}^{n} \bigl( Y_i(1) - Y_i(0) \bigr)",
    assumptions=(
        Assumption(
            name="Random assignment",
            words="A lottery, and nothing else, decided who was offered the programme.",
            notation=r"\bigl( Y_i(0), Y_i(1), X_i \bigr) \perp D_i",
        ),
        Assumption(
            name="No interference",
            words="One person's offer does not change another's outcome (nor a group's, when groups were assigned).",
            notation=r"Y_i(d_1, \dots, d_n) = Y_i(d_i)",
        ),
        Assumption(
            name="One treatment",
            words="There is one programme: being offered it means the same for everybody.",
            notation=r"Y_i = D_i \, Y_i(1) + (1 - D_i) \, Y_i(0)",
        ),
        Assumption(
            name="No selective loss",
            words="Whether we know a person's outcome does not depend on the offer together with what that outcome is.",
            notation=r"R_i \perp D_i \mid \bigl( Y_i(0), Y_i(1) \bigr)",
        ),
    ),
    can_conclude=(
        "Whether being offered the programme changed the outcome on average, among the persons in the trial.",
        "How large the average change was, with the uncertainty that comes from the lottery.",
    ),
    cannot_conclude=(
        "What the programme does to those who take it up, when not everybody who was offered it did.",
        "What it did to one particular person: some may have gained and others lost.",
        "What it would do in another place, at another time, or for people who would not have entered the trial.",
        "Which part of the programme made the difference.",
    ),
    evidence_level=EvidenceLevel(
        level=5,
        reason="A lottery decided who was offered the programme, so the groups differ by chance only.",
    ),
    chapter="randomised_trial",
    citation="ImbensRubin2015",
)

METHODS: dict[Estimator, Method] = {
    "difference_in_means": Method("difference in means", "Neyman1923", WORDS.chapter),
    "ancova": Method("difference in means adjusted for covariates (ANCOVA)", "Freedman2008", WORDS.chapter),
    "lin": Method("difference in means adjusted for covariates in each group (Lin)", "Lin2013", WORDS.chapter),
}


class Alternative(Specification):
    """Another way to estimate the same effect, shown beside the headline."""

    estimator: Estimator = Field(description="difference_in_means, ancova or lin.")
    standard_errors: StandardErrors = Field(description="classical, hc1, hc2, hc3 or clustered.")


class RandomisedTrial(EvaluationDesign):
    """A trial in which persons, or groups of persons, were assigned by lottery."""

    words: ClassVar[DesignWords] = WORDS

    type: Literal["randomised_trial"] = "randomised_trial"
    estimator: Estimator = Field(default="difference_in_means", description="How the headline is estimated.")
    standard_errors: StandardErrors = Field(default="hc2", description="How the headline's uncertainty is measured.")
    covariates: tuple[str, ...] = Field(
        default=(),
        description="Traits measured before assignment; used by ancova and lin, and shown in the check of balance.",
    )
    strata: str | None = Field(default=None, description="Column of the strata inside which the lottery was held.")
    clusters: str | None = Field(default=None, description="Column of the groups that were assigned together.")
    weights: str | None = Field(default=None, description="Column of positive sampling weights.")
    alternatives: tuple[Alternative, ...] = Field(
        default=(), description="Estimates that are shown beside the headline."
    )

    @property
    def terms(self) -> tuple[tuple[Estimator, StandardErrors], ...]:
        """The estimators with their standard errors, the headline first."""
        others = ((item.estimator, item.standard_errors) for item in self.alternatives)
        return ((self.estimator, self.standard_errors), *others)

    def problems(self, tables: Tables, persons: Persons | None = None) -> Iterator[DesignError]:
        """Give every reason why these data cannot honour the specification; nothing is fitted.

        Parameters
        ----------
        tables : Tables
            Validated data.
        persons : ndarray of bool, shape (participants,), optional
            Look at these only.
        """
        frame = _chosen(tables.participants, persons)
        early = [*refusals.in_words(self), *refusals.in_columns(self, frame)]
        yield from early
        if early:
            return
        late = list(refusals.in_arms(self, frame))
        yield from late
        if late:
            return
        sample = self.sample(frame.assign(value=0.0))
        for estimator, errors in self.terms:
            try:
                refuse_impossible(sample, estimator, errors)
            except DesignError as error:
                yield error

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome; the specification was found sound by :meth:`problems`."""
        question = self.question(
            tables,
            measure,
            quantity="average effect of being offered the programme (intention to treat)",
            method=METHODS[self.estimator],
            seed=seed,
        )
        assigned = _chosen(tables.analysis(measure), persons)
        frame = assigned[assigned["value"].notna()]
        terms, reason, warnings = self._terms(frame)
        if reason:
            return question.unavailable(reason, n_units=len(frame))
        if len(frame) < len(assigned):
            warnings.insert(
                0,
                "Some of those assigned have no outcome and are left out; the check of attrition shows how many in "
                "each group. If the offer changed who could be reached, the estimate is biased.",
            )
        return question.answered(
            terms,
            self._analysed(frame, tables.checksum),
            warnings,
        )

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: the headline only, without covariates that do not vary there."""
        varying = tuple(name for name in self.covariates if participants[name].nunique(dropna=False) > 1)
        estimator: Estimator = self.estimator if varying else "difference_in_means"
        return self.model_copy(update={"alternatives": (), "covariates": varying, "estimator": estimator})

    def sample(self, frame: pd.DataFrame) -> Sample:
        """Return the persons of an analysis frame, all with an outcome in the column ``value``, as arrays."""

        def codes(name: str | None) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
            return None if name is None else pd.factorize(frame[name], sort=True)[0].astype(np.int64)

        adjusts = any(estimator != "difference_in_means" for estimator, _ in self.terms)
        names = self.covariates if adjusts else ()
        return Sample(
            outcome=frame["value"].to_numpy(dtype=np.float64),
            treated=frame[self.treatment].to_numpy(dtype=bool),
            covariates=frame[list(names)].to_numpy(dtype=np.float64).reshape(len(frame), len(names)),
            names=names,
            strata=codes(self.strata),
            clusters=codes(self.clusters),
            weights=None if self.weights is None else frame[self.weights].to_numpy(dtype=np.float64),
        )

    def lottery(self, frame: pd.DataFrame) -> Lottery:
        """Return the lottery that assigned the persons of a frame, with its strata and clusters."""
        sample = self.sample(frame.assign(value=0.0))
        return Lottery.of(sample.treated, sample.strata, sample.clusters)

    def _terms(self, frame: pd.DataFrame) -> tuple[list[Term], str, list[str]]:
        """Return the fitted terms, or the reason why there is no headline, and the warnings."""
        treated = frame[self.treatment].astype(bool)
        warnings: list[str] = []
        for is_treated, words in ((True, "offered the programme"), (False, "in the comparison group")):
            if not (treated == is_treated).any():
                return [], f"Nobody {words} has this outcome.", warnings
        if frame["value"].nunique() == 1:
            return [], f"This outcome is the same for everybody, {_NO_SPREAD}", warnings
        # The reasons below are published, so they say less than the refusals for whoever holds the data.
        if next(refusals.in_arms(self, frame), None) is not None:
            return [], "Too few of those with this outcome are left in a group or stratum to compare them.", warnings
        sample = self.sample(frame)
        terms: list[Term] = []
        for estimator, errors in self.terms:
            term, reason = _fit_or_reason(sample, estimator, errors)
            if term is not None:
                terms.append(term)
            elif not terms:
                return [], reason, warnings
            else:
                warnings.append(f"«{estimator}, {errors}» is left out for this outcome. {reason}")
        return terms, "", warnings + _cluster_warnings(sample)

    def _analysed(self, frame: pd.DataFrame, salt: str) -> Analysed:
        """Return who the estimate rests on; ``salt`` makes the digests useless outside these data."""
        treated = frame[self.treatment].to_numpy(dtype=bool)
        weights = None if self.weights is None else frame[self.weights].to_numpy(dtype=np.float64)[~treated]
        units = frame[self.clusters or "participant_id"].astype(str)
        digest = {unit: provenance.checksum(salt, unit)[:16] for unit in units.unique()}
        return Analysed(
            n_treated=int(treated.sum()),
            n_comparison=int((~treated).sum()),
            n_clusters=None if self.clusters is None else len(digest),
            comparison_mean=float(np.average(frame["value"].to_numpy(dtype=np.float64)[~treated], weights=weights)),
            ids=tuple(digest[unit] for unit in units),
        )


def _chosen(frame: pd.DataFrame, persons: Persons | None) -> pd.DataFrame:
    return frame if persons is None else frame[persons]


def _fit_or_reason(sample: Sample, estimator: Estimator, errors: StandardErrors) -> tuple[Term | None, str]:
    """Return the fitted term, or why these persons' outcomes do not allow it."""
    try:
        refuse_impossible(sample, estimator, errors)
    except DesignError:
        return None, "Among those with this outcome, its covariates and strata do not determine the effect."
    term = fit(sample, estimator, errors)
    if term.std_error > 1e-10 * float(np.abs(sample.outcome).max()):
        return term, ""
    return None, f"Within the groups this outcome does not vary, {_NO_SPREAD}"


def _cluster_warnings(sample: Sample) -> list[str]:
    """Return the sentence that few clusters call for."""
    if sample.clusters is None or len(np.unique(sample.clusters)) >= _MANY_CLUSTERS:
        return []
    return [
        f"There are only {len(np.unique(sample.clusters))} clusters; with fewer than about {_MANY_CLUSTERS}, clustered "
        "standard errors tend to be too small. Trust the check by randomisation inference more."
    ]
