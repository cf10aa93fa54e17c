"""What is estimated: the outcome that is measured, and the effect of what, on whom, compared with what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import Field

from .specification import Specification


class Outcome(Specification):
    """One measured outcome of a programme, as declared under ``outcomes`` in ``programme.yml``."""

    label: str = Field(description="Name that a reader understands, such as «Earnings in 1978».")
    unit: str = Field(description="Unit of one value: «USD», «months», «share» for a yes/no outcome (0 to 1).")
    kind: Literal["amount", "share", "count"] = Field(
        description="amount: a quantity; share: 0 or 1 per person, read as «per 100 people»; count: whole numbers."
    )
    period: str = Field(description="The period in the outcomes table at which the effect is estimated.")
    horizon: str = Field(
        default="", description="When that is, seen from the start: «two to three years after assignment»."
    )
    better: Literal["higher", "lower"] = Field(default="higher", description="Which direction is good for people.")
    primary: bool = Field(default=False, description="The outcome of the headline; exactly one per programme.")


@dataclass(frozen=True)
class Estimand:
    """The effect of what, on whom, on which outcome, in which unit, over which horizon, compared with what.

    Attributes
    ----------
    quantity : str
        The field's term, such as ``average treatment effect``.
    population, comparison : str
        On whom, and against what, in words that fit into a sentence.
    measure : str
        Name of the measure in the outcomes table.
    outcome, unit, kind, horizon, better : str
        As declared by :class:`Outcome`.
    """

    quantity: str
    population: str
    comparison: str
    measure: str
    outcome: str
    unit: str
    kind: str
    period: str
    horizon: str
    better: str

    @classmethod
    def of(cls, measure: str, outcome: Outcome, *, quantity: str, population: str, comparison: str) -> Estimand:
        """Return the estimand of one declared outcome."""
        return cls(
            quantity=quantity,
            population=population,
            comparison=comparison,
            measure=measure,
            outcome=outcome.label,
            unit=outcome.unit,
            kind=outcome.kind,
            period=outcome.period,
            horizon=outcome.horizon,
            better=outcome.better,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)
