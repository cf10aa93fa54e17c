"""What a caller and a child say to each other: frames of a kind, a length and a pickled payload."""

from __future__ import annotations

import contextlib
import pickle
import socket
import struct
from typing import IO, Any

from ..errors import BookError, VirkningError

HEAD = struct.Struct("!cQ")
# The child has begun, reports, asks, returns, raised an error of ours, raised another; the caller answers.
BEGUN, REPORT, ASK, RESULT, OURS, FOREIGN, ANSWER = b"b", b"r", b"q", b"o", b"v", b"x", b"a"


def raised(error: BaseException) -> tuple[bytes, bytes]:
    """Return the frame that tells of an error: one of ours whole, of another its name and place only."""
    if isinstance(error, VirkningError):
        return OURS, pickle.dumps((type(error), error.args, vars(error)))
    place, trace = "", error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__', '')}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return FOREIGN, pickle.dumps((type(error).__name__, place))


def say(stream: IO[bytes], kind: bytes, payload: bytes) -> None:
    """Write a frame; nothing happens when nobody listens any more."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # Nobody listens any more; the leash ends this.
        stream.write(HEAD.pack(kind, len(payload)))
        stream.write(payload)
        stream.flush()


def send(to: socket.socket, kind: bytes, payload: bytes) -> None:
    """Send a frame."""
    to.sendall(HEAD.pack(kind, len(payload)) + payload)


def frames(heard: bytearray) -> list[tuple[bytes, bytes]]:
    """Take the complete frames out of what was heard."""
    found = []
    while len(heard) >= HEAD.size:
        kind, size = HEAD.unpack(heard[: HEAD.size])
        if len(heard) < HEAD.size + size:
            break
        found.append((kind, bytes(heard[HEAD.size : HEAD.size + size])))
        del heard[: HEAD.size + size]
    return found


def result(function: str, kind: bytes, payload: bytes) -> Any:
    """Return the result, or raise the error, that a frame holds."""
    content = pickle.loads(payload)
    if kind == RESULT:
        return content
    if kind == OURS:
        kind_of_error, arguments, state = content
        error = kind_of_error.__new__(kind_of_error)
        error.args = arguments
        vars(error).update(state)
        raise error
    name, place = content
    raise BookError(
        "engine.failed",
        f"The call of «{function}» failed with {name}.",
        where=place,
        why="Its message is withheld, since it may hold a person's value.",
        do="Call it by hand to see the message.",
    )
