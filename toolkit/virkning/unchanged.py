"""Whether the very same thing was asked for before, and everything that was made of it still lies there.

What a command answered is remembered under the content of all that it was made of. Only digests are compared here, and
nothing heavy is imported, so the answer to a question that was asked before comes at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .digests import folder_digest, surroundings
from .errors import VirkningError
from .provenance import checksum, write_atomically
from .resources import find_programme
from .resources import folder as resource

_CODE = Path(__file__).parent


@dataclass(frozen=True)
class Question:
    """What a command is asked.

    Attributes
    ----------
    command : str
        Its name, and the options that make its answer another.
    programme : str
        Folder or name.
    changes : mapping of str to str
        Dotted paths with values, as they are written.
    runs : Path
        Where run folders are, and what is remembered.
    """

    command: str
    programme: str
    changes: Mapping[str, str]
    runs: Path = Path("runs")

    def mark(self) -> str:
        """Return the SHA-256 of everything that the answer depends on.

        Raises
        ------
        ProgrammeError
            There is no such programme.
        """
        return checksum(
            self.command,
            json.dumps(self.changes, sort_keys=True),
            folder_digest(find_programme(self.programme)),
            *(folder_digest(resource(name)) for name in ("notebooks", "book")),
            resource("_config.yml").read_bytes(),
            json.dumps(surroundings()),
            folder_digest(_CODE),
            # A finished sweep is a page more in the book.
            *(record.read_bytes() for record in sorted(self.runs.glob("*/sweeps/*/sweep.json"))),
        )

    def answer(self) -> tuple[dict[str, Any], list[str]] | None:
        """Return what was answered before; None when it must be found out."""
        try:
            noted = json.loads(self._file(self.mark()).read_text(encoding="utf-8"))
            if all(folder_digest(Path(folder)) == digest for folder, digest in noted["folders"].items()):
                return noted["values"], noted["lines"]
        except (OSError, ValueError, KeyError, VirkningError):
            return None
        return None

    def remember(self, mark: str, values: Mapping[str, Any], lines: Sequence[str], folders: Sequence[Path]) -> None:
        """Remember an answer for the next time.

        Parameters
        ----------
        mark : str
            Of the question when it was asked; what has changed since is not remembered.
        values, lines
            What is to be answered when nothing has changed.
        folders : sequence of Path
            What was made; it must be the same then.
        """
        if mark == self.mark():
            made = {str(folder): folder_digest(folder) for folder in folders}
            content = {"values": values, "lines": lines, "folders": made}
            write_atomically(self._file(mark), json.dumps(content, ensure_ascii=False))

    def _file(self, mark: str) -> Path:
        return self.runs / ".store" / "answers" / f"{mark}.json"
