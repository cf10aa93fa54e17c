"""The whole way for one programme: data, run, gate, book."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from pydantic import ValidationError

from .book import Book, book_mark, build, is_built
from .checks import chosen
from .contract import Results, Settlement
from .contract.results import results_beside
from .contract.settlement import settle_programme
from .contract.statement import settle_files
from .data import read_data
from .designs import estimate
from .errors import UsageError
from .planning import Plan, PlannedPower, power, powers
from .programme import Programme
from .record import recorded
from .report import headline_text
from .resources import SPECIFICATION, known_programmes
from .run import Progress, Run, fingerprint, method_chapter, require_sound_programme
from .run.beside import executed_text
from .run.chapters import METHODS_OF_SWEEPS
from .typesetting import open_server


@dataclass(frozen=True)
class Published:
    """A published book with the run behind it and its headline in words: what came of it, or what could be seen."""

    book: Book
    run: Run
    headline: str


def publish(
    programme: Programme,
    *,
    runs: Path = Path("runs"),
    books: Path = Path("_build"),
    progress: Progress | None = None,
    engine: str | None = None,
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
    engine : str, optional
        As for :func:`virkning.run.run`.

    Raises
    ------
    VirkningError
        Of the kind that tells what went wrong; the book that was there before stays as it was.
    """
    place = (books / programme.name).resolve()
    further = _sweep_pages(programme, runs, engine)
    with ExitStack() as stack:
        server = None
        if not is_built(place, book_mark(fingerprint(programme), further)):
            # Sphinx is imported while the chapters run.
            server = stack.enter_context(open_server())
        done = recorded(programme, root=runs, progress=progress, engine=engine)
        book = build(programme, done, root=books, server=server, further=further)
    return Published(book, done, headline(programme, done))


def _sweep_pages(programme: Programme, runs: Path, engine: str | None = None) -> dict[str, NotebookNode]:
    """Return the page with all runs of the programme's sweeps, and how to read it; none without present sweeps."""
    if not (runs / programme.name / "sweeps").is_dir():
        return {}
    from .sweep.page import page  # it loads what draws figures

    made = page(programme, runs)
    if made is None:
        return {}
    methods = (f"methods/{name}" for name in METHODS_OF_SWEEPS)
    return {"sweep": made, **{page: executed_text(page, programme, root=runs, engine=engine) for page in methods}}


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


def settlement(place: Path, results: Path | None) -> Settlement:
    """Return the settlement of a contract in a file or folder, or of a programme with the effects that it pays for.

    Parameters
    ----------
    place : Path
        A ``contract.yml``, its folder, or a programme: its folder or name.
    results : Path, optional
        Results to settle; by default ``results.csv`` beside the contract.

    Raises
    ------
    VirkningError
        Of the kind that tells what is missing or does not fit.
    """
    is_programme = (place / SPECIFICATION).is_file() or (not place.exists() and str(place) in known_programmes())
    if not is_programme:
        return settle_files(place, results)
    programme = Programme.read(place)
    given = results_beside(programme.folder) if results is None else Results.read(results)
    seed = programme.specification.seed
    return settle_programme(
        programme.contract, given, lambda: estimate(programme.design, read_data(programme), seed=seed)
    )


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
            *_terms(programme),
            f"Book: the method has its chapter ({chapter}).",
        ]
    facts = require_sound_programme(programme)
    runs = chosen(programme.design, programme.specification.checks)
    return [
        f"Specification: valid, {len(programme.outcomes)} outcome(s), design {programme.design.type}.",
        f"Data: {facts['participants']} participants and {facts['outcomes']} outcome rows satisfy their schemas.",
        "Design: the data can honour it.",
        f"Checks: {len(runs)} will run.",
        *_terms(programme),
        f"Book: the method has its chapter ({chapter}).",
    ]


def _terms(programme: Programme) -> list[str]:
    """Return what was looked at beside the effects: the contract and the economy, where there are any."""
    found = []
    if programme.has_contract:
        contract = programme.contract
        found.append(f"Contract: valid, {len(contract.metrics)} metric(s) in {len(contract.periods)} period(s).")
    if programme.has_economy:
        economy = programme.economy
        n_consequences = len(economy.specification.consequences)
        found.append(f"Economy: valid, {len(economy.costs)} cost(s) and {n_consequences} consequence(s).")
    return found
