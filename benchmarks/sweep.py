"""Many runs in one sweep: does the last hundred go as quickly as the first, and does anything grow?

Examples: ``make bench BENCH_ARGS="--rows sweep"``, ``python -m benchmarks --rows sweep --sizes 300``.
"""

from __future__ import annotations

import contextlib
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
_BEFORE_THE_END = 10


@dataclass(frozen=True)
class Held:
    """What the command and everything that it started hold at one moment.

    Attributes
    ----------
    seconds : float
        By a clock that nobody can set.
    cpu_seconds : float
        That the processors worked for all of them, also for those that have ended.
    processes, files : int
        Processes, and the files that these hold open.
    memory_mb : float
        Of all of them; what several share counts once.
    """

    seconds: float
    cpu_seconds: float
    processes: int
    files: int
    memory_mb: float


def compare(runs: int, say: Callable[[str], None]) -> bool:
    """Perform a sweep of so many runs and say how its pace, files, processes and memory moved.

    Parameters
    ----------
    runs : int
        Rounded up to whole hundreds, at least two.
    say : callable
        Takes text.

    Returns
    -------
    bool
        Whether the last hundred were at least 90% as quick as the first and nothing grew by more than a tenth.
    """
    n_parts = max(-(-runs // _PART), 2)
    sweep = Sweep.of(str(example("jtrain")), Grid.of([f"seed=1:{n_parts * _PART}:1"]))
    held: list[Held] = []

    def look(step: Step) -> None:
        # The first result comes when the processes are started: from there on the pace counts. What they hold is looked
        # at shortly before the end too, since at the end some have left already.
        if step.position == 1 or step.position % _PART == 0 or step.position == sweep.n - _BEFORE_THE_END:
            held.append(_held())

    with tempfile.TemporaryDirectory() as place:
        conduct(sweep, root=Path(place), progress=look)
    *parts, nearly, last = held
    parts.append(last)
    lengths = [_PART - 1, *[_PART] * (len(parts) - 2)]
    pairs = list(zip(lengths, parts, parts[1:], strict=False))
    pace = [n / (after.seconds - before.seconds) for n, before, after in pairs]
    # Of the last part, what ends with it is left out: the time of a process that has just gone is nobody's.
    looked = [*zip(lengths[:-1], parts[:-2], parts[1:-1], strict=True), (_PART - _BEFORE_THE_END, parts[-2], nearly)]
    work = [1000 * (after.cpu_seconds - before.cpu_seconds) / n for n, before, after in looked]
    ratio = pace[-1] / pace[0]
    lines = [f"sweep of {sweep.n} runs (jtrain, {os.cpu_count()} processors)"]
    lines.append(
        f"  runs a second: first hundred {pace[0]:.2f}, last hundred {pace[-1]:.2f} ({ratio:.0%}); "
        f"slowest hundred {min(pace):.2f}"
    )
    lines.append(
        f"  processor time of a run, ms: first hundred {work[0]:.1f}, last hundred {work[-1]:.1f}; most {max(work):.1f}"
    )
    named = (("processes", "processes"), ("open files of all", "files"), ("memory of all, MB", "memory_mb"))
    for label, name in named:
        lines.append(
            f"  {label}: {getattr(parts[1], name):.0f} after a hundred, {getattr(nearly, name):.0f} at the end"
        )
    say("\n".join(lines))
    grown = [getattr(nearly, name) / getattr(parts[1], name) for _, name in named]
    return ratio >= 0.9 and max(grown) <= 1.1


def _held() -> Held:
    cpu, files, memory, processes = 0.0, 0, 0, 0
    for process in _family(os.getpid()):
        place = Path(f"/proc/{process}")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # It has just ended.
            # Of the process and of its children that have ended.
            cpu += sum(int(ticks) for ticks in _fields(process)[11:15]) / os.sysconf("SC_CLK_TCK")
            files += len(list((place / "fd").iterdir()))
            lines = (place / "smaps_rollup").read_text(encoding="utf-8").splitlines()
            memory += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            processes += 1
    return Held(time.monotonic(), cpu, processes, files, memory / 1024)


def _fields(process: int) -> list[str]:
    """Return the fields of a process's state from the third on, as the system writes them."""
    return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()


def _family(process: int) -> list[int]:
    """Return the processes below one, itself included."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parents.setdefault(int(_fields(int(place.name))[1]), []).append(int(place.name))
    found = [process]
    for each in found:
        found += parents.get(each, [])
    return found
