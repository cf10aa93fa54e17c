"""What a planned evaluation could see: the smallest effect in plain words, as a table, and as a curve."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pandas as pd

from .. import language
from ..designs.findings import Drawing
from ..disclosure import Column, Table
from ..errors import DesignError
from ..fields import words_of_fields
from ..numerics.power import smallest_found
from .plan import Plan
from .precision import PER_HUNDRED, Precision, hazard_ratio_log, precision_of
from .refusals import USED, problems
from .setting import Setting

SMALLEST = "Smallest change"
PEOPLE = "per 100 people"
# Numbers of people on the curve, as multiples of what is planned.
_MULTIPLES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
_MOST_PEOPLE = 10_000_000
_LIKE_PEOPLE = frozenset({"interrupted_time_series", "synthetic_control"})


@dataclass(frozen=True)
class PlannedPower:
    """What a plan can tell about one outcome, before any data exist.

    Attributes
    ----------
    plan : Plan
        What was expected.
    setting : Setting
        The design, as far as power depends on it.
    label, unit : str
        The outcome and its unit; of a share, «per 100 people».
    """

    plan: Plan
    setting: Setting
    label: str
    unit: str
    _precision: Precision = field(repr=False)

    @property
    def std_error(self) -> float:
        """Standard error of the estimate if there is no effect, in the outcome's unit."""
        return self._precision.std_error

    @property
    def degrees_of_freedom(self) -> float:
        """Of the test; ``inf`` means normal."""
        return self._precision.degrees_of_freedom

    @property
    def method(self) -> str:
        """By what it was computed."""
        return self._precision.method

    @property
    def source(self) -> str:
        """Citation keys of the method, with commas between."""
        return self._precision.source

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader must know, in sentences."""
        return self._precision.notes

    def chance(self, effect: float) -> float:
        """Return the chance that an effect of this size, in the outcome's unit, is found: the interval leaves out zero.

        Parameters
        ----------
        effect : float
            Its size, in the direction that is looked for; a share from 0 to 1.
        """
        return self._precision.chance(effect) if effect <= self._precision.largest else math.nan

    @cached_property
    def minimum_detectable_effect(self) -> float | None:
        """The smallest effect that is found with the wanted chance, in the outcome's unit; None when there is none."""
        return smallest_found(self._precision.chance, self.plan.power, self._precision.largest)

    @property
    def effect_on_participants(self) -> float | None:
        """The same for those who take part because they were offered it; None when all do, or it is the effect."""
        smallest = self.minimum_detectable_effect
        if smallest is None or self.plan.taking_part == 1 or self.setting.kind != "randomised_trial":
            return None
        return smallest / self.plan.taking_part

    @property
    def hazard_ratio(self) -> float | None:
        """Of a duration: how many times as often it happens, at the smallest effect that is found."""
        smallest, without = self.minimum_detectable_effect, self.plan.baseline_share
        if self.setting.kind != "duration" or smallest is None or without is None:
            return None
        return math.exp(hazard_ratio_log(without, without + self.setting.direction * smallest))

    @cached_property
    def people_needed(self) -> int | None:
        """How many people would find the smallest effect worth knowing; None when no number does, or none is stated."""
        wanted = self.plan.worthwhile_effect
        if wanted is None:
            return None

        def is_enough(people: int) -> bool:
            found = self._with_people(people)
            return found is not None and found.chance(wanted) >= self.plan.power

        upper = 4
        while not is_enough(upper):
            upper *= 2
            if upper > _MOST_PEOPLE:
                return None
        lower = upper // 2
        while upper - lower > 1:
            middle = (upper + lower) // 2
            lower, upper = (lower, middle) if is_enough(middle) else (middle, upper)
        return upper

    def _with_people(self, people: int) -> PlannedPower | None:
        """Return the same for another number of people; None when nothing can be estimated from them."""
        plan = self.plan.with_people(people)
        try:
            for problem in problems(plan, self.setting.kind):
                raise problem
            return PlannedPower(plan, self.setting, self.label, self.unit, precision_of(plan, self.setting))
        except DesignError:
            return None

    def say(self, effect: float) -> str:
        """Return an effect with its unit."""
        return f"{self._number(effect)} {self.unit.replace(PEOPLE, 'per 100')}"

    def _number(self, effect: float) -> str:
        value = effect * self._factor
        digits = (0 if value >= 10 else 1) if self._factor > 1 else language.digits_for("amount", value)
        return language.number(value, digits)

    @property
    def _factor(self) -> float:
        return 1.0 if self.plan.baseline_share is None else PER_HUNDRED

    @property
    def _people(self) -> str:
        people = language.number(round(self.plan.n_people))
        extra = " in each period" if self.setting.kind in _LIKE_PEOPLE else ""
        if self.setting.kind == "synthetic_control":
            extra = f" in each place and period and {self.plan.donors} places to compare with,"
        if self.plan.is_clustered:
            extra = f" in {language.number(self.plan.n_clusters)} clusters"
        return f"{people} people{extra}"

    @property
    def sentence(self) -> str:
        """What can be seen, for a reader who has never heard of power."""
        smallest, chance = self.minimum_detectable_effect, _of_hundred(self.plan.power)
        if smallest is None:
            return (
                f"With {self._people} no possible change would be found by {chance} of 100 such evaluations: the plan "
                "is too small for this outcome."
            )
        levels = ""
        if self.plan.baseline_share is not None:
            after = self.plan.baseline_share + self.setting.direction * smallest
            levels = f", from {self._number(self.plan.baseline_share)} to {self._number(after)} per 100"
        words = (
            f"With {self._people} we can see a change of {self.say(smallest)} or more{levels}: if the programme makes "
            f"that much of a difference, {chance} of 100 such evaluations will find it. Smaller changes are often "
            "missed."
        )
        if self.effect_on_participants is not None:
            among = self.say(self.effect_on_participants)
            words += (
                f" This is the change among all who are offered the programme; it takes {among} among those who take "
                "part because of the offer."
            )
        if self.hazard_ratio is not None:
            ratio = language.number(self.hazard_ratio, 2)
            words += f" It then happens {ratio} times as often at any time (the hazard ratio)."
        return words

    @property
    def worthwhile_sentence(self) -> str:
        """Whether the smallest effect worth knowing would be found; empty when none is stated."""
        wanted = self.plan.worthwhile_effect
        if wanted is None:
            return ""
        chance = self.chance(wanted)
        if math.isnan(chance):
            return (
                f"A change of {self.say(wanted)} is said to be worth knowing, but is larger than any that is possible."
            )
        needed = self.people_needed
        enough = (
            "No number of people would find it in "
            f"{_of_hundred(self.plan.power)} of 100; more clusters, periods or places might."
            if needed is None
            else "The plan is large enough for it."
            if chance >= self.plan.power
            else f"It takes {language.number(needed)} people to find it in {_of_hundred(self.plan.power)} of 100."
        )
        return (
            f"A change of {self.say(wanted)} is worth knowing. If the programme makes it, {_of_hundred(chance)} of 100 "
            f"such evaluations will find it. {enough}"
        )

    @property
    def drawing(self) -> Drawing:
        """How :meth:`curve` is drawn."""
        return Drawing(
            x="people",
            y="minimum_detectable_effect",
            caption=f"{self.label}: the more people, the smaller the change that can be seen "
            f"({_of_hundred(self.plan.power)} of 100 such evaluations find it).",
            styles=MappingProxyType({"": "line"}),
            start=float(round(self.plan.n_people)),
            start_label="planned",
        )

    def curve(self) -> Table:
        """Return the smallest effect that is found for other numbers of people; draw it with :attr:`drawing`."""
        rows = []
        for people in dict.fromkeys(round(self.plan.n_people * multiple) for multiple in _MULTIPLES):
            found = self._with_people(people)
            if found is None or found.minimum_detectable_effect is None:
                continue
            smallest = found.minimum_detectable_effect
            rows.append(
                {
                    "people": round(found.plan.n_people),
                    "clusters": found.plan.n_clusters,
                    "minimum_detectable_effect": smallest * self._factor,
                    "in_spreads": smallest / self.plan.spread if self.plan.spread else np.nan,
                }
            )
        columns = [Column("people", "People", "number", digits=0)]
        columns += [Column("clusters", "Clusters", "number", digits=0)] if self.plan.is_clustered else []
        columns += [
            Column("minimum_detectable_effect", SMALLEST, "number", self.unit, 1 if self._factor > 1 else 2),
            Column("in_spreads", "The same", "number", "standard deviations"),
        ]
        names = ["people", "clusters", "minimum_detectable_effect", "in_spreads"]
        return Table(
            "power-curve",
            f"{self.label}: smallest change that is found",
            tuple(columns),
            pd.DataFrame(rows, columns=names),
        )

    def assumptions(self) -> Table:
        """Return what the plan takes for granted, and where each number comes from."""
        used = USED[self.setting.kind] | {"attrition_share"}
        rows, words = [], words_of_fields(type(self.plan))
        for name in type(self.plan).model_fields:
            value = getattr(self.plan, name)
            is_said = name in self.plan.model_fields_set or name in used & _DEFAULTS_THAT_MATTER
            if value is not None and is_said and name not in _NOT_ASSUMED:
                rows.append((name, words.get(name, ""), _plain(value), self.plan.sources.get(name, "not stated")))
        columns = (
            Column("name", "Assumption"),
            Column("about", "What it is"),
            Column("value", "Value"),
            Column("source", "Where it comes from"),
        )
        frame = pd.DataFrame(rows, columns=[column.name for column in columns])
        return Table("plan-assumptions", f"{self.label}: what the plan takes for granted", columns, frame)

    def to_dict(self) -> dict[str, object]:
        """Return the result as plain values, for ``--json``; of a share, effects are from 0 to 1."""
        freedom = self.degrees_of_freedom
        wanted = self.plan.worthwhile_effect
        return {
            "outcome": self.label,
            "design": self.setting.kind,
            "people": self.plan.n_people,
            "minimum_detectable_effect": self.minimum_detectable_effect,
            "std_error": self.std_error,
            "degrees_of_freedom": freedom if math.isfinite(freedom) else None,
            "power": self.plan.power,
            "significance": round(self.setting.significance, 12),
            "chance_of_worthwhile_effect": None if wanted is None else self.chance(wanted),
            "people_needed": self.people_needed,
            "sentence": self.sentence,
        }


# Left out, they are the most favourable; a reader must see that.
_DEFAULTS_THAT_MATTER = frozenset(
    {"attrition_share", "comparison_ratio", "take_up_share", "crossover_share", "effective_share"}
)
_NOT_ASSUMED = frozenset({"unit", "other_outcomes", "sources", "confidence", "draws"})


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of_hundred(share: float) -> str:
    """Return a chance as so many of 100; never all or none, which no chance is."""
    count = round(share * PER_HUNDRED)
    return "fewer than 1" if count < 1 else "more than 99" if count > 99 else str(count)
