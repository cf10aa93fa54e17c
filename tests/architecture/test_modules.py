"""Every module has one subject, a plain name, a size that one reads in a sitting, and words for whoever calls it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import virkning

PACKAGE = Path(virkning.__file__).parent
MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
# A name that says nothing invites everything.
EMPTY_NAMES = {"utils", "helpers", "common", "misc", "core", "base", "shared", "tools", "manager", "handler"}
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
# These evaluate text as Python; what comes from a specification must never reach one.
EVALUATING = {"eval", "exec", "compile", "query", "from_formula"}
EVALUATING_OWNERS = {"re"}  # re.compile reads a pattern, not Python
Function = ast.FunctionDef | ast.AsyncFunctionDef

every_module = pytest.mark.parametrize("name", MODULES)


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def is_public(node: Function | ast.ClassDef) -> bool:
    return not node.name.startswith("_")


def n_lines(function: Function) -> int:
    """Count a function's lines, without its docstring."""
    first = function.body[0]
    words = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) is not None else 0
    return (function.end_lineno or 0) - function.lineno + 1 - words


def documented_parameters(docstring: str) -> list[str] | None:
    """Return the names in the section «Parameters», or None when there is none."""
    found = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n?\w[\w ]*\n-+\n|\Z)", docstring, flags=re.DOTALL | re.MULTILINE)
    if found is None:
        return None
    lines = [line for line in found[1].splitlines() if line and not line.startswith(" ")]
    return [name.strip().lstrip("*") for line in lines for name in line.split(" : ")[0].split(",")]


def parameters(function: Function) -> list[str]:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *(a for a in (given.vararg, given.kwarg) if a)]
    return [argument.arg for argument in named if argument.arg not in ("self", "cls")]


@every_module
def test_name_says_something(name: str) -> None:
    assert not EMPTY_NAMES & set(Path(name).with_suffix("").parts)


@every_module
def test_module_is_read_in_a_sitting(name: str) -> None:
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@every_module
def test_functions_are_short(name: str) -> None:
    long = {
        function.name: n_lines(function) for function in functions(TREES[name]) if n_lines(function) > LONGEST_FUNCTION
    }
    assert long == {}


@every_module
def test_module_says_what_it_is_for(name: str) -> None:
    assert ast.get_docstring(TREES[name])


@every_module
def test_public_functions_and_classes_are_documented(name: str) -> None:
    public = [node for node in TREES[name].body if isinstance(node, Function | ast.ClassDef) and is_public(node)]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


CLASSES = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
OUR_CLASSES = {node.name for node in CLASSES}
DOCUMENTED_METHODS = {
    method.name
    for node in CLASSES
    for method in node.body
    if isinstance(method, Function) and ast.get_docstring(method)
}


@every_module
def test_public_methods_are_documented(name: str) -> None:
    """A method may rely on the words of the method that it overrides, here or in another library."""
    silent = [
        f"{node.name}.{method.name}"
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.ClassDef) and is_public(node)
        if all(ast.unparse(base) in OUR_CLASSES for base in node.bases)
        for method in node.body
        if isinstance(method, Function) and is_public(method) and not ast.get_docstring(method)
        if method.name not in DOCUMENTED_METHODS
    ]
    assert silent == []


@every_module
def test_documented_parameters_are_the_parameters(name: str) -> None:
    """A section «Parameters» names none that is gone, in order; what a type says in full may be left out."""
    drifted = {}
    for function in functions(TREES[name]):
        documented = documented_parameters(ast.get_docstring(function) or "")
        if documented is not None and documented != [each for each in parameters(function) if each in documented]:
            drifted[function.name] = (documented, parameters(function))
    assert drifted == {}


@every_module
def test_nothing_prints_outside_the_command(name: str) -> None:
    if not name.startswith("cli/"):
        assert "print" not in called(TREES[name])


@every_module
def test_no_text_is_evaluated(name: str) -> None:
    assert not EVALUATING & called(TREES[name])


def called(tree: ast.AST) -> set[str]:
    """Return the names of functions and methods that are called, but for those of harmless owners."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                names.add(function.id)
            elif isinstance(function, ast.Attribute) and ast.unparse(function.value) not in EVALUATING_OWNERS:
                names.add(function.attr)
    return names


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("print(1)", "print"),
        ("frame.query('a > 1')", "query"),
        ("OLS.from_formula(text)", "from_formula"),
        ("eval(x)", "eval"),
    ],
)
def test_calls_are_seen(code: str, name: str) -> None:
    assert name in called(ast.parse(code))


def test_sections_are_read() -> None:
    docstring = "Do.\n\nParameters\n----------\na : int\n    One.\n*b, c : str\n    Two.\n\nReturns\n-------\nint\n"
    assert documented_parameters(docstring) == ["a", "b", "c"]
