"""The command ``virkning``: parse, call one function, print, exit code; no logic.

Results go to standard output, progress and messages to standard error.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .errors import UsageError, VirkningError, did_you_mean
from .provenance import code_version

DEBUG = "VIRKNING_DEBUG"


class _Commands(click.Group):
    """A group that names the nearest command when one is misspelt."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"There is no command «{args[0]}». {did_you_mean(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)


def _command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--json`` and ``--quiet``, and turn errors into messages and exit codes."""

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


def _progress(quiet: bool) -> Callable[[str, int, int, float], None] | None:
    def show(chapter: str, position: int, n: int, seconds: float) -> None:
        click.echo(f"[{position}/{n}] {chapter}: {f'{seconds:.1f} s' if seconds else 'unchanged'}", err=True)

    return None if quiet else show


_programme = click.argument("programme", metavar="PROGRAMME")
# Short name of an option, the key of the plan that it sets, and its type.
_EXPECTED: tuple[tuple[str, str, type[int] | type[float]], ...] = (
    ("--people", "people", int),
    ("--clusters", "clusters", int),
    ("--people-per-cluster", "people_per_cluster", float),
    ("--intra-cluster-correlation", "intra_cluster_correlation", float),
    ("--share", "baseline_share", float),
    ("--sd", "standard_deviation", float),
    ("--worthwhile", "worthwhile_effect", float),
    ("--ratio", "comparison_ratio", float),
    ("--take-up", "take_up_share", float),
    ("--attrition", "attrition_share", float),
    ("--covariate-r2", "covariate_r2", float),
    ("--before", "periods_before", int),
    ("--after", "periods_after", int),
    ("--period-correlation", "period_correlation", float),
    ("--cluster-period-correlation", "cluster_period_correlation", float),
    ("--waves", "waves", int),
    ("--donors", "donors", int),
    ("--effective-share", "effective_share", float),
    ("--near-cutoff", "near_cutoff_share", float),
    ("--power", "power", float),
    ("--confidence", "confidence", float),
)


def _expected(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one option for each key of a plan that can be said in a word."""
    from .planning import Plan

    for option, key, kind in reversed(_EXPECTED):
        words = (Plan.model_fields[key].description or "").replace("\n", " ")
        function = click.option(option, key, type=kind, default=None, help=words)(function)
    return function


_change = click.option(
    "-p",
    "--parameter",
    "changes",
    multiple=True,
    callback=_changes,
    metavar="PATH=VALUE",
    help="Change one value for this run.",
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(code_version(), prog_name="virkning")
def main() -> None:
    """Find out, and show, whether social programmes work.

    PROGRAMME is a folder with a programme.yml, or the name of one below programmes/ or of a shipped example.
    """


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_command
def init(folder: Path, quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """Start a new programme FOLDER with synthetic data; its book builds at once."""
    from .starter import start

    start(folder)
    lines = [f"A new programme stands in {folder}.", f"Next: virkning book {folder}"]
    lines.append(
        f"Then replace the words in {folder}/*.md and {folder}/programme.yml, and the tables in {folder}/data."
    )
    return {"folder": str(folder)}, lines


@main.command()
@_programme
@_change
@_command
def check(programme: str, changes: dict[str, str], quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """Validate a programme's specification, data and design; fit nothing."""
    from .programme import Programme
    from .publication import check as check_programme

    findings = check_programme(Programme.read(programme, changes))
    return {"valid": True, "checked": findings}, findings


@main.command()
@_programme
@_change
@_command
def run(programme: str, changes: dict[str, str], quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """Run a programme's chapters; build no book."""
    from .programme import Programme
    from .publication import headline
    from .run import run as run_programme

    read = Programme.read(programme, changes)
    done = run_programme(read, progress=_progress(quiet))
    if read.is_planned:
        found = {"run": _relative(done.folder), "fingerprint": done.fingerprint, "chapters_executed": done.n_executed}
        return found, [f"Run:  {_relative(done.folder)}", f"Plan: {headline(read, done)}"]
    effects = done.effects.to_frame()
    values = {
        "run": _relative(done.folder),
        "fingerprint": done.fingerprint,
        "chapters_executed": done.n_executed,
        "effects": json.loads(effects.to_json(orient="records", double_precision=15)),
    }
    return values, [f"Run:    {_relative(done.folder)}", f"Result: {headline(read, done)}"]


@main.command()
@_programme
@_change
@_command
def book(programme: str, changes: dict[str, str], quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """Run a programme's chapters and publish its book."""
    from .programme import Programme
    from .publication import publish

    made = publish(Programme.read(programme, changes), progress=_progress(quiet))
    index = _relative(made.book.index)
    values = {
        "book": index,
        "is_new": made.book.is_new,
        "run": _relative(made.run.folder),
        "chapters_executed": made.run.n_executed,
        "headline": made.headline,
    }
    return values, [f"Book:   {index}{'' if made.book.is_new else ' (unchanged)'}", f"Result: {made.headline}"]


@main.command()
@click.argument("programme", metavar="[PROGRAMME]", required=False)
@click.option("--design", default="randomised_trial", show_default=True, help="Without PROGRAMME: type of the design.")
@_expected
@_change
@_command
def power(
    programme: str | None, design: str, changes: dict[str, str], quiet: bool, **expected: float | None
) -> tuple[dict[str, Any], list[str]]:
    """Say how small a change a planned evaluation could see, before any data exist.

    From the plan of PROGRAMME, or from options alone: virkning power --people 120 --share 0.4
    """
    from .publication import planned_power

    given = {key: value for key, value in expected.items() if value is not None}
    found = planned_power(programme, design, given, changes)
    lines = [line for each in found for line in (f"{each.label}:", each.sentence, each.worthwhile_sentence) if line]
    return {"outcomes": [each.to_dict() for each in found]}, lines


@main.command()
@click.argument("contract", metavar="CONTRACT", type=click.Path(path_type=Path))
@click.option("--results", type=click.Path(path_type=Path), help="Results to settle; by default results.csv beside it.")
@click.option("--csv", type=click.Path(path_type=Path), help="Write the ledger to this CSV file, with exact amounts.")
@click.option(
    "--excel", type=click.Path(path_type=Path), help="Write payments, ledger and cash flows to this Excel file."
)
@_command
def settle(
    contract: Path, results: Path | None, csv: Path | None, excel: Path | None, quiet: bool
) -> tuple[dict[str, Any], list[str]]:
    """Settle an outcomes contract: what each payer owes, line by line.

    CONTRACT is a contract.yml, or the folder in which it stands; no programme is needed.
    """
    from .contract import statement

    settled = statement.settle_files(contract, results)
    if csv is not None:
        statement.write_csv(settled, csv)
    if excel is not None:
        statement.write_excel(settled, excel)
    written = [f"Written: {_relative(file)}" for file in (csv, excel) if file is not None]
    return statement.values(settled), [*statement.lines(settled), *written]


@main.command()
@click.argument("name", metavar="NAME")
@click.option("--as", "form", type=click.Choice(["json", "template", "synthetic"]), default="json", show_default=True)
@click.option("--programme", default=None, help="Add the columns of this programme to the table.")
@click.option("--rows", default=100, show_default=True, type=click.IntRange(1), help="Rows of the synthetic table.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Start of the random numbers.")
@_command
def schema(
    name: str, form: str, programme: str | None, rows: int, seed: int, quiet: bool
) -> tuple[dict[str, Any], list[str]]:
    """Print a schema: «programme» or «contract» as JSON Schema; a table's as JSON, CSV template or synthetic data."""
    from .starter import schema_text

    text = schema_text(name, form=form, programme=programme, n_rows=rows, seed=seed)
    return (json.loads(text) if form == "json" else {"csv": text}), [text.rstrip("\n")]


@main.command()
@_command
def designs(quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """List the evaluation designs with their evidence level and chapter."""
    from .designs import DESIGNS

    rows = [
        {
            "design": name,
            "title": design.words.title,
            "question": design.words.question,
            "evidence_level": design.words.evidence_level.level,
            "chapter": f"methods/{design.words.chapter}",
        }
        for name, design in DESIGNS.items()
    ]
    lines = [
        f"{r['design']}  (Maryland scale {r['evidence_level']}, chapter {r['chapter']})\n    {r['question']}"
        for r in rows
    ]
    return {"designs": rows}, lines


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands in SHELL: eval "$(virkning completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise UsageError("usage.shell", "There is no completion for that shell.", do="Use bash, zsh or fish.")
    click.echo(found(main, {}, "virkning", "_VIRKNING_COMPLETE").source())


def _relative(path: Path) -> str:
    """Return a path as seen from here, where it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    main()
