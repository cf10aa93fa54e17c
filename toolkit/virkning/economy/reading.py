"""``economy.yml`` with everything that it names: read, typed, and refused where it contradicts itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import ProgrammeError
from ..specification import Document, change, read_document, validate
from .prices import Library, costs_table, price_library
from .refusals import structure_problems
from .specification import Cost, EconomySpecification

FILE = "economy.yml"
Where = Callable[[tuple[str | int, ...]], str]


class Economy:
    """The economic side of a programme: its specification, its price library and its costs; immutable.

    Make one with :meth:`read` or :meth:`of`.
    """

    def __init__(
        self, specification: EconomySpecification, library: Library, costs: Mapping[str, Cost], where: Where
    ) -> None:
        self._specification, self._library, self._where = specification, library, where
        self._costs = MappingProxyType(dict(costs))
        for problem in structure_problems(specification, self._costs, library, where):
            raise problem

    @classmethod
    def read(cls, folder: str | Path, changes: Mapping[str, Any] | None = None) -> Economy:
        """Read ``economy.yml`` in a programme's folder.

        Parameters
        ----------
        folder : str or Path
            The programme's folder.
        changes : mapping of str to value, optional
            Dotted path to value, for this one run: ``{"discounting.rate": 0.02}``.

        Raises
        ------
        ProgrammeError
            The file is missing or wrong.
        DataError
            A table that it names cannot be read.
        UsageError
            A changed path does not exist or the value does not fit its type.
        """
        place = Path(folder)
        document = change(read_document(place / FILE, FILE), EconomySpecification, changes or {})
        return cls._of(validate(document, EconomySpecification), place, document.where)

    @classmethod
    def of(cls, specification: EconomySpecification) -> Economy:
        """Return the economy of a specification made in memory; it names no tables.

        Parameters
        ----------
        specification : EconomySpecification
            All of it.

        Raises
        ------
        ProgrammeError
            It contradicts itself, or names a table.
        """
        return cls._of(specification, None, Document(FILE, {}, {}).where)

    @classmethod
    def _of(cls, specification: EconomySpecification, folder: Path | None, where: Where) -> Economy:
        if folder is None and (specification.price_library or specification.costs_table):
            raise ProgrammeError(
                "programme.no_folder",
                "The specification names a table, and nothing says in which folder.",
                where=FILE,
                why="A path in it starts in the programme's folder.",
                do="Read it from the folder: Economy.read(folder).",
            )
        library = dict(price_library())
        costs = dict(specification.costs)
        if folder is not None and specification.price_library is not None:
            library |= price_library(folder, specification.price_library)
        if folder is not None and specification.costs_table is not None:
            read = costs_table(folder, specification.costs_table)
            for name in sorted(set(read) & set(costs)):
                raise ProgrammeError(
                    "programme.cost_twice",
                    f"The cost «{name}» stands in the file and in the specification.",
                    where=where(("costs", name)),
                    why="It would be counted twice, or one of the two would be dropped in silence.",
                    do="Remove one of them.",
                )
            costs |= read
        economy = cls(specification, MappingProxyType(library), costs, where)
        economy._folder = folder
        return economy

    _folder: Path | None = None

    @property
    def specification(self) -> EconomySpecification:
        """The typed document."""
        return self._specification

    @property
    def library(self) -> Library:
        """The price library with the programme's own file over it."""
        return self._library

    @property
    def costs(self) -> Mapping[str, Cost]:
        """Every line of costs, of the specification and of the table."""
        return self._costs

    def where(self, *steps: str | int) -> str:
        """Return how messages call a place in the document.

        Parameters
        ----------
        *steps : str or int
            The path.
        """
        return self._where(steps)

    def changed(self, changes: Mapping[str, Any]) -> Economy:
        """Return the same economy with other values at some dotted paths: a scenario.

        Parameters
        ----------
        changes : mapping of str to value
            As of :meth:`read`.

        Raises
        ------
        UsageError
            A path does not exist or the value does not fit its type.
        ProgrammeError
            What comes out contradicts itself.
        """
        document = Document(FILE, json.loads(self._specification.model_dump_json()), {})
        found = validate(change(document, EconomySpecification, changes), EconomySpecification)
        return self._of(found, self._folder, document.where)

    def __repr__(self) -> str:
        said = self._specification
        money = f"{said.currency} {said.price_year}"
        return f"Economy({len(self._costs)} costs, {len(said.consequences)} consequences, {money})"
