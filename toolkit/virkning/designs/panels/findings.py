"""What a panel shows beside its estimate: variation within persons, all estimators side by side, a Hausman test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ... import language
from ...disclosure import Column, Table
from ...estimand import Outcome
from ...numerics.concentration import persons_behind_mean
from ...numerics.panels import NestedEffects, WaldTest, means_by
from ..degrees_of_freedom import Rule
from ..findings import Drawing, Finding
from .fits import (
    WITHIN,
    PanelErrors,
    PanelEstimator,
    PanelSample,
    fit_regression,
    hausman,
    regression_of,
    undetermined,
)

Array = NDArray[np.float64]

_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Shown:
    """The choices of a design that its findings follow.

    Attributes
    ----------
    outcome : Outcome
        As declared.
    estimator : str
        The headline's.
    labels : tuple of str
        What the reader calls the treatment and the measures held constant.
    errors, nested, rule
        How the headline's errors and degrees of freedom are counted.
    period_effects : bool
        Whether each period has a level of its own.
    level : float
        Of the intervals, 0 to 1.
    """

    outcome: Outcome
    estimator: PanelEstimator
    labels: tuple[str, ...]
    errors: PanelErrors
    nested: NestedEffects
    rule: Rule
    period_effects: bool
    level: float


def findings_of(sample: PanelSample, shown: Shown, names: Mapping[PanelEstimator, str]) -> tuple[Finding, ...]:
    """Return the findings about one outcome.

    Parameters
    ----------
    sample : PanelSample
        Complete rows.
    shown : Shown
        The design's choices.
    names : mapping of str to str
        What each estimator is called, in the order in which they are shown.
    """
    found = [_variation(sample, shown), _side_by_side(sample, shown, names)]
    if len(shown.labels) > 1:
        found.append(_coefficients(sample, shown))
    test = hausman(sample, period_effects=shown.period_effects, rule=shown.rule)
    if test is not None:
        found.append(_hausman(test, int(sample.persons.max()) + 1))
    return tuple(found)


def _changes(persons: NDArray[np.int64], values: Array) -> NDArray[np.bool_]:
    """Tell whose value is not the same in all periods; shape (persons,)."""
    by_person = pd.Series(values).groupby(persons)
    return np.asarray((by_person.max() - by_person.min()).to_numpy() > 0)


def _variation(sample: PanelSample, shown: Shown) -> Finding:
    rows = []
    columns = np.column_stack([sample.outcome, sample.varying])
    for label, values in zip((shown.outcome.label, *shown.labels), columns.T, strict=True):
        means = means_by(sample.persons, values)
        within, overall = values - means, values - values.mean()
        persons = pd.Series(values).groupby(sample.persons).mean().to_numpy()
        changes = _changes(sample.persons, values)
        total = float((overall**2).sum())
        rows.append(
            {
                "what": label,
                "overall": float(overall.std()),
                "between": float(persons.std()),
                "within": float(within.std()),
                "share": float((within**2).sum()) / total if total > 0 else 0.0,
                "changing": int(changes.sum()),
                "constant": int((~changes).sum()),
                "n_all": persons_behind_mean(persons),
                "n_within": int(changes.sum()) or len(changes),
            }
        )
    frame = pd.DataFrame(rows)
    share = language.number(100 * frame["share"].iloc[1])
    return Finding(
        name="variation",
        question="How much changes within persons?",
        explanation="Only changes within persons tell about the effect, once what lasts is taken away. Where little "
        "changes, little can be learned, however many persons there are.",
        sentence=f"Of the variation of «{shown.labels[0]}», {share} per cent lies within persons, the rest between.",
        table=Table(
            "variation",
            "Standard deviations between and within persons",
            (
                Column("what", "What"),
                Column("overall", "Overall", "number", digits=2, persons="n_all"),
                Column("between", "Between persons", "number", digits=2, persons="n_all"),
                Column("within", "Within persons", "number", digits=2, persons="n_within"),
                Column("share", "Share within", "share", persons="n_within"),
                Column("changing", "Persons in whom it changes", "count"),
                Column("constant", "does not change", "count"),
            ),
            frame,
            sums_across=(("changing", "constant"),),
        ),
    )


def _side_by_side(sample: PanelSample, shown: Shown, names: Mapping[PanelEstimator, str]) -> Finding:
    changing = int(_changes(sample.persons, sample.varying[:, 0]).sum())
    ever = pd.Series(sample.varying[:, 0] > sample.varying[:, 0].min()).groupby(sample.persons).any()
    arms = [count for count in (int(ever.sum()), int((~ever).sum())) if count]
    rows: list[tuple[object, ...]] = []
    for estimator, name in names.items():
        regression = regression_of(sample, estimator, period_effects=shown.period_effects)
        if undetermined(regression) is not None:
            continue
        fitted = fit_regression(regression, shown.errors, shown.nested, shown.rule)
        value, error = float(fitted.coefficients[0]), float(np.sqrt(fitted.covariance[0, 0]))
        reach = float(stats.t.ppf(0.5 + shown.level / 2, fitted.freedom.count)) * error
        behind = changing if estimator in WITHIN else min(arms)
        label = name[0].upper() + name[1:]
        rows.append((len(rows) + 1, label, value, error, value - reach, value + reach, behind))
    frame = pd.DataFrame(rows, columns=["number", "estimator", "value", "std_error", "lower", "upper", "persons"])
    outcome = shown.outcome
    factor, unit = (100.0, "per 100") if outcome.kind == "share" else (1.0, outcome.unit)
    frame[["value", "std_error", "lower", "upper"]] *= factor
    largest = float(frame["value"].abs().max())
    digits = 3 if largest < 1 else language.digits_for("amount", largest)
    low, high = (language.number(end, digits) for end in (frame["value"].min(), frame["value"].max()))
    labels = (("value", "Effect"), ("std_error", "Standard error"), ("lower", "from"), ("upper", "to"))
    return Finding(
        name="side-by-side",
        question="Do the estimators agree?",
        explanation="Fixed effects, first differences and correlated random effects compare each person with that same "
        "person. Random effects and pooled least squares also compare persons with each other, which needs more faith. "
        "All have the headline's kind of errors.",
        sentence=f"From estimator to estimator the effect goes from {low} to {high} {unit}.",
        table=Table(
            "side-by-side",
            f"{outcome.label}: the same effect by every estimator",
            (
                Column("estimator", "Estimator"),
                Column("number", "No.", "number", digits=0),
                *(Column(name, label, "number", unit, digits, persons="persons") for name, label in labels),
            ),
            frame,
        ),
        drawing=Drawing(
            x="number",
            y="value",
            lower="lower",
            upper="upper",
            caption=f"{outcome.label}: effect by each estimator, with {language.number(100 * shown.level)}% confidence "
            "intervals.",
            has_zero_line=True,
            x_labels="estimator",
        ),
    )


def _coefficients(sample: PanelSample, shown: Shown) -> Finding:
    """Return the headline's regression as a whole: the treatment, and what it held constant."""
    regression = regression_of(sample, shown.estimator, period_effects=shown.period_effects)
    fitted = fit_regression(regression, shown.errors, shown.nested, shown.rule)
    outcome, n = shown.outcome, len(shown.labels)
    factor, unit = (100.0, "per 100") if outcome.kind == "share" else (1.0, outcome.unit)
    values, errors = factor * fitted.coefficients[:n], factor * np.sqrt(np.diag(fitted.covariance)[:n])
    reach = float(stats.t.ppf(0.5 + shown.level / 2, fitted.freedom.count)) * errors
    behind = []
    for column in sample.varying.T:
        amount = pd.Series(column).groupby(sample.persons).mean().to_numpy()
        changing = int(_changes(sample.persons, column).sum())
        behind.append(changing if shown.estimator in WITHIN else persons_behind_mean(amount))
    frame = pd.DataFrame(
        {
            "what": list(shown.labels),
            "value": values,
            "std_error": errors,
            "lower": values - reach,
            "upper": values + reach,
            "persons": behind,
        }
    )
    digits = 3 if np.abs(values).max() < 1 else language.digits_for("amount", float(np.abs(values).max()))
    held = language.join([f"«{label}»" for label in shown.labels[1:]])
    labels = (("value", "Coefficient"), ("std_error", "Standard error"), ("lower", "from"), ("upper", "to"))
    return Finding(
        name="coefficients",
        question="What are the other coefficients of the regression?",
        explanation="Each says how the outcome moves with one unit more, all else in the regression being equal. The "
        "design is made for the treatment; read the others as what was held constant, not as effects of their own. "
        "They have the headline's estimator and errors.",
        sentence=f"Beside «{shown.labels[0]}» the regression holds {held} constant.",
        table=Table(
            "coefficients",
            f"{outcome.label}: the coefficients of the headline's regression",
            (
                Column("what", "What"),
                *(
                    Column(name, label, "number", "" if rank else unit, digits, persons="persons")
                    for rank, (name, label) in enumerate(labels)
                ),
            ),
            frame,
        ),
    )


