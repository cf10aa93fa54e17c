"""Why a chapter is made, or not, in words."""

from __future__ import annotations

from ..digests import PACKAGES, PYTHON, SCHEMAS, TABLES, TOOLKIT
from .inputs import NOTEBOOK, Inputs

AGAIN = "made before of the same inputs"
FIRST = "not made before"
LOST = "nothing changed, but it was not finished or is no longer there"
_GENERAL = {
    NOTEBOOK: "its text",
    TOOLKIT: "the toolkit's code",
    SCHEMAS: "the data schemas",
    TABLES: "the tables of the book",
    PACKAGES: "the installed packages",
    PYTHON: "the version of Python",
}


def reason(inputs: Inputs, before: Inputs | None) -> str:
    """Return why a chapter is made: what has changed since it was last asked for.

    Parameters
    ----------
    inputs : mapping of str to str
        What goes into it, by name, with digests.
    before : mapping of str to str, optional
        The same when it was last asked for.
    """
    if before is None:
        return FIRST
    changed = [name for name in (*inputs, *before) if inputs.get(name) != before.get(name)]
    if not changed:
        return LOST
    return f"changed: {', '.join(_GENERAL.get(name, name) for name in dict.fromkeys(changed))}"
