"""The payment chapter, section by section; the notebook only calls these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ... import language
from ...contract import CashFlows, Contract, Settlement
from ...contract.draws import DrawnSettlements
from ...contract.words import sections_in_words
from ...disclosure import DisclosureRule, Table, clear
from ...money import in_words
from ..exhibit import Exhibit, escape, folded, prose
from ..tables import table
from . import figures, tables, uncertainty
from . import flows as money_flows

STANDING = {
    "real": "",
    "illustration": "This contract is an illustration: a real kind of contract with assumed figures.",
    "synthetic": "This contract is made up: nobody has agreed on it, paid or received anything.",
}
NOT_EXACT = ("assumed", "synthetic")


@dataclass(frozen=True, repr=False)
class PaymentPage:
    """Everything that the payment chapter shows.

    Attributes
    ----------
    settlement : Settlement
        At the best estimates.
    rule : DisclosureRule
        For every table.
    drawn : DrawnSettlements, optional
        For each draw of the effects; None where the contract pays for nothing that is estimated, or no total exists.
    """

    settlement: Settlement
    rule: DisclosureRule
    drawn: DrawnSettlements | None = None

    @classmethod
    def of(cls, settlement: Settlement, rule: DisclosureRule, drawn: Callable[[], DrawnSettlements]) -> PaymentPage:
        """Return the page of a settlement; draws are made only where they change anything."""
        has_draws = settlement.is_complete and settlement.contract.pays_for_effects
        return cls(settlement, rule, drawn() if has_draws else None)

    @property
    def contract(self) -> Contract:
        """The contract."""
        return self.settlement.contract

    @cached_property
    def flows(self) -> CashFlows | None:
        """Every party's cash flows; None without a waterfall or without a total."""
        has_flows = self.settlement.is_complete and self.contract.waterfall is not None
        return self.settlement.waterfall() if has_flows else None

    def _table(self, made: Table) -> Exhibit:
        return table(clear(made, self.rule))

    def _money(self, amount: float) -> str:
        return f"{language.number(amount, 0)} {self.contract.currency}"

    def answer(self) -> list[Exhibit]:
        """Return what is owed, by whom, in one box, and what must be known about the contract."""
        notes = [STANDING[self.contract.standing], self._assumed(), *self.settlement.warnings, *self.contract.notes]
        shown = prose("payment-notes", "\n".join(f"- {note}" for note in notes if note))
        if not self.settlement.is_complete:
            words = "There is no total: a price is not public. What triggers was reached stands in the ledger below."
            return [Exhibit("diagram", "payment", f'<div class="vk-answer"><p>{words}</p></div>', words), shown]
        total = f"The payers owe {self._money(float(self.settlement.total.amount))}"
        facts = [
            (self._money(float(amount)), f"{tables.label(self.contract, payer)}: to pay")
            for payer, amount in self._sums("payer")
        ]
        facts += [self._earned(name) for name in self._investors]
        rows = "".join(f"<li><strong>{escape(big)}</strong><span>{escape(small)}</span></li>" for big, small in facts)
        sentence = self._range()
        content = (
            f'<div class="vk-answer"><p class="vk-verdict">{escape(total)}</p><p>{escape(sentence)}</p></div>'
            f'<ul class="vk-facts">{rows}</ul>'
        )
        said = "; ".join(f"{small}: {big}" for big, small in facts)
        return [Exhibit("diagram", "payment", content, f"{total}. {sentence} {said}."), shown]

    def _sums(self, column: str) -> list[tuple[str, float]]:
        frame = self.settlement.by(column)
        return [(str(name), float(amount)) for name, amount in zip(frame[column], frame["amount"], strict=True)]

    @property
    def _investors(self) -> tuple[str, ...]:
        return uncertainty.investors(self.contract) if self.flows is not None else ()

    def _earned(self, name: str) -> tuple[str, str]:
        assert self.flows is not None
        found = self.flows.returns(name)
        word = "gain" if found.gain >= 0 else "loss"
        return (
            f"{language.number(abs(float(found.gain)), 0)} {found.currency}",
            f"{tables.label(self.contract, name)}: {word}",
        )

    def _range(self) -> str:
        if self.drawn is None:
            return "Everything that is paid for was counted or given: the payment does not depend on an estimate."
        low, high = (float(np.quantile(self.drawn.totals, q)) for q in (uncertainty.LOW, uncertainty.HIGH))
        return (
            "At the best estimates of the effects. As uncertain as these are, 90 of 100 draws of them lead to a "
            f"payment from {self._money(low)} to {self._money(high)}; the average is "
            f"{self._money(float(self.drawn.totals.mean()))}."
        )

    def _assumed(self) -> str:
        prices = [
            (metric.label, price.standing) for metric in self.contract.metrics.values() for price in metric.prices
        ]
        names = list(dict.fromkeys(f"«{name}»" for name, standing in prices if standing in NOT_EXACT))
        if not names:
            return ""
        return f"The prices of {language.join(names)} are assumptions; whoever uses this contract must replace them."

    def parties(self) -> list[Exhibit]:
        """Return one line for each party, and one section for each: its money, dated."""
        shown = [self._table(money_flows.parties_table(self.settlement))] if self.settlement.is_complete else []
        for name, party in self.contract.parties.items():
            pays = [payment for payment in self.settlement.payments if payment.payer == name]
            if pays:
                shown += self._payer(name)
            if self.flows is not None and set(party.roles) & {"investor", "provider", "guarantor"}:
                shown += self._receiver(name)
        return shown

    def _payer(self, name: str) -> list[Exhibit]:
        own = [payment for payment in self.settlement.payments if payment.payer == name]
        sums: dict[int, float] = {}
        for payment in own:
            sums[payment.payable_on.year] = sums.get(payment.payable_on.year, 0.0) + float(payment.known)
        secret = {day.year for day in tables.hidden_dates(self.settlement, self.rule)}
        years = [f"{year}: {language.number(amount, 0)}" for year, amount in sorted(sums.items()) if year not in secret]
        by_year = f" ({'; '.join(years)})" if years else ""
        words = f"**To pay: {self._money(sum(sums.values()))}** in all{by_year}."
        if self.drawn is not None:
            low, high = (float(np.quantile(self.drawn.paid_by(name), q)) for q in (uncertainty.LOW, uncertainty.HIGH))
            words += f" In 90 of 100 draws of the effects it is between {self._money(low)} and {self._money(high)}."
        if not all(payment.amount is not None for payment in own):
            words = "What this payer owes cannot be told: a price is not public."
        made = tables.payer_table(self.settlement, name, self.rule)
        return [self._heading(name), prose(f"pays-{name}", words), self._table(made)]

    def _receiver(self, name: str) -> list[Exhibit]:
        assert self.flows is not None
        made = money_flows.flows_table(self.settlement, self.flows, name, self.rule)
        if made.frame.empty:
            nothing = "**Nothing to pay or to receive** at the best estimates." + self._called(name)
            return [self._heading(name), prose(f"gets-{name}", nothing)]
        words = prose(f"gets-{name}", self._invested(name)) if name in self._investors else self._received(name)
        return [self._heading(name), words, self._table(made)]

    def _heading(self, name: str) -> Exhibit:
        party = self.contract.parties[name]
        text = f"```{{rubric}} {party.label} ({language.join(party.roles)})\n:heading-level: 3\n```"
        return prose(f"party-{name}", text)

    def _received(self, name: str) -> Exhibit:
        assert self.flows is not None
        amounts = self.flows.of(name)["amount"]
        got = float(tables.total_of([amount for amount in amounts if amount > 0]))
        paid = -float(tables.total_of([amount for amount in amounts if amount < 0]))
        currency = self.contract.parties[name].currency or self.contract.currency
        parts = [f"to receive: {language.number(got, 0)} {currency}"] if got else []
        parts += [f"to pay: {language.number(paid, 0)} {currency}"] if paid else []
        words = language.join(parts)
        return prose(f"gets-{name}", f"**{words[:1].upper()}{words[1:]}** in all.{self._called(name)}")

    def _called(self, name: str) -> str:
        """Return how often a guarantee is called over the draws of the effects."""
        if self.drawn is None or "guarantor" not in self.contract.parties[name].roles:
            return ""
        paid = self.drawn.moved("guarantee", name)
        called = language.number(float((paid > 0).mean() * 100), 0)
        return (
            f" The guarantee is called in {called} of 100 draws of the effects, and costs "
            f"{self._money(float(paid.mean()))} on average over all of them."
        )

    def _invested(self, name: str) -> str:
        assert self.flows is not None
        found = self.flows.returns(name)

        def money(amount: float) -> str:
            return f"{language.number(amount, 0)} {found.currency}"

        rate = f"{language.number(found.irr * 100, 1)}% a year" if found.irr is not None else found.irr_reason
        words = (
            f"**Paid in {money(float(found.drawn))}, got back {money(float(found.received))}**: "
            f"{language.number(float(found.multiple), 2)} for each unit paid in, internal rate of return {rate}, "
            f"guarantees included. If no outcome were paid for, {money(float(found.loss_given_failure))} would be lost."
        )
        if self.drawn is not None:
            gains = np.array([float(each.gain) for each in self.drawn.returns(name)])[self.drawn.of_draw]
            loses = language.number(float((gains < 0).mean() * 100), 0)
            words += f" In {loses} of 100 draws of the effects money is lost."
        return words

    def in_words(self) -> list[Exhibit]:
        """Return the contract as sentences, generated from its terms."""
        shown = []
        for position, (title, sentences) in enumerate(sections_in_words(self.contract).items()):
            items = "\n".join(f"- {_safe(sentence)}" for sentence in sentences)
            text = f"```{{rubric}} {title}\n:heading-level: 3\n```\n\n{items}"
            shown.append(prose(f"words-{position}", text))
        return shown

    def lines(self) -> list[Exhibit]:
        """Return what each result is worth and what is paid for it, and, folded away, every step on the way."""
        rule = "Each step with the term that caused it, the rule, and the amount before and after it."
        whole = self._table(tables.ledger_table(self.settlement, self.rule))
        shown = [self._table(tables.lines_table(self.settlement))]
        if any(step.type == "person_cap" for step in self.contract.order):
            shown.append(prose("ledger-persons", "How many persons reached their cap is not published."))
        return [
            *shown,
            folded("ledger", "The whole ledger, step by step", [("What happened to each line?", rule, [whole])]),
        ]

    def money(self) -> list[Exhibit]:
        """Return the waterfall as a figure, and from whom to whom the money goes."""
        if self.flows is None:
            return [prose("no-waterfall", "The contract does not say how payments flow on, or has no total.")]
        made = money_flows.from_to_table(self.contract, self.flows)
        cleared = clear(made, self.rule)
        return [figures.waterfall(self.contract, self.flows, cleared), table(cleared)]

    def over_time(self) -> list[Exhibit]:
        """Return payments and investors' money year by year."""
        if not self.settlement.is_complete:
            return [prose("no-years", "There are no sums: a price is not public.")]
        cleared = clear(money_flows.years_table(self.settlement, self.rule), self.rule)
        names = [column.name for column in cleared.columns[1:]]
        payers = [name for name in names if "payer" in self.contract.parties[name].roles]
        funders = [name for name in names if name in self._investors and name not in payers]
        return [figures.over_time(self.contract, cleared, payers=payers, funders=funders), table(cleared)]

    def how_sure(self) -> list[Exhibit]:
        """Return what the uncertainty of the effects does to payments, limits and returns."""
        drawn = self.drawn
        without = drawn.without if drawn is not None else None
        if drawn is None or without is None:
            return [prose("how-sure", self._range() if self.settlement.is_complete else "No total: no range.")]
        spread = self._spread("payment-spread", "total", drawn.totals, self.contract.currency)
        shown = [spread, self._table(uncertainty.payers_table(self.settlement, drawn))]
        shown.append(prose("chance-text", self._chance(drawn, without)))
        shown.append(self._table(uncertainty.metrics_table(self.settlement, drawn, without)))
        shown.append(self._table(uncertainty.limits_table(self.contract, drawn)))
        for name in self._investors:
            shown += self._returns(name, drawn)
        if self._investors:
            shown += [self._table(made) for made in uncertainty.investors_tables(self.settlement, drawn)]
        return shown

    def _chance(self, drawn: DrawnSettlements, without: DrawnSettlements) -> str:
        nothing = language.number(float((drawn.totals <= 0).mean() * 100), 0)
        more = float(without.totals.mean())
        return (
            f"In {nothing} of 100 draws the payers owe nothing at all. Had the programme made no difference, they "
            f"would still pay {self._money(more)} on average: for what is counted, whatever caused it, and for "
            "estimates that come out high by chance. The table tells it outcome by outcome."
        )

    def _spread(self, name: str, what: str, values: np.ndarray, currency: str) -> Exhibit:
        made = uncertainty.histogram_table(name, "How often each total payment comes out", values, currency, 0)
        return figures.spread(
            clear(made, self.rule),
            name=name,
            estimate=float(self.settlement.total.amount),
            unit=currency,
            caption=f"The {what} payment over {len(values):,} draws of the effects; dotted: at the best estimates.",
            digits=0,
            zero=False,
        )

    def _returns(self, investor: str, drawn: DrawnSettlements) -> Sequence[Exhibit]:
        assert self.flows is not None
        at_estimate = self.flows.returns(investor).irr
        rates = np.array([np.nan if each.irr is None else each.irr for each in drawn.returns(investor)])[drawn.of_draw]
        if at_estimate is None or not np.isfinite(rates).all():
            return []
        name = tables.label(self.contract, investor)
        made = uncertainty.histogram_table(f"returns-{investor}", f"{name}: how often each return", rates * 100, "%", 2)
        return [
            figures.spread(
                clear(made, self.rule),
                name=f"returns-{investor}",
                estimate=at_estimate * 100,
                unit="%",
                caption=f"{name}: internal rate of return over the same draws; dashed: neither gain nor loss.",
                digits=1,
                zero=True,
            )
        ]

    def headline(self) -> str:
        """Return the settlement in one sentence."""
        if not self.settlement.is_complete:
            return "There is no total payment: a price is not public."
        amount = in_words(self.settlement.total.amount, self.contract.currency)
        return f"The payers owe {amount} {self.contract.currency} under the outcomes contract."


def _safe(text: str) -> str:
    """Return text that Markdown prints as it stands."""
    return text.replace("*", "\\*").replace("_", "\\_").replace("`", "'").replace("<", "&lt;").replace("$", "\\$")
