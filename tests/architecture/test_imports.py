"""The arrows of the import contract, and what the package may use of other people's work."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import virkning
from virkning import report
from virkning.engine.kinds import PRELOAD

ROOT = Path(__file__).parents[2]
PACKAGE = Path(virkning.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_packages() -> dict[str, set[str]]:
    """Return the top-level packages that are imported from outside, and by which modules."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names and top != "virkning":
                    found.setdefault(top, set()).add(path.relative_to(PACKAGE).as_posix())
    return found


IMPORTED = imported_packages()
# Declared, but not imported: the files that show mathematics.
RUN_OR_COPIED = {"sphinx-mathjax-offline"}
DECLARED = {canonical(re.match(r"[\w.-]+", line)[0]) for line in PROJECT["project"]["dependencies"]}  # type: ignore[index]
DISTRIBUTIONS = metadata.packages_distributions()


def test_arrows_point_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in done.stdout


def test_every_module_has_a_layer() -> None:
    """The contract is exhaustive, and names no module that is gone."""
    layers = next(contract for contract in CONTRACTS if contract["type"] == "layers")
    named = {name.strip(" ()") for layer in layers["layers"] for name in layer.split("|")}
    present = {path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    present |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert layers["exhaustive"] is True
    assert named == present


@pytest.mark.parametrize("package", sorted(IMPORTED))
def test_import_is_a_declared_dependency(package: str) -> None:
    """What is imported is named in pyproject.toml: a dependency of a dependency may leave any day."""
    providers = {canonical(name) for name in DISTRIBUTIONS[package]}
    assert providers & DECLARED, f"«{package}», imported by {sorted(IMPORTED[package])}, is not a declared dependency"


def test_every_declared_dependency_is_used() -> None:
    imported = {canonical(name) for package in IMPORTED for name in DISTRIBUTIONS[package]}
    assert DECLARED - imported == RUN_OR_COPIED


@pytest.mark.parametrize("package", sorted(IMPORTED))
def test_import_allows_the_licence_of_this_project(package: str) -> None:
    """Code under the GPL may not be imported by code under the MIT licence that others pass on."""
    for name in DISTRIBUTIONS[package]:
        described = metadata.metadata(name)
        expression = described.get("License-Expression") or ""
        classifiers = [text for text in described.get_all("Classifier") or [] if text.startswith("License ::")]
        words = [expression, *classifiers] if expression or classifiers else [described.get("License") or ""]
        copyleft = [
            text for text in words if re.search(r"(?<!L)(?<!Lesser )\bA?GPL|GNU (Affero )?General Public", text)
        ]
        assert not copyleft or any(" OR " in text for text in words), f"{name}: {copyleft}"
        assert any(words), f"{name} does not say under which licence it is"


def test_kernels_have_imported_what_chapters_draw_with() -> None:
    assert {f"virkning.report.{part}" for part in report.PARTS} <= set(PRELOAD)


def test_a_command_loads_nothing_that_draws() -> None:
    """Half of a command's start would go there; the kernels draw."""
    looked = (
        "import sys, virkning.publication; print(sorted({'matplotlib', 'seaborn', 'statsmodels'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
