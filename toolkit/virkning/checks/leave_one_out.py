"""Does the effect rest on one cluster, or on a handful of persons?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import language, provenance
from ..data import Tables
from ..designs import EvaluationDesign
from ..designs.findings import Drawing
from ..designs.paths import PERSONS, value_columns
from ..disclosure import Column, Table
from ..estimates import Estimate, Estimates
from .claims import is_clear
from .results import CheckResult, CheckSettings

NAME = "leave_one_out"
# Of all persons, the share that is left out together where there are no clusters.
_SHARE = 0.01
# Above this share, losing its most influential persons undoes any result.
_TOO_LARGE_SHARE = 0.02
_EVERYBODY = "everybody"
_COLUMNS = ("rank", "left_out", "value", "std_error", "lower", "upper", PERSONS)
_LABELS = {"value": "Effect", "std_error": "Standard error", "lower": "From", "upper": "To"}

Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class _Group:
    """Persons who are left out together: what they are, without naming anybody, and who."""

    words: str
    persons: Booleans


def check_leave_one_out(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Estimate the primary outcome's effect again without each cluster, or without the most influential persons.

    Persons are never left out one by one in what is shown: the effect with and without somebody tells his outcome. So
    at least ``settings.leave_one_out_persons`` of them go together, or one in a hundred.

    The verdict is False when the effect changes its sign, or with clusters is no longer clear of zero; None when it
    was not clear before, or is no longer so without the most influential persons; else True.

    Parameters
    ----------
    design : EvaluationDesign
        Of any type whose estimates tell the influence of persons, or that names clusters.
    tables, effects
        The data, and the estimates made from them.
    settings : CheckSettings
        ``leave_one_out_persons`` and ``leave_one_out_clusters``.
    generator : Generator
        Not used; the design starts its random numbers as it did for the estimate.
    """
    estimate = effects.primary
    if not estimate.is_available:
        return _unknown(estimate.unavailable_reason)
    clusters = getattr(design, "clusters", None)
    fewest = settings.leave_one_out_persons
    groups: list[_Group] | str = (
        _influential(tables, estimate, fewest)
        if clusters is None
        else _clusters(tables, estimate, clusters, fewest, settings.leave_one_out_clusters)
    )
    if isinstance(groups, str):
        return _unknown(groups)
    rows = [_row(0, _EVERYBODY, estimate, _analysed(tables, estimate))]
    for group in groups:
        found = _without(design, tables, estimate, group.persons)
        if found is not None:
            rows.append(_row(0, group.words, found, int(group.persons.sum())))
    if len(rows) == 1:
        return _unknown("Without any of the groups that could be left out there is no estimate.")
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    order = np.argsort(frame["value"].to_numpy()[1:], kind="stable") + 1
    frame = pd.concat([frame.iloc[[0]], frame.iloc[order]], ignore_index=True)
    frame["rank"] = pd.Series(range(len(frame)), dtype=object)
    passed, reason = _verdict(frame, estimate, is_by_cluster=clusters is not None, n=_analysed(tables, estimate))
    rest = frame.iloc[1:]
    numbers = {
        "lowest": float(rest["value"].min()),
        "highest": float(rest["value"].max()),
        "n_left_out": float(len(rest)),
    }
    sentence = _sentence(numbers, estimate, reason, None if clusters is None else len(rest), int(rest[PERSONS].min()))
    return _result(passed, reason, sentence, _table(frame, estimate, tables), _drawing(estimate), numbers)


def _analysed(tables: Tables, estimate: Estimate) -> int:
    return min(estimate.n_units, len(tables.participants))


def _without(design: EvaluationDesign, tables: Tables, estimate: Estimate, persons: Booleans) -> Estimate | None:
    """Return the estimate without some persons, or None where it cannot be had."""
    measure, seed = estimate.estimand.measure, estimate.provenance.seed
    plain = design.model_copy(update={"alternatives": ()}) if hasattr(design, "alternatives") else design
    if next(iter(plain.problems(tables, ~persons)), None) is not None:
        return None
    found = plain.estimate_outcome(tables, measure, seed=seed, persons=~persons)
    return found if found.is_available else None


def _row(rank: int, words: str, estimate: Estimate, persons: int) -> tuple[object, ...]:
    first = estimate.effects.iloc[0]
    return (rank, words, *(float(first[name]) for name in ("value", "std_error", "lower", "upper")), persons)


def _digest(tables: Tables, unit: str) -> str:
    """Return what a unit is called in an estimate's influence."""
    return provenance.checksum(tables.checksum, unit)[:16]


def _influence(estimate: Estimate) -> pd.Series:
    """Return the influence on the headline by unit's digest."""
    if estimate.influence is None:
        return pd.Series(dtype=float)
    return pd.Series(estimate.influence[:, 0], index=list(estimate.influence_ids)).groupby(level=0).sum()


