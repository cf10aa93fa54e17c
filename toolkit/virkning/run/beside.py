"""Pages of text that stand in a book beside a run: made once for all programmes, and then kept in the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..engine import kernels as open_kernels
from ..programme import Programme
from ..provenance import write_atomically
from .inputs import inputs_of_text, key
from .store import NOTEBOOK, Store
from .texts import read_text, without_traces

if TYPE_CHECKING:
    from nbformat import NotebookNode


def executed_text(
    page: str, programme: Programme, *, root: Path = Path("runs"), engine: str | None = None
) -> NotebookNode:
    """Return a page of text with live results that belongs to no run.

    Parameters
    ----------
    page : str
        Such as ``methods/sweeps``.
    programme : Programme
        In whose folder it is executed, if it must be.
    root : Path
        Where run folders are, and the store.
    engine : str, optional
        As for :func:`virkning.run.run`.

    Raises
    ------
    BookError
        The page failed.
    """
    import nbformat

    inputs = inputs_of_text(page)
    store, mark = Store(root), key(page, inputs)
    kept = store.find(mark)
    if kept is None:
        with store.making(mark) as place:
            kept = store.find(mark)  # Another process may have made it while this one waited.
            if kept is None:
                with open_kernels(engine) as opened:
                    made = opened.execute(read_text(page), page, {}, programme.folder)
                write_atomically(place / NOTEBOOK, nbformat.writes(without_traces(made)))
                kept = store.put(mark, place, page, inputs)
    return nbformat.reads((kept.content(NOTEBOOK) or b"").decode(), as_version=4)
