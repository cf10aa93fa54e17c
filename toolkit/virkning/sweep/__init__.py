"""Sweeps: one programme under many parameter sets, as one table that holds all of them."""

from .axes import Grid, read_sets
from .conduct import Plan, Step, Swept, conduct, gather, perform_job, plan
from .definition import Sweep, jobs_text, read_jobs
from .store import Store

__all__ = [
    "Grid",
    "Plan",
    "Step",
    "Store",
    "Sweep",
    "Swept",
    "conduct",
    "gather",
    "jobs_text",
    "perform_job",
    "plan",
    "read_jobs",
    "read_sets",
]
