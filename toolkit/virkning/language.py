"""Numbers and dates as readers of a language write them; lists, plurals and what participants are called."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from babel.numbers import format_decimal
from pydantic import Field

from .specification import Specification

Code = Literal["en", "da"]
MINUS = "\N{MINUS SIGN}"


# A person, with the article before it and the genitive after it.
_PERSON = re.compile(r"\b(?:(an?)(\s+))?(person|persons|people)\b(['’]s?(?![a-z]))?", re.IGNORECASE)
# What in Markdown is no running text: code, roles with their targets, links.
_NO_WORDS = re.compile(r"(\{[\w:]+\})?`[^`\n]+`|\]\([^)]*\)|https?://\S+")
# What in HTML is read: text between tags, and attributes that are read aloud.
_READ = re.compile(r"(?<=>)[^<]+|(?<= alt=\")[^\"]*|(?<= aria-label=\")[^\"]*|(?<= title=\")[^\"]*|\A[^<]+")


class Participants(Specification):
    """What one row of the participants is called in generated sentences and tables: a person, unless said otherwise.

    The toolkit writes of persons. A book on firms or schools says so where its words are generated; what the programme
    itself wrote stays as it is.
    """

    one: str = Field(default="person", min_length=1, description="One of them: «firm».")
    many: str = Field(default="people", min_length=1, description="Several of them: «firms».")

    def speak_of(self, markdown: str, own: Iterable[str] = ()) -> str:
        """Return generated Markdown that speaks of these participants.

        Parameters
        ----------
        markdown : str
            Code, links and references in it stay as they are.
        own : iterable of str
            What the programme wrote itself; it is left alone wherever it stands.

        Examples
        --------
        >>> Participants(one="firm", many="firms").speak_of("Each person's own mean; 54 persons, 12 per 100 people")
        "Each firm's own mean; 54 firms, 12 per 100 firms"
        """
        if self == Participants():
            return markdown
        kept = [re.escape(text) for text in _with_persons(own)]
        return _outside(re.compile("|".join([*kept, _NO_WORDS.pattern])), self._renamed, markdown)

    def speak_of_html(self, content: str, own: Iterable[str] = ()) -> str:
        """Return generated HTML that speaks of these participants, as :meth:`speak_of`."""
        if self == Participants():
            return content
        kept = re.compile("|".join(re.escape(html.escape(text)) for text in _with_persons(own)) or r"(?!)")
        return _READ.sub(lambda found: _outside(kept, self._renamed, found[0]), content)

    def _renamed(self, text: str) -> str:
        return _PERSON.sub(self._name, text)

    def _name(self, found: re.Match[str]) -> str:
        article, space, word, genitive = found.groups()
        is_one = word.lower() == "person"
        name = self.one if is_one else self.many
        name = name[:1].upper() + name[1:] if word[0].isupper() else name
        before = ""
        if article:
            right = "an" if self.one[0].lower() in "aeiou" else "a"
            before = (right.capitalize() if article[0].isupper() else right) + space
        after = "" if not genitive else genitive[0] if name.endswith("s") else f"{genitive[0]}s"
        return before + name + after


def _with_persons(own: Iterable[str]) -> list[str]:
    """Return the passages that speak of persons, the longest first; a single word is no passage."""
    found = {text.strip() for text in own if _PERSON.search(text) and " " in text.strip()}
    return sorted(found, key=lambda text: (-len(text), text))


def _outside(kept: re.Pattern[str], change: Callable[[str], str], text: str) -> str:
    """Return the text with everything changed that does not match what is kept."""
    parts, end = [], 0
    for found in kept.finditer(text):
        parts += [change(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*parts, change(text[end:])])


def number(value: float, digits: int = 0, language: Code = "en", *, signed: bool = False) -> str:
    """Return a number with the language's separators and a true minus sign.

    >>> number(-1794.342, 0)
    '−1,794'
    >>> number(1794.342, 1, "da")
    '1.794,3'
    """
    rounded = round(float(value), digits) + 0.0
    if math.isclose(rounded, 0.0, abs_tol=10 ** (-digits - 6)):
        rounded = 0.0
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    text = format_decimal(abs(rounded), format=pattern, locale=language)
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return sign + text


def digits_for(kind: str, value: float = 0.0) -> int:
    """Return how many decimals a reader needs: none for large amounts, one for shares, up to two else."""
    if kind == "share":
        return 1
    size = abs(value)
    return 0 if size >= 100 else 1 if size >= 10 else 2


def p_value(value: float, language: Code = "en") -> str:
    """Return a p-value with three decimals, never as zero.

    >>> p_value(0.00001)
    '< 0.001'
    """
    return "< " + number(0.001, 3, language) if value < 0.001 else number(value, 3, language)


def join(items: Sequence[str], word: str = "and") -> str:
    """Return the items as a list in a sentence.

    >>> join(["what", "why", "how"])
    'what, why and how'
    """
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + f" {word} {items[-1]}"


def plural(n: int, one: str, many: str) -> str:
    """Return the number with the noun in its right form."""
    return f"{number(n)} {one if n == 1 else many}"
