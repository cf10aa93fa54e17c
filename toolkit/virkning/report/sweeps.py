"""A sweep as a reader sees it: every run in one table, its answers sorted by size, and which parameter moves them.

Nothing is chosen: runs without an answer stand in the table with their reason.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .. import language
from ..disclosure import ClearedTable, Column, DisclosureRule, Table, clear
from .exhibit import Exhibit, folded, prose
from .figures import GREY, HEADLINE, LABEL_CHARACTERS, OTHER, WIDTH_INCHES, drawing_board, finish
from .tables import require_cleared, table

PER_HUNDRED = 100.0
# A parameter with more values than this is drawn as a scale, not as one line for each value.
MOST_LINES = 8
_NO_SWING = 1e-12
# Of what stands at the end of a bar, on each of two lines.
_END_LETTERS = 14


@dataclass(frozen=True)
class Question:
    """One answer that every run gives: an effect, what is paid, what society gains.

    Attributes
    ----------
    part, measure, label, unit, kind : str
        As in the tidy table.
    rows : DataFrame
        One row for each run: ``run``, ``status``, the parameters, ``value``, ``lower``, ``upper``, ``n_persons``,
        ``reason``.
    """

    part: str
    measure: str
    label: str
    unit: str
    kind: str
    rows: pd.DataFrame = field(repr=False)

    @property
    def factor(self) -> float:
        """What values are multiplied by before they are shown: shares are said per 100 people."""
        return PER_HUNDRED if self.kind == "share" else 1.0

    @property
    def shown_unit(self) -> str:
        """The unit that a reader sees."""
        return "per 100 people" if self.kind == "share" else self.unit

    @property
    def digits(self) -> int:
        """Decimals that a reader needs."""
        largest = self.rows["value"].abs().max()
        return language.digits_for(self.kind, 0.0 if pd.isna(largest) else float(largest))

    def say(self, value: float) -> str:
        """Return a value as it is read aloud, without its unit.

        Parameters
        ----------
        value : float
            In the table's unit.
        """
        return language.number(value * self.factor, self.digits)

    @property
    def sentence(self) -> str:
        """What came out over all runs."""
        given = self.rows.dropna(subset=["value"])
        n, without = len(given), len(self.rows) - len(given)
        rest = (
            f" {language.plural(without, 'run gives', 'runs give')} no number; the table says why." if without else ""
        )
        if not n:
            return f"No run gives a number that may be shown.{rest}"
        lowest, middle, highest = (float(given["value"].quantile(q)) for q in (0, 0.5, 1))
        if highest - lowest <= _NO_SWING * max(abs(highest), abs(lowest), 1.0):
            found = f"{language.plural(n, 'run gives', 'runs give')} the same: {self.say(lowest)} {self.shown_unit}."
        else:
            found = (
                f"{language.plural(n, 'run gives', 'runs give')} from {self.say(lowest)} to {self.say(highest)} "
                f"{self.shown_unit}, half of them below {self.say(middle)}."
            )
        ends = given.dropna(subset=["lower", "upper"])
        if len(ends):
            above, below = int((ends["lower"] > 0).sum()), int((ends["upper"] < 0).sum())
            found += (
                f" The whole interval lies above zero in {language.number(above)} of them, "
                f"below zero in {language.number(below)}."
            )
        return found + rest


def questions(frame: pd.DataFrame, paths: Sequence[str]) -> list[Question]:
    """Return what every run was asked: the first outcome first, then payments, then the economy, then other outcomes.

    Parameters
    ----------
    frame : DataFrame
        The tidy table of a sweep.
    paths : sequence of str
        Its columns with parameters.
    """
    head = frame[frame["is_headline"]]
    runs = frame.drop_duplicates("run")[["run", "status", *paths, "reason"]]
    found = []
    for (part, measure), rows in head.groupby(["part", "measure"], sort=False):
        kept = rows[["run", "value", "lower", "upper", "n_persons", "reason"]]
        joined = runs.merge(kept, on="run", how="left", suffixes=("_run", ""))
        joined["reason"] = joined["reason"].fillna(joined["reason_run"])
        first = rows.iloc[0]
        numbers = joined[["value", "lower", "upper"]].astype("float64")
        joined[["value", "lower", "upper"]] = numbers
        found.append(
            Question(
                str(part), str(measure), str(first["label"]), str(first["unit"]), str(first["kind"]),
                joined.drop(columns="reason_run"),
            )
        )  # fmt: skip
    first_effects = [each for each in found if each.part in ("effects", "plan")]
    others = [each for each in found if each.part not in ("effects", "plan")]
    return [*first_effects[:1], *others, *first_effects[1:]]


def exhibits(
    frame: pd.DataFrame, paths: Sequence[str], rule: DisclosureRule, *, name: str, command: str
) -> list[Exhibit]:
    """Return everything that a page shows of a sweep.

    Parameters
    ----------
    frame : DataFrame
        The tidy table, all runs.
    paths : sequence of str
        Its columns with parameters, the slowest changing first.
    rule : DisclosureRule
        The programme's.
    name : str
        Short, unique on the page; names of tables and figures begin with it.
    command : str
        What makes the sweep again.
    """
    asked = questions(frame, paths)
    n = frame["run"].nunique()
    finished = frame.loc[frame["status"] == "finished", "run"].nunique()
    varied = language.join([f"``{path}`` ({frame[path].nunique()} values)" for path in paths])
    said = f"{language.plural(n, 'run', 'runs')}, all of them shown: {varied}."
    if finished < n:
        said += f" {language.plural(n - finished, 'run is', 'runs are')} not finished; the table says why."
    shown = [prose(f"{name}-what", f"{said}\n\n```bash\n{command}\n```")]
    behind: list[tuple[str, str, Sequence[Exhibit]]] = []
    for position, question in enumerate(asked):
        figures = _figures(question, paths, rule, name)
        if position == 0 or question.part not in ("effects", "plan"):
            heading = f"```{{rubric}} {question.label}\n:heading-level: 3\n```\n\n{question.sentence}"
            shown += [prose(f"{name}-{question.part}-{question.measure}", heading), *figures]
        else:
            behind.append((question.label, question.sentence, figures))
    if behind:
        shown.append(folded(f"{name}-others", "The other outcomes", behind))
    return [*shown, table(clear(_all_runs(asked, frame, paths, name), rule))]


def _all_runs(asked: Sequence[Question], frame: pd.DataFrame, paths: Sequence[str], name: str) -> Table:
    """Return one row for each run: its parameters, every answer with its interval, and why there is none."""
    rows = frame.drop_duplicates("run")[["run", "status", *paths, "reason"]].reset_index(drop=True)
    columns = [Column("run", "Run", "number", digits=0)]
    columns += [Column(path, path) for path in paths]
    for path in paths:
        rows[path] = [_value(value) for value in rows[path]]
    for question in asked:
        prefix = f"{question.part}.{question.measure}"
        values = question.rows.set_index("run").reindex(rows["run"])
        persons = f"{prefix}.n_persons"
        rows[persons] = values["n_persons"].astype("float64").to_numpy()
        for column, label in (("value", question.label), ("lower", "from"), ("upper", "to")):
            if values[column].notna().any():
                rows[f"{prefix}.{column}"] = values[column].to_numpy() * question.factor
                columns.append(
                    Column(f"{prefix}.{column}", label, "number", question.shown_unit, question.digits, persons)
                )
        missing = values["value"].isna() & values["reason"].ne("")
        rows["reason"] = rows["reason"].where(~missing.to_numpy(), values["reason"].fillna("").to_numpy())
    if rows["reason"].ne("").any():
        columns.insert(1 + len(paths), Column("reason", "Why there is none"))
    if rows["status"].ne("finished").any():
        columns.insert(1, Column("status", "State"))
    return Table(f"{name}-runs", "All runs of the sweep", tuple(columns), rows)


def _value(value: Any) -> str:
    """Return a parameter's value as it would be written."""
    return "" if pd.isna(value) else str(value)


