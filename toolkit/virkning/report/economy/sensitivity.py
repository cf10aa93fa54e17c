"""A page on which the reader moves the assumptions and the result moves with them, in the browser, without a server.

The data in the page are those of the model's central case; the script repeats its arithmetic. Without scripts, the
reader sees a table: the result with each assumption at its low and at its high end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ... import language
from ...disclosure import ClearedTable, Column, Table
from ...economy import CostBenefit
from ...economy.discounting import DANISH, GREEN_BOOK, GREEN_BOOK_HEALTH
from ...economy.inputs import Input
from ...economy.model import DISTORTION, Line
from ...economy.persistence import Constant, Measured
from ...economy.pictures import called, others, payers
from ...economy.results import PUBLIC
from ...economy.sensitivity import SOCIETY, longest, target, tornado
from ..exhibit import Exhibit, escape, prose
from ..tables import table
from .answer import Clear, is_shown

_HIDDEN = "The assumptions cannot be moved here: too few persons stand behind the effects that are valued."
_SCRIPT = Path(__file__).with_name("sensitivity.js")
_GROUPS = {
    "price": "Prices",
    "duration": "How long it lasts",
    "drop": "How fast it fades",
    "cost": "Costs",
    "effect": "Effects",
    "probability": "Chances",
    "link": "What follows from what",
}


def model_data(found: CostBenefit) -> dict[str, Any]:
    """Return the central case as plain values, from which the script computes what :class:`Model` computes.

    Parameters
    ----------
    found : CostBenefit
        Whose model.
    """
    model, said = found.model, found.economy.specification
    order = {name: position for position, name in enumerate(model.parties)}
    groups = {name: [position] for name, position in order.items()}
    groups[PUBLIC] = np.flatnonzero(model.is_public).tolist()
    groups[SOCIETY] = list(order.values())
    own = said.discounting
    return {
        "currency": said.currency,
        "start_year": said.start_year,
        "horizon": model.horizon,
        "distortion": model.distortion,
        "parties": [{"kind": party.kind} for party in model.parties.values()],
        "groups": groups,
        "inputs": {name: {"central": item.central} for name, item in model.inputs.items()},
        "lines": [_line(line) for line in model.lines],
        "rates": {
            "declared": {
                "bands": own.bands,
                "health_bands": own.health_bands,
                "chained": own.reading == "chained",
                "half_year": own.convention == "half_year",
            },
            "danish": {"bands": DANISH, "health_bands": DANISH, "chained": True},
            "green_book": {"bands": GREEN_BOOK, "health_bands": GREEN_BOOK_HEALTH, "chained": True},
        },
    }


def _line(line: Line) -> dict[str, Any]:
    """Return one line; a party's shares are null where it has none, and one number where they never change."""
    persistence = line.persistence or Constant(type="constant")
    shares = [
        None if not share.any() else share[:1].tolist() if (share == share[0]).all() else share.tolist()
        for share in line.shares
    ]
    path = None
    if line.path is not None:
        path = {
            "effect": f"effect:{line.outcome}",
            "headline": line.path.headline,
            "values": line.path.values.tolist(),
            "slopes": line.path.slopes.tolist(),
        }
    return {
        "inputs": line.inputs,
        "scale": line.scale,
        "shares": shares,
        "intake": line.intake.tolist(),
        "fixed": None if line.fixed is None else line.fixed.tolist(),
        "persistence": {
            "type": persistence.type,
            "shares": persistence.shares if isinstance(persistence, Measured) else (),
        },
        "path": path,
        "start": line.start,
        "duration": line.duration,
        "drop": line.drop,
        "is_cash": line.is_cash,
        "is_health": line.is_health,
        "welfare_factor": line.welfare_factor,
    }


