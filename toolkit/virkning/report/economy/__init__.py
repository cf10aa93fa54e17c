"""What the cost–benefit chapter shows: the answer by payer, its figures, and a page on which assumptions move."""

from . import figures
from .answer import (
    answer,
    basis,
    front,
    hangs_on,
    key_figures,
    other_assumptions,
    payer_sections,
    spread,
    weights,
)
from .sensitivity import model_data, sensitivity
from .with_contract import PayerAccount, accounts, contract_exhibits

__all__ = [
    "PayerAccount",
    "accounts",
    "answer",
    "basis",
    "contract_exhibits",
    "figures",
    "front",
    "hangs_on",
    "key_figures",
    "model_data",
    "other_assumptions",
    "payer_sections",
    "sensitivity",
    "spread",
    "weights",
]
