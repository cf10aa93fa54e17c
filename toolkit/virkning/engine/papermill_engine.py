"""Warm kernels for anybody's notebooks: `papermill --engine virkning in.ipynb out.ipynb`, or `engine_name="virkning"`.

Papermill imports this module while it is itself being imported, so nothing of papermill is named at the top.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from ..errors import BookError
from . import forks

# With one thread for linear algebra processes do not get into each other's way; what the user has set stays.
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# What is imported beforehand, when this variable does not say something else (names with spaces between them).
PRELOAD_VARIABLE = "VIRKNING_PRELOAD"
LARGEST_BYTES = 1 << 30
# What papermill and the shell both honour; with any other wish papermill's own engine runs the notebook.
_HONOURED = {
    "log_output", "stdout_file", "stderr_file", "execution_timeout", "timeout", "start_timeout", "startup_timeout",
    "input_path", "allow_errors", "allow_error_names", "force_raise_errors", "record_timing", "skip_cells_with_tag",
    "raise_on_iopub_timeout", "iopub_timeout", "display_data_priority",
}  # fmt: skip

_lock = threading.Lock()
_server: forks.ForkServer | None = None


def _warm_server() -> forks.ForkServer:
    """Return the server of this process, started by the first notebook and ended with the process."""
    global _server  # noqa: PLW0603 - a process has one
    from .warm import STACK, open_server

    with _lock:
        if _server is None:
            names = os.environ.get(PRELOAD_VARIABLE)
            threads = {name: os.environ.get(name, value) for name, value in THREADS.items()}
            _server = open_server(STACK if names is None else names.split(), threads)
            atexit.register(_server.close)
        return _server


class WarmEngine:
    """What papermill calls; see papermill's `Engine`."""

    @classmethod
    def execute_notebook(cls, *arguments: Any, **options: Any) -> NotebookNode:
        """Run a notebook whose parameters papermill has put in."""
        return _engine().execute_notebook(*arguments, **options)

    @classmethod
    def nb_kernel_name(cls, nb: NotebookNode, name: str | None = None) -> str:
        """Return the name of the notebook's kernel."""
        return str(_engine().nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: NotebookNode, language: str | None = None) -> str:
        """Return the notebook's language."""
        return str(_engine().nb_language(nb, language))


@cache
def _engine() -> Any:
    from papermill.engines import NBClientEngine

    class Warm(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            if can_run(nb_man.nb, kernel_name, options) and _run(nb_man, kernel_name, options):
                return nb_man.nb
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    return Warm


def can_run(notebook: NotebookNode, kernel_name: str, options: dict[str, Any]) -> bool:
    """Return whether a warm kernel gives the same notebook as papermill's own engine would.

    Parameters
    ----------
    notebook : NotebookNode
        With its parameters put in.
    kernel_name : str
        As papermill found it.
    options : dict
        What papermill's engine was asked for.
    """
    from .warm import needs_kernel

    unknown = {name for name, value in options.items() if value is not None} - _HONOURED
    return forks.can_fork() and not unknown and not needs_kernel(notebook) and _is_this_python(kernel_name)


def _is_this_python(kernel_name: str) -> bool:
    """Return whether the kernel of this name is a plain ipykernel on the Python that runs papermill."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec(kernel_name)
    except NoSuchKernel:
        return False  # Papermill's own engine says so.
    if spec.language.lower() != "python" or spec.env or "ipykernel_launcher" not in spec.argv:
        return False
    program = spec.argv[0]
    return program in ("python", "python3") or Path(program) == Path(sys.executable)


def _run(nb_man: Any, kernel_name: str, options: dict[str, Any]) -> bool:
    """Run the cells of a notebook in one child; False when it needs papermill's own engine after all."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from .cells import Client, language_info

    server = _warm_server()
    if not server.forks:
        return False
    options = {name: value for name, value in options.items() if name not in ("input_path", "start_timeout")}
    limit = options.pop("execution_timeout", None) or options.pop("timeout", None)
    client = Client(nb_man, kernel_name=kernel_name, **{k: v for k, v in options.items() if v is not None})
    is_asked_too_much = False

    def take(event: Any) -> None:
        nonlocal is_asked_too_much
        if event[0] == "flood":
            raise RuntimeError(f"The cells of this notebook print more than {LARGEST_BYTES >> 20} million characters.")
        if event[0] == "kernel":
            is_asked_too_much = True
        client.take(event)

    failure = ""
    try:
        server.call(f"{__package__}.cells:stream", client.cells(), LARGEST_BYTES, timeout_seconds=limit, report=take)
    except BookError as error:
        failure = error.code
        if failure not in ("engine.time_limit", "engine.died"):
            raise
    if is_asked_too_much:
        nb_man.notebook_start()
        return False
    if failure:
        client.break_off()
        if failure == "engine.died":
            raise DeadKernelError("Kernel died")
        raise CellTimeoutError.error_from_timeout_and_cell("Cell execution timed out", limit, client.current)
    client.finish(language_info())
    return True
