"""Difference in differences: how the programme's group changed, less how a comparison group changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from ..data import Tables
from ..errors import DesignError
from ..estimates import Estimate, EvidenceLevel, Method
from ..provenance import Digests
from ..specification import Specification
from . import periods
from .assembly import Analysed, Term
from .degrees_of_freedom import DESCRIPTION, Rule
from .evaluation import EvaluationDesign, Persons
from .exclusions import Exclusion
from .findings import Finding
from .two_way import findings as two_way_findings
from .two_way import refusals as two_way_refusals
from .two_way.fits import (
    Estimator,
    Observed,
    StandardErrors,
    cannot_compare,
    fit_or_none,
    headline_effect,
    refuse_impossible,
    regressors,
)
from .two_way.path import GapPath, gap_path, path_warnings
from .words import Assumption, DesignWords

# Below about this many clusters their covariance is known to be too small (Cameron, Gelbach and Miller 2008), and far
# too small when only a few of them are treated (MacKinnon and Webb 2018).
_MANY_CLUSTERS = 40
_MANY_ON_ONE_SIDE = 10

WORDS = DesignWords(
    title="Difference in differences",
    question="How much more did the outcome change for those in the programme than it would have changed anyway?",
    estimand=(
        "The average, over those who were offered the programme and over the periods after its start, of the "
        "difference between the outcome with the programme and the outcome without it"
    ),
    notation=r"\tau = \mathbb{E}\bigl[ Y_{it}(1) - Y_{it}(0) \mid D_i = 1,\; t \ge t_0 \bigr]",
    assumptions=(
        Assumption(
            name="Parallel trends",
            words="Without the programme, both groups' mean outcome would have changed by the same amount.",
            notation=(
                r"\mathbb{E}[Y_{it}(0) - Y_{is}(0) \mid D_i = 1] = \mathbb{E}[Y_{it}(0) - Y_{is}(0) \mid D_i = 0]"
            ),
        ),
        Assumption(
            name="No anticipation",
            words="Before the start, the programme changed nothing, not even through people's expectations.",
            notation=r"Y_{it}(1) = Y_{it}(0) \quad \text{for } t < t_0",
        ),
        Assumption(
            name="No interference",
            words="What the programme does to one person does not change anybody else's outcome.",
            notation=r"Y_{it}(d_1, \dots, d_n) = Y_{it}(d_i)",
        ),
        Assumption(
            name="The same kind of people throughout",
            words="Who is observed, and in which group, is not changed by the programme.",
            notation=r"D_i \text{ fixed}, \quad R_{it} \perp Y_{it}(0) \mid D_i, t",
        ),
    ),
    can_conclude=(
        "Whether those offered the programme fared better than they would have done, if both groups would have moved "
        "alike without it.",
        "How large the average change was, with its uncertainty, and how it unfolded over the periods.",
    ),
    cannot_conclude=(
        "That the groups would have moved alike: the periods before the start can make it doubtful, never prove it.",
        "What the programme would do to the comparison group, or to anybody who is unlike those it reached.",
        "Whether something else that came at the same time, in the same places, made the difference.",
        "What it did to one particular person, or which part of the programme made the difference.",
    ),
    evidence_level=EvidenceLevel(
        level=4,
        reason=(
            "Outcomes are measured before and after, for many who were in the programme and many who were not, so what "
            "sets the groups apart for good and what changed for everybody both drop out. This is level 4 as "
            "Farrington and colleagues word the scale; with one place on each side and nothing adjusted for, it is "
            "level 3."
        ),
        raise_by="Drawing lots for who starts first would raise it to level 5.",
    ),
    chapter="difference_in_differences",
    citation="AngristPischke2009",
)

METHODS: dict[Estimator, Method] = {
    "two_by_two": Method("difference in differences", "AshenfelterCard1985", WORDS.chapter),
    "adjusted": Method("difference in differences adjusted for covariates", "MeyerViscusiDurbin1995", WORDS.chapter),
}


class Alternative(Specification):
    """Another way to estimate the same effect, shown beside the headline."""

    estimator: Estimator = Field(description="two_by_two or adjusted.")
    standard_errors: StandardErrors = Field(description="classical, hc1 or clustered.")


class DifferenceInDifferences(EvaluationDesign):
    """Two groups, one of which met a programme at a known time, observed before and after."""

    words: ClassVar[DesignWords] = WORDS

    type: Literal["difference_in_differences"] = "difference_in_differences"
    sampling: Literal["panel", "repeated_cross_sections"] = Field(
        description="panel: the same persons in all periods; repeated_cross_sections: each person in one period."
    )
    before: tuple[str, ...] = Field(min_length=1, description="Periods before the start, in the order of time.")
    after: tuple[str, ...] = Field(min_length=1, description="Periods after the start, in the order of time.")
    base_period: str | None = Field(
        default=None, description="Period from which the path is measured; by default the last before the start."
    )
    estimator: Estimator = Field(default="two_by_two", description="How the headline is estimated.")
    standard_errors: StandardErrors = Field(
        default="clustered", description="How uncertainty is measured; «clustered» without clusters means by person."
    )
    degrees_of_freedom: Rule = Field(default="standard", description=DESCRIPTION)
    covariates: tuple[str, ...] = Field(
        default=(), description="Traits measured before the start; used by adjusted, and shown in the check of balance."
    )
    clusters: str | None = Field(default=None, description="Column of the groups that share what happens to them.")
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
        frame = tables.participants if persons is None else tables.participants[persons]
        early = [
            *two_way_refusals.in_words(self),
            *two_way_refusals.in_columns(self, frame),
            *periods.in_data(self.before, self.after, tables),
        ]
        yield from early
        if early:
            return
        late = [*two_way_refusals.in_groups(self, frame), *two_way_refusals.in_periods(self, tables, persons)]
        yield from late
        if late:
            return
        observed, reason, _ = self._observed(tables, next(iter(tables.measures)), persons)
        if observed is None or reason:
            return  # The estimate says why it is not available.
        for estimator, errors in self.terms:
            try:
                refuse_impossible(
                    regressors(observed, headline_effect(observed), adjusted=estimator == "adjusted"),
                    f"{estimator}, {errors}",
                )
            except DesignError as error:
                yield error

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome; the specification was found sound by :meth:`problems`.

        The first term is the average effect over the periods after the start. Where there are more than two periods,
        one term for each of them but the base period follows, such as ``event, 1977``: the gap between the groups in
        that period less their gap in the base period, estimated as the headline is.
        """
        question = self.question(
            tables,
            measure,
            quantity=f"average effect on those offered the programme, over {_listed(self.after)}",
            method=METHODS[self.estimator],
            seed=seed,
        )
        observed, reason, warnings = self._observed(tables, measure, persons)
        terms: list[Term] = []
        if observed is not None and not reason:
            terms, reason, more = self._terms(observed)
            warnings += more
        if observed is None or reason:
            return question.unavailable(reason, n_units=0 if observed is None else len(observed.treated))
        return question.answered(
            terms,
            self._analysed(tables, measure, persons, observed),
            warnings,
        )

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: the headline only, without covariates that do not vary there."""
        varying = tuple(name for name in self.covariates if participants[name].nunique(dropna=False) > 1)
        estimator: Estimator = self.estimator if varying else "two_by_two"
        return self.model_copy(update={"alternatives": (), "covariates": varying, "estimator": estimator})

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return who lacks the outcome: after or before the start in a panel, in every period in cross-sections."""
        label = tables.measures[measure].label
        rows, _ = self._rows(tables, measure, None)
        left_out = np.ones(len(tables.participants), dtype=bool)
        left_out[rows.persons] = False
        if self.sampling == "repeated_cross_sections":
            return (Exclusion(f"Without the outcome «{label}» in any of the periods", left_out),)
        later = periods.rows_of(tables, measure, self.after)
        without_after = np.ones(len(left_out), dtype=bool)
        without_after[later.persons] = False
        return (
            Exclusion(f"Without the outcome «{label}» after the start", without_after),
            Exclusion(f"Without the outcome «{label}» before the start", left_out),
        )

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return how each group's mean went over the periods, and how the gap between the groups did.

        Parameters
        ----------
        tables : Tables
            The data that the estimate was made from.
        estimate : Estimate
            What :meth:`estimate_outcome` returned.
        seed : int
            Not used: nothing is drawn.
        """
        measure = estimate.estimand.measure
        observed, reason, _ = self._observed(tables, measure, None)
        if observed is None or reason or not estimate.is_available:
            return ()
        outcome = tables.measures[measure]
        means = two_way_findings.means(observed, estimate, outcome)
        path = self._path(observed)
        return (means, two_way_findings.path(observed, path, estimate, outcome)) if path.terms else (means,)

    def _rows(self, tables: Tables, measure: str, persons: Persons | None) -> tuple[periods.Rows, bool]:
        """Return the outcomes that are compared, and whether somebody's are left out."""
        rows = periods.rows_of(tables, measure, (*self.before, *self.after), persons)
        n_asked = len(tables.participants) if persons is None else int(persons.sum())
        if self.sampling == "panel":
            seen = np.zeros((2, len(tables.participants)), dtype=bool)
            seen[(rows.period >= len(self.before)).astype(np.int64), rows.person] = True
            followed = np.asarray(seen.all(axis=0))
            used = followed[rows.person]
            rows = rows if used.all() else rows.only(used)
        return rows, len(rows.persons) < n_asked

    def _observed(
        self, tables: Tables, measure: str, persons: Persons | None
    ) -> tuple[Observed | None, str, list[str]]:
        """Return the outcomes as arrays, or the reason why nothing can be compared, and the warnings."""
        declared = (*self.before, *self.after)
        rows, is_incomplete = self._rows(tables, measure, persons)
        measured = np.flatnonzero(np.bincount(rows.period, minlength=len(declared)))
        warnings = periods.unused_warning(tables, measure, declared)
        if is_incomplete:
            missed = "no outcome before or no outcome after the start" if self.sampling == "panel" else "no outcome"
            warnings.insert(
                0,
                f"Some persons have {missed} and are left out. If the programme changed who could be reached, the "
                "estimate is biased.",
            )
        n_before = int((measured < len(self.before)).sum())
        if n_before in (0, len(measured)):
            return None, "Nobody's outcome is known both before and after the start of the programme.", warnings
        if len(measured) < len(declared):
            absent = [name for code, name in enumerate(declared) if code not in measured]
            warnings.append(f"This outcome was not measured in {_listed(absent)}, so the path has no such period.")
        members = rows.persons
        people = tables.participants.iloc[members]
        treated = people[self.treatment].to_numpy(dtype=bool)
        adjusts = any(estimator == "adjusted" for estimator, _ in self.terms)
        names = self.covariates if adjusts else ()
        observed = Observed(
            value=rows.value,
            person=_places(members)[rows.person],
            period=_places(measured)[rows.period],
            periods=tuple(declared[code] for code in measured),
            n_before=n_before,
            treated=treated,
            covariates=people[list(names)].to_numpy(dtype=np.float64).reshape(len(people), len(names)),
            names=names,
            clusters=np.arange(len(people))
            if self.clusters is None
            else pd.factorize(people[self.clusters], sort=True)[0].astype(np.int64),
            is_panel=self.sampling == "panel",
        )
        return observed, cannot_compare(observed), warnings

    def _terms(self, observed: Observed) -> tuple[list[Term], str, list[str]]:
        """Return the fitted terms, or the reason why there is no headline, and the warnings."""
        warnings = self._cautions(observed)
        terms: list[Term] = []
        for estimator, errors in self.terms:
            name = f"{estimator}, {errors}"
            fitted = fit_or_none(
                observed, headline_effect(observed), estimator, errors, (name,), self.degrees_of_freedom
            )
            if fitted:
                terms += fitted
            elif not terms:
                return [], "These outcomes do not determine the effect, or show no spread to judge it by.", []
            else:
                warnings.append(f"«{name}» is left out for this outcome: it is not determined, or shows no spread.")
        path = self._path(observed)
        return [*terms, *path.terms], "", warnings + path_warnings(path, observed)

    def _path(self, observed: Observed) -> GapPath:
        return gap_path(observed, self.base_period, self.estimator, self.standard_errors, self.degrees_of_freedom)

    def _cautions(self, observed: Observed) -> list[str]:
        """Return what the reader must know about the kind of errors and the completeness of the panel."""
        warnings = []
        if observed.is_panel and len(observed.value) < len(observed.treated) * len(observed.periods):
            warnings.append(
                "Not every person is observed in every period; each counts with the periods that are known."
            )
        if any(errors == "clustered" for _, errors in self.terms):
            n_clusters = int(observed.clusters.max()) + 1
            sides = [len(np.unique(observed.clusters[observed.treated == side])) for side in (True, False)]
            if n_clusters < _MANY_CLUSTERS:
                warnings.append(
                    f"There are fewer than about {_MANY_CLUSTERS} independent units; clustered standard errors then "
                    "tend to be too small."
                )
            if min(sides) < _MANY_ON_ONE_SIDE:
                side = "in the programme" if sides[0] <= sides[1] else "in the comparison group"
                warnings.append(
                    f"Very few independent units are {side}; clustered standard errors can then be far too small, and "
                    "what happened to those few for other reasons counts as effect."
                )
        if observed.is_panel and len(observed.periods) > 2 and any(errors == "classical" for _, errors in self.terms):
            warnings.append(
                "Classical errors take a person's deviations in several periods for independent; they are usually too "
                "small."
            )
        return warnings

    def _analysed(self, tables: Tables, measure: str, persons: Persons | None, observed: Observed) -> Analysed:
        """Return who the estimate rests on; the checksum makes the digests useless outside these data."""
        rows, _ = self._rows(tables, measure, persons)
        units = tables.participants[self.clusters or "participant_id"].iloc[rows.persons]
        n_treated = int(observed.treated.sum())
        return Analysed(
            n_treated=n_treated,
            n_comparison=len(observed.treated) - n_treated,
            n_clusters=None if self.clusters is None else units.nunique(),
            comparison_mean=float(observed.value[~observed.treated_rows & observed.after_rows].mean()),
            ids=Digests(tables.checksum, units, has_repeats=self.clusters is not None),
        )


def _places(codes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return, for every number up to the largest of these ascending codes, its place among them."""
    places = np.zeros(int(codes[-1]) + 1, dtype=np.int64)
    places[codes] = np.arange(len(codes))
    return places


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
