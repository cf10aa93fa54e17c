"""Every example in a docstring gives what it says."""

import doctest
import importlib
import pkgutil

import pytest

import virkning

MODULES = [module.name for module in pkgutil.walk_packages(virkning.__path__, "virkning.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 10
