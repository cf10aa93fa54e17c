"""What it costs to run one real chapter many times: stock papermill, ours, and the same cells as a plain script.

Each contestant has a process of its own, and its whole tree of processes is counted: the server's start, every kernel,
every child. Numbers are seconds of the processor, which a machine that is busy with something else hardly changes.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from virkning.performance import FLOOR, OURS, PIPELINE, STOCK, TUNED

from .processes import ROOT, compile_ours, run

CHAPTER, PROGRAMME = "effects", ROOT / "programmes" / "nsw"
SLOTS = 2
_MEMORY = (
    "print(sum(int(line.split()[1]) for line in open('/proc/self/smaps_rollup') if line.startswith('Private_')) / 1024)"
)
Record = dict[str, Any]


def chapter() -> NotebookNode:
    """Return the notebook that is run, with a last cell that says how much memory is its process's own."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{CHAPTER}.ipynb", as_version=4)
    notebook.cells.append(new_code_cell(_MEMORY))
    return notebook


def parameters(number: int) -> dict[str, Any]:
    """Return the parameters of a run; each has a confidence level of its own, so that no two are the same."""
    return {
        "programme": str(PROGRAMME),
        "changes": {"design.confidence": round(0.8 + 0.0015 * number, 4)},
        "run": "",
    }


def private_mb(notebook: NotebookNode) -> float:
    """Return what the last cell printed."""
    return float(notebook.cells[-1].outputs[0].text)


def _side_by_side(one: Callable[[int], float], runs: int) -> list[float]:
    with ThreadPoolExecutor(SLOTS) as pool:
        return list(pool.map(one, range(runs)))


def _papermill(runs: int) -> list[float]:
    """Two processes that call papermill, each for half of the runs."""
    command = [sys.executable, "-m", "benchmarks.pipeline", "--half"]
    halves = [
        subprocess.Popen([*command, str(half), str(runs)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for half in range(SLOTS)
    ]
    said = [half.communicate()[0] for half in halves]
    if any(half.returncode for half in halves):
        raise RuntimeError("Papermill failed.")
    return [float(line) for text in said for line in text.split()]


def _half(first: int, runs: int) -> None:
    import papermill

    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "in.ipynb", Path(folder) / "out.ipynb"
        nbformat.write(chapter(), source)
        for number in range(first, runs, SLOTS):
            papermill.execute_notebook(
                source, result, parameters(number), kernel_name="python3", language="python", progress_bar=False
            )
            sys.stdout.write(f"{private_mb(nbformat.read(result, as_version=4))}\n")


def _ours(runs: int) -> list[float]:
    from virkning.engine import kernels

    with kernels("warm", slots=SLOTS) as opened:

        def one(number: int) -> float:
            return private_mb(opened.execute(chapter(), CHAPTER, parameters(number), ROOT))

        return _side_by_side(one, runs)


def _floor(runs: int) -> list[float]:
    from virkning.engine import ForkServer
    from virkning.engine.kinds import PRELOAD

    with ForkServer([*PRELOAD, "benchmarks.pipeline:draw_once"]) as server:
        if not server.forks:
            raise RuntimeError("The floor must be forked.")
        sources = [cell.source for cell in chapter().cells if cell.cell_type == "code"]

        def one(number: int) -> float:
            return float(server.call("benchmarks.pipeline:script", sources, parameters(number)))

        return _side_by_side(one, runs)


def draw_once() -> None:
    """Draw and show something once, as the server of the kernels does."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure = plt.figure()
    figure.canvas.draw()
    plt.close("all")


def script(sources: list[str], values: Mapping[str, Any]) -> float:
    """Run cells as one plain script, in which whatever a notebook would show is made as well.

    Parameters
    ----------
    sources : list of str
        The first declares the parameters.
    values : mapping
        The parameters.
    """
    import IPython.display

    shown: list[Any] = []

    def display(*exhibits: Any) -> None:
        for exhibit in exhibits:
            shown.append(repr(exhibit))
            for method in ("_repr_mimebundle_", "_repr_html_", "_repr_svg_", "_repr_png_", "_repr_markdown_"):
                if (make := getattr(exhibit, method, None)) is not None:
                    shown.append(make())

    IPython.display.display = display
    names: dict[str, Any] = {"__name__": "__main__", "print": shown.append}
    for number, source in enumerate(sources):
        body = ast.parse(source).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), "cell", "exec"), names)  # noqa: S102 - our own notebook
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307 - the same
            if value is not None:
                display(value)
        if number == 0:
            names.update(values)
    return float(shown[-1])


CONTESTANTS: Mapping[str, Callable[[int], list[float]]] = {
    STOCK: _papermill,
    TUNED: _papermill,
    OURS: _ours,
    FLOOR: _floor,
}


def measure(contestant: str, runs: int) -> Record:
    """Run a contestant in a process of its own and return the seconds of its whole tree of processes.

    Parameters
    ----------
    contestant : str
        One of `CONTESTANTS`.
    runs : int
        How often the chapter is run.
    """
    used = run(
        ["-m", "benchmarks.pipeline", "--one", contestant, str(runs)],
        has_one_thread=contestant != STOCK,
    )
    private = [float(line) for line in used.said.split()]
    if len(private) != runs:
        raise RuntimeError(f"«{contestant}» failed.")
    return {
        "cpu_seconds": used.cpu_seconds,
        "wall_seconds": used.wall_seconds,
        "memory_mb": statistics.median(private),
    }


def compare(runs: int, rounds: int, say: Callable[[str], None]) -> list[Record]:
    """Measure every contestant, in turns, and print the table.

    Parameters
    ----------
    runs, rounds : int
        Runs of the chapter in one measurement; measurements of each contestant, of which the median counts.
    say : callable
        Prints.
    """
    compile_ours()
    say(f"\n{PIPELINE}: the chapter «{CHAPTER}» of «{PROGRAMME.name}», {runs} times, on {SLOTS} slots, start included")
    taken: dict[str, list[Record]] = {name: [] for name in CONTESTANTS}
    for _ in range(rounds):
        for name, found in taken.items():
            found.append(measure(name, runs))
    middle = {
        name: {kind: statistics.median(each[kind] for each in found) for kind in found[0]}
        for name, found in taken.items()
    }
    ours = middle[OURS]["cpu_seconds"]
    say(f"{'':26}{'of CPU':>10}{'a run':>9}{'seconds':>10}{'× ours':>9}{'own MB':>9}")
    for name, each in middle.items():
        cpu = each["cpu_seconds"]
        say(
            f"  {name:<24}{cpu:10.1f}{cpu / runs:9.3f}"
            f"{each['wall_seconds']:10.1f}{cpu / ours:9.2f}{each['memory_mb']:9.0f}"
        )
    say(f"  ours is {ours / middle[FLOOR]['cpu_seconds']:.2f} times the floor; own MB: what one more run at once takes")
    return [{"row": PIPELINE, "size": runs, "contestant": name, **values} for name, values in middle.items()]


def main() -> None:
    """Do what another process asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", nargs=2)
    parser.add_argument("--half", nargs=2, type=int)
    wishes = parser.parse_args()
    if wishes.half:
        _half(*wishes.half)
    else:
        contestant, runs = wishes.one
        sys.stdout.writelines(f"{each}\n" for each in CONTESTANTS[contestant](int(runs)))


if __name__ == "__main__":
    main()
