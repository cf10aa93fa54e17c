"""Children by fork: each fresh, and whatever happens to one is told and reaches no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from virkning.engine import ForkServer
from virkning.errors import BookError, DataError

MARKED = "87654321"
# What the children call. It lies in a folder of its own, which the server is told of.
CALLED = f"""
import os, random, subprocess, sys, threading, time
from virkning.engine.children import ask, report
from virkning.errors import DataError, Problem

kept = []
open_files = lambda: sorted(os.listdir("/proc/self/fd"))
where = lambda: (os.getcwd(), os.environ.get("SAID"), time.strftime("%Z"))
leave = lambda: (kept.append(1), os.environ.update(LEFT="x"), os.chdir("/"), len(kept), os.environ.get("LEFT"))
fill = lambda: print("x" * 1000) or sys.stderr.write("y")
pid = os.getpid
foreign = lambda: {{}}["{MARKED}"]
big = lambda size: b"x" * size

def draw():
    import numpy as np
    return float(np.random.random()), random.random()

def threads():
    import numpy as np
    return float(np.linalg.solve(np.eye(300) * 2, np.ones(300)).sum())

def ours():
    raise DataError("data.x", "Wrong.", where="here", problems=[Problem("a", "b", "rule", 3)])

def counts(n, pause):
    for each in range(n):
        report(each)
        time.sleep(pause)
    return n

def asks(value):
    answers = []
    while (answer := ask((value, len(answers)))) is not None:
        answers.append(answer)
    return answers

def leaves_a_process():
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid

def leaves_a_process_and_dies():
    print(leaves_a_process(), file=open("pid", "w"), flush=True)
    os._exit(1)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    folder = tmp_path_factory.mktemp("called")
    (folder / "called.py").write_text(CALLED)
    with ForkServer(["called", "called:threads", "no_such_module"], environment=of(folder)) as server:
        assert server.forks
        yield server


def of(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def soon(wish: object) -> bool:
    """Return whether it comes true within five seconds."""
    assert callable(wish)
    end = time.monotonic() + 5
    while not (found := wish()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(found)


def test_each_call_has_a_process_of_its_own(server: ForkServer) -> None:
    pids = {server.call("called:pid") for _ in range(5)} | {os.getpid()}
    assert len(pids) == 6


def test_nothing_that_a_call_leaves_is_found_by_the_next(server: ForkServer) -> None:
    first, second = server.call("called:leave"), server.call("called:leave")
    assert first == second == (None, None, None, 1, "x")
    assert os.environ.get("LEFT") is None


def test_each_draws_its_own_numbers(server: ForkServer) -> None:
    drawn = [server.call("called:draw") for _ in range(3)]
    assert len({a for a, _ in drawn}) == len({b for _, b in drawn}) == 3


def test_calls_see_the_callers_folder_environment_and_time_zone(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAID", "now")
    monkeypatch.setenv("TZ", "XYZ-3")
    assert server.call("called:where") == (str(tmp_path), "now", "XYZ")


def test_linear_algebra_that_the_server_used_works_in_children(server: ForkServer) -> None:
    assert [server.call("called:threads", timeout_seconds=20) for _ in range(3)] == [150.0] * 3


def test_open_files_do_not_grow(server: ForkServer) -> None:
    theirs, ours = server.call("called:open_files"), sorted(Path("/proc/self/fd").iterdir())
    for _ in range(20):
        server.call("called:pid")
    assert server.call("called:open_files") == theirs
    assert sorted(Path("/proc/self/fd").iterdir()) == ours


def test_our_errors_come_through_whole(server: ForkServer) -> None:
    with pytest.raises(DataError) as caught:
        server.call("called:ours")
    assert (caught.value.code, caught.value.where, caught.value.problems[0].n_rows) == ("data.x", "here", 3)
    assert "3 rows" in str(caught.value)


def test_messages_of_others_are_withheld(server: ForkServer) -> None:
    with pytest.raises(BookError, match="failed with KeyError") as caught:
        server.call("called:foreign")
    assert caught.value.code == "engine.failed"
    assert caught.value.where.startswith("called, line")
    assert MARKED not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (("os:_exit", 3), "exit code 3"),
        (("os:abort",), "by signal 6"),
        (("os:kill", 0, signal.SIGKILL), "by signal 9"),
    ],
)
def test_a_child_that_dies_is_told(server: ForkServer, call: tuple[object, ...], says: str) -> None:
    with pytest.raises(BookError, match=says) as caught:
        server.call(*call)  # type: ignore[arg-type]
    assert caught.value.code == "engine.died"
    assert server.call("called:pid")


def test_a_child_that_exits_is_told(server: ForkServer) -> None:
    with pytest.raises(BookError, match="SystemExit"):
        server.call("sys:exit", 0)


def test_a_child_that_hangs_is_ended(server: ForkServer) -> None:
    begun = time.monotonic()
    with pytest.raises(BookError, match=r"longer than 0\.5 seconds") as caught:
        server.call("time:sleep", 60, timeout_seconds=0.5)
    assert caught.value.code == "engine.time_limit"
    assert time.monotonic() - begun < 5


def test_a_child_that_is_stopped_is_ended(server: ForkServer) -> None:
    with pytest.raises(BookError) as caught:
        server.call("os:kill", 0, signal.SIGSTOP, timeout_seconds=0.5)
    assert caught.value.code == "engine.time_limit"


def test_reports_come_as_they_are_made_and_give_time_again(server: ForkServer) -> None:
    heard: list[int] = []
    assert server.call("called:counts", 4, 0.3, timeout_seconds=0.9, report=heard.append) == 4
    assert heard == [0, 1, 2, 3]


def test_a_child_asks_and_is_answered(server: ForkServer) -> None:
    def answer(asked: tuple[str, int]) -> bytes | None:
        value, position = asked
        time.sleep(0.3)
        return value.encode() * 10 ** (3 * position) if position < 3 else None

    assert server.call("called:asks", "x", timeout_seconds=0.6, report=answer) == [b"x", b"x" * 1000, b"x" * 10**6]
    # Nobody answers, and a failure of whoever answers is the caller's own.
    assert server.call("called:asks", "x") == []
    with pytest.raises(ZeroDivisionError):
        server.call("called:asks", "x", report=lambda _: 1 / 0)


def test_large_arguments_and_results(server: ForkServer) -> None:
    assert len(server.call("called:big", 30_000_000)) == 30_000_000
    assert server.call("builtins:len", b"x" * 30_000_000) == 30_000_000


def test_several_calls_at_once_from_several_threads(server: ForkServer) -> None:
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda each: server.call("called:counts", each, 0.2), [3] * 8)) == [3] * 8
    assert time.monotonic() - begun < 8 * 0.6


