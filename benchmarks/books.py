"""What one whole book costs: every chapter of a programme and the pages, ours beside papermill and ``jupyter-book``.

Stock papermill runs the same notebooks with the same parameters, in two processes at once, and is given the record of a
run, which one page prints. Its notebooks are laid out as ours are, by the same code, which is not counted; then
``jupyter-book build`` makes the pages in a Python of its own. So both sides end with the same book: that is looked at.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from virkning.performance import BOOK, CHANGED, FIXED, OURS, RUNNING, START, STOCK_BOOK, TUNED_BOOK, UNCHANGED
from virkning.resources import RECORD

from .processes import Used, compile_ours, run, tree_seconds

PROGRAMME = "nsw"
CHANGE = "economy.discounting.rate=0.05"
AT_ONCE = 2
KINDS = ("cpu_seconds", "wall_seconds")
Record = dict[str, Any]
if TYPE_CHECKING:
    from virkning.run import Run


class JupyterBook:
    """Stands in for the server of book builds: each build is ``jupyter-book build`` in a newly started Python.

    Attributes
    ----------
    used : Used
        By the last build.
    """

    def __init__(self, *, has_one_thread: bool) -> None:
        self.has_one_thread = has_one_thread
        self.used = Used(0.0, 0.0, "")

    def call(self, _function: str, source: str, out: str, *, timeout_seconds: float) -> tuple[int, str]:
        """Build staged pages; the exit code, and nothing said: a failure is raised."""
        from virkning.typesetting import arguments

        assert timeout_seconds > 0
        command = ["-c", "from jupyter_book.cli.main import main; main()", *arguments(source, out)]
        self.used = run(command, has_one_thread=self.has_one_thread)
        return 0, self.used.said


def jobs(done: Run, place: Path) -> list[dict[str, Any]]:
    """Return the notebooks of the book in the order in which ours are made, with their parameters.

    Parameters
    ----------
    done : Run
        Of the programme.
    place : Path
        The folder that chapters share: it holds the record, and gets their results.
    """
    from virkning.run.work import Task, in_order

    entries = {entry.name: entry for entry in done.entries}
    given = {"programme": str(done.programme.folder), "changes": {}, "run": str(place)}
    return [
        {
            "name": task.name,
            "after": [name for name in task.after if name in entries],
            "parameters": given if task.entry else {},
            "notebook": nbformat.writes(task.source()),
        }
        for task in in_order([Task(name, entries.get(name)) for name in done.pages])
    ]


def by_papermill(done: Run, place: Path, *, has_one_thread: bool) -> Used:
    """Run every notebook of the book with stock papermill, in two processes at once.

    Parameters
    ----------
    done : Run
        Of the programme.
    place : Path
        As for :func:`jobs`; gets ``notebooks``.
    has_one_thread : bool
        Whether linear algebra is tuned to one thread.
    """
    for name in ("waiting", "taken", "done", "notebooks/methods"):
        (place / name).mkdir(parents=True)
    order = jobs(done, place)
    for job in order:
        (place / "waiting" / f"{_plain(job['name'])}.ipynb").write_text(job.pop("notebook"), encoding="utf-8")
    (place / "jobs.json").write_text(json.dumps(order), encoding="utf-8")
    used = run(["-m", "benchmarks.books", "--two", str(place)], has_one_thread=has_one_thread)
    from virkning.run.texts import without_traces

    for job in order:
        file = place / "notebooks" / f"{job['name']}.ipynb"
        nbformat.write(without_traces(nbformat.read(file, as_version=4)), file)
    return used


def _plain(name: str) -> str:
    return name.replace("/", " ")


def _two(place: str) -> None:
    command = [sys.executable, "-m", "benchmarks.books", "--papermill", place]
    started = [subprocess.Popen(command) for _ in range(AT_ONCE)]
    if sum(each.wait() for each in started):
        raise RuntimeError("Papermill failed.")


def _papermill(place: Path) -> None:
    """Take one notebook after the other, as soon as those are done whose results it reads."""
    import papermill

    order = json.loads((place / "jobs.json").read_text(encoding="utf-8"))
    while order:
        ready = [job for job in order if all((place / "done" / name).exists() for name in job["after"])]
        if not ready:
            time.sleep(0.05)
            continue
        order.remove(ready[0])
        name = ready[0]["name"]
        plain = _plain(name)
        try:
            (place / "taken" / plain).touch(exist_ok=False)
        except FileExistsError:
            continue
        papermill.execute_notebook(
            place / "waiting" / f"{plain}.ipynb",
            place / "notebooks" / f"{name}.ipynb",
            ready[0]["parameters"],
            kernel_name="python3",
            language="python",
            progress_bar=False,
        )
        (place / "done" / plain).touch()


def stock(done: Run, place: Path, *, has_one_thread: bool) -> Used:
    """Make the book with stock papermill and ``jupyter-book``.

    Parameters
    ----------
    done : Run
        Ours: it says which notebooks there are, and its record is given to them.
    place : Path
        An empty folder, which gets ``html``.
    has_one_thread : bool
        Whether linear algebra is tuned to one thread.
    """
    from virkning.book import build

    shutil.copy(done.folder / RECORD, place)
    used = by_papermill(done, place, has_one_thread=has_one_thread)
    builder = JupyterBook(has_one_thread=has_one_thread)
    book = build(done.programme, dataclasses.replace(done, folder=place), root=place, server=builder)  # type: ignore[arg-type]
    book.index.parent.rename(place / "html")
    cpu, wall = (getattr(used, kind) + getattr(builder.used, kind) for kind in KINDS)
    return Used(cpu, wall, "")


def differences(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """Return the pages that only one book has, or that say another thing.

    Parameters
    ----------
    one, other : mapping of str to bytes
        Of :func:`pages`.
    """
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def pages(html: Path) -> dict[str, bytes]:
    """Return every page of a book by its name.

    Parameters
    ----------
    html : Path
        Folder of the book.
    """
    return {str(page.relative_to(html)): page.read_bytes() for page in sorted(html.rglob("*.html"))}


def _running() -> None:
    """Make the book with servers that have done their imports, and print what was added from there on."""
    from virkning.book import build
    from virkning.engine import kernels
    from virkning.programme import Programme
    from virkning.record import recorded
    from virkning.typesetting import open_server

    with kernels("warm", slots=AT_ONCE) as opened, open_server() as server:
        cell = nbformat.v4.new_code_cell("1 + 1")
        opened.execute(nbformat.v4.new_notebook(cells=[cell]), "nothing", {}, Path.cwd())
        if not server.forks or opened.kind != "warm":
            raise RuntimeError("The servers must fork.")
        before, begun = tree_seconds(), time.perf_counter()
        programme = Programme.read(PROGRAMME)
        build(programme, recorded(programme, kernels=opened), server=server)
        sys.stdout.write(f"{tree_seconds() - before} {time.perf_counter() - begun}\n")


def _pages() -> None:
    """Lay out, build and look at the pages of the run in this folder, and print what was added by that."""
    from virkning.book import build
    from virkning.programme import Programme
    from virkning.run import run as perform
    from virkning.typesetting import open_server

    done = perform(Programme.read(PROGRAMME))
    with open_server() as server:
        if not server.forks:
            raise RuntimeError("The server must fork.")
        before, begun = tree_seconds(), time.perf_counter()
        build(done.programme, done, root=Path("again"), server=server)
        sys.stdout.write(f"{tree_seconds() - before} {time.perf_counter() - begun}\n")


# Not in this module, whose own imports would count.
_KERNELS = """
from pathlib import Path
from nbformat.v4 import new_code_cell, new_notebook
from virkning.engine import kernels
with kernels("warm", slots=1) as opened:
    opened.execute(new_notebook(cells=[new_code_cell("1 + 1")]), "nothing", {}, Path.cwd())
