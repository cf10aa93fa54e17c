"""Within one estimate, what was computed to find problems is not computed again for the numbers.

A design looks for problems before anything is fitted, and some can be seen only in a fit that the estimate needs too:
whether a score exists, whether anybody finds a neighbour. Outcomes that everybody has need the same score as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Found = TypeVar("Found")
Arrays = tuple[NDArray[Any], ...]

_KEPT: ContextVar[dict[str, tuple[object, Arrays, Any]] | None] = ContextVar("virkning_remembered", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Keep, until this ends, the last result of each kind that :func:`remembered` makes."""
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def remembered(kind: str, key: object, arrays: Arrays, make: Callable[[], Found]) -> Found:
    """Return what was made from exactly these numbers before, or make it; an error is never kept.

    Parameters
    ----------
    kind : str
        Of each kind the last result is kept, and only inside :func:`remembering`.
    key : object
        Choices that the result depends on; compared for equality.
    arrays : tuple of ndarray
        All numbers that it depends on; compared element by element, which takes a fraction of making it.
    make : callable
        What gives the result.
    """
    kept = _KEPT.get()
    if kept is None:
        return make()
    if kind in kept:
        other, numbers, found = kept[kind]
        if other == key and all(map(np.array_equal, numbers, arrays)):
            return found  # type: ignore[no-any-return]
    made = make()
    kept[kind] = (key, arrays, made)
    return made
