"""A sweep on a Dask cluster of processes of their own: one worker is killed, one has another version."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import virkning
from virkning.errors import SweepError
from virkning.resources import example
from virkning.sweep import Grid, Sweep, cluster, conduct
from virkning.sweep.single_run import WarmProcess

PACKAGE = Path(virkning.__file__).parent
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return Sweep.of(str(example("jtrain")), Grid.of(["seed=1:6:1", "design.confidence=0.8,0.9"]))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Return the function that starts a part of a cluster; everything ends with these tests."""
    started: list[subprocess.Popen[bytes]] = []
    place = tmp_path_factory.mktemp("cluster")

    def start(part: str, *arguments: str, code: Path = PACKAGE.parent) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{part}", *arguments, "--no-dashboard"],
            env=environment, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in reversed(started):
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def address(start: Start, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("scheduler") / "scheduler.json"
    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if file.is_file() and file.stat().st_size:
            return str(json.loads(file.read_text(encoding="utf-8"))["address"])
        time.sleep(0.05)
    raise AssertionError("the scheduler did not start")


def _worker(start: Start, address: str, place: Path, **options: Path) -> subprocess.Popen[bytes]:
    return start("worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", str(place), **options)


def test_a_cluster_without_workers_is_not_waited_for_in_vain(sweep: Sweep, address: str) -> None:
    with pytest.raises(SweepError, match=r"no worker for 0\.3 seconds"):
        next(cluster.perform(sweep.jobs, address, patience_seconds=0.3))


def test_a_worker_with_another_version_is_refused(sweep: Sweep, start: Start, address: str, tmp_path: Path) -> None:
    other = tmp_path / "other" / "virkning"
    shutil.copytree(PACKAGE, other, ignore=shutil.ignore_patterns("__pycache__", "shipped"))
    (other / "numerics" / "ratio.py").write_text("# Another version.\n", encoding="utf-8")
    older = _worker(start, address, tmp_path / "older", code=other.parent)
    with pytest.raises(SweepError, match="A worker has code") as caught:
        next(cluster.perform(sweep.jobs, address))
    older.kill()
    older.wait()
    assert caught.value.code == "sweep.other_version"
    assert caught.value.where.startswith("tcp://")


def test_a_worker_that_is_killed_costs_nothing_that_is_finished(
    sweep: Sweep, start: Start, address: str, tmp_path: Path
) -> None:
    workers = [_worker(start, address, tmp_path / "first"), _worker(start, address, tmp_path / "second")]
    killed: list[int] = []

    def kills_one(step: object) -> None:
        if not killed:
            workers[0].kill()
            killed.append(workers[0].pid)

    swept = conduct(
        sweep, root=tmp_path / "dask", performer=lambda jobs: cluster.perform(jobs, address), progress=kills_one
    )
    assert killed
    assert (swept.n_finished, swept.failures) == (12, ())
    process = WarmProcess()
    here = conduct(sweep, root=tmp_path / "here", performer=lambda jobs: map(process.perform, jobs))
    assert (swept.folder / "results.csv").read_bytes() == (here.folder / "results.csv").read_bytes()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_a_scheduler_that_does_not_answer_is_named(sweep: Sweep, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(SweepError, match="No Dask scheduler answers"):
        next(cluster.perform(sweep.jobs, address))
