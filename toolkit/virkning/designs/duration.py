"""Duration: how long it takes until something happens, in two groups, when not everybody can be followed to the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from .. import language
from ..data import Tables
from ..errors import DesignError
from ..estimates import Estimate, EvidenceLevel, Method
from ..numerics import survival
from ..provenance import Digests
from . import refusals
from .assembly import Analysed, Question, Term
from .degrees_of_freedom import DESCRIPTION, Rule
from .evaluation import EvaluationDesign, Persons
from .exclusions import Exclusion
from .findings import Finding
from .regression import StandardErrors, refuse_impossible
from .survival import findings as duration_findings
from .survival import refusals as own_refusals
from .survival.curves import Array, Shown
from .survival.follow_up import Followed, FollowUp, Place, follow, is_known, place_of
from .survival.terms import NO_SPREAD, Compared, Estimator, contributions, fit_or_reason, term_name, warnings_of
from .words import Assumption, DesignWords

WORDS = DesignWords(
    title="Duration",
    question="How much longer, or shorter, does it take until it happens?",
    estimand=(
        "The difference between the two groups in the mean time without the event, counted up to a horizon that was "
        "declared beforehand"
    ),
    notation=r"\tau = \mathbb{E}\bigl[ \min\{T_i(1), h\} - \min\{T_i(0), h\} \bigr]",
    assumptions=(
        Assumption(
            name="Comparable groups",
            words="A lottery decided who was offered the programme, or what sets the groups apart is adjusted for.",
            notation=r"\bigl( T_i(0), T_i(1) \bigr) \perp D_i \mid X_i",
        ),
        Assumption(
            name="Loss without a reason",
            words="Those who can no longer be followed would have fared like those of their group who still can.",
            notation=r"C_i \perp T_i(d) \mid D_i = d",
        ),
        Assumption(
            name="Followed far enough",
            words="In both groups some are followed as far as the horizon.",
            notation=r"\Pr(C_i \ge h \mid D_i = d) > 0",
        ),
        Assumption(
            name="No interference, one programme",
            words="One person's offer does not change another's time, and it means the same for everybody.",
            notation=r"T_i(d_1, \dots, d_n) = T_i(d_i)",
        ),
    ),
    can_conclude=(
        "How many weeks, or other units of time, the groups differ by on average before the event, up to the horizon.",
        "How many more or fewer have had the event by the horizon.",
    ),
    cannot_conclude=(
        "What happens after the horizon: an event that was put off may still come.",
        "That the programme made the difference, if something unmeasured sets the groups apart; only a lottery rules "
        "that out.",
        "That the hazard is so many times higher at every moment, unless the hazards are proportional.",
        "What it did to one particular person.",
    ),
    evidence_level=EvidenceLevel(
        level=3,
        reason="Two groups are followed over time, but no lottery decided who belongs to which.",
        raise_by="A lottery that decides who is offered the programme raises it to level 5.",
    ),
    chapter="duration",
    citation="Uno2014",
)
BY_LOTTERY = EvidenceLevel(
    level=5,
    reason="A lottery decided who was offered the programme, so the groups differ by chance only.",
)

_CURVES: dict[Estimator, Method] = {
    "difference_in_means": Method("difference of areas under the groups' curves", "Uno2014", WORDS.chapter),
    "ancova": Method("pseudo-values adjusted for covariates (ANCOVA)", "AndersenHansenKlein2004", WORDS.chapter),
    "lin": Method(
        "pseudo-values adjusted for covariates in each group (Lin)", "AndersenHansenKlein2004", WORDS.chapter
    ),
}
_SHARES: dict[Estimator, Method] = {
    **_CURVES,
    "difference_in_means": Method("difference of the groups' curves", "AalenJohansen1978", WORDS.chapter),
}
_PLAIN: dict[Estimator, Method] = {
    "difference_in_means": Method("difference in means", "ImbensRubin2015", WORDS.chapter),
    "ancova": Method("difference in means adjusted for covariates (ANCOVA)", "Freedman2008", WORDS.chapter),
    "lin": Method("difference in means adjusted for covariates in each group (Lin)", "Lin2013", WORDS.chapter),
}


class Duration(EvaluationDesign):
    """Two groups that are followed until something happens to a person, or until nobody knows any more.

    A duration is compared by the mean time without its event up to the horizon; an event, or a competing one, by the
    share to whom it happened by then; any other outcome by its mean.
    """

    words: ClassVar[DesignWords] = WORDS

    type: Literal["duration"] = "duration"
    assignment: Literal["lottery", "comparison"] = Field(
        description="lottery: chance decided who was offered the programme; comparison: something else did."
    )
    follow_up: Mapping[str, FollowUp] = Field(
        min_length=1, description="For each measure that is a duration: the event that ends it, and the horizon."
    )
    estimator: Estimator = Field(default="difference_in_means", description="How the headline is estimated.")
    covariates: tuple[str, ...] = Field(
        default=(), description="Traits measured before the start; used by ancova, lin and the adjusted hazard ratio."
    )
    clusters: str | None = Field(default=None, description="Column of the groups that were assigned together.")
    degrees_of_freedom: Rule = Field(default="standard", description=DESCRIPTION)
    alternatives: tuple[Estimator, ...] = Field(
        default=(), description="Estimators that are shown beside the headline."
    )
    smallest_step: int = Field(
        default=5, ge=1, description="Curves go down where at least so many more persons have had the event."
    )

    @property
    def estimators(self) -> tuple[Estimator, ...]:
        """The estimators, the headline first."""
        return (self.estimator, *self.alternatives)

    def problems(self, tables: Tables, persons: Persons | None = None) -> Iterator[DesignError]:
        """Give every reason why these data cannot honour the specification; nothing is fitted.

        Parameters
        ----------
        tables : Tables
            Validated data.
        persons : ndarray of bool, shape (participants,), optional
            Look at these only.
        """
        frame = tables.participants if persons is None else tables.participants[persons]
        early = [*own_refusals.in_groups(self._comparison, frame), *own_refusals.in_measures(self, tables)]
        yield from early
        if early:
            return
        late = list(own_refusals.in_values(self, tables, persons))
        yield from late
        if late:
            return
        for duration in self.follow_up:
            followed = follow(self, tables, Place("duration", duration), duration, persons)
            if self._too_few(followed.frame):
                continue  # The estimate says why it is not available.
            error = own_refusals.beyond_follow_up(followed, duration)
            if error is not None:
                yield error
        compared = self._arrays(frame, np.zeros(len(frame)), None)
        for estimator in self.estimators:
            try:
                refuse_impossible(compared.sample, estimator, compared.errors)
            except DesignError as error:
                yield error

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome; the specification was found sound by :meth:`problems`."""
        question = self._question(tables, measure, seed)
        place = place_of(self.follow_up, measure)
        known = is_known(self, tables, measure)
        asked = np.ones(len(known), dtype=bool) if persons is None else persons
        frame = tables.analysis(measure)[known & asked]
        if self._too_few(frame):
            return question.unavailable(_too_few_reason(frame[self.treatment]), n_units=len(frame))
        followed = None if place.role == "plain" else follow(self, tables, place, measure, persons)
        compared = self._compared(frame, followed, counts_time=place.role == "duration")
        terms, reason, warnings = self._terms(compared, followed)
        if reason:
            return question.unavailable(reason, n_units=len(frame))
        if len(frame) < int(asked.sum()):
            warnings.insert(
                0,
                "Some persons have no outcome and are left out. If the programme changed whose outcome is known, the "
                "estimate is biased.",
            )
        return question.answered(terms, self._analysed(frame, compared, tables.checksum), warnings)

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return those without the outcome; of an event, those whose time is not known."""
        place = place_of(self.follow_up, measure)
        label = tables.measures[place.duration or measure].label
        return (Exclusion(f"Without the outcome «{label}»", ~is_known(self, tables, measure)),)

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return the curves, what they come to, how many are followed, hazard ratios, and competing events."""
        measure = estimate.estimand.measure
        place = place_of(self.follow_up, measure)
        # The curves of the event are those of the time until it comes; they stand there.
        if not estimate.is_available or place.role in ("plain", "event"):
            return ()
        followed = follow(self, tables, place, measure)
        compared = self._compared(followed.frame, followed, counts_time=place.role == "duration")
        shown = Shown(
            followed=followed,
            covariates=compared.covariates,
            labels=tuple(tables.schemas["participants"].field(name).title for name in self.covariates),
            clusters=compared.clusters,
            time=tables.measures[place.duration],
            event=tables.measures[measure if place.role == "competing" else self.follow_up[place.duration].event],
            level=self.confidence,
            smallest_step=self.smallest_step,
        )
        return duration_findings.findings_of(shown, np.random.default_rng(seed))

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: the headline only, without covariates that do not vary there."""
        varying = tuple(name for name in self.covariates if participants[name].nunique(dropna=False) > 1)
        estimator: Estimator = self.estimator if varying else "difference_in_means"
        return self.model_copy(update={"alternatives": (), "covariates": varying, "estimator": estimator})

    @property
    def _comparison(self) -> own_refusals.Comparison:
        errors: StandardErrors = "hc2" if self.clusters is None else "clustered"
        terms = tuple((estimator, errors) for estimator in self.estimators)
        return own_refusals.Comparison(self.treatment, self.covariates, self.clusters, terms)

    def _question(self, tables: Tables, measure: str, seed: int) -> Question:
        """Return what is asked about an outcome; the lottery decides the level of evidence."""
        place = place_of(self.follow_up, measure)
        effect = "average effect of being offered the programme" if self.assignment == "lottery" else "difference"
        methods, quantity = _PLAIN, effect
        if place.role != "plain":
            spell = self.follow_up[place.duration]
            unit = tables.measures[place.duration].unit
            horizon = f"{language.number(spell.horizon, 0 if spell.horizon % 1 == 0 else 2)} {unit}"
            methods = _CURVES if place.role == "duration" else _SHARES
            quantity = (
                f"{effect}, counted up to {horizon} (restricted mean time)"
                if place.role == "duration"
                else f"{effect}, by {horizon}"
            )
        question = self.question(tables, measure, quantity=quantity, method=methods[self.estimator], seed=seed)
        return replace(question, evidence_level=BY_LOTTERY) if self.assignment == "lottery" else question

    def _too_few(self, frame: pd.DataFrame) -> bool:
        return next(refusals.in_arms(self._comparison, frame), None) is not None

    def _compared(self, frame: pd.DataFrame, followed: Followed | None, *, counts_time: bool) -> Compared:
        if followed is None:
            return self._arrays(frame, frame["value"].to_numpy(dtype=np.float64), None)
        return self._arrays(frame, *contributions(followed, counts_time=counts_time))

    def _arrays(self, frame: pd.DataFrame, value: Array, influence: Array | None) -> Compared:
        covariates = frame[list(self.covariates)].to_numpy(dtype=np.float64).reshape(len(frame), len(self.covariates))
        clusters = None if self.clusters is None else pd.factorize(frame[self.clusters], sort=True)[0].astype(np.int64)
        treated = frame[self.treatment].to_numpy(dtype=bool)
        return Compared(value, influence, treated, covariates, self.covariates, clusters)

    def _terms(self, compared: Compared, followed: Followed | None) -> tuple[list[Term], str, list[str]]:
        """Return the fitted terms, or the reason why there is no headline, and the warnings."""
        if followed is not None and not (followed.by_horizon[1] == survival.EVENT).any():
            return [], f"By the horizon it had happened to nobody, {NO_SPREAD}", []
        if np.ptp(compared.value) == 0:
            return [], f"This outcome is the same for everybody, {NO_SPREAD}", []
        terms: list[Term] = []
        warnings = warnings_of(followed, compared)
        for estimator in self.estimators:
            term, reason = fit_or_reason(compared, estimator, self.degrees_of_freedom)
            if term is not None:
                terms.append(term)
            elif not terms:
                return [], reason, []
            else:
                warnings.append(f"«{term_name(estimator, compared)}» is left out for this outcome. {reason}")
        if self.assignment == "comparison" and self.estimator == "difference_in_means":
            warnings.append(
                "No lottery made the groups, and the headline is not adjusted for anything: it describes, and does not "
                "explain."
            )
        return terms, "", warnings

    def _analysed(self, frame: pd.DataFrame, compared: Compared, salt: str) -> Analysed:
        """Return who the estimate rests on; ``salt`` makes the digests useless outside these data."""
        units = frame[self.clusters or "participant_id"]
        return Analysed(
            n_treated=int(compared.treated.sum()),
            n_comparison=int((~compared.treated).sum()),
            n_clusters=None if self.clusters is None else units.nunique(),
            comparison_mean=float(compared.value[np.flatnonzero(~compared.treated)].mean()),
            ids=Digests(salt, units, has_repeats=self.clusters is not None),
        )


def _too_few_reason(treated: pd.Series) -> str:
    """Return why too few persons are left; published, so it says less than the refusals for whoever holds the data."""
    for is_treated, words in ((True, "offered the programme"), (False, "in the comparison group")):
        if not (treated.astype(bool) == is_treated).any():
            return f"Nobody {words} has this outcome."
    return "Too few of those with this outcome are left in a group to compare them."
