"""A small contract that tests bend in one place each, and results for it."""

from __future__ import annotations

import copy
from datetime import date
from decimal import Decimal
from typing import Any

from virkning.contract import Contract, ContractFile, ResultRow, Results

EVIDENCE = {"needs": ["form"], "verifier": "city", "lag_days": 30}
PERIODS = {
    "first": {"start": "2021-01-01", "end": "2021-12-31"},
    "second": {"start": "2022-01-01", "end": "2022-12-31"},
}


def price(kind: str = "per_unit", **terms: Any) -> dict[str, Any]:
    terms = terms or {"price": 100}
    return {"type": kind, "version": "1", "since": "2021-01-01", "source": "annex", "standing": "synthetic", **terms}


def metric(*prices: dict[str, Any], kind: str | dict[str, Any] = "figure", **terms: Any) -> dict[str, Any]:
    return {
        "label": "Jobs",
        "unit": "jobs",
        "result": {"type": kind} if isinstance(kind, str) else kind,
        "counterfactual": {"type": "none"},
        "result_rounding": "exact",
        "prices": list(prices or [price()]),
        "evidence": EVIDENCE,
        "payers": {"city": 1},
        **terms,
    }


def terms(**changes: Any) -> dict[str, Any]:
    """Return the values of a whole contract; a change replaces one of its keys."""
    values: dict[str, Any] = {
        "id": "example",
        "title": "Example",
        "standing": "synthetic",
        "source": "made up",
        "currency": "DKK",
        "parties": {
            "city": {"label": "City", "roles": ["payer", "verifier"]},
            "state": {"label": "State", "roles": ["payer"]},
            "fund": {"label": "Fund", "roles": ["investor"]},
            "guard": {"label": "Guard", "roles": ["guarantor"]},
            "provider": {"label": "Provider", "roles": ["provider"]},
        },
        "periods": copy.deepcopy(PERIODS),
        "metrics": {"jobs": metric()},
        "order": [{"type": "round", "digits": 2, "method": "half_up"}],
    }
    return {**values, **changes}


def contract(**changes: Any) -> Contract:
    return ContractFile.model_validate({"contract": terms(**changes)}).contract


def row(value: object = 1, **values: Any) -> ResultRow:
    given: dict[str, Any] = {
        "result_id": "r1",
        "metric": "jobs",
        "period": "first",
        "accepted_on": date(2021, 12, 1) if values.get("period", "first") == "first" else date(2022, 12, 1),
        "standing": "synthetic",
        "source": "made up",
    }
    return ResultRow(**{**given, "value": Decimal(str(value)), **values})


def rows(*values: ResultRow) -> Results:
    return Results(tuple(values))
