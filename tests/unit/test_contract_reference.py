"""Every example on the page about the language of contracts is settled; the page shows every part of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent
from typing import Any

import pytest

from virkning.contract import Contract, ContractFile, ResultRow, Results, settle
from virkning.errors import VirkningError
from virkning.estimates import Estimates
from virkning.money import parse
from virkning.specification import read_document

PAGE = Path(__file__).parents[2] / "book" / "methods" / "contract_language.md"
BLOCK = re.compile(
    r"```yaml\n# (?P<path>contract[\w.]*)\n(?P<yaml>.*?)```|(?P<table>(?:^\|[^\n]*\n)+)", re.DOTALL | re.MULTILINE
)
ROW = {"evidence": "evidence", "comparison": "comparison", "people": "n_people", "matched": "matched_share"}
SHARES = {"share": "binary_share", "comparison share": "comparison_binary_share"}


@dataclass(frozen=True)
class Example:
    """One row of a table on the page, with the contract above it."""

    changes: tuple[tuple[str, str], ...]
    cells: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.changes[-1][0]}: " + ", ".join(f"{name} {value}" for name, value in self.cells)


def examples() -> Iterator[Example]:
    """Give every row of every table, with the blocks above it since the table before."""
    base: tuple[tuple[str, str], ...] = ()
    changes: tuple[tuple[str, str], ...] = ()
    fresh = True
    for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if found["path"] == "contract":
            base = ((found["path"], found["yaml"]),)
        elif found["path"]:
            # An example of results that only changes the result builds on the metric before it.
            goes_on = fresh and found["path"] == "contract.metrics.jobs.result" and "effect" in found["yaml"]
            changes = changes if goes_on or not fresh else ()
            changes += ((found["path"], found["yaml"]),)
            fresh = False
        else:
            head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in found["table"].splitlines()]
            for row in rows:
                yield Example((*base, *changes), tuple(zip(head, row, strict=True)))
            fresh = True


EXAMPLES = list(examples())


def terms(example: Example) -> Contract:
    values: dict[str, Any] = {}
    for path, text in example.changes:
        *steps, last = path.split(".")
        place = values
        for step in steps:
            place = place.setdefault(step, {})
        place[last] = exactly(text)
    return ContractFile.model_validate(values).contract


def exactly(text: str) -> Any:
    """Read YAML as a contract's file is read: numbers from their digits, and no word is true or false but these two."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "example.yml"
        file.write_text("value:\n" + indent(text, "  "), encoding="utf-8")
        return deepcopy(read_document(file, file.name, exact=True).values["value"])


def results(example: Example) -> Iterator[ResultRow]:
    rows: list[dict[str, Any]] = []
    for name, cell in example.cells:
        words = name.split()
        if words[0] in ("paid", "on", "effect") or words[-1] == "gets":
            continue
        if name in ROW | SHARES:
            value = cell if name == "evidence" else int(cell) if name == "people" else Decimal(cell)
            rows[-1][(ROW | SHARES)[name]] = value
        elif name == "restated":
            rows.append({**rows[-1], "value": cell, "restates": rows[-1]["result_id"], "period": "2025"})
        else:
            for person, value in persons(cell):
                where = dict(zip(("period", "part"), words[1:], strict=False))
                rows.append({"metric": words[0], "person_id": person, "value": value, "period": "2024", **where})
        for position, row in enumerate(rows):
            row["result_id"] = f"r{position}"
    for row in rows:
        year = int(row["period"])
        part = row.pop("part", "")
        place = {"cohort" if part in terms(example).cohorts else "group": part} if part else {}
        accepted = row.get("evidence", "accepted") == "accepted"
        day = date(year, 12, 31) if accepted else None
        value = Decimal(row.pop("value"))
        yield ResultRow(**row, **place, value=value, accepted_on=day, standing="synthetic", source="the page")


def persons(cell: str) -> list[tuple[str, str]]:
    pairs = [part.partition(":") for part in cell.split(";")]
    return [(one.strip(), other.strip()) if sign else ("", one.strip()) for one, sign, other in pairs]


def amount(text: str) -> Decimal:
    return parse(text.replace(",", ""))


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example_settles_as_the_page_says(example: Example, made_up_effects: Callable[..., Estimates]) -> None:
    agreed, cells = terms(example), dict(example.cells)
    if "effect" in cells:
        found = made_up_effects({"is_employed": (float(cells["effect"]), 0.01, "share")}, kind="share")
        given: Any = Estimates({name: replace(each, comparison_mean=0.4) for name, each in found.items()})
    else:
        given = Results(tuple(results(example)))
    settled = settle(agreed, given)
    for name, cell in cells.items():
        words = name.split()
        if name == "paid" and cell == "refused":
            with pytest.raises(VirkningError):
                _ = settled.total
        elif name == "paid":
            assert settled.total.amount == amount(cell)
        elif words[0] == "paid":
            assert sum(p.known for p in settled.payments if p.payer == words[2]) == amount(cell)
        elif words[0] == "on":
            assert sum(p.known for p in settled.payments if p.payable_on == date.fromisoformat(words[1])) == amount(
                cell
            )
        elif words[-1] == "gets":
            gets = sum(settled.waterfall().of(words[0])["amount"])
            assert round(gets, 2) == amount(cell)


def test_page_shows_every_part_of_the_language() -> None:
    schema = ContractFile.model_json_schema()
    keys: set[str] = set()
    values: set[str] = set()
    for example in EXAMPLES:
        for path, text in example.changes:
            keys |= set(path.split(".")) | set(re.findall(r"(\w+):", text))
            values |= set(re.findall(r"\w+", text))
    missing = {
        f"{title}.{name}"
        for title, part in schema["$defs"].items()
        for name in part.get("properties", {})
        if name not in keys
    }
    assert not missing
    assert not set(_constants(schema)) - values - _told_in_words()


def _constants(schema: Any) -> Iterator[str]:
    """Give every kind that a part of the language may have."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("const", "enum"):
                yield from [value] if key == "const" else value
            yield from _constants(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _constants(value)


def _told_in_words() -> set[str]:
    """Return the values that the page names in its text, as code."""
    return set(re.findall(r"`(?:\w+: )?(\w+)`", PAGE.read_text(encoding="utf-8")))


def test_whole_contract_of_the_page_is_read_from_a_file(tmp_path: Path) -> None:
    (_, text), *_ = EXAMPLES[0].changes
    file = tmp_path / "contract.yml"
    file.write_text("contract:\n" + indent(text, "  "), encoding="utf-8")
    assert Contract.read(file) == terms(EXAMPLES[0])
