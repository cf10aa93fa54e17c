"""What «pip install» gives elsewhere is what a clone gives: the same command, chapters, schemas and book."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("notebooks", "book", "data_schemas", "programmes")
# What no sentence of ours says.
LEFT_OVER = "<left by an earlier build>"
# What a person who works in the clone may have lying about; none of it may travel.
LEFTOVERS = (
    "runs/nsw/0/record.json",
    "_build/nsw/html/index.html",
    "programmes/nsw/runs/nsw/0/effects.json",
    "programmes/nsw/_build/index.html",
    "notebooks/.ipynb_checkpoints/index-checkpoint.ipynb",
    "toolkit/virkning/__pycache__/cli.cpython-311.pyc",
    ".venv/bin/python",
)


def outside_the_clone() -> Mapping[str, str]:
    """Return the environment of someone who has never seen the clone."""
    values = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "VIRKNING"))
    }
    values["PATH"] = os.pathsep.join(
        p for p in os.environ["PATH"].split(os.pathsep) if not Path(p).is_relative_to(ROOT)
    )
    return values


def call(*command: str | Path, cwd: Path, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=cwd, env=outside_the_clone(), capture_output=True, text=True, check=False, timeout=seconds
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def build(kind: str, source: Path, target: Path) -> Path:
    call(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", target, cwd=source)
    (made,) = target.iterdir()
    return made


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what is committed, with leftovers of daily work in it."""
    listed = call("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.split("\0")
    copy = tmp_path_factory.mktemp("source") / "virkning"
    for name in listed:
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    for name in LEFTOVERS:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(LEFT_OVER, encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a new environment with the wheel, and what the wheel asks for at the locked versions, and nothing else."""
    place = tmp_path_factory.mktemp("elsewhere")
    venv.create(place / "env", with_pip=False, symlinks=True)
    wishes = place / "wishes.txt"
    wishes.write_text(f"{wheel} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", place / "env"]
    call(
        *pip,
        "install",
        "-qq",
        "--require-hashes",
        "--no-compile",
        "-c",
        ROOT / "requirements.lock",
        "-r",
        wishes,
        cwd=place,
    )
    call(*pip, "check", cwd=place)
    return place / "env"


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_wheel_holds_everything_that_is_not_code(wheel: Path, source: Path) -> None:
    names = set(names_in(wheel))
    ours = {
        f"virkning/shipped/{path.relative_to(source).as_posix()}"
        for folder in SHIPPED
        for path in (source / folder).rglob("*")
        if path.is_file() and path.relative_to(source).as_posix() not in LEFTOVERS
    }
    assert {"virkning/shipped/notebooks/index.ipynb", "virkning/shipped/programmes/nsw/programme.yml"} <= ours
    assert {name for name in names if name.startswith("virkning/shipped/")} == ours | {"virkning/shipped/_config.yml"}


def test_wheel_holds_every_module_and_both_licences(wheel: Path, source: Path) -> None:
    names = names_in(wheel)
    package = source / "toolkit" / "virkning"
    modules = {f"virkning/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    assert modules <= set(names)
    assert {Path(name).name for name in names if "/licenses/" in name} == {"LICENSE", "LICENSE-CC-BY-4.0"}


def test_wheel_holds_nothing_of_one_machine(wheel: Path, source: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = [
            name
            for name in archive.namelist()
            if LEFT_OVER.encode() in (content := archive.read(name)) or str(ROOT).encode() in content
        ]
    assert found == []


def test_source_distribution_builds_the_same_wheel(wheel: Path, source: Path, tmp_path: Path) -> None:
    archive = build("sdist", source, tmp_path / "sdist")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = build("wheel", unpacked, tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert {name: first.read(name) for name in first.namelist()} == {
            name: second.read(name) for name in second.namelist()
        }


def test_installed_command_publishes_the_book(installed: Path, wheel: Path, tmp_path: Path) -> None:
    command = installed / "bin" / "virkning"
    assert call(command, "--version", cwd=tmp_path).stdout.startswith("virkning, version ")
    done = call(command, "book", "nsw", cwd=tmp_path)
    assert "1,794 USD" in done.stdout
    html = tmp_path / "_build" / "nsw" / "html"
    assert "1,794" in (html / "index.html").read_text(encoding="utf-8")
    assert (html / "methods" / "randomised_trial.html").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_build", "runs"]
    assert [path for path in html.rglob("*") if path.is_file() and str(ROOT).encode() in path.read_bytes()] == []
    # The package wrote nothing into itself.
    (package,) = installed.glob("lib/python*/site-packages/virkning")
    present = {f"virkning/{path.relative_to(package).as_posix()}" for path in package.rglob("*") if path.is_file()}
    assert {name for name in present if "__pycache__" not in name} == {
        n for n in names_in(wheel) if n.startswith("virkning/")
    }


def test_installed_environment_is_free_of_what_only_developers_need(installed: Path) -> None:
    present = {path.name.partition("-")[0] for path in installed.glob("lib/python*/site-packages/*.dist-info")}
    assert {"virkning", "pandas", "linearmodels"} <= present
    assert {"pytest", "hypothesis", "mypy", "ruff", "causaldata"} & present == set()
