"""Interrupted time series: a trend over many periods, and whether it broke when the programme began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal, Self

import pandas as pd
from pydantic import Field

from .. import language, provenance
from ..data import Tables
from ..errors import DesignError
from ..estimates import Estimate, EvidenceLevel, Method
from ..numerics.segmented_trend import Changes, Season, SeasonKind
from ..numerics.serial_correlation import LagRule
from ..specification import Specification
from .assembly import Analysed
from .degrees_of_freedom import DESCRIPTION, Rule
from .evaluation import EvaluationDesign, Persons
from .exclusions import Exclusion
from .findings import Finding
from .series import findings as series_findings
from .series import refusals as series_refusals
from .series.means import SeriesPair, rows_used, series_of
from .series.terms import Estimator, Fitted, Headline, cannot_fit, cautions, fit, lag_of, terms_of
from .words import Assumption, DesignWords

SINGLE = EvidenceLevel(
    level=2,
    reason=(
        "One series is compared with its own past. Its trend before the start is known, which a before-and-after "
        "comparison lacks, but nothing shows what else changed at the same time."
    ),
    raise_by="A comparison series that would have moved alike (has_comparison_series) would raise it to level 3.",
)
WITH_COMPARISON = EvidenceLevel(
    level=3,
    reason=(
        "The break in the programme's series is compared with the break in a series without the programme, over many "
        "periods before and after, so what changed for both drops out."
    ),
    raise_by="Many places on either side, or a lottery that decides where the programme starts, would raise it.",
)

WORDS = DesignWords(
    title="Interrupted time series",
    question="Did the outcome leave its path when the programme began, and by how much?",
    estimand=(
        "The average, over the periods after the start (or in one of them), of the difference between the outcome with "
        "the programme and where its trend before the start would have led"
    ),
    notation=r"\tau = \frac{1}{T_1} \sum_{t \ge t_0} \mathbb{E}\bigl[ Y_t(1) - Y_t(0) \bigr]",
    assumptions=(
        Assumption(
            name="The trend would have continued",
            words="Without the programme, the outcome would have stayed on the line (and the season) that it followed "
            "before the start; with a comparison series, its distance from that series would have.",
            notation=r"\mathbb{E}[Y_t(0)] = \beta_0 + \beta_1 t + s_t \quad \text{for all } t",
        ),
        Assumption(
            name="Nothing else at the same time",
            words="Nothing else changed this series, and not the comparison's, when the programme began.",
            notation=r"\Delta_{t_0} \text{ has no other cause}",
        ),
        Assumption(
            name="The start was not chosen by the outcome",
            words="The programme did not begin because the outcome had just been unusually bad or good.",
            notation=r"t_0 \perp (\varepsilon_t)",
        ),
        Assumption(
            name="The same kind of people, measured in the same way",
            words="Who is counted, and how, did not change when the programme began.",
            notation=r"R_{it} \perp Y_{it}(0) \mid t",
        ),
    ),
    can_conclude=(
        "Whether the outcome left its path at the start, and whether it jumped, bent, or both.",
        "How far it was from that path, on average and in each period, if the path would have continued.",
    ),
    cannot_conclude=(
        "That the programme made the break: something else at the same time would look the same.",
        "That the path would have continued. The further from the start, the bolder that is.",
        "What it did to one particular person, or which part of the programme made the difference.",
    ),
    evidence_level=SINGLE,
    chapter="interrupted_time_series",
    citation="Wagner2002",
)

_ERRORS: dict[Estimator, tuple[str, str]] = {
    "restricted_likelihood": ("errors of a first-order autoregression (restricted likelihood)", "Turner2021"),
    "newey_west": ("Newey–West errors", "NeweyWest1987"),
    "prais_winsten": ("Prais–Winsten errors of a first-order autoregression", "PraisWinsten1954"),
    "least_squares": ("errors that take periods for independent", "Wagner2002"),
}


class Alternative(Specification):
    """Another way to fit the same series, shown beside the headline."""

    estimator: Estimator = Field(description="restricted_likelihood, newey_west, prais_winsten or least_squares.")
    lag: int | None = Field(default=None, ge=0, description="For newey_west; by the rule when left out.")


class Seasonality(Specification):
    """What repeats itself every so many periods, before and after the start alike."""

    kind: SeasonKind = Field(
        default="dummies", description="dummies: a level for each season; harmonics: waves, for long seasons."
    )
    period: int = Field(ge=2, description="After how many periods it repeats itself: 12 for months of a year.")
    pairs: int = Field(default=1, ge=1, description="Number of waves, for harmonics.")


class InterruptedTimeSeries(EvaluationDesign):
    """A programme that starts for all at a known time, seen in the mean outcome of many equally spaced periods."""

    words: ClassVar[DesignWords] = WORDS

    type: Literal["interrupted_time_series"] = "interrupted_time_series"
    comparison: str = Field(
        default="the continuation of the trend before the start", min_length=1, description="Against what, in words."
    )
    start: str = Field(min_length=1, description="First period with the programme, as it stands in the outcomes table.")
    periods: tuple[str, ...] = Field(
        default=(), description="The periods in order, when their names do not tell it; they then follow each other."
    )
    transition: tuple[str, ...] = Field(
        default=(), description="Periods that are left out, because the programme was only starting in them."
    )
    changes: Changes = Field(
        default="level_and_slope", description="What the programme may change: level_and_slope, level or slope."
    )
    phase_in: int = Field(
        default=1, ge=1, description="Over how many periods the change of level builds up in equal steps; 1: at once."
    )
    headline: Headline = Field(
        default="average",
        description="average: mean effect over the periods after the start; at_period: in the outcome's own period.",
    )
    estimator: Estimator = Field(
        default="restricted_likelihood",
        description="Generalised least squares (restricted_likelihood or prais_winsten), or least squares with errors "
        "that allow for likeness of neighbouring periods (newey_west) or not (least_squares).",
    )
    lag: int | None = Field(
        default=None,
        ge=0,
        description="How many periods apart errors may be alike, for newey_west; by default the rule's.",
    )
    lag_rule: LagRule = Field(
        default="newey_west_1994",
        description="newey_west_1994: the whole part of 4 (n/100)^(2/9); stock_watson: 0.75 n^(1/3), rounded up.",
    )
    degrees_of_freedom: Rule = Field(default="standard", description=DESCRIPTION)
    seasonality: Seasonality | None = Field(default=None, description="What repeats itself; nothing when left out.")
    has_comparison_series: bool = Field(
        default=False,
        description="Whether those who were not offered the programme make a second series, from which the distance is "
        "taken.",
    )
    needs_every_period: bool = Field(
        default=False,
        description="Leave out whoever lacks any period; otherwise each mean is over those who are known.",
    )
    persons_per_row: str | None = Field(
        default=None,
        description="Column with the number of persons behind a row, where a row is a place or a whole series; means "
        "are not weighted by it.",
    )
    alternatives: tuple[Alternative, ...] = Field(default=(), description="Fits that are shown beside the headline.")

    @property
    def terms(self) -> tuple[tuple[Estimator, int | None], ...]:
        """The estimators with their lags, the headline's first."""
        return ((self.estimator, self.lag), *((item.estimator, item.lag) for item in self.alternatives))

    @property
    def term_names(self) -> tuple[str, ...]:
        """What each of :attr:`terms` is called."""
        return tuple(name if lag is None else f"{name} over {lag}" for name, lag in self.terms)

    @property
    def season(self) -> Season | None:
        """What repeats itself, as numbers."""
        found = self.seasonality
        return None if found is None else Season(found.kind, found.period, found.pairs)

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
        early = [*series_refusals.in_words(self), *series_refusals.in_columns(self, frame)]
        yield from early
        if early:
            return
        told: set[str] = set()
        for measure in tables.measures:
            for error in series_refusals.in_time(self, tables, measure):
                if error.code not in told:
                    told.add(error.code)
                    yield error

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome; the specification was found sound by :meth:`problems`.

        The first term is the headline, such as ``average, restricted_likelihood``; the alternatives follow, then the
        other kind of headline (``at_period, …``), and the two changes: ``level change, …`` at the start, in the
        outcome's unit, and ``slope change, …``, in that unit per period.
        """
        fitted, series, reason = self._fitted(tables, measure, persons)
        n_periods = 0 if series is None else len(series.periods)
        period = tables.measures[measure].period
        when = "over the periods after the start" if self.headline == "average" else f"in {period}"
        question = self.question(
            tables,
            measure,
            quantity=f"average effect on those offered the programme, {when}",
            method=self._method(n_periods),
            seed=seed,
        )
        if self.has_comparison_series:
            question = replace(question, evidence_level=WITH_COMPARISON)
        if fitted is None:
            return question.unavailable(reason, n_units=0 if series is None else series.treated.n_persons)
        terms, missing = terms_of(self, fitted, period)
        warnings = [*_incomplete(fitted.series), *cautions(self, fitted), *missing]
        return question.answered(terms, self._analysed(tables, fitted, len(terms[0].influence)), warnings)

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: the headline only."""
        return self.model_copy(update={"alternatives": ()})

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return whose outcome is in no mean: known in no period, or not in all when every period is needed.

        Parameters
        ----------
        tables : Tables
            Validated data.
        measure : str
            The outcome.
        """
        _, left_out = rows_used(self, tables, measure)
        which = "some" if self.needs_every_period else "any"
        return (
            Exclusion(f"Without the outcome «{tables.measures[measure].label}» in {which} of the periods", left_out),
        )

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return the series with its lines, the effect by period, the changes, and how residuals are correlated.

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
        fitted, _, _ = self._fitted(tables, measure, None)
        if fitted is None or not estimate.is_available:
            return ()
        return series_findings.findings(self, fitted, estimate, tables.measures[measure])

    def _fitted(
        self, tables: Tables, measure: str, persons: Persons | None
    ) -> tuple[Fitted | None, SeriesPair | None, str]:
        """Return the fitted series, or the series alone and the reason why it is not fitted."""
        series, reason = series_of(self, tables, measure, persons)
        reason = reason if series is None else cannot_fit(self, series)
        if series is None or reason:
            return None, series, reason
        return fit(self, series), series, ""

    def _method(self, n_periods: int) -> Method:
        """Return the name of the method, with the lag that was used."""
        errors, citation = _ERRORS[self.estimator]
        apart = lag_of(self, self.lag, n_periods) if self.estimator == "newey_west" and n_periods else 0
        lag = f" over {language.plural(apart, 'period', 'periods')}" if apart else ""
        return Method(f"segmented regression with {errors}{lag}", citation, self.words.chapter)

    def _analysed(self, tables: Tables, fitted: Fitted, n_rows: int) -> Analysed:
        """Return who the estimate rests on; two outcomes of one time move together, so time is what aligns them."""
        series, after = fitted.series, fitted.segments.after
        untreated = series.outcome - fitted.segments.effects @ fitted.first.coefficients
        first = int(series.places[0]) - series.start
        mean = untreated[after].mean() if series.comparison is None else series.comparison.means[after].mean()
        return Analysed(
            n_treated=series.treated.n_persons,
            n_comparison=0 if series.comparison is None else series.comparison.n_persons,
            n_clusters=None,
            comparison_mean=float(mean),
            ids=tuple(
                provenance.checksum(tables.checksum, f"since the start {place}")[:16]
                for place in range(first, first + n_rows)
            ),
        )


def _incomplete(series: SeriesPair) -> list[str]:
    """Return the sentence on those who are not in every mean; it counts nobody."""
    if series.is_incomplete:
        return [
            "Some rows have no outcome in some periods, so the means are not always over the same ones. If those who "
            "are missing changed when the programme began, the estimate is biased."
        ]
    if series.leaves_out:
        return ["Some rows have no outcome in one or more of the periods and are left out."]
    return []
