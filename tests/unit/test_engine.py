"""One notebook at a time: what papermill would only warn about is refused, and a failure tells no person's value."""

import traceback
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from virkning.engine import execute
from virkning.errors import BookError

MARKED = "87654321"


def notebook(
    *sources: str, tag: str = "parameters", declares: str = "programme = ''\nchanges = {}\nrun = ''"
) -> NotebookNode:
    first = new_code_cell(declares, metadata={"tags": [tag]})
    return new_notebook(cells=[new_markdown_cell("# A chapter"), first, *(new_code_cell(source) for source in sources)])


GIVEN = {"programme": "nsw", "changes": {"design.confidence": "0.90"}, "run": ""}


def test_runs_with_the_given_parameters(tmp_path: Path) -> None:
    done = execute(notebook("print(programme, changes['design.confidence'])"), "effects", GIVEN, tmp_path)
    assert done.cells[-1].outputs[0].text == "nsw 0.90\n"


def test_text_stays_text(tmp_path: Path) -> None:
    done = execute(notebook("print(repr(programme))"), "effects", {**GIVEN, "programme": "0301"}, tmp_path)
    assert done.cells[-1].outputs[0].text == "'0301'\n"


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"declares": "programm = ''\nchanges = {}\nrun = ''"}, "book.parameters", "Did you mean"),
        ({"declares": "programme = ''\nchanges = {}"}, "book.parameters", "«run» is not declared"),
        ({"declares": "programme = ''\nchanges = {}\nrun = ''\nextra = 1"}, "book.parameters", "«extra» is not given"),
        ({"tag": "parameter"}, "book.parameters_tag", "has 0 cells tagged"),
        ({"declares": "programme = ("}, "book.parameters_syntax", "not Python"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(tmp_path: Path, changed: dict[str, str], code: str, says: str) -> None:
    with pytest.raises(BookError) as caught:
        execute(notebook("1", **changed), "effects", GIVEN, tmp_path)
    assert caught.value.code == code
    assert says in str(caught.value)


def test_a_failing_cell_is_named_and_its_message_withheld(tmp_path: Path) -> None:
    with pytest.raises(BookError) as caught:
        execute(notebook(f"{{}}[{MARKED}]"), "effects", GIVEN, tmp_path)
    said = "".join(traceback.format_exception(caught.value))
    assert "KeyError" in str(caught.value)
    assert "chapter effects" in caught.value.where
    assert "A chapter" in caught.value.where
    assert MARKED not in said.replace(f"{{}}[{MARKED}]", "")


def test_our_own_message_comes_through(tmp_path: Path) -> None:
    cell = "from virkning.errors import DataError\nraise DataError('data.x', 'No such column.', do='Look again.')"
    with pytest.raises(BookError, match=r"No such column\."):
        execute(notebook(cell), "effects", GIVEN, tmp_path)


def test_a_cell_that_never_ends_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(BookError) as caught:
        execute(notebook("import time; time.sleep(60)"), "effects", GIVEN, tmp_path, timeout_seconds=2)
    assert caught.value.code == "book.timeout"


def test_a_kernel_that_dies_is_told(tmp_path: Path) -> None:
    with pytest.raises(BookError) as caught:
        execute(notebook("import os; os._exit(1)"), "effects", GIVEN, tmp_path)
    assert caught.value.code == "book.dead_kernel"


def test_kernel_listens_on_no_port_and_leaves_nothing(tmp_path: Path) -> None:
    cell = "import json, ipykernel\nprint(json.load(open(ipykernel.get_connection_file()))['transport'])"
    done = execute(notebook(cell), "effects", GIVEN, tmp_path)
    assert done.cells[-1].outputs[0].text == "ipc\n"
    assert list(tmp_path.iterdir()) == []
