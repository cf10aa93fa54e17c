"""Many runs in one sweep: does the last hundred go as quickly as the first, and does anything grow?

Examples: ``make bench BENCH_ARGS="--rows sweep"``, ``python -m benchmarks --rows sweep --sizes 300``.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from virkning.resources import example
from virkning.sweep import Grid, Step, Sweep, conduct

NAME = "sweep"
RUNS = 1000
_PART = 100


@dataclass(frozen=True)
class Held:
    """What the command and everything that it started hold at one moment.

    Attributes
    ----------
    seconds : float
        By a clock that nobody can set.
    processes, files : int
        Processes, and files that the command itself holds open.
    resident_mb : float
        Memory of the command itself.
    """

    seconds: float
    processes: int
    files: int
    resident_mb: float


def compare(runs: int, say: Callable[[str], None]) -> bool:
    """Perform a sweep of so many runs and say how its pace, files, processes and memory moved.

    Parameters
    ----------
    runs : int
        At least two parts of a hundred.
    say : callable
        Takes text.

    Returns
    -------
    bool
        Whether the last hundred were at least 90% as quick as the first and nothing grew by more than a tenth.
    """
    sweep = Sweep.of(str(example("jtrain")), Grid.of([f"seed=1:{max(runs, 2 * _PART)}:1"]))
    held: list[Held] = []

    def look(step: Step) -> None:
        # The first result comes when the processes are started: from there on the pace counts.
        if step.position == 1 or step.position % _PART == 0:
            held.append(_held())

    with tempfile.TemporaryDirectory() as place:
        conduct(sweep, root=Path(place), progress=look)
    first = (_PART - 1) / (held[1].seconds - held[0].seconds)
    last = _PART / (held[-1].seconds - held[-2].seconds)
    lines = [f"sweep of {sweep.n} runs (jtrain, {os.cpu_count()} processors)"]
    lines.append(f"  runs a second: first hundred {first:.2f}, last hundred {last:.2f} ({last / first:.0%})")
    for label, name in (("processes", "processes"), ("open files", "files"), ("memory, MB", "resident_mb")):
        lines.append(
            f"  {label}: {getattr(held[1], name):.0f} after a hundred, {getattr(held[-1], name):.0f} at the end"
        )
    say("\n".join(lines))
    grown = [getattr(held[-1], name) / getattr(held[1], name) for name in ("processes", "files", "resident_mb")]
    return last / first >= 0.9 and max(grown) <= 1.1


def _held() -> Held:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return Held(time.monotonic(), _family(os.getpid()), len(list(Path("/proc/self/fd").iterdir())), resident / 1024)


def _family(process: int) -> int:
    """Return how many processes there are below one, itself included."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        parents.setdefault(parent, []).append(int(place.name))
    found, waiting = 0, [process]
    while waiting:
        found += 1
        waiting += parents.get(waiting.pop(), [])
    return found
