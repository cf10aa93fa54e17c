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
        ``table``, ``figure``, ``diagram``, ``folded`` or ``prose``.
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


def headed(name: str, title: str, markdown: str, *, level: int = 2) -> Exhibit:
    """Return a passage under a heading of its own, for a section that not every programme has.

    Parameters
    ----------
    name : str
        Short name, unique in a chapter.
    title : str
        The heading.
    markdown : str
        As of :func:`prose`.
    level : int
        Of the heading.
    """
    return prose(name, f"```{{rubric}} {title}\n:heading-level: {level}\n```\n\n{markdown}")


def folded(name: str, title: str, sections: Sequence[tuple[str, str, Sequence[Exhibit]]]) -> Exhibit:
    """Return sections that a reader opens when wanted: each a question, a sentence, and its figures and tables.

    Parameters
    ----------
    name : str
        Short name, unique in a chapter.
    title : str
        What stands there while it is closed.
    sections : sequence of tuple
        Question, sentence, and exhibits.
    """
    parts, said = [], [title]
    for question, sentence, exhibits in sections:
        shown = "".join(
            f"<p>{escape(exhibit.text)}</p>" if exhibit.kind == "prose" else exhibit.content for exhibit in exhibits
        )
        parts.append(f'<p class="vk-question">{escape(question)}</p><p>{escape(sentence)}</p>{shown}')
        said += [question, sentence, *(exhibit.text for exhibit in exhibits)]
    content = f'<details class="vk-folded"><summary>{escape(title)}</summary>{"".join(parts)}</details>'
    return Exhibit("folded", name, content, "\n".join(said))
