"""What may not divide the participants: anything that the programme itself may have changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..data import Tables
from ..designs import EvaluationDesign
from ..errors import DesignError
from .definitions import Subgroup, Vulnerability

# Fields of a design that name a column of what was offered or taken up.
_OF_THE_PROGRAMME = ("treatment", "takes_part", "arm", "cohort")
_WHY = (
    "The programme itself may have changed it. Those who look vulnerable afterwards are partly those whom it failed, "
    "so a difference among them is no effect."
)


def require_before_start(
    design: EvaluationDesign, tables: Tables, subgroups: Mapping[str, Subgroup], vulnerability: Vulnerability | None
) -> None:
    """Refuse groups that are made from anything that happened after the start.

    Parameters
    ----------
    design, tables
        The design and its data.
    subgroups : mapping of str to Subgroup
        As declared.
    vulnerability : Vulnerability, optional
        As declared.

    Raises
    ------
    DesignError
        A component of the index, or a subgroup, uses a declared outcome, a column whose role is «outcome» or
        «treatment», or one that the design uses for what was offered or taken up. All of them are named.
    """
    named = [(f"subgroups.{name}.column", item.column) for name, item in subgroups.items()]
    if vulnerability is not None:
        parts = enumerate(vulnerability.components)
        named = [(f"vulnerability.components.{place}.column", item.column) for place, item in parts] + named
    found = [(where, column, reason) for where, column in named if (reason := _reason(design, tables, column))]
    if not found:
        return
    index = [each for each in found if each[0].startswith("vulnerability")]
    what = "The index of vulnerability contains" if index else "A subgroup is made from"
    told = "; ".join(f"«{column}», which is {reason}" for _, column, reason in index or found)
    raise DesignError(
        "design.after_the_start",
        f"{what} what is only known after the start: {told}.",
        where=", ".join(where for where, _, _ in index or found),
        why=_WHY,
        do="Name columns that were measured before anybody was offered the programme.",
    )


def _reason(design: EvaluationDesign, tables: Tables, column: str) -> str:
    """Return why a column is not known at the start; empty when nothing says so."""
    return next(_reasons(design, tables, column), "")


def _reasons(design: EvaluationDesign, tables: Tables, column: str) -> Iterator[str]:
    if column in tables.measures:
        yield f"the outcome «{tables.measures[column].label}»"
    schema = tables.schemas["participants"]
    if column in schema.names:
        role = schema.field(column).role
        if role == "outcome":
            yield "declared as measured after the start (role: outcome)"
        if role == "treatment":
            yield "what the programme offered"
    for field in _OF_THE_PROGRAMME:
        if getattr(design, field, None) == column:
            yield f"the column that the design uses as «{field}»"
