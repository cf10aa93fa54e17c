"""The public record is written with its own names and read without a guess."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from virkning.contract.indigo import LEFT_OUT, read_indigo, to_indigo, write_indigo
from virkning.contract.statement import settle_files
from virkning.errors import DataError

CONTRACTS = Path(__file__).parents[2] / "book" / "contracts"


def test_contract_is_written_and_read_again(tmp_path: Path) -> None:
    denver = settle_files(CONTRACTS / "denver")
    file = tmp_path / "denver.json"
    write_indigo(denver, file)
    assert '"value": 3913932.96' in file.read_text(encoding="utf-8")
    found = read_indigo(file)
    assert found.problems.empty
    assert found.metrics["id"].tolist() == ["days_housed", "jail_days"]
    assert found.pricings["price_per_unit"].tolist() == [Decimal("15.12"), None]
    assert sum(found.payments["amount"]) == Decimal("9638911.36")
    assert found.results["outcome_metric_id"].tolist() == ["days_housed", "days_housed", "jail_days"]


def test_amounts_stand_under_the_names_of_the_standard() -> None:
    project = to_indigo(settle_files(CONTRACTS / "denver"))
    finance = project["overall_project_finance"]
    assert finance["total_investment_commitment"]["amount"]["exact"]["value"] == 8_600_000
    assert finance["total_outcome_payments_made"]["amount"]["value"] == Decimal("9638911.36")
    kinds = [item["transaction_type"]["value"] for item in project["transactions"]]
    assert kinds == ["Other", "Outcome Payment", "Capital Repayment", "Outcome Payment", "Capital Repayment", "Other"]
    assert project["outcome_metrics"][0]["outcome_validation_method"]["value"] == "Simple ex-post verification"


def test_price_of_many_units_is_not_turned_into_a_price_per_unit() -> None:
    """10,000,000 for 1,600 villages is published; 6,250 a village is not."""
    (pricing,) = to_indigo(settle_files(CONTRACTS / "cambodia"))["outcome_pricings"]
    assert "price_per_unit" not in pricing
    assert "1600 units" in pricing["price_description"]["value"]


def test_unpublished_price_and_payment_are_not_written() -> None:
    project = to_indigo(settle_files(CONTRACTS / "peterborough"))
    assert "total_outcome_payments_made" not in project["overall_project_finance"]
    assert [item["money"]["amount"]["value"] for item in project["outcome_payments"]] == [0]


def test_what_the_standard_cannot_hold_is_said() -> None:
    assert any("order of limits" in text for text in LEFT_OUT)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("$11.712M", "not a plainly written number"),
        ("$10,000,000", "not a plainly written number"),
        ("about 3 million", "not a plainly written number"),
        ("€", "not a plainly written number"),
        ("1e6", "not a plainly written number"),
    ],
)
def test_amount_that_is_not_a_number_is_reported_and_not_guessed(tmp_path: Path, written: str, problem: str) -> None:
    payment = {"outcome_metric_id": {"value": "1"}, "money": {"amount": {"value": written}}}
    found = read(tmp_path, {"outcome_metrics": [{"id": "1"}], "outcome_payments": [payment]})
    assert found.payments["amount"].tolist() == [None]
    assert found.problems.to_dict("records") == [
        {"list": "outcome_payments", "row": 1, "field": "amount", "problem": problem, "written": written}
    ]


def test_repeated_ids_join_nothing(tmp_path: Path) -> None:
    metrics = [{"id": name} for name in ("1", "2", "1")]
    prices = [{"outcome_metric_id": {"value": name}, "currency": {"value": "GBP"}} for name in ("1", "2", "9")]
    found = read(tmp_path, {"outcome_metrics": metrics, "outcome_pricings": prices})
    assert found.metrics["id"].tolist() == [None, "2", None]
    assert found.pricings["outcome_metric_id"].tolist() == [None, "2", None]
    assert found.problems["problem"].tolist() == [
        "the id stands more than once",
        "the id stands more than once",
        "refers to an id that stands more than once",
        "refers to no metric",
    ]


def test_currency_and_date_that_are_none_are_reported(tmp_path: Path) -> None:
    price = {"outcome_metric_id": {"value": "1"}, "currency": {"value": "Swedish"}}
    result = {"outcome_metric_id": {"value": "1"}, "period": {"start_date": {"value": "2022-13"}, "end_date": "2023"}}
    found = read(tmp_path, {"outcome_metrics": [{"id": "1"}], "outcome_pricings": [price], "results": [result]})
    assert found.problems["problem"].tolist() == ["not a currency code", "not a date"]
    assert found.results["end"].tolist() == ["2023"]


@pytest.mark.parametrize("text", ["no json", "[]", "{}", '{"name": {"value": "x"}}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "file.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="INDIGO"):
        read_indigo(file)


def read(folder: Path, project: dict[str, object]):
    file = folder / "project.json"
    file.write_text(json.dumps(project), encoding="utf-8")
    return read_indigo(file)
