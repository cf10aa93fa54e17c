"""One environment in three files: pyproject.toml wishes, requirements.lock decides, environment.yml reads the lock."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PEERS_LOCK = (ROOT / "peers.lock").read_text(encoding="utf-8")
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
OLDEST_PYTHON = "3.11"

EXTRAS = PROJECT["project"]["optional-dependencies"]
WISHES = [
    *PROJECT["project"]["dependencies"],
    *(line for name, extra in EXTRAS.items() if name != "peers" for line in extra),
    *PROJECT["build-system"]["requires"],
]


def locked_entries(lock: str) -> dict[str, list[tuple[Requirement, int]]]:
    """Return, per package, its locked versions (one per kind of machine) with their number of hashes."""
    found: dict[str, list[tuple[Requirement, int]]] = {}
    for entry in lock.replace("\\\n", " ").splitlines():
        wish, *hashes = entry.split("--hash=")
        requirement = Requirement(wish.strip())
        sound = [text for text in hashes if re.fullmatch(r"sha256:[0-9a-f]{64}", text.strip())]
        assert len(sound) == len(hashes), entry
        found.setdefault(canonicalize_name(requirement.name), []).append((requirement, len(sound)))
    return found


LOCKED = locked_entries(LOCK)
PEERS = locked_entries(PEERS_LOCK)
EITHER = pytest.mark.parametrize("lock", [LOCK, PEERS_LOCK], ids=["requirements", "peers"])


@pytest.mark.parametrize("wish", WISHES)
def test_lock_holds_what_the_project_wishes(wish: str) -> None:
    """Each dependency, extras included, is locked to versions that its specifier allows, for every Python."""
    assert_locked(wish, LOCKED)


@pytest.mark.parametrize("wish", EXTRAS["peers"])
def test_lock_of_the_peers_holds_them_and_nothing_of_ours(wish: str) -> None:
    """Peers stand on the versions that the project itself uses, so a comparison compares the peer and nothing else."""
    assert_locked(wish, PEERS | LOCKED)
    # What the project needs with another Python or on another system only does not lie beside the peers here.
    here = {"implementation_name": "cpython", "os_name": "posix", "sys_platform": "linux"}
    ours = {
        name
        for name, entries in LOCKED.items()
        if any("implementation_name" not in str(locked.marker) or locked.marker.evaluate(here) for locked, _ in entries)
    }
    assert not PEERS.keys() & ours


def assert_locked(wish: str, locked_in: dict[str, list[tuple[Requirement, int]]]) -> None:
    requirement = Requirement(wish)
    entries = locked_in[canonicalize_name(requirement.name)]
    versions = [next(iter(locked.specifier)).version for locked, _ in entries]
    assert all(requirement.specifier.contains(version, prereleases=True) for version in versions), (wish, versions)
    for python in ("3.11", "3.12", "3.13", "3.14"):
        here = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
        chosen = [locked for locked, _ in entries if locked.marker is None or locked.marker.evaluate(here)]
        assert len(chosen) == 1, (wish, python)


@pytest.mark.parametrize("name", LOCKED | PEERS)
def test_locked_version_is_exact_and_has_hashes(name: str) -> None:
    for locked, n_hashes in (LOCKED | PEERS)[name]:
        assert [specifier.operator for specifier in locked.specifier] == ["=="]
        assert locked.url is None
        assert n_hashes > 0


@EITHER
def test_lock_names_no_index(lock: str) -> None:
    assert re.search(r"https?://|index|find-links|trusted-host", lock) is None


@EITHER
def test_lock_holds_nothing_that_was_edited_by_hand(lock: str) -> None:
    """Names stand in order, as the tool that writes the file leaves them."""
    names = [
        canonicalize_name(Requirement(line.partition("\\")[0]).name)
        for line in lock.splitlines()
        if not line.startswith(" ")
    ]
    assert names == sorted(names)


def test_conda_reads_the_lock_and_nothing_else() -> None:
    """Hash checking covers all or nothing: one more line without a hash, such as «-e .», and pip refuses the whole."""
    conda = [line for line in ENVIRONMENT["dependencies"] if isinstance(line, str)]
    pip = [line for line in ENVIRONMENT["dependencies"] if not isinstance(line, str)]
    assert pip == [{"pip": ["-r requirements.lock"]}]
    assert [re.split(r"[=<>]", line)[0] for line in conda] == ["python", "pip"]


def test_pythons_agree() -> None:
    python = next(line for line in ENVIRONMENT["dependencies"] if str(line).startswith("python")).partition("=")[2]
    requires = SpecifierSet(PROJECT["project"]["requires-python"])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert python == OLDEST_PYTHON
    assert requires.contains(OLDEST_PYTHON)
    assert not requires.contains("3.10")
    assert f"--python-version {OLDEST_PYTHON}" in makefile
    assert f"sys.version_info < ({OLDEST_PYTHON.replace('.', ', ')})" in makefile


def test_binder_adds_the_project() -> None:
    """Binder looks in a folder «binder» for all of its files or for none, and runs postBuild only if it may."""
    step = ROOT / "postBuild"
    assert not (ROOT / "binder").exists()
    assert not (ROOT / ".binder").exists()
    assert step.stat().st_mode & stat.S_IXUSR
    assert step.read_text(encoding="utf-8").startswith("#!")
    assert "pip install --no-deps --no-build-isolation -e ." in step.read_text(encoding="utf-8")


def make(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=folder, env=outside, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with what the set-up reads, and no .venv."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


def python_that(folder: Path, script: str) -> Path:
    """Return a stand-in for Python that runs a shell script instead."""
    program = folder / "stand-in"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_old_python_is_refused_with_words(clone: Path) -> None:
    old = python_that(clone, 'case "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac')
    done = make("book", f"PYTHON={old}", folder=clone)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert not (clone / ".venv").exists()


def test_missing_python_is_told(clone: Path) -> None:
    done = make("book", "PYTHON=python-that-is-not-here", folder=clone)
    assert done.returncode != 0
    assert "There is no python-that-is-not-here here." in done.stderr


def test_interrupted_set_up_does_not_count(clone: Path) -> None:
    """A set-up that stopped half-way, even after a finished one, leaves nothing that the next call would trust."""
    (clone / ".venv").mkdir()
    (clone / ".venv" / ".packages").touch()
    os.utime(clone / ".venv" / ".packages", (0, 0))
    stopping = python_that(clone, 'if [ "$2" = venv ]; then rm -rf .venv; mkdir .venv; exit 1; fi')
    done = make("book", f"PYTHON={stopping}", folder=clone)
    assert done.returncode != 0
    assert not (clone / ".venv" / ".packages").exists()


def test_help_lists_every_target(clone: Path) -> None:
    targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    done = make(folder=clone)
    assert done.returncode == 0
    assert [line.split()[1] for line in done.stdout.splitlines()] == targets
    assert {"book", "test", "lint", "lock", "clean"} <= set(targets)
