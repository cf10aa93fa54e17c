"""Checksums of content, versions of software, and writing that leaves the old state or the new one, never half."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from .errors import VirkningError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def checksum(*parts: bytes | str) -> str:
    """Return the SHA-256 of the parts, each framed by its length so that no two lists collide; 64 hex digits."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def tree_checksum(root: Path, files: Iterable[Path] | None = None) -> str:
    """Return the SHA-256 of a file or of all files below a folder, by relative name and content.

    Byte code, hidden files and editor leftovers do not count.
    """
    if root.is_file():
        return checksum(root.name, root.read_bytes())
    chosen = sorted(files if files is not None else root.rglob("*"))
    parts: list[bytes | str] = []
    for path in chosen:
        relative = path.relative_to(root)
        if (
            not path.is_file()
            or path.suffix == ".pyc"
            or any(part.startswith((".", "__pycache__")) for part in relative.parts)
        ):
            continue
        parts += [relative.as_posix(), path.read_bytes()]
    return checksum(*parts)


def code_version() -> str:
    """Return the version of the package."""
    return metadata.version("virkning")


def package_versions() -> dict[str, str]:
    """Return every installed distribution and its version, by name."""
    found = {item.metadata["Name"].lower().replace("_", "-"): item.version for item in metadata.distributions()}
    return dict(sorted(found.items()))


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new one.

    Raises
    ------
    VirkningError
        The disk is full or the folder cannot be written; the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise cannot_write(error, path.name) from None


def cannot_write(error: OSError, name: str) -> VirkningError:
    """Return the error that says why a file could not be written."""
    full = error.errno in _FULL
    return VirkningError(
        "disk.full" if full else "disk.cannot_write",
        "The disk is full." if full else f"A file cannot be written: {error.strerror or 'unknown reason'}.",
        where=name,
        why="The work so far is kept; the old file, if there was one, is untouched.",
        do="Free some space and call again." if full else "Check the permissions of the folder and call again.",
    )
