"""Staggered adoption: the programme starts at different times, and each cohort is compared with those not yet in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from ..data import Tables
from ..disclosure import Table
from ..errors import DesignError
from ..estimates import Estimate, EvidenceLevel, Method
from ..numerics.group_time import Aggregation, BasePeriod, Comparison, Rules
from ..numerics.two_periods import Adjustment
from ..provenance import Digests
from .assembly import Analysed
from .evaluation import EvaluationDesign, Persons
from .exclusions import Exclusion
from .findings import Finding
from .staggered import disclosures, refusals
from .staggered import findings as shown
from .staggered.panel import Followed, follow
from .staggered.terms import Fitted, Units, fit
from .words import Assumption, DesignWords

WORDS = DesignWords(
    title="Staggered adoption",
    question="What difference does the programme make to those reached, when it reaches them at different times?",
    estimand=(
        "The average, over the cohorts and the periods since each one's start, of the difference between the outcome "
        "with the programme and the outcome had it not started yet"
    ),
    notation=(
        r"\theta = \sum_{g} \sum_{t \ge g} w_{gt} \, ATT(g, t), \qquad "
        r"ATT(g, t) = \mathrm{E}\bigl[ Y_{it}(g) - Y_{it}(\infty) \mid G_i = g \bigr]"
    ),
    assumptions=(
        Assumption(
            name="Parallel trends",
            words="Without the programme, each cohort's outcome would have changed as that of its comparison group did "
            "(among persons with the same covariates, when some are named).",
            notation=(
                r"\mathrm{E}\bigl[ Y_{it}(\infty) - Y_{i,t-1}(\infty) \mid X_i, G_i = g \bigr] = "
                r"\mathrm{E}\bigl[ Y_{it}(\infty) - Y_{i,t-1}(\infty) \mid X_i, C_{it} = 1 \bigr]"
            ),
        ),
        Assumption(
            name="No unannounced reaction",
            words="The outcome does not react to the programme earlier than the stated number of periods ahead.",
            notation=r"Y_{it}(g) = Y_{it}(\infty) \quad \text{for } t < g - \delta",
        ),
        Assumption(
            name="No way back",
            words="Whoever has started counts as reached from then on.",
            notation=r"D_{i,t-1} = 1 \Rightarrow D_{it} = 1",
        ),
        Assumption(
            name="Overlap",
            words="For everybody who starts there are comparable persons who have not.",
            notation=r"\Pr(G_i = g \mid X_i, \, G_i = g \text{ or } C_{it} = 1) < 1",
        ),
        Assumption(
            name="No interference",
            words="One person's start does not change another's outcome.",
            notation=r"Y_{it}(g_1, \dots, g_n) = Y_{it}(g_i)",
        ),
    ),
    can_conclude=(
        "Whether the outcome of those who were reached changed more than that of their comparison group.",
        "How the effect grows or fades with time since the start.",
    ),
    cannot_conclude=(
        "That the trends would have been parallel: the periods before the start can speak against it, never prove it.",
        "What the programme would do to those who never started.",
        "What it did in periods for which no comparison group is left.",
        "Which part of the programme made the difference.",
    ),
    evidence_level=EvidenceLevel(
        level=4,
        reason="Several cohorts are followed before and after their start beside comparison groups, but no lottery "
        "decided who starts when.",
        raise_by="Draw by lot in which order people, places or groups start.",
    ),
    chapter="staggered_adoption",
    citation="CallawaySantAnna2021",
)

AVERAGES: dict[Aggregation, str] = {
    "simple": "average over cohorts and periods",
    "dynamic": "average over time since the start",
    "group": "average over cohorts",
    "calendar": "average over calendar periods",
}


class StaggeredAdoption(EvaluationDesign):
    """A programme that starts at different times for different persons, and that nobody leaves again."""

    words: ClassVar[DesignWords] = WORDS

    type: Literal["staggered_adoption"] = "staggered_adoption"
    cohort: str = Field(
        default="first_treated_period",
        description="Column of participants: the period of the start as in the outcomes table; empty for never.",
    )
    periods: tuple[str, ...] = Field(
        default=(), description="The periods in order, when their names do not tell it; they then follow each other."
    )
    control_group: Comparison = Field(
        default="never_treated", description="never_treated, or not_yet_treated: with those who start later too."
    )
    aggregation: Aggregation = Field(
        default="simple", description="The average that is the headline: simple, dynamic, group or calendar."
    )
    estimator: Adjustment = Field(
        default="doubly_robust",
        description="With covariates: doubly_robust, outcome_regression or inverse_probability_weighting.",
    )
    covariates: tuple[str, ...] = Field(
        default=(),
        description="Traits measured before the start, for which trends need to be parallel only given them.",
    )
    anticipation: int = Field(default=0, ge=0, description="Periods before the start in which outcomes may react.")
    base_period: BasePeriod = Field(
        default="varying",
        description="Periods before the start are compared with the one before (varying) or the last one (universal).",
    )
    needs_every_period: bool = Field(
        default=False,
        description="Leave out everybody who lacks any period; otherwise a comparison uses all who have both its.",
    )
    clusters: str | None = Field(default=None, description="Column of the groups that started together.")
    smallest_cohort: int = Field(
        default=5, ge=2, description="Steps of the path that rest on fewer persons who started are not shown."
    )
    two_way_fixed_effects: bool = Field(
        default=True, description="Show the regression with effects of persons and periods too, which may mislead."
    )

    @property
    def rules(self) -> Rules:
        """How cohorts are compared."""
        return Rules(self.control_group, self.estimator, self.anticipation, self.base_period)

    def problems(self, tables: Tables, persons: Persons | None = None) -> Iterator[DesignError]:
        """Give every reason why these data cannot honour the specification; nothing is fitted.

        Parameters
        ----------
        tables : Tables
            Validated data.
        persons : ndarray of bool, shape (participants,), optional
            Look at these only.
        """
        participants = tables.participants
        frame = participants if persons is None else participants[persons]
        early = list(refusals.in_columns(self, frame)) or list(refusals.in_treatment(self, frame))
        yield from early
        if early:
            return
        told: set[str] = set()
        for measure in tables.measures:
            for error in refusals.in_time(self, tables, measure, persons):
                if error.code not in told:
                    told.add(error.code)
                    yield error

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome; the specification was found sound by :meth:`problems`."""
        question = self.question(
            tables,
            measure,
            quantity=f"average effect on those reached ({AVERAGES[self.aggregation]})",
            method=Method(f"group-time effects, {AVERAGES[self.aggregation]}", self.words.citation, self.words.chapter),
            seed=seed,
        )
        followed = follow(self, tables, measure, persons)
        units = self._units(tables, followed)
        fitted = fit(self, followed, units)
        if fitted.reason:
            return question.unavailable(fitted.reason, n_units=len(followed.rows))
        return question.answered(
            fitted.terms,
            self._analysed(fitted, tables, followed),
            fitted.warnings,
        )

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: without the regression and covariates that do not vary there."""
        varying = tuple(name for name in self.covariates if participants[name].nunique(dropna=False) > 1)
        return self.model_copy(update={"covariates": varying, "two_way_fixed_effects": False})

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return who started too early, who has too few outcomes, and for whom there is no comparison."""
        label = tables.measures[measure].label
        followed = follow(self, tables, measure)
        needed = "in every period" if self.needs_every_period else "in at least two periods"
        early = "Started too early: no period before the start is known"
        return (
            Exclusion(f"Without the outcome «{label}» {needed}", followed.without_outcome),
            Exclusion(early, followed.started_before),
            Exclusion("Nobody to be compared with in the same periods", followed.not_compared),
        )

    def is_in_programme(self, tables: Tables, measure: str) -> Persons:
        """Return who counts as reached, shape (participants,): of those used, the cohorts that have an effect.

        Parameters
        ----------
        tables : Tables
            Data that :meth:`problems` finds sound.
        measure : str
            A declared measure.
        """
        reached = tables.participants[self.treatment].to_numpy(dtype=bool).copy()
        followed = follow(self, tables, measure)
        if followed.is_treated.any():
            reached[followed.rows] = followed.is_treated
        return reached

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return the cohorts, the path since the start, the effect by cohort, and what the regression compares.

        Parameters
        ----------
        tables : Tables
            The data that the estimate was made from.
        estimate : Estimate
            What :meth:`estimate_outcome` returned.
        seed : int
            Start of the random weights behind the band for the whole path.
        """
        if not estimate.is_available:
            return ()
        measure = estimate.estimand.measure
        outcome = tables.measures[measure]
        followed = follow(self, tables, measure)
        units = self._units(tables, followed)
        found = [
            shown.cohorts(followed, outcome),
            shown.path(self, followed, units, outcome, np.random.default_rng(seed)),
            shown.by_cohort(self, followed, units, estimate, outcome),
        ]
        if self.two_way_fixed_effects:
            found.append(shown.regression(followed, estimate, outcome))
        return tuple(item for item in found if item is not None)

    def pre_trends(self, tables: Tables, measure: str, persons: Persons | None = None) -> Table:
        """Return the test that all effects before the start are zero, as a table to be cleared.

        Parameters
        ----------
        tables : Tables
            Data that :meth:`problems` finds sound.
        measure : str
            A declared measure.
        persons : ndarray of bool, shape (participants,), optional
            Look at these only.
        """
        followed = follow(self, tables, measure, persons)
        return disclosures.pre_trends(self, followed, self._units(tables, followed), tables.measures[measure])

    def decomposition(
        self, tables: Tables, measure: str, persons: Persons | None = None, *, by_pair: bool = False
    ) -> Table:
        """Return what the two-way fixed-effects coefficient is made of (Goodman-Bacon), as a table to be cleared.

        Parameters
        ----------
        tables : Tables
            Data that :meth:`problems` finds sound.
        measure : str
            A declared measure; persons without an outcome in some period are left out.
        persons : ndarray of bool, shape (participants,), optional
            Look at these only.
        by_pair : bool
            One line for each pair of cohorts instead of each kind of comparison.
        """
        followed = follow(self, tables, measure, persons)
        return disclosures.decomposition(followed, tables.measures[measure], by_pair=by_pair)

    def followed(self, tables: Tables, measure: str, persons: Persons | None = None) -> Table:
        """Return how many persons are followed, by cohort, and how many left out, as a table to be cleared.

        Parameters
        ----------
        tables : Tables
            Data that :meth:`problems` finds sound.
        measure : str
            A declared measure.
        persons : ndarray of bool, shape (participants,), optional
            Look at these only.
        """
        return disclosures.followed(follow(self, tables, measure, persons), tables.measures[measure])

    def _units(self, tables: Tables, followed: Followed) -> Units:
        """Return the cluster of each person followed, or the person, as numbers; shape (n,)."""
        if self.clusters is None:
            return np.arange(len(followed.rows))
        return pd.factorize(tables.participants[self.clusters].iloc[followed.rows], sort=True)[0].astype(np.int64)

    def _analysed(self, fitted: Fitted, tables: Tables, followed: Followed) -> Analysed:
        """Return who the estimate rests on; the checksum makes the digests useless outside these data."""
        units = tables.participants[self.clusters or "participant_id"].iloc[followed.rows]
        return Analysed(
            n_treated=fitted.n_treated,
            n_comparison=len(units) - fitted.n_treated,
            n_clusters=None if self.clusters is None else units.nunique(),
            comparison_mean=fitted.comparison_mean,
            ids=Digests(tables.checksum, units, has_repeats=self.clusters is not None),
        )
