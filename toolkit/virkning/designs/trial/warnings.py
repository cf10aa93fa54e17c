"""What a reader of a randomised trial must know before believing it, in sentences without small counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..regression import Estimator, Sample, StandardErrors
from .findings import UNEVEN, FirstStage

# Below about this many clusters their covariance is known to be too small (Cameron, Gelbach and Miller 2008).
_MANY_CLUSTERS = 40
# With fewer clusters than this in an arm, the restricted bootstrap rejects too seldom (MacKinnon and Webb 2018).
_FEW_IN_ARM = 5
# The effective F that keeps the bias below a tenth of the worst case, one instrument (Montiel Olea and Pflueger 2013).
_STRONG = 23.1


def of_losses(n_assigned: int, n_known: int, n_analysed: int) -> list[str]:
    """Return the sentences about who is left out.

    Parameters
    ----------
    n_assigned, n_known, n_analysed : int
        Persons; with an outcome; and in whole pairs, when there are pairs.
    """
    result = []
    if n_known < n_assigned:
        result.append(
            "Some of those assigned have no outcome and are left out; the check of attrition shows how many in "
            "each group. If the offer changed who could be reached, the estimate is biased."
        )
    if n_analysed < n_known:
        result.append("Where one half of a pair has no outcome, the other half is left out too.")
    return result


def of_take_up(sample: Sample, first: FirstStage) -> list[str]:
    """Return the sentences about the effect on compliers.

    Parameters
    ----------
    sample : Sample
        With who took part.
    first : FirstStage
        What the offer does to taking part.
    """
    if sample.taken is not None and np.array_equal(sample.taken == 1, sample.treated):
        return [
            "Everybody took part exactly as the lottery said, so the effect on compliers is the effect of the offer."
        ]
    if first.f_statistic < _STRONG:
        return [
            f"The offer hardly moved who takes part (F = {first.f_statistic:.1f}, below {_STRONG}), so the effect on "
            "compliers is badly known and its interval may be wrong. Trust the effect of the offer."
        ]
    return []


def of_lottery(sample: Sample, terms: Sequence[tuple[Estimator, StandardErrors]]) -> list[str]:
    """Return the sentences that few clusters, and strata with unequal shares offered, call for.

    Parameters
    ----------
    sample : Sample
        The persons analysed.
    terms : sequence of (str, str)
        Estimators with their errors, the headline first.
    """
    result = []
    if sample.clusters is not None:
        n_clusters = np.count_nonzero(np.bincount(sample.clusters))
        kinds = {errors for _, errors in terms}
        if "clustered" in kinds and n_clusters < _MANY_CLUSTERS:
            result.append(
                f"There are only {n_clusters} clusters; with fewer than about {_MANY_CLUSTERS}, clustered standard "
                "errors tend to be too small. Trust «cr2», «wild_bootstrap» or the check by randomisation inference "
                "more."
            )
        arms = [np.count_nonzero(np.bincount(sample.clusters[arm])) for arm in (sample.treated, ~sample.treated)]
        if "wild_bootstrap" in kinds and min(arms) < _FEW_IN_ARM:
            result.append(
                f"One of the two groups has fewer than {_FEW_IN_ARM} clusters; then the wild bootstrap finds effects "
                "too seldom, and its interval is too wide."
            )
    if sample.strata is not None and any(estimator == "ancova" for estimator, _ in terms):
        codes = np.unique(sample.strata)
        shares = [float(sample.treated[sample.strata == code].mean()) for code in codes]
        if np.ptp(shares) > UNEVEN:
            result.append(
                "The share that was offered the programme differs between strata. «ancova» then counts strata that "
                "were split evenly for more than their size; «difference_in_means» and «lin» count them by their size."
            )
    return result
