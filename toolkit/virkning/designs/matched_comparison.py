"""Matched comparison: no lottery, but a group of others who are like the participants in what was known before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from ..data import Tables
from ..errors import DesignError
from ..estimates import Estimate, EvidenceLevel, Method
from ..numerics.logit import Link
from ..provenance import Digests
from .assembly import Analysed, Array
from .comparison import refusals, terms
from .comparison.choices import NEEDS_SCORE, Choice, Estimator, Matching, StandardErrors, Target, Trimming
from .comparison.findings import Compared, findings_of
from .degrees_of_freedom import DESCRIPTION, Rule
from .evaluation import EvaluationDesign, Persons
from .exclusions import Exclusion, without_outcome
from .findings import Finding
from .words import Assumption, DesignWords

# One person of the comparison group who stands for more than this share of it is worth a warning.
_MUCH_WEIGHT = 0.05
NOBODY_NEAR = "With nobody near enough to be matched with"
_NO_SPREAD = "so there is no spread to judge a difference by."

WORDS = DesignWords(
    title="Matched comparison",
    question="What difference did the programme make, compared with others who were like its participants beforehand?",
    estimand=(
        "The average, over those who were offered the programme (or over everybody), of the difference between the "
        "outcome with the programme and the outcome without it"
    ),
    notation=r"\tau = E\bigl[ Y_i(1) - Y_i(0) \mid D_i = 1 \bigr]",
    assumptions=(
        Assumption(
            name="No unmeasured differences",
            words="Among persons who are alike in the covariates, who took part has nothing to do with how they would "
            "have fared without the programme.",
            notation=r"Y_i(0) \perp D_i \mid X_i",
        ),
        Assumption(
            name="Overlap",
            words="For every participant there are others, who did not take part, with the same covariates.",
            notation=r"\Pr(D_i = 1 \mid X_i) < 1",
        ),
        Assumption(
            name="Measured before",
            words="The covariates were measured before the programme and could not be changed by it.",
            notation=r"X_i(1) = X_i(0) = X_i",
        ),
        Assumption(
            name="No interference, one programme",
            words="One person's taking part does not change another's outcome, and it means the same for everybody.",
            notation=r"Y_i = D_i \, Y_i(1) + (1 - D_i) \, Y_i(0)",
        ),
    ),
    can_conclude=(
        "How the outcome of the participants differs from that of others with the same measured traits.",
        "If nothing unmeasured set them apart beforehand: whether the programme changed the outcome, and how much.",
    ),
    cannot_conclude=(
        "That the difference is due to the programme, if motivation, health or anything else unmeasured decided who "
        "took part.",
        "What the programme would do for people whom nobody in the comparison group resembles.",
        "What it did to one particular person.",
    ),
    evidence_level=EvidenceLevel(
        level=3,
        reason="There is a comparison group that is alike in what was measured, but no lottery decided who took part.",
        raise_by="A lottery, or a rule that decided who was offered the programme, would raise it.",
    ),
    chapter="matched_comparison",
    citation="ImbensRubin2015",
)

METHODS: dict[Estimator, Method] = {
    "unadjusted": Method("unadjusted difference in means", "LaLonde1986", WORDS.chapter),
    "regression": Method("regression on the covariates", "AngristPischke2009", WORDS.chapter),
    "regression_adjustment": Method("regression adjustment by group", "ImbensWooldridge2009", WORDS.chapter),
    "matching": Method("nearest-neighbour matching on the propensity score", "AbadieImbens2006", WORDS.chapter),
    "weighting": Method("inverse-probability weighting", "HiranoImbensRidder2003", WORDS.chapter),
    "entropy_balancing": Method("entropy balancing", "Hainmueller2012", WORDS.chapter),
    "doubly_robust": Method("doubly robust weighting (AIPW)", "RobinsRotnitzkyZhao1994", WORDS.chapter),
}
_QUANTITIES: dict[Target, str] = {
    "att": "average effect on those who were offered the programme (ATT)",
    "ate": "average effect on everybody in both groups (ATE)",
}


class MatchedComparison(EvaluationDesign):
    """Participants compared with others who were like them, in what was known before the programme."""

    words: ClassVar[DesignWords] = WORDS

    type: Literal["matched_comparison"] = "matched_comparison"
    estimand: Target = Field(default="att", description="att: on those offered the programme; ate: on everybody.")
    estimator: Estimator = Field(default="matching", description="How the headline is estimated.")
    standard_errors: StandardErrors | None = Field(
        default=None, description="Kind of errors of the headline; left out, the estimator's own default."
    )
    degrees_of_freedom: Rule = Field(
        default="standard",
        description=f"{DESCRIPTION} Only the unadjusted difference and the regression have a t distribution.",
    )
    covariates: tuple[str, ...] = Field(
        default=(), description="What was known before: for the score, entropy balancing and the check of balance."
    )
    outcome_covariates: tuple[str, ...] | None = Field(
        default=None, description="For regressions of the outcome; left out, the same as covariates."
    )
    score: Link = Field(default="logit", description="Form of the propensity score: logit or probit, never penalised.")
    matching: Matching = Field(default_factory=Matching, description="How neighbours are chosen.")
    trimming: Trimming = Field(default_factory=Trimming, description="Who is left out for lack of overlap.")
    alternatives: tuple[Choice, ...] = Field(default=(), description="Estimates that are shown beside the headline.")

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The ways to estimate, the headline first; those that match know how."""
        first = Choice(estimator=self.estimator, standard_errors=self.standard_errors)
        return tuple(
            choice.model_copy(update={"matching": self.matching})
            if choice.estimator == "matching" and choice.matching is None
            else choice
            for choice in (first, *self.alternatives)
        )

    def problems(self, tables: Tables, persons: Persons | None = None) -> Iterator[DesignError]:
        """Give every reason why these data cannot honour the specification; no outcome is looked at.

        The score is fitted and neighbours are sought, since only that shows whether the groups overlap.
        """
        frame = _chosen(tables.participants, persons)
        for found in (refusals.in_words(self), refusals.in_columns(self, frame), refusals.in_arms(self, frame)):
            errors = list(found)
            yield from errors
            if errors:
                return
        try:
            prepared = self._prepared(frame.assign(value=0.0))
        except DesignError as error:
            yield error
            return
        told = set()
        for choice in self.choices:
            try:
                terms.refuse_impossible(prepared, choice, self.estimand)
            except DesignError as error:
                if error.what not in told:
                    yield error
                told.add(error.what)

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome; the specification was found sound by :meth:`problems`."""
        question = self.question(
            tables,
            measure,
            quantity=_QUANTITIES[self.estimand],
            method=METHODS[self.estimator],
            seed=seed,
        )
        everyone = _chosen(tables.analysis(measure), persons)
        frame = everyone[everyone["value"].notna()]
        prepared, fitted, reason, warnings = self._fitted(frame, seed)
        if prepared is None or reason:
            return question.unavailable(reason, n_units=len(frame))
        if len(frame) < len(everyone):
            warnings.insert(
                0,
                "Some persons have no outcome and are left out. If whether it is known has to do with the programme, "
                "the estimate is biased.",
            )
        unmatched = fitted[0].unmatched
        if unmatched is None:
            unmatched = np.zeros(len(prepared.persons.treated), dtype=bool)
        return question.answered(
            [item.term for item in fitted],
            Analysed(
                n_treated=int((prepared.persons.treated & ~unmatched).sum()),
                n_comparison=int((~prepared.persons.treated & ~unmatched).sum()),
                n_clusters=None,
                comparison_mean=fitted[0].comparison_mean,
                ids=Digests(tables.checksum, frame.loc[prepared.kept, "participant_id"], has_repeats=False),
            ),
            warnings,
        )

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: the headline only, without covariates that do not vary there."""

        def varying(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name for name in names if participants[name].nunique(dropna=False) > 1)

        lines = None if self.outcome_covariates is None else varying(self.outcome_covariates)
        update = {"alternatives": (), "covariates": varying(self.covariates), "outcome_covariates": lines}
        return self.model_copy(update=update)

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return who is left out: without the outcome, trimmed for lack of overlap, or matched with nobody."""
        first = without_outcome(tables, measure)
        prepared = self._comparable(tables, measure)
        if prepared is None:
            return (first,)
        known, found = np.flatnonzero(~first.persons), [first]
        if self.trimming.rule != "none":
            found.append(_among(self.trimming.reason, len(first.persons), known[~prepared.kept]))
        # Who finds nobody depends on a draw only where nobody may serve twice and ties are drawn.
        _, unmatched = terms.use_of(prepared, self.choices[0], self.estimand, np.random.default_rng(seed))
        if self.estimator == "matching" and (self.matching.caliper is not None or self.matching.exact):
            found.append(_among(NOBODY_NEAR, len(first.persons), known[prepared.kept][unmatched]))
        return tuple(found)

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return overlap, who is left out, balance before and after, and what the weights cost."""
        measure = estimate.estimand.measure
        participants, known = tables.participants, tables.analysis(measure)["value"].notna().to_numpy(dtype=bool)
        if not estimate.is_available or not self.covariates:
            return ()
        persons = self._persons(participants[known].assign(value=0.0))
        try:
            score = terms.score_of(persons, self.score).probability
        except DesignError:
            score = None
        weights = self.weights_of(tables, measure, seed=seed)
        described = tables.schemas["participants"]
        return findings_of(
            Compared(
                treated=persons.treated,
                score=score,
                traits=persons.traits,
                labels=tuple(described.field(name).title for name in self.covariates),
                weights=None if weights is None else weights[known],
            ),
            self.exclusions(tables, measure, seed=seed),
            participants[self.treatment].to_numpy(dtype=bool),
        )

    def weights_of(self, tables: Tables, measure: str, *, seed: int = 0) -> Array | None:
        """Return how much each participant counts in the headline for one outcome, shape (participants,).

        Zero for whoever is left out; None when a regression decides, or there is no estimate.
        """
        prepared = self._comparable(tables, measure)
        if prepared is None:
            return None
        found, _ = terms.use_of(prepared, self.choices[0], self.estimand, np.random.default_rng(seed))
        if found is None:
            return None
        known = np.flatnonzero(tables.analysis(measure)["value"].notna())
        weights = np.zeros(len(tables.participants))
        weights[known[prepared.kept]] = found
        return weights

    def _comparable(self, tables: Tables, measure: str) -> terms.Prepared | None:
        """Return those with an outcome as they are compared; None where the headline cannot be estimated."""
        frame = tables.analysis(measure)
        frame = frame[frame["value"].notna()]
        if next(refusals.in_arms(self, frame), None) is not None:
            return None
        try:
            prepared = self._prepared(frame)
            terms.refuse_impossible(prepared, self.choices[0], self.estimand)
        except DesignError:
            return None
        return prepared

    def _persons(self, frame: pd.DataFrame) -> terms.Persons:
        """Return the persons of a frame, all with an outcome in the column ``value``, as arrays."""
        lines = self.covariates if self.outcome_covariates is None else self.outcome_covariates
        keys = {name for choice in self.choices if choice.matching for name in choice.matching.exact}

        def numbers(names: tuple[str, ...]) -> Array:
            return frame[list(names)].to_numpy(dtype=np.float64).reshape(len(frame), len(names))

        return terms.Persons(
            outcome=frame["value"].to_numpy(dtype=np.float64),
            treated=frame[self.treatment].to_numpy(dtype=bool),
            traits=numbers(self.covariates),
            trait_names=self.covariates,
            lines=numbers(lines),
            line_names=lines,
            keys={name: pd.factorize(frame[name], sort=True)[0].astype(np.int64) for name in sorted(keys)},
        )

    def _prepared(self, frame: pd.DataFrame) -> terms.Prepared:
        needs_score = any(choice.estimator in NEEDS_SCORE for choice in self.choices)
        return terms.prepare(self._persons(frame), self.score, self.trimming, self.estimand, needs_score)

    def _fitted(
        self, frame: pd.DataFrame, seed: int
    ) -> tuple[terms.Prepared | None, list[terms.Fitted], str, list[str]]:
        """Return who is compared and the fitted terms, or the reason why there is no headline, and the warnings."""
        treated = frame[self.treatment].astype(bool)
        for is_treated, words in ((True, "offered the programme"), (False, "in the comparison group")):
            if not (treated == is_treated).any():
                return None, [], f"Nobody {words} has this outcome.", []
        if frame["value"].min() == frame["value"].max():
            return None, [], f"This outcome is the same for everybody, {_NO_SPREAD}", []
        # The reasons below are published, so they say less than the refusals for whoever holds the data.
        if next(refusals.in_arms(self, frame), None) is not None:
            return None, [], "Too few of those with this outcome are left in a group to compare them.", []
        try:
            prepared = self._prepared(frame)
        except DesignError:
            return None, [], "Among those with this outcome, the two groups have too little in common.", []
        fitted: list[terms.Fitted] = []
        warnings = _trimming_warnings(prepared)
        for choice in self.choices:
            found, reason = self._fit_or_reason(prepared, choice, seed)
            if found is not None:
                fitted.append(found)
            elif not fitted:
                return None, [], reason, []
            else:
                warnings.append(f"«{choice.name}» is left out for this outcome. {reason}")
        return prepared, fitted, "", warnings + _headline_warnings(prepared, fitted[0])

    def _fit_or_reason(self, prepared: terms.Prepared, choice: Choice, seed: int) -> tuple[terms.Fitted | None, str]:
        """Return the fitted term, or why these persons' outcomes do not allow it."""
        try:
            terms.refuse_impossible(prepared, choice, self.estimand)
        except DesignError:
            return None, "Among those with this outcome, the two groups or the covariates do not allow it."
        generator = np.random.default_rng(seed)
        found = terms.fit(prepared, choice, self.estimand, generator, self.degrees_of_freedom)
        if found.term.std_error > 1e-10 * float(np.abs(prepared.persons.outcome).max()):
            return found, ""
        return None, f"Within the groups this outcome does not vary, {_NO_SPREAD}"


