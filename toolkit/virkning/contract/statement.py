"""A settlement for people: lines for the terminal, values for JSON, and files for CSV and Excel."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import UsageError
from ..money import ZERO, in_words, json_value
from ..provenance import write_atomically
from .results import FILE, Results
from .settlement import Settlement, settle
from .terms import Contract, contract_file

Row = Sequence[str]


def settle_files(contract: str | Path, results: str | Path | None = None) -> Settlement:
    """Return the settlement of a contract and its results, both from files.

    Parameters
    ----------
    contract : str or Path
        A ``contract.yml``, or its folder.
    results : str or Path, optional
        By default ``results.csv`` beside the contract.

    Raises
    ------
    ProgrammeError, DataError
        A file is missing or cannot be settled.
    UsageError
        No results are named, and none stand beside the contract.
    """
    terms = Contract.read(contract)
    if terms.pays_for_effects:
        raise UsageError(
            "usage.needs_effects",
            "The contract pays for effects that a programme's own run estimates, and no programme is named.",
            where=contract_file(contract).name,
            why="An effect that somebody typed in could not be followed back to its data.",
            do="Name the programme: virkning settle PROGRAMME",
        )
    file = contract_file(contract).parent / FILE if results is None else Path(results)
    if results is None and not file.is_file():
        raise UsageError(
            "usage.no_results",
            f"There is no {FILE} beside the contract.",
            where=file.name,
            why="Without results nothing is settled.",
            do="Name the file: --results FILE. «virkning schema results --as template» prints an empty one.",
        )
    return settle(terms, Results.read(file))


def lines(settlement: Settlement) -> list[str]:
    """Return a settlement as lines for the terminal: payments, sums by payer, period and metric, and warnings."""
    contract = settlement.contract
    rows = [
        (
            payment.payable_on.isoformat(),
            payment.line,
            payment.payer,
            "not public" if payment.amount is None else in_words(payment.amount, contract.currency),
        )
        for payment in settlement.payments
    ]
    shown = [f"{contract.title} ({contract.standing})", ""]
    shown += _columns(("payable on", "line", "payer", contract.currency), rows)
    if settlement.is_complete:
        for column in ("payer", "period", "metric"):
            sums = settlement.by(column)
            named = zip(sums[column], sums["amount"], strict=True)
            shown += [
                "",
                *_columns((column, contract.currency), [(n, in_words(a, contract.currency)) for n, a in named]),
            ]
        shown += ["", f"Total: {settlement.total}"]
    else:
        shown += ["", "There is no total: a price is not public."]
    return [*shown, *(f"Note: {text}" for text in (*settlement.warnings, *contract.notes))]


def _columns(head: Row, rows: Sequence[Row]) -> list[str]:
    """Return rows as aligned columns; the last one, which holds amounts, ends on the right."""
    table = [head, *rows]
    widths = [max(len(row[position]) for row in table) for position in range(len(head))]
    text = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row[:-1], widths[:-1], strict=True)), row[-1].rjust(widths[-1])])
        for row in table
    ]
    return [text[0], "-" * len(text[0]), *text[1:]]


def values(settlement: Settlement) -> dict[str, Any]:
    """Return a settlement as plain values for JSON; amounts are text, so that no digit is lost."""
    total = str(settlement.total.amount) if settlement.is_complete else None
    return {
        "contract": settlement.contract.id,
        "currency": settlement.contract.currency,
        "total": total,
        "payments": [
            {name: json_value(value) for name, value in vars(payment).items()} for payment in settlement.payments
        ],
        "ledger": _written(settlement.ledger).to_dict("records"),
        "warnings": list(settlement.warnings),
    }


def _written(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with every value as text; nothing for what is missing."""
    columns = {}
    for name in frame:
        texts = [None if value is None or pd.isna(value) else _text(value) for value in frame[name]]
        columns[name] = pd.Series(texts, dtype=object)
    return pd.DataFrame(columns)


def _text(value: Any) -> str:
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else str(json_value(value))


def write_csv(settlement: Settlement, file: Path) -> None:
    """Write the ledger as CSV, with exact amounts.

    Raises
    ------
    VirkningError
        The file cannot be written; what was there before is kept.
    """
    write_atomically(file, _written(settlement.ledger).to_csv(index=False, lineterminator="\n"))


def write_excel(settlement: Settlement, file: Path) -> None:
    """Write payments, sums, ledger and cash flows as sheets of an Excel file.

    Excel has binary numbers only: amounts are exact there to fifteen digits. The CSV file is the exact one.

    Raises
    ------
    VirkningError
        The file cannot be written; what was there before is kept.
    """
    sheets = {"payments": pd.DataFrame([vars(payment) for payment in settlement.payments])}
    if settlement.is_complete:
        sheets |= {f"by {column}": settlement.by(column) for column in ("payer", "period", "metric")}
    sheets["ledger"] = settlement.ledger
    if settlement.is_complete and settlement.contract.waterfall is not None:
        sheets["cash flows"] = settlement.waterfall().frame
    content = io.BytesIO()
    with pd.ExcelWriter(content, engine="openpyxl") as writer:
        for name, frame in sheets.items():
            _as_numbers(frame).to_excel(writer, sheet_name=name, index=False)
        for sheet in writer.book.worksheets:
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"):
                cell.data_type = "s"  # Text that begins with «=» is text: nothing in a file from outside is computed.
    write_atomically(file, content.getvalue())


def _as_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: [_cell(value) for value in frame[name]] for name in frame})


def _cell(value: Any) -> Any:
    if isinstance(value, type(ZERO)):
        return float(value)
    return value.date() if isinstance(value, pd.Timestamp) else value
