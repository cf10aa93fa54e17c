"""What a regression discontinuity shows beside its estimate: curves, take-up, how far it looks, other choices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ... import language
from ...disclosure import Column, Table
from ...estimand import Outcome
from ...estimates import Estimate
from ...numerics.concentration import persons_behind_mean
from ...numerics.discontinuity import Jump
from ...numerics.local_polynomial import Kernel
from ..findings import Drawing, Finding
from ..paths import PERSONS, value_columns
from .fit import Cut, again

OTHER, MEANT = "Not offered", "Offered"
CHOSEN = "As chosen"
MEANS = "Means"
CURVES = (f"Curve: {OTHER.lower()}", f"Curve: {MEANT.lower()}")
FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0)
_MOST_BINS, _LEAST_IN_BIN = 10, 10
# Points of a curve on each side; a straight line needs two.
_N_POINTS = 13
_KERNELS: tuple[Kernel, ...] = ("triangular", "epanechnikov", "uniform")
_HIGHEST_ORDER = 3
_NUMBERS = {"value": "Effect", "std_error": "Standard error", "lower": "From", "upper": "To"}

_COUNTS = (
    Column("n_treated", f"Persons, {MEANT.lower()}", "number", digits=0, persons=PERSONS),
    Column("n_comparison", f"Persons, {OTHER.lower()}", "number", digits=0, persons=PERSONS),
)


@dataclass(frozen=True)
class Shown:
    """What is shown, and how it is called.

    Attributes
    ----------
    cut : Cut
        The jump and what it was measured from.
    estimate : Estimate
        Made from it.
    outcome : Outcome
        As declared.
    running, unit : str
        Title of the running variable, and its unit.
    """

    cut: Cut
    estimate: Estimate
    outcome: Outcome
    running: str
    unit: str

    @property
    def measure(self) -> str:
        """Name of the outcome's measure."""
        return self.estimate.estimand.measure

    @property
    def n_behind(self) -> int:
        """Persons within the main bandwidth on the side that has fewer."""
        return min(self.cut.found.n_main)

    def place(self, name: str, label: str) -> Column:
        """Return a column of values of the running variable, with digits that fit the bandwidth."""
        digits = max(0, 2 - math.floor(math.log10(min(self.cut.bandwidths.main))))
        return Column(name, label, "number", self.unit, min(digits, 6), PERSONS)

    def effects(self, size: float) -> list[Column]:
        """Return the columns of an effect with its error and interval."""
        return value_columns(self.outcome, size, _NUMBERS, are_differences=True)

    def row(self, jump: Jump) -> tuple[float, float, float, float]:
        """Return value, standard error and interval."""
        reach = float(stats.norm.ppf(0.5 + self.estimate.level / 2)) * jump.std_error
        return jump.value, jump.std_error, jump.value - reach, jump.value + reach


def findings(shown: Shown) -> tuple[Finding, ...]:
    """Return everything that is shown, in the order in which a reader asks."""
    take_up = shown.cut.found.take_up
    first = () if take_up is None else (_take_up(shown, take_up),)
    return (_curves(shown), *first, _persons(shown), _widths(shown), _other_ways(shown))


def _curves(shown: Shown) -> Finding:
    """Return means of neighbours and the fitted curves on both sides."""
    parts = [pd.DataFrame(_bins(shown), columns=["line", "running", "mean", PERSONS])]
    for name, part in zip(CURVES, (0, 1), strict=True):
        parts.append(pd.DataFrame(_curve(shown, part, name), columns=["line", "running", "mean", PERSONS]))
    frame = pd.concat(parts, ignore_index=True)
    limits = shown.cut.found.limits
    caption = f"{shown.outcome.label}, by {shown.running}: means of neighbours and the curves fitted on both sides"
    offer = shown.cut.settings.is_fuzzy
    return Finding(
        name="curves",
        question="Does the outcome jump at the cutoff?",
        explanation="Each point is the mean of about equally many persons who stand near each other, within the "
        "bandwidth. The curves are fitted to the persons, those nearest to the cutoff counting most. "
        + ("The jump is the effect of the offer; " if offer else "The jump between the two ends is the effect before ")
        + ("the effect of taking part is larger." if offer else "its correction for bias, and before covariates."),
        sentence=f"At the cutoff the curves end at {shown.estimate.in_words(limits[0])} without and "
        f"{shown.estimate.in_words(limits[1])} with the programme.",
        table=Table(
            f"curves-{shown.measure}",
            caption,
            (
                Column("line", "Line"),
                shown.place("running", shown.running),
                *value_columns(
                    shown.outcome, float(frame["mean"].abs().max()), {"mean": "Mean"}, are_differences=False
                ),
            ),
            frame,
        ),
        drawing=Drawing(
            x="running",
            y="mean",
            series="line",
            styles={MEANS: "points", CURVES[0]: "line", CURVES[1]: "line"},
            caption=f"{caption}. Dotted line: the cutoff.",
            start=shown.cut.settings.cutoff,
            start_label="cutoff",
        ),
    )


