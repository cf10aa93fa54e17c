"""The shell of a Jupyter kernel without the kernel: the same class, whose messages are handed on instead of sent.

Formatters, magics, tracebacks and figures are ipykernel's own, so the outputs are. There is no socket and no thread.
It is made once in a server (`prepare`), and every child that is forked from it goes on with a copy (`enter`).
"""

from __future__ import annotations

import asyncio
import builtins
import codecs
import fcntl
import getpass
import io
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ipykernel import ipkernel
from ipykernel.compiler import XCachingCompiler
from ipykernel.kernelbase import Kernel
from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.session import Session

INLINE = "module://matplotlib_inline.backend_inline"
Message = dict[str, Any]
# Position in the notebook, source, whether an error lets the next cell run.
Cell = tuple[int, str, bool]
# «start», «message», «reply» of a cell, and «flood» or «kernel»: too much output, or something that only a kernel has.
Event = tuple[Any, ...]
Take = Callable[[Event], None]
# A writer that fills its file to here has filled it.
_BRIM = 1 << 16


class NeedsKernelError(RuntimeError):
    """A notebook asked for something that only a real kernel has, such as a widget."""


class _Session(Session):
    """Gives each message to whoever took the shell over, in the form that it would have had after its journey."""

    def send(self, _stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, **options: Any) -> Any:  # type: ignore[override]
        whole = msg_or_type if isinstance(msg_or_type, dict) else self.msg(msg_or_type, content, parent=parent)
        whole["content"] = self.unpack(self.pack(whole["content"]))
        if _running is not None:
            _running.message(whole)
        return whole


class _Kernel:
    """What a shell asks its kernel for."""

    eventloop = None
    iopub_socket = None
    _allow_stdin = False
    raw_input, getpass = Kernel.raw_input, Kernel.getpass

    def __init__(self, shell: Any) -> None:
        self.shell, self.session = shell, shell.displayhook.session


_shell: Any = None
_running: Running | None = None
# The cell that a piece of code belongs to; tasks keep the one they were made in.
_cell: ContextVar[int] = ContextVar("_cell")


def prepare(modules: Sequence[str]) -> None:
    """Make the shell, import what notebooks import, draw and show something once: in a server, before it forks.

    Parameters
    ----------
    modules : sequence of str
        What notebooks import; those that are not installed are passed over.
    """
    global _shell  # noqa: PLW0603 - a process has one
    os.environ["MPLBACKEND"] = INLINE
    _search_here_last()
    config: Any = Session().config
    config.HistoryManager.hist_file = ":memory:"  # A file would have a thread that writes it.
    shell: Any = ZMQInteractiveShell.instance(config=config, compiler_class=XCachingCompiler)
    session = _Session()
    shell.displayhook.session = shell.display_pub.session = session
    shell.displayhook.topic = b"kernel.execute_result"
    shell.kernel = _Kernel(shell)
    shell.enable_gui = _enable_gui
    shell.extension_manager.load_extension("storemagic")
    # Whoever opens a channel to a front end (widgets do) looks for this function in ipykernel's module of channels.
    vars(ipkernel)["comm"].create_comm = _create_comm
    _shell = shell
    # The shell is there before matplotlib is: its backend hooks itself into the shell when it is imported.
    for name in modules:
        with suppress(ImportError):
            __import__(name)
    fresh = {name: value for name, value in shell.user_ns.items() if name.startswith("__") or name == "_"}
    _warm_up(shell)
    shell.reset(new_session=True)
    shell.user_ns.update(fresh)  # A reset takes more away than a cell has put there.


def _warm_up(shell: Any) -> None:
    """Do what fills caches and leaves nothing else: compile a cell, draw a figure, show a table."""
    pictures = {"matplotlib", "matplotlib.pyplot"} <= set(sys.modules)
    kept = dict(sys.modules["matplotlib"].rcParams) if pictures else {}
    shell.run_cell("1 + 1", store_history=False)
    if pictures:
        shell.run_cell("import matplotlib.pyplot as p; p.plot([0, 1]); p.title('x'); None", store_history=False)
        sys.modules["matplotlib.pyplot"].close("all")
        dict.update(sys.modules["matplotlib"].rcParams, kept)
    if "pandas" in sys.modules:
        shell.run_cell("import pandas as p; p.DataFrame({'a': [1.5], 'b': ['x']})", store_history=False)


