"""Terms that are a step of a path or a part of a change, and so no other answer to the design's question.

They stay in ``effects``, where programs find them; a page shows them as a path, never in a list of alternatives.
"""

from __future__ import annotations

import re

EVENT, COHORT, PERIOD, RETURN = "event", "cohort", "period", "return"
LEVEL, SLOPE = "level", "slope"
_STEPS = frozenset({EVENT, COHORT, PERIOD, RETURN, LEVEL, SLOPE})


def is_step(term: str) -> bool:
    """Tell whether a term is a step or a part: its first word says so, and no estimator begins with such a word.

    >>> is_step("event, 1977"), is_step("cohort 2004"), is_step("adjusted, clustered")
    (True, True, False)
    """
    return re.split(r"[ ,]", term, maxsplit=1)[0] in _STEPS