def _bins(shown: Shown) -> list[tuple[str, float, float, int]]:
    """Return the means of neighbours within the main bandwidth, in the order of the running variable."""
    rows = []
    for side, n in zip(shown.cut.sides, shown.cut.found.n_main, strict=True):
        n_bins = max(1, min(_MOST_BINS, n // _LEAST_IN_BIN))
        for members in np.array_split(np.arange(n), n_bins):
            outcome = side.values[members, 0]
            place = float(side.position[members].mean())
            rows.append((MEANS, place, float(outcome.mean()), persons_behind_mean(outcome)))
    return sorted(rows, key=lambda row: row[1])


def _curve(shown: Shown, part: int, name: str) -> list[tuple[str, float, float, int]]:
    fit, width = shown.cut.found.fits[part], shown.cut.bandwidths.main[part]
    far = float(np.sign(shown.cut.sides[part].offset[-1]))
    scaled = far * np.linspace(0, 1, 2 if fit.order == 1 else _N_POINTS)
    heights = np.polynomial.polynomial.polyval(scaled, fit.coefficients[:, 0])
    places = shown.cut.settings.cutoff + width * scaled
    return sorted(zip([name] * len(places), places.tolist(), heights.tolist(), [fit.n] * len(places), strict=True))


def _take_up(shown: Shown, jump: Jump) -> Finding:
    """Return how much the cutoff changed who had the treatment."""
    found = shown.cut.found
    levels = [float(fit.coefficients[0, 1]) for fit in found.fits]
    behind = [persons_behind_mean(side.values[:n, 1]) for side, n in zip(shown.cut.sides, found.n_main, strict=True)]
    value, error, lower, upper = shown.row(jump)
    nothing = (np.nan,) * 3
    rows = [
        (f"{OTHER}, at the cutoff", levels[0], *nothing, behind[0]),
        (f"{MEANT}, at the cutoff", levels[1], *nothing, behind[1]),
        ("Jump, corrected for bias", value, error, lower, upper, min(behind)),
    ]
    strength = language.number((value / error) ** 2, 1)
    said = " to ".join(language.number(100 * end, 1) for end in (lower, upper))
    labels = {"value": "Share with the treatment", "std_error": "Standard error", "lower": "From", "upper": "To"}
    return Finding(
        name="take-up",
        question="Did the cutoff change who had the treatment?",
        explanation="The effect is a ratio: the jump of the outcome over the jump of the share who had the treatment. "
        "Where the second is near zero, the interval of the ratio cannot be trusted.",
        sentence=f"At the cutoff the share with the treatment jumps by {said} percentage points; its F is {strength}.",
        table=Table(
            f"take-up-{shown.measure}",
            "Share with the treatment at the cutoff",
            (
                Column("where", "Where"),
                *(Column(name, label, "share", persons=PERSONS) for name, label in labels.items()),
            ),
            pd.DataFrame(rows, columns=["where", *labels, PERSONS]),
        ),
    )


def _persons(shown: Shown) -> Finding:
    """Return the bandwidths, and the persons on whom they rest."""
    cut, rows = shown.cut, []
    for part, name in enumerate((OTHER, MEANT)):
        side, n_main, n_bias = cut.sides[part], cut.found.n_main[part], cut.found.n_bias[part]
        n_used = max(n_main, n_bias)
        different = int((side.distinct_distances <= side.distance[n_main - 1]).sum())
        widths = cut.bandwidths.main[part], cut.bandwidths.bias[part]
        rows.append((name, *widths, different, n_main, n_used - n_main, len(side) - n_used, n_main))
    chosen = cut.settings.bandwidth
    how = f"The data chose the bandwidths ({chosen})" if isinstance(chosen, str) else "The bandwidths were given"
    columns = ["side", "main", "bias", "different", "n_main", "n_bias", "n_beyond", PERSONS]
    return Finding(
        name="bandwidths",
        question="How far from the cutoff does it look, and on whom does it rest?",
        explanation=f"{how}. The estimate rests on those within the first bandwidth, the correction of its bias on "
        "those within the second. Whoever stands farther away counts for nothing.",
        sentence="The answer is about people at the cutoff; those farther away only show how the outcome leads there.",
        table=Table(
            f"bandwidths-{shown.measure}",
            "Bandwidths and persons on each side of the cutoff",
            (
                Column("side", "Side"),
                shown.place("main", "Bandwidth"),
                shown.place("bias", "Bandwidth of the bias"),
                Column("different", "Different values within the bandwidth", "number", digits=0, persons=PERSONS),
                Column("n_main", "Persons within it", "count"),
                Column("n_bias", "Beyond it, for the bias", "count"),
                Column("n_beyond", "Not used", "count"),
            ),
            pd.DataFrame(rows, columns=columns),
            # The flow of participants shows how many are used and how many are not.
            sums_down=((0, 1),),
            sums_across=(("n_main", "n_bias", "n_beyond"),),
        ),
    )


def _widths(shown: Shown) -> Finding:
    """Return the estimate at narrower and wider bandwidths."""
    rows = []
    for factor in FACTORS:
        other = shown.cut if factor == 1.0 else again(shown.cut, factor)
        if other is not None:
            label = CHOSEN if factor == 1.0 else f"{language.number(factor, 2).rstrip('0').rstrip('.')} times"
            found = other.found
            rows.append((label, other.bandwidths.main[1], *shown.row(found.robust), *found.n_main[::-1]))
    frame = _with_persons(rows, ["choice", "main"])
    frame[PERSONS] = np.minimum(frame[PERSONS], _set_apart(frame))
    caption = f"{shown.outcome.label}: effect at narrower and wider bandwidths, with its interval"
    return Finding(
        name="bandwidth-sensitivity",
        question="Does the answer depend on how far it looks?",
        explanation="Both bandwidths are multiplied by the same number. Narrower ones have less bias and more noise.",
        sentence=_agreement(shown, frame, "bandwidths"),
        table=Table(
            f"bandwidth-sensitivity-{shown.measure}",
            caption,
            (
                Column("choice", "Choice"),
                shown.place("main", "Bandwidth" if len(set(shown.cut.bandwidths.main)) == 1 else "Bandwidth, offered"),
                *shown.effects(float(frame["value"].abs().max())),
                *_COUNTS,
            ),
            frame,
        ),
        drawing=Drawing(x="main", y="value", lower="lower", upper="upper", caption=caption, has_zero_line=True),
    )


def _set_apart(frame: pd.DataFrame) -> pd.Series:
    """Return by how few persons a row differs from its neighbour towards the chosen one.

    Two rows that differ by a few persons would tell of these few, and the chosen one is printed elsewhere, too.
    """
    counts = frame[["n_treated", "n_comparison"]]
    inner, outer = counts.diff(-1).abs(), counts.diff().abs()
    before = (frame["choice"] == CHOSEN).cumsum() == 0
    steps = inner.where(before, outer).mask(frame["choice"] == CHOSEN)
    return steps.where(steps > 0).min(axis=1).fillna(frame[PERSONS]).astype(int)


def _other_ways(shown: Shown) -> Finding:
    """Return the estimate with other kernels and powers at the same bandwidths, and without the correction."""
    settings, found = shown.cut.settings, shown.cut.found
    rows = [
        (CHOSEN, *shown.row(found.robust), *found.n_main[::-1]),
        ("Not corrected for bias", *shown.row(found.conventional), *found.n_main[::-1]),
    ]
    others = [
        (f"Kernel: {kernel}", again(shown.cut, kernel=kernel)) for kernel in _KERNELS if kernel != settings.kernel
    ]
    if settings.order < _HIGHEST_ORDER:
        others.append((f"Polynomials of power {settings.order + 1}", again(shown.cut, order=settings.order + 1)))
    for label, other in others:
        if other is not None:
            rows.append((label, *shown.row(other.found.robust), *other.found.n_main[::-1]))
    frame = _with_persons(rows, ["choice"])
    return Finding(
        name="other-ways",
        question="Does the answer depend on how the curves are fitted?",
        explanation="The bandwidths stay as they are. The uncorrected estimate has the least mean squared error, but "
        "its interval takes its bias for nothing, so the interval to read is that of the first row.",
        sentence=_agreement(shown, frame, "ways to fit the curves"),
        table=Table(
            f"other-ways-{shown.measure}",
            f"{shown.outcome.label}: effect with other choices",
            (
                Column("choice", "Choice"),
                *shown.effects(float(frame["value"].abs().max())),
                *_COUNTS,
            ),
            frame,
        ),
    )


def _with_persons(rows: Sequence[tuple[object, ...]], first: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[*first, *_NUMBERS, "n_treated", "n_comparison"])
    return frame.assign(**{PERSONS: frame[["n_treated", "n_comparison"]].min(axis=1)})


def _agreement(shown: Shown, frame: pd.DataFrame, what: str) -> str:
    """Return in a sentence how far the choices lie apart, and whether they agree on the sign."""
    lowest, highest = float(frame["value"].min()), float(frame["value"].max())
    excludes = ((frame["lower"] > 0) | (frame["upper"] < 0)).to_numpy(dtype=bool)
    best = shown.estimate.headline()
    if excludes.all():
        verdict = "every interval leaves out zero"
    elif not excludes.any():
        verdict = "no interval leaves out zero"
    else:
        verdict = "some intervals leave out zero and others do not"
    return f"Over these {what} the estimate goes from {shown.estimate.in_words(lowest, highest)}; {verdict}." + (
        "" if np.sign(lowest) == np.sign(highest) or best.lower < 0 < best.upper else " Its sign changes."
    )
