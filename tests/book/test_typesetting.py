"""A book that is built in a forked, warm process is the book that ``jupyter-book build`` makes, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import virkning as vk
from virkning.book import _contents, _stage
from virkning.errors import BookError
from virkning.typesetting import arguments, build_html, open_server


def files(html: Path) -> dict[str, bytes]:
    return {path.relative_to(html).as_posix(): path.read_bytes() for path in html.rglob("*") if path.is_file()}


def test_the_forked_build_is_jupyter_books_own(nsw, tmp_path: Path) -> None:
    done, source = nsw.published.run, tmp_path / "source"
    _stage(vk.Programme.read("nsw"), {name: done.notebook(name) for name in done.pages}, _contents(done), source)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "0", "NO_COLOR": "1"}
    own = tmp_path / "own"
    subprocess.run([*command, *arguments(str(source), str(own))], env=environment, capture_output=True, check=True)
    with open_server() as server:
        assert server.forks
        build_html(source, tmp_path / "forked", server)
        expected, found = files(own / "_build" / "html"), files(tmp_path / "forked" / "_build" / "html")
        assert len(expected) > 50
        assert {name for name in expected if expected[name] != found.get(name)} == set()
        assert set(found) == set(expected)
        # The same process serves the next book, also after one that cannot be built.
        (source / "why.md").write_text("# Why\n\n{cite:p}`NobodyNowhere1900`\n", encoding="utf-8")
        with pytest.raises(BookError) as caught:
            build_html(source, tmp_path / "broken", server)
        assert "why.md" in str(caught.value)
        assert str(tmp_path) not in str(caught.value)
