"""Made-up worlds: every design has one, draws repeat, and the record in the book is what the code still gives."""

from pathlib import Path

import numpy as np
import pytest

from virkning.designs import DESIGNS
from virkning.errors import BookError, EstimationError
from virkning.simulation import WORLDS, World, measure_reliability, read_record, reliability
from virkning.simulation.coverage import EARLY
from virkning.simulation.recorded import write_record

RECORD = read_record()


def test_every_design_has_a_world() -> None:
    assert {world.design.words.chapter for world in WORLDS.values()} == set(DESIGNS)


@pytest.mark.parametrize("name", WORLDS)
def test_record_is_what_the_code_gives(name: str) -> None:
    """The first draws of the recorded validation, drawn again; whoever changes an estimator runs «make validate»."""
    recorded = {item.term: item for item in RECORD if item.world == name}
    again = {item.term: item for item in measure_reliability(WORLDS[name], n_runs=EARLY)}
    assert recorded.keys() == again.keys()
    for term, item in again.items():
        assert item.early_mean == pytest.approx(recorded[term].early_mean, rel=1e-7), term
        assert item.truth == recorded[term].truth


def test_record_is_of_a_full_validation() -> None:
    assert {item.n_runs for item in RECORD} == {1000}


@pytest.mark.parametrize("chapter", DESIGNS)
def test_tables_show_failures(chapter: str) -> None:
    for table in reliability(chapter):
        found = {item.term: item for item in RECORD if f"reliability-{item.world.replace(' ', '-')}" == table.name}
        for row in table.frame.itertuples():
            item = found[str(row.term)]
            assert str(row.verdict).startswith("yes" if item.is_unbiased and item.has_coverage else "no: ")


def test_sound_ways_hold_and_misled_ones_fail() -> None:
    """Two of a hundred sound ways fall outside by chance; whoever is misled by a world is outside."""
    misled = [item for item in RECORD if item.term in WORLDS[item.world].misled]
    assert misled
    assert all(not (item.is_unbiased and item.has_coverage) for item in misled)


def test_draws_repeat_whatever_their_number() -> None:
    world = WORLDS["only participants"]
    few, more = (measure_reliability(world, n_runs=n)[0] for n in (EARLY, EARLY + 3))
    assert few.early_mean == more.early_mean
    assert few.mean != more.mean


def test_a_wrong_truth_is_caught() -> None:
    sound = WORLDS["only participants"]
    wrong = World("only participants", sound.words, sound.design, {"change": sound.truths["change"] + 3}, sound.draw)
    (found,) = measure_reliability(wrong, n_runs=60)
    assert not found.is_unbiased
    assert not found.has_coverage


def test_a_term_that_never_comes_is_an_error() -> None:
    sound = WORLDS["only participants"]
    with pytest.raises(EstimationError, match="was never estimated"):
        measure_reliability(World("x", "", sound.design, {"no such": 1.0}, sound.draw), n_runs=2)


def test_record_goes_through_a_file_unchanged(tmp_path: Path) -> None:
    write_record(RECORD, tmp_path / "record.csv")
    assert read_record(tmp_path / "record.csv") == RECORD
    with pytest.raises(BookError, match="No validation"):
        read_record(tmp_path / "missing.csv")


def test_worlds_give_made_up_persons_only() -> None:
    for world in WORLDS.values():
        people = world.draw(np.random.default_rng(3)).participants
        assert people["participant_id"].str.fullmatch(r"P\d{6}").all()
