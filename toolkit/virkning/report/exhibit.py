"""What a chapter may show: HTML or Markdown with a mark that says that the toolkit made it.

The gate before publication lets through only outputs that carry this mark, so a raw frame or a stray print never
reaches a reader.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MARK = "application/vnd.virkning.exhibit+json"


@dataclass(frozen=True)
class Exhibit:
    """One table, figure, diagram or passage of text.

    Attributes
    ----------
    kind : str
        ``table``, ``figure``, ``diagram`` or ``prose``.
    name : str
        Short name, unique in a chapter.
    content : str
        HTML, or MyST Markdown for prose.
    text : str
        The same in plain words, for a terminal and a screen reader.
    """

    kind: str
    name: str
    content: str = field(repr=False)
    text: str = field(repr=False)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Mapping[str, Any]:
        language = "text/markdown" if self.kind == "prose" else "text/html"
        return {language: self.content, "text/plain": self.text, MARK: {"kind": self.kind, "name": self.name}}

    def __str__(self) -> str:
        return self.text


def escape(text: object) -> str:
    """Return text that is safe inside HTML."""
    return html.escape(str(text), quote=True)


def items(texts: Sequence[str], name: str = "") -> str:
    """Return an HTML list."""
    label = f' class="{name}"' if name else ""
    return f"<ul{label}>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def prose(name: str, markdown: str) -> Exhibit:
    """Return a passage of MyST Markdown whose numbers were computed by the caller."""
    return Exhibit("prose", name, markdown, markdown)
