"""Two runs side by side: what went in differently, and what came of it.

Data are compared by checksum and counts only. Results are the headline of every outcome, the sums of payment and
economy where a chapter shows them in tables, and every exhibit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from .. import language
from ..disclosure import Column, Table
from ..estimates import Estimate, Estimates
from ..report import Scale
from ..report.record import settings
from .exhibits import Compared, Shown, compare_exhibits
from .stored import StoredRun
from .surroundings import code_words
from .verification import ABOUT_THE_RUN, shown

_EFFECT_COLUMNS = ("value", "lower", "upper")
SETTINGS, DATA, VERSIONS, EFFECTS, EXHIBITS = "settings", "data", "versions", "effects", "exhibits"


@dataclass(frozen=True)
class Comparison:
    """Two runs, part by part.

    Attributes
    ----------
    first, second : StoredRun
        The two runs.
    """

    first: StoredRun
    second: StoredRun

    @property
    def names(self) -> tuple[str, str]:
        """What the two are called."""
        return self.first.name, self.second.name

    @cached_property
    def settings(self) -> pd.DataFrame:
        """Settings that differ: setting, first, second."""
        before, after = (settings(run.record.get("specification") or {}) for run in (self.first, self.second))
        paths = [path for path in dict.fromkeys([*before, *after]) if before.get(path) != after.get(path)]
        return _frame([(path, _said(before.get(path)), _said(after.get(path))) for path in paths])

    @cached_property
    def data(self) -> pd.DataFrame:
        """Checksum and counts of the data: item, first, second; always all of them."""
        rows = [("Checksum (SHA-256)", *(str(run.record.get("data_checksum", "")) for run in self._both))]
        for name, label in (("participants", "Participants"), ("outcomes", "Outcome rows")):
            rows.append((label, *(_count((run.journal.get("data") or {}).get(name)) for run in self._both)))
        return _frame(rows)

    @cached_property
    def versions(self) -> pd.DataFrame:
        """Code, Python, lock, machine and packages that differ: item, first, second."""
        before, after = (_versions(run) for run in self._both)
        names = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
        return _frame([(name, before.get(name, "absent"), after.get(name, "absent")) for name in names])

    @cached_property
    def effects(self) -> pd.DataFrame:
        """The declared estimate of every outcome of either run, in the outcome's unit.

        Columns: measure, outcome, unit, factor (for the unit), digits, then value, lower and upper of the first and of
        the second run; not a number where there is no estimate.
        """
        before, after = self.first.effects, self.second.effects
        measures = dict.fromkeys([*(before or ()), *(after or ())])
        columns = ["measure", "outcome", "unit", "factor", "digits"]
        columns += [f"{name}_{which}" for which in ("first", "second") for name in _EFFECT_COLUMNS]
        return pd.DataFrame([_effect(measure, before, after) for measure in measures], columns=columns)

    @cached_property
    def pairs(self) -> tuple[tuple[Shown, Shown], ...]:
        """Every exhibit that both runs have, but those about the run itself."""
        after = {each.key: each for each in shown(self.second, self._names)}
        return tuple((each, after[each.key]) for each in shown(self.first, self._names) if each.key in after)

    @property
    def _names(self) -> list[str]:
        """The chapters of either run, but the one about the run itself."""
        both = dict.fromkeys([*self.first.chapters, *self.second.chapters])
        return [name for name in both if name != ABOUT_THE_RUN]

    @cached_property
    def exhibits(self) -> tuple[Compared, ...]:
        """Every exhibit of either run but those about the run itself, chapter by chapter."""
        return tuple(compare_exhibits(shown(self.first, self._names), shown(self.second, self._names)))

    @property
    def _both(self) -> tuple[StoredRun, StoredRun]:
        return self.first, self.second

    @property
    def is_same(self) -> bool:
        """Whether every published value is the same."""
        return all(each.is_same for each in self.exhibits)

    def table(self, part: str, names: tuple[str, str] | None = None) -> Table:
        """Return one part as a table, not yet cleared: it holds published values, settings and counts only.

        Parameters
        ----------
        part : str
            ``settings``, ``data``, ``versions``, ``effects`` or ``exhibits``.
        names : tuple of str, optional
            What the two runs are called in its head; by default their names.
        """
        first, second = names or self.names
        if part == EFFECTS:
            rows = [(row["outcome"], row["unit"], *_effect_words(row)) for _, row in self.effects.iterrows()]
            return _table(part, "What came of it", ("Outcome", "Unit", first, second, "Second less first"), rows)
        if part == EXHIBITS:
            changed = [each for each in self.exhibits if each.verdict != "same"]
            named = [(each.chapter, each.title, each.verdict, each.detail) for each in changed]
            title = f"Exhibits that differ: {len(changed)} of {len(self.exhibits)}"
            return _table(part, title, ("Chapter", "Exhibit", "Verdict", "How"), named)
        titles = {SETTINGS: "Settings that differ", DATA: "Data", VERSIONS: "Versions that differ"}
        frame: pd.DataFrame = getattr(self, part)
        return _table(part, titles[part], ("Item", first, second), list(frame.itertuples(index=False, name=None)))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for ``--json``."""
        effects = self.effects.astype(object).where(self.effects.notna(), None)
        return {
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            SETTINGS: self.settings.to_dict("records"),
            DATA: self.data.to_dict("records"),
            VERSIONS: self.versions.to_dict("records"),
            EFFECTS: effects.to_dict("records"),
            EXHIBITS: [each.to_dict() for each in self.exhibits if each.verdict != "same"],
            "exhibits_compared": len(self.exhibits),
            "same": self.is_same,
        }


