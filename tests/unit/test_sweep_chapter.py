"""The method chapter on sweeps runs, prints nothing but exhibits, and says what its runs say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode

import virkning as vk
from virkning.disclosure import names_of_persons
from virkning.gate import check_notebooks
from virkning.run.beside import executed_text


@pytest.fixture
def chapter(tmp_path: Path, in_this_process: Any, monkeypatch: pytest.MonkeyPatch) -> NotebookNode:
    @contextmanager
    def opened(_: str | None) -> Iterator[Any]:
        yield in_this_process()

    monkeypatch.setattr("virkning.run.beside.open_kernels", opened)
    return executed_text("methods/sweeps", vk.Programme.read("nsw"), root=tmp_path)


def test_the_chapter_says_what_its_runs_say(chapter: NotebookNode) -> None:
    people = vk.read_data(vk.Programme.read("ungevej")).participants["participant_id"]
    check_notebooks({"methods/sweeps": chapter}, names_of_persons(people))
    shown = [str(output.get("data", {})) for cell in chapter.cells for output in cell.get("outputs", [])]
    text = " ".join(shown)
    assert "Alone -5 and -20; together -23, not -25." in text
    assert "78.54" in text
    # Two changes of a product: together they take less than the sum of both.
    found = re.search(
        r"by (-\d+\.\d+) million.*alone by (-\d+\.\d+), and both by (-\d+\.\d+), not by the sum of (-\d+\.\d+)", text
    )
    assert found is not None
    wage, years, together, added = (float(number) for number in found.groups())
    assert wage + years == pytest.approx(added, abs=0.011)
    assert added < together < min(wage, years) < 0
    assert sum("example-economy-net-present-value" in each for each in shown) >= 3