def _hausman(test: WaldTest, n_persons: int) -> Finding:
    if test.p_value < _SIGNIFICANT:
        sentence = (
            "They do: random effects and pooled least squares then count lasting differences as effects of the "
            "treatment, so believe the estimators that compare each person with that same person."
        )
    else:
        sentence = "There is no sign that they do, which is no proof that they do not."
    hypothesis = f"{language.plural(test.numerator, 'mean adds', 'means add')} nothing"
    row = (hypothesis, test.statistic, test.denominator, test.p_value)
    frame = pd.DataFrame([(*row, n_persons)], columns=["what", "statistic", "freedom", "p_value", "persons"])
    frame["freedom"] = frame["freedom"].replace(np.inf, np.nan)
    return Finding(
        name="hausman",
        question="Do lasting differences between persons go together with the treatment?",
        explanation="The robust Hausman test asks whether each person's own mean of the treatment, and of what is held "
        "constant, adds something to the regression, with errors clustered.",
        sentence=sentence,
        table=Table(
            "hausman",
            "Robust Hausman test",
            (
                Column("what", "Hypothesis"),
                Column("statistic", "F", "number", digits=2, persons="persons"),
                Column("freedom", "Degrees of freedom", "number", digits=0),
                Column("p_value", "p-value", "p_value", persons="persons"),
            ),
            frame,
        ),
    )
