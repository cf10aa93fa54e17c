"""Commands that look something up: schemas, designs, the script that completes commands."""

from __future__ import annotations

import json
from typing import Any

import click

from ..errors import UsageError
from .options import answering


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--as", "form", type=click.Choice(["json", "template", "synthetic"]), default="json", show_default=True)
@click.option("--programme", default=None, help="Add the columns of this programme to the table.")
@click.option("--rows", default=100, show_default=True, type=click.IntRange(1), help="Rows of the synthetic table.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Start of the random numbers.")
@answering
def schema(
    name: str, form: str, programme: str | None, rows: int, seed: int, quiet: bool
) -> tuple[dict[str, Any], list[str]]:
    """Print a schema: «programme» or «contract» as JSON Schema; a table's as JSON, CSV template or synthetic data."""
    from ..starter import schema_text

    text = schema_text(name, form=form, programme=programme, n_rows=rows, seed=seed)
    return (json.loads(text) if form == "json" else {"csv": text}), [text.rstrip("\n")]


@click.command()
@answering
def designs(quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """List the evaluation designs with their evidence level and chapter."""
    from ..designs import DESIGNS

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


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands in SHELL: eval "$(virkning completion bash)"."""
    from click.shell_completion import get_completion_class

    from . import main

    found = get_completion_class(shell)
    if found is None:
        raise UsageError("usage.shell", "There is no completion for that shell.", do="Use bash, zsh or fish.")
    click.echo(found(main, {}, "virkning", "_VIRKNING_COMPLETE").source())
