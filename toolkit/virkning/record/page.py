"""Two runs side by side as one page that stands alone: it loads nothing, and can be sent as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ..disclosure import Column, DisclosureRule, Table, clear
from ..provenance import write_atomically
from ..report import table
from ..report.exhibit import escape
from ..resources import folder as resource
from .comparison import DATA, EFFECTS, EXHIBITS, SETTINGS, VERSIONS, Comparison, changed_cells
from .exhibits import Shown, readable
from .stored import StoredRun

_STYLE = """
:root { color-scheme: light dark; --pst-color-text-base: #1f2328; --pst-color-text-muted: #57606a;
  --pst-color-border: #c9c9c9; --ground: #fff; }
@media (prefers-color-scheme: dark) { :root { --pst-color-text-base: #e6e6e6; --pst-color-text-muted: #adb5bd;
  --pst-color-border: #4a4f57; --ground: #14181e;
  --vk-accent: #6bb8e8; --vk-accent-soft: #15303f; --vk-warm: #f0a860; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.2rem 1rem 3rem; font: 1rem/1.55 system-ui, sans-serif;
  color: var(--pst-color-text-base); background: var(--ground); }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 0.6rem; } h2 { font-size: 1.2rem; margin: 2rem 0 0.4rem; }
h3 { font-size: 1rem; margin: 0 0 0.3rem; } a { color: var(--vk-accent); }
.two { display: grid; grid-template-columns: 1fr; gap: 0.8rem 1.4rem; }
@media (min-width: 760px) { .two { grid-template-columns: 1fr 1fr; } }
.two > * { min-width: 0; } .run { border: 1px solid var(--vk-line); border-radius: 8px; padding: 0.7rem 0.9rem; }
.run p { margin: 0.1rem 0; font-size: 0.9rem; overflow-wrap: anywhere; } .label { color: var(--pst-color-text-muted); }
.two .vk-answer, .two .vk-sure { margin: 0; } figcaption { font-size: 0.85rem; color: var(--pst-color-text-muted); }
#table-compare-data td, #table-compare-versions td { overflow-wrap: anywhere; }
details { border: 1px solid var(--vk-line); border-radius: 6px; padding: 0.4rem 0.8rem; margin: 0.5rem 0; }
summary { cursor: pointer; min-height: 24px; } .lead { font-size: 1.1rem; max-width: 46rem; }
"""
# A page with tens of thousands of cells helps nobody; the tables themselves can be had from each run.
_MOST_CELLS = 200


def write_page(comparison: Comparison, file: Path) -> Path:
    """Write a comparison as one HTML file; return where it is.

    Parameters
    ----------
    comparison : Comparison
        Of two runs.
    file : Path
        Where to write.
    """
    write_atomically(file, page(comparison))
    return file


def page(comparison: Comparison) -> str:
    """Return a comparison as one HTML page."""
    first, second = comparison.first, comparison.second
    title = _title(comparison)
    style = (resource("book") / "_static" / "virkning.css").read_text(encoding="utf-8")
    body = "".join(
        [
            f"<h1>{escape(title)}</h1>",
            f'<p class="lead">{escape(_lead(comparison))}</p>',
            f'<div class="two">{_card("First", first)}{_card("Second", second)}</div>',
            _part(comparison, SETTINGS, "What was set differently", "Every setting is the same."),
            "".join(_answers(comparison)),
            _part(comparison, EFFECTS, "The estimates", "Neither run has estimates."),
            "".join(_figures(comparison)),
            "".join(_values(comparison)),
            _part(comparison, DATA, "The data", ""),
            _part(comparison, VERSIONS, "Code, packages and machine", "All are the same."),
            _every(comparison),
        ]
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )


def _title(comparison: Comparison) -> str:
    titles = [
        (run.record.get("specification") or {}).get("title", run.name) for run in (comparison.first, comparison.second)
    ]
    return f"{titles[0]}: two runs" if titles[0] == titles[1] else f"{titles[0]} and {titles[1]}"


def _lead(comparison: Comparison) -> str:
    n_settings = len(comparison.settings)
    changed = "One setting differs" if n_settings == 1 else f"{n_settings or 'No'} settings differ"
    n = sum(not each.is_same for each in comparison.exhibits)
    return f"{changed}; {n} of {len(comparison.exhibits)} exhibits came out differently."


def _card(label: str, run: StoredRun) -> str:
    changes = "; ".join(f"{path} = {value}" for path, value in run.changes.items()) or "nothing: as declared"
    lines = (("Run", run.name), ("Made", run.when), ("Changed", changes))
    told = "".join(f'<p><span class="label">{name}</span> {escape(value)}</p>' for name, value in lines)
    return f'<div class="run"><h3>{label}</h3>{told}</div>'


def _part(comparison: Comparison, part: str, heading: str, empty: str) -> str:
    made = comparison.table(part, ("First", "Second"))
    shown = _shown(made) if len(made.frame) else f"<p>{escape(empty)}</p>"
    return f"<h2>{escape(heading)}</h2>{shown}"


def _every(comparison: Comparison) -> str:
    made = comparison.table(EXHIBITS)
    if not len(made.frame):
        return "<h2>Every exhibit that differs</h2><p>All exhibits are the same.</p>"
    return (
        f"<h2>Every exhibit that differs</h2><details><summary>{escape(made.title)}</summary>{_shown(made)}</details>"
    )


def _shown(made: Table) -> str:
    # Settings, checksums and values that were published before: nothing here counts persons anew.
    return table(clear(made, DisclosureRule())).content


def _two(first: Shown, second: Shown) -> str:
    sides = (("First", first), ("Second", second))
    return (
        '<div class="two">' + "".join(f"<div><h3>{label}</h3>{each.markup}</div>" for label, each in sides) + "</div>"
    )


def _folded(which: Shown, content: str) -> str:
    return f"<details><summary>{escape(which.chapter)}: {escape(which.title)}</summary>{content}</details>"


def _answers(comparison: Comparison) -> Iterator[str]:
    """Give the boxes in which chapters say their answer, side by side; only those that differ."""
    found = [
        pair
        for pair in comparison.pairs
        if pair[0].kind == "diagram" and pair[0].name.endswith("answer") and pair[0].words != pair[1].words
    ]
    if found:
        yield "<h2>What came of it</h2>"
    # The front page's answer comes first, as in the book.
    yield from (_two(*pair) for pair in sorted(found, key=lambda pair: pair[0].chapter != "index"))


def _figures(comparison: Comparison) -> Iterator[str]:
    """Give the figures that differ, side by side, folded."""
    found = [pair for pair in comparison.pairs if pair[0].kind == "figure" and pair[0].data != pair[1].data]
    if found:
        yield "<h2>Figures that differ</h2>"
    for first, second in found:
        yield _folded(first, _two(first, second))


def _values(comparison: Comparison) -> Iterator[str]:
    """Give the values in tables that differ, exhibit by exhibit, folded."""
    yield "<h2>Values in tables that differ</h2>"
    n = 0
    for first, second in comparison.pairs:
        cells = changed_cells(first, second) if first.kind in ("table", "folded") else []
        if not cells:
            continue
        n += 1
        rows = [(each.row, each.column, *readable(each.first, each.second)) for each in cells[:_MOST_CELLS]]
        labels = ("Row", "Column", "First", "Second")
        columns = tuple(Column(label.lower(), label) for label in labels)
        more = f"and {len(cells) - _MOST_CELLS} more" if len(cells) > _MOST_CELLS else ""
        frame = pd.DataFrame(rows, columns=[column.name for column in columns])
        made = Table(f"values-{first.chapter}-{first.name}", f"{len(cells)} values", columns, frame, note=more)
        yield _folded(first, _shown(made))
    if not n:
        yield "<p>None.</p>"