def _figures(question: Question, paths: Sequence[str], rule: DisclosureRule, name: str) -> list[Exhibit]:
    given = question.rows.dropna(subset=["value"])
    if len(given) < 2 or np.ptp(given["value"]) <= _NO_SWING * max(float(given["value"].abs().max()), 1.0):
        return []
    name = f"{name}-{question.part}-{question.measure}".replace("_", "-")
    swings = _swings(question, given, paths, name)
    shown = [specification_curve(question, paths, clear(_sorted(question, given, paths, name), rule))]
    return [*shown, sensitivity(question, clear(swings, rule)), table(clear(swings, rule))]


def _sorted(question: Question, given: pd.DataFrame, paths: Sequence[str], name: str) -> Table:
    rows = given.sort_values(["value", "run"], kind="stable", ignore_index=True)
    rows.insert(0, "rank", np.arange(1, len(rows) + 1))
    rows["n_persons"] = rows["n_persons"].astype("float64")
    parameters = {path: [_value(value) for value in rows[path]] for path in paths}
    for column in ("value", "lower", "upper"):
        rows[column] = rows[column] * question.factor
    numbers = [
        Column(column, label, "number", question.shown_unit, question.digits, "n_persons")
        for column, label in (("value", question.label), ("lower", "from"), ("upper", "to"))
    ]
    head = (Column("rank", "Rank", "number", digits=0), Column("run", "Run", "number", digits=0))
    columns = (*head, *numbers, *(Column(path, path) for path in paths))
    return Table(f"{name}-curve", f"{question.label}: all runs by size", columns, rows.assign(**parameters))