def _clusters(tables: Tables, estimate: Estimate, column: str, fewest: int, most: int) -> list[_Group] | str:
    """Return the clusters, those with most influence when there are many; never one of less than ``fewest``."""
    names = tables.participants[column].astype(str)
    used = _influence(estimate)
    sizes = names.value_counts()
    by_digest = {_digest(tables, name): name for name in sizes.index}
    strength = {by_digest[digest]: abs(value) for digest, value in used.items() if digest in by_digest}
    if len(strength) < 3:
        return "There are too few clusters to leave one out."
    ordered = sorted(strength, key=lambda name: (-strength[name], name))
    large = [name for name in ordered if sizes[name] >= fewest][:most]
    if not large:
        return f"Every cluster has fewer than {fewest} persons, too few to be left out alone."
    return [_Group("one cluster", (names == name).to_numpy(dtype=bool)) for name in large]


def _influential(tables: Tables, estimate: Estimate, fewest: int) -> list[_Group] | str:
    """Return those who raise the effect most, and those who lower it most."""
    used = _influence(estimate)
    digests = [_digest(tables, person) for person in tables.participants["participant_id"].astype(str)]
    influence = used.reindex(digests).to_numpy(dtype=np.float64)
    n = int(np.isfinite(influence).sum())
    if n == 0:
        return "The influence of single persons on this estimate is not known."
    size = max(fewest, math.ceil(_SHARE * n))
    if 4 * size > n:
        return f"There are too few persons to leave out {size} of them."
    groups = []
    for sign, verb in ((1.0, "raise"), (-1.0, "lower")):
        ranked = np.where(np.isfinite(influence), -sign * influence, np.inf)
        chosen = np.zeros(len(influence), dtype=bool)
        chosen[np.argsort(ranked, kind="stable")[:size]] = True
        groups.append(_Group(f"the {size} persons who {verb} it most", chosen))
    return groups


def _verdict(frame: pd.DataFrame, estimate: Estimate, *, is_by_cluster: bool, n: int) -> tuple[bool | None, str]:
    value = estimate.headline().value
    rest = frame.iloc[1:]
    turns = bool((np.sign(rest["value"]) != np.sign(value)).any())
    unclear = bool(((rest["lower"] <= 0) & (rest["upper"] >= 0)).any())
    whom = "one cluster" if is_by_cluster else "the persons with most influence"
    if not is_clear(estimate):
        return None, "The effect is not clear of zero with everybody, so there is nothing to overturn."
    if is_by_cluster:
        if turns or unclear:
            return False, f"Without {whom} the effect is no longer clear: it rests on few."
        return True, "The effect stays clear of zero whichever cluster is left out."
    # Leaving out a larger share of those who count most can undo any result, so it tells little.
    if turns and int(rest[PERSONS].max()) <= _TOO_LARGE_SHARE * n:
        return False, f"Without {whom}, at most {_TOO_LARGE_SHARE:.0%} of all, the effect changes its sign."
    if turns or unclear:
        return None, f"Without {whom} the effect is no longer clear of zero."
    return True, f"The effect stays clear of zero without {whom}."


def _sentence(numbers: dict[str, float], estimate: Estimate, reason: str, n_clusters: int | None, fewest: int) -> str:
    low, high = (estimate.in_words(numbers[name]) for name in ("lowest", "highest"))
    if n_clusters is None:
        return (
            f"Without the {fewest} persons who raise it most the effect is {low}, without the {fewest} who lower it "
            f"most {high}. {reason}"
        )
    return f"Each of {n_clusters} clusters left out in turn, the effect lies between {low} and {high}. {reason}"


def _table(frame: pd.DataFrame, estimate: Estimate, tables: Tables) -> Table:
    outcome = tables.measures[estimate.estimand.measure]
    level = language.number(estimate.level * 100)
    columns = value_columns(outcome, float(frame["value"].abs().max()), _LABELS, are_differences=True)
    return Table(
        name=NAME,
        title=f"{outcome.label}: effect when some are left out, with {level}% confidence intervals",
        columns=(Column("rank", "Order"), Column("left_out", "Left out"), *columns),
        frame=frame.assign(left_out=frame["left_out"].replace(_EVERYBODY, "nobody")),
        note="In the order of the effects; the first line leaves out nobody. Nobody is named.",
    )


def _drawing(estimate: Estimate) -> Drawing:
    return Drawing(
        "rank",
        "value",
        f"{estimate.estimand.outcome}: effect when some are left out; at 0 with everybody, then in the order of the "
        "effects.",
        lower="lower",
        upper="upper",
        has_zero_line=True,
        names_x=True,
    )


def _unknown(reason: str) -> CheckResult:
    frame = pd.DataFrame({"left_out": pd.Series([], dtype="str")})
    table = Table(NAME, "Effect when some are left out", (Column("left_out", "Left out"),), frame)
    return _result(None, reason, f"It cannot be told. {reason}", table, None, {})


def _result(
    passed: bool | None,
    reason: str,
    sentence: str,
    table: Table,
    drawing: Drawing | None,
    numbers: dict[str, float],
) -> CheckResult:
    return CheckResult(
        name=NAME,
        title="Without some",
        question="Does the effect rest on one place, or on a few persons?",
        explanation="The effect is estimated again without each cluster in turn or, where there are none, without the "
        "persons whose outcomes raise or lower it most {cite:p}`BroderickGiordanoMeager2020`.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=table,
        drawing=drawing,
        chart=None,
        numbers=numbers,
    )
