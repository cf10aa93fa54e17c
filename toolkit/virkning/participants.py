"""Who was counted when: the flow of participants, from those before the data to those whom the estimate rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .data import Tables
from .description import FlowStep
from .designs.evaluation import EvaluationDesign, Persons
from .disclosure import Column, Table


@dataclass(frozen=True)
class Arms:
    """Numbers of persons in the two groups."""

    treated: int
    comparison: int

    @property
    def everyone(self) -> int:
        """Both groups together."""
        return self.treated + self.comparison


def assigned(design: EvaluationDesign, tables: Tables, measure: str) -> Arms:
    """Return how many persons there are in each group before anybody is left out.

    Parameters
    ----------
    design : EvaluationDesign
        Found sound for these tables.
    tables : Tables
        Validated data.
    measure : str
        The outcome.
    """
    treated = design.is_in_programme(tables, measure)
    sizes = design.persons_in_rows(tables)
    return Arms(int(sizes[treated].sum()), int(sizes[~treated].sum()))


def participant_flow(
    steps: Sequence[FlowStep], design: EvaluationDesign, tables: Tables, *, comparison: str, seed: int = 0
) -> Table:
    """Return the flow of participants in the manner of CONSORT, for the primary outcome.

    After those assigned comes one line for each reason why the design leaves persons out. A reason that hits nobody has
    no line, but for the first, so that a reader sees that it was asked. Whoever is left out is counted once, at the
    first of the reasons.

    Parameters
    ----------
    steps : sequence of FlowStep
        What documents tell of the time before the data begin.
    design : EvaluationDesign
        Found sound for these tables.
    tables : Tables
        Validated data.
    comparison : str
        What the comparison group is called.
    seed : int
        That of the estimate, where a draw decides who is left out.
    """
    measure = next(iter(tables.measures))
    treated, sizes = design.is_in_programme(tables, measure), design.persons_in_rows(tables)
    remaining = np.ones(len(treated), dtype=bool)
    rows: list[dict[str, object]] = [{"step": step.label, "everyone": step.n} for step in steps]
    rows.append({"step": "In the data", "everyone": int(sizes.sum())})
    rows.append(_split("Assigned", remaining, treated, sizes))
    first = len(rows)
    for rank, exclusion in enumerate(design.exclusions(tables, measure, seed=seed)):
        lost = remaining & exclusion.persons
        if rank == 0 or lost.any():
            rows.append(_split(exclusion.reason, lost, treated, sizes))
        remaining &= ~exclusion.persons
    rows.append(_split("Analysed", remaining, treated, sizes))
    columns = (
        Column("step", "Step"),
        Column("everyone", "Everyone", "count"),
        Column("treated", "Offered the programme", "count"),
        Column("comparison", comparison, "count"),
    )
    last = len(rows) - 1
    # Those left out and those analysed add up to those assigned, which are shown. With several reasons, those left out
    # have a known sum too: other tables show how many were analysed.
    sums = [tuple(range(first, last + 1)), *([tuple(range(first, last))] if last - first > 1 else [])]
    return Table(
        "participant-flow",
        "Flow of participants",
        columns,
        pd.DataFrame(rows, columns=[column.name for column in columns]),
        sums_down=tuple(sums),
    )


def _split(label: str, rows: Persons, treated: Persons, sizes: NDArray[np.int64]) -> dict[str, object]:
    """Return a step of the flow in which the two groups are counted."""
    return {"step": label, "treated": int(sizes[rows & treated].sum()), "comparison": int(sizes[rows & ~treated].sum())}