def specification_curve(question: Question, paths: Sequence[str], cleared: ClearedTable) -> Exhibit:
    """Return every run's answer with its interval, sorted by size, above the parameter values that belong to it.

    Parameters
    ----------
    question : Question
        What was asked.
    paths : sequence of str
        The parameters.
    cleared : ClearedTable
        Columns ``rank``, ``value``, ``lower``, ``upper`` and the parameters; hidden rows are left out.
    """
    require_cleared(cleared)
    rows = cleared.frame.dropna(subset=["value"])
    x = rows["rank"].astype(float).to_numpy()
    value, lower, upper = (rows[name].astype(float).to_numpy() for name in ("value", "lower", "upper"))
    lines = [(path, _lines(rows[path])) for path in paths if rows[path].nunique() > 1]
    height = sum(0.3 + 0.19 * len(labels) for _, labels in lines)
    with drawing_board(2.6 + height) as (figure, _):
        figure.clear()
        figure.set_size_inches(WIDTH_INCHES, 2.6 + height)
        ratios = [2.4, *(0.3 + 0.19 * len(labels) for _, labels in lines)]
        panels = figure.subplots(len(ratios), 1, sharex=True, gridspec_kw={"height_ratios": ratios}, squeeze=False)
        top, *below = [row[0] for row in panels]
        size = float(np.clip(140 / len(rows), 2.0, 6.0))
        top.vlines(x, lower, upper, color=HEADLINE, linewidth=max(size / 2.5, 0.8), alpha=0.55)
        top.plot(x, value, linestyle="", marker="o", markersize=size, color=HEADLINE, markeredgewidth=0)
        if np.nanmin([*value, *lower]) <= 0 <= np.nanmax([*value, *upper]):
            top.axhline(0, color=GREY, linewidth=1.2, linestyle="--")
        top.set_ylabel(textwrap.fill(question.shown_unit, 18))
        top.yaxis.set_major_formatter(lambda number, _: _tick(number))
        for axes, (path, labels) in zip(below, lines, strict=True):
            _dashboard(axes, x, rows[path].astype(str).to_numpy(), path, labels, size)
        panels[-1][0].set_xlabel("Runs, by the size of their answer")
        panels[-1][0].set_xticks([])
        has_ends = bool(np.isfinite(lower).any())
        caption = f"{question.label}: every run, sorted by its answer{', with its interval' if has_ends else ''}."
        if lines:
            caption += " Below: the values with which each was run."
        return finish(figure, f"{cleared.name}-figure", caption, f"{caption} {question.sentence}", cleared)


def _lines(values: pd.Series) -> list[str]:
    """Return the values of a parameter in their order, numbers by size; only the ends of a long scale."""
    distinct = list(dict.fromkeys(values.astype(str)))
    numbers = pd.to_numeric(pd.Series(distinct), errors="coerce")
    if numbers.notna().all():
        distinct = [distinct[place] for place in numbers.argsort()]
    return distinct if len(distinct) <= MOST_LINES else [distinct[0], distinct[-1]]


def _dashboard(axes: Axes, x: Any, values: Any, path: str, labels: Sequence[str], size: float) -> None:
    """Draw which value each run had: one line for each value, or a scale between the smallest and the largest."""
    numbers = pd.to_numeric(pd.Series(values), errors="coerce")
    is_scale = len(set(values)) > len(labels)
    if is_scale and numbers.notna().all():
        first, last = float(labels[0]), float(labels[-1])
        y = (numbers.to_numpy() - first) / (last - first)
    elif is_scale:
        order = {value: place for place, value in enumerate(dict.fromkeys(values))}
        y = np.array([order[value] for value in values]) / (len(order) - 1)
    else:
        y = np.array([labels.index(value) for value in values], dtype=float)
    axes.plot(x, y, linestyle="", marker="s", markersize=max(size * 0.8, 1.8), color=OTHER, markeredgewidth=0)
    shown = [label if len(label) <= LABEL_CHARACTERS else f"{label[: LABEL_CHARACTERS - 1]}…" for label in labels]
    axes.set_yticks(range(len(labels)), shown, fontsize="x-small")
    axes.set_ylim(-0.5, len(labels) - 0.5)
    axes.set_title(path, loc="left", fontsize="small", pad=2)
    axes.grid(axis="x", visible=False)