def _search_here_last() -> None:
    """Put the working folder where a kernel has it in the search for modules: after the standard library."""
    if "" in sys.path:
        sys.path.remove("")
    places = [number for number, path in enumerate(sys.path) if Path(path).name in ("site-packages", "dist-packages")]
    if not sys.flags.safe_path:
        sys.path.insert(places[0] if places else 0, "")


def _enable_gui(gui: str | None = None) -> None:
    if gui not in (None, "inline"):
        _create_comm()


def _create_comm(*_: Any, **__: Any) -> Any:
    if _running is not None:
        _running.needs_kernel = True
    raise NeedsKernelError("This needs a kernel with a front end.")


def enter(take: Take, largest_bytes: int) -> Running:
    """Take the shell over, in a child: from now on what is printed and shown goes to `take`.

    Parameters
    ----------
    take : callable
        Gets every event.
    largest_bytes : int
        What all cells together may print and show.
    """
    global _running  # noqa: PLW0603 - a process has one
    if _shell is None:
        raise RuntimeError("The shell was never made.")
    _shell.init_environment()
    os.environ.setdefault("MPLBACKEND", INLINE)
    here = Path.cwd()
    _shell.history_manager.dir_hist[:] = [here]
    _shell.starting_dir = os.getcwd()  # noqa: PTH109 - the shell keeps text
    launcher = find_spec("ipykernel_launcher")
    sys.argv = [str(launcher.origin if launcher else ""), "-f", ""]
    builtins.input, getpass.getpass = _shell.kernel.raw_input, _shell.kernel.getpass
    _running = Running(_shell, take, largest_bytes)
    return _running


class _Stream(io.TextIOBase):
    """What a cell finds as `sys.stdout` and `sys.stderr`."""

    encoding = "UTF-8"

    def __init__(self, name: str, running: Running) -> None:
        self.name, self._running = name, running
        self._nowhere = os.open(os.devnull, os.O_WRONLY)

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        self._running.text(self.name, text)
        return len(text)

    def flush(self) -> None:
        self._running.flush(self.name)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._nowhere


