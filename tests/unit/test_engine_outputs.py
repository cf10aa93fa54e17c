"""A warm kernel gives the notebook that stock papermill gives, on cells that are easy to get wrong and on our own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat import NotebookNode

from virkning.engine import Kernels, execute, kernels
from virkning.programme import Programme
from virkning.run.chapters import chapters_of
from virkning.run.texts import read_notebook, without_traces

from .engine_cells import EDGES, GIVEN, comparable, notebook

NSW = str(Programme.read("nsw").folder)


@pytest.fixture(scope="module")
def warm() -> Iterator[Kernels]:
    with kernels("warm", slots=2) as opened:
        assert opened.kind == "warm"
        yield opened


def with_papermill(folder: Path, engine: str | None, source: NotebookNode) -> NotebookNode:
    """Run with papermill's own command, and return the notebook that it left, as failed as it may be."""
    place = folder / f"{engine}.ipynb"
    with pytest.raises(papermill.PapermillExecutionError):
        papermill.execute_notebook(
            source, place, parameters=GIVEN, engine_name=engine, progress_bar=False, cwd=str(folder)
        )
    return nbformat.read(place, as_version=4)


def test_edge_cells_are_as_in_stock_papermill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # Where it is set, a kernel takes no notice of its descriptors.
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    ours, theirs = (
        with_papermill(tmp_path, engine, notebook(*EDGES, kernelspec=kernel)) for engine in ("virkning", None)
    )
    for one, other in zip(comparable(ours), comparable(theirs), strict=True):
        assert one == other
    assert ours.metadata.keys() == theirs.metadata.keys()
    assert ours.metadata.language_info == theirs.metadata.language_info
    for one, other in zip(ours.cells, theirs.cells, strict=True):
        assert one.metadata.keys() == other.metadata.keys()
        for part in {"execution", "papermill"} & set(one.metadata):
            assert one.metadata[part].keys() == other.metadata[part].keys()


def test_a_whole_notebook_in_one_child_is_the_same(warm: Kernels, tmp_path: Path) -> None:
    # The servers treat warnings differently: ours ignore them, papermill's users see them.
    fine = [source for source in EDGES if not source.startswith("#!") and "warn" not in source]
    whole = warm.execute(notebook(*fine), "edges", GIVEN, tmp_path)
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    streamed = papermill.execute_notebook(
        notebook(*fine, kernelspec=kernel),
        None,
        parameters=GIVEN,
        engine_name="virkning",
        progress_bar=False,
        cwd=str(tmp_path),
    )
    assert comparable(whole) == comparable(streamed)


def test_our_own_chapters_are_the_same_bytes(warm: Kernels, tmp_path: Path) -> None:
    names = [entry.name for entry in chapters_of(Programme.read(NSW))]
    notebooks = [name for name in names if (Path(NSW).parents[1] / "notebooks" / f"{name}.ipynb").is_file()]
    given = {"programme": NSW, "changes": {}, "run": ""}

    def both(name: str) -> tuple[str, str]:
        return tuple(  # type: ignore[return-value]
            nbformat.writes(without_traces(run(read_notebook(name), name, given, tmp_path)))
            for run in (warm.execute, execute)
        )

    with ThreadPoolExecutor(2) as pool:
        for name, (ours, theirs) in zip(notebooks, pool.map(both, notebooks), strict=True):
            assert ours == theirs, name
    assert {"effects", "checks", "subgroups", "index"} <= set(notebooks)
