"""Runs notebooks: parameters checked first, a private kernel for each, no person's value in a failure.

`kernels` opens warm kernels and gives one `execute` for every kind; `execute` alone runs one notebook as stock
papermill does. `ForkServer` is what warm kernels and book builds stand on.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .forks import ENVIRONMENT, ForkServer

if TYPE_CHECKING:
    from .kinds import Kernels as Kernels
    from .kinds import kernels as kernels
    from .stock import execute as execute

# Imported when first used: a server, and whoever has papermill look for its engines, begins with this file.
_LATER = {"Kernels": "kinds", "kernels": "kinds", "execute": "stock"}
__all__ = ["ENVIRONMENT", "ForkServer", "Kernels", "execute", "kernels"]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module «{__name__}» has no attribute «{name}»")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
