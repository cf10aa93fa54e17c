"""A programme: one folder, one typed specification, composed of what each stage defines for itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, model_validator

from .checks import CheckSettings
from .contract import Contract
from .data import DataSpecification
from .description import FlowStep, Partner, TargetGroup, TheoryOfChange, Tidier
from .designs import Design
from .disclosure import DisclosureRule
from .economy import Economy
from .errors import ProgrammeError, UsageError, did_you_mean
from .estimand import Outcome
from .language import Participants
from .permission import Permitted, require_permission
from .planning import Plan
from .provenance import checksum, tree_checksum
from .resources import SPECIFICATION as FILE
from .resources import find_programme as find
from .specification import Specification, change, read_document, validate
from .subgroups import Reach, Subgroup, Vulnerability

# Both are optional; changes of them begin with the name: ``contract.metrics...``, ``economy.discounting...``.
CONTRACT, ECONOMY = "contract.yml", "economy.yml"
PROSE = ("what.md", "why.md", "how.md")


class Publication(Specification):
    """How the book is published."""

    disclosure: DisclosureRule = DisclosureRule()
    authors: tuple[str, ...] = ()
    strengths: tuple[str, ...] = Field(
        default=(), description="What this programme's results can show; one sentence each."
    )
    limits: tuple[str, ...] = Field(
        default=(), description="What this programme's results cannot show; one sentence each."
    )
    notice: str = Field(default="", description="A line on every page, such as «Synthetic people: for practice only».")


class ProgrammeSpecification(Specification):
    """Everything that ``programme.yml`` can say."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{1,40}$", description="Short name: small letters, digits, - and _.")
    title: str = Field(min_length=1)
    subtitle: str = ""
    language: Literal["en"] = Field(default="en", description="Language of the generated text.")
    summary: str = Field(min_length=1, description="What the programme is, in one or two sentences.")
    place: str = ""
    period: str = Field(default="", description="When it ran, such as «1975 to 1979».")
    target_group: TargetGroup
    partners: tuple[Partner, ...] = ()
    tidier: Tidier = Tidier()
    theory_of_change: TheoryOfChange = TheoryOfChange()
    data: DataSpecification | None = Field(
        default=None, description="Where the data are; left out while the programme is only planned."
    )
    plan: Plan | None = Field(
        default=None, description="What is expected before the data exist: how many people, and of which outcome."
    )
    participants: Participants = Field(
        default=Participants(), description="What one row of the data is called where words are generated."
    )
    flow: tuple[FlowStep, ...] = ()
    design: Design
    outcomes: dict[str, Outcome] = Field(min_length=1)
    checks: CheckSettings = CheckSettings()
    subgroups: dict[str, Subgroup] = {}
    vulnerability: Vulnerability | None = None
    reach: Reach | None = Field(default=None, description="Who was eligible, to hold those reached against.")
    publication: Publication = Publication()
    seed: int = Field(default=1, ge=0, description="Start of every random number in the run.")

    @model_validator(mode="after")
    def _one_primary_outcome(self) -> ProgrammeSpecification:
        n_primary = sum(outcome.primary for outcome in self.outcomes.values())
        if n_primary != 1:
            raise ValueError(f"Exactly one outcome must say «primary: true»; {n_primary} do.")
        known = set(self.outcomes)
        for aim in self.theory_of_change.outcomes:
            if aim.measure is not None and aim.measure not in known:
                raise ValueError(
                    f"The theory of change names the measure «{aim.measure}», which is not among the outcomes. "
                    + did_you_mean(aim.measure, known)
                )
        return self

    @model_validator(mode="after")
    def _has_data_or_plan(self) -> ProgrammeSpecification:
        if self.data is None and self.plan is None:
            raise ValueError("The key «data» is missing; a programme without data yet needs the key «plan».")
        for measure in self.plan.other_outcomes if self.plan else ():
            if measure not in self.outcomes:
                raise ValueError(
                    f"The plan names the measure «{measure}», which is not among the outcomes. "
                    + did_you_mean(measure, self.outcomes)
                )
        return self


