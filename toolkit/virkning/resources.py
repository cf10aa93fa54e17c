"""Where the things that are not code are found: notebooks, chapters, schemas, example programmes.

In a clone they stand at the root; in an installed wheel they stand inside the package. Everything else asks here.
"""

from __future__ import annotations

from pathlib import Path

_INSIDE = Path(__file__).parent / "shipped"
_CLONE = Path(__file__).parents[2]


def folder(name: str) -> Path:
    """Return the folder (or file) of that name among the shipped resources.

    Parameters
    ----------
    name : str
        ``notebooks``, ``book``, ``data_schemas``, ``programmes`` or ``_config.yml``.
    """
    return (_INSIDE if _INSIDE.is_dir() else _CLONE) / name


def example(name: str) -> Path:
    """Return the folder of a shipped programme, such as ``nsw``."""
    return folder("programmes") / name
