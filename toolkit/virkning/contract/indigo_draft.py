"""A public record for people: what it holds, in lines and values, and a contract to start from.

In the contract, what the record says is filled in, and what it cannot say is left empty. An empty term is refused by
the language of contracts with its line, so a draft cannot be settled by oversight. Nothing is guessed: a date without a
day, a price in words and a comparison that could be either of two stay empty, with the record's own words beside them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import UsageError
from ..money import json_value, plain
from ..provenance import write_atomically
from .indigo import STANDARD, IndigoProject
from .terms import FILE

# The standard's words for how outcomes are validated, where they leave no choice, and what the comparison then needs.
_AGAINST: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Simple ex-post verification": ("none", ()),
    "Quasi-experimental study": ("matched_group", ("direction", "form")),
    "Randomised Control Trial": ("randomised_control", ("direction", "form")),
}
_ASKED = {
    "direction": "increase or decrease",
    "form": "difference or relative_percent",
}
SHOWN_CHARACTERS = 200
_LISTS = ("metrics", "pricings", "results", "payments")


def values(project: IndigoProject) -> dict[str, Any]:
    """Return a project as plain values for JSON; amounts are text, so that no digit is lost.

    Parameters
    ----------
    project : IndigoProject
    """
    frames = {name: getattr(project, name).to_dict("records") for name in (*_LISTS, "problems")}
    lists = {
        name: [{key: json_value(value) for key, value in row.items()} for row in rows] for name, rows in frames.items()
    }
    return {**{name: json_value(value) for name, value in project.overall.items()}, **lists}


def lines(project: IndigoProject) -> list[str]:
    """Return a project as lines for the terminal: what it holds, and what was not taken from it.

    Parameters
    ----------
    project : IndigoProject
    """
    priced = project.pricings["price_per_unit"].notna().sum()
    paid = project.payments["amount"].notna().sum()
    most, currency = project.overall["most_paid"], project.overall["currency"] or ""
    shown = [
        project.overall["title"] or "A project without a name",
        f"Metrics: {len(project.metrics)}",
        f"Prices: {len(project.pricings)}, of them {priced} for one unit, as a number",
        f"Results: {len(project.results)}",
        f"Payments: {len(project.payments)}, of them {paid} with an amount",
        f"The most that may be paid: {f'{plain(most)} {currency}'.strip() if most is not None else 'not said'}",
    ]
    if project.problems.empty:
        return [*shown, "Every value could be read."]
    shown += ["", f"Not read, since each would be a guess: {len(project.problems)}"]
    for row in project.problems.itertuples():
        shown.append(f"  {row.list}, row {row.row}, {row.field}: {row.problem} («{row.written}»)")
    return shown


@dataclass(frozen=True)
class Draft:
    """The text of a ``contract.yml`` that somebody must finish.

    Attributes
    ----------
    text : str
    n_empty : int
        Terms that are left to fill in.
    """

    text: str = field(repr=False)
    n_empty: int


def write_draft(project: IndigoProject, name: str, place: Path) -> tuple[Path, int]:
    """Write a draft of a contract; return its file and the number of terms that are left to fill in.

    Parameters
    ----------
    project : IndigoProject
    name : str
        The file that it was read from.
    place : Path
        A file that does not exist, or a folder without a ``contract.yml``.

    Raises
    ------
    UsageError
        There is a contract in that place already.
    VirkningError
        The file cannot be written.
    """
    file = place if place.suffix in (".yml", ".yaml") else place / FILE
    if file.exists():
        raise UsageError(
            "usage.contract_exists",
            "There is a contract in that place already.",
            where=file.name,
            why="A draft never writes over terms that somebody has filled in.",
            do="Name another file or folder.",
        )
    draft = draft_contract(project, name)
    write_atomically(file, draft.text)
    return file, draft.n_empty


def draft_contract(project: IndigoProject, name: str) -> Draft:
    """Return a draft of ``contract.yml`` from a project of the standard.

    Parameters
    ----------
    project : IndigoProject
    name : str
        The file that it was read from, named in the draft as its source.
    """
    record = f"{name} ({STANDARD})"
    lines = [
        f"# Begun from {_words(record)}.",
        "# What that record does not say is left empty; a comment tells what belongs there. Until it is filled in, the",
        "# contract is refused with the line. «virkning schema contract» explains every term.",
        "contract:",
        f"  id: {_name(project.overall['title'] or '', '-') or 'contract'}",
        _filled("  title", _quoted(project.overall["title"]), "what the contract is called"),
        _empty("  standing", "real, illustration or synthetic"),
        f"  source: {_quoted(record)}",
        _currency(project),
        *_parties(project),
        *_periods(project),
        "  metrics:",
        *_metrics(project, record),
        *_order(project),
    ]
    text = "\n".join(lines) + "\n"
    return Draft(text, text.count(_MARK))


_MARK = "# to fill in: "


def _empty(key: str, what: str) -> str:
    return f"{key}:  {_MARK}{_words(what)}"


def _filled(key: str, value: str, what: str) -> str:
    return f"{key}: {value}" if value else _empty(key, what)


def _quoted(text: str | None) -> str:
    """Return a text as YAML reads it back: on one line, in quotes."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False) if text else ""


