"""Proof that a run can be made again: every chapter is executed anew, and every published value is compared.

Nothing of the run that is tried is reused: a temporary folder, fresh kernels, an empty store. What went in is compared
too, and whether the run's own files are as it left them: these are the first things to look at when a result differs.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..engine import kernels
from ..errors import ProgrammeError, UsageError, VerificationError
from ..programme import Programme
from ..provenance import cannot_write
from ..report.record import settings
from ..resources import SPECIFICATION
from ..run import Progress, run
from .crate import read_crate
from .exhibits import Compared, Shown, compare_exhibits, exhibits
from .inputs import file_entities
from .intact import require_finished, touched_files
from .result_files import compare_result_files
from .stored import StoredRun
from .surroundings import code_state

# The chapter about the record tells when and with what a run was made; that is input, not result.
ABOUT_THE_RUN = "record"
_MOST_LISTED = 20
_INPUTS = {
    "data_checksum": "the data",
    "virkning": "the version of virkning",
    "python": "the version of Python",
    "system": "the system",
    "seed": "the seed",
}


@dataclass(frozen=True)
class Verification:
    """What became of every exhibit when a run was made again.

    Attributes
    ----------
    run : StoredRun
        The run that was tried.
    compared : tuple of Compared
        Every exhibit of the chapters that were made again.
    inputs : tuple of str
        What went in differently, in words.
    chapters : tuple of str
        The chapters that were made again.
    engine : str
        What made them.
    touched : tuple of str
        Files of the run that are not as it left them.
    """

    run: StoredRun = field(repr=False)
    compared: tuple[Compared, ...] = field(repr=False)
    inputs: tuple[str, ...]
    chapters: tuple[str, ...]
    engine: str
    touched: tuple[str, ...] = ()

    @property
    def different(self) -> tuple[Compared, ...]:
        """The exhibits with a published value that is not the same."""
        return tuple(each for each in self.compared if not each.is_same)

    @property
    def is_proven(self) -> bool:
        """Whether every published value came out again."""
        return not self.different

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for ``--json``."""
        return {
            "run": self.run.name,
            "verified": self.is_proven,
            "engine": self.engine,
            "chapters": list(self.chapters),
            "exhibits": len(self.compared),
            "values_in_tables": sum(each.n_values for each in self.compared),
            "verdicts": dict(Counter(each.verdict for each in self.compared)),
            "inputs_that_differ": list(self.inputs),
            "files_changed_since_the_run": list(self.touched),
            "different": [each.to_dict() for each in self.compared if each.verdict != "same"],
        }

    def lines(self) -> list[str]:
        """Return it as lines for a terminal: chapter by chapter, then what differs."""
        head = (
            f"{self.run.name}: {len(self.chapters)} chapters were made again ({self.engine} kernels, nothing reused)."
        )
        rows = [_chapter_line(name, [each for each in self.compared if each.chapter == name]) for name in self.chapters]
        redrawn = [each for each in self.compared if each.verdict == "drawn differently"]
        told = [f"Drawn differently, with the same data: {each.chapter}, {each.name}" for each in redrawn]
        told += [f"Went in differently: {words}" for words in self.inputs]
        told += [f"Changed since the run: {file}" for file in self.touched]
        n_values = sum(each.n_values for each in self.compared)
        if self.is_proven:
            end = f"Verified: all {len(self.compared)} exhibits are the same, with {n_values:,} values in tables."
        else:
            end = f"Not the same: {len(self.different)} of {len(self.compared)} exhibits."
        return [head, *rows, *told, *_differences(self.different), end]

    def require(self) -> None:
        """Refuse a run that did not come out again.

        Raises
        ------
        VerificationError
            A published value is not the same; it says which.
        """
        if self.is_proven:
            return
        listed = "".join(f"\n  - {line}" for line in _differences(self.different))
        raise VerificationError(
            "verification.differs",
            f"{len(self.different)} of {len(self.compared)} exhibits did not come out again:{listed}",
            where=self.run.name,
            why=f"{self._reason()} Somebody else would not get what was published.",
            do=self._advice(),
            report=self.to_dict(),
        )

    def _reason(self) -> str:
        told = [f"Changed since the run, by somebody or by damage: {', '.join(self.touched)}."] if self.touched else []
        told += [f"What went in differently: {'; '.join(self.inputs)}."] if self.inputs else []
        return " ".join(told) or "All inputs were the same, and no file was touched since."

    def _advice(self) -> str:
        if self.touched:
            return f"Put back what the run made: {self.run.command}"
        if self.inputs:
            return "Bring the inputs back to what they were, or publish the new results with «virkning book»."
        return "Look for what depends on time, order or chance in the named chapters."


def _chapter_line(name: str, compared: Sequence[Compared]) -> str:
    same = sum(each.is_same for each in compared)
    mark = "same" if same == len(compared) else "DIFFERS"
    return f"  {name + ':':<36} {same} of {len(compared)} exhibits {mark}"


def _differences(different: Sequence[Compared]) -> list[str]:
    lines = []
    for each in different[:_MOST_LISTED]:
        by = f" (by up to {each.largest:.1g} of its size)" if each.largest is not None and each.largest < 1 else ""
        n = f"{each.n_different} of {each.n_values} values{by}: " if each.n_different else ""
        lines.append(f"{each.chapter}, {each.kind} «{each.name}»: {n}{each.detail or each.verdict}")
    more = len(different) - _MOST_LISTED
    return [*lines, f"and {more} more exhibits"] if more > 0 else lines


