"""No notebook finds anything that another left, and no notebook's bad luck reaches another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from virkning.engine import Kernels, kernels, refusals, stock, warm
from virkning.errors import BookError, UsageError

from .engine_cells import GIVEN, comparable, notebook

MARKED = "87654321"


@pytest.fixture(scope="module")
def opened() -> Iterator[Kernels]:
    with kernels("warm", slots=4, preload=("numpy", "pandas", "matplotlib.pyplot")) as opened:
        yield opened


@pytest.fixture
def no_stock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing falls back to stock papermill unnoticed."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("stock papermill ran")

    monkeypatch.setattr(stock, "execute", refuse)


def printed(opened: Kernels, folder: Path, *sources: str, **options: Any) -> str:
    """Return what the last cell prints."""
    done = opened.execute(notebook(*sources), "effects", GIVEN, folder, **options)
    return "".join(output.get("text", "") for output in done.cells[-1].outputs)


LEAVES = """
import os, sys, threading, random, warnings, logging, builtins, locale, time
import numpy as np, pandas as pd, matplotlib, matplotlib.pyplot as plt
left = 1
builtins.left_too = 2
np.random.seed(3)
random.seed(3)
os.environ["LEFT"] = "x"
os.chdir("/")
opened = open("left.txt" if os.access(".", os.W_OK) and os.getcwd() != "/" else os.devnull)
plt.rcParams["figure.figsize"] = (1, 1)
plt.rcParams["axes.titlesize"] = 3
plt.ioff()
figure = plt.figure()
matplotlib.use("svg")
thread = threading.Thread(target=time.sleep, args=(60,), daemon=True)
thread.start()
sys.path.insert(0, "/left")
sys.argv.append("left")
np.set_printoptions(precision=1)
pd.set_option("display.max_rows", 3)
pd.DataFrame.left = 1
warnings.simplefilter("error")
logging.basicConfig(level=10)
sys.modules["left"] = sys
np.seterr(all="raise")
sys.setrecursionlimit(500)
os.umask(0o77)
"""
FINDS = """
import os, sys, threading, random, warnings, logging, builtins, resource
import numpy as np, pandas as pd, matplotlib, matplotlib.pyplot as plt
print({
    "names": sorted(set(globals()) & {"left", "opened", "figure", "thread"}),
    "builtins": hasattr(builtins, "left_too"),
    "environment": os.environ.get("LEFT"),
    "folder": os.getcwd(),
    "files": [number for number in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{number}")
              and "left" in os.readlink(f"/proc/self/fd/{number}")],
    "rc": (list(plt.rcParams["figure.figsize"]), plt.rcParams["axes.titlesize"]),
    "figures": plt.get_fignums(), "interactive": plt.isinteractive(), "backend": matplotlib.get_backend(),
    "threads": threading.active_count(),
    "path": "/left" in sys.path, "arguments": "left" in sys.argv, "modules": "left" in sys.modules,
    "options": (np.get_printoptions()["precision"], pd.get_option("display.max_rows"), hasattr(pd.DataFrame, "left")),
    "warnings": warnings.filters[0][0] == "error", "logging": logging.getLogger().handlers,
    "errors": np.geterr()["divide"], "recursion": sys.getrecursionlimit(), "mask": os.umask(0o22),
    "Out": dict(Out), "In": len(In), "_": _,
})
"""


@pytest.mark.usefixtures("no_stock")
def test_nothing_that_a_notebook_leaves_is_found_by_the_next(opened: Kernels, tmp_path: Path) -> None:
    (tmp_path / "left.txt").touch()
    before = printed(opened, tmp_path, FINDS)
    opened.execute(notebook(LEAVES), "effects", GIVEN, tmp_path)
    assert printed(opened, tmp_path, FINDS) == before
    found = eval(before)
    assert found["folder"] == str(tmp_path)
    assert (found["names"], found["figures"], found["threads"], found["Out"]) == ([], [], 1, {})
    assert found["environment"] is None
    assert found["backend"] == "module://matplotlib_inline.backend_inline" or found["backend"] == "inline"


@pytest.mark.usefixtures("no_stock")
def test_each_draws_its_own_numbers(opened: Kernels, tmp_path: Path) -> None:
    draw = "import numpy as np, random\nprint(np.random.random(), np.random.default_rng().random(), random.random())"
    drawn = [printed(opened, tmp_path, draw).split() for _ in range(3)]
    assert [len(set(column)) for column in zip(*drawn, strict=True)] == [3, 3, 3]


@pytest.mark.usefixtures("no_stock")
def test_linear_algebra_with_threads_works_in_a_child(opened: Kernels, tmp_path: Path) -> None:
    cell = (
        "import ctypes, glob, numpy as np\n"
        "for file in glob.glob(np.__path__[0] + '.libs/*openblas*'):\n"
        "    getattr(ctypes.CDLL(file), 'scipy_openblas_set_num_threads64_')(2)\n"
        "a = np.eye(400) * 2\n"
        "print(float(np.linalg.solve(a @ a, np.ones(400)).sum()))"
    )
    assert [printed(opened, tmp_path, cell, timeout_seconds=60) for _ in range(2)] == ["100.0\n"] * 2


@pytest.mark.usefixtures("no_stock")
def test_several_at_once_do_not_mix(opened: Kernels, tmp_path: Path) -> None:
    def one(number: int) -> list[str]:
        cells = [f"import time\nfor _ in range(20):\n    print({number}); time.sleep(0.005)", f"print({number})"] * 2
        done = opened.execute(notebook(*cells), "effects", GIVEN, tmp_path)
        return [output["text"].split() for cell in done.cells for output in cell.get("outputs", [])]

    with ThreadPoolExecutor(6) as pool:
        for number, texts in enumerate(pool.map(one, range(6))):
            assert {word for words in texts for word in words} == {str(number)}
            assert [len(words) for words in texts] == [20, 1, 20, 1]


@pytest.mark.parametrize(
    ("cell", "code", "says"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "book.dead_kernel", "died"),
        ("import os; os._exit(0)", "book.dead_kernel", "died"),
        ("import ctypes; ctypes.string_at(0)", "book.dead_kernel", "died"),
        ("exit()", "book.dead_kernel", "died"),
        ("import sys; sys.exit(3)", "book.failed_cell", "SystemExit"),
        ("while True: pass", "book.timeout", "longer than 2 seconds"),
        ("import time; time.sleep(60)", "book.timeout", "longer than 2 seconds"),
        ("import signal, os; os.kill(os.getpid(), signal.SIGSTOP)", "book.timeout", "longer than 2 seconds"),
        ("while True: print('x' * 10_000)", "book.too_much_output", "64 million characters"),
        ("import os\nwhile True: os.system('head -c 9999999 /dev/zero')", "book.timeout", "longer than 2 seconds"),
        (
            "from IPython.display import HTML, display\nwhile True: display(HTML('x' * 9_999_999))",
            "book.too_much_output",
            "64 million",
        ),
        (f"{{}}[{MARKED}]", "book.failed_cell", "KeyError"),
        ("raise MemoryError()", "book.failed_cell", "MemoryError"),
        ("print(", "book.failed_cell", "SyntaxError"),
    ],
)
@pytest.mark.usefixtures("no_stock")
def test_bad_luck_is_told_and_reaches_no_other(
    opened: Kernels, tmp_path: Path, cell: str, code: str, says: str
) -> None:
    seconds = 2 if code == "book.timeout" else 60
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(printed, opened, tmp_path, "import time; time.sleep(0.2)\nprint('fine')")
        with pytest.raises(BookError, match=says) as caught:
            # The last cell is there for what ends with the cell before it.
            opened.execute(notebook(cell, "1"), "effects", GIVEN, tmp_path, timeout_seconds=seconds)
        assert other.result() == "fine\n"
    assert caught.value.code == code
    assert "chapter effects" in caught.value.where
    assert MARKED not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_exit_in_the_last_cell_ends_a_notebook_well(opened: Kernels, tmp_path: Path) -> None:
    done = opened.execute(notebook("print('last'); exit()"), "effects", GIVEN, tmp_path)
    assert done.cells[-1].outputs[0].text == "last\n"


@pytest.mark.parametrize("kind", ["warm", "pool", "stock"])
def test_every_kind_refuses_the_same(opened: Kernels, tmp_path: Path, kind: str) -> None:
    said = set()
    given = [{**GIVEN, "extra": 1}, {"programme": "nsw"}]
    with kernels(kind, slots=1, preload=()) as these:
        for parameters in given:
            with pytest.raises(BookError) as caught:
                these.execute(notebook("1"), "effects", parameters, tmp_path)
            said.add(str(caught.value))
    for parameters in given:
        with pytest.raises(BookError) as caught:
            refusals.check_parameters(notebook("1"), "effects", parameters)
        assert str(caught.value) in said
    assert len(said) == 2


def test_warm_and_stock_say_the_same_of_a_failed_cell(opened: Kernels, tmp_path: Path) -> None:
    said = []
    for run in (opened.execute, stock.execute):
        with pytest.raises(BookError) as caught:
            run(notebook("1", f"{{}}[{MARKED}]"), "effects", GIVEN, tmp_path)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "cell [4], under «A chapter»" in said[0]


@pytest.mark.parametrize(
    "cell",
    ["try:\n    import ipywidgets\nexcept ImportError:\n    pass", "import comm\ncomm.create_comm(target_name='x')"],
    ids=["seen before", "seen while it runs"],
)
def test_what_needs_a_kernel_gets_one(
    opened: Kernels, tmp_path: Path, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(stock, "execute", lambda source, name, *_: ran.append(name) or source)
    opened.execute(notebook(cell), "effects", GIVEN, tmp_path)
    assert ran == ["effects"]


def test_another_backend_gets_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not warm.needs_kernel(notebook("1"))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    assert warm.needs_kernel(notebook("1"))


def test_a_server_with_a_thread_is_not_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ran: list[str] = []
    monkeypatch.setattr(stock, "execute", lambda source, name, *_: ran.append(name) or source)
    with kernels("warm", slots=1, preload=("threaded",)) as these:
        these.execute(notebook("1"), "effects", GIVEN, tmp_path)
    assert ran == ["effects"]


def test_pool_of_kernels_that_were_started_beforehand(opened: Kernels, tmp_path: Path) -> None:
    cells = ("import os\nprint(os.getpid(), os.getcwd())", "1 + 1", "left = [k for k in dir() if k == '_name']\nleft")
    with kernels("pool", slots=1, preload=("numpy", "no_such_module")) as these:
        assert these.kind == "pool"
        pooled = these.execute(notebook(*cells[1:]), "effects", GIVEN, tmp_path)
        where = these.execute(notebook(cells[0]), "effects", GIVEN, tmp_path).cells[-1].outputs[0].text.split()
    assert where[1] == str(tmp_path)
    assert comparable(pooled) == comparable(opened.execute(notebook(*cells[1:]), "effects", GIVEN, tmp_path))


def test_where_sockets_have_no_paths_traffic_is_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock, "SOCKETS_HAVE_PATHS", False)
    cell = "from ipykernel.kernelapp import IPKernelApp\napp = IPKernelApp.instance()\n"
    cell += "print(app.transport, bool(app.curve_secretkey))"
    done = stock.execute(notebook(cell), "effects", GIVEN, tmp_path)
    assert done.cells[-1].outputs[0].text == "tcp True\n"


def test_the_variable_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRKNING_ENGINE", "stock")
    with kernels() as these:
        assert these.kind == "stock"
    monkeypatch.setenv("VIRKNING_ENGINE", "stokk")
    with pytest.raises(UsageError, match="Did you mean «stock»"), kernels():
        pass


def test_no_more_run_at_once_than_there_are_slots(tmp_path: Path) -> None:
    cell = "import time\nbegun = time.time(); time.sleep(0.3); print(begun, time.time())"
    with kernels("warm", slots=1, preload=()) as these, ThreadPoolExecutor(3) as pool:
        spans = [
            tuple(float(word) for word in text.split())
            for text in pool.map(lambda _: printed(these, tmp_path, cell), range(3))
        ]
    spans.sort()
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_nothing_grows_over_many_notebooks(opened: Kernels, tmp_path: Path) -> None:
    server = int(printed(opened, tmp_path, "import os\nprint(os.getppid())"))

    def held() -> list[int]:
        files = [len(list(Path(f"/proc/{process}/fd").iterdir())) for process in ("self", server)]
        return [*files, len(Path(f"/proc/{server}/task/{server}/children").read_text().split())]

    def settled(wish: list[int]) -> list[int]:
        end = time.monotonic() + 5
        while held() != wish and time.monotonic() < end:
            time.sleep(0.05)  # A child is buried a moment after its answer.
        return held()

    before = settled([*held()[:2], 0])
    for _ in range(10):
        printed(opened, tmp_path, "print(1)")
    assert settled(before) == before
    assert before[2] == 0
