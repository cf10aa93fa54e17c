"""Do traits from before the decision jump at the cutoff, although nothing had been decided yet?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from .. import language
from ..data import Tables
from ..designs import EvaluationDesign
from ..designs.discontinuity.fit import cut
from ..designs.findings import Drawing
from ..designs.paths import PERSONS
from ..designs.regression_discontinuity import RegressionDiscontinuity
from ..disclosure import Column, Table
from ..estimates import Estimates
from ..numerics.concentration import persons_behind_mean
from ..numerics.several_outcomes import holm
from .benchmarks import refuse_benchmarks
from .results import CheckResult, CheckSettings
from .two_groups import label_of, numeric_traits

NAME = "balance_at_cutoff"
_SURPRISING = 0.05
# A jump of this many standard deviations is one that a reader should hear of; a test that cannot see it says little.
_LARGE = 0.5
_UNITS = "standard deviations"
_COLUMNS = (
    Column("label", "Before the decision"),
    Column("number", "No.", "number", digits=0),
    Column("value", "Jump", "number", _UNITS, persons=PERSONS),
    Column("lower", "From", "number", persons=PERSONS),
    Column("upper", "To", "number", persons=PERSONS),
    Column("p_value", "p", "p_value", persons=PERSONS),
    Column("p_value_holm", "p, adjusted", "p_value", persons=PERSONS),
)


def check_balance_at_cutoff(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Estimate the jump of each declared trait at the cutoff, as the design estimates that of the outcome.

    The traits are the design's covariates and ``settings.benchmark_covariates``, in standard deviations of those
    within the bandwidth. The verdict is False when one jumps at 5% (Holm's rule over the traits); True when none does,
    and half a standard deviation would have shown in each; else None.

    Parameters
    ----------
    design : EvaluationDesign
        A regression discontinuity.
    tables, effects
        The data, and the estimates made from them.
    settings : CheckSettings
        ``benchmark_covariates``: further traits, which need not be held constant by the design.
    generator : Generator
        Not used: nothing is drawn.

    Raises
    ------
    DesignError
        A benchmark is no column, no number, or incomplete.
    """
    if not isinstance(design, RegressionDiscontinuity):
        return _result(_empty(), None, "This design has no cutoff.", {})
    refuse_benchmarks(design, tables, settings)
    names = numeric_traits(tables, [*design.covariates, *settings.benchmark_covariates])
    if not names:
        return _result(_empty(), None, "The programme names no traits from before the decision.", {})
    level = effects.primary.level
    rows = [row for name in names if (row := _jump(design, tables, name, level)) is not None]
    if not rows:
        return _result(_empty(), None, "Of no trait can a jump be estimated.", {})
    frame = pd.DataFrame(rows, columns=["label", "value", "lower", "upper", "p_value", PERSONS])
    frame.insert(1, "number", np.arange(1, len(frame) + 1))
    frame["p_value_holm"] = holm(frame["p_value"].to_numpy(dtype=np.float64))
    jumps = frame["p_value_holm"] < _SURPRISING
    numbers = {
        "n_traits": float(len(frame)),
        "largest": float(frame["value"].abs().max()),
        "smallest_p_value": float(frame["p_value_holm"].min()),
    }
    passed: bool | None
    if jumps.any():
        which = language.join([f"«{label}»" for label in frame.loc[jumps, "label"]])
        passed, reason = False, f"{which} {'jumps' if jumps.sum() == 1 else 'jump'} at the cutoff."
    elif ((frame["upper"] - frame["lower"]) / 2 < _LARGE).all():
        passed, reason = True, "No trait jumps at the cutoff, and half a standard deviation would have shown."
    else:
        passed, reason = None, "No trait jumps clearly, but half a standard deviation could have gone unseen."
    return _result(frame, passed, reason, numbers)


def _jump(
    design: RegressionDiscontinuity, tables: Tables, name: str, level: float
) -> tuple[str, float, float, float, float, int] | None:
    """Return the jump of one trait in standard deviations, or None where it cannot be estimated."""
    plain = design.model_copy(update={"covariates": (), "sharpness": "sharp"})
    people = tables.participants
    found = cut(plain.settings, plain.sample(people.assign(value=people[name].to_numpy(dtype=np.float64))))
    if isinstance(found, str):
        return None
    used, sample = found.is_used(), found.sample
    spread = float(sample.outcome[used].std())
    if spread == 0:
        return None
    value, error = found.found.robust.value / spread, found.found.robust.std_error / spread
    if not error > 0:
        return None
    reach = float(stats.norm.ppf(0.5 + level / 2)) * error
    sides = (sample.is_meant, ~sample.is_meant)
    behind = min(persons_behind_mean(sample.outcome[used & side]) for side in sides)
    p_value = float(2 * stats.norm.sf(abs(value / error)))
    return label_of(tables, name), value, value - reach, value + reach, p_value, behind


def _empty() -> pd.DataFrame:
    return pd.DataFrame(columns=[*(column.name for column in _COLUMNS), PERSONS])


def _result(frame: pd.DataFrame, passed: bool | None, reason: str, numbers: dict[str, float]) -> CheckResult:
    sentence = f"It cannot be told. {reason}"
    if numbers:
        adjusted = ", adjusted for their number," if len(frame) > 1 else ""
        counted = language.plural(len(frame), "trait", "traits")
        smallest = language.p_value(numbers["smallest_p_value"])
        sentence = f"{reason} Of {counted}, the smallest p{adjusted} is {smallest}."
    return CheckResult(
        name=NAME,
        title="Balance at the cutoff",
        question="Were people just above the cutoff like those just below it?",
        explanation="Traits from before the decision cannot have been changed by the programme. Where one jumps at the "
        "cutoff, people on the two sides differ in more than the programme {cite:p}`CattaneoIdroboTitiunik2020`.",
        passed=passed,
        reason=reason,
        sentence=sentence,
        table=Table(
            name=NAME,
            title="Traits from before the decision: jump at the cutoff",
            columns=_COLUMNS,
            frame=frame,
            note="Each jump is estimated like that of the outcome, with its own bandwidth. Adjusted by Holm's rule.",
        ),
        drawing=Drawing(
            x="number",
            y="value",
            lower="lower",
            upper="upper",
            caption="Jumps of traits from before the decision, in standard deviations, numbered as in the table.",
            has_zero_line=True,
            names_x=True,
        )
        if numbers
        else None,
        chart=None,
        numbers=numbers,
    )
