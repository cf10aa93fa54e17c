"""Tables, figures, sentences and diagrams: everything that a reader sees, from cleared tables and estimates only."""

from . import curves, diagrams, figures, record, sentences
from .answer import answer, conclusions, effects_table, measures_table, outcomes_table, questions
from .exhibit import MARK, Exhibit, prose
from .sentences import Scale, Verdict, headline_text, verdict
from .tables import table, to_csv

__all__ = [
    "MARK",
    "Exhibit",
    "Scale",
    "Verdict",
    "answer",
    "conclusions",
    "curves",
    "diagrams",
    "effects_table",
    "figures",
    "headline_text",
    "measures_table",
    "outcomes_table",
    "prose",
    "questions",
    "record",
    "sentences",
    "table",
    "to_csv",
    "verdict",
]
