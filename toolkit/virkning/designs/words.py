"""The words of a design: what it asks, what it assumes, what one may and may not conclude from it."""

from __future__ import annotations

from dataclasses import dataclass

from ..estimates import EvidenceLevel


@dataclass(frozen=True)
class Assumption:
    """Something that must be true for the estimate to be an effect.

    Attributes
    ----------
    name : str
        The field's term.
    words : str
        What it means, in a sentence that a board member understands.
    notation : str
        The same in LaTeX, without dollar signs.
    """

    name: str
    words: str
    notation: str


@dataclass(frozen=True)
class DesignWords:
    """Everything that a book says about a design whatever the programme.

    Attributes
    ----------
    title, question : str
        Name of the design, and the question that it answers.
    estimand, notation : str
        What is estimated, in words and in LaTeX without dollar signs.
    assumptions : tuple of Assumption
        What must be true.
    can_conclude, cannot_conclude : tuple of str
        Sentences.
    evidence_level : EvidenceLevel
        Maryland scale, with the reason.
    chapter : str
        The chapter of the book, and the module, that bear the design's name.
    citation : str
        Key in ``book/references.bib``.
    """

    title: str
    question: str
    estimand: str
    notation: str
    assumptions: tuple[Assumption, ...]
    can_conclude: tuple[str, ...]
    cannot_conclude: tuple[str, ...]
    evidence_level: EvidenceLevel
    chapter: str
    citation: str
