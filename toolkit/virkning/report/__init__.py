"""Tables, figures, sentences and diagrams: everything that a reader sees, from cleared tables and estimates only."""

from . import curves, diagrams, figures, plans, record, sentences
from .answer import answer, conclusions, effects_table, how_sure, measures_table, outcomes_table, questions
from .exhibit import MARK, Exhibit, folded, prose
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
    "folded",
    "headline_text",
    "how_sure",
    "measures_table",
    "outcomes_table",
    "plans",
    "prose",
    "questions",
    "record",
    "sentences",
    "table",
    "to_csv",
    "verdict",
]