def _chosen(frame: pd.DataFrame, persons: Persons | None) -> pd.DataFrame:
    return frame if persons is None else frame[persons]


def _among(reason: str, n: int, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Exclusion:
    """Return the exclusion of some of n participants."""
    persons = np.zeros(n, dtype=bool)
    persons[rows] = True
    return Exclusion(reason, persons)


def _trimming_warnings(prepared: terms.Prepared) -> list[str]:
    """Return who was left out for lack of overlap, in words: a small number could tell of single persons."""
    if prepared.first_score is None or prepared.kept.all():
        return []
    return [
        "Some persons are left out because the other group has hardly anybody like them; the effect is that on those "
        "who remain."
    ]


def _headline_warnings(prepared: terms.Prepared, headline: terms.Fitted) -> list[str]:
    """Return what the weights of the headline call for."""
    found = []
    if headline.unmatched is not None and headline.unmatched.any():
        found.append("For some persons nobody near enough was found; the effect is that on those who were matched.")
    if headline.weights is not None:
        shares = headline.weights[~prepared.persons.treated]
        if len(shares) > 1 / _MUCH_WEIGHT and shares.max() > _MUCH_WEIGHT * shares.sum():
            found.append("A few persons of the comparison group carry much of the weight, so the result leans on them.")
    return found
