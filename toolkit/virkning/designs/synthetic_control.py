"""Synthetic control: a few places are treated, and a mix of other places shows what would have happened to them."""

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
from ..numerics.synthetic_differences import Estimator, ImportanceRule, Solver
from ..specification import Specification
from .assembly import Analysed
from .donors import refusals
from .donors.findings import findings_of
from .donors.panel import Predictor, StandardErrors, Units, exclusions_of, units_of
from .donors.terms import FreedomRule, fit
from .evaluation import EvaluationDesign, Persons
from .exclusions import Exclusion
from .findings import Finding
from .words import Assumption, DesignWords

WORDS = DesignWords(
    title="Synthetic control",
    question="What would have become of a few places, had the programme not come to them?",
    estimand=(
        "The average, over the treated places and the periods since the start, of the difference between the outcome "
        "with the programme and the outcome without it"
    ),
    notation=(r"\tau = \frac{1}{N_1 T_1} \sum_{i:\, D_i = 1} \; \sum_{t \ge t_0} \bigl( Y_{it}(1) - Y_{it}(0) \bigr)"),
    assumptions=(
        Assumption(
            name="A mix that stays right",
            words="The mix of donors that moved as the treated did before the start would have gone on moving as they "
            "would have done without the programme.",
            notation=(
                r"\mathbb{E}\Bigl[ \bar{Y}_{1t}(0) - \sum_j \omega_j Y_{jt} - \sum_{s < t_0} \lambda_s "
                r"\bigl( \bar{Y}_{1s} - \sum_j \omega_j Y_{js} \bigr) \Bigr] = 0 \quad \text{for } t \ge t_0"
            ),
        ),
        Assumption(
            name="No anticipation",
            words="Before the start, the programme changed nothing.",
            notation=r"Y_{it}(1) = Y_{it}(0) \quad \text{for } t < t_0",
        ),
        Assumption(
            name="No interference",
            words="The programme in the treated places does not change the donors' outcomes.",
            notation=r"Y_{jt}(d_1, \dots, d_N) = Y_{jt}(d_j)",
        ),
        Assumption(
            name="No shock of their own",
            words="Nothing else came to the treated places alone at the same time, or to the donors that count most.",
            notation=r"\mathbb{E}[\varepsilon_{it} \mid D_i, t \ge t_0] = 0",
        ),
        Assumption(
            name="Alike in their ups and downs",
            words="By chance, the treated stray from their mix as far as donors stray from theirs; the placebo runs "
            "rest on this.",
            notation=r"\varepsilon_{it} \text{ exchangeable over } i",
        ),
    ),
    can_conclude=(
        "Whether the treated places parted from the mix of donors after the start, and by how much on average.",
        "How unusual that parting is beside what donors show that were not treated.",
    ),
    cannot_conclude=(
        "That the mix would have stayed right: a close fit before the start makes it credible, never certain.",
        "Whether something else that came to the same places at the same time made the difference.",
        "What the programme would do in other places.",
        "What it did to one particular person, or which part of the programme made the difference.",
    ),
    evidence_level=EvidenceLevel(
        level=4,
        reason=(
            "Outcomes are measured many times before and after, and the comparison is made to follow the treated "
            "places before the start, so what sets them apart for good, and much of what changes, drops out. The "
            "scale's usual reading puts synthetic control at level 4, beside difference in differences; whoever asks "
            "for many treated places puts a single one at level 3."
        ),
        raise_by="Drawing lots for which places get the programme, or get it first, would raise it to level 5.",
    ),
    chapter="synthetic_control",
    citation="AbadieDiamondHainmueller2010",
)

METHODS: dict[Estimator, Method] = {
    "synthetic_control": Method("synthetic control", "AbadieDiamondHainmueller2010", WORDS.chapter),
    "synthetic_differences": Method("synthetic difference in differences", "Arkhangelsky2021", WORDS.chapter),
    "difference_in_differences": Method(
        "difference in differences, all donors alike", "Arkhangelsky2021", WORDS.chapter
    ),
}


class Alternative(Specification):
    """Another way to estimate the same effect, shown beside the headline."""

    estimator: Estimator = Field(description="synthetic_control, synthetic_differences or difference_in_differences.")
    standard_errors: StandardErrors = Field(default="placebo", description="placebo or jackknife.")


