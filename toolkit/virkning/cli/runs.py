"""Commands about runs that were made before: list them, verify one, compare two, start again from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import answering, change_option, progress_lines, relative

_run = click.argument("run", metavar="RUN")
_from = click.option("--programme", default=None, help="Folder of the programme, where the run does not lead to it.")
_page = click.option("--page", type=click.Path(path_type=Path), help="Write the comparison as one HTML page here.")


@click.command()
@click.argument("programme", metavar="[PROGRAMME]", required=False)
@answering
def runs(programme: str | None, quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """List the runs with their status: finished, interrupted, failed or still at work."""
    from ..record import stored_runs

    found = [run.to_dict() for run in stored_runs(programme=programme)]
    return {"runs": found}, [_line(values) for values in found] or ["There are no runs yet: virkning run PROGRAMME"]


def _line(values: dict[str, Any]) -> str:
    changes = " ".join(f"{path}={value}" for path, value in values["changes"].items()) or "as declared"
    failed = f" (in {', '.join(values['failed_chapters'])})" if values["failed_chapters"] else ""
    of = f" of {values['expected']}" if values["expected"] else ""
    return (
        f"{values['run']:<24} {values['status'] + failed:<12} {values['chapters']}{of} chapters  "
        f"{values['started']:<20} {changes}"
    )


@click.command()
@_run
@change_option
@_from
@_page
@answering
def rerun(
    run: str, changes: dict[str, str], programme: str | None, page: Path | None, quiet: bool
) -> tuple[dict[str, Any], list[str]]:
    """Run again from an earlier RUN's changes, with further ones, and say what differs.

    RUN is a name that «virkning runs» lists, or a programme for its latest run.
    """
    from ..programme import Programme
    from ..record import StoredRun, compare, find_run, lines, programme_of, recorded, write_page

    earlier = find_run(run)
    folder = programme_of(earlier, programme).folder
    read = Programme.read(folder, {**earlier.changes, **changes})
    done = recorded(read, progress=progress_lines(quiet))
    compared = compare(earlier, StoredRun(done.folder))
    written = [f"Page: {relative(write_page(compared, page).resolve())}"] if page is not None else []
    values = {"run": relative(done.folder), "chapters_executed": done.n_executed, "comparison": compared.to_dict()}
    return values, [f"Run:  {relative(done.folder)}", *written, "", *lines(compared)]


@click.command()
@_run
@_from
@click.option("--engine", type=click.Choice(["stock", "pool", "warm"]), default="stock", show_default=True)
@click.option("--chapter", "chapters", multiple=True, help="Only this chapter, and those on whose results it builds.")
@answering
def verify(
    run: str, programme: str | None, engine: str, chapters: tuple[str, ...], quiet: bool
) -> tuple[dict[str, Any], list[str]]:
    """Make a RUN again in clean kernels, reusing nothing, and compare every published value with it.

    RUN is a name that «virkning runs» lists, or a programme for its latest run.
    """
    from ..record import find_run
    from ..record import verify as verify_run

    tried = verify_run(
        find_run(run), programme=programme, engine=engine, chapters=chapters or None, progress=progress_lines(quiet)
    )
    tried.require()
    return tried.to_dict(), tried.lines()


@click.command()
@click.argument("first", metavar="FIRST")
@click.argument("second", metavar="SECOND")
@_page
@answering
def compare(first: str, second: str, page: Path | None, quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """Say what differs between two runs: settings, data (counts only), versions and results.

    FIRST and SECOND are names that «virkning runs» lists.
    """
    from ..record import compare as compare_runs
    from ..record import find_run, lines, write_page

    compared = compare_runs(find_run(first), find_run(second))
    written = [f"Page: {relative(write_page(compared, page).resolve())}", ""] if page is not None else []
    return compared.to_dict(), [*written, *lines(compared)]
