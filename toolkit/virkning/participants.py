"""Who was counted when: the flow of participants, and who of them has an outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from .data import Tables
from .description import FlowStep
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


def assigned(treatment: str, tables: Tables) -> Arms:
    """Return how many persons were assigned to each group.

    Parameters
    ----------
    treatment : str
        The boolean column of ``participants`` that says who was offered the programme.
    """
    offered = tables.participants[treatment].astype(bool)
    return Arms(int(offered.sum()), int((~offered).sum()))


def with_outcome(treatment: str, measure: str, tables: Tables) -> Arms:
    """Return how many persons of each group have the outcome."""
    frame = tables.analysis(measure)
    offered, known = frame[treatment].astype(bool), frame["value"].notna()
    return Arms(int((offered & known).sum()), int((~offered & known).sum()))


def participant_flow(steps: Sequence[FlowStep], treatment: str, tables: Tables, *, comparison: str) -> Table:
    """Return the flow of participants in the manner of CONSORT, for the primary outcome.

    Parameters
    ----------
    steps : sequence of FlowStep
        What documents tell of the time before the data begin.
    treatment : str
        The boolean column of ``participants``.
    comparison : str
        What the comparison group is called.
    """
    measure, outcome = next(iter(tables.measures.items()))
    start, end = assigned(treatment, tables), with_outcome(treatment, measure, tables)
    lost = Arms(start.treated - end.treated, start.comparison - end.comparison)
    rows: list[dict[str, object]] = [{"step": step.label, "everyone": step.n} for step in steps]
    rows.append({"step": "In the data", "everyone": start.everyone})
    first = len(rows)
    for label, arms in (("Assigned", start), (f"Without the outcome «{outcome.label}»", lost), ("Analysed", end)):
        rows.append({"step": label, "treated": arms.treated, "comparison": arms.comparison})
    columns = (
        Column("step", "Step"),
        Column("everyone", "Everyone", "count"),
        Column("treated", "Offered the programme", "count"),
        Column("comparison", comparison, "count"),
    )
    frame = pd.DataFrame(rows, columns=[column.name for column in columns])
    return Table(
        "participant-flow",
        "Flow of participants",
        columns,
        frame,
        # Those lost and those analysed add up to those assigned, which are shown.
        sums_down=((first + 1, first + 2),),
    )