def _words(text: str) -> str:
    """Return a text that fits into a comment: one line, and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS].rstrip()} …"


def _name(text: str, joint: str = "_", otherwise: str = "") -> str:
    """Return a name of small letters and digits; one that would begin with a digit gets a word before it."""
    found = re.sub(r"[^a-z0-9]+", joint, text.casefold()).strip(joint)[:40].strip(joint)
    if otherwise and not found[:1].isalpha():
        found = f"{otherwise}{joint}{found}".rstrip(joint)
    return found


def _said(values: Iterable[Any]) -> list[Any]:
    """Return what is said, each once, in its order."""
    return list(dict.fromkeys(value for value in values if value is not None))


def _currency(project: IndigoProject) -> str:
    found = _said([project.overall["currency"], *project.pricings["currency"], *project.payments["currency"]])
    several = f"the record has {', '.join(found)}" if found else "such as GBP"
    return _filled("  currency", found[0] if len(found) == 1 else "", several)


def _parties(project: IndigoProject) -> Iterator[str]:
    yield "  parties:"
    payers = _said(project.payments["payer"])
    for payer in payers:
        yield f"    {_payer(payer)}: {{label: {_quoted(payer)}, roles: [payer]}}"
    if not payers:
        yield from ("    payer:", _empty("      label", "who pays"), "      roles: [payer]")
    yield from ("    verifier:", _empty("      label", "who accepts or rejects"), "      roles: [verifier]")


def _payer(written: str) -> str:
    return _name(written, otherwise="payer")


def _periods(project: IndigoProject) -> Iterator[str]:
    """Yield the periods that have a first and a last day; a year or a month alone is not turned into days."""
    yield "  periods:"
    both = pd.concat([project.results, project.payments])[["start", "end"]].dropna()
    days = sorted({(start, end) for start, end in both.itertuples(index=False) if len(start) == len(end) == 10})
    for position, (start, end) in enumerate(days, start=1):
        yield f"    period_{position}: {{start: {start}, end: {end}}}"
    if not days:
        dates = ", ".join(_said([*both["start"], *both["end"]]))
        yield "    period_1:"
        yield _empty("      start", f"the first day{f'; the record has {dates}' if dates else ''}")
        yield _empty("      end", "the last day")


def _metrics(project: IndigoProject, record: str) -> Iterator[str]:
    named = project.metrics.dropna(subset=["id"])
    for metric in named.to_dict("records"):
        number = str(metric["id"])
        yield f"    {_name(number, otherwise='metric')}:"
        yield _filled("      label", _quoted(metric["definition"]), "what is paid for")
        yield _empty("      unit", "of one result, such as people, days or per cent")
        yield "      result:"
        yield _empty("        type", "people, claims, days, share, frequency, figure or effect")
        yield from _against(metric["outcome_validation_method"])
        yield from _prices(project.pricings[project.pricings["outcome_metric_id"] == number], record)
        yield "      evidence:"
        yield _empty("        needs", "documents that a claim needs, as a list")
        yield "        verifier: verifier"
        yield _empty("        lag_days", "days from the end of the period to the payment")
        payers = _said(project.payments.loc[project.payments["outcome_metric_id"] == number, "payer"])
        shares = f"{{{_payer(payers[0])}: 1}}" if len(payers) == 1 else ""
        yield _filled("      payers", shares, "party and share, such as {city: 0.5, state: 0.5}")
    if named.empty:
        yield _empty("    metric_1", "the record has no metric with an id of its own")


def _against(method: str | None) -> Iterator[str]:
    kind, needs = _AGAINST.get(method or "", ("", ()))
    written = f"the record says «{method}»; " if method else ""
    yield "      counterfactual:"
    yield _filled(
        "        type",
        kind,
        f"{written}none, fixed_baseline, historical_cohort, matched_group, randomised_control or estimated",
    )
    for need in needs:
        yield _empty(f"        {need}", _ASKED[need])


def _prices(pricings: pd.DataFrame, record: str) -> Iterator[str]:
    """Yield a metric's prices. The standard knows prices of one unit; another one stays in the record's words."""
    yield "      prices:"
    said = pricings.to_dict("records") or [{"price_per_unit": None, "price_description": None, "maximum_price": None}]
    for position, price in enumerate(said, start=1):
        amount, words, most = price["price_per_unit"], price["price_description"], price["maximum_price"]
        hints = [f"the record says «{words}»" if words else "", f"at most {plain(most)}" if most is not None else ""]
        hint = "; ".join(
            text for text in (*hints, "per_unit, steps, marginal, ramp, trigger, share_of_saving or as_given") if text
        )
        yield _filled("        - type", "per_unit" if isinstance(amount, Decimal) else "", hint)
        yield f'          version: "{position}"'
        yield _empty("          since", "first day of the period's results to which it applies")
        if isinstance(amount, Decimal):
            yield f"          price: {plain(amount)}"
        yield f"          source: {_quoted(record)}"
        yield _empty("          standing", "published, derived, assumed or synthetic")


def _order(project: IndigoProject) -> Iterator[str]:
    """Yield what happens to priced amounts: a cap that the record knows, and a rounding that it does not."""
    most = project.overall["most_paid"]
    yield "  order:"
    yield "    - type: round"
    yield _empty("      digits", "decimals that are paid, such as 2; this step may also stand after the cap")
    yield _empty("      method", "half_up, half_even, down or up")
    if most is not None:
        yield f"    - {{type: cap, name: contract cap, scope: contract, most: {plain(most)},"
        yield f"       spread: }}  {_MARK}in_order or pro_rata: who loses when the cap binds"
