"""The gate before publication: what is let through, and what is refused without being repeated."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from virkning.errors import BookError, DisclosureError
from virkning.gate import check_notebooks, check_pages, has_identifier
from virkning.report import MARK

PERSONS = frozenset({"nsw-001", "0101701234", "Nørregade 1"})


def chapter(**data: object) -> dict[str, object]:
    bundle = {name.replace("__", "/").replace("mark", MARK): value for name, value in data.items()}
    return {"effects": new_notebook(cells=[new_code_cell("1", outputs=[new_output("display_data", data=bundle)])])}


def test_exhibits_pass() -> None:
    check_notebooks(chapter(text__html="<p>1,794</p>", mark={"kind": "table"}), PERSONS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        {"text__html": "<table class='dataframe'></table>"},
        {"text__plain": "   participant_id\n0  x"},
        {"image__png": "iVBOR"},
        {"text__html": "<td>nsw-001</td>", "mark": {}},
        {"text__html": "<td>0101701234</td>", "mark": {}},
        {"text__markdown": "who lives at Nørregade 1.", "mark": {}},
    ],
)
def test_anything_else_is_refused_and_not_repeated(data: dict[str, object]) -> None:
    with pytest.raises(DisclosureError) as caught:
        check_notebooks(chapter(**data), PERSONS)  # type: ignore[arg-type]
    assert "chapter effects, cell 1" in str(caught.value)
    assert not any(person in str(caught.value) for person in PERSONS)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_prints_are_refused(stream: str) -> None:
    cell = new_code_cell("1", outputs=[new_output("stream", name=stream, text="x")])
    with pytest.raises(DisclosureError, match=stream):
        check_notebooks({"data": new_notebook(cells=[cell])}, frozenset())


def test_a_failed_cell_is_refused() -> None:
    cell = new_code_cell("1", outputs=[new_output("error", ename="E", evalue="v", traceback=[])])
    with pytest.raises(BookError):
        check_notebooks({"data": new_notebook(cells=[cell])}, frozenset())


def test_identifiers_are_whole_words() -> None:
    assert has_identifier("see nsw-001.", PERSONS)
    assert has_identifier('"nsw-001"', PERSONS)
    assert not has_identifier("nsw-0011 and 20101701234", PERSONS)


GOOD = '<html><img src="a.png" alt="A figure"><a href="https://example.org">source</a></html>'


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("index.html", '<script src="https://cdn.example.org/x.js"></script>', "another host"),
        ("index.html", '<link rel="stylesheet" href="//cdn.example.org/x.css">', "another host"),
        ("index.html", '<img src="a.png">', "without a text"),
        ("index.html", '<img src="a.png" alt="_images/a.png">', "without a text"),
        ("index.html", "<p>nsw-001</p>", "identifier"),
        ("searchindex.js", "/home/someone/data", "path of the machine"),
        ("data.parquet", "x", "not published"),
        ("page.ipynb", "{}", "not published"),
    ],
)
def test_pages_are_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / "index.html").write_text(GOOD, encoding="utf-8")
    check_pages(tmp_path, PERSONS, ["/home/someone"])
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DisclosureError, match=says):
        check_pages(tmp_path, PERSONS, ["/home/someone"])