class _Written:
    """What is written to a descriptor directly, by programs in C and by processes that a cell starts.

    It goes to a file in memory that cannot grow: whoever writes more gets an error, and nobody's memory is filled.
    """

    def __init__(self, number: int, largest_bytes: int) -> None:
        self.number, self.most, self.seen = number, largest_bytes + _BRIM, 0
        self.file = os.memfd_create(f"descriptor {number}", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.file, self.most)
        fcntl.fcntl(self.file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        os.dup2(self.file, number)
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def new(self) -> str:
        written = os.lseek(self.file, 0, os.SEEK_CUR)
        if written <= self.seen:
            return ""
        data = os.pread(self.file, written - self.seen, self.seen)
        self.seen = written
        return self.decoder.decode(data)

    @property
    def is_full(self) -> bool:
        return self.seen > self.most - _BRIM


class Running:
    """A shell at work: runs cells and tells of every event."""

    def __init__(self, shell: Any, take: Take, largest_bytes: int) -> None:
        self.shell, self.take = shell, take
        self.left = largest_bytes
        self.needs_kernel = False
        self.index: int | None = None
        # Two, as in a kernel: what one of them holds is handed on when it is flushed, and at the next message.
        self.pending: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self.lock = threading.RLock()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self.written = {"stdout": _Written(1, largest_bytes), "stderr": _Written(2, largest_bytes)}
        sys.stdout, sys.stderr = _Stream("stdout", self), _Stream("stderr", self)

    def run(self, cells: Sequence[Cell]) -> None:
        """Run cells one after the other, inside a running event loop, as a kernel does."""
        asyncio.run(self._run(cells))

    async def _run(self, cells: Sequence[Cell]) -> None:
        for index, source, goes_on in cells:
            if self.shell.exit_now:
                # A kernel that was told to exit is gone by the time of the next cell.
                os._exit(0)
            self.index = index
            _cell.set(index)
            self.take(("start", index))
            self._say("status", {"execution_state": "busy"})
            self._say("execute_input", {"code": source, "execution_count": self.shell.execution_count})
            content = await self._reply(source)
            self.flush()
            self.take(("reply", index, content))
            self._say("status", {"execution_state": "idle"})
            self.index = None
            if self.needs_kernel:
                self.take(("kernel", index))
                return
            if content["status"] == "error" and not goes_on:
                return
            await asyncio.sleep(0)  # Tasks in the background go on between cells.

    async def _reply(self, source: str) -> dict[str, Any]:
        """Run one cell and return the reply of a kernel to it."""
        shell, before = self.shell, None
        try:
            transformed = shell.transform_cell(source)
        except Exception:  # noqa: BLE001 - the shell tells of it
            transformed, before = source, sys.exc_info()
        if shell.should_run_async(source, transformed_cell=transformed, preprocessing_exc_tuple=before):
            shell._last_traceback, shell._last_traceback_during_displayhook = None, False
            result: Any = None
            try:
                result = await shell.run_cell_async(
                    source, store_history=True, transformed_cell=transformed, preprocessing_exc_tuple=before
                )
            finally:
                shell.events.trigger("post_execute")
                shell.events.trigger("post_run_cell", result)
        else:
            result = shell.run_cell(source, store_history=True)
        error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
        shell.payload_manager.clear_payload()
        content: dict[str, Any] = {"status": "ok", "execution_count": shell.execution_count - 1}
        if not result.success or getattr(shell, "_last_traceback_during_displayhook", False):
            content |= {
                "status": "error",
                "ename": type(error).__name__,
                "evalue": str(error),
                "traceback": shell._last_traceback or [],
            }
        return content

    def _say(self, kind: str, content: dict[str, Any]) -> None:
        self.message(self.shell.displayhook.session.msg(kind, content))

    def text(self, kind: str, text: str) -> None:
        """Take printed text; what stood in the descriptors before it comes first."""
        with self.lock:
            self._read_descriptors()
            if text and self._is_of_this_cell():
                self._add(kind, text)

    def _is_of_this_cell(self) -> bool:
        """Return whether this code belongs to the cell that runs; what a task of an earlier cell prints is lost."""
        return self.index is not None and _cell.get(self.index) == self.index

    def message(self, message: Message) -> None:
        """Hand a message on; what was printed before it comes first."""
        with self.lock:
            self.flush()
            if not self._is_of_this_cell():
                return
            if message["msg_type"] in ("display_data", "execute_result", "update_display_data"):
                self._spend(sum(len(value) for value in message["content"]["data"].values() if isinstance(value, str)))
            self.take(("message", self.index, message))

    def flush(self, kind: str = "") -> None:
        """Hand on what was printed, of one kind or of both."""
        with self.lock:
            self._read_descriptors()
            for each in [kind] if kind else self.pending:
                if self.pending[each] and self.index is not None:
                    content = {"name": each, "text": "".join(self.pending[each])}
                    self.pending[each].clear()
                    self.take(("message", self.index, self.shell.displayhook.session.msg("stream", content)))

    def _read_descriptors(self) -> None:
        for kind, written in self.written.items():
            if text := written.new():
                self._add(kind, text)
            if written.is_full:
                self._flood()

    def _add(self, kind: str, text: str) -> None:
        self._spend(len(text))
        self.pending[kind].append(text)

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            self._flood()

    def _flood(self) -> None:
        # At once and from whichever thread: an exception could be caught by the cell, which would print on.
        self.take(("flood", self.index))
        os._exit(1)
