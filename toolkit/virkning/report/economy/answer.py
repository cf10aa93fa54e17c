"""Does it pay? The answer by payer, what stands behind it, and what the front page says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from ... import language
from ...disclosure import ClearedTable, Column, Table
from ...economy import CostBenefit, scenarios
from ...economy.pictures import balance_table, called, others, payers, spread_table, surprise, waterfall_table
from ...economy.results import PUBLIC
from ...economy.sensitivity import SOCIETY
from ..exhibit import Exhibit, escape, folded, headed, prose
from ..tables import table
from . import figures

Clear = Callable[[Table], ClearedTable]
QUESTION = "What does it cost, and when is it earned back?"
_HIDDEN = "No amount may be shown: too few persons stand behind the effects that are valued."


def is_shown(found: CostBenefit, clear: Clear) -> bool:
    """Tell whether amounts that rest on the effects may be shown at all.

    Parameters
    ----------
    found : CostBenefit
        All of them rest on the same number of persons.
    clear : callable
        The programme's rule of disclosure control.
    """
    return not clear(found.by_payer()).n_hidden


def answer(found: CostBenefit, clear: Clear) -> Exhibit:
    """Return the finance officer's answer in one box: one sentence for each payer, then for everybody else.

    Parameters
    ----------
    found : CostBenefit
        What :func:`virkning.cost_benefit` returned.
    clear : callable
        The programme's rule of disclosure control.
    """
    if not is_shown(found, clear):
        return prose("answer", _HIDDEN)
    first = [found.sentence(party) for party in payers(found) if party != PUBLIC]
    rest = [found.sentence(party) for party in (*others(found), SOCIETY)]

    def listed(sentences: Sequence[str]) -> str:
        return "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)

    content = (
        f'<div class="vk-answer vk-unclear"><p class="vk-verdict">{QUESTION}</p>'
        f'<ul class="vk-payers">{listed(first)}</ul></div>'
        f'<p class="vk-title">Everybody else, and all together</p><ul class="vk-payers">{listed(rest)}</ul>'
    )
    return Exhibit("diagram", "economy-answer", content, " ".join([QUESTION, *first, *rest]))


def basis(found: CostBenefit, clear: Clear) -> Exhibit:
    """Return what every amount is, and where the likeliest values and most draws disagree."""
    if not is_shown(found, clear):
        return prose("basis", _HIDDEN)
    said = [
        f"{called(found, party)}: {words}" for party in (*payers(found), SOCIETY) if (words := surprise(found, party))
    ]
    if not said:
        return prose("basis", found.note)
    why = (
        "Where the sum at the likeliest values and the middle of the draws lie on two sides of zero, both are said "
        "here. They differ because some ranges reach further to one side than to the other."
    )
    return prose("basis", f"{found.note}\n\n{why} {' '.join(said)}")


def payer_sections(found: CostBenefit, clear: Clear) -> list[Exhibit]:
    """Return each payer's waterfall and balance; those of everybody else are folded away.

    Parameters
    ----------
    found, clear
        As of :func:`answer`.
    """
    if not is_shown(found, clear):
        return [prose("payers", _HIDDEN)]
    shown: list[Exhibit] = []
    for party in payers(found):
        name = called(found, party)
        shown += [
            headed(f"payer-{party}", name, "", level=3),
            _waterfall(found, party, clear),
            figures.balance(clear(balance_table(found, party)), found.currency, found.level),
            folded(f"numbers-{party}", f"{name}: the numbers", [("", "", _numbers(found, party, clear))]),
        ]
    rest = [(called(found, party), found.sentence(party), [_waterfall(found, party, clear)]) for party in others(found)]
    return [*shown, folded("everybody-else", "Everybody else, line by line (welfare view)", rest)] if rest else shown


def _waterfall(found: CostBenefit, party: str, clear: Clear) -> Exhibit:
    return figures.waterfall(clear(waterfall_table(found, party)), found.currency)


def _numbers(found: CostBenefit, party: str, clear: Clear) -> list[Exhibit]:
    return [table(clear(waterfall_table(found, party))), table(clear(balance_table(found, party)))]


def spread(found: CostBenefit, clear: Clear) -> list[Exhibit]:
    """Return how everybody's result spreads over the draws: figure and table."""
    cleared = clear(spread_table(found))
    return [figures.spread(cleared, found.currency), table(cleared)]


