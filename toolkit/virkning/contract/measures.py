"""What a contract counts, and what it is held against: kinds of results, counterfactuals, evidence and sample rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..money import Amount, Number, Rounding, Share
from ..specification import Specification

Edge = Literal["reached", "not_reached"]
"""Whether a result that lies exactly on a threshold reaches it."""
Direction = Literal["increase", "decrease"]
Form = Literal["difference", "relative_percent"]


class EffectResult(Specification):
    """An effect that the programme's own run estimated."""

    type: Literal["effect"]
    measure: str = Field(description="The outcome, as under outcomes in programme.yml.")
    term: str = Field(
        default="headline", description="Which estimate of the run: headline, or the name of another term."
    )
    form: Literal["level", "relative_percent", "per_100", "total"] = Field(
        description="level: in the outcome's unit; relative_percent: in per cent of the comparison group's mean; "
        "per_100: per 100 people, of a share; total: times the persons in the programme."
    )
    direction: Direction = Field(description="Whether the contract pays for more or for less of the outcome.")
    period: str = Field(description="The period of the contract in which the effect is settled.")


class FigureResult(Specification):
    """One audited figure with its source, such as villages certified or hours of care."""

    type: Literal["figure"]


class PeopleResult(Specification):
    """Distinct people: each counts once, in the first period in which somebody is reported."""

    type: Literal["people"]


class ClaimsResult(Specification):
    """Claims: a person may claim several times."""

    type: Literal["claims"]
    most_per_person: int | None = Field(
        ge=1, description="How often one person may be paid for over the whole contract; null for no limit."
    )


class DaysResult(Specification):
    """Days, added up over people."""

    type: Literal["days"]
    most_per_person: int | None = Field(
        ge=1, description="Days that one person may be paid for over the whole contract; null for no limit."
    )


class ShareResult(Specification):
    """The share of people who reach a bar, 0 to 1."""

    type: Literal["share"]
    bar: Number = Field(description="What a person must reach.")
    at_bar: Edge = Field(description="Whether a person exactly at the bar reaches it.")
    direction: Direction = Field(description="increase: at or above the bar; decrease: at or below it.")


class FrequencyResult(Specification):
    """How often something happens, paid for; the share to whom it happens at all is reported beside it.

    The two may disagree in sign: fewer people with an event, but more events. Then the settlement says so.
    """

    type: Literal["frequency"]


Result = Annotated[
    EffectResult | FigureResult | PeopleResult | ClaimsResult | DaysResult | ShareResult | FrequencyResult,
    Field(discriminator="type"),
]


class NoCounterfactual(Specification):
    """The result is paid for as it is: nobody says what would have happened without the programme."""

    type: Literal["none"]


class _Compared(Specification):
    direction: Direction = Field(description="Whether an increase or a decrease is paid for.")
    form: Form = Field(description="difference: in the metric's unit; relative_percent: in per cent of the comparison.")


class FixedBaseline(_Compared):
    """One agreed figure, the same for all periods."""

    type: Literal["fixed_baseline"]
    baseline: Number = Field(description="In the metric's unit.")
    source: str = Field(min_length=1, description="Where the baseline comes from.")


class HistoricalCohort(_Compared):
    """An earlier cohort, carried forward by a trend: baseline + trend × whole calendar years since."""

    type: Literal["historical_cohort"]
    baseline: Number = Field(description="Of the earlier cohort, in the metric's unit.")
    baseline_year: int = Field(ge=1900, le=2200, description="Calendar year that the baseline belongs to.")
    trend_per_year: Number = Field(description="Change a year without the programme, in the metric's unit; 0 for none.")
    source: str = Field(min_length=1, description="Where the baseline and the trend come from.")


class MatchedGroup(_Compared):
    """A matched group: its figure stands beside each result."""

    type: Literal["matched_group"]


class RandomisedControl(_Compared):
    """A randomised control group: its figure stands beside each result."""

    type: Literal["randomised_control"]


class EstimatedByRun(Specification):
    """The comparison of the programme's own evaluation; for results of type effect."""

    type: Literal["estimated"]
    design: str = Field(
        description="The evaluation design that the contract agreed on, such as randomised_trial; another is refused."
    )


Counterfactual = Annotated[
    NoCounterfactual | FixedBaseline | HistoricalCohort | MatchedGroup | RandomisedControl | EstimatedByRun,
    Field(discriminator="type"),
]


class Evidence(Specification):
    """From claim to payment: what is handed in, who looks at it, and when an accepted result is payable."""

    needs: tuple[str, ...] = Field(min_length=1, description="Documents that a claim needs, such as «payslip».")
    verifier: str = Field(description="The party that accepts or rejects.")
    lag_days: int = Field(ge=0, description="Days from the end of the period to the payment.")


class Instalment(Specification):
    """A part of a payment that is paid later."""

    share: Share = Field(gt=0, description="Of each payer's part.")
    after_months: int = Field(ge=0, le=600, description="Calendar months after the payment date; 0 is on it.")


class Sample(Specification):
    """How many people a result must rest on, and how well they must be matched."""

    least_people: int | None = Field(default=None, ge=1, description="Fewest people behind a result.")
    least_matched_share: Share | None = Field(default=None, description="Smallest share of people with a match.")
    otherwise: Literal["pays_nothing", "pays_amount", "refused"] = Field(
        description="What happens to a result that does not meet them."
    )
    amount: Amount | None = Field(default=None, description="With pays_amount: what is paid instead.")


class Restatement(Specification):
    """What happens when a result is restated after it was settled."""

    upwards: Literal["paid", "not_paid"] = Field(description="Whether the missing amount is paid.")
    downwards: Literal["clawed_back", "kept"] = Field(description="Whether what was paid too much is paid back.")


ResultRounding = Rounding | Literal["exact"]
