"""The one table of chapters: the notebook of each, what it reads, what it builds on, and where it stands in the book.

What a chapter reads is both a promise and a limit. It runs again only when something that it names has changed, and its
notebook is refused everything that it does not name; so no chapter can go stale in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..programme import Programme

# The parts of the contents, in the order in which a reader asks.
PROGRAMME, RESULTS, METHODS, LOOK_UP = "The programme", "What comes of it", "How we know", "Look it up"
# What a book about a plan has instead of results.
PLANNED_METHODS = "How we shall know"
EVERYTHING = "*"
# The record of the run is a result that no chapter makes; a chapter that prints it is made again for every run.
RECORD = "record"


def _has_data(programme: Programme) -> bool:
    return not programme.is_planned


def _is_planned(programme: Programme) -> bool:
    return programme.is_planned


def _has_contract(programme: Programme) -> bool:
    return programme.has_contract and not programme.is_planned


def _has_economy(programme: Programme) -> bool:
    return programme.has_economy and not programme.is_planned


def _always(programme: Programme) -> bool:
    return True


@dataclass(frozen=True)
class Entry:
    """One chapter.

    Attributes
    ----------
    name : str
        Of the chapter and of its page.
    part : str
        Caption in the contents under which it stands; empty for the front page.
    reads : tuple of str
        Dotted paths of the parts of the specification that it reads; ``contract`` and ``economy`` are the files of
        these names with every table that they name. ``*`` is everything.
    after : tuple of str
        Chapters whose results it reads, where the programme has them; ``record`` is the record of the run.
    results : tuple of str
        Files that it leaves for later chapters, below ``results/``.
    files : tuple of str
        Further files in the programme's folder that it reads, where they are.
    methods : tuple of str
        Method chapters that it brings into the book.
    belongs : callable
        Tells whether a programme has this chapter.
    notebook : str
        File below ``notebooks/`` without its ending; by default as the chapter is called.
    """

    name: str
    part: str
    reads: tuple[str, ...]
    after: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    belongs: Callable[[Programme], bool] = field(default=_has_data, repr=False)
    notebook: str = ""

    @property
    def source(self) -> str:
        """Name of the notebook."""
        return self.notebook or self.name


_DATA = ("data", "design", "outcomes", "seed", "publication.disclosure")

# In the order of the contents. A new chapter is one more entry here, and its notebook.
CHAPTERS: tuple[Entry, ...] = (
    Entry(
        "index",
        "",
        reads=(
            *_DATA,
            "subtitle",
            "summary",
            "tidier",
            "checks",
            "subgroups",
            "vulnerability",
            "publication.strengths",
            "publication.limits",
            "economy",
            "contract",
        ),
        after=("effects", "checks", "subgroups", "payment", "economy"),
        files=("results.csv",),
    ),
    Entry(
        "index",
        "",
        reads=(
            "plan",
            "design",
            "outcomes",
            "seed",
            "subtitle",
            "summary",
            "tidier",
            "theory_of_change",
            "checks",
            "subgroups",
            "vulnerability",
            "publication",
        ),
        belongs=_is_planned,
        notebook="plan",
    ),
    Entry(
        "programme",
        PROGRAMME,
        reads=("target_group", "partners", "theory_of_change", "tidier", "publication.disclosure"),
        belongs=_always,
    ),
    Entry("data", RESULTS, reads=(*_DATA, "flow")),
    Entry("effects", RESULTS, reads=_DATA, results=("effects.json",)),
    Entry(
        "checks",
        RESULTS,
        reads=(*_DATA, "checks"),
        after=("effects",),
        results=("how_sure.json", "checks_table.json"),
        methods=("checks",),
    ),
    Entry(
        "subgroups",
        RESULTS,
        reads=(*_DATA, "subgroups", "vulnerability", "reach"),
        results=("most_vulnerable.json",),
    ),
    Entry(
        "payment",
        RESULTS,
        reads=("contract", "seed", "publication.disclosure"),
        after=("effects",),
        files=("results.csv",),
        methods=("outcomes_contracts", "settlement", "waterfall_and_returns", "contract_language"),
        belongs=_has_contract,
    ),
    Entry(
        "economy",
        RESULTS,
        reads=("economy", "contract", "seed", "publication.disclosure"),
        after=("effects",),
        files=("results.csv",),
        methods=("cost_benefit", "discounting", "uncertainty"),
        belongs=_has_economy,
    ),
    Entry(
        "sensitivity",
        RESULTS,
        reads=("economy", "seed", "publication.disclosure"),
        after=("effects",),
        belongs=_has_economy,
    ),
    Entry("record", LOOK_UP, reads=(EVERYTHING,), after=(RECORD,), belongs=_always),
)

# Pages of text with live results: those in a book about a plan, and those that stand in every book to be looked up.
TEXTS_OF_PLANS = ("power",)
TEXTS_TO_LOOK_UP = ("performance",)
# Method chapters that come with the page about sweeps, which is no chapter of a run.
METHODS_OF_SWEEPS = ("sweeps",)


def chapters_of(programme: Programme) -> tuple[Entry, ...]:
    """Return the chapters of a programme, in the order of the contents.

    Parameters
    ----------
    programme : Programme
        With or without data, contract, and economy.
    """
    return tuple(entry for entry in CHAPTERS if entry.belongs(programme))
