"""The front page's answer: verdict, headline sentence, the levels behind it, and how sure one can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .. import language
from ..certainty import GRADES, Certainty
from ..designs.steps import is_step
from ..disclosure import Column, Table, persons_behind_difference
from ..estimand import Outcome
from ..estimates import Estimate, Estimates
from . import benchmarks
from .exhibit import Exhibit, escape, items
from .sentences import Scale, headline_text, interval_words, is_lottery, percent, term_label, verdict, verdict_text

TOP_LEVEL = 5
_NO_SHORT_ANSWER = "No short answer is documented."


def answer(estimate: Estimate) -> Exhibit:
    """Return what comes of it, in one box: verdict, sentence, levels with and without, evidence level."""
    found, words, sentence = verdict(estimate), verdict_text(estimate), headline_text(estimate)
    facts = _facts(estimate) if estimate.is_available else []
    boxes = "".join(
        f"<li><span>{escape(label)}</span><strong>{escape(value)}</strong><span>{escape(note)}</span></li>"
        for label, value, note in facts
    )
    content = (
        f'<div class="vk-answer vk-{found}"><p class="vk-verdict">{escape(words)}</p>'
        f"<p>{escape(sentence)}</p></div>" + (f'<ul class="vk-facts">{boxes}</ul>' if boxes else "")
    )
    return Exhibit("diagram", "answer", content, f"{words}. {sentence}")


def _facts(estimate: Estimate) -> list[tuple[str, str, str]]:
    best, about, level = estimate.headline(), estimate.estimand, estimate.evidence_level
    # One number has the same decimals wherever it stands: those of the effect, and those of the levels.
    scale, of_levels = Scale.of(about, best.value), _scale_of_levels(estimate)
    dots = "\N{BLACK CIRCLE}" * level.level + "\N{WHITE CIRCLE}" * (TOP_LEVEL - level.level)
    levels = [
        ("Without the programme", of_levels.say(estimate.comparison_mean), scale.unit),
        ("With the programme", of_levels.say(estimate.comparison_mean + best.value), scale.unit),
    ]
    held = about.benchmark
    return [
        *(levels if is_lottery(estimate) else []),
        (
            "Difference",
            scale.say(best.value, signed=True) + percent(about, best.value),
            f"{best.level:.0%} interval {interval_words(best, about)}",
        ),
        *([(held.label, scale.say(held.value, signed=True), f"{scale.unit}, from elsewhere")] if held else []),
        ("Evidence level", f"{level.level} of {TOP_LEVEL}", f"{dots} Maryland scale"),
    ]


def _scale_of_levels(estimate: Estimate) -> Scale:
    return Scale.of(estimate.estimand, estimate.comparison_mean)


def how_sure(certainty: Certainty) -> Exhibit:
    """Return how sure one can be, in one box: the grade, what it means, and each part with its own grade.

    Parameters
    ----------
    certainty : Certainty
        What :func:`virkning.how_sure` found. The parts that pull the grade down are marked.
    """
    weak, most = certainty.pulled_down_by, max(GRADES)

    def dots(grade: int) -> str:
        return "\N{BLACK CIRCLE}" * grade + "\N{WHITE CIRCLE}" * (most - grade)

    rows = "".join(
        f'<li{" class=vk-weak" if part in weak else ""}><p class="vk-part"><strong>{escape(part.title)}</strong> '
        f'<span class="vk-scale" aria-hidden="true">{dots(part.counts_as)}</span> <span>{escape(part.word)}'
        f"{', pulls it down' if part in weak else ''}</span></p><p>{escape(part.reason)}</p></li>"
        for part in certainty.parts
    )
    grade = certainty.grade
    scale = f' <span class="vk-scale" aria-hidden="true">{dots(grade)}</span>' if grade is not None else ""
    content = (
        f'<div class="vk-sure"><p class="vk-verdict">How sure: {escape(certainty.word.lower())}{scale}</p>'
        f"<p>{escape(certainty.sentence)}</p>" + (f'<ul class="vk-parts">{rows}</ul>' if rows else "") + "</div>"
    )
    said = " ".join(f"{part.title}: {part.word}. {part.reason}" for part in certainty.parts)
    return Exhibit("diagram", "how-sure", content, f"How sure: {certainty.sentence} {said}".strip())


def questions(what: str, why: str, how: str) -> Exhibit:
    """Return the questions what, why and how with a short answer and a link to the chapter that gives the long one.

    Parameters
    ----------
    what, why, how : str
        Short answers; of an empty one it is said that there is none.
    """
    boxes = "".join(
        f'<div><p class="vk-title">{title}</p><p>{escape(text or _NO_SHORT_ANSWER)}</p>'
        f'<p><a href="{page}.html">Read more<span class="vk-sr">: {title}</span></a></p></div>'
        for title, text, page in (
            ("What do we do?", what, "what"),
            ("Why do we do it?", why, "why"),
            ("How do we do it?", how, "how"),
        )
    )
    return Exhibit(
        "diagram", "questions", f'<div class="vk-questions">{boxes}</div>', f"What: {what}\nWhy: {why}\nHow: {how}"
    )


def outcomes_table(effects: Estimates, assigned: tuple[int, int]) -> Table:
    """Return one row per outcome: level without and with the programme (after a lottery), difference and interval.

    Values of yes/no outcomes are per 100 people.

    Parameters
    ----------
    effects : Estimates
        One row each.
    assigned : tuple of int
        Persons assigned to the programme and to the comparison. Where only a few of them lack the outcome, the number
        analysed is hidden, since the two numbers together would tell how few.
    """
    rows = []
    for estimate in effects.values():
        about = estimate.estimand
        if not estimate.is_available:
            rows.append(
                {"outcome": about.outcome, "interval": estimate.unavailable_reason, "persons": estimate.n_units}
            )
            continue
        best = estimate.headline()
        scale, of_levels = Scale.of(about, best.value), _scale_of_levels(estimate)
        first = estimate.effects.iloc[0]
        rows.append(
            {
                "outcome": f"{about.outcome} ({scale.unit})",
                "n_treated": first["n_treated"],
                "n_comparison": first["n_comparison"],
                "without": of_levels.say(estimate.comparison_mean) if is_lottery(estimate) else None,
                "with": of_levels.say(estimate.comparison_mean + best.value) if is_lottery(estimate) else None,
                "difference": scale.say(best.value, signed=True) + percent(about, best.value),
                "interval": f"{scale.say(best.lower)} to {scale.say(best.upper)}"
                + percent(about, best.lower, best.upper),
                "lost_treated": assigned[0] - first["n_treated"],
                "lost_comparison": assigned[1] - first["n_comparison"],
            }
        )
    level = language.number(effects.primary.level * 100)
    levels = (Column("without", "Without", persons="persons"), Column("with", "With", persons="persons"))
    columns = (
        Column("outcome", "Outcome"),
        *_counts(),
        *(levels if any(is_lottery(estimate) for estimate in effects.values()) else ()),
        Column("difference", "Difference", persons="persons"),
        Column("interval", f"{level}% interval"),
    )
    frame = pd.DataFrame(rows, columns=[*(column.name for column in columns), *_BEHIND])
    frame["persons"] = frame["persons"].fillna(persons_behind_difference(frame["n_treated"], frame["n_comparison"]))
    return Table("outcomes", "Every outcome that was declared", columns, frame)


_BEHIND = ("persons", "lost_treated", "lost_comparison")


def _counts() -> tuple[Column, Column]:
    return (
        Column("n_treated", "Persons, programme", "count", persons="lost_treated"),
        Column("n_comparison", "Persons, comparison", "count", persons="lost_comparison"),
    )


def answers(estimate: Estimate) -> pd.DataFrame:
    """Return the effects that answer the design's question: the declared one first, then those declared beside it.

    Steps of a path and parts of a change are no other answers; the design shows them as a finding.
    """
    effects = estimate.effects
    is_other = np.array([is_step(term) for term in effects["term"]], dtype=bool)
    is_other[:1] = False
    return effects[~is_other].reset_index(drop=True)


def effects_table(estimate: Estimate, assigned: tuple[int, int]) -> Table:
    """Return the answers of an estimate with error, interval and p-value, in the outcome's unit (shares as 0 to 1).

    Parameters
    ----------
    estimate : Estimate
        One row per answer, as :func:`answers` gives them.
    assigned : tuple of int
        As for :func:`outcomes_table`.
    """
    frame = answers(estimate)
    frame["label"] = [term_label(term) for term in frame["term"]]
    frame["persons"] = persons_behind_difference(frame["n_treated"], frame["n_comparison"])
    frame["lost_treated"] = assigned[0] - frame["n_treated"]
    frame["lost_comparison"] = assigned[1] - frame["n_comparison"]
    size = float(frame["value"].iloc[0]) if estimate.is_available else 0.0
    # Shares and logarithms are small numbers: two decimals would leave nothing to read.
    is_small = estimate.estimand.kind == "share" or 0 < abs(size) < 1
    digits = 4 if is_small else language.digits_for(estimate.estimand.kind, size)
    numbers = (("value", "Difference"), ("std_error", "Standard error"), ("lower", "Lower"), ("upper", "Upper"))
    frame, distance = benchmarks.column(estimate, frame, digits)
    columns = (
        Column("label", "Estimator"),
        *(Column(name, label, "number", digits=digits, persons="persons") for name, label in numbers),
        Column("p_value", "p-value", "p_value", persons="persons"),
        *distance,
        *_counts(),
    )
    unit = "share, 0 to 1" if estimate.estimand.kind == "share" else estimate.estimand.unit
    level = language.number(estimate.level * 100)
    return Table(
        f"effects-{estimate.estimand.measure}",
        f"{estimate.estimand.outcome}: difference in {unit}, with {level}% confidence intervals",
        columns,
        frame[[*(column.name for column in columns), *_BEHIND]],
        note="The first line is the estimate declared in the programme's specification."
        + benchmarks.note(estimate, lambda value: language.number(value, digits)),
    )


def measures_table(outcomes: Mapping[str, Outcome]) -> Table:
    """Return the declared outcomes: what is measured, in which unit, when, and which direction is good."""
    rows = [
        (
            outcome.label,
            measure,
            outcome.unit,
            outcome.period,
            outcome.horizon,
            outcome.better,
            "primary" if outcome.primary else "secondary",
        )
        for measure, outcome in outcomes.items()
    ]
    names = ("outcome", "measure", "unit", "period", "horizon", "better", "rank")
    labels = ("Outcome", "Name in the data", "Unit", "Period", "When", "Better when", "Rank")
    columns = tuple(Column(name, label) for name, label in zip(names, labels, strict=True))
    return Table("measures", "The outcomes that were declared", columns, pd.DataFrame(rows, columns=list(names)))


def conclusions(can: Sequence[str], cannot: Sequence[str]) -> Exhibit:
    """Return what one can and what one cannot conclude, side by side."""
    sides = "".join(
        f'<div class="vk-side"><p class="vk-title">{title}</p>{items(texts)}</div>'
        for title, texts in (("What one can conclude", can), ("What one cannot conclude", cannot))
    )
    text = "Can: " + " ".join(can) + "\nCannot: " + " ".join(cannot)
    return Exhibit("diagram", "conclusions", f'<div class="vk-sides">{sides}</div>', text)
