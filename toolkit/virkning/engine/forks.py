"""A process with its imports done, which makes a child by fork for every call: each fresh, and none waits for imports.

The caller and the server share one private pair of sockets. For a call the caller makes two more pairs and hands one
end of each to the server, which forks a child: over the first pair, *talk*, caller and child speak; over the second,
the *leash*, the server tells how the child ended, and kills it and all that it started as soon as the caller lets go or
dies itself. There is no port and no file.

A fork copies one thread only. So nothing but imports may happen in the server, and a server that finds a second Python
thread in itself refuses: then, and where the system cannot fork safely, every call has a newly started Python.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import select
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import BookError
from . import children
from .frames import ANSWER, ASK, BEGUN, REPORT, frames, result, say, send

# One thread per process is quicker for small tables, and a fixed hash seed keeps the order of sets the same.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "ignore",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
# How long a server may import before its first child speaks, on a busy machine.
START_SECONDS = 180.0
Report = Callable[[Any], Any]


def can_fork() -> bool:
    """Return whether this system forks safely: on Linux it does; macOS's own libraries do not, and Windows has none."""
    return sys.platform == "linux" and hasattr(os, "fork")


class ForkServer:
    """A process with imports done, which makes a child for every call; safe to use from several threads at once.

    The server is started at once and imports while the caller goes on with its work.

    Parameters
    ----------
    preload : sequence of str
        Modules to import; «package.module:function» is called as well. What cannot be imported is passed over here,
        since whoever needs it says so better.
    environment : mapping, optional
        Variables that calls have on top of the caller's own; one thread for linear algebra and a fixed hash seed when
        not given.
    fork : bool, optional
        False gives every call a newly started Python; by default the system decides.

    Examples
    --------
    >>> with ForkServer(["json"]) as server:
    ...     server.call("json:dumps", [1, 2])
    '[1, 2]'
    """

    def __init__(
        self, preload: Sequence[str] = (), *, environment: Mapping[str, str] | None = None, fork: bool | None = None
    ) -> None:
        self._preload = tuple(preload)
        self._environment = dict(ENVIRONMENT if environment is None else environment)
        self._lock = threading.Lock()
        self._forks = can_fork() if fork is None else fork
        self._server: _Server | None = None
        self._is_closed = False
        if self._forks:
            self._server = _Server(self._preload, self._environment)

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def forks(self) -> bool:
        """Whether calls are forked; waits until the server has done its imports."""
        return self._ready() is not None

    def call(
        self, function: str, *arguments: Any, timeout_seconds: float | None = 600, report: Report | None = None
    ) -> Any:
        """Call a function in a fresh child, with the caller's working folder and environment, and return its result.

        Parameters
        ----------
        function : str
            «package.module:function».
        timeout_seconds : float, optional
            Longest time between two words of the child (`report`, `ask`, result); a function that says nothing has it
            for all of its work. None waits for ever.
        report : callable, optional
            Gets what the child passes to `report` and `ask`, as it comes; what it returns is the answer to `ask`.
        *arguments : Any
            Anything that can be pickled.

        Raises
        ------
        VirkningError
            What the function raised, if it is one of ours.
        BookError
            ``engine.failed``: the function raised something else, whose message is withheld; ``engine.died``: the child
            ended without a result; ``engine.time_limit``: it took too long and was killed; ``engine.closed``.
        """
        server = self._ready()
        environment = {**os.environ, **self._environment}
        request = pickle.dumps(
            {"function": function, "arguments": arguments, "folder": _folder(), "environment": environment}
        )
        if server is None:
            return _in_a_fresh_python(function, request, environment, timeout_seconds, report)
        talk, leash = server.child()
        with talk, leash:
            return _Conversation(function, talk, leash, timeout_seconds, report).hold(request)

    def close(self) -> None:
        """End the server and whatever still runs in its children."""
        with self._lock:
            self._is_closed = True
            if self._server is not None:
                self._server.close()
                self._server = None

    def _ready(self) -> _Server | None:
        """Return a server that forks, started anew if it died; None when every call must have a Python of its own."""
        with self._lock:
            if self._is_closed:
                raise BookError("engine.closed", "The server for calls is closed.", do="Open a new one.")
            if not self._forks:
                return None
            if self._server is None or not self._server.is_alive():
                self._server = _Server(self._preload, self._environment)
            if not self._server.is_safe():
                self._server.close()
                self._server, self._forks = None, False
            return self._server