class SyntheticControl(EvaluationDesign):
    """A few treated places with one common start, and other places followed over the same periods."""

    words: ClassVar[DesignWords] = WORDS

    type: Literal["synthetic_control"] = "synthetic_control"
    start: str = Field(description="First period of the programme, as it stands in the outcomes table.")
    periods: tuple[str, ...] = Field(
        default=(), description="The periods in order, when their names do not tell it; they then follow each other."
    )
    estimator: Estimator = Field(
        default="synthetic_control",
        description="The headline: synthetic_control, synthetic_differences or difference_in_differences.",
    )
    standard_errors: StandardErrors = Field(
        default="placebo", description="How uncertainty is measured: placebo, or jackknife with several treated units."
    )
    predictors: tuple[Predictor, ...] = Field(
        default=(),
        description="What donors should resemble the treated in, for synthetic_control; by default the outcome in "
        "every period before the start.",
    )
    importance: ImportanceRule = Field(
        default="equal",
        description="How much each predictor, divided by its standard deviation, counts: equal, declared, or fit (what "
        "makes the mix follow the outcome before the start best).",
    )
    solver: Solver = Field(
        default="exact",
        description="exact: the best weights; frank_wolfe: where the R package synthdid stops, to repeat its figures.",
    )
    alternatives: tuple[Alternative, ...] = Field(
        default=(), description="Estimates that are shown beside the headline."
    )
    degrees_of_freedom: FreedomRule = Field(
        default="standard",
        description="How the interval's degrees of freedom are counted: standard (donors less one; for the jackknife, "
        "treated units or donors, whichever are fewer, less one) or large_sample (normal distribution).",
    )
    placebo_runs: int = Field(
        default=500,
        ge=50,
        description="With several treated units: random sets of donors in their place, where there are more sets.",
    )
    placebo_start: str | None = Field(
        default=None,
        description="Period before the start at which a made-up start is tried; by default after two thirds of them.",
    )
    treatment_measure: str | None = Field(
        default=None, description="Measure that is 1 while a unit has the programme; checked against start, if named."
    )
    persons_per_row: str | None = Field(
        default=None,
        description="Column of participants: how many persons stand behind each unit's outcomes. Left out, a unit "
        "counts as one person, and what rests on few units is hidden.",
    )
    names: str | None = Field(
        default=None, description="Column of participants: the name of each unit, if it may be published."
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
        early = [*refusals.in_words(self), *refusals.in_columns(self, frame)] or list(refusals.in_arms(self, frame))
        yield from early
        if early:
            return
        told: set[str] = set()
        for measure in self._outcomes_of(tables):
            for error in list(refusals.in_time(self, tables, measure)) or refusals.in_predictors(self, tables, measure):
                if error.code not in told:
                    told.add(error.code)
                    yield error
        if not told:
            yield from refusals.in_treatment(self, tables, persons)

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome; the specification was found sound by :meth:`problems`.

        The first term is the average effect from the start to the outcome's own period. Where that is more than one
        period, one term for each follows the alternatives, such as ``event, 1995``.
        """
        if measure == self.treatment_measure:
            question = self.question(tables, measure, quantity="effect", method=METHODS[self.estimator], seed=seed)
            return question.unavailable("This measure is the treatment itself.", n_units=0)
        units = units_of(self, tables, measure, persons)
        span = units.after[0] if len(units.after) == 1 else f"{units.after[0]} to {units.after[-1]}"
        question = self.question(
            tables,
            measure,
            quantity=f"average effect on the treated places, {span}",
            method=METHODS[self.estimator],
            seed=seed,
        )
        fitted = fit(self, units, np.random.default_rng(seed))
        if fitted.headline is None:
            return question.unavailable(fitted.reason, n_units=len(units.rows))
        level = float(fitted.headline.synthetic[units.block.n_before :].mean())
        return question.answered(fitted.terms, self._analysed(tables, units, level), fitted.warnings)

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: the headline only, without predictors that do not vary there."""
        used = self.predictors if self.estimator == "synthetic_control" else ()
        varying = tuple(each for each in used if each.column is None or participants[each.column].nunique() > 1)
        importance: ImportanceRule = self.importance if varying else "equal"
        return self.model_copy(update={"alternatives": (), "predictors": varying, "importance": importance})

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return the units that lack an outcome in one of the periods, and those that lack a predictor.

        Parameters
        ----------
        tables : Tables
            Validated data.
        measure : str
            The outcome.
        """
        if measure == self.treatment_measure:
            return super().exclusions(tables, measure)
        return exclusions_of(units_of(self, tables, measure), tables.measures[measure].label)

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return the path beside the mix, the gap, the donors, the fit, and the placebos in space and in time.

        Parameters
        ----------
        tables : Tables
            The data that the estimate was made from.
        estimate : Estimate
            What :meth:`estimate_outcome` returned.
        seed : int
            Start of the random numbers.
        """
        if not estimate.is_available:
            return ()
        measure = estimate.estimand.measure
        units = units_of(self, tables, measure)
        people = tables.participants.iloc[units.rows]
        names = None if self.names is None else people[self.names].astype(str).tolist()
        alone = self.model_copy(update={"alternatives": ()})
        return findings_of(
            alone, units, tables.measures[measure], names, self.persons_in_rows(tables)[units.rows], seed
        )

    def _outcomes_of(self, tables: Tables) -> list[str]:
        """Return the measures that are outcomes."""
        return [measure for measure in tables.measures if measure != self.treatment_measure]

    def _analysed(self, tables: Tables, units: Units, level: float) -> Analysed:
        """Return who the estimate rests on; the checksum makes the digests useless outside these data."""
        ids = tables.participants["participant_id"].iloc[units.rows].astype(str)
        persons, treated = self.persons_in_rows(tables)[units.rows], units.block.treated
        return Analysed(
            n_treated=int(persons[treated].sum()),
            n_comparison=int(persons[~treated].sum()),
            n_clusters=None,
            comparison_mean=level,
            ids=tuple(provenance.checksum(tables.checksum, unit)[:16] for unit in ids),
        )
