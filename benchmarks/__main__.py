"""Measure every row of the table, ours and the peers in turn, print it, and record it in ``book/performance.csv``.

Examples: ``make bench``, ``make bench BENCH_ARGS="--rows trial --sizes 10000"``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from virkning.performance import BOOK, FILE, N_RUNS, PIPELINE, Measured, write_performance

from . import books, pipeline, sweep
from .contest import Row, disagreement
from .measure import ROOT, find_peers, rows

RECORD = ROOT / "book" / FILE
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LONGEST = 600
Found = dict[str, Any]


def main() -> int:
    """Run the benchmarks; return 1 when a row's numbers disagree or cannot be had."""
    wishes = _wishes()
    find_peers()
    is_sound = True
    chosen = [row for row in rows().values() if _is_wanted(row.name, wishes)]
    if chosen:
        _say(_heading())
    for row in chosen:
        for size in wishes.sizes or row.sizes[1:]:
            records = _records(row, size, _in_turn(row, size, wishes.rounds))
            is_sound = is_sound and all(record["agrees"] for record in records)
            _say(_lines(row, size, records))
            if size in row.sizes[1:]:
                _record(records, wishes.rounds)
    if _is_wanted(PIPELINE, wishes):
        for runs in wishes.sizes or [N_RUNS]:
            records = pipeline.compare(runs, wishes.rounds if wishes.sizes else 1, _say)
            if runs == N_RUNS:
                _record(records, 1)
    if _is_wanted(BOOK, wishes):
        _record(books.compare(wishes.rounds, _say), wishes.rounds)
    if _is_wanted(sweep.NAME, wishes):
        for runs in wishes.sizes or [sweep.RUNS]:
            is_sound = sweep.compare(runs, _say) and is_sound
    return 0 if is_sound else 1


def _is_wanted(name: str, wishes: argparse.Namespace) -> bool:
    return any(word in name for word in wishes.rows or [""])


def _wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", nargs="*", help="only rows whose name holds one of these texts")
    parser.add_argument("--sizes", nargs="*", type=int, help="numbers of rows instead of each row's own")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each contestant")
    return parser.parse_args()


def _in_turn(row: Row, size: int, rounds: int) -> dict[str, list[Found]]:
    """Return what each contestant's processes measured; they take turns, so that a busy machine is so for all."""
    found: dict[str, list[Found]] = defaultdict(list)
    for _ in range(rounds):
        for contestant in row.contestants:
            if found[contestant] and "numbers" not in found[contestant][-1]:
                continue  # It failed; it would again.
            found[contestant].append(_in_a_process(row.name, contestant, size))
    return found


def _in_a_process(row: str, contestant: str, size: int) -> Found:
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
    measured: Found = json.loads(done.stdout.splitlines()[-1])
    return measured


def _records(row: Row, size: int, found: dict[str, list[Found]]) -> list[dict[str, object]]:
    """Return a record of each contestant: medians over its processes, and whether its numbers are ours."""
    first = next(iter(found.values()))[0]
    ours = first.get("numbers")
    cpu = {name: _median(runs, "cpu") for name, runs in found.items()}
    records: list[dict[str, object]] = []
    for contestant, runs in found.items():
        numbers = runs[-1].get("numbers")
        difference = disagreement(ours, numbers) if ours and numbers else float("nan")
        records.append(
            {
                "row": row.name,
                "size": size,
                "contestant": contestant,
                "wall_seconds": _median(runs, "wall"),
                "cpu_seconds": cpu[contestant],
                "memory_mb": _median(runs, "peak"),
                "cpu_ratio": cpu[contestant] / cpu[next(iter(found))],
                "difference": difference,
                "agrees": difference <= row.tolerance_of(contestant) if numbers and ours else False,
                "failure": runs[-1].get("failure", ""),
            }
        )
    return records


def _median(runs: list[Found], what: str) -> float:
    values = [run[what] for run in runs if what in run]
    return statistics.median(values) if values else float("nan")


def _version(contestant: str) -> str:
    try:
        return metadata.version(contestant.split(",", maxsplit=1)[0])
    except metadata.PackageNotFoundError:
        return "none"


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
            f"{record['memory_mb']:9.0f}{record['cpu_ratio']:9.2f}   {record['failure'] or verdict}"
        )
    return "\n".join([*lines, *([f"  {row.words}"] if row.words else [])])


def _record(records: Iterable[Mapping[str, Any]], rounds: int) -> None:
    """Put what was measured into the book's record, in place of what stood there for the same row and size."""
    always = {
        "n_rounds": rounds,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} × {platform.machine()}",
    }
    # The rows of the pipeline compare no numbers; those of whole books look at every page instead.
    unless = {"memory_mb": math.nan, "difference": 0.0, "agrees": True}
    names = {field.name for field in fields(Measured)}
    lines = [{**unless, **each, **always, "version": _version(each["contestant"])} for each in records]
    write_performance([Measured(**{name: line[name] for name in names}) for line in lines], RECORD)
    _say(f"  Recorded in {RECORD.relative_to(ROOT)}.")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
