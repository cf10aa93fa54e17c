"""Where a run took place, without saying on whose machine: code and its state, lock, packages, system, threads, locale.

No path, user name or host name is ever noted; who ran it is a role.
"""

from __future__ import annotations

import hashlib
import json
import locale
import os
import platform
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine import ENVIRONMENT
from ..errors import UsageError
from ..provenance import checksum, code_version, package_versions, tree_checksum
from ..resources import folder as resource

ROLE = "VIRKNING_ROLE"
# A role in plain words: an address or an account name has signs or digits that a role has not.
_ROLE = re.compile(r"[^\W\d_][^\W\d_ -]*(?:[ -][^\W\d_]+)*", re.UNICODE)
_LONGEST_ROLE = 60
_MEMORY_BANDS_GIB = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_VARIABLES = ("LANG", "LC_ALL", "LC_NUMERIC", "TZ", "VIRKNING_ENGINE")


def surroundings() -> dict[str, Any]:
    """Return what a reader must know about where a run took place, as plain values.

    Raises
    ------
    UsageError
        The role in ``VIRKNING_ROLE`` is not a role in plain words.
    """
    packages = package_versions()
    return {
        "role": role(),
        "code": code_state(),
        "python": platform.python_version(),
        "packages": packages,
        "packages_checksum": checksum(json.dumps(packages, sort_keys=True)),
        "lock_checksum": _lock_checksum(),
        "machine": machine(),
        "environment": environment(),
    }


def role() -> str:
    """Return as what the person acts who runs this: «evaluator», or the words in ``VIRKNING_ROLE``.

    Raises
    ------
    UsageError
        It is not made of plain words.
    """
    said = os.environ.get(ROLE, "").strip() or "evaluator"
    if len(said) > _LONGEST_ROLE or not _ROLE.fullmatch(said):
        raise UsageError(
            "usage.role",
            f"What {ROLE} says is not a role in plain words.",
            where=ROLE,
            why="The record goes wherever the results go, so it names a role and never a person or an account.",
            do=f"Set it to words such as {ROLE}='external evaluator', or leave it out.",
        )
    return said


def code_state(root: Path | None = None) -> dict[str, Any]:
    """Return the version of the toolkit, its checksum, and what version control says of it.

    Parameters
    ----------
    root : Path, optional
        The copy of the project; by default the one that runs.
    """
    package = Path(__file__).parents[1]
    place = root or resource("notebooks").parent
    state: dict[str, Any] = {
        "version": code_version(),
        "checksum": tree_checksum(package, sorted(package.rglob("*.py"))),
        "commit": None,
        "is_changed": None,
    }
    if (place / ".git").exists():
        commit, changed = _git(place, "rev-parse", "HEAD"), _git(place, "status", "--porcelain")
        if commit is not None and changed is not None:
            state |= {"commit": commit, "is_changed": bool(changed)}
    return state


def code_words(state: Mapping[str, Any]) -> str:
    """Return in words which code ran."""
    if not state.get("commit"):
        return f"virkning {state['version']}, an installed package"
    changed = "with changes that are not in version control" if state["is_changed"] else "unchanged"
    return f"virkning {state['version']}, commit {state['commit'][:12]}, {changed}"


def machine() -> dict[str, Any]:
    """Return what kind of machine this is; memory as the band it falls into, since its exact size is nobody's need."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processors": os.cpu_count() or 1,
        "memory": _memory_band(),
        "linear_algebra": _linear_algebra(),
    }


def environment() -> dict[str, str]:
    """Return the settings that a chapter runs under: threads, hash seed, locale and time zone."""
    found = {name: os.environ[name] for name in _VARIABLES if _is_harmless(os.environ.get(name, ""))}
    return {
        **{name: value for name, value in ENVIRONMENT.items() if "THREADS" in name or "HASHSEED" in name},
        **found,
        "locale": ".".join(part for part in locale.getlocale() if part) or "C",
        "time_zone": time.strftime("%z"),
    }


def _is_harmless(value: str) -> bool:
    """Tell whether a setting is a short name; anything with a path in it is not noted."""
    return bool(re.fullmatch(r"[\w.@:+-]{1,40}(/[\w+-]{1,40})?", value))


def _git(place: Path, *words: str) -> str | None:
    """Return what version control says, or None; it is told to leave no trace in the copy."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *words], cwd=place, capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _lock_checksum() -> str | None:
    lock = resource("requirements.lock")
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None


def _memory_band() -> str:
    try:
        gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return "unknown"
    above = next((band for band in _MEMORY_BANDS_GIB if gibibytes <= band), None)
    return f"up to {above} GiB" if above else f"more than {_MEMORY_BANDS_GIB[-1]} GiB"


def _linear_algebra() -> str:
    """Return the library that numpy computes with, and its version."""
    import numpy as np

    built: Any = np.show_config(mode="dicts")
    found = built.get("Build Dependencies", {}).get("blas", {})
    return " ".join(str(found[key]) for key in ("name", "version") if found.get(key)) or "unknown"
