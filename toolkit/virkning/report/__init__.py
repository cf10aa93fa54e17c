"""Tables, figures, sentences and diagrams: everything that a reader sees, from cleared tables and estimates only."""

from . import curves, diagrams, economy, figures, plans, record, sentences, sweeps
from .answer import answer, conclusions, effects_table, how_sure, measures_table, outcomes_table, questions
from .exhibit import MARK, Exhibit, folded, headed, prose
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
    "economy",
    "effects_table",
    "figures",
    "folded",
    "headed",
    "headline_text",
    "how_sure",
    "measures_table",
    "outcomes_table",
    "plans",
    "prose",
    "questions",
    "record",
    "sentences",
    "sweeps",
    "table",
    "to_csv",
    "verdict",
]
