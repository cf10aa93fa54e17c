"""Nothing is done twice, and nothing that has changed is left as it was; the kernel here runs nothing and counts."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from virkning.chapter import Chapter
from virkning.digests import TOOLKIT
from virkning.errors import BookError, UsageError
from virkning.programme import Programme, find
from virkning.resources import SCOPE
from virkning.resources import folder as resource
from virkning.run import Run, chapters_of, run
from virkning.run import inputs as inputs_module
from virkning.run.chapters import CHAPTERS, Entry
from virkning.run.work import Task, in_order
from virkning.unchanged import Question

MONEY = {"economy", "sensitivity"}


class CountingKernels:
    """Runs no cell; leaves the results that a chapter declares, made of what may have changed them."""

    def __init__(self, on: Callable[[str], None] = lambda name: None) -> None:
        self.ran: list[str] = []
        self._on = on

    def execute(self, notebook, name, parameters, folder, timeout_seconds=600):
        self._on(name)
        self.ran.append(name)
        if parameters:
            place = Path(parameters["run"])
            scope = json.loads((place / SCOPE).read_text(encoding="utf-8"))
            design = Programme.read(parameters["programme"], parameters["changes"]).design
            for file in scope["results"]:
                (place / "results").mkdir(exist_ok=True)
                (place / "results" / file).write_text(f"{name} at {design.confidence}", encoding="utf-8")
        return notebook


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(find("nsw"), tmp_path / "nsw")


def ran(folder: Path, changes: dict[str, object] | None = None, **options) -> tuple[set[str], Run]:
    kernels = options.pop("kernels", None) or CountingKernels()
    done = run(Programme.read(folder, changes), root=folder.parent / "runs", kernels=kernels, **options)
    assert len(kernels.ran) == len(set(kernels.ran)) == done.n_executed
    return set(kernels.ran), done


def pages(done: Run) -> dict[str, bytes]:
    places = ("notebooks", "results")
    files = [path for name in places for path in sorted((done.folder / name).rglob("*")) if path.is_file()]
    return {path.relative_to(done.folder).as_posix(): path.read_bytes() for path in files}


def test_the_same_again_runs_nothing(folder: Path) -> None:
    first, done = ran(folder)
    assert first == set(done.pages)
    again, _ = ran(folder)
    assert again == set()


def test_a_change_runs_what_reads_it_and_nothing_else(folder: Path) -> None:
    _, done = ran(folder)
    assert {entry.name for entry in done.entries} > MONEY
    money, changed = ran(folder, {"economy.discounting.rate": 0.02})
    assert money == {*MONEY, "index", "record"}
    assert changed.reasons["economy"] == "changed: economy"
    assert changed.reasons["effects"] == "made before of the same inputs"
    assert changed.fingerprint != done.fingerprint
    authors, _ = ran(folder, {"publication.authors": ["Somebody"]})
    assert authors == {"record"}
    steps, _ = ran(folder, {"flow": []})
    assert steps == {"data", "record"}


def test_what_builds_on_a_result_runs_when_the_result_changes(folder: Path) -> None:
    ran(folder)
    changed, done = ran(folder, {"design.confidence": 0.9})
    # The programme's own chapter reads no design; sensitivity reads the estimates alone.
    assert "programme" not in changed
    assert not any(name.startswith("methods/") for name in changed)
    assert {"effects", "checks", "sensitivity"} <= changed
    assert "results of results/effects.json" in done.reasons["sensitivity"]


def test_changed_data_and_code_run_what_depends_on_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(folder)
    with (folder / "data" / "outcomes.csv").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    changed, done = ran(folder)
    assert {"effects", "data", "checks", "subgroups", "index"} <= changed
    assert "programme" not in changed
    assert done.reasons["effects"] == "changed: data/outcomes.csv"
    other = {**inputs_module.surroundings(), TOOLKIT: "another"}
    monkeypatch.setattr(inputs_module, "surroundings", lambda: other)
    everything, done = ran(folder)
    assert everything == set(done.pages)
    assert done.reasons["data"] == "changed: the toolkit's code"


def test_going_back_is_a_copy_and_the_order_makes_no_difference(folder: Path, tmp_path: Path) -> None:
    changes: list[dict[str, object]] = [{}, {"design.confidence": 0.9}, {"economy.discounting.rate": 0.02}]
    forth = [ran(folder, each)[1] for each in changes]
    again, back = ran(folder, changes[0])
    assert again == set()
    assert pages(back) == pages(forth[0])
    other = shutil.copytree(folder, tmp_path / "elsewhere" / "nsw")
    reverse = [ran(other, each)[1] for each in changes[::-1]][::-1]
    assert [pages(done) for done in reverse] == [pages(done) for done in forth]
    assert [done.fingerprint for done in reverse] == [done.fingerprint for done in forth]


def test_interrupted_work_goes_on(folder: Path) -> None:
    def stop(name: str) -> None:
        if name == "checks":
            raise BookError("book.dead_kernel", "The kernel died.")

    stopped = CountingKernels(stop)
    with pytest.raises(BookError, match="died"):
        ran(folder, kernels=stopped)
    assert "effects" in stopped.ran
    rest, done = ran(folder)
    assert rest == set(done.pages) - set(stopped.ran)


def test_what_was_damaged_is_mended(folder: Path) -> None:
    _, done = ran(folder)
    whole = pages(done)
    (done.folder / "notebooks" / "data.ipynb").write_text("scribble", encoding="utf-8")
    again, _ = ran(folder)
    assert again == set()
    assert pages(done) == whole
    for file in (folder.parent / "runs" / ".store" / "chapters").glob("*/notebook.ipynb"):
        file.write_text("scribble", encoding="utf-8")
    (done.folder / "notebooks" / "data.ipynb").unlink()
    again, _ = ran(folder)
    assert again == {"data"}
    assert pages(done) == whole


def test_two_at_once_do_the_work_once(folder: Path) -> None:
    kernels = CountingKernels()
    programme = Programme.read(folder)
    found: list[Run] = []

    def work() -> None:
        found.append(run(programme, root=folder.parent / "runs", kernels=kernels))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kernels.ran) == len(set(kernels.ran)) == sum(done.n_executed for done in found)
    assert pages(found[0]) == pages(found[1])
    assert not list((folder.parent / "runs" / ".store").glob(".[0-9]*"))


def test_a_programme_that_is_edited_meanwhile_is_told(folder: Path) -> None:
    def edit(name: str) -> None:
        if name == "effects":
            (folder / "why.md").write_text("# Another reason\n", encoding="utf-8")

    with pytest.raises(BookError, match="was changed while"):
        ran(folder, kernels=CountingKernels(edit))
    again, _ = ran(folder)
    assert "effects" in again


def test_some_chapters_with_what_they_build_on(folder: Path) -> None:
    some, _ = ran(folder, chapters=["checks"])
    assert some == {"effects", "checks"}
    with pytest.raises(UsageError, match="no chapter"):
        ran(folder, chapters=["chekcs"])


def test_every_chapter_comes_after_those_that_it_builds_on() -> None:
    programme = Programme.read("nsw")
    names = [task.name for task in in_order([Task(entry.name, entry) for entry in chapters_of(programme)])]
    assert names[0] == "effects"
    for entry in chapters_of(programme):
        before = [name for name in entry.after if name in names and name != entry.name]
        assert all(names.index(name) < names.index(entry.name) for name in before)


@pytest.mark.parametrize("entry", CHAPTERS, ids=lambda entry: f"{entry.name}-{entry.source}")
def test_declared_parts_exist(entry: Entry) -> None:
    known = set(Programme.read("nsw").specification.model_dump()) | {"contract", "economy", "*"}
    assert {part.partition(".")[0] for part in entry.reads} <= known


def scoped(folder: Path, *, reads: tuple[str, ...], after: tuple[str, ...] = ()) -> Chapter:
    place = folder.parent / "work"
    place.mkdir(exist_ok=True)
    scope = {"chapter": "trial", "reads": reads, "after": after, "results": ()}
    (place / SCOPE).write_text(json.dumps(scope), encoding="utf-8")
    return Chapter(str(folder), {}, str(place))


@pytest.mark.parametrize(
    "read",
    [
        lambda chapter: chapter.specification.flow,
        lambda chapter: chapter.specification.publication.limits,
        lambda chapter: chapter.specification.publication.model_dump(),
        lambda chapter: chapter.programme.resolved(),
        lambda chapter: chapter.programme.economy,
        lambda chapter: chapter.programme.has_contract,
        lambda chapter: chapter.tables,
    ],
)
def test_a_part_that_is_not_declared_is_refused(folder: Path, read: Callable[[Chapter], object]) -> None:
    chapter = scoped(folder, reads=("design", "publication.disclosure"))
    assert chapter.programme.design.type == "randomised_trial"
    assert chapter.programme.disclosure.threshold > 0
    with pytest.raises(BookError, match="does not declare") as caught:
        read(chapter)
    assert caught.value.code == "book.undeclared_part"


def test_a_result_that_is_not_declared_is_refused(folder: Path) -> None:
    chapter = scoped(folder, reads=("data", "design", "outcomes", "seed"))
    with pytest.raises(BookError, match="result of «effects»"):
        _ = chapter.effects
    assert scoped(folder, reads=(), after=("effects",)).result_file("effects", "results/effects.json") is not None


def test_a_question_is_answered_once(folder: Path) -> None:
    runs, made = folder.parent / "runs", folder.parent / "made"
    made.mkdir()
    (made / "page.html").write_text("<p>", encoding="utf-8")
    question = Question("book", str(folder), {"seed": "2"}, runs)
    assert question.answer() is None
    question.remember(question.mark(), {"book": "page"}, ["Book"], [made])
    assert question.answer() == ({"book": "page"}, ["Book"])
    assert Question("book", str(folder), {"seed": "3"}, runs).answer() is None
    assert Question("run", str(folder), {"seed": "2"}, runs).answer() is None
    (made / "page.html").write_text("<p>scribble", encoding="utf-8")
    assert question.answer() is None
    (made / "page.html").write_text("<p>", encoding="utf-8")
    (folder / "why.md").write_text("# Why\n", encoding="utf-8")
    assert question.answer() is None


def test_programmes_that_pages_of_text_name_are_found() -> None:
    """A page that runs on a programme which nobody sees would not be made again when that programme changes."""
    for page in sorted(resource("book").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert len(inputs_module.named_programmes(text)) == len(re.findall(r"Programme\.read\(|Chapter\(", text)), page
    assert "programme nsw" in inputs_module.inputs_of_text("methods/randomised_trial")
