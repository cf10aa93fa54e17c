"""From persons to the jump at the cutoff: who stands on which side, how far to look, and whether there is an answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...numerics.bandwidth import LEAST_DIFFERENT, Bandwidths, Selector, select_bandwidths
from ...numerics.discontinuity import Discontinuity, estimate_jump, sides_of
from ...numerics.least_squares import dependent_column
from ...numerics.local_polynomial import Errors, Kernel, Side, has_different_distances

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]
TreatedSide = Literal["at_or_above", "above", "at_or_below", "below"]
Sides = tuple[Side, Side]

# Within the bandwidth, on each side; with fewer a spread cannot be judged.
LEAST_PERSONS = 10
# What is left of a spread, relative to the outcome's size, below which there is none.
_NO_SPREAD = 1e-10


@dataclass(frozen=True)
class Settings:
    """How a jump is measured.

    Attributes
    ----------
    cutoff : float
        Where the rule changes, in the running variable's unit.
    order : int
        Power of the polynomials.
    kernel : str
        How weight falls with distance.
    bandwidth : float or str
        How far to look, or how that is chosen.
    bias_bandwidth : float, optional
        How far to look for the bias; as far as ``bandwidth`` when that is a number and this is left out.
    errors : str
        How the spread is measured.
    is_fuzzy : bool
        The cutoff changes the chance of the treatment, not the treatment itself.
    """

    cutoff: float
    order: int
    kernel: Kernel
    bandwidth: float | Selector
    bias_bandwidth: float | None
    errors: Errors
    is_fuzzy: bool

    def fixed_bandwidths(self) -> Bandwidths | None:
        """Return the bandwidths that the specification fixes, or None when the data choose them."""
        if isinstance(self.bandwidth, str):
            return None
        bias = self.bandwidth if self.bias_bandwidth is None else self.bias_bandwidth
        return Bandwidths((self.bandwidth, self.bandwidth), (bias, bias))


@dataclass(frozen=True)
class Sample:
    """The persons with an outcome, as arrays.

    Attributes
    ----------
    running : ndarray, shape (n,)
        The running variable.
    outcome : ndarray, shape (n,)
        In its own unit.
    is_meant : ndarray of bool, shape (n,)
        Who stands on the side that the programme was for.
    taken : ndarray of bool, shape (n,)
        Who had the treatment; the same as ``is_meant`` in a sharp design.
    covariates : ndarray, shape (n, k)
        Traits that are held constant.
    clusters : ndarray of int, shape (n,), optional
        Which persons belong together.
    """

    running: Array
    outcome: Array
    is_meant: Booleans
    taken: Booleans
    covariates: Array
    clusters: Codes | None

    def sides(self, cutoff: float, *, with_taken: bool) -> Sides:
        """Return the persons without and with the treatment, nearest first; the treatment taken when asked for."""
        taken = [self.taken.astype(np.float64)] if with_taken else []
        values = np.column_stack([self.outcome, *taken, self.covariates])
        return sides_of(self.running, cutoff, self.is_meant, values, self.clusters)


@dataclass(frozen=True)
class Cut:
    """The jump, with all that it was measured from.

    Attributes
    ----------
    settings : Settings
        How it was measured.
    sample : Sample
        The persons with an outcome.
    sides : tuple of Side
        Without and with the treatment.
    bandwidths : Bandwidths
        How far was looked.
    found : Discontinuity
        The estimates.
    """

    settings: Settings
    sample: Sample = field(repr=False)
    sides: Sides = field(repr=False)
    bandwidths: Bandwidths
    found: Discontinuity = field(repr=False)

    def is_used(self) -> Booleans:
        """Tell who of the sample lies within a bandwidth, shape (n,)."""
        result = np.zeros(len(self.sample.outcome), dtype=bool)
        for side, n_main, n_bias in zip(self.sides, self.found.n_main, self.found.n_bias, strict=True):
            result[side.order[: max(n_main, n_bias)]] = True
        return result

    def comparison_level(self) -> float:
        """Return the mean outcome at the cutoff of those whom the effect is about, without the treatment.

        In a sharp design it is where the comparison's curve meets the cutoff. In a fuzzy one it is that of the persons
        whom the cutoff moved: the jump of what the outcome is for those without the treatment, over the jump of being
        without it.
        """
        if not self.settings.is_fuzzy:
            return self.found.limits[0]
        without = (~self.sample.taken).astype(np.float64)
        untreated = replace(self.sample, outcome=self.sample.outcome * without, taken=without > 0)
        plain = replace(untreated, covariates=np.empty((len(without), 0)))
        sides = plain.sides(self.settings.cutoff, with_taken=True)
        settings = self.settings
        return estimate_jump(
            sides, self.bandwidths, order=settings.order, kernel=settings.kernel, is_fuzzy=True
        ).conventional.value


def is_on_treated_side(running: Array, cutoff: float, side: TreatedSide) -> Booleans:
    """Tell who stands where the programme was for; shape as the running variable."""
    if side == "at_or_above":
        return np.asarray(running >= cutoff)
    if side == "above":
        return np.asarray(running > cutoff)
    return np.asarray(running <= cutoff if side == "at_or_below" else running < cutoff)


def cut(settings: Settings, sample: Sample) -> Cut | str:
    """Return the jump at the cutoff, or the reason why there is none, in a sentence without counts of persons.

    Parameters
    ----------
    settings : Settings
        How it is measured.
    sample : Sample
        Persons with an outcome.
    """
    reason = _hopeless(settings, sample)
    if reason:
        return reason
    plain = sample.sides(settings.cutoff, with_taken=False)
    if min(len(side.distinct_distances) for side in plain) < LEAST_DIFFERENT:
        return (
            f"On one side of the cutoff those with this outcome have fewer than {LEAST_DIFFERENT} different values of "
            "the running variable, too few to follow a curve to the cutoff."
        )
    try:
        chosen = settings.fixed_bandwidths() or select_bandwidths(
            plain,
            order=settings.order,
            bias_order=settings.order + 1,
            kernel=settings.kernel,
            errors=settings.errors,
            selector=settings.bandwidth if isinstance(settings.bandwidth, str) else "mserd",
        )
        sides = sample.sides(settings.cutoff, with_taken=True) if settings.is_fuzzy else plain
        return measure(settings, sample, sides, chosen)
    except np.linalg.LinAlgError:
        return "Near the cutoff, those with this outcome do not determine the two curves."


def _hopeless(settings: Settings, sample: Sample) -> str:
    """Return why nothing can be compared, or an empty text."""
    if not len(sample.outcome):
        return "Nobody has this outcome."
    if np.ptp(sample.outcome) == 0:
        return "This outcome is the same for everybody, so there is no spread to judge an effect by."
    if sample.is_meant.all() or not sample.is_meant.any():
        return "Everybody with this outcome stands on the same side of the cutoff."
    if settings.is_fuzzy and (sample.taken.all() or not sample.taken.any()):
        return "Among those with this outcome, all or none had the treatment."
    return ""


def measure(settings: Settings, sample: Sample, sides: Sides, chosen: Bandwidths) -> Cut | str:
    """Return the jump within given bandwidths, or the reason why there is none.

    Parameters
    ----------
    settings : Settings
        How it is measured.
    sample : Sample
        Persons with an outcome.
    sides : tuple of Side
        The same, without and with the treatment.
    chosen : Bandwidths
        How far to look.

    Raises
    ------
    numpy.linalg.LinAlgError
        The curves are not determined.
    """
    reason = lacking(settings, sides, chosen)
    if not reason and sample.covariates.shape[1]:
        near = np.concatenate([side.order[: side.n_within(h, settings.kernel)] for side, h in _pairs(sides, chosen)])
        if dependent_column(np.column_stack([np.ones(len(near)), sample.covariates[near]])) is not None:
            reason = "Within the bandwidth, a covariate does not vary or follows from the others."
    if reason:
        return reason
    found = estimate_jump(
        sides,
        chosen,
        order=settings.order,
        kernel=settings.kernel,
        errors=settings.errors,
        is_fuzzy=settings.is_fuzzy,
    )
    errors = [found.conventional.std_error, found.robust.std_error, found.offer.std_error]
    if min(errors) <= _NO_SPREAD * float(np.abs(sample.outcome).max()):
        return "Near the cutoff this outcome does not vary, so there is no spread to judge an effect by."
    if found.take_up is not None and abs(found.take_up.value) <= _NO_SPREAD:
        return "At the cutoff the treatment does not change, so there is no effect of it to be told."
    return Cut(settings, sample, sides, chosen, found)


def lacking(settings: Settings, sides: Sides, chosen: Bandwidths) -> str:
    """Return what the persons within the bandwidths lack, as a sentence, or an empty text.

    Parameters
    ----------
    settings : Settings
        How the jump is measured.
    sides : tuple of Side
        Without and with the treatment.
    chosen : Bandwidths
        How far to look.
    """
    for side, main, bias in zip(sides, chosen.main, chosen.bias, strict=True):
        n_main, n_bias = (side.n_within(width, settings.kernel) for width in (main, bias))
        if n_main < LEAST_PERSONS:
            return f"Within the bandwidth there are fewer than {LEAST_PERSONS} persons on one side of the cutoff."
        if not (
            has_different_distances(side, n_main, settings.order + 2)
            and has_different_distances(side, n_bias, settings.order + 3)
        ):
            return "Within the bandwidth, one side of the cutoff has too few different values of the running variable."
        if side.clusters is not None and len(np.unique(side.clusters[: max(n_main, n_bias)])) < settings.order + 3:
            return "Within the bandwidth there are too few clusters on one side of the cutoff."
    return ""


def again(found: Cut, factor: float = 1.0, *, order: int | None = None, kernel: Kernel | None = None) -> Cut | None:
    """Return the jump measured in another way, or None where that cannot be done.

    Parameters
    ----------
    found : Cut
        What was found.
    factor : float
        By which both bandwidths are multiplied.
    order : int, optional
        Another power of the polynomials.
    kernel : str, optional
        Another way in which weight falls with distance.
    """
    settings = replace(
        found.settings, order=found.settings.order if order is None else order, kernel=kernel or found.settings.kernel
    )
    main, bias = found.bandwidths.main, found.bandwidths.bias
    widths = Bandwidths((main[0] * factor, main[1] * factor), (bias[0] * factor, bias[1] * factor))
    try:
        result = measure(settings, found.sample, found.sides, widths)
    except np.linalg.LinAlgError:
        return None
    return None if isinstance(result, str) else result


def _pairs(sides: Sides, chosen: Bandwidths) -> list[tuple[Side, float]]:
    return list(zip(sides, chosen.main, strict=True))
