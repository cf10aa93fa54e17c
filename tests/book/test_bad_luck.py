"""What goes wrong while a book is made: a failing chapter, a killed process, a full disk; never half a book."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

import virkning as vk
from virkning import book as book_module
from virkning import run as run_module
from virkning.errors import BookError, DisclosureError, VirkningError

pytestmark = pytest.mark.xdist_group("nsw-book")


def publish(place: Path, **changes: object) -> object:
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


def edited(monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> None:
    """Let one shipped chapter have another last cell."""
    real = run_module.read_notebook

    def read(asked: str) -> nbformat.NotebookNode:
        notebook = real(asked)
        if asked == name:
            notebook.cells.append(new_code_cell(source))
        return notebook

    monkeypatch.setattr(run_module, "read_notebook", read)
    # The shipped files are as they were, so the run needs a name of its own.
    monkeypatch.setattr(run_module, "fingerprint", lambda _: vk.clear.__module__ + name + source)


def test_a_failing_chapter_publishes_nothing_and_finished_chapters_are_kept(
    stocked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(stocked)
    with monkeypatch.context() as patched:
        edited(patched, "data", "1 / 0")
        with pytest.raises(BookError, match="ZeroDivisionError"):
            publish(stocked)
        assert state(stocked) == before
        done = {path.stem for path in (stocked / "runs/nsw").glob("virkning*/notebooks/*.ipynb")}
        assert done == {"effects", "programme"}
    with monkeypatch.context() as patched:
        edited(patched, "data", "1 / 0")
        patched.setattr(run_module, "read_notebook", lambda name: nbformat.read(Path("notebooks") / f"{name}.ipynb", 4))
        patched.chdir(Path(__file__).parents[2])
        assert publish(stocked).run.n_executed == len(run_module.CHAPTERS) + 1 - len(done)


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
def test_a_chapter_that_prints_persons_is_refused(stocked: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    before = state(stocked)
    edited(monkeypatch, "data", source)
    with pytest.raises(DisclosureError) as caught:
        publish(stocked)
    assert "chapter data" in str(caught.value)
    assert state(stocked) == before


def test_a_missing_method_chapter_fails_the_build(
    stocked: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = run_module.resource
    empty = tmp_path / "empty"
    (empty / "methods").mkdir(parents=True)
    monkeypatch.setattr(run_module, "resource", lambda name: empty if name == "book" else real(name))
    with pytest.raises(BookError, match="has no chapter"):
        publish(stocked)


def test_a_warning_of_the_build_is_an_error_and_the_old_book_stays(stocked: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(vk.Programme.read("nsw").folder, broken)
    (broken / "why.md").write_text("# Why\n\nSee {cite:p}`NobodyNowhere1900` and {doc}`nowhere`.\n", encoding="utf-8")
    before = state(stocked)
    with pytest.raises(BookError) as caught:
        vk.publish(vk.Programme.read(broken), runs=stocked / "runs", books=stocked / "_build")
    assert "why.md" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert state(stocked) == before


def test_a_full_disk_is_told_and_leaves_the_old_book(stocked: Path) -> None:
    """The limit on file size gives the same kind of error as a full disk, without filling one."""
    before = state(stocked)
    limit = 200_000

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "virkning.cli", "book", "nsw", "-p", "design.confidence=0.8"]
    done = subprocess.run(command, cwd=stocked, capture_output=True, text=True, preexec_fn=small_disk, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert state(stocked) == before
    assert not list((stocked / "_build/nsw").glob(".building-*"))


def test_writing_to_a_full_disk_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from virkning.provenance import write_atomically

    target = tmp_path / "results.json"
    write_atomically(target, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VirkningError, match="disk is full"):
        write_atomically(target, "new")
    assert target.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("moment", ["chapter", "build"])
def test_a_killed_process_leaves_the_old_book_and_the_next_call_goes_on(stocked: Path, moment: str) -> None:
    before = state(stocked)
    command = [sys.executable, "-m", "virkning.cli", "book", "nsw", "-p", f"seed={1 if moment == 'chapter' else 2}"]
    process = subprocess.Popen(
        command, cwd=stocked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 120
    n_old = len(list((stocked / "runs/nsw").glob("*/notebooks/**/*.ipynb")))
    while time.monotonic() < deadline:
        begun = len(list((stocked / "runs/nsw").glob("*/notebooks/**/*.ipynb"))) - n_old
        if (moment == "chapter" and begun >= 2) or (
            moment == "build" and list((stocked / "_build/nsw").glob(".building-*/out"))
        ):
            break
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert state(stocked) == before
    again = subprocess.run([*command, "--json"], cwd=stocked, capture_output=True, text=True, check=True)
    n_chapters = len(run_module.CHAPTERS) + 1
    executed = int(again.stdout.split('"chapters_executed": ')[1].split(",")[0])
    assert executed < n_chapters
    assert not list((stocked / "_build/nsw").glob(".building-*"))


def test_a_kill_between_the_two_steps_of_the_swap_is_mended(stocked: Path) -> None:
    before = state(stocked)
    place = stocked / "_build" / "nsw"
    (place / "html").rename(place / ".old")
    book_module._recover(place)
    assert state(stocked) == before
    assert not publish(stocked).book.is_new
