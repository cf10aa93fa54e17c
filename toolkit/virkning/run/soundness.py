"""Data and design are looked at before anything runs, and once for the same content."""

from __future__ import annotations

from ..checks import chosen, require_sound_checks
from ..contract.acceptance import require_estimable
from ..data import read_data
from ..designs import require_sound
from ..planning import require_sound_plan
from ..programme import Programme
from ..subgroups import require_before_start
from .inputs import inputs_of_parts, key
from .store import Store

Facts = dict[str, str | int]
_PARTS = ("data", "design", "outcomes", "checks", "subgroups", "vulnerability", "plan")
NO_DATA = "no data yet"


def require_sound_programme(programme: Programme, store: Store | None = None) -> Facts:
    """Refuse data that break their schema, and a design that the data cannot honour; return facts about the data.

    Parameters
    ----------
    programme : Programme
        With data, or only planned.
    store : Store, optional
        Remembers what was found sound: the same content is looked at once.

    Returns
    -------
    dict
        ``data_checksum``, ``participants`` and ``outcomes`` (rows).

    Raises
    ------
    ProgrammeError, DataError, DesignError
        The first kind of problem found.
    """
    if programme.has_contract:
        require_estimable(programme.contract, programme.outcomes, programme.design.type)
    mark = key("sound", inputs_of_parts(programme, _PARTS))
    known = store.facts(mark) if store else None
    if known is not None:
        return known
    settings = programme.specification
    chosen(programme.design, settings.checks)
    facts: Facts = {"data_checksum": NO_DATA, "participants": 0, "outcomes": 0}
    if programme.is_planned:
        require_sound_plan(programme.plan, programme.design.type, programme.design)
    else:
        tables = read_data(programme)
        require_sound(programme.design, tables)
        require_sound_checks(programme.design, tables, settings.checks)
        require_before_start(programme.design, tables, settings.subgroups, settings.vulnerability)
        facts = {
            "data_checksum": tables.checksum,
            "participants": len(tables.participants),
            "outcomes": len(tables.outcomes),
        }
    if store:
        store.note_facts(mark, facts)
    return facts
