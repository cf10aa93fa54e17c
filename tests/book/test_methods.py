"""Every method chapter runs, prints nothing but exhibits, and builds without a warning: links, citations, formulas."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import virkning as vk
from virkning import book as book_module
from virkning.designs import DESIGNS
from virkning.engine import kernels as open_kernels
from virkning.run.store import Store
from virkning.run.work import Task, Work


@pytest.fixture(scope="module")
def pages(nsw, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book that holds the chapters of all methods."""
    place = tmp_path_factory.mktemp("methods")
    finished = nsw.published.run
    shutil.copytree(finished.folder, place / "run")
    programme = vk.Programme.read("nsw")
    tasks = [Task(f"methods/{name}") for name in sorted(DESIGNS)]
    with open_kernels() as kernels:
        done = list(Work(programme, place / "run", Store(nsw.html.parents[2] / "runs"), tasks, kernels))
    assert len(done) == len(DESIGNS)
    run = dataclasses.replace(finished, folder=place / "run", methods=tuple(sorted(DESIGNS)), fingerprint="all methods")
    return book_module.build(programme, run, root=place / "_build").index.parent / "methods"


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_chapter_has_what_every_chapter_has(pages: Path, name: str) -> None:
    page = BeautifulSoup((pages / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    assert len(page.select("article .math")) >= 4, "notation"
    assert len(page.select("article .vk-table, article .vk-figure")) >= 1, "live results"
    assert len(page.select("article .admonition.dropdown")) >= 2, "two exercises with hidden solutions"
    assert page.select("article a[href*='references']"), "citations"
    levels = [int(heading.name[1]) for heading in page.select("article h1, article h2, article h3, article h4")]
    assert levels.count(1) == 1
