"""The whole way for one programme: data, run, gate, book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .book import Book, build
from .data import read_data
from .designs import require_sound
from .errors import UsageError
from .planning import Plan, PlannedPower, power, powers
from .programme import Programme
from .report import headline_text
from .run import Progress, Run, method_chapter, run
from .subgroups import require_before_start


@dataclass(frozen=True)
class Published:
    """A published book with the run behind it and its headline in words: what came of it, or what could be seen."""

    book: Book
    run: Run
    headline: str


def publish(
    programme: Programme, *, runs: Path = Path("runs"), books: Path = Path("_build"), progress: Progress | None = None
) -> Published:
    """Run a programme's chapters, look at what they print, and build its book.

    Parameters
    ----------
    programme : Programme
        With the changes of this run.
    runs, books : Path
        Where run folders and books are.
    progress : callable, optional
        As for :func:`virkning.run.run`.

    Raises
    ------
    VirkningError
        Of the kind that tells what went wrong; the book that was there before stays as it was.
    """
    done = run(programme, root=runs, progress=progress)
    book = build(programme, done, root=books)
    return Published(book, done, headline(programme, done))


def headline(programme: Programme, run: Run) -> str:
    """Return what came of it in one sentence; of a planned programme, how small a change could be seen.

    Parameters
    ----------
    programme, run
        As executed.
    """
    return planned_headline(programme) if programme.is_planned else headline_text(run.effects.primary)


def planned_headline(programme: Programme) -> str:
    """Return how small a change of the primary outcome could be seen, in one sentence.

    Raises
    ------
    ProgrammeError
        The programme has no plan.
    DesignError
        The plan cannot be.
    """
    found = powers(programme.plan, programme.design, programme.outcomes, seed=programme.specification.seed)
    return next(iter(found.values())).sentence


def planned_power(
    place: str | None, design: str, expected: Mapping[str, float], changes: Mapping[str, Any]
) -> tuple[PlannedPower, ...]:
    """Return how small a change of each outcome could be seen, by a programme's plan or by a plan of a few words.

    Parameters
    ----------
    place : str, optional
        Folder or name of a programme.
    design : str
        Type of the design, where no programme declares one.
    expected : mapping of str to number
        Keys of a plan; they replace those of the programme's.
    changes : mapping of str to value
        Dotted paths, for a programme.

    Raises
    ------
    UsageError
        Neither a programme nor a number of people is given, or a number has the wrong type.
    VirkningError
        The programme or its plan cannot be.
    """
    if place is not None:
        programme = Programme.read(place, {**changes, **{f"plan.{key}": value for key, value in expected.items()}})
        seed = programme.specification.seed
        return tuple(powers(programme.plan, programme.design, programme.outcomes, seed=seed).values())
    if not expected or changes:
        raise UsageError(
            "usage.no_plan",
            "There is no programme." if changes else "There is neither a programme nor a number of people.",
            where="virkning power",
            why="Changes by path are changes of a programme." if changes else "Power is that of a plan.",
            do="Name a programme, or say it in options: virkning power --people 120 --share 0.4",
        )
    try:
        plan = Plan.model_validate(dict(expected))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(
            "usage.wrong_type",
            f"{first['msg']}.",
            where=".".join(("plan", *(str(step) for step in first["loc"]))),
            do="«virkning power --help» says what each option means.",
        ) from None
    return (power(plan, design),)


def check(programme: Programme) -> list[str]:
    """Validate everything about a programme without fitting anything; return what was looked at, one sentence each.

    Raises
    ------
    VirkningError
        The first kind of problem found; a data error lists all of the data's problems.
    """
    chapter = method_chapter(programme)
    if programme.is_planned:
        return [
            f"Specification: valid, {len(programme.outcomes)} outcome(s), design {programme.design.type}.",
            "Data: none yet; the programme is planned.",
            f"Plan: possible. {planned_headline(programme)}",
            f"Book: the method has its chapter ({chapter}).",
        ]
    tables = read_data(programme)
    require_sound(programme.design, tables)
    settings = programme.specification
    require_before_start(programme.design, tables, settings.subgroups, settings.vulnerability)
    return [
        f"Specification: valid, {len(programme.outcomes)} outcome(s), design {programme.design.type}.",
        f"Data: {len(tables.participants)} participants and {len(tables.outcomes)} outcome rows satisfy their schemas.",
        "Design: the data can honour it.",
        f"Book: the method has its chapter ({chapter}).",
    ]