def key_figures(found: CostBenefit, clear: Clear) -> Exhibit:
    """Return society's key figures, each with what it says in words; the marginal value of public funds among them."""
    rows = [(figure.title, _value(figure.value, figure.unit), figure.sentence) for figure in found.figures()]
    columns = (Column("figure", "Figure"), Column("value", "Value", persons="n_persons"), Column("words", "In words"))
    frame = pd.DataFrame(rows, columns=[column.name for column in columns]).assign(n_persons=found.n_persons)
    if not is_shown(found, clear):
        frame["words"] = ""
    return table(clear(Table("key-figures", "Key figures of society (welfare view)", columns, frame)))


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "none"
    if value == float("inf"):
        return "infinite"
    if unit == "a year":
        return f"{language.number(100 * value, 1)} %"
    return language.number(value, 0 if abs(value) >= 1000 else 2)


def hangs_on(found: CostBenefit, clear: Clear) -> list[Exhibit]:
    """Return what the result hangs on, for the first payer and for society: tornado charts and switching values."""
    shown: list[Exhibit] = []
    for party in dict.fromkeys((*payers(found)[:1], SOCIETY)):
        cleared = clear(found.tornado(party))
        cleared = _renamed(cleared, party)
        shown += [
            figures.tornado(cleared, found.net_present_value(party), found.currency),
            folded(
                f"behind-{party}",
                f"{called(found, party)}: every input, and where the result turns",
                [
                    ("How far does each input move the result?", "", [table(cleared)]),
                    (
                        "At which value of each input would the result turn?",
                        "All others stay as assumed.",
                        [table(_renamed(clear(found.switching_values(party)), party))],
                    ),
                ],
            ),
        ]
    return shown


def _renamed(cleared: ClearedTable, party: str) -> ClearedTable:
    """Return the table under a name of its own: a chapter shows the same kind for several parties."""
    return replace(cleared, name=f"{cleared.name}-{party}")


def other_assumptions(found: CostBenefit, clear: Clear) -> Exhibit:
    """Return the net present values under the declared scenarios, or that none was declared."""
    if not found.economy.specification.scenarios:
        return prose("scenarios", "No other assumptions were declared.")
    case = scenarios(found.economy, found.effects)
    frame = case.frame.assign(n_persons=found.n_persons)
    columns = tuple(
        Column(c.name, c.label, c.kind, c.unit, c.digits, None if c.kind == "text" else "n_persons")
        for c in case.columns
    )
    return table(clear(Table(case.name, case.title, columns, frame, note=found.note)))


def weights(found: CostBenefit, clear: Clear) -> list[Exhibit]:
    """Return efficiency and equity apart; without incomes there is nothing to weigh."""
    said = found.economy.specification
    if said.welfare.median_income is None or all(party.income is None for party in said.parties.values()):
        return [prose("weights", "No incomes were declared, so an amount counts the same for everybody.")]
    words = (
        "An extra amount means more to somebody with little. The weight is the median income over one's own income, to "
        f"the power of {language.number(said.welfare.elasticity, 1)}: whoever has the median counts once. The weighted "
        "sum says something about fairness and nothing about money: the two stand apart."
    )
    return [prose("weights", words), table(clear(found.weighted()))]


def front(found: CostBenefit, clear: Clear) -> list[Exhibit]:
    """Return what the front page says: one sentence on the first payer and one on society, and the payer's balance.

    Parameters
    ----------
    found, clear
        As of :func:`answer`.
    """
    if not is_shown(found, clear):
        return [headed("economy", "Does it pay?", _HIDDEN)]
    first = next(iter(payers(found)), SOCIETY)
    words = [found.sentence(first), *([found.sentence(SOCIETY)] if first != SOCIETY else [])]
    more = "More in {doc}`does it pay? <economy>`, and with other assumptions in {doc}`change them <sensitivity>`."
    shown = [headed("economy", "Does it pay?", "\n\n".join([*words, more]))]
    if first != SOCIETY:
        shown.append(figures.balance(clear(balance_table(found, first)), found.currency, found.level))
    return shown
