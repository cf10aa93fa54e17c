"""Runs one notebook with papermill as everybody knows it: a newly started kernel, and papermill's own client."""

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

from ..errors import BookError
from .forks import ENVIRONMENT
from .refusals import check_parameters, died, failed_cell, timed_out

# How long a kernel may take to start on a busy machine.
START_SECONDS = 180
# Elsewhere kernels listen on ports of this machine, and only who has the run's own keys is heard.
SOCKETS_HAVE_PATHS = sys.platform != "win32"
_ENCRYPT = "transport_encryption"


def execute(
    notebook: NotebookNode, name: str, parameters: Mapping[str, Any], folder: Path, timeout_seconds: float = 600
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
    timeout_seconds : float
        Limit for each cell.

    Raises
    ------
    BookError
        The declared parameters are not the given ones, a cell failed, or a cell took too long.
    """
    check_parameters(notebook, name, parameters)
    with private_kernel(folder) as (options, workplace):
        return run(notebook, name, parameters, workplace, timeout_seconds, options)


def run(
    notebook: NotebookNode,
    name: str,
    parameters: Mapping[str, Any],
    workplace: Path,
    timeout_seconds: float,
    options: dict[str, Any],
) -> NotebookNode:
    """Run a notebook with papermill on the kernel that the options name.

    Parameters
    ----------
    notebook : NotebookNode
        Its parameters are checked.
    name : str
        What messages call it.
    parameters : mapping
        Values to run with.
    workplace : Path
        Folder that only this user can read; it gets the notebook before and after.
    timeout_seconds : float
        Limit for each cell.
    options : dict
        For papermill's client.

    Raises
    ------
    BookError
        A cell failed or took too long, or the kernel died.
    """
    import papermill  # slow to import, and only needed when something runs
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    source, result = workplace / "in.ipynb", workplace / "out.ipynb"
    nbformat.write(notebook, source)
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
                start_timeout=START_SECONDS,
                **options,
            )
        return nbformat.read(result, as_version=4)
    except PapermillExecutionError as error:
        failure = failed_cell(error, nbformat.read(result, as_version=4) if result.exists() else None, name)
    except CellTimeoutError:
        failure = timed_out(name, timeout_seconds)
    except DeadKernelError:
        failure = died(name)
    # Raised here, outside the handler, so that no traceback of the notebook hangs on to the message.
    raise failure


@contextmanager
def private_kernel(folder: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """Give a folder that only this user can read, and a kernel whose sockets lie in it: no open ports.

    Folder and environment are given to the kernel alone: nothing of this process changes, so that chapters can run side
    by side.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    workplace = Path(tempfile.mkdtemp(prefix="vk-"))
    transport = {"transport": "ipc", "ip": str(workplace / "k")} if SOCKETS_HAVE_PATHS else {_ENCRYPT: "required"}

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
                metadata={"supported_encryption": ["curve"]},
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
