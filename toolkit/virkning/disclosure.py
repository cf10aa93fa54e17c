"""Nothing published may tell of a single person: tables are cleared here before anything may print them.

A number is hidden when it rests on fewer persons than the threshold. Hiding only that number is not enough where totals
are published too, so further cells are hidden until no hidden count can be worked out from what remains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.optimize import linprog

from .errors import DisclosureError
from .specification import Specification

Kind = Literal["text", "count", "share", "number", "p_value"]


class DisclosureRule(Specification):
    """How small a group may be before it is hidden, under ``publication.disclosure`` in ``programme.yml``."""

    threshold: int = Field(
        default=5,
        ge=2,
        description="Counts below this number of persons are hidden. Confirm it with the owner of the data.",
    )
    hide_zeros: bool = Field(
        default=False, description="Hide counts of zero too; by default a zero is shown, since it describes nobody."
    )

    def is_small(self, persons: pd.Series) -> pd.Series:
        """Tell, per value, whether a number of persons is too small to be shown; shape as given."""
        lowest = 0 if self.hide_zeros else 1
        return persons.ge(lowest) & persons.lt(self.threshold)


@dataclass(frozen=True)
class Column:
    """One column of a table that may be published.

    Attributes
    ----------
    name, label : str
        Name in the frame, and what the reader sees.
    kind : str
        ``count`` columns count persons; the others say how a value is formatted.
    unit : str
        Unit of the values.
    digits : int
        Decimals shown on a page; files carry the full value.
    persons : str, optional
        The column of the frame with the smallest number of persons on whom each value rests. A count rests on itself.
        For a share this is the smaller of those with and those without the trait.
    """

    name: str
    label: str
    kind: Kind = "text"
    unit: str = ""
    digits: int = 2
    persons: str | None = None


@dataclass(frozen=True)
class Table:
    """A table that has not been cleared yet; it cannot be printed.

    Attributes
    ----------
    name : str
        File name of its download, and its anchor on the page.
    title : str
        Caption.
    columns : tuple of Column
        What a reader would see. The frame may hold more columns (numbers of persons), which are never shown.
    frame : DataFrame
        One row per line of the table.
    sums_down : tuple of tuple of int
        Row positions whose counts add up, within each count column, to a total that is published somewhere.
    sums_across : tuple of tuple of str
        Count columns that add up, within each row, to a total that is published somewhere.
    note : str
        A line below the table.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    frame: pd.DataFrame = field(repr=False)
    sums_down: tuple[tuple[int, ...], ...] = ()
    sums_across: tuple[tuple[str, ...], ...] = ()
    note: str = ""


_CLEARED = object()