class Programme:
    """A programme's folder with its validated specification; immutable.

    Parts of the specification are read as attributes: ``programme.design``, ``programme.outcomes``, ``programme.data``.
    """

    def __init__(
        self,
        folder: Path,
        specification: ProgrammeSpecification,
        changes: Mapping[str, Any],
        contract: Contract | None = None,
        economy: Economy | None = None,
    ) -> None:
        self._folder, self._specification, self._changes = folder, specification, dict(changes)
        self._contract, self._economy = contract, economy
        self._resolved: dict[str, Any] | None = None
        self._permission: tuple[frozenset[str], str] | None = None

    @classmethod
    def read(cls, place: str | Path, changes: Mapping[str, Any] | None = None) -> Programme:
        """Read and validate a programme.

        Parameters
        ----------
        place : str or Path
            A folder, or the name of a programme below ``programmes/`` here or among the shipped ones.
        changes : mapping of str to value, optional
            Dotted path to value, for this one run: ``{"design.confidence": 0.90}``; paths that begin with ``contract.``
            or ``economy.`` change the files of these names.

        Raises
        ------
        ProgrammeError
            There is no such programme, or its specification, contract or economy is wrong.
        DataError
            A table that the economy names cannot be read.
        UsageError
            A changed path does not exist or the value does not fit its type.
        """
        found = find(place)
        given = dict(changes or {})
        of_contract = _taken(given, "contract", found / CONTRACT)
        of_economy = _taken(given, "economy", found / ECONOMY)
        document = change(read_document(found / FILE, FILE), ProgrammeSpecification, given)
        specification = validate(document, ProgrammeSpecification)
        missing = [name for name in PROSE if not (found / name).is_file()]
        if missing:
            raise ProgrammeError(
                "programme.missing_prose",
                f"The programme has no {' and no '.join(missing)}.",
                where=found.name,
                why="A reader needs to know what is done, why and how before believing what comes of it.",
                do=f"Write {missing[0]}: one heading and a few paragraphs.",
            )
        contract = Contract.read(found, of_contract) if (found / CONTRACT).is_file() else None
        steps = {path.partition(".")[2]: value for path, value in of_economy.items()}
        economy = Economy.read(found, steps) if (found / ECONOMY).is_file() else None
        return cls(found, specification, changes or {}, contract, economy)

    def only(self, parts: Collection[str], chapter: str) -> Programme:
        """Return the programme as a chapter gets it, which may read only what it declares.

        Parameters
        ----------
        parts : collection of str
            Dotted paths of the specification, ``contract``, ``economy``; anything else is refused when it is read.
        chapter : str
            Its name.
        """
        known = frozenset({"id", *parts})
        permitted = cast(ProgrammeSpecification, Permitted(self._specification, known, chapter))
        programme = Programme(self._folder, permitted, self._changes, self._contract, self._economy)
        programme._permission = (known, chapter)
        return programme

    def _require(self, part: str) -> None:
        if self._permission is not None:
            require_permission(part, *self._permission)

    @property
    def folder(self) -> Path:
        """The programme's folder."""
        return self._folder

    @property
    def name(self) -> str:
        """The short name, also the name of its book."""
        return self._specification.id

    @property
    def specification(self) -> ProgrammeSpecification:
        """The whole typed specification, with the changes of this run."""
        return self._specification

    @property
    def changes(self) -> dict[str, Any]:
        """The dotted paths that were changed for this run; a copy."""
        return dict(self._changes)

    @property
    def design(self) -> Design:
        """The evaluation design."""
        return self._specification.design

    @property
    def data(self) -> DataSpecification:
        """Where the data are.

        Raises
        ------
        ProgrammeError
            The programme is only planned.
        """
        if self._specification.data is None:
            raise ProgrammeError(
                "programme.no_data",
                "The programme has no data yet.",
                where=FILE,
                why="It is only planned: there is nothing to estimate.",
                do="Publish its plan with «virkning book», or say under «data» where the data are.",
            )
        return self._specification.data

    @property
    def is_planned(self) -> bool:
        """Whether there are no data yet, only a plan."""
        return self._specification.data is None

    @property
    def plan(self) -> Plan:
        """What was expected before the data existed.

        Raises
        ------
        ProgrammeError
            The programme has no plan.
        """
        if self._specification.plan is None:
            raise ProgrammeError(
                "programme.no_plan",
                "The programme has no plan.",
                where=FILE,
                why="How small an effect can be seen follows from how many people there are and how they differ.",
                do="Say under «plan» at least people, and baseline_share or standard_deviation.",
            )
        return self._specification.plan

    @property
    def contract(self) -> Contract:
        """The outcomes contract.

        Raises
        ------
        ProgrammeError
            The programme has none.
        """
        self._require("contract")
        if self._contract is None:
            raise ProgrammeError(
                "programme.no_contract",
                f"The programme has no {CONTRACT}.",
                where=self.name,
                why="Nothing is paid without a contract's terms.",
                do="Write one; «virkning schema contract» prints what it can say.",
            )
        return self._contract

    @property
    def has_contract(self) -> bool:
        """Whether somebody pays by results."""
        self._require("contract")
        return self._contract is not None

    @property
    def economy(self) -> Economy:
        """What the programme costs, and what its effects are worth.

        Raises
        ------
        ProgrammeError
            The programme says nothing about either.
        """
        self._require("economy")
        if self._economy is None:
            raise ProgrammeError(
                "programme.no_economy",
                f"The programme has no {ECONOMY}.",
                where=self.name,
                why="Whether it pays cannot be told without costs and values.",
                do="Write one; «virkning schema economy» prints what it can say.",
            )
        return self._economy

    @property
    def has_economy(self) -> bool:
        """Whether costs and values are known."""
        self._require("economy")
        return self._economy is not None

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """The outcomes by measure, the primary one first."""
        return dict(sorted(self._specification.outcomes.items(), key=lambda item: not item[1].primary))

    @property
    def disclosure(self) -> DisclosureRule:
        """The rule of disclosure control in force."""
        return self._specification.publication.disclosure

    def resolved(self) -> dict[str, Any]:
        """Return the specification with all defaults, as plain values; contract and economy under their names."""
        if self._resolved is None:
            values = self._specification.model_dump(mode="json")
            if self._contract is not None:
                values["contract"] = self._contract.model_dump(mode="json")
            if self._economy is not None:
                values["economy"] = self._economy.specification.model_dump(mode="json")
            self._resolved = values
        return deepcopy(self._resolved)

    def checksum(self) -> str:
        """Return the SHA-256 of the resolved specification and every file in the folder (data and prose)."""
        return checksum(json.dumps(self.resolved(), sort_keys=True), tree_checksum(self._folder))

    def __repr__(self) -> str:
        return f"Programme({self.name!r}, title={self._specification.title!r})"


def _taken(changes: dict[str, Any], part: str, file: Path) -> dict[str, Any]:
    """Take the changes of one part out of those of the programme.

    Raises
    ------
    UsageError
        There are some, and no such file.
    """
    taken = {path: changes.pop(path) for path in list(changes) if path.partition(".")[0] == part}
    if taken and not file.is_file():
        raise UsageError(
            "usage.unknown_path",
            f"There is no «{next(iter(taken))}»: the programme has no {file.name}.",
            where=file.parent.name,
            why="A change of what does not exist would silently change nothing.",
            do=f"Write {file.name}, or leave the change out.",
        )
    return taken
