"""On how many persons a mean rests: what disclosure control must know about it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def persons_behind_mean(values: ArrayLike) -> int:
    """Return the number of persons whose value differs from one that at least half of them share, or of all persons.

    A mean over a hundred persons of whom ninety-nine have a zero tells the value of the hundredth. For a yes/no trait
    this is the smaller of those with and those without it. ``values`` has shape (n,).

    >>> persons_behind_mean([0, 0, 0, 7]), persons_behind_mean([1, 1, 1]), persons_behind_mean([3, 5, 8, 9])
    (1, 3, 4)
    """
    array = np.asarray(values, dtype=float)
    n = int(array.size)
    if n == 0:
        return 0
    # Of what half of more than four persons share, two lie beside each other or have one between them.
    if n > 4 and not ((array[1:] == array[:-1]).any() or (array[2:] == array[:-2]).any()):
        return n
    # What half of them share stands in the middle.
    middle = np.partition(array, [(n - 1) // 2, n // 2])[[(n - 1) // 2, n // 2]]
    most_common = max(int((array == value).sum()) for value in middle)
    return n - most_common if n <= 2 * most_common < 2 * n else n
