"""For whom: the effect in groups that were declared beforehand, and whether it differs between them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign, require_sound
from ..errors import DesignError
from ..estimates import Estimate
from .definitions import Booleans, Component, Reach, Subgroup, Vulnerability, divide, most_vulnerable
from .effects import Cases, covariance_between, effect_among, freedom_of, rows_of, with_persons
from .level_results import LevelResults
from .levels import estimate_levels
from .quantiles import QuantileResults, estimate_quantiles
from .reached import ReachResults, who_was_reached
from .refusals import require_before_start
from .results import SubgroupResults, comparisons_text, index_text, most_vulnerable_text

VULNERABILITY = "vulnerability"
NOT_KNOWN = "Other or not known"
_NAMES = ("name", "subgroup", "group")
_TESTS = ("subgroup", "contrast", "difference", "std_error", "p_value", "p_value_holm", "n_behind")


def estimate_subgroups(
    design: EvaluationDesign,
    tables: Tables,
    subgroups: Mapping[str, Subgroup],
    vulnerability: Vulnerability | None = None,
    *,
    seed: int = 0,
) -> SubgroupResults:
    """Estimate the effect on the primary outcome in each declared group, with the headline's estimator.

    Whether groups differ is tested by a Wald test on the groups' effects, with the covariance from their influence
    functions (so that a cluster may reach into several groups); all p-values are adjusted together (Holm 1979).

    Parameters
    ----------
    design, tables
        As for :func:`virkning.estimate`.
    subgroups : mapping of str to Subgroup
        As declared in ``programme.yml``.
    vulnerability : Vulnerability, optional
        Adds the most vulnerable as one more subgroup.
    seed : int
        For designs that need random numbers.

    Raises
    ------
    DesignError
        A subgroup names an unknown column, one that cannot be divided as it says, or one that is only known after the
        start; or the design itself is unsound.
    """
    require_sound(design, tables)
    require_before_start(design, tables, subgroups, vulnerability)
    participants = tables.participants
    measure = next(iter(tables.measures))
    divisions = _divisions(participants, subgroups, vulnerability)
    rows, tests = [], []
    found: dict[str, dict[str, Estimate]] = {}
    for name, (label, groups) in divisions.items():
        block, found[name] = _block(design, tables, measure, (name, label), groups, seed)
        rows.append(block)
        test = _test(label, found[name], block["n_behind"])
        if test is not None:
            tests.append(test)
    frame = pd.concat(rows, ignore_index=True) if rows else with_persons([], _NAMES)
    overall = design.within(participants).estimate_outcome(tables, measure, seed=seed)
    levels = None
    if vulnerability is not None:
        levels = estimate_levels(design, tables, vulnerability, overall, seed=seed)
        tests += _trend_test(levels)
    interactions = _adjusted(pd.DataFrame(tests, columns=[name for name in _TESTS if name != "p_value_holm"]))
    return SubgroupResults(
        frame=frame,
        interactions=interactions,
        n_comparisons=len(interactions),
        overall=overall,
        sentence=most_vulnerable_text(vulnerability, found.get(VULNERABILITY, {}), frame),
        index_text=index_text(vulnerability),
        comparisons_text=comparisons_text(interactions, 1 - design.confidence),
        levels=levels,
    )


def _divisions(
    participants: pd.DataFrame, subgroups: Mapping[str, Subgroup], vulnerability: Vulnerability | None
) -> dict[str, tuple[str, dict[str, Booleans]]]:
    """Return, for each subgroup by name, its label and who belongs to each of its groups."""
    if vulnerability is not None and VULNERABILITY in subgroups:
        raise DesignError(
            "design.reserved_name",
            f"A subgroup is called «{VULNERABILITY}», which is the name of the index.",
            where=f"subgroups.{VULNERABILITY}",
            why="One of them would hide the other.",
            do="Give the subgroup another name.",
        )
    divisions = {name: (item.label, divide(participants, item, name)) for name, item in subgroups.items()}
    if vulnerability is not None:
        divisions[VULNERABILITY] = (vulnerability.label, most_vulnerable(participants, vulnerability))
    return divisions


def _block(
    design: EvaluationDesign,
    tables: Tables,
    measure: str,
    names: tuple[str, str],
    groups: Mapping[str, Booleans],
    seed: int,
) -> tuple[pd.DataFrame, dict[str, Estimate]]:
    """Return the rows of one subgroup, and the estimates of the groups that have one."""
    cases = Cases.of(design, tables, measure)
    rows: list[tuple[object, ...]] = []
    found: dict[str, Estimate] = {}
    rest = ~np.any(list(groups.values()), axis=0) & cases.has_outcome
    for group, members in {**groups, **({NOT_KNOWN: rest} if rest.any() else {})}.items():
        reason = "These persons belong to none of the declared groups."
        result = reason if group == NOT_KNOWN else effect_among(design, tables, measure, members, seed)
        if isinstance(result, Estimate):
            found[group] = result
        rows.append((*names, group, *rows_of(result, cases.counts(members), cases.behind(members))))
    return with_persons(rows, _NAMES), found


def _test(label: str, found: Mapping[str, Estimate], behind: pd.Series) -> tuple[object, ...] | None:
    """Return the test that the groups have the same effect, or None when fewer than two have an estimate."""
    if len(found) < 2:
        return None
    covariance = covariance_between(found)
    if covariance is None:
        return None
    values = np.array([estimate.headline().value for estimate in found.values()])
    contrasts = np.column_stack([np.ones(len(values) - 1), -np.eye(len(values) - 1)])
    gaps, spread = contrasts @ values, contrasts @ covariance @ contrasts.T
    statistic = float(gaps @ np.linalg.solve(spread, gaps)) / len(gaps)
    freedom = freedom_of(found)
    infinite = math.isinf(freedom)
    tail = stats.chi2.sf(statistic * len(gaps), len(gaps)) if infinite else stats.f.sf(statistic, len(gaps), freedom)
    p_value = float(tail)
    both = len(gaps) == 1
    difference, std_error = (float(gaps[0]), float(np.sqrt(spread[0, 0]))) if both else (np.nan, np.nan)
    contrast = " minus ".join(found) if both else "All groups alike: " + language.join(list(found))
    # A group without persons gives nothing away.
    return label, contrast, difference, std_error, p_value, int(behind[behind > 0].min())


def _trend_test(levels: LevelResults) -> list[tuple[object, ...]]:
    """Return the test that the effect is the same whatever the number of signs, as a row; none when it is not known."""
    trend = levels.trend
    if trend is None:
        return []
    label = f"{levels.vulnerability.label}: number of signs"
    return [(label, "Per further sign", trend.value, trend.std_error, trend.p_value, levels.n_behind)]


def _adjusted(tests: pd.DataFrame) -> pd.DataFrame:
    """Return the tests with p-values adjusted for their number (Holm 1979)."""
    from statsmodels.stats.multitest import multipletests

    adjusted = multipletests(tests["p_value"].to_numpy(dtype=float), method="holm")[1] if len(tests) else []
    return tests.assign(p_value_holm=np.asarray(adjusted, dtype=float))[list(_TESTS)]


__all__ = [
    "Component",
    "LevelResults",
    "QuantileResults",
    "Reach",
    "ReachResults",
    "Subgroup",
    "SubgroupResults",
    "Vulnerability",
    "estimate_quantiles",
    "estimate_subgroups",
    "require_before_start",
    "who_was_reached",
]
