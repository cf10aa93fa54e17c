"""The words about a programme: who takes part, what is done, why it should work, and how it is documented."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .specification import Specification


class Partner(Specification):
    """One organisation and its role."""

    name: str
    role: str = Field(description="What it does in the programme, in a few words.")
    kind: Literal["funder", "provider", "public", "evaluator", "other"] = "other"


class TargetGroup(Specification):
    """Whom the programme is for."""

    description: str = Field(description="Who they are, in a sentence.")
    eligibility: tuple[str, ...] = Field(default=(), description="The conditions for taking part, one per line.")
    place: str = ""


class FlowStep(Specification):
    """A step in the flow of participants that happened before the data begin, taken from a document."""

    label: str
    n: int = Field(ge=0, description="Number of persons after this step.")
    source: str = Field(default="", description="Citation key in references.bib.")


class Tidier(Specification):
    """The twelve items of TIDieR, the standard for describing an intervention so that others can repeat it.

    An item that is left out is printed as «not documented», since what is missing is a finding too.
    """

    brief_name: str = ""
    why: str = ""
    what_materials: str = ""
    what_procedures: str = ""
    who_provided: str = ""
    how: str = ""
    where: str = ""
    when_and_how_much: str = ""
    tailoring: str = ""
    modifications: str = ""
    how_well_planned: str = ""
    how_well_actual: str = ""

    def items(self) -> tuple[tuple[str, str, str], ...]:
        """Return (number, title, text) of the twelve items in the standard's order."""
        titles = {
            "brief_name": "Brief name",
            "why": "Why",
            "what_materials": "What: materials",
            "what_procedures": "What: procedures",
            "who_provided": "Who provided",
            "how": "How",
            "where": "Where",
            "when_and_how_much": "When and how much",
            "tailoring": "Tailoring",
            "modifications": "Modifications",
            "how_well_planned": "How well: planned",
            "how_well_actual": "How well: actual",
        }
        return tuple(
            (str(number), title, " ".join(str(getattr(self, name)).split()))
            for number, (name, title) in enumerate(titles.items(), start=1)
        )

    @property
    def n_documented(self) -> int:
        """Number of items that have a text."""
        return sum(bool(text) for _, _, text in self.items())


class Aim(Specification):
    """One outcome in the theory of change, linked to what is measured."""

    text: str
    measure: str | None = Field(default=None, description="The measure in the outcomes table that shows it.")


class TheoryOfChange(Specification):
    """From what goes in to what should come of it, with what must hold on the way."""

    inputs: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    outcomes: tuple[Aim, ...] = ()
    impact: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    external_factors: tuple[str, ...] = ()
