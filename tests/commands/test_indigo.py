"""``virkning indigo``: a public record is read without a guess, and a contract is begun from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).parents[2] / "book" / "contracts"
# What a person who knows Denver's contract writes into its draft, in the order in which the terms stand there.
TERMS = (
    *(
        "real",
        "Urban Institute",
        "days",
        "days\n        most_per_person: null",
        "2016-01-01",
        "derived",
        "[lease]",
        "0",
    ),
    *("USD", "figure", "as_given", "2016-01-01", "published", "[trial]", "0", "2", "half_up"),
)


@pytest.fixture
def record(virkning, tmp_path: Path) -> Path:
    """A record written from the contract of Denver."""
    assert virkning("settle", str(CONTRACTS / "denver"), "--indigo", "denver.json").returncode == 0
    return tmp_path / "denver.json"


def test_record_is_read(virkning, record: Path) -> None:
    done = virkning("indigo", record.name)
    assert done.returncode == 0, done.stderr
    for part in ("Denver Supportive Housing SIB", "Metrics: 2", "of them 1 for one unit", "Every value could be read."):
        assert part in done.stdout


def test_record_is_printed_as_json_with_exact_amounts(virkning, record: Path) -> None:
    values = json.loads(virkning("indigo", record.name, "--json").stdout)
    assert values["title"] == "Denver Supportive Housing SIB"
    assert values["pricings"][0]["price_per_unit"] == "15.12"
    assert [payment["amount"] for payment in values["payments"]] == ["3913932.96", "620978.4", "5104000"]
    assert values["problems"] == []


def test_contract_begun_from_a_record_is_refused_until_it_is_filled_in_and_then_settles(
    virkning, record: Path, tmp_path: Path
) -> None:
    done = virkning("indigo", record.name, "--contract", "mine", "--json")
    assert json.loads(done.stdout)["to_fill_in"] == len(TERMS)
    file = tmp_path / "mine" / "contract.yml"
    results = (CONTRACTS / "denver" / "results.csv").read_text(encoding="utf-8")
    for position, name in enumerate(("first_to_fourth", "fifth"), start=1):
        results = results.replace(f",{name},", f",period_{position},")
    (tmp_path / "mine" / "results.csv").write_text(results, encoding="utf-8")
    refused = virkning("settle", "mine")
    assert refused.returncode == 10
    assert "contract.metrics.days_housed.unit" in refused.stderr
    text = file.read_text(encoding="utf-8")
    for term in TERMS:
        before, _, after = text.partition("  # to fill in: ")
        text = f"{before} {term}\n{after.partition(chr(10))[2]}"
    file.write_text(text, encoding="utf-8")
    settled = virkning("settle", "mine")
    assert settled.returncode == 0, settled.stderr
    assert "Total: 9,638,911.36 USD" in settled.stdout


def test_record_with_a_cap_keeps_it(virkning, tmp_path: Path) -> None:
    assert virkning("settle", str(CONTRACTS / "kmc"), "--indigo", "kmc.json").returncode == 0
    assert "The most that may be paid: 2430000 USD" in virkning("indigo", "kmc.json", "--contract", "kmc.yml").stdout
    assert "scope: contract, most: 2430000," in (tmp_path / "kmc.yml").read_text(encoding="utf-8")


def test_what_a_record_says_unclearly_is_told_and_stays_empty(virkning, tmp_path: Path) -> None:
    record = {
        "name": {"value": "A bond"},
        "overall_project_finance": {"maximum_potential_outcome_payment": {"amount": {"value": 5000000}}},
        "outcome_metrics": [{"id": "1", "definition": {"value": "Jobs"}}],
        "outcome_pricings": [
            {
                "outcome_metric_id": {"value": "1"},
                "currency": {"value": "GBP"},
                "price_per_unit": {"amount": {"value": "£1,500 #"}},
                "price_description": {"value": "1,500 pounds\nfor each job"},
            }
        ],
        "outcome_payments": [
            {"outcome_metric_id": {"value": "1"}, "period": {"start_date": "2015", "end_date": "2016"}}
        ],
    }
    (tmp_path / "bond.json").write_text(json.dumps(record), encoding="utf-8")
    done = virkning("indigo", "bond.json", "--contract", "bond")
    assert done.returncode == 0, done.stderr
    assert "outcome_pricings, row 1, price_per_unit: not a plainly written number («£1,500 #»)" in done.stdout
    assert "a field of an older version of the standard («5000000»)" in done.stdout
    text = (tmp_path / "bond" / "contract.yml").read_text(encoding="utf-8")
    assert "price: " not in text
    assert "the record says «1,500 pounds for each job»" in text
    assert "the first day; the record has 2015, 2016" in text
    assert "5000000" not in text
    assert "    metric_1:\n" in text


def test_draft_never_writes_over_a_contract(virkning, record: Path, tmp_path: Path) -> None:
    (tmp_path / "contract.yml").write_text("mine", encoding="utf-8")
    done = virkning("indigo", record.name, "--contract", ".")
    assert done.returncode == 2
    assert "Name another file or folder." in done.stderr
    assert (tmp_path / "contract.yml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "There is no such file"), ("no json", "not a project"), ('{"funds": []}', "not a project")],
)
def test_another_file_is_refused(virkning, tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "file.json").write_text(text, encoding="utf-8")
    done = virkning("indigo", "file.json")
    assert done.returncode == 11
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
