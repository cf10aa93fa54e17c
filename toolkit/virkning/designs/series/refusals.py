"""Why an interrupted time series cannot be had from its data; nothing is fitted here.

Messages name columns, periods and rules; they never hold a person's value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pandas as pd

from ...data import Tables
from ...data.timeline import Timeline, UnorderedPeriodsError
from ...errors import DesignError, did_you_mean
from ...numerics.segmented_trend import Changes, Season, is_determined, segments
from .. import refusals
from ..two_way.refusals import ColumnsNamed
from .means import Places, SeriesFields, timeline_of, used_periods

_LEAST_BEFORE = 2
_NAMES_SHOWN = 10


class InterruptedFields(SeriesFields, Protocol):
    """The fields of an interrupted time series that are checked here."""

    @property
    def changes(self) -> Changes: ...
    @property
    def headline(self) -> str: ...
    @property
    def phase_in(self) -> int: ...
    @property
    def season(self) -> Season | None: ...
    @property
    def terms(self) -> tuple[tuple[str, int | None], ...]: ...
    @property
    def term_names(self) -> tuple[str, ...]: ...


def in_words(design: InterruptedFields) -> Iterator[DesignError]:
    """Give the contradictions in the specification itself."""
    for field in ("periods", "transition"):
        named = getattr(design, field)
        yield from refusals.duplicate_periods(named, f"design.{field}")
    yield from refusals.duplicate_terms(design.term_names)
    for estimator, lag in design.terms:
        if lag is not None and estimator != "newey_west":
            yield DesignError(
                "design.lag_not_used",
                f"A lag is named for {estimator}, which has none.",
                where="design.lag, design.alternatives",
                why="It would be ignored silently.",
                do="Remove the lag, or choose newey_west.",
            )
    if design.phase_in > 1 and design.transition:
        yield DesignError(
            "design.two_ways_of_starting",
            "The change is phased in, and periods of transition are left out.",
            where="design.phase_in, design.transition",
            why="Either the periods of the start are described by steps, or they are left out.",
            do="Choose one.",
        )
    if design.phase_in > 1 and design.changes == "slope":
        yield DesignError(
            "design.nothing_to_phase_in",
            "The level is phased in, but it may not change.",
            where="design.phase_in, design.changes",
            why="The phase-in describes how the change of level builds up.",
            do="Remove phase_in, or let changes be level_and_slope.",
        )
    season = design.season
    if season is not None and season.kind == "harmonics" and 2 * season.pairs > season.period:
        yield DesignError(
            "design.too_many_waves",
            f"A season of {season.period} periods cannot hold {season.pairs} waves.",
            where="design.seasonality.pairs",
            why="A wave that is shorter than two periods cannot be seen.",
            do=f"Name at most {season.period // 2}.",
        )


def in_columns(design: InterruptedFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns, and with who is in the programme."""
    wrong = list(refusals.in_columns(ColumnsNamed(design.treatment), frame))
    name = design.persons_per_row
    if name is not None:
        wrong += list(_sizes(name, frame))
    yield from wrong
    if wrong:
        return
    treated = frame[design.treatment].to_numpy(dtype=bool)
    where = f"design.treatment, column «{design.treatment}»"
    if not treated.any():
        yield DesignError(
            "design.nobody_treated",
            "Nobody was offered the programme.",
            where=where,
            why="There is no effect to look for.",
            do="Check the column.",
        )
    elif design.has_comparison_series and treated.all():
        yield DesignError(
            "design.no_comparison",
            "A comparison series is asked for, but everybody was offered the programme.",
            where=f"design.has_comparison_series, column «{design.treatment}»",
            why="The comparison series is the mean of those who were not.",
            do="Add the comparison's rows, or write has_comparison_series: false and read what is lost.",
        )
    elif not design.has_comparison_series and not treated.all():
        yield DesignError(
            "design.has_comparison",
            "Some rows were not offered the programme, and a single series would ignore them.",
            where=where,
            why="They may show what would have happened anyway, which is what a single series lacks.",
            do="Write has_comparison_series: true, or leave them out of the participants and say why.",
        )


