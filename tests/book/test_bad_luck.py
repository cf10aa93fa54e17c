"""What goes wrong while a book is made: a failing chapter, a killed process, a full disk; never half a book."""

from __future__ import annotations

import dataclasses
import json
import os
import resource as limits
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

import virkning as vk
from virkning import book as book_module
from virkning import run as run_module
from virkning.engine import Kernels
from virkning.engine import kernels as open_kernels
from virkning.errors import BookError, DisclosureError, VirkningError
from virkning.provenance import write_atomically
from virkning.publication import Published
from virkning.resources import folder as resource
from virkning.run import texts as texts_module


@pytest.fixture(scope="module")
def kernels() -> Iterator[Kernels]:
    """One warm process for all tests of this file."""
    with open_kernels() as opened:
        yield opened


def publish(place: Path, **changes: object) -> Published:
    return vk.publish(vk.Programme.read("nsw", changes), runs=place / "runs", books=place / "_build")


@pytest.fixture
def stocked(tmp_path: Path, nsw) -> Path:
    """A folder that holds the finished run and book of the session."""
    source = nsw.html.parents[2]
    shutil.copytree(source / "runs", tmp_path / "runs")
    shutil.copytree(source / "_build", tmp_path / "_build")
    return tmp_path


def state(place: Path) -> dict[str, bytes]:
    html = place / "_build" / "nsw" / "html"
    return {path.relative_to(html).as_posix(): path.read_bytes() for path in html.rglob("*") if path.is_file()}


def test_unchanged_means_nothing_is_done_again(stocked: Path) -> None:
    before = state(stocked)
    start = time.monotonic()
    again = publish(stocked)
    assert again.run.n_executed == 0
    assert not again.book.is_new
    assert state(stocked) == before
    assert time.monotonic() - start < 5


def test_a_page_that_was_touched_is_made_again(stocked: Path) -> None:
    before = state(stocked)
    (stocked / "_build/nsw/html/index.html").write_text("scribble", encoding="utf-8")
    again = publish(stocked)
    assert again.run.n_executed == 0
    assert again.book.is_new
    assert state(stocked) == before


