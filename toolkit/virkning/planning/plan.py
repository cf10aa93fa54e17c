"""The part ``plan`` of ``programme.yml``: what is expected of an evaluation before any data exist."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field

from ..specification import Specification


class OutcomePlan(Specification):
    """What is expected of one outcome; a share says its own spread, an amount needs a standard deviation."""

    baseline_share: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="For yes/no outcomes: share without the programme, 0 to 1. For a duration: share to whom it has "
        "happened by the end of the follow-up.",
    )
    standard_deviation: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Of the outcome between people without the programme, in its unit.",
    )
    worthwhile_effect: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Smallest effect that would be worth knowing, in the outcome's unit; of a share, 0 to 1.",
    )
    covariate_r2: float = Field(
        default=0.0,
        allow_inf_nan=False,
        description="Share of the variance between people that covariates explain, 0 to 1.",
    )
    cluster_covariate_r2: float = Field(
        default=0.0,
        allow_inf_nan=False,
        description="Share of the variance between clusters that covariates explain, 0 to 1.",
    )
    strata_r2: float = Field(
        default=0.0, allow_inf_nan=False, description="Share of the variance that the strata explain, 0 to 1."
    )
    intra_cluster_correlation: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Share of the variance that lies between clusters, 0 to 1. In an interrupted time series: between "
        "periods, from what moves everybody at once.",
    )
    period_correlation: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Correlation of a person's outcomes between two periods. In an interrupted time series: of "
        "neighbouring periods.",
    )
    cluster_period_correlation: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Correlation of a cluster's own level between two periods; 0.8 is often assumed.",
    )


class Plan(OutcomePlan):
    """The planned evaluation: how many, how they are divided, and what is expected of the primary outcome."""

    people: int | None = Field(
        default=None,
        ge=2,
        description="People in all groups together. In an interrupted time series and a synthetic control: people in "
        "each period (of each place).",
    )
    clusters: int | None = Field(default=None, description="Groups of people that get the programme together.")
    people_per_cluster: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="People in each cluster, on average."
    )
    cluster_size_variation: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Standard deviation of the clusters' sizes, as a share of their mean.",
    )
    comparison_ratio: float = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="People in the comparison group for each person who is offered the programme.",
    )
    strata: int = Field(default=1, ge=1, description="Strata inside which the lottery is held.")
    covariates: int = Field(default=0, ge=0, description="Number of covariates that are held constant.")
    take_up_share: float = Field(
        default=1.0, allow_inf_nan=False, description="Share of those offered who take part, 0 to 1."
    )
    crossover_share: float = Field(
        default=0.0, allow_inf_nan=False, description="Share of the comparison group who take part anyway, 0 to 1."
    )
    attrition_share: float = Field(
        default=0.0, allow_inf_nan=False, description="Share of people whose outcome will not be known, 0 to 1."
    )
    periods_before: int | None = Field(default=None, ge=0, description="Measurements before the (first) start.")
    periods_after: int | None = Field(default=None, ge=1, description="Measurements after the (last) start.")
    waves: int | None = Field(default=None, ge=1, description="Cohorts that start one period after another.")
    donors: int | None = Field(default=None, description="Places without the programme, for a synthetic control.")
    effective_share: float = Field(
        default=1.0,
        allow_inf_nan=False,
        description="What is left of the comparison group after matching or weighting: its effective sample size as a "
        "share of its people, 0 to 1.",
    )
    near_cutoff_share: float | None = Field(
        default=None, allow_inf_nan=False, description="Share of people near enough to the cutoff to count, 0 to 1."
    )
    unit: str = Field(default="", description="Unit of the primary outcome, where no programme declares it.")
    power: float = Field(
        default=0.8, gt=0.05, lt=1, description="Chance with which the smallest effect is to be found, 0 to 1."
    )
    confidence: float | None = Field(
        default=None, gt=0, lt=1, description="Level of the intervals, 0 to 1; by default the design's, or 0.95."
    )
    draws: int = Field(
        default=200, ge=100, description="Made-up data sets, where no formula gives the power of a design."
    )
    other_outcomes: dict[str, OutcomePlan] = Field(
        default={}, description="What is expected of further outcomes; what is left out is as for the primary one."
    )
    sources: dict[str, str] = Field(
        default={}, description="Where each assumption comes from: its key, and a few words."
    )

    @property
    def is_clustered(self) -> bool:
        """Whether groups of people get the programme together."""
        return self.clusters is not None or self.people_per_cluster is not None

    @property
    def n_people(self) -> float:
        """People in all groups together, before anybody is lost."""
        if self.people is not None:
            return float(self.people)
        return (self.clusters or 0) * (self.people_per_cluster or 0.0)

    @property
    def cluster_size(self) -> float:
        """People per cluster whose outcome will be known; 1 when people are on their own."""
        if not self.is_clustered:
            return 1.0
        size = self.people_per_cluster if self.people_per_cluster is not None else self.n_people / (self.clusters or 1)
        return size * (1 - self.attrition_share)

    @property
    def n_clusters(self) -> int:
        """Number of clusters; of people when they are on their own."""
        if self.clusters is not None:
            return self.clusters
        if self.people_per_cluster is not None:
            return round(self.n_people / self.people_per_cluster)
        return int(self.n_people)

    @property
    def offered_share(self) -> float:
        """Share of people who are offered the programme."""
        return 1 / (1 + self.comparison_ratio)

    @property
    def taking_part(self) -> float:
        """By how much the offer raises the share of those who take part."""
        return self.take_up_share - self.crossover_share

    @property
    def spread(self) -> float:
        """Standard deviation of the outcome without the programme."""
        if self.baseline_share is not None:
            return float((self.baseline_share * (1 - self.baseline_share)) ** 0.5)
        return self.standard_deviation or 0.0

    def with_people(self, people: int) -> Self:
        """Return the same plan for another number of people; clusters keep their size, so their number changes.

        Parameters
        ----------
        people : int
            In all groups together.
        """
        if not self.is_clustered:
            return self.model_copy(update={"people": people})
        size = self.n_people / self.n_clusters
        clusters = max(round(people / size), 1)
        return self.model_copy(update={"people": None, "clusters": clusters, "people_per_cluster": size})

    def of(self, measure: str) -> Self | None:
        """Return the plan for one of ``other_outcomes``; None when nothing is expected of it."""
        other = self.other_outcomes.get(measure)
        if other is None:
            return None
        said: dict[str, Any] = {name: getattr(other, name) for name in other.model_fields_set}
        if {"baseline_share", "standard_deviation"} & set(said):
            said = {"baseline_share": None, "standard_deviation": None, **said}
        return self.model_copy(update={"worthwhile_effect": None, **said})
