"""Why a staggered adoption cannot be estimated from its data; nothing is fitted here.

Messages name columns, periods and rules and count rows; they never hold a person's value.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from ...data import Tables
from ...data.timeline import Timeline, UnorderedPeriodsError
from ...errors import DesignError
from ...numerics.group_time import treated_cohorts
from ...numerics.least_squares import dependent_column
from ..evaluation import Persons
from ..refusals import (
    LEAST_PER_ARM,
    RESERVED,
    duplicate_covariates,
    duplicate_periods,
    missing_values,
    not_numbers,
    unfit_treatment,
    unknown_column,
)
from .panel import StaggeredFields, start_positions, timeline_of

Array = NDArray[np.float64]


def in_columns(design: StaggeredFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns that the specification names, one by one."""
    yield from _named_twice(design)
    known = [name for name in frame.columns if name not in RESERVED]
    named = [("treatment", design.treatment), ("cohort", design.cohort)]
    named += [("covariates", name) for name in dict.fromkeys(design.covariates)]
    named += [] if design.clusters is None else [("clusters", design.clusters)]
    for field, name in named:
        if name not in known:
            yield unknown_column(name, frame, f"design.{field}")
        elif field == "treatment":
            yield from unfit_treatment(frame[name], name)
        elif field == "covariates":
            yield from not_numbers(frame[name], name, field, "Leave the covariate out, or find out what is missing.")
        elif field == "clusters" and frame[name].isna().any():
            yield missing_values(frame[name], name, field, "Find out to which group those persons belong.")
        elif field == "cohort" and (types.is_bool_dtype(frame[name].dtype) or types.is_datetime64_dtype(frame[name])):
            yield DesignError(
                "design.cohort_not_a_period",
                f"The column «{name}» holds yes/no values or dates, not names of periods.",
                where="design.cohort",
                why="It tells in which period of the outcomes table each person first took part.",
                do="Write the period as it stands in the outcomes table, and leave it empty for those who never start.",
            )


def _named_twice(design: StaggeredFields) -> Iterator[DesignError]:
    yield from duplicate_periods(design.periods, "design.periods")
    yield from duplicate_covariates(design.covariates, "design.covariates")
    if {design.treatment, design.cohort} & set(design.covariates):
        yield DesignError(
            "design.covariate_is_treatment",
            "The treatment or the period of its start is also a covariate.",
            where="design.covariates",
            why="An effect cannot be adjusted for itself.",
            do="Remove it from the covariates.",
        )


