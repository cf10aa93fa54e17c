"""Wrong designs are caught: every check has a world in which its assumption fails; the record is what code gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import virkning as vk
from virkning.checks import CHECKS
from virkning.errors import BookError, EstimationError
from virkning.simulation.wrong_designs import SCENES, measure_alarms
from virkning.simulation.wrong_designs.measure import EARLY, LETTERS
from virkning.simulation.wrong_designs.recorded import read_alarms, write_alarms

RECORD = {(item.scene, item.is_broken): item for item in read_alarms()}
# It tells how to read an unclear result, and never raises concern.
NEVER_JUDGES = {"power"}
# Quick ones, of all kinds of designs.
DRAWN_AGAIN = (
    "a lottery",
    "lost in both groups",
    "some live near",
    "one series of months",
    "an offer",
    "a hidden trait",
)
# Most are caught in these shares of draws at least. What many outcomes make clear by chance cannot be more than chance.
LEAST_CAUGHT, LEAST_OF_MANY_OUTCOMES = 0.5, 0.1
# Limits that are no tests at 5% (attrition, placements of a place among few) have false alarms of their own.
MOST_FALSE_ALARMS = 0.18


def test_every_check_that_judges_has_a_world() -> None:
    assert {scene.check for scene in SCENES.values()} == set(CHECKS) - NEVER_JUDGES


def test_every_world_is_recorded_in_both_versions() -> None:
    assert RECORD.keys() == {(name, is_broken) for name in SCENES for is_broken in (False, True)}
    for item in RECORD.values():
        assert item.check == SCENES[item.scene].check
        assert item.n_concern + item.n_no_concern + item.n_undecided == item.n_runs


@pytest.mark.parametrize("name", DRAWN_AGAIN)
def test_record_is_what_the_code_gives(name: str) -> None:
    """The first draws, again; whoever changes a check, a design or a scene runs «make validate»."""
    for again in measure_alarms(SCENES[name], n_runs=EARLY):
        assert again.early == RECORD[name, again.is_broken].early


@pytest.mark.parametrize("name", SCENES)
def test_wrong_ones_are_caught_and_sound_ones_are_not(name: str) -> None:
    well, broken = RECORD[name, False], RECORD[name, True]
    least = LEAST_OF_MANY_OUTCOMES if broken.check == "several_outcomes" else LEAST_CAUGHT
    assert broken.share_of_concern >= least
    assert well.share_of_concern <= MOST_FALSE_ALARMS
    assert broken.share_of_concern > well.share_of_concern


def test_tables_show_every_check_with_its_rates() -> None:
    rates, worlds = vk.alarms()
    assert len(rates.frame) == len(worlds.frame) == len(SCENES)
    for place, name in enumerate(SCENES):
        row = rates.frame.iloc[place]
        assert row["detected"] == RECORD[name, True].share_of_concern
        assert row["false_alarm"] == RECORD[name, False].share_of_concern
        assert row["detected"] + row["missed"] + row["open"] == pytest.approx(1)
    assert (worlds.frame["blind"].str.len() > 10).all()


def test_draws_repeat_whatever_their_number() -> None:
    few, more = (measure_alarms(SCENES["some live near"], n_runs=n) for n in (EARLY, EARLY + 2))
    assert [item.early for item in few] == [item.early for item in more]


def test_data_that_a_design_refuses_are_caught() -> None:
    scene = SCENES["an offer"]

    def nobody_moved(generator: np.random.Generator, is_broken: bool) -> vk.Tables:
        tables = scene.draw(generator, is_broken)
        people = tables.participants.assign(is_treated=np.arange(len(tables.participants)) % 2 == 0)
        people["is_offered"] = np.arange(len(people)) // 2 % 2 == 0
        return vk.Tables.of(people, tables.outcomes, dict(tables.measures), tables.schemas)

    found, _ = measure_alarms(replace(scene, draw=nobody_moved), n_runs=2)
    assert found.early == LETTERS[False] * 2


def test_a_draw_without_an_estimate_is_an_error() -> None:
    scene = SCENES["a lottery"]

    def all_alike(generator: np.random.Generator, is_broken: bool) -> vk.Tables:
        tables = scene.draw(generator, is_broken)
        outcomes = tables.outcomes.assign(value=1.0)
        return vk.Tables.of(tables.participants, outcomes, dict(tables.measures), tables.schemas)

    with pytest.raises(EstimationError, match="no estimate to be checked"):
        measure_alarms(replace(scene, draw=all_alike), n_runs=1)


def test_record_goes_through_a_file_unchanged(tmp_path: Path) -> None:
    write_alarms(RECORD.values(), tmp_path / "record.csv")
    assert read_alarms(tmp_path / "record.csv") == tuple(RECORD.values())
    with pytest.raises(BookError, match="No validation"):
        read_alarms(tmp_path / "missing.csv")


def test_reader_learns_of_no_person() -> None:
    for scene in SCENES.values():
        people = scene.draw(np.random.default_rng(1), True).participants
        assert people["participant_id"].str.fullmatch(r"P\d{6}").all()