def _sizes(name: str, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the column of persons per row."""
    if name not in frame.columns or name in refusals.RESERVED:
        yield refusals.unknown_column(name, frame, "design.persons_per_row")
        return
    found = list(
        refusals.not_numbers(frame[name], name, "persons_per_row", "Find out how many persons they stand for.")
    )
    yield from found
    if not found:
        numbers = frame[name].to_numpy(dtype=float)
        if ((numbers < 1) | (numbers % 1 != 0)).any():
            yield DesignError(
                "design.not_a_number_of_persons",
                f"The column «{name}» holds values that are no number of persons.",
                where="design.persons_per_row",
                why="It decides what may be published, and a row stands for at least one person.",
                do="Write whole numbers from 1.",
            )


def in_time(design: InterruptedFields, tables: Tables, measure: str) -> Iterator[DesignError]:
    """Give what is wrong with the periods of one outcome."""
    try:
        line = timeline_of(design, tables, measure)
    except UnorderedPeriodsError:
        yield DesignError(
            "design.periods_unordered",
            f"The names of the periods of «{measure}» do not tell their order.",
            where="design.periods",
            why="What comes before the start and what after must not be guessed.",
            do="List the periods in order under design.periods, or call them by numbers, such as 2024 or 2024Q3.",
        )
        return
    early = [*_gaps(design, tables, measure, line), *_unknown(design, measure, line)]
    yield from early
    if not early:
        yield from _sides(design, tables.measures[measure].period, measure, line)


def _gaps(design: InterruptedFields, tables: Tables, measure: str, line: Timeline) -> Iterator[DesignError]:
    """Give the periods that are missing, and those that the declared order lacks."""
    if line.missing:
        yield DesignError(
            "design.gap_in_time",
            f"The outcome «{measure}» is not known for anybody in {_listed(line.missing)}.",
            where="outcomes, column «period»",
            why="A trend is a change per period; over a gap it is not known, and neighbours are not neighbours.",
            do="Add the outcomes of these periods. If the periods follow each other all the same, list them in order "
            "under design.periods.",
        )
    if design.periods:
        found = set(tables.periods_of(measure, needs_value=False))
        unlisted = sorted(found - set(design.periods))
        if unlisted:
            yield DesignError(
                "design.period_not_listed",
                f"The outcome «{measure}» has periods that design.periods lacks: {_listed(unlisted)}.",
                where="design.periods",
                why="Leaving them out silently would break the order of time.",
                do="Add them in their place.",
            )


def _unknown(design: InterruptedFields, measure: str, line: Timeline) -> Iterator[DesignError]:
    """Give the periods of the specification that the outcome does not have."""
    named = [("start", design.start), *(("transition", name) for name in design.transition)]
    for field, name in named:
        if name not in line.names:
            yield DesignError(
                "design.unknown_period",
                f"The outcome «{measure}» has no period «{name}».",
                where=f"design.{field}",
                why="Nothing is guessed: every period must be named as it stands in the data.",
                do=did_you_mean(name, line.names),
            )


def _sides(design: InterruptedFields, period: str, measure: str, line: Timeline) -> Iterator[DesignError]:
    """Give what is wrong with the number of periods before and after the start, and with the season."""
    names, places, start = used_periods(design, line)
    n_before, n_after = int((places < start).sum()), int((places >= start).sum())
    if n_before < _LEAST_BEFORE:
        yield DesignError(
            "design.too_few_periods_before",
            f"The outcome «{measure}» has fewer than {_LEAST_BEFORE} periods before the start.",
            where="design.start",
            why="Without a trend before the start, nothing can be continued after it.",
            do="Add earlier outcomes; eight periods or more make a trend that one can believe.",
        )
        return
    if period not in names[n_before:]:
        yield DesignError(
            "design.period_not_after",
            f"The period «{period}» of the outcome «{measure}» is not one of those used after the start.",
            where=f"outcomes.{measure}.period, design.start, design.transition",
            why="The effect of a programme is looked for after it began.",
            do="Name in the outcome a period from the start on that is not left out.",
        )
        return
    if design.changes != "level" and n_after < _LEAST_BEFORE:
        yield DesignError(
            "design.too_few_periods_after",
            f"The outcome «{measure}» has a single period after the start, which shows no slope.",
            where="design.changes",
            why="A change of the slope needs two periods at least.",
            do="Write changes: level, or add later outcomes.",
        )
        return
    if design.changes == "slope" and design.headline == "at_period" and period == names[n_before]:
        yield DesignError(
            "design.no_time_to_bend",
            f"The period «{period}» of the outcome «{measure}» is the first one after the start.",
            where=f"outcomes.{measure}.period, design.changes",
            why="A change of the slope adds up from the start; in the first period it is zero by definition.",
            do="Name a later period in the outcome, or write headline: average.",
        )
        return
    yield from _season(design, measure, len(line.names), places, start)


def _season(
    design: InterruptedFields, measure: str, n_periods: int, places: Places, start: int
) -> Iterator[DesignError]:
    """Give what keeps the coefficients from being determined."""
    season = design.season
    if season is not None and season.period >= n_periods:
        yield DesignError(
            "design.season_too_long",
            f"A season of {season.period} periods is as long as the series of «{measure}», or longer.",
            where="design.seasonality.period",
            why="What repeats itself must be seen at least twice.",
            do="Name after how many periods the season repeats itself: 12 for months, 4 for quarters.",
        )
        return
    found = segments(places, start, design.changes, design.phase_in, season)
    n, k = found.regressors.shape
    if n <= k or not is_determined(found.regressors):
        yield DesignError(
            "design.not_determined",
            f"The {n} periods of «{measure}» do not determine the {k} coefficients and leave spread to judge them by.",
            where="design.changes, design.phase_in, design.seasonality",
            why="Trend, changes and season could not be told apart.",
            do="Let less change, use harmonics with fewer pairs for the season, or add periods.",
        )
    for estimator, lag in design.terms:
        if estimator == "newey_west" and lag is not None and lag >= n:
            yield DesignError(
                "design.lag_too_long",
                f"A lag of {lag} is as long as the series of «{measure}», or longer.",
                where="design.lag",
                why="Errors that are further apart than the series is long cannot be seen.",
                do="Leave the lag out, and the rule will choose it, or name a smaller one.",
            )


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
