"""One run of a sweep: the same numbers as the chapters show, from a process that is warm already.

The numbers come from :class:`virkning.Chapter`, as those of the notebooks do. What a run does not change (data that are
read and validated, effects when only the economy differs) is remembered from run to run; all of it is immutable, so a
result cannot depend on which runs came before.
"""

from __future__ import annotations

import json
import platform
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from ..chapter import Chapter
from ..errors import SweepError, VirkningError
from ..provenance import checksum, code_version, tree_checksum
from ..resources import find_programme
from .answers import answers_of, effect_rows

Remembered = TypeVar("Remembered")
Result = dict[str, Any]
FINISHED, FAILED = "finished", "failed"
# Of these, one says that no further run can be trusted.
OTHER_VERSION, OTHER_CONTENT = "sweep.other_version", "sweep.other_content"
# The libraries that numbers come from; others may differ between the machines of a cluster.
_NUMERICAL = ("numpy", "scipy", "pandas", "statsmodels", "linearmodels", "duckdb")
# What one process remembers: tables of a few data sets, and what a few specifications made of them.
_MOST_TABLES, _MOST_OTHERS = 2, 8


@dataclass(frozen=True)
class Job:
    """One run of a sweep, as it travels to whoever performs it.

    Attributes
    ----------
    number : int
        1 to n.
    sweep : str
        Mark of the sweep that it belongs to.
    programme : str
        Folder or name of the programme.
    changes : mapping of str to str
        Dotted path to value.
    content : str
        Checksum of the programme's files.
    code : str
        Checksum of the code and of the versions that numbers depend on.
    fixed : tuple of str
        The paths among the changes that all runs share by ``-p``.
    """

    number: int
    sweep: str
    programme: str
    changes: Mapping[str, str]
    content: str
    code: str
    fixed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the job as plain values, for JSON."""
        return asdict(self)


def identity() -> dict[str, str]:
    """Return the versions that a result depends on, by name, and the checksum of the package's own code."""
    return dict(_identity())


@cache
def _identity() -> tuple[tuple[str, str], ...]:
    package = Path(__file__).parents[1]
    found = {"virkning": code_version(), "python": platform.python_version()}
    found |= {name: metadata.version(name) for name in _NUMERICAL}
    found["code"] = tree_checksum(package, sorted(package.rglob("*.py")))[:16]
    return tuple(found.items())


def code_mark() -> str:
    """Return the checksum of :func:`identity`."""
    return checksum(json.dumps(identity(), sort_keys=True))


def content_mark(folder: Path) -> str:
    """Return the checksum of what a programme's numbers come from: every file in the folder but its prose.

    Parameters
    ----------
    folder : Path
        The programme's.
    """
    return tree_checksum(folder, [file for file in sorted(folder.rglob("*")) if file.suffix != ".md"])


