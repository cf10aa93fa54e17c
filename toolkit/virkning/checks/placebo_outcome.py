"""Does the same design find an effect on an outcome that the programme cannot have moved?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign
from ..disclosure import Column, Table
from ..errors import DesignError, did_you_mean
from ..estimates import Estimates
from ..numerics.several_outcomes import holm
from .claims import claimed, persons_behind
from .results import CheckResult, CheckSettings

NAME = "placebo_outcome"
_SURPRISING = 0.05
# Beyond this, two outcomes are the same one under two names.
_SAME = 1 - 1e-9
WHERE = "checks.placebo_outcomes"

_COLUMNS = (
    Column("outcome", "Outcome"),
    Column("unit", "Unit"),
    Column("value", "False effect", "number", digits=4, persons="persons"),
    Column("std_error", "Standard error", "number", digits=4, persons="persons"),
    Column("lower", "From", "number", digits=4, persons="persons"),
    Column("upper", "To", "number", digits=4, persons="persons"),
    Column("p_value", "p", "p_value", persons="persons"),
    Column("p_value_holm", "p, adjusted", "p_value", persons="persons"),
)


def check_placebo_outcome(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Return what the same design finds for the outcomes that were declared as placebos.

    The verdict is False when one of them shows an effect at 5% (Holm's rule over them); True when none does, and one is
    precise enough to have shown a false effect as large, in standard deviations, as the headline's; else None.

    Parameters
    ----------
    design : EvaluationDesign
        Of any type.
    tables : Tables
        The data.
    effects : Estimates
        Made from them by the design; they hold the placebo outcomes, which are declared like others.
    settings : CheckSettings
        ``placebo_outcomes``: measures that the programme cannot have moved.
    generator : Generator
        Not used: nothing is drawn.

    Raises
    ------
    DesignError
        A placebo outcome is not declared, is the primary outcome, or has the same values as that.
    """
    names = settings.placebo_outcomes
    refuse_unfit(design, tables, settings)
    for measure in names:
        if measure not in effects:
            raise _unknown(measure, tables)
    if not names:
        return _result(None, "The programme declares no outcome that it cannot have moved.", None, {})
    rows, precise = [], False
    size = _in_spreads(tables, effects)
    for measure in names:
        estimate = effects[measure]
        if not estimate.is_available:
            continue
        first = estimate.effects.iloc[0]
        numbers = [float(first[name]) for name in ("value", "std_error", "lower", "upper", "p_value")]
        rows.append(
            (estimate.estimand.outcome, estimate.estimand.unit, *numbers, persons_behind(design, tables, estimate))
        )
        spread = _spread(tables, measure)
        precise |= spread > 0 and (numbers[3] - numbers[2]) / 2 / spread < size
    if not rows:
        return _result(None, "No placebo outcome has an estimate.", None, {})
    frame = pd.DataFrame(
        rows, columns=["outcome", "unit", "value", "std_error", "lower", "upper", "p_value", "persons"]
    )
    frame["p_value_holm"] = holm(frame["p_value"].to_numpy(dtype=np.float64))
    moved = frame["p_value_holm"] < _SURPRISING
    smallest = float(frame["p_value_holm"].min())
    numbers_found = {"n_outcomes": float(len(frame)), "smallest_p_value": smallest}
    if moved.any():
        which = language.join([f"«{name}»" for name in frame.loc[moved, "outcome"]])
        return _result(
            False, f"The same design finds an effect on {which}, which no programme can have had.", frame, numbers_found
        )
    if precise:
        return _result(
            True,
            "No effect is found where there can be none, and one like the headline would show.",
            frame,
            numbers_found,
        )
    return _result(
        None,
        "No effect is found where there can be none, but one like the headline could have gone unseen.",
        frame,
        numbers_found,
    )


def refuse_unfit(design: EvaluationDesign, tables: Tables, settings: CheckSettings) -> None:
    """Refuse placebo outcomes that cannot be any.

    Raises
    ------
    DesignError
        One is not declared, is the primary outcome, or follows from it.
    """
    primary = next(iter(tables.measures))
    for measure in settings.placebo_outcomes:
        if measure not in tables.measures:
            raise _unknown(measure, tables)
        if measure == primary:
            raise DesignError(
                "checks.placebo_is_outcome",
                f"«{measure}» is the primary outcome of the programme, and cannot be its placebo.",
                where=WHERE,
                why="A placebo outcome is one that the programme cannot have moved.",
                do="Name an outcome that was settled before the start, or that the programme does not touch.",
            )
        values = [tables.analysis(name)["value"] for name in (primary, measure)]
        both = values[0].notna() & values[1].notna()
        varies = both.sum() > 2 and all(each[both].nunique() > 1 for each in values)
        if varies and abs(float(np.corrcoef(values[0][both], values[1][both])[0, 1])) > _SAME:
            raise DesignError(
                "checks.placebo_is_outcome",
                f"«{measure}» follows exactly from the primary outcome «{primary}», and cannot be its placebo.",
                where=WHERE,
                why="It would show the effect of the programme, not a fault of the method.",
                do="Name an outcome that the programme cannot have moved.",
            )


def _unknown(measure: str, tables: Tables) -> DesignError:
    return DesignError(
        "checks.unknown_placebo_outcome",
        f"The placebo outcome «{measure}» is not declared.",
        where=WHERE,
        why="A placebo outcome is estimated like every other, so it must stand under outcomes.",
        do=did_you_mean(measure, tables.measures),
    )


def _spread(tables: Tables, measure: str) -> float:
    """Return the standard deviation of an outcome."""
    return float(tables.analysis(measure)["value"].std())


def _in_spreads(tables: Tables, effects: Estimates) -> float:
    """Return the size of the headline's claim in standard deviations of the outcome; 0 when there is none."""
    primary = effects.primary
    spread = _spread(tables, primary.estimand.measure)
    return claimed(primary) / spread if primary.is_available and spread > 0 else 0.0


def _sentence(reason: str, frame: pd.DataFrame | None, smallest: float) -> str:
    if frame is None:
        return f"It cannot be told. {reason}"
    tried = language.plural(len(frame), "outcome", "outcomes")
    adjusted = ", adjusted for their number," if len(frame) > 1 else ""
    return f"{reason} Of {tried} that it cannot have moved, the smallest p{adjusted} is {language.p_value(smallest)}."


def _result(passed: bool | None, reason: str, frame: pd.DataFrame | None, numbers: dict[str, float]) -> CheckResult:
    empty = pd.DataFrame({column.name: [] for column in _COLUMNS} | {"persons": []})
    return CheckResult(
        name=NAME,
        title="Placebo outcome",
        question="Would the same method find an effect where there can be none?",
        explanation="The evaluators named outcomes that the programme cannot have moved. The same design, used on "
        "them, should find nothing; what it finds is a fault of the comparison.",
        passed=passed,
        reason=reason,
        sentence=_sentence(reason, frame, numbers.get("smallest_p_value", 1.0)),
        table=Table(
            name=NAME,
            title="Effects on outcomes that the programme cannot have moved",
            columns=_COLUMNS,
            frame=empty if frame is None else frame,
            note="Shares are written between 0 and 1. Adjusted by Holm's rule for the number of outcomes.",
        ),
        chart=None,
        numbers=numbers,
    )
