"""What a reader sees of a plan: what could be seen, the design with its assumptions, and what will be looked at."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from .. import language
from ..checks import CHECKS, CheckSettings, chosen
from ..designs import EvaluationDesign
from ..disclosure import Column, Table
from ..estimand import Outcome
from ..planning import PlannedPower
from .exhibit import Exhibit, escape, prose


def answer(planned: PlannedPower) -> Exhibit:
    """Return how small a change can be seen, in one box."""
    sentences = [text for text in (planned.sentence, planned.worthwhile_sentence) if text]
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in sentences)
    return Exhibit(
        "diagram",
        "planned-answer",
        f'<div class="vk-answer vk-changed"><p class="vk-verdict">{escape(planned.label)}</p>{paragraphs}</div>',
        f"{planned.label}. {' '.join(sentences)}",
    )


def method(planned: PlannedPower) -> Exhibit:
    """Return how the smallest effect was computed, and what to know about it."""
    level = language.number((1 - planned.setting.significance) * 100)
    notes = "".join(f" {note}" for note in planned.notes)
    return prose(
        f"plan-method-{planned.label}",
        f"Computed by {planned.method} {{cite:p}}`{planned.source}`, for {level}% confidence intervals.{notes}",
    )


def design(design: EvaluationDesign) -> Exhibit:
    """Return the question that the design answers, what is estimated, and what must be true."""
    words = design.words
    level = words.evidence_level
    lines = [
        f"**{words.title}.** {words.question}",
        f"**What will be estimated.** {words.estimand}, among {design.population}, compared with {design.comparison}.",
        f"$$\n{words.notation}\n$$",
        "**What must be true.**",
        "\n".join(f"- **{each.name}.** {each.words}" for each in words.assumptions),
        f"**Evidence level {level.level} of 5** (Maryland scale): {level.reason}",
        f"More in {{doc}}`the chapter on the method <methods/{words.chapter}>`.",
    ]
    return prose("planned-design", "\n\n".join(lines))


def outcomes_table(outcomes: Mapping[str, Outcome], planned: Mapping[str, PlannedPower]) -> Table:
    """Return one row per declared outcome: when it is measured, and how small a change of it can be seen."""
    rows = []
    for measure, outcome in outcomes.items():
        found = planned.get(measure)
        smallest = None if found is None else found.minimum_detectable_effect
        rows.append(
            {
                "outcome": outcome.label,
                "rank": "primary" if outcome.primary else "secondary",
                "when": outcome.horizon or outcome.period,
                "better": outcome.better,
                "smallest": "nothing is expected of it yet"
                if found is None
                else "none that is possible"
                if smallest is None
                else found.say(smallest),
            }
        )
    columns = (
        Column("outcome", "Outcome"),
        Column("rank", "Rank"),
        Column("when", "When"),
        Column("better", "Better when"),
        Column("smallest", "Smallest change that can be seen"),
    )
    frame = pd.DataFrame(rows, columns=[column.name for column in columns])
    return Table("planned-outcomes", "The outcomes, as declared before the start", columns, frame)


def checks_table(design: EvaluationDesign, settings: CheckSettings) -> Table:
    """Return the checks that will be made, and those that will not, with the reason."""
    made = chosen(design, settings)
    rows = [(_title(name), "will be made") for name in CHECKS if name in made]
    rows += [(_title(name), f"left out: {reason}") for name, reason in settings.omit.items()]
    columns = (Column("check", "Check"), Column("plan", "Plan"))
    frame = pd.DataFrame(rows or [("None", "the design has no checks of its own")], columns=["check", "plan"])
    return Table("planned-checks", "What a sceptic would ask, and the book will answer", columns, frame)


def groups_text(groups: Mapping[str, str], vulnerability: str) -> Exhibit:
    """Return the groups in which the effect will be looked at, declared before anybody knows the results."""
    lines = [f"- {label}" for label in groups.values()] or ["- None is declared."]
    weakest = f"\n- The most vulnerable: {vulnerability}" if vulnerability else ""
    return prose("planned-groups", "\n".join(lines) + weakest)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
