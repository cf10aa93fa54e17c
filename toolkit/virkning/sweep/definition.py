"""A sweep before anything runs: one programme, every parameter set validated, a mark that says exactly what it is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from ..errors import UsageError, VirkningError
from ..programme import Programme
from ..provenance import checksum
from .axes import Grid, Relative
from .single_run import Job, code_mark, content_mark, lookup

# More runs than this are most often a slip of the finger; --yes says that they are meant.
MOST_WITHOUT_YES = 10_000


@dataclass(frozen=True)
class Sweep:
    """A sweep that may run: every parameter set fits the programme's types and rules.

    Attributes
    ----------
    programme : Programme
        As declared, with the changes that hold for every run.
    place : str
        How the programme was named.
    paths : tuple of str
        The parameters that are varied.
    jobs : tuple of Job
        One for each run, numbered from 1.
    values : tuple of mapping
        For each run, the value of each varied parameter as the specification holds it.
    content : str
        Checksum of what the programme's numbers come from: its files but prose, and its resolved specification.
    mark : str
        Checksum of all of it, code included: the same sweep has the same mark.
    command : str
        What makes it again.
    """

    programme: Programme = field(repr=False)
    place: str
    paths: tuple[str, ...]
    jobs: tuple[Job, ...] = field(repr=False)
    values: tuple[Mapping[str, Any], ...] = field(repr=False)
    content: str
    mark: str
    command: str

    @property
    def n(self) -> int:
        """Number of runs."""
        return len(self.jobs)

    @classmethod
    def of(cls, place: str, grid: Grid, changes: Mapping[str, str] | None = None, *, is_large: bool = False) -> Sweep:
        """Return the sweep of a grid, after every one of its parameter sets was validated.

        Parameters
        ----------
        place : str
            Folder or name of the programme.
        grid : Grid
            What is varied.
        changes : mapping of str to str, optional
            What is changed for every run.
        is_large : bool
            More than ``MOST_WITHOUT_YES`` runs are meant.

        Raises
        ------
        UsageError
            The grid is too large, a path does not exist, a value has the wrong type.
        ProgrammeError
            A parameter set contradicts itself, or there is no such programme.
        """
        if grid.n > MOST_WITHOUT_YES and not is_large:
            raise UsageError(
                "usage.large_grid",
                f"The grid has {grid.n:,} runs.",
                where="--over and --table",
                why=f"More than {MOST_WITHOUT_YES:,} are most often a mistake, such as a range with too small a step.",
                do="Say --yes if it is meant; --plan tells how long a smaller one takes.",
            )
        fixed = dict(changes or {})
        for path in grid.paths:
            if path in fixed:
                raise UsageError(
                    "usage.repeated_path",
                    f"The parameter «{path}» is both varied and fixed.",
                    where="--over and -p",
                    do="Leave out one of the two.",
                )
        base = Programme.read(place, fixed)
        cells = [fixed | cell for cell in _absolute(grid, base, place)]
        parts = ["virkning", "sweep", base.name, *grid.arguments]
        parts += [part for path, value in fixed.items() for part in ("-p", f"{path}={value}")]
        command = " ".join(shlex.quote(part) for part in parts)
        return cls._of(place, base, grid.paths, cells, _validated(place, grid.paths, cells), command)

    @classmethod
    def read(cls, file: Path) -> Sweep:
        """Return the sweep that a file of jobs describes, such as ``jobs.jsonl``.

        Parameters
        ----------
        file : Path
            As :func:`jobs_text` made it.

        Raises
        ------
        UsageError
            The file is not one of jobs, or belongs to another state of the programme or the code.
        VirkningError
            The programme cannot be read.
        """
        jobs = read_jobs(file)
        first = jobs[0]
        common = set(first.changes).intersection(*(set(job.changes) for job in jobs))
        fixed = {path: first.changes[path] for path in first.fixed if path in common}
        base = Programme.read(first.programme, fixed)
        paths = tuple(dict.fromkeys(path for job in jobs for path in job.changes if path not in fixed))
        cells = [dict(job.changes) for job in jobs]
        command = f"virkning sweep --collect {shlex.quote(file.name)}"
        found = cls._of(first.programme, base, paths, cells, _validated(first.programme, paths, cells), command)
        if found.mark != first.sweep:
            raise UsageError(
                "usage.other_sweep",
                "The jobs belong to another state of the programme, or to another version of the code.",
                where=file.name,
                why="Results of two states would stand in one table.",
                do="Write the jobs again with --emit.",
            )
        return found

    @classmethod
    def _of(
        cls,
        place: str,
        base: Programme,
        paths: tuple[str, ...],
        cells: list[dict[str, str]],
        values: list[Mapping[str, Any]],
        command: str,
    ) -> Sweep:
        files, code, content = content_mark(base.folder), code_mark(), content_of(base)
        mark = checksum(content, code, json.dumps(cells, sort_keys=True))
        fixed = tuple(base.changes)
        jobs = tuple(Job(k, mark, place, cell, files, code, fixed) for k, cell in enumerate(cells, start=1))
        return cls(base, place, paths, jobs, tuple(values), content, mark, command)


def content_of(programme: Programme) -> str:
    """Return the checksum of what a programme's numbers come from: its files but prose, and its specification.

    Parameters
    ----------
    programme : Programme
        With the changes that hold for every run.
    """
    return checksum(content_mark(programme.folder), json.dumps(programme.resolved(), sort_keys=True))


def _absolute(grid: Grid, base: Programme, place: str) -> Iterator[dict[str, str]]:
    """Give each parameter set with relative values worked out from the declared ones."""
    declared: dict[str, Decimal] = {}
    resolved = base.resolved()
    for cell in grid:
        for path, value in cell.items():
            if isinstance(value, Relative) and path not in declared:
                found = lookup(resolved, path)
                if found is None:
                    # A path that does not exist is refused here, with the nearest that does.
                    Programme.read(place, {**base.changes, path: "0"})
                declared[path] = _number(found, path)
        yield {p: v.of(declared[p]) if isinstance(v, Relative) else v for p, v in cell.items()}


def _number(value: Any, path: str) -> Decimal:
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return Decimal(str(value))
    except InvalidOperation:
        pass
    raise UsageError(
        "usage.relative",
        f"The parameter «{path}» declares no number that a value could be relative to.",
        where="--over",
        why="«*0.9» means nine tenths of what the programme says.",
        do="Check the path, or write the values out.",
    )


def _validated(place: str, paths: tuple[str, ...], cells: list[dict[str, str]]) -> list[Mapping[str, Any]]:
    """Return each run's values as its specification holds them; refuse the sweep when one cannot be.

    All are looked at before anything runs, so that nobody learns of a slip after an hour.
    """
    values: list[Mapping[str, Any]] = []
    wrong: list[tuple[int, VirkningError]] = []
    for number, cell in enumerate(cells, start=1):
        try:
            resolved = Programme.read(place, cell).resolved()
            values.append({path: lookup(resolved, path) for path in paths})
        except VirkningError as error:
            wrong.append((number, error))
    if wrong:
        number, first = wrong[0]
        said = ", ".join(f"{path}={cells[number - 1][path]}" for path in paths if path in cells[number - 1])
        others = f"; {len(wrong) - 1} more of the {len(cells)} runs cannot be either" if len(wrong) > 1 else ""
        first.where = f"{first.where} (run {number}: {said}{others})"
        raise first
    return values


def jobs_text(sweep: Sweep) -> str:
    """Return the sweep as a file of jobs: one JSON object a line, line K for run K.

    Parameters
    ----------
    sweep : Sweep
        What is to run.
    """
    return "".join(json.dumps(job.to_dict(), ensure_ascii=False, sort_keys=True) + "\n" for job in sweep.jobs)


def read_jobs(file: Path) -> tuple[Job, ...]:
    """Return the jobs of a file.

    Parameters
    ----------
    file : Path
        As :func:`jobs_text` made it.

    Raises
    ------
    UsageError
        It cannot be read, or a line is not a job.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        jobs = tuple(Job(**{**json.loads(line), "fixed": tuple(json.loads(line)["fixed"])}) for line in lines if line)
    except (OSError, ValueError, TypeError, KeyError):
        jobs = ()
    if not jobs:
        raise UsageError(
            "usage.jobs", "That is not a file of jobs.", where=file.name, do="Write one: virkning sweep … --emit FILE"
        )
    return jobs