@dataclass(frozen=True)
class ClearedTable:
    """A table that may be published: made by :func:`clear` only.

    Attributes
    ----------
    name, title, columns, note
        As in :class:`Table`.
    frame : DataFrame
        The columns that are shown; hidden cells hold None.
    hidden : DataFrame of bool
        Same shape: which cells were hidden.
    threshold : int
        The threshold in force.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    frame: pd.DataFrame = field(repr=False)
    hidden: pd.DataFrame = field(repr=False)
    threshold: int
    note: str = ""
    token: object = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.token is not _CLEARED:
            raise DisclosureError(
                "disclosure.not_cleared",
                "A table was offered for printing without having been cleared.",
                where=self.name,
                why="What a notebook prints is a publication.",
                do="Make it with vk.clear(table, rule).",
            )

    @property
    def n_hidden(self) -> int:
        """Number of hidden cells."""
        return int(self.hidden.to_numpy().sum())


def clear(table: Table, rule: DisclosureRule) -> ClearedTable:
    """Hide what rests on too few persons, and what would give a hidden count away.

    Parameters
    ----------
    table : Table
        Must name, for each share and number that describes persons, the column with the number of persons behind it.
    rule : DisclosureRule
        Threshold in persons.

    Returns
    -------
    ClearedTable
        Each hidden count could still be at least ``threshold`` different values for someone who knows every published
        cell and every total.

    Raises
    ------
    DisclosureError
        A column says that it rests on a column that the frame lacks.
    """
    shown = [column.name for column in table.columns]
    absent = sorted({c.persons for c in table.columns if c.persons} - set(table.frame.columns))
    if absent:
        raise DisclosureError(
            "disclosure.no_persons",
            f"The table says that values rest on the column «{absent[0]}», which it does not have.",
            where=table.name,
            why="Without the number of persons behind a value nobody can tell whether it may be shown.",
            do="Add the column with the number of persons to the frame.",
        )
    frame = table.frame.reset_index(drop=True)
    hidden = pd.DataFrame(False, index=frame.index, columns=frame.columns)
    counts = [column.name for column in table.columns if column.kind == "count"]
    for name in {*counts, *(c.persons for c in table.columns if c.persons)}:
        hidden[name] = rule.is_small(frame[name]).fillna(False).astype(bool)
    _hide_complements(frame, hidden, counts, table, rule)
    for column in table.columns:
        if column.persons:
            hidden[column.name] |= hidden[column.persons]
    visible = frame[shown].astype(object).where(~hidden[shown], None)
    return ClearedTable(
        name=table.name,
        title=table.title,
        columns=table.columns,
        frame=visible,
        hidden=hidden[shown],
        threshold=rule.threshold,
        note=table.note,
        token=_CLEARED,
    )


Cell = tuple[int, str]


def _hide_complements(
    frame: pd.DataFrame, hidden: pd.DataFrame, counts: Sequence[str], table: Table, rule: DisclosureRule
) -> None:
    """Hide further counts, smallest first, until no hidden count can be narrowed to fewer than ``threshold`` values."""
    sums: list[list[Cell]] = [[(row, name) for row in rows] for rows in table.sums_down for name in counts]
    sums += [[(row, name) for name in names] for names in table.sums_across for row in frame.index]
    persons = {(row, name): float(frame[name].iloc[row]) for group in sums for row, name in group}
    unseen = {cell for cell in persons if hidden[cell[1]].iloc[cell[0]]}
    while True:
        exposed = _first_exposed(persons, unseen, sums, rule.threshold)
        open_cells = [cell for group in exposed for cell in group if cell not in unseen]
        # A zero protects nothing: whoever knows the trait knows that it is there.
        useful = [cell for cell in open_cells if persons[cell] > 0] or open_cells
        if not useful:
            break
        unseen.add(min(useful, key=lambda cell: (persons[cell], cell)))
    for row, name in unseen:
        hidden.loc[row, name] = True


def _first_exposed(
    persons: Mapping[Cell, float], unseen: Set[Cell], sums: Sequence[Sequence[Cell]], threshold: int
) -> list[Sequence[Cell]]:
    """Return the sums through which some hidden count can be narrowed too far; none when all are safe.

    For someone who knows every total and every open cell, the hidden cells are the non-negative solutions of a linear
    system; the smallest and largest value of each follow by linear programming.
    """
    cells = sorted(unseen)
    involved = [group for group in sums if any(cell in unseen for cell in group)]
    if not cells:
        return []
    equations = np.array([[float(cell in group) for cell in cells] for group in involved])
    totals = equations @ np.array([persons[cell] for cell in cells])
    for position, cell in enumerate(cells):
        aim = np.zeros(len(cells))
        aim[position] = 1.0
        lowest, highest = (
            np.asarray(linprog(sign * aim, A_eq=equations, b_eq=totals, bounds=(0, None), method="highs").x)[position]
            for sign in (1, -1)
        )
        if highest - lowest < threshold - 1e-6:
            # First the sums of this cell, then any other: what is open there fixes what is hidden here.
            for groups in ([group for group in involved if cell in group], involved):
                if any(other not in unseen for group in groups for other in group):
                    return groups
    return []


def persons_behind_share(n_with: pd.Series, n_all: pd.Series) -> pd.Series:
    """Return the smaller of those with and those without a trait, per row: what a share rests on.

    A share of exactly nobody or exactly everybody rests on the whole group.

    >>> persons_behind_share(pd.Series([2, 0, 97]), pd.Series([100, 100, 100])).tolist()
    [2, 100, 3]
    """
    smaller = pd.concat([n_with, n_all - n_with], axis=1).min(axis=1)
    return smaller.where(smaller > 0, n_all)


def persons_behind_difference(n_treated: pd.Series, n_comparison: pd.Series) -> pd.Series:
    """Return, per row, the smaller of two groups: what a difference rests on.

    Where a design has one group only, the numbers rest on that group.

    >>> persons_behind_difference(pd.Series([40, 3, 3]), pd.Series([50, 60, 0])).tolist()
    [40, 3, 3]
    """
    both = pd.concat(
        [n_treated.mask(n_treated == 0, n_comparison), n_comparison.mask(n_comparison == 0, n_treated)], axis=1
    )
    return both.min(axis=1)


def names_of_persons(values: Iterable[object]) -> frozenset[str]:
    """Return the identifiers that are distinctive enough to be searched for in published text.

    An identifier such as ``12`` would be found everywhere; from four characters on, a match means something.
    """
    return frozenset(text for value in values if len(text := str(value)) >= 4)
