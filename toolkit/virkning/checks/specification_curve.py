"""Does the answer depend on choices that the analyst could have made otherwise?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import ValidationError

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign
from ..designs.findings import Drawing
from ..designs.paths import PERSONS, value_columns
from ..designs.refusals import not_numbers, unknown_column
from ..disclosure import Column, Table
from ..errors import DesignError
from ..estimand import Outcome
from ..estimates import Estimates
from ..specification import Specification
from .results import CheckResult, CheckSettings, SampleRule

NAME = "specification_curve"
DECLARED, OTHER = "As declared", "Another choice"
EVERYBODY, OWN = "everybody", "the declared ones"
_WHERE = "checks.specifications"
_COLUMNS = (
    "rank", "series", "estimator", "covariates", "sample", "value", "lower", "upper", "p_value", "reason", PERSONS
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One combination of choices.

    Attributes
    ----------
    design : EvaluationDesign
        With these choices, and no alternatives beside.
    estimator, covariates, sample : str
        What the reader calls the choices.
    persons : ndarray of bool, shape (participants,), or None
        Whom the sample keeps.
    is_declared : bool
        Whether this is the headline as declared.
    """

    design: EvaluationDesign
    estimator: str
    covariates: str
    sample: str
    persons: np.ndarray | None
    is_declared: bool