def edited(place: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> None:
    """Let one shipped chapter have another last cell; every other chapter has run already."""
    notebooks = shutil.copytree(resource("notebooks"), place / "notebooks")
    notebook = nbformat.read(notebooks / f"{name}.ipynb", as_version=4)
    notebook.cells.append(new_code_cell(source))
    nbformat.write(notebook, notebooks / f"{name}.ipynb")
    elsewhere(monkeypatch, "notebooks", notebooks)


def elsewhere(monkeypatch: pytest.MonkeyPatch, name: str, place: Path) -> None:
    for module in (run_module, texts_module):
        monkeypatch.setattr(module, "resource", lambda asked: place if asked == name else resource(asked))


def test_a_failing_chapter_publishes_nothing_and_finished_chapters_are_kept(
    stocked: Path, kernels: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited(stocked, monkeypatch, "data", "1 / 0")
    programme = vk.Programme.read("nsw")
    with pytest.raises(BookError, match="ZeroDivisionError"):
        run_module.run(programme, root=stocked / "runs", kernels=kernels)
    monkeypatch.undo()
    assert publish(stocked).run.n_executed == 0
    assert not publish(stocked).book.is_new


@pytest.mark.parametrize(
    "source",
    [
        "chapter.tables.participants",
        "chapter.tables.participants.head()",
        "print(chapter.tables.participants.iloc[0])",
        "chapter.tables.participants['earnings_1974_usd'].max()",
        "import matplotlib.pyplot as plt; plt.plot(chapter.tables.participants['age_years']); plt.show()",
    ],
)
def test_a_chapter_that_prints_persons_is_refused(
    stocked: Path, kernels: Kernels, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    before = state(stocked)
    edited(stocked, monkeypatch, "data", source)
    programme = vk.Programme.read("nsw")
    done = run_module.run(programme, root=stocked / "runs", kernels=kernels)
    assert done.reasons["data"] == "changed: its text"
    assert done.n_executed == 2, "the chapter, and the record of the new run"
    with pytest.raises(DisclosureError) as caught:
        book_module.build(programme, done, root=stocked / "_build")
    assert "chapter data" in str(caught.value)
    assert state(stocked) == before


def test_a_missing_method_chapter_fails_the_build(
    stocked: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    (empty / "methods").mkdir(parents=True)
    elsewhere(monkeypatch, "book", empty)
    with pytest.raises(BookError, match="has no chapter"):
        run_module.run(vk.Programme.read("nsw"), root=stocked / "runs")


def test_a_warning_of_the_build_is_an_error_and_the_old_book_stays(stocked: Path, tmp_path: Path, nsw) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(vk.Programme.read("nsw").folder, broken)
    (broken / "why.md").write_text("# Why\n\nSee {cite:p}`NobodyNowhere1900` and {doc}`nowhere`.\n", encoding="utf-8")
    before = state(stocked)
    programme, run = vk.Programme.read(broken), dataclasses.replace(nsw.published.run, fingerprint="another")
    with pytest.raises(BookError) as caught:
        book_module.build(programme, run, root=stocked / "_build")
    assert "why.md" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert state(stocked) == before


def needs_building(place: Path, *chapters: str) -> list[str]:
    """Forget that the book was built and that some chapters were run; return the command that makes up for it."""
    (place / "_build/nsw/built.json").unlink()
    for about in (place / "runs/.store/chapters").glob("*/about.json"):
        if json.loads(about.read_text(encoding="utf-8"))["chapter"] in chapters:
            shutil.rmtree(about.parent)
    for name in chapters:
        next((place / "runs/nsw").glob(f"*/notebooks/{name}.ipynb")).unlink()
    return [sys.executable, "-m", "virkning.cli", "book", "nsw"]


def test_a_full_disk_is_told_and_leaves_the_old_book(stocked: Path) -> None:
    """The limit on file size gives the same kind of error as a full disk, without filling one."""
    before = state(stocked)
    command = needs_building(stocked)

    def small_disk() -> None:
        limits.setrlimit(limits.RLIMIT_FSIZE, (1_500_000, 1_500_000))

    done = subprocess.run(command, cwd=stocked, capture_output=True, text=True, preexec_fn=small_disk, check=False)
    assert done.returncode == 1
    assert "The disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert state(stocked) == before
    assert not list((stocked / "_build/nsw").glob(".building-*"))


def test_writing_to_a_full_disk_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "results.json"
    write_atomically(target, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VirkningError, match="disk is full"):
        write_atomically(target, "new")
    assert target.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def kept(place: Path, chapters: Iterable[str]) -> dict[str, int]:
    """Return when each of some chapters was put into the store."""
    found = {}
    for about in (place / "runs/.store/chapters").glob("*/about.json"):
        name = json.loads(about.read_text(encoding="utf-8"))["chapter"]
        if name in chapters:
            found[name] = about.stat().st_mtime_ns
    return found


def test_a_killed_process_leaves_the_old_book_and_the_next_call_goes_on(stocked: Path) -> None:
    before = state(stocked)
    chapters = ("data", "checks", "subgroups")
    command = needs_building(stocked, *chapters)

    def start_and_kill(is_time: Callable[[], object]) -> None:
        process = subprocess.Popen(
            command, cwd=stocked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        deadline = time.monotonic() + 240
        while not is_time() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert state(stocked) == before

    start_and_kill(lambda: kept(stocked, chapters))
    finished = kept(stocked, chapters)
    assert finished
    start_and_kill(lambda: list(stocked.glob("_build/nsw/.building-*/out/*")))
    again = subprocess.run([*command, "--json"], cwd=stocked, capture_output=True, text=True, check=True)
    answer = json.loads(again.stdout)
    # Had anything changed since the session's book was made, the rest would not be true.
    assert not [why for why in answer["why"].values() if why.startswith("changed")]
    assert answer["chapters_executed"] == 0
    assert kept(stocked, finished) == finished
    assert not list((stocked / "_build/nsw").glob(".building-*"))
    assert state(stocked) == before


def test_a_kill_between_the_two_steps_of_the_swap_is_mended(stocked: Path) -> None:
    before = state(stocked)
    place = stocked / "_build" / "nsw"
    (place / "html").rename(place / ".old")
    book_module._recover(place)
    assert state(stocked) == before
    assert not publish(stocked).book.is_new
