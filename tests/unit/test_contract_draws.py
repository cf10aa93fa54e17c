"""Draws of the effects go through the whole contract, and give payments, flows and returns by draw."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from virkning.contract import Contract, Results, from_effects, settle
from virkning.contract.draws import flows_by_draw, payments_by_draw, settle_draws, settle_run
from virkning.errors import UsageError
from virkning.estimates import Estimates

from .contract_examples import contract, metric, price, row, rows

EFFECT = {"type": "effect", "measure": "is_employed", "form": "per_100", "direction": "increase", "period": "first"}
TERMS = {
    "kind": EFFECT,
    "counterfactual": {"type": "estimated", "design": "randomised_trial"},
    "result_rounding": {"digits": 1, "method": "half_even"},
}
RAMP = price("ramp", low={"result": 1, "amount": 0}, high={"result": 5, "amount": 1000}, at_low="reached")
WATERFALL = {
    "account": "provider",
    "tranches": {"loan": {"investor": "fund", "rate": 0, "interest": "none"}},
    "drawdowns": [{"tranche": "loan", "on": "2021-01-01", "amount": 600, "to": "provider", "source": "plan"}],
    "steps": [
        {"type": "tranche", "tranche": "loan", "first": "principal"},
        {"type": "residual", "shares": {"fund": 1}, "remainder_to": "fund"},
    ],
    "guarantees": [{"guarantor": "guard", "tranches": ["loan"], "share": "0.5", "most": 1000, "on": "2022-12-31"}],
}


@pytest.fixture
def effects(made_up_effects: Callable[..., Estimates]) -> Estimates:
    return made_up_effects({"is_employed": (0.03, 0.02, "share")}, kind="share")


def agreement(**changes: object) -> Contract:
    return contract(metrics={"jobs": metric(RAMP, **TERMS)}, **changes)


def by_hand(value: float) -> float:
    """Return the payment of one draw by the ramp's own formula."""
    rounded = float(round(Decimal(100 * value), 1))
    return 0.0 if rounded < 1 else 1000.0 if rounded >= 5 else 250.0 * (rounded - 1)


def test_each_draw_is_settled_by_the_whole_contract(effects: Estimates) -> None:
    draws = pd.DataFrame({"is_employed": [-0.02, 0.009, 0.01, 0.0249, 0.05, 0.2]})
    drawn = settle_draws(agreement(), None, effects, draws)
    assert drawn.totals.tolist() == pytest.approx([by_hand(value) for value in draws["is_employed"]])
    assert drawn.n == 6
    assert len(drawn.settlements) < 6, "what is paid alike is settled once"


def test_draws_settle_as_one_by_one(effects: Estimates) -> None:
    draws = effects.draws(300, np.random.default_rng(3))
    found = settle_draws(agreement(), None, effects, draws).totals
    own = from_effects(agreement(), effects).rows[0]
    for value, total in zip(draws["is_employed"], found, strict=True):
        alone = Results((type(own)(**{**vars(own), "value": Decimal.from_float(float(value)) * 100}),))
        assert float(settle(agreement(), alone).total.amount) == total


def test_payments_are_given_by_draw_payer_and_year(effects: Estimates) -> None:
    counted = metric(price(price=7), payers={"state": 1})
    agreed = contract(metrics={"jobs": metric(RAMP, **TERMS), "homes": counted})
    given = rows(row(3, metric="homes", period="second"))
    frame = payments_by_draw(agreed, given, effects, pd.DataFrame({"is_employed": [0.03, 0.09]}))
    assert list(frame.columns) == ["draw", "payer", "year", "amount"]
    sums = frame.set_index(["draw", "payer", "year"])["amount"].to_dict()
    assert sums == {
        (0, "city", 2022): 500.0,
        (0, "state", 2023): 21.0,
        (1, "city", 2022): 1000.0,
        (1, "state", 2023): 21.0,
    }


def test_flows_of_each_draw_add_up_to_nothing(effects: Estimates) -> None:
    frame = flows_by_draw(
        agreement(waterfall=WATERFALL), None, effects, pd.DataFrame({"is_employed": [0.0, 0.02, 0.09]})
    )
    assert frame.groupby("draw")["amount"].sum().abs().max() < 1e-9
    fund = frame[frame["party"] == "fund"].groupby("draw")["amount"].sum().tolist()
    # Nothing paid: half of the loan comes from the guarantor; 250 paid: half of the missing 350; 1,000 paid: a gain.
    assert fund == [-300.0, -175.0, 400.0]


def test_run_has_draws_without_an_effect_too(effects: Estimates) -> None:
    drawn = settle_run(agreement(waterfall=WATERFALL), None, effects, 5, n=4000)
    assert drawn.without is not None
    assert drawn.n == drawn.without.n == 4000
    # A ramp from 1 on, with 2 as the standard error of an effect of 0: paid where the estimate, rounded, reaches 1.
    chance = float((drawn.without.totals > 0).mean())
    assert chance == pytest.approx(0.30, abs=0.025)
    assert (drawn.moved("guarantee", "guard") > 0).mean() == pytest.approx((drawn.totals < 600).mean())


def test_caps_that_bind_are_told(effects: Estimates) -> None:
    order = [
        {"type": "round", "digits": 2, "method": "half_up"},
        {"type": "cap", "name": "most", "scope": "contract", "most": 400, "spread": "in_order"},
    ]
    drawn = settle_draws(agreement(order=order), None, effects, pd.DataFrame({"is_employed": [0.02, 0.04]}))
    assert drawn.is_capped("most").tolist() == [False, True]


def test_another_term_is_drawn_with_the_headline(made_up_effects: Callable[..., Estimates]) -> None:
    """A term that is the headline itself follows it exactly; a term with its own luck has its own spread."""
    covariance = np.array([[4e-4, 4e-4, 0.0], [4e-4, 4e-4, 0.0], [0.0, 0.0, 9e-4]])
    found = made_up_effects({"is_employed": (0.03, 0.02, "share")}, kind="share", path=([0.03, 0.05], covariance))
    draws = found.draws(4000, np.random.default_rng(1))
    linear = {**TERMS, "result_rounding": {"digits": 6, "method": "half_even"}}
    same, other = (
        contract(metrics={"jobs": metric(price(price=1), **{**linear, "kind": {**EFFECT, "term": term}})})
        for term in ("year 1", "year 2")
    )
    followed = settle_draws(same, None, found, draws.head(50)).totals
    assert followed == pytest.approx(np.maximum(100 * draws["is_employed"].head(50), 0).to_numpy(), abs=0.01)
    alone = settle_draws(other, None, found, draws.head(400), seed=4).totals
    assert alone.mean() == pytest.approx(5.0, abs=0.6)
    assert np.corrcoef(alone, draws["is_employed"].head(400))[0, 1] == pytest.approx(0, abs=0.15)


def test_draws_must_hold_what_the_contract_pays_for(effects: Estimates) -> None:
    with pytest.raises(UsageError, match="lack «is_employed»"):
        settle_draws(agreement(), None, effects, pd.DataFrame({"other": [0.1]}))
