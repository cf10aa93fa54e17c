"""What holds for every test: no skips where it counts, and the longest first."""

from __future__ import annotations

import base64
import os
import re
import shutil
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How many examples a property is tried on: VIRKNING_EXAMPLES=full, as under CI, is ten times as thorough.
settings.register_profile("quick", max_examples=100)
settings.register_profile("full", max_examples=1000)
settings.load_profile(os.environ.get("VIRKNING_EXAMPLES", "full" if os.environ.get("CI") == "true" else "quick"))

TESTS = Path(__file__).parent
# What takes longest begins first, so that the processes end together.
LONGEST = (
    "packaging/test_wheel.py",
    "book/test_bad_luck.py",
    "book/test_marked_values.py",
    "commands/test_commands.py",
    "book/test_pages.py",
)


def _without_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where CI is set: a test that did not run has shown nothing."""
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"A skipped test counts as failed under CI. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _without_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _without_skip(report)
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; «make test» keeps the tests of one file on one process."""
    items.sort(key=lambda item: _rank(item.path.relative_to(TESTS).as_posix()))


def _rank(file: str) -> int:
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)


@pytest.fixture(scope="session")
def made_up_effects() -> Callable[..., Any]:
    """Return the function that makes estimates with given effects, as if a trial of 200 persons had found them."""
    return _made_up_effects


def _made_up_effects(
    effects: Mapping[str, tuple[float, float, str]],
    *,
    correlation: float = 0.0,
    level: int = 5,
    n: int = 100,
    path: tuple[Any, Any] | None = None,
    **estimand: str,
) -> Any:
    """Return estimates: measure to effect, standard error and unit; ``path`` adds terms «year 1» on to the first."""
    import numpy as np
    import pandas as pd

    from virkning.estimand import Estimand
    from virkning.estimates import EFFECT_COLUMNS, Estimate, Estimates, EvidenceLevel, Method, Provenance

    generator = np.random.default_rng(5)
    # Orthonormal columns, so that the correlation between outcomes is exactly the one that was asked for.
    basis, _ = np.linalg.qr(generator.standard_normal((2 * n, len(effects) + 1)))
    found = {}
    for rank, (measure, (value, error, unit)) in enumerate(effects.items()):
        influence = error * (correlation**0.5 * basis[:, 0] + (1 - correlation) ** 0.5 * basis[:, rank + 1])
        values, covariance, terms = [value], np.array([[error**2]]), ["difference_in_means, classical"]
        if path is not None and rank == 0:
            values, covariance = [value, *path[0]], np.asarray(path[1], dtype=float)
            terms += [f"year {year + 1}" for year in range(len(path[0]))]
        frame = pd.DataFrame({"term": terms, "period": "after", "value": values})
        frame["std_error"] = np.sqrt(np.diag(covariance))
        frame = frame.assign(
            lower=frame["value"] - 2 * frame["std_error"], upper=frame["value"] + 2 * frame["std_error"]
        )
        frame = frame.assign(p_value=0.5, n_treated=n, n_comparison=n)
        words = {"kind": "amount", "better": "higher", **estimand}
        found[measure] = Estimate(
            estimand=Estimand(
                quantity="average treatment effect",
                population="the men",
                comparison="those not offered it",
                measure=measure,
                outcome=measure.replace("_", " ").capitalize(),
                unit=unit,
                period="after",
                horizon="",
                **words,
            ),
            level=0.95,
            evidence_level=EvidenceLevel(level, "a lottery"),
            method=Method("Randomised trial", "AngristPischke2009", "randomised_trial"),
            frame=frame[list(EFFECT_COLUMNS)],
            covariance=covariance,
            degrees_of_freedom=float("inf"),
            degrees_of_freedom_rule="normal",
            n_units=2 * n,
            n_clusters=None,
            comparison_mean=0.0,
            provenance=Provenance("made up", "none", "test", 0),
            influence=np.column_stack([influence] + [np.zeros(2 * n)] * (len(terms) - 1)),
            influence_ids=tuple(str(person) for person in range(2 * n)),
        )
    return Estimates(found)


class InThisProcess:
    """Runs notebooks here, without a kernel: quick, and a third engine beside papermill and warm kernels."""

    kind = "in this process"
    turn = threading.Lock()

    def __init__(self, failing: str = "", stop: str = "") -> None:
        self.failing, self.stop = failing, stop

    def execute(
        self, notebook: Any, name: str, parameters: Mapping[str, Any], folder: Path, timeout_seconds: float = 600
    ) -> Any:
        from IPython.core.interactiveshell import InteractiveShell

        from virkning.errors import BookError

        if name == self.stop:
            raise KeyboardInterrupt
        if name == self.failing:
            raise BookError("book.failed_cell", "A cell failed (ValueError).", where=f"chapter {name}, cell [3]")
        with self.turn:
            shell = InteractiveShell.instance()
            try:
                for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
                    self._execute(shell, cell, parameters)
            finally:
                InteractiveShell.clear_instance()
        return notebook

    @staticmethod
    def _execute(shell: Any, cell: Any, parameters: Mapping[str, Any]) -> None:
        import nbformat
        from IPython.utils.capture import capture_output

        with capture_output(stderr=False) as captured:
            result = shell.run_cell(cell.source)
        result.raise_error()
        if "parameters" in cell.metadata.get("tags", []):
            shell.user_ns.update(parameters)
        shown = [output.data for output in captured.outputs]
        if hasattr(result.result, "_repr_mimebundle_"):
            shown.append(result.result._repr_mimebundle_())
        cell.outputs = [nbformat.v4.new_output("display_data", data) for data in shown]


@pytest.fixture(scope="session")
def in_this_process() -> type[InThisProcess]:
    """Return the engine that needs no kernel; it may fail at a chapter, or be stopped there."""
    return InThisProcess


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever opens kernels in this test run its notebooks in this process."""

    @contextmanager
    def opened(kind: str | None = None, **_: Any) -> Iterator[InThisProcess]:
        yield InThisProcess()

    monkeypatch.setattr("virkning.run.open_kernels", opened)
    monkeypatch.setattr("virkning.record.verification.kernels", opened)


@pytest.fixture(scope="session")
def forged() -> Callable[..., Path]:
    """Return the function that copies a run folder and puts another text for one, also inside files and drawings."""
    return _forged


def _forged(folder: Path, target: Path, chapter: str, old: str, new: str) -> Path:
    import nbformat

    made = target / folder.parent.name / folder.name
    if made != folder:
        shutil.copytree(folder, made)
    file = made / "notebooks" / f"{chapter}.ipynb"
    notebook = nbformat.read(file, as_version=4)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        for kind in ("text/html", "text/markdown", "text/plain"):
            text = output.data.get(kind, "")
            for code in re.findall(r"base64,([A-Za-z0-9+/=]+)", text):
                changed = base64.b64decode(code).replace(old.encode(), new.encode())
                text = text.replace(code, base64.b64encode(changed).decode())
            if text:
                output.data[kind] = text.replace(old, new)
    nbformat.write(notebook, file)
    return made
