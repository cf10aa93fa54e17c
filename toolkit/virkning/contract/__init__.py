"""Outcomes contracts: payment by results and social impact bonds, from the contract's words to the last cent."""

from __future__ import annotations

from .results import ResultRow, Results, from_effects
from .returns import Returns, internal_rate
from .settlement import Settlement, settle
from .terms import Contract, ContractFile
from .waterfall import CashFlows
from .words import contract_in_words

__all__ = [
    "CashFlows",
    "Contract",
    "ContractFile",
    "ResultRow",
    "Results",
    "Returns",
    "Settlement",
    "contract_in_words",
    "from_effects",
    "internal_rate",
    "settle",
]