def check_specification_curve(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Estimate the effect on the primary outcome under every combination of declared choices, and hide none.

    The choices are the design's alternatives, and the covariates and samples under ``checks.specifications``. Sorted by
    size, with intervals (Simonsohn, Simmons and Nelson 2020). ``passed`` is False when a clear headline is met by a
    clear effect of the other sign, or by fewer than half that are as clear; True when all have its sign and at least
    half are clear; None otherwise, or when no other choice was declared.

    Raises
    ------
    DesignError
        A choice names a column that does not exist or cannot be used so.
    """
    estimate = effects.primary
    outcome = tables.measures[estimate.estimand.measure]
    empty = pd.DataFrame(columns=list(_COLUMNS))
    if not estimate.is_available:
        return _result(empty, outcome, None, estimate.unavailable_reason, "It cannot be told.", {})
    variants = list(_variants(design, tables, settings))
    if len(variants) < 2:
        reason = "The programme declares no other choices."
        return _result(empty, outcome, None, reason, f"It cannot be told. {reason}", {})
    seed = estimate.provenance.seed
    frame = pd.DataFrame([_row(variant, tables, estimate.estimand.measure, seed) for variant in variants])
    frame = frame.sort_values("value", kind="stable", na_position="last", ignore_index=True)
    frame.insert(0, "rank", np.arange(1, len(frame) + 1))
    estimated = frame.dropna(subset=["value"])
    first = frame[frame["series"] == DECLARED].iloc[0]
    passed, reason = _verdict(estimated, first)
    n_failed = len(frame) - len(estimated)
    numbers = {
        "n_specifications": float(len(frame)),
        "n_not_estimated": float(n_failed),
        "smallest": float(estimated["value"].min()),
        "median": float(estimated["value"].median()),
        "largest": float(estimated["value"].max()),
        "share_same_sign": float((np.sign(estimated["value"]) == np.sign(first["value"])).mean()),
        "share_clear": float(_is_clear(estimated, float(first["value"])).mean()),
    }
    sentence = (
        f"{language.number(len(estimated))} combinations of choices give effects from "
        f"{estimate.in_words(numbers['smallest'], numbers['largest'])}, half of them below "
        f"{estimate.in_words(numbers['median'])}; as declared it is {estimate.in_words(float(first['value']))}."
    )
    if n_failed:
        sentence += f" {language.number(n_failed)} more cannot be estimated; the table says why."
    return _result(frame[list(_COLUMNS)], outcome, passed, reason, sentence, numbers)


def refuse_unfit(design: EvaluationDesign, tables: Tables, settings: CheckSettings) -> None:
    """Refuse choices that cannot be made; nothing is estimated.

    Raises
    ------
    DesignError
        A choice names a column that does not exist or cannot be used so, or a sample keeps nobody.
    """
    for _ in _variants(design, tables, settings):
        pass


def _variants(design: EvaluationDesign, tables: Tables, settings: CheckSettings) -> Iterator[Variant]:
    """Give every combination of choices, the declared one first; two that say the same are given once."""
    chosen = settings.specifications
    samples: list[tuple[str, np.ndarray | None]] = [(EVERYBODY, None)]
    samples += [(name, kept(rule, tables, f"{_WHERE}.samples.{name}")) for name, rule in chosen.samples.items()]
    sets: list[tuple[str, tuple[str, ...] | None]] = [(OWN, None)]
    if "covariates" in type(design).model_fields:
        for name, named in chosen.covariates.items():
            for column in named:
                _refuse_unfit(column, tables, f"{_WHERE}.covariates.{name}")
            sets.append((name, named))
    alone = design.model_copy(update={"alternatives": ()}) if hasattr(design, "alternatives") else design
    choices: list[tuple[str, EvaluationDesign]] = [(_words(alone), alone)]
    for alternative in getattr(design, "alternatives", ()):
        update = {"estimator": alternative}
        if isinstance(alternative, Specification):
            fields = type(alternative).model_fields.keys() & type(design).model_fields.keys()
            update = {name: getattr(alternative, name) for name in fields}
            # What an alternative leaves open is the design's own choice, but for errors that follow the estimator.
            update = {name: value for name, value in update.items() if value is not None or name == "standard_errors"}
        try:
            changed = type(design).model_validate(alone.model_dump() | update)
        except ValidationError:
            continue  # It could not be the headline: it answers another question, and stands with the effects.
        choices.append((_words(changed), changed))
    seen: set[tuple[str, str]] = set()
    for sample, persons in samples:
        for covariates, columns in sets:
            for estimator, choice in choices:
                variant = choice if columns is None else choice.model_copy(update={"covariates": columns})
                key = (sample, variant.model_dump_json())
                if key not in seen:
                    is_declared = not seen
                    seen.add(key)
                    yield Variant(variant, estimator, covariates, sample, persons, is_declared)


def _words(design: EvaluationDesign) -> str:
    """Return the choices that an alternative can change, in words."""
    parts = [str(getattr(design, name)) for name in ("estimator", "standard_errors") if getattr(design, name, None)]
    matching = getattr(design, "matching", None)
    if getattr(design, "estimator", "") == "matching" and matching is not None and matching.words:
        parts.insert(1, matching.words)
    return ", ".join(parts).replace("_", " ") or "as declared"


def kept(rule: SampleRule, tables: Tables, where: str) -> np.ndarray:
    """Return whom a sample keeps, shape (participants,); whoever has no value is left out.

    Parameters
    ----------
    rule : SampleRule
        As declared.
    tables : Tables
        The data.
    where : str
        How a message calls the rule.

    Raises
    ------
    DesignError
        The column does not exist, has no size to compare with a limit, or the rule keeps nobody.
    """
    people = tables.participants
    if rule.column not in people.columns or rule.column == "participant_id":
        raise unknown_column(rule.column, people, where)
    column = people[rule.column]
    if rule.equals is not None:
        persons = (column == rule.equals).fillna(False).to_numpy(dtype=bool)
    else:
        for error in not_numbers(column.dropna(), rule.column, "samples", ""):
            raise DesignError(error.code, error.what, where=where, why=error.why, do="Name a column of numbers.")
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        lower = -np.inf if rule.at_least is None else rule.at_least
        upper = np.inf if rule.at_most is None else rule.at_most
        persons = (values >= lower) & (values <= upper)
    if not persons.any():
        raise DesignError(
            "design.empty_sample",
            f"The sample keeps nobody: no value of «{rule.column}» is like that.",
            where=where,
            why="There is nobody whose effect could be estimated.",
            do="Correct the limits; the codebook shows which values occur.",
        )
    return persons


def _refuse_unfit(name: str, tables: Tables, where: str) -> None:
    people = tables.participants
    if name not in people.columns or name == "participant_id":
        raise unknown_column(name, people, where)
    for error in not_numbers(people[name], name, "covariates", "Name a trait that is known of everybody."):
        raise DesignError(error.code, error.what, where=where, why=error.why, do=error.do)


def _row(variant: Variant, tables: Tables, measure: str, seed: int) -> dict[str, object]:
    """Return what one combination gives, or why it gives nothing."""
    row: dict[str, object] = {
        "series": DECLARED if variant.is_declared else OTHER,
        "estimator": variant.estimator,
        "covariates": variant.covariates,
        "sample": variant.sample,
        **dict.fromkeys(("value", "lower", "upper", "p_value"), np.nan),
        "reason": "",
        PERSONS: 0,
    }
    refused = next(iter(variant.design.problems(tables, variant.persons)), None)
    if refused is not None:
        return row | {"reason": "The data do not allow it."}
    found = variant.design.estimate_outcome(tables, measure, seed=seed, persons=variant.persons)
    if not found.is_available:
        return row | {"reason": found.unavailable_reason}
    first = found.effects.iloc[0]
    counts = [int(first[name]) for name in ("n_treated", "n_comparison") if first[name] > 0]
    return row | {name: float(first[name]) for name in ("value", "lower", "upper", "p_value")} | {PERSONS: min(counts)}


def _is_clear(frame: pd.DataFrame, headline: float) -> pd.Series:
    """Tell which intervals lie on the headline's side of zero."""
    return frame["lower"] > 0 if headline > 0 else frame["upper"] < 0


def _verdict(estimated: pd.DataFrame, first: pd.Series) -> tuple[bool | None, str]:
    headline = float(first["value"])
    if first["lower"] <= 0 <= first["upper"]:
        return None, "The effect is unclear as declared, so other choices cannot overturn it."
    same, opposite = _is_clear(estimated, headline), _is_clear(estimated, -headline)
    if opposite.any():
        return False, "Some choices give a clear effect of the other sign."
    if same.mean() < 0.5:
        return False, "The effect is clear as declared, but under fewer than half of the choices."
    if (np.sign(estimated["value"]) == np.sign(headline)).all():
        return True, "Every choice gives an effect of the same sign, and at least half of them a clear one."
    return None, "Some choices give an effect of the other sign, though not a clear one."


def _result(
    frame: pd.DataFrame,
    outcome: Outcome,
    passed: bool | None,
    reason: str,
    sentence: str,
    numbers: dict[str, float],
) -> CheckResult:
    labels = {"value": "Effect", "lower": "From", "upper": "To"}
    size = float(frame["value"].abs().max()) if len(frame) else 0.0
    return CheckResult(
        name=NAME,
        title="Specification curve",
        question="Does the answer depend on choices that could have been made otherwise?",
        explanation="Every combination of the alternatives, covariates and samples that the programme declares is "
        "estimated, sorted by its effect, and none is left out {cite:p}`SimonsohnSimmonsNelson2020`.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title=f"{outcome.label}: the effect under every combination of declared choices",
            columns=(
                Column("rank", "No.", "number", digits=0),
                Column("series", "Choice"),
                Column("estimator", "Estimator"),
                Column("covariates", "Covariates"),
                Column("sample", "Sample"),
                *value_columns(outcome, size, labels, are_differences=True),
                Column("p_value", "p-value", "p_value", persons=PERSONS),
                Column("reason", "Why there is none"),
            ),
            frame=frame,
        ),
        drawing=Drawing(
            x="rank",
            y="value",
            series="series",
            lower="lower",
            upper="upper",
            caption="The effect under every combination of declared choices, sorted by size, with intervals.",
            has_zero_line=True,
            names_x=True,
        )
        if len(frame)
        else None,
        chart=None,
        numbers=numbers,
    )
