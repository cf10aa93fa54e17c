"""What a newcomer sees first: the public names, in the order of the pipeline, each with words."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import virkning as vk

ROOT = Path(__file__).parents[2]
STEPS = re.findall(r"vk\.(\w+)", vk.__doc__ or "")
FUNCTIONS = [name for name in vk.__all__ if inspect.isfunction(getattr(vk, name))]


def test_snippet_names_public_things_in_the_order_of_the_pipeline() -> None:
    positions = [vk.__all__.index(name) for name in STEPS]
    assert len(STEPS) >= 5
    assert positions == sorted(positions)


def test_readme_begins_with_the_same_snippet() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line.strip() for line in (vk.__doc__ or "").splitlines() if "vk." in line]
    assert [line for line in lines if line not in readme] == []


@pytest.mark.parametrize("name", vk.__all__)
def test_public_name_has_words(name: str) -> None:
    assert inspect.getdoc(getattr(vk, name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_function_has_sections(name: str) -> None:
    """Parameters with shapes and units, what comes back, and which errors to expect."""
    words = inspect.getdoc(getattr(vk, name)) or ""
    assert [section for section in ("Parameters", "Raises") if f"\n{section}\n---" not in words] == []


def test_citation_names_this_version() -> None:
    assert f"\nversion: {vk.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_dir_shows_public_names_only() -> None:
    assert set(dir(vk)) == {*vk.__all__, "__version__"}


def test_misspelt_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        _ = vk.estimates_of