def _tick(value: float) -> str:
    digits = next((d for d in range(5) if abs(round(value, d) - value) < 1e-9 * max(abs(value), 1.0)), 5)
    return language.number(value, digits)


def _swings(question: Question, given: pd.DataFrame, paths: Sequence[str], name: str) -> Table:
    """Return, for each parameter, between which of its values the mean answer moves furthest, the widest first."""
    rows = []
    for path in paths:
        values = pd.Series([_value(value) for value in given[path]], index=given.index)
        means = given["value"].astype(float).groupby(values, sort=False).mean() * question.factor
        if len(means) < 2:
            continue
        rows.append(
            {
                "parameter": path,
                "n_values": len(means),
                "lowest_at": str(means.idxmin()),
                "lowest": float(means.min()),
                "highest_at": str(means.idxmax()),
                "highest": float(means.max()),
                "swing": float(means.max() - means.min()),
                "n_persons": float(given["n_persons"].astype("float64").min()),
            }
        )
    columns = (
        Column("parameter", "Parameter"),
        Column("n_values", "Values", "number", digits=0),
        Column("lowest_at", "Lowest at"),
        Column("lowest", "Mean there", "number", question.shown_unit, question.digits, "n_persons"),
        Column("highest_at", "Highest at"),
        Column("highest", "Mean there", "number", question.shown_unit, question.digits, "n_persons"),
        Column("swing", "Moves by", "number", question.shown_unit, question.digits, "n_persons"),
    )
    names = [*(column.name for column in columns), "n_persons"]
    frame = pd.DataFrame(rows, columns=names).sort_values("swing", ascending=False, kind="stable", ignore_index=True)
    title = f"{question.label}: what moves it"
    note = "Mean over all runs with that value of the parameter."
    return Table(f"{name}-sensitivity", title, columns, frame, note=note)


def sensitivity(question: Question, cleared: ClearedTable) -> Exhibit:
    """Return how far each parameter moves the mean answer, the widest first.

    Parameters
    ----------
    question : Question
        What was asked.
    cleared : ClearedTable
        Columns ``parameter``, ``lowest_at``, ``lowest``, ``highest_at``, ``highest``.
    """
    require_cleared(cleared)
    rows = cleared.frame.dropna(subset=["lowest", "highest"])
    rows = rows[rows["swing"].astype(float) > _NO_SWING * question.factor]
    name = f"{cleared.name}-figure"
    if rows.empty:
        return prose(name, "There is no figure: no parameter by itself moves an answer that may be shown.")
    places = np.arange(len(rows))[::-1]
    lowest, highest = (rows[column].astype(float).to_numpy() for column in ("lowest", "highest"))
    reach = float(np.ptp([lowest.min(), highest.max()])) or 1.0
    with drawing_board(1.0 + 0.62 * len(rows)) as (figure, axes):
        axes.barh(places, highest - lowest, left=lowest, height=0.5, color=HEADLINE)
        ends = ((lowest, "lowest_at", "right", -1), (highest, "highest_at", "left", 1))
        for values, column, side, sign in ends:
            for place, value, text in zip(places, values, rows[column], strict=True):
                words = textwrap.shorten(str(text).replace("_", " "), 2 * _END_LETTERS, placeholder="…")
                words = textwrap.fill(words, _END_LETTERS)
                axes.text(float(value) + sign * 0.02 * reach, place, words, ha=side, va="center", fontsize="x-small")
        axes.set_xlim(lowest.min() - 0.45 * reach, highest.max() + 0.45 * reach)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_yticks(places, [str(path).replace(".", ".\n") for path in rows["parameter"]], fontsize="small")
        axes.locator_params(axis="x", nbins=3)
        axes.xaxis.set_major_formatter(lambda number, _: _tick(number))
        axes.set_xlabel(question.shown_unit)
        axes.grid(axis="y", visible=False)
        said = "; ".join(
            f"{row['parameter']}: {language.number(row['lowest'], question.digits)} at {row['lowest_at']}, "
            f"{language.number(row['highest'], question.digits)} at {row['highest_at']}"
            for row in rows.to_dict("records")
        )
        caption = f"{question.label}: mean over all runs, at the value of each parameter that gives least and most."
        return finish(figure, name, caption, f"{caption} {said}.", cleared)
