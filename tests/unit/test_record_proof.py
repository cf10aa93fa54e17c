"""The same again gives the same: elsewhere in the world, with other kernels, in an editor, and in another order."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from virkning.data import read_data
from virkning.designs import estimate
from virkning.engine import kernels
from virkning.programme import Programme
from virkning.record import recorded, stored_runs, verify
from virkning.record.exhibits import exhibits
from virkning.record.journal import AT_WORK, Journal
from virkning.record.stored import StoredRun
from virkning.resources import example
from virkning.resources import folder as resource
from virkning.run import Run, pages_of, run, work

CHAPTERS = ("effects", "programme")
# Where only English letters can be written, with a time zone most of a day away; where the decimal point is a comma,
# and sets have no fixed order; and both together in the third kind of kernels.
ELSEWHERE = {
    "warm": {
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "OMP_NUM_THREADS": "2",
    },
    "pool": {"TZ": "America/St_Johns", "LC_ALL": "da_DK.ISO-8859-1", "LANGUAGE": "da", "PYTHONHASHSEED": "random"},
    "stock": {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONHASHSEED": "7"},
}

# What an editor does when all cells are run, in a process of its own.
EDITOR = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


def published(done: Run) -> dict[str, bytes]:
    files = [path for place in ("notebooks", "results") for path in (done.folder / place).rglob("*") if path.is_file()]
    return {path.relative_to(done.folder).as_posix(): path.read_bytes() for path in files}


def made(root: Path, kind: str, slots: int, chapters: tuple[str, ...] = CHAPTERS) -> dict[str, bytes]:
    # What is imported beforehand saves time where there are many chapters.
    with kernels(kind, slots=slots, **({"preload": ()} if kind == "pool" else {})) as opened:
        return published(run(Programme.read("nsw"), root=root, kernels=opened, chapters=chapters))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run leaves here, with two warm kernels at once."""
    found = made(tmp_path_factory.mktemp("runs"), "warm", 2)
    assert sorted(found) == ["notebooks/effects.ipynb", "notebooks/programme.ipynb", "results/effects.json"]
    return found


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_every_byte_is_the_same_elsewhere(
    kind: str, here: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another engine, one kernel for two, the chapters in reverse, another locale, time zone and hash seed."""
    for name, value in ELSEWHERE[kind].items():
        monkeypatch.setenv(name, value)
    in_order = work.in_order
    monkeypatch.setattr(work, "in_order", lambda tasks: in_order(list(tasks)[::-1]))
    # Kernels that are started beforehand are the same as stock ones, and take long to start: one chapter is enough.
    chapters = CHAPTERS if kind == "warm" else CHAPTERS[:1]
    found = made(tmp_path, kind, 1, chapters)
    assert found == {name: content for name, content in here.items() if name in found}
    assert "notebooks/effects.ipynb" in found


@pytest.mark.parametrize("name", ["nsw", "jtrain"])
def test_estimates_do_not_depend_on_the_order_of_the_rows(name: str, tmp_path: Path) -> None:
    """Draws do (which person is drawn depends on who stands where), so their p-values move within their own error."""
    place = shutil.copytree(example(name), tmp_path / name)
    before = Programme.read(place)
    found = estimate(before.design, read_data(before), seed=before.specification.seed)
    for table in (before.data.participants, before.data.outcomes):
        head, *rows = (place / table.path).read_text(encoding="utf-8").splitlines()
        np.random.default_rng(3).shuffle(rows)
        (place / table.path).write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    programme = Programme.read(place)
    tables = read_data(programme)
    assert tables.checksum != read_data(before).checksum or tables.participants["participant_id"].iloc[0] != "nsw-001"
    again = estimate(programme.design, tables, seed=programme.specification.seed)
    assert list(found) == list(again)
    for measure, one in found.items():
        first, second = one.effects, again[measure].effects
        assert first["term"].tolist() == second["term"].tolist()
        numbers = first.select_dtypes("number").columns
        assert len(numbers) >= 6
        np.testing.assert_allclose(first[numbers], second[numbers], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["effects", "programme"])
def test_notebook_opened_by_hand_gives_the_same(name: str, here: dict[str, bytes], tmp_path: Path) -> None:
    """As an editor does it: a stock kernel, nothing injected; where it stands, or as a copy in a user's own project."""
    source, target = resource("notebooks") / f"{name}.ipynb", tmp_path / "opened.ipynb"
    if name != "effects":
        source = Path(shutil.copy(source, tmp_path))
    subprocess.run([sys.executable, "-c", EDITOR, str(source), str(target)], cwd=source.parent, check=True)
    notebook = nbformat.read(target, as_version=4)
    ran = nbformat.reads(here[f"notebooks/{name}.ipynb"].decode(), as_version=4)
    shown = [(each.key, each.data) for each in exhibits(name, notebook)]
    assert shown == [(each.key, each.data) for each in exhibits(name, ran)]
    assert len(shown) > 3


@pytest.mark.parametrize("name", ["nsw", "trappen"])
def test_pages_of_a_whole_run_are_those_that_it_makes(name: str, tmp_path: Path) -> None:
    class Idle:
        def execute(self, notebook: Any, *_: Any, **__: Any) -> Any:
            return notebook

    programme = Programme.read(name)
    assert pages_of(programme) == run(programme, root=tmp_path, kernels=Idle()).pages


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, in_this_process: Any) -> StoredRun:
    """A run of two chapters."""
    root = tmp_path_factory.mktemp("runs")
    done = recorded(Programme.read("nsw"), root=root, kernels=in_this_process(), chapters=CHAPTERS)
    return StoredRun(done.folder)


