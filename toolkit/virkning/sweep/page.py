"""The page of a sweep: for the book, and as one file that opens by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from ..disclosure import DisclosureRule
from ..programme import Programme
from ..provenance import checksum, write_atomically
from ..report import MARK, Exhibit, sweeps
from ..report.exhibit import escape
from ..resources import folder as resource
from .definition import content_of
from .store import PAGE, PARQUET, RECORD, SWEEPS
from .table import parameter_column, read_parquet

_TITLE = "# What if it were otherwise?"
_INTRODUCTION = (
    "The same programme was run under other parameters. Here are all of those runs, not chosen ones: what was asked, "
    "what every run answered, and which parameter moves the answer."
)
_HOW_TO_READ = "How to read this page, and what it cannot tell, stands under {doc}`/methods/sweeps`."


def finished_sweeps(programme: Programme, root: Path = Path("runs")) -> list[tuple[Path, Mapping[str, Any]]]:
    """Return the sweeps of a programme's present content, each with its record, in a fixed order.

    Parameters
    ----------
    programme : Programme
        With the changes of this run: a sweep belongs to it when it started from the same.
    root : Path
        Where run folders are.
    """
    found = []
    folders = sorted((root / programme.name / SWEEPS).glob("*"))
    content = content_of(programme) if folders else ""
    for folder in folders:
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if record.get("content") == content and (folder / PARQUET).is_file():
            found.append((folder, record))
    return found


def exhibits_of(folder: Path, record: Mapping[str, Any], rule: DisclosureRule, name: str = "sweep") -> list[Exhibit]:
    """Return what a page shows of one sweep.

    Parameters
    ----------
    folder, record
        As :func:`finished_sweeps` gives them.
    rule : DisclosureRule
        The programme's.
    name : str
        Short, unique on the page.
    """
    frame = read_parquet(folder / PARQUET)
    paths = [parameter_column(path) for path in record["paths"]]
    return sweeps.exhibits(frame, paths, rule, name=name, command=str(record["command"]))


def page(programme: Programme, root: Path = Path("runs")) -> NotebookNode | None:
    """Return the book's page with all sweeps of a programme's present content; None when there is none.

    Parameters
    ----------
    programme : Programme
        With the changes of this run.
    root : Path
        Where run folders are.
    """
    found = finished_sweeps(programme, root)
    if not found:
        return None
    cells = [nbformat.v4.new_markdown_cell(f"{_TITLE}\n\n{_INTRODUCTION} {_HOW_TO_READ}")]
    for position, (folder, record) in enumerate(found, start=1):
        name = "sweep" if len(found) == 1 else f"sweep-{position}"
        title = "All runs" if len(found) == 1 else f"Sweep {position} of {len(found)}"
        cells.append(nbformat.v4.new_markdown_cell(f"## {title}"))
        cells.append(_shown(exhibits_of(folder, record, programme.disclosure, name), str(record["command"])))
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=_METADATA)
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{position}"
    return notebook


_METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def page_mark(programme: Programme, root: Path = Path("runs")) -> str:
    """Return the checksum of what the page shows; empty when there is no page.

    Parameters
    ----------
    programme, root
        As of :func:`page`.
    """
    found = finished_sweeps(programme, root)
    return checksum(*(json.dumps(record, sort_keys=True) for _, record in found)) if found else ""


def _shown(exhibits: Sequence[Exhibit], command: str) -> NotebookNode:
    outputs = [
        nbformat.v4.new_output("display_data", data=dict(exhibit._repr_mimebundle_()), metadata={MARK: {}})
        for exhibit in exhibits
    ]
    cell: NotebookNode = nbformat.v4.new_code_cell(f"# Made by: {command}", outputs=outputs, execution_count=1)
    return cell


def write_page(folder: Path, record: Mapping[str, Any], programme: Programme) -> None:
    """Write one sweep as a page that opens by itself, with nothing to load.

    Parameters
    ----------
    folder, record
        As :func:`finished_sweeps` gives them.
    programme : Programme
        Whose sweep it is.

    Raises
    ------
    VirkningError
        The disk is full or the folder cannot be written.
    """
    title = f"{programme.specification.title}: {len(record['paths'])} parameters varied"
    parts = [_html(exhibit) for exhibit in exhibits_of(folder, record, programme.disclosure)]
    notice = programme.specification.publication.notice
    style = (resource("book") / "_static" / "virkning.css").read_text(encoding="utf-8")
    body = "\n".join(
        [
            f"<p><strong>{escape(notice)}</strong></p>" if notice else "",
            f"<h1>{escape(_TITLE.removeprefix('# '))}</h1>",
            f"<p>{escape(programme.specification.title)}. {escape(_INTRODUCTION)}</p>",
            *parts,
        ]
    )
    write_atomically(folder / PAGE, _FRAME.format(title=escape(title), style=_LAYOUT + style, body=body))


# The book's theme gives fonts and margins; a page by itself brings its own.
_LAYOUT = """
:root { color-scheme: light; --pst-color-border: #c9c9c9; --pst-color-text-base: #222; --pst-color-text-muted: #555;
  --pst-color-background: #fff; --pst-color-surface: #f4f4f4; --pst-color-link: #0b5c8a; }
body { font-family: system-ui, sans-serif; line-height: 1.5; color: #222; background: #fff;
  max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1, h2, h3 { line-height: 1.2; }
pre { background: #f4f4f4; padding: 0.6rem; overflow-x: auto; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
.vk-number { text-align: right; }
figure { margin: 1rem 0; }
"""
_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body><main>{body}</main></body>
</html>
"""


def _html(exhibit: Exhibit) -> str:
    """Return an exhibit as HTML; headings of the book become headings here."""
    if exhibit.kind != "prose":
        return exhibit.content
    blocks = re.split(r"\n{2,}", _RUBRIC.sub(r"### \1", exhibit.content))
    return "\n".join(_block(block) for block in blocks)


def _block(block: str) -> str:
    """Return one paragraph, heading or command of a sweep's prose as HTML."""
    if block.startswith("```"):
        command = "\n".join(block.splitlines()[1:-1])
        return f"<pre><code>{escape(command)}</code></pre>"
    if block.startswith("### "):
        return f"<h3>{escape(block.removeprefix('### '))}</h3>"
    words = re.sub(r"``(.+?)``", r"<code>\1</code>", escape(block))
    return f"<p>{words}</p>"


_RUBRIC = re.compile(r"```\{rubric\} (.*)\n:heading-level: \d\n```")
