"""What is estimated: the outcome that is measured, and the effect of what, on whom, compared with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import Field

from .specification import Specification


class Benchmark(Specification):
    """The same effect as a stronger design found it: shown beside the estimates, never mixed with them."""

    label: str = Field(min_length=1, description="Who found it, and how: «The lottery (Dehejia and Wahba 1999)».")
    value: float = Field(allow_inf_nan=False, description="The published effect, in the unit of the outcome.")
    std_error: float = Field(gt=0, allow_inf_nan=False, description="Its published standard error.")
    source: str = Field(min_length=1, description="Citation key in references.bib.")


class Outcome(Specification):
    """One measured outcome of a programme, as declared under ``outcomes`` in ``programme.yml``."""

    label: str = Field(description="Name that a reader understands, such as «Earnings in 1978».")
    unit: str = Field(description="Unit of one value: «USD», «months», «share» for a yes/no outcome (0 to 1).")
    kind: Literal["amount", "share", "count", "log"] = Field(
        description="amount: a quantity; share: 0 or 1 per person, read as «per 100 people»; count: whole numbers; "
        "log: the natural logarithm of a quantity, whose differences are also said in per cent."
    )
    period: str = Field(description="The period in the outcomes table at which the effect is estimated.")
    horizon: str = Field(
        default="", description="When that is, seen from the start: «two to three years after assignment»."
    )
    better: Literal["higher", "lower", "neither"] = Field(
        default="higher", description="Which direction is good for people; neither: that is not for the book to say."
    )
    primary: bool = Field(default=False, description="The outcome of the headline; exactly one per programme.")
    smallest_relevant: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="The smallest effect that matters, in the unit of the outcome (a share: 0 to 1), in either "
        "direction. With it the verdict tells «no effect worth the name» from «too uncertain to say».",
    )
    smallest_relevant_reason: str = Field(
        default="", description="Why the smallest effect that matters is that one: a sentence for the book."
    )
    benchmark: Benchmark | None = Field(
        default=None, description="The same effect from a stronger design, to hold the estimates against."
    )


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
    benchmark : Benchmark, optional
        As declared by :class:`Outcome`.
    smallest_relevant : float, optional
        As declared by :class:`Outcome`, in the outcome's unit.
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
    benchmark: Benchmark | None = None
    smallest_relevant: float | None = None

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
            benchmark=outcome.benchmark,
            smallest_relevant=outcome.smallest_relevant,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        benchmark = None if self.benchmark is None else self.benchmark.model_dump(mode="json")
        return {**asdict(self), "benchmark": benchmark}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Estimand:
        """Return the estimand that :meth:`to_dict` wrote."""
        benchmark = values.get("benchmark")
        return cls(**{**values, "benchmark": None if benchmark is None else Benchmark.model_validate(benchmark)})
