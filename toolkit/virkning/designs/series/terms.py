"""From the series to the terms of an estimate: fits, effects, and what the reader must know about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ...numerics.autoregression import EDGE, prais_winsten, restricted_likelihood
from ...numerics.segmented_trend import LEVEL, SLOPE, Changes, Season, Segments, is_determined, segments
from ...numerics.serial_correlation import (
    LagRule,
    SerialFit,
    breusch_godfrey,
    lag_by_rule,
    least_squares,
    newey_west,
)
from ..assembly import Term
from ..degrees_of_freedom import Freedom, Rule, degrees_of_freedom, rows_less_coefficients
from .means import SeriesPair

Array = NDArray[np.float64]
Estimator = Literal["restricted_likelihood", "newey_west", "prais_winsten", "least_squares"]
Headline = Literal["average", "at_period"]

# Fewer periods on one side of the start than this hardly show a trend (Penfold and Zhang 2013).
FEW_PERIODS = 8
# In shorter series Newey-West intervals cover too rarely; the validation counts how rarely.
SHORT_SERIES = 50
SATTERTHWAITE = (
    "those of Satterthwaite's approximation, which counts how well these periods tell the correlation of neighbours"
)
# The share of false alarms that warnings accept.
_ALARM = 0.05
# Residuals this small beside the series are rounding errors.
_NO_SPREAD = 1e-10


class FitFields(Protocol):
    """The fields of an interrupted time series that say how it is fitted."""

    @property
    def changes(self) -> Changes: ...
    @property
    def phase_in(self) -> int: ...
    @property
    def season(self) -> Season | None: ...
    @property
    def headline(self) -> Headline: ...
    @property
    def lag_rule(self) -> LagRule: ...
    @property
    def degrees_of_freedom(self) -> Rule: ...
    @property
    def terms(self) -> tuple[tuple[Estimator, int | None], ...]: ...
    @property
    def term_names(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Fitted:
    """A fitted series.

    Attributes
    ----------
    series : SeriesPair
        What was fitted.
    segments : Segments
        The columns.
    fits : tuple of SerialFit or None
        One per term that was asked for, the headline's first; None where there is none.
    """

    series: SeriesPair
    segments: Segments
    fits: tuple[SerialFit | None, ...]

    @property
    def first(self) -> SerialFit:
        """The headline's fit; there is none when :func:`cannot_fit` gives a reason."""
        found = self.fits[0]
        if found is None:
            raise ValueError("There is no fit.")
        return found


def lag_of(design: FitFields, lag: int | None, n_periods: int) -> int:
    """Return how many periods apart errors may be correlated.

    Parameters
    ----------
    design : FitFields
        Names the rule.
    lag : int, optional
        As declared; the rule decides when left out.
    n_periods : int
        Length of the series.
    """
    return min(lag_by_rule(design.lag_rule, n_periods), n_periods - 1) if lag is None else lag


def fit(design: FitFields, series: SeriesPair) -> Fitted:
    """Fit every estimator that is asked for.

    Parameters
    ----------
    design : FitFields
        How.
    series : SeriesPair
        For which :func:`cannot_fit` gives no reason.
    """
    columns = columns_of(design, series)
    fits = tuple(_fit(design, series, columns, estimator, lag) for estimator, lag in design.terms)
    return Fitted(series, columns, fits)


def columns_of(design: FitFields, series: SeriesPair) -> Segments:
    """Return the columns of the regression for a series.

    Parameters
    ----------
    design : FitFields
        What changes, over how many periods, and what repeats itself.
    series : SeriesPair
        The periods.
    """
    return segments(series.places, series.start, design.changes, design.phase_in, design.season)


def _fit(
    design: FitFields, series: SeriesPair, columns: Segments, estimator: Estimator, lag: int | None
) -> SerialFit | None:
    if estimator == "newey_west":
        apart = lag_of(design, lag, len(series.periods))
        return newey_west(series.outcome, columns.regressors, series.places, apart)
    if estimator == "restricted_likelihood":
        return restricted_likelihood(series.outcome, columns.regressors, series.places)
    if estimator == "prais_winsten":
        return prais_winsten(series.outcome, columns.regressors, series.places)
    return least_squares(series.outcome, columns.regressors)


def cannot_fit(design: FitFields, series: SeriesPair) -> str:
    """Return why nothing can be judged, or nothing; the reason is published, so it counts nobody.

    Parameters
    ----------
    design : FitFields
        How the series would be fitted.
    series : SeriesPair
        The series.
    """
    outcome = series.outcome
    size = float(np.abs(series.treated.means).max())
    if np.ptp(series.treated.means) <= _NO_SPREAD * size:
        return "The series never varies, so there is neither a trend nor a spread to judge it by."
    columns = columns_of(design, series).regressors
    if not is_determined(columns) or columns.shape[0] <= columns.shape[1]:
        return "There are too few periods to tell trend, changes and season apart."
    residuals = least_squares(outcome, columns).residuals
    if float(np.abs(residuals).max()) <= _NO_SPREAD * size:
        return "Every mean lies exactly on the fitted lines, so there is no spread to judge the effect by."
    if design.terms[0][0] == "prais_winsten" and prais_winsten(outcome, columns, series.places) is None:
        return "The series wanders, so a correlation between neighbouring periods that stands still cannot be found."
    return ""


