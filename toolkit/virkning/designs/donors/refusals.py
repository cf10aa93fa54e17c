"""Why a synthetic control cannot be estimated from its data; nothing is fitted here.

Messages name columns, periods and rules and count rows; they never hold a unit's value.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ...data import Tables
from ...data.timeline import UnorderedPeriodsError
from ...errors import DesignError, did_you_mean
from ..evaluation import Persons
from ..refusals import (
    RESERVED,
    duplicate_periods,
    duplicate_terms,
    missing_values,
    not_numbers,
    unfit_treatment,
    unknown_column,
)
from .panel import DonorFields, Predictor, timeline_of, window_of

LEAST_BEFORE = 2


def in_words(design: DonorFields) -> Iterator[DesignError]:
    """Give the contradictions in the specification itself."""
    yield from duplicate_terms(f"{estimator}, {errors}" for estimator, errors in design.terms)
    yield from duplicate_periods(design.periods, "design.periods")
    if any((estimator, errors) == ("synthetic_control", "jackknife") for estimator, errors in design.terms):
        yield DesignError(
            "design.jackknife_of_synthetic_control",
            "The jackknife does not measure the uncertainty of a synthetic control.",
            where="design.standard_errors",
            why="Its weights answer to which donors there are; the jackknife keeps them.",
            do="Write placebo, or choose synthetic_differences.",
        )
    yield from _importance(design)


def _importance(design: DonorFields) -> Iterator[DesignError]:
    where = "design.predictors"
    if design.predictors and all(estimator != "synthetic_control" for estimator, _ in design.terms):
        yield DesignError(
            "design.unused_predictors",
            "Predictors are named, but no synthetic_control is asked for.",
            where=where,
            why="The other estimators look at the outcomes before the start only.",
            do="Remove the predictors, or ask for synthetic_control.",
        )
    if design.predictors and design.solver == "frank_wolfe":
        yield DesignError(
            "design.solver_without_predictors",
            "The solver frank_wolfe knows no predictors.",
            where="design.solver",
            why="The software that it repeats has none.",
            do="Write exact, or remove the predictors.",
        )
    if design.importance != "equal" and not design.predictors:
        yield DesignError(
            "design.no_predictors",
            f"The importance of predictors is «{design.importance}», but none are named.",
            where="design.importance",
            why="Without predictors the outcomes before the start are met directly, each counting alike.",
            do="Name predictors, or write equal.",
        )
    given = [each.importance is not None for each in design.predictors]
    if (design.importance == "declared" and not all(given)) or (design.importance != "declared" and any(given)):
        yield DesignError(
            "design.importance",
            "Either every predictor declares its importance, and importance is «declared», or none does.",
            where="design.importance, design.predictors",
            why="Nothing is guessed: an importance that is not used would mislead.",
            do="Write importance: declared and give each predictor its importance, or remove them.",
        )
    for rank, each in enumerate(design.predictors):
        if each.column is not None and (each.measure, each.first, each.last) != (None, None, None):
            yield DesignError(
                "design.predictor_of_two_kinds",
                "A predictor names a column and a measure or periods at once.",
                where=f"{where}.{rank}",
                why="A column has one number per unit; a measure has one in each period.",
                do="Split it into two predictors.",
            )


def in_columns(design: DonorFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns that the specification names, one by one."""
    known = [name for name in frame.columns if name not in RESERVED]
    named = [("treatment", design.treatment)]
    named += [("predictors", each.column) for each in design.predictors if each.column is not None]
    named += [(field, name) for field in ("persons_per_row", "names") if (name := getattr(design, field)) is not None]
    for field, name in named:
        if name not in known:
            yield unknown_column(name, frame, f"design.{field}")
        elif field == "treatment":
            yield from unfit_treatment(frame[name], name)
        elif field == "predictors":
            # A donor without the predictor is left out and counted; text or infinite values are refused.
            yield from not_numbers(frame[name].dropna(), name, field, "")
            if frame[name].nunique() < 2:
                yield _constant(name)
        elif field == "persons_per_row":
            found = list(not_numbers(frame[name], name, field, "Find out how many persons live or take part there."))
            yield from found
            if not found and (frame[name].to_numpy(dtype=float) < 1).any():
                yield DesignError(
                    "design.persons_per_row_not_positive",
                    f"The column «{name}» is below one in some rows.",
                    where="design.persons_per_row",
                    why="It counts the persons behind each unit's outcomes.",
                    do="Correct it in the data.",
                )
        elif frame[name].isna().any():
            yield missing_values(frame[name], name, field, "Give every unit a name that may be published.")
        elif frame[name].nunique() < len(frame):
            yield DesignError(
                "design.names_not_unique",
                f"Several units have the same name in «{name}».",
                where="design.names",
                why="Donors are listed by name; two of the same name cannot be told apart.",
                do="Give each unit a name of its own.",
            )


