"""What people wrote: the notebooks of chapters, and pages in MyST Markdown, read as notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BookError
from ..resources import folder as resource

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from ..programme import Programme


def notebook_file(name: str) -> Path:
    """Return the file of a shipped results chapter."""
    return resource("notebooks") / f"{name}.ipynb"


def text_file(page: str) -> Path:
    """Return the file of a page in MyST Markdown, such as ``methods/randomised_trial``."""
    return resource("book") / f"{page}.md"


def read_notebook(name: str) -> NotebookNode:
    """Return a shipped results chapter as it was written, without outputs."""
    import nbformat

    return nbformat.read(notebook_file(name), as_version=4)


def read_text(page: str) -> NotebookNode:
    """Return a page that is written in MyST Markdown as a notebook."""
    from myst_nb.core.read import read_myst_markdown_notebook
    from myst_parser.config.main import MdParserConfig

    path = text_file(page)
    settings = MdParserConfig(enable_extensions={"colon_fence", "dollarmath"})
    notebook = read_myst_markdown_notebook(path.read_text(encoding="utf-8"), config=settings, path=str(path))
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{position}"
    return notebook


def read_method(name: str) -> NotebookNode:
    """Return a method chapter as a notebook."""
    return read_text(f"methods/{name}")


def method_chapter(programme: Programme) -> str:
    """Return the name of the method chapter that the programme's results use.

    Raises
    ------
    BookError
        The method has no chapter: a result that nobody can look up is not published.
    """
    return require_method(type(programme.design).words.chapter)


def require_method(name: str) -> str:
    """Return the name of a method chapter that is there.

    Raises
    ------
    BookError
        It is not: a result that nobody can look up is not published.
    """
    if not text_file(f"methods/{name}").is_file():
        raise BookError(
            "book.no_method_chapter",
            f"The method «{name}» has no chapter.",
            where=f"book/methods/{name}.md",
            why="A reader must be able to look up how each result was made.",
            do="Write the chapter.",
        )
    return name


def without_traces(notebook: NotebookNode) -> NotebookNode:
    """Return an executed notebook without times, paths and random ids, so that the same run gives the same bytes."""
    notebook.metadata.pop("papermill", None)
    cells = []
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            continue
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        cells.append(cell)
    for position, cell in enumerate(cells):
        cell["id"] = f"cell-{position}"
    notebook.cells = cells
    return notebook