def verify(
    stored: StoredRun,
    *,
    programme: str | Path | None = None,
    engine: str = "stock",
    slots: int | None = None,
    chapters: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Make a run again in a temporary folder, and compare every exhibit with what lies there.

    Parameters
    ----------
    stored : StoredRun
        A finished run.
    programme : str or Path, optional
        Its programme, where it is not found by the name that the run noted.
    engine : str
        ``stock`` (papermill itself), ``pool`` or ``warm``.
    slots : int, optional
        Chapters at once; by default as many as there are processors.
    chapters : sequence of str, optional
        Only these, and those on whose results they build.
    progress : callable, optional
        As for :func:`virkning.run.run`.

    Raises
    ------
    UsageError
        The run was not finished, a chapter is gone or damaged, or it holds none, so there is nothing to compare with.
    ProgrammeError
        Its programme is not found.
    VirkningError
        A chapter failed, or there is no room for a run.
    """
    if not (stored.chapters or stored.journal):
        raise UsageError(
            "usage.nothing_to_verify",
            "The run holds no executed chapter.",
            where=stored.name,
            do="Finish it first: virkning run with the same programme and changes.",
        )
    read = programme_of(stored, programme)
    require_finished(stored, read, chapters)
    for _ in shown(stored, chapters or stored.chapters):  # One that cannot be read is told before anything runs.
        pass
    with _empty_folder() as root, kernels(engine, slots=slots) as open_kernels:
        done = run(read, root=root, progress=progress, kernels=open_kernels, chapters=chapters)
        again = StoredRun(done.folder)
        # A page that one of the two lacks is a difference, unless only some were asked for.
        both = {*again.chapters} & {*stored.chapters}
        names = [name for name in done.pages if chapters is None or name in both]
        names += [name for name in stored.chapters if chapters is None and name not in names]
        names = [name for name in names if name != ABOUT_THE_RUN]
        compared = compare_exhibits(shown(stored, names), shown(again, names))
        compared += compare_result_files(stored, again, names)
        inputs = tuple(input_differences(stored.record, again.record)) + tuple(_changed_files(stored, read))
        kind = open_kernels.kind
    return Verification(stored, tuple(compared), inputs, tuple(names), kind, touched_files(stored))


@contextmanager
def _empty_folder() -> Iterator[Path]:
    """Give a temporary folder; where there is no room for one, say so."""
    try:
        place = tempfile.TemporaryDirectory(prefix="virkning-verify-", ignore_cleanup_errors=True)
    except OSError as error:
        raise cannot_write(error, "the system's folder for temporary files") from None
    with place as root:
        yield Path(root)


def _changed_files(stored: StoredRun, programme: Programme) -> Iterator[str]:
    """Give in words what else went in differently: the toolkit's code, and the programme's words and further tables."""
    noted = ((stored.journal.get("surroundings") or {}).get("code") or {}).get("checksum")
    if noted and noted != code_state()["checksum"]:
        yield "the toolkit's code: changed since the run"
    known = read_crate(stored.folder)
    if known:
        before = {name: entity.get("sha256") for name, entity in known.items() if name.startswith("#programme/")}
        after = {entity["@id"]: entity["sha256"] for entity in file_entities(programme)}
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                how = "new" if name not in before else "gone" if name not in after else "changed since the run"
                yield f"the programme's file {name.removeprefix('#programme/')}: {how}"


def shown(run: StoredRun, names: Iterable[str]) -> Iterator[Shown]:
    """Give every exhibit of some chapters of a run, as far as they are there."""
    there = set(run.chapters)
    for name in names:
        if name in there:
            yield from exhibits(name, run.notebook(name))


def programme_of(stored: StoredRun, place: str | Path | None = None) -> Programme:
    """Return the programme of a run with the changes that the run had.

    Parameters
    ----------
    stored : StoredRun
        With its record.
    place : str or Path, optional
        Folder or name; by default where the run noted it, seen from here, or by its name.

    Raises
    ------
    ProgrammeError
        It is not found, or only another of the same name is.
    """
    if place is not None:
        return Programme.read(place, stored.changes)
    noted, name = str(stored.journal.get("programme_folder") or ""), str(stored.record.get("programme", ""))
    # The folder of runs stands where the command was called.
    for start in (Path(), *stored.folder.parents[2:3]):
        if noted and (start / noted / SPECIFICATION).is_file():
            return Programme.read(start / noted, stored.changes)
    another = False
    try:
        found = Programme.read(name, stored.changes)
        another = noted not in ("", name) and found.resolved() != stored.record.get("specification")
        if not another:
            return found
    except ProgrammeError as error:
        if error.code not in ("programme.not_found", "programme.no_specification"):
            raise
    raise ProgrammeError(
        "programme.not_found",
        f"The programme of the run {stored.name} is not found from here.",
        where=f"{noted or name}, seen from here and from where the folder of runs stands",
        why=f"There is another programme called {name}, and this run was not made of it."
        if another
        else "A run notes how its programme was called from where it was made, never a path of the machine.",
        do="Say where it is now: --programme FOLDER",
    )


def input_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[str]:
    """Give in words what went in differently into two runs; values of settings, checksums of data."""
    for name, words in _INPUTS.items():
        if first.get(name) != second.get(name):
            yield f"{words}: {_short(first.get(name))} → {_short(second.get(name))}"
    before, after = (settings(record.get("specification") or {}) for record in (first, second))
    for path in dict.fromkeys([*before, *after]):
        if before.get(path) != after.get(path):
            yield f"{path}: {_short(before.get(path))} → {_short(after.get(path))}"
    yield from package_differences(first.get("packages") or {}, second.get("packages") or {})


def package_differences(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[str]:
    """Give in words which packages have another version."""
    for name in sorted({*first, *second}):
        if first.get(name) != second.get(name):
            yield f"{name}: {first.get(name, 'absent')} → {second.get(name, 'absent')}"


def _short(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return f"{text[:12]}…" if len(text) == 64 and text.isalnum() else text
