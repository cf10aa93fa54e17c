"""For whom: the effect in groups that were declared beforehand, and whether it differs between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign, require_sound
from ..disclosure import persons_behind_difference
from ..errors import DesignError
from ..estimates import Estimate, Estimates
from ..numerics.concentration import persons_behind_mean
from .definitions import Booleans, Component, Subgroup, Vulnerability, divide, most_vulnerable
from .results import SubgroupResults, comparisons_text, index_text, most_vulnerable_text

VULNERABILITY = "vulnerability"
NOT_KNOWN = "Other or not known"
_NUMBERS = ("comparison_mean", "value", "std_error", "lower", "upper")
_FRAME = ("name", "subgroup", "group", "n_treated", "n_comparison", *_NUMBERS, "reason")
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
        A subgroup names an unknown column, or one that cannot be divided as it says; or the design itself is unsound.
    """
    require_sound(design, tables)
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
    frame = pd.concat(rows, ignore_index=True) if rows else _block_frame([])
    overall = design.within(participants).estimate_outcome(tables, measure, seed=seed)
    interactions = _adjusted(pd.DataFrame(tests, columns=[name for name in _TESTS if name != "p_value_holm"]))
    return SubgroupResults(
        frame=frame,
        interactions=interactions,
        n_comparisons=len(interactions),
        overall=overall,
        sentence=most_vulnerable_text(vulnerability, found.get(VULNERABILITY, {}), frame),
        index_text=index_text(vulnerability),
        comparisons_text=comparisons_text(interactions, 1 - design.confidence),
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
    treated = tables.participants[design.treatment].to_numpy(dtype=bool)
    outcome = tables.analysis(measure)["value"].to_numpy(dtype=float)
    has_outcome = ~np.isnan(outcome)
    rows: list[tuple[object, ...]] = []
    found: dict[str, Estimate] = {}
    rest = ~np.any(list(groups.values()), axis=0) & has_outcome
    for group, members in {**groups, **({NOT_KNOWN: rest} if rest.any() else {})}.items():
        arms = [members & has_outcome & arm for arm in (treated, ~treated)]
        counts = [int(arm.sum()) for arm in arms]
        behind = [persons_behind_mean(outcome[arm]) for arm in arms]
        reason = "These persons belong to none of the declared groups."
        result = reason if group == NOT_KNOWN else _effect(design, tables, measure, members, seed)
        if isinstance(result, Estimate):
            found[group] = result
            row = result.effects.iloc[0]
            numbers = [result.comparison_mean, *(float(row[name]) for name in _NUMBERS[1:])]
            rows.append((*names, group, *counts, *numbers, "", *behind))
        else:
            rows.append((*names, group, *counts, *[np.nan] * len(_NUMBERS), result, *behind))
    return _block_frame(rows), found


def _effect(design: EvaluationDesign, tables: Tables, measure: str, members: Booleans, seed: int) -> Estimate | str:
    """Return the estimate in a group, or the reason why there is none."""
    own = design.within(tables.participants[members])
    for problem in own.problems(tables, members):
        return problem.what
    result = own.estimate_outcome(tables, measure, seed=seed, persons=members)
    return result if result.is_available else result.unavailable_reason


def _block_frame(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    """Return the rows with the persons behind their numbers, as :func:`_guarded` counts them."""
    frame = pd.DataFrame(rows, columns=[*_FRAME, "n_treated_behind", "n_comparison_behind"])
    for name in ("n_treated_behind", "n_comparison_behind"):
        frame[name] = _guarded(frame[name].tolist())
    treated, comparison = frame["n_treated_behind"], frame["n_comparison_behind"]
    return frame.assign(
        # With one group only, what is said of the other rests on that one too.
        n_comparison_behind=comparison.mask(comparison == 0, treated),
        n_behind=persons_behind_difference(treated, comparison),
    )


def _guarded(persons: Sequence[int]) -> list[int]:
    """Return how many persons each group's number rests on when the number for everybody is published too.

    What is published for all groups but one gives away that one. So the second smallest group is as delicate as the
    smallest, and every larger one as delicate as all smaller ones together. Groups without persons give nothing away.

    >>> _guarded([3, 90, 40]), _guarded([1, 2, 50])
    ([3, 43, 3], [1, 1, 3])
    """
    result = list(persons)
    order = sorted((position for position, n in enumerate(persons) if n > 0), key=lambda position: persons[position])
    for rank, position in enumerate(order[1:], start=1):
        result[position] = min(persons[position], sum(persons[smaller] for smaller in order[:rank]))
    return result


def _test(label: str, found: Mapping[str, Estimate], behind: pd.Series) -> tuple[object, ...] | None:
    """Return the test that the groups have the same effect, or None when fewer than two have an estimate."""
    if len(found) < 2:
        return None
    values = np.array([estimate.headline().value for estimate in found.values()])
    covariance = Estimates(found).covariance()
    contrasts = np.column_stack([np.ones(len(values) - 1), -np.eye(len(values) - 1)])
    gaps, spread = contrasts @ values, contrasts @ covariance @ contrasts.T
    statistic = float(gaps @ np.linalg.solve(spread, gaps)) / len(gaps)
    if all(estimate.n_clusters is None for estimate in found.values()):
        freedom = sum(estimate.degrees_of_freedom for estimate in found.values())
    else:
        freedom = float(len({unit for estimate in found.values() for unit in estimate.influence_ids}) - 1)
    p_value = float(stats.f.sf(statistic, len(gaps), freedom))
    both = len(gaps) == 1
    difference, std_error = (float(gaps[0]), float(np.sqrt(spread[0, 0]))) if both else (np.nan, np.nan)
    contrast = " minus ".join(found) if both else "All groups alike: " + language.join(list(found))
    # A group without persons gives nothing away.
    return label, contrast, difference, std_error, p_value, int(behind[behind > 0].min())


def _adjusted(tests: pd.DataFrame) -> pd.DataFrame:
    """Return the tests with p-values adjusted for their number (Holm 1979)."""
    from statsmodels.stats.multitest import multipletests

    adjusted = multipletests(tests["p_value"].to_numpy(dtype=float), method="holm")[1] if len(tests) else []
    return tests.assign(p_value_holm=np.asarray(adjusted, dtype=float))[list(_TESTS)]


__all__ = ["Component", "Subgroup", "SubgroupResults", "Vulnerability", "estimate_subgroups"]
