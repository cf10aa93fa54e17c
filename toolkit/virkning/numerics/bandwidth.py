"""How wide to look on either side of a cutoff: bandwidths that balance bias against variance, from the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .local_polynomial import Errors, Kernel, LocalFit, Side, fit_local, scores, summed_square

Array = NDArray[np.float64]
Selector = Literal["mserd", "msetwo", "msesum", "cerrd", "certwo", "cersum"]

# Scale of the pilot bandwidth for a normal density, by kernel (Calonico, Cattaneo and Titiunik 2014).
_PILOT_SCALE: dict[Kernel, float] = {"triangular": 2.576, "epanechnikov": 2.34, "uniform": 1.843}
# Weight of the uncertainty about the bias, which keeps the bandwidth from growing where no curvature is seen.
_REGULARISATION = 3.0
# Different values of the running variable that every pilot bandwidth must hold when values repeat.
LEAST_DIFFERENT = 10
MANY_REPEATED = 0.2
# A bandwidth that reaches a person gives that person a weight above zero.
_JUST_BEYOND = 1 + np.sqrt(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Bandwidths:
    """How far the persons reach who count, on the side without and on the side with the treatment.

    Attributes
    ----------
    main : tuple of float
        For the estimate, in the running variable's unit.
    bias : tuple of float
        For the curvature that corrects it.
    """

    main: tuple[float, float]
    bias: tuple[float, float]


@dataclass(frozen=True)
class _Parts:
    """What one side contributes to the best bandwidth: variance, bias and the uncertainty about the bias."""

    variance: float
    bias: float
    doubt: float


def repeated_share(side: Side) -> float:
    """Return the share of persons who are not the only one, or the first, at their place: 0 without repeated values."""
    return 1 - len(side.distinct_distances) / len(side)


def select_bandwidths(
    sides: tuple[Side, Side],
    *,
    order: int = 1,
    bias_order: int = 2,
    kernel: Kernel = "triangular",
    errors: Errors = "nearest_neighbour",
    selector: Selector = "mserd",
) -> Bandwidths:
    """Return the bandwidths that the data themselves suggest.

    Three plug-in steps, each with the pilot's variance and the previous step's curvature: for the curvature of the
    bias, for the bias, and for the estimate (Calonico, Cattaneo and Titiunik 2014; Calonico, Cattaneo, Farrell and
    Titiunik 2019; Calonico, Cattaneo and Farrell 2020).

    Parameters
    ----------
    sides : tuple of Side
        Without and with the treatment. The values hold the outcome and then the covariates. Where the design is
        fuzzy, the treatment taken plays no part: the width is that for the effect of the offer.
    order, bias_order : int
        Powers of the estimate and of its bias.
    kernel : str
        How weight falls with distance.
    errors : str
        How the spread is measured.
    selector : str
        ``mserd``: one bandwidth with the least mean squared error of the difference; ``msetwo``: one for each side;
        ``msesum``: one for the sum of both limits; ``cer...``: the same, shrunk for the best coverage of the interval.

    Raises
    ------
    numpy.linalg.LinAlgError
        Too few different values on a side.
    """
    pilot = _pilot(sides, kernel)
    least, most = _limits(sides)
    how = selector.replace("cer", "mse")
    reach_most = [side.farthest if how == "msetwo" else most for side in sides]

    def step(power: int, target: int, bias_power: int, reach: tuple[float, float], regularise: bool) -> list[float]:
        parts = tuple(
            _parts(side, power, target, bias_power, pilot, width, kernel, errors)
            for side, width in zip(sides, reach, strict=True)
        )
        best = _best(parts, power, how, regularise)
        # With one common bandwidth the wider side sets the limit.
        return [min(width, limit) for width, limit in zip(best, reach_most, strict=True)]

    farthest = (sides[0].farthest * _JUST_BEYOND, sides[1].farthest * _JUST_BEYOND)
    q = bias_order
    curvature = [max(width, least) for width in step(q + 1, q + 1, q + 2, farthest, False)]
    bias = step(q, order + 1, q + 1, (curvature[0], curvature[1]), True)
    main = step(order, 0, q, (bias[0], bias[1]), True)
    if selector.startswith("cer"):
        n = sum(len(side) if side.clusters is None else len(np.unique(side.clusters)) for side in sides)
        main = [width * n ** (-order / ((3 + order) * (3 + 2 * order))) for width in main]
    return Bandwidths((main[0], main[1]), (bias[0], bias[1]))


def _pilot(sides: tuple[Side, Side], kernel: Kernel) -> float:
    """Return the bandwidth at which variances are measured, from the spread of the running variable."""
    position = np.concatenate([side.position for side in sides])
    quarter = np.subtract(*np.quantile(position, [0.75, 0.25], method="averaged_inverted_cdf"))
    spread = float(position.std(ddof=1))
    if quarter > 0:  # Else half of the persons share one value, and the middle half tells nothing of the spread.
        spread = min(spread, float(quarter) / 1.349)
    n_different = sum(len(side.distinct_distances) for side in sides)
    least, most = _limits(sides)
    return float(min(max(_PILOT_SCALE[kernel] * spread * n_different**-0.2, least), most))


def _limits(sides: tuple[Side, Side]) -> tuple[float, float]:
    """Return the least and the greatest pilot bandwidth: enough values where they repeat, and not beyond the data."""
    least = 0.0
    if max(repeated_share(side) for side in sides) >= MANY_REPEATED:
        tenth = [side.distinct_distances[:LEAST_DIFFERENT][-1] for side in sides]
        least = float(max(tenth)) * _JUST_BEYOND
    return least, max(side.farthest for side in sides)


def _parts(
    side: Side,
    power: int,
    target: int,
    bias_power: int,
    variance_reach: float,
    bias_reach: float,
    kernel: Kernel,
    errors: Errors,
) -> _Parts:
    """Return what one side contributes when the coefficient ``target`` is estimated with a polynomial of ``power``."""
    fit = fit_local(side, variance_reach, power, kernel)
    mix = _adjusted(side, fit)
    variance = _variance(side, fit, target, mix, errors)
    wide = fit_local(side, bias_reach, bias_power, kernel)
    steps = power + 1 - target
    scale = bias_reach ** (power + 1)
    curvature = float(wide.coefficients[power + 1] @ mix) / scale
    doubt = _variance(side, wide, power + 1, mix, errors) / scale**2
    drift = float(fit.drift[target])
    return _Parts(
        variance=(2 * target + 1) * variance_reach * variance,
        bias=np.sqrt(2 * steps) * drift * curvature,
        doubt=2 * steps * _REGULARISATION * drift**2 * doubt,
    )


def _variance(side: Side, fit: LocalFit, target: int, mix: Array, errors: Errors) -> float:
    found = scores(side, fit, fit.shares(target), mix, errors, fit.n)
    return summed_square(found, None if side.clusters is None else side.clusters[: fit.n])


def _adjusted(side: Side, fit: LocalFit) -> Array:
    """Return the mix of the side's values that is the outcome adjusted for the covariates of this side."""
    mix: Array = np.eye(side.values.shape[1])[0]
    if len(mix) > 1:
        residual = side.values[: fit.n] - fit.basis @ fit.coefficients
        cross = residual.T @ (residual * fit.weighted[:, :1])
        mix[1:] = -np.linalg.solve(cross[1:, 1:], cross[1:, 0])
    return mix


def _best(parts: tuple[_Parts, ...], power: int, how: str, regularise: bool) -> list[float]:
    """Return the bandwidth for each side that balances variance against bias."""
    left, right = parts
    rate = 1 / (2 * power + 3)
    scale = 1.0 if regularise else 0.0

    def width(variance: float, bias: float, doubt: float) -> float:
        lost = bias**2 + scale * doubt
        # Without any sign of bias, the wider the better; the caller limits the width.
        return float((variance / lost) ** rate) if lost > 0 else np.inf

    if how == "msetwo":
        return [width(part.variance, part.bias, part.doubt) for part in parts]
    sign = 1.0 if how == "msesum" else -1.0
    common = width(left.variance + right.variance, right.bias + sign * left.bias, left.doubt + right.doubt)
    return [common, common]
