"""One measurement in a process of its own: a row, a contestant, a size; the result is a line of JSON.

The data are made and put into the form that the contestant takes; then its call is made once to warm up, and again
until three calls or ten seconds are over. Time is the median of those; memory is the largest amount that the process
held during a call, libraries and data included.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
import pandera.pandas

from .contest import Call, Row

ROOT = Path(__file__).parents[1]
_REPEATS, _ENOUGH = 3, 10.0
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def find_peers() -> None:
    """Let the peers be imported, after pandas and pandera, which look at their import for some of them."""
    peers = str(ROOT / ".venv" / "peers")
    if peers not in sys.path:
        assert pd.__version__
        assert pandera.__version__
        sys.path.append(peers)


def rows() -> dict[str, Row]:
    """Return all rows of the table by name."""
    from . import lotteries, money, periods

    return {row.name: row for row in (*lotteries.ROWS, *periods.ROWS, *money.ROWS)}


def measure(call: Call) -> dict[str, object]:
    """Return numbers, seconds of the clock and of the processor (medians), and the peak of memory in MB."""
    begun = time.perf_counter()
    numbers = call()
    spent = time.perf_counter() - begun
    _forget_peak()
    walls: list[float] = []
    processors: list[float] = []
    while not walls or (len(walls) < _REPEATS and spent < _ENOUGH):
        wall, processor = time.perf_counter(), time.process_time()
        numbers = call()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
        spent += walls[-1]
    return {
        "numbers": dict(numbers),
        "wall": statistics.median(walls),
        "cpu": statistics.median(processors),
        "peak": _peak(),
    }


def _forget_peak() -> None:
    """Begin the count of the largest amount of memory anew, where the system can (Linux)."""
    if _RESET.exists():
        _RESET.write_text("5", encoding="ascii")


def _peak() -> float:
    """Return the largest amount of memory that the process held since, in MB; NaN where the system does not say."""
    if not _STATUS.exists():
        return float("nan")
    fields = dict(line.split(":", 1) for line in _STATUS.read_text(encoding="ascii").splitlines() if ":" in line)
    return int(fields["VmHWM"].split()[0]) / 1024


def main() -> None:
    """Measure what the command line names: row, contestant, number of rows."""
    warnings.simplefilter("ignore")
    name, contestant, size = sys.argv[1:]
    find_peers()
    row = rows()[name]
    result = measure(row.contestants[contestant](row.data(int(size))))
    sys.stdout.write(f"\n{json.dumps(result)}\n")


if __name__ == "__main__":
    main()
