"""Before and after: how the participants changed, with nobody to tell what would have happened anyway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from .. import language
from ..data import Tables
from ..errors import DesignError, did_you_mean
from ..estimates import Estimate, EvidenceLevel, Method
from ..numerics.before_and_after import Mean, expected_return, lasting_share, mean_of
from ..provenance import Digests
from . import before_after_findings, periods, refusals
from .assembly import Analysed, Term
from .degrees_of_freedom import DESCRIPTION, Freedom, Rule, degrees_of_freedom
from .evaluation import EvaluationDesign, Persons
from .exclusions import Exclusion
from .findings import Finding
from .steps import RETURN
from .two_way.refusals import ColumnsNamed
from .words import Assumption, DesignWords

Array = NDArray[np.float64]
_LEAST = 2

WORDS = DesignWords(
    title="Before and after",
    question="How did the participants change from before the programme to after it?",
    estimand=(
        "The average change of those who were offered the programme, from the last period before it to the period of "
        "the outcome. It is the programme's effect only if nothing would have changed without it"
    ),
    notation=r"\delta = \mathbb{E}\bigl[ Y_{i,\text{after}} - Y_{i,\text{before}} \mid D_i = 1 \bigr]",
    assumptions=(
        Assumption(
            name="No change without the programme",
            words="Without the programme, the participants' mean outcome would have stayed exactly where it was.",
            notation=r"\mathbb{E}[ Y_{i,\text{after}}(0) - Y_{i,\text{before}} \mid D_i = 1 ] = 0",
        ),
        Assumption(
            name="No regression to the mean",
            words="People did not enter because of a bad spell that would have passed by itself.",
            notation=r"\mathbb{E}[ Y_{i,\text{before}} - \mu_i \mid D_i = 1 ] = 0",
        ),
        Assumption(
            name="No selective loss",
            words="Whether a person's outcome is known does not depend on how that person changed.",
            notation=r"R_i \perp \bigl( Y_{i,\text{after}} - Y_{i,\text{before}} \bigr)",
        ),
    ),
    can_conclude=("How much the participants changed on average, and how sure one can be of that change.",),
    cannot_conclude=(
        "That the programme made the change, or any part of it: there is nobody who shows what would have happened "
        "without it.",
        "How much of the change is age, season, the labour market, other help, or a bad spell that passed by itself.",
        "That the programme did no harm when people got better, or no good when they got worse.",
        "Whether it is worth its cost.",
    ),
    evidence_level=EvidenceLevel(
        level=1,
        reason=(
            "Participants are compared with themselves only, so whatever else changed for them counts as effect. "
            "Sherman's original Maryland scale puts this on level 2, the What Works Centre's version on level 1; this "
            "book takes the lower, since nothing here shows what would have happened anyway."
        ),
        raise_by="A comparison group followed over the same time would raise it to level 3 or 4, a lottery to level 5.",
    ),
    chapter="before_after",
    citation="CampbellStanley1963",
)

METHOD = Method("change from before to after, paired by person", "Student1908", WORDS.chapter)


class BeforeAfter(EvaluationDesign):
    """The participants of a programme, before and after it, and nobody else."""

    words: ClassVar[DesignWords] = WORDS

    type: Literal["before_after"] = "before_after"
    comparison: str = Field(
        default="the same people before the programme", min_length=1, description="Against what, in words."
    )
    before: tuple[str, ...] = Field(
        min_length=1,
        description="Periods before the start, in the order of time. The change is measured from the last; the one "
        "before it shows how much of the last was a passing spell.",
    )
    reliability: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Share of the variance between persons that lasts, from another study, 0 to 1; with usual_levels.",
    )
    usual_levels: dict[str, float] = Field(
        default={},
        description="By measure: mean of those from whom the participants were chosen, in its unit; with reliability.",
    )

    degrees_of_freedom: Rule = Field(default="standard", description=DESCRIPTION)

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
        yield from self._in_words(tables)
        yield from periods.in_words(self.before, ())
        yield from periods.not_measured("before", self.before, tables)
        wrong = list(refusals.in_columns(ColumnsNamed(self.treatment), frame))
        yield from wrong
        if not wrong:
            yield from self._in_group(frame)

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the change of one outcome; the specification was found sound by :meth:`problems`.

        The first term, ``change``, is the mean change. ``return`` is the part of it that was to be expected without any
        programme, and ``change beyond return`` what is left: «two periods» from the period before the last one,
        «declared» from the reliability and the usual level that the specification names.
        """
        question = self.question(
            tables,
            measure,
            quantity="average change from before the programme to after it, whatever made it",
            method=METHOD,
            seed=seed,
        )
        everybody, paired = self._wide(tables, measure, persons)
        wide = everybody[paired]
        last, after = wide[:, len(self.before) - 1], wide[:, -1]
        reason = _no_change(after - last)
        if reason:
            return question.unavailable(reason, n_units=len(wide))
        terms = [self._term("change", mean_of(after - last))]
        more, warnings = self._returns(measure, wide)
        if len(wide) < (len(paired) if persons is None else persons.sum()):
            warnings.insert(
                0,
                "Some participants have no outcome before or no outcome after the programme and are left out. Those "
                "who cannot be reached have often changed in another way than those who can.",
            )
        return question.answered(
            terms + more,
            _analysed(tables, paired, float(last.mean())),
            [
                "Nobody shows what would have happened without the programme: this is a change, and not known to be an "
                "effect.",
                *warnings,
            ],
        )

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return who lacks the outcome at its own period, and who lacks it in the last period before the start."""
        label = tables.measures[measure].label
        wide, _ = self._wide(tables, measure, None)
        without_after, without_before = np.isnan(wide[:, -1]), np.isnan(wide[:, len(self.before) - 1])
        return (
            Exclusion(f"Without the outcome «{label}»", without_after),
            Exclusion(f"Without the outcome «{label}» in {self.before[-1]}, the last period before", without_before),
        )

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return the mean over the periods, and how much of the change was to be expected without any programme.

        Parameters
        ----------
        tables : Tables
            The data that the estimate was made from.
        estimate : Estimate
            What :meth:`estimate_outcome` returned.
        seed : int
            Not used: nothing is drawn.
        """
        if not estimate.is_available:
            return ()
        measure = estimate.estimand.measure
        outcome = tables.measures[measure]
        wide, paired = self._wide(tables, measure, None)
        path = before_after_findings.path(wide[paired], (*self.before, outcome.period), estimate, outcome)
        parts = before_after_findings.parts(wide[paired], estimate, outcome)
        return (path,) if parts is None else (path, parts)

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group, where the usual level of everybody says nothing."""
        return self.model_copy(update={"reliability": None, "usual_levels": {}})

    def _in_words(self, tables: Tables) -> Iterator[DesignError]:
        """Give the contradictions in the specification itself."""
        if (self.reliability is None) != (not self.usual_levels):
            yield DesignError(
                "design.half_declared",
                "Only one of reliability and usual_levels is named.",
                where="design.reliability, design.usual_levels",
                why="How far people fall back depends on how much of a bad spell passes and on where they usually are.",
                do="Name both, or neither.",
            )
        for measure in self.usual_levels:
            if measure not in tables.measures:
                yield DesignError(
                    "design.unknown_measure",
                    f"There is no outcome «{measure}».",
                    where="design.usual_levels",
                    why="Nothing is guessed: every outcome must be named as it is declared.",
                    do=did_you_mean(measure, tables.measures),
                )
        for measure, outcome in tables.measures.items():
            if outcome.period in self.before:
                yield DesignError(
                    "design.period_not_after",
                    f"The period «{outcome.period}» of the outcome «{measure}» lies before the start.",
                    where=f"outcomes.{measure}.period, design.before",
                    why="A change is looked for after the programme began.",
                    do="Name in the outcome a period after the start.",
                )

    def _in_group(self, frame: pd.DataFrame) -> Iterator[DesignError]:
        """Give what is wrong with who took part; the column is sound."""
        where = f"design.treatment, column «{self.treatment}»"
        treated = frame[self.treatment].to_numpy(dtype=bool)
        if not treated.all():
            yield DesignError(
                "design.has_comparison",
                "Some persons were not offered the programme, and a before-and-after comparison would ignore them.",
                where=where,
                why="They may show what would have happened anyway, which is what this design lacks.",
                do="Choose difference_in_differences, or leave them out of the participants and say why.",
            )
        elif len(treated) < _LEAST:
            yield DesignError(
                "design.too_few",
                f"There are fewer than {_LEAST} participants.",
                where=where,
                why="The spread of changes cannot be seen in a single one.",
                do="Nothing can be estimated from so few; add data.",
            )

    def _wide(self, tables: Tables, measure: str, persons: Persons | None) -> tuple[Array, NDArray[np.bool_]]:
        """Return everybody's outcomes, one column per period, and who has those that the change is taken from.

        Shapes (participants, periods) and (participants,); nobody but ``persons`` has any outcome here.
        """
        rows = periods.rows_of(tables, measure, (*self.before, tables.measures[measure].period), persons)
        wide = np.full((len(tables.participants), len(self.before) + 1), np.nan)
        wide[rows.person, rows.period] = rows.value
        return wide, np.isfinite(wide[:, -2:]).all(axis=1)

    def _returns(self, measure: str, wide: Array) -> tuple[list[Term], list[str]]:
        """Return what was to be expected without any programme and what is left, and how that is known."""
        last, after = wide[:, len(self.before) - 1], wide[:, -1]
        terms: list[Term] = []
        warnings: list[str] = []
        if len(self.before) > 1:
            earlier = wide[:, len(self.before) - 2]
            part = ~np.isnan(earlier)
            found = self._varying(
                {f"{RETURN}, two periods": earlier - last, "change beyond return, two periods": after - earlier}, part
            )
            terms += found
            if found and np.ptp(last[part]) > 0:
                warnings.append(_lasting_warning(lasting_share(earlier[part], last[part])))
            if found and not part.all():
                warnings.append(
                    "The period before the last one is not known for everybody. The return rests on those for whom it "
                    "is, so the two parts do not add up to the change."
                )
        elif self.reliability is None:
            warnings.append(
                "There is only one period before the start and no declared reliability, so it cannot be told how much "
                "of the change was a bad spell that passed by itself."
            )
        if self.reliability is not None and measure in self.usual_levels:
            passing = expected_return(last, self.usual_levels[measure], self.reliability)
            values = {f"{RETURN}, declared": passing, "change beyond return, declared": after - last - passing}
            terms += self._varying(values, np.ones(len(last), dtype=bool))
        return terms, warnings

    def _varying(self, values: dict[str, Array], part: NDArray[np.bool_]) -> list[Term]:
        """Return the means of some persons' values, or none of them when one does not vary."""
        if part.sum() < _LEAST or any(np.ptp(value[part]) == 0 for value in values.values()):
            return []
        return [self._term(name, mean_of(value, part)) for name, value in values.items()]

    def _term(self, name: str, mean: Mean) -> Term:
        residual = Freedom(mean.degrees_of_freedom, "the number of persons minus one")
        freedom = degrees_of_freedom(self.degrees_of_freedom, residual)
        return Term(name, mean.value, mean.std_error, freedom.count, freedom.words, mean.influence)


