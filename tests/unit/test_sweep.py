"""A sweep: every set validated first, the same numbers as the chapters, one table whoever performs it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import re
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import virkning as vk
from virkning.book import book_mark
from virkning.disclosure import names_of_persons
from virkning.engine import ForkServer
from virkning.errors import ProgrammeError, SweepError, UsageError, VirkningError
from virkning.gate import check_notebooks
from virkning.publication import _sweep_pages
from virkning.resources import example
from virkning.sweep import Grid, Step, Store, Sweep, conduct, jobs_text, plan, processes, read_jobs
from virkning.sweep.answers import answers_of
from virkning.sweep.conduct import gather
from virkning.sweep.page import finished_sweeps, page
from virkning.sweep.single_run import Job, WarmProcess
from virkning.sweep.table import read_parquet

QUICK = str(example("jtrain"))
OVER = ("design.confidence=0.8,0.95", "seed=1:3:1")


@pytest.fixture(scope="module")
def warm() -> WarmProcess:
    return WarmProcess()


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return Sweep.of(QUICK, Grid.of(OVER))


@pytest.fixture
def here(warm: WarmProcess) -> Any:
    """Return a performer in this process: starting none is quick."""
    return lambda jobs: (warm.perform(job) for job in jobs)


@pytest.fixture(scope="module")
def done(sweep: Sweep, warm: WarmProcess, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("runs")
    return conduct(sweep, root=root, performer=lambda jobs: (warm.perform(job) for job in jobs)), root


# --- before anything runs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "kind", "says"),
    [
        ("design.confidense=0.8,0.9", UsageError, "Did you mean «confidence»"),
        ("design.confidence=0.8,much", UsageError, r"run 2: design.confidence=much"),
        ("design.confidence=0.8,1.5,2", ProgrammeError, "run 2: design.confidence=1.5; 1 more of the 3 runs"),
        ("title=*2", UsageError, "declares no number"),
        ("economics.discounting.rate=0.01", UsageError, "economics"),
        ("design.confidense=*0.9", UsageError, "Did you mean «confidence»"),
    ],
)
def test_every_set_is_validated_before_anything_runs(over: str, kind: type[VirkningError], says: str) -> None:
    with pytest.raises(kind, match=says.replace("(", r"\(")):
        Sweep.of(QUICK, Grid.of([over]))


def test_a_million_runs_by_mistake_are_refused_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(UsageError, match="1,000,000 runs") as caught:
        Sweep.of(QUICK, Grid.of(["seed=1:1000000:1"]))
    assert "--yes" in caught.value.do
    assert time.monotonic() - started < 1


def test_many_runs_that_are_meant_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virkning.sweep.definition.MOST_WITHOUT_YES", 5)
    with pytest.raises(UsageError, match="6 runs"):
        Sweep.of(QUICK, Grid.of(OVER))
    assert Sweep.of(QUICK, Grid.of(OVER), is_large=True).n == 6


def test_a_parameter_cannot_be_varied_and_fixed() -> None:
    with pytest.raises(UsageError, match="both varied and fixed"):
        Sweep.of(QUICK, Grid.of(["seed=1,2"]), {"seed": "3"})


def test_relative_values_start_from_the_declared_one() -> None:
    declared = vk.Programme.read(QUICK).design.confidence
    assert declared == 0.95
    found = Sweep.of(QUICK, Grid.of(["design.confidence=*0.9,+-0.05"]))
    assert [job.changes["design.confidence"] for job in found.jobs] == ["0.855", "0.9"]
    # A seed is a whole number.
    with pytest.raises(UsageError, match="integer"):
        Sweep.of(QUICK, Grid.of(["seed=+0.5"]))


def test_the_mark_depends_on_content_and_not_on_the_day(sweep: Sweep) -> None:
    assert Sweep.of(QUICK, Grid.of(OVER)).mark == sweep.mark
    assert Sweep.of(QUICK, Grid.of(OVER), {"title": "Another"}).mark != sweep.mark
    assert Sweep.of(QUICK, Grid.of(["seed=1:3:1", OVER[0]])).mark != sweep.mark


def test_jobs_travel_as_lines_and_come_back(sweep: Sweep, tmp_path: Path) -> None:
    file = tmp_path / "jobs.jsonl"
    file.write_text(jobs_text(sweep), encoding="utf-8")
    assert read_jobs(file) == sweep.jobs
    back = Sweep.read(file)
    assert (back.mark, back.paths, back.values) == (sweep.mark, sweep.paths, sweep.values)
    file.write_text(jobs_text(sweep).replace("0.8", "0.7"), encoding="utf-8")
    with pytest.raises(UsageError, match="another state"):
        Sweep.read(file)
    for text in ("", "no json", '{"number": 1}'):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match="not a file of jobs"):
            read_jobs(file)


# --- one run ----------------------------------------------------------------------------------------------------------


def test_a_run_gives_the_numbers_that_the_chapters_give(done: Any) -> None:
    swept, _ = done
    programme = vk.Programme.read(QUICK, {"design.confidence": 0.8, "seed": 2})
    expected = vk.estimate(programme.design, vk.read_data(programme), seed=2).to_frame()
    run = swept.frame.query("run == 2 and part == 'effects'")
    assert (run["design.confidence"].unique(), run["seed"].unique()) == (0.8, 2)
    for column in ("measure", "term", "period", "value", "std_error", "lower", "upper", "p_value", "level"):
        assert run[column].tolist() == expected[column].tolist()
    assert run["is_headline"].sum() == expected["measure"].nunique()


def test_a_process_with_a_memory_gives_what_a_fresh_one_gives(sweep: Sweep, warm: WarmProcess) -> None:
    for job in (sweep.jobs[5], sweep.jobs[0]):
        assert warm.perform(job)["rows"] == WarmProcess().perform(job)["rows"]


def test_a_change_of_the_economy_estimates_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Sweep.of(str(example("nsw")), Grid.of(["economy.discounting.rate=*1,*2"]))
    process = WarmProcess()
    first = process.perform(found.jobs[0])
    monkeypatch.setattr("virkning.chapter.contents.estimate", lambda *_, **__: pytest.fail("estimated again"))
    second = process.perform(found.jobs[1])
    assert (first["error"], second["error"]) == (None, None)
    values = [[row["value"] for row in each["rows"] if row["part"] == "economy"] for each in (first, second)]
    assert values[0] != values[1]


def test_the_economy_of_a_run_is_that_of_the_chapters() -> None:
    programme = str(example("nsw"))
    result = WarmProcess().perform(Sweep.of(programme, Grid.of(["seed=1"])).jobs[0])
    assert result["error"] is None
    found = vk.Chapter(programme, {"seed": 1}).cost_benefit
    values = {(row["measure"], row["term"]): row for row in result["rows"] if row["part"] == "economy"}
    society = values["net_present_value", "society"]
    assert society["value"] == found.figures()[0].value
    assert society["lower"] < society["value"] < society["upper"]
    budget = values["net_present_value_of_budget", "government"]
    assert budget["value"] == found.net_present_value("government", "budget")
    assert values["probability_that_it_pays", "society"]["value"] == found.probability_that_it_pays()


def test_the_payments_of_a_run_are_those_of_the_chapters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virkning.sweep.answers._economy", lambda _: [])
    chapter = vk.Chapter(str(example("ungevej")))
    rows = [row for row in answers_of(chapter) if row["part"] == "payment"]
    assert rows[0]["term"] == "all payers"
    assert rows[0]["value"] == float(chapter.settlement.total.amount)
    assert sum(row["value"] for row in rows[1:]) == pytest.approx(rows[0]["value"])
    assert [row["is_headline"] for row in rows] == [True] + [False] * (len(rows) - 1)


def test_a_plan_is_swept_too() -> None:
    found = Sweep.of(str(example("trappen")), Grid.of(["plan.power=0.8,0.9"]))
    smallest = [WarmProcess().perform(job)["rows"][0]["value"] for job in found.jobs]
    assert smallest[0] < smallest[1]


def test_other_code_and_other_data_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "jtrain"
    shutil.copytree(QUICK, place)
    job = Sweep.of(str(place), Grid.of(["seed=1"])).jobs[0]
    process = WarmProcess()
    assert process.perform(job)["error"] is None
    (place / "what.md").write_text("# Other words\n", encoding="utf-8")
    assert process.perform(job)["error"] is None
    table = next(place.glob("data/*.csv"))
    table.write_text(table.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert process.perform(job)["error"]["code"] == "sweep.other_content"
    other = Job(**{**job.to_dict(), "code": "0" * 64})
    assert process.perform(other)["error"]["code"] == "sweep.other_version"


def test_an_unexpected_failure_says_nothing_of_persons(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError("person-0007 earns 12345")

    monkeypatch.setattr("virkning.sweep.single_run.answers_of", fails)
    result = WarmProcess().perform(sweep.jobs[0])
    assert (result["status"], result["error"]["code"]) == ("failed", "unexpected")
    assert "person-0007" not in json.dumps(result)


# --- all runs ---------------------------------------------------------------------------------------------------------


def test_the_table_holds_every_run_in_csv_and_parquet(done: Any, sweep: Sweep) -> None:
    swept, _ = done
    assert (swept.n_finished, swept.n_missing, swept.failures) == (6, 0, ())
    csv = pd.read_csv(swept.folder / "results.csv")
    parquet = read_parquet(swept.folder / "results.parquet")
    for frame in (csv, parquet):
        assert frame["run"].drop_duplicates().tolist() == [1, 2, 3, 4, 5, 6]
        assert frame["value"].tolist() == swept.frame["value"].tolist()
    assert parquet.groupby("run")[["design.confidence", "seed"]].first().to_numpy().tolist() == [
        [float(job.changes["design.confidence"]), float(job.changes["seed"])] for job in sweep.jobs
    ]
    record = json.loads((swept.folder / "sweep.json").read_text(encoding="utf-8"))
    assert (record["n_runs"], record["n_finished"], record["paths"]) == (6, 6, ["design.confidence", "seed"])


@pytest.mark.parametrize("seed", [1, 2])
def test_results_do_not_depend_on_order_or_on_who_performed_them(
    sweep: Sweep, done: Any, tmp_path: Path, seed: int
) -> None:
    def two_in_any_order(jobs: Sequence[Job]) -> Iterator[Any]:
        shuffled = random.Random(seed).sample(list(jobs), len(jobs))
        workers = [WarmProcess(), WarmProcess()]
        return (workers[position % 2].perform(job) for position, job in enumerate(shuffled))

    again = conduct(sweep, root=tmp_path, performer=two_in_any_order)
    for name in ("results.csv", "results.parquet", "sweep.html", "sweep.json", "jobs.jsonl"):
        assert (again.folder / name).read_bytes() == (done[0].folder / name).read_bytes()


def test_an_interrupted_sweep_goes_on_where_it_stopped(sweep: Sweep, here: Any, tmp_path: Path, done: Any) -> None:
    def stops(jobs: Sequence[Job]) -> Iterator[Any]:
        for position, result in enumerate(here(jobs)):
            if position == 4:
                raise KeyboardInterrupt
            yield result

    with pytest.raises(KeyboardInterrupt):
        conduct(sweep, root=tmp_path, performer=stops)
    # A file that was cut short counts as none.
    store = Store.of(sweep.programme.name, sweep.mark, tmp_path)
    first = store.folder / "runs" / "000001.json"
    first.write_text(first.read_text(encoding="utf-8")[:50], encoding="utf-8")
    assert plan(sweep, root=tmp_path, workers=2).n_missing == 3
    performed: list[int] = []
    again = conduct(sweep, root=tmp_path, performer=here, progress=lambda step: performed.append(step.job.number))
    assert performed == [1, 5, 6]
    assert (again.folder / "results.csv").read_bytes() == (done[0].folder / "results.csv").read_bytes()
    assert conduct(sweep, root=tmp_path, performer=lambda _: pytest.fail("nothing is missing")).n_performed == 0


def test_failures_are_collected_and_stop_nothing(here: Any, tmp_path: Path) -> None:
    found = Sweep.of(QUICK, Grid.of(['design.covariate_measures=[],["none"],["nobody"]', "seed=1,2"]))
    steps: list[Step] = []
    swept = conduct(found, root=tmp_path, performer=here, progress=steps.append)
    assert len(steps) == 6
    n_failed = len(swept.failures)
    assert n_failed >= 4
    assert swept.frame["run"].nunique() == 6
    failed = swept.frame[swept.frame["status"] == "failed"]
    assert len(failed) == n_failed
    assert failed["reason"].ne("").all()
    with pytest.raises(SweepError) as caught:
        swept.require_complete()
    assert caught.value.exit_code == 16
    assert len(caught.value.to_dict()["failures"]) == n_failed
    # They are tried again, the others are not.
    assert conduct(found, root=tmp_path, performer=here).n_performed == n_failed
    html = (swept.folder / "sweep.html").read_text(encoding="utf-8")
    assert html.count("<td>failed</td>") == n_failed


def test_a_full_disk_stops_the_sweep_and_keeps_what_is_finished(
    sweep: Sweep, here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from virkning.sweep import store as stored

    written = [0]
    write = stored.write_atomically

    def full(path: Path, content: bytes | str) -> None:
        written[0] += path.parent.name == "runs"
        if written[0] > 2:
            from virkning.provenance import cannot_write

            raise cannot_write(OSError(errno.ENOSPC, "No space"), path.name)
        write(path, content)

    monkeypatch.setattr(stored, "write_atomically", full)
    with pytest.raises(VirkningError, match="disk is full") as caught:
        conduct(sweep, root=tmp_path, performer=here)
    assert caught.value.code == "disk.full"
    monkeypatch.undo()
    assert conduct(sweep, root=tmp_path, performer=here).n_performed == 4


def test_two_at_once_do_not_disturb_each_other(sweep: Sweep, here: Any, tmp_path: Path) -> None:
    store = Store.of(sweep.programme.name, sweep.mark, tmp_path)
    other = Sweep.of(QUICK, Grid.of(["seed=1,2"]))
    with store.alone():
        with pytest.raises(SweepError, match="Another process performs the same sweep"):
            conduct(sweep, root=tmp_path, performer=here)
        assert conduct(other, root=tmp_path, performer=here).n_finished == 2
    assert conduct(sweep, root=tmp_path, performer=here).n_finished == 6


def test_a_clock_that_jumps_changes_nothing(
    sweep: Sweep, here: Any, tmp_path: Path, done: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumping = iter(range(2_000_000_000, 0, -86_400))
    monkeypatch.setattr(time, "time", lambda: float(next(jumping)))
    steps: list[Step] = []
    swept = conduct(sweep, root=tmp_path, performer=here, progress=steps.append)
    assert all(0 <= step.seconds < 60 for step in steps)
    assert [step.seconds_left is None for step in steps] == [True, True, False, False, False, False]
    assert all(0 <= step.seconds_left < 60 for step in steps[2:] if step.seconds_left is not None)
    assert (swept.folder / "results.csv").read_bytes() == (done[0].folder / "results.csv").read_bytes()


def test_the_plan_takes_its_time_from_earlier_runs(sweep: Sweep, done: Any, tmp_path: Path) -> None:
    nothing = plan(sweep, root=tmp_path, workers=2)
    assert (nothing.n, nothing.n_missing, nothing.seconds) == (6, 6, None)
    larger = plan(Sweep.of(QUICK, Grid.of(["seed=1:100:1"])), root=done[1], workers=2)
    assert larger.n_measured == 6
    assert larger.seconds == pytest.approx(larger.seconds_each * 50)


def test_a_small_group_is_hidden_in_every_file(here: Any, tmp_path: Path) -> None:
    # The trial has 29 and 25 firms in its groups.
    found = Sweep.of(QUICK, Grid.of(["seed=1,2"]), {"publication.disclosure.threshold": "28"})
    swept = conduct(found, root=tmp_path, performer=here)
    rows = swept.frame.query("measure == 'log_scrap_rate'")
    assert rows["is_hidden"].all()
    assert rows[["value", "lower", "upper", "n_comparison"]].isna().all(axis=None)
    shown = conduct(Sweep.of(QUICK, Grid.of(["seed=1,2"])), root=tmp_path, performer=here).frame
    value = str(shown.query("measure == 'log_scrap_rate'")["value"].iloc[0])
    for name in ("results.csv", "sweep.html"):
        assert value not in (swept.folder / name).read_text(encoding="utf-8")


def test_the_page_shows_every_run(done: Any, sweep: Sweep) -> None:
    swept, root = done
    html = (swept.folder / "sweep.html").read_text(encoding="utf-8")
    table = html[html.index('id="table-sweep-runs"') :]
    assert [f'<th scope="row">{run}</th>' in table for run in range(1, 7)] == [True] * 6
    assert sweep.command in html
    assert not re.search(r"(src|href)=.http|url\(", html)
    notebook = page(vk.Programme.read(QUICK), root)
    assert notebook is not None
    shown = [output["data"]["text/plain"] for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("6 runs" in text for text in shown)


def test_the_page_passes_the_gate_of_the_book(done: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    executed: list[str] = []

    @contextlib.contextmanager
    def opened(_: str | None) -> Iterator[Any]:
        yield SimpleNamespace(execute=lambda notebook, name, *_: executed.append(name) or notebook)

    monkeypatch.setattr("virkning.run.beside.open_kernels", opened)
    programme = vk.Programme.read(QUICK)
    made = _sweep_pages(programme, done[1])
    assert list(made) == ["sweep", "methods/sweeps"]
    # How to read the page is executed once, whoever asks.
    assert _sweep_pages(programme, done[1]) == made
    assert executed == ["methods/sweeps"]
    people = vk.read_data(programme).participants["participant_id"]
    check_notebooks(made, names_of_persons(people))
    assert book_mark("x", made) != book_mark("x", {}) == book_mark("x")
    assert _sweep_pages(programme, done[1] / "elsewhere") == {}


def test_the_book_shows_sweeps_of_its_present_content_only(done: Any) -> None:
    root = done[1]
    assert len(finished_sweeps(vk.Programme.read(QUICK), root)) == 1
    assert finished_sweeps(vk.Programme.read(QUICK, {"seed": 99}), root) == []
    assert page(vk.Programme.read(QUICK, {"seed": 99}), root) is None


# --- warm processes ---------------------------------------------------------------------------------------------------


def _parent(process: str) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def _performing(server: ForkServer) -> list[int]:
    """Return the processes that perform runs now: the children of the server; this process may have others."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if server._server is not None and _parent(place.name) == server._server.process.pid:
                found.append(int(place.name))
    return found


