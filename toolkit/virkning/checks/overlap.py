"""Is there somebody alike to compare with, and does the comparison rest on more than a few?"""

from __future__ import annotations

import math

import numpy as np

from ..data import Tables
from ..designs import EvaluationDesign, MatchedComparison
from ..estimates import Estimates
from ..numerics.overlap import effective_size, in_common_support
from .found import Words, finding_of, judged, not_made
from .results import CheckResult, CheckSettings, percent
from .two_groups import TELLABLE, score_of

NAME = "overlap"
WORDS = Words(
    NAME,
    "Overlap",
    "Is there somebody alike to compare with?",
    "Where only one of the groups has persons with a given propensity score, nobody can be compared, and the estimate "
    "rests on the form of a curve instead {cite:p}`RosenbaumRubin1983,Crump2009`.",
)


def check_overlap(
    design: EvaluationDesign,
    tables: Tables,
    effects: Estimates,
    settings: CheckSettings,
    generator: np.random.Generator,
) -> CheckResult:
    """Count those offered the programme whom nobody is like, and the weight that few of the comparison group carry.

    ``passed`` is False when more than ``settings.overlap_outside`` of those offered the programme lie outside the
    comparison group's range of scores without being left out, or the heaviest tenth of the comparison group carries
    more than ``settings.overlap_heaviest`` of its weight; None where no score can be fitted.
    """
    estimate = effects.primary
    if not isinstance(design, MatchedComparison):
        return not_made(WORDS, "This design does not look for persons who are alike.")
    if not estimate.is_available:
        return not_made(WORDS, estimate.unavailable_reason)
    measure, seed = estimate.estimand.measure, estimate.provenance.seed
    known = tables.analysis(measure)["value"].notna().to_numpy(dtype=bool)
    score, finding = score_of(design, tables, known), finding_of(design, tables, estimate, "overlap")
    if score is None or finding is None:
        return not_made(WORDS, "No propensity score can be fitted to these covariates.")
    treated = tables.participants[design.treatment].to_numpy(dtype=bool)
    offered = treated[known]
    outside = float((~in_common_support(score.probability, offered, "att"))[offered].mean())
    weights = design.weights_of(tables, measure, seed=seed)
    numbers = {"outside": outside}
    tellable = min(int(offered.sum()), int((~offered).sum())) >= TELLABLE
    said = [finding.sentence]
    concerns = []
    if outside > settings.overlap_outside:
        if design.trimming.rule == "none":
            concerns.append("too many of those offered the programme have nobody like them in the comparison group")
        said.append("Some of those offered the programme have a score that nobody in the comparison group reaches.")
    if weights is not None:
        used = np.sort(weights[~treated & (weights > 0)])[::-1]
        heaviest = float(used[: math.ceil(len(used) / 10)].sum() / used.sum())
        numbers |= {"heaviest": heaviest, "effective_size": effective_size(used)}
        if heaviest > settings.overlap_heaviest:
            concerns.append("few persons carry much of the comparison group's weight")
        if tellable and len(used) >= 10 * TELLABLE:
            said.append(f"The heaviest tenth of the comparison group carries {percent(heaviest)} of its weight.")
    if concerns:
        reason = f"There is cause for concern: {' and '.join(concerns)}."
    else:
        reason = "Nearly everybody offered the programme has somebody like them, and no few carry the comparison."
        if outside > settings.overlap_outside:
            reason = "Those whom nobody is like are left out, so the effect is that on the others."
    return judged(WORDS, finding.table, not concerns, reason, " ".join(said), numbers, finding.drawing)