def headline_weights(design: FitFields, fitted: Fitted, period: str, kind: Headline) -> Array:
    """Return what the coefficients are multiplied by to give an effect, shape (k,).

    Parameters
    ----------
    design : FitFields
        How.
    fitted : Fitted
        The columns.
    period : str
        Of the outcome.
    kind : str
        ``average`` over the periods after the start, or ``at_period``.
    """
    if kind == "average":
        return fitted.segments.average
    result: Array = fitted.segments.effects[fitted.series.periods.index(period)]
    return result


def terms_of(design: FitFields, fitted: Fitted, period: str) -> tuple[list[Term], list[str]]:
    """Return the terms, the headline first, and a warning for each alternative that there is not.

    Parameters
    ----------
    design : FitFields
        Which terms are asked for.
    fitted : Fitted
        From :func:`fit`.
    period : str
        Of the outcome.
    """
    rows = max(len(found.influence) for found in fitted.fits if found is not None)
    terms: list[Term] = []
    warnings = []
    weights = headline_weights(design, fitted, period, design.headline)
    for name, found in zip(design.term_names, fitted.fits, strict=True):
        if found is None:
            warnings.append(f"«{name}» is left out: the series wanders, so its correlation cannot be found.")
        else:
            terms.append(_term(design, fitted, found, f"{design.headline}, {name}", weights, rows))
    other: Headline = "average" if design.headline == "at_period" else "at_period"
    label = design.term_names[0]
    more = {f"{other}, {label}": headline_weights(design, fitted, period, other)}
    more |= {
        f"{name}, {label}": fitted.segments.picks(name) for name in (LEVEL, SLOPE) if name in fitted.segments.names
    }
    for name, each in more.items():
        # With one kind of change, an effect may be nought by the model itself, or the headline once more.
        if each.any() and not np.allclose(each, weights):
            terms.append(_term(design, fitted, fitted.first, name, each, rows))
    return terms, warnings


def _term(design: FitFields, fitted: Fitted, found: SerialFit, name: str, weights: Array, rows: int) -> Term:
    freedom = freedom_of(design, fitted, found, weights)
    influence = np.zeros(rows)
    influence[: len(found.influence)] = found.influence @ weights
    return Term(
        name,
        float(weights @ found.coefficients),
        float(np.sqrt(weights @ found.covariance @ weights)),
        freedom.count,
        freedom.words,
        influence,
    )


def freedom_of(design: FitFields, fitted: Fitted, found: SerialFit, weights: Array) -> Freedom:
    """Return the degrees of freedom of the interval of one effect.

    Parameters
    ----------
    design : FitFields
        Names the rule.
    fitted : Fitted
        Periods and coefficients.
    found : SerialFit
        The fit that the effect is taken from.
    weights : ndarray, shape (k,)
        What its coefficients are multiplied by.
    """
    n, k = fitted.segments.regressors.shape
    approximate = found.degrees_of_freedom(weights)
    if design.degrees_of_freedom == "standard" and approximate is not None:
        return Freedom(min(max(approximate, 1.0), float(n - k)), SATTERTHWAITE)
    return degrees_of_freedom(design.degrees_of_freedom, rows_less_coefficients(n, k, of="periods"))


def cautions(design: FitFields, fitted: Fitted) -> list[str]:
    """Return what the reader must know about these series, whatever came out.

    Parameters
    ----------
    design : FitFields
        How they were fitted.
    fitted : Fitted
        From :func:`fit`.
    """
    series, n = fitted.series, len(fitted.series.periods)
    warnings = []
    if series.comparison is None:
        warnings.append(
            "There is no comparison series: whatever else changed at the time of the start counts as effect."
        )
    else:
        warnings += _unlike(design, fitted)
    if min(series.n_before, n - series.n_before) < FEW_PERIODS:
        warnings.append(
            f"There are fewer than {FEW_PERIODS} periods before the start, or after it. A trend from so few is easily "
            "led astray by one of them."
        )
    if n < SHORT_SERIES and any(estimator == "newey_west" for estimator, _ in design.terms):
        warnings.append(
            f"The series has fewer than {SHORT_SERIES} periods. Where neighbouring periods are alike, Newey–West "
            "intervals are too narrow in short series: they miss the truth more often than they say."
        )
    if any(abs(found.correlation) > 0.99 * EDGE for found in fitted.fits if found is not None):
        warnings.append(
            "The series wanders nearly like a random walk, which has no path that it could leave. Read the interval, "
            "not the number."
        )
    if design.terms[0][0] == "least_squares" and _is_correlated(fitted):
        warnings.append(
            "Neighbouring periods are alike, and the errors of «least_squares» ignore it: they are too small."
        )
    season = design.season
    if season is not None and series.n_before < 2 * season.period:
        warnings.append(
            "The periods before the start hold fewer than two full seasons, so the season cannot be told well from the "
            "changes."
        )
    return warnings


def _is_correlated(fitted: Fitted) -> bool:
    residuals = least_squares(fitted.series.outcome, fitted.segments.regressors).residuals
    return breusch_godfrey(residuals, fitted.segments.regressors, fitted.series.places, 1).p_value < _ALARM


def _unlike(design: FitFields, fitted: Fitted) -> list[str]:
    """Return a warning when the distance between the two series had a slope before the start."""
    found, weights = fitted.first, fitted.segments.picks("slope")
    error = float(np.sqrt(weights @ found.covariance @ weights))
    statistic = abs(float(weights @ found.coefficients)) / error
    if 2 * float(stats.t.sf(statistic, freedom_of(design, fitted, found, weights).count)) >= _ALARM:
        return []
    return [
        "The two series were drifting apart, or towards each other, before the start. The estimate continues that "
        "drift in a straight line, and a comparison that moved alike would be more convincing."
    ]
