"""Anybody's papermill: the engine is registered, fails as papermill's own does, and lets go of what it cannot run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.engines import papermill_engines

from virkning.engine import papermill_engine

from .engine_cells import GIVEN, notebook

KERNEL = {"name": "python3", "language": "python", "display_name": "Python 3"}


def run(source: NotebookNode, place: Path, **options: Any) -> NotebookNode:
    return papermill.execute_notebook(
        source, place, parameters=GIVEN, engine_name="virkning", progress_bar=False, **options
    )


def own(*sources: str) -> NotebookNode:
    return notebook(*sources, kernelspec=KERNEL)


@pytest.fixture(autouse=True)
def few_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(papermill_engine.PRELOAD_VARIABLE, "")


def test_papermill_knows_the_engine() -> None:
    assert papermill_engines.get_engine("virkning") is papermill_engine.WarmEngine


def test_cells_run_in_children_of_one_server(tmp_path: Path) -> None:
    cell = "import os\nprint(os.getpid(), os.getppid())"
    said = [run(own(cell), tmp_path / "out.ipynb").cells[-1].outputs[0].text.split() for _ in range(2)]
    assert said[0][0] != said[1][0]
    assert said[0][1] == said[1][1] != str(os.getpid())


def test_what_ran_before_a_death_is_saved(tmp_path: Path) -> None:
    with pytest.raises(DeadKernelError):
        run(own("print('saved')", "import os; os._exit(1)", "1"), tmp_path / "out.ipynb")
    saved = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert saved.cells[3].outputs[0].text == "saved\n"
    assert [cell.metadata.papermill.status for cell in saved.cells[-3:]] == ["completed", "completed", "completed"]


def test_a_cell_that_takes_too_long(tmp_path: Path) -> None:
    with pytest.raises(CellTimeoutError):
        run(own("import time; time.sleep(60)"), tmp_path / "out.ipynb", execution_timeout=1)


def test_a_failed_cell_stops_the_notebook_and_is_marked(tmp_path: Path) -> None:
    with pytest.raises(papermill.PapermillExecutionError, match="ZeroDivisionError"):
        run(own("1 / 0", "print('never')"), tmp_path / "out.ipynb")
    saved = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert "An Exception was encountered" in saved.cells[0].source
    assert saved.cells[-1].outputs == []
    assert saved.metadata.language_info["name"] == "python"


def test_a_wish_for_errors_is_honoured(tmp_path: Path) -> None:
    with pytest.raises(papermill.PapermillExecutionError):
        run(own("1 / 0", "print('on')"), tmp_path / "out.ipynb", allow_errors=True)
    assert nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1].outputs[0].text == "on\n"


def test_what_a_child_cannot_do_is_done_by_papermill_itself(tmp_path: Path) -> None:
    cell = "import os\nfrom comm import create_comm\nprint('once'); create_comm(target_name='x'); print(os.getppid())"
    done = run(own(cell), tmp_path / "out.ipynb")
    assert "".join(output.text for output in done.cells[-1].outputs) == f"once\n{os.getpid()}\n"


def kernelspec(folder: Path, **fields: Any) -> None:
    place = folder / "kernels" / "other"
    place.mkdir(parents=True)
    usual = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}
    (place / "kernel.json").write_text(json.dumps({"display_name": "Other", **usual, **fields}))


@pytest.mark.parametrize(
    ("fields", "can"),
    [
        ({}, True),
        ({"language": "R"}, False),
        ({"env": {"A": "b"}}, False),
        ({"argv": ["/another/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]}, False),
        ({"argv": [sys.executable, "-m", "xeus", "-f", "{connection_file}"]}, False),
    ],
)
def test_only_a_plain_kernel_of_this_python_is_warm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], can: bool
) -> None:
    kernelspec(tmp_path, **fields)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert papermill_engine.can_run(own("1"), "other", {}) is can


def test_unknown_kernels_options_and_widgets_are_papermills() -> None:
    assert papermill_engine.can_run(own("1"), "python3", {"log_output": True, "execution_timeout": None})
    assert not papermill_engine.can_run(own("1"), "no-such-kernel", {})
    assert not papermill_engine.can_run(own("1"), "python3", {"on_cell_start": print})
    assert not papermill_engine.can_run(own("import ipywidgets"), "python3", {})


def test_the_command_takes_it(tmp_path: Path) -> None:
    source, result = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(own("import os, sys\nprint(programme, os.environ.get('OPENBLAS_NUM_THREADS'))"), source)
    command = [str(Path(sys.executable).parent / "papermill"), "--engine", "virkning", "--no-progress-bar"]
    subprocess.run([*command, str(source), str(result), "-p", "programme", "mine"], check=True, capture_output=True)
    assert nbformat.read(result, as_version=4).cells[-1].outputs[0].text.startswith("mine ")
