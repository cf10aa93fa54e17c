"""Papermill's own client, with events of a shell in place of a kernel's sockets; and a whole notebook in one child."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

import papermill.execute
from ipykernel.ipkernel import IPythonKernel
from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode, v4
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from . import children
from .refusals import LARGEST_BYTES, failed_cell
from .shell import Cell, Event, enter

IN_SHELL = "virkning, in this process"


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """Makes outputs of events, by nbclient's and papermill's own rules."""

    def __init__(self, nb_man: Any, **options: Any) -> None:
        super().__init__(nb_man, **options)
        self.reset_execution_trackers()
        self.next, self.has_failed = 0, False

    def cells(self) -> list[Cell]:
        """Return the cells that run."""
        return [
            (index, cell.source, self.goes_on(cell, ""))
            for index, cell in enumerate(self.nb.cells)
            if cell.cell_type == "code"
            and cell.source.strip()
            and self.skip_cells_with_tag not in cell.metadata.get("tags", [])
        ]

    def goes_on(self, cell: NotebookNode, name: str) -> bool:
        """Return whether the notebook goes on after a cell has raised an error of this name."""
        expected = self.allow_errors or name in self.allow_error_names
        return not self.force_raise_errors and (expected or "raises-exception" in cell.metadata.get("tags", []))

    def take(self, event: Event) -> None:
        """Take one event of a cell."""
        kind, index, *rest = event
        cell = self.nb.cells[index]
        if kind == "start":
            self._pass_over(index)
            self.nb_man.cell_start(cell, index)
            if self.record_timing:
                cell["metadata"]["execution"] = {}
            cell.outputs, self.clear_before_next_output = [], False
            self.code_cells_executed += 1
        elif kind == "message":
            try:
                self.process_message(rest[0], cell, index)
            except CellExecutionComplete:
                if self.record_timing:
                    cell["metadata"]["execution"]["shell.execute_reply"] = cell["metadata"]["execution"][
                        "iopub.status.idle"
                    ]
                self.nb_man.cell_complete(cell, cell_index=index)
                self.next = index + 1
        elif kind == "reply" and rest[0]["status"] == "error" and not self.goes_on(cell, rest[0]["ename"]):
            self.nb_man.cell_exception(cell, cell_index=index)
            self.has_failed = True

    @property
    def current(self) -> NotebookNode:
        """The cell that runs, or the last one."""
        return self.nb.cells[min(self.next, len(self.nb.cells) - 1)]

    def break_off(self) -> None:
        """Note the end of the cell that was running when its process ended."""
        self.nb_man.cell_complete(self.current, cell_index=self.next)

    def _pass_over(self, end: int) -> None:
        """Tell of the cells that have nothing to run."""
        for index in range(self.next, end):
            self.nb_man.cell_start(self.nb.cells[index], index)
            self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
        self.next = end

    def finish(self, language: Mapping[str, Any]) -> NotebookNode:
        """Return the notebook after its last event."""
        if not self.has_failed:
            self._pass_over(len(self.nb.cells))
        self.nb.metadata["language_info"] = dict(language)
        return self.nb


def practise() -> None:
    """Do once, in a server before it forks, what fills caches of papermill and nbformat."""
    cell = v4.new_code_cell("number = 1", metadata={"tags": ["parameters"]})
    for kind in ("stream", "display_data", "execute_result", "error"):
        cell.outputs.append(v4.new_output(kind))
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("text"), cell])
    papermill.execute.execute_notebook(
        notebook, None, {"number": 2}, kernel_name="python3", language="python", prepare_only=True, progress_bar=False
    )


def language_info() -> dict[str, Any]:
    """Return how a Python kernel introduces itself."""
    return dict(IPythonKernel.language_info)


def _silent() -> logging.Logger:
    """Return a logger that says nothing: a notebook may send everything that is logged to its own cell."""
    logger = logging.Logger(__name__, logging.CRITICAL)
    logger.addHandler(logging.NullHandler())
    return logger


class _InShell(Engine):  # type: ignore[misc]
    """Runs a notebook in the shell of this process; registered with papermill in children only."""

    notebook: NotebookNode | None = None
    needs_kernel = False

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> NotebookNode:
        cls.notebook = nb_man.nb
        client = Client(nb_man, kernel_name=kernel_name, log=_silent())

        def take(event: Event) -> None:
            if event[0] in ("start", "flood"):
                children.report(event)  # Each cell has its own time.
            elif event[0] == "kernel":
                cls.needs_kernel = True
            client.take(event)

        enter(take, LARGEST_BYTES).run(client.cells())
        return client.finish(language_info())


def job(notebook: NotebookNode, name: str, parameters: Mapping[str, Any], folder: str) -> NotebookNode | None:
    """Run a whole notebook in this process, which must be a child of a server with a shell.

    Parameters
    ----------
    notebook : NotebookNode
        As it was written.
    name : str
        What messages call it.
    parameters : mapping
        Values to run with.
    folder : str
        Working folder.

    Returns
    -------
    NotebookNode or None
        With outputs; None when the notebook needs a real kernel.

    Raises
    ------
    BookError
        A cell failed.
    """
    os.chdir(folder)
    papermill_engines.register(IN_SHELL, _InShell)
    # The notebook is handed back as it is; papermill would turn it into text first, and have nowhere to write that.
    papermill.execute.write_ipynb = lambda *_: None
    failure = None
    try:
        done = papermill.execute.execute_notebook(
            notebook,
            None,
            parameters=dict(parameters),
            engine_name=IN_SHELL,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
        )
    except PapermillExecutionError as error:
        assert _InShell.notebook is not None
        failure = failed_cell(error, _InShell.notebook, name)
    if _InShell.needs_kernel:
        return None
    if failure is not None:
        raise failure
    return done


def stream(cells: list[Cell], largest_bytes: int) -> None:
    """Run cells in this process, which must be a child of a server with a shell, and report every event.

    Parameters
    ----------
    cells : list
        What `Client.cells` gives.
    largest_bytes : int
        What they may print and show together.
    """
    enter(children.report, largest_bytes).run(cells)
