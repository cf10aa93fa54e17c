"""Kernels that are started before they are needed, for systems that cannot fork: each serves one notebook and ends."""

from __future__ import annotations

import asyncio
import queue
import shutil
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from . import stock
from .refusals import check_parameters

# Runs in a kernel without leaving a name behind: it imports what notebooks import.
_IMPORT = "for _name in {names!r}:\n try:\n  __import__(_name)\n except ImportError:\n  pass\ndel _name"
_ENTER = "__import__('os').chdir({folder!r})"


class _Kernel:
    """A kernel that has its imports done."""

    def __init__(self, preload: Sequence[str]) -> None:
        self.stack = ExitStack()
        options, self.workplace = self.stack.enter_context(stock.private_kernel(Path.cwd()))
        self.manager = options["kernel_manager_class"](kernel_name="python3")
        try:
            asyncio.run(self._start(preload))
        except BaseException:
            self.close()
            raise

    async def _start(self, preload: Sequence[str]) -> None:
        await self.manager.start_kernel(extra_arguments=["--HistoryManager.hist_file=:memory:"])
        await self._silently(_IMPORT.format(names=list(preload)))

    async def _silently(self, code: str) -> None:
        client = self.manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=stock.START_SECONDS)
            await client.execute_interactive(
                code, silent=True, store_history=False, allow_stdin=False, timeout=stock.START_SECONDS
            )
        finally:
            client.stop_channels()

    async def _stop(self) -> None:
        if self.manager.has_kernel:
            await self.manager.shutdown_kernel(now=True)
        await self.manager.cleanup_resources()

    def enter(self, folder: Path) -> None:
        """Go to the working folder of a notebook."""
        asyncio.run(self._silently(_ENTER.format(folder=str(folder))))

    def close(self) -> None:
        """End the kernel and remove its folder."""
        with suppress(Exception):
            asyncio.run(self._stop())
        self.stack.close()
        shutil.rmtree(self.workplace, ignore_errors=True)


class PooledKernels:
    """Runs every notebook in stock papermill on a kernel that was started beforehand.

    Parameters
    ----------
    preload : sequence of str
        What notebooks import.
    slots : int
        Kernels that wait at any time.
    """

    kind = "pool"

    def __init__(self, preload: Sequence[str], slots: int) -> None:
        self._preload = tuple(preload)
        self._waiting: queue.SimpleQueue[_Kernel | Exception] = queue.SimpleQueue()
        self._starting: list[threading.Thread] = []
        self._is_closed = False
        for _ in range(slots):
            self._order()

    def _order(self) -> None:
        """Begin to start one more kernel."""
        thread = threading.Thread(target=self._start, daemon=True)
        self._starting = [each for each in self._starting if each.is_alive()]
        self._starting.append(thread)
        thread.start()

    def _start(self) -> None:
        try:
            self._waiting.put(_Kernel(self._preload))
        except Exception as error:  # noqa: BLE001 - raised where the kernel is wanted
            self._waiting.put(error)

    def execute(
        self, notebook: NotebookNode, name: str, parameters: Mapping[str, Any], folder: Path, timeout_seconds: float
    ) -> NotebookNode:
        """Run a notebook; see `stock.execute`."""
        check_parameters(notebook, name, parameters)
        kernel = self._waiting.get()
        if not self._is_closed:
            self._order()
        if isinstance(kernel, Exception):
            return stock.execute(notebook, name, parameters, folder, timeout_seconds)
        try:
            kernel.enter(folder)
            options = {"km": kernel.manager}
            return stock.run(notebook, name, parameters, kernel.workplace, timeout_seconds, options)
        finally:
            kernel.close()

    def close(self) -> None:
        """End the kernels that still wait."""
        self._is_closed = True
        for thread in self._starting:
            thread.join()
        while not self._waiting.empty():
            kernel = self._waiting.get()
            if isinstance(kernel, _Kernel):
                kernel.close()
