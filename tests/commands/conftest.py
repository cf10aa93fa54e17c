"""The command as a user runs it: a process of its own, in an empty folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def virkning(tmp_path: Path) -> Run:
    def run(*arguments: str, cwd: Path | None = None, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "virkning.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd or tmp_path, check=False, **options)  # type: ignore[call-overload,no-any-return]

    return run
