"""What is refused before a notebook runs, and what is said when it fails: the same for every kind of kernel."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode

from .. import errors
from ..errors import BookError, did_you_mean

TAG = "parameters"
# What the cells of one notebook may print and show together.
LARGEST_BYTES = 1 << 26
OUR_ERRORS = frozenset(name for name in vars(errors) if name.endswith("Error"))


def check_parameters(notebook: NotebookNode, name: str, parameters: Mapping[str, Any]) -> None:
    """Refuse what papermill would only warn about: a missing tag, an unknown name, a name that is not given."""
    tagged = [cell for cell in notebook.cells if cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])]
    if not tagged and not parameters:
        return
    if len(tagged) != 1:
        raise BookError(
            "book.parameters_tag",
            f"The chapter «{name}» has {len(tagged)} cells tagged «{TAG}» and needs exactly one.",
            where=f"chapter {name}",
            why="Without it the values that a run asks for are overwritten by the defaults, silently.",
            do=f"Give the cell that assigns the parameters the tag «{TAG}».",
        )
    try:
        tree = ast.parse(tagged[0].source)
    except SyntaxError:
        raise BookError(
            "book.parameters_syntax",
            f"The parameters cell of «{name}» is not Python.",
            where=f"chapter {name}",
            do="Mend it.",
        ) from None
    declared = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    wrong = sorted(set(parameters) ^ declared)
    if wrong:
        raise BookError(
            "book.parameters",
            f"The parameter «{wrong[0]}» is not {'given' if wrong[0] in declared else 'declared'} in «{name}».",
            where=f"chapter {name}, cell tagged «{TAG}»",
            why="A misspelt parameter would run with its default and be published as if it had been set.",
            do=did_you_mean(wrong[0], (declared | set(parameters)) - {wrong[0]}),
        )


def failed_cell(error: Any, notebook: NotebookNode | None, name: str) -> BookError:
    """Return what failed, and where; the message of a foreign error is withheld, since it may hold a person's value."""
    heading = ""
    if notebook is not None:
        cells = notebook.cells
        before = [cell.source for cell in cells[: max(int(error.cell_index), 0) + 1] if cell.cell_type == "markdown"]
        titles = [line.lstrip("# ") for text in before for line in text.splitlines() if line.startswith("#")]
        titles = [title for title in titles if "exception" not in title.lower()]
        heading = f", under «{titles[-1]}»" if titles else ""
    where = f"chapter {name}, cell [{error.exec_count}]{heading}"
    if error.ename in OUR_ERRORS:
        return BookError(
            "book.failed_cell", f"The chapter «{name}» stopped: {error.evalue}", where=where, do="Mend that first."
        )
    return BookError(
        "book.failed_cell",
        f"A cell of the chapter «{name}» failed with {error.ename}.",
        where=where,
        why="A failed cell is never published. Its message is withheld, since it may hold a person's value.",
        do="Open the notebook by hand, set its parameters, and run it to that cell to see the message.",
    )


def timed_out(name: str, seconds: float) -> BookError:
    """Return that a cell of a chapter took too long."""
    return BookError(
        "book.timeout",
        f"A cell of the chapter «{name}» took longer than {seconds:g} seconds.",
        where=f"chapter {name}",
        why="A chapter that never ends would hold up the whole book.",
        do="Open the notebook by hand and see which cell it is.",
    )


def died(name: str) -> BookError:
    """Return that the kernel of a chapter died."""
    return BookError(
        "book.dead_kernel",
        f"The kernel that ran the chapter «{name}» died.",
        where=f"chapter {name}",
        why="Most often the machine ran out of memory.",
        do="Close other programmes or use a larger machine, and call again: finished chapters are kept.",
    )


def flooded(name: str) -> BookError:
    """Return that a chapter printed more than any page can hold."""
    return BookError(
        "book.too_much_output",
        f"The cells of the chapter «{name}» print more than {LARGEST_BYTES >> 20} million characters.",
        where=f"chapter {name}",
        why="Nobody could open such a page, and it would fill the memory of this machine.",
        do="Open the notebook by hand and see which cell prints without end.",
    )
