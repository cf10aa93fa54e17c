"""Commands about one programme: start it, check it, run it, publish its book."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .options import (
    answering,
    as_unchanged,
    change_option,
    engine_option,
    programme_argument,
    progress_lines,
    relative,
    said,
    why_option,
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@answering
def init(folder: Path, quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """Start a new programme FOLDER with synthetic data; its book builds at once."""
    from ..starter import start

    start(folder)
    lines = [f"A new programme stands in {folder}.", f"Next: virkning book {folder}"]
    lines.append(
        f"Then replace the words in {folder}/*.md and {folder}/programme.yml, and the tables in {folder}/data."
    )
    return {"folder": str(folder)}, lines


@click.command()
@programme_argument
@change_option
@answering
def check(programme: str, changes: dict[str, str], quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """Validate a programme's specification, data and design; fit nothing."""
    from ..programme import Programme
    from ..publication import check as check_programme

    findings = check_programme(Programme.read(programme, changes))
    return {"valid": True, "checked": findings}, findings


@click.command()
@programme_argument
@change_option
@engine_option
@why_option
@click.option("--job", metavar="FILE:K", help="Perform run K of a sweep's file of jobs instead, on any machine.")
@answering
def run(
    programme: str, changes: dict[str, str], engine: str | None, why: bool, job: str | None, quiet: bool
) -> tuple[dict[str, Any], list[str]]:
    """Run a programme's chapters; build no book."""
    if job is not None:
        from .sweeps import performed

        return performed(programme, job, changes)
    from ..unchanged import Question

    question = Question("run", programme, changes)
    known = question.answer()
    if known is not None:
        return said(known, why)
    mark = question.mark()
    values, lines, made = _run(programme, changes, engine, quiet)
    question.remember(mark, as_unchanged(values), lines, made)
    return said((values, lines), why)


def _run(
    programme: str, changes: dict[str, str], engine: str | None, quiet: bool
) -> tuple[dict[str, Any], list[str], list[Path]]:
    from ..programme import Programme
    from ..publication import headline
    from ..record import recorded

    read = Programme.read(programme, changes)
    done = recorded(read, progress=progress_lines(quiet), engine=engine)
    values: dict[str, Any] = {
        "run": relative(done.folder),
        "fingerprint": done.fingerprint,
        "chapters_executed": done.n_executed,
        "why": dict(done.reasons),
    }
    if read.is_planned:
        return values, [f"Run:  {relative(done.folder)}", f"Plan: {headline(read, done)}"], [done.folder]
    effects = done.effects.to_frame()
    values["effects"] = json.loads(effects.to_json(orient="records", double_precision=15))
    return values, [f"Run:    {relative(done.folder)}", f"Result: {headline(read, done)}"], [done.folder]


@click.command()
@programme_argument
@change_option
@engine_option
@why_option
@answering
def book(
    programme: str, changes: dict[str, str], engine: str | None, why: bool, quiet: bool
) -> tuple[dict[str, Any], list[str]]:
    """Run a programme's chapters and publish its book."""
    from ..unchanged import Question

    question = Question("book", programme, changes)
    known = question.answer()
    if known is not None:
        return said(known, why)
    from ..programme import Programme
    from ..publication import publish

    mark = question.mark()
    made = publish(Programme.read(programme, changes), progress=progress_lines(quiet), engine=engine)
    index = relative(made.book.index)
    values = {
        "book": index,
        "is_new": made.book.is_new,
        "run": relative(made.run.folder),
        "chapters_executed": made.run.n_executed,
        "headline": made.headline,
        "why": dict(made.run.reasons),
    }
    result = f"Result: {made.headline}"
    folders = [made.run.folder, made.book.index.parent]
    question.remember(
        mark, {**as_unchanged(values), "is_new": False}, [f"Book:   {index} (unchanged)", result], folders
    )
    return said((values, [f"Book:   {index}{'' if made.book.is_new else ' (unchanged)'}", result]), why)
