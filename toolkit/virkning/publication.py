"""The whole way for one programme: data, run, gate, book."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .book import Book, build
from .data import read_data
from .designs import require_sound
from .programme import Programme
from .report import headline_text
from .run import Progress, Run, method_chapter, run


@dataclass(frozen=True)
class Published:
    """A published book with the run behind it and its headline in words."""

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
    return Published(book, done, headline_text(done.effects.primary))


def check(programme: Programme) -> list[str]:
    """Validate everything about a programme without fitting anything; return what was looked at, one sentence each.

    Raises
    ------
    VirkningError
        The first kind of problem found; a data error lists all of the data's problems.
    """
    tables = read_data(programme)
    require_sound(programme.design, tables)
    chapter = method_chapter(programme)
    return [
        f"Specification: valid, {len(programme.outcomes)} outcome(s), design {programme.design.type}.",
        f"Data: {len(tables.participants)} participants and {len(tables.outcomes)} outcome rows satisfy their schemas.",
        "Design: the data can honour it.",
        f"Book: the method has its chapter ({chapter}).",
    ]
