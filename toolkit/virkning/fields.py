"""What is written below each field of a model, for schemas and help: read from the source when somebody asks.

Pydantic can do the same when a class is made; but then every command reads the source of all classes when it starts,
which takes as long as everything else about them.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


@cache
def words_of_fields(model: type[BaseModel]) -> Mapping[str, str]:
    """Return what the text below each field says about it, by the field's name; fields without a text are left out.

    Parameters
    ----------
    model : type
        A model; a field that it inherits has the words of the class that declares it.
    """
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            for name, words in _declared(owner):
                found.pop(name, None)
                if words:
                    found[name] = words
    return found


def _declared(owner: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Give the fields that one class declares, each with its words or with none."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    for field, below in pairwise([*tree.body, ast.Pass()]):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            yield field.target.id, inspect.cleandoc(text) if isinstance(text, str) else ""
