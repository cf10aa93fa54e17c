"""Does it pay? Social cost–benefit by payer, over time, with its uncertainty; from ``economy.yml`` and the effects."""

from .answers import cost_benefit, scenarios
from .figures import Figure, MarginalValue
from .prices import library_table, price_library
from .reading import Economy
from .results import CostBenefit
from .specification import EconomySpecification

__all__ = [
    "CostBenefit",
    "Economy",
    "EconomySpecification",
    "Figure",
    "MarginalValue",
    "cost_benefit",
    "library_table",
    "price_library",
    "scenarios",
]
