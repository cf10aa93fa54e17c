"""Every check can be asked of every design: it answers, or says what it lacks, and what it shows can be cleared."""

from __future__ import annotations

import pytest

from virkning.checks import BELONGING, CHECKS, CheckSettings, run_checks
from virkning.data import Tables
from virkning.designs import EvaluationDesign, estimate
from virkning.disclosure import DisclosureRule, clear
from virkning.report import curves

FEW = CheckSettings(permutations=100, missing_data_imputations=2, several_outcomes_draws=100)


def test_checks_answer_and_can_be_shown(name: str, design: EvaluationDesign, tables: Tables) -> None:
    others = tuple(check for check in CHECKS if check != "randomisation_inference")
    effects = estimate(design, tables)
    found = run_checks(design, tables, effects, settings=FEW.model_copy(update={"add": others}))
    assert set(found) == {*BELONGING[name], *others}
    for check in found.values():
        assert check.passed in (True, False, None)
        assert check.question
        assert check.reason
        assert check.sentence
        assert check.explanation
        cleared = clear(check.table, DisclosureRule())
        if check.drawing:
            assert curves.curve(cleared, check.drawing).content


@pytest.mark.parametrize("kind", BELONGING)
def test_every_design_has_checks_of_its_own(kind: str) -> None:
    assert BELONGING[kind]
