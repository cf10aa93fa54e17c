"""Diagrams made of text: they bend to the width of a phone, can be read aloud and searched, and need no script."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..description import Partner, TheoryOfChange, Tidier
from ..disclosure import ClearedTable, Column, DisclosureRule, Table, clear
from .exhibit import Exhibit, escape, items
from .tables import HIDDEN, download, formatted, require_cleared, table

NOT_DOCUMENTED = "Not documented"


def theory_of_change(theory: TheoryOfChange) -> Exhibit:
    """Return the chain from inputs to impact, with what must hold on the way."""
    stages: list[tuple[str, Sequence[str]]] = [
        ("Inputs", theory.inputs),
        ("Activities", theory.activities),
        ("Outputs", theory.outputs),
        ("Outcomes", [aim.text + (" (measured)" if aim.measure else "") for aim in theory.outcomes]),
        ("Impact", theory.impact),
    ]
    boxes = "".join(
        f'<li class="vk-stage"><p class="vk-title">{title}</p>{items(texts or [NOT_DOCUMENTED])}</li>'
        for title, texts in stages
    )
    sides = "".join(
        f'<div class="vk-side"><p class="vk-title">{title}</p>{items(texts or [NOT_DOCUMENTED])}</div>'
        for title, texts in (("What must hold", theory.assumptions), ("What else plays in", theory.external_factors))
    )
    content = (
        '<figure class="vk-diagram" role="group" aria-label="Theory of change, from inputs to impact">'
        f'<ol class="vk-chain">{boxes}</ol><div class="vk-sides">{sides}</div></figure>'
    )
    text = "\n".join(f"{title}: " + ("; ".join(texts) or NOT_DOCUMENTED) for title, texts in stages)
    return Exhibit("diagram", "theory-of-change", content, text)


def flow(cleared: ClearedTable) -> Exhibit:
    """Return the participant flow in the manner of CONSORT.

    Parameters
    ----------
    cleared : ClearedTable
        One row per step with the columns ``step``, ``everyone``, ``treated``, ``comparison``; a step before assignment
        has ``everyone`` only.
    """
    require_cleared(cleared)
    steps = []
    for position in range(len(cleared.frame)):
        numbers = {name: _number(cleared, name, position) for name in ("everyone", "treated", "comparison")}
        words = f"<p>{escape(cleared.frame['step'].iloc[position])}</p>"
        if numbers["treated"] or numbers["comparison"]:
            arms = "".join(
                f'<div class="vk-arm"><span>{escape(column.label)}</span><strong>{numbers[column.name]}</strong></div>'
                for column in cleared.columns
                if column.name in ("treated", "comparison")
            )
            steps.append(f'<li class="vk-step vk-split">{words}<div class="vk-arms">{arms}</div></li>')
        else:
            steps.append(f'<li class="vk-step">{words}<strong>{numbers["everyone"]}</strong></li>')
    content = (
        f'<figure class="vk-diagram" role="group" aria-label="{escape(cleared.title)}">'
        f'<ol class="vk-flow">{"".join(steps)}</ol>'
        f"<figcaption><p>{escape(cleared.note)}</p>{download(cleared)}</figcaption></figure>"
    )
    text = "\n".join(str(cleared.frame["step"].iloc[position]) for position in range(len(cleared.frame)))
    return Exhibit("diagram", cleared.name, content, text)


def _number(cleared: ClearedTable, name: str, position: int) -> str:
    if cleared.hidden[name].iloc[position]:
        return HIDDEN
    column = next(column for column in cleared.columns if column.name == name)
    return formatted(cleared.frame[name].iloc[position], column)


def tidier(description: Tidier, rule: DisclosureRule) -> Exhibit:
    """Return the twelve TIDieR items; a missing one is printed as not documented."""
    rows = [(number, title, text or NOT_DOCUMENTED) for number, title, text in description.items()]
    frame = pd.DataFrame(rows, columns=["item", "title", "text"])
    return table(
        clear(
            Table(
                name="tidier",
                title="The programme described by the twelve items of TIDieR",
                columns=(Column("item", "Item"), Column("title", "About"), Column("text", "Description")),
                frame=frame,
                note=f"{description.n_documented} of {len(rows)} items are documented.",
            ),
            rule,
        )
    )


def partners(who: Sequence[Partner], rule: DisclosureRule) -> Exhibit:
    """Return who takes part, and in which role."""
    frame = pd.DataFrame([(p.name, p.kind, p.role) for p in who], columns=["name", "kind", "role"])
    columns = (Column("name", "Partner"), Column("kind", "Kind"), Column("role", "Role"))
    return table(clear(Table("partners", "Partners and their roles", columns, frame), rule))
