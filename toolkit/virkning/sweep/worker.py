"""What a forked process does: performs a run, brings its result, and asks for the next."""

from __future__ import annotations

import warnings
from typing import Any

from ..engine.children import ask
from .single_run import Job, WarmProcess


def perform_all(first: dict[str, Any]) -> None:
    """Perform runs one after the other until there is none.

    Parameters
    ----------
    first : dict
        The first job as plain values; each further one is the answer to a result.
    """
    process = WarmProcess()
    values: dict[str, Any] | None = first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while values is not None:
            values = ask(process.perform(Job(**values)))
