"""Measure every row of the table, ours and the peers in turn, print it, and write it to ``_build/benchmarks.csv``.

Examples: ``make bench``, ``make bench BENCH_ARGS="--rows trial --sizes 10000"``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from . import pipeline, sweep
from .contest import Row, disagreement
from .measure import ROOT, find_peers, rows

FILE = ROOT / "_build" / "benchmarks.csv"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LONGEST = 600
_COLUMNS = (
    "row", "size", "contestant", "version", "wall_seconds", "cpu_seconds", "peak_mb", "cpu_ratio", "difference",
    "agrees", "runs", "date", "python", "processors", "blas_threads",
)  # fmt: skip
Measured = dict[str, Any]


def main() -> int:
    """Run the benchmarks; return 1 when a row's numbers disagree or cannot be had."""
    wishes = _wishes()
    find_peers()
    records: list[dict[str, object]] = []
    chosen = [row for row in rows().values() if any(word in row.name for word in wishes.rows or [""])]
    if chosen:
        _say(_heading())
    for row in chosen:
        for size in wishes.sizes or row.sizes[1:]:
            found = _in_turn(row, size, wishes.rounds)
            records += _records(row, size, found)
            _say(_lines(row, size, records))
            _write(records)
    if chosen:
        _say(f"\nWritten to {FILE.relative_to(ROOT)}.")
    if any(word in pipeline.NAME for word in wishes.rows or [""]):
        for runs in wishes.sizes or [100]:
            pipeline.compare(runs, wishes.rounds if wishes.sizes else 1, _say)
    is_steady = True
    if any(word in sweep.NAME for word in wishes.rows or [""]):
        is_steady = all(sweep.compare(runs, _say) for runs in wishes.sizes or [sweep.RUNS])
    return 0 if is_steady and all(record["agrees"] for record in records) else 1


def _wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", nargs="*", help="only rows whose name holds one of these texts")
    parser.add_argument("--sizes", nargs="*", type=int, help="numbers of rows instead of each row's own")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each contestant")
    return parser.parse_args()


def _in_turn(row: Row, size: int, rounds: int) -> dict[str, list[Measured]]:
    """Return what each contestant's processes measured; they take turns, so that a busy machine is so for all."""
    found: dict[str, list[Measured]] = defaultdict(list)
    for _ in range(rounds):
        for contestant in row.contestants:
            if found[contestant] and "numbers" not in found[contestant][-1]:
                continue  # It failed; it would again.
            found[contestant].append(_in_a_process(row.name, contestant, size))
    return found


def _in_a_process(row: str, contestant: str, size: int) -> Measured:
    # One thread for linear algebra; the seed of hashes orders pyfixest's effects.
    settings = {**dict.fromkeys(_THREADS, "1"), "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "benchmarks.measure", row, contestant, str(size)]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"not done after {_LONGEST} seconds"}
    if done.returncode:
        return {"failure": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:100]}
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    return measured


def _records(row: Row, size: int, found: dict[str, list[Measured]]) -> list[dict[str, object]]:
    """Return a record of each contestant: medians over its processes, and whether its numbers are ours."""
    first = next(iter(found.values()))[0]
    ours = first.get("numbers")
    cpu = {name: _median(runs, "cpu") for name, runs in found.items()}
    records = []
    for contestant, runs in found.items():
        numbers = runs[-1].get("numbers")
        difference = disagreement(ours, numbers) if ours and numbers else float("nan")
        records.append(
            {
                "row": row.name,
                "size": size,
                "contestant": contestant,
                "version": _version(contestant),
                "wall_seconds": _median(runs, "wall"),
                "cpu_seconds": cpu[contestant],
                "peak_mb": _median(runs, "peak"),
                "cpu_ratio": cpu[contestant] / cpu[next(iter(found))],
                "difference": difference,
                "agrees": difference <= row.tolerance_of(contestant) if numbers and ours else False,
                "runs": len(runs),
                "date": datetime.now(UTC).date().isoformat(),
                "python": platform.python_version(),
                "processors": f"{os.cpu_count()} × {platform.machine()}",
                "blas_threads": 1,
                "failure": runs[-1].get("failure", ""),
            }
        )
    return records


def _median(runs: list[Measured], what: str) -> float:
    values = [run[what] for run in runs if what in run]
    return statistics.median(values) if values else float("nan")


def _version(contestant: str) -> str:
    try:
        return metadata.version(contestant.split(",", maxsplit=1)[0])
    except metadata.PackageNotFoundError:
        return ""


def _heading() -> str:
    return (
        f"{'':28}{'seconds':>9}{'of CPU':>9}{'peak MB':>9}{'× ours':>9}   numbers\n"
        "Medians over processes of medians over calls; one thread for linear algebra, each package's own otherwise."
    )


def _lines(row: Row, size: int, records: list[dict[str, object]]) -> str:
    lines = [f"\n{row.name}, {size:,} rows"]
    for record in records:
        if (record["row"], record["size"]) != (row.name, size):
            continue
        verdict = f"differ by {record['difference']:.0e}" if record["agrees"] else f"DISAGREE {record['difference']}"
        lines.append(
            f"  {record['contestant']:<26}{record['wall_seconds']:9.3f}{record['cpu_seconds']:9.3f}"
            f"{record['peak_mb']:9.0f}{record['cpu_ratio']:9.2f}   {record['failure'] or verdict}"
        )
    return "\n".join([*lines, *([f"  {row.words}"] if row.words else [])])


def _write(records: list[dict[str, object]]) -> None:
    FILE.parent.mkdir(exist_ok=True)
    with Path(FILE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, _COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(records)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
