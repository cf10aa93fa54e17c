"""How often a check speaks up: where its assumption fails, and where all is well."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ...checks import CHECKS
from ...designs import estimate
from ...errors import DesignError, EstimationError
from .scene import Scene

# So many first verdicts are remembered, one letter each.
EARLY = 5
LETTERS = {False: "c", True: "n", None: "-"}


@dataclass(frozen=True)
class Alarms:
    """What a check said over many draws of one version of a scene.

    Attributes
    ----------
    scene, check : str
        Names of the scene and of the check.
    is_broken : bool
        Whether the assumption fails in these draws.
    n_runs : int
        Draws.
    n_concern, n_no_concern, n_undecided : int
        How often it raised concern (or the design itself refused the data), raised none, and did not decide.
    early : str
        The first verdicts, one letter each (c, n, -): a fingerprint by which a short run recognises a long one.
    """

    scene: str
    check: str
    is_broken: bool
    n_runs: int
    n_concern: int
    n_no_concern: int
    n_undecided: int
    early: str

    @property
    def share_of_concern(self) -> float:
        """The rate of detection where the assumption fails, of false alarms where all is well; 0 to 1."""
        return self.n_concern / self.n_runs


def measure_alarms(scene: Scene, *, n_runs: int, seed: int = 0) -> tuple[Alarms, Alarms]:
    """Draw both versions of a scene many times, and count what the check says.

    Parameters
    ----------
    scene : Scene
        The world, the design and the check.
    n_runs : int
        Draws of each version.
    seed : int
        Start of the random numbers. Draw k is the same whatever the number of draws.

    Returns
    -------
    tuple of Alarms
        With all well, and with the assumption failing.

    Raises
    ------
    EstimationError
        A draw gives no estimate to be checked.
    """
    first, second = (
        _summary(scene, is_broken, "".join(_verdict(scene, is_broken, run, seed) for run in range(n_runs)))
        for is_broken in (False, True)
    )
    return first, second


def _verdict(scene: Scene, is_broken: bool, run: int, seed: int) -> str:
    generator = np.random.default_rng([seed, zlib.crc32(scene.name.encode()), int(is_broken), run])
    tables = scene.draw(generator, is_broken)
    try:
        effects = estimate(scene.design, tables, seed=int(generator.integers(2**31)))
    except DesignError:
        return LETTERS[False]  # Data that the design refuses are caught before any check is asked.
    if not effects.primary.is_available:
        raise EstimationError(
            "estimation.never",
            f"A draw of the scene «{scene.name}» gives no estimate to be checked.",
            where="simulation",
            do="Draw more persons, so that it can be estimated.",
        )
    found = CHECKS[scene.check](scene.design, tables, effects, scene.settings, generator)
    return LETTERS[found.passed]


def _summary(scene: Scene, is_broken: bool, letters: str) -> Alarms:
    return Alarms(
        scene=scene.name,
        check=scene.check,
        is_broken=is_broken,
        n_runs=len(letters),
        n_concern=letters.count(LETTERS[False]),
        n_no_concern=letters.count(LETTERS[True]),
        n_undecided=letters.count(LETTERS[None]),
        early=letters[:EARLY],
    )
