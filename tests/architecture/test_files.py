"""What is committed: nothing of one machine, notebooks without outputs and with exactly three parameters."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTED = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout
FILES = [name for name in sorted(set(LISTED.split("\0"))) if name and (ROOT / name).is_file()]
NOTEBOOKS = [name for name in FILES if name.endswith(".ipynb")]
PICTURES = (".png", ".svg", ".ico", ".woff2", ".parquet", ".xlsx")
# Written so that this file does not find itself.
OF_ONE_MACHINE = re.compile(r"(?<![\w.])/(?:hom[e]|User[s]|roo[t]|wor[k])/(?!someone\b)\w|[A-Z]:\\User[s]\\")
OF_ONE_REGISTRY = re.compile(r"py[p]i\.org|python[h]osted|n[p]mjs\.|deb\.debia[n]|cond[a]\.org")
LARGEST_FILE_BYTES = 1_000_000


def content(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_files_are_listed() -> None:
    assert {"pyproject.toml", "requirements.lock", "Makefile"} <= set(FILES)


@pytest.mark.parametrize("pattern", [OF_ONE_MACHINE, OF_ONE_REGISTRY], ids=["path of a machine", "host of a registry"])
def test_nothing_of_one_machine_is_committed(pattern: re.Pattern[str]) -> None:
    found = {
        name: match[0] for name in FILES if not name.endswith(PICTURES) if (match := pattern.search(content(name)))
    }
    assert found == {}


def test_no_large_file_is_committed() -> None:
    assert [name for name in FILES if (ROOT / name).stat().st_size > LARGEST_FILE_BYTES] == []


def test_made_files_are_not_committed() -> None:
    assert [name for name in FILES if re.match(r"(runs|_build|dist|\.venv)/", name)] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_has_no_outputs(name: str) -> None:
    code = [cell for cell in json.loads(content(name))["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_has_exactly_three_parameters(name: str) -> None:
    cells = json.loads(content(name))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    statements = ast.parse("".join(tagged[0]["source"])).body
    targets = [
        ast.unparse(target)
        for statement in statements
        if isinstance(statement, ast.Assign)
        for target in statement.targets
    ]
    assert targets == ["programme", "changes", "run"]
    assert len(statements) == len(targets)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_thin(name: str) -> None:
    """Logic lives in the toolkit: a notebook defines no function and no class, and has no loop that computes."""
    source = "\n".join(
        "".join(cell["source"]) for cell in json.loads(content(name))["cells"] if cell["cell_type"] == "code"
    )
    defined = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.While)
    ]
    assert defined == []