class _Server:
    """The caller's side of the server process."""

    def __init__(self, preload: Sequence[str], environment: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._safe: bool | None = None
        with theirs:
            # A session of its own: Ctrl-C reaches the caller, which then lets go of its children.
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"from {children.__name__} import serve; serve({theirs.fileno()})"],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **environment},
                start_new_session=True,
            )
        send(self._control, BEGUN, pickle.dumps(tuple(preload)))
        self._end = weakref.finalize(self, _end, self.process, self._control)

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def is_safe(self) -> bool:
        """Return whether the server may fork: it has one thread; waits for its imports once."""
        if self._safe is None:
            self._control.settimeout(START_SECONDS)
            try:
                self._safe = self._control.recv(1) == b"1"
            except OSError:
                self._safe = False
            self._control.settimeout(None)
        return self._safe

    def child(self) -> tuple[socket.socket, socket.socket]:
        """Ask for a child and return the caller's ends of talk and leash."""
        (talk, their_talk), (leash, their_leash) = socket.socketpair(), socket.socketpair()
        with their_talk, their_leash, self._lock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            # One byte at a time, so that no two calls are read together. A dead server is noticed by whoever listens.
            socket.send_fds(self._control, [b"c"], [their_talk.fileno(), their_leash.fileno()])
        return talk, leash

    def close(self) -> None:
        if self._safe is None:
            # Nobody has called yet, so it has no children, and may still be importing what nobody will need.
            self.process.kill()
        self._end()


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Conversation:
    """One call, as the caller holds it."""

    def __init__(
        self, function: str, talk: socket.socket, leash: socket.socket, seconds: float | None, report: Report | None
    ) -> None:
        self.function, self.talk, self.leash, self.seconds, self.report = function, talk, leash, seconds, report
        self.heard = bytearray()
        # The child's own time begins with its first word: before it the server may still be importing.
        self.limit: float | None = START_SECONDS
        self.deadline = time.monotonic() + START_SECONDS

    def hold(self, request: bytes) -> Any:
        poll = select.poll()
        poll.register(self.talk, select.POLLIN)
        poll.register(self.leash, select.POLLIN)
        self.talk.settimeout(START_SECONDS)
        with contextlib.suppress(OSError):  # A child that is gone already is told of by its leash.
            send(self.talk, BEGUN, request)
        self.talk.setblocking(False)
        while True:
            left = None if self.limit is None else self.deadline - time.monotonic()
            if left is not None and left <= 0:
                raise _too_long(self.function, self.limit)
            ready = {number for number, _ in poll.poll(None if left is None else left * 1000 + 1)}
            ended = self.leash.fileno() in ready
            while self._hear():
                for kind, payload in frames(self.heard):
                    if kind in (BEGUN, REPORT, ASK):
                        self._go_on(kind, payload)
                    else:
                        return result(self.function, kind, payload)
                if not ended:
                    break
            if ended:
                status = self.leash.recv(4)
                raise _died(self.function, int.from_bytes(status, "big") if len(status) == 4 else None)
            if self.talk.fileno() in ready and self._is_silent():
                poll.unregister(self.talk)  # It closed its mouth; how it ended comes over the leash.

    def _hear(self) -> bool:
        """Take what the child has said; whether there was anything."""
        try:
            said = self.talk.recv(children.CHUNK_BYTES)
        except OSError:  # BlockingIOError: nothing yet; ConnectionResetError: it is gone
            return False
        self.heard += said
        return bool(said)

    def _is_silent(self) -> bool:
        try:
            return not self.talk.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _go_on(self, kind: bytes, payload: bytes) -> None:
        self.limit = self.seconds
        answer = _answer(kind, payload, self.report)
        if answer is not None:
            self.talk.settimeout(START_SECONDS)
            with contextlib.suppress(OSError):
                send(self.talk, ANSWER, answer)
            self.talk.setblocking(False)
        if self.limit is not None:
            self.deadline = time.monotonic() + self.limit


def _in_a_fresh_python(
    function: str, request: bytes, environment: dict[str, str], seconds: float | None, report: Report | None
) -> Any:
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {children.__name__} import answer; answer()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    # A thread listens, since not every system can wait for a pipe with a time limit.
    said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    listener = threading.Thread(target=_listen, args=(process.stdout.fileno(), said), daemon=True)
    listener.start()
    heard = bytearray()
    try:
        say(process.stdin, BEGUN, request)
        while chunk := said.get(timeout=seconds):
            heard += chunk
            for kind, payload in frames(heard):
                if kind not in (BEGUN, REPORT, ASK):
                    return result(function, kind, payload)
                if (answer := _answer(kind, payload, report)) is not None:
                    say(process.stdin, ANSWER, answer)
    except queue.Empty:
        raise _too_long(function, seconds) from None
    finally:
        children.kill(process.pid)
        process.wait()
        listener.join()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # Of words that nobody took.
                pipe.close()
    raise _died(function, None)


def _listen(pipe: int, said: queue.SimpleQueue[bytes]) -> None:
    """Pass on what comes through a pipe; an empty piece is its end."""
    while chunk := os.read(pipe, children.CHUNK_BYTES):
        said.put(chunk)
    said.put(b"")


def _answer(kind: bytes, payload: bytes, report: Report | None) -> bytes | None:
    """Hand a word of the child to the function for reports; return its answer when the child waits for one."""
    if kind == BEGUN:
        return None
    found = None if report is None else report(pickle.loads(payload))
    return pickle.dumps(found) if kind == ASK else None


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib says the same in more words
    except FileNotFoundError:
        return None


def _died(function: str, status: int | None) -> BookError:
    how = ""
    if status is not None:
        code = os.waitstatus_to_exitcode(status)
        how = f" with exit code {code}" if code >= 0 else f" by signal {-code}"
    return BookError(
        "engine.died",
        f"The process that ran «{function}» ended{how} and left no result.",
        why="Most often the machine ran out of memory.",
        do="Close other programmes or use a larger machine, and call again.",
    )


def _too_long(function: str, seconds: float | None) -> BookError:
    return BookError(
        "engine.time_limit",
        f"The call of «{function}» took longer than {seconds:g} seconds and was ended.",
        why="A call that never ends would hold up all others.",
        do="See what it waits for.",
    )