def sensitivity(found: CostBenefit, clear: Clear) -> list[Exhibit]:
    """Return the page's exhibits: what can be moved with what comes out, and the table for whoever has no scripts.

    Parameters
    ----------
    found : CostBenefit
        The case whose assumptions are moved.
    clear : callable
        The programme's rule of disclosure control.
    """
    if not is_shown(found, clear):
        return [prose("sensitivity", _HIDDEN)]
    data = json.dumps(model_data(found), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    content = (
        '<div class="vk-sensitivity" hidden>'
        f'<script type="application/json">{data}</script>'
        f'<form><div class="vk-result"><p class="vk-verdict" data-sentence aria-live="polite"></p>{_chart(found)}</div>'
        f"{_results(found)}<div class='vk-controls'>{_choices(found)}{_inputs(found)}</div></form></div>"
        "<noscript><p>Without scripts nothing can be moved here. The table shows both ends of each assumption.</p>"
        "</noscript>"
        f"<script>{_SCRIPT.read_text(encoding='utf-8')}</script>"
    )
    words = "Move an assumption and the result moves with it. Without scripts, the table below shows both ends of each."
    return [Exhibit("diagram", "sensitivity", content, words), table(ends_table(found, clear))]


def _chart(found: CostBenefit) -> str:
    names = payers(found)
    options = "".join(f'<option value="{name}">{escape(called(found, name))}</option>' for name in names)
    choice = f'<label>Balance over time: <select data-choice="payer">{options}</select></label>'
    empty = f'<select data-choice="payer" hidden><option value="{SOCIETY}"></option></select>'
    label = "Balance so far, year by year: grey as assumed, blue now. The table below holds the sums."
    return (
        f'{choice if names else empty}<svg viewBox="0 0 320 150" role="img" aria-label="{label}"></svg>'
        '<p class="vk-legend">Grey: as assumed. Blue: now. Dashed: zero. The interval is not shown here; it is in the '
        "chapter before.</p>"
    )


def _results(found: CostBenefit) -> str:
    rows = []
    for party in (*payers(found), *others(found), *((DISTORTION,) if found.model.distortion else ()), SOCIETY):
        is_public = party == PUBLIC or (party != SOCIETY and found.model.parties[party].kind == "public")
        views = "".join(
            f'<td class="vk-number" data-view="{view}"></td>' if shown else "<td></td>"
            for view, shown in (("budget", party not in (SOCIETY, DISTORTION)), ("welfare", party != PUBLIC))
        )
        year = "<td data-year></td>" if is_public else "<td></td>"
        rows.append(f'<tr data-party="{party}"><th scope="row">{escape(called(found, party))}</th>{views}{year}</tr>')
    return (
        '<figure class="vk-table vk-live"><div class="vk-scroll" role="region" tabindex="0" aria-label="Results now">'
        f"<table><caption><span>Net present values now, {escape(found.currency)}</span></caption>"
        '<thead><tr><th scope="col">Who</th><th scope="col" class="vk-number">Budget</th>'
        '<th scope="col" class="vk-number">Welfare</th><th scope="col">Earned back in year</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></figure>"
    )


def _choices(found: CostBenefit) -> str:
    own = escape(found.economy.specification.discounting.words)
    return (
        "<fieldset><legend>Discounting</legend>"
        f'<label>Rates <select data-choice="rates"><option value="declared">as assumed: {own}</option>'
        '<option value="danish">Danish Ministry of Finance</option><option value="green_book">HM Treasury, Green Book'
        '</option><option value="constant">one rate for all years</option></select></label>'
        '<label>That rate, % a year <input data-choice="rate" type="number" min="0" max="20" step="0.1" value="3">'
        "</label>"
        '<label>Added to every rate, percentage points <input data-choice="shift" type="number" min="-1" max="10" '
        'step="0.1" value="0"></label></fieldset>'
        "<fieldset><legend>How effects fade</legend>"
        '<label>Where no path was measured <select data-choice="fade"><option value="declared">as assumed, line by line'
        '</option><option value="constant">they stay as they are</option><option value="linear">they fall on a '
        'straight line</option><option value="exponential">they lose a share each year</option></select></label>'
        '<label>That share, % <input data-choice="drop" type="number" min="0" max="99" step="1" value="20"></label>'
        '</fieldset><p><button type="reset">Back to what is assumed</button></p>'
    )


def _inputs(found: CostBenefit) -> str:
    model = found.model
    parts = []
    for group, legend in _GROUPS.items():
        items = [item for item in model.inputs.values() if item.group == group]
        fields = "".join(_field(found, item) for item in items)
        if fields:
            parts.append(f"<fieldset><legend>{legend}</legend>{fields}</fieldset>")
    return "".join(parts)


def _field(found: CostBenefit, item: Input) -> str:
    """Return slider and number field of one input."""
    low, high = _reach(found, item)
    name, value = escape(item.name), _plain(item.central)
    id_ = "vk-" + item.name.replace(":", "-")
    return (
        f'<div class="vk-input"><label for="{id_}">{escape(item.label)} '
        f'<span class="vk-unit">{escape(item.unit)}, assumed {_said(item.central)}</span></label>'
        f'<input type="range" aria-label="{escape(item.label)}" data-input="{name}" min="{low!r}" max="{high!r}" '
        f'step="any" value="{value}">'
        f'<input type="number" id="{id_}" data-input="{name}" {_limits(found, item)}step="any" value="{value}"></div>'
    )


def _said(value: float) -> str:
    return language.number(value, 0 if float(value).is_integer() or abs(value) >= 1_000 else 3)


def _plain(value: float) -> str:
    """Return a number for a field: six digits, no exponent. Until the field is touched, the exact one counts."""
    return np.format_float_positional(float(f"{value:.6g}"), trim="-")


def _limits(found: CostBenefit, item: Input) -> str:
    """Return the smallest and largest value that the toolkit itself would take."""
    most: dict[str, tuple[float, float | None]] = {
        "duration": (0.001, longest(found.model, item) if item.group == "duration" else None),
        "drop": (0.0, 0.999),
        "probability": (0.0, 1.0),
        "price": (0.0, None),
        "cost": (0.0, None),
    }
    low, high = most.get(item.group, (None, None))
    return (f'min="{low!r}" ' if low is not None else "") + (f'max="{high!r}" ' if high is not None else "")


def _reach(found: CostBenefit, item: Input) -> tuple[float, float]:
    """Return the ends of the slider: well beyond the range of the input, inside what is possible."""
    # A duration stays inside the horizon, as the toolkit demands of the specification.
    if item.group == "duration":
        return 0.001, longest(found.model, item)
    if item.group == "drop":
        return 0.0, 0.9
    if item.group == "probability":
        return 0.0, 1.0
    if item.group in ("effect", "link"):
        half = max(4 * item.std_error, abs(item.central), abs(item.low or 0), abs(item.high or 0)) or 1.0
        return item.central - half, item.central + half
    return 0.0, max(2 * item.central, (item.high or 0.0) * 1.2) or 1.0


def ends_table(found: CostBenefit, clear: Clear) -> ClearedTable:
    """Return the result of the first payer and of society with each uncertain input at its low and its high end.

    Parameters
    ----------
    found, clear
        As of :func:`sensitivity`.
    """
    aims = list(dict.fromkeys((*payers(found)[:1], SOCIETY)))
    moved = {
        party: {swing.label: swing for swing in tornado(found.model, target(found.model, party))} for party in aims
    }
    rows = []
    for label, swing in moved[aims[0]].items():
        row: dict[str, object] = {"what": label, "unit": swing.unit, "low": swing.low, "high": swing.high}
        for party in aims:
            row |= {f"{party}_low": moved[party][label].at_low, f"{party}_high": moved[party][label].at_high}
        rows.append(row)
    columns = [Column("what", "What moves"), Column("unit", "Unit"), Column("low", "from", "number")]
    columns.append(Column("high", "to", "number"))
    for party in aims:
        name = called(found, party)
        columns += [
            Column(f"{party}_low", f"{name}, there", "number", found.currency, 0, "n_persons"),
            Column(f"{party}_high", f"{name}, and there", "number", found.currency, 0, "n_persons"),
        ]
    frame = pd.DataFrame(rows).assign(n_persons=found.n_persons)
    return clear(Table("ends", "Each assumption at its low and its high end", tuple(columns), frame, note=found.note))
