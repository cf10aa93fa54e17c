"""What every design is: a part of the specification that can find fault with itself and estimate one outcome."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types
from pydantic import Field

from ..data import Tables
from ..errors import DesignError
from ..estimand import Estimand
from ..estimates import Estimate, Method, Provenance
from ..provenance import code_version
from ..specification import Specification
from .assembly import Question
from .exclusions import Exclusion, without_outcome
from .findings import Finding
from .words import DesignWords

Persons = NDArray[np.bool_]


class EvaluationDesign(Specification):
    """Base of the designs: the fields that all have, and the three things that each must do."""

    words: ClassVar[DesignWords]

    population: str = Field(
        min_length=1, description="On whom the effect is estimated, in words that fit into a sentence."
    )
    treatment: str = Field(
        default="is_treated", description="Boolean column of participants: was offered the programme."
    )
    comparison: str = Field(min_length=1, description="Against what, in words: «those not offered the programme».")
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Level of the confidence intervals, 0 to 1.")

    @abstractmethod
    def problems(self, tables: Tables, persons: Persons | None = None) -> Iterator[DesignError]:
        """Give every reason why these data cannot honour the specification; nothing is fitted."""

    @abstractmethod
    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome, or the object that says why there is none."""

    @abstractmethod
    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group of participants: the headline only, without what does not vary."""

    def outcomes(self, tables: Tables) -> tuple[str, ...]:
        """Return the measures whose effect is estimated, the primary one first; others serve the design.

        Parameters
        ----------
        tables : Tables
            Validated data.
        """
        return tuple(tables.measures)

    def is_in_programme(self, tables: Tables, measure: str) -> Persons:
        """Return who counts in the programme's group, as the estimate counts them; shape (participants,).

        By default the column of the treatment tells; an amount of treatment has no two groups of its own, so those
        with more than the least are in the programme.

        Parameters
        ----------
        tables : Tables
            Data that :meth:`problems` finds sound.
        measure : str
            The outcome.
        """
        given = tables.participants[self.treatment]
        offered = given if types.is_bool_dtype(given.dtype) else given > given.min()
        return np.asarray(offered, dtype=np.bool_)

    def persons_in_rows(self, tables: Tables) -> NDArray[np.int64]:
        """Return how many persons each row of ``participants`` stands for; one, unless rows are places.

        Parameters
        ----------
        tables : Tables
            Data that :meth:`problems` finds sound.
        """
        column = getattr(self, "persons_per_row", None)
        if column is None:
            return np.ones(len(tables.participants), dtype=np.int64)
        persons: NDArray[np.int64] = tables.participants[column].to_numpy(dtype=np.float64).astype(np.int64)
        return persons

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return who is left out of the estimate of one outcome, and why, in the order in which it happens.

        Parameters
        ----------
        tables : Tables
            Validated data.
        measure : str
            The outcome.
        seed : int
            Start of the random numbers, for designs in which a draw decides who is left out: that of the estimate.
        """
        return (without_outcome(tables, measure),)

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return what the design shows beside one estimate, in the order in which a reader asks; often nothing.

        Parameters
        ----------
        tables : Tables
            The data that the estimate was made from.
        estimate : Estimate
            What :meth:`estimate_outcome` returned; an unavailable one has no findings.
        seed : int
            Start of the random numbers.
        """
        return ()

    def question(self, tables: Tables, measure: str, *, quantity: str, method: Method, seed: int) -> Question:
        """Return what is asked about one outcome, ready to be answered.

        Parameters
        ----------
        tables : Tables
            Validated data.
        measure : str
            The outcome.
        quantity : str
            What kind of effect, such as «average effect of being offered the programme».
        method : Method
            How the headline is estimated.
        seed : int
            Start of the random numbers; kept in the provenance.
        """
        return Question(
            estimand=Estimand.of(
                measure,
                tables.measures[measure],
                quantity=quantity,
                population=self.population,
                comparison=self.comparison,
            ),
            level=self.confidence,
            evidence_level=self.words.evidence_level,
            method=method,
            provenance=Provenance(
                data_checksum=tables.checksum,
                schema=", ".join(tables.schemas),
                code_version=code_version(),
                seed=seed,
            ),
        )
