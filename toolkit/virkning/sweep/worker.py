"""What a forked process does: performs its share of the runs, and tells of each as it is finished."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ..engine.children import report
from .single_run import Job, WarmProcess


def perform_all(jobs: Sequence[dict[str, Any]]) -> None:
    """Perform runs one after the other.

    Parameters
    ----------
    jobs : sequence of dict
        Jobs as plain values.
    """
    process = WarmProcess()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for values in jobs:
            report(process.perform(Job(**values)))
