"""The command about a plan: how small a change could be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..fields import words_of_fields
from ..planning import Plan
from .options import answering, change_option

# Short name of an option, the key of the plan that it sets, and its type.
_EXPECTED: tuple[tuple[str, str, type[int] | type[float]], ...] = (
    ("--people", "people", int),
    ("--clusters", "clusters", int),
    ("--people-per-cluster", "people_per_cluster", float),
    ("--intra-cluster-correlation", "intra_cluster_correlation", float),
    ("--share", "baseline_share", float),
    ("--sd", "standard_deviation", float),
    ("--worthwhile", "worthwhile_effect", float),
    ("--ratio", "comparison_ratio", float),
    ("--take-up", "take_up_share", float),
    ("--attrition", "attrition_share", float),
    ("--covariate-r2", "covariate_r2", float),
    ("--before", "periods_before", int),
    ("--after", "periods_after", int),
    ("--period-correlation", "period_correlation", float),
    ("--cluster-period-correlation", "cluster_period_correlation", float),
    ("--waves", "waves", int),
    ("--donors", "donors", int),
    ("--effective-share", "effective_share", float),
    ("--near-cutoff", "near_cutoff_share", float),
    ("--power", "power", float),
    ("--confidence", "confidence", float),
)


def _expected(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one option for each key of a plan that can be said in a word."""
    for option, key, kind in reversed(_EXPECTED):
        words = words_of_fields(Plan).get(key, "").replace("\n", " ")
        function = click.option(option, key, type=kind, default=None, help=words)(function)
    return function


@click.command()
@click.argument("programme", metavar="[PROGRAMME]", required=False)
@click.option("--design", default="randomised_trial", show_default=True, help="Without PROGRAMME: type of the design.")
@_expected
@change_option
@answering
def power(
    programme: str | None, design: str, changes: dict[str, str], quiet: bool, **expected: float | None
) -> tuple[dict[str, Any], list[str]]:
    """Say how small a change a planned evaluation could see, before any data exist.

    From the plan of PROGRAMME, or from options alone: virkning power --people 120 --share 0.4
    """
    from ..publication import planned_power

    given = {key: value for key, value in expected.items() if value is not None}
    found = planned_power(programme, design, given, changes)
    lines = [line for each in found for line in (f"{each.label}:", each.sentence, each.worthwhile_sentence) if line]
    return {"outcomes": [each.to_dict() for each in found]}, lines
