"""The server that forks, and its children: what happens in the processes that `forks` starts."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import pickle
import select
import signal
import socket
import sys
import threading
import time
from typing import IO, Any

from .frames import ASK, BEGUN, HEAD, REPORT, RESULT, frames, raised, say

CHUNK_BYTES = 1 << 20
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def serve(descriptor: int) -> None:
    """Import, then fork a child for every call until the caller is gone; the main function of a server process.

    Parameters
    ----------
    descriptor : int
        The server's end of the pair of sockets that it shares with the caller.
    """
    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    heard = bytearray()
    preload: tuple[str, ...] = ()
    while not preload:
        said = control.recv(CHUNK_BYTES)
        if not said:
            os._exit(0)
        heard += said
        for _, payload in frames(heard):
            preload = (*pickle.loads(payload), "gc:collect")
    for name in preload:
        with contextlib.suppress(ImportError):
            _find(name, call=True)
    gc.freeze()  # Children share these pages as long as nobody writes to them.
    is_safe = threading.active_count() == 1
    with contextlib.suppress(BrokenPipeError):
        control.sendall(b"1" if is_safe else b"0")
    if is_safe:
        _Children(control).look_after()
    os._exit(0)


class _Children:
    """The children of a server, each on its leash."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.leashes: dict[int, socket.socket] = {}
        self.woken, self.waker = socket.socketpair()
        for each in (self.woken, self.waker):
            each.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.waker.fileno(), warn_on_full_buffer=False)

    def look_after(self) -> None:
        while True:
            poll = select.poll()
            for each in (self.control, self.woken, *self.leashes.values()):
                poll.register(each, select.POLLIN)
            ready = {number for number, _ in poll.poll()}
            if self.woken.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    self.woken.recv(4096)
            for child, leash in list(self.leashes.items()):
                if leash.fileno() in ready:  # The caller never writes on it: it let go.
                    kill(child)
                    leash.close()
                    del self.leashes[child]
            self._bury()
            if self.control.fileno() in ready and not self._fork():
                break
        for child in self.leashes:
            kill(child)

    def _bury(self) -> None:
        """Tell how children ended; whatever they started ends with them."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                # Killed before it is buried: until then nobody else can have its number.
                kill(found.si_pid)
                _, status = os.waitpid(found.si_pid, 0)
                if (leash := self.leashes.pop(found.si_pid, None)) is not None:
                    with leash, contextlib.suppress(OSError):
                        leash.sendall(status.to_bytes(4, "big"))

    def _fork(self) -> bool:
        """Take one call; False when the caller is gone."""
        try:
            word, descriptors, _, _ = socket.recv_fds(self.control, 1, 2)
        except ConnectionResetError:  # It left before it heard that the server was ready.
            return False
        if not word:
            return False
        talk, leash = (socket.socket(fileno=number) for number in descriptors)
        child = os.fork()
        if child == 0:
            self._become_a_child(talk, leash)
        talk.close()
        self.leashes[child] = leash
        return True

    def _become_a_child(self, talk: socket.socket, leash: socket.socket) -> None:
        """Go on as a child: let go of everything that is the server's, answer one request, end."""
        try:
            os.setsid()
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for each in (self.control, self.woken, self.waker, leash, *self.leashes.values()):
                each.close()
            if "numpy" in sys.modules:
                # Every child would draw the same numbers; the standard library's generator sees to itself.
                sys.modules["numpy"].random.seed()
            _answer(talk.makefile("rb"), talk.makefile("wb"))
        finally:
            os._exit(0)


def kill(child: int) -> None:
    """End a process and its group; one that was only just made may not have a group yet."""
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGTERM)  # Which ends it at once there.
        return
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(child, signal.SIGKILL)


def answer() -> None:
    """Answer one request from standard input on standard output: the main function of a newly started Python."""
    listen, speak = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What the function reads or prints must not come between.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    _answer(listen, speak)


_listen: IO[bytes] | None = None
_speak: IO[bytes] | None = None


def report(value: Any) -> None:
    """Say something to the caller while a call is under way, which also gives the call its full time again.

    Parameters
    ----------
    value : Any
        Anything that can be pickled. Outside of a call nobody hears it.
    """
    if _speak is not None:
        say(_speak, REPORT, pickle.dumps(value))


def ask(value: Any) -> Any:
    """Say something to the caller, as `report` does, and return what the caller's function for reports returns.

    Parameters
    ----------
    value : Any
        Anything that can be pickled.

    Returns
    -------
    Any
        None outside of a call.

    Raises
    ------
    EOFError
        The caller is gone.
    """
    if _speak is None or _listen is None:
        return None
    say(_speak, ASK, pickle.dumps(value))
    return _heard(_listen)


def _heard(listen: IO[bytes]) -> Any:
    """Return what the next frame from the caller holds."""
    head = listen.read(HEAD.size)
    if len(head) < HEAD.size:
        raise EOFError
    return pickle.loads(listen.read(HEAD.unpack(head)[1]))


def _answer(listen: IO[bytes], speak: IO[bytes]) -> None:
    global _listen, _speak  # A child has one caller.
    request = _heard(listen)
    _listen, _speak = listen, speak
    say(speak, BEGUN, b"")
    try:
        os.environ.clear()
        os.environ.update(request["environment"])
        if hasattr(time, "tzset"):
            time.tzset()
        if request["folder"] is not None:
            os.chdir(request["folder"])
        found = _find(request["function"])(*request["arguments"])
        kind, payload = RESULT, pickle.dumps(found)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the caller is waiting
        kind, payload = raised(error)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    say(speak, kind, payload)


def _find(name: str, *, call: bool = False) -> Any:
    """Import «package.module» or «package.module:function»; with `call`, call the function."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split(".") if path else []:
        found = getattr(found, part)
    return found() if call and path else found