def in_treatment(design: StaggeredFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give the persons whose start does not fit whether they were treated at all; the columns are sound."""
    starts = frame[design.cohort].notna().to_numpy(dtype=bool)
    n_wrong = int((starts != frame[design.treatment].to_numpy(dtype=bool)).sum())
    if n_wrong:
        yield DesignError(
            "design.treatment_disagrees",
            f"«{design.treatment}» and «{design.cohort}» contradict each other in {_rows(n_wrong)}.",
            where=f"design.cohort, column «{design.cohort}»",
            why="Whoever was offered the programme started in some period; for the others the period is empty.",
            do="Correct one of the two columns. A start after the last period may stand there.",
        )


def in_time(
    design: StaggeredFields, tables: Tables, measure: str, persons: Persons | None = None
) -> Iterator[DesignError]:
    """Give what keeps one measure's periods from being put in order, or its cohorts from being compared."""
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
    found = list(_in_line(design, tables, measure, line))
    participants = tables.participants
    start = start_positions(design, participants, line)
    if persons is not None:
        start, participants = start[persons], participants[persons]
    n_unknown = int(np.isnan(start).sum())
    if n_unknown:
        found.append(
            DesignError(
                "design.unknown_start",
                f"The column «{design.cohort}» is no period of «{measure}» in {_rows(n_unknown)}.",
                where=f"design.cohort, column «{design.cohort}»",
                why="A start between two periods, or with another name, has no place in their order.",
                do="Write the first period of the outcomes table in which the person took part.",
            )
        )
    yield from found
    if not found:
        yield from _in_cohorts(design, start, participants, measure, len(line.names))


def _in_line(design: StaggeredFields, tables: Tables, measure: str, line: Timeline) -> Iterator[DesignError]:
    if line.missing:
        names = ", ".join(f"«{name}»" for name in line.missing[:10]) + (" and more" if len(line.missing) > 10 else "")
        yield DesignError(
            "design.gap_in_time",
            f"The outcome «{measure}» is not known for anybody in {names}.",
            where="outcomes, column «period»",
            why="Time since the start is counted in periods; with a gap the same number would mean different things.",
            do="Add the outcomes of these periods. If the periods follow each other all the same, list them in order "
            "under design.periods.",
        )
    known = tables.periods_of(measure, needs_value=False)
    unlisted = sorted(set(known) - set(design.periods)) if line.declared else []
    if unlisted:
        yield DesignError(
            "design.period_not_listed",
            f"The outcome «{measure}» has periods that design.periods lacks: {', '.join(unlisted[:10])}.",
            where="design.periods",
            why="Leaving them out silently would break the order of time.",
            do="Add them in their place.",
        )


def _in_cohorts(
    design: StaggeredFields, start: Array, participants: pd.DataFrame, measure: str, n_periods: int
) -> Iterator[DesignError]:
    """Give why no cohort can be compared; every start has a place."""
    rules = design.rules
    never, after_base = start >= n_periods, start > rules.anticipation
    in_window = after_base & ~never
    where = f"design.cohort, column «{design.cohort}»"
    if never.all():
        yield DesignError(
            "design.nobody_treated",
            f"Nobody starts in any period of «{measure}».",
            where=where,
            why="There is no effect to look for.",
            do="Check the column.",
        )
    elif not in_window.any():
        yield DesignError(
            "design.no_period_before",
            f"Everybody who starts does so in the first period of «{measure}», or before anticipation leaves a period.",
            where=where,
            why="The change since before the start cannot be seen without a period before the start.",
            do="Add earlier outcomes, or expect the outcome to react fewer periods ahead (design.anticipation).",
        )
    elif rules.comparison == "never_treated" and not never.any():
        yield DesignError(
            "design.no_never_treated",
            "Everybody starts sooner or later: there is nobody who never does.",
            where="design.control_group",
            why="never_treated compares with persons who do not start in any of the periods.",
            do="Choose not_yet_treated, which compares with those who start later.",
        )
    elif not (cohorts := treated_cohorts(start.astype(np.int64), n_periods, rules)):
        yield DesignError(
            "design.no_comparison",
            "No cohort starts so much later than another that it could be compared with.",
            where="design.control_group",
            why="Whoever starts at the same time shows nothing of what would have happened without the programme.",
            do="Add persons who start later or never.",
        )
    else:
        treated, others = np.isin(start, cohorts), after_base & ~np.isin(start, cohorts)
        others |= treated & (start > min(cohorts)) if rules.comparison == "not_yet_treated" else False
        yield from _too_few(design, participants, treated, others)
        yield from _collinear(design, participants, after_base)


def _too_few(
    design: StaggeredFields, participants: pd.DataFrame, treated: NDArray[np.bool_], others: NDArray[np.bool_]
) -> Iterator[DesignError]:
    unit = participants[design.clusters or "participant_id"]
    if min(unit[treated].nunique(), unit[others].nunique()) < LEAST_PER_ARM:
        what = "persons" if design.clusters is None else "clusters"
        yield DesignError(
            "design.too_few",
            f"There are fewer than {LEAST_PER_ARM} {what} among those who start, or among those to compare with.",
            where=f"design.cohort, column «{design.cohort}»",
            why="The spread of outcomes in a group cannot be seen in a single one.",
            do="Nothing can be estimated from so few; add data.",
        )


def _collinear(design: StaggeredFields, participants: pd.DataFrame, used: NDArray[np.bool_]) -> Iterator[DesignError]:
    if not design.covariates:
        return
    values = participants.loc[used, list(design.covariates)].to_numpy(dtype=np.float64)
    centred = (values - values.mean(axis=0)) / np.where(values.std(axis=0) > 0, values.std(axis=0), 1.0)
    centred[np.abs(centred) < 1e-12] = 0.0
    place = dependent_column(np.column_stack([np.ones(len(values)), centred]))
    if place:
        name = design.covariates[min(place, len(design.covariates)) - 1]
        yield DesignError(
            "design.collinear",
            f"The covariate «{name}» does not vary, or follows exactly from the others.",
            where="design.covariates",
            why="Its coefficient, and the effect beside it, would not be determined by the data.",
            do=f"Remove «{name}» from design.covariates.",
        )


def _rows(n: int) -> str:
    return f"{n} row{'' if n == 1 else 's'}"
