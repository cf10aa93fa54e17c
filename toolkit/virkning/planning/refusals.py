"""Plans that cannot be: impossible numbers, and numbers that the design has no use for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ..errors import DesignError
from .plan import OutcomePlan, Plan

_EVERYWHERE = frozenset(
    {
        "people",
        "attrition_share",
        "baseline_share",
        "standard_deviation",
        "worthwhile_effect",
        "unit",
        "power",
        "confidence",
        "other_outcomes",
        "sources",
    }
)
_CLUSTERS = frozenset({"clusters", "people_per_cluster", "cluster_size_variation", "intra_cluster_correlation"})
_GROUPS = frozenset({"comparison_ratio"})
_COVARIATES = frozenset({"covariates", "covariate_r2"})
_PERIODS = frozenset({"periods_before", "periods_after", "period_correlation"})
_TAKE_UP = frozenset({"take_up_share", "crossover_share"})
_CLUSTERS_OVER_TIME = _CLUSTERS | {"cluster_period_correlation"}

# What each design takes into account beside what all do.
USED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "randomised_trial": _CLUSTERS_OVER_TIME
        | _GROUPS
        | _COVARIATES
        | _PERIODS
        | _TAKE_UP
        | {"strata", "strata_r2", "cluster_covariate_r2"},
        "instrumental_variables": _CLUSTERS | _GROUPS | _COVARIATES | _TAKE_UP | {"cluster_covariate_r2"},
        "duration": _GROUPS,
        "regression_discontinuity": _COVARIATES | {"near_cutoff_share"},
        "staggered_adoption": _CLUSTERS_OVER_TIME | _GROUPS | _PERIODS | {"waves"},
        "difference_in_differences": _CLUSTERS_OVER_TIME | _GROUPS | _PERIODS,
        "panel": _CLUSTERS_OVER_TIME | _GROUPS | _PERIODS,
        "matched_comparison": _GROUPS | _COVARIATES | {"effective_share"},
        "synthetic_control": _PERIODS | {"donors", "draws", "intra_cluster_correlation"},
        "interrupted_time_series": _PERIODS | {"intra_cluster_correlation"},
        "before_after": frozenset({"period_correlation"}),
    }
)
# What a design cannot do without.
NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "difference_in_differences": ("periods_before", "periods_after", "period_correlation"),
        "panel": ("periods_before", "periods_after", "period_correlation"),
        "staggered_adoption": ("periods_before", "periods_after", "period_correlation", "waves"),
        "interrupted_time_series": ("periods_before", "periods_after", "period_correlation"),
        "synthetic_control": ("periods_before", "periods_after", "period_correlation", "donors"),
        "before_after": ("period_correlation",),
        "regression_discontinuity": ("near_cutoff_share",),
        "duration": ("baseline_share",),
    }
)
_LEAST_SERIES, _LEAST_DONORS = 3, 3
_SHARES = {
    "take_up_share": "If nobody takes part, there is nothing that could have an effect.",
    "effective_share": "With nobody left to compare with, there is no effect to see.",
    "near_cutoff_share": "Only people near the cutoff tell of the effect there.",
}


def problems(plan: Plan, kind: str, where: str = "plan") -> Iterator[DesignError]:
    """Give every reason why a plan cannot be, or does not fit the design.

    Parameters
    ----------
    plan : Plan
        As written.
    kind : str
        Type of the design.
    where : str
        How messages call the plan.
    """
    used = _EVERYWHERE | USED[kind]
    for name in sorted(plan.model_fields_set - used):
        if getattr(plan, name) != type(plan).model_fields[name].default:
            yield DesignError(
                "design.plan_unused",
                f"The design «{kind}» has no use for {name}.",
                where=f"{where}.{name}",
                why="The answer would look as if it had been taken into account.",
                do="Leave it out, or choose the design that has it.",
            )
    for name in NEEDED.get(kind, ()):
        if getattr(plan, name) is None:
            yield _missing(name, kind, where)
    yield from _in_numbers(plan, where)
    yield from _in_shares(plan, where)
    yield from _in_outcome(plan, kind, where)
    yield from _in_clusters(plan, kind, where)
    yield from _in_time(plan, kind, where)


def _missing(name: str, kind: str, where: str) -> DesignError:
    return DesignError(
        "design.plan_missing",
        f"The plan does not say {name}.",
        where=f"{where}.{name}",
        why=f"The power of the design «{kind}» depends on it, and no number fits every programme.",
        do="Say it; earlier data about similar people are the best source.",
    )


def _impossible(name: str, what: str, why: str, do: str, where: str) -> DesignError:
    return DesignError("design.plan_impossible", what, where=f"{where}.{name}", why=why, do=do)


def _in_numbers(plan: Plan, where: str) -> Iterator[DesignError]:
    if plan.people is None and (plan.clusters is None or plan.people_per_cluster is None):
        yield DesignError(
            "design.plan_people",
            "The plan does not say how many people there will be.",
            where=f"{where}.people",
            why="How small an effect can be seen depends on their number more than on anything else.",
            do="Say people, or clusters and people_per_cluster.",
        )
    elif plan.people is not None and plan.clusters is not None and plan.people_per_cluster is not None:
        yield _impossible(
            "people",
            "The plan says people, clusters and people_per_cluster.",
            "One of them follows from the other two, and could contradict them.",
            "Leave one of them out.",
            where,
        )


def _in_shares(plan: Plan, where: str) -> Iterator[DesignError]:
    for name, why in _SHARES.items():
        value = getattr(plan, name)
        if value is not None and not 0 < value <= 1:
            yield _impossible(name, f"{name} is not above 0 and at most 1.", why, "Write a share, such as 0.7.", where)
    if not 0 <= plan.attrition_share < 1:
        yield _impossible(
            "attrition_share",
            "attrition_share is not from 0 to below 1.",
            "If everybody is lost, no outcome is known.",
            "Write the share whose outcome will not be known, such as 0.15.",
            where,
        )
    if 0 < plan.take_up_share <= 1 and not 0 <= plan.crossover_share < plan.take_up_share:
        yield _impossible(
            "crossover_share",
            "crossover_share is not from 0 to below take_up_share.",
            "Then the offer does not bring more people into the programme, and the groups differ in nothing.",
            "Write the share of the comparison group who take part anyway.",
            where,
        )
    for name in ("covariate_r2", "cluster_covariate_r2", "strata_r2"):
        if not 0 <= getattr(plan, name) < 1:
            yield _impossible(
                name,
                f"{name} is not from 0 to below 1.",
                "It is a share of the variance; covariates that explain all of it do not exist.",
                "Write a share, such as 0.3.",
                where,
            )


def _in_outcome(plan: OutcomePlan, kind: str, where: str) -> Iterator[DesignError]:
    share, spread = plan.baseline_share, plan.standard_deviation
    if share is None and spread is None and kind != "duration":
        yield DesignError(
            "design.plan_outcome",
            "The plan says nothing of the outcome without the programme.",
            where=where,
            why="The more people differ, the larger an effect must be to stand out.",
            do="Say baseline_share for a yes/no outcome, or standard_deviation for an amount.",
        )
    if share is not None and spread is not None:
        yield _impossible(
            "standard_deviation",
            "The plan says baseline_share and standard_deviation.",
            "The spread of a yes/no outcome follows from its share.",
            "Leave one of them out.",
            where,
        )
    if share is not None and not 0 < share < 1:
        yield _impossible(
            "baseline_share",
            "baseline_share is not between 0 and 1.",
            "Where nobody or everybody has the outcome, people do not differ, and nothing follows for a change.",
            "Write a share: 0.4 for 40 of 100 people.",
            where,
        )
    if spread is not None and spread <= 0:
        yield _impossible(
            "standard_deviation",
            "standard_deviation is not positive.",
            "People always differ.",
            "Write the standard deviation of the outcome between people.",
            where,
        )


def _in_clusters(plan: Plan, kind: str, where: str) -> Iterator[DesignError]:
    correlation = plan.intra_cluster_correlation
    if correlation is not None and not 0 <= correlation <= 1:
        yield _impossible(
            "intra_cluster_correlation",
            "intra_cluster_correlation is not from 0 to 1.",
            "It is the share of the variance that lies between clusters.",
            "Write a share; in schools and towns it is often 0.02 to 0.2.",
            where,
        )
    if not plan.is_clustered:
        if correlation is not None and "clusters" in USED[kind]:
            yield _missing("clusters", kind, where)
        return
    if correlation is None:
        yield _missing("intra_cluster_correlation", kind, where)
    if plan.n_people and plan.n_clusters < 2:
        yield _impossible(
            "clusters",
            "There are fewer than two clusters.",
            "With one cluster, or none, on a side nobody can tell the programme from the place.",
            "Plan for more clusters; below about ten on each side power is poor.",
            where,
        )
    elif plan.n_people and plan.cluster_size < 1:
        yield _impossible(
            "people_per_cluster",
            "There is less than one person with a known outcome per cluster.",
            "A cluster is a group of people.",
            "Plan for fewer clusters, or leave clusters out.",
            where,
        )
    if kind in NEEDED and "period_correlation" in NEEDED[kind] and plan.cluster_period_correlation is None:
        yield _missing("cluster_period_correlation", kind, where)


def _in_time(plan: Plan, kind: str, where: str) -> Iterator[DesignError]:
    correlation, before, after = plan.period_correlation, plan.periods_before, plan.periods_after or 1
    needs_before = kind in NEEDED and "periods_before" in NEEDED[kind]
    least = _LEAST_SERIES if kind == "interrupted_time_series" else 1
    if needs_before and before is not None and before < least:
        yield _impossible(
            "periods_before",
            f"There {'is no period' if least == 1 else f'are fewer than {least} periods'} before the start.",
            "The design compares with how things were before.",
            "Plan to measure earlier, or choose another design.",
            where,
        )
    if kind == "interrupted_time_series" and after < _LEAST_SERIES:
        yield _impossible(
            "periods_after",
            f"There are fewer than {_LEAST_SERIES} periods after the start.",
            "A new level and a new slope cannot be told from fewer.",
            "Plan to follow longer.",
            where,
        )
    if plan.donors is not None and plan.donors < _LEAST_DONORS:
        yield _impossible(
            "donors",
            f"There are fewer than {_LEAST_DONORS} donors.",
            "Placebos among the donors show what chance does.",
            "Find more places without the programme.",
            where,
        )
    yield from _in_correlations(plan, kind, where)
    if kind == "randomised_trial" and (before or after > 1):
        if correlation is None:
            yield _missing("period_correlation", kind, where)
        if plan.is_clustered and plan.cluster_period_correlation is None:
            yield _missing("cluster_period_correlation", kind, where)
        if before and plan.covariate_r2:
            yield _impossible(
                "covariate_r2",
                "The plan says covariate_r2 and periods_before.",
                "The outcome before is itself a covariate; what both explain would be counted twice.",
                "Put everything that is known before into covariate_r2, or leave it out.",
                where,
            )
    if kind == "staggered_adoption" and plan.comparison_ratio == 0 and (plan.waves or 0) < 2:
        yield _impossible(
            "comparison_ratio",
            "Everybody starts at the same time.",
            "Then nobody shows what would have happened without the programme.",
            "Plan for two waves or more, or for people who never start.",
            where,
        )
    elif kind != "staggered_adoption" and plan.comparison_ratio == 0:
        yield _impossible(
            "comparison_ratio",
            "There is nobody in the comparison group.",
            "Then nobody shows what would have happened without the programme.",
            "Write how many are compared for each who is offered the programme, such as 1.",
            where,
        )


def _in_correlations(plan: Plan, kind: str, where: str) -> Iterator[DesignError]:
    correlation, of_clusters = plan.period_correlation, plan.cluster_period_correlation
    periods = (plan.periods_before or 0) + (plan.periods_after or 1) + (plan.waves or 1) - 1
    lowest = -1.0 if kind == "interrupted_time_series" else -1 / max(periods - 1, 1)
    if correlation is not None and not lowest < correlation < 1:
        yield _impossible(
            "period_correlation",
            "period_correlation is impossible: it must be below 1, and cannot be far below 0 between all periods.",
            "Outcomes that repeat themselves exactly, or that all go against each other, do not exist.",
            "Write the correlation between two periods; for earnings of a person it is often 0.4 to 0.8.",
            where,
        )
    elif of_clusters is not None and not 0 <= of_clusters <= 1:
        yield _impossible(
            "cluster_period_correlation",
            "cluster_period_correlation is not from 0 to 1.",
            "It says how much of a cluster's own level lasts from one period to another.",
            "Write a number such as 0.8.",
            where,
        )
    elif correlation is not None and of_clusters is not None and plan.is_clustered:
        lasting = (plan.intra_cluster_correlation or 0) * of_clusters
        if not lasting <= correlation <= lasting + 1 - (plan.intra_cluster_correlation or 0):
            yield _impossible(
                "period_correlation",
                "The three correlations contradict each other.",
                "A person's outcomes share at least what lasts of the cluster's level: period_correlation is from "
                "intra_cluster_correlation × cluster_period_correlation up to that plus 1 − intra_cluster_correlation.",
                "Correct one of the three.",
                where,
            )