def _wait_until_none_performs(server: ForkServer) -> None:
    """A child that has given its last result still has to end."""
    deadline = time.monotonic() + 20
    while found := _performing(server):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer(processes.PRELOAD) as opened:
        yield opened


def test_thirty_runs_leave_nothing_behind_and_equal_those_of_one_process(
    here: Any, tmp_path: Path, server: ForkServer
) -> None:
    found = Sweep.of(QUICK, Grid.of(["seed=1:10:1", "design.confidence=0.8,0.9,0.95"]))
    files = Path("/proc/self/fd")
    before = (len(list(files.iterdir())), threading.active_count())
    kept: list[int] = []

    def watched(jobs: Sequence[Job]) -> Iterator[Any]:
        for position, result in enumerate(processes.perform(jobs, workers=2, server=server)):
            if position in (2, 24):
                kept.append(_resident(server))
            yield result

    swept = conduct(found, root=tmp_path / "two", performer=watched)
    assert (len(list(files.iterdir())), threading.active_count()) == before
    _wait_until_none_performs(server)
    assert 0 < kept[0] < 2_000_000
    assert kept[1] < kept[0] * 1.1
    alone = conduct(found, root=tmp_path / "one", performer=here)
    assert (swept.folder / "results.csv").read_bytes() == (alone.folder / "results.csv").read_bytes()


