"""Find out, and show, whether social programmes work.

A **programme** names its **data**, its **design** and its **terms**. Validated data and a design give **estimates**.
All of it, with the documented method, makes one **book**::

    import virkning as vk

    programme = vk.Programme.read("programmes/ungevej")              # specification, validated
    tables    = vk.read_data(programme)                              # validated, typed, frozen
    effects   = vk.estimate(programme.design, tables)                # Estimates: the one result type
    checks    = vk.run_checks(programme.design, tables, effects)     # what the reader must know before believing them
    counted   = vk.Results.read(programme.folder / "results.csv")    # what was counted, for the contract
    payment   = vk.settle(programme.contract, counted, effects=effects)  # what each payer owes, line by line
    economy   = vk.cost_benefit(programme.economy, effects)          # who pays, who gains, when
    book      = vk.publish(programme)                                # runs the notebooks, gates them, builds the book

Each line takes the product of the lines before it; every product is immutable.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import report as report
    from .certainty import how_sure as how_sure
    from .chapter import Chapter as Chapter
    from .checks import run_checks as run_checks
    from .contract import Contract as Contract
    from .contract import Results as Results
    from .contract import settle as settle
    from .data import Tables as Tables
    from .data import read_data as read_data
    from .designs import estimate as estimate
    from .disclosure import clear as clear
    from .economy import Economy as Economy
    from .economy import cost_benefit as cost_benefit
    from .errors import VirkningError as VirkningError
    from .estimates import Estimate as Estimate
    from .estimates import Estimates as Estimates
    from .planning import Plan as Plan
    from .planning import power as power
    from .programme import Programme as Programme
    from .publication import publish as publish
    from .simulation import alarms as alarms
    from .simulation import reliability as reliability
    from .subgroups import estimate_subgroups as estimate_subgroups

__version__ = "0.1.0"

# Public names in the order of the pipeline, and where each lives. They are imported when first used: a command that
# only reads a specification need not load the estimators.
_PUBLIC = {
    "Programme": "programme",
    "Plan": "planning",
    "power": "planning",
    "read_data": "data",
    "Tables": "data",
    "estimate": "designs",
    "Estimate": "estimates",
    "Estimates": "estimates",
    "run_checks": "checks",
    "how_sure": "certainty",
    "estimate_subgroups": "subgroups",
    "reliability": "simulation",
    "alarms": "simulation",
    "Contract": "contract",
    "Results": "contract",
    "settle": "contract",
    "Economy": "economy",
    "cost_benefit": "economy",
    "clear": "disclosure",
    "report": "report",
    "Chapter": "chapter",
    "publish": "publication",
    "VirkningError": "errors",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module «virkning» has no attribute «{name}»")
    module = import_module(f".{_PUBLIC[name]}", __name__)
    return module if name == _PUBLIC[name] == "report" else getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
