"""Which kernels run the notebooks: forked from a warm server, started beforehand, or as stock papermill does it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from nbformat import NotebookNode

from ..errors import UsageError, did_you_mean
from . import forks, stock
from .pool import PooledKernels
from .warm import STACK, WarmKernels

KINDS = ("warm", "pool", "stock")
# What the package's own chapters import, and what those libraries import only when they are first used: without the
# lines after the first a third of a short chapter's time would go there, once for every notebook.
PRELOAD = (
    *(*STACK, "virkning.chapter"),
    *(f"virkning.report.{part}" for part in ("curves", "diagrams", "economy", "figures", "plans")),
    *("virkning.report.record", "virkning.report.sentences", "virkning.report.sweeps"),
    *("pandera.pandas", "pandera.backends.pandas.builtin_checks", "pandera.backends.pandas.register"),
    *("pandera.accessors.pandas_accessor", "pandera.api.geopandas", "pandera.backends.pandas.builtin_hypotheses"),
    *("pydantic.root_model", "pydantic.deprecated.json", "statsmodels.stats.multitest", "babel.dates", "openpyxl"),
)


class Executes(Protocol):
    """What every kind of kernels can do."""

    kind: str

    def execute(
        self, notebook: NotebookNode, name: str, parameters: Mapping[str, Any], folder: Path, timeout_seconds: float
    ) -> NotebookNode:
        """Run a notebook; see `stock.execute`."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...


class StockKernels:
    """Runs every notebook as stock papermill does."""

    kind = "stock"

    def execute(
        self, notebook: NotebookNode, name: str, parameters: Mapping[str, Any], folder: Path, timeout_seconds: float
    ) -> NotebookNode:
        """Run a notebook; see `stock.execute`."""
        return stock.execute(notebook, name, parameters, folder, timeout_seconds)

    def close(self) -> None:
        """Nothing was started."""


class Kernels:
    """Open kernels: runs notebooks, at most so many at once; safe to use from several threads.

    Attributes
    ----------
    kind : str
        «warm», «pool» or «stock»: what runs the notebooks here.
    slots : int
        Notebooks that run at once; the others wait.
    """

    def __init__(self, kind: str, slots: int, preload: Sequence[str]) -> None:
        self.slots = slots
        self._turns = threading.BoundedSemaphore(slots)
        self._kernels: Executes
        if kind == "warm" and forks.can_fork():
            self._kernels = WarmKernels(preload)
        elif kind == "stock":
            self._kernels = StockKernels()
        else:
            self._kernels = PooledKernels(preload, slots)

    @property
    def kind(self) -> str:
        """What runs the notebooks."""
        return self._kernels.kind

    def execute(
        self,
        notebook: NotebookNode,
        name: str,
        parameters: Mapping[str, Any],
        folder: Path,
        timeout_seconds: float = 600,
    ) -> NotebookNode:
        """Run a notebook from top to bottom in a kernel of its own and return it with its outputs.

        Parameters
        ----------
        notebook : NotebookNode
            With a cell tagged ``parameters`` that declares exactly the given ones; with none given it needs none.
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
            The declared parameters are not the given ones, a cell failed, took too long or printed without end, or the
            kernel died.
        """
        with self._turns:
            return self._kernels.execute(notebook, name, parameters, folder, timeout_seconds)

    def close(self) -> None:
        """End what was started."""
        self._kernels.close()


@contextmanager
def kernels(
    kind: str | None = None, *, slots: int | None = None, preload: Sequence[str] = PRELOAD
) -> Iterator[Kernels]:
    """Open kernels, which do their imports while the caller goes on, and close them at the end.

    Parameters
    ----------
    kind : str, optional
        «warm»: forked from a process with the imports done; where the system cannot fork, «pool». «pool»: started
        before they are needed. «stock»: papermill as it is. By default what the variable ``VIRKNING_ENGINE`` names, or
        «warm».
    slots : int, optional
        Notebooks that run at once; as many as there are processors when not given.
    preload : sequence of str
        Modules that notebooks import.

    Raises
    ------
    UsageError
        There is no such kind.
    """
    chosen = kind or os.environ.get("VIRKNING_ENGINE") or "warm"
    if chosen not in KINDS:
        raise UsageError(
            "engine.unknown",
            f"There are no «{chosen}» kernels.",
            where="VIRKNING_ENGINE",
            do=did_you_mean(chosen, KINDS),
        )
    opened = Kernels(chosen, slots or os.cpu_count() or 1, preload)
    try:
        yield opened
    finally:
        opened.close()