def _resident(server: ForkServer) -> int:
    """Return the memory that the largest performing process holds, in kB; 0 when all have just ended."""
    found = [0]
    for process in _performing(server):
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
            found.append(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")))
    return max(found)


def test_a_killed_process_costs_its_run_only_which_is_tried_again(sweep: Sweep, server: ForkServer) -> None:
    killed: list[int] = []

    def kill_one() -> None:
        while not killed:
            for child in _performing(server):
                os.kill(child, 9)
                killed.append(child)
                return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    results = processes.perform(sweep.jobs, workers=1, server=server)
    first = next(results)
    killer.start()
    others = list(results)
    killer.join()
    assert len(killed) == 1
    assert sorted(each["number"] for each in [first, *others]) == [1, 2, 3, 4, 5, 6]
    assert [each["error"] for each in others] == [None] * 5


@pytest.mark.parametrize(("most", "n_processes"), [(1000, 1), (4, 2), (1, 6)])
def test_a_process_goes_on_until_it_is_replaced(
    sweep: Sweep, server: ForkServer, monkeypatch: pytest.MonkeyPatch, most: int, n_processes: int
) -> None:
    """One that begins anew reads the data anew, which takes as long as many runs."""
    monkeypatch.setattr(processes, "_MOST_RUNS", most)
    begun: list[int] = []

    def call(function: str, first: dict[str, Any], **options: Any) -> Any:
        begun.append(first["number"])
        return server.call(function, first, **options)

    results = processes.perform(sweep.jobs, workers=1, server=SimpleNamespace(call=call))  # type: ignore[arg-type]
    assert [each["number"] for each in results] == [1, 2, 3, 4, 5, 6]
    assert len(begun) == n_processes


def test_a_run_that_never_ends_is_stopped_and_named(sweep: Sweep, server: ForkServer) -> None:
    (result,) = processes.perform(sweep.jobs[:1], workers=1, limit_seconds=0.001, server=server)
    assert (result["status"], result["error"]["code"]) == ("failed", "sweep.worker_lost")
    assert "longer than 0.001 seconds" in result["error"]["what"]


def test_gathering_says_what_was_not_performed(sweep: Sweep, here: Any, tmp_path: Path) -> None:
    store = Store.of(sweep.programme.name, sweep.mark, tmp_path)
    for result in here(sweep.jobs[:2]):
        store.write(result)
    swept = gather(sweep, store)
    assert (swept.n_finished, swept.n_missing) == (2, 4)
    assert swept.frame["status"].value_counts().get("not run") == 4
    with pytest.raises(SweepError, match="4 not performed"):
        swept.require_complete()
