"""The price library: a file of sourced prices, which a programme's own file and own lines replace one by one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import pandas as pd
from pydantic import ValidationError

from ..data import TableSource, load_schema, read_table
from ..disclosure import Column, Table
from ..errors import ProgrammeError, did_you_mean
from .specification import GRADES, Cost, Price, PriceIndex

# A text is the label of a line without a public figure.
Library = Mapping[str, Price | str]
Model = TypeVar("Model", Price, Cost)
_SHIPPED, _FILE = Path(__file__).parent, "prices.csv"


def price_library(folder: Path | None = None, source: TableSource | None = None) -> Library:
    """Read a price library.

    Parameters
    ----------
    folder : Path, optional
        Where the file is; by default the one that comes with the package.
    source : TableSource, optional
        Which file in it; by default ``prices.csv``.

    Returns
    -------
    mapping of str to Price or str
        A text is the label of a line without a public figure.

    Raises
    ------
    DataError
        The file cannot be read or breaks its schema.
    ProgrammeError
        A line has a value, but no price year, source or grade.
    """
    return _shipped() if folder is None else _read_library(folder, source or TableSource(path=_FILE))


@cache
def _shipped() -> Library:
    return _read_library(_SHIPPED, TableSource(path=_FILE))


def _read_library(place: Path, file: TableSource) -> Library:
    frame = read_table(place, file, load_schema("prices", file.fields), "price_library")
    found: dict[str, Price | str] = {}
    for row in _rows(frame):
        name = row.pop("price_id")
        row.pop("note", None)
        if row.get("value") is None:
            found[name] = str(row["label"])
            continue
        row["covers"] = tuple(part.strip() for part in (row.get("covers") or "").split(";") if part.strip())
        known = {key: value for key, value in row.items() if key in Price.model_fields and value is not None}
        found[name] = _read(Price, known, f"{file.path}, {name}")
    return MappingProxyType(found)


def costs_table(folder: Path, source: TableSource) -> dict[str, Cost]:
    """Read a programme's file of costs.

    Parameters
    ----------
    folder : Path
        The programme's folder.
    source : TableSource
        Which file in it.

    Raises
    ------
    DataError
        The file cannot be read or breaks its schema.
    ProgrammeError
        A line contradicts itself.
    """
    frame = read_table(folder, source, load_schema("costs", source.fields), "costs_table")
    found = {}
    for row in _rows(frame):
        name = row.pop("cost_id")
        known = {key: value for key, value in row.items() if key in Cost.model_fields and value is not None}
        found[name] = _read(Cost, known, f"{source.path}, {name}")
    return found


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as plain values, None where there is none."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in plain.to_dict("records")]


def _read(model: type[Model], values: dict[str, Any], where: str) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "missing":
        message = f"The line has no {detail['loc'][0]}."
    raise ProgrammeError(
        "programme.economy_line",
        message,
        where=where,
        why="A figure without price year, source and grade can be neither converted nor believed.",
        do="Complete the line in the file.",
    )


def find_price(name: str, own: Mapping[str, Price], library: Library, where: str) -> Price:
    """Return the price of that name: one's own first, then the library's.

    Parameters
    ----------
    name : str
        As a consequence writes it.
    own : mapping of str to Price
        Those of ``economy.yml``.
    library : mapping of str to Price or str
        The files.
    where : str
        How messages call the place.

    Raises
    ------
    ProgrammeError
        There is none, or the library's line is empty.
    """
    if name in own:
        return own[name]
    found = library.get(name)
    if isinstance(found, Price):
        return found
    if name in library:
        raise ProgrammeError(
            "programme.empty_price",
            f"The price library has no figure for «{name}».",
            where=where,
            why="No public source is known, and an invented figure would look like a fact.",
            do=f"Write your own under prices.{name}, with its source and price year.",
        )
    raise ProgrammeError(
        "programme.unknown_price",
        f"There is no price «{name}».",
        where=where,
        why="What has no price cannot be added to what has one.",
        do=did_you_mean(name, {*own, *library}),
    )


def in_prices_of(
    amount: float, from_year: int, to_year: int, currencies: tuple[str, str], index: PriceIndex | None, where: str
) -> float:
    """Return an amount in the prices of another year.

    Parameters
    ----------
    amount : float
        In the prices of ``from_year``.
    from_year, to_year : int
        Price years.
    currencies : tuple of str
        Of the amount, and of the economy; they must be the same.
    index : PriceIndex, optional
        Needed when the years differ.
    where : str
        How messages call the place.

    Raises
    ------
    ProgrammeError
        Another currency, or an index that is missing or lacks a year.
    """
    if currencies[0] != currencies[1]:
        raise ProgrammeError(
            "programme.currency",
            f"The amount is in {currencies[0]}, everything else in {currencies[1]}.",
            where=where,
            why="An exchange rate is a choice (of day, or of purchasing power) that must be seen.",
            do=f"Convert it to {currencies[1]} and name the rate under source.",
        )
    if from_year == to_year:
        return amount
    known = {} if index is None else index.values
    lacking = sorted({from_year, to_year} - set(known))
    if lacking:
        raise ProgrammeError(
            "programme.price_index",
            f"The amount is in prices of {from_year}, the result in those of {to_year}, and there is no price index "
            f"for {' and '.join(str(year) for year in lacking)}.",
            where=where,
            why="Amounts of different years cannot be added up.",
            do="Give the index with its name and source under index.values.",
        )
    return amount * known[to_year] / known[from_year]


def library_table(library: Library) -> Table:
    """Return the library as a table: value, range, price year, source and grade of every line.

    Parameters
    ----------
    library : mapping of str to Price or str
        As read.
    """
    rows = []
    for name, price in library.items():
        given = price.model_dump() if isinstance(price, Price) else {"label": price}
        rows.append({"price_id": name, **{key: given.get(key) for key in _SHOWN}})
    columns = (
        Column("price_id", "Price"),
        Column("label", "What is priced"),
        Column("value", "Value", "number", digits=0),
        Column("low", "Low", "number", digits=0),
        Column("high", "High", "number", digits=0),
        Column("currency", "Currency"),
        Column("per", "Per"),
        Column("every", "Every"),
        Column("price_year", "Prices of"),
        Column("grade", "Grade"),
        Column("source", "Source"),
    )
    note = "Grades. " + "; ".join(f"{letter}: {words}" for letter, words in GRADES.items()) + "."
    frame = pd.DataFrame(rows, columns=[column.name for column in columns])
    return Table("price-library", "Price library", columns, frame, note=note)


_SHOWN = ("label", "value", "low", "high", "currency", "per", "every", "price_year", "grade", "source")