class WarmProcess:
    """Performs one run after the other; several threads wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[Path, tuple[object, str]] = {}
        self._memory: defaultdict[str, OrderedDict[str, Any]] = defaultdict(OrderedDict)

    def perform(self, job: Job) -> Result:
        """Return what a run gives, or why it gives nothing; never raises for a failure of the run itself.

        Parameters
        ----------
        job : Job
            What to run.

        Returns
        -------
        dict
            ``number``, ``status``, ``seconds``, ``rows`` and, when it failed, ``error``.
        """
        started = time.monotonic()
        result: Result = {"number": job.number, "sweep": job.sweep, "status": FINISHED, "rows": [], "error": None}
        with self._lock:
            try:
                self._require_same(job)
                chapter = _Remembering(self, job)
                result["rows"] = answers_of(chapter, chapter.rows_of)
            except VirkningError as error:
                result |= {"status": FAILED, "error": error.to_dict()}
            except Exception as error:  # noqa: BLE001 - one run's failure must not stop the others
                result |= {"status": FAILED, "error": _unexpected(error).to_dict()}
        return result | {"seconds": time.monotonic() - started}

    def _require_same(self, job: Job) -> None:
        """Refuse to mix results of other code, or of data that have changed since the sweep began."""
        if job.code != code_mark():
            raise SweepError(
                OTHER_VERSION,
                f"A process has another version of the code than the sweep ({said(identity())}).",
                where="one worker",
                why="Results of two versions would stand in one table.",
                do="Install the same version everywhere, and start the sweep again.",
            )
        folder = find_programme(job.programme)
        seen = [(file, file.stat()) for file in sorted(folder.rglob("*"))]
        signature = tuple((str(file), found.st_size, found.st_mtime_ns) for file, found in seen)
        if self._seen.get(folder, (None, ""))[0] != signature:
            self._seen[folder] = (signature, content_mark(folder))
            self._memory.clear()
        if self._seen[folder][1] != job.content:
            raise SweepError(
                OTHER_CONTENT,
                "The programme's files are not those with which the sweep began.",
                where=folder.name,
                why="Results of two states of the data would stand in one table.",
                do="Start the sweep again; it makes new runs for the new content.",
            )

    def remembered(self, kind: str, key: str, make: Callable[[], Remembered]) -> Remembered:
        """Return what was made of this kind and key, made once; the least recently used is forgotten first.

        Parameters
        ----------
        kind : str
            ``tables`` and others, each with a memory of its own.
        key : str
            Checksum of what it is made from.
        make : callable
            Makes it; immutable, since further runs see the same.
        """
        memory = self._memory[kind]
        if key not in memory:
            memory[key] = make()
        memory.move_to_end(key)
        while len(memory) > (_MOST_TABLES if kind == "tables" else _MOST_OTHERS):
            memory.popitem(last=False)
        found: Remembered = memory[key]
        return found


class _Remembering(Chapter):
    """A chapter that takes from the process's memory what an earlier run made of the same."""

    def __init__(self, process: WarmProcess, job: Job) -> None:
        super().__init__(job.programme, job.changes)
        self._process = process
        self._resolved = self.programme.resolved()

    def _key(self, *parts: str) -> str:
        values = (json.dumps(self._resolved[part], sort_keys=True) for part in parts)
        return checksum(str(self.programme.folder), *values)

    def _key_of_effects(self) -> str:
        return self._key("data", "outcomes", "design", "seed")

    @cached_property
    def tables(self) -> Any:
        """The validated data."""
        return self._process.remembered(
            "tables", self._key("data", "outcomes"), lambda: super(_Remembering, self).tables
        )

    @cached_property
    def effects(self) -> Any:
        """The estimates."""
        return self._process.remembered("effects", self._key_of_effects(), lambda: super(_Remembering, self).effects)

    @cached_property
    def audited_results(self) -> Any:
        """What was counted for the contract: a file of the programme's folder."""
        return self._process.remembered("results", self._key(), lambda: super(_Remembering, self).audited_results)

    def rows_of(self, effects: Any) -> list[dict[str, Any]]:
        """Return the rows of the estimates."""
        return self._process.remembered("rows", self._key_of_effects(), lambda: effect_rows(effects))


def said(versions: Mapping[str, str]) -> str:
    """Return versions in words.

    Parameters
    ----------
    versions : mapping of str to str
        As :func:`identity` gives them.
    """
    return ", ".join(f"{name} {versions.get(name, 'unknown')}" for name in ("virkning", "code", "python"))


def _unexpected(error: Exception) -> VirkningError:
    return SweepError(
        "unexpected",
        f"Something unexpected went wrong ({type(error).__name__}).",
        where="one run of the sweep",
        why="The details are withheld: they may hold a person's value.",
        do="Run it alone to see more: virkning run with the same -p.",
    )


def lookup(values: Any, path: str) -> Any:
    """Return what stands at a dotted path of plain values; None when nothing does.

    Parameters
    ----------
    values : mapping
        As :meth:`virkning.Programme.resolved` gives them.
    path : str
        Such as ``design.confidence`` or ``subgroups.age.cut``.
    """
    for step in path.split("."):
        if isinstance(values, Mapping):
            values = values.get(step)
        elif isinstance(values, list) and step.isdigit() and int(step) < len(values):
            values = values[int(step)]
        else:
            return None
    return values