"""
# In the order of the parts in `FIXED`.
_PARTS = (
    ("-c", "import virkning.publication"),
    ("-c", _KERNELS),
    ("-c", "from virkning.typesetting import prepare_server as imports; imports()"),
    ("-m", "benchmarks.books", "--pages"),
)


def measure() -> dict[str, Used]:
    """Make the book once in every way, in folders that are gone afterwards; return what each used.

    Raises
    ------
    RuntimeError
        A way failed, or the books differ.
    """
    from virkning.programme import Programme
    from virkning.run import run as perform

    command = ["-m", "virkning.cli", "book", PROGRAMME, "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ours", "running", STOCK_BOOK, TUNED_BOOK):
            (Path(folder) / name).mkdir()
        ours = Path(folder) / "ours"
        found = {OURS: run(command, folder=ours)}
        found[UNCHANGED] = run(command, folder=ours)
        found[START] = run(["-c", "pass"], folder=ours)
        done = perform(Programme.read(PROGRAMME), root=ours / "runs")
        if done.n_executed:
            raise RuntimeError("What was made a moment ago was made again.")
        made = pages(ours / "_build" / PROGRAMME / "html")
        for name in (STOCK_BOOK, TUNED_BOOK):
            found[name] = stock(done, Path(folder) / name, has_one_thread=name == TUNED_BOOK)
            if different := differences(made, pages(Path(folder) / name / "html")):
                raise RuntimeError(f"«{name}» makes other pages: {', '.join(different)}.")
        found[RUNNING] = _added(run(["-m", "benchmarks.books", "--running"], folder=Path(folder) / "running"))
        found[CHANGED] = run([*command, "-p", CHANGE], folder=ours)
        for name, part in zip(FIXED, _PARTS, strict=True):
            used = run(part, folder=ours)
            found[name] = _added(used) if used.said else used
    return found


def _added(used: Used) -> Used:
    """Return what a process says that something in it has added, in place of all that it used."""
    cpu, wall = used.said.split()
    return Used(float(cpu), float(wall), "")


def compare(rounds: int, say: Callable[[str], None]) -> list[Record]:
    """Measure every way, in turns, and print the table.

    Parameters
    ----------
    rounds : int
        Measurements of each, of which the median counts.
    say : callable
        Prints.
    """
    compile_ours()
    say(f"\n{BOOK}: all chapters of «{PROGRAMME}» and the pages, from an empty folder unless it says otherwise")
    # In a process of its own, which finds no peers: a run's record notes every package that it can find.
    taken = [json.loads(run(["-m", "benchmarks.books", "--measure"]).said) for _ in range(rounds)]
    middle: Mapping[str, Mapping[str, float]] = {
        name: {kind: statistics.median(each[name][kind] for each in taken) for kind in KINDS} for name in taken[0]
    }
    cold = middle[OURS]["cpu_seconds"]
    say(f"{'':38}{'of CPU':>10}{'seconds':>10}{'× ours':>9}")
    for name, values in middle.items():
        cpu, wall = values["cpu_seconds"], values["wall_seconds"]
        say(f"  {name:<36}{cpu:10.2f}{wall:10.2f}{cpu / cold:9.3f}")
    return [{"row": BOOK, "size": 1, "contestant": name, **values} for name, values in middle.items()]


def main() -> None:
    """Do what another process asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--two")
    parser.add_argument("--papermill", type=Path)
    parser.add_argument("--running", action="store_true")
    parser.add_argument("--pages", action="store_true")
    parser.add_argument("--measure", action="store_true")
    wishes = parser.parse_args()
    if wishes.two:
        _two(wishes.two)
    elif wishes.papermill:
        _papermill(wishes.papermill)
    elif wishes.running:
        _running()
    elif wishes.pages:
        _pages()
    elif wishes.measure:
        found = {name: {kind: getattr(used, kind) for kind in KINDS} for name, used in measure().items()}
        sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
