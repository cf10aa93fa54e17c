"""Tables, figures, sentences and diagrams: everything that a reader sees, from cleared tables and estimates only.

Each part is imported when it is first used: most commands show words alone, and what draws takes a second to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import curves as curves
    from . import diagrams as diagrams
    from . import economy as economy
    from . import figures as figures
    from . import plans as plans
    from . import record as record
    from . import sentences as sentences
    from . import sweeps as sweeps
    from .exhibit import MARK as MARK
    from .exhibit import Exhibit as Exhibit
    from .exhibit import folded as folded
    from .exhibit import headed as headed
    from .exhibit import prose as prose
    from .front_page import answer as answer
    from .front_page import conclusions as conclusions
    from .front_page import effects_table as effects_table
    from .front_page import how_sure as how_sure
    from .front_page import measures_table as measures_table
    from .front_page import outcomes_table as outcomes_table
    from .front_page import questions as questions
    from .sentences import Scale as Scale
    from .sentences import Verdict as Verdict
    from .sentences import headline_text as headline_text
    from .sentences import verdict as verdict
    from .tables import table as table
    from .tables import to_csv as to_csv

PARTS = ("curves", "diagrams", "economy", "figures", "plans", "record", "sentences", "sweeps")
_WHERE = {
    **dict.fromkeys(
        ("answer", "conclusions", "effects_table", "how_sure", "measures_table", "outcomes_table", "questions"),
        "front_page",
    ),
    **dict.fromkeys(("MARK", "Exhibit", "folded", "headed", "prose"), "exhibit"),
    **dict.fromkeys(("Scale", "Verdict", "headline_text", "verdict"), "sentences"),
    **dict.fromkeys(("table", "to_csv"), "tables"),
}
__all__ = list(PARTS + tuple(_WHERE))


def __getattr__(name: str) -> Any:
    if name in PARTS:
        return import_module(f".{name}", __name__)
    if name not in _WHERE:
        raise AttributeError(f"module «{__name__}» has no attribute «{name}»")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