def test_what_a_call_started_ends_with_it(server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = server.call("called:leaves_a_process")
    assert soon(lambda: not is_running(pid))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BookError):
        server.call("called:leaves_a_process_and_dies")
    assert soon(lambda: not is_running(int((tmp_path / "pid").read_text())))


def test_a_server_that_was_killed_is_started_again() -> None:
    with ForkServer() as server:
        first = server.call("os:getppid")
        os.kill(first, signal.SIGKILL)
        assert soon(lambda: not is_running(first))
        assert server.call("os:getppid") not in (first, os.getpid())


def test_a_call_under_way_ends_when_its_server_is_killed() -> None:
    with ForkServer() as server, ThreadPoolExecutor(1) as pool:
        parent = server.call("os:getppid")
        call = pool.submit(server.call, "time:sleep", 60)
        time.sleep(0.3)
        os.kill(parent, signal.SIGKILL)
        with pytest.raises(BookError) as caught:
            call.result(timeout=5)
    assert caught.value.code == "engine.died"


def test_closing_ends_what_is_under_way() -> None:
    server = ForkServer()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(server.call, "time:sleep", 60)
        parent = server.call("os:getppid")
        server.close()
        with pytest.raises(BookError):
            call.result(timeout=5)
    assert soon(lambda: not is_running(parent))
    with pytest.raises(BookError, match="closed"):
        server.call("os:getpid")


def test_nothing_outlives_a_caller_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "caller.py"
    script.write_text(
        textwrap.dedent("""
            from virkning.engine import ForkServer
            server = ForkServer()
            print(server.call("os:getppid"), flush=True)
            server.call("time:sleep", 60)
        """)
    )
    caller = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert caller.stdout
    parent = int(caller.stdout.readline())
    time.sleep(0.2)
    caller.kill()
    caller.communicate()
    assert soon(lambda: not is_running(parent))


@pytest.mark.parametrize("fork", [False, None], ids=["no fork here", "a thread in the server"])
def test_where_fork_is_not_safe_each_call_has_a_new_python(tmp_path: Path, fork: bool | None) -> None:
    (tmp_path / "called.py").write_text(CALLED)
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    heard: list[int] = []
    with ForkServer(["threaded"], environment=of(tmp_path), fork=fork) as server:
        assert not server.forks
        assert server.call("called:counts", 2, 0, report=heard.append) == 2
        assert heard == [0, 1]
        assert server.call("called:asks", 1, timeout_seconds=30, report=lambda said: [5, 6, None][said[1]]) == [5, 6]
        assert server.call("builtins:len", b"x" * 3_000_000) == 3_000_000
        assert server.call("called:fill") == 1
        with pytest.raises(DataError, match=r"Wrong\."):
            server.call("called:ours")
        with pytest.raises(BookError) as caught:
            server.call("os:_exit", 1)
        assert caught.value.code == "engine.died"
        with pytest.raises(BookError) as caught:
            server.call("time:sleep", 60, timeout_seconds=2)
        assert caught.value.code == "engine.time_limit"


def test_threads_in_the_caller_do_no_harm(server: ForkServer) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert server.call("called:pid") != os.getpid()
    finally:
        stop.set()
        thread.join()
