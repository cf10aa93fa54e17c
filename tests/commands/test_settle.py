"""``virkning settle`` without a programme: for the person who manages the contract."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

CONTRACTS = Path(__file__).parents[2] / "book" / "contracts"


@pytest.fixture
def denver(tmp_path: Path) -> Path:
    shutil.copytree(CONTRACTS / "denver", tmp_path / "denver")
    return tmp_path / "denver"


def test_settle_prints_the_payments(virkning, denver: Path) -> None:
    done = virkning("settle", "denver")
    assert done.returncode == 0, done.stderr
    for part in ("3,913,932.96", "620,978.40", "Total: 9,638,911.36 USD"):
        assert part in done.stdout


def test_settle_prints_json_with_exact_amounts(virkning, denver: Path) -> None:
    values = json.loads(virkning("settle", "denver/contract.yml", "--results", "denver/results.csv", "--json").stdout)
    assert values["total"] == "9638911.36"
    assert [payment["amount"] for payment in values["payments"]] == ["3913932.96", "620978.4", "5104000"]
    assert values["ledger"][0]["kind"] == "result"


def test_settle_writes_csv_and_excel(virkning, denver: Path, tmp_path: Path) -> None:
    # A source that begins with «=» must stay text in a spreadsheet.
    results = denver / "results.csv"
    results.write_text(results.read_text(encoding="utf-8").replace("Urban Institute 2021; the day", "=1+1; the day"))
    done = virkning("settle", "denver", "--csv", "out/ledger.csv", "--excel", "out/ledger.xlsx")
    assert done.returncode == 0, done.stderr
    ledger = pd.read_csv(tmp_path / "out/ledger.csv", dtype=str)
    assert Decimal(ledger["after"].iloc[2]) == Decimal("3913932.96")
    book = openpyxl.load_workbook(tmp_path / "out/ledger.xlsx")
    assert book.sheetnames == ["payments", "by payer", "by period", "by metric", "ledger", "cash flows"]
    assert book["by payer"]["B2"].value == 9638911.36
    assert not any(cell.data_type == "f" for sheet in book for line in sheet.iter_rows() for cell in line)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("settle", "nowhere"), 10, "no contract"),
        (("settle", "denver", "--results", "none.csv"), 11, "none.csv"),
        (("settle",), 2, "CONTRACT"),
    ],
)
def test_settle_says_what_is_missing(virkning, denver: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    done = virkning(*arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_settle_asks_for_results(virkning, denver: Path) -> None:
    (denver / "results.csv").unlink()
    done = virkning("settle", "denver")
    assert done.returncode == 2
    assert "--results" in done.stderr


def test_settle_refuses_repeated_results(virkning, denver: Path) -> None:
    results = denver / "results.csv"
    lines = results.read_text(encoding="utf-8").splitlines()
    results.write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")
    done = virkning("settle", "denver")
    assert done.returncode == 11
    assert "result_id" in done.stderr
    assert "258858" not in done.stderr


def test_settle_refuses_a_misspelt_term_with_its_line(virkning, denver: Path) -> None:
    file = denver / "contract.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("spread", "spred").replace("lag_days", "lag_day"))
    done = virkning("settle", "denver")
    assert done.returncode == 10
    assert "Did you mean «lag_days»" in done.stderr
    assert "line" in done.stderr


@pytest.mark.parametrize("name", ["results", "ledger"])
@pytest.mark.parametrize("form", ["json", "template", "synthetic"])
def test_tables_of_a_settlement_have_schemas(virkning, name: str, form: str) -> None:
    done = virkning("schema", name, "--as", form)
    assert done.returncode == 0, done.stderr
    assert "period" in done.stdout


def test_contract_has_a_schema(virkning) -> None:
    schema = json.loads(virkning("schema", "contract").stdout)
    assert schema["additionalProperties"] is False
    assert "MarginalTiers" in schema["$defs"]


def test_settle_writes_the_public_records_standard(virkning, denver: Path, tmp_path: Path) -> None:
    done = virkning("settle", "denver", "--indigo", "denver.json")
    assert done.returncode == 0, done.stderr
    project = json.loads((tmp_path / "denver.json").read_text(encoding="utf-8"), parse_float=Decimal)
    paid = project["overall_project_finance"]["total_outcome_payments_made"]["amount"]["value"]
    assert paid == Decimal("9638911.36")


def test_settle_estimates_what_the_contract_of_a_programme_pays_for(virkning) -> None:
    """Six months in work: the effect per 100 people, rounded to one decimal, on the ramp of the contract."""
    done = virkning("settle", "ungevej", "--json")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    result = next(row for row in values["ledger"] if row["metric"] == "employment_6_months" and row["kind"] == "price")
    priced = (Decimal(result["input"]) - Decimal("0.5")) / Decimal("3.5") * 8_000_000
    assert round(Decimal(result["after"]), 2) == round(priced, 2)
    assert Decimal(values["total"]) > 865 * 5000 + 789 * 3000