@dataclass(frozen=True)
class Cell:
    """A published value that differs: where it stands in a table, and what it is in either run."""

    row: str
    column: str
    first: str
    second: str


def changed_cells(first: Shown, second: Shown) -> list[Cell]:
    """Return the cells of an exhibit's tables that differ; none where rows or columns were added or taken away.

    Parameters
    ----------
    first, second : Shown
        The same exhibit of two runs.
    """
    found = []
    for name, rows in first.files.items():
        others = second.files.get(name, [])
        if [row[:1] for row in rows] != [row[:1] for row in others] or rows[:1] != others[:1]:
            continue
        for row, other in zip(rows, others, strict=True):
            pairs = zip(rows[0], row, other, strict=True)
            found += [Cell(row[0], column, here, there) for column, here, there in pairs if here != there]
    return found


def compare(first: StoredRun, second: StoredRun) -> Comparison:
    """Return two runs side by side.

    Parameters
    ----------
    first, second : StoredRun
        Of one programme, or of two.
    """
    return Comparison(first, second)


def lines(comparison: Comparison) -> list[str]:
    """Return a comparison as lines for a terminal."""
    told = [f"First:  {_whole_name(comparison.first)}", f"Second: {_whole_name(comparison.second)}"]
    for part in (SETTINGS, DATA, VERSIONS, EFFECTS, EXHIBITS):
        table = comparison.table(part)
        told += ["", table.title if len(table.frame) or part == EXHIBITS else f"{table.title}: none", *_rows(table)]
    return told


def _whole_name(run: StoredRun) -> str:
    changes = ", ".join(f"{path}={value}" for path, value in run.changes.items())
    return f"{run.name}, {run.when}, {changes or 'nothing changed'}"


def _rows(table: Table) -> Iterator[str]:
    """Give the rows of a table with its columns aligned; a long cell ends in an ellipsis."""
    if not len(table.frame):
        return
    head = [column.label for column in table.columns]
    cells = [head, *([str(cell) for cell in row] for row in table.frame.itertuples(index=False, name=None))]
    cells = [[cell if len(cell) <= 60 else f"{cell[:59]}…" for cell in row] for row in cells]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _table(name: str, title: str, labels: tuple[str, ...], rows: list[Any]) -> Table:
    columns = tuple(Column(f"column_{position}", label) for position, label in enumerate(labels))
    frame = pd.DataFrame([list(row) for row in rows], columns=[column.name for column in columns])
    return Table(f"compare-{name}", title, columns, frame)


def _frame(rows: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["item", "first", "second"])


def _said(value: Any) -> str:
    if value is None:
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _count(value: int | None) -> str:
    return "not noted" if value is None else language.number(value)


def _versions(run: StoredRun) -> dict[str, str]:
    noted: Mapping[str, Any] = run.journal.get("surroundings") or {}
    found = {"virkning": code_words(noted["code"]) if noted.get("code") else str(run.record.get("virkning", ""))}
    if noted.get("code"):
        found["checksum of the code"] = noted["code"]["checksum"][:12]
    found["Python"] = str(run.record.get("python", ""))
    if noted.get("lock_checksum"):
        found["requirements.lock"] = noted["lock_checksum"][:12]
    found |= {name.replace("_", " "): str(value) for name, value in (noted.get("machine") or {}).items()}
    found |= {str(name): str(value) for name, value in (noted.get("environment") or {}).items()}
    return found | {str(name): str(version) for name, version in (run.record.get("packages") or {}).items()}


def _effect(measure: str, before: Estimates | None, after: Estimates | None) -> tuple[Any, ...]:
    first, second = (found.get(measure) if found is not None else None for found in (before, after))
    either = first or second
    assert either is not None
    bounds = [*_interval(first), *_interval(second)]
    known = [abs(value) for value in bounds if value is not None]
    scale = Scale.of(either.estimand, max(known, default=0.0))
    return (measure, either.estimand.outcome, scale.unit, scale.factor, scale.digits, *bounds)


def _interval(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    if estimate is None or not estimate.is_available:
        return None, None, None
    best = estimate.headline()
    return best.value, best.lower, best.upper


def _effect_words(row: pd.Series) -> tuple[str, str, str]:
    """Return estimate and interval of the first run, of the second, and the difference between the estimates."""

    def say(value: float, *, signed: bool = False) -> str:
        return language.number(float(value) * row["factor"], int(row["digits"]), signed=signed)

    told = []
    for which in ("first", "second"):
        value, lower, upper = (row[f"{name}_{which}"] for name in _EFFECT_COLUMNS)
        told.append("no estimate" if pd.isna(value) else f"{say(value)} ({say(lower)} to {say(upper)})")
    if "no estimate" in told:
        return told[0], told[1], ""
    apart = row["value_second"] - row["value_first"]
    return told[0], told[1], say(apart, signed=True) if apart else "the same"
