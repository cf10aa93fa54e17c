"""Regression discontinuity: a number and a cutoff decided who got the programme; those near it are almost alike.

The headline is the estimate corrected for bias, with the errors that count the correction's own uncertainty. Much
software prints another pair: the uncorrected estimate beside the robust interval, whose centre is the corrected one.
Here a value, its interval, its p-value and every draw that payments are computed from must be of one distribution, so
the headline is the centre of the robust interval; the uncorrected estimate, which has the least mean squared error,
always stands in the second row of ``effects``. Both rows together hold all that such software prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from ..data import Tables
from ..errors import DesignError
from ..estimates import Estimate, EvidenceLevel, Method
from ..numerics.bandwidth import LEAST_DIFFERENT, MANY_REPEATED, Selector, repeated_share
from ..numerics.discontinuity import Jump
from ..numerics.local_polynomial import Errors, Kernel
from ..provenance import Digests
from .assembly import Analysed, Term
from .degrees_of_freedom import LARGE_SAMPLE
from .discontinuity import findings as beside
from .discontinuity import refusals
from .discontinuity.fit import Cut, Sample, Settings, TreatedSide, cut, is_on_treated_side
from .evaluation import EvaluationDesign, Persons
from .exclusions import Exclusion, without_outcome
from .findings import Finding
from .words import Assumption, DesignWords

# Below about this many clusters their covariance is known to be too small (Cameron, Gelbach and Miller 2008).
_MANY_CLUSTERS = 40
# Above this F one instrument's bias stays below a tenth of the worst case (Montiel Olea and Pflueger 2013).
_STRONG = 23.1

Width = Annotated[float, Field(gt=0, allow_inf_nan=False)]

WORDS = DesignWords(
    title="Regression discontinuity",
    question="What does the programme do to those who stand just at the cutoff that decides who gets it?",
    estimand=(
        "The average, over persons who stand exactly at the cutoff, of the difference between the outcome with and "
        "without the programme; where the rule is not always kept, over those at the cutoff whom it moved"
    ),
    notation=(
        r"\tau_{\text{RD}} = \mathbb{E}\bigl[ Y_i(1) - Y_i(0) \mid X_i = c \bigr] = "
        r"\lim_{x \downarrow c} \mathbb{E}[Y_i \mid X_i = x] - \lim_{x \uparrow c} \mathbb{E}[Y_i \mid X_i = x]"
    ),
    assumptions=(
        Assumption(
            name="Continuity",
            words="Without the programme, and with it, the mean outcome changes smoothly across the cutoff.",
            notation=r"\mathbb{E}[Y_i(d) \mid X_i = x] \text{ continuous at } x = c, \quad d = 0, 1",
        ),
        Assumption(
            name="No exact manipulation",
            words="Nobody can place himself, or be placed, exactly on the side that he wants.",
            notation=r"f_X(x \mid Y_i(0), Y_i(1)) \text{ continuous at } x = c",
        ),
        Assumption(
            name="The cutoff changes nothing else",
            words="No other programme, right or duty begins at the same number.",
            notation=r"Y_i(d, \mathbf{1}\{X_i \ge c\}) = Y_i(d)",
        ),
        Assumption(
            name="Monotonicity",
            words="Where the rule is not always kept, crossing the cutoff moves nobody away from the programme.",
            notation=r"\lim_{x \downarrow c} D_i(x) \ge \lim_{x \uparrow c} D_i(x)",
        ),
        Assumption(
            name="No interference",
            words="What the programme does to one person does not change anybody else's outcome.",
            notation=r"Y_i(d_1, \dots, d_n) = Y_i(d_i)",
        ),
    ),
    can_conclude=(
        "Whether the programme made a difference to people who stand at the cutoff, and how large it was on average.",
        "What a small move of the cutoff would do to those whom it lets in or leaves out.",
    ),
    cannot_conclude=(
        "What the programme does to those far from the cutoff, who often need it most or least.",
        "That nobody placed himself on the right side: how many stand just beside the cutoff can make it doubtful.",
        "What it did to one particular person, or which part of the programme made the difference.",
    ),
    evidence_level=EvidenceLevel(
        level=4,
        reason="A known rule, not people's own choice, decided who got the programme, and just at the cutoff chance "
        "decides on which side somebody falls. It is not level 5, because nobody drew lots: that people could not "
        "place themselves must be believed, and the answer is about those at the cutoff only.",
        raise_by="Drawing lots among those within some distance of the cutoff would raise it to level 5.",
    ),
    chapter="regression_discontinuity",
    citation="CattaneoIdroboTitiunik2020",
)

_POWERS = {1: "linear", 2: "quadratic", 3: "cubic"}


class RegressionDiscontinuity(EvaluationDesign):
    """An evaluation in which a number that everybody has, and a cutoff, decided who got the programme.

    In ``effects``, ``n_treated`` and ``n_comparison`` count those within the wider of the two bandwidths; whoever
    stands farther away counts for nothing. The interval is that of the normal distribution.
    """

    words: ClassVar[DesignWords] = WORDS

    type: Literal["regression_discontinuity"] = "regression_discontinuity"
    treatment: str = Field(
        default="is_treated",
        description="Boolean column of participants. sharp: follows from the cutoff; fuzzy: what was really taken.",
    )
    running: str = Field(description="Column of participants: the number that decided, such as a test score.")
    cutoff: float = Field(allow_inf_nan=False, description="Where the rule changes, in the running variable's unit.")
    treated_side: TreatedSide = Field(
        default="at_or_above",
        description="Where the programme was for: at_or_above, above, at_or_below or below the cutoff.",
    )
    sharpness: Literal["sharp", "fuzzy"] = Field(
        default="sharp", description="sharp: the cutoff alone decided; fuzzy: it changed the chance of the treatment."
    )
    order: int = Field(
        default=1, ge=1, le=3, description="Power of the local polynomials; the next one estimates their bias."
    )
    kernel: Kernel = Field(default="triangular", description="triangular, epanechnikov or uniform.")
    bandwidth: Selector | Width = Field(
        default="mserd",
        description="How far to look: a number in the running variable's unit, or how the data choose it: mserd, "
        "msetwo, msesum (least mean squared error), cerrd, certwo, cersum (best coverage).",
    )
    bias_bandwidth: Width | None = Field(
        default=None, description="How far to look for the bias, when bandwidth is a number; by default as far."
    )
    standard_errors: Errors = Field(
        default="nearest_neighbour", description="nearest_neighbour, hc1, hc2, hc3 or clustered."
    )
    covariates: tuple[str, ...] = Field(
        default=(), description="Traits from before the decision, held constant on both sides to narrow the interval."
    )
    clusters: str | None = Field(default=None, description="Column of the groups that belong together.")

    @property
    def settings(self) -> Settings:
        """How the jump is measured."""
        return Settings(
            cutoff=self.cutoff,
            order=self.order,
            kernel=self.kernel,
            bandwidth=self.bandwidth,
            bias_bandwidth=self.bias_bandwidth,
            errors=self.standard_errors,
            is_fuzzy=self.sharpness == "fuzzy",
        )

    def problems(self, tables: Tables, persons: Persons | None = None) -> Iterator[DesignError]:
        """Give every reason why these data cannot honour the specification; nothing is fitted."""
        frame = tables.participants if persons is None else tables.participants[persons]
        early = [*refusals.in_words(self), *refusals.in_columns(self, frame)]
        yield from early
        if not early:
            yield from refusals.in_sides(self, self.sample(frame.assign(value=0.0)))

    def estimate_outcome(self, tables: Tables, measure: str, *, seed: int, persons: Persons | None = None) -> Estimate:
        """Return the effect on one outcome; the specification was found sound by :meth:`problems`.

        The terms are ``bias_corrected, robust``; ``conventional, conventional`` (the same without the correction, with
        the errors that take its bias for nothing); and in a fuzzy design ``intention_to_treat, robust``: the jump of
        the outcome itself.
        """
        assigned = tables.analysis(measure)
        assigned = assigned if persons is None else assigned[persons]
        frame = assigned[assigned["value"].notna()]
        sharp = self.sharpness == "sharp"
        question = self.question(
            tables,
            measure,
            quantity="average effect at the cutoff"
            if sharp
            else "average effect at the cutoff on those whom it moved to take part (complier average effect)",
            method=Method(
                f"local {_POWERS[self.order]} regression at the cutoff, corrected for bias",
                "CalonicoCattaneoTitiunik2014",
                WORDS.chapter,
            ),
            seed=seed,
        )
        found = cut(self.settings, self.sample(frame))
        if isinstance(found, str):
            return question.unavailable(found, n_units=len(frame))
        used = found.is_used()
        jumps = [
            ("bias_corrected, robust", found.found.robust),
            ("conventional, conventional", found.found.conventional),
        ]
        jumps += [] if sharp else [("intention_to_treat, robust", found.found.offer)]
        warnings = self._warnings(found)
        if len(frame) < len(assigned):
            warnings.insert(
                0,
                "Some persons have no outcome and are left out. If the programme changed who could be reached, the "
                "estimate is biased.",
            )
        return question.answered(
            [_term(name, jump, used) for name, jump in jumps],
            self._analysed(found, frame[used], tables.checksum),
            warnings,
        )

    def within(self, participants: pd.DataFrame) -> Self:
        """Return the design to use inside a group: without covariates that do not vary there."""
        varying = tuple(name for name in self.covariates if participants[name].nunique(dropna=False) > 1)
        return self.model_copy(update={"covariates": varying})

    def exclusions(self, tables: Tables, measure: str, *, seed: int = 0) -> tuple[Exclusion, ...]:
        """Return those without the outcome, and those who stand too far from the cutoff to count.

        Parameters
        ----------
        tables : Tables
            Validated data.
        measure : str
            The outcome.
        """
        lost = without_outcome(tables, measure)
        frame = tables.analysis(measure)[~lost.persons]
        found = cut(self.settings, self.sample(frame))
        if isinstance(found, str):
            return (lost,)
        far = np.zeros(len(lost.persons), dtype=np.bool_)
        far[~lost.persons] = ~found.is_used()
        return lost, Exclusion("Too far from the cutoff to count: beyond the bandwidth", far)

    def findings(self, tables: Tables, estimate: Estimate, *, seed: int = 0) -> tuple[Finding, ...]:
        """Return the curves at the cutoff, whether it changed the treatment, how far was looked, and other choices.

        Parameters
        ----------
        tables : Tables
            The data that the estimate was made from.
        estimate : Estimate
            What :meth:`estimate_outcome` returned.
        seed : int
            Not used: nothing is drawn.
        """
        measure = estimate.estimand.measure
        frame = tables.analysis(measure)
        found = cut(self.settings, self.sample(frame[frame["value"].notna()]))
        if isinstance(found, str) or not estimate.is_available:
            return ()
        running = tables.schemas["participants"].field(self.running)
        shown = beside.Shown(found, estimate, tables.measures[measure], running.title, running.unit or "")
        return beside.findings(shown)

    def sample(self, frame: pd.DataFrame) -> Sample:
        """Return the persons of an analysis frame, all with an outcome in the column ``value``, as arrays."""
        running = frame[self.running].to_numpy(dtype=np.float64)
        clusters = None
        if self.clusters is not None:
            clusters = pd.factorize(frame[self.clusters], sort=True)[0].astype(np.int64)
        return Sample(
            running=running,
            outcome=frame["value"].to_numpy(dtype=np.float64),
            is_meant=is_on_treated_side(running, self.cutoff, self.treated_side),
            taken=frame[self.treatment].to_numpy(dtype=bool),
            covariates=frame[list(self.covariates)]
            .to_numpy(dtype=np.float64)
            .reshape(len(frame), len(self.covariates)),
            clusters=clusters,
        )

    def _warnings(self, found: Cut) -> list[str]:
        """Return what the reader must know."""
        result = []
        if max(repeated_share(side) for side in found.sides) >= MANY_REPEATED:
            result.append(
                f"Many persons share the same value of «{self.running}». The curves are followed through its different "
                "values, which are fewer than the persons, and the interval may be too narrow."
            )
        near = [
            side.distinct_distances[side.distinct_distances <= width]
            for side, width in zip(found.sides, found.bandwidths.main, strict=True)
        ]
        if min(len(values) for values in near) < LEAST_DIFFERENT:
            result.append(
                f"Within the bandwidth «{self.running}» has few different values on one side of the cutoff, so that "
                "the curve may miss how the outcome bends just there."
            )
        clusters = found.sample.clusters
        if clusters is not None and len(np.unique(clusters[found.is_used()])) < _MANY_CLUSTERS:
            result.append(
                f"There are fewer than about {_MANY_CLUSTERS} clusters within the bandwidth, and clustered errors then "
                "tend to be too small."
            )
        take_up = found.found.take_up
        if take_up is not None and take_up.value < 0:
            result.append("At the cutoff, fewer had the treatment on the side that it was for than on the other.")
        if take_up is not None and (take_up.value / take_up.std_error) ** 2 < _STRONG:
            result.append(
                "The cutoff hardly changed who had the treatment, so the interval of its effect cannot be trusted. "
                "Read the effect of the offer, the intention to treat."
            )
        return result

    def _analysed(self, found: Cut, frame: pd.DataFrame, salt: str) -> Analysed:
        """Return who the estimate rests on; ``salt`` makes the digests useless outside these data."""
        treated = found.sample.taken[found.is_used()]
        units = frame[self.clusters or "participant_id"]
        return Analysed(
            n_treated=int(treated.sum()),
            n_comparison=int((~treated).sum()),
            n_clusters=None if self.clusters is None else units.nunique(),
            comparison_mean=found.comparison_level(),
            ids=Digests(salt, units, has_repeats=self.clusters is not None),
        )


def _term(name: str, jump: Jump, used: Persons) -> Term:
    return Term(name, jump.value, jump.std_error, LARGE_SAMPLE.count, LARGE_SAMPLE.words, jump.scores[used])
