"""Before the start: with so many people, what could be seen at all? From a plan alone, before any data exist."""

from .answers import power, powers, require_sound_plan
from .plan import OutcomePlan, Plan
from .results import PlannedPower

__all__ = ["OutcomePlan", "Plan", "PlannedPower", "power", "powers", "require_sound_plan"]
