"""The record of a run, and the proof that it can be made again.

A run leaves beside its results what went in and what happened, as a Workflow Run RO-Crate and as a README. From these,
runs are listed, repeated with changes, verified value by value, and compared.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparison import Comparison as Comparison
    from .comparison import compare as compare
    from .comparison import lines as lines
    from .crate import read_crate as read_crate
    from .page import write_page as write_page
    from .recording import recorded as recorded
    from .stored import StoredRun as StoredRun
    from .stored import find_run as find_run
    from .stored import stored_runs as stored_runs
    from .verification import Verification as Verification
    from .verification import programme_of as programme_of
    from .verification import verify as verify

# Imported when first used: a list of runs needs no estimators.
_PUBLIC = {
    "recorded": "recording",
    "StoredRun": "stored",
    "stored_runs": "stored",
    "find_run": "stored",
    "read_crate": "crate",
    "verify": "verification",
    "Verification": "verification",
    "programme_of": "verification",
    "compare": "comparison",
    "Comparison": "comparison",
    "lines": "comparison",
    "write_page": "page",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module «virkning.record» has no attribute «{name}»")
    return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
