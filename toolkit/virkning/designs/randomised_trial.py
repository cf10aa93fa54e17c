"""Randomised trial: a lottery decided who was offered the programme."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from ..data import Tables
from ..errors import DesignError
from ..estimates import Estimate, EvidenceLevel, Method
from ..numerics.assignment import Lottery
from ..provenance import Digests
from ..specification import Specification
from .assembly import Analysed, Term
from .degrees_of_freedom import DESCRIPTION, Rule
from .evaluation import EvaluationDesign, Persons
from .exclusions import Exclusion, without_outcome
from .findings import Finding
from .regression import BY_CLUSTER, Estimator, Sample, StandardErrors, refuse_impossible
from .trial import findings as trial_findings
from .trial import refusals
from .trial import terms as trial_terms
from .trial import warnings as trial_warnings
from .words import Assumption, DesignWords

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
    standard_errors: StandardErrors = Field(
        description="classical, hc1, hc2, hc3; with clusters: clustered, cr2, wild_bootstrap; with pairs: paired."
    )


class RandomisedTrial(EvaluationDesign):
    """A trial in which persons, or groups of persons, were assigned by lottery.

    The headline is always the effect of the offer: of any arm when there are several, in the mix in which they were
    drawn. After the alternatives come the effect on compliers, when ``takes_part`` is named, and each arm against the
    comparison group, when ``arm`` is; both with the headline's estimator and errors.
    """

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
    pairs: str | None = Field(
        default=None, description="Column of the pairs of persons, or of clusters, of which the lottery drew one."
    )
    arm: str | None = Field(
        default=None,
        description="Column with the name of each person's arm when several programmes were drawn; those with «no» "
        "under treatment are one arm, the comparison group.",
    )
    takes_part: str | None = Field(
        default=None, description="Boolean column: really took part; adds the effect on compliers."
    )
    weights: str | None = Field(default=None, description="Column of positive sampling weights.")
    degrees_of_freedom: Rule = Field(default="standard", description=DESCRIPTION)
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
        impossible = list(self._impossible(sample))
        yield from impossible
        if self.takes_part is not None and not impossible:
            yield from refusals.in_take_up(self, frame, self._first_stage(sample).difference)
        if self.arm is not None and not impossible:
            for members in self._arms(frame).values():
                errors = list(self._impossible(trial_terms.of_persons(sample, members)))
                yield from errors
                if errors:
                    return

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome; the specification was found sound by :meth:`problems`."""
        offer = "being offered the programme" if self.arm is None else "being offered any of the arms"
        question = self.question(
            tables,
            measure,
            quantity=f"average effect of {offer} (intention to treat)",
            method=METHODS[self.estimator],
            seed=seed,
        )
        assigned = _chosen(tables.analysis(measure), persons)
        known = assigned["value"].notna()
        frame = self._whole(assigned[known])
        settings = trial_terms.Settings(self.degrees_of_freedom, self.confidence, seed)
        terms, reason, warnings = self._terms(frame, settings)
        if reason:
            return question.unavailable(reason, n_units=len(frame))
        warnings = [*trial_warnings.of_losses(len(assigned), int(known.sum()), len(frame)), *warnings]
        estimate = question.answered(terms, self._analysed(frame, tables.checksum), warnings)
        return trial_terms.with_own_rows(estimate, terms)

    def analysed(self, tables: Tables, measure: str) -> pd.DataFrame:
        """Return the participants on whom the estimate of an outcome rests, with the outcome in the column ``value``.

        Parameters
        ----------
        tables : Tables
            Validated data.
        measure : str
            The outcome.
        """
        frame = tables.analysis(measure)
        return self._whole(frame[frame["value"].notna()])

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return those without the outcome, and those whose partner in the pair has none."""
        missing = without_outcome(tables, measure)
        if self.pairs is None:
            return (missing,)
        left = tables.participants.index.isin(self.analysed(tables, measure).index)
        return (missing, Exclusion("The other half of their pair has no outcome", ~left & ~missing.persons))

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return who took part, each arm, and each stratum, as far as the design has them."""
        if not estimate.is_available:
            return ()
        found: list[Finding | None] = []
        people, frame = tables.participants, self.analysed(tables, estimate.estimand.measure)
        treated, sample = people[self.treatment].to_numpy(dtype=bool), self.sample(frame)
        if self.takes_part is not None:
            groups = {"Offered the programme": treated}
            if self.arm is not None:
                names = people[self.arm].astype(str).to_numpy()
                groups = {f"Arm «{name}»": names == name for name in np.unique(names[treated])}
            first = self._first_stage(self.sample(people.assign(value=0.0)))
            taken = people[self.takes_part].to_numpy(dtype=bool)
            found.append(trial_findings.take_up({**groups, trial_findings.COMPARISON: ~treated}, taken, first))
        if self.arm is not None:
            terms = {name: self._arm_term(name) for name in self._arms(frame)}
            terms = {name: term for name, term in terms.items() if term in set(estimate.effects["term"])}
            samples = {
                name: trial_terms.of_persons(sample, members)
                for name, members in self._arms(frame).items()
                if name in terms
            }
            found.append(trial_findings.arms(estimate, samples, terms, self.estimator, seed) if terms else None)
        if self.strata is not None:
            found.append(trial_findings.strata(people[self.strata], treated, frame, sample, estimate))
        return tuple(item for item in found if item is not None)

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: the headline only, without covariates that do not vary there.

        Pairs of which a half lies outside the group are no pairs there, so the two arms are compared without them.
        """
        varying = tuple(name for name in self.covariates if participants[name].nunique(dropna=False) > 1)
        estimator: Estimator = self.estimator if varying else "difference_in_means"
        update: dict[str, object] = {"alternatives": (), "covariates": varying, "estimator": estimator}
        update |= {"arm": None, "takes_part": None}
        if self.pairs is not None and len(self._whole(participants)) < len(participants):
            update |= {"pairs": None, "standard_errors": "hc2" if self.clusters is None else "cr2"}
        return self.model_copy(update=update)

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
            pairs=codes(self.pairs),
            taken=None if self.takes_part is None else frame[self.takes_part].to_numpy(dtype=np.float64),
        )

    def lottery(self, frame: pd.DataFrame) -> Lottery:
        """Return the lottery that assigned the persons of a frame, with its strata or pairs and its clusters."""
        sample = self.sample(frame.assign(value=0.0))
        return Lottery.of(sample.treated, sample.strata if self.pairs is None else sample.pairs, sample.clusters)

    def _whole(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a frame whose pair has both halves in it; all rows without pairs."""
        if self.pairs is None:
            return frame
        halves = frame.groupby(frame[self.pairs], observed=True)[self.treatment].transform("nunique")
        return frame[halves == 2]

    def _impossible(self, sample: Sample) -> Iterator[DesignError]:
        for estimator, errors in self.terms:
            try:
                refuse_impossible(sample, estimator, errors)
            except DesignError as error:
                yield error

    def _arms(self, frame: pd.DataFrame) -> dict[str, Persons]:
        """Return, for each arm that was offered something, who is in it or in the comparison group."""
        if self.arm is None:
            return {}
        treated, names = frame[self.treatment].to_numpy(dtype=bool), frame[self.arm].astype(str).to_numpy()
        return {str(name): (names == name) | ~treated for name in np.unique(names[treated])}

    def _arm_term(self, name: str) -> str:
        return f"arm «{name}», {self.standard_errors}"

    def _first_stage(self, sample: Sample) -> trial_findings.FirstStage:
        """Return what the offer does to taking part."""
        settings = trial_terms.Settings()
        # The bootstrap is about outcomes; its errors are those of the clusters.
        errors: StandardErrors = "cr2" if self.standard_errors in BY_CLUSTER else self.standard_errors
        taken = np.zeros(len(sample.outcome)) if sample.taken is None else sample.taken
        term = trial_terms.fit_offer(replace(sample, outcome=taken), self.estimator, errors, settings)
        has_spread = term.std_error > 1e-10
        return trial_findings.FirstStage(term.value, (term.value / term.std_error) ** 2 if has_spread else float("inf"))

    def _terms(self, frame: pd.DataFrame, settings: trial_terms.Settings) -> tuple[list[Term], str, list[str]]:
        """Return the fitted terms, or the reason why there is no headline, and the warnings."""
        treated = frame[self.treatment].astype(bool)
        for is_treated, words in ((True, "offered the programme"), (False, "in the comparison group")):
            if not (treated == is_treated).any():
                return [], f"Nobody {words} has this outcome.", []
        if np.ptp(frame["value"].to_numpy(dtype=np.float64)) == 0:
            return [], "This outcome is the same for everybody, so there is no spread to judge a difference by.", []
        # The reasons below are published, so they say less than the refusals for whoever holds the data.
        if next(refusals.in_groups(self, frame), None) is not None:
            return [], "Too few of those with this outcome are left in a group or stratum to compare them.", []
        sample = self.sample(frame)
        terms: list[Term] = []
        warnings: list[str] = []
        for estimator, errors in self.terms:
            term, reason = trial_terms.fit_or_reason(sample, estimator, errors, settings)
            if term is not None:
                terms.append(term)
            elif not terms:
                return [], reason, warnings
            else:
                warnings.append(f"«{estimator}, {errors}» is left out for this outcome. {reason}")
        if self.takes_part is not None:
            warnings += self._add_compliers(terms, sample, settings)
        warnings += self._add_arms(terms, frame, sample, settings)
        return terms, "", [*warnings, *trial_warnings.of_lottery(sample, self.terms)]

    def _add_compliers(self, terms: list[Term], sample: Sample, settings: trial_terms.Settings) -> list[str]:
        """Add the effect on compliers to the terms; return the warnings."""
        first = self._first_stage(sample)
        term, reason = None, "Among those with this outcome, the offer brought no more people to take part."
        if first.difference > 1e-9:
            term, reason = trial_terms.fit_or_reason(
                sample, self.estimator, self.standard_errors, settings, is_complier=True
            )
        if term is None:
            return [f"The effect on compliers is left out for this outcome. {reason}"]
        terms.append(term)
        return trial_warnings.of_take_up(sample, first)

    def _add_arms(
        self, terms: list[Term], frame: pd.DataFrame, sample: Sample, settings: trial_terms.Settings
    ) -> list[str]:
        """Add each arm against the comparison group to the terms; return the warnings."""
        left_out = []
        for name, members in self._arms(frame).items():
            term, reason = None, "Too few of those in it have this outcome."
            if next(refusals.in_groups(self, frame[members]), None) is None:
                part = trial_terms.of_persons(sample, members)
                term, reason = trial_terms.fit_or_reason(part, self.estimator, self.standard_errors, settings)
                n_treated = int(part.treated.sum())
            if term is None:
                left_out.append(f"The arm «{name}» is left out for this outcome. {reason}")
            else:
                terms.append(trial_terms.for_arm(term, self._arm_term(name), members, n_treated))
        return left_out

    def _analysed(self, frame: pd.DataFrame, salt: str) -> Analysed:
        """Return who the estimate rests on; ``salt`` makes the digests useless outside these data."""
        treated = frame[self.treatment].to_numpy(dtype=bool)
        weights = None if self.weights is None else frame[self.weights].to_numpy(dtype=np.float64)[~treated]
        # What varies independently by lottery: pairs, else clusters, else persons.
        units = self.pairs or self.clusters
        return Analysed(
            n_treated=int(treated.sum()),
            n_comparison=int((~treated).sum()),
            n_clusters=None if self.clusters is None else int(frame[self.clusters].nunique()),
            comparison_mean=float(np.average(frame["value"].to_numpy(dtype=np.float64)[~treated], weights=weights)),
            ids=Digests(salt, frame[units or "participant_id"], has_repeats=units is not None),
        )


def _chosen(frame: pd.DataFrame, persons: Persons | None) -> pd.DataFrame:
    return frame if persons is None else frame[persons]
