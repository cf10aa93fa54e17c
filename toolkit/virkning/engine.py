"""Runs one notebook with papermill: parameters checked first, a private kernel, no person's value in a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from . import errors
from .errors import BookError, did_you_mean

TAG = "parameters"
# One thread per kernel is quicker for small tables, and a fixed hash seed keeps the order of sets the same.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "ignore",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
OUR_ERRORS = frozenset(name for name in vars(errors) if name.endswith("Error"))


def execute(
    notebook: NotebookNode, name: str, parameters: Mapping[str, Any], folder: Path, timeout_seconds: int = 600
) -> NotebookNode:
    """Run a notebook from top to bottom in a kernel of its own and return it with its outputs.

    Parameters
    ----------
    notebook : NotebookNode
        With a cell tagged ``parameters`` that declares exactly the given ones; with no parameters given it needs none.
    name : str
        What messages call it.
    parameters : mapping
        Values to run with.
    folder : Path
        Working folder of the kernel.
    timeout_seconds : int
        Limit for each cell.

    Raises
    ------
    BookError
        The declared parameters are not the given ones, a cell failed, or a cell took too long.
    """
    _check_parameters(notebook, name, parameters)
    with _private_kernel(folder) as (options, workplace):
        source, result = workplace / "in.ipynb", workplace / "out.ipynb"
        nbformat.write(notebook, source)
        return _run(source, result, name, parameters, timeout_seconds, options)


def _run(
    source: Path, result: Path, name: str, parameters: Mapping[str, Any], timeout_seconds: int, options: dict[str, Any]
) -> NotebookNode:
    import papermill  # slow to import, and only needed when something runs
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    failure: BookError
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            papermill.execute_notebook(
                str(source),
                str(result),
                parameters=dict(parameters),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                request_save_on_cell_execute=False,
                execution_timeout=timeout_seconds,
                **options,
            )
        return nbformat.read(result, as_version=4)
    except PapermillExecutionError as error:
        failure = _failed_cell(error, result, name)
    except CellTimeoutError:
        failure = BookError(
            "book.timeout",
            f"A cell of the chapter «{name}» took longer than {timeout_seconds} seconds.",
            where=f"chapter {name}",
            why="A chapter that never ends would hold up the whole book.",
            do="Open the notebook by hand and see which cell it is.",
        )
    except DeadKernelError:
        failure = BookError(
            "book.dead_kernel",
            f"The kernel that ran the chapter «{name}» died.",
            where=f"chapter {name}",
            why="Most often the machine ran out of memory.",
            do="Close other programmes or use a larger machine, and call again: finished chapters are kept.",
        )
    # Raised here, outside the handler, so that no traceback of the notebook hangs on to the message.
    raise failure


def _failed_cell(error: Any, result: Path, name: str) -> BookError:
    """Return what failed, and where; the message of a foreign error is withheld, since it may hold a person's value."""
    heading = ""
    if result.exists():
        cells = nbformat.read(result, as_version=4).cells
        before = [cell.source for cell in cells[: max(int(error.cell_index), 0) + 1] if cell.cell_type == "markdown"]
        titles = [line.lstrip("# ") for text in before for line in text.splitlines() if line.startswith("#")]
        titles = [title for title in titles if "exception" not in title.lower()]
        heading = f", under «{titles[-1]}»" if titles else ""
    where = f"chapter {name}, cell [{error.exec_count}]{heading}"
    if error.ename in OUR_ERRORS:
        return BookError(
            "book.failed_cell", f"The chapter «{name}» stopped: {error.evalue}", where=where, do="Mend that first."
        )
    return BookError(
        "book.failed_cell",
        f"A cell of the chapter «{name}» failed with {error.ename}.",
        where=where,
        why="A failed cell is never published. Its message is withheld, since it may hold a person's value.",
        do="Open the notebook by hand, set its parameters, and run it to that cell to see the message.",
    )


def _check_parameters(notebook: NotebookNode, name: str, parameters: Mapping[str, Any]) -> None:
    """Refuse what papermill would only warn about: a missing tag, an unknown name, a name that is not given."""
    import ast

    tagged = [cell for cell in notebook.cells if cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])]
    if not tagged and not parameters:
        return
    if len(tagged) != 1:
        raise BookError(
            "book.parameters_tag",
            f"The chapter «{name}» has {len(tagged)} cells tagged «{TAG}» and needs exactly one.",
            where=f"chapter {name}",
            why="Without it the values that a run asks for are overwritten by the defaults, silently.",
            do=f"Give the cell that assigns the parameters the tag «{TAG}».",
        )
    try:
        tree = ast.parse(tagged[0].source)
    except SyntaxError:
        raise BookError(
            "book.parameters_syntax",
            f"The parameters cell of «{name}» is not Python.",
            where=f"chapter {name}",
            do="Mend it.",
        ) from None
    declared = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    wrong = sorted(set(parameters) ^ declared)
    if wrong:
        raise BookError(
            "book.parameters",
            f"The parameter «{wrong[0]}» is not {'given' if wrong[0] in declared else 'declared'} in «{name}».",
            where=f"chapter {name}, cell tagged «{TAG}»",
            why="A misspelt parameter would run with its default and be published as if it had been set.",
            do=did_you_mean(wrong[0], (declared | set(parameters)) - {wrong[0]}),
        )


@contextmanager
def _private_kernel(folder: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """Give a folder that only this user can read, and a kernel whose traffic runs over sockets in it, not TCP ports.

    Folder and environment are given to the kernel alone: nothing of this process changes, so that chapters can run side
    by side.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    workplace = Path(tempfile.mkdtemp(prefix="vk-"))
    transport = {} if sys.platform == "win32" else {"transport": "ipc", "ip": str(workplace / "k")}

    class PrivateKernelManager(AsyncKernelManager):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**{**settings, **transport})

        @property
        def kernel_spec(self) -> KernelSpec:
            # This Python with these packages, whatever kernels a user has installed elsewhere.
            return KernelSpec(
                argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                display_name="Python 3",
                language="python",
            )

        async def _async_pre_start_kernel(self, **options: Any) -> Any:
            # A user's start-up files would make the same notebook give other results elsewhere; and what the kernel
            # itself logs is for its developers, and could hold a value.
            own = {
                "env": {**os.environ, **ENVIRONMENT, "IPYTHONDIR": str(workplace / "ipython")},
                "cwd": str(folder),
                "stderr": subprocess.DEVNULL,
            }
            return await super()._async_pre_start_kernel(**{**options, **own})

        pre_start_kernel = _async_pre_start_kernel

    try:
        yield {"kernel_manager_class": PrivateKernelManager}, workplace
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
