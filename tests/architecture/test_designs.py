"""An evaluation design stands in four places under one name: module, chapter, validation and register."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

import virkning
from virkning.designs import DESIGNS
from virkning.run.chapters import CHAPTERS, METHODS_OF_SWEEPS

ROOT = Path(__file__).parents[2]
PACKAGE = Path(virkning.__file__).parent

every_design = pytest.mark.parametrize("name", sorted(DESIGNS))


@every_design
def test_module_has_the_name(name: str) -> None:
    assert (PACKAGE / "designs" / f"{name}.py").is_file()
    assert DESIGNS[name].__module__ == f"virkning.designs.{name}"


@every_design
def test_chapter_has_the_name(name: str) -> None:
    assert (ROOT / "book" / "methods" / f"{name}.md").is_file()
    assert DESIGNS[name].words.chapter == name


@every_design
def test_validation_has_the_name(name: str) -> None:
    validation = ROOT / "tests" / "validation" / f"test_{name}.py"
    assert validation.is_file()
    assert "def test_" in validation.read_text(encoding="utf-8")


@every_design
def test_register_has_the_name_that_programmes_write(name: str) -> None:
    assert get_args(DESIGNS[name].model_fields["type"].annotation) == (name,)


def test_every_chapter_of_a_method_belongs_to_a_design_or_to_a_chapter_of_results() -> None:
    brought = {name for entry in CHAPTERS for name in entry.methods}
    assert {path.stem for path in (ROOT / "book" / "methods").glob("*.md")} == {*DESIGNS, *brought, *METHODS_OF_SWEEPS}


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_chapter_links_to_no_other_method(name: str) -> None:
    """A book holds only the methods that its results use: a link to another one would be broken there."""
    text = (ROOT / "book" / "methods" / f"{name}.md").read_text(encoding="utf-8")
    others = set(DESIGNS) - {name}
    assert not [other for other in others if re.search(rf"<{other}>`|{{doc}}`{other}`|\({other}\.md\)", text)]
