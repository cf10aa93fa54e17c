"""Seconds of the processor that a process and everything that it starts take.

Seconds of the clock tell how busy the machine was with something else; these hardly do.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Used:
    """What a command and everything that it started used.

    Attributes
    ----------
    cpu_seconds, wall_seconds : float
        Of the processor, and of the clock.
    said : str
        What it printed.
    """

    cpu_seconds: float
    wall_seconds: float
    said: str


def environment(*, has_one_thread: bool) -> dict[str, str]:
    """Return the variables of a contestant, who finds the threads for linear algebra at one, or as they come.

    Parameters
    ----------
    has_one_thread : bool
        Whether somebody has tuned them.
    """
    settings = {key: value for key, value in os.environ.items() if key not in THREADS}
    return {**settings, **dict.fromkeys(THREADS, "1")} if has_one_thread else settings


def run(command: Sequence[str], *, folder: Path = ROOT, has_one_thread: bool = False) -> Used:
    """Run Python with arguments, and return what its whole tree of processes used.

    Parameters
    ----------
    command : sequence of str
        What follows ``python``.
    folder : Path
        Working folder.
    has_one_thread : bool
        As for :func:`environment`.

    Raises
    ------
    RuntimeError
        It failed.
    """
    settings = {**environment(has_one_thread=has_one_thread), "PYTHONPATH": _path()}
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as moaned:
        begun = time.perf_counter()
        process = subprocess.Popen([sys.executable, *command], cwd=folder, env=settings, stdout=said, stderr=moaned)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        moaned.seek(0)
        if process.returncode:
            lines = moaned.read().decode(errors="replace").strip().splitlines()
            raise RuntimeError("\n".join([f"«{' '.join(command[:4])}» failed.", *lines[-5:]]))
        return Used(used.ru_utime + used.ru_stime, wall, said.read().decode(errors="replace"))


def _path() -> str:
    """Return where this Python looks first: here, wherever the command runs."""
    return os.pathsep.join(filter(None, (str(ROOT), str(ROOT / "toolkit"), os.environ.get("PYTHONPATH"))))


def compile_ours() -> None:
    """Compile our own code, as a library's is: whoever tells Python to keep nothing would compile it every time."""
    for name in ("toolkit", "benchmarks"):
        compileall.compile_dir(str(ROOT / name), quiet=2)


def tree_seconds() -> float:
    """Return the seconds that this process, and all that are or were below it, have taken so far (Linux)."""
    parents: dict[int, list[int]] = {}
    spent: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        except OSError:
            continue  # It ended meanwhile; its parent knows what it took.
        parents.setdefault(int(fields[1]), []).append(int(place.name))
        # Its own time in programs and in the system, and that of its children who have ended.
        spent[int(place.name)] = sum(int(value) for value in fields[11:15])
    found, waiting = 0, [os.getpid()]
    while waiting:
        process = waiting.pop()
        found += spent.get(process, 0)
        waiting += parents.get(process, [])
    return found / os.sysconf("SC_CLK_TCK")