def _analysed(tables: Tables, paired: NDArray[np.bool_], mean_before: float) -> Analysed:
    """Return who the estimate rests on; the checksum makes the digests useless outside these data."""
    ids = tables.participants["participant_id"][paired]
    return Analysed(
        n_treated=len(ids),
        n_comparison=0,
        n_clusters=None,
        comparison_mean=mean_before,
        ids=Digests(tables.checksum, ids, has_repeats=False),
    )


def _no_change(change: Array) -> str:
    """Return why no change can be judged, or nothing; the reason is published, so it counts nobody."""
    if len(change) == 0:
        return "Nobody's outcome is known both before and after the programme."
    if len(change) < _LEAST:
        return "Too few participants have an outcome both before and after the programme."
    if np.ptp(change) <= 1e-12 * np.abs(change).max(initial=0.0):
        return "Everybody changed by the same amount, so there is no spread to judge the change by."
    return ""


def _lasting_warning(share: float) -> str:
    """Return the sentence on how much of a spell lasts."""
    if not 0 <= share <= 1:
        return (
            "The two periods before the start do not look like a usual level with passing spells around it, so the "
            "return to be expected and the change beyond it may mislead."
        )
    return (
        "Of a distance from the mean in the last period before the start, the share "
        f"{language.number(share, 2)} was there in the period before it too. The less lasts, the more of the change "
        "was to be expected without any programme; the page on the effects says how much."
    )