@pytest.fixture
def copied(stored: StoredRun, tmp_path: Path) -> StoredRun:
    return StoredRun(shutil.copytree(stored.folder, tmp_path / "runs" / "nsw" / stored.folder.name))


def test_number_that_somebody_changed_in_a_result_is_found_and_not_said(
    copied: StoredRun, without_kernels: None
) -> None:
    file = copied.folder / "results/effects.json"
    text = file.read_text(encoding="utf-8")
    values = json.loads(text)
    assert "1794.342" in text
    file.write_text(text.replace("1794.342", "1894.342", 1), encoding="utf-8")
    tried = verify(copied, chapters=CHAPTERS)
    (found,) = tried.different
    assert (found.chapter, found.kind, found.name, found.n_different) == ("effects", "result file", "effects.json", 1)
    assert found.largest == pytest.approx(100 / 1894.342, rel=1e-3)
    assert found.detail.split(".")[0].removeprefix("at ") in values
    assert "1894" not in found.detail
    assert tried.touched == ("results/effects.json",)
    file.write_text("{", encoding="utf-8")
    assert [each.verdict for each in verify(copied, chapters=CHAPTERS).different] == ["differs"]


def test_sentence_that_somebody_wrote_into_a_chapter_is_found(copied: StoredRun, without_kernels: None) -> None:
    file = copied.folder / "notebooks/effects.ipynb"
    notebook = nbformat.read(file, as_version=4)
    next(cell for cell in notebook.cells if cell.cell_type == "markdown").source += "\n\nIt works for everybody."
    nbformat.write(notebook, file)
    (found,) = verify(copied, chapters=CHAPTERS).different
    assert (found.kind, found.detail) == ("text", "It works for everybody . → nothing")


def test_what_else_went_in_differently_is_told(copied: StoredRun, without_kernels: None) -> None:
    place = shutil.copytree(example("nsw"), copied.folder.parents[2] / "nsw")
    (place / "why.md").write_text("Because.", encoding="utf-8")
    (place / "notes.txt").write_text("New.", encoding="utf-8")
    record = json.loads((copied.folder / "record.json").read_text(encoding="utf-8"))
    record["packages"]["numpy"] = "0.1"
    (copied.folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    notes = json.loads((copied.folder / "journal.json").read_text(encoding="utf-8"))
    notes["surroundings"]["code"]["checksum"] = "another"
    (copied.folder / "journal.json").write_text(json.dumps(notes), encoding="utf-8")
    tried = verify(StoredRun(copied.folder), programme=place, chapters=["effects"])
    assert tried.is_proven
    (package,) = [words for words in tried.inputs if words.startswith("numpy: 0.1 → ")]
    assert [words for words in tried.inputs if words != package] == [
        "the toolkit's code: changed since the run",
        "the programme's file notes.txt: new",
        "the programme's file why.md: changed since the run",
    ]
    assert f"Went in differently: {package}" in tried.lines()


def test_damaged_or_missing_description_is_written_again(stored: StoredRun, in_this_process: Any) -> None:
    crate, readme = stored.folder / "ro-crate-metadata.json", stored.folder / "README.md"
    for damage in (lambda: crate.write_text("{", encoding="utf-8"), lambda: crate.write_text("[1]"), readme.unlink):
        damage()
        recorded(Programme.read("nsw"), root=stored.folder.parents[1], kernels=in_this_process(), chapters=CHAPTERS)
        assert json.loads(crate.read_text(encoding="utf-8"))["@graph"]
        assert readme.is_file()


def test_run_that_is_killed_in_its_first_chapter_is_interrupted(tmp_path: Path) -> None:
    class Killed:
        def execute(self, *_: Any, **__: Any) -> Any:
            (left,) = stored_runs(tmp_path)
            assert left.status == "running"
            (left.folder / AT_WORK).unlink()  # What a process that was killed leaves is the number of nobody.
            assert left.status == "interrupted"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recorded(Programme.read("nsw"), root=tmp_path, kernels=Killed(), chapters=["programme"])
    assert [left.status for left in stored_runs(tmp_path)] == ["interrupted"]


def test_two_processes_keep_each_others_notes(tmp_path: Path) -> None:
    """Who made a chapter knows when; whoever found it there does not; and the one still at work is seen to be."""
    programme = Programme.read("nsw")
    maker, finder = Journal(tmp_path, programme), Journal(tmp_path, programme)
    maker.chapter("effects", 1, 2, 3.0)
    finder.chapter("effects", 1, 2, 0.0)
    noted = json.loads((tmp_path / "journal.json").read_text(encoding="utf-8"))["chapters"]["effects"]
    assert noted["seconds"] == 3.0
    (tmp_path / AT_WORK).write_text("1", encoding="ascii")
    maker.end("finished")
    assert (tmp_path / AT_WORK).is_file()


def test_clock_that_was_set_back_loses_nothing(copied: StoredRun, in_this_process: Any) -> None:
    notes = json.loads((copied.folder / "journal.json").read_text(encoding="utf-8"))
    (copied.folder / "journal.json").write_text(
        json.dumps({**notes, "started": "2999-01-01T00:00:00Z", "status": "interrupted"}), encoding="utf-8"
    )
    recorded(Programme.read("nsw"), root=copied.folder.parents[1], kernels=in_this_process(), chapters=CHAPTERS)
    (again,) = stored_runs(copied.folder.parents[1])
    assert again.status == "finished"
    assert "Runtime" in (again.folder / "README.md").read_text(encoding="utf-8")
