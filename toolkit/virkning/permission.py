"""A specification of which only some parts may be read: what a chapter did not declare is refused to it.

A chapter is made again only when something that it reads has changed. Would it read a part that nobody knows of, a
change of that part would leave it as it was, and the book would contradict itself without a sign.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .errors import BookError
from .specification import Specification


def require_permission(path: str, parts: Collection[str], chapter: str) -> None:
    """Refuse a part of the specification that a chapter did not declare.

    Parameters
    ----------
    path : str
        Dotted path of the part.
    parts : collection of str
        Dotted paths of the parts that it declared.
    chapter : str
        Its name.

    Raises
    ------
    BookError
        The part is not among them.
    """
    if path not in parts:
        raise BookError(
            "book.undeclared_part",
            f"The chapter «{chapter}» reads «{path}», which it does not declare.",
            where=f"chapter {chapter}",
            why="It would not be made again when that changes, and the book would show what no longer holds.",
            do=f"Add «{path}» to what «{chapter}» reads, in the table of chapters.",
        )


class Permitted:
    """A specification that gives only some of its parts.

    Parameters
    ----------
    specification : Specification
        All of it.
    parts : collection of str
        Dotted paths of what may be read; a path permits everything below it.
    chapter : str
        Who reads it.
    path : str
        Where this specification stands in the whole.
    """

    __slots__ = ("_chapter", "_parts", "_path", "_specification")

    def __init__(self, specification: Specification, parts: Collection[str], chapter: str, path: str = "") -> None:
        self._specification, self._parts, self._chapter, self._path = specification, parts, chapter, path

    def __getattr__(self, name: str) -> Any:
        whole = f"{self._path}.{name}".lstrip(".")
        if name not in type(self._specification).model_fields:
            # A method, such as the one that gives all values at once.
            require_permission(self._path or "*", self._parts, self._chapter)
        elif whole not in self._parts and any(part.startswith(f"{whole}.") for part in self._parts):
            return Permitted(getattr(self._specification, name), self._parts, self._chapter, whole)
        else:
            require_permission(whole, self._parts, self._chapter)
        return getattr(self._specification, name)

    def __reduce__(self) -> tuple[type[Permitted], tuple[Any, ...]]:
        return Permitted, (self._specification, self._parts, self._chapter, self._path)

    def __repr__(self) -> str:
        return f"Permitted({', '.join(sorted(self._parts))})"
