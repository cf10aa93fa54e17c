"""Warm kernels: a server does the imports once, and every notebook runs in a child that is forked from it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from ..errors import BookError
from . import stock
from .forks import ENVIRONMENT, ForkServer
from .refusals import check_parameters, died, flooded, timed_out

# What notebooks import. Of each only the import is done: a child must find nothing that another library's threads hold.
STACK: tuple[str, ...] = (
    "numpy",
    "pandas",
    "scipy.stats",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_svg",
    "matplotlib_inline.backend_inline",
    "seaborn",
)
# What a notebook names that only a real kernel with a front end can give it.
_FOR_A_KERNEL = ("ipywidgets", "tqdm.notebook", "tqdm.auto", "FigureWidget", "ipykernel", "%connect_info", "%subshell")
_INLINE = "matplotlib_inline.backend_inline"


def needs_kernel(notebook: NotebookNode) -> bool:
    """Return whether a notebook names something that only a real kernel has."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    elsewhere = os.environ.get("MPLBACKEND") or _INLINE
    return _INLINE not in elsewhere or any(word in source for source in sources for word in _FOR_A_KERNEL)


def open_server(preload: Sequence[str], environment: Mapping[str, str] | None = None) -> ForkServer:
    """Start a server with a shell.

    Parameters
    ----------
    preload : sequence of str
        What notebooks import.
    environment : mapping, optional
        As `ForkServer` takes it.
    """
    settings = {**(ENVIRONMENT if environment is None else environment), _PRELOAD: " ".join(preload)}
    return ForkServer([f"{__name__}:prepare_server"], environment=settings)


_PRELOAD = "VIRKNING_PRELOAD"


def prepare_server() -> None:
    """Do the imports and make the shell; runs in the server."""
    from . import cells, shell

    cells.practise()
    shell.prepare(os.environ.pop(_PRELOAD, "").split())


class WarmKernels:
    """Runs every notebook in a child of one server; notebooks that need more run in stock papermill.

    Parameters
    ----------
    preload : sequence of str
        What notebooks import.
    """

    kind = "warm"

    def __init__(self, preload: Sequence[str]) -> None:
        self._server = open_server(preload)

    @property
    def is_safe(self) -> bool:
        """Whether notebooks are forked; waits until the imports are done."""
        return self._server.forks

    def execute(
        self, notebook: NotebookNode, name: str, parameters: Mapping[str, Any], folder: Path, timeout_seconds: float
    ) -> NotebookNode:
        """Run a notebook; see `stock.execute`."""
        check_parameters(notebook, name, parameters)
        done = None
        if not needs_kernel(notebook) and self._server.forks:
            done = self._job(notebook, name, parameters, folder, timeout_seconds)
        return stock.execute(notebook, name, parameters, folder, timeout_seconds) if done is None else done

    def _job(
        self, notebook: NotebookNode, name: str, parameters: Mapping[str, Any], folder: Path, timeout_seconds: float
    ) -> NotebookNode | None:
        def hear(event: Any) -> None:
            if event[0] == "flood":
                raise flooded(name)

        failure: BookError
        call = f"{__package__}.cells:job"
        try:
            done: NotebookNode | None = self._server.call(
                call, notebook, name, dict(parameters), str(folder), timeout_seconds=timeout_seconds, report=hear
            )
            return done
        except BookError as error:
            failure = error
        if failure.code == "engine.time_limit":
            raise timed_out(name, timeout_seconds)
        if failure.code == "engine.died":
            raise died(name)
        raise failure

    def close(self) -> None:
        """End the server."""
        self._server.close()