def _constant(name: str) -> DesignError:
    return DesignError(
        "design.constant_predictor",
        f"The predictor «{name}» is the same for every unit.",
        where="design.predictors",
        why="It tells no donor from another.",
        do="Remove it.",
    )


def in_arms(design: DonorFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give why there is nobody to compare with; the columns are sound."""
    treated = frame[design.treatment].to_numpy(dtype=bool)
    n_treated, n_donors = int(treated.sum()), int((~treated).sum())
    where = f"design.treatment, column «{design.treatment}»"
    if n_treated == 0:
        yield DesignError(
            "design.nobody_treated",
            "No unit is treated.",
            where=where,
            why="There is no effect to look for.",
            do="Check the column.",
        )
    elif n_donors == 0:
        yield DesignError(
            "design.no_donors",
            "Every unit is treated: there are no donors.",
            where=where,
            why="What would have happened without the programme is a mix of units without it.",
            do="Add units that the programme did not reach.",
        )
    elif n_donors < 2:
        yield DesignError(
            "design.one_donor",
            "There is one donor only.",
            where=where,
            why="A mix of one is that unit, and no placebo is left to see how much comparisons differ by chance.",
            do="Add units that the programme did not reach; with one, nothing can be said.",
        )
    elif n_donors <= n_treated and any(errors == "placebo" for _, errors in design.terms):
        yield DesignError(
            "design.too_few_donors",
            "There are no more donors than treated units.",
            where=where,
            why="A placebo takes as many donors as there are treated units and compares them with the rest.",
            do="Add donors; with synthetic_differences, standard_errors: jackknife may do instead.",
        )
    if n_treated == 1 and any(errors == "jackknife" for _, errors in design.terms):
        yield DesignError(
            "design.jackknife_of_one",
            "The jackknife leaves out one treated unit after the other, and there is only one.",
            where="design.standard_errors",
            why="Nothing would be left.",
            do="Write placebo.",
        )


def in_time(design: DonorFields, tables: Tables, measure: str, persons: Persons | None = None) -> Iterator[DesignError]:
    """Give what is wrong with the periods of one measure, and with the predictors that look into them."""
    try:
        line = timeline_of(design, tables, measure)
    except UnorderedPeriodsError:
        yield _unordered(measure)
        return
    outcomes = tables.outcomes
    mine = outcomes[outcomes["measure"] == measure]
    start, own = line.position(design.start), line.position(tables.measures[measure].period)
    unlisted = sorted(set(mine["period"]) - set(design.periods)) if line.declared else []
    if unlisted:
        yield DesignError(
            "design.period_not_listed",
            f"The outcome «{measure}» has periods that design.periods lacks: {', '.join(unlisted[:10])}.",
            where="design.periods",
            why="Leaving them out silently would break the order of time.",
            do="Add them in their place.",
        )
    elif start is None:
        yield DesignError(
            "design.unknown_period",
            f"The start «{design.start}» is no period of «{measure}».",
            where="design.start",
            why="Nothing is guessed: the start must be named as a period of the data.",
            do=f"The data hold the periods {', '.join(line.names)}.",
        )
    elif start < LEAST_BEFORE:
        yield DesignError(
            "design.no_period_before" if start == 0 else "design.one_period_before",
            f"Of «{measure}» there is {'no period' if start == 0 else 'only one period'} before the start.",
            where="design.start",
            why="Donors are weighted by how they moved before the start, and that is all that speaks for the mix.",
            do="Add earlier outcomes; a dozen periods is a good number.",
        )
    elif own is None or own < start:
        yield DesignError(
            "design.period_not_after",
            f"The period of the outcome «{measure}» lies before the start.",
            where=f"outcomes.{measure}.period, design.start",
            why="The effect of a programme is looked for after it began.",
            do="Name in the outcome the last period of the effect.",
        )
    elif np.isinf(mine["value"].to_numpy(dtype=float)).any():
        yield DesignError(
            "design.infinite",
            f"The outcome «{measure}» holds infinite values.",
            where=f"outcomes, measure «{measure}»",
            why="A mix of them does not exist.",
            do="Correct them in the data.",
        )


def _unordered(measure: str) -> DesignError:
    return DesignError(
        "design.periods_unordered",
        f"The names of the periods of «{measure}» do not tell their order.",
        where="design.periods",
        why="What comes before the start and what after must not be guessed.",
        do="List the periods in order under design.periods, or call them by numbers, such as 2024 or 2024Q3.",
    )


def in_predictors(design: DonorFields, tables: Tables, measure: str) -> Iterator[DesignError]:
    """Give the predictors that look into the periods of a measure and find nothing; the measure's own are sound."""
    for rank, each in enumerate(design.predictors):
        if each.column is None:
            yield from _in_predictor(design, tables, measure, each, f"design.predictors.{rank}")


def _in_predictor(
    design: DonorFields, tables: Tables, measure: str, predictor: Predictor, where: str
) -> Iterator[DesignError]:
    source = predictor.measure or measure
    if source not in tables.measures:
        yield DesignError(
            "design.unknown_measure",
            f"There is no measure «{source}».",
            where=where,
            why="Nothing is guessed: every measure must be named as it stands in the data.",
            do=did_you_mean(source, tables.measures),
        )
        return
    try:
        line = timeline_of(design, tables, source)
    except UnorderedPeriodsError:
        return  # The measure itself is refused.
    if window_of(design, predictor, line) is None:
        yield DesignError(
            "design.predictor_not_before",
            f"The periods of a predictor are not periods of «{source}» before the start.",
            where=where,
            why="What the programme may have changed already cannot tell which donors resemble the treated.",
            do="Name a first and a last period, in this order, both before the start.",
        )


def in_treatment(design: DonorFields, tables: Tables, persons: Persons | None = None) -> Iterator[DesignError]:
    """Give how the treatment, told period by period, differs from one common start that nobody leaves again."""
    measure = design.treatment_measure
    if measure is None:
        return
    if measure not in tables.measures:
        yield DesignError(
            "design.unknown_measure",
            f"There is no measure «{measure}».",
            where="design.treatment_measure",
            why="Nothing is guessed: every measure must be named as it stands in the data.",
            do=did_you_mean(measure, tables.measures),
        )
        return
    try:
        line = timeline_of(design, tables, measure)
    except UnorderedPeriodsError:
        yield _unordered(measure)
        return
    start = line.position(design.start)
    people = tables.participants if persons is None else tables.participants[persons]
    outcomes = tables.outcomes
    rows = outcomes[(outcomes["measure"] == measure) & outcomes["participant_id"].isin(people["participant_id"])]
    place = pd.Index(line.names).get_indexer(pd.Index(rows["period"]))
    treated = rows["participant_id"].isin(people.loc[people[design.treatment], "participant_id"]).to_numpy(dtype=bool)
    expected = treated & (place >= (len(line.names) if start is None else start))
    wrong = rows["value"].notna().to_numpy(dtype=bool) & (rows["value"].to_numpy(dtype=float) != expected)
    if wrong.any():
        switches = rows.assign(place=place).sort_values(["participant_id", "place"]).groupby("participant_id")["value"]
        leaves = bool((switches.diff() < 0).any())
        yield DesignError(
            "design.treatment_switches" if leaves else "design.several_starts",
            f"The measure «{measure}» contradicts one common start in {int(wrong.sum())} "
            f"row{'' if wrong.sum() == 1 else 's'}"
            + (", and some units leave the programme again." if leaves else "."),
            where="design.treatment_measure, design.start",
            why="Treated units have the programme from the start on, donors never.",
            do="Leave out units that are in between, or choose staggered_adoption for several starts."
            if not leaves
            else "Leave out units that come and go, or choose panel.",
        )
