"""Checksums of content and names, versions of software, and writing that leaves the old state or the new, not half."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, overload

from .errors import VirkningError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def checksum(*parts: bytes | str) -> str:
    """Return the SHA-256 of the parts, each framed by its length so that no two lists collide; 64 hex digits."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def frame_checksum(frame: pd.DataFrame) -> str:
    """Return the checksum of a typed frame; it depends on values and their order, not on how pandas stores them."""
    # Imported here and below: the command line asks for a version, and starts at once.
    import numpy as np

    parts: list[bytes | str] = []
    for name in frame.columns:
        missing = frame[name].isna().to_numpy(bool)
        present = frame[name][~missing]
        kind = present.dtype.kind
        if kind == "O":
            texts = present.to_list()
            lengths = np.array([len(text) for text in texts], dtype="<i8")
            content = lengths.tobytes() + "".join(texts).encode(errors="surrogatepass")
        elif kind == "f":
            content = (present.to_numpy("<f8") + 0.0).tobytes()  # Adding zero turns -0.0 into 0.0.
        elif kind == "M":
            content = present.to_numpy("datetime64[s]").astype("<i8").tobytes()
        else:
            content = present.to_numpy("<i8").tobytes()
        parts += [str(name), kind, np.packbits(missing).tobytes(), content]
    return checksum(*parts)


class Digests(Sequence[str]):
    """Opaque names of units, one for each row, which are made when somebody first reads them.

    A name is the beginning of a checksum of the salt and the unit's own name: the same unit has the same name in all
    results from the same data, and nobody can tell it without them. Naming a million persons takes longer than most
    estimates, and few readers of an estimate ask for the names.

    Parameters
    ----------
    salt : str
        Checksum of the data, which makes the names useless outside them.
    units : Series, shape (n,)
        Unit of each row.
    has_repeats : bool
        Whether several rows may belong to one unit.
    """

    __slots__ = ("_has_repeats", "_names", "_salt", "_units")

    def __init__(self, salt: str, units: pd.Series, *, has_repeats: bool) -> None:
        self._salt = salt
        self._units = units.reset_index(drop=True)
        self._has_repeats = has_repeats
        self._names: tuple[str, ...] | None = None

    def codes(self) -> NDArray[np.int64] | None:
        """Return the unit of each row as numbers from zero, in the order of their first rows; None: one row each."""
        import pandas as pd

        return pd.factorize(self._units)[0].astype("int64") if self._has_repeats else None

    def names(self) -> tuple[str, ...]:
        """Return the name of the unit of each row, 16 hex digits."""
        import numpy as np
        import pandas as pd

        if self._names is None:
            units, codes = self._units, None
            if self._has_repeats:
                codes, distinct = pd.factorize(units)
                units = pd.Series(distinct)
            salted = hashlib.sha256(_framed(self._salt))
            made = []
            for unit in units.astype(str).to_numpy(dtype=object):
                digest = salted.copy()
                digest.update(_framed(unit))
                made.append(digest.hexdigest()[:16])
            self._names = tuple(made) if codes is None else tuple(np.array(made, dtype=object)[codes])
        return self._names

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        return self.names()[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self._units)

    def __eq__(self, other: object) -> bool:
        return self.names() == tuple(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.names())

    def __repr__(self) -> str:
        return f"Digests({len(self)} rows)"

    def __reduce__(self) -> tuple[type[tuple[str, ...]], tuple[tuple[str, ...]]]:
        """Travel as the names only, so that nobody's own name leaves with a result."""
        return tuple, (self.names(),)


def _framed(part: str) -> bytes:
    data = part.encode()
    return len(data).to_bytes(8, "big") + data


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


@cache
def code_version() -> str:
    """Return the version of the package."""
    return metadata.version("virkning")


def package_versions() -> dict[str, str]:
    """Return every installed distribution and its version, by name; looked at once in a process."""
    return dict(_package_versions())


@cache
def _package_versions() -> Mapping[str, str]:
    found = dict(_name_and_version(item) for item in metadata.distributions())
    return dict(sorted(found.items()))


def _name_and_version(item: metadata.Distribution) -> tuple[str, str]:
    # The library would parse each description to its end, which is most of the work.
    head = (item.read_text("METADATA") or "").partition("\n\n")[0]
    name, version = (re.search(rf"^{field}: *(.+)$", head, re.MULTILINE) for field in ("Name", "Version"))
    if name is None or version is None:
        return item.metadata["Name"].lower().replace("_", "-"), item.version
    return name[1].strip().lower().replace("_", "-"), version[1].strip()


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


@contextlib.contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Let one process at a time in, by a lock on a file, which the system lifts when its holder ends or is killed.

    Where a system has no such locks, nobody waits; then work may be done twice, and nothing worse.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with file.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def is_alive(process: int) -> bool:
    """Tell whether a process of this number lives."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
