"""A made-up world for one check: in one version all is well, in the other its assumption fails by a stated amount."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...checks import CheckSettings
from ...data import Tables
from ...designs import EvaluationDesign

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
# Takes a generator, and whether the assumption fails.
Draw = Callable[[np.random.Generator, bool], Tables]

# Every scene measures its outcome in points, with about this spread between persons.
SPREAD = 10.0
# Fewer random draws inside a check than in a book: a verdict seldom hangs on them, and the table is made in minutes.
QUICK = CheckSettings(
    permutations=499,
    missing_data_imputations=5,
    several_outcomes_draws=199,
    trend_sensitivity_magnitudes=(1.0,),
    trend_sensitivity_bends=(0.0,),
)


@dataclass(frozen=True)
class Scene:
    """A made-up world for one check.

    Attributes
    ----------
    name : str
        Its name; a part of the seed of every draw.
    check : str
        The check that is asked.
    well : str
        The world in which all is well, for the reader.
    broken : str
        What is otherwise in the world in which the assumption fails, and by how much.
    blind : str
        What the check cannot see.
    design : EvaluationDesign
        How the world is evaluated.
    draw : callable
        Takes a generator, and whether the assumption fails; returns tables of persons.
    settings : CheckSettings
        Limits of the check.
    """

    name: str
    check: str
    well: str
    broken: str
    blind: str
    design: EvaluationDesign
    draw: Draw = field(repr=False)
    settings: CheckSettings = QUICK


def by_lot(generator: np.random.Generator, n: int) -> Booleans:
    """Return an assignment of half of n persons by lot."""
    return generator.permutation(np.arange(n) < n // 2)


def by_trait(generator: np.random.Generator, trait: Array, pull: float) -> Booleans:
    """Return who takes part when a trait decides it: about half, with log odds that rise by ``pull`` per unit."""
    taken: Booleans = generator.random(len(trait)) < 1 / (1 + np.exp(-pull * trait))
    return taken
