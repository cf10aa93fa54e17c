"""Whom the flow of participants calls analysed are those whom the estimate rests on, whatever the design."""

from __future__ import annotations

import numpy as np
import pytest

from virkning.data import Tables
from virkning.designs import EvaluationDesign, estimate
from virkning.disclosure import DisclosureRule, clear
from virkning.participants import assigned, participant_flow

N_LOST = 14


@pytest.fixture(scope="module")
def with_losses(tables: Tables) -> Tables:
    """Return the example with some persons' primary outcome lost in all periods, besides what it lacks already."""
    lost = tables.participants["participant_id"].iloc[-N_LOST:]
    outcomes = tables.outcomes
    is_lost = outcomes["participant_id"].isin(lost) & (outcomes["measure"] == next(iter(tables.measures)))
    return Tables.of(tables.participants, outcomes[~is_lost], tables.measures, tables.schemas)


def test_analysed_are_those_of_the_estimate(design: EvaluationDesign, with_losses: Tables) -> None:
    compared = []
    for measure, result in estimate(design, with_losses, seed=3).items():
        if not result.is_available:
            continue
        left_out = np.zeros(len(with_losses.participants), dtype=bool)
        for exclusion in design.exclusions(with_losses, measure):
            assert exclusion.persons.dtype == np.bool_
            assert exclusion.persons.shape == left_out.shape
            assert exclusion.reason
            left_out |= exclusion.persons
        treated = design.is_in_programme(with_losses, measure)
        first = result.effects.iloc[0]
        counts = int((treated & ~left_out).sum()), int((~treated & ~left_out).sum())
        assert counts == (first["n_treated"], first["n_comparison"]), measure
        compared.append(measure)
    assert next(iter(with_losses.measures)) in compared


def test_flow_adds_up(design: EvaluationDesign, with_losses: Tables) -> None:
    table = participant_flow((), design, with_losses, comparison="Comparison")
    steps = table.frame.set_index("step")
    for arm in ("treated", "comparison"):
        column = steps[arm].dropna()
        assert column.index[0] == "Assigned"
        assert column.index[-1] == "Analysed"
        assert column.iloc[0] == column.iloc[1:].sum()
    measure = next(iter(with_losses.measures))
    start = assigned(design, with_losses, measure)
    assert start.everyone == steps.loc["In the data", "everyone"] == len(with_losses.participants)
    reasons = [item.reason for item in design.exclusions(with_losses, measure)]
    assert steps.index[2] == reasons[0]
    assert list(steps.index[2:-1]) == [reason for reason in reasons if reason in steps.index]
    assert steps.loc[reasons[0], ["treated", "comparison"]].sum() >= N_LOST
    assert len(clear(table, DisclosureRule()).frame) == len(steps)
