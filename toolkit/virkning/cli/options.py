"""What all commands share: their options, their errors as messages and exit codes, progress, and how a path is said."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..errors import VirkningError

DEBUG = "VIRKNING_DEBUG"
# What a command answers: as values for programmes, as lines for people.
Answer = tuple[dict[str, Any], list[str]]


def answering(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--json`` and ``--quiet``, and turn errors into messages and exit codes.

    Parameters
    ----------
    function : callable
        Takes the command's options and ``quiet``; returns its answer as values and as lines.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print the result, or the error, as JSON.")
    @click.option("--quiet", "-q", is_flag=True, help="No progress; only the result.")
    @functools.wraps(function)
    def wrapped(as_json: bool, quiet: bool, **options: Any) -> None:
        try:
            values, lines = function(quiet=quiet or as_json, **options)
        except VirkningError as error:
            _fail(error, as_json)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            click.echo("Stopped. What was finished is kept; the same command goes on from there.", err=True)
            sys.exit(130)
        except BrokenPipeError:
            # Whoever read our output has stopped; that is not a failure of ours.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            _fail(_unexpected(error), as_json)
        else:
            click.echo(json.dumps(values, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))

    return wrapped


def _unexpected(error: Exception) -> VirkningError:
    return VirkningError(
        "unexpected",
        f"Something unexpected went wrong ({type(error).__name__}).",
        where="virkning",
        why="The details are withheld: they may hold a person's value.",
        do=f"Set {DEBUG}=1 to see them, and report the mistake without data.",
    )


def _fail(error: VirkningError, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"error": error.to_dict()}, indent=2, ensure_ascii=False))
    else:
        click.echo(f"error [{error.code}]: {error}", err=True)
    sys.exit(error.exit_code)


def _changes(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for item in given:
        path, sign, value = item.partition("=")
        if not sign or not path:
            raise click.BadParameter(f"«{item}» is not of the form path=value, such as design.confidence=0.90.")
        if path in changes:
            raise click.BadParameter(f"«{path}» is given twice.")
        changes[path] = value
    return changes


def progress_lines(quiet: bool) -> Callable[[str, int, int, float], None] | None:
    """Return what says on standard error that a chapter is finished; None when nobody wants to know."""

    def show(chapter: str, position: int, n: int, seconds: float) -> None:
        click.echo(f"[{position}/{n}] {chapter}: {f'{seconds:.1f} s' if seconds else 'unchanged'}", err=True)

    return None if quiet else show


def as_unchanged(values: dict[str, Any]) -> dict[str, Any]:
    """Return what is answered when the same is asked again and nothing has changed."""
    return {**values, "chapters_executed": 0, "why": dict.fromkeys(values["why"], "unchanged")}


def said(answer: Answer, why: bool) -> Answer:
    """Return an answer, and on demand why each chapter was run, or not."""
    values, lines = answer
    reasons = [f"{name}: {reason}" for name, reason in values["why"].items()]
    return values, [*lines, *(reasons if why else [])]


def relative(path: Path) -> str:
    """Return a path as seen from here, where it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


programme_argument = click.argument("programme", metavar="PROGRAMME")
change_option = click.option(
    "-p",
    "--parameter",
    "changes",
    multiple=True,
    callback=_changes,
    metavar="PATH=VALUE",
    help="Change one value for this run.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["warm", "pool", "stock"]),
    default=None,
    help="What runs the notebooks: kernels forked from a warm process (the default), started beforehand, or papermill.",
)
why_option = click.option("--why", is_flag=True, help="Say of each chapter why it was run, or not.")
